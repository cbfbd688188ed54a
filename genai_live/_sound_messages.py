"""Reads server messages whose bulk is one piece of sound: what stands around the sound is understood once. Runs on any thread.

The service says the same 200 bytes around every piece of sound. Their JSON is parsed once, and each further message costs its
base64 and its five objects, half of what parsing it would (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from genai_live import _json, _wire
from genai_live.types._base import Message

M = TypeVar("M", bound=Message)
Make = Callable[[bytes], Any]
Step = tuple["type[Message] | None", str, dict[str, Any]]
"""One object around the sound: its class, the field that leads to the sound, and the fields beside it. Without a class it is a
list of one item. A usage report is not among them, so what is learnt holds for both backends, which spell only reports apart."""

_OPENING = b'"data": "'
"""What the base64 follows, as the service spells it."""
_SHORTEST = 256
"""Characters of base64 from which this way is the shorter one."""
_LONGEST_FRAME = 1_024
"""Bytes around the sound that are worth remembering; the service's are 160 to 260."""
_MOST_KNOWN = 64
_PROBE, _OTHER_PROBE = b"Sound goes here", b"It is heard again"
"""What stands for the sound while it is looked for where it goes, and while that is proved."""
_CHANGEABLE = (Message, list, dict, bytes)

_makers: dict[tuple[type[Message], bytes], Make] = {}
"""By class and the bytes around the sound. Only single steps on a dict; what two threads learn twice is the same."""
_latest: dict[type[Message], tuple[bytes, bytes, Make, int]] = {}
"""What stood before and behind the sound of the latest message, how to make such a message, and how long it is at the least."""
_seen_once: set[tuple[type[Message], bytes]] = set()
"""Where something else changes with every message, such as a count of tokens, learning would never be worth its time."""


def read(cls: type[M], payload: bytes | bytearray, *, vertex: bool = False) -> M:
    """``_wire.decode`` of parsed JSON, from its bytes.

    Raises:
        ValueError: no JSON object, or something in it that should be base64 is not.
    """
    latest = _latest.get(cls)
    if latest is not None:  # compared with what came last, which takes less than finding its place
        before, after, make, shortest = latest
        if len(payload) >= shortest and payload.startswith(before) and payload.endswith(after):
            try:
                # A view: without pybase64 a slice, which is one more block of memory, costs a third more.
                sound = _json.b64decode_strictly(memoryview(payload)[len(before) : -len(after)], *_json.STRICTLY)
                return make(sound)  # type: ignore[no-any-return]
            except ValueError:
                pass  # more than one sound, escaped characters, no base64, or base64 of another kind
    if len(payload) >= _SHORTEST:
        start = payload.find(_OPENING) + len(_OPENING)
        end = payload.find(b'"', start)
        if end - start >= _SHORTEST and start >= len(_OPENING):
            around = b"".join((payload[:start], payload[end:]))
            make = _makers.get((cls, around)) or _learn(cls, around, start)
            try:
                message = make(_json.b64decode(payload[start:end]))
            except ValueError:
                pass  # not learnt, escaped characters, or no base64: the long way sorts them out
            else:
                _latest[cls] = (bytes(payload[:start]), bytes(payload[end:]), make, len(around) + _SHORTEST)
                return message  # type: ignore[no-any-return]
    return _wire.decode(cls, _json.loads(payload), vertex=vertex)


def _learn(cls: type[Message], around: bytes, start: int) -> Make:
    """How to make a message with these bytes around the sound; at first sight, and for what is not that simple, ``_refuse``."""
    if (cls, around) not in _seen_once:
        if len(_seen_once) >= _MOST_KNOWN:
            _seen_once.clear()
            _makers.clear()
        if len(around) <= _LONGEST_FRAME:
            _seen_once.add((cls, around))
        return _refuse
    before, after = around[:start], around[start:]

    def with_sound(sound: bytes) -> Message:
        return _wire.decode(cls, _json.loads(b"".join((before, _json.b64encode(sound), after))))

    try:
        make = _maker(_finished(_steps(with_sound(_PROBE))))
        proved: bool = make(_OTHER_PROBE) == with_sound(_OTHER_PROBE)
    except ValueError:
        proved = False
    _makers[cls, around] = make = make if proved else _refuse
    return make


def _refuse(_: object) -> Any:
    raise ValueError("such messages are read the long way")


def _steps(value: Any) -> list[Step]:
    """What holds the probe, from the inside out; ValueError where messages would share something else that can be changed."""
    if isinstance(value, list) and len(value) == 1:
        return [*_steps(value[0]), (None, "", {})]
    if not isinstance(value, Message):
        return [] if type(value) is bytes and value == _PROBE else _refuse(value)
    fields = vars(value)
    changeable = [name for name, held in fields.items() if isinstance(held, _CHANGEABLE)]
    if len(changeable) != 1:
        return _refuse(value)  # type: ignore[no-any-return]
    name = changeable[0]
    return [*_steps(fields[name]), (type(value), name, {other: fields[other] for other in fields if other != name})]


def _finished(steps: list[Step]) -> list[Step]:
    """The same, with what a session works out of a message before it hands it over: sound alone has no text."""
    cls, name, shared = steps[-1]
    return [*steps[:-1], (cls, name, {**shared, "text": None})] if hasattr(cls, "text") else steps


def _maker(steps: list[Step]) -> Make:
    """Builds from the inside out, in one loop, which is faster than one function inside the other."""
    new, steps_out = object.__new__, tuple(steps)

    def make(sound: bytes) -> Any:
        value: Any = sound
        for cls, name, shared in steps_out:
            if cls is None:
                value = [value]
                continue
            held = new(cls)
            fields = held.__dict__
            if shared:
                fields.update(shared)
            fields[name] = value
            value = held
        return value

    return make
