"""A rule that denies a path holds for every name by which links reach that path."""

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
from trajectories.trees import Trees

VSCODE = Rule("apply", ".vscode/**")


class Changes:
    """A repository whose last commit is the change."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.trees = Trees(folder / "trees.git")

    def commit(self, *links: tuple[str, str], **files: str) -> None:
        for path, text in files.items():
            place = self.root / path.replace("__", "/")
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)
        for path, target in links:
            place = self.root / path
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(target)
        git(self.root, "add", "-A", "-f")
        git(self.root, "commit", "-q", "-m", "Change")

    def trees_of_both(self) -> tuple[str, str]:
        repository = Repository.open(self.root)
        return repository.base(self.trees, "HEAD~1").tree, repository.base(self.trees, "HEAD").tree

    def names(self) -> list[str] | None:
        found = names_through_links(self.trees, *self.trees_of_both())
        return None if found is None else sorted(found)

    def is_denied(self, rule: Rule = VSCODE) -> bool:
        before, after = self.trees_of_both()
        paths = [change.path for change in self.trees.changed(before, after)]
        others = partial(names_through_links, self.trees, before, after)
        return judge(Approval(rule.kind, "?", "\n".join(paths), other_names=others), [rule], ()).yes is False


@pytest.fixture
def changes(make_repo: MakeRepo, tmp_path: Path):
    made = Changes(make_repo({"calc.py": "x = 1\n"}), tmp_path)
    yield made
    made.trees.close()


def test_new_link_in_place_of_denied_folder(changes: Changes) -> None:
    changes.commit((".vscode", "tools"), tools__tasks="evil")
    assert changes.is_denied()
    assert changes.names() == [".vscode/tasks"]


def test_link_to_what_repository_does_not_hold(changes: Changes) -> None:
    changes.commit((".vscode", "/elsewhere"))
    assert changes.is_denied()
    assert changes.names() == []


def test_link_in_place_of_folder_above_denied_one(changes: Changes) -> None:
    changes.commit((".github", "ci"), ci__a="evil")
    assert changes.is_denied(Rule("apply", ".github/workflows/**"))


def test_denied_folder_that_becomes_link(changes: Changes) -> None:
    changes.commit(**{".vscode__a": "x"})
    changes.commit((".vscode", "tools"), tools__a="evil")
    assert changes.is_denied()


def test_change_behind_link_that_was_there_before(changes: Changes) -> None:
    changes.commit((".vscode", "tools"), tools__tasks="x")
    changes.commit(tools__tasks="evil")
    assert changes.is_denied()
    changes.commit(other__tasks="harmless")
    assert not changes.is_denied()


def test_change_behind_several_links(changes: Changes) -> None:
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


def test_link_to_folder_reaches_denied_names_below_it(changes: Changes) -> None:
    changes.commit(tools__b="x")
    changes.commit(("packages/new", "../tools"))
    assert changes.is_denied(Rule("apply", "packages/*/b"))
    assert not changes.is_denied(Rule("apply", "packages/*/c"))


def test_links_in_circle(changes: Changes) -> None:
    changes.commit(("a", "b"), ("b", "a"), ("self", "."), calc="x")
    names = changes.names()
    assert names is not None
    assert "self/calc" in names
    assert not changes.is_denied()


def test_more_names_than_are_listed_are_denied(changes: Changes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_names, "MOST_NAMES", 50)
    changes.commit(*((f"self{n}", ".") for n in range(9)), calc="x")
    assert changes.names() is None
    assert changes.is_denied()


@pytest.mark.parametrize(
    ("pattern", "name", "yes"),
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
def test_what_denied_path_is_about(pattern: str, name: str, yes: bool) -> None:
    assert Rule("apply", pattern).is_denied_at(name) is yes
