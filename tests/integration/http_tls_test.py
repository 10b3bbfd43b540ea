"""TLS on the HTTP port and the admin port: who gets in, who does not, and what a bad client can do."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import grpc

from certificates import Authority, openssl, read
from http_test import infer_json, long_request
from testbed import MODEL, SLOW_ENGINE, Server, metric_sum, request, run_server, stub, wait_until

HANDSHAKES = "hellocnn_transport_limits_total"
REJECTED = (OSError, http.client.HTTPException)  # TLS errors are OSErrors
CLIENT = "DNS:shop.example,URI:spiffe://example.org/till"


def endpoint(address):
    host, _, port = address.rpartition(":")
    return host, int(port)


def numbers_of(page):
    """A metrics page as {'name{labels}': value}."""
    lines = (line for line in page.decode().splitlines() if line and not line.startswith("#"))
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


@unittest.skipUnless(shutil.which("openssl"), "makes certificates with openssl")
class HttpTlsTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.authority = Authority(cls.folder.name)
        cls.certificate, cls.key = cls.authority.issue("server")
        cls.client = cls.authority.issue("client", names=CLIENT)

    def server(self, *flags, certificate=None, key=None, ports="grpc,http,metrics"):
        files = ["--tls-cert", certificate or self.certificate, "--tls-key", key or self.key]
        return Server("--transport=http2", "--http-listen=127.0.0.1:0", f"--tls-ports={ports}", *files, *flags)

    def context(self, pair=None, version=None, ciphers=None):
        context = ssl.create_default_context(cafile=self.authority.certificate)
        if pair:
            context.load_cert_chain(*pair)
        if version:
            context.minimum_version = context.maximum_version = version
        if ciphers:
            context.set_ciphers(ciphers)
        return context

    @contextlib.contextmanager
    def connected(self, address, **options):
        """A TLS connection, as far as the client can tell."""
        with socket.create_connection(endpoint(address), timeout=60) as plain:
            with self.context(**options).wrap_socket(plain, server_hostname="localhost") as tls:
                yield tls

    def get(self, address, path, method="GET", body=None, **options):
        """Status and body of one request over TLS."""
        connection = http.client.HTTPSConnection(*endpoint(address), timeout=60, context=self.context(**options))
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def count(self, server, reason="tls_handshake", **options):
        status, page = self.get(server.metrics_address, "/metrics", **options)
        self.assertEqual(status, 200)
        return metric_sum(numbers_of(page), HANDSHAKES, reason=reason)

    def serial(self, address, **options):
        with self.connected(address, **options) as tls:
            return tls.getpeercert()["serialNumber"]

    def s_client(self, address, *flags, text=b""):
        return subprocess.run(
            ["openssl", "s_client", "-connect", address, *flags], input=text, capture_output=True, timeout=60, check=False
        )


class RequestsTest(HttpTlsTestCase):
    def test_requests_are_served_on_both_ports(self):
        for kind in ("ec", "rsa"):
            certificate, key = self.authority.issue(f"server-{kind}", kind=kind)
            with self.subTest(kind), self.server(certificate=certificate, key=key) as server:
                self.assertNotIn("has no TLS", server.stderr())
                self.assertEqual(self.get(server.http_address, "/")[0], 200)
                # Many records each way.
                pixels = [value for value in infer_json()["inputs"][0]["data"]] * 100
                body = json.dumps(infer_json(pixels, shape=(800, 28, 28)))
                for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                    status, answer = self.get(server.http_address, "/v2/models/mnist/infer", "POST", body, version=version)
                    self.assertEqual(status, 200, answer)
                    self.assertGreater(len(json.loads(answer)["outputs"]), 0)
                    self.assertEqual(self.get(server.metrics_address, "/readyz", version=version), (200, b"serving\n"))
                self.assertEqual(self.count(server), 0)
                # The same counters as ever.
                _, page = self.get(server.metrics_address, "/metrics")
                self.assertEqual(metric_sum(numbers_of(page), "hellocnn_images_computed_total"), 1600)

    def test_a_connection_has_many_requests(self):
        with self.server() as server:
            connection = http.client.HTTPSConnection(*endpoint(server.http_address), timeout=60, context=self.context())
            for _ in range(20):
                connection.request("POST", "/v2/models/mnist/infer", json.dumps(infer_json()))
                response = connection.getresponse()
                self.assertEqual(response.status, 200)
                response.read()
            connection.close()

    def test_old_versions_weak_ciphers_and_renegotiation_are_rejected(self):
        certificate, key = self.authority.issue("server-rsa-only", kind="rsa")
        with self.server("--log-level=debug", certificate=certificate, key=key) as server:
            rejected = 0
            for address in (server.http_address, server.metrics_address):
                for flags in (
                    ["-tls1"],
                    ["-tls1_1"],
                    ["-tls1_2", "-cipher", "AES128-GCM-SHA256"],  # no forward secrecy
                    ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256"],  # no authenticated cipher
                ):
                    flags = flags if "-cipher" in flags else [*flags, "-cipher", "ALL:@SECLEVEL=0"]
                    with self.subTest(flags):
                        self.assertNotEqual(self.s_client(address, *flags).returncode, 0)
                        rejected += 1
                        wait_until(lambda: self.count(server) == rejected, "counted")
                self.renegotiate(address)
            says = "no TLS with 127.0.0.1: the client offers no version or cipher"
            wait_until(lambda: says in server.stderr(), "logged")

    def renegotiate(self, address):
        """Returns when the server has closed the connection for it."""
        with tempfile.TemporaryFile() as out, subprocess.Popen(
            ["openssl", "s_client", "-connect", address, "-tls1_2"], stdin=subprocess.PIPE, stdout=out, stderr=out
        ) as client:
            try:
                wait_until(lambda: b"Verify return code" in os.pread(out.fileno(), 1 << 20, 0), "connected")
                client.stdin.write(b"R\n")
                client.stdin.flush()
                client.wait(60)
            finally:
                client.kill()
            self.assertIn(b"RENEGOTIATING", os.pread(out.fileno(), 1 << 20, 0))

    def test_plain_text_is_rejected(self):
        with self.server("--log-level=debug") as server:
            for number, address in enumerate((server.http_address, server.metrics_address), start=1):
                with socket.create_connection(endpoint(address), timeout=60) as plain:
                    plain.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
                    answer = b""
                    with contextlib.suppress(ConnectionResetError):
                        while part := plain.recv(4096):
                            answer += part
                self.assertNotIn(b"HTTP", answer)
                wait_until(lambda: self.count(server) == number, "counted")
            says = "no TLS with 127.0.0.1: the client has not begun with TLS"
            wait_until(lambda: says in server.stderr(), "logged")

    def test_a_port_that_is_left_out_speaks_plain_text(self):
        with self.server(ports="grpc,metrics") as server:
            wait_until(lambda: f"the HTTP port {server.http_address} has no TLS" in server.stderr(), "the log says so")
            connection = http.client.HTTPConnection(*endpoint(server.http_address), timeout=60)
            connection.request("GET", "/")
            self.assertEqual(connection.getresponse().status, 200)
            connection.close()
            self.assertEqual(self.get(server.metrics_address, "/livez")[0], 200)
        with self.server(ports="http") as server, server.channel() as channel:
            self.assertEqual(len(stub(channel).Classify(request(2), timeout=30).predictions), 2)
            self.assertEqual(self.get(server.http_address, "/")[0], 200)
            self.assertEqual(metric_sum(server.metrics(), HANDSHAKES, reason="tls_handshake"), 0)


class ClientCertificatesTest(HttpTlsTestCase):
    def test_only_known_clients_get_in_on_every_port(self):
        bad = {
            "none": (None, "peer did not return a certificate"),
            "stranger": (Authority(self.folder.name, "strange").issue("stranger", names=CLIENT), "certificate verify failed"),
            "expired": (self.authority.issue("late", names=CLIENT, days=-1), "certificate has expired"),
            "early": (self.authority.issue("early", names=CLIENT, start="20900101000000Z"), "certificate is not yet valid"),
            "name": (self.authority.issue("other", names="DNS:other.example"), "none of the names that may connect"),
            "nameless": (self.authority.issue("nameless", names=""), "none of the names that may connect"),
        }
        flags = ["--tls-client-ca", self.authority.certificate, "--tls-client-names=SHOP.example,10.0.0.1", "--log-level=debug"]
        with self.server(*flags, "--probe-listen=127.0.0.1:0") as server:
            self.assertEqual(self.get(server.http_address, "/", pair=self.client)[0], 200)
            self.assertEqual(self.get(server.metrics_address, "/readyz", pair=self.client)[0], 200)
            credentials = [read(self.authority.certificate), read(self.client[1]), read(self.client[0])]
            with grpc.secure_channel(server.address, grpc.ssl_channel_credentials(*credentials)) as channel:
                self.assertEqual(len(stub(channel).Classify(request(3), timeout=30).predictions), 3)
            rejected = self.count(server, pair=self.client)
            self.assertEqual(rejected, 0)
            for name, (pair, says) in bad.items():
                for port in ("http", "metrics", "grpc"):
                    address = {"http": server.http_address, "metrics": server.metrics_address, "grpc": server.address}[port]
                    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                        with self.subTest(name, port=port, version=version):
                            log = len(server.stderr())
                            # The client is told, too: it hears an alert.
                            with self.assertRaisesRegex(ssl.SSLError, "(?i)alert|certificate.required"):
                                self.listen(address, port, pair=pair, version=version)
                            rejected += 1
                            wait_until(lambda: self.count(server, pair=self.client) == rejected, "counted")
                            line = rf"no TLS with 127\.0\.0\.1: .*{says}"
                            wait_until(lambda: re.search(line, server.stderr()[log:]), "logged")
            # A kubelet has no certificate.
            host = endpoint(server.probe_address)
            for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 404), ("/", 404)):
                connection = http.client.HTTPConnection(*host, timeout=60)
                connection.request("GET", path)
                self.assertEqual(connection.getresponse().status, status, path)
                connection.close()

    def listen(self, address, port, **options):
        """What the server says after the handshake, which a client of TLS 1.3 thinks is complete."""
        context = self.context(**options)
        context.set_alpn_protocols(["h2" if port == "grpc" else "http/1.1"])
        with socket.create_connection(endpoint(address), timeout=60) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                tls.recv(1)

    def test_names_of_every_kind_let_clients_in(self):
        names = "DNS:till.example,URI:spiffe://example.org/till,email:ann@shop.example,IP:2001:db8::1"
        pair = self.authority.issue("many", names=names)
        for allowed in ("till.example", "spiffe://example.org/till", "ann@shop.example", "2001:db8:0::1", "x,DNS:till.example"):
            with self.subTest(allowed), self.server(
                "--tls-client-ca", self.authority.certificate, f"--tls-client-names={allowed}"
            ) as server:
                self.assertEqual(self.get(server.http_address, "/", pair=pair)[0], 200)
                with self.assertRaises(REJECTED):
                    self.get(server.http_address, "/", pair=self.authority.issue("none-of-them", names="DNS:x.till.example"))


class HostileClientsTest(HttpTlsTestCase):
    def hello(self):
        hello = ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            self.context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
        return hello.read()

    def test_unfinished_handshakes_hold_up_nobody_and_are_closed(self):
        hello = self.hello()
        with self.server() as server, contextlib.ExitStack() as held:
            start = time.monotonic()
            waiting = []
            for address in (server.metrics_address, server.http_address):
                for sent in (b"", hello[:50], hello):
                    waiting.append(held.enter_context(socket.create_connection(endpoint(address), timeout=60)))
                    waiting[-1].sendall(sent)
            for _ in range(10):
                self.assertEqual(self.get(server.http_address, "/")[0], 200)
                self.assertEqual(self.get(server.metrics_address, "/livez")[0], 200)
            # The admin port closes what is silent for ten seconds, and the HTTP port what is for sixty.
            for connection in waiting[:3]:
                while connection.recv(65536):
                    pass
            self.assertGreater(time.monotonic() - start, 8)
            wait_until(lambda: self.count(server) == 3, "counted")
            start = time.monotonic()
            self.assertEqual(server.stop(), 0)  # the others are still there
            self.assertLess(time.monotonic() - start, 20)

    def test_a_byte_at_a_time_does_not_help(self):
        with self.server() as server:
            with socket.create_connection(endpoint(server.metrics_address), timeout=60) as slow:
                start = time.monotonic()
                with contextlib.suppress(OSError):
                    for byte in self.hello():
                        slow.sendall(bytes([byte]))
                        if time.monotonic() - start > 45:
                            break
                        time.sleep(0.5)
                self.assertLess(time.monotonic() - start, 45)
            wait_until(lambda: self.count(server) == 1, "counted")

    def test_a_new_connection_gets_in_however_many_are_open(self):
        with self.server() as server, contextlib.ExitStack() as held:
            # Half of them are in the middle of the handshake. The port takes 64.
            connections = []
            for _ in range(40):
                connections.append(held.enter_context(self.connected(server.metrics_address)))
                connections.append(held.enter_context(socket.create_connection(endpoint(server.metrics_address), timeout=60)))
                connections[-1].sendall(self.hello()[:40])
            self.assertEqual(self.get(server.metrics_address, "/livez"), (200, b"ok\n"))
            with contextlib.suppress(OSError):
                self.assertEqual(connections[0].recv(1), b"")  # the oldest had to go

    def test_the_end_waits_for_requests_but_not_for_handshakes(self):
        with self.server(SLOW_ENGINE, "--threads=1", "--max-batch-size=1") as server:
            with socket.create_connection(endpoint(server.http_address), timeout=60) as unfinished:
                unfinished.sendall(self.hello())
                outcomes = []

                def ask():
                    outcomes.append(self.get(server.http_address, "/v2/models/mnist/infer", "POST", long_request())[0])

                threads = [threading.Thread(target=ask) for _ in range(8)]
                for thread in threads:
                    thread.start()
                wait_until(
                    lambda: metric_sum(
                        numbers_of(self.get(server.metrics_address, "/metrics")[1]), "hellocnn_requests_in_flight"
                    )
                    > 0,
                    "requests",
                )
                self.assertEqual(server.stop(), 0)
                for thread in threads:
                    thread.join()
                self.assertEqual(len(outcomes), 8)
                self.assertIn(200, outcomes)
                self.assertLessEqual(set(outcomes), {200, 503})


class ReloadTest(HttpTlsTestCase):
    def replace(self, name, content):
        path = os.path.join(self.folder.name, f"{name}.new")
        with open(path, "wb") as file:
            file.write(content)
        os.replace(path, os.path.join(self.folder.name, name))
        return os.path.join(self.folder.name, name)

    def test_new_certificates_are_used_on_every_port_and_no_request_fails(self):
        in_use = [self.replace("in-use.pem", read(self.certificate)), self.replace("in-use.key", read(self.key))]
        authorities = self.replace("authorities.pem", read(self.authority.certificate))
        new = self.authority.issue("new")
        other_authority = Authority(self.folder.name, "next")
        other_client = other_authority.issue("next-client", names=CLIENT)
        flags = ["--tls-client-ca", authorities]
        with self.server(*flags, certificate=in_use[0], key=in_use[1]) as server:
            addresses = [server.http_address, server.metrics_address]
            first = self.serial(addresses[0], pair=self.client)
            self.assertEqual(self.serial(addresses[1], pair=self.client), first)
            stop, failures, served = threading.Event(), [], []

            def ask(keep):
                connection = None
                while not stop.is_set():
                    try:
                        if connection is None or not keep:
                            context = self.context(pair=self.client)
                            connection = http.client.HTTPSConnection(*endpoint(addresses[0]), timeout=60, context=context)
                        connection.request("POST", "/v2/models/mnist/infer", json.dumps(infer_json()))
                        response = connection.getresponse()
                        response.read()
                        served.append(response.status)
                        if not keep:
                            connection.close()
                        time.sleep(0.01)
                    except REJECTED as error:
                        failures.append(error)
                        return
                if connection is not None:
                    connection.close()

            threads = [threading.Thread(target=ask, args=(keep,)) for keep in (True, False)]
            for thread in threads:
                thread.start()
            self.replace("in-use.pem", read(new[0]))
            time.sleep(0.5)  # between the two, they do not fit
            self.replace("in-use.key", read(new[1]))
            for address in addresses:
                wait_until(lambda: self.serial(address, pair=self.client) != first, "the new certificate", timeout=30)
            second = self.serial(addresses[0], pair=self.client)
            self.replace("in-use.pem", b"no PEM\n")
            wait_until(lambda: "TLS goes on with the old certificate" in server.stderr(), "an error in the log", timeout=30)
            self.assertEqual({self.serial(address, pair=self.client) for address in addresses}, {second})
            self.replace("in-use.pem", read(new[0]))
            # An authority that is added holds at once, and so does one that is gone.
            with self.assertRaises(REJECTED):
                self.get(addresses[0], "/", pair=other_client)
            self.replace("authorities.pem", read(self.authority.certificate) + read(other_authority.certificate))

            def gets_in(pair):
                with contextlib.suppress(*REJECTED):
                    return self.get(addresses[0], "/", pair=pair)[0] == 200
                return False

            wait_until(lambda: gets_in(other_client), "the new authority", timeout=30)
            stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            self.assertEqual(set(served), {200})
            self.assertGreater(len(served), 100)
            self.replace("authorities.pem", read(other_authority.certificate))
            wait_until(lambda: not gets_in(self.client), "the old authority is gone", timeout=30)
            self.assertTrue(gets_in(other_client))


class FilesTest(HttpTlsTestCase):
    def test_bad_files_and_options_are_found_before_a_port_opens(self):
        for flags, status, says in (
            (["--tls-cert", "/nowhere.pem", "--tls-key", self.key, "--tls-ports=http"], 1, "/nowhere.pem: cannot be opened"),
            (["--tls-cert", self.certificate, "--tls-key", self.key, "--tls-ports=https"], 2, "wanted some of grpc, http and metrics"),
            (["--tls-cert", self.certificate, "--tls-key", self.key, "--tls-client-names=a"], 2, "wanted tls-client-ca as well"),
        ):
            with self.subTest(says):
                done = run_server("--transport=http2", "--listen=127.0.0.1:0", "--metrics-listen=off", *flags)
                self.assertEqual(done.returncode, status, done)
                self.assertIn(says, done.stderr)

    def test_a_certificate_that_the_library_of_http_cannot_use_is_found_at_start(self):
        certificate, key = os.path.join(self.folder.name, "rare.pem"), os.path.join(self.folder.name, "rare.key")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]  # which OpenSSL has and GnuTLS has not
        openssl("req", "-x509", *curve, "-nodes", "-days", "2", "-subj", "/CN=rare", "-keyout", key, "-out", certificate)
        files = ["--tls-cert", certificate, "--tls-key", key, "--model", MODEL]
        done = run_server("--transport=http2", "--listen=127.0.0.1:0", "--metrics-listen=off", "--http-listen=127.0.0.1:0", *files)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("the certificate cannot be used for HTTP: GnuTLS says", done.stderr)


if __name__ == "__main__":
    unittest.main()
