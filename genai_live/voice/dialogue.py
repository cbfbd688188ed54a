"""What a conversation makes of messages, the user's acts and time: decisions alone. Pure; one thread at a time.

Time is passed in, in seconds since the conversation began.

An interruption empties what is queued in one step. What still comes of the old answer is dropped: sound in the message that
brings the interruption, and all after it until the service ends that turn, as ``generationComplete`` may stand before or not at
all. Where it does not end it, time does (``leftovers``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from genai_live.errors import CloseInfo
from genai_live.tools import ToolRun
from genai_live.types import LiveServerMessage, VoiceActivityType
from genai_live.voice.answers import Answer
from genai_live.voice.detection import SpeechClock
from genai_live.voice.events import (
    AnswerLost,
    ConversationState,
    Event,
    Interrupted,
    ModelWords,
    Reconnected,
    Reconnecting,
    StateChanged,
    ToolRunChanged,
    TurnEnded,
    UserWords,
    Waiting,
)
from genai_live.voice.latency import Statistics, Stopwatch
from genai_live.voice.leftovers import Leftovers
from genai_live.voice.playback import Playback
from genai_live.voice.states import TABLE, Cause
from genai_live.voice.transcript import Saying, Transcript

SOON = 0.02
"""Seconds between two looks at the end while something is about to be heard, to end, or to be confirmed."""
LATER = 0.1
"""The same while sound plays on, or an answer is waited for."""
REPORTED = 1.0
"""The same where the end reports what is heard: an answer may be one that the service does not end."""
CONFIRM_WITHIN = 0.5
"""Seconds that an end has to say how much of a cut answer was heard."""
FIRST_WAITING = 2.0
"""Seconds of waiting after which ``Waiting`` is told first: answers begin within 1.6 s."""
QUIET_END = 3.0
"""Seconds without a message, all being heard and made, after which an answer is over that the service does not end: some models
never do."""
STALLED_END = 5.0
"""The same for an answer of which more may come, for all that the service has said."""
LATEST_SPEECH = 10.0
"""Seconds before an answer in which the speech that it answers ended, where the service does not say when."""
LATEST_START = 1.0
"""Seconds after which the service has noticed that the user speaks: what was loud before then was something else."""
_AUDIBLE = 104
"""Samples above this are sound: -50 dBFS."""


class Mouth(Protocol):
    """What a dialogue speaks through. Nothing here blocks."""

    def play(self, pcm: bytes, rate: int) -> float:
        """Hands sound to the end; returns its seconds there, 0 where nothing was taken."""

    def end_of_answer(self) -> float:
        """Tells the end that nothing follows; returns the seconds of what it still was handed."""

    def flush(self) -> tuple[float, int]:
        """Has the end drop what was not heard; returns its ``played`` and ``flushes`` right after."""


class Dialogue:
    """The course of one conversation."""

    def __init__(
        self,
        mouth: Mouth,
        tell: Callable[[Event], object],
        ears: SpeechClock,
        *,
        interruptible: bool = True,
        has_button: bool = False,
    ) -> None:
        self.state = ConversationState.CONNECTING
        self.transcript = Transcript()
        self.latencies = Statistics()
        self.playback = Playback()
        self.ears = ears
        self.turns = 0
        self.interruptions = 0
        self.pressed = False
        self._mouth = mouth
        self._tell = tell
        """Gives an event to whoever wants it."""
        self._has_button = has_button
        """True where a button says when the user speaks, and not the service."""
        self._interruptible = interruptible
        """False where the service goes on speaking whatever the user says (``NO_INTERRUPTION``)."""
        self._answer: Answer | None = None
        """The one that messages belong to."""
        self._ending: list[Answer] = []
        """Those that are over, and not all heard yet."""
        self._user: Saying | None = None
        """What the user said last."""
        self._user_is_done = True
        """True when words that come now begin another utterance."""
        self._speech_began: float | None = None
        """When the speech began of which no words have come, where the service or the button said so."""
        self._asked: float | None = None
        """When the question ended to which no answer has begun."""
        self._answered = float("-inf")
        """When something of an answer came last."""
        self._owed: float | None = None
        """Since when the model owes an answer of which nothing was heard."""
        self._next_waiting = 0.0
        self._answer_began = float("-inf")
        """When the latest answer began."""
        self._leftovers = Leftovers()
        """What is dropped of an answer that was cut short."""
        self._cut_at = 0.0
        self._cut: Answer | None = None
        """The answer whose interruption is to be told."""
        self._sound_is_open = False
        """True when the end was given sound and not told that nothing follows."""
        self._lost: CloseInfo | None = None

    def look_after(self, *, reports: bool) -> float | None:
        """Seconds until the next look that is worth it; where the end reports what was heard, time alone is worth one.

        None where none is.
        """
        if not (self._answer or self._ending or self._cut) and self._owed is None and not self.is_playing:
            return None
        if reports:
            if self._ending and any(each.settled for each in self._ending):
                return SOON
            return REPORTED if self._cut is None and self._owed is None else CONFIRM_WITHIN
        awaited = self._cut is not None or any(each.settled or each.awaits_sound for each in self._ending)
        if awaited or (self._answer is not None and self._answer.awaits_sound):
            return SOON
        return max(SOON, min(LATER, self.playback.waiting)) if self.is_playing else LATER

    @property
    def is_playing(self) -> bool:
        """True while the end has sound that was not heard."""
        return self.playback.waiting > 0

    # What happens.

    def open(self, now: float) -> None:
        """Session and sound are there."""
        self._move(Cause.OPENED, now)

    def message(self, message: LiveServerMessage, now: float) -> None:
        """The service says something."""
        if message.reconnecting is not None:
            self._lose_connection(message.reconnecting.close_info, now, turn_lost=message.reconnecting.turn_lost)
        elif message.reconnected is not None:
            self._reconnect(now, state_restored=message.reconnected.state_restored, turn_lost=message.reconnected.turn_lost)
        if message.voice_activity is not None and not self._has_button:
            self._note_activity(message.voice_activity.voice_activity_type, now)
        content = message.server_content
        if content is not None and content.interrupted:
            self._interrupt(now, Cause.INTERRUPTED, by_service=True)
        heard = None if content is None else content.input_transcription
        if heard is not None and (heard.text or heard.finished):
            self._hear_words(heard.text or "", now, finished=bool(heard.finished))
        self._take_answer(message, now)
        if message.usage_metadata is not None:
            self._note_usage(message)
        turn_complete = content is not None and content.turn_complete is True
        if message.ends_turn or turn_complete or (content is not None and content.generation_complete):
            self._note_end_of_turn(now, turn_complete=turn_complete, ends_turn=message.ends_turn)

    def press(self, now: float) -> None:
        """The button was pressed: what is heard of an answer stops here, without waiting for the service."""
        self.pressed = True
        if self._interruptible:
            self._interrupt(now, Cause.INTERRUPTED)
        self._begin_speech(now, now)

    def release(self, now: float) -> None:
        """The button was released."""
        self.pressed = False
        self._end_speech(now, now)

    def ask(self, text: str, now: float) -> None:
        """The user has typed something."""
        if self._interruptible:
            self._interrupt(now, Cause.SILENCED)
            self._leftovers.ask(now)
        saying = self.transcript.begin("user", now)
        saying.add(text)
        saying.final = True
        self._user, self._user_is_done = saying, True
        self._tell_user(saying, now)
        self._owe(now, now, Cause.ASKED)

    def silence(self, now: float) -> None:
        """This program cuts the answer short."""
        self._interrupt(now, Cause.SILENCED)

    def run(self, run: ToolRun, now: float) -> None:
        """A tool's run has changed."""
        self._tell(ToolRunChanged(now, run))

    def look(self, now: float, played: float, flushes: int) -> None:
        """Time has passed; the end says how far it is."""
        self._look_at_sound(now, played, flushes)
        self._look_at_answers(now)
        if self._owed is not None and now - self._owed >= self._next_waiting:
            self._tell(Waiting(now, now - self._owed))
            self._next_waiting *= 2

    def end(self, now: float, played: float, flushes: int, lost: CloseInfo | None = None) -> None:
        """The conversation is over, with the connection that was ``lost``: tells what was not told yet."""
        self._look_at_sound(now, played, flushes)
        if lost is not None and self._is_due:
            self._lose_answer(lost, now)
        self.playback.cut()
        self.playback.look(played, flushes)
        self.playback.give_up_cut()
        self._tell_cut(now)
        if self._answer is not None:
            self._end_answer(self._answer)
        for answer in tuple(self._ending):
            answer.cut = answer.cut or answer.heard < answer.seconds
            self._tell_turn_ended(answer, now)
        self._owed = None
        self._move(Cause.ENDED, now)

    # The user.

    def _note_activity(self, kind: VoiceActivityType | str | None, now: float) -> None:
        if kind == VoiceActivityType.ACTIVITY_START:
            self._cut_what_is_over(now)
            self._begin_speech(self._start_of_speech(now), now)
        elif kind == VoiceActivityType.ACTIVITY_END:
            loud = self.ears.loud_at
            self._end_speech(now if loud is None or now - loud > LATEST_SPEECH else loud, now)

    def _cut_what_is_over(self, now: float) -> None:
        """The user speaks over an answer that the service takes to be heard: it is silent about that, and the end is not."""
        if self._answer is None and self.is_playing and self._interruptible:
            self._interrupt(now, Cause.INTERRUPTED)

    def _start_of_speech(self, now: float) -> float:
        """When speech began that the service has noticed by now: as the microphone heard it, if it did shortly before."""
        began = self.ears.began(self._silent_since())
        return now if began is None or now - began > LATEST_START else began

    def _silent_since(self) -> float:
        """Before this, the user said something else: it was understood, or answered."""
        return max(self._answer_began, float("-inf") if self._user is None else self._user.end)

    def _begin_speech(self, began: float, now: float) -> None:
        self._speech_began, self._user_is_done = began, True
        self._owed = self._asked = None
        self._move(Cause.SPEECH_BEGAN, now)

    def _end_speech(self, ended: float, now: float) -> None:
        if self._user is not None and not self._user_is_done:
            self._user.end = max(self._user.end, ended)
        self._leftovers.end()
        self._leave_answer()
        self._owe(ended, now, Cause.SPEECH_ENDED)

    def _owe(self, asked: float, now: float, cause: Cause) -> None:
        self._asked, self._owed, self._next_waiting = asked, now, FIRST_WAITING
        self._move(cause, now)

    def _hear_words(self, words: str, now: float, *, finished: bool) -> None:
        saying = self._user
        if not words and (saying is None or saying.final):
            return
        if saying is None or self._user_is_done:
            saying = self._begin_saying(now)
        saying.add(words)
        saying.end = max(saying.end, self._spoken_until(saying, now))
        saying.final = saying.final or finished
        self._tell_user(saying, now)

    def _begin_saying(self, now: float) -> Saying:
        """The user's next utterance. Words come when the service has understood them, often all after the last was said."""
        self._tell_settled(now)
        answer = self._answer
        is_late = answer is not None and answer.user is None
        began = answer.spoke if answer is not None and is_late else self._take_start_of_speech()
        saying = self._user = self.transcript.begin("user", now if began is None else began)
        self._user_is_done = False
        if answer is not None and is_late:
            answer.user = saying
            saying.final = saying.answered = True
            if answer.model is not None:
                self.transcript.place_before(saying, answer.model)
        return saying

    def _take_start_of_speech(self) -> float | None:
        """When speech began whose words come now, or that is answered now; None where that was not noticed."""
        began, self._speech_began = self._speech_began, None
        return self.ears.began(self._silent_since()) if began is None else began

    def _spoken_until(self, saying: Saying, now: float) -> float:
        """When an utterance ended of which words came by now: as the service has said, or the microphone heard."""
        answer = self._answer
        ended = answer.watch.asked if answer is not None and answer.user is saying else self._asked
        if ended is None and (loud := self.ears.loud_at) is not None and loud > saying.begin:
            ended = loud
        return now if ended is None else ended

    def _tell_user(self, saying: Saying, now: float) -> None:
        self._tell(UserWords(now, saying.text, saying.final))

    # The answer.

    def _take_answer(self, message: LiveServerMessage, now: float) -> None:
        sound, words, calls = message.audio, message.model_text, message.tool_call is not None
        if sound is None and words is None and not calls:
            return
        if self._is_stale(now, message):
            return
        answer = self._answer or self._begin_answer(now)
        answer.latest = self._answered = now
        answer.flows = not calls
        if words is not None:
            self._say(answer, words, now)
        if sound is not None:
            self._play(answer, sound.data, sound.rate, now)
        if calls:
            answer.calls = True
            self._complete_sound(answer)

    def _is_stale(self, now: float, message: LiveServerMessage) -> bool:
        """True for what belongs to an answer that was cut short."""
        if message.interrupted:
            return True
        if message.tool_call is not None or not self._leftovers.expected:
            return False
        if self._leftovers.take(now):
            return True
        self._leave_answer()
        return False

    def _begin_answer(self, now: float) -> Answer:
        self._tell_settled(now)
        user = self._user
        if user is not None and not user.final:
            user.final = True
            self._tell_user(user, now)
        asked = self._asked
        if asked is None and (asked := self._speech_before(now)) is not None:
            self._cut_what_is_over(now)
            self._leftovers.end()
        asks = None if user is None or user.answered else user
        self._answer = answer = Answer(asks, Stopwatch(asked), now)
        answer.watch.note("first_message", now)
        if asks is None:
            answer.spoke = self._take_start_of_speech()
        else:
            asks.answered = True
            asks.end = asks.end if asked is None else max(asks.end, asked)
        self._answer_began = now
        self._asked = None
        self._leftovers.expect_no_end()
        if self.state is ConversationState.HEARING and not self.pressed:
            self._move(Cause.ASKED, now)
        return answer

    def _speech_before(self, now: float) -> float | None:
        """When speech ended, where the service did not say it: the last loud moment, unless an answer has followed it."""
        loud = self.ears.loud_at
        is_new = loud is not None and self._answered < loud and now - loud <= LATEST_SPEECH
        return loud if is_new and not self.pressed else None

    def _say(self, answer: Answer, words: str, now: float) -> None:
        if answer.model is None:
            answer.model = self.transcript.begin("model", now)
        answer.model.add(words, answer.seconds)
        self._tell(ModelWords(now, answer.model.text, final=False))

    def _play(self, answer: Answer, pcm: bytes, rate: int, now: float) -> None:
        if answer.model is None:
            answer.model = self.transcript.begin("model", now)
        answer.calls = False
        if not answer.is_audible:
            answer.watch.note("first_sound", now)
            if max(memoryview(pcm).cast("h")[::4], default=0) > _AUDIBLE:
                answer.is_audible = True
                answer.watch.note("first_audible", now)
        self._sound_is_open = True
        self._hand_over(answer, self._mouth.play(pcm, rate))

    def _hand_over(self, answer: Answer, seconds: float) -> None:
        if seconds > 0:
            stretch = self.playback.hand_over(seconds)
            if stretch not in answer.stretches:
                answer.stretches.append(stretch)
            if answer.model is not None:
                answer.model.seconds = answer.seconds

    def _complete_sound(self, answer: Answer) -> None:
        """Nothing follows, at the least for a while: running empty is not a fault."""
        if self._sound_is_open:
            self._sound_is_open = False
            self._hand_over(answer, self._mouth.end_of_answer())
        self.playback.complete()

    def _note_usage(self, message: LiveServerMessage) -> None:
        answer = self._answer or (self._ending[-1] if self._ending else None)
        if answer is not None:
            answer.reports.append(message)

    def _note_end_of_turn(self, now: float, *, turn_complete: bool, ends_turn: bool) -> None:
        answer = self._answer
        if answer is not None:
            answer.latest = now
            answer.generated, answer.flows = True, False
            self._complete_sound(answer)
        if not (turn_complete or ends_turn):
            return
        is_left_over = self._leftovers.take_end()
        if answer is not None and (ends_turn or answer.cut):
            self._end_answer(answer)
        elif answer is None and ends_turn and not is_left_over:  # nothing was said
            self._owed = self._asked = None
            self._move(Cause.ALL_HEARD, now)

    def _leave_answer(self) -> None:
        """What comes from now on is another answer, unless the service still makes this one."""
        if self._answer is not None and (self._answer.cut or not self._answer.flows):
            self._end_answer(self._answer)

    def _end_answer(self, answer: Answer) -> None:
        self._user_is_done = True
        self._answer = None
        self._complete_sound(answer)
        self._ending.append(answer)

    # Interruption.

    def _interrupt(self, now: float, cause: Cause, *, by_service: bool = False) -> None:
        """Empties what is queued, in one step. An answer that the service still makes is cut; another one is over."""
        cut = self.playback.cut()
        if cut:
            self.playback.look(*self._mouth.flush())
        self._sound_is_open = False
        answer = self._answer
        more_comes = by_service or (answer is not None and answer.flows)
        hit = [each for each in self._unheard() if any(stretch in cut for stretch in each.stretches)]
        if answer is not None and not answer.cut and more_comes:
            hit = hit or [answer]
            answer.cut = True
        if by_service or answer is not None:
            self._leftovers.expect_end()
        if more_comes:
            self._leftovers.expect(now, by_service=by_service, asked=self._asked is not None)
        if hit:
            self._note_cut(hit, now, cause)
        if answer is not None and not more_comes:
            self._end_answer(answer)
        if self._cut is not None and not self.playback.is_cutting:
            self._tell_cut(now)

    def _note_cut(self, hit: list[Answer], now: float, cause: Cause) -> None:
        for each in hit:
            each.cut = True
        self._cut, self._cut_at = hit[0], now
        self._user_is_done = True
        self.interruptions += 1
        if cause is Cause.SILENCED:
            self._owed = None
        self._move(cause, now)

    def _tell_cut(self, now: float) -> None:
        """Tells how much was heard of an answer that was cut short."""
        answer, self._cut = self._cut, None
        if answer is None:
            return
        if not answer.flows and answer.heard >= answer.seconds > 0:
            answer.cut = False  # all of it was heard
            self.interruptions -= 1
            return
        self._tell(Interrupted(now, answer.heard, answer.exact))

    # Time.

    def _look_at_sound(self, now: float, played: float, flushes: int) -> None:
        playback = self.playback
        playback.look(played, flushes)
        if playback.is_cutting and now - self._cut_at >= CONFIRM_WITHIN:
            playback.give_up_cut()
        if self._cut is not None and not playback.is_cutting:
            self._tell_cut(now)
        for answer in self._unheard():
            for stretch in answer.stretches:
                if stretch.heard > 0 and not stretch.started:
                    stretch.started = True
                    began = now - (played - stretch.begin)
                    self._note_first_heard(answer, max(began, answer.watch.seen("first_sound") or 0.0), now)
            answer.note_heard(now)

    def _note_first_heard(self, answer: Answer, began: float, now: float) -> None:
        answer.watch.note("first_played", began)
        if answer.model is not None and answer.model.heard is None:
            answer.model.begin, answer.model.heard = began, 0.0
        self._owed = None
        if not answer.cut:
            self._move(Cause.SOUND_HEARD, now)

    def _unheard(self) -> list[Answer]:
        """The answers of which something may still be heard, oldest first."""
        return self._ending if self._answer is None else [*self._ending, self._answer]

    def _look_at_answers(self, now: float) -> None:
        answer = self._answer
        if answer is not None and not self.is_playing and not self.playback.is_cutting:
            if answer.calls:
                if self.state is ConversationState.SPEAKING:
                    self._owed, self._next_waiting = now, FIRST_WAITING
                    self._move(Cause.RAN_OUT, now)
            elif now - answer.latest >= (QUIET_END if answer.generated else STALLED_END):
                self._end_answer(answer)
        for each in tuple(self._ending):
            if each.settled and each.looked:
                self._tell_turn_ended(each, now)
            each.looked = True

    def _tell_settled(self, now: float) -> None:
        """What comes now is told behind the ends of the turns before it: they wait for no look."""
        for each in tuple(self._ending):
            if each.settled:
                self._tell_turn_ended(each, now)

    def _tell_turn_ended(self, answer: Answer, now: float) -> None:
        self._ending.remove(answer)
        model = answer.model
        if model is not None:
            model.interrupted, model.heard = answer.cut, answer.heard
            model.end = max(model.begin, model.begin + answer.heard if answer.cut else answer.heard_until)
            if model.pieces and not model.final:
                model.final = True
                self._tell(ModelWords(now, model.text, final=True))
        said = [each.read() for each in (answer.user, model) if each is not None and (each.text or each is model)]
        latency = answer.watch.read()
        self.latencies.add(latency)
        self.turns += 1
        if self._answer is None and not self._ending:
            if not answer.stretches and not answer.cut:  # a silent answer is one
                self._owed = None
            if self._owed is None:
                self._move(Cause.ALL_HEARD, now)
        self._tell(TurnEnded(now, tuple(said), latency, answer.usage))

    # Connections.

    def _lose_connection(self, info: CloseInfo, now: float, *, turn_lost: bool) -> None:
        self._lost = info
        self._move(Cause.LOST, now)
        self._tell(Reconnecting(now))
        if turn_lost:
            self._lose_answer(info, now)

    def _lose_answer(self, info: CloseInfo, now: float) -> None:
        self._owed = self._asked = None
        self._leftovers.end()
        answer = self._answer
        if answer is not None:
            self._end_answer(answer)
        if answer is None or not answer.generated or answer.cut:  # else all of it has come, but for the word that it is over
            self._tell(AnswerLost(now, info))

    @property
    def _is_due(self) -> bool:
        """True when more of an answer is to come, or all of it."""
        answer = self._answer
        return self._asked is not None if answer is None else not (answer.generated or answer.cut)

    def _reconnect(self, now: float, *, state_restored: bool, turn_lost: bool) -> None:
        self._move(Cause.BACK, now)
        self._tell(Reconnected(now, state_restored))
        if turn_lost and self._lost is not None:
            self._lose_answer(self._lost, now)
        if self.pressed:
            self._move(Cause.SPEECH_BEGAN, now)
        elif self._owed is not None:
            self._move(Cause.ASKED, now)
        elif self.is_playing:
            self._move(Cause.SOUND_HEARD, now)

    # The state.

    def _move(self, cause: Cause, now: float) -> None:
        state = TABLE.get((self.state, cause), self.state)
        if state is not self.state:
            self.state = state
            self._tell(StateChanged(now, state))
