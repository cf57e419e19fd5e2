"""Commands about which the user is not asked, since they only read files of the workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.user_repository import HISTORY_CONFIG
from agent.permissions.approvals import Approval
from agent.permissions.decisions import judge
from agent.permissions.rules import Rule


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with links out of it, beside a file that is not in it."""
    (tmp_path / "secret").write_text("x")
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "config").write_text(HISTORY_CONFIG)
    (root / "src").mkdir()
    (root / "src" / "a.py").write_text("x = 1\n")
    (root / "inside").symlink_to("src/a.py")
    (root / "out").symlink_to("../secret")
    (root / "up").symlink_to("..")
    return root


def is_allowed(line: str, root: Path, folder: str = "") -> bool:
    approval = Approval("command", "Run?", line, root=str(root), folder=folder or str(root))
    return bool(judge(approval, (), ()).yes)


@pytest.mark.parametrize(
    "line",
    [
        "ls -la src",
        "cat src/a.py inside | head -n 5",
        "cd src && cat a.py",
        "grep -rn 'x =' src; echo done",
        "find . -name '*.py' -type f",
        "git log --oneline -5 -- src",
        "git diff HEAD~1 --stat && git status",
        "git show HEAD:src/a.py",
        "sort src/a.py | wc -l || true",
        "diff src/a.py inside",
        "cat src/a.py 2>/dev/null",
    ],
)
def test_reading_inside_workspace_is_allowed(root: Path, line: str) -> None:
    assert is_allowed(line, root)


@pytest.mark.parametrize(
    "line",
    [
        "cat /etc/passwd",
        "cat ../secret",
        "cat ~/.ssh/id_rsa",
        "cat out",
        "cat up/secret",
        "ls up",
        "cd up && cat secret",
        "cat src/../../secret",
        "cat src/a.py > b",
        "cat $HOME/x",
        "cat `ls`",
        "cat *",
        "grep -f/etc/passwd x src",
        "grep --file=/etc/passwd x src",
        "grep --file=out x src",
        "grep -R x .",
        "find -L . -name x",
        "find . -newer /etc/passwd",
        "find . -delete",
        "find . -exec rm {} +",
        "ls -LR .",
        "diff -r src up",
        "diff src .",
        "diff inside src",
        "sha256sum -c sums",
        "md5sum --check sums",
        "grep -flnk x src/a.py",
        "rg -flnk x",
        "git grep -flnk x",
        "tail -1f src/a.py",
        "tree --fromf src/a.py",
        "git for-each-ref --format=%(signature)",
        "git log --format=%(trailers)",
        "cat -- -x ../secret",
        "rg --pre ./evil x",
        "rg -L x",
        "sort -o b src/a.py",
        "sort -T/tmp src/a.py",
        "tail -f src/a.py",
        "tree -o b",
        "wc --files0-from=out",
        "git log -p --ext-diff",
        "git grep -Ovi x",
        "git diff --output=b",
        "git diff --no-index src/a.py /etc/passwd",
        "git log --format=%G?",
        "git log --show-signature",
        "git -C .. log",
        "git -c core.pager=evil log",
        "git commit -m x",
        "git branch new",
        "PAGER=evil git log",
        "./cat src/a.py",
        "sed -i s/x/y/ src/a.py",
        "python3 src/a.py",
    ],
)
def test_other_commands_are_asked_about(root: Path, line: str) -> None:
    assert not is_allowed(line, root)


@pytest.mark.parametrize(
    "change",
    ["[core]\n\tfsmonitor = evil\n", HISTORY_CONFIG + "[diff]\n\texternal = evil\n", "[include]\n\tpath = x\n"],
)
def test_git_is_asked_about_once_its_configuration_has_changed(root: Path, change: str) -> None:
    assert is_allowed("git status", root)
    (root / ".git" / "config").write_text(change)
    assert not is_allowed("git status", root)


def test_linked_git_folder_is_asked_about(root: Path, tmp_path: Path) -> None:
    (root / ".git").rename(tmp_path / "elsewhere")
    (root / ".git").symlink_to(tmp_path / "elsewhere")
    assert not is_allowed("git status", root)


def test_denying_rule_outranks(root: Path) -> None:
    approval = Approval("command", "Run?", "cat src/a.py", root=str(root), folder=str(root))
    assert judge(approval, [Rule("command", "cat")], ()).yes is False


def test_folder_outside_workspace_is_asked_about(root: Path, tmp_path: Path) -> None:
    assert not is_allowed("ls", root, str(tmp_path))
