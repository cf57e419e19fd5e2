"""An evaluation from what was asked to its reports on disk."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Event
from typing import Any

from aci.repository import Repository
from agent.batch.instances import Gold, read_golds, read_instances, select
from agent.batch.machine import check_machine
from agent.batch.place import Instance
from agent.batch.repositories import Repositories
from agent.evaluation.comparison import Outcomes, compare
from agent.evaluation.graded import Graded
from agent.evaluation.grading import GO_ON, Grading, Outcome, Plan
from agent.evaluation.predictions import Predictions, dollars, read_predictions
from agent.evaluation.quarantine import RUN, Case
from agent.evaluation.report import Counted, compared, counted, official, outcomes, reported, summary, write
from agent.evaluation.running import Evaluating, evaluate_one
from agent.evaluation.shelf import Shelf
from agent.ownership import claim_output
from agent.settings import Settings, load_settings
from agent.signals import stopped_by_signals
from trajectories.errors import UsageError, WorkspaceError
from trajectories.journal import hold

SHOWN = 10
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `swe-agent evaluate`."""

    instances: tuple[Path, ...]
    predictions: str
    out: Path
    repos: Path | None = None
    workspace: str | None = None
    gold: bool = False
    repeats: int = 3
    workers: int | None = None
    filter: str = ""
    slice: str = ""
    run_id: str = "evaluate"
    compare: str = ""
    timeout: float = 1800.0


def evaluate(asked: Asked, say: Say) -> dict[str, Any]:
    """Grade what is not graded yet, write the reports, and return the object of `--json`. `say` gets the progress.

    Raises UsageError, ConfigError, WorkspaceError where no workspace could be had, TryLater where another process
    works in the folder, and Cancelled.
    """
    settings = load_settings(workspace=asked.workspace)
    cases = _cases(asked, say)
    golds = {name: case.gold for name, case in cases.items()}
    theirs = _named(asked.run_id, read_predictions(asked.predictions, golds), cases, asked.predictions, say)
    report = reported(Path(asked.compare)) if asked.compare else None
    others: dict[str, Predictions] = {}
    if asked.compare and report is None:
        others = _named(f"{asked.run_id}.other", read_predictions(asked.compare, golds), cases, asked.compare, say)
    if asked.compare:
        _comparable(asked.compare, cases, theirs, report or others.values())
    with _alone(asked.out, settings.state), stopping() as cancel:
        repositories = Repositories(asked.repos or settings.state / "clones")
        plan = Plan(
            out=asked.out,
            cases={name: _at_commit(case, repositories) for name, case in cases.items()},
            sets=theirs | others,
            setup=_setup(settings),
            check=asked.gold,
            repeats=asked.repeats,
            workers=asked.workers or max(1, (os.cpu_count() or 2) // 2),
        )
        options = Evaluating(settings, repositories.of, cancel, _once(say), timeout=asked.timeout)

        def grade(gold: Gold, instance: Instance, patch: str) -> Graded:
            return evaluate_one(gold, instance, patch, options)

        outcome = Grading(plan, grade, cancel, say, lambda: _check(settings)).run()
        runs = [_counted(run, plan, outcome) for run in plan.sets]
        for run in runs:
            write(plan.out / run.file, official(run, outcome.quarantined))
        return _reported(asked, plan, outcome, runs[: len(theirs)], report or outcomes(runs[len(theirs) :]))


def _cases(asked: Asked, say: Say) -> dict[str, Case]:
    """The chosen instances that can be judged."""
    golds = read_golds(asked.instances)
    chosen = select(read_instances(asked.instances), asked.filter, asked.slice)
    cases = {each.id: Case(golds[each.id], each) for each in chosen if each.id in golds}
    if not cases:
        files = ", ".join(map(str, asked.instances))
        raise UsageError(f"{files} do not say how instances are judged.", "Add a file whose rows have tests.")
    if left := [each.id for each in chosen if each.id not in cases]:
        names = ", ".join(left[:SHOWN]) + (" …" if len(left) > SHOWN else "")
        say(f"{len(left)} of {len(chosen)} instances are left out, whose rows do not say how they are judged: {names}.")
    return cases


def _named(
    run_id: str, sets: Mapping[int, Predictions], cases: Mapping[str, Case], where: str, say: Say
) -> dict[str, Predictions]:
    """Each repeat under a run id of its own. Raises UsageError where no prediction is of an instance."""
    Shelf.check(run_id)
    if run_id == RUN:
        raise UsageError(f"--run-id {RUN} is that of the instances' own patches.", "Choose another name.")
    if not any(name in cases for predictions in sets.values() for name in predictions):
        raise UsageError(f"No prediction of {where} is of one of the {len(cases)} instances.", "Name files that fit.")
    if strange := {name for predictions in sets.values() for name in predictions if name not in cases}:
        say(f"{len(strange)} predictions of {where} are of none of the chosen instances, and are left out.")
    return {run_id if at == 1 else f"{run_id}.{at}": predictions for at, predictions in sets.items()}


def _comparable(where: str, cases: Mapping[str, Case], theirs: Mapping[str, Predictions], others: Any) -> None:
    """Raises UsageError where there is no pair to compare."""
    ours = {name for predictions in theirs.values() for name in predictions if name in cases}
    if ours.isdisjoint(others if isinstance(others, Mapping) else set().union(*others)):
        raise UsageError(f"{where} shares no instance with the predictions.", "Compare with others of the same ones.")


def _at_commit(case: Case, repositories: Repositories) -> Case:
    base = case.instance.base
    if re.fullmatch(r"[0-9a-f]{40}", base):
        return case
    try:
        return replace(case, commit=Repository.open(repositories.of(case.instance)).commit(base or None))
    except (UsageError, WorkspaceError):
        return case  # whoever grades it says why


def _check(settings: Settings) -> None:
    """Raises WorkspaceError where this machine would fail any instance."""
    try:
        check_machine(settings)
    except WorkspaceError as error:
        raise WorkspaceError(error.message, f"See `swe-agent doctor`. {GO_ON}") from error


def _once(say: Say) -> Say:
    """Each line only the first time: every workspace says the same."""
    said: set[str] = set()

    def first(line: str) -> None:
        if line not in said:
            said.add(line)
            say(line)

    return first


def _setup(settings: Settings) -> str:
    """What a verdict depends on beside patch and instance; how tests are run may come from the swebench package."""
    try:
        package = version("swebench")
    except PackageNotFoundError:
        package = ""
    images = settings.image, sorted(settings.images.items())
    return repr((settings.workspace, images, settings.setup, settings.test, package))


def _counted(run: str, plan: Plan, outcome: Outcome) -> Counted:
    ids = [name for name in plan.cases if name not in outcome.quarantined]
    return counted(run, plan.sets[run], ids, outcome.verdicts[run])


def _reported(asked: Asked, plan: Plan, outcome: Outcome, runs: list[Counted], others: Outcomes) -> dict[str, Any]:
    """Write our own report, and return it."""
    told = summary(plan, outcome, runs)
    if asked.compare:
        found = compare(others, outcomes(runs), dollars(asked.compare), dollars(asked.predictions))
        told["comparison"] = compared(found, asked.compare)
    write(plan.out / "evaluation.json", told)
    return told


@contextmanager
def _alone(out: Path, state: Path) -> Iterator[None]:
    """The folder, for this process. Raises TryLater where another one has it, UsageError for a folder that somebody
    else may have written: its verdicts would be reported as the user's."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        claim_output(out, state)
        what = f"Another process evaluates in {out}."
        lock = hold(out / "evaluate.lock", what, "Wait for it, or choose another --out.")
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"--out {out} is no folder.", "Name one; it is made where there is none.") from None
    except OSError as error:
        raise WorkspaceError(f"{out} cannot be written: {error.strerror}.", "Choose another --out.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def stopping() -> Iterator[Event]:
    """An event that the first signal sets, so that all ends in order; a second one raises KeyboardInterrupt."""
    cancel = Event()

    def stop() -> bool:
        first = not cancel.is_set()
        cancel.set()
        return first

    with stopped_by_signals(stop):
        yield cancel
