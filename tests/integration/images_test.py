"""Images as clients have them: without a border, and as files."""

import glob
import os
import struct
import unittest
import zlib

import grpc

import hellocnn.v1.classifier_service_pb2 as pb
from testbed import SOURCE, Server, stub, test_digits

DIGITS = test_digits(20)
PICTURES = os.path.join(SOURCE, "data/pictures")


def without_border(pixels):
    return b"".join(pixels[32 * y + 2 : 32 * y + 30] for y in range(2, 30))


def normalised(grey):
    return struct.pack(f"<{len(grey)}f", *((value / 255 - 0.1307) / 0.3081 for value in grey))


def png(pixels, side):
    """A grey PNG of `side` rows and columns."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[side * y : side * (y + 1)] for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def enlarged(pixels, side, factor):
    rows = [b"".join(pixels[side * y + x : side * y + x + 1] * factor for x in range(side)) for y in range(side)]
    return b"".join(row * factor for row in rows)


class ImagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        channel = cls.server.channel()
        cls.addClassCleanup(channel.close)
        cls.service = stub(channel)

    def classify(self, images):
        return self.service.Classify(pb.ClassifyRequest(images=images), timeout=60).predictions

    def error(self, images):
        with self.assertRaises(grpc.RpcError) as raised:
            self.classify(images)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        return raised.exception.details()

    def test_images_without_a_border_have_the_same_results(self):
        wanted = self.classify([pb.Image(gray8=pixels) for pixels, _ in DIGITS])
        small = [without_border(pixels) for pixels, _ in DIGITS]
        self.assertEqual(list(self.classify([pb.Image(gray8=grey) for grey in small])), list(wanted))
        floats = self.classify([pb.Image(float32=normalised(grey)) for grey in small])
        for one, other in zip(floats, wanted):
            for a, b in zip(one.log_probabilities, other.log_probabilities):
                self.assertAlmostEqual(a, b, delta=1e-3)

    def test_streams_take_them_too(self):
        requests = [
            pb.ClassifyStreamRequest(id=i, images=[pb.Image(gray8=without_border(pixels))])
            for i, (pixels, _) in enumerate(DIGITS)
        ]
        wanted = self.classify([pb.Image(gray8=pixels) for pixels, _ in DIGITS])
        results = {r.id: r.result.predictions[0] for r in self.service.ClassifyStream(iter(requests), timeout=60)}
        self.assertEqual(results, dict(enumerate(wanted)))

    def test_kinds_can_be_mixed(self):
        (a, la), (b, lb), (c, lc) = DIGITS[:3]
        images = [
            pb.Image(encoded=png(enlarged(without_border(a), 28, 5), 140)),
            pb.Image(gray8=b),
            pb.Image(gray8=without_border(c)),
        ]
        self.assertEqual([p.label for p in self.classify(images)], [str(la), str(lb), str(lc)])

    def test_pictures_are_read_as_the_command_line_reads_them(self):
        seen = 0
        for path in sorted(glob.glob(os.path.join(PICTURES, "*.*"))):
            with open(path, "rb") as file:
                encoded = file.read()
            run = self.server.cli("classify", path, "--output", "csv")
            try:
                label = self.classify([pb.Image(encoded=encoded)])[0].label
            except grpc.RpcError as error:
                self.assertNotEqual(run.returncode, 0, f"{path}: {error.details()}")
                continue
            self.assertIn(f",{label},", run.stdout, path)
            seen += 1
        self.assertGreaterEqual(seen, 1)

    def test_what_is_wrong_is_named(self):
        good = pb.Image(gray8=DIGITS[0][0])
        blank = png(bytes(64 * 64), 64)
        for image, message in [
            (pb.Image(gray8=bytes(400)), "images[1].gray8 has 20x20 pixels; wanted 32x32, or 28x28, which the server pads"),
            (pb.Image(gray8=bytes(785)), "images[1].gray8 has 785 bytes; wanted 1024 (32x32), or those of the image without its border"),
            (pb.Image(encoded=b"text"), "images[1].encoded: this is not a picture"),
            (pb.Image(encoded=png(bytes(100), 10)[:60]), "images[1].encoded: the PNG picture is damaged"),
            (pb.Image(encoded=blank), "images[1].encoded: "),
            (pb.Image(encoded=png(bytes(1025 * 1025), 1025)), "at most 1048576 pixels"),
        ]:
            self.assertIn(message, self.error([good, image]))


if __name__ == "__main__":
    unittest.main()
