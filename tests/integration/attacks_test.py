"""Attacks on the transport on libnghttp2, each while a polite client calls.

What must hold is always the same: the polite client's calls succeed, the server takes little memory, and it serves
afterwards. The polite client's 99th percentile is printed, and decides nothing. HELLOCNN_TEST_ATTACK=10 makes each attack ten
times as long.
"""

import contextlib
import gzip
import os
import struct
import time
import unittest
import urllib.request
import zlib

import grpc

import hostile_http2 as h2
from hostile_http2 import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    INTERNAL,
    OK,
    PADDED,
    PING,
    PRIORITY,
    RESOURCE_EXHAUSTED,
    RST_STREAM,
    SETTINGS,
    UNIMPLEMENTED,
    WINDOW_UPDATE,
    Peer,
    PoliteClient,
    frame,
    message,
)
from memory_test import MB, SANITIZED, resident
from testbed import Server, code_of, pb, request, stub, wait_until

LONGER = int(os.environ.get("HELLOCNN_TEST_ATTACK", "1"))
MEMORY = 128 * MB


def limits(server):
    """How often each limit was reached."""
    return {
        name.split('"')[1]: count
        for name, count in server.metrics().items()
        if name.startswith("hellocnn_transport_limits_total{") and count > 0
    }


class AttackTest(unittest.TestCase):
    flags = ()

    @contextlib.contextmanager
    def under_attack(self, *flags):
        """Yields a server that a polite client calls meanwhile, and checks that neither has suffered."""
        with Server("--transport=http2", "--threads=2", *self.flags, *flags) as server:
            with PoliteClient(server.address) as polite:
                yield server
                memory = resident(server)
            self.assertEqual(polite.failed, [])
            print(
                f"{self.id().rpartition('.')[2]}: {len(polite.seconds)} polite calls, p99 {polite.percentile(0.99) * 1e3:.1f} ms, "
                f"{memory / MB:.0f} MB; {limits(server)}",
                flush=True,
            )
            self.assert_small(memory)
            self.assert_serves(server)

    def assert_small(self, memory):
        if not SANITIZED:
            self.assertLess(memory, MEMORY)

    def assert_serves(self, server):
        with server.channel(1) as channel:
            self.assertEqual(code_of(stub(channel).Classify.future(request(3), timeout=60)), grpc.StatusCode.OK)
        with urllib.request.urlopen(f"http://{server.metrics_address}/readyz", timeout=30) as page:
            self.assertEqual(page.status, 200)

    def assert_calmed(self, peer, *others):
        """The server has closed the connection of a peer that does nothing of use, with a GOAWAY unless that was lost."""
        peer.wait_closed()
        self.assertIn(peer.goaway, (ENHANCE_YOUR_CALM, None, *others))


class FloodTest(AttackTest):
    """Frames that are cheap to send."""

    def flood(self, frames, count=40_000, **peer):
        with self.under_attack() as server, Peer(server.address, **peer) as attacker:
            batch = frames * 1000
            for _ in range(count * LONGER // 1000):
                if not attacker.send(batch):
                    break
            self.assert_calmed(attacker)
            self.assertEqual(set(limits(server)) - {"flood", "protocol"}, set())

    def test_pings(self):
        self.flood(frame(PING, 0, 0, bytes(8)))

    def test_pings_whose_answers_are_not_read(self):
        with self.under_attack() as server, Peer(server.address, reads=False) as attacker:
            attacker.socket.settimeout(5)
            for _ in range(100):
                if not attacker.send(frame(PING, 0, 0, bytes(8)) * 1000):
                    break
            self.assert_small(resident(server))

    def test_settings(self):
        self.flood(frame(SETTINGS, 0, 0))

    def test_settings_that_move_the_windows_of_many_streams(self):
        with self.under_attack() as server, Peer(server.address) as attacker:
            for number in range(1000):
                attacker.send(h2.begin(2 * number + 1, h2.CLASSIFY))
            for number in range(40_000):
                if not attacker.send(frame(SETTINGS, 0, 0, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 1 + number % 2))):
                    break
            self.assert_calmed(attacker)

    def test_priorities(self):
        self.flood(frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1)))

    def test_window_updates(self):
        self.flood(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)))

    def test_frames_of_unknown_types(self):
        self.flood(frame(99, 0, 0, b"x"))

    def test_empty_data(self):
        with self.under_attack() as server, Peer(server.address) as attacker:
            attacker.send(h2.begin(1, h2.CLASSIFY))
            for _ in range(40):
                if not attacker.send(frame(DATA, 0, 1) * 1000):
                    break
            self.assert_calmed(attacker)

    def test_one_byte_of_data_at_a_time(self):
        with self.under_attack() as server, Peer(server.address) as attacker:
            attacker.send(h2.begin(1, h2.CLASSIFY) + frame(DATA, 0, 1, message(bytes(100_000))[:5]))
            for _ in range(40):
                if not attacker.send(frame(DATA, 0, 1, b"x") * 1000):
                    break
            self.assert_calmed(attacker)

    def test_rapid_reset(self):
        with self.under_attack() as server, Peer(server.address) as attacker:
            # Otherwise its acknowledgement may wait behind the attack until the server has waited long enough for it.
            self.assertTrue(attacker.acknowledged.wait(30))
            cancel = struct.pack(">I", CANCEL)
            for number in range(0, 60_000 * LONGER, 100):
                calls = (2 * (number + i) + 1 for i in range(100))
                if not attacker.send(b"".join(h2.call(s, h2.GET_MODEL) + frame(RST_STREAM, 0, s, cancel) for s in calls)):
                    break
            else:
                self.assertTrue(SANITIZED, "nobody was closed")
                return  # sanitizers have made both sides slower than what is allowed
            self.assert_calmed(attacker)

    def test_made_you_reset(self):
        with self.under_attack() as server, Peer(server.address) as attacker:
            for number in range(20_000):
                stream = 2 * number + 1
                # A window that overflows: the server must reset the stream.
                if not attacker.send(h2.begin(stream, h2.CLASSIFY) + frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7FFFFFFF))):
                    break
            else:
                self.assertTrue(SANITIZED, "nobody was closed")
                return
            self.assert_calmed(attacker)

    def test_unknown_methods_of_a_peer_that_never_acknowledges_settings(self):
        with self.under_attack() as server, Peer(server.address, acknowledges=False) as attacker:
            answered = 100_000 * LONGER
            for number in range(0, answered, 100):
                calls = (2 * (number + i) + 1 for i in range(100))
                if not attacker.send(b"".join(h2.begin(s, "/no.Service/Method", end=True) for s in calls)):
                    break
            self.assert_small(resident(server))


class HeadersTest(AttackTest):
    def test_continuations_without_end(self):
        with self.under_attack() as server, Peer(server.address, acknowledges=False) as attacker:
            attacker.send(frame(HEADERS, 0, 1, h2.request_headers(h2.CLASSIFY)))
            for _ in range(10_000):
                if not attacker.send(frame(CONTINUATION, 0, 1, h2.header(b"x", b"y" * 100))):
                    break
            self.assert_calmed(attacker)

    def test_one_header_in_small_pieces(self):
        with self.under_attack() as server, Peer(server.address, acknowledges=False) as attacker:
            # CVE-2023-33953: a megabyte of header, a thousand bytes a frame.
            attacker.send(frame(HEADERS, 0, 1, h2.request_headers(h2.CLASSIFY) + b"\0\1x\x7f\x81\xff\x3f"))
            for _ in range(1000):
                if not attacker.send(frame(CONTINUATION, 0, 1, b"y" * 1000)):
                    break
            self.assert_calmed(attacker, h2.COMPRESSION_ERROR)  # no header may be so long

    def test_a_bomb(self):
        with self.under_attack() as server, Peer(server.address) as attacker:
            attacker.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, h2.request_headers(h2.GET_MODEL) + h2.indexed_header(b"x", b"y" * 3900)))
            # 16,000 bytes name 64 MB of headers.
            for number in range(1, 50 * LONGER):
                block = h2.request_headers(h2.GET_MODEL) + b"\xbe" * 16_000
                if not attacker.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, block)):
                    break
            attacker.send(h2.call(100_001, h2.GET_MODEL))
            self.assertTrue(attacker.closed.wait(5) or attacker.status_of(100_001) == OK)

    def test_headers_that_are_too_large_end_their_call_alone(self):
        with self.under_attack() as server, Peer(server.address) as peer:
            peer.send(frame(HEADERS, 0, 1, h2.request_headers(h2.GET_MODEL)) + frame(CONTINUATION, END_HEADERS, 1, b"".join(h2.header(b"k%d" % i, b"v" * 100) for i in range(130))))
            self.assertEqual(peer.status_of(1), RESOURCE_EXHAUSTED)
            peer.send(h2.call(3, h2.GET_MODEL))
            self.assertEqual(peer.status_of(3), OK)

    def test_binary_metadata_that_is_not_base64_ends_its_call_alone(self):
        with self.under_attack() as server, Peer(server.address) as peer:
            peer.send(h2.begin(1, h2.CLASSIFY_STREAM))
            peer.send(h2.call(3, h2.GET_MODEL, b"", (b"x-bin", b"!not base64!")))
            self.assertEqual(peer.status_of(3), INTERNAL)
            peer.send(h2.call(5, h2.GET_MODEL, b"", (b"x-bin", b"AAAA"), (b"y-bin", b"AA"), (b"z-bin", b"AA==,AAAA")))
            self.assertEqual(peer.status_of(5), OK)
            peer.send(frame(DATA, END_STREAM, 1))
            self.assertEqual(peer.status_of(1), OK)


class StreamsTest(AttackTest):
    connections = 25

    def open_many(self, server, path, payload, stack):
        peers = [stack.enter_context(Peer(server.address)) for _ in range(self.connections)]
        for number in range(4096):
            for peer in peers:
                peer.send(h2.begin(2 * number + 1, path) + payload(2 * number + 1))
        return peers

    def test_102_000_idle_unary_calls(self):
        with self.under_attack() as server, contextlib.ExitStack() as stack:
            self.open_many(server, h2.CLASSIFY, lambda _: b"", stack)
            wait_until(lambda: limits(server).get("streams", 0) > 80_000, "calls beyond the limit are refused")

    def test_102_000_idle_streams(self):
        with self.under_attack() as server, contextlib.ExitStack() as stack:
            self.open_many(server, h2.CLASSIFY_STREAM, lambda _: b"", stack)
            wait_until(lambda: sum(limits(server).values()) > 80_000, "calls beyond the limit are refused")

    def test_102_000_health_watches(self):
        with self.under_attack() as server, contextlib.ExitStack() as stack:
            self.open_many(server, h2.WATCH, lambda stream: frame(DATA, END_STREAM, stream, message(b"")), stack)
            wait_until(lambda: sum(limits(server).values()) > 80_000, "calls beyond the limit are refused")


class MemoryTest(AttackTest):
    def test_messages_that_never_end(self):
        with self.under_attack() as server, contextlib.ExitStack() as stack:
            started = message(bytes(4_200_000))[:65_000]
            for _ in range(10):
                peer = stack.enter_context(Peer(server.address))
                for number in range(300):
                    stream = 2 * number + 1
                    parts = (started[at : at + 16_000] for at in range(0, len(started), 16_000))
                    peer.send(h2.begin(stream, h2.CLASSIFY) + b"".join(frame(DATA, 0, stream, part) for part in parts))
            wait_until(lambda: limits(server).get("memory", 0) > 1000, "calls are refused for want of memory")
            # A newcomer still finds room.
            with server.channel(2) as channel:
                self.assertEqual(code_of(stub(channel).Classify.future(request(64), timeout=60)), grpc.StatusCode.OK)

    def test_one_byte_of_each_message(self):
        with self.under_attack() as server, contextlib.ExitStack() as stack:
            begun = message(bytes(100_000))[:6]
            for _ in range(25):
                peer = stack.enter_context(Peer(server.address))
                for number in range(1000):
                    peer.send(h2.begin(2 * number + 1, h2.CLASSIFY) + frame(DATA, 0, 2 * number + 1, begun))
            wait_until(lambda: limits(server).get("memory", 0) > 1000, "calls are refused for want of memory")

    def test_responses_that_are_never_read(self):
        with self.under_attack() as server, contextlib.ExitStack() as stack:
            payload = pb.ClassifyRequest(images=[pb.Image(gray8=bytes(1024))] * 60).SerializeToString()
            parts = [message(payload)[at : at + 16_000] for at in range(0, len(payload) + 5, 16_000)]
            for _ in range(4):
                peer = stack.enter_context(Peer(server.address, settings={h2.INITIAL_WINDOW_SIZE: 0}))
                for number in range(300 * LONGER):
                    stream = 2 * number + 1
                    data = (frame(DATA, END_STREAM if part is parts[-1] else 0, stream, part) for part in parts)
                    if not peer.send(h2.begin(stream, h2.CLASSIFY) + b"".join(data)):
                        break

    def test_bytes_that_are_never_read(self):
        with self.under_attack() as server, contextlib.ExitStack() as stack:
            for _ in range(20):
                peer = stack.enter_context(Peer(server.address, settings={h2.INITIAL_WINDOW_SIZE: 0x7FFFFFFF}, reads=False))
                peer.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF0000)))
                peer.socket.settimeout(2)
                for number in range(2000):
                    if not peer.send(h2.call(2 * number + 1, h2.GET_MODEL)):
                        break

    def test_messages_that_inflate_without_end(self):
        zeros = bytes(1 << 20)
        bombs = {}
        for name, bits in ((b"gzip", 31), (b"deflate", 15)):
            squeezer = zlib.compressobj(9, zlib.DEFLATED, bits)
            bombs[name] = b"".join(squeezer.compress(zeros) for _ in range(1024)) + squeezer.flush()
        with self.under_attack() as server, Peer(server.address) as peer:
            peer.send(h2.call(1, h2.GET_MODEL))
            self.assertEqual(peer.status_of(1), OK)  # the server's window is known to be in force
            stream = 3
            for name, bomb in bombs.items():
                for compressed, wanted in ((bomb, RESOURCE_EXHAUSTED), (bomb[:1000], INTERNAL), (b"x" * 100, INTERNAL),
                                           (gzip.compress(b"") + b"more", INTERNAL)):
                    sent = b"\1" + struct.pack(">I", len(compressed)) + compressed
                    peer.send(h2.begin(stream, h2.GET_MODEL, (b"grpc-encoding", name)))
                    for at in range(0, len(sent), 16_000):
                        peer.send(frame(DATA, END_STREAM if at + 16_000 >= len(sent) else 0, stream, sent[at : at + 16_000]))
                    with self.subTest(name, size=len(compressed)):
                        self.assertEqual(peer.status_of(stream), wanted)
                    stream += 2
            peer.send(h2.begin(stream, h2.GET_MODEL) + frame(DATA, END_STREAM, stream, b"\1\0\0\0\1x"))
            self.assertEqual(peer.status_of(stream), INTERNAL)  # compressed, but the call does not say how


class MalformedTest(AttackTest):
    def test_requests_that_break_the_rules_end_alone(self):
        whole = message(b"")
        with self.under_attack() as server, Peer(server.address) as peer:
            cases = [
                ("an unknown first byte", frame(DATA, END_STREAM, 0, b"\2\0\0\0\0"), INTERNAL),
                ("larger than any", frame(DATA, 0, 0, b"\0\xff\xff\xff\xff"), RESOURCE_EXHAUSTED),
                ("the end within a message", frame(DATA, END_STREAM, 0, b"\0\0\0\0\5abc"), INTERNAL),
                ("the end within a prefix", frame(DATA, END_STREAM, 0, b"\0\0\0"), INTERNAL),
                ("two requests", frame(DATA, END_STREAM, 0, whole * 2), UNIMPLEMENTED),
                ("no request", frame(DATA, END_STREAM, 0), UNIMPLEMENTED),
                ("padding all over", frame(DATA, PADDED | END_STREAM, 0, b"\x0a" + whole + bytes(10)), OK),
            ]
            for number, (name, data, wanted) in enumerate(cases):
                stream = 2 * number + 1
                data = data[:5] + struct.pack(">I", stream) + data[9:]
                with self.subTest(name):
                    peer.send(h2.begin(stream, h2.GET_MODEL) + data)
                    self.assertEqual(peer.status_of(stream), wanted)

    def test_padding_does_not_move_large_messages(self):
        # The frame's first bytes come alone, so that the rest is received where it belongs, one byte off.
        payload = pb.ClassifyRequest(images=[pb.Image(gray8=bytes(1024))] * 100).SerializeToString()
        sent = message(payload)
        with self.under_attack() as server, Peer(server.address, acknowledges=False) as peer:
            peer.send(h2.call(1, h2.GET_MODEL))
            self.assertEqual(peer.status_of(1), OK)
            peer.send(h2.begin(3, h2.CLASSIFY) + frame(DATA, 0, 3, sent[:16_000]))
            for at in range(16_000, len(sent), 16_000):
                part = sent[at : at + 16_000]
                last = at + 16_000 >= len(sent)
                padded = frame(DATA, PADDED | (END_STREAM if last else 0), 3, b"\x20" + part + bytes(32))
                peer.send(padded[:9])
                time.sleep(0.02)
                peer.send(padded[9:])
            self.assertEqual(peer.status_of(3), OK)

    def test_what_is_no_http2_is_closed(self):
        with self.under_attack() as server:
            for first in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00" + bytes(512), os.urandom(4096), b"\0" * 100_000):
                with self.subTest(first[:10]), Peer(server.address, first=first) as peer:
                    peer.wait_closed()


class DescriptorsTest(AttackTest):
    def test_connections_beyond_the_descriptors(self):
        import resource

        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

        with Server("--transport=http2", before=few) as server:
            with contextlib.ExitStack() as stack:
                for _ in range(200):
                    with contextlib.suppress(OSError):
                        stack.enter_context(Peer(server.address))
                time.sleep(0.5)
            wait_until(lambda: self.accepts(server), "it accepts again")
            self.assertGreater(limits(server).get("descriptors", 0), 0)
            self.assert_serves(server)

    def accepts(self, server):
        with server.channel(3) as channel:
            return code_of(stub(channel).GetModel.future(pb.GetModelRequest(), timeout=5)) == grpc.StatusCode.OK


if __name__ == "__main__":
    unittest.main()
