"""Messages about missing files and modules that lie in a submodule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import git
from tests.tools.conftest import Bench

WHY = " lies in the submodule vendor/shop, whose files workspaces do not have."


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
