"""What calls raise."""

from __future__ import annotations

from typing import Any, Optional

import grpc


class Error(Exception):
    """A call failed. `code` is gRPC's, and the message is the server's."""

    def __init__(self, code: grpc.StatusCode, message: str, retry_after: Optional[float] = None):
        super().__init__(message)
        self.code = code
        # Seconds after which to try again, if the server says so.
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code.name}: {self.args[0]}"


class InvalidRequest(Error):
    """The request breaks a rule, which the message names."""


class NotFound(Error):
    """The model or the version is not served."""


class Unauthenticated(Error):
    """The server wants a token that it knows: give `token` or `token_file`."""


class PermissionDenied(Error):
    """The server does not let this client do this."""


class Overloaded(Error):
    """The queue is full. `retry_after` says when to come back."""


class Unavailable(Error):
    """Nobody listens, or the server loads or drains."""


class DeadlineExceeded(Error):
    """The time given for the call was not enough."""


_KINDS = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def error_of(code: grpc.StatusCode, message: Optional[str], retry_after: Optional[float] = None) -> Error:
    return _KINDS.get(code, Error)(code, message or "", retry_after)


def error_of_number(number: int, message: str, retry_after: Optional[float] = None) -> Error:
    """Of an error within a stream, which has the number of a code."""
    return error_of(_CODES.get(number, grpc.StatusCode.UNKNOWN), message, retry_after)


def error_of_call(error: grpc.RpcError) -> Error:
    """Of what gRPC raises, whether it is of a call that blocks or of asyncio."""
    retry_after = None
    metadata: Any = error.trailing_metadata()
    for key, value in metadata or ():
        if key == "grpc-retry-pushback-ms":
            retry_after = int(value) / 1000
    return error_of(error.code(), error.details(), retry_after)
