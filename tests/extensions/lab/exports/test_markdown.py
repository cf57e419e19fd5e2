"""The Markdown export in a CommonMark parser: hostile text is neither markup nor a link."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from extensions.lab.exports.markdown import export
from tests.extensions.lab.exports.random_runs import Made
from trajectories.facts import Fact
from trajectories.records import Action, Issue
from trajectories.verdict import Verdict

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![a](https://evil.example/pixel.png)",
    "[click](javascript:alert(1))",
    "[a]: https://evil.example\n\n[a]",
    "<https://evil.example>",
    "[a\\](https://evil.example)",
    "![a][b]\n\n[b]: https://evil.example",
    "```\nend\n```\n# A heading",
    "````\n```` \n~~~\n<b>",
    "# Heading\n---\n===\n> quote\n| a | b |\n|---|---|",
    "</details><!-- <!DOCTYPE x> <?php -->",
    "@everyone, see octo/calc#1 and #2",
    "\x1b]0;title\x07\x1b[31m\u202ered\x9b2J",
    "&lt;b&gt; &#60;script&#62;",
    "a | b\nc",
)
TEXTS = st.sampled_from(HOSTILE) | st.text("ab`~<>[]()!\\:#|-=\n &;@1\x1b", max_size=40) | st.text(max_size=20)
ACTIVE_TOKENS = {"html_block", "html_inline", "link_open", "image", "s_open"}


def tokens(text: str) -> list[Token]:
    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [*parsed, *(child for token in parsed for child in token.children or ())]


@pytest.mark.slow
@settings(max_examples=80)
@given(st.data())
def test_hostile_text_is_not_active(data: st.DataObject) -> None:
    draw_text = lambda: data.draw(TEXTS)
    builder = Made(draw_text() or "run", Issue(draw_text(), draw_text()))
    builder.say(draw_text(), author=draw_text())
    builder.ask(
        draw_text(), [Action(draw_text(), {draw_text(): draw_text(), "b": draw_text()})], [draw_text(), draw_text()]
    )
    builder.by_hand(draw_text(), draw_text())
    builder.note("phase", draw_text())
    builder.turn(draw_text(), draw_text())
    builder.end(
        draw_text(), 0, Verdict("unproven", facts=(Fact("limit", draw_text()),), commands=(draw_text(), draw_text()))
    )
    text = "".join(export([builder.material()]))
    parsed_tokens = tokens(text)
    assert not [token for token in parsed_tokens if token.type in ACTIVE_TOKENS], text
    levels = [token.tag for token in parsed_tokens if token.type == "heading_open" and token.level == 0]
    assert levels[0] == "h1"
    assert levels.count("h1") == 1
    assert levels.count("h3") == 3, "each step has one heading, and no other text has one"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_long_output_is_shortened_and_stays_in_fence() -> None:
    builder = Made()
    builder.ask("Look.", [Action("shell", {"command": "cat README.md"})], ["````text\n" + "x" * 50_000])
    builder.ask("Edit.", [Action("edit", {"path": "a.py", "old": "a\nb", "new": "c\n```\nd"})], ["Edited."])
    text = "".join(export([builder.material()]))
    assert len(text) < 12_000
    fences = [token for token in tokens(text) if token.type == "fence"]
    assert any("characters …]" in token.content for token in fences)
    assert any(token.content.startswith('edit {"path": "a.py"}\nold:\na\nb\nnew:\nc\n```\nd') for token in fences)


def test_escaped_text_is_displayed_unchanged() -> None:
    text = "see a](b), x]: 1, &#60;b&#62; &amp; <b> AT&T #12 @you [c] a & b"
    builder = Made()
    builder.ask(text, ())
    document = "".join(export([builder.material()]))
    inline = next(token for token in tokens(document) if token.type == "inline" and token.content.startswith("see"))
    assert "".join(child.content for child in inline.children or ()) == text
