"""What is kept of a user's yes: where, for which repository, and what of it is never believed."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from agent.config.settings import PermissionTable, Settings, load_settings
from agent.permissions.rule_store import Permissions
from agent.permissions.rules import Rule
from trajectories.errors import ConfigError, WorkspaceError

GIT, LS = Rule("command", "git status"), Rule("command", "ls")


def permissions(state: Path, repository: Path | None = None, **table: tuple[str, ...]) -> Permissions:
    return Permissions(state / "state", repository or state / "repo", lambda: PermissionTable(**table))


def rules(found: Permissions) -> list[Rule]:
    return [kept.rule for kept in found.kept()]


def test_rule_of_project_outlives_session_and_holds_there_only(tmp_path: Path) -> None:
    first = permissions(tmp_path)
    first.keep([GIT, LS], "project")
    first.keep([GIT], "project")
    later = permissions(tmp_path)
    assert rules(later) == [GIT, LS]
    assert {kept.by for kept in later.kept()} == {"project"}
    assert all(kept.since > 0 for kept in later.kept())
    assert later.path.stat().st_mode & 0o777 == 0o600
    assert rules(permissions(tmp_path, tmp_path / "other")) == []


def test_rule_of_session_goes_with_it(tmp_path: Path) -> None:
    first = permissions(tmp_path)
    first.keep([GIT], "session")
    assert rules(first) == [GIT]
    assert rules(permissions(tmp_path)) == []
    assert not first.path.exists()


def test_repository_is_known_by_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "link").symlink_to("repo")
    permissions(tmp_path, tmp_path / "link").keep([GIT], "project")
    assert rules(permissions(tmp_path)) == [GIT]


def test_rules_are_removed(tmp_path: Path) -> None:
    found = permissions(tmp_path, allow=("command make",))
    found.keep([GIT, LS], "project")
    found.keep([GIT], "session")
    for kept in found.kept():
        if kept.rule == GIT:
            found.remove(kept)
    assert rules(found) == [Rule("command", "make"), LS]
    assert rules(permissions(tmp_path)) == [LS]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"/r": 1}',
        '{"/r": [{"rule": 1, "since": 1}]}',
        '{"/r": [{"rule": "command ls"}]}',
        "\0",
    ],
    ids=range(8),
)
def test_damaged_file_is_named_and_allows_nothing(tmp_path: Path, text: str) -> None:
    found = permissions(tmp_path)
    found.path.parent.mkdir()
    found.path.write_text(text)
    found.path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"permissions\.json"):
        found.kept()
    with pytest.raises(ConfigError):
        found.keep([GIT], "project")
    assert found.path.read_text() == text
    assert [kept.rule for kept in found.without_file()] == [GIT]


def test_file_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    found = permissions(tmp_path)
    found.keep([GIT], "project")
    found.path.chmod(0o622)
    with pytest.raises(ConfigError, match="others"):
        found.kept()


def test_rule_of_later_version_is_passed_over_and_kept(tmp_path: Path) -> None:
    found = permissions(tmp_path)
    found.keep([GIT], "project")
    table = json.loads(found.path.read_text())
    (entries,) = table.values()
    entries.append({"rule": "moonlight on", "since": 1.5})
    found.path.write_text(json.dumps(table))
    found.keep([LS], "project")
    assert rules(found) == [GIT, LS]
    assert "moonlight" in found.path.read_text()


def test_what_cannot_be_written_holds_for_session(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    found = permissions(tmp_path)
    with pytest.raises(WorkspaceError):
        found.keep([GIT], "project")
    assert [kept.rule for kept in found.without_file()] == [GIT]


def _keep(state: Path, name: int) -> None:
    for number in range(10):
        permissions(state).keep([Rule("command", f"run{name} {number}")], "project")


@pytest.mark.slow
def test_two_processes_keep_both_their_rules(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_keep, tmp_path, name) for name in range(2)]:
            done.result()
    assert len(set(rules(permissions(tmp_path)))) == 20


# The configuration


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(path))
    monkeypatch.setattr("agent.config.settings.POLICY", tmp_path / "policy.toml")
    return path


def test_users_rules_and_administrators_hold_together(tmp_path: Path, config: Path) -> None:
    config.write_text('[permissions]\nallow = ["command git status"]\ndeny = ["command curl"]\n')
    (tmp_path / "policy.toml").write_text('[permissions]\ndeny = ["command git push"]\n')
    table = load_settings().permissions
    assert table.allow == ("command git status",)
    assert table.deny == ("command curl", "command git push")
    found = Permissions(tmp_path, tmp_path, lambda: table)
    assert (rules(found), found.denied) == ([GIT], (Rule("command", "curl"), Rule("command", "git push")))


@pytest.mark.parametrize("text", ['allow = ["ls"]', 'allow = "command ls"', 'deny = ["command"]', "perhaps = []"])
def test_bad_rules_are_named(tmp_path: Path, config: Path, text: str) -> None:
    config.write_text(f"[permissions]\n{text}\n")
    (tmp_path / "policy.toml").write_text('[permissions]\ndeny = ["command git push"]\n')
    with pytest.raises(ConfigError, match="permissions"):
        load_settings()


def test_repository_allows_itself_nothing(config: Path) -> None:
    with pytest.raises(ConfigError, match="permissions"):
        load_settings(b'[permissions]\nallow = ["command rm"]\n')


def test_no_run_records_what_is_allowed() -> None:
    settings = Settings(permissions=PermissionTable(allow=("command ls",)))
    assert "permissions" not in settings.recorded()
