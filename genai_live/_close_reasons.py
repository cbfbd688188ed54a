"""The table from close codes, reasons and HTTP statuses to errors: kind, retryable, advice. Pure: runs on any thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from genai_live._backends import (
    CONSTRAINED_METHOD,
    EPHEMERAL_TOKEN_API_VERSION,
    MLDEV,
    OTHER_TOKEN_API_VERSION,
    VERTEX,
)
from genai_live.errors import (
    ClosedByServer,
    CloseInfo,
    ConnectError,
    ConnectionLost,
    ErrorKind,
    LiveError,
    Phase,
    SentBy,
    ServiceError,
    SessionClosed,
    SetupError,
    SetupRejected,
)


class Verdict(NamedTuple):
    """The meaning of an end: what it is about, whether the same call may succeed later, and what to do."""

    kind: ErrorKind
    retryable: bool
    advice: str


_AUTH = Verdict(ErrorKind.AUTH, False, "Check the API key or credentials, and that the project may use the Live API.")
_QUOTA = Verdict(
    ErrorKind.QUOTA, False, "Check the plan, quota and billing of the key's project; retrying at once will not help."
)
_MODEL = Verdict(
    ErrorKind.MODEL_NOT_FOUND,
    False,
    "Check the model's name (client.live.models() lists those that talk live), and the API version, which"
    f" http_options={{'api_version': '{MLDEV.api_version}'}} sets.",
)
_NO_ADDRESS = Verdict(
    ErrorKind.MODEL_NOT_FOUND,
    False,
    f"Nothing is served at this address in this API version: set http_options={{'api_version': '{MLDEV.api_version}'}}"
    f" ('{VERTEX.api_version}' on Vertex AI), or correct the base URL.",
)
_NOT_HERE = Verdict(
    ErrorKind.MODEL_NOT_FOUND,
    False,
    "Check the model's name and the location: Vertex AI serves a model in some locations only, and native audio models not in"
    " 'global'; name a region that has it, for example location='us-central1'.",
)
_BAD_REQUEST = Verdict(
    ErrorKind.BAD_REQUEST,
    False,
    "Check what was sent last against the model's documentation; the same request will be refused again.",
)
_UNKNOWN_FIELD = Verdict(
    ErrorKind.BAD_REQUEST,
    False,
    "Leave that field out, or set http_options={'api_version': 'v1alpha'}: older API versions do not know the newest fields.",
)
_REGION = Verdict(ErrorKind.AUTH, False, "The service is not offered where this machine is; use a region that has it.")
_UNAVAILABLE = Verdict(ErrorKind.UNAVAILABLE, True, "The service had a fault of its own; try again after a second or more.")
_EXPIRED = Verdict(
    ErrorKind.EXPIRED, True, "The connection reached its age limit; connect again, with the resumption handle if there is one."
)
_NETWORK = Verdict(ErrorKind.NETWORK, True, "Check the network between this machine and the service, then connect again.")
_OTHER = Verdict(ErrorKind.OTHER, False, "")

_BY_REASON: tuple[tuple[str, Verdict], ...] = (
    # Prefixes, because a reason is cut at 123 bytes; lower case; first match wins. All were seen from the service.
    ("api key expired", _AUTH),
    ("api key not valid", _AUTH),
    ("api key not found", _AUTH),
    ("your api key was reported as leaked", _AUTH),
    ("permission denied", _AUTH),
    ("method doesn't allow unregistered callers", _AUTH),
    ("request had invalid authentication", _AUTH),
    ("request is missing required authentication", _AUTH),
    ("token has expired", _AUTH),
    ("auth token", _AUTH),
    ("user location is not supported", _REGION),
    ("you exceeded your current quota", _QUOTA),
    ("resource has been exhausted", _QUOTA),
    ("quota exceeded", _QUOTA),
    ("your prepayment credits are depleted", _QUOTA),
    ("models/", _MODEL),
    ("publisher model", _NOT_HERE),
    ("bidigeneratecontent session not found", _EXPIRED),
    ("deadline expired", _EXPIRED),
    ("the operation was cancelled", _EXPIRED),
    ("the operation was aborted", _EXPIRED),
    ("session has expired", _EXPIRED),
    ("the service is currently unavailable", _UNAVAILABLE),
    ("internal error", _UNAVAILABLE),
    ("request trace id", _UNAVAILABLE),
    ("invalid json payload received. unknown name", _UNKNOWN_FIELD),
    ("invalid json payload", _BAD_REQUEST),
    ("request contains an invalid argument", _BAD_REQUEST),
    ("precondition check failed", _BAD_REQUEST),
    ("operation is not implemented", _BAD_REQUEST),
    ("requested entity was not found", _BAD_REQUEST),
)

_BY_CODE: dict[int, Verdict] = {
    1001: _UNAVAILABLE,
    1006: _NETWORK,
    1007: _BAD_REQUEST,
    1008: _BAD_REQUEST,
    1011: _UNAVAILABLE,
    1012: _UNAVAILABLE,
    1013: _UNAVAILABLE,
    1014: _UNAVAILABLE,
}

_BY_STATUS: dict[int, Verdict] = {
    400: _BAD_REQUEST,
    401: _AUTH,
    403: _AUTH,
    404: _NO_ADDRESS,
    407: Verdict(ErrorKind.AUTH, False, "The proxy wants a user name and a password: put them into the proxy's URL."),
    408: _UNAVAILABLE,
    429: Verdict(ErrorKind.QUOTA, False, _QUOTA.advice),
}
_SERVER_FAULTS = range(500, 600)


_OURS: dict[int, Verdict] = {
    1009: Verdict(ErrorKind.OTHER, False, "Raise http_options max_message_bytes if messages of this size are meant."),
    1002: Verdict(ErrorKind.OTHER, False, "What answers there, or a proxy on the way, does not keep to RFC 6455."),
    1007: Verdict(ErrorKind.OTHER, False, "What answers there, or a proxy on the way, sends text that is not UTF-8."),
}
"""Ends by this client because of what the peer sent."""

_OF_A_TOKEN = (
    f"A token connects to the API version that it was made on: if another program made it, try http_options={{'api_version':"
    f" '{OTHER_TOKEN_API_VERSION}'}} instead of '{EPHEMERAL_TOKEN_API_VERSION}', or the other way round."
)
_VERSIONS_OF_TOKENS = f"Tokens are made on '{EPHEMERAL_TOKEN_API_VERSION}' or '{OTHER_TOKEN_API_VERSION}'."
_ON_THE_WAY_IN: tuple[tuple[str, frozenset[Verdict], str], ...] = (
    (CONSTRAINED_METHOD, frozenset({_AUTH, _MODEL, _NO_ADDRESS, _BAD_REQUEST}), _OF_A_TOKEN),
    ("/auth_tokens", frozenset({_NO_ADDRESS}), _VERSIONS_OF_TOKENS),
)
"""A part of the address, the refusals there that may mean more, and what else to do then."""


def of_close(info: CloseInfo) -> Verdict:
    """What a close means: its reason decides, then its code."""
    if info.sent_by is SentBy.NETWORK:
        return _OURS.get(info.code, _NETWORK)
    return _by_reason(info.reason) or _BY_CODE.get(info.code, _OTHER)


def of_status(status: int, body: str = "") -> Verdict:
    """What an HTTP answer means: the words in its body decide, then its status."""
    if status in _SERVER_FAULTS:
        return _UNAVAILABLE
    return _BY_STATUS.get(status) or _by_reason(body) or _OTHER


def on_the_way_in(verdict: Verdict, safe_url: str) -> Verdict:
    """The same for a request that was refused before a session began, with what its address adds."""
    for part, verdicts, advice in _ON_THE_WAY_IN:
        if part in safe_url and verdict in verdicts:
            verdict = Verdict(verdict.kind, verdict.retryable, f"{verdict.advice} {advice}")
    return verdict


def judged(error: LiveError, verdict: Verdict) -> LiveError:
    """The error with its kind, whether a retry can help, and its advice set."""
    error.kind, error.retryable, error.advice = verdict
    return error


def closed_error(info: CloseInfo) -> SessionClosed:
    """A new error for the end of the session."""
    verdict = of_close(info)
    if info.sent_by is SentBy.CLIENT:
        return SessionClosed("the session is closed: this program closed it. Connect again to go on.", info)
    message = f"the session has ended: {info}. {verdict.advice}".rstrip()
    error = (ClosedByServer if info.sent_by is SentBy.SERVER else ConnectionLost)(message, info)
    judged(error, verdict)
    return error


def setup_rejected(info: CloseInfo, safe_url: str) -> SetupRejected:
    """The error of connect() for an end between the upgrade and setupComplete."""
    verdict = on_the_way_in(of_close(info), safe_url)
    words = f' "{info.reason}"' if info.reason else ""
    message = f"the {info.sent_by} closed during setup with code {info.code}{words}. {verdict.advice}".rstrip()
    error = SetupRejected(f"{message} ({safe_url})", info)
    judged(error, verdict)
    return error


def service_error(fields: Mapping[str, Any]) -> ServiceError | None:
    """The error that a message of the service is, flat or under "error"; None for any other message with unknown fields.

    The service was seen to close in place of that; gateways and hand-written servers send Google's usual error object.
    """
    nested = fields.get("error")
    found = nested if isinstance(nested, Mapping) else fields if _is_error(fields) else None
    if found is None and not (isinstance(nested, str) and nested):
        return None
    given = found or {"message": nested}
    code, status, words = given.get("code"), given.get("status"), given.get("message")
    number = int(code) if isinstance(code, (int, float, str)) and str(code).isdecimal() else None
    name, said = str(status or ""), str(words or "")
    verdict = _by_reason(said) or (of_status(number) if number else None) or _OTHER
    what = " ".join(part for part in (str(number or ""), name) if part) or "an error"
    message = f"the service answered with {what}" + (f': "{said}"' if said else "") + f". {verdict.advice}"
    error = ServiceError(message.rstrip(), number, name, said)
    judged(error, verdict)
    return error


def _is_error(fields: Mapping[str, Any]) -> bool:
    return "code" in fields and ("message" in fields or "status" in fields)


def setup_error(error: ServiceError, safe_url: str) -> SetupError:
    """The error of connect() for a setup that was answered with an error message."""
    failure = SetupError(f"the setup was refused: {error} ({safe_url})", error)
    judged(failure, Verdict(error.kind, error.retryable, error.advice))
    return failure


def as_connect_error(error: LiveError, phase: Phase) -> ConnectError:
    """Any other error of the library as what connect() raises."""
    failure = ConnectError(str(error), phase)
    failure.kind, failure.retryable, failure.advice = error.kind, error.retryable, error.advice
    failure.__cause__ = error
    return failure


def _by_reason(reason: str) -> Verdict | None:
    words = reason.strip().lower()
    return next((verdict for prefix, verdict in _BY_REASON if words.startswith(prefix)), None)
