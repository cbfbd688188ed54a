"""A caller's picture as the Blob that is sent: an image of Pillow's, a picture file, encoded bytes. Runs on any thread.

Encoding takes as long as Pillow takes, some milliseconds for a camera's frame. Pillow is never loaded here: an image brings it.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from genai_live._arguments import file_path
from genai_live._client_messages.bare_bytes import bytes_of
from genai_live.audio.containers import TELLING, TEXT, kind_of_file
from genai_live.errors import ConfigError

JPEG_QUALITY = 90
"""Of pictures made in memory: letters stay sharp, and a camera's frame takes a third of PNG's bytes and a tenth of its time."""

_JPEG, _PNG = "image/jpeg", "image/png"
_KEPT_JPEG_MODES = frozenset({"L", "RGB"})
"""The modes of JPEG that everybody reads; CMYK is the printers'."""
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
_MODES_WITH_ALPHA = {"RGBA": "RGBA", "RGBa": "RGBA", "LA": "LA", "La": "LA", "PA": "RGBA"}
"""With the mode in which the same pixels can be looked at and written."""
_GREY_MODES = frozenset({"1", "L"})
_SIXTEEN_BIT_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_UNBOUNDED_MODES = frozenset({"I", "F"})
_BRIGHTEST, _BRIGHTEST_OF_16_BITS = 255, 65_535
_ORIENTATION, _UPRIGHT = 0x0112, 1
"""EXIF's tag for the way up, and its value for pixels that need no turning."""
_LONGEST_JPEG_SIDE = 65_535

_BEGINNINGS = {
    _JPEG: (0, b"\xff\xd8"), _PNG: (0, b"\x89PNG"), "image/webp": (8, b"WEBP"), "image/gif": (0, b"GIF8"),
    "image/bmp": (0, b"BM"), "image/heic": (4, b"ftyp"), "image/heif": (4, b"ftyp"), "image/avif": (4, b"ftyp"),
}  # fmt: skip
"""By MIME type, the bytes that a file of it has at which place."""
_SENT_AS_FILES = (_JPEG, _PNG, "image/webp", "image/heic")
"""What the service reads; any other file goes through Pillow."""
_DIMENSIONS, _COLOURS = 3, (3, 4)
"""Of an array of pixels, and how many numbers one pixel has."""
_LEAST_FRAME = 512
"""Bytes from which data that begins as no picture does is taken for a frame's bare pixels."""


def is_image(value: Any) -> bool:
    """True for an image of Pillow's, recognised by the names of its classes: nothing is imported."""
    return any(cls.__module__ == "PIL.Image" and cls.__name__ == "Image" for cls in type(value).__mro__)


def picture_blob(value: Any, path: str) -> Any:
    """An image or the path of a picture file as a dict of a Blob; anything else as it is.

    Raises:
        ConfigError: a picture that cannot be encoded or read.
    """
    if is_image(value):
        return image_blob(value, path)
    return _file_blob(value, path) if isinstance(value, os.PathLike) else value


def image_blob(image: Any, path: str) -> dict[str, Any]:
    """An image as a dict of a Blob: upright, and of an animation the frame at which it stands.

    One opened from JPEG stays JPEG at its own quality, one opened from PNG stays PNG; everything else becomes JPEG of quality
    JPEG_QUALITY, or PNG where it can be seen through.

    Raises:
        ConfigError: Pillow cannot encode it.
    """
    try:
        data, mime_type = _encoded(image, path)
    except ConfigError:
        raise
    except Exception as error:  # Pillow's plugins raise whatever they like for broken files
        raise ConfigError(f"is a picture that Pillow cannot encode: {error}", path) from error
    return {"data": data, "mime_type": mime_type}


def prepared_picture(data: Any, mime_type: str, path: str) -> tuple[bytes, str]:
    """The data and the MIME type of a Blob of ``image/*`` as they are sent.

    Raises:
        ConfigError: no bytes, bytes of another type, or bare pixels.
    """
    encoded = bytes_of(data, path)
    kind = mime_type.partition(";")[0].strip().lower()
    if kind == "image/jpg":  # no registered type, but what everybody writes once
        kind = mime_type = _JPEG
    if kind not in _BEGINNINGS or len(encoded) < TELLING or _begins_as(encoded, kind):
        return encoded, mime_type
    if kind_of_file(encoded) == TEXT:
        raise ConfigError(
            "is text, and a picture is bytes: a str of base64 is taken, bytes of it are decoded first", f"{path}.data"
        )
    found = _type_of(encoded)
    if found is not None:
        raise ConfigError(f"is {mime_type!r}, and the data begins as {found} does; say {found!r}", f"{path}.mime_type")
    if len(encoded) >= _LEAST_FRAME:
        raise ConfigError(
            f"begins as no picture does, and {mime_type} is an encoded picture: encode the pixels first, which "
            f"video=PIL.Image.frombytes(mode, size, data) does",
            f"{path}.data",
        )
    return encoded, mime_type


def _begins_as(data: bytes, mime_type: str) -> bool:
    at, beginning = _BEGINNINGS[mime_type]
    return data.startswith(beginning, at)


def _type_of(data: bytes) -> str | None:
    return next((mime_type for mime_type in _BEGINNINGS if _begins_as(data, mime_type)), None)


# Files and arrays.


def _file_blob(path_of_file: Any, path: str) -> dict[str, Any]:
    name = file_path(path_of_file, path)
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise ConfigError(f"{name!r} cannot be read: {error.strerror or error}", path) from error
    mime_type = _type_of(data)
    if mime_type not in _SENT_AS_FILES:
        kind = "no picture" if mime_type is None else mime_type
        raise ConfigError(
            f"{name!r} is {kind}; files of {', '.join(_SENT_AS_FILES)} are sent, others by PIL.Image.open(path)", path
        )
    return {"data": data, "mime_type": mime_type}


def check_no_array(value: Any, path: str) -> None:
    """Raises ConfigError for an array of pixels, whose colours are ambiguous, with what to pass instead."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        raise ConfigError(f"is {type(value).__name__} of {value.dtype} in the shape {tuple(value.shape)}; {_cure(value)}", path)


def _cure(array: Any) -> str:  # noqa: PLR0911 - one for each kind of array
    """What to pass instead of an array of pixels ``x``."""
    shape, kind = tuple(array.shape), str(array.dtype)
    if not hasattr(array, "__array_interface__"):  # PyTorch's and others
        return "make a numpy array of it, of the shape (height, width, 3) and of uint8, and pass PIL.Image.fromarray(...) of that"
    if shape[1:] in ((), (1,)):
        return "bytes that are encoded already, as by cv2.imencode, go into a Blob: {'data': x, 'mime_type': 'image/jpeg'}"
    if not all(shape):
        return "it has no pixels"
    if len(shape) > _DIMENSIONS:
        return f"these are {shape[0]} pictures: send them one by one, x[0] first"
    pixels = "x"
    if (
        len(shape) == _DIMENSIONS and shape[0] in (1, *_COLOURS) and shape[2] not in (1, *_COLOURS)
    ):  # colours first, as in PyTorch
        shape, pixels = (*shape[1:], shape[0]), "x.transpose(1, 2, 0)"
    if shape[2:] == (1,):
        shape, pixels = shape[:2], f"{pixels}[..., 0]"
    if shape[2:] and shape[2] not in _COLOURS:
        return f"a picture has the shape (height, width, 3), and none has {shape[2]} colours"
    pixels = _in_bytes(pixels, kind, array)
    if shape[2:] == (4,):
        return f"pass {_from(pixels)} if it is RGBA, {_from(pixels + '[..., [2, 1, 0, 3]]')} if it is BGRA"
    if len(shape) < _DIMENSIONS:
        return f"pass {_from(pixels)}"
    return f"pass {_from(pixels)} if its colours are RGB, {_from(pixels + '[..., ::-1]')} if they are BGR, as OpenCV's are"


def _in_bytes(pixels: str, kind: str, array: Any) -> str:
    """The expression that makes numbers from 0 to 255 of pixels."""
    if kind == "uint8":
        return pixels
    if kind == "uint16":
        return f"({pixels} // 257).astype('uint8')"
    if kind == "bool" or ("float" in kind and array.max() <= 1):
        return f"({pixels} * 255).astype('uint8')"
    return f"{pixels}.clip(0, 255).astype('uint8')"


def _from(pixels: str) -> str:
    return f"PIL.Image.fromarray({pixels})"


# Images.


def _encoded(image: Any, path: str) -> tuple[bytes, str]:
    if 0 in image.size:
        raise ConfigError(f"is a picture of {image.width} x {image.height} pixels: there is nothing to see", path)
    source, image = image.format, _upright(image)
    if source == "JPEG" == image.format and image.mode in _KEPT_JPEG_MODES:
        return _saved(image, "JPEG", quality="keep", icc_profile=image.info.get("icc_profile")), _JPEG
    if source == "PNG" and image.mode in _PNG_MODES:
        return _saved(image, "PNG"), _PNG
    seen_through = _seen_through(image)
    if seen_through is not None:
        return _saved(seen_through, "PNG"), _PNG
    if max(image.size) > _LONGEST_JPEG_SIDE:
        size = f"{image.width} x {image.height}"
        raise ConfigError(f"has {size} pixels, and JPEG at most 65,535 a side; shrink it: image.thumbnail((1536, 1536))", path)
    profile = image.info.get("icc_profile") if image.mode in _KEPT_JPEG_MODES else None  # what its colours mean
    return _saved(_bounded(image, path), "JPEG", quality=JPEG_QUALITY, icc_profile=profile), _JPEG


def _saved(image: Any, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def _upright(image: Any) -> Any:
    """The image turned as its EXIF says: encoding drops the EXIF, which has the place of the camera too."""
    try:
        orientation = image.getexif().get(_ORIENTATION, _UPRIGHT)
    except Exception:  # Pillow's reader of EXIF raises whatever it likes, too, and the pixels are not hurt
        return image
    if orientation == _UPRIGHT:
        return image
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _seen_through(image: Any) -> Any | None:
    """The image with its alpha, if any pixel is not opaque: JPEG has no alpha, and a background would be a guess."""
    if image.mode in _MODES_WITH_ALPHA:
        shown = image.convert(_MODES_WITH_ALPHA[image.mode])
    elif "transparency" in image.info:
        shown = image.convert("LA" if image.mode in _GREY_MODES else "RGBA")
    else:
        return None
    opaque: bool = shown.getchannel("A").getextrema()[0] == _BRIGHTEST
    return None if opaque else shown


def _bounded(image: Any, path: str) -> Any:
    """The image in a mode that JPEG has, every pixel from 0 to 255."""
    if image.mode in _KEPT_JPEG_MODES:
        return image
    if image.mode in _SIXTEEN_BIT_MODES:
        scale = _BRIGHTEST / _BRIGHTEST_OF_16_BITS
        return image.convert("I").point(lambda value: value * scale).convert("L")
    if image.mode in _UNBOUNDED_MODES:
        least, most = image.getextrema()
        if not 0 <= least <= most <= _BRIGHTEST or 0 < most <= 1:
            text = f"has pixels from {least:g} to {most:g} (mode {image.mode}), and a picture's go from 0 to 255"
            raise ConfigError(f"{text}: scale them, then image.convert('L')", path)
    colourless = image.mode in _GREY_MODES | _UNBOUNDED_MODES or image.mode in ("LA", "La")
    return image.convert("LA").convert("L") if image.mode == "La" else image.convert("L" if colourless else "RGB")
