"""What a conversation makes of messages, acts and time, without threads and clock."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_live.errors import CloseInfo, Phase, SentBy
from genai_live.reconnection import Reconnected as Back
from genai_live.reconnection import Reconnecting as Gone
from genai_live.types import LiveServerContent, LiveServerMessage, VoiceActivity
from genai_live.voice import (
    AnswerLost,
    ConversationState,
    Event,
    Interrupted,
    ModelWords,
    Reconnected,
    Reconnecting,
    StateChanged,
    TurnEnded,
    UserWords,
    Waiting,
)
from genai_live.voice.detection import SpeechClock
from genai_live.voice.dialogue import CONFIRM_WITHIN, LATEST_START, QUIET_END, Dialogue
from genai_live.voice.leftovers import INTERRUPTED_FOR, INTERRUPTED_GAP, ON_ITS_WAY, SILENCED_GAP
from tests.sound_ends import RATE_OUT, tone

INFO = CloseInfo(1006, "", SentBy.NETWORK, Phase.TURN, True)


class Talk:
    """A dialogue with an end and a clock that stand still until told otherwise."""

    def __init__(self, *, confirms: bool = True, **options: Any) -> None:
        self.events: list[Event] = []
        self.pcm = bytearray()
        """What the end holds or has played."""
        self.heard = 0
        self.flushed = 0
        self.confirms = confirms
        self.now = 0.0
        self.dialogue = Dialogue(self, self.events.append, SpeechClock(), **options)
        self.dialogue.open(0.0)

    def play(self, pcm: bytes, rate: int) -> float:
        assert rate == RATE_OUT
        self.pcm += pcm
        return len(pcm) / 2 / RATE_OUT

    def end_of_answer(self) -> float:
        return 0.0

    def flush(self) -> tuple[float, int]:
        del self.pcm[self.heard :]
        self.flushed += 1
        return self.heard / 2 / RATE_OUT, self.flushed if self.confirms else 0

    @property
    def held(self) -> float:
        return (len(self.pcm) - self.heard) / 2 / RATE_OUT

    def hear(self, seconds: float | None = None) -> None:
        """Lets so much be heard, all without a number, and time pass as long as that takes."""
        size = len(self.pcm) - self.heard if seconds is None else min(len(self.pcm) - self.heard, 2 * int(seconds * RATE_OUT))
        self.heard += size
        self.wait(size / 2 / RATE_OUT)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for _ in range(2):
            self.dialogue.look(self.now, self.heard / 2 / RATE_OUT, self.flushed if self.confirms else 0)

    def says(self, *, ends: bool = False, sound: float = 0.0, **content: Any) -> None:
        """The service sends one message of content; ``ends``: the session takes it for the end of the turn."""
        if sound:
            data = base64.b64encode(tone(sound, RATE_OUT)).decode()
            content["modelTurn"] = {"parts": [{"inlineData": {"mimeType": f"audio/pcm;rate={RATE_OUT}", "data": data}}]}
        self.sends({"serverContent": content}, ends=ends)

    def sends(self, fields: dict[str, Any], *, ends: bool = False) -> None:
        message = LiveServerMessage.from_dict(fields)
        if ends:
            message.__dict__["ends_turn"] = True
        self.dialogue.message(message, self.now)

    def speech(self, *, began: bool) -> None:
        kind = "ACTIVITY_START" if began else "ACTIVITY_END"
        self.dialogue.message(LiveServerMessage(voice_activity=VoiceActivity(voice_activity_type=kind)), self.now)

    def asks(self) -> None:
        """The user speaks, and has spoken."""
        self.speech(began=True)
        self.now += 1.0
        self.speech(began=False)

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def states(self) -> list[str]:
        return [str(event.state) for event in self.told(StateChanged)]


def completes(talk: Talk) -> None:
    talk.says(generationComplete=True)
    talk.says(turnComplete=True, ends=True)


# Turns


def test_a_turn_is_over_when_all_of_it_was_heard_and_not_when_it_was_sent() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=1.0)
    completes(talk)
    talk.hear(0.5)
    assert not talk.told(TurnEnded)
    talk.hear()
    (ended,) = talk.told(TurnEnded)
    assert ended.utterances[-1].heard == pytest.approx(1.0)
    assert talk.states == ["listening", "hearing", "waiting", "speaking", "listening"]


def test_a_report_of_usage_in_the_frame_after_the_end_belongs_to_the_turn() -> None:
    talk = Talk()
    talk.says(turnComplete=True, outputTranscription={"text": "Hi"}, ends=True)
    talk.sends({"usageMetadata": {"totalTokenCount": 7}})
    talk.wait(0.02)
    assert talk.told(TurnEnded)[0].usage.total_token_count == 7


def test_an_answer_that_the_service_never_ends_is_over_after_a_silence() -> None:
    talk = Talk()
    talk.says(sound=0.5)
    talk.says(generationComplete=True)
    talk.hear()
    assert not talk.told(TurnEnded)
    talk.wait(QUIET_END)
    (turn,) = talk.told(TurnEnded)
    assert turn.utterances[-1].end - turn.utterances[-1].begin == pytest.approx(0.5)  # and not the silence behind it
    assert talk.dialogue.state is ConversationState.LISTENING


def test_sound_before_and_after_a_tool_is_one_turn_and_the_pause_is_waiting() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=0.5)
    talk.sends({"toolCall": {"functionCalls": [{"id": "1", "name": "f"}]}})
    talk.hear()
    assert talk.dialogue.state is ConversationState.WAITING
    talk.wait(20.0)
    assert not talk.told(TurnEnded)
    talk.says(sound=0.5)
    completes(talk)
    talk.hear()
    (ended,) = talk.told(TurnEnded)
    assert ended.utterances[-1].heard == pytest.approx(1.0)
    assert talk.dialogue.playback.underruns == 0


def test_the_end_of_a_call_alone_is_no_end_of_the_turn() -> None:
    talk = Talk()
    talk.sends({"toolCall": {"functionCalls": [{"id": "1", "name": "f"}]}})
    talk.says(turnComplete=True)  # 3.8: the call has a turn of its own
    talk.says(sound=0.5)
    completes(talk)
    talk.hear()
    assert len(talk.told(TurnEnded)) == 1


def test_an_answer_that_nobody_asked_for_is_heard_behind_the_one_that_plays() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=1.0)
    completes(talk)
    talk.hear(0.2)
    talk.says(sound=0.5)
    completes(talk)
    talk.hear()
    assert [turn.utterances[-1].heard for turn in talk.told(TurnEnded)] == pytest.approx([1.0, 0.5])
    assert talk.flushed == 0


def test_an_end_that_runs_empty_in_the_middle_is_counted_once() -> None:
    talk = Talk()
    talk.says(sound=0.5)
    talk.hear()
    talk.wait(0.1)
    talk.says(sound=0.5)
    completes(talk)
    talk.hear()
    talk.wait(1.0)
    assert talk.dialogue.playback.underruns == 1


# Latency


def test_latency_counts_from_the_last_loud_sample_and_to_the_first_that_is_heard() -> None:
    talk = Talk()
    talk.speech(began=True)
    talk.dialogue.ears.hear(bytes(1280), 0.9)
    talk.dialogue.ears.hear(tone(0.04), 1.0)
    talk.now = 2.0
    talk.speech(began=False)  # the service says so a second late
    talk.now = 2.5
    talk.says(outputTranscription={"text": "Yes"})
    talk.now = 2.6
    talk.says(sound=1.0)
    talk.now = 2.9
    talk.hear(0.1)
    completes(talk)
    talk.hear()
    latency = talk.told(TurnEnded)[0].latency
    assert (latency.first_message, latency.first_sound, latency.first_audible) == pytest.approx((1.5, 1.6, 1.6))
    assert latency.first_played == pytest.approx(1.9)
    assert talk.dialogue.latencies.summary().p50 == latency


def test_where_the_service_does_not_say_when_speech_ends_the_microphone_does() -> None:
    talk = Talk()
    talk.dialogue.ears.hear(bytes(1280), 0.5)
    talk.dialogue.ears.hear(tone(0.04), 1.0)
    talk.now = 2.0
    talk.says(sound=0.5)
    completes(talk)
    talk.hear()
    talk.says(sound=0.5)  # unasked: nothing was said since
    completes(talk)
    talk.hear()
    first, second = talk.told(TurnEnded)
    assert first.latency.first_sound == pytest.approx(1.0)
    assert second.latency.first_sound is None


# Interruption


def interrupted(talk: Talk, heard: float = 0.5) -> None:
    talk.asks()
    talk.says(sound=2.0, outputTranscription={"text": "Once"})
    talk.hear(heard)
    talk.speech(began=True)


def test_sound_in_the_message_that_interrupts_is_not_heard() -> None:
    talk = Talk()
    interrupted(talk)
    talk.says(interrupted=True, sound=1.0)
    assert (talk.held, talk.flushed) == (0, 1)


@pytest.mark.parametrize("before", [False, True], ids=["in the middle", "after generationComplete"])
def test_late_sound_of_the_old_answer_is_dropped_and_the_new_one_is_heard(before: bool) -> None:
    talk = Talk()
    interrupted(talk)
    if before:
        talk.says(generationComplete=True)
    talk.says(interrupted=True)
    talk.says(sound=1.0)
    assert talk.held == 0
    talk.says(turnComplete=True, ends=True)
    talk.speech(began=False)
    talk.says(sound=0.7)
    assert talk.held == pytest.approx(0.7)


@pytest.mark.parametrize("late", [0, 1, 2])
def test_an_interruption_that_no_end_of_the_turn_follows_does_not_swallow_the_beginning_of_the_next_answer(late: int) -> None:
    talk = Talk()
    interrupted(talk)
    talk.says(interrupted=True)
    for _ in range(late):
        talk.wait(INTERRUPTED_GAP / 2)
        talk.says(sound=0.2)
    assert talk.held == 0
    talk.wait(INTERRUPTED_GAP)
    for _ in range(4):  # faster than it is heard, as answers come
        talk.says(sound=0.3)
        talk.now += 0.1
    completes(talk)
    assert talk.held == pytest.approx(1.2)
    talk.hear()
    assert [turn.utterances[-1].interrupted for turn in talk.told(TurnEnded)] == [True, False]


def test_an_answer_that_follows_the_interruption_at_once_is_not_lost_for_good() -> None:
    talk = Talk()
    interrupted(talk)
    talk.says(interrupted=True)
    for _ in range(30):
        talk.now += 0.1
        talk.says(sound=0.3)
    assert talk.held == pytest.approx(0.3 * (30 - 10 * INTERRUPTED_FOR), abs=0.31)


@pytest.mark.parametrize("asks", ["types", "presses"])
def test_an_interruption_that_comes_after_the_question_does_not_swallow_its_answer(asks: str) -> None:
    talk = Talk(has_button=asks == "presses")
    talk.dialogue.ask("Tell me a story", talk.now)
    talk.says(sound=2.0)
    talk.hear(0.5)
    if asks == "types":
        talk.dialogue.ask("Stop. What time is it?", talk.now)
    else:
        talk.dialogue.press(talk.now)
        talk.now += 0.1
        talk.dialogue.release(talk.now)
    talk.now += 0.05
    talk.says(interrupted=True)
    talk.says(sound=0.2)
    assert talk.held == 0
    talk.now += ON_ITS_WAY
    talk.says(sound=0.3)
    assert talk.held == pytest.approx(0.3)


def test_what_this_program_cuts_short_stays_away_through_its_pauses() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=1.0)
    talk.hear(0.5)
    talk.dialogue.silence(talk.now)
    for _ in range(10):
        talk.wait(SILENCED_GAP - 0.1)
        talk.says(sound=1.0)
    assert talk.held == 0


def test_how_much_was_heard_is_told_when_the_end_knows_and_cuts_the_words() -> None:
    talk = Talk()
    talk.asks()
    for word in ("One ", "two ", "three ", "four"):
        talk.says(outputTranscription={"text": word}, sound=1.0)
    talk.hear(1.5)
    talk.speech(began=True)
    talk.says(interrupted=True, turnComplete=True, ends=True)
    talk.wait(0.02)
    (cut,) = talk.told(Interrupted)
    assert (cut.heard, cut.exact) == (pytest.approx(1.5), True)
    said = talk.told(TurnEnded)[0].utterances[-1]
    assert (said.text, said.interrupted, said.heard) == ("One two", True, pytest.approx(1.5))
    assert talk.told(ModelWords)[-1].text == "One two"


def test_an_end_that_does_not_confirm_is_waited_for_half_a_second() -> None:
    talk = Talk(confirms=False)
    interrupted(talk)
    talk.says(interrupted=True, turnComplete=True, ends=True)
    talk.wait(CONFIRM_WITHIN - 0.01)
    assert not talk.told(Interrupted)
    talk.wait(0.02)
    (cut,) = talk.told(Interrupted)
    assert (cut.heard, cut.exact) == (pytest.approx(0.5), False)


def test_who_heard_all_of_an_answer_has_interrupted_nothing() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=1.0)
    talk.says(generationComplete=True)
    talk.hear()
    talk.speech(began=True)
    talk.says(interrupted=True, turnComplete=True, ends=True)
    talk.wait(0.02)
    assert not talk.told(Interrupted)
    assert talk.told(TurnEnded)[0].utterances[-1].interrupted is False
    assert talk.dialogue.interruptions == 0


def test_an_answer_that_was_cut_before_its_first_sound_is_told_as_unheard() -> None:
    talk = Talk()
    talk.asks()
    talk.says(outputTranscription={"text": "Well"})
    talk.speech(began=True)
    talk.says(interrupted=True, turnComplete=True, ends=True)
    talk.wait(0.02)
    assert [(cut.heard, cut.exact) for cut in talk.told(Interrupted)] == [(0.0, True)]


def test_speech_does_not_stop_an_answer_where_the_service_does_not_either() -> None:
    talk = Talk(interruptible=False)
    talk.asks()
    talk.says(sound=1.0)
    completes(talk)
    talk.hear(0.2)
    talk.speech(began=True)
    assert talk.flushed == 0
    talk.hear()
    assert talk.told(TurnEnded)[0].utterances[-1].heard == pytest.approx(1.0)


def test_this_program_may_stop_an_answer_and_the_rest_of_it_stays_away() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=1.0)
    talk.hear(0.5)
    talk.dialogue.silence(talk.now)
    talk.says(sound=1.0)
    assert talk.held == 0
    completes(talk)
    talk.wait(0.02)
    assert talk.dialogue.state is ConversationState.LISTENING
    talk.asks()
    talk.says(sound=0.3)
    assert talk.held == pytest.approx(0.3)


def test_a_pressed_button_stops_the_answer_without_waiting_for_the_service() -> None:
    talk = Talk(has_button=True)
    talk.dialogue.press(talk.now)
    talk.dialogue.release(talk.now)
    talk.says(sound=2.0)
    talk.hear(0.5)
    talk.dialogue.press(talk.now)
    assert (talk.held, talk.dialogue.state) == (0, ConversationState.HEARING)
    talk.says(sound=1.0)  # on its way while the button went down
    talk.says(interrupted=True)
    talk.says(turnComplete=True, ends=True)
    talk.dialogue.release(talk.now)
    talk.says(sound=0.4)
    assert talk.held == pytest.approx(0.4)
    talk.wait(0.02)
    assert len(talk.told(Interrupted)) == 1


@pytest.mark.parametrize("completes_call", [False, True], ids=["the turn goes on", "the call has its own turn"])
def test_a_button_that_is_pressed_while_a_tool_runs_swallows_no_answer(completes_call: bool) -> None:
    talk = Talk(has_button=True)
    talk.dialogue.press(talk.now)
    talk.dialogue.release(talk.now)
    talk.says(sound=0.5)
    talk.hear()
    talk.sends({"toolCall": {"functionCalls": [{"id": "1", "name": "f"}]}})
    if completes_call:
        talk.says(turnComplete=True)
    talk.dialogue.press(talk.now)
    talk.dialogue.release(talk.now)
    talk.says(sound=0.4)
    assert talk.held == pytest.approx(0.4)
    completes(talk)
    talk.hear()
    assert [turn.utterances[-1].heard for turn in talk.told(TurnEnded)] == pytest.approx([0.5, 0.4])
    assert not talk.told(Interrupted)


def test_a_typed_question_drops_what_was_on_its_way_and_not_its_own_answer() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=1.0)
    talk.hear(0.2)
    talk.dialogue.ask("Stop. What time is it?", talk.now)
    talk.says(sound=1.0)  # sent before the question came
    assert talk.held == 0
    talk.wait(0.5)
    talk.says(sound=0.3)  # a service that neither says interrupted nor ends the turn
    assert talk.held == pytest.approx(0.3)


def test_what_a_slow_network_brings_of_the_old_answer_is_dropped_until_the_service_says_that_it_has_cut_it() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=1.0)
    talk.hear(0.2)
    talk.dialogue.ask("Stop. What time is it?", talk.now)
    for _ in range(3):
        talk.wait(0.2)
        talk.says(sound=0.4)
        assert talk.held == 0
    talk.says(interrupted=True)
    talk.says(turnComplete=True, ends=True)
    talk.says(sound=0.3)
    assert talk.held == pytest.approx(0.3)


def test_what_follows_an_answer_that_was_cut_short_is_told_behind_its_end() -> None:
    talk = Talk()
    talk.says(sound=1.0)
    talk.hear(0.5)
    talk.says(interrupted=True)
    talk.says(turnComplete=True, ends=True)
    talk.says(inputTranscription={"text": "Stop!"})
    kinds = [type(event) for event in talk.events if isinstance(event, (Interrupted, TurnEnded, UserWords))]
    assert kinds == [Interrupted, TurnEnded, UserWords]


@pytest.mark.parametrize("asks", ["typed", "button"])
def test_the_end_of_a_turn_that_was_cut_short_leaves_the_next_answer_owed(asks: str) -> None:
    """The service has made all of it, and takes it for being played when the next question comes."""
    talk = Talk(has_button=asks == "button")
    talk.says(sound=2.0)
    talk.says(generationComplete=True)
    talk.hear(0.5)
    if asks == "typed":
        talk.dialogue.ask("What time is it?", talk.now)
    else:
        talk.dialogue.press(talk.now)
        talk.dialogue.release(talk.now)
    talk.says(interrupted=True)
    talk.says(turnComplete=True, ends=True)
    assert talk.dialogue.state is ConversationState.WAITING
    talk.wait(2.0)
    assert len(talk.told(Waiting)) == 1
    talk.says(sound=0.5)
    completes(talk)
    talk.hear()
    assert [turn.latency.first_sound for turn in talk.told(TurnEnded)] == [None, pytest.approx(2.0)]


def test_a_message_without_content_may_end_a_turn() -> None:
    talk = Talk()
    talk.says(sound=0.3)
    talk.sends({"interactionStatus": "IDLE"}, ends=True)
    talk.hear()
    assert len(talk.told(TurnEnded)) == 1


# Words


def test_words_of_the_user_grow_and_are_final_when_the_answer_begins() -> None:
    talk = Talk()
    talk.speech(began=True)
    talk.says(inputTranscription={"text": "What "})
    talk.says(inputTranscription={"text": "time?"})
    talk.speech(began=False)
    talk.says(sound=0.1)
    assert [(words.text, words.final) for words in talk.told(UserWords)] == [
        ("What", False),
        ("What time?", False),
        ("What time?", True),
    ]


def test_words_that_come_during_the_answer_stand_before_it() -> None:
    talk = Talk()
    talk.says(outputTranscription={"text": "Noon"}, sound=0.1)
    talk.says(inputTranscription={"text": "What time?"})
    completes(talk)
    talk.hear()
    assert [said.text for said in talk.dialogue.transcript.read()] == ["What time?", "Noon"]
    assert [said.text for said in talk.told(TurnEnded)[0].utterances] == ["What time?", "Noon"]


def test_words_that_come_after_an_interrupted_turn_begin_the_next_utterance() -> None:
    talk = Talk()
    talk.speech(began=True)
    talk.says(inputTranscription={"text": "Tell me a story"})
    talk.speech(began=False)
    talk.says(outputTranscription={"text": "Once"}, sound=1.0)
    talk.hear(0.5)
    talk.speech(began=True)
    talk.says(interrupted=True)
    talk.says(turnComplete=True, ends=True)
    talk.says(inputTranscription={"text": "Stop"})
    talk.wait(0.02)
    assert [said.text for said in talk.dialogue.transcript.read()] == ["Tell me a story", "Once", "Stop"]


def test_a_fragment_without_text_may_say_that_the_words_are_final() -> None:
    talk = Talk()
    talk.says(inputTranscription={"text": "Hello"})
    talk.says(inputTranscription={"finished": True})
    assert [(words.text, words.final) for words in talk.told(UserWords)] == [("Hello", False), ("Hello", True)]


def test_the_history_has_one_content_for_what_one_side_said_in_a_row() -> None:
    talk = Talk()
    for text in ("Hello", "Are you there?"):
        talk.dialogue.ask(text, talk.now)
    talk.says(outputTranscription={"text": "Yes"}, turnComplete=True, ends=True)
    talk.wait(0.02)
    history = [(content.role, [part.text for part in content.parts or ()]) for content in talk.dialogue.transcript.history()]
    assert history == [("user", ["Hello", "Are you there?"]), ("model", ["Yes"])]


# When it was said


def hears(talk: Talk, begin: float, end: float) -> None:
    """The microphone hears speech in the quiet of a room; now is the end."""
    ears, chunk = talk.dialogue.ears, 0.04
    for number in range(round(end / chunk)):
        at = (number + 1) * chunk
        if at > talk.now:
            ears.hear(tone(chunk) if at > begin + 0.001 else bytes(1280), at)
    talk.now = end


def quiet(talk: Talk, seconds: float) -> None:
    hears(talk, begin=talk.now + seconds, end=talk.now + seconds)


def said_by_user(talk: Talk) -> list[tuple[float, float]]:
    return [(round(said.begin, 2), round(said.end, 2)) for said in talk.dialogue.transcript.read() if said.speaker == "user"]


def test_the_user_spoke_when_the_microphone_heard_it_and_not_when_the_words_came() -> None:
    talk = Talk()
    quiet(talk, 2.0)
    hears(talk, begin=2.0, end=4.0)
    quiet(talk, 1.0)
    talk.says(inputTranscription={"text": "What time is it?"})  # a family that reports no activity
    talk.says(sound=1.0)
    completes(talk)
    talk.hear()
    assert said_by_user(talk) == [(2.0, 4.0)]
    assert talk.told(TurnEnded)[0].utterances[0].begin == pytest.approx(2.0)


def test_words_that_come_in_mid_answer_were_said_before_it_whatever_the_microphone_hears_meanwhile() -> None:
    talk = Talk()
    quiet(talk, 2.0)
    hears(talk, begin=2.0, end=3.0)
    quiet(talk, 0.8)
    talk.says(sound=3.0)
    hears(talk, begin=4.6, end=5.0)  # its echo, or a cough
    talk.says(inputTranscription={"text": "What time is it?"})
    assert said_by_user(talk) == [(2.0, 3.0)]


def test_a_noise_long_before_the_question_is_no_part_of_it_and_a_pause_for_breath_is() -> None:
    talk = Talk()
    quiet(talk, 1.0)
    hears(talk, begin=1.0, end=1.2)
    quiet(talk, 3.0)
    hears(talk, begin=4.2, end=5.0)
    quiet(talk, 0.6)
    hears(talk, begin=5.6, end=6.0)
    quiet(talk, 1.0)
    talk.says(inputTranscription={"text": "What is, well, the time?"})
    assert said_by_user(talk) == [(pytest.approx(4.2, abs=0.05), pytest.approx(6.0, abs=0.05))]


def test_each_of_two_questions_has_its_own_time() -> None:
    talk = Talk()
    for begin in (1.0, 6.0):
        quiet(talk, begin - talk.now)
        hears(talk, begin=begin, end=begin + 1.0)
        quiet(talk, 1.0)
        talk.says(inputTranscription={"text": "And now?"})
        talk.says(sound=0.1)
        completes(talk)
        talk.hear()
    first, second = said_by_user(talk)
    assert first == pytest.approx((1.0, 2.0), abs=0.05)
    assert second == pytest.approx((6.0, 7.0), abs=0.05)


def test_speech_over_the_answer_begins_where_it_was_heard_shortly_before_the_service_noticed_it() -> None:
    talk = Talk()
    talk.dialogue.ask("Tell me a story", talk.now)
    talk.says(sound=9.0)
    quiet(talk, 3.0)
    hears(talk, begin=3.0, end=3.4)
    talk.speech(began=True)
    talk.says(interrupted=True, turnComplete=True, ends=True)
    hears(talk, begin=3.4, end=4.0)
    quiet(talk, 1.0)
    talk.speech(began=False)
    talk.says(inputTranscription={"text": "Stop"})
    assert said_by_user(talk)[1] == pytest.approx((3.0, 4.0), abs=0.05)


def test_sound_long_before_the_service_noticed_speech_was_something_else() -> None:
    talk = Talk()
    quiet(talk, 1.0)
    hears(talk, begin=1.0, end=2.0 + LATEST_START)
    talk.speech(began=True)
    talk.says(inputTranscription={"text": "Hello"})
    assert said_by_user(talk)[0][0] == pytest.approx(talk.now)


def test_where_the_microphone_heard_nothing_the_service_says_when_speech_began() -> None:
    talk = Talk()
    talk.now = 2.0
    talk.speech(began=True)
    talk.now = 4.0
    talk.speech(began=False)
    talk.says(inputTranscription={"text": "Hello"})
    assert said_by_user(talk) == [(2.0, 4.0)]


def test_what_is_said_with_the_button_begins_with_the_press_and_ends_with_the_release() -> None:
    talk = Talk(has_button=True)
    talk.now = 2.0
    talk.dialogue.press(talk.now)
    talk.now = 4.0
    talk.dialogue.release(talk.now)
    talk.now = 5.0
    talk.says(inputTranscription={"text": "Hello"})
    assert said_by_user(talk) == [(2.0, 4.0)]


# Time


def test_waiting_is_told_after_two_seconds_and_whenever_it_has_doubled() -> None:
    talk = Talk()
    talk.asks()
    for _ in range(200):
        talk.wait(0.1)
    assert [round(event.seconds) for event in talk.told(Waiting)] == [2, 4, 8, 16]
    talk.says(sound=1.0)
    talk.hear()
    talk.wait(20.0)
    assert len(talk.told(Waiting)) == 4


def test_a_question_that_is_answered_by_nothing_is_owed_no_longer() -> None:
    talk = Talk()
    talk.asks()
    talk.says(turnComplete=True, ends=True)
    talk.wait(10.0)
    assert not talk.told(Waiting)
    assert talk.dialogue.state is ConversationState.LISTENING


# Connections


def test_a_lost_answer_is_told_and_what_came_of_it_is_heard() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=1.0)
    talk.hear(0.2)
    talk.dialogue.message(LiveServerMessage(reconnecting=Gone(INFO, turn_lost=True)), talk.now)
    assert talk.dialogue.state is ConversationState.RECONNECTING
    talk.dialogue.message(LiveServerMessage(reconnected=Back(True, 1.0, 1)), talk.now)
    assert talk.dialogue.state is ConversationState.SPEAKING
    talk.hear()
    kinds = [type(event) for event in talk.events if isinstance(event, (Reconnecting, AnswerLost, Reconnected, TurnEnded))]
    assert kinds == [Reconnecting, AnswerLost, Reconnected, TurnEnded]
    assert talk.dialogue.state is ConversationState.LISTENING


def test_an_answer_that_was_made_before_its_connection_was_lost_is_heard_and_not_lost() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=1.0)
    talk.dialogue.message(LiveServerMessage(server_content=LiveServerContent(generation_complete=True)), talk.now)
    talk.dialogue.message(LiveServerMessage(reconnecting=Gone(INFO, turn_lost=True)), talk.now)
    talk.dialogue.message(LiveServerMessage(reconnected=Back(True, 1.0, 1)), talk.now)
    talk.hear()
    assert not talk.told(AnswerLost)
    assert len(talk.told(TurnEnded)) == 1


def test_an_answer_that_survives_its_connection_is_still_owed_on_the_next() -> None:
    talk = Talk()
    talk.asks()
    talk.dialogue.message(LiveServerMessage(reconnecting=Gone(INFO, turn_lost=False)), talk.now)
    talk.dialogue.message(LiveServerMessage(reconnected=Back(True, 1.0, 1)), talk.now)
    assert talk.dialogue.state is ConversationState.WAITING
    assert not talk.told(AnswerLost)


def test_a_button_that_is_still_pressed_is_so_on_the_next_connection() -> None:
    talk = Talk(has_button=True)
    talk.dialogue.press(talk.now)
    talk.dialogue.message(LiveServerMessage(reconnecting=Gone(INFO, turn_lost=False)), talk.now)
    talk.dialogue.message(LiveServerMessage(reconnected=Back(True, 1.0, 1)), talk.now)
    assert talk.dialogue.state is ConversationState.HEARING


def test_an_answer_whose_connection_is_lost_for_good_is_told_as_lost_and_what_was_heard_of_it_as_heard() -> None:
    talk = Talk()
    talk.asks()
    talk.says(sound=1.0)
    talk.hear(0.4)
    talk.dialogue.end(talk.now, 0.4, 0, lost=INFO)
    kinds = [type(event) for event in talk.events if isinstance(event, (AnswerLost, TurnEnded))]
    assert kinds == [AnswerLost, TurnEnded]
    assert talk.told(AnswerLost)[0].close_info is INFO
    assert talk.told(TurnEnded)[0].utterances[-1].heard == pytest.approx(0.4)


def test_an_answer_that_had_not_begun_when_its_connection_was_lost_for_good_is_lost_too() -> None:
    talk = Talk()
    talk.asks()
    talk.dialogue.end(talk.now, 0.0, 0, lost=INFO)
    assert len(talk.told(AnswerLost)) == 1


@pytest.mark.parametrize("then", ["all was made", "nothing was asked", "it was told before", "this program ends it"])
def test_no_answer_is_lost_at_the_end_of_a_connection_where(then: str) -> None:
    talk = Talk()
    if then != "nothing was asked":
        talk.asks()
        talk.says(sound=1.0)
    if then == "all was made":
        talk.says(generationComplete=True)
    if then == "it was told before":
        talk.dialogue.message(LiveServerMessage(reconnecting=Gone(INFO, turn_lost=True)), talk.now)
    talk.dialogue.end(talk.now, 0.0, 0, lost=None if then == "this program ends it" else INFO)
    assert len(talk.told(AnswerLost)) == (then == "it was told before")


# Whatever comes

ACTS = st.sampled_from(
    ["ask", "start", "stop", "sound", "words", "user", "interrupted", "both", "generated", "complete", "end", "call", "gone",
     "lost", "back", "silence", "press", "release", "hear", "hear all", "wait", "long", "text"]
)  # fmt: skip


def do(talk: Talk, act: str) -> None:
    messages: dict[str, Any] = {
        "ask": talk.asks,
        "start": lambda: talk.speech(began=True),
        "stop": lambda: talk.speech(began=False),
        "sound": lambda: talk.says(sound=0.4),
        "words": lambda: talk.says(outputTranscription={"text": "word "}),
        "user": lambda: talk.says(inputTranscription={"text": "heard "}),
        "interrupted": lambda: talk.says(interrupted=True),
        "both": lambda: talk.says(interrupted=True, sound=0.4),
        "generated": lambda: talk.says(generationComplete=True),
        "complete": lambda: talk.says(turnComplete=True),
        "end": lambda: talk.says(turnComplete=True, ends=True),
        "call": lambda: talk.sends({"toolCall": {"functionCalls": [{"id": "1", "name": "f"}]}}),
        "gone": lambda: talk.dialogue.message(LiveServerMessage(reconnecting=Gone(INFO, turn_lost=False)), talk.now),
        "lost": lambda: talk.dialogue.message(LiveServerMessage(reconnecting=Gone(INFO, turn_lost=True)), talk.now),
        "back": lambda: talk.dialogue.message(LiveServerMessage(reconnected=Back(True, 1.0, 1)), talk.now),
        "silence": lambda: talk.dialogue.silence(talk.now),
        "press": lambda: talk.dialogue.press(talk.now),
        "release": lambda: talk.dialogue.release(talk.now),
        "hear": lambda: talk.hear(0.15),
        "hear all": talk.hear,
        "wait": lambda: talk.wait(0.05),
        "long": lambda: talk.wait(4.0),
        "text": lambda: talk.dialogue.ask("typed", talk.now),
    }
    messages[act]()


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTS, max_size=60), st.booleans(), st.booleans(), st.sampled_from([None, INFO]))
def test_whatever_comes_no_sound_is_counted_twice_and_each_turn_ends_once(
    acts: list[str], confirms: bool, interruptible: bool, lost: CloseInfo | None
) -> None:
    talk = Talk(confirms=confirms, interruptible=interruptible)
    for act in acts:
        do(talk, act)
        if act in ("both", "interrupted"):
            assert talk.held == 0
    talk.dialogue.end(talk.now, talk.heard / 2 / RATE_OUT, talk.flushed, lost)
    turns = talk.told(TurnEnded)
    assert talk.dialogue.state is ConversationState.ENDED
    assert talk.dialogue.look_after(reports=False) is None
    heard = sum(said.heard or 0.0 for turn in turns for said in turn.utterances if said.speaker == "model")
    assert heard <= talk.heard / 2 / RATE_OUT + 1e-6
    if confirms:
        assert heard == pytest.approx(talk.heard / 2 / RATE_OUT, abs=1e-6)
    assert [event.at for event in talk.events] == sorted(event.at for event in talk.events)
    changed = talk.states
    assert all(before != after for before, after in itertools.pairwise(changed))
