"""The solve job: work on a task as `fix` does, with no right to write anything but its result.

A run is named after its task, so a repeated job resumes the task's run, or reports its result again.
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

from aci.issue_text.vulnerability import is_vulnerability
from aci.observation.secret_masking import replace_secrets
from agent.config.settings import NOWHERE, WITHOUT_MEMORY, load_settings
from agent.console.error_report import report_error
from agent.console.foreground_run import run_to_end, solve_and_show
from agent.console.run_display import Console
from agent.engine.engine import Engine, known_secrets
from agent.lifecycle.exploit_withholding import public_tree, quoting_files
from agent.lifecycle.run_lifecycle import begin, reopen
from agent.lifecycle.run_result import Result
from agent.limits.cancellation import SIGNALS
from extensions.github.action.job_log import escaped_output, hidden_output
from extensions.github.action.job_outputs import summarise, write_outputs
from extensions.github.action.run_archive import archive_run
from extensions.github.action_inputs import workflow_attempt
from extensions.github.pull_request.run_outcome import outcome_of, outcome_without_run
from extensions.github.task.result_file import AGAIN, Outcome, pack
from extensions.github.task.task_request import TaskRequest, read
from extensions.github.task.task_text import issue_of
from trajectories.errors import Cancelled, ConfigError, SweAgentError, UsageError
from trajectories.journal import is_started
from trajectories.page_picture import PICTURES

REPORTED = frozenset({0, 1, 4, 6})
"""Exit codes of runs that ended normally: the job succeeds, and the result file holds the details."""


def solve(task: Path, digest: str, repo: Path, out: Path, parent: Path | None, flags: Mapping[str, Any]) -> int:
    """Work on the task in the checkout `repo` and write the result file to `out`.

    `parent` is the folder of the run that a follow-up continues. `flags` are settings (None: not given). Returns 0 if
    the run ended normally, else the error's code. Raises UsageError, and writes nothing, if the gate job did not write
    the task or wrote it for an earlier attempt of the workflow run.
    """
    asked = read(task, digest)
    if asked.attempt not in ("", workflow_attempt()):  # the budget may be used up already
        raise UsageError("The gate has not reserved a budget to solve this again.", AGAIN)
    hides = is_vulnerability(issue_of(asked)) and not load_settings(**flags).exploit_test
    with hidden_output() if hides else escaped_output():
        job = Job(asked, digest, out, hides)
        console = Console(plain=True)
        try:
            code = run_to_end(partial(_open_run, job, repo, parent, flags, console), console, _solver(asked), job.ended)
        except (SweAgentError, KeyboardInterrupt) as error:
            stopped = error if isinstance(error, SweAgentError) else Cancelled("Interrupted.", AGAIN)
            report_error([], stopped.code, stopped.message, stopped.fix)
            job.write(outcome_without_run(stopped, digest, asked.base, known_secrets(os.environ)), b"")
            code = stopped.code
    return 0 if code in REPORTED else code


class Job:
    """Writer of the job's results while the run is open: result file, run archive, and outputs for Actions.

    `hides` says that the task is about a vulnerability whose exploit is withheld.
    """

    def __init__(self, task: TaskRequest, digest: str, out: Path, hides: bool) -> None:
        self.task, self.digest, self.out, self.hides = task, digest, out, hides

    def ended(self, engine: Engine, ended: Result, error: SweAgentError | None) -> None:
        """Write the result. If the patch adds a key, raise ConfigError; if the run already failed with an error, omit
        the patch and the journal instead."""
        with ignore_signals():
            given = (*self.task.thread, *self.task.logs)
            if quoting := quoting_files(engine, ended.exit.tree):
                self.write(self._without_patch(engine, ended, quoting), b"")
                return
            outcome = replace(outcome_of(engine, ended, self.digest, error, given), base=self.task.base)
            diff = engine.trees.diff(self.base(engine), public_tree(engine, ended.exit.tree))
            if not adds_secret(diff, engine.secrets):
                self.write(outcome, diff.encode("utf-8", "surrogateescape"), engine)
            elif error is not None:
                self.write(outcome, b"")
            else:
                raise ConfigError("The patch contains a key of this machine and is withheld.", "Replace the key.")

    def _without_patch(self, engine: Engine, ended: Result, quoting: Iterable[str]) -> Outcome:
        """Return the outcome of a run whose patch has comments that quote the exploit."""
        error = UsageError(
            f"The patch is withheld: an added comment quotes the exploit ({', '.join(quoting)}).",
            "Solve the issue with `swe-agent fix --vulnerability` on your machine, where the patch is kept.",
        )
        outcome = replace(outcome_of(engine, ended, self.digest, error), base=self.task.base)
        details = outcome.result["error"] | {"message": error.message, "fix": error.fix}
        return replace(outcome, result={**outcome.result, "error": details})

    def base(self, engine: Engine) -> str:
        """Return the tree that the diff is relative to."""
        return engine.repository.base(engine.trees, self.task.base).tree

    def write(self, outcome: Outcome, diff: bytes, engine: Engine | None = None) -> None:
        digest = pack(outcome, diff, self.out)
        pages = outcome.result.get("pages", ())
        pictures = [page[name] for page in pages for name in PICTURES if page.get(name)]
        target = self.out.with_suffix(".run")
        folder = archive_run(engine, target, diff, pictures) if engine and not self.hides else None
        write_outputs(digest=digest, folder=str(folder or ""))
        summarise(_summary(outcome, diff))


def _summary(outcome: Outcome, diff: bytes) -> str:
    """Return a short summary without untrusted text."""
    lines = [f"Exit {outcome.exit}, {outcome.result['verdict']['kind']}; a patch of {len(diff):,} bytes."]
    if (dollars := outcome.result["usage"]["dollars"]) is not None:
        lines.append(f"{outcome.result['usage']['calls']} model requests, ${dollars:.4f}.")
    return "\n\n".join(lines)


def _open_run(job: Job, repo: Path, parent: Path | None, flags: Mapping[str, Any], console: Console) -> Engine:
    """Start the task's run, or reopen it as an earlier process left it."""
    from aci.repository.user_repository import Repository

    task = job.task
    source = Repository.open(repo)
    given = {**flags, **NOWHERE, "budget": task.budget, **WITHOUT_MEMORY}
    name = f"task-{job.digest[:20]}"
    if task.kind == "follow-up":
        from extensions.github.action.follow_up import open_follow_up

        return open_follow_up(task, name, source, parent, given, console.happening)
    settings = load_settings(source.file(".swe-agent.toml", task.base) or b"", **given)
    if task.is_answer and parent is not None:
        from extensions.github.action.answered_questions import open_answered_run

        if engine := open_answered_run(task, name, source, parent, settings, console.happening):
            return engine
    directory = settings.runs / name
    if not is_started(directory):
        shutil.rmtree(directory, ignore_errors=True)
        begin(issue_of(task), source, settings, task.base, name)
    engine = reopen(directory, settings.state, console.happening)
    engine.asks_later = task.may_ask and not job.hides
    return engine


def _solver(task: TaskRequest) -> Callable[[Engine, Console], Result]:
    if task.kind == "fix":
        return solve_and_show
    from extensions.github.follow_up_turns import run_follow_up

    return run_follow_up


def adds_secret(diff: str, secrets: Iterable[str]) -> bool:
    """Whether a diff adds one of the secrets, in any known encoding."""
    added = "\n".join(line for line in diff.split("\n") if line.startswith(("+", "rename to ", "diff ")))
    return replace_secrets(added, secrets, "") != added


@contextmanager
def ignore_signals() -> Iterator[None]:
    """Ignore signals within this context, so that a second one does not prevent the result from being written."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
