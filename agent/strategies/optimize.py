"""Make a function faster and prove it: same answers, fewer instructions, better growth.

After "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124): candidates are first held to
be right, then ranked by instructions executed, and what they came to goes back to the model. Past it: in a repository,
on calls recorded from a workload, with guards against what only looks faster. Without a model the candidates are
built-in rewrites.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.consent import REFUSED, may_test
from agent.moves.bench import RIGHT, SCORES, Bench, Judged
from agent.moves.gain import Gain, best_of, draw, final_word, gain_of, promises
from agent.moves.speed import chosen_targets, feedback, group_rewards, named_workload, opening, rewritten, workload_of
from agent.outcome import Outcome
from trajectories.errors import Cancelled, ModelError, Stop, UsageError
from trajectories.records import Verdict

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLES = ()
AUTHOR = "optimize"
MOST_CHECKED = 4
"""Right candidates for a function that are put to the last checks before giving up."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Profile, then for each function: baseline, candidates, the best of them checked; at the end one proof of all."""
    if not may_test(task, named_workload(task)):
        yield task.say(REFUSED, author=AUTHOR)
        return Outcome(task.base.tree, Verdict(), "not_found")
    task.note("phase", "profile")
    command = workload_of(task)
    gains: list[Gain] = []
    words: list[str] = []
    targets = chosen_targets(task, command)
    if not targets:
        words.append(f"No function of the repository holds the time of `{task.settings.benchmark or command}`.")
    for target in targets:
        task.note("phase", f"baseline {target}")
        with closing(Bench(task, target, task.tree, command)) as bench:
            try:
                gain = yield from _improved(task, bench, words)
            except UsageError as error:
                words.append(f"{target}: {error.message}")
                gain = None
                yield from _adopted(task, bench, gain)
        gains += [gain] if gain else []

    verdict = Verdict()
    while gains:
        task.note("phase", "prove")
        verdict = yield from task.prove(reproduces=False)
        if verdict.no_loss is not False:
            break
        lost = gains.pop()
        words.append(f"{lost.target}: {lost.after.what} was refused: tests fail with it: {', '.join(verdict.lost[:5])}")
        yield task.adopt(gains[-1].after.tree if gains else task.base.tree, words[-1], author=AUTHOR)
    if not gains:
        yield task.say("\n".join(["Nothing was made faster.", *words]), author=AUTHOR)
        return Outcome(task.base.tree, Verdict(), "not_found")

    notes = tuple(note for gain in gains for note in gain.notes)
    if verdict.no_loss:
        verdict = replace(verdict, kind="faster")
    draw(task, gains)
    yield task.say(final_word(gains, words), author=AUTHOR)
    return Outcome(task.tree, replace(verdict, notes=(*notes, *words, *verdict.notes)))


def _improved(task: Task, bench: Bench, words: list[str]) -> Generator[Step, None, Gain | None]:
    """The best candidate for one function, adopted. What rewrites gain is adopted before a model is asked, so that a
    run that is stopped has it."""
    if not bench.calls["known"]:
        words.append(
            f"{bench.target}: no call that can be repeated was recorded from `{bench.workload_name}`. {bench.words}"
        )
        return None
    bench.baseline()
    task.note("phase", f"rewrite {bench.target}")
    group = rewritten(task, bench)
    gain = _best(task, bench, group, words)
    yield from _adopted(task, bench, gain)
    if task.settings.model:
        try:
            found = yield from _asked(task, bench, group)
        except Cancelled:
            raise
        except (Stop, ModelError):
            yield from _adopted(task, bench, gain)
            raise
        gain = _best(task, bench, [*found, *([gain.after] if gain else [])], words)
        yield from _adopted(task, bench, gain)
    if not group and not task.settings.model:
        words.append(f"{bench.target}: no built-in rewrite applies; a model may see more (--model).")
    return gain


def _adopted(task: Task, bench: Bench, gain: Gain | None) -> Generator[Step, None, None]:
    """Go on from the tree of the gain, or from the one that the bench began with."""
    if gain and task.tree != gain.after.tree:
        yield task.adopt(gain.after.tree, f"{bench.target}: {gain.after.what}. {gain.summary}", author=AUTHOR)
    elif not gain and task.tree != bench.tree:
        yield task.adopt(bench.tree, f"{bench.target}: as it was.", author=AUTHOR)


def _asked(task: Task, bench: Bench, group: list[Judged]) -> Generator[Step, None, list[Judged]]:
    """The model's candidates, one a round, each with what the one before came to."""
    found: list[Judged] = []
    yield task.say(opening(task, bench, group))
    for number in range(task.settings.rounds):
        yield from task.phase(f"improve {bench.target}")
        judged = bench.judge(f"the model's candidate {number + 1}", task.tree)
        if judged.tree in [each.tree for each in (*group, *found)]:
            break
        found.append(judged)
        group_rewards(task, [*group, *found])
        if number + 1 < task.settings.rounds:
            yield task.say(feedback(task, bench, judged, [*group, *found]))
    return found


def _best(task: Task, bench: Bench, group: list[Judged], words: list[str]) -> Gain | None:
    """The best candidate that nothing speaks against; the cheap checks come first."""
    if group:
        group_rewards(task, group)
    for judged in group:
        if judged.status in SCORES:
            task.note("prune", f"{judged.what}: {judged.status}: {'; '.join(judged.why)}")
    before = bench.baseline()
    candidates = [judged for judged in group if judged.status == RIGHT and promises(before, judged)]
    for _ in range(MOST_CHECKED):
        if not candidates:
            break
        best = best_of(candidates)
        candidates.remove(best)
        against = bench.last_checks(best.tree)
        if not against:
            gain = gain_of(bench, best)
            if not (against := gain.against):
                return gain
        task.note("prune", f"{best.what}: {'; '.join(against)}")
        words.append(f"{bench.target}: {best.what} was refused: {'; '.join(against)}")
    return None
