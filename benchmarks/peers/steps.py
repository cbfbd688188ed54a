"""Where this library's time goes: the steps of a message, and the moments of a round trip. A process like the other clients.

Steps are measured by themselves in a loop on one thread, the least of many rounds: warm, and so cheaper than among system calls.
The moments of a round trip are marked by functions put around the library's own; a mark costs 0.3 µs.
"""

from __future__ import annotations

import json
import selectors
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import messages
from benchmarks.peers.genai_live_client import InLoop
from benchmarks.server import Order
from genai_live import _json, _sound_messages
from genai_live._client_messages import inputs
from genai_live._connection.inbox import Inbox
from genai_live._network import frames
from genai_live._network.transport import Transport
from genai_live.types import LiveServerMessage

SIZE = 5_760
_FRAMES_IN_A_READ = 8
"""What fits into one read of 64 KiB."""
_MARKED: tuple[tuple[Any, str, str, str], ...] = (
    (Transport, "write", "build the message", "write: the system sends it, the server is woken"),
    (Inbox, "get", "enter receive()", "hand over: wake the user's thread, let it have the interpreter"),
    (selectors.DefaultSelector, "select", "", "the server answers, the reader wakes up"),
    (Transport, "read", "", "read, and cut the frames out"),
    (Inbox, "tell", "decode two messages, note what they say, queue them", "tell the user's thread"),
)
"""Class, method, what was done when it begins, what was done when it returns."""


def least(function: Callable[[], object], times: int = 500, rounds: int = 40) -> float:
    """Microseconds of processor time of one call."""
    seconds = []
    for _ in range(rounds):
        began = time.thread_time()
        for _ in range(times):
            function()
        seconds.append(time.thread_time() - began)
    return min(seconds) / times * 1e6


def steps() -> dict[str, dict[str, float]]:
    """Microseconds of each step of a message with sound."""
    frame, sound = messages.audio(SIZE), bytes(SIZE)
    payload = frames.FrameParser(1 << 30).feed(frame)[0][1]
    start = payload.index(b'"data": "') + len(b'"data": "')
    encoded = payload[start : payload.index(b'"', start)]
    message = inputs.audio_json(sound)
    assert message is not None
    parser, block = frames.FrameParser(1 << 30), frame * _FRAMES_IN_A_READ
    decode, encode = least(lambda: _json.b64decode(encoded)), least(lambda: _json.b64encode(sound))
    return {
        "receive": {
            "cut the frame out": least(lambda: parser.feed(block), 100) / _FRAMES_IN_A_READ,
            "base64": decode,
            "find the sound, make the objects": least(lambda: _sound_messages.read(LiveServerMessage, payload)) - decode,
        },
        "send": {
            "base64": encode,
            "check the sound, put the JSON around it": least(lambda: inputs.audio_json(sound)) - encode,
            "frame: random key, mask, copy": least(lambda: frames.frame(frames.TEXT, message)),
        },
    }


def moments(job: dict[str, Any], count: int = 1_500) -> dict[str, float]:
    """Microseconds between the marks of a text round trip, medians of those that took the usual way."""
    marks: list[tuple[str, float]] = []
    for cls, name, before, after in _MARKED:
        setattr(cls, name, _marked(getattr(cls, name), before, after, marks))
    client, ways = InLoop(), []
    session = client.open(job["url"], job["authority"], Order("echo").model)
    for _ in range(count):
        marks.clear()
        marks.append(("", time.perf_counter()))
        client.say(session)
        client.take_turn(session, len)
        marks.append(("the user's loop, to the end of the turn", time.perf_counter()))
        ways.append(marks[:])
    client.close(session)
    usual = statistics.mode(tuple(words for words, _ in way) for way in ways)
    kept = [way for way in ways if tuple(words for words, _ in way) == usual]
    took: dict[str, float] = {}
    for index, words in enumerate(usual[1:], 1):
        took[words] = took.get(words, 0.0) + statistics.median(way[index][1] - way[index - 1][1] for way in kept) * 1e6
    return took


def _marked(function: Callable[..., Any], before: str, after: str, marks: list[tuple[str, float]]) -> Callable[..., Any]:
    def marked(*arguments: Any, **options: Any) -> Any:
        if before:
            marks.append((before, time.perf_counter()))
        result = function(*arguments, **options)
        marks.append((after, time.perf_counter()))
        return result

    return marked


def main() -> None:
    """Answers one line of standard input."""
    job = json.loads(sys.stdin.readline())
    print(json.dumps({**steps(), "round_trip": moments(job)}), flush=True)


if __name__ == "__main__":
    main()
