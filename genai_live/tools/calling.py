"""Runs one function: plain, generator or async. On a thread of its own, which it may keep for as long as it likes."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

from genai_live.tools.callee import Callee
from genai_live.tools.marks import ToolContext, ToolUpdate

Update = Callable[[ToolUpdate], None]
"""Takes what a generator yields."""


class Calling:
    """One run of a function. ``stop`` may be called on any thread; ``run`` once, on the thread that runs it."""

    def __init__(self, callee: Callee, context: ToolContext, update: Update) -> None:
        self._callee = callee
        self._context = context
        self._update = update
        self._stop_loop: Callable[[], object] | None = None

    def stop(self) -> None:
        """Tells the function that nobody waits: an async one is cancelled, a generator ends at its next yield, others look."""
        self._context.cancelled.set()
        stop = self._stop_loop
        if stop is not None:
            stop()

    def run(self, values: dict[str, Any]) -> Any:
        """The result; of a generator what it returns. Raises whatever the function raises."""
        bound = self._callee.bound(values, self._context)
        result = self._callee.function(*bound.args, **bound.kwargs)
        if isinstance(result, Generator):
            return self._run_through(result)
        if inspect.isawaitable(result) or inspect.isasyncgen(result):
            return self._run_loop(result)
        return result

    def _run_through(self, updates: Generator[Any, None, Any]) -> Any:
        try:
            while not self._context.cancelled.is_set():
                self._update(_as_update(next(updates)))
        except StopIteration as end:
            return end.value
        finally:
            updates.close()
        return None

    def _run_loop(self, result: Any) -> Any:
        import asyncio

        async def whole() -> Any:
            task = asyncio.current_task()
            assert task is not None
            loop = asyncio.get_running_loop()
            self._stop_loop = lambda: _call_soon(loop, task.cancel)
            if self._context.cancelled.is_set():
                task.cancel()
            if not inspect.isasyncgen(result):
                return await result
            return await self._gather(result)

        try:
            return asyncio.run(whole())
        finally:
            self._stop_loop = None

    async def _gather(self, updates: AsyncIterator[Any]) -> None:
        async for each in updates:
            self._update(_as_update(each))


def _call_soon(loop: Any, call: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:  # the loop has just ended by itself
        return


def _as_update(value: Any) -> ToolUpdate:
    return value if isinstance(value, ToolUpdate) else ToolUpdate(value)
