"""The comment job: shows the result of a prove job in one comment on the pull request, and as a check run.

It has a token that may write comments and checks, and runs no code of the repository. The result file is untrusted: it
is read as data, it counts only for its own base and head, and not at all if the pull request changes the workflows that
made it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extensions.github.action.job_outputs import summarise
from extensions.github.action_inputs import load_rules, own_repository
from extensions.github.api.github_client import repository, translate_errors
from extensions.github.pull_request.marked_comment import CUT, LONGEST, MOST, show_comment
from extensions.github.pull_request.proof_comment import proof_comment, verdict_name
from extensions.github.task import result_file
from extensions.github.task.pull_request_event import ProofRun, read_run
from extensions.github.task.result_file import Outcome
from extensions.github.task.trigger_event import TriggerSkipped
from extensions.github.text_escaping import code, cut, escape_markdown
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from github.PullRequest import PullRequest
    from github.Repository import Repository

MARK = "<!-- swe-agent proof -->"
CHECK = "swe-agent prove"
MOST_FILES = 3_000
"""Maximum number of changed files that GitHub lists."""
NEEDS_ACTION = "action_required"
"""The conclusion without a result. GitHub does not count it as passed, as it counts `neutral`."""
CHANGED_WORKFLOWS = (
    "This pull request changes `.github`, so it may have changed how it is proved. Its result is not shown. Prove it "
    "at a terminal with `swe-agent prove --pr`."
)
NO_RESULT = "The job that proves the pull request ended without a result. Its log shows why."


def comment(handed: Path) -> int:
    """Report the result in the file `handed` on the pull requests of the current `workflow_run` event; return 0.

    Does nothing if no open pull request has the commit that was proved, such as after a newer push, whose own run
    reports. Raises what GitHub's errors are translated to.
    """
    rules, there = load_rules(), repository(own_repository())
    try:
        run = read_run()
        outcome, problem = _read(handed, run)
        pulls = list(_find_pulls(there, run, outcome))
        if not pulls:
            raise TriggerSkipped("No open pull request has the base and the commit that were proved.")
    except TriggerSkipped as skipped:
        summarise(str(skipped))
        return 0
    for pull in pulls:
        title, conclusion, text = _report(pull, outcome, problem)
        if there.get_pull(pull.number).head.sha != run.head:  # the changed files may have been those of a newer commit
            summarise("The pull request has a newer commit.")
            continue
        summarise(text)
        if not rules.dry_run:
            words = f"{text}\n\n{code(run.head[:10])} · [Workflow run]({run.url})"
            show_comment(there, pull.number, rules.bot, MARK, words)
            _create_check(there, run, title, conclusion, text)
    return 0


def _read(handed: Path, run: ProofRun) -> tuple[Outcome | None, str]:
    """Return the outcome, or why there is none."""
    if not handed.is_file():
        return None, NO_RESULT
    try:
        outcome, _ = result_file.read_result(handed)
    except UsageError as error:
        return None, f"The result cannot be read: {error.message}"
    return (outcome, "") if outcome.errand == run.head else (None, "The result belongs to another commit.")


def _find_pulls(there: Repository, run: ProofRun, outcome: Outcome | None) -> Iterator[PullRequest]:
    """Yield the open pull requests with the commit that was proved, against the base that it was proved against."""
    with translate_errors("read the pull requests", "pull-requests: read"):
        pulls = there.get_pulls(state="open", head=f"{run.owner}:{run.branch}")
        for pull in [one for one in islice(pulls, MOST) if one.head.sha == run.head]:
            proved = outcome if outcome and outcome.result["verdict"]["kind"] != "none" else None
            if not proved or there.compare(pull.base.ref, run.head).merge_base_commit.sha == proved.base:
                yield pull


def _report(pull: PullRequest, outcome: Outcome | None, problem: str) -> tuple[str, str, str]:
    """Return the check run's title and conclusion, and the text."""
    with translate_errors("read the changed files", "pull-requests: read"):
        names = [name for file in pull.get_files() for name in (file.filename, file.previous_filename) if name]
    if len(names) >= MOST_FILES or any(name.lower().split("/")[0] == ".github" for name in names):
        return "The workflows may have changed", NEEDS_ACTION, CHANGED_WORKFLOWS
    if outcome is None:
        return "No result", NEEDS_ACTION, escape_markdown(problem)
    return verdict_name(outcome), _conclusion(outcome), proof_comment(outcome)


def _conclusion(outcome: Outcome) -> str:
    """Return `success` if the change is verified, `failure` if it breaks tests, else `neutral`: a change of another
    kind than a fix has no test that fails without it."""
    name = verdict_name(outcome)
    if name == "No verdict":
        return NEEDS_ACTION
    if outcome.result["verdict"]["no_loss"] is False:
        return "failure"
    return "success" if name == "Verified" else "neutral"


def _create_check(there: Repository, run: ProofRun, title: str, conclusion: str, text: str) -> None:
    output: dict[str, Any] = {"title": title, "summary": cut(text, LONGEST, CUT)}
    with translate_errors("create a check run", "checks: write"):
        there.create_check_run(
            CHECK, run.head, status="completed", conclusion=conclusion, details_url=run.url, output=output
        )
