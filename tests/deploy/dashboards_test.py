"""Rules that dashboards, alerts and runbooks keep, and that need no Prometheus; query_dashboards.py asks one.

Names of metrics come from one place: the pages of the built server and of the built load generator.
"""

import json
import os
import re
import subprocess
import unittest
import urllib.request

import grafana
import testbed

PROMETHEUS = os.path.join(testbed.SOURCE, "deploy/prometheus")
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
VARIABLES = ["datasource", "job", "model", "instance"]


def read(*path):
    with open(os.path.join(testbed.SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def each_panel():
    for name, dashboard in grafana.load().items():
        for panel in grafana.panels(dashboard):
            yield f"{name}: {panel.get('title')}", panel


class DashboardsTest(unittest.TestCase):
    def test_all_four_are_there_and_have_stable_names(self):
        uids = {name: dashboard["uid"] for name, dashboard in grafana.load().items()}
        self.assertEqual(
            uids,
            {
                "batching_and_engine.json": "hellocnn-batching-and-engine",
                "load_test.json": "hellocnn-load-test",
                "model.json": "hellocnn-model",
                "service.json": "hellocnn-service",
            },
        )

    def test_files_are_formatted_so_that_a_change_shows_as_a_small_difference(self):
        for name, dashboard in grafana.load().items():
            with self.subTest(name):
                canonical = json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
                self.assertTrue(read("deploy/grafana/dashboards", name) == canonical, "not as json.dumps(indent=2) writes it")

    def test_each_panel_says_what_it_shows(self):
        titles = [where for where, _ in each_panel()]
        self.assertGreater(len(titles), 60)
        for where, panel in each_panel():
            with self.subTest(where):
                defaults = panel["fieldConfig"]["defaults"]
                self.assertTrue(panel["title"].strip())
                self.assertRegex(panel["description"], r"^\w.{20,}\.$")
                self.assertTrue(defaults["unit"])
                steps = defaults["thresholds"]["steps"]
                self.assertIsNone(steps[0]["value"])
                limits = [step["value"] for step in steps[1:]]
                self.assertEqual(limits, sorted(set(limits)))
                self.assertTrue(panel["targets"])

    def test_the_top_row_judges(self):
        """Numbers at the top of a dashboard with a good and a bad side, coloured by it."""
        for name, dashboard in grafana.load().items():
            with self.subTest(name):
                top = [panel for panel in grafana.panels(dashboard) if panel["gridPos"]["y"] == 1]
                self.assertEqual({panel["type"] for panel in top}, {"stat"})
                judged = [panel for panel in top if len(panel["fieldConfig"]["defaults"]["thresholds"]["steps"]) > 1]
                self.assertGreaterEqual(len(judged), 4)

    def test_each_query_goes_to_the_chosen_data_source_and_uses_only_known_variables(self):
        for name, dashboard in grafana.load().items():
            variables = {variable["name"] for variable in dashboard["templating"]["list"]}
            self.assertEqual(list(variable["name"] for variable in dashboard["templating"]["list"])[:4], VARIABLES)
            for where, expression in grafana.expressions(dashboard):
                with self.subTest(f"{name}: {where}"):
                    self.assertLessEqual(set(re.findall(r"\$(\w+)", expression)), variables | {"__rate_interval"})
        for where, panel in each_panel():
            with self.subTest(where):
                self.assertEqual(panel["datasource"], DATA_SOURCE)
                for target in panel["targets"]:
                    self.assertEqual(target["datasource"], DATA_SOURCE)

    def test_each_server_query_keeps_to_the_chosen_job(self):
        """Two jobs in one sum would tell of neither."""
        for where, panel in each_panel():
            for target in panel["targets"]:
                for series, labels in grafana.SELECTOR.findall(target["expr"]):
                    if not series.startswith("hellocnn:"):
                        with self.subTest(f"{where}: {series}"):
                            self.assertRegex(labels or "", r'job="\$job"|job=~"\$load_job"')

    def test_all_of_a_job_or_of_instances_means_those_that_are_listed(self):
        """An allValue such as `.+` would take in the other jobs: servers among load generators."""
        for name, dashboard in grafana.load().items():
            with self.subTest(name):
                with_all_value = {variable["name"] for variable in dashboard["templating"]["list"] if "allValue" in variable}
                self.assertLessEqual(with_all_value, {"model"})  # which only chooses instances of the job

    def test_rates_follow_the_zoom(self):
        for where, panel in each_panel():
            for target in panel["targets"]:
                with self.subTest(where):
                    windows = re.findall(r"(?:rate|increase)\([^\[]*\[([^\]]+)\]", target["expr"])
                    self.assertLessEqual(set(windows), {"$__rate_interval"})

    def test_panels_have_ids_of_their_own_and_do_not_overlap(self):
        for name, dashboard in grafana.load().items():
            with self.subTest(name):
                ids = [panel["id"] for panel in dashboard["panels"]]
                self.assertEqual(sorted(ids), sorted(set(ids)))
                taken = set()
                for panel in dashboard["panels"]:
                    place = panel["gridPos"]
                    cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
                    self.assertFalse(taken & cells, panel["title"])
                    self.assertLessEqual(place["x"] + place["w"], 24)
                    taken |= cells

    def test_a_status_code_has_one_colour_everywhere(self):
        colours = {}
        for where, panel in each_panel():
            by_code = any("{{code}}" in target["legendFormat"] for target in panel["targets"])
            for override in panel["fieldConfig"]["overrides"]:
                name = override["matcher"]["options"]
                if name.isupper():
                    for rule in override["properties"]:
                        if rule["id"] == "color":
                            colours.setdefault(name, set()).add(rule["value"]["fixedColor"])
            if by_code:
                with self.subTest(where):
                    names = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
                    self.assertLessEqual({"OK", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED"}, names)
        self.assertTrue(colours)
        for code, seen in colours.items():
            self.assertEqual(len(seen), 1, f"{code} is {seen}")

    def test_histograms_over_time_are_heatmaps(self):
        for where, panel in each_panel():
            with self.subTest(where):
                if panel["type"] == "heatmap":
                    self.assertEqual([target["format"] for target in panel["targets"]], ["heatmap"])
                    self.assertIn("sum by (le)", panel["targets"][0]["expr"])

    def test_each_dashboard_links_to_the_others_with_servers_and_time(self):
        for name, dashboard in grafana.load().items():
            with self.subTest(name):
                (link,) = dashboard["links"]
                self.assertEqual((link["type"], link["includeVars"], link["keepTime"]), ("dashboards", True, True))
                self.assertLessEqual(set(link["tags"]), set(dashboard["tags"]))

    def test_grafana_knows_how_often_prometheus_scrapes(self):
        (scrape,) = re.findall(r"^  scrape_interval: (\w+)", read("deploy/prometheus/prometheus.yml"), re.MULTILINE)
        (grafanas,) = re.findall(r"timeInterval: (\w+)", read("deploy/grafana/provisioning/datasources/prometheus.yml"))
        self.assertEqual(scrape, grafanas)
        self.assertEqual(scrape, f"{grafana.RATE_INTERVAL // 4}s")


def alerts():
    """{alert: its text} of alert_rules.yml."""
    parts = re.split(r"^ +- alert: (\w+)$", read("deploy/prometheus/alert_rules.yml"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


class RunbooksTest(unittest.TestCase):
    def test_each_alert_says_how_bad_it_is_and_what_was_seen(self):
        self.assertGreater(len(alerts()), 15)
        for name, text in alerts().items():
            with self.subTest(name):
                self.assertRegex(text, r"labels: \{severity: (critical|warning|info)\}")
                self.assertRegex(text, r"summary: \S")
                # Absence has no value to tell.
                if name not in ("HellocnnDown",):
                    self.assertRegex(text, r"\{\{ .*(\$value|\$labels)")

    def test_each_alert_has_a_runbook_and_each_runbook_an_alert(self):
        runbooks = read("docs/runbooks.md").partition("\n## Alerts\n")[2]
        headings = set(re.findall(r"^### (\w+)$", runbooks, re.MULTILINE))
        self.assertEqual(headings, set(alerts()))
        for name, text in alerts().items():
            with self.subTest(name):
                # The anchor that GitHub and others make of a heading of one word.
                self.assertRegex(text, rf"runbook_url: docs/runbooks\.md#{name.lower()}\n")

    def test_promtool_evaluates_all_groups_in_the_order_of_the_files(self):
        rules = read("deploy/prometheus/recording_rules.yml") + read("deploy/prometheus/alert_rules.yml")
        order = read("deploy/prometheus/alert_rules_test.yml").partition("group_eval_order:\n")[2].partition("\n\n")[0]
        self.assertEqual(re.findall(r"- (\S+)", order), re.findall(r"^  - name: (\S+)$", rules, re.MULTILINE))

    def test_each_alert_is_seen_to_fire(self):
        tests = read("deploy/prometheus/alert_rules_test.yml")
        for name in alerts():
            with self.subTest(name):
                self.assertRegex(tests, rf'alertname="{name}"[^}}]*\}}\', value: 1')


def exposed(address):
    """Names that the series of a metrics page have in Prometheus."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as page:
        lines = page.read().decode().splitlines()
    return {re.match(r"\w+", line)[0] for line in lines if line and not line.startswith("#")}


def exposed_by_load_generator(server):
    """The same of `hellocnn load`, while it sends to the server."""
    command = [testbed.CLI, "load", "--concurrency", "1", "--duration", "60s", "--prometheus-listen", "127.0.0.1:0"]
    environment = testbed.clean_environment(HELLOCNN_SERVER=server.address)
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as load:
        try:
            for line in load.stderr:
                if match := re.search(r"metrics.* on port (\d+)", line):
                    return exposed(f"127.0.0.1:{match[1]}")
            raise AssertionError(f"hellocnn load ended with {load.wait()} and no port")
        finally:
            load.kill()


class MetricNamesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with testbed.ServerWithAllMetrics() as server:
            of_server = exposed(server.metrics_address)
            of_load = exposed_by_load_generator(server)
        cls.recorded = set(re.findall(r"record: (\S+)", read("deploy/prometheus/recording_rules.yml")))
        # `up` is Prometheus' own.
        cls.known = of_server | of_load | cls.recorded | {"up"}

    def test_dashboards_read_only_what_exists(self):
        for name, dashboard in grafana.load().items():
            for where, expression in grafana.expressions(dashboard):
                with self.subTest(f"{name}: {where}"):
                    self.assertTrue(grafana.series_names(expression) or "ALERTS" in expression, expression)
                    self.assertEqual(grafana.series_names(expression) - self.known, set())

    def test_rules_read_only_what_exists(self):
        for name in ("recording_rules.yml", "alert_rules.yml"):
            with self.subTest(name):
                lines = read("deploy/prometheus", name).splitlines()
                text = "\n".join(line for line in lines if not re.search(r"#|record:|alert:|- name:|summary:|description:|_url:", line))
                self.assertGreater(len(grafana.series_names(text)), 10)
                self.assertEqual(grafana.series_names(text) - self.known, set())

    def test_what_is_recorded_is_read(self):
        texts = [read("deploy/prometheus/alert_rules.yml")]
        texts += re.findall(r"expr: (?:>-\n)?((?:.|\n)*?)(?=\n +- record|\n *#|\n\n|\Z)", read("deploy/prometheus/recording_rules.yml"))
        texts += [expression for dashboard in grafana.load().values() for _, expression in grafana.expressions(dashboard)]
        read_somewhere = set().union(*(grafana.series_names(text) for text in texts))
        self.assertEqual(self.recorded - read_somewhere, set())


if __name__ == "__main__":
    unittest.main()
