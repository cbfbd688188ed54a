"""The handle that tests and programs hold on one emulated session. Any thread may call it; the work is done on the emulator's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from genai_live import _json
from genai_live._deadline import Deadline
from genai_live.emulator.script.step_forms import check_code
from genai_live.emulator.server.listener import Ending
from genai_live.emulator.server.received import Received, ReceivedMessage, Wanted
from genai_live.emulator.session.live_session import LiveSession
from genai_live.emulator.session.session import Session


class SessionControl:
    """One session as the server has it: look at it, say things through it, break it.

    Every method returns after the emulator's thread has done its part; what was sent is then in the socket's buffer.
    """

    def __init__(self, session: Session, do: Callable[[Callable[[], Any]], Any]) -> None:
        self._session = session
        self._do = do

    @property
    def number(self) -> int:
        """Which session of the emulator it is, counted from 1."""
        return self._session.number

    @property
    def setup(self) -> dict[str, Any] | None:
        """The setup object in camelCase; None before it came."""
        return self._session.setup

    @property
    def state(self) -> str:
        """What its turn is doing: ``setup due``, ``idle``, ``generating``, ``tool pending``, ``playing`` or ``ended``."""
        return self._session.state

    @property
    def ending(self) -> Ending | None:
        """How the connection ended; None while it stands."""
        return self._session.ending

    @property
    def received(self) -> list[ReceivedMessage]:
        """The messages of this session seen so far."""
        return [item for item in self._all_received if item.session == self.number]

    @property
    def _all_received(self) -> Received:
        return self._session.server.received

    def wait_for(self, wanted: Wanted, timeout: float | None = 10.0) -> ReceivedMessage:
        """The first message of this session of a kind, or that a predicate accepts. Blocks the caller.

        Raises:
            TimeoutError: it did not come within ``timeout`` seconds.
        """
        matches = wanted if callable(wanted) else None

        def mine(item: ReceivedMessage) -> bool:
            if item.session != self.number:
                return False
            return matches(item) if matches else item.kind == wanted or item.kind.startswith(f"{wanted}.")

        return self._all_received.wait_for(mine, timeout)

    def wait_closed(self, timeout: float | None = 10.0) -> Ending:
        """Waits until the connection is gone. Blocks the caller.

        Raises:
            TimeoutError: it did not come within ``timeout`` seconds.
        """
        if not Deadline(timeout).wait(self._session.ended_event):
            raise TimeoutError(f"the client did not close session {self.number} within {timeout} s")
        assert self._session.ending is not None
        return self._session.ending

    def send_message(self, message: dict[str, Any]) -> None:
        """Sends any server message, in the session's frame type and layout."""
        self._do(lambda: self._session.send(message))

    def send_raw(self, data: bytes | str, text: bool | None = None) -> None:
        """Sends any bytes as one WebSocket message: garbage too. ``text`` chooses the frame type; a str goes as text."""
        raw = data.encode() if isinstance(data, str) else data
        is_text = isinstance(data, str) if text is None else text
        self._do(lambda: self._session.connection.send(raw, is_text))

    def send_fragments(self, message: dict[str, Any] | bytes, size: int = 100, text: bool = False) -> None:
        """Sends one message in WebSocket frames of ``size`` bytes."""
        data = message if isinstance(message, bytes) else _json.dumps(message)
        self._do(lambda: self._session.connection.send_fragments(data, text, size))

    def write_bytes(self, data: bytes) -> None:
        """Puts bytes on the TCP connection as they are: frames that no library would make."""
        self._do(lambda: self._session.connection.write_bytes(data))

    def trickle(self, on: bool = True) -> None:
        """Sends everything from now on one byte at a time, each byte in a write of its own."""
        self._do(lambda: self._session.connection.trickle(on))

    def ping(self, data: bytes = b"") -> None:
        """Sends a Ping frame."""
        self._do(lambda: self._session.connection.ping(data))

    def stop_reading(self) -> None:
        """Reads nothing more from the client: its sends block when the buffers are full."""
        self._do(self._session.connection.stop_reading)

    def resume_reading(self) -> None:
        """Reads again."""
        self._do(self._session.connection.resume_reading)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Sends a Close frame; the reason is cut to 123 bytes.

        Raises:
            ConfigError: for a code that cannot be sent.
        """
        check_code(code)
        self._do(lambda: self._session.close(code, reason))

    def abort(self) -> None:
        """Cuts the TCP connection without a Close frame."""
        self._do(self._session.connection.abort)

    def interrupt(self) -> None:
        """Behaves as if the user had spoken over the answer: interrupted, turnComplete."""
        session = self._session
        if isinstance(session, LiveSession) and session.conversation is not None:
            self._do(session.conversation.cut_in)

    def go_away(self, time_left: float = 50.0) -> None:
        """Sends goAway; the session is not closed by it."""
        self.send_message({"goAway": {"timeLeft": f"{time_left:g}s"}})

    def resumption_update(self) -> str:
        """Sends a sessionResumptionUpdate with a new handle, which is returned."""
        session = self._session
        if not isinstance(session, LiveSession) or session.setup is None:
            raise LookupError("only a Live session that is set up has a handle")

        def send() -> str:
            update = session.resumption_update()
            session.send({"sessionResumptionUpdate": update})
            return str(update["newHandle"])

        return str(self._do(send))

    def __repr__(self) -> str:
        return f"<emulated session {self.number}: {self.state}>"
