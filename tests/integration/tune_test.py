"""`hellocnn tune` with the built server. What it finds depends on the machine; that it keeps to its own rules does not."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest

from testbed import CLI, MODEL, clean_environment

QUICK = ("--duration", "200ms", "--warm-up", "0s", "--budget", "5s", "--try-threads", "1", "--try-batch-sizes", "1",
         "--try-queue-delays", "100us")


def tune(*arguments, timeout=240):
    return subprocess.run([CLI, "tune", "--model", MODEL, *arguments], env=clean_environment(), capture_output=True,
                          text=True, timeout=timeout)


def servers_of(pid):
    """The processes that `pid` has started."""
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(child) for child in done.stdout.split()]


class TuneTest(unittest.TestCase):
    def test_names_flags_and_the_evidence_for_them(self):
        done = tune("--slo", "p50=10s", *QUICK, "--output", "json")
        self.assertEqual(done.returncode, 0, done)
        found = json.loads(done.stdout)
        self.assertGreater(found["defaults"]["highest_rate"], 0)
        self.assertGreater(len(found["trials"]), 2)
        self.assertIn("--max-batch-size=", found["use"]["flags"])
        for trial in found["trials"]:
            self.assertEqual(trial["kept"], trial["why_not"] == "")
        kept = [trial["wanted_requests_per_second"] for trial in found["trials"]
                if trial["kept"] and trial["settings"] == found["best"]["settings"]]
        self.assertIn(found["best"]["highest_rate"], kept)
        if found["better_than_defaults"]:
            self.assertEqual(found["best"]["rounds_kept"], found["rounds"])
            self.assertEqual(found["defaults"]["rounds_kept"], 0)
            self.assertEqual(found["use"], found["best"]["settings"])
        else:
            self.assertEqual(found["use"], found["defaults"]["settings"])
        rows = re.findall(r"(?m)^ +\d+ +\d+ ", done.stderr)  # printed as they are measured
        self.assertEqual(len(rows), len(found["trials"]))
        self.assertLessEqual(max(map(len, done.stderr.splitlines())), 80)
        self.assertFalse(found["interrupted"])

    def test_a_limit_that_nothing_keeps(self):
        done = tune("--slo", "mean=1ns", *QUICK, "--rate", "4")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("nothing that was tried keeps mean=1ns", done.stdout)

    def test_a_server_that_does_not_start_is_named(self):
        done = tune("--slo", "p99=5ms", "--server-binary", "/nowhere/hellocnn-server")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("/nowhere/hellocnn-server", done.stderr)
        done = tune("--slo", "p99=5ms", "--server-option", "engine=abacus")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("abacus", done.stderr)

    def test_wrong_usage(self):
        for arguments, says in (((), "--slo"), (("--slo", "p99"), "no '='"), (("--slo", "p99=5ms", "--try-threads", "0"), "0"),
                                (("--slo", "p99=5ms", "--try-queue-delays", "1h"), "1h")):
            done = tune(*arguments)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn(says, done.stderr)

    def test_interrupted_it_says_what_it_has_measured(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            process = subprocess.Popen([CLI, "tune", "--model", MODEL, "--slo", "p50=10s", "--duration", "1s", "--output", "json"],
                                       env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                for line in process.stderr:
                    if "kept" in line:
                        break
                process.send_signal(number)
                out, err = process.communicate(timeout=60)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.communicate()
            self.assertEqual(process.returncode, 1, err)
            found = json.loads(out)
            self.assertTrue(found["interrupted"])
            self.assertIsNone(found["use"])
            self.assertGreater(len(found["trials"]), 0)

    def test_interrupted_it_leaves_no_server(self):
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen([CLI, "tune", "--model", MODEL, "--slo", "p50=10s", "--duration", "10m"],
                                       env=clean_environment(), stdout=subprocess.DEVNULL, stderr=errors)
            try:
                deadline = time.monotonic() + 120
                while not (servers := servers_of(process.pid)) and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.assertEqual(len(servers), 1)
                time.sleep(0.1)
                process.send_signal(signal.SIGINT)  # it may still be starting the server
                self.assertEqual(process.wait(60), 1)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            deadline = time.monotonic() + 60
            while any(os.path.exists(f"/proc/{pid}") for pid in servers) and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertFalse([pid for pid in servers if os.path.exists(f"/proc/{pid}")])


if __name__ == "__main__":
    unittest.main()
