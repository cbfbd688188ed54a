"""websocket-client as it comes, with orjson and pybase64, no types."""

from __future__ import annotations

from typing import Any

import websocket

from benchmarks.peers import _bare, _peer


class WebSocketClient(_bare.Bare):
    """The peer."""

    def open(self, url: str, authority: str, model: str) -> Any:
        session: Any = websocket.create_connection(
            url.replace("http", "ws", 1), sslopt={"ca_certs": authority}, skip_utf8_validation=True
        )
        session.receive = session.recv
        session.send_text(_bare.setup(model))
        session.recv()
        return session

    def close(self, session: Any) -> None:
        session.shutdown()


if __name__ == "__main__":
    _peer.run(WebSocketClient())  # type: ignore[arg-type] # it does not converse
