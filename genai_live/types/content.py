"""What both sides speak in: contents, their parts, blobs, files, calls. Declarations only: runs on any thread.

Source: Live API reference, Content, Part and what they hold; protocol of google-genai 3.4.0.
"""

from __future__ import annotations

import re
from typing import Any

from genai_live.errors import ConfigError
from genai_live.types._base import Message, NamesOf, Seconds, message, names_of, wire
from genai_live.types.enums import (
    DocumentMetadataContentLayer,
    FunctionResponseScheduling,
    Language,
    MediaProcessing,
    Outcome,
    PartMediaResolutionLevel,
    SpreadsheetMetadataContentLayer,
    ToolType,
    VideoMetadataContentLayer,
)
from genai_live.types.http import File


@message
class Blob(Message):
    """Bytes of one kind: a piece of audio, a picture."""

    data: bytes | None = wire(
        "The bytes themselves. Audio: 16-bit little-endian mono PCM. Text in their place is taken as base64."
    )
    display_name: str | None = wire("Name to refer to the blob by.")
    mime_type: str | None = wire(
        'What the bytes are: "audio/pcm;rate=16000" (Hz), "image/jpeg". Required. From Vertex AI, "audio/pcm" means 24,000 Hz.'
    )


@message
class FileData(Message):
    """A file that the service can fetch by itself."""

    display_name: str | None = wire("Name to refer to the file by.")
    file_uri: str | None = wire('Where it is, such as "gs://bucket/name". Required.')
    mime_type: str | None = wire('What it is, such as "video/mp4". Required.')


@message
class PartMediaResolution(Message):
    """How finely the media of one part are turned into tokens."""

    level: PartMediaResolutionLevel | str | None = wire("A named step; more tokens see more and cost more.")
    num_tokens: int | None = wire("The number of tokens itself, where a named step does not fit.")


@message
class CodeExecutionResult(Message):
    """What became of an ExecutableCode part that the service ran."""

    outcome: Outcome | str | None = wire("How the run ended.")
    output: str | None = wire("Standard output of a good run, otherwise its error.")
    id: str | None = wire("The ``id`` of the ExecutableCode that was run.")


@message
class ExecutableCode(Message):
    """Code that the model wrote for the code execution tool. Some models send it as a part before a ``toolCall``."""

    code: str | None = wire("Source text.")
    language: Language | str | None = wire("What it is written in.")
    id: str | None = wire("Name of this piece of code, for its result to refer to.")


@message
class PartialArg(Message):
    """A piece of a function call's arguments while they are still being written. Vertex AI only."""

    bool_value: bool | None = wire("The value, where it is a boolean.")
    json_path: str | None = wire('Which argument: a JSONPath (RFC 9535) such as "$.city".')
    null_value: str | None = wire('The text "NULL_VALUE", where the value is null.')
    number_value: float | None = wire("The value, where it is a number.")
    string_value: str | None = wire("The value, or its next piece, where it is text.")
    will_continue: bool | None = wire("True when more pieces of the same text follow.")


@message
class FunctionCall(Message):
    """The model asks for a function of the user's to be run."""

    id: str | None = wire("Name of this call, to be given back in the response. Some models on Vertex AI send none.")
    args: dict[str, Any] | None = wire("Arguments by name, as the function's declaration spells them; may be empty.")
    name: str | None = wire("Which function.")
    partial_args: list[PartialArg] | None = wire("Pieces of arguments still being written.", mldev="error")
    will_continue: bool | None = wire("True when more pieces of this call follow.", mldev="error")


@message
class FunctionResponseBlob(Message):
    """Bytes as part of a function's result."""

    mime_type: str | None = wire('What the bytes are, such as "image/png". Required.')
    data: bytes | None = wire("The bytes themselves. Required.")
    display_name: str | None = wire("Name to refer to the blob by in the response.", mldev=False)


@message
class FunctionResponseFileData(Message):
    """A file as part of a function's result."""

    file_uri: str | None = wire("Where it is. Required.")
    mime_type: str | None = wire("What it is. Required.")
    display_name: str | None = wire("Name to refer to the file by in the response.")


@message
class VideoMetadata(Message):
    """Which piece of a video counts, and how closely it is looked at."""

    end_offset: Seconds | None = wire("End of the piece, seconds from the start of the video.")
    fps: float | None = wire("Frames looked at for each second of video: above 0, at most 24, by default 1.")
    start_offset: Seconds | None = wire("Start of the piece, seconds from the start of the video.")
    content_layers: NamesOf[VideoMetadataContentLayer] | None = wire(
        "What of the video is looked at: by default FRAMES and AUDIO."
    )


@message
class DocumentMetadata(Message):
    """Which pages of a document count, and as what."""

    start_page: int | None = wire("First page.")
    end_page: int | None = wire("Last page.")
    content_layers: NamesOf[DocumentMetadataContentLayer] | None = wire("Pictures of the pages, their text, or both.")


@message
class SpreadsheetMetadata(Message):
    """Which cells of a spreadsheet count, and as what."""

    visible_cells: str | None = wire('Range of cells, such as "A1:D20".')
    sheet_index: int | None = wire("Number of the sheet.")
    content_layers: NamesOf[SpreadsheetMetadataContentLayer] | None = wire("Values, formulas, looks, or several of these.")


@message
class AudioMetadata(Message):
    """Which piece of a recording counts."""

    start_offset: Seconds | None = wire("Start of the piece, seconds from the start of the recording.")
    end_offset: Seconds | None = wire("End of the piece, seconds from the start of the recording.")


@message
class SpeechMetadata(Message):
    """How a text part is to be spoken."""

    speaker: str | None = wire("Who speaks, by the name that the voice configuration gives.")
    style: str | None = wire("Manner of speaking, in words.")


@message
class FunctionResponsePart(Message):
    """A picture, a recording or a file as part of a function's result."""

    inline_data: FunctionResponseBlob | None = wire("The bytes themselves.")
    file_data: FunctionResponseFileData | None = wire("Where the service finds it.", mldev=False)
    media_processing: MediaProcessing | str | None = wire("How a video is taken in.", vertex="error")
    media_resolution: PartMediaResolution | None = wire("How finely the media are turned into tokens.")
    video_metadata: VideoMetadata | None = wire("Which piece of a video counts.")
    document_metadata: DocumentMetadata | None = wire("Which pages of a document count.")
    spreadsheet_metadata: SpreadsheetMetadata | None = wire("Which cells of a spreadsheet count.")
    audio_metadata: AudioMetadata | None = wire("Which piece of a recording counts.")

    @classmethod
    def from_bytes(cls, data: bytes, mime_type: str, display_name: str | None = None) -> FunctionResponsePart:
        """A part of bytes, such as a picture."""
        return cls(inline_data=FunctionResponseBlob(data=data, mime_type=mime_type, display_name=display_name))

    @classmethod
    def from_uri(cls, file_uri: str, mime_type: str | None = None, display_name: str | None = None) -> FunctionResponsePart:
        """A part that is a file which the service fetches; Vertex AI only.

        Without ``mime_type`` the ending of ``file_uri`` says what it is; of a file of the Files API the service knows it.

        Raises:
            ConfigError: when neither does.
        """
        if mime_type is None and not _FILES_API.fullmatch(file_uri):
            mime_type = _mime_type_of(file_uri)
        return cls(file_data=FunctionResponseFileData(file_uri=file_uri, mime_type=mime_type, display_name=display_name))


@message
class FunctionResponse(Message):
    """What a function of the user's gave back."""

    will_continue: bool | None = wire(
        "True when more responses to the same call follow (NON_BLOCKING functions); the last one says False.", vertex=False
    )
    scheduling: FunctionResponseScheduling | str | None = wire(
        "What the response does to the conversation; NON_BLOCKING functions only."
    )
    parts: list[FunctionResponsePart] | None = wire("Pictures, recordings and files that belong to the result.")
    id: str | None = wire("The ``id`` of the call. The Developer API insists on it.")
    name: str | None = wire("The ``name`` of the call. Required.")
    response: dict[str, Any] | None = wire(
        'The result as an object, by custom under "output", or "error" when it failed. Required. Keys are sent as they are.'
    )


@message
class ToolCall(Message):
    """A tool that the service ran by itself, shown so that it can be echoed."""

    id: str | None = wire("Name of this call.")
    tool_type: ToolType | str | None = wire("Which tool.")
    args: dict[str, Any] | None = wire("What it was given.")


@message
class ToolResponse(Message):
    """What a tool that the service ran by itself gave back."""

    id: str | None = wire("The ``id`` of the ToolCall.")
    tool_type: ToolType | str | None = wire("Which tool.")
    response: dict[str, Any] | None = wire("What came out.")


@message
class WordInfo(Message):
    """One word of a transcription and when it was said."""

    word: str | None = wire("The word.")
    start_offset: Seconds | None = wire("Its start, seconds from the start of the audio.")
    end_offset: Seconds | None = wire("Its end, seconds from the start of the audio.")


@message
class Transcription(Message):
    """The next fragment of speech as text. Fragments are joined without anything between them."""

    text: str | None = wire("The fragment, leading space included; absent in the last message of some backends.")
    finished: bool | None = wire("True for the last fragment; Vertex AI sends it without text, the Developer API never.")
    language_code: str | None = wire("Language that was heard, BCP-47.")
    speaker_label: str | None = wire("Who spoke; with ``AudioTranscriptionConfig.diarization``.")
    words: list[WordInfo] | None = wire("Words with their times; with ``AudioTranscriptionConfig.word_timestamp``.")
    start_offset: Seconds | None = wire("Start of the fragment, seconds from the start of the audio.")
    end_offset: Seconds | None = wire("End of the fragment, seconds from the start of the audio.")


@message
class Part(Message):
    """One piece of content: text, bytes, a file, a call. Exactly one of these; the other fields describe it."""

    media_resolution: PartMediaResolution | None = wire("How finely the media are turned into tokens.")
    code_execution_result: CodeExecutionResult | None = wire("Result of code that the service ran.")
    executable_code: ExecutableCode | None = wire("Code for the service to run.")
    file_data: FileData | None = wire("A file that the service fetches.")
    function_call: FunctionCall | None = wire(
        "A call; in a Live session calls arrive as ``LiveServerMessage.tool_call`` instead."
    )
    function_response: FunctionResponse | None = wire("A result; in a Live session use ``send_tool_response`` instead.")
    inline_data: Blob | None = wire("Bytes: the model's speech, a picture.")
    text: str | None = wire("Text.")
    thought: bool | None = wire("True when the part is the model's reasoning; ``LiveServerMessage.text`` leaves it out.")
    thought_signature: bytes | None = wire("Opaque; to be sent back with the part it came with.")
    video_metadata: VideoMetadata | None = wire("Which piece of a video counts.")
    tool_call: ToolCall | None = wire("A tool that the service ran, to be echoed.", vertex="error")
    tool_response: ToolResponse | None = wire("What that tool gave back, to be echoed.", vertex="error")
    part_metadata: dict[str, Any] | None = wire("The user's own notes on the part; keys are sent as they are.", vertex="error")
    audio_transcription: Transcription | None = wire("What the audio of the part says; only ever received.")
    media_processing: MediaProcessing | str | None = wire("How a video is taken in.")
    speech_metadata: SpeechMetadata | None = wire("How the text is to be spoken.")
    document_metadata: DocumentMetadata | None = wire("Which pages of a document count.")
    spreadsheet_metadata: SpreadsheetMetadata | None = wire("Which cells of a spreadsheet count.")
    audio_metadata: AudioMetadata | None = wire("Which piece of a recording counts.")

    @classmethod
    def from_short_form(cls, value: Any) -> Part | None:
        """Text stands for a part of text."""
        return cls.from_text(value) if isinstance(value, str) else None

    @classmethod
    def _placed(cls, *values: Any, **fields: Any) -> dict[str, Any]:
        """``Part("text")`` is taken, and a Part, a File, or a dict of a Part or of FileData."""
        if len(values) == 1 and not fields and (held := _fields_of_part(values[0])) is not None:
            return held
        return super()._placed(*values, **fields)

    @classmethod
    def from_text(cls, text: str) -> Part:
        """A part of text."""
        return cls(text=text)

    @classmethod
    def from_bytes(cls, data: bytes, mime_type: str, media_resolution: Resolution | None = None) -> Part:
        """A part of bytes, such as a picture."""
        return cls(inline_data=Blob(data=data, mime_type=mime_type), media_resolution=_resolution(media_resolution))

    @classmethod
    def from_uri(cls, file_uri: str, mime_type: str | None = None, media_resolution: Resolution | None = None) -> Part:
        """A part that is a file which the service fetches; without ``mime_type`` the ending of ``file_uri`` says what it is.

        Raises:
            ConfigError: when it does not.
        """
        data = FileData(file_uri=file_uri, mime_type=mime_type or _mime_type_of(file_uri))
        return cls(file_data=data, media_resolution=_resolution(media_resolution))

    @classmethod
    def from_function_call(cls, name: str, args: dict[str, Any]) -> Part:
        """A part that is a call, for history."""
        return cls(function_call=FunctionCall(name=name, args=args))

    @classmethod
    def from_function_response(cls, name: str, response: dict[str, Any], parts: list[FunctionResponsePart] | None = None) -> Part:
        """A part that is the result of a call, for history."""
        return cls(function_response=FunctionResponse(name=name, response=response, parts=parts))

    @classmethod
    def from_executable_code(cls, code: str, language: Language | str) -> Part:
        """A part that is code of the model's, for history."""
        return cls(executable_code=ExecutableCode(code=code, language=language))

    @classmethod
    def from_code_execution_result(cls, outcome: Outcome | str, output: str) -> Part:
        """A part that is what became of such code, for history."""
        return cls(code_execution_result=CodeExecutionResult(outcome=outcome, output=output))


def _fields_of_part(value: Any) -> dict[str, Any] | None:
    """What stands for a part, as the fields of one; None for anything else."""
    if isinstance(value, dict):
        return {"file_data": FileData(**value)} if value and set(value) <= set(names_of(FileData)) else value
    if isinstance(value, File):
        if not (value.uri and value.mime_type):
            raise ConfigError("a file is referred to by its uri and its mime_type, and one of them is missing", "Part")
        data = FileData(file_uri=value.uri, mime_type=value.mime_type, display_name=value.display_name)
        return {"file_data": data}
    held = value if isinstance(value, Part) else Part.from_short_form(value)
    return None if held is None else {**vars(held)}


Resolution = PartMediaResolution | PartMediaResolutionLevel | str | dict[str, Any]
"""How finely the media of a part are turned into tokens: whole, or its level alone."""


def _resolution(given: Resolution | None) -> PartMediaResolution | None:
    if isinstance(given, dict):
        return PartMediaResolution(**given)
    return PartMediaResolution(level=given) if isinstance(given, str) else given


_FILES_API = re.compile(
    r"https://([a-z0-9-]+-)?generativelanguage(\.sandbox)?\.googleapis\.com/v1(beta|alpha|main)?/files/[a-z0-9-]+(:download(\?alt=media)?)?"
)
"""Addresses of files that were uploaded there, which have no ending."""


def _mime_type_of(file_uri: str) -> str:
    import mimetypes

    mime_type, _ = mimetypes.guess_type(file_uri)
    if mime_type is None:
        raise ConfigError(f"is missing, and the ending of {file_uri!r} does not say it", "mime_type")
    return mime_type


def _parts(given: Any) -> list[Any] | None:
    """Parts from text, a part, or a list of both."""
    items = given if isinstance(given, (list, tuple)) else [] if given is None else [given]
    return [Part.from_short_form(item) or item for item in items] or None


@message
class Content(Message):
    """What one side said: parts, in order."""

    parts: list[Part] | None = wire("The pieces, in order.")
    role: str | None = wire(
        'Who said it: "user" (also when absent) or "model". The Developer API sends none with the model\'s own turn.'
    )

    @classmethod
    def from_short_form(cls, value: Any) -> Content | None:
        """Text, or a list of parts, stands for a content of the user's."""
        if isinstance(value, str):
            return cls.from_text(value)
        return cls(parts=list(value), role="user") if isinstance(value, (list, tuple)) else None

    @classmethod
    def from_text(cls, text: str, role: str = "user") -> Content:
        """A content of one text part."""
        return cls(parts=[Part(text=text)], role=role)


@message
class UserContent(Content):
    """What the user said: ``UserContent("Hello")``, or of a part, or of a list of both. A Content whose role is "user"."""

    def __init__(self, parts: Any = None, role: str | None = None, **fields: Any) -> None:
        super().__init__(parts=_parts(parts), role=role or "user", **fields)


@message
class ModelContent(Content):
    """What the model said: as UserContent, for history. A Content whose role is "model"."""

    def __init__(self, parts: Any = None, role: str | None = None, **fields: Any) -> None:
        super().__init__(parts=_parts(parts), role=role or "model", **fields)
