"""hellocnn-convert as its users meet it."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from safetensors_format import read_safetensors, read_state_dict, write_safetensors

CONVERT = os.environ["HELLOCNN_TEST_CONVERT"]
WEIGHTS = pathlib.Path(os.environ["HELLOCNN_TEST_SOURCE"]) / "models" / "mnist" / "1" / "weights.pt"


class ConvertTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def convert(self, *arguments, wanted=0):
        run = subprocess.run([CONVERT, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, wanted, run.stderr)
        return run

    def test_another_reader_finds_the_same_numbers(self):
        out = self.folder / "w.safetensors"
        self.convert(WEIGHTS, out)
        state, metadata = read_safetensors(out)
        self.assertEqual(state, read_state_dict(WEIGHTS))
        self.assertEqual(metadata, {"format": "pt"})

    def test_what_another_writer_wrote_becomes_the_same_state_dict(self):
        written = self.folder / "w.safetensors"
        write_safetensors(written, read_state_dict(WEIGHTS))
        self.convert(written, self.folder / "w.pt")
        # The result is not compared with WEIGHTS, because the archives of different releases of
        # libzip differ in a flag.
        self.convert(WEIGHTS, self.folder / "same.pt")
        self.assertEqual((self.folder / "w.pt").read_bytes(), (self.folder / "same.pt").read_bytes())
        self.assertEqual(read_state_dict(self.folder / "w.pt"), read_state_dict(WEIGHTS))

    def test_it_says_what_it_read_and_wrote(self):
        out = self.folder / "w.safetensors"
        run = self.convert(WEIGHTS, out)
        self.assertEqual(run.stdout, f"read {WEIGHTS}: 10 tensors, 61706 values; wrote {out}\n")
        self.assertEqual(run.stderr, "")

    def test_an_existing_file_stays_unless_forced(self):
        out = self.folder / "w.safetensors"
        out.write_text("mine")
        run = self.convert(WEIGHTS, out, wanted=1)
        self.assertEqual(run.stderr, f"hellocnn-convert: {out}: is there already; --force replaces it\n")
        self.assertEqual(out.read_text(), "mine")
        self.convert("--force", WEIGHTS, out)
        self.assertEqual(read_safetensors(out)[0], read_state_dict(WEIGHTS))

    def test_what_cannot_be_read_or_written_is_named(self):
        broken = self.folder / "broken.safetensors"
        broken.write_bytes(b"\x02\0\0\0\0\0\0\0{]")
        for source in (broken, self.folder / "none.pt", self.folder):
            run = self.convert(source, self.folder / "w.pt", wanted=1)
            self.assertIn(f"hellocnn-convert: {source}: ", run.stderr)
            self.assertEqual(run.stdout, "")
        run = self.convert(WEIGHTS, "/nowhere/w.safetensors", wanted=1)
        self.assertIn("/nowhere/w.safetensors: cannot be written: No such file or directory", run.stderr)
        self.assertEqual(list(self.folder.iterdir()), [broken])

    def test_wrong_usage_exits_with_2(self):
        for arguments in [[], [WEIGHTS], [WEIGHTS, "a.pt", "b.pt"], ["--no-such-flag", WEIGHTS, "a.pt"]]:
            self.convert(*arguments, wanted=2)
        for name in ("w.onnx", "w", "w.pt.gz", "safetensors"):
            run = self.convert(WEIGHTS, self.folder / name, wanted=2)
            self.assertIn(f"{self.folder / name} does not tell the format", run.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_help_shows_examples(self):
        self.assertIn("hellocnn-convert models/mnist/1/weights.pt weights.safetensors", self.convert("--help").stdout)


if __name__ == "__main__":
    unittest.main()
