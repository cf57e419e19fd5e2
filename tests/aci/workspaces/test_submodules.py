"""Files of submodules in workspaces on this machine: they are there, and changes of them belong to no patch."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.workspace import Snapshot
from tests.aci.workspaces.conformance.conftest import changed, check_output
from tests.conftest import MakeRepo, OpenWorkspace, committed, git
from tests.submodule_repository import add_submodule

SHOP = {"shop/__init__.py": "", "shop/cart.py": "TOTAL = 3\n", "run.sh": "#!/bin/sh\necho ran\n"}
TEST = "import sys\n\nsys.path.insert(0, 'vendor')\n\nfrom shop.cart import TOTAL\n\nassert TOTAL == 3\n"


@pytest.fixture(params=["local", pytest.param("sandbox", marks=pytest.mark.sandbox)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(make_repo: MakeRepo, tmp_path: Path) -> Path:
    """A repository with the submodule `vendor`, which has the submodule `deep`."""
    deep = committed(tmp_path / "deep", {"data.txt": "deep\n"})
    shop = committed(tmp_path / "shop", SHOP)
    (shop / "run.sh").chmod(0o755)
    (shop / "latest").symlink_to("shop/cart.py")
    git(shop, "add", "-A")
    git(shop, "commit", "-q", "-m", "A program and a link")
    add_submodule(shop, deep, "deep")
    root = make_repo({"test_cart.py": TEST, "a.py": "a = 1\n"})
    add_submodule(root, shop, "vendor")
    return root


def test_workspace_has_files_of_submodules(kind: str, root: Path, open_ws: OpenWorkspace) -> None:
    said: list[str] = []
    noted: list[Any] = []
    ws = open_ws(kind, root, say=said.append, record_files=lambda *note: noted.append(note))
    with closing(ws.fork(ws.options.base.tree)) as fork:
        for each in (ws, fork):
            assert_original(each)
            assert each.snapshot(exact=True) == Snapshot(ws.options.base.tree)
            assert check_output(each, "git status --porcelain") == ""
            each.restore(ws.options.base.tree)
            assert_original(each)
    text = "With the files of submodules: vendor, vendor/deep."
    assert text in said
    [(recorded, paths)] = noted
    assert recorded == text
    assert paths["submodules"] == ["vendor", "vendor/deep"]


def test_changes_of_the_checkout_and_missing_commits_are_named(root: Path, open_ws: OpenWorkspace) -> None:
    (root / "vendor/shop/cart.py").write_text("TOTAL = 4\n")
    shutil.copytree(root / "vendor/deep", root / "deep")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},deep")
    said: list[str] = []
    ws = open_ws("local", root, say=said.append)
    assert ws.read("vendor/shop/cart.py") == b"TOTAL = 3\n"
    [text] = [line for line in said if "submodule" in line]
    assert text == (
        "With the files of submodules: vendor, vendor/deep. "
        "Changed in the checkout, but used as the commits of the base have them: vendor. "
        f"Submodules without files: deep ({root}/deep/.git does not name a git directory of this repository. "
        "Clone the repository with its submodules, and use the clone)."
    )
    ws.run("rm -rf deep; echo > a.py")
    assert changed(ws, ws.snapshot().tree) == {"a.py": "M", "deep": "D"}


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("echo 'TOTAL = 4' > vendor/shop/cart.py", "vendor/shop/cart.py"),
        ("rm vendor/shop/cart.py", ""),
        ("rm -r vendor/shop; ln -s /etc vendor/shop", "vendor/shop"),
        ("echo > vendor/new.py; mkdir vendor/more; echo > vendor/more/x.py", "vendor/new.py"),
        ("rm vendor/deep/data.txt vendor/latest", ""),
    ],
)
def test_change_in_submodule_is_named_and_undone(
    kind: str, root: Path, open_ws: OpenWorkspace, command: str, path: str
) -> None:
    ws = open_ws(kind, root)
    check_output(ws, f"cd {ws.root}; {command}; echo 'a = 2' > a.py")
    snapshot = ws.snapshot()
    assert changed(ws, snapshot.tree) == {"a.py": "M"}
    assert path in " ".join(snapshot.skipped)
    ws.restore(ws.options.base.tree)
    assert ws.snapshot(exact=True) == Snapshot(ws.options.base.tree)
    assert_original(ws)


def assert_original(ws: PosixWorkspace) -> None:
    assert check_output(ws, f"cd {ws.root}; python3 test_cart.py; vendor/run.sh; cat vendor/deep/data.txt") == (
        "ran\ndeep"
    )
    assert check_output(ws, "find vendor | sort | grep -v '[.]gitmodules'").split("\n") == [
        *("vendor", "vendor/deep", "vendor/deep/data.txt", "vendor/latest", "vendor/run.sh", "vendor/shop"),
        *("vendor/shop/__init__.py", "vendor/shop/cart.py"),
    ]


def test_named_file_in_submodule_is_kept(kind: str, root: Path, open_ws: OpenWorkspace) -> None:
    (root / "vendor/shop/fast.so").write_text("made here")
    ws = open_ws(kind, root, copy_files=("vendor/shop/fast.so",))
    assert ws.snapshot(exact=True) == Snapshot(ws.options.base.tree)
    ws.run("echo > vendor/shop/new.py")
    ws.restore(ws.options.base.tree)
    with closing(ws.fork(ws.options.base.tree)) as fork:
        for each in (ws, fork):
            assert check_output(each, f"cd {each.root}; ls vendor/shop") == "__init__.py\ncart.py\nfast.so"
            assert each.read("vendor/shop/fast.so") == b"made here"


@pytest.mark.parametrize("path", ["libs/my shop's", "-x", "a*b/[1]", "ü"])
def test_unusual_paths_of_submodules(
    kind: str, make_repo: MakeRepo, tmp_path: Path, open_ws: OpenWorkspace, path: str
) -> None:
    root = make_repo({"a.py": "", "axb/[1]/c.py": ""})
    shutil.move(add_submodule(root, committed(tmp_path / "shop", SHOP), "plain"), root / "moved")
    git(root, "rm", "-q", "--cached", "plain")
    (root / path).parent.mkdir(exist_ok=True, parents=True)
    shutil.move(root / "moved", root / path)
    (root / path / ".git").write_text(f"gitdir: {root}/.git/modules/plain\n")
    git(root, "-c", "advice.addEmbeddedRepo=false", "add", "-A")
    ws = open_ws(kind, root)
    ws.write(f"{path}/new.py", b"")
    assert f"{path}/new.py (in a submodule)" in ws.snapshot().skipped
    ws.restore(ws.options.base.tree)
    assert ws.snapshot(exact=True) == Snapshot(ws.options.base.tree)
    assert ws.read(f"{path}/shop/cart.py") == b"TOTAL = 3\n"


def test_patch_can_remove_or_replace_submodule(kind: str, root: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws(kind, root)
    trees, base = ws.options.trees, ws.options.base.tree
    removed = trees.write({"vendor": None}, base)
    replaced = trees.write({"vendor/shop/cart.py": b"TOTAL = 5\n"}, removed)
    for tree in (removed, replaced, base, replaced):
        ws.restore(tree)
        assert ws.snapshot(exact=True).tree == tree
    assert ws.read("vendor/shop/cart.py") == b"TOTAL = 5\n"
    ws.restore(base)
    assert_original(ws)
