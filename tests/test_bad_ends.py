"""A conversation over ends and recorders that do not keep their promises: it goes on, it ends, and says what is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genai_live import Client, errors
from genai_live.voice import Control, Conversation, Ended, Interrupted, Mute, Press, Rates, Release, Text, TurnEnded, UserWords
from tests.sound_ends import MODEL, RATE_OUT, HandEnd, client_of, states, talking, told, tone
from tests.waiting import PATIENCE, until


class Failing(HandEnd):
    """Fails in one of its members, once something was played."""

    def __init__(self, member: str, **options: Any) -> None:
        super().__init__(**options)
        self.member = member

    def _fail(self, member: str) -> None:
        if self.member == member and self.acts:
            raise ValueError(f"bad {member}")

    def play(self, pcm: bytes) -> None:
        super().play(pcm)
        self._fail("play")

    def end_of_answer(self) -> None:
        super().end_of_answer()
        self._fail("end_of_answer")

    def flush(self) -> None:
        super().flush()
        self._fail("flush")

    def close(self, timeout: float) -> None:
        super().close(timeout)
        self._fail("close")

    @property
    def played(self) -> float:
        self._fail("played")
        return self._played / 2 / RATE_OUT

    @property
    def flushes(self) -> int:
        self._fail("flushes")
        return self.flushed


@pytest.mark.parametrize("member", ["play", "end_of_answer", "played", "flushes", "close"])
def test_an_end_that_fails_is_told_once_in_the_log_and_every_question_is_answered(
    member: str, caplog: pytest.LogCaptureFixture
) -> None:
    end = Failing(member, eager=True)
    with client_of() as client, talking(end, client) as conversation:
        for number in (1, 2):
            end.speak(1.0)
            end.wait(lambda number=number: len(told(end, UserWords)) >= number)
            end.wait(lambda number=number: end.acts.count("end_of_answer") == number)
        conversation.close()
        assert conversation.state == "ended"
    assert len(told(end, TurnEnded)) == 2
    assert isinstance(end.shown[-1], Ended)
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


def test_an_interruption_is_told_although_the_end_fails_to_drop_the_answer() -> None:
    end = Failing("flush")
    with client_of() as client, talking(end, client):
        end.speak(1.0)
        end.wait(lambda: end.held > 1.0)
        end.hear(0.5)
        end.speak(1.0)
        end.wait(lambda: told(end, Interrupted))
        assert "hearing" in states(end)[3:]


def test_what_an_end_has_played_does_not_fall() -> None:
    end = HandEnd(eager=True)
    with client_of() as client, talking(end, client) as conversation:
        end.speak(1.0)
        end.wait(lambda: told(end, TurnEnded))
        heard = conversation.stats.heard
        end._played = 0
        assert conversation.stats.heard == heard > 0


@pytest.mark.parametrize("rates", [None, (16_000, 24_000), Rates(7, 24_000), Rates(16_000, 24_000.0)])  # type: ignore[arg-type]
def test_rates_that_are_none_are_refused_before_anything_is_dialled(rates: Any) -> None:
    class Other(HandEnd):
        def open(self, *arguments: Any) -> Rates:
            super().open(*arguments)
            return rates  # type: ignore[no-any-return]

    end = Other()
    client = Client(api_key="k", http_options={"base_url": "http://127.0.0.1:9"})
    with pytest.raises(errors.ConfigError, match=r"must return Rates, not|must be a positive whole number of samples a second"):
        Conversation.connect(client, end, model=MODEL)
    assert end.closed.is_set()


@pytest.mark.parametrize("pcm", [None, "sound", 3, [1, 2]])
def test_what_is_no_sound_is_refused_where_it_is_fed_and_the_rest_is_heard(pcm: Any) -> None:
    end = HandEnd(eager=True)
    with client_of() as client, talking(end, client):
        with pytest.raises(errors.ConfigError, match="pcm: must be bytes, not"):
            end.feed(pcm)
        end.speak(1.0)
        end.wait(lambda: told(end, TurnEnded))


def test_a_buffer_may_be_filled_anew_once_it_was_fed() -> None:
    end = HandEnd(eager=True)
    with client_of() as client, talking(end, client):
        buffer = bytearray(tone(1.0))
        end.feed(buffer)
        buffer[:] = bytes(len(buffer))
        end.feed(bytes(32_000))
        end.wait(lambda: told(end, TurnEnded))


def test_half_a_character_that_is_typed_is_refused_and_the_microphone_stays_open() -> None:
    end = HandEnd(eager=True)
    with client_of() as client, talking(end, client) as conversation:
        with pytest.raises(errors.ConfigError, match="half of a surrogate pair"):
            conversation.send_text("\ud800")
        end.control(Text("\ud800"))
        end.speak(1.0)
        end.wait(lambda: told(end, TurnEnded))
        assert not [words for words in told(end, UserWords) if "\ud800" in words.text]


def test_what_a_person_does_while_the_session_is_opened_is_done_when_it_is_open() -> None:
    class Impatient(HandEnd):
        def open(self, feed: Any, control: Callable[[Control], None], ended: Any) -> Rates:
            rates = super().open(feed, control, ended)
            control(Press())
            control(Mute())
            return rates

    end = Impatient(eager=True)
    with client_of() as client, talking(end, client, turn_taking="push_to_talk") as conversation:
        assert conversation.muted
        assert states(end) == ["listening", "hearing"]
        end.control(Release())
        assert states(end)[-1] == "waiting"


class FailingRecorder:
    """Fails in one of its members."""

    def __init__(self, member: str) -> None:
        self.member = member
        self.closed = threading.Event()

    def begin(self, now: Callable[[], float], output_rate: int) -> None:
        self._fail("begin")

    def hear(self, pcm: bytes, at: float) -> None:
        self._fail("hear")

    def play(self, pcm: bytes, at: float) -> None:
        self._fail("play")

    def say(self, utterances: Any) -> None:
        self._fail("say")

    def close(self) -> None:
        self.closed.set()
        self._fail("close")

    def _fail(self, member: str) -> None:
        if member == self.member:
            raise ValueError(f"bad {member}")


@pytest.mark.parametrize("member", ["hear", "play", "say", "close"])
def test_a_recorder_that_fails_keeps_nobody_from_talking(member: str, caplog: pytest.LogCaptureFixture) -> None:
    end, recorder = HandEnd(eager=True), FailingRecorder(member)
    with client_of() as client, talking(end, client, record=recorder) as conversation:
        for number in (1, 2):
            end.speak(0.5)
            end.wait(lambda number=number: len(told(end, TurnEnded)) == number)
        conversation.close()
        assert conversation.wait(PATIENCE).error is None
        until(lambda: not client.live.sessions)
    assert recorder.closed.is_set()
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (5, "must be the path of a WAV file, or a Recorder such as MemoryRecorder, not 5"),
        (b"call.wav", "must be the path of a WAV file, or a Recorder such as MemoryRecorder, not bytes"),
        ("", "cannot be written"),
        ("call.jsonl", "names the sound"),
    ],
)
def test_what_names_no_recording_is_refused_before_anything_is_opened(
    record: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    end = HandEnd(error=AssertionError("it was opened"))
    client = Client(api_key="k", http_options={"base_url": "http://127.0.0.1:9"})
    with pytest.raises(errors.ConfigError, match=words):
        Conversation.connect(client, end, model=MODEL, record=record)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [errors.DeviceError("no microphone"), None], ids=["without a device", "without a session"])
def test_where_nothing_was_said_no_recording_is_left(error: Exception | None, tmp_path: Path) -> None:
    before = tmp_path / "other.wav"
    before.write_bytes(b"somebody's")
    client = Client(api_key="k", http_options={"base_url": "http://127.0.0.1:9"})
    for name in ("call.wav", "other.wav"):
        with pytest.raises((errors.DeviceError, errors.ConnectError)):
            Conversation.connect(client, HandEnd(error=error), model=MODEL, record=tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == ["other.wav"]
