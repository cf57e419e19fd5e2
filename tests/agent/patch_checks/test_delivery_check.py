"""Changes that are not delivered to the user's files, and files that the user should check first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.patch_checks.delivery_check import DeliveryFindings, check_delivery, describe_flagged, refuse
from agent.patch_checks.protected_paths import is_git_folder_name
from tests.conftest import git
from trajectories.errors import UsageError
from trajectories.git_store.trees import EMPTY_TREE, Trees

Files = Mapping[str, bytes | tuple[str, bytes] | None]
BASE: Files = {
    "calc/core.py": b"def add(a, b):\n    return a - b\n",
    "repo.git/HEAD": b"ref: refs/heads/main\n",
    "old": ("120000", b"/elsewhere"),
    "ways/deep/x": b"",
    "up": ("120000", b"ways/.."),
    ".github/workflows/ci.yml": b"run: bash lint_all\n",
    "lint_all": b"",
}
Check = Callable[..., DeliveryFindings]


@pytest.fixture
def check(tmp_path: Path) -> Iterator[Check]:
    root = tmp_path / "checkout"
    root.mkdir()
    git(root, "init", "-q")
    repository = Repository(root, root / ".git")
    with Trees(tmp_path / "trees.git") as trees:

        def change(files: Files, base: Files = BASE) -> DeliveryFindings:
            before = written(trees, base)
            return check_delivery(trees, before, written(trees, {**base, **files}), repository)

        yield change


def written(trees: Trees, files: Files) -> str:
    kept = {
        path: data if isinstance(data, tuple) else ("100644", data) for path, data in files.items() if data is not None
    }
    lines = []
    for mode, data in kept.values():
        tree = trees.write({"x": data}, EMPTY_TREE)
        lines.append((mode, trees.files(tree)["x"].id if mode != "160000" else "1" * 40))
    listing = "".join(f"{mode} {id} 0\t{path}\0" for (mode, id), path in zip(lines, kept, strict=True))
    return trees.adopt(listing.encode(), [])


def test_fix_has_no_findings(check: Check) -> None:
    fix: Files = {"calc/core.py": b"def add(a, b):\n    return a + b\n", "tests/test_core.py": b"assert 1\n"}
    assert check(fix) == DeliveryFindings()


@pytest.mark.parametrize(
    ("on_disk", "path", "is_refused"),
    [
        (["HEAD", "objects", "refs", "config"], "mirror/hooks/post-update", True),
        (["HEAD", "objects", "refs", "config"], "mirror/config.worktree", True),
        (["HEAD", "objects", "refs"], "mirror/a/b/c", True),
        (["head", "OBJECTS", "refs"], "mirror/hooks/x", True),
        (["HEAD", "commondir"], "mirror/config", True),
        (["HEAD", "objects"], "mirror/refs/x", True),
        (["objects", "refs"], "mirror/config", True),
        (["objects", "REFS"], "mirror/Config", True),
        (["objects", "refs"], "mirror/hooks/post-commit", True),
        (["objects", "refs"], "mirror/hooks/x.py", False),
        (["objects", "refs"], "mirror/config/x", False),
        (["objects", "refs", "hooks", "config"], "mirror/x", False),
        (["HEAD", "objects"], "mirror/hooks/x", False),
        (["HEAD", "objects", "refs"], "mirrors/x", False),
        (["HEAD", "objects", "refs"], "mirror", False),
    ],
)
def test_change_in_git_directory_that_is_only_on_disk_is_refused(
    check: Check, tmp_path: Path, on_disk: list[str], path: str, is_refused: bool
) -> None:
    for name in on_disk:
        (tmp_path / "checkout" / "mirror" / name).mkdir(parents=True)
    assert check({path: b"x\n"}).refused == ({path: GIT} if is_refused else {})


GIT = "a part of a git directory inside the repository"
OUT = "which is not a place in the repository"
REFUSED: list[tuple[str, Files, str]] = [
    ("whole", {"demo/HEAD": b"x", "demo/config": b"x", "demo/objects/a": b"", "demo/refs/a": b""}, GIT),
    ("completed", {"repo.git/objects/a": b"", "repo.git/refs/a": b""}, GIT),
    ("files with these names", {"repo.git/objects": ("100755", b""), "repo.git/refs": ("100755", b"")}, GIT),
    ("objects in another folder", {"repo.git/commondir": b"../shared\n"}, GIT),
    ("common directory", {"demo/objects/a": b"", "demo/refs/a": b"", "demo/config": b""}, GIT),
    ("hooks of a common directory", {"demo/objects/a": b"", "demo/refs/a": b"", "demo/hooks": ("120000", b"x")}, GIT),
    ("in capitals", {"repo.git/Objects/a": b"", "repo.git/REFS/a": b""}, GIT),
    ("absolute link", {"docs": ("120000", b"/etc")}, OUT),
    ("link out", {"calc/docs": ("120000", b"../../other")}, OUT),
    ("link through a link out", {"docs": ("120000", b"old/x")}, OUT),
    ("existing link that leads out now", {"ways/deep/x": None, "ways": ("120000", b".")}, OUT),
    ("link to git's folder", {"hooks": ("120000", b".git/hooks")}, "a link into the repository's git directory"),
    ("link to git's folder in capitals", {"hooks": ("120000", b"calc/../.GIT/hooks")}, "a link into"),
    ("git's folder with a zero-width character", {".g\u200cit/config": b"x\n"}, "git would take it for its own folder"),
]


@pytest.mark.parametrize(("files", "why"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_change_that_only_attack_needs_is_refused(check: Check, files: Files, why: str) -> None:
    findings = check(files)
    assert why in " ".join(findings.refused.values())
    with pytest.raises(UsageError, match="The patch is not delivered: ") as raised:
        refuse(findings, Path("patch.diff"))
    assert why in raised.value.message


def test_change_beside_settings_of_common_directory_on_disk_is_refused(check: Check, tmp_path: Path) -> None:
    (tmp_path / "checkout" / "mirror" / "objects").mkdir(parents=True)
    (tmp_path / "checkout" / "mirror" / "config").touch()
    assert check({"mirror/refs/x": b"x\n"}).refused == {"mirror/refs/x": GIT}
    assert check({"mirror/x": b"x\n"}).refused == {}


def test_source_folders_with_names_of_git_are_no_git_directory(check: Check) -> None:
    names = ("objects/a.py", "refs/a.py", "config.py", "hooks/a.py", "index/a.py")
    assert check({f"git/{name}": b"x\n" for name in names}).refused == {}


def test_removing_refused_files_is_no_attack(check: Check) -> None:
    base: Files = {**BASE, "demo/HEAD": b"x", "demo/objects/a": b"", "demo/refs/a": b""}
    assert check({"demo/HEAD": None, "demo/objects/a": None, "demo/refs/a": None, "old": None}, base).refused == {}


@pytest.mark.parametrize("name", [".git", ".GIT", ".git.", ".git ", ".git::$INDEX_ALLOCATION", "GIT~1", "gi7eba~1"])
def test_name_is_read_as_git_folder(name: str) -> None:
    assert is_git_folder_name(name)


@pytest.mark.parametrize("name", [".gitignore", ".github", "git", ".git-blame-ignore-revs", "gi", "a.git", "~1"])
def test_other_names_are_not_read_as_git_folder(name: str) -> None:
    assert not is_git_folder_name(name)


FLAGGED: list[tuple[str, Files, str]] = [
    ("editor", {".vscode/tasks.json": b"{}"}, "takes effect when an editor opens the folder"),
    ("workflow", {".github/workflows/x.yml": b"on: push\n"}, "it configures what CI runs"),
    ("filter", {"calc/.gitattributes": b"* filter=x\n"}, "git and GitHub read settings from it"),
    ("own settings", {".swe-agent.toml": b"test = 'x'\n"}, "it configures what swe-agent runs"),
    ("removed", {".github/workflows/ci.yml": None}, "it configures what CI runs; removed"),
    ("before tests", {"tests/conftest.py": b""}, "runs or is read before any test"),
    ("by CI", {"lint_all": b"#!/bin/sh\n"}, "is named in the CI configuration"),
    ("executable", {"calc/go": ("100755", b"#!/bin/sh\n")}, "is executable"),
    ("inner link", {"docs": ("120000", b"calc")}, "is a link"),
    ("submodule", {"lib": ("160000", b"")}, "is a submodule"),
    ("hidden text", {"calc/core.py": b"x = '\xe2\x80\xae'\n"}, "has characters that change the direction of text"),
    ("name", {"calc/a\u202eb.py": b""}, "the name has invisible characters"),
]


@pytest.mark.parametrize(("files", "why"), [row[1:] for row in FLAGGED], ids=[row[0] for row in FLAGGED])
def test_file_that_runs_or_hides_something_is_flagged(check: Check, files: Files, why: str) -> None:
    findings = check(files)
    assert (findings.refused, findings.flagged) == ({}, {next(iter(files)): why})
    assert describe_flagged(findings).endswith(f"({why}).")


def test_message_names_at_most_ten_files(check: Check) -> None:
    text = describe_flagged(check({f".vscode/{n:02}": b"" for n in range(12)}))
    assert ".vscode/09" in text
    assert text.endswith(", and 2 more.")
