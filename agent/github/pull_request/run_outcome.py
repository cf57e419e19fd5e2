"""How a run ended, as it is told to people on GitHub: an `Outcome`, clean, without secrets, and of a bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aci.injection import attempts
from aci.patch import is_test
from aci.view import clean, mask
from agent.github.failing import Work, gave_up, how_red, only_tests, red_test, tried, work_of
from agent.github.handover import Outcome
from agent.github.masking import each_text
from agent.github.schema import LONGEST_DIFF, LONGEST_LINE
from agent.github.summary import parts, titled, wish
from agent.standing import MAIN, handed_in
from agent.summary import as_json
from agent.traits import is_by_hand, stays
from trajectories.errors import SweAgentError
from trajectories.records import Comment, Once

if TYPE_CHECKING:
    from agent.engine import Engine
    from agent.solve import Result

MOST_PLACES, MOST_TRIED, MOST_NAMED, MOST_REASONS = 5, 8, 200, 3
TITLE, WORDS, ANSWER, LINE = 100, 2_000, 20_000, 1_000
"""Characters."""
NO_VERDICT = {
    "kind": "none",
    "granularity": "test",
    **dict.fromkeys(("red", "green", "red_again", "no_loss")),
    **dict.fromkeys(("checks", "contradicted", "flaky", "commands", "tests", "lost", "notes"), ()),
}
NO_USAGE = {"dollars": 0.0, "input_tokens": 0, "cached_tokens": 0, "output_tokens": 0, "calls": 0}


def outcome_of(
    engine: Engine,
    result: Result,
    errand_digest: str = "",
    error: SweAgentError | None = None,
    thread: Sequence[Comment] = (),
) -> Outcome:
    """What the present turn of a run came to; with the `error` that stopped it where one did. `thread` is what it was
    told beside its issue."""
    secrets = engine.secrets
    told = _bounded(as_json(result, error), secrets)
    del told["patch"]
    issue = engine.run.issue
    injected = attempts(engine.trajectory.all_steps(), replace(issue, comments=(*issue.comments, *thread)))
    told["verdict"]["notes"] = [note for note in told["verdict"]["notes"] if note not in injected]
    work = work_of(engine)
    if told["exit"] == 6 and _is_no_fix(engine, result, work):
        told["exit"] = 4 if result.exit.kind == "budget" else 1
        if "error" in told:
            told["error"]["code"] = told["exit"]
    words = _words(engine, work)
    ending = "" if (errand_digest and words) or is_by_hand(engine.trajectory.turns[-1].strategy) else result.word
    said = "" if errand_digest else words  # an answer is no message of a commit
    title, cause, change = parts(handed_in(work.steps, "summary") or said or ending, handed_in(work.steps, "title"))
    unproven = told["exit"] != 0
    return Outcome(
        errand=errand_digest,
        exit=told["exit"],
        result=told,
        base=engine.run.base.commit,
        model=_line(engine.trajectory.turns[-1].models.get("coder", ""), secrets),
        title=_line(title or titled(wish(work.asked)), secrets)[:TITLE],
        cause=_text(cause, secrets),
        change=_text(change, secrets),
        answer=_text(words or (gave_up(engine, work) if told["exit"] == 1 else ""), secrets, ANSWER),
        places=tuple(_places(engine, secrets)) if unproven else (),
        tried=tuple(_line(each, secrets) for each in _tried(work, issue.text)[-MOST_TRIED:]) if unproven else (),
        red_test=_diff(red_test(work, issue.text), secrets) if unproven else "",
        attempts=tuple(_line(each, secrets) for each in injected),
    )


def outcome_without_run(error: SweAgentError, errand_digest: str, base: str, secrets: Iterable[str] = ()) -> Outcome:
    """What is told where no run was begun."""
    told = {"code": error.code, "message": error.message, "fix": error.fix}
    result = {"run": "", "exit": error.code, "verdict": NO_VERDICT, "usage": NO_USAGE, "steps": 0, "seconds": 0.0}
    result |= {"directory": "", "word": "", "error": told}
    return Outcome(errand_digest, error.code, _bounded(result, tuple(secrets)), base)


def _is_no_fix(engine: Engine, result: Result, work: Work) -> bool:
    """Whether what a run of one turn left is no patch that anybody stands by: the model gave up, or there is nothing
    but a test, which fails or was not handed in."""
    turns = engine.trajectory.turns
    if len(turns) > 1 or stays(turns[0].strategy):
        return False
    if result.exit.kind == "not_found":
        return True
    if not only_tests(work, result.exit.tree):
        return False
    handed_in = any(seen.data.get("submitted") for step in work.steps for seen in step.observations)
    return not handed_in or bool(red_test(work, engine.run.issue.text))


def _tried(work: Work, issue: str) -> list[str]:
    return tried(work) or list(filter(None, [how_red(work, issue)]))


def _words(engine: Engine, work: Work) -> str:
    """What the model said last and did nothing after, in a conversation."""
    last = next((step for step in reversed(work.steps) if step.branch == MAIN and step.reply is not None), None)
    if last is None or last.actions or not any(stays(turn.strategy) for turn in engine.trajectory.turns[-2:]):
        return ""
    return engine.trajectory.replies[MAIN, last.reply or 0].text


def _places(engine: Engine, secrets: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    """Of the last localization: functions that are no tests, and files where no function stands out."""
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


def _bounded(result: dict[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    bounded: dict[str, Any] = each_text(result, lambda text: mask(clean(text), secrets)[:LONGEST_LINE], MOST_NAMED)
    return bounded


def _text(text: str, secrets: Iterable[str], most: int = WORDS) -> str:
    text = mask(clean(text), secrets)
    return text if len(text) <= most else f"{text[:most]}…"


def _line(text: str, secrets: Iterable[str]) -> str:
    return _text(" ".join(text.split()), secrets, LINE)


def _diff(diff: str, secrets: Iterable[str]) -> str:
    """A diff that is cut is none."""
    text = mask(diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), secrets)
    return text if len(text) <= LONGEST_DIFF else ""
