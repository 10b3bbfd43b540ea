"""Triton's Python client over HTTP."""

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException


class HttpCases:
    def __init__(self, server, images, labels):
        self.client = triton.InferenceServerClient(server, concurrency=4)
        self.images, self.labels = images, labels
        self.floats = ((images / 255.0 - 0.1307) / 0.3081).astype(np.float32)

    def input(self, array, binary=True):
        tensor = triton.InferInput("input", list(array.shape), "UINT8" if array.dtype == np.uint8 else "FP32")
        tensor.set_data_from_numpy(array, binary_data=binary)
        return [tensor]

    def infer(self, array, binary=True, **arguments):
        return self.client.infer("mnist", self.input(array, binary), **arguments)

    def error(self, call, *arguments, **named):
        try:
            call(*arguments, **named)
        except InferenceServerException as error:
            assert error.message(), "an error without a message"
            return f"{error.status()} {error.message()}"
        raise AssertionError("no error")

    def case_http_health(self):
        assert self.client.is_server_live() and self.client.is_server_ready()
        assert self.client.is_model_ready("mnist") and self.client.is_model_ready("mnist", "1")
        assert not self.client.is_model_ready("nosuch")

    def case_http_metadata(self):
        assert self.client.get_server_metadata()["name"] == "hellocnn"
        metadata = self.client.get_model_metadata("mnist")
        assert metadata["versions"] == ["1", "2"], metadata
        assert metadata["inputs"] == [{"name": "input", "datatype": "UINT8", "shape": [-1, 1, 32, 32]}], metadata
        assert self.client.get_model_metadata("mnist", "1")["name"] == "mnist"
        config = self.client.get_model_config("mnist")
        assert config["max_batch_size"] >= 64 and config["input"][0]["dims"] == [1, 32, 32], config
        index = [(m["name"], m["version"], m["state"]) for m in self.client.get_model_repository_index()]
        assert index == [("mnist", "1", "READY"), ("mnist", "2", "READY")], index

    def case_http_infer(self):
        small = self.images[:, 0, 2:30, 2:30].copy()
        wanted = self.infer(self.images).as_numpy("log_probabilities")
        for array in (self.images, small, small.reshape(8, 784), self.floats):
            for binary_in in (True, False):
                for binary_out in (True, False):
                    outputs = [
                        triton.InferRequestedOutput(name, binary_data=binary_out)
                        for name in ("log_probabilities", "probabilities", "class", "label")
                    ]
                    for asked in (None, outputs):
                        result = self.infer(array, binary_in, outputs=asked, request_id="r-1")
                        assert list(result.as_numpy("class")) == self.labels
                        assert [int(label) for label in result.as_numpy("label")] == self.labels
                        assert np.abs(result.as_numpy("log_probabilities") - wanted).max() < 1e-4
                        assert result.get_response()["id"] == "r-1"
        result = self.infer(self.images, outputs=[triton.InferRequestedOutput("log_probabilities", class_count=3)])
        assert result.as_numpy("log_probabilities").shape == (8, 3)
        result = self.infer(self.images, model_version="1", priority=2, timeout=1000000)
        assert result.get_response()["model_version"] == "1"
        for algorithm in ("gzip", "deflate"):
            result = self.infer(self.images, request_compression_algorithm=algorithm)
            assert list(result.as_numpy("class")) == self.labels

    def case_http_errors(self):
        nan = np.full((2, 1, 32, 32), np.nan, np.float32)
        nan[0] = 0
        assert "image 1 of inputs[0]: value 0 is nan" in self.error(self.infer, nan)
        assert "404 model nosuch is not served" in self.error(self.client.infer, "nosuch", self.input(self.images))
        assert "400 inputs[0].shape" in self.error(self.infer, self.images[:, :, :20].copy())
        assert "wanted log_probabilities" in self.error(self.infer, self.images, outputs=[triton.InferRequestedOutput("x")])
        assert "403" in self.error(self.client.load_model, "mnist")
        assert "501" in self.error(self.client.unload_model, "mnist")

    def case_http_asynchronous(self):
        calls = [self.client.async_infer("mnist", self.input(self.images)) for _ in range(50)]
        for call in calls:
            assert list(call.get_result().as_numpy("class")) == self.labels

    def case_http_statistics(self):
        statistics = self.client.get_inference_statistics("mnist", "2")["model_stats"][0]
        assert statistics["inference_count"] >= 80, statistics
