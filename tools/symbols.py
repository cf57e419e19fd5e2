"""`symbols`: what the code graph knows of a definition or file, at the tree as it is now."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aci.view import cut_lines, numbered
from tools.base import Context, Toolbox, tool
from trajectories.errors import UsageError
from trajectories.records import Observation

if TYPE_CHECKING:
    from aci.graph.graph import Graph
    from aci.graph.naming import Meant
    from aci.graph.outline import Place
    from aci.graph.surroundings import Seen

ROOM, SOURCE_ROOM = 3_600, 11_500
"""Characters of an answer, and of one that shows source."""
MOST_OF_EACH, MOST_MEANT = 6, 3
"""Rows of each relation where all are asked for; definitions of one name that are told whole."""
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
UNDERSTOOD = {
    "subclasses": r"sub[ _-]?class|child|derived|overridden|extended|who (?:extends|inherits|overrides)",
    "bases": r"base|super|parent|ancestor|overrid|inherit|extends",
    "tests": r"test",
    "callers": r"caller|called|calls (?:it|this)|who|usage|used|\buses?\b|reference",
    "callees": r"callee|calls?\b|refers",
    "show": r"show|source|body|code",
    "outline": r"outline|member|method",
    "where": r"where|defin",
}
"""In what words a question may be asked; of several the first is meant."""
LONGEST_NAME = 100


@tool(writes=False, kind="view")
def symbols(ctx: Context, name: str, ask: str = "all") -> Observation:
    """Who calls, tests, extends or uses a function, class or file, and where it is; follows your edits.

    Args:
        name: Like `func`, `Class.method`, `path.py:func` or `path.py`; nearly right will do.
        ask: where, show (source), callers, callees, bases, subclasses, tests, outline, or all.
    """
    from aci.graph.blobs import TreeBlobs
    from aci.locating import ask_graph

    wanted = _wanted(ask)
    tree = _tree(ctx)
    text = ask_graph(TreeBlobs(ctx.trees, tree), lambda graph: _answer(ctx, tree, graph, name, wanted), ctx.notify)
    if not text:
        raise UsageError(f"Nothing is called `{name[:LONGEST_NAME]}`, nor much like it.", "Look with `search`.")
    return _shown(ctx, text, SOURCE_ROOM if wanted == "show" else ROOM)


def _wanted(ask: str) -> str:
    """The question that is meant; all where it is not understood."""
    return next((known for known, words in UNDERSTOOD.items() if re.search(words, ask.lower()[:200])), "all")


def _tree(ctx: Context) -> str:
    """The tree as it is now: a snapshot is due only where this very reply may have written."""
    toolbox = Toolbox()
    return ctx.workspace.snapshot().tree if any(toolbox.writes(action) for action, _ in ctx.before) else ctx.tree


def _answer(ctx: Context, tree: str, graph: Graph, name: str, wanted: str) -> str:
    from aci.graph.naming import meant

    said = meant(graph, name)
    if not said.places and not said.near:
        return ""
    places = [place for place in said.places or said.near[:1] if ctx.within(place.path)]
    if not places:
        return f"It is outside {ctx.subtree}/, to which this session is limited."
    head = _nearest(graph, name, said)
    if len(places) > MOST_MEANT:
        rows = [_heading(graph, place) for place in places]
        return "\n".join(
            [f"{len(places)} are called so; name one with its path, like {_full(graph, places[0])}:", *rows]
        )
    parts = [_told(ctx, tree, graph, place, wanted) for place in places]
    return "\n\n".join([*head, *parts])


def _nearest(graph: Graph, name: str, said: Meant) -> list[str]:
    """That nothing is called so, and what else may be meant."""
    if said.places:
        return []
    others = ", ".join(_full(graph, place) for place in said.near[1:])
    return [f"Nothing is called `{name[:LONGEST_NAME]}`. The nearest is told{f'; others: {others}' if others else ''}."]


def _full(graph: Graph, place: Place) -> str:
    symbol = graph.symbol(place)
    return f"{place.path}:{symbol.name}" if symbol else place.path


def _heading(graph: Graph, place: Place) -> str:
    symbol = graph.symbol(place)
    return f"{place.path}:{symbol.header} {symbol.name} — {symbol.signature}" if symbol else place.path


def _told(ctx: Context, tree: str, graph: Graph, place: Place, wanted: str) -> str:
    """One place: where it is, then what was asked for."""
    from aci.graph.surroundings import TITLES, surroundings

    one = surroundings(graph, place, wanted=ASKS[wanted])
    where = f"{one.path}:{one.line}-{one.end} {one.name}" if one.line else one.path
    lines = [where, *([f"  {one.signature}"] if one.signature else []), *([f"  {one.doc}"] if one.doc else [])]
    if wanted == "show":
        return f"{where}\n{_source(ctx, tree, graph, place)}"
    most = MOST_OF_EACH if wanted == "all" else 10_000
    for relation in ASKS[wanted]:
        if found := one.related.get(relation, []):
            inside = [each for each in found if ctx.within(each.path)]
            lines += [f"{TITLES[relation]}: {len(found)}", *_rows(inside, relation, most)]
            lines += [f"  … {len(found) - len(inside)} outside {ctx.subtree}/"] if len(inside) < len(found) else []
    if wanted in TITLES and not one.related.get(wanted):
        lines.append(f"{TITLES[wanted]}: none known")
    return "\n".join(lines)


def _rows(found: Sequence[Seen], relation: str, most: int) -> list[str]:
    rows = [_row(one, relation) for one in found[:most]]
    word = "outline" if relation == "members" else relation
    return [*rows, f"  … {len(found) - most} more: ask {word}"] if len(found) > most else rows


def _row(one: Seen, relation: str) -> str:
    """`shop/till.py:12 Till.sum`: the line of the reference if it is he who refers, else of the definition."""
    if relation == "members":
        return f"  {one.line}-{one.end} {one.signature}"
    name = one.name if one.line else "(module level)"
    return f"  {one.told_at(relation)} {name}{' (perhaps)' if one.unsure else ''}"


def _source(ctx: Context, tree: str, graph: Graph, place: Place) -> str:
    """The lines of a definition, decorators included; of a file its beginning."""
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
    text = numbered(shown, first)
    if first + len(shown) <= last:
        text += f"\n… goes on to line {last}: view {place.path} start={first + len(shown)}"
    return text


def _shown(ctx: Context, text: str, room: int) -> Observation:
    """The answer, cut between its lines; all of it is kept under an address then."""
    if len(text) <= room:
        return Observation(text)
    lines, shown = text.split("\n"), 0
    while shown < len(lines) and room > len(lines[shown]) + 1:
        room -= len(lines[shown]) + 1
        shown += 1
    number = ctx.keep(text.encode())
    return Observation("\n".join([*lines[:shown], f"… {len(lines) - shown} more lines: out:{number}"]), out=number)
