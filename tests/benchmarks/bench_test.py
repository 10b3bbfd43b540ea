"""hellocnn-bench: that it runs, and what it writes. No test looks at how fast anything is."""

import json
import os
import subprocess
import unittest

BENCH = os.environ["HELLOCNN_TEST_BENCH"]
SOURCE = os.environ["HELLOCNN_TEST_SOURCE"]
MODEL = os.path.join(SOURCE, "models/mnist/1")


def bench(*arguments):
    return subprocess.run([BENCH, *arguments], capture_output=True, text=True, timeout=250, check=False)


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
            ((), "subcommand"),
            (("engine", "--batch=0"), "--batch"),
            (("engine", "--engines=fast"), "fast"),
            (("engine", "--min-time=20"), "wanted a duration with a unit"),
            (("engine", "--repetitions=1"), "--repetitions"),
        ]:
            with self.subTest(arguments):
                done = bench(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main()
