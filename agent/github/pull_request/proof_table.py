"""The verdict on a pull request as Markdown: a headline, a table of the proof's steps, notes, and the merge review.

Everything comes from an untrusted result file and is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agent.github.pull_request.review_focus import ROUTINE
from agent.github.pull_request.text_escaping import escape_markdown, format_name

STEPS = {
    "red": "A test shows the issue: it fails without the change",
    "green": "It passes with the change",
    "red_again": "It fails again without the change to the source",
    "no_loss": "Tests that passed before still pass",
}
GENERALITY = {
    "shown": "yes: other values than the test's give other results too",
    "examples only": "**no**: nothing changes with other values than the test's",
    "undecided": "unknown",
}
ANSWERS = {True: "yes", False: "**no**", None: "unknown"}
BASIS = (
    "The description of this pull request was taken as the issue. The tests ran with the settings and the test "
    "configuration of the base, in a container without a network."
)
MOST = 10


def proof_table(result: Mapping[str, Any]) -> str:
    """Return the text for the JSON object of a `prove` command."""
    verdict = result["verdict"]
    rows = [f"| {step} | {ANSWERS[verdict[name]]} |" for name, step in STEPS.items()]
    if general := GENERALITY.get(verdict.get("generality", "")):
        rows.append(f"| The change is general | {general} |")
    parts = [
        "**Verified.**" if verdict["kind"] == "verified" else "**Not verified.**",
        "\n".join(["| | |", "|---|---|", *rows]),
        _names("Tests that show the issue", verdict["tests"]),
        _names("Tests that fail with the change and passed before", verdict["lost"]),
        _bullets(escape_markdown(note) for note in verdict["notes"] if not ROUTINE.match(note)),
        _review(result.get("merge_review") or {}),
        BASIS,
    ]
    return "\n\n".join(filter(None, parts))


def _review(review: Mapping[str, Any]) -> str:
    found = [
        f"{format_name(one['path'])} line {one['line']}, {escape_markdown(one['kind'])}: {escape_markdown(one['text'])}"
        for one in review.get("findings", ())
    ]
    shown = _bullets([*found, *map(escape_markdown, review.get("notes", ()))])
    return f"Before merging:\n\n{shown}" if shown else ""


def _names(title: str, names: Iterable[str]) -> str:
    shown = _bullets(map(format_name, names))
    return f"{title}:\n\n{shown}" if shown else ""


def _bullets(lines: Iterable[str]) -> str:
    given = [line for line in lines if line]
    more = [f"and {len(given) - MOST} more"] if len(given) > MOST else []
    return "\n".join(f"- {line}" for line in [*given[:MOST], *more])
