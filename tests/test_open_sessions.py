"""A client knows its open sessions, and ends them all within one limit."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref

import pytest
from websockets.sync.server import ServerConnection

from genai_live import Client
from genai_live.callbacks import LiveCallbacks
from genai_live.errors import ConfigError
from genai_live.types import LiveServerMessage
from tests.servers import MODEL, PATIENCE, TURN_COMPLETE, Handler, answer_setup, client_of, live_server, text_part
from tests.waiting import until


def holds_back(answer: threading.Event) -> Handler:
    """A server that answers each text when the event says so, and until then nothing."""

    def handler(connection: ServerConnection) -> None:
        answer_setup(connection)
        for _ in connection:
            answer.wait(PATIENCE)
            connection.send(text_part("late"))
            connection.send(TURN_COMPLETE)

    return handler


def test_a_client_knows_the_sessions_that_are_open_in_the_order_in_which_they_were_opened() -> None:
    with live_server() as url:
        client, other = client_of(url), client_of(url)
        assert client.sessions == ()
        with client.live.connect(model=MODEL) as first, client.live.connect(model=MODEL) as second:
            assert client.sessions == client.live.sessions == (first, second)
            assert other.sessions == ()
            first.close()
            assert client.sessions == (second,)
        assert client.sessions == ()


def test_a_music_session_is_one_of_the_clients_sessions() -> None:
    with live_server() as url:
        client = client_of(url)
        with client.live.music.connect(model=MODEL) as music:
            assert client.sessions == (music,)
            client.finish(timeout=PATIENCE)
            assert music.close_info is not None


def test_a_client_keeps_no_session_alive() -> None:
    with live_server() as url:
        client = client_of(url)
        session = client.live.connect(model=MODEL)
        gone = weakref.ref(session)
        session.close()
        del session
        gc.collect()
        assert gone() is None


def test_a_client_keeps_no_session_alive_that_its_callbacks_know() -> None:
    class Owner:
        """As a conversation does: its session calls it, and it has the session."""

        def __init__(self, client: Client) -> None:
            self.session = client.live.connect(model=MODEL, callbacks=LiveCallbacks(on_message=self.take))

        def take(self, message: LiveServerMessage) -> None: ...

    def is_gone() -> bool:
        gc.collect()
        return gone() is None

    with live_server() as url:
        client = client_of(url)
        owner = Owner(client)
        gone = weakref.ref(owner)
        owner.session.close()
        del owner
        until(is_gone)


def test_finish_lets_all_answers_arrive_side_by_side_and_closes_every_session() -> None:
    answer = threading.Event()
    with live_server(holds_back(answer)) as url:
        client = client_of(url)
        sessions = [client.live.connect(model=MODEL) for _ in range(3)]
        for session in sessions:
            session.send_client_content(turns="Hi")
        finishing = threading.Thread(target=client.finish, args=(PATIENCE,))
        finishing.start()
        until(lambda: len([thread for thread in threading.enumerate() if thread.name == "genai-live-finish"]) == 3)
        answer.set()
        finishing.join(PATIENCE)
        assert client.sessions == ()
        assert [session.collect(PATIENCE).text for session in sessions] == ["late"] * 3


@pytest.mark.waits
def test_finish_keeps_to_one_limit_for_all_sessions() -> None:
    never = threading.Event()
    with live_server(holds_back(never)) as url:
        client = client_of(url)
        sessions = [client.live.connect(model=MODEL) for _ in range(4)]
        for session in sessions:
            session.send_client_content(turns="Hi")
        began = time.monotonic()
        client.finish(timeout=0.5)
        assert time.monotonic() - began < 4 * 0.5
        assert all(session.close_info is not None for session in sessions)
        never.set()


def test_finish_in_a_callback_closes_that_session_at_once() -> None:
    finished = threading.Event()
    with live_server() as url:
        client = client_of(url)

        def on_message(_: object) -> None:
            client.finish(timeout=PATIENCE)
            finished.set()

        with client.live.connect(model=MODEL, callbacks={"on_message": on_message}) as session:
            session.send_client_content(turns="Hi")
            assert finished.wait(PATIENCE)
            until(lambda: session.close_info is not None)


def test_finish_without_sessions_returns_and_refuses_what_is_no_limit() -> None:
    client = Client("key")
    client.finish()
    with pytest.raises(ConfigError, match="timeout: must be seconds as a number, or None for no limit, not str"):
        client.finish("soon")  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # this process has threads
def test_a_forked_child_has_no_open_sessions() -> None:
    with live_server() as url:
        client = client_of(url)
        with client.live.connect(model=MODEL):
            child = os.fork()
            if child == 0:
                os._exit(len(client.sessions))
            assert os.waitpid(child, 0)[1] == 0
            assert len(client.sessions) == 1
