"""A document in which nothing of what it tells acts: read by a CommonMark parser, as a browser's page would be made."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.trajectories.exports.random_runs import Made
from trajectories.exports.markdown import export
from trajectories.records import Action, Issue, Verdict

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
ACTING = {"html_block", "html_inline", "link_open", "image", "s_open"}


def tokens(text: str) -> list[Token]:
    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [*parsed, *(child for token in parsed for child in token.children or ())]


@settings(max_examples=80)
@given(st.data())
def test_nothing_of_what_is_told_acts(data: st.DataObject) -> None:
    words = lambda: data.draw(TEXTS)
    made = Made(words() or "run", Issue(words(), words()))
    made.say(words(), author=words())
    made.ask(words(), [Action(words(), {words(): words(), "b": words()})], [words(), words()])
    made.by_hand(words(), words())
    made.note("phase", words())
    made.turn(words(), words())
    made.end(words(), 0, Verdict("unproven", notes=(words(),), commands=(words(), words())))
    text = "".join(export([made.material()]))
    found = tokens(text)
    assert not [token for token in found if token.type in ACTING], text
    levels = [token.tag for token in found if token.type == "heading_open" and token.level == 0]
    assert levels[0] == "h1"
    assert levels.count("h1") == 1
    assert levels.count("h3") == 3, "a heading for each step, and no other"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_what_is_long_is_shortened_and_what_fence_holds_stays_in_it() -> None:
    made = Made()
    made.ask("Look.", [Action("shell", {"command": "cat README.md"})], ["````text\n" + "x" * 50_000])
    made.ask("Edit.", [Action("edit", {"path": "a.py", "old": "a\nb", "new": "c\n```\nd"})], ["Edited."])
    text = "".join(export([made.material()]))
    assert len(text) < 12_000
    fences = [token for token in tokens(text) if token.type == "fence"]
    assert any("characters …]" in token.content for token in fences)
    assert any(token.content.startswith('edit {"path": "a.py"}\nold:\na\nb\nnew:\nc\n```\nd') for token in fences)


def test_words_stay_as_they_are() -> None:
    """What is made inert is read as it was written."""
    words = "see a](b), x]: 1, &#60;b&#62; &amp; <b> AT&T #12 @you [c] a & b"
    made = Made()
    made.ask(words, ())
    text = "".join(export([made.material()]))
    inline = next(token for token in tokens(text) if token.type == "inline" and token.content.startswith("see"))
    assert "".join(child.content for child in inline.children or ()) == words
