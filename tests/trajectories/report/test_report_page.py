"""The page as text: what it tells comes back whole, and nothing of it is a tag."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trajectories.report.random_reports import hostile, run, told
from trajectories.report.report_page import page

JSONS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(["<!--", "<script>", "</script>", "\u2028"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] and self.tags[-1][0] == "script":
            self.scripts.append(data)


def seen(html: str) -> Seen:
    parser = Seen()
    parser.feed(html)
    return parser


def data_of(html: str) -> Any:
    return json.loads(next(script for script in seen(html).scripts if script.startswith("{")))


@pytest.mark.slow
@given(JSONS)
def test_what_is_told_comes_back_and_adds_no_tag(value: Any) -> None:
    given = json.loads(json.dumps(value).encode("utf-8", "replace"))
    html = page(told() | {"runs": [], "any": value})
    known = data_of(html)["any"]
    assert [tag for tag, _ in seen(html).tags] == [tag for tag, _ in seen(page(told())).tags]
    html.encode("utf-8")
    if not re.search(r"NaN|Infinity|\\ud[89a-f]", json.dumps(value)):
        assert known == given


def test_score_without_end_is_told_in_words() -> None:
    assert data_of(page(told() | {"scores": [float("nan"), float("-inf"), 1.5]}))["scores"] == ["nan", "-inf", 1.5]


def test_hostile_text_adds_no_tag_and_changes_nothing_that_may_run() -> None:
    calm, wild = page(told(run())), page(told(hostile(run())))
    assert [tag for tag, _ in seen(calm).tags] == [tag for tag, _ in seen(wild).tags]
    assert policy(calm) == policy(wild)


def policy(html: str) -> str:
    return next(attrs["content"] or "" for _, attrs in seen(html).tags if "http-equiv" in attrs)


def test_only_its_own_script_may_run_and_it_may_make_no_html_of_text() -> None:
    html = page(told(run()))
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)[-1]
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy(html)
    assert policy(html).startswith("default-src 'none'; ")
    assert "require-trusted-types-for 'script'" in policy(html)
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser"):
        assert way not in script, f"{way} makes more than text of a text"


def test_nothing_is_loaded() -> None:
    for tag, attrs in seen(page(told(run()))).tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert not attrs.keys() & {"src", "href", "srcset", "style"}, attrs
    assert "url(" not in page(told()).replace("url(#", "")
