"""An HTTP/2 client that does what no gRPC library would: it leaves requests unfinished and answers unread."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4
INITIAL_WINDOW_SIZE = 4
FRAME = 16384
WINDOW = 65535


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header(name, value):
    """Neither indexed nor compressed."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def message(payload):
    """With gRPC's prefix: not compressed, and its size."""
    return b"\0" + struct.pack(">I", len(payload)) + payload


class Connection:
    """Reads only to know how much it may send. Closed at the end of a `with` statement."""

    def __init__(self, address, **settings):
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._received = b""
        self._windows = {0: WINDOW}
        self._initial_window = WINDOW
        self._next_stream = 1
        values = [struct.pack(">HI", number, value) for number, value in settings.get("settings", {}).items()]
        self._socket.sendall(PREFACE + frame(SETTINGS, 0, 0, b"".join(values)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def call(self, path, sent, end=True):
        """Sends `sent`, as a call's whole request or as its beginning. False: the server has ended it."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        headers = (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path.encode()),
            (b":authority", b"test"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        )
        self._socket.sendall(frame(HEADERS, END_HEADERS, stream, b"".join(header(*h) for h in headers)))
        self._windows[stream] = self._initial_window
        at = 0
        while at < len(sent):
            while (room := min(self._windows[0], self._windows[stream], FRAME)) <= 0:
                ended = self._read_frame()
                if ended in (0, stream):
                    return False
            part = sent[at : at + room]
            at += len(part)
            for window in (0, stream):
                self._windows[window] -= len(part)
            self._socket.sendall(frame(DATA, END_STREAM if end and at == len(sent) else 0, stream, part))
        return True

    def wait_for_goaway(self):
        """Reads until the server says that it takes no more streams. Does not tell it that this was read."""
        while self._read_frame() != 0:
            pass

    def rest(self):
        """Everything that the server still sends, until it closes the connection."""
        try:
            while more := self._socket.recv(1 << 16):
                self._received += more
        except ConnectionResetError:
            pass
        return self._received

    def _read_frame(self):
        """Returns the stream that it ends, 0 for all, or None."""
        size, kind, flags, stream = struct.unpack(">IBBI", b"\0" + self._read(9))
        payload = self._read(size)
        if kind == WINDOW_UPDATE:
            self._windows[stream] = self._windows.get(stream, self._initial_window) + struct.unpack(">I", payload)[0]
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, size, 6):
                number, value = struct.unpack_from(">HI", payload, at)
                if number == INITIAL_WINDOW_SIZE:
                    for window in self._windows:
                        if window != 0:
                            self._windows[window] += value - self._initial_window
                    self._initial_window = value
            self._socket.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self._socket.sendall(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            return 0
        elif kind == 3 or (kind == HEADERS and flags & END_STREAM):  # RST_STREAM, or trailers
            return stream
        return None

    def _read(self, size):
        while len(self._received) < size:
            more = self._socket.recv(1 << 16)
            if not more:
                raise ConnectionError("the server has closed the connection")
            self._received += more
        taken, self._received = self._received[:size], self._received[size:]
        return taken
