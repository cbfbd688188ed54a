"""The decoder of the hot path: parsed JSON to a message, compiled once for each class. Runs on any thread.

"Compiled" means closures over small tables, made from the field table when a class is first met; no text is executed.
dataclasses-json does the same job in ``Message.from_dict``, some hundred times slower, and a property test holds the two equal.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from genai_live.types._base import Message
from genai_live.types._fields import field_codec, fields_of, names_of, snake_case
from genai_live.types._values import Convert, WrongType, must_be

M = TypeVar("M", bound=Message)
Decoder = Callable[[Any], Message]

_log = logging.getLogger("genai_live.wire")

_build_lock = threading.RLock()
"""Protects the table below while a class and all it refers to are compiled; ranks last, for nothing else is locked under it."""
_decoders: dict[tuple[type[Message], bool], Decoder] = {}
_reported: set[tuple[type[Message], str]] = set()
"""The fields whose wrong type has been logged: once for each is enough."""


def decode(cls: type[M], data: Any, *, vertex: bool = False) -> M:
    """A ``cls`` from parsed JSON, in the wire's spelling or in snake_case.

    What the class does not know stays in ``extra``, and so does a known field whose value is not of its type: nothing is guessed
    and nothing is lost. Of a field that stands there under the names of both backends, that of the peer's own backend counts.
    Never blocks.

    Args:
        cls: The class that is wanted.
        data: Parsed JSON.
        vertex: True where Vertex AI wrote it.

    Raises:
        ValueError: ``data`` is not a JSON object, or something in it that should be base64 is not.
    """
    decoder = _decoders.get((cls, vertex)) or _decoder(cls, vertex)
    try:
        return decoder(data)  # type: ignore[return-value]
    except RecursionError:
        raise ValueError(f"{cls.__name__}: nested too deeply") from None


def _decoder(cls: type[Message], vertex: bool) -> Decoder:
    """Compiles ``cls`` for one backend and all it refers to; published together, so that no thread meets a half-built one."""
    with _build_lock:
        building: dict[type[Message], Decoder] = {key[0]: made for key, made in _decoders.items() if key[1] is vertex}
        decoder = _build_decoder(cls, vertex, building)
        _decoders.update({(built, vertex): made for built, made in building.items()})
        return decoder


def _build_decoder(cls: type[Message], vertex: bool, building: dict[type[Message], Decoder]) -> Decoder:
    if cls in building:
        return building[cls]
    slots: dict[str, tuple[str, Convert]] = {}
    decoder = _by_own_names(_reader_of(cls, slots), _foreign_names(cls, vertex))
    building[cls] = decoder  # entered before its fields, because a Schema holds Schemas
    names = names_of(cls)
    readers = {}
    for field in fields_of(cls):
        if field.kind == "object":
            continue  # lives in this process only: a peer that sends the name does not get to set it
        nested = _build_decoder(field.type, vertex, building) if field.kind == "message" and field.type else _no_message
        readers[field.name] = field_codec(field, (nested, _no_message))[0]
    slots.update({spelling: (name, readers[name]) for spelling, name in names.items() if name in readers})
    return decoder


def _reader_of(cls: type[Message], slots: dict[str, tuple[str, Convert]]) -> Decoder:
    """The function that reads one ``cls``, given for each spelling the attribute and how to read its value."""
    find = slots.get
    new = cls.__new__

    # Base64 is a third of what a message of sound takes (docs/performance.md). Leaving it to the first look at ``Blob.data``
    # would make every look dearer, to the benefit of callers that never look: not worth it.
    def read(data: Any) -> Message:
        if type(data) is not dict:
            raise must_be(f"an object ({cls.__name__})", data)
        held = new(cls)
        fields = held.__dict__
        for key, value in data.items():
            if value is None:
                continue  # null means absent in protobuf JSON
            slot = find(key)
            if slot is None:
                held.extra[key] = value
                continue
            try:
                fields[slot[0]] = slot[1](value)
            except WrongType as error:
                held.extra[key] = value
                _report(cls, key, error)
        return held

    return read


def _foreign_names(cls: type[Message], vertex: bool) -> dict[str, tuple[str, ...]]:
    """The spellings of the other backend's names, each with those of the own one that win over it."""
    foreign: dict[str, tuple[str, ...]] = {}
    for field in fields_of(cls):
        if field.wire != field.vertex_wire:
            theirs, own = (field.wire, field.vertex_wire) if vertex else (field.vertex_wire, field.wire)
            foreign |= dict.fromkeys((theirs, snake_case(theirs)), (own, snake_case(own)))
    return foreign


def _by_own_names(read: Decoder, foreign: Mapping[str, tuple[str, ...]]) -> Decoder:
    """``read`` without what the peer says again under the other backend's name, for another client to understand."""
    if not foreign:
        return read

    def read_own(data: Any) -> Message:
        if type(data) is dict:
            twice = {key for key in foreign.keys() & data.keys() if any(data.get(own) is not None for own in foreign[key])}
            if twice:
                data = {key: value for key, value in data.items() if key not in twice}
        return read(data)

    return read_own


def _report(cls: type[Message], key: str, error: WrongType) -> None:
    """Logs, once for each field, that a value was not understood and is kept in ``extra``."""
    if (cls, key) not in _reported:
        _reported.add((cls, key))
        _log.warning("%s.%s: %s; kept in extra", cls.__name__, key, error.text)


def _no_message(value: Any) -> Any:
    raise must_be("a value without a type of its own", value)
