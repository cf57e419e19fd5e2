"""Which of several plausible edits to believe: what they do on inputs made around those of the tests decides.

That the behaviour most edits agree on is the likeliest is CodeT's idea (Chen et al., 2022), there for samples of a
model. That a right patch keeps what passing tests saw, and changes what failing ones saw, is Patch-Sim's (Xiong et
al., 2018). Both are weighed here with how likely each edit was before it was run.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aci.behaviours import LATE, Answers, Input, ask_all
from aci.candidates import Candidate, Evaluator
from agent.repair.marks import ACCIDENTS, Look, looks_of
from agent.repair.source import Source
from agent.repair.words import counted, why_believed

SECONDS = 120.0
"""For all answers, by the clock, where nobody says less; they are few enough for some CPU seconds."""
LEAST_SECONDS = 1.0
"""Where less is left, nothing is asked."""
SHOWN, TOLD = 3, 2
"""Behaviours that are shown side by side, and inputs that tell them apart."""
FEW = 2
"""With so few failing tests, or different inputs in them, an edit that passes them may still be a wrong one."""
RUNNER = re.compile(r"_?pytest|pytest_\w+|pluggy|unittest")
"""Packages and modules that run tests, and pytest's plug-ins."""
NEARLY = 16
"""Edits whose sizes differ by less than so many bytes are of one size; then the likelier is shown."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Plausible edits that answer alike on all inputs: the one to show, then the others.

    `why` says why it is believed and what speaks against it, in sentences. `doubt` says why it is not to be taken for
    right without somebody's looking at it, were those before it refuted, "" where nothing does; `special` is the part
    of it that nobody can lift who does not know the tests: it is made for their values, or changes what runs them.
    """

    candidate: Candidate
    alike: tuple[Candidate, ...] = ()
    share: float = 0.0
    """How much of the belief in all edits is in this behaviour's."""
    why: str = ""
    doubt: str = ""
    special: str = ""


@dataclass(frozen=True, slots=True)
class Telling:
    """An input that tells behaviours apart, as text, and what the first of them answer to it, in their order."""

    input: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Behaviours, the one to believe first, and inputs that tell the first three apart.

    `doubt` is the first behaviour's. `inputs` is how many calls were answered, `pinned` how many different ones of the
    failing tests the first mends.
    """

    behaviours: tuple[Behaviour, ...] = ()
    telling: tuple[Telling, ...] = ()
    doubt: str = ""
    inputs: int = 0
    pinned: int = 0


def choose(
    evaluator: Evaluator,
    hits: Sequence[Candidate],
    failing: Sequence[str],
    passing: Sequence[str],
    limit: float,
    sources: Sequence[Source] = (),
    hints: Sequence[str] = (),
    seconds: float = SECONDS,
    sought: bool = True,
) -> Choice:
    """Group the hits by behaviour on calls recorded from these tests and varied, and put the likeliest group first.

    `limit`: CPU seconds a call; `hints`: literals of the failing tests, as texts; `seconds`: how long it may take by
    the clock, what was not answered then is doubted; `sought`: others were looked for after the first hit, as long as
    is usual. Raises UsageError, Cancelled.
    """
    if not hits:
        return Choice()
    answers = Answers(given=((),) * len(hits), silent=frozenset(range(len(hits))))
    if seconds >= LEAST_SECONDS:
        answers = ask_all(evaluator, hits, failing, passing, limit, seconds)
    return judge(hits, answers, len(failing), {source.path: source.data for source in sources}, hints, sought)


def judge(
    hits: Sequence[Candidate],
    answers: Answers,
    failing: int,
    files: Mapping[str, bytes],
    hints: Sequence[str] = (),
    sought: bool = True,
) -> Choice:
    """The choice by what the hits answered; `failing` tests were mended, `files` hold the paths' bytes. The rest as in
    `choose`."""
    looks = looks_of(hits, answers, files, hints)
    weights = [hit.score * look.mark for hit, look in zip(hits, looks, strict=True)]
    agreed = agreements(answers, weights)
    groups = _groups(answers, looks, sorted(range(len(hits)), key=lambda index: (-hits[index].score, index)))
    for group in groups:
        group.sort(key=lambda index: (bool(looks[index].special), _size(hits[index]) // NEARLY, -weights[index], index))
    beliefs = [max(agreed[index] * weights[index] for index in group) for group in groups]
    order = sorted(range(len(groups)), key=lambda number: (-beliefs[number], groups[number][0]))
    groups, total = [groups[number] for number in order], sum(beliefs) or 1.0
    shares = [beliefs[number] / total for number in order]
    found = [
        Behaviour(
            hits[group[0]],
            tuple(hits[index] for index in group[1:]),
            round(share, 3),
            doubt=_of_runner(hits[group[0]].path) or _doubt(answers, looks, groups[place:], failing, sought),
            special=_of_runner(hits[group[0]].path) or _sentence(looks[group[0]].special),
        )
        for place, (group, share) in enumerate(zip(groups, shares, strict=True))
    ]
    telling = _telling(answers, [group[0] for group in groups[:SHOWN]])
    choice = Choice(tuple(found), telling, found[0].doubt, len(answers.inputs), looks[groups[0][0]].pinned)
    notes = [looks[group[0]].special for group in groups]
    told = (replace(one, why=why_believed(choice, place, notes[place])) for place, one in enumerate(found))
    return replace(choice, behaviours=tuple(told))


def agreements(answers: Answers, weights: Sequence[float]) -> list[float]:
    """For each hit the share of all weight that answers as it does, as a mean over the inputs it was asked.

    An answer of its own has its own weight's share; accidents (an index out of range, no end in time) have no friends.
    """
    total = [0.0] * len(weights)
    asked = [0] * len(weights)
    for column in zip(*answers.given, strict=True):
        votes: dict[str, float] = defaultdict(float)
        for answer, weight in zip(column, weights, strict=True):
            if answer:
                votes[answer] += weight
        every = sum(votes.values()) or 1.0
        for index, answer in enumerate(column):
            if answer:
                asked[index] += 1
                total[index] += 0.0 if answer in ACCIDENTS else votes[answer] / every
    whole = sum(weights) or 1.0
    return [total[index] / asked[index] if asked[index] else weights[index] / whole for index in range(len(weights))]


def _groups(answers: Answers, looks: Sequence[Look], order: Sequence[int]) -> list[list[int]]:
    """Hits that answer alike wherever both were asked; those that cannot be compared stand for themselves. One that
    changes no answer to a call of the failing tests cannot: what the tests look at is not in the answers."""
    groups: list[list[int]] = []
    for index in order:
        others = (group for group in groups if looks[group[0]].pinned and looks[index].pinned)
        home = next((group for group in others if _alike(answers.given[group[0]], answers.given[index])), None)
        if home is None:
            groups.append([index])
        else:
            home.append(index)
    return groups


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    both = [(a, b) for a, b in zip(one, other, strict=True) if a and b]
    return bool(both) and all(a == b for a, b in both)


def _doubt(answers: Answers, looks: Sequence[Look], groups: Sequence[Sequence[int]], failing: int, sought: bool) -> str:
    """Why the first of these groups is not to be taken for right, in a sentence."""
    first = groups[0][0]
    look = looks[first]
    if look.special:
        return _sentence(look.special)
    if not look.answered:
        return "What the edit does beside the tests could not be looked at: it gave no answer in time."
    few = min(failing, look.pinned or failing)
    if few > FEW:
        return ""
    apart = [group[0] for group in groups[1:] if not _is_comparable(answers, looks, first, group[0])]
    differ = [
        group[0]
        for group in groups[1:]
        if group[0] not in apart and _may_differ(answers.given[first], answers.given[group[0]])
    ]
    rivals = differ or apart
    reason = "only one failing input says" if few == 1 else f"only {counted(few)} failing inputs say"
    if not rivals:
        unsought = f"There was no time to look for other edits that pass the tests, and {reason} what is right."
        return "" if sought else unsought
    one = len(rivals) == 1
    others = "Another edit passes" if one else f"{counted(len(rivals)).capitalize()} other ways to change it pass"
    how = f"{'behaves' if one else 'behave'} otherwise" if differ else "could not be compared with it"
    return f"{others} the same tests and {how}, and {reason} what is right."


def _of_runner(path: str) -> str:
    """Why an edit of a test runner is doubted: with `raise` taken out of it all tests pass."""
    judges = any(RUNNER.fullmatch(part) for part in path.removesuffix(".py").split("/"))
    return "The edit is in what runs the tests, and so judges itself." if judges else ""


def _sentence(special: str) -> str:
    return f"The edit {special}." if special else ""


def _is_comparable(answers: Answers, looks: Sequence[Look], one: int, other: int) -> bool:
    """Whether answers show what both do: each changes one to a call of the failing tests, and some were asked both."""
    asked = zip(answers.given[one], answers.given[other], strict=True)
    return bool(looks[one].pinned and looks[other].pinned) and any(a and b for a, b in asked)


def _may_differ(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two differ in more than that one of them takes too long."""
    return any(a and b and a != b and LATE not in (a, b) for a, b in zip(one, other, strict=True))


def _telling(answers: Answers, first: Sequence[int]) -> tuple[Telling, ...]:
    """The fewest and shortest inputs that tell these hits apart; calls that a user of the repository makes first."""
    rows = list(zip(answers.inputs, *(answers.given[index] for index in first), strict=True))
    apart = {(a, b) for a in range(len(first)) for b in range(a)}
    found: list[Telling] = []
    while apart and len(found) < TOLD:
        best = max(rows, key=lambda row: _tells(row[0], row[1:], apart), default=None)
        split = {pair for pair in apart if best and _differs(best[1:], pair)}
        if best is None or not split:
            break
        found.append(Telling(best[0].text, tuple(answers.text(answer) for answer in best[1:])))
        apart -= split
    return tuple(found)


def _tells(one: Input, given: Sequence[str], apart: set[tuple[int, int]]) -> tuple[int, bool, bool, int]:
    """How well an input tells hits apart: pairs told apart, made by tests' own way in, nobody raises, short."""
    split = sum(_differs(given, pair) for pair in apart)
    return split, one.entry, not any(answer.startswith("!") for answer in given), -len(one.text)


def _differs(given: Sequence[str], pair: tuple[int, int]) -> bool:
    one, other = given[pair[0]], given[pair[1]]
    return bool(one) and bool(other) and one != other


def _size(hit: Candidate) -> int:
    """Bytes that an edit takes out and puts in."""
    return sum(len(text.encode()) + end - start for start, end, text in hit.edits)
