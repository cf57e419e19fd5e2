"""Parsing diffs, both git's own and other text."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from extensions.interactive.tui.rendering.diff_rows import FileDiff, Pair, Row, pair_rows, parse_diff
from tests.trajectories.test_unified_diff import FILES, read_counts, run_git, write_tree
from trajectories.git_store.git_commands import decode


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.quotePath=true", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def changed_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with every kind of staged change."""
    repository = tmp_path_factory.mktemp("repository")
    git(repository, "init", "-q")
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
        (repository / name).write_bytes(data)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "x")
    (repository / "a.py").write_bytes(b"one\n2\nthree\n++ four\nfive\n")
    (repository / "end.txt").write_bytes(b"still no end")
    (repository / "tool.sh").chmod(0o755)
    (repository / "old name.py").rename(repository / "new name.py")
    (repository / "gone").unlink()
    (repository / "logo.png").write_bytes(b"\x89PNG\0\1")
    (repository / "f\xc3\xbc\t.txt".encode("latin-1").decode("latin-1")).write_bytes(b"v\n")
    (repository / "empty").touch()
    (repository / "link").symlink_to("a.py")
    (repository / "dos.txt").write_bytes(b"one\r\n2\r\n")
    git(repository, "add", "-A")
    return repository


@pytest.fixture(params=[(), ("--binary",)], ids=["plain", "binary"])
def files(changed_repository: Path, request: pytest.FixtureRequest) -> dict[str, FileDiff]:
    return {file.path: file for file in parse_diff(git(changed_repository, "diff", "--cached", "-M", *request.param))}


def test_parse_diff_reports_every_kind_of_change(files: dict[str, FileDiff]) -> None:
    changes = {path: (file.letter, file.added, file.removed, file.notes) for path, file in files.items()}
    assert changes == {
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


def test_parse_diff_numbers_lines(files: dict[str, FileDiff]) -> None:
    rows = [(row.kind, row.text, row.old, row.new) for row in files["a.py"].rows[1:]]
    assert rows == [
        ("same", "one", 1, 1),
        ("removed", "two", 2, 0),
        ("added", "2", 0, 2),
        ("same", "three", 3, 3),
        ("removed", "-- four", 4, 0),
        ("added", "++ four", 0, 4),
        ("added", "five", 0, 5),
    ], "inside a hunk, a line that looks like a header is content"
    assert [row.n for row in files["a.py"].rows] == list(range(8))


def test_missing_end_of_line_is_noted(files: dict[str, FileDiff]) -> None:
    kinds = [row.kind for row in files["end.txt"].rows]
    assert kinds == ["hunk", "removed", "note", "added", "note"]


def test_parse_diff_numbers_hunks() -> None:
    one = "--- a/x\t2020\n+++ b/x\t2021\n@@ -1 +1 @@\n-a\n+b\n@@ -9 +9 @@ f\n-c\n+d\n"
    first, second = parse_diff(one + "--- a/y\n+++ /dev/null\n@@ -1 +0,0 @@\n-z\n")
    assert [row.hunk for row in first.rows] == [1, 1, 1, 2, 2, 2]
    assert (first.path, second.path, second.letter) == ("x", "y", "D")


@pytest.mark.parametrize(
    "text", ["", "\n", "no diff at all\nbut words", "@@ -1,9 +1,9 @@\n", "diff --git \n", "+a\n-b\n"]
)
def test_parse_diff_accepts_any_text(text: str) -> None:
    texts = [row.text for file in parse_diff(text) for row in file.rows]
    assert set(texts) <= set(text.split("\n"))


def test_truncated_hunk_ends_at_next_file() -> None:
    files = parse_diff("diff --git a/x b/x\n@@ -1,9 +1,9 @@\n a\ndiff --git a/y b/y\nnew file mode 100755\n")
    assert [(file.path, file.letter, file.notes) for file in files] == [("x", "M", []), ("y", "A", ["executable"])]


def test_pair_rows_puts_removed_beside_added_lines() -> None:
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


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(FILES, FILES)
def test_counts_agree_with_git(old: dict[str, bytes], new: dict[str, bytes]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        run_git(folder, "init", "-q")
        command = ("diff", write_tree(folder, old), write_tree(folder, new))
        diff, expected = decode(run_git(folder, *command)), read_counts(run_git(folder, *command, "--numstat"))
    assert [(file.added, file.removed) for file in parse_diff(diff)] == expected
