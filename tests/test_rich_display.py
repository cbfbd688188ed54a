"""What a notebook shows of turns, sound, sessions and messages, without any notebook: HTML and lines of text."""

from __future__ import annotations

import base64
import html
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from genai_live import Client, Turn, types
from genai_live._html import LARGEST
from genai_live.audio import Audio
from genai_live.emulator import LiveEmulator
from genai_live.tools import RunState, ToolRun
from genai_live.turn import assemble
from tests.sound_ends import HandEnd, client_of, talking
from tests.waiting import until

RATE = 24_000
MARKUP = """</details><script>alert("no")</script><img src=x onerror='alert(1)'> & "quotes" """


class Page(HTMLParser):
    """The elements of a piece of HTML, its text, and what was opened and not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(shown: Any) -> Page:
    page = Page(shown._repr_html_())
    assert page.open == []
    return page


def sound_of(page: Page) -> Audio:
    """What the only player of a page plays."""
    (player,) = page.named("audio")
    head, _, data = (player["src"] or "").partition(",")
    assert head == "data:audio/wav;base64"
    return Audio.load(base64.b64decode(data))


def turn_of(seconds: float = 0.5, **content: Any) -> Turn:
    part = {"inlineData": {"data": base64.b64encode(bytes(2 * int(RATE * seconds))).decode(), "mimeType": "audio/pcm;rate=24000"}}
    message = {"serverContent": {"modelTurn": {"parts": [part]} if seconds else None, "turnComplete": True, **content}}
    usage = {"usageMetadata": {"promptTokenCount": 200, "responseTokenCount": 1_145, "totalTokenCount": 1_345}}
    return assemble([types.LiveServerMessage.from_dict({**message, **usage})])


SPOKEN = {"inputTranscription": {"text": "What is the weather?"}, "outputTranscription": {"text": "It is sunny."}}


def test_a_turn_shows_both_sides_a_player_and_its_tokens_in_one_line() -> None:
    page = page_of(turn_of(0.5, **SPOKEN))
    assert "You: What is the weather?" in page.text
    assert "Model: It is sunny." in page.text
    assert "1,345 tokens: 200 in, 1,145 out" in page.text
    assert sound_of(page).seconds == 0.5
    assert len(page.named("details")) == 1


def test_a_turn_shows_each_run_of_a_tool_with_its_result_folded() -> None:
    run = ToolRun("c1", "get_weather", {"city": "Lisbon"}, RunState.ANSWERED, {"temperature": 22}, seconds=0.34)
    page = page_of(replace(turn_of(**SPOKEN), tool_runs=(run,)))
    assert "get_weather(city='Lisbon'): answered, 0.3 s" in page.text
    assert "result: {'temperature': 22}" in page.text
    assert len(page.named("details")) == 2


def test_a_call_that_nobody_has_answered_is_said_to_be_the_callers() -> None:
    call = types.FunctionCall(id="c1", name="book", args={"seat": "12A"})
    assert "book(seat='12A'): for you to answer" in page_of(replace(turn_of(), tool_calls=(call,))).text


def test_speech_without_words_says_which_setting_gives_them() -> None:
    assert "output_audio_transcription" in page_of(turn_of()).text


def test_a_question_in_writing_is_shown_and_no_markup() -> None:
    page = page_of(replace(turn_of(), asked=MARKUP))
    assert f"You: {MARKUP}" in page.text
    assert {name for name, _ in page.elements} <= {"div", "b", "audio", "details", "summary", "span"}


@pytest.mark.parametrize("where", ["inputTranscription", "outputTranscription"])
def test_words_are_never_markup(where: str) -> None:
    page = page_of(turn_of(**{where: {"text": MARKUP}}))
    assert MARKUP in page.text
    assert {name for name, _ in page.elements} <= {"div", "b", "audio", "details", "summary", "span"}


def test_what_a_notebook_cannot_keep_is_replaced() -> None:
    """Half a character stops Jupyter's message with the whole output; control characters are no HTML, and colour a terminal."""
    hostile = "a\ud83d\0\x1b[31mb"
    call = types.FunctionCall(id=hostile, name=hostile, args={hostile: [hostile]})
    run = ToolRun("1", hostile, {hostile: hostile}, RunState.FAILED, error=hostile, traceback=hostile)
    turn = replace(turn_of(), text=hostile, thoughts=hostile, tool_calls=(call,), tool_runs=(run,))
    message = types.LiveServerMessage(tool_call=types.LiveServerToolCall(function_calls=[call]))
    for shown in (turn, message):
        for text in (shown._repr_html_(), repr(shown)):
            text.encode()
            assert not {"\0", "\x1b"} & set(text)
    assert "a\ufffd\ufffd\ufffd[31mb" in page_of(turn).text


def test_arguments_without_end_have_no_words() -> None:
    deep: dict[str, Any] = {}
    for _ in range(200_000):  # since Python 3.12 the stack's size says how deep repr() goes
        deep = {"a": deep}
    call = types.FunctionCall(id="1", name="dig", args=deep)
    assert "dig(a=<dict, deeply nested>)" in page_of(replace(turn_of(), tool_calls=(call,))).text


def test_nothing_of_a_tool_is_markup() -> None:
    run = ToolRun(MARKUP, MARKUP, {MARKUP: MARKUP}, RunState.FAILED, error=MARKUP, traceback=MARKUP)
    call = types.FunctionCall(id="1", name=MARKUP, args={MARKUP: MARKUP})
    page = page_of(replace(turn_of(), tool_runs=(run,), tool_calls=(call,), thoughts=MARKUP, reason=MARKUP))
    assert not page.named("script")
    assert not page.named("img")


def test_a_picture_of_the_model_is_shown_and_its_type_is_no_markup() -> None:
    blob = {"data": base64.b64encode(b"picture").decode(), "mimeType": 'image/png" onerror="alert(1)'}
    page = page_of(turn_of(0, modelTurn={"parts": [{"inlineData": blob}]}))
    (image,) = page.named("img")
    assert "onerror" not in image


def test_a_picture_with_an_endless_type_does_not_make_a_turn_larger_than_a_megabyte() -> None:
    blob = {"data": base64.b64encode(b"picture").decode(), "mimeType": "image/" + "x" * 2_000_000}
    shown = turn_of(0, modelTurn={"parts": [{"inlineData": blob}]})._repr_html_()
    assert len(shown) < 1_000_000
    assert "turn.images[0].data has it" in shown


def test_an_untrusted_notebook_may_show_all_of_it() -> None:
    """JupyterLab's sanitizer takes these elements and attributes, and drops style elements, scripts and handlers."""
    page = page_of(replace(turn_of(**SPOKEN), thoughts="Hm."))
    assert {name for name, _ in page.elements} <= {"div", "b", "i", "audio", "details", "summary", "span", "img", "pre"}
    attributes = {name for _, each in page.elements for name in each}
    assert attributes <= {"class", "style", "dir", "controls", "preload", "src"}


def test_the_colours_are_the_pages_own_light_or_dark() -> None:
    styles = " ".join(each.get("style") or "" for _, each in page_of(turn_of(**SPOKEN)).elements)
    assert "color" not in styles
    assert "background" not in styles


@pytest.mark.parametrize(("seconds", "rate"), [(10, 24_000), (20, 24_000), (40, 12_000), (80, 8_000)])
def test_a_long_turn_stays_below_a_megabyte_and_plays_to_its_end(seconds: int, rate: int) -> None:
    shown = turn_of(seconds, **SPOKEN)._repr_html_()
    assert len(shown) < LARGEST
    sound = sound_of(Page(shown))
    assert (sound.rate, sound.seconds) == (rate, pytest.approx(seconds))


def test_a_turn_that_cannot_fit_plays_its_beginning_and_says_where_all_of_it_is() -> None:
    page = page_of(turn_of(300, outputTranscription={"text": "word " * 100_000}, inputTranscription={"text": "&" * 100_000}))
    assert 60 < sound_of(page).seconds < 100
    assert "turn.audio.save(path)" in page.text


@pytest.mark.parametrize("text", ["<" * 1_000_000, "\U0001f600" * 1_000_000, "\ud800" * 9])
def test_no_words_make_a_turn_larger_than_a_megabyte(text: str) -> None:
    turn = turn_of(300, inputTranscription={"text": text}, outputTranscription={"text": text})
    run = ToolRun("c1", text, {"a": text}, RunState.FAILED, result=text, error=text, traceback=text)
    grown = replace(turn, text=text, thoughts=text, tool_runs=(run,) * 50)
    assert len(grown._repr_html_().encode("utf-8", "replace")) < LARGEST


def test_sound_is_a_player_with_its_length_below() -> None:
    page = page_of(Audio(bytes(2 * 2 * 16_000), 16_000, 2))
    assert sound_of(page) == Audio(bytes(2 * 2 * 16_000), 16_000, 2)
    assert "1.00 s of sound · 16,000 Hz, 2 channels" in page.text


def test_sound_without_samples_has_no_player() -> None:
    assert page_of(Audio(b"", RATE)).text == "no sound · 24,000 Hz, mono"


def test_a_session_is_one_line_with_its_counters_folded() -> None:
    with LiveEmulator(pace=0.0, voice=False) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        with client.live.connect(model="emulator", config={"response_modalities": ["TEXT"]}) as session:
            session.ask("Hello")
            page = page_of(session)
            messages = session.receive(timeout=1)
            assert repr(messages) == "<TurnIterator 0 waiting>"
        assert page.text.startswith("Session emulator idle · ")
        assert "bytes_sent: " in page.text
        assert "ended: " in page_of(session).text


def test_a_stream_of_sound_is_one_line() -> None:
    with LiveEmulator(pace=0.0, voice=False) as emulator:
        client = Client(api_key="k", http_options={"base_url": emulator.url})
        with client.live.connect(model="emulator", config={"response_modalities": ["AUDIO"]}) as session:
            stream = session.stream_audio(bytes(3_200), wait=False)
            stream.wait(10)
            assert page_of(stream).text.startswith("AudioStream(done, 0.10 s of 0.10 s)")


def test_a_conversation_is_one_line_with_its_words_folded() -> None:
    with client_of() as client, talking(HandEnd(eager=True), client) as conversation:
        conversation.send_text(MARKUP)
        until(lambda: conversation.stats.turns == 1)
        page = page_of(conversation)
    assert re.match(r"Conversation listening [\d.]+ s · 1 turn", page.text)
    assert f"Model: You said: {MARKUP.strip()}" in page.text
    assert not page.named("script")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ({}, "LiveServerMessage, empty"),
        ({"serverContent": {}}, "LiveServerMessage, empty"),
        ({"setupComplete": {}}, "LiveServerMessage: setup complete"),
        ({"serverContent": {"inputTranscription": {"text": "Hi <b>"}}}, "LiveServerMessage: user: 'Hi <b>'"),
        ({"serverContent": {"interrupted": True}}, "LiveServerMessage: interrupted"),
        ({"toolCall": {"functionCalls": [{"id": "1", "name": "book"}]}}, "LiveServerMessage: calls book"),
        ({"usageMetadata": {"totalTokenCount": 1200}}, "LiveServerMessage: 1,200 tokens"),
    ],
)
def test_a_message_is_one_line_that_says_what_is_in_it(message: dict[str, Any], line: str) -> None:
    shown = types.LiveServerMessage.from_dict(message)._repr_html_()
    assert html.unescape(shown.partition("<summary>")[2].partition("</summary>")[0]) == line


def test_a_message_shows_no_secret() -> None:
    assert "proxy-password" not in types.HttpOptions(proxy="http://u:proxy-password@host:1")._repr_html_()


def test_the_repr_of_a_turn_is_one_short_line() -> None:
    turn = turn_of(2.5, interrupted=True, outputTranscription={"text": "It is\nsunny " * 100})
    assert re.fullmatch(r"Turn\('It is sunny .*…', 2\.50 s of speech, 1,345 tokens, interrupted\)", repr(turn))
    assert len(repr(turn)) < 160
    assert repr(replace(turn_of(0.5, **SPOKEN), asked="Is it\nsunny?")).startswith(
        "Turn('Is it sunny?' -> 'It is sunny.', 0.50 s"
    )
    assert repr(turn_of(0.5, **SPOKEN)).startswith("Turn('What is the weather?' -> 'It is sunny.', 0.50 s")
    assert repr(replace(assemble([]), asked="Is it?")) == "Turn('Is it?' -> nothing said)"
    assert repr(assemble([])) == "Turn()"


def test_nothing_that_is_only_shown_is_loaded_before_it_is_shown() -> None:
    script = (
        "import sys, genai_live; from genai_live.emulator import LiveEmulator\n"
        "with LiveEmulator(voice=False) as emulator:\n"
        "    client = genai_live.Client(api_key='k', http_options={'base_url': emulator.url})\n"
        "    with client.live.connect(model='emulator', config={'response_modalities': ['TEXT']}) as session:\n"
        "        session.ask('Hello')\n"
        "names = ('genai_live._html', 'genai_live.notebook', 'genai_live.audio.player', 'IPython', 'anywidget')\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"
