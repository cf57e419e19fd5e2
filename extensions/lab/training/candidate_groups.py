"""The candidates of a training set: groups with the same prompt, their costs and rewards, and what is excluded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from extensions.lab.training.candidate_messages import opening_text, tools
from extensions.lab.training.candidates import SESSION, Candidate, Key, candidates, reason_left_out
from trajectories.rewards import MISSING_ENTITY, UNFORMATTED, WRONG, rewards
from trajectories.trajectory import RunView

AS_GOOD = 1.05
"""Maximum ratio of the costs of two candidates that count as equally good."""


@dataclass
class Selection:
    """The candidates for a set, in groups of one issue, base and prompt, and the names of candidates and runs that are
    left out, each with the reason."""

    groups: dict[str, list[Candidate]] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    used: dict[Key, Candidate] = field(default_factory=dict)
    """The candidates of the rows that were written so far."""
    sessions: list[RunView] = field(default_factory=list)
    """Sessions of several turns whose user allows preference pairs of them."""

    def use(self, *candidates: Candidate) -> None:
        self.used |= {candidate.key: candidate for candidate in candidates}

    def leave_out(self, dropped: Iterable[Candidate], reason: str) -> None:
        self.left_out += [(candidate.name, reason) for candidate in dropped]

    @property
    def reasons(self) -> Counter[str]:
        """The number of runs and candidates that are left out for each reason."""
        return Counter(reason for _, reason in self.left_out)


def select_candidates(
    runs: Sequence[RunView], excluded: Callable[[RunView], str] = lambda run: "", with_sessions: bool = False
) -> Selection:
    """Group candidates by issue, base, tools and initial messages, in the order given. `excluded` returns why a run
    must not be in the set, or "". Sessions are kept for preference pairs only `with_sessions`."""
    found = Selection()
    known: set[tuple[str, float]] = set()
    for run in runs:
        record = run.trajectory.run
        reason = reason_left_out(run) or excluded(run)
        if record is not None and (record.id, record.at) in known:
            reason = "given twice"
        elif not reason and not (made := candidates(run)):
            reason = "ended by the user or by an error"
        if reason == SESSION and with_sessions and record is not None and not excluded(run):
            found.sessions.append(run)
        elif reason or record is None:
            found.left_out.append((run.name, reason))
        else:
            for candidate in made:
                found.groups.setdefault(_group_key(candidate), []).append(candidate)
        if record is not None:
            known.add((record.id, record.at))
    for key, group in found.groups.items():
        found.groups[key] = _without_undecided(found, group)
    return found


def _without_undecided(found: Selection, group: Sequence[Candidate]) -> list[Candidate]:
    """Leave out proven candidates whose fix may fit its examples only, if another one's fix was shown to be general:
    they must be neither rewarded as much nor counted as failures."""
    if not any(each.proven and each.generality == "shown" for each in group):
        return list(group)
    undecided = [each for each in group if each.proven and each.generality == "undecided"]
    found.leave_out(undecided, "whether the fix is general was not shown")
    return [each for each in group if each not in undecided]


def _group_key(candidate: Candidate) -> str:
    issue, base = candidate.record.issue, candidate.record.base
    parts = [issue.title, issue.body, base.tree, tools(candidate), opening_text(candidate)]
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:12]


def columns(candidate: Candidate, key: str, group: Sequence[Candidate]) -> dict[str, Any]:
    """Return the columns that describe a candidate of the group with this key; trainers ignore them.

    `pass_rate` is the share of the group that is proven, a measure of the issue's difficulty for the model that was
    asked. `consistency` is the share with the same files in the end.
    """
    record, alike = candidate.record, sum(other.tree == candidate.tree for other in group)
    return {
        "run": candidate.run.name,
        "branch": candidate.branches[0],
        "group": key,
        "issue": record.issue.title,
        "repository": record.repository,
        "base": record.base.commit,
        "verdict": candidate.verdict,
        "generality": candidate.generality,
        "repeats": len(group),
        "pass_rate": round(sum(other.proven for other in group) / len(group), 4),
        "consistency": round(alike / len(group), 4),
        "steps": candidate.steps,
        "tokens": candidate.tokens,
        "dollars": round(candidate.dollars, 6),
    }


# Costs and rewards


def costs(group: Sequence[Candidate]) -> tuple[str, list[int]]:
    """Return the unit by which candidates are compared, and the cost of each: instructions if one counter counted all
    of them, otherwise tokens, otherwise steps."""
    if all(each.instructions for each in group) and len({each.backend for each in group}) == 1:
        return "instructions", [each.instructions for each in group]
    if all(each.tokens for each in group):
        return "tokens", [each.tokens for each in group]
    return "steps", [each.steps for each in group]


def best_first(group: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates, those with the stronger verdict first, among equal ones the cheapest first."""
    _, taken = costs(group)
    order = sorted(range(len(group)), key=lambda place: (-strength(group[place]), taken[place]))
    return [group[place] for place in order]


def strength(candidate: Candidate) -> int:
    """Return how much a proven candidate's verdict rests on: independent evidence first, then a general fix. Costs are
    compared only between candidates of the same strength."""
    return 2 * (candidate.verdict != "plausible") + (candidate.generality == "shown")


def candidate_rewards(group: Sequence[Candidate]) -> list[float]:
    """Return the reward of each candidate: 1 if it is proven, and more for a lower cost among those with the strongest
    verdict; otherwise based on its progress."""
    proven = [each for each in group if each.proven]
    highest = max(map(strength, proven), default=0)
    strongest = [each for each in proven if strength(each) == highest]
    earned = dict(zip((each.key for each in strongest), rewards(costs(strongest)[1]), strict=True))
    return [earned.get(each.key, 1.0) if each.proven else _failed(each) for each in group]


def _failed(candidate: Candidate) -> float:
    if candidate.changed:
        return WRONG
    replies = candidate.run.trajectory.replies
    actions = [a for (branch, _), reply in replies.items() if branch in candidate.branches for a in reply.actions]
    return MISSING_ENTITY if any(not action.error for action in actions) else UNFORMATTED
