"""What ``Live.connect`` knows before it dials: whether its arguments can work, and who runs the functions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genai_live._backends import check_model
from genai_live._client_messages.setup import Config, GivenConfig, connection_options, setup_fields
from genai_live.api_client import ApiClient
from genai_live.families import family_of

if TYPE_CHECKING:
    from genai_live.tools import ToolPolicy
    from genai_live.tools.runner import Runner


def check_config(
    api_client: ApiClient, model: str, config: Config, run_tools: bool | ToolPolicy | Mapping[str, Any] = False
) -> None:
    """Refuses what ``connect`` would refuse, for those who connect later; looks nothing up.

    Raises:
        ConfigError: as for ``connect``.
    """
    check_model(model)
    given = GivenConfig.of(config)
    api_client = connection_options(api_client, given)
    if run_tools is not False:
        _, given = runner_for(run_tools, given, model, api_client)
    setup_fields(api_client, model, given, resumable=True)


def runner_for(
    run_tools: bool | ToolPolicy | Mapping[str, Any], config: GivenConfig, model: Any, api_client: ApiClient
) -> tuple[Runner | None, GivenConfig]:
    """The runner of the functions in the config, and the config with their declarations.

    Raises:
        ConfigError: a function that cannot be declared, or a policy that is none.
    """
    from genai_live.tools import ToolPolicy
    from genai_live.tools.registry import Registry
    from genai_live.tools.runner import Runner

    policy = ToolPolicy.of(run_tools)
    if policy is None:
        return None, config
    registry = Registry(family_of(str(model), api_client))
    if "tools" in config.fields:
        declared = registry.declarations(config.fields["tools"], "config.tools")
        config = config._replace(fields={**config.fields, "tools": declared})
    registry.check(policy)
    return Runner(registry, policy), config
