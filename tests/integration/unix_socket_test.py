"""--listen unix:/path, with each transport."""

import os
import stat
import tempfile
import unittest

from testbed import MODEL, Server, pb, request, run_server, stub


class UnixSocketTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "hellocnn.sock")
        self.address = f"unix:{self.path}"

    def each_transport(self):
        for transport in ("grpc", "http2"):
            with self.subTest(transport):
                yield f"--transport={transport}"

    def rejection(self, transport, address=None):
        """The message of a server that does not start."""
        done = run_server(transport, "--listen", address or self.address, "--metrics-listen=off", "--model", MODEL)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(f"cannot listen on {address or self.address}: ", done.stderr)
        return done.stderr

    def test_clients_reach_it_and_the_file_goes_with_the_server(self):
        for transport in self.each_transport():
            with Server(transport, listen=self.address) as server, server.channel() as channel:
                self.assertEqual(server.address, self.address)
                self.assertEqual(len(stub(channel).Classify(request(3), timeout=30).predictions), 3)
                for target in (self.address, f"unix://{self.path}"):
                    done = server.cli("health", "--server", target)
                    self.assertEqual((done.returncode, done.stdout), (0, "SERVING\n"), done.stderr)
                self.assertEqual(server.metrics()["hellocnn_connections"], 1)
            self.assertFalse(os.path.exists(self.path))

    def test_the_socket_of_a_dead_server_is_replaced(self):
        for transport in self.each_transport():
            first = Server(transport, listen=self.address)
            first.process.kill()
            first.stop()
            self.assertTrue(stat.S_ISSOCK(os.lstat(self.path).st_mode))
            with Server(transport, listen=self.address) as second, second.channel() as channel:
                stub(channel).GetModel(pb.GetModelRequest(), timeout=30)

    def test_the_socket_of_a_living_server_is_left_to_it(self):
        for transport in self.each_transport():
            with Server(transport, listen=self.address) as first:
                self.assertIn("another server listens on it", self.rejection(transport))
                with first.channel() as channel:
                    stub(channel).GetModel(pb.GetModelRequest(), timeout=30)

    def test_what_is_in_the_way_is_said(self):
        for transport in self.each_transport():
            with open(self.path, "w", encoding="utf-8") as file:
                file.write("text")
            self.assertIn("not a socket", self.rejection(transport))
            self.assertEqual(os.path.getsize(self.path), 4)
            os.remove(self.path)
            missing = f"unix:{os.path.dirname(self.path)}/missing/a.sock"
            self.assertIn("No such file or directory", self.rejection(transport, missing))

    def test_permissions_follow_the_umask(self):
        for transport in self.each_transport():
            with Server(transport, listen=self.address, before=lambda: os.umask(0o117)):
                self.assertEqual(stat.S_IMODE(os.lstat(self.path).st_mode), 0o660)


if __name__ == "__main__":
    unittest.main()
