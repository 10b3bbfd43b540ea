"""What the metrics port tells, compared with what a client counted; and what it stands."""

import collections
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

import grpc

from testbed import (
    MODEL,
    SERVER,
    SLOW_ENGINE,
    SOURCE,
    TRANSPORT,
    Server,
    clean_environment,
    code_of,
    image,
    metric_sum,
    model_card,
    pb,
    request,
    stub,
    wait_until,
)

OK = grpc.StatusCode.OK
SERVICE = "hellocnn.v1.ClassifierService"

# One worker that computes one image at a time.
SLOW = [SLOW_ENGINE, "--threads=1", "--max-batch-size=1", "--queue-capacity=65536", "--max-images-per-request=1024"]


def get(server, path, timeout=30):
    """Status and body of a GET."""
    connection = http.client.HTTPConnection(server.metrics_address, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class Counted:
    """What the client has seen, to be held against the server's counters."""

    def __init__(self):
        self.codes = collections.Counter()  # (method, code name)
        self.answered_images = 0
        self.received_bytes = 0  # by the server, in requests that got an answer of their own

    def call(self, service, message, **options):
        code = code_of(service.Classify.future(message, **options))
        self.codes["Classify", code.name] += 1
        self.received_bytes += message.ByteSize()
        if code == OK:
            self.answered_images += len(message.images)
        return code

    def stream(self, service, messages, **options):
        for answer in service.ClassifyStream(iter(messages), **options):
            if answer.WhichOneof("outcome") == "result":
                self.codes["ClassifyStream", "OK"] += 1
                self.answered_images += len(answer.result.predictions)
            else:
                name = next(c.name for c in grpc.StatusCode if c.value[0] == answer.error.code)
                self.codes["ClassifyStream", name] += 1


class TotalsTest(unittest.TestCase):
    def assert_adds_up(self, server, counted):
        """Waits until nothing is in flight, and compares."""

        def idle():
            metrics = server.metrics()
            in_flight = metric_sum(metrics, "hellocnn_requests_in_flight")
            requests = metric_sum(metrics, "hellocnn_requests_total")
            return in_flight == 0 and requests >= sum(counted.codes.values())

        wait_until(idle, "all requests over")
        metrics = server.metrics()

        def total(name, **labels):
            return metric_sum(metrics, name, **labels)

        seen = collections.Counter()
        for method in ("Classify", "ClassifyStream", "GetModel"):
            for code in grpc.StatusCode:
                seen[method, code.name] = total(
                    "hellocnn_requests_total", service=SERVICE, method=method, code=code.name
                )
        self.assertEqual(+seen, +counted.codes)
        accepted = total("hellocnn_images_accepted_total")
        dropped = total("hellocnn_images_dropped_total")
        computed = total("hellocnn_images_computed_total")
        self.assertEqual(accepted, dropped + computed)
        answered = total("hellocnn_images_computed_total", outcome="answered")
        self.assertEqual(answered, counted.answered_images)
        self.assertEqual(total("hellocnn_predictions_total"), answered)
        self.assertEqual(total("hellocnn_prediction_confidence_ratio_count"), answered)
        self.assertEqual(total("hellocnn_batch_size_sum"), computed)
        self.assertEqual(total("hellocnn_input_mean_ratio_count"), computed)
        self.assertEqual(total("hellocnn_input_contrast_ratio_count"), computed)
        batches = total("hellocnn_batch_size_count")
        self.assertEqual(total("hellocnn_batch_released_total"), batches)
        self.assertEqual(total("hellocnn_compute_duration_seconds_count"), batches)
        busy = total("hellocnn_worker_busy_seconds_total")
        self.assertLessEqual(total("hellocnn_compute_duration_seconds_sum"), busy)
        requests = sum(counted.codes.values())
        self.assertEqual(total("hellocnn_request_duration_seconds_count"), requests)
        admitted = total("hellocnn_request_images_count")
        self.assertEqual(total("hellocnn_request_images_sum"), accepted)
        self.assertEqual(total("hellocnn_queue_duration_seconds_count"), admitted)
        self.assertEqual(total("hellocnn_queue_images"), 0)
        return total

    def test_ok_and_invalid_requests_calls_and_streams(self):
        with Server("--max-images-per-request=16") as server, server.channel() as channel:
            service, counted = stub(channel), Counted()
            total = self.assert_adds_up(server, counted)  # the warm-up is no traffic
            self.assertEqual(total("hellocnn_images_accepted_total"), 0)
            for images in (1, 2, 16):
                self.assertEqual(counted.call(service, request(images), timeout=60), OK)
            for _ in range(4):
                counted.call(service, request(17), timeout=60)
            sent = [pb.ClassifyStreamRequest(id=i, images=image(2)) for i in range(5)]
            sent.append(pb.ClassifyStreamRequest(id=5))
            counted.stream(service, sent, timeout=60)
            description = service.GetModel(pb.GetModelRequest(), timeout=60)
            counted.codes["GetModel", "OK"] += 1
            total = self.assert_adds_up(server, counted)
            self.assertEqual(total("hellocnn_requests_refused_total", reason="invalid"), 5)
            self.assertEqual(total("hellocnn_requests_refused_total"), 5)
            self.assertEqual(total("hellocnn_images_computed_total"), 1 + 2 + 16 + 10)
            received = total("hellocnn_received_bytes_total", method="Classify")
            self.assertEqual(received, counted.received_bytes)
            self.assertEqual(
                total("hellocnn_received_bytes_total", method="ClassifyStream"),
                sum(message.ByteSize() for message in sent),
            )
            self.assertEqual(
                total("hellocnn_sent_bytes_total", method="GetModel"), description.ByteSize()
            )
            # Every image is the same digit, a seven.
            self.assertEqual(total("hellocnn_predictions_total", **{"class": "7"}), 29)
            self.assertEqual(total("hellocnn_connections"), 1)

    def test_overload(self):
        tiny = [SLOW_ENGINE, "--threads=1", "--max-batch-size=1", "--queue-capacity=8", "--max-images-per-request=8"]
        with Server(*tiny) as server, server.channel() as channel:
            service, counted = stub(channel), Counted()
            calls = [service.Classify.future(request(8), timeout=120) for _ in range(300)]
            for call in calls:
                counted.codes["Classify", code_of(call).name] += 1
            counted.stream(
                service,
                [pb.ClassifyStreamRequest(id=i, images=image(8)) for i in range(200)],
                timeout=120,
            )
            counted.answered_images = 8 * sum(n for (_, code), n in counted.codes.items() if code == "OK")
            total = self.assert_adds_up(server, counted)
            refused = sum(n for (_, code), n in counted.codes.items() if code == "RESOURCE_EXHAUSTED")
            self.assertGreater(refused, 0)
            self.assertEqual(total("hellocnn_requests_refused_total", reason="queue_full"), refused)
            self.assertEqual(total("hellocnn_requests_refused_total"), refused)

    def test_deadlines_and_cancellations(self):
        with Server(*SLOW) as server, server.channel(1) as ahead, server.channel(2) as behind:
            service, counted = stub(behind), Counted()
            # The server expects to have time enough for a queue of some two seconds, and then stands still for longer than that.
            start = time.monotonic()
            counted.call(stub(ahead), request(64), timeout=240)
            calls = max(1, int(2 / (time.monotonic() - start)) * 64 // 1024)
            busy = [stub(ahead).Classify.future(request(1024), timeout=240) for _ in range(calls)]
            queued = calls * 1024
            wait_until(lambda: metric_sum(server.metrics(), "hellocnn_images_accepted_total") == queued + 64, "a queue")
            late = [service.Classify.future(request(8), timeout=15) for _ in range(10)]
            doomed = [service.Classify.future(request(8), timeout=240) for _ in range(10)]
            wait_until(
                lambda: metric_sum(server.metrics(), "hellocnn_images_accepted_total") == queued + 64 + 160, "all queued"
            )
            server.process.send_signal(signal.SIGSTOP)
            for call in doomed:
                call.cancel()
            self.assertEqual({code_of(call) for call in late}, {grpc.StatusCode.DEADLINE_EXCEEDED})
            time.sleep(2)  # the server counts the time from when it received them
            server.process.send_signal(signal.SIGCONT)
            for call in [*busy, *late, *doomed]:
                counted.codes["Classify", code_of(call).name] += 1
            counted.answered_images = 64 + queued
            self.assertEqual(counted.codes["Classify", "DEADLINE_EXCEEDED"], 10)
            self.assertEqual(counted.codes["Classify", "CANCELLED"], 10)
            total = self.assert_adds_up(server, counted)
            self.assertEqual(total("hellocnn_images_dropped_total"), 160)

    def test_what_is_computed_for_a_caller_who_has_gone_is_abandoned(self):
        with Server(*SLOW) as server, server.channel(1) as leaving, server.channel(2) as staying:
            counted = Counted()
            call = stub(leaving).Classify.future(request(1024), timeout=240)
            wait_until(lambda: metric_sum(server.metrics(), "hellocnn_batch_size_sum") > 0, "a part is computed")
            call.cancel()
            counted.codes["Classify", code_of(call).name] += 1
            counted.call(stub(staying), request(), timeout=60)
            total = self.assert_adds_up(server, counted)
            abandoned = total("hellocnn_images_computed_total", outcome="abandoned")
            dropped = total("hellocnn_images_dropped_total", reason="cancelled")
            self.assertGreater(abandoned, 0)
            self.assertEqual(abandoned + dropped, 1024)

    def test_a_stream_that_is_cancelled_in_mid_flight(self):
        with Server(*SLOW) as server, server.channel(1) as leaving, server.channel(2) as staying:
            counted = Counted()
            blocked = threading.Event()

            def requests():
                for i in range(20):
                    yield pb.ClassifyStreamRequest(id=i, images=image(100))
                blocked.wait(60)

            stream = stub(leaving).ClassifyStream(requests(), timeout=240)
            wait_until(lambda: metric_sum(server.metrics(), "hellocnn_images_accepted_total") == 2000, "all read")
            stream.cancel()
            blocked.set()
            answered = 0
            try:
                for answer in stream:
                    answered += 1
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.CANCELLED)
            counted.call(stub(staying), request(), timeout=60)
            wait_until(lambda: metric_sum(server.metrics(), "hellocnn_requests_in_flight") == 0, "idle")
            metrics = server.metrics()
            # Answers may have been on their way when the client hung up: which, it cannot know.
            sent = int(metric_sum(metrics, "hellocnn_requests_total", method="ClassifyStream", code="OK"))
            self.assertLess(sent, 20)
            self.assertGreaterEqual(sent, answered)
            counted.codes["ClassifyStream", "OK"] = sent
            counted.codes["ClassifyStream", "CANCELLED"] = 20 - sent
            counted.answered_images += 100 * sent
            self.assert_adds_up(server, counted)

    def test_a_drain_is_counted_too(self):
        with Server(*SLOW) as server, server.channel(1) as channel, server.channel(2) as other:
            counted = Counted()
            busy = [stub(channel).Classify.future(request(1024), timeout=240) for _ in range(3)]
            stream_open, half_close = threading.Event(), threading.Event()

            def one_request():
                yield pb.ClassifyStreamRequest(id=1, images=image(500))
                stream_open.set()
                half_close.wait(60)

            stream = stub(channel).ClassifyStream(one_request(), timeout=240)
            stub(other).GetModel(pb.GetModelRequest(), timeout=60)
            counted.codes["GetModel", "OK"] += 1
            wait_until(
                lambda: metric_sum(server.metrics(), "hellocnn_images_accepted_total") == 3 * 1024 + 500, "a queue"
            )
            server.terminate()
            wait_until(lambda: get(server, "/readyz") == (503, "draining\n"), "draining")
            self.assertEqual(get(server, "/livez")[0], 200)
            self.assertEqual(server.metrics()["hellocnn_ready"], 0)
            code = counted.call(stub(other), request(), timeout=60)
            self.assertEqual(code, grpc.StatusCode.UNAVAILABLE)
            metrics = server.metrics()
            # Only gRPC's server still takes connections.
            refused = 1 if TRANSPORT == "grpc" else 0
            self.assertEqual(metric_sum(metrics, "hellocnn_requests_refused_total", reason="draining"), refused)
            # The port goes with the process: what can be compared is what it said while there was work.
            self.assertEqual({code_of(call) for call in busy}, {OK})
            half_close.set()
            self.assertEqual(next(stream).WhichOneof("outcome"), "result")
            self.assertEqual(server.wait(), 0)


class ExpositionTest(unittest.TestCase):
    def test_promtool_has_nothing_to_say(self):
        promtool = os.path.join(SOURCE, "build/tools/promtool")
        if not os.access(promtool, os.X_OK):
            promtool = shutil.which("promtool")
        if promtool is None:
            self.skipTest("no promtool: scripts/fetch-promtool.sh fetches it")
        with Server() as server, server.channel() as channel:
            for exposition in ("idle", "used"):
                with self.subTest(exposition):
                    _, text = get(server, "/metrics")
                    run = subprocess.run(
                        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
                    )
                    self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))
                stub(channel).Classify(request(5), timeout=60)

    def test_no_traffic_adds_a_series(self):
        with Server("--max-images-per-request=16") as server, server.channel() as channel:
            before = set(server.metrics())
            stub(channel).Classify(request(5), timeout=60)
            code_of(stub(channel).Classify.future(request(17), timeout=60))
            list(stub(channel).ClassifyStream(iter([pb.ClassifyStreamRequest(id=1)]), timeout=60))
            raw = channel.unary_unary("/hellocnn.v1.ClassifierService/NoSuchMethod")
            code_of(raw.future(b"", timeout=30))
            self.assertEqual(set(server.metrics()), before)

    def test_gauges_describe_the_server(self):
        with Server("--threads=3", "--queue-capacity=2000") as server:
            metrics = server.metrics()
            self.assertEqual(metrics["hellocnn_workers"], 3)
            self.assertEqual(metric_sum(metrics, "hellocnn_queue_capacity_images"), 2000)
            self.assertEqual(metrics["hellocnn_ready"], 1)
            self.assertEqual(metric_sum(metrics, "hellocnn_model_test_accuracy_ratio"), model_card()["test_accuracy"])
            self.assertGreater(metric_sum(metrics, "hellocnn_model_load_duration_seconds"), 0)
            self.assertAlmostEqual(
                metric_sum(metrics, "hellocnn_model_loaded_timestamp_seconds"), time.time(), delta=60
            )
            self.assertEqual(
                metric_sum(metrics, "hellocnn_model_info", model="mnist", version="1"), 1
            )
            self.assertEqual(metric_sum(metrics, "hellocnn_build_info"), 1)
            # Not quite 0: it has looked once for something to do.
            self.assertLess(metric_sum(metrics, "hellocnn_worker_busy_seconds_total", worker="2"), 0.1)
            self.assertNotIn('hellocnn_worker_busy_seconds_total{worker="3"}', metrics)
            with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
                threads = next(int(line.split()[1]) for line in file if line.startswith("Threads:"))
            self.assertAlmostEqual(metrics["process_threads"], threads, delta=5)

    def test_connections_come_and_go(self):
        with Server() as server:
            channels = [server.channel(i) for i in range(5)]
            for channel in channels:
                stub(channel).GetModel(pb.GetModelRequest(), timeout=60)
            self.assertEqual(server.metrics()["hellocnn_connections"], 5)
            for channel in channels[1:]:
                channel.close()
            wait_until(lambda: server.metrics()["hellocnn_connections"] == 1, "four connections gone")
            channels[0].close()


class LimitTest(unittest.TestCase):
    def limits(self, server):
        """{reason: count} of what the transport has refused or closed."""
        pattern = re.compile(r'hellocnn_transport_limits_total\{reason="(\w+)"\}')
        return {match[1]: value for name, value in server.metrics().items() if (match := pattern.fullmatch(name))}

    def test_limits_are_counted_by_reason(self):
        with Server("--transport=http2") as server, server.channel() as channel:
            before = self.limits(server)
            self.assertEqual(set(before.values()), {0})
            self.assertEqual(len(before), 15)
            host, _, port = server.address.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=30) as garbage:
                garbage.sendall(b"GET / HTTP/1.1\r\n\r\n")
                while garbage.recv(4096):
                    pass
            large = channel.unary_unary("/hellocnn.v1.ClassifierService/Classify")
            self.assertEqual(code_of(large.future(bytes(8 << 20), timeout=30)), grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.assertEqual(self.limits(server), {**before, "protocol": 1, "message_bytes": 1})

    def test_the_transport_of_grpc_counts_none(self):
        with Server("--transport=grpc") as server:
            limits = self.limits(server)
            self.assertEqual(len(limits), 15)
            self.assertEqual(set(limits.values()), {0})


class PagesTest(unittest.TestCase):
    def test_pages(self):
        with Server() as server:
            self.assertEqual(get(server, "/livez"), (200, "ok\n"))
            self.assertEqual(get(server, "/readyz"), (200, "serving\n"))
            status, page = get(server, "/")
            self.assertEqual(status, 200)
            self.assertIn("mnist, version 1", page)
            self.assertEqual(get(server, "/nothing")[0], 404)

    def test_the_port_answers_while_the_model_is_loading(self):
        # Warming many workers up, with large batches, takes seconds.
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{chosen.getsockname()[1]}"
        process = subprocess.Popen(
            [SERVER, "--listen=127.0.0.1:0", f"--metrics-listen={address}", f"--model={MODEL}"]
            + [SLOW_ENGINE, "--threads=2", "--max-batch-size=128"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        )
        try:
            seen = []

            def answered():
                try:
                    urllib.request.urlopen(f"http://{address}/readyz", timeout=30)
                    seen.append((200, ""))
                except urllib.error.HTTPError as error:
                    seen.append((error.code, error.read().decode()))
                except OSError:
                    return False  # not listening yet
                return True

            wait_until(answered, "an answer")
            self.assertEqual(seen[-1], (503, "loading\n"))
            with urllib.request.urlopen(f"http://{address}/livez", timeout=30) as page:
                self.assertEqual(page.status, 200)
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as page:
                self.assertIn("\nhellocnn_ready 0\n", page.read().decode())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)
            process.stdout.close()


class HostileScraperTest(unittest.TestCase):
    def get_in_the_end(self, server, path):
        """Asks again when thrown out: while many connect at once, the oldest may be one that is about to be answered."""
        for _ in range(100):
            try:
                return get(server, path)
            except (ConnectionError, http.client.HTTPException):
                continue
        self.fail(f"{path} was not answered, however often it was asked")

    def test_slow_greedy_and_silent_clients_hold_nobody_up(self):
        with Server() as server, server.channel() as channel:
            host, _, port = server.metrics_address.rpartition(":")
            fds_before = server.metrics()["process_open_fds"]
            connections = []
            stop = threading.Event()

            def attack(first, drip):
                """150 connections that begin a request and then send a byte now and then."""
                mine = []
                for _ in range(150):
                    connection = socket.create_connection((host, int(port)), timeout=30)
                    connection.sendall(first)
                    mine.append(connection)
                connections.extend(mine)
                while not stop.wait(0.2):
                    for connection in mine:
                        try:
                            connection.sendall(drip)
                        except OSError:
                            pass  # thrown out: that is the point

            attacks = [
                (b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a"),  # slow loris
                (b"GET /metrics HTTP/1.1\r\nX-Huge: " + b"h" * 8000, b"h" * 4000),  # headers without end
                (b"", b""),  # half-open
                (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n", b"b"),
                (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20, b""),  # asks, and never reads
                (os.urandom(2000), os.urandom(10)),
            ]
            threads = [threading.Thread(target=attack, args=arguments) for arguments in attacks]
            for thread in threads:
                thread.start()
            try:
                slowest_scrape = slowest_call = 0.0
                deadline = time.monotonic() + 5
                while time.monotonic() < deadline:
                    start = time.monotonic()
                    status, text = self.get_in_the_end(server, "/metrics")
                    slowest_scrape = max(slowest_scrape, time.monotonic() - start)
                    self.assertEqual(status, 200)
                    self.assertTrue(text.endswith("\n"))
                    start = time.monotonic()
                    self.assertEqual(code_of(stub(channel).Classify.future(request(), timeout=30)), OK)
                    slowest_call = max(slowest_call, time.monotonic() - start)
                fds = server.metrics()["process_open_fds"]
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
                for connection in connections:
                    connection.close()
            # Far above what they take, far below what anyone would wait for.
            self.assertLess(slowest_scrape, 3)
            self.assertLess(slowest_call, 3)
            self.assertLess(fds, fds_before + 140)
            wait_until(
                lambda: server.metrics()["process_open_fds"] <= fds_before + 2, "descriptors given back"
            )


if __name__ == "__main__":
    unittest.main()
