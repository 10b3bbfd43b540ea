"""`hellocnn load` against the built server: what the two count must agree. Nothing here depends on how fast anything is."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request
import xml.etree.ElementTree

from testbed import CLI, TEST_DATA, Server, clean_environment, metric_sum, model_card


class LoadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0

    def load(self, *arguments):
        """Runs it to its end; one document and exit status 0 are expected."""
        done = self.server.cli("load", "--output", "json", *arguments)
        self.assertEqual(done.returncode, 0, done)
        return json.loads(done.stdout)

    def answered_by_server(self, method="Classify"):
        return metric_sum(self.server.metrics(), "hellocnn_requests_total", method=method, code="OK")

    def test_counts_what_the_server_counts(self):
        before = self.answered_by_server()
        run = self.load("--requests", "500", "--warm-up", "0", "--connections", "3", "--threads", "2")["runs"][0]
        self.assertEqual(run["answered"], 500)
        self.assertEqual(run["failed"], 0)
        self.assertEqual(self.answered_by_server() - before, 500)
        self.assertEqual(sum(count for _, count in run["latency_histogram"]), 500)
        self.assertGreater(run["requests_per_second"], 0)

    def test_streams_count_the_same(self):
        before = self.answered_by_server("ClassifyStream")
        run = self.load("--mode", "stream", "--requests", "300", "--warm-up", "0", "--images-per-request", "3")["runs"][0]
        self.assertEqual(run["answered"], 300)
        self.assertEqual(run["images"], 900)
        self.assertEqual(self.answered_by_server("ClassifyStream") - before, 300)

    def test_finds_as_many_wrong_answers_as_the_model_card_says(self):
        for pixels in ("gray8", "float32"):
            run = self.load("--data", TEST_DATA, "--requests", "100", "--images-per-request", "100", "--warm-up", "0",
                            "--pixel-format", pixels)["runs"][0]
            self.assertEqual(run["images"], 10000)
            self.assertEqual(run["wrong"], 10000 - model_card()["test_correct"])

    def test_round_robin_reaches_every_address(self):
        with Server() as other:
            target = f"ipv4:{self.server.address},{other.address}"
            for round_robin in (False, True):
                before = self.answered_by_server()
                flags = ("--round-robin",) if round_robin else ()
                document = self.load("--server", target, *flags, "--requests", "200", "--warm-up", "0")
                self.assertEqual(document["load"]["round_robin"], round_robin)
                self.assertEqual(document["runs"][0]["answered"], 200)
                here = self.answered_by_server() - before
                there = metric_sum(other.metrics(), "hellocnn_requests_total", method="Classify", code="OK")
                self.assertEqual(here + there, 200)
                if round_robin:
                    self.assertGreater(here, 50)
                    self.assertGreater(there, 50)

    def test_open_loop_sends_what_is_due(self):
        document = self.load("--rate", "200", "--arrivals", "constant", "--duration", "1s", "--warm-up", "0")
        run = document["runs"][0]
        self.assertEqual(run["requests"] + run["unsent"], 200)  # on a busy machine it may wake up after the end
        self.assertEqual(run["seconds"], 1)
        self.assertGreaterEqual(run["latency_seconds"]["max"], run["service_seconds"]["min"])

    def test_says_whether_it_was_steady_and_by_what(self):
        run = self.load("--requests", "50", "--warm-up", "0")["runs"][0]
        self.assertIsNone(run["steady"])  # too few to tell
        run = self.load("--until-steady", "--window", "200ms", "--steady-by", "p50", "--duration", "2s", "--warm-up", "0")["runs"][0]
        self.assertIn(run["steady"], (True, False))
        self.assertEqual(run["steadiness"]["window_seconds"], 0.2)
        self.assertEqual(run["steadiness"]["judged_by"], "p50")
        self.assertEqual({window["length_seconds"] for window in run["windows"]}, {0.2})
        self.assertLessEqual(run["seconds"], 2)
        if run["seconds"] < 2:
            self.assertTrue(run["steady"])

    def test_recorded_times_are_sent_once_each(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as times:
            times.write("# seconds\n" + "".join(f"{i / 100}\n" for i in range(50)))
            times.flush()
            run = self.load("--arrivals", times.name, "--warm-up", "0")["runs"][0]
        self.assertEqual(run["requests"], 50)

    def test_sweep_has_a_run_for_each_value(self):
        runs = self.load("--concurrency", "1:4:x2", "--requests", "50", "--warm-up", "0")["runs"]
        self.assertEqual([run["concurrency"] for run in runs], [1, 2, 4])
        table = self.server.cli("load", "--concurrency", "1:4:x2", "--requests", "50", "--warm-up", "0")
        self.assertEqual(table.returncode, 0, table)
        self.assertEqual(table.stderr.splitlines(), [f"hellocnn: step {i} of 3: {n} in flight" for i, n in ((1, 1), (2, 2), (3, 4))])
        self.assertEqual(re.findall(r"(?m)^ +(\d) ", table.stdout), ["1", "2", "4"])
        self.assertLessEqual(max(map(len, table.stdout.splitlines())), 80)

    def test_search_that_must_succeed_and_one_that_cannot(self):
        short = ("--duration", "300ms", "--warm-up", "0")
        document = self.load("--find-max-rate", "--slo", "p50=30s", "--rate", "10", *short)
        self.assertTrue(document["search"]["complete"])
        self.assertGreaterEqual(document["search"]["highest_rate"], 5)
        done = self.server.cli("load", "--find-max-rate", "--slo", "mean=1ns", "--rate", "4", *short)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("no rate that was tried keeps mean=1ns", done.stdout)

    def test_compares_two_measurements(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name in ("a", "b"):
                done = self.server.cli("load", "--output", "json", "--requests", "300", "--warm-up", "0")
                paths.append(os.path.join(folder, name))
                with open(paths[-1], "w", encoding="utf-8") as file:
                    file.write(done.stdout)
            same = self.server.cli("load", "compare", paths[0], paths[0], "--fail-if", "p99>+0%")
            self.assertEqual(same.returncode, 0, same)
            self.assertIn("within the noise", same.stdout)
            slower = self.slower(paths[1], folder)
            done = self.server.cli("load", "compare", paths[1], slower, "--fail-if", "p50>+10%")
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("p50>+10% holds", done.stderr)

    @staticmethod
    def slower(path, folder):
        """The same run with every latency three times as long."""
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        histogram = document["runs"][0]["latency_histogram"]
        document["runs"][0]["latency_histogram"] = [[3 * value, count] for value, count in histogram]
        changed = os.path.join(folder, "slower")
        with open(changed, "w", encoding="utf-8") as file:
            json.dump(document, file)
        return changed

    def test_other_formats(self):
        csv = self.server.cli("load", "--requests", "50", "--warm-up", "0", "--output", "csv").stdout.splitlines()
        self.assertEqual(len(csv), 2)
        self.assertEqual(len(csv[0].split(",")), len(csv[1].split(",")))
        hgrm = self.server.cli("load", "--requests", "50", "--warm-up", "0", "--output", "hgrm").stdout
        self.assertRegex(hgrm, r"1\.000000000000 +50\n")

    def test_page_is_well_formed_and_needs_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "report.html")
            for load, plots in ((("--rate", "300", "--duration", "1s"), 4), (("--concurrency", "1:2:x2", "--requests", "50"), 2)):
                done = self.server.cli("load", *load, "--warm-up", "0", "--html", path)
                self.assertEqual(done.returncode, 0, done)
                page = xml.etree.ElementTree.parse(path).getroot()
                drawn = page.findall(".//{http://www.w3.org/2000/svg}svg")
                self.assertEqual(len(drawn), plots)
                for element in page.iter():
                    self.assertNotIn("script", element.tag)
                    self.assertFalse({"src", "href"} & set(element.attrib))
                    for number in re.findall(r"nan|inf", " ".join(element.attrib.values())):
                        self.fail(f"{number} in {element.attrib}")

    def test_rejections_are_counted_and_named(self):
        with Server("--queue-capacity", "1", "--threads", "1", "--max-batch-size", "1") as small:
            done = small.cli("load", "--concurrency", "32", "--requests", "2000", "--warm-up", "0", "--output", "json")
            self.assertEqual(done.returncode, 0, done)
            run = json.loads(done.stdout)["runs"][0]
            refused = metric_sum(small.metrics(), "hellocnn_requests_total", method="Classify", code="RESOURCE_EXHAUSTED")
        self.assertEqual(run["requests"], 2000)
        self.assertGreater(run["failed"], 0)
        self.assertEqual(run["failed"], refused)
        self.assertEqual(run["errors"][0]["code"], "RESOURCE_EXHAUSTED")
        self.assertIn("queue", run["errors"][0]["messages"][0])

    def test_servers_own_metrics_agree_with_the_clients_count(self):
        url = f"http://{self.server.metrics_address}/metrics"
        for load in (("--requests", "400", "--images-per-request", "3"),
                     ("--rate", "200", "--duration", "1s", "--warm-up", "500ms"),
                     ("--mode", "stream", "--requests", "200", "--warm-up", "0")):
            run = self.load(*load, "--server-metrics", url)["runs"][0]
            seen = run["server_metrics"]
            self.assertGreater(seen["images_answered"], 0)
            self.assertEqual(seen["images_answered"], seen["images_by_client"])
            self.assertGreaterEqual(seen["images_by_client"], run["images"])
            self.assertEqual(seen["requests_refused"], 0)
            self.assertAlmostEqual(seen["mean_batch_size"] * seen["batches"], seen["images_answered"], delta=0.01)
            self.assertGreater(seen["mean_request_seconds"], 0)
            self.assertGreater(seen["mean_network_and_grpc_seconds"], 0)
            self.assertGreater(seen["cpu_seconds"], 0)
        text = self.server.cli("load", "--requests", "50", "--warm-up", "0", "--server-metrics", url).stdout
        self.assertIn("images   50 computed, where the client counts 50; 0 dropped, 0 requests rejected", re.sub(r"\n +", " ", text))

    def test_what_is_no_page_of_metrics_is_said(self):
        base = f"http://{self.server.metrics_address}"
        for url, says in ((f"{base}/", "'<!DOCTYPE html>"), (f"{base}/nowhere", "404"), ("http://127.0.0.1:1/metrics", "127.0.0.1:1"),
                          ("gopher://x", "is no URL such as http://")):
            done = self.server.cli("load", "--requests", "5", "--server-metrics", url)
            self.assertEqual(done.returncode, 1, done)
            self.assertEqual(done.stdout, "")
            self.assertIn(url, done.stderr)
            self.assertIn(says, done.stderr)

    def test_what_cannot_work_is_said(self):
        done = self.server.cli("load", "--images-per-request", "2000")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("the server accepts at most 1024", done.stderr)
        done = self.server.cli("load", "--data", "/nowhere")
        self.assertEqual(done.returncode, 1, done)
        done = self.server.cli("--server", "127.0.0.1:1", "--timeout", "1s", "load")
        self.assertEqual(done.returncode, 1, done)
        done = self.server.cli("load", "--prometheus-listen", self.server.metrics_address)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(self.server.metrics_address, done.stderr)


class LoadSignalTest(unittest.TestCase):
    """A run without an end, watched from outside and ended by Ctrl-C."""

    def test_shows_metrics_and_reports_when_interrupted(self):
        with Server() as server:
            process = subprocess.Popen(
                [CLI, "load", "--rate", "100", "--duration", "10m", "--output", "json", "--prometheus-listen", "127.0.0.1:0"],
                env=clean_environment(HELLOCNN_SERVER=server.address),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            try:
                port = re.search(r"on port (\d+)", process.stderr.readline()).group(1)
                metrics = self.wait_for_requests(port)
                process.send_signal(signal.SIGINT)
                out, _ = process.communicate(timeout=60)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.communicate()
        self.assertEqual(process.returncode, 1)
        run = json.loads(out)["runs"][0]
        self.assertTrue(run["interrupted"])
        self.assertGreater(run["answered"], 0)
        self.assertIn("hellocnn_load_target_rate 100", metrics)
        for name in ("request_duration_seconds", "service_duration_seconds", "send_lag_seconds"):
            self.assertRegex(metrics, rf'hellocnn_load_{name}_bucket{{le="1e-05"}} ')
            self.assertRegex(metrics, rf'hellocnn_load_{name}_bucket{{le="10"}} ')
        self.assertIn('hellocnn_load_requests_total{code="UNAVAILABLE"} 0', metrics)
        for name in ("hellocnn_load_images_total", "hellocnn_load_wrong_total", "hellocnn_load_in_flight_requests",
                     "hellocnn_load_cpu_ratio", "process_cpu_seconds_total", "process_resident_memory_bytes"):
            self.assertRegex(metrics, rf"(?m)^{name} ")

    def wait_for_requests(self, port):
        for _ in range(300):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
                metrics = page.read().decode()
            match = re.search(r'hellocnn_load_requests_total\{code="OK"\} (\d+)', metrics)
            if match and int(match.group(1)) > 150:  # past the warm-up of 1 s
                return metrics
            time.sleep(0.1)
        self.fail("not 150 requests within 30 s")
