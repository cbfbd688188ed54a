"""What a newcomer gets wrong in the first hour is answered with the line to write; names of other clients: test_foreign_names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from genai_live import Client
from genai_live.audio import Audio
from genai_live.errors import ConfigError, SetupRejected
from tests.servers import MODEL, PATIENCE, answer_every_text, client_of, live_server, session_with

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"voice": "Puck"}, "config.voice: unknown key; it is config.speech_config, for example speech_config='Puck'"),
    (
        {"speech_config": {"voice": "Puck"}},
        "config.speech_config.voice: unknown key; it is config.speech_config, for example speech_config='Puck'",
    ),
    (
        {"speech_config": {"voice_config": {"voice_name": "Puck"}}},
        "config.speech_config.voice_config.voice_name: unknown key;"
        " it is config.speech_config.voice_config.prebuilt_voice_config.voice_name",
    ),
    (
        {"input_audio_transcription": True},
        "config.input_audio_transcription: must be AudioTranscriptionConfig or a dict of it, not bool; write {} for its defaults",
    ),
    (
        {"output_audio_transcription": False},
        "config.output_audio_transcription: must be AudioTranscriptionConfig or a dict of it, not bool; leave it out",
    ),
    (
        {"realtime_input_config": {"automatic_activity_detection": False}},
        "config.realtime_input_config.automatic_activity_detection: must be AutomaticActivityDetection or a dict of it, not"
        " bool; write {'disabled': True}",
    ),
    (
        {"audioConfig": {"sampleRateHertz": 16_000}},
        "config.audioConfig: unknown key; the input's rate is part of its MIME type (audio/pcm;rate=16000), the output is PCM"
        " whose rate its MIME type tells (24,000 Hz), and the voice is speech_config",
    ),
]


@pytest.mark.parametrize(("config", "words"), MISTAKES, ids=[".".join(config) for config, _ in MISTAKES])
def test_a_setting_in_the_wrong_place_or_shape_is_told_the_right_one(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(words)}$"):
        Client("key").live.connect(model=MODEL, config=config)


def test_a_response_without_the_id_of_its_call_is_told_why() -> None:
    words = (
        "function_responses[0].id: is missing; the Gemini Developer API matches responses to calls by the call's id, and no call"
        " of 'getWeather' waits"
    )
    with session_with() as session, pytest.raises(ConfigError, match=f"^{re.escape(words)}$"):
        session.send_tool_response(function_responses=[{"name": "getWeather", "response": {"content": "{}"}}])


def test_a_refused_setup_begins_with_the_close_and_ends_with_the_whole_address() -> None:
    with live_server(lambda connection: connection.close(1007, "no such model")) as url, pytest.raises(SetupRejected) as raised:
        client_of(url).live.connect(model=MODEL)
    assert re.match(r'^the server closed during setup with code 1007 "no such model"\. .*\(ws://.*/ws/.*\)$', str(raised.value))


@pytest.mark.parametrize("name", ["question.wav", "Question.WAVE"])
def test_the_name_of_a_wav_file_is_no_question_in_words(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with session_with(answer_every_text) as session:
        assert session.ask(name, timeout=PATIENCE).text  # no such file: a text like any other
        Path(name).write_bytes(Audio(bytes(3_200), 16_000).wav_bytes())
        for text in (name, str(tmp_path / name)):
            with pytest.raises(ConfigError, match=f"^content: is the path of a WAV file.* pathlib.Path\\({text!r}\\)"):
                session.ask(text, timeout=PATIENCE)
        session.send_text(name)
        assert session.collect(timeout=PATIENCE).text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Audio(bytes(2), 16_000), "not Audio; ask(audio) speaks it, and a part of it is Blob(data=audio.wav_bytes(), "),
        (Path("question.wav"), "Path; ask(pathlib.Path) speaks a WAV file, and a part of a file is Blob(data=path.read_bytes()"),
        (b"\0\0", "not bytes; ask(Audio(x, rate)) speaks sound, and a part of bytes is Blob(data=x, mime_type=...)"),
    ],
    ids=["Audio", "Path", "bytes"],
)
def test_sound_and_files_among_parts_are_told_what_they_become(content: Any, words: str) -> None:
    with session_with() as session, pytest.raises(ConfigError, match=re.escape(words)):
        session.send_client_content(turns=["Listen:", content])
