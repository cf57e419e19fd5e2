"""The `view` tool: files with line numbers, definitions by name, directories, stored outputs and observations."""

from __future__ import annotations

import difflib
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from aci.graph.file_outline import LONGEST_LINE, PYTHON, count_fitting, fits, names_in, numbered, outline
from aci.guest.source_encoding import text_encoding
from aci.observation.file_contents import describe_binary, split_lines
from aci.observation.output_text import CAPS, cut_lines
from aci.repository.python_source import Definition, definitions
from aci.runtime.workspace import HARNESS_SESSION
from tools._file_errors import UNCHANGED, explain_submodule
from tools._tree_diff import unrecorded
from tools.base import Context, TextSource, not_needed, tool
from trajectories.errors import UsageError
from trajectories.records import Observation

PLACE = re.compile(r"(.+?):(\d{1,9})(?:-(\d{1,9}))?")


@tool(
    writes=False,
    kind="view",
    reads=("path",),
    result="file",
    text=TextSource("repository", "The file {}", "path"),
    consent=not_needed,
)
def view(
    ctx: Context, path: str, start: int | None = None, end: int | None = None, symbol: str | None = None
) -> Observation:
    """Show a file with line numbers (of a long one, its definitions), a directory, a stored output (`out:17`) or a
    shortened one (`step:7.2`).

    Args:
        path: Relative to the repository, or `out:N`.
        start: First line.
        end: Last line; -1 is the end.
        symbol: Function or class in a Python file, like `Class.method`.
    """
    if address := re.fullmatch(r"out:(\d{1,9})", path):
        return _window(path, _recall(ctx, int(address[1])).split("\n"), start, end)
    if address := re.fullmatch(r"step:(\d{1,9})\.(\d{1,9})", path):
        return _window(path, _observed(ctx, int(address[1]), int(address[2])).split("\n"), start, end)
    path = ctx.place(path)
    try:
        path, data, start, end = _read(ctx, path, start, end)
    except IsADirectoryError:
        return _listing(ctx, path)
    if refusal := describe_binary(path, data):
        return Observation(refusal, ok=False)
    text = data.decode(text_encoding(data) or "utf-8", "replace")
    lines = split_lines(text)
    lines = lines[:-1] if len(lines) > 1 and not lines[-1] else lines
    if not data:
        return Observation(f"{path} is empty.")
    if symbol:
        return _symbol(path, text, lines, symbol, _mentioned_names(ctx))
    if start is None and end is None and not fits(lines) and path.endswith(PYTHON):
        return Observation(outline(path, lines, definitions(text), _mentioned_names(ctx)))
    return _window(path, lines, start, end)


def _read(ctx: Context, path: str, start: int | None, end: int | None) -> tuple[str, bytes, int | None, int | None]:
    """Return a file's path, its content and the requested range of lines, which may also be part of the path:
    `path.py:7-9`."""
    try:
        return path, ctx.workspace.read(path), start, end
    except FileNotFoundError:
        named = PLACE.fullmatch(path)
        if named is None:
            raise
        first, last = int(named[2]), int(named[3]) if named[3] else None
        return named[1], ctx.workspace.read(named[1]), start or first, end or last


def _recall(ctx: Context, number: int) -> str:
    try:
        return ctx.recall(number).decode("utf-8", "replace")
    except (LookupError, FileNotFoundError):
        raise UsageError(f"There is no stored output out:{number}.") from None


def _observed(ctx: Context, step: int, number: int) -> str:
    """Return the text of observation `number` of a step in this branch; both numbers start at 1."""
    found = next((each.observations[number - 1 : number] for each in ctx.steps if each.n == step and number), ())
    if not found:
        raise UsageError(f"There is no observation step:{step}.{number}.")
    return found[0].text


def _window(path: str, lines: Sequence[str], start: int | None, end: int | None) -> Observation:
    """Return the lines from `start` to `end`, or as many of them as fit."""
    total = len(lines)
    first = max(start or 1, 1)
    last = total if end is None or end < 0 else min(end, total)
    if first > total:
        return Observation(f"{path} has {total} lines; there is no line {first}.", ok=False)
    if first > last:
        return Observation(f"The range ends (line {end}) before it starts (line {first}).", ok=False)
    wanted = lines[first - 1 : last]
    count = count_fitting(wanted)
    text = f"{path}, lines {first}-{first + count - 1} of {total}\n{numbered(wanted[:count], first)}"
    if count < len(wanted):
        text += f"\n… continues at start={first + count}"
    return Observation(text)


def _mentioned_names(ctx: Context) -> frozenset[str]:
    """Return the names that occur in prompts and in the arguments of the model's tool calls."""
    said = [observation.text for step in ctx.steps if step.reply is None for observation in step.observations]
    asked = [*(action for step in ctx.steps for action in step.actions), *(action for action, _ in ctx.before)]
    said += [str(value) for action in asked for value in action.arguments.values()]
    return names_in(*said)


def _symbol(path: str, text: str, lines: Sequence[str], symbol: str, mentioned: frozenset[str]) -> Observation:
    """Return the definitions with this name, in full if they fit."""
    if not path.endswith(PYTHON):
        named = [f"{at}\t{line}" for at, line in enumerate(lines, 1) if re.search(rf"\b{re.escape(symbol)}\b", line)]
        shown = cut_lines("\n".join(named[:40]), LONGEST_LINE) or "none"
        return Observation(f"`symbol` works only for Python files. Lines of {path} with {symbol}:\n{shown}", ok=False)
    known = definitions(text)
    found = [one for one in known if one.name == symbol] or [
        one for one in known if f".{one.name}".endswith(f".{symbol}")
    ]
    if not found:
        return _no_symbol(path, symbol, known)
    if len(found) == 1 and not fits(lines[found[0].line - 1 : found[0].end]):
        one = found[0]
        nested = [each for each in known if one.line <= each.line <= one.end]
        return Observation(outline(path, lines, nested, mentioned, one))
    if len(found) > 1 and not fits([line for one in found for line in lines[one.line - 1 : one.end]]):
        places = "\n".join(f"{one.line}-{one.end}\t{one.name}" for one in found)
        return Observation(f"{path} defines {symbol} more than once; view one by its lines:\n{places}", ok=False)
    parts = [f"{path}, {one.name}, lines {one.line}-{one.end} of {len(lines)}" for one in found]
    bodies = [numbered(lines[one.line - 1 : one.end], one.line) for one in found]
    return Observation("\n".join(f"{part}\n{body}" for part, body in zip(parts, bodies, strict=True)))


def _no_symbol(path: str, symbol: str, known: Sequence[Definition]) -> Observation:
    last = symbol.rpartition(".")[2]
    near = [one.name for one in known if one.name.rpartition(".")[2] == last][:5]
    near = near or difflib.get_close_matches(symbol, [one.name for one in known], n=5, cutoff=0.5)
    has = (
        f"Similar: {', '.join(near)}."
        if near
        else f"It defines: {', '.join(one.name for one in known[:40]) or 'nothing'}."
    )
    return Observation(f"{path} does not define {symbol}. {has}", ok=False)


def _listing(ctx: Context, path: str) -> Observation:
    """Return the files of a directory, and its subdirectories with the number of files in each."""
    snapshot = ctx.workspace.snapshot()
    names = ctx.trees.files(snapshot.tree)
    inside = _inside(names, path)
    if not inside:
        real = ctx.place(_real(ctx, path))
        if real.startswith("/"):
            return Observation(f"{path} is outside the repository; use `ls` in the shell.", ok=False)
        inside = _inside(names, real)
    folders = Counter(name.split("/")[0] for name in inside if "/" in name)
    rows = [f"{name}/ ({_files(count)})" for name, count in sorted(folders.items())]
    rows += sorted(name for name in inside if "/" not in name)
    if not rows:
        if explained := explain_submodule(ctx, path, f"`ls` in the shell lists it. {UNCHANGED}"):
            return Observation(explained, ok=False)
        nothing = f"{path} contains no files known to git (ignored files: `ls` in the shell)."
        return Observation("\n".join([nothing, *unrecorded(snapshot)]))
    room, shown = CAPS["listing"], 0
    while shown < len(rows) and room > len(rows[shown]):
        room -= len(rows[shown]) + 1
        shown += 1
    more = [f"… {len(rows) - shown} more"] if shown < len(rows) else []
    return Observation("\n".join([f"{path}: {_files(len(inside))}", *rows[:shown], *more, *unrecorded(snapshot)]))


def _inside(names: Iterable[str], folder: str) -> list[str]:
    """Return the files in a folder, relative to it."""
    prefix = "" if folder == "." else f"{folder}/"
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def _real(ctx: Context, path: str) -> str:
    """Resolve the symbolic links in a directory's path."""
    command = f"cd {shlex.quote(ctx.workspace.root)} && readlink -f -- {shlex.quote(path)}"
    return ctx.workspace.run(command, timeout=30, session=HARNESS_SESSION).text.rstrip("\n") or path


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
