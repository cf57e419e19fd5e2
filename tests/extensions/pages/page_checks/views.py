"""Views of pages, made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from extensions.pages.page_checks.page_view import PROPERTIES, Element, PageView, Variant

PLAIN = dict.fromkeys(PROPERTIES, "0px") | {"visibility": "visible", "opacity": "1", "color": "black"}
PLAIN |= {"background-color": "rgba(0, 0, 0, 0)", "background-image": "none", "box-shadow": "none"}


def element(tag: str, text: str = "", parent: int = 0, classes: str = "", **more: Any) -> Element:
    """An element with this style: `color="red"`, `font_size="20px"`; `id` and `box` are its own."""
    own = {name: more.pop(name) for name in ("id", "box", "attributes") if name in more}
    style = PLAIN | {name.replace("_", "-"): value for name, value in more.items()}
    made = Element(parent, tag, "", classes, text, ("",) * 9, (0.0, 0.0, 100.0, 20.0), style)
    return replace(made, **own)


def page(*elements: Element, path: str = "/", variant: Variant = Variant(), **more: Any) -> PageView:  # noqa: B008
    """A page with these elements in its body, whose index is 0."""
    body = replace(element("body"), parent=-1)
    return PageView(path, variant, (body, *elements), width=float(variant.width), status=200, **more)
