"""``<genai-live-voice>`` in a real Chromium under the strictest policy; its decisions under node alone.

The microphone is a WAV file, every sample that goes to the loudspeaker is recorded beside it, and the sockets are spoken through
by hand (``tests/voice_pages.py``), so that each test says both sides of what happens.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import wave
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.browsers import FAKE_DEVICES, Browser, Firefox, Page, microphone, pulse_of
from tests.node_programs import FOLDER, node_with_packages
from tests.sound_server import WITH_SOUND, SoundServer, needs_a_quiet_machine
from tests.voice_pages import INPUT_RATE, OUTPUT_RATE, STATIC, PageServer, Visit, numbered, page_server
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "web-element.md"
PURE = sorted(FOLDER.glob("element/*.test.mjs"))

ELEMENT = "document.querySelector('genai-live-voice')"
SHADOW = f"{ELEMENT}.shadowRoot"
PRIMARY = "genai-live-voice .primary"

TONE = 440
LOUDNESS = 8000
FILE_RATE = 48_000
FILE_SECONDS = 20


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which node takes the page's modules for modules, as a browser does; older ones need to be told."""
    folder = tmp_path_factory.mktemp("modules")
    for place in (STATIC, PURE[0].parent):
        shutil.copytree(place, folder / place.relative_to(ROOT))
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


@pytest.mark.parametrize("file", PURE, ids=lambda file: file.name.partition(".")[0])
def test_the_decisions_of_the_page_hold_without_a_browser(file: Path, modules: Path) -> None:
    command = [node_with_packages(), "--test", str(modules / file.relative_to(ROOT))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\bfail 0\b", done.stdout)
    assert re.search(r"\bpass [1-9]", done.stdout)


# Pages


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bursts of a tone, three tenths of a second in each half."""
    file = tmp_path_factory.mktemp("sound") / "bursts.wav"
    half = FILE_RATE // 2
    burst = [round(LOUDNESS * math.sin(2 * math.pi * TONE * at / FILE_RATE)) for at in range(FILE_RATE * 3 // 10)]
    with wave.open(str(file), "wb") as writing:
        writing.setparams((1, 2, FILE_RATE, 0, "NONE", ""))
        writing.writeframes(array("h", (burst + [0] * (half - len(burst))) * 2 * FILE_SECONDS).tobytes())
    return file


@pytest.fixture(scope="module")
def browser(wav: Path) -> Iterator[Browser]:
    with Browser(*microphone(wav), "--host-resolver-rules=MAP far.test 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def server() -> Iterator[PageServer]:
    with page_server() as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: PageServer) -> Iterator[Page]:
    page = opened(browser, server.url)
    yield page
    leave(page)


def opened(browser: Browser, url: str, **options: object) -> Page:
    page = browser.page(url, viewport={"width": 480, "height": 420}, **options)
    page.until(f"{ELEMENT}.state === 'idle'")
    return page


def leave(page: Page) -> None:
    """Closes a page on which nothing has violated the policy, and no program has failed."""
    violations, said = page.evaluate("window.violations"), page.said()
    page.close()
    assert violations == []
    assert [each for each in said if "Error" in each and "WebSocket" not in each] == []


def talking(page: Page, server: PageServer, turn_taking: str = "automatic") -> Visit:
    """A page whose visitor has pressed the button, and whose server has begun."""
    page.click(PRIMARY)
    visit = server.visit()
    visit.begin(turn_taking=turn_taking)
    in_state(page, "listening")
    return visit


def in_state(page: Page, state: str) -> None:
    page.until(f"{ELEMENT}.state === '{state}'")


def text_of(page: Page, part: str) -> str:
    return str(page.evaluate(f"{SHADOW}.querySelector('.{part}').textContent"))


def told(page: Page, kind: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = page.evaluate(f"window.told.filter(([kind]) => kind === '{kind}').map(([, what]) => what)")
    return found


def heard(page: Page) -> list[int]:
    samples: list[int] = page.evaluate("window.heard")
    return samples


def loudness(samples: array[int]) -> float:
    return math.sqrt(sum(each * each for each in samples) / len(samples))


def blocks_of(sound: array[int]) -> list[array[int]]:
    """Sound in pieces of 20 ms."""
    size = INPUT_RATE // 50
    return [sound[first : first + size] for first in range(0, len(sound) - size + 1, size)]


def pitch(sound: array[int]) -> float:
    """Hz of the tone in a sound, by the pieces that are full of it: bursts begin within one, and a busy machine tears some.

    A torn piece may be as loud as the others; it has a crossing too many, or too few.
    """
    full = [each for each in blocks_of(sound) if abs(loudness(each) / (LOUDNESS / math.sqrt(2)) - 1) < 0.02]
    assert len(full) >= 5
    counts = sorted(sum((one < 0) != (other < 0) for one, other in pairwise(each)) for each in full)
    whole = [count for count in counts if abs(count - counts[len(counts) // 2]) <= 1]
    return sum(whole) / 2 / (len(whole) * (len(full[0]) - 1) / INPUT_RATE)


# Speaking


@pytest.mark.parametrize(("how", "rates"), [("unprocessed", {16_000}), ("refusing", {44_100, 48_000})])
def test_the_microphone_arrives_at_16_khz_in_messages_of_40_ms_as_loud_as_it_is(
    browser: Browser, server: PageServer, how: str, rates: set[int]
) -> None:
    page = opened(browser, f"{server.url}#{how}")  # refusing: the browser connects it to no context of another rate
    visit = talking(page, server)
    until(lambda: len(visit.messages) >= 50)
    assert {len(each) for each in visit.messages} == {1280}
    blocks = blocks_of(visit.sound)
    loud = [block for block in blocks if loudness(block) > LOUDNESS / 2]
    assert 0.5 <= len(loud) / len(blocks) <= 0.7  # three tenths of each half second
    assert abs(sorted(map(loudness, loud))[len(loud) // 2] / (LOUDNESS / math.sqrt(2)) - 1) < 0.03
    assert abs(pitch(visit.sound) / TONE - 1) < 0.03
    assert page.evaluate(f"{ELEMENT}.stats.captureRate") in rates
    leave(page)


def test_the_browser_takes_the_echo_out_of_the_microphone(page: Page, server: PageServer) -> None:
    talking(page, server)
    assert page.evaluate("window.tracks[0].getSettings().echoCancellation") is True


def test_the_first_message_has_the_token_and_asks_for_no_conversation(page: Page, server: PageServer) -> None:
    assert talking(page, server).start == {"event": "start", "version": 1, "token": "signed", "conversation": None}


def test_a_page_may_name_another_socket_and_bring_its_token(page: Page, server: PageServer) -> None:
    page.evaluate(f"{ELEMENT}.setAttribute('socket', 'ws://127.0.0.1:{server.port}/voice/?from=page')")
    page.evaluate(f"{ELEMENT}.setAttribute('token', 'mine')")
    assert talking(page, server).start["token"] == "mine"
    assert "/voice/token" not in server.asked


def test_a_program_of_the_page_starts_and_learns_how_it_went(page: Page, server: PageServer) -> None:
    page.evaluate(f"void (window.started = {ELEMENT}.start())")
    server.visit().begin()
    assert page.evaluate("window.started") == "listening"
    page.evaluate(f"{ELEMENT}.stop()")
    page.evaluate(f"void (window.started = {ELEMENT}.start())")
    server.visit().refuse("full", 1013)
    assert page.evaluate("window.started") == "failed"


def test_nothing_is_sent_while_the_microphone_is_off(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    until(lambda: visit.messages)
    page.click("genai-live-voice [part~=mute]")
    until(lambda: visit.of("mute"))
    silent = len(visit.messages)
    visit.play(numbered(OUTPUT_RATE // 2))
    until(lambda: visit.played == 0.5)
    assert len(visit.messages) == silent
    page.click("genai-live-voice [part~=mute]")
    until(lambda: len(visit.messages) > silent)
    assert [each["event"] for each in visit.said if "mute" in each["event"]] == ["mute", "unmute"]


def test_a_sentence_is_said_in_writing(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    page.evaluate(f"{ELEMENT}.send('Where is it?')")
    until(lambda: visit.of("text") == [{"event": "text", "text": "Where is it?"}])


# Hearing


def test_every_sample_is_heard_once_and_counted(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    sound = numbered(OUTPUT_RATE * 3 // 2)
    visit.play(sound)
    visit.tell("end_of_answer")
    until(lambda: visit.played == 1.5)
    page.until(f"window.heard.length > {len(sound)}")
    assert heard(page)[: len(sound)] == list(sound)
    assert page.evaluate(f"{ELEMENT}.stats.underruns") == 0
    reports = [each["seconds"] for each in visit.of("played")]
    assert reports == sorted(reports)
    assert 0.0 < reports[0] < 0.05, "the first says that sound begins"
    assert max(later - earlier for earlier, later in pairwise(reports)) < 0.55


def test_sound_of_another_rate_is_heard_at_its_own(page: Page, server: PageServer) -> None:
    page.click(PRIMARY)
    visit = server.visit()
    visit.begin(output_rate=16_000)
    visit.play(numbered(8_000))
    until(lambda: visit.played == 0.5)
    assert page.evaluate(f"{ELEMENT}.stats.playbackRate") == 16_000


def test_after_a_flush_no_sample_is_heard_and_the_next_answer_is(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    visit.play(numbered(OUTPUT_RATE * 10, first=1))
    until(lambda: visit.played > 0.3)
    visit.tell("flush")
    visit.play(numbered(OUTPUT_RATE // 2, first=29_000))
    visit.tell("end_of_answer")
    until(lambda: any(each["flushes"] for each in visit.of("played")))
    flushed = next(each["seconds"] for each in visit.of("played") if each["flushes"] == 1)
    until(lambda: round(visit.played * OUTPUT_RATE) == round((flushed + 0.5) * OUTPUT_RATE))  # samples: seconds are rounded
    page.until(f"window.heard.length > {round((flushed + 0.5) * OUTPUT_RATE)}")
    sounding = [sample for sample in heard(page) if sample]
    before = round(flushed * OUTPUT_RATE)
    assert sounding == [*numbered(before), *numbered(OUTPUT_RATE // 2, first=29_000)]


def test_transcripts_are_read_out_when_an_utterance_is_complete(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    log = f"{SHADOW}.querySelector('[role=log]')"
    visit.tell("user_words", at=1.0, text="Where is", final=False)
    page.until(f"{log}.textContent.includes('Where is')")
    assert page.evaluate(f"[{log}.ariaLive, {log}.ariaBusy]") == ["polite", "true"]
    visit.tell("user_words", at=1.5, text="Where is my order?", final=True)
    visit.tell("model_words", at=2.0, text="It is on its", final=False)
    visit.tell("interrupted", at=2.5, heard=0.5, exact=True)
    page.until(f"{log}.textContent.includes('interrupted')")
    page.until(f"{log}.ariaBusy === 'false'")  # as it was for an instant, between the two
    assert page.evaluate(f"{ELEMENT}.transcript") == [
        {"speaker": "user", "text": "Where is my order?", "final": True, "interrupted": False},
        {"speaker": "model", "text": "It is on its", "final": True, "interrupted": True},
    ]
    assert text_of(page, "entry.model") == "Assistant: It is on itsinterrupted"
    assert [each["text"] for each in told(page, "words")] == ["Where is", "Where is my order?", "It is on its"]
    assert told(page, "interrupted") == [{"heard": 0.5, "exact": True}]


def test_the_states_of_the_conversation_are_shown_and_told(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    for state, sentence in {"hearing": "Listening to you", "waiting": "Thinking…", "speaking": "Speaking"}.items():
        visit.state(state)
        in_state(page, state)
        assert text_of(page, "status") == sentence
        assert page.evaluate(f"{ELEMENT}.getAttribute('state')") == state
    states = [each["state"] for each in told(page, "statechange")]
    assert states == ["connecting", "listening", "hearing", "waiting", "speaking"]


def test_levels_are_drawn(page: Page, server: PageServer) -> None:
    talking(page, server)
    page.until(f"""(() => {{
        const canvas = {SHADOW}.querySelector('canvas');
        const {{ data }} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const drawn = new Map(); // pixels of each column
        for (let at = 3; at < data.length; at += 4) {{
            const column = (at >> 2) % canvas.width;
            if (data[at]) drawn.set(column, (drawn.get(column) ?? 0) + 1);
        }}
        return Math.max(...drawn.values()) > canvas.height / 2;
    }})()""")


# Coming back


def test_a_socket_that_is_lost_is_opened_again_with_the_conversations_id(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    visit.cut()
    in_state(page, "reconnecting")
    assert text_of(page, "status") == "Connection lost, reconnecting…"
    again = server.visit()
    assert again.start["conversation"] == "c1"
    again.begin()
    in_state(page, "listening")
    until(lambda: again.messages)
    again.play(numbered(2400))
    until(lambda: again.played == 0.1)
    assert page.evaluate(f"{ELEMENT}.stats.reconnections") == 1


def test_a_server_that_moves_is_visited_again_at_once_and_its_last_answer_is_heard_to_the_end(
    page: Page, server: PageServer
) -> None:
    visit = talking(page, server)
    visit.play(numbered(OUTPUT_RATE * 2))
    visit.tell("end_of_answer")
    until(lambda: visit.played > 0.2)
    visit.end(1012)
    again = server.visit()
    again.begin()
    again.play(numbered(2400, first=20_000))
    again.tell("end_of_answer")
    until(lambda: again.played == 0.1)  # only the sound of its own socket
    assert [sample for sample in heard(page) if sample] == [*numbered(OUTPUT_RATE * 2), *numbered(2400, first=20_000)]


def test_a_conversation_that_the_server_ends_is_over(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    visit.play(numbered(OUTPUT_RATE // 2))
    visit.end(1000)
    in_state(page, "ended")
    page.until(f"window.heard.filter((sample) => sample).length === {OUTPUT_RATE // 2}")  # what it said before is heard
    page.until("window.tracks.every((track) => track.readyState === 'ended')")
    assert server.no_visit()


def test_a_stop_switches_the_microphone_off_and_says_so(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    page.click(PRIMARY)
    in_state(page, "ended")
    until(visit.gone.is_set)
    assert visit.said[-1] == {"event": "stop"}
    page.until("window.tracks.every((track) => track.readyState === 'ended')")


def test_an_element_that_is_taken_away_stops_and_one_that_is_moved_goes_on(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    page.evaluate(f"window.kept = {ELEMENT}, document.body.prepend(window.kept)")
    assert page.evaluate("window.kept.state") == "listening"
    page.evaluate("window.kept.remove()")
    until(visit.gone.is_set)
    page.until("window.tracks.every((track) => track.readyState === 'ended')")
    assert page.evaluate("window.kept.state") == "ended"


def test_another_conversation_begins_with_an_empty_transcript(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    visit.tell("user_words", at=1.0, text="Goodbye.", final=True)
    page.until(f"{ELEMENT}.transcript.length === 1")
    page.click(PRIMARY)
    in_state(page, "ended")
    assert page.evaluate(f"{ELEMENT}.transcript.length") == 1
    assert talking(page, server).start["conversation"] is None
    assert page.evaluate(f"{ELEMENT}.transcript") == []


# What goes wrong, a sentence each


def problem(page: Page) -> str:
    in_state(page, "failed")
    return str(page.evaluate(f"{SHADOW}.querySelector('[role=alert]').textContent"))


def test_a_server_that_is_full_says_so_and_may_be_asked_again(page: Page, server: PageServer) -> None:
    page.click(PRIMARY)
    server.visit().end(1013)
    assert problem(page) == "All lines are busy. Try again in a minute."
    assert told(page, "problem") == [{"problem": "full", "sentence": "All lines are busy. Try again in a minute."}]
    talking(page, server)
    assert text_of(page, "problem") == ""


@pytest.mark.parametrize("reason", ["token", "origin", "maintenance"])
def test_a_refusal_has_the_sentence_of_the_server_unless_the_page_has_one(page: Page, server: PageServer, reason: str) -> None:
    page.click(PRIMARY)
    server.visit().refuse(reason, 1008)
    assert problem(page) == f"The server says: {reason}."
    page.evaluate(f"{ELEMENT}.sentences = {{{reason}: 'Leider nein.'}}")
    page.click(PRIMARY)
    server.visit().refuse(reason, 1008)
    page.until("window.told.filter(([kind]) => kind === 'problem').length === 2")
    assert problem(page) == "Leider nein."


def test_a_conversation_that_ends_because_nobody_speaks_says_so_and_may_go_on(page: Page, server: PageServer) -> None:
    talking(page, server).refuse("idle", 1000)
    in_state(page, "ended")
    assert text_of(page, "problem") == "The server says: idle."
    page.click(PRIMARY)
    assert server.visit().start["conversation"] == "c1"


def test_a_visitor_who_is_given_no_token_is_told_without_a_socket(page: Page, server: PageServer) -> None:
    server.token = (403, {})
    page.click(PRIMARY)
    assert problem(page) == "You may not talk here. Log in, then try again."
    assert server.no_visit()


def test_a_failure_of_the_server_is_told(page: Page, server: PageServer) -> None:
    talking(page, server).end(1011)
    assert problem(page) == "The server had a problem and ended the conversation. Try again."


def test_a_microphone_that_is_refused_is_told_and_no_socket_is_opened(server: PageServer) -> None:
    with Browser(FAKE_DEVICES) as browser:
        page = opened(browser, server.url, permissions=[])
        page.click(PRIMARY)
        assert problem(page) == "The microphone is blocked. Allow it in the browser's address bar, then try again."
        assert server.no_visit()
        leave(page)


def test_a_machine_without_a_microphone_is_told(server: PageServer) -> None:
    with Browser("--use-fake-ui-for-media-stream", ALSA_CONFIG_PATH=os.devnull, PULSE_SERVER="unix:/nowhere") as browser:
        page = opened(browser, server.url)
        page.click(PRIMARY)
        assert problem(page) == "No microphone was found. Connect one, then try again."
        assert server.no_visit()
        leave(page)


def test_a_microphone_that_is_pulled_out_is_told(page: Page, server: PageServer) -> None:
    visit = talking(page, server)
    page.evaluate("window.tracks[0].dispatchEvent(new Event('ended'))")
    assert problem(page) == "The microphone was disconnected. Connect one, then try again."
    until(visit.gone.is_set)


def test_a_browser_that_starts_no_sound_is_told(browser: Browser, server: PageServer) -> None:
    page = opened(browser, f"{server.url}#silent")  # as Firefox does without a loudspeaker
    page.click(PRIMARY)
    assert problem(page) == "The browser starts no sound. Connect a loudspeaker or headphones, then try again."
    assert server.no_visit()
    leave(page)


def test_a_page_that_is_not_secure_is_told(browser: Browser, server: PageServer) -> None:
    page = opened(browser, f"http://far.test:{server.port}/")
    page.click(PRIMARY)
    assert problem(page) == "This page was not loaded over https, so the browser gives it no microphone."
    leave(page)


def test_the_words_are_the_pages_to_replace(page: Page) -> None:
    page.evaluate(f"{ELEMENT}.sentences = {{start: 'Sprechen'}}")
    assert page.evaluate(f"{SHADOW}.querySelector('.primary').ariaLabel") == "Sprechen"


def test_each_word_has_a_name_of_its_own() -> None:
    names = re.findall(r"^  (\w+):", (STATIC / "sentences.js").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(names) > 40
    assert sorted(names) == sorted(set(names))


def test_a_page_at_rest_says_how_to_begin(page: Page) -> None:
    assert page.evaluate(f"{SHADOW}.querySelector('.hint').textContent").strip() == "Start talking"
    assert page.evaluate(f"{SHADOW}.querySelector('.primary').ariaLabel") == "Start talking"


# Firefox


@WITH_SOUND
@pytest.mark.alone
def test_firefox_connects_its_microphone_and_plays(server: PageServer, wav: Path) -> None:
    needs_a_quiet_machine()
    with SoundServer() as card, pulse_of(card) as pulse, Firefox({}, PULSE_SERVER=pulse) as browser:
        page = browser.page(f"{server.url}#unprocessed")
        page.until(f"{ELEMENT}.state === 'idle'")
        visit = talking(page, server)
        card.speak(wav)
        until(lambda: any(loudness(block) > LOUDNESS / 2 for block in blocks_of(visit.sound)))
        before = len(visit.messages)
        until(lambda: len(visit.messages) > before + 25)
        assert abs(pitch(visit.sound) / TONE - 1) < 0.03
        visit.play(numbered(OUTPUT_RATE))
        visit.tell("end_of_answer")
        until(lambda: visit.played == 1.0)
        page.until(f"window.heard.length > {OUTPUT_RATE}")
        assert heard(page)[:OUTPUT_RATE] == list(numbered(OUTPUT_RATE))
        assert [each for each in page.evaluate("window.violations") if "favicon" not in each] == []


# Keys


def test_a_button_that_is_held_down_by_the_keyboard_talks(page: Page, server: PageServer) -> None:
    page.evaluate(f"{ELEMENT}.focus()")
    page.key("press", "Enter")
    visit = server.visit()
    visit.begin(turn_taking="push_to_talk")
    in_state(page, "listening")
    for key, rounds in (("Space", 1), ("Enter", 2)):
        page.key("down", key)
        page.key("down", key)  # a key that is held down repeats
        until(lambda rounds=rounds: len(visit.of("press")) == rounds)
        before = len(visit.messages)
        until(lambda before=before: len(visit.messages) > before + 5)
        page.key("up", key)
        until(lambda rounds=rounds: len(visit.of("release")) == rounds)
        after = len(visit.messages)
        visit.play(numbered(OUTPUT_RATE // 4))
        until(lambda rounds=rounds: visit.played == 0.25 * rounds)
        assert len(visit.messages) == after
    assert [each["event"] for each in visit.said if each["event"] != "played"] == ["press", "release"] * 2
    page.key("press", "Escape")
    in_state(page, "ended")


def test_a_button_that_is_held_down_by_the_mouse_talks_and_goes_on_beside_it(page: Page, server: PageServer) -> None:
    visit = talking(page, server, "push_to_talk")
    page.mouse("down", PRIMARY)
    until(lambda: visit.messages)
    assert page.evaluate(f"{SHADOW}.querySelector('.primary').ariaPressed") == "true"
    page.mouse("up", "genai-live-voice .status")
    until(lambda: visit.of("release"))
    assert [each["event"] for each in visit.said] == ["press", "release"]
    page.click("genai-live-voice [part~=leave]")
    in_state(page, "ended")


def test_a_button_that_is_pressed_when_the_socket_is_lost_is_pressed_on_the_next(page: Page, server: PageServer) -> None:
    visit = talking(page, server, "push_to_talk")
    page.evaluate(f"{ELEMENT}.focus()")
    page.key("down", "Space")
    until(lambda: visit.messages)
    visit.cut()
    again = server.visit()
    again.begin(turn_taking="push_to_talk")
    until(lambda: again.messages)
    assert again.said[0] == {"event": "press"}
    page.key("up", "Space")
    until(lambda: again.of("release"))


def test_every_button_is_reached_by_the_keyboard_and_has_a_name(page: Page, server: PageServer) -> None:
    talking(page, server)
    page.evaluate(f"{ELEMENT}.focus()")
    names = [page.evaluate(f"{SHADOW}.activeElement.ariaLabel")]
    page.key("press", "Tab")
    names.append(page.evaluate(f"{SHADOW}.activeElement.ariaLabel"))
    assert names == ["Stop", "Switch the microphone off"]


# Looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_as_light_or_dark_as_the_visitor_wants_it(browser: Browser, server: PageServer, scheme: str) -> None:
    page = opened(browser, server.url, colorScheme=scheme)
    colour = page.evaluate(f"getComputedStyle({SHADOW}.querySelector('.card')).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3 / 255
    assert (brightness > 0.9) if scheme == "light" else (brightness < 0.15)
    leave(page)


def test_a_page_styles_it_by_variables_and_parts(page: Page) -> None:
    page.evaluate("""(() => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync("genai-live-voice { --voice-surface: rgb(1, 2, 3) } genai-live-voice::part(primary) { width: 77px }");
        document.adoptedStyleSheets = [sheet];
    })()""")
    assert page.evaluate(f"getComputedStyle({SHADOW}.querySelector('.card')).backgroundColor") == "rgb(1, 2, 3)"
    assert page.evaluate(f"getComputedStyle({SHADOW}.querySelector('.primary')).width") == "77px"


@pytest.mark.parametrize("width", [240, 1000])
def test_nothing_is_cut_off_on_a_narrow_page_or_lost_on_a_wide_one(browser: Browser, server: PageServer, width: int) -> None:
    page = browser.page(server.url, viewport={"width": width, "height": 500})
    visit = talking(page, server)
    visit.tell("user_words", at=1.0, text="A word of averylongwordthatnobodywouldeverbreakanywhereelse", final=True)
    page.until(f"{ELEMENT}.transcript.length === 1")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(f"{ELEMENT}.offsetWidth") <= 544
    leave(page)


# The package and its guide


def test_nothing_is_fetched_from_elsewhere_and_nothing_is_evaluated() -> None:
    for file in STATIC.iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org/)|\beval\(|new Function|\.style\b|innerHTML|data:", text), file.name


def test_every_module_says_in_its_first_line_what_it_is() -> None:
    assert all(file.read_text(encoding="utf-8").startswith("// ") for file in STATIC.glob("*.js"))


def test_the_guide_names_every_attribute_event_part_variable_state_and_count() -> None:
    source = {file.name: file.read_text(encoding="utf-8") for file in STATIC.glob("*.js")}
    element, every = source["genai-live-voice.js"], "\n".join(source.values())
    named = {
        *re.findall(r'[gh][ea][ts]Attribute\("([\w-]+)"', element),
        *re.findall(r'#tell\("(\w+)"', element),
        *re.findall(r'part\("\w+", "([\w-]+)"', every),
        *re.findall(r'part\.add\("(\w+)"', every),
        *re.findall(r"var\((--voice-[\w-]+)[,)]", every),
        *(f"--voice-{name}" for name in re.findall(r'^  "?([\w-]+)"?: \["#', source["style.js"], re.MULTILINE)),
        *re.findall(r"^  (\w+):", source["sentences.js"].partition("// problems")[2], re.MULTILINE),
        *re.findall(r"^  (\w+): (?:WHILE_RUNNING|AT_REST),", source["states.js"], re.MULTILINE),
        *re.findall(r"^      (\w+)[:,]", element[element.index("get stats") : element.index("get sentences")], re.MULTILINE),
    }
    assert len(named) > 50
    guide = GUIDE.read_text(encoding="utf-8")
    assert sorted(name for name in named if f"`{name}`" not in guide) == []
