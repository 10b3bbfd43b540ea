#!/usr/bin/python3
"""Checks every #include of own code against the layers that docs/architecture.md draws.

    check_layers.py ROOT         exit 0 and silence, or exit 1 and one line for each include that breaks a layer
    check_layers.py --self-test  proves that the checker can fail

A file belongs to the longest prefix of its path in LAYERS; what that layer may include of own code is listed
there. What it may include of others is decided by LIBRARIES: each of those stays in the folders that are named.
"""

import os
import re
import sys
import tempfile

# Layer: own layers that it may include, besides itself. A layer is a path prefix; the longest one that fits counts.
LAYERS = {
    "base/": [],
    "hellocnn/": ["base/"],
    "hellocnn/formats/onnx/": ["base/", "hellocnn/", "protos/"],
    "hellocnn/formats/pytorch/": ["base/", "hellocnn/"],
    "hellocnn/formats/safetensors/": ["base/", "hellocnn/"],
    "hellocnn/formats/": [
        "base/",
        "hellocnn/",
        "hellocnn/formats/onnx/",
        "hellocnn/formats/pytorch/",
        "hellocnn/formats/safetensors/",
    ],
    "hellocnn/repository/": ["base/", "hellocnn/", "hellocnn/formats/"],
    "hellocnn/simd/": ["base/", "hellocnn/"],
    "hellocnn/torch/": ["base/", "hellocnn/"],
    "hellocnn/train/": ["base/", "datasets/", "hellocnn/", "hellocnn/formats/", "hellocnn/torch/"],
    # Labelled images as people bring them. Of the client it takes the header that decodes and prepares pictures.
    "datasets/": ["base/", "hellocnn/", "client/"],
    "server/config/": ["base/", "server/config/version_policy.h", "server/tls/client_names.h"],
    "server/config/version_policy.h": ["base/"],
    "server/scheduling/": ["base/", "hellocnn/"],
    "server/runtime/": ["base/"],
    "server/serving/": [
        "base/",
        "hellocnn/",
        "hellocnn/formats/",
        "hellocnn/repository/",
        "hellocnn/simd/",
        "hellocnn/torch/",
        "server/scheduling/",
        "server/runtime/",
        "server/observability/events.h",
        "server/config/version_policy.h",
    ],
    # Everything may report to it, and it knows nobody: it is told ids and numbers.
    "server/observability/events.h": ["base/"],
    "server/observability/logging/": ["base/"],
    "server/observability/": ["base/", "server/http/", "server/observability/events.h", "server/observability/logging/", "server/tls/"],
    "server/http/": ["base/", "server/tls/"],
    # Certificates, for all ports.
    "server/tls/": ["base/", "server/tls/client_names.h"],
    "server/tls/client_names.h": ["base/"],
    # Who calls, and what they may do.
    "server/access/": ["base/", "hellocnn/", "server/access/right.h", "server/tls/client_names.h"],
    "server/access/right.h": [],
    # The transport interface, and what carries it: they know no call.
    "server/rpc/transport/": ["base/", "server/runtime/", "server/access/right.h", "server/rpc/errors/"],
    "server/rpc/transport/grpc/": ["base/", "server/runtime/", "server/rpc/transport/", "server/rpc/errors/"],
    "server/rpc/transport/http2/": ["base/", "server/runtime/", "server/rpc/transport/", "server/rpc/errors/", "server/tls/"],
    # What comes with an error, in the forms that gRPC's clients know.
    "server/rpc/errors/": ["base/", "protos/"],
    # What calls do, whatever their protocol and transport.
    "server/rpc/core/": [
        "base/",
        "hellocnn/",
        "server/scheduling/",
        "server/serving/",
        "server/observability/events.h",
        "server/observability/logging/",
        "server/access/",
        "server/rpc/transport/",
        "server/rpc/errors/",
        "client/",  # the header that decodes and prepares pictures
    ],
    "server/rpc/classifier_v1/": [
        "base/",
        "hellocnn/",
        "server/serving/",
        "server/observability/events.h",
        "server/rpc/transport/",
        "server/rpc/core/",
        "server/rpc/errors/",
        "protos/",
    ],
    "server/rpc/open_inference/": [
        "base/",
        "hellocnn/",
        "server/serving/",
        "server/observability/events.h",
        "server/rpc/transport/",
        "server/rpc/core/",
        "protos/",
    ],
    "server/rpc/reflection/": ["base/", "server/rpc/transport/", "protos/"],
    # Methods of the server as calls from within.
    "server/rpc/transport/local/": ["base/", "server/rpc/transport/"],
    "server/rpc/rest/": [
        "base/",
        "hellocnn/",
        "server/access/",
        "server/http/",
        "server/serving/",
        "server/rpc/transport/",
        "server/rpc/transport/local/",
        "server/rpc/core/",
        "server/rpc/errors/",
        "protos/",
    ],
    "server/rpc/health/": ["base/", "server/serving/", "server/rpc/transport/", "protos/"],
    # Composition root and main: what is directly in server/ may include everything below.
    "server/": [
        "base/",
        "hellocnn/",
        "server/access/",
        "server/config/",
        "server/scheduling/",
        "server/runtime/",
        "server/serving/",
        "server/observability/",
        "server/observability/events.h",
        "server/observability/logging/",
        "server/rpc/transport/",
        "server/rpc/transport/grpc/",
        "server/rpc/transport/http2/",
        "server/rpc/core/",
        "server/rpc/classifier_v1/",
        "server/rpc/health/",
        "server/rpc/open_inference/",
        "server/rpc/reflection/",
        "server/rpc/rest/",
        "server/rpc/transport/local/",
        "server/http/",
        "server/tls/",
        "server/tls/client_names.h",
        "protos/",
    ],
    "client/": ["base/", "protos/"],
    "client/picture/": ["client/"],  # decoders and the preparation need no gRPC
    "client/examples/": ["client/"],  # like a stranger's: the installed headers only
    "loadgen/": ["base/", "client/", "hellocnn/", "protos/"],
    "cli/": ["base/", "client/", "datasets/", "loadgen/", "hellocnn/", "hellocnn/formats/", "hellocnn/repository/", "hellocnn/simd/", "protos/"],
    "fuzz/": [
        "base/",
        "client/",
        "client/picture/",
        "datasets/",
        "hellocnn/",
        "hellocnn/formats/",
        "hellocnn/formats/onnx/",
        "hellocnn/formats/pytorch/",
        "hellocnn/formats/safetensors/",
        "server/access/",
        "server/config/",
        "server/rpc/core/",
        "server/rpc/classifier_v1/",
        "server/rpc/open_inference/",
        "server/rpc/rest/",
        "server/rpc/transport/",
        "server/rpc/transport/http2/",
        "server/runtime/",
        "loadgen/",
        "protos/",
    ],
    "benchmarks/": [
        "base/",
        "client/",
        "hellocnn/",
        "hellocnn/formats/",
        "hellocnn/torch/",
        "hellocnn/simd/",
        "loadgen/",
        "server/runtime/",
        "server/rpc/transport/",
        "server/rpc/transport/grpc/",
        "server/rpc/transport/http2/",
        "server/rpc/core/",
        "server/rpc/classifier_v1/",
        "protos/",
    ],
}

# Pattern of a library's headers: its name, the files that may include it, as a pattern of their paths, and that in words.
LIBRARIES = [
    (r"(torch|ATen|c10)/", "LibTorch", r"hellocnn/(torch|train)/", "hellocnn/torch/ and hellocnn/train/"),
    (r"prometheus/", "prometheus-cpp", r"server/observability/prometheus/\w+\.cc|server/observability/prometheus/(metric_series|sharded_metrics)\.h|loadgen/\w+/\w+\.cc", "the .cc files of server/observability/prometheus/ and loadgen/, and the headers between the former"),
    (r"httplib\.h", "cpp-httplib", r"loadgen/run/http_get\.cc", "loadgen/run/http_get.cc"),
    (r"microhttpd\.h", "libmicrohttpd", r"server/http/\w+\.cc", "the .cc files of server/http/"),
    (r"gnutls/", "GnuTLS", r"server/http/http_tls\.cc", "server/http/http_tls.cc"),
    (r"(grpc|grpcpp|grpc\+\+)/", "gRPC", r"server/rpc/transport/grpc/|client/|loadgen/", "server/rpc/transport/grpc/, client/ and loadgen/"),
    (r"nghttp2/", "libnghttp2", r"server/rpc/transport/http2/", "server/rpc/transport/http2/"),
    (r"google/(protobuf|rpc)/", "protobuf", r"server/rpc/|client/|loadgen/|fuzz/(infer_)?request_fuzzer\.cc", "server/rpc/, client/, loadgen/ and the fuzz targets of requests"),
    (r"CLI/", "CLI11", r"base/command_line/|server/config/sources\.cc|benchmarks/(main|echo_server|pictures/main)\.cc|cli/|hellocnn/(train/train|formats/convert)_main\.cc", "command lines"),
    (r"zip\.h", "libzip", r"hellocnn/formats/pytorch/|datasets/npz_file\.cc", "hellocnn/formats/pytorch/ and datasets/npz_file.cc"),
    (r"(png\.h|jpeglib\.h|jerror\.h|webp/|libexif/)", "decoders of pictures", r"client/picture/\w+\.cc|benchmarks/pictures/jpeg\.cc", "the .cc files of client/picture/, and the benchmark's JPEG"),
    (r"openssl/", "OpenSSL", r"hellocnn/formats/checksum\.cc|server/access/\w+\.cc|server/rpc/transport/http2/tls_|server/tls/", "hellocnn/formats/checksum.cc, server/access/*.cc, server/rpc/transport/http2/tls_* and server/tls/"),
    (r"cjose/", "cjose", r"server/access/json_web_keys\.cc", "server/access/json_web_keys.cc"),
    (r"hwy/", "Highway", r"hellocnn/simd/|hellocnn/torch/sliding_max\.cc|benchmarks/", "hellocnn/simd/, hellocnn/torch/sliding_max.cc and benchmarks/"),
    (r"benchmark/", "Google Benchmark", r"benchmarks/", "benchmarks/"),
    (r"spdlog/", "spdlog", r"server/", "server/"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
OWN_ROOTS = ("base", "hellocnn", "datasets", "server", "client", "loadgen", "cli", "benchmarks", "fuzz")
# Installed headers lie in a folder of their own, and are included relative to it: <hellocnn/client/client.h>.
PUBLIC_HEADERS = "client/include"


def layer_of(path, public_headers=frozenset()):
    """The layer of a file or of an include, or None for what is not own code."""
    if path in public_headers:
        path = f"{PUBLIC_HEADERS}/{path}"
    if re.search(r"\.(grpc\.)?pb\.h$", path):
        return None if path.startswith("google/") else "protos/"
    fitting = [layer for layer in LAYERS if path.startswith(layer)]
    return max(fitting, key=len) if fitting else None


def check_file(path, lines, public_headers=frozenset()):
    """Yields (line number, message) for each include of `path` that breaks a layer."""
    layer = layer_of(path)
    for number, line in enumerate(lines, start=1):
        match = INCLUDE.match(line)
        if not match:
            continue
        included = match.group(1)
        target = layer_of(included, public_headers)
        if target is not None and target != layer and target not in LAYERS[layer]:
            allowed = ", ".join(LAYERS[layer]) or "nothing else of this project"
            yield number, f'{layer} may not include "{included}"; it may include {allowed}'
        for pattern, library, where, where_in_words in LIBRARIES:
            if re.match(pattern, included) and not re.match(where, path):
                yield number, f"<{included}>: {library} stays in {where_in_words}"


def check_tree(root):
    """All violations below `root`, as lines to print, and the number of files that were read."""
    violations, files = [], 0
    public_root = os.path.join(root, PUBLIC_HEADERS)
    public_headers = {
        os.path.relpath(os.path.join(folder, name), public_root)
        for folder, _, names in os.walk(public_root)
        for name in names
    }
    for own_root in OWN_ROOTS:
        for folder, _, names in os.walk(os.path.join(root, own_root)):
            for name in sorted(names):
                if not name.endswith((".cc", ".h")):
                    continue
                full = os.path.join(folder, name)
                path = os.path.relpath(full, root)
                files += 1
                with open(full, encoding="utf-8") as source:
                    violations += [f"{path}:{n}: {m}" for n, m in check_file(path, source, public_headers)]
    return violations, files


def self_test():
    """Each of these must be found, each of those must not be."""
    wrong = [
        ("hellocnn/engine.h", '#include "server/config/options.h"'),
        ("hellocnn/engine.h", '#include "client/values.h"'),
        ("base/file.cc", '#include "hellocnn/image.h"'),
        ("hellocnn/engine.h", '#include "hellocnn/torch/torch_engine.h"'),
        ("hellocnn/data/idx.cc", "#include <grpcpp/grpcpp.h>"),
        ("hellocnn/data/idx.cc", '#include "hellocnn/v1/classifier_service.pb.h"'),
        ("hellocnn/formats/pytorch/pytorch_file.cc", "#include <torch/script.h>"),
        ("hellocnn/formats/pytorch/pytorch_file.cc", '#include "hellocnn/formats/safetensors/safetensors_file.h"'),
        ("hellocnn/weights.cc", '#include "hellocnn/formats/weight_file.h"'),
        ("server/server.cc", '#include "hellocnn/formats/pytorch/pytorch_file.h"'),
        ("hellocnn/formats/safetensors/safetensors_file.cc", "#include <zip.h>"),
        ("server/runtime/worker_pool.h", "#include <ATen/ATen.h>"),
        ("server/runtime/worker_pool.h", '#include "server/rpc/core/codec.h"'),
        ("server/runtime/batcher.cc", '  #  include "hellocnn/v1/classifier_service.grpc.pb.h"'),
        ("server/observability/events.h", "#include <prometheus/counter.h>"),
        ("server/observability/admin_http/admin_server.cc", "#include <microhttpd.h>"),
        ("hellocnn/image.cc", "#include <hwy/highway.h>"),
        ("hellocnn/simd/kernels.cc", '#include "hellocnn/torch/torch_engine.h"'),
        ("server/server.cc", '#include "benchmarks/roofline.h"'),
        ("server/rpc/core/unary_call.h", '#include "hellocnn/torch/torch_engine.h"'),
        ("server/rpc/core/call_scope.h", "#include <grpcpp/server_context.h>"),
        ("server/rpc/classifier_v1/request_reader.cc", "#include <grpcpp/support/byte_buffer.h>"),
        ("server/rpc/core/call_scope.h", '#include "server/rpc/classifier_v1/codec.h"'),
        ("server/rpc/transport/transport.h", '#include "server/rpc/core/codec.h"'),
        ("server/rpc/classifier_v1/codec.h", '#include "server/rpc/transport/grpc/grpc_message.h"'),
        ("server/server.cc", "#include <grpcpp/grpcpp.h>"),
        ("client/client.cc", '#include "server/config/options.h"'),
        ("client/client.h", '#include "hellocnn/data/idx.h"'),
        ("cli/main.cc", '#include "hellocnn/torch/module.h"'),
        ("cli/commands/load.cc", "#include <prometheus/counter.h>"),
        ("loadgen/run/run.cc", "#include <httplib.h>"),
        ("client/client.cc", '#include "loadgen/run/run.h"'),
        ("client/examples/classify_digits.cc", '#include "hellocnn/data/idx.h"'),
        ("hellocnn/weights.cc", '#include "fuzz/check.h"'),
        ("hellocnn/data/idx.cc", '#include "datasets/npy.h"'),
        ("datasets/npy.cc", "#include <zip.h>"),
        ("datasets/npy.cc", '#include "cli/images/fit.h"'),
        ("server/rpc/transport/http2/session.cc", "#include <openssl/ssl.h>"),
        ("fuzz/pickle_fuzzer.cc", "#include <grpcpp/grpcpp.h>"),
    ]
    right = [
        ("hellocnn/weights.cc", '#include "hellocnn/topology.h"'),
        ("hellocnn/torch/module.cc", "#include <torch/torch.h>"),
        ("hellocnn/formats/weight_file.cc", '#include "hellocnn/formats/safetensors/safetensors_file.h"'),
        ("server/serving/model_loader.cc", '#include "hellocnn/formats/weight_file.h"'),
        ("hellocnn/simd/kernels.cc", "#include <hwy/highway.h>"),
        ("benchmarks/engine_benchmark.cc", "#include <benchmark/benchmark.h>"),
        ("server/serving/torch_module.cc", '#include "hellocnn/torch/module.h"'),
        ("server/observability/prometheus/prometheus_metrics.cc", "#include <prometheus/counter.h>"),
        ("server/rpc/classifier_v1/response.cc", '#include "hellocnn/v1/classifier_service.pb.h"'),
        ("cli/commands/evaluate.cc", '#include "hellocnn/data/idx.h"'),
        ("client/client.cc", "#include <grpcpp/grpcpp.h>"),
        ("loadgen/report/prometheus_exporter.cc", "#include <prometheus/counter.h>"),
        ("cli/commands/load.cc", '#include "loadgen/run/run.h"'),
        ("server/rpc/transport/grpc/grpc_rpc.h", "#include <grpcpp/server_context.h>"),
        ("server/rpc/transport/http2/tls_socket.cc", "#include <openssl/ssl.h>"),
    ]
    failures = []
    for path, line in wrong:
        if not list(check_file(path, [line])):
            failures.append(f"not found: {path}: {line}")
    for path, line in right:
        failures += [f"wrongly found: {path}: {m}" for _, m in check_file(path, [line])]
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, "hellocnn"))
        with open(os.path.join(root, "hellocnn/bad.h"), "w", encoding="utf-8") as bad:
            bad.write('// a comment\n#include "server/config/options.h"\n')
        os.makedirs(os.path.join(root, "client/include/hellocnn/client"))
        for path, line in [
            ("client/include/hellocnn/client/client.h", ""),
            ("client/client.cc", '#include "hellocnn/client/client.h"'),
            ("hellocnn/bad.cc", '#include "hellocnn/client/client.h"'),
        ]:
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(line)
        violations, files = check_tree(root)
        wanted = {"hellocnn/bad.h:2", "hellocnn/bad.cc:1"}
        if files != 4 or {v.split(": ")[0] for v in violations} != wanted:
            failures.append(f"a bad tree gave {violations} from {files} files")
    return failures


def main(arguments):
    if arguments == ["--self-test"]:
        problems = self_test()
    elif len(arguments) == 1:
        problems, files = check_tree(arguments[0])
        if files == 0:
            problems = [f"{arguments[0]} holds no source file of {', '.join(OWN_ROOTS)}"]
    else:
        print(__doc__, file=sys.stderr)
        return 2
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
