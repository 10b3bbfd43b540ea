"""Writes archives as torch.export.save does, which the installed PyTorch is too old for. make_pytorch_files.py calls it.

exported/ has real ones, by the version of PyTorch that wrote them: of HelloCNN in a module of the name `module`, where the
value at place i among all 61,706 is ((37 * i) % 251 - 125) / 1024.
"""

import glob
import gzip
import io
import json
import os
import zipfile

import torch

# PyTorch's numbers for types, in torch/_export/serde/schema.py.
DTYPES = {torch.float16: 6, torch.float32: 7, torch.float64: 8, torch.int64: 5, torch.bfloat16: 13}
STRIDED = 7


def storage_bytes(tensor):
    return bytes(tensor.storage().untyped()) if hasattr(tensor.storage(), "untyped") else bytes(tensor.storage()._untyped())


def list_of(state):
    """The list of tensors, and the content of each storage by its name."""
    config, names, storages = {}, {}, {}
    for name, tensor in state.items():
        key = tensor.storage().data_ptr()
        if key not in names:
            names[key] = f"weight_{len(names)}"
            storages[names[key]] = storage_bytes(tensor)
        config[name] = {
            "path_name": names[key],
            "is_param": True,
            "use_pickle": False,
            "tensor_meta": {
                "dtype": DTYPES[tensor.dtype],
                "sizes": [{"as_int": extent} for extent in tensor.shape],
                "requires_grad": True,
                "device": {"type": "cpu", "index": None},
                "strides": [{"as_int": stride} for stride in tensor.stride()],
                "storage_offset": {"as_int": tensor.storage_offset()},
                "layout": STRIDED,
            },
        }
    return {"config": config}, storages


def write_archive(path, records, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in records.items():
            archive.writestr(name, data)


def write_exported_programs(directory, state):
    def path(name):
        return os.path.join(directory, name + ".pt2")

    def saved(content):
        file = io.BytesIO()
        torch.save(content, file)
        return file.getvalue()

    def write_flat(name, state, record="serialized_state_dict.pt"):
        program = {"serialized_exported_program.json": "{}", "serialized_constants.pt": saved({}), "version": "7.3"}
        write_archive(path(name), {**program, record: saved(state)})

    around = {"f/archive_format": "pt2", "f/archive_version": "0", "f/models/model.json": "{}", "f/byteorder": "little"}

    def write_listed(name, state, change=lambda listed: None, extra=None, **options):
        """`change` changes the list; records in `extra` that are None are left out."""
        listed, storages = list_of(state)
        change(listed["config"])
        records = {f"f/data/weights/{storage}": data for storage, data in storages.items()}
        records["f/data/weights/model_weights_config.json"] = json.dumps(listed)
        records = {**around, **records, **(extra or {})}
        write_archive(path(name), {name: data for name, data in records.items() if data is not None}, **options)

    for packed in glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "exported", "*.pt2.gz")):
        with gzip.open(packed) as file, open(os.path.join(directory, os.path.basename(packed)[:-3]), "wb") as unpacked:
            unpacked.write(file.read())

    nested = {"net.net." + name: tensor for name, tensor in state.items()}
    mangled = {"L__self___" + name.replace(".", "_", 1): tensor for name, tensor in state.items()}
    write_flat("flat", state)
    write_flat("flat_json", state, "serialized_state_dict.json")
    write_flat("flat_nested", nested)
    write_flat("flat_half", {name: tensor.half() for name, tensor in state.items()})
    write_flat("flat_mangled", mangled, "serialized_state_dict.json")
    write_flat("flat_int64", {**state, "conv.3.weight": torch.zeros(16, 6, 5, 5, dtype=torch.int64)})
    write_archive(path("flat_damaged"), {"serialized_exported_program.json": "{}", "serialized_state_dict.pt": b"PK\3\4, and no more"})
    write_archive(path("archived"), {**around, "f/data/weights/model.pt": saved(state)})

    write_listed("listed", state)
    write_listed("listed_deflated", state, method=zipfile.ZIP_DEFLATED)
    write_listed("listed_nested", nested)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        write_listed("listed_" + str(dtype)[6:], {name: tensor.to(dtype) for name, tensor in state.items()})
    both = torch.cat([state["conv.0.bias"], state["conv.3.bias"]])
    write_listed("listed_shared", {**state, "conv.0.bias": both[:6], "conv.3.bias": both[6:]})
    write_listed("listed_transposed", {**state, "linear.0.weight": state["linear.0.weight"].t().contiguous().t()})
    swapped = {f"f/data/weights/{name}": b"".join(data[i : i + 4][::-1] for i in range(0, len(data), 4))
               for name, data in list_of(state)[1].items()}
    write_listed("listed_big_endian", state, extra={"f/byteorder": "big", **swapped})
    write_listed("listed_extra", {**state, "bn.num_batches_tracked": torch.tensor(1)})
    write_listed("listed_int64", {**state, "conv.3.bias": torch.zeros(16, dtype=torch.int64)})
    write_listed("listed_missing", {name: tensor for name, tensor in state.items() if name != "linear.2.bias"})
    write_listed("listed_no_storage", state, extra={"f/data/weights/weight_3": None})
    write_listed("listed_odd_storage", state, extra={"f/data/weights/weight_3": bytes(63)})
    write_listed("listed_short_storage", state, extra={"f/data/weights/weight_3": bytes(60)})
    write_listed("listed_odd_byte_order", state, extra={"f/byteorder": "middle"})
    for name, text in {
        "text": "[]",
        "no_config": '{"config": []}',
        "twice": '{"config": {"a": 1, "a": 2}}',
        "deep": '{"config":' * 17 + "1" + "}" * 17,
        "long_name": json.dumps({"config": {"n" * 257: 1}}),
        "huge": "{" + " " * (1 << 20) + "}",
    }.items():
        write_listed("list_" + name, state, extra={"f/data/weights/model_weights_config.json": text})

    def bias(**changed):
        """Changes the description of conv.3.bias, or of its numbers."""
        def change(config):
            entry = config["conv.3.bias"]
            for key, value in changed.items():
                (entry if key in entry else entry["tensor_meta"])[key] = value
        return change

    most = 2**63 - 1
    for name, change in {
        "pickled": bias(use_pickle=True),
        "sparse": bias(layout=1),
        "unknown_dtype": bias(dtype=99),
        "no_meta": bias(tensor_meta=None),
        "symbolic": bias(sizes=[{"as_expr": {"expr_str": "s0", "hint": None}}]),
        "negative": bias(storage_offset={"as_int": -1}),
        "too_large": bias(storage_offset={"as_int": 2**64 - 1}),
        "far": bias(storage_offset={"as_int": most}),
        "huge_shape": bias(sizes=[{"as_int": most}, {"as_int": most}], strides=[{"as_int": most}, {"as_int": most}]),
        "expanded": bias(sizes=[{"as_int": 2**40}], strides=[{"as_int": 0}]),
        "stride_missing": bias(strides=[]),
        "number": lambda config: config.update({"conv.3.bias": 7}),
    }.items():
        write_listed("listed_" + name, state, change)

    write_listed("two_models", state, extra={"f/data/weights/other_weights_config.json": json.dumps(list_of(state)[0])})
    compiled = {"f/archive_format": "pt2", "f/data/aotinductor/model/model.so": b"\x7fELF"}
    write_archive(path("compiled"), compiled)
    write_archive(path("without_weights"), around)
