"""Every kind of scenario step, watched on the wire; and what assert_complete says."""

from __future__ import annotations

import json
import threading
import wave
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from genai_live.emulator import LiveEmulator, Scenario, steps
from genai_live.emulator.script.scenario import Step
from tests.live_wire import SPEECH, TEXT, Wire, content, kinds, silence, spoken, tone, transcript, written
from tests.raw_client import CLOSE, PING, Raw, upgrade


def playing(*wanted: Step, **options: Any) -> LiveEmulator:
    """An emulator that plays one scenario for every session."""
    return LiveEmulator(pace=0.0, voice=False, scenario=Scenario(*wanted), **options)


# -- before and at setup -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503, 599])
def test_refuse_upgrade_answers_with_any_status_and_body(status: int) -> None:
    refuse = steps.RefuseUpgrade(status, '{"error": "no"}', {"Retry-After": "7"})
    with playing(refuse) as emulator:
        with pytest.raises(InvalidStatus) as caught:
            Wire(emulator.url)
        emulator.assert_complete()
    answer = caught.value.response
    assert (answer.status_code, answer.body, answer.headers["Retry-After"]) == (status, b'{"error": "no"}', "7")


@pytest.mark.waits
def test_ignore_upgrade_never_answers() -> None:
    with playing(steps.IgnoreUpgrade()) as emulator:
        with Raw(emulator.port).send(upgrade()) as raw:
            raw.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                raw.socket.recv(1)
        emulator.assert_complete()


def test_close_before_setup_is_the_first_thing_a_client_sees() -> None:
    with playing(steps.Expect("upgrade"), steps.Close(1011, "The service is currently unavailable.")) as emulator:
        with Wire(emulator.url) as wire:
            assert wire.closed() == (1011, "The service is currently unavailable.")
        emulator.assert_complete()


def test_close_in_place_of_setup_complete() -> None:
    with playing(steps.Expect("setup", message={"model": TEXT["model"]}), steps.Close(1007, "no")) as emulator:
        with Wire(emulator.url) as wire:
            wire.send({"setup": TEXT})
            assert wire.closed() == (1007, "no")
        emulator.assert_complete()


@pytest.mark.waits
def test_silence_after_setup_says_nothing_until_the_client_goes() -> None:
    with playing(steps.Expect("setup"), steps.Silence()) as emulator:
        with Wire(emulator.url) as wire:
            wire.send({"setup": TEXT})
            emulator.wait_for("setup")
            with pytest.raises(TimeoutError):
                wire.socket.recv(timeout=0.2)
        emulator.current.wait_closed()
        emulator.assert_complete()


def test_setup_complete_can_be_late_and_can_say_anything() -> None:
    late = steps.SetupComplete({"sessionId": "mine"})
    with playing(steps.Expect("setup"), steps.Wait(0.05), late) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert wire.setup_complete == {"setupComplete": {"sessionId": "mine"}}


def test_messages_can_come_before_setup_complete() -> None:
    early = steps.GoAway(10)
    with playing(steps.Expect("setup"), early, steps.SetupComplete()) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert wire.setup_complete == {"goAway": {"timeLeft": "10s"}}
        assert wire.read() == {"setupComplete": {}}


# -- a conversation ----------------------------------------------------------------------------------------------------


def test_expect_and_reply_make_a_turn() -> None:
    with playing(steps.Expect("clientContent", text="hello"), steps.Reply("Hi there", thought="Greets me.")) as emulator:
        with Wire(emulator.url, setup=TEXT) as wire:
            turn = wire.ask("Well, HELLO!")
        emulator.assert_complete()
    assert turn[0]["serverContent"]["modelTurn"]["parts"] == [{"text": "Greets me.", "thought": True}]
    assert written(turn) == "Hi there"
    assert kinds(turn)[-2:] == ["generationComplete", "turnComplete"]


def test_a_message_that_is_not_what_was_expected_fails_the_scenario_and_closes_with_1008() -> None:
    with playing(steps.Expect("clientContent", text="weather"), steps.Reply("Sunny")) as emulator:
        with Wire(emulator.url, setup=TEXT) as wire:
            wire.send(content("Hello"))
            code, reason = wire.closed()
        assert (code, reason[:9]) == (1008, "scenario:")
        with pytest.raises(AssertionError, match="expected clientContent with the text 'weather'"):
            emulator.assert_complete()


@pytest.mark.parametrize(
    ("wanted", "exact", "complaint"),
    [
        ({"turnComplete": True}, False, None),
        ({"turns": [{"parts": [{"text": "Hello"}]}]}, False, None),
        ({"turns": []}, False, "turns is"),
        ({"turnComplete": False}, False, "turnComplete is true, not false"),
        ({"turnComplete": True}, True, "nothing more in clientContent"),
        ({"other": 1}, False, "has no 'other'"),
    ],
)
def test_expect_compares_parts_or_the_whole(wanted: dict[str, Any], exact: bool, complaint: str | None) -> None:
    with playing(steps.Expect("clientContent", message=wanted, exact=exact), steps.Reply("ok")) as emulator:
        with Wire(emulator.url, setup=TEXT) as wire:
            wire.send(content("Hello"))
            if complaint is None:
                wire.turn()
                emulator.assert_complete()
                return
            wire.closed()
        with pytest.raises(AssertionError, match=complaint):
            emulator.assert_complete()


def test_expect_with_a_timeout_fails_when_nothing_comes() -> None:
    with playing(steps.Expect("clientContent", timeout=0.05)) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert wire.closed() == (1008, "scenario: no clientContent within 0.05 s")


def test_steps_that_were_not_done_are_named() -> None:
    with playing(steps.Expect("clientContent"), steps.Reply("later")) as emulator:
        with Wire(emulator.url, setup=TEXT):
            pass
        emulator.current.wait_closed()
        with pytest.raises(AssertionError, match=r"session 1: not done: Expect.*Reply"):
            emulator.assert_complete()


def test_reply_speaks_with_transcripts_when_setup_asks_for_audio(tmp_path: Path) -> None:
    path = tmp_path / "answer.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(tone(0.5, rate=24_000))
    replies = [
        steps.Reply("In tones", heard="What?"),
        steps.Reply("For a second", audio=1.0),
        steps.Reply("From a file", audio=str(path)),
        steps.Reply("From bytes", audio=tone(0.25, rate=24_000)),
    ]
    wanted = [step for reply in replies for step in (steps.Expect("clientContent"), reply)]
    with playing(*wanted) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        turns = [wire.ask("Next") for _ in replies]
    lengths = [len(b"".join(map(spoken, turn))) for turn in turns]
    assert lengths[1:] == [48_000, 24_000, 12_000]
    assert transcript(turns[0], "inputTranscription") == "What?"
    assert [transcript(turn, "outputTranscription") for turn in turns] == [reply.text for reply in replies]


def test_expect_speech_waits_for_the_end_of_an_utterance() -> None:
    with playing(steps.Expect("speech"), steps.Reply("I heard you")) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.stream(tone(0.5) + silence(0.8))
        assert transcript(wire.turn(), "outputTranscription") == "I heard you"


def test_call_tool_takes_the_response_and_goes_on() -> None:
    call = steps.CallTool("get_weather", {"city": "Paris"}, id="call-1", also=[{"name": "get_time", "args": {}, "id": "call-2"}])
    answered = steps.Expect("toolResponse", text="sunny")
    with playing(steps.Expect("clientContent"), call, answered, steps.Reply("Sunny")) as emulator:
        with Wire(emulator.url, setup=TEXT) as wire:
            wire.send(content("Weather?"))
            (message,) = wire.read_until("toolCall")
            calls = message["toolCall"]["functionCalls"]
            responses = [{"id": call["id"], "name": call["name"], "response": {"sky": "sunny"}} for call in calls]
            wire.send({"toolResponse": {"functionResponses": responses}})
            assert written(wire.turn()) == "Sunny"
        emulator.assert_complete()
    assert message["toolCall"]["functionCalls"] == [
        {"id": "call-1", "name": "get_weather", "args": {"city": "Paris"}},
        {"id": "call-2", "name": "get_time", "args": {}},
    ]


def test_cancel_calls_takes_them_back() -> None:
    script = (steps.CallTool("f", id="a"), steps.CancelCalls(), steps.Reply("Never mind"))
    with playing(*script) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert kinds(wire.turn())[:2] == ["toolCall", "toolCallCancellation"]


@pytest.mark.waits
def test_interrupt_ends_a_reply_that_runs() -> None:
    long = steps.Reply("A long story", audio=30.0, wait=False)
    scenario = Scenario(long, steps.Wait(0.5), steps.Interrupt())
    with LiveEmulator(voice=False, scenario=scenario) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        turn = kinds(wire.turn())
    assert turn[-2:] == ["interrupted", "turnComplete"]
    assert "generationComplete" not in turn


@pytest.mark.waits
def test_a_user_who_speaks_over_a_reply_interrupts_it() -> None:
    scenario = Scenario(steps.Reply("A long story", audio=30.0))
    with LiveEmulator(voice=False, scenario=scenario) as emulator, Wire(emulator.url, setup=SPEECH) as wire:
        wire.read_until("modelTurn")
        wire.stream(tone(0.3))
        assert kinds(wire.turn())[-2:] == ["interrupted", "turnComplete"]


def test_interrupt_in_idle_is_said_alone() -> None:
    with playing(steps.Interrupt()) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert wire.read() == {"serverContent": {"interrupted": True}}


def test_converse_behaves_naturally_for_some_turns_and_a_scenario_that_is_over_for_ever() -> None:
    script = (steps.Converse(1), steps.Expect("clientContent"), steps.Reply("Scripted"))
    with playing(*script) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        answers = [written(wire.ask(text)) for text in ("one", "two", "three")]
    assert answers == ["You said: one", "Scripted", "You said: three"]


# -- the connection ----------------------------------------------------------------------------------------------------


@pytest.mark.waits
def test_go_away_comes_at_its_time_beside_a_natural_conversation() -> None:
    with playing(steps.At(0.05, steps.GoAway(0.5)), steps.At(2.0, steps.Close(1008, "gone"))) as emulator:
        with Wire(emulator.url, setup=TEXT) as wire:
            said = wire.ask("Hello")
            if "goAway" not in kinds(said):  # a busy machine may take longer to answer
                said.append(wire.read())
            assert written(said) == "You said: Hello"
            assert {"goAway": {"timeLeft": "0.5s"}} in said
            assert wire.closed() == (1008, "gone")
        emulator.assert_complete()


@pytest.mark.parametrize(("resumable", "length"), [(True, 36), (False, 0)])
def test_update_sends_a_handle_or_says_that_there_is_none(resumable: bool, length: int) -> None:
    with playing(steps.Update(resumable)) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        update = wire.read()["sessionResumptionUpdate"]
    assert (update["resumable"], len(update["newHandle"])) == (resumable, length)


def test_send_sends_any_message_in_either_frame_type() -> None:
    future = {"futureThing": {"x": [1, None]}}
    with playing(steps.Send(future), steps.Send(future, text=True)) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        first, second = wire.socket.recv(timeout=10), wire.socket.recv(timeout=10)
    assert isinstance(first, bytes)
    assert isinstance(second, str)
    assert json.loads(first) == json.loads(second) == future


def test_send_raw_sends_what_it_is_given() -> None:
    with playing(steps.SendRaw("{not json"), steps.SendRaw(b"\xff")) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert [wire.socket.recv(timeout=10), wire.socket.recv(timeout=10)] == ["{not json", b"\xff"]


def test_garbage_is_no_json_and_without_a_frame_not_even_websocket() -> None:
    with playing(steps.Garbage(50)) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        data = wire.socket.recv(timeout=10)
        with pytest.raises(ValueError, match=r"utf|Expecting|unexpected"):
            json.loads(data)
        assert len(data) == 50
    with playing(steps.Garbage(50, frame=False)) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert wire.closed()[0] == 1006


def test_huge_messages_are_as_large_as_asked() -> None:
    with playing(steps.Huge(5_000_000)) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert 5_000_000 <= len(wire.socket.recv(timeout=10)) <= 5_000_300


def test_fragments_come_as_many_frames_of_one_message() -> None:
    script = (steps.Fragments(10), steps.Reply("In pieces"), steps.Fragments(0), steps.Reply("Whole"))
    with playing(*script) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        pieces = list(wire.socket.recv_streaming())
        assert max(map(len, pieces)) == 10
        assert json.loads(b"".join(pieces))["serverContent"]["modelTurn"]["parts"] == [{"text": "In pieces"}]
        wire.turn()
        assert len(list(wire.socket.recv_streaming())) == 1


@pytest.mark.waits
def test_trickle_sends_one_byte_at_a_time() -> None:
    script = (steps.Expect("setup"), steps.Trickle(), steps.SetupComplete(), steps.Close(1000, "slowly"))
    pieces = []
    with playing(*script) as emulator, Raw(emulator.port).open() as raw:
        raw.say({"setup": TEXT})
        while piece := raw.socket.recv(4096):
            pieces.append(piece)
    assert b'"setupComplete": {}' in b"".join(pieces)
    assert len(pieces) > 5, "the kernel may join a few bytes, but not all of them"


@pytest.mark.waits
def test_stop_reading_fills_the_client_s_buffers_until_it_reads_again() -> None:
    sent = threading.Event()
    with LiveEmulator(voice=False) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        emulator.current.stop_reading()
        sender = threading.Thread(target=lambda: (wire.send(content("x" * 12_000_000)), sent.set()))
        sender.start()
        assert not sent.wait(0.3), "twelve megabytes do not fit into the buffers of a loopback connection"
        emulator.current.resume_reading()
        assert sent.wait(10)
        sender.join()
        emulator.wait_for("clientContent")


@pytest.mark.waits
def test_a_scenario_that_stops_reading_holds_the_client_up() -> None:
    failed = threading.Event()
    with playing(steps.StopReading(), steps.Silence()) as emulator, Wire(emulator.url, setup=TEXT) as wire:

        def send() -> None:
            with pytest.raises(ConnectionClosed):
                for _ in range(100):
                    wire.send(content("x" * 12_000_000))
            failed.set()

        sender = threading.Thread(target=send)
        sender.start()
        with pytest.raises(TimeoutError):
            emulator.wait_for("clientContent", timeout=0.3)
        assert not failed.is_set()
        emulator.stop()
        sender.join()


def test_a_scenario_can_stop_reading_for_a_while() -> None:
    script = (steps.StopReading(), steps.Wait(0.05), steps.ResumeReading(), steps.Expect("clientContent"), steps.Reply("Read"))
    with playing(*script) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        assert written(wire.ask("Hello")) == "Read"


def test_ping_is_a_ping_frame_between_the_messages() -> None:
    with playing(steps.Ping(), steps.Reply("still here")) as emulator, Raw(emulator.port).open(TEXT) as raw:
        assert raw.read() == (PING, b"emulator", True)
        assert b"still here" in raw.read().payload


@pytest.mark.parametrize("phase", ["upgrade", "setup", "clientContent"])
def test_close_and_abort_work_in_any_phase(phase: str) -> None:
    for last, seen in ((steps.Close(1011, "Internal error encountered."), 1011), (steps.Abort(), 1006)):
        with playing(steps.Expect(phase), last) as emulator:
            with Wire(emulator.url) as wire:
                if phase != "upgrade":
                    wire.send({"setup": TEXT})
                if phase == "clientContent":
                    wire.send(content("Hello"))
                assert wire.closed()[0] == seen
            emulator.assert_complete()


@pytest.mark.waits
@pytest.mark.parametrize("last", [steps.Close(1011, "Deadline expired before operation could complete."), steps.Abort()])
@pytest.mark.parametrize(
    ("before", "seen"),
    [
        ([steps.Reply("A long story", audio=30.0, wait=False), steps.Wait(0.4)], "modelTurn"),
        ([steps.CallTool("f")], "toolCall"),
        ([steps.Reply("Played for a while", audio=3.0, wait=False), steps.Wait(1.0)], "generationComplete"),
        ([steps.Fragments(7), steps.Update()], "sessionResumptionUpdate"),
        ([steps.GoAway(1.0)], "goAway"),
    ],
)
def test_close_and_abort_work_while_something_is_going_on(before: list[Step], seen: str, last: Step) -> None:
    script = Scenario(*before, last)
    with LiveEmulator(voice=False, scenario=script) as emulator:
        with Wire(emulator.url, setup=SPEECH) as wire:
            wire.read_until(seen)
            expected = (last.code, last.reason) if isinstance(last, steps.Close) else (1006, "")
            assert wire.closed() == expected
        emulator.assert_complete()


def test_a_close_may_have_no_code() -> None:
    with playing(steps.Close(1005)) as emulator, Raw(emulator.port).open(TEXT) as raw:
        assert raw.read() == (CLOSE, b"", True)


def test_thoughts_are_counted_apart_from_the_total() -> None:
    with playing(steps.Reply("Hi", thought="The user greets me.")) as emulator, Wire(emulator.url, setup=TEXT) as wire:
        usage = wire.turn()[-1]["usageMetadata"]
    assert usage["thoughtsTokenCount"] == 5
    assert usage["promptTokenCount"] + usage["responseTokenCount"] == usage["totalTokenCount"]


@pytest.mark.parametrize("step", [steps.Reply("x", audio="gone.wav"), steps.SetupComplete({"x": b""}), steps.Send({"x": {1}})])
def test_a_step_that_cannot_be_done_fails_the_scenario_and_nothing_else(step: Step, caplog: pytest.LogCaptureFixture) -> None:
    with playing(steps.Expect("clientContent"), step) as emulator:
        for number in (1, 2):
            with Wire(emulator.url) as wire:
                wire.send({"setup": SPEECH})
                wire.send(content("Go"))
                code, reason = wire.closed()
                assert (code, reason[:9]) == (1008, "scenario:")
            assert len(emulator.failures) == number
    assert not caplog.records


def test_expect_close_waits_for_the_client_to_go() -> None:
    with playing(steps.Expect("close")) as emulator:
        with Wire(emulator.url, setup=TEXT):
            pass
        emulator.current.wait_closed()
        emulator.assert_complete()


# -- scripts -----------------------------------------------------------------------------------------------------------


def test_a_list_of_scenarios_is_one_for_each_session_and_then_natural() -> None:
    script = [Scenario(steps.RefuseUpgrade(503)), Scenario(steps.Expect("clientContent"), steps.Reply("Second"))]
    with LiveEmulator(pace=0.0, voice=False, scenario=script) as emulator:
        with pytest.raises(InvalidStatus):
            Wire(emulator.url)
        answers = []
        for _ in range(2):
            with Wire(emulator.url, setup=TEXT) as wire:
                answers.append(written(wire.ask("Hello")))
        assert answers == ["Second", "You said: Hello"]
        emulator.assert_complete()


def test_a_scenario_that_had_no_session_is_not_complete() -> None:
    with playing(steps.Reply("x")) as emulator, pytest.raises(AssertionError, match="1 of 1 scenarios had no session"):
        emulator.assert_complete()
