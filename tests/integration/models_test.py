"""Versions that come and go while the server serves, and several models at once."""

import json
import math
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

import grpc

from memory_test import SANITIZED
from safetensors_format import read_state_dict, write_safetensors
from testbed import MODEL, SOURCE, Server, code_of, metric_sum, model_card, pb, run_server, stub, test_digits, wait_until
from weights_test import sha256, with_value

WEIGHTS = os.path.join(MODEL, model_card()["weights"])

# 200 show that memory stays flat; a few show that nothing is lost, and sanitizers make each slow.
SWAPS = int(os.environ.get("HELLOCNN_TEST_SWAPS", "10" if SANITIZED else "30"))

STATE = pb.ModelStatus.State


class ModelsTest(unittest.TestCase):
    """Has a folder for models. The labels of version N are "vN:0" to "vN:9", so that each answer says who gave it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.join(folder.name, "models")
        self.aside = os.path.join(folder.name, "aside")
        os.mkdir(self.root)
        os.mkdir(self.aside)
        self.pixels, self.digit = test_digits(1)[0]

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def write(self, folder, version, weights=WEIGHTS, **card):
        """Writes a version into `folder`, which must not exist."""
        os.makedirs(folder)
        name = "weights" + os.path.splitext(weights)[1]
        shutil.copy(weights, os.path.join(folder, name))
        card = {
            **model_card(),
            "version": str(version),
            "weights": name,
            "weights_sha256": sha256(weights),
            "class_labels": [f"v{version}:{digit}" for digit in range(10)],
            **card,
        }
        with open(os.path.join(folder, "model_card.json"), "w", encoding="utf-8") as file:
            json.dump({key: value for key, value in card.items() if value is not None}, file)

    def add(self, model, version, **changes):
        """Adds a version as people are told to: under another name first."""
        part = self.path(model, ".part")
        self.write(part, version, **changes)
        os.rename(part, self.path(model, str(version)))

    def request(self, name="", version=""):
        model = pb.ModelVersion(name=name, version=version)
        return pb.ClassifyRequest(images=[pb.Image(gray8=self.pixels)], model=model)

    def classify(self, channel, name="", version=""):
        return stub(channel).Classify(self.request(name, version), timeout=60)

    def models(self, channel):
        """{(name, version): status} of all versions."""
        listed = stub(channel).ListModels(pb.ListModelsRequest(), timeout=60).models
        return {(model.version.name, model.version.version): model for model in listed}

    def current(self, channel):
        return {key for key, model in self.models(channel).items() if model.is_current}

    def wait_for(self, what, condition, server=None):
        """Waits until it is true. The server, if one is given, is told to look each time."""
        deadline = time.monotonic() + 120
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"waited for: {what}\n{server.stderr() if server else ''}")
            if server is not None:
                server.terminate(signal.SIGHUP)
            time.sleep(0.02)

    def wait_for_current(self, server, channel, model, version):
        self.wait_for(f"{model}/{version}", lambda: (model, str(version)) in self.current(channel), server)

    def check_answer(self, response, version=None):
        """The answer is right, and from the version that it names."""
        self.assertEqual(response.predictions[0].label, f"v{response.model.version}:{self.digit}")
        if version is not None:
            self.assertEqual(response.model.version, str(version))


class SwapTest(ModelsTest):
    def setUp(self):
        super().setUp()
        self.add("digits", 1)

    def resident_kb(self, server):
        with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
            return int(next(line.split()[1] for line in file if line.startswith("VmRSS")))

    def call_until(self, server, number, stop, counts):
        with server.channel(number) as channel:
            while not stop.is_set():
                self.check_answer(self.classify(channel))
                counts[number] += 1

    def stream_until(self, server, number, stop, counts):
        def requests():
            while not stop.is_set():
                yield pb.ClassifyStreamRequest(id=1, images=self.request().images)
                time.sleep(0.002)

        with server.channel(number) as channel:
            for response in stub(channel).ClassifyStream(requests()):
                self.assertEqual(response.error.code, 0, response.error.message)
                self.check_answer(response.result)
                counts[number] += 1

    def test_swaps_under_load_lose_no_call_and_no_memory(self):
        stop, counts, errors = threading.Event(), [0] * 4, []

        def run(target, *arguments):
            try:
                target(*arguments)
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)

        with Server("--threads=2", "--rollback-window=100ms", model=self.path("digits")) as server, server.channel() as channel:
            callers = [
                threading.Thread(target=run, args=(target, server, number, stop, counts))
                for number, target in enumerate([self.call_until] * 3 + [self.stream_until])
            ]
            for caller in callers:
                caller.start()
            try:
                for version in range(2, SWAPS + 2):
                    # The first version that is unloaded leaves its counts in series of their own, and no other adds any.
                    if version == 5:
                        self.wait_for("the old version to go", lambda: len(self.models(channel)) == 1)
                        series_before = len(server.metrics())
                    self.add("digits", version)
                    self.wait_for_current(server, channel, "digits", version)
                    shutil.rmtree(self.path("digits", str(version - 1)))
                    self.check_answer(self.classify(channel), version)
                    if version == SWAPS // 5 + 2:
                        early_kb = self.resident_kb(server)
                    self.assertEqual(errors, [])
                late_kb = self.resident_kb(server)
            finally:
                stop.set()
                for caller in callers:
                    caller.join()
            self.assertEqual(errors, [])
            self.assertGreater(min(counts), SWAPS)
            print(f"{SWAPS} swaps, {sum(counts)} calls, resident {early_kb} kB after a fifth, {late_kb} kB at the end")
            # A version has some 500 kB on each worker. What is allowed is what an allocator keeps of its own accord;
            # AddressSanitizer keeps what is given back.
            if not SANITIZED:
                self.assertLess(late_kb, early_kb + 8000)
            self.wait_for("the old versions to go", lambda: len(self.models(channel)) == 1)
            self.check_metrics_of_swaps(server.metrics(), series_before, sum(counts))

    def check_metrics_of_swaps(self, metrics, series_before, calls):
        """Only the last version has series of its own, and the totals have the calls of all versions."""
        versions = set(re.findall(r'model="digits"[^}]*version="([^"]*)"', "\n".join(metrics)))
        self.assertEqual(versions, {str(SWAPS + 1)})
        self.assertLess(len(metrics), series_before + 20)  # what no version before had counted
        # Of gauges, nothing is kept.
        for name in ("hellocnn_model_info", "hellocnn_engine_info", "hellocnn_model_test_accuracy_ratio", "hellocnn_queue_images"):
            self.assertEqual(len([key for key in metrics if key.startswith(name + "{")]), 1, name)
        answered = metric_sum(metrics, "hellocnn_images_computed_total", outcome="answered")
        self.assertGreaterEqual(answered, calls)
        self.assertGreater(answered, metric_sum(metrics, "hellocnn_images_computed_total", outcome="answered", model="digits"))
        self.assertEqual(metric_sum(metrics, "hellocnn_predictions_total"), answered)
        self.assertEqual(metric_sum(metrics, "hellocnn_requests_total", code="OK", method="Classify")
                         + metric_sum(metrics, "hellocnn_requests_total", code="OK", method="ClassifyStream"), answered)

    def test_a_stream_that_stays_open_is_answered_by_the_new_version(self):
        with Server("--rollback-window=0s", model=self.path("digits")) as server, server.channel() as channel:
            wanted = threading.Semaphore(0)
            ended = threading.Event()

            def requests():
                while wanted.acquire() and not ended.is_set():
                    yield pb.ClassifyStreamRequest(id=1, images=self.request().images)

            responses = stub(channel).ClassifyStream(requests(), timeout=120)
            wanted.release()
            self.check_answer(next(responses).result, 1)
            self.add("digits", 2)
            self.wait_for_current(server, channel, "digits", 2)
            # The stream is idle, so nothing holds the old version.
            self.wait_for("the old version to go", lambda: list(self.models(channel)) == [("digits", "2")])
            wanted.release()
            self.check_answer(next(responses).result, 2)
            ended.set()
            wanted.release()


class BadVersionTest(ModelsTest):
    """Whatever is wrong with a new version, the old one serves on, and the reason is told."""

    def setUp(self):
        super().setUp()
        self.add("digits", 1)

    def safetensors(self, name, state):
        path = os.path.join(self.aside, f"{name}.safetensors")
        write_safetensors(path, state)
        return path

    def broken_cards(self):
        """Yields (what is wrong, the text of the card or changes of its members, a part of the reason)."""
        yield "empty", "", "model_card.json"
        yield "no JSON", "{", "model_card.json"
        yield "JSON of another kind", "[1, 2]", "model_card.json"
        yield "no labels", {"class_labels": None}, "class_labels"
        yield "nine labels", {"class_labels": list("012345678")}, "9"
        yield "two labels that are the same", {"class_labels": list("0123456788")}, "class_labels"
        yield "weights of another folder", {"weights": "../1/weights.pt"}, "weights"
        yield "written for other weights", {"weights_sha256": "0" * 64}, "not of these weights"

    def broken_files(self):
        """Yields (what is wrong, a function that breaks a file, the file), whose name is a part of the reason."""

        def replaced(make):
            return lambda path: (os.remove(path), make(path))

        def picture(path):
            with open(path, "wb") as file:
                file.write(b"\x89PNG\r\n\x1a\n" * 9999)

        yield "card that is a folder", replaced(os.mkdir), "model_card.json"
        yield "no weights", os.remove, "weights.pt"
        yield "empty weights", lambda path: os.truncate(path, 0), "weights.pt"
        yield "half of the weights", lambda path: os.truncate(path, 100000), "weights.pt"
        yield "weights that are a folder", replaced(os.mkdir), "weights.pt"
        yield "weights that are a pipe", replaced(os.mkfifo), "weights.pt"
        yield "weights that are a link to nowhere", replaced(lambda path: os.symlink("/nowhere", path)), "weights.pt"
        yield "weights that are a picture", picture, "weights.pt"

    def broken_weights(self):
        """Yields (what is wrong, the tensors, a part of the reason)."""
        state = read_state_dict(WEIGHTS)
        yield "a tensor is missing", {name: value for name, value in state.items() if name != "linear.2.bias"}, "linear.2.bias"
        yield "not a number", with_value(state, "conv.0.weight", 3, float("nan")), "conv.0.weight"
        yield "numbers that overflow", with_value(state, "linear.2.weight", 3, 3e38), "linear.2"
        yield "untrained", {name: (shape, bytes(len(values))) for name, (shape, values) in state.items()}, "class"

    def golden(self, folder, rows, images=1):
        """Writes a version with golden images: the digit, so many times, and what the card says of it."""
        self.write(folder, 2, golden={"images": "golden", "log_probabilities": rows})
        with open(os.path.join(folder, "golden"), "wb") as file:
            file.write(bytes((0, 0, 8, 3)) + struct.pack(">III", images, 32, 32) + self.pixels * images)

    def broken_golden(self):
        """Yields (what is wrong, a function that makes the folder, a part of the reason)."""
        row = [-3.0] * 10
        yield "golden images of another model", lambda folder: self.golden(folder, [row]), "golden image 0"
        yield "one golden image too few", lambda folder: self.golden(folder, [row, row]), "golden: has the shape [1, 32, 32]"
        yield "a golden row too short", lambda folder: self.golden(folder, [row[1:]]), "golden.log_probabilities[0]"
        missing = {"images": "missing", "log_probabilities": [row]}
        yield "golden images that are not there", lambda folder: self.write(folder, 2, golden=missing), "2/missing"

    def broken(self):
        """Yields (what is wrong, a function that makes the folder, a part of the reason)."""

        def with_card(card):
            if isinstance(card, dict):
                return lambda folder: self.write(folder, 2, **{key: value for key, value in card.items() if key != "weights"})
            return lambda folder: self.write(folder, 2)

        for name, card, reason in self.broken_cards():

            def make(folder, card=card):
                with_card(card)(folder)
                path = os.path.join(folder, "model_card.json")
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                if isinstance(card, str):
                    text = card
                elif "weights" in card:
                    text = json.dumps({**json.loads(text), **card})
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)

            yield name, make, reason
        for name, spoil, file in self.broken_files():
            yield name, lambda folder, spoil=spoil, file=file: (self.write(folder, 2), spoil(os.path.join(folder, file))), file
        for number, (name, state, reason) in enumerate(self.broken_weights()):
            weights = self.safetensors(str(number), state)
            yield name, lambda folder, weights=weights: self.write(folder, 2, weights=weights), reason
        yield from self.broken_golden()

    def test_the_old_version_serves_on_and_the_reason_is_told(self):
        with Server(model=self.path("digits")) as server, server.channel() as channel:
            kinds = 0
            for name, make, reason in self.broken():
                with self.subTest(name):
                    kinds += 1
                    make(self.path("digits", ".part"))
                    os.rename(self.path("digits", ".part"), self.path("digits", "2"))

                    def failed():
                        found = self.models(channel).get(("digits", "2"))
                        return found is not None and found.state == STATE.STATE_FAILED

                    self.wait_for(f"{name} to fail", failed, server)
                    self.assertIn(reason, self.models(channel)["digits", "2"].reason)
                    self.assertEqual(server.metrics()['hellocnn_model_versions{state="failed"}'], 1)
                    self.check_answer(self.classify(channel), 1)
                    with urllib.request.urlopen(f"http://{server.metrics_address}/readyz", timeout=30) as ready:
                        self.assertEqual(ready.status, 200)
                    self.assertIn("model digits, version 2 cannot be served", server.stderr())
                    shutil.rmtree(self.path("digits", "2"))
                    self.wait_for("it to be forgotten", lambda: len(self.models(channel)) == 1, server)
            self.assertGreaterEqual(kinds, 12)
            # And a good one is still taken.
            self.add("digits", 3)
            self.wait_for_current(server, channel, "digits", 3)
            self.assertEqual(server.metrics()['hellocnn_model_versions{state="failed"}'], 0)
            # So is one whose golden images are as its card says.
            answer = self.classify(channel).predictions[0]
            self.golden(self.path("digits", ".part"), [list(answer.log_probabilities)] * 2, images=2)
            os.rename(self.path("digits", ".part"), self.path("digits", "4"))
            self.wait_for_current(server, channel, "digits", 4)
            self.assertIn("all 2 golden images", server.stderr())

    def test_a_version_that_vanishes_while_it_is_loaded_harms_nobody(self):
        with Server("--model-poll-interval=10ms", model=self.path("digits")) as server, server.channel() as channel:
            for wait in range(30):
                self.add("digits", 2)
                server.terminate(signal.SIGHUP)
                time.sleep(wait / 1000)
                shutil.rmtree(self.path("digits", "2"))
                self.check_answer(self.classify(channel))
            self.wait_for_current(server, channel, "digits", 1)

    def test_a_version_whose_files_change_serves_on_as_it_was_loaded(self):
        with Server(model=self.path("digits")) as server, server.channel() as channel:
            card = self.path("digits", "1", "model_card.json")
            with open(card, encoding="utf-8") as file:
                text = file.read()
            with open(card, "w", encoding="utf-8") as file:
                file.write(text.replace("v1:", "v9:"))
            self.wait_for("a reason", lambda: self.models(channel)["digits", "1"].reason, server)
            self.assertIn("its files have changed", self.models(channel)["digits", "1"].reason)
            self.assertEqual(self.models(channel)["digits", "1"].state, STATE.STATE_SERVING)
            self.check_answer(self.classify(channel), 1)

    def test_a_folder_without_a_good_version_is_not_started(self):
        os.truncate(self.path("digits", "1", "weights.pt"), 10)
        run = run_server("--model", self.path("digits"), "--listen=127.0.0.1:0", "--metrics-listen=off")
        self.assertEqual(run.returncode, 1)
        self.assertIn(self.path("digits", "1", "weights.pt"), run.stderr)


class RepositoryTest(ModelsTest):
    def setUp(self):
        super().setUp()
        self.add("digits", 1)
        self.add("letters", 4)
        self.add("letters", 12)

    def test_requests_name_a_model_and_its_version(self):
        with Server("--model-versions=all", model=self.root) as server, server.channel() as channel:
            for name, version, answers in (
                ("", "", "digits/1"),
                ("letters", "", "letters/12"),
                ("letters", "4", "letters/4"),
                ("letters", "12", "letters/12"),
                ("", "1", "digits/1"),
            ):
                response = self.classify(channel, name, version)
                self.assertEqual(f"{response.model.name}/{response.model.version}", answers)
                self.check_answer(response)
                model = pb.ModelVersion(name=name, version=version)
                described = stub(channel).GetModel(pb.GetModelRequest(model=model), timeout=60).model
                self.assertEqual(f"{described.version.name}/{described.version.version}", answers)
            listed = self.models(channel)
            self.assertEqual(list(listed), [("digits", "1"), ("letters", "4"), ("letters", "12")])
            self.assertEqual([key for key, model in listed.items() if model.is_current], [("digits", "1"), ("letters", "12")])
            self.assertEqual([key for key, model in listed.items() if model.is_default], [("digits", "1")])

    def test_requests_of_one_stream_may_name_different_models(self):
        with Server(model=self.root) as server, server.channel() as channel:
            names = ["letters", "digits", "", "none"]
            requests = [
                pb.ClassifyStreamRequest(id=i, images=[pb.Image(gray8=self.pixels)], model=pb.ModelVersion(name=name))
                for i, name in enumerate(names)
            ]
            answers = {response.id: response for response in stub(channel).ClassifyStream(iter(requests), timeout=60)}
            self.assertEqual([answers[i].result.model.name for i in range(3)], ["letters", "digits", "digits"])
            self.assertEqual(answers[3].error.code, grpc.StatusCode.NOT_FOUND.value[0])

    def test_what_is_not_served_is_not_found_and_named(self):
        with Server(model=self.root) as server, server.channel() as channel:
            for name, version, resource in (("nobody", "", "nobody"), ("letters", "4", "letters/4"), ("", "7", "digits/7")):
                with self.assertRaises(grpc.RpcError) as raised:
                    self.classify(channel, name, version)
                error = raised.exception
                self.assertEqual(error.code(), grpc.StatusCode.NOT_FOUND)
                self.assertIn("is not served; wanted", error.details())
                details = dict(error.trailing_metadata())["grpc-status-details-bin"]
                self.assertIn(b"type.googleapis.com/google.rpc.ResourceInfo", details)
                self.assertIn(resource.encode(), details)
            metrics = server.metrics()
            self.assertEqual(metric_sum(metrics, "hellocnn_requests_refused_total", reason="no_model"), 3)
            self.assertEqual(metric_sum(metrics, "hellocnn_requests_refused_total", reason="no_model", model=""), 3)

    def test_the_default_model_can_be_chosen_and_must_be_there(self):
        with Server("--default-model=letters", model=self.root) as server, server.channel() as channel:
            self.assertEqual(self.classify(channel).model.name, "letters")
        run = run_server("--model", self.root, "--default-model=none", "--listen=127.0.0.1:0", "--metrics-listen=off")
        self.assertEqual(run.returncode, 1)
        self.assertIn("option default-model: model none is not served; wanted digits, letters", run.stderr)

    def test_models_share_the_workers(self):
        names = ("digits", "letters") * 20
        with Server("--threads=2", model=self.root) as server, server.channel() as channel:
            calls = [
                stub(channel).Classify.future(
                    pb.ClassifyRequest(images=[pb.Image(gray8=self.pixels)] * 40, model=pb.ModelVersion(name=name)), timeout=60
                )
                for name in names
            ]
            for call, name in zip(calls, names):
                self.assertEqual(call.result().model.name, name)
                self.assertEqual(len(call.result().predictions), 40)
            metrics = server.metrics()
            self.assertEqual(metric_sum(metrics, "hellocnn_images_accepted_total"), 40 * 40)
            for name, version in (("digits", "1"), ("letters", "12")):
                labels = {"model": name, "version": version}
                self.assertEqual(metric_sum(metrics, "hellocnn_images_accepted_total", **labels), 20 * 40, labels)
                self.assertEqual(metric_sum(metrics, "hellocnn_request_images_count", **labels), 20)
                self.assertEqual(metric_sum(metrics, "hellocnn_batch_size_sum", **labels), 20 * 40)
                self.assertEqual(metric_sum(metrics, "hellocnn_queue_duration_seconds_count", **labels), 20)
                self.assertEqual(metric_sum(metrics, "hellocnn_queue_images", **labels), 0)
                self.assertEqual(metric_sum(metrics, "hellocnn_model_test_accuracy_ratio", **labels), model_card()["test_accuracy"])

    def test_a_request_for_no_model_that_is_served_has_no_labels(self):
        with Server(model=self.root) as server, server.channel() as channel:
            for name, version in (("nobody", ""), ("digits", "99"), ("letters", "12")):
                code_of(stub(channel).Classify.future(self.request(name, version), timeout=60))
            wait_until(lambda: metric_sum(server.metrics(), "hellocnn_requests_total") == 3, "all have ended")
            metrics = server.metrics()
            none = {"model": "", "version": ""}
            self.assertEqual(metric_sum(metrics, "hellocnn_requests_total", code="NOT_FOUND", **none), 2)
            self.assertEqual(metric_sum(metrics, "hellocnn_requests_refused_total", reason="no_model", **none), 2)
            self.assertEqual(metric_sum(metrics, "hellocnn_requests_total", code="OK", model="letters", version="12"), 1)
            self.assertNotIn("nobody", "".join(metrics))
            self.assertNotIn('version="99"', "".join(metrics))

    def test_a_model_that_is_removed_is_withdrawn(self):
        with Server(model=self.root) as server, server.channel() as channel:
            shutil.rmtree(self.path("digits"))
            self.wait_for("digits to go", lambda: list(self.models(channel)) == [("letters", "12")], server)
            self.assertEqual(self.classify(channel, "letters").model.name, "letters")
            with self.assertRaises(grpc.RpcError) as raised:  # and not the answer of another model
                self.classify(channel)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)
            self.assertEqual(raised.exception.details(), "model digits is not served; wanted letters")

    def test_a_repository_that_is_gone_is_served_on(self):
        with Server(model=self.root) as server, server.channel() as channel:
            moved = self.root + ".away"
            os.rename(self.root, moved)
            try:
                self.wait_for("an error", lambda: "the models are served on as they are" in server.stderr(), server)
                self.assertEqual(self.classify(channel, "letters").model.version, "12")
            finally:
                os.rename(moved, self.root)


class NotebookTest(ModelsTest):
    """Weights as they come from a notebook, without a card, or with one that claims no accuracy."""

    def test_weights_alone_are_served(self):
        weights = os.path.join(self.aside, "from-a-notebook.pt")
        shutil.copy(WEIGHTS, weights)
        with Server(model=weights) as server, server.channel() as channel:
            response = self.classify(channel)
            self.assertEqual(f"{response.model.name}/{response.model.version}", "from-a-notebook/1")
            self.assertEqual(response.predictions[0].label, str(self.digit))
            model = stub(channel).GetModel(pb.GetModelRequest(), timeout=60).model
            self.assertFalse(model.HasField("test_accuracy"))
            self.assertEqual(model.weights_sha256, sha256(WEIGHTS))
            self.assertIn("test accuracy  not measured", server.cli("describe").stdout)
            self.assertIsNone(json.loads(server.cli("describe", "--output", "json").stdout)["test_accuracy"])
            self.assertTrue(math.isnan(metric_sum(server.metrics(), "hellocnn_model_test_accuracy_ratio")))
        self.assertIn(f"{weights} has no model card", server.stderr())

    def test_a_card_need_not_claim_an_accuracy(self):
        self.add("digits", 1, test_accuracy=None)
        with Server(model=self.path("digits")) as server:
            self.assertIn("test accuracy  not measured", server.cli("describe").stdout)

    def test_a_file_that_has_no_weights_is_an_error(self):
        run = run_server("--model", os.path.join(SOURCE, "README.md"), "--listen=127.0.0.1:0", "--metrics-listen=off")
        self.assertEqual(run.returncode, 1)
        self.assertIn("README.md", run.stderr)


class WatchTest(ModelsTest):
    POLL = "--model-poll-interval=20ms"

    def setUp(self):
        super().setUp()
        self.add("digits", 1)

    def test_new_versions_are_noticed_without_a_signal(self):
        with Server(self.POLL, model=self.path("digits")) as server, server.channel() as channel:
            self.add("digits", 2)
            self.wait_for("version 2", lambda: self.current(channel) == {("digits", "2")})
            shutil.rmtree(self.path("digits", "2"))
            self.wait_for("version 1", lambda: self.current(channel) == {("digits", "1")})

    def test_without_looking_only_a_signal_counts(self):
        with Server("--model-poll-interval=0s", model=self.path("digits")) as server, server.channel() as channel:
            self.add("digits", 2)
            time.sleep(1)
            self.assertEqual(self.current(channel), {("digits", "1")})
            self.wait_for_current(server, channel, "digits", 2)

    def test_a_version_that_is_copied_slowly_is_taken_when_it_is_whole(self):
        whole = os.path.join(self.aside, "whole")
        self.write(whole, 2)
        with Server(self.POLL, model=self.path("digits")) as server, server.channel() as channel:
            target = self.path("digits", "2")
            os.mkdir(target)
            # The card first, which is the wrong way round, and the weights piece by piece.
            shutil.copy(os.path.join(whole, "model_card.json"), target)
            with open(os.path.join(whole, "weights.pt"), "rb") as source, open(os.path.join(target, "weights.pt"), "wb") as copy:
                pieces = iter(lambda: source.read(40000), b"")
                for piece in pieces:
                    self.assertEqual(self.current(channel), {("digits", "1")})
                    copy.write(piece)
                    copy.flush()
                    time.sleep(0.1)
            self.wait_for("version 2", lambda: self.current(channel) == {("digits", "2")})

    def test_the_commands_of_the_document_bring_a_version_and_take_it_back(self):
        with open(os.path.join(SOURCE, "docs/models.md"), encoding="utf-8") as file:
            commands = re.findall(r"^(?:cp|mv) .*$", file.read(), re.MULTILINE)
        self.assertEqual([command.split()[0] for command in commands], ["cp", "mv", "mv"])
        here = os.path.dirname(self.root)
        self.add("mnist", 1)
        self.write(os.path.join(here, "new-version"), 3)
        with Server(self.POLL, model=self.path("mnist")) as server, server.channel() as channel:
            for command, version in zip(commands, "131"):
                subprocess.run(shlex.split(command), cwd=here, check=True)
                self.wait_for(f"version {version} after {command}", lambda v=version: self.current(channel) == {("mnist", v)})
                self.check_answer(self.classify(channel), version)

    def test_links_are_swapped_as_kubernetes_does(self):
        mount = self.path("mount")
        self.write(os.path.join(mount, "..2026_1", "model"), 1)
        os.symlink("..2026_1", os.path.join(mount, "..data"))
        os.symlink("..data/model", os.path.join(mount, "model"))
        with Server(self.POLL, model=os.path.join(mount, "model")) as server, server.channel() as channel:
            name = model_card()["name"]
            self.assertEqual(self.current(channel), {(name, "1")})
            self.write(os.path.join(mount, "..2026_2", "model"), 2)
            os.symlink("..2026_2", os.path.join(mount, "..new"))
            os.rename(os.path.join(mount, "..new"), os.path.join(mount, "..data"))
            self.wait_for("version 2", lambda: self.current(channel) == {(name, "2")})


if __name__ == "__main__":
    unittest.main()
