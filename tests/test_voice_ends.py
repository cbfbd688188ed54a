"""Ends of sound: the conformance test, that it finds what is broken, and Files."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genai_live import errors
from genai_live.audio import Audio
from genai_live.testing import check_sound_end
from genai_live.voice import Conversation, Files, Rates, TurnEnded
from tests.processes import ROOT
from tests.sound_ends import MODEL, client_of, silence, tone
from tests.waiting import PATIENCE

SPOKEN = Audio(tone(0.8) + silence(0.2), 16_000)


def files(speed: float = 20.0) -> Files:
    return Files(SPOKEN, speed=speed)


def test_files_are_an_end_as_it_should_be() -> None:
    check_sound_end(lambda: files(3.0))


def test_the_end_in_the_documentation_is_one() -> None:
    page = (ROOT / "docs" / "voice.md").read_text(encoding="utf-8")
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "class Silent" in code]
    names: dict[str, Any] = {}
    exec(code.partition("\nwith Conversation")[0], names)
    check_sound_end(names["Silent"])


@pytest.mark.parametrize("wrong", [None, 3, b"spoken.wav", Files])
def test_files_are_of_paths_and_audio(wrong: Any) -> None:
    with pytest.raises(errors.ConfigError, match="input: must be the path of a WAV file, or Audio, or a list of them, not "):
        Files(wrong)


def broken(**members: Any) -> Callable[[], Files]:
    """Makes Files with members that break a promise."""
    return lambda: type("Broken", (Files,), members)(SPOKEN, speed=5.0)


def from_another_thread(self: Files, feed: Any, control: Any, ended: Any) -> Rates:
    def feed_foreign_names(pcm: bytes) -> None:
        thread = threading.Thread(target=feed, args=(pcm,))
        thread.start()
        thread.join()

    rates = Files.open(self, feed_foreign_names, control, ended)
    feed(bytes(320))
    return rates


def test_an_end_need_not_count_its_flushes() -> None:
    class Seven:
        def __init__(self) -> None:
            self.inner = Files(Audio(tone(20.0), 16_000))
            for name in ("open", "play", "end_of_answer", "flush", "show", "close"):
                setattr(self, name, getattr(self.inner, name))

        @property
        def played(self) -> float:
            return self.inner.played

    check_sound_end(Seven)  # type: ignore[arg-type]


def test_files_do_not_play_into_the_file_that_they_hear(tmp_path: Path) -> None:
    spoken = Audio(tone(1.0), 16_000).save(tmp_path / "spoken.wav")
    with pytest.raises(errors.ConfigError, match="output: is the file that is heard, too"):
        Files([spoken], tmp_path / "." / "spoken.wav")
    assert Audio.load(spoken).seconds == 1.0


@pytest.mark.parametrize(
    ("members", "promise"),
    [
        ({"open": from_another_thread}, "feed was called from .* threads"),
        ({"open": lambda self, feed, control, ended: Files.open(self, lambda pcm: feed(pcm + b"\0"), control, ended)}, "half"),
        ({"played": property(lambda self: self._heard / 96_000)}, "played came to less"),
        ({"played": property(lambda self: self._heard / 24_000)}, "played counts more"),
        ({"flush": lambda self: None}, "flushes did not count"),
        ({"flushes": property(lambda self: self._flushes), "flush": lambda self: setattr(self, "_flushes", 1)}, "the old sound"),
        ({"play": lambda self, pcm: self._queue.append(pcm)}, "EndFull was not raised"),
        ({"show": lambda self, event: threading.Event().wait(0.3)}, "show took"),
        ({"show": lambda self, event: event.text}, "show raised AttributeError: "),
        ({"open": lambda self, feed, control, ended: (16_000, 24_000)}, "open returned tuple: it must return Rates"),
        ({"close": lambda self, timeout: None}, "it feeds after it was closed"),
    ],
    ids=[
        "many threads",
        "half samples",
        "too little",
        "too much",
        "no flush",
        "false flush",
        "no end",
        "slow",
        "fails",
        "no rates",
        "no close",
    ],
)
def test_a_broken_promise_is_found_and_named(members: dict[str, Any], promise: str) -> None:
    make = broken(**members)
    made: list[Files] = []

    def make_and_keep() -> Files:
        made.append(make())
        return made[-1]

    try:
        with pytest.raises(AssertionError, match=promise):
            check_sound_end(make_and_keep, patience=2.0)
    finally:
        for end in made:
            Files.close(end, 1.0)


def test_what_is_no_end_is_named_as_such() -> None:
    with pytest.raises(AssertionError, match="object has no open, play, "):
        check_sound_end(object)  # type: ignore[arg-type]


def test_files_speak_one_after_the_other_and_hang_up_after_the_last_answer(tmp_path: Path) -> None:
    first, answers = tmp_path / "first.wav", tmp_path / "answers.wav"
    SPOKEN.save(first)
    end = Files([first, SPOKEN], answers, speed=10.0)
    with client_of() as client, Conversation.connect(client, end, model=MODEL) as conversation:
        turns = [event for event in conversation if isinstance(event, TurnEnded)]
        assert len(turns) == 2
        assert conversation.wait(PATIENCE).error is None
    heard = sum(turn.utterances[1].heard or 0.0 for turn in turns)
    assert Audio.load(answers).seconds == pytest.approx(heard, abs=0.001)


def test_files_go_on_without_an_answer_when_their_patience_is_over() -> None:
    end = Files(Audio(silence(0.2), 16_000), speed=50.0, patience=2.0)
    with client_of() as client, Conversation.connect(client, end, model=MODEL) as conversation:
        assert conversation.wait(PATIENCE).error is None
        assert conversation.transcript == ()


def test_a_file_that_cannot_be_read_is_told_before_anything_begins(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError, match="cannot be read"):
        Files(tmp_path / "missing.wav")
