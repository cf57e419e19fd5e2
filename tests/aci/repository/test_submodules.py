"""The submodule in which a missing file or module lies."""

from __future__ import annotations

import pytest

from aci.environments.smoke_check import collect_test_imports
from aci.repository.submodules import submodule_missing_in, submodule_of_file, submodule_of_module
from trajectories.git_store.trees import Trees


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
    assert submodule_of_file(trees.files(tree), path) == submodule


@pytest.mark.parametrize(
    ("module", "submodule"),
    [("shop", "vendor/shop"), ("shop.cart.items", "vendor/shop"), ("vendor.shop.cart", "vendor/shop"), ("data", "data")]
    + [(module, "") for module in ("vendor", "vendor.b", "shopping", "other.shop")],
)
def test_submodule_of_module(trees: Trees, tree: str, module: str, submodule: str) -> None:
    files = trees.files(tree)
    assert submodule_of_module(files, module) == submodule
    for error in (f"E   ModuleNotFoundError: No module named '{module}'", f"ImportError: No module named {module}"):
        assert submodule_missing_in(files, f"{error}\nfailed") == ((module, submodule) if submodule else ("", ""))


def test_package_with_name_of_submodule_is_not_installed(trees: Trees, tree: str) -> None:
    assert collect_test_imports(trees, tree) == {"shopping"}
