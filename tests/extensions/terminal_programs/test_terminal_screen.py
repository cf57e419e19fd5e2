"""A terminal screen: positions of written text, and robustness against arbitrary bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.terminal_programs.pty_session import encode_keys
from extensions.terminal_programs.terminal_screen import Screen

MOVES = [
    *("\x1b[H", "\x1b[3;4H", "\x1b[9A", "\x1b[9B", "\x1b[99C", "\x1b[D"),
    *("\x1b[2;5r", "\x1b[r", "\x1b7", "\x1b8", "\x1b[?1049h", "\x1b[?1049l"),
]
CHANGES = [
    *("\x1bc", "\x1b[2J", "\x1b[K", "\x1b[1J", "\x1b[P", "\x1b[@", "\x1b[X"),
    *("\x1b[3b", "\x1bM", "\x1b[L", "\x1b[M", "\x1b[99999999S", "\x1b[6n"),
]
TEXTS = ["\r", "\n", "\b", "\t", "é", "日", "e\u0301", "x" * 30, "\x1b]0;t\a"]
PARTS = st.sampled_from(MOVES + CHANGES + TEXTS)


def render(text: str, rows: int = 5, columns: int = 20) -> str:
    screen = Screen(rows, columns)
    screen.feed(text.encode())
    return screen.take()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a\r\nb", "a\nb"),
        ("10%\r20%\r\ndone", "20%\ndone"),
        ("abc\b\bX", "aXc"),
        ("a\tb", "a       b"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("abcdef\r\x1b[2Cx", "abxdef"),
        ("abcdef\x1b[3D\x1b[K", "abc"),
        ("abcdef\r\x1b[2P", "cdef"),
        ("abc\r\x1b[2@", "  abc"),
        ("abc\r\x1b[2X", "  c"),
        ("a\x1b[3b", "aaaa"),
        ("one\r\ntwo\x1b[A\rONE", "ONE\ntwo"),
        ("one\r\ntwo\r\n\x1b[2A\x1b[L0", "0\none\ntwo"),
        ("one\r\ntwo\r\n\x1b[2A\x1b[M", "two"),
        ("\x1b[2J\x1b[3;3Hx\x1b[Hy", "y\n\n  x"),
        ("x\x1b7\x1b[4;4Hy\x1b8z", "xz\n\n\n   y"),
        ("old\x1b[?1049hnew\x1b[?1049l er", "old er"),
        ("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7", "1\n2\n3\n4\n5\n6\n7"),
        ("x" * 45, "x" * 45),
        ("日本", "日本"),
        ("e\u0301", "e\u0301"),
        ("\x1b(B\x1b=ok", "ok"),
        ("\x1b[", ""),
        ("a\x00\x01\x7fb", "ab"),
        ("1\r\n2\r\n3\x1b[2;3r\x1b[3;1H\n4", "1\n3\n4"),
    ],
)
def test_text_appears_where_it_was_written(written: str, expected: str) -> None:
    assert render(written) == expected


def test_take_returns_only_new_text() -> None:
    screen = Screen(5, 20)
    screen.feed(b">>> ")
    assert screen.take() == ">>>"
    screen.feed(b"1+1\r\n2\r\n>>> ")
    assert screen.take() == ">>> 1+1\n2\n>>>"
    screen.feed(b"".join(b"%d\r\n" % number for number in range(100)))
    assert screen.take().splitlines() == [">>> 0", *map(str, range(1, 100))]
    assert not screen.news


def test_cursor_position_request_is_answered() -> None:
    screen = Screen()
    screen.feed(b"ab\x1b[6n\x1b[5n\x1b[c")
    assert bytes(screen.answers) == b"\x1b[1;3R\x1b[0n\x1b[?1;2c"


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    screen = Screen()
    for _ in range(50):
        screen.feed(b"line\r\n" * 1000 + b"\x1b[6n" * 500)
    assert len(screen.take()) < 20_000
    assert len(screen.answers) < 10_000


def test_parameter_of_any_length_is_accepted() -> None:
    assert render("a\r\nb\x1b[" + "9" * 5000 + "Ac\x1b[" + "0" * 5000 + "mX") == "acX\nb"


@given(st.binary(max_size=2000))
def test_any_bytes_are_accepted(data: bytes) -> None:
    screen = Screen(10, 30)
    for start in range(0, len(data), 7):
        screen.feed(data[start : start + 7])
    assert len(screen.take()) < 20_000


@given(st.lists(PARTS, max_size=60))
def test_screen_keeps_its_size(parts: list[str]) -> None:
    screen = Screen(6, 25)
    for part in parts:
        screen.feed(part.encode())
    assert len(screen._lines) == 6
    assert {len(row.cells) for row in screen._lines} == {25}
    assert 0 <= screen._row < 6
    assert 0 <= screen._column <= 25
    screen.take()


@given(st.text(max_size=200), st.integers(1, 20))
def test_screen_does_not_depend_on_chunk_size(text: str, size: int) -> None:
    complete, parts, data = Screen(6, 25), Screen(6, 25), text.encode("utf-8", "replace")
    complete.feed(data)
    for start in range(0, len(data), size):
        parts.feed(data[start : start + size])
    assert complete.take() == parts.take()


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("ls\n", b"ls\r"),
        ("a\r\nb", b"a\rb"),
        ("<ctrl-c><C-d><esc>", b"\x03\x04\x1b"),
        ("<up><Enter><tab>", b"\x1b[A\r\t"),
        ("if a<b and b>c: <div>", b"if a<b and b>c: <div>"),
        ("é", "é".encode()),
    ],
)
def test_keys_are_encoded(text: str, sent: bytes) -> None:
    assert encode_keys(text) == sent
