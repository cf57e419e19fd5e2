"""Which folders a client can name, and that no configuration of a repository or a user delivers a patch."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.mcp.server_options import ServerOptions, server_options
from tests.conftest import MakeRepo, git
from trajectories.errors import ConfigError, UsageError

OUTSIDE = "in the server's roots"


def test_repositories_in_the_roots_are_opened(server: ServerOptions, repository: Path, make_repo: MakeRepo) -> None:
    second = make_repo({"a.py": ""})
    both = server_options([repository, second], {})
    (repository / "sub").mkdir()
    assert server.open_repository().root == repository.resolve()
    assert server.open_repository("calc").root == server.open_repository(str(repository)).root == repository.resolve()
    assert both.open_repository(str(second)).root == second.resolve()


@pytest.mark.parametrize(
    "name", ["..", "calc/../..", "../repo2", "{second}", "link", "link/a", "~", "/", "/etc", "gone"]
)
def test_path_out_of_the_roots_is_refused(
    server: ServerOptions, repository: Path, make_repo: MakeRepo, name: str
) -> None:
    second = make_repo({"a/b.py": ""})
    (repository / "link").symlink_to(second)
    with pytest.raises(UsageError, match=OUTSIDE):
        server.open_repository(name.format(second=second))


@pytest.mark.parametrize("name", ["calc\0", "x" * 5_000, "x" * 300, "a/" * 1_999])
def test_impossible_path_is_refused_in_a_sentence(server: ServerOptions, name: str) -> None:
    with pytest.raises(UsageError, match=OUTSIDE):
        server.open_repository(name)


@pytest.mark.parametrize("name", ["file:///etc", "https://github.com/a/b", "ext::sh -c id://x"])
def test_url_is_refused(server: ServerOptions, name: str) -> None:
    with pytest.raises(UsageError, match="not by a URL"):
        server.open_repository(name)


def test_message_does_not_say_what_exists_elsewhere(server: ServerOptions, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    messages = []
    for name in ("there", "not-there"):
        with pytest.raises(UsageError) as caught:
            server.open_repository(str(tmp_path / name))
        messages.append(caught.value.message.replace(name, ""))
    assert messages[0] == messages[1]


def test_repository_around_a_root_is_outside(repository: Path) -> None:
    narrow = server_options([repository / "calc"], {})
    with pytest.raises(UsageError, match=OUTSIDE):
        narrow.open_repository()


def test_git_file_cannot_lead_out_of_the_roots(server: ServerOptions, repository: Path, make_repo: MakeRepo) -> None:
    """A stranger's folder could otherwise show the history of any repository of the user."""
    secret = make_repo({"secret.py": "x = 1\n"})
    trap = repository / "trap"
    trap.mkdir()
    (trap / ".git").write_text(f"gitdir: {secret / '.git'}\n")
    with pytest.raises(UsageError, match=OUTSIDE):
        server.open_repository("trap")


def test_work_tree_cannot_lead_out_of_the_roots(server: ServerOptions, repository: Path, make_repo: MakeRepo) -> None:
    secret = make_repo({"secret.py": "x = 1\n"})
    git(repository, "config", "core.worktree", str(secret))
    with pytest.raises(UsageError, match=OUTSIDE):
        server.open_repository()


def test_default_root_is_the_repository_here(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "calc")
    assert server_options([], {}).roots == (repository.resolve(),)
    plain = tmp_path / "plain"
    plain.mkdir()
    monkeypatch.chdir(plain)
    assert server_options([], {}).roots == (plain.resolve(),)


def test_folder_without_repository_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not in a git repository") as caught:
        server_options([tmp_path], {}).open_repository()
    assert str(tmp_path) in caught.value.fix


def test_root_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        server_options([tmp_path / "gone"], {})


def test_user_decides_and_nothing_is_delivered(repository: Path, own_config: Path) -> None:
    own_config.write_text('model = "scripted:mine"\napply = true\nbudget = 0.5\n')
    (repository / ".swe-agent.toml").write_text('test = "make check"\n')
    server = server_options([repository], {"workspace": "local", "model": None})
    settings = server.settings(Repository.open(repository))
    assert (settings.model, settings.test, settings.workspace) == ("scripted:mine", "make check", "local")
    assert (settings.apply, settings.branch, settings.pr, settings.experience) == (False, "", False, False)
    assert server.budget.left() == {"budget": 0.5, "max_tokens": None}


def test_repository_cannot_choose_the_model(server: ServerOptions, repository: Path) -> None:
    (repository / ".swe-agent.toml").write_text('model = "evil"\n')
    with pytest.raises(ConfigError, match="it may set only image, setup and test"):
        server.settings(Repository.open(repository))
