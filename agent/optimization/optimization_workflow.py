"""Steps of the strategy `optimize`: workload, target functions, built-in rewrites, and messages to the model."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import closing
from io import BytesIO
from tokenize import detect_encoding
from typing import TYPE_CHECKING, Any

from aci.performance.efficiency import LEAST_GAIN
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
from agent.optimization.rewrites.rewrite_catalog import Rewrite, rewrites
from agent.optimization.speedup import growth_text
from trajectories.errors import UsageError
from trajectories.journal import write_durably
from trajectories.training.rewards import rewards

if TYPE_CHECKING:
    from agent.engine.task import Task

TARGETS = 3
REWRITES, BEFORE_MODEL = 12, 3
"""Maximum number of candidates from built-in rewrites that are tried for a function, and of those that are tried before
a model is asked; the most promising ones come first."""
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
            "targets": [[each.path, each.name] for each in hottest_functions(found, TARGETS, LEAST_GAIN)],
        }

    found = task.once("targets", profiled)
    task.note("summary", found["flame"])
    return [Target(path, name) for path, name in found["targets"]]


def propose_rewrites(task: Task, bench: Bench) -> list[Rewrite]:
    """Return the built-in rewrites of the function, the most promising first."""
    return rewrites(task.trees.read(bench.tree, bench.target.path), bench.target)[:REWRITES]


def judge_rewrites(
    task: Task, bench: Bench, proposed: Sequence[Rewrite], found: list[CandidateVerdict]
) -> list[CandidateVerdict]:
    """Judge built-in rewrites of the function; each verdict is added to `found` at once, so that none is lost if the
    time ends."""
    start = len(found)
    for rewrite in proposed:
        task.branch.cancel.check()
        tree = task.trees.write({bench.target.path: rewrite.data}, bench.tree)
        judged = bench.judge(rewrite.what, tree)
        task.note("candidate", f"{judged.what}: {candidate_line(judged, bench)}")
        found.append(judged)
    return found[start:]


def record_rewards(task: Task, target: Target, group: Sequence[CandidateVerdict]) -> None:
    """Record the candidates with their rewards, based on arXiv 2508.20124; the reward of a correct candidate depends on
    its number of instructions."""
    right = [judged for judged in group if judged.status == RIGHT]
    earned = dict(zip((id(judged) for judged in right), rewards([judged.n for judged in right]), strict=True))
    rows = [
        {
            "function": str(target),
            "tree": judged.tree,
            "what": judged.what,
            "status": judged.status,
            "instructions": judged.n,
            "backend": judged.backend,
            "why": list(judged.why),
            "reward": earned.get(id(judged), SCORES.get(judged.status)),
        }
        for judged in group
    ]
    if rows:
        task.note("score", f"{len(right)} of {len(rows)} candidates are right", function=str(target), group=rows)


def describe_candidates(
    bench: Bench, judged: Sequence[CandidateVerdict], adopted: CandidateVerdict | None
) -> list[str]:
    """Return a line for each candidate that was not adopted: its figures, or the reason why it was refused, with one
    call and both answers."""
    unique = {each.tree: each for each in judged if adopted is None or each.tree != adopted.tree}
    return [f"{bench.target}: {each.what}: {candidate_line(each, bench, most=1)}" for each in unique.values()]


def candidate_line(judged: CandidateVerdict, bench: Bench, most: int | None = None) -> str:
    """Describe a verdict in one line, with at most `most` reasons."""
    if judged.status != RIGHT:
        more = "; and more" if most and judged.why[most:] else ""
        return f"{judged.status}: {'; '.join(judged.why[:most])}{more}"
    before = bench.baseline()
    ratio = before.cost / max(judged.cost, 1)
    large = f", {before.large / judged.large:.2f}x fewer on the largest input" if judged.large else ""
    return (
        f"right, {before.cost:,} -> {judged.cost:,} instructions ({ratio:.2f}x fewer){large}, "
        f"growth {growth_text(before.growth)} -> {growth_text(judged.growth)}, {judged.lines} lines changed"
    )


def opening(task: Task, bench: Bench, group: Sequence[CandidateVerdict]) -> str:
    """Return the first message to the model: the function, its cost, its hot lines, and the results of rewrites."""
    target, before = bench.target, bench.baseline()
    tried = [f"- {judged.what}: {candidate_line(judged, bench)}" for judged in group[:LINES]]
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
    right = [each for each in group if each.status == RIGHT]
    best = min(right, key=lambda each: each.n, default=None)
    return task.prompt(
        "again",
        verdict=candidate_line(judged, bench),
        hot=hot_lines_text(bench, judged.tree) if judged.status == RIGHT else "",
        best=f"{best.what}: {candidate_line(best, bench)}" if best else "none is right yet",
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
