"""What calls return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional

import numpy as np

from .v1 import classifier_service_pb2 as pb


@dataclass(frozen=True)
class ModelVersion:
    name: str
    version: str


@dataclass(frozen=True)
class Timing:
    """Seconds that the request spent in the server, and the size of its largest batch."""

    queue: float
    compute: float
    batch_size: int


@dataclass(frozen=True)
class Result:
    """The results for the images of a call, in their order."""

    labels: List[str]
    classes: "np.ndarray[Any, Any]"  # int32 [N]
    log_probabilities: "np.ndarray[Any, Any]"  # float32 [N, classes]
    model: ModelVersion
    timing: Timing

    @property
    def probabilities(self) -> "np.ndarray[Any, Any]":
        """float32 [N, classes]."""
        return np.asarray(np.exp(self.log_probabilities))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Preprocessing:
    """value = (grey / 255 - mean) / standard_deviation, in content_size rows and columns within a border of padding."""

    content_size: int
    padding: int
    mean: float
    standard_deviation: float


@dataclass(frozen=True)
class Limits:
    max_images_per_request: int
    max_batch_size: int
    queue_capacity: int
    max_message_bytes: int


@dataclass(frozen=True)
class Model:
    version: ModelVersion
    labels: List[str]
    test_accuracy: Optional[float]
    preprocessing: Preprocessing
    limits: Limits
    weights_sha256: str


@dataclass(frozen=True)
class VersionStatus:
    """What has become of a version. `state` is "serving", for example, and `reason` is "" if all is well."""

    version: ModelVersion
    state: str
    reason: str
    is_current: bool
    is_default: bool


def version_of(message: pb.ModelVersion) -> ModelVersion:
    return ModelVersion(message.name, message.version)


def result_of(response: pb.ClassifyResponse) -> Result:
    predictions = response.predictions
    return Result(
        labels=[prediction.label for prediction in predictions],
        classes=np.array([prediction.class_index for prediction in predictions], np.int32),
        log_probabilities=np.array([prediction.log_probabilities for prediction in predictions], np.float32),
        model=version_of(response.model),
        timing=Timing(
            _seconds(response.timing.queue_duration), _seconds(response.timing.compute_duration), response.timing.batch_size
        ),
    )


def model_of(response: pb.GetModelResponse) -> Model:
    model, limits = response.model, response.limits
    return Model(
        version=version_of(model.version),
        labels=list(model.class_labels),
        test_accuracy=model.test_accuracy if model.HasField("test_accuracy") else None,
        preprocessing=Preprocessing(
            model.preprocessing.content_size,
            model.preprocessing.padding,
            model.preprocessing.mean,
            model.preprocessing.standard_deviation,
        ),
        limits=Limits(
            limits.max_images_per_request, limits.max_batch_size, limits.queue_capacity, limits.max_message_bytes
        ),
        weights_sha256=model.weights_sha256,
    )


def statuses_of(response: pb.ListModelsResponse) -> List[VersionStatus]:
    return [
        VersionStatus(
            version=version_of(status.version),
            state=pb.ModelStatus.State.Name(status.state).removeprefix("STATE_").lower(),
            reason=status.reason,
            is_current=status.is_current,
            is_default=status.is_default,
        )
        for status in response.models
    ]


def _seconds(duration: Any) -> float:
    return float(duration.seconds) + float(duration.nanos) / 1e9
