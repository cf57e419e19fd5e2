"""The gate between reproducing and patching: a new test is seen red, for the issue's reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aci.patch import is_test, is_test_config

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

RAISED = re.compile(r"\b([A-Z]\w*(?:Error|Exception|Warning))\b")
OF_THE_TEST = {"SyntaxError", "IndentationError", "NameError", "UnboundLocalError"}


@dataclass(frozen=True, slots=True)
class Gate:
    """What a step shows. `open`: go on to the patch. `refused` says why a red test does not count; both empty: wait."""

    open: str = ""
    refused: str = ""

    def __bool__(self) -> bool:
        return bool(self.open or self.refused)


def judge(task: Task, step: Step) -> Gate:
    """Whether the step saw a new test fail on the base's source, and for a reason that can be the issue's."""
    changed = task.trees.changed(task.base.tree, step.tree)
    new = {change.path for change in changed if change.status == "A"}
    edited = {change.path for change in changed if change.status == "M"}
    failures = [failure for seen in step.observations for failure in seen.data.get("failures", ())]
    ours = [failure for failure in failures if failure["path"] in new]
    reasons = [reason for failure in ours if (reason := wrong_reason(failure, task.issue.text))]
    if len(reasons) < len(ours):
        return Gate(open=f"Red: {', '.join(failure['id'] for failure in ours[:5])}")
    if any(not is_test(change.path) and not is_test_config(change.path) for change in changed):
        return Gate(open="The source was changed before a test was seen red.")
    if reasons:
        return Gate(refused=reasons[0])
    misplaced = sorted({failure["path"] for failure in failures} & edited)
    return Gate(refused=f"{misplaced[0]} existed before; put the new test into a new file.") if misplaced else Gate()


def wrong_reason(failure: dict[str, Any], issue: str) -> str:
    """Why a failing test does not show the issue; "" if it may. `failure` is as `run_tests` reports it."""
    id, error, missing = failure["id"], failure["error"], failure["missing"]
    if missing and missing.rpartition(".")[2] in issue:
        return ""
    in_test = not failure["at"] or is_test(failure["at"])
    if in_test and error in OF_THE_TEST:
        return f"{id} fails because the test itself is wrong: {_first(failure)}"
    if missing:
        return f"{id} fails only because {missing} is missing, of which the issue does not speak."
    if re.search(r"fixture '[^']*' not found", failure["message"]):
        return f"{id} does not get to the issue: {_first(failure)}"
    expected = set(RAISED.findall(issue)) - {"AssertionError"}
    raised = {error, *RAISED.findall(failure["message"])} - {""}
    if error and error not in ("AssertionError", "Failed") and expected and not raised & expected:
        return f"The issue speaks of {', '.join(sorted(expected)[:3])}; {id} fails with {error}: {_first(failure)}"
    return ""


def _first(failure: dict[str, Any]) -> str:
    lines = [line.strip() for line in failure["message"].splitlines() if line.strip()]
    return next((line for line in reversed(lines) if failure["error"] and failure["error"] in line), "".join(lines[:1]))
