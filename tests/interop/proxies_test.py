"""Calls of Debian's Python client to the interoperability server, directly and through proxies."""

import concurrent.futures
import queue
import unittest

import grpc

from tests.interop import interop_pb2 as pb
from interop_bed import InteropServer, envoy, find_tool, haproxy, nginx

SERVICE = "/grpc.testing.TestService/"
INITIAL = ("x-grpc-test-echo-initial", "first")
TRAILING = ("x-grpc-test-echo-trailing-bin", b"\x00\xab\xff,")
LARGE = 3 << 20  # bytes: several times any window
TIMEOUT = 60


def output_request(*sizes):
    return pb.StreamingOutputCallRequest(response_parameters=[pb.ResponseParameters(size=size) for size in sizes])


class Calls:
    """What each way to the server must carry. `transport` is that of the server; `proxy` starts a proxy, or is None."""

    transport = "http2"
    proxy = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(InteropServer(cls.transport))
        address = cls.server.address
        if cls.proxy is not None:
            address = cls.enterClassContext(cls.proxy(cls.server.port)).address
        options = [("grpc.max_receive_message_length", -1)]
        cls.channel = cls.enterClassContext(grpc.insecure_channel(address, options=options))

    def unary(self, request, **more):
        method = self.channel.unary_unary(
            SERVICE + "UnaryCall", pb.SimpleRequest.SerializeToString, pb.SimpleResponse.FromString
        )
        return method.with_call(request, timeout=TIMEOUT, **more)

    def duplex(self, requests, timeout=TIMEOUT, **more):
        method = self.channel.stream_stream(
            SERVICE + "FullDuplexCall",
            pb.StreamingOutputCallRequest.SerializeToString,
            pb.StreamingOutputCallResponse.FromString,
        )
        return method(requests, timeout=timeout, **more)

    def test_unary_calls_of_all_sizes(self):
        for size in (0, 1, 65535, 65536, LARGE):
            with self.subTest(size):
                request = pb.SimpleRequest(response_size=size, payload=pb.Payload(body=bytes(size)))
                response, _ = self.unary(request)
                self.assertEqual(response.payload.body, bytes(size))

    def test_many_calls_at_once(self):
        def call(size):
            return len(self.unary(pb.SimpleRequest(response_size=size))[0].payload.body)

        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            self.assertEqual(list(threads.map(call, range(400))), list(range(400)))

    def test_requests_of_a_stream_add_up(self):
        method = self.channel.stream_unary(
            SERVICE + "StreamingInputCall",
            pb.StreamingInputCallRequest.SerializeToString,
            pb.StreamingInputCallResponse.FromString,
        )
        sizes = [27182, 8, LARGE, 45904]
        requests = (pb.StreamingInputCallRequest(payload=pb.Payload(body=bytes(size))) for size in sizes)
        self.assertEqual(method(requests, timeout=TIMEOUT).aggregated_payload_size, sum(sizes))

    def test_responses_of_a_stream_come_in_order(self):
        method = self.channel.unary_stream(
            SERVICE + "StreamingOutputCall",
            pb.StreamingOutputCallRequest.SerializeToString,
            pb.StreamingOutputCallResponse.FromString,
        )
        sizes = [31415, 9, LARGE, 0, 58979]
        responses = method(output_request(*sizes), timeout=TIMEOUT)
        self.assertEqual([len(response.payload.body) for response in responses], sizes)

    def test_a_stream_answers_each_request_before_the_next(self):
        requests = queue.SimpleQueue()
        call = self.duplex(iter(requests.get, None))
        for size in (31415, 9, LARGE, 58979):
            requests.put(output_request(size))
            self.assertEqual(len(next(call).payload.body), size)
        requests.put(None)
        self.assertEqual(list(call), [])
        self.assertEqual(call.code(), grpc.StatusCode.OK)

    def test_a_stream_without_messages_ends_well(self):
        call = self.duplex(iter([]))
        self.assertEqual(list(call), [])
        self.assertEqual(call.code(), grpc.StatusCode.OK)

    def test_metadata_comes_back_before_and_after_the_response(self):
        _, call = self.unary(pb.SimpleRequest(response_size=5), metadata=[INITIAL, TRAILING])
        self.assertIn(INITIAL, list(call.initial_metadata()))
        self.assertIn(TRAILING, list(call.trailing_metadata()))
        stream = self.duplex(iter([output_request(5)]), metadata=[INITIAL, TRAILING])
        self.assertIn(INITIAL, list(stream.initial_metadata()))
        self.assertEqual(len(list(stream)), 1)
        self.assertIn(TRAILING, list(stream.trailing_metadata()))

    def test_an_error_keeps_its_code_message_and_metadata(self):
        status = pb.EchoStatus(code=9, message="\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")
        with self.assertRaises(grpc.RpcError) as raised:
            self.unary(pb.SimpleRequest(response_status=status), metadata=[INITIAL, TRAILING])
        self.assertEqual(raised.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(raised.exception.details(), status.message)
        self.assertIn(TRAILING, list(raised.exception.trailing_metadata()))
        call = self.duplex(iter([pb.StreamingOutputCallRequest(response_status=status)]), metadata=[TRAILING])
        with self.assertRaises(grpc.RpcError):
            list(call)
        self.assertEqual((call.code(), call.details()), (grpc.StatusCode.FAILED_PRECONDITION, status.message))
        self.assertIn(TRAILING, list(call.trailing_metadata()))

    def test_an_error_follows_the_responses_before_it(self):
        requests = [
            output_request(LARGE),
            pb.StreamingOutputCallRequest(response_status=pb.EchoStatus(code=15, message="lost")),
        ]
        call = self.duplex(iter(requests))
        self.assertEqual(len(next(call).payload.body), LARGE)
        with self.assertRaises(grpc.RpcError) as raised:
            next(call)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.DATA_LOSS)

    def test_unknown_methods_are_unimplemented(self):
        for path in (SERVICE + "UnimplementedCall", "/grpc.testing.UnimplementedService/UnimplementedCall"):
            with self.assertRaises(grpc.RpcError) as raised:
                self.channel.unary_unary(path)(b"", timeout=TIMEOUT)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_a_deadline_ends_a_stream(self):
        requests = queue.SimpleQueue()
        call = self.duplex(iter(requests.get, None), timeout=0.2)
        with self.assertRaises(grpc.RpcError):
            list(call)
        requests.put(None)
        self.assertEqual(call.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_a_cancelled_stream_leaves_the_connection_usable(self):
        for _ in range(20):
            requests = queue.SimpleQueue()
            requests.put(output_request(31415))
            call = self.duplex(iter(requests.get, None))
            self.assertEqual(len(next(call).payload.body), 31415)
            call.cancel()
            requests.put(None)
            self.assertEqual(call.code(), grpc.StatusCode.CANCELLED)
        self.assertEqual(len(self.unary(pb.SimpleRequest(response_size=7))[0].payload.body), 7)


class DirectGrpcTest(Calls, unittest.TestCase):
    transport = "grpc"


class DirectHttp2Test(Calls, unittest.TestCase):
    pass


@unittest.skipUnless(find_tool("haproxy"), "no haproxy")
class HaproxyTest(Calls, unittest.TestCase):
    proxy = staticmethod(haproxy)


@unittest.skipUnless(find_tool("nginx"), "no nginx")
class NginxTest(Calls, unittest.TestCase):
    proxy = staticmethod(nginx)


@unittest.skipUnless(find_tool("envoy"), "no envoy")
class EnvoyTest(Calls, unittest.TestCase):
    proxy = staticmethod(envoy)


if __name__ == "__main__":
    unittest.main()
