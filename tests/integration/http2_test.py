"""What the transport on libnghttp2 does with frames that no library of gRPC sends in this way."""

import collections
import gzip
import socket
import struct
import unittest

import raw_http2
from raw_http2 import DATA, END_HEADERS, END_STREAM, FRAME, GOAWAY, HEADERS, SETTINGS, WINDOW_UPDATE

from testbed import Server

RST_STREAM = 3
STREAM_CLOSED = 5
NO_ERROR = 0
GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"test")]
POST = (b":method", b"POST")
POST_TEXT = [POST, *GET[1:], (b"content-type", b"text/plain")]

Frame = collections.namedtuple("Frame", "kind flags payload")


def call(method, *more):
    path = b"/hellocnn.v1.ClassifierService/" + method
    return [POST, *GET[1:2], (b":path", path), GET[3], (b"content-type", b"application/grpc"), *more]


class Connection:
    """Sends frames as they are given, and never acknowledges the server's settings. Closed at the end of a `with` statement."""

    def __init__(self, server):
        host, _, port = server.address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._stream = self._socket.makefile("rb")
        self._socket.sendall(raw_http2.PREFACE + raw_http2.frame(SETTINGS, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()
        self._socket.close()

    def send(self, kind, flags, stream, payload=b""):
        self._socket.sendall(raw_http2.frame(kind, flags, stream, payload))

    def send_headers(self, headers, stream=1, end=True):
        block = b"".join(raw_http2.header(*header) for header in headers)
        self.send(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)

    def next(self, *kinds, stream=None):
        """The next frame of one of these kinds, and of this stream if one is named."""
        while True:
            start = self._stream.read(9)
            if len(start) < 9:
                raise ConnectionError("the server has closed the connection")
            size, kind, flags, number = struct.unpack(">IBBI", b"\0" + start)
            payload = self._stream.read(size)
            if kind in kinds and stream in (None, number):
                return Frame(kind, flags, payload)


class NoGrpcTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server("--transport=http2"))

    def test_a_get_is_answered_in_plain_text(self):
        with Connection(self.server) as connection:
            connection.send_headers(GET)
            page = connection.next(DATA)
            self.assertEqual(page.payload, b"the HTTP method is GET, wanted POST\n")
            self.assertEqual(page.flags, END_STREAM)

    def test_a_post_of_something_else_is_answered_once_it_has_ended(self):
        with Connection(self.server) as connection:
            connection.send_headers(POST_TEXT, end=False)
            for _ in range(8):  # together more than the window of a stream
                connection.send(DATA, 0, 1, bytes(FRAME))
                connection.send(DATA, 0, 1, bytes(FRAME))
                connection.next(WINDOW_UPDATE, stream=1)
            connection.send(DATA, END_STREAM, 1)
            text = connection.next(DATA).payload
            self.assertEqual(text, b"content-type is text/plain, wanted application/grpc\n")

    def test_a_stream_that_has_ended_takes_no_frames(self):
        for kind in (DATA, HEADERS):
            with self.subTest(kind), Connection(self.server) as connection:
                connection.send_headers(GET)
                connection.next(DATA)
                if kind == DATA:
                    connection.send(DATA, 0, 1, b"more")
                else:
                    connection.send_headers(GET)
                self.assert_stream_closed(connection)

    def test_a_stream_that_was_reset_takes_no_frames(self):
        with Connection(self.server) as connection:
            connection.send_headers(POST_TEXT, end=False)
            connection.send(RST_STREAM, 0, 1, struct.pack(">I", 8))
            for _ in range(3):
                connection.send(DATA, 0, 1, b"more")
            self.assertEqual(connection.next(RST_STREAM).payload, struct.pack(">I", STREAM_CLOSED))
            # The others go on, and nothing more is said: grpc-java sends so when a deadline passes before a request has left.
            connection.send_headers(GET, stream=3)
            self.assertEqual(connection.next(HEADERS, RST_STREAM, GOAWAY, stream=3).kind, HEADERS)

    def assert_stream_closed(self, connection):
        self.assertEqual(struct.unpack_from(">I", connection.next(GOAWAY).payload, 4)[0], STREAM_CLOSED)


class EarlyResponseTest(unittest.TestCase):
    """Responses to calls whose requests have not ended."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server("--transport=http2"))

    def test_a_peer_that_then_ends_the_request_is_not_reset(self):
        # HAProxy, for one, forgets a response when it receives RST_STREAM with it.
        with Connection(self.server) as connection:
            connection.send_headers(call(b"Unknown"), end=False)
            self.assertTrue(connection.next(HEADERS).flags & END_STREAM)
            connection.send(DATA, END_STREAM, 1)
            connection.send_headers(GET, stream=3)
            self.assertEqual(connection.next(HEADERS, RST_STREAM).kind, HEADERS)

    def test_a_peer_that_does_not_end_the_request_is_reset_a_little_later(self):
        with Connection(self.server) as connection:
            connection.send_headers(call(b"Unknown"), end=False)
            self.assertTrue(connection.next(HEADERS).flags & END_STREAM)
            self.assertEqual(connection.next(RST_STREAM).payload, struct.pack(">I", NO_ERROR))


class CompressionTest(unittest.TestCase):
    def test_responses_are_compressed_for_those_only_who_say_that_they_read_it(self):
        request = gzip.compress(b"")
        message = b"\1" + struct.pack(">I", len(request)) + request
        sends = (b"grpc-encoding", b"gzip")
        accepts = [
            ([], 0),
            ([(b"grpc-accept-encoding", b"identity")], 0),
            ([(b"grpc-accept-encoding", b"identity,deflate,gzip")], 1),
            ([(b"grpc-accept-encoding", b"gzip, identity")], 1),
            ([(b"grpc-accept-encoding", b"identity"), (b"grpc-accept-encoding", b"gzip")], 1),
        ]
        with Server("--transport=http2") as server:
            for headers, compressed in accepts:
                with self.subTest(headers), Connection(server) as connection:
                    connection.send_headers(call(b"GetModel", sends, *headers), end=False)
                    connection.send(DATA, END_STREAM, 1, message)
                    self.assertEqual(connection.next(DATA).payload[0], compressed)


if __name__ == "__main__":
    unittest.main()
