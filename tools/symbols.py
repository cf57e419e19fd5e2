"""The `symbols` tool: describes a definition or a file from the code graph of the current tree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aci.observation.output_text import cut_lines, number_lines
from tools.base import Context, TextSource, not_needed, tool
from trajectories.errors import UsageError
from trajectories.plugins import installed_module
from trajectories.records import Observation

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph, NameMatch
    from aci.graph.outline import Location
    from aci.graph.symbol_context import PlaceView

ROOM, SOURCE_ROOM = 3_600, 11_500
"""Maximum number of characters of an answer, and of an answer that shows source."""
MOST_OF_EACH, MOST_DESCRIBED = 6, 3
"""Maximum number of rows per relation if all relations are requested; maximum number of definitions of the same name
that are described in full."""
LONGEST_LINE = 500

ASKS = {
    "where": (),
    "show": (),
    "callers": ("callers", "tests", "overrides"),
    "callees": ("callees",),
    "bases": ("bases", "overrides"),
    "subclasses": ("subclasses", "overridden"),
    "tests": ("tests",),
    "outline": ("members",),
    "all": ("bases", "subclasses", "overrides", "overridden", "callers", "tests", "callees", "members"),
}
QUESTION_PATTERNS = {
    "subclasses": r"sub[ _-]?class|child|derived|overridden|extended|who (?:extends|inherits|overrides)",
    "bases": r"base|super|parent|ancestor|overrid|inherit|extends",
    "tests": r"test",
    "callers": r"caller|called|calls (?:it|this)|who|usage|used|\buses?\b|reference",
    "callees": r"callee|calls?\b|refers",
    "show": r"show|source|body|code",
    "outline": r"outline|member|method",
    "where": r"where|defin",
}
"""Patterns that map the wording of a question to its kind; the first match wins."""
LONGEST_NAME = 100


@tool(writes=False, kind="view", text=TextSource("repository"), consent=not_needed)
def symbols(ctx: Context, name: str, ask: str = "all") -> Observation:
    """Find a function, class or file, and what calls, tests, extends or uses it. Includes your edits.

    Args:
        name: Like `func`, `Class.method`, `path.py:func` or `path.py`; similar names match too.
        ask: where, show (source), callers, callees, bases, subclasses, tests, outline, or all.
    """
    from aci.localization.issue_localization import query_tree_graph
    from aci.repository.file_blobs import TreeBlobs

    wanted = _wanted(ask)
    tree = ctx.current_tree()
    text = query_tree_graph(
        TreeBlobs(ctx.trees, tree), name, lambda graph: _answer(ctx, tree, graph, name, wanted), ctx.notify
    )
    if not text:
        raise UsageError(f"No symbol is named `{name[:LONGEST_NAME]}` or similar.", "Use `search`.")
    return _fit_answer(ctx, text, SOURCE_ROOM if wanted == "show" else ROOM)


def _wanted(ask: str) -> str:
    """Return the kind of question; `all` if it is not recognised."""
    return next((known for known, words in QUESTION_PATTERNS.items() if re.search(words, ask.lower()[:200])), "all")


def _answer(ctx: Context, tree: str, graph: Graph, name: str, wanted: str) -> str:
    from aci.graph.code_graph import look_up_name

    match = look_up_name(graph, name)
    if not match.places and (server := _server()) and (served := server.server_definitions(ctx, tree, name)):
        return str(served)
    if not match.places and not match.near:
        return ""
    places = [place for place in match.places or match.near[:1] if ctx.within(place.path)]
    if not places:
        return f"The symbol is outside {ctx.subtree}/, to which this session is limited."
    head = _nearest(graph, name, match)
    if len(places) > MOST_DESCRIBED:
        rows = [_heading(graph, place) for place in places]
        return "\n".join(
            [f"{len(places)} have this name; give one with its path, like {_full(graph, places[0])}:", *rows]
        )
    parts = [_describe(ctx, tree, graph, place, wanted) for place in places]
    return "\n\n".join([*head, *parts])


def _server() -> Any | None:
    """Return the module that asks the environment's language server, if its extension is installed."""
    return installed_module("tools.symbols.server")


def _nearest(graph: Graph, name: str, match: NameMatch) -> list[str]:
    """Return a line that says that no symbol has this name and lists similar ones; empty if the symbol exists."""
    if match.places:
        return []
    others = ", ".join(_full(graph, place) for place in match.near[1:])
    more = f"; others: {others}" if others else ""
    return [f"No symbol is named `{name[:LONGEST_NAME]}`. This is the nearest{more}."]


def _full(graph: Graph, place: Location) -> str:
    symbol = graph.symbol(place)
    return f"{place.path}:{symbol.name}" if symbol else place.path


def _heading(graph: Graph, place: Location) -> str:
    symbol = graph.symbol(place)
    return f"{place.path}:{symbol.header} {symbol.name} — {symbol.signature}" if symbol else place.path


def _describe(ctx: Context, tree: str, graph: Graph, place: Location, wanted: str) -> str:
    """Describe one place: first its location, then the answer to the question."""
    from aci.graph.symbol_context import TITLES, find_context

    one = find_context(graph, place, wanted=ASKS[wanted])
    server = _server()
    source = server.add_server_references(ctx, tree, graph, one, ASKS[wanted]) if server else ""
    where = f"{one.path}:{one.line}-{one.end} {one.name}" if one.line else one.path
    lines = [where, *([f"  {one.signature}"] if one.signature else []), *([f"  {one.doc}"] if one.doc else [])]
    if wanted == "show":
        return f"{where}\n{_source(ctx, tree, graph, place)}"
    most = MOST_OF_EACH if wanted == "all" else 10_000
    for relation in ASKS[wanted]:
        if found := one.related.get(relation, []):
            inside = [each for each in found if ctx.within(each.path)]
            head = f"{TITLES[relation]}: {len(found)}{source if relation in ('callers', 'tests') else ''}"
            lines += [head, *_rows(inside, relation, most)]
            lines += [f"  … {len(found) - len(inside)} outside {ctx.subtree}/"] if len(inside) < len(found) else []
    if wanted in TITLES and not one.related.get(wanted):
        lines.append(f"{TITLES[wanted]}: none known{source}")
    return "\n".join(lines)


def _rows(found: Sequence[PlaceView], relation: str, most: int) -> list[str]:
    rows = [_row(one, relation) for one in found[:most]]
    word = "outline" if relation == "members" else relation
    return [*rows, f"  … {len(found) - most} more: ask {word}"] if len(found) > most else rows


def _row(one: PlaceView, relation: str) -> str:
    """Return a line such as `shop/till.py:12 Till.sum`; the line number is that of the reference if `one` is a
    reference, otherwise that of the definition."""
    if relation == "members":
        return f"  {one.line}-{one.end} {one.signature}"
    name = one.name if one.line else "(module level)"
    return f"  {one.reference_location(relation)} {name}{' (perhaps)' if one.unsure else ''}"


def _source(ctx: Context, tree: str, graph: Graph, place: Location) -> str:
    """Return the lines of a definition with its decorators, or the start of a file."""
    lines = ctx.trees.read(tree, place.path).decode("utf-8", "replace").split("\n")
    symbol = graph.symbol(place)
    first, last = (symbol.line, symbol.end) if symbol else (1, len(lines))
    room = SOURCE_ROOM // 2
    shown: list[str] = []
    for line in lines[first - 1 : last]:
        room -= min(len(line), LONGEST_LINE) + 7
        if room < 0 and shown:
            break
        shown.append(cut_lines(line, LONGEST_LINE))
    text = number_lines(shown, first)
    if first + len(shown) <= last:
        text += f"\n… continues to line {last}: view {place.path} start={first + len(shown)}"
    return text


def _fit_answer(ctx: Context, text: str, room: int) -> Observation:
    """Return the answer, cut after a whole line if it is too long; the full text is then stored."""
    if len(text) <= room:
        return Observation(text)
    lines, shown = text.split("\n"), 0
    while shown < len(lines) and room > len(lines[shown]) + 1:
        room -= len(lines[shown]) + 1
        shown += 1
    number = ctx.keep(text.encode())
    return Observation("\n".join([*lines[:shown], f"… {len(lines) - shown} more lines: out:{number}"]), out=number)
