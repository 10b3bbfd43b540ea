"""Writes arrays as NumPy does, for the tests of its formats: make_numpy_files.py FOLDER

Image i has the grey level (7 * i + 3 * row + column) % 251 at each pixel, and the label i % 3.
"""

import os
import sys
import zipfile

import numpy as np
from numpy.lib import format as npy

COUNT = 5


def images(side=28):
    i, row, column = np.meshgrid(np.arange(COUNT), np.arange(side), np.arange(side), indexing="ij")
    return ((7 * i + 3 * row + column) % 251).astype("uint8")


def labels():
    return (np.arange(COUNT) % 3).astype("int64")


def write_images(folder):
    """The same images in each type, shape and order that is read."""
    grey = images()
    for name, array in {
        "uint8": grey,
        "int16": grey.astype("int16"),
        "int32_big_endian": grey.astype(">i4"),
        "uint64": grey.astype("uint64"),
        "float32_share": (grey / 255).astype("float32"),
        "float64_share_big_endian": (grey / 255).astype(">f8"),
        "float32_levels": grey.astype("float32"),
        "channel_first": grey[:, None],
        "channel_last": grey[..., None],
        "flat": grey.reshape(COUNT, -1),
        "fortran": np.asfortranarray(grey),
        "fortran_channel_first": np.asfortranarray(grey[:, None]),
        "fortran_channel_last": np.asfortranarray(grey[..., None]),
        "fortran_flat": np.asfortranarray(grey.reshape(COUNT, -1)),
        "fortran_float32": np.asfortranarray((grey / 255).astype("float32")),
    }.items():
        np.save(os.path.join(folder, name + ".npy"), array)
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(os.path.join(folder, f"version{version[0]}.npy"), "wb") as file:
            npy.write_array(file, grey, version=version)
    np.save(os.path.join(folder, "side32.npy"), images(32))


def write_labels(folder):
    for dtype in ("uint8", "int8", "int16", "<u2", ">i4", "<i8", ">i8", "uint64"):
        name = np.dtype(dtype).name + ("_big" if dtype.startswith(">") else "")
        np.save(os.path.join(folder, name + ".npy"), labels().astype(dtype))
    np.save(os.path.join(folder, "column.npy"), labels()[:, None])


def write_wrong(folder):
    grey = images()
    for name, array in {
        "objects": np.array([{"a": 1}, None], dtype=object),
        "structured": np.zeros(3, dtype=[("a", "i4"), ("b", "f4")]),
        "text": np.array(["a", "b"]),
        "complex": np.zeros(3, dtype="complex64"),
        "bool_images": grey > 9,
        "colour": np.zeros((2, 28, 28, 3), "uint8"),
        "side30": np.zeros((2, 30, 30), "uint8"),
        "none": np.zeros((0, 28, 28), "uint8"),
        "above": grey.astype("int16") + 200,
        "below": grey.astype("int16") - 1,
        "standardised": ((grey / 255 - 0.13) / 0.31).astype("float32"),
        "nan": np.full((1, 28, 28), np.nan, "float32"),
        "black_and_white": (grey > 9).astype("uint8"),
        "float_labels": labels().astype("float32"),
        "one_hot": np.eye(3, dtype="uint8")[labels()],
        "huge_label": np.array([0, 1 << 40]),
    }.items():
        np.save(os.path.join(folder, name + ".npy"), array, allow_pickle=True)


def write_sets(root):
    """Folders and archives with the names that data sets have."""
    one = {"x_test": images(), "y_test": labels(), "x_train": images()[:2], "y_train": labels()[:2]}
    np.savez(os.path.join(root, "keras.npz"), **one)
    np.savez_compressed(os.path.join(root, "compressed.npz"), **one)
    np.savez_compressed(os.path.join(root, "medmnist.npz"), test_images=images(), test_labels=labels()[:, None].astype("uint8"),
                        val_images=images()[:1], val_labels=labels()[:1, None])
    np.savez(os.path.join(root, "unnamed.npz"), images(), labels())
    np.savez(os.path.join(root, "named.npz"), images=images(), labels=labels())
    np.savez(os.path.join(root, "other.npz"), weights=np.zeros(3))
    np.savez(os.path.join(root, "objects.npz"), images=np.array([None]), labels=labels())
    np.savez(os.path.join(root, "too_few.npz"), images=images(), labels=labels()[1:])
    kmnist = os.path.join(root, "kmnist")
    os.mkdir(kmnist)
    for part, count in (("test", COUNT), ("train", 2)):
        np.savez_compressed(os.path.join(kmnist, f"kmnist-{part}-imgs.npz"), images()[:count])
        np.savez_compressed(os.path.join(kmnist, f"kmnist-{part}-labels.npz"), labels()[:count].astype("uint8"))
    two = os.path.join(root, "two_sets")
    os.mkdir(two)
    for name in ("kmnist", "k49"):
        np.savez(os.path.join(two, f"{name}-test-imgs.npz"), images())
        np.savez(os.path.join(two, f"{name}-test-labels.npz"), labels())
    plain = os.path.join(root, "plain")
    os.mkdir(plain)
    np.save(os.path.join(plain, "x_test.npy"), images())
    np.save(os.path.join(plain, "y_test.npy"), labels())
    twice = os.path.join(root, "twice")
    os.mkdir(twice)
    for name in ("images", "imgs", "labels"):
        np.save(os.path.join(twice, name + ".npy"), labels() if name == "labels" else images())
    # An archive that promises far more than it has, and one that another method compressed.
    with zipfile.ZipFile(os.path.join(root, "bzip2.npz"), "w", zipfile.ZIP_BZIP2) as archive:
        archive.write(os.path.join(plain, "x_test.npy"), "images.npy")
        archive.write(os.path.join(plain, "y_test.npy"), "labels.npy")
    with open(os.path.join(root, "keras.npz"), "rb") as file:
        content = bytearray(file.read())
    with open(os.path.join(root, "cut.npz"), "wb") as file:
        file.write(content[: len(content) // 2])
    content[200] ^= 1  # a pixel of the first array
    with open(os.path.join(root, "flipped.npz"), "wb") as file:
        file.write(content)


def main(root):
    for name, write in {"images": write_images, "labels": write_labels, "wrong": write_wrong}.items():
        os.makedirs(os.path.join(root, name), exist_ok=True)
        write(os.path.join(root, name))
    write_sets(root)


if __name__ == "__main__":
    import shutil

    shutil.rmtree(sys.argv[1], ignore_errors=True)
    main(sys.argv[1])
