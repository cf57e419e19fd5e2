from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tools._matching import AmbiguousMatch, Replacement, nearest, replace

LINES = st.lists(st.sampled_from(["a", "b", "    c", "\td", "", "  e f"]), min_size=1, max_size=12)


@given(LINES, st.integers(0, 11), st.integers(1, 4), st.text("xyz \n", max_size=10), st.sampled_from(["\n", "\r\n"]))
def test_only_place_found_changes(lines: list[str], at: int, count: int, new: str, ending: str) -> None:
    text = ending.join(lines)
    old = "\n".join(lines[at : at + count])
    if not old:
        return
    done = replace(text, old, new)
    if isinstance(done, AmbiguousMatch):
        assert done.lines
        return
    put = new.replace("\n", ending) if ending in text else new
    start = text.find(old.replace("\n", ending))
    assert done == Replacement(text[:start] + put + text[start + len(old.replace("\n", ending)) :])


@given(st.text(max_size=200), st.text(min_size=1, max_size=50), st.text(max_size=50))
def test_any_text_is_answered(text: str, old: str, new: str) -> None:
    assert isinstance(replace(text, old, new), Replacement | AmbiguousMatch)
    near = nearest(text, old)
    assert near is None or 1 <= near[0] <= near[1] <= text.count("\n") + 1


def test_forgiving_place_must_be_only_one() -> None:
    text = "if a:\n    x  = 1\nif b:\n        x = 1\n"
    assert replace(text, "x   = 1", "x = 2") == AmbiguousMatch((2, 4))


def test_lines_shifted_unevenly_do_not_match() -> None:
    assert replace("def f():\n    a\n    b\n", "a\n  b\n", "c\n") == AmbiguousMatch()


def test_tabs_are_kept() -> None:
    done = replace("def f():\n\tif x:\n\t\treturn 1\n", "if x:\n\treturn 1\n", "if y:\n\treturn 2\n")
    assert isinstance(done, Replacement)
    assert done.text == "def f():\n\tif y:\n\t\treturn 2\n"
