"""What the model says: deterministic words for a prompt, and the function call it asks for. Pure: runs on any thread."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from genai_live.emulator.model.utterances import Utterance

_WORD = re.compile(r"[A-Za-z0-9']+")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
_NAME_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

_THEN = re.compile(r"\bthen\b", re.IGNORECASE)
_WEAK_WORDS = frozenset(
    {"a", "an", "and", "at", "by", "do", "does", "for", "from", "get", "has", "in", "is", "it", "me", "my", "of", "on", "or"}
    | {"set", "the", "to", "up", "use", "what", "with", "your"}
)
"""Words of function names that say nothing about when a function is wanted."""

_PLACE_WORD = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][a-z]+(?: [A-Z][a-z]+)*\b")
"""Capitalised words inside a sentence: what a city or a name looks like."""


@dataclass
class Prompt:
    """What the model is asked to answer."""

    text: str = ""
    """Typed text, and for speech what was understood of it."""
    utterance: Utterance | None = None
    understood: bool = True
    """False for speech of which only the length is known."""
    images: int = 0
    audio_seconds: float = 0.0
    """Seconds of audio the prompt brings along, for counting tokens."""
    responses: list[dict[str, Any]] = field(default_factory=list)
    """Function responses to answer."""


@dataclass(frozen=True)
class Call:
    """A function call; ``blocking`` as its declaration says."""

    name: str
    args: dict[str, Any]
    blocking: bool = True
    id: str = ""
    """Its id when a scenario chose one; else the family's own form is made up."""


def answer_text(prompt: Prompt) -> str:
    """The words of the answer."""
    if prompt.responses:
        return " ".join(_report(response) for response in prompt.responses)
    sights = f" I saw {_count(prompt.images, 'image')}." if prompt.images else ""
    if prompt.utterance is not None and not prompt.understood:
        return f"I heard {prompt.utterance.seconds:.1f} s of speech." + sights
    if prompt.text:
        heard = f"I heard {prompt.utterance.seconds:.1f} s of speech. " if prompt.utterance is not None else ""
        return f"{heard}You said: {prompt.text}" + sights
    return "I am listening." if not sights else sights.strip()


def _report(response: dict[str, Any]) -> str:
    return f"{response.get('name') or 'The function'} answered: {json.dumps(response.get('response') or {}, ensure_ascii=False)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def wanted_calls(prompt: Prompt, declarations: list[dict[str, Any]], called_before: bool) -> list[list[Call]]:
    """The rounds of declared functions that a prompt asks for: those of one round are called at once, the next after its answers.

    A function is asked for by its name, or else by a telling word of it; the word "then" begins another round. Speech that nobody
    could understand asks for the first function, once in a session: a tool round needs no speech recognition.
    """
    if prompt.responses or not declarations:
        return []
    if prompt.utterance is not None and not prompt.understood:
        return [] if called_before else [[_call(declarations[0], "")]]
    rounds = [[_call(each, prompt.text) for each in _meant(piece, declarations)] for piece in _THEN.split(prompt.text)]
    return [calls for calls in rounds if calls]


def _meant(text: str, declarations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The functions that are named, all of them; else the first of which a telling word is said."""
    named = [d for d in declarations if d.get("name") and re.search(rf"(?<!\w){re.escape(d['name'])}(?!\w)", text, re.IGNORECASE)]
    if named:
        return named
    inside = [d for d in declarations if d.get("name") and d["name"].lower() in text.lower()]
    said = {word.lower() for word in _WORD.findall(text)}
    return (inside or [d for d in declarations if said & _telling_words(d.get("name", ""))])[:1]


def _telling_words(name: str) -> set[str]:
    return {word.lower() for word in _NAME_WORD.findall(name)} - _WEAK_WORDS


def _call(declaration: dict[str, Any], text: str) -> Call:
    schema = declaration.get("parameters") or declaration.get("parametersJsonSchema") or {}
    blocking = declaration.get("behavior") != "NON_BLOCKING"
    args = _example(schema, text) if schema else {}
    return Call(declaration.get("name", ""), args if isinstance(args, dict) else {}, blocking)


def _example(schema: Any, text: str, name: str = "value") -> Any:
    """A value that fits a Schema (or JSON Schema), taken from the words of the prompt where it can be.

    What is in a JSON Schema is the user's: anything that is not as it should be counts as absent.
    """
    if not isinstance(schema, dict):
        schema = {}
    values = schema.get("enum")
    if isinstance(values, list) and values:
        return next((value for value in values if str(value).lower() in text.lower()), values[0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next((each for each in kind if each != "null"), "string") if isinstance(kind, list) else kind
    make = _EXAMPLES.get(str(kind).lower(), _example_text)
    return make(schema, text, name)


def _example_object(schema: dict[str, Any], text: str, name: str) -> Any:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    required = schema.get("required")
    wanted = required if isinstance(required, list) and required else list(properties)
    return {key: _example(properties[key], text, key) for key in properties if key in wanted}


def _example_text(schema: dict[str, Any], text: str, name: str) -> Any:
    found = _PLACE_WORD.search(text)
    return found[0] if found else schema.get("example") or name


def _example_number(schema: dict[str, Any], text: str, name: str) -> Any:
    found = _NUMBER.search(text)
    lowest = schema.get("minimum")
    fallback = float(lowest) if isinstance(lowest, (int, float)) and math.isfinite(lowest) else 1.0
    return float(found[0]) if found else fallback


def _example_integer(schema: dict[str, Any], text: str, name: str) -> Any:
    return int(_example_number(schema, text, name))


def _example_boolean(schema: dict[str, Any], text: str, name: str) -> Any:
    return True


def _example_array(schema: dict[str, Any], text: str, name: str) -> Any:
    return [_example(schema.get("items"), text, name)]


_EXAMPLES = {
    "object": _example_object,
    "string": _example_text,
    "number": _example_number,
    "integer": _example_integer,
    "boolean": _example_boolean,
    "array": _example_array,
}
