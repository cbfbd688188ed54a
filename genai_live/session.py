"""The session that the user holds: sends on the caller's thread, receives what the reader thread queued."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from genai_live import _json, _public
from genai_live._arguments import came, number_from_0
from genai_live._client_messages import inputs
from genai_live._client_messages.declaration_form import in_form_of
from genai_live._client_messages.family_checks import Model, check_tools
from genai_live._connection.channel import Channel
from genai_live._connection.inbox import GIVEN
from genai_live._connection.pacing_thread import pacing_thread
from genai_live._connection.protocol import Activity, Event, LiveProtocol, Resumption, Sent
from genai_live._connection.questions import Asked, Question
from genai_live._connection.timetable import Later
from genai_live._deadline import Deadline
from genai_live._gathering import Gatherer
from genai_live._message_stream import CLOSE_TIMEOUT, MessageIterator, MessageStream, Reserved, Stats, TurnIterator
from genai_live._streaming.audio_stream import AudioStream, stream_audio
from genai_live._streaming.sound_hold import SoundHold
from genai_live._streaming.sound_sink import SoundSink
from genai_live._tool_answers import ToolAnswers
from genai_live._tracebacks import LEAVES_A_SESSION_OPEN, bare, letting_go
from genai_live.audio import Audio
from genai_live.errors import ConfigError, LiveError, ReceiveTimeout, SessionClosed
from genai_live.families import family_of
from genai_live.turn import Turn
from genai_live.types import LiveServerMessage, LiveServerSetupComplete, UsageMetadata

if TYPE_CHECKING:
    from genai_live.api_client import ApiClient
    from genai_live.tools import ToolRun
    from genai_live.tools.runner import Runner

__all__ = ["Session", "Stats"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)

FINISH_TIMEOUT = 10.0
"""Seconds that finish() waits for the end of the answer: as long as a spoken answer's assumed playback commonly lasts."""
END_OF_SPEECH = 1.0
"""Seconds that a question which is given up while it is spoken may take to say that no more sound comes."""
ANSWER_BEGINS_WITHIN = 4.0
"""Seconds in which an answer to speech begins, if one comes: the end of speech was seen after up to 1.4 s, audio 1.6 s later."""


class Session(MessageStream[LiveServerMessage]):
    """One conversation with a model. Made by :meth:`Live.connect`; usable from many threads, one of them receiving.

    A session ends when it is closed, by the server, or with the network; one that reconnects, only when that cannot be mended.
    From then on every method that needs the connection raises :class:`~genai_live.errors.SessionClosed` with the same
    ``close_info``. It is a context manager that closes itself.
    """

    def __init__(
        self,
        channel: Channel[LiveServerMessage],
        api_client: ApiClient,
        model: str,
        *,
        automatic_detection: bool = True,
        history: dict[str, Any] | None = None,
        deadline: Deadline | None = None,
        runner: Runner | None = None,
        non_blocking: frozenset[str] = frozenset(),
        setup: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(channel, model)
        self._setup: Mapping[str, Any] = MappingProxyType(setup or {})
        assert isinstance(channel.protocol, LiveProtocol)
        self._protocol = channel.protocol
        self._api_client = api_client
        self._known_model = Model(model, family_of(model, api_client))
        self._hold = SoundHold(channel, non_blocking) if self._known_model.family.refuses_sound_in_calls else None
        self._outlet = self._hold or channel
        """What messages of the user's go to."""
        backend, family = api_client.backend, self._known_model.family

        def text_json(text: str) -> bytes:
            return _json.dumps(inputs.typed(text, backend, family))

        self._sound = SoundSink(channel, self._outlet.send, automatic_detection=automatic_detection, text_json=text_json)
        goes_on = bool(non_blocking) or family.default_behavior == "NON_BLOCKING"
        self._protocol.ledger.calls_have_turns = goes_on or family.several_turn_completes()
        self._answers = ToolAnswers(channel, api_client.backend, self._known_model, self._hold)
        self._runner = runner
        self._begun: Question | None = None
        """The question whose turn the caller has in part, as it had calls to answer: ``collect`` goes on with it."""
        if runner is not None:
            runner.attach(self._answers, self)
        if history is not None:
            self._send_history(history, deadline)

    # Sending: the caller's thread. Each blocks only while the server does not read, up to http_options.write_timeout.

    def send_client_content(self, *, turns: Any = None, turn_complete: bool | None = True) -> None:
        """Adds content to the conversation, in order, and by default asks for an answer; interrupts an answer that is under way.

        ``turns`` is a str, a Part, a Content, a list of one of these kinds, or dicts of them; None sends only ``turn_complete``.

        Raises:
            ConfigError: a shape that the service does not take; nothing was sent.
            SessionClosed: the session has ended.
        """
        message = inputs.client_content(turns, turn_complete, self._api_client.backend)
        self._send(message, Sent.NOTHING if turn_complete is False else Sent.QUESTION)

    def send_realtime_input(
        self,
        *,
        media: Any = None,
        audio: Any = None,
        video: Any = None,
        text: str | None = None,
        activity_start: Any = None,
        activity_end: Any = None,
        audio_stream_end: bool | None = None,
    ) -> None:
        """Sends exactly one piece of realtime input; the service answers by its own voice activity detection.

        ``audio`` is bytes or an array of 16-bit mono PCM at 16,000 Hz, ``Audio``, which brings its rate, or a Blob or a dict of
        one: ``audio/pcm;rate=16000``, or ``audio/wav``, of which the samples are sent. ``video`` is a PIL image, the path of a
        picture, or a Blob with an ``image/*`` MIME type; a picture made in memory goes out as JPEG of quality 90. A str in the
        ``data`` of a Blob or dict is base64. ``activity_start`` and ``activity_end`` need automatic detection switched off,
        ``audio_stream_end`` needs it on.

        Raises:
            ConfigError: none or several arguments, or a value that is not what its name says; nothing was sent.
            SessionClosed: the session has ended.
        """
        if media is video is text is activity_start is activity_end is audio_stream_end is None:
            short = inputs.audio_json(audio)
            if short is not None:
                self._outlet.send(short, Sent.AUDIO)
                return
        message = inputs.realtime_input(
            self._api_client.backend,
            media=media,
            audio=audio,
            video=video,
            text=text,
            activity_start=activity_start,
            activity_end=activity_end,
            audio_stream_end=audio_stream_end,
        )
        kind = Sent.NOTHING
        if audio is not None or media is not None:
            kind = Sent.AUDIO
        elif video is not None:
            kind = Sent.VIDEO
        elif text is not None:
            kind = Sent.QUESTION
        elif activity_end is not None:
            kind = Sent.ACTIVITY_END
        elif activity_start is not None:
            kind = Sent.ACTIVITY_START
        elif audio_stream_end:
            kind = Sent.SOUND_END
        self._send(message, kind)

    def send_tool_response(self, *, function_responses: Any) -> None:
        """Answers calls of the model: a FunctionResponse, a dict of one, or a list; each with the call's id and name.

        A response without an id is that of the only call of its name that waits for one.

        Raises:
            ConfigError: a name or response is missing, or an id that nothing else tells, the model's family refuses
                ``scheduling``, or with ``run_tools`` the call is one that its function answers; nothing was sent.
            SessionClosed: the session has ended.
        """
        responses = self._answers.checked(function_responses)
        if self._runner is not None:
            for response in responses:
                if self._runner.owns(response.get("id") or "", response["name"]):
                    words = f"the call of {response['name']!r} is answered by its function, because of run_tools"
                    raise ConfigError(words, "function_responses")
        self._answers.send(responses)

    def send_context_update(self, *, system_instruction: Any = None, tools: Any = None) -> None:
        """Replaces the system instruction, the tools, or both, while connected; an empty list of tools removes all.

        Raises:
            ConfigError: both are missing, one has a wrong shape, or the model's family refuses a tool; nothing was sent.
            SessionClosed: the session has ended.
        """
        if self._runner is not None:
            tools = self._runner.registry.declarations(tools, "tools")
        message = inputs.context_update(system_instruction, tools, self._api_client.backend)
        if tools is not None:
            model, held = self._known_model, message["contextUpdate"]["tools"]
            check_tools(held["tools"], model, "tools")
            held["tools"] = in_form_of(model.family, held["tools"])
            if self._runner is not None:
                self._runner.registry.note_declared(held["tools"])
        self._send(message, Sent.NOTHING)

    def send_text(self, text: str) -> None:
        """Sends what the user wrote and asks for an answer, in the form that the session's model takes.

        Raises:
            ConfigError: not a str; nothing was sent.
            SessionClosed: the session has ended.
        """
        self._send(self._text_message(text), Sent.QUESTION)

    @letting_go
    def stream_audio(
        self,
        source: Any,
        *,
        rate: int = 16_000,
        chunk_ms: int = 40,
        realtime: bool | None = None,
        wait: bool = True,
        end: bool = True,
    ) -> AudioStream:
        """Sends a whole recording or a stream of PCM in chunks: bytes, a WAV file, Audio, or an iterable of these.

        ``rate`` (Hz) is that of bytes; a WAV file brings its own. ``chunk_ms`` is 20 to 100 milliseconds.

        ``realtime`` says when a chunk goes out. None sends a microphone's sound as it comes, and holds back what comes faster
        than it can have been spoken: what is in memory goes out as fast as it was spoken, and of an iterable only what is more
        than 1 s ahead of a clock waits; the clock starts anew whenever the iterable was waited for, longer than a quarter of a
        chunk. True paces strictly, whatever the source; False not at all.

        ``wait=True`` blocks the caller until all is sent, and the caller's thread pulls an iterable. ``wait=False`` returns at
        once: one thread paces the streams of all sessions, or the reader that they share, and an iterable is pulled by a thread
        of its own, up to 25 chunks ahead, with the context variables of the thread that connected. A generator is closed by the
        thread that pulled it, when the stream is over; one that blocks, when it returns.

        A ``SoundFeed`` is handed its sound, by a thread that must not wait, and sent as it comes; it needs ``wait=False``.

        ``end`` sends the server, after the last chunk, the end of the sound, where it detects speech by itself; for a source
        that fails none is sent. The handle has ``done`` and ``progress``, and can ``mute`` and ``cancel``.

        Raises:
            ConfigError: the source is not what it should be, or the session is already streaming.
            SessionClosed: the session has ended, or ends meanwhile (``wait=True``; otherwise the handle has the error then).
            Exception: whatever an iterable raises (``wait=True``; otherwise the log, ``on_error`` and the handle have it).
        """
        return stream_audio(self._sound, source, rate=rate, chunk_ms=chunk_ms, realtime=realtime, wait=wait, end=end, owner=self)

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        """Has ``function`` called once in ``seconds``, on the thread that paces this session's sound; returns at once.

        That is the reader which sessions share, or one thread for all sessions of the process: the function must not block. It
        is called also when the session has ended meanwhile, in the context of this call; what it raises is logged.

        Raises:
            ConfigError: ``seconds`` is not a number from 0 up.
            ForkedSession: in a child of the process that opened the session.
        """
        number_from_0(seconds, "seconds")
        if self._connection.forked:
            self._connection.check_usable()
        (self._connection.pacing or pacing_thread).pace(Later(time.monotonic() + seconds, function))

    # Receiving: one thread at a time, never a callback.

    def receive(self, timeout: float | None = None) -> Iterator[LiveServerMessage]:
        """Yields messages up to and including the one that ends the model's turn. Blocks; Ctrl-C interrupts it.

        ``timeout`` is in seconds for the whole turn. When the session ends and nothing was lost, the iterator ends quietly,
        once; a later call raises.

        Raises:
            ReceiveTimeout: the turn did not end in time; the session is still usable.
            SessionClosed: the session has ended, by the server in mid-turn or by the network.
            WrongThread: called from a callback or a function of ``run_tools``, or while another thread receives.
        """
        self._check_receiver()
        closings = self._protocol.ledger.closings
        return TurnIterator(self._connection, Deadline.of(timeout), "the model's turn did not end", self._raise_end, closings)

    def reserve(self, holder: str, *, receives: bool = True) -> Reserved[LiveServerMessage]:
        """Makes the caller the one receiver until ``release``; meanwhile WrongThread names ``holder`` to all else that receives.

        For what receives in the place of the user, such as a voice conversation: iterating over what this returns gives every
        message. Sending stays free. Whose ``on_message`` takes all says ``receives=False``, and no message is kept meanwhile.

        Raises:
            WrongThread: another thread receives, or somebody has reserved it already.
        """
        self._check_receiver()
        messages = MessageIterator(self._connection, Deadline(None), "", self._raise_unless_clean)
        reserved = Reserved(messages, holder, self._unreserve)
        self._reserved = reserved
        self._connection.inbox.keeps = receives
        return reserved

    def _unreserve(self, reserved: object) -> None:
        if self._reserved is reserved:
            self._reserved = None
            self._connection.inbox.keeps = True

    def collect(
        self,
        timeout: float | None = None,
        *,
        until: Literal["complete", "generated"] = "complete",
        on_update: Callable[[Turn], object] | None = None,
    ) -> Turn:
        """Waits for the end of a turn of the model and returns it whole. ``timeout`` is in seconds.

        Goes on with the oldest turn that nobody has received to its end, as ``receive`` does, or with the next one: ``ask`` says
        the rest.

        Raises:
            ReceiveTimeout: the turn did not end in time; its ``messages`` are what had come, and stay to be received.
            TurnLost: the turn is lost with its connection; the session goes on over another one.
            ServiceError: the service answered with an error.
            SessionClosed: the session ended before the turn did.
            WrongThread: called from a callback or a function of ``run_tools``, or while another thread receives.
        """
        self._check_receiver()
        return self._given(None, Deadline.of(timeout), until, on_update)

    def ask(
        self,
        content: Any,
        timeout: float | None = None,
        *,
        until: Literal["complete", "generated"] = "complete",
        on_update: Callable[[Turn], object] | None = None,
    ) -> Turn:
        """Asks, waits for the answer and returns it: always that to this question, whatever was left of earlier ones.

        ``content`` is what ``send_client_content`` takes; Audio, or the ``pathlib.Path`` of a WAV file, is spoken in real time. A
        str is text: one that is the path of a WAV file is refused.
        ``timeout`` is in seconds for all of it. Messages about earlier questions that nobody has received are passed over
        (``turn.skipped``), their text is logged; a turn that nobody asked for stays to be received. Calls that only the caller
        can answer end the wait at once: ``turn.tool_calls`` has them, and ``collect`` after ``send_tool_response`` goes on with
        the same question. ``until="generated"`` does not wait for the time in which the answer would have been played.
        ``on_update(Turn)`` gets the turn so far with each of its messages, on this thread.

        A second question that is sent before the answer to the first has begun may be answered in the same turn, or instead of
        it: then 4 seconds of silence pass before ``ask`` returns that turn, with ``turn.questions == 2``.

        Raises:
            ConfigError: a shape that the service does not take, or the path of a WAV file as a str; nothing was sent.
            ReceiveTimeout, TurnLost, ServiceError, SessionClosed, WrongThread: as ``collect``.
        """
        self._check_receiver()
        return self._given(lambda deadline: self._asked(content, deadline), Deadline.of(timeout), until, on_update)

    def _given(
        self,
        asking: Callable[[Deadline], Question] | None,
        deadline: Deadline,
        until: str,
        on_update: Callable[[Turn], object] | None,
    ) -> Turn:
        if until not in ("complete", "generated"):
            raise ConfigError(f'must be "complete" or "generated", not {came(until)}', "until")
        if on_update is not None and not callable(on_update):
            raise ConfigError(f"must be a function that takes a Turn, not {came(on_update)}", "on_update")
        channel, protocol = self._connection, self._protocol
        runs_of = None if self._runner is None else self._runner.runs_of
        until_generated = until == "generated"
        gatherer = Gatherer(channel.inbox, protocol.ledger, until_generated=until_generated, on_update=on_update, runs_of=runs_of)
        try:
            channel.inbox.begin_to_gather()  # before anything is sent: nothing of the answer is forgotten
            question = None if asking is None else asking(deadline)
            reports_usage, begun = protocol.usage is not None, self._begun
            turn = gatherer.turn(question, deadline, channel.end_error, reports_usage=reports_usage, begun=begun)
            self._begun = gatherer.begun
            channel.inbox.claim = {GIVEN: gatherer.taken}  # the last step: a turn that is not handed over stays in the queue
            return turn  # noqa: TRY300 # nothing may come between the two
        except LEAVES_A_SESSION_OPEN as error:
            gatherer.give_up(error)
            failure = bare(error)
        except BaseException as error:  # a signal handler may raise anything
            gatherer.give_up(error)
            raise
        del self, channel, protocol, gatherer, asking, on_update
        try:
            raise failure
        finally:
            del failure  # it has this frame now, and would keep itself alive

    def _asked(self, content: Any, deadline: Deadline) -> Question:
        """Sends a question, and returns it."""
        if isinstance(content, (Audio, Path)):
            return self._spoken(content, deadline)
        if isinstance(content, str):
            message = self._text_message(inputs.no_file_name(content))
        else:
            message = inputs.client_content(content, True, self._api_client.backend, "content")
        question = self._protocol.ledger.asked(Asked.CONTENT)
        self._send(message, Sent.QUESTION, deadline, question)
        return question

    def _spoken(self, sound: Audio | Path, deadline: Deadline) -> Question:
        """Speaks a question, and returns it."""
        question = self._protocol.ledger.asked(Asked.SPEECH)
        backend = self._api_client.backend
        if self._sound.automatic_detection:
            self._protocol.ledger.written(question)
        else:
            self._send(inputs.realtime_input(backend, activity_start={}), Sent.ACTIVITY_START, deadline)
        stream = self.stream_audio(sound if isinstance(sound, Audio) else str(sound), wait=False)
        try:
            is_spoken = stream.wait(deadline.left())
        finally:
            stream.cancel()
            with contextlib.suppress(LiveError):
                stream.wait(END_OF_SPEECH)  # what is sent next comes behind its end
        if not self._sound.automatic_detection:
            self._send(inputs.realtime_input(backend, activity_end={}), Sent.ACTIVITY_END, None, question)
        if not is_spoken:
            raise ReceiveTimeout(f"the question could not be spoken within {deadline.seconds:g} s; the session is still open")
        return question

    # Ending.

    @letting_go
    def finish(self, timeout: float | None = FINISH_TIMEOUT) -> None:
        """Ends politely: says that no more speech comes, lets the answer arrive, then closes. What arrives can still be received.

        Waits up to ``timeout`` seconds for the end of the answer, and for functions that run because of ``run_tools``: their
        answers go out. In a callback it cannot wait, and closes at once. In a function of ``run_tools`` it returns at once, and
        the session ends when that function's answer has gone out and the model's has come, at the latest after ``timeout``.
        """
        deadline = Deadline.of(timeout)
        if not self._connection.is_answering:
            self._finish(deadline)
            return
        try:
            threading.Thread(target=self._finish, args=(deadline,), name="genai-live-finish", daemon=True).start()
        except RuntimeError:  # no more threads
            self.close()

    def _finish(self, deadline: Deadline) -> None:
        channel = self._connection
        if channel.close_info is None and not channel.forked and not channel.is_reader_thread:
            self._protocol.move(Event.FINISH_ASKED)  # first, so that an end that comes of what is sent is one while finishing
            with contextlib.suppress(SessionClosed, ReceiveTimeout):  # the end has come already, or no time is left for an answer
                self._end_input(deadline)
                if self._runner is not None:
                    self._runner.wait(deadline.left())
                self._wait_for_answer(deadline)
        left = deadline.left()
        self.close(CLOSE_TIMEOUT if left is None else max(min(left, CLOSE_TIMEOUT), 0.1))

    def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Ends the session now. Idempotent, from any thread, callbacks included; returns within ``timeout`` seconds.

        Functions that run because of ``run_tools`` are notified (``context.cancelled``) and not waited for; nothing of them is
        sent. In a forked child it closes the descriptor only: the session stays the parent's.

        Raises:
            ConfigError: ``timeout`` is not a number.
        """
        deadline = Deadline.of(timeout)
        if self._runner is not None and not self._connection.forked:
            self._runner.close()
        self._connection.close(deadline)

    def _end_input(self, deadline: Deadline) -> None:
        backend, protocol = self._api_client.backend, self._protocol
        if protocol.activity is Activity.OPEN:
            self._send(inputs.realtime_input(backend, activity_end={}), Sent.ACTIVITY_END, deadline)
        elif protocol.sound.sent and self._sound.automatic_detection:
            self._send(inputs.realtime_input(backend, audio_stream_end=True), Sent.SOUND_END, deadline)

    def _wait_for_answer(self, deadline: Deadline) -> None:
        protocol, turn_over = self._protocol, self._connection.delivery.turn_over
        turn_over.clear()
        begin = Deadline(ANSWER_BEGINS_WITHIN)
        while self.close_info is None and not deadline.passed:
            if not protocol.turn_open and (not protocol.sound.sent or begin.passed):
                return
            first = deadline if protocol.turn_open else begin
            limits = (first.left(), deadline.left(), ANSWER_BEGINS_WITHIN)
            Deadline(min(limit for limit in limits if limit is not None)).wait(turn_over)
            turn_over.clear()

    # What is known. Any thread, never blocks.

    @property
    def stats(self) -> Stats:
        """Counters, as they stand now."""
        counted, hold = super().stats, self._hold
        return counted if hold is None else replace(counted, held=hold.held, dropped=counted.dropped + hold.dropped)

    @property
    def tool_runs(self) -> tuple[ToolRun, ...]:
        """The newest 1,000 calls that were run because of ``run_tools``, oldest first, as they stand now."""
        return () if self._runner is None else self._runner.runs

    @property
    def setup(self) -> Mapping[str, Any]:
        """The members of the setup message as it was sent, in the wire's spelling; not to be changed."""
        return self._setup

    @property
    def setup_complete(self) -> LiveServerSetupComplete | None:
        """The server's answer to the setup."""
        return self._protocol.setup_complete

    @property
    def session_id(self) -> str | None:
        """Id of the session; only Vertex AI gives one."""
        return self.setup_complete.session_id if self.setup_complete else None

    @property
    def usage(self) -> UsageMetadata | None:
        """Sum of all usage reports so far, by modality too; None before the first."""
        return self._protocol.usage

    @property
    def resumption(self) -> Resumption:
        """What ``connect(resume=...)`` needs to go on after this connection; kept up to date also while no thread receives."""
        return self._protocol.resumption

    # Inside.

    def _details(self) -> dict[str, object]:
        usage, resumption = self.usage, self.resumption
        return {
            **super()._details(),
            "session id": self.session_id,
            "tokens": None if usage is None else usage.total_token_count,
            "can be resumed": resumption.handle is not None,
            "calls run": len(self.tool_runs),
        }

    def _text_message(self, text: str) -> dict[str, Any]:
        return inputs.typed(text, self._api_client.backend, self._known_model.family)

    def _send_history(self, history: dict[str, Any], deadline: Deadline | None) -> None:
        """Sends the conversation that the session goes on with; a session that did not get it is closed."""
        try:
            self._send(history, Sent.QUESTION, deadline)
        except BaseException:
            self.close(0.0)
            raise

    def _send(
        self, message: dict[str, Any], kind: Sent, deadline: Deadline | None = None, question: Question | None = None
    ) -> None:
        if kind is Sent.QUESTION:
            question = question or self._protocol.ledger.asked(Asked.CONTENT)
            question.text = inputs.words_of_question(message)
        try:
            self._outlet.send(_json.dumps(message), kind, question, deadline=deadline)
        except TimeoutError:
            assert deadline is not None
            raise ReceiveTimeout(
                f"the message could not be sent within {deadline.seconds:g} s, because the server does not read;"
                " the session is still open"
            ) from None
