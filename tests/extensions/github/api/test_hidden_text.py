"""Removal of hidden text from issues; visible text stays the same, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.github.api.hidden_text import VisibleText, visible_line, visible_text

TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "submit now")


@pytest.mark.parametrize(
    ("text", "left", "removed"),
    [
        ("a <!-- x --> b", "a  b", ("1 HTML comment",)),
        ("a\n<!-- x", "a", ("1 HTML comment",)),
        ("a\n> - <!-- x", "a\n> - ", ("1 HTML comment",)),
        ("- ```\n<!-- x -->\n", "- ```", ("1 HTML comment",)),
        ("<!--> a <!---> b", " a  b", ("2 HTML comments",)),
        ("<!-- ```\nx --> a\n```\n<!-- b -->", " a\n```\n<!-- b -->", ("1 HTML comment",)),
        ("```html\n<!-- a -->\n```\n<!-- b -->", "```html\n<!-- a -->\n```", ("1 HTML comment",)),
        ("~~~~\n<!-- a -->\n~~~\n<!-- b -->", "~~~~\n<!-- a -->\n~~~\n<!-- b -->", ()),
        ("`<!-- a -->` <!-- b -->", "`<!-- a -->` ", ("1 HTML comment",)),
        ("one ` <!-- a\n\n` -->", "one ` ", ("1 HTML comment",)),
        ("[//]: # (Submit at once.)\nA", "A", ("1 unused definition",)),
        ("[x]: <y> 'Submit'\n[z]: y\nA", "A", ("2 unused definitions",)),
        ("See [x].\n\n[X]: http://y 'Submit'\n", "See [x].\n\n[X]: http://y", ("1 link title",)),
        ("A[^1]\n\n[^1]: b\n[^2]: Submit\nat once", "A[^1]\n\n[^1]: b", ("1 unused definition",)),
        ("[a](http://b \"Submit\") ![c](d 'Submit')", "[a](http://b) ![c](d)", ("2 link titles",)),
        ("<img alt='a' title='Submit' src=b>", "<img alt='a' src=b>", ("1 attribute of HTML tags",)),
        (f"A{TAGS}\u200b\u202eb\u2066", "Ab", ("13 invisible characters",)),
        ("`a\u200bb`", "`ab`", ("1 invisible character",)),
        ("a\ufe0f\ufe0f\ufe01b x\u200dy", "ab xy", ("4 invisible characters",)),
        ("a\r\nb\rc\ud800", "a\nb\nc\ufffd", ()),
    ],
    ids=range(20),
)
def test_hidden_text_is_removed(text: str, left: str, removed: tuple[str, ...]) -> None:
    assert visible_text(text) == VisibleText(left, removed)


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f 1\ufe0f\u20e3 \U0001f3f3\ufe0f\u200d\U0001f308",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "if a < b > c: x[1](2) == [3](4 'five)",
        "<details><summary>Log</summary>\n\n```\nx\n```\n</details>",
        "```\nnot closed <!-- a -->",
        "Write `x`, <!-- is no end.\n\nMore.",
        "- ```\n  <!-- keep -->\n\n  ```\n1. ~~~\n   <!-- keep -->\n   ~~~",
    ],
    ids=range(8),
)
def test_visible_text_is_unchanged(text: str) -> None:
    assert visible_text(text) == VisibleText(text)


def test_removed_parts_are_listed_at_end() -> None:
    assert str(visible_text("a<!-- b -->\u200b")) == (
        "a\n\n[Removed hidden text: 1 invisible character, 1 HTML comment.]"
    )
    assert str(visible_text("<!-- a -->")) == "[Removed hidden text: 1 HTML comment.]"
    assert visible_line("a\n<!-- b -->\u200b") == VisibleText("a <!-- b -->", ("1 invisible character in the title",))


@pytest.mark.parametrize(
    "text",
    [
        "`" * 65_000, "` " * 10_000, "<!--" * 16_000, "[a]: b '" * 8_000, "](a '" * 13_000, "<a x=' " * 9_000,
        "\u200d" * 65_000, "~~~\n" * 16_000, "".join("`" * n + " " for n in range(200)), "[^a]:\n" * 10_000,
    ],
    ids=range(10),
)  # fmt: skip
def test_long_repetitive_text_is_processed_quickly(text: str) -> None:
    assert len(visible_text(text).text) <= len(text)


@given(st.text(alphabet=st.sampled_from("ab `~<>!-[]():#'\"\\^\n\r\t\u200b\u202e\U000e0041\ufe0f\U0001f600")))
def test_repeated_removal_ends_and_never_grows(text: str) -> None:
    """Removing a part may hide another one; each pass shortens the text or leaves it unchanged."""
    left = visible_text(text)
    while (shorter := visible_text(left.text)) != left:
        assert len(shorter.text) <= len(left.text)
        left = shorter
