"""The command line: what it prints and draws, how it fails, and that a terminal is left as it was."""

from __future__ import annotations

import argparse
import contextlib
import errno
import http.client
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import pytest

from genai_live import Client, cli, types
from genai_live.audio import SILENCE_DBFS, Audio
from genai_live.cli import answerer, asking, demo, output_files, record, view, voice
from genai_live.cli.listening import Listener
from genai_live.cli.screen import Screen
from genai_live.cli.view import Look, look_for
from genai_live.emulator import LiveEmulator, Scenario, steps
from genai_live.errors import ClosedByServer, CloseInfo, ConfigError, Phase, ReceiveTimeout, SentBy, SessionClosed
from genai_live.live import Live
from genai_live.turn import assemble
from genai_live.types import LiveServerMessage
from genai_live.voice import Conversation

PLAIN = look_for("utf-8", colour=False)
WITHIN = 180.0
"""Seconds that a test waits for what must happen, on a machine that may be busy."""

SPEECH = Audio.load(demo.QUESTION)


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveEmulator]:
    """An emulator that every command finds by the environment."""
    with LiveEmulator(pace=0.0, voice=False) as emulator:
        monkeypatch.setenv("GENAI_LIVE_EMULATOR_HOST", emulator.host)
        yield emulator


def a_short_question(directory: Path) -> Path:
    return Audio(SPEECH.data[: 2 * 16_000], 16_000).save(directory / "question.wav")


class Lines(io.StringIO):
    """What is typed, line by line, each when it is read."""

    def __init__(self, lines: Iterator[str]) -> None:
        super().__init__()
        self._lines = lines

    def readline(self, size: int | None = -1) -> str:
        return next(self._lines, "")


def failure(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = cli.FAILED) -> str:
    """What a command that fails says: one line, and on stderr."""
    try:
        code: object = cli.main(arguments)
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err
    assert code == status
    assert "Traceback" not in error
    notices, _, last = error.rstrip("\n").rpartition("\n")
    assert last.startswith("genai-live: ")
    assert "genai-live: " not in notices
    return last


# Commands that succeed


@pytest.mark.waits
def test_demo_asks_the_bundled_question_without_a_key_and_saves_the_answer() -> None:
    with TemporaryDirectory() as directory:
        process = start("demo", directory=directory)
        printed, noted = process.communicate(timeout=WITHIN)
        assert process.returncode == 0
        answer = Path(directory).resolve() / "answer.wav"
        assert f"Saved to {answer}" in noted
        assert Audio.load(answer).seconds > 1
    first = noted.splitlines()[0]
    assert "No GEMINI_API_KEY is set, so the emulator on this machine answers" in first
    assert "--model" in first
    sent = re.findall(r"^asking: (\d\.\d) of 4\.6 s sent, level ", noted, re.MULTILINE)
    assert len(sent) > 1
    assert all(float(seconds) >= line for line, seconds in enumerate(sent)), "one line a second; a busy machine's is late"
    assert [line.partition(": ")[0] for line in printed.splitlines()] == ["you", "model"], (
        "stdout has the result and nothing else"
    )
    assert "s of speech; its first sound came" in noted
    assert "\x1b" not in printed + noted, "neither is a terminal: no control codes"


@pytest.mark.waits
def test_demo_for_programs_writes_json_and_without_notices_nothing_else() -> None:
    with TemporaryDirectory() as directory:
        process = start("demo", "--emulator", "--json", "--quiet", directory=directory)
        printed, noted = process.communicate(timeout=WITHIN)
        told = json.loads(printed)
        assert (process.returncode, noted) == (0, "")
        assert Audio.load(told["saved_to"]).seconds == pytest.approx(told["answer_seconds"], abs=0.001)
    assert told["model"] == "emulator"
    assert told["said"].startswith("I heard ")


def test_the_answer_is_over_when_all_of_it_was_made_and_not_when_it_would_have_been_played() -> None:
    with LiveEmulator(voice=False) as emulator:  # whose turns end when they would have been played
        client = Client("k", http_options={"base_url": emulator.url})
        arguments = cli.parser().parse_args(["demo", "--out", os.devnull, "--json"])
        printed = io.StringIO()
        began = time.monotonic()
        asking.ask_aloud(answerer.Answerer(client, "emulator", ""), SPEECH, arguments, Screen(io.StringIO(), printed, {}))
    assert time.monotonic() - began < SPEECH.seconds + json.loads(printed.getvalue())["answer_seconds"]


@pytest.mark.waits
def test_an_answer_is_not_saved_over_another() -> None:
    with TemporaryDirectory() as directory, LiveEmulator(pace=0.0, voice=False) as emulator:
        question = a_short_question(Path(directory))
        told = {"GENAI_LIVE_EMULATOR_HOST": emulator.host}
        for name in ("answer.wav", "answer-2.wav", "answer-3.wav"):
            process = start("talk", str(question), "--quiet", directory=directory, more_environment=told)
            assert (process.communicate(timeout=WITHIN)[1], process.returncode) == ("", 0)
            assert Audio.load(Path(directory) / name)


@pytest.mark.waits
def test_talk_sends_a_file_and_saves_the_answer() -> None:
    with TemporaryDirectory() as directory, LiveEmulator(pace=0.0, voice=False) as emulator:
        question = a_short_question(Path(directory))
        told = {"GENAI_LIVE_EMULATOR_HOST": emulator.host}
        arguments = ("talk", "--in", str(question), "--out", "out.wav", "--model", "gemini-3.8-live")
        process = start(*arguments, directory=directory, more_environment=told)
        noted = process.communicate(timeout=WITHIN)[1]
        assert process.returncode == 0
        assert f"The emulator at {emulator.host} answers" in noted
        assert Audio.load(Path(directory) / "out.wav")
        assert emulator.wait_for("setup").message["setup"]["model"] == "models/gemini-3.8-live"


def test_chat_answers_piped_lines_one_by_one(
    capsys: pytest.CaptureFixture[str], emulator: LiveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Good morning\n\nGood night\n"))
    assert cli.main(["chat"]) == 0
    assert capsys.readouterr().out.splitlines() == ["You said: Good morning", "You said: Good night"]


def test_chat_in_text_asks_for_text(
    capsys: pytest.CaptureFixture[str], emulator: LiveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Good morning"))
    assert cli.main(["chat", "--text", "--emulator"]) == 0
    assert capsys.readouterr().out == "You said: Good morning\n"


def test_chat_goes_on_over_another_connection_when_the_service_ends_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = Scenario(steps.Converse(turns=1), steps.Close(1011, "Internal error encountered."))
    with LiveEmulator(pace=0.0, scenario=[ended]) as emulator:
        monkeypatch.setenv("GENAI_LIVE_EMULATOR_HOST", emulator.host)

        def lines() -> Iterator[str]:
            yield "Good morning\n"
            emulator.sessions[0].wait_closed(WITHIN)
            yield "Good night\n"

        monkeypatch.setattr("sys.stdin", Lines(lines()))
        assert cli.main(["chat"]) == 0
    assert capsys.readouterr().out.splitlines() == ["You said: Good morning", "You said: Good night"]


def test_version_and_help_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "list the models that talk live" in capsys.readouterr().out
    for arguments, words in ((["--version"], "genai-live 0."), (["demo", "--help"], "--emulator"), (["--help"], "emulate")):
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        assert stop.value.code == 0
        assert words in capsys.readouterr().out


# Commands that fail


def test_wrong_words_are_told_in_one_sentence_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unrecognized arguments: --frobnicate" in failure(capsys, "demo", "--frobnicate", status=2)
    assert "name one WAV file" in failure(capsys, "talk", "--in", "x", "y", status=2)
    assert "invalid number of seconds value: 'soon'" in failure(capsys, "demo", "--timeout", "soon", status=2)
    assert "invalid number of seconds" in failure(capsys, "demo", "--timeout=-1", status=2)
    assert "invalid port number" in failure(capsys, "emulate", "--port", "99999", status=2)
    assert "invalid scale" in failure(capsys, "emulate", "--pace=-1", status=2)
    assert "invalid choice: 'shouts'" in failure(capsys, "emulate", "--second-question", "shouts", status=2)
    assert "not allowed with" in failure(capsys, "emulate", "--scenario", "x", "--replay", "y", status=2)
    assert "go together" in failure(capsys, "emulate", "--cert", "x", status=2)


def test_files_that_cannot_be_used_are_told_before_anything_is_started(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "not.wav").write_bytes(b"not a WAV file")
    Audio(b"", 16_000).save("empty.wav")
    assert "No such file" in failure(capsys, "talk", "--in", "gone.wav", "--out", "o.wav", "--emulator")
    assert "is not a WAV file" in failure(capsys, "talk", "--in", "not.wav", "--out", "o.wav", "--emulator")
    question = str(a_short_question(tmp_path))
    assert "has no sound in it" in failure(capsys, "talk", "--in", "empty.wav", "--out", "o.wav", "--emulator")
    assert "there is no directory" in failure(capsys, "talk", "--in", question, "--out", "gone/o.wav", "--emulator")
    assert "is a directory" in failure(capsys, "demo", "--out", str(tmp_path))
    assert "is not a file" in failure(capsys, "emulate", "--cert", "gone.pem", "--key", "gone.pem")
    assert "No such file" in failure(capsys, "emulate", "--scenario", "gone.json")
    assert "is not JSON" in failure(capsys, "emulate", "--scenario", "not.wav")
    (tmp_path / "deep.jsonl").write_text("[" * 200_000)
    assert "line 1 is not a line of a recording" in failure(capsys, "emulate", "--replay", "deep.jsonl")
    assert "cannot be used" in failure(capsys, "emulate", "--cert", "not.wav", "--key", "not.wav")


def test_an_answer_that_could_not_be_saved_under_its_name_is_not_asked_for(
    capsys: pytest.CaptureFixture[str], emulator: LiveEmulator, tmp_path: Path
) -> None:
    assert "name it .wav" in failure(capsys, "demo", "--out", "answer.mp3")
    assert not emulator.sessions


def test_what_another_program_has_written_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    wanted = tmp_path / "a.wav"
    output_files.check_writable(wanted)
    wanted.write_text("another program's")
    assert output_files.save(b"ours", wanted) == tmp_path / "a-2.wav"
    assert output_files.save(b"ours", wanted) == tmp_path / "a-3.wav"
    assert (wanted.read_text(), (tmp_path / "a-2.wav").read_bytes()) == ("another program's", b"ours")
    assert output_files.save(b"forced", wanted, force=True) == wanted
    assert wanted.read_bytes() == b"forced"


def test_what_loses_nothing_may_be_written_to_unasked(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    (tmp_path / "link.wav").symlink_to(tmp_path / "linked.wav")
    output_files.check_writable(tmp_path / "link.wav")
    output_files.save(b"ours", tmp_path / "link.wav")
    assert (tmp_path / "linked.wav").read_bytes() == b"ours"
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    output_files.check_writable(pipe)
    output_files.save(b"ours", pipe)
    assert os.read(reader, 9) == b"ours"
    os.close(reader)


@pytest.mark.parametrize(
    "words",
    [
        ("demo", "--out"), ("demo", "--model"), ("chat", "--config"), ("chat", "--system"), ("chat", "--voice"),
        ("chat", "--language"), ("talk",), ("talk", "--in"), ("voice", "--record"), ("voice", "--device"), ("record", "--out"),
        ("emulate", "--host"), ("emulate", "--scenario"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_variable_that_the_shell_does_not_know_is_no_word(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert "value: ''" in failure(capsys, *words, "", status=cli.MISUNDERSTOOD)


def test_an_option_that_would_do_nothing_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    question = str(a_short_question(tmp_path))
    for option in (["--push-to-talk"], ["--record", "call.wav"], ["--device", "0"], ["--tool", "weather:get"]):
        words = failure(capsys, "talk", question, *option, status=cli.MISUNDERSTOOD)
        assert f"{option[0]} is for microphone and loudspeaker" in words
    for option in (["--out", "answer.wav"], ["--timeout", "5"]):
        words = failure(capsys, "talk", *option, status=cli.MISUNDERSTOOD)
        assert f"{option[0]} goes with a WAV file" in words


def test_every_option_of_voice_and_of_asking_alone_is_refused_with_the_other() -> None:
    ends = {action.dest for action in options_of(voice.add_own_arguments)}
    assert ends == set(voice.ALONE)
    shared = {action.dest for action in options_of(voice.add_arguments)}
    assert {action.dest for action in options_of(asking.add_arguments)} - shared == set(asking.ALONE)
    defaults = {**vars(parsed_by(voice.add_own_arguments)), **vars(parsed_by(asking.add_arguments))}
    assert {**voice.ALONE, **asking.ALONE}.items() <= defaults.items()


def options_of(add: Callable[[argparse.ArgumentParser], None]) -> list[argparse.Action]:
    parser = argparse.ArgumentParser(add_help=False)
    add(parser)
    return parser._actions


def parsed_by(add: Callable[[argparse.ArgumentParser], None]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add(parser)
    return parser.parse_args([])


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["demo", "--help"], []], ids=" ".join)
def test_help_that_a_full_disk_does_not_take_is_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert "No space left" in failure(capsys, *words)


def test_what_is_no_address_is_told_before_anything_is_started(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = failure(capsys, "record", "--out", "s.jsonl", "--to", "nowhere", status=cli.MISUNDERSTOOD)
    assert "argument --to: invalid URL value: 'nowhere'" in words
    monkeypatch.setenv("GENAI_LIVE_EMULATOR_HOST", "8765")
    assert "GENAI_LIVE_EMULATOR_HOST: '8765' is not host:port" in failure(capsys, "chat")


def test_streams_that_the_caller_closed_are_no_failure(monkeypatch: pytest.MonkeyPatch, emulator: LiveEmulator) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert cli.main(["chat"]) == 0
    for name in ("stdin", "stdout", "stderr"):
        getattr(sys, name).close()


@pytest.mark.waits
def test_input_that_is_no_text_is_sent_as_far_as_it_is() -> None:
    with LiveEmulator(pace=0.0, voice=False) as emulator:
        environment = {**os.environ, "GENAI_LIVE_EMULATOR_HOST": emulator.host}
        command = [sys.executable, "-m", "genai_live.cli", "chat"]
        told = subprocess.run(command, input=b"caf\xe9\n", env=environment, capture_output=True, timeout=WITHIN, check=True)
    assert "caf\N{REPLACEMENT CHARACTER}" in told.stdout.decode()


def test_a_full_disk_is_told_in_the_systems_words() -> None:
    assert cli.sentence(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    assert cli.sentence(OSError(errno.EACCES, "Permission denied", "a.wav")) == "a.wav: Permission denied"


def test_without_a_key_the_way_to_one_and_the_way_around_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["chat"], ["demo", "--model", "gemini-3.8-live"], ["models"]):
        words = failure(capsys, *command)
        assert "set GEMINI_API_KEY" in words
        assert "--emulator" in words


def test_a_port_where_nobody_listens_is_told_with_its_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    monkeypatch.setenv("GENAI_LIVE_EMULATOR_HOST", f"127.0.0.1:{free}")
    words = failure(capsys, "chat")
    assert f"127.0.0.1:{free}" in words
    assert "refused" in words


def test_a_key_that_the_server_does_not_accept_is_told_in_its_words_and_never_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with LiveEmulator(pace=0.0, require_key=True, keys=["the-right-key"]) as emulator:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", emulator.url)
        monkeypatch.setenv("GEMINI_API_KEY", "canary-key")
        words = failure(capsys, "chat", "--model", "gemini-3.8-live")
    assert "key" in words.lower()
    assert "canary-key" not in words


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str], emulator: LiveEmulator) -> None:
    assert "in use" in failure(capsys, "emulate", "--port", str(emulator.port)).lower()


def test_speech_that_gets_no_answer_is_given_up_after_the_timeout(
    capsys: pytest.CaptureFixture[str], emulator: LiveEmulator, tmp_path: Path
) -> None:
    Audio(bytes(2 * 1_600), 16_000).save("silence.wav")
    words = failure(capsys, "talk", "--in", "silence.wav", "--out", "o.wav", "--timeout", "0.3")
    assert "no answer came within 0.3 s" in words
    assert not (tmp_path / "o.wav").exists()


def test_an_error_nobody_thought_of_is_one_sentence_too_and_a_traceback_with_debug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(demo, "run", broken)
    assert "ZeroDivisionError: a bug" in failure(capsys, "demo")
    with pytest.raises(ZeroDivisionError):
        cli.main(["--debug", "demo"])


# As a process: signals and pipes


def start(
    *arguments: str,
    stdin: int | None = None,
    more_environment: dict[str, str] | None = None,
    directory: str | None = None,
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "genai_live.cli", *arguments],
        cwd=directory,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(more_environment or {})},
    )


@pytest.mark.waits
@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")], ids=["INT", "TERM"]
)
def test_a_signal_ends_a_demo_with_one_line_and_the_status_of_shells(number: signal.Signals, status: int, word: str) -> None:
    process = start("demo")
    assert process.stderr is not None
    while "asking" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(number)
    _, noted = process.communicate(timeout=WITHIN)
    assert (process.returncode, noted.splitlines()[-1]) == (status, f"genai-live: {word}")


@pytest.mark.waits
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_emulator_serves_until_it_is_stopped_and_a_client_finds_it_by_the_line_it_prints(number: signal.Signals) -> None:
    process = start("emulate", "--port", "0", "--instant")
    chat = start("chat", stdin=subprocess.PIPE, more_environment={"GENAI_LIVE_EMULATOR_HOST": started(process)})
    assert chat.communicate("Are you there?", timeout=WITHIN) == ("You said: Are you there?\n", "")
    process.send_signal(number)
    output, error = process.communicate(timeout=WITHIN)
    assert (process.returncode, output) == (0, "")
    assert error == "Press Ctrl-C to stop.\nStopped.\n"


@pytest.mark.waits
def test_programs_read_where_the_emulator_and_the_recorder_are() -> None:
    emulate = start("emulate", "--port", "0", "--json", "--quiet")
    assert emulate.stdout is not None
    where = json.loads(emulate.stdout.readline())
    assert "ca_path" not in where
    assert where["url"] == f"http://{where['host']}"
    with TemporaryDirectory() as directory:
        out = str(Path(directory) / "session.jsonl")
        record = start("record", "--out", out, "--to", where["url"], "--port", "0", "--json", "--quiet")
        assert record.stdout is not None
        told = json.loads(record.stdout.readline())
        assert (told["to"], told["out"]) == (where["url"], out)
        assert chat_with(told["host"]) == "You said: Are you there?\n"
        for process in (record, emulate):
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=WITHIN) == ("", "")


def started(process: subprocess.Popen[str]) -> str:
    """Waits for the line that says where a server listens; returns its ``host:port``."""
    assert process.stdout is not None
    while process.poll() is None:
        _, found, host = process.stdout.readline().strip().partition("GENAI_LIVE_EMULATOR_HOST=")
        if found:
            return host
    raise AssertionError(process.communicate()[1])


@pytest.mark.waits
def test_what_was_recorded_is_replayed() -> None:
    with TemporaryDirectory() as directory, LiveEmulator(pace=0.0, voice=False) as emulator:
        recording = Path(directory) / "session.jsonl"
        recorder = start("record", "--out", str(recording), "--to", emulator.url, "--port", "0")
        said = [chat_with(started(recorder))]
        recorder.send_signal(signal.SIGINT)
        assert recorder.communicate(timeout=WITHIN)[1].endswith("Stopped. 1 session recorded.\n")
        assert recorder.returncode == 0
        replay = start("emulate", "--replay", str(recording), "--port", "0", "--pace", "0")
        said.append(chat_with(started(replay)))
        replay.send_signal(signal.SIGINT)
        replay.communicate(timeout=WITHIN)
    assert said == ["You said: Are you there?\n"] * 2


@pytest.mark.waits
def test_a_scenario_file_says_what_the_emulator_does() -> None:
    with TemporaryDirectory() as directory:
        scenario = Path(directory) / "scenario.json"
        scenario.write_text('{"steps": [{"expect": "clientContent"}, {"reply": "As the scenario says."}]}')
        process = start("emulate", "--scenario", str(scenario), "--port", "0", "--pace", "0")
        assert chat_with(started(process)) == "As the scenario says.\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WITHIN)


def chat_with(host: str) -> str:
    chat = start("chat", "--text", "--timeout", "30", stdin=subprocess.PIPE, more_environment={"GENAI_LIVE_EMULATOR_HOST": host})
    output, error = chat.communicate("Are you there?", timeout=WITHIN)
    assert error == ""
    return output


def test_a_key_is_passed_on_to_google_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert record.credentials(record.GOOGLE) == {}
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    assert record.credentials(record.GOOGLE) == {"x-goog-api-key": "k"}
    assert record.credentials("https://us-central1-aiplatform.googleapis.com") == {"x-goog-api-key": "k"}
    assert record.credentials("https://googleapis.com.example.org") == {}
    assert record.credentials("http://generativelanguage.googleapis.com") == {}


def test_where_a_recording_comes_from_is_said_without_credentials() -> None:
    assert record.shown("https://me:hush@host.example:8443/base?key=hush") == "https://host.example:8443/base"
    assert record.shown("ws://127.0.0.1:8765") == "ws://127.0.0.1:8765"


@pytest.mark.parametrize("command", [["emulate"], ["record", "--out", os.devnull]])
def test_a_host_or_an_origin_that_is_none_is_told_before_anything_listens(
    capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert "allowed_hosts" in failure(capsys, *command, "--allow-host", "http://x")
    assert "allowed_origins" in failure(capsys, *command, "--allow-host", "x", "--allow-origin", "x")


@pytest.mark.waits
def test_what_is_named_on_the_command_line_may_use_the_emulator() -> None:
    process = start("emulate", "--port", "0", "--allow-host", "emulator", "--allow-origin", "http://app.test")
    host, _, port = started(process).rpartition(":")
    found = []
    for name, origin in (("emulator", "http://app.test"), ("emulator", "http://other.test"), ("other", "http://app.test")):
        connection = http.client.HTTPConnection(host, int(port), timeout=WITHIN)
        connection.request("POST", "/v1alpha/auth_tokens", "{}", {"host": name, "origin": origin})
        found.append(connection.getresponse().status)
        connection.close()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WITHIN)
    assert found == [200, 403, 403]


@pytest.mark.waits
def test_output_that_nobody_reads_any_more_ends_a_command_without_noise() -> None:
    with LiveEmulator(pace=0.0, voice=False) as emulator:
        process = start("chat", stdin=subprocess.PIPE, more_environment={"GENAI_LIVE_EMULATOR_HOST": emulator.host})
        assert process.stdout is not None
        process.stdout.close()
        assert process.stdin is not None
        process.stdin.write("Hello\nHello\n")
        process.stdin.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(WITHIN) == 1
        process.stderr.close()


# Who answers


@pytest.mark.parametrize(
    ("model", "asked", "environment", "words"),
    [
        (None, False, {}, "No GEMINI_API_KEY is set"),
        ("gemini-x", False, {}, None),
        (None, True, {"GEMINI_API_KEY": "k"}, "as --emulator asks"),
        (None, False, {"GEMINI_API_KEY": "k"}, "No model is given"),
        ("gemini-x", False, {"GEMINI_API_KEY": "k"}, None),
        ("gemini-x", False, {"GOOGLE_API_KEY": "k"}, None),
        ("gemini-x", False, {"GOOGLE_GENAI_USE_VERTEXAI": "True", "GOOGLE_CLOUD_PROJECT": "p"}, None),
        (None, False, {"GOOGLE_GENAI_USE_VERTEXAI": "false"}, "No GEMINI_API_KEY is set"),
        ("gemini-x", False, {"GOOGLE_GEMINI_BASE_URL": "http://gateway.test"}, None),
        (None, False, {"GENAI_LIVE_EMULATOR_HOST": "localhost:1"}, None),
    ],
)
def test_the_emulator_answers_when_asked_or_when_nothing_says_how_to_reach_the_service(
    model: str | None, asked: bool, environment: dict[str, str], words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    why = answerer.why_emulator(model, asked)
    assert (why is None) == (words is None)
    assert words is None or words in (why or "")


def test_an_embedded_emulator_is_never_given_the_users_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "canary-key")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    with answerer.answerer(None, asked_for_emulator=True) as who:
        assert "canary" not in str(vars(who.client._api_client) if hasattr(who.client._api_client, "__dict__") else who.client)
        with who.client.live.connect(model=who.model) as session:
            assert session.ask("Hello", timeout=WITHIN).transcripts.output == ""


# When an answer is over


def message(**fields: object) -> LiveServerMessage:
    return LiveServerMessage.from_dict(fields)


TURN_COMPLETE = {"serverContent": {"turnComplete": True}}
ONE_SECOND = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AAAA" * 16_000}}
SOUND = {"serverContent": {"modelTurn": {"parts": [ONE_SECOND]}}}


def test_a_listener_adds_up_what_comes() -> None:
    listener = Listener()
    listener.on_message(message(serverContent={"inputTranscription": {"text": "Hel"}}))
    listener.on_message(message(serverContent={"inputTranscription": {"text": "lo"}}))
    assert not listener.answering
    listener.on_message(message(**SOUND))
    listener.on_message(message(serverContent={"outputTranscription": {"text": "Hi"}}))
    assert (listener.heard, listener.said, listener.answer_seconds) == ("Hello", "Hi", 1.0)
    assert listener.answering
    assert listener.turn_ended_at is None
    last = message(**TURN_COMPLETE)
    last.__dict__["ends_turn"] = True  # as the session says that received it
    listener.on_message(last)
    assert not listener.answering
    assert listener.turn_ended_at is not None
    assert listener.changed.is_set()


def test_an_answer_is_over_with_the_turn_that_ends_after_the_question() -> None:
    listener = Listener()
    assert not asking.is_over(listener, asked_at=10.0, now=10.1, timeout=30)
    listener.turn_ended_at = listener.last_message_at = 11.0
    assert asking.is_over(listener, asked_at=10.0, now=11.1, timeout=30)


def test_an_answer_to_an_earlier_part_of_the_recording_is_over_when_no_other_comes() -> None:
    listener = Listener()
    listener.turn_ended_at = listener.last_message_at = 8.0
    assert not asking.is_over(listener, asked_at=10.0, now=10.0 + asking.NO_MORE_AFTER - 0.1, timeout=30)
    assert asking.is_over(listener, asked_at=10.0, now=10.0 + asking.NO_MORE_AFTER, timeout=30)
    listener.answering = True
    assert not asking.is_over(listener, asked_at=10.0, now=10.0 + asking.NO_MORE_AFTER, timeout=30)


def test_a_turn_that_never_ends_is_over_when_its_sound_has_stopped_for_the_timeout() -> None:
    listener = Listener()
    listener.first_sound_at, listener.last_message_at, listener.answering = 10.5, 12.0, True
    assert not asking.is_over(listener, asked_at=10.0, now=41.9, timeout=30)
    assert asking.is_over(listener, asked_at=10.0, now=42.0, timeout=30)
    listener.first_sound_at = None
    with pytest.raises(ReceiveTimeout):
        asking.is_over(listener, asked_at=10.0, now=42.0, timeout=30)


def test_a_session_that_ends_before_the_answer_does_is_an_error() -> None:
    info = CloseInfo(1011, "Internal error encountered.", SentBy.SERVER, Phase.TURN)
    listener = Listener()
    listener.on_error(ClosedByServer("the session has ended: Internal error. Try again.", info))
    listener.on_close(info)
    with pytest.raises(ClosedByServer, match=r"Internal error\. Try again"):
        asking.is_over(listener, asked_at=10.0, now=10.1, timeout=30)


def test_a_session_that_the_service_ends_politely_without_an_answer_is_an_error_too() -> None:
    listener = Listener()
    listener.on_close(CloseInfo(1000, "bye", SentBy.SERVER, Phase.IDLE))
    with pytest.raises(SessionClosed, match="bye"):
        asking.is_over(listener, asked_at=10.0, now=10.1, timeout=30)


# What is drawn


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_the_question_is_drawn_with_bar_time_and_level() -> None:
    line = view.asking_line(2.3, 4.6, -25.0, 79, PLAIN)
    assert line == "asking  " + "█" * 15 + "░" * 15 + " 2.3/4.6 s " + "▮" * 5 + "▯" * 5 + " -25 dB"


@pytest.mark.parametrize("columns", range(19, 120))
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    listener = Listener()
    listener.heard = "an answer that goes on and on " * 5
    listener.said = "長い答え" * 40
    listener.answer_seconds = 12.3
    for look in (PLAIN, look_for("ascii", colour=False)):
        for line in asking.lines((123.4, 999.9), -10.0, listener, 1.0, columns, look):
            assert view.columns_of(line) <= columns


def test_a_narrow_terminal_loses_the_meter_then_the_bar_and_never_the_time() -> None:
    wide, narrow, tiny = (view.asking_line(1.0, 2.0, -10.0, columns, PLAIN) for columns in (70, 50, 30))
    assert "dB" in wide
    assert "dB" not in narrow
    assert "█" in narrow
    assert tiny == "asking  1.0/2.0 s"


def test_a_source_of_unknown_length_is_drawn_without_a_bar() -> None:
    assert "█" not in view.asking_line(1.0, None, -10.0, 79, PLAIN)


@pytest.mark.parametrize(("level", "lit"), [(0.0, 10), (6.0, 10), (-25.0, 5), (-50.0, 0), (SILENCE_DBFS, 0)])
def test_the_meter_goes_from_minus_fifty_to_zero_dbfs(level: float, lit: int) -> None:
    assert view.meter(level, 10, PLAIN) == "▮" * lit + "▯" * (10 - lit)


def test_silence_is_called_so() -> None:
    assert view.level_words(SILENCE_DBFS) == "silent"
    assert view.level_words(-3.4) == " -3 dB"


@pytest.mark.parametrize(("fraction", "full"), [(-1, 0), (0, 0), (0.5, 5), (1, 10), (2, 10)])
def test_a_bar_is_never_longer_than_its_room(fraction: float, full: int) -> None:
    assert view.bar(fraction, 10, PLAIN) == "█" * full + "░" * (10 - full)


def test_of_a_long_text_the_end_is_shown_in_columns_and_not_in_characters() -> None:
    assert view.tail("abcdefgh", 8, PLAIN) == "abcdefgh"
    assert view.tail("abcdefghi", 8, PLAIN) == "…cdefghi"
    assert view.tail("日本語の答え", 8, PLAIN) == "…の答え"
    assert view.tail("two\nlines", 20, PLAIN) == "two lines"
    assert view.tail("abc", 0, PLAIN) == ""


def test_an_encoding_without_blocks_gets_ascii() -> None:
    assert look_for("ascii", colour=False) == Look("#", ".", "=", "-", "...", "|/-\\", False)
    assert look_for(None, colour=False).full == "#"
    assert look_for("no-such-encoding", colour=False).full == "#"


def test_lines_are_redrawn_in_place_and_replaced_by_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    screen = Screen(terminal, terminal, {})
    screen.draw(["one", "two"])
    screen.draw(["three"])
    assert terminal.getvalue() == "\r\x1b[2Kone\n\r\x1b[2Ktwo\n\x1b[J" + "\x1b[2A\r\x1b[2Kthree\n\x1b[J"
    terminal.truncate(0)
    screen.say("word " * 10)
    assert terminal.getvalue().endswith("\x1b[1A\x1b[J" + " ".join(["word"] * 8) + "\n" + "word word" + "\n")


@pytest.mark.parametrize(
    ("environment", "colour", "live"),
    [({}, True, True), ({"NO_COLOR": "1"}, False, True), ({"NO_COLOR": ""}, True, True), ({"TERM": "dumb"}, False, False)],
)
def test_no_color_and_dumb_terminals_are_respected(environment: dict[str, str], colour: bool, live: bool) -> None:
    screen = Screen(Terminal(), io.StringIO(), environment)
    assert (screen.look.colour, screen.live) == (colour, live)


def test_a_file_gets_plain_lines_only() -> None:
    file = io.StringIO()
    screen = Screen(file, io.StringIO(), {})
    screen.draw(["drawn"])
    screen.say("said " * 40)
    assert file.getvalue() == "said " * 40 + "\n"


def test_results_replace_what_is_drawn_and_notices_are_left_out_when_nobody_wants_them() -> None:
    terminal, results = Terminal(), io.StringIO()
    screen = Screen(terminal, results, {})
    screen.draw(["drawn"])
    screen.json({"said": "où"})
    assert terminal.getvalue().endswith("\x1b[1A\x1b[J")
    assert results.getvalue() == '{"said": "où"}\n'
    quiet = Terminal()
    Screen(quiet, results, {}, quiet=True).say("a notice")
    assert quiet.getvalue() == ""


COMMANDS = "clear \x1b[2J, title \x1b]0;mine\x07, clipboard \x1b]52;c;cm0=\x07, C1 \x9b2J, turned \u202e, over\b\rwritten"
"""What terminals obey, if it comes to them as it is."""


def test_a_terminal_obeys_nothing_of_what_others_have_said() -> None:
    terminal, results = Terminal(), Terminal()
    screen = Screen(terminal, results, {"NO_COLOR": "1"})
    screen.say(COMMANDS)
    screen.result(COMMANDS)
    screen.sentence(COMMANDS)
    screen.write(COMMANDS)
    screen.painted(view.said("model", COMMANDS, 79, screen.look))
    screen.painted(view.said("model", COMMANDS, None, screen.look))
    screen.json({"said": COMMANDS})
    screen.draw([view.labelled("model", COMMANDS, 200, screen.look)])
    shown = terminal.getvalue().replace("\r\x1b[2K", "").replace("\x1b[J", "") + results.getvalue()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert "\\u009b2J" in results.getvalue()
    assert any(json.loads(line) == {"said": COMMANDS} for line in results.getvalue().splitlines() if line.startswith("{"))


def test_the_wait_for_an_answer_is_shown_until_its_first_word() -> None:
    listener = Listener()
    drawn = asking.lines((4.6, 4.6), -10.0, listener, 0.9, 79, PLAIN)
    assert drawn[-1].endswith(" 0.9 s")
    listener.said = "Yes."
    assert asking.lines((4.6, 4.6), -10.0, listener, 1.4, 79, PLAIN)[-1].endswith(" Yes.")


# How the model is to be


def setup_of(capsys: pytest.CaptureFixture[str], emulator: LiveEmulator, *options: str) -> dict[str, Any]:
    assert cli.main(["chat", "--json", *options]) == 0
    setup: dict[str, Any] = emulator.wait_for("setup").message["setup"]
    return setup


def test_options_and_a_file_say_how_the_model_is_to_be(
    capsys: pytest.CaptureFixture[str], emulator: LiveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    Path("config.json").write_text(
        '{"temperature": 0.5, "speechConfig": {"languageCode": "en-GB"}, "system_instruction": "Sing."}',
        encoding="utf-8-sig",  # as Windows' editors write it
    )
    setup = setup_of(capsys, emulator, "--config", "config.json", "--voice", "Kore", "--system", "Answer briefly.")
    generation = setup["generationConfig"]
    assert generation["temperature"] == 0.5
    assert generation["responseModalities"] == ["AUDIO"], "what the command needs stays"
    assert generation["speechConfig"] == {"languageCode": "en-GB", "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    assert setup["systemInstruction"]["parts"] == [{"text": "Answer briefly."}], "an option goes before the file"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[" * 200_000, "is not JSON"),
        ("[]", "must hold a JSON object"),
        ('{"temprature": 1}', "temprature"),
        ('{"temperature": "hot"}', "config.json: "),
        (None, "cannot be read"),
    ],
)
def test_a_config_file_that_cannot_be_used_is_told(
    capsys: pytest.CaptureFixture[str], emulator: LiveEmulator, text: str | None, words: str
) -> None:
    if text is not None:
        Path("config.json").write_text(text)
    assert words in failure(capsys, "chat", "--config", "config.json")


def test_chat_for_programs_writes_a_line_of_json_for_each_answer(
    capsys: pytest.CaptureFixture[str], emulator: LiveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Good morning\nGood night\n"))
    assert cli.main(["--json", "chat"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["question"], each["answer"]) for each in told] == [
        ("Good morning", "You said: Good morning"),
        ("Good night", "You said: Good night"),
    ]


def test_models_are_listed_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--emulator", "--quiet"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert cli.main(["models", "--emulator", "--json"]) == 0
    assert [model["name"] for model in json.loads(capsys.readouterr().out)] == names
    assert "gemini-3.8-live" in names


def test_every_command_shows_an_example_that_its_grammar_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        with pytest.raises(SystemExit):
            cli.main([name, "--help"])
        shown = re.findall(r"^  genai-live (.*)$", capsys.readouterr().out, re.MULTILINE)
        assert shown
        for example in shown:
            cli.parser().parse_args(shlex.split(example.partition(" <")[0]))


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("arguments", [["demo", "--model", "m"], ["demo", "--unknown-option"], ["demo", "--help"]])
def test_no_word_is_broken_on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int, arguments: list[str]) -> None:
    screen = Terminal()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    with contextlib.suppress(SystemExit):
        cli.main(arguments)
    shown = re.sub(r"\x1b\[[\d;]*m", "", screen.getvalue())  # Python 3.14 colours what argparse says
    assert max(map(len, re.sub(r"^usage:.*?\n\n", "", shown, flags=re.DOTALL).splitlines())) < columns


def test_words_of_both_sides_are_broken_between_words_where_a_terminal_shows_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    words = types.LiveServerContent(output_transcription=types.Transcription(text="a long answer " * 9))
    turn = assemble([types.LiveServerMessage(server_content=words)])
    shown, piped = Terminal(), io.StringIO()
    for results in (shown, piped):
        asking.Answer("m", turn, 0.0, Path("answer.wav")).show(Screen(Terminal(), results, {"NO_COLOR": "1"}))
    assert max(map(len, shown.getvalue().splitlines())) < 40
    assert piped.getvalue().splitlines()[1] == f"model: {'a long answer ' * 9}".rstrip()


def test_a_command_loads_no_other_command() -> None:
    script = (
        "import sys; from genai_live import cli\n"
        "cli.parser(['--version']); print(sorted({'genai_live.emulator', 'genai_live.voice'} & set(sys.modules)))\n"
        "cli.parser(['chat']); print('genai_live.voice' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=WITHIN, check=True)
    assert done.stdout.split() == ["[]", "False"]


def test_nobody_is_said_to_answer_before_the_connection_is_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise ConfigError("no connection")

    monkeypatch.setattr(Conversation, "connect", refuse)
    monkeypatch.setattr(Live, "connect", refuse)
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for command in ("voice", "chat", "demo"):
        assert cli.main([command, "--model", "m"]) == cli.FAILED
        assert capsys.readouterr().err == "genai-live: no connection\n"


def test_the_package_itself_is_the_command() -> None:
    command = [sys.executable, "-m", "genai_live", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=WITHIN, check=True).stdout.startswith("genai-live ")
