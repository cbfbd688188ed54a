"""Where each module is tested, and that test modules are no one's helpers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "genai_live"

ELSEWHERE: dict[str, str] = {
    "__main__": "test_cli",
    "_client_messages/bare_bytes": "test_first_mistakes test_inputs",
    "_client_messages/contents": "test_inputs",
    "_client_messages/family_checks": "test_families",
    "_client_messages/music_inputs": "test_music",
    "_client_messages/sounds": "test_inputs test_first_mistakes",
    "_client_messages/tool_list": "test_tools test_setup",
    "_connection/channel": "test_reconnect test_interleavings test_endings",
    "_connection/connection": "test_endings test_session test_bounds test_keepalive",
    "_connection/delivery": "test_bounds test_callbacks test_ledger",
    "_connection/ending": "test_endings",
    "_connection/opening": "test_connect_phases test_retries",
    "_connection/pacing_thread": "test_streaming test_processes",
    "_connection/questions": "test_ledger test_gathering test_inbox",
    "_default_credentials": "test_api_client",
    "_field_docs": "test_public_modules",
    "_message_stream": "test_session",
    "_network/google_session": "test_networks test_auth",
    "_network/headers": "test_api_client test_secret",
    "_network/http_answer": "test_connect_phases",
    "_network/options": "test_bad_frames test_keepalive",
    "_network/rest": "test_tokens test_networks",
    "_network/route": "test_dial test_networks test_connect_phases",
    "_network/tcp": "test_dial",
    "_network/tls_in_tls": "test_dial test_networks",
    "_network/tunnel": "test_networks",
    "_preparing": "test_flask_voice test_tool_runs",
    "_process": "test_processes",
    "_public": "test_public_names",
    "_settings": "test_api_client test_backends",
    "_streaming/audio_stream": "test_streaming",
    "_streaming/sending": "test_streaming",
    "_streaming/sound_hold": "test_tool_families",
    "_streaming/sound_sink": "test_streaming",
    "_synchronous": "test_foreign_names test_migration",
    "_tool_answers": "test_tool_runs test_session",
    "_tracebacks": "test_secrets test_processes",
    "_usage": "test_protocol test_session",
    "_validation": "test_setup test_inputs",
    "_version": "test_public_names",
    "audio/arriving": "test_audio test_sound_source",
    "audio/containers": "test_wav",
    "audio/conversion": "test_resampling",
    "audio/encodings": "test_wav",
    "audio/pacing": "test_pace test_streaming",
    "audio/pcm": "test_audio test_buffers",
    "audio/recording": "test_audio",
    "audio/short_filter": "test_resampling",
    "live": "test_session test_connect_phases",
    "reconnection": "test_reconnecting test_arguments",
    "testing": "test_emulator_guide",
    "voice/audience": "test_conversation test_voice_recorder",
    "voice/answers": "test_voice_dialogue",
    "voice/detection": "test_voice_parts",
    "voice/dialogue": "test_voice_dialogue",
    "voice/conformance": "test_voice_ends",
    "voice/event_queue": "test_voice_parts",
    "voice/files": "test_voice_ends",
    "voice/growing_files": "test_voice_recorder",
    "voice/latency": "test_voice_parts",
    "voice/sound_cards/leaving": "test_devices",
    "voice/leftovers": "test_voice_dialogue",
    "voice/mailbox": "test_voice_parts",
    "voice/microphone": "test_conversation",
    "voice/mouth": "test_conversation",
    "voice/playback": "test_voice_parts",
    "voice/recorder": "test_voice_recorder",
    "voice/settings": "test_conversation",
    "voice/sound_cards/forms": "test_devices",
    "voice/sound_end": "test_voice_ends",
    "voice/states": "test_voice_dialogue",
    "voice/sound_cards/card_clock": "test_timeline",
    "voice/sound_cards/conversion": "test_drift test_echo",
    "voice/sound_cards/playback_position": "test_voice_blocks",
    "voice/sound_cards/rhythm": "test_voice_blocks",
    "voice/sound_cards/streams": "test_devices",
    "voice/transcript": "test_voice_dialogue",
    "web/asgi_line": "test_django_servers",
    "web/django": "test_django_servers",
    "web/going_on": "test_keeping",
    "web/leaving": "test_django_servers",
    "web/live_voice": "test_django_servers",
    "web/redis_store": "test_keeping test_moving",
    "web/page_sound": "test_web_parts",
    "web/unheard": "test_keeping",
    "web/allowance": "test_web_parts test_browser_end",
    "web/blocking_line": "test_browser_end",
    "web/flask": "test_flask_voice test_voice_servers",
    "web/handover": "test_flask_voice test_voice_servers",
    "web/line": "test_browser_end",
    "web/outgoing": "test_web_parts",
    "web/page_pace": "test_web_parts",
    "web/tickets": "test_flask_voice test_moving",
    "web/store": "test_web_parts",
    "web/visitor_socket": "test_browser_end test_web_parts",
    "web/visitors_thread": "test_voice_servers",
    "web/visits": "test_flask_voice test_voice_servers",
    "web/wire_format": "test_web_parts test_browser_end",
    "_folding": "test_notebook",
    "_html": "test_rich_display",
    "_turn_html": "test_rich_display",
    "audio/player": "test_rich_display",
    "audio/small": "test_rich_display",
    "notebook/cells": "test_notebook",
    "notebook/comm_socket": "test_voice_widget test_jupyter",
    "notebook/door": "test_voice_widget",
    "notebook/page": "test_voice_widget test_jupyter",
    "notebook/script": "test_voice_widget",
    "notebook/showing": "test_notebook",
    "notebook/surface": "test_notebook test_rich_display",
}
"""Modules without a test file of their name, each with the files that hold it: what they do is seen at a session's door."""

ROOMS = {"emulator": "test_emulator_*.py", "types": "test_types.py", "cli": "test_cli.py", "tools": "test_tool*.py"}
"""Rooms that are tested as a whole."""

MODULES = [
    file.relative_to(PACKAGE).with_suffix("").as_posix()
    for file in sorted(PACKAGE.rglob("*.py"))
    if file.stem != "__init__" and file.relative_to(PACKAGE).parts[0] not in ROOMS
]


def own_file(module: str) -> Path:
    return TESTS / f"test_{module.rpartition('/')[2].lstrip('_')}.py"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_a_test_file_of_its_name_or_a_line_that_names_others(module: str) -> None:
    assert own_file(module).exists() != (module in ELSEWHERE)


def test_every_line_is_about_a_module_and_names_files_that_are_there() -> None:
    assert set(ELSEWHERE) <= set(MODULES)
    assert not [name for names in ELSEWHERE.values() for name in names.split() if not (TESTS / f"{name}.py").exists()]
    assert all(list(TESTS.glob(pattern)) for pattern in ROOMS.values())


@pytest.mark.parametrize("file", sorted(TESTS.glob("*.py")), ids=lambda file: file.stem)
def test_nothing_is_imported_from_a_test_module(file: Path) -> None:
    """A helper is a module without ``test_`` in its name, where whoever writes a test finds it."""
    imported = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    names = {f"{node.module}.{alias.name}" for node in imported for alias in node.names}
    assert not {name for name in names if any(step.startswith("test_") for step in name.split(".")[:-1])}
