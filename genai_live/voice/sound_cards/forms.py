"""Which sound cards there are, and in which form one gives and takes sound. Runs on the thread that asks."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from genai_live._extras import installing
from genai_live.audio import INPUT_RATE, OUTPUT_RATE
from genai_live.errors import DeviceError

Side = Literal["input", "output"]

NAMES: dict[Side, str] = {"input": "microphone", "output": "loudspeaker"}

_WANTED: dict[Side, int] = {"input": INPUT_RATE, "output": OUTPUT_RATE}
"""The service's rates: a card that takes them saves a conversion."""

_USUAL_RATES = (48_000, 44_100, 32_000, 96_000, 16_000)
"""Rates of sound cards, in Hz, that are tried when a card takes neither the service's nor its own default."""

_NO_LIBRARY = {
    "linux": "the library PortAudio is missing; Debian and Ubuntu: apt install libportaudio2, Fedora: dnf install portaudio",
    "": "the library PortAudio cannot be loaded; reinstall the package that brings it: pip install --force-reinstall sounddevice",
}
_NO_DEVICE = {
    "linux": "connect one, or let this user have sound (the group audio, a running PipeWire or PulseAudio);"
    " a container or a machine without a sound card talks through Files",
    "darwin": "connect one, and allow it to this terminal in System Settings, Privacy & Security, Microphone",
    "win32": "connect one, and allow it in Settings, Privacy & security, Microphone, 'Let desktop apps access your microphone'",
    "": "connect one, and allow this program to use it",
}
_REFUSED = {
    "linux": "is it in use by another program, or not allowed to this user (the group audio)?",
    "darwin": "is it allowed to this terminal in System Settings, Privacy & Security, Microphone?",
    "win32": "is it allowed in Settings, Privacy & security, Microphone, or taken by a program that lets no other use it?",
    "": "is it in use by another program?",
}


@dataclass(frozen=True)
class SoundDevice:
    """A sound card as the system names it."""

    index: int
    """Its number, which ``Devices(input=..., output=...)`` takes as it takes the name or a part of it."""
    name: str
    system: str
    """The system's way to sound: ALSA, Core Audio, MME, Windows WASAPI."""
    inputs: int
    """Channels that can be recorded; 0 when it has no microphone."""
    outputs: int
    rate: int
    """Hz that it uses by default."""
    default_input: bool
    default_output: bool


@dataclass(frozen=True)
class Form:
    """One side of a sound card, and the form of its 16-bit samples."""

    device: int
    name: str
    rate: int
    """Hz."""
    channels: int
    least_latency: float
    """Seconds of buffer below which the system advises not to go."""


def sound_devices() -> tuple[SoundDevice, ...]:
    """The sound cards of this machine, as they were when the process first asked.

    Raises:
        DeviceError: there is none, or no PortAudio to ask; says what to do.
    """
    sounddevice = portaudio()
    if not sounddevice.query_devices():
        raise DeviceError(f"there is no microphone and no loudspeaker: {_cure(_NO_DEVICE)}")
    systems = sounddevice.query_hostapis()
    chosen = [sounddevice.default.device[side] for side in (0, 1)]
    return tuple(
        SoundDevice(
            index=each["index"],
            name=each["name"],
            system=systems[each["hostapi"]]["name"],
            inputs=each["max_input_channels"],
            outputs=each["max_output_channels"],
            rate=int(each["default_samplerate"]),
            default_input=each["index"] == chosen[0],
            default_output=each["index"] == chosen[1],
        )
        for each in sounddevice.query_devices()
    )


def portaudio() -> Any:
    """The module sounddevice.

    Raises:
        DeviceError: it or its library is not installed.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise DeviceError(f"sound through devices needs the package sounddevice: {installing('voice')}") from error
    except OSError as error:
        raise DeviceError(_cure(_NO_LIBRARY)) from error
    return sounddevice


def form_of(side: Side, device: int | str | None) -> Form:
    """The form in which a sound card is opened: the service's rate and one channel if it takes them, else what it has.

    Args:
        side: which half of it.
        device: its number, its name or a part of it, or None for the system's default.

    Raises:
        DeviceError: there is no such sound card, or it takes no form that can be converted.
    """
    sounddevice = portaudio()
    found = _found(sounddevice, side, device)
    forms = [(rate, channels) for channels in (1, 2) for rate in _rates(side, int(found["default_samplerate"]))]
    refusal: Exception | None = None
    for rate, channels in forms:
        if channels > found[f"max_{side}_channels"]:
            continue
        try:
            getattr(sounddevice, f"check_{side}_settings")(found["index"], channels=channels, dtype="int16", samplerate=rate)
        except sounddevice.PortAudioError as error:
            refusal = refusal or error
            continue
        return Form(found["index"], found["name"], rate, channels, found[f"default_low_{side}_latency"])
    raise refused(side, found["name"], refusal) from refusal


def refused(side: Side, name: str, error: object) -> DeviceError:
    """The error for a sound card that cannot be opened."""
    words = str(error.args[0]) if isinstance(error, Exception) and error.args else "no usual rate is taken"
    return DeviceError(f"the {NAMES[side]} {name!r} cannot be opened ({words}): {_cure(_REFUSED)}")


def _rates(side: Side, own: int) -> Iterable[int]:
    return dict.fromkeys((_WANTED[side], own, *_USUAL_RATES))


def _found(sounddevice: Any, side: Side, device: int | str | None) -> Any:
    try:
        found = sounddevice.query_devices(device, side)
    except (ValueError, sounddevice.PortAudioError) as error:
        there = sound_devices()
        usable = {f"{each.index} {each.name!r}": each for each in there if getattr(each, f"{side}s")}
        if device is None or not usable:
            raise DeviceError(f"there is no {NAMES[side]}: {_cure(_NO_DEVICE)}") from error
        words = str(device).lower().split()  # as sounddevice compares them
        fitting = [shown for shown, each in usable.items() if words and all(word in each.name.lower() for word in words)]
        if isinstance(device, str) and len(fitting) > 1:
            sentence = f"{device!r} fits several {NAMES[side]}s: {', '.join(fitting)}; give more of the name, or its number"
            raise DeviceError(sentence) from error
        raise DeviceError(f"no {NAMES[side]} is called {device!r}; there are: {', '.join(usable)}") from error
    return found


def _cure(cures: dict[str, str]) -> str:
    return cures.get(sys.platform, cures[""])
