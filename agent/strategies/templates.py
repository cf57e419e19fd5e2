"""Repair without a model: localize by spectrum, try template edits against the tests, prove the best of them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent.consent import REFUSED, may_test
from agent.moves.opening import describe_places, likely_sources, places
from agent.moves.reproduction import given_tests
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.outcome import Outcome
    from agent.task import Task
    from trajectories.records import Step

ROLES = ()
AUTHOR = "templates"
SEARCH_SECONDS = 90.0
PROOFS = 4
"""Plausible edits of different behaviour that are put to the proof before giving up."""
FEW = 2
"""With so few failing tests an edit that passes them may still be the wrong one."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Test, search, then prove one plausible edit after the other; without a failing test only say where to look."""
    given = yield from given_tests(task)
    likely = places(task)
    task.note("phase", "test the base")
    tests = task.once("tests", lambda: _test(task, given))
    task.note("summary", tests["summary"])
    if not tests["failing"]:
        words = f"{tests['summary']} There is no failing test to search with. Likeliest places:"
        yield task.say(f"{words}\n{describe_places(likely)}", author=AUTHOR)
        return task.best()

    task.note("phase", "search for edits")
    found = task.once("search", lambda: _search(task, tests))
    task.note("summary", _told(found, tests))
    if not found["edits"]:
        listed = f"{_suspects(found)}\nLikeliest places:\n{describe_places(likely)}".strip()
        yield task.say(f"{_told(found, tests)}\n{listed}", author=AUTHOR)
        return task.best()

    task.note("phase", "prove")
    for number, edit in enumerate(found["edits"]):
        if number:
            yield _act(task, "undo", {"steps": 1})
        task.note("candidate", f"{edit['path']}:{edit['line']} {edit['description']}", alike=edit["alike"])
        yield _act(task, "edit", {"path": edit["path"], "old": edit["old"], "new": edit["new"]})
        verdict = yield from task.prove(given, likely_sources(task))
        if verdict.verified:
            yield task.say(_change(edit, found, tests), author=AUTHOR)
            return task.best()
    yield task.say(f"No edit is proven. Likeliest places:\n{describe_places(likely)}", author=AUTHOR)
    return task.best()


def _act(task: Task, tool: str, arguments: dict[str, Any]) -> Step:
    from trajectories.records import Action

    actions = (Action(tool, arguments),)
    return task.step(None, task.act(actions), actions, AUTHOR)


def _test(task: Task, given: tuple[str, ...]) -> dict[str, Any]:
    """The outcomes on the base. To mend are the tests that the user gave or the issue names, else all that fail."""
    from aci.testing import run_tests

    if not may_test(task):
        return {"command": "", "failing": [], "passing": [], "summary": REFUSED}
    try:
        report = run_tests(task.workspace, task.settings.test, (), task.settings.test_timeout)
    except UsageError as error:
        return {"command": "", "failing": [], "passing": [], "summary": f"{error.message} {error.fix}"}
    failing = list(run_tests(task.workspace, report.command, given, task.settings.test_timeout).failed if given else ())
    named = [test for test in report.failed if _is_named(test, task.issue.text)]
    return {
        "command": report.command,
        "failing": failing or named or list(report.failed) if report.granularity == "test" else [],
        "passing": list(report.passed),
        "summary": " ".join([f"On the base: {report.summary()}.", *report.notes]),
    }


def _is_named(test: str, text: str) -> bool:
    name = test.partition("[")[0].replace("::", ".").rpartition(".")[2]
    return test in text or (len(name) > 5 and name in text)


def _search(task: Task, tests: dict[str, Any]) -> dict[str, Any]:
    """The search's result as JSON, each edit as the `edit` tool takes it."""
    from agent.moves.templates import search, smallest_edit

    try:
        found = search(
            task.workspace,
            task.trees,
            task.tree,
            tests["failing"],
            tests["passing"],
            tests["command"],
            SEARCH_SECONDS,
            task.cancel,
        )
    except UsageError as error:
        return {"edits": [], "plausible": 0, "tried": 0, "suspects": [], "seconds": 0.0, "why": error.message}
    task.cancel.check()
    edits = []
    for plausible in found.plausible[:PROOFS]:
        before = task.trees.read(task.tree, plausible.path).decode()
        old, new = smallest_edit(before, plausible.new_text)
        edits.append({**asdict(plausible), "old": old, "new": new})
        del edits[-1]["new_text"]
    return {
        "edits": edits,
        "plausible": len(found.plausible),
        "tried": found.tried,
        "suspects": found.suspects[:10],
        "seconds": round(found.seconds, 1),
        "why": "",
    }


def _change(edit: dict[str, Any], found: dict[str, Any], tests: dict[str, Any]) -> str:
    """How the edit was found, what it is, and what speaks against it: a sentence each."""
    many = f"{found['plausible']} pass the tests, and this is the first that is proven"
    passing = "1 passes the tests" if found["plausible"] == 1 else many
    what = f"{edit['description'][:1].upper()}{edit['description'][1:]} in `{edit['path']}`, line {edit['line']}."
    return f"Of {found['tried']:,} edits tried, {passing}. {what}{_doubt(tests)}"


def _told(found: dict[str, Any], tests: dict[str, Any]) -> str:
    if found["why"]:
        return str(found["why"])
    text = f"{found['tried']:,} edits tried in {found['seconds']:.0f} s, {found['plausible']} pass the tests."
    return text + _doubt(tests) if found["edits"] else text


def _doubt(tests: dict[str, Any]) -> str:
    if len(tests["failing"]) > FEW:
        return ""
    count = "One failing test" if len(tests["failing"]) == 1 else f"{len(tests['failing'])} failing tests"
    return f" {count} may be too few to tell a right edit from a wrong one: look at it yourself."


def _suspects(found: dict[str, Any]) -> str:
    lines = [f"- {path}:{line} (suspicion {score:.2f})" for path, line, score in found["suspects"]]
    return "\n".join(["Most suspicious lines:", *lines]) if lines else ""
