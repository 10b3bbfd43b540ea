"""Digits of MNIST's test set as images of the API."""

import gzip
import os

from hellocnn.v1 import classifier_service_pb2 as pb

SIDE = 28  # of a digit; the network reads 32x32
BORDER = 2


def read_digits(folder, count):
    """The first `count` digits as (pb.Image, label)."""
    with gzip.open(os.path.join(folder, "t10k-images-idx3-ubyte.gz")) as file:
        pixels = file.read()[16:]
    with gzip.open(os.path.join(folder, "t10k-labels-idx1-ubyte.gz")) as file:
        labels = file.read()[8:]
    size = SIDE * SIDE
    return [(pb.Image(gray8=pad(pixels[i * size : (i + 1) * size])), labels[i]) for i in range(count)]


def pad(grey):
    """Puts a black border around 28x28 grey levels."""
    rows = [bytes(BORDER) + grey[i * SIDE : (i + 1) * SIDE] + bytes(BORDER) for i in range(SIDE)]
    empty = bytes(BORDER * (SIDE + 2 * BORDER))
    return empty + b"".join(rows) + empty
