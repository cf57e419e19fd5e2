"""Checks of other distributions, which may doubt a patch: modules in the group of entry points
`swe_agent.aci.proof.checks`. They add no evidence, and the verdict names them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from aci.observation.untrusted_text import one_line
from trajectories.facts import Fact
from trajectories.git_store.trees import Trees
from trajectories.plugins import names
from trajectories.records import Issue

MOST_DOUBTS, LONGEST_DOUBT = 10, 400


def find_doubts(trees: Trees, base: str, tree: str, issue: Issue) -> Iterator[Fact]:
    """Yield what each check says against the patch from the tree `base` to `tree`. A check that fails is a doubt too,
    since it may have been about to find one."""
    for name, module in names("aci.proof.checks").items():
        try:
            found = [str(text) for text in import_module(module).find_doubts(trees, base, tree, issue)]
        except Exception as error:  # noqa: BLE001 - of another distribution
            found = [f"the check failed ({type(error).__name__})."]
        for text in found[:MOST_DOUBTS]:
            yield Fact("doubt", f"{name}: {one_line(text)[:LONGEST_DOUBT]}", {"check": name})
