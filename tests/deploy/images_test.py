"""scripts/pin-images.sh, with a registry that is a script."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = os.environ["HELLOCNN_TEST_SOURCE"]
IMAGES = ["debian:trixie-slim", "grafana/grafana:11.6.0", "haproxy:3.0", "prom/prometheus:v2.53.3"]
# Prints the digest of the last argument and of today, and fails for what BROKEN names.
DOCKER = """#!/bin/sh
for image; do :; done
[ "$image" != "$BROKEN" ] || exit 1
printf '%s' "$image on $TODAY" | sha256sum | sed 's/ .*//; s/^/sha256:/'
"""


def digest(image, today):
    return "sha256:" + hashlib.sha256(f"{image} on {today}".encode()).hexdigest()


class PinImagesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        for name in ("deploy", "scripts"):
            shutil.copytree(os.path.join(SOURCE, name), os.path.join(self.root, name))
        shutil.copy(os.path.join(SOURCE, "Dockerfile"), self.root)
        self.tools = os.path.join(self.root, "tools")
        os.mkdir(self.tools)
        docker = os.path.join(self.tools, "docker")
        with open(docker, "w", encoding="utf-8") as file:
            file.write(DOCKER)
        os.chmod(docker, 0o755)

    def run_script(self, *arguments, **variables):
        environment = {**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}", **variables}
        command = [os.path.join(self.root, "scripts/pin-images.sh"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def files(self):
        found = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    found[os.path.relpath(os.path.join(folder, name), self.root)] = file.read()
        return found

    def test_every_image_of_others_is_pinned_and_nothing_else_changes(self):
        before = self.files()
        done = self.run_script(TODAY="monday")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.split(), [f"{image}@{digest(image, 'monday')}" for image in IMAGES])
        after = self.files()
        changed = [name for name in before if after[name] != before[name]]
        self.assertEqual(sorted(changed), ["Dockerfile", "deploy/compose.yaml"])
        self.assertIn(f"FROM debian:trixie-slim@{digest(IMAGES[0], 'monday')} AS dependencies", after["Dockerfile"])
        self.assertIn(f"${{HAPROXY_IMAGE:-haproxy:3.0@{digest('haproxy:3.0', 'monday')}}}\n", after["deploy/compose.yaml"])
        for name in changed:
            self.assertEqual(re.sub("@sha256:[0-9a-f]{64}", "", after[name]), re.sub("@sha256:[0-9a-f]{64}", "", before[name]))

    def test_the_digest_of_another_day_is_replaced(self):
        self.run_script(TODAY="monday")
        self.assertEqual(self.run_script(TODAY="tuesday").returncode, 0)
        listed = self.run_script("--list").stdout.split()
        self.assertEqual(listed, [f"{image}@{digest(image, 'tuesday')}" for image in IMAGES])

    def test_nothing_is_written_if_an_image_cannot_be_resolved(self):
        before = self.files()
        done = self.run_script(TODAY="monday", BROKEN="haproxy:3.0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("haproxy:3.0 cannot be resolved", done.stderr)
        self.assertEqual(self.files(), before)

    def test_what_is_no_digest_is_not_written(self):
        with open(os.path.join(self.tools, "docker"), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\necho 'MediaType: application/json'\n")
        before = self.files()
        done = self.run_script()
        self.assertEqual(done.returncode, 1)
        self.assertIn("wanted sha256:", done.stderr)
        self.assertEqual(self.files(), before)


if __name__ == "__main__":
    unittest.main()
