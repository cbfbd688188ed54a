"""All that a caller may mean by content: text, parts, files, images, lists. Pure, but for encoding images; any thread."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from genai_live._client_messages.pictures import image_blob, is_image
from genai_live._validation import Checker, Form, kind_of, spelled, unknown_key
from genai_live.audio import Audio
from genai_live.audio.buffers import is_buffer
from genai_live.errors import ConfigError
from genai_live.types import Blob, Content, File, FileData, Part
from genai_live.types._base import Message, names_of

USER_ROLE = "user"
"""The role of what a caller says without naming one."""
MODEL_ROLE = "model"
"""The role of a lone function call: only a model makes them."""
ACCEPTED = "a str, Content, Part, File, image, a dict of one of them, or a list of them"
"""For error messages."""
_CONTAINERS = (list, tuple)


def content(value: Any, path: str) -> Content | Mapping[str, Any]:
    """One Content from any accepted shape: a Content is kept as it is, parts become one of the user.

    Raises:
        ConfigError: an empty list, a list that holds Contents, or a shape that is not accepted.
    """
    if is_content(value):
        return value  # type: ignore[no-any-return]
    if not isinstance(value, _CONTAINERS):
        made = part(value, path)
        return {"role": MODEL_ROLE if _holds(made, "function_call") else USER_ROLE, "parts": [made]}
    if not value:
        raise ConfigError("is an empty list; leave it out, or give it a part", path)
    for index, item in enumerate(value):
        if is_content(item):
            raise ConfigError("is a Content among parts; pass one Content, or only its parts", f"{path}[{index}]")
    return {"role": USER_ROLE, "parts": [part(item, f"{path}[{index}]") for index, item in enumerate(value)]}


def contents(value: Any, path: str) -> list[Content | Mapping[str, Any]]:
    """The turns of a conversation from any accepted shape: Contents are kept in order, parts become one turn of the user.

    Raises:
        ConfigError: Contents and parts mixed, a function call or response outside a Content, or a shape that is not accepted.
    """
    items = list(value) if isinstance(value, _CONTAINERS) else [value]
    of_contents = [is_content(item) for item in items]
    if all(of_contents):
        return items
    if any(of_contents):
        raise ConfigError("mixes Contents and parts; put every part into a Content", path)
    if not isinstance(value, _CONTAINERS):
        return [_user_turn([part(value, path)], [path])]
    paths = [f"{path}[{index}]" for index in range(len(items))]
    return [_user_turn([part(item, where) for item, where in zip(items, paths, strict=True)], paths)]


def _user_turn(parts: list[Part | Mapping[str, Any]], paths: list[str]) -> dict[str, Any]:
    for item, path in zip(parts, paths, strict=True):
        for name in ("function_call", "function_response"):
            if _holds(item, name):
                advice = "; a response goes through send_tool_response" if name == "function_response" else ""
                raise ConfigError(f"a part with {name} needs a Content with a role around it{advice}", path)
    return {"role": USER_ROLE, "parts": parts}


def is_content(value: Any) -> bool:
    """True for a Content, or a dict of one."""
    if isinstance(value, Content):
        return True
    return isinstance(value, Mapping) and set(value) <= set(names_of(Content))


def part(value: Any, path: str) -> Part | Mapping[str, Any]:  # noqa: PLR0911 - one for each shape
    """One Part from text, a Part, a File, a Blob, an image, or a dict of one of them.

    Raises:
        ConfigError: a shape that is not accepted, or a File without its address.
    """
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, Part):
        return value
    if isinstance(value, Blob):
        return {"inline_data": value}
    if isinstance(value, FileData):
        return {"file_data": value}
    if isinstance(value, File) or _is_dict_of(File, value, {"uri", "download_uri", "size_bytes", "state", "source"}):
        return _file_part(value, path)
    if is_image(value):
        return {"inline_data": image_blob(value, path)}
    if not isinstance(value, Mapping):
        raise ConfigError(f"must be {ACCEPTED}, not {kind_of(value)}{_hint(value)}", path)
    if _is_dict_of(FileData, value, {"file_uri"}):
        return {"file_data": value}
    if _is_dict_of(Blob, value, {"data"}):
        return {"inline_data": value}
    _check_part_keys(value, path)
    return value


def _hint(value: Any) -> str:
    """What to do with sound, bytes and files, which are no parts until it is known what they are."""
    if isinstance(value, Audio):
        return "; ask(audio) speaks it, and a part of it is Blob(data=audio.wav_bytes(), mime_type='audio/wav')"
    if isinstance(value, os.PathLike):
        return "; ask(pathlib.Path) speaks a WAV file, and a part of a file is Blob(data=path.read_bytes(), mime_type=...)"
    return "; ask(Audio(x, rate)) speaks sound, and a part of bytes is Blob(data=x, mime_type=...)" if is_buffer(value) else ""


def _is_dict_of(cls: type[Message], value: Any, telling: set[str]) -> bool:
    """True for a dict that has one of the fields that ``cls`` has and a Part has not."""
    if not isinstance(value, Mapping):
        return False
    names = names_of(cls)
    return any(isinstance(key, str) and names.get(key) in telling for key in value)


def _check_part_keys(value: Mapping[str, Any], path: str) -> None:
    of_content = [key for key in value if key in names_of(Content)]
    neither = [key for key in value if key not in names_of(Part) and key not in of_content]
    if neither:
        meant = Content if of_content and len(of_content) + len(neither) == len(value) else Part
        raise unknown_key(meant, str(neither[0]), path)
    if of_content:
        raise unknown_key(Part, of_content[0], path, "a dict is either a Content (parts, role) or a Part")


def _file_part(value: Any, path: str) -> dict[str, Any]:
    known, unknown = spelled(File, value, path)
    if unknown and isinstance(value, Mapping):
        raise unknown_key(File, next(iter(unknown)), path)
    for name in ("uri", "mime_type"):
        if not known.get(name):
            raise ConfigError("is missing: a file is referred to by its uri and its mime_type", f"{path}.{name}")
    return {"file_data": {"file_uri": known["uri"], "mime_type": known["mime_type"]}}


def _holds(value: Part | Mapping[str, Any], name: str) -> bool:
    return spelled(Part, value, "")[0].get(name) is not None


def _content_form(checker: Checker, value: Any, path: str) -> Any:
    return content(value, path)


def _part_form(checker: Checker, value: Any, path: str) -> Any:
    return part(value, path)


FORMS: dict[type[Message], Form] = {Content: _content_form, Part: _part_form}
"""For a Checker: wherever a Content or a Part is expected, all their shapes are taken."""
