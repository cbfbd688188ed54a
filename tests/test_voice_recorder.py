"""Recordings: both sides in their place in time, right at every moment, and what was said beside them."""

from __future__ import annotations

import array
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from genai_live import Client, ReconnectPolicy, errors
from genai_live.audio import Audio, level_dbfs
from genai_live.emulator import LiveEmulator
from genai_live.voice import Conversation, Files, MemoryRecorder, Reconnected, Reconnecting, Recorder, TurnEnded
from genai_live.voice.growing_files import GrowingWav
from genai_live.voice.recorder import RATE, TwoTracks
from tests.processes import ROOT
from tests.sound_ends import MODEL, HandEnd, client_of, silence, talking, told, tone
from tests.waiting import PATIENCE, until

KILLED = """
import sys
from genai_live import Client
from genai_live.audio import Audio
from genai_live.emulator import LiveEmulator
from genai_live.voice import Conversation, Files, TurnEnded
with LiveEmulator(voice=False, pace=0.0) as emulator:
    client = Client(api_key="k", http_options={"base_url": emulator.url})
    files = Files([sys.argv[1]] * 100)
    with Conversation.connect(client, files, model="gemini-3.8-live", record=sys.argv[2]) as conversation:
        for event in conversation:
            if isinstance(event, TurnEnded):
                print("a turn", flush=True)
"""


def channels(audio: Audio) -> tuple[bytes, bytes]:
    both = array.array("h", audio.data)
    return both[0::2].tobytes(), both[1::2].tobytes()


def part(pcm: bytes, begin: float, end: float) -> bytes:
    return pcm[2 * int(begin * RATE) : 2 * int(end * RATE)]


# Tracks


def test_each_side_stands_where_it_was_said() -> None:
    tracks = TwoTracks(RATE)
    tracks.add["user"](tone(0.5), 1.5)
    tracks.add["model"](tone(0.5, RATE), 2.5)
    left, right = channels(Audio(tracks.take(3.0), RATE, 2))
    assert len(left) == len(right) == 2 * 3 * RATE
    assert [level_dbfs(part(left, at, at + 0.4)) > -20 for at in (0.5, 1.05, 2.05)] == [False, True, False]
    assert [level_dbfs(part(right, at, at + 0.4)) > -20 for at in (0.5, 1.05, 2.05)] == [False, False, True]


def test_pieces_that_come_a_little_late_follow_each_other_without_a_gap() -> None:
    tracks = TwoTracks(RATE)
    pcm = tone(1.0, RATE)
    step = len(pcm) // 10
    for number in range(10):
        tracks.add["model"](pcm[number * step : (number + 1) * step], 1.1 + 0.1 * number + (0.1 if number % 3 else 0.0))
    _, right = channels(Audio(tracks.take(3.0), RATE, 2))
    assert pcm in right


def test_what_comes_after_its_time_was_taken_is_kept_behind_it() -> None:
    tracks = TwoTracks(RATE)
    assert len(tracks.take(1.0)) == 4 * RATE
    tracks.add["model"](tone(0.5, RATE), 0.9)
    _, right = channels(Audio(tracks.take(2.0), RATE, 2))
    assert right[:RATE] == tone(0.5, RATE)


# Files


def test_a_growing_file_is_whole_after_every_piece(tmp_path: Path) -> None:
    path = tmp_path / "grows.wav"
    wav = GrowingWav(path, 24_000)
    assert len(Audio.load(path)) == 0
    for count in range(1, 4):
        wav.append(tone(0.1, 24_000))
        assert Audio.load(path).seconds == pytest.approx(count * 0.1)
    wav.close()
    wav.append(tone(0.1, 24_000))
    assert Audio.load(path).seconds == pytest.approx(0.3)


def test_what_is_left_between_sound_and_header_by_a_killed_process_is_still_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "killed.wav"
    wav = GrowingWav(path, 24_000)
    wav.append(tone(1.0, 24_000))
    with path.open("ab") as file:
        file.write(tone(0.01, 24_000))  # the sound was written, its header not yet
    wav.close()
    assert Audio.load(path).seconds == pytest.approx(1.0, abs=0.011)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no disk that is always full")
def test_a_full_disk_costs_the_recording_and_nothing_else() -> None:
    with pytest.raises(errors.ConfigError, match="cannot be written"):
        GrowingWav("/dev/full", 24_000)


def test_a_recording_that_cannot_be_written_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    end = HandEnd(error=AssertionError("it was opened"))
    with client_of() as client, pytest.raises(errors.ConfigError, match="cannot be written"):
        Conversation.connect(client, end, model=MODEL, record=tmp_path / "missing" / "call.wav")


LIMITED = """
import resource, sys
from genai_live.voice.growing_files import GrowingLines, GrowingWav
from genai_live.audio import Audio
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
lines, wav = GrowingLines(sys.argv[1]), GrowingWav(sys.argv[2], 24_000)
for number in range(4):
    lines.write(f"{number}" * 399)
    wav.append(bytes(400))
for each in lines, wav:
    each.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a limit of sizes stands for a full disk, and Windows has none")
def test_what_the_disk_takes_no_more_leaves_whole_lines_and_a_whole_wav_file_and_is_told_once(tmp_path: Path) -> None:
    lines, wav = tmp_path / "call.jsonl", tmp_path / "call.wav"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(lines), str(wav)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=PATIENCE,
    )
    assert lines.read_text(encoding="utf-8") == "0" * 399 + "\n" + "1" * 399 + "\n"
    assert (len(Audio.load(wav)), wav.stat().st_size) == (400, 44 + 800)
    assert done.stderr.count("cannot be written any more") == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no disk that is always full")
def test_a_conversation_ends_although_its_transcript_finds_the_disk_full(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.with_suffix(".jsonl").symlink_to("/dev/full")
    with (
        client_of(hears=["hello"]) as client,
        Conversation.connect(client, Files(Audio(tone(0.5), 16_000)), model=MODEL, record=path) as conversation,
    ):
        assert conversation.wait(PATIENCE).error is None
    assert Audio.load(path).seconds > 0.5


def test_files_that_were_there_stay_as_they_were_where_no_conversation_begins(tmp_path: Path) -> None:
    sound, words, heard = (tmp_path / name for name in ("call.wav", "call.jsonl", "answers.wav"))
    for each in (sound, words, heard):
        each.write_bytes(b"of yesterday")
    nobody = Client(api_key="k", http_options={"base_url": "http://127.0.0.1:9"})
    with pytest.raises(errors.ConnectError):
        Conversation.connect(nobody, Files(Audio(tone(0.5), 16_000), heard), model=MODEL, record=sound)
    with pytest.raises(errors.ConfigError, match="speed"):
        Files(Audio(tone(0.5), 16_000), heard, speed=-1)
    assert [each.read_bytes() for each in (sound, words, heard)] == [b"of yesterday"] * 3


def test_files_that_were_there_are_replaced_whole_by_a_conversation_in_which_nothing_is_said(tmp_path: Path) -> None:
    sound, words, heard = (tmp_path / name for name in ("call.wav", "call.jsonl", "answers.wav"))
    for each in (sound, words, heard):
        each.write_bytes(b"of yesterday" * 100_000)
    with client_of(hears=[]) as client:
        files = Files(Audio(silence(0.5), 16_000), heard, patience=0.5)
        with Conversation.connect(client, files, model=MODEL, record=sound) as conversation:
            conversation.wait(PATIENCE)
    assert 0 < Audio.load(sound).seconds < 10
    assert (words.read_bytes(), Audio.load(heard).seconds) == (b"", 0)


def test_a_call_is_recorded_with_its_words_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    spoken = Audio(silence(0.5) + tone(1.0) + silence(0.2), 16_000)
    with (
        client_of(hears=["hello"]) as client,
        Conversation.connect(client, Files(spoken), model=MODEL, record=path) as conversation,
    ):
        (turn,) = [event for event in conversation if isinstance(event, TurnEnded)]
        length = conversation.wait(PATIENCE).at
    recorded = Audio.load(path)
    assert (recorded.rate, recorded.channels) == (RATE, 2)
    assert recorded.seconds == pytest.approx(length, abs=0.5)
    user, model = channels(recorded)
    said = turn.utterances[1]
    middle = (said.begin + said.end) / 2
    assert level_dbfs(part(model, middle - 0.2, middle + 0.2)) > -40
    assert level_dbfs(part(model, 0.0, said.begin - 0.3)) < -90
    assert level_dbfs(part(user, said.begin, said.end)) < -90
    lines = [json.loads(line) for line in path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["speaker"], line["text"]) for line in lines] == [("user", "hello"), ("model", said.text)]
    assert lines[1]["heard"] == pytest.approx(said.heard)


def test_a_recording_is_whole_after_its_process_was_killed(tmp_path: Path) -> None:
    spoken, path = tmp_path / "spoken.wav", tmp_path / "call.wav"
    Audio(tone(0.5) + silence(0.1), 16_000).save(spoken)
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(spoken), str(path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    for _ in range(2):
        assert child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait(PATIENCE)
    child.stdout.close()
    recorded = Audio.load(path)
    assert recorded.seconds > 1.0
    assert max(level_dbfs(each) for each in channels(recorded)) > -40
    for line in path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines():
        assert json.loads(line)["speaker"] in ("user", "model")


# Memory


def test_a_recording_in_memory_keeps_the_newest_seconds() -> None:
    recorder = MemoryRecorder(2.0)
    recorder.begin(lambda: 5.0, RATE)
    recorder.play(tone(0.5, RATE), 4.5)
    recorder.close()
    audio = recorder.audio()
    assert (audio.seconds, audio.channels) == (pytest.approx(2.0), 2)
    _, model = channels(audio)
    assert level_dbfs(part(model, 1.05, 1.45)) > -20


def test_what_an_interruption_dropped_is_not_in_the_recording() -> None:
    recorder = MemoryRecorder()
    end = HandEnd()
    with client_of() as client, talking(end, client, record=recorder):
        end.speak(1.0)
        end.wait(lambda: end.held > 1.0)
        end.hear(0.5)
        end.speak(1.0)
        end.wait(lambda: end.flushed)
        end.wait(lambda: end.acts.count("end_of_answer") == 2)
        end.hear()
        end.wait(lambda: len(told(end, TurnEnded)) == 2)
    _, model = channels(recorder.audio())
    loud = array.array("h", model)
    heard = sum(abs(sample) > 0 for sample in loud) / RATE
    assert heard <= end.played + 0.01
    assert [said.interrupted for said in recorder.utterances if said.speaker == "model"] == [True, False]


def test_what_was_said_between_two_connections_stands_where_it_was_said() -> None:
    end, recorder = HandEnd(eager=True), MemoryRecorder()
    with LiveEmulator(voice=False, pace=0.0) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        policy = ReconnectPolicy(first_pause=1.2)  # longer than what is written waits for
        with talking(end, client, reconnect=policy, record=recorder) as conversation:
            end.speak(0.1)
            end.wait(lambda: told(end, TurnEnded))
            until(lambda: conversation._now() > 1.5)  # the second of silence that follows is over
            emulator.sessions[0].abort()
            end.wait(lambda: told(end, Reconnecting))
            end.feed(tone(0.3))
            end.wait(lambda: told(end, Reconnected))
            until(lambda: conversation.stats.sent >= 1.4)
    left, _ = channels(recorder.audio())
    lost, back = told(end, Reconnecting)[0].at, told(end, Reconnected)[0].at
    assert level_dbfs(part(left, lost + 0.02, lost + 0.25)) > -20
    assert level_dbfs(part(left, back - 0.2, back)) < -60


def test_a_recorder_records_one_conversation() -> None:
    recorder: Recorder = MemoryRecorder()
    recorder.begin(lambda: 0.0, RATE)
    with pytest.raises(errors.ConfigError, match="one conversation"):
        recorder.begin(lambda: 0.0, RATE)
    recorder.close()


def test_a_recording_is_no_mp3_and_says_so_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError, match=r"name it \.wav"):
        GrowingWav(tmp_path / "call.mp3", RATE, 2)
    assert not list(tmp_path.iterdir())
