"""Clients of the Open Inference Protocol, as they come from PyPI, against the server: tests/interop/clients/triton and kserve."""

import filecmp
import os
import subprocess
import tempfile
import unittest

from doorkeeper import Doorkeeper
from interop_bed import TOOLS, find_tool
from testbed import SOURCE, TEST_DATA, Server


class ClientTest:
    name = None
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.program = find_tool(f"hellocnn-client-{cls.name}")
        if cls.program is None:
            raise unittest.SkipTest(f"no hellocnn-client-{cls.name}: see scripts/fetch-interop.sh")
        ours = os.path.join(SOURCE, "tests/interop/clients", cls.name, "client.py")
        if not filecmp.cmp(ours, os.path.join(TOOLS, "clients", cls.name, "sources/client.py"), shallow=False):
            raise unittest.SkipTest(f"hellocnn-client-{cls.name} is older than its source: run scripts/fetch-interop.sh")

    def check(self, transport, *flags):
        model = os.path.join(SOURCE, "models/mnist")
        with Server(f"--transport={transport}", "--model-versions=all", "--http-listen=127.0.0.1:0", model=model) as server:
            run = subprocess.run(
                [self.program, "--server", server.address, "--rest", server.http_address, "--data", TEST_DATA, *flags],
                capture_output=True,
                text=True,
                timeout=240,
            )
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertEqual(run.stdout.splitlines(), [f"ok {case}" for case in self.cases], run.stderr)

    def test_http2(self):
        self.check("http2", *self.flags)

    def test_grpc(self):
        self.check("grpc")


class TritonTest(ClientTest, unittest.TestCase):
    name = "triton"
    flags = ("--compress",)  # gRPC's transport takes no compressed requests
    cases = ["health", "metadata", "each_shape_and_type", "outputs", "parameters", "errors", "statistics", "asynchronous", "stream"] + [
        f"http_{case}" for case in ("asynchronous", "errors", "health", "infer", "metadata", "statistics")
    ]

    def test_calls_carry_the_token(self):
        with tempfile.TemporaryDirectory() as folder, Doorkeeper() as server:
            token = os.path.join(folder, "token")
            with open(token, "w", encoding="utf-8") as file:
                file.write("s3cret\n")
            run = subprocess.run(
                [self.program, "--server", server.address, "--data", TEST_DATA, "--token-file", token],
                capture_output=True,
                text=True,
                timeout=240,
            )
        self.assertIn("UNAUTHENTICATED", run.stderr)
        self.assertEqual(server.calls, [("ServerLive", ["Bearer s3cret"])])


class KserveTest(ClientTest, unittest.TestCase):
    name = "kserve"
    cases = ["health", "UINT8 raw", "UINT8 typed", "FP32 raw", "FP32 typed", "error"] + [
        f"HTTP {case}" for case in ("health", "UINT8 binary", "UINT8 JSON", "FP32 binary", "FP32 JSON")
    ]


if __name__ == "__main__":
    unittest.main()
