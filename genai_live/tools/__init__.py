"""Python functions as tools: how they are described to the model, and, with ``connect(run_tools=True)``, how its calls are run.

::

    from genai_live.tools import ToolContext, tool

    @tool(timeout=20.0, approve=True)
    def book(flight: str, context: ToolContext) -> dict:
        '''Books a flight.'''

A map, from the bottom up:

=============  =======================================================================================
fit            a value that is not what it should be, and the way to it
notes          what ``Annotated`` says beside a type: texts and limits
plain          what a function gave back, as JSON and as parts
docstrings     the text for the model, and those of the parameters
marks          ``@tool``, ``ToolContext``, ``ToolUpdate``: what a function says and is given
kinds          the table of annotations, in two directions: a JSON schema, and the value of an argument
signatures     which parameters a callable has, whatever it is
callee         a function, understood: its declaration, and its arguments from a call
runs           ``ToolRun`` and ``ToolPolicy``; the table of states of a call
slots          how many functions run at once, and which one is next: decisions, without thread or clock
calling        runs one function: plain, generator or async. On a thread of its own
registry       the functions of a session, by name; what of them is declared to which family of models
runner         the calls of a session: from the reader's note to their one answer
=============  =======================================================================================

A program that only connects loads nothing of ``calling``, ``registry`` and ``runner``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_live import _public
from genai_live.errors import ToolError
from genai_live.tools.callee import arguments, declaration
from genai_live.tools.marks import Cancelled, ToolContext, ToolUpdate, tool
from genai_live.tools.runs import RunState, ToolPolicy, ToolRun

__all__ = [
    "Cancelled",
    "RunState",
    "ToolContext",
    "ToolError",
    "ToolPolicy",
    "ToolRun",
    "ToolUpdate",
    "arguments",
    "declaration",
    "tool",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)
