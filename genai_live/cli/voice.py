"""``genai-live voice``: a conversation over microphone and loudspeaker, until Ctrl-C. Runs on the main thread."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace

from genai_live.cli import answerer, dam, keyboard, own_tools, setup_options
from genai_live.cli.argument_types import MisunderstoodError, file, word
from genai_live.cli.conversation_view import ConversationView, clock
from genai_live.cli.notices import notices
from genai_live.cli.output_files import check_writable
from genai_live.cli.screen import Screen
from genai_live.cli.view import said
from genai_live.voice import Conversation, ConversationState, Devices, Ended, Event, Latencies, Level
from genai_live.voice.events import to_dict
from genai_live.voice.recorder import transcript_beside

ALONE: dict[str, object] = {
    "push_to_talk": False, "half_duplex": False, "headset": False,
    "device": None, "microphone": None, "loudspeaker": None, "record": None, "tool": [],
}  # fmt: skip
"""Options that nothing but a conversation over microphone and loudspeaker has, and their defaults."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    answerer.add_arguments(parser)
    add_own_arguments(parser)
    parser.add_argument("--force", action="store_true", help="replace the file that --record names")
    setup_options.add_arguments(parser)


def add_own_arguments(parser: argparse.ArgumentParser) -> None:
    """Those that ``talk`` takes too."""
    group = parser.add_argument_group("over microphone and loudspeaker")
    how = "talk while the space bar is held, or between two taps, and not hands-free"
    group.add_argument("--push-to-talk", action="store_true", help=how)
    how = "hear nothing while the answer is heard, where echo cannot be cancelled"
    group.add_argument("--half-duplex", action="store_true", help=how)
    group.add_argument("--headset", action="store_true", help="cancel no echo, since there is none")
    how = "microphone and loudspeaker, by name, a part of it, or number; genai-live devices lists them"
    group.add_argument("--device", type=_device, metavar="NAME", help=how)
    group.add_argument("--microphone", type=_device, metavar="NAME", help="the microphone alone")
    group.add_argument("--loudspeaker", type=_device, metavar="NAME", help="the loudspeaker alone")
    how = "a WAV file for both sides: you left, the model right; a transcript beside it"
    group.add_argument("--record", type=file, metavar="FILE", help=how)
    how = "a function that the model may call, from this folder or installed; repeatable"
    group.add_argument("--tool", action="append", default=[], metavar="MODULE:FUNCTION", help=how)


def run(arguments: argparse.Namespace, screen: Screen) -> None:
    """Does what the command line asks for; raises the library's errors."""
    if arguments.push_to_talk and not sys.stdin.isatty():
        raise MisunderstoodError("--push-to-talk needs a keyboard, and stdin is not a terminal")
    if arguments.record is not None:
        for each in (arguments.record, transcript_beside(arguments.record)):
            check_writable(each, force=arguments.force)
    tools = own_tools.load(arguments.tool)
    config = setup_options.config(arguments, {})
    if tools:
        config = replace(config, tools=[*(config.tools or ()), *tools])
    devices = Devices(
        arguments.device if arguments.microphone is None else arguments.microphone,
        arguments.device if arguments.loudspeaker is None else arguments.loudspeaker,
        echo_cancellation=not arguments.headset,
    )
    if dam.build():
        screen = Screen(sys.stderr, sys.stdout, quiet=arguments.quiet)
    screen.draw([ConversationState.CONNECTING])
    with answerer.answerer(arguments.model, arguments.emulator, playback="assumed") as who:
        conversation = Conversation.connect(
            who.client,
            devices,
            model=who.model,
            config=config,
            turn_taking="push_to_talk" if arguments.push_to_talk else "automatic",
            half_duplex=arguments.half_duplex,
            run_tools=bool(tools),
            record=arguments.record,
            levels=True,
        )
        _follow(conversation, f"{who.sentence} {_how(arguments)} Ctrl-C ends.", arguments, screen)


def _how(arguments: argparse.Namespace) -> str:
    if arguments.push_to_talk:
        return "Talk while you hold the space bar, or between two taps."
    return "Talk whenever you like" + (", but not over the answer." if arguments.half_duplex else ", over the answer too.")


def _follow(conversation: Conversation, greeting: str, arguments: argparse.Namespace, screen: Screen) -> None:
    """Shows a conversation until it ends, or is ended by Ctrl-C; raises what ended it."""
    view = ConversationView()
    acts: dict[str, Callable[[], None]] = {"press": conversation.press, "release": conversation.release}
    button = keyboard.space_bar(lambda act: acts[act]()) if arguments.push_to_talk else nullcontext()
    stopped: KeyboardInterrupt | None = None
    with notices(debug=arguments.debug) as logged:

        def show_logged() -> None:
            for sentence in logged.take():
                screen.say(sentence)

        def show(event: Event) -> None:
            show_logged()
            _show(event, view, arguments, screen)

        with conversation:
            try:
                screen.say(greeting)
                with button:
                    for event in conversation:
                        show(event)
            except KeyboardInterrupt as stop:
                stopped = stop
            conversation.close()
        for event in conversation:  # what the end has brought, such as the last words
            show(event)
        show_logged()
    _report(conversation, view, arguments, screen)
    ended = conversation.wait(0)
    if ended.error is not None:
        raise ended.error
    if stopped is not None and type(stopped) is not KeyboardInterrupt:
        raise stopped  # SIGTERM, whose status is its own


def _show(event: Event, view: ConversationView, arguments: argparse.Namespace, screen: Screen) -> None:
    for label, words in view.take(event):
        if not label:
            screen.say(words)
        elif not arguments.json:
            screen.painted(said(label, words, screen.columns_of_results, screen.look))
    if arguments.json and not isinstance(event, Level):
        screen.json(to_dict(event))
    if not isinstance(event, Ended):
        screen.draw(view.lines(screen.columns, screen.look))


def _report(conversation: Conversation, view: ConversationView, arguments: argparse.Namespace, screen: Screen) -> None:
    stats, latency, usage = conversation.stats, conversation.latency, conversation.session.usage
    if arguments.json:
        counted = usage.to_dict() if usage is not None else None
        figures = {"seconds": view.at, "turns": stats.turns, "interruptions": stats.interruptions}
        screen.json({"event": "summary", **figures, "latency": asdict(latency), "usage": counted, "end": dict(stats.end)})
    screen.say(
        f"{clock(view.at)} of conversation, {_count(stats.turns, 'answer')}, {_count(stats.interruptions, 'interruption')}."
    )
    if latency.turns:
        screen.say(latency_words(latency))
    if usage is not None:
        screen.say(f"{usage.prompt_token_count or 0:,} tokens heard, {usage.response_token_count or 0:,} spoken.")
    if (removed := stats.end.get("echo_removed")) is not None:
        screen.say(f"Echo lowered by {removed:.0f} dB.")
    if arguments.record is not None:
        screen.say(f"Recorded in {arguments.record}")


def latency_words(latency: Latencies) -> str:
    """How fast the answers were."""
    median, slow = latency.p50.first_played, latency.p95.first_played
    if median is None or slow is None:
        return "No answer was heard."
    if latency.turns == 1:
        return f"From the end of your words to the first sound: {median:.2f} s."
    return f"From the end of your words to the first sound: {median:.2f} s in half of the answers, {slow:.2f} s in 19 of 20."


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _device(text: str) -> int | str:
    """A device's number or name."""
    return int(text) if text.isdecimal() else word(text)


_device.__name__ = "device"
