"""Visitors whose workers end: each counts with the model, comes back when it is sent away, and notes what it heard and missed.

``CountingEmulator`` answers "17" with 0.6 s of samples that are all 17: the sound alone tells what was heard, and how often.
"""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.error
import urllib.request
from array import array
from collections.abc import Callable
from itertools import groupby
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.sync.client import connect

from genai_live.emulator import LiveEmulator
from genai_live.emulator.model.answers import Prompt
from genai_live.emulator.model.session_options import SessionOptions
from genai_live.emulator.model.speech import Answer, Model, Sound
from tests.voice_visitors import REPORT, Loudspeaker
from tests.waiting import PATIENCE

NUMBER = 14_400
"""Samples of one number: 0.6 s."""
PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, *[8.0] * 6)
"""Seconds before each attempt of a page whose socket was lost (reconnection.js)."""
ASKS_AGAIN = 1.0
"""Seconds after its return in which a page waits for the rest of an answer before it asks for it again."""


class Counting(Model):
    """Says the number that it is asked for, and notes who asked."""

    def __init__(self) -> None:
        super().__init__(iter(()))
        self.asked: dict[str, list[int]] = {}

    def _answer(self, prompt: Prompt, options: SessionOptions, called_before: bool) -> Answer:
        name, _, number = prompt.text.partition(" ")
        self.asked.setdefault(name, []).append(int(number))
        return Answer(None, number, sound=Sound(array("h", [int(number)] * NUMBER)))


class CountingEmulator(LiveEmulator):
    """The service, as it behaves at ends: a handle is refused while its old socket is open, and for a second after."""

    def __init__(self) -> None:
        super().__init__(voice=False)
        self.model = self._state.model = Counting()
        self._state.handles.settle = 1.0


class Traveller:
    """One page: asks for 1, 2, 3 ... and hears them, over as many sockets as it takes."""

    def __init__(self, name: str, urls: Callable[[], str]) -> None:
        self.name = name
        self.pauses: list[tuple[float, int, float]] = []
        """When a socket was lost, how it was closed, and the seconds until the conversation went on."""
        self.not_restored = 0
        self.heard = array("h")
        self.lost_answers: list[int] = []
        """Numbers that were asked for again, because their worker was killed in the middle."""
        self.failure: BaseException | None = None
        self._urls = urls
        self._stop = threading.Event()
        self._cookie = ""
        self._conversation: str | None = None
        self._received: dict[str, Any] = {}
        self._asked = 0
        self._socket_sound = self._flushes = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        """Numbers heard in full."""
        return len(self.heard) // NUMBER if not self.lost_answers else (self._complete())

    def _complete(self) -> int:
        return sum(size >= NUMBER for _, size in self.runs())

    def runs(self) -> list[tuple[int, int]]:
        """The numbers in the order in which they were heard, and the samples of each."""
        return [(number, len(list(group))) for number, group in groupby(self.heard)]

    def check(self) -> None:
        """No number is missing, none is heard twice; what was cut in the middle by a killed worker is said again, once."""
        if self.failure is not None:
            raise AssertionError(f"visitor {self.name} failed") from self.failure
        runs = self.runs()
        assert [number for number, _ in runs] == list(range(1, len(runs) + 1)), f"visitor {self.name}: {runs}"
        for number, size in runs[:-1]:
            most = NUMBER * (1 + self.lost_answers.count(number)) - (number in self.lost_answers)
            assert NUMBER <= size <= most, f"visitor {self.name} heard {size} samples of {number}, {self.lost_answers} were lost"

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            lost: tuple[float, int] | None = None
            attempt = 0
            while not self._stop.is_set():
                code, went_on = self._visit(lost)
                if self._stop.is_set():
                    return
                if went_on or lost is None:
                    lost, attempt = (time.monotonic(), code), 0
                if not (code == 1012 and attempt == 0):
                    self._stop.wait(PAUSES[attempt] * random.uniform(1.0, 1.3))
                attempt += 1
        except BaseException as error:
            self.failure = error

    def _visit(self, lost: tuple[float, int] | None) -> tuple[int, bool]:
        """One socket; returns how it was closed, and whether the conversation went on over it."""
        url, went_on = self._urls(), False
        loudspeaker = Loudspeaker()
        try:
            token = self._token(url)
            connection = connect(f"{url.replace('http', 'ws')}/voice/", compression=None, open_timeout=5.0)
        except (OSError, InvalidHandshake, InvalidMessage, urllib.error.URLError, EOFError):
            return 1006, False
        with connection:
            start = {"event": "start", "version": 1, "token": token, "conversation": self._conversation, **self._received}
            try:
                connection.send(json.dumps(start))
                asks_at: float | None = None
                while not self._stop.is_set():
                    if asks_at is not None and time.monotonic() >= asks_at:
                        asks_at = None
                        self._ask(connection)
                    try:
                        message = connection.recv(timeout=REPORT)
                    except TimeoutError:
                        played = loudspeaker.advance()
                        connection.send(json.dumps({"event": "played", "seconds": played, "flushes": loudspeaker.flushes}))
                        continue
                    if isinstance(message, bytes):
                        loudspeaker.play(len(message))
                        self.heard.frombytes(message)
                        self._received["received"] += len(message) / 48_000
                        continue
                    event = json.loads(message)
                    assert event["event"] != "refused" or event["reason"] in ("busy", "moving"), event
                    if event["event"] == "started":
                        self._conversation = event["conversation"]
                        self._received = {"received": 0.0, "flushes": 0}
                    elif event["event"] == "flush":
                        loudspeaker.flush()
                        self._received = {"received": 0.0, "flushes": loudspeaker.flushes}
                    elif event["event"] == "reconnected":
                        self.not_restored += not event["state_restored"]
                    elif event["event"] == "state_changed" and event["state"] == "listening" and not went_on:
                        went_on = True
                        if lost is not None:
                            self.pauses.append((lost[0], lost[1], time.monotonic() - lost[0]))
                        asks_at = time.monotonic() + (ASKS_AGAIN if lost is not None else 0.0)
                    elif event["event"] == "turn_ended":
                        asks_at = time.monotonic()
                connection.send('{"event": "stop"}')
            except (ConnectionClosed, OSError):
                pass
        return connection.close_code or 1006, went_on

    def _token(self, url: str) -> str:
        """As a browser fetches it, which keeps the cookie that says that it is the same visitor."""
        request = urllib.request.Request(f"{url}/voice/token", headers={"Cookie": self._cookie})
        with urllib.request.urlopen(request, timeout=5.0) as answer:
            self._cookie = (answer.headers["Set-Cookie"] or self._cookie).partition(";")[0]
            return str(json.load(answer)["token"])

    def _ask(self, connection: Any) -> None:
        complete = len(self.heard) > 0 and self.runs()[-1][1] >= NUMBER
        last = int(self.heard[-1]) if len(self.heard) else 0
        number = last + 1 if complete or not last else last
        if number == self._asked:
            self.lost_answers.append(number)
        self._asked = number
        connection.send(json.dumps({"event": "text", "text": f"{self.name} {number}"}))
