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

from exported_programs import write_exported_programs


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

    write_other_dtypes(directory, state)
    write_other_names(directory, state)
    save("int64.pt", changed(conv__3__weight=state["conv.3.weight"].long()))
    save("sparse.pt", changed(linear__0__weight=state["linear.0.weight"].to_sparse()))
    save("extra.pt", changed(conv__9__weight=torch.zeros(3)))
    save("extra_int64.pt", changed(conv__0__num_batches_tracked=torch.tensor(3)))
    save("misshaped.pt", changed(conv__3__bias=torch.zeros(17)))
    nan = state["linear.2.bias"].clone()
    nan[3] = float("nan")
    save("nan.pt", changed(linear__2__bias=nan))
    missing = changed()
    del missing["linear.2.weight"]
    save("missing.pt", missing)


def write_other_dtypes(directory, state):
    """Files of other dtypes, each with the numbers that PyTorch itself makes of it in float32."""

    def save(name, changed):
        torch.save(changed, os.path.join(directory, name + ".pt"))
        write_floats(os.path.join(directory, name + ".f32"), expected_values({k: v.float() for k, v in changed.items()}))

    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        short = str(dtype).replace("torch.", "")
        save(short, {name: tensor.to(dtype) for name, tensor in state.items()})
        transposed = state["linear.0.weight"].to(dtype).t().contiguous().t()
        save("one_" + short, {**state, "linear.0.weight": transposed})
    # Every finite float16: also the subnormal ones, and both zeros.
    halves = torch.tensor(list(range(0x7C00)) + list(range(0x8000, 0xFC00)), dtype=torch.int32).to(torch.int16).view(torch.float16)
    weight = torch.cat([halves[: 48000], halves.new_zeros(48000 - min(48000, halves.numel()))]).view(120, 16, 5, 5)
    save("halves", {**state, "conv.6.weight": weight})
    weight = torch.cat([halves[48000:], halves.new_zeros(48000 - (halves.numel() - 48000))]).view(120, 16, 5, 5)
    save("more_halves", {**state, "conv.6.weight": weight})
    # Between two float32, and too small for any.
    double = state["conv.3.bias"].double()
    double[0], double[1] = 0.1, 1e-300
    save("fine_float64", {**state, "conv.3.bias": double})
    double = double.clone()
    double[7] = -1e300
    torch.save({**state, "conv.3.bias": double}, os.path.join(directory, "huge_float64.pt"))


def write_other_names(directory, state):
    def save(name, changed):
        torch.save(changed, os.path.join(directory, name + ".pt"))

    def renamed(change):
        return collections.OrderedDict((change(name), tensor) for name, tensor in state.items())

    save("compiled", renamed("_orig_mod.{}".format))
    save("parallel", renamed("module.{}".format))
    save("lightning", {"epoch": 3, "pytorch-lightning_version": "2.0", "loss": torch.tensor(0.5), "state_dict": renamed("model.{}".format)})
    save("compiled_parallel", renamed("module._orig_mod.{}".format))
    save("any_prefix", renamed("net/é.backbone.{}".format))
    save("compiled_parts", renamed(lambda name: name.replace("conv.", "conv._orig_mod.").replace("linear.", "linear.module.")))
    save("compiled_half", {name: tensor.half() for name, tensor in renamed("_orig_mod.{}".format).items()})
    save("mixed_prefixes", renamed(lambda name: ("a." if name < "conv.3" else "b.") + name))
    save("prefix_missing", {name: tensor for name, tensor in renamed("module.{}".format).items() if name != "module.linear.0.bias"})
    save("prefix_extra", {**renamed("module.{}".format), "module.bn.num_batches_tracked": torch.tensor(1)})
    save("averaged", {**renamed("module.{}".format), "n_averaged": torch.tensor(1)})
    save("two_models", {**renamed("student.{}".format), **renamed("teacher.{}".format)})
    save("twice", {**state, **renamed("_orig_mod.{}".format)})
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    for key in ("state_dict", "model", "model_state_dict", "net"):
        save("checkpoint_" + key, {"epoch": 3, "optimizer": optimizer, key: state, "loss": 0.5})
    save("checkpoint_nested", {"meta": {"lr": 0.1}, "checkpoint": {"model": renamed("module.{}".format)}})
    save("checkpoint_two", {"model": state, "ema": {**state}})
    save("checkpoint_shared", {"model": state, "best": state})
    save("checkpoint_other", {"model": nn.Linear(3, 2).state_dict()})
    save("checkpoint_none", {"epoch": 3, "history": {"loss": 0.5}})


def write_other_files(directory, model):
    def path(name):
        return os.path.join(directory, name)

    torch.jit.script(model).save(path("scripted.pt"))
    torch.jit.trace(model, torch.zeros(2, 1, 32, 32)).save(path("traced.pt"))
    torch.jit.script(nn.Linear(3, 2)).save(path("scripted_other.pt"))
    torch.save(model, path("whole_module.pt"))
    def save_as_before(name, content, **options):
        torch.save(content, path(name), _use_new_zipfile_serialization=False, **options)

    state = model.state_dict()
    save_as_before("legacy.pt", state)
    for protocol in (3, 4, 5):
        save_as_before("legacy_%d.pt" % protocol, state, pickle_protocol=protocol)
    save_as_before("legacy_checkpoint.pt", {"epoch": 3, "steps": torch.tensor(1), "flags": torch.tensor([True]),
                                            "complex": torch.zeros(2, dtype=torch.complex128), "model": state})
    transposed = state["linear.0.weight"].t().contiguous().t()
    save_as_before("legacy_transposed.pt", {**state, "linear.0.weight": transposed})
    save_as_before("legacy_half.pt", {name: tensor.half() for name, tensor in state.items()})
    both = torch.cat([state["conv.0.bias"], state["conv.3.bias"]])
    save_as_before("legacy_shared.pt", {**state, "conv.0.bias": both[:6], "conv.3.bias": both[6:]})
    save_as_before("legacy_module.pt", model)
    save_as_before("legacy_malicious.pt", {"conv.0.weight": TouchOnLoad(path("marker"))})
    torch.save(torch.zeros(3), path("one_tensor.pt"))
    torch.save([1, 2], path("list.pt"))
    torch.save({"conv.0.weight": TouchOnLoad(path("marker"))}, path("malicious.pt"))
    torch.save(TouchOnLoad(path("marker")), path("malicious_root.pt"))


class Flattened(HelloCNN):
    def forward(self, x):
        return self.linear(self.conv(x).flatten(1))


class Viewed(HelloCNN):
    def forward(self, x):
        return self.linear(self.conv(x).view(x.size(0), -1))


class Reshaped(HelloCNN):
    def forward(self, x):
        return self.linear(self.conv(x.reshape(-1, 1, 32, 32)).reshape(-1, 120))


class Logits(HelloCNN):
    def forward(self, x):
        return self.linear[:-1](self.conv(x).flatten(1))


def write_onnx_files(directory, state):
    def export(name, network, images=torch.zeros(2, 1, 32, 32), **options):
        network.load_state_dict(state)
        torch.onnx.export(network.to(images.dtype).eval(), images, os.path.join(directory, name + ".onnx"), **options)

    export("squeezed", HelloCNN())
    export("flattened", Flattened())
    export("opset_9", Flattened(), opset_version=9)
    export("opset_17", Flattened(), opset_version=17)
    export("not_folded", Flattened(), do_constant_folding=False, keep_initializers_as_inputs=True)
    export("viewed", Viewed(), input_names=["x"], dynamic_axes={"x": {0: "n"}})
    export("reshaped", Reshaped(), torch.zeros(2, 1024))
    export("float64", Flattened(), torch.zeros(2, 1, 32, 32, dtype=torch.float64))
    export("logits", Logits())
    export("without_weights", Flattened(), export_params=False)
    torch.onnx.export(nn.Linear(1024, 10), torch.zeros(2, 1024), os.path.join(directory, "other.onnx"))


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

    def integer(value):
        return b"\x8a\x08" + struct.pack("<q", value)

    def integers(values):
        return b"(" + b"".join(map(integer, values)) + b"t"

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def item(name, key, size, offset, shape, strides):
        return (text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + b"ctorch\nFloatStorage\n" +
                text(str(key)) + text("cpu") + integer(size) + b"tQ" + integer(offset) + integers(shape) +
                integers(strides) + b"\x89}tRs")

    def one_tensor(offset, shape, strides):
        """A state_dict, in which conv.0.bias has this layout."""
        items = []
        for key, (name, tensor) in enumerate(HelloCNN().state_dict().items()):
            layout = (offset, shape, strides) if name == "conv.0.bias" else (0, tensor.shape, tensor.stride())
            items.append(item(name, key, tensor.numel(), *layout))
        return b"\x80\x02}" + b"".join(items) + b"."

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
    write_onnx_files(directory, model.state_dict())
    write_tampered_files(directory)
    write_exported_programs(directory, model.state_dict())
    write_parity(directory, mnist, model)


if __name__ == "__main__":
    main()
