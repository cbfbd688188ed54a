"""What ends and refusals mean: real reasons of the service, by prefix, and the errors that observers get."""

from __future__ import annotations

import pytest

from genai_live._close_reasons import closed_error, of_close, of_status, setup_rejected
from genai_live.errors import ClosedByServer, CloseInfo, ConnectionLost, ErrorKind, Phase, SentBy, SessionClosed

SEEN = [
    (1000, "The operation was cancelled.", ErrorKind.EXPIRED, True),
    (1007, "Request contains an invalid argument.", ErrorKind.BAD_REQUEST, False),
    (1007, "Precondition check failed.", ErrorKind.BAD_REQUEST, False),
    (1007, "Invalid JSON payload received. Unknown name \"x\" at 'setup': Cannot find field.", ErrorKind.BAD_REQUEST, False),
    (1007, "API key expired. Please renew the API key.", ErrorKind.AUTH, False),
    (1007, "API key not valid. Please pass a valid API key.", ErrorKind.AUTH, False),
    (1007, "User location is not supported for the API us", ErrorKind.AUTH, False),
    (
        1008,
        "models/m is not found for API version v1beta, or is not supported for bidiGenerateContent. Call",
        ErrorKind.MODEL_NOT_FOUND,
        False,
    ),
    (1008, "Publisher Model `projects/p/locations/l/publishers/google/mo", ErrorKind.MODEL_NOT_FOUND, False),
    (1008, "Your API key was reported as leaked. Please use another API key.", ErrorKind.AUTH, False),
    (1008, "Permission denied on resource project None.", ErrorKind.AUTH, False),
    (1008, "Method doesn't allow unregistered callers (callers without established identity).", ErrorKind.AUTH, False),
    (1008, "The operation was aborted.", ErrorKind.EXPIRED, True),
    (1008, "Operation is not implemented, or supported, or enabled.", ErrorKind.BAD_REQUEST, False),
    (1011, "Internal error encountered.", ErrorKind.UNAVAILABLE, True),
    (1011, "The service is currently unavailable.", ErrorKind.UNAVAILABLE, True),
    (1011, "Deadline expired before operation could complete.", ErrorKind.EXPIRED, True),
    (1011, "You exceeded your current quota, please check your plan and billing details. For more", ErrorKind.QUOTA, False),
    (1011, "", ErrorKind.UNAVAILABLE, True),
    (1001, "", ErrorKind.UNAVAILABLE, True),
    (4000, "", ErrorKind.OTHER, False),
]


@pytest.mark.parametrize(("code", "reason", "kind", "retryable"), SEEN)
def test_reasons_that_the_service_was_seen_to_give_are_classified(
    code: int, reason: str, kind: ErrorKind, retryable: bool
) -> None:
    error = closed_error(CloseInfo(code, reason, SentBy.SERVER, Phase.IDLE))
    assert isinstance(error, ClosedByServer)
    assert (error.kind, error.retryable) == (kind, retryable)
    assert reason in str(error)


def test_a_field_that_an_api_version_does_not_know_is_told_with_the_version_that_does() -> None:
    reason = "Invalid JSON payload received. Unknown name \"proactivity\" at 'setup': Cannot find field."
    assert "'api_version': 'v1alpha'" in str(closed_error(CloseInfo(1007, reason, SentBy.SERVER, Phase.SETUP)))


def test_a_model_that_an_api_version_does_not_have_is_told_with_the_setting_of_the_version() -> None:
    reason = "models/m is not found for API version v1alpha, or is not supported for bidiGenerateContent. Call"
    assert "http_options={'api_version': 'v1beta'}" in of_close(CloseInfo(1008, reason, SentBy.SERVER, Phase.SETUP)).advice


def test_a_model_that_vertex_ai_does_not_serve_in_a_location_is_told_with_one_that_may() -> None:
    reason = "Publisher Model `projects/p/locations/global/publishers/google/models/gemini-live-2.5-flash-native-audio` was not"
    verdict = of_close(CloseInfo(1008, reason, SentBy.SERVER, Phase.SETUP))
    assert "native audio models not in 'global'" in verdict.advice
    assert "location='us-central1'" in verdict.advice


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1007, "API key not valid. Please pass a valid API key."),
        (1008, "models/m is not found for API version v1beta, or is not supported for bidiGenerateContent. Call"),
        (1008, "Requested entity was not found."),
        (1007, ""),
    ],
)
def test_the_error_of_a_refused_token_names_both_versions(code: int, reason: str) -> None:
    url = "wss://host/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContentConstrained"
    info = CloseInfo(code, reason, SentBy.SERVER, Phase.SETUP)
    assert "'api_version': 'v1alpha'} instead of 'v1beta'" in str(setup_rejected(info, url))
    assert "v1alpha" not in str(setup_rejected(info, url.removesuffix("Constrained")))


def test_a_token_has_no_part_in_a_quota_that_is_used_up() -> None:
    info = CloseInfo(1011, "You exceeded your current quota", SentBy.SERVER, Phase.SETUP)
    assert "v1alpha" not in str(setup_rejected(info, "wss://host/ws/GenerativeService.BidiGenerateContentConstrained"))


def test_a_reason_cut_at_123_bytes_is_still_recognised() -> None:
    whole = "You exceeded your current quota, please check your plan and billing details. " * 3
    assert of_close(CloseInfo(1011, whole[:123], SentBy.SERVER, Phase.SETUP)).kind is ErrorKind.QUOTA


def test_an_end_by_the_network_is_never_taken_for_the_servers() -> None:
    error = closed_error(CloseInfo(1006, "no byte came for 60 s", SentBy.NETWORK, Phase.TURN, turn_open=True))
    assert isinstance(error, ConnectionLost)
    assert error.retryable


def test_an_end_by_this_program_says_so() -> None:
    error = closed_error(CloseInfo(1000, "", SentBy.CLIENT, Phase.IDLE))
    assert type(error) is SessionClosed
    assert "this program closed it" in str(error)


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (401, ErrorKind.AUTH, False),
        (403, ErrorKind.AUTH, False),
        (404, ErrorKind.MODEL_NOT_FOUND, False),
        (407, ErrorKind.AUTH, False),
        (429, ErrorKind.QUOTA, False),
        (500, ErrorKind.UNAVAILABLE, True),
        (503, ErrorKind.UNAVAILABLE, True),
    ],
)
def test_http_statuses_are_classified(status: int, kind: ErrorKind, retryable: bool) -> None:
    assert of_status(status)[:2] == (kind, retryable)


@pytest.mark.parametrize(
    ("info", "clean"),
    [
        (CloseInfo(1000, "", SentBy.CLIENT, Phase.TURN, turn_open=True), True),
        (CloseInfo(1000, "", SentBy.SERVER, Phase.IDLE), True),
        (CloseInfo(1000, "", SentBy.SERVER, Phase.TURN, turn_open=True), False),
        (CloseInfo(1001, "", SentBy.SERVER, Phase.IDLE), False),
        (CloseInfo(1006, "", SentBy.NETWORK, Phase.IDLE), False),
    ],
)
def test_an_end_is_clean_only_when_nothing_was_lost(info: CloseInfo, clean: bool) -> None:
    assert info.clean is clean
