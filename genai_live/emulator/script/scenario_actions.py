"""What each step of a scenario does to its session. Runs on the emulator's loop thread, within the player's calls."""

from __future__ import annotations

import json
import wave
from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from genai_live.emulator.model.answers import Call
from genai_live.emulator.model.conversation import TOOL_CALL, TURN_COMPLETE, Conversation, State
from genai_live.emulator.model.pcm import ANSWER_RATE, BYTES_PER_SAMPLE, samples_of, tones
from genai_live.emulator.model.speech import Answer, Sound
from genai_live.emulator.script import scenario as steps
from genai_live.emulator.script.scenario import Step
from genai_live.emulator.script.scenario_player import ScenarioPlayer, StepFailed, StepGenerator, WaitFor
from genai_live.emulator.server.received import ReceivedMessage
from genai_live.emulator.session.live_session import LiveSession

GARBAGE = b"\xff\x00this is not JSON\xfe"
"""Neither JSON nor UTF-8."""

BROKEN_FRAME = b"\xff\xff"
"""A frame head with all reserved bits set and an opcode that does not exist (RFC 6455 section 5.2)."""


def run_step(player: ScenarioPlayer, step: Step) -> StepGenerator:
    """Does one step, yielding what it waits for.

    Raises:
        StepFailed: when it cannot be done.
    """
    starter = _WAITING_STEPS.get(type(step))
    if starter is not None:
        yield from starter(player, step)
    else:
        _INSTANT_STEPS[type(step)](player, step)


def _conversation(player: ScenarioPlayer) -> Conversation:
    session = player.session
    if not isinstance(session, LiveSession) or session.conversation is None:
        raise StepFailed("the session is not set up yet: put an expect setup and a setupComplete step before")
    return session.conversation


# -- expecting ---------------------------------------------------------------------------------------------------------


def _expect(player: ScenarioPlayer, step: steps.Expect) -> StepGenerator:
    event = yield WaitFor(event=step.kind, seconds=step.timeout, strict=step.strict)
    if event is None:
        raise StepFailed(f"no {step.kind or 'message'} within {step.timeout} s")
    if isinstance(event, ReceivedMessage):
        body = next(iter(event.message.values()))
        if step.text is not None and not _contains_text(body, step.text):
            raise StepFailed(f"expected {step.kind} with the text {step.text!r}, got {_shown(body)}")
        if step.message is not None:
            _expect_parts(step, body)


def _expect_parts(step: steps.Expect, body: Any) -> None:
    if (difference := find_difference(step.message, body)) is not None:
        raise StepFailed(f"expected {step.kind} as described, but {difference}")
    if step.exact and (difference := find_difference(body, step.message, "the description")) is not None:
        raise StepFailed(f"expected nothing more in {step.kind}, but {difference}")


def _contains_text(value: Any, text: str) -> bool:
    if isinstance(value, str):
        return text.lower() in value.lower()
    if isinstance(value, Mapping):
        return any(_contains_text(item, text) for item in value.values())
    return isinstance(value, list) and any(_contains_text(item, text) for item in value)


def find_difference(wanted: Any, found: Any, path: str = "") -> str | None:
    """Where ``found`` lacks something of ``wanted``, as a sentence; None when it has all of it."""
    place = path or "the message"
    differences: Iterator[str | None] = iter(())
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        missing = [key for key in wanted if key not in found]
        if missing:
            return f"{place} has no {missing[0]!r}"
        differences = (find_difference(item, found[key], f"{path}.{key}".lstrip(".")) for key, item in wanted.items())
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        differences = (find_difference(one, other, f"{path}[{number}]") for number, (one, other) in pairs)
    elif wanted != found:
        return f"{place} is {_shown(found)}, not {_shown(wanted)}"
    return next((difference for difference in differences if difference is not None), None)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else f"{text[:120]}..."


# -- answering ---------------------------------------------------------------------------------------------------------


def _setup_complete(player: ScenarioPlayer, step: steps.SetupComplete) -> None:
    session = cast(LiveSession, player.session)
    if step.fields:
        session.send({"setupComplete": dict(step.fields)})
    elif session.setup is None:
        raise StepFailed("setup has not come yet: put an expect setup step before")
    else:
        session.complete_setup()


def _reply(player: ScenarioPlayer, step: steps.Reply) -> StepGenerator:
    talk = _conversation(player)
    sound = make_sound(step.audio, step.text) if talk.options.speaks else None
    talk.reply(Answer(heard=step.heard, text=step.text, thought=step.thought, sound=sound))
    if step.wait:
        yield WaitFor(moment=TURN_COMPLETE)


def make_sound(audio: float | str | bytes | None, text: str) -> Sound:
    """The audio of a reply: tones for its text, tones of a length, a WAV file, or PCM at 24 kHz."""
    if audio is None:
        return Sound(samples_of(tones(text)))
    if isinstance(audio, bytes):
        return Sound(samples_of(audio))
    if isinstance(audio, str):
        return _read_sound(audio)
    count = round(audio * ANSWER_RATE)
    beep = samples_of(tones("emulator"))
    return Sound((beep * (count // len(beep) + 1))[:count] if count else array("h"))


def _read_sound(path: str) -> Sound:
    try:
        with wave.open(path) as file:
            if file.getsampwidth() != BYTES_PER_SAMPLE:
                raise StepFailed(f"{path!r} has samples of {8 * file.getsampwidth()} bits: replies take 16")
            samples = samples_of(file.readframes(file.getnframes()))
            return Sound(samples[:: file.getnchannels()], file.getframerate())
    except (OSError, wave.Error, EOFError) as error:
        raise StepFailed(f"{path!r} cannot be played: {error}") from None


def _call_tool(player: ScenarioPlayer, step: steps.CallTool) -> StepGenerator:
    talk = _conversation(player)
    calls = [Call(step.name, dict(step.args), step.blocking, step.id)]
    calls += [Call(str(more["name"]), dict(more.get("args", {})), step.blocking, str(more.get("id", ""))) for more in step.also]
    talk.reply(Answer(calls=calls))
    yield WaitFor(moment=TOOL_CALL)


def _cancel_calls(player: ScenarioPlayer, step: steps.CancelCalls) -> None:
    talk = _conversation(player)
    ids = list(step.ids or talk.open_calls)
    for call_id in ids:
        talk.open_calls.pop(call_id, None)
    player.session.send({"toolCallCancellation": {"ids": ids}})


def _repeat_calls(player: ScenarioPlayer, step: steps.RepeatCalls) -> None:
    _conversation(player).repeat_calls(same_ids=step.same_ids)


def _interrupt(player: ScenarioPlayer, step: steps.Interrupt) -> None:
    talk = _conversation(player)
    if talk.state is State.IDLE:
        player.session.send({"serverContent": {"interrupted": True}})
    else:
        talk.cut_in()


def _converse(player: ScenarioPlayer, step: steps.Converse) -> StepGenerator:
    if not step.turns:
        yield WaitFor()
    for _ in range(step.turns):
        yield WaitFor(moment=TURN_COMPLETE)


# -- the wire ----------------------------------------------------------------------------------------------------------


def _send(player: ScenarioPlayer, step: steps.Send) -> None:
    player.session.send(dict(step.message), step.text)


def _send_raw(player: ScenarioPlayer, step: steps.SendRaw) -> None:
    data = step.data.encode() if isinstance(step.data, str) else step.data
    is_text = isinstance(step.data, str) if step.text is None else step.text
    player.session.connection.send(data, is_text)


def _garbage(player: ScenarioPlayer, step: steps.Garbage) -> None:
    data = (GARBAGE * (step.size // len(GARBAGE) + 1))[: step.size]
    if step.frame:
        player.session.connection.send(data, is_text=False)
    else:
        player.session.connection.write_bytes(BROKEN_FRAME + data)


def _huge(player: ScenarioPlayer, step: steps.Huge) -> None:
    player.session.send({"serverContent": {"modelTurn": {"parts": [{"text": "x" * step.size}]}}})


def _fragments(player: ScenarioPlayer, step: steps.Fragments) -> None:
    player.session.connection.fragment_size = step.size


def _trickle(player: ScenarioPlayer, step: steps.Trickle) -> None:
    player.session.connection.trickle(step.on)


def _stop_reading(player: ScenarioPlayer, step: steps.StopReading) -> None:
    player.session.connection.stop_reading()


def _resume_reading(player: ScenarioPlayer, step: steps.ResumeReading) -> None:
    player.session.connection.resume_reading()


def _ping(player: ScenarioPlayer, step: steps.Ping) -> None:
    player.session.connection.ping(b"emulator")


def _go_away(player: ScenarioPlayer, step: steps.GoAway) -> None:
    player.session.send({"goAway": {"timeLeft": f"{step.time_left:g}s"}})


def _update(player: ScenarioPlayer, step: steps.Update) -> None:
    _conversation(player)
    session = cast(LiveSession, player.session)
    update = session.resumption_update() if step.resumable else {"newHandle": "", "resumable": False}
    session.send({"sessionResumptionUpdate": update})


def _handles(player: ScenarioPlayer, step: steps.Handles) -> None:
    handles = player.session.server.handles
    handles.single_use = step.single_use
    handles.refuse_while_alive = step.refuse_while_alive
    handles.settle = step.settle


def _wait(player: ScenarioPlayer, step: steps.Wait) -> StepGenerator:
    yield WaitFor(seconds=step.seconds * player.session.settings.pace if step.paced else step.seconds)


def _silence(player: ScenarioPlayer, step: steps.Silence) -> StepGenerator:
    yield WaitFor()


def _close(player: ScenarioPlayer, step: steps.Close) -> None:
    player.session.close(step.code, step.reason)


def _abort(player: ScenarioPlayer, step: steps.Abort) -> None:
    player.session.connection.abort()


_WAITING_STEPS: dict[type[Step], Callable[[ScenarioPlayer, Any], StepGenerator]] = {
    steps.Expect: _expect,
    steps.Reply: _reply,
    steps.CallTool: _call_tool,
    steps.Converse: _converse,
    steps.Wait: _wait,
    steps.Silence: _silence,
}
"""Steps that wait for something."""

_INSTANT_STEPS: dict[type[Step], Callable[[ScenarioPlayer, Any], None]] = {
    steps.SetupComplete: _setup_complete,
    steps.CancelCalls: _cancel_calls,
    steps.RepeatCalls: _repeat_calls,
    steps.Interrupt: _interrupt,
    steps.Send: _send,
    steps.SendRaw: _send_raw,
    steps.Garbage: _garbage,
    steps.Huge: _huge,
    steps.Fragments: _fragments,
    steps.Trickle: _trickle,
    steps.StopReading: _stop_reading,
    steps.ResumeReading: _resume_reading,
    steps.Ping: _ping,
    steps.GoAway: _go_away,
    steps.Update: _update,
    steps.Handles: _handles,
    steps.Close: _close,
    steps.Abort: _abort,
}
"""Steps that are done at once."""
