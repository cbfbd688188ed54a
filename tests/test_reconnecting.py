"""Whether a session is opened again, when and with which handle: decisions from ends and times alone."""

from __future__ import annotations

import pytest

from genai_live._close_reasons import setup_rejected
from genai_live._connection.reconnecting import (
    LONGEST_PAUSE,
    STABLE_AFTER,
    End,
    Outage,
    Try,
    leave_by,
)
from genai_live.errors import (
    CloseInfo,
    ConfigError,
    ConnectError,
    ConnectTimeout,
    CredentialsError,
    HandshakeRejected,
    Phase,
    SentBy,
)
from genai_live.reconnection import FIRST_PAUSE, ReconnectPolicy

HANDLE = "handle-1"


def end(code: int = 1006, reason: str = "", by: SentBy = SentBy.NETWORK, phase: Phase = Phase.IDLE) -> End:
    return End(CloseInfo(code, reason, by, phase))


def refused(code: int, reason: str) -> End:
    info = CloseInfo(code, reason, SentBy.SERVER, Phase.SETUP)
    return End(info, setup_rejected(info, "wss://service"))


def failed(error: ConnectError) -> End:
    return End(error.close_info, error)


LOST = end()


@pytest.mark.parametrize(
    "passing",
    [
        LOST,
        end(1000, "", SentBy.SERVER),
        end(1000, "The operation was cancelled.", SentBy.SERVER),
        end(1001, "going away", SentBy.SERVER),
        end(1008, "The operation was aborted.", SentBy.SERVER),
        end(1011, "Internal error encountered.", SentBy.SERVER),
        end(1011, "The service is currently unavailable.", SentBy.SERVER),
        end(1011, "Deadline expired before operation could complete.", SentBy.SERVER),
        End(CloseInfo(1008, "anything", SentBy.SERVER, Phase.IDLE), announced=True),
        End(CloseInfo(1000, "", SentBy.CLIENT, Phase.IDLE), announced=True),
        refused(1011, "Internal error encountered."),
        failed(ConnectTimeout("no answer", Phase.UPGRADE)),
    ],
    ids=str,
)
def test_ends_by_network_age_and_faults_of_the_service_are_followed_by_another_attempt(passing: End) -> None:
    assert Outage(ReconnectPolicy()).next_try(passing, HANDLE, 100.0, 0.0) == Try(FIRST_PAUSE, HANDLE)


@pytest.mark.parametrize(
    "final",
    [
        end(1000, "", SentBy.CLIENT),
        end(1007, "Request contains an invalid argument.", SentBy.SERVER),
        end(1007, "API key expired. Please renew the API key.", SentBy.SERVER),
        end(1008, "models/x is not found for API version v1beta", SentBy.SERVER),
        end(1011, "You exceeded your current quota, please check", SentBy.SERVER),
        end(1002, "a frame with reserved bits"),
        end(1009, "a message of 70,000,000 bytes"),
        refused(1008, "BidiGenerateContent session not found"),
        refused(1007, "Request contains an invalid argument."),
        failed(HandshakeRejected("no", 403, "")),
        failed(CredentialsError("no credentials", Phase.CREDENTIALS)),
    ],
    ids=str,
)
def test_ends_that_would_come_again_are_not_followed_by_another_attempt(final: End) -> None:
    assert Outage(ReconnectPolicy()).next_try(final, HANDLE, 100.0, 0.0) is None


def test_without_a_handle_there_is_nothing_to_go_on_with() -> None:
    assert Outage(ReconnectPolicy()).next_try(LOST, None, 100.0, 0.0) is None


def test_a_policy_may_ask_for_a_fresh_session_where_there_is_no_handle() -> None:
    assert Outage(ReconnectPolicy(fresh_session=True)).next_try(LOST, None, 100.0, 0.0) == Try(FIRST_PAUSE, None)


def test_a_refused_handle_is_not_tried_again_by_a_policy_of_fresh_sessions() -> None:
    outage = Outage(ReconnectPolicy(fresh_session=True))
    assert outage.next_try(LOST, HANDLE, 100.0, 0.0) == Try(FIRST_PAUSE, HANDLE)
    following = outage.next_try(refused(1008, "BidiGenerateContent session not found"), HANDLE, 102.0, 0.0)
    assert following is not None
    assert following.handle is None
    later = outage.next_try(failed(ConnectTimeout("no answer", Phase.DIALLING)), HANDLE, 105.0, 0.0)
    assert later is not None
    assert later.handle is None


def test_a_fresh_session_that_is_refused_too_is_the_end() -> None:
    outage = Outage(ReconnectPolicy(fresh_session=True))
    outage.next_try(LOST, HANDLE, 100.0, 0.0)
    outage.next_try(refused(1007, "Request contains an invalid argument."), HANDLE, 102.0, 0.0)
    assert outage.next_try(refused(1007, "Request contains an invalid argument."), HANDLE, 105.0, 0.0) is None


def pauses(outage: Outage, chance: float = 0.0) -> list[float]:
    now, found = 0.0, []
    while following := outage.next_try(LOST if not found else failed(ConnectTimeout("", Phase.DIALLING)), HANDLE, now, chance):
        found.append(following.pause)
        now += following.pause
    return found


def test_pauses_grow_up_to_a_limit_until_the_time_for_it_is_used_up() -> None:
    found = pauses(Outage(ReconnectPolicy(give_up_after=100.0)))
    assert found == sorted(found)
    assert found[:2] == [FIRST_PAUSE, pytest.approx(FIRST_PAUSE * 1.6)]
    assert found[-1] == LONGEST_PAUSE
    assert 100.0 - LONGEST_PAUSE < sum(found) <= 100.0


def test_a_session_that_nothing_ends_goes_on_trying_for_a_day() -> None:
    day = 24 * 3600.0
    assert sum(pauses(Outage(ReconnectPolicy(give_up_after=day)))) > day - LONGEST_PAUSE


def test_chance_only_lengthens_a_pause() -> None:
    assert pauses(Outage(ReconnectPolicy()), 1.0)[0] == pytest.approx(FIRST_PAUSE * 1.2)


def test_a_connection_that_dies_at_once_again_and_again_comes_to_its_end() -> None:
    outage, now, attempts = Outage(ReconnectPolicy(give_up_after=30.0)), 0.0, 0
    while (following := outage.next_try(LOST, HANDLE, now, 0.0)) is not None:
        attempts += 1
        now += following.pause
        outage.opened(now)
        now += STABLE_AFTER / 10
    assert 3 <= attempts <= 10


def test_a_connection_that_lived_begins_a_new_outage() -> None:
    outage = Outage(ReconnectPolicy(give_up_after=10.0))
    outage.next_try(LOST, HANDLE, 0.0, 0.0)
    outage.opened(1.25)
    assert outage.next_try(LOST, HANDLE, 1.25 + STABLE_AFTER, 0.0) == Try(FIRST_PAUSE, HANDLE)
    assert (outage.attempts, outage.began) == (1, 1.25 + STABLE_AFTER)


@pytest.mark.parametrize(("time_left", "until"), [(50.0, 45.0), (6.0, 3.0), (0.0, 0.0), (None, 0.0)])
def test_a_connection_may_be_used_until_shortly_before_the_time_of_its_go_away(time_left: float | None, until: float) -> None:
    assert leave_by(100.0, time_left) == 100.0 + until


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        (None, None),
        (False, None),
        (True, ReconnectPolicy()),
        (ReconnectPolicy(give_up_after=5), ReconnectPolicy(give_up_after=5)),
        ({"give_up_after": 5}, ReconnectPolicy(give_up_after=5)),
    ],
)
def test_a_policy_is_taken_as_a_flag_an_object_or_a_dict(given: object, policy: ReconnectPolicy | None) -> None:
    assert ReconnectPolicy.of(given) == policy


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("yes", "takes True, False or a ReconnectPolicy, not str"),
        (1, "takes True, False or a ReconnectPolicy, not int"),
        ({"forever": True}, "unknown setting 'forever'; known are give_up_after, first_pause, fresh_session, outbox_bytes"),
        ({"give_up_after": 0}, "reconnect.give_up_after: must be a number above 0, not 0"),
        ({"outbox_bytes": "1"}, "reconnect.outbox_bytes: must be a number above 0, not str"),
        ({"first_pause": float("nan")}, "reconnect.first_pause: must be a number above 0, not nan"),
        ({"fresh_session": 1}, "reconnect.fresh_session: must be True or False, not 1"),
    ],
)
def test_anything_else_is_refused_with_what_is_taken(given: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ReconnectPolicy.of(given)
