"""Files and functions of a patch that Python or pytest loads by itself make its results doubtful."""

from __future__ import annotations

import pytest

from aci.proof.proof_run import split_patch
from aci.repository.test_files import is_test
from aci.repository.user_repository import Repository
from extensions.experiment.startup_code import find_startup_code
from tests.conftest import committed, git
from trajectories.git_store.trees import EMPTY_TREE, Trees

PLUGIN = "[console_scripts]\nshop = shop:main\n\n[pytest11]\nshop = shop.plugin\n"


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    with Trees(tmp_path_factory.mktemp("run") / "trees.git") as trees:
        yield trees


@pytest.fixture
def reasons(trees):
    """`reasons(patch, base)` returns the reasons for the patch, both as files by path."""

    def find(patch: dict[str, str | None], base: dict[str, str] | None = None) -> list[str]:
        start = trees.write({path: text.encode() for path, text in (base or {}).items()}, EMPTY_TREE)
        tree = trees.write({path: text if text is None else text.encode() for path, text in patch.items()}, start)
        return list(find_startup_code(trees, start, tree, split_patch(trees, start, tree)))

    return find


@pytest.mark.parametrize(
    "path",
    [
        "sitecustomize.py",
        "src/usercustomize.py",
        "a/b.pth",
        "sitecustomize/__init__.py",
        "src/usercustomize/part.py",
        "sitecustomize.pyc",
        "src/__pycache__/sitecustomize.cpython-311.pyc",
        "sitecustomize/__pycache__/__init__.cpython-311.pyc",
        "usercustomize.cpython-311-x86_64-linux-gnu.so",
        "usercustomize/__init__.abi3.so",
        "sitecustomize.pyd",
    ],
)
def test_startup_files_are_found(reasons, path):
    reason = f"Python runs {path} at every start, so no result can be trusted."
    assert reasons({path: "x = 1\n"}) == [reason]
    assert reasons({path: "x = 2\n"}, {path: "x = 1\n"}) == [reason]


@pytest.mark.parametrize(
    "path", ["not_sitecustomize.py", "pth.py", "docs/sitecustomize/index.md", "sitecustomizer/__init__.py", "a.py"]
)
def test_other_files_are_not_startup_files(reasons, path):
    assert reasons({path: "x = 1\n"}) == []


@pytest.mark.parametrize(
    ("path", "existing", "shadows"),
    [("pluggy.py", "a.py", True), ("json.py", "src/json/__init__.py", False), ("shop/json.py", "a.py", False)],
)
def test_module_that_shadows_a_runner_module_is_found(reasons, path, existing, shadows):
    found = reasons({path: ""}, {existing: ""})
    assert [path in reason and "would be imported instead" in reason for reason in found] == [True] * shadows


@pytest.mark.parametrize("folder", ["shop.egg-info", "src/shop-1.0.dist-info", "test-1.0.dist-info", "a.egg/EGG-INFO"])
def test_entry_point_for_pytest_is_found(reasons, folder):
    path = f"{folder}/entry_points.txt"
    reason = f"pytest would load a plug-in because of {path}, so no result can be trusted."
    assert reasons({path: PLUGIN}) == [reason]
    if not is_test(path):  # a test that the patch changes is left out
        assert reasons({path: PLUGIN}, {path: PLUGIN.partition("[pytest11]")[0]}) == [reason]
        assert reasons({path: f"{PLUGIN}more = shop.more\n"}, {path: PLUGIN}) == [reason]


def test_other_metadata_is_not_found(reasons):
    path = "shop.egg-info/entry_points.txt"
    assert reasons({path: PLUGIN.partition("[pytest11]")[0], "shop.egg-info/PKG-INFO": "Name: shop\n"}) == []
    assert reasons({path: f"{PLUGIN}\n[gui_scripts]\nx = shop:x\n"}, {path: PLUGIN}) == []
    assert reasons({path: None}, {path: PLUGIN}) == []
    assert reasons({"docs/entry_points.txt": PLUGIN}) == []


@pytest.mark.parametrize("path", ["sitecustomize", "shop.egg-info", "shop.dist-info/entry_points.txt"])
def test_link_to_startup_code_is_found(trees, tmp_path, path):
    root = committed(tmp_path / "repo", {"data/x": "1"})
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).symlink_to("data")
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "-m", "A link")
    base, tree = (Repository.open(root).base(trees, rev).tree for rev in ("HEAD~", "HEAD"))
    assert len(list(find_startup_code(trees, base, tree, split_patch(trees, base, tree)))) == 1


HOOK = "def pytest_runtest_call(item):\n    pass\n"
CODE = "def total(items):\n    return 3\n"
REASON = "A conftest.py imports shop/helpers.py, which now defines pytest_runtest_call, so no result can be trusted."


@pytest.mark.parametrize(
    "conftest",
    [
        "from shop.helpers import *\n",
        "from shop import helpers\n",
        "from shop.helpers import total\n",
        "import os, shop.helpers as h\n",
        "pytest_plugins = ['shop.helpers']\n",
    ],
)
@pytest.mark.parametrize("place", ["conftest.py", "tests/unit/conftest.py"])
def test_hook_in_a_module_that_conftest_imports_is_found(reasons, place, conftest):
    base = {place: conftest, "shop/__init__.py": "", "shop/helpers.py": CODE}
    assert reasons({"shop/helpers.py": CODE + HOOK}, base) == [REASON]


@pytest.mark.parametrize(
    "hook",
    [
        "if True:\n    async def pytest_runtest_call(item): pass\n",
        "pytest_runtest_call = print\n",
        "try:\n    pass\nfinally:\n    from os import getcwd as pytest_runtest_call\n",
        "print 'Python 2'\ndef pytest_runtest_call(item): pass\n",
    ],
)
def test_hook_may_be_defined_in_any_way(reasons, hook):
    base = {"conftest.py": "from shop.helpers import *\n", "shop/helpers.py": CODE}
    assert reasons({"shop/helpers.py": CODE + hook}, base) == [REASON]


def test_other_functions_and_modules_are_no_hooks(reasons):
    base = {"conftest.py": "from shop.helpers import *\n", "shop/helpers.py": CODE, "shop/other.py": CODE}
    assert reasons({"shop/other.py": CODE + HOOK}, base) == []
    assert reasons({"shop/helpers.py": CODE + "def f():\n    pytest_args = []\n"}, base) == []
    defined = {**base, "shop/helpers.py": "def pytest_configure(config):\n    pass\n"}
    assert reasons({"shop/helpers.py": defined["shop/helpers.py"] + HOOK}, defined) == []
