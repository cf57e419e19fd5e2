"""Reasons, known before any test runs, why a proof would find no reproduction test."""

import pytest

from aci.proof.missing_reproduction import explain_missing_test, find_base_failures
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.records import Observation

BASE = {
    "README.md": "Shop\n",
    "conftest.py": "",
    "shop/__init__.py": "",
    "shop/price.py": "def total(items):\n    return sum(items[1:])\n",
    "shop/web/api.js": "export const total = 1\n",
    "tests/__init__.py": "",
    "tests/test_price.py": "from shop.price import total\n\ndef test_empty():\n    assert total([]) == 0\n",
    "tests/web/api.test.js": "test('total', () => {})\n",
}
RIGHT = {"shop/price.py": "def total(items):\n    return sum(items)\n"}
TEST = "from shop.price import total\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
OLD_TEST = BASE["tests/test_price.py"]
NEW_TEST = OLD_TEST + "\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
WHERE = "a new file such as tests/test_price_issue.py, and submit again"


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    with Trees(tmp_path_factory.mktemp("run") / "trees.git") as trees:
        yield trees


def change(trees, files, tree=""):
    base = tree or change(trees, BASE, EMPTY_TREE)
    return trees.write({path: None if text is None else text.encode() for path, text in files.items()}, base)


def explain(trees, *patches, base=BASE, **options):
    files = {path: text for patch in patches for path, text in patch.items()}
    start = change(trees, base, EMPTY_TREE)
    return explain_missing_test(trees, start, change(trees, files, start), **options)


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"tests/test_total.py": TEST}, id="new test file"),
        pytest.param({"tests/check_total.py": TEST}, id="new file in the folder of tests"),
        pytest.param({"shop/price_test.py": TEST}, id="test named by its end"),
        pytest.param({"tests/test_price.py": NEW_TEST}, id="test added to an existing file"),
        pytest.param({"tests/test_price.py": "", "tests/test_total.py": TEST}, id="one file counts, the other not"),
        pytest.param({"tests/web/total.test.js": "test('x', () => {})\n"}, id="test in another language"),
    ],
)
def test_patch_with_test_that_proof_runs_has_no_objection(trees, patch):
    assert explain(trees, RIGHT, patch) == ""


@pytest.mark.parametrize("patch", [{}, {"tests/test_price.py": "# none\n"}, {"conftest.py": TEST}])
def test_patch_without_source_has_no_objection(trees, patch):
    assert explain(trees, patch) == ""


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({}, "the patch changes shop/price.py and adds no test, so nothing shows that it works. Put a test"),
        ({"tests/helpers.py": "TOTAL = 3\n", "tests/new/__init__.py": ""}, "adds no test"),
        ({"tests/test_price.py": None}, "adds no test"),
        (
            {"tests/test_price.py": NEW_TEST.replace("== 0", "== 1")},
            "the proof runs existing tests as in the base, so the changes to tests/test_price.py do not count. Put a",
        ),
        ({"conftest.py": TEST}, "the tests in conftest.py are never run. Move them into"),
        ({"tests/conftest.py": TEST}, "the tests in tests/conftest.py are never run. Move them into"),
        (
            {"check_issue.py": TEST},
            "test files by their names and does not run the tests in check_issue.py. Move them into a new file",
        ),
        (
            {"repro.py": "class TestIt:\n    def test_total(self):\n        assert 1\n"},
            "does not run the tests in repro.py",
        ),
    ],
)
def test_objection_says_what_is_missing_and_where_to_put_test(trees, patch, why):
    said = explain(trees, RIGHT, patch)
    assert why in said
    assert said.endswith(f"{WHERE}; if no new test is needed, submit again without a change.")


def test_script_without_tests_is_source(trees):
    assert "the patch changes repro.py, shop/price.py and adds no test" in explain(
        trees, RIGHT, {"repro.py": "1 / 0\n"}
    )


def test_files_that_test_command_runs_do_not_count_as_source(trees):
    base = {**BASE, "run.py": "import tests.test_price\n"}
    assert explain(trees, {"run.py": "exit(0)\n"}, base=base) != ""
    assert explain(trees, {"run.py": "exit(0)\n"}, base=base, command="python run.py") == ""


@pytest.mark.parametrize(
    ("more", "patch", "place"),
    [
        ({}, {"README.md": "The shop\n"}, "a new test file"),
        ({}, {"shop/web/api.js": "export const total = 2\n"}, "a new file beside tests/web/api.test.js, named like it"),
        ({"tests/test_price_issue.py": ""}, RIGHT, "a new file such as tests/test_price_issue_2.py"),
        ({"tests/unit/test_shop.py": TEST}, {"shop/__init__.py": "X = 1\n"}, "such as tests/unit/test_shop_issue.py"),
        ({"app/tests/test_other.py": TEST}, RIGHT, "such as tests/test_price_issue.py"),
        ({"tests/test_price.py": None, "tests/__init__.py": None}, RIGHT, "such as test_price_issue.py"),
        ({}, {"shop/tax.py": "X = 1\n"}, "such as tests/test_tax_issue.py"),
    ],
)
def test_place_of_new_test_is_near_similar_tests(trees, more, patch, place):
    base = {path: text for path, text in {**BASE, **more}.items() if text is not None}
    assert f"{place}, and submit again" in explain(trees, patch, base=base)


def test_submodule_named_like_test_is_no_test(trees):
    base = change(trees, BASE, EMPTY_TREE)
    fixed = change(trees, RIGHT, base)
    files = {path: (entry.mode, entry.id) for path, entry in trees.files(fixed).items()}
    files |= dict.fromkeys(("tests/test_sub.py", "check.py"), ("160000", "b" * 40))
    listing = "".join(f"{mode} {id} 0\t{path}\0" for path, (mode, id) in sorted(files.items())).encode()
    tree = trees.adopt(listing, [trees.path / "objects"])
    assert "adds no test" in explain_missing_test(trees, base, tree)


def test_place_of_new_test_is_in_subtree(trees):
    base = {**BASE, "part/tests/test_part.py": TEST}
    assert "such as part/tests/test_price_issue.py" in explain(trees, RIGHT, base=base, subtree="part")
    assert "such as shop/test_price_issue.py" in explain(trees, RIGHT, base=base, subtree="shop")


NODE = "tests/test_price.py::test_empty"
PYTEST = f"=== short test summary info ===\nFAILED {NODE}[one] - assert 1 == 0\n1 failed\n"
UNITTEST = "ERROR: test_empty (test_price.PriceTest.test_empty)\n----\nTraceback (most recent call last):\n"


def failed(id=NODE, path="tests/test_price.py"):
    return Observation("1 failed", ok=False, data={"failures": [{"id": id, "path": path}]})


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (failed(), NODE),
        (Observation(PYTEST), NODE),
        (Observation(UNITTEST), "test_price.PriceTest.test_empty"),
    ],
)
def test_test_of_base_seen_failing_may_reproduce(trees, seen, found):
    base, fixed, other = change(trees, {}), change(trees, RIGHT), change(trees, {"shop/new.py": "X = 1\n"})
    assert find_base_failures(trees, base, fixed, [(base, seen)]) == {found}
    assert find_base_failures(trees, base, fixed, [(other, seen)]) == {found}
    assert find_base_failures(trees, base, fixed, [(base, seen), (fixed, seen)]) == set()
    assert find_base_failures(trees, base, fixed, [(change(trees, {"shop/price.py": "1 / 0\n"}), seen)]) == set()
    assert find_base_failures(trees, base, fixed, [(change(trees, {"tests/test_price.py": TEST}), seen)]) == set()


@pytest.mark.parametrize(
    "seen",
    [
        failed("tests/test_new.py::test_it", "tests/test_new.py"),
        failed("odd", ""),
        Observation("FAILED tests/test_new.py::test_it - assert 0\nFAIL: test_it (tests.test_new.T)\n"),
        Observation("See FAILED tests/test_price.py::test_empty.\n1 passed\n"),
        Observation("ok", data={"failures": []}),
    ],
)
def test_other_failures_do_not_reproduce(trees, seen):
    base = change(trees, {})
    assert find_base_failures(trees, base, change(trees, RIGHT), [(base, seen)]) == set()
