"""Make a function faster and prove it: same results, fewer instructions, better scaling.

Based on "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124): candidates are first checked
for correctness, then ranked by executed instructions, and the results go back to the model. In addition, the strategy
works in a repository, uses calls recorded from a workload, and guards against candidates that only seem faster. Without
a model, the candidates are built-in rewrites.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agent.engine.permission_checks import REFUSED, may_test
from agent.engine.proof_step import is_untested
from agent.run_state.attempt_outcome import Outcome
from extensions.optimize.candidate_benchmark import RIGHT, Bench, CandidateVerdict
from extensions.optimize.measurement.efficiency import LEAST_GAIN
from extensions.optimize.optimization_workflow import (
    BEFORE_MODEL,
    choose_targets,
    describe_candidates,
    feedback,
    judge_rewrites,
    named_workload,
    opening,
    propose_rewrites,
    record_rewards,
    workload_of,
)
from extensions.optimize.slow_lines import describe_slow_lines
from extensions.optimize.speedup import (
    LEAST_RATIO,
    Gain,
    best_of,
    conditions,
    final_summary,
    is_promising,
    measure_gain,
    write_charts,
)
from trajectories.errors import Cancelled, ModelError, Stop, UsageError
from trajectories.facts import Fact
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from aci.runtime.target_function import Target
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ()
AUTHOR = "optimize"
MOST_CHECKED = 4
"""Maximum number of correct candidates for a function that get the final checks before the strategy gives up."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Profile; then, for each function, measure the baseline and the candidates and check the best one; at the end,
    prove all changes."""
    if not may_test(task.branch, named_workload(task)):
        yield task.say(REFUSED, author=AUTHOR)
        return Outcome(task.turn.base.tree, Verdict(), "not_found")
    task.note("phase", "profile")
    command = workload_of(task)
    gains: list[Gain] = []
    remarks: list[Fact] = []
    targets, left_out = choose_targets(task, command)
    if not targets:
        workload = task.turn.settings.benchmark or command
        remarks.append(_remark(left_out or f"No function of the repository accounts for the time of `{workload}`."))
    for target in targets:
        task.note("phase", f"baseline {target}")
        with closing(Bench(task, target, task.tree, command)) as bench:
            search = _Search(bench, remarks)
            slow: list[Fact] = []
            try:
                gain = yield from _improve(task, search)
                if not gain and bench.calls["known"]:
                    task.note("phase", f"slow lines {target}")
                    slow = [describe_slow_lines(bench)]
            except Cancelled:
                if not _has_time_ended(task):
                    raise
                return _end_of_time(task, gains, remarks, search)
            except UsageError as error:
                remarks.append(_remark(error.message, target))
                gain = None
                search.record(task)
                yield from _adopt(task, bench, gain)
            remarks += [*search.descriptions(gain), *slow]
        gains += [gain] if gain else []

    verdict = Verdict()
    while gains:
        task.note("phase", "prove")
        try:
            verdict = yield from task.prove(reproduces=False)
        except Cancelled:
            if not _has_time_ended(task):
                raise
            return _end_of_time(task, gains, remarks)
        if verdict.no_loss is not False:
            break
        lost = gains.pop()
        failing = ", ".join(verdict.lost[:5])
        remarks.append(_remark(f"{lost.after.what} was rejected: tests fail with it: {failing}", lost.target))
        yield task.adopt(gains[-1].after.tree if gains else task.turn.base.tree, remarks[-1].text, author=AUTHOR)
    words = [remark.text for remark in remarks]
    if not gains:
        yield task.say("\n".join(["Nothing was made faster.", *words]), author=AUTHOR)
        return Outcome(task.turn.base.tree, Verdict(facts=tuple(remarks)), "not_found")

    if verdict.no_loss or is_untested(verdict):  # the workload's calls give the same results
        verdict = replace(verdict, kind="faster", conditions=conditions(gains))
    write_charts(task, gains)
    yield task.say(final_summary(gains, words), author=AUTHOR)
    return Outcome(task.tree, replace(verdict, facts=(*_evidence(gains), *remarks, *verdict.facts)))


@dataclass
class _Search:
    """The search for a faster version of one function: the candidates judged so far, and the gain of the adopted one.

    `remarks` are facts for the final message and the verdict.
    """

    bench: Bench
    remarks: list[Fact]
    judged: list[CandidateVerdict] = field(default_factory=list)
    gain: Gain | None = None

    def refuse(self, candidate: CandidateVerdict, why: list[str]) -> None:
        """Mark a right candidate as refused by the final checks."""
        refused = replace(candidate, status="refused", why=tuple(why))
        self.judged[:] = [refused if each.tree == candidate.tree else each for each in self.judged]

    def record(self, task: Task) -> None:
        """Record the judged candidates with their rewards."""
        record_rewards(task, self.bench.target, self.judged)

    def descriptions(self, gain: Gain | None) -> list[Fact]:
        """Return a remark on each judged candidate but the adopted one."""
        lines = describe_candidates(self.bench, self.judged, gain.after if gain else None)
        return [_remark(line, self.bench.target) for line in lines]


def _has_time_ended(task: Task) -> bool:
    """Return whether a Cancelled comes from the time limit, not from the user."""
    return task.branch.cancel.expired and not task.branch.cancel.stopped


def _end_of_time(task: Task, gains: list[Gain], remarks: list[Fact], search: _Search | None = None) -> Outcome:
    """Return the adopted candidates when the time ends, or the best right one of the interrupted search, and say what
    was not checked."""
    found = [*gains, *([search.gain] if search and search.gain else [])]
    tree, unchecked = found[-1].after.tree if found else task.turn.base.tree, "the tests"
    facts = [*_evidence(found), *remarks]
    if search:
        bench = search.bench
        search.record(task)
        facts += search.descriptions(search.gain)
        right = [each for each in search.judged if each.status == RIGHT and is_promising(bench.baseline(), each)]
        if right and not search.gain:
            best = best_of(right)
            tree, unchecked = best.tree, "unseen calls, cheating, another hash seed, memory, and the tests"
            facts.append(_remark(f"the best right candidate when the time ended is {best.what}.", bench.target))
    facts.append(Fact("limit", f"The time limit (--max-time) was reached. Not checked: {unchecked}."))
    return Outcome(tree, Verdict("unproven" if tree != task.turn.base.tree else "none", facts=tuple(facts)), "limit")


def _remark(text: str, target: Target | None = None) -> Fact:
    """Return a sentence for the final message as a fact; those about a function begin with its name."""
    return Fact("limit", f"{target}: {text}", {"function": str(target)}) if target else Fact("limit", text)


def _evidence(gains: Sequence[Gain]) -> list[Fact]:
    """Return the evidence of the gains as facts."""
    return [fact for gain in gains for fact in gain.facts]


def _improve(task: Task, search: _Search) -> Generator[Step, None, Gain | None]:
    """Adopt and return the best candidate for one function.

    The best rewrite is adopted before a model is asked, so that it is kept if the run is stopped.
    """
    bench = search.bench
    if not bench.calls["known"]:
        text = f"no call that can be repeated was recorded from `{bench.workload_name}`. {bench.words}"
        search.remarks.append(_remark(text, bench.target))
        return None
    task.note("phase", f"rewrite {bench.target}")
    proposed = propose_rewrites(task, bench)
    with_model = bool(task.turn.settings.model)
    first = proposed[:BEFORE_MODEL] if with_model else proposed
    search.gain = _best(task, search, judge_rewrites(task, bench, first, search.judged), LEAST_RATIO)
    yield from _adopt(task, bench, search.gain)
    if with_model:
        try:
            found = yield from _ask_model(task, bench, search.judged)
        except Cancelled:
            raise
        except (Stop, ModelError):
            yield from _adopt(task, bench, search.gain)
            raise
        search.gain = _best(task, search, [*found, *([search.gain.after] if search.gain else [])])
        if not search.gain:
            rest = judge_rewrites(task, bench, proposed[len(first) :], search.judged)
            search.gain = _best(task, search, rest, LEAST_RATIO)
        yield from _adopt(task, bench, search.gain)
    if not proposed and not with_model:
        search.remarks.append(_remark("no built-in rewrite applies; a model may see more (--model).", bench.target))
    return search.gain


def _adopt(task: Task, bench: Bench, gain: Gain | None) -> Generator[Step, None, None]:
    """Adopt the improved tree, or restore the original tree if there is no gain."""
    if gain and task.tree != gain.after.tree:
        yield task.adopt(gain.after.tree, f"{bench.target}: {gain.after.what}. {gain.summary}", author=AUTHOR)
    elif not gain and task.tree != bench.tree:
        yield task.adopt(bench.tree, f"{bench.target}: restored.", author=AUTHOR)


def _ask_model(
    task: Task, bench: Bench, group: list[CandidateVerdict]
) -> Generator[Step, None, list[CandidateVerdict]]:
    """Return the model's candidates, one per round, each with feedback on the previous one; add them to `group`."""
    found: list[CandidateVerdict] = []
    yield task.say(opening(task, bench, group))
    for number in range(task.turn.settings.rounds):
        yield from task.phase(f"improve {bench.target}")
        judged = bench.judge(f"the model's candidate {number + 1}", task.tree)
        if judged.tree in [each.tree for each in group]:
            break
        found.append(judged)
        group.append(judged)
        record_rewards(task, bench.target, group)
        if number + 1 < task.turn.settings.rounds:
            yield task.say(feedback(task, bench, judged, group))
    return found


def _best(task: Task, search: _Search, group: list[CandidateVerdict], ratio: float = 1 + LEAST_GAIN) -> Gain | None:
    """Return the best candidate with at least this ratio of instructions that passes all checks; the cheap checks come
    first."""
    bench = search.bench
    for judged in group:
        if judged.status != RIGHT:
            task.note("prune", f"{judged.what}: {judged.status}: {'; '.join(judged.why)}")
    candidates = [each for each in group if each.status == RIGHT and is_promising(bench.baseline(), each, ratio)]
    for _ in range(MOST_CHECKED):
        if not candidates:
            break
        best = best_of(candidates)
        candidates.remove(best)
        against = bench.last_checks(best.tree)
        if not against:
            gain = measure_gain(bench, best)
            if not (against := gain.against):
                search.record(task)
                return gain
        task.note("prune", f"{best.what}: {'; '.join(against)}")
        search.refuse(best, against)
    search.record(task)
    return None
