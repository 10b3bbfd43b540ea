"""The whole way: 10,000 test digits, read by the command line, sent over gRPC, batched, classified, counted."""

import gzip
import json
import os
import pathlib
import random
import struct
import tempfile
import unittest

from testbed import TEST_DATA, Server, model_card


class AccuracyTest(unittest.TestCase):
    def test_accuracy_over_the_wire_equals_the_model_card_to_the_digit(self):
        card = model_card()
        with Server() as server:
            run = server.cli("evaluate", "--data", TEST_DATA, "--output", "json")
        self.assertEqual(run.returncode, 0, run.stderr)
        result = json.loads(run.stdout)
        self.assertEqual(result["images"], 10000)
        self.assertEqual(result["accuracy"], card["test_accuracy"])
        confusion = result["confusion"]
        self.assertEqual(sum(map(sum, confusion)), 10000)
        self.assertEqual(sum(confusion[i][i] for i in range(10)), round(card["test_accuracy"] * 10000))
        self.assertGreaterEqual(result["accuracy"], 0.965)


class DatasetTest(unittest.TestCase):
    """Test sets under other names, and stored in other ways."""

    COUNT = 500

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data = pathlib.Path(folder.name)
        self.digits = gzip.open(os.path.join(TEST_DATA, "t10k-images-idx3-ubyte.gz")).read()[16 : 16 + 784 * self.COUNT]
        self.labels = gzip.open(os.path.join(TEST_DATA, "t10k-labels-idx1-ubyte.gz")).read()[8 : 8 + self.COUNT]

    def write(self, digits, prefix="emnist-digits-test", labels=None):
        (self.data / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, self.COUNT, 28, 28) + digits)
        (self.data / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, self.COUNT) + (labels or self.labels))

    def transposed(self, digits):
        out = bytearray()
        for at in range(0, len(digits), 784):
            for column in range(28):
                out += digits[at + column : at + 784 : 28]
        return bytes(out)

    def evaluate(self, server, *flags):
        run = server.cli("evaluate", "--data", str(self.data), "--output", "json", *flags)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)["accuracy"], run.stderr

    def test_the_flags_that_mend_the_images_are_found_and_mend_them(self):
        inverted = bytes(255 - level for level in self.digits)
        with Server() as server:
            for digits, flags in [
                (inverted, ["--invert"]),
                (self.transposed(self.digits), ["--transpose"]),
                (self.transposed(inverted), ["--invert", "--transpose"]),
            ]:
                with self.subTest(flags):
                    self.write(digits)
                    accuracy, hint = self.evaluate(server)
                    self.assertLess(accuracy, 0.4)
                    self.assertRegex(hint, rf"^hellocnn: hint: of 300 of these images, .* with {' '.join(flags)}\n$")
                    accuracy, hint = self.evaluate(server, *flags)
                    self.assertGreater(accuracy, 0.95)
                    self.assertEqual(hint, "")
            self.write(self.digits)
            accuracy, hint = self.evaluate(server)
            self.assertGreater(accuracy, 0.95)
            self.assertEqual(hint, "")
            self.assertIn("neither --invert nor --transpose", self.evaluate(server, "--invert")[1])

    def test_noise_gets_no_hint(self):
        self.write(random.Random(1).randbytes(784 * self.COUNT))
        with Server() as server:
            accuracy, hint = self.evaluate(server)
        self.assertLess(accuracy, 0.4)
        self.assertEqual(hint, "")

    def test_labels_that_the_model_does_not_have_are_named(self):
        self.write(self.digits, labels=bytes(self.COUNT - 1) + b"\x1a")
        with Server() as server:
            run = server.cli("evaluate", "--data", str(self.data))
        self.assertEqual(run.returncode, 1)
        self.assertIn("label 499 is 26; wanted 0 to 9, for 10 classes", run.stderr)

    def test_load_finds_the_same_files(self):
        self.write(self.digits)
        with Server() as server:
            run = server.cli("load", "--data", str(self.data), "--duration", "300ms", "--rate", "50")
        self.assertEqual(run.returncode, 0, run.stderr)


if __name__ == "__main__":
    unittest.main()
