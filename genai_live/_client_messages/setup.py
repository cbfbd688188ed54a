"""Config to setup message: everything is checked and serialised before anything is dialled. Pure: runs on any thread.

What wins over what, weakest first: the deprecated ``generation_config``, the fields beside it, ``resume=``, ``extra_setup=``.
The default of AUDIO on Vertex AI is added last, and only where none of them names a modality.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from genai_live._backends import Backend
from genai_live._client_messages.contents import FORMS
from genai_live._client_messages.declaration_form import in_form_of
from genai_live._client_messages.family_checks import Model, check_setup
from genai_live._client_messages.first_message import Setup
from genai_live._client_messages.tool_list import tool_list
from genai_live._deadline import Deadline
from genai_live._validation import Checker, merged, not_endless, places_in, spelled, text_of, unknown_key
from genai_live.errors import ConfigError
from genai_live.families import OnBackend, family_of
from genai_live.types import Content, GenerationConfig, HttpOptions, LiveClientSetup, LiveConnectConfig, Schema
from genai_live.types._base import Message, WireField, fields_of, names_of
from genai_live.types._values import WrongType, write_json

PATH = "config"
"""What paths in errors begin with."""
_GENERATION = "generationConfig"
_MODALITIES = "responseModalities"
_DEFAULT_MODALITIES = ["AUDIO"]
"""What both services answer in by default; Vertex AI has to be asked for it."""
_NOT_IN_LIVE = {
    "response_mime_type": "Live answers are speech or plain text",
    "response_schema": "Live answers are speech or plain text; declare a function when you need structure",
    "response_json_schema": "Live answers are speech or plain text; declare a function when you need structure",
    "stop_sequences": "a Live answer is ended by its listener",
    "logprobs": "Live answers carry no log probabilities",
    "response_logprobs": "Live answers carry no log probabilities",
    "routing_config": "a Live session stays with the model that it was opened for",
    "audio_timestamp": "Live input is timed by its arrival",
}
"""Members of generation_config that the service's Live reference lists as unsupported, with the reason for the error."""
_WITH_COMMON_NAMES: frozenset[type[Message]] = frozenset({Content, HttpOptions, Schema})
"""Types whose fields have names such as "type" and "headers", so that a hint where one of these lives would be ambiguous."""
_FOREIGN_KEYS = {
    "audioConfig": "the input's rate is part of its MIME type (audio/pcm;rate=16000), the output is PCM whose rate its MIME type"
    " tells (24,000 Hz), and the voice is speech_config",
    "toolConfig": "Live sessions take no tool_config; leave a tool out to keep the model from it",
    "outputTranscription": "did you mean 'output_audio_transcription'?",
    "inputTranscription": "did you mean 'input_audio_transcription'?",
    "model": "the model is an argument of connect()",
    "systemPrompt": "did you mean 'system_instruction'?",
    "vad": "speech detection is realtime_input_config={'automatic_activity_detection': {...}}",
    "abortSignal": "connect(timeout=...) limits connecting, and close() ends a session from any thread",
    "callbacks": "the callbacks are an argument of connect()",
}
"""Keys that documentation or other clients have and this config has not, with the place where the setting lives."""


class GivenConfig(NamedTuple):
    """The settings of a config that a caller gave, found once: checked for their names, not yet for their values."""

    fields: Mapping[str, Any]
    """By their names in Python; what is None was not given."""
    unknown: Mapping[str, Any]

    @classmethod
    def of(cls, config: Config, path: str = PATH) -> GivenConfig:
        """The settings of a config, which is not changed.

        Raises:
            ConfigError: it is neither LiveConnectConfig nor dict, or names a setting twice.
        """
        if isinstance(config, GivenConfig):
            return config
        return cls(*spelled(LiveConnectConfig, {} if config is None else config, path))


Config: TypeAlias = LiveConnectConfig | Mapping[str, Any] | GivenConfig | None


class Client(OnBackend, Protocol):
    """What the setup needs to know of an ApiClient."""

    @property
    def backend(self) -> Backend:
        """Whose rules apply."""
        ...

    def model_path(self, model: str, deadline: Deadline | None = None) -> str:
        """The model's resource name."""
        ...


class ConfigurableClient(Client, Protocol):
    """An ApiClient that one session may reach under another address."""

    def with_options(self: C, http_options: Any) -> C:
        """The same with the session's own options."""
        ...


C = TypeVar("C", bound="ConfigurableClient")


def connection_options(api_client: C, config: Config) -> C:
    """The client for one session: with the base_url, api_version and headers of ``config.http_options``.

    Raises:
        ConfigError: another member of http_options, or a config that is neither object nor dict.
    """
    return api_client.with_options(GivenConfig.of(config).fields.get("http_options"))


def setup_message(
    api_client: Client,
    model: str,
    config: Config = None,
    *,
    resume: str | None = None,
    resumable: bool = False,
    extra_setup: Mapping[str, Any] | None = None,
    history: Any = None,
    deadline: Deadline | None = None,
) -> Setup:
    """The first message of a session; no input is changed.

    Args:
        api_client: Whose backend, project and location apply.
        model: The model's name.
        config: LiveConnectConfig or a dict of it, in snake_case, camelCase or both, at any depth.
        resume: Handle of an earlier session.
        resumable: True asks for handles, even if the config does not.
        extra_setup: Members of ``setup`` newer than this library; wins over everything else.
        history: Whether history follows: anything but None sets historyConfig.initialHistoryInClientContent.
        deadline: For looking up the project of Vertex AI's default credentials.

    Raises:
        ConfigError: with the full path of what is wrong, or of what the model's family refuses.
    """
    path = api_client.model_path(model, deadline)
    fields = setup_fields(api_client, model, config, resume=resume, resumable=resumable, extra_setup=extra_setup, history=history)
    return Setup({"model": path, **fields})


def setup_fields(
    api_client: Client,
    model: str,
    config: Config = None,
    *,
    resume: str | None = None,
    resumable: bool = False,
    extra_setup: Mapping[str, Any] | None = None,
    history: Any = None,
) -> dict[str, Any]:
    """All that the message holds but the model, for whose resource name a project may have to be looked up. Pure.

    Raises:
        ConfigError: as for ``setup_message``.
    """
    backend = api_client.backend
    setup = config_fields(backend, config)
    family = family_of(model, api_client)
    check_setup(setup, extra_setup if isinstance(extra_setup, Mapping) else {}, Model(model, family), PATH)
    if "tools" in setup:
        setup["tools"] = in_form_of(family, setup["tools"])
    _add_session(setup, resume, resumable, history)
    _add_extra(setup, Checker(backend, FORMS), extra_setup)
    if backend.is_vertex and not setup.get(_GENERATION, {}).get(_MODALITIES):
        setup[_GENERATION] = {**setup.get(_GENERATION, {}), _MODALITIES: list(_DEFAULT_MODALITIES)}
    return setup


def config_fields(backend: Backend, config: Config, path: str = PATH) -> dict[str, Any]:
    """What a config puts into ``setup``, without model and defaults; ``path`` is what errors call it.

    Raises:
        ConfigError: with the full path of what is wrong.
    """
    given, unknown = GivenConfig.of(config, path)
    if unknown:
        key = next(iter(unknown))
        raise unknown_key(LiveConnectConfig, key, path, _foreign_hint(key, path))
    with not_endless(path):
        setup = _fields(Checker(backend, FORMS, places=_places(path)), given, path)
    _check_modalities(setup, given, path)
    return setup


def _foreign_hint(key: str, path: str) -> str:
    for name, hint in _FOREIGN_KEYS.items():
        if key.replace("_", "").lower() == name.lower():
            return hint
    not_in_live = _NOT_IN_LIVE.get(names_of(GenerationConfig).get(key, ""))
    if not_in_live is not None:
        return f"not usable in a Live session: {not_in_live}"
    place = _places(path).get(key)
    return f"it is {place}" if place is not None else ""


def _places(path: str) -> dict[str, str]:
    """Where each setting lives, for one that was put on another level."""
    places = {key: f"{path}.{way}" for key, way in places_in(LiveConnectConfig, _WITH_COMMON_NAMES).items()}
    return {**places, "voice": f"{path}.speech_config, for example speech_config='Puck'"}


def _fields(checker: Checker, given: Mapping[str, Any], path: str) -> dict[str, Any]:
    setup: dict[str, Any] = {}
    generation: dict[str, Any] = {}
    if "generation_config" in given:
        generation = _generation_config(checker, given["generation_config"], f"{path}.generation_config")
    for field in fields_of(LiveConnectConfig):
        if field.name not in given or field.local or field.name in ("generation_config", "http_options"):
            continue
        value = _value(checker, field, given[field.name], f"{path}.{field.name}")
        section, _, name = field.path.rpartition(".")
        if section == _GENERATION:
            # The top level wins, also with 0 and False; objects that are given in both places are merged.
            generation = merged(generation, {name: value})
        elif field.name != "tools" or value:  # an empty list of tools is not a list
            setup[name] = value
    if generation or "generation_config" in given:
        setup[_GENERATION] = generation
    return setup


def _value(checker: Checker, field: WireField, value: Any, path: str) -> Any:
    return tool_list(checker, value, path) if field.name == "tools" else checker.field(field, value, path)


def _generation_config(checker: Checker, value: Any, path: str) -> dict[str, Any]:
    known, _ = spelled(GenerationConfig, value, path)
    for name in known:
        if name in _NOT_IN_LIVE:
            raise ConfigError(f"is not usable in a Live session: {_NOT_IN_LIVE[name]}", f"{path}.{name}")
    return checker.message(GenerationConfig, value, path)


def _check_modalities(setup: Mapping[str, Any], given: Mapping[str, Any], path: str) -> None:
    modalities = setup.get(_GENERATION, {}).get(_MODALITIES) or []
    if len(modalities) > 1:
        where = path if "response_modalities" in given else f"{path}.generation_config"
        raise ConfigError(
            f"names {len(modalities)} modalities ({', '.join(modalities)}); a Live session answers in one."
            " For text beside speech ask for AUDIO and set output_audio_transcription={}",
            f"{where}.response_modalities",
        )


def _add_session(setup: dict[str, Any], resume: str | None, resumable: bool, history: Any) -> None:
    if resume is not None:
        if not isinstance(resume, str) or not resume:
            raise ConfigError(
                f"must be the handle of an earlier session, a str that is not empty, not {type(resume).__name__}", "resume"
            )
        setup["sessionResumption"] = {**setup.get("sessionResumption", {}), "handle": text_of(resume, "resume")}
    elif resumable:
        setup.setdefault("sessionResumption", {})
    if history is not None:
        chosen = setup.get("historyConfig", {})
        if chosen.get("initialHistoryInClientContent") is False:
            raise ConfigError(
                "is False, and history= needs it; leave it out", f"{PATH}.history_config.initial_history_in_client_content"
            )
        setup["historyConfig"] = {**chosen, "initialHistoryInClientContent": True}


def _add_extra(setup: dict[str, Any], checker: Checker, extra_setup: Mapping[str, Any] | None) -> None:
    """Lays the escape hatch over the rest; names that the table knows get the wire's spelling, so that none is sent twice."""
    if extra_setup is None:
        return
    if not isinstance(extra_setup, Mapping):
        raise ConfigError(f"must be a dict of members of setup, not {type(extra_setup).__name__}", "extra_setup")
    if "setup" in extra_setup:
        raise ConfigError("takes the members of setup; leave out the outer 'setup'", "extra_setup")
    try:
        with not_endless("extra_setup"):
            extra = write_json(extra_setup)
    except WrongType as error:
        raise ConfigError(error.text, f"extra_setup{error.path}") from None
    extra = _in_wire_spelling(LiveClientSetup, extra, checker, "extra_setup")
    if "model" in extra:
        raise ConfigError("the model is an argument of connect()", "extra_setup.model")
    setup.update(merged(setup, extra))


def _in_wire_spelling(cls: type[Message], values: Mapping[str, Any], checker: Checker, path: str) -> dict[str, Any]:
    names, fields = names_of(cls), {field.name: field for field in fields_of(cls)}
    spelled_out: dict[str, Any] = {}
    for key, value in values.items():
        field = fields.get(names.get(key, ""))
        wire = checker.wire_name(field) if field else key
        if wire in spelled_out:
            raise ConfigError("is given twice, in two spellings", f"{path}.{wire}")
        if field and field.kind == "message" and field.type and isinstance(value, dict) and field.shape == "one":
            spelled_out[wire] = _in_wire_spelling(field.type, value, checker, f"{path}.{wire}")
        elif value is not None:
            spelled_out[wire] = value
    return spelled_out
