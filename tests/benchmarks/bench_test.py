"""hellocnn-bench: that it runs, and what it writes. No test looks at how fast anything is."""

import json
import os
import signal
import subprocess
import unittest

BENCH = os.environ["HELLOCNN_TEST_BENCH"]
ECHO_SERVER = os.environ["HELLOCNN_TEST_ECHO_SERVER"]
SOURCE = os.environ["HELLOCNN_TEST_SOURCE"]
MODEL = os.path.join(SOURCE, "models/mnist/1")


def bench(*arguments):
    # The servers that it starts take HELLOCNN_… for options.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HELLOCNN_")}
    return subprocess.run([BENCH, *arguments], env=environment, capture_output=True, text=True, timeout=600, check=False)


TRANSPORTS = ("grpc", "http2")


class EngineTest(unittest.TestCase):
    def test_json_has_every_engine_at_every_batch_size_and_the_ratios(self):
        done = bench("engine", "--model", MODEL, "--batch=1,64", "--repetitions=2", "--min-time=1ms", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual(
            {(row["engine"], row["batch_size"]) for row in result["measurements"]},
            {(engine, size) for engine in ("torch-eager", "torch", "simd") for size in (1, 64)},
        )
        for row in result["measurements"]:
            self.assertGreater(row["fastest_cpu_seconds_per_image"], 0)
            self.assertGreaterEqual(row["median_cpu_seconds_per_image"], row["fastest_cpu_seconds_per_image"])
        self.assertGreater(result["roofline_multiply_adds_per_second"], 0)
        self.assertEqual(result["multiply_adds_per_image"], 416520)
        self.assertEqual(len(result["ratios"]), 4)
        seconds = {(row["engine"], row["batch_size"]): row["fastest_cpu_seconds_per_image"] for row in result["measurements"]}
        self.assertAlmostEqual(result["ratios"][0]["measured"], seconds["torch-eager", 64] / seconds["simd", 64], places=6)
        self.assertAlmostEqual(
            result["ratios"][1]["measured"],
            416520 / result["roofline_multiply_adds_per_second"] / seconds["simd", 64], places=6)

    def test_tables_leave_out_what_was_not_measured(self):
        done = bench("engine", "--model", MODEL, "--engines=simd", "--batch=3", "--repetitions=2", "--min-time=1ms")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"Roofline: \d+\.\d G fp32 multiply-adds a second")
        self.assertRegex(done.stdout, r"\| +3 \| +\d+\.\d\d \( *\d+\.\d\d\) \|")
        self.assertRegex(done.stdout, r"simd at 64, fraction of the roofline \| not measured \|")

    def test_a_model_that_is_not_there_is_named(self):
        done = bench("engine", "--model=/nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere", done.stderr)

    def test_wrong_usage_is_status_2_and_says_what_was_wanted(self):
        for arguments, said in [
            (("engines",), "engine"),
            (("engine", "--batch=0"), "--batch"),
            (("engine", "--engines=fast"), "fast"),
            (("engine", "--min-time=20"), "wanted a duration with a unit"),
            (("engine", "--repetitions=1"), "--repetitions"),
        ]:
            with self.subTest(arguments):
                done = bench(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn(said, done.stderr)


def median(values):
    """As the benchmark's: of an even number, the upper one."""
    return sorted(values)[len(values) // 2]


class PathTest(unittest.TestCase):
    """The commands that start servers. That no call failed they see to themselves."""

    def run_json(self, command, *arguments):
        done = bench(command, "--model", MODEL, "--json", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def measurements(self, result, rounds):
        """By (server, load): the list of rounds."""
        found = {}
        for row in result["measurements"]:
            self.assertEqual(len(row["rounds"]), rounds)
            for each in row["rounds"]:
                self.assertGreater(each["calls_per_second"], 0)
                self.assertGreaterEqual(each["p99_seconds"], each["p50_seconds"])
                self.assertGreater(each["p50_seconds"], 0)
                self.assertGreater(each["server_cpu_seconds_per_call"], 0)
            found[row["server"], row["load"]] = row["rounds"]
        return found

    def test_rpc_compares_the_server_with_echo_and_engine(self):
        result = self.run_json("rpc", "--rounds=3", "--duration=200ms")
        rows = self.measurements(result, 3)
        loads = ["unary, 1 image, 64 in flight", "unary, 64 images, 8 in flight", "stream, 1 image, 64 in flight"]
        self.assertEqual(list(rows), [
            (f"{server}, {transport}", load) for load in loads for transport in TRANSPORTS for server in ("echo", "server")])
        for row in rows["server, grpc", loads[1]] + rows["server, http2", loads[1]]:
            self.assertAlmostEqual(row["images_per_second"] / row["calls_per_second"], 64, places=3)
        engine = result["engine"]
        ratios = [row["measured"] for row in result["ratios"]]
        for transport, (unary, many, stream, by_cpu) in zip(TRANSPORTS, (ratios[0:4], ratios[4:8])):
            echo_name, server_name = f"echo, {transport}", f"server, {transport}"
            for measured, load in [(unary, loads[0]), (stream, loads[2])]:
                self.assertAlmostEqual(measured, median([
                    server["calls_per_second"] * (1 / echo["calls_per_second"] + alone["seconds_per_image"])
                    for server, echo, alone in zip(rows[server_name, load], rows[echo_name, load], engine)]), places=6)
            self.assertAlmostEqual(many, median([
                server["images_per_second"] / alone["images_per_second_in_64"]
                for server, alone in zip(rows[server_name, loads[1]], engine)]), places=6)
            self.assertGreater(by_cpu, 0)
        for measured, load in [(ratios[8], loads[0]), (ratios[9], loads[2])]:
            self.assertAlmostEqual(measured, median([
                (http2["server_cpu_seconds_per_call"] - alone["seconds_per_image"])
                / (grpc["server_cpu_seconds_per_call"] - alone["seconds_per_image"])
                for http2, grpc, alone in zip(rows["server, http2", load], rows["server, grpc", load], engine)]), places=6)
        self.assertEqual([(row.get("reach"), row.get("aim")) for row in result["ratios"]], [
            (0.75, 0.9), (0.8, 0.9), (None, None), (None, None)] * 2 + [(0.7, 0.4)] * 2)

    def test_latency_is_compared_with_echo_and_engine(self):
        result = self.run_json("latency", "--rounds=1", "--duration=200ms")
        (grpc_echo,), (grpc,), (http2_echo,), (http2,) = self.measurements(result, 1).values()
        for ratio, server, echo in zip(result["ratios"], (grpc, http2), (grpc_echo, http2_echo)):
            self.assertAlmostEqual(
                ratio["measured"] * 1e-6, server["p50_seconds"] - echo["p50_seconds"] - result["engine_median_seconds"][0], places=9)
            self.assertTrue(ratio["at_most"])
        self.assertAlmostEqual(result["ratios"][2]["measured"], http2["p50_seconds"] / grpc["p50_seconds"])

    def test_cost_compares_with_and_without_metrics_and_logs(self):
        result = self.run_json("cost", "--rounds=1", "--duration=200ms")
        (none,), (metrics,), (logs,) = self.measurements(result, 1).values()
        rates = [row["measured"] for row in result["ratios"][:2]]
        self.assertAlmostEqual(rates[0], metrics["calls_per_second"] / none["calls_per_second"])
        self.assertAlmostEqual(rates[1], logs["calls_per_second"] / metrics["calls_per_second"])

    def test_memory_is_looked_at_after_each_tenth(self):
        result = self.run_json("memory", "--images=10000")
        self.assertEqual([step["images"] for step in result["steps"]], list(range(0, 11000, 1000)))
        (ratio,) = result["ratios"]
        self.assertAlmostEqual(
            ratio["measured"], result["steps"][10]["resident_bytes"] / result["steps"][1]["resident_bytes"])
        self.assertGreater(result["steps"][0]["resident_bytes"], 1e6)

    def test_tables_name_the_cpus_and_the_ratios(self):
        done = bench("latency", "--model", MODEL, "--rounds=1", "--duration=100ms")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"servers on CPU \d+, load on CPU \d+")
        self.assertRegex(done.stdout, r"\| echo, http2 \| unary, 1 image, 1 in flight \| \d+ \| \d+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \|")
        self.assertRegex(done.stdout, r"unloaded p50.* \| at most 30.00 \| at most 15.00 \|")

    def test_what_cannot_be_started_is_named(self):
        for arguments, said in [
            (("rpc", "--echo-server=/nowhere/echo"), "/nowhere/echo"),
            (("cost", "--server=/nowhere/server"), "/nowhere/server"),
            (("memory", "--model=/nowhere/model"), "/nowhere/model"),
            (("latency", "--load-cpu=1023"), "CPU 1023"),
        ]:
            with self.subTest(arguments):
                done = bench(*arguments)
                self.assertEqual(done.returncode, 1)
                self.assertIn(said, done.stderr)

    def test_wrong_usage_is_status_2_and_says_what_was_wanted(self):
        for arguments, said in [
            (("rpc", "--rounds=0"), "--rounds"),
            (("latency", "--duration=5"), "wanted a duration with a unit"),
            (("memory", "--images=10"), "--images"),
            (("cost", "--echo-server=x"), "--echo-server"),
        ]:
            with self.subTest(arguments):
                done = bench(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn(said, done.stderr)


class EchoServerTest(unittest.TestCase):
    def test_stops_when_told_to(self):
        with subprocess.Popen([ECHO_SERVER], stdout=subprocess.PIPE, text=True) as server:
            self.assertRegex(server.stdout.readline(), r"^hellocnn-echo-server ready grpc=127\.0\.0\.1:\d+$")
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(60), 0)

    def test_an_address_that_cannot_be_had_is_named(self):
        for address, status in [("203.0.113.1:80", 1), ("nonsense", 2)]:
            with self.subTest(address):
                done = subprocess.run([ECHO_SERVER, "--listen", address], capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, status)
                self.assertIn(address, done.stderr)


if __name__ == "__main__":
    unittest.main()
