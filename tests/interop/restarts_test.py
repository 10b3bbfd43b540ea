"""Rolling restarts of two servers under load, during which no call may fail: with clients that know both, and through balancers.

HELLOCNN_TEST_RESTARTS is the number of restarts in each test, 5 by default.
"""

import collections
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import grpc

from balancers import Pair, envoy, haproxy, nginx
from interop_bed import find_tool
from testbed import CLI, clean_environment, request, stub, wait_until

RESTARTS = int(os.environ.get("HELLOCNN_TEST_RESTARTS", "5"))
RATE = 300  # calls a second
# Of clients without a retry policy.
PICK_FIRST = {"loadBalancingConfig": [{"pick_first": {}}]}
ROUND_ROBIN = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}


class Load:
    """Calls of this project's load generator while a `with` statement runs. Then `calls` and `failures`, by message, are set."""

    def __init__(self, target, *arguments):
        self._output, self._log = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        command = [CLI, "--server", target, "load", "--rate", str(RATE), "--duration", "3h", "--warm-up", "0s", "--output", "json"]
        self._process = subprocess.Popen([*command, *arguments], env=clean_environment(), stdout=self._output, stderr=self._log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        report = os.pread(self._output.fileno(), 1 << 24, 0)
        log = os.pread(self._log.fileno(), 1 << 16, 0).decode()
        if not report:
            raise AssertionError(f"no report: {log}")
        run = json.loads(report)["runs"][0]
        self.calls = run["answered"] + run["failed"]
        self.failures = {f"{error['code']}: {error['messages']}": error["count"] for error in run["errors"]}
        self._output.close()
        self._log.close()


class PythonLoad:
    """The same with gRPC's Python client, some calls in flight all the time."""

    def __init__(self, target, config, callers=4):
        options = [("grpc.service_config", json.dumps(config)), ("grpc.initial_reconnect_backoff_ms", 100)]
        self._channel = grpc.insecure_channel(target, options=options)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.calls, self.failures = 0, collections.Counter()
        self._threads = [threading.Thread(target=self._run) for _ in range(callers)]

    def _run(self):
        classify = stub(self._channel).Classify
        while not self._ended.wait(0.01):
            try:
                classify(request(), timeout=10)
                failure = None
            except grpc.RpcError as error:
                failure = f"{error.code().name}: {error.details()}"
            with self._lock:
                self.calls += 1
                if failure is not None:
                    self.failures[failure] += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._channel.close()


class GoLoad:
    """The same with grpc-go."""

    def __init__(self, pair, config):
        self._request = tempfile.NamedTemporaryFile()
        self._request.write(request().SerializeToString())
        self._request.flush()
        command = [find_tool("go-load"), ",".join(pair.addresses), json.dumps(config), "/hellocnn.v1.ClassifierService/Classify"]
        self._process = subprocess.Popen([*command, self._request.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        output, _ = self._process.communicate(timeout=60)
        self._request.close()
        report = json.loads(output)
        self.calls, self.failures = report["calls"], report["failures"]


class Restarts:
    """`load` returns the load on a pair, and leaves what it needs to the stack. `spreads` says whether the load reaches both servers,
    and not one that it stays with. Clients that know both servers are told at once by GOAWAY, so a short delay suffices them."""

    transport = "http2"
    spreads = True
    drain_delay = "1s"

    def load(self, pair, stack):
        raise NotImplementedError

    def test_no_call_fails(self):
        pair = Pair(self.transport, self.drain_delay)
        with contextlib.ExitStack() as stack:
            stack.callback(pair.stop)
            with self.load(pair, stack) as load:
                start = time.monotonic()
                for i in range(RESTARTS):
                    self.settle(pair)
                    pair.restart(i % 2)
                self.settle(pair)
                took = time.monotonic() - start
        print(f"{type(self).__name__}: {RESTARTS} restarts in {took:.0f} s, {load.calls} calls, failed: {dict(load.failures) or 0}")
        self.assertGreater(load.calls, RESTARTS * 100)
        self.assertFalse(load.failures)

    def settle(self, pair):
        """Waits until the load has found the servers that there are."""
        before = [pair.calls(which) for which in (0, 1)]

        def reached():
            return [pair.calls(which) > before[which] + 20 for which in (0, 1)]

        wait_until(lambda: all(reached()) if self.spreads else any(reached()), "calls that reach the servers")


def both(pair):
    return "ipv4:" + ",".join(pair.addresses)


class OwnRoundRobinTest(Restarts, unittest.TestCase):
    def load(self, pair, stack):
        return Load(both(pair), "--round-robin")


class OwnPickFirstTest(Restarts, unittest.TestCase):
    spreads = False

    def load(self, pair, stack):
        return Load(both(pair))


class PythonRoundRobinTest(Restarts, unittest.TestCase):
    def load(self, pair, stack):
        return PythonLoad(both(pair), ROUND_ROBIN)


class PythonPickFirstTest(Restarts, unittest.TestCase):
    spreads = False

    def load(self, pair, stack):
        return PythonLoad(both(pair), PICK_FIRST)


@unittest.skipUnless(find_tool("go-load"), "no go-load")
class GoRoundRobinTest(Restarts, unittest.TestCase):
    def load(self, pair, stack):
        return GoLoad(pair, ROUND_ROBIN)


@unittest.skipUnless(find_tool("go-load"), "no go-load")
class GoPickFirstTest(Restarts, unittest.TestCase):
    spreads = False

    def load(self, pair, stack):
        return GoLoad(pair, PICK_FIRST)


class ThroughBalancer(Restarts):
    balancer = None
    drain_delay = "5s"  # the default

    def load(self, pair, stack):
        return Load(stack.enter_context(self.balancer(pair)).address, "--connections", "4")


@unittest.skipUnless(find_tool("haproxy"), "no haproxy")
class HaproxyTest(ThroughBalancer, unittest.TestCase):
    balancer = staticmethod(haproxy)


@unittest.skipUnless(find_tool("nginx"), "no nginx")
class NginxTest(ThroughBalancer, unittest.TestCase):
    balancer = staticmethod(nginx)


@unittest.skipUnless(find_tool("envoy"), "no envoy")
class EnvoyTest(ThroughBalancer, unittest.TestCase):
    balancer = staticmethod(envoy)


if __name__ == "__main__":
    unittest.main()
