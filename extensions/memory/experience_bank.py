"""The experience bank: outcomes of runs, kept for later runs of the same repository as small files that people can
read, edit and delete.

Successes and failures are kept apart (SWE-Exp, arXiv 2507.23361; ExpeRepair, arXiv 2506.10484). An entry records facts
that are read off a run's records; a model writes only the `LESSON` fields, if the user names one for that. Texts come
from other people, so they are treated as data, not as instructions.
"""

from __future__ import annotations

import json
import math
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from glob import escape
from pathlib import Path
from typing import Any, Literal

from trajectories.errors import UsageError, WorkspaceError
from trajectories.file_limits import open_regular
from trajectories.journal import write_durably
from trajectories.records import Trust

Outcome = Literal["worked", "failed"]
MOST, LARGEST = 300, 50_000
"""Maximum number of accepted entries that are kept for a repository (the newest), and of entries that await acceptance;
maximum size of an entry in bytes."""
MOST_FILES = 10_000
"""Maximum number of entries that are read, because entries from other machines may have been copied here."""
SHORT = 40
"""A list whose texts are all shorter than this number of characters is written on one line of a file, regardless of how
many there are."""
NAME = re.compile(r"[\w.-]{1,100}")
TEXT, PLACE, KIND, ERROR = 0.45, 0.35, 0.10, 0.10
"""Weights of the similarities in the score: text, place, kind of fix and error."""
LATEST = 1 << 36
"""Latest valid time, in seconds since the epoch; calendars cannot represent much later ones."""
LEAST = 0.36
"""Minimum score of an entry that is used; unrelated entries cost tokens and mislead the model."""
LESSON = ("cause", "approach", "misled")
"""The fields of an entry that a model writes: the lesson in words (see `extensions/memory/lesson_search.py`)."""
FILE = 0.6
"""Similarity of two places in the same file; it is 1 for the same definition."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The outcome of one run, or of one turn of a session. `trust` is the trust level of the issue's least trusted
    author; an entry to which a stranger contributed is not used until it is `accepted`. `committed` is the time of the
    run's base commit, in seconds since the epoch.

    `places` have the form `path` or `path:Class.method`, `kinds` are defined in `aci/history/fix_kinds.py`, and
    `change` is the truncated source diff. `dead_ends` are earlier patches that were submitted but not proven, each with
    its failures. `cause` is what was wrong in general terms, `approach` what to do about it, and `misled` what looked
    right and was not; they are "" if no model wrote a lesson.
    """

    id: str
    outcome: Outcome
    run: str
    issue: str
    url: str = ""
    author: str = ""
    trust: Trust = "stranger"
    accepted: bool = False
    at: float = 0.0
    base: str = ""
    committed: int = 0
    ended: str = ""
    symptom: str = ""
    errors: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    change: str = ""
    tests: tuple[str, ...] = ()
    summary: str = ""
    dead_ends: tuple[str, ...] = ()
    cause: str = ""
    approach: str = ""
    misled: str = ""

    @property
    def has_lesson(self) -> bool:
        return bool(self.cause or self.approach)


@dataclass(frozen=True, slots=True)
class ExperienceQuery:
    """A query: the words of a symptom with their frequencies, the errors raised, the most likely places (best first)
    and the kinds of fix.

    An entry is excluded if its base is later than `committed`, if it solved the issue itself (`issue`, `url`), since it
    would give away the answer, or if it comes from the querying `run`."""

    words: Mapping[str, float] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    issue: str = ""
    url: str = ""
    committed: int | None = None
    run: str = ""


@dataclass(frozen=True, slots=True)
class ExperienceMatch:
    """An entry, its similarity to the query (0 to 1), and what they have in common: `symptom`, `place`, `kind`."""

    entry: Entry
    score: float
    by: tuple[str, ...]


class Bank:
    """The entries of one repository, in `folder`, which need not exist. Processes may share it: each entry is a file
    that is written atomically."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __bool__(self) -> bool:
        return any(True for _ in self._files())

    def entries(self, trouble: list[str] | None = None) -> list[Entry]:
        """Return all entries, newest first. Unreadable ones are skipped and reported in `trouble`."""
        found = []
        for count, file in enumerate(self._files()):
            if count >= MOST_FILES:
                if trouble is not None:
                    trouble.append(f"{self.folder} has more than {MOST_FILES:,} entries; the others are not read.")
                break
            try:
                found.append(_read(file))
            except (OSError, ValueError, TypeError, RecursionError) as error:
                if trouble is not None:
                    trouble.append(f"{file} cannot be read: {error}. Fix it, or remove it.")
        return sorted(found, key=lambda entry: (-entry.at, entry.id))

    def add(self, entry: Entry, about: Mapping[str, str] | None = None) -> None:
        """Save an entry; it replaces an earlier one with the same id. `about` describes the repository to readers. An
        entry with the same content as a usable one is not saved. Raises WorkspaceError if it cannot be written."""
        same = [other for other in self.entries() if other.id != entry.id and _facts(other) == _facts(entry)]
        known = any(other.accepted or not entry.accepted for other in same)
        file = self._file(entry)
        try:
            if not known:
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_durably(file, _written(_table(entry)).encode("utf-8", "replace"))
                if about:
                    write_durably(self.folder / "repository.toml", _written(about).encode("utf-8", "replace"))
            gone = [other for other in self._files(entry.id) if known or other != file]
            kept = self.entries()
            old = [each for open in (True, False) for each in [one for one in kept if one.accepted == open][MOST:]]
            for other in (*gone, *map(self._file, old)):
                other.unlink(missing_ok=True)
        except OSError as error:
            raise WorkspaceError(f"{file} cannot be written: {error.strerror}.", "The entry was not saved.") from None

    def named(self, name: str) -> Entry:
        """Return the entry with this id, or the only one whose id starts with it. Raises UsageError."""
        known = [entry for entry in self.entries() if name and entry.id.startswith(name)]
        exact = [entry for entry in known if entry.id == name]
        if len(exact or known) != 1:
            what = f"{len(known)} entries begin with {name!r}" if known else f"There is no entry named {name!r}"
            raise UsageError(f"{what}.", "`swe-agent experience list` lists them.")
        return (exact or known)[0]

    def accept(self, entry: Entry) -> Entry:
        """Let later runs use an entry. Raises WorkspaceError."""
        accepted = replace(entry, accepted=True)
        self.add(accepted)
        return accepted

    def forget(self, entry: Entry) -> None:
        """Delete an entry. Raises WorkspaceError."""
        try:
            self._file(entry).unlink(missing_ok=True)
        except OSError as error:
            raise WorkspaceError(f"{self._file(entry)} cannot be removed: {error.strerror}.", "") from None

    def find(self, question: ExperienceQuery, most: int = 3) -> list[ExperienceMatch]:
        """Return the usable entries that are most similar to the query, best first."""
        return rank_entries([entry for entry in self.entries() if is_usable_entry(entry, question)], question, most)

    def _file(self, entry: Entry) -> Path:
        return self.folder / entry.outcome / f"{entry.id}.toml"

    def _files(self, id: str = "") -> Iterator[Path]:
        """Yield the files of entries with this id, or of all entries."""
        for outcome in ("worked", "failed"):
            yield from self.folder.glob(f"{outcome}/{escape(id) or '*'}.toml")


def oldest_run(folder: Path) -> str:
    """Return the run that made the oldest entry in `folder`; "" if there is none."""
    entries = Bank(folder).entries()
    return entries[-1].run if entries else ""


def is_usable_entry(entry: Entry, question: ExperienceQuery) -> bool:
    """Return whether a run may use an entry: the entry is accepted, comes from another run, has no later base, and does
    not solve the same issue."""
    later = question.committed is not None and entry.committed > question.committed
    same = bool(entry.url and entry.url == question.url) or _plain(entry.issue) == _plain(question.issue)
    own = bool(question.run) and entry.run == question.run
    return entry.accepted and not own and not later and not (same and entry.outcome == "worked")


def rank_entries(
    entries: Sequence[Entry], question: ExperienceQuery, most: int = 3, least: float = LEAST
) -> list[ExperienceMatch]:
    """Return the best matches among the entries, at most `most`, each with a score of at least `least`. Rare words
    weigh more than common ones."""
    have = Counter(word for entry in entries for word in set(entry.words))
    rare = {word: math.log(1 + len(entries) / count) for word, count in have.items()}
    unknown = math.log(1 + len(entries))
    asked = {word: (1 + math.log(max(count, 1))) * rare.get(word, unknown) for word, count in question.words.items()}
    length = math.sqrt(sum(weight * weight for weight in asked.values()))
    found = [_compared(entry, question, asked, length, rare) for entry in entries]
    likest = sorted(found, key=lambda one: (-one.score, -one.entry.at, one.entry.id))
    return [one for one in likest[:most] if one.score >= least]


def _compared(
    entry: Entry, question: ExperienceQuery, asked: Mapping[str, float], length: float, rare: Mapping[str, float]
) -> ExperienceMatch:
    own = math.sqrt(sum(rare[word] ** 2 for word in entry.words))
    shared = sum(asked.get(word, 0.0) * rare[word] for word in entry.words)
    text = shared / (length * own) if length and own else 0.0
    place = _same_place(entry.places, question.places)
    kind = len(set(entry.kinds) & set(question.kinds)) / len(set(question.kinds)) if question.kinds else 0.0
    error = max((_alike(one, other) for one in entry.errors for other in question.errors), default=0.0)
    score = TEXT * math.sqrt(text) + PLACE * place + KIND * kind + ERROR * error
    by = {"symptom": text > 0.1 or error > 0.5, "place": place > 0.3, "kind": kind > 0}
    return ExperienceMatch(entry, round(score, 4), tuple(name for name, holds in by.items() if holds))


def _same_place(places: Sequence[str], likely: Sequence[str]) -> float:
    """Return 1 if an entry contains the most likely definition; less if it contains only a lower-ranked definition or
    the same file."""
    own, files = set(places), {_file(place) for place in places}
    best = 0.0
    for rank, place in enumerate(likely):
        worth = 1 / math.sqrt(1 + rank / 2)
        best = max(best, worth if place in own and ":" in place else FILE * worth if _file(place) in files else 0.0)
    return best


def _file(place: str) -> str:
    return place.partition(":")[0]


def _alike(error: str, other: str) -> float:
    """Return the share of words, including the exception's class, that two error messages have in common."""
    one, two = set(re.findall(r"\w+", error.lower())), set(re.findall(r"\w+", other.lower()))
    return len(one & two) / len(one | two) if one and two else 0.0


def _plain(title: str) -> str:
    return " ".join(title.lower().split())


def _facts(entry: Entry) -> tuple[object, ...]:
    return entry.outcome, entry.issue, entry.url, entry.places, entry.change, entry.dead_ends


# An entry as a file

_KINDS = {each.name: str(each.type) for each in fields(Entry)}


def _table(entry: Entry) -> dict[str, Any]:
    """Return an entry's fields, without a lesson that it does not have: earlier versions refuse unknown fields."""
    return {name: value for name, value in asdict(entry).items() if value or name not in LESSON}


def _written(table: Mapping[str, Any]) -> str:
    """Return a table as TOML. JSON strings are valid TOML, except for DEL (escaped) and lone surrogates (replaced)."""
    return "".join(f"{name} = {_value(value)}\n" for name, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        parts = [_value(part) for part in value]
        whole = ", ".join(parts)
        return (
            f"[{whole}]"
            if len(whole) < 100 or max(map(len, value)) < SHORT
            else "[\n" + "".join(f"  {part},\n" for part in parts) + "]"
        )
    if isinstance(value, str):
        text = re.sub("[\ud800-\udfff]", "�", value)
        quoted = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
        return _block(text) if "\n" in text and _block(text) else quoted
    return "true" if value is True else "false" if value is False else repr(value)


def _block(text: str) -> str:
    """Return text as a multi-line literal string, or "" if it contains something that must be escaped."""
    plain = "'''" not in text and not text.endswith("'") and re.fullmatch(r"[^\x00-\x08\x0b-\x1f\x7f]*", text)
    return f"'''\n{text}'''" if plain else ""


def _read(file: Path) -> Entry:
    """Return the entry in a file. Raises ValueError, TypeError or OSError if the file does not hold a valid entry."""
    with open_regular(file) as opened:
        if os.fstat(opened.fileno()).st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        table = tomllib.loads(opened.read(LARGEST + 1).decode("utf-8"))
    if strange := sorted(table.keys() - _KINDS.keys()):
        raise ValueError(f"unknown field {strange[0]!r}")
    entry = Entry(**{name: _checked(name, value) for name, value in table.items()})
    if entry.id != file.stem or not NAME.fullmatch(entry.id) or entry.outcome != file.parent.name:
        raise ValueError("its id and outcome do not match its path")
    if not 0 <= entry.at <= LATEST:
        raise ValueError("at is not a valid time")
    return entry


def _checked(name: str, value: Any) -> Any:
    kind = _KINDS[name]
    if kind.startswith("tuple"):
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise ValueError(f"{name} is not a list of strings")
        return tuple(value)
    if kind == "Trust" and value not in ("user", "member", "stranger"):
        raise ValueError(f"trust cannot be {value!r}")
    kinds: dict[str, tuple[type, ...]] = {"float": (float, int), "int": (int,), "bool": (bool,)}
    wanted = kinds.get(kind, (str,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
        raise ValueError(f"{name} is not of type {kind.lower()}")
    return value


def combine_word_counts(texts: Iterable[Counter[str]], weights: Sequence[float]) -> dict[str, float]:
    """Add up the word counts of several texts for one query, each multiplied by the weight of its text."""
    together: Counter[str] = Counter()
    for counts, weight in zip(texts, weights, strict=True):
        for word, count in counts.items():
            together[word] += count * weight  # type: ignore[assignment]
    return dict(together)
