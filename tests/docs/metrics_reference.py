#!/usr/bin/python3
"""Writes the tables of docs/reference/metrics.md from the metrics page of a server.

    tests/docs/metrics_reference.py http://127.0.0.1:9464/metrics

replaces, for a server with --transport=http2 and a candidate, what stands between the page's markers, `<!-- metrics: PREFIXES -->` and
`<!-- end -->`, by a table of the metrics whose names begin with one of the prefixes, by name. The server's own help texts are the
descriptions.
"""

import os
import re
import sys
import urllib.request

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/reference/metrics.md")

SECTION = re.compile(r"(<!-- metrics: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)

# Labels whose values are few and the same in every server, so that the table lists them if they fit into a cell.
CLOSED_LABELS = ("reason", "outcome", "by", "candidate_says")
MAX_CELL = 120


def metrics(exposition):
    """{name: (kind, {label: {values}}, help)} of a page in Prometheus' text format, in its order."""
    found = {}
    for name, text in re.findall(r"^# HELP (\w+) (.*)$", exposition, re.MULTILINE):
        kind = re.search(rf"^# TYPE {name} (\w+)$", exposition, re.MULTILINE)[1]
        labels = {}
        for series in re.findall(rf"^{name}(?:_bucket|_sum|_count)?\{{(.*)\}} ", exposition, re.MULTILINE):
            for label, value in re.findall(r'(\w+)="([^"]*)"', series):
                if label != "le":
                    labels.setdefault(label, set()).add(value)
        found[name] = (kind, labels, text)
    return found


def table(known, prefixes):
    """The metrics whose names begin with one of `prefixes`, as a table in Markdown."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for name, (kind, labels, text) in sorted(known.items()):
        if name.startswith(tuple(prefixes)):
            rows.append(f"| `{name}` | {kind} | {', '.join(described(labels))} | {text.rstrip('.')} |")
    return "\n".join(rows) + "\n"


def described(labels):
    for label, values in labels.items():
        listed = ", ".join(f"`{value}`" for value in sorted(values))
        closed = label in CLOSED_LABELS and len(listed) < MAX_CELL - len(label) - len("`` ()")
        yield f"`{label}` ({listed})" if closed else f"`{label}`"


def rewrite(text, exposition):
    """The reference page `text`, with its tables as `exposition` says."""
    known = metrics(exposition)
    return SECTION.sub(lambda match: match[1] + table(known, match[2].split()) + match[3], text)


def unlisted(text, exposition):
    """Metrics that no section of the page takes."""
    prefixes = tuple(prefix for section in SECTION.finditer(text) for prefix in section[2].split())
    return [name for name in metrics(exposition) if not name.startswith(prefixes)]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with urllib.request.urlopen(sys.argv[1], timeout=30) as response:
        exposition = response.read().decode()
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    if missing := unlisted(text, exposition):
        sys.exit(f"metrics_reference.py: no section of docs/reference/metrics.md takes {', '.join(missing)}")
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(rewrite(text, exposition))


if __name__ == "__main__":
    main()
