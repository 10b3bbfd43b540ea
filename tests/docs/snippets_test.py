"""The code that docs/clients.md shows is that of the programs in tests/interop/clients, which tests run."""

import glob
import os
import re
import textwrap
import unittest

SOURCE = os.environ["HELLOCNN_TEST_SOURCE"]

# The language of a block: the folders of its programs, and the ending of the files.
PROGRAMS = {
    "python": (("python", "triton"), "py"),
    "javascript": (("node",), "js"),
    "go": (("go",), "go"),
    "rust": (("rust",), "rs"),
    "java": (("java",), "java"),
}
# What other tests run: documents_test.py, or what its RUN_ELSEWHERE names.
COMMANDS = {"sh"}
# The line that stands for what a block leaves out.
CUT = re.compile(r"^(?:#|//) …$", re.MULTILINE)


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def is_part(piece, program):
    """True if the lines of the piece are in the program, one after the other, wherever they are indented to."""
    wanted, lines = piece.strip("\n").splitlines(), program.splitlines()
    # Only lines that are blank may have lost their indentation.
    return any(
        textwrap.dedent("\n".join(lines[start : start + len(wanted)])).splitlines() == wanted
        for start in range(len(lines) - len(wanted) + 1)
    )


class SnippetTest(unittest.TestCase):
    def test_every_block_is_part_of_its_program(self):
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", read("docs/clients.md"), re.MULTILINE | re.DOTALL)
        blocks = [(language, block) for language, block in blocks if language not in COMMANDS]
        self.assertEqual({language for language, _ in blocks}, set(PROGRAMS))
        for language, block in blocks:
            folders, ending = PROGRAMS[language]
            places = [f"tests/interop/clients/{folder}/**/*.{ending}" for folder in folders]
            programs = [read(path) for place in places for path in glob.glob(place, root_dir=SOURCE, recursive=True)]
            for piece in CUT.split(block):
                with self.subTest(language=language, piece=piece):
                    self.assertTrue(any(is_part(piece, program) for program in programs), "no program has these lines")

    def test_other_lines_are_noticed(self):
        program = "def call():\n    first()\n    if second():\n        third()\n"
        for piece in ("first()\nif second():\n    third()\n", "third()\n", "def call():\n    first()\n"):
            self.assertTrue(is_part(piece, program), piece)
        for piece in ("first()\nthird()\n", "first()\nif second():\nthird()\n", "fourth()\n", "first(1)\n"):
            self.assertFalse(is_part(piece, program), piece)


if __name__ == "__main__":
    unittest.main()
