"""When connect() tries again: decisions, with numbers."""

from __future__ import annotations

import pytest

from genai_live._close_reasons import judged, of_status
from genai_live._connection.opening import FIRST_PAUSE, LONGEST_PAUSE, may_pass, next_try_in, pause
from genai_live.errors import (
    ConnectError,
    ConnectTimeout,
    CredentialsError,
    ErrorKind,
    HandshakeRejected,
    Phase,
)


def refused(status: int) -> HandshakeRejected:
    error = HandshakeRejected(f"HTTP {status}", status, "")
    judged(error, of_status(status))
    return error


def network() -> ConnectError:
    error = ConnectError("refused", Phase.DIALLING)
    error.kind, error.retryable = ErrorKind.NETWORK, True
    return error


def test_pauses_double_up_to_a_longest_one() -> None:
    assert [pause(tried, 1.0) for tried in range(1, 8)] == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert pause(1, 1.0) == FIRST_PAUSE
    assert pause(1000, 1.0) == LONGEST_PAUSE


def test_chance_takes_up_to_half_of_a_pause() -> None:
    assert [pause(2, chance) for chance in (0.0, 0.5, 1.0)] == [0.25, 0.375, 0.5]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_the_services_own_faults_are_tried_again(status: int) -> None:
    assert may_pass(refused(status))


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 407, 408, 429])
def test_no_other_answer_ever_is(status: int) -> None:
    assert not may_pass(refused(status))


def test_the_network_is_tried_again_and_credentials_and_expired_handles_are_not() -> None:
    assert may_pass(network())
    assert not may_pass(CredentialsError("none", Phase.CREDENTIALS))
    expired = network()
    expired.kind = ErrorKind.EXPIRED
    assert not may_pass(expired)
    certificate = network()
    certificate.retryable = False
    assert not may_pass(certificate)


def test_there_are_as_many_further_tries_as_were_asked_for() -> None:
    assert [next_try_in(network(), tried, 2, None, 1.0) for tried in (1, 2, 3)] == [0.25, 0.5, None]
    assert next_try_in(network(), 1, 0, None, 1.0) is None


def test_a_pause_that_would_outlive_the_timeout_is_not_begun() -> None:
    assert next_try_in(network(), 1, 5, 0.3, 1.0) == 0.25
    assert next_try_in(network(), 1, 5, 0.25, 1.0) is None
    assert next_try_in(ConnectTimeout("late", Phase.TLS), 1, 5, 0.0, 0.0) is None
