"""The public names used as users use them. Never run: mypy --strict and pyright read it and must find nothing wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

from genai_live import (
    ApiClient,
    AudioStream,
    Auth,
    Client,
    Live,
    LiveCallbacks,
    ReconnectPolicy,
    Session,
    Turn,
    TurnLost,
    WebSocketFactory,
    errors,
    families,
    types,
)
from genai_live.audio import Audio
from genai_live.emulator import LiveEmulator
from genai_live.families import ModelFamily
from genai_live.tools import (
    RunState,
    ToolContext,
    ToolError,
    ToolPolicy,
    ToolRun,
    ToolUpdate,
    arguments,
    declaration,
    tool,
)


def make_clients() -> list[Client]:
    return [
        Client(),
        Client(api_key="key"),
        Client("key", http_options={"base_url": "http://127.0.0.1:8080"}),
        Client(http_options=types.HttpOptions(base_url="http://127.0.0.1:8080", timeout=20_000, headers={"x": "y"})),
        Client(vertexai=True, project="p", location="us-central1", shared_reader=True),
    ]


def connect(client: Client) -> Session:
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        speech_config=types.SpeechConfig(
            voice_config=types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore"))
        ),
        system_instruction=types.Content(parts=[types.Part.from_text(text="Be brief.")]),
        output_audio_transcription=types.AudioTranscriptionConfig(),
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=types.AutomaticActivityDetection(silence_duration_ms=500)
        ),
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="f", description="d")])],
    )
    session = client.live.connect(model="m", config=config, timeout=10.0, resume=None)
    assert_type(session, Session)
    client.live.connect(model="m", config={"response_modalities": ["TEXT"]}, callbacks={"on_message": print}).close()
    return session


def connect_with_lists(client: Client, modalities: list[types.Modality], names: list[str], tools: list[types.Tool]) -> None:
    config = types.LiveConnectConfig(
        response_modalities=modalities, tools=tools, system_instruction=names, speech_config="Kore", labels={"a": "b"}
    )
    config.response_modalities = names
    parts: list[types.Part] = [types.Part(text="Be brief.")]
    client.live.connect(model="m", config=types.LiveConnectConfig(system_instruction=parts)).close()


def connect_as_foreign_names(client: Client, config: types.LiveConnectConfigOrDict, turns: types.ContentListUnionDict) -> None:
    plain: types.LiveConnectConfigDict = {"response_modalities": ["AUDIO"]}
    client.live.connect(model="m", config=plain).close()
    client.live.connect(model="m", config=config).close()
    client.live.connect({"model": "m", "config": plain, "callbacks": {"onmessage": print}}, timeout=10.0).close()
    with client.live.connect(types.LiveConnectParameters(model="m", config=types.LiveConnectConfig())) as session:
        session.send_client_content(turns=turns)
        session.send_client_content(turns=[types.UserContent("Hi"), types.ModelContent([types.Part.from_text(text="Hello")])])
    assert_type(types.Blob(data=b"").model_dump(exclude_none=True), dict[str, Any])
    assert_type(types.Blob.model_validate({}), types.Blob)
    client.aio.aclose()


@tool(timeout=5.0, approve=True)
def book(flight: str, context: ToolContext) -> Iterator[ToolUpdate]:
    context.check()
    assert_type(context.call, types.FunctionCall)
    context.session.send_text("Booking.")
    if not context.cancelled.is_set():
        yield ToolUpdate({"flight": flight}, scheduling=types.FunctionResponseScheduling.SILENT)
    raise ToolError("No seat is left.")


def approve(call: types.FunctionCall, context: ToolContext) -> bool:
    return call.name == "book"


def show(run: ToolRun) -> None:
    assert_type(run.state, RunState)
    assert_type(run.seconds, float)
    assert_type(ToolRun.from_json(run.to_json()), ToolRun)


def run_tools(client: Client, call: types.FunctionCall) -> tuple[ToolRun, ...]:
    assert_type(declaration(book), types.FunctionDeclaration)
    assert_type(arguments(book, call), dict[str, Any])
    policy = ToolPolicy(workers=2, timeout=None, approve=approve, on_run=show)
    client.live.connect(model="m", config={"tools": [book]}, run_tools=True).close()
    with client.live.connect(model="m", config={"tools": [book]}, run_tools=policy) as session:
        assert_type(session.ask("Book LH1").tool_runs, tuple[ToolRun, ...])
        return session.tool_runs


def end_all(client: Client) -> None:
    for session in client.sessions:
        print(session.close_info)
    client.finish(timeout=20.0)


class Vault:
    def headers(self, deadline: object) -> dict[str, str]:
        return {"authorization": "Bearer x"}


def build_by_hand(api_client: ApiClient, factory: WebSocketFactory) -> Live:
    assert_type(api_client.has_credentials, bool)
    own: Auth = Vault()
    return Live(api_client, own, factory)


def follow(stream: AudioStream, message: types.LiveServerMessage, error: Exception) -> bool:
    assert_type(message.ends_turn, bool)
    return stream.done and isinstance(error, TurnLost)


def speak(session: Session, source: Path, microphone: Iterator[bytes]) -> None:
    session.send_client_content(turns="Hi")
    session.send_client_content(turns=[types.Content(role="user", parts=[types.Part(text="Hi")])], turn_complete=False)
    session.send_client_content(turns={"role": "user", "parts": [{"text": "Hi"}]})
    session.send_realtime_input(audio=types.Blob(data=b"\0\0", mime_type="audio/pcm;rate=16000"))
    session.send_realtime_input(audio_stream_end=True)
    session.send_realtime_input(activity_start=types.ActivityStart())
    session.send_tool_response(function_responses=types.FunctionResponse(id="1", name="f", response={"ok": True}))
    session.send_text("Hi")
    stream = session.stream_audio(source, wait=False)
    assert_type(stream.progress.sent, float)
    assert_type(stream.progress.total, "float | None")
    stream.cancel()
    session.stream_audio(microphone, rate=16_000, chunk_ms=20, realtime=False)


def ask_the_table(client: Client) -> ModelFamily:
    row = families.family_of("gemini-3.8-live", client)
    assert_type(row, ModelFamily)
    assert_type(row.call_blocks_speech("BLOCKING"), bool)
    families.FAMILIES.insert(0, dataclasses.replace(row, thinking_level="taken"))
    return ModelFamily("mine", r"my-model", text_as_realtime_input=True)


def listen(session: Session) -> str:
    for message in session.receive(timeout=5.0):
        assert_type(message, types.LiveServerMessage)
        assert_type(message.text, "str | None")
        assert_type(message.data, "bytes | None")
        if message.server_content and message.server_content.model_turn:
            for part in message.server_content.model_turn.parts or []:
                assert_type(part, types.Part)
        if message.tool_call:
            for call in message.tool_call.function_calls or []:
                assert_type(call.name, "str | None")
        assert_type(message.user_text, "str | None")
        assert_type(message.model_text, "str | None")
        assert_type(message.audio, "Audio | None")
        assert_type(message.interrupted, bool)
        assert_type(message.turn_complete, bool)
        if message.go_away:
            assert_type(message.go_away.time_left, "float | None")
    for each in session:
        assert_type(each, types.LiveServerMessage)
    turn = session.ask("Hello", timeout=5.0)
    assert_type(turn, Turn)
    assert_type(turn.audio, Audio)
    turn.audio.save("answer.wav")
    return turn.text + turn.transcripts.input + turn.transcripts.output


def watch(message: types.LiveServerMessage) -> None:
    print(message.text)


def call_back(client: Client) -> None:
    with ThreadPoolExecutor(1) as executor:
        callbacks = LiveCallbacks(
            on_open=lambda: None,
            on_message=watch,
            on_error=lambda error: print(error.kind, error.retryable, error.advice),
            on_close=lambda info: print(info.code, info.reason, info.sent_by, info.phase, info.turn_open),
            executor=executor,
        )
        with client.live.connect(model="m", callbacks=callbacks) as session:
            session.finish(timeout=5.0)


def outlive_connections(client: Client) -> None:
    client.live.connect(model="m", reconnect={"give_up_after": 60}).close()
    with client.live.connect(model="m", reconnect=ReconnectPolicy(fresh_session=True)) as session:
        for message in session:
            if message.reconnecting is not None:
                print(message.reconnecting.close_info.reason, message.reconnecting.turn_lost)
            if message.reconnected is not None:
                print(message.reconnected.state_restored, message.reconnected.seconds + message.reconnected.attempts)
        try:
            print(session.ask("Hello").text, session.stats.dropped)
        except errors.TurnLost as lost:
            print(lost.close_info.code, len(lost.messages))


def handle_errors(client: Client) -> None:
    try:
        connect(client).close(timeout=1.0)
    except errors.HandshakeRejected as error:
        print(error.status, error.body)
    except errors.SetupRejected as error:
        print(error.close_info.code, error.phase)
    except errors.SessionClosed as error:
        print(error.code, error.reason)


def look(session: Session) -> None:
    assert_type(session.session_id, "str | None")
    assert_type(session.close_info, "errors.CloseInfo | None")
    assert_type(session.resumption.handle, "str | None")
    assert_type(session.stats.messages_received, int)
    if session.usage:
        assert_type(session.usage.total_token_count, "int | None")


def make_token(client: Client) -> str | None:
    token = client.auth_tokens.create(config={"uses": 1})
    assert_type(token, types.AuthToken)
    return token.name


def play_music(client: Client) -> None:
    with client.live.music.connect(model="models/lyria-realtime-exp") as music:
        music.set_weighted_prompts(prompts=[types.WeightedPrompt(text="jazz", weight=1.0)])
        music.set_music_generation_config(config=types.LiveMusicGenerationConfig(bpm=120))
        music.play()
        music.record(2.0).save("music.wav")


def emulate() -> None:
    with LiveEmulator(port=0, tls=False) as emulator:
        print(emulator.url, [message.kind for message in emulator.received])
