"""Candidates for training sets: what a model did about an issue, and whether it is proven.

A candidate is a run of one turn, or one attempt of a run with several parallel attempts. Branches of helpers, which
only answer questions or belong to another role than the one whose work is handed in, are part of the candidate's cost,
but not of its conversation. Runs that say nothing about a model are left out: runs without a model, unfinished ones,
runs that the user or the machine ended, sessions, replays, and forks, which start with another run's steps and may have
been given more information.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from trajectories.migrations import with_evidence
from trajectories.records import ANSWERED, PART, Exit, Note, Run, Step
from trajectories.trajectory import RunView, Trajectory, replay_of
from trajectories.verdict import COMPLETE, Verdict

TRIED = (*sorted(COMPLETE), "disputed", "unproven", "not_found", "budget", "limit", "stuck")
"""Kinds of exit for which the model is responsible."""
SESSION = "a session of several turns"
EPISODE = "episode"
"""The strategy without a proof, whose patches only the Gym's grading can judge."""
JUDGED = re.compile(r"(?:baseline (?P<before>\S.*)|judge (?P<after>\S.*) [0-9a-f]{40})$")
"""Pattern for the keys of recorded results that contain a function's cost in a tree."""


Key = tuple[str, float, str]


@dataclass(frozen=True)
class Candidate:
    """One answer to an issue. `branches` are the branches of the role whose work is handed in, first the one that
    changed files last; `tree` is the final tree.

    `tokens` is 0 unless the provider reported the tokens of every reply, and `dollars` does not include requests
    without a price; both include the helpers'. `instructions` is the number of instructions
    that the rewritten functions execute, as counted by `backend`; 0 if nothing was counted.
    """

    run: RunView
    record: Run
    branches: tuple[str, ...]
    proven: bool
    tree: str
    tokens: int
    steps: int
    dollars: float = 0.0
    instructions: int = 0
    backend: str = ""
    generality: str = ""
    """Whether the fix is general, as in `Verdict.generality`."""
    verdict: str = ""
    """The word for the patch, as in `Verdict.kind`; that of an attempt has no independent evidence."""

    @property
    def key(self) -> Key:
        """The identity of the candidate; runs of two batches can have the same name."""
        return self.record.id, self.record.at, self.branches[0]

    @property
    def name(self) -> str:
        """The name of the run, with the branch if it is an attempt."""
        branch = self.branches[0]
        return self.run.name if branch == "main" else f"{self.run.name} {branch.removeprefix('main/')}"

    @property
    def issue_key(self) -> str:
        """A key shared by all candidates for one issue text, whatever their base and the spaces in the text."""
        issue = self.record.issue
        return sha256(" ".join(f"{issue.title} {issue.body}".lower().split()).encode("utf-8", "replace")).hexdigest()

    @property
    def patch_key(self) -> str:
        """A key shared by all candidates with one patch."""
        base, trees = self.record.base.tree, self.run.trees
        patch = trees.diff(base, self.tree) if trees is not None and self.changed else f"{base} {self.tree}"
        changed = [line for line in patch.splitlines() if not line.startswith(("index ", "@@"))]
        return sha256("\n".join(changed).encode("utf-8", "replace")).hexdigest()

    @property
    def changed(self) -> bool:
        return self.tree not in ("", self.record.base.tree)


def reason_left_out(run: RunView) -> str:
    """Return why no candidate of a run can be used; "" if nothing is known against it."""
    trajectory = run.trajectory
    if run.untrusted:
        return "not created by you on this computer, so its verdict cannot be trusted"
    if trajectory.run is None or not trajectory.replies:
        return "without a reply of a model"
    if len(trajectory.turns) > 1:
        return SESSION
    if replay_of(trajectory):
        return "a replay"
    if any(note.kind == "forked" for note in trajectory.notes):
        return "a fork"
    if trajectory.exit is None:
        return "not ended"
    if trajectory.turns and trajectory.turns[0].strategy == EPISODE and not _grades(trajectory):
        return "an episode that was not graded"
    return ""


def candidates(run: RunView) -> list[Candidate]:
    """Return the candidates of a run: its attempts, and the work beside them; empty if `reason_left_out` tells why, or
    if the user or the machine ended it. Branches that only answer questions are part of the work that they were asked
    for."""
    trajectory = run.trajectory
    end = trajectory.exit
    if end is None or reason_left_out(run):
        return []
    asked = list(dict.fromkeys(branch for branch, _ in trajectory.replies))
    outcomes = {branch: once.value for (branch, name), once in trajectory.results.items() if name == "outcome"}
    questions = _questions(trajectory, outcomes)
    attempts = [branch for branch in outcomes if branch not in questions and outcomes[branch]["exit"] != PART]
    own = [branch for branch in asked if not any(_is_under(branch, attempt) for attempt in attempts)]
    found = []
    judgements = _Judgements(trajectory, end)
    if end.kind in TRIED:
        verdict, tree = _own_result(trajectory, attempts, end) if attempts else (asdict(end.verdict), end.tree)
        found += _candidate(run, own, questions, judgements.judge(verdict, tree), tree)
    for attempt in attempts:
        outcome, under = outcomes[attempt], [branch for branch in asked if _is_under(branch, attempt)]
        verdict, tree = outcome["verdict"], outcome["tree"]
        if verdict["kind"] in COMPLETE or (outcome["exit"] or "unproven") in TRIED:
            found += _candidate(run, under, questions, judgements.judge(verdict, tree, attempt), tree)
    return found


def _is_under(branch: str, parent: str) -> bool:
    return f"{branch}/".startswith(f"{parent}/")


def _questions(trajectory: Trajectory, outcomes: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the branches that only answer a question in text. Earlier versions did not mark them: there, they are the
    branches without a verdict whose only reply is a text."""
    marked = {branch for branch, outcome in outcomes.items() if outcome["exit"] == ANSWERED}
    if marked:
        return marked
    said = {branch for branch, outcome in outcomes.items() if not outcome["exit"] and not outcome["verdict"]["red"]}
    said = {branch for branch in said if outcomes[branch]["verdict"]["kind"] == "none"}
    acted = {branch for (branch, ask), reply in trajectory.replies.items() if ask > 1 or reply.actions}
    return said - acted


@dataclass(frozen=True)
class _Judgement:
    """Whether the proof of a patch is complete, whether its fix is general, and the word for it."""

    proven: bool
    generality: str = ""
    word: str = ""


class _Judgements:
    """What a run says about its patches after their own proofs: the tests of other attempts, a reviewer, later proofs,
    its last verdict, and the instance's own tests."""

    def __init__(self, trajectory: Trajectory, end: Exit) -> None:
        self.end = end
        self.grades = _grades(trajectory)
        self.refuted: dict[str, bool] = {}
        """Whether the last note on a tree, or on an attempt with this name, speaks against the patch."""
        self.proofs: dict[str, bool] = {}
        """Whether the last proof of a tree succeeded."""
        for record in trajectory.of_turn:
            if isinstance(record, Note) and "against" in record.data:
                if record.kind == "vote" and not record.data["against"]:
                    continue  # a model that prefers a patch does not withdraw what an experiment showed
                names = record.data.get("alike") or ()
                is_against = bool(record.data["against"])
                self.refuted |= dict.fromkeys((str(record.data.get("tree", "")), *map(str, names)), is_against)
            elif isinstance(record, Step) and record.author == "proof" and record.observations:
                self.proofs[record.tree] = record.observations[0].data["verdict"]["kind"] in COMPLETE
        if end.verdict.kind in ("disputed", "unproven"):
            self.proofs[end.tree] = False

    def judge(self, verdict: Mapping[str, Any], tree: str, attempt: str = "") -> _Judgement:
        """Judge a patch with this verdict of its own. `attempt` is the branch that made it, if it was an attempt: if
        several attempts made the same patch, only one of them is compared with the others."""
        word, generality = str(with_evidence(verdict)["kind"]), str(verdict.get("generality", ""))
        if tree == self.end.tree and self.grades:
            return _Judgement(self.grades[-1], word=word)
        name = attempt.rpartition("/")[2]
        is_refuted = self.refuted.get(tree, self.refuted.get(name, False)) or not self.proofs.get(tree, True)
        is_proven = word in COMPLETE and generality != "examples only" and not is_refuted
        return _Judgement(is_proven, generality, word)


def _grades(trajectory: Trajectory) -> list[bool]:
    """Return whether the patch resolved the issue, as the notes of the Gym's grading say."""
    return [note.data["resolved"] for note in trajectory.notes if note.kind == "score" and "resolved" in note.data]


def _own_result(trajectory: Trajectory, attempts: Sequence[str], end: Exit) -> tuple[Mapping[str, Any], str]:
    """Return the verdict and the tree of the work beside the attempts, whose patch need not be the run's."""
    proofs = [step for step in trajectory.all_steps() if step.author == "proof"]
    proofs = [step for step in proofs if not any(_is_under(step.branch, attempt) for attempt in attempts)]
    if not proofs:
        return asdict(Verdict()), ""
    tree = proofs[-1].tree
    return (asdict(end.verdict) if tree == end.tree else proofs[-1].observations[0].data["verdict"]), tree


def _working_branches(trajectory: Trajectory, branches: Sequence[str]) -> list[str]:
    """Return the branches of the role whose work is handed in, first the one that changed files last. If none of them
    changed a file, this is the role that called a tool last, or the first one."""
    acted = [step for step in trajectory.all_steps() if step.reply is not None and step.branch in branches]
    before = {step.id: step.tree for step in trajectory.all_steps()}
    changed = [step for step in acted if step.tree != before.get(step.parent, step.tree)]
    called = [step for step in acted if step.actions]
    last = next((steps[-1] for steps in (changed, called, acted[:1]) if steps), None)
    if last is None:
        return list(branches)
    roles = {step.branch: step.author for step in acted}
    return sorted((each for each in branches if roles.get(each) == last.author), key=lambda each: each != last.branch)


def _candidate(
    run: RunView, branches: Sequence[str], questions: Collection[str], judged: _Judgement, tree: str
) -> list[Candidate]:
    """Return the candidate whose work is in these branches; empty if they only answer questions."""
    trajectory = run.trajectory
    work = _working_branches(trajectory, [branch for branch in branches if branch not in questions])
    if not work or trajectory.run is None:
        return []
    usages = [reply.usage for (branch, _), reply in trajectory.replies.items() if branch in branches]
    known = [usage.input_tokens + usage.output_tokens for usage in usages if usage]
    tokens = sum(known) if len(known) == len(usages) else 0
    settled = [trajectory.settles.get(hold.id) for hold in trajectory.holds.values() if hold.branch in branches]
    dollars = math.fsum(settle.dollars or 0.0 for settle in settled if settle)
    steps = sum(len(trajectory.steps[branch]) for branch in branches)
    left = [step.tree for step in reversed(trajectory.steps[work[0]]) if step.author == trajectory.turns[0].strategy]
    counted = _counted(run, [tree, *left, trajectory.run.base.tree])
    branches, record = tuple(work), trajectory.run
    words = judged.generality, judged.word
    return [Candidate(run, record, branches, judged.proven, tree, tokens, steps, dollars, *counted, *words)]


def _counted(run: RunView, left: Sequence[str]) -> tuple[int, str]:
    """Return the total cost of the functions whose cost was counted, and the counter's name. The cost of each function
    is taken from the latest tree that has a recorded cost for it. Return (0, "") if several counters were used or the
    cost of a function is missing."""
    costs: dict[str, dict[str, int]] = {}
    backends = set()
    for (_, name), once in run.trajectory.results.items():
        found = JUDGED.search(name)
        if found and isinstance(once.value, dict) and once.value.get("status") == "right":
            costs.setdefault(found["before"] or found["after"], {})[once.value["tree"]] = once.value["cost"]
            backends.add(once.value["backend"])
    if len(backends) != 1 or not all(set(known) & set(left) for known in costs.values()):
        return 0, ""
    return sum(next(known[tree] for tree in left if tree in known) for known in costs.values()), backends.pop()
