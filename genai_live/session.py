"""The session that the user holds: sends on the caller's thread, receives what the reader thread queued."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from genai_live import _json, families
from genai_live._client_messages import inputs
from genai_live._connection.channel import Channel
from genai_live._connection.protocol import Event, LiveProtocol, Resumption, Sent, ends_turn
from genai_live._deadline import Deadline
from genai_live._message_stream import CLOSE_TIMEOUT, Messages, MessageStream, Stats
from genai_live._streaming.audio_stream import AudioStream, stream_audio
from genai_live._tracebacks import letting_go
from genai_live.errors import ConfigError, ReceiveTimeout, SessionClosed, TurnLost
from genai_live.turn import Turn, assemble
from genai_live.types import LiveServerMessage, LiveServerSetupComplete, UsageMetadata

if TYPE_CHECKING:
    from genai_live._connection.timetable import Pacing
    from genai_live.api_client import ApiClient

__all__ = ["Session", "Stats"]

FINISH_TIMEOUT = 10.0
"""Seconds that finish() waits for the end of the answer: as long as a spoken answer's assumed playback commonly lasts."""
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
    ) -> None:
        super().__init__(channel, model)
        assert isinstance(channel.protocol, LiveProtocol)
        self._protocol = channel.protocol
        self._automatic_detection = automatic_detection
        """False when the config switched off the server's voice activity detection: then this program marks where speech is."""
        self._api_client = api_client

    # Sending: the caller's thread. Each blocks only while the server does not read, up to http_options.write_timeout.

    def send_client_content(self, *, turns: Any = None, turn_complete: bool | None = True) -> None:
        """Adds content to the conversation, in order, and by default asks for an answer; interrupts an answer that is under way.

        ``turns`` is a str, a Part, a Content, a list of one of these kinds, or dicts of them; None sends only ``turn_complete``.

        Raises:
            ConfigError: a shape that the service does not take; nothing was sent.
            SessionClosed: the session has ended.
        """
        message = inputs.client_content(turns, turn_complete, self._api_client.backend)
        self._send(message, Sent.NOTHING if turn_complete is False else Sent.ANSWER)

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

        ``audio`` is a Blob or a dict of one (``audio/pcm;rate=16000``: 16-bit little-endian mono PCM), or bare bytes, which
        are PCM at 16,000 Hz. ``video`` is a Blob with an ``image/*`` MIME type, or a PIL image. ``activity_start`` and
        ``activity_end`` need automatic detection switched off, ``audio_stream_end`` needs it on.

        Raises:
            ConfigError: none or several arguments, or a value that is not what its name says; nothing was sent.
            SessionClosed: the session has ended.
        """
        if media is video is text is activity_start is activity_end is audio_stream_end is None:
            short = inputs.audio_json(audio)
            if short is not None:
                self._channel.send(short, Sent.AUDIO)
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
        elif text is not None or activity_end is not None:
            kind = Sent.ANSWER
        elif activity_start is not None:
            kind = Sent.ACTIVITY_START
        self._send(message, kind)

    def send_tool_response(self, *, function_responses: Any) -> None:
        """Answers calls of the model: a FunctionResponse, a dict of one, or a list; each with the call's id and name.

        Raises:
            ConfigError: an id, name or response is missing; nothing was sent.
            SessionClosed: the session has ended.
        """
        message = inputs.tool_response(function_responses, self._api_client.backend)
        responses: list[dict[str, Any]] = message["toolResponse"]["functionResponses"]
        self._channel.check_usable()
        self._protocol.note_answered([response.get("id") or response.get("name") or "" for response in responses])
        self._send(message, Sent.NOTHING)

    def send_context_update(self, *, system_instruction: Any = None, tools: Any = None) -> None:
        """Replaces the system instruction, the tools, or both, while connected; an empty list of tools removes all.

        Raises:
            ConfigError: both are missing, or one has a wrong shape; nothing was sent.
            SessionClosed: the session has ended.
        """
        self._send(inputs.context_update(system_instruction, tools, self._api_client.backend), Sent.NOTHING)

    def send_text(self, text: str) -> None:
        """Sends what the user wrote and asks for an answer, in the form that the session's model takes.

        Raises:
            ConfigError: not a str; nothing was sent.
            SessionClosed: the session has ended.
        """
        self._send(self._text_message(text), Sent.ANSWER)

    def stream_audio(
        self,
        source: Any,
        *,
        rate: int = 16_000,
        chunk_ms: int = 40,
        realtime: bool = True,
        wait: bool = True,
        end: bool = True,
    ) -> AudioStream:
        """Sends a whole recording or a stream of PCM in chunks: bytes, the path of a WAV file, Audio, or an iterable of bytes.

        ``rate`` (Hz) is that of bytes; a WAV file brings its own. ``chunk_ms`` is 20 to 100. ``realtime`` paces the chunks as
        a microphone would; otherwise they go out at once. ``wait=True`` blocks the caller until all is sent; ``wait=False``
        returns at once, and one thread paces the streams of all sessions, or the reader that they share. ``end`` tells the
        server afterwards that no more comes, where it detects speech by itself. The handle tells ``done`` and ``progress`` and
        can ``mute`` and ``cancel``.

        Raises:
            ConfigError: the source is not what it should be.
            SessionClosed: the session has ended, or ends meanwhile (``wait=True``; otherwise the handle has the error then).
        """
        return stream_audio(self, source, rate=rate, chunk_ms=chunk_ms, realtime=realtime, wait=wait, end=end)

    # Receiving: one thread at a time, never a callback.

    def receive(self, timeout: float | None = None) -> Iterator[LiveServerMessage]:
        """Yields messages up to and including the one that ends the model's turn. Blocks; Ctrl-C interrupts it.

        ``timeout`` is in seconds for the whole turn. When the session ends and nothing was lost, the iterator ends quietly,
        once; a later call raises.

        Raises:
            ReceiveTimeout: the turn did not end in time; the session is still usable.
            SessionClosed: the session has ended, by the server in mid-turn or by the network.
            WrongThread: called from a callback, or while another thread receives.
        """
        self._check_receiver()
        return self._turn(Deadline.of(timeout))

    def _turn(self, deadline: Deadline) -> Messages[LiveServerMessage]:
        return Messages(lambda: self._next_of_turn(deadline), self._tell_end, ends_turn)

    def _next_of_turn(self, deadline: Deadline) -> LiveServerMessage | None:
        message = self._next(deadline, "the model's turn did not end")
        lost = None if message is None else message.reconnecting
        if lost is not None and lost.turn_lost:
            raise TurnLost(lost.close_info)
        return message

    @letting_go
    def collect(self, timeout: float | None = None) -> Turn:
        """Waits for the end of the model's turn and returns it whole. ``timeout`` is in seconds.

        Raises:
            ReceiveTimeout: the turn did not end in time; its ``messages`` are what had come.
            SessionClosed: the session ended before the turn did.
            WrongThread: called from a callback, or while another thread receives.
        """
        self._check_receiver()
        return self._collect(Deadline.of(timeout))

    def _collect(self, deadline: Deadline) -> Turn:
        messages: list[LiveServerMessage] = []
        try:
            for message in self._turn(deadline):
                messages.append(message)
        except (ReceiveTimeout, TurnLost) as error:
            error.messages = tuple(messages)
            raise
        if not messages or not ends_turn(messages[-1]):
            raise self._channel.end_error()
        return assemble(messages)

    @letting_go
    def ask(self, content: Any, timeout: float | None = None) -> Turn:
        """Sends content, waits for the model's turn and returns it. Takes what ``send_client_content`` takes; ``timeout`` is
        in seconds for both.

        With an ``on_message`` callback, messages that it has seen before are forgotten first.

        Raises:
            ConfigError: a shape that the service does not take; nothing was sent.
            ReceiveTimeout, SessionClosed, WrongThread: as ``collect``.
        """
        self._check_receiver()
        deadline = Deadline.of(timeout)
        if isinstance(content, str):
            message = self._text_message(content)
        else:
            message = inputs.client_content(content, True, self._api_client.backend, "content")
        if self._channel.dispatcher.callbacks.on_message is not None:
            self._channel.inbox.clear()
        self._send(message, Sent.ANSWER, deadline)
        return self._collect(deadline)

    # Ending.

    def finish(self, timeout: float | None = FINISH_TIMEOUT) -> None:
        """Ends politely: says that no more speech comes, lets the answer arrive, then closes. What arrives can still be received.

        Waits up to ``timeout`` seconds for the end of the answer. In a callback it cannot wait, and closes at once.
        """
        deadline = Deadline.of(timeout)
        channel = self._channel
        if channel.close_info is None and not channel.forked and not channel.is_reader_thread:
            self._protocol.move(Event.FINISH_ASKED)  # first, so that an end that comes of what is sent is one while finishing
            with contextlib.suppress(SessionClosed, ReceiveTimeout):  # the end has come already, or no time is left for an answer
                self._end_input(deadline)
                self._wait_for_answer(deadline)
        left = deadline.left()
        self.close(CLOSE_TIMEOUT if left is None else max(min(left, CLOSE_TIMEOUT), 0.1))

    def _end_input(self, deadline: Deadline) -> None:
        backend, protocol = self._api_client.backend, self._protocol
        if protocol.activity_open:
            self._send(inputs.realtime_input(backend, activity_end={}), Sent.ANSWER, deadline)
        elif protocol.audio_since_turn and self._automatic_detection:
            self._send(inputs.realtime_input(backend, audio_stream_end=True), Sent.NOTHING, deadline)

    def _wait_for_answer(self, deadline: Deadline) -> None:
        protocol, turn_over = self._protocol, self._channel.delivery.turn_over
        turn_over.clear()
        begin = Deadline(ANSWER_BEGINS_WITHIN)
        while self.close_info is None and not deadline.passed:
            if not protocol.turn_open and (not protocol.audio_since_turn or begin.passed):
                return
            first = deadline if protocol.turn_open else begin
            limits = (first.left(), deadline.left(), ANSWER_BEGINS_WITHIN)
            Deadline(min(limit for limit in limits if limit is not None)).wait(turn_over)
            turn_over.clear()

    # What is known. Any thread, never blocks.

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
        """What ``connect(resume=...)`` needs to go on after this connection; kept up to date even if nobody receives."""
        return self._protocol.resumption

    # Inside.

    def _text_message(self, text: str) -> dict[str, Any]:
        """What the user wrote, in the form that the session's model takes."""
        backend = self._api_client.backend
        if not isinstance(text, str):
            raise ConfigError(f"expected a str, got {type(text).__name__}", "text")
        if families.family_of(self._model, backend).text_as_realtime_input:
            return inputs.realtime_input(backend, text=text)
        return inputs.client_content(text, True, backend)

    def _send_history(self, history: dict[str, Any], deadline: Deadline) -> None:
        """Sends what connect() made of its history; a session that did not get it is closed."""
        try:
            self._send(history, Sent.ANSWER, deadline)
        except BaseException:
            self.close(0.0)
            raise

    def _send(self, message: dict[str, Any], kind: Sent, deadline: Deadline | None = None) -> None:
        try:
            self._channel.send(_json.dumps(message), kind, deadline=deadline)
        except TimeoutError:
            assert deadline is not None
            raise ReceiveTimeout(
                f"the message could not be sent within {deadline.seconds:g} s, because the server does not read;"
                " the session is still open"
            ) from None

    def _send_audio(self, pcm: bytes, mime_type: str, *, wait: bool = True) -> None:
        """The short way for paced audio: a prepared prefix, and no objects for a chunk. ``wait=False`` never blocks."""
        self._channel.send(
            b"".join((inputs.audio_prefix(mime_type), _json.b64encode(pcm), inputs.AUDIO_SUFFIX)), Sent.AUDIO, wait=wait
        )

    def _send_audio_stream_end(self, *, wait: bool = True) -> None:
        message = inputs.realtime_input(self._api_client.backend, audio_stream_end=True)
        self._channel.send(_json.dumps(message), wait=wait)

    @property
    def _pacing(self) -> Pacing | None:
        """The thread that paces this session's streams; None for the one of the process."""
        return self._channel.pacing

    @property
    def _unsent_bytes(self) -> int:
        """Bytes that were sent with ``wait=False`` and that the socket has not taken yet."""
        transport = self._channel.transport
        return transport.waiting_bytes if transport is not None else 0
