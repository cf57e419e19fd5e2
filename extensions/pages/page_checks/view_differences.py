"""Differences between two views of a page: which elements changed, and what users see of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from extensions.pages.page_checks.page_view import HEIGHT, INHERITED, Element, PageView

MOST_DIFFERENCES = 200
REPLACED = ("img", "svg", "canvas", "video", "iframe", "object", "input", "select", "textarea")
"""Elements whose size comes from their content and not only from their style."""
SAME_SIZE, MOVED = 2.0, 4.0
OVERFLOW = 2.0
LONGEST_TEXT = 200
UNREACHED = "can no longer be seen or used"
NEW, HIDDEN, WIDER, ELSEWHERE = "is new", "is hidden now", "its content is wider than the window", "is in another place"
NOTHING_PAINTED = {"background-color": "rgba(0, 0, 0, 0)", "background-image": "none", "box-shadow": "none"}
OF_TEXT = dict.fromkeys(INHERITED, "") | {
    "text-decoration-line": "none",
    "opacity": "1",
    "filter": "none",
    "clip-path": "none",
}
"""Properties by which an element can make a text in it look different, with the value of those not inherited that
changes nothing."""

FOR_ASSISTIVE_TECHNOLOGY = ("role", "label", "title", "aria")
"""What users of a screen reader or of the keyboard notice, and others do not."""
LAYOUT = frozenset(
    [
        *("display", "float", "flex-direction", "flex-wrap", "flex-grow", "order", "justify-content", "align-items"),
        *("row-gap", "column-gap", "max-width", "min-width", "max-height", "min-height"),
        *(f"{kind}-{side}" for kind in ("margin", "padding") for side in ("top", "right", "bottom", "left")),
    ]
)
"""What changes nothing that users see, unless a box in or around the element changes with it."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """A change of an element between two views. `element` is its index in the later view, or in the earlier one if
    `is_missing`; -1 for the page as a whole. `changes` are `property: before -> after`, or words such as `is missing`.
    `is_lost` tells whether a person could reach it, or something in it, before and cannot any more.
    """

    element: int
    changes: tuple[str, ...]
    is_missing: bool = False
    is_lost: bool = False

    @property
    def is_loss(self) -> bool:
        """Whether users no longer see the element."""
        return self.is_missing or self.is_lost or HIDDEN in self.changes


def find_differences(before: PageView, after: PageView) -> list[Difference]:
    """Return what changed, without what only follows from another change: inherited values and moved boxes."""
    if before.error:
        return []
    if after.error or (after.status >= 400 > before.status):
        return [Difference(-1, (f"it cannot be opened: {after.error or f'status {after.status}'}",))]
    found = list(_page_differences(before, after))
    pairs = match_elements(before.elements, after.elements)
    back = {new: old for old, new in pairs.items()}
    before, after = _without_wrappers(before, after, pairs)
    own = {new: _changes(before.elements[old], after.elements[new]) for old, new in pairs.items()}
    for old, new in pairs.items():
        parent = before.elements[old].parent
        is_same_parent = parent < 0 or pairs.get(parent) == after.elements[new].parent
        if _has_moved(before, old, after, new, is_same_parent):
            own[new][ELSEWHERE] = ""
    laid_out = _laid_out_otherwise(before.elements, after.elements, pairs)
    for new, changes in sorted(own.items()):
        left = _without_inherited(changes, own.get(after.elements[new].parent, {}))
        if new not in laid_out:
            left = {name: values for name, values in left.items() if name not in LAYOUT}
        if left:
            words = tuple(f"{name}: {values}" if values else name for name, values in left.items())
            is_lost = before.elements[back[new]].is_reached and not after.elements[new].is_reached
            found.append(Difference(new, words, is_lost=is_lost))
    found += _missing(before.elements, after.elements, pairs)
    found += _added(after.elements, back)
    found += _reordered(before.elements, after.elements, back)
    return found[:MOST_DIFFERENCES]


def _page_differences(before: PageView, after: PageView) -> Iterator[Difference]:
    if after.width > after.variant.width + OVERFLOW and before.width <= before.variant.width + OVERFLOW:
        yield Difference(-1, (WIDER,))
    if new := [one for one in after.errors if one not in before.errors]:
        yield Difference(-1, (f"a script fails: {new[0]}",))


def match_elements(before: Sequence[Element], after: Sequence[Element]) -> dict[int, int]:
    """Return the indexes of elements that are the same in both, by position among their siblings and content; an
    element that moved is found by its content."""
    pairs: dict[int, int] = {}
    children = _children(before), _children(after)
    contents = _contents(before), _contents(after)
    _match_children((before, after), contents, children, pairs, [(-1, -1)], of_class=True)
    _match_rest(*contents, pairs)
    _match_rest([_kind_of(one) for one in before], [_kind_of(one) for one in after], pairs)
    _match_children((before, after), contents, children, pairs, [(-1, -1), *pairs.items()], of_class=False)
    return pairs


def _without_wrappers(before: PageView, after: PageView, pairs: Mapping[int, int]) -> tuple[PageView, PageView]:
    """Return the views in which a text that moved to a new element inside, or out of one, is where it was before.

    An element that makes the text look different, hides it or is a link remains a difference.
    """
    views = []
    for view, other, known in (
        (after, before, {new: old for old, new in pairs.items()}),
        (before, after, pairs),
    ):
        elements = list(view.elements)
        for inside, element in enumerate(view.elements):
            around = element.parent
            if inside in known or around not in known or elements[around].text or not element.text:
                continue
            if not element.is_visible or any(element.attributes[:7]):
                continue
            was = other.elements[known[around]]
            looks_same = all(element.style[name] in (was.style[name], none) for name, none in OF_TEXT.items())
            if was.text == element.text and looks_same:
                elements[around] = replace(elements[around], text=element.text)
                elements[inside] = replace(element, text="")
        views.append(replace(view, elements=elements))
    return views[1], views[0]


def _match_rest(olds: Sequence[tuple[str, ...]], news: Sequence[tuple[str, ...]], pairs: dict[int, int]) -> None:
    """Match the remaining elements with equal keys in their order; () matches nothing."""
    rest: dict[tuple[str, ...], list[int]] = defaultdict(list)
    taken = set(pairs.values())
    for new, key in enumerate(news):
        if new not in taken and key:
            rest[key].append(new)
    for old, key in enumerate(olds):
        if old not in pairs and (same := rest.get(key)):
            pairs[old] = same.pop(0)


def _kind_of(element: Element) -> tuple[str, ...]:
    """Return what fields, pictures and boxes without a text of their own have in common, such as a box that a repaired
    tag closes elsewhere; () for other elements."""
    if element.tag in REPLACED:
        return (element.tag,)
    named = element.id or element.classes
    return (element.tag, element.id, element.classes) if named and not element.text else ()


def _children(elements: Sequence[Element]) -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for index, element in enumerate(elements):
        found[element.parent].append(index)
    return found


def _contents(elements: Sequence[Element]) -> list[tuple[str, ...]]:
    """Return for each element what identifies it apart from its place and style, such as its own text or else that of
    the elements in it; () if nothing does."""
    texts = [element.text for element in elements]
    for index in reversed(range(len(elements))):
        parent = elements[index].parent
        if parent >= 0 and not elements[parent].text:
            texts[parent] = f"{texts[index]} {texts[parent]}"[:LONGEST_TEXT]
    contents = []
    for element, text in zip(elements, texts, strict=True):
        words = (element.id, text.strip(), *element.attributes[:6])
        contents.append((*words, element.tag * (not element.text)) if any(words) else ())
    return contents


def _match_children(
    views: tuple[Sequence[Element], Sequence[Element]],
    contents: tuple[Sequence[tuple[str, ...]], Sequence[tuple[str, ...]]],
    children: tuple[Mapping[int, list[int]], Mapping[int, list[int]]],
    pairs: dict[int, int],
    parents: Sequence[tuple[int, int]],
    of_class: bool,
) -> None:
    """Match the remaining children of matched parents, and theirs, by their content, else by their tag in order; with
    `of_class`, also by their id and classes."""
    waiting, taken = list(parents), set(pairs.values())
    while waiting:
        parent, new_parent = waiting.pop()
        olds = [one for one in children[0].get(parent, ()) if one not in pairs]
        news = [one for one in children[1].get(new_parent, ()) if one not in taken]
        for old, new in _match_siblings(views, contents, olds, news, of_class):
            pairs[old] = new
            taken.add(new)
            waiting.append((old, new))


def _match_siblings(
    views: tuple[Sequence[Element], Sequence[Element]],
    contents: tuple[Sequence[tuple[str, ...]], Sequence[tuple[str, ...]]],
    olds: Sequence[int],
    news: Sequence[int],
    of_class: bool,
) -> Iterator[tuple[int, int]]:
    def kind(element: Element) -> tuple[str, ...]:
        return (element.tag, element.id, element.classes) if of_class else (element.tag,)

    keys = [
        [(view[one].tag, *content[one]) for one in some]
        for view, content, some in zip(views, contents, (olds, news), strict=True)
    ]
    for name, first, end, other, other_end in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
        if name == "equal":
            yield from zip(olds[first:end], news[other:other_end], strict=True)
        elif name == "replace":
            left = list(news[other:other_end])
            for old in olds[first:end]:
                alike = next((new for new in left if kind(views[1][new]) == kind(views[0][old])), None)
                if alike is not None:
                    left.remove(alike)
                    yield old, alike


def _changes(old: Element, new: Element) -> dict[str, str]:
    """Return the changed properties of an element with their values."""
    if not old.is_visible and not new.is_visible:
        return {}
    if old.is_visible != new.is_visible:
        return {"is shown now" if new.is_visible else HIDDEN: ""}
    found = {UNREACHED: ""} if old.is_reached and not new.is_reached else {}
    if old.tag != new.tag:
        found["element"] = f"{old.tag} -> {new.tag}"
    if old.text != new.text:
        found["text"] = _differing_part(old.text, new.text)
    for name, before, after in zip(ATTRIBUTES, old.attributes, new.attributes, strict=False):
        if before != after:
            found[name] = f'"{before[:60]}" -> "{after[:60]}"'
    painted = _painted(new)
    for name, before in _painted(old).items():
        if before != (after := painted[name]):
            found[name] = f"{before} -> {after}"
    columns = [len(one.style["grid-template-columns"].split()) for one in (old, new)]
    if columns[0] != columns[1]:
        found["grid columns"] = f"{columns[0]} -> {columns[1]}"
    sizes = [abs(old.box[edge] - new.box[edge]) for edge in (2, 3)]
    if not found and new.tag in REPLACED and max(sizes) > SAME_SIZE:
        found["size"] = f"{old.box[2]:g} x {old.box[3]:g} -> {new.box[2]:g} x {new.box[3]:g}"
    return found


def _differing_part(old: str, new: str) -> str:
    """Return the beginnings of two texts, or of what is around the first difference of long ones."""
    pairs = enumerate(zip(old, new, strict=False))
    same = next((at for at, (before, after) in pairs if before != after), min(len(old), len(new)))
    start = same - 20 if same > 40 else 0
    return " -> ".join(f'"{"…" * (start > 0)}{text[start : start + 60]}"' for text in (old, new))


ATTRIBUTES = ("role", "label", "alt", "title", "placeholder", "link", "value", "aria", "state", "content around it")


def _painted(element: Element) -> dict[str, str]:
    """Return the style without the colours of borders and outlines that are not there."""
    style = {name: value for name, value in element.style.items() if name != "grid-template-columns"}
    # Whether an element is in a flex box or a grid decides which of the two is reported.
    style |= {name: "0px" for name in ("min-width", "min-height") if style[name] == "auto"}
    for edge in ("border-top", "border-right", "border-bottom", "border-left", "outline"):
        if style[f"{edge}-width"] == "0px" or style[f"{edge}-style"] == "none":
            style |= {f"{edge}-width": "0px", f"{edge}-style": "none", f"{edge}-color": ""}
    return style


def _has_moved(before: PageView, old: int, after: PageView, new: int, is_same_parent: bool) -> bool:
    """Whether a positioned element has another distance to both edges of what it is placed in: the window, or the
    element around it and the nearest positioned one. An element that is in another one has moved if it has another
    column or width."""
    was, now = before.elements[old], after.elements[new]
    if not (was.is_visible and now.is_visible and now.style["position"] == was.style["position"]):
        return False
    if not is_same_parent:
        return any(abs(was.box[edge] - now.box[edge]) > MOVED for edge in (0, 2))
    if now.style["position"] == "fixed":
        window = _window(after)
        return _is_elsewhere(was.box, now.box, window, window)
    if now.style["position"] != "absolute" or min(was.parent, now.parent) < 0:
        return False
    parents = before.elements[was.parent].box, after.elements[now.parent].box
    containers = _container(before, old), _container(after, new)
    return _is_elsewhere(was.box, now.box, *parents) and _is_elsewhere(was.box, now.box, *containers)


def _is_elsewhere(was: Box, now: Box, around: Box, around_now: Box) -> bool:
    """Whether a box has another distance to both edges of the box around it, horizontally or vertically."""
    for edge, size in ((0, 2), (1, 3)):
        first = now[edge] - around_now[edge] - (was[edge] - around[edge])
        last = first + now[size] - around_now[size] - (was[size] - around[size])
        if min(abs(first), abs(last)) > MOVED:
            return True
    return False


def _container(view: PageView, index: int) -> Box:
    """Return the box of the nearest positioned element around an element, or the window."""
    at = view.elements[index].parent
    while at >= 0 and view.elements[at].style["position"] not in ("relative", "absolute", "fixed", "sticky"):
        at = view.elements[at].parent
    return view.elements[at].box if at >= 0 else _window(view)


def _window(view: PageView) -> Box:
    return 0.0, 0.0, float(view.variant.width), float(HEIGHT)


def _laid_out_otherwise(before: Sequence[Element], after: Sequence[Element], pairs: Mapping[int, int]) -> set[int]:
    """Return the later elements of which the size, or the place in the element around it, differs, or of something in
    them."""

    def placed(elements: Sequence[Element], one: int) -> Box:
        x, y, width, height = elements[one].box
        parent = elements[one].parent
        around = elements[parent].box if parent >= 0 else (0.0, 0.0)
        return x - around[0], y - around[1], width, height

    differing = {new for new in set(range(len(after))) - set(pairs.values()) if after[new].is_visible}
    for old in range(len(before)):
        if old not in pairs:
            parent = before[old].parent
            differing |= {pairs[parent]} if before[old].is_visible and parent in pairs else set()
            continue
        edges = zip(placed(before, old), placed(after, pairs[old]), strict=True)
        if any(abs(was - now) > 1 for was, now in edges):
            differing.add(pairs[old])
    return _with_parents(after, differing)


def _without_inherited(changes: Mapping[str, str], of_parent: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in changes.items() if name not in INHERITED or of_parent.get(name) != value}


def _is_seen(element: Element) -> bool:
    """Whether the element itself paints something: text, a picture, a control, a background or a border."""
    style = element.style
    borders = any(style[f"border-{side}-width"] != "0px" for side in ("top", "right", "bottom", "left"))
    painted = borders or any(style[name] != nothing for name, nothing in NOTHING_PAINTED.items())
    return element.is_visible and (bool(element.text) or element.tag in REPLACED or painted)


def _missing(before: Sequence[Element], after: Sequence[Element], pairs: Mapping[int, int]) -> Iterator[Difference]:
    """Yield the missing elements. One that a new element in the same place replaces is not lost."""
    known = set(pairs.values())
    renewed = {element.parent for new, element in enumerate(after) if element.is_reached and new not in known}
    reached = _with_parents(
        before, {old for old, element in enumerate(before) if element.is_reached and old not in pairs}
    )
    for old in _outermost(before, {old for old in range(len(before)) if old not in pairs}):
        is_replaced = pairs.get(before[old].parent) in renewed
        yield Difference(old, ("is missing",), is_missing=True, is_lost=old in reached and not is_replaced)


def _with_parents(elements: Sequence[Element], some: set[int]) -> set[int]:
    found = set(some)
    for one in some:
        while (one := elements[one].parent) >= 0 and one not in found:
            found.add(one)
    return found


def _added(after: Sequence[Element], back: Mapping[int, int]) -> Iterator[Difference]:
    for new in _outermost(after, {new for new in range(len(after)) if new not in back}):
        yield Difference(new, (NEW,))


def _outermost(elements: Sequence[Element], some: set[int]) -> list[int]:
    """Return those that users see and that are in none of the others that users see."""
    seen = {one for one in some if _is_seen(elements[one])}
    return [one for one in sorted(seen) if elements[one].parent not in seen]


def _reordered(before: Sequence[Element], after: Sequence[Element], back: Mapping[int, int]) -> Iterator[Difference]:
    """Yield the elements whose children, the same ones, are in another order."""
    for parent, children in _children(after).items():
        known = [back[one] for one in children if after[one].is_visible and _is_sibling(one, before, after, back)]
        if known != sorted(known):
            yield Difference(max(parent, 0), ("its parts are in another order",))


def _is_sibling(one: int, before: Sequence[Element], after: Sequence[Element], back: Mapping[int, int]) -> bool:
    """Whether the parent of an element, which was there before, is the same as before."""
    parent = after[one].parent
    return one in back and before[back[one]].parent == (back.get(parent, -2) if parent >= 0 else -1)
