"""A run's outcome as it is reported on GitHub: an `Outcome` without control characters and secrets, of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import clean_text
from aci.proof.run_audit import find_injections
from aci.repository.test_files import is_test
from agent.lifecycle.exploit_withholding import public_title, withholds
from agent.lifecycle.result_json import as_json
from agent.run_state.strategy_traits import is_by_hand, is_conversational
from agent.run_state.turn_state import MAIN, submission_field
from extensions.github.pull_request.failed_run_summary import (
    Work,
    attempt_lines,
    failure_line,
    final_talk,
    last_work,
    only_tests,
    red_test,
)
from extensions.github.pull_request.title_and_summary import make_title, request_title, split_summary
from extensions.github.task.outcome_schema import LONGEST_DIFF, LONGEST_LINE
from extensions.github.task.result_file import Outcome
from extensions.github.task.secret_masking import each_text
from tools.base import metadata_of
from trajectories.errors import SweAgentError, WaitsForUser
from trajectories.records import Comment, Once, Step

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result

MOST_PLACES, MOST_TRIED, MOST_NAMED, MOST_REASONS = 5, 8, 200, 3
TITLE, WORDS, ANSWER, LINE = 100, 2_000, 20_000, 1_000
"""Maximum number of characters of a title, a summary, an answer and a line."""
NO_VERDICT = {
    "kind": "none",
    "granularity": "test",
    **dict.fromkeys(("red", "green", "red_again", "no_loss")),
    **dict.fromkeys(("checks", "contradicted", "flaky", "commands", "tests", "lost", "notes", "facts"), ()),
}
WITHHELD = "Details are in the run's folder, and are not published."
UNSAID = "The issue is about a vulnerability, so the answer is not published."
NO_USAGE = {"dollars": 0.0, "input_tokens": 0, "cached_tokens": 0, "output_tokens": 0, "calls": 0}


def outcome_of(
    engine: Engine,
    result: Result,
    task_digest: str = "",
    error: SweAgentError | None = None,
    thread: Sequence[Comment] = (),
) -> Outcome:
    """Return the outcome of a run's current turn, with the `error` that stopped it, if any.

    `thread` holds comments that the model got in addition to the issue.
    """
    secrets = engine.secrets
    report = _bounded(as_json(result, error), secrets)
    del report["patch"]
    issue = engine.run.issue
    whole = replace(issue, comments=(*issue.comments, *thread))
    injected = find_injections(engine.trajectory.all_steps(), whole, lambda tool: metadata_of(tool).text)
    verdict = report["verdict"]
    verdict["notes"] = [note for note in verdict["notes"] if note not in injected]
    verdict["facts"] = [fact for fact in verdict["facts"] if fact["text"] not in injected]
    work = last_work(engine)
    if report["exit"] == 6 and _is_no_fix(engine, result, work):
        report["exit"] = 4 if result.exit.kind == "budget" else 1
        if "error" in report:
            report["error"]["code"] = report["exit"]
    words = _final_answer(engine, work)
    ending = "" if (task_digest and words) or is_by_hand(engine.trajectory.turns[-1].strategy) else result.word
    said = "" if task_digest else words  # an answer is not a commit message
    title, cause, change = split_summary(
        submission_field(work.steps, "summary") or said or ending, submission_field(work.steps, "title")
    )
    unproven = report["exit"] != 0
    if withholds(engine):
        return _without_exploit(engine, result, report, task_digest)
    return Outcome(
        errand=task_digest,
        exit=report["exit"],
        result=report,
        base=engine.run.base.commit,
        model=_line(engine.trajectory.turns[-1].models.get("coder", ""), secrets),
        title=_line(title or make_title(request_title(work.asked)), secrets)[:TITLE],
        cause=_text(cause, secrets),
        change=_text(change, secrets),
        answer=_text(words or (final_talk(engine, work) if report["exit"] == 1 else ""), secrets, ANSWER),
        places=tuple(_places(engine, secrets)) if unproven else (),
        tried=tuple(_line(each, secrets) for each in _attempts(work, issue.text)[-MOST_TRIED:]) if unproven else (),
        red_test=_diff(red_test(work, issue.text), secrets) if unproven else "",
        attempts=tuple(_line(each, secrets) for each in injected),
        questions=tuple(_questions(work.steps, secrets)) if result.exit.kind == WaitsForUser.kind else (),
    )


def _without_exploit(engine: Engine, result: Result, report: dict[str, Any], task_digest: str) -> Outcome:
    """Return the outcome of a run on a vulnerability: without words of the model, names and values of tests, changed
    pages, and the name of the run, whose journal is not handed on."""
    report["verdict"] |= {"tests": [], "commands": [], "notes": [], "facts": [], "contradicted": [], "flaky": []}
    report |= {"run": "", "directory": "", "word": ""}
    report.pop("pages", None)
    report.pop("merge_review", None)
    report.pop("candidates", None)
    if "error" in report:
        report["error"] |= {"message": WITHHELD, "fix": ""}
    return Outcome(
        errand=task_digest,
        exit=report["exit"],
        result=report,
        base=engine.run.base.commit,
        model=_line(engine.trajectory.turns[-1].models.get("coder", ""), engine.secrets),
        title=public_title(engine, result.exit.tree, "")[:TITLE],
        answer=UNSAID if report["exit"] == 0 and not result.patch else "",
    )


def outcome_without_run(error: SweAgentError, task_digest: str, base: str, secrets: Iterable[str] = ()) -> Outcome:
    """Return the outcome of a task for which no run could start."""
    details = {"code": error.code, "message": error.message, "fix": error.fix}
    result = {"run": "", "exit": error.code, "verdict": NO_VERDICT, "usage": NO_USAGE, "steps": 0, "seconds": 0.0}
    result |= {"directory": "", "word": "", "error": details}
    return Outcome(task_digest, error.code, _bounded(result, tuple(secrets)), base)


def _is_no_fix(engine: Engine, result: Result, work: Work) -> bool:
    """Whether a run of one turn left no patch to publish.

    This is so if the model gave up, or if it changed only a test that fails or was not submitted.
    """
    turns = engine.trajectory.turns
    if len(turns) > 1 or is_conversational(turns[0].strategy):
        return False
    if result.exit.kind == "not_found":
        return True
    if not only_tests(work, result.exit.tree):
        return False
    was_submitted = any(seen.data.get("submitted") for step in work.steps for seen in step.observations)
    return not was_submitted or bool(red_test(work, engine.run.issue.text))


def _attempts(work: Work, issue: str) -> list[str]:
    return attempt_lines(work) or list(filter(None, [failure_line(work, issue)]))


def _final_answer(engine: Engine, work: Work) -> str:
    """Return the model's last reply in a conversation if it has no actions; else ""."""
    last = next((step for step in reversed(work.steps) if step.branch == MAIN and step.reply is not None), None)
    if (
        last is None
        or last.actions
        or not any(is_conversational(turn.strategy) for turn in engine.trajectory.turns[-2:])
    ):
        return ""
    return engine.trajectory.replies[MAIN, last.reply or 0].text


def _places(engine: Engine, secrets: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    """Yield the functions that the last localization found, or the files if it found no functions; tests are left
    out."""
    found = [
        record.value
        for record in engine.trajectory.records
        if isinstance(record, Once) and record.branch == MAIN and record.name.rpartition(".")[2] == "localize"
    ]
    if not found:
        return
    hits = [hit for hit in found[-1]["functions"] or found[-1]["files"] if not is_test(hit["path"])]
    for hit in hits[:MOST_PLACES]:
        yield {
            "path": _line(hit["path"], secrets),
            "line": int(hit.get("line", 0)),
            "name": _line(hit.get("name", ""), secrets),
            "why": _line("; ".join(hit["why"][:MOST_REASONS]), secrets),
        }


def _questions(steps: Sequence[Step], secrets: Iterable[str]) -> Iterable[tuple[str, ...]]:
    """Yield each question of the model's last step, followed by its options."""
    last = next((step for step in reversed(steps) if step.branch == MAIN and step.reply is not None), None)
    for seen in last.observations if last else ():
        if "question" in seen.data:
            yield tuple(_line(text, secrets) for text in (seen.data["question"], *seen.data["options"]))


def _bounded(result: dict[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    # A longer list would get an item that says how many are left out, which is no fact.
    verdict = {**result["verdict"], "facts": result["verdict"]["facts"][:MOST_NAMED]}
    bounded: dict[str, Any] = each_text(
        {**result, "verdict": verdict}, lambda text: mask_secrets(clean_text(text), secrets)[:LONGEST_LINE], MOST_NAMED
    )
    return bounded


def _text(text: str, secrets: Iterable[str], most: int = WORDS) -> str:
    text = mask_secrets(clean_text(text), secrets)
    return text if len(text) <= most else f"{text[:most]}…"


def _line(text: str, secrets: Iterable[str]) -> str:
    return _text(" ".join(text.split()), secrets, LINE)


def _diff(diff: str, secrets: Iterable[str]) -> str:
    """Return the masked diff, or "" if it is too long: a truncated diff would be invalid."""
    text = mask_secrets(diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), secrets)
    return text if len(text) <= LONGEST_DIFF else ""
