"""The log of the server: nothing that it writes to can stop it, and what it says of requests."""

import json
import os
import re
import signal
import socket
import subprocess
import unittest
import urllib.request

import grpc

from testbed import (
    MODEL,
    SERVER,
    SLOW_ENGINE,
    STOP_TIMEOUT,
    TRANSPORT,
    Server,
    clean_environment,
    code_of,
    image,
    metric_sum,
    pb,
    request,
    run_server,
    stub,
    wait_until,
)

BAD = pb.ClassifyRequest(images=[pb.Image(gray8=b"too short")])
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def reject(classify, count):
    for _ in range(count):
        try:
            classify(BAD)
            raise AssertionError("a bad request was accepted")
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.INVALID_ARGUMENT:
                raise


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


class BlockedTest(unittest.TestCase):
    """Standard output and error that nobody reads, or that are closed."""

    def start(self, *arguments, model=MODEL, **streams):
        self.address, self.metrics = free_address(), free_address()
        environment = clean_environment(HELLOCNN_TRANSPORT=TRANSPORT)
        command = [SERVER, "--listen", self.address, "--metrics-listen", self.metrics, "--model", model, *arguments]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, **streams)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def page(self, path):
        with urllib.request.urlopen(f"http://{self.metrics}{path}", timeout=30) as page:
            return page.read().decode()

    def is_ready(self):
        try:
            return self.page("/readyz") != ""
        except OSError:
            return False

    def full_pipe(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writer, True)
        return writer

    def assert_serves_and_stops(self, process):
        wait_until(self.is_ready, "a ready server")
        with grpc.insecure_channel(self.address) as channel:
            reject(stub(channel).Classify, 3000)  # more lines than the buffer of the log takes
            self.assertEqual(len(stub(channel).Classify(request()).predictions), 1)
        dropped = float(re.search(r"(?m)^hellocnn_log_dropped_total (\S+)$", self.page("/metrics"))[1])
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(STOP_TIMEOUT), 0)
        return dropped

    def test_full_pipes(self):
        pipe = self.full_pipe()
        dropped = self.assert_serves_and_stops(self.start("--log-level=debug", stdout=pipe, stderr=pipe))
        self.assertGreater(dropped, 1000)

    def test_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            dropped = self.assert_serves_and_stops(self.start("--log-level=debug", stdout=full, stderr=full))
        self.assertGreater(dropped, 3000)

    def test_readers_that_are_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        dropped = self.assert_serves_and_stops(self.start("--log-level=debug", stdout=writer, stderr=writer))
        os.close(writer)
        self.assertGreater(dropped, 3000)

    def test_closed_descriptors_are_not_taken_for_sockets(self):
        process = self.start("--log-level=debug", preexec_fn=lambda: os.closerange(0, 3))
        wait_until(self.is_ready, "a ready server")
        self.assertEqual([os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)], ["/dev/null"] * 3)
        self.assert_serves_and_stops(process)

    def test_a_failure_to_start_is_an_exit_status_even_so(self):
        pipe = self.full_pipe()
        with open("/dev/full", "wb") as full:
            for stream in (full, pipe):
                process = self.start(model="/nowhere", stdout=stream, stderr=stream)
                self.assertEqual(process.wait(STOP_TIMEOUT), 1)

    def test_why_it_failed_is_the_last_line(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ended = run_server(f"--listen=127.0.0.1:{taken.getsockname()[1]}", "--metrics-listen=127.0.0.1:0", "--model", MODEL)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        lines = ended.stderr.splitlines()
        self.assertGreater(len(lines), 2)
        self.assertRegex(lines[-1], "^hellocnn-server: .* in use")


class RequestLogTest(unittest.TestCase):
    """One line for each request that is rejected, fails, is slow, or is of the sample."""

    def lines(self, server, channel):
        channel.close()  # a server waits for idle clients when it stops
        server.stop()
        return [json.loads(line) for line in server.stderr().splitlines()]

    def of(self, lines, message):
        return [line for line in lines if line["message"] == message]

    def test_what_a_line_has(self):
        with Server("--log-format=json", "--access-log-sample=1") as server, server.channel() as channel:
            metadata = [("x-request-id", "mine-1"), ("traceparent", TRACE)]
            stub(channel).Classify(request(3), metadata=metadata)
            with self.assertRaises(grpc.RpcError):
                stub(channel).Classify(BAD, metadata=metadata)
            stub(channel).GetModel(pb.GetModelRequest())
            lines = self.lines(server, channel)
        fine, model = self.of(lines, "request")
        (bad,) = self.of(lines, "request rejected")
        for line in fine, bad:
            self.assertEqual((line["request_id"], line["traceparent"]), ("mine-1", TRACE))
            self.assertIn("127.0.0.1", line["peer"])
            self.assertGreater(line["duration_ms"], 0)
        self.assertEqual((fine["method"], fine["code"], fine["images"]), ("Classify", "OK", 3))
        self.assertGreater(fine["compute_ms"], 0)
        self.assertLessEqual(fine["compute_ms"] + fine["queue_ms"], fine["duration_ms"])
        self.assertEqual((bad["code"], bad["reason"], bad["images"]), ("INVALID_ARGUMENT", "invalid", 0))
        self.assertIn("gray8", bad["status_message"])
        self.assertEqual(model["method"], "GetModel")
        self.assertRegex(model["request_id"], "^[0-9a-f]{16}$")

    def test_requests_of_streams_have_lines_too(self):
        with Server("--log-format=json", "--access-log-sample=1") as server, server.channel() as channel:
            requests = [pb.ClassifyStreamRequest(id=1, images=image()), pb.ClassifyStreamRequest(id=2, images=BAD.images)]
            self.assertEqual(len(list(stub(channel).ClassifyStream(iter(requests)))), 2)
            lines = self.lines(server, channel)
        self.assertEqual([line["method"] for line in self.of(lines, "request")], ["ClassifyStream"])
        self.assertEqual([line["code"] for line in self.of(lines, "request rejected")], ["INVALID_ARGUMENT"])

    def test_slow_requests(self):
        with Server("--log-format=json", "--log-slow-requests=1ms", SLOW_ENGINE) as server, server.channel() as channel:
            stub(channel).Classify(request(64))
            (line,) = self.of(self.lines(server, channel), "slow request")
        self.assertGreater(line["compute_ms"], 1)
        with Server("--log-format=json", "--log-slow-requests=0s", SLOW_ENGINE) as server, server.channel() as channel:
            stub(channel).Classify(request(64))
            self.assertEqual(self.of(self.lines(server, channel), "slow request"), [])

    def test_many_of_a_kind_are_few_lines_except_with_debug(self):
        for level, least, most in ("debug", 200, 200), ("info", 10, 40), ("warn", 0, 0):
            with self.subTest(level), Server(f"--log-level={level}", "--log-format=json") as server, server.channel() as channel:
                reject(stub(channel).Classify, 200)
                lines = self.of(self.lines(server, channel), "request rejected")
                self.assertTrue(least <= len(lines) <= most, len(lines))
                if level == "info":
                    self.assertLessEqual(sum(line.get("left_out", 0) for line in lines) + len(lines), 200)

    def test_callers_that_are_gone_are_not_fine(self):
        with Server("--log-format=json", SLOW_ENGINE, "--threads=1") as server, server.channel() as channel:
            calls = [stub(channel).Classify.future(request(512)) for _ in range(4)]
            wait_until(lambda: metric_sum(server.metrics(), "hellocnn_queue_images") > 0, "a queue")
            for call in calls:
                call.cancel()
            self.assertEqual({code_of(call) for call in calls}, {grpc.StatusCode.CANCELLED})
            wait_until(lambda: metric_sum(server.metrics(), "hellocnn_requests_in_flight") == 0, "idleness")
            codes = [line["code"] for line in self.of(self.lines(server, channel), "request failed")]
        self.assertIn("CANCELLED", codes)

    def test_off_is_silent_whatever_clients_do(self):
        """gRPC's library had something to say of each compressed request."""
        with Server("--log-level=off") as server, server.channel() as channel:
            try:
                stub(channel).Classify(request(), compression=grpc.Compression.Gzip)
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.UNIMPLEMENTED)
            reject(stub(channel).Classify, 3)
            server.stop()
            self.assertEqual(server.stderr(), "")

    def test_bad_options_are_named(self):
        for option in "--log-format=xml", "--access-log-sample=-1", "--log-slow-requests=1ns":
            with self.subTest(option):
                ended = run_server(option)
                self.assertEqual(ended.returncode, 2, ended)
                self.assertIn(option[2:].partition("=")[0], ended.stderr)


if __name__ == "__main__":
    unittest.main()
