"""hellocnn-convert as its users meet it."""

import gzip
import hashlib
import json
import os
import pathlib
import shutil
import struct
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

    def test_an_archive_of_torch_export_is_converted(self):
        packed = pathlib.Path(__file__).parent / "exported" / "pytorch_2.9.pt2.gz"
        exported = self.folder / "w.pt2"
        exported.write_bytes(gzip.decompress(packed.read_bytes()))
        run = self.convert(exported, self.folder / "w.pt")
        self.assertIn('stripped the prefix "module."', run.stdout + run.stderr)
        state = read_state_dict(self.folder / "w.pt")
        values = struct.unpack("<61706f", b"".join(packed for _, packed in state.values()))
        self.assertEqual(list(values), [((37 * i) % 251 - 125) / 1024 for i in range(61706)])

    def test_it_says_what_it_read_and_wrote(self):
        out = self.folder / "w.safetensors"
        run = self.convert(WEIGHTS, out)
        card = self.folder / "model_card.json"
        self.assertEqual(run.stdout, f"read {WEIGHTS}: 10 tensors, 61706 values; wrote {out}\n"
                                     f"wrote {card}, with the SHA-256 of {out}\n")
        self.assertEqual(run.stderr, "")

    def model(self, change=None, source=WEIGHTS):
        """A folder with the weights and the shipped card, changed."""
        folder = self.folder / "model"
        folder.mkdir()
        shutil.copy(source, folder / "weights.pt")
        card = json.loads((WEIGHTS.parent / "model_card.json").read_text())
        card.update(change or {})
        (folder / "model_card.json").write_text(json.dumps(card))
        return folder

    def card_of(self, weights):
        """The card beside the weights, which must name them."""
        card = json.loads((weights.parent / "model_card.json").read_text())
        self.assertEqual(card["weights"], weights.name)
        return card

    def sha256(self, path):
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def test_the_card_is_copied_with_the_checksum_of_the_new_weights(self):
        out = self.folder / "w.safetensors"
        self.convert(WEIGHTS, out)
        card = self.card_of(out)
        self.assertEqual(card.pop("weights_sha256"), self.sha256(out))
        shipped = self.card_of(WEIGHTS)
        self.assertEqual(shipped.pop("weights_sha256"), self.sha256(WEIGHTS))
        self.assertEqual({**card, "weights": "weights.pt"}, shipped)
        self.assertEqual(list(card), list(shipped))

    def test_converting_in_place_writes_the_checksum(self):
        weights = self.model({"weights_sha256": None}) / "weights.pt"
        card = json.loads((weights.parent / "model_card.json").read_text())
        del card["weights_sha256"]
        (weights.parent / "model_card.json").write_text(json.dumps(card))
        self.convert("--force", weights, weights)
        self.assertEqual(self.card_of(weights)["weights_sha256"], self.sha256(weights))
        self.assertEqual(self.card_of(weights)["test_accuracy"], 0.976)

    def test_a_card_of_other_weights_is_not_passed_on_unless_trusted(self):
        weights = self.model({"weights_sha256": "0" * 64}) / "weights.pt"
        out = self.folder / "out.safetensors"
        run = self.convert(weights, out)
        self.assertIn("wrote no model card: the SHA-256 in", run.stderr)
        self.assertIn("--trust-card", run.stderr)
        self.assertFalse((self.folder / "model_card.json").exists())
        self.convert("--force", "--trust-card", weights, out)
        self.assertEqual(self.card_of(out)["weights_sha256"], self.sha256(out))

    def test_a_card_that_is_there_stays_unless_forced(self):
        out = self.folder / "w.safetensors"
        (self.folder / "model_card.json").write_text("mine")
        run = self.convert(WEIGHTS, out)
        self.assertIn(f"kept {self.folder / 'model_card.json'}, which is there already", run.stdout)
        self.assertEqual((self.folder / "model_card.json").read_text(), "mine")
        self.convert("--force", WEIGHTS, out)
        self.assertEqual(self.card_of(out)["weights_sha256"], self.sha256(out))

    def test_no_card_is_made_up(self):
        shutil.copy(WEIGHTS, self.folder / "alone.pt")
        run = self.convert(self.folder / "alone.pt", self.folder / "w.safetensors")
        self.assertIn("wrote no model card", run.stdout)
        self.assertFalse((self.folder / "model_card.json").exists())
        other = self.model() / "other.pt"
        shutil.copy(WEIGHTS, other)
        run = self.convert(other, self.folder / "x.safetensors")
        self.assertIn(f"wrote no model card: there is none beside {other} that names it", run.stdout)

    def test_a_file_that_only_has_the_name_of_a_card_does_not_stop_the_conversion(self):
        weights = self.model() / "weights.pt"
        card = weights.parent / "model_card.json"
        for content in ('{"library_name": "pytorch", "tags": ["mnist"]}', "# A model", ""):
            card.write_text(content)
            out = self.folder / "w.safetensors"
            run = self.convert("--force", weights, out)
            self.assertIn(f"warning: wrote no model card: {card}: ", run.stderr)
            self.assertEqual(read_safetensors(out)[0], read_state_dict(WEIGHTS))
            self.assertFalse((self.folder / "model_card.json").exists())
            out.unlink()
            self.assertIn(str(card), self.convert("--trust-card", weights, out, wanted=1).stderr)
            self.assertFalse(out.exists())

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
