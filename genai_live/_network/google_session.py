"""The session of ``requests`` that google-auth fetches tokens with, by this library's rules. Any thread; blocks.

Requests' own environment handling stays off: it would let REQUESTS_CA_BUNDLE overrule a bundle that the caller named, and
~/.netrc overrule the credential.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from genai_live._deadline import Deadline
from genai_live._network import tcp
from genai_live._network.options import ConnectionOptions
from genai_live._network.proxy import Proxy
from genai_live._network.socks import through_socks
from genai_live._network.tcp import Line
from genai_live._network.trust import trust


def session(options: ConnectionOptions) -> requests.Session:
    """A new session for these options; to be closed by its owner.

    Raises:
        ConfigError: the CA bundle cannot be read.
    """
    new = requests.Session()
    new.trust_env = False
    adapter = _Adapter(options)
    new.mount("https://", adapter)
    new.mount("http://", adapter)
    return new


class _Adapter(HTTPAdapter):
    """Sends through the proxy and with the TLS context that the options choose, whatever the session's own settings are."""

    def __init__(self, options: ConnectionOptions) -> None:
        self._options = options
        self._context = trust(options.ssl_context, options.ca_bundle).context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, proxy_ssl_context=self._context, ssl_context=self._context)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        # Without cert_reqs in the second part urllib3 leaves the context's own verification as it is.
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}

    def get_connection_with_tls_context(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(request, *args, **kwargs)
        proxy = self._proxy_for(request.url)
        if proxy is not None and proxy.is_socks and "ConnectionCls" not in vars(pool):
            pool.ConnectionCls = _through(proxy, pool.ConnectionCls)
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Loads nothing: the context has its certificates already."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        proxy = self._proxy_for(request.url or "")
        scheme = urlsplit(request.url or "").scheme
        kwargs["proxies"] = {scheme: proxy.url.reveal()} if proxy is not None and not proxy.is_socks else {}
        return super().send(request, *args, **kwargs)

    def _proxy_for(self, url: str) -> Proxy | None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return self._options.proxy_for(parts.hostname or "", parts.port or (443 if secure else 80), secure=secure)


def _through(proxy: Proxy, connection: Any) -> Any:
    """A connection that this library's SOCKS opens: urllib3 would want PySocks for it."""

    class Through(connection):  # type: ignore[misc]  # which of urllib3's it is, the pool knows
        def _new_conn(self) -> Any:
            seconds = self.timeout if isinstance(self.timeout, int | float) else None
            deadline, held = Deadline(seconds), tcp.Held()
            try:
                line = Line(tcp.connect(tcp.look_up(proxy.host, proxy.port), deadline, held), deadline, held)
                through_socks(line, proxy, self.host, self.port)
            except BaseException:
                held.close()
                raise
            line.sock.settimeout(seconds)
            return line.sock

    return Through
