"""The prove job: the proof of a pull request, with no token and no key; its result goes to the comment job.

The workflow runs it for `pull_request` events, also of forks. The head is checked out by the workflow, but nothing of
that checkout is run: base and head are read as git objects, and the tests run in a container.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from agent.config.settings import NOWHERE, WITHOUT_MEMORY, load_settings
from agent.console.error_report import report_error
from agent.console.foreground_run import run_to_end
from agent.console.run_display import Console
from agent.engine.engine import Engine, known_secrets
from agent.lifecycle.run_lifecycle import begin, reopen
from agent.lifecycle.run_result import Result
from agent.run_state.proposed_tree import NOT_ISOLATED
from extensions.github.action.job_log import escaped_output
from extensions.github.action.job_outputs import summarise
from extensions.github.action.solve_job import REPORTED, ignore_signals
from extensions.github.pull_request.proof_comment import proof_comment
from extensions.github.pull_request.run_outcome import outcome_of, outcome_without_run
from extensions.github.task.pull_request_event import ProposedPull, read_pull
from extensions.github.task.result_file import AGAIN, Outcome, pack
from trajectories.errors import Cancelled, SweAgentError, UsageError
from trajectories.records import Issue


def prove(repo: Path, out: Path, flags: Mapping[str, Any]) -> int:
    """Prove the pull request of the current event in the checkout `repo`, and write the result file to `out`.

    Returns 0 if there is a verdict, whatever it is, else the error's code. Raises UsageError if there is no event.
    """
    pull = read_pull()
    with escaped_output():
        console = Console(plain=True)
        try:
            code = run_to_end(
                partial(_open_run, pull, repo, flags, console), console, on_end=partial(_write, pull, out)
            )
        except (SweAgentError, KeyboardInterrupt) as error:
            stopped = error if isinstance(error, SweAgentError) else Cancelled("Interrupted.", AGAIN)
            report_error([], stopped.code, stopped.message, stopped.fix)
            _save(outcome_without_run(stopped, pull.head, pull.base, known_secrets(os.environ)), out)
            code = stopped.code
    return 0 if code in REPORTED else code


def _open_run(pull: ProposedPull, repo: Path, flags: Mapping[str, Any], console: Console) -> Engine:
    from aci.repository.user_repository import Repository
    from agent.inputs.patch_input import proposal_from_commits

    source = Repository.open(repo)
    commit, proposal = proposal_from_commits(source, pull.base, pull.head, f"pull request #{pull.number}")
    given = {**flags, **NOWHERE, "strategy": "proposed-patch", **WITHOUT_MEMORY}
    given |= {"merge_review": True, "independent": False}
    settings = load_settings(source.file(".swe-agent.toml", commit) or b"", **given)
    if settings.workspace == "local":
        raise UsageError(NOT_ISOLATED, "Use the workspace docker.")
    issue = Issue(pull.title, pull.body, trust="stranger")
    return reopen(begin(issue, source, settings, commit, proposed=proposal), settings.state, console.happening)


def _write(pull: ProposedPull, out: Path, engine: Engine, ended: Result, error: SweAgentError | None) -> None:
    with ignore_signals():
        _save(replace(outcome_of(engine, ended, pull.head, error), title=""), out)


def _save(outcome: Outcome, out: Path) -> None:
    pack(outcome, b"", out)
    summarise(proof_comment(outcome))
