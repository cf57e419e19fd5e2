"""Blobs read from all kinds of git directories, including partial clones and damaged repositories."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from aci.graph.code_graph import query_graph
from aci.graph.graph_build import MISSING_BLOB
from aci.graph.outline import Location
from aci.repository.file_blobs import LARGEST, Blobs, GitBlobs, TreeBlobs
from aci.repository.user_repository import Repository
from tests.conftest import MakeRepo, git
from tests.text_blobs import TextBlobs
from trajectories.errors import UsageError, WorkspaceError
from trajectories.git_store.trees import Trees

FILES = {"a.py": "def a():\n    pass\n", "sub/b.py": "from a import a\na()\n", "sub/c.txt": "c\n"}


def _read(blobs: Blobs) -> dict[str, bytes | None]:
    files = list(blobs.files())
    return dict(zip((file.path for file in files), blobs.read([file.id for file in files]), strict=True))


def _expected_files() -> dict[str, bytes | None]:
    return {path: text.encode() for path, text in FILES.items()}


def test_commit_files_are_read(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    assert _read(GitBlobs.at(repo / ".git", "HEAD")) == _expected_files()


def test_bare_shallow_clone_is_read(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo(FILES)
    git(repo, "commit", "-q", "--allow-empty", "-m", "More")
    git(tmp_path, "clone", "-q", "--bare", "--depth", "1", f"file://{repo}", "bare.git")
    assert _read(GitBlobs.at(tmp_path / "bare.git", "HEAD")) == _expected_files()


def test_linked_worktree_is_read(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo(FILES)
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "linked")
    assert _read(GitBlobs.at(repo / ".git" / "worktrees" / "linked", "HEAD")) == _expected_files()


def test_working_tree_is_read(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    (repo / "a.py").write_text("changed = 1\n")
    (repo / "new.py").write_text("new = 1\n")
    with Repository.open(repo).blobs() as blobs:
        assert _read(blobs) == {**_expected_files(), "a.py": b"changed = 1\n", "new.py": b"new = 1\n"}


def test_tree_of_run_is_read(make_repo: MakeRepo, tmp_path: Path) -> None:
    trees = Trees(tmp_path / "trees.git")
    base = Repository.open(make_repo(FILES)).base(trees, None)
    assert _read(TreeBlobs(trees, base.tree)) == _expected_files()
    next_tree = trees.write({"a.py": b"x" * (LARGEST + 1)}, base.tree)
    blobs = TreeBlobs(trees, next_tree)
    assert _read(blobs) == {**_expected_files(), "a.py": None}
    assert not blobs.absent
    absent = "1" * 40
    assert list(blobs.read([absent])) == [None]
    assert blobs.absent == {absent}
    trees.close()


def test_texts_in_memory_are_read() -> None:
    assert _read(TextBlobs(FILES)) == _expected_files()
    assert TextBlobs(FILES).key == TextBlobs(dict(reversed(FILES.items()))).key
    assert TextBlobs(FILES).key != TextBlobs({**FILES, "a.py": ""}).key
    assert next(iter(TextBlobs({"not-\udcff.py": "x"}).files())).path == "not-\udcff.py"


@pytest.mark.parametrize("commit", ["nothing", "", "--all", "-x", "HEAD^{blob}", "0" * 40, "a\nb", ":a.py"])
def test_unknown_commit_is_usage_error(make_repo: MakeRepo, commit: str) -> None:
    repo = make_repo(FILES)
    with pytest.raises(UsageError, match="no commit"):
        GitBlobs.at(repo / ".git", commit)


def test_path_without_repository_is_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError, match="no commit"):
            GitBlobs.at(path, "HEAD")


def test_repository_without_commits_is_usage_error(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "repo")
    with pytest.raises(UsageError, match="no commit"):
        GitBlobs.at(tmp_path / "repo" / ".git", "HEAD")


def test_missing_tree_is_workspace_error(make_repo: MakeRepo) -> None:
    with pytest.raises(WorkspaceError):
        list(GitBlobs(make_repo(FILES) / ".git", "1" * 40).files())


def test_file_above_size_limit_is_not_read(make_repo: MakeRepo) -> None:
    sizes = (LARGEST, LARGEST + 1, 5 * LARGEST)
    repo = make_repo({f"{n}.py": b"x" * size for n, size in enumerate(sizes)} | {"last.py": b"last\n"})
    blobs = GitBlobs.at(repo / ".git", "HEAD")
    read = _read(blobs)
    assert {path: data and len(data) for path, data in read.items()} == {
        "0.py": LARGEST,
        "1.py": None,
        "2.py": None,
        "last.py": 5,
    }
    assert not blobs.absent


@pytest.fixture
def origin(make_repo: MakeRepo) -> Path:
    repo = make_repo(FILES)
    git(repo, "config", "uploadpack.allowFilter", "true")
    git(repo, "config", "uploadpack.allowAnySHA1InWant", "true")
    return repo


@pytest.fixture
def partial(origin: Path, tmp_path: Path) -> Iterator[Path]:
    """A clone without blobs, which git would fetch on demand. On teardown, check that they are still missing."""
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{origin}", "partial")
    yield tmp_path / "partial" / ".git"
    missing = subprocess.run(
        ["git", "rev-list", "--objects", "--all", "--missing=print"],
        cwd=tmp_path / "partial",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert missing.count("?") >= 2


def test_reading_partial_clone_fetches_nothing(partial: Path) -> None:
    blobs = GitBlobs.at(partial, "HEAD")
    assert set(_read(blobs).values()) == {None}
    assert len(blobs.absent) == len(FILES)


def test_local_blob_of_partial_clone_is_read(partial: Path, origin: Path) -> None:
    id = git(origin, "rev-parse", "HEAD:a.py")
    git(partial.parent, "-c", "protocol.file.allow=always", "cat-file", "blob", id)  # fetches only this blob
    read = _read(GitBlobs.at(partial, "HEAD"))
    assert read == {**dict.fromkeys(FILES), "a.py": FILES["a.py"].encode()}


def test_full_clone_does_not_reuse_gaps_of_partial_clone(partial: Path, origin: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    left_out = query_graph(GitBlobs.at(partial, "HEAD"), cache, lambda graph: graph.left_out)
    assert left_out["a.py"] == left_out["sub/b.py"] == MISSING_BLOB
    complete = query_graph(GitBlobs.at(origin / ".git", "HEAD"), cache, lambda graph: graph.paths)
    assert complete == ("a.py", "sub/b.py")
    assert query_graph(GitBlobs.at(partial, "HEAD"), cache, lambda graph: graph.paths) == complete


def _object(repo: Path, path: str) -> Path:
    id = git(repo, "rev-parse", f"HEAD:{path}")
    return repo / ".git" / "objects" / id[:2] / id[2:]


def test_missing_blob_is_reported_and_other_files_are_read(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    _object(repo, "a.py").unlink()
    assert _read(GitBlobs.at(repo / ".git", "HEAD")) == {**_expected_files(), "a.py": None}
    paths, left_out = query_graph(GitBlobs.at(repo / ".git", "HEAD"), None, lambda graph: (graph.paths, graph.left_out))
    assert paths == ("sub/b.py",)
    assert left_out["a.py"] == MISSING_BLOB


@pytest.mark.parametrize("content", [b"", b"no object", b"x\x9c\x00"])
def test_damaged_blob_is_skipped_and_other_files_are_read(make_repo: MakeRepo, content: bytes) -> None:
    repo = make_repo(FILES)
    file = _object(repo, "a.py")
    file.chmod(0o600)
    file.write_bytes(content)
    assert _read(GitBlobs.at(repo / ".git", "HEAD")) == {**_expected_files(), "a.py": None}


def test_reading_may_stop_early(make_repo: MakeRepo) -> None:
    repo = make_repo({f"{n}.py": b"x" * 500_000 + b"%d" % n for n in range(5)})
    blobs = GitBlobs.at(repo / ".git", "HEAD")
    reading = blobs.read([file.id for file in blobs.files()])
    assert next(reading)
    reading.close()  # type: ignore[attr-defined]


def test_programs_in_repository_configuration_are_not_run(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo({**FILES, ".gitattributes": "*.py filter=touch\n"})
    for key in ("core.fsmonitor", "filter.touch.smudge", "core.pager", "core.sshCommand", "diff.external"):
        git(repo, "config", key, f"touch {tmp_path / 'ran'}; cat")
    query_graph(GitBlobs.at(repo / ".git", "HEAD"), None, lambda graph: graph.paths)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("forged", [b"def bad():\n    pass\n", b"def a():\n    fail\n"], ids=["longer", "as long"])
def test_blob_that_does_not_match_its_id_is_rejected(make_repo: MakeRepo, tmp_path: Path, forged: bytes) -> None:
    repo = make_repo(FILES)
    file = _object(repo, "a.py")
    original = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(zlib.compress(b"blob %d\0" % len(forged) + forged))
    cache = tmp_path / "cache"
    assert query_graph(GitBlobs.at(repo / ".git", "HEAD"), cache, lambda graph: graph.left_out["a.py"]) == MISSING_BLOB
    file.write_bytes(original)
    locations = query_graph(
        GitBlobs.at(repo / ".git", "HEAD"), cache, lambda graph: [*map(graph.defining, ("a", "bad", "fail"))]
    )
    assert locations == [[Location("a.py", 0)], [], []]
