"""Sends a session's outgoing sound as messages, for one stream at a time. Any thread."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Protocol

from genai_live import _json
from genai_live._base64_text import Payload
from genai_live._client_messages.inputs import AUDIO_STREAM_END, AUDIO_SUFFIX, audio_prefix
from genai_live._client_messages.sounds import PCM_MIME_TYPE
from genai_live._connection.protocol import ACTIVITY_START, Sent
from genai_live._connection.timetable import Pacing
from genai_live.errors import CloseInfo, ConfigError, LiveError

_PREFIX = audio_prefix(PCM_MIME_TYPE)
_UNDER_WAY = "under way"
_SECOND_STREAM = "this session is already streaming, and two sounds at once are noise: wait for the first, or cancel it"


Mark = str | Sent
"""What stands between sounds: a typed sentence, or the beginning or end of an activity."""
_MARKS = {
    Sent.ACTIVITY_START: ACTIVITY_START,
    Sent.ACTIVITY_END: _json.dumps({"realtimeInput": {"activityEnd": {}}}),
}


class Outlet(Protocol):
    """What sound needs of a session's connection, which may be one or several in a row."""

    @property
    def close_info(self) -> CloseInfo | None:
        """How the session ended; None while it is open."""

    @property
    def forked(self) -> bool:
        """True in a child of the process that opened the session."""

    @property
    def pacing(self) -> Pacing | None:
        """The thread that paces the session's streams; None for the one of the process."""

    def unsent_bytes(self) -> int:
        """Bytes that were sent without waiting and that the network has not taken yet."""

    def check_usable(self) -> None:
        """Raises the error of the end, if there was one, or of the fork."""

    def send(self, payload: Payload, kind: Sent = ..., *, wait: bool = ...) -> None:
        """Sends one message; ``wait=False`` never blocks. Raises the error of the end once there was one."""

    def report(self, error: LiveError) -> None:
        """Has ``on_error`` called where callbacks run. Never blocks."""


class Stream(Protocol):
    """A stream under way, as far as its session knows it."""

    def cancel(self) -> None:
        """Ends the stream soon; returns at once."""


class SoundSink:
    """One session's door for sound. Each session owns one; one stream at a time has it.

    ``send`` is what stands before the outlet, with its signature; None sends straight into it.
    """

    def __init__(
        self,
        outlet: Outlet,
        send: Callable[..., None] | None = None,
        *,
        automatic_detection: bool,
        text_json: Callable[[str], bytes] = lambda _: b"",
    ) -> None:
        self._outlet = outlet
        self._send = send or outlet.send
        self.unsent_bytes = outlet.unsent_bytes
        """Bytes that were sent without waiting and that the network has not taken yet."""
        self._text_json = text_json
        """The message of a typed sentence, in the form that the session's model takes."""
        self.automatic_detection = automatic_detection
        """True when the server detects speech by itself, and so needs the end of the sound."""
        self.context = contextvars.copy_context()
        """The context variables of the thread that connected. Threads run in copies: only one can be in a context."""
        self._claim: dict[str, Stream] = {}
        """The stream under way, while one is. Single steps on a dict in place of a lock: Ctrl-C finds it right at any moment."""

    @property
    def stream(self) -> Stream | None:
        """The stream under way, or None."""
        return self._claim.get(_UNDER_WAY)

    def claim(self, stream: Stream) -> None:
        """Notes that the stream is under way.

        Raises:
            ConfigError: another one is.
        """
        if self._claim.setdefault(_UNDER_WAY, stream) is not stream:
            raise ConfigError(_SECOND_STREAM)

    def release(self, stream: Stream) -> None:
        """Notes that the stream is over; nothing happens when it is not the one under way."""
        if self._claim.get(_UNDER_WAY) is stream:
            del self._claim[_UNDER_WAY]

    @property
    def pacing(self) -> Pacing | None:
        """The thread that paces the session's streams; None for the one of the process."""
        return self._outlet.pacing

    @property
    def forked(self) -> bool:
        """True in a child of the process that opened the session: nothing is sent or paced there."""
        return self._outlet.forked

    def check_usable(self) -> None:
        """Raises the session's error once it has ended, and in a forked child."""
        if self._outlet.close_info is not None:
            self._outlet.check_usable()

    def report(self, error: LiveError) -> None:
        """Has ``on_error`` called where callbacks run. Never blocks."""
        self._outlet.report(error)

    def send(self, pcm: bytes, *, wait: bool) -> None:
        """Sends PCM16 mono at 16,000 Hz; ``wait=False`` never blocks. Raises the session's error once it has ended."""
        self._send(b"".join((_PREFIX, _json.b64encode(pcm), AUDIO_SUFFIX)), Sent.AUDIO, wait=wait)

    def send_mark(self, mark: Mark) -> None:
        """Sends what is done beside speaking; never blocks, raises as ``send``."""
        if isinstance(mark, str):
            self._send(self._text_json(mark), Sent.QUESTION, wait=False)
        else:
            self._send(_MARKS[mark], mark, wait=False)

    def send_end(self, *, wait: bool) -> None:
        """Says that no sound comes for a while (audioStreamEnd); as ``send``."""
        self._send(AUDIO_STREAM_END, Sent.SOUND_END, wait=wait)
