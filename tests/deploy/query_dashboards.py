#!/usr/bin/env python3
"""Asks a Prometheus every query of every dashboard and rule, and says which return nothing.

  tests/deploy/query_dashboards.py http://127.0.0.1:9090 [--wait SECONDS] [--no-load-generator] [--no-candidate]

Meant for a Prometheus that has scraped a server under load for a minute or more: then each variable must have a value, each
panel's query a number, each recording rule a series, and each series that an alert watches must exist. Alerts and
annotations themselves may be empty. Nothing else may: a panel that can be without data is written with `or vector(0)`.

--wait              ask again until all is there, for at most so long (default 0: ask once)
--no-load-generator leaves out the dashboard and the rules of `hellocnn load`
--no-candidate      leaves out the panels and the rules of candidates, for a server that has none

Exit codes: 0 all return data, 1 some don't (each is named) or Prometheus can't be asked, 2 wrong usage.
"""

import argparse
import sys
import time

import grafana


# A query that reads these has no data without a candidate.
OF_CANDIDATES = ("hellocnn_candidate", "hellocnn_compar")
OF_LOAD_GENERATOR = ("hellocnn_load_",)


def missing_in_dashboard(name, dashboard, prometheus, left_out):
    """Names what has no data; and how many queries were asked."""
    variables = grafana.Variables(dashboard, prometheus)
    missing = [f"{name}: variable {variable} has no values" for variable in variables.empty]
    asked = len(dashboard["templating"]["list"]) - 1
    for annotation in dashboard["annotations"]["list"]:
        prometheus.query(variables.fill(annotation["expr"]))
        asked += 1
    for panel in grafana.panels(dashboard):
        for target in panel["targets"]:
            if any(part in target["expr"] for part in left_out):
                continue
            expression = variables.fill(target["expr"])
            asked += 1
            if not grafana.has_data(grafana.ask(prometheus, target, expression)):
                missing.append(f"{name}: panel {panel['id']} \"{panel['title']}\": no data for {expression}")
    return missing, asked


def missing_in_rules(prometheus, left_out):
    missing, asked = [], 0
    groups = prometheus.rule_groups()
    if not groups:
        missing.append("Prometheus has loaded no rules")
    for group in groups:
        for rule in group["rules"]:
            if any(part in rule["query"] for part in left_out):
                continue
            asked += 1
            if rule["health"] != "ok":
                missing.append(f"rule {rule['name']}: {rule['health']} {rule.get('lastError', '')}")
            elif rule["type"] == "recording":
                if not grafana.has_data(prometheus.query(rule["name"])):
                    missing.append(f"rule {rule['name']}: no data for {rule['query']}")
            else:
                for series, labels in grafana.SELECTOR.findall(rule["query"]):
                    if not prometheus.query(f"count({series}{labels})"):
                        missing.append(f"alert {rule['name']}: watches {series}{labels}, which does not exist")
    return missing, asked


def look(prometheus, left_out):
    missing, asked = missing_in_rules(prometheus, left_out)
    for name, dashboard in grafana.load().items():
        if name == "load_test.json" and set(OF_LOAD_GENERATOR) <= set(left_out):
            continue
        more, count = missing_in_dashboard(name, dashboard, prometheus, left_out)
        missing += more
        asked += count
    return missing, asked


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the Prometheus to ask, such as http://127.0.0.1:9090")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--no-load-generator", action="store_true")
    parser.add_argument("--no-candidate", action="store_true")
    arguments = parser.parse_args()
    prometheus = grafana.Prometheus(arguments.url)
    left_out = (OF_LOAD_GENERATOR if arguments.no_load_generator else ()) + (OF_CANDIDATES if arguments.no_candidate else ())
    deadline = time.monotonic() + arguments.wait
    while True:
        try:
            missing, asked = look(prometheus, left_out)
        except grafana.PrometheusError as error:
            missing, asked = [str(error)], 0
        if not missing or time.monotonic() > deadline:
            break
        time.sleep(2)
    for line in missing:
        print(line)
    print(f"{asked} queries, variables and rules asked, {len(missing)} without data")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
