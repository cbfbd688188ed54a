"""A protocol without socket, thread or clock: states, turns, tool calls, resumption, usage. The reader feeds it; senders note
in it.

``BidiProtocol`` is what every streaming method has; ``LiveProtocol`` and ``MusicProtocol`` are the methods. One instance
follows one connection from the upgrade to its end. What the reader writes and what senders write are different attributes, or
single operations on a dict, so no lock is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Generic

from genai_live import _sound_messages
from genai_live._backends import LIVE_METHOD, MUSIC_METHOD
from genai_live.errors import CloseInfo, DecodeError, Phase, SentBy
from genai_live.reconnection import Reconnected, Reconnecting
from genai_live.types import (
    FunctionCall,
    InteractionStatus,
    LiveMusicPlaybackControl,
    LiveMusicServerMessage,
    LiveMusicServerSetupComplete,
    LiveServerMessage,
    LiveServerSetupComplete,
    ModalityTokenCount,
    UsageMetadata,
)
from genai_live.types._server_messages import ServerMessage


class State(Enum):
    """Where a connection stands."""

    OPENING = "opening"
    SETUP = "setup"
    OPEN = "open"
    FINISHING = "finishing"
    CLOSING = "closing"
    CLOSED = "closed"


class Event(Enum):
    """What moves a connection to its next state."""

    UPGRADED = "upgraded"
    SETUP_COMPLETE = "setupComplete"
    FINISH_ASKED = "finish() called"
    CLOSE_ASKED = "close() called"
    REPLACED = "another connection follows"
    ENDED = "ended"


_S, _E = State, Event

TRANSITIONS: dict[tuple[State, Event], State] = {
    (_S.OPENING, _E.UPGRADED): _S.SETUP,
    (_S.SETUP, _E.SETUP_COMPLETE): _S.OPEN,
    (_S.OPEN, _E.FINISH_ASKED): _S.FINISHING,
    (_S.OPENING, _E.CLOSE_ASKED): _S.CLOSING,
    (_S.SETUP, _E.CLOSE_ASKED): _S.CLOSING,
    (_S.OPEN, _E.CLOSE_ASKED): _S.CLOSING,
    (_S.FINISHING, _E.CLOSE_ASKED): _S.CLOSING,
    **{(state, _E.REPLACED): _S.OPENING for state in State if state is not _S.CLOSED},
    **{(state, _E.ENDED): _S.CLOSED for state in State},
}
"""Every allowed move; anything else leaves the state as it is (a second close, a second setupComplete)."""


class Sent(Enum):
    """What a client message asks of the model, for keeping track of turns."""

    NOTHING = "nothing"
    AUDIO = "audio"
    VIDEO = "video"
    ANSWER = "answer"
    ACTIVITY_START = "activityStart"


_AUDIO = Sent.AUDIO
"""What is sent most; a member of an Enum, asked of its class, takes 0.07 µs."""

@dataclass(frozen=True)
class Resumption:
    """What is needed to go on after this connection: pass ``handle`` to ``connect(resume=...)``."""

    handle: str | None = None
    """The newest handle that may be used; None until the server sent one."""
    resumable: bool = False
    """What the newest update said; False while the model generates or waits for a tool."""
    last_consumed_client_message_index: int | None = None
    """Index of the last client message that the handle's state includes (from 1); only with ``transparent`` resumption."""


def ends_turn(message: LiveServerMessage) -> bool:
    """True for the last message of a model's turn.

    ``interactionStatus`` decides where it is given: only IDLE ends a turn, even beside ``turnComplete``. Otherwise
    ``turnComplete`` does.
    """
    status = message.interaction_status
    if status is not None and status != InteractionStatus.INTERACTION_STATUS_UNSPECIFIED:
        return status == InteractionStatus.IDLE
    content = message.server_content
    return content is not None and content.turn_complete is True


class BidiProtocol(Generic[ServerMessage]):
    """What one connection knows of itself, whatever its method: its state, and how to read a message."""

    method: ClassVar[str]
    """The method's name in the URL."""
    message_type: type[ServerMessage]
    """What the server sends."""
    going_away = False
    """True once the server has said that it will end the connection."""
    time_left: float | None = None
    """Seconds that it gave then; None where it said nothing."""

    def __init__(self) -> None:
        self.state = State.OPENING
        self.turn_open = False
        """True while an answer is due or under way."""

    def move(self, event: Event) -> None:
        """Goes where the table says."""
        self.state = TRANSITIONS.get((self.state, event), self.state)

    @property
    def phase(self) -> Phase:
        """What the connection is doing, for the record of an end."""
        if self.state in (State.CLOSING, State.CLOSED, State.FINISHING):
            return Phase.CLOSING
        if self.state is not State.OPEN:
            return Phase.SETUP
        return Phase.TURN if self.turn_open else Phase.IDLE

    @property
    def answer_due(self) -> bool:
        """True when an end now would lose something."""
        return self.turn_open

    @property
    def handle(self) -> str | None:
        """The newest handle that another connection may go on from; None where there is none."""
        return None

    def lose_turn(self) -> tuple[bool, bool]:
        """The connection is gone: whether an activity of the user was cut off by that, and whether an answer was."""
        return False, False

    def replace(self) -> None:
        """Another connection follows."""
        self.going_away, self.time_left = False, None
        self.move(Event.REPLACED)

    def close_info(self, code: int, reason: str, sent_by: SentBy) -> CloseInfo:
        """The record of an end that happens now."""
        return CloseInfo(code, reason, sent_by, self.phase, self.answer_due)

    def announcement(self, event: Reconnecting | Reconnected) -> ServerMessage:
        """The message of this library's own that reports a change of connections, for methods whose sessions outlive one."""
        raise NotImplementedError

    # Messages in: the reader thread.

    def receive(self, payload: bytes | bytearray) -> ServerMessage:
        """Decodes one message and notes what it says."""
        try:
            message = _sound_messages.read(self.message_type, payload)
            self._note(message)
        except Exception as error:  # whatever a message may say, it costs this one message and not the session
            return self._undecodable(payload, error)
        return message

    def decode(self, payload: bytes | bytearray) -> ServerMessage:
        """The message of a payload; one that cannot be understood has ``decode_error`` set. Any thread."""
        try:
            return _sound_messages.read(self.message_type, payload)
        except Exception as error:  # whatever a message may do to the decoder: likewise
            return self._undecodable(payload, error)

    def _undecodable(self, payload: bytes | bytearray, error: Exception) -> ServerMessage:
        message = self.message_type()
        message.decode_error = DecodeError(str(error) or type(error).__name__, len(payload))
        return message

    def _note(self, message: ServerMessage) -> None:
        """Takes note of what the message says."""
        raise NotImplementedError

    # Messages out: whatever thread sends. Called before the bytes go out, so that an answer cannot overtake the note.

    def note_sent(self, kind: Sent) -> None:
        """Notes what a client message asks for."""


class LiveProtocol(BidiProtocol[LiveServerMessage]):
    """A conversation: turns, tool calls, resumption, usage."""

    method = LIVE_METHOD
    message_type = LiveServerMessage

    def __init__(self) -> None:
        super().__init__()
        self.setup_complete: LiveServerSetupComplete | None = None
        self.resumption = Resumption()
        self.usage: UsageMetadata | None = None
        """Sum of the usage reports."""
        self.pending_tool_calls: dict[str, FunctionCall] = {}
        """Calls of the model that were neither answered nor cancelled, by id (by name where the backend gives no id)."""
        self.audio_since_turn = False
        """True when audio was sent that no turn has answered yet."""
        self.activity_open = False
        """True between activityStart and activityEnd."""

    @property
    def phase(self) -> Phase:
        """What the connection is doing, for the record of an end."""
        return Phase.TOOL if self.pending_tool_calls and self.state is State.OPEN else super().phase

    @property
    def answer_due(self) -> bool:
        """True when an end now would lose something."""
        return self.turn_open or bool(self.pending_tool_calls)

    def _note(self, message: LiveServerMessage) -> None:
        content = message.server_content
        # Not inputTranscription: it was seen after the turnComplete of an interrupted turn.
        if content is not None and (content.model_turn is not None or content.output_transcription is not None):
            self.turn_open, self.audio_since_turn = True, False
        if message.usage_metadata is not None:
            self.usage = added(self.usage, message.usage_metadata)
        if message.setup_complete is not None and self.state is State.SETUP:
            self.setup_complete = message.setup_complete
            self.move(Event.SETUP_COMPLETE)
        if message.tool_call is not None:
            self.turn_open = True
            for call in message.tool_call.function_calls or ():
                self.pending_tool_calls[call.id or call.name or ""] = call
        if message.tool_call_cancellation is not None:
            for call_id in message.tool_call_cancellation.ids or ():
                self.pending_tool_calls.pop(call_id, None)
        if message.session_resumption_update is not None:
            self._note_resumption(message)
        if message.go_away is not None:
            self.going_away, self.time_left = True, message.go_away.time_left
        if ends_turn(message):
            self.turn_open = False

    @property
    def handle(self) -> str | None:
        """As ``BidiProtocol.handle``."""
        return self.resumption.handle

    def lose_turn(self) -> tuple[bool, bool]:
        """As ``BidiProtocol.lose_turn``. A pending tool call survives: the service takes its answer over the next connection."""
        activity, lost = self.activity_open, self.turn_open and not self.pending_tool_calls
        self.turn_open, self.activity_open = self.turn_open and not lost, False
        return activity, lost

    def announcement(self, event: Reconnecting | Reconnected) -> LiveServerMessage:
        """As ``BidiProtocol.announcement``."""
        if isinstance(event, Reconnecting):
            return LiveServerMessage(reconnecting=event)
        return LiveServerMessage(reconnected=event)

    def _note_resumption(self, message: LiveServerMessage) -> None:
        update = message.session_resumption_update
        assert update is not None
        # An update that is not resumable comes without a handle; the last good one stays known.
        handle = update.new_handle if update.resumable and update.new_handle else self.resumption.handle
        self.resumption = Resumption(handle, bool(update.resumable), update.last_consumed_client_message_index)

    def note_sent(self, kind: Sent) -> None:
        """Notes what a client message asks for."""
        if kind is _AUDIO:
            self.audio_since_turn = True
        elif kind is Sent.ANSWER:
            self.turn_open, self.activity_open = True, False
        elif kind is Sent.ACTIVITY_START:
            self.activity_open = True

    def note_answered(self, call_ids: list[str]) -> None:
        """Notes that tool calls were answered: the model will go on."""
        for call_id in call_ids:
            self.pending_tool_calls.pop(call_id, None)
        self.turn_open = True


class MusicProtocol(BidiProtocol[LiveMusicServerMessage]):
    """Music: it plays or it does not. While it plays the turn is open, because an end would lose what follows."""

    method = MUSIC_METHOD
    message_type = LiveMusicServerMessage

    def __init__(self) -> None:
        super().__init__()
        self.setup_complete: LiveMusicServerSetupComplete | None = None
        self.playback: LiveMusicPlaybackControl | None = None
        """PLAY, PAUSE or STOP, whichever was sent last; None before the first."""

    def _note(self, message: LiveMusicServerMessage) -> None:
        if message.setup_complete is not None and self.state is State.SETUP:
            self.setup_complete = message.setup_complete
            self.move(Event.SETUP_COMPLETE)

    def note_playback(self, control: LiveMusicPlaybackControl) -> None:
        """Notes what the music was told to do."""
        if control is not LiveMusicPlaybackControl.RESET_CONTEXT:
            self.playback, self.turn_open = control, control is LiveMusicPlaybackControl.PLAY


# Usage.

_COUNTS = (
    "prompt_token_count",
    "cached_content_token_count",
    "response_token_count",
    "tool_use_prompt_token_count",
    "thoughts_token_count",
    "total_token_count",
)
_DETAILS = ("prompt_tokens_details", "cache_tokens_details", "response_tokens_details", "tool_use_prompt_tokens_details")


def added(total: UsageMetadata | None, report: UsageMetadata) -> UsageMetadata:
    """The sum of both; counts that neither has stay None, and the details are summed for each modality."""
    if total is None:
        return report
    result = UsageMetadata(traffic_type=report.traffic_type, service_tier=report.service_tier)
    for name in _COUNTS:
        known = [count for count in (getattr(total, name), getattr(report, name)) if count is not None]
        setattr(result, name, sum(known) if known else None)
    for name in _DETAILS:
        setattr(result, name, _by_modality([*(getattr(total, name) or ()), *(getattr(report, name) or ())]) or None)
    return result


def _by_modality(details: Iterable[ModalityTokenCount]) -> list[ModalityTokenCount]:
    sums: dict[str, ModalityTokenCount] = {}
    for detail in details:
        known = sums.get(str(detail.modality))
        count = (known.token_count or 0 if known else 0) + (detail.token_count or 0)
        sums[str(detail.modality)] = ModalityTokenCount(modality=detail.modality, token_count=count)
    return list(sums.values())
