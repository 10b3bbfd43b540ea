"""deploy/compose.yaml gives its servers the time that they need to stop, and the models."""

import os
import unittest

import yaml

from manifests import CLOSE_SECONDS, StrictLoader, seconds
from testbed import SOURCE, run_server


def complaints(compose):
    """What is wrong with the times of the servers in a compose file."""
    found = []
    for name, service in compose["services"].items():
        if service.get("build", {}).get("target") != "slim":
            continue
        printed = run_server(*service["command"], "--print-config").stdout
        values = dict(line.split("#")[0].split(" = ") for line in printed.splitlines() if " = " in line)
        values = {name.strip(): value.strip().strip('"') for name, value in values.items()}
        needed = seconds(values["drain-delay"]) + seconds(values["drain-timeout"]) + CLOSE_SECONDS
        if seconds(service["stop_grace_period"]) <= needed:
            found.append(f"stop_grace_period of {name} is {service['stop_grace_period']}, wanted more than {needed} s")
    return found


class ComposeStopTest(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(SOURCE, "deploy/compose.yaml"), encoding="utf-8") as file:
            self.compose = yaml.load(file, StrictLoader)

    def test_no_server_is_killed_with_work_in_hand(self):
        self.assertEqual(complaints(self.compose), [])

    def test_the_check_can_fail(self):
        self.compose["services"]["replica"]["command"] = ["--drain-delay=20s", "--drain-timeout=20s"]
        self.assertEqual(complaints(self.compose), ["stop_grace_period of replica is 30s, wanted more than 42.5 s"])

    def test_servers_serve_the_repository_that_is_mounted(self):
        for name in ("server", "replica"):
            service = self.compose["services"][name]
            self.assertIn("--model=/models", service["command"])
            self.assertEqual(service["volumes"], ["${MODELS:-../models}:/models:ro"])
        self.assertTrue(os.path.exists(os.path.join(SOURCE, "deploy/../models/mnist/1/model_card.json")))


if __name__ == "__main__":
    unittest.main()
