"""A debate: proposers, each with a different call chain, argue for three rounds; a judge chooses the proposal to carry
out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text
from agent.candidates.role_questions import LETTERS, Question, ask_roles, parse_letter
from agent.engine.loop import loop
from agent.engine.proof_step import expect_proof
from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import likely_sources, opening
from agent.prompts.quotation import framed_issue
from extensions.papers.call_chains import call_chains, chain_source, chain_text
from extensions.papers.step_rewind import rewind_to

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ("coder",)
MAY_ASK = ("proposer", "judge")
PROMPTS = ("test_then_patch", "debate")
SOURCE = "SWE-Debate (arXiv 2507.23348), MAD (arXiv 2305.19118)"
WHEN = "it is not clear which of several places must be changed"
ROUNDS = 3
LONGEST_SAID = 2_000
"""Maximum number of characters of a proposal that the other proposers see."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Find call chains, debate for three rounds, and let the judge choose; if a plan is not proven, the judge chooses
    again."""
    given = yield from given_tests(task)
    expect_proof(task.branch, given, likely_sources(task.branch))
    start = task.tree
    task.note("phase", "chains")
    found = call_chains(task, task.turn.settings.attempts)
    for number, chain in enumerate(found):
        task.note("candidate", f"{LETTERS[number]}: {chain_text(chain)}")
    proposals = yield from _debate(task, [chain_source(task, chain) for chain in found])
    task.note("phase", "judge")
    open_ones = [number for number, words in enumerate(proposals) if words]
    failed = ""
    yield task.say(task.once("opening", lambda: opening(task.branch)))
    first_step = task.branch.steps[-1].n
    for number in range(task.turn.settings.rounds):
        place = yield from _judge(task, proposals, open_ones, failed, number)
        plan = proposals[place] if place is not None else ""
        words = task.prompt("plan", plan=quote_text(plan)) if plan else task.prompt("none")
        if number:
            yield rewind_to(task, first_step, start, f"{failed}\n\n{words}", "judge")
        else:
            yield task.say(words, author="judge")
        task.note("phase", f"patch {number + 1}")
        yield from loop(task.branch)
        verdict = yield from task.prove(given, likely_sources(task.branch))
        if verdict.complete or len(open_ones) < 2:
            break
        failed = task.prompt("failed", verdict=quote_text(task.branch.steps[-1].observations[0].text))
        open_ones = [each for each in open_ones if each != place]
    return task.best()


def _debate(task: Task, seen: Sequence[str]) -> Generator[Step, None, list[str]]:
    """Return the final proposals; from the second round on, each proposer reads the proposals of the others."""
    proposals = [""] * len(seen)
    for number in range(ROUNDS if len(seen) > 1 else len(seen)):
        task.note("phase", f"round {number + 1}")
        questions = [
            Question(
                f"round-{number + 1}-{LETTERS[at].lower()}", "proposer", _proposer_prompt(task, source, proposals, at)
            )
            for at, source in enumerate(seen)
        ]
        proposals = yield from ask_roles(task, questions)
    return proposals


def _proposer_prompt(task: Task, source: str, proposals: Sequence[str], at: int) -> str:
    """Return the prompt of a proposer: the issue, its call chain and, from the second round on, all proposals."""
    parts = [framed_issue(task.turn.issue), f"Your call chain:\n{quote_text(source)}"]
    if any(proposals):
        parts += [
            f"{LETTERS[n]}{' (you)' if n == at else ''} proposed:\n{quote_text(one[:LONGEST_SAID])}"
            for n, one in enumerate(proposals)
            if one
        ]
        parts.append(task.prompt("again"))
    else:
        parts.append(task.prompt("first"))
    return "\n\n".join(parts)


def _judge(
    task: Task, proposals: Sequence[str], open_ones: Sequence[int], failed: str, number: int
) -> Generator[Step, None, int | None]:
    """Return the proposal that the judge chooses, or the first open one if the judge chooses none; return None if no
    proposal is open."""
    if not open_ones:
        return None
    if len(open_ones) == 1:
        return open_ones[0]
    parts = [framed_issue(task.turn.issue)]
    parts += [f"{LETTERS[place]} proposes:\n{quote_text(proposals[place][:LONGEST_SAID])}" for place in open_ones]
    parts += [failed, "Which proposal should be carried out?"]
    [answer] = yield from ask_roles(task, [Question(f"judge-{number + 1}", "judge", "\n\n".join(filter(None, parts)))])
    taken = parse_letter(answer, len(proposals))
    place = taken if taken is not None and taken in open_ones else open_ones[0]
    letter = LETTERS[place]
    task.note("vote", f"The judge chooses {letter}." if place == taken else f"The judge chooses none; trying {letter}.")
    return place
