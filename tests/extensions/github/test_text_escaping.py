"""Escaping of texts from models and untrusted users: as Markdown they mention, link, close and load nothing."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from extensions.github.text_escaping import code, code_block, escape_markdown, plain, strip_invisible
from tests.aci.observation.test_untrusted_text import MAX_LENGTH, PATHOLOGICAL_TEXTS

GITHUB = MarkdownIt("gfm-like", {"html": True})
GITHUB.linkify.set({"fuzzy_link": False})  # unlike linkify-it, GitHub does not link `0.BA`; CALLED covers `www.`
HOSTILE = (
    *(
        "@ada",
        "@octo/team",
        "#12",
        "octo/calc#3",
        "GH-7",
        "fixes",
        "Closes:",
        " ",
        "\n",
        "\n\n",
        "`",
        "``",
        "```",
        "\\",
        "~~~",
    ),
    *(
        "<!--",
        "-->",
        "<img src=x>",
        "<details>",
        "</details>",
        "![a](http://e.x/p.png)",
        "![",
        "](",
        "[x]: http://e.x",
        "[x]",
    ),
    *(
        "https://github.com/octo/calc/issues/9",
        "https://gitlab.com/group/sub/calc/-/issues/9",
        "!9",
        "GL-7",
        "[issue:",
        "www.e.x",
        "\u200b",
        "\u202e",
        "\U000e0041",
        "\ufe0f",
        "\u2800",
        "\u0301",
    ),
    *(
        "|",
        "---",
        "***",
        "* a",
        "1. b",
        "# c",
        "> d",
        "&lt;",
        "&#64;",
        "_e_",
        "**f**",
        "$",
        "f@g.hi",
        "0a1b2c3d4e",
        "\t",
        "\r",
    ),
)
HOSTILES = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=4), max_size=14).map("".join)
ACTIVE = re.compile(
    r"#\d|(?<!\w)@[\w-]|!\d|\bG[HL]-\d|\[issue:|\[(?:skip|no) ci\]|\]\(|^\[[^]]*\]:|/issues/\d|\w-by\s*:", re.IGNORECASE
)
CALLED = re.compile(r"@[\w-]|#\d|G[HL]-\d|://|www\.", re.IGNORECASE)


def tokens(text: str) -> list[Token]:
    """Return the block tokens and, after each, its inline tokens."""
    blocks = GITHUB.parse(text)
    return [token for block in blocks for token in (block, *(block.children or ()))]


def check_harmless(text: str, html: tuple[str, ...] = (), links: bool = False) -> None:
    """Check that the Markdown has no effect, and contains HTML only as listed, in this order."""
    all_tokens = tokens(text)
    assert [token.content.strip() for token in all_tokens if token.type.startswith("html")] == list(html)
    assert not [token for token in all_tokens if token.type == "image" or (token.type.startswith("link") and not links)]
    visible = "".join(token.content for token in all_tokens if token.type == "text")
    assert not CALLED.search(visible), visible
    hidden = [c for c in text if c not in "\n\t" and unicodedata.category(c)[0] == "C"]
    assert not hidden, hidden


@given(HOSTILES)
def test_prose_is_rendered_as_plain_text(text):
    check_harmless(escape_markdown(text))
    assert {token.type for token in tokens(escape_markdown(text)) if token.nesting == 1} <= {"paragraph_open"}


@given(HOSTILES)
def test_prose_with_emphasis_is_rendered_as_plain_text(text):
    check_harmless(escape_markdown(text, emphasis=True))


@given(HOSTILES, HOSTILES)
def test_two_texts_in_one_paragraph_are_rendered_as_plain_text(one, two):
    check_harmless(escape_markdown(f"{one} {two}"))


@pytest.mark.slow
@given(HOSTILES)
def test_code_is_one_span(text):
    span = code(text)
    check_harmless(f"a {span} b")
    assert not span or [token.type for token in tokens(f"a {span} b")].count("code_inline") == 1


@given(HOSTILES)
def test_fence_contains_whole_text(text):
    (block,) = GITHUB.parse(code_block(text))
    assert block.type == "fence"
    assert block.content.rstrip("\n") == strip_invisible(text).rstrip("\n")


@given(HOSTILES)
def test_title_is_plain_text(text):
    line = plain(text)
    assert "\n" not in line
    assert not ACTIVE.search(line), line


@given(
    st.lists(
        st.sampled_from(
            [
                *(*"#@*:/-![] 1", "GH", "GL", "fixes", "skip ci", "Signed-off-by"),
                *("https://x.y/octo/calc/issues/", "https://x.y/octo/sub/calc/-/issues/"),
            ]
        )
    )
)
def test_removed_signs_in_title_leave_no_active_text(parts):
    line = plain("".join(parts))
    assert plain(line) == line
    assert not ACTIVE.search(line), line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`add` subtracted. Now it adds.", "`add` subtracted. Now it adds."),
        ("Use snake_case, not x.", "Use `snake_case`, not x."),
        ("a < b and b * c", r"a \< b and b \* c"),
        ("See (#12), as @ada said.", "See (`#12`), as `@ada` said."),
        ("One.\n\nTwo <!-- not seen --> three.", "One.\n\nTwo three."),
        ("- no list", r"\- no list"),
        ("![logo](http://e.x/a.png) here", "`![logo](http://e.x/a.png`) here"),
    ],
    ids=["code", "name", "signs", "calls", "hidden", "list", "picture"],
)
def test_harmless_prose_stays_readable(text, expected):
    assert escape_markdown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Let @property be read #12", "Let property be read 12"),
        ("x [skip ci]", "x (skip ci)"),
        ("Return [] instead of x[0], not dict[str, int]", "Return [] instead of x[0], not dict[str, int]"),
        ("- [x] I agree", "- (x) I agree"),
        ("[a]: http://x [a](http://y)", "[a] : http://x [a] (http://y)"),
        ("See https://github.com/octo/calc/issues/9", "See octo/calc 9"),
        ("Signed-off-by: Ada <a@b.c>", "Signed-off-by Ada <ab.c>"),
        ("fixes #@12, Fixes #@#@99", "fixes 12, Fixes 99"),
        ("Closes https://github.com/octo/calc/issues/#9", "Closes octo/calc 9"),
        ("Closes https://git.acme.org/group/sub/calc/-/issues/7", "Closes group/sub/calc 7"),
        ("Closes https://gitlab.com/me/calc/-/work_items/7#note_1", "Closes me/calc 7"),
        ("See https://gitlab.com/me/calc/-/merge_requests/8, then !9 and x != 3!", "See me/calc 8 then 9 and x != 3!"),
        ("Closes GL-7, [issue:7] and #!7", "Closes GL 7, [issue 7] and 7"),
    ],
    ids=[
        *("calls", "skip", "brackets", "box", "links", "url", "trailer", "signs", "url's sign"),
        *("GitLab's url", "work item", "request", "GitLab's names"),
    ],
)
def test_title_stays_readable(text, expected):
    assert plain(text) == expected


@pytest.mark.slow
@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", PATHOLOGICAL_TEXTS)
def test_pathological_text_is_escaped_quickly(name: str) -> None:
    text = PATHOLOGICAL_TEXTS[name][: MAX_LENGTH - 1] + "z"
    assert len(escape_markdown(text)) <= 4 * MAX_LENGTH
    assert len(plain(text)) <= 2 * MAX_LENGTH
