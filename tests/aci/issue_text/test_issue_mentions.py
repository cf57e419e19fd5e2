"""The text of an issue: kinds of lines, quoted tracebacks, mentioned names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.issue_text.issue_mentions import BLOCK, INLINE, PROSE, TITLE, Link, find_mentions
from aci.issue_text.issue_sections import Frame, find_frames, split_sections
from trajectories.records import Issue

BODY = """\
It fails since 0123abc, see #123 and https://github.com/a/b/blob/main/pkg/mod.py#L10-L20. Use `Shop.open`.

```python
from shop import Shop
shop = Shop(3)
shop.close()
```

Traceback (most recent call last):
  File "/x/site-packages/shop/door.py", line 7, in close
    raise DoorError("the door is stuck in its frame")
shop.errors.DoorError: the door is stuck in its frame

INSTALLED VERSIONS
------------------
numpy: 1.2.3
"""


def test_lines_are_grouped_by_kind() -> None:
    parts = split_sections(BODY)
    assert "It fails since" in parts.prose
    assert "shop = Shop(3)" in parts.code
    assert "raise DoorError" in parts.trace
    assert parts.errors == ("shop.errors.DoorError: the door is stuck in its frame",)
    assert "numpy" not in parts.prose + parts.code + parts.output + parts.trace


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('  File "/a/b.py", line 3, in f\n', Frame("/a/b.py", 3, "f")),
        ("File ~/a/b.py:3, in C.f(a, b)\n", Frame("~/a/b.py", 3, "f")),
        ("a/b.py:3: in f\n", Frame("a/b.py", 3, "f")),
        ("a/b.py:3: TypeError\n", Frame("a/b.py", 3)),
        ("~/a/b.py in f(a, b)\n     84   x\n---> 85   return y\n     86\n", Frame("~/a/b.py", 85, "f")),
        ("in b.py, line 3, in f\n", Frame("b.py", 3, "f")),
        ("    at Shop.open (/a/b.js:3:14)\n", Frame("/a/b.js", 3, "open")),
        ("\tat org.shop.Door.close(Door.java:42)\n", Frame("Door.java", 42, "close")),
        ("thread panicked at src/door.rs:3:5\n", Frame("src/door.rs", 3)),
        ("\t/home/me/door.go:12 +0x1d\n", Frame("/home/me/door.go", 12)),
    ],
)
def test_frames_of_all_formats_are_found(text: str, frame: Frame) -> None:
    frames, rest = find_frames(text)
    assert frames == (frame,)
    assert frame.path not in rest


def test_frames_keep_order_of_text() -> None:
    frames, _ = find_frames('a.py:1: in f\n  File "b.py", line 2, in g\nc.py:3: ValueError\n')
    assert [frame.path for frame in frames] == ["a.py", "b.py", "c.py"]


def test_mentions_of_every_kind_are_found() -> None:
    mentions = find_mentions(Issue("Shop::open fails", BODY))
    assert mentions.links == (Link("pkg/mod.py", 10, 20),)
    assert mentions.shas == ("0123abc",)
    assert mentions.numbers == (123,)
    assert {"Shop.open", "shop.close"} <= set(mentions.dotted)
    assert mentions.names["Shop"] == {TITLE, PROSE, INLINE, BLOCK}
    assert "the door is stuck in its frame" in mentions.messages
    assert mentions.title["shop"] == 1


def test_commit_id_in_url_is_not_mention() -> None:
    mentions = find_mentions(Issue("It", "https://github.com/a/b/blob/0a1b2c3d4e/pkg/mod.py says so"))
    assert mentions.shas == ()


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_text_can_be_parsed(title: str, body: str) -> None:
    mentions = find_mentions(Issue(title, body))
    assert all(count > 0 for count in mentions.title.values())
    parts = split_sections(body)
    assert len(parts.prose) + len(parts.code) + len(parts.trace) + len(parts.output) <= len(body)


@pytest.mark.parametrize(
    "body",
    [
        f"https://github.com/a/b/blob/main/x.py#L{'1' * 5_000}-L{'2' * 5_000}",
        f"x.py in f(a)\n---> {'3' * 5_000}",
        f'File "x.py", line {"4" * 5_000}, in f',
        f"at f (x.js:{'5' * 5_000}:{'6' * 5_000})",
        f"issue #{'7' * 5_000}",
    ],
)
def test_overlong_numbers_are_ignored(body: str) -> None:
    mentions = find_mentions(Issue("It fails", body))
    assert all(frame.line < 10**7 for frame in mentions.frames)
    assert all(link.last < 10**7 for link in mentions.links)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "body",
    [
        " " * 8_000 + "x",
        "x.py in f(" * 2_500 + "\n" * 25_000,
        "x.py in f(\n-> 1" * 3_000,
        "<!--" * 12_500,
        "http://" * 7_000,
        "http://a/blob/" * 3_500,
        "a" * 50_000,
        "a." * 25_000,
        "a.py" * 12_500,
        "a/" * 25_000,
        "." * 50_000,
        "`a" * 25_000,
        "abcdef1" * 7_000,
        '"a b c d ' * 5_500,
        "for " + ": " * 24_000,
        "a(" + ") " * 24_000,
    ],
    ids=lambda body: f"{body[:14]!r}",
)
def test_pathological_text_is_parsed_quickly(body: str) -> None:
    find_mentions(Issue("It hangs", body))


def test_html_comments_are_ignored() -> None:
    mentions = find_mentions(Issue("It", "<!-- see old_name --> new_name <!-- other_name"))
    assert "old_name" not in mentions.names
    assert {"new_name", "other_name"} <= set(mentions.names)
