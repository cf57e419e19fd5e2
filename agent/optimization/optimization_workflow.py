"""Steps of the strategy `optimize`: workload, target functions, built-in rewrites, and messages to the model."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import closing
from io import BytesIO
from tokenize import detect_encoding
from typing import TYPE_CHECKING, Any

from aci.performance.instruction_count import fork_for_counting
from aci.performance.profiling import (
    format_flame_graph,
    hottest_functions,
    profile_command,
    profile_lines,
    to_speedscope,
)
from aci.performance.target_function import Target, parse_target
from aci.performance.workload_inputs import benchmark_command
from aci.testing.suite_command import detect_command
from agent.optimization.candidate_benchmark import RIGHT, SCORES, Bench, CandidateVerdict
from agent.optimization.rewrites.rewrite_catalog import rewrites
from agent.optimization.speedup import growth_text
from trajectories.errors import UsageError
from trajectories.journal import write_durably
from trajectories.rewards import rewards

if TYPE_CHECKING:
    from agent.engine.task import Task

TARGETS = 3
REWRITES = 12
"""Maximum number of candidates from built-in rewrites that are tried for a function."""
LINES, MOST_LINES = 5, 300


def named_workload(task: Task) -> str:
    """Return a command for the workload that the user named, or "" if the tests are the workload.

    For a benchmark it is pytest, since its own command is found only by running Python in the repository.
    """
    settings = task.turn.settings
    benchmark = shlex.join(["python", "-m", "pytest", settings.benchmark]) if settings.benchmark else ""
    return settings.workload or benchmark


def workload_of(task: Task) -> str:
    """Return the workload's command: the user's, a benchmark's, or the test command."""
    settings = task.turn.settings

    def found() -> str:
        if settings.workload:
            return settings.workload
        if settings.benchmark:
            return benchmark_command(task.workspace, settings.benchmark)
        return settings.test or detect_command(task.workspace)

    command: str = task.once("workload", found)
    return command


def choose_targets(task: Task, command: str) -> list[Target]:
    """Return the function that the user named, or else the hottest functions of the workload.

    In the second case, the profile is written to the run's folder.
    """
    if task.turn.settings.function:
        return [parse_target(task.turn.settings.function)]

    def profiled() -> dict[str, Any]:
        with closing(fork_for_counting(task.workspace, task.turn.base.tree)) as room:
            found = profile_command(room, command, calls=False)
        write_durably(task.branch.engine.journal.directory / "profile.speedscope.json", to_speedscope(found).encode())
        return {
            "flame": format_flame_graph(found),
            "targets": [[each.path, each.name] for each in hottest_functions(found, TARGETS)],
        }

    found = task.once("targets", profiled)
    task.note("summary", found["flame"])
    return [Target(path, name) for path, name in found["targets"]]


def judge_rewrites(task: Task, bench: Bench) -> list[CandidateVerdict]:
    """Judge the built-in rewrites of the function."""
    data = task.trees.read(bench.tree, bench.target.path)
    found = []
    for rewrite in rewrites(data, bench.target)[:REWRITES]:
        task.branch.cancel.check()
        tree = task.trees.write({bench.target.path: rewrite.data}, bench.tree)
        judged = bench.judge(rewrite.what, tree)
        task.note("candidate", f"{judged.what}: {candidate_line(judged, bench.baseline())}")
        found.append(judged)
    return found


def record_rewards(task: Task, group: Sequence[CandidateVerdict]) -> None:
    """Record the candidates with their rewards, based on arXiv 2508.20124; the reward of a correct candidate depends on
    its number of instructions."""
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


def candidate_line(judged: CandidateVerdict, before: CandidateVerdict) -> str:
    """Describe a verdict in one line."""
    if judged.status != RIGHT:
        return f"{judged.status}: {'; '.join(judged.why)}"
    ratio = before.cost / max(judged.cost, 1)
    return (
        f"right, {before.cost:,} -> {judged.cost:,} instructions ({ratio:.2f}x fewer), "
        f"growth {growth_text(before.growth)} -> {growth_text(judged.growth)}, {judged.lines} lines changed"
    )


def opening(task: Task, bench: Bench, group: Sequence[CandidateVerdict]) -> str:
    """Return the first message to the model: the function, its cost, its hot lines, and the results of rewrites."""
    target, before = bench.target, bench.baseline()
    tried = [f"- {judged.what}: {candidate_line(judged, before)}" for judged in group[:LINES]]
    if task.tree != bench.tree:
        tried.append("The file already contains the best of these.")
    return task.prompt(
        "start",
        function=target.name,
        path=target.path,
        command=bench.workload_name,
        figures=f"{before.cost:,} instructions in {len(bench.measured)} calls, growth {growth_text(before.growth)}",
        hot=hot_lines_text(bench, task.tree),
        source=_source(task.trees.read(task.tree, target.path), target),
        tried="\n".join(["Already tried, without a model:", *tried]) if tried else "",
    )


def _source(data: bytes, target: Target) -> str:
    """Return the function's lines, numbered as in the file."""
    encoding, _ = detect_encoding(BytesIO(data).readline)
    node = target.find(data)
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    lines = data.decode(encoding, "replace").split("\n")[first - 1 : node.end_lineno]
    shown = [f"{number}\t{line.rstrip()}" for number, line in enumerate(lines, first)]
    more = [f"[{len(shown) - MOST_LINES} more lines: view them]"] if len(shown) > MOST_LINES else []
    return "\n".join([*shown[:MOST_LINES], *more])


def feedback(task: Task, bench: Bench, judged: CandidateVerdict, group: Sequence[CandidateVerdict]) -> str:
    """Return the message that follows a candidate: its verdict, its hot lines and the best candidate so far."""
    before = bench.baseline()
    right = [each for each in group if each.status == RIGHT]
    best = min(right, key=lambda each: each.cost, default=None)
    return task.prompt(
        "again",
        verdict=candidate_line(judged, before),
        hot=hot_lines_text(bench, judged.tree) if judged.status == RIGHT else "",
        best=f"{best.what}: {candidate_line(best, before)}" if best else "none is right yet",
        next="Fix it, and submit again."
        if judged.status != RIGHT
        else "If you see further improvements, continue from here; otherwise submit as it is.",
    )


def hot_lines_text(bench: Bench, tree: str) -> str:
    """Return a sentence that names the lines of the function with the most instructions at `tree`, or ""."""

    def hot_line_list() -> str:
        room = bench.workspace_at(tree)
        try:
            lines = profile_lines(room, bench.target, bench.measured)
        except UsageError:
            return ""
        return ", ".join(f"line {each.line}: {each.share:.0%}" for each in lines[:LINES] if each.share >= 0.02)

    where: str = bench.task.once(f"hot {bench.target} {tree}", hot_line_list)
    return f"Hot lines: {where}." if where else ""
