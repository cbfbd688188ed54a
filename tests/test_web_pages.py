"""The whole way in a real Chromium: a microphone that plays a WAV, the element, Flask or Django on real servers, the emulator."""

from __future__ import annotations

import signal
import wave
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browsers import Browser, Page, microphone
from tests.masters import kill, two_masters
from tests.processes import ROOT
from tests.redis_servers import redis_server
from tests.travellers import CountingEmulator
from tests.voice_visitors import DJANGO_SERVERS as DJANGO
from tests.voice_visitors import SERVERS as FLASK
from tests.voice_visitors import nobody_talks, visited
from tests.waiting import until

for package in ("django", "channels", "daphne"):
    pytest.importorskip(package, reason=f"the package {package} is in the extra test-all")

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


SERVERS = {
    **{name: FLASK[name] for name in ("gunicorn gthread", "gunicorn gevent", "werkzeug")},
    **{f"Django, {name}": DJANGO[name] for name in ("gunicorn gthread", "daphne")},
}


def asks_and_interrupts(page: Page) -> None:
    page.until("window.heard.some((sample) => sample !== 0)")
    page.until("window.told.some(([kind]) => kind === 'interrupted')")
    page.until(f"{ELEMENT}.transcript.filter(({{ speaker }}) => speaker === 'model').length > 1")
    assert "of speech" in page.evaluate(f"{ELEMENT}.transcript[0].text")
    assert page.evaluate("window.told.find(([kind]) => kind === 'interrupted')[1].exact") is True


def test_visitors_ask_hear_and_interrupt_and_a_worker_that_is_replaced_is_no_end(browser: Browser) -> None:
    with ExitStack() as stack:
        served = {name: stack.enter_context(visited(command)) for name, command in SERVERS.items()}
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


def test_a_page_goes_on_with_another_worker_when_its_own_was_killed(tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    with wave.open(str(silence), "wb") as writing:
        writing.setparams((1, 2, 16_000, 0, "NONE", ""))
        writing.writeframes(bytes(32_000))
    with ExitStack() as stack:
        emulator, browser = stack.enter_context(CountingEmulator()), stack.enter_context(Browser(*microphone(silence)))
        balancer = stack.enter_context(two_masters(emulator, stack.enter_context(redis_server())))
        server = balancer.servers[0]
        page = browser.page(server.url)
        page.until(f"{ELEMENT}.state === 'idle'")
        page.click("genai-live-voice .primary")
        page.until(f"{ELEMENT}.state === 'listening'")
        page.evaluate(f"{ELEMENT}.send('chromium 1')")
        page.until(f"{ELEMENT}.transcript.some(({{ speaker, final }}) => speaker === 'model' && final)")
        kill(server)
        page.until(f"{ELEMENT}.stats.reconnections === 1 && {ELEMENT}.state === 'listening'")
        page.evaluate(f"{ELEMENT}.send('chromium 2')")
        page.until(f"{ELEMENT}.transcript.filter(({{ speaker, final }}) => speaker === 'model' && final).length === 2")
        assert page.evaluate(f"{ELEMENT}.transcript.map(({{ text }}) => text)") == ["chromium 1", "1", "chromium 2", "2"]
        assert "may not remember" not in page.evaluate(f"{ELEMENT}.shadowRoot.textContent")
        page.close()
    assert emulator.model.asked == {"chromium": [1, 2]}
