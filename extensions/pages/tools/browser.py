"""The `browser` tool: shows and uses a page of the project's server in a browser inside the workspace.

As in Playwright MCP, a page is described by its accessibility tree, in which each element has a reference for the next
action. OpenHands (arXiv 2407.16741) and SWE-agent Multimodal (arXiv 2410.03859) show that agents need it for issues
about what users see.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit, urlunsplit

from aci.observation.untrusted_text import clean_text, one_line
from extensions.pages.browser.page_driver import decode_picture
from extensions.pages.browser.server_process import ServerFailed, clean_path, server_of
from extensions.pages.browser.workspace_browser import WorkspaceBrowser, browser_of
from tools.base import Context, TextSource, not_needed, tool
from trajectories.errors import UsageError
from trajectories.page_picture import picture_size
from trajectories.records import PICTURE, Observation

Action = Literal["open", "click", "type", "select", "press", "hover", "wait", "look", "layout"]
NEEDS_TARGET = ("click", "type", "select", "hover", "layout")
NEEDS_TEXT = ("type", "select", "press")
LEAST_WIDTH, MOST_WIDTH = 240, 2_560
LONGEST_TARGET, LONGEST_TEXT = 1_000, 10_000
MOST_EVENTS, LONGEST_EVENT = 31, 400
WHOLE = "whole"
MOST_OUTPUT = 2_000


@tool(
    writes=False,
    kind="view",
    needs="browser",
    text=TextSource("program", "The page after {}", "action"),
    consent=not_needed,
)
def browser(
    ctx: Context, action: Action, target: str = "", text: str = "", width: int = 1280, dark: bool = False
) -> Observation:
    """Use a page of this project in a browser; its server is started when needed. Returns the accessibility tree with
    references, console errors and failed requests. A test may use Playwright too (in Node,
    `import { chromium } from "playwright"`): BASE_URL is the server's address.

    Args:
        action: `look` shows the window or an element; `layout` returns boxes and computed styles.
        target: A reference like `e12` or a Playwright selector; for `open`, a path like `/cart`.
        text: What to type, select, press (`Enter`) or wait for; `whole` for `look`: the page below the window too.
        width: Width of the window when opened.
        dark: Whether to open in dark mode.
    """
    _check(action, target, text, width)
    page = browser_of(ctx.workspace)
    if action == "open":
        address = _address(ctx, target)
        return _shown(ctx, action, target, page.ask(ctx.workspace, action, url=address, width=width, dark=dark))
    if action == "look":
        return _look(ctx, page, target, text == WHOLE)
    return _shown(ctx, action, target, page.ask(ctx.workspace, action, target=target, text=text))


def _address(ctx: Context, path: str) -> str:
    """Return the address of a page, after its server was started if necessary."""
    server = server_of(ctx.workspace)
    if server is None:
        raise UsageError("This project serves no pages that are known.", "Name the command with the setting `serve`.")
    try:
        address = server.address(ctx.workspace, ctx.current_tree(), cancel=ctx.workspace.cancel)
    except ServerFailed as error:
        output = clean_text(error.output)[-MOST_OUTPUT:]
        raise UsageError(f"The project's server (`{server.plan.command}`) failed: {error}", output) from None
    if server.note:
        ctx.notify(server.note)
    return urljoin(address, clean_path(path))


def _check(action: str, target: str, text: str, width: int) -> None:
    if len(target) > LONGEST_TARGET or len(text) > LONGEST_TEXT:
        raise UsageError(f"`target` may have {LONGEST_TARGET} characters, `text` {LONGEST_TEXT:,}.", "Shorten it.")
    if action in NEEDS_TARGET and not target:
        raise UsageError(
            f"`{action}` needs a `target`.", "Give a reference like `e12`, or a selector like `text=Save`."
        )
    if action in NEEDS_TEXT and not text:
        raise UsageError(f"`{action}` needs `text`.", "Give it, such as `Enter` for `press`.")
    if not LEAST_WIDTH <= width <= MOST_WIDTH:
        raise UsageError(f"`width` must be from {LEAST_WIDTH} to {MOST_WIDTH}.", "Use 390 for a phone.")


def _look(ctx: Context, page: WorkspaceBrowser, target: str, whole: bool) -> Observation:
    """Return a picture; for a model that accepts none, the page's elements with their boxes."""
    answer = page.ask(ctx.workspace, "look", target=target, whole=whole)
    picture = decode_picture(answer.get("picture"))
    size = picture_size(picture)
    if answer.get("ok") is not True or not size:
        return _shown(ctx, "look", target, answer)
    number = ctx.keep(picture)
    whole_size = answer.get("width"), answer.get("height")
    is_part = not target and any(
        isinstance(one, int) and one > other for one, other in zip(whole_size, size, strict=True)
    )
    more = f" of a page of {whole_size[0]} x {whole_size[1]}" if is_part else ""
    text = f"A picture of {size[0]} x {size[1]} pixels{more}."
    if ctx.sees_images():
        return Observation("\n".join([text, *_events(answer)]), data={PICTURE: number})
    boxes = _shown(ctx, "look", target, page.ask(ctx.workspace, "boxes", target=target))
    text += " This model accepts no pictures; these are the elements with their boxes (x, y, width, height)."
    return Observation("\n".join([text, *_events(answer), boxes.text]), boxes.ok, boxes.out, {PICTURE: number})


def _shown(ctx: Context, action: str, target: str, answer: dict[str, Any]) -> Observation:
    is_done = answer.get("ok") is True
    lines = list(_page(answer) if is_done else _failure(action, target, answer))
    text, number = ctx.show("\n".join([*lines, *_events(answer)]), "view")
    return Observation(text, is_done, number, _visit(answer) if is_done else {})


def _visit(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what the proof needs to open the page again."""
    url, width = urlsplit(str(answer.get("url", ""))), answer.get("width")
    if url.scheme != "http" or not isinstance(width, int) or not LEAST_WIDTH <= width <= MOST_WIDTH:
        return {}
    path = urlunsplit(("", "", url.path, url.query, url.fragment))
    return {"page": {"path": path[:LONGEST_TARGET], "width": width, "dark": answer.get("dark") is True}}


def _page(answer: dict[str, Any]) -> Iterator[str]:
    if isinstance(found := answer.get("found"), list):
        yield f"{len(found)} elements" if len(found) != 1 else "1 element"
        for one in found:
            yield from _element(one if isinstance(one, dict) else {})
        return
    yield f"{one_line(str(answer.get('url', '')))[:500]} {one_line(str(answer.get('title', '')))[:200]!r}"
    yield str(answer.get("snapshot", ""))
    if cut := answer.get("cut"):
        yield f"… {cut} more characters: look at an element by its selector"


def _element(one: dict[str, Any]) -> Iterator[str]:
    place, style = _place(one.get("box")), one.get("style")
    yield f"{one_line(str(one.get('html', '')))[:200]}: {place}"
    if isinstance(style, dict):
        yield "  " + "; ".join(f"{name}: {one_line(str(value))[:100]}" for name, value in list(style.items())[:40])


def _place(box: object) -> str:
    edges = [box.get(name) for name in ("x", "y", "width", "height")] if isinstance(box, dict) else []
    numbers = [f"{edge:.6g}" for edge in edges if isinstance(edge, int | float)]
    return f"x {numbers[0]}, y {numbers[1]}, {numbers[2]} x {numbers[3]}" if len(numbers) == 4 else "not visible"


def _failure(action: str, target: str, answer: dict[str, Any]) -> Iterator[str]:
    yield f"`{action}` {target} failed: {str(answer.get('error', 'no answer'))[:2_000]}"
    if answer.get("open") is False:
        yield "No page is open now: open it again."


def _events(answer: dict[str, Any]) -> Iterator[str]:
    """Yield what happened on the page, such as errors in its console, each once."""
    events = answer.get("events")
    pairs = [one for one in events if isinstance(one, list) and len(one) == 2] if isinstance(events, list) else []
    lines = dict.fromkeys(f"{one_line(str(kind))[:40]}: {one_line(str(what))[:LONGEST_EVENT]}" for kind, what in pairs)
    yield from list(lines)[:MOST_EVENTS]
