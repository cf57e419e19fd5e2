"""A symbol's neighbours in the code graph as one self-contained HTML page.

The image is an SVG in columns: symbols that refer to the symbol are on its left, symbols that it refers to on its
right. The source is untrusted, so everything is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from aci.graph.symbol_context import RELATIONS, TITLES, PlaceView
from aci.observation.untrusted_text import clean_text
from trajectories.pages import beginning, part

PACKAGE = "extensions.report"
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 224, 40, 56, 10, 20
"""Width and height of a box, gaps between boxes, and margin of the image, in pixels."""
LONGEST_NAME, LONGEST_PATH = 25, 30
"""Maximum number of characters of a name, and of a path, that fit in a box."""
MOST_OF_A_RELATION = 8
COLUMNS = {"callers": -1, "tests": -1, "subclasses": -1, "overridden": -1}
"""Relations shown left of the symbol; all others are on its right."""


@dataclass
class Box:
    """A box in the image: for a symbol, or for the `rest` of a relation's symbols if there is no room for them.
    `column` is the offset from the centre column."""

    id: str
    seen: PlaceView | None
    relation: str
    column: int
    text: str = ""
    sub: str = ""
    y: float = 0.0
    parent: Box | None = None
    children: list[Box] = field(default_factory=list)
    rest: Sequence[PlaceView] = ()

    @property
    def unsure(self) -> bool:
        return self.seen is not None and self.seen.unsure


def render_page(found: Sequence[PlaceView], where: str) -> str:
    """Return the page for all definitions of a name."""
    script = part("graph.script.js", PACKAGE)
    boxes: list[Box] = []
    sections = [_section(one, number, boxes) for number, one in enumerate(found)]
    details = {box.id: _details(box) if box.seen else _rest(box) for box in boxes}
    name = clean_text(found[0].name if found else "Nothing")
    title = escape(name)
    return f"""{beginning(name, part("graph.style.css", PACKAGE), script)}<body>
<header><h1>{title}</h1><p>{escape(clean_text(where))}</p></header>
<main>
<div class="pictures">
{"".join(sections)}
</div>
<aside aria-live="polite"><p class="hint">Choose a box to see its signature and location.</p></aside>
</main>
<script type="application/json" id="page-data">{_json(details)}</script>
<script>{script}</script>
</body>
</html>
"""


def _json(value: object) -> str:
    """Return JSON for a script element, escaped so that it cannot close the element or open another."""
    return json.dumps(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _section(one: PlaceView, number: int, boxes: list[Box]) -> str:
    centre = Box(f"p{number}", one, "", 0, one.name.rpartition(".")[2] if one.kind != "file" else one.path)
    centre.sub = one.address
    mine = [centre]
    _grow(centre, mine, "")
    boxes += mine
    _lay_out(centre)
    return f"<section><h2>{escape(clean_text(one.heading))}</h2>{_svg(centre, mine)}</section>\n"


def _grow(box: Box, boxes: list[Box], only: str) -> None:
    """Add boxes for the neighbours of a box, recursively; one more box shows the number of neighbours for which there
    is no room."""
    for relation in RELATIONS:
        found = box.seen.related.get(relation, []) if box.seen and relation == (only or relation) else []
        side = COLUMNS.get(relation, 1)
        for other in found[:MOST_OF_A_RELATION]:
            text = other.name if other.kind != "file" else other.path.rpartition("/")[2]
            made = Box(f"p{len(boxes)}-{box.id}", other, relation, box.column + side, text, parent=box)
            made.sub = other.reference_location(relation)
            boxes.append(made)
            box.children.append(made)
            _grow(made, boxes, relation)
        if (rest := len(found) - MOST_OF_A_RELATION) > 0:
            more = Box(f"p{len(boxes)}-{box.id}", None, relation, box.column + side, f"… {rest} more", parent=box)
            more.rest = found[MOST_OF_A_RELATION:]
            boxes.append(more)
            box.children.append(more)


def _lay_out(centre: Box) -> None:
    """Lay out each side as a tree: leaves stacked, groups apart, each parent centred on its children."""
    heights = []
    for side in (-1, 1):
        mine = [child for child in centre.children if child.column == side]
        heights.append(_stack(mine, 0.0))
    tallest = max(*heights, HEIGHT)
    for side, height in zip((-1, 1), heights, strict=True):
        for child in centre.children:
            if child.column == side:
                _shift(child, (tallest - height) / 2)
    centre.y = (tallest - HEIGHT) / 2


def _stack(boxes: Iterable[Box], top: float) -> float:
    """Place boxes and their children below `top`; return their total height."""
    at, last = top, ""
    for box in boxes:
        if last and box.relation != last:
            at += 2 * GAP_Y + 8
        elif last:
            at += GAP_Y
        elif box.parent and not box.parent.parent:
            at += 8
        last = box.relation
        height = max(_stack(box.children, at) if box.children else 0.0, HEIGHT)
        box.y = at + (height - HEIGHT) / 2
        at += height
    return at - top


def _shift(box: Box, by: float) -> None:
    box.y += by
    for child in box.children:
        _shift(child, by)


def _svg(centre: Box, boxes: Sequence[Box]) -> str:
    left = min(box.column for box in boxes)
    columns = max(box.column for box in boxes) - left + 1
    width = columns * WIDTH + (columns - 1) * GAP_X + 2 * MARGIN
    top = min(box.y for box in boxes) - 26
    height = max(box.y for box in boxes) + HEIGHT - top + MARGIN

    def x(box: Box) -> float:
        return MARGIN + (box.column - left) * (WIDTH + GAP_X)

    parts = [_edge(box, x(box), x(box.parent)) for box in boxes if box.parent]
    named: set[str] = set()
    for box in boxes:
        if box.parent is centre and box.relation not in named:
            named.add(box.relation)
            title = escape(TITLES[box.relation])
            parts.append(f'<text class="title" x="{x(box):.0f}" y="{_top(box) - 6:.1f}">{title}</text>')
        parts.append(_drawn(box, x(box)))
    label = escape(clean_text(f"Neighbours of {centre.text}"), quote=True)
    return (
        f'<div class="scroll"><svg class="columns{columns}" role="group" aria-label="{label}" '
        f'width="{width}" height="{height:.0f}" viewBox="0 {top:.1f} {width} {height:.1f}">{"".join(parts)}</svg></div>'
    )


def _top(box: Box) -> float:
    """Return the y coordinate of the top edge of a box and all its descendants."""
    return min([box.y, *(_top(child) for child in box.children)])


def _edge(box: Box, x: float, parent_x: float) -> str:
    assert box.parent
    start, end = (x + WIDTH, parent_x) if x < parent_x else (parent_x + WIDTH, x)
    from_y, to_y = (box.y, box.parent.y) if x < parent_x else (box.parent.y, box.y)
    a, b, middle = from_y + HEIGHT / 2, to_y + HEIGHT / 2, (start + end) / 2
    unsure = " unsure" if box.unsure else ""
    return (
        f'<path class="edge {box.relation}{unsure}" data-ends="{box.id} {box.parent.id}" '
        f'd="M{start:.0f} {a:.1f}C{middle:.0f} {a:.1f} {middle:.0f} {b:.1f} {end:.0f} {b:.1f}"/>'
    )


def _drawn(box: Box, x: float) -> str:
    name, sub = _cut(box.text, LONGEST_NAME), _cut(box.sub, LONGEST_PATH)
    kind = "centre" if box.parent is None else box.relation if box.seen else f"{box.relation} more"
    name_y = box.y + (17 if box.sub else 25)
    label = escape(clean_text(f"{box.text}, {TITLES.get(box.relation, 'the symbol itself')}, {box.sub}"), quote=True)
    return (
        f'<g class="box {kind}{" unsure" * box.unsure}" id="{box.id}" tabindex="0" role="button" aria-label="{label}">'
        f'<rect x="{x:.0f}" y="{box.y:.1f}" width="{WIDTH}" height="{HEIGHT}" rx="7"/>'
        f'<text class="name" x="{x + 12:.0f}" y="{name_y:.1f}">{escape(name)}</text>'
        f'<text class="where" x="{x + 12:.0f}" y="{box.y + 32:.1f}">{escape(sub)}</text></g>'
    )


def _cut(text: str, most: int) -> str:
    """Cut a name or path, keeping its end, which is more specific."""
    text = clean_text(text)
    return text if len(text) <= most else f"…{text[1 - most :]}"


def _rest(box: Box) -> dict[str, object]:
    """Return the content of the panel for the box that stands for several symbols."""
    rows = [
        f"{one.name if one.kind != 'file' else '(module level)'}  {one.reference_location(box.relation)}"
        for one in box.rest
    ]
    return {"name": f"{len(rows)} more", "relation": TITLES[box.relation], "rest": [clean_text(row) for row in rows]}


def _details(box: Box) -> dict[str, object]:
    """Return the content of the panel for a box; the script sets it as text, never as markup."""
    seen = box.seen
    assert seen
    return {
        "name": clean_text(seen.name),
        "signature": clean_text(seen.signature),
        "doc": clean_text(seen.doc),
        "where": clean_text(f"{seen.address}-{seen.end}" if seen.end > seen.line else seen.address),
        "relation": TITLES.get(box.relation, ""),
        "at": clean_text(f"{seen.at_path}:{seen.at}") if seen.at else "",
        "unsure": "Other symbols of that name are possible." if box.unsure else "",
    }
