#!/usr/bin/python3
"""Writes the tables of docs/reference/options.md, which the server prints.

    tests/docs/options_reference.py PATH_OF_HELLOCNN_SERVER

replaces what stands between the page's markers.
"""

import os
import re
import subprocess
import sys

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/reference/options.md")

SECTION = re.compile(r"(<!-- options -->\n).*?(<!-- end -->\n)", re.DOTALL)


def printed(server):
    """What the server prints, without the caller's own HELLOCNN_… settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HELLOCNN_")}
    command = [server, "--print-options-markdown"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def rewrite(text, tables):
    """The reference page `text`, with `tables` between its markers."""
    rewritten, sections = SECTION.subn(lambda match: f"{match[1]}\n{tables}\n{match[2]}", text)
    if sections != 1:
        raise ValueError(f"{sections} sections for options, wanted 1: <!-- options --> and <!-- end -->")
    return rewritten


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(rewrite(text, printed(sys.argv[1])))


if __name__ == "__main__":
    main()
