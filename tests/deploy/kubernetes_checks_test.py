"""What others say about the manifests: the projects whose custom resources they have, kube-score and checkov.

scripts/fetch-deploy-checks.sh fetches what these tests need. Without it they are skipped.
"""

import copy
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import yaml

import crd_schema
import manifests
from manifests import render, render_with, the

KUBERNETES = "v1.30"  # docs/operations.md promises this one
TIMEOUT = 240


def find_tool(name):
    own = os.path.join(crd_schema.TOOLS, "bin", name)
    return own if os.access(own, os.X_OK) else shutil.which(name)


@unittest.skipIf(manifests.renderer() is None, "neither kustomize nor a kubectl with version 5 of it")
class CustomResourceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.definitions = crd_schema.definitions()
        if not cls.definitions:
            raise unittest.SkipTest("no definitions: see scripts/fetch-deploy-checks.sh")

    def errors_of(self, document):
        return crd_schema.errors_of(document, self.definitions[document["apiVersion"], document["kind"]])

    def custom(self):
        return render("kserve") + [o for o in render_with("gateway") if o["apiVersion"].startswith("gateway.")]

    def test_they_are_as_their_projects_define_them(self):
        kinds = set()
        for document in self.custom():
            with self.subTest(document["kind"]):
                self.assertEqual(self.errors_of(document), [])
            kinds.add(document["kind"])
        self.assertEqual(kinds, {"ServingRuntime", "InferenceService", "GRPCRoute", "HTTPRoute"})

    def test_mistakes_are_found(self):
        def rule(objects):
            return the(objects, "GRPCRoute")["spec"]["rules"][0]

        def container(objects):
            return the(objects, "ServingRuntime")["spec"]["containers"][0]

        mistakes = [
            ("backendRef is not a field", rule, {"backendRef": []}),
            ("port is '8500', wanted integer", rule, {"backendRefs": [{"name": "hellocnn", "port": "8500"}]}),
            ("port is 70000, which is out of range", rule, {"backendRefs": [{"name": "hellocnn", "port": 70000}]}),
            ("wanted one of", rule, {"matches": [{"method": {"service": "a.B", "type": "Prefix"}}]}),
            ("name is missing", container, {"name": None}),
            ("imagePullpolicy is not a field", container, {"imagePullpolicy": "Always"}),
            ("protocolVersions is 'v2', wanted array", lambda o: the(o, "ServingRuntime")["spec"], {"protocolVersions": "v2"}),
            ("uri is not a field", lambda o: the(o, "InferenceService", "digits")["spec"]["predictor"]["model"], {"uri": "pvc://x"}),
        ]
        sound = self.custom()
        for message, where, what in mistakes:
            with self.subTest(mistake=what):
                objects = copy.deepcopy(sound)
                changed = where(objects)
                changed.update(what)
                for key in [key for key, value in changed.items() if value is None]:
                    del changed[key]
                self.assertIn(message, "\n".join(error for o in objects for error in self.errors_of(o)))


@unittest.skipIf(manifests.renderer() is None, "neither kustomize nor a kubectl with version 5 of it")
class AdviceTest(unittest.TestCase):
    """The overlay for production, of which neither program must have anything to say. Where it is wrong, an annotation says why."""

    def setUp(self):
        # The dashboards are long, and nothing but data.
        self.objects = [o for o in render("overlays/production") if "dashboard" not in o["metadata"]["name"]]

    def written(self, objects):
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.addCleanup(file.close)
        yaml.safe_dump_all(objects, file)
        file.flush()
        return file.name

    def check(self, findings, wanted):
        """`findings` says what is wrong with a file, and finds `wanted` in a deployment without what it asks for."""
        self.assertEqual(findings(self.written(self.objects)), set())
        worse = copy.deepcopy(self.objects)
        container = manifests.container(worse)
        del container["imagePullPolicy"], container["resources"]["limits"]
        del the(worse, "Deployment")["metadata"]["annotations"]
        self.assertLessEqual(wanted, findings(self.written(worse)))

    @unittest.skipUnless(find_tool("kube-score"), "no kube-score: see scripts/fetch-deploy-checks.sh")
    def test_kube_score_finds_nothing(self):
        def findings(path):
            command = [find_tool("kube-score"), "score", "--kubernetes-version", KUBERNETES, "--output-format", "json", path]
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
            checks = [(o["object_name"], check) for o in json.loads(done.stdout) for check in o["checks"] or []]
            self.assertGreater(len(checks), 20, done.stdout + done.stderr)
            # 10 is OK, and less is a warning or critical.
            return {check["check"]["id"] for _, check in checks if not check["skipped"] and check["grade"] < 10}

        self.check(findings, {"container-image-pull-policy", "container-resources", "deployment-has-host-podantiaffinity"})

    @unittest.skipUnless(find_tool("checkov"), "no checkov: see scripts/fetch-deploy-checks.sh")
    def test_checkov_finds_nothing(self):
        def findings(path):
            command = [find_tool("checkov"), "--framework", "kubernetes", "--output", "json", "--compact", "--skip-download", "--file", path]
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
            results = json.loads(done.stdout)
            self.assertGreater(results["summary"]["passed"], 20, done.stdout + done.stderr)
            return {check["check_id"] for check in results["results"]["failed_checks"]}

        self.check(findings, {"CKV_K8S_11", "CKV_K8S_13", "CKV_K8S_15", "CKV_K8S_43"})


if __name__ == "__main__":
    unittest.main()
