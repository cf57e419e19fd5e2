"""The submodule in which a missing file or module lies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aci.runtime.snapshots import submodule_missing_in, submodule_of_file, submodule_of_module
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.git_store.trees import Trees


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[Trees]:
    with Trees(tmp_path / "trees.git") as trees:
        yield trees


@pytest.fixture
def tree(trees: Trees) -> str:
    link = b"160000 " + b"1" * 40 + b" 0\t"
    tree = trees.adopt(link + b"vendor/shop\0" + link + b"data\0", [])
    return trees.write({"tests/test_a.py": b"import shop\nimport shopping\n", "vendor/b.py": b""}, tree)


@pytest.mark.parametrize(
    ("path", "submodule"),
    [("vendor/shop/cart.py", "vendor/shop"), ("vendor/shop", "vendor/shop"), ("data/deep/x", "data")]
    + [(path, "") for path in ("vendor/b.py", "vendor/shopping.py", "shop/cart.py", "../data/x", ".")],
)
def test_submodule_of_file(trees: Trees, tree: str, path: str, submodule: str) -> None:
    assert submodule_of_file(trees, tree, path) == submodule


@pytest.mark.parametrize(
    ("module", "submodule"),
    [("shop", "vendor/shop"), ("shop.cart.items", "vendor/shop"), ("vendor.shop.cart", "vendor/shop"), ("data", "data")]
    + [(module, "") for module in ("vendor", "vendor.b", "shopping", "other.shop")],
)
def test_submodule_of_module(trees: Trees, tree: str, module: str, submodule: str) -> None:
    assert submodule_of_module(trees.files(tree), module) == submodule


def test_missing_module_lies_in_submodule_without_files(
    trees: Trees, tree: str, make_repo: MakeRepo, open_ws: OpenWorkspace
) -> None:
    ws = open_ws("local", make_repo({"data/x.py": ""}))
    files = trees.files(tree)
    for module, submodule in (("shop", "vendor/shop"), ("shop.cart.items", "vendor/shop"), ("data", ""), ("other", "")):
        for error in (f"E   ModuleNotFoundError: No module named '{module}'", f"ImportError: No module named {module}"):
            found = submodule_missing_in(ws, files, f"{error}\nfailed")
            assert found == ((module, submodule) if submodule else ("", ""))
