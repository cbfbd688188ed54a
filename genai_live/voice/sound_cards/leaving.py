"""How a process ends although a sound card hangs. Runs on the main thread at the interpreter's exit.

sounddevice has the interpreter call Pa_Terminate at its exit. That waits for the thread of every stream, and the thread of a
stream whose sound server has ended never ends: the process would hang for ever. So sounddevice's handler is replaced by one that
closes what is open, within a limit, and calls sounddevice's only if all of it was closed. What is left then is left to the
system, which takes everything back with the process.

The exit flushes C's stderr, to which PortAudio's thread complains without end once its stream is lost. It may hold the lock of
stderr while it waits for somebody to read the pipe that stderr is, or was cancelled with the lock in its hand: so the lock is not
taken. And where nobody reads that pipe, what is left goes nowhere, instead of waiting with the thread.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import select
import sys
from collections.abc import Callable
from typing import Any

from genai_live import _process

LIMIT = 1.0
"""Seconds for all that is still open."""
_STDERR = 2
_BY_CALLER = 2
"""FSETLOCKING_BYCALLER of stdio_ext.h."""


class _Leaving:
    """What is open, and whether something hangs."""

    def __init__(self) -> None:
        self._open: list[Callable[[float], None]] = []
        self._sounddevice: Any = None
        self._hangs = False

    def opened(self, sounddevice: Any, close: Callable[[float], None]) -> None:
        """Something is to be closed at the exit if nobody closes it before."""
        if self._sounddevice is None:
            self._sounddevice = sounddevice
            atexit.unregister(sounddevice._exit_handler)
            atexit.register(self._leave)
        self._open.append(close)

    def closed(self, close: Callable[[float], None]) -> None:
        """It was closed."""
        if close in self._open:
            self._open.remove(close)

    def hangs(self) -> None:
        """A stream does not end: PortAudio is neither terminated nor unloaded while its thread runs in it."""
        if not self._hangs:
            self._hangs = True
            ctypes.CDLL(self._sounddevice._libname)  # one more reference, which nobody gives back

    def in_child(self) -> None:
        """After a fork: streams and their threads are the parent's."""
        self._open.clear()
        self._hangs = True

    def _leave(self) -> None:
        _take_no_lock_of_stderr()
        for close in list(self._open):
            close(LIMIT)
        if not self._hangs:
            self._sounddevice._exit_handler()
        else:
            _leave_unread_what_nobody_reads()


def _leave_unread_what_nobody_reads() -> None:
    """Where stderr is a pipe that is full, it goes nowhere from now on."""
    if sys.platform == "linux":
        writable = select.poll()
        writable.register(_STDERR, select.POLLOUT)
        if not writable.poll(0):
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), _STDERR)


def _take_no_lock_of_stderr() -> None:
    """For glibc, where it was seen."""
    if sys.platform == "linux":
        system = ctypes.CDLL(None)
        with contextlib.suppress(AttributeError, ValueError):
            system.__fsetlocking(ctypes.c_void_p.in_dll(system, "stderr"), _BY_CALLER)


leaving = _Leaving()
_process.in_child(leaving.in_child)
