"""The `ask_user` tool: a multiple-choice question to the user about what the issue means, before work starts.

Based on Elicitron (arXiv 2404.16045), which elicits needs that a request leaves open, and on the question tools of
Claude Code and OpenCode.
"""

from __future__ import annotations

from aci.observation.untrusted_text import one_line
from tools.base import Context, TextSource, not_needed, tool
from trajectories.errors import UsageError
from trajectories.records import Observation

FEWEST, MOST = 2, 4
"""Minimum and maximum number of options."""
LONGEST_QUESTION, LONGEST_OPTION = 300, 200
ASSUMED = "assumed"
"""The key of the assumption that takes the place of an answer."""
SKIPPED = "The user did not answer. Assume: {}. State this assumption in the summary."
NO_USER = "No one can answer here. Assume: {}. State this assumption in the summary."
LATER = "The question will be published. The run stops after this reply, and continues with the answer."


@tool(writes=False, needs="user", text=TextSource("harness"), consent=not_needed)
def ask_user(ctx: Context, question: str, options: list[str]) -> Observation:
    """Ask the user which reading of the issue is meant, if they need different code and the repository does not decide.
    Only once and before you change files: at most 4 calls, all in one reply.

    Args:
        question: One sentence.
        options: 2 to 4 answers, the likeliest first. The user may also write another one.
    """
    question = one_line(question).strip()
    choices = list(dict.fromkeys(filter(None, (one_line(option).strip() for option in options))))
    if not question or not FEWEST <= len(choices) <= MOST:
        raise UsageError(f"A question needs {FEWEST} to {MOST} different options.", "Ask again with that many.")
    if len(question) > LONGEST_QUESTION or max(map(len, choices)) > LONGEST_OPTION:
        raise UsageError(
            f"A question may have {LONGEST_QUESTION} characters, and an option {LONGEST_OPTION}.", "Shorten it."
        )
    assumed = {ASSUMED: f"{question} {choices[0]}"}
    if ctx.ask_user is None:
        return Observation(NO_USER.format(choices[0]), data=assumed)
    answer = ctx.ask_user(question, choices)
    if answer.is_later:
        return Observation(LATER, data={"question": question, "options": choices})
    if not answer.text:
        return Observation(SKIPPED.format(choices[0]), data=assumed)
    return Observation(f"The user answers: {answer.text}")
