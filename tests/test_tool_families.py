"""Functions that run, with every family of the emulator: one, two at once, three in a row; and what families do with calls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import google.oauth2.credentials
import pytest

from genai_live import Client, Session
from genai_live.emulator import LiveEmulator, steps
from genai_live.errors import ConfigError
from genai_live.tools import RunState, ToolContext, ToolPolicy, ToolUpdate, tool
from tests.waiting import PATIENCE, until

MODELS = (
    "emulator", "gemini-3.8-live", "gemini-3.8-live-extended-thinking", "gemini-3.1-flash-live-preview",
    "gemini-2.5-flash-native-audio-preview-12-2025", "gemini-live-2.5-flash-preview", "gemini-2.0-flash-live-001",
)  # fmt: skip
ON_VERTEX = ("emulator", "gemini-3.8-live", "gemini-live-2.5-flash", "gemini-2.0-flash-live-001")
EVERY = [*((model, False) for model in MODELS), *((model, True) for model in ON_VERTEX)]
every_family = pytest.mark.parametrize(("model", "vertex"), EVERY, ids=[f"{m}{' on Vertex' * v}" for m, v in EVERY])


def weather(city: str) -> dict[str, Any]:
    """Weather."""
    return {"city": city, "degrees": 22}


def clock(city: str) -> str:
    """Time."""
    return f"noon in {city}"


def book(city: str) -> bool:
    """Books."""
    return bool(city)


@contextmanager
def talking_to(model: str, *, vertex: bool = False, script: Any = None, **connect: Any) -> Iterator[tuple[LiveEmulator, Session]]:
    config: dict[str, Any] = {"tools": [weather, clock, book], "output_audio_transcription": {}, **connect.pop("config", {})}
    if "thinking" in model:
        config["thinking_config"] = {"thinking_level": "LOW"}
    with LiveEmulator(scenario=script, pace=0.0, voice=False) as emulator:
        options = {"base_url": emulator.url}
        client = Client(api_key="k", http_options=options)
        if vertex:
            credentials = google.oauth2.credentials.Credentials("t")  # type: ignore[no-untyped-call]
            client = Client(vertexai=True, project="p", location="us-central1", credentials=credentials, http_options=options)
        with client.live.connect(model=model, config=config, **{"run_tools": True, **connect}) as session:
            yield emulator, session


def responses_of(emulator: LiveEmulator) -> list[dict[str, Any]]:
    sent = [message.message["toolResponse"] for message in emulator.received if message.kind == "toolResponse"]
    return [response for each in sent for response in each["functionResponses"]]


@every_family
@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("What is the weather in Lisbon?", ["weather"]),
        ("Ask weather and clock in Lisbon", ["clock", "weather"]),
        ("Ask weather in Lisbon, then clock in Lisbon, then book in Lisbon", ["weather", "clock", "book"]),
    ],
    ids=["one", "two at once", "three in a row"],
)
def test_ask_returns_the_final_answer(model: str, vertex: bool, question: str, names: list[str]) -> None:
    with talking_to(model, vertex=vertex) as (emulator, session):
        turn = session.ask(question, timeout=PATIENCE)
        again = session.ask("Hello", timeout=PATIENCE)
    said = turn.transcripts.output or turn.text
    assert f"{names[-1]} answered:" in said
    ran = [run.name for run in turn.tool_runs]
    assert (sorted(ran) if len(names) == 2 else ran) == names
    assert {run.state for run in turn.tool_runs} == {RunState.ANSWERED}
    assert (again.transcripts.output or again.text) == "You said: Hello"
    assert again.tool_runs == ()
    responses = responses_of(emulator)
    assert sorted(response["name"] for response in responses) == sorted(names)


@every_family
def test_a_generator_tells_its_updates_where_the_model_goes_on_meanwhile(model: str, vertex: bool) -> None:
    def weather(city: str) -> Any:
        """Weather."""
        yield "looking"
        return f"sunny in {city}"

    with talking_to(model, vertex=vertex, config={"tools": [weather]}) as (emulator, session):
        turn = session.ask("What is the weather in Lisbon?", timeout=PATIENCE)
        setup = emulator.received[0].message["setup"]
    assert turn.tool_runs[0].result == "sunny in Lisbon"
    assert "sunny in Lisbon" in (turn.transcripts.output or turn.text)
    responses = responses_of(emulator)
    behavior = setup["tools"][0]["functionDeclarations"][0].get("behavior")
    goes_on = behavior == "NON_BLOCKING" or (model.startswith("gemini-3.8") and not vertex)
    assert [response.get("willContinue") for response in responses] == ([True, False] if goes_on else [None])
    assert behavior in (None, "NON_BLOCKING")


@pytest.mark.parametrize("model", ON_VERTEX)
@pytest.mark.parametrize("behavior", [None, "NON_BLOCKING"])
def test_on_vertex_ai_updates_are_for_on_run_alone_and_how_they_are_told_is_not_sent(model: str, behavior: str | None) -> None:
    """It takes no ``willContinue``; the scheduling of the tool itself goes with the answer."""
    results: list[Any] = []

    @tool(scheduling="WHEN_IDLE", behavior=behavior)
    def weather(city: str) -> Any:
        """Weather."""
        yield "looking"
        yield ToolUpdate({"found": 1}, scheduling="SILENT")
        return f"sunny in {city}"

    policy = ToolPolicy(on_run=lambda run: results.append(run.result))
    with talking_to(model, vertex=True, run_tools=policy, config={"tools": [weather]}) as (emulator, session):
        turn = session.ask("What is the weather in Lisbon?", timeout=PATIENCE)
        assert "sunny in Lisbon" in (turn.transcripts.output or turn.text)
        (response,) = responses_of(emulator)
        setup = emulator.received[0].message["setup"]
    assert (response["scheduling"], "willContinue" in response) == ("WHEN_IDLE", False)
    assert setup["tools"][0]["functionDeclarations"][0].get("behavior") == behavior
    assert list(dict.fromkeys(str(each) for each in results)) == ["None", "looking", "{'found': 1}", "sunny in Lisbon"]


@every_family
def test_a_function_that_hangs_up_lets_the_model_say_goodbye(model: str, vertex: bool) -> None:
    def weather(city: str, context: ToolContext) -> str:
        """Weather."""
        context.session.finish(PATIENCE)
        return "bye"

    with talking_to(model, vertex=vertex, config={"tools": [weather]}) as (_, session):
        turn = session.ask("What is the weather in Lisbon?", timeout=PATIENCE)
        assert "bye" in (turn.transcripts.output or turn.text)
        until(lambda: session.close_info)
        assert session.close_info is not None
        assert session.close_info.clean


def test_a_behavior_and_a_scheduling_that_the_family_refuses_are_refused_before_anything_is_dialled() -> None:
    thinking = "gemini-3.8-live-extended-thinking"
    blocking = tool(name="blocking", behavior="BLOCKING")(lambda: None)
    silent = tool(name="silent", scheduling="SILENT")(lambda: None)
    for function, words in ((blocking, "BLOCKING"), (silent, "scheduling of 'silent' is refused by Gemini 3.8 Live Extended")):
        with pytest.raises(ConfigError, match=words), talking_to(thinking, config={"tools": [function]}):
            pass
    with talking_to("gemini-3.8-live", config={"tools": [blocking, silent]}) as (emulator, session):
        session.ask("silent", timeout=PATIENCE, until="generated")
        until(lambda: responses_of(emulator))
        assert responses_of(emulator)[0]["scheduling"] == "SILENT"


# What the emulator does with calls, as families do.


class Holding:
    """A function that runs until it is let go."""

    def __init__(self) -> None:
        self.began, self.open, self.runs = threading.Event(), threading.Event(), 0
        self.contexts: list[ToolContext] = []

    def weather(self, context: ToolContext) -> int:
        """Weather."""
        self.runs += 1
        self.contexts.append(context)
        self.began.set()
        assert self.open.wait(PATIENCE)
        return 22


def test_3_8_makes_an_open_call_again_on_later_input_and_it_runs_once() -> None:
    holding = Holding()
    with talking_to("gemini-3.8-live", config={"tools": [holding.weather]}) as (_, session):
        session.send_text("weather")
        assert holding.began.wait(PATIENCE)
        session.send_text("Are you there?")
        until(lambda: len(session.tool_runs) == 2)
        holding.open.set()
        until(lambda: [run.state for run in session.tool_runs] == [RunState.ANSWERED] * 2)
        assert {run.result for run in session.tool_runs} == {22}
    assert holding.runs == 1


def test_2_5_answers_no_later_turn_while_a_call_waits() -> None:
    holding = Holding()
    with talking_to("gemini-2.5-flash-native-audio-preview", config={"tools": [holding.weather]}) as (emulator, session):
        session.send_text("weather")
        assert holding.began.wait(PATIENCE)
        session.send_text("Are you there?")
        until(lambda: sum(message.kind in ("clientContent", "realtimeInput.text") for message in emulator.received) == 2)
        assert session.tool_runs[0].state is RunState.RUNNING
        holding.open.set()
        first, second = session.collect(timeout=PATIENCE), session.collect(timeout=PATIENCE)
    assert "weather answered" in first.transcripts.output
    assert second.transcripts.output == "You said: Are you there?"


def test_calls_are_cancelled_at_any_moment_doubled_and_made_again_in_another_order() -> None:
    script = steps.Scenario(
        steps.CallTool("weather", {"city": "Rome"}, id="a", also=[{"name": "clock", "args": {"city": "Rome"}, "id": "b"}]),
        steps.RepeatCalls(same_ids=True),
        steps.CancelCalls(ids=["c"]),
        steps.CallTool("book", {"city": "Rome"}, id="c"),
        steps.CancelCalls(ids=["c"]),
    )
    with talking_to("emulator", script=script) as (emulator, session):
        until(lambda: [run.state.is_end for run in session.tool_runs] == [True] * 3)
        session.finish(PATIENCE)
    answered = [response["id"] for response in responses_of(emulator)]
    assert sorted(set(answered) | {"c"}) == ["a", "b", "c"]
    assert len(answered) == len(set(answered))


# Sound while a call blocks.

CHUNK = bytes(1_280)


def heard(emulator: LiveEmulator) -> int:
    return sum(message.kind == "realtimeInput.audio" for message in emulator.received)


def test_sound_is_held_back_while_a_call_blocks_where_the_family_ends_sessions_otherwise() -> None:
    holding = Holding()
    with talking_to("gemini-2.5-flash-native-audio-preview", config={"tools": [holding.weather]}) as (emulator, session):
        session.send_realtime_input(audio=CHUNK)
        until(lambda: heard(emulator) == 1)
        session.send_text("weather")
        assert holding.began.wait(PATIENCE)
        for _ in range(5):
            session.send_realtime_input(audio=CHUNK)
        session.send_client_content(turns="a note", turn_complete=False)
        until(lambda: any("a note" in str(message.message) for message in emulator.received))
        assert heard(emulator) == 1
        assert session.stats.held == 5
        holding.open.set()
        until(lambda: heard(emulator) == 6)
        kinds = [message.kind for message in emulator.received]
        assert kinds.index("toolResponse") < len(kinds) - 1 - kinds[::-1].index("realtimeInput.audio")
        session.send_realtime_input(audio=CHUNK)
        until(lambda: heard(emulator) == 7)
        assert session.stats.dropped == 0


def test_what_is_held_back_is_bounded_and_counted_and_an_end_of_activity_is_not_held() -> None:
    holding = Holding()
    detection = {"realtime_input_config": {"automatic_activity_detection": {"disabled": True}}}
    config = {"tools": [holding.weather], **detection}
    with talking_to("gemini-2.5-flash-native-audio-preview", config=config) as (emulator, session):
        session.send_text("weather")
        assert holding.began.wait(PATIENCE)
        session.send_realtime_input(activity_start={})
        for _ in range(500):
            session.send_realtime_input(audio=CHUNK)
        stats = session.stats
        assert stats.held == 500
        assert 150 < stats.dropped < 350
        session.send_realtime_input(activity_end={})
        until(lambda: any(message.kind == "realtimeInput.activityEnd" for message in emulator.received))
        assert session.stats.dropped == 500
        assert heard(emulator) == 0
        holding.open.set()


@pytest.mark.parametrize("model", ["gemini-3.8-live", "gemini-3.1-flash-live-preview"])
def test_other_families_hear_on_while_a_call_is_open(model: str) -> None:
    holding = Holding()
    with talking_to(model, config={"tools": [holding.weather]}) as (emulator, session):
        session.send_text("weather")
        assert holding.began.wait(PATIENCE)
        session.send_realtime_input(audio=CHUNK)
        until(lambda: heard(emulator) == 1)
        assert session.stats.held == 0
        holding.open.set()
