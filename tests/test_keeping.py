"""Conversations in a store: who owns them, when they are saved, how they go on; on MemoryStore and on a real Redis."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from genai_live.errors import ConfigError, ConnectError, ErrorKind
from genai_live.types import Content
from genai_live.voice import Utterance
from genai_live.web import ConversationStore, MemoryStore, RedisStore, StoredConversation, going_on, keeping
from genai_live.web.going_on import SETTLES, go_on, settles_in
from genai_live.web.keeping import Keeper, Place
from genai_live.web.unheard import MOST_SECONDS, Unheard, missing
from genai_live.web.visitor_socket import SILENCE_LIMIT
from tests.redis_servers import RedisServer, redis_server
from tests.voice_visitors import Network, Page, token_of, voice, workers
from tests.waiting import until

SAID = (Utterance("user", "Hello", 0.5, 1.0, False, None), Utterance("model", "Good day", 1.5, 2.5, True, 0.75))
KEPT = StoredConversation("ann", "a handle", SAID, b"\x01\n\x02\n", 1.25, 2, 1_790_000_000.5)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> ConversationStore:
    return MemoryStore() if request.param == "memory" else RedisStore(request.getfixturevalue("redis").url)


def name() -> str:
    """An id that no other test has."""
    return f"conversation {time.monotonic_ns()}"


# The stores.


def test_what_is_saved_comes_back_whole_and_goes_in_time(store: ConversationStore) -> None:
    id = name()
    assert store.load(id) is None
    store.save(id, KEPT, 60.0)
    assert store.load(id) == KEPT
    store.save(id, KEPT, 0.05)
    until(lambda: store.load(id) is None)


def test_a_conversation_has_one_owner_until_it_lets_go_or_its_lease_ends(store: ConversationStore) -> None:
    id = name()
    assert store.claim(id, "one", 60.0)
    assert store.claim(id, "one", 60.0)
    assert not store.claim(id, "two", 60.0)
    store.release(id, "two")
    assert not store.claim(id, "two", 60.0)
    store.release(id, "one")
    assert store.claim(id, "two", 0.05)
    until(lambda: store.claim(id, "three", 60.0))
    assert not store.claim(id, "two", 60.0)


def test_one_of_many_who_claim_at_once_becomes_the_owner(store: ConversationStore) -> None:
    id, claimed, together = name(), [], threading.Barrier(8)

    def claim(owner: str) -> None:
        together.wait()
        claimed.append(store.claim(id, owner, 60.0))

    threads = [threading.Thread(target=claim, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == [False] * 7 + [True]


def test_many_claims_of_redis_are_one_exchange(redis: RedisServer) -> None:
    store, id = RedisStore(redis.url), name()
    store.claim(id, "another", 60.0)
    assert store.claim_all([(name(), "one"), (id, "one"), (name(), "one")], 60.0) == [True, False, True]


def test_a_redis_that_is_not_there_is_said_when_it_is_used() -> None:
    with pytest.raises(Exception, match="refused"):
        RedisStore("redis://127.0.0.1:1/0").load("x")


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://127.0.0.1", {}), ("localhost:6379", {}), ("redis://:secret#1@127.0.0.1:6379/0", {}), (None, {}), ("", {}),
        ("rediss://127.0.0.1/0?ssl_cert_reqs=secret", {}), ("redis://127.0.0.1/0?bogus=secret", {}),
        ("redis://127.0.0.1", {"timeout": 0}), ("redis://127.0.0.1", {"timeout": "5"}), ("redis://127.0.0.1", {"prefix": b"x"}),
    ],
)  # fmt: skip
def test_a_redis_store_that_cannot_work_is_refused_at_once_and_no_password_is_shown(url: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be") as refused:
        RedisStore(url, **options)
    assert "secret" not in str(refused.value)


def test_what_a_newer_version_has_saved_is_read_without_what_is_unknown(redis: RedisServer) -> None:
    store, id = RedisStore(redis.url), name()
    store.save(id, KEPT, 60.0)
    raw = store._redis.get(store._key(id))
    newer = raw.replace(b'{"visitor"', b'{"mood": "good", "visitor"').replace(b'{"speaker"', b'{"mood": "good", "speaker"')
    assert newer.count(b"mood") == 3
    store._redis.set(store._key(id), newer)
    assert store.load(id) == KEPT


# The keeper.


class Failing(MemoryStore):
    """A store that can be switched off."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = False

    def claim(self, id: str, owner: str, lease: float) -> bool:
        if self.fails:
            raise OSError("the store is away")
        return super().claim(id, owner, lease)

    def save(self, id: str, conversation: StoredConversation, ttl: float) -> None:
        if self.fails:
            raise OSError("the store is away")
        super().save(id, conversation, ttl)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "RENEW", 0.02)
    monkeypatch.setattr(keeping, "LEASE", 0.3)


def place_of(id: str, lost: Callable[[], object] = lambda: None) -> Place:
    return Place(id, lambda: KEPT, lost)


def never() -> bool:
    return False


def test_a_lease_is_renewed_until_the_place_is_left(quick: None) -> None:
    store, id = MemoryStore(), name()
    keeper, place = Keeper(store), place_of(id)
    keeper.begin(place)
    until(lambda: id in store._owners)
    first = store._owners[id][1]
    until(lambda: store._owners[id][1] > first + 3 * keeping.LEASE)
    assert store._owners[id][0] == place.owner
    keeper.leave(place, None)
    assert store.claim(id, "another", 1.0)
    assert store.load(id) is None
    until(lambda: not any(each.name == "genai-live-keeper" for each in threading.enumerate()))


def test_what_has_changed_is_saved_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "RENEW", 3600.0)
    store, id = MemoryStore(), name()
    keeper, place = Keeper(store), place_of(id)
    keeper.begin(place)
    keeper.changed(place)
    until(lambda: store.load(id) == KEPT)
    keeper.leave(place, None)


def test_a_worker_that_has_lost_its_lease_saves_nothing_over_the_new_owner(quick: None) -> None:
    store, id, lost = MemoryStore(), name(), threading.Event()
    keeper, place = Keeper(store), place_of(id, lost.set)
    assert keeper.claim(place, never)
    store.release(id, place.owner)
    assert store.claim(id, "another", 60.0)
    keeper.changed(place)
    assert lost.wait(10.0)
    assert store.load(id) is None
    keeper.leave(place, KEPT)
    assert store.load(id) is None
    assert not store.claim(id, place.owner, 1.0)


def test_a_store_that_fails_is_told_once_and_gets_it_all_when_it_is_back(quick: None, caplog: pytest.LogCaptureFixture) -> None:
    store, id = Failing(), name()
    keeper, place = Keeper(store), place_of(id)
    store.fails = True
    assert keeper.claim(place, never) is None
    keeper.changed(place)
    assert keeper.load(place) is None
    store.fails = False
    until(lambda: store.load(id) == KEPT)
    assert caplog.text.count("talking goes on") == 1
    assert caplog.text.count("is back") == 1
    keeper.leave(place, None)


def test_who_comes_back_waits_for_the_former_owner_and_no_longer_than_wanted(quick: None) -> None:
    store, id = MemoryStore(), name()
    store.claim(id, "the one that was killed", 0.2)
    keeper, place = Keeper(store), place_of(id)
    assert keeper.claim(place, never) is False
    assert keeper.claim(place, lambda: True)
    other = place_of(id)
    assert keeper.claim(other, never) is False
    keeper.leave(place, None)


class Plain:
    """A store of one's own: the four methods, and nothing else."""

    def __init__(self) -> None:
        store = MemoryStore()
        self.claim, self.load, self.save, self.release = store.claim, store.load, store.save, store.release


def test_an_owner_gives_up_what_another_worker_wants_for_its_page(quick: None) -> None:
    store, id = Plain(), name()
    owning, wanting = Keeper(store), Keeper(store)
    place, other = place_of(id, lambda: owning.leave(place, KEPT)), place_of(id)
    assert owning.claim(place, never)
    assert wanting.claim(other, lambda: True)
    assert wanting.load(other) == KEPT
    given_up = []
    other.give_up = lambda: given_up.append(other)  # its own wish is none
    until(lambda: store.load(f"{id} is wanted") is None)
    assert not given_up
    wanting.leave(other, None)


def test_a_conversation_that_ended_while_the_store_failed_goes_on_here_and_is_saved_when_it_is_back(quick: None) -> None:
    store, id = Failing(), name()
    keeper, place = Keeper(store), place_of(id)
    keeper.begin(place)
    store.fails = True
    keeper.leave(place, KEPT)
    back = place_of(id)
    assert keeper.claim(back, lambda: True) is None  # at once: nobody waits for the store
    assert keeper.load(back) == KEPT
    keeper.leave(back, None)  # the page has gone before it went on
    store.fails = False
    until(lambda: store.load(id) == KEPT)
    until(lambda: store.claim(id, "another", 1.0))


# Going on.


def refused(kind: ErrorKind) -> ConnectError:
    error = ConnectError("the service refused the handle", "setup")
    error.kind = kind
    return error


class Service:
    """Opens what it is asked for, after so many refusals of a handle."""

    def __init__(self, *refusals: ErrorKind) -> None:
        self._refusals = list(refusals)
        self.asked: list[tuple[str | None, list[Content] | None]] = []

    def connect(self, handle: str | None, history: list[Content] | None) -> Any:
        self.asked.append((handle, history))
        if handle is not None and self._refusals:
            raise refused(self._refusals.pop(0))
        return "a conversation"


def test_a_handle_is_tried_until_the_service_lets_go_of_it() -> None:
    service, pauses = Service(ErrorKind.UNAVAILABLE, ErrorKind.NETWORK), []
    gone_on = go_on(service.connect, StoredConversation("ann", "h", SAID), pauses.append)
    assert gone_on.restored
    assert service.asked == [("h", None)] * 3
    assert pauses == [0.0, going_on.RETRY_EVERY, going_on.RETRY_EVERY]


@pytest.mark.parametrize("kind", [ErrorKind.EXPIRED, ErrorKind.BAD_REQUEST])
def test_a_handle_that_is_refused_for_good_gives_way_to_the_transcript(kind: ErrorKind) -> None:
    service = Service(kind)
    gone_on = go_on(service.connect, StoredConversation("ann", "h", SAID), lambda _: None)
    assert not gone_on.restored
    (handle, nothing), (no_handle, history) = service.asked
    assert (handle, nothing, no_handle) == ("h", None, None)
    assert history is not None
    assert [(each.role, each.parts[0].text) for each in history if each.parts] == [("user", "Hello"), ("model", "Good day")]


def test_a_handle_that_the_service_never_lets_go_of_gives_way_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(going_on, "RESUMED_WITHIN", 0.0)
    service = Service(*[ErrorKind.UNAVAILABLE] * 9)
    assert not go_on(service.connect, StoredConversation("ann", "h", SAID), lambda _: None).restored


def test_of_a_conversation_that_nobody_knows_nothing_is_restored() -> None:
    service = Service()
    assert not go_on(service.connect, None, lambda _: None).restored
    assert go_on(service.connect, StoredConversation("ann", None), lambda _: None).restored  # nothing was said
    assert service.asked == [(None, None)] * 2


def test_a_model_that_takes_no_history_begins_without() -> None:
    asked = []

    def connect(handle: str | None, history: list[Content] | None) -> Any:
        asked.append(history)
        if history:
            raise ConfigError("takes no history", "history")
        return "a conversation"

    assert not go_on(connect, StoredConversation("ann", None, SAID), lambda _: None).restored
    assert asked[1] is None


@pytest.mark.parametrize(
    ("ended_at", "pause"), [(None, 0.0), (100.0, SETTLES), (99.5, SETTLES - 0.5), (90.0, 0.0), (500.0, SETTLES)]
)
def test_a_session_that_was_closed_a_moment_ago_is_given_its_time(ended_at: float | None, pause: float) -> None:
    assert settles_in(ended_at, 100.0) == pytest.approx(pause)


# The sound.


def sound(first: int, count: int) -> bytes:
    return array("h", range(first, first + count)).tobytes()


def test_what_was_heard_is_forgotten_piece_by_piece() -> None:
    unheard = Unheard()
    for second in range(4):
        unheard.put(sound(second * 10, 10) * 2_400)
    unheard.heard(1.5)
    pcm, heard, flushes = unheard.read()
    assert (len(pcm), heard, flushes) == (3 * 48_000, 1.0, 0)
    unheard.flush()
    unheard.put(b"ab")
    assert unheard.read() == (b"ab", 0.0, 1)


def test_of_sound_that_nobody_hears_the_newest_minute_is_remembered() -> None:
    unheard = Unheard()
    for _ in range(90):
        unheard.put(bytes(48_000))
    pcm, heard, _ = unheard.read()
    assert len(pcm) == MOST_SECONDS * 48_000
    assert heard == 30.0


@pytest.mark.parametrize(
    ("received", "flushes", "lacks"),
    [
        (None, 0, 48_000), (2.0, 3, 48_000), (2.25, 3, 36_000), (3.0, 3, 0), (9.0, 3, 0), (1.0, 3, 48_000),
        (0.5, 4, 0), (0.5, 2, 48_000),
    ],
)  # fmt: skip
def test_a_page_is_sent_what_it_lacks(received: float | None, flushes: int, lacks: int) -> None:
    stored = bytes(48_000)
    assert len(missing(stored, 2.0, 3, received, flushes)) == lacks


# A page that comes back.


def reconnected(page: Page) -> bool:
    restored: bool = page.comes("reconnected")["state_restored"]
    return restored


def test_a_page_is_told_that_its_handle_was_refused_and_the_model_gets_the_transcript() -> None:
    with voice() as (url, _, emulator):
        token = token_of(url)
        with Page(url, token) as page:
            id = page.comes("started")["conversation"]
            page.comes("state_changed", state="listening")
            page.say("text", text="Remember the number seven")
            page.comes("turn_ended")
            page.cut()
        until(lambda: all(session.ending for session in emulator.sessions))
        emulator._state.handles._memories.clear()  # two hours later
        with Page(url, token, id) as page:
            page.comes("state_changed", state="listening")
            assert not reconnected(page)
        assert "Remember the number seven" in str([each.message for each in emulator.received][-4:])


def test_sound_that_the_page_had_not_received_is_sent_again() -> None:
    store = MemoryStore()
    with voice(store=store) as (url, _, _):
        token = token_of(url)
        with Page(url, token) as page:
            id = page.comes("started")["conversation"]
            page.comes("state_changed", state="listening")
            page.say("text", text="Tell me a long story, please")
            page.comes("end_of_answer")
            page.cut()
            whole = bytes(page.sound)
        with Page(url, token, id, received=(len(whole) / 48_000 - 0.5, 0)) as page:
            page.comes("state_changed", state="listening")
            assert reconnected(page)
            until(lambda: len(page.sound) >= 24_000)
            assert bytes(page.sound) == whole[-24_000:]
            page.say("text", text="And then?")
            ended = page.comes("turn_ended")  # what was sent again counts for nobody
            assert ended["utterances"][1]["heard"] == pytest.approx(len(page.sound) / 48_000 - 0.5, abs=0.2)
        until(lambda: store.claim("anything", "me", 1.0))


@pytest.mark.parametrize("where", [0, 1], ids=["the same worker", "another worker"])
def test_a_page_whose_network_changed_takes_its_conversation_over_from_the_dead_socket(
    store: ConversationStore, where: int
) -> None:
    with workers(2, store=store) as (urls, voices, _), Network(urls[0]) as network:
        token = token_of(urls[0])
        with Page(network.url, token, close_timeout=0.1) as page:
            id = page.comes("started")["conversation"]
            page.comes("state_changed", state="listening")
            page.say("text", text="Hello")
            page.comes("turn_ended")
            network.lose()
            began = time.monotonic()
            with Page(urls[where], token, id) as back:
                back.comes("state_changed", state="listening")
                assert reconnected(back)
                until(lambda: [len(each) for each in voices] == [1 - where, where])
                assert time.monotonic() - began < SILENCE_LIMIT / 4


def test_nothing_is_left_in_redis_after_its_time(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "HANDLE_SECONDS", 1.0)
    store = RedisStore(redis.url, prefix="a test:")
    with voice(store=store) as (url, _, _), Page(url) as page:
        page.comes("state_changed", state="listening")
        page.say("text", text="Hello")
        page.comes("turn_ended")
        assert [key for key in redis.names() if key.startswith("a test:owner")]
    until(lambda: not [key for key in redis.names() if key.startswith("a test:")])
