"""Reads and writes weight files with nothing but Python's own library: a second opinion on what the C++ does.

A state is a dict of name -> (shape, values), in the order of the layers; values are packed float32, little-endian.
"""

import json
import struct
import zipfile

SHAPES = {
    "conv.0.weight": [6, 1, 5, 5],
    "conv.0.bias": [6],
    "conv.3.weight": [16, 6, 5, 5],
    "conv.3.bias": [16],
    "conv.6.weight": [120, 16, 5, 5],
    "conv.6.bias": [120],
    "linear.0.weight": [84, 120],
    "linear.0.bias": [84],
    "linear.2.weight": [10, 84],
    "linear.2.bias": [10],
}


def size(shape):
    product = 1
    for extent in shape:
        product *= extent
    return product


def state_of(values):
    """Cuts all values, one after the other, into the tensors."""
    state, at = {}, 0
    for name, shape in SHAPES.items():
        state[name] = (shape, values[at : at + 4 * size(shape)])
        at += 4 * size(shape)
    assert at == len(values)
    return state


def read_state_dict(path):
    """The state in a file of hellocnn-train's: record data/N has the N-th tensor."""
    with zipfile.ZipFile(path) as archive:
        return state_of(b"".join(archive.read(f"archive/data/{i}") for i in range(len(SHAPES))))


def write_safetensors(path, state, *, dtypes=None, data_order=None, metadata=None, padding=0):
    """`data_order` has the names in the order of their data; the header keeps the order of the state."""
    offsets, data = {}, b""
    for name in data_order or state:
        offsets[name] = [len(data), len(data) + len(state[name][1])]
        data += state[name][1]
    header = {} if metadata is None else {"__metadata__": metadata}
    for name, (shape, _) in state.items():
        dtype = (dtypes or {}).get(name, "F32")
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets[name]}
    text = json.dumps(header).encode() + b" " * padding
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    """The state, and the metadata."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", None)
    assert all(entry["dtype"] == "F32" for entry in header.values())
    state = {name: (header[name]["shape"], data[slice(*header[name]["data_offsets"])]) for name in SHAPES}
    assert len(header) == len(state)
    return state, metadata
