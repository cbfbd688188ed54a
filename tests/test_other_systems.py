"""What other systems and Pythons do, brought about here: words of errors, loops that write later, views that live on, pipes."""

from __future__ import annotations

import asyncio
import errno
import inspect
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

from genai_live import errors, music
from genai_live._network.tcp import words_of
from genai_live.cli import main
from genai_live.emulator import LiveEmulator, Scenario, steps
from genai_live.emulator.server import connection
from genai_live.types import AudioChunk
from tests.live_wire import SPEECH, Wire
from tests.servers import MODEL, PATIENCE, client_of, refusing

# Words of the system's errors. The C library of Windows has none for the numbers of its sockets


@pytest.fixture
def _no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "strerror", lambda code: "Unknown error")


@pytest.mark.usefixtures("_no_words")
def test_a_refused_connection_is_told_as_that_where_the_c_library_has_no_words() -> None:
    with refusing() as url, pytest.raises(errors.ConnectError, match="Connection refused"):
        client_of(url).live.connect(model=MODEL, timeout=PATIENCE)
    with refusing() as url, pytest.raises(errors.ConnectError, match="Connection refused"):
        client_of(url).auth_tokens.create()


@pytest.mark.usefixtures("_no_words")
def test_a_port_that_is_taken_is_told_as_that_too(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["emulate", "--port", str(taken.getsockname()[1])]) == 1
    assert "address already in use" in capsys.readouterr().err.lower()


@pytest.mark.usefixtures("_no_words")
def test_windows_own_table_gives_the_words_of_what_is_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "errorTab", {10_064: "Remote host is down."}, raising=False)
    assert words_of(10_064) == "Remote host is down."
    for code in (errno.ECONNREFUSED, errno.ETIMEDOUT, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES):
        assert words_of(code) != "Unknown error"


# The emulator on a loop that writes later, as that of Windows does: what is not written yet, abort() takes back


class Late(asyncio.Transport):
    """A transport that writes a moment later, or never when it is aborted before."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._below = transport
        self._queue = bytearray()

    def write(self, data: Any) -> None:
        self._queue += data
        asyncio.get_running_loop().call_later(0.02, self._send)

    def _send(self) -> None:
        if not self._below.is_closing():
            self._below.write(bytes(self._queue))
        self._queue.clear()

    def get_write_buffer_size(self) -> int:
        return len(self._queue) + self._below.get_write_buffer_size()

    def abort(self) -> None:
        self._queue.clear()
        self._below.abort()

    def close(self) -> None:
        self._send()
        self._below.close()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()


@pytest.fixture
def _writes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    made = connection.Connection.connection_made

    def connection_made(self: connection.Connection, transport: Any) -> None:
        made(self, Late(transport))

    monkeypatch.setattr(connection.Connection, "connection_made", connection_made)


LAST_WORDS = [steps.GoAway(1.0), steps.CallTool("f"), steps.Fragments(7), steps.Send({"goAway": {}})]


@pytest.mark.usefixtures("_writes_later")
@pytest.mark.parametrize("last", LAST_WORDS, ids=lambda step: type(step).__name__)
def test_what_a_scenario_says_before_an_abort_arrives(last: steps.Step) -> None:
    said = [last, steps.Update()] if isinstance(last, steps.Fragments) else [last]
    with (
        LiveEmulator(pace=0.0, voice=False, scenario=Scenario(steps.Expect("setup"), *said, steps.Abort())) as emulator,
        Wire(emulator.url) as wire,
    ):
        wire.send({"setup": SPEECH})
        assert wire.read()
        assert wire.closed()[0] == 1006


LEAST = {"max_queue": 1} if "max_queue" in inspect.signature(connect).parameters else {}
"""What the client's own thread reads ahead: older websockets read one message in any case."""


def test_a_client_that_does_not_read_keeps_no_abort_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ABORT_PATIENCE", 0.05)
    with LiveEmulator(pace=0.0, voice=False) as emulator, Wire(emulator.url, setup=SPEECH, **LEAST):
        for _ in range(40):
            emulator.current.send_message({"serverContent": {"modelTurn": {"parts": [{"text": "x" * 1_000_000}]}}})
        emulator.current.abort()
        assert emulator.current.wait_closed(PATIENCE).code == 1006


# PyPy releases a view when it likes, and a bytearray with a view cannot be cut


def test_a_recording_of_music_goes_on_where_views_live_on(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []

    def view_of(data: Any) -> Any:
        kept.append(memoryview(data))
        return kept[-1]

    monkeypatch.setattr(music, "memoryview", view_of, raising=False)
    tape = music._Tape()
    tape.add(AudioChunk(data=bytes(range(200)) * 960, mime_type="audio/l16;rate=48000;channels=2"))
    assert [tape.cut(0.5).seconds, tape.cut(0.25).seconds] == [0.5, 0.25]


# A pipe that nobody reads any more: EPIPE, and EINVAL on Windows


GONE = """
import errno, io, sys
from genai_live.cli import main

class Gone(io.RawIOBase):
    def writable(self): return True
    def fileno(self): return 1
    def write(self, data): raise OSError(errno.{code}, "Invalid argument")

sys.stdout = io.TextIOWrapper(io.BufferedWriter(Gone(), 1), write_through=True)
sys.stdin = io.StringIO("Hello\\n")
code = main(["chat"])
sys.stdout = sys.__stdout__
raise SystemExit(code)
"""


@pytest.fixture
def emulator() -> Iterator[LiveEmulator]:
    with LiveEmulator(pace=0.0, voice=False) as running:
        yield running


@pytest.mark.parametrize("code", ["EPIPE", "EINVAL"])
def test_output_that_nobody_reads_any_more_ends_a_command_without_noise(code: str, emulator: LiveEmulator) -> None:
    environment = {**os.environ, "GENAI_LIVE_EMULATOR_HOST": emulator.host}
    command = [sys.executable, "-c", GONE.format(code=code)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ended.stderr, ended.returncode) == ("", 1)
