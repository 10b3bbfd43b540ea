"""The documents keep the rules of writing that a machine can check.

CONTRIBUTING.md, "How documents are written", states the rules. The functions below take text and return complaints, so
that RulesTest can show that each of them finds what it looks for.
"""

import glob
import os
import re
import unittest

SOURCE = os.environ["HELLOCNN_TEST_SOURCE"]

MAX_COLUMNS = 120
MAX_CELL = 120

# Terms that readers do not search for: what to write instead. Names in code are exempt.
TERMS = {
    r"refus(?:e|es|ed|al|als|ing)": "reject",
    r"abandon(?:ed|s|ing)?": "discard",
}

# Words that tell of another time. They belong in docs/adr/ and in the changelog.
HISTORY = r"older tree|formerly|previously|used to be|until now|so far as it was"

SENTENCE_END = r"[.:!?]"
ABBREVIATION = r"(?:e\.g|i\.e|vs|etc|approx)\."


def documents():
    names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md", "clients/**/*.md"]
    return sorted(path for name in names for path in glob.glob(name, root_dir=SOURCE, recursive=True))


def read(document):
    with open(os.path.join(SOURCE, document), encoding="utf-8") as file:
        return file.read()


def as_read(line):
    """The line without what a reader does not see: the targets of links."""
    return re.sub(r"\]\([^)\s]*\)", "]", line)


def without_code(line):
    """The line with `code` replaced by a letter, so that nothing in it looks like prose."""
    return re.sub(r"`[^`]*`", "x", line)


def lines_of(text):
    """Yields (number, kind, line), where kind is prose, table, code, heading or blank."""
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            yield number, "code", line
        elif fenced:
            yield number, "code", line
        elif not line.strip() or line.lstrip().startswith("<"):
            yield number, "blank", line
        elif line.lstrip().startswith("|"):
            yield number, "table", line
        elif line.startswith("#"):
            yield number, "heading", line
        else:
            yield number, "prose", line


def sentence_starts(text):
    """How often a sentence ends and another one begins in `text`."""
    text = re.sub(ABBREVIATION, "x", without_code(as_read(text)))
    return len(re.findall(rf"[a-zA-Z0-9)\]%*\"][.!?]['\")*]* +[\"'(*\[]*[A-Z]", text))


def starts_item(line):
    return re.match(r"\s*(?:[-*]|\d+\.) ", line) is not None


def long_lines(text):
    for number, kind, line in lines_of(text):
        if kind in ("prose", "heading") and len(as_read(line)) > MAX_COLUMNS:
            yield number, f"{len(as_read(line))} columns; {MAX_COLUMNS} are allowed: {line[:60]}…"


def crowded_lines(text):
    for number, kind, line in lines_of(text):
        body = re.sub(r"^\s*(?:>|[-*]|\d+\.)\s+", "", line)
        if kind == "prose" and sentence_starts(body):
            yield number, f"more than one sentence on a line: {line[:60]}…"


def broken_sentences(text):
    """Sentences that go on in the next line of their paragraph."""
    lines = list(lines_of(text))
    for (number, kind, line), (_, next_kind, following) in zip(lines, lines[1:]):
        if kind == "prose" and next_kind == "prose" and not starts_item(following):
            if not starts_item(line) or following.startswith(" "):
                if not re.search(rf"{SENTENCE_END}['\")*\]]*$", as_read(line).rstrip()):
                    yield number, f"the sentence goes on in the next line: …{line[-60:]}"


def long_cells(text):
    for number, kind, line in lines_of(text):
        if kind == "table":
            for cell in re.split(r"(?<!\\)\|", as_read(line).strip().strip("|")):
                if len(cell.strip()) > MAX_CELL:
                    yield number, f"a cell of {len(cell.strip())} characters; {MAX_CELL} are allowed: {cell.strip()[:60]}…"
                if sentence_starts(cell):
                    yield number, f"more than one sentence in a cell: {cell.strip()[:60]}…"


def forbidden_terms(text):
    for number, kind, line in lines_of(text):
        if kind != "code":
            for term, instead in TERMS.items():
                for found in re.findall(rf"\b{term}\b", without_code(as_read(line)), re.IGNORECASE):
                    yield number, f'"{found}": write "{instead}"'


def history(text):
    for number, kind, line in lines_of(text):
        if kind != "code":
            for found in re.findall(rf"\b(?:{HISTORY})\b", line, re.IGNORECASE):
                yield number, f'"{found}" tells of another time, which belongs in docs/adr/ or the changelog'


class ProseTest(unittest.TestCase):
    def expect_none(self, rule, names):
        self.assertTrue(names)
        for document in names:
            with self.subTest(document=document):
                complaints = [f"{document}:{number}: {message}" for number, message in rule(read(document))]
                self.assertEqual(complaints, [], "\n" + "\n".join(complaints))

    def test_lines_of_prose_fit_on_a_screen(self):
        self.expect_none(long_lines, documents())

    def test_each_sentence_has_a_line_of_its_own(self):
        self.expect_none(crowded_lines, documents())

    def test_no_sentence_is_broken_over_lines(self):
        self.expect_none(broken_sentences, documents())

    def test_table_cells_hold_phrases(self):
        self.expect_none(long_cells, documents())

    def test_terms_are_those_that_readers_search_for(self):
        self.expect_none(forbidden_terms, documents())

    def test_reference_pages_tell_of_today(self):
        pages = [name for name in documents() if not name.startswith("docs/adr/") and name != "CHANGELOG.md"]
        self.expect_none(history, pages)


class RulesTest(unittest.TestCase):
    """Each rule finds what it looks for, and lets pass what it should."""

    def found(self, rule, text):
        return [number for number, _ in rule(text)]

    def test_long_lines(self):
        long_sentence = "a" * MAX_COLUMNS + "."
        self.assertEqual(self.found(long_lines, f"Short.\n{long_sentence}\n"), [2])
        self.assertEqual(self.found(long_lines, f"```\n{long_sentence}\n```\n| {long_sentence} |\n"), [])
        self.assertEqual(self.found(long_lines, f"See [this](../{'a' * MAX_COLUMNS}.md).\n"), [])

    def test_crowded_lines(self):
        self.assertEqual(self.found(crowded_lines, "One. Two.\n"), [1])
        self.assertEqual(self.found(crowded_lines, "1. One (here). [Two](a.md) follows.\n"), [1])
        self.assertEqual(self.found(crowded_lines, "1. One thing.\n- Another: with a Name, e.g. Abseil.\n"), [])
        self.assertEqual(self.found(crowded_lines, "It takes 1.5 s with `a. B`.\n"), [])

    def test_broken_sentences(self):
        self.assertEqual(self.found(broken_sentences, "This goes\non.\n"), [1])
        self.assertEqual(self.found(broken_sentences, "- This goes\n  on.\n"), [1])
        self.assertEqual(self.found(broken_sentences, "One.\nTwo:\n\n- a phrase\n- another\n\n  More of it.\n"), [])

    def test_long_cells(self):
        self.assertEqual(self.found(long_cells, f"| {'a' * (MAX_CELL + 1)} | b |\n"), [1])
        self.assertEqual(self.found(long_cells, "| One. Two. | b |\n"), [1])
        self.assertEqual(self.found(long_cells, f"| {'a' * 100} | {'b' * 100} |\n"), [])

    def test_forbidden_terms(self):
        self.assertEqual(self.found(forbidden_terms, "It refuses.\nA refusal.\nAbandoned.\n"), [1, 2, 3])
        self.assertEqual(self.found(forbidden_terms, "It rejects `hellocnn_requests_refused_total`.\n"), [])

    def test_history(self):
        self.assertEqual(self.found(history, "It was formerly slow.\n"), [1])


if __name__ == "__main__":
    unittest.main()
