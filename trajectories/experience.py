"""What runs have come to, kept for later runs of the same repository: small files that people read, edit and delete.

What worked and what failed are kept apart (SWE-Exp, arXiv 2507.23361; ExpeRepair, arXiv 2506.10484), and an entry says
what happened, not what somebody makes of it: no model writes here. Text in it is somebody's words, so data.
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
from trajectories.journal import write_durably
from trajectories.limits import open_regular
from trajectories.records import Trust

Outcome = Literal["worked", "failed"]
MOST, LARGEST = 300, 50_000
"""Entries of a repository that are kept, the newest, and as many that wait for `accept`; bytes of one that is read."""
MOST_FILES = 10_000
"""Entries that are read at all: those of other machines may have been copied here."""
SHORT = 40
"""Characters of texts that stand beside each other in a line of a file, however many."""
NAME = re.compile(r"[\w.-]{1,100}")
TEXT, PLACE, KIND, ERROR = 0.45, 0.35, 0.10, 0.10
"""What each likeness counts."""
LATEST = 1 << 36
"""Seconds since the epoch; later is no time that a calendar has."""
LEAST = 0.36
"""Below it nothing is told: an entry that has nothing to do with the issue costs tokens and misleads."""
FILE = 0.6
"""What the same file counts, where the same definition counts 1."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One run, or one turn of a session. `trust` is that of the least trusted who had a say in the issue; what a
    stranger had a say in waits until it is `accepted`. `committed` is when the run's base was made, in seconds
    since the epoch.

    `places` are `path` or `path:Class.method`, `kinds` those of `aci/fix_kinds.py`, `change` the source diff, cut;
    `dead_ends` what was handed in and not proven before the end, and what then failed.
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


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for: the words of a symptom and how often each is said, what was raised, the likeliest places (the
    likeliest first) and kinds of fix. Nothing is found of a base that is later than `committed`, nor what solved the
    issue itself (`issue`, `url`): that would be the answer. Nor of the run that asks, which knows it."""

    words: Mapping[str, float] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    issue: str = ""
    url: str = ""
    committed: int | None = None
    run: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry, how like the question it is (0 to 1), and by what: `symptom`, `place`, `kind`."""

    entry: Entry
    score: float
    by: tuple[str, ...]


class Bank:
    """The entries of one repository, in `folder`, which need not be there. Processes may share it: each entry is a file
    that is written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __bool__(self) -> bool:
        return any(True for _ in self._files())

    def entries(self, trouble: list[str] | None = None) -> list[Entry]:
        """All of them, newest first. What cannot be read is passed over, and told in `trouble`."""
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
                    trouble.append(f"{file} cannot be read: {error}. Mend it, or remove it.")
        return sorted(found, key=lambda entry: (-entry.at, entry.id))

    def add(self, entry: Entry, about: Mapping[str, str] | None = None) -> None:
        """Keep an entry, in the place of an earlier one of this id; `about` says to readers what repository it is. What
        says the same as one that may be read already is not kept. Raises WorkspaceError where it cannot be written."""
        same = [other for other in self.entries() if other.id != entry.id and _says(other) == _says(entry)]
        known = any(other.accepted or not entry.accepted for other in same)
        file = self._file(entry)
        try:
            if not known:
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_durably(file, _written(asdict(entry)).encode("utf-8", "replace"))
                if about:
                    write_durably(self.folder / "repository.toml", _written(about).encode("utf-8", "replace"))
            gone = [other for other in self._files(entry.id) if known or other != file]
            kept = self.entries()
            old = [each for open in (True, False) for each in [one for one in kept if one.accepted == open][MOST:]]
            for other in (*gone, *map(self._file, old)):
                other.unlink(missing_ok=True)
        except OSError as error:
            raise WorkspaceError(f"{file} cannot be written: {error.strerror}.", "Nothing was kept of it.") from None

    def named(self, name: str) -> Entry:
        """The entry of this id, or of the only one that begins so. Raises UsageError."""
        known = [entry for entry in self.entries() if name and entry.id.startswith(name)]
        exact = [entry for entry in known if entry.id == name]
        if len(exact or known) != 1:
            what = f"{len(known)} entries begin with {name!r}" if known else f"There is no entry named {name!r}"
            raise UsageError(f"{what}.", "`swe-agent experience list` lists them.")
        return (exact or known)[0]

    def accept(self, entry: Entry) -> Entry:
        """Let later runs read it. Raises WorkspaceError."""
        accepted = replace(entry, accepted=True)
        self.add(accepted)
        return accepted

    def forget(self, entry: Entry) -> None:
        """Raises WorkspaceError."""
        try:
            self._file(entry).unlink(missing_ok=True)
        except OSError as error:
            raise WorkspaceError(f"{self._file(entry)} cannot be removed: {error.strerror}.", "") from None

    def find(self, question: Question, most: int = 3) -> list[Found]:
        """The entries that may be used and are most like the question, the likest first."""
        return found_in([entry for entry in self.entries() if is_open(entry, question)], question, most)

    def _file(self, entry: Entry) -> Path:
        return self.folder / entry.outcome / f"{entry.id}.toml"

    def _files(self, id: str = "") -> Iterator[Path]:
        """Those of an id, or all."""
        for outcome in ("worked", "failed"):
            yield from self.folder.glob(f"{outcome}/{escape(id) or '*'}.toml")


def is_open(entry: Entry, question: Question) -> bool:
    """Whether a run may read it: accepted, another's, of no later base, and no solution of the very issue."""
    later = question.committed is not None and entry.committed > question.committed
    same = bool(entry.url and entry.url == question.url) or _plain(entry.issue) == _plain(question.issue)
    own = bool(question.run) and entry.run == question.run
    return entry.accepted and not own and not later and not (same and entry.outcome == "worked")


def found_in(entries: Sequence[Entry], question: Question, most: int = 3, least: float = LEAST) -> list[Found]:
    """The likest of these entries, from a score of `least` on. Words are weighed by how few entries have them."""
    have = Counter(word for entry in entries for word in set(entry.words))
    rare = {word: math.log(1 + len(entries) / count) for word, count in have.items()}
    unknown = math.log(1 + len(entries))
    asked = {word: (1 + math.log(max(count, 1))) * rare.get(word, unknown) for word, count in question.words.items()}
    length = math.sqrt(sum(weight * weight for weight in asked.values()))
    found = [_compared(entry, question, asked, length, rare) for entry in entries]
    likest = sorted(found, key=lambda one: (-one.score, -one.entry.at, one.entry.id))
    return [one for one in likest[:most] if one.score >= least]


def _compared(
    entry: Entry, question: Question, asked: Mapping[str, float], length: float, rare: Mapping[str, float]
) -> Found:
    own = math.sqrt(sum(rare[word] ** 2 for word in entry.words))
    shared = sum(asked.get(word, 0.0) * rare[word] for word in entry.words)
    text = shared / (length * own) if length and own else 0.0
    place = _same_place(entry.places, question.places)
    kind = len(set(entry.kinds) & set(question.kinds)) / len(set(question.kinds)) if question.kinds else 0.0
    error = max((_alike(one, other) for one in entry.errors for other in question.errors), default=0.0)
    score = TEXT * math.sqrt(text) + PLACE * place + KIND * kind + ERROR * error
    by = {"symptom": text > 0.1 or error > 0.5, "place": place > 0.3, "kind": kind > 0}
    return Found(entry, round(score, 4), tuple(name for name, holds in by.items() if holds))


def _same_place(places: Sequence[str], likely: Sequence[str]) -> float:
    """1 where the likeliest definition is the same; less the further down it stands, or if only the file is."""
    own, files = set(places), {_file(place) for place in places}
    best = 0.0
    for rank, place in enumerate(likely):
        worth = 1 / math.sqrt(1 + rank / 2)
        best = max(best, worth if place in own and ":" in place else FILE * worth if _file(place) in files else 0.0)
    return best


def _file(place: str) -> str:
    return place.partition(":")[0]


def _alike(error: str, other: str) -> float:
    """The share of words that two messages have in common; the class of the error is one of them."""
    one, two = set(re.findall(r"\w+", error.lower())), set(re.findall(r"\w+", other.lower()))
    return len(one & two) / len(one | two) if one and two else 0.0


def _plain(title: str) -> str:
    return " ".join(title.lower().split())


def _says(entry: Entry) -> tuple[object, ...]:
    return entry.outcome, entry.issue, entry.url, entry.places, entry.change, entry.dead_ends


# An entry as a file

_KINDS = {each.name: str(each.type) for each in fields(Entry)}


def _written(table: Mapping[str, Any]) -> str:
    """TOML; JSON's strings are TOML's but for one character, and for halves of pairs, which are no text."""
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
    """Lines as lines, where nothing in them has to be escaped."""
    plain = "'''" not in text and not text.endswith("'") and re.fullmatch(r"[^\x00-\x08\x0b-\x1f\x7f]*", text)
    return f"'''\n{text}'''" if plain else ""


def _read(file: Path) -> Entry:
    """Raises ValueError, TypeError or OSError for what is no entry."""
    with open_regular(file) as opened:
        if os.fstat(opened.fileno()).st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        table = tomllib.loads(opened.read(LARGEST + 1).decode("utf-8"))
    if strange := sorted(table.keys() - _KINDS.keys()):
        raise ValueError(f"an entry has no {strange[0]!r}")
    entry = Entry(**{name: _checked(name, value) for name, value in table.items()})
    if entry.id != file.stem or not NAME.fullmatch(entry.id) or entry.outcome != file.parent.name:
        raise ValueError("it is not where an entry of its id and outcome lies")
    if not 0 <= entry.at <= LATEST:
        raise ValueError("at is no time")
    return entry


def _checked(name: str, value: Any) -> Any:
    kind = _KINDS[name]
    if kind.startswith("tuple"):
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise ValueError(f"{name} is no list of texts")
        return tuple(value)
    if kind == "Trust" and value not in ("user", "member", "stranger"):
        raise ValueError(f"trust cannot be {value!r}")
    kinds: dict[str, tuple[type, ...]] = {"float": (float, int), "int": (int,), "bool": (bool,)}
    wanted = kinds.get(kind, (str,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
        raise ValueError(f"{name} is no {kind.lower()}")
    return value


def by_words(texts: Iterable[Counter[str]], weights: Sequence[float]) -> dict[str, float]:
    """Counted words of several texts as one question's, each text with its weight."""
    together: Counter[str] = Counter()
    for counts, weight in zip(texts, weights, strict=True):
        for word, count in counts.items():
            together[word] += count * weight  # type: ignore[assignment]
    return dict(together)
