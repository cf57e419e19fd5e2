"""Comparison of the pages of a project without and with a patch: what differs, and what of it the issue asks for."""

from __future__ import annotations

import base64
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from extensions.pages.browser.page_driver import decode_picture
from extensions.pages.browser.server_process import clean_path
from extensions.pages.page_checks.issue_relation import STYLE, PlacedDifference, find_unasked
from extensions.pages.page_checks.page_view import HEIGHT, PROPERTIES, PageView, Variant, read_views
from extensions.pages.page_checks.view_differences import FOR_ASSISTIVE_TECHNOLOGY, Difference, find_differences
from trajectories.page_picture import picture_size

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from extensions.pages.browser.workspace_browser import WorkspaceBrowser

VARIANTS = (Variant(1280), Variant(390), Variant(1280, dark=True))
"""How each page is opened: on a desktop, on a phone, and in dark mode."""
MOST_PAGES, MOST_OWN = 8, 3
SECONDS = 120.0
"""How long pages of the base may be opened; the others are left out."""


@dataclass(frozen=True, slots=True)
class PageServer:
    """A browser and the address of the project's server in one workspace."""

    workspace: Workspace
    browser: WorkspaceBrowser
    address: str

    def views(self, path: str, variants: Sequence[Variant], pictures: bool = False) -> list[PageView]:
        """Return the page in each variant. It is opened once: the window is resized afterwards."""
        answer = self.browser.ask(
            self.workspace,
            "capture",
            url=urljoin(self.address, path),
            variants=[{"width": one.width, "dark": one.dark} for one in variants],
            height=HEIGHT,
            properties=PROPERTIES,
            pictures=pictures,
        )
        return read_views(path, variants, answer)


@dataclass(frozen=True, slots=True)
class PageChange:
    """A page that differs. `asked` and `unasked` describe the differences that the issue asks for and the others; the
    pictures are PNG files."""

    path: str
    variant: Variant
    asked: tuple[str, ...]
    unasked: tuple[str, ...]
    before: bytes
    after: bytes
    difference: bytes


@dataclass(frozen=True, slots=True)
class PageComparison:
    """The result: how many views of how many pages were compared, and those that differ. `is_judged` is False if it
    cannot be told which differences the issue asks for; none is then unasked."""

    pages: int
    views: int
    changes: tuple[PageChange, ...]
    is_judged: bool = True

    @property
    def unasked(self) -> list[PageChange]:
        return [one for one in self.changes if one.unasked]


def compare_pages(
    before: PageServer,
    after: PageServer,
    issue: str,
    tests: str = "",
    visited: Sequence[tuple[str, Variant]] = (),
    needed: Callable[[], PageServer | None] = lambda: None,
) -> PageComparison:
    """Compare the pages that were visited and those that they link to.

    `issue` is the text of the issue, `tests` that of the tests that reproduce it. `needed` returns a server with only
    the part of the patch that the tests need, or None if they need the whole patch; it is called if pages differ.
    """
    pages = _open_pages(before, visited, time.monotonic() + SECONDS)
    changed: list[tuple[PageView, PageView, list[Difference]]] = []
    for path, olds in list(pages.items()):
        variants = [one.variant for one in olds]
        news = after.views(path, variants)
        if not any(find_differences(old, new) for old, new in zip(olds, news, strict=True)):
            continue
        again, news = before.views(path, variants, pictures=True), after.views(path, variants, pictures=True)
        if news[0].error:
            news = after.views(path, variants, pictures=True)
        if any(find_differences(old, new) for old, new in zip(olds, again, strict=True)):
            del pages[path]  # a difference of a page that always differs shows nothing about the patch
            continue
        compared = [(old, new, find_differences(old, new)) for old, new in zip(again, news, strict=True)]
        changed += [one for one in compared if one[2]]
    placed = [PlacedDifference(one, old if one.is_missing else new) for old, new, all in changed for one in all]
    olds = [view for views in pages.values() for view in views]
    found = find_unasked(issue, tests, olds, placed, lambda: _need(needed(), changed))
    unasked = set(map(id, found or ()))
    changes, at = [], 0
    for old, new, differences in changed:
        mine = placed[at : at + len(differences)]
        at += len(differences)
        asked = tuple(dict.fromkeys(_describe(one) for one in mine if id(one) not in unasked))
        others = tuple(dict.fromkeys(_describe(one) for one in mine if id(one) in unasked))
        picture = _difference(after, old, new)
        changes.append(PageChange(old.path, old.variant, asked, others, old.picture, new.picture, picture))
    return PageComparison(len(pages), len(olds), tuple(changes), found is not None)


def _open_pages(server: PageServer, visited: Sequence[tuple[str, Variant]], until: float) -> dict[str, list[PageView]]:
    """Return the views of the visited pages and of those that they link to."""
    paths = list(dict.fromkeys([*(clean_path(path) for path, _ in visited), "/"]))[:MOST_PAGES]
    pages: dict[str, list[PageView]] = {}
    for path in paths:  # grows
        if time.monotonic() > until:
            break
        own = [variant for one, variant in visited if clean_path(one) == path]
        variants = list(dict.fromkeys([*VARIANTS, *own[:MOST_OWN]]))
        pages[path] = server.views(path, variants)
        if pages[path][0].error:  # the first page may be compiled when it is asked for
            pages[path] = server.views(path, variants)
        links = dict.fromkeys(clean_path(link) for link in pages[path][0].links)
        paths += [link for link in links if link not in paths][: MOST_PAGES - len(paths)]
    return {path: views for path, views in pages.items() if not views[0].error}


def _need(
    server: PageServer | None, changed: Sequence[tuple[PageView, PageView, list[Difference]]]
) -> Callable[[PlacedDifference], bool] | None:
    """Return whether a difference is also there with only the needed part of the patch; None if this part does not
    serve the pages."""
    if server is None:
        return None
    styled, others = set(), set()
    olds: dict[str, list[PageView]] = defaultdict(list)
    for old, *_ in changed:
        olds[old.path].append(old)
    for path, views in olds.items():
        variants = [one.variant for one in views]
        news = server.views(path, variants)
        if news[0].error:  # the first page may be compiled when it is asked for
            news = server.views(path, variants)
        if news[0].error:
            return None
        for old, new in zip(views, news, strict=True):
            found = [PlacedDifference(one, old if one.is_missing else new) for one in find_differences(old, new)]
            styled |= {one.subject for one in found if one.element}
            others |= {one.exact for one in found}

    def is_needed(placed: PlacedDifference) -> bool:
        if all(name in STYLE or name in FOR_ASSISTIVE_TECHNOLOGY for name in placed.names):
            # A fix gives an element several properties.
            return placed.subject in styled
        return placed.exact in others

    return is_needed


def _describe(placed: PlacedDifference) -> str:
    name = placed.element.name if placed.element else "the page"
    return f"{name}: {'; '.join(placed.difference.changes[:4])}"


def _difference(server: PageServer, old: PageView, new: PageView) -> bytes:
    if not old.picture or not new.picture:
        return b""
    encoded = [base64.b64encode(one.picture).decode() for one in (old, new)]
    sizes = [picture_size(one.picture) or (0, 0) for one in (old, new)]
    width, height = (max(pair) for pair in zip(*sizes, strict=True))
    answer = server.browser.ask(
        server.workspace, "difference", before=encoded[0], after=encoded[1], width=width, height=height
    )
    return decode_picture(answer.get("picture"))
