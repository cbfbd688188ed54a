"""An answer as the messages that carry it, with the time before each. Runs on the emulator's loop thread."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import Any

from genai_live import _json
from genai_live.emulator.model.answers import Call
from genai_live.emulator.model.pcm import ANSWER_RATE, BYTES_PER_SAMPLE
from genai_live.emulator.model.session_options import SessionOptions
from genai_live.emulator.model.speech import Answer, Sound
from genai_live.emulator.model.usage import TokenCounter, audio_tokens, text_tokens
from genai_live.emulator.server.encoding import Encoder

THINKING_SECONDS = 0.3
"""From the end of a prompt to the first output; recorded on 3.8: 0 to 1.6 s."""

FRAME_SECONDS = 0.03
"""From one frame of an answer to the next: 200 ms of audio every 30 ms, for generation is several times faster than speech."""

WORDS_A_PIECE = 3
"""Words of text in one modelTurn or outputTranscription."""

Step = tuple[float, bytes]
"""Seconds to wait, then a message to send."""


class ResponseWriter:
    """Writes one session's answers."""

    def __init__(self, options: SessionOptions, encoder: Encoder, counter: TokenCounter, random_source: random.Random) -> None:
        self._options = options
        self._encoder = encoder
        self._counter = counter
        self._random = random_source

    def steps(self, answer: Answer) -> Iterator[Step]:
        """The messages of an answer that speaks, or writes."""
        if answer.thought:
            part = {"text": answer.thought, "thought": True}
            self._counter.thoughts += text_tokens(answer.thought)
            yield THINKING_SECONDS, self._content({"modelTurn": self._encoder.model_turn([part])})
        yield from self._spoken(answer.text, answer.sound) if answer.sound is not None else self._written(answer.text)

    def call_steps(self, calls: dict[str, Call]) -> Iterator[Step]:
        """The messages that call functions, given by id; an id that is a name stands for none."""
        if self._options.profile.code_before_call:
            code = ", ".join(f"default_api.{call.name}(**{call.args!r})" for call in calls.values())
            part = {"executableCode": {"language": "PYTHON", "code": f"print({code})\n"}}
            yield THINKING_SECONDS, self._content({"modelTurn": self._encoder.model_turn([part])})
        made = [_call_message(key, call) for key, call in calls.items()]
        self._counter.add_response("TEXT", text_tokens(str(made)))
        yield THINKING_SECONDS, self._encoder.message({"toolCall": {"functionCalls": made}})

    def new_calls(self, calls: list[Call]) -> dict[str, Call]:
        """The calls under new ids; under their names where the family sends no ids."""
        make_id = self._options.profile.call_id
        return {call.id or (make_id(self._random) if make_id is not None else call.name): call for call in calls}

    def _written(self, text: str) -> Iterator[Step]:
        wait = THINKING_SECONDS
        for piece in pieces_of(text):
            self._counter.add_response("TEXT", text_tokens(piece))
            yield wait, self._content({"modelTurn": self._encoder.model_turn([{"text": piece}])})
            wait = FRAME_SECONDS

    def _spoken(self, text: str, sound: Sound) -> Iterator[Step]:
        profile = self._options.profile
        pieces = deque(pieces_of(text) if self._options.transcribes_output else [])
        wait = THINKING_SECONDS
        if profile.empty_content:
            yield wait, self._content({})
            wait = 0.0
        if profile.finished_transcripts and pieces:
            yield wait, self._transcription({})
            wait = 0.0
        for frame in sound.frames(profile.audio_frame_bytes):
            yield from self._audio_frame(frame, pieces.popleft() if pieces else None, wait)
            wait = FRAME_SECONDS
        if pieces:
            yield 0.0, self._transcription({"text": "".join(pieces)})
        if profile.finished_transcripts and self._options.transcribes_output:
            yield 0.0, self._transcription({"finished": True})

    def _audio_frame(self, frame: bytes, piece: str | None, wait: float) -> Iterator[Step]:
        self._counter.add_response("AUDIO", audio_tokens(len(frame) / BYTES_PER_SAMPLE / ANSWER_RATE))
        data = _json.b64encode(frame)
        if piece is not None and self._options.profile.transcript_beside_audio:
            message = self._encoder.audio_message(data.decode())
            message["serverContent"]["outputTranscription"] = {"text": piece}
            yield wait, self._encoder.message(message)
        elif piece is not None:
            yield wait, self._transcription({"text": piece})
            yield 0.0, self._encoder.audio(data)
        else:
            yield wait, self._encoder.audio(data)
        if self._options.profile.empty_frames:
            yield 0.0, self._encoder.message({})

    def _transcription(self, transcription: dict[str, Any]) -> bytes:
        return self._content({"outputTranscription": transcription})

    def _content(self, content: dict[str, Any]) -> bytes:
        return self._encoder.message({"serverContent": content})


def _call_message(key: str, call: Call) -> dict[str, Any]:
    named: dict[str, Any] = {"name": call.name, "args": call.args}
    return named if key == call.name else {"id": key, **named}


def pieces_of(text: str) -> list[str]:
    """The text in pieces of a few words, spaces kept, so that joining them gives the text."""
    words = text.split(" ")
    cut = [" ".join(words[at : at + WORDS_A_PIECE]) for at in range(0, len(words), WORDS_A_PIECE)]
    return [piece if number == 0 else f" {piece}" for number, piece in enumerate(cut)]
