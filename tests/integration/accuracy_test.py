"""The whole way: 10,000 test digits, read by the command line, sent over gRPC, batched, classified, counted."""

import json
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


if __name__ == "__main__":
    unittest.main()
