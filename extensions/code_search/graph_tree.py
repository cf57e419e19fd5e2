"""A symbol's neighbours in the code graph as a text tree."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree

from aci.graph.symbol_context import RELATIONS, TITLES, PlaceView
from aci.observation.untrusted_text import clean_text


def build_tree(one: PlaceView, most: int) -> Tree:
    """Return a tree of a symbol and its neighbours, at most `most` of each relation."""
    head = Text.assemble((clean_text(one.heading), "bold"), (f"  {clean_text(one.address)}", "dim"))
    made = Tree(head, guide_style="dim")
    if one.doc:
        made.add(Text(clean_text(one.doc), "italic"))
    for relation in RELATIONS:
        if found := one.related.get(relation):
            branch = made.add(Text.assemble(TITLES[relation], (f" ({len(found)})", "dim")))
            _fill(branch, found, relation, most)
    if not one.related:
        made.add(Text("no known references from or to it", "dim"))
    return made


def _fill(branch: Tree, found: list[PlaceView], relation: str, most: int) -> None:
    for other in found[:most]:
        _fill(branch.add(_line(other, relation)), other.related.get(relation, []), relation, most)
    if len(found) > most:
        branch.add(Text(f"… {len(found) - most} more", "dim"))


def _line(one: PlaceView, relation: str) -> Text:
    """Return a label such as `Till.sum shop/till.py:12`, with the line of the reference if this symbol contains it,
    else of the definition."""
    name = one.name if one.kind != "file" else "(module level)"
    unsure = (" perhaps", "yellow") if one.unsure else ""
    return Text.assemble(
        (clean_text(name), "cyan"), (f"  {clean_text(one.reference_location(relation))}", "dim"), unsure
    )
