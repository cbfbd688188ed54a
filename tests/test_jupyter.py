"""JupyterLab and Notebook 7 in a real Chromium with a fake microphone: what is shown plays, and the widget talks.

The emulator is in the test's process, so that it sees what becomes of sessions when a kernel is gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from genai_live.audio import Audio
from genai_live.emulator import LiveEmulator
from tests.browsers import Browser, microphone
from tests.jupyter import FRONT_ENDS, Jupyter, OpenNotebook, far_away, opened
from tests.notebook_cells import ELEMENT, OPENING, QUESTION, TALK, start
from tests.waiting import until

PAUSE = 4.0
"""Seconds between the two questions of the microphone: the second comes while the first is answered."""
MANY_WORDS = " ".join(f"word {number}" for number in range(40))
"""What the emulator says again, for longer than any test looks at it."""

every_front_end = pytest.mark.parametrize("front_end", FRONT_ENDS)


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    server = Jupyter(tmp_path_factory.mktemp("jupyter"))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def browser(jupyter: Jupyter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its microphone asks one question, and another one while that is answered."""
    sound = tmp_path_factory.mktemp("sound") / "two_questions.wav"
    silence = Audio(bytes(2 * int(PAUSE * QUESTION.rate)), QUESTION.rate)
    (QUESTION + silence + QUESTION + silence).save(sound)
    opened_browser = Browser(*microphone(sound), "--autoplay-policy=no-user-gesture-required", *far_away(jupyter))
    try:
        yield opened_browser
    finally:
        opened_browser.close()


@pytest.fixture
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(voice=False, hears=(MANY_WORDS, "Stop that.", *["Go on."] * 50)) as running:
        yield running


def players(notebook: OpenNotebook) -> Any:
    """Of each player: seconds, and where it is after it has begun to play."""
    return notebook.page.evaluate(
        """Promise.all([...document.querySelectorAll("audio")].map(async (audio) => {
          await audio.play();
          await new Promise((resolve) => (audio.ontimeupdate = () => audio.currentTime > 0.05 && resolve()));
          audio.pause();
          return [audio.duration, audio.currentTime];
        }))"""
    )


@every_front_end
def test_an_answer_appears_below_its_cell_and_its_only_player_plays(jupyter: Jupyter, browser: Browser, front_end: str) -> None:
    with LiveEmulator(voice=False, pace=0.1) as emulator:
        name = f"answer_{front_end}.ipynb"
        file = jupyter.write(name, OPENING.format(url=emulator.url), "turn = show(session).ask('Hello <b>you</b>')\nturn")
        with opened(browser, jupyter, name, front_end) as notebook:
            notebook.run(0, 1)
            notebook.until_done(1)
            assert "You: Hello <b>you</b>\nModel: You said: Hello" in notebook.outputs(1)
            ((seconds, place),) = players(notebook)
            assert 0 < place < seconds
            notebook.command("docmanager:save")
            until(lambda: "data:audio/wav" in file.read_text())
        assert file.read_text().count("data:audio/wav") == 1
        assert len(file.read_bytes()) < 1_000_000


@every_front_end
def test_a_saved_notebook_that_nobody_trusts_plays_without_its_kernel(jupyter: Jupyter, browser: Browser, front_end: str) -> None:
    with LiveEmulator(voice=False, pace=0.1) as emulator:
        name = f"saved_{front_end}.ipynb"
        file = jupyter.write(name, OPENING.format(url=emulator.url), "session.ask('Hello', until='generated')")
        with opened(browser, jupyter, name) as notebook:
            notebook.run(0, 1)
            notebook.until_done(1)
            notebook.command("docmanager:save")
            until(lambda: "data:audio/wav" in file.read_text())
    content = json.loads(file.read_text())
    content["cells"][0]["source"] = "# from a mail"
    (jupyter.folder / f"mailed_{name}").write_text(json.dumps(content))
    with opened(browser, jupyter, f"mailed_{name}", front_end) as notebook:
        trusted = "jupyterapp.shell.currentWidget.content.widgets[1].model.trusted"
        assert notebook.page.evaluate(trusted) is False
        notebook.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        assert "You: Hello\nModel: You said: Hello" in notebook.outputs(1)
        ((seconds, place),) = players(notebook)
        assert 0 < place < seconds


def test_colours_of_what_is_shown_are_those_of_a_dark_theme(jupyter: Jupyter, browser: Browser) -> None:
    with LiveEmulator(voice=False, pace=0.0) as emulator:
        jupyter.write("dark.ipynb", OPENING.format(url=emulator.url), "session.ask('Hello')")
        with opened(browser, jupyter, "dark.ipynb") as notebook:
            notebook.run(0, 1)
            notebook.until_done(1)
            notebook.command("apputils:change-theme", theme="JupyterLab Dark")
            notebook.page.until("document.body.dataset.jpThemeLight === 'false'")
            shown = "getComputedStyle(document.querySelector('.genai-live'))"
            around = "getComputedStyle(document.querySelector('.genai-live').parentElement)"
            assert notebook.page.evaluate(f"{shown}.color") == notebook.page.evaluate(f"{around}.color")
            assert notebook.page.evaluate(f"{shown}.backgroundColor") == "rgba(0, 0, 0, 0)"


@every_front_end
def test_the_widget_hears_and_is_interrupted_while_a_cell_sleeps_and_starts_anew_when_its_cell_is_run_again(
    jupyter: Jupyter, browser: Browser, emulator: LiveEmulator, front_end: str
) -> None:
    name = f"talk_{front_end}.ipynb"
    sleep = """
    import time
    ends = time.monotonic() + 60
    while not any(said.interrupted for said in widget.transcript) and time.monotonic() < ends:
        time.sleep(0.05)
    print([(said.speaker, said.text[:7]) for said in widget.transcript][:2])
    """
    look = """
    import threading
    print(len(widget.transcript), widget.conversation, client.sessions == (session,))
    print([thread.name for thread in threading.enumerate()].count("genai-live-notebook"))
    """
    jupyter.write(name, OPENING.format(url=emulator.url), TALK, sleep, look)
    with opened(browser, jupyter, name, front_end) as notebook:
        notebook.run(0, 1)
        notebook.until_done(1)
        notebook.page.until(f"{ELEMENT} !== null")
        notebook.run(2)
        start(notebook)
        assert notebook.page.evaluate(f"{ELEMENT}.getAttribute('way')") == "direct"
        notebook.until_done(2)
        assert notebook.outputs(2).strip() == "[('user', 'word 0 '), ('model', 'I heard')]"
        first, second = notebook.page.evaluate(f"{ELEMENT}.transcript")[:2]
        assert (first["text"], second["interrupted"]) == (MANY_WORDS, True)
        assert front_end == "notebook" or notebook.page.said() == []  # Notebook 7 complains of its own commands
        assert emulator.sessions[1].ending is None
        notebook.run(1, 3)
        notebook.until_done(3)
        assert notebook.outputs(3).split() == ["0", "None", "True", "1"]
        until(lambda: emulator.sessions[1].ending)
        start(notebook)
        until(lambda: len(emulator.sessions) == 3)
        assert notebook.page.evaluate("document.querySelectorAll('genai-live-voice').length") == 1


def test_a_kernel_that_is_restarted_in_mid_sentence_leaves_nothing_open_and_says_nothing_twice(
    jupyter: Jupyter, browser: Browser, emulator: LiveEmulator
) -> None:
    jupyter.write("restart.ipynb", OPENING.format(url=emulator.url), TALK)
    with opened(browser, jupyter, "restart.ipynb") as notebook:
        notebook.run(0, 1)
        notebook.until_done(1)
        start(notebook)
        notebook.page.until(f"{ELEMENT}.state === 'speaking'")
        played = notebook.page.evaluate(f"{ELEMENT}.stats.playedSeconds")
        notebook.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        until(lambda: all(session.ending for session in emulator.sessions))
        notebook.page.until(f"['reconnecting', 'failed', 'idle'].includes({ELEMENT}?.state ?? 'idle')")
        notebook.run(0, 1)
        notebook.page.until("jupyterapp.shell.currentWidget.content.widgets[1].model.executionCount === 2")
        notebook.page.until(f"{ELEMENT}?.state === 'idle'")
        start(notebook)
        assert notebook.page.evaluate(f"{ELEMENT}.transcript") == []
        assert notebook.page.evaluate(f"{ELEMENT}.stats.playedSeconds") < max(played, 1.0)
        until(lambda: [session.ending for session in emulator.sessions].count(None) == 2)


def test_a_closed_tab_ends_the_conversation(jupyter: Jupyter, browser: Browser, emulator: LiveEmulator) -> None:
    jupyter.write("closed.ipynb", OPENING.format(url=emulator.url), TALK)
    with opened(browser, jupyter, "closed.ipynb") as notebook:
        notebook.run(0, 1)
        notebook.until_done(1)
        start(notebook)
        until(lambda: len(emulator.sessions) == 2)
    until(lambda: emulator.sessions[1].ending)
    assert emulator.sessions[0].ending is None


def test_a_second_tab_is_told_that_the_widget_talks_in_the_first(
    jupyter: Jupyter, browser: Browser, emulator: LiveEmulator
) -> None:
    jupyter.write("tabs.ipynb", OPENING.format(url=emulator.url), TALK)
    with opened(browser, jupyter, "tabs.ipynb") as first:
        first.run(0, 1)
        first.until_done(1)
        start(first)
        first.command("docmanager:save")
        with opened(browser, jupyter, "tabs.ipynb") as second:
            second.page.until(f"{ELEMENT} !== null")
            assert second.page.evaluate(f"{ELEMENT}.start()") == "failed"
            assert "talks in another window" in second.page.evaluate(f"{ELEMENT}.shadowRoot.textContent")
        assert first.page.evaluate(f"{ELEMENT}.state") in ("listening", "hearing", "waiting", "speaking")
        until(lambda: len(emulator.sessions) == 2)


def test_a_notebook_that_is_saved_in_mid_sentence_and_opened_again_says_nothing(
    jupyter: Jupyter, browser: Browser, emulator: LiveEmulator
) -> None:
    file = jupyter.write("again.ipynb", OPENING.format(url=emulator.url), TALK)
    with opened(browser, jupyter, "again.ipynb") as notebook:
        notebook.run(0, 1)
        notebook.until_done(1)
        start(notebook)
        notebook.page.until(f"{ELEMENT}.state === 'speaking'")
        notebook.command("docmanager:save")
        until(lambda: "widget-view" in file.read_text())
    until(lambda: emulator.sessions[1].ending)
    with opened(browser, jupyter, "again.ipynb") as notebook:  # whose kernel is still there
        notebook.page.until(f"{ELEMENT}?.state === 'idle'")
        notebook.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    with opened(browser, jupyter, "again.ipynb") as notebook:  # with a new one
        notebook.page.until("document.querySelector('.jp-Cell-outputArea') !== null")
        assert notebook.page.evaluate(f"{ELEMENT} === null")
    assert len(emulator.sessions) == 2
    assert all(session.ending for session in emulator.sessions)


SLEEP_UNTIL_HEARD = """
import time
ends = time.monotonic() + 60
while not widget.transcript and time.monotonic() < ends:
    time.sleep(0.05)
print(widget.transcript[0].text[:7])
"""


def test_a_browser_on_another_machine_is_heard_while_a_cell_sleeps_through_jupyters_server(
    jupyter: Jupyter, browser: Browser, emulator: LiveEmulator
) -> None:
    pytest.importorskip("jupyter_server_proxy", reason="jupyter-server-proxy is in the extra test-all")
    jupyter.write("far.ipynb", OPENING.format(url=emulator.url), TALK, SLEEP_UNTIL_HEARD)
    with opened(browser, jupyter, "far.ipynb", remote=True) as notebook:
        notebook.run(0, 1)
        notebook.until_done(1)
        notebook.page.until(f"{ELEMENT} !== null")
        assert notebook.page.evaluate(f"{ELEMENT}.getAttribute('way')") == "proxy"
        notebook.run(2)
        start(notebook)
        notebook.until_done(2)
        assert notebook.outputs(2).strip() == "word 0"


NO_PROXY = """{
  const own = window.fetch;
  window.fetch = (url, ...rest) => own(`${url}`.replace("/proxy/", "/nothing/"), ...rest);
}"""


def test_where_only_jupyters_messages_reach_the_kernel_the_widget_talks_and_says_what_that_costs(
    jupyter: Jupyter, browser: Browser, emulator: LiveEmulator
) -> None:
    jupyter.write("comm.ipynb", OPENING.format(url=emulator.url), TALK, "print(widget.transcript[0].text[:7])")
    with opened(browser, jupyter, "comm.ipynb", remote=True) as notebook:
        notebook.page.evaluate(NO_PROXY)
        notebook.run(0, 1)
        notebook.until_done(1)
        notebook.page.until(f"{ELEMENT} !== null")
        assert notebook.page.evaluate(f"{ELEMENT}.getAttribute('way')") == "comm"
        assert "while a cell runs, the model does not hear you" in notebook.outputs(1)
        start(notebook)
        notebook.page.until(f"{ELEMENT}.state === 'speaking' && {ELEMENT}.stats.playedSeconds > 0.5")
        notebook.run(2)
        notebook.until_done(2)
        assert notebook.outputs(2).strip() == "word 0"
