from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aci.observation.file_contents import split_lines
from tools._matching import AmbiguousMatch, Replacement, nearest, replace

ENDINGS = st.sampled_from(["\n", "\r\n", "\r"])
LINES = st.lists(st.sampled_from(["a", "b", "    c", "\td", "", "  e f"]), min_size=1, max_size=12)


@given(LINES, st.integers(0, 11), st.integers(1, 4), st.text("xyz \n", max_size=10), ENDINGS)
def test_only_matched_text_is_replaced(lines: list[str], first: int, count: int, new: str, ending: str) -> None:
    text = ending.join(lines)
    old = "\n".join(lines[first : first + count])
    if not old:
        return
    result = replace(text, old, new)
    if isinstance(result, AmbiguousMatch):
        assert result.lines
        return
    inserted = new.replace("\n", ending) if ending in text else new
    start = text.find(old.replace("\n", ending))
    assert result == Replacement(text[:start] + inserted + text[start + len(old.replace("\n", ending)) :])


@given(st.text(max_size=200), st.text(min_size=1, max_size=50), st.text(max_size=50))
def test_any_text_gives_replacement_or_ambiguous_match(text: str, old: str, new: str) -> None:
    assert isinstance(replace(text, old, new), Replacement | AmbiguousMatch)
    nearest_lines = nearest(text, old)
    assert nearest_lines is None or 1 <= nearest_lines[0] <= nearest_lines[1] <= len(split_lines(text))


def test_inexact_match_must_be_unique() -> None:
    text = "if a:\n    x  = 1\nif b:\n        x = 1\n"
    assert replace(text, "x   = 1", "x = 2") == AmbiguousMatch((2, 4))


def test_unevenly_indented_lines_do_not_match() -> None:
    assert replace("def f():\n    a\n    b\n", "a\n  b\n", "c\n") == AmbiguousMatch()


def test_tabs_are_preserved() -> None:
    result = replace("def f():\n\tif x:\n\t\treturn 1\n", "if x:\n\treturn 1\n", "if y:\n\treturn 2\n")
    assert isinstance(result, Replacement)
    assert result.text == "def f():\n\tif y:\n\t\treturn 2\n"
