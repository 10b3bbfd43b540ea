"""What a service manager such as systemd hears of the server on NOTIFY_SOCKET: sd_notify(3)."""

import concurrent.futures
import os
import re
import signal
import socket
import tempfile
import threading
import time
import unittest

import grpc

from testbed import MODEL, START_TIMEOUT, STOP_TIMEOUT, Server, pb, request, stub


class Manager:
    """The socket of a service manager, at a path or at an abstract name."""

    def __init__(self, address):
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def receive(self, timeout=STOP_TIMEOUT):
        """The next message as a dictionary, or None if there is none in time."""
        self._socket.settimeout(timeout)
        try:
            message = self._socket.recv(1 << 16).decode()
        except (TimeoutError, BlockingIOError):
            return None
        return dict(line.split("=", 1) for line in message.split("\n"))

    def receive_until(self, key):
        """The messages up to the one that has the key."""
        messages = []
        while not messages or key not in messages[-1]:
            message = self.receive()
            if message is None:
                raise AssertionError(f"no {key} came; before: {messages}")
            messages.append(message)
        return messages

    def close(self):
        self._socket.close()


class ServiceManagerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def manager(self, address=None):
        manager = Manager(address or os.path.join(self.folder, "notify"))
        self.addCleanup(manager.close)
        return manager

    def test_states_are_told_in_order_at_a_path_and_an_abstract_name(self):
        for address in (os.path.join(self.folder, "notify"), f"@hellocnn/{os.getpid()}/{os.path.basename(self.folder)}"):
            with self.subTest(address):
                manager = self.manager(address)
                arguments = ("--drain-delay=30s", "--drain-timeout=20s")
                with Server(*arguments, environment={"NOTIFY_SOCKET": address}) as server, server.channel() as channel:
                    loading, ready = manager.receive_until("READY")
                    self.assertEqual(loading, {"STATUS": f"Loading what is in {MODEL}."})
                    self.assertEqual(ready["READY"], "1")
                    self.assertRegex(ready["STATUS"], rf"^Serving model mnist, version \S+, on {re.escape(server.address)}\.$")
                    server.terminate()
                    (leaving,) = manager.receive_until("STOPPING")
                    self.assertEqual(leaving["STOPPING"], "1")
                    self.assertEqual(leaving["EXTEND_TIMEOUT_USEC"], "60000000")
                    self.assertRegex(leaving["STATUS"], "^Leaving: ")
                    # Before the drain: calls are still served, for half a minute.
                    self.assertEqual(len(stub(channel).Classify(request(2), timeout=20).predictions), 2)
                    time.sleep(0.3)  # signals within 250 ms count as one
                    server.terminate(signal.SIGINT)
                    server.wait()
                self.assertRegex(manager.receive()["STATUS"], "^Draining: ")
                self.assertEqual(manager.receive(), {"STATUS": "Stopped."})
                self.assertIsNone(manager.receive(timeout=0))

    def test_it_is_ready_when_it_answers_calls(self):
        manager = self.manager()
        listen = f"unix:{self.folder}/hellocnn.sock"
        called = concurrent.futures.Future()

        def call_when_ready():
            try:
                manager.receive_until("READY")
                with grpc.insecure_channel(listen) as channel:
                    # A connection that nobody takes would be an error at once.
                    called.set_result(stub(channel).GetModel(pb.GetModelRequest(), timeout=20))
            except Exception as error:
                called.set_exception(error)

        caller = threading.Thread(target=call_when_ready)
        caller.start()
        with Server(listen=listen, environment={"NOTIFY_SOCKET": manager.address}):
            caller.join()
        self.assertGreater(called.result().ByteSize(), 0)

    def test_a_server_that_cannot_start_is_never_ready(self):
        manager = self.manager()
        with self.assertRaisesRegex(AssertionError, "ended before it was ready"):
            Server(model=self.folder, environment={"NOTIFY_SOCKET": manager.address})
        messages = []
        while message := manager.receive(timeout=0):
            messages.append(message)
        self.assertTrue(messages)
        self.assertFalse([message for message in messages if "READY" in message], messages)

    def test_the_watchdog_is_told_until_the_end(self):
        manager = self.manager()
        environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "300000"}
        with Server(environment=environment):
            manager.receive_until("READY")
            for _ in range(3):
                self.assertEqual(manager.receive(START_TIMEOUT), {"WATCHDOG": "1"})

    def test_the_watchdog_of_another_process_is_not_told(self):
        manager = self.manager()
        environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "30000", "WATCHDOG_PID": str(os.getpid())}
        with Server(environment=environment):
            manager.receive_until("READY")
        messages = []
        while message := manager.receive(timeout=0):
            messages.append(message)
        self.assertFalse([message for message in messages if "WATCHDOG" in message], messages)

    def test_a_bad_address_is_a_warning(self):
        for address, complaint in (
            ("notify", 'NOTIFY_SOCKET is "notify"; wanted an absolute path'),
            (f"{self.folder}/nobody", "nobody: No such file or directory"),
        ):
            with self.subTest(address):
                with Server(environment={"NOTIFY_SOCKET": address}) as server, server.channel() as channel:
                    stub(channel).GetModel(pb.GetModelRequest(), timeout=30)
                self.assertEqual(server.stderr().count(complaint), 1, server.stderr())
                self.assertRegex(server.stderr(), f" warning .*{re.escape(complaint)}")

    def test_nothing_is_said_of_it_without_a_service_manager(self):
        with Server() as server:
            pass
        self.assertNotIn("service manager", server.stderr())


if __name__ == "__main__":
    unittest.main()
