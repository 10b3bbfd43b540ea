"""Whatever stands in the place of a file, programs say what is wrong with it, soon, and take little memory for it.

Each test has a table of all that its program reads. STRANGE has what stands there.
"""

import concurrent.futures
import contextlib
import os
import subprocess
import tempfile
import time
import unittest

from certificates import Authority
from testbed import CLI, MODEL, SERVER, TEST_DATA, Server, clean_environment

PROGRAMS = os.path.dirname(CLI)
STRANGE = ("zero", "memory", "pipe", "folder", "huge")
# Of the CPU: the clock says little on a machine that is busy. LibTorch takes 3 to start.
MOST_SECONDS = 10
# When a program is taken to hang. It may wait 2 s for the writer of a pipe.
PATIENCE = 120
MOST_MEGABYTES = 100
# LibTorch and the training set take 200.
MOST_MEGABYTES_OF_TRAINING = 300


class Ended:
    """A command that has ended, or was ended after PATIENCE."""

    def __init__(self, command):
        start = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output
            )
            pid = 0
            while pid == 0 and time.monotonic() < start + PATIENCE:
                time.sleep(0.02)
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid == 0:
                process.kill()
                _, status, usage = os.wait4(process.pid, 0)
            process.returncode = self.status = os.waitstatus_to_exitcode(status)
            self.seconds = usage.ru_utime + usage.ru_stime
            self.megabytes = usage.ru_maxrss / 1024
            self.message = os.pread(output.fileno(), 10000, 0).decode(errors="replace")

    def __str__(self):
        return f"status {self.status}, {self.seconds:.1f} s, {self.megabytes:.0f} MB, {self.message!r}"


class InputsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.folder = cls.stack.enter_context(tempfile.TemporaryDirectory())
        os.mkfifo(cls.path("pipe"))
        os.mkdir(cls.path("folder"))
        with open(cls.path("huge"), "wb") as file:
            file.truncate(5 << 30)
        cls.strange = {name: cls.path(name) for name in STRANGE}
        cls.strange.update(zero="/dev/zero", memory="/proc/self/mem")
        cls.certificate, cls.key = Authority(cls.folder).issue("server")

    @classmethod
    def path(cls, *names):
        return os.path.join(cls.folder, *names)

    @classmethod
    def beside(cls, name, thing, others):
        """A new folder in which `name` is a link to `thing`, beside links to `others`."""
        made = tempfile.mkdtemp(dir=cls.folder)
        os.symlink(thing, os.path.join(made, name))
        for path in others:
            if os.path.basename(path) != name:
                os.symlink(path, os.path.join(made, os.path.basename(path)))
        return made

    def check(self, readers, megabytes=MOST_MEGABYTES, statuses=(1, 2)):
        """Runs every reader, a function from a path to a command, on every strange thing."""

        def run(cell):
            (name, reader), thing = cell
            return name, thing, Ended(reader(self.strange[thing]))

        cells = [(reader, thing) for reader in readers.items() for thing in STRANGE]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for name, thing, ended in pool.map(run, cells):
                print(f"{name:32} {thing:7} {ended}")
                with self.subTest(name, thing=thing):
                    self.assertIn(ended.status, statuses, ended)
                    self.assertLess(ended.seconds, MOST_SECONDS, ended)
                    self.assertLess(ended.megabytes, megabytes, ended)
                    self.assertRegex(ended.message, r"\S", ended)
                    self.assertNotRegex(ended.message, "terminate called|bad_alloc", ended)

    def test_server(self):
        def command(*options):
            return [SERVER, "--listen=127.0.0.1:0", "--metrics-listen=off", *options]

        def encrypted(option):
            files = {"--tls-cert": self.certificate, "--tls-key": self.key}
            return lambda thing: command(f"--model={MODEL}", *(f"{name}={path}" for name, path in {**files, option: thing}.items()))

        def model(name):
            files = [os.path.join(MODEL, each) for each in os.listdir(MODEL)]
            return lambda thing: command(f"--model={self.beside(name, thing, files)}")

        self.check({
            "--config": lambda thing: command(f"--config={thing}"),
            "--model": lambda thing: command(f"--model={thing}"),
            "model_card.json": model("model_card.json"),
            "weights": model("weights.pt"),
            **{option: encrypted(option) for option in ("--tls-cert", "--tls-key", "--tls-client-ca")},
        })

    def test_command_line(self):
        server = self.stack.enter_context(Server())
        saved = self.path("saved.json")
        with open(saved, "wb") as file:
            subprocess.run(
                [CLI, "--server", server.address, "load", "--requests=50", "--warm-up=0s", "--output=json"],
                env=clean_environment(), stdout=file, check=True, timeout=60,
            )

        def command(*options):
            return [CLI, "--server", server.address, *options]

        def listed(thing):
            path = os.path.join(tempfile.mkdtemp(dir=self.folder), "list")
            with open(path, "w", encoding="utf-8") as file:
                file.write(thing + "\n")
            return path

        files = [os.path.join(TEST_DATA, name) for name in os.listdir(TEST_DATA)]

        def data(name, *options):
            return lambda thing: command(*options, "--data", self.beside(name, thing, files))

        images, labels = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
        self.check({
            **{f"{name} --tls-ca": lambda thing, name=name: command(name, "--tls-ca", thing) for name in ("health", "describe", "load")},
            "evaluate --tls-ca": lambda thing: command("evaluate", "--data", TEST_DATA, "--tls-ca", thing),
            "classify --tls-ca": lambda thing: command("classify", os.path.join(TEST_DATA, images), "--tls-ca", thing),
            "classify": lambda thing: command("classify", thing),
            "classify --raw": lambda thing: command("classify", "--raw", thing),
            "classify --fit as-is": lambda thing: command("classify", "--fit=as-is", thing),
            "classify --files-from": lambda thing: command("classify", "--files-from", thing),
            "a file of --files-from": lambda thing: command("classify", "--files-from", listed(thing)),
            "evaluate --data": lambda thing: command("evaluate", "--data", thing),
            "evaluate, images": data(images, "evaluate"),
            "evaluate, labels": data(labels, "evaluate"),
            "load --data": lambda thing: command("load", "--data", thing),
            "load, images": data(images, "load"),
            "load, labels": data(labels, "load"),
            "load --arrivals": lambda thing: command("load", "--arrivals", thing),
            "load compare, before": lambda thing: [CLI, "load", "compare", thing, saved],
            "load compare, after": lambda thing: [CLI, "load", "compare", saved, thing],
            "tune --server-binary": lambda thing: [CLI, "tune", "--slo=p99=1s", "--server-binary", thing],
            "tune --model": lambda thing: [CLI, "tune", "--slo=p99=1s", "--model", thing],
        })

    def test_converter(self):
        files = [os.path.join(MODEL, each) for each in os.listdir(MODEL)]
        convert = os.path.join(PROGRAMS, "hellocnn-convert")

        def card(thing):
            made = self.beside("model_card.json", thing, files)
            return [convert, os.path.join(made, "weights.pt"), os.path.join(made, "out.safetensors")]

        self.check({"hellocnn-convert": lambda thing: [convert, thing, os.path.join(tempfile.mkdtemp(dir=self.folder), "out.safetensors")]})
        # Weights without a card are converted, and a warning says that there is none.
        self.check({"hellocnn-convert, card": card}, statuses=(0,))

    def test_trainer(self):
        # A training set of the test digits, of which the first thing that is read decides.
        digits = tempfile.mkdtemp(dir=self.folder)
        for name in os.listdir(TEST_DATA):
            os.symlink(os.path.join(TEST_DATA, name), os.path.join(digits, name.replace("t10k", "train")))
        files = [os.path.join(digits, name) for name in os.listdir(digits)]
        images, labels = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"

        def train(folder, output):
            return [
                os.path.join(PROGRAMS, "hellocnn-train"), "--data", folder, "--output", output,
                "--epochs=1", "--search-epochs=0", "--validation-size=9000",
            ]

        def output():
            return tempfile.mkdtemp(dir=self.folder)

        def checkpoint(thing):
            made = output()
            os.mkdir(os.path.join(made, "training"))
            os.symlink(thing, os.path.join(made, "training", "final.checkpoint"))
            return train(digits, made)

        def output_of(thing):
            # An empty folder is a good place for a model.
            return train(digits, os.path.join(MODEL, "model_card.json") if thing == self.path("folder") else thing)

        self.check({
            "hellocnn-train --data": lambda thing: train(thing, output()),
            "hellocnn-train, images": lambda thing: train(self.beside(images, thing, files), output()),
            "hellocnn-train, labels": lambda thing: train(self.beside(labels, thing, files), output()),
            "hellocnn-train, checkpoint": checkpoint,
            "hellocnn-train --output": output_of,
        }, megabytes=MOST_MEGABYTES_OF_TRAINING)


if __name__ == "__main__":
    unittest.main()
