"""Calls struck by KeyboardInterrupt at one line of the library after the other, and what the next ``ask`` gets.

Runs on the caller's thread.
"""

from __future__ import annotations

import contextlib
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
from tests.servers import MODEL, PATIENCE, TURN_COMPLETE, answer_setup, client_of, live_server, message, text_of, text_part

LIBRARY = os.path.dirname(genai_live.__file__)
BEYOND = 3
"""Asks in a row that end before the line is reached, after which there is no such line: waiting takes a few more or less."""


def _ask(session: Session) -> Callable[[], object]:
    return lambda: session.ask("struck", timeout=PATIENCE)


def _ask_after_one_left(session: Session) -> Callable[[], object]:
    session.send_text("left")
    return _ask(session)


def _ask_after_a_timeout(session: Session) -> Callable[[], object]:
    with contextlib.suppress(ReceiveTimeout):
        session.ask("late", timeout=0.0005)
    return _ask(session)


def _send(session: Session) -> Callable[[], object]:
    return lambda: session.send_text("struck")


def _collect(session: Session) -> Callable[[], object]:
    session.send_text("struck")
    return lambda: session.collect(timeout=PATIENCE)


def _receive(session: Session) -> Callable[[], object]:
    session.send_text("struck")
    return lambda: list(session.receive(timeout=PATIENCE))


def _answer_a_call(session: Session) -> Callable[[], object]:
    (call,) = session.ask("call", timeout=PATIENCE).tool_calls
    response = {"id": call.id, "name": call.name, "response": {}}
    return lambda: session.send_tool_response(function_responses=response)


MANNERS: dict[str, Callable[[Session], Callable[[], object]]] = {
    "ask": _ask,
    "ask with on_message": _ask,
    "ask after a question that was left": _ask_after_one_left,
    "ask after a timeout": _ask_after_a_timeout,
    "send_text": _send,
    "collect": _collect,
    "receive": _receive,
    "send_tool_response": _answer_a_call,
}
"""What is struck, and what comes before it."""


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
    """Answers in pieces, and "call" when it has the response to a call; a question that comes instead interrupts."""
    answer_setup(connection)
    call_id = ""
    for number, raw in enumerate(connection):
        text = text_of(raw)
        if text and call_id:
            connection.send(message(toolCallCancellation={"ids": [call_id]}))
            connection.send(message(serverContent={"interrupted": True}))
            connection.send(TURN_COMPLETE)
        call_id = f"c{number}" if text == "call" else ""
        if call_id:
            connection.send(message(toolCall={"functionCalls": [{"id": call_id, "name": "look", "args": {}}]}))
            continue
        for piece in ("you ", "said ", text or "a response"):
            connection.send(text_part(piece))
        connection.send(TURN_COMPLETE)


def strike_lines(manner: str) -> Lines:
    """Strikes every line of a call, one after the other, and asks again after each."""
    found, line, missed = Lines(), 1, 0
    callbacks = {"on_message": lambda message: None} if "on_message" in manner else None
    with live_server(answer_in_pieces) as url, ExitStack() as stack:

        def opened() -> Session:
            return stack.enter_context(client_of(url).live.connect(model=MODEL, callbacks=callbacks, timeout=PATIENCE))

        session = opened()
        while missed < BEYOND:
            where = strike(line, MANNERS[manner](session))
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
            line += 1
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
