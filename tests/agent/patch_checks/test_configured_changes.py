"""Changes of files from which the user's git reads its configuration, or that this configuration names."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.patch_checks.delivery_check import DeliveryFindings, check_delivery
from tests.agent.patch_checks.test_delivery_check import Files, written
from tests.conftest import git
from trajectories.git_store.trees import Trees

READ = "git reads its configuration from it"
BASE: Files = {"calc/core.py": b"1\n", "old/gitcfg": b"", "way": ("120000", b"old")}
SETTINGS = b"[core]\n\tfsmonitor = false\n"
Check = Callable[..., DeliveryFindings]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return home


@pytest.fixture
def root(home: Path, tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "old").mkdir()
    (root / "old" / "gitcfg").touch()
    (root / "way").symlink_to("old")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")
    return root


@pytest.fixture
def check(root: Path, tmp_path: Path) -> Iterator[Check]:
    with Trees(tmp_path / "trees.git") as trees:

        def change(files: Files, folder: Path = root) -> DeliveryFindings:
            before, after = written(trees, BASE), written(trees, {**BASE, **files})
            return check_delivery(trees, before, after, Repository.open(folder))

        yield change


def users(home: Path, name: str, value: str) -> None:
    """Set a value in the user's own configuration."""
    git(home, "config", "--file", str(home / ".gitconfig"), name, value)


def include_in_repository(root: Path, home: Path) -> None:
    git(root, "config", "include.path", "../tools/gitcfg")


def include_absolute(root: Path, home: Path) -> None:
    git(root, "config", "include.path", f"{root}/tools/gitcfg")


def include_in_home(root: Path, home: Path) -> None:
    users(home, "include.path", "../project/tools/gitcfg")


def include_from_home(root: Path, home: Path) -> None:
    git(root, "config", "include.path", "~/../project/tools/gitcfg")


def include_in_xdg_folder(root: Path, home: Path) -> None:
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "config").write_text(f"[include]\n\tpath = {root}/tools/gitcfg\n")


def include_under_condition(root: Path, home: Path) -> None:
    git(root, "config", "includeIf.onbranch:other.path", "../tools/gitcfg")


def include_in_home_under_condition(root: Path, home: Path) -> None:
    (home / "work").write_text(f"[include]\n\tpath = {root}/tools/gitcfg\n")
    users(home, "includeIf.gitdir:/elsewhere/.path", "work")


def include_in_worktree(root: Path, home: Path) -> None:
    git(root, "config", "extensions.worktreeConfig", "true")
    git(root, "config", "--worktree", "include.path", "../tools/gitcfg")


def nested_include(root: Path, home: Path) -> None:
    git(root, "config", "include.path", "team")
    (root / ".git" / "team").write_text("[include]\n\tpath = ../old/gitcfg\n")
    (root / "old" / "gitcfg").write_text("[include]\n\tpath = ../tools/gitcfg\n")


def include_through_link_on_disk(root: Path, home: Path) -> None:
    (root / "tools").mkdir()
    (home / "gitcfg").symlink_to(root / "tools" / "gitcfg")
    users(home, "include.path", "gitcfg")


def include_through_dots_after_link(root: Path, home: Path) -> None:
    (root / "tools" / "deep").mkdir(parents=True)
    (home / "link").symlink_to(root / "tools" / "deep")
    users(home, "include.path", "link/../gitcfg")


def users_settings_in_project(root: Path, home: Path) -> None:
    (root / "tools").mkdir()
    (home / ".gitconfig").symlink_to(root / "tools" / "gitcfg")


PLACES = (
    *(include_in_repository, include_absolute, include_in_home, include_from_home, include_in_xdg_folder),
    *(include_under_condition, include_in_home_under_condition, include_in_worktree, nested_include),
    *(include_through_link_on_disk, include_through_dots_after_link, users_settings_in_project),
)


@pytest.mark.parametrize("configure", PLACES)
def test_file_with_settings_is_refused(
    check: Check, root: Path, home: Path, configure: Callable[[Path, Path], None]
) -> None:
    configure(root, home)
    assert check({"tools/gitcfg": SETTINGS}) == DeliveryFindings({"tools/gitcfg": READ}, {})
    assert check({"tools/other": SETTINGS}) == DeliveryFindings()


@pytest.mark.parametrize("kind", ["variable", "command"])
def test_file_with_settings_that_a_variable_names_is_refused(
    check: Check, root: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    variables = {"GIT_CONFIG_GLOBAL": f"{root}/tools/gitcfg"}
    if kind == "command":
        names, values = ("COUNT", "KEY_0", "VALUE_0"), ("1", "include.path", f"{root}/tools/gitcfg")
        variables = {f"GIT_CONFIG_{name}": value for name, value in zip(names, values, strict=True)}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert check({"tools/gitcfg": SETTINGS}).refused == {"tools/gitcfg": READ}


LINKED: list[tuple[str, Files, list[str]]] = [
    ("../way/gitcfg", {"old/gitcfg": SETTINGS}, ["old/gitcfg"]),
    ("../way/gitcfg", {"way": ("120000", b"calc"), "calc/gitcfg": SETTINGS}, ["calc/gitcfg", "way"]),
    ("../tools/gitcfg", {"tools": ("120000", b"old"), "old/gitcfg": SETTINGS}, ["old/gitcfg", "tools"]),
    ("../tools/gitcfg", {"tools/gitcfg": ("120000", b"../calc/core.py")}, ["tools/gitcfg"]),
    ("../way/gitcfg", {"way": None, "way/gitcfg": SETTINGS}, ["way/gitcfg"]),
    ("../Tools/GitCfg", {"tools/gitcfg": SETTINGS}, ["tools/gitcfg"]),
    ("../round/gitcfg", {"round": ("120000", b"round")}, []),
]


@pytest.mark.parametrize(("path", "files", "refused"), LINKED)
def test_links_that_the_patch_leaves_or_makes_are_followed(
    check: Check, root: Path, path: str, files: Files, refused: list[str]
) -> None:
    git(root, "config", "include.path", path)
    assert sorted(name for name, why in check(files).refused.items() if why == READ) == refused


def test_removed_file_with_settings_is_flagged(check: Check, root: Path) -> None:
    git(root, "config", "include.path", "../old/gitcfg")
    assert check({"old/gitcfg": None}) == DeliveryFindings({}, {"old/gitcfg": f"{READ}; removed"})


def test_file_with_settings_of_another_worktree_is_refused(check: Check, root: Path, tmp_path: Path) -> None:
    git(root, "worktree", "add", "-q", str(tmp_path / "second"))
    git(root, "config", "include.path", "../tools/gitcfg")
    assert check({"tools/gitcfg": SETTINGS}, tmp_path / "second").refused == {"tools/gitcfg": READ}
    git(root, "config", "include.path", f"{tmp_path}/second/tools/gitcfg")
    assert check({"tools/gitcfg": SETTINGS}).refused == {"tools/gitcfg": READ}


def test_file_that_is_refused_would_start_a_program(check: Check, root: Path, tmp_path: Path) -> None:
    """The reason for the check: git really reads the file."""
    git(root, "config", "include.path", "../tools/gitcfg")
    (root / "tools").mkdir()
    (root / "tools" / "gitcfg").write_text(f"[core]\n\tfsmonitor = touch {tmp_path}/ran; false\n")
    subprocess.run(["git", "status"], cwd=root, capture_output=True, check=True)
    assert (tmp_path / "ran").exists()


NAMED = [
    ("core.pager", "./tools/x"),
    ("core.sshCommand", "ssh -F tools/x"),
    ("alias.lint", "!sh ./tools/x --all"),
    ("alias.lint", '!f() { cd "$(git rev-parse --show-toplevel)"; ./tools/x; }; f'),
    ("alias.lint", "!$(git rev-parse --show-toplevel)/tools/x"),
    ("diff.py.textconv", "python3 tools/x"),
    ("merge.py.driver", "tools/x %O %A %B"),
    ("credential.helper", "!tools/x"),
    ("gpg.program", "./way/../tools/x"),
    ("core.attributesFile", "tools/x"),
    ("core.hooksPath", "tools"),
    ("init.templateDir", "tools"),
    ("core.editor", "'tools/x' --wait"),
]


@pytest.mark.parametrize(("name", "value"), NAMED)
def test_file_that_a_setting_names_is_flagged(check: Check, root: Path, name: str, value: str) -> None:
    git(root, "config", name, value)
    why = f"is named by {name.lower()} in git's configuration"
    assert check({"tools/x": b"1\n"}) == DeliveryFindings({}, {"tools/x": why})


def test_file_that_an_absolute_path_names_is_flagged(check: Check, root: Path, home: Path) -> None:
    users(home, "core.editor", f"{root}/tools/x")
    assert check({"tools/x": b"1\n"}).flagged == {"tools/x": "is named by core.editor in git's configuration"}


def test_file_that_a_hook_links_to_is_flagged(check: Check, root: Path) -> None:
    (root / ".git" / "hooks").mkdir(exist_ok=True)
    (root / ".git" / "hooks" / "pre-push").symlink_to("../../tools/x")
    assert check({"tools/x": b"1\n"}).flagged == {"tools/x": "is named by hooks/pre-push in git's configuration"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("credential.helper", "store"),
        ("init.defaultBranch", "store"),
        ("user.name", "Store Keeper"),
        ("branch.main.remote", "."),
        ("core.hooksPath", "."),
        ("core.pager", "less"),
        ("remote.origin.url", "https://example.org/store/x.git"),
        ("core.excludesFile", "~/ignore"),
    ],
)
def test_other_settings_name_no_file(check: Check, root: Path, name: str, value: str) -> None:
    git(root, "config", name, value)
    assert check({"store/keeper": b"1\n", "x.git": b"1\n"}) == DeliveryFindings()
