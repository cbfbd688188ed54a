"""Real browsers, driven one request at a time: Chromium with a fake microphone, Firefox with a sound card without hardware.

``tests/js/browser.mjs`` and ``tests/js/firefox.mjs`` are the other ends. A missing browser is a skip, and a failure with
GENAI_LIVE_TEST_BROWSER=required (tests/needs.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.node_programs import FOLDER, node_with_packages
from tests.sound_server import SoundServer
from tests.waiting import PATIENCE, until

OTHER_NAMES = ("chromium-browser", "google-chrome", "chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
FAKE_DEVICES = "--use-fake-device-for-media-stream"


def microphone(wav: Path) -> tuple[str, ...]:
    """Options for a microphone that every page may use, and that plays ``wav`` once from when it is opened."""
    return FAKE_DEVICES, "--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={wav}%noloop"


def program(*names: str) -> str:
    """The first of the programs that is there."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"the browser {names[0]} is not installed")
    return found


class Browser:
    """A browser, until ``close`` or the end of its block; usable from one thread."""

    def __init__(self, *options: str, **environment: str) -> None:
        self._begin("browser.mjs", {"executable": program("chromium", *OTHER_NAMES), "args": [*QUIET, *options]}, environment)

    def _begin(self, script: str, settings: dict[str, Any], environment: dict[str, str]) -> None:
        command = [node_with_packages(), str(FOLDER / script), json.dumps(settings)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        self._pages = 0
        self.version = self._answer()

    def page(self, url: str, **options: Any) -> Page:
        """A page in a profile of its own; options are those of playwright's ``newContext``."""
        self._pages += 1
        page = Page(self, self._pages)
        page.ask("open", url=url, patience=PATIENCE * 1000, **options)
        return page

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline() or '{"error": "the browser did not start, or is gone"}')
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()


class Firefox(Browser):
    """Debian's Firefox, whose pages may use every microphone; ``preferences`` are those of about:config."""

    def __init__(self, preferences: dict[str, Any], **environment: str) -> None:
        settings = {
            "executable": program("firefox-esr", "firefox"),
            "args": [],
            "preferences": {"media.navigator.permission.disabled": True, **preferences},
        }
        self._begin("firefox.mjs", settings, environment)


@contextmanager
def pulse_of(card: SoundServer) -> Iterator[str]:
    """The way of Firefox to a sound card without hardware, as a PULSE_SERVER."""
    if shutil.which("pipewire-pulse") is None:
        pytest.skip("the way of the browser firefox-esr to sound, pipewire-pulse, is not installed")
    socket = Path(card.variables["XDG_RUNTIME_DIR"], "pulse", "native")
    process = subprocess.Popen(["pipewire-pulse"], env=card.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(socket.exists)
        yield f"unix:{socket}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


class Page:
    """One page of a browser."""

    def __init__(self, browser: Browser, number: int) -> None:
        self._browser = browser
        self._number = number

    def ask(self, act: str, **details: Any) -> Any:
        return self._browser.ask(act=act, page=self._number, **details)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        return self.ask("evaluate", expression=expression)

    def until(self, expression: str) -> Any:
        """Waits until an expression is true, and returns its value."""
        return self.ask("until", expression=expression, patience=PATIENCE * 1000)

    def click(self, selector: str) -> None:
        self.ask("click", selector=selector)

    def mouse(self, how: str, selector: str) -> None:
        """``how`` is down or up."""
        self.ask("mouse", how=how, selector=selector)

    def key(self, how: str, key: str) -> None:
        """``how`` is down, up or press."""
        self.ask(how, key=key)

    def screenshot(self, path: Path, selector: str = "body") -> None:
        self.ask("screenshot", path=str(path), selector=selector)

    def said(self) -> list[str]:
        """Errors on the page's console."""
        said: list[str] = self.ask("said")
        return said

    def close(self) -> None:
        self.ask("close")
