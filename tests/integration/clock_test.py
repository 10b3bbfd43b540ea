"""What programs that use the client library do while their wall clock is set back and forth: no call fails or hangs."""

import glob
import os
import subprocess
import tempfile
import threading
import unittest

import testbed

LIBFAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
EXAMPLE = os.path.join(os.path.dirname(testbed.CLI), "classify_digits")
# Far more than any of them takes, far less than the hour by which the clock is set back.
HUNG = 300


class SteppedClock:
    """Sets the wall clock of programs an hour back, then an hour forward, and so on, until the `with` statement ends."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        self._file = os.path.join(self._folder.name, "offset")
        self._set("+0")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._step)
        self._thread.start()
        self.environment = testbed.clean_environment(
            LD_PRELOAD=LIBFAKETIME,
            FAKETIME_TIMESTAMP_FILE=self._file,
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        self._folder.cleanup()

    def _set(self, offset):
        # Replaced in one step: a program that finds the file empty would end.
        with open(self._file + ".new", "w", encoding="ascii") as file:
            file.write(offset + "\n")
        os.replace(self._file + ".new", self._file)

    def _step(self):
        hours = 1
        while not self._ended.wait(0.02):
            self._set(f"{hours * 3600:+d}")
            hours = -hours


@unittest.skipUnless(LIBFAKETIME, "libfaketime is not installed (Debian: faketime)")
class ClientClockTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = testbed.Server()
        cls.clock = SteppedClock().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.clock.__exit__()
        cls.server.stop()

    def run_stepped(self, *command):
        done = subprocess.run(command, env=self.clock.environment, capture_output=True, text=True, timeout=HUNG, check=False)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout

    def test_the_clock_really_moves(self):
        seen = {self.run_stepped("/bin/date", "+%Y-%m-%d %H") for _ in range(200)}
        self.assertGreaterEqual(len(seen), 2)

    def test_blocking_asynchronous_and_batched_calls(self):
        out = self.run_stepped(EXAMPLE, self.server.address, testbed.TEST_DATA, "5000")
        self.assertRegex(out, r"asynchronously: \d+ of 5000 right")

    def test_evaluation(self):
        out = self.run_stepped(testbed.CLI, "--server", self.server.address, "evaluate", "--data", testbed.TEST_DATA, "--batch", "1")
        self.assertIn("of 10,000 right", out)

    def test_load(self):
        for mode in ("unary", "stream"):
            out = self.run_stepped(testbed.CLI, "--server", self.server.address, "load", "--mode", mode, "--rate", "200", "--duration", "2s")
            self.assertIn(", 0 failed", out)


if __name__ == "__main__":
    unittest.main()
