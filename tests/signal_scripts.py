"""Scripts whose signal handlers raise, or send, while the main thread is in the library; each in a process of its own.

The suite runs them small (tests/test_signals.py), ``python -m soak signals`` at their full size.
"""

from __future__ import annotations

import itertools
import json
import threading
import time

from websockets.sync.server import ServerConnection

from tests.processes import Outcome, run
from tests.servers import PATIENCE, TURN_COMPLETE, answer_setup, live_server, text_of, text_part

RAISING = """
import genai_live
LIBRARY = os.path.dirname(genai_live.__file__)
hits, most = 0, float("inf")

class Alarm(Exception):
    pass

def in_library(frame):
    inside = False
    while frame is not None:
        inside = inside or frame.f_code.co_filename.startswith(LIBRARY)
        if frame.f_code.co_name == "note":  # it has the message, and asks the library what it says
            return False
        frame = frame.f_back
    return inside

def handler(_, frame):
    global hits
    if hits < most and in_library(frame):  # what this script has in its hands is not the library's to lose
        hits += 1
        raise (Alarm, KeyboardInterrupt)[hits % 2]("struck")

signal.signal(signal.SIGALRM, handler)
"""

WAYS = {
    "receive": """
def some():
    for message in session.receive(timeout=PATIENCE):
        note(message)
    return True
""",
    "iteration": """
def some():
    for message in session:
        note(message)
        if message.server_content.turn_complete:
            return True
""",
    "collect": """
def some():
    for message in session.collect(timeout=PATIENCE).messages:
        note(message)
    return True
""",
    "ask": """
def some():
    asked = session.stats.messages_sent > 1
    turn = session.collect(timeout=PATIENCE) if asked else session.ask("numbers", timeout=PATIENCE)
    for message in turn.messages:
        note(message)
    return True
""",
}

LOSING = """
numbers, before = [], float(sys.argv[2])
if sys.argv[4] in ("collect", "ask"):
    most = 60  # each try puts the turn together from its beginning, and has to come to its end at last

def note(message):
    if message.text is not None:
        numbers.append(int(message.text))

session = connect(callbacks={"on_message": lambda message: None} if sys.argv[3] == "callback" else None)
if sys.argv[4] != "ask":
    session.ask("is anybody there?", timeout=PATIENCE)  # a session from which nobody has received yet keeps less
    session.send_text("numbers")
signal.setitimer(signal.ITIMER_REAL, before, 0.0007)
over = False
while not over:
    try:
        over = some()
    except (Alarm, KeyboardInterrupt):
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
stats = session.stats
tell(hits=hits, numbers=numbers, left=[stats.waiting_messages, stats.waiting_bytes], forgotten=stats.forgotten)
turn = session.ask("last", timeout=PATIENCE)
tell(last=turn.text, questions=turn.questions)
session.close()
"""


def struck(way: str, count: int, *, callback: bool = False) -> Outcome:
    """``count`` numbered messages of one turn, received in one ``way`` under an alarm every 0.7 ms that raises."""

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for raw in connection:
            if text_of(raw) == "numbers":
                for number in range(count):
                    connection.send(text_part(str(number)))
            else:
                connection.send(text_part("got it"))
            connection.send(TURN_COMPLETE)

    body = f"PATIENCE = {PATIENCE}\n" + RAISING + WAYS[way] + LOSING
    with live_server(handler) as url:
        return run(body, url, "0.02" if way == "ask" else "0.0007", "callback" if callback else "none", way)


SENDING = """
refused, ticks, longest = [], 0, 0.0

def handler(*_):
    global ticks, longest
    ticks, began = ticks + 1, time.monotonic()
    try:
        session.send_realtime_input(text=f"tick {ticks}")
    except errors.LiveError as error:
        refused.append([ticks, f"{type(error).__name__}: {error}"])
    longest = max(longest, time.monotonic() - began)
    signal.setitimer(signal.ITIMER_REAL, 0.002)

client = Client(api_key="k", http_options={"base_url": sys.argv[1], "write_timeout": 10.0})
session = connect()
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.002)
sent = 0
while ticks < int(sys.argv[2]):
    session.send_client_content(turns=f"main {sent} " + "x" * (sent * 977 % 30_000), turn_complete=False)
    sent += 1
signal.signal(signal.SIGALRM, signal.SIG_IGN)
tell(ticks=ticks, sent=sent, refused=refused, longest=longest, closed=str(session.close_info or ""))
tell(last=session.ask("last", timeout=60).text)
session.close()
"""


def sending_handler(ticks: int) -> tuple[Outcome, dict[str, list[int]], list[str]]:
    """A handler that sends ``ticks`` times while the main thread sends; what arrived of both, and what arrived torn."""
    arrived: dict[str, list[int]] = {"tick": [], "main": []}
    torn: list[str] = []

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for raw in connection:
            words = text_of(raw).split(" ")
            if words == ["last"]:
                connection.send(text_part("got it"))
                connection.send(TURN_COMPLETE)
                continue
            arrived[words[0]].append(int(words[1]))
            if words[0] == "main" and len(words[2]) != int(words[1]) * 977 % 30_000:
                torn.append(str(json.loads(raw))[:100])

    with live_server(handler) as url:
        return run(SENDING, url, str(ticks)), arrived, torn


CONNECTING = """
import random
chance, connected, interrupted, failed = random.Random(1), 0, 0, []

def descriptors():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

connect().close()
before = descriptors()
for _ in range(int(sys.argv[2])):
    session = None
    try:
        try:
            most = float("inf")
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.004))
            session = connect()
        finally:
            most = 0  # an alarm may be delivered late, to whichever thread runs next
            signal.setitimer(signal.ITIMER_REAL, 0)
        connected += 1
    except (Alarm, KeyboardInterrupt):
        interrupted += 1
    except errors.ConnectError as error:
        failed.append(str(error))
    if session is not None:
        session.close()
ends = time.monotonic() + 5
while (left := [each.name for each in threading.enumerate() if each.name.startswith("genai-live")]) and time.monotonic() < ends:
    time.sleep(0.01)  # the last one may be about to run
for _ in range(100):
    if descriptors() <= before:
        break
    time.sleep(0.05)
tell(connected=connected, interrupted=interrupted, failed=failed, threads=left, descriptors=[before, descriptors()])
"""


def interrupted_connects(times: int) -> tuple[Outcome, int]:
    """``times`` connects under an alarm that raises; how it ended, and how many connections the server still had 5 s later."""
    open_now = [0]
    lock = threading.Lock()

    def handler(connection: ServerConnection) -> None:
        with lock:
            open_now[0] += 1
        try:
            answer_setup(connection)
            for _ in connection:
                continue
        finally:
            with lock:
                open_now[0] -= 1

    with live_server(handler) as url:
        outcome = run(RAISING + CONNECTING, url, str(times))
        ends, pause = time.monotonic() + 5.0, threading.Event()
        while open_now[0] and time.monotonic() < ends:
            pause.wait(0.01)
        return outcome, open_now[0]


def lost_in(outcome: Outcome, count: int) -> tuple[int, int]:
    """Numbers that are missing, and numbers that came twice or out of order."""
    numbers: list[int] = outcome.told.get("numbers", [])
    twice = sum(1 for one, other in itertools.pairwise(numbers) if other <= one)
    return len(set(range(count)) - set(numbers)), twice
