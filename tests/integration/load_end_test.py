"""When `hellocnn load` ends, and what it then says: at its planned end, at a signal, and when its output or the server goes away.

Bounds on time are generous, and far below what each case would take if the generator did not end.
"""

import csv
import io
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

from testbed import CLI, Server, clean_environment, metric_sum

SOON = 60  # seconds; without the ends that are tested here, it would be ten minutes
LONG = ("--duration", "10m", "--deadline", "10m")


class Load:
    """A running `hellocnn load`. Use in a `with` statement, which leaves nothing running."""

    def __init__(self, address, *arguments, prefix=(), stdout=subprocess.PIPE, before=None):
        self.process = subprocess.Popen([*prefix, CLI, "load", *arguments], env=clean_environment(HELLOCNN_SERVER=address),
                                        stdout=stdout, stderr=subprocess.PIPE, text=True, preexec_fn=before)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def end(self, *signals, pause=0.4):
        """Sends signals, `pause` seconds apart, and returns the exit status, standard output and standard error."""
        for number in signals:
            self.process.send_signal(number)
            time.sleep(pause)
        out, err = self.process.communicate(timeout=SOON)
        return self.process.returncode, out, err


def eventually(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("did not happen")
        time.sleep(0.05)


class LoadEndTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0

    def classified(self):
        return metric_sum(self.server.metrics(), "hellocnn_requests_total", method="Classify")

    def sent_more_than(self, count):
        before = self.classified()
        return lambda: self.classified() > before + count


class PlannedEndTest(LoadEndTest):
    def test_nothing_is_sent_after_the_end(self):
        started = time.monotonic()
        for arrivals, due in (("constant", 1_000_000), ("poisson", None)):
            # One request in flight at a time: no server is fast enough for a million a second.
            done = self.server.cli("load", "--rate", "1000000", "--arrivals", arrivals, "--duration", "1s", "--warm-up", "500ms",
                                   "--max-in-flight", "1", "--output", "json")
            self.assertEqual(done.returncode, 0, done)
            run = json.loads(done.stdout)["runs"][0]
            self.assertGreater(run["answered"], 0)  # the warm-up, which is overdue too, has not taken all the time
            self.assertGreater(run["unsent"], 0)
            if due is not None:
                self.assertEqual(run["requests"] + run["unsent"], due)
            self.assertLess(run["service_seconds"]["max"] + run["send_lag_seconds"]["max"], 10)
        self.assertLess(time.monotonic() - started, SOON)

    def test_only_the_deadline_is_waited_for(self):
        with Server() as server:
            for mode, method in (("unary", "Classify"), ("stream", "ClassifyStream")):
                with self.subTest(mode=mode), Load(server.address, "--mode", mode, "--rate", "1000", "--duration", "3s", "--warm-up", "0",
                                                   "--max-in-flight", "10", "--deadline", "1s", "--output", "json") as load:
                    eventually(lambda: metric_sum(server.metrics(), "hellocnn_requests_total", code="OK", method=method) > 100)
                    server.process.send_signal(signal.SIGSTOP)
                    try:
                        status, out, err = load.end()
                    finally:
                        server.process.send_signal(signal.SIGCONT)
                self.assertEqual(status, 0, err)
                run = json.loads(out)["runs"][0]
                self.assertIn("DEADLINE_EXCEEDED", [error["code"] for error in run["errors"]])
                self.assertGreater(run["unsent"], 0)
                self.assertFalse(run["interrupted"])

    def test_tiny_durations_end(self):
        for load in (("--rate", "0.1", "--duration", "1ns"), ("--rate", "1000000", "--duration", "1us"), ("--duration", "1ms")):
            done = self.server.cli("load", *load, "--warm-up", "0")
            self.assertIn(done.returncode, (0, 1), done)
            self.assertNotIn("nan", done.stdout)
            self.assertLessEqual(max(map(len, done.stdout.splitlines())), 80)

    def test_a_small_rate_is_shown_as_it_was_given(self):
        done = self.server.cli("load", "--rate", "0.1", "--duration", "100ms", "--warm-up", "0")
        self.assertIn("open loop, 0.1 requests/s, constant", done.stdout)
        done = self.server.cli("load", "--rate", "0.1:0.2:x2", "--duration", "100ms", "--warm-up", "0")
        self.assertRegex(done.stdout, r"(?m)^ +0\.1 ")


class InterruptTest(LoadEndTest):
    def test_each_signal_gives_the_report(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for load in (("--rate", "200"), ("--concurrency", "2")):
                with self.subTest(signal=number, load=load), \
                        Load(self.server.address, *load, *LONG, "--warm-up", "0", "--output", "json") as run:
                    eventually(self.sent_more_than(100))
                    status, out, err = run.end(number)
                    self.assertEqual(status, 1, err)
                    self.assertIn("interrupted", err)
                    document = json.loads(out)
                    self.assertTrue(document["interrupted"])
                    self.assertTrue(document["runs"][0]["interrupted"])
                    self.assertGreater(document["runs"][0]["answered"], 0)

    def test_a_server_that_hangs_does_not_keep_the_report(self):
        with Server() as server:
            for load in (("--rate", "200"), ("--concurrency", "2"), ("--mode", "stream")):
                with self.subTest(load=load), Load(server.address, *load, *LONG, "--output", "json") as run:
                    eventually(lambda: metric_sum(server.metrics(), "hellocnn_requests_in_flight") > 0
                               or metric_sum(server.metrics(), "hellocnn_requests_total", code="OK") > 0)
                    time.sleep(1.5)  # past the warm-up
                    server.process.send_signal(signal.SIGSTOP)
                    time.sleep(0.3)
                    try:
                        status, out, err = run.end(signal.SIGINT)
                    finally:
                        server.process.send_signal(signal.SIGCONT)
                    self.assertEqual(status, 1, err)
                    self.assertGreater(json.loads(out)["runs"][0]["cancelled"], 0)
                    self.assertEqual(json.loads(out)["runs"][0]["errors"], [])

    def test_signals_that_come_together_are_one(self):
        """Supervisors signal a process and then its group."""
        with Load(self.server.address, *LONG, "--warm-up", "0", "--output", "json") as run:
            eventually(self.sent_more_than(100))
            status, out, err = run.end(signal.SIGINT, signal.SIGTERM, pause=0.02)
        self.assertEqual(status, 1, err)
        self.assertTrue(json.loads(out)["interrupted"])

    def test_a_second_signal_ends_it_at_once(self):
        with Server() as server:
            with Load(server.address, *LONG) as run:
                eventually(lambda: metric_sum(server.metrics(), "hellocnn_requests_total", code="OK") > 100)
                server.process.send_signal(signal.SIGSTOP)
                try:
                    status, out, _ = run.end(signal.SIGINT, signal.SIGTERM)
                finally:
                    server.process.send_signal(signal.SIGCONT)
        self.assertEqual(status, -signal.SIGTERM)
        self.assertEqual(out, "")

    def test_while_it_connects(self):
        with socket.create_server(("127.0.0.1", 0)) as nobody:  # accepts connections and says nothing
            with Load("127.0.0.1:%d" % nobody.getsockname()[1], "--timeout", "10m") as run:
                nobody.settimeout(SOON)
                connection, _ = nobody.accept()
                with connection:
                    status, out, err = run.end(signal.SIGTERM)
        self.assertEqual((status, out), (1, ""), err)
        self.assertIn("interrupted while connecting", err)

    def test_while_the_metrics_are_fetched(self):
        """A first signal ends a fetch that hangs, before the measurement and after it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(SOON)
            url = "http://127.0.0.1:%d/metrics" % listener.getsockname()[1]
            page = urllib.request.urlopen(f"http://{self.server.metrics_address}/metrics").read()
            response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(page) + page
            for answered in (0, 1):
                with self.subTest(answered=answered), \
                        Load(self.server.address, "--requests", "10", "--warm-up", "0", "--server-metrics", url, "--output", "json") as run:
                    for _ in range(answered):
                        connection, _ = listener.accept()
                        with connection:
                            connection.recv(4096)
                            connection.sendall(response)
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        started = time.monotonic()
                        status, out, err = run.end(signal.SIGINT)
                    self.assertLess(time.monotonic() - started, 2)  # a fetch without a response takes 5 s
                    run = json.loads(out)["runs"][0]
                    self.assertEqual(run["answered"], 10 * answered)
                    if answered == 0:
                        self.assertEqual(status, 1, err)
                        self.assertTrue(run["interrupted"])

    def test_too_many_connections_are_said_at_once(self):
        few = ("prlimit", "--nofile=64:64")
        with Load(self.server.address, "--connections", "100", prefix=few) as run:
            status, out, err = run.end()
        self.assertEqual((status, out), (1, ""), err)
        self.assertIn("100 connections need as many open files, and this process may have 64", err)
        raised = ("prlimit", "--nofile=64:1024")
        with Load(self.server.address, "--connections", "100", "--requests", "10", "--warm-up", "0", prefix=raised) as run:
            status, out, err = run.end()
        self.assertEqual(status, 0, err)

    def test_while_it_warms_up(self):
        with Load(self.server.address, "--warm-up", "10m") as run:
            eventually(self.sent_more_than(10))
            status, out, err = run.end(signal.SIGINT)
        self.assertEqual(status, 1, err)
        self.assertIn("INTERRUPTED", out)
        self.assertIn("0 succeeded", out)

    def test_a_sweep_prints_its_rows_as_they_are_measured_and_says_what_is_missing(self):
        for output in ("text", "csv"):
            with self.subTest(output=output), Load(self.server.address, "--rate", "100:300:+100", "--duration", "2s", "--warm-up", "0",
                                                   "--output", output) as run:
                head = [run.process.stdout.readline() for _ in range(1 if output == "csv" else 3)]
                first = run.process.stdout.readline()  # while the second of the three is measured
                time.sleep(0.5)
                self.assertIsNone(run.process.poll())
                status, out, err = run.end(signal.SIGTERM)
                self.assertEqual(status, 1, err)
                self.assertIn("step 1 of 3", err)
                self.assertIn("step 2 of 3", err)
                self.assertNotIn("step 3 of 3", err)
                if output == "csv":
                    rows = list(csv.DictReader(io.StringIO("".join([*head, first, out]))))
                    self.assertEqual([row["interrupted"] for row in rows], ["false", "true"])
                else:
                    self.assertIn("INTERRUPTED: lines are missing: 1", out)

    def test_a_search_that_is_not_finished_has_no_highest_rate(self):
        search = ("--find-max-rate", "--slo", "p50=30s", "--rate", "10", "--duration", "1s", "--warm-up", "0")
        with Load(self.server.address, *search, "--output", "json") as run:
            for line in run.process.stderr:
                if "step 3 of at most" in line:
                    break
            status, out, err = run.end(signal.SIGINT)
        self.assertEqual(status, 1, err)
        document = json.loads(out)
        self.assertTrue(document["interrupted"])
        self.assertFalse(document["search"]["complete"])
        self.assertIsNone(document["search"]["highest_rate"])
        self.assertIsNone(document["runs"][-1]["keeps_slo"])
        with Load(self.server.address, *search) as run:
            for line in run.process.stdout:
                if "kept" in line:
                    break
            status, out, err = run.end(signal.SIGINT)
        self.assertEqual(status, 1, err)
        self.assertNotIn("highest rate", out)
        self.assertIn("INTERRUPTED", out)

    def test_nohup_keeps_it_running(self):
        with Load(self.server.address, "--rate", "200", "--duration", "2s", "--output", "json",
                  before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as run:
            eventually(self.sent_more_than(300))
            status, out, err = run.end(signal.SIGHUP)
        self.assertEqual(status, 0, err)
        self.assertFalse(json.loads(out)["interrupted"])

    def test_as_process_1(self):
        """As in a container, where the kernel has no default action for signals."""
        unshare = ("unshare", "--pid", "--fork", "--kill-child")
        if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
            self.skipTest("unshare --pid is not permitted here")
        for signals, wanted in (((signal.SIGTERM,), 1), ((signal.SIGINT, signal.SIGTERM), 128 + signal.SIGTERM)):
            with self.subTest(signals=signals), Server() as server, \
                    Load(server.address, "--rate", "100", *LONG, "--output", "json", prefix=unshare) as run:
                eventually(lambda: metric_sum(server.metrics(), "hellocnn_requests_total", code="OK") > 150)
                child = int(subprocess.run(["ps", "-o", "pid=", "--ppid", str(run.process.pid)], capture_output=True,
                                           text=True).stdout)
                server.process.send_signal(signal.SIGSTOP)
                time.sleep(0.2)  # requests that are sent now stay in flight
                try:
                    for number in signals:
                        os.kill(child, number)
                        time.sleep(0.4)
                    status, out, err = run.end()
                finally:
                    server.process.send_signal(signal.SIGCONT)
                self.assertEqual(status, wanted, err)
                if wanted == 1:
                    self.assertTrue(json.loads(out)["interrupted"])


class OutputTest(LoadEndTest):
    def test_a_file_that_cannot_be_written_ends_it_before_the_first_request(self):
        before = self.classified()
        with tempfile.TemporaryDirectory() as folder:
            for path in (folder, os.path.join(folder, "no", "such")):
                done = self.server.cli("load", "--duration", "10m", "--html", path, timeout=SOON)
                self.assertEqual(done.returncode, 1, done)
                self.assertEqual(done.stdout, "")
                self.assertIn(path, done.stderr)
        self.assertEqual(self.classified(), before)

    def test_a_file_stays_as_it_is_until_there_is_a_report(self):
        with tempfile.TemporaryDirectory() as folder:
            old, new = os.path.join(folder, "old"), os.path.join(folder, "new")
            with open(old, "w", encoding="utf-8") as file:
                file.write("x" * 1_000_000)
            for path in (old, new):
                done = self.server.cli("--server", "127.0.0.1:1", "load", "--html", path)
                self.assertEqual(done.returncode, 1, done)
            self.assertEqual(os.path.getsize(old), 1_000_000)
            self.assertFalse(os.path.exists(new))
            done = self.server.cli("load", "--requests", "50", "--warm-up", "0", "--html", old)
            self.assertEqual(done.returncode, 0, done)
            with open(old, encoding="utf-8") as file:
                self.assertTrue(file.read().endswith("</html>\n"))

    def test_full_disks_are_said(self):
        done = self.server.cli("load", "--requests", "50", "--warm-up", "0", "--html", "/dev/full")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("/dev/full", done.stderr)
        with open("/dev/full", "w", encoding="utf-8") as full:
            for load in (("--requests", "50"), ("--rate", "1:1000:+1", "--duration", "2s"), ("--requests", "50", "--output", "json")):
                with Load(self.server.address, *load, "--warm-up", "0", stdout=full) as run:
                    status, _, err = run.end()
                self.assertEqual(status, 1, err)
                self.assertIn("standard output", err)
                self.assertNotIn("step 2", err)

    def test_a_reader_that_goes_away_ends_a_sweep(self):
        with Load(self.server.address, "--rate", "1:1000:+1", "--duration", "500ms", "--warm-up", "0") as run:
            run.process.stdout.readline()
            run.process.stdout.close()
            self.assertIn(run.process.wait(SOON), (1, -signal.SIGPIPE))


class ServerMetricsTest(unittest.TestCase):
    def load(self, server, stop, *more):
        """A run of 4 s that `stop` happens in."""
        url = f"http://{server.metrics_address}/metrics"
        with Load(server.address, "--rate", "100", "--duration", "4s", "--warm-up", "0", "--server-metrics", url, *more) as run:
            eventually(lambda: metric_sum(server.metrics(), "hellocnn_requests_total", method="Classify", code="OK") > 50)
            again = stop()
            try:
                return run.end()
            finally:
                if again is not None:
                    again.stop()

    def test_a_restarted_server_is_named(self):
        for output in ("text", "json"):
            server = Server()

            def restart():
                server.process.kill()  # one that drains waits for the end of the run
                server.stop()
                return Server(listen=server.address, metrics_listen=server.metrics_address)

            status, out, err = self.load(server, restart, "--output", output)
            self.assertEqual(status, 0, err)
            if output == "text":
                self.assertIn("THE SERVER WAS RESTARTED", out)
                self.assertNotIn("where the client counts", out)
                self.assertLessEqual(max(map(len, out.splitlines())), 80)
            else:
                seen = json.loads(out)["runs"][0]["server_metrics"]
                self.assertTrue(seen["restarted"])
                self.assertIn("started at", seen["problem"])
                self.assertIsNone(seen["images_answered"])

    def test_a_server_that_goes_away_does_not_take_the_report_along(self):
        server = Server()


        def kill():
            server.process.kill()
            server.stop()

        status, out, err = self.load(server, kill, "--output", "json")
        self.assertEqual(status, 0, err)
        run = json.loads(out)["runs"][0]
        self.assertGreater(run["answered"], 0)
        self.assertGreater(run["failed"], 0)
        self.assertFalse(run["server_metrics"]["restarted"])
        self.assertIn("no connection", run["server_metrics"]["problem"])

    def test_errors_are_words(self):
        with socket.create_server(("127.0.0.1", 0)) as rude, Server() as server:
            url = "http://127.0.0.1:%d/metrics" % rude.getsockname()[1]
            with Load(server.address, "--server-metrics", url) as run:
                rude.settimeout(SOON)
                connection, _ = rude.accept()
                connection.close()
                status, out, err = run.end()
            self.assertEqual((status, out), (1, ""), err)
            # Which of the two it is depends on how much of the request was sent before the end.
            self.assertRegex(err, f"{url} cannot be fetched: (no whole response|the connection broke)")
            self.assertNotRegex(err, r"Error::|error \d+")
            done = server.cli("load", "--server-metrics", "http://127.0.0.1:1/metrics")
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("cannot be fetched: no connection", done.stderr)


del LoadEndTest  # not a test of its own

if __name__ == "__main__":
    unittest.main()
