"""What the integration tests share: a server process on free ports, the command line, digits, and the gRPC stubs.

CTest passes the paths in HELLOCNN_TEST_SERVER, HELLOCNN_TEST_CLI and HELLOCNN_TEST_SOURCE, and the stubs on PYTHONPATH.
"""

import gzip
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time
import urllib.request

import grpc

from hellocnn.v1 import classifier_service_pb2 as pb
from hellocnn.v1 import classifier_service_pb2_grpc as pb_grpc

SERVER = os.environ["HELLOCNN_TEST_SERVER"]
CLI = os.environ["HELLOCNN_TEST_CLI"]
SOURCE = os.environ["HELLOCNN_TEST_SOURCE"]
MODEL = os.path.join(SOURCE, "models/mnist/1")
TEST_DATA = os.path.join(SOURCE, "data/mnist-test")

# Sanitized and Debian 12 builds take seconds to start; nothing here should come near this.
START_TIMEOUT = 120
STOP_TIMEOUT = 120

# What carries the calls of the servers under test, unless a test says otherwise. All tests must pass on each transport.
TRANSPORT = os.environ.get("HELLOCNN_TEST_TRANSPORT", "http2")

# For tests in which requests must pile up: the slowest engine, some hundreds of microseconds an image.
SLOW_ENGINE = "--engine=torch-eager"


def clean_environment(**more):
    """The environment without the user's own HELLOCNN_… settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HELLOCNN_")}
    return {**kept, **more}


def model_card():
    with open(os.path.join(MODEL, "model_card.json"), encoding="utf-8") as file:
        return json.load(file)


def run_server(*arguments, timeout=START_TIMEOUT, **environment):
    """Runs the server to its end, for what it refuses or prints."""
    return subprocess.run(
        [SERVER, *arguments],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


class Server:
    """A server process, ready when the constructor returns. Use in a `with` statement, or call stop().

    `before` is called in the new process before it becomes the server. `environment` is added to the environment. The server has no
    drain delay unless it is given one, because its clients are in the hands of the test.
    """

    def __init__(self, *arguments, listen="127.0.0.1:0", metrics_listen="127.0.0.1:0", model=MODEL, program=SERVER, before=None, environment=None):
        command = [program, "--listen", listen, "--metrics-listen", metrics_listen, "--model", model]
        self._stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*command, *arguments],
            env=clean_environment(**{"HELLOCNN_TRANSPORT": TRANSPORT, "HELLOCNN_DRAIN_DELAY": "0s", **(environment or {})}),
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            preexec_fn=before,
        )
        try:
            line = self._read_ready_line()
            match = re.fullmatch(r"hellocnn-server ready grpc=(\S+) metrics=(\S+)(?: http=(\S+))?(?: probe=(\S+))?", line)
            if not match:
                raise AssertionError(f"unexpected first line {line!r}; stderr: {self.stderr()}")
        except BaseException:
            self.process.kill()
            self.stop()
            raise
        self.address, self.metrics_address, self.http_address, self.probe_address = match.groups()

    def _read_ready_line(self):
        deadline = time.monotonic() + START_TIMEOUT
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], deadline - time.monotonic())
            if not ready:
                raise AssertionError(f"not ready after {START_TIMEOUT} s; stderr: {self.stderr()}")
            byte = os.read(self.process.stdout.fileno(), 1)
            if not byte:
                raise AssertionError(f"ended before it was ready; stderr: {self.stderr()}")
            line += byte
        return line.decode().rstrip("\n")

    def stderr(self):
        """What it has logged so far; after stop(), all of it."""
        if self._stderr.closed:
            return self._log
        return os.pread(self._stderr.fileno(), 1 << 20, 0).decode(errors="replace")

    def terminate(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(STOP_TIMEOUT)

    def stop(self):
        """Stops it in the orderly way and returns its exit status."""
        if self.process.poll() is None:
            self.terminate()
        try:
            return self.wait()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self._log = self.stderr()
            self._stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        status = self.stop()
        if kind is None and status != 0:
            raise AssertionError(f"server exited with {status}; stderr: {self.stderr()}")

    def channel(self, number=0):
        """A channel of its own: equal arguments would share one connection."""
        options = [("hellocnn.channel", number), ("grpc.max_receive_message_length", -1)]
        return grpc.insecure_channel(self.address, options=options)

    def metrics(self):
        """The metrics page as {'name{labels}': value}."""
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics", timeout=30) as page:
            text = page.read().decode()
        return {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line and not line.startswith("#")
        }

    def cli(self, *arguments, timeout=240):
        """Runs the command line against this server."""
        return subprocess.run(
            [CLI, *arguments],
            env=clean_environment(HELLOCNN_SERVER=self.address),
            capture_output=True,
            text=True,
            timeout=timeout,
        )


class ServerWithAllMetrics:
    """A server whose metrics page has every metric that there is: it has a candidate. Stopped at the end of a `with`."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        model = os.path.join(self._folder.name, "mnist")
        os.mkdir(model)
        for version in ("1", "2"):
            os.symlink(os.path.join(SOURCE, "models/mnist/1"), os.path.join(model, version))
        with open(os.path.join(model, "rollout.json"), "w", encoding="utf-8") as file:
            file.write('{"candidate": "2", "mode": "shadow", "share": 1}')
        self._server = Server("--transport=http2", model=model)
        return self._server.__enter__()

    def __exit__(self, *error):
        self._server.__exit__(*error)
        self._folder.cleanup()


def stub(channel):
    return pb_grpc.ClassifierServiceStub(channel)


def metric_sum(metrics, name, **labels):
    """Sum of the samples of `name` whose labels include `labels`."""
    total = 0.0
    for key, value in metrics.items():
        sample, _, rest = key.partition("{")
        if sample != name:
            continue
        found = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if all(found.get(label) == wanted for label, wanted in labels.items()):
            total += value
    return total


def test_digits(count):
    """The first `count` test digits as (1,024 grey bytes, label): 28x28 with a black border of 2."""
    with gzip.open(os.path.join(TEST_DATA, "t10k-images-idx3-ubyte.gz")) as file:
        pixels = file.read()[16:]
    with gzip.open(os.path.join(TEST_DATA, "t10k-labels-idx1-ubyte.gz")) as file:
        labels = file.read()[8:]
    digits = []
    for i in range(count):
        digit = pixels[i * 784 : (i + 1) * 784]
        rows = [b"\0\0" + digit[r * 28 : (r + 1) * 28] + b"\0\0" for r in range(28)]
        digits.append((bytes(64) + b"".join(rows) + bytes(64), labels[i]))
    return digits


_DIGIT = test_digits(1)[0][0]


def request(images=1):
    """A valid request of `images` times the first test digit."""
    return pb.ClassifyRequest(images=[pb.Image(gray8=_DIGIT)] * images)


def image(images=1):
    return [pb.Image(gray8=_DIGIT)] * images


def code_of(future):
    """How a call ended, as a grpc.StatusCode."""
    try:
        future.result(timeout=STOP_TIMEOUT)
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()
    except grpc.FutureCancelledError:
        return grpc.StatusCode.CANCELLED


def wait_until(condition, what, timeout=60):
    """Polls, for what the outside can only see by looking."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.02)
