"""Functions that run when the model calls them: every call has one answer, and the session goes on whatever they do."""

from __future__ import annotations

import contextvars
import itertools
import logging
import threading
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from genai_live import _flag, tools, types
from genai_live.audio import Audio
from genai_live.errors import ConfigError, ToolError, TurnLost, WrongThread
from genai_live.tools import RunState, ToolContext, ToolPolicy, ToolRun, ToolUpdate, tool
from genai_live.tools import runner as runner_module
from genai_live.tools.plain import Unsayable, said
from tests.calling_service import calling
from tests.naming import named
from tests.raw_peer import beside
from tests.slow_tool import CHUNK_SECONDS, SLACK, while_a_function_sleeps
from tests.striking import struck_at
from tests.waiting import PATIENCE, until


def double(number: int) -> int:
    """Doubles."""
    return number * 2


def threads_of_tools() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("genai-live-") and "tool" in each.name]


class Gate:
    """A function that runs until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.open = threading.Event()
        self.runs = 0
        self.contexts: list[ToolContext] = []

    def hold(self, context: ToolContext, number: int = 0) -> int:
        """Holds."""
        self.runs += 1
        self.contexts.append(context)
        self.began.release()
        assert self.open.wait(PATIENCE)
        return number

    def wait(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.began.acquire(timeout=PATIENCE)


@pytest.fixture
def gate() -> Iterator[Gate]:
    held = Gate()
    yield held
    held.open.set()
    until(lambda: not threads_of_tools())


# Answers.


def test_a_call_is_answered_with_what_its_function_gives_back() -> None:
    with calling(double) as (service, session):
        service.call(("c1", "double", {"number": 4.0}))
        assert service.wait_for() == [{"id": "c1", "name": "double", "response": {"output": 8}}]
        until(lambda: session.tool_runs[0].state is RunState.ANSWERED)
        assert session.tool_runs[0].result == 8


@pytest.mark.parametrize("value", [None, 0, False, "", [], {}, 1.5, "text", [1, "a"], {"a": {"b": None}}])
def test_a_result_of_any_shape_is_the_output_as_it_is(value: Any) -> None:
    def give() -> Any:
        return value

    with calling(give) as (service, _):
        service.call(("c", "give", {}))
        assert service.wait_for()[0]["response"] == {"output": value}


def test_pictures_and_sound_go_as_parts() -> None:
    def look() -> Any:
        return ["a lamp", types.Blob(data=b"png", mime_type="image/png"), Audio(b"\0\0", 16_000)]

    with calling(look) as (service, _):
        service.call(("c", "look", {}))
        (answer,) = service.wait_for()
    assert answer["response"] == {"output": "a lamp"}
    assert [part["inlineData"]["mimeType"] for part in answer["parts"]] == ["image/png", "audio/wav"]


@pytest.mark.parametrize(
    "part",
    [
        types.FunctionResponsePart.from_bytes(b"png", "image/png"),
        types.Part.from_bytes(data=b"png", mime_type="image/png"),
        types.Blob(data=b"png", mime_type="image/png"),
    ],
    ids=["FunctionResponsePart", "Part", "Blob"],
)
def test_a_part_of_any_name_goes_as_a_part(part: Any) -> None:
    assert said(part) == ({"output": None}, [types.FunctionResponsePart.from_bytes(b"png", "image/png")])
    with pytest.raises(Unsayable, match="a Blob without its mime_type"):
        said(types.Blob(data=b"png"))


@pytest.mark.parametrize("value", [range(2), {0: "a", 1: "b"}.keys(), {"a": 0, "b": 1}.values(), iter([0, 1])], ids=named)
def test_what_can_be_listed_is_a_list(value: Any) -> None:
    assert said(value) == ({"output": [0, 1]}, [])


def test_of_an_error_the_model_hears_that_there_was_one_and_the_caller_all_of_it(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[ToolRun] = []

    def book() -> None:
        raise ValueError("the password of the database is 1234")

    with calling(book, run_tools=ToolPolicy(on_run=seen.append)) as (service, session):
        service.call(("c", "book", {}))
        (answer,) = service.wait_for()
        until(lambda: seen and seen[-1].state.is_end)
    assert "1234" not in str(answer)
    assert "book failed" in answer["response"]["error"]
    assert seen[-1].state is RunState.FAILED
    assert seen[-1].error == "ValueError: the password of the database is 1234"
    assert "in book" in seen[-1].traceback
    assert "1234" in caplog.text
    assert session.tool_runs[-1] == seen[-1]


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class WordlessToolError(ToolError):
    __str__ = Wordless.__str__


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (Wordless(), "book failed. This is an error of the program; its details are not for you."),
        (WordlessToolError(), "its text cannot be had"),
        (KeyboardInterrupt(), "book failed. This is an error of the program; its details are not for you."),
        (SystemExit(1), "book failed. This is an error of the program; its details are not for you."),
        (StopIteration(5), "book failed. This is an error of the program; its details are not for you."),
    ],
    ids=lambda each: type(each).__name__,
)
def test_whatever_a_function_raises_its_call_is_answered_once(raised: BaseException, told: str) -> None:
    def book() -> None:
        raise raised

    with calling(book, double) as (service, session):
        service.call(("c", "book", {}), ("d", "double", {"number": 1}))
        assert service.answer_of("c")["response"] == {"error": told}
        service.answer_of("d")
        until(lambda: session.tool_runs[0].state is RunState.FAILED)
    assert len(service.responses) == 2


def test_a_tool_error_is_told_in_its_own_words() -> None:
    def book() -> None:
        raise ToolError("There is no seat left.")

    with calling(book) as (service, _):
        service.call(("c", "book", {}))
        assert service.wait_for()[0]["response"] == {"error": "There is no seat left."}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"number": "many"}, "number must be a whole number, not 'many'."),
        ({"number": 1, "unit": "C"}, "double has no argument 'unit'; its arguments are number."),
        ({}, "double needs number."),
    ],
)
def test_arguments_that_do_not_fit_are_answered_with_the_sentence_that_says_which(args: dict[str, Any], words: str) -> None:
    with calling(double) as (service, session):
        service.call(("c", "double", args))
        assert service.wait_for()[0]["response"] == {"error": words}
        until(lambda: session.tool_runs[0].state is RunState.REFUSED)


def test_a_name_that_was_never_declared_is_answered_with_the_names_that_were() -> None:
    with calling(double, {"function_declarations": [{"name": "mine"}]}) as (service, _):
        service.call(("c", "triple", {}))
        assert service.wait_for()[0]["response"] == {"error": "There is no function triple; there are: double, mine."}


def test_a_declaration_without_a_function_is_the_callers_to_answer() -> None:
    with calling(double, {"function_declarations": [{"name": "mine"}]}) as (service, session):
        session.send_text("go")
        service.call(("a", "double", {"number": 1}), ("b", "mine", {}))
        turn = session.collect(timeout=PATIENCE)
        assert [call.id for call in turn.tool_calls] == ["a", "b"]
        with pytest.raises(ConfigError, match="'double' is answered by its function"):
            session.send_tool_response(function_responses={"id": "a", "name": "double", "response": {}})
        session.send_tool_response(function_responses={"id": "b", "name": "mine", "response": {"output": 1}})
        assert sorted(each["id"] for each in service.wait_for(2)) == ["a", "b"]


def test_ask_waits_for_the_answer_after_the_calls_and_has_what_became_of_them() -> None:
    with calling(double) as (service, session):

        def converse() -> None:
            service.wait_for(of="received")
            service.call(("c1", "double", {"number": 1}), ("c2", "double", {"number": 2}))
            service.wait_for(2)
            service.call(("c3", "double", {"number": 3}))
            service.wait_for(3)
            service.say("six")

        talk = threading.Thread(target=converse)
        talk.start()
        turn = session.ask("How much?", timeout=PATIENCE)
        talk.join()
    assert turn.text == "six"
    assert [(run.id, run.state, run.result) for run in turn.tool_runs] == [
        ("c1", RunState.ANSWERED, 2),
        ("c2", RunState.ANSWERED, 4),
        ("c3", RunState.ANSWERED, 6),
    ]


@pytest.mark.parametrize("shared", [False, True])
def test_calls_still_come_to_callbacks_and_to_iteration_in_their_place(shared: bool) -> None:
    seen: list[str] = []

    def note(each: types.LiveServerMessage) -> None:
        seen.append("call" if each.tool_call else each.text or "")

    with calling(double, shared_reader=shared, callbacks={"on_message": note}) as (service, session):
        service.call(("c1", "double", {"number": 1}))
        service.wait_for()
        service.say("two")
        received = [bool(each.tool_call) for each in session.receive(timeout=PATIENCE)]
    assert received == [True, False, False]
    assert seen == ["call", "two", ""]


def test_functions_approvals_and_on_run_see_the_context_variables_of_the_thread_that_connected() -> None:
    user = contextvars.ContextVar("user", default="nobody")
    user.set("Ada")

    def whose() -> str:
        return user.get()

    @tool(approve=True)
    def asked() -> str:
        """Asked."""
        return user.get()

    def approve(call: types.FunctionCall, context: ToolContext) -> bool:
        seen.append(user.get())
        return True

    seen: list[str] = []
    policy = ToolPolicy(approve=approve, on_run=lambda run: seen.append(user.get()))
    with calling(whose, asked, run_tools=policy) as (service, session):
        user.set("Bob")
        service.call(("c", "whose", {}), ("d", "asked", {}))
        assert [each["response"] for each in service.wait_for(2)] == [{"output": "Ada"}] * 2
        until(lambda: all(run.state.is_end for run in session.tool_runs))
    assert set(seen) == {"Ada"}


def test_a_call_of_a_model_that_names_the_functions_home_is_understood() -> None:
    with calling(double) as (service, _):
        service.call(("c", "default_api:double", {"number": 2}))
        assert service.wait_for()[0] == {"id": "c", "name": "default_api:double", "response": {"output": 4}}


async def later(number: int) -> int:
    """Later."""
    return number


async def bit_by_bit() -> Any:
    """Bit by bit."""
    yield 1
    yield 2


def test_an_async_function_runs_in_a_loop_of_its_own() -> None:
    with calling(later, bit_by_bit) as (service, _):
        service.call(("c", "later", {"number": 7}))
        assert service.wait_for()[0]["response"] == {"output": 7}
        service.call(("d", "bit_by_bit", {}))
        assert [each["response"] for each in service.wait_for(4)[1:]] == [{"output": 1}, {"output": 2}, {}]


@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(1)], ids=repr)
def test_an_on_run_that_raises_is_logged_and_every_call_is_answered(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def show(run: ToolRun) -> None:
        raise raised

    with calling(double, run_tools=ToolPolicy(on_run=show)) as (service, _):
        for number in range(3):
            service.call((f"c{number}", "double", {"number": number}))
            assert service.answer_of(f"c{number}")["response"] == {"output": 2 * number}
    assert "on_run raised; the session goes on" in caplog.text


# Threads and time.


@pytest.mark.waits
@pytest.mark.parametrize("shared", [False, True])
def test_a_function_that_sleeps_delays_neither_keepalive_nor_sound(shared: bool) -> None:
    """Eight times the interval of pings; ``python -m soak slow_tool`` sleeps 30 s."""
    interval = 0.25
    seen = while_a_function_sleeps(8 * interval, interval, shared_reader=shared)
    assert seen.longest_gap(seen.pings) < interval + SLACK
    assert seen.longest_gap(seen.sent) < CHUNK_SECONDS + SLACK
    assert seen.longest_gap(seen.heard) < CHUNK_SECONDS + SLACK


def test_eight_functions_that_hang_leave_the_ninth_running(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "genai_live")
    with calling(gate.hold, double, run_tools=ToolPolicy(timeout=0.2)) as (service, session):
        service.call(*[(f"h{n}", "hold", {"number": n}) for n in range(8)])
        gate.wait(8)
        service.call(("c", "double", {"number": 3}))
        assert service.answer_of("c")["response"] == {"output": 6}
        assert "took longer than 0.2 s" in service.answer_of("h0")["response"]["error"]
        hung = [run for run in session.tool_runs if run.state is RunState.TIMED_OUT]
        assert len(hung) == 8
        assert all(run.runs_on for run in hung)
        gate.open.set()
        until(lambda: not any(run.runs_on for run in session.tool_runs))
    assert len(service.responses) == 9


def test_beyond_four_threads_for_each_worker_calls_are_refused_with_an_answer(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "genai_live")
    with calling(gate.hold, run_tools=ToolPolicy(workers=1, timeout=0.05)) as (service, _):
        for number in range(6):
            service.call((f"h{number}", "hold", {"number": number}))
        last = service.answer_of("h5")["response"]["error"]
        assert "too many functions" in last
        assert gate.runs == 4


def test_not_more_than_workers_run_at_once_and_one_that_is_sequential_runs_alone() -> None:
    lock, now, most, order = threading.Lock(), [0], [0], []

    def work(name: str) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            order.append(f"+{name}")
        threading.Event().wait(0.01)
        with lock:
            now[0] -= 1
            order.append(f"-{name}")

    def many(name: str) -> None:
        """Many."""
        work(name)

    @tool(sequential=True)
    def alone(name: str) -> None:
        """Alone."""
        work(name)

    with calling(many, alone, run_tools=ToolPolicy(workers=3)) as (service, _):
        service.call(
            *[(f"a{n}", "many", {"name": f"a{n}"}) for n in range(6)],
            ("s", "alone", {"name": "s"}),
            *[(f"b{n}", "many", {"name": f"b{n}"}) for n in range(3)],
        )
        service.wait_for(10)
    assert most[0] <= 3
    at = order.index("+s")
    assert order[at + 1] == "-s"
    assert sorted(order[:at]) == sorted([f"{sign}a{n}" for sign in "+-" for n in range(6)])


def test_one_that_is_sequential_keeps_its_place_while_it_waits_for_approval_and_others_are_passed() -> None:
    order: list[str] = []
    asked, may_run = threading.Semaphore(0), threading.Event()

    def approve(call: types.FunctionCall, context: ToolContext) -> bool:
        asked.release()
        assert may_run.wait(PATIENCE)
        return True

    def plain(name: str) -> None:
        """Plain."""
        order.append(name)

    @tool(approve=True)
    def gated(name: str) -> None:
        """Gated."""
        order.append(name)

    @tool(approve=True, sequential=True)
    def alone(name: str) -> None:
        """Alone."""
        order.append(name)

    with calling(plain, gated, alone, run_tools=ToolPolicy(approve=approve)) as (service, session):
        names = ("gated", "plain", "alone", "plain")
        service.call(*[(f"c{n}", name, {"name": f"{n} {name}"}) for n, name in enumerate(names)])
        service.answer_of("c1")
        for _ in range(2):
            assert asked.acquire(timeout=PATIENCE)
        assert order == ["1 plain"]
        assert session.tool_runs[3].state is RunState.CALLED
        may_run.set()
        service.wait_for(4)
    assert order == ["1 plain", "0 gated", "2 alone", "3 plain"]


def test_threads_are_named_daemons_made_at_the_first_call_and_gone_after_the_last(gate: Gate) -> None:
    with calling(gate.hold) as (service, _):
        assert threads_of_tools() == []
        service.call(("c", "hold", {}))
        gate.wait()
        assert "genai-live-tool-hold" in threads_of_tools()
        assert all(each.daemon for each in threading.enumerate() if "tool" in each.name)
        gate.open.set()
        service.wait_for()
        until(lambda: not threads_of_tools())


# Cancellation, close and finish.


def test_a_cancellation_reaches_the_function_and_nothing_is_sent_after_it(gate: Gate) -> None:
    with calling(gate.hold, double) as (service, session):
        service.call(("c", "hold", {}))
        gate.wait()
        service.cancel("c")
        assert gate.contexts[0].cancelled.wait(PATIENCE)
        with pytest.raises(tools.Cancelled):
            gate.contexts[0].check()
        gate.open.set()
        until(lambda: not session.tool_runs[0].runs_on)
        service.call(("d", "double", {"number": 1}))
        assert [each["id"] for each in service.wait_for()] == ["d"]
        assert session.tool_runs[0].state is RunState.CANCELLED


def test_a_generator_ends_at_its_next_yield_once_nobody_waits() -> None:
    began, ended, closed = threading.Event(), threading.Event(), []

    def count() -> Iterator[int]:
        """Counts."""
        try:
            while True:
                began.set()
                yield 1
                threading.Event().wait(0.001)
        finally:
            closed.append(True)
            ended.set()

    with calling(count) as (service, _):
        service.call(("c", "count", {}))
        assert began.wait(PATIENCE)
        service.cancel("c")
        assert ended.wait(PATIENCE)
    assert all(each.get("willContinue") for each in service.responses)
    assert closed == [True]


def test_an_async_function_is_cancelled_where_it_waits() -> None:
    import asyncio

    began, ended = threading.Event(), threading.Event()

    async def sleep() -> None:
        """Sleeps."""
        try:
            began.set()
            await asyncio.sleep(1_000)
        except asyncio.CancelledError:
            ended.set()
            raise

    with calling(sleep) as (service, session):
        service.call(("c", "sleep", {}))
        assert began.wait(PATIENCE)
        service.cancel("c")
        assert ended.wait(PATIENCE)
        until(lambda: not threads_of_tools())
        assert session.tool_runs[0].state is RunState.CANCELLED
    assert service.responses == []


def test_each_yield_is_an_answer_before_the_last_and_says_how_it_is_told() -> None:
    def progress() -> Any:
        """Progress."""
        yield "begun"
        yield ToolUpdate({"done": 50}, scheduling="SILENT")
        return "ready"

    with calling(progress) as (service, session):
        service.call(("c", "progress", {}))
        answers = service.wait_for(3)
        until(lambda: session.tool_runs[0].state is RunState.ANSWERED)
        assert session.tool_runs[0].result == "ready"
    assert service.setups[0]["tools"][0]["functionDeclarations"][0]["behavior"] == "NON_BLOCKING"
    assert answers == [
        {"willContinue": True, "id": "c", "name": "progress", "response": {"output": "begun"}},
        {"willContinue": True, "scheduling": "SILENT", "id": "c", "name": "progress", "response": {"output": {"done": 50}}},
        {"willContinue": False, "id": "c", "name": "progress", "response": {"output": "ready"}},
    ]


def test_close_tells_functions_and_does_not_wait_for_them(gate: Gate) -> None:
    seen: list[ToolRun] = []
    with calling(gate.hold, run_tools=ToolPolicy(on_run=seen.append)) as (service, session):
        service.call(("c", "hold", {}))
        gate.wait()
        session.close()
        assert gate.contexts[0].cancelled.is_set()
        assert session.tool_runs[0].state is RunState.CLOSED
    assert [run.state for run in seen][:3] == [RunState.CALLED, RunState.RUNNING, RunState.CLOSED]
    gate.open.set()
    until(lambda: not threads_of_tools())
    assert service.responses == []


def test_finish_waits_for_running_functions_and_lets_their_answers_go_out(gate: Gate) -> None:
    with calling(gate.hold) as (service, session):
        session.send_text("go")
        service.call(("c", "hold", {"number": 5}))
        gate.wait()
        ending = threading.Thread(target=session.finish, args=(PATIENCE,))
        ending.start()
        gate.open.set()
        assert service.wait_for()[0]["response"] == {"output": 5}
        service.say("five")
        ending.join(PATIENCE)
        assert not ending.is_alive()
        assert session.close_info is not None
        assert session.close_info.clean


def test_a_session_that_the_server_ends_tells_its_functions(gate: Gate) -> None:
    with calling(gate.hold) as (service, session):
        service.call(("c", "hold", {}))
        gate.wait()
        service.drop()
        assert gate.contexts[0].cancelled.wait(PATIENCE)
        assert session.tool_runs[0].state is RunState.LOST


# What a function does with its session.


@pytest.mark.parametrize("by_client", [False, True])
def test_a_function_that_hangs_up_is_answered_first_and_the_models_last_words_come(by_client: bool) -> None:
    def hang_up(context: ToolContext) -> str:
        """Hangs up."""
        began = time.monotonic()
        ends: Any = service.client if by_client else context.session
        ends.finish(PATIENCE)
        assert time.monotonic() - began < PATIENCE / 2
        assert context.session.close_info is None
        return "bye"

    with calling(hang_up) as (service, session):
        session.send_text("go")
        service.call(("c", "hang_up", {}))
        assert service.wait_for()[0]["response"] == {"output": "bye"}
        service.say("Goodbye.")
        assert session.collect(timeout=PATIENCE).text == "Goodbye."
        until(lambda: session.close_info)
        assert session.close_info is not None
        assert session.close_info.clean
        assert session.tool_runs[0].state is RunState.ANSWERED


def test_a_function_that_closes_its_session_runs_to_its_end_and_nothing_is_sent() -> None:
    ended = threading.Event()

    def close(context: ToolContext) -> str:
        """Closes."""
        context.session.close()
        assert context.cancelled.is_set()
        ended.set()
        return "closed"

    with calling(close) as (service, session):
        service.call(("c", "close", {}))
        assert ended.wait(PATIENCE)
        until(lambda: not session.tool_runs[0].runs_on)
        assert session.tool_runs[0].state is RunState.CLOSED
        until(lambda: not threads_of_tools())
    assert service.responses == []


def test_a_function_may_send_and_is_refused_to_receive() -> None:
    refused: list[str] = []

    def look(context: ToolContext) -> str:
        """Looks."""
        session: Any = context.session
        for receive in (lambda: session.ask("?"), session.collect, session.receive, lambda: iter(session)):
            with pytest.raises(WrongThread) as raised:
                receive()
            refused.append(str(raised.value))
        session.send_text("I am at it")
        session.send_realtime_input(audio=bytes(640))
        session.send_client_content(turns="a note", turn_complete=False)
        return "seen"

    with calling(look) as (service, session):
        session.send_text("go")
        service.call(("c", "look", {}))
        assert service.answer_of("c")["response"] == {"output": "seen"}
        assert "a note" in str(service.received)
        service.say("done")
        assert session.collect(timeout=PATIENCE).text == "done"
    assert set(refused) == {
        "receiving in a tool that runs by itself would wait for the tool's own answer: return a result, or send;"
        " the thread that receives gets what the model says next"
    }


# Approval.


@pytest.mark.parametrize("granted", [True, False])
def test_a_call_that_needs_approval_runs_when_it_is_given(granted: bool) -> None:
    seen: list[RunState] = []
    asked: list[tuple[str | None, str]] = []
    may_answer = threading.Event()

    @tool(approve=True, timeout=0.2)
    def book(flight: str) -> str:
        """Books."""
        return flight

    def approve(call: types.FunctionCall, context: ToolContext) -> bool:
        asked.append((call.name, threading.current_thread().name))
        assert may_answer.wait(PATIENCE)
        return granted

    policy = ToolPolicy(approve=approve, on_run=lambda run: seen.append(run.state))
    with calling(book, double, run_tools=policy) as (service, session):
        service.call(("c", "book", {"flight": "LH1"}))
        until(lambda: asked)
        service.call(("d", "double", {"number": 1}))
        service.answer_of("d")
        threading.Event().wait(0.3)  # longer than the timeout, in which the wait for approval does not count
        assert session.tool_runs[0].state is RunState.WAITING
        may_answer.set()
        answer = service.answer_of("c")["response"]
        until(lambda: session.tool_runs[0].state.is_end)
    assert asked == [("book", "genai-live-approve-book")]
    assert answer == ({"output": "LH1"} if granted else {"error": "book was not run: it was not approved."})
    assert session.tool_runs[0].state is (RunState.ANSWERED if granted else RunState.REFUSED)


@tool(approve=True)
def book_it(flight: str = "LH1") -> str:
    """Books."""
    return flight


@pytest.mark.parametrize("answer", ["yes", "no", 1, None], ids=repr)
def test_only_true_lets_a_function_run(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    with calling(book_it, run_tools=ToolPolicy(approve=lambda call, context: answer)) as (service, session):
        service.call(("c", "book_it", {}))
        assert service.wait_for()[0]["response"] == {"error": "book_it was not run: it was not approved."}
        until(lambda: session.tool_runs[0].state is RunState.REFUSED)
    assert f"must give back True or False, not {type(answer).__name__}; book_it is not run" in caplog.text


@pytest.mark.parametrize(
    ("raised", "told"),
    [(ToolError("Nobody is here."), "Nobody is here."), (KeyError("desk"), "book_it was not run: it was not approved.")],
    ids=["ToolError", "another error"],
)
def test_an_approval_that_raises_is_none(raised: Exception, told: str, caplog: pytest.LogCaptureFixture) -> None:
    def approve(call: types.FunctionCall, context: ToolContext) -> bool:
        raise raised

    with calling(book_it, run_tools=ToolPolicy(approve=approve)) as (service, _):
        service.call(("c", "book_it", {}))
        assert service.wait_for()[0]["response"] == {"error": told}
    assert ("asking for the approval of book_it failed" in caplog.text) is isinstance(raised, KeyError)


def test_an_approval_that_hangs_holds_up_nobody_else_and_ends_with_its_call(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[ToolContext] = []

    def approve(call: types.FunctionCall, context: ToolContext) -> bool:
        asked.append(context)
        assert context.cancelled.wait(PATIENCE)
        context.check()
        return True

    with calling(book_it, double, run_tools=ToolPolicy(workers=1, timeout=0.05, approve=approve)) as (service, session):
        service.call(("a", "book_it", {}), ("b", "book_it", {"flight": "LH2"}))
        until(lambda: len(asked) == 2)
        service.call(("c", "double", {"number": 1}))
        assert service.answer_of("c")["response"] == {"output": 2}
        service.cancel("a")
        until(lambda: session.tool_runs[0].state is RunState.CANCELLED)
        assert session.tool_runs[1].state is RunState.WAITING
    assert session.tool_runs[1].state is RunState.CLOSED
    until(lambda: not threads_of_tools())
    assert [each["id"] for each in service.responses] == ["c"]
    assert "failed" not in caplog.text


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, None])
def test_a_timeout_without_end_is_none(timeout: float | None) -> None:
    with calling(double, run_tools=ToolPolicy(timeout=timeout)) as (service, _):
        for number in range(2):
            service.call((f"c{number}", "double", {"number": number}))
            assert service.answer_of(f"c{number}")["response"] == {"output": 2 * number}


def test_a_tool_that_needs_approval_needs_somebody_to_ask() -> None:
    @tool(approve=True)
    def book() -> None:
        """Books."""

    with pytest.raises(ConfigError, match=r"run_tools\.approve"), calling(book):
        pass


# Responses without an id.


def by_hand(*names: str) -> Any:
    """A session whose caller answers functions of these names."""
    return calling({"function_declarations": [{"name": name} for name in names]}, run_tools=False)


def answer_to(name: str, output: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": name, "response": {"output": output}, **more}


def test_a_response_without_an_id_has_that_of_the_only_call_of_its_name_that_waits() -> None:
    with by_hand("look", "book") as (service, session):
        session.send_text("go")
        service.call(("a", "look", {}), ("b", "book", {}), ("c", "look", {}))
        session.collect(timeout=PATIENCE)
        with pytest.raises(ConfigError, match=r"function_responses\.id: is missing, and 2 calls of 'look' wait: 'a', 'c'"):
            session.send_tool_response(function_responses=answer_to("look"))
        with pytest.raises(ConfigError, match=r"is missing; .* and no call of 'cook' waits"):
            session.send_tool_response(function_responses=answer_to("cook"))
        session.send_tool_response(function_responses=answer_to("book"))
        session.send_tool_response(function_responses=[answer_to("look", 1), answer_to("look", 2, id="a")])
        assert [(each["id"], each["name"]) for each in service.wait_for(3)] == [("b", "book"), ("c", "look"), ("a", "look")]
        service.say("done")
        assert session.collect(timeout=PATIENCE).text == "done"
        with pytest.raises(ConfigError, match="no call of 'book' waits"):
            session.send_tool_response(function_responses=answer_to("book"))


def test_the_response_to_a_call_without_an_id_has_none_and_ends_the_wait_for_it() -> None:
    for tools_, run_tools in (((double,), True), (({"function_declarations": [{"name": "double"}]},), False)):
        with calling(*tools_, run_tools=run_tools) as (service, session):
            session.send_text("go")
            service.send(toolCall={"functionCalls": [{"name": "double", "args": {"number": 2}}]})
            if not run_tools:
                assert session.collect(timeout=PATIENCE).tool_calls[0].id is None
                session.send_tool_response(function_responses=answer_to("double", 4))
            assert service.wait_for() == [answer_to("double", 4)]
            service.say("four")
            assert session.collect(timeout=PATIENCE).text == "four"


# Calls that come again.


def test_a_call_that_is_repeated_while_it_runs_is_run_once_and_both_are_answered(gate: Gate) -> None:
    with calling(gate.hold) as (service, session):
        service.call(("c1", "hold", {"number": 1}))
        gate.wait()
        service.call(("c2", "hold", {"number": 1}))
        until(lambda: len(session.tool_runs) == 2 and session.tool_runs[1].state is RunState.RUNNING)
        service.cancel("c1")
        until(lambda: session.tool_runs[0].state is RunState.CANCELLED)
        assert not gate.contexts[0].cancelled.is_set()
        gate.open.set()
        assert service.wait_for() == [{"id": "c2", "name": "hold", "response": {"output": 1}}]
    assert gate.runs == 1


def test_a_repeatable_one_runs_again_and_so_do_two_calls_of_one_message(gate: Gate) -> None:
    @tool(repeatable=True)
    def again(context: ToolContext) -> int:
        """Again."""
        return gate.hold(context)

    with calling(again, gate.hold) as (service, _):
        service.call(("c1", "again", {}))
        gate.wait()
        service.call(("c2", "again", {}))
        gate.wait()
        service.call(("d1", "hold", {}), ("d2", "hold", {}))
        gate.wait(2)
        gate.open.set()
        service.wait_for(4)
    assert gate.runs == 4


def test_a_call_that_comes_twice_under_one_id_is_answered_once() -> None:
    with calling(double) as (service, session):
        service.call(("c", "double", {"number": 1}), ("c", "double", {"number": 2}))
        service.answer_of("c")
        service.call(("c", "double", {"number": 3}))
        service.call(("d", "double", {"number": 4}))
        service.answer_of("d")
        service.say("done")
        assert session.collect(timeout=PATIENCE).text == "done"
    assert [each["id"] for each in service.responses] == ["c", "d"]


# Reconnecting.


def test_a_call_that_survives_its_connection_is_answered_on_the_next(gate: Gate) -> None:
    with calling(gate.hold, reconnect={"first_pause": 0.01}) as (service, session):
        service.call(("c", "hold", {"number": 9}))
        gate.wait()
        service.drop()
        service.wait_for(2, of="setups")
        gate.open.set()
        assert service.wait_for()[0]["response"] == {"output": 9}
        until(lambda: session.tool_runs[0].state is RunState.ANSWERED)


def test_after_a_fresh_session_nothing_of_the_old_calls_is_sent(gate: Gate) -> None:
    with calling(gate.hold, double, reconnect={"first_pause": 0.01, "fresh_session": True}) as (service, session):
        until(lambda: session.resumption.handle)
        session._protocol.resumption = type(session._protocol.resumption)()  # as if none had come
        session.send_text("go")
        service.call(("c", "hold", {}))
        gate.wait()
        service.drop()
        with pytest.raises(TurnLost):
            session.collect(timeout=PATIENCE)
        until(lambda: session.tool_runs[0].state is RunState.LOST)
        assert gate.contexts[0].cancelled.is_set()
        gate.open.set()
        service.wait_for(2, of="setups")
        service.call(("d", "double", {"number": 1}))
        service.answer_of("d")
    assert [each["id"] for each in service.responses] == ["d"]


# Settings.


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("yes", "run_tools: must be True, False or a ToolPolicy, not str"),
        ({"workers": 0}, "run_tools.workers: must be a whole number, 1 or above, not 0"),
        ({"timeout": -1}, "run_tools.timeout: must be a number above 0, not -1"),
        ({"timeout": 0}, "run_tools.timeout: must be a number above 0, not 0"),
        ({"approve": later}, "run_tools.approve: must be a plain function, not an async one"),
        ({"on_run": later}, "run_tools.on_run: must be a plain function, not an async one"),
        ({"approve": 1}, "run_tools.approve: must be a function"),
        ({"threads": 1}, "run_tools.threads: unknown key; ToolPolicy has workers"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_before_anything_is_dialled(settings: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words), calling(double, run_tools=settings):
        pass


def test_a_run_is_the_same_after_json() -> None:
    run = ToolRun("c", "book", {"a": 1}, RunState.FAILED, error="no", seconds=0.5, traceback="...")
    assert ToolRun.from_json(run.to_json()) == run


# Signals.


def taken_and_left(lock: threading.RLock) -> bool:
    with lock:
        return True


@pytest.mark.parametrize("module", [runner_module, threading, _flag], ids=["runner", "threading", "flag"])
def test_ctrl_c_anywhere_in_the_runner_leaves_its_lock_to_others(module: ModuleType, gate: Gate) -> None:
    with calling(gate.hold) as (service, session):
        service.call(("c", "hold", {}))
        gate.wait()
        runner = session._runner
        assert runner is not None
        looks = (lambda: runner.runs_of([types.FunctionCall(id="c", name="hold")]), lambda: runner.wait(0.001))
        for call, where in [*itertools.product(looks, ("line", "return")), (runner.close, "return")]:
            line = 1
            while struck_at(line, module, call, where):
                assert beside(taken_and_left, runner._lock).result(PATIENCE)
                line += 1
