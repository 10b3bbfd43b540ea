"""The example program of the client library, against a real server."""

import os
import re
import subprocess
import unittest

from testbed import CLI, SLOW_ENGINE, STOP_TIMEOUT, TEST_DATA, Server, clean_environment

EXAMPLE = os.path.join(os.path.dirname(CLI), "classify_digits")


def run_example(*arguments):
    return subprocess.run(
        [EXAMPLE, *arguments],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=STOP_TIMEOUT,
    )


class ExampleTest(unittest.TestCase):
    def test_classifies_digits_in_each_way(self):
        with Server() as server:
            run = run_example(server.address, TEST_DATA, "1000")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stderr, "")
        self.assertIn("the first digit is a 7, says mnist/1", run.stdout)
        ways = re.findall(r"^(\S+): +(\d+) of 1000 right, in (\d+) calls$", run.stdout, re.MULTILINE)
        self.assertEqual([way for way, _, _ in ways], ["asynchronously", "micro-batched"], run.stdout)
        (_, right, calls), (_, right_batched, calls_batched) = ways
        self.assertGreater(int(right), 950)
        self.assertEqual(right, right_batched)
        self.assertEqual(int(calls), 1000 / 50)
        # 16 threads and 2 calls at a time: many go together.
        self.assertLess(int(calls_batched), 1000)

    def test_many_digits_never_fill_the_queue_of_a_slow_server(self):
        slow = [SLOW_ENGINE, "--threads=1", "--max-batch-size=8", "--queue-capacity=512"]
        with Server(*slow) as server:
            run = run_example(server.address, TEST_DATA, "1500")
        self.assertEqual(run.stderr, "")
        self.assertEqual(run.returncode, 0, run)

    def test_says_what_is_wrong(self):
        self.assertEqual(run_example().returncode, 2)
        self.assertEqual(run_example("127.0.0.1:1", "/nonexistent", "1").returncode, 1)
        unreachable = run_example("127.0.0.1:1", TEST_DATA, "1")
        self.assertEqual(unreachable.returncode, 1)
        self.assertIn("UNAVAILABLE: the server at 127.0.0.1:1 is not available", unreachable.stderr)


if __name__ == "__main__":
    unittest.main()
