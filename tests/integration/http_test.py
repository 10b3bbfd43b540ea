"""The port for HTTP: JSON, pictures, bounds, and what happens to it under load and at the end."""

import base64
import concurrent.futures
import gzip
import http.client
import json
import os
import socket
import struct
import threading
import time
import unittest
import zlib

from images_test import png, without_border
from testbed import SLOW_ENGINE, SOURCE, Server, metric_sum, test_digits, wait_until

DIGITS = test_digits(8)
LABELS = [label for _, label in DIGITS]
CUT_OFF = http.client.HTTPException  # what its client says of a connection that ends
MNIST = os.path.join(SOURCE, "models/mnist")


def numbers(count=8):
    """The pixels of the first digits, without their border, as a list for JSON."""
    return [value for pixels, _ in DIGITS[:count] for value in without_border(pixels)]


def infer_json(data=None, shape=(8, 28, 28), datatype="UINT8", **more):
    tensor = {"name": "input", "shape": list(shape), "datatype": datatype, "data": numbers() if data is None else data}
    return {"inputs": [tensor], **more}


def long_request():
    """64 images, so that a few of these make a queue that lasts for seconds with an engine that is slow."""
    return json.dumps(infer_json(numbers() * 8, shape=(64, 28, 28))).encode()


class Response:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Http:
    """Requests to the HTTP port of a server, each on a connection of its own."""

    def __init__(self, server):
        self.address = server.http_address

    def connect(self, timeout=60):
        host, _, port = self.address.rpartition(":")
        return http.client.HTTPConnection(host, int(port), timeout=timeout)

    def socket(self):
        host, _, port = self.address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=60)

    def request(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            if isinstance(body, dict):
                body = json.dumps(body)
            connection.request(method, path, body, headers or {})
            return Response(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, headers=None):
        return self.request("POST", path, body, headers)

    def infer(self, body, path="/v2/models/mnist/infer", headers=None):
        return self.post(path, body, headers)


def outputs(response):
    return {output["name"]: output for output in response.json()["outputs"]}


class HttpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--http-listen=127.0.0.1:0", "--model-versions=all", "--max-images-per-request=64", model=MNIST)
        cls.addClassCleanup(cls.server.stop)
        cls.http = Http(cls.server)

    def test_each_path(self):
        get = self.http.get
        self.assertEqual(get("/v2").json()["name"], "hellocnn")
        self.assertEqual((get("/v2/health/live").status, get("/v2/health/live").json()), (200, {"live": True}))
        self.assertEqual((get("/v2/health/ready").status, get("/v2/health/ready").json()), (200, {"ready": True}))
        self.assertEqual(get("/v2/models/mnist").json()["versions"], ["1", "2"])
        self.assertEqual(get("/v2/models/mnist/versions/1").json()["name"], "mnist")
        self.assertEqual(get("/v2/models/mnist/config").json()["max_batch_size"], 64)
        self.assertEqual(get("/v2/models/mnist/ready").json(), {"name": "mnist", "ready": True})
        self.assertEqual(get("/v2/models/mnist/versions/2/ready").status, 200)
        self.assertEqual(get("/v2/models/mnist/versions/7/ready").status, 503)
        self.assertEqual(len(get("/v2/models/stats").json()["model_stats"]), 2)
        self.assertEqual(len(get("/v2/models/mnist/versions/2/stats").json()["model_stats"]), 1)
        index = self.http.post("/v2/repository/index", b"").json()
        self.assertEqual([(m["name"], m["version"], m["state"]) for m in index], [("mnist", "1", "READY"), ("mnist", "2", "READY")])
        self.assertEqual(self.http.post("/v2/repository/models/mnist/load", b"").status, 403)
        self.assertEqual(self.http.post("/v2/repository/models/mnist/unload", b"").status, 501)
        for body in (b"[", b"{" * 5000, b'{"a":' * 20):
            self.assertEqual(self.http.post("/v2/repository/index", body).status, 400)
        for path in ("/", "/draw.js", "/draw.css"):
            page = get(path)
            self.assertEqual(page.status, 200)
            self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])
        head = self.http.request("HEAD", "/v2")
        self.assertEqual((head.status, head.body), (200, b""))

    def test_what_there_is_not_is_an_error_in_json(self):
        for method, path, status in [
            ("GET", "/v1/models/mnist", 404),
            ("GET", "/v2/models/nosuch", 404),
            ("GET", "/v2/models/mnist/versions/9", 404),
            ("GET", "/v2/models/mnist/nonsense", 404),
            ("GET", "/v2/models/mnist/infer", 405),
            ("POST", "/v2/models/mnist", 405),
            ("GET", "/v2/repository/index", 405),
            ("GET", "/v2/models/%FF/ready", 400),
            ("GET", "/v2/models/mnist/ready?model=%FF", 400),
            ("GET", "/v2/models/mnist/versions/1/ready/more", 404),
            ("GET", "/v2/models//", 404),
            ("POST", "/v2/health/live", 404),
            ("GET", "/classify", 405),
            ("PUT", "/v2", 405),
            ("DELETE", "/", 405),
        ]:
            with self.subTest(f"{method} {path}"):
                response = self.http.request(method, path)
                self.assertEqual(response.status, status)
                self.assertTrue(response.json()["error"])

    def test_inference_in_json(self):
        wanted = outputs(self.http.infer(infer_json(id="r-1")))
        self.assertEqual(wanted["class"]["data"], LABELS)
        self.assertEqual(wanted["label"]["data"], [str(label) for label in LABELS])
        self.assertEqual((wanted["probabilities"]["datatype"], wanted["probabilities"]["shape"]), ("FP32", [8, 10]))
        self.assertEqual(self.http.infer(infer_json(id="r-1")).json()["id"], "r-1")
        nested = [[numbers()[784 * i + 28 * y : 784 * i + 28 * y + 28] for y in range(28)] for i in range(8)]
        self.assertEqual(outputs(self.http.infer(infer_json(nested)))["log_probabilities"], wanted["log_probabilities"])
        floats = [(value / 255 - 0.1307) / 0.3081 for value in numbers()]
        self.assertEqual(outputs(self.http.infer(infer_json(floats, datatype="FP32")))["class"]["data"], LABELS)
        asked = infer_json(outputs=[{"name": "log_probabilities", "parameters": {"classification": 2}}])
        top = outputs(self.http.infer(asked))
        self.assertEqual(list(top), ["log_probabilities"])
        self.assertEqual([entry.split(":")[1:] for entry in top["log_probabilities"]["data"][::2]], [[str(l), str(l)] for l in LABELS])
        old = self.http.infer(infer_json(), "/v2/models/mnist/versions/1/infer").json()
        self.assertEqual(old["model_version"], "1")

    def test_inference_with_binary_tensors(self):
        raw = bytes(numbers())
        head = infer_json()
        del head["inputs"][0]["data"]
        head["inputs"][0]["parameters"] = {"binary_data_size": len(raw)}
        head["outputs"] = [{"name": "class", "parameters": {"binary_data": True}}, {"name": "label"}]
        text = json.dumps(head).encode()
        response = self.http.infer(text + raw, headers={"Inference-Header-Content-Length": str(len(text))})
        length = int(response.headers["Inference-Header-Content-Length"])
        described = json.loads(response.body[:length])["outputs"]
        self.assertEqual(described[0]["parameters"], {"binary_data_size": 64})
        self.assertEqual(list(struct.unpack("<8q", response.body[length:])), LABELS)
        self.assertEqual(described[1]["data"], [str(label) for label in LABELS])

    def test_compressed_bodies(self):
        text = json.dumps(infer_json()).encode()
        for encoding, body in (("gzip", gzip.compress(text)), ("deflate", zlib.compress(text))):
            response = self.http.infer(body, headers={"Content-Encoding": encoding})
            self.assertEqual(outputs(response)["class"]["data"], LABELS)
            cut = self.http.infer(body[:-9], headers={"Content-Encoding": encoding})
            self.assertEqual((cut.status, "damaged or cut off" in cut.json()["error"]), (400, True))
        self.assertEqual(self.http.infer(text, headers={"Content-Encoding": "br"}).status, 415)
        bomb = gzip.compress(bytes(200 << 20))
        response = self.http.infer(bomb, headers={"Content-Encoding": "gzip"})
        self.assertEqual((response.status, "inflates to more than" in response.json()["error"]), (413, True))
        page = self.http.get("/draw.js", **{"Accept-Encoding": "gzip"})
        self.assertEqual(page.headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(page.body), self.http.get("/draw.js").body)

    def test_what_is_wrong_with_a_request_is_named(self):
        two = infer_json()
        two["inputs"] *= 2
        other = infer_json()
        other["inputs"][0].update(data=[{"a": 1}])
        for body, message in [
            (b"", "the body is not JSON"),
            (b"[]", "the body is not a JSON object"),
            (b'{"inputs": 7}', "inputs is 7; wanted a list of objects"),
            (b'{"inputs": [1]}', "inputs has 1; wanted objects"),
            (b"{}", "inputs has 0 tensors; wanted 1"),
            (two, "inputs has 2 tensors; wanted 1"),
            (other, "values that are no numbers"),
            (infer_json(shape=(8, 28, 27)), "inputs[0].data has 6272 elements; wanted 6048"),
            (infer_json(shape=(1, 20, 20), data=[0] * 400), "wanted 32x32, or 28x28"),
            (infer_json(shape=(2**62, 2**62), data=[]), "inputs[0].data has 0 elements"),
            (infer_json(shape=("a",)), 'inputs[0].shape has "a"'),
            (infer_json(datatype="INT8"), "wanted UINT8 or FP32"),
            (infer_json(data=[256] * 6272), "inputs[0].data[0] is 256; wanted a whole number from 0 to 255"),
            (infer_json(data=[0.5] * 6272), "inputs[0].data[0] is 0.5"),
            (infer_json(data=[1e300] * 6272, datatype="FP32"), "image 0 of inputs[0]: value 0 is inf"),
            (infer_json(data="AAAA"), "inputs[0].data has 0 elements"),
            (infer_json(shape=(65, 1), data=[0] * 65), "inputs[0].shape has 65 images; wanted 1 to 64"),
            (infer_json(id=7), "id is 7; wanted a text"),
            (infer_json(outputs=[{"name": "x"}]), 'outputs has "x"'),
            (b"[" * 100_000, "nested more than 16 deep"),
            (b'{"a": ' + b"[" * 1000 + b"]" * 1000 + b"}", "nested more than 16 deep"),
            (b'{"outputs": [' + b"{}," * 20_000 + b"{}]}", "more than 10000 values"),
            (json.dumps(infer_json()).encode() + b"xx", "not JSON"),
        ]:
            with self.subTest(message):
                response = self.http.infer(body)
                self.assertEqual(response.status, 400)
                self.assertIn(message, response.json()["error"])
        for length in ("-1", "9999999", "x"):
            response = self.http.infer(infer_json(), headers={"Inference-Header-Content-Length": length})
            self.assertIn("Inference-Header-Content-Length is", response.json()["error"])

    def test_pictures(self):
        with open(os.path.join(SOURCE, "data/pictures/two-on-paper.jpg"), "rb") as file:
            photo = file.read()
        response = self.http.post("/classify", photo)
        self.assertEqual((response.status, response.json()["label"], response.json()["class_index"]), (200, "2", 2))
        self.assertAlmostEqual(sum(one["probability"] for one in response.json()["probabilities"]), 1, places=4)
        self.assertNotIn("image", response.json())
        details = self.http.post("/classify?details=true&model=mnist&version=1", photo).json()
        self.assertEqual(details["model"], {"name": "mnist", "version": "1"})
        self.assertEqual(len(base64.b64decode(details["image"]["bytes"])), 1024)
        self.assertEqual([(l["name"], l["shape"]) for l in details["layers"]], [("conv.1", [6, 28, 28]), ("conv.4", [16, 10, 10])])
        for layer in details["layers"]:
            self.assertEqual(max(base64.b64decode(layer["bytes"])), 255)
        large = png(bytes(3000 * 3000 - 1) + b"\1", 3000)
        for path, body, status, message in [
            ("/classify", b"", 400, "the file is empty"),
            ("/classify", b"text", 400, "this is not a picture"),
            ("/classify", photo[:1000], 400, "damaged"),
            ("/classify", large, 400, "the body: "),
            ("/classify", png(bytes(4100 * 4100), 4100), 400, "at most 16777216 pixels"),
            ("/classify?model=nosuch", photo, 404, "model nosuch is not served"),
            ("/classify?model=mnist&version=7", photo, 404, "version 7"),
        ]:
            response = self.http.post(path, body)
            self.assertEqual((response.status, message in response.json()["error"]), (status, True), response.body)
        response = self.http.post("/classify", b"--x", {"Content-Type": "multipart/form-data; boundary=x"})
        self.assertIn("curl --data-binary", response.json()["error"])

    def test_requests_are_counted_as_those_of_grpc(self):
        before = self.server.metrics()
        for _ in range(3):
            self.http.infer(infer_json())
        self.http.infer(infer_json(outputs=[{"name": "x"}]))
        after = self.server.metrics()

        def more(name, **labels):
            return metric_sum(after, name, **labels) - metric_sum(before, name, **labels)

        self.assertEqual(more("hellocnn_requests_total", method="ModelInfer", code="OK"), 3)
        self.assertEqual(more("hellocnn_requests_total", method="ModelInfer", code="INVALID_ARGUMENT"), 1)
        self.assertEqual(more("hellocnn_images_computed_total"), 24)
        self.assertEqual(metric_sum(after, "hellocnn_requests_in_flight"), 0)

    def test_bodies_are_bounded(self):
        most = (16 << 20) + 64 * 16 * 1024
        connection = self.http.connect()
        connection.putrequest("POST", "/v2/models/mnist/infer")
        connection.putheader("Content-Length", str(4 * most + 1))
        connection.endheaders()
        response = Response(connection.getresponse())  # before a byte of the body
        self.assertEqual((response.status, "wanted at most" in response.json()["error"]), (413, True))
        with self.http.socket() as sock:
            sock.sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
            for _ in range(most // (1 << 20) + 1):
                sock.sendall(chunk)
            sock.sendall(b"0\r\n\r\n")
            self.assertIn(b"HTTP/1.1 413", sock.recv(1000))
        with self.http.socket() as sock:  # without an end
            sock.sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            with self.assertRaises(OSError):
                for _ in range(100_000):
                    sock.sendall(chunk)
        self.assertEqual(self.http.get("/v2/health/live").status, 200)
        # A client that does not wait for leave gets its response, too.
        response = self.http.post("/classify", bytes(most + 1))
        self.assertEqual((response.status, "wanted at most" in response.json()["error"]), (413, True))

    def test_json_that_is_made_to_take_long_is_rejected_soon(self):
        keys = b",".join(b'"k%d":0' % i for i in range(200_000))
        for body in (
            b'{"inputs":[{"data":[{' + keys + b"}]}]}",
            b"{" + keys + b"}",
            b'{"x":[' + b"0," * 9000 + b"{}," * 200_000 + b"0]}",
            b'{"inputs":[' + b"{}," * 200_000 + b"{}]}",
            b'{"inputs":[{"data":' + b"[" * 400_000,
        ):
            began = time.monotonic()
            self.assertEqual(self.http.infer(body).status, 400)
            self.assertLess(time.monotonic() - began, 10)

    def test_connections_that_hold_on_give_way(self):
        held = []
        for i in range(1100):
            held.append(self.http.socket())
            held[-1].sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc" if i % 2 else b"GET / HT")
        self.assertEqual(self.http.get("/v2/health/live").status, 200)
        held[0].settimeout(10)
        self.assertEqual(held[0].recv(1), b"")  # it was closed
        for sock in held:
            sock.close()

    def test_keep_alive(self):
        connection = self.http.connect()
        for _ in range(20):
            connection.request("POST", "/v2/models/mnist/infer", json.dumps(infer_json()))
            self.assertEqual(outputs(Response(connection.getresponse()))["class"]["data"], LABELS)
        connection.close()

    def test_browsers_of_others_may_not(self):
        response = self.http.request("OPTIONS", "/classify", headers={"Origin": "https://example.org"})
        self.assertIsNone(response.headers["Access-Control-Allow-Origin"])
        self.assertIsNone(self.http.get("/v2", Origin="https://example.org").headers["Access-Control-Allow-Origin"])


class HttpServerTest(unittest.TestCase):
    """With servers of their own."""

    def test_cors_if_asked(self):
        with Server("--http-listen=127.0.0.1:0", "--http-cors-origin=https://example.org") as server:
            http = Http(server)
            preflight = http.request("OPTIONS", "/classify", headers={"Origin": "https://example.org"})
            self.assertEqual((preflight.status, preflight.headers["Access-Control-Allow-Methods"]), (204, "GET, POST"))
            for response in (preflight, http.get("/v2"), http.get("/nonsense"), http.post("/classify", b"x")):
                self.assertEqual(response.headers.get_all("Access-Control-Allow-Origin"), ["https://example.org"])
            load = http.post("/v2/repository/models/mnist/load", b"", {"Origin": "https://elsewhere.org"})
            self.assertEqual((load.status, "another origin" in load.json()["error"]), (403, True))
            self.assertEqual(http.post("/v2/repository/index", b"", {"Origin": "https://example.org"}).status, 200)
            self.assertEqual(http.post("/v2/repository/index", b"", {"Origin": f"http://{server.http_address}"}).status, 200)

    def test_overload_is_429_with_the_time_to_come_back(self):
        with Server(
            "--http-listen=127.0.0.1:0", SLOW_ENGINE, "--threads=1", "--max-batch-size=1", "--queue-capacity=8"
        ) as server, concurrent.futures.ThreadPoolExecutor(64) as pool:
            http = Http(server)
            responses = list(pool.map(lambda _: http.infer(infer_json()), range(64)))
            self.assertEqual({response.status for response in responses}, {200, 429})
            for response in responses:
                if response.status == 429:
                    self.assertGreaterEqual(int(response.headers["Retry-After"]), 1)
                    self.assertIn("queue", response.json()["error"])
                else:
                    self.assertEqual(outputs(response)["class"]["data"], LABELS)

    def test_a_timeout_is_504(self):
        with Server("--http-listen=127.0.0.1:0", SLOW_ENGINE, "--threads=1", "--max-batch-size=1") as server:
            http = Http(server)
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                long = long_request()
                waiting = [pool.submit(http.infer, long) for _ in range(16)]
                wait_until(lambda: metric_sum(server.metrics(), "hellocnn_queue_images") > 16, "a queue")
                response = http.infer(infer_json(parameters={"timeout": 1000}))
                self.assertIn(response.status, (504, 429), response.body)
                self.assertEqual({one.result().status for one in waiting}, {200})

    def test_requests_in_flight_are_answered_at_the_end(self):
        with Server("--http-listen=127.0.0.1:0", SLOW_ENGINE, "--threads=1", "--max-batch-size=1") as server:
            http = Http(server)
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                waiting = [pool.submit(http.infer, infer_json()) for _ in range(16)]
                wait_until(lambda: metric_sum(server.metrics(), "hellocnn_images_accepted_total") == 128, "all requests")
                idle = http.connect()
                idle.request("GET", "/v2/health/ready")
                self.assertEqual(Response(idle.getresponse()).status, 200)
                server.terminate()
                idle.close()
                for one in waiting:
                    self.assertEqual(outputs(one.result())["class"]["data"], LABELS)
            self.assertEqual(server.wait(), 0)
            with self.assertRaises(OSError):
                http.get("/v2")

    def test_a_drain_that_takes_too_long_is_cut_off(self):
        with Server("--http-listen=127.0.0.1:0", SLOW_ENGINE, "--threads=1", "--max-batch-size=1", "--drain-timeout=0s") as server:
            http = Http(server)
            with concurrent.futures.ThreadPoolExecutor(32) as pool:
                long = long_request()
                waiting = [pool.submit(http.infer, long) for _ in range(32)]
                wait_until(lambda: metric_sum(server.metrics(), "hellocnn_queue_images") > 16, "a queue")
                began = time.monotonic()
                server.terminate()
                self.assertEqual(server.wait(), 0)
                self.assertLess(time.monotonic() - began, 30)
                statuses = set()
                for one in waiting:
                    try:
                        statuses.add(one.result().status)
                    except (OSError, CUT_OFF):
                        statuses.add("closed")
                self.assertLessEqual(statuses, {200, 499, 503, "closed"})

    def test_bodies_together_are_bounded(self):
        with Server("--http-listen=127.0.0.1:0", "--buffer-memory=24", "--max-images-per-request=64") as server:
            http = Http(server)
            held = []

            def is_full():
                """Holds 8 MiB twice, of which the last byte is missing, and asks for more. The server may still be reading."""
                for sock in held:
                    sock.close()
                held[:] = [http.socket() for _ in range(2)]
                for sock in held:
                    sock.sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (8 << 20))
                    sock.sendall(bytes((8 << 20) - 1))
                time.sleep(0.5)
                response = http.post("/classify", bytes(4 << 20))
                return response.status == 503 and "too much memory" in response.json()["error"]

            wait_until(is_full, "the memory to be taken")
            for sock in held:
                sock.close()

            def is_free():
                return http.post("/classify", bytes(4 << 20)).status == 400

            wait_until(is_free, "the memory to be given back")

    def test_the_port_is_off_unless_asked_for(self):
        with Server() as server:
            self.assertIsNone(server.http_address)

    def test_many_at_once(self):
        with Server("--http-listen=127.0.0.1:0", "--threads=2") as server:
            http = Http(server)
            stop = time.monotonic() + 3
            counts = [0] * 16
            wrong = []

            def ask(number):
                connection = http.connect()
                body = json.dumps(infer_json(numbers(1), shape=(1, 28, 28), outputs=[{"name": "class"}]))
                while time.monotonic() < stop:
                    connection.request("POST", "/v2/models/mnist/infer", body)
                    response = Response(connection.getresponse())
                    if response.status != 200 or outputs(response)["class"]["data"] != LABELS[:1]:
                        wrong.append(response.body)
                    counts[number] += 1
                connection.close()

            threads = [threading.Thread(target=ask, args=[i]) for i in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(wrong, [])
            self.assertGreater(min(counts), 0)


if __name__ == "__main__":
    unittest.main()
