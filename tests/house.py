"""The layers of the library: the table that its tests hold it to, and that its picture is drawn from."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "genai_live"

LAYERS: dict[str, set[str]] = {
    "ground": {
        "errors", "reconnection", "families", "_arguments", "_backends", "_base64_text", "_close_reasons", "_deadline", "_flag",
        "_extras", "_foreign_names", "_field_docs", "_folding", "_html", "_json", "_process", "_public", "_secret",
        "_starting", "_synchronous", "_threads", "_tracebacks", "_version",
    },
    "sound": {"audio"},
    "messages": {"types", "_usage", "_wire", "_sound_messages", "_validation"},
    "network": {"_network"},
    "settings": {"_settings", "_default_credentials", "auth", "api_client"},
    "input": {"tools", "_client_messages"},
    "connection": {"callbacks", "_connection"},
    "session": {
        "_turn_html", "turn", "_streaming", "_message_stream", "_gathering", "_tool_answers", "session", "music",
        "_open_sessions",
    },
    "client": {"live_models", "_preparing", "live", "tokens", "client", "__init__"},
    "voice": {"voice"},
    "web": {"web"},
    "notebook": {"notebook"},
    "emulator": {"emulator"},
    "programs": {"testing", "cli", "__main__"},
}  # fmt: skip
"""From the bottom up: a module imports from its own layer and from those before it. Within a layer the files make the order,
without a circle."""
