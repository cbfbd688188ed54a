"""Which answer belongs to which question: the rules of the ledger, with every message and every second passed in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from genai_live._connection.ledger import MOST_CALLS, SILENCE, TURNS, Rule, Says, Standing
from genai_live._connection.questions import MOST_REPORTS, SESSION, Asked, Fate
from genai_live.types import LiveServerMessage
from tests.ledger_talk import (
    ERROR,
    GENERATED,
    IDLE,
    IN_PROGRESS,
    INTERRUPTED,
    TURN_COMPLETE,
    USAGE,
    Conversation,
    UserTurn,
    a_call,
    a_cancellation,
    a_message,
    content,
    heard,
    says,
    voice,
)

# Turns.


def test_every_answer_belongs_to_the_oldest_question_that_no_turn_has_begun_to_answer() -> None:
    talk = Conversation()
    first, second = talk.asks(), talk.asks()
    assert talk.turn() is first
    assert talk.turn() is second
    assert (first.fate, second.fate) == (Fate.ANSWERED, Fate.ANSWERED)
    assert not talk.ledger.answer_due


def test_an_answer_begins_with_its_first_content_and_everything_up_to_its_end_is_of_it() -> None:
    talk = Conversation()
    question = talk.asks()
    assert talk.comes(a_message()) is SESSION
    for message in (content(), says(outputTranscription={"text": "x"}), says(groundingMetadata={}), says()):
        assert talk.comes(message) is question.part
    assert talk.comes(GENERATED) is question.generated
    assert talk.comes(TURN_COMPLETE) is question.last


def test_a_question_of_which_nothing_was_written_gets_no_answer() -> None:
    talk = Conversation()
    waits, question = talk.ledger.asked(Asked.CONTENT), talk.asks()
    assert waits.fate is Fate.WAITING
    assert talk.turn() is question


def test_a_question_that_was_withdrawn_gets_no_answer_and_may_be_written_again() -> None:
    talk = Conversation()
    first, second = talk.asks(), talk.asks()
    talk.ledger.withdrawn(first)
    talk.ledger.withdrawn(first)
    assert first.fate is Fate.WAITING
    assert talk.turn() is second
    talk.ledger.written(first)
    assert talk.turn() is first


def test_what_nobody_asked_for_is_a_turn_that_answers_no_question() -> None:
    talk = Conversation()
    unasked = talk.turn()
    assert unasked is not None
    assert (unasked.kind, unasked.count) == (Asked.NOTHING, 0)
    question = talk.asks()
    assert talk.turn() is question
    assert question.count == 1


def test_an_answer_may_be_empty() -> None:
    talk = Conversation()
    question = talk.asks()
    assert talk.comes(TURN_COMPLETE) is question.last


def test_one_message_may_be_a_whole_turn() -> None:
    talk = Conversation()
    question = talk.asks()
    assert talk.comes(says(modelTurn={"parts": [{"text": "x"}]}, generationComplete=True, turnComplete=True)) is question.last
    assert talk.ledger.standing is Standing.SILENT


def test_a_turn_without_turn_complete_ends_where_the_answer_to_the_next_question_begins() -> None:
    talk = Conversation()
    first = talk.asks()
    talk.comes(content(), GENERATED)
    second = talk.asks()
    assert talk.comes(content()) is second.part
    assert talk.marks[-2:] == [first.last, second.part]
    assert first.fate is Fate.ANSWERED


def test_an_interaction_in_progress_goes_on_after_turn_complete_and_idle_ends_it() -> None:
    talk = Conversation()
    question = talk.asks()
    assert talk.comes(content(), IN_PROGRESS) is question.part
    assert talk.comes(content()) is question.part
    assert talk.comes(IDLE) is question.last


def test_an_error_is_the_end_of_the_question_that_it_meets() -> None:
    talk = Conversation()
    first, second = talk.asks(), talk.asks()
    assert talk.comes(content(), ERROR) is first.last
    assert talk.comes(ERROR) is second.last
    unasked = talk.comes(ERROR)
    assert unasked.ends
    assert unasked.question is not None
    assert unasked.question.kind is Asked.NOTHING


# Interruptions.


def test_an_interruption_closes_the_question_whose_answer_runs() -> None:
    talk = Conversation()
    first = talk.asks()
    talk.comes(content())
    second = talk.asks()
    assert talk.comes(INTERRUPTED) is first.part
    assert talk.comes(content("late piece of the old answer")) is first.part
    assert talk.comes(TURN_COMPLETE) is first.last
    assert talk.turn() is second


def test_with_no_answer_running_an_interruption_closes_the_oldest_open_question() -> None:
    talk = Conversation()
    first, second = talk.asks(), talk.asks()
    assert talk.comes(INTERRUPTED) is first.part
    assert talk.comes(TURN_COMPLETE) is first.last
    assert talk.turn() is second


def test_an_interruption_closes_a_question_whose_call_waits() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_call("1"), INTERRUPTED)
    assert talk.comes(TURN_COMPLETE) is question.last
    assert not talk.ledger.pending
    assert not talk.ledger.answer_due


def test_an_interruption_when_nothing_is_asked_closes_nothing() -> None:
    talk = Conversation()
    assert talk.comes(INTERRUPTED) is SESSION
    question = talk.asks()
    talk.turn()
    assert talk.comes(INTERRUPTED) is question.late


def test_an_interruption_may_come_after_generation_in_the_playback_that_the_service_assumes() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(content(), GENERATED)
    assert talk.comes(INTERRUPTED) is question.part
    assert talk.comes(TURN_COMPLETE) is question.last


# Speech.


def test_a_speech_that_the_service_reports_is_a_question_when_it_ends() -> None:
    talk = Conversation()
    talk.sound()
    talk.comes(voice("ACTIVITY_START"))
    assert not talk.ledger.answer_due
    talk.comes(voice("ACTIVITY_END"))
    assert talk.ledger.answer_due
    spoken = talk.turn()
    assert spoken is not None
    assert (spoken.kind, spoken.count) == (Asked.SPEECH, 1)


def test_a_speech_that_is_answered_before_its_end_is_reported_is_one_question() -> None:
    talk = Conversation()
    talk.comes(voice("ACTIVITY_START"), content(), voice("ACTIVITY_END"))
    talk.comes(TURN_COMPLETE)
    assert not talk.ledger.answer_due


def test_where_no_speech_is_reported_all_sound_since_the_last_answer_began_is_a_question() -> None:
    talk = Conversation()
    talk.sound()
    talk.sound()
    spoken = talk.turn()
    assert spoken is not None
    assert spoken.kind is Asked.SPEECH
    unasked = talk.turn()
    assert unasked is not None
    assert unasked.kind is Asked.NOTHING


def test_sound_alone_makes_no_answer_due() -> None:
    talk = Conversation()
    talk.sound()
    assert not talk.ledger.answer_due


def test_what_the_service_heard_belongs_to_the_answer_that_follows() -> None:
    talk = Conversation()
    talk.sound()
    mark = talk.comes(heard("hello"))
    assert talk.turn() is mark.question


def test_what_the_service_heard_may_come_in_the_answer_and_after_it() -> None:
    talk = Conversation()
    talk.sound()
    spoken = talk.comes(content()).question
    assert talk.comes(heard("hello")).question is spoken
    talk.comes(TURN_COMPLETE)
    talk.sound()
    other = talk.comes(content(), TURN_COMPLETE).question
    assert other is not spoken
    assert other is not None
    assert talk.comes(heard("what came late")) is other.late


def test_the_fragments_of_one_sentence_stay_together() -> None:
    talk = Conversation()
    talk.sound()
    spoken = talk.turn()
    assert spoken is not None
    talk.sound()
    assert [talk.comes(heard(each)) for each in ("he", "llo")] == [spoken.late] * 2


@pytest.mark.parametrize(
    "end_of_sentence",
    [says(inputTranscription={"text": ".", "finished": True}), voice("ACTIVITY_START"), content()],
    ids=["the sentence is finished", "another speech begins", "the model speaks"],
)
def test_words_after_the_end_of_a_sentence_are_of_the_next_one(end_of_sentence: LiveServerMessage) -> None:
    talk = Conversation()
    talk.sound()
    spoken = talk.turn()
    assert spoken is not None
    talk.sound()
    assert talk.comes(heard("late")) is spoken.late
    talk.comes(end_of_sentence)
    talk.sound()
    assert talk.comes(heard("next")).question is not spoken


def test_a_sentence_that_comes_late_is_not_glued_to_the_next_one() -> None:
    talk = Conversation()
    talk.sound()
    first = talk.comes(content(), TURN_COMPLETE).question
    assert first is not None
    assert talk.comes(heard("first")) is first.late
    talk.sound()
    second = talk.comes(content()).question
    assert talk.comes(heard("second")).question is second is not first


def test_a_speech_that_was_heard_and_then_answered_with_a_text_is_one_turn_with_it() -> None:
    talk = Conversation()
    talk.sound()
    spoken = talk.comes(heard("hm")).question
    question = talk.asks()
    assert spoken is not None
    assert talk.turn() is question
    assert talk.ends_of(spoken) == 1


# Calls.


def test_a_tool_response_opens_no_question_and_the_answer_belongs_to_that_of_its_call() -> None:
    talk = Conversation()
    question = talk.asks()
    assert talk.comes(a_call("1")) is question.part
    assert talk.ledger.pending == {"1": question}
    talk.answers("1")
    assert not talk.ledger.pending
    assert talk.turn() is question
    assert not talk.ledger.answer_due


@pytest.mark.parametrize("answered_at_once", [False, True])
def test_where_a_call_has_a_turn_of_its_own_its_question_goes_on_over_as_many(answered_at_once: bool) -> None:
    talk = Conversation(calls_have_turns=True)
    question = talk.asks()
    for call_id in ("1", "2", "3"):
        talk.comes(a_call(call_id))
        if answered_at_once:
            talk.answers(call_id)
        assert talk.comes(GENERATED) is question.part
        assert talk.comes(TURN_COMPLETE) is question.part
        if not answered_at_once:
            assert talk.ledger.answer_due
            talk.answers(call_id)
    assert talk.turn() is question
    assert talk.ends_of(question) == 1


def test_a_turn_that_the_service_ends_before_its_call_was_answered_goes_on_with_the_response() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_call("1"))
    assert talk.comes(TURN_COMPLETE) is question.part
    talk.answers("1")
    assert talk.turn() is question


def test_a_question_that_was_asked_while_a_call_waits_is_answered_by_whichever_is_due_first() -> None:
    talk = Conversation(calls_have_turns=True)
    first = talk.asks()
    talk.comes(a_call("1"), TURN_COMPLETE)
    second = talk.asks()
    assert talk.turn() is second
    talk.answers("1")
    assert talk.turn() is first


def test_two_calls_are_one_question_that_goes_on_until_both_are_answered() -> None:
    talk = Conversation(calls_have_turns=True)
    question = talk.asks()
    talk.comes(a_call("1", "2"), TURN_COMPLETE)
    talk.answers("1")
    assert talk.comes(content(), TURN_COMPLETE) is question.part
    talk.answers("2")
    assert talk.turn() is question


def test_a_response_that_is_followed_by_more_leaves_its_call_open() -> None:
    talk = Conversation(calls_have_turns=True)
    question = talk.asks()
    talk.comes(a_call("1"), TURN_COMPLETE)
    talk.answers("1", is_last=False)
    assert talk.ledger.pending == {"1": question}


def test_a_response_that_is_not_to_be_spoken_of_ends_its_question() -> None:
    talk = Conversation(calls_have_turns=True)
    question = talk.asks()
    talk.comes(a_call("1"), TURN_COMPLETE)
    talk.answers("1", is_spoken=False)
    assert talk.ledger.notes() == [question.last]
    assert not talk.ledger.answer_due


def test_a_call_that_is_cancelled_is_pending_no_more_and_ends_a_question_whose_turn_is_over() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_call("1", "2"), a_cancellation("1", "unknown"))
    assert set(talk.ledger.pending) == {"2"}
    talk.comes(TURN_COMPLETE, a_cancellation("2"))
    assert talk.ends_of(question) == 1
    assert not talk.ledger.answer_due


def test_of_a_flood_of_calls_the_newest_are_known() -> None:
    talk = Conversation()
    talk.asks()
    for number in range(MOST_CALLS + 10):
        talk.comes(a_call(str(number)))
    assert len(talk.ledger.pending) == MOST_CALLS
    assert "9" not in talk.ledger.pending
    talk.ledger.lose()
    talk.ledger.begin_anew()
    assert not talk.ledger.was_lost("9")
    assert talk.ledger.was_lost("10")


def test_of_a_flood_of_reports_about_a_turn_the_first_complete_it() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(content(), TURN_COMPLETE, *[USAGE] * (MOST_REPORTS + 10))
    assert len(question.reports) == MOST_REPORTS


def test_an_error_closes_a_question_whose_other_call_waits() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_call("1", "2"), TURN_COMPLETE)
    talk.answers("1")
    assert talk.comes(ERROR) is question.last
    assert not talk.ledger.pending


def test_calls_without_an_id_go_by_their_names() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_message(toolCall={"functionCalls": [{"name": "f"}]}))
    assert talk.ledger.pending == {"f": question}


def test_a_response_of_which_nothing_went_out_leaves_its_call_open() -> None:
    talk = Conversation(calls_have_turns=True)
    question = talk.asks()
    talk.comes(a_call("1", "2"), TURN_COMPLETE)
    talk.answers("1")
    talk.answers("2")
    talk.ledger.call_reopened("2")
    assert (set(talk.ledger.pending), question.is_owed) == ({"2"}, True)
    talk.ledger.call_reopened("1")
    assert (set(talk.ledger.pending), question.is_owed) == ({"1", "2"}, False)
    assert talk.ledger.responses == []
    talk.ledger.call_reopened("1")
    later = talk.asks()
    assert talk.turn() is later
    talk.answers("1")
    talk.answers("2")
    assert talk.turn() is question


def test_a_response_has_its_place_in_the_order_of_answers_when_it_goes_out() -> None:
    talk = Conversation(calls_have_turns=True)
    question = talk.asks()
    talk.comes(a_call("1"), TURN_COMPLETE)
    talk.answers("1")  # into the outbox
    later = talk.asks()
    talk.answers("1")  # out of it, behind another question
    assert talk.turn() is later
    assert talk.turn() is question


def test_an_answer_to_a_call_that_nobody_made_changes_nothing() -> None:
    talk = Conversation()
    talk.answers("1")
    assert not talk.ledger.answer_due
    assert talk.ledger.responses == []


# Questions that the service merges or drops.


def test_questions_that_a_turn_has_left_open_are_closed_with_it_after_a_silence() -> None:
    talk = Conversation()
    first, second, third = talk.asks(), talk.asks(), talk.asks()
    assert talk.turn() is first
    assert talk.ledger.is_unsettled
    (note,) = talk.silence()
    assert (note.question, note.merged) == (first, (second, third))
    assert (first.count, talk.ledger.resynchronised) == (3, 2)
    assert [talk.ends_of(each) for each in (first, second, third)] == [1, 1, 1]
    later = talk.asks()
    assert talk.turn() is later


def test_a_shorter_silence_closes_nothing() -> None:
    talk = Conversation()
    talk.asks()
    second = talk.asks()
    talk.turn()
    assert talk.silence(SILENCE - 0.001) == []
    assert talk.turn() is second


def test_the_silence_is_counted_anew_while_the_service_answers_what_was_left_open() -> None:
    talk = Conversation()
    talk.asks()
    second, third = talk.asks(), talk.asks()
    talk.turn()
    assert talk.silence(SILENCE / 2) == []
    assert talk.turn() is second
    assert talk.silence(SILENCE / 2) == []
    assert talk.turn() is third


def test_silences_add_up_where_others_ask_meanwhile() -> None:
    """Else a caller who always asks again before the time would be one answer behind for good."""
    talk = Conversation()
    questions = [talk.asks(), talk.asks()]
    talk.turn()
    notes = []
    for _ in range(4):
        notes += talk.silence(SILENCE / 3)
        questions.append(talk.asks())
        talk.turn()
    assert len(notes) == 1
    later = talk.asks()
    assert talk.turn() is later


@pytest.mark.parametrize("rest", [(), (TURN_COMPLETE,)], ids=["in a turn", "in a turn of its own"])
@pytest.mark.parametrize("before", [0, 1], ids=["first", "after another turn"])
def test_who_waits_behind_a_call_is_told_once_and_nothing_is_closed(rest: tuple[LiveServerMessage, ...], before: int) -> None:
    talk = Conversation(calls_have_turns=bool(rest))
    for _ in range(before):
        talk.asks()
        talk.turn()
    first, second = talk.asks(), talk.asks()
    talk.comes(content(), a_call("1"), *rest)
    assert talk.silence() == []
    first.is_abandoned = True
    (note,) = talk.silence()
    assert (note.question, note.asks_caller) == (first, True)
    assert talk.silence() == []
    talk.answers("1")
    assert {talk.turn(), talk.turn()} == {first, second}
    assert not talk.ledger.answer_due


def test_behind_a_dropped_question_the_spoken_answer_to_a_call_may_be_taken_for_that_of_the_next_question() -> None:
    """Two services write this, word for word. One answers all in order: the first question was interrupted, the second and the
    third call, the fourth is answered, then the two calls. The other drops the first: the second was interrupted, the third and
    the fourth call, and the turn is about the third one's call. Which it was, only the turns that follow tell."""
    talk = Conversation(calls_have_turns=True)
    first, second = talk.asks(), talk.asks()
    talk.comes(content(), INTERRUPTED, TURN_COMPLETE)
    third, fourth = talk.asks(), talk.asks()
    for call_id in ("1", "2"):
        talk.comes(a_call(call_id), GENERATED, TURN_COMPLETE)
        talk.answers(call_id)
    assert talk.turn() is fourth  # in order; the service that drops questions meant the third
    assert talk.turn() is second
    talk.silence()
    assert [talk.ends_of(each) for each in (first, second, third, fourth)] == [1, 1, 1, 1]
    later = talk.asks()
    assert talk.turn() is later  # after the silence nothing is shifted


def test_a_model_that_goes_on_beside_a_call_answers_the_next_question() -> None:
    talk = Conversation()
    first = talk.asks()
    talk.comes(a_call("1"))
    second = talk.asks()
    assert talk.turn() is second
    talk.answers("1")
    assert talk.turn() is first


def test_a_question_that_was_asked_after_the_turn_began_is_left_open_by_none() -> None:
    talk = Conversation()
    talk.asks()
    talk.comes(content())
    second = talk.asks()
    talk.comes(TURN_COMPLETE)
    assert talk.silence() == []
    assert talk.turn() is second


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda talk: talk.comes(content(), a_call("1"), TURN_COMPLETE),
        lambda talk: talk.comes(content(), IN_PROGRESS),
        lambda talk: talk.comes(content(), GENERATED),
        lambda talk: talk.comes(content()),
    ],
    ids=["while a call waits", "in progress", "before the end of a turn", "in a turn"],
)
def test_nothing_is_closed(meanwhile: Callable[[Conversation], object]) -> None:
    talk = Conversation()
    talk.asks()
    second = talk.asks()
    meanwhile(talk)
    assert not talk.ledger.is_unsettled
    assert talk.silence() == []
    assert second.fate is Fate.WRITTEN


def test_an_answered_call_waits_for_the_model_however_long_it_thinks() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_call("1"), TURN_COMPLETE)
    talk.answers("1")
    assert talk.silence(100 * SILENCE) == []
    later = talk.asks()
    assert talk.silence() == []
    assert talk.turn() is question
    assert talk.turn() is later


def test_an_answered_call_of_which_the_model_does_not_speak_shifts_no_answer_for_good() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_call("1"), TURN_COMPLETE)
    talk.answers("1")
    second = talk.asks()
    assert talk.turn() is question  # nothing says that it is not
    (note,) = talk.silence()
    assert (note.question, note.merged) == (question, (second,))
    later = talk.asks()
    assert talk.turn() is later


def test_an_answered_call_of_an_earlier_connection_ends_its_question_after_a_silence() -> None:
    """The service may have answered it in what was lost."""
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_call("1"), TURN_COMPLETE)
    talk.answers("1")
    assert talk.ledger.lose() == ()
    assert talk.silence() == [question.last]
    assert not talk.ledger.answer_due


def test_who_has_the_turn_already_is_told_how_many_questions_it_answers() -> None:
    talk = Conversation()
    first = talk.asks()
    talk.asks()
    talk.turn()
    turn = UserTurn()
    first.turn = turn
    talk.silence()
    assert turn.questions == 2


def test_a_silence_before_anything_was_answered_closes_nothing() -> None:
    talk = Conversation()
    question = talk.asks()
    assert talk.silence(100 * SILENCE) == []
    assert talk.turn() is question


# What comes after the end of a turn.


@pytest.mark.parametrize(
    "report",
    [
        USAGE,
        says(outputTranscription={"text": "x"}),
        says(groundingMetadata={"webSearchQueries": ["x"]}),
        a_message(serverContent={}, usageMetadata={"totalTokenCount": 1}),
    ],
    ids=["usage", "a transcript", "grounding", "usage beside an empty content"],
)
def test_reports_after_the_end_are_about_the_turn_that_has_ended(report: LiveServerMessage) -> None:
    talk = Conversation()
    question = talk.asks()
    talk.turn()
    assert talk.comes(report) is question.late
    assert question.reports == [report]


def test_a_turn_in_its_users_hands_is_completed_by_what_comes_later() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.turn()
    turn = UserTurn()
    question.turn = turn
    talk.comes(USAGE)
    assert turn.reports == [USAGE]


def test_what_follows_a_turn_that_was_taken_at_the_end_of_generation_is_late_with_its_end() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(content(), GENERATED)
    turn = UserTurn()
    question.turn = turn
    assert talk.comes(a_message(serverContent={"turnComplete": True}, usageMetadata={"totalTokenCount": 1})) is question.last_late
    assert len(turn.reports) == 1


def test_a_report_before_any_turn_is_about_the_session() -> None:
    assert Conversation().comes(USAGE) is SESSION


def test_a_second_report_is_of_the_next_turn_where_one_is_due() -> None:
    talk = Conversation()
    first = talk.asks()
    talk.turn()
    second = talk.asks()
    assert talk.comes(USAGE) is first.late
    assert talk.comes(USAGE) is second.part


def test_a_status_of_idle_after_the_end_says_nothing_new() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.turn()
    assert talk.comes(IDLE) is question.late
    assert not talk.ledger.answer_due


# The end of a connection.


def test_the_end_of_a_connection_loses_all_questions_that_were_written() -> None:
    talk = Conversation()
    waits = talk.ledger.asked(Asked.CONTENT)
    first, second = talk.asks(), talk.asks()
    talk.comes(content())
    assert set(talk.ledger.lose()) == {first, second}
    assert (first.fate, second.fate, waits.fate) == (Fate.LOST, Fate.LOST, Fate.WAITING)
    assert talk.ledger.lose() == ()
    talk.ledger.written(waits)
    assert talk.turn() is waits


def test_a_question_whose_call_waits_survives_the_connection_and_the_response_goes_over_the_next() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_call("1"))
    assert talk.ledger.lose() == ()
    assert talk.ledger.pending == {"1": question}
    talk.answers("1")
    assert talk.turn() is question


def test_responses_of_which_the_model_has_not_spoken_are_said_again_in_their_order_once_each() -> None:
    talk = Conversation()
    talk.asks()
    talk.comes(a_call("1", "2", "3"))
    together = b"response to two calls"
    for call_id in ("1", "2"):
        talk.ledger.call_answered(call_id, together, is_last=True, is_spoken=True)
    talk.answers("3")
    assert talk.ledger.lose() == ()
    assert talk.ledger.responses == [together, b"response to 3"]
    talk.comes(content())
    assert talk.ledger.responses == []


def test_the_calls_of_two_questions_are_answered_again_in_the_order_in_which_they_were_answered() -> None:
    talk = Conversation(calls_have_turns=True)
    first, second = talk.asks(), talk.asks()
    talk.comes(a_call("1"), GENERATED, TURN_COMPLETE, a_call("2"), GENERATED, TURN_COMPLETE)
    talk.answers("2")
    talk.answers("1")
    assert talk.ledger.lose() == ()
    assert talk.ledger.responses == [b"response to 2", b"response to 1"]
    assert [talk.turn(), talk.turn()] == [second, first]


def test_behind_a_dropped_question_the_call_of_the_next_may_be_taken_for_its_and_the_next_be_told_as_lost() -> None:
    """Two services write this, word for word, before the connection ends. One answers all in order: the call is the first
    question's, whose answer comes over the next connection; the second is lost. The other dropped the first in silence: the call
    is the second's, and so is the answer to come. To wait for that would give the second, in the one that answers in order, the
    answer to the first."""
    talk = Conversation()
    first, second = talk.asks(), talk.asks()
    talk.comes(a_call("1"))
    talk.answers("1")
    assert talk.ledger.lose() == (second,)
    assert talk.turn() is first
    talk.silence()
    assert talk.ends_of(first) == 1


def test_a_question_of_which_the_model_has_spoken_since_its_call_is_lost() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_call("1"))
    talk.answers("1")
    talk.comes(content())
    assert talk.ledger.lose() == (question,)


def test_sound_whose_end_was_told_is_a_question_that_is_lost_and_a_microphones_is_none() -> None:
    talk = Conversation()
    talk.sound()
    assert talk.ledger.lose() == ()
    talk.sound()
    talk.ledger.sound.ended = True
    (lost,) = talk.ledger.lose()
    assert lost.kind is Asked.SPEECH
    assert talk.ledger.lose() == ()


def test_a_speech_that_is_lost_is_lost_once() -> None:
    talk = Conversation()
    spoken = talk.asks(Asked.SPEECH)
    talk.sound()
    talk.ledger.sound.ended = True
    assert talk.ledger.lose() == (spoken,)


def test_a_speech_that_was_heard_before_the_connection_ended_is_answered_after_it() -> None:
    talk = Conversation()
    talk.sound()
    spoken = talk.comes(heard("hello")).question
    assert talk.ledger.lose() == ()
    assert talk.turn() is spoken


def test_a_session_that_begins_anew_loses_the_open_calls_of_the_old_conversation_too() -> None:
    talk = Conversation()
    question = talk.asks()
    talk.comes(a_call("1", "2"))
    talk.answers("1")
    talk.ledger.lose()
    assert talk.ledger.begin_anew() == (question,)
    assert (question.fate, talk.ledger.pending, talk.ledger.responses) == (Fate.LOST, {}, [])
    assert talk.ledger.was_lost("2")
    talk.answers("2")
    assert not talk.ledger.answer_due


def test_the_answer_of_the_next_connection_is_not_that_of_a_lost_question() -> None:
    talk = Conversation()
    talk.asks()
    talk.comes(content())
    talk.ledger.lose()
    later = talk.asks()
    assert talk.turn() is later


# The table.


WORDS: dict[Says, LiveServerMessage] = {
    Says.ERROR: ERROR,
    Says.INTERRUPTED: INTERRUPTED,
    Says.CALL: a_call("1"),
    Says.CONTENT: content(),
    Says.TRANSCRIPT: says(outputTranscription={"text": "x"}),
    Says.GENERATED: GENERATED,
    Says.COMPLETE: TURN_COMPLETE,
    Says.IDLE: IDLE,
}
WAYS: dict[Standing, tuple[LiveServerMessage, ...]] = {
    Standing.SILENT: (),
    Standing.SPEAKING: (content(),),
    Standing.GENERATED: (content(), GENERATED),
    Standing.CUT: (content(), INTERRUPTED),
}
"""What brings the model from silence to where it stands."""
_T, _A = Standing, Says
GOES_ON, MADE, ENDS = "the first question's", "all of the first's answer was made", "the end of the first"
SECOND, NOBODY = "the second's, and the first has ended", "nobody's"
OUTCOMES: dict[tuple[Standing, Says], tuple[Standing, str]] = {
    (_T.SILENT, _A.CONTENT): (_T.SPEAKING, GOES_ON),
    (_T.SILENT, _A.CALL): (_T.SPEAKING, GOES_ON),
    (_T.SILENT, _A.TRANSCRIPT): (_T.SPEAKING, GOES_ON),
    (_T.SILENT, _A.GENERATED): (_T.GENERATED, MADE),
    (_T.SILENT, _A.INTERRUPTED): (_T.CUT, GOES_ON),
    (_T.SILENT, _A.COMPLETE): (_T.SILENT, ENDS),
    (_T.SILENT, _A.IDLE): (_T.SILENT, NOBODY),
    (_T.SPEAKING, _A.CONTENT): (_T.SPEAKING, GOES_ON),
    (_T.SPEAKING, _A.CALL): (_T.SPEAKING, GOES_ON),
    (_T.SPEAKING, _A.TRANSCRIPT): (_T.SPEAKING, GOES_ON),
    (_T.SPEAKING, _A.GENERATED): (_T.GENERATED, MADE),
    (_T.SPEAKING, _A.INTERRUPTED): (_T.CUT, GOES_ON),
    (_T.SPEAKING, _A.COMPLETE): (_T.SILENT, ENDS),
    (_T.SPEAKING, _A.IDLE): (_T.SILENT, ENDS),
    (_T.GENERATED, _A.CONTENT): (_T.SPEAKING, SECOND),
    (_T.GENERATED, _A.CALL): (_T.SPEAKING, SECOND),
    (_T.GENERATED, _A.TRANSCRIPT): (_T.GENERATED, GOES_ON),
    (_T.GENERATED, _A.GENERATED): (_T.GENERATED, MADE),
    (_T.GENERATED, _A.INTERRUPTED): (_T.CUT, GOES_ON),
    (_T.GENERATED, _A.COMPLETE): (_T.SILENT, ENDS),
    (_T.GENERATED, _A.IDLE): (_T.SILENT, ENDS),
    **{(_T.CUT, word): (_T.CUT, GOES_ON) for word in (_A.CONTENT, _A.CALL, _A.TRANSCRIPT, _A.GENERATED, _A.INTERRUPTED)},
    (_T.CUT, _A.COMPLETE): (_T.SILENT, ENDS),
    (_T.CUT, _A.IDLE): (_T.SILENT, ENDS),
    **{(standing, _A.ERROR): (_T.SILENT, ENDS) for standing in _T},
}


@pytest.mark.parametrize(("standing", "word"), OUTCOMES, ids=lambda each: each.name)
def test_every_row_of_turns_does_what_is_written_beside_it(standing: Standing, word: Says) -> None:
    talk = Conversation()
    first = talk.asks()
    if WAYS[standing]:
        talk.comes(*WAYS[standing])
    second = talk.asks()
    assert talk.ledger.standing is standing
    talk.marks.clear()
    mark = talk.comes(WORDS[word])
    expected = {GOES_ON: [first.part], MADE: [first.generated], ENDS: [first.last], NOBODY: [SESSION]}
    expected[SECOND] = [first.last, second.part]
    assert (talk.ledger.standing, talk.marks) == (OUTCOMES[standing, word][0], expected[OUTCOMES[standing, word][1]])
    assert mark is talk.marks[-1]


def test_the_table_of_turns_has_a_row_for_whatever_the_model_says_wherever_it_stands() -> None:
    assert set(TURNS) == set(OUTCOMES) == {(standing, word) for standing in Standing for word in Says}


@pytest.mark.parametrize("rule", TURNS.values(), ids=[f"{standing.name}-{word.name}" for standing, word in TURNS])
def test_every_row_says_how_it_is_known(rule: Rule) -> None:
    assert rule.source.strip()
