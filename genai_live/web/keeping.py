"""Conversations of one worker in the store: owned by a lease that is renewed, saved when they change. One thread for all of them.

A store that fails stops nobody from talking: what was to be saved is saved when it is back.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable

from genai_live.web.store import ConversationStore, StoredConversation

logger = logging.getLogger("genai_live")

HANDLE_SECONDS = 7200.0
"""How long the service resumes a session after its end: two hours on the Developer API."""
LEASE = 2.0
"""Seconds for which a worker owns a conversation: so long a page waits for another one when its worker was killed."""
RENEW = 0.5
"""Seconds between two renewals: three may fail."""
OWNED_WITHIN = 5.0
"""Seconds in which a page that comes back waits for the former owner, or for a store that fails."""
WISH = 1.0
"""Seconds for which the wish of a worker stands in the store: a conversation whose page has come to it, and whose owner still
takes the page's old socket for alive. The owner looks when it renews."""
_CLAIM_EVERY = 0.05
MOST_UNSAVED = 200
"""Conversations that are remembered because the store failed at their ends, the newest: some kilobytes each, and their sound."""


class Place:
    """A conversation's place in the store, from a visit's claim to its end."""

    def __init__(self, id: str, read: Callable[[], StoredConversation | None], give_up: Callable[[], object]) -> None:
        self.id = id
        self.owner = secrets.token_hex(8)
        self.read = read
        """What to save now; None while there is nothing."""
        self.give_up = give_up
        """Called on the keeper's thread, maybe several times, when another worker owns the conversation, or its page is there."""
        self.lock = threading.Lock()
        """Held around calls of the store for it: nothing is claimed or saved after the end."""
        self.is_over = False


class Keeper:
    """Keeps the places of one worker. Its thread starts with the first and ends with the last."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store
        self._changed = threading.Condition()
        """Guards all below."""
        self._places: set[Place] = set()
        self._dirty: set[Place] = set()
        self._unsaved: dict[str, StoredConversation] = {}
        """What conversations ended with while the store failed: it gets them when it is back, and their pages before."""
        self._thread: threading.Thread | None = None
        self._fails = False
        """True while the store fails."""

    # The visit's thread; waits for the store.

    def claim(self, place: Place, go_on: Callable[[], bool]) -> bool | None:
        """Makes the place of a page that came back this worker's: False when it stays another one's, None when the store fails.

        Tries for 5 s, while ``go_on()``: the former owner may be about to leave, or dead, or is asked to give up.
        """
        until, wish_at = time.monotonic() + OWNED_WITHIN, 0.0
        while True:
            claimed = self._claim_once(place)
            now = time.monotonic()
            if claimed or now >= until or not go_on() or (claimed is None and place.id in self._unsaved):
                break
            if claimed is False and now >= wish_at:
                self._wish(place)
                wish_at = now + WISH / 2
            threading.Event().wait(_CLAIM_EVERY)
        if claimed is not False:
            self.begin(place)
        return claimed

    def _wish(self, place: Place) -> None:
        try:
            self._store.save(_wish_for(place), StoredConversation(place.owner, None), WISH)
        except Exception as error:
            self._note_failure(error)

    def _claim_once(self, place: Place) -> bool | None:
        try:
            claimed = self._store.claim(place.id, place.owner, LEASE)
        except Exception as error:
            self._note_failure(error)
            return None
        self._note_success()
        return claimed

    def load(self, place: Place) -> StoredConversation | None:
        """What was saved; None also when the store fails, unless the conversation ended here since."""
        with self._changed:
            unsaved = self._unsaved.get(place.id)
        if unsaved is not None:
            return unsaved
        try:
            return self._store.load(place.id)
        except Exception as error:
            self._note_failure(error)
            return None

    def leave(self, place: Place, last: StoredConversation | None) -> None:
        """Saves a conversation for the last time and lets go of it. Once for each place; nothing happens a second time."""
        with self._changed:
            self._places.discard(place)
            self._dirty.discard(place)
            self._changed.notify()
        with place.lock:
            if place.is_over:
                return
            place.is_over = True
            try:
                if last is not None:
                    self._put(place, last)
                self._store.release(place.id, place.owner)
            except Exception as error:
                self._note_failure(error)
                if last is not None:
                    self._remember(place.id, last)

    def _put(self, place: Place, conversation: StoredConversation) -> None:
        self._store.save(place.id, conversation, HANDLE_SECONDS)
        with self._changed:
            self._unsaved.pop(place.id, None)

    def _remember(self, id: str, last: StoredConversation) -> None:
        with self._changed:
            self._unsaved[id] = last
            if len(self._unsaved) > MOST_UNSAVED:
                del self._unsaved[next(iter(self._unsaved))]
            self._run_soon()

    # Any thread; returns at once.

    def changed(self, place: Place) -> None:
        """Something of it is to be saved."""
        with self._changed:
            if place in self._places:
                self._dirty.add(place)
                self._changed.notify()

    def begin(self, place: Place) -> None:
        """Renews and saves it from now on. A new conversation is nobody else's, so that its visitor waits for no store."""
        with self._changed:
            self._places.add(place)
            self._run_soon()

    def _run_soon(self) -> None:
        """Requires the lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="genai-live-keeper", daemon=True)
            self._thread.start()

    # The keeper's thread.

    def _run(self) -> None:
        due = time.monotonic() + RENEW
        while (work := self._wait(due)) is not None:
            dirty, is_due = work
            self._save_all(dirty)
            if is_due:
                self._renew_all()
                due = time.monotonic() + RENEW

    def _wait(self, due: float) -> tuple[list[Place], bool] | None:
        """What is to be saved, and whether it is time to renew; None when nothing is left."""
        with self._changed:
            while self._has_work and (left := due - time.monotonic()) > 0 and (self._fails or not self._dirty):
                self._changed.wait(left)
            if not self._has_work:
                self._thread = None
                return None
            is_due = time.monotonic() >= due
            dirty, self._dirty = list(self._dirty), set()
            return dirty, is_due

    @property
    def _has_work(self) -> bool:
        """Requires the lock."""
        return bool(self._places or self._unsaved)

    def _save_all(self, places: list[Place]) -> None:
        """Saves until the store fails; the rest waits for the next renewal."""
        for at, place in enumerate(places):
            if not self._save(place):
                with self._changed:
                    self._dirty.update(each for each in places[at:] if each in self._places)
                return

    def _save(self, place: Place) -> bool:
        """False when the store fails."""
        with place.lock:
            if place.is_over:
                return True
            try:
                is_own = self._store.claim(place.id, place.owner, LEASE)  # who was stopped for a while may not save over another
                conversation = place.read() if is_own else None
                if conversation is not None:
                    self._put(place, conversation)
            except Exception as error:
                self._note_failure(error)
                return False
        self._note_success()
        if not is_own:
            self._lose(place)
        return True

    def _renew_all(self) -> None:
        with self._changed:
            places = list(self._places)
        try:
            for place, is_own in zip(places, self._claims(places), strict=True):
                if place.is_over:  # it has left meanwhile, and nobody needs its lease
                    self._store.release(place.id, place.owner)
                elif not is_own:
                    self._lose(place)
            for place, wish in zip(places, self._wishes(places), strict=True):
                if wish is not None and wish.visitor != place.owner and not place.is_over:
                    place.give_up()  # and what it saves at its end is the newest
            self._save_late()
        except Exception as error:
            self._note_failure(error)
            return
        self._note_success()

    def _save_late(self) -> None:
        """What could not be saved at its time; not where the conversation has gone on."""
        with self._changed:
            here = {place.id for place in self._places}
            unsaved = [each for each in self._unsaved.items() if each[0] not in here]
        for id, last in unsaved:
            owner = secrets.token_hex(8)
            if self._store.claim(id, owner, LEASE):
                self._store.save(id, last, HANDLE_SECONDS)
                self._store.release(id, owner)
            with self._changed:
                if self._unsaved.get(id) is last:
                    del self._unsaved[id]

    def _claims(self, places: list[Place]) -> Iterable[bool]:
        claim_all = getattr(self._store, "claim_all", None)
        if claim_all is not None:
            claimed: list[bool] = claim_all([(place.id, place.owner) for place in places], LEASE)
            return claimed
        return (self._store.claim(place.id, place.owner, LEASE) for place in places)

    def _wishes(self, places: list[Place]) -> Iterable[StoredConversation | None]:
        load_all = getattr(self._store, "load_all", None)
        if load_all is not None:
            loaded: list[StoredConversation | None] = load_all([_wish_for(place) for place in places])
            return loaded
        return (self._store.load(_wish_for(place)) for place in places)

    def _lose(self, place: Place) -> None:
        with place.lock:
            if place.is_over:
                return
            place.is_over = True
        with self._changed:
            self._places.discard(place)
            self._dirty.discard(place)
        logger.warning("a conversation goes on in another worker; it ends in this one")
        place.give_up()

    def _note_failure(self, error: Exception) -> None:
        with self._changed:
            first, self._fails = not self._fails, True
        if first:
            words = "the store of conversations (%s) fails, and talking goes on; what is said meanwhile is saved later: %s"
            logger.error(words, type(self._store).__name__, error)

    def _note_success(self) -> None:
        with self._changed:
            first, self._fails = self._fails, False
        if first:
            logger.warning("the store of conversations is back")


def _wish_for(place: Place) -> str:
    """Where the worker that wants a conversation says so: any store has room for one more entry."""
    return f"{place.id} is wanted"
