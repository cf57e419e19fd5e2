"""Reading unified diffs, compared with git."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aci.repository.patch import count_diff_lines, diff_sections
from trajectories.git_store.git_commands import decode, encode
from trajectories.unified_diff import (
    HUNK_HEADER_BYTES,
    HunkHeader,
    count_changed_lines,
    parse_hunk_header,
    shown_lines,
    split_header,
    split_hunks,
)

CONFUSING = [
    b"@@ -1 +1 @@",
    b"@@ -1,2 +3,4 @@ def f():",
    b"diff --git a/x b/x",
    b"-- a/x",
    b"++ b/x",
    b"\\ No newline at end of file",
    b"GIT binary patch",
    b"new file mode 100644",
]
LINES = st.sampled_from([b"a", b"b", b"c\r", b"", b"\r", b"\xff", b"x\r@@ -1 +1 @@", "\u2028".encode(), *CONFUSING])
TEXTS = st.builds(lambda lines, end: b"\n".join(lines) + b"\n" * end, st.lists(LINES, max_size=30), st.booleans())
BINARY = st.sampled_from([b"\0a\n", b"\0b\n"])
FILES = st.dictionaries(st.sampled_from(["a", "b", "c d", "\u00fc"]), TEXTS | BINARY, max_size=4)


def test_header_has_ranges_and_section() -> None:
    assert parse_hunk_header("@@ -1,2 +3,0 @@ def f():") == HunkHeader(1, 2, 3, 0, "def f():")
    assert parse_hunk_header("@@ -7 +8 @@") == HunkHeader(7, 1, 8, 1, "")


@pytest.mark.parametrize(
    "line", ["", "@@", "@@ -1 +1", " @@ -1 +1 @@", "@@@ -1 -1 +1 @@@", "@@ -\u0661 +1 @@", f"@@ -{'9' * 5000} +1 @@"]
)
def test_other_lines_are_no_headers(line: str) -> None:
    assert parse_hunk_header(line) is None
    assert HUNK_HEADER_BYTES.match(line.encode()) is None


def test_lines_are_counted_without_a_file_header_or_line_numbers() -> None:
    assert count_changed_lines("@@ -1 +1,2 @@\n-a\n+b\n+c\n") == (2, 1)
    assert count_changed_lines("--- a\n+++ b\n@@ ... @@\n-a\n") == (0, 1)
    assert count_changed_lines("--- a\n+++ b\nBinary files differ\n") == (0, 0)
    assert split_header("--- a\n+++ b\n@@ ... @@\n-a\n") == ("--- a\n+++ b\n", "@@ ... @@\n-a\n")


def run_git(folder: Path, *arguments: str, input: bytes | None = None) -> bytes:
    command = ["git", "-c", "core.autocrlf=false", "-c", "core.quotePath=true", *arguments]
    return subprocess.run(command, cwd=folder, input=input, capture_output=True, check=True).stdout


def write_tree(folder: Path, files: dict[str, bytes]) -> str:
    run_git(folder, "rm", "-qrf", "--ignore-unmatch", ".")
    for path, text in files.items():
        (folder / path).write_bytes(text)
    run_git(folder, "add", "-A")
    return run_git(folder, "write-tree").decode().strip()


def read_counts(numstat: bytes) -> list[tuple[int, ...]]:
    """Return the numbers of added and removed lines in the output of `--numstat`, which has "-" for binary files."""
    return [tuple(int(n) if n != b"-" else 0 for n in line.split(b"\t")[:2]) for line in numstat.splitlines()]


def read_paths(name_status: bytes) -> list[tuple[str, str]]:
    """Return the old and the new path of each file in the output of `--name-status -z`."""
    fields = iter(name_status.decode().split("\0")[:-1])
    return [(path := next(fields), next(fields) if status[0] == "R" else path) for status in fields]


def split_lines(text: bytes) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+", text)


def changed_text(old: bytes, hunks: list[tuple[HunkHeader, str]]) -> bytes:
    """Apply hunks at the line numbers in their headers."""
    lines = split_lines(old)
    for header, text in reversed(hunks):
        body: list[bytes] = []
        for line in split_lines(encode(text))[1:]:
            if line[:1] == b"\\":  # "\\ No newline at end of file" refers to the previous line
                body[-1] = body[-1].removesuffix(b"\n")
            else:
                body.append(line)
        before = [line[1:] for line in body if line[:1] in (b" ", b"-")]
        after = [line[1:] for line in body if line[:1] in (b" ", b"+")]
        assert (len(before), len(after)) == (header.old_count, header.new_count)
        at = header.old_start - (header.old_count > 0)
        assert lines[at : at + len(before)] == before
        lines[at : at + len(before)] = after
    return b"".join(lines)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(FILES, FILES, st.sampled_from(["a", "b"]), st.sampled_from([0, 1, 3]))
def test_reader_agrees_with_git(old: dict[str, bytes], new: dict[str, bytes], moved: str, context: int) -> None:
    if moved in old:
        new = {"moved": old[moved] + b"end\n"} | {name: text for name, text in new.items() if name != moved}
    with TemporaryDirectory() as name:
        folder = Path(name)
        run_git(folder, "init", "-q")
        command = ("diff", "-M20%", write_tree(folder, old), write_tree(folder, new))
        diff = decode(run_git(folder, *command, f"-U{context}"))
        expected = read_counts(run_git(folder, *command, "--numstat"))
        paths = read_paths(run_git(folder, *command, "--name-status", "-z"))
        if diff:
            assert read_counts(run_git(folder, "apply", "--numstat", input=encode(diff))) == expected
    sections = diff_sections(diff)
    assert [count_changed_lines(section) for section in sections] == expected
    assert [counted[1:] for counted in count_diff_lines(diff)] == expected
    for section, (before, after) in zip(sections, paths, strict=True):
        head, hunks = split_hunks(section)
        assert head + "".join(text for _, text in hunks) == section
        assert split_header(section) == (head, section[len(head) :])
        if "\nBinary files " not in head:
            assert changed_text(old.get(before, b""), hunks) == new.get(after, b"")
        for header, text in hunks:
            assert parse_hunk_header(text.partition("\n")[0]) == header
            groups = HUNK_HEADER_BYTES.match(encode(text)).groups()  # type: ignore[union-attr]
            assert tuple(int(group or 1) for group in groups) == header[:4]


def test_shown_lines_are_those_of_the_new_file() -> None:
    diff = "@@ -1,3 +10,3 @@ def f():\n a\n-b\n+c\n d\n\\ No newline at end of file\n@@ -9 +20,0 @@\n-x\n"
    assert shown_lines(diff) == {10, 11, 12}
    assert shown_lines("") == frozenset()
