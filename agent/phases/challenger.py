"""The challenger: a role that sees a verified patch, and writes tests that should fail with it.

Its tests are no evidence by themselves, since they are made to accuse. Those that fail go to the examiner, who has not
seen the patch, and only what the examiner requires too disputes the patch.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aci.proof.blind_tests import parse_blind_tests
from aci.proof.proof_run import split_patch
from agent.conversation.model_roles import CHALLENGER
from agent.prompts.challenger_prompt import SYSTEM, challenger_prompt
from trajectories.errors import ModelError
from trajectories.facts import Fact

if TYPE_CHECKING:
    from aci.proof.blind_tests import BlindResult, BlindTests
    from agent.engine.branch import Branch
    from trajectories.records import Step

DECIDED = re.compile(r"^\W*(\w+)\W+(required|minor|withdrawn)\b", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class Challenge:
    """The challenger's `tests`, None if it has no doubt, and what the examiner `decided` about those that failed:
    `required`, `minor` or `withdrawn` by name."""

    tests: BlindTests | None
    decided: dict[str, str] = field(default_factory=dict)

    def failing(self, results: Sequence[BlindResult], shown: str) -> list[BlindResult]:
        """Return the results that speak against the patch. A test whose input the coder was `shown` does not count."""
        return [one for one in results if one.patched == "fails" and one.base != "unclear" and one.test.name != shown]

    def decide(self, failing: Sequence[BlindResult], answer: str) -> None:
        """Keep the examiner's decisions; tests without one are withdrawn."""
        said = {name: word.lower() for name, word in DECIDED.findall(answer)}
        self.decided |= {one.test.name: said.get(one.test.name, "withdrawn") for one in failing}

    def required(self, failing: Sequence[BlindResult]) -> list[BlindResult]:
        return [one for one in failing if self.decided[one.test.name] == "required"]

    def fact(self, failing: Sequence[BlindResult]) -> Fact:
        """Return what the challenge found: the names of failing tests by the examiner's decision."""
        named = {
            word: tuple(one.test.name for one in failing if self.decided[one.test.name] == word)
            for word in ("required", "minor", "withdrawn")
        }
        return Fact("challenge", _words(failing, named), dict(named))


def challenge(branch: Branch, tree: str) -> Generator[Step, None, Challenge]:
    """Ask the challenger for tests that fail with the patch; it sees the issue and the patch's source."""
    own = branch.beside(CHALLENGER, CHALLENGER)
    own.turn = replace(own.turn, prompts={**own.turn.prompts, CHALLENGER: SYSTEM})
    trees, base = branch.engine.trees, branch.turn.base.tree

    def prompt() -> str:
        source = split_patch(trees, base, tree, branch.engine.settings.test).source
        return challenger_prompt(branch.turn.issue, trees, base, tree, source)

    try:
        yield own.say(branch.once("challenger", prompt))
        reply = own.ask(tools=False)
        yield own.step(reply, ())
    except ModelError as error:
        if error.retryable:
            raise
        branch.notify(f"Nobody challenged the patch: {error.message}")
        return Challenge(None)
    return Challenge(parse_blind_tests(reply.text))


def _words(failing: Sequence[BlindResult], named: Mapping[str, Collection[str]]) -> str:
    who = "A model that looked for inputs for which the patch is wrong found"
    serious, unusual = ([one for one in failing if one.test.name in named[word]] for word in ("required", "minor"))
    if not (serious or unusual):
        return f"{who} none."
    first = (serious or unusual)[0]
    where = f" at `{first.line}`" if first.line else ""
    what = "one" if serious else "an unusual one"
    return f"{who} {what}: {first.test.name} fails{where}, which follows from “{first.test.sentence}”."
