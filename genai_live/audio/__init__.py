"""Sound as the Live API takes and gives it: 16-bit little-endian PCM. Values and pure functions, for any thread.

In reading order: ``buffers`` (samples out of whatever holds them), ``containers`` (which kind of file begins so), ``pcm``
(samples, levels, chunks), ``encodings`` (other samples made 16-bit ones), ``wav`` (files), ``short_filter`` and ``resampling``
(rates and channels), ``small`` and ``player`` (what a notebook shows), ``recording`` (``Audio``, what a turn's speech is),
``conversion`` (what a model wants to hear), ``arriving`` (the same of what comes in pieces) and ``pacing`` (when the next piece
is due).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_live import _public
from genai_live.audio.conversion import to_input, to_mono
from genai_live.audio.pacing import Pacer
from genai_live.audio.pcm import (
    INPUT_RATE,
    OUTPUT_RATE,
    SAMPLE_BYTES,
    SILENCE_DBFS,
    channels_of,
    chunks,
    level_dbfs,
    mime_type_of,
    rate_of,
)
from genai_live.audio.recording import Audio
from genai_live.audio.resampling import Resampler
from genai_live.audio.wav import read_wav, write_wav

__all__ = [
    "INPUT_RATE",
    "OUTPUT_RATE",
    "SAMPLE_BYTES",
    "SILENCE_DBFS",
    "Audio",
    "Pacer",
    "Resampler",
    "channels_of",
    "chunks",
    "level_dbfs",
    "mime_type_of",
    "rate_of",
    "read_wav",
    "to_input",
    "to_mono",
    "write_wav",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)
