"""What the clients send as a token, and to whom: against a server in this process that notes it."""

import concurrent.futures
import pathlib
import tempfile
import time
import unittest
import warnings

import grpc
import numpy as np

import hellocnn
from hellocnn._token import TokenSource
from hellocnn.v1 import classifier_service_pb2 as pb

SERVICE = "hellocnn.v1.ClassifierService"
IMAGE = np.zeros((28, 28), np.uint8)
LONGEST = 4096


def result():
    prediction = pb.Prediction(class_index=0, label="0", log_probabilities=[-0.1, -2.4])
    return pb.ClassifyResponse(predictions=[prediction], model=pb.ModelVersion(name="m", version="1"))


class Noting:
    """A server that notes the metadata of each call, as (method, [values]), and ends it with `code` if that is set."""

    def __init__(self):
        self.calls = []
        self.code = None

        def unary(method, answer, request):
            def handle(_, context):
                self._note(method, context)
                return answer()

            return grpc.unary_unary_rpc_method_handler(handle, request.FromString, serialize)

        def serialize(message):
            return message.SerializeToString()

        def stream(requests, context):
            self._note("ClassifyStream", context)
            for request in requests:
                yield pb.ClassifyStreamResponse(id=request.id, result=result())

        handlers = {
            "Classify": unary("Classify", result, pb.ClassifyRequest),
            "GetModel": unary("GetModel", pb.GetModelResponse, pb.GetModelRequest),
            "ListModels": unary("ListModels", pb.ListModelsResponse, pb.ListModelsRequest),
            "ClassifyStream": grpc.stream_stream_rpc_method_handler(stream, pb.ClassifyStreamRequest.FromString, serialize),
        }
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _note(self, method, context):
        self.calls.append((method, [value for key, value in context.invocation_metadata() if key == "authorization"]))
        if self.code is not None:
            context.abort(self.code, "not you")

    def stop(self):
        self._server.stop(None).wait()


class TokenTestCase(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.server = Noting()
        self.addCleanup(self.server.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "token"

    def write(self, token, mode=0o600):
        new = self.file.with_suffix(".new")
        new.write_bytes(token.encode())
        new.chmod(mode)
        new.rename(self.file)
        return self.file

    def test_every_call_carries_it(self):
        with hellocnn.Client(self.server.address, token="s3cret") as client:
            client.classify(IMAGE)
            list(client.classify_stream([IMAGE]))
            client.list_models()
        self.assertEqual(self.server.calls, [(method, ["Bearer s3cret"]) for method in ("Classify", "ClassifyStream", "ListModels")])

    async def test_every_call_of_asyncio_carries_it(self):
        async with hellocnn.AsyncClient(self.server.address, token_file=self.write("s3cret\n")) as client:
            await client.classify(IMAGE)
            self.assertEqual([number async for number, _ in client.classify_stream([IMAGE])], [0])
            await client.list_models()
        self.assertEqual(self.server.calls, [(method, ["Bearer s3cret"]) for method in ("Classify", "ClassifyStream", "ListModels")])

    def test_without_one_there_is_none(self):
        with hellocnn.Client(self.server.address) as client:
            client.classify(IMAGE)
        self.assertEqual(self.server.calls, [("Classify", [])])

    async def test_a_function_is_asked_for_each_call(self):
        tokens = iter(["one", "two", "three", "four", "no token"])
        with hellocnn.Client(self.server.address, token=lambda: next(tokens)) as client:
            client.classify(IMAGE)
            list(client.classify_stream([IMAGE]))
        async with hellocnn.AsyncClient(self.server.address, token=lambda: next(tokens)) as client:
            await client.classify(IMAGE)
            await client.list_models()
            with self.assertRaisesRegex(ValueError, "what token returns") as raised:
                await client.list_models()
            self.assertNotIn("no token", str(raised.exception))
        self.assertEqual([values for _, values in self.server.calls], [["Bearer one"], ["Bearer two"], ["Bearer three"], ["Bearer four"]])

    def test_a_file_is_read_again(self):
        self.write("first\r\n")
        with hellocnn.Client(self.server.address, token_file=str(self.file)) as client:
            client.classify(IMAGE)
            self.write("second")
            deadline = time.monotonic() + 60
            while ["Bearer second"] not in [values for _, values in self.server.calls] and time.monotonic() < deadline:
                client.classify(IMAGE)
        sent = [values for _, values in self.server.calls]
        self.assertEqual((sent[0], sent[-1]), (["Bearer first"], ["Bearer second"]))

    def test_the_former_token_stays_while_the_file_is_bad(self):
        source = TokenSource(None, self.write("first"), "localhost:1", False, False)
        for bad in ("", "two words", None):
            self.file.unlink() if bad is None else self.write(bad)
            source._read_again = 0
            self.assertEqual(source.metadata(), (("authorization", "Bearer first"),))
        self.write("second")
        source._read_again = 0
        self.assertEqual(source.metadata(), (("authorization", "Bearer second"),))

    def test_rejections_are_raised_and_not_repeated(self):
        for code, kind in (
            (grpc.StatusCode.UNAUTHENTICATED, hellocnn.Unauthenticated),
            (grpc.StatusCode.PERMISSION_DENIED, hellocnn.PermissionDenied),
        ):
            self.server.code, self.server.calls = code, []
            with hellocnn.Client(self.server.address, token="s3cret") as client, self.assertRaisesRegex(kind, "not you") as raised:
                client.classify(IMAGE)
            self.assertNotIn("s3cret", str(raised.exception))
            self.assertEqual(len(self.server.calls), 1)

    def test_it_is_not_sent_unencrypted_to_other_machines(self):
        for target in (
            *("infer.example:8500", "10.0.0.1:8500", "[fd00::1]:8500", "dns:///infer.example:8500", "ipv4:127.0.0.1:1,10.0.0.1:1"),
            *("dns://127.0.0.1/infer.example:1", "127.0.0.1.infer.example:1", "infer.example"),
        ):
            for client in (hellocnn.Client, hellocnn.AsyncClient):
                with self.assertRaisesRegex(ValueError, "without encryption: give tls_ca") as raised:
                    client(target, token="s3cret")
                self.assertNotIn("s3cret", str(raised.exception))
            hellocnn.Client(target, token="s3cret", allow_plaintext_token=True).close()
            hellocnn.Client(target).close()
        for target in ("localhost:1", "127.0.0.2:1", "[::1]:1", "unix:/run/h.sock", "unix-abstract:h", "dns:///localhost:1", "ipv6:[::1]:1"):
            hellocnn.Client(target, token="s3cret").close()

    def test_bad_tokens_are_named_but_not_shown(self):
        for token in ("", "s3cret words", "s3cret\n", "s3cr\u00e9t", "s" * (LONGEST + 1)):
            for give in (lambda: {"token": token}, lambda: {"token_file": self.write(token + "\n\n")}):
                with self.assertRaisesRegex(ValueError, "token") as raised:
                    hellocnn.Client(self.server.address, **give())
                self.assertNotIn("s3cr", str(raised.exception))
        with self.assertRaisesRegex(TypeError, "token is bytes; wanted str"):
            hellocnn.Client(self.server.address, token=b"s3cret")
        with self.assertRaisesRegex(ValueError, "both"):
            hellocnn.Client(self.server.address, token="s3cret", token_file=self.write("s3cret"))
        with self.assertRaisesRegex(ValueError, "not a regular file"):
            hellocnn.Client(self.server.address, token_file="/dev/null")
        with self.assertRaises(FileNotFoundError):
            hellocnn.Client(self.server.address, token_file="/nonexistent")
        hellocnn.Client(self.server.address, token="s" * LONGEST).close()

    def test_a_file_that_others_may_read_is_warned_of(self):
        with self.assertWarnsRegex(UserWarning, "other users may read this token; chmod 600"):
            hellocnn.Client(self.server.address, token_file=self.write("s3cret", 0o644)).close()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            hellocnn.Client(self.server.address, token_file=self.write("s3cret")).close()


if __name__ == "__main__":
    unittest.main()
