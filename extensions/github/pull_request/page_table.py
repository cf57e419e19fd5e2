"""Table of the pages that a patch changes, for a pull request or a comment.

GitHub shows only pictures that are hosted somewhere, so the table names those in the artifact of the Action's run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from extensions.github.action_inputs import workflow_run
from extensions.github.text_escaping import code, escape_markdown
from trajectories.page_picture import PICTURES

if TYPE_CHECKING:
    from extensions.github.task.result_file import Outcome

ARTIFACT = "swe-agent-journal"
"""The artifact with the run's folder, which has the pictures."""
MOST_PAGES, MOST_TEXTS, LONGEST = 6, 3, 200


def page_table(outcome: Outcome) -> str:
    """Return the changed pages as a Markdown table, and where their pictures are; "" if no page changed."""
    pages = list(outcome.result.get("pages") or ())
    if not pages:
        return ""
    rows = [
        f"| {code(_plain(page['path']))} | {page['width']} px{', dark' if page['dark'] else ''} "
        f"| {_texts(page['asked'])} | {_texts(page['unasked'])} | {_pictures(page)} |"
        for page in pages[:MOST_PAGES]
    ]
    head = [
        "| changed page | width | as the issue asks | **not asked for** | before, after, difference |",
        "|---|---|---|---|---|",
    ]
    more = len(pages) - MOST_PAGES
    said = f"{more} more {'page differs' if more == 1 else 'pages differ'}." if more > 0 else ""
    return "\n\n".join(filter(None, ["\n".join([*head, *rows]), " ".join(filter(None, [said, _place(outcome)]))]))


def _place(outcome: Outcome) -> str:
    """Return where the pictures are: in an artifact if the Action's solve job made the result."""
    from extensions.github.action_inputs import own_repository

    if not outcome.errand:
        return ""
    number = workflow_run()
    run = f"[the workflow run]({own_repository().url}/actions/runs/{number})" if number else "the workflow run"
    return f"The pictures are in the folder `pictures` of the artifact `{ARTIFACT}` of {run}."


def _pictures(page: Mapping[str, Any]) -> str:
    return ", ".join(code(_plain(PurePath(page[name]).name)) for name in PICTURES if page.get(name))


def _texts(texts: Iterable[str]) -> str:
    lines = [escape_markdown(_plain(text)) for text in texts]
    more = [f"{len(lines) - MOST_TEXTS} more"] if len(lines) > MOST_TEXTS else []
    return "; ".join([*lines[:MOST_TEXTS], *more])


def _plain(text: str) -> str:
    """Return a text on one line, without the sign that would end a cell, also in code."""
    line = " ".join(text.split()).replace("|", "\u00a6")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
