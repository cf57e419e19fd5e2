"""Lessons in words: which ones suit an issue, also from other repositories, and how often they helped.

Lessons beside episodes follow SWE-Exp (arXiv 2507.23361) and ExpeRepair (arXiv 2506.10484); a score that rises and
falls with later runs follows the votes of ExpeL (arXiv 2308.10144). A lesson is a part of an entry of the experience
bank, so it is accepted and forgotten with its entry.

Each run writes one file about the lessons that it was shown, and scores are computed from these files. Writing such a
file twice changes nothing, and processes that write at the same time do not touch each other's files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from extensions.memory.experience_bank import LATEST, NAME, Bank, Entry, ExperienceQuery, is_usable_entry, rank_entries
from trajectories.errors import WorkspaceError
from trajectories.file_limits import open_regular
from trajectories.journal import write_durably

USES = "lesson-uses"
"""The folder of the uses, beside the folders of the repositories."""
START, RISE, FALL = 0.5, 0.3, 0.7
"""A new lesson's score; the share of the distance to 1 by which it rises if it helped; the factor if it did not."""
LEAST_SCORE = 0.2
"""Lessons with a lower score are not shown: by default after three uses without success."""
LEAST_KINDS = 0.5
"""Minimum share of the kinds of fix that a query and a lesson of another repository have in common."""
MOST_USES, MOST_BANKS = 2_000, 10
"""Maximum numbers of uses that are kept, and of repositories whose lessons are read; the newest ones."""
LARGEST = 20_000
"""Maximum size of a file about uses, in bytes."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson that suits an issue. `key` names it across repositories, `own` is whether it is of the same repository,
    `score` how well it helped (0 to 1), and `by` what it has in common with the issue."""

    key: str
    entry: Entry
    own: bool
    score: float
    by: tuple[str, ...]


def lesson_key(bank: Bank, entry: Entry) -> str:
    return f"{bank.folder.name}/{entry.id}"


def without_poor_lesson(bank: Bank, entry: Entry) -> Entry:
    """Return an entry without its lesson if that did not help."""
    if not entry.has_lesson:
        return entry
    score, _ = lesson_score(bank, entry)
    return entry if score >= LEAST_SCORE else replace(entry, cause="", approach="", misled="")


def find_lessons(folder: Path, own: Bank | None, question: ExperienceQuery, most: int = 3) -> list[Lesson]:
    """Return the most suitable lessons in the experience `folder`, those of the repository's `own` bank first.

    A lesson of another repository is only compared by its kinds of fix. Each suitability is weighted by the score.
    """
    scores = lesson_scores(folder)
    found: list[tuple[float, Lesson]] = []
    mine = own.folder.name if own else ""
    for bank in _banks(folder, mine):
        is_own = bank.folder.name == mine
        entries = [entry for entry in bank.entries() if is_usable_entry(entry, question)]
        for entry, similarity, by in _suitable(entries, question, is_own):
            key = lesson_key(bank, entry)
            score, _ = scores.get(key, (START, 0))
            if score >= LEAST_SCORE:
                found.append((similarity * score, Lesson(key, entry, is_own, score, by)))
    found.sort(key=lambda one: (not one[1].own, -one[0], -one[1].entry.at, one[1].key))
    return [lesson for _, lesson in found[:most]]


def _suitable(
    entries: list[Entry], question: ExperienceQuery, own: bool
) -> Iterator[tuple[Entry, float, tuple[str, ...]]]:
    """Yield the entries whose lessons suit the query, with their similarity and what they have in common."""
    if own:
        for match in rank_entries(entries, question, len(entries)):
            if match.entry.has_lesson:
                yield match.entry, match.score, match.by
        return
    asked = set(question.kinds)
    for entry in entries:
        common, every = asked & set(entry.kinds), asked | set(entry.kinds)
        if entry.has_lesson and common and len(common) / len(every) >= LEAST_KINDS:
            yield entry, len(common) / len(every), ("kind",)


def _banks(folder: Path, own: str) -> list[Bank]:
    """Return the banks of all repositories: the own one, then the last changed ones."""
    try:
        folders = [one for one in os.scandir(folder) if one.is_dir() and one.name != USES]
        found = [(one.name == own, one.stat().st_mtime, one.name) for one in folders]
    except OSError:
        return []
    return [Bank(folder / name) for *_, name in sorted(found, reverse=True)[:MOST_BANKS]]


# Scores


def record_use(folder: Path, run: str, lessons: Collection[str], helped: bool, at: float) -> None:
    """Record that a run, or a turn of a session, was shown these lessons, and whether it ended verified. A second
    record of the same run replaces the first. Raises WorkspaceError if it cannot be written."""
    file = folder / USES / f"{run}.json"
    text = json.dumps({"at": at, "helped": helped, "lessons": sorted(lessons)})
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_durably(file, text.encode())
        old = sorted(file.parent.glob("*.json"), key=lambda one: one.name)[:-MOST_USES]
        for one in old:
            one.unlink(missing_ok=True)
    except OSError as error:
        raise WorkspaceError(f"{file} cannot be written: {error.strerror}.", "The use was not saved.") from None


def lesson_score(bank: Bank, entry: Entry) -> tuple[float, int]:
    """Return the score of an entry's lesson, and how many runs were shown it."""
    return lesson_scores(bank.folder.parent).get(lesson_key(bank, entry), (START, 0))


def lesson_scores(folder: Path) -> Mapping[str, tuple[float, int]]:
    """Return the score of each lesson that was shown, and how often it was; files that cannot be read are skipped."""
    found: dict[str, tuple[float, int]] = {}
    for _, helped, lessons in sorted(_uses(folder)):
        for key in lessons:
            score, count = found.get(key, (START, 0))
            found[key] = (round(score + RISE * (1 - score) if helped else score * FALL, 4), count + 1)
    return found


def _uses(folder: Path) -> Iterator[tuple[float, bool, list[str]]]:
    for file in sorted((folder / USES).glob("*.json"))[-MOST_USES:]:
        try:
            with open_regular(file) as opened:
                if os.fstat(opened.fileno()).st_size > LARGEST:
                    continue
                use = json.loads(opened.read(LARGEST))
            at, helped, lessons = float(use["at"]), use["helped"] is True, use["lessons"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            continue
        if 0 <= at <= LATEST and NAME.fullmatch(file.stem) and isinstance(lessons, list):
            yield at, helped, sorted({key for key in lessons if isinstance(key, str)})
