#!/usr/bin/python3
"""Writes the tables of the reference pages for options, which the programs print.

    tests/docs/options_reference.py build/release/bin

replaces what stands between each page's markers. The folder is that of the built programs.
"""

import os
import re
import subprocess
import sys

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")

# Page: the program that prints its tables.
PAGES = {"docs/reference/options.md": "hellocnn-server", "docs/reference/command-line.md": "hellocnn"}

SECTION = re.compile(r"(<!-- options -->\n).*?(<!-- end -->\n)", re.DOTALL)


def printed(program):
    """What the program prints, without the caller's own HELLOCNN_… settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HELLOCNN_")}
    command = [program, "--print-options-markdown"]
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
    for page, program in PAGES.items():
        path = os.path.join(SOURCE, page)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = rewrite(text, printed(os.path.join(sys.argv[1], program)))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
