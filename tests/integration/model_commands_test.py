"""hellocnn model: versions are made, checked and compared without a server, and then served."""

import gzip
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

from hellocnn.v1 import classifier_service_pb2 as pb
from safetensors_format import read_state_dict, write_safetensors
from testbed import CLI, MODEL, TEST_DATA, Server, clean_environment, model_card, run_server, stub, test_digits

SHIPPED = os.path.join(MODEL, "weights.pt")


def hellocnn(*arguments):
    return subprocess.run([CLI, *arguments], env=clean_environment(), capture_output=True, text=True, timeout=240)


def p_value(b, c):
    """McNemar's test, as textbooks define it."""
    if b + c < 25:
        return min(1.0, 2 * sum(math.comb(b + c, i) for i in range(min(b, c) + 1)) / 2 ** (b + c))
    return math.erfc(math.sqrt((abs(b - c) - 1) ** 2 / (b + c) / 2))


class ModelCommandTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.models = self.root / "models"

    def create(self, name, *arguments, weights=SHIPPED):
        """Makes models/NAME, and returns what is printed."""
        run = hellocnn("model", "create", "--weights", weights, "--output", self.models / name, "--output-format", "json", *arguments)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def card(self, name):
        return json.loads((self.models / name / "model_card.json").read_text(encoding="utf-8"))

    def write_state(self, change=lambda state: state):
        """A weight file with the shipped numbers, changed."""
        path = self.root / "weights.safetensors"
        write_safetensors(path, change(read_state_dict(SHIPPED)))
        return path

    def assert_fails(self, *arguments, says, code=1):
        run = hellocnn("model", *arguments)
        self.assertEqual(run.returncode, code, run)
        self.assertIn(says, run.stderr)
        return run


def perturbed(state):
    """A little worse: the rows of 4 and 9 are moved towards each other."""
    shape, weight = state["linear.2.weight"]
    rows = [list(struct.unpack("<84f", weight[336 * i : 336 * (i + 1)])) for i in range(10)]
    rows[4], rows[9] = ([0.8 * a + 0.2 * b for a, b in zip(rows[x], rows[y])] for x, y in ((4, 9), (9, 4)))
    return {**state, "linear.2.weight": (shape, b"".join(struct.pack("<84f", *row) for row in rows))}


def first_digits(folder, part, count, edit=lambda pixels: pixels):
    """Writes the first test digits as a data set of its own."""
    digits = gzip.open(os.path.join(TEST_DATA, "t10k-images-idx3-ubyte.gz")).read()[16 : 16 + 784 * count]
    labels = gzip.open(os.path.join(TEST_DATA, "t10k-labels-idx1-ubyte.gz")).read()[8 : 8 + count]
    folder.mkdir()
    (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28) + edit(digits))
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, count) + labels)
    return digits


class CreateTest(ModelCommandTest):
    def test_a_state_dict_becomes_a_served_model(self):
        made = self.create("digits/7", "--data", TEST_DATA)
        shipped, card = model_card(), self.card("digits/7")
        self.assertEqual((made["name"], made["version"]), ("digits", "7"))
        self.assertEqual(made["evaluation"]["accuracy"], shipped["test_accuracy"])
        for member in ("test_accuracy", "test_correct", "test_size", "confusion_matrix", "class_labels", "preprocessing"):
            self.assertEqual(card[member], shipped[member], member)
        self.assertEqual(set(card["data"]["sha256"]), {"t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"})
        self.assertEqual(card["weights"], "weights.safetensors")
        best = [row.index(max(row)) for row in card["golden"]["log_probabilities"]]
        self.assertEqual(sorted(best), list(range(10)))
        self.assertEqual(os.listdir(self.models / "digits"), ["7"])
        run = hellocnn("model", "check", self.models)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("digits/7, 10 classes, test accuracy 97.60% says the card, 10 golden images", " ".join(run.stdout.split()))
        with Server(model=str(self.models / "digits")) as server, server.channel() as channel:
            digits = test_digits(8)
            request = pb.ClassifyRequest(images=[pb.Image(gray8=digit) for digit, _ in digits])
            answer = stub(channel).Classify(request, timeout=30)
            self.assertEqual([p.class_index for p in answer.predictions], [label for _, label in digits])
            self.assertEqual((answer.model.name, answer.model.version), ("digits", "7"))
            model = stub(channel).GetModel(pb.GetModelRequest(), timeout=30).model
            self.assertAlmostEqual(model.test_accuracy, 0.976)

    def test_what_was_not_measured_is_not_claimed(self):
        made = self.create("digits/1")
        self.assertIsNone(made["evaluation"])
        self.assertNotIn("test_accuracy", self.card("digits/1"))
        self.assertEqual(made["golden_images"], 10)
        # Accuracy on what the model may have been trained with is none.
        first_digits(self.root / "data", "train", 200)
        made = self.create("digits/2", "--data", self.root / "data", "--part", "train", "--golden-images", "0")
        self.assertGreater(made["evaluation"]["accuracy"], 0.9)
        self.assertFalse({"test_accuracy", "confusion_matrix", "golden"} & set(self.card("digits/2")))
        run = hellocnn("model", "check", self.models)
        self.assertEqual(run.returncode, 0, run.stdout)

    def test_differences_of_the_weights_are_told(self):
        weights = self.write_state(lambda state: {f"model.{name}": tensor for name, tensor in state.items()})
        made = self.create("digits/1", "--format", "pt", weights=weights)
        self.assertIn("model.", made["notes"][0])
        self.assertEqual(made["weights"], "weights.pt")
        # Those that are written have the usual names.
        written = read_state_dict(self.models / "digits/1/weights.pt")
        self.assertEqual(written["conv.0.bias"], read_state_dict(SHIPPED)["conv.0.bias"])

    def test_labels_come_from_the_command_line_or_a_file(self):
        words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "Привет"]
        made = self.create("digits/1", "--labels", ",".join(words))
        self.assertEqual(made["class_labels"], words)
        (self.root / "labels.txt").write_text("\r\n".join(words) + "\n", encoding="utf-8")
        self.create("digits/2", "--labels-file", self.root / "labels.txt")
        self.assertEqual(self.card("digits/2")["class_labels"], words)
        create = ["create", "--weights", SHIPPED, "--output", self.models / "digits/3"]
        self.assert_fails(*create, "--labels", "a,b", says="has 10 classes, and there are 2 labels; wanted one label for each")
        self.assert_fails(*create, "--labels", "a", says="--labels: has 1 class; wanted 2 to 1024")
        self.assert_fails(*create, "--labels", "a,b,a", says='--labels: the label "a" of class 2 is there twice; wanted')
        (self.root / "empty.txt").write_text("\n\n")
        self.assert_fails(*create, "--labels-file", self.root / "empty.txt", says="empty.txt: has 0 classes; wanted 2 to 1024")
        self.assert_fails(*create, "--labels-file", self.root / "none.txt", says="none.txt")
        self.assertFalse((self.models / "digits/3").exists())

    def test_a_folder_of_pictures_names_the_classes_or_follows_the_labels(self):
        pictures = gzip.open(os.path.join(TEST_DATA, "t10k-images-idx3-ubyte.gz")).read()[16:]
        words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
        for i, (_, label) in enumerate(test_digits(100)):
            for folder in (self.root / "numbers" / str(label), self.root / "words" / words[label]):
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{i}.pgm").write_bytes(b"P5 28 28 255\n" + pictures[784 * i : 784 * (i + 1)])
        made = self.create("digits/1", "--data", self.root / "numbers")
        self.assertEqual(made["class_labels"], [str(digit) for digit in range(10)])
        self.assertGreater(made["evaluation"]["accuracy"], 0.9)
        made = self.create("digits/2", "--data", self.root / "words", "--labels", ",".join(words))
        self.assertEqual(made["class_labels"], words)
        self.assertGreater(made["evaluation"]["accuracy"], 0.9)
        # The folders do not say which class is which, and a hint says that few images are right.
        run = hellocnn("model", "create", "--weights", SHIPPED, "--output", self.models / "digits/3", "--data", self.root / "words")
        self.assertIn("another order of the labels", run.stderr)
        shutil.rmtree(self.root / "words" / "zero")
        run = hellocnn("model", "create", "--weights", SHIPPED, "--output", self.models / "digits/4", "--data", self.root / "words")
        self.assertEqual(run.returncode, 1)
        self.assertIn("has 10 classes, and there are 9 labels", run.stderr)

    def test_normalization_is_given_or_measured(self):
        self.create("digits/1", "--mean", "0.25", "--standard-deviation", "0.5")
        self.assertEqual(self.card("digits/1")["preprocessing"], {"content_size": 28, "padding": 2, "mean": 0.25, "standard_deviation": 0.5})
        levels = [level / 255 for level in first_digits(self.root / "data", "t10k", 100)]
        mean = sum(levels) / len(levels)
        deviation = math.sqrt(sum((level - mean) ** 2 for level in levels) / len(levels))
        self.create("digits/2", "--data", self.root / "data", "--normalization", "from-data", "--content-size", "28")
        self.assertAlmostEqual(self.card("digits/2")["preprocessing"]["mean"], mean, 6)
        self.assertAlmostEqual(self.card("digits/2")["preprocessing"]["standard_deviation"], deviation, 6)

    def test_dark_digits_are_mended_and_a_hint_is_given(self):
        first_digits(self.root / "data", "t10k", 300, lambda pixels: bytes(255 - level for level in pixels))
        run = hellocnn("model", "create", "--weights", SHIPPED, "--output", self.models / "digits/1", "--data", self.root / "data")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("hint: few images are right; --invert", run.stderr)
        made = self.create("digits/2", "--data", self.root / "data", "--invert")
        self.assertGreater(made["evaluation"]["accuracy"], 0.95)

    def test_a_version_that_is_there_is_never_changed(self):
        self.create("digits/1")
        before = (self.models / "digits/1/model_card.json").read_bytes()
        arguments = ["create", "--weights", SHIPPED, "--output", self.models / "digits/1"]
        self.assert_fails(*arguments, says=f"is there already, and versions never change; wanted a new folder, such as {self.models}/digits/2")
        self.assertEqual((self.models / "digits/1/model_card.json").read_bytes(), before)

    def test_broken_weights_make_nothing(self):
        whole = pathlib.Path(SHIPPED).read_bytes()
        broken = self.root / "broken.pt"
        for content in (b"", whole[:1000], whole[: len(whole) // 2], bytes(1000)):
            broken.write_bytes(content)
            self.assert_fails("create", "--weights", broken, "--output", self.models / "digits/1", says="broken.pt")
        self.assert_fails("create", "--weights", self.root / "none.pt", "--output", self.models / "digits/1", says="none.pt")
        infinite = self.write_state(lambda state: {**state, "conv.0.bias": ([6], struct.pack("<f", math.inf) * 6)})
        self.assert_fails("create", "--weights", infinite, "--output", self.models / "digits/1", says="conv.0.bias")
        self.assertFalse(self.models.exists())

    def test_a_degenerate_model_is_made_only_if_that_is_wanted(self):
        weights = self.write_state(lambda state: {**state, "linear.2.weight": ([10, 84], bytes(3360))})
        arguments = ["create", "--weights", weights, "--output", self.models / "digits/1"]
        self.assert_fails(*arguments, says="--allow-degenerate-model makes a version of them nevertheless")
        made = self.create("digits/1", "--allow-degenerate-model", weights=weights)
        self.assertIn("--allow-degenerate-model=on", made["notes"][0])
        run = hellocnn("model", "check", self.models)
        self.assertEqual(run.returncode, 1)
        self.assertIn("gives every image", " ".join(run.stdout.split()))
        server = run_server(f"--model={self.models}", "--listen=127.0.0.1:0", "--metrics-listen=off")
        self.assertEqual(server.returncode, 1, server.stderr)

    def test_wrong_usage(self):
        create = ["create", "--weights", SHIPPED, "--output", self.models / "digits/1"]
        for arguments, says in (
            ([], "a command is missing: create, check, diff, rollout, list"),
            (["crate"], "did you mean create?"),
            (["create", "--output", "x"], "--weights is required"),
            ([*create, "--content-size", "27"], "'27' is not an even number from 2 to 32"),
            ([*create, "--standard-deviation", "0"], "'0' is not a finite number greater than 0"),
            ([*create, "--mean", "nan"], "'nan' is not a finite number"),
            ([*create, "--golden-images", "65"], "65"),
            ([*create, "--normalization", "from-data"], "from-data needs --data"),
            ([*create, "--normalization", "mnist", "--mean", "1"], "--normalization excludes --mean"),
            ([*create, "--labels", "a", "--labels-file", "b"], "--labels excludes --labels-file"),
            ([*create, "--part", "train"], "--part requires --data"),
            ([*create, "--invert"], "--invert requires --data"),
            ([*create, "--labels", ""], "--labels: is empty"),
            ([*create, "--labels-file", ""], "--labels-file: is empty"),
            ([*create, "--data", ""], "--data: is empty"),
            (["diff", "a", "b", "--pictures", "3"], "--pictures requires --data"),
            ([*create, "--server", "h:1"], "--server: hellocnn model create does not use it, because it asks no server"),
            (["check"], "paths is required"),
            (["diff", "a"], "b is required"),
        ):
            with self.subTest(arguments):
                self.assert_fails(*arguments, says=says, code=2)
        self.assert_fails("create", "--weights", SHIPPED, "--output", self.models / "new", says="wanted a folder such as models/mnist/1, or --name")
        self.assert_fails("create", "--weights", SHIPPED, "--output", self.models / "new", "--version-label", b"\xff", says="wanted printable UTF-8")
        self.create("new", "--version-label", "2024-01")
        self.assertEqual((self.card("new")["name"], self.card("new")["version"]), ("new", "2024-01"))
        self.assert_fails("create", "--weights", SHIPPED, "--output", f"{SHIPPED}/1", says="cannot be made a folder")


class CheckTest(ModelCommandTest):
    def test_each_version_is_checked_and_one_failure_is_enough(self):
        for version in (1, 2, 3):
            self.create(f"digits/{version}")
        for folder in ("letters/1", "letters/.5", "letters/notes"):
            shutil.copytree(MODEL, self.models / folder)
        run = hellocnn("model", "check", self.models, SHIPPED, "--output", "json")
        self.assertEqual(run.returncode, 0, run.stdout)
        versions = json.loads(run.stdout)["versions"]
        self.assertEqual([(v["name"], v["version"]) for v in versions],
                         [("digits", "3"), ("digits", "2"), ("digits", "1"), ("letters", "1"), ("weights", "1")])
        self.assertIn("the card says model mnist", versions[3]["notes"][0])
        self.assertIsNone(versions[4]["test_accuracy"])
        # The weights of another version, a damaged golden image, and a card that is none.
        write_safetensors(self.models / "digits/1/weights.safetensors", perturbed(read_state_dict(SHIPPED)))
        golden = self.models / "digits/2/golden-images-idx3-ubyte"
        golden.write_bytes(golden.read_bytes()[:16] + bytes(10 * 1024))
        (self.models / "letters/1/model_card.json").write_text("{}")
        run = hellocnn("model", "check", self.models, "--output", "json")
        self.assertEqual(run.returncode, 1)
        found = {os.path.relpath(v["path"], self.models): v for v in json.loads(run.stdout)["versions"]}
        self.assertEqual({path: v["ok"] for path, v in found.items()},
                         {"digits/3": True, "digits/2": False, "digits/1": False, "letters/1": False})
        self.assertIn("SHA-256", found["digits/1"]["reason"])
        self.assertIn("golden image", found["digits/2"]["reason"])
        self.assertIn("name is missing", found["letters/1"]["reason"])
        run = hellocnn("model", "check", self.models)
        self.assertIn("failed", run.stdout)
        self.assertTrue(all(len(line) <= 80 or " " not in line[8:] for line in run.stdout.splitlines()), run.stdout)

    def test_paths_without_a_model_are_failures(self):
        (self.root / "empty").mkdir()
        run = hellocnn("model", "check", self.root / "empty", self.root / "none", MODEL)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stdout.count("failed"), 2, run.stdout)
        self.assertIn("ok ", run.stdout)


class CompareTest(ModelCommandTest):
    def setUp(self):
        super().setUp()
        self.create("digits/1")
        self.create("digits/2", weights=self.write_state(perturbed))

    def diff(self, *arguments):
        run = hellocnn("model", "diff", self.models / "digits/1", self.models / "digits/2", *arguments)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def test_the_weights_that_differ_are_named(self):
        weights = {tensor["tensor"]: tensor for tensor in json.loads(self.diff("--output", "json"))["weights"]}
        self.assertEqual(len(weights), 10)
        self.assertEqual({name for name, tensor in weights.items() if tensor["differing"]}, {"linear.2.weight"})
        self.assertEqual(weights["linear.2.weight"]["differing"], 2 * 84)
        before, after = (read_state_dict(SHIPPED), perturbed(read_state_dict(SHIPPED)))
        values = [struct.unpack("<840f", state["linear.2.weight"][1]) for state in (before, after)]
        self.assertAlmostEqual(weights["linear.2.weight"]["largest_difference"], max(abs(a - b) for a, b in zip(*values)), 6)
        self.assertRegex(self.diff(), r"linear\.2\.weight +840 +168 +0\.\d+\n")

    def test_both_are_compared_over_data_as_a_server_compares_them(self):
        offline = json.loads(self.diff("--data", TEST_DATA, "--output", "json"))["comparison"]
        counts = [offline[name] for name in ("both_right", "only_a_right", "only_b_right", "both_wrong")]
        self.assertEqual(sum(counts), 10000)
        self.assertEqual(offline["accuracy_of_a"], model_card()["test_accuracy"])
        self.assertGreater(len(offline["changed"]), 0)
        for image in offline["changed"]:
            self.assertNotEqual(image["a"], image["b"])
        self.assertAlmostEqual(offline["mcnemar"]["p_value"], p_value(counts[1], counts[2]), 12)
        text = self.diff("--data", TEST_DATA, "--pictures", "2")
        self.assertIn("images changed class.\n", text)
        self.assertEqual(text.count("image "), 2)
        with Server("--model-versions=all", model=str(self.models)) as server:
            versions = ["--model-version", "1", "--compare-version", "2"]
            run = server.cli("evaluate", "--data", TEST_DATA, "--output", "json", *versions)
            self.assertEqual(run.returncode, 0, run.stderr)
            online = json.loads(run.stdout)
            self.assertEqual(online["comparison"], offline)
            self.assertEqual((online["a"]["model"]["version"], online["b"]["model"]["version"]), ("1", "2"))
            self.assertEqual(online["b"]["accuracy"], offline["accuracy_of_b"])
            run = server.cli("evaluate", "--data", TEST_DATA, *versions)
            self.assertIn("A is digits/1, and B is digits/2.\n", run.stdout)
            self.assertIn("McNemar's test", run.stdout)
            run = server.cli("evaluate", "--data", TEST_DATA, "--compare-version", "9")
            self.assertEqual(run.returncode, 1)
            self.assertIn("NOT_FOUND", run.stderr)

    def test_models_that_cannot_be_compared_are_named(self):
        self.assert_fails("diff", self.models, MODEL, says="has 2 versions; wanted one")
        self.assert_fails("diff", MODEL, self.root / "none", says="none")
        def more(state):
            shape, weight = state["linear.2.weight"]
            return {**state, "linear.2.weight": ([11, 84], weight + weight[:336]), "linear.2.bias": ([11], state["linear.2.bias"][1] + bytes(4))}
        self.create("digits/3", weights=self.write_state(more))
        run = hellocnn("model", "diff", MODEL, self.models / "digits/3")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("shapes differ: [10, 84] and [11, 84]", run.stdout)
        self.assert_fails("diff", MODEL, self.models / "digits/3", "--data", TEST_DATA, says="wanted as many in both")


if __name__ == "__main__":
    unittest.main()
