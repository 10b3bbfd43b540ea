"""The Open Inference Protocol with stubs of our own proto; tests/interop runs the clients of others."""

import shutil
import struct
import unittest

import grpc
from inference import open_inference_pb2 as oip
from inference import open_inference_pb2_grpc as oip_grpc

from models_test import ModelsTest
from testbed import SLOW_ENGINE, Server, metric_sum, test_digits

DIGITS = test_digits(8)


def tensor(images, *shape, datatype="UINT8"):
    return oip.ModelInferRequest.InferInputTensor(name="input", datatype=datatype, shape=[images, *shape])


def request(images=8, small=False, **more):
    """A request for the first digits, with their border or without."""
    pixels = [pixels for pixels, _ in DIGITS[:images]]
    if small:
        pixels = [b"".join(p[32 * y + 2 : 32 * y + 30] for y in range(2, 30)) for p in pixels]
    side = 28 if small else 32
    return oip.ModelInferRequest(inputs=[tensor(images, 1, side, side)], raw_input_contents=[b"".join(pixels)], **more)


def classes(response):
    index = [output.name for output in response.outputs].index("class")
    return list(struct.unpack(f"<{response.outputs[index].shape[0]}q", response.raw_output_contents[index]))


class OpenInferenceTest(ModelsTest):
    def serve(self, *arguments):
        server = Server(*arguments)
        self.addCleanup(server.stop)
        channel = server.channel()
        self.addCleanup(channel.close)
        return server, oip_grpc.GRPCInferenceServiceStub(channel)

    def error(self, call, message):
        with self.assertRaises(grpc.RpcError) as raised:
            call(message, timeout=60)
        return raised.exception.code(), raised.exception.details()

    def test_each_method(self):
        server, service = self.serve()
        self.assertTrue(service.ServerLive(oip.ServerLiveRequest(), timeout=60).live)
        self.assertTrue(service.ServerReady(oip.ServerReadyRequest(), timeout=60).ready)
        self.assertTrue(service.ModelReady(oip.ModelReadyRequest(name="mnist"), timeout=60).ready)
        self.assertFalse(service.ModelReady(oip.ModelReadyRequest(name="mnist", version="77"), timeout=60).ready)
        self.assertIn("statistics", service.ServerMetadata(oip.ServerMetadataRequest(), timeout=60).extensions)
        metadata = service.ModelMetadata(oip.ModelMetadataRequest(name="mnist"), timeout=60)
        self.assertEqual([(i.name, i.datatype, list(i.shape)) for i in metadata.inputs], [("input", "UINT8", [-1, 1, 32, 32])])
        config = service.ModelConfig(oip.ModelConfigRequest(name="mnist"), timeout=60).config
        self.assertEqual(config.max_batch_size, 1024)
        (index,) = service.RepositoryIndex(oip.RepositoryIndexRequest(), timeout=60).models
        self.assertEqual((index.name, index.state), ("mnist", "READY"))
        labels = [label for _, label in DIGITS]
        self.assertEqual(classes(service.ModelInfer(request(id="r-1"), timeout=60)), labels)
        self.assertEqual(classes(service.ModelInfer(request(small=True), timeout=60)), labels)
        (statistics,) = service.ModelStatistics(oip.ModelStatisticsRequest(), timeout=60).model_stats
        self.assertEqual((statistics.inference_count, statistics.inference_stats.success.count), (16, 2))
        metrics = server.metrics()
        self.assertEqual(metric_sum(metrics, "hellocnn_requests_total", method="ModelInfer", code="OK"), 2)
        self.assertEqual(metric_sum(metrics, "hellocnn_requests_total", method="Other"), 9)
        self.assertEqual(metric_sum(metrics, "hellocnn_requests_in_flight"), 0)

    def test_errors_have_codes_and_messages(self):
        _, service = self.serve()
        wrong = request()
        wrong.inputs[0].shape[2] = 31
        code, details = self.error(service.ModelInfer, wrong)
        self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("inputs[0].shape is [8, 1, 31, 32]; wanted [N, 1, 32, 32]", details)
        wrong.inputs[0].shape.extend(range(3000))
        code, details = self.error(service.ModelInfer, wrong)
        self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("…", details)
        for call, message in (
            (service.ModelInfer, request(model_name="nosuch")),
            (service.ModelMetadata, oip.ModelMetadataRequest(name="nosuch")),
            (service.ModelConfig, oip.ModelConfigRequest(name="nosuch")),
            (service.ModelStatistics, oip.ModelStatisticsRequest(name="nosuch")),
        ):
            code, details = self.error(call, message)
            self.assertEqual(code, grpc.StatusCode.NOT_FOUND)
            self.assertIn("model nosuch is not served", details)
        load = oip.RepositoryModelLoadRequest(model_name="mnist")
        self.assertEqual(self.error(service.RepositoryModelLoad, load)[0], grpc.StatusCode.PERMISSION_DENIED)
        unload = oip.RepositoryModelUnloadRequest(model_name="mnist")
        self.assertEqual(self.error(service.RepositoryModelUnload, unload)[0], grpc.StatusCode.UNIMPLEMENTED)
        with grpc.insecure_channel(service_target(self)) as channel:
            for method in ("SystemSharedMemoryStatus", "CudaSharedMemoryRegister", "TraceSetting", "LogSettings"):
                call = channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
                code, details = self.error(call, b"")
                self.assertEqual(code, grpc.StatusCode.UNIMPLEMENTED)
                self.assertIn("send tensors in the request", details)

    def test_streams_are_answered_in_order(self):
        _, service = self.serve(SLOW_ENGINE, "--threads=2", "--max-batch-size=1")
        wrong = request(1, id="wrong")
        wrong.inputs[0].datatype = "INT8"
        requests = []
        for i in range(20):
            requests += [request(8 if i % 2 else 1, small=i % 3 == 0, id=str(i)), wrong]
        answers = list(service.ModelStreamInfer(iter(requests), timeout=120))
        self.assertEqual(
            [answer.infer_response.id for answer in answers], [text for i in range(20) for text in (str(i), "wrong")]
        )
        for i in range(20):
            self.assertEqual(classes(answers[2 * i].infer_response), [label for _, label in DIGITS[: 8 if i % 2 else 1]])
            self.assertIn('inputs[0].datatype is "INT8"', answers[2 * i + 1].error_message)

    def test_models_are_loaded_from_the_folder(self):
        self.add("digits", 1)
        server = Server("--model-control=on", "--model-poll-interval=1h", model=self.root)
        self.addCleanup(server.stop)
        with server.channel() as channel:
            service = oip_grpc.GRPCInferenceServiceStub(channel)
            load = oip.RepositoryModelLoadRequest(model_name="letters")
            self.assertEqual(self.error(service.RepositoryModelLoad, load)[0], grpc.StatusCode.UNAVAILABLE)
            self.add("letters", 1)

            def loaded():
                try:
                    service.RepositoryModelLoad(load, timeout=60)
                    return True
                except grpc.RpcError as error:
                    self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
                    return False

            self.wait_for("letters", loaded)
            response = service.ModelInfer(request(1, model_name="letters"), timeout=60)
            self.assertEqual((response.model_name, response.model_version), ("letters", "1"))
            for wrong in (oip.RepositoryModelLoadRequest(), oip.RepositoryModelLoadRequest(model_name="letters")):
                if wrong.model_name:
                    wrong.parameters["config"].string_param = "{}"
                self.assertEqual(self.error(service.RepositoryModelLoad, wrong)[0], grpc.StatusCode.INVALID_ARGUMENT)
            shutil.rmtree(self.path("letters"))


def service_target(test):
    """The address of a server for calls without stubs."""
    server = Server()
    test.addCleanup(server.stop)
    return server.address


if __name__ == "__main__":
    unittest.main()
