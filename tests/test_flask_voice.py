"""LiveVoice in real Flask apps: who is let in, what is said and heard, what is left; on werkzeug's server, in this process."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import flask
import pytest
from websockets.exceptions import InvalidStatus

from genai_live import Client
from genai_live.errors import ConfigError
from genai_live.web import MemoryStore, tickets, visits
from genai_live.web.flask import LiveVoice
from genai_live.web.tickets import SignedTickets
from tests.processes import ROOT
from tests.voice_visitors import TONE, Page, left_open, status_of, token_of, voice, workers
from tests.waiting import PATIENCE, until

MODEL = "emulator"


@pytest.mark.parametrize("shared_reader", [True, False])
def test_a_visitor_talks_hears_and_reads_and_leaves_nothing(shared_reader: bool) -> None:
    with voice(shared_reader=shared_reader) as (url, live_voice, _):
        with Page(url) as page:
            started = page.comes("started")
            assert (started["input_rate"], started["output_rate"], started["turn_taking"]) == (16_000, 24_000, "automatic")
            page.comes("state_changed", state="listening")
            page.talk(TONE)
            assert "of speech" in page.comes("user_words", final=True)["text"]
            assert page.comes("model_words", final=True)["text"].startswith("I heard")
            page.comes("end_of_answer")
            ended = page.comes("turn_ended")
            assert ended["utterances"][1]["heard"] == pytest.approx(len(page.sound) / 48_000, abs=0.2)
            assert len(live_voice) == 1
            page.say("stop")
            assert page.close_code == 1000
        until(lambda: len(live_voice) == 0)


def test_a_visitor_who_speaks_over_the_answer_silences_it_and_what_was_heard_is_exact() -> None:
    with voice() as (url, _, _), Page(url) as page:
        page.comes("state_changed", state="listening")
        page.say("text", text="Count to a hundred, please, slowly and clearly, without leaving out any of the numbers.")
        page.comes("state_changed", state="speaking")
        page.talk(TONE)
        assert page.comes("interrupted")["exact"] is True
        assert page.of("flush")


def test_the_page_gets_the_modules_of_the_element_and_nothing_else() -> None:
    with voice() as (url, _, _):
        for name in ("genai-live-voice.js", "playback-worklet.js", "capture-worklet.js"):
            with urllib.request.urlopen(f"{url}/voice/{name}") as answer:
                assert answer.headers["Content-Type"].startswith("text/javascript")
                assert answer.read()
        for name in ("nothing.js", "..%2Fflask.py", "style.css"):
            assert status_of(f"{url}/voice/{name}") == 404
        assert status_of(f"{url}/voice/") == 426


# Who is let in.


def refusal(page: Page) -> tuple[str, int | None]:
    reason = page.comes("refused")["reason"]
    return reason, page.close_code


def test_a_page_of_another_origin_is_refused() -> None:
    with voice() as (url, _, emulator):
        for origin in ("https://evil.example", "null", "http://[", url.replace("127.0.0.1", "localhost")):
            assert status_of(f"{url}/voice/token", Origin=origin) == 403
            with Page(url, origin=origin) as page:
                assert refusal(page) == ("origin", 1008)
        assert not emulator.received


def test_other_origins_may_talk_where_the_owner_says_so() -> None:
    with voice(origins=["https://Friend.example:443"]) as (url, _, _), Page(url, origin="https://friend.example") as page:
        page.comes("started")


@pytest.mark.parametrize("token", ["", "no token", "WyJh.b.c", "half \ud83d"])
def test_a_wrong_token_is_refused(token: str) -> None:
    with voice() as (url, _, emulator):
        with Page(url, token) as page:
            assert refusal(page) == ("token", 1008)
        assert not emulator.received


def test_a_token_is_refused_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    with voice() as (url, _, _):
        token = token_of(url)
        from itsdangerous import timed

        later = timed.time.time() + 3_600
        monkeypatch.setattr(timed.time, "time", lambda: later)
        with Page(url, token) as page:
            assert refusal(page) == ("token", 1008)


@pytest.mark.parametrize(("behind", "is_let_in"), [(1.5, True), (50.0, True), (3_600.0, False)])
def test_a_token_of_a_worker_whose_clock_is_ahead_is_good(
    behind: float, is_let_in: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tickets = SignedTickets(["a secret"])
    token = tickets.token("ann")
    now = time.time() - behind
    monkeypatch.setattr("time.time", lambda: now)
    assert tickets.visitor_of(token) == ("ann" if is_let_in else None)
    assert ("set the clocks" in caplog.text) is not is_let_in


def test_workers_with_different_secrets_are_told_of_in_the_log_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tickets, "_told", threading.Event())
    with workers(2, secrets=("one", "another")) as (urls, _, _):
        for _ in range(2):
            with Page(urls[1], token_of(urls[0])) as page:
                assert refusal(page) == ("token", 1008)
    assert caplog.text.count("all workers need the same secret") == 1


def test_what_was_signed_with_an_earlier_secret_is_good_while_the_app_keeps_it() -> None:
    app = flask.Flask("visited")
    app.secret_key = "new"
    app.config["SECRET_KEY_FALLBACKS"] = ["older", "old"]
    live_voice = LiveVoice(app, Client(api_key="k"), model=MODEL)
    with app.test_request_context():
        tickets = live_voice._tickets
    assert tickets.visitor_of(SignedTickets(["old"]).token("ann")) == "ann"
    assert SignedTickets(["new"]).visitor_of(tickets.token("ann")) == "ann"


def test_a_voice_of_several_apps_signs_with_the_secret_of_each() -> None:
    live_voice = LiveVoice(client=Client(api_key="k"), model=MODEL)
    for secret in ("one", "another"):
        app = flask.Flask(secret)
        app.secret_key = secret
        live_voice.init_app(app)
        token = app.test_client().get("/voice/token").json["token"]
        assert SignedTickets([secret]).visitor_of(token)


def test_whoever_is_not_authorized_gets_no_token_and_no_conversation() -> None:
    def authorize(request: flask.Request) -> str | None:
        return request.headers.get("X-User")

    with voice(authorize=authorize) as (url, _, _):
        assert status_of(f"{url}/voice/token") == 403
        ann = token_of(url, **{"X-User": "ann"})
        with Page(url, ann) as page:
            assert refusal(page) == ("refused", 1008)
        with Page(url, ann, additional_headers={"X-User": "bob"}) as page:
            assert refusal(page) == ("token", 1008)
        with Page(url, ann, additional_headers={"X-User": "ann"}) as page:
            id = page.comes("started")["conversation"]
            page.comes("state_changed", state="listening")
        bob = token_of(url, **{"X-User": "bob"})
        with Page(url, bob, id, additional_headers={"X-User": "bob"}) as page:
            assert refusal(page) == ("conversation", 1008)
        with Page(url, ann, id[:-2], additional_headers={"X-User": "ann"}) as page:
            assert refusal(page) == ("conversation", 1008)


@pytest.mark.parametrize("answer", [None, False, ""])
def test_authorize_refuses_with_whatever_is_no_name(answer: Any) -> None:
    with voice(authorize=lambda _: answer) as (url, _, emulator):
        assert status_of(f"{url}/voice/token") == 403
        with Page(url, "") as page:
            assert refusal(page) == ("refused", 1008)
        assert not emulator.received


@pytest.mark.parametrize("answer", [True, object(), b"ann", ["ann"]])
def test_an_answer_of_authorize_that_names_nobody_lets_nobody_in(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """``lambda request: user.is_authenticated`` would make all visitors one, who may take each other's conversations."""
    with voice(authorize=lambda _: answer) as (url, _, emulator):
        assert status_of(f"{url}/voice/token") == 500
        assert "authorize: must return the visitor's name, or None to refuse" in caplog.text
        with pytest.raises(InvalidStatus), Page(url, ""):
            pass
        assert not emulator.received


def test_an_authorize_that_would_have_to_be_awaited_is_refused_at_once() -> None:
    async def authorize(_: flask.Request) -> str:
        return "ann"

    with pytest.raises(ConfigError, match="not an async one"):
        LiveVoice(client=Client(api_key="k"), model=MODEL, authorize=authorize)  # type: ignore[arg-type]


def test_a_visitor_may_have_a_number_for_a_name() -> None:
    with voice(authorize=lambda _: 7) as (url, _, _), Page(url) as page:
        page.comes("started")


def test_below_a_path_of_another_server_the_cookie_is_that_paths() -> None:
    app = flask.Flask("visited")
    app.secret_key = "a secret of tests"
    LiveVoice(app, Client(api_key="k"), model=MODEL)
    answer = app.test_client().get("/voice/token", environ_overrides={"SCRIPT_NAME": "/shop"})
    assert "Path=/shop/voice/;" in answer.headers["Set-Cookie"]


def test_an_app_may_have_several_voices_each_below_its_prefix() -> None:
    app = flask.Flask("visited")
    app.secret_key = "a secret of tests"
    client = Client(api_key="k")
    for prefix in ("/voice/", "/other/"):
        LiveVoice(app, client, model=MODEL, prefix=prefix)
    for prefix in ("/voice/", "/other/"):
        assert app.test_client().get(f"{prefix}token").status_code == 200
    with pytest.raises(ConfigError, match="already"):
        LiveVoice(app, client, model=MODEL)


def test_only_an_app_has_a_voice() -> None:
    with pytest.raises(ConfigError, match="must be a Flask app, not Blueprint"):
        LiveVoice(flask.Blueprint("talk", __name__), Client(api_key="k"), model=MODEL)  # type: ignore[arg-type]


def test_a_browser_without_a_name_keeps_its_own_in_a_cookie() -> None:
    with voice() as (url, _, _):
        with urllib.request.urlopen(f"{url}/voice/token") as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
            assert "HttpOnly" in answer.headers["Set-Cookie"]
            first = json.load(answer)["token"]
        with Page(url, first, additional_headers={"Cookie": cookie}) as page:
            id = page.comes("started")["conversation"]
            page.comes("state_changed", state="listening")
        again = token_of(url, Cookie=cookie)
        with Page(url, again, id, additional_headers={"Cookie": cookie}) as page:
            assert page.comes("started")["conversation"] == id
        with Page(url, token_of(url), additional_headers={"Cookie": cookie}) as page:
            assert refusal(page) == ("token", 1008)


def test_beyond_the_limit_a_visitor_is_refused_at_once_and_in_words() -> None:
    with voice(limit=1) as (url, live_voice, _):
        with Page(url) as page:
            page.comes("state_changed", state="listening")
            with Page(url) as second:
                assert refusal(second) == ("full", 1013)
        until(lambda: len(live_voice) == 0)
        with Page(url) as page:
            page.comes("started")


def test_sockets_that_say_nothing_take_no_place_from_a_page() -> None:
    with voice(limit=1) as (url, _, _):
        silent = [left_open(f"{url.replace('http', 'ws')}/voice/") for _ in range(3)]
        with Page(url) as page:
            page.comes("started")
        for socket in silent:
            socket.close()


def test_whoever_opens_too_many_of_them_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "MOST_SILENT", 2)
    with voice(limit=2) as (url, _, _):
        silent = [left_open(f"{url.replace('http', 'ws')}/voice/") for _ in range(2)]
        with Page(url) as page:
            assert refusal(page) == ("full", 1013)
        for socket in silent:
            socket.close()


# Coming back.


def test_a_page_that_comes_back_goes_on_with_its_conversation() -> None:
    with voice() as (url, _, emulator):
        token = token_of(url)
        with Page(url, token) as page:
            id = page.comes("started")["conversation"]
            page.comes("state_changed", state="listening")
            page.say("text", text="Hello")
            page.comes("turn_ended")
            page.cut()  # the network is gone
        with Page(url, token, id) as page:
            assert page.comes("started")["conversation"] == id
            page.comes("state_changed", state="listening")
        setups = [each.message["setup"] for each in emulator.received if each.kind == "setup"]
        assert setups[1]["sessionResumption"]["handle"]


def test_a_second_window_with_the_same_conversation_takes_it_over_and_the_first_is_told_where_it_went() -> None:
    with voice() as (url, live_voice, _):
        token = token_of(url)
        with Page(url, token) as first:
            id = first.comes("started")["conversation"]
            first.comes("state_changed", state="listening")
            with Page(url, token, id) as second:
                second.comes("state_changed", state="listening")
                assert refusal(first) == ("elsewhere", 1008)
                assert len(live_voice) == 1


def test_a_conversation_of_another_worker_is_busy() -> None:
    store = MemoryStore()
    with voice(store=store) as (url, _, _):
        token = token_of(url)
        with Page(url, token) as page:
            id = page.comes("started")["conversation"]
            page.say("stop")
            assert page.close_code == 1000
        name = json.loads(base64.urlsafe_b64decode(id.partition(".")[0] + "=="))[0]
        until(lambda: store.claim(name, "another worker", 60.0))
        with Page(url, token, id) as page:
            assert refusal(page) == ("busy", 1008)


# Leaving.


def test_a_worker_that_leaves_lets_the_model_finish_and_sends_its_pages_to_another() -> None:
    with voice() as (url, live_voice, _):
        with Page(url) as page:
            page.comes("state_changed", state="listening")
            page.say("text", text="Hello")
            page.comes("state_changed", state="speaking")
            leaving = threading.Thread(target=live_voice.close)
            leaving.start()
            page.comes("turn_ended")
            assert page.close_code == 1012
            leaving.join(PATIENCE)
        with Page(url) as page:
            assert refusal(page) == ("moving", 1012)


def test_a_worker_that_leaves_does_not_wait_for_a_visitor_who_went_in_the_middle_of_a_turn() -> None:
    with voice(drain_timeout=3_600.0) as (url, live_voice, _):
        with Page(url) as page:
            page.comes("state_changed", state="listening")
            page.say("text", text="Tell me a long story, please. " * 60)
            page.comes("state_changed", state="speaking")
            leaving = threading.Thread(target=live_voice.close)
            leaving.start()
        leaving.join(PATIENCE)
        assert not leaving.is_alive()


def test_a_worker_that_was_told_to_leave_before_anybody_came_lets_nobody_in() -> None:
    with voice() as (url, live_voice, _):
        live_voice.close(0.0)
        with Page(url) as page:
            assert refusal(page) == ("moving", 1012)


def test_a_session_that_the_service_refuses_is_told_in_words_for_visitors(caplog: pytest.LogCaptureFixture) -> None:
    with voice(config={"speech_config": {"language_code": "xx-XX"}}) as (url, live_voice, emulator):
        emulator.stop()
        with Page(url) as page:
            assert refusal(page) == ("server", 1011)
            assert "again" in page.of("refused")[0]["sentence"]
        until(lambda: len(live_voice) == 0)
    assert "could not be opened" in caplog.text


# Servers and settings.


def test_a_server_that_gives_no_socket_is_named_with_one_that_does(caplog: pytest.LogCaptureFixture) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "a" * 24}
    app = flask.Flask("visited")
    app.secret_key = "a secret of tests"
    LiveVoice(app, Client(api_key="k"), model=MODEL)
    for server in ("waitress", "mod_wsgi/5.0", "uWSGI"):
        answer = app.test_client().get("/voice/", headers=headers, environ_base={"SERVER_SOFTWARE": server})
        assert answer.status_code == 501
        assert server in answer.text
        assert "gunicorn -k gthread" in answer.text
        assert server in caplog.text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"prefix": "voice"}, "slash"),
        ({"prefix": 5}, "slash"),
        ({"limit": 0}, "number of conversations"),
        ({"store": object()}, "claim, load, save"),
        ({"client": "a key"}, "must be a Client, not str"),
        ({"model": ""}, "name of a model"),
        ({"model": None}, "name of a model"),
        ({"authorize": "ann"}, "function that takes a request"),
        ({"authorize": lambda: "ann"}, "takes one argument"),
        ({"run_tools": 5}, "run_tools: must be True"),
        ({"origins": "https://www.example.com"}, "list of origins"),
        ({"origins": ["https://www.example.com/"]}, "list of origins"),
        ({"origins": 5}, "list of origins"),
        ({"idle_timeout": -1}, "idle_timeout: must be a number above 0"),
        ({"total_timeout": "5"}, "total_timeout: must be a number above 0"),
        ({"drain_timeout": None}, "drain_timeout: must be a number"),
        ({"turn_taking": "bogus"}, "push_to_talk"),
        ({"config": {"response_modalities": ["TEXT"]}}, "must be .'AUDIO'."),
        ({"config": {"temprature": 1}}, "config.temprature"),
        ({"model": "a..b"}, "no model name does"),
        ({"model": "gemini-robotics-er-2-streaming-preview"}, "config.response_modalities"),
        ({"model": "gemini-3.8-live", "config": {"enable_affective_dialog": True}}, "config.enable_affective_dialog"),
        ({"run_tools": True, "config": {"tools": [print]}}, "print"),
        ({"run_tools": "yes"}, "run_tools"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_once(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        LiveVoice(None, **{"client": Client(api_key="k"), "model": MODEL, **settings})


def test_without_a_secret_tokens_hold_for_this_process_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    app = flask.Flask("visited")
    LiveVoice(app, Client(api_key="k"), model=MODEL)
    tokens = [app.test_client().get("/voice/token").json["token"] for _ in range(2)]
    assert all(tokens)
    assert caplog.text.count("secret_key is not set") == 1


def test_the_limit_without_a_number_is_that_of_descriptors() -> None:
    assert "of None" not in repr(LiveVoice(None, Client(api_key="k"), model=MODEL))


def test_the_guide_shows_the_sample_as_it_is() -> None:
    guide = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
    sample = (ROOT / "samples" / "flask_voice" / "app.py").read_text(encoding="utf-8")
    code = sample.partition('"""\n\n')[2]
    assert f"```python\n{code}```" in guide
    assert len([line for line in code.splitlines() if line]) <= 12
