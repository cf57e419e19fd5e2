"""Reading diffs: git's own, and whatever else is handed over as one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent.tui.rendering.diff_rows import FileDiff, Pair, Row, pair_rows, parse_diff


def git(repository: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.quotePath=true", *words]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with every kind of change in it."""
    where = tmp_path_factory.mktemp("repository")
    git(where, "init", "-q")
    for name, data in {
        "a.py": b"one\ntwo\nthree\n-- four\n",
        "end.txt": b"no end",
        "tool.sh": b"echo\n",
        "old name.py": b"x = 1\n" * 20,
        "gone": b"gone\n",
        "logo.png": b"\x89PNG\0\0",
        "f\xc3\xbc\t.txt".encode("latin-1").decode("latin-1"): b"u\n",
        "dos.txt": b"one\r\ntwo\r\n",
    }.items():
        (where / name).write_bytes(data)
    git(where, "add", "-A")
    git(where, "commit", "-qm", "x")
    (where / "a.py").write_bytes(b"one\n2\nthree\n++ four\nfive\n")
    (where / "end.txt").write_bytes(b"still no end")
    (where / "tool.sh").chmod(0o755)
    (where / "old name.py").rename(where / "new name.py")
    (where / "gone").unlink()
    (where / "logo.png").write_bytes(b"\x89PNG\0\1")
    (where / "f\xc3\xbc\t.txt".encode("latin-1").decode("latin-1")).write_bytes(b"v\n")
    (where / "empty").touch()
    (where / "link").symlink_to("a.py")
    (where / "dos.txt").write_bytes(b"one\r\n2\r\n")
    git(where, "add", "-A")
    return where


@pytest.fixture(params=[(), ("--binary",)], ids=["plain", "binary"])
def files(changed: Path, request: pytest.FixtureRequest) -> dict[str, FileDiff]:
    return {file.path: file for file in parse_diff(git(changed, "diff", "--cached", "-M", *request.param))}


def test_every_kind_of_change_is_told(files: dict[str, FileDiff]) -> None:
    told = {path: (file.letter, file.added, file.removed, file.notes) for path, file in files.items()}
    assert told == {
        "a.py": ("M", 3, 2, []),
        "dos.txt": ("M", 1, 1, []),
        "empty": ("A", 0, 0, []),
        "end.txt": ("M", 1, 1, []),
        "f\u00c3\u00bc\t.txt": ("M", 1, 1, []),
        "gone": ("D", 0, 1, []),
        "link": ("A", 1, 0, ["symbolic link"]),
        "logo.png": ("M", 0, 0, ["binary file"]),
        "new name.py": ("R", 0, 0, ["renamed from old name.py"]),
        "tool.sh": ("M", 0, 0, ["mode 100644 becomes 100755"]),
    }
    assert [path for path, file in files.items() if file.binary] == ["logo.png"]


def test_lines_have_their_numbers(files: dict[str, FileDiff]) -> None:
    shown = [(row.kind, row.text, row.old, row.new) for row in files["a.py"].rows[1:]]
    assert shown == [
        ("same", "one", 1, 1),
        ("removed", "two", 2, 0),
        ("added", "2", 0, 2),
        ("same", "three", 3, 3),
        ("removed", "-- four", 4, 0),
        ("added", "++ four", 0, 4),
        ("added", "five", 0, 5),
    ], "a line that looks like a header in a hunk is none"
    assert [row.n for row in files["a.py"].rows] == list(range(8))


def test_missing_end_of_line_is_told(files: dict[str, FileDiff]) -> None:
    kinds = [row.kind for row in files["end.txt"].rows]
    assert kinds == ["hunk", "removed", "note", "added", "note"]


def test_hunks_are_told_apart() -> None:
    one = "--- a/x\t2020\n+++ b/x\t2021\n@@ -1 +1 @@\n-a\n+b\n@@ -9 +9 @@ f\n-c\n+d\n"
    first, second = parse_diff(one + "--- a/y\n+++ /dev/null\n@@ -1 +0,0 @@\n-z\n")
    assert [row.hunk for row in first.rows] == [1, 1, 1, 2, 2, 2]
    assert (first.path, second.path, second.letter) == ("x", "y", "D")


@pytest.mark.parametrize(
    "text", ["", "\n", "no diff at all\nbut words", "@@ -1,9 +1,9 @@\n", "diff --git \n", "+a\n-b\n"]
)
def test_whatever_it_is_is_read(text: str) -> None:
    told = [row.text for file in parse_diff(text) for row in file.rows]
    assert set(told) <= set(text.split("\n"))


def test_hunk_that_is_cut_short_ends_at_next_file() -> None:
    files = parse_diff("diff --git a/x b/x\n@@ -1,9 +1,9 @@\n a\ndiff --git a/y b/y\nnew file mode 100755\n")
    assert [(file.path, file.letter, file.notes) for file in files] == [("x", "M", []), ("y", "A", ["executable"])]


def test_what_was_removed_stands_beside_what_was_added() -> None:
    def rows(kinds: str) -> list[Row]:
        named = {"=": "same", "-": "removed", "+": "added"}
        return [Row(named[kind], f"{kind}{n}", n) for n, kind in enumerate(kinds)]  # type: ignore[arg-type]

    def texts(pairs: list[Pair]) -> list[tuple[str, str]]:
        return [(left.text if left else "", right.text if right else "") for left, right in pairs]

    assert texts(list(pair_rows(rows("=--+=+-")))) == [
        ("=0", "=0"),
        ("-1", "+3"),
        ("-2", ""),
        ("=4", "=4"),
        ("", "+5"),
        ("-6", ""),
    ]
