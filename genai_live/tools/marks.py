"""What a function says of itself, and what it is given and gives while it runs. Used on the thread of the call."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from genai_live._arguments import flag, number_above_0, text
from genai_live.errors import ConfigError
from genai_live.types import Behavior, FunctionCall, FunctionResponseScheduling

F = TypeVar("F", bound=Callable[..., Any])

_MARKS = "__genai_live_tool__"


class Cancelled(BaseException):
    """Raised by ``context.check()`` once nobody waits for the result any more.

    Not an Exception, so that a tool that tries again after any error ends all the same.
    """


@dataclass(frozen=True)
class Marks:
    """What ``@tool`` says."""

    name: str | None = None
    timeout: float | None = None
    behavior: str | None = None
    scheduling: str | None = None
    approve: bool = False
    sequential: bool = False
    repeatable: bool = False


UNMARKED = Marks()


def marks_of(function: object) -> Marks:
    """What ``@tool`` says of a function, of the class of a callable object, or of what a partial wraps."""
    while function is not None:
        found = getattr(function, _MARKS, None) or getattr(type(function).__call__, _MARKS, None)
        if isinstance(found, Marks):
            return found
        function = getattr(function, "func", None)
    return UNMARKED


def tool(
    name: str | None = None,
    timeout: float | None = None,
    behavior: Behavior | str | None = None,
    scheduling: FunctionResponseScheduling | str | None = None,
    approve: bool = False,
    sequential: bool = False,
    repeatable: bool = False,
) -> Callable[[F], F]:
    """Says how a function is declared and run as a tool; it stays the same function, callable as before.

    What can hold no mark, such as a bound method, comes back as a partial of it: ``tool(name="left")(lamp.switch)``.

    Args:
        name: What the model calls it; by default the function's own name.
        timeout: Seconds, in place of the policy's. Then an error is sent to the model, and the result is dropped.
        behavior: "BLOCKING" or "NON_BLOCKING"; by default what the model's family does, and NON_BLOCKING for a generator where
            the family tells its updates while it goes on.
        scheduling: "INTERRUPT", "WHEN_IDLE" or "SILENT": how the result of a NON_BLOCKING function is told.
        approve: True asks ``ToolPolicy.approve`` before each call.
        sequential: True runs it alone: after every call before it, and before every call after it.
        repeatable: True runs it again when the model repeats a call with the same arguments while the first still runs; otherwise
            both calls get the one result.

    Raises:
        ConfigError: a value that is not what it should be; a function in place of the name.
    """
    if callable(name):
        raise ConfigError("is written with parentheses: @tool()", "tool")
    marks = Marks(
        None if name is None else text(name, "name"),
        None if timeout is None else number_above_0(timeout, "timeout"),
        _member(Behavior, behavior, "behavior"),
        _member(FunctionResponseScheduling, scheduling, "scheduling"),
        flag(approve, "approve"),
        flag(sequential, "sequential"),
        flag(repeatable, "repeatable"),
    )

    return functools.partial(_marked, marks)


def _marked(marks: Marks, function: F) -> F:
    if isinstance(function, (staticmethod, classmethod)):  # a call goes to the function inside, which has to know
        setattr(function.__func__, _MARKS, marks)
    try:
        setattr(function, _MARKS, marks)
    except (AttributeError, TypeError):
        held = functools.partial(function)
        setattr(held, _MARKS, marks)
        return cast("F", held)
    return function


def _member(kind: Any, value: Any, name: str) -> str | None:
    names = [member.value for member in kind if not member.value.endswith("UNSPECIFIED")]
    plain_value = getattr(value, "value", value)
    if plain_value is None or plain_value in names:
        return cast("str | None", plain_value)
    raise ConfigError(f"must be one of {', '.join(names)}, not {value!r}", name)


@dataclass(frozen=True)
class ToolUpdate:
    """What a generator yields to say how this answer is told, in place of the tool's own ``scheduling``."""

    value: Any
    scheduling: FunctionResponseScheduling | str | None = None
    """"INTERRUPT", "WHEN_IDLE" or "SILENT"; None as the tool says."""

    def __post_init__(self) -> None:
        """Raises ConfigError for a scheduling that does not exist."""
        object.__setattr__(self, "scheduling", _member(FunctionResponseScheduling, self.scheduling, "scheduling"))


class ToolContext:
    """What a running function may know: a parameter with this annotation gets it, and the model is not told of that parameter."""

    def __init__(self, call: FunctionCall, session: Any = None) -> None:
        self._call = call
        self._session = session
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> threading.Event:
        """Set once nobody waits for the result: the service or ``close`` cancelled the call, or its time is used up."""
        return self._cancelled

    @property
    def call(self) -> FunctionCall:
        """The call, as the model made it."""
        return self._call

    @property
    def session(self) -> Session:
        """The session that the call came from. It may send, finish and close; receiving is for its receiver."""
        return cast("Session", self._session)

    def check(self) -> None:
        """Raises Cancelled once nobody waits for the result: to be called between the steps of a long piece of work."""
        if self._cancelled.is_set():
            raise Cancelled(f"nobody waits for {self._call.name} any more")


if TYPE_CHECKING:
    from typing import Protocol

    class Session(Protocol):
        """What a function may ask of its session; ``genai_live.Session`` has it."""

        def send_text(self, text: str) -> None:
            """Sends text of the user's."""

        def send_client_content(self, *, turns: Any = None, turn_complete: bool | None = True) -> None:
            """Adds content to the conversation."""

        def send_realtime_input(self, *, audio: Any = None, video: Any = None, text: str | None = None) -> None:
            """Sends one piece of realtime input."""

        def send_context_update(self, *, system_instruction: Any = None, tools: Any = None) -> None:
            """Replaces the system instruction, the tools, or both."""

        def finish(self, timeout: float | None = ...) -> None:
            """Ends the session once the answer to this call has gone out and the model's has come; returns at once."""

        def close(self, timeout: float | None = ...) -> None:
            """Ends the session now; nothing of this call is sent."""

        @property
        def session_id(self) -> str | None:
            """Id of the session, where the service gives one."""

        @property
        def close_info(self) -> Any:
            """How the session ended; None while it is open."""

        @property
        def usage(self) -> Any:
            """Sum of all usage reports so far."""
