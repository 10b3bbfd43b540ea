"""The limits of --transport=http2 that an operator can set, seen from the outside."""

import contextlib
import socket
import time
import unittest

import grpc

import raw_http2
from testbed import MODEL, Server, code_of, metric_sum, pb, request, run_server, stub, wait_until

CLASSIFY = "/hellocnn.v1.ClassifierService/Classify"


def reached(server, reason):
    return metric_sum(server.metrics(), "hellocnn_transport_limits_total", reason=reason)


def open_connection(server):
    host, _, port = server.address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(raw_http2.PREFACE + raw_http2.frame(raw_http2.SETTINGS, 0, 0))
    return connection


def acknowledge(connection):
    connection.sendall(raw_http2.frame(raw_http2.SETTINGS, raw_http2.ACK, 0))


def read_to_the_end(connection):
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass


class ConnectionsTest(unittest.TestCase):
    def assert_third_is_closed(self, reason, *flags):
        with Server("--transport=http2", *flags) as server:
            with open_connection(server) as one, open_connection(server) as two:
                self.assertTrue(one.recv(9))
                self.assertTrue(two.recv(9))
                with open_connection(server) as three:
                    read_to_the_end(three)
                self.assertEqual(reached(server, reason), 1)
                self.assertEqual(server.metrics()["hellocnn_connections"], 2)
            wait_until(lambda: server.metrics()["hellocnn_connections"] == 0, "the two are gone")
            with server.channel() as channel:
                stub(channel).GetModel(pb.GetModelRequest(), timeout=30)

    def test_connections_beyond_the_limit_are_closed_and_others_stay(self):
        self.assert_third_is_closed("connections", "--max-connections=2")

    def test_one_address_has_a_limit_of_its_own(self):
        self.assert_third_is_closed("connections_per_address", "--max-connections=3", "--max-connections-per-address=2")


class TimeoutsTest(unittest.TestCase):
    def test_a_connection_without_calls_is_closed(self):
        with Server("--transport=http2", "--idle-timeout=1s") as server, server.channel() as channel:
            stub(channel).GetModel(pb.GetModelRequest(), timeout=30)
            wait_until(lambda: server.metrics()["hellocnn_connections"] == 0, "the idle connection is closed")
            self.assertEqual(reached(server, "idle_timeout"), 1)
            stub(channel).GetModel(pb.GetModelRequest(), timeout=30)  # the client reconnects

    def test_a_peer_that_gives_no_sign_of_life_is_closed(self):
        with Server("--transport=http2", "--keepalive-interval=1s", "--keepalive-timeout=1s") as server:
            with open_connection(server) as silent, server.channel() as channel:
                acknowledge(silent)

                def closed():
                    stub(channel).GetModel(pb.GetModelRequest(), timeout=30)  # a sign of life
                    return reached(server, "keepalive_timeout") > 0

                wait_until(closed, "the silent one is closed")
                read_to_the_end(silent)
                self.assertEqual(reached(server, "keepalive_timeout"), 1)
                self.assertEqual(server.metrics()["hellocnn_connections"], 1)

    def test_0s_is_never(self):
        with Server("--transport=http2", "--idle-timeout=0s", "--keepalive-interval=0s") as server:
            with open_connection(server) as silent:
                acknowledge(silent)
                time.sleep(1.5)
                self.assertEqual(server.metrics()["hellocnn_connections"], 1)
                self.assertEqual(metric_sum(server.metrics(), "hellocnn_transport_limits_total"), 0)


class BufferMemoryTest(unittest.TestCase):
    def test_requests_beyond_the_memory_are_rejected_and_others_served(self):
        with Server("--transport=http2", "--buffer-memory=16") as server, contextlib.ExitStack() as open_ones:
            unfinished = raw_http2.message(bytes(4 << 20))[:-1]
            for _ in range(6):
                connection = open_ones.enter_context(raw_http2.Connection(server.address))
                with contextlib.suppress(OSError):
                    connection.call(CLASSIFY, unfinished, end=False)
            wait_until(lambda: reached(server, "memory") > 0, "a request finds no memory")
            with server.channel() as channel:
                self.assertEqual(code_of(stub(channel).Classify.future(request(), timeout=30)), grpc.StatusCode.OK)

    def test_it_must_hold_the_largest_requests(self):
        large = ["--queue-capacity=16384", "--max-images-per-request=16384"]
        done = run_server("--transport=http2", "--listen=127.0.0.1:0", "--metrics-listen=off", "--model", MODEL, *large)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("option buffer-memory is 64 MiB, and a request of 16384 images", done.stderr)
        self.assertIn("131 MiB", done.stderr)


if __name__ == "__main__":
    unittest.main()
