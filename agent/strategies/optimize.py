"""Make a function faster and prove it: same results, fewer instructions, better scaling.

Based on "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124): candidates are first checked
for correctness, then ranked by executed instructions, and the results go back to the model. In addition, the strategy
works in a repository, uses calls recorded from a workload, and guards against candidates that only seem faster. Without
a model, the candidates are built-in rewrites.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.engine.permission_checks import REFUSED, may_test
from agent.engine.proof_step import is_untested
from agent.optimization.candidate_benchmark import RIGHT, SCORES, Bench, CandidateVerdict
from agent.optimization.optimization_workflow import (
    choose_targets,
    feedback,
    judge_rewrites,
    named_workload,
    opening,
    record_rewards,
    workload_of,
)
from agent.optimization.speedup import Gain, best_of, final_summary, is_promising, measure_gain, write_charts
from agent.run_state.attempt_outcome import Outcome
from trajectories.errors import Cancelled, ModelError, Stop, UsageError
from trajectories.records import Verdict

if TYPE_CHECKING:
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
    words: list[str] = []
    targets = choose_targets(task, command)
    if not targets:
        words.append(
            f"No function of the repository accounts for the time of `{task.turn.settings.benchmark or command}`."
        )
    for target in targets:
        task.note("phase", f"baseline {target}")
        with closing(Bench(task, target, task.tree, command)) as bench:
            try:
                gain = yield from _improve(task, bench, words)
            except UsageError as error:
                words.append(f"{target}: {error.message}")
                gain = None
                yield from _adopt(task, bench, gain)
        gains += [gain] if gain else []

    verdict = Verdict()
    while gains:
        task.note("phase", "prove")
        verdict = yield from task.prove(reproduces=False)
        if verdict.no_loss is not False:
            break
        lost = gains.pop()
        words.append(
            f"{lost.target}: {lost.after.what} was rejected: tests fail with it: {', '.join(verdict.lost[:5])}"
        )
        yield task.adopt(gains[-1].after.tree if gains else task.turn.base.tree, words[-1], author=AUTHOR)
    if not gains:
        yield task.say("\n".join(["Nothing was made faster.", *words]), author=AUTHOR)
        return Outcome(task.turn.base.tree, Verdict(), "not_found")

    notes = tuple(note for gain in gains for note in gain.notes)
    if verdict.no_loss or is_untested(verdict):  # the workload's calls give the same results
        verdict = replace(verdict, kind="faster")
    write_charts(task, gains)
    yield task.say(final_summary(gains, words), author=AUTHOR)
    return Outcome(task.tree, replace(verdict, notes=(*notes, *words, *verdict.notes)))


def _improve(task: Task, bench: Bench, words: list[str]) -> Generator[Step, None, Gain | None]:
    """Adopt and return the best candidate for one function.

    The best rewrite is adopted before a model is asked, so that it is kept if the run is stopped.
    """
    if not bench.calls["known"]:
        words.append(
            f"{bench.target}: no call that can be repeated was recorded from `{bench.workload_name}`. {bench.words}"
        )
        return None
    bench.baseline()
    task.note("phase", f"rewrite {bench.target}")
    group = judge_rewrites(task, bench)
    gain = _best(task, bench, group, words)
    yield from _adopt(task, bench, gain)
    if task.turn.settings.model:
        try:
            found = yield from _ask_model(task, bench, group)
        except Cancelled:
            raise
        except (Stop, ModelError):
            yield from _adopt(task, bench, gain)
            raise
        gain = _best(task, bench, [*found, *([gain.after] if gain else [])], words)
        yield from _adopt(task, bench, gain)
    if not group and not task.turn.settings.model:
        words.append(f"{bench.target}: no built-in rewrite applies; a model may see more (--model).")
    return gain


def _adopt(task: Task, bench: Bench, gain: Gain | None) -> Generator[Step, None, None]:
    """Adopt the improved tree, or restore the original tree if there is no gain."""
    if gain and task.tree != gain.after.tree:
        yield task.adopt(gain.after.tree, f"{bench.target}: {gain.after.what}. {gain.summary}", author=AUTHOR)
    elif not gain and task.tree != bench.tree:
        yield task.adopt(bench.tree, f"{bench.target}: restored.", author=AUTHOR)


def _ask_model(
    task: Task, bench: Bench, group: list[CandidateVerdict]
) -> Generator[Step, None, list[CandidateVerdict]]:
    """Return the model's candidates, one per round, each with feedback on the previous one."""
    found: list[CandidateVerdict] = []
    yield task.say(opening(task, bench, group))
    for number in range(task.turn.settings.rounds):
        yield from task.phase(f"improve {bench.target}")
        judged = bench.judge(f"the model's candidate {number + 1}", task.tree)
        if judged.tree in [each.tree for each in (*group, *found)]:
            break
        found.append(judged)
        record_rewards(task, [*group, *found])
        if number + 1 < task.turn.settings.rounds:
            yield task.say(feedback(task, bench, judged, [*group, *found]))
    return found


def _best(task: Task, bench: Bench, group: list[CandidateVerdict], words: list[str]) -> Gain | None:
    """Return the best candidate that passes all checks; the cheap checks come first."""
    if group:
        record_rewards(task, group)
    for judged in group:
        if judged.status in SCORES:
            task.note("prune", f"{judged.what}: {judged.status}: {'; '.join(judged.why)}")
    before = bench.baseline()
    candidates = [judged for judged in group if judged.status == RIGHT and is_promising(before, judged)]
    for _ in range(MOST_CHECKED):
        if not candidates:
            break
        best = best_of(candidates)
        candidates.remove(best)
        against = bench.last_checks(best.tree)
        if not against:
            gain = measure_gain(bench, best)
            if not (against := gain.against):
                return gain
        task.note("prune", f"{best.what}: {'; '.join(against)}")
        words.append(f"{bench.target}: {best.what} was rejected: {'; '.join(against)}")
    return None
