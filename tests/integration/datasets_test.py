"""Data that people bring, the whole way: a training, its model in a server, and an evaluation through that."""

import gzip
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from testbed import CLI, TEST_DATA, Server, clean_environment

TRAIN = os.path.join(os.path.dirname(CLI), "hellocnn-train")
NAMES = {0: "round", 1: "line", 4: "fork"}  # classes of its own, out of MNIST's digits


class OwnClassesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        images = gzip.open(os.path.join(TEST_DATA, "t10k-images-idx3-ubyte.gz")).read()[16:]
        labels = gzip.open(os.path.join(TEST_DATA, "t10k-labels-idx1-ubyte.gz")).read()[8:]
        for part, begin, end in (("train", 0, 2500), ("test", 2500, 3500)):
            for i in range(begin, end):
                if labels[i] in NAMES:
                    picture = cls.folder / "pictures" / part / NAMES[labels[i]] / f"{i}.pgm"
                    picture.parent.mkdir(parents=True, exist_ok=True)
                    picture.write_bytes(b"P5 28 28 255\n" + images[784 * i : 784 * (i + 1)])
        cls.count = sum(1 for _ in (cls.folder / "pictures" / "test").glob("*/*.pgm"))
        run = subprocess.run(
            [TRAIN, "--data", cls.folder / "pictures", "--output", cls.folder / "model", "--name=shapes", "--epochs=6",
             "--search-epochs=0", "--learning-rates=6e-3", "--distortions=0", "--batch-size=16"],
            env=clean_environment(), capture_output=True, text=True, timeout=280)
        assert run.returncode == 0, run.stderr

    def evaluate(self, server, data, *flags):
        run = server.cli("evaluate", "--data", str(data), "--output", "json", *flags)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def test_the_server_is_as_right_as_the_training_said(self):
        card = json.loads((self.folder / "model" / "model_card.json").read_text())
        self.assertEqual(card["class_labels"], ["fork", "line", "round"])
        self.assertGreater(card["test_accuracy"], 0.9)
        with Server(model=str(self.folder / "model")) as server:
            result = self.evaluate(server, self.folder / "pictures")
            self.assertEqual(result["images"], self.count)
            self.assertEqual(result["accuracy"], card["test_accuracy"])
            self.assertEqual(result["confusion"], card["confusion_matrix"])
            # The first of them are of all classes.
            few = self.evaluate(server, self.folder / "pictures", "--limit", "30")
            self.assertEqual([sum(row) for row in few["confusion"]], [10, 10, 10])

    def test_folders_that_are_no_class_of_the_model_are_named(self):
        with Server() as server:
            run = server.cli("evaluate", "--data", str(self.folder / "pictures"))
        self.assertEqual(run.returncode, 1)
        self.assertIn('no class of the model: "fork", "line", "round"; wanted folders named as its classes: "0", "1"', run.stderr)


class ArraysTest(unittest.TestCase):
    def test_arrays_of_numpy_are_evaluated_as_the_files_that_they_are_of(self):
        import numpy  # Debian's own, as Debian's own Python runs this

        images = numpy.frombuffer(gzip.open(os.path.join(TEST_DATA, "t10k-images-idx3-ubyte.gz")).read()[16:], "uint8")
        labels = numpy.frombuffer(gzip.open(os.path.join(TEST_DATA, "t10k-labels-idx1-ubyte.gz")).read()[8:], "uint8")
        with tempfile.TemporaryDirectory() as folder, Server() as server:
            numpy.savez_compressed(os.path.join(folder, "mnist.npz"), x_test=images.reshape(-1, 28, 28), y_test=labels.astype(">i4"))
            accuracies = []
            for data in (TEST_DATA, os.path.join(folder, "mnist.npz"), folder):
                run = server.cli("evaluate", "--data", data, "--limit", "2000", "--output", "json")
                self.assertEqual(run.returncode, 0, run.stderr)
                accuracies.append(json.loads(run.stdout)["accuracy"])
            self.assertEqual(len(set(accuracies)), 1, accuracies)
            numpy.save(os.path.join(folder, "x_test.npy"), numpy.array([None]), allow_pickle=True)
            os.remove(os.path.join(folder, "mnist.npz"))
            numpy.save(os.path.join(folder, "y_test.npy"), labels[:1])
            run = server.cli("evaluate", "--data", folder)
            self.assertEqual(run.returncode, 1)
            self.assertIn("x_test.npy: holds Python objects, a pickle, which could run anything and is not read", run.stderr)


if __name__ == "__main__":
    unittest.main()
