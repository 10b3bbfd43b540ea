"""The admin port of a real server: probes and the page for people, in each state and without metrics."""

import signal
import socket
import subprocess
import unittest
import urllib.error
import urllib.request

from testbed import MODEL, SERVER, SLOW_ENGINE, Server, clean_environment, request, stub, wait_until


def get(address, path):
    """The status and the body, or None if nobody listens."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


def free_address():
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{chosen.getsockname()[1]}"


class WithoutMetricsTest(unittest.TestCase):
    def test_probes_and_page_answer_while_the_server_serves(self):
        with Server("--metrics=off") as server, server.channel() as channel:
            stub(channel).Classify(request(1), timeout=30)
            self.assertEqual(get(server.metrics_address, "/livez"), (200, "ok\n"))
            self.assertEqual(get(server.metrics_address, "/readyz"), (200, "serving\n"))
            status, page = get(server.metrics_address, "/")
            self.assertEqual(status, 200)
            self.assertIn("mnist, version 1", page)
            self.assertIn("Metrics are off", page)
            status, why = get(server.metrics_address, "/metrics")
            self.assertEqual(status, 404)
            self.assertIn("--metrics=off", why)

    def test_probes_answer_while_the_model_is_loading(self):
        # Warming many workers up, with large batches, takes seconds.
        address = free_address()
        process = subprocess.Popen(
            [SERVER, "--listen=127.0.0.1:0", f"--metrics-listen={address}", "--metrics=off", f"--model={MODEL}"]
            + [SLOW_ENGINE, "--threads=2", "--max-batch-size=128"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        )
        try:
            wait_until(lambda: get(address, "/livez") is not None, "an answer")
            self.assertEqual(get(address, "/readyz"), (503, "loading\n"))
            self.assertEqual(get(address, "/livez"), (200, "ok\n"))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)

    def test_probes_answer_while_the_server_drains(self):
        # Accepted requests of many images keep the server draining until they are computed.
        with Server("--metrics=off", SLOW_ENGINE, "--threads=1", "--drain-timeout=60s") as server:
            with server.channel() as channel:
                slow = [stub(channel).Classify.future(request(1024), timeout=120) for _ in range(4)]
                slow[0].result()  # so the others have been received too
                server.terminate(signal.SIGTERM)
                wait_until(lambda: get(server.metrics_address, "/readyz") == (503, "draining\n"), "draining")
                self.assertEqual(get(server.metrics_address, "/livez"), (200, "ok\n"))
                for call in slow[1:]:
                    call.result()
            self.assertEqual(server.wait(), 0, server.stderr())


class TargetTest(unittest.TestCase):
    def test_pages_are_found_by_proxies_and_with_a_slash(self):
        """An absolute target is what a client sends to a proxy, and some send it to a server."""
        with Server() as server:
            host, port = server.metrics_address.split(":")
            for target in ("/metrics", "/metrics/", "/metrics?name[]=x", f"http://{server.metrics_address}/metrics", "http://elsewhere/metrics/"):
                with self.subTest(target), socket.create_connection((host, int(port)), timeout=30) as connection:
                    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                    with connection.makefile() as page:
                        self.assertIn(" 200 ", page.readline())
                        self.assertIn("hellocnn_", page.read())


class WithoutPortTest(unittest.TestCase):
    def test_off_closes_the_port(self):
        with Server(metrics_listen="off") as server:
            self.assertEqual(server.metrics_address, "off")


if __name__ == "__main__":
    unittest.main()
