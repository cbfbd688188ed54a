"""Live music: prompts and config in, an endless stream of sound out. Methods run on the caller's thread, as in ``session``.

Developer API only; the service calls its music method (BidiGenerateMusic) experimental.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genai_live import _json, _public
from genai_live._arguments import came, is_number
from genai_live._backends import MUSIC_METHOD, Backend
from genai_live._client_messages import music_inputs
from genai_live._client_messages.first_message import Setup
from genai_live._connection.channel import Channel
from genai_live._connection.opening import CONNECT_TIMEOUT, Opener
from genai_live._connection.protocol import BidiProtocol, MusicProtocol
from genai_live._deadline import Deadline
from genai_live._message_stream import MessageIterator, MessageStream
from genai_live._synchronous import Synchronous
from genai_live.audio import SAMPLE_BYTES, Audio, channels_of, rate_of
from genai_live.callbacks import LiveMusicCallbacks
from genai_live.errors import ConfigError, DecodeError
from genai_live.types import (
    AudioChunk,
    LiveMusicGenerationConfig,
    LiveMusicPlaybackControl,
    LiveMusicServerMessage,
    LiveMusicServerSetupComplete,
    WeightedPrompt,
)

if TYPE_CHECKING:
    from genai_live.api_client import ApiClient

__all__ = ["MUSIC_CHANNELS", "MUSIC_RATE", "LiveMusic", "MusicSession"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)

MUSIC_RATE = 48_000
"""Hz of the service's music where its MIME type names no rate."""
MUSIC_CHANNELS = 2
"""Channels of the service's music where its MIME type names none."""
_PCM_TYPES = ("audio/l16", "audio/pcm")
"""MIME types of raw samples. RFC 2586 defines ``audio/l16`` as big-endian; the service sends little-endian under that name."""


class LiveMusic(Synchronous):
    """Opens music sessions. This is what ``Client.live.music`` is; usable from many threads."""

    def __init__(self, api_client: ApiClient, opener: Opener, opened: Callable[[MusicSession, Channel[Any]], None]) -> None:
        self._api_client = api_client
        self._opener = opener
        self._opened = opened

    def connect(
        self,
        *,
        model: str,
        callbacks: LiveMusicCallbacks | Mapping[str, Any] | None = None,
        timeout: float | None = CONNECT_TIMEOUT,
    ) -> MusicSession:
        """Opens a music session and returns it after setupComplete. Blocks; Ctrl-C gives up.

        Nothing plays yet: set prompts, then ``play()``.

        Args:
            model: The model's name, such as "models/lyria-realtime-exp", with or without ``models/``.
            callbacks: Functions to call on the reader thread; ``on_message`` gets LiveMusicServerMessage.
            timeout: Seconds for name lookup, proxy, TLS, upgrade and setup together; None for no limit.

        Raises:
            ConfigError: the arguments cannot work, or this is a client of Vertex AI; nothing was sent.
            ConnectError: or one of its kinds, as with ``Live.connect``.
        """
        checked_callbacks = LiveMusicCallbacks.of(callbacks)
        deadline = Deadline.of(timeout).or_earlier(self._api_client.request_deadline())
        self._api_client.live_endpoint(MUSIC_METHOD)  # refuses Vertex AI before anybody looks up its project
        setup = Setup({"model": self._api_client.model_path(model, deadline)})

        def hold(channel: Channel[LiveMusicServerMessage]) -> MusicSession:
            session = MusicSession(channel, self._api_client.backend, model)
            self._opened(session, channel)
            return session

        return self._opener.open(self._api_client, setup, MusicProtocol, checked_callbacks, deadline, hold)


class MusicSession(MessageStream[LiveMusicServerMessage]):
    """Music that is made while it plays. Made by :meth:`LiveMusic.connect`; usable from many threads, one of them receiving.

    It ends as a Session does: closed, by the server, or with the network. From then on every method that needs the connection
    raises :class:`~genai_live.errors.SessionClosed`. An end while it plays counts as a loss, unless this program closed it.
    """

    def __init__(self, channel: Channel[LiveMusicServerMessage], backend: Backend, model: str) -> None:
        super().__init__(channel, model)
        assert isinstance(channel.protocol, MusicProtocol)
        self._protocol = channel.protocol
        self._backend = backend
        self._tape = _Tape()

    # Steering: the caller's thread. Each blocks only while the server does not read, up to http_options.write_timeout.

    def set_weighted_prompts(self, prompts: Sequence[WeightedPrompt | Mapping[str, Any]]) -> None:
        """Says what the music should be like from now on; takes the place of all earlier prompts.

        Each prompt is a WeightedPrompt, or a dict such as ``{"text": "minimal techno", "weight": 1.0}``. The service scales the
        weights of one call so that they add up to 1.

        Raises:
            ConfigError: no prompt, or one whose weight is 0 or not finite; nothing was sent.
            SessionClosed: the session has ended.
        """
        self._send(music_inputs.weighted_prompts(prompts, self._backend))

    def set_music_generation_config(self, config: LiveMusicGenerationConfig | Mapping[str, Any]) -> None:
        """Says how the music is made; takes the place of the whole earlier config, so ``{}`` goes back to the defaults.

        A new ``bpm`` or ``scale`` is heard after ``reset_context()``.

        Raises:
            ConfigError: an unknown field, or a value outside its range; nothing was sent.
            SessionClosed: the session has ended.
        """
        self._send(music_inputs.generation_config(config, self._backend))

    def play(self) -> None:
        """Starts the music, or goes on after ``pause()``.

        Raises:
            SessionClosed: when the session has ended.
        """
        self._control(LiveMusicPlaybackControl.PLAY)

    def pause(self) -> None:
        """Pauses the music; ``play()`` goes on at the same place.

        Raises:
            SessionClosed: when the session has ended.
        """
        self._control(LiveMusicPlaybackControl.PAUSE)

    def stop(self) -> None:
        """Stops the music and forgets what was played, not the prompts and the config.

        Raises:
            SessionClosed: when the session has ended.
        """
        self._control(LiveMusicPlaybackControl.STOP)

    def reset_context(self) -> None:
        """Forgets what was played without stopping: prompts and config are heard afresh.

        Raises:
            SessionClosed: when the session has ended.
        """
        self._control(LiveMusicPlaybackControl.RESET_CONTEXT)

    def _control(self, control: LiveMusicPlaybackControl) -> None:
        self._connection.check_usable()
        self._protocol.note_playback(control)
        self._send(music_inputs.playback(control))

    def _send(self, message: dict[str, Any]) -> None:
        self._connection.send(_json.dumps(message))

    # Receiving: one thread at a time, never a callback.

    def receive(self, timeout: float | None = None) -> Iterator[LiveMusicServerMessage]:
        """Yields every message until the session ends. Blocks; Ctrl-C interrupts it.

        ``timeout`` is in seconds for each message, because music has no end. When the session ends and nothing was lost, the
        iterator ends quietly, once; a later call raises.

        Raises:
            ReceiveTimeout: no message came in time; the session is still usable.
            SessionClosed: the session has ended, by the server while it played or by the network.
            WrongThread: called from a callback, or while another thread receives.
        """
        self._check_receiver()
        Deadline.of(timeout)  # refused here, and not when the first message is asked for
        return _MusicIterator(self._connection, timeout, self._raise_end)

    def record(self, seconds: float, timeout: float | None = None) -> Audio:
        """Receives that many seconds of music and returns them, 48,000 Hz stereo; ``.save("music.wav")`` writes a file.

        What else came in the last message is the beginning of the next recording, so that recordings join without a gap. Blocks
        until the service has sent enough: it sends nothing before ``play()``. ``timeout`` is in seconds for all of it; what came
        within it is kept for the next recording.

        Raises:
            ConfigError: ``seconds`` is not a number above 0.
            ReceiveTimeout: the music did not come in time; the session is still usable.
            DecodeError: the sound is not 16-bit PCM, or its rate or channels changed in the middle.
            SessionClosed: the session ended before that.
            WrongThread: called from a callback, or while another thread receives.
        """
        self._check_receiver()
        if not is_number(seconds) or not 0 < seconds < math.inf:
            raise ConfigError(f"must be a number of seconds above 0, not {came(seconds)}", "seconds")
        deadline = Deadline.of(timeout)
        missing = f"{seconds:g} s of music did not come{_why_silent(self._protocol)}"
        messages = MessageIterator(self._connection, deadline, missing, self._raise_end)
        while not self._tape.holds(seconds):
            message = next(messages, None)
            if message is None:
                raise self._connection.end_error()
            for chunk in message.audio_chunks:
                self._tape.add(chunk)
        return self._tape.cut(seconds)

    # What is known. Any thread, never blocks.

    @property
    def setup_complete(self) -> LiveMusicServerSetupComplete | None:
        """The server's answer to the setup."""
        return self._protocol.setup_complete


class _MusicIterator(MessageIterator[LiveMusicServerMessage]):
    """Iterates over music, with ``timeout`` seconds for each message."""

    def __init__(self, channel: Channel[LiveMusicServerMessage], timeout: float | None, end: Callable[[], None]) -> None:
        super().__init__(channel, Deadline(timeout), "", end)
        self._protocol = channel.protocol
        self._timeout = timeout

    def __next__(self) -> LiveMusicServerMessage:
        self.deadline, self.missing = Deadline(self._timeout), f"no message came{_why_silent(self._protocol)}"
        return super().__next__()


def _why_silent(protocol: BidiProtocol[LiveMusicServerMessage]) -> str:
    return "" if protocol.turn_open else " (the music is not playing: play() starts it)"


class _Tape:
    """Music that was received for a recording and has not been handed out yet."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._rate = MUSIC_RATE
        self._channels = MUSIC_CHANNELS

    def add(self, chunk: AudioChunk) -> None:
        """Appends a chunk.

        Raises:
            DecodeError: when it cannot follow what is there.
        """
        data = chunk.data or b""
        rate, channels = _format_of(chunk.mime_type, len(data))
        if self._pcm and (rate, channels) != (self._rate, self._channels):
            before = f"{self._rate} Hz with {self._channels} channel(s)"
            self._pcm.clear()  # the next recording is of the new kind
            raise DecodeError(f"its sound is {rate} Hz with {channels} channel(s), and what it follows is {before}", len(data))
        self._rate, self._channels = rate, channels
        self._pcm += data

    def _bytes_of(self, seconds: float) -> int:
        return round(seconds * self._rate) * self._channels * SAMPLE_BYTES

    def holds(self, seconds: float) -> bool:
        """True when there is that much."""
        return bool(self._pcm) and len(self._pcm) >= self._bytes_of(seconds)

    def cut(self, seconds: float) -> Audio:
        """Takes that much off the beginning."""
        end = self._bytes_of(seconds)
        with memoryview(self._pcm) as whole, whole[:end] as beginning:  # released now, on PyPy too: a view forbids ``del``
            taken = bytes(beginning)
        del self._pcm[:end]
        return Audio(taken, self._rate, self._channels)


def _format_of(mime_type: str | None, size: int) -> tuple[int, int]:
    """Hz and channels that a chunk's MIME type names."""
    kind, _, parameters = (mime_type or _PCM_TYPES[0]).lower().partition(";")
    if kind.strip() not in _PCM_TYPES:
        raise DecodeError(f"its sound is {mime_type!r}, not 16-bit PCM", size)
    try:
        channels = channels_of(mime_type or "") if "channels" in parameters else MUSIC_CHANNELS
        return rate_of(mime_type or _PCM_TYPES[0], MUSIC_RATE), channels
    except ConfigError as error:
        raise DecodeError(str(error), size) from None
