"""A message as a notebook shows it: one line, and all of it folded. Pure: any thread; reads attributes, below the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from genai_live import _html


def html_of(message: Any, facts: Callable[[Any], Iterator[str]]) -> str:
    """Any message: its kind, the facts about it, and all that it holds folded, credentials left out as in its repr."""
    kind = type(message).__name__
    told = " · ".join(facts(message))
    return _html.box(_html.folded(f"{kind}: {told}" if told else f"{kind}, empty", _html.preformatted(repr(message))))


def fields_of(message: Any) -> Iterator[str]:
    """The names of what is there."""
    held = vars(message)
    yield from (name for name in type(message).__dataclass_fields__ if held.get(name) not in (None, {}, []))


def facts_of_server_message(message: Any) -> Iterator[str]:
    """What a message of the server says, in the order in which one wants to know it."""
    if message.user_text:
        yield f"user: {_html.line(message.user_text)!r}"
    if message.model_text:
        yield f"model: {_html.line(message.model_text)!r}"
    sound = message.audio
    if sound is not None:
        yield f"{sound.seconds:.2f} s of speech"
    calls = () if message.tool_call is None else message.tool_call.function_calls or ()
    if calls:
        yield f"calls {', '.join(call.name or '?' for call in calls)}"
    content = message.server_content
    if content is not None:
        yield from (name.replace("_", " ") for name in _FLAGS if getattr(content, name))
    usage = message.usage_metadata
    if usage is not None:
        yield f"{usage.total_token_count or 0:,} tokens"
    for name in fields_of(message):
        if name not in _TOLD:
            yield name.replace("_", " ")


_FLAGS = ("interrupted", "generation_complete", "turn_complete", "waiting_for_input", "grounding_metadata")
_TOLD = ("server_content", "tool_call", "usage_metadata")
