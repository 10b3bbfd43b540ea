"""Models with another number of classes than ten, from the weight file to the client."""

import json
import os
import string
import struct
import tempfile
import unittest

from hellocnn.v1 import classifier_service_pb2 as pb
from safetensors_format import read_state_dict, write_safetensors
from testbed import MODEL, Server, metric_sum, model_card, run_server, stub, test_digits, wait_until

INPUTS = 84  # of the last dense layer


def write_model(folder, labels, first_digit):
    """Writes a model whose class `first_digit` + d is the digit d of the shipped model; its other classes are unlikely.

    Returns the number of classes in the weights.
    """
    state = read_state_dict(os.path.join(MODEL, model_card()["weights"]))
    digits = 10
    above = first_digit
    below = max(len(labels) - digits - first_digit, 0)
    unlikely = struct.pack("<f", -1000.0)
    _, weight = state["linear.2.weight"]
    _, bias = state["linear.2.bias"]
    classes = above + digits + below
    row = bytes(4 * INPUTS)
    state["linear.2.weight"] = ([classes, INPUTS], row * above + weight + row * below)
    state["linear.2.bias"] = ([classes], unlikely * above + bias + unlikely * below)
    write_safetensors(os.path.join(folder, "weights.safetensors"), state)
    with open(os.path.join(folder, "model_card.json"), "w", encoding="utf-8") as file:
        json.dump({**model_card(), "weights": "weights.safetensors", "class_labels": labels}, file)
    return classes


class ClassesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model = folder.name

    def check(self, labels, first_digit, *arguments):
        write_model(self.model, labels, first_digit)
        digits = test_digits(8)  # all of which the shipped model gets right
        with Server(*arguments, model=self.model) as server, server.channel() as channel:
            classifier = stub(channel)
            request = pb.ClassifyRequest(images=[pb.Image(gray8=digit) for digit, _ in digits])
            predictions = classifier.Classify(request, timeout=30).predictions
            self.assertEqual(len(predictions), len(digits))
            for prediction, (_, digit) in zip(predictions, digits):
                self.assertEqual(prediction.class_index, first_digit + digit)
                self.assertEqual(prediction.label, labels[first_digit + digit])
                self.assertEqual(len(prediction.log_probabilities), len(labels))
            model = classifier.GetModel(pb.GetModelRequest(), timeout=30).model
            self.assertEqual(list(model.class_labels), labels)
            self.assertEqual(list(model.layers[-1].output_shape), [len(labels)])
            self.assertEqual(model.parameter_count, 61706 + 85 * (len(labels) - 10))
            total = "hellocnn_predictions_total"
            self.assertEqual(sum(name.startswith(total + "{") for name in server.metrics()), len(labels))
            wait_until(lambda: metric_sum(server.metrics(), total) == len(digits), "all predictions are counted")

    def test_letters_are_served_by_every_engine(self):
        for engine in ("simd", "torch", "torch-eager"):
            with self.subTest(engine):
                self.check(list(string.ascii_lowercase), 16, f"--engine={engine}")

    def test_the_most_classes_are_served(self):
        self.check([f"class {i}" for i in range(1024)], 500)

    def test_a_card_of_another_model_is_rejected(self):
        classes = write_model(self.model, [str(i) for i in range(9)], 0)
        self.assertEqual(classes, 10)
        run = run_server(f"--model={self.model}", "--listen=127.0.0.1:0", "--metrics-listen=off")
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertEqual(run.stdout, "")
        self.assertIn("has 9 class_labels; wanted 10", run.stderr)


if __name__ == "__main__":
    unittest.main()
