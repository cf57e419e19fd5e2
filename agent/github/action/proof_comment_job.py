"""The comment job: shows the result of a prove job in one comment on the pull request, and as a check run.

It has a token that may write comments and checks, and runs no code of the repository. The result file is untrusted: it
is read as data, and it does not count if the pull request changes the workflows that made it.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.github.action.job_outputs import summarise
from agent.github.action.status_comment import CUT, LONGEST, MOST
from agent.github.api.action_inputs import Rules, load_rules
from agent.github.api.github_client import repository, require_created, translate_errors
from agent.github.api.github_urls import own_repository
from agent.github.pull_request.proof_table import proof_table
from agent.github.pull_request.text_escaping import code, cut, escape_markdown
from agent.github.task import result_file
from agent.github.task.pull_request_event import ProofRun, read_run
from agent.github.task.result_file import Outcome
from agent.github.task.secret_masking import mask_keys
from agent.github.task.trigger_event import TriggerSkipped
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from github.PullRequest import PullRequest
    from github.Repository import Repository

MARK = "<!-- swe-agent proof -->"
CHECK = "swe-agent prove"
MOST_FILES = 3_000
"""Maximum number of changed files that GitHub lists."""
CHANGED_WORKFLOWS = (
    "This pull request changes files in `.github`, so it may have changed how it is proved. Its result is not shown. "
    "Prove it at a terminal with `swe-agent prove --pr`."
)
NO_RESULT = "The job that proves the pull request ended without a result. Its log shows why."


def comment(handed: Path) -> int:
    """Report the result in the file `handed` on the pull request of the current `workflow_run` event; return 0.

    Does nothing if the pull request has newer commits, whose own run reports. Raises UsageError for a result file of
    another commit or format, and what GitHub's errors are translated to.
    """
    rules, there = load_rules(), repository(own_repository())
    try:
        run = read_run()
        pull = _find_pull(there, run)
    except TriggerSkipped as skipped:
        summarise(str(skipped))
        return 0
    title, conclusion, text = _report(pull, run, handed)
    summarise(text)
    if not rules.dry_run:
        _show_comment(there, pull.number, rules, f"{text}\n\n{code(run.head[:10])} · [Workflow run]({run.url})")
        with translate_errors("create a check run", "checks: write"):
            output: dict[str, Any] = {"title": title, "summary": cut(text, LONGEST, CUT)}
            there.create_check_run(
                CHECK, run.head, status="completed", conclusion=conclusion, details_url=run.url, output=output
            )
    return 0


def _find_pull(there: Repository, run: ProofRun) -> PullRequest:
    """Return the open pull request with the commit that was proved. Raises TriggerSkipped if there is none."""
    with translate_errors("read the pull requests", "pull-requests: read"):
        pulls = there.get_pulls(state="open", head=f"{run.owner}:{run.branch}")
        if found := next((pull for pull in islice(pulls, MOST) if pull.head.sha == run.head), None):
            return found
    raise TriggerSkipped("No open pull request has the commit that was proved.")


def _report(pull: PullRequest, run: ProofRun, handed: Path) -> tuple[str, str, str]:
    """Return the check run's title and conclusion, and the text."""
    with translate_errors("read the changed files", "pull-requests: read"):
        names = [name for file in pull.get_files() for name in (file.filename, file.previous_filename) if name]
    if len(names) >= MOST_FILES or any(name.lower().startswith(".github/") for name in names):
        return "The workflows may have changed", "neutral", CHANGED_WORKFLOWS
    if not handed.is_file():
        return "No result", "neutral", NO_RESULT
    outcome, _ = result_file.unpack(handed, sha256(handed.read_bytes()[: result_file.MOST_BYTES + 1]).hexdigest())
    if outcome.errand != run.head:
        raise UsageError("The result file belongs to another commit.", result_file.AGAIN)
    return _title(outcome), _conclusion(outcome), proof_comment(outcome)


def _title(outcome: Outcome) -> str:
    return {"verified": "Verified", "none": "No verdict"}.get(outcome.result["verdict"]["kind"], "Not verified")


def _conclusion(outcome: Outcome) -> str:
    """Return `success` if the change is verified, `failure` if it breaks tests, else `neutral`: a change of another
    kind than a fix has no test that fails without it."""
    verdict = outcome.result["verdict"]
    if verdict["kind"] == "verified" and outcome.exit == 0:
        return "success"
    return "failure" if verdict["no_loss"] is False else "neutral"


def proof_comment(outcome: Outcome) -> str:
    """Return the text of the comment on an outcome, with keys masked."""
    error = outcome.result.get("error")
    if error and outcome.result["verdict"]["kind"] == "none":
        said = escape_markdown(mask_keys(f"{error['message']} {error['fix']}"))
        return f"**No verdict.** {said}"
    return proof_table(mask_keys(outcome.result))


def _show_comment(there: Repository, number: int, rules: Rules, text: str) -> None:
    """Update the bot's comment on the proof, or create it."""
    body = f"{MARK}\n{cut(text, LONGEST - len(MARK) - 1, CUT)}"
    with translate_errors(f"comment on #{number}", "pull-requests: write"):
        for one in islice(there.get_issue(number).get_comments(), MOST):
            author = one.user.login if one.user else ""
            if author.casefold() == rules.bot.casefold() and (one.body or "").startswith(MARK):
                one.edit(body)
                return
        require_created(there.get_issue(number).create_comment(body))
