"""What the server says of weights and of the model card beside them."""

import hashlib
import json
import os
import struct
import tempfile
import unittest

from safetensors_format import read_state_dict, size, write_safetensors
from testbed import MODEL, Server, metric_sum, model_card, run_server

WEIGHTS = os.path.join(MODEL, model_card()["weights"])


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def with_value(state, name, index, value):
    """The state with one number changed."""
    shape, values = state[name]
    return {**state, name: (shape, values[: 4 * index] + struct.pack("<f", value) + values[4 * index + 4 :])}


class ModelTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model = folder.name
        self.weights = os.path.join(self.model, "weights.safetensors")
        self.state = read_state_dict(WEIGHTS)

    def write(self, state, dtypes=None, **card):
        """Writes a model of these weights, with the shipped card but for what `card` changes."""
        write_safetensors(self.weights, state, dtypes=dtypes)
        card = {**model_card(), "weights": "weights.safetensors", **card}
        with open(os.path.join(self.model, "model_card.json"), "w", encoding="utf-8") as file:
            json.dump({name: value for name, value in card.items() if value is not None}, file)

    def assert_rejected(self, *parts):
        run = run_server(f"--model={self.model}", "--listen=127.0.0.1:0", "--metrics-listen=off")
        self.assertEqual(run.returncode, 1, run.stderr)
        for part in parts:
            self.assertIn(part, run.stderr)
        self.assertNotIn("pixels", run.stderr)
        return run.stderr

    def described(self, server):
        return json.loads(server.cli("describe", "--output", "json").stdout)


class CardTest(ModelTest):
    def test_the_shipped_card_is_of_the_shipped_weights(self):
        self.assertEqual(model_card()["weights_sha256"], sha256(WEIGHTS))
        with Server() as server:
            self.assertEqual(metric_sum(server.metrics(), "hellocnn_model_card_mismatch"), 0)
            described = self.described(server)
            self.assertEqual(described["weights_sha256"], sha256(WEIGHTS))
            self.assertFalse(described["card_of_other_weights"])
            self.assertNotIn("WARNING", server.cli("describe").stdout)
        self.assertNotIn("not of these weights", server.stderr())

    def test_a_copied_card_is_a_warning_in_the_log_in_describe_and_in_a_metric(self):
        self.write(with_value(self.state, "linear.2.bias", 3, 0.25))
        with Server(model=self.model) as server:
            self.assertEqual(metric_sum(server.metrics(), "hellocnn_model_card_mismatch"), 1)
            described = self.described(server)
            self.assertEqual(described["weights_sha256"], sha256(self.weights))
            self.assertTrue(described["card_of_other_weights"])
            self.assertIn("WARNING: the model card was written for other weights", server.cli("describe").stdout)
        warnings = [line for line in server.stderr().splitlines() if "the model card is not of these weights" in line]
        self.assertEqual(len(warnings), 1, server.stderr())
        self.assertIn(sha256(WEIGHTS), warnings[0])
        self.assertIn(sha256(self.weights), warnings[0])

    def test_a_card_that_does_not_say_is_believed(self):
        self.write(self.state, weights_sha256=None)
        with Server(model=self.model) as server:
            self.assertEqual(metric_sum(server.metrics(), "hellocnn_model_card_mismatch"), 0)
            self.assertFalse(self.described(server)["card_of_other_weights"])

    def test_a_checksum_that_is_none_is_rejected(self):
        self.write(self.state, weights_sha256="12ab")
        self.assert_rejected('weights_sha256 is "12ab"', "64 hexadecimal digits")


class WeightsTest(ModelTest):
    def test_a_model_that_knows_one_class_only_is_rejected_unless_forced(self):
        shape, values = self.state["linear.2.weight"]
        self.write({**self.state, "linear.2.weight": (shape, bytes(len(values)))}, class_labels=[f"digit {i}" for i in range(10)])
        stderr = self.assert_rejected("every image of the verification the class digit ", "--allow-degenerate-model=on")
        # Whoever sees the one should see the other.
        self.assertIn("the model card is not of these weights", stderr)
        with Server("--allow-degenerate-model=on", model=self.model) as server:
            self.assertEqual(server.cli("health").returncode, 0)
        self.assertIn("every image of the verification the class", server.stderr())

    def test_weights_that_overflow_are_blamed_at_start(self):
        self.write(with_value(self.state, "conv.3.weight", 17, 1e38))
        self.assert_rejected("tensor conv.3.weight: value 17 is 1e+38")
        self.write(with_value(self.state, "linear.0.bias", 5, float("nan")))
        self.assert_rejected("tensor linear.0.bias: value 5 is nan")
        doubles = struct.pack("<10d", *[0.5] * 9, 1e39)
        self.write({**self.state, "linear.2.bias": ([10], doubles)}, {"linear.2.bias": "F64"})
        self.assert_rejected("tensor linear.2.bias: value 9 is 1e+39")

    def test_what_was_mended_is_in_the_log(self):
        state = {}
        for name, (shape, values) in self.state.items():
            upper = b"".join(values[4 * i + 2 : 4 * i + 4] for i in range(size(shape)))
            state["_orig_mod." + name] = (shape, upper)
        self.write(state, dict.fromkeys(state, "BF16"))
        with Server(model=self.model) as server:
            self.assertEqual(server.cli("health").returncode, 0)
        self.assertIn('stripped the prefix "_orig_mod."', server.stderr())
        self.assertIn("widened bfloat16 to float32 in 10 tensors", server.stderr())


if __name__ == "__main__":
    unittest.main()
