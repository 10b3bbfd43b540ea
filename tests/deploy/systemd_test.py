"""deploy/systemd: what systemd says of the unit, and whether the server fits into it.

systemd itself need not run. Its own programs read the unit, and strace lists the system calls that the server makes.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from manifests import CLOSE_SECONDS, seconds
from testbed import MODEL, SERVER, SOURCE, STOP_TIMEOUT, Server, pb, request, run_server, stub, wait_until

FOLDER = os.path.join(SOURCE, "deploy/systemd")
UNIT = "hellocnn-server.service"

# Of 100, which is a service without any protection. This unit has 12.
MOST_EXPOSURE = 15


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def settings(unit):
    """The settings of a unit as a list of (name, value), in their order."""
    return re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE)


def analyze(unit, *command, drop_in=None):
    """Runs systemd-analyze on a unit, in which the server is the one that was built."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, UNIT)
        with open(path, "w", encoding="utf-8") as file:
            file.write(unit.replace("/usr/bin/hellocnn-server", SERVER))
        if drop_in is not None:
            os.mkdir(f"{path}.d")
            with open(os.path.join(f"{path}.d", "drop_in.conf"), "w", encoding="utf-8") as file:
                file.write(drop_in)
        return subprocess.run(
            ["systemd-analyze", *command, path],
            env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning", "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STOP_TIMEOUT,
        )


def needs(name):
    return unittest.skipUnless(shutil.which(name), f"no {name}")


@needs("systemd-analyze")
class UnitTest(unittest.TestCase):
    def test_systemd_takes_the_unit_with_and_without_tls(self):
        for drop_in in (None, read("tls.conf")):
            done = analyze(read(UNIT), "verify", "--man=no", drop_in=drop_in)
            self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_verifying_can_fail(self):
        done = analyze(read(UNIT).replace("ProtectSystem=strict", "ProtectSystem=very"), "verify", "--man=no")
        self.assertIn("protect system value", done.stdout)
        self.assertIn("Credential", analyze(read(UNIT), "verify", "--man=no", drop_in="[Service]\nLoadCredential=a/b\n").stdout)

    def test_its_exposure_is_small(self):
        done = analyze(read(UNIT), "security", "--offline=true", f"--threshold={MOST_EXPOSURE}")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_limit_of_exposure_can_be_passed(self):
        unit = re.sub(r"^(SystemCallFilter|CapabilityBoundingSet)=.*\n", "", read(UNIT), flags=re.MULTILINE)
        self.assertNotEqual(analyze(unit, "security", "--offline=true", f"--threshold={MOST_EXPOSURE}").returncode, 0)


class ServerTest(unittest.TestCase):
    def test_systemd_waits_longer_than_a_drain_takes(self):
        printed = run_server("--config", os.path.join(FOLDER, "server.toml"), "--print-config")
        self.assertEqual(printed.returncode, 0, printed.stderr)
        values = {name: value.strip('"') for name, value in re.findall(r"^(\S+) += +(\S+)", printed.stdout, re.MULTILINE)}
        needed = seconds(values["drain-delay"]) + seconds(values["drain-timeout"]) + CLOSE_SECONDS
        self.assertGreater(seconds(dict(settings(read(UNIT)))["TimeoutStopSec"]), needed)
        self.assertEqual(values["model"], "/var/lib/hellocnn/models")

    def test_bad_options_end_with_the_status_that_is_not_tried_again(self):
        status = run_server("--threads=no").returncode
        self.assertEqual(dict(settings(read(UNIT)))["RestartPreventExitStatus"], str(status))

    @needs("systemd-analyze")
    @needs("strace")
    def test_the_server_makes_no_system_call_that_is_filtered(self):
        allowed = allowed_calls(value for name, value in settings(read(UNIT)) if name == "SystemCallFilter")
        self.assertNotIn("ptrace", allowed)
        self.assertNotIn("setpriority", allowed)
        with tempfile.TemporaryDirectory() as folder:
            lines = trace_server(os.path.join(folder, "trace"))
        made = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", lines, re.MULTILINE))
        self.assertIn("epoll_wait", made)
        self.assertIn("prlimit64", made)
        self.assertEqual(made - allowed, set())
        # MemoryDenyWriteExecute=yes: memory that was written does not become code.
        self.assertEqual(re.findall(r".* mprotect\(.*PROT_EXEC.*|.* mmap\(.*PROT_WRITE\|PROT_EXEC.*", lines), [])


def allowed_calls(filters):
    """The system calls that lines of SystemCallFilter= leave."""
    groups = {}
    for line in subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout.splitlines():
        if line.startswith("@"):
            group = groups.setdefault(line.strip(), set())
        elif line.startswith("    ") and not line.strip().startswith("#"):
            group.add(line.strip())

    def expand(word):
        return set().union(*(expand(member) for member in groups[word])) if word.startswith("@") else {word}

    allowed = set()
    for value in filters:
        named = set().union(*(expand(word) for word in value.lstrip("~").split()))
        allowed = allowed - named if value.startswith("~") else allowed | named
    # systemd always allows these.
    return allowed | expand("@default") | {"execve", "exit", "exit_group", "rt_sigreturn", "sigreturn"}


def trace_server(trace):
    """What strace writes, to the file `trace`, of a server that starts, serves, looks for models and drains."""
    program = f"{trace}.sh"
    with open(program, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec strace -f -qq -o {trace} {SERVER} "$@"\n')
    os.chmod(program, 0o755)
    notify = os.path.join(os.path.dirname(trace), "notify")
    with Server("--http-listen=127.0.0.1:0", program=program, environment={"NOTIFY_SOCKET": notify}) as server:
        # strace keeps signals to itself while its program runs.
        child = int(subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True).stdout)
        try:
            with server.channel() as channel:
                stub(channel).GetModel(pb.GetModelRequest(), timeout=60)
                stub(channel).Classify(request(40), timeout=60)
            server.metrics()
            server.cli("health")
            os.kill(child, signal.SIGHUP)
            wait_until(lambda: "= 1 (SIGHUP)" in contents(trace), "SIGHUP is taken")
        finally:
            os.kill(child, signal.SIGTERM)
        server.wait()
    return contents(trace)


def contents(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


if __name__ == "__main__":
    unittest.main()
