"""Plausible edits that behave differently, as a search left them on the record for the user to choose from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent.repair.words import LETTERS, changed, side_by_side
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from trajectories.trajectory import Trajectory
    from trajectories.trees import Trees

SEARCH = "search"
WORDS = re.compile(r"(?:/?choose\s+)?([A-Za-z])", re.IGNORECASE)


def offered(trajectory: Trajectory) -> dict[str, Any]:
    """What the last search of a run found. Raises UsageError where there is none with edits."""
    values = [once.value for (_, name), once in trajectory.results.items() if name.rpartition(".")[2] == SEARCH]
    found = next((one for one in reversed(values) if isinstance(one, dict) and one.get("edits")), None)
    if found is None or "tree" not in found:
        raise UsageError("There is nothing to choose from.", "Only what `--strategy templates` found can be chosen.")
    return found


def choice_of(found: dict[str, Any], words: str) -> int:
    """The place of the edit that is meant by `B`, `b` or `/choose B`. Raises UsageError."""
    letters = LETTERS[: len(found["edits"])]
    match = WORDS.fullmatch(words.strip())
    if match is None or match[1].upper() not in letters:
        raise UsageError(f"{words.strip()!r} is none of {', '.join(letters)}.", "Choose one of these.")
    return letters.index(match[1].upper())


def with_edit(trees: Trees, tree: str, found: dict[str, Any], number: int) -> str:
    """The tree in which the edit of that number stands in place of the one that is in it. Raises UsageError where
    somebody has changed the file meanwhile."""
    edits = found["edits"][: len(LETTERS)]
    files: dict[str, bytes] = {}
    for path in dict.fromkeys(edit["path"] for edit in edits):
        before = trees.read(found["tree"], path)
        now = trees.read(tree, path) if trees.entry(tree, path) else None
        if now not in (before, *(edited(before, edit) for edit in edits if edit["path"] == path)):
            raise UsageError(f"{path} was changed since the edits were found.", "Choose by hand: the patch is short.")
        files[path] = before
    chosen = edits[number]
    files[chosen["path"]] = edited(files[chosen["path"]], chosen)
    return trees.write(files, tree)


def edited(before: bytes, edit: dict[str, Any]) -> bytes:
    """A file's bytes with one of the edits in it."""
    return before.replace(edit["old"].encode(), edit["new"].encode(), 1)


def options(found: dict[str, Any]) -> list[str]:
    """What each of the edits that can be chosen changes, in words, and that it is made for the tests where it is."""
    edits = found["edits"][: len(LETTERS)]
    texts = [changed(one["path"], one["line"], one["function"], one["description"]) for one in edits]
    return [" ".join(filter(None, [text, one.get("special")])) for text, one in zip(texts, edits, strict=True)]


def letters_of(found: dict[str, Any]) -> str:
    """The letters of the edits that can be chosen."""
    return LETTERS[: len(found["edits"])]


def sides(found: dict[str, Any]) -> str:
    """The edits side by side, with inputs to which they answer differently."""
    return side_by_side(options(found), [(call, answers) for call, answers in found["telling"]])


def told_apart(found: dict[str, Any], place: int = 0, refuted: Sequence[int] = ()) -> str:
    """Why the edit at a place, which is in the files, is doubted, the edits side by side, and how to choose another
    that is not `refuted`; "" where nothing is doubted."""
    letters = letters_of(found)
    others = [letter for number, letter in enumerate(letters) if number not in (place, *refuted)]
    if not found["doubt"] or not others or place >= len(letters):
        return str(found["doubt"])
    mine, other = letters[place], others[0]
    how = f"{mine} is the patch now. `swe-agent resume RUN --choose {other}`, or `/choose {other}` in a session,"
    how += f" takes another and proves it; with {mine} you say that {mine} is meant."
    return f"{found['doubt']}\n{sides(found)}\n{how}"
