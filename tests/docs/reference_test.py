"""The tables of the reference say what the built programs say of themselves."""

import os
import re
import unittest
import urllib.request

import layers_reference
import metrics_reference
import options_reference
from testbed import SERVER, SOURCE, Server, ServerWithAllMetrics

PAGE = "docs/reference/metrics.md"

EXPOSITION = """\
# HELP a_total Things, by kind.
# TYPE a_total counter
a_total{reason="one",model="m"} 1
a_total{reason="two",model="m"} 2
# HELP b_seconds A time.
# TYPE b_seconds histogram
b_seconds_bucket{le="1"} 1
b_seconds_sum 1
"""


class MetricsTest(unittest.TestCase):
    def test_the_tables_list_what_a_server_exposes(self):
        with ServerWithAllMetrics() as server:
            with urllib.request.urlopen(f"http://{server.metrics_address}/metrics", timeout=30) as page:
                exposition = page.read().decode()
        with open(os.path.join(SOURCE, PAGE), encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(metrics_reference.unlisted(text, exposition), [], f"{PAGE} has no section for these")
        self.maxDiff = None
        self.assertEqual(text, metrics_reference.rewrite(text, exposition), "run tests/docs/metrics_reference.py")

    def test_each_limit_of_the_transport_is_explained(self):
        with Server("--transport=http2") as server:
            metrics = server.metrics()
        with open(os.path.join(SOURCE, "docs/reference/limits.md"), encoding="utf-8") as file:
            explained = set(re.findall(r"^\| `(\w+)` \|", file.read(), re.MULTILINE))
        counted = set(re.findall(r'hellocnn_transport_limits_total\{reason="(\w+)"\}', "\n".join(metrics)))
        self.assertEqual(explained, counted)

    def test_a_table_has_kind_labels_and_meaning(self):
        page = "<!-- metrics: a_ -->\nold\n<!-- end -->\n"
        self.assertEqual(
            metrics_reference.rewrite(page, EXPOSITION),
            "<!-- metrics: a_ -->\n"
            "| metric | kind | labels | meaning |\n"
            "|---|---|---|---|\n"
            "| `a_total` | counter | `reason` (`one`, `two`), `model` | Things, by kind |\n"
            "<!-- end -->\n",
        )
        self.assertEqual(metrics_reference.unlisted(page, EXPOSITION), ["b_seconds"])


class OptionsTest(unittest.TestCase):
    def test_the_tables_are_what_the_programs_print(self):
        self.maxDiff = None
        for page, program in options_reference.PAGES.items():
            with self.subTest(page), open(os.path.join(SOURCE, page), encoding="utf-8") as file:
                text = file.read()
                tables = options_reference.printed(os.path.join(os.path.dirname(SERVER), program))
                self.assertEqual(text, options_reference.rewrite(text, tables), "run tests/docs/options_reference.py BIN")

    def test_what_stands_between_the_markers_is_replaced(self):
        page = "before\n<!-- options -->\n| old |\n<!-- end -->\nafter\n"
        self.assertEqual(
            options_reference.rewrite(page, "| new |\n"), "before\n<!-- options -->\n\n| new |\n\n<!-- end -->\nafter\n"
        )
        with self.assertRaisesRegex(ValueError, "0 sections"):
            options_reference.rewrite("no markers", "")


class LayersTest(unittest.TestCase):
    def test_the_architecture_has_the_table_of_the_layers_check(self):
        with open(layers_reference.PAGE, encoding="utf-8") as file:
            text = file.read()
        self.assertIn("| `base/` | nothing of ours |", text)
        self.maxDiff = None
        self.assertEqual(text, layers_reference.rewrite(text), "run tests/docs/layers_reference.py")


if __name__ == "__main__":
    unittest.main()
