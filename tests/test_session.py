"""The session as a user holds it, against scripted servers over real sockets."""

from __future__ import annotations

import base64
import json
import os
import threading
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from genai_live import Client, LiveCallbacks, Session, errors, types
from tests.raw_peer import beside
from tests.servers import (
    MODEL,
    PATIENCE,
    SETUP_COMPLETE,
    TURN_COMPLETE,
    answer_setup,
    client_of,
    live_server,
    message,
    session_with,
    text_part,
    wait_until_closed,
)
from tests.waiting import until


def sends(*messages: bytes | str, then: Any = wait_until_closed) -> Any:
    """A server that answers setup, sends these messages, and waits for the client to leave."""

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for each in messages:
            connection.send(each)
        then(connection)

    return handler


def closes(code: int, reason: str = "") -> Any:
    return lambda connection: connection.close(code, reason)


# Turns


def test_ask_sends_a_question_and_returns_the_whole_turn() -> None:
    with session_with() as session:
        assert session.ask("Hello", timeout=PATIENCE).text == "Hello"
        assert session.ask("again", timeout=PATIENCE).text == "again"


def test_receive_yields_messages_up_to_the_end_of_the_turn_and_the_next_call_goes_on() -> None:
    with session_with(sends(text_part("a"), text_part("b"), TURN_COMPLETE, text_part("c"), TURN_COMPLETE)) as session:
        assert [received.text for received in session.receive(PATIENCE)] == ["a", "b", None]
        assert [received.text for received in session.receive(PATIENCE)] == ["c", None]


def test_an_interaction_in_progress_keeps_the_turn_open_beside_turn_complete_and_idle_ends_it() -> None:
    in_progress = message(serverContent={"turnComplete": True, "interactionStatus": "IN_PROGRESS"})
    idle = message(interactionStatus="IDLE", serverContent={})
    with session_with(sends(text_part("a"), in_progress, text_part("b"), idle, text_part("next"))) as session:
        assert session.collect(PATIENCE).text == "ab"


def test_a_session_that_never_completes_a_turn_does_not_hang_a_caller_with_a_timeout() -> None:
    with session_with(sends(text_part("a"))) as session:
        until(lambda: session.stats.waiting_messages == 1)
        with pytest.raises(TimeoutError) as raised:
            session.collect(0.1)
        assert [received.text for received in raised.value.messages] == ["a"]  # type: ignore[attr-defined]
        assert session.close_info is None


def test_a_timeout_holds_for_the_whole_turn_even_while_messages_keep_coming() -> None:
    stop = threading.Event()

    def chatter(connection: ServerConnection) -> None:
        while not stop.wait(0.05):
            connection.send(text_part("."))

    with session_with(sends(then=chatter)) as session:
        with pytest.raises(errors.ReceiveTimeout):
            for _ in session.receive(timeout=0.5):
                continue
        stop.set()


def test_a_turn_holds_text_thoughts_speech_transcripts_tool_calls_and_usage() -> None:
    speech = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AAABAA=="}}
    frames = [
        message(serverContent={"modelTurn": {"parts": [{"text": "hm", "thought": True}, {"text": "Hi"}, speech]}}),
        message(serverContent={"inputTranscription": {"text": "hel"}, "outputTranscription": {"text": "Hi "}}),
        message(serverContent={"inputTranscription": {"text": "lo"}, "outputTranscription": {"text": "you"}}),
        message(toolCall={"functionCalls": [{"id": "1", "name": "f", "args": {"x": 1}}, {"id": "2", "name": "g"}]}),
        message(toolCallCancellation={"ids": ["2"]}),
        message(serverContent={"turnComplete": True, "interrupted": True}, usageMetadata={"totalTokenCount": 7}),
    ]
    with session_with(sends(*frames)) as session:
        until(lambda: session.stats.messages_received == 1 + len(frames))  # the call is cancelled before anybody can answer it
        turn = session.collect(PATIENCE)
        assert (turn.text, turn.thoughts) == ("Hi", "hm")
        assert (turn.audio.data, turn.audio.rate) == (b"\0\0\1\0", 24_000)
        assert turn.transcripts == ("hello", "Hi you")
        assert [(call.name, call.args) for call in turn.tool_calls] == [("f", {"x": 1})]
        assert turn.usage is not None
        assert turn.usage.total_token_count == 7
        assert turn.interrupted


def test_usage_is_summed_over_turns_and_modalities() -> None:
    report = {"totalTokenCount": 5, "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 3}]}
    frames = [message(serverContent={"turnComplete": True}, usageMetadata=report)] * 2
    with session_with(sends(*frames)) as session:
        session.collect(PATIENCE)
        session.collect(PATIENCE)
        assert session.usage is not None
        assert session.usage.total_token_count == 10
        assert [(d.modality, d.token_count) for d in session.usage.response_tokens_details or ()] == [("AUDIO", 6)]


def test_modalities_that_a_server_makes_up_are_summed_as_unspecified_ones() -> None:
    reports = [[{"modality": f"KIND_{number}", "tokenCount": 1} for number in range(start, start + 50)] for start in (0, 50)]
    frames = [message(serverContent={"turnComplete": True}, usageMetadata={"responseTokensDetails": each}) for each in reports]
    with session_with(sends(*frames)) as session:
        session.collect(PATIENCE)
        session.collect(PATIENCE)
        assert session.usage is not None
        details = session.usage.response_tokens_details or []
        assert len(details) < 50
        assert sum(detail.token_count or 0 for detail in details) == 100


@pytest.mark.parametrize(("vertexai", "count"), [(False, 2), (True, 3)])
def test_of_a_report_that_names_its_counts_twice_the_backends_own_are_summed(vertexai: bool, count: int) -> None:
    report = {"candidatesTokenCount": 3, "responseTokenCount": 2}
    frames = [message(serverContent={"turnComplete": True}, usageMetadata=report)] * 2
    with live_server(sends(*frames)) as url:
        client = Client("a-key", vertexai=vertexai, http_options={"base_url": url})
        with client.live.connect(model="emulator") as session:
            turns = [session.collect(PATIENCE) for _ in range(2)]
            assert session.usage is not None
            assert session.usage.response_token_count == 2 * count
    assert [turn.usage.response_token_count for turn in turns if turn.usage] == [count, count]


# Setup


def test_frames_before_and_with_setup_complete_are_kept_in_order() -> None:
    def handler(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(text_part("early"))
        connection.send(message(setupComplete={"sessionId": "s1"}, serverContent={"modelTurn": {"parts": [{"text": "with"}]}}))
        connection.send(TURN_COMPLETE)
        wait_until_closed(connection)

    with session_with(handler) as session:
        assert session.session_id == "s1"
        assert session.collect(PATIENCE).text == "earlywith"


def test_text_frames_binary_frames_and_fragments_are_all_understood() -> None:
    parts = [b'{"serverContent": {"modelTurn": {"parts": [{"te', b'xt": "frag', b'ments"}]}}}']

    def handler(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(SETUP_COMPLETE.decode())
        connection.send(text_part("text ").decode())
        connection.send(iter(parts))
        connection.send(TURN_COMPLETE)
        wait_until_closed(connection)

    with session_with(handler) as session:
        assert session.collect(PATIENCE).text == "text fragments"


def test_an_undecodable_message_is_an_event_and_the_session_goes_on() -> None:
    seen: list[errors.LiveError] = []
    with session_with(sends(b"{not json", b"[]", text_part("on"), TURN_COMPLETE), callbacks={"on_error": seen.append}) as session:
        received = list(session.receive(PATIENCE))
        assert [each.decode_error.size for each in received if each.decode_error] == [9, 2]
        assert [each.text for each in received if each.text] == ["on"]
        assert session.stats.undecodable == 2
        assert all(isinstance(error, errors.DecodeError) for error in seen)


# Sending


def received_by_server(send: Any, *, count: int = 1, tls: bool = False) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    done = threading.Event()

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for raw in connection:
            assert isinstance(raw, str), "client messages are text frames"
            seen.append(json.loads(raw))
            if len(seen) == count:
                done.set()

    with session_with(handler, tls=tls) as session:
        send(session)
        assert done.wait(PATIENCE)
    return seen


def test_client_content_is_sent_with_turn_complete_by_default() -> None:
    (sent,) = received_by_server(lambda session: session.send_client_content(turns="Hi"))
    assert sent == {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi"}]}], "turnComplete": True}}


def test_audio_goes_out_with_its_rate_and_as_base64() -> None:
    blob = types.Blob(data=b"\1\2", mime_type="audio/pcm;rate=8000")
    (sent,) = received_by_server(lambda session: session.send_realtime_input(audio=blob))
    assert sent == {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=8000", "data": "AQI="}}}


@pytest.mark.parametrize("tls", [False, True])
def test_long_sounds_and_texts_of_two_threads_arrive_whole(tls: bool) -> None:
    """They are encoded and masked while they are written, piece by piece, and no other frame may come between the pieces."""
    sound, text = os.urandom(1_500_000), "ü" * 400_000

    def send(session: Session) -> None:
        texts = beside(lambda: [session.send_realtime_input(text=text) for _ in range(3)])
        for _ in range(3):
            session.send_realtime_input(audio=sound)
        texts.result(PATIENCE)

    arrived = [each["realtimeInput"] for each in received_by_server(send, count=6, tls=tls)]
    sounds = [base64.b64decode(each["audio"]["data"]) for each in arrived if "audio" in each]
    assert sounds == [sound] * 3
    assert [each["text"] for each in arrived if "text" in each] == [text] * 3


def test_a_tool_response_settles_the_call() -> None:
    answered = threading.Event()

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        connection.send(message(toolCall={"functionCalls": [{"id": "7", "name": "f", "args": {}}]}))
        assert json.loads(connection.recv())["toolResponse"]["functionResponses"][0]["id"] == "7"
        answered.set()
        connection.send(TURN_COMPLETE)
        wait_until_closed(connection)

    with session_with(handler) as session:
        for received in session.receive(PATIENCE):
            for call in received.tool_call.function_calls or () if received.tool_call else ():
                assert repr(session) == f"<Session {MODEL} tool pending>"
                session.send_tool_response(
                    function_responses=types.FunctionResponse(id=call.id, name=call.name, response={"ok": 0})
                )
        assert answered.wait(PATIENCE)
        assert repr(session) == f"<Session {MODEL} idle>"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"text": "a", "audio": b"\0\0"},
        {"audio": b"\0\0\0"},
        {"audio": {"data": "text", "mime_type": "audio/pcm;rate=16000"}},
        {"audio": {"data": b"\0\0", "mime_type": "image/png"}},
        {"video": {"data": b"\0\0", "mime_type": "audio/pcm"}},
    ],
)
def test_a_wrong_realtime_input_is_refused_before_anything_is_sent(arguments: dict[str, Any]) -> None:
    def send(session: Any) -> None:
        with pytest.raises(errors.ConfigError):
            session.send_realtime_input(**arguments)
        session.send_realtime_input(text="first")

    assert received_by_server(send) == [{"realtimeInput": {"text": "first"}}]


# Callbacks


def test_callbacks_see_open_every_message_in_order_and_close_once() -> None:
    seen: list[Any] = []
    closed = threading.Event()
    callbacks = {
        "onopen": lambda: seen.append("open"),
        "onmessage": lambda received: seen.append(received.text),
        "onclose": lambda info: (seen.append(info.code), closed.set()),
    }
    with session_with(sends(*map(text_part, "abc"), then=closes(1000)), callbacks=callbacks):
        assert closed.wait(PATIENCE)
    assert seen == ["open", "a", "b", "c", 1000]


def test_a_callback_that_raises_is_reported_and_the_session_lives_on(caplog: pytest.LogCaptureFixture) -> None:
    reported: list[errors.LiveError] = []

    def fails(received: types.LiveServerMessage) -> None:
        raise ZeroDivisionError(received.text)

    callbacks = LiveCallbacks(on_message=fails, on_error=reported.append)
    with session_with(callbacks=callbacks) as session:
        assert session.ask("Hello", timeout=PATIENCE).text == "Hello"
        assert session.stats.callback_errors >= 1
    assert isinstance(reported[0], errors.CallbackError)
    assert isinstance(reported[0].__cause__, ZeroDivisionError)
    assert "ZeroDivisionError" in caplog.text


def test_a_callback_may_send_and_close() -> None:
    closed = threading.Event()
    held: list[Any] = []
    ready = threading.Event()

    def on_message(received: types.LiveServerMessage) -> None:
        ready.wait(PATIENCE)
        if received.text == "first":
            held[0].send_client_content(turns="second")
        elif received.text == "second":
            held[0].close()

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        connection.send(text_part("first"))
        connection.send(text_part(json.loads(connection.recv())["clientContent"]["turns"][0]["parts"][0]["text"]))
        wait_until_closed(connection)

    callbacks = {"on_message": on_message, "on_close": lambda info: closed.set()}
    with session_with(handler, callbacks=callbacks) as session:
        held.append(session)
        ready.set()
        assert closed.wait(PATIENCE)
        assert session.close_info is not None
        assert session.close_info.sent_by is errors.SentBy.CLIENT


@pytest.mark.parametrize("call", ["receive", "collect", "ask"])
def test_receiving_in_a_callback_is_refused_with_a_sentence(call: str) -> None:
    held: list[Any] = []
    raised: list[BaseException] = []
    ready, done = threading.Event(), threading.Event()

    def on_message(received: types.LiveServerMessage) -> None:
        ready.wait(PATIENCE)
        try:
            getattr(held[0], call)(*(["Hello"] if call == "ask" else []))
        except errors.WrongThread as error:
            raised.append(error)
        done.set()

    with session_with(sends(text_part("a")), callbacks={"on_message": on_message}) as session:
        held.append(session)
        ready.set()
        assert done.wait(PATIENCE)
    assert "callback" in str(raised[0])


# Threads


def test_a_second_receiver_is_told_so_and_the_first_goes_on() -> None:
    release, taken = threading.Event(), threading.Event()

    def says_one_word(connection: ServerConnection) -> None:
        release.wait(PATIENCE)
        connection.send(text_part("one"))
        wait_until_closed(connection)

    def first() -> list[str | None]:
        texts = []
        for received in session:
            texts.append(received.text)
            taken.set()
        return texts

    with session_with(sends(then=says_one_word)) as session:
        receiving = beside(first)
        until(lambda: session._connection.inbox.is_taken)  # nothing else tells that a thread waits already
        with pytest.raises(errors.WrongThread, match="another thread"):
            session.collect(PATIENCE)
        release.set()
        assert taken.wait(PATIENCE)
        session.close()
        assert receiving.result(PATIENCE) == ["one"]


def test_eight_threads_send_at_once_over_tls_and_nothing_is_lost_or_changed() -> None:
    senders, each = 8, 60
    arrived: list[str] = []
    complete = threading.Event()

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for raw in connection:
            arrived.append(json.loads(raw)["realtimeInput"]["text"])
            connection.send(text_part("x" * 3000))
            if len(arrived) == senders * each:
                complete.set()

    with session_with(handler, tls=True) as session:

        def send(name: int) -> None:
            for number in range(each):
                session.send_realtime_input(text=f"{name}:{number}:" + "y" * (number * 37 % 5000))

        threads = [threading.Thread(target=send, args=(name,)) for name in range(senders)]
        for thread in threads:
            thread.start()
        got = 0
        for received in session:
            got += received.text == "x" * 3000
            if got == senders * each:
                break
        for thread in threads:
            thread.join(PATIENCE)
        assert complete.wait(PATIENCE)
    for name in range(senders):
        mine = [int(text.split(":")[1]) for text in arrived if text.startswith(f"{name}:")]
        assert mine == list(range(each))


# Ends


def test_after_our_own_close_iteration_ends_quietly_again_and_again() -> None:
    with session_with(sends(text_part("a"))) as session:
        messages = iter(session)
        assert next(messages).text == "a"
        session.close()
        assert list(messages) == []
        assert list(session) == []


def test_our_own_close_ends_receive_quietly_once_and_then_asks_for_a_new_session() -> None:
    with session_with(sends()) as session:
        session.close()
        assert list(session.receive()) == []
        with pytest.raises(errors.SessionClosed, match="this program closed it"):
            list(session.receive())
        with pytest.raises(errors.SessionClosed):
            session.collect()


def test_a_clean_close_in_the_middle_of_a_turn_is_an_error_for_every_observer() -> None:
    with session_with(sends(text_part("half"), then=closes(1000, "The operation was cancelled."))) as session:
        messages = iter(session)
        assert next(messages).text == "half"
        observers = [lambda: next(messages), lambda: list(session), session.collect, lambda: list(session.receive())]
        observers += [lambda: session.send_client_content(turns="x"), lambda: session.send_realtime_input(audio=b"\0\0")]
        for observe in observers * 2:
            with pytest.raises(errors.ClosedByServer) as raised:
                observe()
            assert raised.value.close_info == session.close_info
        assert session.close_info == errors.CloseInfo(
            1000, "The operation was cancelled.", errors.SentBy.SERVER, errors.Phase.TURN, turn_open=True
        )


def test_a_clean_close_between_turns_ends_iteration_quietly() -> None:
    with session_with(sends(text_part("a"), TURN_COMPLETE, then=closes(1000))) as session:
        assert [received.text for received in session] == ["a", None]
        assert session.close_info is not None
        assert session.close_info.clean


def test_close_returns_in_time_when_the_server_never_answers() -> None:
    release = threading.Event()
    with session_with(sends(then=lambda connection: release.wait(PATIENCE))) as session:
        done = threading.Event()
        threading.Thread(target=lambda: (session.close(timeout=0.2), done.set()), daemon=True).start()
        assert done.wait(PATIENCE)
        assert list(session) == []
        release.set()


def test_finish_delivers_what_is_still_coming() -> None:
    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        assert "audio" in json.loads(connection.recv())["realtimeInput"]
        assert json.loads(connection.recv()) == {"realtimeInput": {"audioStreamEnd": True}}
        for text in "abc":
            connection.send(text_part(text))
        connection.send(TURN_COMPLETE)
        wait_until_closed(connection)

    with session_with(handler) as session:
        session.send_realtime_input(audio=b"\0\0")
        session.finish(timeout=PATIENCE)
        assert session.collect().text == "abc"


def test_two_hundred_sessions_leave_no_thread_and_no_descriptor() -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("descriptors are counted in /proc")

    def own_threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("genai-live")]

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with live_server() as url:
        client = client_of(url)
        client.live.connect(model=MODEL).close()  # the server has all its descriptors from now on
        before = descriptors()
        for _ in range(200):
            client.live.connect(model=MODEL).close()
        until(lambda: not own_threads())
        until(lambda: descriptors() <= before)  # the server's sockets are of this process too, and may still be ending


@pytest.mark.parametrize(
    ("mime_type", "data"), [("audio/pcm;rate=0", "AAABAA=="), ("audio/pcm;rate=24000", "AAABAAU="), ("audio/pcm", "AAABAAU=")]
)
def test_a_slip_in_the_servers_sound_costs_no_turn(mime_type: str, data: str) -> None:
    """A rate that is none, and half a sample at the end."""
    speech = {"inlineData": {"mimeType": mime_type, "data": data}}
    with session_with(sends(message(serverContent={"modelTurn": {"parts": [speech]}}), TURN_COMPLETE)) as session:
        turn = session.collect(timeout=PATIENCE)
        assert (turn.audio.data, turn.audio.rate) == (b"\0\0\1\0", 24_000)
