"""Programs in poor surroundings: no threads to be had, a full disk, signals that come twice."""

import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
import time
import unittest

from testbed import CLI, MODEL, SERVER, SLOW_ENGINE, TEST_DATA, Server, clean_environment, request, stub, wait_until

NOBODY = 100000 + os.getpid()  # a user without processes, and not one of a test that runs beside this one
CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
CLONE3 = 435
SOCKET = {"x86_64": 41, "aarch64": 198}.get(platform.machine())


def forbid(calls, error, first_argument=None):
    """A function that makes the given system calls fail with `error` in this process, as a seccomp profile does.

    With `first_argument`, only calls with that one fail.
    """
    load_number, load_argument = struct.pack("HBBI", 0x20, 0, 0, 0), struct.pack("HBBI", 0x20, 0, 0, 16)
    allow, fail = struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000), struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | error)
    then = fail if first_argument is None else load_argument + struct.pack("HBBI", 0x15, 0, 1, first_argument) + fail
    program = b"".join(load_number + struct.pack("HBBI", 0x15, 0, len(then) // 8, call) + then for call in calls) + allow
    buffer = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def apply(keep=buffer):
        if prctl(38, 1, 0, 0, 0) != 0 or prctl(22, 2, header, 0, 0) != 0:  # no new privileges; seccomp filter
            raise OSError(ctypes.get_errno(), "seccomp")

    return apply


def few_processes(count):
    """A function that makes this process one of a user who may have `count` threads."""

    def apply():
        resource.setrlimit(resource.RLIMIT_NPROC, (count, count))
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    return apply


def little_memory(mebibytes):
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))


def run(*command, before, timeout=60):
    def prepare():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        before()

    return subprocess.run(command, env=clean_environment(), capture_output=True, text=True, preexec_fn=prepare, timeout=timeout)


SERVE = [SERVER, "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0", "--model", MODEL]


class NoThreadsTest(unittest.TestCase):
    def assert_said(self, done):
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stderr, r"(?m)^hellocnn(-server)?: cannot start \d+ threads, only \d+: .*; ")
        self.assertNotIn("terminate called", done.stderr)

    def commands(self, server):
        at = ["--server", server.address]
        yield [CLI, *at, "health"]
        yield [CLI, *at, "describe"]
        yield [CLI, *at, "evaluate", "--data", TEST_DATA]
        yield [CLI, *at, "classify", f"{TEST_DATA}/t10k-images-idx3-ubyte.gz", "--limit=3"]
        yield [CLI, *at, "load", "--duration=300ms", "--warm-up=0s"]
        yield [CLI, *at, "load", "--duration=300ms", "--warm-up=0s", "--rate=10"]

    @unittest.skipIf(CLONE is None, "the numbers of this machine's system calls are not known here")
    def test_a_profile_that_forbids_threads_is_said(self):
        with Server() as server:
            for calls, error in (([CLONE3], 1), ([CLONE, CLONE3], 1), ([CLONE, CLONE3], 11)):
                for command in (SERVE, *self.commands(server)):
                    with self.subTest(command=command, calls=calls, error=error):
                        done = run(*command, before=forbid(calls, error))
                        self.assert_said(done)
                        if error == 1:
                            self.assertIn("seccomp", done.stderr)

    @unittest.skipIf(os.geteuid() != 0, "needs root, to become another user")
    def test_a_limit_of_processes_is_said_or_enough(self):
        """Whatever the limit: no hang, no crash. gRPC hangs for ever if it gets some of its threads."""
        if subprocess.run(["true"], user=NOBODY, cwd=os.path.dirname(SERVER), check=False).returncode != 0:
            self.skipTest("another user cannot reach the programs")
        with Server() as server:
            for command in self.commands(server):
                for count in (1, 2, 4, 7, 8, 9, 12, 13, 14, 15, 16, 20):
                    with self.subTest(command=command, count=count):
                        done = run(*command, before=few_processes(count))
                        self.assertNotIn("terminate called", done.stderr)
                        self.assertIn(done.returncode, (0, 1), done)
                        if done.returncode == 1:
                            self.assertIn("cannot start ", done.stderr)
        for count in (1, 2, 5, 8, 11, 16, 17, 18):
            with self.subTest(count=count):
                self.assert_said(run(*SERVE, "--threads=2", before=few_processes(count)))
        with Server("--threads=2", before=few_processes(19)) as server, server.channel() as channel:
            stub(channel).Classify(request(1), timeout=30)

    @unittest.skipIf("libasan" in subprocess.run(["ldd", SERVER], capture_output=True, text=True, check=False).stdout, "sanitizers need address space")
    def test_little_address_space_is_said(self):
        self.assert_said(run(*SERVE, "--threads=1024", before=little_memory(2048)))


@unittest.skipIf("libasan" in subprocess.run(["ldd", SERVER], capture_output=True, text=True, check=False).stdout, "sanitizers need address space")
class LittleMemoryTest(unittest.TestCase):
    """A server whose memory runs out while it serves large requests."""

    def test_the_end_is_said_and_is_no_crash(self):
        ends = []
        for limit in range(170, 330, 20):
            with self.subTest(limit=limit):
                try:
                    server = Server("--threads=2", before=little_memory(limit))
                except AssertionError as error:  # not even enough to start
                    self.assertRegex(str(error), "cannot start \\d+ threads?|out of memory|Cannot allocate memory")
                    continue
                server.cli("load", "--images-per-request=1024", "--concurrency=64", "--connections=8", "--duration=1s", timeout=60)
                ends.append(server.stop())
                self.assertIn(ends[-1], (0, 1), server.stderr())
                if ends[-1] == 1:
                    self.assertIn("hellocnn-server: out of memory; raise the limit of memory", server.stderr())
        self.assertIn(0, ends)


@unittest.skipIf(SOCKET is None, "the numbers of this machine's system calls are not known here")
class NoIpv6Test(unittest.TestCase):
    """On a kernel without IPv6, as with ipv6.disable=1."""

    no_ipv6 = staticmethod(forbid([SOCKET], errno.EAFNOSUPPORT, socket.AF_INET6))

    def test_every_address_is_every_ipv4_address(self):
        with Server(listen="[::]:0", metrics_listen="[::]:0", before=self.no_ipv6) as server:
            self.assertTrue(server.address.startswith("[::]:"), server.address)
            for address in (server.address, server.metrics_address):
                with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=30):
                    pass
            at = "127.0.0.1:" + server.address.rpartition(":")[2]
            done = run(CLI, "--server", at, "load", "--duration=200ms", "--warm-up=0s", "--prometheus-listen=[::]:0", before=self.no_ipv6)
            self.assertEqual(done.returncode, 0, done)

    def test_an_address_of_ipv6_is_rejected(self):
        done = run(SERVER, "--listen=[::1]:0", "--metrics-listen=off", "--model", MODEL, before=self.no_ipv6)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("[::1]:0: this machine does not have that family of addresses", done.stderr)


def programs():
    """Those that were built."""
    names = ("hellocnn", "hellocnn-server", "hellocnn-convert", "hellocnn-train", "hellocnn-bench", "hellocnn-echo-server")
    paths = [os.path.join(os.path.dirname(SERVER), name) for name in names]
    return [path for path in paths if os.path.exists(path)]


class HelpTest(unittest.TestCase):
    def test_help_of_every_program_fits_a_terminal(self):
        for program in programs():
            with self.subTest(program):
                done = subprocess.run([program, "--help"], env=clean_environment(), capture_output=True, text=True, timeout=60, check=True)
                self.assertIn("--help", done.stdout)
                for line in done.stdout.splitlines():
                    self.assertLessEqual(len(line), 80, line)

    def test_a_mistyped_option_is_told_the_nearest(self):
        for program in programs():
            with self.subTest(program):
                done = subprocess.run([program, "--hepl"], env=clean_environment(), capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn("--hepl", done.stderr)
                self.assertIn("did you mean --help?", done.stderr)


class FullDiskTest(unittest.TestCase):
    def test_what_cannot_be_printed_is_a_failure(self):
        for command in (
            [SERVER, "--version"],
            [SERVER, "--print-config"],
            [SERVER, "--print-options-markdown"],
            *([program, "--help"] for program in programs()),
            [CLI, "--version"],
            [CLI, "--print-options-markdown"],
            [CLI, "load", "--help"],
            [CLI, "completion", "bash"],
            [CLI, "describe", "--offline"],
        ):
            with self.subTest(command=command), open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run(command, env=clean_environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn("standard output", done.stderr)


class SignalPairTest(unittest.TestCase):
    def drain(self, server, channel, pause):
        """Sends two signals with a pause between them while requests are computed; returns the exit code."""
        calls = [stub(channel).Classify.future(request(1024), timeout=120) for _ in range(4)]
        calls[0].result()  # so the others have been received too
        server.terminate(signal.SIGTERM)
        time.sleep(pause)
        server.terminate(signal.SIGINT)  # another signal, because equal ones may become one on their way
        return server.wait()

    def test_signals_that_come_together_are_one(self):
        with Server(SLOW_ENGINE, "--threads=1", "--drain-timeout=60s") as server, server.channel() as channel:
            self.assertEqual(self.drain(server, channel, 0.02), 0)
            self.assertIn("drained", server.stderr())

    def test_a_later_signal_ends_the_server_at_once(self):
        server = Server(SLOW_ENGINE, "--threads=1", "--drain-timeout=60s")
        try:
            with server.channel() as channel:
                self.assertEqual(self.drain(server, channel, 0.5), 1)
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()
