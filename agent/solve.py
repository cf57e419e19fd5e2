"""A run from its first record to its last: opened, solved, delivered, closed. `fix`, `resume` and batches call this."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from aci.patch import split
from aci.repository import Repository
from agent.engine import Engine, Happening, chosen_model
from agent.ledger import Spent
from agent.settings import Settings
from agent.task import Outcome, Task
from tools.base import Toolbox
from trajectories.errors import Cancelled, ConfigError, LimitStop, ModelError, Stop, TryLater
from trajectories.journal import Journal
from trajectories.plugins import find
from trajectories.records import Exit, Issue, Note, Patch, Run, Step, Turn, Verdict
from trajectories.trajectory import Trajectory
from trajectories.trees import Trees

VERSION = "0.1.0"


@dataclass(frozen=True, slots=True)
class Result:
    """A run as it stands: ended with `exit`, or stopped before its end and resumable."""

    run: str
    directory: Path
    exit: Exit
    patch: Patch
    spent: Spent
    steps: int
    ended: bool
    effects: tuple[str, ...] = ()
    """What was done to the user's repository, in words."""
    word: str = ""
    """What the strategy says to the user at the end, if it has more to say than the patch."""


def begin(issue: Issue, repository: Path, settings: Settings, rev: str | None = None) -> Path:
    """Write the first records of a new run and return its directory; nothing is left behind when that fails."""
    strategy = settings.strategy or ("react" if settings.model else "templates")
    source = Repository.open(repository)
    if find("agent.strategies", strategy, "ROLES", "strategy") or settings.model:
        chosen_model(settings)
    directory = settings.runs / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    directory.mkdir(parents=True, mode=0o700)
    try:
        trees = Trees(directory / "trees.git")
        base = source.base(trees, rev)
        trees.close()
        run = Run(
            id=directory.name,
            issue=issue,
            repository=str(source.root),
            base=base,
            settings=settings.model_dump(mode="json", exclude={"state"}),
            versions={"swe-agent": VERSION, "python": sys.version.split()[0]},
            prompts=prompts_of(strategy),
            tools=Toolbox().schemas(),
        )
        journal = Journal(directory)
        journal.append(run, Turn("fix", strategy, {"coder": settings.model} if settings.model else {}))
        journal.close()
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return directory


def prompts_of(strategy: str) -> dict[str, str]:
    """The system prompt of each role: the text files `<strategy>.<role>.txt` beside the strategy."""
    folder = Path(__file__).parent / "strategies"
    files = sorted(folder.glob(f"{strategy.replace('-', '_')}.*.txt"))
    return {file.name.split(".")[1]: file.read_text("utf-8").strip() for file in files}


def reopen(directory: Path, state: Path, notify: Callable[[Happening], object] = lambda _: None) -> Engine:
    """The engine of a run on disk, under the settings it began with. Raises TryLater if another process has it."""
    from trajectories.journal import read

    run = read(directory).run
    if run is None:
        raise ConfigError(f"The run {directory.name} has no first record.", "Start it again with `swe-agent fix`.")
    return Engine(directory, Settings(**run.settings, state=state), notify)


def solve(engine: Engine) -> Generator[Step, None, Result]:
    """Yield the run's steps as they are taken and return how it ended.

    What stops a run for good is its exit; an interrupt or trouble of the machine is raised, and the run is resumable.
    """
    if engine.trajectory.exit is not None:
        return result(engine)
    if engine.resumed:
        engine.journal.append(Note("main", "resumed", "The run was resumed."))
        engine.settle_late()
    task = Task(engine)
    stop: Stop | ModelError | None = None
    try:
        strategy = find("agent.strategies", engine.trajectory.turns[-1].strategy, "solve", "strategy")
        outcome: Outcome = yield from strategy(task)
    except Cancelled:
        if engine.cancel.stopped or not engine.cancel.expired:
            raise
        stop = LimitStop(f"The run has used its {engine.settings.max_time:g} seconds.", "Give more with --max-time.")
    except Stop as error:
        stop = error
    except ModelError as error:
        if error.retryable:
            raise TryLater(error.message, f"Then go on with `swe-agent resume {engine.run.id}`.") from error
        stop = error
    if stop is not None:
        outcome = task.best()
    _finish(engine, outcome, stop)
    return result(engine)


def _finish(engine: Engine, outcome: Outcome, stop: Stop | ModelError | None) -> None:
    """The patch is durable and delivered before the exit record says so."""
    from agent.deliver import deliver

    patch = split(engine.trees, engine.run.base.tree, outcome.tree)
    folder = engine.journal.directory
    _write(folder / "patch.diff", patch.diff)
    if outcome.verdict.commands:
        _write(folder / "proof.sh", _script(engine, outcome.verdict))
    deliver(engine, patch)
    engine.journal.append(
        Exit(
            kind=_kind(outcome, patch, stop),
            code=_code(outcome, patch, stop),
            tree=outcome.tree,
            verdict=outcome.verdict,
            message=stop.message if stop else "",
            fix=stop.fix if stop else "",
            seconds=engine.seconds,
        )
    )


def _kind(outcome: Outcome, patch: Patch, stop: Stop | ModelError | None) -> str:
    if outcome.verdict.verified:
        return outcome.verdict.kind
    if isinstance(stop, Stop):
        return stop.kind
    if stop is not None:
        return "error"
    return outcome.exit or ("unproven" if patch else "not_found")


def _code(outcome: Outcome, patch: Patch, stop: Stop | ModelError | None) -> int:
    """The first that fits of the exit codes for a run that ended."""
    if outcome.verdict.verified:
        return 0
    if patch:
        return 6
    return stop.code if stop else 1


def _script(engine: Engine, verdict: Verdict) -> str:
    """The commands that repeat the proof, to be run in a checkout of the base."""
    patch = shlex.quote(str(engine.journal.directory / "patch.diff"))
    commands = [
        f"{command.removesuffix('patch.diff')}{patch}" if command.startswith("git apply ") else command
        for command in verdict.commands
    ]
    return "\n".join(["#!/bin/sh", f"# Run this in a checkout of {engine.run.base.commit}.", "set -x", *commands, ""])


def _write(target: Path, text: str) -> None:
    """Whole and on disk when this returns."""
    beside = target.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(target)


def _last_word(trajectory: Trajectory) -> str:
    """The text of the last step, if it is the strategy's own and nobody's action."""
    steps = trajectory.steps["main"]
    if not steps or steps[-1].actions or steps[-1].author != trajectory.turns[-1].strategy:
        return ""
    return "\n".join(observation.text for observation in steps[-1].observations)


def result(engine: Engine, error: Stop | None = None) -> Result:
    """The run as it stands now, ended or not; `error` is what stopped it."""
    trajectory = engine.trajectory
    exit = trajectory.exit
    if exit is None:
        outcome = Task(engine).best()
        code = error.code if error else Cancelled.code
        exit = Exit("open", code, outcome.tree, outcome.verdict, seconds=engine.seconds)
    return Result(
        run=engine.run.id,
        directory=engine.journal.directory,
        exit=exit,
        patch=split(engine.trees, engine.run.base.tree, exit.tree),
        spent=engine.ledger.spent,
        steps=len(trajectory.all_steps()),
        ended=trajectory.exit is not None,
        effects=tuple(note.text for note in trajectory.notes if note.kind == "done"),
        word=_last_word(trajectory),
    )
