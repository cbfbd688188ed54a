"""Processes that a library must live in: forked, patched, full of threads, beside an event loop, in a notebook, at their end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from tests.processes import ROOT, run, start
from tests.servers import (
    AUTHORITY,
    PATIENCE,
    TURN_COMPLETE,
    answer_setup,
    live_server,
    message,
    text_of,
    text_part,
    wait_until_closed,
)
from tests.waiting import until

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
QUIET_FORK = ("-W", "ignore:This process:DeprecationWarning")
"""Python 3.12 and later warn about any fork of a process with threads, whatever the child does."""


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("trust") / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


def repeat(connection: ServerConnection) -> None:
    """Answers every text with a turn that repeats it; takes sound and says nothing."""
    answer_setup(connection)
    for raw in connection:
        if text := text_of(raw):
            connection.send(text_part(text))
            connection.send(TURN_COMPLETE)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "TLS"])
def service(request: pytest.FixtureRequest, ca: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A server that repeats every text, and the options of a client that trusts it."""
    with live_server(repeat, tls=request.param) as url:
        yield url, {"ca_bundle": ca} if request.param else {}


def client_line(options: dict[str, str], **more: Any) -> str:
    return f'client = Client(api_key="k", http_options={{"base_url": sys.argv[1], **{options!r}}}, **{more!r})\n'


# The end of a process


FORGOTTEN = {
    "an idle session": "session = connect()",
    "a session in a function's frame": "def keep():\n    session = connect()\n    return lambda: session\nkept = keep()",
    "callbacks": "session = connect(callbacks={'on_message': print, 'on_close': print, 'on_error': print})",
    "an executor": (
        "from concurrent.futures import ThreadPoolExecutor\nfrom genai_live import LiveCallbacks\n"
        "session = connect(callbacks=LiveCallbacks(on_message=lambda m: None, executor=ThreadPoolExecutor(1)))\n"
        f"session.ask('a', timeout={PATIENCE})"
    ),
    "sound being sent": "session = connect()\nstream = session.stream_audio(bytes(32_000 * 60), wait=False)",
    "sound from a source that blocks": (
        "session = connect()\nhang = threading.Event()\n"
        "def source():\n    yield bytes(640)\n    hang.wait()\n"
        "stream = session.stream_audio(source(), wait=False)"
    ),
    "a shared reader": (
        "client = Client(api_key='k', http_options={'base_url': sys.argv[1]}, shared_reader=True)\n"
        "sessions = [connect() for _ in range(5)]"
    ),
    "a thread that receives": "session = connect()\nthreading.Thread(target=lambda: list(session), daemon=True).start()",
    "a callback that hangs": (
        "hang, entered = threading.Event(), threading.Event()\n"
        "session = connect(callbacks={'on_message': lambda m: (entered.set(), hang.wait())})\n"
        "session.send_client_content(turns='a')\nentered.wait()"
    ),
    "a function that hangs": (
        "hang, entered = threading.Event(), threading.Event()\n"
        "def nap(): entered.set(); hang.wait()\n"
        "session = connect(config={'tools': [nap]}, run_tools=True)\n"
        "session.send_client_content(turns='call nap')\nentered.wait()"
    ),
    "an approval that hangs, and a session that is being finished": (
        "from genai_live.tools import ToolPolicy, tool\n"
        "hang, entered = threading.Event(), threading.Event()\n"
        "nap = tool(name='nap', approve=True)(lambda: None)\n"
        "approve = lambda call, context: (entered.set(), context.session.finish(100), hang.wait())\n"
        "session = connect(config={'tools': [nap]}, run_tools=ToolPolicy(approve=approve))\n"
        "session.send_client_content(turns='call nap')\nentered.wait()"
    ),
    "an error that nobody caught": "session = connect()\nraise ZeroDivisionError",
    "sys.exit": "session = connect()\nsys.exit(3)",
    "an iterator": "session = connect()\nmessages = iter(session)",
    "connecting on another thread": (
        "import socket\nlistener = socket.create_server(('127.0.0.1', 0))\n"
        "stalled = Client(api_key='k', http_options={'base_url': f'http://127.0.0.1:{listener.getsockname()[1]}'})\n"
        "threading.Thread(target=lambda: stalled.live.connect(model='m', timeout=None), daemon=True).start()\n"
        "wait_for(own_threads)"
    ),
}
LEAVES_WITHIN = 2.0
"""Seconds from the last line of a script to the end of its process."""
TRIES = 3


@pytest.mark.parametrize("what", FORGOTTEN)
def test_a_script_that_forgets_close_ends_at_once_and_without_noise(what: str) -> None:
    def chatter(connection: ServerConnection) -> None:
        answer_setup(connection)
        for raw in connection:
            if "call nap" in str(raw):
                connection.send(message(toolCall={"functionCalls": [{"id": "c", "name": "nap", "args": {}}]}))
                continue
            connection.send(text_part("."))
            connection.send(TURN_COMPLETE)

    body = f"""
import atexit
atexit.register(lambda: os.write(1, b"leaving\\n"))
{FORGOTTEN[what]}
"""
    took = []
    with live_server(chatter) as url:
        for _ in range(TRIES):
            with start(body, url, flags=("-W", "default")) as process:
                assert process.stdout is not None
                lines = iter(process.stdout.readline, "")
                while next(lines) != "leaving\n":
                    continue
                begun = time.monotonic()
                _, stderr = process.communicate(timeout=2 * PATIENCE)
                took.append(time.monotonic() - begun)
            assert process.returncode == {"an error that nobody caught": 1, "sys.exit": 3}.get(what, 0)
            if what == "an error that nobody caught":
                assert stderr.startswith("Traceback")
                assert stderr.rstrip().endswith("ZeroDivisionError")
                assert stderr.count("\n") <= 4  # Python 3.13 shows the line too
            else:
                assert stderr == ""
            if took[-1] < LEAVES_WITHIN:
                break
    assert min(took) < LEAVES_WITHIN


def test_a_script_that_forgets_close_is_not_kept_by_what_its_executor_has_still_to_do() -> None:
    def talkative(connection: ServerConnection) -> None:
        answer_setup(connection)
        for _ in range(1_000):
            connection.send(text_part("."))
        wait_until_closed(connection)

    body = """
from concurrent.futures import ThreadPoolExecutor
begun, pause = threading.Event(), threading.Event()
callbacks = {'on_message': lambda m: (begun.set(), pause.wait(0.1)), 'executor': ThreadPoolExecutor(1)}
session = connect(callbacks=callbacks)
begun.wait()
os.write(1, b"leaving\\n")
"""
    took = []
    with live_server(talkative) as url:
        for _ in range(TRIES):
            with start(body, url, flags=("-W", "default")) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "leaving\n"
                left_at = time.monotonic()
                _, stderr = process.communicate(timeout=PATIENCE)
                took.append(time.monotonic() - left_at)
            assert (process.returncode, stderr) == (0, "")
            if took[-1] < LEAVES_WITHIN:
                return
    raise AssertionError(f"the script stayed {took} s")


def test_a_session_that_is_dropped_says_so_and_is_closed() -> None:
    body = """
import gc, warnings
warnings.simplefilter("always")
warned = []
warnings.showwarning = lambda message, category, *_: warned.append([category.__name__, str(message)])
session = connect()
session = connect()  # as when the cell of a notebook is run again
gc.collect()
wait_for(lambda: len(own_threads()) == 1)
tell(warned=warned)
session.close()
session = None
gc.collect()
tell(after=len(warned))
"""
    with live_server() as url:
        outcome = run(body, url)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told["warned"] == [["ResourceWarning", "<Session models/test idle> was dropped without close()"]]
    assert outcome.told["after"] == 1


def test_a_session_that_is_dropped_where_warnings_are_errors_is_closed_all_the_same() -> None:
    body = """
session = connect()
session = None
wait_for(lambda: not own_threads())
"""
    with live_server() as url:
        outcome = run(body, url, flags=("-W", "error"))
    assert outcome.code == 0
    assert "ResourceWarning: <Session models/test idle> was dropped without close()" in outcome.stderr


# Forks


FORK = """
def in_child(work):
    \"\"\"Runs work in a forked child that ends as a program does; gives what it told.\"\"\"
    reader, writer = os.pipe()
    faulthandler.cancel_dump_traceback_later()  # its own thread would not survive the fork, and its end waits for it
    child = os.fork()
    watch()
    if child == 0:
        os.close(reader)
        answer = {}
        try:
            answer = work()
        except BaseException as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        os.write(writer, json.dumps(answer).encode())
        os.close(writer)
        sys.stdout = open(os.devnull, "w")
        sys.exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = json.loads(pipe.read())
    assert os.waitpid(child, 0)[1] == 0
    return answer

def error_of(call):
    try:
        call()
    except BaseException as error:
        return type(error).__name__
    return "no error"
"""
CALLS = {
    "send_client_content": "session.send_client_content(turns='x')",
    "send_realtime_input": "session.send_realtime_input(audio=bytes(2))",
    "send_realtime_input of text": "session.send_realtime_input(text='x')",
    "send_text": "session.send_text('x')",
    "send_tool_response": "session.send_tool_response(function_responses={'id': '1', 'name': 'f', 'response': {}})",
    "send_context_update": "session.send_context_update(system_instruction='x')",
    "stream_audio": "session.stream_audio(bytes(640))",
    "stream_audio beside": "session.stream_audio(bytes(640), wait=False).wait()",
    "receive": "list(session.receive(timeout=5))",
    "iter": "list(session)",
    "iterator of the parent": "next(messages)",
    "stream of the parent": "stream.wait()",
    "collect": "session.collect(timeout=5)",
    "ask": "session.ask('x', timeout=5)",
}


@posix
def test_in_a_forked_child_every_method_says_whose_the_session_is_and_the_parent_goes_on(
    service: tuple[str, dict[str, str]],
) -> None:
    url, options = service
    body = (
        FORK
        + client_line(options)
        + f"""
session = connect()
messages = iter(session)
stream = session.stream_audio(bytes(32_000 * 60), wait=False)
calls = {CALLS!r}

def child():
    told = {{name: error_of(lambda: eval(call)) for name, call in calls.items()}}
    told["repr"], told["end"] = repr(session), str(session.close_info)
    try:
        session.send_text("x")
    except Exception as error:
        told["the same record"] = error.close_info is session.close_info
    session.finish()
    session.close()
    session.close()
    return told

tell(child=in_child(child))
stream.cancel()
tell(parent=session.ask("still mine", timeout={PATIENCE}).text, closed=session.close_info)
session.close()
tell(threads=threads_left())
"""
    )
    outcome = run(body, url, flags=QUIET_FORK)
    assert (outcome.stderr, outcome.code) == ("", 0)
    told = outcome.told["child"]
    assert {name: told[name] for name in CALLS} == dict.fromkeys(CALLS, "ForkedSession")
    end = "closed by client in phase 'idle' with code 1006 \"used in a forked process\""
    assert (told["repr"], told["end"]) == (f"<Session models/test closed: {end}>", end)
    assert told["the same record"] is True
    assert (outcome.told["parent"], outcome.told["closed"], outcome.told["threads"]) == ("still mine", None, [])


@posix
@pytest.mark.parametrize("shared_reader", [False, True], ids=["own readers", "shared reader"])
def test_a_client_made_before_the_fork_connects_in_parent_and_children(
    shared_reader: bool, service: tuple[str, dict[str, str]]
) -> None:
    """In the manner of ``gunicorn --preload``: one client, made and used before the workers are forked."""
    url, options = service
    body = (
        FORK
        + client_line(options, shared_reader=shared_reader)
        + f"""
def work():
    with connect() as own, connect() as other:
        return {{"answers": [own.ask(str(os.getpid()), timeout={PATIENCE}).text, other.ask("b", timeout={PATIENCE}).text]}}

before = connect()
tell(children=[in_child(work) for _ in range(3)])
tell(parent=before.ask("parent", timeout={PATIENCE}).text, another=len(work()["answers"]))
before.close()
"""
    )
    outcome = run(body, url, flags=QUIET_FORK)
    assert (outcome.stderr, outcome.code) == ("", 0)
    answers = [child["answers"] for child in outcome.told["children"]]
    assert all(own.isdigit() and other == "b" for own, other in answers)
    assert len({own for own, _ in answers}) == 3
    assert (outcome.told["parent"], outcome.told["another"]) == ("parent", 2)


@posix
@pytest.mark.parametrize("shared_reader", [False, True], ids=["own readers", "shared reader"])
def test_a_fork_while_other_threads_send_and_receive_leaves_no_lock_behind(
    shared_reader: bool, service: tuple[str, dict[str, str]]
) -> None:
    url, options = service
    body = (
        FORK
        + client_line(options, shared_reader=shared_reader)
        + f"""
stop = threading.Event()
sessions = [connect() for _ in range(3)]

def busy(session):
    while not stop.is_set():
        session.ask("x" * 10_000, timeout={PATIENCE})

threads = [threading.Thread(target=busy, args=(session,)) for session in sessions]
for thread in threads:
    thread.start()
if client.live._opener._shared_reader is not None:
    client.live._opener._shared_reader._start_lock.acquire()  # as a thread that connects may at any moment

def work():
    with connect() as session:
        return {{"answer": session.ask("child", timeout={PATIENCE}).text}}

tell(children=[in_child(work) for _ in range(10)])
stop.set()
for thread in threads:
    thread.join()
if client.live._opener._shared_reader is not None:
    client.live._opener._shared_reader._start_lock.release()
tell(parents=[session.ask("parent", timeout={PATIENCE}).text for session in sessions])
for session in sessions:
    session.close()
"""
    )
    outcome = run(body, url, flags=QUIET_FORK)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told == {"children": [{"answer": "child"}] * 10, "parents": ["parent"] * 3}


@posix
def test_a_fork_inside_a_callback_does_not_make_the_child_a_second_reader() -> None:
    body = f"""
reader, writer = os.pipe()
faulthandler.cancel_dump_traceback_later()

def on_message(message):
    if message.text == "fork" and os.fork() == 0:
        os.write(writer, b"child")
        os.close(writer)

session = connect(callbacks={{"on_message": on_message}})
session.ask("fork", timeout={PATIENCE})
os.close(writer)
with open(reader, "rb") as pipe:
    tell(child=pipe.read().decode())  # up to its end: the child is gone
tell(answers=[session.ask(str(number), timeout={PATIENCE}).text for number in range(50)])
session.close()
"""
    with live_server() as url:
        outcome = run(body, url, flags=QUIET_FORK)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told == {"child": "child", "answers": [str(number) for number in range(50)]}


GUNICORN_APP = """
import os, sys, threading
from genai_live import Client, errors

client = Client(api_key="k", http_options={"base_url": os.environ["SERVICE"]}, shared_reader=True)
masters = client.live.connect(model="models/test", timeout=20)  # a mistake that many make: opened before the workers are forked

def application(environ, start_response):
    if environ["PATH_INFO"] == "/masters":
        try:
            masters.ask("x", timeout=20)
        except errors.ForkedSession as error:
            answer = f"{type(error).__name__}: {error}"
        else:
            answer = "no error"
    else:
        with client.live.connect(model="models/test", timeout=20) as session:
            answer = f"{os.getpid()} {session.ask('hello', timeout=20).text}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]
"""


@posix
@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_gunicorn_with_preload_serves_sessions_from_every_worker(worker: str, tmp_path: Path) -> None:
    pytest.importorskip("gunicorn", reason="gunicorn is in the extra test")
    (tmp_path / "app.py").write_text(GUNICORN_APP)
    with live_server() as url, socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        address, inherited = f"http://127.0.0.1:{listener.getsockname()[1]}", listener.fileno()
        command = [sys.executable, *QUIET_FORK, "-m", "gunicorn", "--preload", "--workers", "2", "--threads", "2"]
        command += ["--worker-class", worker, "--bind", f"fd://{inherited}", "--chdir", str(tmp_path), "app:application"]
        environment = {**os.environ, "SERVICE": url, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, pass_fds=[inherited]) as server:
            try:
                answers = {fetch(f"{address}/") for _ in range(20)}
                refused = fetch(f"{address}/masters")
            finally:
                server.terminate()
                _, log = server.communicate(timeout=2 * PATIENCE)
    assert {answer.partition(" ")[2] for answer in answers} == {"hello"}
    assert refused.startswith("ForkedSession: the session belongs to the process that opened it")
    assert "Traceback" not in log


def fetch(url: str) -> str:
    """The body; the listener is there before gunicorn is, so the request waits for it."""
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


# Threads, loops, greenlets


def test_sessions_in_a_thread_pool(service: tuple[str, dict[str, str]]) -> None:
    url, options = service
    body = (
        client_line(options)
        + f"""
from concurrent.futures import ThreadPoolExecutor

def work(number):
    with connect() as session:
        return session.ask(str(number), timeout={PATIENCE}).text

with ThreadPoolExecutor(8) as pool:
    tell(answers=list(pool.map(work, range(24))))
    session = pool.submit(connect).result()
    tell(handed_over=[pool.submit(session.ask, str(number), {PATIENCE}).result().text for number in range(4)])
    pool.submit(session.close).result()
tell(threads=threads_left())
"""
    )
    outcome = run(body, url)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told == {
        "answers": [str(number) for number in range(24)],
        "handed_over": ["0", "1", "2", "3"],
        "threads": [],
    }


def test_beside_a_running_event_loop_through_to_thread(service: tuple[str, dict[str, str]]) -> None:
    url, options = service
    body = (
        client_line(options)
        + f"""
import asyncio

async def main():
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    sessions = await asyncio.gather(*(asyncio.to_thread(connect) for _ in range(4)))
    turns = await asyncio.gather(*(asyncio.to_thread(s.ask, str(n), {PATIENCE}) for n, s in enumerate(sessions)))
    direct = connect()  # on the loop's own thread too: it blocks the loop, and works
    answer = direct.ask("direct", timeout={PATIENCE}).text
    await asyncio.gather(*(asyncio.to_thread(each.close) for each in [*sessions, direct]))
    ticking.cancel()
    tell(answers=[turn.text for turn in turns], direct=answer, ticked=ticks > 5)

asyncio.run(main())
tell(threads=threads_left())
"""
    )
    outcome = run(body, url)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told == {"answers": ["0", "1", "2", "3"], "direct": "direct", "ticked": True, "threads": []}


def test_in_a_process_patched_by_gevent(service: tuple[str, dict[str, str]]) -> None:
    pytest.importorskip("gevent", reason="gevent is in the extra test, and needs a wheel for this Python")
    url, options = service
    body = (
        client_line(options)
        + f"""
import gevent
from genai_live import LiveCallbacks

ticks, seen = 0, []

def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.001)

ticking = gevent.spawn(tick)

def work(number):
    with connect(callbacks=LiveCallbacks(on_message=lambda message: seen.append(message.text))) as session:
        return session.ask(str(number), timeout={PATIENCE}).text

jobs = [gevent.spawn(work, number) for number in range(10)]
gevent.joinall(jobs, timeout={PATIENCE})
tell(answers=[job.value for job in jobs], seen=len(seen))
with connect() as session:
    stream = session.stream_audio(bytes(3200), wait=False)
    tell(streamed=stream.wait({PATIENCE}))
    try:
        with gevent.Timeout(0.2):
            session.receive()
            list(session)
    except gevent.Timeout:
        tell(given_up=True)
    before = ticks
    try:
        session.collect(timeout=0.3)
    except errors.ReceiveTimeout:
        tell(others_ran=ticks - before > 5)
    tell(after=session.ask("after", timeout={PATIENCE}).text)
big = "x" * 2_000_000
with connect() as session:
    tell(big=session.ask(big, timeout={PATIENCE}).text == big)
try:
    Client(api_key="k", http_options={{"base_url": "http://127.0.0.1:1"}}).live.connect(model="m", timeout={PATIENCE})
except errors.ConnectError as error:
    tell(refused=str(error.phase))
ticking.kill()
"""
    )
    outcome = run(body, url, before="from gevent import monkey\nmonkey.patch_all()")
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told == {
        "answers": [str(number) for number in range(10)],
        "seen": 20,
        "streamed": True,
        "given_up": True,
        "others_ran": True,
        "after": "after",
        "big": True,
        "refused": "dialling",
    }


EVENTLET = """
import warnings
warnings.simplefilter("ignore")  # it says itself that it is deprecated
import eventlet
eventlet.monkey_patch()
"""


@pytest.mark.parametrize("shared_reader", [False, True])
def test_in_a_process_patched_by_eventlet(shared_reader: bool, service: tuple[str, dict[str, str]]) -> None:
    """Its ``select`` has no poll, and its sockets are no ``socket.socket``."""
    pytest.importorskip("eventlet", reason="eventlet is in the extra test")
    url, options = service
    body = (
        client_line({**options})
        + f"""
client = Client(api_key="k", http_options=client._api_client.http_options, shared_reader={shared_reader})
ticks = 0

def tick():
    global ticks
    while True:
        ticks += 1
        eventlet.sleep(0.001)

eventlet.spawn(tick)

def work(number):
    with connect() as session:
        answer = session.ask(str(number), timeout={PATIENCE}).text
    tell(closed=session.close_info.code)
    return answer

with eventlet.Timeout({PATIENCE}):
    tell(answers=list(eventlet.GreenPool(5).imap(work, range(10))))
    with connect() as session:
        stream = session.stream_audio(bytes(3200), wait=False)
        tell(streamed=stream.wait({PATIENCE}))
        before = ticks
        try:
            session.collect(timeout=0.3)
        except errors.ReceiveTimeout:
            tell(others_ran=ticks - before > 5)
        session.close()
        session.close()
    big = "x" * 2_000_000
    with connect() as session:
        tell(big=session.ask(big, timeout={PATIENCE}).text == big)
    try:
        Client(api_key="k", http_options={{"base_url": "http://127.0.0.1:1"}}).live.connect(model="m", timeout={PATIENCE})
    except errors.ConnectError as error:
        tell(refused=str(error.phase))
"""
    )
    outcome = run(body, url, before=EVENTLET)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert outcome.told == {
        "answers": [str(number) for number in range(10)],
        "closed": 1000,
        "streamed": True,
        "others_ran": True,
        "big": True,
        "refused": "dialling",
    }


# Notebooks


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    manager = pytest.importorskip("jupyter_client.manager", reason="jupyter_client comes with ipykernel, in the extra test")
    pytest.importorskip("ipykernel", reason="ipykernel is in the extra test")
    own = manager.KernelManager(kernel_name="python3")
    own.kernel_spec.argv[:] = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    own.start_kernel(cwd=str(ROOT))
    client = own.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=3 * PATIENCE)
        yield own, client
    finally:
        client.stop_channels()
        own.shutdown_kernel(now=True)
        own.cleanup_resources()


class Cell:
    """One execution of a cell."""

    def __init__(self, kernel: Any, code: str) -> None:
        _, self._client = kernel
        self._id = self._client.execute(code, store_history=False)
        self.output = ""
        self.error = ""

    def wait(self) -> Cell:
        """Reads what it says until it is done."""
        while True:
            message = self._client.get_iopub_msg(timeout=2 * PATIENCE)
            if message["parent_header"].get("msg_id") != self._id:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                self.output += content["text"]
            elif message["msg_type"] == "error":
                self.error = content["ename"]
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return self


RECEIVING = """
import pathlib, sys, threading

def say_when_it_waits(main=threading.main_thread().ident):
    pause, inside = threading.Event(), ""
    while inside != "_hold_next":
        frame = sys._current_frames()[main]
        while frame and frame.f_code.co_name not in ("_hold_next", "receive", "<module>"):
            frame = frame.f_back
        inside = frame.f_code.co_name if frame else ""
        pause.wait(0.01)
    pathlib.Path({marker!r}).touch()

threading.Thread(target=say_when_it_waits, daemon=True).start()
for message in session.receive():
    print(message)
"""


def test_in_a_notebook_cells_run_unchanged_are_interrupted_at_once_and_leak_nothing(kernel: Any, tmp_path: Path) -> None:
    with live_server() as url:
        opening = Cell(
            kernel,
            f"""
import asyncio, gc, threading
from genai_live import Client
asyncio.get_running_loop()  # the loop that other libraries stumble over
client = Client(api_key="k", http_options={{"base_url": {url!r}}})
session = client.live.connect(model="models/test", timeout={PATIENCE})
print(session.ask("first", timeout={PATIENCE}).text)
""",
        ).wait()
        assert (opening.output, opening.error) == ("first\n", "")
        marker = tmp_path / "receiving"
        receiving = Cell(kernel, RECEIVING.format(marker=str(marker)))
        until(marker.exists)
        manager, _ = kernel
        manager.interrupt_kernel()
        assert receiving.wait().error == "KeyboardInterrupt"
        again = Cell(kernel, f"print(session.ask('second', timeout={PATIENCE}).text)").wait()
        assert (again.output, again.error) == ("second\n", "")
        rerun = Cell(
            kernel,
            f"""
for _ in range(3):
    session = client.live.connect(model="models/test", timeout={PATIENCE})
gc.collect()
pause = threading.Event()
for _ in range(1000):
    readers = [thread for thread in threading.enumerate() if thread.name.startswith("genai-live")]
    if len(readers) == 1:
        break
    pause.wait(0.01)
print(len(readers))
session.close()
""",
        ).wait()
        assert (rerun.output, rerun.error) == ("1\n", "")


# Others' processes


def test_a_spawned_process_makes_its_own_client() -> None:
    body = """
import multiprocessing, pickle
try:
    pickle.dumps(client)
except TypeError as error:
    tell(client=str(error))
try:
    pickle.dumps(connect())
except TypeError as error:
    tell(session=str(error))
"""
    with live_server() as url:
        outcome = run(body, url)
    assert (outcome.stderr, outcome.code) == ("", 0)
    assert "make a new one in the other process" in outcome.told["client"]
    assert "open one in the other process" in outcome.told["session"]


def test_importing_opens_nothing_and_starts_nothing() -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("descriptors are counted in /proc")
    script = (
        "import os, sys, threading, json\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        "import genai_live, genai_live._network.rest, genai_live.emulator\n"
        "genai_live.Client(api_key='k')\n"
        "print(json.dumps([len(os.listdir('/proc/self/fd')) - before, threading.active_count()]))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(answer.stdout) == [0, 1]
