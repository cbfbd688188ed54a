"""The widget as Jupyter knows it: its model in the kernel. Imported when a widget is made; runs on the kernel's threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import traitlets

from genai_live.notebook.comm_socket import CommSocket, Switchboard
from genai_live.notebook.script import script


class VoicePage(anywidget.AnyWidget):  # type: ignore[misc, unused-ignore]
    """What the page needs to find the kernel's server, and a socket through Jupyter's messages where it does not."""

    _esm = script()
    name = traitlets.Unicode().tag(sync=True)
    port = traitlets.Int().tag(sync=True)
    token = traitlets.Unicode().tag(sync=True)

    def __init__(self, serve_socket: Callable[[CommSocket], object], **values: Any) -> None:
        super().__init__(**values)
        self._switchboard = Switchboard(self._say, serve_socket)
        self.on_msg(self._hear)

    def _say(self, content: dict[str, Any], buffers: Sequence[bytes]) -> None:
        self.send(content, list(buffers))

    def _hear(self, _: Any, content: Any, buffers: Sequence[Any]) -> None:
        self._switchboard.take(content, buffers)

    def close(self) -> None:
        """Ends its sockets, and removes it from the page."""
        if hasattr(self, "_switchboard"):
            self._switchboard.close()
        super().close()
