"""Steps of the strategy `optimize`: workload, target functions, built-in rewrites, and messages to the model."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from io import BytesIO
from tokenize import detect_encoding
from typing import TYPE_CHECKING, Any

from aci.runtime.target_function import Target, parse_target
from aci.testing.suite_command import detect_command
from extensions.optimize.candidate_benchmark import RIGHT, SCORES, Bench, CandidateVerdict
from extensions.optimize.measurement.efficiency import LEAST_GAIN
from extensions.optimize.measurement.instruction_count import fork_for_counting
from extensions.optimize.measurement.profiling import (
    FunctionTime,
    format_flame_graph,
    hottest_functions,
    profile_command,
    to_speedscope,
)
from extensions.optimize.measurement.workload_inputs import benchmark_command
from extensions.optimize.rewrites.rewrite_catalog import Rewrite, rewrites
from extensions.optimize.slow_lines import find_slow_lines, line_texts
from extensions.optimize.speedup import LEAST_RATIO, growth_text, is_promising, ratio_text
from trajectories.errors import UsageError
from trajectories.journal import write_durably
from trajectories.rewards import rewards

if TYPE_CHECKING:
    from agent.engine.task import Task

TARGETS, CONSIDERED = 3, 20
"""Numbers of functions that are worked on, and of hot functions from which these are chosen."""
INSIDE = 0.1
"""Minimum share of a function's time in its own lines; the rest is in Python code of libraries, which is not
changed."""
PROFILE_SECONDS = 30.0
"""Time limit of the profile if the tests are the workload; a long suite is sampled until then."""
SEARCH_SECONDS = 120.0
"""Seconds after which no further rewrite of a function is tried, once one is right and promising."""
SHARE_OF_SEARCH = 0.5
"""The same as a share of the time that is left of `--max-time`; the rest is for the final checks and the proof."""
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


def choose_targets(task: Task, command: str) -> tuple[list[Target], str]:
    """Return the function that the user named, or else the hottest functions of the workload that can become faster
    (the hottest function if there is none), and a sentence about the hot functions that are left out, if any.

    In the second case, the profile is written to the run's folder. Without a model, functions without a built-in
    rewrite are left out; with a model, those that spend their time in the Python code of libraries are.
    """
    if task.turn.settings.function:
        return [parse_target(task.turn.settings.function)], ""

    def profiled() -> dict[str, Any]:
        is_named = bool(named_workload(task))
        limit = task.turn.settings.test_timeout if is_named else PROFILE_SECONDS
        with closing(fork_for_counting(task.workspace, task.turn.base.tree)) as room:
            found = profile_command(room, command, limit, calls=False, may_cut=not is_named)
        write_durably(task.branch.engine.journal.directory / "profile.speedscope.json", to_speedscope(found).encode())
        hot = hottest_functions(found, CONSIDERED, LEAST_GAIN)
        hot = [each for each in hot if _is_in_base(task, each.target)]
        chosen = [each.target for each in hot if _may_improve(task, each)][:TARGETS]
        chosen = chosen or [each.target for each in hot[:1]]
        left_out = [each.target for each in hot if each.target not in chosen]
        return {
            "flame": format_flame_graph(found),
            "targets": [[each.path, each.name] for each in chosen],
            "left_out": [str(each) for each in left_out[:TARGETS]],
            "is_cut": found.is_cut,
        }

    found = task.once("targets", profiled)
    task.note("summary", found["flame"])
    if found.get("is_cut"):
        task.note("summary", f"The workload was profiled for {PROFILE_SECONDS:g} s and then ended.")
    left_out = ""
    if found.get("left_out"):
        why = "no built-in rewrite applies; a model may see more (--model), and --function tries one of them"
        why = "a change of them is not likely to help" if task.turn.settings.model else why
        left_out = f"Hot functions that are not tried: {', '.join(found['left_out'])} ({why})."
        task.note("summary", left_out)
    return [Target(path, name) for path, name in found["targets"]], left_out


def _is_in_base(task: Task, target: Target) -> bool:
    """Return whether the base has the function: not in a generated file, or if its definition was replaced."""
    try:
        target.find(task.trees.read(task.turn.base.tree, target.path))
    except (FileNotFoundError, UsageError, SyntaxError, ValueError):
        return False
    return True


def _may_improve(task: Task, spent: FunctionTime) -> bool:
    """Return whether a change of a hot function may make it faster."""
    if rewrites(task.trees.read(task.turn.base.tree, spent.target.path), spent.target):
        return True
    return bool(task.turn.settings.model) and spent.inside >= INSIDE * spent.own


def search_seconds(task: Task) -> float:
    """Return how many seconds the search for a rewrite of one function may take before its checks."""
    deadline = task.branch.cancel.deadline
    left = math.inf if deadline is None else max(0.0, deadline - time.monotonic())
    return min(SEARCH_SECONDS, SHARE_OF_SEARCH * left)


def propose_rewrites(task: Task, bench: Bench) -> list[Rewrite]:
    """Return the built-in rewrites of the function, the most promising first."""
    return rewrites(task.trees.read(bench.tree, bench.target.path), bench.target)[:REWRITES]


def judge_rewrites(
    task: Task, bench: Bench, proposed: Sequence[Rewrite], found: list[CandidateVerdict]
) -> list[CandidateVerdict]:
    """Judge built-in rewrites of the function; each verdict is added to `found` at once, so that none is lost if the
    time ends.

    After `search_seconds`, no further rewrite is judged if one is right and promising.
    """
    start, began, seconds = len(found), time.monotonic(), search_seconds(task)
    for number, rewrite in enumerate(proposed):
        task.branch.cancel.check()
        if any(each.status == RIGHT and is_promising(bench.baseline(), each, LEAST_RATIO) for each in found):
            is_over = partial(_is_over, began + seconds)
            if task.once(f"end of search {bench.target} {len(found)}", is_over):
                left = len(proposed) - number
                task.note("prune", f"{left} less likely rewrites are not tried: the time for them is over")
                break
        tree = task.trees.write({bench.target.path: rewrite.data}, bench.tree)
        judged = bench.judge(rewrite.what, tree)
        task.note("candidate", f"{judged.what}: {candidate_line(judged, bench)}")
        found.append(judged)
    return found[start:]


def _is_over(end: float) -> bool:
    return time.monotonic() > end


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
    return [f"{each.what}: {candidate_line(each, bench, most=1)}" for each in unique.values()]


def candidate_line(judged: CandidateVerdict, bench: Bench, most: int | None = None) -> str:
    """Describe a verdict in one line, with at most `most` reasons."""
    if judged.status != RIGHT:
        more = "; and more" if most and judged.why[most:] else ""
        return f"{judged.status}: {'; '.join(judged.why[:most])}{more}"
    before = bench.baseline()
    ratio = before.cost / max(judged.cost, 1)
    large = f", {ratio_text(before.large / judged.large, 2)} on the largest input" if judged.large else ""
    return (
        f"right, {before.cost:,} -> {judged.cost:,} instructions ({ratio_text(ratio, 2)}){large}, "
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
    """Return the slow lines of the function at `tree` with their causes, one a line, or ""."""
    lines = [f"- {text}" for text in line_texts(find_slow_lines(bench, tree))]
    return "\n".join(["Slow lines:", *lines]) if lines else ""
