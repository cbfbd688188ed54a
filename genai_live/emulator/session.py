"""What every WebSocket of the emulator has: decoding, checking, noting, sending, ending. Runs on the emulator's loop thread."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar

from .. import _json
from ..types._base import Message
from .door import Ending
from .encoding import Encoder
from .received import ReceivedMessage
from .request import Credential, Route
from .validation import INVALID_ARGUMENT_CODE, Refused

if TYPE_CHECKING:
    from .connection import Connection
    from .house import House
    from .player import Player

NOT_JSON = "Invalid JSON payload received. Expected a value."
TOO_DEEP = "Invalid JSON payload received. Message too deep."

INTERNAL_ERROR_CODE, INTERNAL_ERROR = 1011, "Internal error encountered."
"""What the service closes with when it fails; here it is a defect of the emulator, which is logged."""

_log = logging.getLogger("genai_live.emulator")

STREAMED = frozenset({"audio", "video"})
"""Members of realtimeInput that come many times a second."""

SETUP_FIRST = "setup must be the first message and can only be sent once."


class Session:
    """One WebSocket, from upgrade to end; what its messages mean is a subclass's business."""

    message_type: ClassVar[type[Message]]
    """The oneof that every client message is."""

    def __init__(self, house: House, connection: Connection, route: Route, number: int) -> None:
        self.house = house
        self.connection = connection
        self.route = route
        self.number = number
        self.settings = house.settings
        self.encoder = Encoder(house.settings.pretty, "audio/pcm", model_role=False)
        self.player: Player | None = None
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

    # -- Inbox -----------------------------------------------------------------------------------------------------

    def opened(self) -> None:
        """The WebSocket stands."""
        if self.player is not None:
            self.player.start()

    def receive(self, data: bytes, is_text: bool) -> None:
        """One client message."""
        try:
            kind, body = self._read(data)
            item = self._note(kind, body, data, is_text)
            self._judge(kind, body)
            if self.player is not None:
                self.player.heard(item)
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
        if self.player is not None:
            self.player.happened("close")
            self.player.stop()
        self.house.note_progress()
        self.ended_event.set()

    # -- messages in -----------------------------------------------------------------------------------------------

    def _read(self, data: bytes) -> tuple[str, Any]:
        """The kind and the content of a message; raises Refused."""
        try:
            message = _json.loads(data)
        except ValueError:
            raise Refused(NOT_JSON) from None
        return self.house.validator(self.route.backend).check_one_of(self.message_type, message)

    def _read_again(self, data: bytes) -> dict[str, Any]:
        kind, body = self._read(data)
        return {kind: body}

    def _note(self, kind: str, body: Any, data: bytes, is_text: bool) -> ReceivedMessage:
        named, later = kind, False
        if kind == "realtimeInput" and len(body) == 1:
            (member,) = body
            named, later = f"{kind}.{member}", member in STREAMED
        item = ReceivedMessage(named, {kind: body}, self.house.seconds(), self.number, len(data), is_text=is_text)
        if later:
            item.decode_later(data, self._read_again)
        self.house.received.add(item)
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
        if self.player is None or not self.player.sends_setup_complete:
            self.complete_setup()

    def begin(self, setup: dict[str, Any]) -> dict[str, Any]:
        """Takes the setup, and returns it as it counts; raises Refused."""
        raise NotImplementedError

    def complete_setup(self) -> None:
        """Answers the setup."""
        raise NotImplementedError

    def take(self, kind: str, body: Any) -> None:
        """Takes any later message; raises Refused."""
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
        if self.player is not None:
            self.player.stop()
        self.connection.close(code, reason)
