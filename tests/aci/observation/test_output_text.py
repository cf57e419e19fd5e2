from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.observation.output_text import (
    _KEYS,
    CAPS,
    Kind,
    clean_text,
    cut_lines,
    fold,
    mask_secrets,
    number_lines,
    prepare_output,
    shorten,
    strip_number_padding,
)

CONTROL = [
    "\r",
    "\r\n",
    "\b",
    "\t",
    "\x1b[31m",
    "\x1b[0m",
    "\x1b]0;t\x07",
    "\x1b",
    "\x9b1m",
    "\x00",
    "\ud800",
    "\u202e",
]
SECRET = "correct-horse-battery"
LINES = ["\n", "\n\n", "same line\n" * 5, "line 1\nline 2\n" * 9, "x" * 2500, "… 3 equal lines\n"]
OUTPUTS = [
    "".join(f"Collecting p{n}\n" for n in range(30)),
    "".join(f"src/a{n}/b{n % 3}.py\n" for n in range(200)),
    "".join(f"src/a{n % 5}.py:{n}: error in {SECRET}\n" for n in range(300)),
    "".join(f"t.py::test_{n} PASSED\n" for n in range(90))
    + "E   assert 1 == 2\n===== 1 failed, 9 passed in 1.0s =====\n",
    "".join(f'  File "/x/site-packages/a{n}.py", line {n}, in f\n    call({n})\n' for n in range(9)),
    f"ok {SECRET} ghp_{'A1b2' * 9}\n",
]
PIECES = st.sampled_from(["a", "bc", " ", "1", "22", "é", *CONTROL, *LINES])
TEXT = st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=300)
KINDS = st.sampled_from(sorted(CAPS))


@given(TEXT | st.binary(max_size=300), KINDS)
def test_what_is_shown_is_short_clean_and_stays_so(data: str | bytes, kind: Kind) -> None:
    text, out = prepare_output(data, kind, lambda _: 17)
    assert len(text) <= CAPS[kind] + 30
    assert not set(text) & {"\x1b", "\x9b", "\r", "\b", "\0", "\u202e"}
    text.encode()
    assert (out is None) == (text == mask_secrets(clean_text(data)))
    if len(text) <= CAPS[kind]:
        assert prepare_output(text, kind, lambda _: 18) == (text, None)


@given(st.lists(st.sampled_from([*OUTPUTS, *LINES, "plain\n"]), max_size=8).map("".join), KINDS)
def test_outputs_are_shown_whole_or_shorter_with_address_and_never_secret(text: str, kind: Kind) -> None:
    whole = strip_number_padding(mask_secrets(clean_text(text), [SECRET]))
    shown, out = prepare_output(text, kind, lambda _: 17, [SECRET])
    assert len(shown) <= len(whole)
    assert (out is None) == (shown == whole)
    assert (out is None) == ("out:17" not in shown)
    assert SECRET not in shown
    assert "ghp_" not in shown
    if len(shown) <= CAPS[kind]:
        assert prepare_output(shown, kind, lambda _: 18) == (shown, None)
    for told in ("assert 1 == 2", "1 failed, 9 passed"):
        assert kind in ("view", "listing", "search") or len(whole) > CAPS[kind] or told not in whole or told in shown


@given(TEXT)
def test_each_step_done_twice_changes_nothing(text: str) -> None:
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    folded = fold(cleaned)
    assert fold(folded) == folded
    cut = cut_lines(cleaned, 100)
    assert cut_lines(cut, 100) == cut
    assert shorten(shorten(cleaned, 300), 300) == shorten(cleaned, 300)


@given(st.lists(st.text("ab1 ", min_size=1, max_size=40), min_size=1, max_size=400))
def test_first_and_last_line_are_never_lost(lines: list[str]) -> None:
    text = clean_text("\n".join(lines))
    shown, _ = prepare_output(text, "listing", lambda _: 1)
    rows = [row for row in shown.split("\n") if row != "… full output: out:1"]
    assert rows[0] == text.split("\n")[0]
    assert rows[-1] == text.split("\n")[-1]


@given(st.text(max_size=2_000), st.integers(200, 1_000))
def test_shortened_is_within_its_cap(text: str, cap: int) -> None:
    assert len(shorten(text, cap, "out:123")) <= cap


def test_escape_sequences_of_terminals() -> None:
    assert (
        clean_text("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x1b(Bplain\x1b[2K")
        == "red link plain"
    )
    assert clean_text(b"caf\xe9 \xe2\x82\xac") == "caf\ufffd €"
    assert clean_text("ab\b\bcd\x07e") == "cde"


def test_progress_bars_fold_to_their_end() -> None:
    assert clean_text("start\n 10%\r 50%\r100%\ndone\r\n") == "start\n100%\ndone"
    assert clean_text("100%\r\x1b[K\r") == "100%"


def test_equal_lines_groups_and_numbered_lines_fold() -> None:
    assert fold("a\n" * 9 + "b") == "a\n… 7 equal lines\na\nb"
    assert fold("a\nb\n" * 5 + "c") == "a\nb\n… 6 equal lines\na\nb\nc"
    similar = "\n".join(f"copied file {n}" for n in range(20))
    assert fold(similar).split("\n")[2:5] == ["copied file 2", "… 14 similar lines", "copied file 17"]
    kept = "\n".join(f"item {n}" for n in range(8))
    assert fold(kept) == kept


def test_folded_output_has_address_and_is_kept_whole() -> None:
    kept: list[bytes] = []
    text, out = prepare_output("a\n" * 100, keep=lambda data: kept.append(data) or 3)
    assert text == "a\n… 98 equal lines\na\n… full output: out:3"
    assert out == 3
    assert kept == [("a\n" * 100).strip().encode()]


def test_long_output_is_head_and_tail() -> None:
    text, out = prepare_output("\n".join(chr(97 + n % 26) * (n % 50 + 5) for n in range(1000)), "other", lambda _: 4)
    lines = text.split("\n")
    assert out == 4
    assert lines[0] == "aaaaa"
    assert lines[-1] == "l" * 54
    mark = next(line for line in lines if line.startswith("…"))
    assert "left out; full output: out:4" in mark
    assert 7_000 < len(text) <= 8_000


def test_trouble_in_middle_of_long_output_is_told() -> None:
    lines = [chr(97 + n % 26) * (n % 50 + 5) for n in range(2000)]
    lines[900] = "src/a.c:12:5: error: expected ';'"
    lines[905] = "src/a.c:13:5: error: expected ';'"
    text, out = prepare_output("\n".join(lines), "other", lambda _: 4)
    assert out == 4
    assert "\n901: src/a.c:12:5: error: expected ';'\n" in text
    assert text.count("expected ';'") == 1
    assert len(text) <= CAPS["other"]


ROWS = [
    "same\n" * 7,
    "a\nb\n" * 6,
    "".join(f"copied file {n}\n" for n in range(20)),
    "".join(f"Collecting p{n}\n" for n in range(30)),
    "".join(f'  File "/x/site-packages/a{n}.py", line {n}, in f\n    call({n})\n' for n in range(9)),
    *[f"src/a{n % 5}.py:{n}: error: this is wrong {'!' * n}\n" for n in range(40)],
    "x" * 300 + " an error far behind\n",
    "error: " + "y" * 2500 + "\n",
    "… 4 equal lines\n",
    "9: cannot be read\n",
    *[f"{chr(97 + n) * 60}\n" * 3 + f"{chr(98 + n) * 50}\n" for n in range(20)],
]
PILES = st.randoms(use_true_random=False).map(lambda choice: "".join(choice.choices(ROWS, k=choice.randint(100, 400))))


@pytest.mark.slow
@given(PILES, st.sampled_from(["other", "tests"]))
def test_line_that_is_shown_with_number_is_that_line_of_whole(text: str, kind: Kind) -> None:
    kept: list[str] = []
    shown, out = prepare_output(text, kind, lambda data: kept.append(data.decode()) or 4)
    for number, line in _told(shown):
        assert kept[0].split("\n")[number - 1].startswith(line)
    assert out is None or kept[0] == clean_text(text)


def _told(shown: str) -> list[tuple[int, str]]:
    """The lines of trouble that stand between the marks, with their numbers."""
    between = shown.partition("; among them:\n")[2].partition("\n… and\n")[0]
    found = [re.match(r"(\d+): (.*)", row) for row in between.split("\n") if between]
    return [(int(row[1]), row[2]) for row in found if row]


def test_numbers_are_of_whole_where_lines_were_folded_before() -> None:
    lines = ["same"] * 500 + [chr(97 + n % 26) * (n % 50 + 5) for n in range(2000)]
    lines[1500:1502] = ["a.c:1: error: one", "same"]
    lines[1600] = "fatal: two"
    shown, _ = prepare_output("\n".join(lines), "other", lambda _: 4)
    assert _told(shown) == [(1501, "a.c:1: error: one"), (1601, "fatal: two")]


def test_text_of_file_is_never_folded() -> None:
    text = "x = 1\n" * 300 + "end"
    assert prepare_output(text, "view", lambda _: 1) == (text, None)


def test_margin_of_numbered_lines_is_narrow() -> None:
    text = "\n".join(f"{n:6}\tline" for n in range(1, 12))
    assert prepare_output(text, "view", lambda _: 1) == ("\n".join(f"{n}\tline" for n in range(1, 12)), None)
    assert prepare_output(text, "other", lambda _: 1)[0] == text.strip("\n")


def test_what_saves_little_is_left_as_it_is() -> None:
    assert prepare_output("a\n" * 9, "other", lambda _: 1) == (("a\n" * 9).strip(), None)


@pytest.mark.slow
def test_of_huge_output_ends_are_read() -> None:
    kept: list[bytes] = []
    text, out = prepare_output(
        "first\n" + "a line of it\n" * 400_000 + "last", "other", lambda data: kept.append(data) or 4
    )
    assert text.startswith("first\na line of it\n… ")
    assert text.endswith("\nlast\n… full output: out:4")
    assert out == 4
    assert len(kept[0]) > 5_000_000


def test_one_endless_line() -> None:
    text, out = prepare_output("x" * 1_000_000, "other", lambda _: 1)
    assert len(text) < 2_100
    assert out == 1
    assert " characters …" in text


@pytest.mark.parametrize(
    "key",
    [
        "sk-ant-api03-" + "aB3-" * 20,
        "sk-proj-" + "x_Y9" * 10,
        "sk-" + "a1B2" * 12,
        "ghp_" + "A1b2" * 9,
        "github_pat_" + "A1b2_" * 10,
        "AKIA" + "ABCD1234" * 2,
        "AIza" + "a" * 35,
        "xoxb-123456789012-abcdef",
        "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEabc+/\n" * 20 + "-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_key_is_masked(key: str) -> None:
    assert mask_secrets(f"KEY={key}") == "KEY=[masked]"
    assert mask_secrets(f"({key}) and") == "([masked]) and"


@pytest.mark.parametrize(
    "text",
    [
        "sk-estimator-doc-link-fitted-and-more",
        "task-1234567890123456789012345678901234",
        "AKIA",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_what_only_begins_like_key_stays(text: str) -> None:
    assert mask_secrets(text) == text


@pytest.mark.slow
@given(st.from_regex(_KEYS, fullmatch=True))
def test_nothing_with_keys_shape_is_passed_over(key: str) -> None:
    assert "[masked]" in mask_secrets(f"KEY={key}")


def test_known_secrets_are_masked_longest_first() -> None:
    assert (
        mask_secrets("a password123 b password123456 c", ["password123", "password123456", "a"])
        == "a [masked] b [masked] c"
    )


def test_numbered() -> None:
    assert number_lines(["a", ""], 9) == "9\ta\n10\t"
