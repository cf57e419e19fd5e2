"""Make a function faster and prove it: same answers, fewer instructions, better growth.

After "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124): candidates are first held to
be right, then ranked by instructions executed, and what they came to goes back to the model. Past it: in a repository,
on calls recorded from a workload, with guards against what only looks faster. Without a model the candidates are
built-in rewrites.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.loop import submitted
from agent.moves.bench import RIGHT, SCORES, Bench, Judged
from agent.moves.gain import Gain, draw, final_word, gain_of
from agent.moves.speed import chosen_targets, feedback, group_rewards, opening, rewritten, workload_of
from agent.outcome import Outcome
from trajectories.records import Verdict

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLES = ()
AUTHOR = "optimize"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Profile, then for each function: baseline, candidates, the best of them checked; at the end one proof of all."""
    task.note("phase", "profile")
    command = workload_of(task)
    gains: list[Gain] = []
    words: list[str] = []
    for target in chosen_targets(task, command):
        task.note("phase", f"baseline {target}")
        with closing(Bench(task, target, task.tree, command)) as bench:
            if not bench.calls["known"]:
                words.append(
                    f"{target}: no call of it could be recorded from `{command}` that has the same answer twice."
                )
                continue
            group = list(rewritten(task, bench))
            group += yield from _asked(task, bench, group)
            gain = _best(task, bench, group, words)
            if gain is not None:
                yield task.adopt(gain.after.tree, f"{target}: {gain.after.what}. {gain.summary}", author=AUTHOR)
                gains.append(gain)
            elif task.tree != bench.tree:
                yield task.adopt(bench.tree, f"{target} stays as it is.", author=AUTHOR)
    if not gains:
        yield task.say("\n".join(["Nothing was made faster.", *words]), author=AUTHOR)
        return Outcome(task.base.tree, Verdict(), "not_found")

    task.note("phase", "prove")
    verdict = yield from task.prove(reproduces=False)
    notes = tuple(note for gain in gains for note in gain.notes)
    if verdict.no_loss:
        verdict = replace(verdict, kind="faster")
    verdict = replace(verdict, notes=(*notes, *words, *verdict.notes))
    draw(task, gains)
    yield task.say(final_word(gains, words), author=AUTHOR)
    return Outcome(task.tree, verdict)


def _asked(task: Task, bench: Bench, group: list[Judged]) -> Generator[Step, None, list[Judged]]:
    """The model's candidates, one a round, each with what the one before came to."""
    if not task.settings.model:
        return []
    task.note("phase", f"improve {bench.target}")
    found: list[Judged] = []
    yield task.say(opening(task, bench, group))
    for number in range(task.settings.rounds):
        step = yield from task.phase("improve")
        if not submitted(step):
            break
        judged = bench.judge(f"the model's candidate {number + 1}", task.tree)
        repeated = judged.tree in [each.tree for each in found]
        found.append(judged)
        group_rewards(task, [*group, *found])
        if repeated:
            break
        if number + 1 < task.settings.rounds:
            yield task.say(feedback(task, bench, judged, [*group, *found]))
    return found


def _best(task: Task, bench: Bench, group: Iterable[Judged], words: list[str]) -> Gain | None:
    """The best candidate that is worth its patch and that nothing speaks against."""
    candidates = list(group)
    group_rewards(task, candidates)
    for judged in candidates:
        if judged.status in SCORES:
            task.note("prune", f"{judged.what}: {judged.status}: {'; '.join(judged.why)}")
    while right := [judged for judged in candidates if judged.status == RIGHT]:
        best, why = gain_of(bench, right)
        if best is None:
            words.append(f"{bench.target}: {why}")
            return None
        against = [*bench.last_checks(best.after.tree), *best.vetoes]
        if not against:
            return best
        task.note("prune", f"{best.after.what}: {'; '.join(against)}")
        words.append(f"{bench.target}: {best.after.what} was refused: {'; '.join(against)}")
        candidates = [judged for judged in candidates if judged.tree != best.after.tree]
    return None
