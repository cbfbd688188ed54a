"""One session of the Live method: content, realtime input, tools, resumption. Runs on the emulator's loop thread."""

from __future__ import annotations

import io
import uuid
import wave
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import _json
from ..types.realtime import LiveClientMessage
from .answers import Call, Prompt
from .conversation import SETUP_COMPLETE, Conversation
from .door import Ending
from .encoding import Encoder
from .hearing import DEFAULT_RATE, Heard, Hearing
from .plan import Plan, declarations_of
from .received import ReceivedMessage
from .request import Route
from .resumption import Memory
from .session import Session
from .setup_checks import check_setup
from .validation import Refused

if TYPE_CHECKING:
    from .connection import Connection
    from .house import House

INVALID_ARGUMENT = "Request contains an invalid argument."
UNKNOWN_CALL = "Requested entity was not found."
NO_MANUAL_ACTIVITY = "Explicit activity control is not supported when automatic activity detection is enabled."
NO_STREAM_END = "audio_stream_end is not supported when automatic activity detection is disabled."


class LiveSession(Session):
    """One WebSocket on BidiGenerateContent, or its Constrained form."""

    message_type = LiveClientMessage
    loopback_hears = False
    """True lets loopback sessions listen for speech too, so that a load test pays for it."""

    def __init__(self, house: House, connection: Connection, route: Route, number: int) -> None:
        super().__init__(house, connection, route, number)
        self.conversation: Conversation | None = None
        self.hearing: Hearing | None = None
        self.session_id = str(uuid.UUID(int=house.random.getrandbits(128), version=4))
        self._contents = Prompt()
        self._history_due = False

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
        self.hearing = None  # its audio; the session itself stays for tests to look at
        super().ended(ending)

    def close(self, code: int, reason: str) -> None:
        """Ends the session with a Close frame."""
        if self.conversation is not None:
            self.conversation.end()
        super().close(code, reason)

    # -- setup and resumption --------------------------------------------------------------------------------------

    def begin(self, setup: dict[str, Any]) -> dict[str, Any]:
        """Takes the setup; raises Refused."""
        replayed = self.player is not None and self.player.replays
        plan = Plan.from_setup(setup if replayed else self.house.tokens.constrain(self, setup), self.route)
        memory = None if replayed else self._check(plan)
        self.encoder = Encoder(self.settings.pretty, plan.profile.audio_mime, plan.profile.model_role)
        seed = self.house.random.getrandbits(32)
        self.conversation = Conversation(plan, self, self.house.mind, self.encoder, settings=self.settings, seed=seed)
        self.hearing = Hearing(plan.activity)
        self._history_due = plan.opens_with_history
        if memory is not None:
            self.conversation.open_calls = memory.open_calls
            self.conversation.counter.prompt = memory.prompt_tokens
            self.hearing.seconds = memory.audio_seconds
        return plan.setup

    def _check(self, plan: Plan) -> Memory | None:
        """What is wrong with the setup as a whole, and what a resumed session remembers; raises Refused."""
        check_setup(plan, self.house.settings)
        handle = (plan.resumption or {}).get("handle")
        return self.house.handles.take(handle) if handle else None

    def complete_setup(self) -> None:
        """Answers the setup."""
        assert self.conversation is not None
        self.send({"setupComplete": {"sessionId": self.session_id} if self.conversation.plan.profile.session_id else {}})
        self.reached(SETUP_COMPLETE)

    def reached(self, moment: str) -> None:
        """Sends a resumption update when this is the moment for it, and lets the scenario know."""
        assert self.conversation is not None
        plan = self.conversation.plan
        if (plan.resumption is not None or plan.profile.update_unasked) and moment in plan.profile.update_at:
            self.send({"sessionResumptionUpdate": self.resumption_update()})
        if self.player is not None:
            self.player.happened(moment)

    def resumption_update(self) -> dict[str, Any]:
        """A new handle for the session as it is now."""
        assert self.conversation is not None
        assert self.hearing is not None
        plan, talk = self.conversation.plan, self.conversation
        memory = Memory(plan.model, self, talk.open_calls, talk.counter.prompt, self.hearing.seconds)
        update: dict[str, Any] = {"newHandle": self.house.handles.give(memory), "resumable": True}
        if (plan.resumption or {}).get("transparent"):
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
        """Takes any message after setup; raises Refused."""
        _HANDLERS[kind](self, body)

    def _client_content(self, body: dict[str, Any]) -> None:
        assert self.conversation is not None
        if self.conversation.plan.profile.content_is_history and not self._history_due:
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
        """Adds a turn to what will be answered; a turn of the model's says that all before it is history."""
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
        if self.player is None or not self.player.in_charge:
            (self.conversation.prompt if interrupts else self.conversation.prompt_when_idle)(prompt)
            return
        self.conversation.count(prompt)
        if interrupts:
            self.conversation.cut_in()
        self.player.heard(ReceivedMessage("prompt", {"prompt": {"text": prompt.text}}, self.house.seconds(), self.number, 0))

    def _tool_response(self, body: dict[str, Any]) -> None:
        assert self.conversation is not None
        responses = body.get("functionResponses") or []
        if self.route.backend == "mldev":
            for response in responses:
                if response.get("id") not in self.conversation.open_calls:
                    raise Refused(UNKNOWN_CALL, 1008)
        scripted = self.player is not None and self.player.in_charge
        (self.conversation.note_responses if scripted else self.conversation.respond)(responses)

    def _context_update(self, body: dict[str, Any]) -> None:
        """Documented with google-genai 3.4.0, never recorded: the tools given take the place of all tools."""
        assert self.conversation is not None
        tools = (body.get("tools") or {}).get("tools")
        if tools is not None:
            self.conversation.plan.declarations[:] = declarations_of(tools)

    # -- realtime input --------------------------------------------------------------------------------------------

    def _realtime_input(self, body: dict[str, Any]) -> None:
        for name, value in body.items():
            _REALTIME[name](self, value)

    def _media_chunks(self, chunks: list[dict[str, Any]]) -> None:
        assert self.conversation is not None
        if self.conversation.plan.profile.refuses_media_chunks:
            raise Refused(INVALID_ARGUMENT)
        for blob in chunks[:1]:  # Documented: only the first is used.
            is_audio = str(blob.get("mimeType", "")).startswith("audio/")
            (self._audio if is_audio else self._video)(blob)

    def _audio(self, blob: dict[str, Any]) -> None:
        assert self.conversation is not None
        assert self.hearing is not None
        mime, data = str(blob.get("mimeType", "")), blob.get("data", "")
        if self.conversation.plan.profile.loopback:
            self.send_bytes(self.encoder.audio(data.encode(), mime))
            if not self.loopback_hears:
                return
        pcm = _json.b64decode(data)
        if pcm[:4] == b"RIFF":
            pcm, mime = _unpack_wav(pcm)
        self._notice(self.hearing.audio(pcm, mime))

    def _video(self, blob: dict[str, Any]) -> None:
        self._contents.images += 1

    def _text(self, text: str) -> None:
        assert self.conversation is not None
        assert self.hearing is not None
        self._contents.text = f"{self._contents.text} {text}".strip()
        if not (self.hearing.listening and self.hearing.settings.disabled):
            self._prompt(self._take_contents(), self.conversation.plan.speech_interrupts)

    def _activity_start(self, body: dict[str, Any]) -> None:
        self._notice(self._manual_hearing().start())

    def _activity_end(self, body: dict[str, Any]) -> None:
        self._notice(self._manual_hearing().end())

    def _manual_hearing(self) -> Hearing:
        assert self.hearing is not None
        if not self.hearing.settings.disabled:
            raise Refused(NO_MANUAL_ACTIVITY)
        return self.hearing

    def _audio_stream_end(self, value: bool) -> None:
        assert self.hearing is not None
        if self.hearing.settings.disabled:
            raise Refused(NO_STREAM_END)
        if value:
            self._notice(self.hearing.pause())

    def _notice(self, noticed: list[Heard]) -> None:
        assert self.conversation is not None
        for heard in noticed:
            self._signal(heard)
            if heard.utterance is not None:
                prompt = self._take_contents()
                prompt.utterance, prompt.audio_seconds = heard.utterance, heard.utterance.seconds
                self._prompt(prompt, self.conversation.plan.speech_interrupts)
            elif self.conversation.plan.speech_interrupts:
                self.conversation.cut_in()
            if self.player is not None:
                self.player.happened("speech start" if heard.utterance is None else "speech")

    def _signal(self, heard: Heard) -> None:
        assert self.conversation is not None
        plan = self.conversation.plan
        if not plan.signals_activity:
            return
        kind = "ACTIVITY_START" if heard.utterance is None else "ACTIVITY_END"
        signal: dict[str, Any] = {"voiceActivity": {"type": kind, "audioOffset": f"{heard.activity.offset:.3f}s"}}
        if plan.profile.voice_activity == "beside":
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
