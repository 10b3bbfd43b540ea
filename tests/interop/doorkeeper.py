"""A gRPC server that lets nobody in, for tests of what clients send to be known."""

import concurrent.futures

import grpc


class Doorkeeper(grpc.GenericRpcHandler):
    """Ends each call with UNAUTHENTICATED, and notes it: (method, [values of its metadata `authorization`]).

    `credentials` are those of a server; without them, there is no TLS.
    """

    def __init__(self, credentials=None):
        self.calls = []
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[self])
        if credentials is None:
            port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.address = f"127.0.0.1:{port}"

    def service(self, details):
        values = [value for key, value in details.invocation_metadata if key == "authorization"]
        self.calls.append((details.method.rpartition("/")[2], values))
        return grpc.stream_stream_rpc_method_handler(self._reject)

    @staticmethod
    def _reject(_, context):
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "nobody gets in")
        yield  # never: this makes it a stream

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop(None).wait()
