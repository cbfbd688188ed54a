"""What the model may use: functions, search, maps, code execution. Declarations only: runs on any thread.

Source: Gemini API reference, Tool; Vertex AI reference, Tool.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from genai_live.types._base import Message, NamesOf, Seconds, message, wire
from genai_live.types._tool_enums import Behavior, DynamicRetrievalConfigMode, Environment, PhishBlockThreshold, SafetyPolicy
from genai_live.types.generation import Schema
from genai_live.types.retrieval import Retrieval
from genai_live.types.tool_auth import AuthConfig


@message
class FunctionDeclaration(Message):
    """A function of the user's, as it is described to the model."""

    description: str | None = wire("What it does and when to use it; the model reads it.")
    name: str | None = wire("Its name: a letter or _ first, then letters, digits, and _ . : -, at most 128 characters. Required.")
    parameters: Schema | None = wire(
        "Shape of the arguments, in the OpenAPI manner; not together with ``parameters_json_schema``."
    )
    parameters_json_schema: Any = wire("Shape of the arguments as JSON Schema; sent as it is.")
    response: Schema | None = wire("Shape of the result, in the OpenAPI manner; not together with ``response_json_schema``.")
    response_json_schema: Any = wire("Shape of the result as JSON Schema; sent as it is.")
    behavior: Behavior | str | None = wire("Whether the model waits for the result. Live only.")


@message
class WebSearch(Message):
    """Search for pages."""


@message
class ImageSearch(Message):
    """Search for pictures."""


@message
class SearchTypes(Message):
    """What to search for."""

    web_search: WebSearch | None = wire("Pages; the default.")
    image_search: ImageSearch | None = wire("Pictures.")


@message
class Interval(Message):
    """A stretch of time: both ends, or none."""

    end_time: datetime | str | None = wire("Its end, excluded.")
    start_time: datetime | str | None = wire("Its start, included.")


@message
class GoogleSearch(Message):
    """Google Search."""

    search_types: SearchTypes | None = wire("What to search for; pages when unset.")
    blocking_confidence: PhishBlockThreshold | str | None = wire(
        "From which confidence on phishing pages are left out.", mldev="error"
    )
    exclude_domains: list[str] | None = wire("Domains to leave out, at most 2,000.", mldev="error")
    time_range_filter: Interval | None = wire("Only what is from this stretch of time.", vertex=False)


@message
class DynamicRetrievalConfig(Message):
    """When the legacy search tool searches."""

    dynamic_threshold: float | None = wire("From which likelihood of help on it searches, 0 to 1.")
    mode: DynamicRetrievalConfigMode | str | None = wire("Always, or when the model thinks it helps.")


@message
class GoogleSearchRetrieval(Message):
    """The legacy search tool; newer models have GoogleSearch."""

    dynamic_retrieval_config: DynamicRetrievalConfig | None = wire("When it searches.")


@message
class EnterpriseWebSearch(Message):
    """Web search for enterprises, over a smaller index."""

    blocking_confidence: PhishBlockThreshold | str | None = wire("From which confidence on phishing pages are left out.")
    exclude_domains: list[str] | None = wire("Domains to leave out.")


@message
class ToolParallelAiSearch(Message):
    """Web search by Parallel."""

    api_key: str | None = wire("Key for that service.", secret=True)
    custom_configs: dict[str, Any] | None = wire("Further settings of that service; sent as they are.")
    enable_data_retention: bool | None = wire("Deprecated in favour of ``enable_zero_data_retention``.")
    enable_zero_data_retention: bool | None = wire("True lets that service keep nothing.")


@message
class ToolExaAiSearch(Message):
    """Web search by Exa."""

    api_key: str | None = wire("Key for that service. Required.", secret=True)
    custom_configs: dict[str, Any] | None = wire("Further settings of that service; sent as they are.")


@message
class GoogleMapsPlaces(Message):
    """Facts about places."""


@message
class GoogleMapsRouting(Message):
    """Ways from place to place."""


@message
class GoogleMapsGroundingTypes(Message):
    """What to ask Google Maps for."""

    places: GoogleMapsPlaces | None = wire("Facts about places.")
    routing: GoogleMapsRouting | None = wire("Ways from place to place.")


@message
class GoogleMaps(Message):
    """Google Maps."""

    auth_config: AuthConfig | None = wire("How to prove who asks; on the Developer API only ``api_key`` counts.")
    enable_widget: bool | None = wire("True sends a token for drawing a map. Deprecated by the service.")
    grounding_types: GoogleMapsGroundingTypes | None = wire("What to ask for.", mldev="error")


@message
class FileSearch(Message):
    """Search in the user's file search stores."""

    file_search_store_names: list[str] | None = wire('Which stores, "fileSearchStores/{id}". Required.')
    top_k: int | None = wire("Most results.")
    metadata_filter: str | None = wire("Which documents count, by their notes.")


@message
class ComputerUse(Message):
    """Lets the model look at a screen and act on it, through calls that the user's program carries out."""

    environment: Environment | str | None = wire("What it looks at.")
    excluded_predefined_functions: list[str] | None = wire("Acts that it may not ask for, by name.")
    enable_prompt_injection_detection: bool | None = wire("True watches for orders hidden in what it sees.")
    disabled_safety_policies: NamesOf[SafetyPolicy] | None = wire("Kinds of act that need no leave of the user.")


@message
class ToolCodeExecution(Message):
    """Lets the model write code that the service runs."""


@message
class UrlContext(Message):
    """Lets the model read pages that the user names."""


@message
class StreamableHttpTransport(Message):
    """How the service reaches an MCP server."""

    headers: dict[str, str] | None = wire("Headers of each request; sent as they are.", secret=True)
    sse_read_timeout: Seconds | None = wire("Seconds to wait for the next event.")
    terminate_on_close: bool | None = wire("True ends the MCP session together with this one.")
    timeout: Seconds | None = wire("Seconds that one request may take.")
    url: str | None = wire('Where the server is, such as "https://host/mcp".')


@message
class McpServer(Message):
    """An MCP server that the service itself asks for tools."""

    name: str | None = wire("What to call it.", vertex="error")
    streamable_http_transport: StreamableHttpTransport | None = wire("How to reach it.", vertex="error")


@message
class Tool(Message):
    """Something that the model may use; several kinds may share one Tool."""

    retrieval: Retrieval | None = wire("Search in the user's own data.", mldev="error")
    computer_use: ComputerUse | None = wire("A screen to look at and act on.")
    file_search: FileSearch | None = wire("Search in file search stores.", vertex="error")
    google_search: GoogleSearch | None = wire("Google Search.")
    google_maps: GoogleMaps | None = wire("Google Maps.")
    code_execution: ToolCodeExecution | None = wire("Code that the service runs.")
    enterprise_web_search: EnterpriseWebSearch | None = wire("Web search for enterprises.", mldev="error")
    function_declarations: list[FunctionDeclaration] | None = wire("Functions of the user's, at most 512 in one Tool.")
    google_search_retrieval: GoogleSearchRetrieval | None = wire("The legacy search tool.")
    parallel_ai_search: ToolParallelAiSearch | None = wire("Web search by Parallel.", mldev="error")
    url_context: UrlContext | None = wire("Pages that the user names.")
    mcp_servers: list[McpServer] | None = wire("MCP servers that the service itself asks.", vertex="error")
    exa_ai_search: ToolExaAiSearch | None = wire("Web search by Exa.", mldev="error")
