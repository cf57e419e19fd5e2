"""The gate between reproduction and patch: a new test must fail for the reason given in the issue."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aci.issue_text.issue_mentions import CODE
from aci.repository.patch import is_test, is_test_config
from agent.prompts.opening_prompt import places

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from agent.engine.task import Task
    from trajectories.git_store.trees import Change
    from trajectories.records import Step

OF_THE_TEST = {"SyntaxError", "IndentationError", "NameError", "UnboundLocalError"}
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


def judge(task: Task, step: Step) -> Gate:
    """Decide whether a new test failed in this step on the base's source, for a reason that may be the one in the
    issue."""
    changed = task.trees.changed(task.base.tree, step.tree)
    new = {change.path for change in changed if change.status == "A"}
    edited = {change.path for change in changed if change.status == "M"}
    failures = [failure for seen in step.observations for failure in seen.data.get("failures", ())]
    ours = [failure for failure in failures if failure["path"] in new]
    known = {hit["name"].rpartition(".")[2] for hit in places(task)["functions"]} if ours else ()
    reasons = [reason for failure in ours if (reason := wrong_reason(failure, task.issue.text, known))]
    if len(reasons) < len(ours):
        return Gate(open=f"Failing test: {', '.join(failure['id'] for failure in ours[:5])}")
    if any(_source(change) for change in changed):
        return Gate(open="The source was changed before a test failed.")
    if reasons:
        return Gate(refused=reasons[0])
    misplaced = sorted({failure["path"] for failure in failures} & edited)
    return Gate(refused=f"{misplaced[0]} already existed; put the new test in a new file.") if misplaced else Gate()


def wrong_reason(failure: dict[str, Any], issue: str, known: Collection[str] = ()) -> str:
    """Return why a failing test does not show the issue, or "" if it may show it. Whether the test raises the right
    exception is left to the proof.

    `failure` has the format that `run_tests` reports; `known` are functions that exist in the base, so the issue cannot
    ask to add them.
    """
    id, error, missing = failure["id"], failure["error"], failure["missing"]
    in_test = not failure["at"] or is_test(failure["at"])
    forgotten = error == "NameError" and (missing in known or missing in sys.stdlib_module_names)
    if missing and not forgotten and _speaks_of(issue, missing.rpartition(".")[2]):
        return ""
    if in_test and error in OF_THE_TEST and not _speaks_of(issue, error):
        return f"{id} fails because the test itself is wrong: {reason(failure)}"
    if missing:
        asked = "If it should be added, continue; otherwise fix the test."
        return f"{id} fails only because {missing} is missing, which the issue does not mention. {asked}"
    if re.search(r"fixture '[^']*' not found", failure["message"]):
        return f"{id} fails before it reaches the issue: {reason(failure)}"
    return ""


def _speaks_of(issue: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", issue) is not None


def _source(change: Change) -> bool:
    """Return whether a change affects the source. Changes to documentation do not, nor does a new top-level file (a
    script)."""
    path = change.path
    if is_test(path) or is_test_config(path) or path.rpartition(".")[2].lower() not in READ_BY_CODE:
        return False
    return change.status != "A" or "/" in path


def reason(failure: Mapping[str, Any]) -> str:
    """Return the message of a failing test on one line."""
    lines = [line.strip() for line in failure["message"].splitlines() if line.strip()]
    return next((line for line in reversed(lines) if failure["error"] and failure["error"] in line), "".join(lines[:1]))
