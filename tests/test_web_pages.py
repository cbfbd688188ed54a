"""The whole way in a real Chromium: a microphone that plays a WAV, the element, Flask under a real web server, the emulator."""

from __future__ import annotations

import signal
import wave
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.browsers import Browser, Page, microphone
from tests.processes import ROOT
from tests.voice_visitors import SERVERS, nobody_talks, visited
from tests.waiting import until

ELEMENT = "document.querySelector('genai-live-voice')"
QUESTION = ROOT / "genai_live" / "cli" / "data" / "question.wav"
ANSWER_BEGINS = 2.2
"""Seconds after a question at which its answer is heard."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose visitor asks, and speaks over the answer."""
    file = tmp_path_factory.mktemp("sound") / "questions.wav"
    with wave.open(str(QUESTION)) as reading:
        parameters, question = reading.getparams(), reading.readframes(reading.getnframes())
    pause = bytes(2 * int(ANSWER_BEGINS * parameters.framerate))
    with wave.open(str(file), "wb") as writing:
        writing.setparams(parameters)
        writing.writeframes(question + pause + question + 4 * pause)
    with Browser(*microphone(file)) as browser:
        yield browser


def asks_and_interrupts(page: Page) -> None:
    page.until("window.heard.some((sample) => sample !== 0)")
    page.until("window.told.some(([kind]) => kind === 'interrupted')")
    page.until(f"{ELEMENT}.transcript.filter(({{ speaker }}) => speaker === 'model').length > 1")
    assert "of speech" in page.evaluate(f"{ELEMENT}.transcript[0].text")
    assert page.evaluate("window.told.find(([kind]) => kind === 'interrupted')[1].exact") is True


def test_visitors_ask_hear_and_interrupt_and_a_worker_that_is_replaced_is_no_end(browser: Browser) -> None:
    with ExitStack() as stack:
        names = ("gunicorn gthread", "gunicorn gevent", "werkzeug")
        served = {name: stack.enter_context(visited(SERVERS[name])) for name in names}
        pages = {name: browser.page(process.url) for name, (process, _) in served.items()}
        for page in pages.values():
            page.until(f"{ELEMENT}.state === 'idle'")
            page.click("genai-live-voice .primary")
        for page in pages.values():
            asks_and_interrupts(page)
        replaced = [name for name in served if "gunicorn" in name]
        for name in replaced:
            served[name][0].process.send_signal(signal.SIGHUP)
        for name in replaced:
            pages[name].until(f"{ELEMENT}.stats.reconnections === 1 && {ELEMENT}.state === 'listening'")
        for page in pages.values():
            page.evaluate(f"{ELEMENT}.stop()")
            assert page.evaluate("window.violations") == []
            page.close()
        until(lambda: all(nobody_talks(emulator) for _, emulator in served.values()))
