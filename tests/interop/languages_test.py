"""The programs of tests/interop/clients, each in a language and with the gRPC library of that language, against the server.

What a program checks, it says itself, with a line for each case. They need a server that is slow and has a short queue, so that
deadlines pass and the queue fills.
"""

import filecmp
import gzip
import os
import shutil
import subprocess
import tempfile
import unittest

from certificates import Authority
from doorkeeper import Doorkeeper
from interop_bed import TOOLS, find_tool
from testbed import SLOW_ENGINE, SOURCE, TEST_DATA, Server

SLOW = [SLOW_ENGINE, "--queue-capacity=1024"]
CASES = [
    "health check",
    "one image",
    "64 images",
    "stream",
    "model",
    "health watch",
    "wrong size",
    "deadline",
    "cancellation",
    "gzip",
    "metadata",
    "too large",
    "overload",
]
# Those that compare classes with labels.
CLASSIFYING = ["one image", "64 images", "stream", "cancellation", "gzip", "metadata", "too large"]
TIMEOUT = 120


def is_same(folder, other):
    """True if both folders have the same files with the same bytes."""
    compared = filecmp.dircmp(folder, other)
    if compared.left_only or compared.right_only or compared.funny_files:
        return False
    _, different, errors = filecmp.cmpfiles(folder, other, compared.common_files, shallow=False)
    return not different and not errors and all(is_same(os.path.join(folder, sub), os.path.join(other, sub)) for sub in compared.common_dirs)


class Language:
    """The tests of one program."""

    name = None  # of the program, after `hellocnn-client-`
    sources = None  # the folder of tests/interop/clients, if it is not the name
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.program = find_tool(f"hellocnn-client-{cls.name}")
        if cls.program is None:
            raise unittest.SkipTest(f"no hellocnn-client-{cls.name}: see scripts/fetch-interop.sh")
        built = os.path.join(TOOLS, "clients", cls.name)
        for ours, copy in ((f"tests/interop/clients/{cls.sources or cls.name}", "sources"), ("protos", "protos")):
            if not is_same(os.path.join(SOURCE, ours), os.path.join(built, copy)):
                raise unittest.SkipTest(f"hellocnn-client-{cls.name} is older than its sources: run scripts/fetch-interop.sh")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_program(self, server, *flags, data=TEST_DATA):
        return subprocess.run(
            [self.program, "--server", server.address, "--data", data, *self.flags, *flags],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )

    def check_passes(self, server, *flags):
        ended = self.run_program(server, *flags)
        self.assertEqual(ended.stdout.splitlines(), [f"ok {case}" for case in CASES], ended.stderr)
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_http2(self):
        with Server("--transport=http2", *SLOW) as server:
            self.check_passes(server)

    @unittest.skipUnless(os.environ.get("HELLOCNN_TEST_TRANSPORT") == "grpc", "HELLOCNN_TEST_TRANSPORT is not grpc")
    def test_grpc(self):
        with Server("--transport=grpc", *SLOW) as server:
            self.check_passes(server, "--no-gzip")

    @unittest.skipUnless(shutil.which("openssl"), "makes certificates with openssl")
    def test_tls(self):
        authority = Authority(self.folder)
        certificate, key = authority.issue("server")
        with Server("--transport=http2", "--tls-cert", certificate, "--tls-key", key, *SLOW) as server:
            self.check_passes(server, "--ca", authority.certificate)

    @unittest.skipUnless(shutil.which("openssl"), "makes certificates with openssl")
    def test_client_certificate(self):
        authority = Authority(self.folder)
        certificate, key = authority.issue("server")
        client_certificate, client_key = authority.issue("client")
        files = ["--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", authority.certificate]
        with Server("--transport=http2", *files, *SLOW) as server:
            self.check_passes(server, "--ca", authority.certificate, "--cert", client_certificate, "--key", client_key)
            without = self.run_program(server, "--ca", authority.certificate)
        self.assertEqual(without.returncode, 1, without.stdout + without.stderr)
        self.assertEqual([line.partition(":")[0] for line in without.stdout.splitlines()], [f"failed {case}" for case in CASES])

    def test_every_call_carries_the_token(self):
        token = os.path.join(self.folder, "token")
        with open(token, "w", encoding="utf-8") as file:
            file.write("s3cret\n")
        for flags, wanted in (["--token-file", token], ["Bearer s3cret"]), ([], []):
            with Doorkeeper() as server:
                ended = self.run_program(server, *flags)
            self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
            self.assertEqual({method for method, _ in server.calls}, {"Check", "Classify", "ClassifyStream", "GetModel", "Watch"})
            self.assertEqual([said for _, said in server.calls], [wanted] * len(server.calls))
            self.assertNotIn("s3cret", ended.stdout + ended.stderr)

    def test_the_program_notices_what_is_wrong(self):
        """With the labels shifted by one, whatever the server says about a digit is wrong."""
        images, labels = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
        os.symlink(os.path.join(TEST_DATA, images), os.path.join(self.folder, images))
        with gzip.open(os.path.join(TEST_DATA, labels)) as file:
            right = file.read()
        with gzip.open(os.path.join(self.folder, labels), "wb") as file:
            file.write(right[:8] + bytes((label + 1) % 10 for label in right[8:]))
        with Server("--transport=http2", *SLOW) as server:
            ended = self.run_program(server, data=self.folder)
        self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
        failed = [line.partition(":")[0] for line in ended.stdout.splitlines() if not line.startswith("ok ")]
        for case in CLASSIFYING:
            self.assertIn(f"failed {case}", failed)


class PythonTest(Language, unittest.TestCase):
    name = "python"


class DebianPythonTest(Language, unittest.TestCase):
    name = "python-debian"
    sources = "python"


class NodeTest(Language, unittest.TestCase):
    name = "node"


class GoTest(Language, unittest.TestCase):
    name = "go"


class RustTest(Language, unittest.TestCase):
    name = "rust"


class JavaTest(Language, unittest.TestCase):
    name = "java"


class JavaOkhttpTest(Language, unittest.TestCase):
    name = "java"
    flags = ("--okhttp",)


if __name__ == "__main__":
    unittest.main()
