from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aci.observation.output_text import (
    CAPS,
    Kind,
    cut_lines,
    fold,
    last_lines,
    number_lines,
    prepare_output,
    shorten,
    strip_number_padding,
)
from aci.observation.secret_masking import _KEYS, mask_secrets
from aci.observation.untrusted_text import clean_output, clean_text, quote_text

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
def test_prepared_output_is_short_clean_and_stable(data: str | bytes, kind: Kind) -> None:
    text, out = prepare_output(data, kind, lambda _: 17)
    assert len(text) <= CAPS[kind] + 30
    assert not set(text) & {"\x1b", "\x9b", "\r", "\b", "\0", "\u202e"}
    text.encode()
    clean = clean_text if kind in ("view", "search") else clean_output
    assert (out is None) == (text == mask_secrets(clean(data)))
    if len(text) <= CAPS[kind]:
        assert prepare_output(text, kind, lambda _: 18) == (text, None)


@given(st.lists(st.sampled_from([*OUTPUTS, *LINES, "plain\n"]), max_size=8).map("".join), KINDS)
@example("".join(f"Collecting p{number:02}\n" for number in range(99)) + "x" * 2600, "listing")
def test_shortened_output_has_address_and_no_secrets(text: str, kind: Kind) -> None:
    whole = strip_number_padding(mask_secrets(clean_text(text), [SECRET]))
    shown, out = prepare_output(text, kind, lambda _: 17, [SECRET])
    assert len(shown) <= len(whole)
    assert (out is None) == (shown == whole)
    assert (out is None) == ("out:17" not in shown)
    assert SECRET not in shown
    assert "ghp_" not in shown
    if len(shown) <= CAPS[kind]:
        assert prepare_output(shown, kind, lambda _: 18) == (shown, None)
    for summary in ("assert 1 == 2", "1 failed, 9 passed"):
        assert (
            kind in ("view", "listing", "search") or len(whole) > CAPS[kind] or summary not in whole or summary in shown
        )


@given(TEXT)
def test_each_step_is_idempotent(text: str) -> None:
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    folded = fold(cleaned)
    assert fold(folded) == folded
    cut = cut_lines(cleaned, 100)
    assert cut_lines(cut, 100) == cut
    assert shorten(shorten(cleaned, 300), 300) == shorten(cleaned, 300)


@given(st.lists(st.text("ab1 ", min_size=1, max_size=40), min_size=1, max_size=400))
def test_first_and_last_line_are_always_shown(lines: list[str]) -> None:
    text = clean_text("\n".join(lines))
    shown, _ = prepare_output(text, "listing", lambda _: 1)
    rows = [row for row in shown.split("\n") if row != "… full output: out:1"]
    assert rows[0] == text.split("\n")[0]
    assert rows[-1] == text.split("\n")[-1]


@given(st.text(max_size=2_000), st.integers(200, 1_000))
def test_shortened_text_fits_its_cap(text: str, cap: int) -> None:
    assert len(shorten(text, cap, "out:123")) <= cap


def test_terminal_escape_sequences_are_removed() -> None:
    assert (
        clean_text("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x1b(Bplain\x1b[2K")
        == "red link plain"
    )
    assert clean_text(b"caf\xe9 \xe2\x82\xac") == "caf\ufffd €"
    assert clean_output("ab\b\bcd\x07e") == "cde"


def test_progress_bars_fold_to_their_final_state() -> None:
    assert clean_output("start\n 10%\r 50%\r100%\ndone\r\n") == "start\n100%\ndone"
    assert clean_output("100%\r\x1b[K\r") == "100%"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("total() is negative\rIt should be three\r", ["total() is negative", "It should be three"]),
        ("one\r\ntwo\rthree\nfour", ["one", "two", "three", "four"]),
        ("wrong\b\b\b\b\bright\r\r\nlast", ["wrongright", "", "last"]),
    ],
    ids=["old Mac", "mixed", "twice"],
)
def test_text_of_files_and_issues_is_never_overwritten(text: str, lines: list[str]) -> None:
    assert clean_text(text).split("\n") == lines == clean_text(text.encode()).split("\n")
    assert prepare_output(text, "view")[0].split("\n") == lines
    assert quote_text(text).split("\n") == lines


def test_repeated_lines_groups_and_numbered_lines_fold() -> None:
    assert fold("a\n" * 9 + "b") == "a\n… 7 equal lines\na\nb"
    assert fold("a\nb\n" * 5 + "c") == "a\nb\n… 6 equal lines\na\nb\nc"
    similar = "\n".join(f"copied file {n}" for n in range(20))
    assert fold(similar).split("\n")[2:5] == ["copied file 2", "… 14 similar lines", "copied file 17"]
    few = "\n".join(f"item {n}" for n in range(8))
    assert fold(few) == few


def test_folded_output_has_address_and_is_stored_completely() -> None:
    saved: list[bytes] = []
    text, out = prepare_output("a\n" * 100, keep=lambda data: saved.append(data) or 3)
    assert text == "a\n… 98 equal lines\na\n… full output: out:3"
    assert out == 3
    assert saved == [("a\n" * 100).strip().encode()]


def test_long_output_shows_head_and_tail() -> None:
    text, out = prepare_output("\n".join(chr(97 + n % 26) * (n % 50 + 5) for n in range(1000)), "other", lambda _: 4)
    lines = text.split("\n")
    assert out == 4
    assert lines[0] == "aaaaa"
    assert lines[-1] == "l" * 54
    mark = next(line for line in lines if line.startswith("…"))
    assert "left out; full output: out:4" in mark
    assert 7_000 < len(text) <= 8_000


def test_errors_in_middle_of_long_output_are_shown() -> None:
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
LONG_OUTPUTS = st.randoms(use_true_random=False).map(
    lambda choice: "".join(choice.choices(ROWS, k=choice.randint(100, 400)))
)


@pytest.mark.slow
@given(LONG_OUTPUTS, st.sampled_from(["other", "tests"]))
def test_shown_line_numbers_refer_to_complete_output(text: str, kind: Kind) -> None:
    saved: list[str] = []
    shown, out = prepare_output(text, kind, lambda data: saved.append(data.decode()) or 4)
    for number, line in error_lines(shown):
        assert saved[0].split("\n")[number - 1].startswith(line)
    assert out is None or saved[0] == clean_text(text)


def error_lines(shown: str) -> list[tuple[int, str]]:
    """Return the error lines shown between the marks, with their numbers."""
    between = shown.partition("; among them:\n")[2].partition("\n… and\n")[0]
    matches = [re.match(r"(\d+): (.*)", row) for row in between.split("\n") if between]
    return [(int(row[1]), row[2]) for row in matches if row]


def test_line_numbers_are_not_affected_by_folding() -> None:
    lines = ["same"] * 500 + [chr(97 + n % 26) * (n % 50 + 5) for n in range(2000)]
    lines[1500:1502] = ["a.c:1: error: one", "same"]
    lines[1600] = "fatal: two"
    shown, _ = prepare_output("\n".join(lines), "other", lambda _: 4)
    assert error_lines(shown) == [(1501, "a.c:1: error: one"), (1601, "fatal: two")]


def test_file_content_is_never_folded() -> None:
    text = "x = 1\n" * 300 + "end"
    assert prepare_output(text, "view", lambda _: 1) == (text, None)


def test_padding_of_line_numbers_is_removed() -> None:
    text = "\n".join(f"{n:6}\tline" for n in range(1, 12))
    assert prepare_output(text, "view", lambda _: 1) == ("\n".join(f"{n}\tline" for n in range(1, 12)), None)
    assert prepare_output(text, "other", lambda _: 1)[0] == text.strip("\n")


def test_folding_that_saves_little_is_skipped() -> None:
    assert prepare_output("a\n" * 9, "other", lambda _: 1) == (("a\n" * 9).strip(), None)


@pytest.mark.slow
def test_only_ends_of_huge_output_are_processed() -> None:
    saved: list[bytes] = []
    text, out = prepare_output(
        "first\n" + "a line of it\n" * 400_000 + "last", "other", lambda data: saved.append(data) or 4
    )
    assert text.startswith("first\na line of it\n… ")
    assert text.endswith("\nlast\n… full output: out:4")
    assert out == 4
    assert len(saved[0]) > 5_000_000


def test_very_long_line_is_shortened() -> None:
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
def test_keys_are_masked(key: str) -> None:
    assert mask_secrets(f"KEY={key}") == "KEY=[masked]"
    assert mask_secrets(f"({key}) and") == "([masked]) and"


@pytest.mark.parametrize("hidden", ["\u200b", "\u2060", "\ufeff", "\U000e0041"])
def test_key_with_invisible_characters_is_masked(hidden: str) -> None:
    text = f"first line\n{SECRET[:7]}{hidden}{SECRET[7:]}\nlast line"
    assert mask_secrets(text, [SECRET]) == "first line\n[masked]\nlast line"
    other = f"na\u00efve {hidden}\ntext"
    assert mask_secrets(other, [SECRET]) == other


@pytest.mark.parametrize(
    "text",
    [
        "sk-estimator-doc-link-fitted-and-more",
        "task-1234567890123456789012345678901234",
        "AKIA",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_text_that_only_starts_like_key_is_unchanged(text: str) -> None:
    assert mask_secrets(text) == text


@pytest.mark.slow
@given(st.from_regex(_KEYS, fullmatch=True))
def test_every_match_of_key_pattern_is_masked(key: str) -> None:
    assert "[masked]" in mask_secrets(f"KEY={key}")


def test_known_secrets_are_masked_longest_first() -> None:
    assert (
        mask_secrets("a password123 b password123456 c", ["password123", "password123456", "a"])
        == "a [masked] b [masked] c"
    )


def test_lines_are_numbered_from_start() -> None:
    assert number_lines(["a", ""], 9) == "9\ta\n10\t"


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        (b"cut off\none\ntwo\nthree\n", ["two", "three"]),
        (b"only one line", ["only one line"]),
        (b"x\nsecret\n-----END PRIVATE KEY-----\ndone", ["done"]),
        (b"x\nbefore\n-----BEGIN PRIVATE KEY-----\nsecret\nsecret", ["before"]),
        (b"x\nthe token is hunter2-hunter2\n", ["the token is [masked]"]),
        (b"hunter2\nafter", ["after"]),
    ],
)
def test_last_lines_show_no_part_of_a_secret(output: bytes, lines: list[str]) -> None:
    assert last_lines(output, 2, ["hunter2-hunter2"]) == lines
