"""Google's own Python client works against the emulator unmodified, over wss with a certificate of a throw-away authority.

What it cannot do for reasons of its own is in ``docs/emulator.md``: it forces ``wss``, so the emulator must speak TLS; its
frames are limited to 1 MiB; a close with 1000 is an error to it; it says ``snake_case`` inside ``camelCase``.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from google.oauth2.credentials import Credentials

from genai_live.emulator import LiveEmulator, Scenario, steps
from tests.live_wire import silence, tone

genai = pytest.importorskip("google.genai", reason="google-genai is not installed")
pytest.importorskip("trustme", reason="trustme is not installed")
types = genai.types

IGNORED = ("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning", "ignore:.*experimental")
# In Python 3.10 a TLS transport that its peer closed counts as forgotten, and the client does not close it again.
FORGOTTEN = ("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
pytestmark = pytest.mark.filterwarnings(*IGNORED, *FORGOTTEN)

PATIENCE = 20.0
BACKENDS = ["mldev", "vertex"]
TEXT = {"response_modalities": ["TEXT"]}


@pytest.fixture(scope="module")
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(tls=True, pace=0.0, voice=False) as running:
        yield running


@pytest.fixture(autouse=True)
def _collect_what_the_client_forgets() -> Iterator[None]:
    yield
    gc.collect()


def make_client(emulator: LiveEmulator, backend: str = "mldev", key: str = "key", **more: Any) -> Any:
    context = ssl.create_default_context(cafile=emulator.ca_path)
    options = {
        "base_url": emulator.url,
        "async_client_args": {"ssl": context, "verify": context},
        "client_args": {"verify": context},
        **more,
    }
    if backend == "vertex":  # its default version is v1beta1; on the Developer API it is v1, which does not serve Live
        return genai.Client(vertexai=True, project="p", location="l", credentials=Credentials("a-token"), http_options=options)
    return genai.Client(api_key=key, http_options={"api_version": "v1beta", **options})


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Runs a coroutine with a limit, so that a defect is a failure and not a hanging test."""

    async def limited() -> None:
        await asyncio.wait_for(work(), PATIENCE)

    asyncio.run(limited())


@asynccontextmanager
async def connected(emulator: LiveEmulator, backend: str, config: Any, **more: Any) -> AsyncIterator[Any]:
    async with make_client(emulator, backend, **more).aio.live.connect(model="emulator", config=config) as session:
        yield session


async def turn(session: Any) -> list[Any]:
    return [message async for message in session.receive()]


def text_of(messages: list[Any]) -> str:
    return "".join(message.text or "" for message in messages)


def transcript_of(messages: list[Any], which: str) -> str:
    contents = [message.server_content for message in messages if message.server_content]
    return "".join(getattr(getattr(each, which), "text", None) or "" for each in contents)


@pytest.mark.parametrize("backend", BACKENDS)
def test_text(emulator: LiveEmulator, backend: str) -> None:
    async def work() -> None:
        async with connected(emulator, backend, TEXT) as session:
            await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text="Hello")]))
            messages = await turn(session)
            assert text_of(messages) == "You said: Hello"
            assert messages[-1].usage_metadata.total_token_count > 0
            assert messages[-1].usage_metadata.response_token_count > 0
            await session.send_realtime_input(text="Again")
            assert text_of(await turn(session)) == "You said: Again"

    run(work)


@pytest.mark.parametrize("backend", BACKENDS)
def test_audio_both_ways_with_transcription(emulator: LiveEmulator, backend: str) -> None:
    config = {"response_modalities": ["AUDIO"], "input_audio_transcription": {}, "output_audio_transcription": {}}

    async def work() -> None:
        async with connected(emulator, backend, config) as session:
            pcm = tone(1.0) + silence(1.2)
            for at in range(0, len(pcm), 1280):
                blob = types.Blob(data=pcm[at : at + 1280], mime_type="audio/pcm;rate=16000")
                await session.send_realtime_input(audio=blob)
            messages = await turn(session)
            audio = b"".join(message.data or b"" for message in messages)
            assert 1.0 <= len(audio) / 48_000 <= 1.7
            assert transcript_of(messages, "input_transcription") == "[1.0 s of speech]"
            assert transcript_of(messages, "output_transcription") == "I heard 1.0 s of speech."

    run(work)


def get_weather(city: str) -> str:
    """Looks up the weather.

    Args:
        city: Where.
    """
    return city


@pytest.mark.parametrize("backend", BACKENDS)
def test_tools(emulator: LiveEmulator, backend: str) -> None:
    async def work() -> None:
        async with connected(emulator, backend, {**TEXT, "tools": [get_weather, {"google_search": {}}]}) as session:
            await session.send_client_content(turns={"parts": [{"text": "What is the weather in Rome?"}]})
            async for message in session.receive():
                if message.tool_call:
                    (call,) = message.tool_call.function_calls
                    break
            assert (call.name, call.args) == ("get_weather", {"city": "Rome"})
            response = types.FunctionResponse(id=call.id, name=call.name, response={"sky": "blue"})
            await session.send_tool_response(function_responses=response)
            assert text_of(await turn(session)) == 'get_weather answered: {"sky": "blue"}'

    run(work)


@pytest.mark.parametrize("backend", BACKENDS)
def test_interruption_by_speech(backend: str) -> None:
    async def work() -> None:
        with LiveEmulator(tls=True, voice=False) as natural:
            async with connected(natural, backend, {"response_modalities": ["AUDIO"]}) as session:
                await session.send_client_content(turns={"parts": [{"text": "Tell me something long, please"}]})
                async for message in session.receive():
                    if message.server_content and message.server_content.model_turn:
                        await session.send_realtime_input(audio={"data": tone(0.5), "mime_type": "audio/pcm;rate=16000"})
                        break
                messages = await turn(session)
                assert [m for m in messages if m.server_content and m.server_content.interrupted]
                assert messages[-1].server_content.turn_complete

    run(work)


@pytest.mark.parametrize("backend", BACKENDS)
def test_manual_activity_and_every_nested_config(emulator: LiveEmulator, backend: str) -> None:
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        temperature=0.5,
        top_k=9,
        seed=1,
        system_instruction="Be kind.",
        speech_config=types.SpeechConfig(
            language_code="en-US",
            voice_config=types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Puck")),
        ),
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=types.AutomaticActivityDetection(disabled=True),
            activity_handling=types.ActivityHandling.NO_INTERRUPTION,
            turn_coverage=types.TurnCoverage.TURN_INCLUDES_ALL_INPUT,
        ),
        context_window_compression=types.ContextWindowCompressionConfig(
            trigger_tokens=1000, sliding_window=types.SlidingWindow(target_tokens=10)
        ),
        input_audio_transcription=types.AudioTranscriptionConfig(),
        proactivity=types.ProactivityConfig(proactive_audio=True),
    )

    version = {"api_version": "v1alpha"} if backend == "mldev" else {}  # where the Developer API knows proactivity

    async def work() -> None:
        async with connected(emulator, backend, config, **version) as session:
            await session.send_realtime_input(activity_start=types.ActivityStart())
            await session.send_realtime_input(audio=types.Blob(data=tone(0.4), mime_type="audio/pcm;rate=16000"))
            await session.send_realtime_input(activity_end=types.ActivityEnd())
            assert transcript_of(await turn(session), "input_transcription") == "[0.4 s of speech]"

    run(work)


@pytest.mark.parametrize("backend", BACKENDS)
def test_resumption(emulator: LiveEmulator, backend: str) -> None:
    async def resume(handle: str | None) -> str:
        config = {**TEXT, "session_resumption": types.SessionResumptionConfig(handle=handle)}
        async with connected(emulator, backend, config) as session:
            await session.send_client_content(turns={"parts": [{"text": "Hello"}]})
            updates = [m.session_resumption_update for m in await turn(session) if m.session_resumption_update]
            found: str = updates[0].new_handle
        emulator.current.wait_closed()
        return found

    async def work() -> None:
        first = await resume(None)
        assert await resume(first) != first
        with pytest.raises(genai.errors.APIError, match="1008"):
            await resume("no such handle")

    run(work)


def test_ephemeral_tokens(emulator: LiveEmulator) -> None:
    async def work() -> None:
        maker = make_client(emulator, api_version="v1alpha")
        token = await maker.aio.auth_tokens.create(
            config={
                "uses": 1,
                "expire_time": datetime.now(timezone.utc) + timedelta(minutes=5),
                "live_connect_constraints": {"model": "emulator", "config": {"response_modalities": ["TEXT"]}},
                "lock_additional_fields": ["temperature"],
            }
        )
        assert token.name.startswith("auth_tokens/")
        audio = {"response_modalities": ["AUDIO"], "temperature": 1.0}
        async with connected(emulator, "mldev", audio, key=token.name, api_version="v1alpha") as session:
            await session.send_client_content(turns={"parts": [{"text": "Hello"}]})
            assert text_of(await turn(session)) == "You said: Hello"
        with pytest.raises(genai.errors.APIError, match="1011"):
            async with connected(emulator, "mldev", TEXT, key=token.name, api_version="v1alpha"):
                pass

    run(work)


def test_music(emulator: LiveEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its music client takes no TLS context; OpenSSL's own variable is the way to make it trust somebody.
    monkeypatch.setenv("SSL_CERT_FILE", str(emulator.ca_path))

    async def work() -> None:
        client = make_client(emulator)
        async with client.aio.live.music.connect(model="models/lyria-realtime-exp") as session:
            await session.set_weighted_prompts(prompts=[types.WeightedPrompt(text="Jazz", weight=1.0)])
            await session.set_music_generation_config(config=types.LiveMusicGenerationConfig(bpm=140))
            await session.play()
            async for message in session.receive():
                chunk = message.server_content.audio_chunks[0]
                break
            assert len(chunk.data) == round(48_000 * 60 / 140) * 4
            assert chunk.source_metadata.music_generation_config.bpm == 140
            await session.stop()

    run(work)


def test_errors_arrive_with_code_and_reason(emulator: LiveEmulator) -> None:
    async def work() -> None:
        with pytest.raises(genai.errors.APIError, match="API key not valid"):
            async with connected(emulator, "mldev", TEXT, key="invalid"):
                pass

    run(work)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_kind_of_server_message_is_understood(backend: str) -> None:
    scenario = Scenario(
        steps.Send({"serverContent": {}}),
        steps.Send({}),
        steps.Send({"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "0.240s"}, "serverContent": {}}),
        steps.GoAway(50),
        steps.Update(resumable=False),
        steps.CallTool("f", {"a": 1}),
        steps.CancelCalls(),
        steps.Reply("Done", thought="Thinking"),
        steps.Converse(),
    )

    async def work() -> None:
        with LiveEmulator(tls=True, pace=0.0, voice=False, scenario=scenario) as scripted:
            async with connected(scripted, backend, TEXT) as session:
                messages = await turn(session)
            assert next(m for m in messages if m.go_away).go_away.time_left == "50s"
            assert [m for m in messages if m.tool_call_cancellation]
            assert text_of(messages) == "Done"

    run(work)
