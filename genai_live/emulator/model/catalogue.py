"""The models that the emulator lists: names of the service's families, and one that does not talk live. Pure: any thread."""

from __future__ import annotations

from typing import Any

LIVE = ("bidiGenerateContent", "countTokens")
"""Methods of a model that talks live, in lists of the Developer API."""

NAMES: dict[str, tuple[str, ...]] = {
    "gemini-2.5-flash": ("generateContent", "countTokens"),
    "gemini-2.5-flash-native-audio-preview-09-2025": LIVE,
    "gemini-3.1-flash-live-preview": LIVE,
    "gemini-3.8-live": LIVE,
    "gemini-3.8-live-extended-thinking": LIVE,
    "emulator": LIVE,
}
"""Names, with what each can do."""

INPUT_TOKENS, OUTPUT_TOKENS = 131_072, 8_192


def listed(backend: str, page_size: int, page_token: str) -> dict[str, Any]:
    """One page of the list, in the form of the backend; a token is the number of the page's first model."""
    first = int(page_token) if page_token.isdecimal() else 0
    names = list(NAMES)[first : first + page_size]
    following = first + page_size
    more = {"nextPageToken": str(following)} if following < len(NAMES) else {}
    if backend == "vertex":
        return {
            "publisherModels": [{"name": f"publishers/google/models/{name}", "versionId": "default"} for name in names],
            **more,
        }
    return {"models": [_model(name) for name in names], **more}


def _model(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "displayName": name.replace("-", " ").title(),
        "inputTokenLimit": INPUT_TOKENS,
        "outputTokenLimit": OUTPUT_TOKENS,
        "supportedGenerationMethods": list(NAMES[name]),
    }
