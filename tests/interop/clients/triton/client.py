"""Triton's Python client against the server, unchanged. Prints "ok CASE" for each case, and stops at the first that fails.

    client.py --server HOST:PORT --data FOLDER [--compress] [--rest HOST:PORT] [--token-file FILE]

FOLDER has MNIST's test set. The server has the model mnist, with the versions 1 and 2.
"""

import argparse
import gzip
import os
import queue

import numpy as np
import tritonclient.grpc as triton
from http_cases import HttpCases
from tritonclient.utils import InferenceServerException


def digits(folder, count):
    """The first digits as [count, 1, 32, 32], and their labels."""
    images = gzip.open(os.path.join(folder, "t10k-images-idx3-ubyte.gz")).read()[16 : 16 + 784 * count]
    labels = gzip.open(os.path.join(folder, "t10k-labels-idx1-ubyte.gz")).read()[8 : 8 + count]
    padded = np.zeros((count, 1, 32, 32), np.uint8)
    padded[:, 0, 2:30, 2:30] = np.frombuffer(images, np.uint8).reshape(count, 28, 28)
    return padded, list(labels)


class Bearer(triton.InferenceServerClientPlugin):
    """Sends a token with each call."""

    def __init__(self, token):
        self.value = f"Bearer {token}"

    def __call__(self, request):
        request.headers["authorization"] = self.value


class Cases:
    def __init__(self, server, folder, compress, bearer):
        self.compress = compress
        self.client = triton.InferenceServerClient(server)
        if bearer is not None:
            self.client.register_plugin(bearer)
        self.images, self.labels = digits(folder, 8)  # the model takes the ninth, a 5, for a 6
        self.floats = ((self.images / 255.0 - 0.1307) / 0.3081).astype(np.float32)

    def input(self, array):
        tensor = triton.InferInput("input", array.shape, "UINT8" if array.dtype == np.uint8 else "FP32")
        tensor.set_data_from_numpy(array)
        return [tensor]

    def infer(self, array, **arguments):
        return self.client.infer("mnist", self.input(array), **arguments)

    def error(self, call, *arguments, **named):
        try:
            call(*arguments, **named)
        except InferenceServerException as error:
            assert error.message(), "an error without a message"
            return f"{error.status()} {error.message()}"
        raise AssertionError("no error")

    def case_health(self):
        assert self.client.is_server_live() and self.client.is_server_ready()
        assert self.client.is_model_ready("mnist") and self.client.is_model_ready("mnist", "1")
        assert not self.client.is_model_ready("nosuch")

    def case_metadata(self):
        assert self.client.get_server_metadata().name == "hellocnn"
        metadata = self.client.get_model_metadata("mnist")
        assert list(metadata.versions) == ["1", "2"], metadata
        assert [(i.name, i.datatype, list(i.shape)) for i in metadata.inputs] == [("input", "UINT8", [-1, 1, 32, 32])]
        assert [o.name for o in metadata.outputs] == ["log_probabilities", "probabilities", "class", "label"]
        config = self.client.get_model_config("mnist").config
        assert config.max_batch_size >= 64 and list(config.input[0].dims) == [1, 32, 32], config
        assert [(m.version, m.state) for m in self.client.get_model_repository_index().models] == [("1", "READY"), ("2", "READY")]

    def case_each_shape_and_type(self):
        small = self.images[:, 0, 2:30, 2:30].copy()
        wanted = self.infer(self.images).as_numpy("log_probabilities")
        for array in (
            self.images.reshape(8, 32, 32),
            self.images.reshape(8, 1024),
            small,
            small.reshape(8, 1, 28, 28),
            small.reshape(8, 784),
            self.floats,
            self.floats.reshape(8, 1024),
            self.floats[:, :, 2:30, 2:30].copy(),
        ):
            result = self.infer(array, request_id="r-1")
            assert list(result.as_numpy("class")) == self.labels
            assert [int(label) for label in result.as_numpy("label")] == self.labels
            assert np.abs(result.as_numpy("log_probabilities") - wanted).max() < 1e-4
            assert np.abs(result.as_numpy("probabilities").sum(1) - 1).max() < 1e-4
            assert result.get_response().id == "r-1"

    def case_outputs(self):
        result = self.infer(self.images, outputs=[triton.InferRequestedOutput("class")])
        assert [output.name for output in result.get_response().outputs] == ["class"]
        result = self.infer(self.images, outputs=[triton.InferRequestedOutput("log_probabilities", class_count=3)])
        top = result.as_numpy("log_probabilities")
        assert top.shape == (8, 3)
        for row, label in zip(top, self.labels):
            values = [entry.decode().split(":") for entry in row]
            assert int(values[0][1]) == label and values[0][2] == str(label)
            assert float(values[0][0]) >= float(values[1][0]) >= float(values[2][0])

    def case_parameters(self):
        for arguments in ({"priority": 2}, {"timeout": 1000000}, {"parameters": {"k": "v"}}, {"model_version": "1"}):
            result = self.infer(self.images, **arguments)
            assert list(result.as_numpy("class")) == self.labels
            assert result.get_response().model_version == arguments.get("model_version", "2")
        if self.compress:
            result = self.infer(self.images, compression_algorithm="gzip")
            assert list(result.as_numpy("class")) == self.labels

    def case_errors(self):
        nan = np.full((2, 1, 32, 32), np.nan, np.float32)
        nan[0] = 0
        assert "image 1 of inputs[0]: value 0 is nan" in self.error(self.infer, nan)
        assert "NOT_FOUND model nosuch" in self.error(self.client.infer, "nosuch", self.input(self.images))
        assert "wanted [N, 1, 32, 32]" in self.error(self.infer, self.images[:, :, :20].copy())
        assert "wanted 32x32, or 28x28" in self.error(self.infer, self.images[:, :, :20, :20].copy())
        assert "wanted log_probabilities" in self.error(self.infer, self.images, outputs=[triton.InferRequestedOutput("x")])
        assert "PERMISSION_DENIED" in self.error(self.client.load_model, "mnist")
        for call in ("unload_model", "get_trace_settings", "unregister_system_shared_memory"):
            assert "UNIMPLEMENTED" in self.error(getattr(self.client, call), "mnist")
        assert "UNIMPLEMENTED" in self.error(self.client.get_log_settings)

    def case_statistics(self):
        statistics = self.client.get_inference_statistics("mnist", "2").model_stats[0]
        assert statistics.inference_count >= 80, statistics
        assert 0 < statistics.execution_count <= statistics.inference_count
        times = statistics.inference_stats
        assert times.success.count >= 10 and times.fail.count >= 1
        assert times.success.ns >= times.queue.ns and times.compute_infer.ns > 0

    def case_asynchronous(self):
        answers = queue.Queue()
        for _ in range(50):
            self.client.async_infer("mnist", self.input(self.images), lambda result, error: answers.put((result, error)))
        for _ in range(50):
            result, error = answers.get(timeout=60)
            assert error is None, error
            assert list(result.as_numpy("class")) == self.labels

    def case_stream(self):
        answers = queue.Queue()
        self.client.start_stream(lambda result, error: answers.put((result, error)))
        for i in range(100):
            tensor = self.input(self.images[i % 8 : i % 8 + 1])
            self.client.async_stream_infer("mnist", tensor, request_id=str(i), enable_empty_final_response=i % 2 == 0)
        for _ in range(100):
            result, error = answers.get(timeout=60)
            assert error is None, error
            response = result.get_response()
            assert list(result.as_numpy("class")) == [self.labels[int(response.id) % 8]]
            assert ("triton_final_response" in response.parameters) == (int(response.id) % 2 == 0)
        # One request that fails does not end the stream.
        self.client.async_stream_infer("mnist", self.input(self.images[:, :, :, :3].copy()), request_id="bad")
        result, error = answers.get(timeout=60)
        assert "wanted [N, 1, 32, 32]" in error.message(), error
        self.client.async_stream_infer("mnist", self.input(self.images))
        assert list(answers.get(timeout=60)[0].as_numpy("class")) == self.labels
        self.client.stop_stream()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--compress", action="store_true", help="send a compressed request, too")
    parser.add_argument("--rest", help="HOST:PORT of the server's HTTP port, for more cases")
    parser.add_argument("--token-file", help="the file with a token, for a server with access control")
    arguments = parser.parse_args()
    bearer = None
    if arguments.token_file is not None:
        with open(arguments.token_file, encoding="ascii") as file:
            bearer = Bearer(file.read().strip())
    cases = Cases(arguments.server, arguments.data, arguments.compress, bearer)
    for name in (
        "health",
        "metadata",
        "each_shape_and_type",
        "outputs",
        "parameters",
        "errors",
        "statistics",
        "asynchronous",
        "stream",
    ):
        getattr(cases, f"case_{name}")()
        print(f"ok {name}", flush=True)
    if arguments.rest is None:
        return
    http = HttpCases(arguments.rest, cases.images, cases.labels)
    if bearer is not None:
        http.client.register_plugin(bearer)
    for name in (name for name in dir(http) if name.startswith("case_")):
        getattr(http, name)()
        print(f"ok {name.removeprefix('case_')}", flush=True)


if __name__ == "__main__":
    main()
