"""Diagnosis of a slow function: the lines that take its time, how this time grows with the input, the likely cause,
and what a person would do about it.

The line profiler measures how often a line runs and how long it takes for inputs of several sizes. The syntax of the
line and the types of its variables then say which of its operations can take that time.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from tokenize import detect_encoding
from typing import TYPE_CHECKING, Any

from extensions.optimize.growth_chart import chart
from extensions.optimize.measurement.profiling import LineTime, profile_lines
from extensions.optimize.speedup import growth_text
from trajectories.errors import UsageError
from trajectories.facts import Fact
from trajectories.journal import write_durably

if TYPE_CHECKING:
    from aci.runtime.target_function import Function
    from extensions.optimize.candidate_benchmark import Bench

MOST_LINES, LEAST_SHARE = 2, 0.1
"""Maximum number of lines that are named, and the minimum share of the function's time of each."""
GROWS = 0.3
"""Exponent from which the time of one execution of a line grows with the input."""
SUPERLINEAR = 1.4
"""Exponent from which a line runs more often than once for each item of the input."""
LONGEST = 100
"""Maximum number of characters of a line of code that is shown."""
SEQUENCES = {"list", "tuple", "str", "bytes", "deque", "bytearray"}
WHOLE = {
    "sorted",
    "min",
    "max",
    "sum",
    "any",
    "all",
    "list",
    "tuple",
    "set",
    "frozenset",
    "dict",
    "Counter",
    "reversed",
}
ADVICE = {
    "search": "Keep the values in a set, or in a dictionary by the value that is looked up, beside the list.",
    "front": "Use collections.deque, an index that moves, or work at the end and reverse once.",
    "slice": "Pass positions (start and end) instead of copies, or walk with an index.",
    "growing": "Collect the parts in a list and join them once at the end, or change the value in place.",
    "whole": "Do it once before the loop, keep the result up to date, or index the values by what is looked up.",
    "copy": "Copy once, or only the part that changes.",
    "call": "Look into the called function, or call it once for each different argument.",
    "pairs": "Visit only the items that can match: group them by key in a dictionary, or sort once and stop early.",
    "recursion": "Remember the results by their arguments, or fill a table in the order of the arguments.",
    "loop": "Each execution is cheap: save executions (stop early, skip items), or let a built-in do the loop.",
}
"""What a person would do, by cause."""


@dataclass(frozen=True, slots=True)
class SlowLine:
    """A line that takes much of a function's time."""

    line: int
    code: str
    """The line's text, cut to LONGEST characters."""
    share: float
    """Share of the function's time on the largest input, including what the line calls."""
    growth: float | None
    """Exponent of the line's time with the size of the input; None if there are no inputs of several sizes."""
    runs: float | None
    """Exponent of how often it runs."""
    cause: str
    """One of the keys of ADVICE."""
    operation: str
    """What takes the time, in words."""


def line_texts(lines: Sequence[SlowLine]) -> list[str]:
    """Return a text for each line; the same operation is described once."""
    texts, described = [], dict[str, int]()
    for one in lines:
        growth = f", time grows as n^{one.growth:.1f}" if one.growth is not None else ""
        why = f"{one.operation}. {ADVICE[one.cause]}"
        why = f"as line {described[why]}." if why in described else why
        described.setdefault(why, one.line)
        texts.append(f"line {one.line} ({one.share:.0%} of the time{growth}): `{one.code}`: {why}")
    return texts


def find_slow_lines(bench: Bench, tree: str) -> tuple[SlowLine, ...]:
    """Return the lines that take most of the function's time at `tree`; none if they cannot be measured. Recorded."""

    def found() -> list[dict[str, Any]]:
        grown = bench.grown[-3:] if len(bench.grown) >= 3 else ()
        room = bench.workspace_at(tree)
        try:
            if not grown:
                profiles = [profile_lines(room, bench.target, bench.measured)]
            else:
                profiles = [profile_lines(room, bench.target, [call]) for call in grown]
        except UsageError:
            return []
        data = bench.task.trees.read(tree, bench.target.path)
        lines = diagnose(data, bench.target.find(data), [call.size for call in grown], profiles)
        return [asdict(line) for line in lines]

    return tuple(SlowLine(**line) for line in bench.task.once(f"slow lines {bench.target} {tree}", found))


def describe_slow_lines(bench: Bench) -> Fact:
    """Return what is known about a function that was not made faster: its growth and its slow lines, as a fact. The
    growth is drawn as `optimize.svg` in the run's folder, unless there is a chart of a function that became faster."""
    target, before, lines = bench.target, bench.baseline(), find_slow_lines(bench, bench.tree)
    growth = f"the number of instructions grows as {growth_text(before.growth)}" if before.growth else ""
    growth = growth or "how the number of instructions grows is not known, as no larger calls could be made"
    if before.growth:
        file = bench.task.branch.engine.journal.directory / "optimize.svg"
        if not file.exists():
            write_durably(file, chart(str(target), before.growth, None, f"counted by {before.backend}").encode())
    return Fact(
        "slow_function",
        "\n".join([f"{target}: {growth}.", *(f"  {text}" for text in line_texts(lines))]),
        {
            "function": str(target),
            "growth": f"{before.growth.exponent:.2f}" if before.growth else "",
            "lines": tuple(str(line.line) for line in lines),
            "shares": tuple(f"{line.share:.2f}" for line in lines),
            "causes": tuple(line.cause for line in lines),
        },
    )


def diagnose(
    data: bytes, function: Function, sizes: Sequence[int], profiles: Sequence[Sequence[LineTime]]
) -> list[SlowLine]:
    """Return the slow lines of a function in a file. `profiles` are its lines' times for inputs of these `sizes`, or
    one profile of several calls without a size."""
    encoding, _ = detect_encoding(BytesIO(data).readline)
    source = data.decode(encoding, "replace").split("\n")
    found: list[SlowLine] = []
    for time in profiles[-1][:MOST_LINES]:
        if time.share < LEAST_SHARE and found:
            break
        growth = _exponent(sizes, profiles, time.line, lambda one: one.seconds)
        runs = _exponent(sizes, profiles, time.line, lambda one: one.runs)
        cause, operation = _cause(function, time, growth, runs)
        code = source[time.line - 1].strip()
        shown = code if len(code) <= LONGEST else f"{code[:LONGEST]}…"
        found.append(SlowLine(time.line, shown, time.share, growth, runs, cause, operation))
    return found


def _exponent(
    sizes: Sequence[int], profiles: Sequence[Sequence[LineTime]], line: int, value: Callable[[LineTime], float]
) -> float | None:
    """Return the exponent of a line's value between the smallest and the largest size."""
    if len(sizes) < 2 or sizes[0] == sizes[-1]:
        return None
    first, last = (sum(value(one) for one in profiles[at] if one.line == line) for at in (0, -1))
    if first <= 0 or last <= 0:
        return None
    return math.log(last / first) / math.log(sizes[-1] / sizes[0])


def _cause(function: Function, time: LineTime, growth: float | None, runs: float | None) -> tuple[str, str]:
    """Return the cause of a line's time and the operation in words."""
    parts, loops = _parts_of_line(function, time.line)
    each_grows = growth is None or runs is None or growth - runs >= GROWS
    operations = [one for part in parts for one in _operations(part, time.types)]
    if each_grows and operations and (loops or (runs or 0) > GROWS):
        return operations[0]
    if _calls_itself(function) and (runs is None or runs > SUPERLINEAR):
        return "recursion", f"{function.name} calls itself many times"
    if len(loops) > 1 and (runs is None or runs >= SUPERLINEAR):
        over = " and ".join(f"{_head(loop)} (line {loop.lineno})" for loop in loops[-2:])
        return "pairs", f"it runs once for each combination of the loops {over}"
    calls = [node for part in parts for node in ast.walk(part) if isinstance(node, ast.Call)]
    if each_grows and growth is not None and calls:
        return "call", f"the time is in `{_text(calls[0].func)}(…)`, which takes longer for larger inputs"
    return "loop", "it runs often, and each time takes about as long" if loops else "it does the work by itself"


def _parts_of_line(function: Function, line: int) -> tuple[list[ast.AST], list[ast.stmt]]:
    """Return the expressions and simple statements on a line, and the loops around it, the outermost first.

    A line with the head of a `for` loop is in that loop: the profiler counts its iterations.
    """
    parts: list[ast.AST] = []
    loops: list[ast.stmt] = []

    def visit(body: Sequence[ast.AST], around: list[ast.stmt]) -> None:
        for node in body:
            if not node.lineno <= line <= (node.end_lineno or 0):  # type: ignore[attr-defined]
                continue
            inside = [*around, node] if isinstance(node, ast.For | ast.AsyncFor | ast.While) else around
            blocks = [each for name in ("body", "orelse", "finalbody", "handlers") for each in getattr(node, name, ())]
            blocks = blocks if not isinstance(node, ast.expr) else []
            for case in getattr(node, "cases", ()):
                blocks += case.body
            if any(each.lineno <= line <= each.end_lineno for each in blocks):
                visit(blocks, inside)
                return
            head = [each for each in ast.iter_child_nodes(node) if each not in blocks] if blocks else [node]
            parts[:], loops[:] = head, inside
            return

    visit(function.body, [])
    return parts, loops


def _operations(part: ast.AST, types: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the operations in a part of a line whose time grows with a value, the likeliest cause first."""
    nodes = list(ast.walk(part))
    for find in (_front, _search, _growing, _slice, _whole, _copy):
        yield from (found for node in nodes if (found := find(node, types)))


def _front(node: ast.AST, types: Mapping[str, str]) -> tuple[str, str] | None:
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="pop"), args=[ast.Constant(value=0)]):
            return "front", f"`{_text(node)}` moves all items of `{_text(value)}`"
        case ast.Call(func=ast.Attribute(value=value, attr="insert"), args=[first, _]) if (
            _kind(value, types) != "deque"
        ):
            where = "front" if isinstance(first, ast.Constant) else "middle"
            return "front", f"`{_text(node)}` inserts in the {where} and moves the items of `{_text(value)}` behind it"
    return None


def _search(node: ast.AST, types: Mapping[str, str]) -> tuple[str, str] | None:
    match node:
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[where]):
            if _kind(where, types) in SEQUENCES or (
                not _kind(where, types) and not isinstance(where, ast.Set | ast.Dict)
            ):
                return "search", f"`{_text(node)}` searches `{_text(where)}` from its beginning"
        case ast.Call(func=ast.Attribute(value=value, attr="index" | "count" | "remove" | "find")):
            return "search", f"`{_text(node)}` searches `{_text(value)}` from its beginning"
    return None


def _growing(node: ast.AST, types: Mapping[str, str]) -> tuple[str, str] | None:
    match node:
        case ast.Assign(targets=[target], value=ast.BinOp(op=ast.Add(), left=left, right=right)):
            if _text(target) in (_text(left), _text(right)) and _kind(target, types) in (*SEQUENCES, ""):
                return "growing", f"`{_text(node)}` builds all of `{_text(target)}` anew each time"
        case ast.AugAssign(target=target, op=ast.Add()) if _kind(target, types) in ("tuple", "bytes", "str"):
            return "growing", f"`{_text(node)}` builds all of `{_text(target)}` anew each time"
    return None


def _slice(node: ast.AST, types: Mapping[str, str]) -> tuple[str, str] | None:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load):
        return "slice", f"`{_text(node)}` copies a part of `{_text(node.value)}`"
    return None


def _whole(node: ast.AST, types: Mapping[str, str]) -> tuple[str, str] | None:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[_, *_]) if name in WHOLE:
            return "whole", f"`{_text(node)}` goes through all items"
        case ast.Call(func=ast.Attribute(attr="sort" | "join")):
            return "whole", f"`{_text(node)}` goes through all items"
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return "whole", f"`{_text(node)}` goes through all items"
    return None


def _copy(node: ast.AST, types: Mapping[str, str]) -> tuple[str, str] | None:
    match node:
        case ast.Call(func=ast.Attribute(attr="copy" | "deepcopy")):
            return "copy", f"`{_text(node)}` copies all items"
    return None


def _kind(node: ast.AST, types: Mapping[str, str]) -> str:
    """Return the name of a value's type; "" if it is unknown."""
    return types.get(node.id, "") if isinstance(node, ast.Name) else ""


def _calls_itself(function: Function) -> bool:
    names = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return any(isinstance(name, ast.Name | ast.Attribute) and _last(name) == function.name for name in names)


def _last(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _head(loop: ast.stmt) -> str:
    if isinstance(loop, ast.While):
        return f"`while {_text(loop.test)}`"
    return f"over `{_text(loop.iter)}`" if isinstance(loop, ast.For | ast.AsyncFor) else ""


def _text(node: ast.AST) -> str:
    text = ast.unparse(node).replace("\n", " ")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
