"""What tests hold on a running emulator: what it received, its sessions, and the raw controls."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from genai_live.emulator import LiveEmulator
from genai_live.emulator.server.received import Received, ReceivedMessage
from tests.live_wire import MLDEV, SPEECH, TEXT, Wire, content, kinds, tone, written


@pytest.fixture
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(pace=0.0, voice=False) as running:
        yield running


def item(kind: str, size: int = 10, session: int = 1) -> ReceivedMessage:
    return ReceivedMessage(kind, {kind: {}}, 0.0, session, size)


def test_received_holds_decoded_messages_in_camel_case_with_times_and_sessions(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        wire.send({"client_content": {"turn_complete": True}})
        wire.turn()
        wire.send({"realtimeInput": {"text": "Hi"}})
        wire.turn()
    with Wire(emulator.url, setup=TEXT):
        pass
    assert emulator.received.kinds() == ["setup", "clientContent", "realtimeInput.text", "setup"]
    first, second = emulator.received[0], emulator.received[1]
    assert first.message == {"setup": TEXT}
    assert second.message == {"clientContent": {"turnComplete": True}}
    assert 0 < first.at < second.at
    assert [message.session for message in emulator.received] == [1, 1, 1, 2]
    assert [message.kind for message in emulator.received.of("realtimeInput")] == ["realtimeInput.text"]
    assert len(emulator.received) == 4
    assert repr(emulator.received) == "<Received ['setup', 'clientContent', 'realtimeInput.text', 'setup']>"


def test_wait_for_waits_for_a_kind_a_count_or_a_predicate(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        found: list[ReceivedMessage] = []
        waiter = threading.Thread(target=lambda: found.append(emulator.wait_for("clientContent", count=2)))
        waiter.start()
        wire.ask("one")
        wire.ask("two")
        waiter.join()
        assert "two" in json.dumps(found[0].message)
        assert emulator.wait_for(lambda message: "one" in json.dumps(message.message)).kind == "clientContent"


def test_wait_for_says_what_came_instead(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT), pytest.raises(TimeoutError, match="it received: setup"):
        emulator.wait_for("toolResponse", timeout=0.05)


def test_received_forgets_the_oldest_beyond_its_bound() -> None:
    received = Received(keep_bytes=100)
    for _ in range(30):
        received.add(item("clientContent"))
    assert len(received) == 10
    received.add(item("setup", size=1000))
    assert received.kinds() == ["setup"]
    received.clear()
    assert not list(received)


def test_sessions_are_found_by_number_and_the_last_one_is_current(emulator: LiveEmulator) -> None:
    with pytest.raises(LookupError):
        _ = emulator.current
    with Wire(emulator.url, setup=TEXT), Wire(emulator.url, setup=SPEECH):
        assert emulator.wait_for_session(2).number == 2
        assert emulator.current.number == 2
        assert emulator.sessions[0].setup == TEXT
        assert repr(emulator.sessions[0]) == "<emulated session 1: idle>"
    with pytest.raises(TimeoutError, match="2 sessions were opened"):
        emulator.wait_for_session(3, timeout=0.05)


def test_a_session_knows_its_own_messages_and_its_state(emulator: LiveEmulator) -> None:
    with Wire(emulator.url) as first, Wire(emulator.url, setup=TEXT) as second:
        second.ask("Hello")
        assert emulator.sessions[0].state == "setup due"
        assert emulator.sessions[0].setup is None
        assert [message.kind for message in emulator.current.received] == ["setup", "clientContent"]
        assert emulator.current.wait_for("clientContent").session == 2
        first.send({"setup": TEXT})
        assert emulator.sessions[0].wait_for(lambda message: message.kind == "setup").session == 1


def test_send_message_and_send_raw_put_anything_on_the_wire(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        emulator.current.send_message({"goAway": {}})
        assert wire.read() == {"goAway": {}}
        emulator.current.send_raw(b"\x00\x01")
        emulator.current.send_raw("text")
        emulator.current.send_raw(b"also text", text=True)
        assert [wire.socket.recv(timeout=10) for _ in range(3)] == [b"\x00\x01", "text", "also text"]


def test_send_fragments_and_trickle_arrive_as_whole_messages(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        emulator.current.send_fragments({"goAway": {"timeLeft": "1s"}}, size=3)
        assert max(map(len, wire.socket.recv_streaming())) == 3
        emulator.current.trickle()
        emulator.current.go_away(7.5)
        assert wire.read() == {"goAway": {"timeLeft": "7.5s"}}
        emulator.current.trickle(False)
        assert written(wire.ask("Hello")) == "You said: Hello"


def test_a_function_call_that_a_test_sends_may_be_answered(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        emulator.current.send_message({"toolCall": {"functionCalls": [{"id": "x", "name": "f", "args": {}}]}})
        wire.read()
        wire.send({"toolResponse": {"functionResponses": [{"id": "x", "name": "f", "response": {"done": True}}]}})
        assert written(wire.turn()) == 'f answered: {"done": true}'


def test_close_and_its_answer_are_seen_from_both_sides(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        emulator.current.close(1011, "Internal error encountered.")
        assert wire.closed() == (1011, "Internal error encountered.")
        ending = emulator.current.wait_closed()
    assert (ending.code, ending.by_client) == (1011, False)
    assert emulator.current.ending == ending


def test_the_client_s_close_is_reported_with_its_code_and_reason(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        wire.socket.close(1001, "leaving")
        ending = emulator.current.wait_closed()
    assert (ending.code, ending.reason, ending.by_client) == (1001, "leaving", True)


def test_abort_is_no_close(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        emulator.current.abort()
        assert wire.closed()[0] == 1006
        assert emulator.current.wait_closed().code == 1006


@pytest.mark.waits
def test_interrupt_acts_as_the_user_would() -> None:
    with LiveEmulator(voice=False) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.send(content("Something that takes a while"))
        wire.read_until("modelTurn")
        emulator.current.interrupt()
        assert kinds(wire.turn())[-2:] == ["interrupted", "turnComplete"]


def test_write_bytes_breaks_the_protocol(emulator: LiveEmulator) -> None:
    with Wire(emulator.url, setup=TEXT) as wire:
        emulator.current.write_bytes(b"\xff\xff\xff\xff")
        assert wire.closed()[0] == 1006


@pytest.mark.waits
def test_a_client_that_does_not_read_holds_up_its_own_answer_only() -> None:
    with LiveEmulator(pace=0.0, voice=False, hears=["go"]) as emulator, Wire(emulator.url, MLDEV, SPEECH) as slow:
        slow.socket.socket.setsockopt(1, 8, 4096)
        slow.stream(tone(2.0))
        slow.send({"realtimeInput": {"audioStreamEnd": True}})
        with Wire(emulator.url, setup=TEXT) as quick:
            assert written(quick.ask("Hello")) == "You said: Hello"
        assert kinds(slow.turn())[-1] == "turnComplete"


def test_ids_and_handles_are_the_same_in_every_run() -> None:
    def handle() -> str:
        with LiveEmulator(voice=False) as emulator, Wire(emulator.url, setup={**TEXT, "sessionResumption": {}}) as wire:
            found: str = wire.read()["sessionResumptionUpdate"]["newHandle"]
            return found

    assert handle() == handle()
