"""A turn as a notebook shows it, and as one line. Pure: any thread; reads attributes, so that it stands below the class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from genai_live import _html
from genai_live.audio.player import player

_PICTURES = 300_000
"""Bytes of HTML that a turn's pictures take at most: the rest is for its sound."""
_TOOLS = 200_000
"""Likewise for its calls."""
_NAMES_OF_COUNTS = {
    "prompt_token_count": "in",
    "response_token_count": "out",
    "thoughts_token_count": "thoughts",
    "tool_use_prompt_token_count": "tool results",
    "cached_content_token_count": "cached",
}


def line_of(turn: Any) -> str:
    """``Turn('Hello' -> 'You said ...', 2.30 s of speech, 345 tokens)``."""
    return f"Turn({', '.join(_facts(turn))})"


def _facts(turn: Any) -> Iterator[str]:
    asked, words = _asked(turn), turn.text or turn.transcripts.output
    if asked or words:
        yield " -> ".join(repr(_html.line(each)) if each else "nothing said" for each in (asked, words) if each or asked)
    if turn.audio:
        yield f"{turn.audio.seconds:.2f} s of speech"
    if turn.usage is not None and turn.usage.total_token_count:
        yield f"{turn.usage.total_token_count:,} tokens"
    if turn.tool_calls:
        yield _html.line(f"calls {', '.join(call.name or '?' for call in turn.tool_calls)}")
    if turn.images:
        yield _html.counted(len(turn.images), "picture")
    if turn.interrupted:
        yield "interrupted"
    if turn.incomplete:
        yield "incomplete"


def html_of(turn: Any, largest: int | None = _html.LARGEST) -> str:
    """A turn: both sides' words, a player, tokens, tools, and the rest folded; at most ``largest`` bytes, None has no limit."""
    before = words_of(turn)
    if not (turn.text or turn.transcripts.output):
        before += _html.faint(_without_words(turn))
    after = tools(turn) + _html.faint(tokens(turn)) + _html.folded("Details", _details(turn))
    left = None if largest is None else largest - _html.size_of(before, after)
    pictures = "".join(_pictures(turn, left))
    room = None if left is None else left - _html.size_of(pictures)
    held = turn.audio
    sound = player(held.data, held.rate, held.channels, room, "turn.audio") if held else ""
    return _html.box(before, pictures, sound, after)


def words_of(turn: Any) -> str:
    """What both sides said."""
    lines = [_html.said("Model", words) for words in (turn.text, turn.transcripts.output) if words]
    if lines and turn.interrupted:
        lines.append(_html.faint("interrupted"))
    asked = _asked(turn)
    return "".join([_html.said("You", asked), *lines] if asked else lines)


def _asked(turn: Any) -> str:
    """The question, in writing or as it was heard."""
    return str(turn.asked or turn.transcripts.input)


def _without_words(turn: Any) -> str:
    """Why no words of the model are there."""
    if turn.audio:
        return 'The model spoke; "output_audio_transcription": {} in the config gives its words.'
    return "The model was interrupted before it said anything." if turn.interrupted else "The model said nothing."


def tokens(turn: Any) -> str:
    """``345 tokens: 200 in, 145 out``."""
    usage = turn.usage
    if usage is None:
        return ""
    counts = ((word, getattr(usage, name)) for name, word in _NAMES_OF_COUNTS.items())
    parts = ", ".join(f"{count:,} {word}" for word, count in counts if count)
    return f"{usage.total_token_count or 0:,} tokens" + (f": {parts}" if parts else "")


def tools(turn: Any) -> str:
    """A line for each call of a tool, with what became of it folded."""
    runs = {run.id: run for run in turn.tool_runs}
    calls = (call for call in turn.tool_calls if (call.id or call.name) not in runs)
    return _html.within(_TOOLS, (*map(_run, turn.tool_runs), *map(_call, calls)), "call")


def _run(run: Any) -> str:
    details = {"arguments": dict(run.args), "result": run.result, "error": run.error, "traceback": run.traceback}
    return _html.folded(f"{_called(run)}: {run.state}, {run.seconds:.1f} s", _html.rows(details))


def _call(call: Any) -> str:
    return _html.folded(f"{_called(call)}: for you to answer", _html.rows({"id": call.id, "arguments": call.args}))


def _called(call: Any) -> str:
    arguments = ", ".join(f"{name}={_html.words_for(value)}" for name, value in (call.args or {}).items())
    return f"{call.name}({_html.line(arguments)})"


def _pictures(turn: Any, left: int | None) -> Iterator[str]:
    room = None if left is None else min(_PICTURES, left)
    for number, image in enumerate(turn.images):
        data, kind = image.data or b"", image.mime_type or ""
        if room is not None and len(data) > _html.in_base64(room - _html.size_of(_html.escaped(kind))) - 200:
            yield _html.faint(f"{_html.line(kind)}, {len(data):,} bytes: turn.images[{number}].data has it")
            continue
        shown = _html.picture(data, kind)
        room = None if room is None else room - len(shown)
        yield shown


def _details(turn: Any) -> str:
    usage = turn.usage
    kinds = [] if usage is None else [*(usage.prompt_tokens_details or ()), *(usage.response_tokens_details or ())]
    thoughts = _html.said("Thoughts", turn.thoughts) if turn.thoughts else ""
    return thoughts + _html.rows(
        {
            "tokens by kind": ", ".join(f"{_plain(kind.modality)} {kind.token_count or 0:,}" for kind in kinds),
            "reason of the end": turn.reason,
            "questions": turn.questions,
            "messages": len(turn.messages),
            "skipped messages of earlier questions": turn.skipped or None,
            "incomplete": turn.incomplete or None,
            "videos": len(turn.videos) or None,
            "grounding": turn.grounding,
        }
    )


def _plain(value: object) -> object:
    return getattr(value, "value", value)
