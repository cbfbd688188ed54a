"""``ask`` struck by KeyboardInterrupt at one line of the library after the other, and what the next ``ask`` gets.

Used by the suite, which takes some of the lines, and by ``python -m soak lines``, which takes all. Runs on the caller's thread.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from websockets.sync.server import ServerConnection

import genai_live
from genai_live import Session
from genai_live.errors import ReceiveTimeout, SentBy, SessionClosed
from tests.servers import MODEL, PATIENCE, TURN_COMPLETE, answer_setup, client_of, live_server, text_of, text_part

LIBRARY = os.path.dirname(genai_live.__file__)
BEYOND = 3
"""Asks in a row that end before the line is reached, after which there is no such line: waiting takes a few more or less."""


def _time_out(session: Session) -> None:
    try:
        session.ask("late", timeout=0.0005)
    except ReceiveTimeout:
        return


MANNERS: dict[str, Callable[[Session], object]] = {
    "alone": lambda session: None,
    "with on_message": lambda session: None,
    "after a question that was left": lambda session: session.send_text("left"),
    "after a timeout": _time_out,
}


@dataclass
class Lines:
    """What was found at which lines."""

    struck: int = 0
    wrong: list[str] = field(default_factory=list)
    ended_at: list[str] = field(default_factory=list)
    """Where the interrupt ended the session, as the client's: how much of a frame was out could not be known."""


def strike(line: int, call: Callable[[], Any]) -> str | None:
    """Raises KeyboardInterrupt at the ``line``-th traced line of the library within ``call``; where, if it was reached."""
    left, where = line, None

    def in_function(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left, where
        if event == "line":
            left -= 1
            if left == 0:
                name = os.path.relpath(frame.f_code.co_filename, LIBRARY)
                where = f"{name}:{frame.f_lineno} {frame.f_code.co_name}"
                raise KeyboardInterrupt
        return in_function

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return in_function if frame.f_code.co_filename.startswith(LIBRARY) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        assert where is not None
    finally:
        sys.settrace(before)
    return where


def answer_in_pieces(connection: ServerConnection) -> None:
    answer_setup(connection)
    for raw in connection:
        for piece in ("you ", "said ", text_of(raw)):
            connection.send(text_part(piece))
        connection.send(TURN_COMPLETE)


def strike_lines(manner: str, every: int = 1, first: int = 1) -> Lines:
    """Strikes every ``every``-th line of ``ask``."""
    found, line, missed = Lines(), first, 0
    callbacks = {"on_message": lambda message: None} if manner == "with on_message" else None
    with live_server(answer_in_pieces) as url, ExitStack() as stack:

        def opened() -> Session:
            return stack.enter_context(client_of(url).live.connect(model=MODEL, callbacks=callbacks, timeout=PATIENCE))

        session = opened()
        while missed < BEYOND:
            MANNERS[manner](session)
            where = strike(line, lambda session=session: session.ask("struck", timeout=PATIENCE))  # type: ignore[misc]
            missed = missed + 1 if where is None else 0
            if where is not None:
                found.struck += 1
            if session.close_info is not None:
                found.ended_at.append(str(where))
                if session.close_info.sent_by is not SentBy.CLIENT:
                    found.wrong.append(f"{where}: {session.close_info}")
                session = opened()
            found.wrong += [f"{where}: {words}" for words in _asked_next(session, f"after {line}")]
            if session.close_info is not None:
                session = opened()
            line += every
    return found


def _asked_next(session: Session, question: str) -> Iterator[str]:
    began = time.monotonic()
    try:
        turn = session.ask(question, timeout=PATIENCE)
    except (ReceiveTimeout, SessionClosed) as error:
        yield f"the next ask raised {type(error).__name__}: {error}"
        return
    if turn.text != f"you said {question}":
        yield f"the next ask got {turn.text!r}"
    if turn.questions != 1:
        yield f"the next ask got a turn of {turn.questions} questions after {time.monotonic() - began:.1f} s"
