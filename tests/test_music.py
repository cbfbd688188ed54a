"""Music sessions: frames as the Live music reference has them, refusals, sound, and the same endings as a Live session."""

from __future__ import annotations

import copy
import gc
import json
import queue
import subprocess
import sys
import threading
import wave
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from genai_live import Client, errors, types
from genai_live.callbacks import LiveMusicCallbacks
from genai_live.emulator import LiveEmulator
from genai_live.music import MusicSession
from tests.raw_peer import beside
from tests.servers import (
    MODEL,
    PATIENCE,
    SETUP_COMPLETE,
    Handler,
    answer_setup,
    client_of,
    live_server,
    message,
    wait_until_closed,
)
from tests.waiting import stalls_in, until

MIME = "audio/l16;rate=48000;channels=2"
SECOND = 48_000 * 2 * 2
"""Bytes of one second of music."""
SAMPLE = Path(__file__).parent.parent / "samples" / "music.py"


def chunk(pcm: bytes, mime: str | None = MIME, **more: Any) -> dict[str, Any]:
    kind = {} if mime is None else {"mimeType": mime}
    return {"data": b64encode(pcm).decode(), **kind, **more}


def music(*chunks: dict[str, Any]) -> bytes:
    return message(serverContent={"audioChunks": list(chunks)})


def silence(seconds: float) -> dict[str, Any]:
    return chunk(bytes(round(seconds * SECOND)))


def sends(*messages: bytes | str, then: Callable[[ServerConnection], object] = wait_until_closed) -> Handler:
    """A server that answers setup, sends these messages, and waits for the client to leave."""

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for each in messages:
            connection.send(each)
        then(connection)

    return handler


def closes_on_the_next_message(code: int, reason: str = "") -> Callable[[ServerConnection], object]:
    def close(connection: ServerConnection) -> None:
        connection.recv(timeout=PATIENCE)
        connection.close(code, reason)

    return close


@contextmanager
def music_with(handler: Handler, **connect: Any) -> Iterator[MusicSession]:
    options = connect.pop("http_options", {})
    with live_server(handler) as url, client_of(url, **options).live.music.connect(model=MODEL, **connect) as session:
        yield session


@contextmanager
def frames_of() -> Iterator[tuple[MusicSession, Callable[[], Any]]]:
    """A session, and a function that gives the next frame that the server got from it."""
    frames: queue.Queue[Any] = queue.Queue()

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for raw in connection:
            frames.put(json.loads(raw))

    with music_with(handler) as session:
        yield session, lambda: frames.get(timeout=PATIENCE)


@contextmanager
def emulated(**options: Any) -> Iterator[tuple[MusicSession, LiveEmulator]]:
    with LiveEmulator(**{"pace": 0.0, **options}) as emulator:
        client = Client(api_key="test-key", http_options={"base_url": emulator.url})
        with client.live.music.connect(model="lyria-realtime-exp", timeout=PATIENCE) as session:
            yield session, emulator


# Opening


def test_the_setup_holds_the_model_and_nothing_else_on_the_music_method_with_the_key_and_the_callers_headers() -> None:
    seen: dict[str, Any] = {}

    def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.update(path=connection.request.path, headers=connection.request.headers, setup=answer_setup(connection))
        wait_until_closed(connection)

    with live_server(handler) as url:
        client = client_of(url, headers={"x-mine": "yes"})
        with client.live.music.connect(model="lyria-realtime-exp") as session:
            assert session.setup_complete == types.LiveMusicServerSetupComplete()
    assert seen["setup"] == {"model": "models/lyria-realtime-exp"}
    assert seen["path"] == "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateMusic"
    assert (seen["headers"]["x-goog-api-key"], seen["headers"]["x-mine"]) == ("test-key", "yes")


def test_an_ephemeral_token_travels_as_a_key_because_music_has_no_constrained_method() -> None:
    seen: dict[str, Any] = {}

    def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.update(path=connection.request.path, headers=dict(connection.request.headers.raw_items()))
        answer_setup(connection)
        wait_until_closed(connection)

    with live_server(handler) as url:
        client = Client(api_key="auth_tokens/one", http_options={"base_url": url, "api_version": "v1alpha"})
        client.live.music.connect(model=MODEL).close()
    assert seen["path"].endswith("BidiGenerateMusic")
    assert {name.lower(): value for name, value in seen["headers"].items()}["x-goog-api-key"] == "auth_tokens/one"


class UntouchableCredentials:
    """Credentials whose use is the failure of a test."""

    valid = False

    def refresh(self, request: object) -> None:
        raise AssertionError("somebody fetched a token")

    apply = refresh

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"somebody asked for {name}")


@pytest.mark.parametrize(
    "arguments",
    [{"api_key": "express"}, {"credentials": UntouchableCredentials(), "project": "p"}, {"location": "us-central1"}],
    ids=["express key", "credentials", "default credentials"],
)
def test_vertex_ai_is_refused_before_anything_is_looked_up_or_dialled(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file")

    def factory(*_: Any) -> Any:
        raise AssertionError("somebody dialled")

    client = Client(vertexai=True, **arguments)
    client.live._opener._websocket_factory = factory
    with pytest.raises(errors.ConfigError, match="Developer API"):
        client.live.music.connect(model="lyria-realtime-exp")


@pytest.mark.waits
def test_connect_waits_for_setup_complete_and_says_so_when_its_time_is_up() -> None:
    with live_server(wait_until_closed) as url:
        stalls_in(errors.Phase.SETUP, lambda limit: client_of(url).live.music.connect(model=MODEL, timeout=limit))


def test_a_close_during_setup_raises_setup_rejected_with_the_servers_words() -> None:
    with (
        live_server(closes_on_the_next_message(1008, "models/test is not found")) as url,
        pytest.raises(errors.SetupRejected) as raised,
    ):
        client_of(url).live.music.connect(model=MODEL, timeout=PATIENCE)
    assert (raised.value.code, raised.value.reason) == (1008, "models/test is not found")
    assert raised.value.kind is errors.ErrorKind.MODEL_NOT_FOUND


def test_what_comes_before_setup_complete_is_kept() -> None:
    def handler(connection: ServerConnection) -> None:
        connection.recv(timeout=PATIENCE)
        connection.send(message(filteredPrompt={"text": "early"}))
        connection.send(SETUP_COMPLETE)
        wait_until_closed(connection)

    with music_with(handler) as session:
        first = next(session.receive(PATIENCE))
        assert first.filtered_prompt == types.LiveMusicFilteredPrompt(text="early")


def test_an_error_in_the_callers_block_is_the_callers_and_opens_no_second_connection() -> None:
    connections: list[int] = []

    def handler(connection: ServerConnection) -> None:
        connections.append(1)
        answer_setup(connection)
        wait_until_closed(connection)

    with pytest.raises(TypeError, match="mine"), music_with(handler):
        raise TypeError("mine")
    assert len(connections) == 1


def test_an_unknown_callback_is_refused_before_dialling() -> None:
    with pytest.raises(errors.ConfigError, match="on_message"):
        Client(api_key="k").live.music.connect(model=MODEL, callbacks={"on_mesage": print})


# Steering: the frames


@pytest.mark.parametrize(
    "prompts",
    [
        [types.WeightedPrompt(text="Jazz", weight=1.0), types.WeightedPrompt(text="rain", weight=0.25)],
        [{"text": "Jazz", "weight": 1.0}, types.WeightedPrompt(text="rain", weight=0.25)],
        ({"text": "Jazz", "weight": 1.0}, {"text": "rain", "weight": 0.25}),
    ],
)
def test_prompts_are_sent_as_client_content_and_left_as_they_were(prompts: Any) -> None:
    before = copy.deepcopy(prompts)
    with frames_of() as (session, next_frame):
        session.set_weighted_prompts(prompts=prompts)
        expected = [{"text": "Jazz", "weight": 1.0}, {"text": "rain", "weight": 0.25}]
        assert next_frame() == {"clientContent": {"weightedPrompts": expected}}
    assert prompts == before


WHOLE_CONFIG: dict[str, Any] = {
    "temperature": 1.1,
    "top_k": 40,
    "seed": -7,
    "guidance": 4.0,
    "bpm": 140,
    "density": 0.0,
    "brightness": 1.0,
    "scale": "A_FLAT_MAJOR_F_MINOR",
    "mute_bass": False,
    "mute_drums": True,
    "only_bass_and_drums": False,
    "music_generation_mode": "VOCALIZATION",
}
WHOLE_CONFIG_ON_THE_WIRE = {
    "temperature": 1.1,
    "topK": 40,
    "seed": -7,
    "guidance": 4.0,
    "bpm": 140,
    "density": 0.0,
    "brightness": 1.0,
    "scale": "A_FLAT_MAJOR_F_MINOR",
    "muteBass": False,
    "muteDrums": True,
    "onlyBassAndDrums": False,
    "musicGenerationMode": "VOCALIZATION",
}


@pytest.mark.parametrize("config", [WHOLE_CONFIG, WHOLE_CONFIG_ON_THE_WIRE, types.LiveMusicGenerationConfig(**WHOLE_CONFIG)])
def test_a_config_is_sent_whole_with_falsy_values_and_left_as_it_was(config: Any) -> None:
    before = copy.deepcopy(config)
    with frames_of() as (session, next_frame):
        session.set_music_generation_config(config=config)
        assert next_frame() == {"musicGenerationConfig": WHOLE_CONFIG_ON_THE_WIRE}
    assert config == before


@pytest.mark.parametrize("config", [{}, types.LiveMusicGenerationConfig()])
def test_an_empty_config_is_sent_because_it_resets(config: Any) -> None:
    with frames_of() as (session, next_frame):
        session.set_music_generation_config(config)
        assert next_frame() == {"musicGenerationConfig": {}}


@pytest.mark.parametrize(
    ("call", "control"),
    [
        (MusicSession.play, "PLAY"),
        (MusicSession.pause, "PAUSE"),
        (MusicSession.stop, "STOP"),
        (MusicSession.reset_context, "RESET_CONTEXT"),
    ],
)
def test_playback_is_controlled_by_one_word(call: Callable[[MusicSession], None], control: str) -> None:
    with frames_of() as (session, next_frame):
        call(session)
        assert next_frame() == {"playbackControl": control}


# Steering: the refusals


RANGES = [
    ("temperature", 0.0, 3.0, 0.001),
    ("top_k", 1, 1000, 1),
    ("seed", -(2**31), 2**31 - 1, 1),
    ("guidance", 0.0, 6.0, 0.001),
    ("bpm", 60, 200, 1),
    ("density", 0.0, 1.0, 0.001),
    ("brightness", 0.0, 1.0, 0.001),
]


@pytest.mark.parametrize(("name", "low", "high", "step"), RANGES, ids=[each[0] for each in RANGES])
def test_the_ends_of_a_range_are_sent_and_what_lies_beyond_is_refused(name: str, low: float, high: float, step: float) -> None:
    with frames_of() as (session, next_frame):
        for outside in (low - step, high + step):
            with pytest.raises(errors.ConfigError) as raised:
                session.set_music_generation_config({name: outside})
            assert str(raised.value) == f"config.{name}: is {outside}; the service takes {low} to {high}"
        for end in (low, high):
            session.set_music_generation_config({name: end})
            assert list(next_frame()["musicGenerationConfig"].values()) == [end]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"temperature": float("nan")}, r"config\.temperature: is NaN"),
        ({"guidance": float("-inf")}, r"config\.guidance: is -Infinity"),
        ({"bpm": 90.5}, r"config\.bpm: must be a whole number"),
        ({"bpm": True}, r"config\.bpm"),
        ({"mute_bass": 1}, r"config\.mute_bass: must be True or False"),
        ({"tempo": 90}, r"config\.tempo: unknown key"),
        ({"brightnes": 0.5}, "did you mean 'brightness'"),
        ({"scale": "C_MAJOR_A_MINR"}, "did you mean 'C_MAJOR_A_MINOR'"),
        ({"top_k": 3, "topK": 4}, r"config\.top_k: is given twice"),
        (None, "config: must be LiveMusicGenerationConfig"),
    ],
)
def test_a_config_that_cannot_be_is_refused_with_the_name_of_its_field(config: Any, words: str) -> None:
    with frames_of() as (session, _), pytest.raises(errors.ConfigError, match=words):
        session.set_music_generation_config(config)


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ([], "prompts: is empty"),
        (None, "prompts: takes a list"),
        ({"text": "Jazz", "weight": 1.0}, "prompts: takes a list"),
        (types.WeightedPrompt(text="Jazz", weight=1.0), "prompts: takes a list"),
        ([{"text": "Jazz", "weight": 1.0}, {"text": "rain", "weight": 0}], r"prompts\[1\]\.weight: is 0"),
        ([{"text": "Jazz", "weight": -0.0}], r"prompts\[0\]\.weight: is 0"),
        ([{"weight": 1.0}], r"prompts\[0\]\.text: is missing"),
        ([types.WeightedPrompt(text="Jazz", weight=float("nan"))], r"prompts\[0\]\.weight: is NaN"),
        ([{"text": "Jazz", "weight": float("inf")}], r"prompts\[0\]\.weight: is Infinity"),
        ([{"text": "Jazz", "wieght": 1.0}], r"prompts\[0\]\.wieght: unknown key; did you mean 'weight'"),
        (["Jazz"], r"prompts\[0\]: must be WeightedPrompt"),
    ],
)
def test_prompts_that_cannot_be_are_refused_and_nothing_is_sent(prompts: Any, words: str) -> None:
    with frames_of() as (session, next_frame):
        with pytest.raises(errors.ConfigError, match=words):
            session.set_weighted_prompts(prompts)
        session.play()
        assert next_frame() == {"playbackControl": "PLAY"}


# Receiving


def test_receive_yields_typed_messages_with_every_chunk_and_what_it_was_made_from() -> None:
    source = {"clientContent": {"weightedPrompts": [{"text": "Jazz", "weight": 1}]}, "musicGenerationConfig": {"seed": -3}}
    both = music(chunk(b"gelbanana!!!", sourceMetadata=source), chunk(b"more"))
    with music_with(sends(both, message(filteredPrompt={"text": "x", "filteredReason": "SAFETY"}))) as session:
        messages = session.receive(PATIENCE)
        first, second = next(messages), next(messages)
    assert [each.data for each in first.audio_chunks] == [b"gelbanana!!!", b"more"]
    assert first.audio_chunks[0].mime_type == MIME
    metadata = first.audio_chunks[0].source_metadata
    assert metadata is not None
    assert metadata.client_content is not None
    assert metadata.client_content.weighted_prompts == [types.WeightedPrompt(text="Jazz", weight=1)]
    assert metadata.music_generation_config == types.LiveMusicGenerationConfig(seed=-3)
    assert second.filtered_prompt == types.LiveMusicFilteredPrompt(text="x", filtered_reason="SAFETY")


def test_an_unknown_kind_of_message_is_delivered_and_one_that_is_not_json_is_an_event() -> None:
    told: list[errors.LiveError] = []
    callbacks = LiveMusicCallbacks(on_error=told.append)
    with music_with(sends(message(newKind={"a": 1}), b"not JSON", music(chunk(b"abcd"))), callbacks=callbacks) as session:
        messages = session.receive(PATIENCE)
        assert next(messages).extra == {"newKind": {"a": 1}}
        undecodable = next(messages)
        assert undecodable.decode_error is not None
        assert undecodable.decode_error.size == len(b"not JSON")
        assert next(messages).audio_chunks[0].data == b"abcd"
        assert session.stats.undecodable == 1
    assert told == [undecodable.decode_error]


@pytest.mark.waits
def test_a_timeout_holds_for_each_message_and_says_that_nothing_plays() -> None:
    with music_with(sends(music(chunk(b"abcd")))) as session:
        until(lambda: session.stats.waiting_messages == 1)
        messages = session.receive(0.2)
        next(messages)
        with pytest.raises(errors.ReceiveTimeout, match=r"play\(\) starts it"):
            next(messages)
        session.play()
        with pytest.raises(errors.ReceiveTimeout, match="no message came within") as raised:
            next(session.receive(0.2))
        assert "play()" not in str(raised.value)
        assert session.close_info is None


def test_callbacks_get_music_messages_and_the_end_and_may_steer_but_not_receive() -> None:
    events: queue.Queue[Any] = queue.Queue()
    box: list[MusicSession] = []
    ready = threading.Event()

    def on_message(received: types.LiveMusicServerMessage) -> None:
        ready.wait(PATIENCE)
        for wait_for_itself in (lambda: box[0].record(1.0), lambda: next(box[0].receive()), lambda: next(iter(box[0]))):
            with pytest.raises(errors.WrongThread):
                wait_for_itself()
        box[0].pause()
        events.put(received)

    callbacks = {"onopen": lambda: events.put("open"), "onmessage": on_message, "onclose": events.put}
    with music_with(sends(music(chunk(b"abcd"))), callbacks=callbacks) as session:
        box.append(session)
        ready.set()
        assert events.get(timeout=PATIENCE) == "open"
        received = events.get(timeout=PATIENCE)
        assert isinstance(received, types.LiveMusicServerMessage)
        assert session.stats.callback_errors == 0
    assert events.get(timeout=PATIENCE) == session.close_info


def test_two_threads_may_not_receive_at_once() -> None:
    with music_with(sends()) as session:
        waiting = beside(lambda: list(session))
        until(lambda: session._connection.inbox.is_taken)  # nothing else tells that a thread waits already
        with pytest.raises(errors.WrongThread):
            next(session.receive(PATIENCE))
        session.close()
        assert waiting.result(PATIENCE) == []


# Recording


def test_a_recording_has_the_length_asked_for_and_the_next_one_goes_on_where_it_ended() -> None:
    pcm = bytes(range(240)) * (SECOND // 240)
    with music_with(sends(music(chunk(pcm[:100_000]), chunk(pcm[100_000:])), music(silence(1)))) as session:
        first, second = session.record(0.75, PATIENCE), session.record(1.25, PATIENCE)
    assert (first.rate, first.channels, first.seconds, second.seconds) == (48_000, 2, 0.75, 1.25)
    assert first.data + second.data == pcm + bytes(SECOND)


def test_a_saved_recording_is_a_wav_file_of_the_little_endian_samples_that_came(tmp_path: Path) -> None:
    frame = (1000).to_bytes(2, "little", signed=True) + (-2).to_bytes(2, "little", signed=True)
    with music_with(sends(music(chunk(frame * 4_800)))) as session:
        path = session.record(0.1, PATIENCE).save(tmp_path / "music.wav")
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (48_000, 2, 2, 4_800)
        assert file.readframes(1) == frame


@pytest.mark.waits
def test_music_that_came_before_a_timeout_is_not_lost() -> None:
    def goes_on_when_told(connection: ServerConnection) -> None:
        connection.recv(timeout=PATIENCE)
        connection.send(music(silence(0.5)))
        wait_until_closed(connection)

    with music_with(sends(music(silence(0.5)), then=goes_on_when_told)) as session:
        with pytest.raises(errors.ReceiveTimeout, match="1 s of music did not come"):
            session.record(1.0, timeout=0.3)
        session.play()
        assert session.record(1.0, PATIENCE).seconds == 1.0


def test_a_session_that_ends_before_the_recording_is_full_raises_and_keeps_what_came() -> None:
    with music_with(sends(music(silence(0.5)), then=lambda connection: connection.close(1000))) as session:
        with pytest.raises(errors.ClosedByServer):
            session.record(1.0, PATIENCE)
        assert session.record(0.5, PATIENCE).seconds == 0.5
        with pytest.raises(errors.ClosedByServer):
            session.record(0.5, PATIENCE)


@pytest.mark.parametrize(
    ("mime", "rate", "channels"),
    [
        (MIME, 48_000, 2),
        (None, 48_000, 2),
        ("audio/L16; channels=1; rate=44100", 44_100, 1),
        ("audio/pcm", 48_000, 2),
        ("audio/pcm;rate=24000", 24_000, 2),
    ],
)
def test_rate_and_channels_are_what_the_mime_type_says(mime: str | None, rate: int, channels: int) -> None:
    with music_with(sends(music(chunk(bytes(SECOND), mime)))) as session:
        audio = session.record(0.5, PATIENCE)
    assert (audio.rate, audio.channels, audio.seconds) == (rate, channels, 0.5)


@pytest.mark.parametrize("mime", ["audio/mpeg", "text/plain", "audio/l16;rate=fast", "audio/l16;channels=0"])
def test_sound_that_is_not_pcm_is_refused(mime: str) -> None:
    with music_with(sends(music(chunk(bytes(SECOND), mime)))) as session, pytest.raises(errors.DecodeError):
        session.record(0.5, PATIENCE)


def test_a_change_of_rate_in_the_middle_is_told_once_and_the_next_recording_has_the_new_one() -> None:
    other = chunk(bytes(SECOND), "audio/l16;rate=24000;channels=2")
    with music_with(sends(music(silence(0.5)), music(other), music(other))) as session:
        with pytest.raises(errors.DecodeError, match="24000 Hz"):
            session.record(1.0, PATIENCE)
        assert session.record(1.0, PATIENCE).rate == 24_000


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), True, "1"])
def test_a_recording_has_a_length(seconds: Any) -> None:
    with music_with(sends()) as session, pytest.raises(errors.ConfigError, match="seconds"):
        session.record(seconds)


# Endings


def test_an_end_between_pieces_is_quiet_for_every_iterator_and_for_receive_once() -> None:
    with music_with(sends(music(chunk(b"abcd")), then=lambda connection: connection.close(1000))) as session:
        assert len(list(session)) == 1
        assert list(session) == []
        assert list(session.receive()) == []
        with pytest.raises(errors.ClosedByServer):
            list(session.receive())
        assert session.close_info is not None
        assert session.close_info.clean


@pytest.mark.parametrize("code", [1000, 1008, 1011])
def test_an_end_while_music_plays_is_a_loss_with_the_servers_words(code: int) -> None:
    told: list[errors.LiveError] = []
    handler = sends(then=closes_on_the_next_message(code, "session has expired"))
    with music_with(handler, callbacks={"on_error": told.append}) as session:
        session.play()
        with pytest.raises(errors.ClosedByServer) as raised:
            list(session)
        info = session.close_info
        assert info is not None
        assert (info.code, info.reason, info.phase, info.turn_open) == (code, "session has expired", errors.Phase.TURN, True)
        assert raised.value.close_info is info
        for call in (session.play, session.pause, session.stop, session.reset_context):
            with pytest.raises(errors.ClosedByServer) as again:
                call()
            assert again.value.close_info is info
        with pytest.raises(errors.ClosedByServer):
            session.set_weighted_prompts([{"text": "Jazz", "weight": 1.0}])
        with pytest.raises(errors.ClosedByServer):
            session.set_music_generation_config({})
    assert [type(error) for error in told] == [errors.ClosedByServer]


@pytest.mark.parametrize("quiet", [MusicSession.pause, MusicSession.stop])
def test_an_end_after_the_music_was_stopped_loses_nothing(quiet: Callable[[MusicSession], None]) -> None:
    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for _ in range(3):
            connection.recv(timeout=PATIENCE)
        connection.close(1000)

    with music_with(handler) as session:
        session.play()
        quiet(session)
        session.reset_context()
        assert list(session) == []


def test_a_lost_network_is_a_lost_connection() -> None:
    with music_with(sends(then=lambda connection: connection.socket.shutdown(2))) as session:
        with pytest.raises(errors.ConnectionLost):
            list(session)
        assert session.close_info is not None
        assert session.close_info.sent_by is errors.SentBy.NETWORK


def test_close_ends_a_playing_session_quietly_and_may_be_called_again() -> None:
    with music_with(sends()) as session:
        session.play()
        session.close()
        session.close()
        assert list(session) == []
        with pytest.raises(errors.SessionClosed, match="this program closed it"):
            session.play()
        assert session.close_info is not None
        assert (session.close_info.sent_by, session.close_info.clean) == (errors.SentBy.CLIENT, True)
        assert repr(session).startswith(f"<MusicSession {MODEL} closed")


def test_a_session_that_is_dropped_warns_and_is_ended() -> None:
    closed = threading.Event()
    with live_server(sends()) as url:
        session = client_of(url).live.music.connect(model=MODEL, callbacks={"on_close": lambda _: closed.set()})
        with pytest.warns(ResourceWarning, match="MusicSession"):  # noqa: PT031 - dropping it is two statements
            del session
            gc.collect()
        assert closed.wait(PATIENCE)


def test_music_and_live_sessions_share_a_reader() -> None:
    with live_server(sends(music(silence(0.5)))) as url:
        client = Client(api_key="k", http_options={"base_url": url}, shared_reader=True)
        with client.live.music.connect(model=MODEL) as one, client.live.music.connect(model=MODEL) as two:
            assert one._connection.reader is two._connection.reader
            assert one.record(0.5, PATIENCE).data == two.record(0.5, PATIENCE).data
        with client.live.connect(model=MODEL) as live:
            assert live._connection.reader is one._connection.reader


# Against the emulator


def test_the_emulator_plays_what_it_is_asked_for() -> None:
    with emulated() as (session, emulator):
        session.set_weighted_prompts([{"text": "minimal techno", "weight": 3.0}, {"text": "piano", "weight": 1.0}])
        session.set_music_generation_config(types.LiveMusicGenerationConfig(bpm=90))
        session.play()
        audio = session.record(1.2, PATIENCE)
        assert (audio.rate, audio.channels, audio.seconds) == (48_000, 2, 1.2)
        assert audio.level > -60
        metadata = next(session.receive(PATIENCE)).audio_chunks[0].source_metadata
        assert metadata is not None
        assert metadata.client_content is not None
        weights = [prompt.weight for prompt in metadata.client_content.weighted_prompts or ()]
        assert weights == [0.75, 0.25]
        assert metadata.music_generation_config == types.LiveMusicGenerationConfig(bpm=90)
        kinds = [kind.partition(".")[0] for kind in emulator.received.kinds()]
        assert kinds == ["setup", "clientContent", "musicGenerationConfig", "playbackControl"]


def beat_of(session: MusicSession, bpm: int, *prompts: tuple[str, float]) -> list[int]:
    """The left channel of one beat of what the emulator plays with these."""
    session.set_weighted_prompts([{"text": text, "weight": weight} for text, weight in prompts])
    session.set_music_generation_config({"bpm": bpm})
    session.stop()
    session.play()
    for received in session.receive(PATIENCE):
        for each in received.audio_chunks:
            source = each.source_metadata and each.source_metadata.client_content
            texts = [prompt.text for prompt in (source and source.weighted_prompts) or ()]
            if texts == [text for text, _ in prompts] and len(each.data or b"") == round(48_000 * 60 / bpm) * 4:
                return list(memoryview(each.data or b"").cast("h"))[::2]
    raise AssertionError("the music ended")


def test_the_emulators_music_follows_bpm_and_weights() -> None:
    with emulated() as (session, _):
        piano, rain = beat_of(session, 150, ("piano", 1.0)), beat_of(session, 150, ("rain", 1.0))
        mix = beat_of(session, 150, ("piano", 3.0), ("rain", 1.0))
        assert piano != rain
        assert all(abs(m - (0.75 * p + 0.25 * r)) <= 2 for m, p, r in zip(mix, piano, rain, strict=True))
        assert len(beat_of(session, 75, ("piano", 1.0))) == 2 * len(piano)
        assert max(piano[: len(piano) // 4]) > 2 * max(piano[-len(piano) // 4 :])


def test_the_emulator_tells_of_a_prompt_that_it_leaves_out() -> None:
    with emulated() as (session, _):
        session.set_weighted_prompts([{"text": "a filtered thing", "weight": 1.0}])
        told = next(session.receive(PATIENCE)).filtered_prompt
        assert told is not None
        assert told.text == "a filtered thing"


@pytest.mark.waits
def test_the_emulator_falls_silent_on_pause() -> None:
    with emulated() as (session, emulator):
        session.play()
        session.record(0.5, PATIENCE)
        session.pause()
        emulator.received.wait_for(lambda got: got.message == {"playbackControl": "PAUSE"}, PATIENCE)
        with pytest.raises(errors.ReceiveTimeout, match=r"play\(\) starts it"):
            list(session.receive(1.0))
        session.play()
        assert session.record(0.5, PATIENCE).seconds == 0.5


@pytest.mark.waits
def test_the_sample_saves_a_wav_file() -> None:
    with TemporaryDirectory() as directory:
        target = Path(directory) / "tune.wav"
        command = [sys.executable, str(SAMPLE), "--emulator", "--seconds", "1", str(target)]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert said.stdout == f"1 s of music, 48000 Hz, 2 channels: {target}\n"
        with wave.open(str(target)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (48_000, 2, 48_000)
