"""Messages about missing files and modules that lie in a submodule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import committed, git
from tests.submodule_repository import add_submodule
from tests.tools.conftest import Bench

WHY = " lies in the submodule vendor/shop, whose files this workspace does not have."


@pytest.fixture
def bench(make_repo: Any, open_ws: Any) -> Bench:
    test = "import shop.cart\n\n\ndef test_total():\n    assert 1\n"
    root = make_repo({"test_cart.py": test, "vendor/a.py": "a = 1\n"})
    (root / "vendor" / "shop").mkdir()
    link = ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/shop")
    for command in (link, ("commit", "-q", "-m", "Add a submodule")):
        git(root, *command)
    workspace = open_ws("local", root)
    return Bench(workspace, workspace.options.trees, workspace.options.base)


@pytest.mark.parametrize("path", ["vendor/shop/cart.py", "./vendor/shop/deep/cart.py", "vendor/shop"])
def test_tools_name_submodule_of_missing_file(bench: Bench, path: str) -> None:
    calls = [bench("view", path=path), bench("search", pattern="total", path=path)]
    if path.endswith(".py"):
        calls += [bench("edit", path=path, old="a", new="b"), bench("edit", path=path, old="", new="b = 1\n")]
    for observation in calls:
        assert not observation.ok
        assert observation.text.startswith(f"{path.removeprefix('./')}{WHY}")


def test_other_missing_files_are_not_in_submodule(bench: Bench) -> None:
    assert bench("view", path="vendor/shopping.py").text == "There is no file vendor/shopping.py."
    assert bench("edit", path="vendor/b.py", old="", new="b = 1\n").ok
    assert "submodule" not in bench("search", pattern="nothing", path="vendor").text


@pytest.mark.slow
def test_test_run_names_submodule_of_missing_module(bench: Bench) -> None:
    assert f"The module shop{WHY}" in bench("run_tests").text
    bench("edit", path="test_cart.py", old="import shop.cart", new="import shopping")
    assert "submodule" not in bench("run_tests").text


@pytest.fixture
def full_bench(make_repo: Any, open_ws: Any, tmp_path: Path) -> Bench:
    """A bench whose submodule has files."""
    root = make_repo({"test_cart.py": "import shop.other\n", "vendor/a.py": ""})
    add_submodule(root, committed(tmp_path / "shop", {"cart.py": "total = 3\n"}), "vendor/shop")
    workspace = open_ws("local", root)
    return Bench(workspace, workspace.options.trees, workspace.options.base)


def test_files_of_submodule_can_be_read_and_not_edited(full_bench: Bench) -> None:
    bench = full_bench
    assert "total = 3" in bench("view", path="vendor/shop/cart.py").text
    assert bench("view", path="vendor/shop/other.py").text == "There is no file vendor/shop/other.py."
    lies = "lies in the submodule vendor/shop."
    assert bench("view", path="vendor/shop").text.startswith(f"vendor/shop {lies} `ls` in the shell lists it.")
    assert bench("search", pattern="total", path="vendor/shop").text == (
        f"vendor/shop {lies} Search it with grep in the shell."
    )
    for path, old in (("vendor/shop/cart.py", "3"), ("vendor/shop/cart.py", ""), ("vendor/shop/new.py", "")):
        edited = bench("edit", path=path, old=old, new="4")
        assert not edited.ok
        assert edited.text == f"{path} {lies} Changes there do not belong to the patch."
    assert bench.read("vendor/shop/cart.py") == b"total = 3\n"
    bench.workspace.run("echo 'total = 4' > vendor/shop/cart.py; echo > b.py")
    assert "vendor/shop/cart.py (in a submodule)" in bench("submit", summary="x").text
    assert {change.path for change in bench.trees.changed(bench.base.tree, bench.workspace.snapshot().tree)} == {"b.py"}


@pytest.mark.slow
def test_module_that_is_missing_in_submodule_with_files(full_bench: Bench) -> None:
    assert "submodule" not in full_bench("run_tests").text
