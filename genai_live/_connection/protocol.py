"""A protocol without socket, thread or clock: states, turns, tool calls, resumption, usage. Fed by reader and senders.

``BidiProtocol`` is what every streaming method has; ``LiveProtocol`` and ``MusicProtocol`` are the methods. One instance
follows one connection from the upgrade to its end. What the reader writes and what senders write are different attributes, or
single operations on a dict, so no lock is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Generic
from typing import Protocol as Typed

from genai_live import _sound_messages
from genai_live._backends import LIVE_METHOD, MUSIC_METHOD
from genai_live._base64_text import Payload
from genai_live._client_messages.inputs import AUDIO_STREAM_END
from genai_live._close_reasons import service_error
from genai_live._connection.ledger import Ledger, NotedCalls
from genai_live._connection.questions import SESSION, Asked, Mark, Question
from genai_live._json import mended
from genai_live._usage import added
from genai_live.errors import CloseInfo, DecodeError, Phase, SentBy
from genai_live.reconnection import Reconnected, Reconnecting
from genai_live.types import (
    LiveMusicPlaybackControl,
    LiveMusicServerMessage,
    LiveMusicServerSetupComplete,
    LiveServerContent,
    LiveServerMessage,
    LiveServerSetupComplete,
    LiveServerToolCall,
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


class Opening(Typed):
    """What is to be known of a message when it goes out, and when it does not after all: ``transport.Opening``."""

    def written(self) -> None:
        """It goes out, or into the outbox."""

    def withdrawn(self) -> None:
        """Nothing of it went out, or will."""


class Sent(Enum):
    """What a client message means for what follows."""

    NOTHING = "nothing"
    AUDIO = "audio"
    VIDEO = "video"
    QUESTION = "question"
    ACTIVITY_START = "activityStart"
    ACTIVITY_END = "activityEnd"
    """Asks a question: the speech before it."""
    SOUND_END = "audioStreamEnd"
    RESPONSE = "toolResponse"


class Activity(Enum):
    """Where an activity stands whose beginning and end the user says."""

    NONE = "none"
    OPEN = "open"
    """Between activityStart and activityEnd, on the connection of the moment."""
    CUT = "cut"
    """A connection died inside it, and the next one does not know of it."""


_ACTIVITY_AFTER = {Sent.ACTIVITY_START: Activity.OPEN, Sent.ACTIVITY_END: Activity.NONE}
_ONLY_CONTENT = {"model_turn"}
_NO_CONTENT = LiveServerContent()
ACTIVITY_START = b'{"realtimeInput":{"activityStart":{}}}'
"""Sent first when an activity was open as the connection ended: what the user goes on to say belongs to one. Never recorded."""

ASKS = {Sent.QUESTION: Asked.CONTENT, Sent.ACTIVITY_END: Asked.SPEECH}
"""The messages that ask a question."""


@dataclass(frozen=True)
class Resumption:
    """What is needed to go on after this connection: pass ``handle`` to ``connect(resume=...)``."""

    handle: str | None = None
    """The newest handle that may be used; None until the server sent one."""
    resumable: bool = False
    """What the newest update said; False while the model generates or waits for a tool."""
    last_consumed_client_message_index: int | None = None
    """Index of the last client message that the handle's state includes (from 1); only with ``transparent`` resumption."""


class CallWatcher(Typed):
    """Who answers calls of the model by itself. Called by the reader thread, and never waits."""

    def noted(self, message: LiveServerMessage) -> NotedCalls:
        """Takes note of the calls and cancellations in a message, before the ledger does."""

    def hand_over(self) -> None:
        """The ledger has entered the message: from now on its calls may be answered."""

    def lose(self, ids: Iterable[str]) -> None:
        """The conversation that these calls belong to is gone."""

    def ended(self) -> None:
        """The session has ended."""

    @property
    def is_own_thread(self) -> bool:
        """True on a thread of its own: waiting there for calls or their answers would be waiting for itself. Any thread."""


class BidiProtocol(Generic[ServerMessage]):
    """What one connection knows of itself, whatever its method: its state, its questions, and how to read a message."""

    method: ClassVar[str]
    """The method's name in the URL."""
    message_type: type[ServerMessage]
    """What the server sends."""
    vertex = False
    """True where Vertex AI is the server: of counts that a report names twice, its own names count."""
    mark: Mark = SESSION
    """Whose the message is that was received last. The reader thread."""
    watcher: CallWatcher | None = None
    """Who answers calls by itself; None where the caller does."""
    going_away = False
    """True once the server has said that it will end the connection."""
    time_left: float | None = None
    """Seconds that it gave then; None where it said nothing."""

    def __init__(self) -> None:
        self.state = State.OPENING
        self.resumption = Resumption()
        self.ledger = Ledger()
        """Which answer belongs to which question; empty for a method that asks none."""
        self.sound = self.ledger.sound

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
        if self.ledger.pending:
            return Phase.TOOL
        return Phase.TURN if self.turn_open else Phase.IDLE

    @property
    def turn_open(self) -> bool:
        """True while an answer is due or under way, so that an end now would lose something."""
        return self.ledger.answer_due

    @property
    def resynchronised(self) -> int:
        """Questions that were closed with the turn of another one."""
        return self.ledger.resynchronised

    @property
    def handle(self) -> str | None:
        """The newest handle that another connection may go on from; or None."""
        return self.resumption.handle

    @property
    def is_unsettled(self) -> bool:
        """True when ``look`` is to be called soon: questions that a turn has left open are closed after a silence."""
        return self.ledger.is_unsettled

    def look(self, now: float) -> float:
        """Does what time brings about; returns when to look again, in monotonic seconds. The reader thread."""
        return self.ledger.look(now)

    def notes(self) -> Sequence[Mark]:
        """Marks for which no message came, since this was last asked."""
        return self.ledger.notes()

    def lose(self) -> tuple[Question, ...]:
        """The connection is gone: returns the questions whose answers are lost with it. One whose call is open survives."""
        return self.ledger.lose()

    def begin_anew(self) -> tuple[Question, ...]:
        """Another conversation begins: returns the questions of the old one that are lost with it."""
        open_calls = tuple(self.ledger.pending)
        lost = self.ledger.begin_anew()
        if self.watcher is not None:
            self.watcher.lose(open_calls)
        return lost

    def to_repeat(self) -> list[tuple[Payload, Sent]]:
        """Messages that the next connection needs before all others, so that those mean what they meant."""
        return [(response, Sent.NOTHING) for response in self.ledger.responses]

    def show(self, message: ServerMessage, question: Question) -> set[str]:
        """Calls of a message are about to be shown to a callback, who may answer them: returns their ids. The reader thread."""
        tool_call: LiveServerToolCall | None = getattr(message, "tool_call", None)
        shown = {call.id or call.name or "" for call in (tool_call and tool_call.function_calls) or ()}
        self.ledger.show(question, shown)
        return shown

    def was_shown(self, question: Question, calls: set[str]) -> bool:
        """A callback has seen the calls; True when it has left one to the caller. Any thread."""
        return self.ledger.was_shown(question, calls)

    def replace(self) -> None:
        """Another connection follows."""
        self.going_away, self.time_left = False, None
        self.move(Event.REPLACED)

    def close_info(self, code: int, reason: str, sent_by: SentBy) -> CloseInfo:
        """The record of an end that happens now."""
        return CloseInfo(code, reason, sent_by, self.phase, self.turn_open)

    def announcement(self, event: Reconnecting | Reconnected) -> ServerMessage:
        """The message of this library's own that reports a change of connections, for methods whose sessions outlive one."""
        raise NotImplementedError

    # Messages in: the reader thread.

    def receive(self, payload: bytes | bytearray) -> ServerMessage:
        """Decodes one message and notes what it says."""
        try:
            message = _sound_messages.read(self.message_type, payload, vertex=self.vertex)
            self._note(message)
        except Exception as error:  # whatever a message may say, it costs this one message and not the session
            return self._undecodable(payload, error)
        return message

    def refuse(self, payload: bytes | bytearray, words: str) -> ServerMessage:
        """A message that is not decoded, because of what it would cost."""
        self.mark = SESSION
        return self._undecodable(payload, ValueError(words))

    def decode(self, payload: bytes | bytearray) -> ServerMessage:
        """The message of a payload that ``receive`` has understood. Any thread.

        What a signal handler raises there passes through: it is not a fault of the message.
        """
        try:
            message = _sound_messages.read(self.message_type, payload, vertex=self.vertex)
        except RecursionError as error:  # this thread is deeper in its work than the reader
            return self._undecodable(payload, error)
        self._finish(message)
        return message

    def _finish(self, message: ServerMessage) -> None:
        """Adds what a message means beside its fields. Any thread."""
        if "extra" in message.__dict__:
            message.error = service_error(message.extra)

    def _undecodable(self, payload: bytes | bytearray, error: Exception) -> ServerMessage:
        message = self.message_type()
        message.decode_error = DecodeError(str(error) or type(error).__name__, len(payload))
        return message

    def _note(self, message: ServerMessage) -> None:
        """Takes note of what the message says."""
        raise NotImplementedError

    # Messages out: the thread that sends.

    def question(self, kind: Sent) -> Question | None:
        """The question that a message of this kind asks; None for one that asks nothing."""
        asked = ASKS.get(kind)
        return None if asked is None else self.ledger.asked(asked)

    def note_written(self, kind: Sent, question: Question | None) -> None:
        """Notes a message that goes out. Called by the owner of the send lock, so that no answer can overtake the note."""
        if question is not None:
            self.ledger.written(question)

    def note_withdrawn(self, question: Question) -> None:
        """Notes that nothing of it went out after all."""
        self.ledger.withdrawn(question)


class LiveProtocol(BidiProtocol[LiveServerMessage]):
    """A conversation: turns, tool calls, resumption, usage."""

    method = LIVE_METHOD
    message_type = LiveServerMessage

    def __init__(self) -> None:
        super().__init__()
        self.setup_complete: LiveServerSetupComplete | None = None
        self.usage: UsageMetadata | None = None
        """Sum of the usage reports."""
        self.blocking_calls: set[str] = set()
        """Ids of calls during which the model hears nothing."""
        self._free: frozenset[str] | None = None
        self.activity = Activity.NONE
        self._sound_end_cut = False
        """True when a connection died after audioStreamEnd, before more sound: it is said again, so that the next speech begins
        anew. Never recorded."""

    def move(self, event: Event) -> None:
        """As ``BidiProtocol.move``; the watcher of calls learns of the end."""
        super().move(event)
        if event is Event.ENDED and self.watcher is not None:
            self.watcher.ended()

    def receive(self, payload: bytes | bytearray) -> LiveServerMessage:
        """As ``BidiProtocol.receive``. Sound that only goes on with the turn under way is noted at once: it says nothing else."""
        try:
            message = _sound_messages.read(LiveServerMessage, payload, vertex=self.vertex)
            mark, fields = self.ledger.going_on, message.__dict__
            has_text = "text" in fields
            if (
                mark is None
                or len(fields) != 1 + has_text
                or fields.get("server_content", _NO_CONTENT).__dict__.keys() != _ONLY_CONTENT
            ):
                self._note(message)
            else:
                self.mark = mark
                if not has_text:
                    fields["text"] = message.text
        except Exception as error:  # whatever a message may say, it costs this one message and not the session
            self.mark = SESSION
            return self._undecodable(payload, error)
        return message

    def _note(self, message: LiveServerMessage) -> None:
        self._finish(message)
        if message.usage_metadata is not None:
            self.usage = added(self.usage, message.usage_metadata)
        if message.setup_complete is not None and self.state is State.SETUP:
            self.setup_complete = message.setup_complete
            self.move(Event.SETUP_COMPLETE)
        if message.session_resumption_update is not None:
            self._note_resumption(message)
        if message.go_away is not None:
            self.going_away, self.time_left = True, message.go_away.time_left
        if self.watcher is not None and (message.tool_call is not None or message.tool_call_cancellation is not None):
            self.ledger.noted_calls = self.watcher.noted(message)
            self.mark = self.ledger.entered(message)
            self._note_blocking(message)
            self.watcher.hand_over()
        else:
            self.mark = self.ledger.entered(message)
            self._note_blocking(message)

    def _note_blocking(self, message: LiveServerMessage) -> None:
        if self._free is not None and message.tool_call is not None:
            calls = message.tool_call.function_calls or ()
            self.blocking_calls |= {call.id or call.name or "" for call in calls if call.name not in self._free}

    def _finish(self, message: LiveServerMessage) -> None:
        super()._finish(message)
        if message.server_content is not None and message.server_content.model_turn is not None:
            message.__dict__["text"] = message.text
        if message.tool_call is not None:  # half a character in an argument would be refused where a function gives it back
            for call in message.tool_call.function_calls or ():
                call.args = mended(call.args)

    def note_blocking(self, free: frozenset[str]) -> None:
        """From now on ``blocking_calls`` are noted: of all functions but those of these names."""
        self._free = free

    @property
    def call_blocks(self) -> bool:
        """True while a call that blocks has no response. Forgets those that have one."""
        for call_id in tuple(self.blocking_calls):
            if call_id not in self.ledger.pending:
                self.blocking_calls.discard(call_id)
        return bool(self.blocking_calls)

    def lose(self) -> tuple[Question, ...]:
        """As ``BidiProtocol.lose``."""
        if self.activity is Activity.OPEN:
            self.activity = Activity.CUT
        self._sound_end_cut = self._sound_end_cut or self.sound.ended
        return super().lose()

    def to_repeat(self) -> list[tuple[Payload, Sent]]:
        """As ``BidiProtocol.to_repeat``: responses without an answer, the beginning of an activity, the end of sound."""
        repeated = super().to_repeat()
        if self.activity is Activity.CUT:
            repeated.append((ACTIVITY_START, Sent.ACTIVITY_START))
        if self._sound_end_cut:
            repeated.append((AUDIO_STREAM_END, Sent.SOUND_END))
        return repeated

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

    def note_written(self, kind: Sent, question: Question | None) -> None:
        """As ``BidiProtocol.note_written``."""
        super().note_written(kind, question)
        self.activity = _ACTIVITY_AFTER.get(kind, self.activity)
        if kind is Sent.SOUND_END:
            self.sound.ended, self._sound_end_cut = True, False


class VertexLiveProtocol(LiveProtocol):
    """A conversation with Vertex AI."""

    vertex = True


class MusicProtocol(BidiProtocol[LiveMusicServerMessage]):
    """Music: it plays or it does not. While it plays the turn is open, because an end would lose what follows."""

    method = MUSIC_METHOD
    message_type = LiveMusicServerMessage

    def __init__(self) -> None:
        super().__init__()
        self.setup_complete: LiveMusicServerSetupComplete | None = None
        self.playback: LiveMusicPlaybackControl | None = None
        """PLAY, PAUSE or STOP, whichever was sent last; None before the first."""

    @property
    def turn_open(self) -> bool:
        """As ``BidiProtocol.turn_open``."""
        return self.playback is LiveMusicPlaybackControl.PLAY

    def _note(self, message: LiveMusicServerMessage) -> None:
        if message.setup_complete is not None and self.state is State.SETUP:
            self.setup_complete = message.setup_complete
            self.move(Event.SETUP_COMPLETE)

    def note_playback(self, control: LiveMusicPlaybackControl) -> None:
        """Notes the command that the music was sent."""
        if control is not LiveMusicPlaybackControl.RESET_CONTEXT:
            self.playback = control
