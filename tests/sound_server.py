"""A sound card without hardware: a private PipeWire with a loudspeaker, and a microphone that hears what tests speak into it.

``WITH_SOUND`` marks tests that need it. Debian has it in the packages pipewire, pipewire-alsa (which pulseaudio throws out),
wireplumber, dbus and libportaudio2; with ``environment``, ALSA's default device, and so PortAudio's, is this card.
"""

from __future__ import annotations

import array
import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from ctypes.util import find_library
from pathlib import Path
from types import TracebackType

import pytest

from tests.waiting import until

_PROGRAMS = ("pipewire", "wireplumber", "dbus-run-session", "pw-play", "pw-record", "pw-link", "wpctl", "pw-cli")
_PACKAGES = ("sounddevice", "pywebrtc_audio", "numpy")


def missing() -> str:
    """What is not installed, in words; empty when all is."""
    names = [name for name in _PROGRAMS if not shutil.which(name)]
    names += [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    names += [] if find_library("portaudio") else ["libportaudio2"]
    folders = [Path(os.environ["ALSA_PLUGIN_DIR"])] if "ALSA_PLUGIN_DIR" in os.environ else Path("/usr").glob("lib*/**/alsa-lib")
    names += [] if any((each / "libasound_module_pcm_pipewire.so").exists() for each in folders) else ["pipewire-alsa"]
    return ", ".join(names)


QUESTION = Path(__file__).parent.parent / "genai_live" / "cli" / "data" / "question.wav"
"""Speech of 4.6 s, to say into the microphone."""

WITH_SOUND = pytest.mark.skipif(
    sys.platform != "linux" or bool(missing()), reason=f"a private sound server needs Linux and {missing() or 'nothing else'}"
)

_CARD = """
context.objects = [
  { factory = adapter
    args = { factory.name = support.null-audio-sink node.name = speaker node.description = Speaker media.class = Audio/Sink
             object.linger = true audio.position = [ FL FR ] monitor.channel-volumes = true
             priority.session = 1000 priority.driver = 1000 } }
]
context.modules = [
  { name = libpipewire-module-loopback
    args = { node.description = Microphone
      capture.props  = { node.name = mic_feed media.class = Audio/Sink   audio.position = [ MONO ] priority.session = 10 }
      playback.props = { node.name = mic      media.class = Audio/Source audio.position = [ MONO ] priority.session = 1000 } } }
]
"""
"""A loudspeaker whose monitor can be recorded; a loopback, since what is played straight into a null source is not heard."""

_ALSA = """
pcm.card { type pipewire }
pcm.default { type pipewire }
ctl.default { type pipewire }
"""
"""All that ALSA knows, and so PortAudio: two names of this card, whatever else the machine has."""

_NO_HARDWARE = {
    "bluetooth.lua.d/51-off.lua": "bluez_monitor.enabled = false\n",
    "main.lua.d/51-off.lua": "".join(f"{each}_monitor.enabled = false\n" for each in ("alsa", "v4l2", "libcamera")),
}
"""WirePlumber looks for no hardware: it ends at once where there is neither hardware nor systemd, as in a container."""

PRIORITY = -15
"""What sound is ahead of other processes by, where root runs the tests: a desktop gives sound servers and their clients real
time, and a sound card that waits for a processor tells nothing of the program under test."""

MONITOR_RATE = 24_000
"""Hz in which the loudspeaker is recorded: the rate that is played, so that samples can be compared."""


AHEAD = ("nice", "-n", str(PRIORITY)) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()


class SoundServer:
    """The server and its card, for as long as the context lasts."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="sound-"))
        run = self._home / "run"
        self._configure()
        run.mkdir(mode=0o700)
        self.variables = {"XDG_RUNTIME_DIR": str(run), "ALSA_CONFIG_PATH": str(self._home / "config" / "asound.conf")}
        """What a process needs in its environment to find this server."""
        self._own = {
            **os.environ, **self.variables,
            "HOME": str(self._home), "XDG_CONFIG_HOME": str(self._home / "config"), "XDG_STATE_HOME": str(self._home),
        }  # fmt: skip
        self._children: list[subprocess.Popen[bytes]] = []
        self._hearings: list[Hearing] = []

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that finds this server."""
        return {**os.environ, **self.variables}

    def __enter__(self) -> SoundServer:
        script = 'pipewire & echo $! > "$1/pipewire"; until [ -S "$1/run/pipewire-0" ]; do sleep 0.02; done; exec wireplumber'
        command = [*AHEAD, "dbus-run-session", "--", "bash", "-c", script, "-", str(self._home)]
        log = (self._home / "log").open("wb")
        self._session = subprocess.Popen(command, env=self._own, stdout=log, stderr=log, start_new_session=True)
        log.close()
        try:
            until(lambda: self._session.poll() is not None or len(re.findall(r"\*.*(Speaker|Microphone) ", self._status())) == 2)
            assert self._session.poll() is None, (self._home / "log").read_text()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends all of it."""
        for child in self._children:
            child.kill()
            child.wait()
        for hearing in self._hearings:
            hearing.stop()
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self._session.pid, sign)  # a group of this server's own
                self._session.wait(10)
                break
        self._session.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    # -- what happens on the card ----------------------------------------------------------------------------------

    def speak(self, wav: Path) -> subprocess.Popen[bytes]:
        """Plays a WAV file into the microphone; returns while it goes on."""
        return self._start("pw-play", "--target", "mic_feed", str(wav), stdout=subprocess.DEVNULL)

    def hear(self) -> Hearing:
        """Records what the loudspeaker plays from now on."""
        return self._recorded("speaker", "-P", "{ stream.capture.sink=true }", rate=MONITOR_RATE)

    def overhear(self) -> Hearing:
        """Records what the microphone hears."""
        return self._recorded("mic", rate=16_000)

    def feed_back(self, loudness: float = 1.0) -> None:
        """Lets the microphone hear the loudspeaker, at this part of its amplitude."""
        # wpctl's volume is the cube root of an amplitude; the card's monitor follows it.
        self._do("wpctl", "set-volume", self._number("Speaker"), f"{loudness ** (1 / 3):.4f}")
        self._do("pw-link", "speaker:monitor_FL", "mic_feed:playback_MONO")

    def unplug(self) -> None:
        """Takes the card away; the server goes on."""
        for number in self._numbers("Speaker") + self._numbers("Microphone"):
            self._do("pw-cli", "destroy", number)

    def end(self, sign: signal.Signals) -> None:
        """Ends the server, politely or not."""
        os.kill(int((self._home / "pipewire").read_text()), sign)

    # -- programs --------------------------------------------------------------------------------------------------

    def _recorded(self, target: str, *options: str, rate: int) -> Hearing:
        form = ["--rate", str(rate), "--channels", "1", "--format", "s16", "--latency", "20ms", "-"]
        self._hearings.append(Hearing(self._start("pw-record", "--target", target, *options, *form), rate))
        return self._hearings[-1]

    def _start(self, *command: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([*AHEAD, *command], env=self._own, stdout=stdout, stderr=subprocess.DEVNULL)
        self._children.append(child)
        return child

    def _do(self, *command: str) -> None:
        subprocess.run(command, env=self._own, check=True, stdout=subprocess.DEVNULL, timeout=20)

    def _status(self) -> str:
        command = ["wpctl", "status"]
        return subprocess.run(command, env=self._own, capture_output=True, text=True, timeout=20, check=False).stdout

    def _numbers(self, name: str) -> list[str]:
        return re.findall(rf"(\d+)\. {name} ", self._status())

    def _number(self, name: str) -> str:
        return self._numbers(name)[0]

    def _configure(self) -> None:
        files = {"asound.conf": _ALSA, "pipewire/pipewire.conf.d/10-card.conf": _CARD}
        files |= {f"wireplumber/{k}": v for k, v in _NO_HARDWARE.items()}
        for name, text in files.items():
            file = self._home / "config" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


class Hearing:
    """What a recorder has heard so far: 16-bit mono samples."""

    def __init__(self, recorder: subprocess.Popen[bytes], rate: int) -> None:
        self._recorder = recorder
        self.rate = rate
        """Hz."""
        self.pieces: list[tuple[float, bytes]] = []
        """What came, and when."""
        self._length = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def samples(self) -> array.array[int]:
        """All of them."""
        pcm = b"".join(pcm for _, pcm in self.pieces)
        return array.array("h", pcm[: len(pcm) // 2 * 2])

    def __len__(self) -> int:
        return self._length // 2

    def is_disturbed(self) -> bool:
        """True when samples are missing: the machine was too busy to record."""
        (first, pcm), (last, _) = self.pieces[0], self.pieces[-1]
        return abs((last - first) * self.rate - (len(self) - len(pcm) // 2)) > 0.05 * self.rate

    def length_at(self, at: float) -> int:
        """Samples that had come at a time."""
        return sum(len(pcm) for came, pcm in self.pieces if came <= at) // 2

    def wait_for(self, samples: int) -> None:
        """Until that many have come."""
        until(lambda: len(self) >= samples)

    def stop(self) -> array.array[int]:
        """Ends the recording; what was heard."""
        self._recorder.terminate()
        self._thread.join()
        assert self._recorder.stdout is not None
        self._recorder.stdout.close()
        return self.samples

    def _read(self) -> None:
        assert self._recorder.stdout is not None
        for piece in iter(lambda: self._recorder.stdout.read1(65_536), b""):  # type: ignore[union-attr]
            self.pieces.append((time.monotonic(), piece))
            self._length += len(piece)


Busy = list[Callable[[], bool]]
"""What can say that the machine was too busy for its own sound card, for an attempt to add to."""

TRIES = 3


CORES = os.cpu_count() or 1


def needs_a_quiet_machine() -> None:
    """Skips a test of sound in real time where the processors have three times as much to do as they can."""
    load = os.getloadavg()[0]
    if load > 3 * CORES:
        pytest.skip(f"the system is too busy for sound in real time: its load is {load:.0f} on {CORES} processors")


def is_overloaded() -> bool:
    """True when the processors have had more to do in the last minute than they can."""
    return os.getloadavg()[0] > CORES


def measured(attempt: Callable[[Busy], None]) -> None:
    """Runs an attempt that measures sound; again, where it failed and the machine was too busy, for its card or altogether.

    Where it is far too busy each time, the attempt says nothing.
    """
    for tries_left in reversed(range(TRIES)):
        busy: Busy = []
        try:
            attempt(busy)
        except AssertionError:
            if not any(witness() for witness in (*busy, is_overloaded)):
                raise
            if not tries_left:
                needs_a_quiet_machine()
                raise
        else:
            return


@contextlib.contextmanager
def settings(variables: Mapping[str, str]) -> Iterator[None]:
    """This process finds the server, by variables that ALSA reads when a device is opened, and has the server's priority."""
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    if AHEAD:
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)  # threads that are made from now on
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, priority)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
