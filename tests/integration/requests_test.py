"""What becomes of single requests: late, cancelled, refused, malformed."""

import os
import socket
import struct
import time
import unittest

import grpc

from testbed import SLOW_ENGINE, Server, code_of, image, metric_sum, pb, request, stub, wait_until

OK = grpc.StatusCode.OK

# One worker that computes one image at a time, and room to queue seconds of work before it.
SLOW = [
    SLOW_ENGINE,
    "--threads=1",
    "--max-batch-size=1",
    "--queue-capacity=65536",
    "--max-images-per-request=1024",
]


def occupy(server, service, calls=5):
    """Keeps the one worker of a SLOW server busy for seconds. Returns the futures, when the server has all in its queue.

    By then it has computed a part, so that it knows what an image costs."""
    busy = [service.Classify.future(request(1024), timeout=240) for _ in range(calls)]
    wait_until(lambda: metric_sum(server.metrics(), "hellocnn_images_accepted_total") == calls * 1024, "all are queued")
    wait_until(lambda: metric_sum(server.metrics(), "hellocnn_batch_size_sum") > 0, "a part is computed")
    return busy


class DeadlineTest(unittest.TestCase):
    def test_a_request_that_would_be_late_is_rejected_at_once_and_never_computed(self):
        with Server(*SLOW) as server, server.channel(1) as behind, server.channel(2) as ahead:
            busy = occupy(server, stub(ahead))
            late = [stub(behind).Classify.future(request(8), timeout=0.5) for _ in range(10)]
            self.assertEqual({code_of(call) for call in late}, {grpc.StatusCode.RESOURCE_EXHAUSTED})
            for call in late:
                self.assertRegex(call.details(), r"^the queue is too long: \d+ images wait before this request, which would take ")
                trailers = dict(call.trailing_metadata())
                self.assertIn(int(trailers["grpc-retry-pushback-ms"]), range(1, 10001))
                self.assertIn(b"type.googleapis.com/google.rpc.RetryInfo", trailers["grpc-status-details-bin"])
            self.assertEqual({code_of(call) for call in busy}, {OK})
            self.assertEqual(code_of(stub(behind).Classify.future(request(), timeout=60)), OK)
            metrics = server.metrics()
            self.assertEqual(metric_sum(metrics, "hellocnn_batch_size_sum"), len(busy) * 1024 + 1)

    def test_a_stream_request_has_a_timeout_of_its_own(self):
        with Server(*SLOW) as server, server.channel() as channel:
            busy = occupy(server, stub(channel))
            late = pb.ClassifyStreamRequest(id=1, images=image())
            late.timeout.FromMilliseconds(100)
            patient = pb.ClassifyStreamRequest(id=2, images=image())
            answers = {
                answer.id: answer
                for answer in stub(channel).ClassifyStream(iter([late, patient]), timeout=240)
            }
            self.assertEqual(
                answers[1].error.code, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], answers[1]
            )
            again = answers[1].error.retry_after.ToTimedelta().total_seconds()
            self.assertTrue(0.001 <= again <= 10, again)
            self.assertEqual(answers[2].WhichOneof("outcome"), "result")
            self.assertEqual({code_of(call) for call in busy}, {OK})


class CancellationTest(unittest.TestCase):
    def test_a_cancelled_request_is_never_computed(self):
        with Server(*SLOW) as server, server.channel(1) as behind, server.channel(2) as ahead:
            busy = occupy(server, stub(ahead))
            doomed = [stub(behind).Classify.future(request(8), timeout=240) for _ in range(10)]
            time.sleep(0.05)  # lets them reach the queue; were they cancelled before, the test would still hold
            for call in doomed:
                call.cancel()
            self.assertEqual({code_of(call) for call in doomed}, {grpc.StatusCode.CANCELLED})
            self.assertEqual({code_of(call) for call in busy}, {OK})
            self.assertEqual(code_of(stub(behind).Classify.future(request(), timeout=60)), OK)
            metrics = server.metrics()
            self.assertEqual(metric_sum(metrics, "hellocnn_batch_size_sum"), len(busy) * 1024 + 1)

    def test_a_client_that_hangs_up_in_mid_stream_harms_nobody(self):
        with Server(*SLOW) as server:
            channel = server.channel(1)
            never_ending = stub(channel).ClassifyStream(
                pb.ClassifyStreamRequest(id=i, images=image(64)) for i in range(100)
            )
            next(never_ending)
            channel.close()
            with server.channel(2) as other:
                self.assertEqual(code_of(stub(other).Classify.future(request(), timeout=60)), OK)


class OverloadTest(unittest.TestCase):
    def test_a_full_queue_refuses_and_then_recovers(self):
        tiny = [SLOW_ENGINE, "--threads=1", "--max-batch-size=1", "--queue-capacity=8", "--max-images-per-request=8"]
        with Server(*tiny) as server, server.channel() as channel:
            calls = [stub(channel).Classify.future(request(8), timeout=120) for _ in range(300)]
            codes = [code_of(call) for call in calls]
            answered, refused = codes.count(OK), codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.assertEqual(answered + refused, 300, set(codes))
            self.assertGreater(answered, 0)
            self.assertGreater(refused, 0)
            self.assertEqual(code_of(stub(channel).Classify.future(request(8), timeout=60)), OK)
            metrics = server.metrics()
            self.assertEqual(
                metric_sum(metrics, "hellocnn_requests_total", code="RESOURCE_EXHAUSTED"), refused
            )

    def test_a_stream_request_that_finds_no_room_is_told_so_and_the_stream_goes_on(self):
        tiny = [SLOW_ENGINE, "--threads=1", "--max-batch-size=1", "--queue-capacity=8", "--max-images-per-request=8"]
        with Server(*tiny) as server, server.channel() as channel:
            requests = (pb.ClassifyStreamRequest(id=i, images=image(8)) for i in range(300))
            answers = list(stub(channel).ClassifyStream(requests, timeout=120))
            self.assertEqual(sorted(answer.id for answer in answers), list(range(300)))
            for answer in answers:
                if answer.WhichOneof("outcome") == "error":
                    self.assertEqual(
                        answer.error.code, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], answer
                    )
            self.assertIn("result", {answer.WhichOneof("outcome") for answer in answers})


class BadRequestTest(unittest.TestCase):
    def test_malformed_requests_are_refused_by_what_is_wrong_with_them(self):
        nan = struct.pack("<f", float("nan"))
        cases = {
            "no image": pb.ClassifyRequest(),
            "no pixels": pb.ClassifyRequest(images=[pb.Image()]),
            "too few pixels": pb.ClassifyRequest(images=[pb.Image(gray8=bytes(1023))]),
            "too many pixels": pb.ClassifyRequest(images=[pb.Image(gray8=bytes(1025))]),
            "floats of the wrong size": pb.ClassifyRequest(images=[pb.Image(float32=bytes(1024))]),
            "not a number": pb.ClassifyRequest(images=[pb.Image(float32=nan * 1024)]),
            "too many images": request(17),
            "one bad among good": pb.ClassifyRequest(images=[*image(3), pb.Image(gray8=b"x")]),
        }
        with Server("--max-images-per-request=16") as server, server.channel() as channel:
            for name, bad in cases.items():
                with self.subTest(name):
                    with self.assertRaises(grpc.RpcError) as raised:
                        stub(channel).Classify(bad, timeout=30)
                    self.assertEqual(
                        raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT, raised.exception
                    )
                    self.assertIn("images", raised.exception.details())
            self.assertEqual(code_of(stub(channel).Classify.future(request(16), timeout=60)), OK)

    def test_pixels_too_large_for_the_arithmetic_fail_their_own_request_only(self):
        large = pb.ClassifyRequest(images=[pb.Image(float32=struct.pack("<f", 3.4e38) * 1024)])
        with Server("--threads=1", "--max-queue-delay=1s", "--max-batch-size=8") as server, server.channel() as channel:
            # One batch, for only eight images end the wait.
            bad = stub(channel).Classify.future(large, timeout=60)
            good = [stub(channel).Classify.future(request(), timeout=60) for _ in range(7)]
            self.assertEqual(code_of(bad), grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn("not finite", bad.details())
            self.assertEqual([code_of(call) for call in good], [OK] * 7)


class GarbageTest(unittest.TestCase):
    def test_bytes_that_are_no_grpc_do_not_harm_the_server(self):
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        settings = b"\0\0\0\x04\0\0\0\0\0"
        payloads = [
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            os.urandom(65536),
            preface + os.urandom(4096),
            preface + settings + b"\xff\xff\xff\0\0\0\0\0\x01",
            preface + settings + b"\0\0\x04\x01\x05\0\0\0\x01" + os.urandom(4),
            b"",
        ]
        with Server() as server:
            host, _, port = server.address.rpartition(":")
            for payload in payloads * 3:
                with socket.create_connection((host, int(port)), timeout=30) as connection:
                    try:
                        connection.sendall(payload)
                        connection.shutdown(socket.SHUT_WR)
                        connection.settimeout(1)
                        while connection.recv(65536):
                            pass
                    except OSError:
                        pass  # the server may hang up on such a caller at any time
            with server.channel() as channel:
                raw = channel.unary_unary("/hellocnn.v1.ClassifierService/Classify")
                with self.assertRaises(grpc.RpcError) as raised:
                    raw(b"\xff" * 100, timeout=30)
                self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
                with self.assertRaises(grpc.RpcError) as raised:
                    channel.unary_unary("/hellocnn.v1.ClassifierService/NoSuch")(b"", timeout=30)
                self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
                self.assertEqual(code_of(stub(channel).Classify.future(request(), timeout=60)), OK)


class HealthTest(unittest.TestCase):
    """The standard protocol, by its bytes: a request is field 1, a string; a response is field 1, an enumeration."""

    SERVING, SERVICE_UNKNOWN = b"\x08\x01", b"\x08\x03"
    SERVICES = [b"", b"hellocnn.v1.ClassifierService"]

    @staticmethod
    def encode(service):
        return b"\x0a" + bytes([len(service)]) + service if service else b""

    def test_the_command_line_says_that_the_server_is_well(self):
        with Server() as server:
            run = server.cli("health")
            self.assertEqual(run.returncode, 0, run.stderr)
        run = server.cli("health")
        self.assertEqual(run.returncode, 1, "of a server that is gone")

    def test_check(self):
        with Server() as server, server.channel() as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            for service in self.SERVICES:
                self.assertEqual(check(self.encode(service), timeout=30), self.SERVING, service)
            with self.assertRaises(grpc.RpcError) as raised:
                check(self.encode(b"no.such.Service"), timeout=30)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_watch(self):
        with Server() as server, server.channel() as channel:
            watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
            calls = [watch(self.encode(service), timeout=60) for service in self.SERVICES]
            for call in calls:
                self.assertEqual(next(call), self.SERVING)
            unknown = watch(self.encode(b"no.such.Service"), timeout=60)
            self.assertEqual(next(unknown), self.SERVICE_UNKNOWN)
            # The watchers must not keep the server from ending.
            server.terminate()
            self.assertEqual(server.wait(), 0)


class ErrorDetailsTest(unittest.TestCase):
    def test_every_error_says_why_in_a_form_for_programs(self):
        with Server() as server, server.channel() as channel:

            def unknown(path):
                return channel.unary_unary(path, pb.ClassifyRequest.SerializeToString, pb.ClassifyResponse.FromString)

            service = stub(channel)
            small = pb.ClassifyRequest(images=[*image(), pb.Image(gray8=b"12345")])
            health = channel.unary_unary("/grpc.health.v1.Health/Check", bytes, bytes)
            for call, argument, code, wanted in (
                (service.Classify, small, "INVALID_ARGUMENT", [b"BadRequest", b"images[1].gray8", b"INVALID"]),
                (service.Classify, pb.ClassifyRequest(), "INVALID_ARGUMENT", [b"BadRequest", b"images"]),
                (service.Classify, pb.ClassifyRequest(images=image(), model={"name": "no"}), "NOT_FOUND", [b"ResourceInfo", b"NO_MODEL"]),
                (service.GetModel, pb.GetModelRequest(model={"name": "no"}), "NOT_FOUND", [b"ResourceInfo", b"NO_MODEL"]),
                (unknown("/hellocnn.v1.ClassifierService/No"), pb.ClassifyRequest(), "UNIMPLEMENTED", [b"UNIMPLEMENTED"]),
                (unknown("/no.Service/No"), pb.ClassifyRequest(), "UNIMPLEMENTED", [b"UNIMPLEMENTED"]),
                (health, b"\n\x02no", "NOT_FOUND", [b"NOT_FOUND"]),
            ):
                with self.assertRaises(grpc.RpcError) as raised:
                    call(argument, metadata=[("x-request-id", "order 7")], timeout=60)
                error = raised.exception
                self.assertEqual(error.code().name, code)
                self.assertTrue(error.details())
                details = dict(error.trailing_metadata())["grpc-status-details-bin"]
                for part in (b"google.rpc.ErrorInfo", b"google.rpc.RequestInfo", b"order 7", error.details().encode(), *wanted):
                    self.assertIn(part, details)


if __name__ == "__main__":
    unittest.main()
