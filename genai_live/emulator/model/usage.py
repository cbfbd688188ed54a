"""Counting tokens the way the service reports them. Pure: runs on any thread."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from genai_live.emulator.model.profiles import Profile

AUDIO_TOKENS_PER_SECOND = 25
"""Live API limits and specifications."""

IMAGE_TOKENS = 258
"""Live API limits and specifications: tokens of one video frame."""

LETTERS_PER_TOKEN = 4
"""Rule of thumb of the Gemini documentation on tokens."""


def text_tokens(text: str) -> int:
    """Tokens of some text; at least one for any text at all."""
    return math.ceil(len(text) / LETTERS_PER_TOKEN)


def audio_tokens(seconds: float) -> int:
    """Tokens of some audio."""
    return math.ceil(seconds * AUDIO_TOKENS_PER_SECOND)


@dataclass
class TokenCounter:
    """Tokens of one session: the context grows with every turn, as it does in the service."""

    prompt: dict[str, int] = field(default_factory=dict)
    response: dict[str, int] = field(default_factory=dict)
    thoughts: int = 0
    """Tokens of thoughts in the turn that is running; recorded: reported apart, and not part of the total."""

    def add_prompt(self, modality: str, tokens: int) -> None:
        """Counts input."""
        if tokens:
            self.prompt[modality] = self.prompt.get(modality, 0) + tokens

    def add_response(self, modality: str, tokens: int) -> None:
        """Counts output of the turn that is running."""
        if tokens:
            self.response[modality] = self.response.get(modality, 0) + tokens

    def turn(self, profile: Profile) -> dict[str, Any]:
        """The usageMetadata of the turn that ends here; its answer is context from now on."""
        report = _report(self.prompt, self.response, profile)
        if self.thoughts:
            report["thoughtsTokenCount"] = self.thoughts
        if profile.usage_increments:
            self.prompt = {}
        else:
            for modality, tokens in self.response.items():
                self.add_prompt(modality, tokens)
        self.response, self.thoughts = {}, 0
        return report


def _report(prompt: dict[str, int], response: dict[str, int], profile: Profile) -> dict[str, Any]:
    name = "candidates" if profile.candidates_usage else "response"
    prompt_count, response_count = sum(prompt.values()), sum(response.values())
    report: dict[str, Any] = {
        "promptTokenCount": prompt_count,
        f"{name}TokenCount": response_count,
        "totalTokenCount": prompt_count + response_count,
        "promptTokensDetails": _details(prompt, profile.prompt_details),
        f"{name}TokensDetails": _details(response, profile.response_details),
    }
    if profile.candidates_usage:
        report["trafficType"] = "ON_DEMAND"
    return report


def _details(counts: dict[str, int], part: float) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": max(1, int(tokens * part))} for modality, tokens in sorted(counts.items())]
