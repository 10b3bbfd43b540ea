"""What programs do while their wall clock is set back and forth: no call fails or hangs, and no time is counted twice."""

import glob
import os
import random
import subprocess
import tempfile
import threading
import time
import unittest

import grpc
import testbed
from testbed import code_of, metric_sum, request, stub

LIBFAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
EXAMPLE = os.path.join(os.path.dirname(testbed.CLI), "classify_digits")
# Far more than any of them takes, far less than the hour by which the clock is set back.
HUNG = 300


class SettableClock:
    """A wall clock of programs that can be set, until the `with` statement ends."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        self._file = os.path.join(self._folder.name, "offset")
        self.set_hours(0)
        self.environment = testbed.clean_environment(
            LD_PRELOAD=LIBFAKETIME,
            FAKETIME_TIMESTAMP_FILE=self._file,
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def set_hours(self, hours):
        """Sets it so many hours from the true time."""
        # Replaced in one step: a program that finds the file empty would end.
        with open(self._file + ".new", "w", encoding="ascii") as file:
            file.write(f"{hours * 3600:+d}\n")
        os.replace(self._file + ".new", self._file)


class SteppedClock(SettableClock):
    """Sets the wall clock of programs an hour back or an hour forward, at random, so that no test goes in step with it."""

    def __enter__(self):
        super().__enter__()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._step)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        super().__exit__()

    def _step(self):
        while not self._ended.wait(0.02):
            self.set_hours(random.choice((-1, 1)))


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
        seen = set()

        def moved():
            seen.add(self.run_stepped("/bin/date", "+%Y-%m-%d %H"))
            return len(seen) >= 2

        # A disk that others write to can hold up the thread that steps the clock, even for seconds.
        testbed.wait_until(moved, "the clock has moved")

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


@unittest.skipUnless(LIBFAKETIME, "libfaketime is not installed (Debian: faketime)")
class ServerClockTest(unittest.TestCase):
    def test_calls_and_streams_with_deadlines_while_the_clock_is_set_back_and_forth(self):
        with SteppedClock() as clock, testbed.Server(environment=clock.environment) as server, server.channel() as channel:
            service = stub(channel)
            self.assertEqual({code_of(service.Classify.future(request(), timeout=10)) for _ in range(1000)}, {grpc.StatusCode.OK})
            requests = (testbed.pb.ClassifyStreamRequest(id=i, images=request().images) for i in range(1000))
            answers = list(service.ClassifyStream(requests, timeout=60))
            self.assertEqual([answer.WhichOneof("outcome") for answer in answers], ["result"] * 1000)

    def test_calls_after_the_clock_was_set_back(self):
        with SettableClock() as clock, testbed.Server(environment=clock.environment) as server, server.channel() as channel:
            service = stub(channel)
            for hours in (0, -1, 0, 1, 0):
                clock.set_hours(hours)
                codes = {code_of(service.Classify.future(request(), timeout=1)) for _ in range(200)}
                self.assertEqual(codes, {grpc.StatusCode.OK}, f"set {hours} h from the true time")

    def test_no_duration_is_an_hour_too_long_or_negative(self):
        # Under load, for the clock must be set while requests wait, are computed, and workers are busy.
        with SteppedClock() as clock, testbed.Server("--threads=2", environment=clock.environment) as server:
            start = time.monotonic()
            server.cli("load", "--duration", "2s", "--warm-up", "0s", "--images-per-request", "16", "--concurrency", "16")
            metrics = server.metrics()
            took = time.monotonic() - start
            in_flight = 16
            for name, most in (
                ("hellocnn_worker_busy_seconds_total", 2 * took),
                ("hellocnn_compute_duration_seconds_sum", 2 * took),
                ("hellocnn_request_duration_seconds_sum", in_flight * took),
                ("hellocnn_queue_duration_seconds_sum", in_flight * took),
            ):
                self.assertGreater(metric_sum(metrics, name), 0, name)
                self.assertLess(metric_sum(metrics, name), 1.5 * most, name)

    def test_drain_timeout_holds_while_the_clock_is_set_back(self):
        slow = [testbed.SLOW_ENGINE, "--threads=1", "--max-batch-size=1", "--queue-capacity=65536", "--drain-timeout=2s"]
        with SettableClock() as clock, testbed.Server(*slow, environment=clock.environment) as server, server.channel() as channel:
            # Some 40,000 images, which take far longer than the timeout.
            calls = [stub(channel).Classify.future(request(1024), timeout=240) for _ in range(40)]
            calls[0].result(timeout=240)
            start = time.monotonic()
            server.terminate()
            testbed.wait_until(lambda: "draining" in server.stderr(), "the server to drain")
            clock.set_hours(-1)
            self.assertEqual(server.wait(), 0, server.stderr())
            self.assertLess(time.monotonic() - start, 60)  # and not an hour
            self.assertNotEqual({code_of(call) for call in calls}, {grpc.StatusCode.OK})


if __name__ == "__main__":
    unittest.main()
