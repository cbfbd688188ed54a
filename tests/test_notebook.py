"""``show`` in a kernel of Jupyter and in a terminal: what is seen, what the stop button does, what a traceback ends in."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genai_live import Client, Turn
from genai_live.audio import Audio
from genai_live.emulator import LiveEmulator
from genai_live.errors import ConfigError
from genai_live.notebook import show
from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent

OPENING = """
from genai_live import Client
from genai_live.emulator import LiveEmulator
from genai_live.notebook import show
emulator = LiveEmulator(voice=False{options}).start()
client = Client(api_key="k", http_options={{"base_url": emulator.url}})
config = {{"response_modalities": ["{modality}"], "output_audio_transcription": {{}}}}
session = client.live.connect(model="emulator", config=config)
"""


class Kernel:
    """A kernel of Jupyter, as a front end has it."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager = manager
        self.client = client

    def start(self, code: str) -> Cell:
        return Cell(self.client, textwrap.dedent(code))

    def run(self, code: str) -> Cell:
        return self.start(code).wait()

    def open_session(self, modality: str = "TEXT", options: str = "") -> None:
        opened = self.run(OPENING.format(modality=modality, options=options))
        assert opened.error == ""


class Cell:
    """One execution of a cell, and all that a front end is told about it."""

    def __init__(self, client: Any, code: str) -> None:
        self._client = client
        self._id = client.execute(code)
        self.printed = ""
        self.shown: list[dict[str, Any]] = []
        """Outputs as they were first shown, and at each change."""
        self.result: dict[str, str] = {}
        self.error = ""
        self.traceback = ""

    def wait(self, until: str = "") -> Cell:
        """Reads until the cell is done, or until an output has these words."""
        while True:
            message = self._client.get_iopub_msg(timeout=2 * PATIENCE)
            if message["parent_header"].get("msg_id") != self._id:
                continue
            content, kind = message["content"], message["msg_type"]
            if kind == "stream":
                self.printed += content["text"]
            elif kind in ("display_data", "update_display_data"):
                self.shown.append(content)
                if until and until in content["data"]["text/html"]:
                    return self
            elif kind == "execute_result":
                self.result = content["data"]
            elif kind == "error":
                self.error = content["ename"]
                self.traceback = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                return self

    @property
    def html(self) -> list[str]:
        return [each["data"]["text/html"] for each in self.shown]


@pytest.fixture(scope="module")
def own_kernel() -> Iterator[Kernel]:
    manager = pytest.importorskip("jupyter_client.manager", reason="jupyter_client comes with ipykernel, in the extra test")
    pytest.importorskip("ipykernel", reason="ipykernel is in the extra test")
    own = manager.KernelManager(kernel_name="python3")
    own.kernel_spec.argv[:] = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    own.start_kernel(cwd=str(ROOT))
    client = own.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=3 * PATIENCE)
        yield Kernel(own, client)
    finally:
        client.stop_channels()
        own.shutdown_kernel(now=True)
        own.cleanup_resources()


@pytest.fixture
def kernel(own_kernel: Kernel) -> Iterator[Kernel]:
    """The kernel, with nothing left of the test before."""
    yield own_kernel
    own_kernel.run("session.close(); emulator.stop(); import os; os.environ.pop('GENAI_LIVE_DEBUG', None)")


def test_the_words_appear_while_they_come_and_the_turn_is_returned(kernel: Kernel) -> None:
    kernel.open_session("AUDIO", ", pace=0.3")
    cell = kernel.run("turn = show(session).ask('one two three <b>')\nprint(turn.transcripts.output)")
    assert cell.error == ""
    assert "You said: one two three" in cell.printed
    displays = {each["transient"]["display_id"] for each in cell.shown}
    assert len(displays) == 1
    words = [re.sub(r"<[^>]*>", "", html) for html in cell.html]
    assert words[0] == "You: one two three &lt;b&gt;"
    assert len({each for each in words if "You said" in each}) > 2
    assert [html.count("<audio") for html in cell.html] == [0] * (len(cell.html) - 1) + [1]
    assert all(html.count("You:") == 1 for html in cell.html)


def test_a_turn_that_was_shown_is_one_line_at_the_end_of_the_same_cell_and_whole_in_the_next(kernel: Kernel) -> None:
    kernel.open_session("AUDIO", ", pace=0.0")
    cell = kernel.run("show(session).ask('Hello')")
    assert cell.html[-1].count("<audio") == 1
    assert "<audio" not in cell.result["text/html"]
    assert "above" in cell.result["text/html"]
    assert cell.result["text/plain"].startswith("Turn('Hello' -> 'You said: Hello")
    assert kernel.run("_").result["text/html"].count("<audio") == 1


def test_a_turn_that_was_not_shown_while_it_came_has_both_sides_at_the_end_of_its_cell(kernel: Kernel) -> None:
    kernel.open_session("AUDIO", ", pace=0.0")
    for cell in ("session.ask('Hello')", "session.send_text('Hello')\nsession.collect()"):
        result = kernel.run(cell).result
        words = re.sub(r"<[^>]*>", "\n", result["text/html"]).split("\n")
        assert (words.index("You:"), words.index(" Hello")) < (words.index("Model:"), words.index(" You said: Hello"))
        assert result["text/plain"].startswith("Turn('Hello' -> 'You said: Hello', ")


def test_the_stop_button_ends_it_at_once_and_the_session_goes_on(kernel: Kernel) -> None:
    kernel.open_session("AUDIO")
    cell = kernel.start("show(session).ask('one two three four five six seven eight nine ten')").wait(until="Model:")
    kernel.manager.interrupt_kernel()
    cell.wait()
    assert cell.error == "KeyboardInterrupt"
    assert "stopped; the session goes on" in cell.html[-1]
    assert "Model:" in cell.html[-1]
    again = kernel.run("print(show(session).ask('again', until='generated').transcripts.output)")
    assert "You said: again" in again.printed


STOPPED = {
    "ask": "session.ask('one two three four five six seven')",
    "show": "show(session).ask('one two three four five six seven')",
    "collect": "session.send_text('one two three four five six seven'); session.collect()",
    "receive": "session.send_text('one two three four five six seven')\nfor message in session.receive(): pass",
    "iteration": "for message in session: pass",
    "stream_audio": "session.stream_audio(bytes(16_000 * 60))",
    "wait": "session.stream_audio(bytes(16_000 * 60), wait=False).wait()",
}
WATCH = """
import sys, threading

def say_when_it_waits(main=threading.main_thread().ident):
    pause, before, here = threading.Event(), None, ()
    while here != before or not here:
        pause.wait(0.1)
        before, here, frame = here, (), sys._current_frames()[main]
        while frame:
            here += ((frame.f_code.co_filename, frame.f_lineno),) if "genai_live" in frame.f_code.co_filename else ()
            frame = frame.f_back
    display({"text/html": "it waits"}, raw=True)

threading.Thread(target=say_when_it_waits, daemon=True).start()
"""
"""Says when the cell below it has stood at the same line of the library for a while."""


@pytest.mark.parametrize("call", STOPPED)
def test_the_traceback_of_a_stopped_call_ends_in_the_users_cell(kernel: Kernel, call: str) -> None:
    kernel.open_session("AUDIO")
    cell = kernel.start(WATCH + STOPPED[call]).wait(until="it waits")
    kernel.manager.interrupt_kernel()
    cell.wait()
    assert cell.error == "KeyboardInterrupt"
    assert "genai_live/" not in cell.traceback
    assert "threading.py" not in cell.traceback
    assert "GENAI_LIVE_DEBUG=1" in cell.traceback


def test_the_traceback_of_a_wrong_argument_ends_in_the_users_cell(kernel: Kernel) -> None:
    kernel.open_session()
    cell = kernel.run("session.ask(3)")
    assert cell.error == "ConfigError"
    assert "session.ask(3)" in cell.traceback
    assert "genai_live/" not in cell.traceback


def test_a_variable_unfolds_the_librarys_frames(kernel: Kernel) -> None:
    kernel.open_session()
    kernel.run("import os; os.environ['GENAI_LIVE_DEBUG'] = '1'")
    cell = kernel.run("session.ask(3)")
    assert "genai_live/session.py" in cell.traceback
    late = kernel.run("session.collect(timeout=0.01)")
    assert late.error == "ReceiveTimeout"
    assert "_gathering.py" in late.traceback


def test_the_cause_of_an_error_is_a_line_of_its_traceback(kernel: Kernel) -> None:
    kernel.open_session()
    cell = kernel.run("turn = session.ask('Hello')\nturn.audio.save('/no/such/directory/answer.wav')")
    assert cell.error == "ConfigError"
    assert "FileNotFoundError" in cell.traceback
    assert "turn.audio.save" in cell.traceback
    assert "genai_live/" not in cell.traceback
    assert "pathlib" not in cell.traceback
    assert kernel.run("import sys; print(sys.last_value.__cause__.__traceback__ is not None)").printed == "True\n"


def test_a_frame_of_the_users_below_the_library_is_never_folded(kernel: Kernel) -> None:
    kernel.open_session()
    cell = kernel.run(
        """
        from genai_live.errors import ConfigError
        def look(turn):
            raise ConfigError("mine")
        session.ask("Hello", on_update=look)
        """
    )
    assert 'raise ConfigError("mine")' in cell.traceback


def test_an_emulator_is_started_and_stopped_in_cells(kernel: Kernel) -> None:
    kernel.open_session()
    assert kernel.run("emulator.stop(); emulator.stop(); print(emulator)").printed.startswith("<LiveEmulator stopped")


@pytest.fixture
def client() -> Iterator[Client]:
    with LiveEmulator(pace=0.0, voice=False) as emulator:
        yield Client(api_key="k", http_options={"base_url": emulator.url})


def test_in_a_terminal_the_answer_is_the_same_as_text(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    config = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}}
    with client.live.connect(model="emulator", config=config) as session:
        turn = show(session).ask("Hello")
    words, facts = capsys.readouterr().out.splitlines()
    assert words == turn.transcripts.output
    assert facts.startswith(f"({turn.audio.seconds:.1f} s of speech, ")


def test_words_are_written_while_they_come_and_the_callers_function_gets_them_too(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    seen: list[str] = []

    def look(turn: Turn) -> None:
        assert screen.getvalue() == turn.text
        seen.append(turn.text)

    with client.live.connect(model="emulator", config={"response_modalities": ["TEXT"]}) as session:
        show(session).ask("one two three four five six", on_update=look)
    assert len(set(seen)) > 1


def test_collect_is_shown_as_ask_is(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    with client.live.connect(model="emulator", config={"response_modalities": ["TEXT"]}) as session:
        session.send_text("Hello")
        turn = show(session).collect(timeout=PATIENCE)
    assert capsys.readouterr().out.startswith(turn.text)


def test_whatever_else_is_shown_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be a Session, Turn or Audio, not 3"):
        show(3)  # type: ignore[call-overload]


def test_all_of_a_turn_is_shown_when_asked_for(kernel: Kernel) -> None:
    kernel.open_session("AUDIO", ", pace=0.0")
    cell = kernel.run(
        "turn = session.ask('word ' * 100)\nshow(turn)\nprint(turn.audio.seconds, len(turn._repr_html_()) < 1_000_000)"
    )
    seconds, is_small = cell.printed.split()
    assert float(seconds) > 20
    assert is_small == "True"
    assert len(cell.html[0]) > 64_000 * float(seconds)


def test_all_of_a_sound_is_shown_when_asked_for(kernel: Kernel) -> None:
    kernel.open_session()
    cell = kernel.run("from genai_live.audio import Audio; show(Audio(bytes(48_000 * 30), 24_000))")
    assert len(cell.html[0]) > 48_000 * 30
    assert show(Audio(b"", 16_000)) is None


def test_without_ipython_nothing_of_it_is_loaded() -> None:
    script = "import sys, genai_live.notebook; print('IPython' in sys.modules, 'anywidget' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False False\n"
