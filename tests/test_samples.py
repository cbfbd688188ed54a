"""Every sample runs as it is, in a process of its own, and says to the server what it should."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from genai_live.audio import Audio
from genai_live.emulator import LiveEmulator

SAMPLES = Path(__file__).parent.parent / "samples"

WITHIN = 120.0
"""Seconds for one sample on a machine that may be busy; the longest streams 4.6 s of speech."""


@contextmanager
def beginning() -> Iterator[tuple[Path, LiveEmulator]]:
    """An empty directory, and an emulator."""
    with TemporaryDirectory() as directory, LiveEmulator(pace=0.0, voice=False) as emulator:
        yield Path(directory), emulator


def run(name: str, *arguments: str, directory: Path, emulator: LiveEmulator | None) -> str:
    """Runs a sample and returns what it printed; warnings are errors."""
    environment = dict(os.environ)
    if emulator is not None:
        environment["GENAI_LIVE_EMULATOR_HOST"] = emulator.host
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=directory,
        timeout=WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.waits
def test_hello_prints_the_answer_and_saves_its_voice() -> None:
    with beginning() as (directory, emulator):
        printed = run("hello.py", directory=directory, emulator=emulator)
        assert "Model: You said: Hello! What can you do?" in printed
        assert Audio.load(directory / "hello.wav").seconds > 1


@pytest.mark.waits
def test_hello_needs_no_key_and_no_network_with_its_own_emulator() -> None:
    with beginning() as (directory, _):
        printed = run("hello.py", "--emulator", directory=directory, emulator=None)
        assert "You said: Hello!" in printed
        assert Audio.load(directory / "hello.wav").rate == 24_000


@pytest.mark.waits
@pytest.mark.parametrize("name", ["hello", "callbacks", "tool_call", "slow_tool", "video_frames", "wav_in_wav_out", "music"])
def test_a_sample_without_a_key_says_in_one_sentence_where_to_get_one(name: str) -> None:
    with beginning() as (directory, _):
        ended = subprocess.run(
            [sys.executable, str(SAMPLES / f"{name}.py")],
            capture_output=True,
            text=True,
            cwd=directory,
            timeout=WITHIN,
            check=False,
        )
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"{name}.py: the Gemini Developer API needs an API key: ")
        assert ended.stderr.count("\n") == 1


@pytest.mark.waits
def test_callbacks_are_told_everything_in_order() -> None:
    with beginning() as (directory, emulator):
        printed = run("callbacks.py", directory=directory, emulator=emulator).splitlines()
        assert printed[0] == "Connected."
        assert printed[1] == "You said: Tell me a short story."
        assert "bytes of 24 kHz PCM" in printed[2]
        assert printed[3].startswith("The session was closed by client")


@pytest.mark.waits
def test_wav_in_wav_out_asks_aloud_and_saves_the_answer() -> None:
    with beginning() as (directory, emulator):
        printed = run("wav_in_wav_out.py", directory=directory, emulator=emulator)
        assert "s of speech" in printed
        assert Audio.load(directory / "answer.wav").seconds > 0.5
        assert emulator.wait_for("realtimeInput.audioStreamEnd")


@pytest.mark.waits
def test_wav_in_wav_out_takes_the_names_of_both_files() -> None:
    with beginning() as (directory, emulator):
        question = Audio.load(SAMPLES.parent / "genai_live/cli/data/question.wav")
        Audio(question.data[: 2 * 16_000 * 2], 16_000).save(directory / "in.wav")
        run("wav_in_wav_out.py", "in.wav", "out.wav", directory=directory, emulator=emulator)
        assert Audio.load(directory / "out.wav")


@pytest.mark.waits
def test_tool_call_runs_the_function_and_prints_what_the_model_makes_of_it() -> None:
    with beginning() as (directory, emulator):
        printed = run("tool_call.py", directory=directory, emulator=emulator)
        assert "The model calls get_weather({'city': 'Lisbon'})." in printed
        assert '"temperature": 22' in printed.split("Model:")[1]


@pytest.mark.waits
def test_slow_tool_asks_before_it_books_and_tells_how_far_it_is() -> None:
    with beginning() as (directory, emulator):
        printed = run("slow_tool.py", directory=directory, emulator=emulator)
        states = ["called", "waiting for approval", "running", "answered"]
        places = [printed.index(f"book_flight is {state}") for state in states]
        assert places == sorted(places)
        assert "May the model do book_flight({'city': 'Lisbon'})? Yes." in printed
        assert '"seat": "12A"' in printed.split("Model:")[1]
        (first, *_, last) = [message for message in emulator.received if message.kind == "toolResponse"]
        assert first.message["toolResponse"]["functionResponses"][0]["willContinue"] is True
        assert last.message["toolResponse"]["functionResponses"][0]["willContinue"] is False


@pytest.mark.waits
def test_video_frames_sends_every_frame_and_then_asks() -> None:
    with beginning() as (directory, emulator):
        printed = run("video_frames.py", directory=directory, emulator=emulator)
        assert [line for line in printed.splitlines() if line.startswith("Showing")] == [f"Showing {n}.jpg" for n in (1, 2, 3)]
        assert "I saw 3 images" in printed


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_a_sample_is_at_most_sixty_lines(sample: Path) -> None:
    assert len(sample.read_text(encoding="utf-8").splitlines()) <= 60
