"""A peer that sends any bytes to an HTTP/2 server, and a polite client that calls meanwhile."""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

from raw_http2 import ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, SETTINGS, frame, header, message

PRIORITY, RST_STREAM, WINDOW_UPDATE, CONTINUATION = 2, 3, 8, 9
PADDED = 8
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0, 1, 3, 4, 7, 8, 9, 11
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4

GET_MODEL = "/hellocnn.v1.ClassifierService/GetModel"
CLASSIFY = "/hellocnn.v1.ClassifierService/Classify"
CLASSIFY_STREAM = "/hellocnn.v1.ClassifierService/ClassifyStream"
WATCH = "/grpc.health.v1.Health/Watch"

OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = 0, 3, 8, 12, 13

# "grpc-status" in HPACK's Huffman code, with its length. Its value is never shorter in that code, so it is plain.
STATUS_NAME = b"\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f"


def request_headers(path, *more, authority="test"):
    """A header block for a call."""
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", authority.encode()),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    )
    return b"".join(header(*field) for field in (*fields, *more))


def begin(stream, path, *more, end=False):
    """The frame that begins a call."""
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, request_headers(path, *more))


def call(stream, path, payload=b"", *more):
    """A whole unary call."""
    return begin(stream, path, *more) + frame(DATA, END_STREAM, stream, message(payload))


def integer(value, prefix_bits, first):
    """An integer of HPACK, after the bits of `first`."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([first | value])
    coded, value = [first | most], value - most
    while value >= 128:
        coded.append(value % 128 | 128)
        value //= 128
    return bytes(coded + [value])


def indexed_header(name, value):
    """Goes into the table of the connection."""
    return b"\x40" + integer(len(name), 7, 0) + name + integer(len(value), 7, 0) + value


class Peer:
    """A connection whose bytes are the caller's business. A thread of it reads what the server sends, if `reads`.

    If it `acknowledges` SETTINGS and PING, it sends that at any time, also in the middle of what a caller sends in pieces.
    """

    def __init__(self, address, settings=None, first=None, reads=True, acknowledges=True, source=None):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=60, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.goaway = None  # the error of the last GOAWAY
        self.closed = threading.Event()
        self.acknowledged = threading.Event()  # the server's SETTINGS
        self.statuses = {}  # of gRPC by stream; None: it ended without one
        self.messages = {}  # bytes of data by stream
        self.resets = {}  # errors by stream
        self.answered_pings = 0
        self._acknowledges = acknowledges
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        if first is None:
            entries = {HEADER_TABLE_SIZE: 0, **(settings or {})}
            first = PREFACE + frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *entry) for entry in entries.items()))
            first += frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30))
        self.send(first)
        self._reader = threading.Thread(target=self._read, daemon=True)
        if reads:
            self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self._reader.is_alive():
            self._reader.join()
        self.socket.close()

    def send(self, sent):
        """Returns False if the server has closed the connection."""
        try:
            with self._sending:
                self.socket.sendall(sent)
            return True
        except OSError:
            return False

    def wait_closed(self, timeout=30):
        if not self.closed.wait(timeout):
            raise AssertionError(f"the connection is still open after {timeout} s")

    def wait_for(self, condition, what, timeout=30):
        """Waits until `condition()` is true; it may look at what was received."""
        with self._changed:
            done = self._changed.wait_for(lambda: condition() or self.closed.is_set(), timeout)
            if not done or not condition():
                raise AssertionError(f"not within {timeout} s: {what}; GOAWAY {self.goaway}, closed {self.closed.is_set()}")

    def status_of(self, stream, timeout=30):
        self.wait_for(lambda: stream in self.statuses, f"stream {stream} ends", timeout)
        return self.statuses[stream]

    def _read(self):
        received = bytearray()
        try:
            while more := self.socket.recv(1 << 18):
                received += more
                at = 0
                with self._changed:
                    while len(received) - at >= 9:
                        size = int.from_bytes(received[at : at + 3], "big")
                        if len(received) - at < 9 + size:
                            break
                        kind, flags, stream = struct.unpack_from(">BBI", received, at + 3)
                        self._take(kind, flags, stream, bytes(received[at + 9 : at + 9 + size]))
                        at += 9 + size
                    self._changed.notify_all()
                del received[:at]
        except OSError:
            pass
        with self._changed:
            self.closed.set()
            self._changed.notify_all()

    def _take(self, kind, flags, stream, payload):
        if kind == DATA:
            self.messages[stream] = self.messages.get(stream, 0) + len(payload)
        elif kind == HEADERS and flags & END_STREAM:
            _, found, rest = payload.partition(STATUS_NAME)
            self.statuses[stream] = int(rest[1 : 1 + rest[0]]) if found else None
        elif kind == RST_STREAM:
            self.resets[stream] = struct.unpack(">I", payload)[0]
            self.statuses.setdefault(stream, None)
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">I", payload[4:8])[0]
        elif kind == PING and flags & ACK:
            self.answered_pings += 1
        elif not self._acknowledges:
            return
        elif kind == SETTINGS and not flags & ACK:
            self._reply(frame(SETTINGS, ACK, 0), self.acknowledged)
        elif kind == PING:
            self._reply(frame(PING, ACK, 0, payload))

    def _reply(self, sent, done=None):
        def reply():
            self.send(sent)
            if done is not None:
                done.set()

        # A thread that sends may wait until something is read.
        threading.Thread(target=reply, daemon=True).start()


class PoliteClient:
    """A process that calls GetModel again and again, one at a time, while a `with` statement runs."""

    def __init__(self, address):
        self._process = subprocess.Popen(
            [sys.executable, "-B", os.path.abspath(__file__), address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "calling\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        said, _ = self._process.communicate(timeout=120)
        found = json.loads(said)
        self.failed, self.seconds = found["failed"], sorted(found["seconds"])

    def percentile(self, part):
        return self.seconds[min(len(self.seconds) - 1, int(part * len(self.seconds)))]


def call_politely(address):
    ended = threading.Event()
    seconds, failed, stream = [], [], 1
    peer = Peer(address)
    while not ended.is_set():
        began = time.monotonic()
        try:
            if not peer.send(call(stream, GET_MODEL)):
                raise AssertionError(f"the connection was closed, GOAWAY {peer.goaway}")
            status = peer.status_of(stream, 60)
            if status != OK:
                raise AssertionError(f"status {status}")
        except AssertionError as error:
            failed.append(str(error))
            peer.__exit__()
            peer, stream = Peer(address), -1
        seconds.append(time.monotonic() - began)
        stream += 2
        if len(seconds) == 1:
            print("calling", flush=True)
            threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
        time.sleep(0.001)
    print(json.dumps({"failed": failed, "seconds": seconds}))


if __name__ == "__main__":
    call_politely(sys.argv[1])
