"""The calls of one session, from the reader's note to their one answer.

Four kinds of threads meet here. The *reader* notes calls and cancellations, and never waits. One that *coordinates* starts with
the first call and ends with the last open one: it decides which function is next and whose time is used up. Each function runs on
a thread of its own, and so does each approval. All of them are daemons, named, and what they decide is decided under one lock.

The life of a call is ``runs.RUN_TABLE``. An answer is claimed under the lock before it is sent, so that a call has one at most:
a thread that comes later, with a result, a timeout or a cancellation, finds it claimed.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from genai_live import _threads
from genai_live._deadline import Deadline
from genai_live._flag import Flag
from genai_live._tracebacks import words_of
from genai_live.errors import ConfigError, LiveError, ToolError
from genai_live.tools.callee import Callee
from genai_live.tools.calling import Calling
from genai_live.tools.marks import ToolContext, ToolUpdate
from genai_live.tools.plain import Unsayable, said
from genai_live.tools.registry import Registry
from genai_live.tools.runs import RUN_TABLE, RunEvent, RunState, ToolPolicy, ToolRun
from genai_live.tools.slots import Slots
from genai_live.types import FunctionCall, FunctionResponse, FunctionResponsePart, LiveServerMessage

logger = logging.getLogger("genai_live")

MOST_KNOWN = 1_000
"""Runs that ``session.tool_runs`` remembers, and ids by which a call that comes twice is known."""
LONGEST_WAIT = 3_600.0
"""Seconds of one wait for the next timeout: the system's waits refuse infinity, and times beyond some centuries."""
SETTLES_WITHIN = 1.0
"""Seconds that a turn waits for the records of answers that are on their way: its own words came after them."""
_PREFIXES = ("default_api.", "default_api:")
"""What 2.x models were seen to put before a function's name."""

_FUNCTION, _APPROVAL = "tool", "approve"
"""What the threads are for, as their names say."""

_FAILED = "{} failed. This is an error of the program; its details are not for you."
_TOO_LONG = "{} took longer than {:g} s and was given up; what it has done so far is not known."
_DENIED = "{} was not run: it was not approved."
_UNKNOWN = "There is no function {}; there are: {}."
_OVERLOADED = "{} was not run: too many functions are running already. Try again later."


class Noted(NamedTuple):
    """What the reader has to know of the calls in a message, by their ids (names, where the service gives none)."""

    owned: frozenset[str]
    """Calls that the runner answers."""
    over: frozenset[str]
    """Calls that came again after their answer, and get none."""


class _Outcome(NamedTuple):
    """What a call has come to."""

    event: RunEvent
    response: dict[str, Any]
    """What the model is told."""
    parts: list[FunctionResponsePart]
    changes: Mapping[str, Any]
    """What the run says of it, for the program."""

    @classmethod
    def failure(cls, event: RunEvent, words: str, **changes: Any) -> _Outcome:
        """An error in ``words`` for the model; ``changes`` may have others for the program."""
        return cls(event, {"error": words}, [], {"error": words, **changes})

    @property
    def says_nothing(self) -> bool:
        """True for a result of which the model needs no word."""
        return self.event is RunEvent.RETURNED and not self.response


class AnswerSink(Protocol):
    """What the runner needs of its session's connection."""

    def answer(self, response: FunctionResponse, *, wait: bool) -> None:
        """Sends a response; ``wait=False`` never blocks.

        Raises:
            LiveError: when it cannot.
        """


class _Call:
    """One call of the model."""

    def __init__(self, call: FunctionCall, callee: Callee | None) -> None:
        self.call = call
        self.callee = callee
        self.id = call.id or call.name or ""
        self.run = ToolRun(self.id, call.name or "", call.args if isinstance(call.args, Mapping) else {}, RunState.CALLED)
        self.claimed = False
        """True while its answer is on its way."""
        self.order = threading.Lock()
        """Held while one of its answers is sent, so that none before the last comes behind it. Rank 1: the runner's lock may be
        taken inside it. Nobody waits for long: answers before the last are sent without blocking."""
        self.news: deque[ToolRun] = deque()
        """What ``on_run`` was not called with yet."""
        self.telling = False

    @property
    def is_open(self) -> bool:
        """True while nothing is decided."""
        return not self.claimed and not self.run.state.is_end


class _Work:
    """One run of a function, for one call or for several that are the same."""

    def __init__(self, callee: Callee, call: _Call, context: ToolContext, update: Callable[[_Work, ToolUpdate], None]) -> None:
        self.callee = callee
        self.calls = [call]
        self.context = context
        self.calling = Calling(callee, context, partial(update, self))
        self.values: dict[str, Any] | None = None
        """Its arguments, once they were found to fit."""
        self.began: float | None = None
        self.ends_at: float | None = None
        self.is_approved = not callee.marks.approve
        self.updates = 0
        self.updates_sent = 0
        self.latest: Any = None

    @property
    def sequential(self) -> bool:
        """True for a function that runs alone."""
        return self.callee.marks.sequential

    @property
    def open_calls(self) -> list[_Call]:
        """Its calls of which nothing is decided."""
        return [call for call in self.calls if call.is_open]

    def is_like(self, call: _Call) -> bool:
        """True for a call of the same function with the same arguments."""
        return self.callee is call.callee and (self.calls[0].call.args or {}) == (call.call.args or {})


class Runner:
    """Runs the calls of one session. It outlives connections."""

    def __init__(self, registry: Registry, policy: ToolPolicy) -> None:
        self.registry = registry
        self._policy = policy
        self._origin = contextvars.copy_context()
        """The context variables of the thread that connected."""
        self._lock = threading.RLock()
        """Guards everything below. Rank 0: nothing is sent and no function of the user's is called inside it. Reentrant: the
        garbage collector may drop a Session inside it, and that comes here. No condition's, whose own way of taking it Ctrl-C may
        interrupt."""
        self._new_work = Flag()
        """Set when something has changed that the coordinating thread has to look at."""
        self._waiting: deque[Flag] = deque()
        """One for each thread that waits for a change."""
        self._answers: AnswerSink | None = None
        self._session: Callable[[], Any] = lambda: None
        self._new: deque[list[_Call]] = deque()
        """Calls that were not looked at yet, by message."""
        self._batch: list[_Call] = []
        """Noted, and not handed over yet. The reader's alone."""
        self._known: dict[str, _Call] = {}
        """The newest calls, by id and number."""
        self._works: list[_Work] = []
        """Those with a call that is not decided, or waits for its turn."""
        self._approvals = 0
        self._slots: Slots[_Work] = Slots(policy.workers)
        self._coordinator: threading.Thread | None = None
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._closed = False
        self._count = 0

    # For the reader. Never waits.

    def noted(self, message: LiveServerMessage) -> Noted:
        """Takes note of the calls and cancellations in a message; the calls wait until they are handed over."""
        owned, over = set(), set()
        batch: list[_Call] = []
        for call in (message.tool_call.function_calls if message.tool_call is not None else None) or ():
            name, call_id = call.name or "", call.id or call.name or ""
            callee = self._callee_of(name)
            if callee is None and name in self.registry.declared:
                continue
            owned.add(call_id)
            twin = next((each for each in batch if each.id == call_id), None)
            known = (self._known.get(call_id) or twin) if call.id else None
            if known is None:
                batch.append(_Call(call, callee))
            else:
                logger.warning("a call of %s came twice under one id; the second is not answered", name)
                if known.run.state.is_end or known.claimed:
                    over.add(call_id)
        self._batch = batch
        if message.tool_call_cancellation is not None:
            self._end_early(RunEvent.CANCELLED, message.tool_call_cancellation.ids or ())
        return Noted(frozenset(owned), frozenset(over))

    def hand_over(self) -> None:
        """From now on the calls that were noted last may be answered."""
        batch, self._batch = self._batch, []
        if batch:
            self._take(batch)

    def lose(self, ids: Iterable[str]) -> None:
        """The conversation that these calls belong to is gone."""
        self._end_early(RunEvent.LOST, ids)

    def ended(self) -> None:
        """The session has ended."""
        self._end_early(RunEvent.CLOSED if self._closed else RunEvent.LOST, None)

    def _callee_of(self, name: str) -> Callee | None:
        functions = self.registry.functions
        if name in functions:
            return functions[name]
        stripped = next((name[len(prefix) :] for prefix in _PREFIXES if name.startswith(prefix)), "")
        return functions.get(stripped)

    def _take(self, batch: list[_Call]) -> None:
        with self._lock:
            for call in batch:
                self._count += 1
                self._known[call.call.id or f"{call.id}#{self._count}"] = call
                call.news.append(call.run)
            while len(self._known) > MOST_KNOWN and (oldest := self._oldest_over()) is not None:
                del self._known[oldest]
            self._new.append(batch)
            self._wake()
        for call in batch:
            self._notify(call)

    def _oldest_over(self) -> str | None:
        return next((key for key, call in self._known.items() if call.run.state.is_end), None)

    def _end_early(self, event: RunEvent, ids: Iterable[str] | None) -> None:
        """Ends calls without an answer: those of these ids, or all."""
        wanted = None if ids is None else set(ids)
        with self._lock:
            ended = [call for call in self._known.values() if call.is_open and (wanted is None or call.id in wanted)]
            works = [work for work in self._works if any(call in ended for call in work.calls)]
            for call in ended:
                self._move(call, event, runs_on=call.run.state is RunState.RUNNING)
            stopped = [work for work in works if not work.open_calls]
            for work in stopped:
                self._give_place(work)
            self._wake()
        for work in stopped:
            work.calling.stop()
        for call in ended:
            self._notify(call)

    # For the session. Any thread. Who only looks takes no lock, and Ctrl-C leaves none taken.

    def attach(self, answers: AnswerSink, session: Any) -> None:
        """The session stands: calls that came with its setup are run now."""
        with self._lock:
            self._answers, self._session = answers, weakref.ref(session)
            self._wake()

    def owns(self, call_id: str, name: str) -> bool:
        """True for a call that only the runner answers."""
        return call_id in self._known or self._callee_of(name) is not None

    @property
    def runs(self) -> tuple[ToolRun, ...]:
        """The newest runs, oldest first."""
        return tuple(call.run for call in list(self._known.values()))

    def runs_of(self, calls: Iterable[FunctionCall]) -> tuple[ToolRun, ...]:
        """The runs of these calls, once answers that are on their way are noted."""
        ids = [call.id or call.name or "" for call in calls]
        if not ids:
            return ()
        mine = [call for call in list(self._known.values()) if call.id in ids]
        self._wait_until(lambda: not any(call.claimed for call in mine), SETTLES_WITHIN)
        return tuple(call.run for call in mine)

    @property
    def is_busy(self) -> bool:
        """True while a call is open."""
        return any(not call.run.state.is_end for call in list(self._known.values()))

    @property
    def is_own_thread(self) -> bool:
        """True on the threads of functions and approvals, and on the one that coordinates, where ``on_run`` may be called."""
        current = threading.current_thread()
        return current is self._coordinator or current in self._threads

    def wait(self, seconds: float | None) -> None:
        """Waits until no call is open. Not for own threads, which would wait for themselves."""
        self._wait_until(lambda: not self.is_busy, seconds)

    def _wait_until(self, true: Callable[[], bool], seconds: float | None) -> None:
        """Waits until something is true, or the time is used up; looks again whenever something has changed."""
        deadline = Deadline(seconds)
        while True:
            changed = Flag()
            self._waiting.append(changed)  # before it looks: it misses no change
            try:
                if true() or deadline.passed:
                    return
                deadline.wait(changed)
            finally:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(changed)

    def close(self) -> None:
        """Cancels what runs; returns at once, and nothing is answered any more."""
        self._closed = True
        self._end_early(RunEvent.CLOSED, None)

    # Under the lock.

    def _wake(self) -> None:
        """Requires the lock. Has the calls looked at, on a thread that is there or is started."""
        self._new_work.set()
        for each in tuple(self._waiting):
            each.set()
        if self._coordinator is not None or self._answers is None or not (self._new or self._works):
            return
        coordinator = threading.Thread(target=self._coordinate, name="genai-live-tools", daemon=True)
        self._coordinator = coordinator
        try:
            _threads.start(coordinator)
        except RuntimeError:  # no more threads, or the interpreter ends: the next call tries again
            self._coordinator = None
            logger.exception("a thread for the calls of tools could not be started")

    def _move(self, call: _Call, event: RunEvent, **changes: Any) -> bool:
        """Requires the lock. Goes where the table says."""
        state = RUN_TABLE.get((call.run.state, event))
        if state is None:
            return False
        call.run = call.run.changed(state=state, **changes)
        call.news.append(call.run)
        return True

    def _give_place(self, work: _Work) -> None:
        """Requires the lock. Nobody waits for the work any more."""
        self._slots.leave(work, runs_on=work.began is not None)
        if work in self._works:
            self._works.remove(work)

    def _notify(self, call: _Call) -> None:
        """Tells ``on_run`` what is new of a call, in order; a thread that finds another one at it leaves it to that one."""
        on_run = self._policy.on_run
        while True:
            with self._lock:
                if call.telling or not call.news:
                    return
                run = call.news.popleft()
                call.telling = True
            try:
                if on_run is not None:
                    self._origin.copy().run(on_run, run)
            except KeyboardInterrupt:  # on the thread of a caller that closes
                raise
            except BaseException:  # SystemExit too: other calls wait for this thread
                logger.exception("on_run raised; the session goes on")
            finally:
                call.telling = False

    # The thread that coordinates.

    def _coordinate(self) -> None:
        while True:
            self._new_work.clear()
            with self._lock:
                steps, due = self._due(), self._next_due()
                if not (steps or self._new or self._works):
                    self._coordinator = None
                    return
            for step in steps:
                step()
            if not steps:
                self._new_work.wait(due)

    def _due(self) -> list[Callable[[], None]]:
        """Requires the lock. What is to be done now."""
        steps: list[Callable[[], None]] = []
        while self._new:
            earlier = list(self._works)
            for call in self._new.popleft():
                if call.is_open:
                    steps += self._placed(call, earlier)
        begun, refused = self._slots.admit()
        now = time.monotonic()
        for work in begun:
            timeout = work.callee.marks.timeout or self._policy.timeout
            work.began, work.ends_at = now, None if timeout is None else now + timeout
            steps.append(partial(self._start, work))
        for work in refused:
            steps.append(partial(self._refuse, work, _OVERLOADED.format(work.callee.name)))
        late = [work for work in self._slots.running if work.ends_at is not None and now >= work.ends_at]
        return [*steps, *(partial(self._time_out, work) for work in late)]

    def _next_due(self) -> float | None:
        """Requires the lock. Seconds until something has to be done."""
        due = min((work.ends_at for work in self._slots.running if work.ends_at is not None), default=None)
        return None if due is None else min(max(0.0, due - time.monotonic()), LONGEST_WAIT)

    def _placed(self, call: _Call, earlier: list[_Work]) -> list[Callable[[], None]]:
        """Requires the lock. Finds a call its work: that of an earlier call which is the same, or one of its own."""
        if call.callee is None:
            words = _UNKNOWN.format(call.run.name, ", ".join(sorted(self.registry.declared)) or "none")
            return [partial(self._answer_open, [call], _Outcome.failure(RunEvent.DENIED, words))]
        if not call.callee.marks.repeatable:
            same = next((work for work in earlier if work.open_calls and work.is_like(call)), None)
            if same is not None:
                same.calls.append(call)
                self._move(call, RunEvent.ASKED if not same.is_approved else RunEvent.STARTED)
                return [partial(self._notify, call)]
        work = _Work(call.callee, call, ToolContext(call.call, self._session()), self._update)
        self._works.append(work)
        if not work.is_approved and self._approvals > self._slots.may_hang:
            return [partial(self._refuse, work, _OVERLOADED.format(work.callee.name))]
        self._slots.waiting.append(work)
        if work.is_approved:
            return []
        self._approvals += 1
        self._move(call, RunEvent.ASKED)
        return [partial(self._notify, call), partial(self._spawn, self._ask_for_approval, work, _APPROVAL)]

    def _start(self, work: _Work) -> None:
        with self._lock:
            calls = work.open_calls
            for call in calls:
                self._move(call, RunEvent.STARTED)
            if not calls:
                self._slots.ended(work)
                return
        for call in calls:
            self._notify(call)
        self._spawn(self._execute, work, _FUNCTION)

    def _spawn(self, target: Callable[[_Work], None], work: _Work, kind: str) -> None:
        run = self._origin.copy().run
        thread = threading.Thread(target=run, args=(target, work), name=f"genai-live-{kind}-{work.callee.name}", daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                self._slots.ended(work)
                self._approvals -= kind == _APPROVAL
            self._refuse(work, _OVERLOADED.format(work.callee.name))

    def _time_out(self, work: _Work) -> None:
        with self._lock:
            if work not in self._slots.running:
                return
            self._slots.leave(work, runs_on=True)
        name, seconds = work.callee.name, work.callee.marks.timeout or self._policy.timeout or 0.0
        logger.warning(
            "the tool %s took longer than %g s; an error was sent to the model, and its result will be dropped", name, seconds
        )
        self._finish(work, _Outcome.failure(RunEvent.TIME_UP, _TOO_LONG.format(name, seconds), runs_on=True))
        work.calling.stop()

    # The thread of an approval.

    def _ask_for_approval(self, work: _Work) -> None:
        granted, words = False, _DENIED.format(work.callee.name)
        try:
            work.values = work.callee.values(work.calls[0].call.args)  # no approval is asked for a call that would not run
            granted = self._asked(work)
        except ToolError as error:
            words = words_of(error)
        except BaseException as error:
            if work.context.cancelled.is_set() and not work.open_calls:
                logger.info("the approval of %s ended after its call did: %s", work.callee.name, type(error).__name__)
            else:
                logger.exception("asking for the approval of %s failed; it is not run", work.callee.name)
        with self._lock:
            self._approvals -= 1
            work.is_approved = granted
            self._wake()
        if not granted:
            self._refuse(work, words)

    def _asked(self, work: _Work) -> bool:
        """Whether a function may run: only True says so. "no" is true, too, to Python."""
        assert self._policy.approve is not None
        answer: object = self._policy.approve(work.calls[0].call, work.context)
        if not isinstance(answer, bool):
            kind = type(answer).__name__
            logger.error("run_tools.approve must give back True or False, not %s; %s is not run", kind, work.callee.name)
        return answer is True

    # The thread of a function.

    def _execute(self, work: _Work) -> None:
        try:
            self._call(work)
        except BaseException as error:  # a defect of the library's own: the model waits for an answer all the same
            logger.exception("the call of %s could not be answered", work.callee.name)
            words = f"{type(error).__name__}: {words_of(error)}"
            self._finish(work, _Outcome.failure(RunEvent.RAISED, _FAILED.format(work.callee.name), error=words))
        finally:
            with self._lock:
                self._slots.ended(work)
                for call in work.calls:
                    if call.run.runs_on:
                        call.run = call.run.changed(runs_on=False, seconds=self._seconds(work))
                        call.news.append(call.run)
                self._wake()
            for call in work.calls:
                self._notify(call)

    def _call(self, work: _Work) -> None:
        name = work.callee.name
        try:
            if work.values is None:
                work.values = work.callee.values(work.calls[0].call.args)
        except ToolError as error:
            self._finish(work, _Outcome.failure(RunEvent.DENIED, words_of(error)))
            return
        except Exception:  # a class of the user's that arguments are made of
            logger.exception("the arguments of %s could not be made", name)
            self._finish(work, _Outcome.failure(RunEvent.RAISED, _FAILED.format(name), traceback=traceback.format_exc()))
            return
        try:
            result = work.calling.run(work.values)
            response, parts = self._response(work, result)
        except ToolError as error:
            self._finish(work, _Outcome.failure(RunEvent.RAISED, words_of(error)))
        except BaseException as error:  # SystemExit too: the model waits for an answer
            if work.context.cancelled.is_set() and not work.open_calls:
                logger.info("the tool %s ended after its call did: %s", name, type(error).__name__)
                return
            logger.exception("the tool %s raised %s; the session goes on", name, type(error).__name__)
            changes = {"error": f"{type(error).__name__}: {words_of(error)}", "traceback": traceback.format_exc()}
            self._finish(work, _Outcome.failure(RunEvent.RAISED, _FAILED.format(name), **changes))
        else:
            shown = work.latest if result is None and work.updates else result
            self._finish(work, _Outcome(RunEvent.RETURNED, response, parts, {"result": shown}))

    def _response(self, work: _Work, result: Any) -> tuple[dict[str, Any], list[FunctionResponsePart]]:
        if result is None and work.updates_sent:
            return {}, []
        try:
            return said(work.latest if result is None and work.updates else result)
        except Unsayable as error:
            raise TypeError(f"the tool {work.callee.name} gave back {error}, which JSON cannot say") from None

    def _update(self, work: _Work, update: ToolUpdate) -> None:
        """A generator has given something. It goes out where the model goes on meanwhile; elsewhere it would not be heard."""
        work.updates += 1
        work.latest = update.value
        try:
            response, parts = said(update.value)
        except Unsayable as error:
            raise TypeError(f"the tool {work.callee.name} gave {error}, which JSON cannot say") from None
        with self._lock:
            calls = work.open_calls
            for call in calls:
                call.run = call.run.changed(result=update.value, seconds=self._seconds(work))
                call.news.append(call.run)
        if self.registry.tells_updates(work.callee):
            for call in calls:
                with call.order:
                    if call.is_open:
                        self._send(call, response, parts, scheduling=update.scheduling, will_continue=True, wait=False)
                        work.updates_sent += 1
        for call in calls:
            self._notify(call)

    # Answers: one for each call.

    def _refuse(self, work: _Work, words: str) -> None:
        self._finish(work, _Outcome.failure(RunEvent.DENIED, words))

    def _finish(self, work: _Work, outcome: _Outcome) -> None:
        """Answers every call of a work of which nothing is decided; from now on no call joins it."""
        with self._lock:
            calls = list(work.calls)
            if work in self._works:
                self._works.remove(work)
            if work in self._slots.waiting:
                self._slots.waiting.remove(work)
        self._answer_open(calls, outcome, work)

    def _answer_open(self, calls: list[_Call], outcome: _Outcome, work: _Work | None = None) -> None:
        with self._lock:
            mine = [call for call in calls if call.is_open]
            for call in mine:
                call.claimed = True
        for call in mine:
            self._answer(call, outcome, work)

    def _answer(self, call: _Call, outcome: _Outcome, work: _Work | None) -> None:
        """Answers a call that is claimed."""
        event, response, parts, changes = outcome
        scheduling = "SILENT" if outcome.says_nothing and self.registry.family.may_schedule else None
        will_continue = False if work is not None and work.updates_sent else None
        try:
            with call.order:
                self._send(call, response, parts, scheduling=scheduling, will_continue=will_continue, wait=True)
        except ConfigError as error:
            logger.exception("the answer of %s cannot be sent", call.run.name)
            event, changes = RunEvent.LOST, {"error": str(error)}
        except LiveError as error:
            event, changes = RunEvent.CLOSED if self._closed else RunEvent.LOST, {"error": str(error)}
        with self._lock:
            if work is not None:
                changes = {**changes, "seconds": self._seconds(work)}
            self._move(call, event, **changes)
            call.claimed = False  # the last: who waits for it looks at the run without the lock
            self._wake()
        self._notify(call)

    def _send(
        self,
        call: _Call,
        response: dict[str, Any],
        parts: list[FunctionResponsePart],
        *,
        scheduling: Any,
        will_continue: bool | None,
        wait: bool,
    ) -> None:
        assert self._answers is not None
        callee = call.callee
        told = scheduling or (callee.marks.scheduling if callee is not None else None)
        if self.registry.family.scheduling == "refused":
            told = None
        made = FunctionResponse(
            id=call.call.id,
            name=call.call.name,
            response=response,
            parts=parts or None,
            scheduling=told,
            will_continue=will_continue,
        )
        self._answers.answer(made, wait=wait)

    def _seconds(self, work: _Work) -> float:
        return 0.0 if work.began is None else time.monotonic() - work.began
