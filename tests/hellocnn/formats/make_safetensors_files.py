#!/usr/bin/python3
"""Writes the safetensors files that safetensors_test.cc reads, without the library under test.

    make_safetensors_files.py OUTPUT_DIRECTORY FILE_OF_FLOATS

The file of floats is the expected.f32 that make_pytorch_files.py writes: all values in the order of the state_dict.
"""

import os
import struct
import sys

from safetensors_format import state_of, write_safetensors


def main():
    directory, floats = sys.argv[1:]
    os.makedirs(directory, exist_ok=True)
    with open(floats, "rb") as file:
        state = state_of(file.read())

    def write(name, changed=None, **options):
        write_safetensors(os.path.join(directory, name + ".safetensors"), {**state, **(changed or {})}, **options)

    write("plain")
    write("metadata", metadata={"format": "pt", "über": "Zahlen 0–9"})
    write("padded", padding=13)
    write("other_data_order", data_order=sorted(state, reverse=True))
    assert len(open(os.path.join(directory, "plain.safetensors"), "rb").read()) % 8 != 0  # aligned to nothing

    shape, values = state["conv.3.bias"]
    numbers = struct.unpack("<16f", values)
    for dtype, packed in {
        "F64": struct.pack("<16d", *numbers),
        "F16": struct.pack("<16e", *numbers),
        "BF16": b"".join(values[i + 2 : i + 4] for i in range(0, 64, 4)),
        "I64": struct.pack("<16q", *range(16)),
    }.items():
        write(dtype, {"conv.3.bias": (shape, packed)}, dtypes={"conv.3.bias": dtype})
    write("nan", {"conv.3.bias": (shape, values[:12] + struct.pack("<f", float("nan")) + values[16:])})
    write("misshaped", {"conv.3.bias": ([17], values + bytes(4))})
    write("extra", {"conv.9.weight": ([3], bytes(12))})
    write("empty_extra", {"conv.9.weight": ([0, 2**62, 2**62], b"")})
    del state["linear.2.weight"]
    write("missing")


if __name__ == "__main__":
    main()
