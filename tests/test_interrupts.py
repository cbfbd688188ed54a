"""Ctrl-C: KeyboardInterrupt at once, wherever the main thread stands, and the session stays usable or is cleanly closed."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from genai_live import _deadline
from genai_live._deadline import Deadline
from tests.processes import Outcome, run, start
from tests.raw_peer import BINARY, Peer, close_frame, door, frame
from tests.servers import (
    AUTHORITY,
    PATIENCE,
    TURN_COMPLETE,
    answer_every_text,
    answer_setup,
    live_server,
    raw_server,
    refusing,
    text_of,
    text_part,
)
from tests.stalls import deaf_listener, hold, stall_in_setup

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are sent with os.kill")


AT_ONCE = 1.0
"""Seconds from the signal to the exception, on a machine under load; it takes about a millisecond on an idle one."""
TRIES = 3

INTERRUPT = """
def interrupt_in(*functions):
    \"\"\"Sends SIGINT when the main thread stands in all of these functions and waits there.\"\"\"
    main, sent = threading.main_thread().ident, []

    def stack():
        frame, inside = sys._current_frames()[main], []
        while frame:
            inside.append((frame.f_code.co_name, frame.f_lasti))
            frame = frame.f_back
        return inside

    def watch():
        pause = threading.Event()
        before = None
        while True:  # the same place twice: it waits
            now = stack()
            if set(functions) <= {name for name, _ in now} and now == before:
                break
            before = now
            pause.wait(0.02)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()
    return sent

def interrupted(call, *functions):
    sent = interrupt_in(*functions)
    try:
        result = call()
    except KeyboardInterrupt:
        tell(took=time.monotonic() - sent[0])
    else:
        tell(result=repr(result))
"""


def interrupt(body: str, url: str, *arguments: str) -> Outcome:
    """Runs until Ctrl-C was fast enough: a loaded machine may be slow once."""
    for _ in range(TRIES):
        outcome = run(INTERRUPT + body, url, *arguments)
        assert outcome.stderr == ""
        assert outcome.code == 0
        assert "result" not in outcome.told
        if outcome.told["took"] < AT_ONCE:
            break
    assert outcome.told["took"] < AT_ONCE
    return outcome


# connect()


STALLS: dict[str, Callable[[socket.socket], None]] = {"upgrade": hold, "setup": stall_in_setup}

CONNECT = """
interrupted(lambda: client.live.connect(model="m", timeout=None), "connect", "wait")
wait_for(lambda: not own_threads())
"""


@pytest.mark.parametrize("stall", STALLS)
def test_in_connect_nothing_is_left_behind(stall: str) -> None:
    with raw_server(STALLS[stall]) as url:
        interrupt(CONNECT, url)


def test_in_connect_while_dialling_nothing_is_left_behind() -> None:
    with deaf_listener() as url:
        interrupt(CONNECT, url)


def test_in_connect_during_tls_nothing_is_left_behind() -> None:
    with raw_server(hold) as url:
        interrupt(CONNECT, url.replace("http", "https"))


def test_in_the_pause_before_another_try() -> None:
    body = """
client = Client(api_key="k", http_options={"base_url": sys.argv[1], "connect_retries": 1000})
interrupted(lambda: client.live.connect(model="m", timeout=None), "connect", "open")
wait_for(lambda: not own_threads())
"""
    with refusing() as url:
        interrupt(body, url)


def test_after_connect_was_interrupted_the_client_connects() -> None:
    """Elsewhere: Ctrl-C may come before the silent server has seen anybody."""

    def answers(connection: socket.socket) -> None:
        peer = Peer(connection)
        peer.open()
        hold(connection)

    again = """
session = connect(config={"http_options": {"base_url": sys.argv[2]}})
tell(state=repr(session))
session.close(timeout=0.1)
"""
    with raw_server(hold) as silent, raw_server(answers) as url:
        outcome = interrupt(CONNECT + again, silent, url)
    assert outcome.told["state"] == "<Session models/test idle>"


def test_in_a_token_request() -> None:
    with raw_server(hold) as url:
        interrupt('interrupted(client.auth_tokens.create, "create", "wait"); wait_for(lambda: not own_threads())', url)


# Waiting


@pytest.mark.parametrize("piece", [None, 0.01])
def test_a_wait_cut_into_pieces_for_windows_is_still_one_wait(piece: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """There a lock cannot be waited for interruptibly; the pieces are what Ctrl-C comes between."""
    monkeypatch.setattr(_deadline, "WAIT_SLICE", piece)
    event = threading.Event()
    assert not Deadline(0.05).wait(event)
    assert not Deadline(0.0).wait(event)
    threading.Timer(0.05, event.set).start()
    assert Deadline(None).wait(event)
    assert Deadline(PATIENCE).wait(event)
    assert Deadline(0.0).wait(event)


# Receiving and asking


RECEIVING = {
    "receive": ("lambda: list(session.receive())", "_hold_next"),
    "receive with timeout": ("lambda: list(session.receive(timeout=600))", "_wait_for_token"),
    "iteration": ("lambda: list(session)", "_hold_next"),
    "collect": ("session.collect", "_hold_next"),
    "ask": ("lambda: session.ask('no answer')", "_hold_next"),
    "finish": ("lambda: (session.send_client_content(turns='no answer'), session.finish(timeout=600))", "_wait_for_answer"),
}


def answer_most(connection: ServerConnection) -> None:
    """Answers every text but one."""
    answer_setup(connection)
    for raw in connection:
        text = text_of(raw)
        if text != "no answer":
            connection.send(text_part(text))
            connection.send(TURN_COMPLETE)


@pytest.mark.parametrize("way", RECEIVING)
def test_while_receiving_the_session_stays_usable(way: str) -> None:
    call, function = RECEIVING[way]
    body = f"""
with connect() as session:
    interrupted({call}, "{function}")
    tell(answer=session.ask("still there", timeout={PATIENCE}).text)
tell(closed=str(session.close_info.sent_by), threads=threads_left())
"""
    with live_server(answer_most) as url:
        outcome = interrupt(body, url)
    assert outcome.told["answer"] == "still there"
    assert (outcome.told["closed"], outcome.told["threads"]) == ("client", [])


def test_while_a_callback_takes_its_time_the_main_thread_is_not_kept() -> None:
    body = f"""
release = threading.Event()
entered = threading.Event()

def on_message(message):
    entered.set()
    release.wait({PATIENCE})

session = connect(callbacks={{"on_message": on_message}})
session.send_client_content(turns="a")
entered.wait()
interrupted(lambda: session.ask("b"), "_hold_next")
release.set()
for _ in range(2):  # b, and the end of its turn, were on their way
    tell(answer=session.ask("c", timeout={PATIENCE}).text)
session.close()
"""
    with live_server() as url:
        outcome = interrupt(body, url)
    assert outcome.told["answer"] in ("b", "c")


def test_a_with_block_closes_the_session_on_the_way_out() -> None:
    body = """
def run():
    global session
    with connect() as session:
        list(session)

interrupted(run, "run", "_hold_next")
tell(closed=str(session.close_info), threads=threads_left())
"""
    with live_server() as url:
        outcome = interrupt(body, url)
    assert outcome.told["closed"] == "closed by client in phase 'idle' with code 1000"
    assert outcome.told["threads"] == []


def test_in_close_the_session_is_closed_all_the_same() -> None:
    body = """
session = connect()
interrupted(lambda: session.close(timeout=600), "close", "wait")
tell(closed=str(session.close_info.sent_by))
"""

    def never_answers(connection: socket.socket) -> None:
        Peer(connection).open()
        hold(connection)

    with raw_server(never_answers) as url:
        assert interrupt(body, url).told["closed"] == "client"


# Sending


LARGE = 16_000_000
"""Characters: more than the buffers of both sides hold."""
SEND = f"""
if len(sys.argv) > 2:
    client = Client(api_key="k", http_options={{"base_url": sys.argv[1], "ca_bundle": sys.argv[2]}})
session = connect()
big = "x" * {LARGE}
interrupted(lambda: session.send_client_content(turns=big), "write", "select")
print("read on", flush=True)
tell(state=repr(session), answer=session.ask("last", timeout={PATIENCE}).text)
session.close()
"""


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("trust") / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_in_the_middle_of_a_frame_the_frame_is_finished_later_and_the_session_goes_on(tls: bool, ca: str) -> None:
    """The peer does not read: half a frame is out, and cannot be taken back."""
    with (
        door(tls=tls, receive_buffer=4096) as entrance,
        start(INTERRUPT + SEND, entrance.url, *([ca] if tls else [])) as process,
    ):
        peer = entrance.accept()
        peer.open()
        assert process.stdout is not None
        assert process.stdout.readline() == "read on\n"
        arrived = [len(text_of(json.dumps(peer.read_message()))) for _ in range(2)]
        peer.send(frame(BINARY, text_part("got it")) + frame(BINARY, TURN_COMPLETE))
        peer.read_close()
        peer.send(close_frame(1000))
        stdout, stderr = process.communicate(timeout=2 * PATIENCE)
    assert stderr == ""
    told = json.loads(stdout)
    assert told["took"] >= 0
    assert (told["state"], told["answer"]) == ("<Session models/test mid-turn>", "got it")
    assert arrived == [LARGE, len("last")]


def test_in_stream_audio_the_sound_stops_and_the_session_goes_on() -> None:
    body = f"""
with connect() as session:
    interrupted(lambda: session.stream_audio(bytes(32_000 * 600)), "stream_audio", "wait")
    tell(answer=session.ask("still there", timeout={PATIENCE}).text)
"""

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for raw in connection:
            if text_of(raw):
                connection.send(text_part(text_of(raw)))
                connection.send(TURN_COMPLETE)

    with live_server(handler) as url:
        assert interrupt(body, url).told["answer"] == "still there"


def test_waiting_for_a_stream_is_interrupted_and_the_stream_goes_on() -> None:
    body = """
with connect() as session:
    stream = session.stream_audio(bytes(32_000 * 600), wait=False)
    interrupted(stream.wait, "wait")
    tell(stream=repr(stream), done=stream.done)
    stream.cancel()
    stream.wait()
"""

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for _ in connection:
            continue

    with live_server(handler) as url:
        assert interrupt(body, url).told["done"] is False


HITS = 60
STORM = f"""
if len(sys.argv) > 2:
    client = Client(api_key="k", http_options={{"base_url": sys.argv[1], "ca_bundle": sys.argv[2]}})
over = threading.Event()
armed, hits, sent, ends = False, 0, 0, []

def handler(*_):
    global armed, hits
    if armed:  # only inside a call of the library, and once for each
        armed, hits = False, hits + 1
        raise KeyboardInterrupt

def storm():
    pause, number = threading.Event(), 0
    while hits < {HITS}:  # a busy machine comes to fewer sends between two signals
        number += 1
        pause.wait(0.0005 + number % 7 / 2000)
        os.kill(os.getpid(), signal.SIGINT)
    over.set()

def send():
    global armed, sent
    armed = True
    session.send_client_content(turns=f"{{sent}} " + "x" * (sent * 977 % 60_000), turn_complete=False)
    armed = False

signal.signal(signal.SIGINT, handler)
session = connect()
threading.Thread(target=storm, daemon=True).start()
while not over.is_set():
    try:
        send()
    except KeyboardInterrupt:
        pass
    except errors.SessionClosed as error:
        armed = False
        ends.append([str(error.close_info.sent_by), error.close_info.reason])
        session = connect()
    sent += 1
armed = False
if session.close_info is not None:
    ends.append([str(session.close_info.sent_by), session.close_info.reason])
    session = connect()
tell(answer=session.ask("last", timeout={PATIENCE}).text)
session.close()
tell(hits=hits, sent=sent, ends=ends, threads=threads_left())
"""


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_storm_of_interrupts_while_sending_never_tears_a_frame(tls: bool, ca: str) -> None:
    arrived: list[list[int]] = []
    wrong: list[str] = []

    def handler(connection: ServerConnection) -> None:
        numbers: list[int] = []
        arrived.append(numbers)
        answer_setup(connection)
        try:
            for raw in connection:
                text = text_of(raw)
                if text == "last":
                    connection.send(text_part("got it"))
                    connection.send(TURN_COMPLETE)
                    continue
                number, _, filling = text.partition(" ")
                numbers.append(int(number))
                if len(filling) != int(number) * 977 % 60_000:
                    wrong.append(text)
        except ConnectionClosed as error:
            if error.sent is not None:  # this server had something to say about a frame
                wrong.append(str(error))

    with live_server(handler, tls=tls) as url:
        outcome = run(STORM, url, *([ca] if tls else []))
    assert outcome.stderr == ""
    told = outcome.told
    assert told["hits"] >= HITS
    assert told["answer"] == "got it"
    assert told["threads"] == []
    for numbers in arrived:
        assert numbers == sorted(set(numbers)), "order is kept, and nothing is sent twice"
    assert wrong == []
    # The signal may come while the socket is called; then this program has ended the session, and says so.
    expected = ("client", "writing failed: a write was interrupted")
    assert {(by, reason.partition(",")[0]) for by, reason in told["ends"]} <= {expected}


def test_answering_every_text_is_what_the_other_tests_rely_on() -> None:
    with live_server(answer_every_text) as url:
        outcome = run(f"with connect() as session: tell(answer=session.ask('a', timeout={PATIENCE}).text)", url)
    assert (outcome.told, outcome.stderr, outcome.code) == ({"answer": "a"}, "", 0)
