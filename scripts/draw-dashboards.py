#!/usr/bin/env python3
"""Draws Grafana's dashboards from a Prometheus, without Grafana: their panels, their queries, its data.

  scripts/draw-dashboards.py http://127.0.0.1:9090 [--minutes 15] [--ago 0] [--folder docs/images] [service.json …]

For documents, where a picture should come from the same queries as the dashboard. What Grafana draws has the same numbers
and looks different. Needs Debian's python3-matplotlib.

Exit codes: 0 drawn, 1 Prometheus can't be asked, 2 wrong usage.
"""

import argparse
import math
import os
import re
import sys
import time

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.colors
    import matplotlib.dates
    import matplotlib.pyplot as plt
    import PIL.Image
except ImportError as error:
    missing = error.name
else:
    missing = None

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/deploy"))
import grafana

COLUMN, ROW, GAP, DPI = 58, 36, 6, 100  # pixels of Grafana's grid, and dots of an inch
COLOURS = {
    "green": "#56a64b", "yellow": "#e0b400", "blue": "#3274d9", "orange": "#ff780a", "red": "#e02f44",
    "purple": "#a352cc", "dark-red": "#a01025", "transparent": "none",
}  # fmt: skip
PALETTE = ["#56a64b", "#e0b400", "#3274d9", "#ff780a", "#e02f44", "#a352cc", "#3bb8c4", "#8a6d3b", "#7c8591", "#d683ce"]
INK, FAINT, CARD, PAGE = "#24292e", "#7c8591", "#ffffff", "#eef0f3"


def number(value, unit, decimals=None):
    """A value as Grafana would write it."""
    if unit == "percentunit":
        return f"{100 * value:.{1 if decimals is None else decimals}f}%"
    if unit == "s" and value != 0:
        for scale, name in ((86400, "days"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
            if abs(value) >= scale:
                return f"{value / scale:.3g} {name}"
        return f"{value / 1e-6:.3g} µs"
    suffix = {"reqps": " req/s", "ops": " ops/s", "bytes": "iB", "Bps": "B/s"}.get(unit, "")
    for scale, name in ((2**30, " G"), (2**20, " M"), (2**10, " K")) if unit == "bytes" else ((1e9, " G"), (1e6, " M"), (1e3, " K")):
        if abs(value) >= scale:
            return f"{value / scale:.3g}{name}{suffix}"
    return f"{value:.{decimals}f}{suffix}" if decimals is not None else f"{value:.3g}{suffix}"


def legend(target, labels):
    return re.sub(r"{{ *(\w+) *}}", lambda match: labels.get(match[1], ""), target["legendFormat"])


def threshold_colour(panel, value):
    colour = INK
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            colour = COLOURS[step["color"]]
    return colour


def series_colour(panel, name, index):
    for override in panel["fieldConfig"]["overrides"]:
        matcher = override["matcher"]
        by_regexp = matcher["id"] == "byRegexp" and re.search(matcher["options"].strip("/"), name)
        if by_regexp or matcher["options"] == name:
            return COLOURS[override["properties"][0]["value"]["fixedColor"]]
    return PALETTE[index % len(PALETTE)]


def last(series):
    """The last number of a series, or None."""
    samples = series.get("values") or [series["value"]]
    numbers = [float(text) for _, text in samples if math.isfinite(float(text))]
    return numbers[-1] if numbers else None


def draw_stat(axes, panel, data):
    axes.axis("off")
    values = [(legend(target, series["metric"]), last(series)) for target, result in data for series in result]
    if not values:
        return axes.text(0.5, 0.5, "no data", ha="center", va="center", color=FAINT)
    defaults = panel["fieldConfig"]["defaults"]
    name, value = values[0]
    judged = len(defaults["thresholds"]["steps"]) > 1
    colour = threshold_colour(panel, value)
    if judged:
        axes.add_patch(plt.Rectangle((0, 0), 1, 1, transform=axes.transAxes, color=colour))
    text = number(value, defaults["unit"], defaults.get("decimals"))
    if panel["options"]["textMode"] == "value_and_name":
        text = f"{name}: {text}"
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=17, weight="bold", color="white" if judged else colour)


def draw_series(axes, panel, data, step):
    defaults = panel["fieldConfig"]["defaults"]
    lines = [(legend(target, series["metric"]) or "value", series["values"]) for target, result in data for series in result]
    stacked = defaults["custom"]["stacking"]["mode"] != "none"
    base = {}
    for index, (name, samples) in enumerate(lines):
        colour = series_colour(panel, name, index)
        points = [(at, float(text)) for at, text in samples]
        times, values = [], []
        for at, value in points:
            if times and at - times[-1] > 1.5 * step:
                times.append(at - 1)  # a gap, as Grafana draws it
                values.append(math.nan)
            times.append(at)
            values.append(value)
        when = [matplotlib.dates.date2num(time_of(at)) for at in times]
        label = f"{name}  {number(points[-1][1], defaults['unit'])}" if math.isfinite(points[-1][1]) else name
        if stacked:
            below = [base.get(at, 0) for at in times]
            above = [b + v for b, v in zip(below, values)]
            base.update({at: top for at, top in zip(times, above) if math.isfinite(top)})
            axes.fill_between(when, below, above, color=colour, alpha=0.55, lw=0.5, label=label)
        else:
            axes.plot(when, values, color=colour, lw=1.1, label=label)
    for threshold in defaults["thresholds"]["steps"][1:]:
        axes.axhline(threshold["value"], color=COLOURS[threshold["color"]], lw=0.8, ls="--")
    if defaults["custom"].get("scaleDistribution", {}).get("type") == "log":
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(lambda *_: "")
    if "min" in defaults:
        axes.set_ylim(bottom=defaults["min"])
    if "max" in defaults:
        axes.set_ylim(top=defaults["max"])
    axes.yaxis.set_major_formatter(lambda value, _: number(value, defaults["unit"]))
    axes.grid(color="#e4e7eb", lw=0.6)
    if lines:
        handles, labels = axes.get_legend_handles_labels()
        if len(lines) > 5:
            labels = [label.split("  ")[0] for label in labels]
        longest = max(len(label) for label in labels)
        width, height = axes.get_window_extent().width, axes.get_window_extent().height
        columns = max(2, min(len(lines), int((width + 50) / (5 * longest + 30))))
        axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(-50 / width, -14 / height), ncol=columns, fontsize=6.5, frameon=False, handlelength=1, columnspacing=1, labelspacing=0.2)


def draw_heatmap(axes, panel, data, step):
    ((_, result),) = data
    unit = panel["fieldConfig"]["defaults"]["unit"]
    buckets = sorted(((float(series["metric"]["le"]), dict(series["values"])) for series in result), key=lambda bucket: bucket[0])
    times = sorted({at for _, samples in buckets for at in samples})
    rows, below = [], {}
    for _, samples in buckets:
        rows.append([max(0.0, float(samples.get(at, 0)) - float(below.get(at, 0))) for at in times])
        below = samples
    occupied = [index for index, row in enumerate(rows) if any(value > 1e-9 for value in row)]
    if not occupied:
        return axes.text(0.5, 0.5, "no data", ha="center", va="center", color=FAINT)
    first, end = max(0, occupied[0] - 1), min(len(rows), occupied[-1] + 2)
    shown = [[math.sqrt(value) if value > 1e-9 else math.nan for value in row] for row in rows[first:end]]
    edges = [matplotlib.dates.date2num(time_of(at)) for at in [times[0] - step, *times]]
    axes.pcolormesh(edges, range(first, end + 1), shown, cmap=panel["options"]["color"]["scheme"], vmin=0)
    every = max(1, (end - first) // 8)
    ticks = range(first, end, every)
    axes.set_yticks([index + 1 for index in ticks])
    axes.set_yticklabels([number(buckets[i][0], unit) if math.isfinite(buckets[i][0]) else "more" for i in ticks])


def draw_bars(axes, panel, data):
    defaults = panel["fieldConfig"]["defaults"]
    bars = [(legend(target, series["metric"]), last(series)) for target, result in data for series in result]
    bars.sort(reverse=True)
    axes.barh([name for name, _ in bars], [value for _, value in bars], color=[threshold_colour(panel, value) for _, value in bars], height=0.7 if len(bars) > 2 else 0.3)
    widest = max([value for _, value in bars] + [defaults.get("max", 0)], default=1)
    axes.set_xlim(0, 1.4 * widest)
    for index, (_, value) in enumerate(bars):
        axes.text(value + 0.02 * widest, index, number(value, defaults["unit"]), va="center", fontsize=7, color=INK)
    axes.set_xticks([])
    if len(bars) < 3:
        axes.set_ylim(-1, len(bars))


def draw_table(axes, panel, data):
    axes.axis("off")
    ((_, result),) = data
    change = panel["transformations"][0]["options"]
    rows = [{**series["metric"], "Value": f"{last(series):g}"} for series in result]
    names = [name for name in (rows[0] if rows else {}) if name not in change["excludeByName"]]
    cells = [[row[name].replace("; ", ";\n") for name in names] for row in rows]
    if not rows:
        return axes.text(0.5, 0.5, "no data", ha="center", va="center", color=FAINT)
    table = axes.table(cells, colLabels=[change["renameByName"].get(name, name) for name in names], loc="upper center", cellLoc="left", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(7)
    table.auto_set_column_width(range(len(names)))


def draw_timeline(axes, panel, data, step):
    meanings = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    names = []
    for target, result in data:
        for series in result:
            for at, text in series["values"]:
                axes.barh(len(names), step / 86400, left=matplotlib.dates.date2num(time_of(at - step)), color=COLOURS[meanings[text]["color"]], height=0.6)
            names.append(legend(target, series["metric"]))
    axes.set_yticks(range(len(names)))
    axes.set_yticklabels(names)
    axes.set_ylim(-1, max(1, len(names)))


def time_of(seconds):
    """As a naive date in UTC, which is what the axis shows."""
    return matplotlib.dates.num2date(seconds / 86400).replace(tzinfo=None)


def draw(dashboard, prometheus, minutes, end, path):
    variables = grafana.Variables(dashboard, prometheus)
    last_row = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    width, height = 24 * COLUMN, last_row * ROW + 30
    figure = plt.figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAGE)
    figure.text(10 / width, 1 - 15 / height, dashboard["title"], fontsize=13, weight="bold", color=INK, va="center")
    step = max(5, int(minutes * 60 / 240))

    def place(left, top, right, bottom):
        return [left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height]

    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        left, top = grid["x"] * COLUMN, 30 + grid["y"] * ROW
        right, bottom = left + grid["w"] * COLUMN - GAP, top + grid["h"] * ROW - GAP
        if panel["type"] == "row":
            figure.text((left + 10) / width, 1 - (top + 17) / height, panel["title"], fontsize=11, weight="bold", color=INK, va="center")
            continue
        figure.add_artist(plt.Rectangle((left / width, 1 - bottom / height), (right - left) / width, (bottom - top) / height, color=CARD, transform=figure.transFigure, zorder=-1))
        figure.text((left + 8) / width, 1 - (top + 13) / height, panel["title"], fontsize=8, weight="bold", color=INK, va="center")
        data = []
        for target in panel["targets"]:
            expression = variables.fill(target["expr"])
            data.append((target, prometheus.query(expression) if target.get("instant") else prometheus.query_range(expression, end - 60 * minutes, end, step)))
        kind = panel["type"]
        if kind == "stat":
            draw_stat(figure.add_axes(place(left, top + 28, right, bottom)), panel, data)
            continue
        below = 48 if kind == "timeseries" else 26
        left_margin = {"table": 12, "bargauge": 84, "state-timeline": 100}.get(kind, 62)
        axes = figure.add_axes(place(left + left_margin, top + 28, right - 12, bottom - (8 if kind in ("table", "bargauge") else below)))
        axes.tick_params(labelsize=7, colors=FAINT, length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        if kind in ("bargauge", "table"):
            {"bargauge": draw_bars, "table": draw_table}[kind](axes, panel, data)
            continue
        axes.xaxis_date()
        {"timeseries": draw_series, "heatmap": draw_heatmap, "state-timeline": draw_timeline}[kind](axes, panel, data, step)
        axes.set_xlim(matplotlib.dates.date2num(time_of(end - 60 * minutes)), matplotlib.dates.date2num(time_of(end)))
        axes.xaxis.set_major_locator(matplotlib.dates.AutoDateLocator(maxticks=6))
        axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%H:%M"))
    figure.savefig(path, facecolor=PAGE)
    plt.close(figure)
    # A palette of 128 colours is a third of the size, and nobody sees the difference.
    PIL.Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the Prometheus to ask, such as http://127.0.0.1:9090")
    parser.add_argument("dashboards", nargs="*", help="file names; without, all")
    parser.add_argument("--minutes", type=float, default=15, help="how far back (default 15)")
    parser.add_argument("--ago", type=float, default=0, help="minutes from the end of the drawing to now (default 0)")
    parser.add_argument("--folder", default="docs/images", help="where the pictures go (default docs/images)")
    arguments = parser.parse_args()
    if missing:
        sys.exit(f"draw-dashboards.py: no {missing}; Debian's package python3-matplotlib brings it")
    dashboards = grafana.load()
    for name in arguments.dashboards or dashboards:
        if name not in dashboards:
            parser.error(f"no dashboard {name}; there are {', '.join(dashboards)}")
        path = os.path.join(arguments.folder, f"dashboard_{name.removesuffix('.json')}.png")
        try:
            draw(dashboards[name], grafana.Prometheus(arguments.url), arguments.minutes, time.time() - 60 * arguments.ago, path)
        except grafana.PrometheusError as error:
            print(f"draw-dashboards.py: {error}", file=sys.stderr)
            return 1
        print(f"{path}: {os.path.getsize(path) // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
