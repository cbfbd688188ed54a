"""The commands ``voice`` and ``devices``: the space bar, the screen, tools by name; and all of it on a private sound server."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from genai_live import cli
from genai_live.audio import Audio
from genai_live.cli import own_tools
from genai_live.cli.conversation_view import ConversationView, clock
from genai_live.cli.notices import notices
from genai_live.cli.space_bar import REPEAT, SpaceBar
from genai_live.cli.view import columns_of, look_for, said
from genai_live.cli.voice import latency_words
from genai_live.emulator import LiveEmulator
from genai_live.errors import ConfigError
from genai_live.voice import (
    AnswerLost,
    ConversationState,
    Event,
    Interrupted,
    Latencies,
    Latency,
    Level,
    ModelWords,
    Reconnected,
    Reconnecting,
    StateChanged,
    UserWords,
    Waiting,
)
from tests.shown_outputs import blocks_of
from tests.sound_server import QUESTION, WITH_SOUND, SoundServer
from tests.waiting import PATIENCE, until

PLAIN = look_for("utf-8", colour=False)
SAMPLE = Path(__file__).parent.parent / "samples" / "voice.py"


# The space bar


def typed(spaces: list[float], until: float) -> list[tuple[float, str]]:
    """What spaces at these times mean, with a look every 10 ms."""
    bar, acts = SpaceBar(), []
    for tick in range(int(until * 100)):
        now = tick / 100
        act = bar.space(now) if any(abs(now - space) < 0.004 for space in spaces) else bar.look(now)
        if act is not None:
            acts.append((now, act))
    return acts


def test_a_tap_begins_and_another_tap_ends() -> None:
    acts = typed([1.0, 4.0], 6.0)
    assert acts[0] == (1.0, "press")
    assert acts[1][1] == "release"
    assert 4.0 < acts[1][0] < 4.0 + REPEAT + 0.03
    assert len(acts) == 2


@pytest.mark.parametrize("pause", [0.25, 0.5, 1.0])
def test_a_bar_that_is_held_talks_until_it_repeats_no_more(pause: float) -> None:
    repeats = [1.0 + pause + number * 0.04 for number in range(50)]
    acts = typed([1.0, *repeats], 6.0)
    assert [act for _, act in acts] == ["press", "release"]
    assert repeats[-1] < acts[1][0] < repeats[-1] + REPEAT + 0.03


def test_it_begins_again_as_often_as_one_likes() -> None:
    held = [4.0, *(4.5 + number * 0.03 for number in range(30))]
    assert [act for _, act in typed([1.0, 2.0, *held, 8.0, 9.0], 11.0)] == ["press", "release"] * 3


# The screen


def shown(*events: Event) -> ConversationView:
    view = ConversationView()
    for event in events:
        view.take(event)
    return view


TALKING = (
    StateChanged(60.0, ConversationState.SPEAKING),
    UserWords(61.0, "What is the weather like in Paris, and will it rain tomorrow in the afternoon?", False),
    ModelWords(62.0, "It is sunny", False),
    Level(83.0, -31.0, -12.0),
)


@pytest.mark.parametrize("columns", [79, 39, 20])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    for line in shown(*TALKING).lines(columns, PLAIN):
        assert columns_of(line) <= columns


def test_a_wide_terminal_shows_state_time_and_both_levels_on_one_line() -> None:
    first, *words = shown(*TALKING).lines(79, PLAIN)
    assert re.fullmatch(r"speaking +1:23   you ▮▮▮▮▯▯▯▯▯▯ -31 dB   model ▮▮▮▮▮▮▮▮▯▯ -12 dB", first)
    assert words[0].startswith("you     …the weather like in Paris")
    assert words[1] == "model   It is sunny"


def test_a_narrow_one_has_a_line_for_each_and_shows_the_newest_words() -> None:
    lines = shown(*TALKING).lines(39, PLAIN)
    assert lines[0].split() == ["speaking", "1:23"]
    assert lines[1] == "you     ▮▮▮▮▯▯▯▯▯▯ -31 dB"
    assert lines[3].endswith("tomorrow in the afternoon?")


def test_words_stay_once_they_are_final() -> None:
    view = ConversationView()
    assert view.take(ModelWords(1.0, "It is", False)) == []
    assert view.take(ModelWords(2.0, " It is sunny. ", True)) == [("model", "It is sunny.")]
    assert not any("sunny" in line for line in view.lines(79, PLAIN))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Interrupted(3.0, 2.04, True), "You interrupted; 2.0 s of the answer were heard."),
        (Waiting(3.0, 4.0), "No answer for 4 s."),
        (Reconnecting(3.0), "The connection is gone; connecting again."),
        (Reconnected(3.0, True), "Connected again; the model knows what was said."),
        (Reconnected(3.0, False), "Connected again; the model has forgotten what was said."),
        (AnswerLost(3.0, None), "The rest of the answer was lost with the connection."),  # type: ignore[arg-type]
    ],
)
def test_what_a_user_must_know_is_a_notice(event: Event, words: str) -> None:
    assert ConversationView().take(event) == [("", words)]


def test_colours_are_there_where_they_are_wanted_and_nowhere_else() -> None:
    assert "\x1b[" in shown(*TALKING).lines(79, look_for("utf-8", colour=True))[0]
    assert "\x1b" not in "".join(shown(*TALKING).lines(79, PLAIN))


def test_what_was_said_is_broken_between_words_below_itself() -> None:
    assert said("you", "one two three", 16, PLAIN) == "you     one two\n        three"
    assert said("you", "one two three", None, PLAIN) == "you: one two three"


def test_a_clock_counts_minutes() -> None:
    assert [clock(seconds) for seconds in (0.0, 59.9, 61.0, 3_600.0)] == ["0:00", "0:59", "1:01", "60:00"]


# Tools by name


def test_a_tool_comes_from_the_current_folder_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_weather_tools.py").write_text("def get_weather(city: str) -> str:\n    return 'sunny'\nnumber = 3\n")
    (get_weather,) = own_tools.load(["my_weather_tools:get_weather"])
    assert get_weather("Paris") == "sunny"
    with pytest.raises(ConfigError, match="my_weather_tools has no function number"):
        own_tools.load(["my_weather_tools:number"])
    monkeypatch.delitem(sys.modules, "my_weather_tools")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("weather", "--tool must be module:function, such as weather:get_weather for weather.py, not 'weather'"),
        ("../weather:get_weather", "--tool must be module:function, such as weather:get_weather for weather.py"),
        ("weather:", "--tool must be module:function"),
        ("no_such_module_here:f", "there is no module no_such_module_here in this folder, nor installed"),
    ],
)
def test_a_tool_that_is_not_there_is_an_error_of_one_sentence(name: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["voice", "--emulator", "--tool", name]) == cli.FAILED
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        (0, "No answer was heard."),
        (1, "From the end of your words to the first sound: 0.50 s."),
        (3, "From the end of your words to the first sound: 0.50 s in half of the answers, 0.90 s in 19 of 20."),
    ],
)
def test_how_fast_the_answers_were_is_one_sentence(turns: int, words: str) -> None:
    half, slow = (Latency(first_played=seconds) if turns else Latency() for seconds in (0.5, 0.9))
    assert latency_words(Latencies(turns, half, slow)) == words


def test_what_is_logged_while_the_screen_is_drawn_is_told_in_sentences() -> None:
    logger = logging.getLogger("genai_live")
    with notices(debug=False) as logged:
        logger.info("the session is open")
        logger.warning("%d messages wait", 3)
        try:
            raise RuntimeError("boom")
        except RuntimeError:
            logger.exception("the tool %s raised", "f")
        assert list(logged.take()) == ["3 messages wait", "the tool f raised; --debug shows where"]
    logger.warning("nobody takes this")
    assert list(logged.take()) == []


def test_a_tool_whose_module_lacks_something_names_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_lacking_tools.py").write_text("import a_package_that_is_not_there\n")
    with pytest.raises(ConfigError, match="needs a_package_that_is_not_there, which is not installed"):
        own_tools.load(["my_lacking_tools:f"])


@pytest.mark.parametrize(
    ("source", "name", "words"),
    [
        ("import os\n1 / 0\n", "failing:f", r"failing\.py, line 2, raises ZeroDivisionError: division by zero"),
        ("def f(:\n", "failing:f", r"failing\.py, line 1, raises SyntaxError: "),
        ("import json\njson.loads('')\n", "failing:f", r"failing\.py, line 2, raises JSONDecodeError: "),
        ("def f() -> None: ...\n", "failing.py:f", r"name it without \.py: failing:f"),
    ],
)
def test_a_tool_whose_module_fails_is_told_with_its_line(tmp_path: Path, source: str, name: str, words: str) -> None:
    (tmp_path / "failing.py").write_text(source)
    command = [sys.executable, "-m", "genai_live.cli", "voice", "--emulator", "--tool", name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == cli.FAILED
    assert re.search(words, " ".join(done.stderr.split()))


@pytest.mark.parametrize("module", ["calendar", "statistics", "platform"])
def test_a_tool_of_the_current_folder_comes_before_a_module_of_python_of_that_name(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("def mine() -> str:\n    return 'mine'\n")
    program = tmp_path / "elsewhere" / "program.py"
    program.parent.mkdir()
    program.write_text(f"import {module}\nfrom genai_live.cli import own_tools\nprint(own_tools.load(['{module}:mine'])[0]())\n")
    done = subprocess.run(
        [sys.executable, str(program)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.stdout == "mine\n", done.stderr


def test_the_space_bar_needs_a_keyboard(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert cli.main(["voice", "--emulator", "--push-to-talk"]) == cli.MISUNDERSTOOD
    assert "stdin is not a terminal" in capsys.readouterr().err


# On a sound card without hardware


@pytest.fixture(scope="module")
def card() -> Iterator[SoundServer]:
    with SoundServer() as server:
        server.feed_back(0.35)
        yield server


class Place:
    """A sound card, and an emulator that answers with few words; a process finds both by its environment."""

    def __init__(self, card: SoundServer) -> None:
        self._card = card
        self.emulator = LiveEmulator(hears=["Hi"] * 20, voice=False)
        self._folder = TemporaryDirectory()
        # A second of speech, so that a test takes no longer.
        speech = Audio.load(QUESTION)
        self._question = Audio(speech.data[: 2 * speech.rate], speech.rate).save(Path(self._folder.name) / "hi.wav")

    @property
    def environment(self) -> dict[str, str]:
        return {**self._card.environment, "GENAI_LIVE_EMULATOR_HOST": self.emulator.host}

    def speak(self) -> subprocess.Popen[bytes]:
        return self._card.speak(self._question)

    def __enter__(self) -> Place:
        self.emulator.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.emulator.stop()
        self._folder.cleanup()


@pytest.fixture
def place(card: SoundServer) -> Iterator[Place]:
    with Place(card) as place:
        yield place


class Command:
    """A program in a terminal of so many columns, or with pipes; what it wrote."""

    def __init__(self, place: Place, *command: str, columns: int | None = None, folder: Path | None = None, **more: str) -> None:
        environment = {**place.environment, **more, "COLUMNS": str(columns or 80), "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
        environment.pop("GENAI_LIVE_MODEL", None)
        self._written = bytearray()
        self._changed = threading.Condition()
        self._ended = False
        self._terminal: int | None = None
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        if columns is not None:
            self._terminal, inner = os.openpty()
            pipes = {"stdin": inner, "stdout": inner, "stderr": inner}
        self.process = subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True, **pipes)
        if self._terminal is not None:
            os.close(inner)
            source = self._terminal
        else:
            assert self.process.stdout is not None
            source = self.process.stdout.fileno()
        self._reader = threading.Thread(target=self._read, args=(source,), daemon=True)
        self._reader.start()

    @property
    def written(self) -> str:
        return self._written.decode("utf-8", "replace")

    @property
    def makes_lines(self) -> bool:
        """True where the terminal keeps keys until Enter is pressed."""
        import termios  # Windows has none

        assert self._terminal is not None
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ICANON)

    def make_lines(self) -> None:
        """Has the terminal keep keys until Enter is pressed."""
        import termios

        assert self._terminal is not None
        state = termios.tcgetattr(self._terminal)
        state[3] |= termios.ICANON
        termios.tcsetattr(self._terminal, termios.TCSANOW, state)

    def wait_for(self, pattern: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or re.search(pattern, self.written), PATIENCE)
        assert re.search(pattern, self.written), self.written[-2_000:]

    def type(self, keys: str) -> None:
        assert self._terminal is not None
        os.write(self._terminal, keys.encode())

    def interrupt(self, sign: int = signal.SIGINT) -> int:
        """Its exit status after a signal."""
        self.process.send_signal(sign)
        return self.process.wait(PATIENCE)

    def _read(self, source: int) -> None:
        with contextlib.suppress(OSError):  # a terminal whose program has ended
            while piece := os.read(source, 65_536):
                with self._changed:
                    self._written += piece
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __enter__(self) -> Command:
        return self

    def close(self) -> None:
        """Reads to the end."""
        self.process.wait()
        self._reader.join()

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.close()
        if self._terminal is not None:
            os.close(self._terminal)
        elif self.process.stdout is not None:
            self.process.stdout.close()


VOICE = (sys.executable, "-W", "error", "-m", "genai_live", "voice")


@WITH_SOUND
def test_devices_lists_what_there_is(card: SoundServer) -> None:
    command = [sys.executable, "-m", "genai_live", "devices"]
    done = subprocess.run(command, env=card.environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0
    assert re.search(r"^  1  default  default microphone, default loudspeaker \(ALSA, [\d,]+ Hz\)$", done.stdout, re.MULTILINE)
    done = subprocess.run(
        [*command, "--json"], env=card.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert json.loads(done.stdout)[1]["default_input"] is True


@WITH_SOUND
@pytest.mark.parametrize("columns", [80, 40])
def test_a_conversation_is_shown_while_it_goes_and_summed_up_after_ctrl_c(place: Place, columns: int, tmp_path: Path) -> None:
    with Command(place, *VOICE, "--record", "call.wav", columns=columns, folder=tmp_path) as command:
        command.wait_for("listening")
        place.speak()
        command.wait_for("speaking")
        command.wait_for("model .*You said: Hi")
        assert command.interrupt() == 0
        assert "\x1b[1;36myou" in command.written  # colours
        summary = " ".join(command.written.split("of conversation")[1].split())
        assert "1 answer, 0 interruptions." in summary
        assert "From the end of your words to the first sound:" in summary
        assert "Recorded in call.wav" in summary
    assert Audio.load(tmp_path / "call.wav").seconds > 2
    assert (tmp_path / "call.jsonl").exists()


@WITH_SOUND
def test_without_a_terminal_there_are_plain_lines_and_json_when_asked(place: Place) -> None:
    with Command(place, *VOICE, "--json") as command:
        command.wait_for('"state_changed".*"listening"')
        place.speak()
        command.wait_for('"turn_ended"')
        assert command.interrupt() == 0
        assert "\x1b" not in command.written
        events = [json.loads(line) for line in command.written.splitlines() if line.startswith("{")]
        kinds = [event["event"] for event in events]
        assert kinds[-2:] == ["ended", "summary"]
        assert "level" not in kinds
        assert events[-1]["turns"] == 1
        assert events[-1]["usage"]["totalTokenCount"] > 0
        assert re.search(r"^[\d,]+ tokens heard, [\d,]+ spoken\.$", command.written, re.MULTILINE)


@WITH_SOUND
def test_with_no_color_there_are_no_colours(place: Place) -> None:
    with Command(place, *VOICE, columns=80, NO_COLOR="1") as command:
        command.wait_for("listening")
        assert not re.search(r"\x1b\[[\d;]*m", command.written)
        assert command.interrupt(signal.SIGTERM) == cli.TERMINATED


@WITH_SOUND
def test_with_push_to_talk_the_space_bar_says_when_one_speaks(place: Place, tmp_path: Path) -> None:
    (tmp_path / "my_voice_tools.py").write_text("def get_weather(city: str) -> str:\n    return 'sunny'\n")
    options = ["--push-to-talk", "--tool", "my_voice_tools:get_weather"]
    with Command(place, *VOICE, *options, columns=80, folder=tmp_path) as command:
        command.wait_for("listening")
        command.type(" ")
        command.wait_for("hearing")
        place.speak().wait()
        command.type(" ")
        command.wait_for("speaking")
        assert command.interrupt() == 0
        assert "1 answer" in command.written


@WITH_SOUND
def test_the_space_bar_goes_on_after_the_job_was_stopped_and_brought_back(place: Place) -> None:
    with Command(place, *VOICE, "--push-to-talk", columns=80) as command:
        command.wait_for("listening")
        command.make_lines()  # as a shell does while the job is stopped
        command.process.send_signal(signal.SIGCONT)
        until(lambda: not command.makes_lines)
        command.type(" ")
        command.wait_for("hearing")
        assert command.interrupt() == 0


@WITH_SOUND
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_sound_server_that_ends_is_one_sentence_and_no_flood(sign: signal.Signals) -> None:
    with SoundServer() as server, Place(server) as place, Command(place, *VOICE, "--json") as command:
        command.wait_for('"listening"')
        server.end(sign)
        began = time.monotonic()
        assert command.process.wait(PATIENCE) == cli.FAILED
        assert time.monotonic() - began < 5.0
        command.close()
        lines = [line for line in command.written.splitlines() if not line.startswith("{")]
        assert re.search("genai-live: the (microphone|loudspeaker) 'default' is gone", lines[-1])
        assert len(lines) < 10


@WITH_SOUND
def test_what_is_logged_passes_the_dam(place: Place) -> None:
    with Command(place, sys.executable, "-m", "genai_live", "--debug", "voice") as command:
        command.wait_for(r"genai_live\.wire: > \d+ bytes")
        assert command.interrupt() == 0


@WITH_SOUND
def test_talk_without_a_file_is_voice(place: Place) -> None:
    with Command(place, sys.executable, "-m", "genai_live", "talk", columns=80) as command:
        command.wait_for("listening")
        assert command.interrupt() == 0
        assert "0 answers" in command.written


@WITH_SOUND
def test_the_readmes_ten_lines_talk_over_a_sound_card(place: Place) -> None:
    code = next(block.code for block in blocks_of((SAMPLE.parent.parent / "README.md").read_text(encoding="utf-8")))
    assert "Devices()" in code
    with Command(place, sys.executable, "-u", "-W", "error", "-c", code) as command:
        place.emulator.wait_for("realtimeInput.audio", PATIENCE)
        place.speak()
        command.wait_for("user: Hi")
        command.wait_for("model: .*You said: Hi")
        command.interrupt()


@WITH_SOUND
def test_the_sample_prints_what_both_sides_say(place: Place) -> None:
    with Command(place, sys.executable, "-u", "-W", "error", str(SAMPLE)) as command:
        place.emulator.wait_for("realtimeInput.audio", PATIENCE)
        place.speak()
        command.wait_for("You:   Hi")
        command.wait_for("Model: .*You said: Hi")
        assert command.interrupt() == 0
        assert "Traceback" not in command.written


def test_the_sample_has_ten_lines_and_stands_in_the_documentation() -> None:
    code = SAMPLE.read_text(encoding="utf-8").partition('"""\n\n')[2]
    assert len([line for line in code.splitlines() if line]) <= 10
    page = (SAMPLE.parent.parent / "docs" / "voice.md").read_text(encoding="utf-8")
    shown_there = re.findall(r"^```py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert (
        code.replace("start_if_asked()  # with --emulator: a server on this machine answers\n\n", "").replace(
            "from genai_live.emulator import start_if_asked\n", ""
        )
        in shown_there
    )
