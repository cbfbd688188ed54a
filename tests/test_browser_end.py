"""A page as an end of sound: the promises of every end, over a socket that was taken from the web server, and one that blocks."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from genai_live._connection.reader import Reader
from genai_live.errors import ConfigError, DeviceError, EndFull
from genai_live.testing import check_sound_end
from genai_live.voice import Control, Mute, Press, Release, Text, Unmute
from genai_live.web import BrowserEnd
from genai_live.web.handover import upgrade
from tests.voice_visitors import Page, served
from tests.waiting import PATIENCE, until

QUIET = {"idle_timeout": None, "total_timeout": None}


def taken(environ: dict[str, Any], reader: Reader) -> Any:
    return upgrade(environ, reader).line


def blocking(environ: dict[str, Any], _: Reader) -> Any:
    import simple_websocket

    return simple_websocket.Server.accept(environ)


KINDS = pytest.mark.parametrize("kind", [taken, blocking])


@contextmanager
def visitors(kind: Callable[[dict[str, Any], Reader], Any]) -> Iterator[Callable[..., tuple[BrowserEnd, Page]]]:
    """A function that makes an end with a page at its other side."""
    ends: queue.SimpleQueue[BrowserEnd] = queue.SimpleQueue()
    settings: dict[str, Any] = {}
    over = threading.Event()
    reader = Reader(shared=True)
    pages: list[Page] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        ends.put(BrowserEnd(kind(environ, reader), **{**QUIET, **settings}))
        if kind is blocking:
            over.wait(PATIENCE)
        raise ConnectionAbortedError

    with served(app) as url:

        def come(**given: Any) -> tuple[BrowserEnd, Page]:
            settings.clear()
            settings.update(given)
            page = Page(url, "no token")
            pages.append(page)
            return ends.get(timeout=PATIENCE), page

        try:
            yield come
        finally:
            over.set()
            for page in pages:
                page.connection.close()


class Ears:
    """What a conversation would hear of an end."""

    def __init__(self, end: BrowserEnd) -> None:
        self.heard: list[bytes] = []
        self.controls: list[Control] = []
        self.ended: list[Exception | None] = []
        self.rates = end.open(self.heard.append, self.controls.append, self.ended.append)


@KINDS
def test_a_page_keeps_the_promises_of_every_end(kind: Callable[[dict[str, Any], Reader], Any]) -> None:
    with visitors(kind) as come:
        check_sound_end(lambda: come()[0], feeds=False)


@KINDS
def test_sound_and_what_the_visitor_does_come_in_their_order(kind: Callable[[dict[str, Any], Reader], Any]) -> None:
    with visitors(kind) as come:
        end, page = come()
        ears = Ears(end)
        assert (ears.rates.input, ears.rates.output) == (16_000, 24_000)
        assert page.comes("started")["turn_taking"] == "automatic"
        page.connection.send(b"\1\0" * 640)
        for event in ("press", "release", "mute", "unmute"):
            page.say(event)
        page.say("text", text="Hello")
        until(lambda: len(ears.controls) == 5)
        assert ears.heard == [b"\1\0" * 640]
        assert ears.controls == [Press(), Release(), Mute(), Unmute(), Text("Hello")]
        end.close(PATIENCE)
        assert page.close_code == 1000


@KINDS
def test_a_page_is_left_to_another_attempt_to_open_and_closed_when_one_that_is_open_has_ended(
    kind: Callable[[dict[str, Any], Reader], Any],
) -> None:
    with visitors(kind) as come:
        end, page = come()
        end.hold()
        Ears(end)
        end.close(0.0)  # of an attempt that failed
        Ears(end)
        end.play(bytes(480))
        end.close(PATIENCE)  # of the next one, which had succeeded and ended before anybody knew
        assert page.comes("started")
        assert not end.is_gone
        end.release()
        assert page.close_code == 1000


@KINDS
def test_a_page_that_stops_or_goes_ends_the_conversation_once(kind: Callable[[dict[str, Any], Reader], Any]) -> None:
    with visitors(kind) as come:
        ways: list[Callable[[Page], object]] = [
            lambda page: page.say("stop"),
            lambda page: page.connection.close(),
            lambda page: page.cut(),
        ]
        for go in ways:
            end, page = come()
            ears = Ears(end)
            page.comes("started")
            go(page)
            until(lambda: ears.ended)  # noqa: B023
            assert ears.ended == [None]
            end.close(PATIENCE)
            assert ears.ended == [None]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("{", "protocol"),
        ("[]", "protocol"),
        ('{"event": "dance"}', "protocol"),
        ('{"event": ["press"]}', "protocol"),
        ('{"event": "played", "seconds": "many"}', "protocol"),
        ('{"event": "played", "seconds": NaN}', "protocol"),
        ('{"event": "text", "text": ""}', "protocol"),
        ('{"event": "text", "text": "%s"}' % ("x" * 9_000), "protocol"),
        ('{"event": "start", "version": 1}', "protocol"),
        ("[" * 50_000, "protocol"),
        (b"odd", "protocol"),
    ],
)
@KINDS
def test_garbage_ends_a_visit_with_a_sentence(kind: Callable[[dict[str, Any], Reader], Any], message: Any, reason: str) -> None:
    with visitors(kind) as come:
        end, page = come()
        ears = Ears(end)
        page.connection.send(message)
        assert page.comes("refused")["reason"] == reason
        assert page.close_code == 1008
        until(lambda: ears.ended)


@KINDS
def test_a_flood_of_sound_ends_a_visit_before_much_of_it_was_heard(kind: Callable[[dict[str, Any], Reader], Any]) -> None:
    with visitors(kind) as come:
        end, page = come()
        ears = Ears(end)
        with pytest.raises(Exception):  # noqa: B017, PT011 # whichever call finds the socket closed
            for _ in range(10_000):
                page.connection.send(bytes(12_800))
        until(lambda: ears.ended)
        assert sum(map(len, ears.heard)) < 40 * 32_000


@KINDS
def test_a_page_that_sends_faster_than_anybody_speaks_is_told_so(kind: Callable[[dict[str, Any], Reader], Any]) -> None:
    with visitors(kind) as come:
        end, page = come()
        ears = Ears(end)
        for sent in range(1, 10_000):
            page.connection.send(bytes(12_800))
            # Each piece is heard before the next goes: a socket that closes over unread bytes loses its last words.
            until(lambda: len(ears.heard) == sent or ears.ended)  # noqa: B023
            if ears.ended:
                break
        assert page.comes("refused")["reason"] == "rate"
        assert page.close_code == 1008


@KINDS
def test_a_page_that_says_nothing_is_not_waited_for(kind: Callable[[dict[str, Any], Reader], Any]) -> None:
    with visitors(kind) as come:
        end, page = come(idle_timeout=0.3)
        ears = Ears(end)
        assert page.comes("refused")["reason"] == "idle"
        assert page.close_code == 1000
        until(lambda: ears.ended)


@KINDS
def test_the_longest_time_of_a_conversation_is_kept_however_much_is_said(kind: Callable[[dict[str, Any], Reader], Any]) -> None:
    with visitors(kind) as come:
        end, page = come(total_timeout=0.5, idle_timeout=60.0)
        Ears(end)
        page.say("press")
        assert page.comes("refused")["reason"] == "time"
        assert page.close_code == 1000


def test_a_page_that_has_gone_before_is_no_end_of_sound() -> None:
    with visitors(taken) as come:
        end, page = come()
        gone = threading.Event()
        end.on_gone = gone.set
        end.begin()
        page.connection.close()
        assert gone.wait(PATIENCE)
        with pytest.raises(DeviceError, match="gone before"):
            Ears(end)


def test_ten_minutes_fit_and_no_more() -> None:
    with visitors(taken) as come:
        end, _ = come()
        Ears(end)
        for _ in range(600):
            end.play(bytes(48_000))
        with pytest.raises(EndFull):
            end.play(bytes(48_000 * 120))


def test_what_is_no_websocket_is_refused_with_a_sentence() -> None:
    with pytest.raises(ConfigError, match=r"must be a WebSocket with receive\(\) and send\(\), not"):
        BrowserEnd(object())
