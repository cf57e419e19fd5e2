"""Rules that deny a path apply to every name by which links reach that path."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.permissions import link_names
from agent.permissions.approvals import Approval
from agent.permissions.decisions import judge
from agent.permissions.link_names import names_through_links
from agent.permissions.rules import Rule
from tests.conftest import MakeRepo, git
from trajectories.git_store.trees import Trees

VSCODE = Rule("apply", ".vscode/**")


class Changes:
    """A repository whose last commit is the change."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.trees = Trees(folder / "trees.git")

    def commit(self, *links: tuple[str, str], **files: str) -> None:
        for path, text in files.items():
            full_path = self.root / path.replace("__", "/")
            full_path.parent.mkdir(exist_ok=True)
            full_path.write_text(text)
        for path, target in links:
            full_path = self.root / path
            if full_path.is_dir() and not full_path.is_symlink():
                shutil.rmtree(full_path)
            full_path.parent.mkdir(exist_ok=True)
            full_path.symlink_to(target)
        git(self.root, "add", "-A", "-f")
        git(self.root, "commit", "-q", "-m", "Change")

    def base_and_head(self) -> tuple[str, str]:
        repository = Repository.open(self.root)
        return repository.base(self.trees, "HEAD~1").tree, repository.base(self.trees, "HEAD").tree

    def names(self) -> list[str] | None:
        names = names_through_links(self.trees, *self.base_and_head())
        return None if names is None else sorted(names)

    def is_denied(self, rule: Rule = VSCODE) -> bool:
        before, after = self.base_and_head()
        paths = [change.path for change in self.trees.changed(before, after)]
        others = partial(names_through_links, self.trees, before, after)
        return judge(Approval(rule.kind, "?", "\n".join(paths), other_names=others), [rule], ()).yes is False


@pytest.fixture
def changes(make_repo: MakeRepo, tmp_path: Path):
    changes = Changes(make_repo({"calc.py": "x = 1\n"}), tmp_path)
    yield changes
    changes.trees.close()


def test_new_link_at_denied_folder_is_denied(changes: Changes) -> None:
    changes.commit((".vscode", "tools"), tools__tasks="evil")
    assert changes.is_denied()
    assert changes.names() == [".vscode/tasks"]


def test_link_to_outside_of_repository_is_denied(changes: Changes) -> None:
    changes.commit((".vscode", "/elsewhere"))
    assert changes.is_denied()
    assert changes.names() == []


def test_link_at_parent_of_denied_folder_is_denied(changes: Changes) -> None:
    changes.commit((".github", "ci"), ci__a="evil")
    assert changes.is_denied(Rule("apply", ".github/workflows/**"))


def test_denied_folder_replaced_by_link_is_denied(changes: Changes) -> None:
    changes.commit(**{".vscode__a": "x"})
    changes.commit((".vscode", "tools"), tools__a="evil")
    assert changes.is_denied()


def test_change_behind_existing_link_is_denied(changes: Changes) -> None:
    changes.commit((".vscode", "tools"), tools__tasks="x")
    changes.commit(tools__tasks="evil")
    assert changes.is_denied()
    changes.commit(other__tasks="harmless")
    assert not changes.is_denied()


def test_change_behind_several_links_has_all_names(changes: Changes) -> None:
    changes.commit((".vscode", "one"), ("one", "./two"), ("two", "x/../tools"), tools__a="x", x__a="")
    changes.commit(("linked/in", "../tools"))
    changes.commit(("folder", "linked"))
    changes.commit(tools__a="evil")
    assert changes.names() == [
        ".vscode/a",
        "folder/in/a",
        "linked/in/a",
        "one/a",
        "two/a",
    ]


def test_link_to_folder_reaches_denied_names_below(changes: Changes) -> None:
    changes.commit(tools__b="x")
    changes.commit(("packages/new", "../tools"))
    assert changes.is_denied(Rule("apply", "packages/*/b"))
    assert not changes.is_denied(Rule("apply", "packages/*/c"))


def test_circular_links_are_followed_once(changes: Changes) -> None:
    changes.commit(("a", "b"), ("b", "a"), ("self", "."), calc="x")
    names = changes.names()
    assert names is not None
    assert "self/calc" in names
    assert not changes.is_denied()


def test_too_many_names_are_denied(changes: Changes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_names, "MOST_NAMES", 50)
    changes.commit(*((f"self{n}", ".") for n in range(9)), calc="x")
    assert changes.names() is None
    assert changes.is_denied()


@pytest.mark.parametrize(
    ("pattern", "name", "denied"),
    [
        (".vscode/**", ".VSCode/tasks.json", True),
        (".vscode/**", ".vscode", True),
        (".vscode/**", ".vscodes", False),
        ("**/.vscode/**", "a/.vscode", True),
        ("a/*/b", "a/c", False),
        ("a/*/b", "a", True),
        ("**/b.py", "a.py", False),
    ],
)
def test_rule_denies_matching_path_and_parents(pattern: str, name: str, denied: bool) -> None:
    assert Rule("apply", pattern).is_denied_at(name) is denied
