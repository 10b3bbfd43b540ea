"""What clients can take of the server's memory."""

import threading
import time
import unittest

import grpc

import raw_http2
from testbed import SERVER, TRANSPORT, Server, code_of, image, metric_sum, pb, request, stub

OK = grpc.StatusCode.OK
CLASSIFY = "/hellocnn.v1.ClassifierService/Classify"
MB = 1e6

with open(SERVER, "rb") as program:
    SANITIZED = b"__asan_init" in program.read()


def resident(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def large_request(images):
    return pb.ClassifyRequest(images=image(images)).SerializeToString()


@unittest.skipIf(SANITIZED, "AddressSanitizer keeps what is given back")
class MemoryTest(unittest.TestCase):
    def test_requests_that_never_end_are_bounded_together(self):
        unfinished = raw_http2.message(bytes(4_200_000))[:-1]
        with Server() as server:
            before = resident(server)
            with raw_http2.Connection(server.address) as connection:
                # 1,050 MB altogether.
                for _ in range(250):
                    connection.call(CLASSIFY, unfinished, end=False)
                self.assertLess(resident(server) - before, 400 * MB)
                # Others are served all the same.
                with server.channel() as channel:
                    self.assertEqual(code_of(stub(channel).Classify.future(request(64), timeout=60)), OK)

    def test_an_answer_that_nobody_reads_does_not_keep_its_request(self):
        sent = raw_http2.message(large_request(63))
        with Server() as server:
            nothing = {raw_http2.INITIAL_WINDOW_SIZE: 0}
            with raw_http2.Connection(server.address, settings=nothing) as connection:

                def call(first, last):
                    for number in range(first, last):
                        self.assertTrue(connection.call(CLASSIFY, sent))
                        if number % 10 == 0:  # no more than ten wait for their turn
                            self.wait_until_computed(server, number * 63)

                call(1, 50)
                before = resident(server)
                call(50, 650)
                # 65 kB more with the request. What there is, is gRPC's own.
                self.assertLess((resident(server) - before) / 600, 60_000)

    def test_answers_of_a_stream_that_nobody_reads_do_not_keep_their_requests(self):
        with Server() as server, server.channel() as channel:
            message = pb.ClassifyStreamRequest(images=[pb.Image(float32=bytes(4096))] * 512)

            def requests():
                for number in range(40):
                    yield message
                    self.wait_until_computed(server, (number + 1) * 512)
                all_computed.set()

            all_computed = threading.Event()
            before = resident(server)
            stream = stub(channel).ClassifyStream(requests())
            self.assertTrue(all_computed.wait(120))
            # The requests are 84 MB, the answers 1.2 MB.
            self.assertLess(resident(server) - before, 30 * MB)
            stream.cancel()

    def wait_until_computed(self, server, images):
        deadline = time.monotonic() + 120
        while (computed := metric_sum(server.metrics(), "hellocnn_batch_size_sum")) < images:
            self.assertLess(time.monotonic(), deadline, f"{computed} of {images} images are computed")
            time.sleep(0.05)


class CompressionTest(unittest.TestCase):
    def test_compressed_requests(self):
        with Server() as server, server.channel() as channel:
            for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
                compressed = stub(channel).Classify.future(request(64), timeout=60, compression=compression)
                if TRANSPORT == "grpc":
                    # A megabyte of these would be a gigabyte, and gRPC looks only when it has it.
                    self.assertEqual(code_of(compressed), grpc.StatusCode.UNIMPLEMENTED)
                    self.assertIn(compression.name.lower(), compressed.details())
                else:
                    self.assertEqual(code_of(compressed), OK, compressed.details())
                    self.assertEqual(len(compressed.result().predictions), 64)
            self.assertEqual(code_of(stub(channel).Classify.future(request(64), timeout=60)), OK)


if __name__ == "__main__":
    unittest.main()
