"""Calls the user's functions one at a time and in order: on the reader thread, or on the user's executor.

Nothing that they do ends the reader.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from genai_live._tracebacks import words_of
from genai_live.callbacks import Callbacks
from genai_live.errors import CallbackError

logger = logging.getLogger("genai_live")

SLOW_CALLBACK = 0.5
"""Seconds from which a callback counts as slow: longer than two audio messages of the service, so playback would stutter."""


class Dispatcher:
    """Runs callbacks and keeps account of what they did. They see the context variables of the thread that made this.

    ``resume`` is called, on any thread, when the executor has caught up after ``pause_if_full``, and when the reader should
    ``call_waiting``.
    """

    def __init__(
        self, callbacks: Callbacks[Any], limit_bytes: float = float("inf"), resume: Callable[[], None] | None = None
    ) -> None:
        self.callbacks = callbacks
        self.limit_bytes = limit_bytes
        self.errors = 0
        self.slow = 0
        self.longest = 0.0
        """Seconds."""
        self._resume = resume
        self._origin = contextvars.copy_context()
        self._contexts = [self._origin.copy()]
        """The context while no callback runs in it: the same for all, so that one finds what another has set. It is away, and a
        copy of the first serves, where a failed connect() reports from its thread while the reader is still inside a callback."""
        self._soon: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        """What other threads want to be called by the reader."""
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...], int, Callable[[], object] | None]] = deque()
        self._waiting_bytes = 0
        self._waiting_lock = threading.Lock()
        """Guards ``_waiting``, ``_running`` and ``_paused``: one job of the executor at a time keeps the order."""
        self._running = False
        self._paused = False

    def call(
        self,
        function: Callable[..., object] | None,
        *arguments: Any,
        size: int = 0,
        later: Callable[[], object] | None = None,
    ) -> None:
        """Calls the function now, or hands it to the executor; never raises. ``size`` is what waits with it, in bytes.

        ``later`` makes its only argument when its turn has come.
        """
        if function is None:
            return
        if self.callbacks.executor is not None:
            self._hand_over(function, arguments, size, later)
            return
        if later is not None:
            arguments = (later(),)
        if self._soon:
            self.call_waiting()
        self._run(function, arguments)

    def call_soon(self, function: Callable[..., object] | None, *arguments: Any) -> None:
        """As ``call``, from a thread that is not the reader's: returns at once, and the reader calls it, or the executor."""
        if function is None:
            return
        if self.callbacks.executor is not None:
            self._hand_over(function, arguments, 0, None)
            return
        self._soon.append((function, arguments))
        if self._resume is not None:
            self._resume()

    def call_waiting(self) -> None:
        """Calls what ``call_soon`` was given. Reader thread."""
        while self._soon:
            self._run(*self._soon.popleft())

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for the executor."""
        return self._waiting_bytes

    def _hand_over(
        self, function: Callable[..., object], arguments: tuple[Any, ...], size: int, later: Callable[[], object] | None
    ) -> None:
        with self._waiting_lock:
            self._waiting.append((function, arguments, size, later))
            self._waiting_bytes += size
            start = not self._running
            self._running = True
        if start:
            self._submit()

    def pause_if_full(self) -> bool:
        """True when the executor has so much to do that the reader should wait for ``resume``."""
        if self.callbacks.executor is None:
            return False
        with self._waiting_lock:
            self._paused = self._waiting_bytes >= self.limit_bytes
            return self._paused

    def _submit(self) -> None:
        assert self.callbacks.executor is not None
        try:
            job = self.callbacks.executor.submit(self._run_waiting)
        except BaseException as error:
            # Shut down before the session, or one that fails: the reader thread does its work.
            if not isinstance(error, RuntimeError):
                with contextlib.suppress(BaseException):  # as in _report
                    logger.exception("the executor raised %s; the reader calls back in its place", type(error).__name__)
            self._run_waiting()
        else:
            job.add_done_callback(self._run_if_cancelled)

    def _run_if_cancelled(self, job: Future[None]) -> None:
        if job.cancelled():  # shut down with cancel_futures
            self._run_waiting()

    def _run_waiting(self) -> None:
        while not _program_is_over():
            with self._waiting_lock:
                if not self._waiting:
                    self._running = False
                    return
                function, arguments, size, later = self._waiting.popleft()
            self._run(function, arguments if later is None else (later(),))
            self._note_done(size)

    def _note_done(self, size: int) -> None:
        with self._waiting_lock:
            self._waiting_bytes -= size
            caught_up = self._paused and self._waiting_bytes <= self.limit_bytes / 2
            if caught_up:
                self._paused = False
        if caught_up and self._resume is not None:
            self._resume()

    def _run(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        context = self._contexts.pop() if self._contexts else self._origin.copy()
        started = time.monotonic()
        try:
            try:
                context.run(function, *arguments)
            finally:
                self._contexts.append(context)
        except BaseException as error:  # SystemExit too: it would end the reader thread silently
            self._report(function, error)
        took = time.monotonic() - started
        if took > SLOW_CALLBACK:
            self._note_slow(function, took)

    def _report(self, function: Callable[..., object], error: BaseException) -> None:
        self.errors += 1
        name = _name_of(function)
        with contextlib.suppress(BaseException):  # its text cannot be had, or a handler of the log raises
            logger.error("the callback %s raised %s; the session goes on", name, type(error).__name__, exc_info=error)
        on_error = self.callbacks.on_error
        if on_error is None or function is on_error:
            return
        report = CallbackError(f"the callback {name} raised {type(error).__name__}: {words_of(error)}")
        report.__cause__ = error
        self._run(on_error, (report,))

    def _note_slow(self, function: Callable[..., object], took: float) -> None:
        if not self.slow:
            logger.warning(
                "the callback %s took %.1f s; messages wait meanwhile (pass LiveCallbacks an executor to keep the reader free)",
                _name_of(function),
                took,
            )
        self.slow += 1
        self.longest = max(self.longest, took)


def _name_of(function: Callable[..., object]) -> str:
    """What a callback is called; one that is an object of the user's may fail to say so."""
    try:
        return str(getattr(function, "__qualname__", None) or repr(function))
    except BaseException:
        return type(function).__name__


def _program_is_over() -> bool:
    """True once the interpreter waits for the threads of executors: a script that forgot ``close()`` is not kept by a queue."""
    # It has no public name. Every other sign of the end comes after those threads have ended.
    return bool(getattr(sys.modules.get("concurrent.futures.thread"), "_shutdown", False))
