"""Which repositories a client can name, and that no configuration of a repository or a user delivers a patch."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from extensions.mcp_server.server_options import ServerOptions, server_options
from extensions.mcp_server.tool_functions import ToolCall
from extensions.mcp_server.tool_table import TOOLS
from tests.conftest import MakeRepo, git
from trajectories.errors import ConfigError, UsageError
from trajectories.records import Issue

NOT_SERVED = "is not one repository of this server"


def test_repository_is_named_by_path_or_folder_name(
    server: ServerOptions, repository: Path, make_repo: MakeRepo
) -> None:
    second = make_repo({"a.py": ""})
    both = server_options([repository, second, repository], {})
    assert both.roots == (repository.resolve(), second.resolve())
    assert server.open_repository().root == server.open_repository(str(repository)).root == repository.resolve()
    assert both.open_repository(str(second)).root == both.open_repository(second.name).root == second.resolve()


@pytest.mark.parametrize(
    "name",
    [
        *("..", ".", "calc", "calc/../..", "../repo2", "{second}", "link", "link/a", "~", "/", "/etc", "gone"),
        *("calc\0", "x" * 5_000, "a/" * 1_999, "file:///etc", "https://github.com/a/b", "ext::sh -c id://x"),
    ],
)
def test_other_name_is_refused(server: ServerOptions, repository: Path, make_repo: MakeRepo, name: str) -> None:
    second = make_repo({"a/b.py": ""})
    (repository / "link").symlink_to(second)
    with pytest.raises(UsageError, match=NOT_SERVED) as caught:
        server.open_repository(name.format(second=second))
    assert str(repository) in caught.value.fix
    assert len(caught.value.message) < 300


def test_folder_name_of_two_roots_names_none(tmp_path: Path, repository: Path, make_repo: MakeRepo) -> None:
    same = tmp_path / "elsewhere" / repository.name
    same.parent.mkdir()
    make_repo({"a.py": ""}).rename(same)
    both = server_options([repository, same], {})
    assert both.open_repository(str(same)).root == same.resolve()
    with pytest.raises(UsageError, match=NOT_SERVED):
        both.open_repository(repository.name)


def test_message_does_not_say_what_exists_elsewhere(server: ServerOptions, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    messages = []
    for name in ("there", "not-there"):
        with pytest.raises(UsageError) as caught:
            server.open_repository(str(tmp_path / name))
        messages.append(caught.value.message.replace(name, ""))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("kind", ["filter", "worktree", "gitdir"])
def test_repository_below_a_root_must_be_a_root(
    server: ServerOptions, repository: Path, make_repo: MakeRepo, kind: str
) -> None:
    """A stranger's repository in a folder of a served one could run commands, and read any files of the user."""
    secret = make_repo({"secret.py": "x = 1\n"})
    trap = repository / "trap"
    make_repo({"a.py": "", ".gitattributes": "* filter=x\n"}).rename(trap)
    if kind == "filter":
        git(trap, "config", "filter.x.clean", "touch pwned")
        (trap / "a.py").write_text("x = 1\n")
    elif kind == "worktree":
        git(trap, "config", "core.worktree", str(secret))
    else:
        (trap / ".git").rename(trap / "git")
        (trap / ".git").write_text(f"gitdir: {secret / '.git'}\n")
    for name in ("trap", str(trap), f"{repository}/trap"):
        with pytest.raises(UsageError, match=NOT_SERVED) as caught:
            TOOLS["symbols"].call(ToolCall(server), {"repository": name, "name": "a.py"})
        assert "--root" in caught.value.fix
    assert not (trap / "pwned").exists()


def test_root_that_is_no_longer_a_repository_does_not_become_the_one_around_it(
    repository: Path, make_repo: MakeRepo
) -> None:
    inner = repository / "inner"
    make_repo({"a.py": ""}).rename(inner)
    server = server_options([inner], {})
    (inner / ".git").rename(inner / "gone")
    with pytest.raises(UsageError, match="is not the top of a git repository"):
        server.open_repository()


def test_default_root_is_the_repository_here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "calc")
    assert server_options([], {}).roots == (repository.resolve(),)


def test_root_must_be_the_top_of_a_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    for root, what in (
        (plain, "is not in a git repository"),
        (repository / "calc", "is not the top of a git repository"),
        (tmp_path / "gone", "There is no folder"),
    ):
        with pytest.raises(UsageError, match=what):
            server_options([root], {})
    monkeypatch.chdir(plain)
    with pytest.raises(UsageError, match="is not in a git repository"):
        server_options([], {})


def test_user_decides_and_nothing_is_delivered(repository: Path, own_config: Path) -> None:
    own_config.write_text('model = "scripted:mine"\napply = true\nbudget = 0.5\n')
    (repository / ".swe-agent.toml").write_text('test = "make check"\n')
    server = server_options([repository], {"workspace": "local", "model": None})
    settings = server.settings(Repository.open(repository))
    assert (settings.model, settings.test, settings.workspace) == ("scripted:mine", "make check", "local")
    assert (settings.apply, settings.branch, settings.pr, settings.experience) == (False, "", False, False)
    assert not settings.user_memory
    assert server.budget.left() == {"budget": 0.5, "max_tokens": None}


def test_repository_cannot_choose_the_model(server: ServerOptions, repository: Path) -> None:
    (repository / ".swe-agent.toml").write_text('model = "evil"\n')
    with pytest.raises(ConfigError, match="it may set only image, setup, test and serve"):
        server.settings(Repository.open(repository))


def test_proof_takes_the_repositorys_settings_from_the_commit(
    server: ServerOptions, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client could otherwise choose the test command of a proof by writing to the working tree."""
    (repository / ".swe-agent.toml").write_text('test = "make check"\n')
    git(repository, "add", ".swe-agent.toml")
    git(repository, "commit", "-qm", "settings")
    (repository / ".swe-agent.toml").write_text('test = "true"\nsetup = "x"\nimage = "python:3"\n')
    found: list[Settings] = []

    def note(call: ToolCall, issue: Issue, source: Repository, settings: Settings, *more: object) -> dict[str, str]:
        found.append(settings)
        return {}

    monkeypatch.setattr("agent.inputs.patch_input.check_isolation", lambda settings, staged: None)
    monkeypatch.setattr("agent.inputs.patch_input.proposal_from_diff", lambda *given: None)
    monkeypatch.setattr("extensions.mcp_server.tool_functions._run", note)
    TOOLS["prove"].call(ToolCall(server), {"patch": "diff --git a/x b/x\n"})
    assert [(each.test, each.setup, each.image) for each in found] == [("make check", "", "")]
    assert server.settings(Repository.open(repository)).test == "true", "other tools start at the working tree"
