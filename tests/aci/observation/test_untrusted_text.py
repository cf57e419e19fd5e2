"""Untrusted text inside our tags: it cannot close them, and no text takes long to process."""

from __future__ import annotations

import pytest

from aci.observation.untrusted_text import tag_pattern, wrap_code
from agent.models._text_tool_calls import render_tool_calls
from agent.prompts.quotation import framed_issue
from trajectories.records import Comment, Issue

MAX_LENGTH = 65_536
"""The most characters that GitHub accepts."""
PATHOLOGICAL_TEXTS = {
    "frame": "<" + " " * MAX_LENGTH,
    "frames": "< / " * MAX_LENGTH,
    "slash": "</" + "\u200b " * MAX_LENGTH,
    "definition": "[a]: x" + " \t" * MAX_LENGTH,
    "definitions": ("[a]: x" + " \t" * 200 + "\n") * MAX_LENGTH,
    "quotes": "[a]: " + "'(\"" * MAX_LENGTH,
    "links": "](a " + " \t" * MAX_LENGTH,
    "tags": "<a " + "title= " * MAX_LENGTH,
    "trailer": "a-b-" * MAX_LENGTH,
    "by": "a-by-" * MAX_LENGTH,
    "colons": "a-by" + " :" * MAX_LENGTH + "x",
    "fences": "- ```\n" * MAX_LENGTH,
    "indented": "\n    x\n" * MAX_LENGTH,
    "comments": "\n<!-- " * MAX_LENGTH,
    "unclosed": "1 " * 20_000 + "x <!-- " * MAX_LENGTH,
    "stars": "#***" * MAX_LENGTH,
    "signs": "#" * MAX_LENGTH,
    "names": "@" * MAX_LENGTH,
    "skips": "[skip " * MAX_LENGTH,
    "addresses": "a://b/" * MAX_LENGTH,
}


@pytest.mark.slow
@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", PATHOLOGICAL_TEXTS)
def test_pathological_text_is_processed_quickly(name: str) -> None:
    text = PATHOLOGICAL_TEXTS[name][: MAX_LENGTH - 1] + "z"
    assert framed_issue(Issue("T", text, comments=(Comment("eve", text),)))
    assert render_tool_calls([{"role": "tool", "content": text}], ())


@pytest.mark.parametrize("text", ["<a>", "</a>", "< / A b>", "<\u200b\u2060/\ufeffa>", "< a"])
def test_tags_are_found_in_any_spelling(text: str) -> None:
    assert tag_pattern("a", "b").search(text)
    assert bool(tag_pattern("a", ends=True).search(text)) == ("/" in text)
    assert not tag_pattern("ab").search(text)


@pytest.mark.parametrize(("text", "fence"), [("a", "```"), ("```` `", "`````"), ("`" * 500_000, "`" * 500_001)])
def test_code_cannot_end_its_block(text: str, fence: str) -> None:
    assert wrap_code(text, "py") == f"{fence}py\n{text}\n{fence}"
