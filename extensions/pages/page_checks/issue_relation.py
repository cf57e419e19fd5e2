"""Which differences of pages an issue asks for, by its words.

A patch changes the places that the issue is about, and what follows from it. A difference of other elements, which
share no rare word with the issue, is one that it does not ask for.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from extensions.pages.page_checks.page_view import PROPERTIES, Element, PageView
from extensions.pages.page_checks.view_differences import ELSEWHERE, LAYOUT, NEW, WIDER, Difference

WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}(?![a-z])|\d{2,}")
_STOP = """\
the and for are but not you all any can had her was one our out has have this that with from they been were
when will what there their which should would could into than then them these some only also just like does
did how its page pages see seen show shows shown expected instead after before on off in at of to is it be as
or an if so no we my me by up do go new use used using user users site website app click clicking open opening"""
STOP = frozenset(_STOP.split())
KINDS = {
    "a": "link",
    "button": "button",
    "nav": "navigation nav menu",
    "header": "header",
    "footer": "footer",
    "h1": "heading title",
    "h2": "heading title",
    "h3": "heading title",
    "h4": "heading title",
    "img": "image picture photo logo",
    "svg": "icon",
    "input": "field input box",
    "textarea": "field input box",
    "select": "dropdown select list",
    "table": "table",
    "tr": "row",
    "td": "cell",
    "th": "column header",
    "li": "item entry list",
    "ul": "list",
    "ol": "list",
    "label": "label",
    "form": "form",
    "dialog": "dialog modal popup",
    "aside": "sidebar",
    "main": "content",
    "p": "text paragraph",
}
"""What people call elements."""
OWN, INSIDE, AROUND, PLACE = 1.0, 0.7, 0.4, 0.5
"""The weights of words of an element itself, of the elements in it, of those around it, and of its page."""
LEAST, SHARE = 1.0, 0.5
"""A group is asked for if its score is at least LEAST, and at least this share of the best group's."""
MOST_INSIDE = 40
NARROW = 700
STYLE = frozenset([*PROPERTIES, "size", ELSEWHERE, "grid columns"])
BAD_VALUE = re.compile(r"\bNaN\b|\bInvalid Date\b|\[object \w+\]|(?<![A-Za-z] )\b(?:undefined|Infinity)\b(?! [A-Z])")
PARTS = ("section", "article", "table", "form", "nav", "header", "footer", "aside", "dialog", "ul", "ol", "dl", "main")
REMOVAL = re.compile(
    r"\b(?:remov(?:e|es|ed|ing)|delet(?:e|es|ed|ing)|hid(?:e|es|ing)|drop(?:s|ped|ping)?|get rid|duplicated?|leftover"
    r"|(?:should|must|need|do|does)(?: not|n.t) (?:be (?:there|shown|displayed|visible)|appear|show))\b",
    re.IGNORECASE,
)
"""How an issue says that something is to be removed, or should not be there."""
KEEPING = re.compile(r"(?:\bnot|n.t|\bnever|\bwithout) (?:be )?(?:remov|delet|hid|drop)", re.IGNORECASE)
"""How it says that something must stay."""
STATUS = re.compile(r"status (\d+)")
DARK, PHONE = "dark night theme scheme", "phone mobile narrow small responsive tablet width viewport"
"""Words for what is only seen in dark mode, and only in a narrow window."""


@dataclass(frozen=True, slots=True)
class PlacedDifference:
    """A difference with the view that it is in: the later one, or the earlier one for a missing element."""

    difference: Difference
    view: PageView

    @property
    def element(self) -> Element | None:
        return self.view.elements[self.difference.element] if self.difference.element >= 0 else None

    @property
    def kind(self) -> tuple[object, ...]:
        """The element's tag and what of it changed; for changes other than style, also the page."""
        tag = self.element.tag if self.element else ""
        path = "" if self.is_style else self.view.path
        return (tag, path, *self.names)

    @property
    def is_style(self) -> bool:
        """Whether only the style of the element changed, which may be a consequence of the change around it."""
        return all(name in STYLE for name in self.names)

    @property
    def place(self) -> tuple[object, ...]:
        """The page and the innermost part of it, such as a table or a section, with the element."""
        at = self.difference.element
        elements = self.view.elements
        while at >= 0 and elements[at].tag not in PARTS:
            at = elements[at].parent
        return (self.view.path, *((elements[at].tag, elements[at].id, elements[at].classes) if at >= 0 else ()))

    @property
    def key(self) -> tuple[object, ...]:
        """What the same change of like elements on other pages, at other widths and in other colours has in common."""
        return (*self.subject, self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """What changed, without values."""
        return tuple(sorted(one.partition(":")[0] for one in self.difference.changes))

    @property
    def subject(self) -> tuple[str, ...]:
        """What like elements on other pages, at other widths and in other colours have in common."""
        element = self.element
        if element is None or self.names == (ELSEWHERE,):  # a part that moves takes others with it
            return (self.view.path,)
        if element.classes or element.id:
            return (element.classes, element.id)
        return (element.tag, element.text, self.view.path)

    @property
    def at(self) -> tuple[int, int]:
        """The view and the element's index."""
        return (id(self.view), self.difference.element)

    @property
    def around(self) -> Iterator[tuple[int, int]]:
        """The view and the indexes of the elements around it."""
        at = self.element.parent if self.element else -1
        while at >= 0:
            yield (id(self.view), at)
            at = self.view.elements[at].parent

    @property
    def exact(self) -> tuple[object, ...]:
        """The same change of the same element on the same page, opened in the same way."""
        return (self.key, self.view.path, self.view.variant, self.difference.changes)


def split_words(text: str) -> list[str]:
    """Return the words of a text or of identifiers in it, without endings and without common words."""
    words = (word.lower() for word in WORD.findall(text))
    return [_stem(word) for word in words if word not in STOP]


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "ed", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def find_unasked(
    issue: str,
    tests: str,
    views: Sequence[PageView],
    placed: Sequence[PlacedDifference],
    find_needed: Callable[[], Callable[[PlacedDifference], bool] | None] = lambda: None,
) -> list[PlacedDifference] | None:
    """Return the differences that the issue does not ask for; None if this cannot be told. `issue` is its text,
    `tests` that of the tests that show it; `views` are the pages before the patch.

    `find_needed` returns a function that tells whether a difference is also there with only the part of the patch that
    the tests need, or None if they need the whole patch. What the tests need is asked for. Other differences are asked
    for if they fit the issue, and are like one that the tests need or, without a loss, in the same part of the page. So
    is another layout of what is around one that the tests need.
    If the tests need the whole patch, the issue's words decide. New errors of a page are never asked for, nor is the
    loss of what a person could reach, which comes first, unless a sentence of the issue asks for it.
    """
    lost: list[PlacedDifference] = []
    failing: list[PlacedDifference] = []
    others: list[PlacedDifference] = []
    for one in placed:
        if one.difference.is_lost and not _asks_for_loss(issue, one):
            lost.append(one)
        else:
            (failing if _is_broken(one, issue, tests) else others).append(one)
    broken = lost + failing
    if not others:
        return broken
    wanted, rarity = frozenset(split_words(f"{issue}\n{tests}")), _rarity(views)
    groups = _groups(others)
    scores = [max(_score(one, wanted, rarity) for one in group) + _variant_score(group, wanted) for group in groups]
    best = max(scores)
    unfit = [score < LEAST or score < SHARE * best for score in scores]
    if is_needed := find_needed():
        needed = [one for one in others if is_needed(one)]
        kinds = {(one.kind, one.view.variant) for one in needed}
        places = {(one.place, one.view.variant) for one in needed}
        around = {place for one in needed for place in one.around}
        for some, score, is_unfit in zip(groups, scores, unfit, strict=True):
            has_needed = any(map(is_needed, some))
            group = [
                one
                for one in some
                if not (is_needed(one) or (has_needed and one.is_style) or (_is_layout(one) and one.at in around))
            ]
            is_alike = not is_unfit and all((one.kind, one.view.variant) in kinds for one in group)
            is_beside = score >= LEAST and all(
                (one.place, one.view.variant) in places and not one.difference.is_loss for one in group
            )
            broken += [] if is_alike or is_beside else group
        return broken
    if best < LEAST or len(groups) == 1:
        return broken or (None if all(unfit) else [])
    return broken + [one for group, is_unfit in zip(groups, unfit, strict=True) if is_unfit for one in group]


def _is_layout(placed: PlacedDifference) -> bool:
    return all(name in LAYOUT for name in placed.names)


def _asks_for_loss(issue: str, placed: PlacedDifference) -> bool:
    """Whether a sentence of the issue names the element, or something in it, and asks for its removal. Words of the
    element's own name, such as that of a button `Delete`, ask for nothing."""
    names = {element.name for element in _with_inside(placed)}
    named = {word for name in names for word in split_words(name)}
    own = {match for name in names for match in REMOVAL.findall(name)}
    for sentence in re.split(r"(?<=[.!?])\s|\n", issue):
        asked = set(REMOVAL.findall(sentence)) - own
        if asked and not KEEPING.search(sentence) and named & set(split_words(sentence)):
            return True
    return False


def _is_broken(placed: PlacedDifference, issue: str, tests: str) -> bool:
    """Whether a page fails, or shows a value that a program failed to compute, of which the issue says nothing. A
    status can also be one that the tests name, such as 404 for a page to remove."""
    changes, element = placed.difference.changes, placed.element
    if WIDER in changes:
        return False
    if element is None:
        numbers = re.findall(r"\d+", f"{issue}\n{tests}")
        return not any(status in numbers for one in changes for status in STATUS.findall(one))
    shown = [
        one.partition(" -> ")[2]
        for one in changes
        if one.startswith("text: ") and not BAD_VALUE.search(one.partition(" -> ")[0])
    ]
    if NEW in changes:
        shown += [one.text for one in _with_inside(placed)]
    return any(bad not in issue for text in shown for bad in BAD_VALUE.findall(text))


def _with_inside(placed: PlacedDifference) -> Iterator[Element]:
    """Yield the element of a difference and all elements in it."""
    inside = {placed.difference.element}
    for number, element in enumerate(placed.view.elements):
        if number in inside or element.parent in inside:
            inside.add(number)
            yield element


def _variant_score(group: Sequence[PlacedDifference], wanted: Collection[str]) -> float:
    """Return the score for differences that exist only at the width or in the colours that the issue names."""
    variants = {one.view.variant for one in group}
    only_dark, only_narrow = all(one.dark for one in variants), all(one.width < NARROW for one in variants)
    words = (*split_words(DARK) * only_dark, *split_words(PHONE) * only_narrow)
    return PLACE * any(word in wanted for word in words)


def _groups(placed: Sequence[PlacedDifference]) -> list[list[PlacedDifference]]:
    """Put differences together that belong to each other: like elements, and elements that contain each other."""
    leader = list(range(len(placed)))

    def find(one: int) -> int:
        while leader[one] != one:
            one = leader[one]
        return one

    by_key: dict[object, int] = {}
    for number, one in enumerate(placed):
        leader[find(number)] = find(by_key.setdefault(one.key, number))
    by_view: dict[tuple[int, int], int] = {(id(one.view), one.difference.element): n for n, one in enumerate(placed)}
    for number, one in enumerate(placed):
        parent = one.element.parent if one.element and one.is_style else -1
        while parent >= 0:
            if (around := by_view.get((id(one.view), parent))) is not None:
                leader[find(number)] = find(around)
                break
            parent = one.view.elements[parent].parent
    groups: dict[int, list[PlacedDifference]] = {}
    for number, one in enumerate(placed):
        groups.setdefault(find(number), []).append(one)
    return list(groups.values())


def _rarity(views: Sequence[PageView]) -> Mapping[str, float]:
    """Return how rare each word is among the elements of all pages: 1 for a word of a single one, towards 0."""
    elements = [element for view in views for element in view.elements]
    counts: Counter[str] = Counter()
    for element in elements:
        counts.update(set(_own_words(element)))
    most = math.log(len(elements) + 1) or 1.0
    return {word: 1 - math.log(count) / most for word, count in counts.items()}


def _own_words(element: Element) -> list[str]:
    named = [element.id, element.classes, element.text, *element.attributes[:5], KINDS.get(element.tag, "")]
    return split_words(" ".join(named))


def _score(one: PlacedDifference, wanted: Collection[str], rarity: Mapping[str, float]) -> float:
    """Return the rarity of the issue's words that the element and what surrounds it has, each word once."""
    weights: dict[str, float] = {}

    def add(words: Iterable[str], weight: float) -> None:
        for word in words:
            if word in wanted:
                weights[word] = max(weights.get(word, 0.0), weight * rarity.get(word, 1.0))

    add(split_words(" ".join([one.view.path, *one.difference.changes])), PLACE)
    if element := one.element:
        add(_own_words(element), OWN)
        elements, index = one.view.elements, one.difference.element
        inside = {index}
        for number in range(index + 1, min(index + 1 + MOST_INSIDE, len(elements))):
            if elements[number].parent in inside:
                inside.add(number)
                add(_own_words(elements[number]), INSIDE)
        around = element.parent
        while around >= 0:
            add(_own_words(elements[around]), AROUND)
            around = elements[around].parent
    return sum(weights.values())
