"""Grafana's dashboards as data: their panels, their queries with variables filled in as Grafana does, and a Prometheus
to ask. Shared by dashboards_test.py, query_dashboards.py and scripts/draw-dashboards.py.
"""

import glob
import json
import math
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/grafana/dashboards")
# Grafana makes it four times the data source's timeInterval, as long as points are no further apart.
RATE_INTERVAL = 20

# A series of our own, or one that every process or target has, as it stands in an expression.
SELECTOR = re.compile(r"(?<![\w:])((?:\w+:)?hellocnn_\w+(?::\w+)?|hellocnn:\w+:\w+|process_\w+|up)(?![\w:(])(\{[^}]*\})?")


def load(folder=FOLDER):
    """The dashboards of a folder as {file name: dashboard}."""
    dashboards = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            dashboards[os.path.basename(path)] = json.load(file)
    return dashboards


def panels(dashboard):
    """All panels that show data, in reading order."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions(dashboard):
    """All PromQL of a dashboard as (where, expression), not filled in."""
    found = [(f"variable {v['name']}", v["definition"]) for v in dashboard["templating"]["list"] if v["type"] == "query"]
    found += [(f"annotation {a['name']}", a["expr"]) for a in dashboard["annotations"]["list"]]
    for panel in panels(dashboard):
        found += [(f"panel {panel['title']}", target["expr"]) for target in panel["targets"]]
    return found


def series_names(expression):
    """Names of the series that an expression reads."""
    # What stands in quotes is a value, such as the "Hellocnn.*" of an alert's name.
    return {match[0] for match in SELECTOR.findall(re.sub(r'"(\\.|[^"\\])*"', '""', expression))}


class PrometheusError(Exception):
    """It could not be reached, or refused a query. The message says which, and why."""


class Prometheus:
    """The HTTP API of a Prometheus. Every method blocks for at most 30 s and raises PrometheusError."""

    def __init__(self, url):
        self._url = url.rstrip("/")

    def _get(self, path, **arguments):
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(arguments, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise PrometheusError(f"{path} {arguments}: {error.read().decode(errors='replace')}") from error
        except (OSError, ValueError) as error:
            raise PrometheusError(f"{self._url}: {error}") from error

    def query(self, expression):
        """The value now, as [{metric: labels, value: (time, text)}]."""
        return self._get("query", query=expression)["result"]

    def query_range(self, expression, start, end, step):
        """Values at each `step` seconds, as [{metric: labels, values: [(time, text)]}]."""
        return self._get("query_range", query=expression, start=start, end=end, step=step)["result"]

    def label_values(self, label, selector):
        return self._get(f"label/{label}/values", **{"match[]": selector})

    def rule_groups(self):
        return self._get("rules")["groups"]


def has_data(result):
    """Whether a query or query_range returned a number that can be drawn."""
    samples = [s for series in result for s in series.get("values", [series.get("value")])]
    return any(math.isfinite(float(text)) for _, text in samples)


class Variables:
    """Values of a dashboard's variables, asked from Prometheus in their order, with All chosen where that is possible."""

    def __init__(self, dashboard, prometheus):
        self.empty = []  # names of those for which Prometheus knows no value
        self._values = {"__rate_interval": f"{RATE_INTERVAL}s"}
        for variable in dashboard["templating"]["list"]:
            if variable["type"] != "query":
                continue
            match = re.fullmatch(r"label_values\((.*), *(\w+)\)", variable["definition"])
            if not match:
                raise ValueError(f"variable {variable['name']}: {variable['definition']!r} is not label_values(series, label)")
            values = prometheus.label_values(match[2], self.fill(match[1]))
            if not values:
                self.empty.append(variable["name"])
            if not variable["includeAll"]:
                values = values[:1]
            # Grafana escapes values for the regular expression, and PromQL wants each backslash doubled.
            escaped = [re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\\\1", value) for value in values] if variable["multi"] else values
            text = escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
            self._values[variable["name"]] = variable.get("allValue", text) if variable["includeAll"] else text

    def fill(self, expression):
        return re.sub(r"\$(\w+)", lambda match: self._values[match[1]], expression)


def ask(prometheus, target, expression, minutes=5, step=5):
    """What a panel's target shows: one value if it is an instant query, else the past `minutes`."""
    if target.get("instant"):
        return prometheus.query(expression)
    now = time.time()
    return prometheus.query_range(expression, now - 60 * minutes, now, step)
