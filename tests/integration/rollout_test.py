"""A candidate that computes a share of the requests before it takes the place of the current version."""

import json
import os
import shutil
import subprocess
import time
import unittest

from models_test import STATE, WEIGHTS, ModelsTest
from safetensors_format import read_state_dict, write_safetensors
from testbed import CLI, SLOW_ENGINE, Server, clean_environment, metric_sum, pb, pb_grpc, stub, test_digits, wait_until

LABELS = [str(digit) for digit in range(10)]
MODES = pb.Rollout.Mode


def hellocnn(*arguments):
    return subprocess.run([CLI, *arguments], env=clean_environment(), capture_output=True, text=True, timeout=240)


class RolloutTest(ModelsTest):
    def setUp(self):
        super().setUp()
        self.digits = test_digits(200)

    def add(self, model, version, **changes):
        super().add(model, version, **{"class_labels": LABELS, **changes})

    def permuted_weights(self, a, b):
        """The shipped weights, but what was class `a` is now class `b`, and the other way round."""
        state = read_state_dict(WEIGHTS)
        for name in ("linear.2.weight", "linear.2.bias"):
            shape, values = state[name]
            size = len(values) // 10
            rows = [values[i * size : (i + 1) * size] for i in range(10)]
            rows[a], rows[b] = rows[b], rows[a]
            state[name] = (shape, b"".join(rows))
        path = os.path.join(self.aside, "weights.safetensors")
        write_safetensors(path, state)
        return path

    def rollout(self, *arguments, code=0):
        run = hellocnn("model", "rollout", self.path("digits"), *arguments)
        self.assertEqual(run.returncode, code, run)
        return run.stdout + run.stderr

    def serve(self, *arguments):
        server = Server(*arguments, model=self.path("digits"))
        self.addCleanup(server.stop)
        channel = server.channel()
        self.addCleanup(channel.close)
        return server, channel

    def classify_all(self, channel, per_call=1):
        """Classifies the digits, and returns the number of calls that each version has responded to."""
        versions = {}
        for at in range(0, len(self.digits), per_call):
            images = [pb.Image(gray8=pixels) for pixels, _ in self.digits[at : at + per_call]]
            response = stub(channel).Classify(pb.ClassifyRequest(images=images), timeout=60)
            versions[response.model.version] = versions.get(response.model.version, 0) + 1
        return versions

    def compared(self, server, **labels):
        return metric_sum(server.metrics(), "hellocnn_compared_images_total", **labels)

    def wait_for_compared(self, server, images, per_request=1, within=1):
        """Waits for so many images, or `within` fewer or more, that were compared, or were not because the server was busy.

        Returns how many were compared."""

        def seen():
            metrics = server.metrics()
            skipped = metric_sum(metrics, "hellocnn_comparisons_skipped_total")
            return metric_sum(metrics, "hellocnn_compared_images_total") + per_request * skipped

        wait_until(lambda: abs(seen() - images) <= within, f"{images} compared images", timeout=120)
        time.sleep(0.1)
        self.assertLessEqual(abs(seen() - images), within)
        return self.compared(server)

    def candidate(self, channel):
        """(version, mode, share) of the candidate, or None."""
        found = [
            (version, MODES.Name(model.rollout.mode), model.rollout.share)
            for (_, version), model in self.models(channel).items()
            if model.HasField("rollout")
        ]
        return found[0] if found else None

    def test_from_shadow_to_canary_to_the_current_version(self):
        self.add("digits", 1)
        server, channel = self.serve()
        says = self.rollout("--candidate", "2", "--shadow", "50%")
        self.assertIn("version 2 is the candidate. It computes 50% of the requests, as a shadow", says)
        self.assertIn("The folder has no version 2 yet.", says)
        self.add("digits", 2, weights=self.permuted_weights(4, 9))
        self.wait_for("2 to be the candidate", lambda: self.candidate(channel) is not None, server)
        self.assertEqual(self.candidate(channel), ("2", "MODE_SHADOW", 0.5))
        self.assertEqual(self.current(channel), {("digits", "1")})

        # Nobody is told anything by the shadow, and it is compared with half of what is asked.
        self.assertEqual(self.classify_all(channel), {"1": 200})
        compared = self.wait_for_compared(server, 100)
        self.assertGreater(compared, 50)
        labels = {"model": "digits", "version": "2"}
        for digit in LABELS:
            same = self.compared(server, **labels, **{"class": digit}, candidate_says="same")
            other = self.compared(server, **labels, **{"class": digit}, candidate_says="other")
            self.assertEqual(same if digit in "49" else other, 0, digit)
        metrics = server.metrics()
        self.assertEqual(metrics['hellocnn_candidate_share_ratio{mode="shadow",model="digits",version="2"}'], 0.5)
        self.assertEqual(metric_sum(metrics, "hellocnn_comparison_log_probability_distance_count", **labels), compared)
        # Metrics of requests and their images know nothing of the shadow, and those of batches do.
        self.assertEqual(metric_sum(metrics, "hellocnn_images_accepted_total"), 200)
        self.assertEqual(metric_sum(metrics, "hellocnn_images_computed_total"), 200)
        self.assertGreaterEqual(metric_sum(metrics, "hellocnn_batch_size_sum", **labels), compared)
        self.assertEqual(metric_sum(metrics, "hellocnn_requests_total", version="2"), 0)

        self.assertIn("as a canary: it responds to them", self.rollout("--canary", "0.2"))
        self.wait_for("a canary", lambda: self.candidate(channel) == ("2", "MODE_CANARY", 0.2), server)
        versions = self.classify_all(channel, per_call=4)
        self.assertEqual(sum(versions.values()), 50)
        self.assertIn(versions["2"], (9, 10, 11))
        skipped = metric_sum(metrics, "hellocnn_comparisons_skipped_total")
        total = self.wait_for_compared(server, compared + 4 * (skipped + versions["2"]), per_request=4, within=0)
        listing = hellocnn("--server", server.address, "models")
        self.assertRegex(listing.stdout, r"digits +2 +SERVING +candidate, canary of 20%\n")
        listing = json.loads(hellocnn("--server", server.address, "models", "--output", "json").stdout)
        self.assertEqual(listing["models"][1]["rollout"], {"mode": "CANARY", "share": 0.2})

        self.assertIn("has no candidate", self.rollout("--end"))
        self.wait_for_current(server, channel, "digits", 2)
        self.assertEqual(self.classify_all(channel, per_call=4), {"2": 50})
        self.assertIsNone(self.candidate(channel))
        self.assertNotIn("hellocnn_candidate_share_ratio", "".join(server.metrics()))
        self.assertEqual(self.compared(server), total)

    def test_streams_follow_request_by_request(self):
        self.add("digits", 1)
        self.add("digits", 2)
        self.rollout("--candidate", "2", "--canary", "25%")
        server, channel = self.serve()
        requests = [pb.ClassifyStreamRequest(id=i, images=[pb.Image(gray8=self.pixels)]) for i in range(100)]
        answers = list(stub(channel).ClassifyStream(iter(requests), timeout=60))
        versions = [answer.result.model.version for answer in answers]
        self.assertIn(versions.count("2"), (24, 25, 26))
        self.assertEqual(versions.count("1") + versions.count("2"), 100)
        compared = self.wait_for_compared(server, versions.count("2"), within=0)
        self.assertEqual(self.compared(server, candidate_says="same"), compared)

    def test_a_canary_that_is_bad_is_rolled_back(self):
        self.add("digits", 1)
        self.add("digits", 2, weights=self.permuted_weights(3, 5))
        self.rollout("--candidate", "2", "--canary", "100%")
        server, channel = self.serve("--model-control=on")
        self.assertEqual(self.classify_all(channel), {"2": 200})
        done = hellocnn("--server", server.address, "models", "rollback")
        self.assertEqual(done.stdout, "Model digits: version 1 serves now; version 2 is rolled back.\n")
        self.assertEqual(self.classify_all(channel), {"1": 200})
        self.assertEqual(self.models(channel)["digits", "2"].state, STATE.STATE_ROLLED_BACK)
        pb_grpc.ModelControlServiceStub(channel).UndoRollback(pb.UndoRollbackRequest(), timeout=60)
        self.assertEqual(self.classify_all(channel), {"2": 200})
        shutil.rmtree(self.path("digits", "2"))
        self.wait_for("2 to go", lambda: ("digits", "2") not in self.models(channel), server)
        self.assertIn("The folder has no version 2 yet.", self.rollout())
        self.rollout("--end")
        self.assertEqual(self.classify_all(channel), {"1": 200})

    def test_a_busy_server_compares_little(self):
        self.add("digits", 1)
        self.add("digits", 2)
        self.rollout("--candidate", "2", "--shadow", "100%")
        server, channel = self.serve(SLOW_ENGINE, "--threads=1", "--max-batch-size=1")
        calls = [stub(channel).Classify.future(self.request(), timeout=240) for _ in range(500)]
        for call in calls:
            self.assertEqual(call.result().model.version, "1")

        def done():
            metrics = server.metrics()
            return self.compared(server) + metric_sum(metrics, "hellocnn_comparisons_skipped_total") == len(calls)

        wait_until(done, "all are compared or skipped")
        compared = self.compared(server)
        self.assertLess(compared, len(calls) / 4)
        metrics = server.metrics()
        # A few may have waited in vain for a second.
        skipped = metric_sum(metrics, "hellocnn_comparisons_skipped_total", reason="busy")
        self.assertGreater(skipped, len(calls) / 2)
        self.assertEqual(metric_sum(metrics, "hellocnn_images_computed_total"), len(calls))
        self.assertEqual(metric_sum(metrics, "hellocnn_batch_size_sum"), len(calls) + compared)
        print(f"{compared:.0f} of {len(calls)} requests were compared while others waited")

    def test_a_candidate_that_is_given_up_serves_nobody(self):
        self.add("digits", 1)
        self.add("digits", 2)
        self.rollout("--candidate", "2", "--shadow", "1")
        server, channel = self.serve("--model-poll-interval=100ms")
        shutil.rmtree(self.path("digits", "2"))
        self.rollout("--end")
        seen = set()
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline or ("digits", "2") in self.models(channel):
            seen.add(self.classify(channel).model.version)
        self.assertEqual(seen, {"1"})

    def test_a_wrong_file_changes_nothing_and_is_complained_of(self):
        self.add("digits", 1)
        self.add("digits", 2)
        self.rollout("--candidate", "2", "--shadow", "1")
        server, channel = self.serve()
        with open(self.path("digits", "rollout.json"), "w", encoding="utf-8") as file:
            file.write('{"candidate": "2", "mode": "shadow", "share": 10}')
        self.wait_for("a complaint", lambda: "share: 10" in self.models(channel)["digits", "1"].reason, server)
        self.assertEqual(self.candidate(channel), ("2", "MODE_SHADOW", 1))
        self.assertEqual(server.metrics()['hellocnn_model_versions{state="failed"}'], 2)
        check = hellocnn("model", "check", self.root)
        self.assertEqual(check.returncode, 1)
        self.assertIn("share: 10; wanted a number above 0, and at most 1", " ".join(check.stdout.split()))
        self.assertIn("share: 10", self.rollout("--canary", "1", code=1))
        self.rollout("--end")
        self.wait_for("order", lambda: self.models(channel)["digits", "1"].reason == "", server)

    def test_wrong_usage(self):
        self.add("digits", 1)
        for arguments, says in (
            (["--candidate", "2"], "say with --shadow or --canary"),
            (["--shadow", "10%"], "name one with --candidate"),
        ):
            self.assertIn(says, self.rollout(*arguments, code=1))
        for arguments, says in (
            (["--candidate", "x", "--shadow", "10%"], "wanted a version number"),
            (["--candidate", "2", "--shadow", "110%"], 'is "110%"; wanted a share above 0'),
            (["--candidate", "2", "--canary", "0"], 'is "0"; wanted a share above 0'),
            (["--candidate", "2", "--canary", "10"], 'is "10"; wanted a share above 0'),
            (["--candidate", "2", "--canary", "nan"], 'is "nan"; wanted a share above 0'),
            (["--candidate", "2", "--canary", "1", "--shadow", "1"], "excludes"),
            (["--end", "--shadow", "1"], "excludes"),
        ):
            self.assertIn(says, self.rollout(*arguments, code=2))
        self.assertEqual(os.listdir(self.path("digits")), ["1"])
        for folder, says in (
            (self.path("digits", "1"), "is one version"),
            (self.path("absent"), "is not a folder"),
            (self.root, f"is a folder of models; wanted the folder of one, such as {self.path('digits')}"),
        ):
            run = hellocnn("model", "rollout", folder, "--candidate", "2", "--shadow", "10%")
            self.assertEqual(run.returncode, 1)
            self.assertIn(says, run.stderr)
        self.assertEqual(os.listdir(self.root), ["digits"])
        self.assertEqual(json.loads(self.rollout("--output", "json")), {"candidate": None})
        self.rollout("--candidate", "1", "--shadow", "12.5%")
        self.assertEqual(
            json.loads(self.rollout("--output", "json")),
            {"candidate": "1", "mode": "shadow", "share": 0.125, "is_there": True},
        )


if __name__ == "__main__":
    unittest.main()
