"""A client that asks for signs of life, as behind a load balancer that forgets silent connections, keeps its connection."""

import time
import unittest

import grpc

from testbed import Server, request, stub


class PingTest(unittest.TestCase):
    def test_a_client_that_pings_keeps_its_connection(self):
        options = [
            ("grpc.keepalive_time_ms", 6000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
        ]
        states = []
        with Server() as server, grpc.insecure_channel(server.address, options=options) as channel:
            stub(channel).Classify(request(), timeout=30)
            channel.subscribe(states.append)
            time.sleep(25)  # gRPC's server used to take the third ping for an attack
            self.assertEqual(states, [grpc.ChannelConnectivity.READY])


if __name__ == "__main__":
    unittest.main()
