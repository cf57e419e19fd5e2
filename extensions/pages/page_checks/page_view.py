"""What a page shows at one width and colour scheme: its elements with their computed styles, and a picture.

The data comes from a program beside untrusted code, so it is checked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from extensions.pages.browser.page_driver import decode_picture

PROPERTIES = (
    *(
        "color",
        "background-color",
        "background-image",
        "background-position",
        "background-size",
        "opacity",
        "visibility",
    ),
    *("font-family", "font-size", "font-weight", "font-style", "line-height", "letter-spacing", "text-align"),
    *("text-decoration-line", "text-transform", "text-overflow", "white-space", "list-style-type"),
    *("display", "position", "float", "overflow-x", "overflow-y", "z-index", "transform", "filter", "object-fit"),
    *("flex-direction", "flex-wrap", "flex-grow", "order", "justify-content", "align-items", "row-gap", "column-gap"),
    *("clip-path", "max-width", "min-width", "max-height", "min-height", "vertical-align", "object-position"),
    "grid-template-columns",
    *("box-shadow", "outline-style", "outline-width", "outline-color", "pointer-events"),
    *(f"{kind}-{side}" for kind in ("margin", "padding") for side in ("top", "right", "bottom", "left")),
    *(f"border-{side}-{part}" for side in ("top", "right", "bottom", "left") for part in ("width", "style", "color")),
    *(f"border-{row}-{side}-radius" for row in ("top", "bottom") for side in ("left", "right")),
)
"""The computed properties that are compared: those that are seen, and that do not follow from the sizes of others."""
INHERITED = frozenset(
    [
        "color",
        "visibility",
        "font-family",
        "font-size",
        "font-weight",
        "font-style",
        "line-height",
        "letter-spacing",
        "text-align",
        "text-transform",
        "white-space",
        "list-style-type",
        "pointer-events",
    ]
)
HEIGHT = 800
"""The height of the window in pixels."""
MOST_ELEMENTS, MOST_LINKS, LONGEST = 3_000, 100, 2_000
MALFORMED = "the browser's description of the page is malformed"


@dataclass(frozen=True, slots=True)
class Variant:
    """How a page is opened: the width of the window in pixels, and whether in dark mode."""

    width: int = 1280
    dark: bool = False

    def __str__(self) -> str:
        return f"{self.width} px{', dark mode' if self.dark else ''}"


@dataclass(frozen=True, slots=True)
class Element:
    """A visible or invisible element. `parent` is its parent's index, `text` its own text without that of its children,
    `attributes` its role, label and similar values; `box` is x, y, width and height in pixels. `is_reached` tells
    whether it is a text, a picture, a link or a control that a person can see and use: painted, not clipped, in the
    area that the page scrolls to, and with nothing in front of it."""

    parent: int
    tag: str
    id: str
    classes: str
    text: str
    attributes: tuple[str, ...]
    box: tuple[float, float, float, float]
    style: Mapping[str, str]
    is_reached: bool = False

    @property
    def is_visible(self) -> bool:
        hidden = self.style["visibility"] != "visible" or self.style["opacity"] == "0"
        x, y, width, height = self.box
        return not hidden and width > 0 and height > 0 and x + width > 0 and y + height > 0

    @property
    def name(self) -> str:
        """A short name for people, such as `button "Save"`, `nav.main` or `div#total`."""
        label = self.text or next(filter(None, self.attributes[1:5]), "")
        where = f"#{self.id}" if self.id else "".join(f".{one}" for one in self.classes.split()[:2])
        return f'{self.tag}{where} "{label[:40]}"' if label else f"{self.tag}{where}"


@dataclass(frozen=True, slots=True)
class PageView:
    """A page as it is shown. `error` says why it could not be shown; `errors` are those of its scripts."""

    path: str
    variant: Variant
    elements: Sequence[Element] = ()
    links: Sequence[str] = ()
    width: float = 0.0
    status: int = 0
    picture: bytes = b""
    error: str = ""
    errors: Sequence[str] = field(default=())


def read_views(path: str, variants: Sequence[Variant], answer: Mapping[str, Any]) -> list[PageView]:
    """Return a view for each variant from the driver's answer to `capture`. A malformed answer is a page that could not
    be shown."""
    events = answer.get("events")
    failed = (
        [one[1] for one in events if isinstance(one, list) and len(one) == 2 and one[0] == "page error"]
        if isinstance(events, list)
        else []
    )
    errors = tuple(dict.fromkeys(str(one)[:LONGEST] for one in failed))
    if answer.get("ok") is not True:
        error = str(answer.get("error", "no answer"))[:LONGEST]
        return [PageView(path, one, error=error, errors=errors) for one in variants]
    try:
        status, views = int(answer["status"]), answer["views"]
        return [_view(path, variant, shown, status, errors) for variant, shown in zip(variants, views, strict=True)]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return [PageView(path, one, error=MALFORMED, errors=errors) for one in variants]


def _view(path: str, variant: Variant, shown: Mapping[str, Any], status: int, errors: Sequence[str]) -> PageView:
    styles = [dict(zip(PROPERTIES, map(str, values), strict=True)) for values in shown["styles"]]
    elements = [_element(one, styles, number) for number, one in enumerate(shown["elements"][:MOST_ELEMENTS])]
    links = [str(one)[:LONGEST] for one in shown["links"][:MOST_LINKS]]
    picture = decode_picture(shown.get("picture"))
    return PageView(path, variant, elements, links, float(shown["width"]), status, picture, "", errors)


def _element(value: Any, styles: Sequence[Mapping[str, str]], number: int) -> Element:
    parent, tag, id, classes, text, attributes, box, style, is_reached = value
    if not isinstance(parent, int) or not -1 <= parent < number:
        raise ValueError("a parent comes before its children")
    x, y, width, height = map(float, box)
    words = tuple(" ".join(str(one).split())[:LONGEST] for one in attributes)
    own = " ".join(str(text).split())[:LONGEST]
    tag, id, classes = (str(one)[:LONGEST] for one in (tag, id, classes))
    return Element(parent, tag, id, classes, own, words, (x, y, width, height), styles[style], is_reached is True)
