"""``Conversation``: a session between a pair of ears and a mouth. It has no thread of its own, and nothing in it blocks.

Messages come on the session's reader, time on the thread that paces the session's sound, the microphone's chunks there or on the
end's own thread, acts of the user on the end's thread or the caller's. All of them go through one ``Mailbox``, so that they are
handled one at a time, by whichever thread is there; ``Dialogue`` decides. A session that was opened elsewhere has no callback
free: one thread receives.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from genai_live import Session, _process
from genai_live._arguments import came, check_made, encodable, flag
from genai_live._deadline import NEVER, Deadline
from genai_live.callbacks import LiveCallbacks
from genai_live.errors import (
    CloseInfo,
    ConfigError,
    ForkedSession,
    LiveError,
    ReceiveTimeout,
    SentBy,
    SessionClosed,
    SoundSourceError,
)
from genai_live.reconnection import ReconnectPolicy
from genai_live.types import Content, LiveConnectConfig, LiveServerMessage
from genai_live.voice.audience import Audience
from genai_live.voice.detection import loudness
from genai_live.voice.dialogue import LATER, Dialogue
from genai_live.voice.events import ConversationState, DeviceChanged, Ended, Event, Level, Utterance
from genai_live.voice.latency import Latencies
from genai_live.voice.mailbox import Mailbox
from genai_live.voice.microphone import Microphone
from genai_live.voice.mouth import Mouth
from genai_live.voice.recorder import FileRecorder, Recorder, recorder_of
from genai_live.voice.settings import Settings, completed
from genai_live.voice.sound_end import (
    Control,
    Heard,
    Moved,
    Mute,
    Press,
    Rates,
    Release,
    SoundEnd,
    Text,
    Unmute,
    check_rates,
    lacks,
)

if TYPE_CHECKING:
    from genai_live import Client
    from genai_live._message_stream import Reserved
    from genai_live.tools import ToolPolicy, ToolRun

logger = logging.getLogger("genai_live")

METER = 0.1
"""Seconds between two levels."""
_SOON_ENOUGH = 0.005
"""Seconds that a look may be late for what was not known when it was asked for."""
CLOSE_TIMEOUT = 0.9
"""Seconds that ``close`` takes at the most, whatever blocks: a second counts as at once. A sound card that hangs takes half."""
_LATE = 0.1
"""Seconds by which an end may be late to close, and that the session has for its goodbye where the end took all the time."""
_HOLDER = "a Conversation"
_RECEIVER = "genai-live-voice"


@dataclass(frozen=True)
class ConversationStats:
    """Counters of a conversation, as they stood when asked for; lengths in seconds."""

    turns: int
    interruptions: int
    sent: float
    """Sound of the microphone that was sent, or passed over: while muted, and while half duplex keeps the microphone shut."""
    input_dropped: float
    """Sound of the microphone that was dropped because the session had no connection, or the network took none."""
    heard: float
    """Sound of the model that was heard."""
    waiting: float
    """Sound of the model that waits at the end."""
    refused: float
    """Sound of the model that the end was too full to take."""
    underruns: int
    """How often the end ran empty in the middle of an answer."""
    events_dropped: int
    """Events that nobody has seen because 1,000 waited already."""
    end: Mapping[str, Any] = field(default_factory=dict)
    """What the end counts; empty where it counts nothing."""


class Conversation:
    """A spoken conversation over a session that is open already, and stays open afterwards.

    Blocks until the end has sound. While it is open it is the session's one receiver: ``ask``, ``collect``, ``receive`` and
    iteration raise WrongThread; sending stays free. It reads turn taking off the session. Runs of the session's tools are no
    events here, as somebody else has set ``on_run``; with ``connect`` they are.

    Args:
        session: Open, and answering in AUDIO.
        end: The pair of ears and the mouth.
        half_duplex: True sends nothing of the microphone while the answer is heard, and 0.2 s longer, against echo.
        record: Path of a stereo WAV to write, the user left, the model right, and beside it the transcript as JSON Lines; or a
            Recorder, such as MemoryRecorder.
        levels: True adds the event Level, ten times a second.
        on_event: Called with each event, in order, in the place of iteration, on the thread that brought it: it must not block.

    Raises:
        ConfigError: the session answers in text.
        DeviceError: the end has no sound.
        WrongThread: another thread receives from the session.
        SessionClosed: the session has ended.
    """

    _reserved: Reserved[LiveServerMessage] | None = None
    """The right to receive from the session."""
    _receiver: threading.Thread | None = None
    """The thread that does, where the session has no callback for it."""
    _on_message: Callable[[LiveServerMessage], object] | None = None

    def __init__(
        self,
        session: Session,
        end: SoundEnd,
        *,
        half_duplex: bool = False,
        record: str | os.PathLike[str] | Recorder | None = None,
        levels: bool = False,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        if not isinstance(session, Session):
            raise ConfigError(f"must be an open Live session, not {came(session)}", "session")
        settings = Settings.of(session.setup)
        self._prepare(end, settings.turn_taking, half_duplex=half_duplex, levels=levels, on_event=on_event)
        self._owns = False
        reserved = session.reserve(_HOLDER)
        try:
            rates = self._open_end(record)
            self._begin(session, rates, settings.turn_taking)
        except BaseException:
            reserved.release()
            raise
        self._reserved = reserved
        self._receiver = threading.Thread(target=self._receive, args=(reserved,), name=_RECEIVER, daemon=True)
        self._receiver.start()

    @classmethod
    def connect(
        cls,
        client: Client,
        end: SoundEnd,
        *,
        model: str,
        config: LiveConnectConfig | Mapping[str, Any] | None = None,
        turn_taking: str = "automatic",
        half_duplex: bool = False,
        run_tools: bool | ToolPolicy | Mapping[str, Any] = False,
        reconnect: bool | ReconnectPolicy | Mapping[str, Any] = True,
        record: str | os.PathLike[str] | Recorder | None = None,
        levels: bool = False,
        on_event: Callable[[Event], object] | None = None,
        on_message: Callable[[LiveServerMessage], object] | None = None,
        timeout: float | None = 30.0,
        resume: str | None = None,
        history: Any = None,
        extra_setup: Mapping[str, Any] | None = None,
    ) -> Conversation:
        """Opens the end and a session of its own, and begins to talk.

        Blocks until the end has sound (``Devices``: 6.5 s at most), then up to ``timeout`` for the session; Ctrl-C gives up.

        The config is completed: AUDIO, transcripts of both sides, and for ``push_to_talk`` no detection of speech by the
        service. It has no thread of its own, so that hundreds share one reader (``Client(shared_reader=True)``). What is not
        said here is as for ``Live.connect`` and for a conversation over an open session.

        Args:
            client: Opens the session.
            end: The pair of ears and the mouth.
            model: The model's name.
            config: As for ``Live.connect``.
            turn_taking: ``"automatic"``: the service hears when the user speaks; ``"push_to_talk"``: a button says it.
            half_duplex: True sends nothing of the microphone while the answer is heard, and 0.2 s longer, against echo.
            run_tools: As for ``Live.connect``; each change of a run is the event ToolRunChanged.
            reconnect: As for ``Live.connect``.
            record: Path of a stereo WAV to write, and the transcript beside it, or a Recorder: as of the class.
            levels: True adds the event Level, ten times a second.
            on_event: Called with each event, in order, in the place of iteration, on the thread that brought it: it must not
                block.
            on_message: Called with each message of the session after the conversation has taken it, on the session's thread: it
                must not block.
            timeout: Seconds for connecting.
            resume: As for ``Live.connect``.
            history: As for ``Live.connect``; ``Conversation.history()`` gives it.
            extra_setup: As for ``Live.connect``.

        Raises:
            ConfigError: the arguments cannot work, or contradict each other; nothing was dialled.
            DeviceError: the end has no sound; nothing was dialled.
            ConnectError: or one of its kinds; the end is closed again.
        """
        full = completed(config, turn_taking)
        self = cls.__new__(cls)
        self._prepare(end, turn_taking, half_duplex=half_duplex, levels=levels, on_event=on_event)
        self._owns = True
        policy = self._told_of_runs(run_tools)
        self._on_message = on_message
        rates = self._open_end(record)
        try:
            session = client.live.connect(
                model=model,
                config=full,
                callbacks=LiveCallbacks(on_message=self._take_message, on_error=self._note_error, on_close=self._note_close),
                timeout=timeout,
                resume=resume,
                reconnect=reconnect,
                history=history,
                extra_setup=extra_setup,
                run_tools=policy,
            )
        except BaseException:
            self._give_up()
            raise
        try:
            self._reserved = session.reserve(_HOLDER, receives=False)
            self._begin(session, rates, turn_taking)
        except BaseException:
            session.close()
            raise
        return self

    # Opening: the caller's thread.

    def _prepare(
        self,
        end: SoundEnd,
        turn_taking: str,
        *,
        half_duplex: bool,
        levels: bool,
        on_event: Callable[[Event], object] | None,
    ) -> None:
        check_made(end, "end")
        if missing := lacks(end):
            raise ConfigError(f"must be a SoundEnd (Devices, Files, or your own), and {came(end)} has no {missing}", "end")
        if on_event is not None and not callable(on_event):
            raise ConfigError(f"must be a function that takes an event, not {came(on_event)}", "on_event")
        self._end = end
        self._half_duplex = flag(half_duplex, "half_duplex")
        self._levels = flag(levels, "levels")
        self._on_event = on_event
        self._process = _process.current
        self._zero = time.monotonic()
        self._mailbox: Mailbox[Callable[[float], object]] = Mailbox(self._handle)
        self._microphone = Microphone(
            self._now,
            has_button=turn_taking == "push_to_talk",
            prompt=getattr(end, "feeds_promptly", False),
            holds_back=getattr(end, "holds_back", 0.0),
        )
        self._reports: bool = getattr(end, "reports", False)
        self._recorder: Recorder | None = None
        self._look_due = NEVER
        """When the next look at the end is due, in seconds of the conversation."""
        self._metered = b""
        """What was heard since the last level."""
        self._untaken: set[type] = set()
        """Kinds of controls that did not fit."""
        self._stopped = False
        """True once nothing is handled any more."""
        self._closer = threading.Lock()
        """Whoever gets it, without waiting, closes the end and the session."""
        self._error: Exception | None = None
        """What ended the session, or the end."""
        self._close_info: CloseInfo | None = None
        self._is_open = False
        self._wants_close = False
        """True when session or end are over. Who ends it stores this and looks at the other, who opens it the other way round: no
        store is passed by a later load (docs/reliability.md, "Hand-overs without a lock")."""

    def _told_of_runs(self, run_tools: bool | ToolPolicy | Mapping[str, Any]) -> bool | ToolPolicy:
        if run_tools is False or run_tools is None:
            return False
        from genai_live.tools import ToolPolicy

        policy = ToolPolicy.of(run_tools)
        if policy is None:
            return False
        theirs = policy.on_run

        def on_run(run: ToolRun) -> None:
            self._post(lambda now: self._dialogue.run(run, now))
            if theirs is not None:
                theirs(run)

        return replace(policy, on_run=on_run)

    def _open_end(self, record: str | os.PathLike[str] | Recorder | None) -> Rates:
        self._recorder = None if record is None else recorder_of(record)
        self._audience = Audience(self._end, self._on_event, self._recorder)
        try:
            rates = self._end.open(self._microphone.hear, self._control, self._end_hung_up)
        except BaseException:
            self._give_up_recording()
            raise
        try:
            check_rates(rates, self._end)
        except BaseException:
            self._give_up()
            raise
        return rates

    def _give_up(self) -> None:
        """There will be no conversation."""
        self._close_end(CLOSE_TIMEOUT)
        self._give_up_recording()

    def _close_end(self, timeout: float) -> None:
        """Waits for it within the time; an end that hangs is left to itself."""
        closing = threading.Thread(target=self._have_end_close, args=(timeout,), name=f"{_RECEIVER}-end", daemon=True)
        try:
            closing.start()
        except RuntimeError:  # no thread is left, or the process ends
            self._have_end_close(timeout)
            return
        closing.join(timeout + _LATE)
        if closing.is_alive():
            logger.warning("%s.close has not returned within %.1f s; it is left to itself", type(self._end).__name__, timeout)

    def _have_end_close(self, timeout: float) -> None:
        try:
            self._end.close(timeout)
        except Exception:
            logger.exception("an end of sound could not be closed")

    def _give_up_recording(self) -> None:
        if isinstance(self._recorder, FileRecorder):
            self._recorder.discard()
        elif self._recorder is not None:
            self._recorder.close()

    def _begin(self, session: Session, rates: Rates, turn_taking: str) -> None:
        try:
            self._session = session
            self._settings = settings = Settings.of(session.setup)
            if settings.turn_taking != turn_taking:
                raise ConfigError(f"makes turn taking {settings.turn_taking!r}, and {turn_taking!r} was asked for", "extra_setup")
            if self._recorder is not None:
                self._recorder.begin(self._now, rates.output)
                self._microphone.on_sound = self._recorder.hear
            self._mouth = Mouth(self._end, rates.output, remembers=self._levels or self._recorder is not None)
            self._dialogue = Dialogue(
                self._mouth,
                self._audience.tell,
                self._microphone.clock,
                interruptible=settings.interruptible,
                has_button=settings.turn_taking == "push_to_talk",
            )
            self._microphone.start(session, rates.input, half_duplex=self._half_duplex)
            now = self._now()
            self._dialogue.open(now)
            self._mailbox.open()
            self._look_later(now, LATER)
            if self._levels:
                session.call_later(METER, self._meter)
            self._is_open = True
            if self._wants_close:
                self._close_soon()
        except BaseException:
            self._give_up()
            raise

    # What comes: the session's thread, the end's, the caller's.

    def _take_message(self, message: LiveServerMessage) -> None:
        self._mailbox.post(partial(self._handle_message, message))
        if self._on_message is not None:
            self._on_message(message)

    def _receive(self, messages: Reserved[LiveServerMessage]) -> None:
        """The thread of a conversation over a session that was open already."""
        try:
            for message in messages:
                self._take_message(message)
        except LiveError as error:
            self._note_error(error)
        info = self._session.close_info
        if info is not None:
            self._note_close(info)

    def _note_error(self, error: LiveError) -> None:
        if isinstance(error, SessionClosed):
            self._error = error
        elif isinstance(error, SoundSourceError):  # nothing of the microphone is sent any more
            self._end_hung_up(error)

    def _note_close(self, info: CloseInfo) -> None:
        self._close_info = info
        self._close_soon()

    def _end_hung_up(self, error: Exception | None) -> None:
        """The end has nothing more to say."""
        self._error = self._error or error
        self._close_soon()

    def _control(self, control: Control) -> None:
        """What the person at the end does, also while the session is being opened."""
        self._post(self._handle_look if type(control) is Heard else lambda now: self._handle_control(control))

    def _handle_control(self, control: Control) -> None:
        """What does not fit the conversation is logged once for each kind: nobody there can help it, and a page may click."""
        try:
            if isinstance(control, Text):
                self.send_text(control.text)
            elif isinstance(control, Moved):
                self._post(lambda now: self._audience.tell(DeviceChanged(now, control.old, control.new)))
            else:
                _CONTROLS[type(control)](self)
        except ConfigError as error:
            kind = type(control)
            if kind not in self._untaken:
                self._untaken.add(kind)
                logger.warning("%s of an end was not taken: %s", kind.__name__, error)

    # Handling: one thread at a time, whichever is there.

    def _now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._zero

    def _post(self, act: Callable[[float], object]) -> None:
        self._mailbox.post(act)

    def _handle(self, act: Callable[[float], object]) -> None:
        if self._stopped and act != self._tell_ended:
            return
        now = time.monotonic() - self._zero
        try:
            act(now)
        finally:
            if not self._stopped:
                self._settle(now)

    def _settle(self, now: float) -> None:
        """Whatever has happened: opens or shuts the microphone, and looks again while time matters."""
        self._microphone.settle(self._dialogue)
        after = self._dialogue.look_after(reports=self._reports)
        if after is not None or self._microphone.opens_soon:
            self._look_later(now, LATER if after is None else after)

    def _handle_message(self, message: LiveServerMessage, now: float) -> None:
        if message.reconnecting is not None:
            self._microphone.wait_for_connection()
        elif message.reconnected is not None:
            self._microphone.go_on()
        self._dialogue.message(message, now)

    def _look_later(self, now: float, after: float) -> None:
        """Has the end looked at ``after`` seconds from now, unless it is soon enough already."""
        due = now + after
        if due < self._look_due - _SOON_ENOUGH:
            self._look_due = due
            self._session.call_later(after, lambda: self._look(due))

    def _look(self, due: float) -> None:
        if due == self._look_due:  # else an earlier one has taken its place
            self._look_due = NEVER
            self._post(self._handle_look)

    def _handle_look(self, now: float) -> None:
        played = self._mouth.played
        self._dialogue.look(now, played, self._mouth.flushes)
        self._record_heard(now, played)

    def _record_heard(self, now: float, played: float) -> None:
        """What was heard since it was last noted goes to meter and recorder."""
        if self._levels or self._recorder is not None:
            heard = self._mouth.take_heard(played, cutting=self._dialogue.playback.is_cutting)
            if heard and self._recorder is not None:
                self._recorder.play(heard, now)
            if self._levels:
                self._metered += heard

    def _meter(self) -> None:
        self._post(self._tell_levels)
        if not self._stopped:
            self._session.call_later(METER, self._meter)

    def _tell_levels(self, now: float) -> None:
        self._record_heard(now, self._mouth.played)
        self._audience.tell(Level(now, self._microphone.level, loudness(self._metered)))
        self._metered = b""

    # What the user does. Any thread; returns at once.

    def mute(self) -> None:
        """Sends nothing of the microphone from now on, as a switch does; the service is notified where it detects speech."""
        self._check_process()
        self._post(lambda now: self._switch(muted=True))

    def unmute(self) -> None:
        """Sends again what comes from now on."""
        self._check_process()
        self._post(lambda now: self._switch(muted=False))

    def _switch(self, *, muted: bool) -> None:
        self._microphone.muted = muted

    def press(self) -> None:
        """Begins to speak, with ``push_to_talk``: an answer that is heard stops at once. Nothing happens while it is pressed.

        Raises:
            ConfigError: the service detects speech by itself.
        """
        self._check_button()
        self._post(self._handle_press)

    def release(self) -> None:
        """Ends what ``press`` has begun, and asks for the answer.

        Raises:
            ConfigError: the service detects speech by itself.
        """
        self._check_button()
        self._post(self._handle_release)

    def _check_process(self) -> None:
        """Raises ForkedSession in a child of the process that opened it: neither threads nor sockets are there."""
        info = self._session.close_info if self._process is not _process.current else None
        if info is not None:
            raise ForkedSession("the conversation belongs to the process that opened it: open another one in this process", info)

    def _check_button(self) -> None:
        self._check_process()
        if self._settings.turn_taking != "push_to_talk":
            raise ConfigError("the button needs turn_taking='push_to_talk': in this conversation the service detects speech")

    def _handle_press(self, now: float) -> None:
        if not self._dialogue.pressed:
            self._microphone.press()
            self._dialogue.press(now)

    def _handle_release(self, now: float) -> None:
        if self._dialogue.pressed:
            self._dialogue.release(now)
            self._microphone.release(lambda: self._post(lambda now: self._microphone.end_activity()))

    def send_text(self, text: str) -> None:
        """Asks what the user typed; an answer that is heard stops. Goes out behind the sound that was heard before.

        After the end of the conversation nobody is asked.

        Raises:
            ConfigError: not a str, or with half of a surrogate pair.
        """
        encodable(text, "text")
        self._check_process()
        self._post(lambda now: self._handle_text(text, now))

    def _handle_text(self, text: str, now: float) -> None:
        self._dialogue.ask(text, now)
        self._microphone.end_activity()
        self._microphone.feed.send_text(text)

    def interrupt(self) -> None:
        """Stops the answer that is heard, and drops the rest of it.

        The service is not told: the protocol has no word for it but the user's own speech, text or button, which follow as a
        rule. So it takes the whole answer as said.
        """
        self._check_process()
        self._post(self._dialogue.silence)

    # What there is to see. Any thread, never blocks, but for iteration and ``wait``.

    def __iter__(self) -> Iterator[Event]:
        """Yields events as they happen, and ends after Ended. Blocks; Ctrl-C interrupts it.

        Each event goes to one iterator. With ``on_event`` there is only the last one.
        """
        self._check_process()
        while (event := self._audience.queue.take()) is not None:
            yield event

    def wait(self, timeout: float | None = None) -> Ended:
        """Waits for the end of the conversation, ``timeout`` seconds at most. Takes no event from who iterates.

        Raises:
            ReceiveTimeout: it goes on.
            ForkedSession: in a child of the process that opened it, as all that waits or does something.
        """
        self._check_process()
        if not Deadline.of(timeout).wait(self._audience.queue.over):
            raise ReceiveTimeout(f"the conversation did not end within {timeout:g} s; it goes on")
        ended = self._audience.queue.ended
        assert ended is not None
        return ended

    @property
    def session(self) -> Session:
        """The session underneath: sending is free."""
        return self._session

    @property
    def turn_taking(self) -> str:
        """``"automatic"`` or ``"push_to_talk"``."""
        return self._settings.turn_taking

    @property
    def state(self) -> ConversationState:
        """What it does now."""
        return self._dialogue.state

    @property
    def muted(self) -> bool:
        """True between ``mute`` and ``unmute``."""
        return self._microphone.muted

    @property
    def transcript(self) -> tuple[Utterance, ...]:
        """What both sides said so far; of an answer that was cut short as much as was heard."""
        return self._dialogue.transcript.read()

    def history(self) -> list[Content]:
        """The transcript as ``connect(history=...)`` takes it."""
        return self._dialogue.transcript.history()

    @property
    def latency(self) -> Latencies:
        """How fast the newest 1,000 answers were."""
        return self._dialogue.latencies.summary()

    @property
    def stats(self) -> ConversationStats:
        """Counters, as they stand now."""
        dialogue, counted = self._dialogue, getattr(self._end, "stats", None)
        return ConversationStats(
            turns=dialogue.turns,
            interruptions=dialogue.interruptions,
            sent=self._microphone.sent,
            input_dropped=self._microphone.feed.dropped,
            heard=self._mouth.played,
            waiting=dialogue.playback.waiting,
            refused=self._mouth.refused,
            underruns=dialogue.playback.underruns,
            events_dropped=self._audience.queue.dropped,
            end=dict(counted) if isinstance(counted, Mapping) else {},
        )

    def __repr__(self) -> str:
        return f"<Conversation {self.state} {self._now():.1f} s>"

    def _repr_html_(self) -> str:
        from dataclasses import asdict

        from genai_live import _html

        said = "".join(_html.said("You" if each.speaker == "user" else "Model", each.text) for each in self.transcript[-20:])
        line = f"{repr(self)[1:-1]} · {_html.counted(self.stats.turns, 'turn')}"
        return _html.box(_html.folded(line, said + _html.rows(asdict(self.stats))))

    # Ending.

    def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Ends the conversation now, within ``timeout`` seconds: the end, then the session, if it is its own.

        Idempotent, from any thread; in a callback of the conversation, or of another one that shares its reader, it returns at
        once, and another thread closes. Where a callback or a recorder blocks for longer, the rest is done, and Ended told, when
        it lets go; an end that does is left to itself.
        """
        deadline = Deadline.of(timeout)
        if self._process is not _process.current:
            return
        reserved = self._reserved
        if self._mailbox.is_current or (reserved is not None and reserved.is_reader_thread):  # which would wait for itself
            self._close_soon()
            return
        self._begin_to_close(deadline)
        deadline.wait(self._audience.queue.over)

    def _close_soon(self) -> None:
        """For those that must not wait."""
        self._wants_close = True
        if self._is_open:
            self._begin_to_close(Deadline(CLOSE_TIMEOUT))

    def _begin_to_close(self, deadline: Deadline) -> None:
        """Closes, once, on a thread of its own: the end, the recorder or the session's callbacks may block."""
        if self._closer.acquire(blocking=False):
            closing = threading.Thread(target=self._close, args=(deadline,), name=f"{_RECEIVER}-close", daemon=True)
            try:
                closing.start()
            except RuntimeError:  # Python 3.12 starts no thread while its process ends
                self._close(Deadline(0.0))

    def _close(self, deadline: Deadline) -> None:
        try:
            self._close_all(deadline)
        finally:
            self._post(self._tell_ended)

    def _close_all(self, deadline: Deadline) -> None:
        self._post(self._stop)
        self._microphone.stop()
        left = deadline.left()
        self._close_end(CLOSE_TIMEOUT if left is None else left)
        if self._reserved is not None:
            self._reserved.release()
        if self._receiver is not None and self._receiver is not threading.current_thread():
            self._receiver.join(deadline.left())
        if self._owns:
            left = deadline.left()
            with suppress(LiveError):
                self._session.close(CLOSE_TIMEOUT if left is None else max(left, _LATE))
            self._close_info = self._close_info or self._session.close_info
        if self._recorder is not None:
            self._recorder.close()

    def _tell_ended(self, now: float) -> None:
        self._audience.end(Ended(now, self._close_info, self._error))

    def _stop(self, now: float) -> None:
        played = self._mouth.played
        try:
            info = self._close_info  # None where this conversation ends the session, or leaves it open
            lost = None if info is None or info.sent_by is SentBy.CLIENT else info
            self._dialogue.end(now, played, self._mouth.flushes, lost)
            self._record_heard(now, played)
            self._audience.record(self.transcript)
        finally:
            self._stopped = True

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


_CONTROLS: dict[type, Callable[[Conversation], None]] = {
    Press: Conversation.press,
    Release: Conversation.release,
    Mute: Conversation.mute,
    Unmute: Conversation.unmute,
}
