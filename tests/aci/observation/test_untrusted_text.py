"""Text of strangers around which we put marks: it does not end them, and however it is made it holds nothing up."""

from __future__ import annotations

import pytest

from aci.observation.untrusted_text import tag_pattern
from agent.github.api.hidden_text import visible_text
from agent.github.pull_request.text_escaping import escape_markdown, plain
from agent.models._text_tool_calls import render_tool_calls
from agent.prompts.quotation import framed_issue
from trajectories.records import Comment, Issue

MOST = 65_536
"""Characters that GitHub takes."""
NONSENSE = {
    "frame": "<" + " " * MOST,
    "frames": "< / " * MOST,
    "slash": "</" + "\u200b " * MOST,
    "definition": "[a]: x" + " \t" * MOST,
    "definitions": ("[a]: x" + " \t" * 200 + "\n") * MOST,
    "quotes": "[a]: " + "'(\"" * MOST,
    "links": "](a " + " \t" * MOST,
    "tags": "<a " + "title= " * MOST,
    "trailer": "a-b-" * MOST,
    "by": "a-by-" * MOST,
    "colons": "a-by" + " :" * MOST + "x",
    "fences": "- ```\n" * MOST,
    "indented": "\n    x\n" * MOST,
    "comments": "\n<!-- " * MOST,
    "unclosed": "1 " * 20_000 + "x <!-- " * MOST,
    "stars": "#***" * MOST,
    "signs": "#" * MOST,
    "names": "@" * MOST,
    "skips": "[skip " * MOST,
    "addresses": "a://b/" * MOST,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", NONSENSE)
def test_long_nonsense_holds_nothing_up(name: str) -> None:
    text = NONSENSE[name][: MOST - 1] + "z"
    assert len(visible_text(text).text) <= MOST
    assert framed_issue(Issue("T", text, comments=(Comment("eve", text),)))
    assert render_tool_calls([{"role": "tool", "content": text}], ())
    assert len(escape_markdown(text)) <= 4 * MOST
    assert len(plain(text)) <= 2 * MOST


@pytest.mark.parametrize("text", ["<a>", "</a>", "< / A b>", "<\u200b\u2060/\ufeffa>", "< a"])
def test_what_looks_like_mark_is_found(text: str) -> None:
    assert tag_pattern("a", "b").search(text)
    assert bool(tag_pattern("a", ends=True).search(text)) == ("/" in text)
    assert not tag_pattern("ab").search(text)
