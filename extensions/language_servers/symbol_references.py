"""References of a language server, in place of those of the code graph, and definitions that the graph has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aci.graph.code_graph import Graph
    from aci.graph.outline import Location
    from aci.graph.symbol_context import PlaceView
    from extensions.language_servers.language_server import FileLine
    from tools.base import Context

REFERENCES = ("callers", "tests")
MOST = 20
"""Maximum number of definitions that are shown."""
IMPORTS = ("import ", "from ", "export ", "use ")


def add_server_references(ctx: Context, tree: str, graph: Graph, one: PlaceView, wanted: Sequence[str]) -> str:
    """Replace the references to a definition by those of the environment's language server, and return a remark that
    names it; "" if there is none.

    A server resolves what the graph cannot: attributes by their type, names that a module only passes on. The graph's
    other references are kept as uncertain, since a server does not see through dynamic code.
    """
    from aci.graph.code_graph import is_test_file
    from extensions.language_servers.workspace_servers import find_references

    asked = [relation for relation in REFERENCES if relation in wanted]
    symbol = graph.symbol(one.place)
    if symbol is None or not asked or not ctx.may_run:
        return ""
    found = find_references(ctx.workspace, ctx.trees, tree, one.path, symbol.header, symbol.bare)
    if found is None:
        return ""
    server, lines = found
    served = list(_places(ctx, tree, graph, one.place, lines))
    for relation in asked:
        is_tests = relation == "tests" or is_test_file(graph, one.path)
        mine = [view for view in served if is_test_file(graph, view.path) == is_tests]
        one.related[relation] = [*mine, *_others(one.related.get(relation, ()), mine)]
    return f" ({server})"


def server_definitions(ctx: Context, tree: str, name: str) -> str:
    """Return where a name is defined, by the environment's language server; "" if none knows it."""
    from aci.observation.untrusted_text import one_line
    from extensions.language_servers.workspace_servers import find_definitions

    bare = name.strip().strip("`'\"").rpartition(".")[2].rpartition(":")[2]
    if not bare.isidentifier() or not ctx.may_run:
        return ""
    server, lines = find_definitions(ctx.workspace, ctx.trees, tree, bare) or ("", [])
    files = ctx.trees.files(tree)
    known = [one for one in lines if one.path in files and ctx.within(one.path)]
    rows = [f"  {path}:{line} {one_line(text)}" for path, line, text in known[:MOST]]
    return "\n".join([f"definitions of {bare}: {len(known)} ({server})", *rows]) if rows else ""


def _others(known: Iterable[PlaceView], served: Sequence[PlaceView]) -> Iterator[PlaceView]:
    """Yield the graph's references that the server does not have, as uncertain ones."""
    from dataclasses import replace

    places = {view.place for view in served}
    files = {view.path for view in served}
    for view in known:
        is_import = view.place.symbol < 0 and view.path in files
        if view.place not in places and not is_import:
            yield replace(view, weight=min(view.weight, 0.5))


def _places(
    ctx: Context, tree: str, graph: Graph, definition: Location, lines: Sequence[FileLine]
) -> Iterator[PlaceView]:
    """Yield each definition or file with a reference, once; an import only if the file has no other reference."""
    from aci.graph.code_graph import Link, definition_at_line
    from aci.graph.outline import USE
    from aci.graph.symbol_context import describe_place

    files = ctx.trees.files(tree)
    texts: dict[str, list[str]] = {}
    found: dict[Location, int] = {}
    imports: dict[Location, int] = {}
    for path, line, _ in lines:
        if path not in files or path not in graph.number:
            continue
        if path not in texts:
            texts[path] = ctx.trees.read(tree, path).decode("utf-8", "replace").split("\n")
        if line > len(texts[path]):
            continue
        place = definition_at_line(graph, path, line)
        is_import = place.symbol < 0 and texts[path][line - 1].startswith(IMPORTS)
        (imports if is_import else found).setdefault(place, line)
    using = {place.path for place in found}
    found |= {place: line for place, line in imports.items() if place.path not in using}
    for place, line in found.items():
        if place != definition:
            yield describe_place(graph, place, Link(place, USE, line, 1.0), place.path)
