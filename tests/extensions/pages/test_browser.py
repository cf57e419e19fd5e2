"""The `browser` tool, with a real browser in a container."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tools.conftest import Bench
from trajectories.page_picture import picture_size
from trajectories.records import PICTURE

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PAGE = """<!doctype html><title>Shop</title><link rel=stylesheet href=style.css>
<h1>Lamps</h1><button onclick="add()">Add to cart</button><p id=count>0 items</p>
<input aria-label=Name><a href="https://example.com/">Partner</a>
<script>let n = 0; function add() { n += 1; document.getElementById("count").textContent = n + " items"; }
console.error("price is missing"); fetch("/missing.json"); fetch("https://example.com/").catch(() => {});</script>
"""


@pytest.fixture
def bench(make_repo, open_ws, browser_image) -> Bench:
    repo = make_repo({"index.html": PAGE, "style.css": "button { color: rgb(1, 2, 3) }\n"})
    workspace = open_ws("docker", repo, image=browser_image)
    return Bench(workspace, workspace.options.trees, workspace.options.base)


def test_page_is_opened_used_and_seen(bench: Bench) -> None:
    opened = bench("browser", action="open", target="/")
    assert 'heading "Lamps"' in opened.text
    assert opened.data["page"] == {"path": "/", "width": 1280, "dark": False}
    for event in ("console error: price is missing", "404 GET", "blocked request: https://example.com/"):
        assert event in opened.text
    assert "1 items" in bench("browser", action="click", target="text=Add to cart").text
    assert "Bob" in bench("browser", action="type", target='role=textbox[name="Name"]', text="Bob").text
    styled = bench("browser", action="layout", target="button").text
    assert "color: rgb(1, 2, 3)" in styled
    assert "x 8" in styled
    failed = bench("browser", action="click", target="#nothing")
    assert not failed.ok
    assert "failed" in failed.text


def test_picture_is_stored_and_described_for_models_without_pictures(bench: Bench) -> None:
    bench("browser", action="open", target="/", width=390)
    seen = bench("browser", action="look")
    assert picture_size(bench.recall(seen.data[PICTURE])) == (390, 800)
    assert "[box=" in seen.text
    bench.sees_images = True
    seen = bench("browser", action="look", target="button")
    assert PICTURE in seen.data
    assert "[box=" not in seen.text


def test_mistakes_are_explained(bench: Bench) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"action": "click"}, "needs a `target`"),
        ({"action": "press"}, "needs `text`"),
        ({"action": "open", "target": "/", "width": 5}, "`width` must be"),
        ({"action": "look"}, "no page is open"),
        ({"action": "open", "target": "https://example.com/"}, "404"),
        ({"action": "open", "target": "//example.com/"}, "404"),
    ]
    for arguments, expected in wrong:
        seen = bench("browser", **arguments)
        assert expected in seen.text, seen.text
    assert bench("browser", action="open", target="/").ok


def test_page_that_does_not_respond_is_given_up(bench: Bench) -> None:
    bench.workspace.write("loop.html", b"<p>Wait</p><script>setTimeout(() => { for (;;); }, 200)</script>")
    bench("browser", action="open", target="/loop.html")
    assert not bench("browser", action="click", target="p").ok
    assert bench("browser", action="open", target="/").ok
