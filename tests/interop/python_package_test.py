"""The package in clients/python: its own tests with its wheel, in an environment that has nothing else of this tree."""

import filecmp
import os
import subprocess
import unittest

from interop_bed import TOOLS, find_tool
from testbed import SLOW_ENGINE, SOURCE, TEST_DATA, Server

PACKAGE = os.path.join(SOURCE, "clients/python")


class PythonPackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.python = find_tool("hellocnn-client-package")
        if cls.python is None:
            raise unittest.SkipTest("no hellocnn-client-package: see scripts/fetch-interop.sh")
        for folder, _, names in os.walk(os.path.join(PACKAGE, "src")):
            for name in (name for name in names if name.endswith(".py")):
                ours = os.path.join(folder, name)
                theirs = os.path.join(TOOLS, "clients/package/sources", os.path.relpath(ours, PACKAGE))
                if not os.path.exists(theirs) or not filecmp.cmp(ours, theirs, shallow=False):
                    raise unittest.SkipTest("hellocnn-client-package is older than its source: run scripts/fetch-interop.sh")

    def check(self, transport):
        slow = Server(f"--transport={transport}", SLOW_ENGINE, "--threads=1", "--max-batch-size=8", "--queue-capacity=64")
        with slow, Server(f"--transport={transport}", "--model-versions=all", model=os.path.join(SOURCE, "models/mnist")) as server:
            run = subprocess.run(
                [self.python, os.path.join(PACKAGE, "tests/client_test.py")],
                env={
                    **os.environ,
                    "HELLOCNN_SERVER": server.address,
                    "HELLOCNN_SLOW_SERVER": slow.address,
                    "HELLOCNN_DATA": TEST_DATA,
                    "HELLOCNN_EXAMPLES": os.path.join(PACKAGE, "examples"),
                },
                capture_output=True,
                text=True,
                timeout=240,
            )
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertNotIn("skipped", run.stderr)

    def test_http2(self):
        self.check("http2")

    def test_grpc(self):
        self.check("grpc")

    def test_tokens(self):
        run = subprocess.run([self.python, os.path.join(PACKAGE, "tests/token_test.py")], capture_output=True, text=True, timeout=240)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_it_is_typed(self):
        program = "import hellocnn\nresult: int = hellocnn.Client().classify(b'')\nhellocnn.Client(7)\n"
        run = subprocess.run(
            [self.python, "-m", "mypy", "--strict", "-c", program], capture_output=True, text=True, timeout=240, cwd=os.path.dirname(TOOLS)
        )
        self.assertIn('expression has type "Result", variable has type "int"', run.stdout)
        self.assertIn('incompatible type "int"; expected "str"', run.stdout)
        self.assertEqual(run.stdout.count("error:"), 2, run.stdout)


if __name__ == "__main__":
    unittest.main()
