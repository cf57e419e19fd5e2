"""The gate between reproduction and patch: a new test must fail for the reason given in the issue."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.issue_text.issue_mentions import CODE
from aci.proof.failure_reason import wrong_reason
from aci.repository.test_files import is_test, is_test_config
from agent.prompts.opening_prompt import places
from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.git_store.trees import Change
    from trajectories.records import Step

READ_BY_CODE = CODE | {"cfg", "html", "ini", "j2", "jinja", "json", "po", "toml", "xml", "yaml", "yml"}
"""Extensions of files whose change may alter the result of a test."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate's decision after a step. `open` is the reason to continue with the patch. `refused` is the reason why a
    failing test is not accepted. If both are empty, no decision is possible yet."""

    open: str = ""
    refused: str = ""

    def __bool__(self) -> bool:
        return bool(self.open or self.refused)


def draft_test(task: Task) -> Generator[Step, None, bool]:
    """Add a test from the issue's example as a draft for the model, if an extension makes one; return whether it fails
    as the issue reports."""
    drafts = installed_module("agent.phases.issue_drafts")
    return bool(drafts) and bool((yield from drafts.draft_test(task)))


def judge(task: Task, step: Step) -> Gate:
    """Decide whether a new test failed in this step on the base's source, for a reason that may be the one in the
    issue."""
    changed = task.trees.changed(task.turn.base.tree, step.tree)
    new = {change.path for change in changed if change.status == "A"}
    edited = {change.path for change in changed if change.status == "M"}
    failures = [failure for seen in step.observations for failure in seen.data.get("failures", ())]
    ours = [failure for failure in failures if failure["path"] in new]
    known = {hit["name"].rpartition(".")[2] for hit in places(task.branch)["functions"]} if ours else ()
    reasons = [reason for failure in ours if (reason := wrong_reason(failure, task.turn.issue.text, known))]
    if len(reasons) < len(ours):
        return Gate(open=f"Failing test: {', '.join(failure['id'] for failure in ours[:5])}")
    if any(_source(change) for change in changed):
        return Gate(open="The source was changed before a test failed.")
    if reasons:
        return Gate(refused=reasons[0])
    misplaced = sorted({failure["path"] for failure in failures} & edited)
    return Gate(refused=f"{misplaced[0]} already existed; put the new test in a new file.") if misplaced else Gate()


def _source(change: Change) -> bool:
    """Return whether a change affects the source. Changes to documentation do not, nor does a new top-level file (a
    script)."""
    path = change.path
    if is_test(path) or is_test_config(path) or path.rpartition(".")[2].lower() not in READ_BY_CODE:
        return False
    return change.status != "A" or "/" in path
