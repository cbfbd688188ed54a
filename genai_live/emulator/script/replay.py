"""Turns a recording into scenarios: what the server said is sent again, what the client said is expected. Pure.

A client of today need not cut its audio as the recorded one did: of a run of realtimeInput audio or video, one message is
expected, and what the server said meanwhile follows in the recorded time after it. Everything else must come as it was recorded,
and nothing beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genai_live.emulator.script import scenario as steps
from genai_live.emulator.script.recording import Event, Head, read_recording, restore_audio
from genai_live.emulator.script.redaction import REMOVED
from genai_live.emulator.script.scenario import Scenario, Step
from genai_live.emulator.server.validation import Refused, Validator
from genai_live.errors import ConfigError
from genai_live.types.music import LiveMusicClientMessage
from genai_live.types.realtime import LiveClientMessage

STREAMED = ("audio", "video", "mediaChunks")
"""Members of realtimeInput that come in runs."""

LOST = 1006
"""Close code of a connection that was lost (RFC 6455 section 7.4.1); it cannot be sent."""


def load_recording(path: str | Path) -> list[Scenario]:
    """The sessions of a recording as scenarios, in order.

    Raises:
        ConfigError: for a file that is not one.
    """
    heads: dict[int, Head] = {}
    events: dict[int, list[Event]] = {}
    for line in read_recording(path):
        if isinstance(line, Head):
            heads[line.session] = line
        events.setdefault(line.session, [])
        if isinstance(line, Event):
            events[line.session].append(line)
    if not heads or heads.keys() != events.keys():
        raise ConfigError("holds no session, or events of a session that never began", str(path))
    return [Scenario(*_steps(heads[number], events[number]), replay=True) for number in sorted(heads)]


def _steps(head: Head, events: list[Event]) -> Iterator[Step]:
    read = _ClientReader(head)
    before, streaming = 0.0, False
    for event in events:
        if event.sender == "client":
            step = read.expectation(event)
            again = step is not None and step.message is None and step.kind != "close"
            if step is not None and not (again and streaming):
                yield step
                before = event.at
            streaming = again or (streaming and step is None)
        elif event.refused is not None:
            yield steps.RefuseUpgrade(event.refused, event.body)
        else:
            if event.at > before:
                yield steps.Wait(event.at - before, paced=True)
            yield _server_step(event)
            before = event.at
            streaming = streaming and event.close is None
    if not events or (events[-1].close is None and events[-1].refused is None):
        yield steps.Expect("close", strict=True)


def _server_step(event: Event) -> Step:
    if event.message is not None:
        return steps.Send(restore_audio(event.message), text=event.text)
    if event.raw is not None:
        return steps.SendRaw(event.raw, text=event.text)
    if event.close in (None, LOST):
        return steps.Abort()
    return steps.Close(event.close or LOST, event.reason)


class _ClientReader:
    """Recorded client messages, in whatever spelling, as what to expect."""

    def __init__(self, head: Head) -> None:
        self._validator = Validator(head.backend)
        self._type = LiveMusicClientMessage if head.method == "BidiGenerateMusic" else LiveClientMessage

    def expectation(self, event: Event) -> steps.Expect | None:
        """What to wait for; None for what an emulated session cannot receive."""
        if event.close is not None:
            return steps.Expect("close", strict=True)
        if event.message is None:
            return None
        known = _without_removed(event.message)
        try:
            kind, body = self._validator.check_one_of(self._type, restore_audio(known))
        except Refused:
            return None
        whole = known == event.message
        if kind == "realtimeInput" and len(body) == 1:
            (name,) = body
            return steps.Expect(f"{kind}.{name}", message=None if name in STREAMED else body, exact=whole, strict=True)
        return steps.Expect(kind, message=_without_handle(kind, body), exact=whole and kind != "setup", strict=True)


def _without_removed(value: Any) -> Any:
    """What is known of a message out of which credentials were taken: members that lacked one are not."""
    if isinstance(value, list):
        return [_without_removed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_removed(item) for key, item in value.items() if not (isinstance(item, str) and REMOVED in item)}


def _without_handle(kind: str, body: Any) -> Any:
    """A setup without its resumption handle: a client of today has another one, or none."""
    if kind != "setup" or "sessionResumption" not in body:
        return body
    return {key: value for key, value in body.items() if key != "sessionResumption"}
