"""What a server answers does not depend on the format that its weights came in."""

import json
import os
import struct
import tempfile
import unittest
import zipfile

from hellocnn.v1 import classifier_service_pb2 as pb
from safetensors_format import read_state_dict, write_safetensors
from testbed import MODEL, Server, model_card, stub, test_digits


def log_probabilities(model):
    """Of the first test digits, each classified alone."""
    with Server(model=model) as server, server.channel() as channel:
        classifier = stub(channel)
        answers = [
            classifier.Classify(pb.ClassifyRequest(images=[pb.Image(gray8=digit)]), timeout=30)
            for digit, _ in test_digits(50)
        ]
    return [list(answer.predictions[0].log_probabilities) for answer in answers]


class WeightFormatTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model = folder.name
        self.card = {**model_card(), "weights": "weights.safetensors"}
        with open(os.path.join(self.model, "model_card.json"), "w", encoding="utf-8") as file:
            json.dump(self.card, file)

    def write(self, state):
        write_safetensors(os.path.join(self.model, self.card["weights"]), state)

    def test_safetensors_give_the_answers_of_the_state_dict_to_the_bit(self):
        state = read_state_dict(os.path.join(MODEL, model_card()["weights"]))
        wanted = log_probabilities(MODEL)
        self.assertEqual({len(answer) for answer in wanted}, {10})
        self.write(state)
        self.assertEqual(log_probabilities(self.model), wanted)
        shape, values = state["linear.2.bias"]
        self.write({**state, "linear.2.bias": (shape, struct.pack("<f", 0.5) + values[4:])})
        self.assertNotEqual(log_probabilities(self.model), wanted)

    def test_an_exported_program_gives_the_answers_of_its_state_dict_to_the_bit(self):
        self.card["weights"] = "weights.pt2"
        with open(os.path.join(self.model, "model_card.json"), "w", encoding="utf-8") as file:
            json.dump({name: value for name, value in self.card.items() if name != "weights_sha256"}, file)
        with zipfile.ZipFile(os.path.join(self.model, "weights.pt2"), "w") as archive:
            archive.writestr("serialized_exported_program.json", "{}")
            archive.write(os.path.join(MODEL, model_card()["weights"]), "serialized_state_dict.pt")
        self.assertEqual(log_probabilities(self.model), log_probabilities(MODEL))


if __name__ == "__main__":
    unittest.main()
