"""What a greedy client can do to a polite one, and requests of low priority to others."""

import contextlib
import socket
import statistics
import subprocess
import threading
import unittest

import grpc

from certificates import Authority, read
from testbed import CLI, SLOW_ENGINE, Server, clean_environment, code_of, metric_sum, pb, request, stub, wait_until

# One worker and small batches, so that a full queue takes a second or more.
CAPACITY = 1024
PINNED = ("--threads=1", "--max-batch-size=8", f"--queue-capacity={CAPACITY}", SLOW_ENGINE)
EACH = 16  # images of a greedy call
FILL = CAPACITY // EACH

# Calls have no deadline that matters, so that only the queue decides.
PATIENT = 200


class Elsewhere:
    """A proxy for one connection after the other, so that a client comes from 127.0.0.2."""

    def __init__(self, server):
        host, _, port = server.address.rpartition(":")
        self._to = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._sockets = []
        self._accepter = threading.Thread(target=self._accept, daemon=True)
        self._accepter.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._to, source_address=("127.0.0.2", 0))
                for one in (near, far):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            one.close()
        self._accepter.join()


def queued(server):
    return metric_sum(server.metrics(), "hellocnn_queue_images")


def send(channel, calls, images, priority=pb.PRIORITY_UNSPECIFIED):
    """Sends calls at once, and returns their futures."""
    message = request(images)
    message.priority = priority
    return [stub(channel).Classify.future(message, timeout=PATIENT) for _ in range(calls)]


def classify(channel, images=1, priority=pb.PRIORITY_UNSPECIFIED):
    message = request(images)
    message.priority = priority
    return stub(channel).Classify(message, timeout=PATIENT)


def queue_times(responses):
    return [r.timing.queue_duration.ToTimedelta().total_seconds() for r in responses]


@contextlib.contextmanager
def flood(server, *flags):
    """Keeps the queue full from 127.0.0.1, with calls of many images and no retries."""
    command = [CLI, "load", "--server", server.address, "--concurrency=200", f"--images-per-request={EACH}", "--deadline=200s"]
    process = subprocess.Popen(
        [*command, "--warm-up=0s", "--duration=10m", *flags], env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: queued(server) > CAPACITY - 2 * EACH, "a full queue")
        yield
    finally:
        process.kill()
        process.wait()


class FairnessTest(unittest.TestCase):
    def test_a_polite_caller_waits_for_a_turn_of_the_greedy_one_and_not_for_all(self):
        with Server(*PINNED) as server, Elsewhere(server) as elsewhere:
            with server.channel() as greedy, grpc.insecure_channel(elsewhere.address) as polite:
                classify(polite)  # connects
                calls = send(greedy, FILL, EACH)
                wait_until(lambda: queued(server) > CAPACITY / 2, "a long queue")
                times = queue_times([classify(polite) for _ in range(5)])
                left = sum(not call.done() for call in calls)
                # First come, first served would have been all of them. The polite calls share five batches with them.
                self.assertGreater(left, FILL / 4)
                responses = [call.result() for call in calls]
                self.assertLess(max(times), statistics.median(queue_times(responses)) / 4)
                # Every batch was full nevertheless.
                self.assertEqual({r.timing.batch_size for r in responses}, {8})

    def test_first_come_first_served_is_there_as_well(self):
        with Server(*PINNED, "--queue-policy=fifo") as server, Elsewhere(server) as elsewhere:
            with server.channel() as greedy, grpc.insecure_channel(elsewhere.address) as polite:
                classify(polite)
                calls = send(greedy, FILL // 4, EACH)
                wait_until(lambda: queued(server) > CAPACITY / 8, "a long queue")
                response = classify(polite)
                # Its wait is longer than that of nearly all others, whatever the order in which responses arrive here.
                waits = queue_times([call.result() for call in calls])
                self.assertGreater(queue_times([response])[0], statistics.median(waits) / 2)

    def test_a_full_queue_locks_nobody_out(self):
        with Server(*PINNED) as server, Elsewhere(server) as elsewhere, flood(server):
            with grpc.insecure_channel(elsewhere.address) as polite:
                for _ in range(3):  # more than a third of the queue, at once
                    for call in send(polite, 3, CAPACITY // 8):
                        self.assertEqual(len(call.result().predictions), CAPACITY // 8)
            metrics = server.metrics()
            displaced = metric_sum(metrics, "hellocnn_images_dropped_total", reason="displaced")
            self.assertGreater(displaced, 0)
            self.assertEqual(displaced % EACH, 0)

    def test_who_has_the_most_is_rejected_as_ever(self):
        with Server(*PINNED) as server, flood(server):
            with server.channel() as same:
                codes = {code_of(call) for call in send(same, 20, EACH)}
                self.assertIn(grpc.StatusCode.RESOURCE_EXHAUSTED, codes)
            self.assertEqual(metric_sum(server.metrics(), "hellocnn_images_dropped_total", reason="displaced"), 0)

    def test_normal_priority_goes_first_and_low_priority_goes_on(self):
        with Server(*PINNED) as server, flood(server, "--priority=low"):
            with server.channel() as channel:  # the same caller
                for _ in range(5):
                    classify(channel)
                # A stream of normal requests that never ends leaves some to the others.
                before = metric_sum(server.metrics(), "hellocnn_images_computed_total", outcome="answered")
                normal = 0
                for _ in range(3):
                    for call in send(channel, 8, EACH):
                        normal += len(call.result().predictions)
                after = metric_sum(server.metrics(), "hellocnn_images_computed_total", outcome="answered")
                self.assertGreater(after - before - normal, 0)

    def test_unknown_priorities_are_normal(self):
        with Server("--threads=1") as server, server.channel() as channel:
            for priority in (2, -1, 1 << 30):
                self.assertEqual(len(classify(channel, 1, priority).predictions), 1)
            answers = stub(channel).ClassifyStream(iter([pb.ClassifyStreamRequest(images=request().images, priority=77)]))
            self.assertEqual([len(a.result.predictions) for a in answers], [1])


class PrincipalTest(unittest.TestCase):
    """With client certificates, the names in them count, and not the address."""

    def test_two_certificates_are_two_callers(self):
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            authority = Authority(folder)
            certificate, key = authority.issue("server")
            tls = ["--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", authority.certificate]
            with Server("--transport=http2", *PINNED, *tls) as server, contextlib.ExitStack() as stack:
                channels = []
                for name in ("greedy", "polite"):
                    own, own_key = authority.issue(name)
                    credentials = grpc.ssl_channel_credentials(read(authority.certificate), read(own_key), read(own))
                    channels.append(stack.enter_context(grpc.secure_channel(server.address, credentials)))
                greedy, polite = channels
                classify(polite)
                calls = send(greedy, FILL, EACH)
                wait_until(lambda: queued(server) > CAPACITY / 2, "a long queue")
                classify(polite)
                self.assertGreater(sum(not call.done() for call in calls), FILL / 4)
                for call in calls:
                    call.result()


if __name__ == "__main__":
    unittest.main()
