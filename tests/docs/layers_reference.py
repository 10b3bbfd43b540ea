#!/usr/bin/python3
"""Writes the tables of docs/architecture.md that say who may include whom, as tests/check_layers.py has it.

    tests/docs/layers_reference.py

replaces what stands between the page's markers, `<!-- layers -->` or `<!-- libraries -->` and `<!-- end -->`.
"""

import os
import re
import sys

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PAGE = os.path.join(TESTS, "../docs/architecture.md")

sys.path.insert(0, TESTS)
from check_layers import LAYERS, LIBRARIES  # noqa: E402  (the line above makes it importable)


def layers():
    rows = ["| folder | may include |", "|---|---|"]
    for layer, allowed in LAYERS.items():
        inside = [name for name in LAYERS if name.startswith(layer) and name != layer]
        shown = allowed
        if len(inside) > 3 and set(inside) <= set(allowed):
            shown = [f"every folder in {layer}"] + [name for name in allowed if name not in inside]
        for folder in allowed:
            inner = [name for name in allowed if name.startswith(folder) and name != folder]
            if folder in shown and len(inner) > 1 and all(name in allowed for name in LAYERS if name.startswith(folder)):
                shown = [f"{name} with its folders" if name == folder else name for name in shown if name not in inner]
        rpc = [name.removeprefix("server/rpc/") for name in shown if name.startswith("server/rpc/")]
        if len(rpc) > 1:
            shown = [name for name in shown if not name.startswith("server/rpc/")] + [f"server/rpc/: {' '.join(rpc)}"]
        if len(", ".join(shown)) > 110:
            for folder in [name for name in shown if name.count("/") == 1]:
                inner = [name for name in shown if name.startswith(folder) and name != folder]
                short = ", ".join(name.removeprefix(folder) for name in inner)
                if len(inner) > 1:
                    shown = [f"{name} and its {short}" if name == folder else name for name in shown if name not in inner]
        if len(", ".join(shown)) > 120:
            shown = [f"{len(allowed)} folders, which tests/check_layers.py lists"]
        rows.append(f"| `{layer}` | {', '.join(shown) or 'nothing of ours'} |")
    return "\n".join(rows) + "\n"


def libraries():
    rows = ["| library | only in |", "|---|---|"]
    rows += [f"| {name} | {where} |" for _, name, _, where in LIBRARIES]
    return "\n".join(rows) + "\n"


def rewrite(text):
    for marker, table in (("layers", layers()), ("libraries", libraries())):
        text = re.sub(rf"(<!-- {marker} -->\n).*?(<!-- end -->)", rf"\g<1>\n{table}\n\g<2>", text, flags=re.DOTALL)
    return text


def main():
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(rewrite(text))


if __name__ == "__main__":
    main()
