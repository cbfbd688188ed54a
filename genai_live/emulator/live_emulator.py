"""``LiveEmulator``: a Live API server in a thread of this process. Its methods may be called on any thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from genai_live._arguments import file_path, flag, number_from_0, text, texts, whole_number
from genai_live.emulator.control import SessionControl
from genai_live.emulator.handshake import Handshake
from genai_live.emulator.model.conversation import SECOND_QUESTION
from genai_live.emulator.model.voice import make_model
from genai_live.emulator.script.replay import load_recording
from genai_live.emulator.script.scenario import Script
from genai_live.emulator.server.admission import Admission
from genai_live.emulator.server.certificates import TlsChoice, check_tls
from genai_live.emulator.server.received import Received, ReceivedMessage, Wanted
from genai_live.emulator.server.server_thread import ServerThread
from genai_live.emulator.server.settings import SecondQuestion, Settings
from genai_live.emulator.session.server_state import ServerState
from genai_live.errors import ConfigError

HIGHEST_PORT = 65_535


class LiveEmulator:
    """A Live API server on this machine, for every client in every language.

    Args:
        port: TCP port; 0 takes a free one.
        tls: True serves wss with a throw-away certificate whose authority is in ``ca_path``; ``(certificate file, key file)`` or
            an ``ssl.SSLContext`` serve what they hold.
        host: Address to listen on. Beyond this machine (not 127.0.0.1, ::1 or localhost) requests are taken only for an address,
            for this very name or for localhost, and from no web page but the server's own; the next two name more.
        allowed_hosts: Names by which clients may reach it, such as ``["emulator"]``. Naming any switches both checks on.
        allowed_origins: Origins of web pages that may use it, such as ``["http://localhost:3000"]``; likewise.
        pace: Scale of the times it takes of its own accord: 1.0 natural, 0.0 waits for nothing.
        playback: ``"assumed"`` puts the time it takes to play the answer between generationComplete and turnComplete, as the
            service does; ``"instant"`` does not.
        second_question: What a question does that comes before the answer to the one before it has begun, which the service was
            never seen to do: it ``"interrupts"`` that answer, ``"waits"`` for its end, ``"merges"`` (one turn answers both), or
            ``"replaces"`` the first, which is then not answered.
        frames: ``"binary"`` as the service, or ``"text"``.
        pretty: Indented JSON as the service's, or compact.
        require_key: Refuse clients that bring no credential.
        keys: The credentials that are accepted; None accepts all but ``invalid`` and ``expired``.
        models: The models that exist; None lets every name be one.
        strict: Refuse what the service is known to refuse: an API version that does not serve Live, settings that a family of
            models does not take, fields that the service lacks. False takes all of it.
        hears: Transcripts of the first utterances, for programs that need to be understood without speech recognition.
        scenario: What to do instead of behaving naturally: one ``Scenario`` for every session, or a list of them, one for each.
        replay: A recording to play instead: its sessions, one after the other (see ``genai-live record``).
        voice: True recognises and speaks with the extra ``emulator-voice``, False does not, None does what is installed.

    Use it as a context manager, or call ``start()`` and ``stop()``.

    Raises:
        ConfigError: an argument is of the wrong type, or cannot be.
    """

    def __init__(
        self,
        port: int = 0,
        tls: TlsChoice = False,
        *,
        host: str = "127.0.0.1",
        allowed_hosts: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
        pace: float = 1.0,
        playback: Literal["assumed", "instant"] = "assumed",
        second_question: SecondQuestion = "interrupts",
        frames: Literal["binary", "text"] = "binary",
        pretty: bool = True,
        require_key: bool = False,
        keys: Iterable[str] | None = None,
        models: Iterable[str] | None = None,
        strict: bool = True,
        hears: Sequence[str] = (),
        scenario: Script = None,
        replay: str | Path | None = None,
        voice: bool | None = None,
    ) -> None:
        if playback not in ("assumed", "instant"):
            raise ConfigError("must be 'assumed' or 'instant'", "playback")
        if second_question not in tuple(SECOND_QUESTION):
            raise ConfigError(f"must be one of {', '.join(map(repr, SECOND_QUESTION))}", "second_question")
        if frames not in ("binary", "text"):
            raise ConfigError("must be 'binary' or 'text'", "frames")
        whole_number(port, "port", 0, HIGHEST_PORT)
        text(host, "host")
        flags = {"pretty": pretty, "require_key": require_key, "strict": strict, "voice": False if voice is None else voice}
        for name, choice in flags.items():
            flag(choice, name)
        if scenario is not None and replay is not None:
            raise ConfigError("a replay is a scenario of its own: give one of the two", "replay")
        settings = Settings(
            pace=number_from_0(pace, "pace"),
            assume_playback=playback == "assumed",
            text_frames=frames == "text",
            second_question=second_question,
            pretty=pretty,
            require_key=require_key,
            keys=None if keys is None else frozenset(texts(keys, "keys")),
            models=None if models is None else frozenset(texts(models, "models")),
            strict=strict,
        )
        self._model = make_model(texts(hears, "hears"), voice)
        self._state = ServerState(settings, self._model)
        self._handshake = Handshake(self._state, load_recording(file_path(replay, "replay")) if replay is not None else scenario)
        admission = Admission(host, allowed_hosts, allowed_origins)
        self._server = ServerThread(self._handshake, host, port, check_tls(tls), settings.largest_message, admission)

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> LiveEmulator:
        """Listens; returns when clients can connect.

        Raises:
            ConfigError: the package websockets is missing.
            OSError: the port is taken.
        """
        self._server.start()
        return self

    def stop(self) -> None:
        """Cuts every connection and frees the port; may be called twice."""
        self._server.stop()
        self._model.close()

    def __enter__(self) -> LiveEmulator:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # -- addresses -------------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._server.port

    @property
    def url(self) -> str:
        """What ``http_options={"base_url": ...}`` of a client takes."""
        return self._server.url

    @property
    def host(self) -> str:
        """``host:port``, as GENAI_LIVE_EMULATOR_HOST takes it."""
        return self._server.address

    @property
    def ca_path(self) -> str | None:
        """PEM file that clients must trust to talk TLS with it; None without TLS."""
        return self._server.ca_path

    @property
    def voice(self) -> str:
        """How it hears and speaks, in words: what is installed decides."""
        return self._model.description

    # -- what happened ---------------------------------------------------------------------------------------------

    @property
    def received(self) -> Received:
        """The client messages of all sessions seen so far, oldest first."""
        return self._state.received

    def wait_for(self, wanted: Wanted, timeout: float | None = 10.0, count: int = 1) -> ReceivedMessage:
        """The ``count``-th message of a kind (or that a predicate accepts); waits for it.

        Raises:
            TimeoutError: it did not come within ``timeout`` seconds.
        """
        return self._state.received.wait_for(wanted, timeout, count)

    @property
    def sessions(self) -> list[SessionControl]:
        """Every session there was, oldest first."""
        return [SessionControl(session, self._server.do) for session in list(self._handshake.sessions)]

    @property
    def current(self) -> SessionControl:
        """The session that was opened last.

        Raises:
            LookupError: when there was none.
        """
        sessions = self.sessions
        if not sessions:
            raise LookupError("no client has connected to the emulator yet")
        return sessions[-1]

    def wait_for_session(self, number: int = 1, timeout: float | None = 10.0) -> SessionControl:
        """The ``number``-th session, counted from 1; waits for its upgrade request.

        Raises:
            TimeoutError: it did not come within ``timeout`` seconds.
        """
        if not self._handshake.wait_for_sessions(number, timeout):
            raise TimeoutError(f"{len(self._handshake.sessions)} sessions were opened within {timeout} s, not {number}")
        return self.sessions[number - 1]

    def assert_complete(self, timeout: float = 1.0) -> None:
        """Raises AssertionError when a scenario failed, was not played to its end, or had no session.

        Steps that are left get ``timeout`` seconds, as long as their session lives. Blocks the caller.
        """
        self._handshake.runs.wait_over(timeout)
        complaints = self._handshake.runs.complaints()
        if complaints:
            raise AssertionError("the emulator's scenario is not complete: " + "; ".join(complaints))

    @property
    def failures(self) -> list[str]:
        """What went wrong in scenarios and replays so far, one sentence each, oldest first; steps still to come are none."""
        return self._handshake.runs.failures()

    def __repr__(self) -> str:
        state = f"at {self.url}" if self._server.running else "stopped"
        return f"<LiveEmulator {state}, {len(self._handshake.sessions)} sessions>"
