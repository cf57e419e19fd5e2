"""The challenger: a role that sees a patch of somebody else that would be verified, and writes tests that should fail
with it.

Its tests are no evidence by themselves, since they are made to accuse. Those that fail go to the examiner, who has not
seen the patch, and only what the examiner requires too disputes the patch.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from aci.proof.evidence import function_name
from aci.proof.proof_run import split_patch
from agent.conversation.model_roles import CHALLENGER, EXAMINER
from agent.prompts.opening_prompt import places
from extensions.examiner.challenger_prompt import SYSTEM, challenger_prompt
from extensions.examiner.examiner_prompt import describe_test_style
from extensions.examiner.page_prompt import describe_pages
from trajectories.errors import ModelError
from trajectories.facts import Fact

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from extensions.examiner.blind_tests import BlindResult
    from trajectories.records import Step

DECISIONS = ("required", "minor", "withdrawn")
DECIDED = re.compile(rf"^\W*([^\s|`]+?)`?\W+({'|'.join(DECISIONS)})\b", re.IGNORECASE | re.MULTILINE)
NO_SUSPICION = re.compile(r"^\W*NONE\W*$", re.MULTILINE)
WHO = "A model that looked for inputs for which the patch is wrong"


def challenge(branch: Branch, tree: str) -> Generator[Step, None, str]:
    """Ask the challenger, which sees the issue and the source of the patch, for tests that fail with the patch. Return
    its answer; "" if the model has none."""
    roles = branch.engine.settings.roles
    role = EXAMINER if EXAMINER in roles and CHALLENGER not in roles else CHALLENGER
    own = branch.beside(CHALLENGER, role)
    own.turn = replace(own.turn, prompts={**own.turn.prompts, role: SYSTEM})
    trees, base = branch.engine.trees, branch.turn.base.tree

    def prompt() -> str:
        source = split_patch(trees, base, tree, branch.engine.settings.test).source
        style = [describe_pages(branch), describe_test_style(branch, places(branch))]
        return challenger_prompt(branch.turn.issue, trees, base, tree, source, style)

    try:
        yield own.say(branch.once("challenger", prompt))
        reply = own.ask(tools=False)
        yield own.step(reply, ())
    except ModelError as error:
        if error.retryable:
            raise
        branch.notify(f"The patch was not challenged: {error.message}")
        return ""
    return reply.text


def failing_results(results: Sequence[BlindResult]) -> list[BlindResult]:
    """Return the results of the challenger's tests that speak against the patch."""
    return [one for one in results if one.patched == "fails" and one.base != "unclear"]


def read_decisions(answer: str) -> dict[str, str]:
    """Return what the examiner decided about tests, by the names of their functions."""
    return {function_name(name): word.lower() for name, word in DECIDED.findall(answer)}


def challenge_fact(answer: str, results: Sequence[BlindResult], decided: Mapping[str, str]) -> Fact:
    """Return the outcome of a challenge: the names of failing tests by the examiner's decision, and a `word`:
    `required` or `minor` (there are such tests), `stands` (no test counts against the patch), `undecided` (there is no
    decision about a failing test) or `missing` (there is no answer, or none of its tests says anything)."""
    failing = failing_results(results)
    named = {word: tuple(one.test.name for one in failing if decided.get(one.test.name) == word) for word in DECISIONS}
    counted = [one for one in results if "unclear" not in (one.base, one.patched)]
    word = next((word for word in ("required", "minor") if named[word]), "")
    if not word:
        is_open = any(one.test.name not in decided for one in failing)
        has_ended = bool(counted) or (not results and NO_SUSPICION.search(answer))
        word = "undecided" if is_open else "stands" if has_ended else "missing"
    return Fact("challenge", _words(word, failing, named), {"word": word, **named})


def _words(word: str, failing: Sequence[BlindResult], named: Mapping[str, Sequence[str]]) -> str:
    if word == "missing":
        return "The patch was not challenged: there was no answer, or its tests could not run."
    if word == "stands":
        return f"{WHO} found none."
    counts = named.get(word) or [one.test.name for one in failing]
    first = next(one for one in failing if one.test.name in counts)
    where = f" at `{first.line}`" if first.line else ""
    what = {"required": "one", "minor": "an unusual one"}.get(word, "one of which it is undecided whether it counts")
    return f"{WHO} found {what}: {first.test.name} fails{where}, which follows from “{first.test.sentence}”."
