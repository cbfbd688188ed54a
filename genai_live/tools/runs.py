"""What becomes of a call: the table of its states, its record, and the rules that a caller sets. Plain data: any thread."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from genai_live._arguments import came, number_above_0, whole_number
from genai_live.errors import ConfigError
from genai_live.tools.marks import ToolContext
from genai_live.tools.plain import Unsayable, plain
from genai_live.types import FunctionCall

WORKERS = 8
"""Functions of one session that run at once: models were seen to make up to four calls in one message."""
TIMEOUT = 60.0
"""Seconds for one function: callers hang up on a longer silence."""
STUCK_FOR_EACH_WORKER = 4
"""How many times ``workers`` threads there may be, those counted that outlived their call: beyond it calls are refused."""


class RunState(str, Enum):
    """Where a call stands. The last seven are ends, of which each call has one."""

    CALLED = "called"
    WAITING = "waiting for approval"
    RUNNING = "running"
    ANSWERED = "answered"
    FAILED = "failed"
    """The function raised, or gave back what JSON cannot say."""
    REFUSED = "refused"
    """It was not run: the name is unknown, its arguments do not fit, approval was denied, or too many functions hang."""
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled by the server"
    CLOSED = "cancelled by close"
    LOST = "lost with the connection"

    def __str__(self) -> str:
        return self.value

    @property
    def is_end(self) -> bool:
        """True for the end of a call."""
        return self in _ENDS


class RunEvent(Enum):
    """What happens to a call."""

    ASKED = "somebody is asked for approval"
    STARTED = "its function runs"
    RETURNED = "its answer goes out"
    RAISED = "its function failed"
    DENIED = "it is not run"
    TIME_UP = "its time is used up"
    CANCELLED = "toolCallCancellation"
    CLOSED = "the session was closed here"
    LOST = "the conversation that it belongs to is gone"


_S, _E = RunState, RunEvent
_OPEN = (_S.CALLED, _S.WAITING, _S.RUNNING)
_ENDS = frozenset(RunState) - set(_OPEN)

RUN_TABLE: dict[tuple[RunState, RunEvent], RunState] = {
    (_S.CALLED, _E.ASKED): _S.WAITING,
    (_S.CALLED, _E.STARTED): _S.RUNNING,
    (_S.WAITING, _E.STARTED): _S.RUNNING,
    (_S.RUNNING, _E.RETURNED): _S.ANSWERED,
    (_S.RUNNING, _E.RAISED): _S.FAILED,
    (_S.RUNNING, _E.TIME_UP): _S.TIMED_OUT,
    **{(state, _E.DENIED): _S.REFUSED for state in _OPEN},
    **{(state, _E.CANCELLED): _S.CANCELLED for state in _OPEN},
    **{(state, _E.CLOSED): _S.CLOSED for state in _OPEN},
    **{(state, _E.LOST): _S.LOST for state in _OPEN},
}
"""Every allowed move; anything else leaves a call as it is: an end stands."""


@dataclass(frozen=True)
class ToolRun:
    """One call of a tool, as it stands."""

    id: str
    """Of the call; its name where the service gives none."""
    name: str
    args: Mapping[str, Any]
    """As the model sent them."""
    state: RunState
    result: Any = None
    """What the function gave back; of a generator what it gave last."""
    error: str | None = None
    """Why there is no result, for people: what was raised, or the sentence that was sent to the model."""
    seconds: float = 0.0
    """How long its function has run."""
    traceback: str = ""
    """Of what the function raised."""
    runs_on: bool = False
    """True while its function runs on although the call has ended: nothing can stop it, and its result will be dropped."""

    def to_dict(self) -> dict[str, Any]:
        """Its fields as JSON has them; a result that JSON cannot say is named by its type."""
        held = {each.name: getattr(self, each.name) for each in fields(self)}
        try:
            held["result"] = plain(self.result)
        except Unsayable:
            held["result"] = f"<{type(self.result).__name__}>"
        return {**held, "args": plain(dict(self.args)), "state": self.state.value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ToolRun:
        """The run of ``to_dict``."""
        return cls(**{**values, "state": RunState(values["state"])})

    def to_json(self) -> str:
        """``to_dict`` as text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> ToolRun:
        """The run of ``to_json``."""
        return cls.from_dict(json.loads(text))

    def changed(self, **changes: Any) -> ToolRun:
        """The same with other values."""
        return replace(self, **changes)


@dataclass(frozen=True)
class ToolPolicy:
    """How ``connect(run_tools=...)`` runs the calls of a session.

    Raises:
        ConfigError: a value that is not what it should be.
    """

    workers: int = WORKERS
    """How many functions run at once."""
    timeout: float | None = TIMEOUT
    """Seconds for one function, where ``@tool`` says nothing else; None for no limit. What is over them runs on, if it cannot be
    stopped, but its place is free for the next call."""
    approve: Callable[[FunctionCall, ToolContext], bool] | None = None
    """Asked before each call of a tool with ``@tool(approve=True)``, on a thread of its own, for as long as it takes. Only True
    lets it run; a ToolError is told to the model in its own words."""
    on_run: Callable[[ToolRun], object] | None = None
    """Told of every change of a call, in order for each call, on the thread that changed it; the reader's may be among them, so
    it should not block."""

    def __post_init__(self) -> None:
        """Raises ConfigError for a value that is not what it should be."""
        whole_number(self.workers, "run_tools.workers", 1)
        if self.timeout is not None:
            number_above_0(self.timeout, "run_tools.timeout")
        for name in ("approve", "on_run"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise ConfigError(f"must be a function, not {came(value)}", f"run_tools.{name}")
            if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(getattr(value, "__call__", None)):  # noqa: B004
                raise ConfigError("must be a plain function, not an async one, which nobody would await", f"run_tools.{name}")

    @classmethod
    def of(cls, given: object) -> ToolPolicy | None:
        """What ``connect(run_tools=...)`` means: True or a policy, or a dict of one; None for not at all.

        Raises:
            ConfigError: something else.
        """
        if given is True:
            return cls()
        if given is None or given is False:
            return None
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            names = [each.name for each in fields(cls)]
            unknown = next((key for key in given if key not in names), None)
            if unknown is not None:
                raise ConfigError(f"unknown key; ToolPolicy has {', '.join(names)}", f"run_tools.{unknown}")
            return cls(**given)
        raise ConfigError(f"must be True, False or a ToolPolicy, not {came(given)}", "run_tools")
