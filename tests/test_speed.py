"""The codec and the framing stay as cheap as they are, as ratios to a yardstick of the same run: no machine's absolute times.

Each test has pytest-benchmark measure the library's way, and runs a yardstick right before every round of it. Both are counted in
processor time of this thread, and the least of many rounds is taken: a loaded machine makes rounds dearer, never cheaper.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from genai_live import _json, _sound_messages, _wire
from genai_live._client_messages import inputs
from genai_live._connection.protocol import Event, LiveProtocol
from genai_live._network import frames
from genai_live._network.frames import FrameParser
from genai_live.types import LiveServerMessage

pytestmark = [pytest.mark.benchmark(timer=time.thread_time, disable_gc=True), pytest.mark.alone]

ROUNDS = 40
SOUND = os.urandom(5_760)
KEY = bytes((0x91, 0x22, 0xA3, 0x74))

Ratio = Callable[[Callable[[], object], Callable[[], object]], float]


def server_frame(payload: bytes) -> bytes:
    assert len(payload) >= 126
    if len(payload) < 1 << 16:
        return bytes((0x82, 126)) + len(payload).to_bytes(2, "big") + payload
    return bytes((0x82, 127)) + len(payload).to_bytes(8, "big") + payload


def server_message(part: dict[str, Any]) -> bytes:
    return json.dumps({"serverContent": {"modelTurn": {"parts": [part]}}}, indent=2).encode()


SPOKEN = server_message({"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(SOUND).decode()}})
WRITTEN = server_message({"text": "Hello to you, and a good day."})


@pytest.fixture
def ratio(benchmark: BenchmarkFixture) -> Ratio:
    """How many times the yardstick something costs."""

    def measured(way: Callable[[], object], yardstick: Callable[[], object], times: int = 100) -> float:
        yardsticks = []

        def repeat(work: Callable[[], object]) -> None:
            for _ in range(times):
                work()

        def measure_yardstick() -> None:
            began = time.thread_time()
            repeat(yardstick)
            yardsticks.append(time.thread_time() - began)

        benchmark.pedantic(repeat, (way,), setup=measure_yardstick, rounds=ROUNDS, warmup_rounds=2)
        if benchmark.disabled:
            pytest.skip("pytest-benchmark is switched off")
        found = float(benchmark.stats.stats.min) / min(yardsticks)
        benchmark.extra_info["times the yardstick"] = round(found, 2)
        return found

    return measured


def protocol() -> LiveProtocol:
    made = LiveProtocol()
    made.move(Event.UPGRADED)
    made.move(Event.SETUP_COMPLETE)
    return made


# In: bytes of the wire to messages.


def test_sound_comes_in_for_less_than_two_and_a_half_times_its_json_and_base64(ratio: Ratio) -> None:
    parser, receive = FrameParser(1 << 30), protocol().receive
    block = server_frame(SPOKEN) * 8

    def eight_messages() -> None:
        for _, payload in parser.feed(block):
            receive(payload)

    def json_and_base64() -> None:
        for _ in range(8):
            data = _json.loads(SPOKEN)["serverContent"]["modelTurn"]["parts"][0]["inlineData"]["data"]
            _json.b64decode(data)

    assert ratio(eight_messages, json_and_base64, 20) < 2.5  # measured: 1.3 to 1.5


def test_sound_is_read_for_less_than_four_fifths_of_the_long_way(ratio: Ratio) -> None:
    def the_long_way() -> object:
        return _wire.decode(LiveServerMessage, _json.loads(SPOKEN))

    assert ratio(lambda: _sound_messages.read(LiveServerMessage, SPOKEN), the_long_way) < 0.8  # measured: 0.5 to 0.6


def test_text_is_read_for_less_than_ten_times_its_json(ratio: Ratio) -> None:
    assert ratio(lambda: _sound_messages.read(LiveServerMessage, WRITTEN), lambda: _json.loads(WRITTEN)) < 10.0  # measured: 6


def test_text_is_read_for_less_than_a_twentieth_of_what_dataclasses_json_takes(ratio: Ratio) -> None:
    data = _json.loads(WRITTEN)
    LiveServerMessage.from_dict(data)  # imports marshmallow
    assert (
        ratio(lambda: _wire.decode(LiveServerMessage, data), lambda: LiveServerMessage.from_dict(data), 10) < 0.05
    )  # measured: 0.005


def test_frames_are_cut_for_less_than_eight_times_copying_them(ratio: Ratio) -> None:
    parser, frame = FrameParser(1 << 30), server_frame(SPOKEN)
    block = frame * 8
    size = len(frame)
    copies = [slice(size * index + 4, size * (index + 1)) for index in range(8)]
    assert ratio(lambda: parser.feed(block), lambda: [block[piece] for piece in copies]) < 8.0  # measured: 2.6 to 3.9


def test_a_message_in_many_reads_costs_less_than_three_times_gathering_its_bytes(ratio: Ratio) -> None:
    """Four megabytes in 64 reads: looking at the beginning anew with every read, or copying it, would cost tens of times that."""
    frame = server_frame(bytes(4_000_000))
    reads = [frame[start : start + 65_536] for start in range(0, len(frame), 65_536)]
    parser = FrameParser(1 << 30)

    def cut() -> None:
        assert sum(len(parser.feed(read)) for read in reads) == 1

    def gather() -> bytes:
        gathered = bytearray()
        for read in reads:
            gathered += read
        return bytes(gathered)

    assert ratio(cut, gather, 1) < 3.0  # measured: 1.0


# Out: what the caller says to bytes of the wire.


def test_sound_goes_out_for_less_than_eight_times_its_base64_and_masking(ratio: Ratio) -> None:
    def send() -> object:
        message = inputs.audio_json(SOUND)
        assert message is not None
        return frames.frame(frames.TEXT, message)

    assert ratio(send, lambda: frames.masked(_json.b64encode(SOUND), KEY)) < 8.0  # measured: 3.8 to 4.6


def test_the_prepared_text_around_sound_costs_less_than_building_it(ratio: Ratio) -> None:
    def built() -> object:
        return _json.dumps({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": base64_text(SOUND)}}})

    assert ratio(lambda: inputs.audio_json(SOUND), built) < 0.9  # measured: 0.6


def base64_text(sound: bytes) -> str:
    return _json.b64encode(sound).decode("ascii")


def test_masking_in_python_costs_less_than_five_translations(ratio: Ratio) -> None:
    table = bytes(range(256))
    assert ratio(lambda: frames.masked_in_python(SPOKEN, KEY), lambda: SPOKEN.translate(table)) < 5.0  # measured: 3.0 to 3.2


def test_masking_in_c_costs_less_than_a_tenth_of_masking_in_python(ratio: Ratio) -> None:
    in_c = frames.masking_in_c()
    if in_c is None:
        pytest.skip("websockets is not installed, or not compiled")
    assert ratio(lambda: in_c(SPOKEN, KEY), lambda: frames.masked_in_python(SPOKEN, KEY)) < 0.1  # measured: 0.02 to 0.03
