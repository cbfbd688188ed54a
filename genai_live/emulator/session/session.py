"""What every WebSocket of the emulator has: decoding, checking, noting, sending, ending. Runs on the emulator's loop thread."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from genai_live import _json
from genai_live.emulator.server.encoding import Encoder
from genai_live.emulator.server.listener import Ending
from genai_live.emulator.server.received import ReceivedMessage
from genai_live.emulator.server.request import Credential, Route
from genai_live.emulator.server.validation import INVALID_ARGUMENT_CODE, Refused
from genai_live.emulator.session.server_state import ServerState
from genai_live.types._base import Message

if TYPE_CHECKING:
    from genai_live.emulator.server.connection import Connection

NOT_JSON = "Invalid JSON payload received. Expected a value."
HALF_A_CHARACTER = re.compile(rb"\\\\u[dD][89a-fA-F]")
"""Escapes of surrogates. Python's own JSON takes them one by one; protobuf's, like orjson, wants pairs."""

TOO_DEEP = "Invalid JSON payload received. Message too deep."

INTERNAL_ERROR_CODE, INTERNAL_ERROR = 1011, "Internal error encountered."
"""What the service closes with when it fails; here it is a defect of the emulator, which is logged."""

_log = logging.getLogger("genai_live.emulator")

STREAMED = frozenset({"audio", "video"})
"""Members of realtimeInput that come many times a second."""

SETUP_FIRST = "setup must be the first message and can only be sent once."


class SessionDriver(Protocol):
    """What decides over a session in place of its natural behaviour."""

    sends_setup_complete: bool
    """True when setupComplete is its affair."""
    replays: bool
    """True when it repeats a recording, whose setup is taken as it comes."""
    scripted: bool
    """True while it answers; False while the session behaves naturally."""

    def start(self) -> None:
        """The WebSocket stands."""

    def received(self, item: ReceivedMessage) -> None:
        """A client message came."""

    def happened(self, moment: str) -> None:
        """A moment came, such as the end of a turn."""

    def stop(self) -> None:
        """The session is being closed: nothing more is to be done."""

    def end(self) -> None:
        """The session is gone."""


class Session:
    """One WebSocket, from upgrade to end; what its messages mean is a subclass's business."""

    message_type: ClassVar[type[Message]]
    """The oneof that every client message is."""

    def __init__(self, server: ServerState, connection: Connection, route: Route, number: int) -> None:
        self.server = server
        self.connection = connection
        self.route = route
        self.number = number
        self.settings = server.settings
        self.encoder = Encoder(server.settings.pretty, "audio/pcm", model_role=False)
        self.driver: SessionDriver | None = None
        """The scenario that drives this session; None when it behaves naturally."""
        self.refusal: Refused | None = None
        """What was wrong at the handshake: setup is answered with it."""
        self.setup: dict[str, Any] | None = None
        """The setup object in camelCase, once it was accepted."""
        self.messages_since_setup = 0
        self.credential: Credential | None = None
        self.ending: Ending | None = None
        self.ended_at = 0.0
        """When the connection ended, on the monotonic clock."""
        self.ended_event = threading.Event()

    @property
    def state(self) -> str:
        """What the session is doing, in words."""
        return "setup due" if self.setup is None else "open"

    @property
    def alive(self) -> bool:
        """True while the connection stands."""
        return self.ending is None

    @property
    def replays(self) -> bool:
        """True while a recording is played: then what the server says of its own accord is in the recording."""
        return self.driver is not None and self.driver.replays

    # -- Listener -----------------------------------------------------------------------------------------------------

    def opened(self) -> None:
        """The WebSocket stands."""
        if self.driver is not None:
            self.driver.start()

    def receive(self, data: bytes, is_text: bool) -> None:
        """One client message."""
        try:
            kind, body = self._read(data)
            item = self._note(kind, body, data, is_text)
            self._judge(kind, body)
            if self.driver is not None:
                self.driver.received(item)
        except Refused as refused:
            self.close(refused.code, refused.reason)
        except RecursionError:
            self.close(INVALID_ARGUMENT_CODE, TOO_DEEP)
        except Exception:
            _log.exception("session %d: a client message of %d bytes could not be handled", self.number, len(data))
            self.close(INTERNAL_ERROR_CODE, INTERNAL_ERROR)

    def writable(self) -> None:
        """The client has caught up."""

    def ended(self, ending: Ending) -> None:
        """The connection is gone."""
        self.ending = ending
        self.ended_at = time.monotonic()
        if self.driver is not None:
            self.driver.end()
        self.ended_event.set()

    # -- messages in -----------------------------------------------------------------------------------------------

    def _read(self, data: bytes) -> tuple[str, Any]:
        """The kind and the content of a message.

        Raises:
            Refused: with the code and the reason that the client is to get.
        """
        try:
            message = _json.loads(data)
            if HALF_A_CHARACTER.search(data):
                json.dumps(message, ensure_ascii=False).encode()
        except ValueError:
            raise Refused(NOT_JSON) from None
        return self.server.validator(self.route).check_one_of(self.message_type, message)

    def _read_again(self, data: bytes) -> dict[str, Any]:
        kind, body = self._read(data)
        return {kind: body}

    def _note(self, kind: str, body: Any, data: bytes, is_text: bool) -> ReceivedMessage:
        named, later = kind, False
        if kind == "realtimeInput" and len(body) == 1:
            (member,) = body
            named, later = f"{kind}.{member}", member in STREAMED
        item = ReceivedMessage(named, {kind: body}, self.server.seconds(), self.number, len(data), is_text=is_text)
        if later:
            item.decode_later(data, self._read_again)
        self.server.received.add(item)
        return item

    def _judge(self, kind: str, body: Any) -> None:
        if (kind == "setup") is (self.setup is not None):
            raise Refused(SETUP_FIRST)
        if kind != "setup":
            self.messages_since_setup += 1
            self.take(kind, body)
            return
        if self.refusal is not None:
            raise self.refusal
        self.setup = self.begin(body)
        if self.driver is None or not self.driver.sends_setup_complete:
            self.complete_setup()

    def begin(self, setup: dict[str, Any]) -> dict[str, Any]:
        """Takes the setup, and returns it as it counts.

        Raises:
            Refused: with the code and the reason that the client is to get.
        """
        raise NotImplementedError

    def complete_setup(self) -> None:
        """Answers the setup."""
        raise NotImplementedError

    def take(self, kind: str, body: Any) -> None:
        """Takes any later message.

        Raises:
            Refused: with the code and the reason that the client is to get.
        """
        raise NotImplementedError

    # -- messages out ----------------------------------------------------------------------------------------------

    @property
    def congested(self) -> bool:
        """True while the client reads too slowly."""
        return self.connection.congested

    def send(self, message: dict[str, Any], is_text: bool | None = None) -> None:
        """Sends one message."""
        self.send_bytes(self.encoder.message(message), is_text)

    def send_bytes(self, data: bytes, is_text: bool | None = None) -> None:
        """Sends one encoded message, in a frame of the wanted type, or the type that all messages have."""
        self.connection.send(data, self.settings.text_frames if is_text is None else is_text)

    def close(self, code: int, reason: str) -> None:
        """Ends the session with a Close frame."""
        if self.driver is not None:
            self.driver.stop()
        self.connection.close(code, reason)
