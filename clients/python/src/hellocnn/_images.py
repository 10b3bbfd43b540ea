"""Images as people have them, as the messages of the protocol."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Iterable, List, Union

import numpy as np

from .v1 import classifier_service_pb2 as pb

if TYPE_CHECKING:
    import PIL.Image

# One image or several: an array of uint8 grey levels, light digits on black, or of float32 values that are normalised,
# [32, 32], [28, 28], [N, 32, 32] or [N, 28, 28]; the bytes of a picture file; a picture of Pillow; or a list of these.
ImageInput = Union["np.ndarray[Any, Any]", bytes, "PIL.Image.Image", Iterable[Any]]

_MOST_SIDE = 32


def to_messages(images: ImageInput) -> List[pb.Image]:
    """Raises TypeError or ValueError, which name the image, for what is no image."""
    if isinstance(images, np.ndarray):
        return _of_array(images, "images")
    if isinstance(images, (bytes, bytearray, memoryview)) or _is_picture(images):
        return [_of_one(images, "images")]
    if not hasattr(images, "__iter__"):
        raise TypeError(f"images is {type(images).__name__}; wanted an array, a picture, the bytes of a file, or a list of these")
    messages: List[pb.Image] = []
    for i, image in enumerate(images):
        if isinstance(image, np.ndarray):
            messages += _of_array(image, f"images[{i}]")
        else:
            messages.append(_of_one(image, f"images[{i}]"))
    if not messages:
        raise ValueError("images is empty; wanted at least one")
    return messages


def _is_picture(image: Any) -> bool:
    return hasattr(image, "save") and hasattr(image, "getbands")  # without importing Pillow


def _of_one(image: Any, name: str) -> pb.Image:
    if isinstance(image, (bytes, bytearray, memoryview)):
        return pb.Image(encoded=bytes(image))
    if _is_picture(image):
        file = io.BytesIO()
        image.save(file, "PNG")
        return pb.Image(encoded=file.getvalue())
    raise TypeError(f"{name} is {type(image).__name__}; wanted an array, a picture of Pillow, or the bytes of a picture file")


def _of_array(array: "np.ndarray[Any, Any]", name: str) -> List[pb.Image]:
    if array.dtype == np.uint8:
        field, contiguous = "gray8", np.ascontiguousarray(array)
    elif array.dtype in (np.float32, np.float64):
        field, contiguous = "float32", np.ascontiguousarray(array, dtype="<f4")
    else:
        raise TypeError(f"{name} has values of {array.dtype}; wanted uint8 grey levels, or float32 that are normalised")
    if contiguous.ndim == 4 and contiguous.shape[1] == 1:
        contiguous = contiguous[:, 0]
    if contiguous.ndim == 2:
        contiguous = contiguous[np.newaxis]
    if contiguous.ndim != 3 or contiguous.shape[1] != contiguous.shape[2] or not 1 <= contiguous.shape[1] <= _MOST_SIDE:
        raise ValueError(f"{name} has the shape {list(array.shape)}; wanted [N, 28, 28] or [N, 32, 32], or one image of these")
    if len(contiguous) == 0:
        raise ValueError(f"{name} has no images; wanted at least one")
    return [pb.Image(**{field: image.tobytes()}) for image in contiguous]
