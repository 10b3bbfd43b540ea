"""What computes: which engine serves, and that LibTorch is there only for those who ask for it."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import testbed
from testbed import MODEL, SERVER, TEST_DATA, Server, clean_environment, metric_sum, model_card


def libraries(server):
    with open(f"/proc/{server.process.pid}/maps", encoding="utf-8") as maps:
        return {os.path.basename(line.split()[-1]) for line in maps if ".so" in line}


class EngineTest(unittest.TestCase):
    def test_libtorch_is_not_loaded_unless_it_is_asked_for(self):
        with Server() as server:
            self.assertEqual([name for name in libraries(server) if "torch" in name], [])

    def test_every_engine_serves_by_its_name(self):
        for name in ("simd", "torch", "torch-eager"):
            with self.subTest(name), Server(f"--engine={name}") as server:
                self.assertEqual(metric_sum(server.metrics(), "hellocnn_engine_info", engine=name), 1)
                self.assertEqual("hellocnn-torch.so" in libraries(server), name != "simd")
                run = server.cli("evaluate", "--data", TEST_DATA, "--output", "json")
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual(json.loads(run.stdout)["accuracy"], model_card()["test_accuracy"])


class SlimTest(unittest.TestCase):
    """A server without the module with the LibTorch engines, as a slim image has it."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.program = os.path.join(self.folder.name, "bin", "hellocnn-server")
        os.mkdir(os.path.dirname(self.program))
        shutil.copy(SERVER, self.program)

    def test_serves(self):
        with Server(program=self.program) as server:
            run = server.cli("evaluate", "--data", TEST_DATA)
            self.assertEqual(run.returncode, 0, run.stderr)

    def test_names_what_is_missing_and_what_to_do(self):
        for name in ("torch", "torch-eager"):
            with self.subTest(name):
                run = subprocess.run(
                    [self.program, f"--engine={name}", f"--model={MODEL}", "--listen=127.0.0.1:0"],
                    env=clean_environment(),
                    capture_output=True,
                    text=True,
                    timeout=testbed.START_TIMEOUT,
                )
                self.assertEqual(run.returncode, 1)
                self.assertEqual(run.stdout, "")
                self.assertIn(f"engine {name}: there is no ", run.stderr)
                self.assertIn(f"{os.path.realpath(self.folder.name)}/lib/hellocnn/hellocnn-torch.so", run.stderr)
                self.assertIn("--engine=simd", run.stderr)


if __name__ == "__main__":
    unittest.main()
