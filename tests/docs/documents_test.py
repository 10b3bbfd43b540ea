"""The documents are true: their commands run, their Python runs, their links lead somewhere.

Every line of an `sh` block is either run here, against a real server, or is of a kind that RUN_ELSEWHERE names with the
test that runs it. Ports are replaced by those of the test's server, so that the documents can show the usual ones.
"""

import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

from testbed import CLI, SOURCE, STOP_TIMEOUT, Server, clean_environment, run_server

# First word of a command: where it is run.
RUN_ELSEWHERE = {
    "build/my_program": "tests/client/install_test.sh",
    "c++": "tests/client/install_test.sh",
    "cmake": "scripts/test.sh",
    "cp": "tests/integration/models_test.py",
    "ctest": "scripts/test.sh",
    "docker": "tests/deploy/compose_test.sh",
    "grpcurl": "tests/interop/tools_test.py",
    "journalctl": "tests/deploy/systemd_test.py",  # nothing here is a running systemd
    "kubectl": "tests/deploy/kubernetes_test.py",  # renders and checks; nothing here is a cluster
    "mv": "tests/integration/models_test.py",
    "sudo": "scripts/install-deps.sh",
    "systemctl": "tests/deploy/systemd_test.py",  # likewise
}

BIN = os.path.dirname(CLI)


def documents():
    names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md"]
    return sorted(path for name in names for path in glob.glob(name, root_dir=SOURCE, recursive=True))


def read(document):
    with open(os.path.join(SOURCE, document), encoding="utf-8") as file:
        return file.read()


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text):
    """The commands of the `sh` blocks. Lines that belong together, as in a loop, are one."""
    for block in blocks(text, "sh"):
        lines = [block] if block.startswith("for ") else block.replace("\\\n", " ").splitlines()
        yield from (line for line in lines if shlex.split(line, comments=True))


def anchors(text):
    """The anchors of the headings, as they are made from their text on the usual hosts."""
    for heading in re.findall(r"^#+ +(.*)$", text, re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        yield kept.replace(" ", "-")


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.ran = 0

    def test_commands_run(self):
        # Both versions, so that there is one to roll back to.
        several = Server("--model-control=on", "--model-versions=all", "--http-listen=127.0.0.1:0", model=os.path.join(SOURCE, "models/mnist"))
        with several as server, tempfile.TemporaryDirectory() as scratch:
            for name in ("data", "deploy", "models", "protos"):
                os.symlink(os.path.join(SOURCE, name), os.path.join(scratch, name))
            with open(os.path.join(scratch, "times.txt"), "w", encoding="utf-8") as file:
                file.writelines(f"{i / 100}\n" for i in range(20))
            os.mkdir(os.path.join(scratch, "photos"))
            for picture, source in (("photo.jpg", "two.jpg"), ("photos/seven.png", "seven.png")):
                with open(os.path.join(SOURCE, "fuzz/corpus/picture", source), "rb") as file:
                    content = file.read()[1:]  # the first byte is the fuzz target's own
                with open(os.path.join(scratch, picture), "wb") as file:
                    file.write(content)
            for document in documents():
                for command in commands(read(document)):
                    with self.subTest(document=document, command=command):
                        self.run_command(command, server, scratch)
        self.assertGreater(self.ran, 15, "the documents' commands were not found")

    def run_command(self, command, server, scratch):
        words = shlex.split(command, comments=True)
        program = words[0].removeprefix("build/release/bin/")
        if program in ("hellocnn", "hellocnn-convert", "classify_digits") or "| hellocnn " in command:
            self.run_client(command, server, scratch)
        elif "curl --" in command or "curl http" in command:
            self.assertIsNotNone(shutil.which("curl"), "scripts/install-deps.sh --test installs curl")
            run = self.run_shell(command.replace("127.0.0.1:8080", server.http_address).replace("curl ", "curl -fsS "), scratch)
            self.assertIn('"label"', run.stdout)
        elif program == "hellocnn-server":
            self.start_server(words[1:])
        elif program == "hellocnn-train":  # trains for hours; train_test.py runs it on less
            self.check_flags([os.path.join(BIN, program)], words[1:])
        elif program == "hellocnn-bench":  # measures for minutes; bench_test.py runs it on less
            self.check_flags([os.path.join(BIN, program), words[1]], words[2:])
        elif program.startswith("scripts/"):
            self.check_flags([os.path.join(SOURCE, program)], words[1:])
        elif program.startswith("tests/"):
            self.assertTrue(os.access(os.path.join(SOURCE, program), os.X_OK))
        elif program == "protoc":
            self.run_shell(command, scratch)
            made = "*.pb" if "--descriptor_set_out" in command else "**/*_pb2_grpc.py"
            self.assertTrue(glob.glob(made, root_dir=scratch, recursive=True))
        elif program == "for":
            subprocess.run(["bash", "-n"], input=command, text=True, check=True)
        else:
            self.assertIn(program, RUN_ELSEWHERE, "run it here, or say in RUN_ELSEWHERE what runs it")

    def run_client(self, command, server, scratch):
        command = self.with_ports(command.removeprefix("build/release/bin/"), server)
        wanted = (0,)
        if command.startswith("hellocnn load compare"):
            wanted = (0, 1)  # 1: it found a difference between two runs, which is none of this test's business
        elif command.startswith("hellocnn tune"):
            # With a limit that any machine keeps.
            command = re.sub(r" --(slo|duration|warm-up|budget) \S+", "", command)
            command = command.replace("hellocnn tune", "hellocnn tune --slo p50=1m --rate 10 --duration 200ms --budget 1s", 1)
        elif command.startswith("hellocnn load"):
            words = re.sub(r" --(duration|warm-up|window) \S+", "", command).split(None, 2)
            command = " ".join([*words[:2], "--duration 300ms --warm-up 0s", *words[2:]])
            if "--find-max-rate" in command:
                wanted = (0, 1)  # 1: none is within the limit, as on a machine that is busy
        self.run_shell(command, scratch, wanted, HELLOCNN_SERVER=server.address, PATH=f"{BIN}:{os.environ['PATH']}")

    def run_shell(self, command, scratch, wanted=(0,), **environment):
        run = subprocess.run(
            ["bash", "-c", command],
            cwd=scratch,
            env=clean_environment(**environment),
            capture_output=True,
            text=True,
            timeout=STOP_TIMEOUT,
        )
        self.assertIn(run.returncode, wanted, run.stderr)
        self.ran += 1
        return run

    @staticmethod
    def with_ports(text, server):
        return text.replace("127.0.0.1:8500", server.address).replace("127.0.0.1:9464", server.metrics_address)

    def start_server(self, arguments):
        """Starts with the documented flags, but on free ports, and stops it. What ends by itself just runs."""
        arguments = [re.sub(r":(8500|9464|8080)\b", ":0", word) for word in arguments]
        if {"--help", "--print-config", "--version"} & set(arguments):
            run = run_server(*arguments)
            self.assertEqual(run.returncode, 0, run.stderr)
        else:
            given = dict(zip(arguments[::2], arguments[1::2]))
            named = {"listen": "--listen", "metrics_listen": "--metrics-listen", "model": "--model"}
            options = {key: given.pop(flag) for key, flag in named.items() if flag in given}
            if "model" in options:
                options["model"] = os.path.join(SOURCE, options["model"])
            with Server(*(word for pair in given.items() for word in pair), **options):
                pass
        self.ran += 1

    def check_flags(self, program, arguments):
        """Not run here, but it is there and knows the flags."""
        usage = subprocess.run([*program, "--help"], capture_output=True, text=True, timeout=STOP_TIMEOUT)
        self.assertEqual(usage.returncode, 0, usage.stderr)
        for flag in (word.partition("=")[0] for word in arguments if word.startswith("-")):
            self.assertIn(flag, usage.stdout)


class PythonTest(unittest.TestCase):
    def test_clients_in_python_run(self):
        programs = [
            (document, block)
            for document in documents()
            for block in blocks(read(document), "python")
            if "import grpc" in block
        ]
        self.assertTrue(programs)
        with Server() as server:
            for document, program in programs:
                with self.subTest(document=document):
                    run = subprocess.run(
                        [sys.executable, "-c", CommandTest.with_ports(program, server)],
                        cwd=SOURCE,
                        capture_output=True,
                        text=True,
                        timeout=STOP_TIMEOUT,
                    )
                    self.assertEqual(run.returncode, 0, run.stderr)
                    self.assertTrue(run.stdout.startswith("7 "), run.stdout)


class ReadmeTest(unittest.TestCase):
    """What the README shows is what the programs print; only measured times and ports differ."""

    @staticmethod
    def shown():
        """[(command, lines)] of the README's block of output, without the lines that say that something is cut."""
        (block,) = re.findall(r"^```\n(== .*?)^```$", read("README.md"), re.MULTILINE | re.DOTALL)
        found = []
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found and line.strip() not in ("", "…") and not line.startswith("=="):
                found[-1][1].append(line.rstrip())
        return found

    @staticmethod
    def comparable(line):
        line = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", line.rstrip())
        line = re.sub(r"[\d.,]+ images/s\b", "RATE", line)
        return re.sub(r"[\d.,]+ (us|ms|s)\b", "TIME", line)

    def test_the_output_shown_is_the_output(self):
        commands_shown = [(command, lines) for command, lines in self.shown() if command.startswith("hellocnn ")]
        self.assertEqual(len(commands_shown), 4)
        with Server(model=os.path.join(SOURCE, "models/mnist/2")) as server:
            for command, lines in commands_shown:
                with self.subTest(command=command):
                    run = subprocess.run(
                        [CLI, *shlex.split(command)[1:]],
                        cwd=SOURCE,
                        env=clean_environment(HELLOCNN_SERVER=server.address),
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        text=True,
                        timeout=STOP_TIMEOUT,
                    )
                    self.assertEqual(run.returncode, 0, run.stdout)
                    printed = iter([self.comparable(line) for line in run.stdout.splitlines()])
                    for line in lines:
                        if line.startswith("The server finished"):  # what quickstart.sh says itself
                            continue
                        # Consumes what is cut in between, so that the order counts too.
                        self.assertIn(self.comparable(line), printed, run.stdout)

    def test_the_commands_are_those_of_the_quickstart(self):
        script = read("scripts/quickstart.sh")
        for command, _ in self.shown():
            with self.subTest(command=command):
                self.assertIn(command, script)


class LinkTest(unittest.TestCase):
    def test_links_lead_to_what_is_there(self):
        found = 0
        for document in documents():
            text = re.sub(r"^```.*?^```$", "", read(document), flags=re.MULTILINE | re.DOTALL)
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"\w+://", link):
                    continue
                found += 1
                path, _, anchor = link.partition("#")
                target = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
                with self.subTest(document=document, link=link):
                    self.assertTrue(os.path.exists(os.path.join(SOURCE, target)), f"no {target}")
                    if anchor:
                        self.assertIn(anchor, set(anchors(read(target))))
        self.assertGreater(found, 10)

    def test_files_that_documents_name_are_there(self):
        """As in `server/server.cc` or `client/`: whoever moves a file finds every page that names it."""
        folders = "base|benchmarks|cli|client|datasets|deploy|docs|fuzz|hellocnn|loadgen|protos|scripts|server|tests"
        found = 0
        for document in documents():
            text = re.sub(r"^```.*?^```$", "", read(document), flags=re.MULTILINE | re.DOTALL)
            for path in re.findall(rf"`((?:{folders})/[\w./-]*)`", text):
                if re.search(r"NAME|TARGET", path):  # a placeholder
                    continue
                found += 1
                with self.subTest(document=document, path=path):
                    # Installed headers are named as programs include them.
                    places = (os.path.join(SOURCE, root, path) for root in (".", "client/include"))
                    self.assertTrue(any(map(os.path.exists, places)), f"no {path}")
        self.assertGreater(found, 60)

    def test_the_architecture_says_where_things_are(self):
        table = read("docs/architecture.md").partition("## Where is …?\n")[2].partition("\n## ")[0]
        questions = re.findall(r"^\| (Where .*\?) \| \[[^\]]+\]\(\.\./[^)]+\)", table, re.MULTILINE)
        self.assertGreaterEqual(len(questions), 12)
        self.assertEqual(len(questions), len(set(questions)))

    def test_pages_that_deployments_name_are_there(self):
        """As in `runbook_url: docs/runbooks.md#anchor`."""
        found = 0
        for name in sorted(glob.glob("deploy/**/*", root_dir=SOURCE, recursive=True)) + ["Dockerfile", "compose.yaml"]:
            if os.path.isdir(os.path.join(SOURCE, name)):
                continue
            for target, anchor in re.findall(r"\b(docs/[\w/-]+\.md)(?:#([\w-]+))?", read(name)):
                found += 1
                with self.subTest(file=name, target=target, anchor=anchor):
                    self.assertTrue(os.path.exists(os.path.join(SOURCE, target)))
                    if anchor:
                        self.assertIn(anchor, set(anchors(read(target))))
        self.assertGreater(found, 20)


if __name__ == "__main__":
    unittest.main()
