"""A batch's repositories: found where they lie, else cloned once, whoever asks at the same time."""

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
from agent.instances import repository_clones
from agent.instances.jobs import Instance
from agent.instances.repository_clones import Repositories
from tests.conftest import MakeRepo, git
from trajectories.errors import UsageError, WorkspaceError
from trajectories.records import Issue

HOUSE = Path(__file__).resolve().parents[3]


def instance(repo: str, base: str = "") -> Instance:
    return Instance("a", repo, base, Issue("It stalls"))


@pytest.fixture
def server(tmp_path: Path, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for github.com, with the repository ada/engine."""
    folder = tmp_path / "server"
    (folder / "ada").mkdir(parents=True)
    make_repo({"a.py": "x = 1\n"}).rename(folder / "ada" / "engine.git")
    monkeypatch.setattr(repository_clones, "SERVER", folder.as_uri())
    return folder


@pytest.fixture
def clones(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were cloned."""
    made: list[str] = []

    def clone_to(url: str, place: Path) -> None:
        made.append(url)
        clone.clone_to(url, place)

    monkeypatch.setattr(repository_clones, "clone_to", clone_to)
    return made


class Silence:
    """The server of this clone is a port where nobody listens, while this lasts."""

    def __init__(self, place: Path) -> None:
        self.place, self.known = place, git(place, "config", "remote.origin.url")

    def __enter__(self) -> None:
        git(self.place, "config", "url.http://127.0.0.1:9/.insteadOf", self.known)

    def __exit__(self, *_: object) -> None:
        git(self.place, "config", "--unset", "url.http://127.0.0.1:9/.insteadOf")


@pytest.mark.parametrize(
    "name", ["ada/engine", "ada/engine.git", "ada__engine", "ada__engine.git", "engine", "engine.git"]
)
def test_repository_is_found_by_its_names(tmp_path: Path, make_repo: MakeRepo, clones: list[str], name: str) -> None:
    place = tmp_path / "repos" / name
    place.parent.mkdir(parents=True)
    (tmp_path / "repos" / "engine").mkdir(exist_ok=True)  # some owner's folder
    if place.is_dir():
        place.rmdir()
    make_repo({"a.py": "x = 1\n"}).rename(place)
    base = git(place, "rev-parse", "HEAD")
    assert Repositories(tmp_path / "repos").of(instance("ada/engine", base)) == place
    assert clones == []


@pytest.mark.parametrize(
    ("address", "its"),
    [
        ("https://github.com/ada/engine", True),
        ("git@github.com:Ada/Engine.git", True),
        ("https://github.com/bob/engine.git", False),
        ("https://github.com/xada/engine", False),
        ("", False),
    ],
)
def test_name_without_its_owner_may_be_anothers(
    tmp_path: Path, server: Path, make_repo: MakeRepo, address: str, its: bool
) -> None:
    repos = tmp_path / "repos"
    repos.mkdir()
    make_repo({"b.py": "y = 1\n"}).rename(repos / "engine")
    if address:
        git(repos / "engine", "config", "remote.origin.url", address)
    base = git(server / "ada" / "engine.git", "rev-parse", "HEAD")
    for wanted in ("", base):
        assert Repositories(repos).of(instance("ada/engine", wanted)) == repos / (
            "engine" if its else "ada__engine.git"
        )


def test_newest_is_that_of_this_day(tmp_path: Path, server: Path) -> None:
    server_side = server / "ada" / "engine.git"
    found = Repositories(tmp_path / "repos")
    place = found.of(instance("ada/engine"))
    old = git(place, "rev-parse", "HEAD")
    git(server_side, "commit", "-q", "--allow-empty", "-m", "second")
    found.of(instance("ada/engine"))
    assert git(place, "rev-parse", "HEAD") == old, "one newest commit a process"
    Repositories(tmp_path / "repos").of(instance("ada/engine"))
    assert git(place, "rev-parse", "HEAD") == git(server_side, "rev-parse", "HEAD") != old
    url = f"{server.as_uri()}/ada/engine.git"
    assert Repositories(tmp_path / "repos").of(instance(url)) == Repositories(tmp_path / "repos").of(instance(url))


def test_server_that_does_not_answer_is_asked_again(tmp_path: Path, server: Path) -> None:
    origin = server / "ada" / "engine.git"
    place = Repositories(tmp_path / "repos").of(instance("ada/engine"))
    git(origin, "commit", "-q", "--allow-empty", "-m", "second")
    second = git(origin, "rev-parse", "HEAD")
    found = Repositories(tmp_path / "repos")
    with Silence(place):
        for base in ("", second):
            with pytest.raises(WorkspaceError, match="cannot be cloned"):
                found.of(instance("ada/engine", base))
    assert found.of(instance("ada/engine", second)) == place
    assert clone.has_commit(place, second)


def test_server_that_says_no_is_asked_once(tmp_path: Path, server: Path) -> None:
    found = Repositories(tmp_path / "repos")
    place = found.of(instance("ada/engine"))
    (server / "ada" / "engine.git").rename(tmp_path / "gone")
    assert found.of(instance("ada/engine", "3" * 40)) == place
    (tmp_path / "gone").rename(server / "ada" / "engine.git")
    with Silence(place):
        assert found.of(instance("ada/engine", "3" * 40)) == place


def test_what_is_not_there_is_cloned_once(tmp_path: Path, server: Path, clones: list[str]) -> None:
    found = Repositories(tmp_path / "repos")
    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(lambda _: found.of(instance("ada/engine")), range(16)))
    assert places == {tmp_path / "repos" / "ada__engine.git"}
    assert Repositories(tmp_path / "repos").of(instance("ada/engine")) in places
    assert clones == [f"{server.as_uri()}/ada/engine.git"]
    assert git(places.pop(), "rev-parse", "--is-bare-repository") == "true"


@pytest.mark.slow
def test_processes_that_ask_at_once_have_one_clone(tmp_path: Path, server: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from agent.instances import repository_clones
from agent.instances.jobs import Instance
from trajectories.records import Issue
repository_clones.SERVER = {server.as_uri()!r}
clone = repository_clones.clone_to
repository_clones.clone_to = lambda url, place: (print("cloned"), clone(url, place))
sys.stdin.read()
repository_clones.Repositories(Path({str(tmp_path / "repos")!r})).of(Instance("a", "ada/engine", "", Issue("t")))
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    assert sorted(process.communicate(timeout=60)[0] for process in processes) == ["", "", "cloned\n"]
    assert {process.returncode for process in processes} == {0}


def test_clone_of_ours_that_lacks_base_is_brought_up_to_date(tmp_path: Path, server: Path) -> None:
    origin = server / "ada" / "engine.git"
    first = git(origin, "rev-parse", "HEAD")
    place = Repositories(tmp_path / "repos").of(instance("ada/engine", first))
    git(origin, "commit", "-q", "--allow-empty", "-m", "second")
    second = git(origin, "rev-parse", "HEAD")
    git(origin, "reset", "-q", "--hard", first)  # as a pull request's base that was pushed over
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    found = Repositories(tmp_path / "repos")
    assert not clone.has_commit(place, second)
    assert found.of(instance("ada/engine", second)) == place
    assert clone.has_commit(place, second)
    assert found.of(instance("ada/engine", "3" * 40)) == place  # that it is missing, the caller finds


def test_nobody_elses_clone_is_fetched_into(tmp_path: Path, server: Path) -> None:
    place = tmp_path / "repos" / "ada__engine.git"
    place.parent.mkdir()
    git(tmp_path, "clone", "-q", "--bare", str(server / "ada" / "engine.git"), str(place))
    git(server / "ada" / "engine.git", "commit", "-q", "--allow-empty", "-m", "second")
    second = git(server / "ada" / "engine.git", "rev-parse", "HEAD")
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    assert Repositories(tmp_path / "repos").of(instance("ada/engine", second)) == place
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_what_is_neither_there_nor_can_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository_clones, "SERVER", "http://127.0.0.1:9")
    with pytest.raises(WorkspaceError) as caught:
        Repositories(tmp_path).of(instance("ada/engine"))
    assert caught.value.message.startswith(
        f"{tmp_path} has no repository with one of the names ada/engine, ada/engine.git, ada__engine, "
        "ada__engine.git, engine, engine.git. http://127.0.0.1:9/ada/engine.git cannot be cloned: "
    )
    assert str(tmp_path / "ada__engine.git") in caught.value.fix
    assert not (tmp_path / "ada__engine.git").exists()


def test_what_no_server_has(tmp_path: Path, server: Path) -> None:
    with pytest.raises(UsageError, match=r"ada/motor\.git cannot be cloned"):
        Repositories(tmp_path / "repos").of(instance("ada/motor"))


def test_url_is_cloned_under_its_name_and_without_password(tmp_path: Path, server: Path) -> None:
    found = Repositories(tmp_path / "repos").of(instance(f"{server.as_uri()}/ada/engine.git"))
    assert found.parent == tmp_path / "repos"
    assert found.name.startswith("engine-")
    assert Repositories(tmp_path / "repos").of(instance(f"{server.as_uri()}/ada/engine")) != found
    with pytest.raises(WorkspaceError) as caught:
        Repositories(tmp_path / "repos").of(instance("http://ada:secret@127.0.0.1:9/engine"))
    assert "secret" not in caught.value.message + caught.value.fix
    assert "http://127.0.0.1:9/engine cannot be cloned" in caught.value.message


def test_path_is_taken_as_it_is(tmp_path: Path) -> None:
    assert Repositories(tmp_path / "repos").of(instance("/somewhere/engine")) == Path("/somewhere/engine")
    assert not (tmp_path / "repos").exists()


@pytest.mark.parametrize(
    "repo", ["..", "../engine", "ada/..", "ada/../engine", "ada", "-a/b", "a/-b", "a/b/c", "a/b c", "ext::sh"]
)
def test_what_names_no_repository(tmp_path: Path, repo: str) -> None:
    with pytest.raises(UsageError, match="is not a repository"):
        Repositories(tmp_path).of(instance(repo))


@given(st.text() | st.from_regex(repository_clones.NAME) | st.from_regex(repository_clones.URL))
def test_whatever_is_named_no_clone_lies_elsewhere(repo: str) -> None:
    folder = Path("/clones")
    found = []
    with suppress(UsageError):
        found = [Repositories(folder)._url_and_path(repo)[1]]
        found += Repositories(folder)._candidates(repo, found[0])
    assert all(folder in Path(os.path.normpath(path)).parents for path in found)


def test_folder_that_cannot_be_written(tmp_path: Path, server: Path) -> None:
    (tmp_path / "repos").write_text("a file")
    with pytest.raises(WorkspaceError, match="Nothing can be cloned to"):
        Repositories(tmp_path / "repos").of(instance("ada/engine"))
