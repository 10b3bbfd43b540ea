#!/usr/bin/python3
"""Writes the safetensors files that safetensors_test.cc reads, without the library under test.

    make_safetensors_files.py OUTPUT_DIRECTORY FILE_OF_FLOATS

The file of floats is the expected.f32 that make_pytorch_files.py writes: all values in the order of the state_dict.
"""

import json
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
    names = list(state)
    write_safetensors(os.path.join(directory, "model-00001-of-00002.safetensors"), {name: state[name] for name in names[:4]})
    write_safetensors(os.path.join(directory, "model-00002-of-00002.safetensors"), {name: state[name] for name in names[4:]})
    places = {name: "model-0000%d-of-00002.safetensors" % (1 if name in names[:4] else 2) for name in names}
    with open(os.path.join(directory, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": 246824}, "weight_map": places}, file, indent=2)
    write("metadata", metadata={"format": "pt", "über": "Zahlen 0–9"})
    write("padded", padding=13)
    write("other_data_order", data_order=sorted(state, reverse=True))
    assert len(open(os.path.join(directory, "plain.safetensors"), "rb").read()) % 8 != 0  # aligned to nothing

    shape, values = state["conv.3.bias"]
    numbers = struct.unpack("<16f", values)
    halves = struct.pack("<16e", *numbers)
    upper = [values[i + 2 : i + 4] for i in range(0, 64, 4)]
    huge = [*numbers[:5], 1e300, *numbers[6:]]
    for name, dtype, packed, widened in [
        ("F64", "F64", struct.pack("<16d", *numbers), values),
        ("F16", "F16", halves, struct.pack("<16f", *struct.unpack("<16e", halves))),
        ("BF16", "BF16", b"".join(upper), b"".join(bytes(2) + half for half in upper)),
        ("I64", "I64", struct.pack("<16q", *range(16)), None),
        ("no_such_dtype", "f32\0", values, None),
        ("huge_F64", "F64", struct.pack("<16d", *huge), None),
    ]:
        write(name, {"conv.3.bias": (shape, packed)}, dtypes={"conv.3.bias": dtype})
        if widened:
            with open(os.path.join(directory, name + ".f32"), "wb") as file:
                file.write(b"".join(widened if key == "conv.3.bias" else packed for key, (_, packed) in state.items()))
    for prefix in ("_orig_mod.", "module.", "model.", "module._orig_mod."):
        with_prefix = {prefix + name: value for name, value in state.items()}
        write_safetensors(os.path.join(directory, "prefix_" + prefix + ".safetensors"), with_prefix)
    write("extra_I64", {"conv.0.num_batches_tracked": ([], bytes(8))}, dtypes={"conv.0.num_batches_tracked": "I64"})
    write("nan", {"conv.3.bias": (shape, values[:12] + struct.pack("<f", float("nan")) + values[16:])})
    write("misshaped", {"conv.3.bias": ([17], values + bytes(4))})
    write("extra", {"conv.9.weight": ([3], bytes(12))})
    write("empty_extra", {"conv.9.weight": ([0, 2**62, 2**62], b"")})
    del state["linear.2.weight"]
    write("missing")


if __name__ == "__main__":
    main()
