"""The solving job: an errand, worked on as `fix` does, with no right to write anything but its handover.

A run is named by its errand, so who begins the same errand again goes on with its run, or tells again how it ended.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from aci.disguises import hide
from agent.cli import fail
from agent.console import Console
from agent.drive import drive, shown
from agent.engine import Engine, known_secrets
from agent.github.errand import Errand, read
from agent.github.handover import AGAIN, Outcome, pack
from agent.github.kept import keep
from agent.github.log import harmless_output
from agent.github.outputs import summarise, tell
from agent.github.rules import workflow_attempt
from agent.github.telling import outcome_of, outcome_without_run
from agent.github.wishes import issue_of
from agent.settings import NOWHERE, load_settings
from agent.signals import SIGNALS
from agent.solve import Result, begin, reopen
from trajectories.errors import Cancelled, ConfigError, SweAgentError, UsageError
from trajectories.journal import begun

TOLD = frozenset({0, 1, 4, 6})
"""Exit codes of runs that ended: how is told by the handover, and the job has done its part."""


def solve(errand: Path, digest: str, repo: Path, out: Path, parent: Path | None, flags: Mapping[str, Any]) -> int:
    """Work on the errand in the checkout `repo` and write the handover to `out`; `parent` is the folder of the run that
    a follow-up goes on with. `flags` are settings (None: not given).

    Returns 0 where a handover tells how it ended, else the error's code. Raises UsageError for a file that is not the
    gate's, or is of an earlier attempt at the workflow's run, with nothing written.
    """
    asked = read(errand, digest)
    if asked.attempt not in ("", workflow_attempt()):  # its budget is held, and perhaps spent, already
        raise UsageError("The gate has held no budget for solving this again.", AGAIN)
    with harmless_output():
        job = Job(asked, digest, out)
        console = Console(plain=True)
        try:
            code = drive(partial(_opened, job, repo, parent, flags, console), console, _work(asked), job.ended)
        except (SweAgentError, KeyboardInterrupt) as error:
            stopped = error if isinstance(error, SweAgentError) else Cancelled("Interrupted.", AGAIN)
            fail([], stopped.code, stopped.message, stopped.fix)
            job.write(outcome_without_run(stopped, digest, asked.base, known_secrets(os.environ)), b"")
            code = stopped.code
    return 0 if code in TOLD else code


class Job:
    """What is written while the run is still open: the handover, the folder to go on from, and what Actions reads."""

    def __init__(self, errand: Errand, digest: str, out: Path) -> None:
        self.errand, self.digest, self.out = errand, digest, out

    def ended(self, engine: Engine, ended: Result, error: SweAgentError | None) -> None:
        """Raises ConfigError for a patch that adds a key; of a run that ends with an error, neither patch nor journal
        is handed over then."""
        with undisturbed():
            outcome = replace(outcome_of(engine, ended, self.digest, error, self.errand.thread), base=self.errand.base)
            diff = engine.trees.diff(self.base(engine), ended.exit.tree)
            if not adds(diff, engine.secrets):
                self.write(outcome, diff.encode("utf-8", "surrogateescape"), engine)
            elif error is not None:
                self.write(outcome, b"")
            else:
                raise ConfigError("The patch adds a key that this machine holds, so it stays here.", "Change the key.")

    def base(self, engine: Engine) -> str:
        """The tree that the diff is against."""
        return engine.repository.base(engine.trees, self.errand.base).tree

    def write(self, outcome: Outcome, diff: bytes, engine: Engine | None = None) -> None:
        digest = pack(outcome, diff, self.out)
        folder = keep(engine, self.out.with_suffix(".run"), diff) if engine is not None else None
        tell(digest=digest, folder=str(folder or ""))
        summarise(_summary(outcome, diff))


def _summary(outcome: Outcome, diff: bytes) -> str:
    """A few lines without a stranger's word."""
    lines = [f"Exit {outcome.exit}, {outcome.result['verdict']['kind']}; a patch of {len(diff):,} bytes."]
    if (dollars := outcome.result["usage"]["dollars"]) is not None:
        lines.append(f"{outcome.result['usage']['calls']} calls of the model, ${dollars:.4f}.")
    return "\n\n".join(lines)


def _opened(job: Job, repo: Path, parent: Path | None, flags: Mapping[str, Any], console: Console) -> Engine:
    """The errand's run: begun, or as an earlier process left it."""
    from aci.repository import Repository

    errand = job.errand
    source = Repository.open(repo)
    given = {**flags, **NOWHERE, "budget": errand.budget, "experience": False}
    name = f"errand-{job.digest[:20]}"
    if errand.kind == "follow-up":
        from agent.github.followup import opened

        return opened(errand, name, source, parent, given, console.happening)
    settings = load_settings(source.file(".swe-agent.toml", errand.base) or b"", **given)
    directory = settings.runs / name
    if not begun(directory):
        shutil.rmtree(directory, ignore_errors=True)
        begin(issue_of(errand), source, settings, errand.base, name)
    return reopen(directory, settings.state, console.happening)


def _work(errand: Errand) -> Callable[[Engine, Console], Result]:
    if errand.kind == "fix":
        return shown
    from agent.github.followup import worked

    return worked


def adds(diff: str, secrets: Iterable[str]) -> bool:
    """Whether a diff adds one of the secrets, in any of the forms that are known."""
    added = "\n".join(line for line in diff.split("\n") if line.startswith(("+", "rename to ", "diff ")))
    return hide(added, secrets, "") != added


@contextmanager
def undisturbed() -> Iterator[None]:
    """A second signal does not keep the handover from being written."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
