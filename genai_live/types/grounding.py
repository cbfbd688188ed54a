"""Where an answer's facts come from: searches, pages, places, documents. Declarations only: runs on any thread.

Source: Live API reference, GroundingMetadata and UrlContextMetadata.
"""

from __future__ import annotations

from genai_live.types._base import Message, Seconds, message, wire
from genai_live.types.enums import UrlRetrievalStatus


@message
class GroundingChunkImage(Message):
    """A picture found by search."""

    source_uri: str | None = wire("Page that shows the picture.")
    image_uri: str | None = wire("The picture itself.")
    title: str | None = wire("Title of the page.")
    domain: str | None = wire("Domain of the page.")


@message
class GroundingChunkMapsPlaceAnswerSourcesAuthorAttribution(Message):
    """Who wrote a review."""

    display_name: str | None = wire("Name of the author.")
    photo_uri: str | None = wire("Picture of the author.")
    uri: str | None = wire("Profile of the author.")


@message
class GroundingChunkMapsPlaceAnswerSourcesReviewSnippet(Message):
    """A piece of a review of a place."""

    author_attribution: GroundingChunkMapsPlaceAnswerSourcesAuthorAttribution | None = wire("Who wrote it.")
    flag_content_uri: str | None = wire("Where the review can be reported.")
    google_maps_uri: str | None = wire("The review on Google Maps.")
    relative_publish_time_description: str | None = wire('When it was written, in words such as "a month ago".')
    review: str | None = wire("Resource name of the review.")
    review_id: str | None = wire("Identifier of the review.")
    title: str | None = wire("Title of the review.")


@message
class GroundingChunkMapsPlaceAnswerSources(Message):
    """What an answer about a place rests on."""

    review_snippet: list[GroundingChunkMapsPlaceAnswerSourcesReviewSnippet] | None = wire(
        "Older spelling of ``review_snippets``."
    )
    flag_content_uri: str | None = wire("Where the answer can be reported.")
    review_snippets: list[GroundingChunkMapsPlaceAnswerSourcesReviewSnippet] | None = wire("Pieces of reviews.")


@message
class GroundingChunkMapsRoute(Message):
    """A way from one place to another."""

    distance_meters: int | None = wire("Length in metres.")
    duration: Seconds | None = wire("Travel time in seconds.")
    encoded_polyline: str | None = wire("The way itself, in Google's polyline encoding.")


@message
class GroundingChunkMaps(Message):
    """A place or a way on Google Maps."""

    place_answer_sources: GroundingChunkMapsPlaceAnswerSources | None = wire("What the answer about the place rests on.")
    place_id: str | None = wire('Resource name of the place, "places/{id}".')
    text: str | None = wire("Text about the place.")
    title: str | None = wire("Name of the place.")
    uri: str | None = wire("The place on Google Maps.")
    route: GroundingChunkMapsRoute | None = wire("The way, where that was asked for.")


@message
class RagChunkPageSpan(Message):
    """Pages of a document."""

    first_page: int | None = wire("First page, from 1, included.")
    last_page: int | None = wire("Last page, included.")


@message
class RagChunk(Message):
    """A piece of a document in a retrieval corpus."""

    page_span: RagChunkPageSpan | None = wire("The pages it is on.")
    text: str | None = wire("Its text.")
    chunk_id: str | None = wire("Identifier of the piece.")
    file_id: str | None = wire("Identifier of the document.")


@message
class GroundingChunkStringList(Message):
    """Several texts as one value."""

    values: list[str] | None = wire("The texts.")


@message
class GroundingChunkCustomMetadata(Message):
    """A note that the user attached to a document; one of the three values is set."""

    key: str | None = wire("Name of the note.")
    numeric_value: float | None = wire("The value, where it is a number.")
    string_list_value: GroundingChunkStringList | None = wire("The value, where it is several texts.")
    string_value: str | None = wire("The value, where it is one text.")


@message
class GroundingChunkRetrievedContext(Message):
    """A piece of the user's own documents."""

    document_name: str | None = wire("Resource name of the document.", mldev=False)
    rag_chunk: RagChunk | None = wire("The piece, where it comes from a RAG corpus.", mldev=False)
    text: str | None = wire("Text of the piece.")
    title: str | None = wire("Title of the document.")
    uri: str | None = wire("Where the document is.")
    custom_metadata: list[GroundingChunkCustomMetadata] | None = wire("The user's notes on the document.", vertex=False)
    file_search_store: str | None = wire("Resource name of the file search store.", vertex=False)
    page_number: int | None = wire("Page of the document.", vertex=False)
    media_id: str | None = wire("Identifier of a picture or recording within the document.", vertex=False)


@message
class GroundingChunkWeb(Message):
    """A web page."""

    domain: str | None = wire("Domain of the page.", mldev=False)
    title: str | None = wire("Title of the page.")
    uri: str | None = wire("Link to the page.")


@message
class GroundingChunk(Message):
    """One source; one of the four is set."""

    image: GroundingChunkImage | None = wire("A picture found by search.")
    maps: GroundingChunkMaps | None = wire("A place or a way.")
    retrieved_context: GroundingChunkRetrievedContext | None = wire("A piece of the user's documents.")
    web: GroundingChunkWeb | None = wire("A web page.")


@message
class Segment(Message):
    """A stretch of the answer's text."""

    start_index: int | None = wire("Start, in bytes of UTF-8 within the part, included.")
    end_index: int | None = wire("End, in bytes of UTF-8 within the part, excluded.")
    part_index: int | None = wire("Which part of the content, from 0.")
    text: str | None = wire("The stretch itself.")


@message
class GroundingSupport(Message):
    """Which sources stand behind which stretch of the answer."""

    confidence_scores: list[float] | None = wire("One for each source, 0 to 1.")
    grounding_chunk_indices: list[int] | None = wire("The sources: indices into ``GroundingMetadata.grounding_chunks``.")
    segment: Segment | None = wire("The stretch.")
    rendered_parts: list[int] | None = wire("Indices of the parts that show it.")


@message
class RetrievalMetadata(Message):
    """How much a search was worth."""

    google_search_dynamic_retrieval_score: float | None = wire("How likely a search helps, 0 to 1; with the legacy search tool.")


@message
class SearchEntryPoint(Message):
    """What must be shown beside an answer that rests on Google Search."""

    rendered_content: str | None = wire("HTML to be shown as it is.")
    sdk_blob: bytes | None = wire("JSON text: an array of pairs of search term and link.")


@message
class GroundingMetadataSourceFlaggingUri(Message):
    """Where a source can be reported."""

    flag_content_uri: str | None = wire("Link for the report.")
    source_id: str | None = wire("Which source, a place or a review.")


@message
class GroundingMetadata(Message):
    """Everything an answer rests on. Vertex AI sends an empty one with each end of a turn."""

    image_search_queries: list[str] | None = wire("What was looked for among pictures.")
    grounding_chunks: list[GroundingChunk] | None = wire("The sources.")
    grounding_supports: list[GroundingSupport] | None = wire("Which source stands behind which stretch of text.")
    retrieval_metadata: RetrievalMetadata | None = wire("How much the search was worth.")
    search_entry_point: SearchEntryPoint | None = wire("What must be shown beside the answer.")
    web_search_queries: list[str] | None = wire("What was looked for on the web.")
    google_maps_widget_context_token: str | None = wire("For drawing the places on a map. Deprecated by the service.")
    retrieval_queries: list[str] | None = wire("What was looked for in the user's documents.", mldev=False)
    source_flagging_uris: list[GroundingMetadataSourceFlaggingUri] | None = wire("Where sources can be reported.", mldev=False)


@message
class UrlMetadata(Message):
    """One page that the model wanted to read."""

    retrieved_url: str | None = wire("Its address.")
    url_retrieval_status: UrlRetrievalStatus | str | None = wire("What became of it.")


@message
class UrlContextMetadata(Message):
    """The pages that the URL context tool read."""

    url_metadata: list[UrlMetadata] | None = wire("One entry for each page.")
