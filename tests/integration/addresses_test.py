"""How the command line reaches a server: addresses, proxies, TLS, and servers of another kind."""

import contextlib
import os
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from testbed import CLI, MODEL, TEST_DATA, Server, clean_environment, metric_sum, wait_until

DIGITS = os.path.join(TEST_DATA, "t10k-images-idx3-ubyte.gz")
# All commands that ask a server which --server names. `tune` starts its own.
COMMANDS = (
    ["health"],
    ["describe"],
    ["classify", DIGITS, "--limit=2"],
    ["evaluate", "--data", TEST_DATA, "--limit=20"],
    ["load", "--duration=200ms", "--warm-up=0s"],
)


def cli(*arguments, **environment):
    """Runs the command line without the user's own proxies."""
    proxies = ("http_proxy", "https_proxy", "grpc_proxy", "no_proxy", "no_grpc_proxy")
    env = {name: value for name, value in clean_environment().items() if name.lower() not in proxies}
    return subprocess.run([CLI, *arguments], env={**env, **environment}, capture_output=True, text=True, timeout=60, check=False)


def pump(one, other):
    """Copies bytes between two sockets until one of them ends."""
    try:
        while True:
            pending = [s for s in (one, other) if isinstance(s, ssl.SSLSocket) and s.pending()]
            for ready in pending or select.select([one, other], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                (other if ready is one else one).sendall(data)
    except OSError:
        pass


@contextlib.contextmanager
def listening(serve, host="127.0.0.1"):
    """Calls serve(connection) in a thread for each connection to the address that it yields."""
    with socket.create_server((host, 0)) as listener:

        def handle(connection):
            with contextlib.suppress(OSError), connection:
                serve(connection)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"{host}:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def connect(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


class ProxyTest(unittest.TestCase):
    """The server is known by a name that only the proxy knows: it always connects to the real server."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    @contextlib.contextmanager
    def proxy(self):
        """Yields the proxy's URL, and the request lines that it has got."""
        requests = []

        def serve(connection):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(1)
            requests.append(head.decode().splitlines()[0])
            with connect(self.server.address) as server:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                pump(connection, server)

        with listening(serve) as address:
            yield f"http://{address}", requests

    def test_a_proxy_of_the_environment_does_not_catch_this_machine(self):
        port = self.server.address.rpartition(":")[2]
        for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            for host in ("127.0.0.1", "localhost"):
                with self.subTest(name=name, host=host):
                    done = cli("health", "--server", f"{host}:{port}", **{name: "http://127.0.0.1:1"})
                    self.assertEqual((done.returncode, done.stdout), (0, "SERVING\n"), done.stderr)

    def test_load_is_not_caught_either(self):
        done = cli("load", "--server", self.server.address, "--duration=200ms", "--warm-up=0s", http_proxy="http://127.0.0.1:1")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_proxy_that_is_asked_for_is_used(self):
        for command in COMMANDS:
            with self.subTest(command=command), self.proxy() as (url, requests):
                done = cli(*command, "--server", "infer.invalid:8500", "--proxy", url)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(set(requests), {"CONNECT infer.invalid:8500 HTTP/1.1"})
        for name in ("http_proxy", "HTTPS_PROXY"):
            with self.subTest(name), self.proxy() as (url, requests):
                done = cli("health", "--server", "infer.invalid:8500", "--proxy=environment", **{name: url})
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(requests)

    def test_no_proxy_is_understood_in_both_cases(self):
        for name in ("no_proxy", "NO_PROXY"):
            with self.subTest(name), self.proxy() as (url, requests):
                done = cli("health", "--server", "infer.invalid:8500", "--proxy=environment", https_proxy=url, **{name: ".invalid"})
                self.assertEqual(done.returncode, 1, done)
                self.assertEqual(requests, [])

    def test_messages_name_the_proxy(self):
        unused = cli("health", "--server", "infer.invalid:8500", https_proxy="http://127.0.0.1:1")
        self.assertEqual(unused.returncode, 1, unused)
        self.assertIn("not through the proxy that https_proxy names", unused.stderr)
        used = cli("health", "--server", "infer.invalid:8500", "--proxy=environment", https_proxy="http://me:secret@127.0.0.1:1")
        self.assertEqual(used.returncode, 1, used)
        self.assertIn("through the proxy 127.0.0.1:1", used.stderr)
        self.assertNotIn("secret", used.stderr)


@unittest.skipUnless(shutil.which("openssl"), "makes certificates with openssl")
class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.certificate, cls.key = (os.path.join(cls.folder.name, name) for name in ("cert.pem", "key.pem"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
            + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
            + ["-keyout", cls.key, "-out", cls.certificate],
            check=True,
            capture_output=True,
        )
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    @contextlib.contextmanager
    def tls(self, protocols=("h2",), version=ssl.TLSVersion.TLSv1_2, host="127.0.0.1"):
        """Yields the address of a TLS server in front of the real one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        context.minimum_version = version
        if protocols:
            context.set_alpn_protocols(list(protocols))

        def serve(connection):
            with context.wrap_socket(connection, server_side=True) as encrypted, connect(self.server.address) as server:
                pump(encrypted, server)

        with listening(serve, host) as address:
            yield address

    def test_a_trusted_server_is_reached(self):
        with self.tls() as address:
            for command in COMMANDS:
                with self.subTest(command=command):
                    done = cli(*command, "--server", address, "--tls-ca", self.certificate)
                    self.assertEqual(done.returncode, 0, done.stderr)
            with self.subTest("authorities of the system"):
                done = cli("health", "--tls", "--server", address, SSL_CERT_FILE="/nowhere", GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=self.certificate)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_tune_reaches_servers_of_its_own_that_encrypt(self):
        tune = ["tune", "--slo=p99=1s", "--rate=20", "--duration=200ms", "--warm-up=0s", "--budget=1s", f"--model={MODEL}"]
        tune += ["--try-threads=1", "--try-batch-sizes=32", "--try-queue-delays=0s"]
        encrypts = [f"--server-option=tls-cert={self.certificate}", f"--server-option=tls-key={self.key}"]
        done = cli(*tune, *encrypts, "--tls-ca", self.certificate)
        self.assertEqual(done.returncode, 0, done.stderr)
        without = cli(*tune, *encrypts)
        self.assertEqual(without.returncode, 1, without)
        self.assertIn("speaks TLS: use --tls", without.stderr)

    def assert_says(self, says, *arguments):
        done = cli("health", *arguments)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(says, done.stderr)
        self.assertIn(arguments[arguments.index("--server") + 1], done.stderr)

    def test_what_does_not_fit_is_said(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version), self.tls(version=version) as address:
                self.assert_says("speaks TLS: use --tls", "--server", address)
        with self.tls() as address:
            self.assert_says("--tls-ca", "--tls", "--server", address)
        with self.tls(host="127.0.0.2") as address:
            self.assert_says("does not name this host", "--tls-ca", self.certificate, "--server", address)
        with self.tls(protocols=()) as address:
            self.assert_says("not gRPC", "--tls-ca", self.certificate, "--server", address)
        self.assert_says("leave --tls", "--tls", "--server", self.server.address)

    def test_openssl_s_server_is_recognised(self):
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            port = chosen.getsockname()[1]
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-cert", self.certificate, "-key", self.key],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            while b"ACCEPT" not in server.stdout.readline():
                self.assertIsNone(server.poll())
            self.assert_says("speaks TLS: use --tls", "--server", f"127.0.0.1:{port}")
        finally:
            server.kill()
            server.wait()
            server.stdout.close()

    def test_a_file_without_certificates_is_named(self):
        for file, says in ((self.key, "no certificate"), ("/nowhere.pem", "no such file")):
            done = cli("health", "--tls-ca", file, "--server", self.server.address)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(file, done.stderr)
            self.assertIn(says, done.stderr)


class RoundRobinTest(unittest.TestCase):
    def test_every_command_skips_an_address_that_does_not_respond(self):
        with Server() as server, socket.create_server(("127.0.0.1", 0)) as nobody:
            closed = "127.0.0.1:%d" % nobody.getsockname()[1]
            nobody.close()
            for command in COMMANDS:
                with self.subTest(command=command):
                    done = cli(*command, "--server", f"ipv4:{closed},{server.address}", "--round-robin")
                    self.assertEqual(done.returncode, 0, done.stderr)


class ReconnectTest(unittest.TestCase):
    def test_the_load_generator_reconnects_soon_and_then_less_often(self):
        """The server is killed, and whatever connects in its place is hung up on. Only gaps between the attempts count."""
        server = Server()
        host, _, port = server.address.rpartition(":")
        load = subprocess.Popen(
            [CLI, "load", "--server", server.address, "--rate=50", "--duration=3h", "--warm-up=0s"],
            env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: metric_sum(server.metrics(), "hellocnn_requests_total", method="Classify", code="OK") > 20, "calls")
            server.process.kill()
            server.process.wait()
            attempts = []
            with socket.create_server((host, int(port))) as listener:
                listener.settimeout(30)
                while len(attempts) < 4:
                    listener.accept()[0].close()
                    attempts.append(time.monotonic())
            gaps = [after - before for before, after in zip(attempts, attempts[1:])]
            # The backoffs are 100, 160 and 256 ms, more or less a fifth. An attempt may fall into the time without a listener.
            self.assertGreater(min(gaps), 0.07, gaps)
            self.assertLess(gaps[0], 0.9, gaps)
        finally:
            load.kill()
            load.wait()
            server.stop()


class GeneratorPortTest(unittest.TestCase):
    def test_the_generator_says_why_it_cannot_listen(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            for address, why in (
                (f"localhost:{taken.getsockname()[1]}", "in use"),
                ("nobody.invalid:0", "does not resolve"),
                ("192.0.2.1:0", "not an address of this machine"),
                ("9465", "it has no port"),
            ):
                with self.subTest(address):
                    done = cli("load", "--prometheus-listen", address)
                    self.assertEqual(done.returncode, 1, done)
                    self.assertIn(f"--prometheus-listen: cannot listen on {address}: ", done.stderr)
                    self.assertIn(why, done.stderr)

    def test_every_form_of_address_is_understood(self):
        with Server() as server:
            for address in ("localhost:0", "0.0.0.0:0", "[::]:0"):
                with self.subTest(address):
                    done = cli("load", "--server", server.address, "--duration=200ms", "--warm-up=0s", "--prometheus-listen", address)
                    self.assertEqual(done.returncode, 0, done.stderr)


class OtherServersTest(unittest.TestCase):
    def test_the_metrics_port_is_recognised(self):
        with Server() as server:
            for command in (["health"], ["describe"], ["load", "--duration=1s"]):
                with self.subTest(command):
                    done = cli(*command, "--server", server.metrics_address)
                    self.assertEqual(done.returncode, 1, done)
                    self.assertIn(f"{server.metrics_address} speaks HTTP/1 and not gRPC", done.stderr)

    def test_a_name_that_does_not_resolve_is_said(self):
        done = cli("health", "--server", "nobody.invalid:8500")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("nobody.invalid:8500", done.stderr)
        self.assertIn("the name does not resolve", done.stderr)

    def test_a_server_that_says_nothing_costs_no_more_than_the_timeout(self):
        with listening(lambda connection: connection.recv(1 << 20) and connection.recv(1)) as address:
            done = cli("health", "--timeout=1s", "--server", address)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(address, done.stderr)

    def test_unix_sockets_are_reached_whatever_the_environment(self):
        with Server() as server, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "hellocnn.sock")
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen()

                def serve(connection):
                    with connection, connect(server.address) as real:
                        pump(connection, real)

                def forward():
                    with contextlib.suppress(OSError):
                        while True:
                            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

                threading.Thread(target=forward, daemon=True).start()
                for target in (f"unix:{path}", f"unix://{path}"):
                    done = cli("health", "--server", target, http_proxy="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1")
                    self.assertEqual(done.returncode, 0, done.stderr)
                listener.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    unittest.main()
