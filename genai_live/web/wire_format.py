"""What a page and its server say to each other (docs/web.md has the table). Pure: text to values and back; runs on any thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genai_live._arguments import is_number
from genai_live._json import whole
from genai_live.audio import SAMPLE_BYTES
from genai_live.voice import Control, Ended, Event, Mute, Press, Rates, Release, Text, ToolRunChanged, Unmute
from genai_live.voice.events import to_dict

VERSION = 1
RATES = Rates(input=16_000, output=24_000)
"""Hz of the 16-bit little-endian mono PCM in binary messages: from the page, and to it."""
INPUT_BYTES = RATES.input * SAMPLE_BYTES
OUTPUT_BYTES = RATES.output * SAMPLE_BYTES
"""Bytes of one second of sound."""
LONGEST_TEXT = 8_000
"""Characters of a typed sentence: a page of text."""

NORMAL, REFUSED, FAILED, MOVING, FULL = 1000, 1008, 1011, 1012, 1013
"""Close codes (RFC 6455 section 7.4.1 and the IANA registry) and what a page does: ends; ends, with the sentence; ends, with a
sentence; comes back at once, with the id of its conversation; comes back later."""

PRIVATE = 3000
"""What is added to a close code where a server sends 1000 and the private codes alone: 4012 means 1012."""

TROUBLE = "The server had a problem and ended the conversation. Try again."
"""All that a page hears of a failure; the log of the server has the rest."""


class BadMessage(Exception):
    """A page said what the wire format does not have; the text says why. Never leaves the package."""


@dataclass(frozen=True)
class Start:
    """The first message of a page: its token, and the signed id of the conversation that it comes back to."""

    token: str
    conversation: str | None
    received: float | None = None
    """Seconds of sound that came over the conversation's earlier socket since the last flush there; None where nobody counted."""
    flushes: int = 0
    """Flushes that came over it."""


@dataclass(frozen=True)
class Played:
    """How much of this socket's sound was heard."""

    seconds: float
    flushes: int | None
    """How many flushes have taken effect in these seconds; None from a page that does not count them."""


@dataclass(frozen=True)
class Stop:
    """The visitor has ended the conversation."""


Said = Start | Played | Stop | Control
"""What a page says in text; sound comes in binary messages."""


def read(text: str) -> Said:
    """One text message of a page.

    Raises:
        BadMessage: it is none of the wire format's.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("a text message that is not JSON") from None
    event = message.get("event") if isinstance(message, dict) else None
    reads = _READ.get(event) if isinstance(event, str) else None
    if reads is None:
        raise BadMessage("a message whose event is unknown")
    return reads(message)


def _start(message: Mapping[str, Any]) -> Start:
    if message.get("version") != VERSION:
        raise BadMessage(f"another version of the wire format than {VERSION}")
    token, conversation = message.get("token"), message.get("conversation")
    if not isinstance(token, (str, type(None))) or not isinstance(conversation, (str, type(None))):
        raise BadMessage("a start whose token or conversation is no text")
    received = message.get("received")
    signed = None if conversation is None else whole(conversation)
    return Start(whole(token or ""), signed, None if received is None else _seconds(received), _flushes(message) or 0)


def _played(message: Mapping[str, Any]) -> Played:
    return Played(_seconds(message.get("seconds")), _flushes(message))


def _seconds(seconds: object) -> float:
    if not isinstance(seconds, (int, float)) or not is_number(seconds) or not 0 <= seconds < float("inf"):
        raise BadMessage("seconds that are not a number")
    return float(seconds)


def _flushes(message: Mapping[str, Any]) -> int | None:
    flushes = message.get("flushes")
    if flushes is not None and (type(flushes) is not int or flushes < 0):
        raise BadMessage("flushes that are no number")
    return flushes


def _text(message: Mapping[str, Any]) -> Text:
    text = message.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_TEXT:
        raise BadMessage(f"a text that is empty or longer than {LONGEST_TEXT} characters")
    return Text(whole(text))  # half a character cannot be sent on


_READ: Mapping[str, Callable[[Mapping[str, Any]], Said]] = {
    "start": _start,
    "played": _played,
    "text": _text,
    "press": lambda _: Press(),
    "release": lambda _: Release(),
    "mute": lambda _: Mute(),
    "unmute": lambda _: Unmute(),
    "stop": lambda _: Stop(),
}


# To the page.

FLUSH = '{"event": "flush"}'
END_OF_ANSWER = '{"event": "end_of_answer"}'


def started(conversation: str | None, turn_taking: str) -> str:
    """The conversation is there: its signed id, the rates of sound, and whether a button is pressed to talk."""
    rates = {"input_rate": RATES.input, "output_rate": RATES.output}
    return json.dumps({"event": "started", "conversation": conversation, **rates, "turn_taking": turn_taking})


def gone_on(*, restored: bool) -> str:
    """The page has come back, and the model remembers what was said, or not."""
    return json.dumps({"event": "reconnected", "at": 0.0, "state_restored": restored})


def refused(reason: str, sentence: str) -> str:
    """The last message before a close that the page did not ask for."""
    return json.dumps({"event": "refused", "reason": reason, "sentence": sentence})


_OF_A_RUN = ("id", "name", "state", "seconds")
"""What a page hears of a tool's run: arguments and results may hold what its visitor is not to know."""


def shown(event: Event) -> str:
    """An event of the conversation, without what is the server's own."""
    said = to_dict(event)
    if isinstance(event, ToolRunChanged):
        said["run"] = {name: said["run"].get(name) for name in _OF_A_RUN}
    elif isinstance(event, Ended):
        said["close_info"] = None
        said["error"] = None if event.error is None else TROUBLE
    return json.dumps(said, default=str)
