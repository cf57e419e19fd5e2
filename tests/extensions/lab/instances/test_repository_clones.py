"""The repositories of a batch: existing ones are found, others are cloned once, also by concurrent workers."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.repository import clone
from extensions.lab.instances import repository_clones
from extensions.lab.instances.jobs import Instance
from extensions.lab.instances.repository_clones import Repositories
from tests.conftest import MakeRepo, git
from trajectories.errors import UsageError, WorkspaceError
from trajectories.records import Issue

ROOT = Path(__file__).resolve().parents[4]


def instance(repo: str, base: str = "") -> Instance:
    return Instance("a", repo, base, Issue("It stalls"))


@pytest.fixture
def server(tmp_path: Path, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of github.com, with the repository ada/engine."""
    folder = tmp_path / "server"
    (folder / "ada").mkdir(parents=True)
    make_repo({"a.py": "x = 1\n"}).rename(folder / "ada" / "engine.git")
    monkeypatch.setattr(repository_clones, "SERVER", folder.as_uri())
    return folder


@pytest.fixture
def clones(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cloned URLs."""
    urls: list[str] = []

    def clone_to(url: str, path: Path) -> None:
        urls.append(url)
        clone.clone_to(url, path)

    monkeypatch.setattr(repository_clones, "clone_to", clone_to)
    return urls


class Unreachable:
    """Make the server of this clone unreachable while the context is open."""

    def __init__(self, path: Path) -> None:
        self.path, self.url = path, git(path, "config", "remote.origin.url")

    def __enter__(self) -> None:
        git(self.path, "config", "url.http://127.0.0.1:9/.insteadOf", self.url)

    def __exit__(self, *_: object) -> None:
        git(self.path, "config", "--unset", "url.http://127.0.0.1:9/.insteadOf")


@pytest.mark.parametrize(
    "name", ["ada/engine", "ada/engine.git", "ada__engine", "ada__engine.git", "engine", "engine.git"]
)
def test_repository_is_found_by_any_of_its_names(
    tmp_path: Path, make_repo: MakeRepo, clones: list[str], name: str
) -> None:
    clone_path = tmp_path / "repos" / name
    clone_path.parent.mkdir(parents=True)
    (tmp_path / "repos" / "engine").mkdir(exist_ok=True)  # ada's folder, or an unrelated one
    if clone_path.is_dir():
        clone_path.rmdir()
    make_repo({"a.py": "x = 1\n"}).rename(clone_path)
    base = git(clone_path, "rev-parse", "HEAD")
    assert Repositories(tmp_path / "repos").of(instance("ada/engine", base)) == clone_path
    assert clones == []


@pytest.mark.parametrize(
    ("address", "matches"),
    [
        ("https://github.com/ada/engine", True),
        ("git@github.com:Ada/Engine.git", True),
        ("https://github.com/bob/engine.git", False),
        ("https://github.com/xada/engine", False),
        ("", False),
    ],
)
def test_name_without_owner_is_used_if_remote_matches(
    tmp_path: Path, server: Path, make_repo: MakeRepo, address: str, matches: bool
) -> None:
    repos = tmp_path / "repos"
    repos.mkdir()
    make_repo({"b.py": "y = 1\n"}).rename(repos / "engine")
    if address:
        git(repos / "engine", "config", "remote.origin.url", address)
    base = git(server / "ada" / "engine.git", "rev-parse", "HEAD")
    for commit in ("", base):
        assert Repositories(repos).of(instance("ada/engine", commit)) == repos / (
            "engine" if matches else "ada__engine.git"
        )


def test_default_branch_is_fetched_once_per_process(tmp_path: Path, server: Path) -> None:
    server_side = server / "ada" / "engine.git"
    repositories = Repositories(tmp_path / "repos")
    clone_path = repositories.of(instance("ada/engine"))
    old = git(clone_path, "rev-parse", "HEAD")
    git(server_side, "commit", "-q", "--allow-empty", "-m", "second")
    repositories.of(instance("ada/engine"))
    assert git(clone_path, "rev-parse", "HEAD") == old, "the newest commit is fixed for this process"
    Repositories(tmp_path / "repos").of(instance("ada/engine"))
    assert git(clone_path, "rev-parse", "HEAD") == git(server_side, "rev-parse", "HEAD") != old
    url = f"{server.as_uri()}/ada/engine.git"
    assert Repositories(tmp_path / "repos").of(instance(url)) == Repositories(tmp_path / "repos").of(instance(url))


def test_unreachable_server_is_tried_again(tmp_path: Path, server: Path) -> None:
    origin = server / "ada" / "engine.git"
    clone_path = Repositories(tmp_path / "repos").of(instance("ada/engine"))
    git(origin, "commit", "-q", "--allow-empty", "-m", "second")
    second = git(origin, "rev-parse", "HEAD")
    repositories = Repositories(tmp_path / "repos")
    with Unreachable(clone_path):
        for base in ("", second):
            with pytest.raises(WorkspaceError, match="cannot be cloned"):
                repositories.of(instance("ada/engine", base))
    assert repositories.of(instance("ada/engine", second)) == clone_path
    assert clone.has_commit(clone_path, second)


def test_missing_commit_is_requested_once(tmp_path: Path, server: Path) -> None:
    repositories = Repositories(tmp_path / "repos")
    clone_path = repositories.of(instance("ada/engine"))
    (server / "ada" / "engine.git").rename(tmp_path / "gone")
    assert repositories.of(instance("ada/engine", "3" * 40)) == clone_path
    (tmp_path / "gone").rename(server / "ada" / "engine.git")
    with Unreachable(clone_path):
        assert repositories.of(instance("ada/engine", "3" * 40)) == clone_path


def test_missing_repository_is_cloned_once(tmp_path: Path, server: Path, clones: list[str]) -> None:
    repositories = Repositories(tmp_path / "repos")
    with ThreadPoolExecutor(8) as pool:
        clone_paths = set(pool.map(lambda _: repositories.of(instance("ada/engine")), range(16)))
    assert clone_paths == {tmp_path / "repos" / "ada__engine.git"}
    assert Repositories(tmp_path / "repos").of(instance("ada/engine")) in clone_paths
    assert clones == [f"{server.as_uri()}/ada/engine.git"]
    assert git(clone_paths.pop(), "rev-parse", "--is-bare-repository") == "true"


@pytest.mark.slow
def test_concurrent_processes_share_one_clone(tmp_path: Path, server: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from extensions.lab.instances import repository_clones
from extensions.lab.instances.jobs import Instance
from trajectories.records import Issue
repository_clones.SERVER = {server.as_uri()!r}
clone = repository_clones.clone_to
repository_clones.clone_to = lambda url, path: (print("cloned"), clone(url, path))
sys.stdin.read()
repository_clones.Repositories(Path({str(tmp_path / "repos")!r})).of(Instance("a", "ada/engine", "", Issue("t")))
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    assert sorted(process.communicate(timeout=60)[0] for process in processes) == ["", "", "cloned\n"]
    assert {process.returncode for process in processes} == {0}


def test_own_clone_without_base_is_updated(tmp_path: Path, server: Path) -> None:
    origin = server / "ada" / "engine.git"
    first = git(origin, "rev-parse", "HEAD")
    clone_path = Repositories(tmp_path / "repos").of(instance("ada/engine", first))
    git(origin, "commit", "-q", "--allow-empty", "-m", "second")
    second = git(origin, "rev-parse", "HEAD")
    git(origin, "reset", "-q", "--hard", first)  # like a pull request's base after a force push
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    repositories = Repositories(tmp_path / "repos")
    assert not clone.has_commit(clone_path, second)
    assert repositories.of(instance("ada/engine", second)) == clone_path
    assert clone.has_commit(clone_path, second)
    assert repositories.of(instance("ada/engine", "3" * 40)) == clone_path  # the caller reports the missing commit


def test_users_clone_is_not_updated(tmp_path: Path, server: Path) -> None:
    clone_path = tmp_path / "repos" / "ada__engine.git"
    clone_path.parent.mkdir()
    git(tmp_path, "clone", "-q", "--bare", str(server / "ada" / "engine.git"), str(clone_path))
    git(server / "ada" / "engine.git", "commit", "-q", "--allow-empty", "-m", "second")
    second = git(server / "ada" / "engine.git", "rev-parse", "HEAD")
    before = {path: path.stat().st_mtime_ns for path in clone_path.rglob("*")}
    assert Repositories(tmp_path / "repos").of(instance("ada/engine", second)) == clone_path
    assert {path: path.stat().st_mtime_ns for path in clone_path.rglob("*")} == before


def test_missing_unreachable_repository_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository_clones, "SERVER", "http://127.0.0.1:9")
    with pytest.raises(WorkspaceError) as caught:
        Repositories(tmp_path).of(instance("ada/engine"))
    assert caught.value.message.startswith(
        f"{tmp_path} has no repository with one of the names ada/engine, ada/engine.git, ada__engine, "
        "ada__engine.git, engine, engine.git. http://127.0.0.1:9/ada/engine.git cannot be cloned: "
    )
    assert str(tmp_path / "ada__engine.git") in caught.value.fix
    assert not (tmp_path / "ada__engine.git").exists()


def test_repository_unknown_to_server_is_rejected(tmp_path: Path, server: Path) -> None:
    with pytest.raises(UsageError, match=r"ada/motor\.git cannot be cloned"):
        Repositories(tmp_path / "repos").of(instance("ada/motor"))


def test_url_is_cloned_by_name_without_password(tmp_path: Path, server: Path) -> None:
    clone_path = Repositories(tmp_path / "repos").of(instance(f"{server.as_uri()}/ada/engine.git"))
    assert clone_path.parent == tmp_path / "repos"
    assert clone_path.name.startswith("engine-")
    assert Repositories(tmp_path / "repos").of(instance(f"{server.as_uri()}/ada/engine")) != clone_path
    with pytest.raises(WorkspaceError) as caught:
        Repositories(tmp_path / "repos").of(instance("http://ada:secret@127.0.0.1:9/engine"))
    assert "secret" not in caught.value.message + caught.value.fix
    assert "http://127.0.0.1:9/engine cannot be cloned" in caught.value.message


def test_path_is_used_unchanged(tmp_path: Path) -> None:
    assert Repositories(tmp_path / "repos").of(instance("/somewhere/engine")) == Path("/somewhere/engine")
    assert not (tmp_path / "repos").exists()


@pytest.mark.parametrize(
    "repo", ["..", "../engine", "ada/..", "ada/../engine", "ada", "-a/b", "a/-b", "a/b/c", "a/b c", "ext::sh"]
)
def test_invalid_repository_name_is_rejected(tmp_path: Path, repo: str) -> None:
    with pytest.raises(UsageError, match="is not a repository"):
        Repositories(tmp_path).of(instance(repo))


@given(st.text() | st.from_regex(repository_clones.NAME) | st.from_regex(repository_clones.URL))
def test_clones_never_leave_folder(repo: str) -> None:
    folder = Path("/clones")
    paths = []
    with suppress(UsageError):
        paths = [Repositories(folder)._url_and_path(repo)[1]]
        paths += Repositories(folder)._candidates(repo, paths[0])
    assert all(folder in Path(os.path.normpath(path)).parents for path in paths)


def test_unwritable_folder_is_reported(tmp_path: Path, server: Path) -> None:
    (tmp_path / "repos").write_text("a file")
    with pytest.raises(WorkspaceError, match="Cannot clone to"):
        Repositories(tmp_path / "repos").of(instance("ada/engine"))


def test_file_in_current_folder_is_not_the_repository(
    tmp_path: Path, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "engine").write_text("a file")
    make_repo({"a.py": "x = 1\n"}).rename(tmp_path / "ada__engine")
    monkeypatch.chdir(tmp_path)
    assert Repositories(tmp_path).of(instance("ada/engine")) == tmp_path / "ada__engine"


def test_too_long_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a repository: File name too long"):
        Repositories(tmp_path).of(instance(f"/{'a' * 5000}"))


def test_bundle_is_cloned_once_and_fetched_again_for_new_base(tmp_path: Path, make_repo: MakeRepo, clones) -> None:
    repo, bundle = make_repo({"a.py": "x = 1\n"}), tmp_path / "tasks.bundle"
    base = git(repo, "rev-parse", "HEAD")
    git(repo, "bundle", "create", "-q", str(bundle), "--branches", "HEAD")
    repositories = Repositories(tmp_path / "clones")
    found = repositories.of(instance(str(bundle), base))
    assert clone.has_commit(found, base)
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    git(repo, "branch", "other")
    newer = git(repo, "rev-parse", "HEAD")
    git(repo, "bundle", "create", "-q", str(bundle), "--branches", "HEAD")
    assert Repositories(tmp_path / "clones").of(instance(str(bundle), newer)) == found
    assert clone.has_commit(found, newer)
    assert clones == [str(bundle)]
