"""hellocnn-train as its users meet it, on a small training set cut from MNIST's test digits."""

import gzip
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest
import zipfile

from safetensors_format import read_safetensors, read_state_dict

TRAIN = os.environ["HELLOCNN_TEST_TRAIN"]
DIGITS = pathlib.Path(os.environ["HELLOCNN_TEST_SOURCE"]) / "data" / "mnist-test"
TRAINING, TEST = 800, 200


def write_small_mnist(folder):
    images = gzip.open(DIGITS / "t10k-images-idx3-ubyte.gz").read()[16:]
    labels = gzip.open(DIGITS / "t10k-labels-idx1-ubyte.gz").read()[8:]
    for prefix, begin, count in [("train", 0, TRAINING), ("t10k", TRAINING, TEST)]:
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(
            struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28) + images[begin * 784 : (begin + count) * 784])
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(
            struct.pack(">4BI", 0, 0, 8, 1, count) + labels[begin : begin + count])


def digits(count):
    """The first test digits of MNIST, as the bytes of their pixels, and their labels."""
    images = gzip.open(DIGITS / "t10k-images-idx3-ubyte.gz").read()[16 : 16 + 784 * count]
    labels = gzip.open(DIGITS / "t10k-labels-idx1-ubyte.gz").read()[8 : 8 + count]
    return [images[784 * i : 784 * (i + 1)] for i in range(count)], list(labels)


class TrainTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.data = self.folder / "data"
        self.data.mkdir()
        write_small_mnist(self.data)

    def command(self, output, *flags):
        given = {flag.split("=")[0] for flag in flags}
        usual = ["--validation-size=160", "--epochs=4", "--search-epochs=1"]
        return [TRAIN, *([] if "--data" in given else [f"--data={self.data}"]), f"--output={self.folder / output}",
                *(flag for flag in usual if flag.split("=")[0] not in given), *flags]

    def run_train(self, output, *flags):
        return subprocess.run(self.command(output, *flags), capture_output=True, text=True, timeout=240)

    def read(self, output, name="weights.pt"):
        return (self.folder / output / name).read_bytes()

    def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(self):
        for output, seed in [("a", 7), ("b", 7), ("c", 8)]:
            done = self.run_train(output, f"--seed={seed}")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.read("a"), self.read("b"))
        self.assertEqual(self.read("a", "model_card.json"), self.read("b", "model_card.json"))
        self.assertNotEqual(self.read("a"), self.read("c"))

    def test_safetensors_hold_the_numbers_of_the_state_dict(self):
        for output, flags in [("a", []), ("b", ["--format=safetensors"])]:
            done = self.run_train(output, *flags)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(self.read("a", "model_card.json"))["weights"], "weights.pt")
        self.assertEqual(json.loads(self.read("b", "model_card.json"))["weights"], "weights.safetensors")
        state, _ = read_safetensors(self.folder / "b" / "weights.safetensors")
        self.assertEqual(state, read_state_dict(self.folder / "a" / "weights.pt"))
        self.assertFalse((self.folder / "b" / "weights.pt").exists())
        self.assertIn("weights.safetensors", done.stdout)

    def test_the_labels_say_how_many_classes_there_are(self):
        labels = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "none"]
        done = self.run_train("a", f"--class-labels={','.join(labels)}")
        self.assertEqual(done.returncode, 0, done.stderr)
        card = json.loads(self.read("a", "model_card.json"))
        self.assertEqual(card["class_labels"], labels)
        self.assertEqual(len(card["confusion_matrix"]), len(labels))
        with zipfile.ZipFile(self.folder / "a" / "weights.pt") as archive:
            self.assertEqual(len(archive.read("archive/data/9")), 4 * len(labels))
        too_few = self.run_train("b", "--class-labels=zero,one,two")
        self.assertEqual(too_few.returncode, 1)
        self.assertIn("wanted 0 to 2", too_few.stderr)

    def test_a_damaged_checkpoint_and_an_impossible_folder_are_named(self):
        training = self.folder / "a" / "training"
        training.mkdir(parents=True)
        (training / "lr0.001-d0.checkpoint").write_bytes(b"garbage")
        done = self.run_train("a")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{training}/lr0.001-d0.checkpoint: is no checkpoint", done.stderr)
        (self.folder / "file").write_bytes(b"")
        done = self.run_train("file")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{self.folder}/file: cannot be made a folder: File exists", done.stderr)

    def run_and_kill(self, run, epoch, output, *flags):
        """Kills a training with SIGKILL when it reports the epoch of the run."""
        process = subprocess.Popen(self.command(output, *flags), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith(run) and f"epoch   {epoch}" in line:
                process.kill()
                break
        process.wait()
        process.stderr.close()
        self.assertEqual(process.returncode, -9, "".join(lines))

    def test_an_interrupted_training_ends_as_if_it_had_not_been(self):
        whole = self.run_train("whole")
        self.assertEqual(whole.returncode, 0, whole.stderr)
        self.run_and_kill("final", "2/4", "cut")
        resumed = self.run_train("cut")
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertNotIn("epoch   1/4", resumed.stderr)
        self.assertEqual(self.read("whole"), self.read("cut"))

    def test_a_teacher_survives_interruptions_too(self):
        flags = ["--teacher-epochs=3", "--copies=2", "--averaging=0.9"]
        whole = self.run_train("whole", *flags)
        self.assertEqual(whole.returncode, 0, whole.stderr)
        self.run_and_kill("teacher", "2/3", "cut", *flags)
        self.run_and_kill("final", "2/4", "cut", *flags)
        resumed = self.run_train("cut", *flags)
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertNotIn("teacher", resumed.stderr)
        self.assertEqual(self.read("whole"), self.read("cut"))
        self.assertEqual(self.read("whole", "model_card.json"), self.read("cut", "model_card.json"))
        distillation = json.loads(self.read("cut", "model_card.json"))["training"]["distillation"]
        self.assertEqual((distillation["teacher_epochs"], distillation["copies"]), (3, 2))
        self.assertGreater(distillation["teacher_validation_accuracy"], 0.5)

    def test_the_card_tells_how_it_was_made(self):
        done = self.run_train("out", "--name=digits", "--version-label=9")
        self.assertEqual(done.returncode, 0, done.stderr)
        card = json.loads(self.read("out", "model_card.json"))
        self.assertEqual((card["name"], card["version"]), ("digits", "9"))
        self.assertEqual(card["weights_sha256"], hashlib.sha256(self.read("out")).hexdigest())
        self.assertEqual(card["training"]["split"], {"training": TRAINING - 160, "validation": 160})
        self.assertEqual(len(card["training"]["search"]), 4)
        matrix = card["confusion_matrix"]
        self.assertEqual(sum(map(sum, matrix)), TEST)
        self.assertEqual(sum(matrix[i][i] for i in range(10)) / TEST, card["test_accuracy"])
        self.assertEqual(set(card["data"]["sha256"]), {path.name for path in self.data.iterdir()})
        self.assertIn(f"of {TEST})", done.stdout)
        calibration = card["calibration"]
        self.assertEqual(calibration["bins"], 15)
        self.assertLess(0, calibration["expected_calibration_error"])
        self.assertLess(calibration["expected_calibration_error"], 1)
        self.assertLess(0.2, calibration["temperature"])
        self.assertLess(calibration["temperature"], 4.1)
        self.assertIsNone(card["training"]["distillation"])

    def test_checkpoints_of_other_settings_are_refused(self):
        self.assertEqual(self.run_train("out").returncode, 0)
        other = self.run_train("out", "--batch-size=32")
        self.assertEqual(other.returncode, 1)
        self.assertIn("other settings", other.stderr)
        self.assertEqual(self.run_train("out", "--batch-size=32", "--restart").returncode, 0)

    def test_other_names_and_presentations_of_the_data_are_understood(self):
        raw = self.data / "EMNIST" / "raw"
        raw.mkdir(parents=True)
        for path in list(self.data.glob("*-ubyte")):
            name = "emnist-digits-" + path.name.replace("t10k", "test")
            content = path.read_bytes()
            if "images" in name:
                content = content[:16] + bytes(255 - level for level in content[16:])
            (raw / name).write_bytes(content)
            path.unlink()
        done = self.run_train("out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("hint: the edges of these images are bright", done.stderr)
        self.assertIn("--invert", done.stderr)
        self.assertEqual(set(json.loads(self.read("out", "model_card.json"))["data"]["sha256"]),
                         {path.name for path in raw.iterdir()})
        mended = self.run_train("mended", "--invert")
        self.assertEqual(mended.returncode, 0, mended.stderr)
        self.assertNotIn("hint", mended.stderr)
        for path in raw.iterdir():
            path.unlink()
        raw.rmdir()
        write_small_mnist(self.data)
        self.assertEqual(self.run_train("plain").returncode, 0)
        self.assertEqual(self.read("mended"), self.read("plain"))

    def write_pictures(self, folder, names, begin, end):
        """Writes digits as pictures into folders of their classes; classes without a name are left out."""
        images, labels = digits(end)
        for i in range(begin, end):
            if labels[i] in names:
                path = folder / names[labels[i]] / f"{i}.pgm"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"P5 28 28 255\n" + images[i])

    def test_folders_of_pictures_name_the_classes(self):
        names = {0: "round", 1: "line", 8: "knot"}
        self.data = self.folder / "pictures"
        self.write_pictures(self.data / "train", names, 0, 600)
        self.write_pictures(self.data / "test", names, 600, 1000)
        done = self.run_train("out", "--validation-size=20", "--epochs=12", "--batch-size=16")
        self.assertEqual(done.returncode, 0, done.stderr)
        card = json.loads(self.read("out", "model_card.json"))
        self.assertEqual(card["class_labels"], ["knot", "line", "round"])
        self.assertEqual(card["data"], {"name": "pictures"})
        self.assertGreater(card["test_accuracy"], 0.8)
        self.assertNotIn("note", done.stderr)

    def test_without_a_test_part_there_is_no_test_accuracy(self):
        self.data = self.folder / "pictures"
        self.write_pictures(self.data, {3: "3", 7: "10"}, 0, 700)
        done = self.run_train("out", "--validation-size=20")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("note: there is no test set, so the model card will have no test accuracy", done.stderr)
        self.assertIn("no test set", done.stdout)
        card = json.loads(self.read("out", "model_card.json"))
        self.assertEqual(card["class_labels"], ["3", "10"])
        self.assertLessEqual({"test_accuracy", "test_correct", "test_size", "confusion_matrix"} & set(card), set())

    def test_the_mean_and_deviation_are_those_of_the_images_for_training(self):
        images, labels = digits(10000)
        content = b"".join(images)
        (self.data / "train-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 10000, 28, 28) + content)
        (self.data / "train-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 10000) + bytes(labels))
        flags = ["--validation-size=9900", "--batch-size=50", "--epochs=1", "--search-epochs=0"]
        for output, more in (("own", []), ("given", ["--normalization=0.5,0.25"])):
            done = self.run_train(output, *flags, *more)
            self.assertEqual(done.returncode, 0, done.stderr)
        preprocessing = json.loads(self.read("own", "model_card.json"))["preprocessing"]
        self.assertEqual((preprocessing["content_size"], preprocessing["padding"]), (28, 2))
        # Of the 100 digits for training only, so it is near to that of all.
        mean = sum(content) / len(content) / 255
        self.assertAlmostEqual(preprocessing["mean"], mean, delta=0.015)
        self.assertAlmostEqual(preprocessing["standard_deviation"], 0.3081, delta=0.015)
        self.assertEqual(preprocessing["mean"], round(preprocessing["mean"], 4))
        given = json.loads(self.read("given", "model_card.json"))["preprocessing"]
        self.assertEqual((given["mean"], given["standard_deviation"]), (0.5, 0.25))
        done = self.run_train("own", *flags, "--normalization=0.5,0.25")
        self.assertEqual(done.returncode, 1)
        self.assertIn("other settings", done.stderr)

    def test_labels_come_from_a_file_or_the_data(self):
        labels_file = self.folder / "labels.txt"
        labels_file.write_text("".join(f"number {i}\n" for i in range(10)))
        quick = ["--epochs=1", "--search-epochs=0"]
        done = self.run_train("file", f"--labels-file={labels_file}", *quick)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(self.read("file", "model_card.json"))["class_labels"][9], "number 9")
        both = self.run_train("both", f"--labels-file={labels_file}", "--labels=a,b", *quick)
        self.assertEqual(both.returncode, 2, both.stderr)
        # Labels from 1 on, as EMNIST's letters have them.
        for name in ("train", "t10k"):
            path = self.data / f"{name}-labels-idx1-ubyte"
            path.write_bytes(path.read_bytes()[:8] + bytes(label + 1 for label in path.read_bytes()[8:]))
        done = self.run_train("wrong", *quick)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no image has the label 0, and the greatest is 10", done.stderr)
        self.assertIn("--first-label 1", done.stderr)
        done = self.run_train("right", "--first-label=1", *quick)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(self.read("right", "model_card.json"))["class_labels"], [str(i) for i in range(10)])

    def test_arrays_of_numpy_train_as_the_files_of_mnist_do(self):
        import numpy  # Debian's own, as Debian's own Python runs this

        flags = ["--epochs=1", "--search-epochs=0"]
        self.assertEqual(self.run_train("idx", *flags).returncode, 0)
        images, labels = digits(TRAINING + TEST)
        pixels = numpy.frombuffer(b"".join(images), "uint8").reshape(-1, 28, 28)
        self.data = self.folder / "mnist.npz"
        numpy.savez_compressed(self.data, x_train=pixels[:TRAINING], y_train=labels[:TRAINING],
                               x_test=numpy.asfortranarray(pixels[TRAINING:] / numpy.float32(255)), y_test=labels[TRAINING:])
        done = self.run_train("npz", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("multiplied by 255", done.stderr)
        self.assertEqual(self.read("npz"), self.read("idx"))
        card = json.loads(self.read("npz", "model_card.json"))
        self.assertEqual(card["data"]["name"], "mnist.npz")
        self.assertEqual(list(card["data"]["sha256"]), ["mnist.npz"])
        self.assertEqual(card["test_accuracy"], json.loads(self.read("idx", "model_card.json"))["test_accuracy"])

    def test_bad_data_is_named(self):
        (self.data / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x05abc")
        done = self.run_train("out")
        self.assertEqual(done.returncode, 1)
        self.assertIn("train-labels-idx1-ubyte", done.stderr)

    def test_bad_flags_exit_with_2(self):
        for flags in [["--epochs=0"], ["--format=onnx"], ["--distortions=2"], ["--no-such-flag"], ["--validation-size=799"],
                      ["--normalization=0.5"], ["--normalization=0.5,0"], ["--fit=crop"], ["--first-label=-1"],
                      ["--batch-size=1"], ["--averaging=1"], ["--teacher-epochs=-1"], ["--temperature=0"], ["--copies=0"]]:
            done = self.run_train("out", *flags)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(flags[0].split("=")[0].lstrip("-"), done.stderr)


if __name__ == "__main__":
    unittest.main()
