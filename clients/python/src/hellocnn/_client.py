"""The clients: one that blocks, and one for asyncio. Both are made of the same descriptions of calls."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import Any, AsyncIterable, AsyncIterator, Dict, Iterable, Iterator, List, Optional, Tuple, Union

import grpc

from ._errors import Error, error_of_call, error_of_number
from ._images import ImageInput, to_messages
from ._results import Model, Result, VersionStatus, model_of, result_of, statuses_of
from ._token import Token, TokenSource
from .v1 import classifier_service_pb2 as pb

_SERVICE = "hellocnn.v1.ClassifierService"
# Calls that a server has not begun are made again, and on overload when the server says.
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": _SERVICE}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ]
}
_METHODS: Dict[str, Tuple[Any, Any]] = {
    "Classify": (pb.ClassifyRequest, pb.ClassifyResponse),
    "GetModel": (pb.GetModelRequest, pb.GetModelResponse),
    "ListModels": (pb.ListModelsRequest, pb.ListModelsResponse),
}


def _options(retry: bool) -> List[Tuple[str, Any]]:
    options: List[Tuple[str, Any]] = [("grpc.max_receive_message_length", -1)]
    if retry:
        options.append(("grpc.service_config", json.dumps(_SERVICE_CONFIG)))
    else:
        options.append(("grpc.enable_retries", 0))
    return options


def _read(path: Union[None, str, "os.PathLike[str]"]) -> Optional[bytes]:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def _credentials(tls_ca: Any, tls_cert: Any, tls_key: Any) -> Optional[grpc.ChannelCredentials]:
    if tls_ca is None and tls_cert is None and tls_key is None:
        return None
    if (tls_cert is None) != (tls_key is None):
        raise ValueError("tls_cert and tls_key belong together; wanted both or none")
    return grpc.ssl_channel_credentials(_read(tls_ca), _read(tls_key), _read(tls_cert))


def _channel(library: Any, target: str, retry: bool, credentials: Optional[grpc.ChannelCredentials]) -> Any:
    """Opens a channel of grpc or of grpc.aio."""
    if credentials is None:
        return library.insecure_channel(target, options=_options(retry))
    return library.secure_channel(target, credentials, options=_options(retry))


def _version(model: Optional[str], version: Optional[str]) -> Optional[pb.ModelVersion]:
    if model is None and version is None:
        return None
    return pb.ModelVersion(name=model or "", version=version or "")


def _priority(low_priority: bool) -> "pb.Priority":
    return pb.PRIORITY_LOW if low_priority else pb.PRIORITY_UNSPECIFIED


def _classify_request(images: ImageInput, model: Optional[str], version: Optional[str], low_priority: bool) -> pb.ClassifyRequest:
    return pb.ClassifyRequest(images=to_messages(images), model=_version(model, version), priority=_priority(low_priority))


def _stream_request(number: int, images: ImageInput, model: Optional[str], version: Optional[str], low_priority: bool) -> pb.ClassifyStreamRequest:
    return pb.ClassifyStreamRequest(
        id=number, images=to_messages(images), model=_version(model, version), priority=_priority(low_priority)
    )


def _outcome(response: pb.ClassifyStreamResponse) -> Tuple[int, Union[Result, Error]]:
    if response.HasField("result"):
        return response.id, result_of(response.result)
    error = response.error
    after = error.retry_after.seconds + error.retry_after.nanos / 1e9 if error.HasField("retry_after") else None
    return response.id, error_of_number(error.code, error.message, after)


def _calls(channel: Any) -> Tuple[Dict[str, Any], Any]:
    calls = {
        name: channel.unary_unary(
            f"/{_SERVICE}/{name}", request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        for name, (request, response) in _METHODS.items()
    }
    stream = channel.stream_stream(
        f"/{_SERVICE}/ClassifyStream",
        request_serializer=pb.ClassifyStreamRequest.SerializeToString,
        response_deserializer=pb.ClassifyStreamResponse.FromString,
    )
    return calls, stream


async def _each(requests: Union[Iterable[ImageInput], AsyncIterable[ImageInput]]) -> AsyncIterator[ImageInput]:
    if isinstance(requests, AsyncIterable):
        async for images in requests:
            yield images
    else:
        for images in requests:
            yield images


class Client:
    """Calls that block. Safe to use from several threads.

    `timeout` is in seconds, for each call that does not give its own. `tls_ca`, `tls_cert` and `tls_key` are paths of PEM
    files; with none of them the connection is not encrypted.

    Each call carries `token`, or the token in `token_file`, for a server with access control. The former may be a
    function, which each call asks, and which must not block. The file is read again once a second while calls are made.
    Without TLS, a token is for Unix sockets and this machine only, unless `allow_plaintext_token` is true.

    Calls raise Error and what derives from it.
    """

    def __init__(
        self,
        target: str = "127.0.0.1:8500",
        *,
        timeout: float = 10.0,
        retry: bool = True,
        tls_ca: Union[None, str, "os.PathLike[str]"] = None,
        tls_cert: Union[None, str, "os.PathLike[str]"] = None,
        tls_key: Union[None, str, "os.PathLike[str]"] = None,
        token: Optional[Token] = None,
        token_file: Union[None, str, "os.PathLike[str]"] = None,
        allow_plaintext_token: bool = False,
    ) -> None:
        credentials = _credentials(tls_ca, tls_cert, tls_key)
        self._token = TokenSource(token, token_file, target, credentials is not None, allow_plaintext_token)
        self._channel = _channel(grpc, target, retry, credentials)
        self._timeout = timeout
        self._unary, self._stream = _calls(self._channel)

    def classify(
        self,
        images: ImageInput,
        *,
        model: Optional[str] = None,
        version: Optional[str] = None,
        low_priority: bool = False,
        timeout: Optional[float] = None,
    ) -> Result:
        """Classifies one image or several, in one call. See ImageInput for what an image may be."""
        request = _classify_request(images, model, version, low_priority)
        return result_of(self._call("Classify", request, timeout))

    def classify_stream(
        self,
        requests: Iterable[ImageInput],
        *,
        model: Optional[str] = None,
        version: Optional[str] = None,
        low_priority: bool = False,
        max_in_flight: int = 8,
        timeout: Optional[float] = None,
    ) -> Iterator[Tuple[int, Union[Result, Error]]]:
        """Classifies many requests over one call, and yields the number of each, from 0, and its outcome, as they come.

        A request that fails has an Error as its outcome, and the others go on. At most `max_in_flight` requests wait for
        their outcomes at a time, so that a long stream does not fill the server's queue. There is no timeout unless one
        is given.
        """
        room = threading.Semaphore(max_in_flight)
        ended = threading.Event()

        def messages() -> Iterator[pb.ClassifyStreamRequest]:  # on a thread of gRPC's
            for number, images in enumerate(requests):
                while not room.acquire(timeout=0.1):
                    if ended.is_set():
                        return
                yield _stream_request(number, images, model, version, low_priority)

        call = self._stream(messages(), timeout=timeout, metadata=self._token.metadata())
        try:
            for response in call:
                room.release()
                yield _outcome(response)
        except grpc.RpcError as error:
            raise error_of_call(error) from error
        finally:
            ended.set()
            call.cancel()

    def describe(self, model: Optional[str] = None, version: Optional[str] = None, *, timeout: Optional[float] = None) -> Model:
        """Describes a model that is served: by default the default model."""
        return model_of(self._call("GetModel", pb.GetModelRequest(model=_version(model, version)), timeout))

    def list_models(self, *, timeout: Optional[float] = None) -> List[VersionStatus]:
        """Lists the versions of all models, and why one cannot be served."""
        return statuses_of(self._call("ListModels", pb.ListModelsRequest(), timeout))

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _call(self, name: str, request: Any, timeout: Optional[float]) -> Any:
        try:
            return self._unary[name](
                request, timeout=self._timeout if timeout is None else timeout, metadata=self._token.metadata()
            )
        except grpc.RpcError as error:
            raise error_of_call(error) from error


class AsyncClient:
    """The same for asyncio. Must be made and used within one event loop."""

    def __init__(
        self,
        target: str = "127.0.0.1:8500",
        *,
        timeout: float = 10.0,
        retry: bool = True,
        tls_ca: Union[None, str, "os.PathLike[str]"] = None,
        tls_cert: Union[None, str, "os.PathLike[str]"] = None,
        tls_key: Union[None, str, "os.PathLike[str]"] = None,
        token: Optional[Token] = None,
        token_file: Union[None, str, "os.PathLike[str]"] = None,
        allow_plaintext_token: bool = False,
    ) -> None:
        credentials = _credentials(tls_ca, tls_cert, tls_key)
        self._token = TokenSource(token, token_file, target, credentials is not None, allow_plaintext_token)
        self._channel = _channel(grpc.aio, target, retry, credentials)
        self._timeout = timeout
        self._unary, self._stream = _calls(self._channel)

    async def classify(
        self,
        images: ImageInput,
        *,
        model: Optional[str] = None,
        version: Optional[str] = None,
        low_priority: bool = False,
        timeout: Optional[float] = None,
    ) -> Result:
        """See Client.classify."""
        request = _classify_request(images, model, version, low_priority)
        return result_of(await self._call("Classify", request, timeout))

    async def classify_stream(
        self,
        requests: Union[Iterable[ImageInput], AsyncIterable[ImageInput]],
        *,
        model: Optional[str] = None,
        version: Optional[str] = None,
        low_priority: bool = False,
        max_in_flight: int = 8,
        timeout: Optional[float] = None,
    ) -> AsyncIterator[Tuple[int, Union[Result, Error]]]:
        """See Client.classify_stream."""

        room = asyncio.Semaphore(max_in_flight)

        async def messages() -> AsyncIterator[pb.ClassifyStreamRequest]:
            number = 0
            async for images in _each(requests):
                await room.acquire()
                yield _stream_request(number, images, model, version, low_priority)
                number += 1

        call = self._stream(messages(), timeout=timeout, metadata=self._token.metadata())
        try:
            async for response in call:
                room.release()
                yield _outcome(response)
        except grpc.aio.AioRpcError as error:
            raise error_of_call(error) from error
        finally:
            call.cancel()

    async def describe(self, model: Optional[str] = None, version: Optional[str] = None, *, timeout: Optional[float] = None) -> Model:
        """See Client.describe."""
        return model_of(await self._call("GetModel", pb.GetModelRequest(model=_version(model, version)), timeout))

    async def list_models(self, *, timeout: Optional[float] = None) -> List[VersionStatus]:
        """See Client.list_models."""
        return statuses_of(await self._call("ListModels", pb.ListModelsRequest(), timeout))

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def _call(self, name: str, request: Any, timeout: Optional[float]) -> Any:
        try:
            return await self._unary[name](
                request, timeout=self._timeout if timeout is None else timeout, metadata=self._token.metadata()
            )
        except grpc.aio.AioRpcError as error:
            raise error_of_call(error) from error
