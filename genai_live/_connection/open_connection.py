"""What a session asks of its connection, whether that is one, or several in a row. Declarations, and the counters it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from genai_live._base64_text import Payload
from genai_live._connection.protocol import BidiProtocol, Sent
from genai_live.types._server_messages import ServerMessage

if TYPE_CHECKING:
    from genai_live._connection.delivery import Delivery
    from genai_live._connection.dispatch import Dispatcher
    from genai_live._connection.inbox import Inbox
    from genai_live._connection.timetable import Pacing
    from genai_live._deadline import Deadline
    from genai_live._network.transport import Transport
    from genai_live.errors import CloseInfo, SessionClosed


class Counters(NamedTuple):
    """What went over the wire."""

    messages_written: int = 0
    bytes_written: int = 0
    bytes_read: int = 0

    def plus(self, other: Counters) -> Counters:
        """The sums."""
        return Counters(*map(sum, zip(self, other, strict=True)))


class OpenConnection(Protocol[ServerMessage]):
    """``Connection``, or ``ContinuingConnection``: their docstrings say what each member does."""

    @property
    def protocol(self) -> BidiProtocol[ServerMessage]: ...
    @property
    def delivery(self) -> Delivery[ServerMessage]: ...
    @property
    def dispatcher(self) -> Dispatcher: ...
    @property
    def inbox(self) -> Inbox[ServerMessage]: ...
    @property
    def pacing(self) -> Pacing | None: ...
    @property
    def transport(self) -> Transport | None: ...
    @property
    def counters(self) -> Counters: ...
    @property
    def dropped(self) -> int: ...
    @property
    def is_reader_thread(self) -> bool: ...
    @property
    def forked(self) -> bool: ...
    @property
    def close_info(self) -> CloseInfo | None: ...
    def open(self, deadline: Deadline) -> None: ...
    def tell_end(self) -> None: ...
    def end_error(self) -> SessionClosed: ...
    def check_usable(self) -> None: ...
    def send(
        self, payload: Payload, kind: Sent = Sent.NOTHING, *, wait: bool = True, deadline: Deadline | None = None
    ) -> None: ...
    def close(self, deadline: Deadline) -> None: ...
    def abort(self, reason: str = ...) -> None: ...
