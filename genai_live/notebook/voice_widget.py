"""``VoiceWidget``: a spoken conversation in a notebook, through the browser's microphone and loudspeaker.

Made and read on the notebook's thread. Each page that talks is served by threads of its own, so that it is heard while a cell
runs; ``door`` and ``comm_socket`` are the ways to it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from genai_live import Client, Session, _html
from genai_live._arguments import came
from genai_live._extras import installing
from genai_live.audio import OUTPUT_RATE, Audio
from genai_live.errors import ConfigError, LiveError, ReceiveTimeout
from genai_live.notebook import cells
from genai_live.voice import Conversation, Event, MemoryRecorder, TurnEnded, Utterance
from genai_live.voice.settings import Settings, completed
from genai_live.web import BrowserEnd

if TYPE_CHECKING:
    from genai_live.notebook.comm_socket import CommSocket
    from genai_live.notebook.door import PageSocket
    from genai_live.tools import ToolPolicy
    from genai_live.types import LiveConnectConfig

_GOODBYE = 1.0
"""Seconds for a page to read why it was refused."""
_LEAVING = 5.0
"""Seconds for the conversation of a page that has gone to end."""
KEPT = 600.0
"""Seconds of the recording: 10 minutes of both sides take 58 MB."""
_WRONG_TOKEN = "This widget is of an earlier run of the notebook. Run its cell again."
_ELSEWHERE = "This widget talks in another window. Stop there, then start here."
_CLOSED = "This widget was closed. Run its cell again."


class VoiceWidget:
    """Talks with a model at the end of a cell: a button, levels, both sides' words; the user may interrupt.

    ``VoiceWidget(client, model=..., config=...)`` opens a session of its own whenever somebody presses the button, and closes it
    with the conversation: with ``stop``, with its tab, with ``close``. ``VoiceWidget(session)`` talks over a session that stays
    open. Sound and words go straight to threads of the kernel's process, so that it hears while a cell runs.

    A cell that is run again closes the widget that it made before. Members may be used on any thread.

    Args:
        source: A client, or an open session that answers in AUDIO.
        model: The model's name; with a client only.
        config: As for ``connect``, completed with AUDIO and transcripts of both sides; with a client only.
        turn_taking: "automatic", or "push_to_talk" for a button to hold while one talks; with a client only.
        half_duplex: True sends nothing of the microphone while the answer is heard.
        run_tools: As for ``connect``; with a client only.

    Raises:
        ConfigError: the arguments contradict each other, or the extra ``notebook`` is not installed.
    """

    def __init__(
        self,
        source: Client | Session,
        *,
        model: str | None = None,
        config: LiveConnectConfig | Mapping[str, Any] | None = None,
        turn_taking: Literal["automatic", "push_to_talk"] = "automatic",
        half_duplex: bool = False,
        run_tools: bool | ToolPolicy | Mapping[str, Any] = False,
    ) -> None:
        options: dict[str, Any] = {"model": model, "config": config, "turn_taking": turn_taking, "run_tools": run_tools}
        if isinstance(source, Session):
            named = [name for name, value in options.items() if value not in (None, False, "automatic")]
            if named:
                raise ConfigError("goes with a client: a session that is open has its own", named[0])
            if source.close_info is not None:
                raise ConfigError("must be a Client or an open Session, not one that has ended: connect again", "source")
        elif not isinstance(source, Client):
            raise ConfigError(f"must be a Client or an open Session, not {came(source)}", "source")
        elif model is None:
            raise ConfigError("is missing: a client needs to know which model to talk with", "model")
        else:
            completed(config, turn_taking)  # what is wrong with it is said here, and not to a page
        self._source = source
        self._options = options
        self._turn_taking = turn_taking if isinstance(source, Client) else Settings.of(source.setup).turn_taking
        self._half_duplex = half_duplex
        self._token = secrets.token_urlsafe(24)
        self._lock = threading.Lock()
        """Guards the rest."""
        self._talking: BrowserEnd | None = None
        """The page that talks now."""
        self._conversation: Conversation | None = None
        self._said: tuple[Utterance, ...] = ()
        """What was said in earlier conversations."""
        self._turns: tuple[TurnEnded, ...] = ()
        self._recorded: deque[MemoryRecorder] = deque()
        """Of each conversation, the newest last, as long as there is room."""
        self._is_closed = False
        self._door, self._page = self._opened()
        cells.replace_older(self)

    def _opened(self) -> tuple[Any, Any]:
        try:
            from genai_live.notebook.door import Door
            from genai_live.notebook.page import VoicePage
        except ImportError as error:
            words = f"VoiceWidget needs the extra notebook ({error}): {installing('notebook')}"
            raise ConfigError(words) from error
        name = os.urandom(8).hex()
        door = Door(name, self._serve)
        try:
            return door, VoicePage(self._serve_comm, name=name, port=door.port, token=self._token)
        except BaseException:
            door.close()
            raise

    # What there is to see.

    @property
    def conversation(self) -> Conversation | None:
        """The conversation that goes on, or the last one; None before the first."""
        return self._conversation

    @property
    def transcript(self) -> tuple[Utterance, ...]:
        """What both sides said, in all conversations of this widget; of an interrupted answer as much as was heard."""
        with self._lock:
            conversation = self._conversation
            return self._said + (() if conversation is None else conversation.transcript)

    @property
    def turns(self) -> tuple[TurnEnded, ...]:
        """The model's turns that are over, with latency and tokens, oldest first."""
        return self._turns

    @property
    def recording(self) -> Audio:
        """The newest 10 minutes as they were heard, 24,000 Hz: the user on the left channel, the model on the right.

        Conversations stand one behind the other; of one that goes on, all but the last half second.
        """
        pieces = [recorder.audio() for recorder in tuple(self._recorded)]
        whole = sum(pieces, Audio(b"", OUTPUT_RATE, 2))
        return whole[-int(KEPT * OUTPUT_RATE) :]

    def __repr__(self) -> str:
        conversation = self._conversation
        state = "closed" if self._is_closed else "not started" if conversation is None else str(conversation.state)
        return f"<VoiceWidget {state}, {_html.counted(len(self._turns), 'turn')}>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        if self._is_closed:
            return {"text/plain": repr(self)}
        bundle = self._page._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/plain"] = repr(self)
        return bundle

    # Ending.

    def close(self) -> None:
        """Ends the conversation, and takes the widget from the page; what was said and recorded stays. Idempotent."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            end, conversation = self._talking, self._conversation
        cells.forget(self)
        if end is not None:
            end.refuse("closed", _CLOSED)
        if conversation is not None:
            conversation.close()
        if end is not None:
            end.close(_GOODBYE)
        self._page.close()
        self._door.close()

    # A page talks: each on a thread of its own.

    def _serve_comm(self, socket: CommSocket) -> None:
        threading.Thread(target=self._serve, args=(socket,), name="genai-live-notebook-page", daemon=True).start()

    def _serve(self, socket: PageSocket | CommSocket) -> None:
        """Serves one socket of the page, to the end."""
        end = BrowserEnd(socket, idle_timeout=None, total_timeout=None, turn_taking=self._turn_taking)
        decided = threading.Event()
        """Set when the page was let in, was refused, or has gone."""
        end.on_start = lambda start: self._admit(end, start.token, decided)
        end.on_gone = lambda: self._leave(end, decided)
        end.begin()
        decided.wait()
        if self._talking is end:
            self._talk(end)
        else:
            end.close(_GOODBYE)

    def _admit(self, end: BrowserEnd, token: str, decided: threading.Event) -> None:
        """Lets a page in, or refuses it: one without the widget's token, and a second one."""
        with self._lock:
            reason, sentence = "", ""
            if not secrets.compare_digest(token.encode(), self._token.encode()) or self._is_closed:
                reason, sentence = "token", _WRONG_TOKEN
            elif self._talking is not None:
                reason, sentence = "elsewhere", _ELSEWHERE
            else:
                self._talking = end
        if reason:
            end.refuse(reason, sentence)
        decided.set()

    def _leave(self, end: BrowserEnd, decided: threading.Event) -> None:
        with self._lock:
            if self._talking is end:
                self._talking = None
        decided.set()

    def _talk(self, end: BrowserEnd) -> None:
        if self._conversation is not None:  # of a page that has just gone
            with contextlib.suppress(ReceiveTimeout):
                self._conversation.wait(_LEAVING)
        end.hold()
        try:
            conversation = self._converse(end)
        except LiveError as error:
            end.refuse("notebook", f"{error}")
            end.release()
            end.close(_GOODBYE)
        else:
            end.release()
            conversation.wait()

    def _converse(self, end: BrowserEnd) -> Conversation:
        """Opens a conversation with the page."""
        recorder = MemoryRecorder(KEPT)
        options: dict[str, Any] = {"half_duplex": self._half_duplex, "record": recorder, "on_event": self._hear}
        if isinstance(self._source, Session):
            conversation = Conversation(self._source, end, **options)
        else:
            conversation = Conversation.connect(self._source, end, **options, **self._options)
        with self._lock:
            if self._conversation is not None:
                self._said += self._conversation.transcript
            self._conversation = conversation
            self._keep(recorder)
            closed = self._is_closed
        if closed:
            conversation.close()
        return conversation

    def _keep(self, recorder: MemoryRecorder) -> None:
        """Keeps a recording, and forgets the oldest, in whose place newer ones fill the ten minutes."""
        self._recorded.append(recorder)
        while sum(each.audio().seconds for each in tuple(self._recorded)[1:]) >= KEPT:
            self._recorded.popleft()

    def _hear(self, event: Event) -> None:
        if isinstance(event, TurnEnded):
            self._turns = (*self._turns, event)
