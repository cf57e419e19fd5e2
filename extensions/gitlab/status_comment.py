"""The single comment on an issue that says how its last run ended, found by a hidden mark and its author."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.lifecycle.run_lifecycle import result
from extensions.github.pull_request.comment_texts import not_fixed_comment, stopped_comment, verdict_text
from extensions.github.pull_request.marked_comment import CUT, LONGEST
from extensions.github.pull_request.pull_request_body import cost
from extensions.github.pull_request.pull_request_delivery import EFFECT
from extensions.github.pull_request.run_outcome import outcome_of
from extensions.github.text_escaping import cut, escape_markdown
from extensions.gitlab.gitlab_address import address_of
from extensions.gitlab.gitlab_client import GitLabClient, is_object, without_quick_actions
from trajectories.errors import ConfigError, UsageError
from trajectories.outcome_words import patch_word

if TYPE_CHECKING:
    from agent.engine.engine import Engine

MARK = "<!-- swe-agent: status -->"
BUDGET = "the variable `SWE_AGENT_BUDGET`"


def show_status(engine: Engine) -> str:
    """Write the comment on the issue of a run that has ended, or update the one that the token's user has written;
    return its URL.

    Raises UsageError for a run that has not ended or whose issue is not on GitLab, ConfigError without a token, and
    what `GitLabClient.send` raises.
    """
    if not engine.run.issue.url or engine.trajectory.exit is None:
        what = "has not ended" if engine.run.issue.url else "has no issue on GitLab"
        raise UsageError(f"The run {engine.run.id} {what}.", f"`swe-agent show {engine.run.id}` shows it.")
    address = address_of(engine.run.issue.url)
    if not address.token:
        raise ConfigError(
            "Writing a comment requires a token.", f"Set {address.token_name} to one with the scope `api`."
        )
    body = f"{MARK}\n{cut(without_quick_actions(_text(engine, address.server)), LONGEST, CUT)}"
    place, what = f"{address.path}/issues/{address.number}/notes", f"comment on {address.issue_url}"
    with GitLabClient(address) as client:
        own = client.get("/user", "read who you are")
        notes, _ = client.pages(place, what, sort="asc", order_by="created_at")
        marked = (note for note in notes if is_object(note, id=int, body=str, author=dict))
        same = (note for note in marked if note["body"].startswith(MARK) and is_object(own, id=int))
        there = next((note["id"] for note in same if note["author"].get("id") == own["id"]), 0)
        method, path = ("PUT", f"{place}/{there}") if there else ("POST", place)
        written = client.send(method, path, what, {"body": body})
    return f"{address.issue_url}#note_{written.get('id')}"


def _text(engine: Engine, server: str) -> str:
    """Return how the run ended, with a link to the job if there is one."""
    ended = result(engine)
    outcome = outcome_of(engine, ended)
    if ended.patch and (ended.pull or outcome.exit in (0, 6)):
        word = f"a patch that is {patch_word(outcome.result['verdict']['kind'])}"
        how = f"{ended.pull} has {word}." if ended.pull else f"There is {word}. {_refusal(engine)}"
        said = [how, verdict_text(outcome), cost(outcome)]
    elif outcome.exit in (0, 1, 4, 6):
        said = [not_fixed_comment(outcome, has_patch=False, budget=BUDGET)]
    else:
        said = [stopped_comment(outcome)]
    job = os.environ.get("CI_JOB_URL", "")
    link = f"[Job]({job})" if job.startswith(f"{server}/") and job.isascii() and not set(job) & set("()<> \n") else ""
    return "\n\n".join(filter(None, [*said, link]))


def _refusal(engine: Engine) -> str:
    """Return why no merge request was opened, as the run recorded it, without the patch's path on this computer."""
    notes = [note for note in engine.trajectory.notes if note.kind == "done" and note.data.get("effect") == EFFECT]
    why = notes[-1].text.rpartition(" The patch is in ")[0] if notes else ""
    return escape_markdown(why) or "No merge request was opened."
