"""A caller's sound as the Blob that is sent: 16-bit mono PCM that says its rate. Pure: runs on any thread, never blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from genai_live._client_messages.bare_bytes import bytes_of
from genai_live._validation import spelled, unknown_key
from genai_live.audio import INPUT_RATE, SAMPLE_BYTES, Audio, channels_of, encodings, mime_type_of, rate_of, to_mono
from genai_live.audio.buffers import is_buffer, sample_bytes
from genai_live.audio.containers import WAV_FILE, cure_of, is_wav, kind_of_file
from genai_live.audio.resampling import mixed
from genai_live.audio.wav import parse_wav
from genai_live.errors import ConfigError
from genai_live.types import Blob

PCM_MIME_TYPE = mime_type_of(INPUT_RATE)
"""The MIME type of bare bytes: 16-bit little-endian mono PCM at 16,000 Hz."""

_PCM = frozenset(("audio/pcm", "audio/l16"))
_WAV = frozenset(("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"))
_G711: dict[str, Callable[[bytes], bytes]] = {
    "audio/pcmu": encodings.from_mu_law, "audio/basic": encodings.from_mu_law, "audio/mulaw": encodings.from_mu_law,
    "audio/x-mulaw": encodings.from_mu_law, "audio/pcma": encodings.from_a_law, "audio/alaw": encodings.from_a_law,
    "audio/x-alaw": encodings.from_a_law,
}  # fmt: skip
"""Telephone sound (RFC 3551, RFC 2046, and the names that telephone services give it); 8,000 Hz where no rate is named."""
_G711_RATE = 8_000


def sound_blob(value: Any, path: str) -> Any:
    """``Audio``, bytes or an array as a dict of a Blob; anything else as it is."""
    if isinstance(value, Audio):
        mono = to_mono(value)
        return {"data": mono.data, "mime_type": mono.mime_type}
    if is_buffer(value):
        return {"data": sample_bytes(value, path), "mime_type": PCM_MIME_TYPE}
    return value


def blob_audio(value: Blob | Mapping[str, Any], path: str) -> Audio:
    """The sound in a Blob or a dict of one, for a stream: at its own rate.

    Raises:
        ConfigError: as ``prepared_sound``, and for what is neither PCM nor a WAV file.
    """
    known, unknown = spelled(Blob, value, path)
    if unknown:
        raise unknown_key(Blob, next(iter(unknown)), path)
    mime_type = known.get("mime_type")
    if not isinstance(mime_type, str) or not mime_type.lower().startswith("audio/"):
        raise ConfigError(f"must be of audio, such as {PCM_MIME_TYPE!r}, not {mime_type!r}", f"{path}.mime_type")
    data, mime_type = prepared_sound(known.get("data"), mime_type, path)
    if _kind(mime_type) not in _PCM:
        raise ConfigError(
            f"is {mime_type!r}, and a stream is made of PCM: decode it first, for example with ffmpeg", f"{path}.data"
        )
    return Audio(data, rate_of(mime_type, INPUT_RATE))


def goes_as_it_is(mime_type: str) -> bool:
    """True for an ``audio/*`` MIME type whose samples are sent as they are: mono PCM, or a type that is not known here."""
    kind = _kind(mime_type)
    return kind not in _WAV and kind not in _G711 and (kind not in _PCM or channels_of(mime_type) == 1)


def _kind(mime_type: str) -> str:
    return mime_type.partition(";")[0].strip().lower()


def prepared_sound(data: Any, mime_type: str, path: str) -> tuple[bytes, str]:
    """The data and the MIME type of a Blob of ``audio/*`` as they are sent.

    A WAV file gives its samples and its rate, channels become one, G.711 becomes PCM. Other types are sent as they are.

    Raises:
        ConfigError: half a sample, a file where samples belong or the other way round, numbers that are not 16-bit samples.
    """
    kind = _kind(mime_type)
    if kind in _PCM:
        is_array = is_buffer(data)
        found = sample_bytes(data, f"{path}.data", channels_of(mime_type)) if is_array else bytes_of(data, path)
        return _pcm(found, mime_type, path)
    encoded = bytes_of(data, path)
    if kind in _WAV:
        if not is_wav(encoded):
            what = kind_of_file(encoded) or "bare samples"
            raise ConfigError(f"is {what}, and {mime_type} has a header; bare PCM is {PCM_MIME_TYPE}", f"{path}.data")
        sound = to_mono(Audio(*parse_wav(encoded, f"{path}.data")))
        return sound.data, sound.mime_type
    if kind in _G711:
        return _G711[kind](encoded), mime_type_of(rate_of(mime_type, _G711_RATE))
    return encoded, mime_type


def _pcm(data: bytes, mime_type: str, path: str) -> tuple[bytes, str]:
    """PCM has no header and whole samples; anything else is heard as noise, and only by the model."""
    kind = kind_of_file(data)
    if kind is not None:
        advice = "use stream_audio(path), or say audio/wav" if kind == WAV_FILE else cure_of(kind)
        raise ConfigError(f"is {kind}, and {mime_type} has no header; {advice}", f"{path}.data")
    if len(data) % SAMPLE_BYTES:
        raise ConfigError(
            f"holds {len(data)} bytes, and 16-bit samples have two each: cut the sound at a sample's end", f"{path}.data"
        )
    if goes_as_it_is(mime_type):
        return data, mime_type
    rate, channels = rate_of(mime_type, INPUT_RATE), channels_of(mime_type)
    if len(data) % (SAMPLE_BYTES * channels):
        raise ConfigError(
            f"holds {len(data)} bytes, which is not a whole number of samples of {channels} channels", f"{path}.data"
        )
    return mixed(data, channels), f"{_kind(mime_type)};rate={rate}"
