"""The choice among several plausible edits, by their behaviour on variations of the tests' inputs.

CodeT (Chen et al., 2022) prefers the behaviour that most samples of a model agree on. Patch-Sim (Xiong et al., 2018)
expects a correct patch to keep the behaviour of passing tests and to change that of failing ones. Both ideas are
combined here with the prior likelihood of each edit.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from extensions.experiment.evaluator.candidate_answers import LATE, AnswerInput, CandidateAnswers, collect_answers
from extensions.experiment.evaluator.candidate_evaluator import Candidate, Evaluator
from extensions.experiment.source.source_file import Source
from extensions.repair.behaviour_choice import Behaviour, BehaviourDifference, Choice, describe_evidence
from extensions.repair.edit_confidence import ACCIDENTS, AnswerCheck, check_hits
from extensions.repair.edit_descriptions import number_in_words

SECONDS = 120.0
"""Default wall-clock limit, in seconds, for collecting all answers, which takes only a few CPU seconds."""
LEAST_SECONDS = 1.0
"""Minimum number of seconds that must be left to run any inputs."""
SHOWN, TOLD = 3, 2
"""Maximum number of behaviours shown side by side, and of shown inputs that distinguish them."""
FEW = 3
"""Number of failing tests, or of different inputs in them, up to which an edit that passes the tests may still be
wrong."""
MANY_RIVALS = 2
"""Number of other behaviours that pass the tests, from which on an edit may be wrong however many tests failed."""
STRONG_RIVALS = 0.25
"""Share of the confidence in all remaining edits, from which on rivals with other behaviour cast doubt on an edit
however many tests failed."""
ENOUGH_INPUTS = 5
"""Number of different failing inputs up to which an edit that keeps code from running may be wrong."""
RUNNER = re.compile(r"_?pytest|pytest_\w+|pluggy|unittest")
"""Names of packages and modules that run tests, including pytest plugins."""
NEARLY = 16
"""Size difference, in bytes, below which two edits count as equally long, so that the likelier one is shown."""


def choose_edit(
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
    """Group the plausible edits by their behaviour on calls recorded from these tests and on variations of these calls,
    likeliest group first.

    `limit`: the maximum number of CPU seconds for each call. `hints`: literals from the failing tests, as source text.
    `seconds`: the wall-clock limit for all calls; edits that give no answer in this time are reported as doubtful.
    `sought`: whether the search continued long enough after the first plausible edit to find others. Raises UsageError,
    Cancelled.
    """
    if not hits:
        return Choice()
    answers = CandidateAnswers(given=((),) * len(hits), silent=frozenset(range(len(hits))))
    if seconds >= LEAST_SECONDS:
        answers = collect_answers(evaluator, hits, failing, passing, limit, seconds)
    return judge_hits(hits, answers, len(failing), {source.path: source.data for source in sources}, hints, sought)


def judge_hits(
    hits: Sequence[Candidate],
    answers: CandidateAnswers,
    failing: int,
    files: Mapping[str, bytes],
    hints: Sequence[str] = (),
    sought: bool = True,
) -> Choice:
    """Return the choice based on the answers of the plausible edits.

    `failing` is the number of tests that were fixed. `files` maps paths to contents. For the other arguments, see
    `choose_edit`.
    """
    looks = check_hits(hits, answers, files, hints)
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
            doubt=_of_runner(hits[group[0]].path)
            or _doubt(answers, looks, list(zip(groups, shares, strict=True))[place:], failing, sought),
            special=_of_runner(hits[group[0]].path) or _sentence(looks[group[0]].special),
        )
        for place, (group, share) in enumerate(zip(groups, shares, strict=True))
    ]
    telling = _distinguishing_inputs(answers, [group[0] for group in groups[:SHOWN]])
    choice = Choice(tuple(found), telling, found[0].doubt, len(answers.inputs), looks[groups[0][0]].pinned)
    notes = [looks[group[0]].special for group in groups]
    explained = (replace(one, why=describe_evidence(choice, place, notes[place])) for place, one in enumerate(found))
    return replace(choice, behaviours=tuple(explained))


def agreements(answers: CandidateAnswers, weights: Sequence[float]) -> list[float]:
    """Return, for each edit, the share of the total weight of the edits that give the same answer, averaged over the
    inputs on which the edit was run.

    An edit with a unique answer gets only the share of its own weight. Unintended answers, such as an IndexError or a
    timeout, get no share.
    """
    total = [0.0] * len(weights)
    answered = [0] * len(weights)
    for column in zip(*answers.given, strict=True):
        votes: dict[str, float] = defaultdict(float)
        for answer, weight in zip(column, weights, strict=True):
            if answer:
                votes[answer] += weight
        every = sum(votes.values()) or 1.0
        for index, answer in enumerate(column):
            if answer:
                answered[index] += 1
                total[index] += 0.0 if answer in ACCIDENTS else votes[answer] / every
    whole = sum(weights) or 1.0
    return [
        total[index] / answered[index] if answered[index] else weights[index] / whole for index in range(len(weights))
    ]


def _groups(answers: CandidateAnswers, looks: Sequence[AnswerCheck], order: Sequence[int]) -> list[list[int]]:
    """Group the edits that give the same answers on all inputs on which both were run.

    An edit that cannot be compared with others forms a group of its own. This includes edits that change no answer to a
    call of the failing tests, since their answers do not show what the tests check.
    """
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


def _doubt(
    answers: CandidateAnswers,
    looks: Sequence[AnswerCheck],
    groups: Sequence[tuple[Sequence[int], float]],
    failing: int,
    sought: bool,
) -> str:
    """Return a sentence that says why the first group needs a review, or "". Each group comes with its share of the
    confidence."""
    first = groups[0][0][0]
    look = looks[first]
    if look.special:
        return _sentence(look.special)
    if not look.answered:
        return "The behaviour of the edit on other inputs is unknown: it did not finish in time."
    few = min(failing, look.pinned or failing)
    shares = {group[0]: share for group, share in groups}
    apart = [other for other in shares if other != first and not _is_comparable(answers, looks, first, other)]
    differ = [
        other for other in shares if other not in apart and _may_differ(answers.given[first], answers.given[other])
    ]
    rivals = [*differ, *apart]
    is_strong = sum(shares[other] for other in rivals) >= STRONG_RIVALS * (sum(shares.values()) or 1.0)
    if few > FEW and (len(rivals) >= MANY_RIVALS or is_strong):
        return f"{_described(differ, apart)}, so the tests do not determine what is correct."
    reason = f"and only {number_in_words(few)} failing input{' says' if few == 1 else 's say'} what is correct."
    if few <= FEW and rivals:
        return f"{_described(differ, apart)}, {reason}"
    if look.stops_code and few <= ENOUGH_INPUTS:
        return f"The edit keeps code from running, {reason}"
    if sought or few > FEW:
        return ""
    return f"There was no time to look for other edits that pass the tests, {reason}"


def _described(differ: Sequence[int], apart: Sequence[int]) -> str:
    """Return the start of a sentence about rivals that behave differently (`differ`) or could not be compared
    (`apart`)."""
    count = len(differ) + len(apart)
    others = "Another edit passes" if count == 1 else f"{number_in_words(count).capitalize()} other edits pass"
    ways = [f"{'behaves' if count == 1 else 'behave'} differently"] if differ else []
    ways += ["could not be compared with it"] if apart else []
    return f"{others} the same tests and {' or '.join(ways)}"


def _of_runner(path: str) -> str:
    """Return the doubt about an edit of this file if the file belongs to the test runner, where removing a `raise`
    could make all tests pass."""
    judges = any(RUNNER.fullmatch(part) for part in path.removesuffix(".py").split("/"))
    return "The edit changes the test runner, so the tests cannot judge it." if judges else ""


def _sentence(special: str) -> str:
    return f"The edit {special}." if special else ""


def _is_comparable(answers: CandidateAnswers, looks: Sequence[AnswerCheck], one: int, other: int) -> bool:
    """Return whether two edits can be compared: each changes an answer to a call of the failing tests, and both were
    run on at least one common input."""
    pairs = zip(answers.given[one], answers.given[other], strict=True)
    return bool(looks[one].pinned and looks[other].pinned) and any(a and b for a, b in pairs)


def _may_differ(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two edits give different answers to an input, apart from timeouts."""
    return any(a and b and a != b and LATE not in (a, b) for a, b in zip(one, other, strict=True))


def _distinguishing_inputs(answers: CandidateAnswers, first: Sequence[int]) -> tuple[BehaviourDifference, ...]:
    """Return as few and as short inputs as possible that distinguish these edits, preferably calls that the tests
    make."""
    rows = list(zip(answers.inputs, *(answers.given[index] for index in first), strict=True))
    apart = {(a, b) for a in range(len(first)) for b in range(a)}
    found: list[BehaviourDifference] = []
    while apart and len(found) < TOLD:
        best = max(rows, key=lambda row: _tells(row[0], row[1:], apart), default=None)
        split = {pair for pair in apart if best and _differs(best[1:], pair)}
        if best is None or not split:
            break
        found.append(BehaviourDifference(best[0].text, tuple(answers.text(answer) for answer in best[1:])))
        apart -= split
    return tuple(found)


def _tells(one: AnswerInput, given: Sequence[str], apart: set[tuple[int, int]]) -> tuple[int, bool, bool, int]:
    """Rate an input by the number of pairs of edits that it distinguishes, whether the tests make this call, whether no
    edit raises an exception, and how short the input is."""
    split = sum(_differs(given, pair) for pair in apart)
    return split, one.entry, not any(answer.startswith("!") for answer in given), -len(one.text)


def _differs(given: Sequence[str], pair: tuple[int, int]) -> bool:
    one, other = given[pair[0]], given[pair[1]]
    return bool(one) and bool(other) and one != other


def _size(hit: Candidate) -> int:
    """Return the number of bytes that an edit removes and inserts."""
    return sum(len(text.encode()) + end - start for start, end, text in hit.edits)
