"""Adding up usage reports, by turn and by modality. Pure; runs on any thread."""

from __future__ import annotations

from collections.abc import Iterable

from genai_live.types import LiveServerMessage, MediaModality, ModalityTokenCount, UsageMetadata

_COUNTS = (
    "prompt_token_count",
    "cached_content_token_count",
    "response_token_count",
    "tool_use_prompt_token_count",
    "thoughts_token_count",
    "total_token_count",
)
_DETAILS = ("prompt_tokens_details", "cache_tokens_details", "response_tokens_details", "tool_use_prompt_tokens_details")
MOST_MODALITIES = 32
"""Kinds of content that are told apart, five today; names that a server makes up have no end: their tokens are summed in one."""


def added(total: UsageMetadata | None, report: UsageMetadata) -> UsageMetadata:
    """The sum of both; counts that neither has stay None, and the details are summed for each modality."""
    if total is None:
        return report
    result = UsageMetadata(traffic_type=report.traffic_type, service_tier=report.service_tier)
    for name in _COUNTS:
        known = [count for count in (getattr(total, name), getattr(report, name)) if count is not None]
        setattr(result, name, sum(known) if known else None)
    for name in _DETAILS:
        setattr(result, name, _by_modality([*(getattr(total, name) or ()), *(getattr(report, name) or ())]) or None)
    return result


def _by_modality(details: Iterable[ModalityTokenCount]) -> list[ModalityTokenCount]:
    sums: dict[str, ModalityTokenCount] = {}
    for detail in details:
        is_told_apart = str(detail.modality) in sums or len(sums) < MOST_MODALITIES
        modality = detail.modality if is_told_apart else MediaModality.MODALITY_UNSPECIFIED
        known = sums.get(str(modality))
        count = (known.token_count or 0 if known else 0) + (detail.token_count or 0)
        sums[str(modality)] = ModalityTokenCount(modality=modality, token_count=count)
    return list(sums.values())


def usage_of(messages: Iterable[LiveServerMessage]) -> UsageMetadata | None:
    """The sum of the usage reports in these messages; None without reports."""
    total = None
    for message in messages:
        if message.usage_metadata is not None:
            total = added(total, message.usage_metadata)
    return total
