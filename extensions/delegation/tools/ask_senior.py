"""The `ask_senior` tool: one question to a stronger model, which sees the issue and the changes so far.

Based on the oracle of Amp.
"""

from __future__ import annotations

from tools.base import Context, TextSource, not_needed, tool
from trajectories.errors import UsageError
from trajectories.records import Observation

LONGEST_QUESTION = 8_000


@tool(writes=False, needs="senior", text=TextSource("unknown", "The answer of the senior"), consent=not_needed)
def ask_senior(ctx: Context, question: str) -> Observation:
    """Ask a stronger, more expensive model when you are stuck or unsure. It sees the issue, your changes so far and
    this question, not the files.

    Args:
        question: What to decide or explain, with the code that it is about.
    """
    if ctx.ask_senior is None:
        raise UsageError("No senior is available here.", "Decide yourself.")
    if not question.strip() or len(question) > LONGEST_QUESTION:
        raise UsageError(f"A question needs 1 to {LONGEST_QUESTION} characters.", "Ask it in that length.")
    answer = ctx.ask_senior(question.strip())
    return Observation(answer.report, ok=answer.ok)
