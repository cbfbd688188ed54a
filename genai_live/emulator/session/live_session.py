"""One session of the Live method: content, realtime input, tools, resumption. Runs on the emulator's loop thread."""

from __future__ import annotations

import io
import uuid
import wave
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from genai_live import _json
from genai_live.emulator.model.answers import Call, Prompt
from genai_live.emulator.model.conversation import SETUP_COMPLETE, Conversation
from genai_live.emulator.model.profiles import INVALID_ARGUMENT, Refusals
from genai_live.emulator.model.session_options import SessionOptions, declarations_of
from genai_live.emulator.model.utterances import DEFAULT_RATE, SpeechEvent, UtteranceDetector
from genai_live.emulator.server.encoding import Encoder
from genai_live.emulator.server.listener import Ending
from genai_live.emulator.server.received import ReceivedMessage
from genai_live.emulator.server.request import Route
from genai_live.emulator.server.validation import Refused
from genai_live.emulator.session.resumption import SavedSession
from genai_live.emulator.session.server_state import ServerState
from genai_live.emulator.session.session import Session
from genai_live.emulator.session.setup_checks import check_setup, check_tools
from genai_live.types.realtime import LiveClientMessage

if TYPE_CHECKING:
    from genai_live.emulator.server.connection import Connection

UNKNOWN_CALL = "Requested entity was not found."
SOUND_ON_ITS_WAY = 0.5
"""Seconds after a call in which sound is excused: it was sent before the client can have read the call."""
NO_SOUND_IN_CALLS = "Operation is not implemented, or supported, or enabled."
NO_MANUAL_ACTIVITY = "Explicit activity control is not supported when automatic activity detection is enabled."
NO_STREAM_END = "audio_stream_end is not supported when automatic activity detection is disabled."


class LiveSession(Session):
    """One WebSocket on BidiGenerateContent, or its Constrained form."""

    message_type = LiveClientMessage
    loopback_hears = False
    """True lets loopback sessions listen for speech too, so that a load test pays for it."""

    def __init__(self, server: ServerState, connection: Connection, route: Route, number: int) -> None:
        super().__init__(server, connection, route, number)
        self.conversation: Conversation | None = None
        self.utterances: UtteranceDetector | None = None
        self.session_id = str(uuid.UUID(int=server.random.getrandbits(128), version=4))
        self._contents = Prompt()
        self._history_due = False
        self._was_prompted = False
        self._audio_seconds = 0.0

    @property
    def audio_seconds(self) -> float:
        """Audio heard from the session's start, earlier connections included."""
        return self.utterances.seconds if self.utterances is not None else self._audio_seconds

    @property
    def state(self) -> str:
        """What its turn is doing, in words."""
        return self.conversation.state.value if self.conversation is not None else super().state

    def writable(self) -> None:
        """The client has caught up."""
        if self.conversation is not None:
            self.conversation.writable()

    def ended(self, ending: Ending) -> None:
        """The connection is gone."""
        if self.conversation is not None:
            self.conversation.end()
        self._audio_seconds = self.audio_seconds
        self.utterances = None  # its audio; the session itself stays for tests to look at
        super().ended(ending)

    def close(self, code: int, reason: str) -> None:
        """Ends the session with a Close frame."""
        if self.conversation is not None:
            self.conversation.end()
        super().close(code, reason)

    # -- setup and resumption --------------------------------------------------------------------------------------

    def begin(self, setup: dict[str, Any]) -> dict[str, Any]:
        """Takes the setup.

        Raises:
            Refused: with the code and the reason that the client is to get.
        """
        wanted = setup if self.replays else self.server.tokens.constrain(self.credential, setup)
        options = SessionOptions.from_setup(wanted, self.route, strict=self.settings.strict and not self.replays)
        memory = None if self.replays else self._check(options)
        self.encoder = Encoder(self.settings.pretty, options.profile.audio_mime, options.profile.model_role)
        seed = self.server.random.getrandbits(32)
        self.conversation = Conversation(options, self, self.server.model, self.encoder, settings=self.settings, seed=seed)
        self.utterances = UtteranceDetector(options.activity)
        self._history_due = options.opens_with_history
        if memory is not None:
            self.conversation.open_calls = memory.open_calls
            self.conversation.counter.prompt = memory.prompt_tokens
            self.utterances.seconds = memory.holder.audio_seconds
        return options.setup

    def _check(self, options: SessionOptions) -> SavedSession | None:
        """What is wrong with the setup as a whole, and what a resumed session remembers.

        Raises:
            Refused: with the code and the reason that the client is to get.
        """
        check_setup(options, self.server.settings)
        handle = (options.resumption or {}).get("handle")
        return self.server.handles.take(handle) if handle else None

    def complete_setup(self) -> None:
        """Answers the setup."""
        assert self.conversation is not None
        self.send({"setupComplete": {"sessionId": self.session_id} if self.conversation.options.profile.session_id else {}})
        self.reached(SETUP_COMPLETE)

    def reached(self, moment: str) -> None:
        """Sends a resumption update when this is the moment for it, and lets the scenario know."""
        assert self.conversation is not None
        options = self.conversation.options
        wanted = options.resumption is not None or options.profile.update_unasked
        if wanted and moment in options.profile.update_at and not self.replays:
            self.send({"sessionResumptionUpdate": self.resumption_update()})
        if self.driver is not None:
            self.driver.happened(moment)

    def resumption_update(self) -> dict[str, Any]:
        """A new handle for the session as it is now."""
        assert self.conversation is not None
        options, talk = self.conversation.options, self.conversation
        memory = SavedSession(options.model, self, talk.open_calls, talk.counter.prompt)
        update: dict[str, Any] = {"newHandle": self.server.handles.give(memory), "resumable": True}
        if (options.resumption or {}).get("transparent"):
            update["lastConsumedClientMessageIndex"] = str(self.messages_since_setup)
        return update

    def send(self, message: dict[str, Any], is_text: bool | None = None) -> None:
        """Sends one message; a toolCall in it opens its calls, whoever wrote it."""
        for call in (message.get("toolCall") or {}).get("functionCalls") or []:
            if self.conversation is not None:
                made = Call(str(call.get("name", "")), call.get("args") or {})
                self.conversation.open_calls[call.get("id") or made.name] = made
        super().send(message, is_text)

    # -- content and tools -----------------------------------------------------------------------------------------

    def take(self, kind: str, body: Any) -> None:
        """Takes any message after setup.

        Raises:
            Refused: with the code and the reason that the client is to get.
        """
        assert self.conversation is not None
        if self._refuses.affective_dialog == "first message" and self.conversation.options.wants_affective_dialog:
            raise Refused(INVALID_ARGUMENT)
        _HANDLERS[kind](self, body)

    @property
    def _refuses(self) -> Refusals:
        assert self.conversation is not None
        return self.conversation.options.profile.refuses

    def _client_content(self, body: dict[str, Any]) -> None:
        assert self.conversation is not None
        if self._refuses.content_after_turn and self._was_prompted and not self._history_due:
            raise Refused(INVALID_ARGUMENT)
        if self._refuses.content_without_role and not all(turn.get("role") for turn in body.get("turns") or []):
            raise Refused(INVALID_ARGUMENT)
        for turn in body.get("turns") or []:
            self._add_content(turn)
        complete = bool(body.get("turnComplete"))
        if self._history_due:
            self._history_due = not complete
            self._contents = Prompt()
        elif complete:
            self._prompt(self._take_contents())
        else:
            self.conversation.cut_in()

    def _add_content(self, turn: dict[str, Any]) -> None:
        """Adds a turn to what will be answered; a turn of the model's says that all before it is history.

        Documented for Vertex AI, never recorded: a turn of role ``system`` is an instruction, not something to answer.
        """
        if turn.get("role") == "system":
            return
        if turn.get("role") == "model":
            self._contents = Prompt()
            return
        for part in turn.get("parts") or []:
            self._contents.text = f"{self._contents.text} {part.get('text', '')}".strip()
            mime = (part.get("inlineData") or part.get("fileData") or {}).get("mimeType", "")
            self._contents.images += mime.startswith("image/")

    def _take_contents(self) -> Prompt:
        prompt, self._contents = self._contents, Prompt()
        return prompt

    def _prompt(self, prompt: Prompt, interrupts: bool = True) -> None:
        """The user has said all: the model answers, or the scenario does."""
        assert self.conversation is not None
        self._was_prompted = True
        if self.driver is None or not self.driver.scripted:
            (self.conversation.prompt if interrupts else self.conversation.prompt_when_idle)(prompt)
            return
        self.conversation.count(prompt)
        if interrupts:
            self.conversation.cut_in()
        self.driver.received(ReceivedMessage("prompt", {"prompt": {"text": prompt.text}}, self.server.seconds(), self.number, 0))

    def _tool_response(self, body: dict[str, Any]) -> None:
        assert self.conversation is not None
        responses = body.get("functionResponses") or []
        if self._refuses.scheduling and any("scheduling" in response for response in responses):
            raise Refused("Function response scheduling is not supported for this model")
        if self.route.backend == "mldev":
            for response in responses:
                if response.get("id") not in self.conversation.open_calls:
                    raise Refused(UNKNOWN_CALL, 1008)
        scripted = self.driver is not None and self.driver.scripted
        (self.conversation.note_responses if scripted else self.conversation.respond)(responses)

    def _context_update(self, body: dict[str, Any]) -> None:
        """Documented with google-genai 3.4.0, never recorded: the tools given take the place of all tools."""
        assert self.conversation is not None
        tools = (body.get("tools") or {}).get("tools")
        if tools is not None:
            check_tools(tools, self._refuses)
            self.conversation.options.declarations[:] = declarations_of(tools)

    # -- realtime input --------------------------------------------------------------------------------------------

    def _realtime_input(self, body: dict[str, Any]) -> None:
        for name, value in body.items():
            _REALTIME[name](self, value)

    def _media_chunks(self, chunks: list[dict[str, Any]]) -> None:
        assert self.conversation is not None
        if self._refuses.media_chunks:
            raise Refused(INVALID_ARGUMENT)
        for blob in chunks[:1]:  # Documented: only the first is used.
            is_audio = str(blob.get("mimeType", "")).startswith("audio/")
            (self._audio if is_audio else self._video)(blob)

    def _audio(self, blob: dict[str, Any]) -> None:
        assert self.conversation is not None
        assert self.utterances is not None
        if self._refuses.sound_in_calls and self.conversation.blocked_for > SOUND_ON_ITS_WAY:
            raise Refused(NO_SOUND_IN_CALLS, 1008)
        mime, data = str(blob.get("mimeType", "")), blob.get("data", "")
        if self.conversation.options.profile.loopback:
            self.send_bytes(self.encoder.audio(data.encode(), mime))
            if not self.loopback_hears:
                return
        pcm = _json.b64decode(data)
        if pcm[:4] == b"RIFF":
            pcm, mime = _unpack_wav(pcm)
        self._notice(self.utterances.audio(pcm, mime))

    def _video(self, blob: dict[str, Any]) -> None:
        self._contents.images += 1

    def _text(self, text: str) -> None:
        assert self.conversation is not None
        assert self.utterances is not None
        self._contents.text = f"{self._contents.text} {text}".strip()
        if not (self.utterances.listening and self.utterances.settings.disabled):
            self._prompt(self._take_contents(), self.conversation.options.speech_interrupts)

    def _activity_start(self, body: dict[str, Any]) -> None:
        self._notice(self._manual_activity().start())

    def _activity_end(self, body: dict[str, Any]) -> None:
        self._notice(self._manual_activity().end())

    def _manual_activity(self) -> UtteranceDetector:
        assert self.utterances is not None
        if not self.utterances.settings.disabled:
            raise Refused(NO_MANUAL_ACTIVITY)
        return self.utterances

    def _audio_stream_end(self, value: bool) -> None:
        assert self.utterances is not None
        if self.utterances.settings.disabled:
            raise Refused(NO_STREAM_END)
        if value:
            self._notice(self.utterances.pause())

    def _notice(self, noticed: list[SpeechEvent]) -> None:
        assert self.conversation is not None
        for heard in noticed:
            self._signal(heard)
            if heard.utterance is not None:
                prompt = self._take_contents()
                prompt.utterance, prompt.audio_seconds = heard.utterance, heard.utterance.seconds
                self._prompt(prompt, self.conversation.options.speech_interrupts)
            elif self.conversation.options.speech_interrupts:
                self.conversation.cut_in()
            if self.driver is not None:
                self.driver.happened("speech start" if heard.utterance is None else "speech")

    def _signal(self, heard: SpeechEvent) -> None:
        assert self.conversation is not None
        options = self.conversation.options
        if not options.signals_activity or self.replays:
            return
        kind = "ACTIVITY_START" if heard.utterance is None else "ACTIVITY_END"
        signal: dict[str, Any] = {"voiceActivity": {"type": kind, "audioOffset": f"{heard.activity.offset:.3f}s"}}
        if options.profile.voice_activity == "beside":
            signal["serverContent"] = {}
        self.send(signal)


def _unpack_wav(data: bytes) -> tuple[bytes, str]:
    """The PCM of a whole WAV file sent as one message, and its MIME type; nothing for a file that is not one."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            return file.readframes(file.getnframes()), f"audio/pcm;rate={file.getframerate()}"
    except (wave.Error, EOFError):
        return b"", f"audio/pcm;rate={DEFAULT_RATE}"


_HANDLERS: dict[str, Callable[[LiveSession, Any], None]] = {
    "clientContent": LiveSession._client_content,
    "realtimeInput": LiveSession._realtime_input,
    "toolResponse": LiveSession._tool_response,
    "contextUpdate": LiveSession._context_update,
}

_REALTIME: dict[str, Callable[[LiveSession, Any], None]] = {
    "mediaChunks": LiveSession._media_chunks,
    "audio": LiveSession._audio,
    "video": LiveSession._video,
    "text": LiveSession._text,
    "activityStart": LiveSession._activity_start,
    "activityEnd": LiveSession._activity_end,
    "audioStreamEnd": LiveSession._audio_stream_end,
}
