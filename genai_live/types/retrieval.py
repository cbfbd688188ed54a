"""Search in the user's own data on Vertex AI. Declarations only: runs on any thread.

Source: Vertex AI reference, Retrieval.
"""

from __future__ import annotations

from genai_live.types._base import Message, message, wire
from genai_live.types._tool_enums import ApiSpec
from genai_live.types.tool_auth import ApiAuth, AuthConfig


@message
class ExternalApiElasticSearchParams(Message):
    """How to ask an Elasticsearch API."""

    index: str | None = wire("Which index.")
    num_hits: int | None = wire("Most results.")
    search_template: str | None = wire("Which search template.")


@message
class ExternalApiSimpleSearchParams(Message):
    """How to ask a simple search API: nothing to say."""


@message
class ExternalApi(Message):
    """A search API of the user's own."""

    api_auth: ApiAuth | None = wire("Deprecated in favour of ``auth_config``.")
    api_spec: ApiSpec | str | None = wire("Which interface it has.")
    auth_config: AuthConfig | None = wire("How to prove who asks.")
    elastic_search_params: ExternalApiElasticSearchParams | None = wire("How to ask it, where it is an Elasticsearch.")
    endpoint: str | None = wire('Where it is, such as "https://host:443/search".')
    simple_search_params: ExternalApiSimpleSearchParams | None = wire("How to ask it, where it is simple.")


@message
class VertexAISearchDataStoreSpec(Message):
    """One data store of a search engine."""

    data_store: str | None = wire("Resource name of the data store.")
    filter: str | None = wire("Which documents count, in Vertex AI Search's filter language.")


@message
class VertexAISearch(Message):
    """A data store or an engine of Vertex AI Search: one of the two."""

    data_store_specs: list[VertexAISearchDataStoreSpec] | None = wire("Which data stores of the engine; with ``engine`` only.")
    datastore: str | None = wire("Resource name of the data store.")
    engine: str | None = wire("Resource name of the engine.")
    filter: str | None = wire("Which documents count, in Vertex AI Search's filter language.")
    max_results: int | None = wire("Most results: at most 10, which is also the default.")


@message
class VertexRagStoreRagResource(Message):
    """A corpus, or some files of it."""

    rag_corpus: str | None = wire("Resource name of the corpus.")
    rag_file_ids: list[str] | None = wire("Which files; all when absent.")


@message
class RagRetrievalConfigFilter(Message):
    """What counts as found."""

    metadata_filter: str | None = wire("Which documents count, by their notes.")
    vector_distance_threshold: float | None = wire("Only what is nearer than this.")
    vector_similarity_threshold: float | None = wire("Only what is more alike than this.")


@message
class RagRetrievalConfigHybridSearch(Message):
    """Search by meaning and by words together."""

    alpha: float | None = wire("Weight of the meaning: 0 is words alone, 1 meaning alone; 0.5 when unset.")


@message
class RagRetrievalConfigRankingLlmRanker(Message):
    """A model puts the results in order."""

    model_name: str | None = wire("Which model.")


@message
class RagRetrievalConfigRankingRankService(Message):
    """A ranking service puts the results in order."""

    model_name: str | None = wire("Which model of the service.")


@message
class RagRetrievalConfigRanking(Message):
    """Who puts the results in order: one of the two."""

    llm_ranker: RagRetrievalConfigRankingLlmRanker | None = wire("A model.")
    rank_service: RagRetrievalConfigRankingRankService | None = wire("A ranking service.")


@message
class RagRetrievalConfig(Message):
    """How a corpus is searched."""

    filter: RagRetrievalConfigFilter | None = wire("What counts as found.")
    hybrid_search: RagRetrievalConfigHybridSearch | None = wire("By meaning and by words together.")
    ranking: RagRetrievalConfigRanking | None = wire("Who puts the results in order.")
    top_k: int | None = wire("Most results.")


@message
class VertexRagStore(Message):
    """Corpora of the RAG engine."""

    rag_corpora: list[str] | None = wire("Deprecated in favour of ``rag_resources``.")
    rag_resources: list[VertexRagStoreRagResource] | None = wire("Which corpora and files.")
    rag_retrieval_config: RagRetrievalConfig | None = wire("How they are searched.")
    similarity_top_k: int | None = wire("Most results; older than ``rag_retrieval_config``.")
    store_context: bool | None = wire("True remembers what is said in the session, in the corpus. Live only.")
    vector_distance_threshold: float | None = wire("Only what is nearer than this; older than ``rag_retrieval_config``.")


@message
class Retrieval(Message):
    """Search in the user's own data: one of the three."""

    disable_attribution: bool | None = wire("Deprecated by the service.")
    external_api: ExternalApi | None = wire("A search API of the user's own.")
    vertex_ai_search: VertexAISearch | None = wire("Vertex AI Search.")
    vertex_rag_store: VertexRagStore | None = wire("Corpora of the RAG engine.")
