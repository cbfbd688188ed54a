"""Pictures as they are sent: every kind that Pillow has, files, encoded bytes; and what is refused, with the true cure."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest

from genai_live._backends import MLDEV
from genai_live._client_messages import inputs, pictures
from genai_live.errors import ConfigError
from genai_live.types import Blob

SIZE = (48, 32)
UP_LEFT = (3, 3)


def coloured(mode: str = "RGB") -> PIL.Image.Image:
    """Blue, with a red corner at the upper left."""
    image = PIL.Image.new("RGB", SIZE, (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 12, 12))
    return image.convert(mode)


def opened(image: PIL.Image.Image, format: str, **options: Any) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(encoded(image, format, **options)))


def encoded(image: PIL.Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def sent(video: Any) -> tuple[str, bytes]:
    blob = inputs.realtime_input(MLDEV, video=video)["realtimeInput"]["video"]
    return blob["mimeType"], base64.b64decode(blob["data"])


def seen(video: Any) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(sent(video)[1])).convert("RGB")


def near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(pixel, colour, strict=True))


# What an image becomes.


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16", "RGBX"])
def test_a_picture_made_in_memory_goes_out_as_jpeg(mode: str) -> None:
    image = PIL.Image.new(mode, SIZE) if mode in ("LAB", "I", "F", "I;16", "RGBX") else coloured(mode)
    mime_type, data = sent(image)
    assert mime_type == "image/jpeg"
    assert PIL.Image.open(io.BytesIO(data)).size == SIZE


@pytest.mark.parametrize("mode", ["RGB", "P", "CMYK", "HSV", "RGBA"])
def test_colours_stay_what_they_are(mode: str) -> None:
    image = seen(coloured(mode))
    assert near(image.getpixel(UP_LEFT), (255, 0, 0))
    assert near(image.getpixel((40, 20)), (0, 0, 255))


def test_the_quality_of_jpeg_is_the_stated_one() -> None:
    _, data = sent(coloured())
    assert PIL.Image.open(io.BytesIO(data)).quantization == opened(coloured(), "JPEG", quality=pictures.JPEG_QUALITY).quantization  # type: ignore[attr-defined]


def test_a_picture_opened_from_jpeg_keeps_its_quality_and_one_from_png_stays_png() -> None:
    jpeg = opened(coloured(), "JPEG", quality=31)
    mime_type, data = sent(jpeg)
    assert mime_type == "image/jpeg"
    assert PIL.Image.open(io.BytesIO(data)).quantization == jpeg.quantization  # type: ignore[attr-defined]
    assert sent(opened(coloured(), "PNG"))[0] == "image/png"


def test_a_jpeg_of_printers_colours_becomes_one_that_everybody_reads() -> None:
    image = PIL.Image.open(io.BytesIO(sent(opened(coloured("CMYK"), "JPEG"))[1]))
    assert image.mode == "RGB"


def test_what_the_colours_mean_goes_with_them() -> None:
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    for source in (opened(coloured(), "JPEG", icc_profile=profile), opened(coloured(), "WEBP", icc_profile=profile)):
        assert PIL.Image.open(io.BytesIO(sent(source)[1])).info["icc_profile"] == profile


def test_the_place_where_it_was_taken_does_not_go_with_it() -> None:
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    exif[0x0112] = 1
    photograph = opened(coloured(), "JPEG", exif=exif)
    assert 0x8825 in photograph.getexif()
    assert not PIL.Image.open(io.BytesIO(sent(photograph)[1])).getexif()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "La", "RGBa"])
def test_what_can_be_seen_through_stays_so_as_png(mode: str) -> None:
    mime_type, data = sent(PIL.Image.new(mode, SIZE))
    assert mime_type == "image/png"
    assert PIL.Image.open(io.BytesIO(data)).convert("RGBA").getpixel(UP_LEFT)[3] == 0  # type: ignore[index]


def test_a_palette_with_a_transparent_colour_is_seen_through() -> None:
    gif = PIL.Image.new("P", SIZE)
    assert sent(opened(gif, "GIF", transparency=0))[0] == "image/png"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_upright_as_its_exif_says(orientation: int, format: str) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    photograph = opened(coloured(), format, exif=exif)
    as_seen, as_it_should = seen(photograph), PIL.ImageOps.exif_transpose(photograph).convert("RGB")
    assert as_seen.size == as_it_should.size
    for place in (UP_LEFT, (as_seen.width - 4, 3), (3, as_seen.height - 4), (as_seen.width - 4, as_seen.height - 4)):
        assert near(as_seen.getpixel(place), as_it_should.getpixel(place))  # type: ignore[arg-type]


def test_sixteen_bits_keep_their_greys() -> None:
    for mode in ("I;16", "I;16B"):
        grey = PIL.Image.new(mode, SIZE, 0x8000)
        assert seen(grey).getpixel(UP_LEFT) == pytest.approx((128,) * 3, abs=2)


def test_of_an_animation_the_frame_at_which_it_stands_is_sent() -> None:
    gif = opened(PIL.Image.new("RGB", SIZE, "red"), "GIF", save_all=True, append_images=[PIL.Image.new("RGB", SIZE, "blue")])
    assert near(seen(gif).getpixel(UP_LEFT), (255, 0, 0))
    gif.seek(1)
    assert near(seen(gif).getpixel(UP_LEFT), (0, 0, 255))


def test_an_image_is_content_too_but_no_sound() -> None:
    message = inputs.client_content(["what is this?", coloured()], True, MLDEV)
    assert message["clientContent"]["turns"][0]["parts"][1]["inlineData"]["mimeType"] == "image/jpeg"
    with pytest.raises(ConfigError, match=r"^audio: must be bytes"):
        inputs.realtime_input(MLDEV, audio=coloured())


# What no image can become.


@pytest.mark.parametrize("exif", [b"Exif\0\0no TIFF", b"Exif\0\0MM\0\x2a\0\0\0\x08\xff\xff\x01\x12"])
def test_a_damaged_exif_stops_no_picture(exif: bytes) -> None:
    image = opened(coloured(), "JPEG")
    image.info["exif"] = exif
    assert seen(image).size == SIZE


def truncated() -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(encoded(PIL.Image.effect_noise((640, 480), 50), "JPEG")[:3_000]))


def closed() -> PIL.Image.Image:
    image = opened(coloured(), "PNG")
    image.close()
    return image


BROKEN: dict[str, tuple[Callable[[], PIL.Image.Image], str]] = {
    "truncated": (truncated, "Pillow cannot encode: .*truncated"),
    "closed": (closed, "Pillow cannot encode"),
    "empty": (lambda: PIL.Image.new("RGB", (0, 8)), "0 x 8 pixels: there is nothing to see"),
    "huge": (lambda: PIL.Image.new("1", (70_000, 1)), r"65,535 a side; shrink it: image\.thumbnail"),
    "unscaled": (lambda: PIL.Image.new("F", SIZE, 0.5), r"from 0\.5 to 0\.5 \(mode F\).*scale them"),
    "too bright": (lambda: PIL.Image.new("I", SIZE, 4_000), r"from 4000 to 4000 \(mode I\).*scale them"),
    "no number": (lambda: PIL.Image.new("F", SIZE, float("nan")), r"mode F.*scale them"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_encoded_is_refused_as_a_config_error(name: str) -> None:
    make, words = BROKEN[name]
    for call in (lambda: sent(make()), lambda: inputs.client_content(["see", make()], True, MLDEV)):
        with pytest.raises(ConfigError, match=words):
            call()


# Files.


@pytest.mark.parametrize(("format", "mime_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_a_picture_file_is_sent_as_it_is(tmp_path: Path, format: str, mime_type: str) -> None:
    (tmp_path / "x").write_bytes(encoded(coloured(), format))
    assert sent(tmp_path / "x") == (mime_type, (tmp_path / "x").read_bytes())


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"GIF89a" + bytes(20), "is image/gif; .*PIL.Image.open"), (b"", "is no picture"), (b"%PDF-1.7", "is no picture")],
)
def test_another_file_is_refused_with_what_to_do(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        sent(tmp_path / "x")
    with pytest.raises(ConfigError, match=r"^video: .*gone.* cannot be read: No such file"):
        sent(tmp_path / "gone")


# Arrays: whether their colours are RGB or BGR is nowhere to be seen.

RGB = np.asarray(coloured())
ALPHA = np.full((*RGB.shape[:2], 1), 255, np.uint8)
ARRAYS: dict[str, tuple[Any, str]] = {
    "RGB": (RGB, "RGB"),
    "BGR, as OpenCV's": (RGB[..., ::-1], "BGR"),
    "RGBA": (np.dstack((RGB, ALPHA)), "RGBA"),
    "BGRA": (np.dstack((RGB[..., ::-1], ALPHA)), "BGRA"),
    "RGB, colours first": (RGB.transpose(2, 0, 1), "RGB"),
    "BGR, colours first, floating point": ((RGB[..., ::-1] / 255).transpose(2, 0, 1).astype("float32"), "BGR"),
    "RGB, floating point": (RGB / 255, "RGB"),
    "RGB, 16 bits": (RGB.astype("uint16") * 257, "RGB"),
    "RGB, Python's numbers": (RGB.astype("int64"), "RGB"),
    "RGB, floating point up to 255": (RGB.astype("float64"), "RGB"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_pixels_is_refused_and_its_cure_gives_the_picture_that_was_meant(name: str) -> None:
    """Whether its colours are RGB or BGR is nowhere to be seen, so both cures are told."""
    array, colours = ARRAYS[name]
    with pytest.raises(ConfigError, match=r"^video: is ndarray of ") as caught:
        sent(array)
    cures = str(caught.value).partition("; pass ")[2].split(", PIL")
    cure = next(cure for cure in cures if re.search(rf" if (it is|its colours are|they are) {colours}\b", cure)).partition(
        " if "
    )[0]
    image = seen(eval(cure if cure.startswith("PIL") else f"PIL{cure}", {"x": array, "PIL": PIL}))
    assert image.size == SIZE
    assert near(image.getpixel(UP_LEFT), (255, 0, 0))
    assert near(image.getpixel((40, 20)), (0, 0, 255))


def test_an_array_without_colours_has_one_cure_and_encoded_bytes_another() -> None:
    with pytest.raises(ConfigError, match=r"; pass PIL\.Image\.fromarray\(x\)$"):
        sent(RGB[..., 0])
    for encoded_already in (np.zeros(80, np.uint8), np.zeros((80, 1), np.uint8)):
        with pytest.raises(ConfigError, match=r"encoded already, as by cv2\.imencode, go into a Blob"):
            sent(encoded_already)


@pytest.mark.parametrize(
    "array", [RGB[..., 0] > 128, RGB[..., :1] / 255, (RGB[..., :1] / 255).transpose(2, 0, 1)], ids=["bool", "last", "first"]
)
def test_an_array_of_one_colour_has_a_cure_that_keeps_it(array: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        sent(array)
    image = seen(eval(str(caught.value).partition("; pass ")[2], {"x": array, "PIL": PIL}))
    assert (image.size, image.convert("L").getpixel(UP_LEFT)) == (SIZE, 255)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), "these are 2 pictures: send them one by one"),
        (np.zeros((0, 0, 3), np.uint8), "it has no pixels"),
        (np.zeros((8, 8, 2), np.uint8), "none has 2 colours"),
        (io.BytesIO(b"x"), "not BytesIO; what its read\\(\\) gives goes into a Blob"),
    ],
    ids=["a film", "nothing", "two colours", "a file"],
)
def test_what_is_no_picture_is_told_so(array: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        sent(array)


def test_a_tensor_is_refused_too() -> None:
    class Tensor:
        shape, dtype = (3, 8, 8), "torch.uint8"

    with pytest.raises(ConfigError, match="make a numpy array of it"):
        sent(Tensor())


# Encoded bytes.


def test_encoded_bytes_are_taken_in_every_form() -> None:
    jpeg = encoded(coloured(), "JPEG")
    column = np.frombuffer(jpeg, np.uint8).reshape(-1, 1)
    for data in (jpeg, bytearray(jpeg), memoryview(jpeg), np.frombuffer(jpeg, np.uint8), column, base64.b64encode(jpeg).decode()):
        assert sent({"data": data, "mime_type": "image/jpeg"}) == ("image/jpeg", jpeg)
    assert sent(Blob(data=jpeg, mime_type="image/jpg")) == ("image/jpeg", jpeg), "the registered name"


@pytest.mark.parametrize(
    ("data", "mime_type", "words"),
    [
        (bytes(921_600), "image/jpeg", r"video\.data: begins as no picture does.*encode the pixels first"),
        (bytes(921_600), "image/png", "encode the pixels first"),
        (encoded(coloured(), "PNG"), "image/jpeg", "the data begins as image/png does; say 'image/png'"),
        (
            base64.b64encode(encoded(coloured(), "JPEG")),
            "image/jpeg",
            r"video\.data: is text, and .* bytes of it are decoded first",
        ),
        (np.zeros((8, 8, 3), np.uint8), "image/jpeg", r"video\.data: must be bytes, not .*\(8, 8, 3\)"),
        (b"\0" * 8, "video/mp4", "one by one, as images"),
    ],
)
def test_bytes_that_are_not_what_they_say_are_refused(data: Any, mime_type: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        sent({"data": data, "mime_type": mime_type})
