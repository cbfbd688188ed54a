"""What a caller says, in every accepted shape, as client messages: any thread. Pure, but for encoding images and seeing files."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from genai_live import _json
from genai_live._arguments import flag
from genai_live._backends import Backend
from genai_live._base64_text import LARGE_BYTES, Base64Text, Payload
from genai_live._client_messages.bare_bytes import bytes_of, hint
from genai_live._client_messages.contents import FORMS, USER_ROLE, contents
from genai_live._client_messages.pictures import check_no_array, picture_blob, prepared_picture
from genai_live._client_messages.sounds import PCM_MIME_TYPE, goes_as_it_is, prepared_sound, sound_blob
from genai_live._client_messages.tool_list import tool_list
from genai_live._validation import Checker, kind_of, not_endless, spelled, text_of, unknown_key
from genai_live.audio import SAMPLE_BYTES, Audio
from genai_live.audio.buffers import is_buffer
from genai_live.audio.containers import FILE_BEGINNINGS, may_be_file
from genai_live.errors import ConfigError
from genai_live.families import ModelFamily
from genai_live.types import ActivityEnd, ActivityStart, Blob, Content, FunctionResponse

AUDIO_SUFFIX = b'"}}}'
"""What follows the base64 of an audio message that began with ``audio_prefix``."""
AUDIO_STREAM_END = _json.dumps({"realtimeInput": {"audioStreamEnd": True}})
"""The message that no sound comes for a while; the same for every backend."""
WAV_SUFFIXES = (".wav", ".wave")
"""Of a WAV file's name."""
_CONTAINERS = (list, tuple)

# RFC 2045, section 5.1: type/subtype and parameters.
_names_no_rate = re.compile(r";\s*rate=(?!\"?[1-9][0-9]{3,6}\"?\s*(;|$))", re.IGNORECASE).search
"""Finds a rate that is not a number of Hz; one of two digits was meant in kHz, and would be heard a thousand times too slow."""
_is_mime_type = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;\s*[\w!#$&^.+-]+=(\"[^\"]*\"|[^\s;\"]+))*", re.ASCII).fullmatch


def client_content(turns: Any, turn_complete: bool | None, backend: Backend, path: str = "turns") -> dict[str, Any]:
    """A clientContent message. ``turns`` None is left out; ``turn_complete`` None is left out, which the service reads as False.

    ``path`` is the name of the caller's argument.

    Raises:
        ConfigError: a shape that is not accepted, Contents mixed with parts, a field that the backend lacks, or an unknown key.
    """
    content: dict[str, Any] = {}
    if type(turns) is str:  # the most frequent input, without the checks of what cannot be wrong (docs/performance.md)
        content["turns"] = [{"role": USER_ROLE, "parts": [{"text": text_of(turns, path)}]}]
    elif turns is not None:
        checker = Checker(backend, FORMS, keep_unknown=True)
        several = isinstance(turns, _CONTAINERS) and len(turns) > 1
        with not_endless(path):
            content["turns"] = [
                # 3.x models close the connection with 1007 where a turn has no role, which means the user's.
                {"role": USER_ROLE, **checker.message(Content, turn, f"{path}[{index}]" if several else path)}
                for index, turn in enumerate(contents(turns, path))
            ]
    if turn_complete is not None:
        content["turnComplete"] = flag(turn_complete, "turn_complete")
    return {"clientContent": content}


def no_file_name(text: str) -> str:
    """The text of a question.

    Raises:
        ConfigError: it is the path of a WAV file that is there, of which the model would read the name.
    """
    if text.lower().endswith(WAV_SUFFIXES) and os.path.isfile(text):
        cure = f"pass pathlib.Path({text!r}) to have it spoken, or send_text its name"
        raise ConfigError(f"is the path of a WAV file, and a str is sent as text: {cure}", "content")
    return text


def typed(text: str, backend: Backend, family: ModelFamily) -> dict[str, Any]:
    """The message of a sentence that the user wrote, in the form that the session's model takes.

    Raises:
        ConfigError: not a str.
    """
    if not isinstance(text, str):
        raise ConfigError(f"must be a str, not {type(text).__name__}", "text")
    return realtime_input(backend, text=text) if family.text_as_realtime_input else client_content(text, True, backend)


def words_of_question(message: Mapping[str, Any]) -> str:
    """The text that a message asks: of contents the last one's."""
    if "realtimeInput" in message:
        return str(message["realtimeInput"].get("text") or "")
    turns: Sequence[Mapping[str, Any]] = message["clientContent"].get("turns") or ({},)
    return "\n".join(part["text"] for part in turns[-1].get("parts") or () if part.get("text"))


def realtime_input(
    backend: Backend,
    *,
    media: Any = None,
    audio: Any = None,
    video: Any = None,
    text: str | None = None,
    activity_start: Any = None,
    activity_end: Any = None,
    audio_stream_end: bool | None = None,
) -> dict[str, Any]:
    """A realtimeInput message of exactly one argument.

    ``audio`` is a Blob with an ``audio/*`` MIME type, a dict of one, ``Audio``, or bare samples: bytes or an array of 16-bit mono
    PCM at 16,000 Hz. ``video`` is one frame: a Blob with an ``image/*`` MIME type, a dict of one, a PIL image, or the path of a
    picture file. ``media`` is the older form for both, or a list of them.

    Raises:
        ConfigError: no argument or several, a wrong MIME type, text that is not base64, half a sample, a WAV file where PCM
            belongs, or an array of something else.
    """
    given = {
        "media": media, "audio": audio, "video": video, "text": text, "activity_start": activity_start,
        "activity_end": activity_end, "audio_stream_end": audio_stream_end,
    }  # fmt: skip
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        found = f"got {', '.join(names)}; send them one after the other" if names else f"got none of {', '.join(given)}"
        raise ConfigError(f"send_realtime_input takes exactly one argument, {found}")
    name = names[0]
    wire, value = _REALTIME[name](Checker(backend, FORMS), given[name])
    return {"realtimeInput": {wire: value}}


def _media(checker: Checker, value: Any) -> tuple[str, Any]:
    blobs = value if isinstance(value, _CONTAINERS) else [value]
    if not blobs:
        raise ConfigError("is an empty list; send a Blob", "media")
    paths = [f"media[{index}]" for index in range(len(blobs))] if isinstance(value, _CONTAINERS) else ["media"]
    blobs = [sound_blob(blob, path) if isinstance(blob, Audio) else blob for blob, path in zip(blobs, paths, strict=True)]
    return "mediaChunks", [_blob(checker, blob, path, "") for blob, path in zip(blobs, paths, strict=True)]


def _audio(checker: Checker, value: Any) -> tuple[str, Any]:
    return "audio", _blob(checker, sound_blob(value, "audio"), "audio", "audio/")


def _video(checker: Checker, value: Any) -> tuple[str, Any]:
    check_no_array(value, "video")
    return "video", _blob(checker, value, "video", "image/")


def _text(checker: Checker, value: Any) -> tuple[str, Any]:
    return "text", text_of(value, "text")


def _activity_start(checker: Checker, value: Any) -> tuple[str, Any]:
    return "activityStart", checker.message(ActivityStart, {} if value is True else value, "activity_start")


def _activity_end(checker: Checker, value: Any) -> tuple[str, Any]:
    return "activityEnd", checker.message(ActivityEnd, {} if value is True else value, "activity_end")


def _audio_stream_end(checker: Checker, value: Any) -> tuple[str, Any]:
    return "audioStreamEnd", flag(value, "audio_stream_end")


_REALTIME = {
    "media": _media,
    "audio": _audio,
    "video": _video,
    "text": _text,
    "activity_start": _activity_start,
    "activity_end": _activity_end,
    "audio_stream_end": _audio_stream_end,
}


def _blob(checker: Checker, value: Any, path: str, kind: str) -> dict[str, Any]:
    """The JSON of one Blob whose MIME type begins with ``kind``."""
    if kind != "audio/":
        value = picture_blob(value, path)
    known = _blob_fields(value, path, kind)
    mime_type = known.get("mime_type")
    if not isinstance(mime_type, str) or not mime_type:
        example = PCM_MIME_TYPE if kind == "audio/" else "image/jpeg"
        raise ConfigError(f"is missing; say what the bytes are, for example {example!r}", f"{path}.mime_type")
    if not _is_of(mime_type, kind):
        raise ConfigError(
            f"{mime_type!r} is not a MIME type{f' of {kind}*' if kind else ''}{_elsewhere(mime_type, kind)}", f"{path}.mime_type"
        )
    known["data"], known["mime_type"] = _prepared(known.get("data"), mime_type, path)
    return checker.message(Blob, known, path)


def _prepared(data: Any, mime_type: str, path: str) -> tuple[bytes, str]:
    if mime_type.lower().startswith("audio/"):
        return prepared_sound(data, mime_type, path)
    if mime_type.lower().startswith("image/"):
        return prepared_picture(data, mime_type, path)
    return bytes_of(data, path), mime_type


def _is_of(mime_type: str, kind: str) -> bool:
    """True for a MIME type that begins with ``kind``; a rate in it has to be a number of Hz."""
    return bool(_is_mime_type(mime_type)) and mime_type.lower().startswith(kind) and not _names_no_rate(mime_type)


def _blob_fields(value: Any, path: str, kind: str) -> dict[str, Any]:
    if isinstance(value, (Blob, Mapping)):
        known, unknown = spelled(Blob, value, path)
        if unknown:
            raise unknown_key(Blob, next(iter(unknown)), path)
        return known
    shapes = {"audio/": "bytes, a Blob or a dict of one", "image/": "a Blob, a dict of one or a PIL image"}
    accepted = shapes.get(kind, "a Blob, a dict of one, a PIL image, or a list of them")
    advice = f"; bytes need a MIME type: Blob(data=..., mime_type={'image/jpeg'!r})" if is_buffer(value) else hint(value)
    raise ConfigError(f"must be {accepted}, not {kind_of(value)}{advice}", path)


def _elsewhere(mime_type: str, kind: str) -> str:
    if mime_type.lower().startswith(kind):
        return "; a rate is a number of Hz: audio/pcm;rate=16000" if _names_no_rate(mime_type) else ""
    if kind == "image/" and mime_type.startswith("video/"):
        return "; send the frames of a video one by one, as images"
    if mime_type.startswith("image/"):
        return "; pictures go into video="
    return "; sound goes into audio=" if mime_type.startswith("audio/") else ""


def tool_response(
    function_responses: Any, backend: Backend, ids_waiting: Callable[[str], list[str | None]] = lambda name: []
) -> dict[str, Any]:
    """A toolResponse message from a FunctionResponse, a dict of one, or a list of them; what ``response`` holds is sent as it is.

    ``ids_waiting`` knows by name which calls wait for a response: one without an id is that of the only one.

    Raises:
        ConfigError: nothing, a name or response is missing, an id is missing and nothing tells which, or an unknown key.
    """
    path = "function_responses"
    several = isinstance(function_responses, _CONTAINERS)
    responses = function_responses if several else [function_responses]
    if function_responses is None or not responses:
        raise ConfigError("holds no response; pass a FunctionResponse or a list of them", path)
    checker = Checker(backend, FORMS, keep_unknown=True)
    paths = [f"{path}[{index}]" if several else path for index in range(len(responses))]
    with not_endless(path):
        made = [_response(checker, response, where) for response, where in zip(responses, paths, strict=True)]
    taken = {response.get("id") for response in made}
    for response, where in zip(made, paths, strict=True):
        if not response.get("id"):
            _take_id(response, [each for each in ids_waiting(response["name"]) if each not in taken - {None}], backend, where)
            taken.add(response.get("id"))
    return {"toolResponse": {"functionResponses": made}}


def _take_id(response: dict[str, Any], waiting: list[str | None], backend: Backend, path: str) -> None:
    """Gives a response the id of its call; None of a call that has none either."""
    response.pop("id", None)
    if len(waiting) > 1:
        told = ", ".join(repr(each) for each in waiting)
        raise ConfigError(f"is missing, and {len(waiting)} calls of {response['name']!r} wait: {told}", f"{path}.id")
    if not waiting and not backend.is_vertex:
        words = f"is missing; {backend} matches responses to calls by the call's id, and no call of {response['name']!r} waits"
        raise ConfigError(words, f"{path}.id")
    if waiting and waiting[0] is not None:
        response["id"] = waiting[0]


def _response(checker: Checker, value: Any, path: str) -> dict[str, Any]:
    given = value.get("response") if isinstance(value, Mapping) else getattr(value, "response", None)
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f'must be a dict, not {type(given).__name__}; pass {{"output": x}}', f"{path}.response")
    response = checker.message(FunctionResponse, value, path)
    if not response.get("name"):
        raise ConfigError("is missing; it is the name of the call that this answers", f"{path}.name")
    if "response" not in response:
        raise ConfigError('is missing; pass a dict such as {"output": ...} or {"error": ...}', f"{path}.response")
    return response


def context_update(system_instruction: Any, tools: Any, backend: Backend) -> dict[str, Any]:
    """A contextUpdate message: a new system instruction, a new list of tools, or both; an empty list removes all tools.

    Raises:
        ConfigError: both are missing, or a shape that is not accepted.
    """
    if system_instruction is None and tools is None:
        raise ConfigError("send_context_update takes a system_instruction, tools, or both")
    checker = Checker(backend, FORMS)
    update: dict[str, Any] = {}
    if system_instruction is not None:
        with not_endless("system_instruction"):
            update["systemInstruction"] = checker.message(Content, system_instruction, "system_instruction")
    if tools is not None:
        with not_endless("tools"):
            update["tools"] = {"tools": tool_list(checker, tools, "tools")}
    return {"contextUpdate": update}


def audio_json(value: Any) -> Payload | None:
    """The JSON of ``realtime_input(audio=value)`` for sound in its usual shapes, from a prepared text (docs/performance.md).

    None for every other shape, and for what is wrong: the long way says what.
    """
    data: Any = value
    mime_type: Any = PCM_MIME_TYPE
    if type(value) is Blob or type(value) is dict:
        fields = value if type(value) is dict else vars(value)
        data, mime_type = (fields.get("data"), fields.get("mime_type")) if len(fields) == 2 else (None, None)
    if type(data) is not bytes or len(data) % SAMPLE_BYTES or data[:4] in FILE_BEGINNINGS or may_be_file(data):
        return None
    if type(mime_type) is not str or not _is_sound(mime_type):
        return None
    if len(data) > LARGE_BYTES:
        return Base64Text(audio_prefix(mime_type), data, AUDIO_SUFFIX)
    return b"".join((audio_prefix(mime_type), _json.b64encode(data), AUDIO_SUFFIX))


@functools.lru_cache(maxsize=64)  # a session sends one kind of sound
def _is_sound(mime_type: str) -> bool:
    return _is_of(mime_type, "audio/") and goes_as_it_is(mime_type)


@functools.lru_cache(maxsize=64)  # a session sends one kind of sound
def audio_prefix(mime_type: str) -> bytes:
    """What stands before the base64 in an audio message: prefix + base64 + AUDIO_SUFFIX is what ``realtime_input`` gives.

    The short way for sound that is sent many times a second; the caller vouches for whole samples.

    Raises:
        ConfigError: not an ``audio/*`` MIME type.
    """
    if not _is_of(mime_type, "audio/"):
        raise ConfigError(f"{mime_type!r} is not a MIME type of audio/*", "mime_type")
    return b'{"realtimeInput":{"audio":{"mimeType":' + _json.dumps(mime_type) + b',"data":"'
