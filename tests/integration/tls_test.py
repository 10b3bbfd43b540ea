"""TLS of --transport=http2: who gets in, who does not, and certificates that are replaced."""

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import grpc

import raw_http2
from certificates import Authority, openssl, read
from testbed import CLI, MODEL, TEST_DATA, Server, clean_environment, code_of, metric_sum, pb, request, run_server, stub, wait_until

DIGITS = os.path.join(TEST_DATA, "t10k-images-idx3-ubyte.gz")


def host_and_port(server):
    host, _, port = server.address.rpartition(":")
    return host, int(port)


def reached(server, reason):
    return metric_sum(server.metrics(), "hellocnn_transport_limits_total", reason=reason)


@unittest.skipUnless(shutil.which("openssl"), "makes certificates with openssl")
class TlsTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.authority = Authority(cls.folder.name)
        cls.certificate, cls.key = cls.authority.issue("server")

    def path(self, name, content=b""):
        path = os.path.join(self.folder.name, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def server(self, *flags, certificate=None, key=None):
        files = ["--tls-cert", certificate or self.certificate, "--tls-key", key or self.key]
        return Server("--transport=http2", *files, *flags)

    def channel(self, server, certificate=None, key=None):
        credentials = grpc.ssl_channel_credentials(
            read(self.authority.certificate), read(key) if key else None, read(certificate) if certificate else None
        )
        return grpc.secure_channel(server.address, credentials)

    def cli(self, server, *arguments):
        return subprocess.run(
            [CLI, *arguments, "--server", server.address],
            env=clean_environment(no_proxy="127.0.0.1"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @contextlib.contextmanager
    def connected(self, server, protocols=("h2",), version=None):
        """A connection with the handshake done, without a certificate of its own."""
        context = ssl.create_default_context(cafile=self.authority.certificate)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        if version:
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(host_and_port(server), timeout=30) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                yield tls


class HandshakeTest(TlsTestCase):
    def test_the_command_line_and_grpc_get_through(self):
        for kind in ("ec", "rsa"):
            certificate, key = self.authority.issue(f"server-{kind}", kind=kind)
            with self.subTest(kind), self.server(certificate=certificate, key=key) as server:
                for command in (["health"], ["classify", DIGITS, "--limit=2"], ["load", "--duration=300ms", "--warm-up=0s"]):
                    done = self.cli(server, *command, "--tls-ca", self.authority.certificate)
                    self.assertEqual(done.returncode, 0, done.stderr)
                with self.channel(server) as channel:
                    # Many records each way, and flow control.
                    response = stub(channel).Classify(request(1000), timeout=60)
                    self.assertEqual([p.label for p in response.predictions], ["7"] * 1000)
                    sent = (pb.ClassifyStreamRequest(id=i, images=request(64).images) for i in range(100))
                    answers = list(stub(channel).ClassifyStream(sent, timeout=60))
                    self.assertEqual([len(a.result.predictions) for a in answers], [64] * 100)
                self.assertEqual(reached(server, "tls_handshake"), 0)

    def test_who_speaks_no_tls_is_told(self):
        with self.server() as server:
            done = self.cli(server, "health")
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("speaks TLS: use --tls", done.stderr)
            done = self.cli(server, "health", "--tls")  # trusts the authorities of the system
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("--tls-ca", done.stderr)
            self.assertGreater(reached(server, "tls_handshake"), 0)

    def test_versions_from_1_2_on(self):
        with self.server() as server:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with self.subTest(version), self.connected(server, version=version) as tls:
                    self.assertEqual(tls.selected_alpn_protocol(), "h2")
                    self.assertIsNone(tls.compression())
                    tls.sendall(raw_http2.PREFACE + raw_http2.frame(raw_http2.SETTINGS, 0, 0))
                    self.assertEqual(tls.recv(9)[3], raw_http2.SETTINGS)
            for version in ("-tls1", "-tls1_1"):
                with self.subTest(version):
                    client = subprocess.run(
                        ["openssl", "s_client", "-connect", server.address, version, "-alpn", "h2", "-cipher", "ALL:@SECLEVEL=0"],
                        stdin=subprocess.DEVNULL,
                        capture_output=True,
                        text=True,
                        timeout=60,
                        check=False,
                    )
                    self.assertNotEqual(client.returncode, 0)
                    self.assertIn("alert protocol version", client.stderr)

    def test_http2_must_be_asked_for(self):
        with self.server("--log-level=debug") as server:
            with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
                with self.connected(server, protocols=("http/1.1",)):
                    pass
            with self.connected(server, protocols=()) as tls:
                self.assertEqual(tls.recv(1), b"")
            self.assertEqual(reached(server, "tls_handshake"), 2)
            wait_until(lambda: "no TLS with 127.0.0.1: the client does not ask for HTTP/2" in server.stderr(), "a line of the log")

    def test_a_handshake_that_is_never_finished_is_ended(self):
        with self.server() as server:
            hello = ssl.MemoryBIO()
            with contextlib.suppress(ssl.SSLWantReadError):
                ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
            hello = hello.read()
            start = time.monotonic()
            with contextlib.ExitStack() as connections:
                waiting = []
                for sent in (b"", hello[:50], hello):
                    waiting.append(connections.enter_context(socket.create_connection(host_and_port(server), timeout=30)))
                    waiting[-1].sendall(sent)
                for connection in waiting:
                    while connection.recv(65536):
                        pass
            self.assertGreater(time.monotonic() - start, 8)
            self.assertEqual(reached(server, "handshake_timeout"), 3)
            self.assertEqual(server.metrics()["hellocnn_connections"], 0)

    def test_connections_beyond_the_memory_are_closed_and_others_served(self):
        with self.server("--buffer-memory=16", "--max-images-per-request=64") as server, contextlib.ExitStack() as held:
            with self.channel(server) as channel:
                stub(channel).GetModel(pb.GetModelRequest(), timeout=30)
                # 7/8 of 16 MiB hold 716 connections.
                for _ in range(750):
                    held.enter_context(socket.create_connection(host_and_port(server), timeout=30))
                wait_until(lambda: reached(server, "memory") >= 30, "the memory is used up")
                stub(channel).GetModel(pb.GetModelRequest(), timeout=30)
                self.assertLessEqual(server.metrics()["hellocnn_connections"], 716)

    def test_a_peer_that_never_stops_renewing_keys_is_closed(self):
        with self.server() as server:
            client = subprocess.Popen(
                ["openssl", "s_client", "-connect", server.address, "-tls1_3", "-alpn", "h2"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                wait_until(lambda: server.metrics()["hellocnn_connections"] == 1, "connected")
                time.sleep(1)  # for the handshake
                self.assertIsNone(client.poll())
                with contextlib.suppress(BrokenPipeError):
                    for _ in range(3000):
                        client.stdin.write(b"k\n")
                        client.stdin.flush()
                        time.sleep(0.001)
                wait_until(lambda: server.metrics()["hellocnn_connections"] == 0, "closed")
            finally:
                client.kill()
                client.communicate()


class ClientCertificateTest(TlsTestCase):
    def test_only_clients_with_a_certificate_of_the_authority_get_in(self):
        mine = self.authority.issue("client")
        strangers = Authority(self.folder.name, "stranger").issue("stranger-client")
        with self.server("--tls-client-ca", self.authority.certificate, "--log-level=debug") as server:
            with self.channel(server, *mine) as channel:
                self.assertEqual(len(stub(channel).Classify(request(3), timeout=30).predictions), 3)
            self.assertEqual(reached(server, "tls_handshake"), 0)
            for certificate in ((), strangers):
                with self.subTest(certificate), self.channel(server, *certificate) as channel:
                    self.assertEqual(code_of(stub(channel).Classify.future(request(), timeout=60)), grpc.StatusCode.UNAVAILABLE)
            self.assertGreaterEqual(reached(server, "tls_handshake"), 2)
            self.assertIn("peer did not return a certificate", server.stderr())
            self.assertIn("certificate verify failed", server.stderr())
            done = self.cli(server, "health", "--tls-ca", self.authority.certificate)
            self.assertEqual(done.returncode, 1, done)

    def test_the_client_hears_that_it_needs_one(self):
        with self.server("--tls-client-ca", self.authority.certificate) as server:
            for version, says in ((ssl.TLSVersion.TLSv1_2, "handshake.failure"), (ssl.TLSVersion.TLSv1_3, "certificate.required")):
                with self.subTest(version), self.assertRaisesRegex(ssl.SSLError, f"(?i){says}"):
                    with self.connected(server, version=version) as tls:
                        tls.sendall(raw_http2.PREFACE + raw_http2.frame(raw_http2.SETTINGS, 0, 0))
                        tls.recv(1)


class FilesTest(TlsTestCase):
    def rejection(self, certificate, key, *flags):
        files = ["--tls-cert", certificate, "--tls-key", key]
        done = run_server("--transport=http2", "--listen=127.0.0.1:0", "--metrics-listen=off", "--model", MODEL, *files, *flags)
        self.assertEqual(done.returncode, 1, done)
        return done.stderr

    def test_what_is_wrong_with_a_file_is_said_at_start(self):
        other, other_key = self.authority.issue("other")
        expired, expired_key = self.authority.issue("expired", days=-1)
        text = self.path("text.pem", b"no PEM\n")
        locked = self.path("locked.pem")
        openssl("ec", "-in", self.key, "-aes256", "-passout", "pass:secret", "-out", locked)
        for certificate, key, flags, says in (
            ("/nowhere.pem", self.key, [], "/nowhere.pem: cannot be opened: No such file or directory"),
            (self.certificate, "/nowhere.key", [], "/nowhere.key: cannot be opened: No such file or directory"),
            (text, self.key, [], f"{text}: it holds no certificate in PEM"),
            (self.key, self.key, [], f"{self.key}: it holds no certificate in PEM"),
            (self.certificate, text, [], f"{text}: it holds no private key in PEM"),
            (self.certificate, locked, [], f"{locked}: the key has a passphrase"),
            (self.certificate, other_key, [], f"{other_key}: the key does not belong to the certificate in {self.certificate}"),
            (expired, expired_key, [], f"{expired}: the certificate has expired: it was valid until"),
            (self.certificate, self.key, ["--tls-client-ca", text], f"{text}: it holds no certificate in PEM"),
            (self.certificate, self.key, ["--tls-client-ca", "/nowhere.pem"], "/nowhere.pem: cannot be opened"),
        ):
            with self.subTest(says):
                self.assertIn(says, self.rejection(certificate, key, *flags))
        self.assertTrue(os.path.exists(other))


class ReloadTest(TlsTestCase):
    def serial(self, server):
        with self.connected(server) as tls:
            return tls.getpeercert()["serialNumber"]

    def replace(self, name, content):
        """Replaces a file at once, as those who care do."""
        path = self.path(f"{name}.new", content)
        os.replace(path, os.path.join(self.folder.name, name))

    def test_new_certificates_are_used_without_a_restart_and_bad_ones_are_not(self):
        in_use = [self.path("in-use.pem", read(self.certificate)), self.path("in-use.key", read(self.key))]
        new = self.authority.issue("new")
        with self.server("--max-connection-age=1s", certificate=in_use[0], key=in_use[1]) as server:
            load = subprocess.Popen(
                [CLI, "load", "--server", server.address, "--tls-ca", self.authority.certificate]
                + ["--rate=200", "--duration=12s", "--warm-up=0s", "--output=json"],
                env=clean_environment(no_proxy="127.0.0.1"),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            first = self.serial(server)
            # One after the other: between the two, they do not fit.
            self.replace("in-use.pem", read(new[0]))
            time.sleep(0.5)
            self.replace("in-use.key", read(new[1]))
            wait_until(lambda: self.serial(server) != first, "the new certificate", timeout=30)
            self.assertIn("TLS uses the new certificate", server.stderr())
            self.assertNotIn("[error]", server.stderr())
            second = self.serial(server)
            self.replace("in-use.pem", b"no PEM\n")
            wait_until(lambda: "TLS goes on with the old certificate" in server.stderr(), "an error in the log", timeout=30)
            self.assertIn("in-use.pem: it holds no certificate in PEM", server.stderr())
            self.assertEqual(self.serial(server), second)
            out, errors = load.communicate(timeout=60)
            self.assertEqual(load.returncode, 0, errors)
            report = json.loads(out)["runs"][0]
            self.assertEqual((report["answered"], report["failed"], report["unsent"]), (2400, 0, 0))
            self.replace("in-use.pem", read(self.certificate))
            self.replace("in-use.key", read(self.key))
            wait_until(lambda: self.serial(server) == first, "good files again", timeout=30)


if __name__ == "__main__":
    unittest.main()
