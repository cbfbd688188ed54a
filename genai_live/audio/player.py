"""A piece of sound as a notebook shows it: a player, and a line below it. Pure: any thread; 0.2 s for a minute."""

from __future__ import annotations

from genai_live import _html
from genai_live.audio.small import small_wav

_AROUND = 1_000
"""Bytes of the HTML around the sound."""


def player(pcm: bytes, rate: int, channels: int = 1, largest: int | None = _html.LARGEST, name: str = "audio") -> str:
    """HTML of at most ``largest`` bytes; None has no limit. ``name`` is what the user calls the sound."""
    form = f"{rate:,} Hz, mono" if channels == 1 else f"{rate:,} Hz, {channels} channels"
    if not pcm:
        return _html.faint(f"no sound · {form}")
    small = small_wav(pcm, rate, channels, None if largest is None else _html.in_base64(largest - _AROUND))
    seconds = len(pcm) / (2 * channels * rate)
    line = f"{seconds:.2f} s of sound · {form}"
    if small.is_reduced:
        shown = "" if small.seconds >= seconds else f"the first {small.seconds:.0f} s "
        line += f" · {shown}here in a telephone's quality: genai_live.notebook.show({name}) and {name}.save(path) have all of it"
    return _html.player(small.content) + _html.faint(line)
