"""The tree of errors: what each also is, and that it survives pickling whole."""

from __future__ import annotations

import pickle

import pytest

from genai_live import errors
from genai_live.errors import CloseInfo, ErrorKind, Phase, SentBy

INFO = CloseInfo(1008, "reason", SentBy.SERVER, Phase.TURN, turn_open=True)
SERVICE_ERROR = errors.ServiceError("words", 429, "RESOURCE_EXHAUSTED", "too much", ("partial",))
EXAMPLES = [
    errors.ConfigError("is wrong", "config.tools"),
    errors.WrongThread("words"),
    errors.DecodeError("words", 12),
    errors.CallbackError("words"),
    errors.SoundSourceError("words"),
    errors.ToolError("words"),
    errors.ReceiveTimeout("words", ("partial",)),
    errors.TurnLost(INFO, ("partial",)),
    errors.NotConnected("words"),
    errors.OutboxFull("words"),
    errors.DeviceError("the microphone cannot be opened"),
    errors.EndFull("ten minutes of sound wait"),
    errors.NotAsync([], "for"),
    errors.APIError("words", 200, "body"),
    errors.ClientError("words", 403, "body"),
    errors.ServerError("words", 503, "body"),
    errors.ConnectError("words", Phase.PROXY),
    errors.ConnectTimeout("words", Phase.TLS),
    errors.CredentialsError("words", Phase.CREDENTIALS),
    errors.HandshakeRejected("words", 503, "body"),
    errors.SetupRejected("words", INFO),
    SERVICE_ERROR,
    errors.SetupError("words", SERVICE_ERROR),
    errors.ClosedByServer("words", INFO),
    errors.ConnectionLost("words", INFO),
    errors.ForkedSession("words", INFO),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_with_all_it_says(error: errors.LiveError) -> None:
    error.kind = ErrorKind.QUOTA
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_every_kind_of_error_has_an_example_here() -> None:
    def below(cls: type) -> set[type]:
        ours = (child for child in cls.__subclasses__() if child.__module__.startswith("genai_live."))
        return {cls, *(each for child in ours for each in below(child))}

    assert below(errors.LiveError) - {errors.LiveError, errors.SessionClosed} == {type(error) for error in EXAMPLES}


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ConfigError, ValueError),
        (errors.ReceiveTimeout, TimeoutError),
        (errors.ConnectTimeout, TimeoutError),
        (errors.ConnectError, ConnectionError),
        (errors.SessionClosed, ConnectionError),
        (errors.WrongThread, RuntimeError),
        (errors.NotAsync, TypeError),
    ],
)
def test_errors_are_also_what_python_calls_them(kind: type, builtin: type) -> None:
    assert issubclass(kind, builtin)


def test_a_config_error_begins_with_the_path() -> None:
    assert str(EXAMPLES[0]) == "config.tools: is wrong"


def test_a_connect_error_has_a_close_info_even_when_the_server_sent_no_close_frame() -> None:
    error = errors.ConnectTimeout("the time was used up", Phase.DIALLING)
    assert error.close_info == CloseInfo(1006, "the time was used up", SentBy.NETWORK, Phase.DIALLING)


def test_a_close_info_reads_as_a_sentence() -> None:
    assert str(INFO) == "closed by server in phase 'mid-turn' with code 1008 \"reason\", an answer was still due"
