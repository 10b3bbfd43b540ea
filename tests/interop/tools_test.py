"""Tools that know nothing of the server but what it says of itself: grpcurl, ghz and perf_analyzer."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import grpc

from certificates import Authority, read
from doorkeeper import Doorkeeper
from interop_bed import find_tool
from testbed import SOURCE, Server, test_digits

CLASSIFY = "hellocnn.v1.ClassifierService/Classify"
SERVICES = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "hellocnn.v1.ClassifierService",
    "hellocnn.v1.ModelControlService",
    "inference.GRPCInferenceService",
]


def digits(count):
    images = [{"gray8": base64.b64encode(pixels).decode()} for pixels, _ in test_digits(count)]
    return json.dumps({"images": images})


class ToolTest:
    name = None

    @classmethod
    def setUpClass(cls):
        cls.program = find_tool(cls.name)
        if cls.program is None:
            raise unittest.SkipTest(f"no {cls.name}: see scripts/fetch-interop.sh")

    def run_tool(self, *arguments, **more):
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=120, **more)

    def test_http2(self):
        self.check("http2")

    def test_grpc(self):
        self.check("grpc")


class GrpcurlTest(ToolTest, unittest.TestCase):
    name = "grpcurl"

    def check(self, transport):
        with Server(f"--transport={transport}") as server:

            def grpcurl(*arguments, **more):
                run = self.run_tool("-plaintext", *arguments, **more)
                self.assertEqual(run.returncode, 0, run.stderr)
                return run.stdout

            address = server.address
            self.assertEqual(grpcurl(address, "list").split(), SERVICES)
            for service in SERVICES:
                self.assertIn(f"{service} is a service:", grpcurl(address, "describe", service))
            health = json.loads(grpcurl(address, "grpc.health.v1.Health/List"))["statuses"]
            self.assertEqual(health["models/mnist"]["status"], "SERVING")
            response = json.loads(grpcurl("-d", "@", address, CLASSIFY, input=digits(3)))
            self.assertEqual([p["label"] for p in response["predictions"]], [str(label) for _, label in test_digits(3)])
            with open(os.path.join(SOURCE, "data/pictures/two-on-paper.jpg"), "rb") as file:
                picture = base64.b64encode(file.read()).decode()
            response = json.loads(grpcurl("-d", "@", address, CLASSIFY, input=json.dumps({"images": [{"encoded": picture}]})))
            self.assertEqual(response["predictions"][0]["label"], "2")
            run = self.run_tool("-plaintext", "-d", '{"images": [{"gray8": "AAAA"}]}', address, CLASSIFY)
            self.assertIn("images[0].gray8 has 3 bytes; wanted 1024 (32x32)", run.stderr)

    @unittest.skipUnless(shutil.which("openssl"), "makes certificates with openssl")
    def test_token_over_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            authority = Authority(folder)
            certificate, key = authority.issue("server")
            tls = grpc.ssl_server_credentials([(read(key), read(certificate))])
            service = ["-import-path", os.path.join(SOURCE, "protos"), "-proto", "hellocnn/v1/classifier_service.proto"]
            with Doorkeeper(tls) as server:
                run = self.run_tool(
                    *["-cacert", authority.certificate, "-H", "authorization: Bearer s3cret", *service],
                    *[server.address, "hellocnn.v1.ClassifierService/ListModels"],
                )
        self.assertIn("Unauthenticated", run.stderr)
        self.assertEqual(server.calls, [("ListModels", ["Bearer s3cret"])])

    def test_off(self):
        with Server("--reflection=off") as server:
            run = self.run_tool("-plaintext", server.address, "list")
            self.assertEqual(run.returncode, 1)
            self.assertIn("server does not support the reflection API", run.stderr)


class GhzTest(ToolTest, unittest.TestCase):
    name = "ghz"

    def check(self, transport):
        with Server(f"--transport={transport}") as server:
            run = self.run_tool(
                "--insecure", f"--call={CLASSIFY}", f"--data={digits(1)}", "--total=2000", "--concurrency=8", "--format=json", server.address
            )
            self.assertEqual(run.returncode, 0, run.stderr)
            report = json.loads(run.stdout)
            self.assertEqual((report["count"], report["statusCodeDistribution"]), (2000, {"OK": 2000}))


class PerfAnalyzerTest(ToolTest, unittest.TestCase):
    name = "perf_analyzer"

    def check(self, transport):
        with Server(f"--transport={transport}", "--http-listen=127.0.0.1:0") as server:
            for name, flags in (
                ("unary", ["-i", "grpc", "-u", server.address]),
                ("streaming", ["-i", "grpc", "-u", server.address, "--streaming", "--async"]),
                ("http", ["-i", "http", "-u", server.http_address]),
                ("batch", ["-i", "grpc", "-u", server.address, "-b", "8"]),
            ):
                with self.subTest(name):
                    run = self.run_tool("-m", "mnist", "--measurement-mode=count_windows", "--measurement-request-count=200", "-s", "1000", *flags)
                    self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
                    self.assertRegex(run.stdout, r"Concurrency: 1, throughput: \d+")
                    self.assertRegex(run.stdout, r"Avg request latency: \d+ usec")  # of the server's statistics


if __name__ == "__main__":
    unittest.main()
