"""Stored rules: their scope, their repository, and files that are not trusted."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from agent.config.settings import Settings, load_settings
from agent.permissions.permission_table import PermissionTable
from agent.permissions.rule_store import Permissions
from agent.permissions.rules import Rule
from trajectories.errors import ConfigError, WorkspaceError

GIT, LS = Rule("command", "git status"), Rule("command", "ls")


def permissions(state: Path, repository: Path | None = None, **table: tuple[str, ...]) -> Permissions:
    return Permissions(state / "state", repository or state / "repo", lambda: PermissionTable(**table))


def rules(store: Permissions) -> list[Rule]:
    return [stored.rule for stored in store.allow_rules()]


def test_project_rule_outlives_session_in_one_repository(tmp_path: Path) -> None:
    first = permissions(tmp_path)
    first.keep([GIT, LS], "project")
    first.keep([GIT], "project")
    later = permissions(tmp_path)
    assert rules(later) == [GIT, LS]
    assert {stored.by for stored in later.allow_rules()} == {"project"}
    assert all(stored.since > 0 for stored in later.allow_rules())
    assert later.path.stat().st_mode & 0o777 == 0o600
    assert rules(permissions(tmp_path, tmp_path / "other")) == []


def test_session_rule_ends_with_session(tmp_path: Path) -> None:
    first = permissions(tmp_path)
    first.keep([GIT], "session")
    assert rules(first) == [GIT]
    assert rules(permissions(tmp_path)) == []
    assert not first.path.exists()


def test_repository_is_identified_by_real_path(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "link").symlink_to("repo")
    permissions(tmp_path, tmp_path / "link").keep([GIT], "project")
    assert rules(permissions(tmp_path)) == [GIT]


def test_removed_rules_are_gone(tmp_path: Path) -> None:
    store = permissions(tmp_path, allow=("command make",))
    store.keep([GIT, LS], "project")
    store.keep([GIT], "session")
    for stored in store.allow_rules():
        if stored.rule == GIT:
            store.remove(stored)
    assert rules(store) == [Rule("command", "make"), LS]
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
def test_damaged_file_is_reported_and_allows_nothing(tmp_path: Path, text: str) -> None:
    store = permissions(tmp_path)
    store.path.parent.mkdir()
    store.path.write_text(text)
    store.path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"permissions\.json"):
        store.allow_rules()
    with pytest.raises(ConfigError):
        store.keep([GIT], "project")
    assert store.path.read_text() == text
    assert [stored.rule for stored in store.without_file()] == [GIT]


def test_file_writable_by_others_is_rejected(tmp_path: Path) -> None:
    store = permissions(tmp_path)
    store.keep([GIT], "project")
    store.path.chmod(0o622)
    with pytest.raises(ConfigError, match="others"):
        store.allow_rules()


def test_unknown_rule_is_ignored_and_preserved(tmp_path: Path) -> None:
    store = permissions(tmp_path)
    store.keep([GIT], "project")
    table = json.loads(store.path.read_text())
    (entries,) = table.values()
    entries.append({"rule": "moonlight on", "since": 1.5})
    store.path.write_text(json.dumps(table))
    store.keep([LS], "project")
    assert rules(store) == [GIT, LS]
    assert "moonlight" in store.path.read_text()


def test_unwritable_rules_last_for_session(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    store = permissions(tmp_path)
    with pytest.raises(WorkspaceError):
        store.keep([GIT], "project")
    assert [stored.rule for stored in store.without_file()] == [GIT]


def _store_rules(state: Path, name: int) -> None:
    for number in range(10):
        permissions(state).keep([Rule("command", f"run{name} {number}")], "project")


@pytest.mark.slow
def test_concurrent_processes_store_all_rules(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(_store_rules, tmp_path, name) for name in range(2)]:
            future.result()
    assert len(set(rules(permissions(tmp_path)))) == 20


# The configuration


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(path))
    monkeypatch.setattr("agent.config.settings.POLICY", tmp_path / "policy.toml")
    return path


def test_user_and_policy_rules_are_combined(tmp_path: Path, config: Path) -> None:
    config.write_text('[permissions]\nallow = ["command git status"]\ndeny = ["command curl"]\n')
    (tmp_path / "policy.toml").write_text('[permissions]\ndeny = ["command git push"]\n')
    table = load_settings().permissions
    assert table.allow == ("command git status",)
    assert table.deny == ("command curl", "command git push")
    store = Permissions(tmp_path, tmp_path, lambda: table)
    assert (rules(store), store.denied) == ([GIT], (Rule("command", "curl"), Rule("command", "git push")))


@pytest.mark.parametrize("text", ['allow = ["ls"]', 'allow = "command ls"', 'deny = ["command"]', "perhaps = []"])
def test_invalid_rules_are_reported(tmp_path: Path, config: Path, text: str) -> None:
    config.write_text(f"[permissions]\n{text}\n")
    (tmp_path / "policy.toml").write_text('[permissions]\ndeny = ["command git push"]\n')
    with pytest.raises(ConfigError, match="permissions"):
        load_settings()


def test_repository_settings_cannot_allow(config: Path) -> None:
    with pytest.raises(ConfigError, match="permissions"):
        load_settings(b'[permissions]\nallow = ["command rm"]\n')


def test_permissions_are_not_recorded_in_runs() -> None:
    settings = Settings(permissions=PermissionTable(allow=("command ls",)))
    assert "permissions" not in settings.recorded()
