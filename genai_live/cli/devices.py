"""``genai-live devices``: the microphones and loudspeakers of this machine. Runs on the main thread."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from genai_live.cli.screen import Screen
from genai_live.voice import SoundDevice, sound_devices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(arguments: argparse.Namespace, screen: Screen) -> None:
    """Lists them; raises the library's errors."""
    found = sound_devices()
    if arguments.json:
        screen.json([asdict(each) for each in found])
        return
    screen.say("--device, --microphone and --loudspeaker take a number, a name or a part of it.")
    width = max(len(each.name) for each in found)
    for each in found:
        screen.result(f"{each.index:>3}  {each.name:<{width}}  {', '.join(_sides(each))} ({each.system}, {each.rate:,} Hz)")


def _sides(device: SoundDevice) -> list[str]:
    sides = (("microphone", device.inputs, device.default_input), ("loudspeaker", device.outputs, device.default_output))
    return [("default " if default else "") + name for name, channels, default in sides if channels]
