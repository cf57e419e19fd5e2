"""Plausible edits with different behaviour, recorded by a search so that the user can choose one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aci.guest.source_encoding import text_encoding
from extensions.repair.edit_descriptions import LETTERS, describe_behaviours, describe_change
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from trajectories.git_store.trees import Trees
    from trajectories.trajectory import Trajectory

SEARCH = "search"
WORDS = re.compile(r"(?:/?choose\s+)?([A-Za-z])", re.IGNORECASE)


def offered_edits(trajectory: Trajectory) -> dict[str, Any]:
    """Return the results of a run's last search. Raises UsageError if no search found edits."""
    values = [once.value for (_, name), once in trajectory.results.items() if name.rpartition(".")[2] == SEARCH]
    found = next((one for one in reversed(values) if isinstance(one, dict) and one.get("edits")), None)
    if found is None or "tree" not in found:
        raise UsageError("There is nothing to choose from.", "Only what `--strategy templates` found can be chosen.")
    return found


def parse_choice(found: dict[str, Any], words: str) -> int:
    """Return the index of the edit that the user's input names, such as `B`, `b` or `/choose B`. Raises UsageError if
    the input names none of the edits."""
    letters = LETTERS[: len(found["edits"])]
    match = WORDS.fullmatch(words.strip())
    if match is None or match[1].upper() not in letters:
        raise UsageError(f"{words.strip()!r} is not one of {', '.join(letters)}.", "Choose one of these.")
    return letters.index(match[1].upper())


def choice_request(trajectory: Trajectory, words: str) -> str:
    """Return the request of a turn that chooses the edit which the user's input names. Raises UsageError."""
    return f"/choose {LETTERS[parse_choice(offered_edits(trajectory), words)]}"


def apply_edit(trees: Trees, tree: str, found: dict[str, Any], number: int) -> str:
    """Return the tree with this edit in place of the currently applied one. Raises UsageError if a file of the edits
    was changed since the search."""
    edits = found["edits"][: len(LETTERS)]
    files: dict[str, bytes] = {}
    for path in dict.fromkeys(edit["path"] for edit in edits):
        before = trees.read(found["tree"], path)
        now = trees.read(tree, path) if trees.entry(tree, path) else None
        if now not in (before, *(replace_in_file(before, edit) for edit in edits if edit["path"] == path)):
            raise UsageError(f"{path} was changed since the edits were found.", "Choose by hand: the patch is short.")
        files[path] = before
    chosen = edits[number]
    files[chosen["path"]] = replace_in_file(files[chosen["path"]], chosen)
    return trees.write(files, tree)


def replace_in_file(before: bytes, edit: dict[str, Any]) -> bytes:
    """Return a file's bytes with one of the edits applied."""
    encoding = text_encoding(before) or "utf-8"
    return before.replace(edit["old"].encode(encoding), edit["new"].encode(encoding), 1)


def options(found: dict[str, Any]) -> list[str]:
    """Return a description of each edit that can be chosen, with a note if it is tailored to the tests."""
    edits = found["edits"][: len(LETTERS)]
    texts = [describe_change(one["path"], one["line"], one["function"], one["description"]) for one in edits]
    return [" ".join(filter(None, [text, one.get("special")])) for text, one in zip(texts, edits, strict=True)]


def choice_letters(found: dict[str, Any]) -> str:
    """Return the letters of the edits that can be chosen."""
    return LETTERS[: len(found["edits"])]


def compare_edits(found: dict[str, Any]) -> str:
    """Return the edits side by side, with inputs for which they behave differently."""
    return describe_behaviours(options(found), [(call, answers) for call, answers in found["telling"]])


def explain_doubt(found: dict[str, Any], place: int = 0, refuted: Sequence[int] = ()) -> str:
    """Return the reason to doubt the applied edit, the edits side by side, and how to choose another one that is not
    `refuted`.

    Returns "" if there is no doubt.
    """
    letters = choice_letters(found)
    others = [letter for number, letter in enumerate(letters) if number not in (place, *refuted)]
    if not found["doubt"] or not others or place >= len(letters):
        return str(found["doubt"])
    mine, other = letters[place], others[0]
    how = f"{mine} is the patch now. `swe-agent resume RUN --choose {other}`, or `/choose {other}` in a session,"
    how += f" applies another and proves it; with {mine} you confirm that {mine} is right."
    return f"{found['doubt']}\n{compare_edits(found)}\n{how}"
