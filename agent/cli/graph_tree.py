"""A neighbourhood of the graph as text, for a terminal."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from rich.tree import Tree

from aci.graph.surroundings import RELATIONS, TITLES, Seen
from aci.view import clean


def tree(one: Seen, most: int) -> Tree:
    """A place, and under it what is related to it, at most so many of each."""
    head = Text.assemble((clean(one.heading), "bold"), (f"  {clean(one.address)}", "dim"))
    made = Tree(head, guide_style="dim")
    if one.doc:
        made.add(Text(clean(one.doc), "italic"))
    for relation in RELATIONS:
        if found := one.related.get(relation):
            branch = made.add(Text.assemble(TITLES[relation], (f" ({len(found)})", "dim")))
            _fill(branch, found, relation, most)
    if not one.related:
        made.add(Text("nothing refers to it, nor does it refer to anything that is known", "dim"))
    return made


def _fill(branch: Tree, found: list[Seen], relation: str, most: int) -> None:
    for other in found[:most]:
        _fill(branch.add(_line(other, relation)), other.related.get(relation, []), relation, most)
    if len(found) > most:
        branch.add(Text(f"… {len(found) - most} more", "dim"))


def _line(one: Seen, relation: str) -> Text:
    """`Till.sum  shop/till.py:12`: the line of the reference if it is he who refers, else of the definition."""
    name = one.name if one.kind != "file" else "(module level)"
    unsure = (" perhaps", "yellow") if one.unsure else ""
    return Text.assemble((clean(name), "cyan"), (f"  {clean(one.told_at(relation))}", "dim"), unsure)


def as_json(one: Seen) -> dict[str, Any]:
    """The object that `graph --json` prints of a place. `at` is the line of the reference, where there is one."""
    told: dict[str, Any] = {"path": one.path, "name": one.name, "kind": one.kind, "line": one.line}
    if one.at_path:
        return told | {"at": one.at, "weight": round(one.weight, 3)} | _related(one)
    return told | {"end": one.end, "signature": one.signature, "doc": one.doc} | _related(one)


def _related(one: Seen) -> dict[str, Any]:
    return {relation: [as_json(other) for other in found] for relation, found in one.related.items()}
