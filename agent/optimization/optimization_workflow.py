"""What `optimize` does around its bench: the workload, the functions, the rewrites, and what a model is told."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import closing
from io import BytesIO
from tokenize import detect_encoding
from typing import TYPE_CHECKING, Any

from aci.commands import detect_command
from aci.counting import counting_room
from aci.inputs import benchmark_command
from aci.profiling import flame, hot_lines, hottest, profile, speedscope
from aci.target import Target, target_of
from agent.moves.bench import RIGHT, SCORES, Bench, Judged
from agent.moves.gain import growth_in_words
from agent.moves.rewrites import rewrites
from trajectories.errors import UsageError
from trajectories.journal import write_durably
from trajectories.rewards import rewards

if TYPE_CHECKING:
    from agent.task import Task

TARGETS = 3
REWRITES = 12
"""Candidates of the built-in rewrites that are tried for a function."""
LINES, MOST_LINES = 5, 300


def named_workload(task: Task) -> str:
    """A command that names what the user wants to be run beside the tests; "" where the tests are the workload. A
    benchmark's own command is found only by running Python in the repository."""
    settings = task.settings
    benchmark = shlex.join(["python", "-m", "pytest", settings.benchmark]) if settings.benchmark else ""
    return settings.workload or benchmark


def workload_of(task: Task) -> str:
    """The command whose calls and instructions count: the user's, a benchmark's, or the tests'."""
    settings = task.settings

    def found() -> str:
        if settings.workload:
            return settings.workload
        if settings.benchmark:
            return benchmark_command(task.workspace, settings.benchmark)
        return settings.test or detect_command(task.workspace)

    command: str = task.once("workload", found)
    return command


def chosen_targets(task: Task, command: str) -> list[Target]:
    """The function that the user named, or the hottest of the workload; its profile goes into the run's folder."""
    if task.settings.function:
        return [target_of(task.settings.function)]

    def profiled() -> dict[str, Any]:
        with closing(counting_room(task.workspace, task.base.tree)) as room:
            found = profile(room, command, calls=False)
        write_durably(task.engine.journal.directory / "profile.speedscope.json", speedscope(found).encode())
        return {"flame": flame(found), "targets": [[each.path, each.name] for each in hottest(found, TARGETS)]}

    found = task.once("targets", profiled)
    task.note("summary", found["flame"])
    return [Target(path, name) for path, name in found["targets"]]


def rewritten(task: Task, bench: Bench) -> list[Judged]:
    """The built-in rewrites of the function, each judged."""
    data = task.trees.read(bench.tree, bench.target.path)
    found = []
    for rewrite in rewrites(data, bench.target)[:REWRITES]:
        task.cancel.check()
        tree = task.trees.write({bench.target.path: rewrite.data}, bench.tree)
        judged = bench.judge(rewrite.what, tree)
        task.note("candidate", f"{judged.what}: {told(judged, bench.baseline())}")
        found.append(judged)
    return found


def group_rewards(task: Task, group: Sequence[Judged]) -> None:
    """The group with its rewards, as a note: after arXiv 2508.20124, of the right ones by instructions."""
    right = [judged for judged in group if judged.status == RIGHT]
    earned = dict(zip((id(judged) for judged in right), rewards([judged.cost for judged in right]), strict=True))
    rows = [
        {
            "what": judged.what,
            "status": judged.status,
            "instructions": judged.cost,
            "backend": judged.backend,
            "reward": earned.get(id(judged), SCORES.get(judged.status)),
        }
        for judged in group
    ]
    if rows:
        task.note("score", f"{len(right)} of {len(rows)} candidates are right", group=rows)


def told(judged: Judged, before: Judged) -> str:
    """What a candidate came to, in a line."""
    if judged.status != RIGHT:
        return f"{judged.status}: {'; '.join(judged.why)}"
    ratio = before.cost / max(judged.cost, 1)
    return (
        f"right, {before.cost:,} -> {judged.cost:,} instructions ({ratio:.2f}x fewer), "
        f"growth {growth_in_words(before.growth)} -> {growth_in_words(judged.growth)}, {judged.lines} lines changed"
    )


def opening(task: Task, bench: Bench, group: Sequence[Judged]) -> str:
    """The first message to a model: the function, what it costs and where, and what rewrites came to."""
    target, before = bench.target, bench.baseline()
    tried = [f"- {judged.what}: {told(judged, before)}" for judged in group[:LINES]]
    if task.tree != bench.tree:
        tried.append("The best of these is in the file already.")
    return task.prompt(
        "start",
        function=target.name,
        path=target.path,
        command=bench.workload_name,
        figures=f"{before.cost:,} instructions in {len(bench.measured)} calls, growth {growth_in_words(before.growth)}",
        hot=hot(bench, task.tree),
        source=_source(task.trees.read(task.tree, target.path), target),
        tried="\n".join(["Tried already, without a model:", *tried]) if tried else "",
    )


def _source(data: bytes, target: Target) -> str:
    """The function's lines, numbered as in the file."""
    encoding, _ = detect_encoding(BytesIO(data).readline)
    node = target.find(data)
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    lines = data.decode(encoding, "replace").split("\n")[first - 1 : node.end_lineno]
    shown = [f"{number}\t{line.rstrip()}" for number, line in enumerate(lines, first)]
    more = [f"[{len(shown) - MOST_LINES} lines more: view them]"] if len(shown) > MOST_LINES else []
    return "\n".join([*shown[:MOST_LINES], *more])


def feedback(task: Task, bench: Bench, judged: Judged, group: Sequence[Judged]) -> str:
    """What a candidate came to and where its instructions are now, for the model's next one."""
    before = bench.baseline()
    right = [each for each in group if each.status == RIGHT]
    best = min(right, key=lambda each: each.cost, default=None)
    return task.prompt(
        "again",
        verdict=told(judged, before),
        hot=hot(bench, judged.tree) if judged.status == RIGHT else "",
        best=f"{best.what}: {told(best, before)}" if best else "none is right yet",
        next="Mend it, and submit again."
        if judged.status != RIGHT
        else "If you see more to gain, go on from here; if not, submit as it is.",
    )


def hot(bench: Bench, tree: str) -> str:
    """The lines of the function that hold most of the work at `tree`."""

    def looked() -> str:
        room = bench.room_at(tree)
        try:
            lines = hot_lines(room, bench.target, bench.measured)
        except UsageError:
            return ""
        return ", ".join(f"line {each.line}: {each.share:.0%}" for each in lines[:LINES] if each.share >= 0.02)

    where: str = bench.task.once(f"hot {bench.target} {tree}", looked)
    return f"Where the work is: {where}." if where else ""
