"""A conversation: what is said goes to the model, what it answers is heard, and everybody is told."""

from __future__ import annotations

import os
import random
import threading
import time
from itertools import takewhile
from typing import Any

import pytest

from genai_live import Client, ReconnectPolicy, errors, types
from genai_live.emulator import LiveEmulator
from genai_live.voice import (
    AnswerLost,
    Conversation,
    ConversationState,
    DeviceChanged,
    Ended,
    Event,
    Interrupted,
    Level,
    MemoryRecorder,
    ModelWords,
    Moved,
    Mute,
    Press,
    Rates,
    Reconnected,
    Reconnecting,
    Release,
    Text,
    ToolRunChanged,
    TurnEnded,
    Unmute,
    UserWords,
)
from tests.sound_ends import MODEL, HandEnd, client_of, states, talking, told, tone
from tests.waiting import PATIENCE, until


def test_what_is_spoken_is_answered_and_each_step_is_told_in_order() -> None:
    end = HandEnd(eager=True)
    with client_of(hears=["what time is it"]) as client, talking(end, client) as conversation:
        end.speak(1.0)
        end.wait(lambda: told(end, TurnEnded))
        (turn,) = told(end, TurnEnded)
        assert [utterance.speaker for utterance in turn.utterances] == ["user", "model"]
        assert turn.utterances[0].text == "what time is it"
        assert turn.utterances[1].heard == pytest.approx(len(end.pcm) / 48_000)
        assert turn.usage is not None
        assert turn.latency.first_played is not None
        assert conversation.transcript == turn.utterances
    assert states(end) == ["listening", "hearing", "waiting", "speaking", "listening", "ended"]
    kinds = [type(event) for event in end.shown]
    assert kinds.index(UserWords) < kinds.index(ModelWords) < kinds.index(TurnEnded)
    assert kinds[-1] is Ended
    assert end.closed.is_set()
    assert conversation.state is ConversationState.ENDED


@pytest.mark.parametrize("pace", [1.0, 0.0], ids=["which the service cuts short", "which the service takes to be heard"])
def test_speech_over_the_answer_empties_the_end_and_says_how_much_was_heard(pace: float) -> None:
    end = HandEnd()
    with client_of(pace=pace) as client, talking(end, client):
        end.speak(1.0)
        end.wait(lambda: end.held > 1.0)
        end.hear(0.5)
        end.speak(1.0)
        end.wait(lambda: told(end, Interrupted))
        assert end.flushed == 1
        (interrupted,) = told(end, Interrupted)
        assert (interrupted.heard, interrupted.exact) == (0.5, True)


def test_a_session_that_is_open_already_stays_open_and_lets_nobody_else_receive_meanwhile() -> None:
    end = HandEnd(eager=True)
    with client_of() as client, client.live.connect(model=MODEL, config={"response_modalities": ["AUDIO"]}) as session:
        with Conversation(session, end):
            with pytest.raises(errors.WrongThread, match="a Conversation receives from this session"):
                session.ask("Hello")
            end.speak(1.0)
            end.wait(lambda: told(end, TurnEnded))
        assert told(end, Ended)[0].close_info is None
        assert session.ask("Hello", timeout=PATIENCE).audio


def test_a_session_that_answers_in_text_is_refused_and_can_be_used_as_before() -> None:
    with client_of() as client, client.live.connect(model="emulator", config={"response_modalities": ["TEXT"]}) as session:
        with pytest.raises(errors.ConfigError, match="answers in TEXT"):
            Conversation(session, HandEnd())
        assert session.ask("Hello", timeout=PATIENCE).text


def test_an_end_without_sound_is_told_before_anything_is_dialled() -> None:
    client = Client(api_key="k", http_options={"base_url": "http://127.0.0.1:9"})
    with pytest.raises(errors.DeviceError, match="no microphone"):
        Conversation.connect(client, HandEnd(error=errors.DeviceError("no microphone")), model=MODEL)


def test_an_end_is_closed_again_where_no_session_can_be_had() -> None:
    end = HandEnd()
    client = Client(api_key="k", http_options={"base_url": "http://127.0.0.1:9"})
    with pytest.raises(errors.ConnectError):
        Conversation.connect(client, end, model=MODEL)
    assert end.closed.is_set()


def test_the_end_that_hangs_up_ends_the_conversation() -> None:
    end = HandEnd()
    with client_of() as client, talking(end, client) as conversation:
        end.ended(None)
        ended = conversation.wait(PATIENCE)
        assert (ended.error, ended.close_info is not None) == (None, True)


def test_an_end_that_cannot_show_events_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    end = HandEnd(eager=True)
    end.show = lambda event: 1 / 0  # type: ignore[method-assign]
    with client_of() as client, talking(end, client) as conversation:
        conversation.send_text("Hello")
        assert [type(event) for event in takewhile(lambda event: not isinstance(event, TurnEnded), conversation)]
    assert caplog.text.count("HandEnd.show failed") == 1


def test_the_error_of_an_end_is_that_of_the_conversation() -> None:
    end = HandEnd()
    with client_of() as client, talking(end, client) as conversation:
        end.ended(errors.DeviceError("unplugged"))
        assert isinstance(conversation.wait(PATIENCE).error, errors.DeviceError)


@pytest.mark.parametrize("holds_back", [0.0, 0.05])
def test_a_button_is_what_the_service_goes_by_where_it_detects_nothing(holds_back: float) -> None:
    end = HandEnd(eager=True, holds_back=holds_back)
    with client_of() as client, talking(end, client, turn_taking="push_to_talk") as conversation:
        end.speak(0.5)  # nobody presses: it is not sent
        conversation.press()
        end.speak(0.5)
        conversation.release()
        end.wait(lambda: told(end, TurnEnded))
        assert conversation.stats.sent == pytest.approx(1.5, abs=0.05)
    assert states(end) == ["listening", "hearing", "waiting", "speaking", "listening", "ended"]


class Early(HandEnd):
    """Hears somebody before there is a session."""

    def open(self, *given: Any) -> Rates:
        rates = super().open(*given)
        self.speak(1.0)
        return rates


def test_what_was_heard_before_there_was_a_session_is_not_sent_where_nobody_has_pressed_the_button() -> None:
    end = Early(eager=True)
    with client_of() as client, talking(end, client, turn_taking="push_to_talk") as conversation:
        conversation.press()
        end.feed(tone(0.2))
        conversation.release()
        end.wait(lambda: told(end, TurnEnded))
        assert conversation.stats.sent == pytest.approx(0.2)


def test_what_an_end_holds_back_when_the_button_is_released_belongs_to_what_was_said() -> None:
    end = HandEnd(eager=True, holds_back=1.0)
    with client_of() as client, talking(end, client, turn_taking="push_to_talk") as conversation:
        conversation.press()
        end.feed(tone(0.2))
        conversation.release()
        end.feed(tone(0.04))
        conversation.press()  # which does not wait for the second
        end.feed(tone(0.12))
        until(lambda: conversation.stats.sent == pytest.approx(0.36))
        conversation.release()
        conversation.send_text("nor does this")
        end.feed(tone(0.04))  # for nobody
        end.wait(lambda: told(end, TurnEnded))
        assert conversation.stats.sent == pytest.approx(0.36)


def test_events_come_to_who_iterates_and_end_with_the_last() -> None:
    end = HandEnd(eager=True)
    with client_of() as client, talking(end, client) as conversation:
        conversation.send_text("Hello")
        seen = []
        for event in conversation:
            seen.append(event)
            if isinstance(event, TurnEnded):
                conversation.close()
        assert isinstance(seen[-1], Ended)
        assert [part.text for part in conversation.history()[0].parts or ()] == ["Hello"]


def test_what_the_person_at_the_end_does_counts_as_what_the_program_does() -> None:
    end = HandEnd(eager=True)
    with client_of() as client, talking(end, client, turn_taking="push_to_talk") as conversation:
        end.control(Mute())
        assert conversation.muted
        end.control(Unmute())
        assert not conversation.muted
        end.control(Press())
        end.speak(0.5)
        end.control(Release())
        end.wait(lambda: len(told(end, TurnEnded)) == 1)
        end.control(Text("typed"))
        end.wait(lambda: len(told(end, TurnEnded)) == 2)
        end.control(Moved("built-in", "headset"))
        assert [(event.old, event.new) for event in told(end, DeviceChanged)] == [("built-in", "headset")]


def test_the_button_is_refused_where_the_service_detects_speech() -> None:
    with client_of() as client, talking(HandEnd(), client) as conversation:
        for act in (conversation.press, conversation.release):
            with pytest.raises(errors.ConfigError, match="push_to_talk"):
                act()


def test_a_muted_microphone_is_not_heard() -> None:
    end = HandEnd(eager=True)
    with LiveEmulator(voice=False, pace=0.0) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        with talking(end, client) as conversation:
            conversation.mute()
            end.speak(1.0)
            until(lambda: conversation.stats.sent > 1.9)
            conversation.unmute()
            assert not [each for each in emulator.received if each.kind == "realtimeInput.audio"]
            end.speak(1.0)
            end.wait(lambda: told(end, TurnEnded))


def test_half_duplex_sends_nothing_while_the_answer_is_heard() -> None:
    end = HandEnd()
    with client_of() as client, talking(end, client, half_duplex=True) as conversation:
        end.speak(1.0)
        end.wait(lambda: "end_of_answer" in end.acts)
        end.speak(1.0)  # the loudspeaker's echo, or the user
        until(lambda: conversation.stats.sent > 3.9)
        assert not told(end, Interrupted)
        end.hear()
        end.wait(lambda: told(end, TurnEnded))
        heard = len(told(end, UserWords))

        def is_heard_again() -> bool:
            end.speak(1.0)  # the microphone is open a moment after the last sound
            return len(told(end, UserWords)) > heard

        until(is_heard_again)


def test_levels_are_told_of_both_sides() -> None:
    end = HandEnd(eager=True)
    with client_of() as client, talking(end, client, levels=True):
        end.feed(tone(0.2))
        end.wait(lambda: any(level.input > -20 for level in told(end, Level)))
        end.feed(bytes(32_000))
        end.speak(1.0)
        end.wait(lambda: any(level.output > -60 for level in told(end, Level)))


def test_an_end_of_other_rates_hears_and_is_heard_as_any_other() -> None:
    end = HandEnd(rates=Rates(48_000, 48_000), eager=True)
    with client_of(hears=["hello"]) as client, talking(end, client):
        end.speak(1.0)
        end.wait(lambda: told(end, TurnEnded))
        (turn,) = told(end, TurnEnded)
        assert turn.utterances[0].text == "hello"
        assert turn.utterances[1].heard == pytest.approx(len(end.pcm) / 96_000)


def test_runs_of_tools_are_told_as_they_change() -> None:
    def get_time() -> dict[str, str]:
        """Tells the time."""
        return {"time": "noon"}

    seen: list[str] = []
    end = HandEnd(eager=True)
    policy = {"on_run": lambda run: seen.append(str(run.state))}
    with (
        client_of(hears=["please call get_time"]) as client,
        talking(end, client, config={"tools": [get_time]}, run_tools=policy),
    ):
        end.speak(1.0)
        end.wait(lambda: told(end, TurnEnded))
    states_of_run = [str(event.run.state) for event in told(end, ToolRunChanged)]
    assert states_of_run == seen
    assert states_of_run[-1] == "answered"


def test_a_conversation_goes_on_over_another_connection() -> None:
    end = HandEnd(eager=True)
    with LiveEmulator(voice=False, pace=0.0) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        with talking(end, client, reconnect=ReconnectPolicy(first_pause=0.5)) as conversation:
            end.speak(1.0)
            end.wait(lambda: told(end, TurnEnded))
            emulator.sessions[0].abort()
            end.wait(lambda: told(end, Reconnecting))
            assert conversation.state is ConversationState.RECONNECTING
            for _ in range(10):
                end.feed(tone(1.0))  # most of it is too old for the next connection
            end.wait(lambda: told(end, Reconnected))
            assert told(end, Reconnected)[0].state_restored
            assert conversation.stats.input_dropped == pytest.approx(8.0, abs=0.1)
            end.speak(0.1)
            end.wait(lambda: len(told(end, TurnEnded)) == 2)


def test_an_end_by_the_service_ends_the_conversation_with_its_error() -> None:
    end = HandEnd()
    with LiveEmulator(voice=False, pace=0.0) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        with talking(end, client, reconnect=False) as conversation:
            emulator.sessions[0].close(1011, "Internal error encountered.")
            ended = conversation.wait(PATIENCE)
            assert isinstance(ended.error, errors.ClosedByServer)
            assert ended.close_info is not None
            assert ended.close_info.code == 1011
    assert end.closed.is_set()


@pytest.mark.parametrize("owner", ["the conversation's", "the program's"])
def test_an_answer_is_told_as_lost_where_its_connection_is_lost_for_good(owner: str) -> None:
    end = HandEnd()
    with LiveEmulator(voice=False) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        session = client.live.connect(model=MODEL, config={"response_modalities": ["AUDIO"]})
        if owner == "the program's":
            conversation = Conversation(session, end)
        else:
            conversation = Conversation.connect(client, end, model=MODEL, reconnect=False)
        with session, conversation:
            conversation.send_text("Tell me a long story about everything that there is")
            end.wait(lambda: end.held > 0.2)
            emulator.sessions[0 if owner == "the program's" else 1].abort()
            ended = conversation.wait(PATIENCE)
    assert isinstance(ended.error, errors.SessionClosed)
    kinds = [type(event) for event in end.shown]
    assert kinds.count(AnswerLost) == 1
    assert kinds.index(AnswerLost) < kinds.index(TurnEnded) < kinds.index(Ended)


class Blocking(HandEnd):
    """Its ``close``, and its program's function for events, wait until a test lets them go."""

    def __init__(self, blocks: str) -> None:
        super().__init__(eager=True)
        self.blocks = blocks
        self.blocked, self.free = threading.Event(), threading.Event()

    def on_event(self, event: Event) -> None:
        if self.blocks == "a function for events" and isinstance(event, UserWords):
            self.block()

    def close(self, timeout: float) -> None:
        super().close(timeout)
        if self.blocks == "the end":
            self.block()

    def block(self) -> None:
        self.blocked.set()
        self.free.wait(PATIENCE)


def test_an_end_that_never_closes_keeps_no_session_open(caplog: pytest.LogCaptureFixture) -> None:
    free = threading.Event()

    class Hanging(HandEnd):
        def close(self, timeout: float) -> None:
            free.wait(2 * PATIENCE)

    with client_of() as client:
        conversation = Conversation.connect(client, Hanging(), model=MODEL)
        try:
            conversation.close()
            assert conversation.wait(PATIENCE).error is None
            assert client.live.sessions == ()
        finally:
            free.set()
    assert "Hanging.close has not returned within" in caplog.text


@pytest.mark.parametrize("blocks", ["a function for events", "the end"])
def test_close_is_done_within_a_second_whatever_blocks(blocks: str) -> None:
    end = Blocking(blocks)
    with client_of(hears=["hello"]) as client, talking(end, client, on_event=end.on_event) as conversation:
        try:
            end.speak(1.0)
            assert blocks == "the end" or end.blocked.wait(PATIENCE)
            began = time.monotonic()
            conversation.close()
            assert time.monotonic() - began < 1.0
            assert end.blocked.is_set()
            assert end.closed.is_set()
        finally:
            end.free.set()
        assert conversation.wait(PATIENCE).error is None
        assert client.live.sessions == ()


def test_a_function_is_told_each_event_in_the_place_of_iteration() -> None:
    end, seen = HandEnd(eager=True), []

    def on_event(event: Event) -> None:
        seen.append(event)
        if isinstance(event, TurnEnded):
            conversation.close()  # here it must not wait for itself
        raise ValueError("is logged, and no more")

    with client_of() as client, talking(end, client, on_event=on_event) as conversation:
        conversation.send_text("Hello")
        conversation.wait(PATIENCE)
    assert seen == end.shown
    assert isinstance(seen[-1], Ended)


@pytest.mark.parametrize("shared", [False, True], ids=["own readers", "a shared reader"])
def test_a_conversation_needs_no_thread_of_its_own(shared: bool) -> None:
    ends = [HandEnd(eager=True) for _ in range(5)]
    with client_of(shared=shared) as client:
        talks = [Conversation.connect(client, end, model=MODEL) for end in ends]
        for end in ends:
            end.speak(1.0)
        for end in ends:
            end.wait(lambda end=end: told(end, TurnEnded))
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith("genai-live-voice")]
        assert names.count("genai-live-reader") == (1 if shared else 5)
        for talk in talks:
            talk.close()


@pytest.mark.parametrize("whose", ["its own", "a neighbour's"])
def test_a_callback_that_closes_keeps_no_other_session_of_its_reader_waiting(whose: str) -> None:
    closed: list[float] = []
    talks: dict[str, Conversation] = {}

    def on_message(message: types.LiveServerMessage) -> None:
        if message.server_content is not None and not closed:
            begin = time.monotonic()
            talks[whose].close(PATIENCE)
            closed.append(time.monotonic() - begin)

    with (
        client_of(shared=True) as client,
        talking(HandEnd(), client) as neighbour,
        talking(HandEnd(eager=True), client, on_message=on_message) as own,
    ):
        talks.update({"its own": own, "a neighbour's": neighbour})
        own.send_text("Hello")
        assert talks[whose].wait(PATIENCE).error is None
        until(lambda: closed)
        assert closed[0] < PATIENCE / 2


def test_closing_is_for_good_and_twice_is_as_once() -> None:
    end = HandEnd()
    with client_of() as client, talking(end, client) as conversation:
        conversation.close()
        conversation.close()
        conversation.send_text("too late")
        conversation.interrupt()
        assert [type(event) for event in conversation][-1] is Ended
        assert list(conversation) == []
        assert client.live.sessions == ()


def test_waiting_has_its_limit_and_takes_no_event() -> None:
    with client_of() as client, talking(HandEnd(), client) as conversation:
        with pytest.raises(errors.ReceiveTimeout, match=r"did not end within 0\.01 s"):
            conversation.wait(0.01)
        conversation.close()
        assert conversation.wait(0) in list(conversation)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"config": {"response_modalities": ["TEXT"]}}, r"must be \['AUDIO'\] in a conversation"),
        ({"config": {"generationConfig": {"responseModalities": ["TEXT"]}}}, r"must be \['AUDIO'\] in a conversation"),
        ({"turn_taking": "telepathy"}, "must be 'automatic' or 'push_to_talk'"),
        (
            {"config": {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}},
            "is True, and turn_taking='automatic' needs False",
        ),
        (
            {
                "config": {"realtime_input_config": {"automatic_activity_detection": {"disabled": False}}},
                "turn_taking": "push_to_talk",
            },
            "is False, and turn_taking='push_to_talk' needs True",
        ),
        ({"config": {"response_modalities": ["AUDIO"], "responseModalities": ["TEXT"]}}, "is given twice, in two spellings"),
        ({"config": {"realtimeInputConfig": "off"}}, "config.realtime_input_config: must be RealtimeInputConfig"),
        ({"half_duplex": "yes"}, "half_duplex"),
        ({"on_event": 3}, "must be a function"),
    ],
)
def test_what_contradicts_a_conversation_is_refused_before_anything_is_opened(arguments: dict[str, Any], words: str) -> None:
    end = HandEnd(error=AssertionError("it was opened"))
    client = Client(api_key="k", http_options={"base_url": "http://127.0.0.1:9"})
    with pytest.raises(errors.ConfigError, match=words):
        Conversation.connect(client, end, **{"model": MODEL, **arguments})


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"generationConfig": {"responseModalities": ["TEXT"]}}, "the session answers in TEXT"),
        ({"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}, "makes turn taking 'push_to_talk'"),
    ],
    ids=["text", "no detection"],
)
def test_what_extra_members_of_the_setup_make_of_it_is_refused_and_leaves_nothing_open(extra: dict[str, Any], words: str) -> None:
    end = HandEnd()
    with client_of(strict=False) as client:
        with pytest.raises(errors.ConfigError, match=words):
            Conversation.connect(client, end, model=MODEL, extra_setup=extra)
        assert client.live.sessions == ()
    assert end.closed.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_child_process_is_told_that_the_conversation_is_its_parents() -> None:
    with client_of() as client, talking(HandEnd(), client) as conversation:
        acts = (
            conversation.mute,
            conversation.interrupt,
            conversation.wait,
            lambda: conversation.send_text("x"),
            lambda: list(conversation),
        )
        child = os.fork()
        if child == 0:
            try:
                for act in acts:
                    with pytest.raises(errors.ForkedSession, match="belongs to the process that opened it"):
                        act()
                conversation.close()
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert conversation.state is ConversationState.LISTENING


def test_what_the_caller_set_stays_and_the_rest_is_completed() -> None:
    config = {
        "outputAudioTranscription": {"languageCodes": ["de-DE"]},
        "realtimeInputConfig": {"turnCoverage": "TURN_INCLUDES_ALL_INPUT"},
    }
    with client_of(strict=False) as client, talking(HandEnd(), client, config=config, turn_taking="push_to_talk") as conversation:
        setup = conversation.session.setup
        assert setup["outputAudioTranscription"] == {"languageCodes": ["de-DE"]}
        assert setup["inputAudioTranscription"] == {}
        assert setup["generationConfig"]["responseModalities"] == ["AUDIO"]
        assert setup["realtimeInputConfig"] == {
            "turnCoverage": "TURN_INCLUDES_ALL_INPUT",
            "automaticActivityDetection": {"disabled": True},
        }
    assert "realtime_input_config" not in config


def test_a_config_may_be_an_object_as_everywhere() -> None:
    config = types.LiveConnectConfig(
        system_instruction="Be brief.",
        realtime_input_config=types.RealtimeInputConfig(activity_handling="NO_INTERRUPTION"),
    )
    with client_of() as client, talking(HandEnd(), client, config=config, turn_taking="push_to_talk") as conversation:
        assert conversation.turn_taking == "push_to_talk"
        assert conversation.session.setup["realtimeInputConfig"]["activityHandling"] == "NO_INTERRUPTION"
    assert config == types.LiveConnectConfig(
        system_instruction="Be brief.",
        realtime_input_config=types.RealtimeInputConfig(activity_handling="NO_INTERRUPTION"),
    )


def test_what_is_no_end_or_no_session_is_refused() -> None:
    with client_of() as client:
        with pytest.raises(errors.ConfigError, match=r"must be a SoundEnd .*, and object has no open, play, "):
            Conversation.connect(client, object(), model=MODEL)  # type: ignore[arg-type]
        with pytest.raises(errors.ConfigError, match=r"end: is the class HandEnd, and one of it is wanted: HandEnd\(\.\.\.\)"):
            Conversation.connect(client, HandEnd, model=MODEL)  # type: ignore[arg-type]
        with pytest.raises(errors.ConfigError, match="record: is the class MemoryRecorder"):
            Conversation.connect(client, HandEnd(), model=MODEL, record=MemoryRecorder)  # type: ignore[arg-type]
        with pytest.raises(errors.ConfigError, match="must be an open Live session"):
            Conversation(client, HandEnd())  # type: ignore[arg-type]


class Seven:
    """An end that has what the contract asks for, and no more."""

    def __init__(self) -> None:
        self.inner = HandEnd(eager=False)
        for name in ("open", "play", "end_of_answer", "flush", "show", "close"):
            setattr(self, name, getattr(self.inner, name))

    @property
    def played(self) -> float:
        return self.inner.played


def test_an_end_that_counts_no_flushes_is_one_and_how_much_was_heard_is_not_exact() -> None:
    end = Seven()
    with client_of(hears=["hello"]) as client, Conversation.connect(client, end, model=MODEL) as conversation:  # type: ignore[arg-type]
        end.inner.speak(1.0)
        end.inner.wait(lambda: end.inner.held > 1.0)
        end.inner.hear(0.5)
        conversation.interrupt()
        end.inner.wait(lambda: told(end.inner, Interrupted))
        (interrupted,) = told(end.inner, Interrupted)
        assert (interrupted.heard, interrupted.exact) == (0.5, False)


def test_an_end_may_have_nothing_to_say_of_what_was_heard_before_it_is_open() -> None:
    class Late(HandEnd):
        @property
        def played(self) -> float:
            return self.feed and super().played  # type: ignore[return-value]  # there is no feed before

    end = Late(eager=True)
    with client_of() as client, talking(end, client) as conversation:
        conversation.send_text("Hello")
        end.wait(lambda: told(end, TurnEnded))


def test_an_end_that_has_heard_infinitely_much_is_logged_once_and_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    class Infinite(HandEnd):
        @property
        def played(self) -> float:
            return float("inf") if super().played > 0.1 else super().played

    end = Infinite(eager=True)
    with client_of() as client, talking(end, client, levels=True) as conversation:
        conversation.send_text("Hello")
        end.wait(lambda: len(told(end, Level)) > 5)
        assert conversation.stats.heard <= 0.1
    assert caplog.text.count("Infinite.played failed") == 1


def test_an_end_that_is_full_takes_no_more_and_the_conversation_goes_on() -> None:
    class Full(HandEnd):
        def play(self, pcm: bytes) -> None:
            raise errors.EndFull("ten minutes wait")

    end = Full()
    with client_of() as client, talking(end, client) as conversation:
        conversation.send_text("Hello")
        end.wait(lambda: told(end, TurnEnded))
        assert conversation.stats.refused > 0.5


@pytest.mark.parametrize(
    "model",
    [
        "emulator",
        "gemini-2.0-flash-live-001",
        "gemini-live-2.5-flash-preview",
        "gemini-2.5-flash-native-audio-preview-09-2025",
        "gemini-3.1-flash-live-preview",
        "gemini-3.8-live",
    ],
)
def test_every_family_is_talked_with_whether_it_says_when_speech_ends_or_not(model: str) -> None:
    end = HandEnd(eager=True)
    with client_of(hears=["one", "two"]) as client, talking(end, client, model=model) as conversation:
        for number in (1, 2):
            end.speak(1.0)
            end.wait(lambda number=number: len(told(end, TurnEnded)) == number)
        assert [said.text for said in conversation.transcript if said.speaker == "user"] == ["one", "two"]
        assert all(turn.latency.first_sound is not None for turn in told(end, TurnEnded))


def test_another_conversation_goes_on_with_the_history_of_the_first() -> None:
    end = HandEnd(eager=True)
    with client_of(hears=["my name is Ada"]) as client:
        with talking(end, client, model="emulator") as first:
            end.speak(1.0)
            end.wait(lambda: told(end, TurnEnded))
        with talking(HandEnd(), client, model="emulator", history=first.history()) as second:
            assert second.session.setup["historyConfig"] == {"initialHistoryInClientContent": True}


def test_a_button_that_fits_no_conversation_is_logged_once_however_often_a_page_clicks(caplog: pytest.LogCaptureFixture) -> None:
    end = HandEnd()
    with client_of() as client, talking(end, client):
        for _ in range(50):
            end.control(Press())
            end.control(Release())
    assert [record.getMessage().partition(" of ")[0] for record in caplog.records] == ["Press", "Release"]


@pytest.mark.parametrize("turn_taking", ["automatic", "push_to_talk"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_many_threads_do_at_once_nothing_fails_and_the_end_is_told_once(
    seed: int, turn_taking: str, caplog: pytest.LogCaptureFixture
) -> None:
    end = HandEnd(eager=True)
    with LiveEmulator(voice=False, pace=0.0) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url}, shared_reader=bool(seed % 2))
        quick = ReconnectPolicy(first_pause=0.01)
        with talking(end, client, turn_taking=turn_taking, reconnect=quick, levels=True, half_duplex=bool(seed)) as conversation:
            acts = [
                conversation.mute,
                conversation.unmute,
                conversation.interrupt,
                conversation.history,
                lambda: conversation.send_text("Hello"),
                lambda: conversation.stats,
                lambda: conversation.latency,
                lambda: end.control(Press()),
                lambda: end.control(Release()),
            ]

            def act(number: int) -> None:
                chance = random.Random(f"{seed} {number}")
                for _ in range(100):
                    chance.choice(acts)()
                    threading.Event().wait(chance.random() * 0.004)

            def speak() -> None:
                for _ in range(10):
                    end.speak(0.3)
                    threading.Event().wait(0.02)

            threads = [threading.Thread(target=act, args=(number,)) for number in range(3)] + [threading.Thread(target=speak)]
            for thread in threads:
                thread.start()
            until(lambda: len(emulator.sessions) == 1)
            emulator.sessions[0].abort()
            for thread in threads:
                thread.join(PATIENCE)
            closers = [threading.Thread(target=conversation.close) for _ in range(3)]
            for thread in closers:
                thread.start()
            for thread in closers:
                thread.join(PATIENCE)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert [type(event) for event in end.shown].index(Ended) == len(end.shown) - 1
    assert end.shown == sorted(end.shown, key=lambda event: event.at)
