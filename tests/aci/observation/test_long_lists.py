"""Shortening of long lists: listings become counts per folder; searches show the first matches of each file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aci.observation.output_text import first_matches, outline_listing

PATHS = [f"./src/pkg_{n % 9}/sub_{n % 4}/module_{n}.py" for n in range(400)]


def test_short_output_is_unchanged() -> None:
    assert outline_listing("a/b\nc", 100) == "a/b\nc"
    assert first_matches("a.py:1:x\nb.py:2:y", 100) == "a.py:1:x\nb.py:2:y"


def test_paths_become_outline_of_all_folders() -> None:
    shown = outline_listing("\n".join(["./README.md", *PATHS]), 2_000).split("\n")
    assert shown[0] == "./README.md"
    assert all(f"./src/pkg_{n}/" in "\n".join(shown) for n in range(9))
    assert sum(int(row.rsplit("(", 1)[1][:-1]) for row in shown if row.endswith(")")) == 400


def test_blocks_of_ls_are_parsed_as_paths() -> None:
    blocks = [f"./dir_{n}:\n" + "\n".join(f"file_{n}_{m}.txt" for m in range(40)) for n in range(20)]
    shown = outline_listing("\n\n".join(blocks), 1_000)
    assert "dir_19/ (40)" in shown
    assert len(shown) <= 1_000


def test_long_format_listing_is_unchanged() -> None:
    text = "\n".join(f"-rw-r--r-- 1 root root {n} Nov 20 10:00 a/file{n}.py" for n in range(200))
    assert outline_listing(text, 1_000) == text


def test_each_file_keeps_its_first_matches() -> None:
    lines = [f"pkg/f{n // 50}.py:{n}:    value = compute({n})" for n in range(500)]
    shown = first_matches("\n".join(lines), 3_000)
    assert len(shown) <= 3_000
    assert all(f"pkg/f{n}.py:{50 * n}:" in shown for n in range(10))
    assert " … 45 more\n" in shown or " … 40 more\n" in shown


def test_matches_without_file_names_are_unchanged() -> None:
    text = "\n".join(f"{n}:    value = compute({n})" for n in range(500))
    assert first_matches(text, 3_000) == text


@given(st.lists(st.text("ab/.:1 ", max_size=30), max_size=60), st.integers(50, 400))
def test_shortened_list_fits_or_is_unchanged(lines: list[str], limit: int) -> None:
    text = "\n".join(lines)
    for shorten in (outline_listing, first_matches):
        shown = shorten(text, limit)
        assert shown == text or len(shown) <= limit


def test_blocks_of_ls_without_entries_are_unchanged() -> None:
    text = "\n\n".join(f"x/some_empty_folder_{n}:" for n in range(200))
    assert outline_listing(text, 2_000) == text


def test_path_outside_common_folder_is_not_cut() -> None:
    paths = [f"foo/bar/d{n}/file{m}.py" for n in range(20) for m in range(20)]
    assert "README.md" in outline_listing("\n".join(["README.md", *paths]), 2_000).split("\n")
