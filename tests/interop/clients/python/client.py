"""Calls a HelloCNN server in every way that its API has, and checks the responses.

Prints a line for each case, and exits with 1 if one failed.
"""

import argparse
import math
import queue
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from digits import read_digits
from hellocnn.v1 import classifier_service_pb2 as pb
from hellocnn.v1 import classifier_service_pb2_grpc as pb_grpc

STREAM_LENGTH = 500
OVERLOAD_CALLS = 16
TIMEOUT = 60


def read(path):
    if not path:
        return None
    with open(path, "rb") as file:
        return file.read()


class Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Sends a token with each call."""

    def __init__(self, token):
        self.metadata = ("authorization", f"Bearer {token}")

    def send(self, call, details, request):
        return call(details._replace(metadata=[*(details.metadata or ()), self.metadata]), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_stream = send


def connect(options):
    if options.ca:
        credentials = grpc.ssl_channel_credentials(read(options.ca), read(options.key), read(options.cert))
        channel = grpc.secure_channel(options.server, credentials)
    else:
        channel = grpc.insecure_channel(options.server)
    if options.token_file:
        channel = grpc.intercept_channel(channel, Bearer(read(options.token_file).decode().strip()))
    return channel


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def expect(code, call):
    """Calls, and returns the error, which must have the code."""
    try:
        call()
    except grpc.RpcError as error:
        check(error.code() == code, f"wanted {code}, got {error.code()}: {error.details()}")
        return error
    raise AssertionError(f"wanted {code}, got a response")


class Cases:
    def __init__(self, channel, digits, inflates):
        self.service = pb_grpc.ClassifierServiceStub(channel)
        self.health = health_pb2_grpc.HealthStub(channel)
        self.digits = digits
        self.inflates = inflates

    def request(self, count):
        return pb.ClassifyRequest(images=[self.digits[i % len(self.digits)][0] for i in range(count)])

    def described(self):
        return self.service.GetModel(pb.GetModelRequest(), timeout=TIMEOUT)

    def check_accuracy(self, right, count):
        """As many must be right as the model card promises."""
        promised = self.described().model.test_accuracy
        check(promised > 0.9 and right / count >= promised, f"{right} of {count} are right; the model card says {promised}")

    def classify(self, count, **options):
        response = self.service.Classify(self.request(count), timeout=TIMEOUT, **options)
        classes = [prediction.class_index for prediction in response.predictions]
        labels = [label for _, label in self.digits[:count]]
        check(len(classes) == count, f"{len(classes)} predictions for {count} images")
        self.check_accuracy(sum(map(int.__eq__, classes, labels)), count)

    def one_image(self):
        image, label = self.digits[0]
        response = self.service.Classify(pb.ClassifyRequest(images=[image]), timeout=10)
        prediction = response.predictions[0]
        check(prediction.label == str(label), f"wanted {label}, got {prediction}")
        check(abs(sum(map(math.exp, prediction.log_probabilities)) - 1) < 1e-5, prediction)

    def many_images(self):
        self.classify(64)

    def stream(self):
        requests = (pb.ClassifyStreamRequest(id=i, images=[image]) for i, (image, _) in enumerate(self.digits))
        classes = {}
        for response in self.service.ClassifyStream(requests, timeout=TIMEOUT):
            check(response.WhichOneof("outcome") == "result", response)
            classes[response.id] = response.result.predictions[0].class_index
        check(sorted(classes) == list(range(len(self.digits))), f"{len(classes)} responses")
        self.check_accuracy(sum(classes[i] == label for i, (_, label) in enumerate(self.digits)), len(classes))

    def model(self):
        model = self.described().model
        check(model.version.name == "mnist" and len(model.class_labels) == 10, model)
        check(sum(layer.parameter_count for layer in model.layers) == model.parameter_count, model)

    def health_check(self):
        for service in ("", "hellocnn.v1.ClassifierService"):
            response = self.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT)
            check(response.status == health_pb2.HealthCheckResponse.SERVING, response)
        unknown = health_pb2.HealthCheckRequest(service="no.such.Service")
        expect(grpc.StatusCode.NOT_FOUND, lambda: self.health.Check(unknown, timeout=TIMEOUT))

    def health_watch(self):
        watch = self.health.Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        check(next(watch).status == health_pb2.HealthCheckResponse.SERVING, "not serving")
        watch.cancel()
        expect(grpc.StatusCode.CANCELLED, lambda: next(watch))

    def wrong_size(self):
        request = pb.ClassifyRequest(images=[pb.Image(gray8=bytes(1000))])
        error = expect(grpc.StatusCode.INVALID_ARGUMENT, lambda: self.service.Classify(request, timeout=TIMEOUT))
        check("1024" in error.details(), f"the message does not say what is wanted: {error.details()}")

    def deadline(self):
        """Asks for as much as the server takes, which it cannot compute in time."""
        request = self.request(self.described().limits.max_images_per_request)
        expect(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: self.service.Classify(request, timeout=0.001))

    def cancellation(self):
        requests = queue.SimpleQueue()
        stream = self.service.ClassifyStream(iter(requests.get, None), timeout=TIMEOUT)
        requests.put(pb.ClassifyStreamRequest(id=1, images=self.request(1).images))
        next(stream)
        stream.cancel()
        expect(grpc.StatusCode.CANCELLED, lambda: next(stream))
        requests.put(None)
        self.classify(1)  # on the same connection

    def gzip(self):
        compressed = {"compression": grpc.Compression.Gzip}
        if self.inflates:
            self.classify(64, **compressed)
        else:
            expect(grpc.StatusCode.UNIMPLEMENTED, lambda: self.classify(64, **compressed))

    def metadata(self):
        """Sends some that the server does not know and must not mind."""
        self.classify(1, metadata=[("x-request-id", "python-1"), ("x-trace-bin", b"\0\1\xfe\xff,"), ("x-large", "m" * 4000)])

    def too_large(self):
        large = pb.Image(gray8=bytes(self.described().limits.max_message_bytes))
        request = pb.ClassifyRequest(images=[large])
        expect(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: self.service.Classify(request, timeout=TIMEOUT))
        self.classify(1)  # on the same connection

    def overload(self):
        """Sends more at once than the queue holds. Rejected calls are told when to retry."""
        request = self.request(self.described().limits.max_images_per_request)
        calls = [self.service.Classify.future(request, timeout=TIMEOUT) for _ in range(OVERLOAD_CALLS)]
        rejected = [call for call in calls if call.exception() is not None]
        check(0 < len(rejected) < OVERLOAD_CALLS, f"{len(rejected)} of {OVERLOAD_CALLS} calls were rejected")
        for call in rejected:
            check(call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, call.details())
            check("grpc-retry-pushback-ms" in dict(call.trailing_metadata()), call.trailing_metadata())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="127.0.0.1:8500", help="its address")
    parser.add_argument("--data", default="data/mnist-test", help="the folder with MNIST's test set")
    parser.add_argument("--ca", help="the authority of the server's certificate; without it, there is no TLS")
    parser.add_argument("--cert", help="a certificate of this client, with --key")
    parser.add_argument("--key", help="the key of --cert")
    parser.add_argument("--token-file", help="the file with a token, for a server with access control")
    parser.add_argument("--no-gzip", action="store_true", help="the server rejects compressed requests")
    options = parser.parse_args()

    digits = read_digits(options.data, STREAM_LENGTH)
    failed = 0
    with connect(options) as channel:
        cases = Cases(channel, digits, inflates=not options.no_gzip)
        for name, case in {
            "health check": cases.health_check,
            "one image": cases.one_image,
            "64 images": cases.many_images,
            "stream": cases.stream,
            "model": cases.model,
            "health watch": cases.health_watch,
            "wrong size": cases.wrong_size,
            "deadline": cases.deadline,
            "cancellation": cases.cancellation,
            "gzip": cases.gzip,
            "metadata": cases.metadata,
            "too large": cases.too_large,
            "overload": cases.overload,
        }.items():
            try:
                case()
                print("ok", name)
            except (AssertionError, grpc.RpcError) as error:
                failed += 1
                print(f"failed {name}:", *str(error).split())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
