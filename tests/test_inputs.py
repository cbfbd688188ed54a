"""What a caller says, in every accepted shape, as client messages; and what is refused before anything is sent."""

from __future__ import annotations

import array
import base64
import copy
import dataclasses
import datetime
import decimal
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest

from genai_live import _json, types
from genai_live._backends import MLDEV, VERTEX, Backend
from genai_live._client_messages import inputs
from genai_live.audio import Audio
from genai_live.errors import ConfigError
from tests.naming import named

both = pytest.mark.parametrize("backend", [MLDEV, VERTEX], ids=lambda backend: backend.name)
PCM = b"\x01\x02\xff\xfe"
BASE64 = "a str is taken as base64 in the data of a Blob or dict only, beside its mime_type"


def sent(message: dict[str, Any]) -> Any:
    """What arrives: the message through JSON."""
    return json.loads(_json.dumps(message))


def content(turns: Any, turn_complete: Any = None, backend: Backend = MLDEV) -> Any:
    return sent(inputs.client_content(turns, turn_complete, backend))["clientContent"]


def realtime(backend: Backend = MLDEV, **arguments: Any) -> Any:
    return sent(inputs.realtime_input(backend, **arguments))["realtimeInput"]


def responses(given: Any, backend: Backend = MLDEV) -> Any:
    return sent(inputs.tool_response(given, backend))["toolResponse"]["functionResponses"]


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


# clientContent.

TURNS: list[tuple[Any, list[Any]]] = [
    ("a", [user({"text": "a"})]),
    (["a", "b"], [user({"text": "a"}, {"text": "b"})]),
    (types.Part(text="a"), [user({"text": "a"})]),
    ({"text": "a"}, [user({"text": "a"})]),
    (["a", types.Part(text="b"), {"text": "c"}], [user({"text": "a"}, {"text": "b"}, {"text": "c"})]),
    (types.Content(role="model", parts=[types.Part(text="a")]), [{"role": "model", "parts": [{"text": "a"}]}]),
    ({"role": "model", "parts": [{"text": "a"}]}, [{"role": "model", "parts": [{"text": "a"}]}]),
    ({"parts": ["a"]}, [user({"text": "a"})]),
    (
        [types.Content(role="user", parts=[]), {"role": "model", "parts": ["a"]}],
        [{"role": "user", "parts": []}, {"role": "model", "parts": [{"text": "a"}]}],
    ),
    ((types.Content(role="user", parts=[types.Part(text="a")]),), [user({"text": "a"})]),
    ([], []),
    ("", [user({"text": ""})]),
    (types.Blob(data=PCM, mime_type="audio/pcm"), [user({"inlineData": {"data": "AQL//g==", "mimeType": "audio/pcm"}})]),
    (
        {"inlineData": {"data": bytearray(PCM), "mime_type": "audio/pcm"}, "thought": False},
        [user({"inlineData": {"data": "AQL//g==", "mimeType": "audio/pcm"}, "thought": False})],
    ),
    (
        types.Content(parts=[types.Part(function_call=types.FunctionCall(name="f", args={"snake_key": None, "b": [b"\xff"]}))]),
        [user({"functionCall": {"name": "f", "args": {"snake_key": None, "b": ["/w=="]}}})],
    ),
]


@both
@pytest.mark.parametrize(("given", "turns"), TURNS)
def test_turns_have_many_forms(backend: Backend, given: Any, turns: list[Any]) -> None:
    before = copy.deepcopy(given)
    assert content(given, True, backend) == {"turns": turns, "turnComplete": True}
    assert given == before


def test_what_is_left_out_is_not_sent() -> None:
    assert content(None, True) == {"turnComplete": True}
    assert content("a", None) == {"turns": [user({"text": "a"})]}
    assert content(None, False) == {"turnComplete": False}


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        (3, "turns: must be a str, Content, Part, File, image, a dict of one of them, or a list of them, not int"),
        (b"a", "turns: must be a str, Content"),
        ([3], "turns[0]: must be a str"),
        ([None], "turns[0]: must be a str, Content, Part, File, image, a dict of one of them, or a list of them, not NoneType"),
        ([{"parts": []}, "a"], "turns: mixes Contents and parts; put every part into a Content"),
        ({"function_call": {"name": "f"}}, "turns: a part with function_call needs a Content"),
        (
            ["a", types.Part(function_response=types.FunctionResponse(name="f"))],
            "turns[1]: a part with function_response needs a Content",
        ),
        ({"partz": []}, "turns.partz: unknown key"),
        ({"txet": "a"}, "turns.txet: unknown key; did you mean 'text'?"),
        ({"parts": [{"inline_data": {"date": b""}}]}, "turns.parts[0].inline_data.date: unknown key; did you mean 'data'?"),
        ([{"parts": ["a"]}, {"parts": [{"text": 1}]}], "turns[1].parts[0].text: must be text, not int"),
    ],
)
def test_what_are_no_turns_is_refused(turns: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        content(turns)
    assert words in str(caught.value)


def test_turn_complete_is_true_or_false() -> None:
    with pytest.raises(ConfigError, match=r"^turn_complete: must be True or False, not 1"):
        content("a", 1)


@pytest.mark.parametrize(
    ("backend", "part", "path"),
    [
        (VERTEX, {"tool_call": {}}, "turns.parts[0].tool_call"),
        (VERTEX, {"part_metadata": {}}, "turns.parts[0].part_metadata"),
        (MLDEV, {"function_call": {"name": "f", "will_continue": True}}, "turns.parts[0].function_call.will_continue"),
    ],
)
def test_content_is_held_to_the_rules_of_its_backend(backend: Backend, part: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        content({"parts": [part]}, None, backend)
    assert str(caught.value) == f"{path}: {backend} does not have this field; only {backend.other} has it"


def test_what_a_newer_server_said_goes_back_as_it_came() -> None:
    heard = types.Content.from_dict({"role": "model", "parts": [{"text": "a", "brandNew": {"x": 1}}]})
    assert content(heard)["turns"] == [{"role": "model", "parts": [{"text": "a", "brandNew": {"x": 1}}]}]


# realtimeInput.


@both
def test_bare_bytes_are_pcm_at_16_khz(backend: Backend) -> None:
    for data in (PCM, bytearray(PCM), memoryview(PCM), memoryview(array.array("h", [513, -257]))):
        assert realtime(backend, audio=data) == {"audio": {"data": "AQL//g==", "mimeType": "audio/pcm;rate=16000"}}


@both
def test_a_blob_says_its_own_kind(backend: Backend) -> None:
    for blob in (types.Blob(data=PCM, mime_type="audio/pcm;rate=8000"), {"data": PCM, "mimeType": "audio/pcm;rate=8000"}):
        assert realtime(backend, audio=blob) == {"audio": {"data": "AQL//g==", "mimeType": "audio/pcm;rate=8000"}}
    assert realtime(backend, video={"data": b"x", "mime_type": "image/jpeg"}) == {
        "video": {"data": "eA==", "mimeType": "image/jpeg"}
    }


def test_media_is_the_older_list_form() -> None:
    blob = {"data": b"x", "mime_type": "application/pdf"}
    assert realtime(media=blob) == {"mediaChunks": [{"data": "eA==", "mimeType": "application/pdf"}]}
    assert len(realtime(media=[blob, blob])["mediaChunks"]) == 2


def test_the_other_arguments_are_sent_as_they_are() -> None:
    assert realtime(text="") == {"text": ""}
    assert realtime(audio_stream_end=False) == {"audioStreamEnd": False}
    for start in ({}, types.ActivityStart(), True):
        assert realtime(activity_start=start) == {"activityStart": {}}
    assert realtime(activity_end=types.ActivityEnd()) == {"activityEnd": {}}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "exactly one argument, got none of media, audio, video, text"),
        ({"text": "a", "audio": PCM}, "exactly one argument, got audio, text; send them one after the other"),
        ({"audio": {"data": PCM}}, "audio.mime_type: is missing; say what the bytes are, for example 'audio/pcm;rate=16000'"),
        ({"audio": {"data": PCM, "mime_type": "pcm"}}, "audio.mime_type: 'pcm' is not a MIME type of audio/*"),
        ({"audio": {"data": PCM, "mime_type": "audio/pcm;rate="}}, "is not a MIME type of audio/*"),
        ({"audio": {"data": PCM, "mime_type": "image/png"}}, "is not a MIME type of audio/*; pictures go into video="),
        ({"video": {"data": PCM, "mime_type": "audio/pcm"}}, "is not a MIME type of image/*; sound goes into audio="),
        ({"video": {"data": PCM, "mime_type": "video/mp4"}}, "send the frames of a video one by one, as images"),
        ({"video": PCM}, "video: must be a Blob, a dict of one or a PIL image, not bytes; bytes need a MIME type"),
        ({"media": PCM}, "media: must be a Blob, a dict of one, a PIL image, or a list of them, not bytes"),
        ({"media": []}, "media: is an empty list"),
        ({"media": [{"data": b""}]}, "media[0].mime_type: is missing"),
        ({"audio": "AQL//g=="}, f"audio: must be bytes, a Blob or a dict of one, not str; {BASE64}"),
        ({"video": "/9j/"}, f"video: must be a Blob, a dict of one or a PIL image, not str; {BASE64}"),
        ({"video": "frame.jpg"}, "a picture's path is a pathlib.Path"),
        ({"audio": {"data": "AQL//g=*", "mime_type": "audio/pcm"}}, "audio.data: a str is taken as base64, and this one is not"),
        ({"video": {"data": "data:image/png;base64,iVBO", "mime_type": "image/png"}}, "pass what follows the comma"),
        ({"audio": {"mime_type": "audio/pcm"}}, "audio.data: must be bytes, not NoneType"),
        ({"audio": b"\x00" * 5}, "audio.data: holds 5 bytes, and 16-bit samples have two each"),
        (
            {"audio": b"RIFF\x24\x00\x00\x00WAVEfmt "},
            "audio.data: is a WAV file, and audio/pcm;rate=16000 has no header; use stream_audio",
        ),
        ({"audio": {"data": PCM, "mimetype": "audio/pcm"}}, "audio.mimetype: unknown key; did you mean 'mime_type'?"),
        (
            {"audio": array.array("f", [1, 2])},
            "audio: is array of items of the format 'f' in the shape (2,), and sound is 16-bit",
        ),
        ({"audio": {"data": PCM, "mime_type": "audio/wav"}}, "is bare samples, and audio/wav has a header"),
        (
            {"audio": {"data": PCM, "mime_type": "audio/pcm;rate=16"}},
            "rate=16' is not a MIME type of audio/*; a rate is a number",
        ),
        ({"audio": {"data": bytes(6), "mime_type": "audio/pcm;channels=2"}}, "not a whole number of samples of 2 channels"),
        ({"audio": b"OggS" + bytes(8)}, "audio.data: is an Ogg file, and audio/pcm;rate=16000 has no header; decode it first"),
        ({"audio": b"\0\0\0\x20ftypM4A " + bytes(8)}, "audio.data: is an MP4 file, and audio/pcm"),
        ({"audio": (b"\xff\xf3\x84\xc4" + bytes(188)) * 4}, "audio.data: is an MP3 file, and audio/pcm"),
        (
            {"audio": base64.b64encode(bytes(range(240)))},
            "is text, and audio/pcm;rate=16000 has no header; decode its base64 first",
        ),
        ({"audio": {"data": b"OggS" + bytes(8), "mime_type": "audio/wav"}}, "is an Ogg file, and audio/wav has a header"),
        ({"audio": Path("question.wav")}, "Path; a WAV file goes through stream_audio(path)"),
        ({"audio": "question.wav"}, f"not str; {BASE64}; a WAV file goes through stream_audio(path)"),
        ({"audio": {"data": PCM, "mime_type": "audio/pcm;rate=fast"}}, "; a rate is a number of Hz: audio/pcm;rate=16000"),
        ({"text": b"a"}, "text: must be text, not bytes"),
        ({"text": "\ud83d"}, "text: character 0 is half of a surrogate pair"),
        ({"audio_stream_end": 1}, "audio_stream_end: must be True or False, not 1"),
        ({"activity_start": False}, "activity_start: must be ActivityStart or a dict of it, not bool"),
        ({"activity_start": {"x": 1}}, "activity_start.x: unknown key"),
    ],
)
def test_what_is_no_realtime_input_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        realtime(**arguments)
    assert words in str(caught.value)


def test_a_blob_of_googles_sdk_is_refused_with_what_to_take_instead() -> None:
    from google.genai import types as google_types

    with pytest.raises(ConfigError, match=r"not google\.genai's Blob; take types from genai_live"):
        realtime(audio=google_types.Blob(data=PCM, mime_type="audio/pcm"))


def test_every_kind_of_bytes_is_sound() -> None:
    for sound in (b"\1\2\3\4", bytearray(b"\1\2\3\4"), memoryview(b"\1\0\2\0\3\0\4\0")[::2]):
        assert realtime(audio=sound)["audio"]["data"] == "AQIDBA=="


@both
def test_a_str_in_the_data_of_a_blob_is_base64(backend: Backend) -> None:
    for blob in (types.Blob(data="AQL//g==", mime_type="audio/pcm"), {"data": "AQL//g==", "mimeType": "audio/pcm"}):  # type: ignore[arg-type]
        assert realtime(backend, audio=blob) == {"audio": {"data": "AQL//g==", "mimeType": "audio/pcm"}}
    for blob in ({"data": "/9j/", "mime_type": "image/jpeg"}, types.Blob(data="/9j/", mime_type="image/jpeg")):  # type: ignore[arg-type, assignment]
        assert realtime(backend, video=blob) == {"video": {"data": "/9j/", "mimeType": "image/jpeg"}}


@pytest.mark.parametrize("mime_type", ["audio/wav", "audio/x-wav", "AUDIO/WAVE"])
def test_a_wav_file_in_a_blob_gives_its_samples_and_its_rate(mime_type: str) -> None:
    wav = Audio(PCM, 44_100).wav_bytes()
    assert realtime(audio={"data": wav, "mime_type": mime_type})["audio"] == {
        "data": "AQL//g==",
        "mimeType": "audio/pcm;rate=44100",
    }
    assert realtime(media=types.Blob(data=wav, mime_type=mime_type))["mediaChunks"][0]["mimeType"] == "audio/pcm;rate=44100"


def test_several_channels_become_one_and_the_rate_stays() -> None:
    for stereo in ({"data": PCM, "mime_type": "audio/pcm;rate=48000;channels=2"}, Audio(PCM, 48_000, 2)):
        assert realtime(audio=stereo)["audio"] == {"data": "gAA=", "mimeType": "audio/pcm;rate=48000"}


def test_audio_says_its_own_rate() -> None:
    expected = {"data": "AQL//g==", "mimeType": "audio/pcm;rate=24000"}
    assert realtime(audio=Audio(PCM, 24_000))["audio"] == expected
    assert realtime(media=[Audio(PCM, 24_000)])["mediaChunks"] == [expected]


def test_telephone_sound_becomes_pcm() -> None:
    for mime_type, quiet in (("audio/x-mulaw", b"\xff"), ("audio/PCMA;rate=8000", b"\xd5")):
        sent_sound = realtime(audio={"data": quiet * 2, "mime_type": mime_type})["audio"]
        assert sent_sound["mimeType"] == "audio/pcm;rate=8000"
        assert max(array.array("h", base64.b64decode(sent_sound["data"]))) <= 8, "no more than the smallest step of A-law"


# The short way for sound.


@pytest.mark.parametrize("mime_type", ["audio/pcm;rate=16000", "audio/pcm", 'audio/x;p="quo\\"ted"', "audio/pcm; rate=8000"])
@pytest.mark.parametrize("data", [b"", PCM, bytes(range(256)) * 8])
def test_the_short_way_for_sound_says_the_same_as_the_long_one(mime_type: str, data: bytes) -> None:
    try:
        long = realtime(audio={"data": data, "mime_type": mime_type})
    except ConfigError:
        with pytest.raises(ConfigError):
            inputs.audio_prefix(mime_type)
        return
    short = inputs.audio_prefix(mime_type) + _json.b64encode(data) + inputs.AUDIO_SUFFIX
    assert json.loads(short) == {"realtimeInput": long}


@pytest.mark.parametrize("data", [b"", PCM, bytes(range(256)) * 8, bytes(range(256)) * 1_000], ids=len)
def test_sound_in_its_usual_shapes_takes_the_short_way_and_says_the_same(data: bytes) -> None:
    mime_type = "audio/pcm;rate=24000"
    for value in (data, {"data": data, "mime_type": mime_type}, types.Blob(data=data, mime_type=mime_type)):
        short = inputs.audio_json(value)
        assert short is not None
        assert json.loads(short[:]) == {"realtimeInput": realtime(audio=value)}


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"odd",
        b"RIFF" + bytes(40),
        bytearray(PCM),
        memoryview(PCM),
        {"data": PCM, "mimeType": "audio/pcm"},
        {"data": PCM},
        {"data": PCM, "mime_type": "image/png"},
        {"data": PCM, "mime_type": None},
        {"data": "AAAA", "mime_type": "audio/pcm"},
        {"data": PCM, "mime_type": "audio/wav"},
        {"data": PCM, "mime_type": "audio/pcm;channels=2"},
        {"data": PCM, "mime_type": "audio/pcm;rate=16"},
        Audio(PCM, 16_000),
        types.Blob(data=PCM, mime_type="audio/pcm", display_name="x"),
        types.Blob(data=PCM, mime_type="audio/pcm", extra={"x": 1}),
        [PCM],
    ],
    ids=named,
)
def test_every_other_shape_and_whatever_is_wrong_takes_the_long_way(value: object) -> None:
    assert inputs.audio_json(value) is None


def test_the_short_way_is_for_sound_only() -> None:
    with pytest.raises(ConfigError, match=r"^mime_type: 'image/png' is not a MIME type of audio"):
        inputs.audio_prefix("image/png")


# toolResponse.


@both
def test_a_tool_response_has_many_forms(backend: Backend) -> None:
    plain = {"id": "1", "name": "f", "response": {"output": 1}}
    for form in (plain, types.FunctionResponse(**plain), [plain], (types.FunctionResponse(**plain),)):
        assert responses(form, backend) == [plain]
    two = responses([plain, {**plain, "id": "2", "willContinue": False, "scheduling": "silent"}], MLDEV)
    assert two[1] == {**plain, "id": "2", "willContinue": False, "scheduling": "SILENT"}


def test_a_response_is_sent_as_it_is_with_bytes_and_times_written() -> None:
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
    response = {"snake_key": None, "camelKey": [b"\xff\xfe", moment, {"a": types.Modality.AUDIO}], "empty": {}}
    before = copy.deepcopy(response)
    assert responses({"id": "1", "name": "f", "response": response})[0]["response"] == {
        "snake_key": None,
        "camelKey": ["//4=", "2026-01-02T00:00:00+00:00", {"a": "AUDIO"}],
        "empty": {},
    }
    assert response == before


def test_parts_of_a_response_carry_bytes() -> None:
    given = {"id": "1", "name": "f", "response": {}, "parts": [{"inline_data": {"data": b"\xff", "mime_type": "image/png"}}]}
    assert responses(given)[0]["parts"] == [{"inlineData": {"data": "/w==", "mimeType": "image/png"}}]


def test_vertex_ai_needs_no_id() -> None:
    for given in ({"name": "f", "response": {}}, {"id": "", "name": "f", "response": {}}):
        assert responses(given, VERTEX) == [{"name": "f", "response": {}}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "function_responses: holds no response"),
        ([], "function_responses: holds no response"),
        ({}, "function_responses.name: is missing"),
        ({"name": "f", "response": {}}, "function_responses.id: is missing; the Gemini Developer API matches responses"),
        ({"id": "", "name": "f", "response": {}}, "function_responses.id: is missing"),
        ({"id": None, "name": "f", "response": {}}, "function_responses.id: is missing"),
        ([{"id": "1", "name": "", "response": {}}], "function_responses[0].name: is missing"),
        ([{"id": "1", "name": "f"}], 'function_responses[0].response: is missing; pass a dict such as {"output": ...}'),
        ({"id": "1", "name": "f", "response": "sunny"}, "function_responses.response: must be a dict, not str; pass {"),
        ({"id": "1", "name": "f", "response": {"a": {1: 2}}}, "not int; pass str(key)"),
        ({"id": "1", "name": "f", "response": {"a": float("nan")}}, "JSON has no NaN and no infinity; pass None in its place"),
        ({"id": "1", "name": "f", "response": {"a": [object()]}}, "response['a'][0]: must be text, a number, True"),
        ({"id": "1", "name": "f", "reponse": {}}, "function_responses.reponse: unknown key; did you mean 'response'?"),
        ("sunny", "function_responses: must be FunctionResponse or a dict of it, not str"),
        ([3], "function_responses[0]: must be FunctionResponse or a dict of it, not int"),
    ],
)
def test_what_is_no_tool_response_is_refused(given: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        responses(given)
    assert words in str(caught.value)


def test_a_wrong_key_is_explained_by_the_kind_of_dict_that_was_meant() -> None:
    for turns, words in (
        ({"rol": "user", "parts": []}, "turns.rol: unknown key; did you mean 'role'?"),
        ({"txt": "a"}, "turns.txt: unknown key; did you mean 'text'?"),
        ({"text": "a", "role": "user"}, "turns.role: unknown key; a dict is either a Content (parts, role) or a Part"),
    ):
        with pytest.raises(ConfigError) as caught:
            content(turns)
        assert words in str(caught.value)


def test_what_cannot_be_utf8_is_refused_before_it_is_sent() -> None:
    for write in (
        lambda: content("a\ud83d"),
        lambda: content([types.Part(text="a\ud83d")]),
        lambda: realtime(text="a\ud83d"),
        lambda: responses({"id": "1", "name": "f", "response": {"a": "a\ud83d"}}),
    ):
        with pytest.raises(ConfigError, match="character 1 is half of a surrogate pair"):
            write()


def test_what_is_nested_within_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    for write, path in (
        (lambda: responses({"id": "1", "name": "f", "response": endless}), "function_responses"),
        (
            lambda: inputs.context_update(
                None, [{"function_declarations": [{"name": "f", "response_json_schema": endless}]}], MLDEV
            ),
            "tools",
        ),
        (lambda: content({"parts": [{"part_metadata": endless}]}), "turns"),
    ):
        with pytest.raises(ConfigError, match="is nested too deeply, or within itself") as caught:
            write()
        assert caught.value.path == path


# contextUpdate.


def test_a_context_update_carries_what_changes() -> None:
    def update(**arguments: Any) -> Any:
        return sent(inputs.context_update(arguments.get("system_instruction"), arguments.get("tools"), MLDEV))["contextUpdate"]

    assert update(system_instruction="be brief") == {"systemInstruction": user({"text": "be brief"})}
    assert update(tools=[]) == {"tools": {"tools": []}}
    assert update(tools=[{"google_search": {}}]) == {"tools": {"tools": [{"googleSearch": {}}]}}


def test_an_empty_context_update_is_refused() -> None:
    with pytest.raises(ConfigError, match="takes a system_instruction, tools, or both"):
        inputs.context_update(None, None, MLDEV)


@dataclasses.dataclass
class Seat:
    row: int


class Flight(pydantic.BaseModel):
    day: datetime.date


CURED: list[tuple[Any, Any]] = [
    ({1}, [1]),
    (range(2), [0, 1]),
    (decimal.Decimal("1.10"), "1.10"),
    (uuid.UUID(int=1), str(uuid.UUID(int=1))),
    (Path("a"), "a"),
    (datetime.timedelta(seconds=2), 2.0),
    (np.float32(1.5), 1.5),
    (np.arange(2), [0, 1]),
    (Seat(3), {"row": 3}),
    (Flight(day=datetime.date(2026, 5, 1)), {"day": "2026-05-01"}),
]


@pytest.mark.parametrize(("value", "meant"), CURED, ids=str)
def test_a_result_that_json_has_no_word_for_is_refused_with_the_expression_that_makes_one(value: Any, meant: Any) -> None:
    with pytest.raises(ConfigError, match=r"^function_responses\.response\['a'\]: must be text, .*; pass ") as caught:
        inputs.tool_response({"id": "1", "name": "f", "response": {"a": value}}, MLDEV)
    cured = eval(str(caught.value).partition("; pass ")[2], {"x": value, "dataclasses": dataclasses})
    sent = inputs.tool_response({"id": "1", "name": "f", "response": {"a": cured}}, MLDEV)
    assert sent["toolResponse"]["functionResponses"][0]["response"] == {"a": meant}
