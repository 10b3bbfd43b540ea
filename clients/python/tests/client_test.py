"""The package against a real server: HELLOCNN_SERVER is its address, and HELLOCNN_DATA the folder of MNIST's test set.

The server has the model mnist with the versions 1 and 2. With HELLOCNN_SLOW_SERVER, a server whose queue is soon full.
"""

import asyncio
import gzip
import importlib.util
import itertools
import json
import os
import pathlib
import threading
import time
import unittest

import grpc
import numpy as np

import hellocnn
from hellocnn._images import to_messages

SERVER = os.environ["HELLOCNN_SERVER"]
DATA = os.environ["HELLOCNN_DATA"]
NOTEBOOK = pathlib.Path(os.environ["HELLOCNN_EXAMPLES"]) / "first_steps.ipynb"


def digits(count):
    with gzip.open(f"{DATA}/t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + 784 * count), np.uint8, offset=16).reshape(count, 28, 28)
    with gzip.open(f"{DATA}/t10k-labels-idx1-ubyte.gz") as file:
        return images, list(file.read(8 + count)[8:])


IMAGES, LABELS = digits(8)
WANTED = [str(label) for label in LABELS]
PADDED = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2)))
FLOATS = ((IMAGES / 255.0 - 0.1307) / 0.3081).astype(np.float32)


class ImagesTest(unittest.TestCase):
    def test_arrays(self):
        for array, count, field, size in [
            (IMAGES, 8, "gray8", 784),
            (IMAGES[0], 1, "gray8", 784),
            (PADDED, 8, "gray8", 1024),
            (IMAGES[:, np.newaxis], 8, "gray8", 784),
            (FLOATS, 8, "float32", 3136),
            (FLOATS.astype(np.float64), 8, "float32", 3136),
            (IMAGES[:, ::-1, ::-1], 8, "gray8", 784),  # not contiguous
            ([IMAGES, PADDED[0]], 9, "gray8", None),
        ]:
            messages = to_messages(array)
            self.assertEqual(len(messages), count)
            self.assertEqual(messages[0].WhichOneof("pixels"), field)
            if size:
                self.assertEqual(len(getattr(messages[0], field)), size)
        self.assertEqual(to_messages(IMAGES[:, ::-1])[0].gray8, IMAGES[0][::-1].tobytes())

    def test_what_is_no_image_is_named(self):
        for images, kind, message in [
            (IMAGES.astype(np.int64), TypeError, "images has values of int64"),
            (np.zeros((2, 28, 27), np.uint8), ValueError, r"images has the shape \[2, 28, 27\]"),
            (np.zeros((2, 3, 28, 28), np.uint8), ValueError, "wanted"),
            (np.zeros((0, 28, 28), np.uint8), ValueError, "no images"),
            (np.zeros((1, 33, 33), np.uint8), ValueError, "wanted"),
            ([], ValueError, "images is empty"),
            (7, TypeError, "images is int"),
            ([IMAGES[0], 7], TypeError, r"images\[1\] is int"),
        ]:
            with self.assertRaisesRegex(kind, message):
                to_messages(images)


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.client = hellocnn.Client(SERVER)
        self.addCleanup(self.client.close)

    def test_each_kind_of_image(self):
        wanted = self.client.classify(PADDED)
        self.assertEqual(wanted.labels, WANTED)
        self.assertEqual(wanted.classes.tolist(), LABELS)
        self.assertEqual(wanted.log_probabilities.shape, (8, 10))
        np.testing.assert_allclose(wanted.probabilities.sum(axis=1), 1, atol=1e-4)
        self.assertEqual(wanted.model, hellocnn.ModelVersion("mnist", "2"))
        self.assertGreaterEqual(wanted.timing.batch_size, 1)
        for images in (IMAGES, FLOATS, list(IMAGES)):
            np.testing.assert_allclose(self.client.classify(images).log_probabilities, wanted.log_probabilities, atol=1e-3)

    @unittest.skipUnless(importlib.util.find_spec("PIL"), "there is no Pillow")
    def test_pictures(self):
        import io

        from PIL import Image

        picture = Image.fromarray(IMAGES[0]).resize((280, 280))
        file = io.BytesIO()
        picture.save(file, "PNG")
        self.assertEqual(self.client.classify(picture).labels, ["7"])
        self.assertEqual(self.client.classify([picture, file.getvalue(), IMAGES[0]]).labels, ["7", "7", "7"])

    def test_models(self):
        model = self.client.describe()
        self.assertEqual((model.version.name, len(model.labels), model.preprocessing.content_size), ("mnist", 10, 28))
        self.assertEqual(self.client.classify(IMAGES, model="mnist", version="1").model.version, "1")
        self.assertEqual([(s.version.version, s.state) for s in self.client.list_models()], [("1", "serving"), ("2", "serving")])

    def test_errors(self):
        with self.assertRaisesRegex(hellocnn.NotFound, "NOT_FOUND: model letters is not served"):
            self.client.classify(IMAGES, model="letters")
        with self.assertRaisesRegex(hellocnn.InvalidRequest, r"images\[0\].encoded: this is not a picture"):
            self.client.classify(b"text")
        with self.assertRaises(hellocnn.DeadlineExceeded):
            for _ in self.client.classify_stream(itertools.repeat(IMAGES[0]), timeout=0.3):
                pass
        with hellocnn.Client("127.0.0.1:1", retry=False) as nobody, self.assertRaises(hellocnn.Unavailable):
            nobody.classify(IMAGES)
        with self.assertRaisesRegex(ValueError, "belong together"):
            hellocnn.Client(SERVER, tls_cert="a.pem")

    def test_streams(self):
        requests = [IMAGES[i % 8] for i in range(500)]
        requests[7] = b"text"
        outcomes = dict(self.client.classify_stream(requests))
        self.assertEqual(sorted(outcomes), list(range(500)))
        self.assertIsInstance(outcomes.pop(7), hellocnn.InvalidRequest)
        for i, result in outcomes.items():
            self.assertEqual(result.labels, [WANTED[i % 8]])

    def test_a_stream_that_is_left_ends(self):
        taken = []

        def endless():
            while True:
                taken.append(1)
                yield IMAGES[0]

        before = threading.active_count()
        for number, _ in self.client.classify_stream(endless(), max_in_flight=4):
            if number >= 10:
                break
        self.assertLess(len(taken), 30)
        deadline = time.monotonic() + 30
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertLessEqual(threading.active_count(), before)

    def test_the_notebook_runs(self):
        code = ["".join(c["source"]) for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == "code"]
        self.assertGreater(len(code), 3)
        exec(compile("\n".join(code), str(NOTEBOOK), "exec"), {})

    @unittest.skipUnless("HELLOCNN_SLOW_SERVER" in os.environ, "there is no slow server")
    def test_overload(self):
        with hellocnn.Client(os.environ["HELLOCNN_SLOW_SERVER"], retry=False) as client:
            outcomes = [outcome for _, outcome in client.classify_stream([IMAGES] * 100, max_in_flight=100)]
        rejected = [outcome for outcome in outcomes if isinstance(outcome, hellocnn.Overloaded)]
        self.assertTrue(0 < len(rejected) < 100, len(rejected))
        self.assertGreater(rejected[0].retry_after, 0)


class AsyncClientTest(unittest.IsolatedAsyncioTestCase):
    async def test_calls(self):
        async with hellocnn.AsyncClient(SERVER) as client:
            results = await asyncio.gather(*(client.classify(IMAGES[i % 8]) for i in range(100)))
            self.assertEqual([result.labels for result in results], [[WANTED[i % 8]] for i in range(100)])
            self.assertEqual((await client.describe()).version.name, "mnist")
            self.assertEqual(len(await client.list_models()), 2)
            with self.assertRaises(hellocnn.NotFound) as raised:
                await client.classify(IMAGES, version="77")
            self.assertEqual(raised.exception.code, grpc.StatusCode.NOT_FOUND)

    async def test_streams(self):
        async def slowly():
            for i in range(20):
                await asyncio.sleep(0.001)
                yield IMAGES[i % 8]

        async with hellocnn.AsyncClient(SERVER) as client:
            for requests in ([IMAGES[i % 8] for i in range(20)], slowly()):
                outcomes = {number: outcome async for number, outcome in client.classify_stream(requests)}
                self.assertEqual({n: o.labels for n, o in outcomes.items()}, {i: [WANTED[i % 8]] for i in range(20)})


if __name__ == "__main__":
    unittest.main()
