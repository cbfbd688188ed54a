"""What users begin with: settings, made once; nothing is opened before ``connect``. Usable from many threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genai_live import _public
from genai_live._synchronous import Synchronous
from genai_live._tracebacks import opaque
from genai_live.api_client import ApiClient
from genai_live.live import Live
from genai_live.music import MusicSession
from genai_live.session import FINISH_TIMEOUT, Session
from genai_live.tokens import AuthTokens
from genai_live.types import HttpOptions

__all__ = ["Client"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)


class Client(Synchronous):
    """A client of the Live API, of the Gemini Developer API or of Vertex AI.

    Making one takes microseconds: no network, no files, no thread. What is not passed comes from the environment, under the
    names of Google's own SDKs (GEMINI_API_KEY, GOOGLE_GENAI_USE_VERTEXAI, GOOGLE_CLOUD_PROJECT, ...).
    GENAI_LIVE_EMULATOR_HOST=host:port makes every client talk to an emulator, without a key.

    Args:
        api_key: A key of the Developer API, an express key of Vertex AI, or the name of an ephemeral token (``auth_tokens/...``).
        vertexai: True for Vertex AI, False for the Developer API, None for what the environment says.
        credentials: google-auth credentials for Vertex AI; by default Google's default credentials.
        project: Google Cloud project, for Vertex AI; by default that of the default credentials, which are looked up when the
            first session connects: only then does a missing one raise.
        location: Google Cloud location, for Vertex AI; "global" by default.
        http_options: HttpOptions, or a dict of them: base_url, api_version, headers, proxy, ca_bundle, and limits. Never changed.
        shared_reader: True reads all sessions on one thread instead of one each, for programs with hundreds of them; it paces
            their ``stream_audio(wait=False)`` too. A slow callback keeps all of them waiting, unless it runs on an executor. On
            Windows one thread reads 511 sessions.
        enterprise: Another name of ``vertexai``, as in Google's SDK.

    Raises:
        ConfigError: arguments contradict each other, or a key or project is missing; ``kind`` is AUTH when there is no key.
    """

    @opaque
    def __init__(
        self,
        api_key: str | None = None,
        *,
        vertexai: bool | None = None,
        credentials: Any = None,
        project: str | None = None,
        location: str | None = None,
        http_options: HttpOptions | Mapping[str, Any] | None = None,
        shared_reader: bool = False,
        enterprise: bool | None = None,
    ) -> None:
        self._api_client = ApiClient(
            api_key,
            vertexai=vertexai,
            enterprise=enterprise,
            credentials=credentials,
            project=project,
            location=location,
            http_options=http_options,
        )
        self._live = Live(self._api_client, shared_reader=shared_reader)
        self._auth_tokens = AuthTokens(self._api_client)

    @property
    def live(self) -> Live:
        """Opens sessions: ``client.live.connect(model=...)``."""
        return self._live

    @property
    def auth_tokens(self) -> AuthTokens:
        """Makes ephemeral tokens: ``client.auth_tokens.create(...)``; Developer API only."""
        return self._auth_tokens

    @property
    def aio(self) -> Client:
        """This client: ``client.aio.live.connect`` of a script for Google's SDK only loses its ``async`` and ``await``."""
        return self

    @property
    def vertexai(self) -> bool:
        """True when this is a client of Vertex AI."""
        return self._api_client.backend.is_vertex

    @property
    def sessions(self) -> tuple[Session | MusicSession, ...]:
        """The sessions of this client that are open now, music sessions too, oldest first."""
        return self._live.sessions

    def finish(self, timeout: float | None = FINISH_TIMEOUT) -> None:
        """Ends all open sessions politely within one limit, as a server does before it is stopped; see ``Live.finish``."""
        self._live.finish(timeout)

    @property
    def has_credentials(self) -> bool:
        """True when something authorises this client; False when it needs nothing, as with an emulator or a gateway."""
        return self._api_client.has_credentials

    def close(self) -> None:
        """Does nothing: a client holds settings and keeps nothing open. Sessions outlive it; ``finish()`` ends them all.

        Here so that ``with Client() as client`` and scripts written for Google's SDK work.
        """

    aclose = close

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({repr(self._api_client).partition('(')[2]}"
