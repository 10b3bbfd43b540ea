#!/usr/bin/python3
"""Writes the weight files that weight_file_test.cc reads, with the PyTorch that is installed.

    make_pytorch_files.py OUTPUT_DIRECTORY MNIST_TEST_DIRECTORY

Everything follows from one seed, so that two runs with one PyTorch write the same numbers.
"""

import collections
import gzip
import os
import struct
import sys

import warnings
import zipfile

import torch
from torch import nn


class HelloCNN(nn.Module):
    """The Python original, to the letter: two Sequentials with .squeeze() between them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 6, (5, 5), stride=(1, 1)),
            nn.ReLU(),
            nn.MaxPool2d((15, 15), stride=(1, 1)),
            nn.Conv2d(6, 16, (5, 5), stride=(1, 1)),
            nn.ReLU(),
            nn.MaxPool2d((6, 6), stride=(1, 1)),
            nn.Conv2d(16, 120, (5, 5), stride=(1, 1)),
            nn.ReLU(),
        )
        self.linear = nn.Sequential(
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
            nn.LogSoftmax(dim=1),
        )

    def forward(self, x):
        return self.linear(self.conv(x).squeeze())


class TouchOnLoad:
    """Pickles into a call of os.system: what a hostile weight file does."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, ("touch '%s'" % self.marker,)


def write_floats(path, values):
    with open(path, "wb") as file:
        file.write(struct.pack("<%df" % len(values), *values))


def expected_values(state):
    """All values in the order of the state_dict, row-major."""
    return [value for tensor in state.values() for value in tensor.flatten().tolist()]


def write_state_dicts(directory, model):
    def save(name, state):
        torch.save(state, os.path.join(directory, name))

    def changed(**tensors):
        state = collections.OrderedDict(model.state_dict())
        state.update({name.replace("__", "."): tensor for name, tensor in tensors.items()})
        return state

    state = model.state_dict()
    save("state_dict.pt", state)
    save("plain_dict.pt", dict(state))
    save("keep_vars.pt", model.state_dict(keep_vars=True))
    torch.save(state, os.path.join(directory, "pickle_protocol_4.pt"), pickle_protocol=4)

    # These files have the same values in other layouts: transposed, every second value of a
    # storage, and all tensors in one storage.
    transposed = state["linear.0.weight"].t().contiguous().t()
    strided = torch.stack([state["linear.0.bias"], torch.zeros(84)], dim=1)[:, 0]
    assert not transposed.is_contiguous() and not strided.is_contiguous()
    save("non_contiguous.pt", changed(linear__0__weight=transposed, linear__0__bias=strided))
    flat = torch.cat([tensor.flatten() for tensor in state.values()])
    views, at = collections.OrderedDict(), 0
    for name, tensor in state.items():
        views[name] = flat[at:at + tensor.numel()].view(tensor.shape)
        at += tensor.numel()
    save("one_storage.pt", views)
    save("expanded.pt", changed(linear__2__bias=torch.tensor([0.25]).expand(10)))

    save("half.pt", changed(conv__3__weight=state["conv.3.weight"].half()))
    save("double.pt", changed(conv__3__weight=state["conv.3.weight"].double()))
    save("bfloat16.pt", changed(conv__3__weight=state["conv.3.weight"].bfloat16()))
    save("int64.pt", changed(conv__3__weight=state["conv.3.weight"].long()))
    save("sparse.pt", changed(linear__0__weight=state["linear.0.weight"].to_sparse()))
    save("extra.pt", changed(conv__9__weight=torch.zeros(3)))
    save("misshaped.pt", changed(conv__3__bias=torch.zeros(17)))
    nan = state["linear.2.bias"].clone()
    nan[3] = float("nan")
    save("nan.pt", changed(linear__2__bias=nan))
    missing = changed()
    del missing["linear.2.weight"]
    save("missing.pt", missing)


def write_other_files(directory, model):
    def path(name):
        return os.path.join(directory, name)

    torch.jit.script(model).save(path("scripted.pt"))
    torch.jit.trace(model, torch.zeros(2, 1, 32, 32)).save(path("traced.pt"))
    torch.jit.script(nn.Linear(3, 2)).save(path("scripted_other.pt"))
    torch.save(model, path("whole_module.pt"))
    torch.save(model.state_dict(), path("legacy.pt"), _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "model_state": model.state_dict(), "loss": 0.5}, path("checkpoint.pt"))
    torch.save(torch.zeros(3), path("one_tensor.pt"))
    torch.save([1, 2], path("list.pt"))
    torch.save({"conv.0.weight": TouchOnLoad(path("marker"))}, path("malicious.pt"))
    torch.save(TouchOnLoad(path("marker")), path("malicious_root.pt"))


def rewrite(source, target, change=lambda name, data: data, extra=(), method=zipfile.ZIP_STORED):
    """Copies an archive, each record by way of `change`; a record that becomes None is left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        folder = old.namelist()[0].split("/")[0]
        for name in old.namelist():
            data = change(name[len(folder) + 1:], old.read(name))
            if data is not None:
                new.writestr(name, data)
        for name, data in extra:
            new.writestr(folder + "/" + name, data)


def write_tampered_files(directory):
    def path(name):
        return os.path.join(directory, name)

    def swapped(name, data):
        if name == "byteorder":
            return None
        if not name.startswith("data/"):
            return data
        count = len(data) // 4
        return struct.pack(">%df" % count, *struct.unpack("<%df" % count, data))

    def without_order(name, data):
        return None if name == "byteorder" else data

    def pickled(opcodes):
        return lambda name, data: opcodes if name == "data.pkl" else data

    source = path("state_dict.pt")
    rewrite(source, path("deflated.pt"), method=zipfile.ZIP_DEFLATED)
    rewrite(source, path("bzip2.pt"), method=zipfile.ZIP_BZIP2)
    rewrite(source, path("big_endian.pt"), swapped, [("byteorder", b"big")])
    rewrite(source, path("odd_byte_order.pt"), without_order, [("byteorder", b"middle")])
    rewrite(source, path("no_storage.pt"), lambda name, data: None if name == "data/4" else data)
    rewrite(source, path("short_storage.pt"),
            lambda name, data: data[:-4] if name == "data/4" else data)
    rewrite(source, path("two_storages.pt"), extra=[("data/0", b"\0" * 600)])
    rewrite(source, path("no_pickle.pt"), lambda name, data: None if name == "data.pkl" else data)
    rewrite(source, path("bad_pickle.pt"), pickled(b"\x80\x02\xff."))

    # This is a module whose two attributes are one module, whose two attributes are one module,
    # and so on.
    opcodes = b"\x80\x02c__torch__\nA\n)\x81}b"
    for level in range(30):
        at = struct.pack("B", level)
        opcodes += (b"q" + at + b"0c__torch__\nA\n)\x81}(X\x01\0\0\0ah" + at +
                    b"X\x01\0\0\0bh" + at + b"ub")
    rewrite(source, path("shared_modules.pt"), pickled(opcodes + b"."))
    # This is a module that is its own attribute.
    rewrite(source, path("cyclic_module.pt"),
            pickled(b"\x80\x02c__torch__\nA\n)\x81q\0}X\x01\0\0\0ah\0sb."))

    def one_tensor(offset, shape, strides):
        def integers(values):
            packed = b"".join(b"\x8a\x08" + struct.pack("<q", value) for value in values)
            return b"(" + packed + b"t"
        return (b"\x80\x02}X\x0b\0\0\0conv.0.biasctorch._utils\n_rebuild_tensor_v2\n("
                b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x001X\x03\0\0\0cpuK\x06tQ"
                b"\x8a\x08" + struct.pack("<q", offset) + integers(shape) + integers(strides) +
                b"\x89}tRs.")

    most = 2**63 - 1
    for name, opcodes in {
            "beyond_storage.pt": one_tensor(1, [6], [1]),
            "huge_stride.pt": one_tensor(0, [3, 2], [most, most]),
            "huge_unused_stride.pt": one_tensor(5, [1], [most]),
            "huge_offset.pt": one_tensor(most, [6], [1]),
            "huge_shape.pt": one_tensor(0, [most, most, 0, 3], [0, 0, 0, 0]),
            "huge_expanded.pt": one_tensor(0, [2**40], [0]),
            "negative_stride.pt": one_tensor(5, [6], [-1]),
            "stride_missing.pt": one_tensor(0, [3, 2], [1]),
    }.items():
        rewrite(source, path(name), pickled(opcodes))


def write_parity(directory, mnist, model, count=64):
    """The first digits of the MNIST test set as network input, and what the model makes of them."""
    with gzip.open(os.path.join(mnist, "t10k-images-idx3-ubyte.gz"), "rb") as file:
        magic, total, rows, columns = struct.unpack(">IIII", file.read(16))
        assert (magic, rows, columns) == (0x803, 28, 28) and total >= count
        grey = torch.tensor(list(file.read(count * rows * columns)), dtype=torch.float32)
    grey = nn.functional.pad(grey.view(count, 1, rows, columns), (2, 2, 2, 2))
    inputs = (grey / 255 - 0.1307) / 0.3081
    with torch.no_grad():
        log_probabilities = model(inputs)
        # The original's squeeze() also removes the batch dimension of a single image. The served
        # network flattens from dimension 1 instead, which keeps that dimension. It must give the
        # same results for every single image.
        for i in range(count):
            alone = model.linear(torch.flatten(model.conv(inputs[i:i + 1]), 1))
            assert torch.allclose(alone[0], log_probabilities[i], rtol=0, atol=1e-5)
    assert log_probabilities.shape == (count, 10)
    write_floats(os.path.join(directory, "parity_inputs.f32"), inputs.flatten().tolist())
    write_floats(os.path.join(directory, "parity_log_probabilities.f32"),
                 log_probabilities.flatten().tolist())


def main():
    directory, mnist = sys.argv[1:]
    os.makedirs(directory, exist_ok=True)
    warnings.simplefilter("ignore", UserWarning)  # two records of a name are meant
    torch.manual_seed(6126)
    torch.set_num_threads(1)
    model = HelloCNN().eval()
    write_floats(os.path.join(directory, "expected.f32"), expected_values(model.state_dict()))
    write_state_dicts(directory, model)
    write_other_files(directory, model)
    write_tampered_files(directory)
    write_parity(directory, mnist, model)


if __name__ == "__main__":
    main()
