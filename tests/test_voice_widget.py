"""``VoiceWidget`` with a page that is spoken for by hand: no browser, no Jupyter, a real socket and the real emulator."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from genai_live import Client
from genai_live._extras import installing
from genai_live.emulator import LiveEmulator, Scenario, steps
from genai_live.errors import ConfigError
from genai_live.notebook import VoiceWidget
from genai_live.notebook.door import Door, PageSocket
from tests.voice_visitors import status_of
from tests.waiting import PATIENCE, until

pytest.importorskip("anywidget", reason="anywidget is in the extra test")

PAGE = "http://localhost:8888"
"""The origin of Jupyter's pages."""


class ByHand:
    """A page, by its socket."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.events: list[dict[str, Any]] = []
        self.seconds = 0.0
        """Of the model's sound."""

    def say(self, event: str, **fields: Any) -> None:
        self._socket.send(json.dumps({"event": event, **fields}))

    def speak(self, seconds: float) -> None:
        """A loud tone, then silence, as messages of a microphone."""
        tone = (b"\x00\x30" * 8 + b"\x00\xd0" * 8) * 40
        for _ in range(int(seconds / 0.04)):
            self._socket.send(tone)
            time.sleep(0.02)
        for _ in range(40):
            self._socket.send(bytes(1_280))
            time.sleep(0.01)

    def until(self, event: str, true: Callable[[dict[str, Any]], bool] = lambda event: True) -> dict[str, Any]:
        """Reads up to an event, and says that sound is heard as it comes."""
        while True:
            message = self._socket.recv(timeout=PATIENCE)
            if isinstance(message, bytes):
                self.seconds += len(message) / 48_000
                self.say("played", seconds=self.seconds, flushes=0)
                continue
            self.events.append(json.loads(message))
            if self.events[-1]["event"] == event and true(self.events[-1]):
                return self.events[-1]

    def closed_with(self) -> int:
        """Reads to the end, and returns the close code."""
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                message = self._socket.recv(timeout=PATIENCE)
                if isinstance(message, str):
                    self.events.append(json.loads(message))
        return closed.value.rcvd.code if closed.value.rcvd is not None else 1006


@contextmanager
def page(widget: VoiceWidget, token: str | None = None, origin: str | None = PAGE) -> Iterator[ByHand]:
    """A page that has begun to talk."""
    bundle = widget._page
    with connect(f"ws://127.0.0.1:{bundle.port}/", origin=origin, open_timeout=PATIENCE) as socket:
        by_hand = ByHand(socket)
        by_hand.say("start", version=1, token=bundle.token if token is None else token, conversation=None)
        yield by_hand


@pytest.fixture
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(voice=False, pace=0.0, hears=["one two three"]) as running:
        yield running


@pytest.fixture
def client(emulator: LiveEmulator) -> Client:
    return Client(api_key="k", http_options={"base_url": emulator.url})


@pytest.fixture
def widget(client: Client) -> Iterator[VoiceWidget]:
    made = VoiceWidget(client, model="emulator")
    yield made
    made.close()


def test_what_is_said_into_a_page_is_answered_and_kept(widget: VoiceWidget) -> None:
    with page(widget) as visitor:
        visitor.until("started")
        visitor.speak(1.0)
        visitor.until("turn_ended")
        assert widget.transcript[0].text == "one two three"
        assert widget.transcript[1].speaker == "model"
        assert len(widget.turns) == 1
        until(lambda: widget.recording.seconds > 1)
        assert widget.recording.channels == 2
        assert repr(widget) == "<VoiceWidget listening, 1 turn>"


def test_the_session_is_open_as_long_as_the_page_talks(widget: VoiceWidget, client: Client, emulator: LiveEmulator) -> None:
    assert client.sessions == ()
    with page(widget) as visitor:
        visitor.until("state_changed", lambda event: event["state"] == "listening")
        assert len(client.sessions) == 1
        visitor.say("stop")
        assert visitor.closed_with() == 1000
    emulator.sessions[0].wait_closed(PATIENCE)
    until(lambda: client.sessions == ())
    with page(widget) as visitor:
        visitor.until("state_changed", lambda event: event["state"] == "listening")
    emulator.sessions[1].wait_closed(PATIENCE)


def test_what_was_said_in_earlier_conversations_stays(widget: VoiceWidget) -> None:
    for count in (1, 2):
        with page(widget) as visitor:
            visitor.until("started")
            visitor.say("text", text="Hello")
            visitor.until("turn_ended")
            visitor.say("stop")
            visitor.closed_with()
        assert [said.speaker for said in widget.transcript] == ["user", "model"] * count
        assert len(widget.turns) == count


def test_a_widget_over_an_open_session_leaves_it_open(client: Client) -> None:
    config = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}}
    with client.live.connect(model="emulator", config=config) as session:
        widget = VoiceWidget(session)
        with page(widget) as visitor:
            visitor.until("started")
            visitor.say("text", text="Hello")
            visitor.until("turn_ended")
        widget.close()
        until(lambda: not [each for each in threading.enumerate() if each.name == "genai-live-voice"])
        assert session.ask("And now?", timeout=PATIENCE).transcripts.output == "You said: And now?"


def test_a_second_page_is_told_that_the_first_one_talks(widget: VoiceWidget) -> None:
    with page(widget) as first, page(widget) as second:
        first.until("started")
        assert second.until("refused")["reason"] == "elsewhere"
        assert second.closed_with() == 1008
        first.say("text", text="Hello")
        first.until("turn_ended")


@pytest.mark.parametrize("token", ["", "wrong", "ü", "half \ud83d"])
def test_a_page_without_the_widgets_token_is_refused(widget: VoiceWidget, token: str) -> None:
    with page(widget, token) as visitor:
        assert "Run its cell again" in visitor.until("refused")["sentence"]
        assert visitor.closed_with() == 1008
    assert widget.conversation is None


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost.evil.example", "http://[", "file://"])
def test_a_page_of_the_web_gets_no_socket(widget: VoiceWidget, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused, page(widget, origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_a_page_that_came_through_jupyters_own_server_is_welcome(widget: VoiceWidget) -> None:
    address = f"ws://127.0.0.1:{widget._page.port}/"
    headers = {"X-Forwarded-Host": "hub.example"}
    with connect(address, origin="https://hub.example", additional_headers=headers):
        pass


def test_the_server_says_whose_it_is_to_jupyters_pages_alone(widget: VoiceWidget) -> None:
    address = f"http://127.0.0.1:{widget._page.port}/hello"
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Origin": PAGE}), timeout=PATIENCE) as answer:
        assert json.load(answer) == {"widget": widget._page.name}
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert status_of(address, Origin="http://evil.example") == 403
    assert status_of(address.replace("hello", "other"), Origin=PAGE) == 404


def test_what_a_page_said_last_is_received_however_late_it_is_read() -> None:
    gone = threading.Event()
    heard: queue.SimpleQueue[object] = queue.SimpleQueue()

    def attend(page: PageSocket) -> None:
        gone.wait(PATIENCE)
        heard.put([page.receive(), page.receive(), page.receive()])

    door = Door("a widget", attend)
    try:
        with connect(f"ws://127.0.0.1:{door.port}/") as page:
            page.send("so long")
            page.send(b"sound")
        gone.set()
        assert heard.get(timeout=PATIENCE) == ["so long", b"sound", None]
    finally:
        door.close()


def test_a_page_is_told_why_there_is_no_conversation() -> None:
    client = Client(api_key="k", http_options={"base_url": "http://127.0.0.1:1"})
    widget = VoiceWidget(client, model="emulator")
    with page(widget) as visitor:
        assert "Connection refused" in visitor.until("refused")["sentence"]
        assert visitor.closed_with() == 1008
    with page(widget) as visitor:
        assert visitor.until("refused")["reason"] == "notebook"
    widget.close()


def test_closing_ends_the_conversation_and_leaves_nothing_open(widget: VoiceWidget, client: Client) -> None:
    with page(widget) as visitor:
        visitor.until("state_changed", lambda event: event["state"] == "listening")
        port = widget._page.port
        widget.close()
        widget.close()
        assert visitor.closed_with() == 1008
    assert client.sessions == ()
    until(lambda: not [each for each in threading.enumerate() if "notebook" in each.name or each.name == "genai-live-page"])
    with pytest.raises(ConnectionRefusedError):
        connect(f"ws://127.0.0.1:{port}/").close()
    assert repr(widget) == "<VoiceWidget closed, 0 turns>"
    assert widget._repr_mimebundle_() == {"text/plain": repr(widget)}


def test_a_session_that_the_service_ends_ends_the_pages_conversation() -> None:
    scenario = Scenario(steps.Expect("prompt"), steps.Close(1011, "internal"))
    with LiveEmulator(voice=False, scenario=scenario) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        config = {"response_modalities": ["AUDIO"]}
        with client.live.connect(model="emulator", config=config) as session:
            widget = VoiceWidget(session)
            with page(widget) as visitor:
                visitor.until("started")
                visitor.say("text", text="Hello")
                visitor.closed_with()
            assert widget.conversation is not None
            ended = widget.conversation.wait(PATIENCE)
            assert ended.close_info is not None
            assert ended.close_info.code == 1011
            widget.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "is missing"),
        ({"model": "m", "turn_taking": "later"}, "must be 'automatic' or 'push_to_talk'"),
        ({"model": "m", "config": {"response_modalities": ["TEXT"]}}, "must be \\['AUDIO'\\]"),
    ],
)
def test_what_is_wrong_is_said_where_the_widget_is_made(client: Client, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        VoiceWidget(client, **arguments)


def test_only_a_client_or_a_session_talks() -> None:
    with pytest.raises(ConfigError, match="must be a Client or an open Session, not 3"):
        VoiceWidget(3)  # type: ignore[arg-type]


def test_a_session_that_has_ended_does_not_talk(client: Client) -> None:
    session = client.live.connect(model="emulator", config={"response_modalities": ["AUDIO"]})
    session.close()
    with pytest.raises(ConfigError, match="not one that has ended: connect again"):
        VoiceWidget(session)


def test_a_session_brings_its_own_model(client: Client) -> None:
    session = client.live.connect(model="emulator", config={"response_modalities": ["AUDIO"]})
    with session, pytest.raises(ConfigError, match="goes with a client"):
        VoiceWidget(session, model="emulator")


def test_a_page_that_reaches_only_jupyters_messages_talks_through_them(
    widget: VoiceWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    monkeypatch.setattr(widget._page, "send", lambda content, buffers: sent.append((content, buffers)))

    def say(**message: Any) -> None:
        widget._page._hear(None, {"socket": 7, **message}, message.pop("buffers", []))

    def heard(event: str) -> list[Any]:
        return [content for content, _ in list(sent) if f'"event": "{event}"' in content.get("text", "")]

    say(open=True)
    say(text=json.dumps({"event": "start", "version": 1, "token": widget._page.token, "conversation": None}))
    until(lambda: heard("started"))
    say(text=json.dumps({"event": "text", "text": "Hello"}))
    until(lambda: any(buffers for _, buffers in list(sent)))
    say(close=1000)
    until(lambda: widget.conversation is not None and str(widget.conversation.state) == "ended")


def test_without_its_extra_the_widget_names_it() -> None:
    script = (
        "import sys; sys.modules['anywidget'] = None\n"
        "from genai_live import Client; from genai_live.errors import ConfigError\n"
        "from genai_live.notebook import VoiceWidget\n"
        "try: VoiceWidget(Client(api_key='k'), model='m')\n"
        "except ConfigError as error: print(error)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert installing("notebook") in answer.stdout
