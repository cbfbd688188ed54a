"""The emulator as a program, its voice, and the fixtures for users' tests."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
import wave
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import genai_live
from genai_live._extras import installing
from genai_live.cli.address import plain
from genai_live.emulator import LiveEmulator, Recorder, Scenario, describe, serve, start_if_asked, steps
from genai_live.emulator.model.voice import Recogniser, Synthesiser, make_model
from genai_live.emulator.programs import how_to_find
from genai_live.emulator.server.certificates import make_tls
from genai_live.errors import ConfigError
from tests.live_wire import SPEECH, TEXT, Wire, content, silence, spoken, tone, transcript
from tests.waiting import PATIENCE

needs_speaker = pytest.mark.skipif(not Synthesiser.installed(), reason="the program espeak-ng is not installed")
needs_recogniser = pytest.mark.skipif(not Recogniser.installed(), reason="the package pocketsphinx is not installed")


def test_serve_says_where_it_is_and_runs_until_it_is_told_to_stop() -> None:
    said: list[str] = []
    stop = threading.Event()
    emulator = LiveEmulator(voice=False)

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("Press"):
            with Wire(emulator.url, setup=TEXT) as wire:
                assert "setupComplete" in wire.setup_complete
            stop.set()

    serve(emulator, say, stop)
    assert said[0].startswith(f"Live API emulator at {emulator.url} (")
    assert any(f"GENAI_LIVE_EMULATOR_HOST={emulator.host}" in line for line in said)


def test_serve_tells_what_fails_in_a_scenario() -> None:
    told, stop = threading.Event(), threading.Event()
    emulator = LiveEmulator(voice=False, scenario=Scenario(steps.Expect("clientContent", text="weather")))

    def say(line: str) -> None:
        if line.startswith("Press"):
            with Wire(emulator.url, setup=TEXT) as wire:
                wire.send(content("Hello"))
                assert wire.closed()[0] == 1008
        elif line.startswith("Scenario failed: session 1: expected clientContent with the text 'weather'"):
            told.set()
            stop.set()

    serve(emulator, say, stop)
    assert told.is_set()


def test_with_tls_it_says_what_clients_must_trust(tmp_path: Path) -> None:
    with LiveEmulator(tls=True, voice=False) as emulator:
        assert any(str(emulator.ca_path) in line for line in describe(emulator))
        assert plain(emulator) == {"url": emulator.url, "host": emulator.host, "ca_path": emulator.ca_path}
        with Recorder(emulator.url, tmp_path / "session.jsonl", tls=True) as recorder:
            assert how_to_find(recorder.url, recorder.ca_path) == [f"Clients must trust {recorder.ca_path}."]


def test_start_if_asked_takes_its_flag_and_sets_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENAI_LIVE_EMULATOR_HOST", raising=False)
    arguments = ["sample.py", "question.wav"]
    assert start_if_asked(arguments) is None
    assert "GENAI_LIVE_EMULATOR_HOST" not in os.environ
    arguments.insert(1, "--emulator")
    emulator = start_if_asked(arguments, voice=False)
    assert emulator is not None
    with emulator:
        assert arguments == ["sample.py", "question.wav"]
        assert os.environ["GENAI_LIVE_EMULATOR_HOST"] == emulator.host
    monkeypatch.setenv("GENAI_LIVE_EMULATOR_HOST", "")


def test_a_certificate_of_one_s_own_can_be_brought(tmp_path: Path) -> None:
    made = make_tls(True)
    assert made is not None
    assert make_tls(made.context) is not None
    with pytest.raises(OSError, match="No such file"):
        make_tls((tmp_path / "none.pem", tmp_path / "none.key"))
    made.discard()
    assert not Path(made.ca_path or "").is_file()


def test_without_websockets_one_sentence_says_what_to_install() -> None:
    program = textwrap.dedent("""
        import sys
        sys.modules["websockets"] = None
        from genai_live.emulator import LiveEmulator
        from genai_live.errors import ConfigError
        try:
            LiveEmulator(voice=False).start()
        except ConfigError as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"the emulator needs the package websockets: {installing('emulator')}"


def test_importing_the_fixtures_costs_no_websockets_and_no_asyncio_server() -> None:
    program = "import sys, genai_live.testing; print([n for n in ('websockets', 'genai_live.emulator') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- voice -------------------------------------------------------------------------------------------------------------


def test_without_voice_it_says_that_speech_is_measured() -> None:
    assert "measured, not understood" in LiveEmulator(voice=False).voice


def test_voice_that_is_wanted_and_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recogniser, "installed", staticmethod(lambda: False))
    monkeypatch.setattr(Synthesiser, "installed", staticmethod(lambda: False))
    with pytest.raises(ConfigError, match="voice"):
        make_model((), True)
    assert "measured" in make_model((), None).description


def test_a_recogniser_that_fails_leaves_speech_that_is_measured(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: Recogniser, samples: object, rate: int) -> str:
        raise RuntimeError("no memory")

    monkeypatch.setattr(Recogniser, "installed", staticmethod(lambda: True))
    monkeypatch.setattr(Recogniser, "transcribe", fail)
    with LiveEmulator(pace=0.0, voice=True) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.stream(tone(0.5) + silence(0.8))
        assert transcript(wire.turn(), "inputTranscription") == "[0.5 s of speech]"
    assert "pocketsphinx could not transcribe 0.5 s of speech: no memory" in caplog.text


def test_an_emulator_may_stop_while_it_is_listening(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    began, go_on = threading.Event(), threading.Event()

    def listen(self: Recogniser, samples: object, rate: int) -> str:
        began.set()
        go_on.wait(PATIENCE)
        return "too late"

    monkeypatch.setattr(Recogniser, "installed", staticmethod(lambda: True))
    monkeypatch.setattr(Recogniser, "transcribe", listen)
    with LiveEmulator(pace=0.0, voice=True) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.stream(tone(0.5) + silence(0.8))
        assert began.wait(PATIENCE)
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("genai_live emulator voice"):
            thread.join(PATIENCE)
    assert not caplog.records


@needs_speaker
def test_espeak_says_the_answer() -> None:
    with LiveEmulator(pace=0.0) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        assert "speaks by espeak-ng" in emulator.voice
        turn = wire.ask("Good morning")
    seconds = sum(len(spoken(message)) for message in turn) / 48_000
    assert transcript(turn, "outputTranscription") == "You said: Good morning"
    assert 0.7 < seconds < 4


@needs_speaker
def test_a_language_that_espeak_does_not_know_is_answered_in_tones() -> None:
    setup = {**SPEECH, "generationConfig": {"speechConfig": {"languageCode": "xx-XX"}}}
    with LiveEmulator(pace=0.0) as emulator, Wire(emulator.url, setup=setup) as wire:
        assert any(map(spoken, wire.ask("Good morning")))


@needs_recogniser
def test_pocketsphinx_understands_the_bundled_question() -> None:
    with wave.open(str(Path(genai_live.__file__).parent / "cli" / "data" / "question.wav")) as file:
        pcm = file.readframes(file.getnframes())
    with LiveEmulator(pace=0.0) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        assert "understands English" in emulator.voice
        wire.stream(pcm + silence(1.0))
        turn = wire.turn()
    assert "can you hear me" in transcript(turn, "inputTranscription")
    assert "can you hear me" in transcript(turn, "outputTranscription")


@needs_speaker
def test_an_interruption_while_it_is_thinking_is_not_answered_twice() -> None:
    with LiveEmulator(pace=0.0, hears=["one", "two"]) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.stream(tone(0.3) + silence(0.6) + tone(0.3) + silence(0.6))
        first, second = wire.turn(), wire.turn()
    assert "two" in transcript([*first, *second], "outputTranscription")
    assert emulator.received.kinds().count("setup") == 1


# -- the pytest plugin -------------------------------------------------------------------------------------------------

USER_TESTS = """
import pytest
from genai_live import Client
from genai_live.emulator import Scenario, steps

def test_plain(live_client):
    with live_client.live.connect(model="emulator", config={"response_modalities": ["TEXT"]}) as session:
        assert session.ask("Hello").text == "You said: Hello"

@pytest.mark.live_emulator(scenario=Scenario(steps.Expect("prompt", text="weather"), steps.Reply("Sunny")))
def test_scenario(live_emulator):
    with Client().live.connect(model="emulator", config={"response_modalities": ["TEXT"]}) as session:
        assert session.ask("The weather?").text == "Sunny"
    assert len(live_emulator.received) == 2

@pytest.mark.live_emulator(scenario=Scenario(steps.Expect("toolResponse")))
def test_incomplete(live_client):
    live_client.live.connect(model="emulator").close()
"""


def test_users_tests_get_an_emulator_a_client_and_a_check_of_their_scenario(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(USER_TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers"]
    if not any(entry.value == "genai_live.testing" for entry in entry_points(group="pytest11")):
        command += ["-p", "genai_live.testing"]  # run from a source tree that was not installed
    started = time.monotonic()
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "3 passed, 1 error" in done.stdout, done.stdout
    assert "not done: Expect(kind='toolResponse'" in done.stdout
    assert time.monotonic() - started < 60


def test_the_sample_test_suite_passes() -> None:
    sample = Path(__file__).parent.parent / "samples" / "test_my_assistant.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(sample)]
    if not any(entry.value == "genai_live.testing" for entry in entry_points(group="pytest11")):
        command += ["-p", "genai_live.testing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout
