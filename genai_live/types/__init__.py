"""All types of the Live API: what is sent, received and configured. Declarations only: runs on any thread.

Names of classes and fields are those of google-genai. A module of this package is loaded when one of its names is first asked
for: a session needs neither music nor tokens. ``fields_of(types.SpeechConfig)`` gives the table behind a type,
``describe`` the same as text. google-genai's ``ContentDict``, ``ContentOrDict`` and unions such as ``ContentListUnion`` are here
for annotations, and are not listed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from genai_live import _public
from genai_live.types._base import Message as Message
from genai_live.types._fields import Seconds as Seconds
from genai_live.types._fields import WireField as WireField
from genai_live.types._fields import describe as describe
from genai_live.types._fields import fields_of as fields_of

if TYPE_CHECKING:
    from genai_live.types._tool_enums import *  # noqa: F403
    from genai_live.types._twins import *  # noqa: F403
    from genai_live.types.config import *  # noqa: F403
    from genai_live.types.content import *  # noqa: F403
    from genai_live.types.enums import *  # noqa: F403
    from genai_live.types.generation import *  # noqa: F403
    from genai_live.types.grounding import *  # noqa: F403
    from genai_live.types.http import *  # noqa: F403
    from genai_live.types.messages import *  # noqa: F403
    from genai_live.types.music import *  # noqa: F403
    from genai_live.types.realtime import *  # noqa: F403
    from genai_live.types.retrieval import *  # noqa: F403
    from genai_live.types.speech import *  # noqa: F403
    from genai_live.types.tokens import *  # noqa: F403
    from genai_live.types.tool_auth import *  # noqa: F403
    from genai_live.types.tools import *  # noqa: F403

_NAMES = {
    "enums": """
        ActivityHandling AspectRatio AudioTranscriptionConfigMode Delivery DocumentMetadataContentLayer EndSensitivity
        FeatureSelectionPreference FileSource FileState FunctionResponseScheduling HarmBlockMethod HarmBlockThreshold
        HarmCategory ImageSize InteractionStatus Language MediaModality MediaProcessing MediaResolution Modality
        Outcome PartMediaResolutionLevel ResourceScope ServiceTier SpreadsheetMetadataContentLayer StartSensitivity
        ThinkingLevel ToolType TrafficType TurnCompleteReason TurnCoverage Type UrlRetrievalStatus VadSignalType
        VideoMetadataContentLayer VoiceActivityType
    """,
    "_tool_enums": """
        ApiSpec AuthType Behavior DynamicRetrievalConfigMode Environment HttpElementLocation PhishBlockThreshold
        SafetyPolicy
    """,
    "content": """
        AudioMetadata Blob CodeExecutionResult Content DocumentMetadata ExecutableCode FileData FunctionCall
        FunctionResponse FunctionResponseBlob FunctionResponseFileData FunctionResponsePart ModelContent Part
        PartMediaResolution PartialArg SpeechMetadata SpreadsheetMetadata ToolCall ToolResponse Transcription UserContent
        VideoMetadata WordInfo
    """,
    "speech": """
        AudioTranscriptionConfig AvatarConfig CustomizedAvatar LanguageAuto LanguageHints MultiSpeakerVoiceConfig
        PrebuiltVoiceConfig ReplicatedVoiceConfig SpeakerVoiceConfig SpeechConfig TranslationConfig VoiceConfig
        VoiceConsentSignature
    """,
    "generation": """
        AudioResponseFormat GenerationConfig GenerationConfigRoutingConfig
        GenerationConfigRoutingConfigAutoRoutingMode GenerationConfigRoutingConfigManualRoutingMode
        ImageResponseFormat ModelSelectionConfig ResponseFormat Schema TextResponseFormat ThinkingConfig
        VideoResponseFormat
    """,
    "tool_auth": """
        ApiAuth ApiAuthApiKeyConfig ApiKeyConfig AuthConfig AuthConfigGoogleServiceAccountConfig
        AuthConfigHttpBasicAuthConfig AuthConfigOauthConfig AuthConfigOidcConfig
    """,
    "retrieval": """
        ExternalApi ExternalApiElasticSearchParams ExternalApiSimpleSearchParams RagRetrievalConfig
        RagRetrievalConfigFilter RagRetrievalConfigHybridSearch RagRetrievalConfigRanking
        RagRetrievalConfigRankingLlmRanker RagRetrievalConfigRankingRankService Retrieval VertexAISearch
        VertexAISearchDataStoreSpec VertexRagStore VertexRagStoreRagResource
    """,
    "tools": """
        ComputerUse DynamicRetrievalConfig EnterpriseWebSearch FileSearch FunctionDeclaration GoogleMaps
        GoogleMapsGroundingTypes GoogleMapsPlaces GoogleMapsRouting GoogleSearch GoogleSearchRetrieval ImageSearch
        Interval McpServer SearchTypes StreamableHttpTransport Tool ToolCodeExecution ToolExaAiSearch
        ToolParallelAiSearch UrlContext WebSearch
    """,
    "http": """
        File FileStatus HttpOptions HttpRetryOptions
    """,
    "config": """
        AutomaticActivityDetection ContextWindowCompressionConfig HistoryConfig LiveConnectConfig
        LiveConnectParameters ProactivityConfig RealtimeInputConfig SafetySetting SessionResumptionConfig
        SlidingWindow
    """,
    "realtime": """
        ActivityEnd ActivityStart LiveClientContent LiveClientContextUpdate LiveClientContextUpdateTools
        LiveClientMessage LiveClientRealtimeInput LiveClientSetup LiveClientToolResponse
        LiveSendRealtimeInputParameters
    """,
    "grounding": """
        GroundingChunk GroundingChunkCustomMetadata GroundingChunkImage GroundingChunkMaps
        GroundingChunkMapsPlaceAnswerSources GroundingChunkMapsPlaceAnswerSourcesAuthorAttribution
        GroundingChunkMapsPlaceAnswerSourcesReviewSnippet GroundingChunkMapsRoute GroundingChunkRetrievedContext
        GroundingChunkStringList GroundingChunkWeb GroundingMetadata GroundingMetadataSourceFlaggingUri
        GroundingSupport RagChunk RagChunkPageSpan RetrievalMetadata SearchEntryPoint Segment UrlContextMetadata
        UrlMetadata
    """,
    "messages": """
        LiveServerContent LiveServerGoAway LiveServerMessage LiveServerSessionResumptionUpdate LiveServerSetupComplete
        LiveServerToolCall LiveServerToolCallCancellation ModalityTokenCount UsageMetadata VoiceActivity
        VoiceActivityDetectionSignal
    """,
    "music": """
        AudioChunk LiveMusicClientContent LiveMusicClientMessage LiveMusicClientSetup LiveMusicFilteredPrompt
        LiveMusicGenerationConfig LiveMusicPlaybackControl LiveMusicServerContent LiveMusicServerMessage
        LiveMusicServerSetupComplete LiveMusicSourceMetadata MusicGenerationMode Scale WeightedPrompt
    """,
    "tokens": """
        AuthToken CreateAuthTokenConfig LiveConnectConstraints
    """,
}
"""Which module declares which names."""

_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

if not TYPE_CHECKING:
    __all__ = ["Message", "Seconds", "WireField", "describe", "fields_of", *_MODULE_OF]  # noqa: PLE0604 (made of the table above)

    _missing, __dir__ = _public.public(__name__)

    def __getattr__(name):
        module = _MODULE_OF.get(name) or ("_twins" if name.endswith(("Dict", "Union")) else None)
        found = getattr(importlib.import_module(f"{__name__}.{module}"), name, None) if module else None
        if found is None:
            return _missing(name)
        globals()[name] = found
        return found
