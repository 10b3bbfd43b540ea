"""What clients see through the balancers of deploy/balancer/ when replicas die: of two one, of two both, and one again."""

import base64
import collections
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import grpc
import raw_http2

from balancers import Pair, envoy, haproxy, nginx
from hellocnn.v1 import classifier_service_pb2 as pb
from interop_bed import find_tool
from languages_test import GoTest, JavaTest
from testbed import TEST_DATA, code_of, image, request, stub, test_digits, wait_until

TIMEOUT = 60
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
HELD = 32  # calls at once, of which a replica that is stopped holds some
STREAMED = 600  # of four kilobytes each


def is_stopped(pid):
    """Whether no thread of a process runs on, after SIGSTOP. The signal takes its time on a busy machine."""
    states = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8") as file:
            states.append(file.read().rpartition(")")[2].split()[0])
    return set(states) == {"T"}


class Watched:
    """A channel, and the states that it has had since the last look."""

    def __init__(self, address):
        self._channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
        self._states = queue.SimpleQueue()
        self._channel.subscribe(self._states.put)
        self.calls = stub(self._channel)

    def states(self):
        return {self._states.get() for _ in range(self._states.qsize())}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._channel.close()


def code_and_details(call):
    try:
        call()
        return grpc.StatusCode.OK, ""
    except grpc.RpcError as error:
        return error.code(), error.details()


class Balanced:
    """The tests of one balancer. `balancer` starts it in front of a pair, and `nobody` is its message when no replica is there.
    `unfinished` are the codes that this client then sees of calls whose requests it has not sent to the end, and `broken` those of a
    stream whose replica dies after the first response."""

    balancer = None
    nobody = None
    unfinished = {UNAVAILABLE}
    broken = {UNAVAILABLE}

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.pair = Pair("http2", "1s")
        stack.callback(self.pair.stop)
        self.address = stack.enter_context(self.balancer(self.pair)).address
        self.channel = stack.enter_context(Watched(self.address))
        self.succeeded = 0
        self.wait_for_both()

    def classify(self, **more):
        return self.channel.calls.Classify(request(), timeout=TIMEOUT, **more)

    def outcome(self):
        code, details = code_and_details(self.classify)
        self.succeeded += code == grpc.StatusCode.OK
        return code, details

    def wait_for_both(self):
        def reached():
            self.outcome()
            return all(self.pair.calls(which) > 0 for which in (0, 1))

        wait_until(reached, "calls that reach both replicas")

    def kill_both(self):
        for which in (0, 1):
            self.pair.kill(which)
        wait_until(lambda: self.outcome()[1] == self.nobody, f"UNAVAILABLE with the message {self.nobody!r}, not {self.outcome()}")

    def test_without_replicas_calls_are_unavailable_until_one_returns(self):
        self.kill_both()
        self.channel.states()
        for _ in range(50):
            self.assertEqual(self.outcome(), (UNAVAILABLE, self.nobody))
        # A stream whose client goes on sending, and a request that is larger than any buffer.
        stream = self.channel.calls.ClassifyStream((pb.ClassifyStreamRequest(id=i, images=image()) for i in range(STREAMED)), timeout=TIMEOUT)
        self.assertIn(code_and_details(lambda: list(stream))[0], self.unfinished)
        large = pb.ClassifyRequest(images=[pb.Image(float32=bytes(4096))] * 1024)
        self.assertIn(code_and_details(lambda: self.channel.calls.Classify(large, timeout=TIMEOUT))[0], self.unfinished)
        self.pair.start(0)
        wait_until(lambda: self.outcome()[0] == grpc.StatusCode.OK, "a call that succeeds again")
        self.assertEqual([self.outcome()[0] for _ in range(50)], [grpc.StatusCode.OK] * 50)
        self.assertLessEqual(self.channel.states(), {grpc.ChannelConnectivity.READY}, "the connection had to be made again")

    @unittest.skipUnless(shutil.which("nghttp"), "no nghttp")
    def test_without_replicas_the_response_is_one_block_of_trailers(self):
        """As clients want it that are stricter than the one above: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md."""
        self.kill_both()
        with tempfile.NamedTemporaryFile() as body:
            body.write(bytes(5))
            body.flush()
            headers = ["content-type: application/grpc", "te: trailers"]
            command = ["nghttp", "-nv", "-d", body.name, *(word for header in headers for word in ("-H", header))]
            seen = subprocess.run([*command, f"http://{self.address}/hellocnn.v1.ClassifierService/Classify"], capture_output=True, text=True, timeout=TIMEOUT)
        (stream,) = set(re.findall(r"recv \(stream_id=(\d+)\) :status: 200\n", seen.stdout))
        fields = dict(re.findall(rf"recv \(stream_id={stream}\) ([\w-]+): (.*)\n", seen.stdout))
        self.assertEqual((fields["content-type"], fields["grpc-status"]), ("application/grpc", "14"), seen.stdout)
        self.assertEqual(fields["grpc-message"].replace("%20", " "), self.nobody)
        (flags,) = re.findall(rf"recv HEADERS frame <length=\d+, flags=(\w+), stream_id={stream}>", seen.stdout)
        self.assertTrue(int(flags, 16) & 1, "END_STREAM is missing:\n" + seen.stdout)

    def check_language(self, language):
        language.setUpClass()
        self.kill_both()
        command = [language.program, "--server", self.address, "--data", TEST_DATA, *language.flags]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
        failed = re.findall(r"^failed (one image|64 images|stream|model|gzip): (.*)", seen.stdout, re.MULTILINE)
        self.assertEqual(len(failed), 5, seen.stdout + seen.stderr)
        for case, message in failed:
            self.assertRegex(message, rf"(?i)\bunavailable\b.*{self.nobody}", case)

    def test_go_sees_unavailable_without_replicas(self):
        self.check_language(GoTest)

    def test_java_sees_unavailable_without_replicas(self):
        self.check_language(JavaTest)

    def test_streams_and_requests_of_megabytes_pass(self):
        large = self.channel.calls.Classify(pb.ClassifyRequest(images=[pb.Image(float32=bytes(4096))] * 1024), timeout=TIMEOUT)
        self.assertEqual(len(large.predictions), 1024)
        requests = (pb.ClassifyStreamRequest(id=i, images=[pb.Image(float32=bytes(4096))]) for i in range(STREAMED * 4))
        responses = self.channel.calls.ClassifyStream(requests, timeout=TIMEOUT)
        self.assertEqual(len([response for response in responses if len(response.result.predictions) == 1]), STREAMED * 4)

    def test_calls_of_a_replica_that_dies_fail_and_are_not_computed_again(self):
        # A call is counted just after its response.
        wait_until(lambda: self.pair.calls(0) + self.pair.calls(1) == self.succeeded, "that all calls are counted")
        before = self.pair.calls(1)
        self.pair.servers[0].terminate(signal.SIGSTOP)
        wait_until(lambda: is_stopped(self.pair.servers[0].process.pid), "the replica has stopped")
        self.addCleanup(self.pair.servers[0].terminate, signal.SIGCONT)  # so that it can be stopped, if this fails
        calls = [self.channel.calls.Classify.future(request(), timeout=TIMEOUT) for _ in range(HELD)]

        def responses():
            return sum(call.done() and call.code() == grpc.StatusCode.OK for call in calls)

        wait_until(lambda: responses() > 0, "a response of the other replica")
        self.pair.kill(0)
        codes = collections.Counter(code_of(call) for call in calls)
        self.succeeded = responses()
        self.assertEqual(codes, {grpc.StatusCode.OK: self.succeeded, UNAVAILABLE: HELD - self.succeeded})
        self.assertLess(self.succeeded, HELD, "no call went to the replica that was stopped")
        # The other one goes on, and has computed what it responded to and nothing else.
        wait_until(lambda: all(self.outcome()[0] == grpc.StatusCode.OK for _ in range(20)), "calls that succeed, one after the other")
        self.assertEqual([self.outcome() for _ in range(100)], [(grpc.StatusCode.OK, "")] * 100)
        wait_until(lambda: self.pair.calls(1) - before >= self.succeeded, "that all calls are counted")
        self.assertEqual(self.pair.calls(1) - before, self.succeeded)

    def test_a_stream_of_a_replica_that_dies_ends_and_the_next_goes_elsewhere(self):
        requests = queue.SimpleQueue()
        stream = self.channel.calls.ClassifyStream(iter(requests.get, None), timeout=TIMEOUT)
        requests.put(pb.ClassifyStreamRequest(id=1, images=image()))
        self.assertEqual(next(stream).id, 1)
        (which,) = [which for which in (0, 1) if self.pair.calls(which, "ClassifyStream") > 0]
        self.pair.kill(which)
        code, _ = code_and_details(lambda: list(stream))
        requests.put(None)
        self.assertIn(code, self.broken)
        wait_until(lambda: self.outcome()[0] == grpc.StatusCode.OK, "a call that succeeds")
        again = self.channel.calls.ClassifyStream(iter([pb.ClassifyStreamRequest(id=2, images=image())]), timeout=TIMEOUT)
        self.assertEqual([response.id for response in again], [2])


class Patient(Balanced):
    """Those whose file says how long they wait for a replica: `impatience` shortens it to a second."""

    impatience = None

    def test_calls_of_a_replica_that_is_silent_are_unavailable(self):
        with contextlib.ExitStack() as stack:
            balancer = stack.enter_context(type(self).balancer(self.pair, self.impatience))
            channel = stack.enter_context(Watched(balancer.address))
            for server in self.pair.servers:
                server.terminate(signal.SIGSTOP)
                wait_until(lambda: is_stopped(server.process.pid), "the replica has stopped")
                stack.callback(server.terminate, signal.SIGCONT)
            for _ in range(3):
                self.assertEqual(code_and_details(lambda: channel.calls.Classify(request(), timeout=TIMEOUT))[0], UNAVAILABLE)


@unittest.skipUnless(find_tool("haproxy"), "no haproxy")
class HaproxyTest(Patient, unittest.TestCase):
    balancer = staticmethod(haproxy)
    impatience = (r"timeout server .*", "timeout server 1s")
    nobody = "no replica is ready"
    # It resets them, and this client, unlike those in Go and Java, then forgets the status that came before.
    unfinished = {UNAVAILABLE, grpc.StatusCode.CANCELLED}
    broken = {grpc.StatusCode.CANCELLED}


@unittest.skipUnless(find_tool("nginx"), "no nginx")
class NginxTest(Patient, unittest.TestCase):
    balancer = staticmethod(nginx)
    impatience = (r"grpc_read_timeout .*", "grpc_read_timeout 1s;")
    nobody = "no replica has responded"
    broken = {grpc.StatusCode.INTERNAL}


@unittest.skipUnless(find_tool("envoy"), "no envoy")
class EnvoyTest(Balanced, unittest.TestCase):
    balancer = staticmethod(envoy)
    nobody = "no healthy upstream"
    broken = {grpc.StatusCode.INTERNAL}

    def post(self, content_type, body):
        """The status and the body of the response to a call of Classify by HTTP/1.1."""
        asked = urllib.request.Request(f"http://{self.address}/hellocnn.v1.ClassifierService/Classify", data=body, headers={"content-type": content_type})
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def test_json_becomes_a_call(self):
        ((pixels, label),) = test_digits(1)
        asked = {"images": [{"gray8": base64.b64encode(pixels).decode()}]}
        status, body = self.post("application/json", json.dumps(asked).encode())
        self.assertEqual((status, json.loads(body)["predictions"][0]["classIndex"]), (200, label), body)
        status, body = self.post("application/json", b'{"images": []}')
        error = json.loads(body)
        self.assertEqual((status, error["code"]), (400, grpc.StatusCode.INVALID_ARGUMENT.value[0]), body)
        kinds = {detail["@type"].rpartition(".")[2]: detail for detail in error["details"]}
        self.assertEqual(kinds["ErrorInfo"]["reason"], "INVALID")
        self.assertEqual(kinds["BadRequest"]["fieldViolations"][0]["field"], "images")
        self.kill_both()
        self.assertEqual(self.post("application/json", json.dumps(asked).encode())[0], 503)

    def test_grpc_web_becomes_a_call(self):
        status, body = self.post("application/grpc-web+proto", raw_http2.message(request().SerializeToString()))
        self.assertEqual(status, 200)
        flags, size = struct.unpack_from(">BI", body)
        self.assertEqual(flags, 0)
        (prediction,) = pb.ClassifyResponse.FromString(body[5 : 5 + size]).predictions
        self.assertEqual(prediction.class_index, test_digits(1)[0][1])
        self.assertEqual(body[5 + size], 0x80)  # trailers
        self.assertIn(b"grpc-status:0\r\n", body[10 + size :])


if __name__ == "__main__":
    unittest.main()
