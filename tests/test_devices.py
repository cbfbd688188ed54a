"""Devices on a sound card without hardware: what is said is fed, what is played is heard, what is lost is told."""

from __future__ import annotations

import array
import json
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from genai_live._extras import installing
from genai_live.audio import Audio, level_dbfs
from genai_live.errors import ConfigError, DeviceError, EndFull
from genai_live.testing import check_sound_end
from genai_live.voice import Devices, Rates, sound_devices
from tests.sound_server import AHEAD, MONITOR_RATE, QUESTION, WITH_SOUND, Busy, Hearing, SoundServer, measured, settings
from tests.waiting import PATIENCE, until

pytestmark = [WITH_SOUND, pytest.mark.alone]

BLOCK = MONITOR_RATE // 100
"""Samples of 10 ms."""
RINGING = 120
"""Samples before and after a sound that the server's conversion to its own rate and back adds to it."""


class Opened:
    """Devices that are open, and what they fed."""

    def __init__(self, devices: Devices) -> None:
        self.devices = devices
        self.fed = bytearray()
        self.ended: list[Exception | None] = []
        self.rates = devices.open(self.fed.extend, lambda control: None, self.ended.append)

    def is_disturbed(self) -> bool:
        """True when the machine was too busy for its sound card."""
        stats = self.devices.stats
        return stats["underflows"] + stats["overflows"] > 0

    def hears(self, seconds: float) -> bytes:
        """What is fed in the next seconds."""
        begin, size = len(self.fed), int(seconds * self.rates.input) * 2
        until(lambda: len(self.fed) >= begin + size)
        return bytes(self.fed[begin : begin + size])


@pytest.fixture(scope="module")
def card() -> Iterator[SoundServer]:
    """A private sound server; this process finds it."""
    with SoundServer() as server, settings(server.variables):
        if "sounddevice" in sys.modules:  # its list of devices is of the time at which it was loaded
            sys.modules["sounddevice"]._terminate()
            sys.modules["sounddevice"]._initialize()
        yield server


@pytest.fixture
def opened(card: SoundServer) -> Iterator[Callable[..., Opened]]:
    """Opens devices, and closes them."""
    all_of_them: list[Opened] = []

    def open_(*arguments: Any, **options: Any) -> Opened:
        all_of_them.append(Opened(Devices(*arguments, **options)))
        return all_of_them[-1]

    yield open_
    for each in all_of_them:
        each.devices.close(1.0)


def noise(seconds: float, rate: int = MONITOR_RATE, seed: int = 0) -> bytes:
    """Sound that is loud all the time."""
    chance = random.Random(seed)
    return array.array("h", (chance.choice((-6_000, 6_000)) for _ in range(int(seconds * rate)))).tobytes()


def stretches(samples: array.array[int], quiet: int = 3 * BLOCK) -> list[tuple[int, int]]:
    """Where there is sound: (first sample, one past the last) of pieces that are ``quiet`` samples or more apart."""
    found: list[list[int]] = []
    for at, sample in enumerate(samples):
        if abs(sample) > 50:
            if not found or at - found[-1][1] > quiet:
                found.append([at, at + 1])
            found[-1][1] = at + 1
    return [(begin, end) for begin, end in found]


# What there is


def test_the_sound_cards_of_the_machine_are_listed(card: SoundServer) -> None:
    found = sound_devices()
    default = next(each for each in found if each.default_input)
    assert (default.name, default.system) == ("default", "ALSA")
    assert default.inputs > 0
    assert default.outputs > 0
    assert default.rate > 0


@pytest.mark.parametrize("echo_cancellation", [True, False])
def test_devices_are_a_sound_end(card: SoundServer, echo_cancellation: bool) -> None:
    check_sound_end(lambda: Devices(echo_cancellation=echo_cancellation))


@pytest.mark.parametrize("name", ["default", "card", 0])
def test_a_device_is_named_by_its_name_a_part_of_it_or_its_number(opened: Callable[..., Opened], name: str | int) -> None:
    assert opened(name, name).rates == Rates(16_000, 24_000)


@pytest.mark.parametrize(("side", "word"), [("input", "microphone"), ("output", "loudspeaker")])
def test_a_device_that_there_is_not_is_an_error_that_names_those_there_are(card: SoundServer, side: str, word: str) -> None:
    devices = Devices(**{side: "Studio 5000"})  # type: ignore[arg-type]
    with pytest.raises(DeviceError, match=f"no {word} is called 'Studio 5000'; there are: 0 'card', 1 'default'"):
        Opened(devices)


@pytest.mark.parametrize(("side", "word"), [("input", "microphone"), ("output", "loudspeaker")])
def test_a_name_that_fits_several_devices_is_an_error_that_names_them(card: SoundServer, side: str, word: str) -> None:
    with pytest.raises(DeviceError, match=f"'a' fits several {word}s: 0 'card', 1 'default'; give more of the name"):
        Opened(Devices(**{side: "a"}))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [1.5, True, b"default"])
def test_a_device_is_a_number_or_a_name(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="must be a device's number or name"):
        Devices(wrong)


def test_devices_are_opened_once(opened: Callable[..., Opened]) -> None:
    each = opened()
    with pytest.raises(ConfigError, match="opened before"):
        Opened(each.devices)


# Sound


def test_what_is_said_into_the_microphone_is_fed(card: SoundServer, opened: Callable[..., Opened]) -> None:
    each = opened()
    until(lambda: level_dbfs(each.hears(0.1)) < -60)
    card.speak(QUESTION)
    until(lambda: level_dbfs(each.hears(0.1)) > -40)
    assert abs(level_dbfs(each.hears(2.0)) - level_dbfs(Audio.load(QUESTION).data)) < 4
    assert each.devices.stats["blocks_heard"] > 200


def test_what_is_played_is_heard_and_counted_to_the_block(card: SoundServer, opened: Callable[..., Opened]) -> None:
    def plays(busy: Busy) -> None:
        each, hearing = opened(), card.hear()
        busy += [each.is_disturbed, hearing.is_disturbed]
        hearing.wait_for(BLOCK)
        each.devices.play(noise(1.0))
        each.devices.end_of_answer()
        assert each.devices.played < 0.2
        until(lambda: each.devices.played >= 1.0)
        heard = sum(end - begin for begin, end in stretches(heard_until_quiet(hearing)))
        assert each.devices.played == pytest.approx(1.0)
        assert abs(heard - each.devices.played * MONITOR_RATE) < BLOCK + RINGING

    measured(plays)


def test_a_flush_is_silence_within_a_tenth_of_a_second_and_nothing_of_the_old_sound_follows(
    card: SoundServer, opened: Callable[..., Opened]
) -> None:
    def flushes(busy: Busy) -> None:
        each, hearing = opened(), card.hear()
        busy += [each.is_disturbed, hearing.is_disturbed]
        hearing.wait_for(BLOCK)
        each.devices.play(noise(20.0))
        until(lambda: each.devices.played > 0.5)
        each.devices.flush()
        at_flush = each.devices.played
        heard = heard_until_quiet(hearing)
        after = each.devices.played
        assert each.devices.flushes == 1
        assert after - at_flush < 0.1  # what the sound card had already
        each.devices.play(noise(0.2, seed=1))
        until(lambda: each.devices.played >= after + 0.2 - 1e-6)  # sums of fractions are not exact
        pieces = stretches(heard_until_quiet(hearing))
        assert len(pieces) == len(stretches(heard)) + 1  # silence, then the new sound alone
        lengths = [end - begin for begin, end in pieces]
        assert abs(sum(lengths[:-1]) - after * MONITOR_RATE) < BLOCK + RINGING
        assert abs(lengths[-1] - 0.2 * MONITOR_RATE) < BLOCK + RINGING

    measured(flushes)


def heard_until_quiet(hearing: Hearing) -> array.array[int]:
    """What the loudspeaker played, to a tenth of a second of silence after it."""

    def quiet() -> bool:
        samples = hearing.samples
        return any(samples) and not any(samples[-10 * BLOCK :])

    until(quiet)
    return hearing.samples


def test_ten_minutes_are_held_and_more_is_refused(opened: Callable[..., Opened]) -> None:
    each = opened()
    minute = bytes(2 * 24_000 * 60)
    for _ in range(10):
        each.devices.play(minute)
    with pytest.raises(EndFull, match="600 s of sound wait"):
        each.devices.play(minute)
    each.devices.flush()
    each.devices.play(minute)


# Cards that do not take the service's rates, or one channel


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 1), (44_100, 2)])
def test_a_card_of_another_form_is_converted(
    card: SoundServer, opened: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch, rate: int, channels: int
) -> None:
    def talks(busy: Busy) -> None:
        each, hearing = opened(), card.hear()
        busy += [each.is_disturbed, hearing.is_disturbed]
        stats = each.devices.stats
        assert (each.rates, stats["input_rate"], stats["output_rate"]) == (Rates(16_000, rate), rate, rate)
        card.speak(QUESTION)
        until(lambda: level_dbfs(each.hears(0.1)) > -40)
        assert abs(level_dbfs(each.hears(2.0)) - level_dbfs(Audio.load(QUESTION).data)) < 4
        hearing.wait_for(BLOCK)
        each.devices.play(noise(0.5, rate))
        until(lambda: each.devices.played >= 0.5)
        heard = sum(end - begin for begin, end in stretches(heard_until_quiet(hearing)))
        assert abs(heard - 0.5 * MONITOR_RATE) < BLOCK + RINGING

    refuse_other_forms(monkeypatch, rate, channels)
    measured(talks)


def refuse_other_forms(monkeypatch: pytest.MonkeyPatch, rate: int, channels: int) -> None:
    """The server takes every rate; the card of this test does not."""
    import sounddevice

    for side in ("input", "output"):

        def check(device: int, channels: int, dtype: str, samplerate: int, wanted: tuple[int, int] = (rate, channels)) -> None:
            if (samplerate, channels) != wanted:
                raise sounddevice.PortAudioError("Invalid sample rate", -9997)

        monkeypatch.setattr(sounddevice, f"check_{side}_settings", check)


def test_a_card_that_takes_no_form_is_an_error_with_a_cure(card: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_other_forms(monkeypatch, 7, 1)
    with pytest.raises(DeviceError, match=r"the microphone 'default' cannot be opened \(Invalid sample rate\): is it in use"):
        Opened(Devices())


# What is lost. A stream that is lost is never given back, so each of these is a process with a server of its own.

PROGRAM = """
import atexit, json, sys, threading, time
from genai_live.voice import Devices

def tell(**facts):
    print(json.dumps({"at": time.monotonic(), **facts}), flush=True)

lost = threading.Event()
def ended(error):
    tell(ended=type(error).__name__, says=str(error))
    lost.set()

atexit.register(lambda: tell(leaves=True))  # registered first, so called last
devices = Devices()
devices.open(lambda pcm: None, lambda control: None, ended)
devices.play(bytes(48_000 * 20))
tell(open=True)
"""


class Program:
    """A process that talks through devices. What it complains of is read at once, or when it has ended."""

    def __init__(self, server: SoundServer, more: str, before: str = "", *, is_read: bool = True) -> None:
        code = textwrap.dedent(before) + PROGRAM + textwrap.dedent(more)
        self.process = subprocess.Popen(
            [*AHEAD, sys.executable, "-c", code],
            env=server.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors = ""
        self._flood = threading.Thread(target=self._drain, daemon=True)
        if is_read:
            self._flood.start()
        assert self.next()["open"]

    def next(self) -> dict[str, Any]:
        """The next thing that it tells."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors
        return dict(json.loads(line))

    def wait(self) -> float:
        """Seconds from now to its end, which is a good one."""
        began = time.monotonic()
        status = self.process.wait(PATIENCE)
        assert status == 0, self.errors
        return time.monotonic() - began

    def _drain(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read(20_000)  # PortAudio writes a million lines a second
        while self.process.stderr.read(1_000_000):
            pass

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        if self._flood.ident is not None:
            self._flood.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


LOSSES: dict[str, Callable[[SoundServer], None]] = {
    "unplugged": SoundServer.unplug,
    "server ended": lambda server: server.end(signal.SIGTERM),
    "server killed": lambda server: server.end(signal.SIGKILL),
}


@pytest.mark.waits
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_told_within_a_second_and_neither_close_nor_the_end_of_the_process_hangs(loss: str) -> None:
    more = """
    lost.wait()
    began = time.monotonic()
    devices.close(5.0)
    tell(closed=time.monotonic() - began)
    """
    with SoundServer() as server, Program(server, more) as program:
        LOSSES[loss](server)
        lost = time.monotonic()
        told = program.next()
        assert told["at"] - lost < 1.0
        assert told["ended"] == "DeviceError"
        assert "is gone: it was unplugged, or its sound server has ended" in told["says"]
        assert program.next()["closed"] < 1.0
        assert program.next()["leaves"]
        assert program.wait() < 2.0


@pytest.mark.waits
def test_a_process_that_forgets_to_close_ends() -> None:
    with SoundServer() as server, Program(server, "") as program:
        assert program.next()["leaves"]
        assert program.wait() < 2.0


@pytest.mark.waits
@pytest.mark.parametrize("is_read", [True, False], ids=["whose complaints are read", "whose complaints nobody reads"])
def test_a_process_that_forgets_to_close_what_is_lost_ends(is_read: bool) -> None:
    with SoundServer() as server, Program(server, "lost.wait()", is_read=is_read) as program:
        server.end(signal.SIGKILL)
        assert program.next()["ended"] == "DeviceError"
        assert program.next()["leaves"]
        assert program.wait() < 2.0


@pytest.mark.waits
def test_a_process_ends_although_a_thread_was_cancelled_with_the_lock_of_stderr() -> None:
    more = """
    import ctypes
    system = ctypes.CDLL(None)
    cancelled = threading.Thread(target=system.flockfile, args=[ctypes.c_void_p.in_dll(system, "stderr")])
    cancelled.start()
    cancelled.join()
    """
    with SoundServer() as server, Program(server, more) as program:
        assert program.next()["leaves"]
        assert program.wait() < 2.0


@pytest.mark.waits
def test_a_child_of_a_process_that_talks_ends_and_leaves_the_sound_to_its_parent() -> None:
    more = """
    import os
    child = os.fork()
    if child == 0:
        sys.exit(0)
    began = time.monotonic()
    assert os.waitpid(child, 0)[1] == 0
    tell(child=time.monotonic() - began)
    before = devices.stats["blocks_heard"]
    while devices.stats["blocks_heard"] < before + 10:
        time.sleep(0.01)
    devices.close(1.0)
    """
    with SoundServer() as server, Program(server, more) as program:
        assert program.next()["leaves"]  # the child's
        assert program.next()["child"] < 2.0
        assert program.next()["leaves"]
        assert program.wait() < 2.0


@pytest.mark.waits
@pytest.mark.parametrize("hanging", ["abort", "close"])
def test_a_driver_that_hangs_neither_holds_close_nor_the_end_of_the_process(hanging: str) -> None:
    before = f"""
    import sounddevice, threading
    sounddevice._StreamBase.{hanging} = lambda self: threading.Event().wait()
    """
    more = """
    began = time.monotonic()
    devices.close(5.0)
    tell(closed=time.monotonic() - began)
    """
    with SoundServer() as server, Program(server, more, before) as program:
        assert program.next()["closed"] < 1.0
        assert program.next()["leaves"]
        assert program.wait() < 2.0


@pytest.mark.waits
def test_a_device_that_gives_no_sound_is_told_within_five_seconds() -> None:
    before = """
    import sounddevice
    sounddevice.RawInputStream.start = lambda self: None
    """
    code = textwrap.dedent(before) + "import atexit, time\nbegan = time.monotonic()\n"
    code += "atexit.register(lambda: print(time.monotonic() - began))\n" + PROGRAM
    with SoundServer() as server:
        done = ran(code, server.environment)
    assert 5.0 < float(done.stdout.splitlines()[-1]) < 12.0  # with what is imported meanwhile
    assert "DeviceError: no sound comes through the microphone 'default'" in done.stderr


# What is not installed, or not there


def ran(code: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [*AHEAD, sys.executable, "-c", code]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=PATIENCE, check=False)


def without(before: str, tmp_path: Path) -> str:
    """What a machine says that lacks something: the last line of its error."""
    more = "from genai_live.voice import Devices\nDevices().open(print, print, print)"
    variables = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    code = f"{textwrap.dedent(before)}\n{more}"
    done = ran(code, variables)
    assert done.returncode == 1
    return done.stderr.strip().splitlines()[-1]


def test_a_machine_without_a_sound_card_is_told_what_to_do(tmp_path: Path) -> None:
    words = without("", tmp_path)
    assert words.startswith(
        "genai_live.errors.DeviceError: there is no microphone and no loudspeaker: connect one, or let this user have"
    )


def test_a_machine_without_portaudio_is_told_what_to_install(tmp_path: Path) -> None:
    words = without("import ctypes.util\nctypes.util.find_library = lambda name: None", tmp_path)
    assert words.endswith(
        "the library PortAudio is missing; Debian and Ubuntu: apt install libportaudio2, Fedora: dnf install portaudio"
    )


@pytest.mark.parametrize(("package", "words"), [("sounddevice", "the package sounddevice"), ("pywebrtc_audio", "headset")])
def test_a_package_that_is_missing_is_named(tmp_path: Path, card: SoundServer, package: str, words: str) -> None:
    code = (
        f"import sys\nsys.modules[{package!r}] = None\nfrom genai_live.voice import Devices\nDevices().open(print, print, print)"
    )
    done = ran(code, card.environment)
    assert words in done.stderr.strip().splitlines()[-1]
    assert installing("voice") in done.stderr
