"""Diagnosis of a slow function: the lines that take its time, how this time grows with the input, the likely cause,
and a remedy.

The line profiler measures how often a line runs and how long it takes for inputs of several sizes. The syntax of the
line and the types of its variables then say which of its operations can take that time.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from tokenize import detect_encoding
from typing import TYPE_CHECKING, Any

from aci.runtime.target_function import Function, iter_functions
from extensions.optimize.growth_chart import chart
from extensions.optimize.measurement.profiling import LineTime, profile_lines
from extensions.optimize.speedup import growth_text
from trajectories.errors import UsageError
from trajectories.facts import Fact
from trajectories.journal import write_durably

if TYPE_CHECKING:
    from extensions.optimize.candidate_benchmark import Bench

MOST_LINES, LEAST_SHARE = 2, 0.1
"""Maximum number of lines that are named, and the minimum share of the function's time of each."""
LEAST_GROWTH = 0.3
"""Exponent from which the time of one execution of a line grows with the input."""
SUPERLINEAR, EXPLOSIVE = 1.4, 3.2
"""Exponents from which a line runs more often than once for each item of the input, and than nested loops explain."""
LEAST_CALLING_SHARE = 0.5
"""Minimum share of a line for which the functions of the file that it calls are profiled too."""
LONGEST = 100
"""Maximum number of characters of a line of code that is shown."""
LISTS = {"list", "bytearray"}
SEQUENCES = {"list", "tuple", "str", "bytes", "deque", "bytearray"}
CONSUMERS = {
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
    "again": "Remember what was handled already, in a set of the visited items or a dictionary of the results.",
    "loop": "Each execution is cheap: save executions (stop early, skip items), or let a built-in do the loop.",
}
"""The remedy, by cause."""


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
    function: str = ""
    """The name of the called function with the line; "" for the function itself."""


def line_texts(lines: Sequence[SlowLine]) -> list[str]:
    """Return a text for each line; the same operation is described once."""
    texts, described = [], dict[str, int]()
    for one in lines:
        growth = f", time grows as n^{one.growth:.1f}" if one.growth is not None else ""
        why = f"{one.operation}. {ADVICE[one.cause]}"
        why = f"as line {described[why]}." if why in described else why
        described.setdefault(why, one.line)
        place = f"line {one.line} of `{one.function}`" if one.function else f"line {one.line}"
        texts.append(f"{place} ({one.share:.0%} of the time{growth}): `{one.code}`: {why}")
    return texts


def find_slow_lines(bench: Bench, tree: str) -> tuple[SlowLine, ...]:
    """Return the lines that take most of the function's time at `tree`; none if they cannot be measured. Recorded."""

    def found() -> list[dict[str, Any]]:
        grown = bench.grown[-3:] if len(bench.grown) >= 3 else ()
        room, sizes = bench.workspace_at(tree), [call.size for call in grown]
        data = bench.task.trees.read(tree, bench.target.path)

        def profiles(is_whole: bool) -> list[tuple[LineTime, ...]]:
            calls = [[call] for call in grown] or [list(bench.measured)]
            return [profile_lines(room, bench.target, each, is_whole=is_whole) for each in calls]

        try:
            whole = bench.baseline().growth
            lines = diagnose_with_calls(data, bench.target.name, sizes, profiles, whole.high if whole else math.inf)
        except UsageError:
            return []
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


def diagnose_with_calls(
    data: bytes,
    name: str,
    sizes: Sequence[int],
    profiles: Callable[[bool], Sequence[Sequence[LineTime]]],
    most: float = math.inf,
) -> list[SlowLine]:
    """Return the slow lines of a function, and the slowest line of the functions of its file that it calls, if a call
    takes most of the time. `profiles` returns the times of the function's lines or, given True, of the whole file's;
    the other arguments are those of `diagnose`."""
    lines = diagnose(data, name, sizes, profiles(False), most)
    return [*lines, *_diagnose_called(data, name, sizes, profiles(True), most)] if _calls_file(data, lines) else lines


def diagnose(
    data: bytes, name: str, sizes: Sequence[int], profiles: Sequence[Sequence[LineTime]], most: float = math.inf
) -> list[SlowLine]:
    """Return the slow lines of the function of this name in a file. `profiles` are its lines' times for inputs of these
    `sizes`, or one profile of several calls without a size. `most` is the largest exponent of a line's time: no line
    grows faster than the function's instructions, and the times of short calls are inexact."""
    functions = _functions(data)
    target = dict(functions)[name]
    inside = [time for time in profiles[-1] if target.lineno <= time.line <= (target.end_lineno or 0)]
    found: list[SlowLine] = []
    for time in inside[:MOST_LINES]:
        if time.share < LEAST_SHARE and found:
            break
        found.append(_slow_line(data, functions, time, sizes, profiles, most))
    return found


def _calls_file(data: bytes, lines: Sequence[SlowLine]) -> bool:
    """Return whether the slowest line calls another function of the file and takes most of the time."""
    functions = _functions(data)
    if not lines or lines[0].share < LEAST_CALLING_SHARE:
        return False
    parts, _ = _parts_of_line(_around(functions, lines[0].line)[1], lines[0].line)
    return any(_own_calls(part, functions) for part in parts)


def _diagnose_called(
    data: bytes, name: str, sizes: Sequence[int], profiles: Sequence[Sequence[LineTime]], most: float
) -> list[SlowLine]:
    """Return the slowest line of the other functions of the file, from profiles of the whole file, if it takes a share
    of the time."""
    functions = _functions(data)
    others = [(_around(functions, time.line)[0], time) for time in profiles[-1]]
    for other, time in [one for one in others if one[0] not in ("", name)][:1]:
        if time.share >= LEAST_SHARE:
            return [replace(_slow_line(data, functions, time, sizes, profiles, most), function=other)]
    return []


def _functions(data: bytes) -> list[tuple[str, Function]]:
    """Return the functions of a file with their names, also the nested ones."""
    tree = ast.parse(data)
    named = list(iter_functions(tree))
    known = {id(node) for _, node in named}
    nested = [(node.name, node) for node in ast.walk(tree) if isinstance(node, Function) and id(node) not in known]
    return [*nested, *named]


def _around(functions: Sequence[tuple[str, Function]], line: int) -> tuple[str, Function]:
    """Return the innermost function with a line, and its name; those of the file's first function if there is none."""
    around = [one for one in functions if one[1].lineno <= line <= (one[1].end_lineno or 0)]
    return max(around, key=lambda one: one[1].lineno, default=("", functions[0][1]))


def _own_calls(part: ast.AST, functions: Sequence[tuple[str, Function]]) -> list[ast.Call]:
    """Return the calls of functions of the file."""
    names = {name.rpartition(".")[2] for name, _ in functions}
    calls = [node for node in ast.walk(part) if isinstance(node, ast.Call)]
    return [one for one in calls if isinstance(one.func, ast.Name | ast.Attribute) and _last(one.func) in names]


def _slow_line(
    data: bytes,
    functions: Sequence[tuple[str, Function]],
    time: LineTime,
    sizes: Sequence[int],
    profiles: Sequence[Sequence[LineTime]],
    most: float,
) -> SlowLine:
    function = _around(functions, time.line)[1]
    parts, loops = _parts_of_line(function, time.line)
    is_head = bool(loops) and loops[-1].lineno == time.line
    growth = _exponent(sizes, profiles, time.line, lambda one: one.seconds)
    growth = None if growth is None else min(growth, most)
    runs = _exponent(sizes, profiles, time.line, lambda one: one.runs if is_head else one.starts)
    line = _Line(function, functions, parts, loops, growth, runs, time.types)
    cause, operation = line.cause()
    encoding, _ = detect_encoding(BytesIO(data).readline)
    code = re.split("\r\n|\r|\n", data.decode(encoding, "replace"))[time.line - 1].strip()
    shown = code if len(code) <= LONGEST else f"{code[:LONGEST]}…"
    return SlowLine(time.line, shown, time.share, growth, runs, cause, operation)


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


@dataclass(frozen=True, slots=True)
class _Line:
    """What is known about a line: its expressions and simple statements, the loops around it, the exponents of its time
    and of how often it runs, and the types of its variables."""

    function: Function
    functions: Sequence[tuple[str, Function]]
    parts: Sequence[ast.AST]
    loops: Sequence[ast.stmt]
    growth: float | None
    runs: float | None
    types: Mapping[str, str]

    def cause(self) -> tuple[str, str]:
        """Return the cause of the line's time and the operation in words."""
        each_grows = self.growth is None or self.runs is None or self.growth - self.runs >= LEAST_GROWTH
        own = [call for part in self.parts for call in _own_calls(part, self.functions)]
        recursive = [call for call in own if _last(call.func) == self.function.name]  # type: ignore[arg-type]
        if self.runs is not None and self.runs > EXPLOSIVE:
            cause = "recursion" if recursive else "again"
            return cause, f"it runs far more often than there are items (n^{self.runs:.1f}): work is done again"
        types = _Types(self.types, self.growth is not None)
        operations = [one for part in self.parts for one in _operations(part, types)]
        if each_grows and operations and not own and (self.loops or self.growth is not None):
            return operations[0]
        if recursive and (self.runs is None or self.runs > SUPERLINEAR):
            return "recursion", f"{self.function.name} calls itself many times"
        if len(self.loops) > 1 and (self.runs is None or self.runs >= SUPERLINEAR):
            over = " and ".join(f"{_head(loop)} (line {loop.lineno})" for loop in self.loops[-2:])
            return "pairs", f"it runs once for each combination of the loops {over}"
        calls = own or [node for part in self.parts for node in ast.walk(part) if isinstance(node, ast.Call)][-1:]
        if calls and (own or (each_grows and self.growth is not None)):
            longer = ", which takes longer for larger inputs" if each_grows and self.growth is not None else ""
            return "call", f"the time is in `{_text(calls[0].func)}(…)`{longer}"
        return (
            "loop",
            "it runs often, and each time takes about as long" if self.loops else "it does the work by itself",
        )


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


@dataclass(frozen=True, slots=True)
class _Types:
    """The types of a line's variables. A value of unknown type may have any if it `is_measured` that the line's time
    grows; otherwise nothing is said about it."""

    names: Mapping[str, str]
    is_measured: bool

    def may_be(self, node: ast.AST, kinds: Collection[str]) -> bool:
        kind = self.names.get(node.id, "") if isinstance(node, ast.Name) else ""
        return kind in kinds if kind else self.is_measured


def _operations(part: ast.AST, types: _Types) -> Iterator[tuple[str, str]]:
    """Yield the operations in a part of a line whose time grows with a value, the likeliest cause first."""
    nodes = list(ast.walk(part))
    for find in (_front, _search, _growing, _slice, _whole, _copy):
        yield from (found for node in nodes if (found := find(node, types)))


def _front(node: ast.AST, types: _Types) -> tuple[str, str] | None:
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="pop"), args=[ast.Constant(value=0)]):
            if types.may_be(value, LISTS):
                return "front", f"`{_text(node)}` moves all items of `{_text(value)}`"
        case ast.Call(func=ast.Attribute(value=value, attr="insert"), args=[_, _]) if types.may_be(value, LISTS):
            return "front", f"`{_text(node)}` moves the items of `{_text(value)}` behind the new one"
    return None


def _search(node: ast.AST, types: _Types) -> tuple[str, str] | None:
    match node:
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[where]):
            is_new = isinstance(where, ast.Set | ast.Dict) or (
                isinstance(where, ast.Call) and _text(where.func) in CONSUMERS
            )
            if types.may_be(where, SEQUENCES) and not is_new:
                return "search", f"`{_text(node)}` searches `{_text(where)}` from its beginning"
        case ast.Call(func=ast.Attribute(value=value, attr="index" | "count" | "remove" | "find")):
            if types.may_be(value, SEQUENCES):
                return "search", f"`{_text(node)}` searches `{_text(value)}` from its beginning"
    return None


def _growing(node: ast.AST, types: _Types) -> tuple[str, str] | None:
    match node:
        case ast.Assign(targets=[target], value=ast.BinOp(op=ast.Add(), left=left, right=right)):
            if _text(target) in (_text(left), _text(right)) and types.may_be(target, SEQUENCES):
                return "growing", f"`{_text(node)}` builds all of `{_text(target)}` anew each time"
        case ast.AugAssign(target=target, op=ast.Add()) if types.may_be(target, ("tuple", "bytes", "str")):
            return "growing", f"`{_text(node)}` builds all of `{_text(target)}` anew each time"
    return None


def _slice(node: ast.AST, types: _Types) -> tuple[str, str] | None:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load):
        return "slice", f"`{_text(node)}` copies a part of `{_text(node.value)}`"
    return None


def _whole(node: ast.AST, types: _Types) -> tuple[str, str] | None:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[_]) if name in CONSUMERS:
            return "whole", f"`{_text(node)}` goes through all items"
        case ast.Call(func=ast.Attribute(attr="sort" | "join")):
            return "whole", f"`{_text(node)}` goes through all items"
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return "whole", f"`{_text(node)}` goes through all items"
    return None


def _copy(node: ast.AST, types: _Types) -> tuple[str, str] | None:
    match node:
        case ast.Call(func=ast.Attribute(attr="copy" | "deepcopy")):
            return "copy", f"`{_text(node)}` copies all items"
    return None


def _last(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _head(loop: ast.stmt) -> str:
    if isinstance(loop, ast.While):
        return f"`while {_text(loop.test)}`"
    return f"over `{_text(loop.iter)}`" if isinstance(loop, ast.For | ast.AsyncFor) else ""


def _text(node: ast.AST) -> str:
    text = ast.unparse(node).replace("\n", " ")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
