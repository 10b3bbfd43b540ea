"""Client of HelloCNN Serving.

    import hellocnn

    with hellocnn.Client("127.0.0.1:8500") as client:
        result = client.classify(images)  # numpy arrays, pictures of Pillow, or the bytes of picture files
        print(result.labels, result.probabilities.max(axis=1))

AsyncClient is the same for asyncio.
"""

from ._client import AsyncClient, Client
from ._errors import (
    DeadlineExceeded,
    Error,
    InvalidRequest,
    NotFound,
    Overloaded,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from ._images import ImageInput
from ._results import Limits, Model, ModelVersion, Preprocessing, Result, Timing, VersionStatus

__all__ = [
    "AsyncClient",
    "Client",
    "DeadlineExceeded",
    "Error",
    "ImageInput",
    "InvalidRequest",
    "Limits",
    "Model",
    "ModelVersion",
    "NotFound",
    "Overloaded",
    "PermissionDenied",
    "Preprocessing",
    "Result",
    "Timing",
    "Unauthenticated",
    "Unavailable",
    "VersionStatus",
]
__version__ = "0.1.0"
