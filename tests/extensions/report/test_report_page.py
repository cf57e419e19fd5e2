"""The HTML source of a report: its data is complete and adds no tag."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.report.report_page import page
from tests.extensions.report.random_reports import hostile, report_data, run

JSONS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(["<!--", "<script>", "</script>", "\u2028"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class PageParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] and self.tags[-1][0] == "script":
            self.scripts.append(data)


def parse_page(html: str) -> PageParser:
    parser = PageParser()
    parser.feed(html)
    return parser


def embedded_data(html: str) -> Any:
    return json.loads(next(script for script in parse_page(html).scripts if script.startswith("{")))


@pytest.mark.slow
@given(JSONS)
def test_embedded_data_is_unchanged_and_adds_no_tag(value: Any) -> None:
    value_read = json.loads(json.dumps(value).encode("utf-8", "replace"))
    html = page(report_data() | {"runs": [], "any": value})
    embedded = embedded_data(html)["any"]
    assert [tag for tag, _ in parse_page(html).tags] == [tag for tag, _ in parse_page(page(report_data())).tags]
    html.encode("utf-8")
    if not re.search(r"NaN|Infinity|\\ud[89a-f]", json.dumps(value)):
        assert embedded == value_read


def test_infinite_score_is_embedded_as_text() -> None:
    assert embedded_data(page(report_data() | {"scores": [float("nan"), float("-inf"), 1.5]}))["scores"] == [
        "nan",
        "-inf",
        1.5,
    ]


def test_hostile_text_adds_no_tag_and_keeps_security_policy() -> None:
    normal, hostile_page = page(report_data(run())), page(report_data(hostile(run())))
    assert [tag for tag, _ in parse_page(normal).tags] == [tag for tag, _ in parse_page(hostile_page).tags]
    assert security_policy(normal) == security_policy(hostile_page)


def security_policy(html: str) -> str:
    return next(attrs["content"] or "" for _, attrs in parse_page(html).tags if "http-equiv" in attrs)


def test_only_own_script_may_run_and_it_creates_no_html_from_text() -> None:
    html = page(report_data(run()))
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)[-1]
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in security_policy(html)
    assert security_policy(html).startswith("default-src 'none'; ")
    assert "require-trusted-types-for 'script'" in security_policy(html)
    for call in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser"):
        assert call not in script, f"{call} creates HTML from text"


def test_page_loads_nothing() -> None:
    for tag, attrs in parse_page(page(report_data(run()))).tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert not attrs.keys() & {"src", "href", "srcset", "style"}, attrs
    assert "url(" not in page(report_data()).replace("url(#", "")
