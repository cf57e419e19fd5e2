"""An evaluation, from its options to the reports on disk."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aci.repository.user_repository import Repository
from agent.config.settings import Settings, load_settings
from agent.config.workspace_choice import choose_workspace
from agent.limits.cancellation import CancellationToken, stopped_by_signals
from agent.run_state.run_ownership import claim_output
from extensions.lab.evaluation.evaluation_report import (
    ReportCounts,
    check_same_workspace,
    compare_reports,
    count_outcomes,
    is_rated,
    outcomes,
    read_outcomes,
    run_report,
    summary,
    write,
)
from extensions.lab.evaluation.gold_check import RUN, Case
from extensions.lab.evaluation.grading_queue import RESUME_ADVICE, GradingQueue, Outcome, Plan
from extensions.lab.evaluation.grading_store import SUMMARY, GradingStore, graded_in
from extensions.lab.evaluation.instance_grading import EvaluationContext, evaluate_one
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.evaluation.prediction_comparison import compare
from extensions.lab.evaluation.predictions import Predictions, dollars, read_predictions
from extensions.lab.instances.dataset_instances import Gold, read_golds, read_instances, select
from extensions.lab.instances.host_errors import check_machine
from extensions.lab.instances.jobs import Instance
from extensions.lab.instances.repository_clones import Repositories
from trajectories.errors import UsageError, WorkspaceError
from trajectories.file_limits import acquire_lock

SHOWN = 10
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
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
    test: str = ""
    before_images: Callable[[int], object] | None = None
    """Called with the number of instances before the first images are pulled; it may raise UsageError."""


def evaluate(asked: EvaluateOptions, say: Say) -> dict[str, Any]:
    """Grade all predictions that are not graded yet, write the reports, and return the object that `--json` prints.
    `say` is called with progress messages.

    Raises UsageError, ConfigError, WorkspaceError if no workspace could be opened, TryLater if another process uses the
    folder, and Cancelled.
    """
    settings = load_settings(workspace=asked.workspace, test=asked.test or None)
    cases = _cases(asked, say)
    golds = {name: case.gold for name, case in cases.items()}
    theirs = _by_run_id(asked.run_id, read_predictions(asked.predictions, golds), cases, asked.predictions, say)
    report = read_outcomes(Path(asked.compare)) if asked.compare else None
    others: dict[str, Predictions] = {}
    if asked.compare and report is None:
        others = _by_run_id(f"{asked.run_id}.other", read_predictions(asked.compare, golds), cases, asked.compare, say)
    if asked.compare:
        _check_comparable(asked.compare, cases, theirs, report or others.values())
    with _locked(asked.out, settings.state), stop_on_signal() as cancel:
        settings = _with_workspace(settings, asked.out, cases, say)
        if report is not None:
            check_same_workspace(Path(asked.compare), settings.workspace)
        if asked.before_images and settings.workspace == "docker" and not graded_in(asked.out):
            sets = (theirs | others).values()
            predicted = {name for each in sets for name, prediction in each.items() if not prediction.empty}
            asked.before_images(len(cases if asked.gold else predicted & cases.keys()))
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
        options = EvaluationContext(settings, repositories.of, cancel, _once(say), timeout=asked.timeout)

        def grade(gold: Gold, instance: Instance, patch: str) -> GradingResult:
            return evaluate_one(gold, instance, patch, options)

        outcome = GradingQueue(plan, grade, cancel, say, lambda: _check(settings)).run()
        runs = [_count_run(run, plan, outcome) for run in plan.sets]
        for run in runs:
            write(plan.out / run.file, run_report(run, outcome.quarantined, settings.workspace))
        ours, compared = runs[: len(theirs)], runs[len(theirs) :]
        found = summary(plan, outcome, ours) | {"workspace": settings.workspace}
        if asked.compare and is_rated(ours) and (report is not None or is_rated(compared)):
            paid = dollars(asked.compare), dollars(asked.predictions)
            difference = compare(report or outcomes(compared), outcomes(ours), *paid)
            found["comparison"] = compare_reports(difference, asked.compare)
        write(plan.out / SUMMARY, found)
        if failed := found["environment_failures"]:
            say(f"No verdict for {failed} predictions, because their environment failed. {RESUME_ADVICE}")
        return found


def _cases(asked: EvaluateOptions, say: Say) -> dict[str, Case]:
    """Return the selected instances that can be graded."""
    golds = read_golds(asked.instances)
    chosen = select(read_instances(asked.instances), asked.filter, asked.slice)
    cases = {each.id: Case(golds[each.id], each) for each in chosen if each.id in golds}
    if not cases:
        files = ", ".join(map(str, asked.instances))
        raise UsageError(f"{files} contain no tests for grading.", "Add a file whose rows have tests.")
    if left := [each.id for each in chosen if each.id not in cases]:
        names = ", ".join(left[:SHOWN]) + (" …" if len(left) > SHOWN else "")
        say(f"{len(left)} of {len(chosen)} instances are left out, because their rows have no tests: {names}.")
    return cases


def _by_run_id(
    run_id: str, sets: Mapping[int, Predictions], cases: Mapping[str, Case], where: str, say: Say
) -> dict[str, Predictions]:
    """Return the predictions of each repeat, keyed by run id. Raises UsageError if no prediction belongs to an
    instance."""
    GradingStore.check(run_id)
    if run_id == RUN:
        raise UsageError(f"--run-id {RUN} is reserved for the instances' own patches.", "Choose another name.")
    if not any(name in cases for predictions in sets.values() for name in predictions):
        what = f"No prediction of {where} belongs to one of the {len(cases)} instances."
        raise UsageError(what, "Give files that belong together.")
    if strange := {name for predictions in sets.values() for name in predictions if name not in cases}:
        say(f"{len(strange)} predictions of {where} are ignored: none of the selected instances has their ids.")
    return {run_id if at == 1 else f"{run_id}.{at}": predictions for at, predictions in sets.items()}


def _check_comparable(where: str, cases: Mapping[str, Case], theirs: Mapping[str, Predictions], others: Any) -> None:
    """Raise UsageError if the two sets have no instance in common."""
    ours = {name for predictions in theirs.values() for name in predictions if name in cases}
    if ours.isdisjoint(others if isinstance(others, Mapping) else set().union(*others)):
        fix = "Compare with predictions for the same instances."
        raise UsageError(f"{where} shares no instance with the predictions.", fix)


def _at_commit(case: Case, repositories: Repositories) -> Case:
    base = case.instance.base
    if re.fullmatch(r"[0-9a-f]{40}", base):
        return case
    try:
        return replace(case, commit=Repository.open(repositories.of(case.instance)).commit(base or None))
    except (UsageError, WorkspaceError):
        return case  # grading reports the reason


def _with_workspace(settings: Settings, out: Path, cases: Mapping[str, Case], say: Say) -> Settings:
    """Return the settings with the workspace of the verdicts in `out`, if it has any; else with the workspace that is
    chosen for `fix`. An image that an instance names needs a container.

    Raises UsageError for another workspace, because grades from different environments are not comparable.
    """
    known = graded_in(out)
    if not known and any(case.instance.image for case in cases.values()):
        return settings
    settings = choose_workspace(settings, say, known)
    if known and settings.workspace != known:
        what = f"The verdicts in {out} come from the workspace {known}, and are not mixed with others."
        raise UsageError(what, f"Use --workspace {known}, or choose another --out.")
    return settings


def _check(settings: Settings) -> None:
    """Raise WorkspaceError if every instance would fail on this machine."""
    try:
        check_machine(settings)
    except WorkspaceError as error:
        raise WorkspaceError(error.message, f"See `swe-agent doctor`. {RESUME_ADVICE}") from error


def _once(say: Say) -> Say:
    """Return a function that reports each line only once, since every workspace reports the same lines."""
    said: set[str] = set()

    def first(line: str) -> None:
        if line not in said:
            said.add(line)
            say(line)

    return first


def _setup(settings: Settings) -> str:
    """Return the settings that a verdict depends on besides the patch and the instance, and the version of the swebench
    package."""
    try:
        package = version("swebench")
    except PackageNotFoundError:
        package = ""
    images = settings.image, sorted(settings.images.items())
    return repr((settings.workspace, images, settings.setup, settings.test, package))


def _count_run(run: str, plan: Plan, outcome: Outcome) -> ReportCounts:
    ids = [name for name in plan.cases if name not in outcome.quarantined]
    return count_outcomes(run, plan.sets[run], ids, outcome.verdicts[run])


@contextmanager
def _locked(out: Path, state: Path) -> Iterator[None]:
    """Lock the folder for this process.

    Raises TryLater if another process uses the folder, and UsageError if someone else may have written to it, because
    its verdicts would be reported as the user's.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        claim_output(out, state)
        what = f"Another process is evaluating in {out}."
        lock = acquire_lock(out / "evaluate.lock", what, "Wait for it, or choose another --out.")
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"--out {out} is not a folder.", "Give a folder; it is created if necessary.") from None
    except OSError as error:
        raise WorkspaceError(f"{out} cannot be written: {error.strerror}.", "Choose another --out.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def stop_on_signal() -> Iterator[CancellationToken]:
    """Yield a token that the first signal sets to request a graceful stop; a second signal raises
    KeyboardInterrupt."""
    cancel = CancellationToken()

    def stop() -> bool:
        first = not cancel.is_set()
        cancel.set()
        return first

    with stopped_by_signals(stop):
        yield cancel
