"""Runs of tests that were written without the patch."""

from __future__ import annotations

import shutil
from textwrap import dedent

import pytest

from extensions.examiner.blind_tests import BlindResult, BlindTest, BlindTests, PatchedBase, run_blind_tests
from trajectories.records import Issue

BASE = {
    "price.py": """
        def total(items):
            return sum(items) + 1


        def mean(items):
            return sum(items) / len(items)
    """,
    "test_price.py": "from price import total\n\n\ndef test_total():\n    assert total([1]) > 0\n",
}
FIX = {"price.py": BASE["price.py"].replace(" + 1", "")}
ISSUE = Issue("total() adds one", "total([2]) is 3.")


@pytest.fixture
def run(make_repo, open_ws):
    """`run(patch, source)` runs the tests in `source`, each expected to be red, and returns their results by name, and
    the doubts."""

    def run(patch, source, path="test_blind.py", base=BASE) -> tuple[dict[str, BlindResult], list[str]]:
        workspace = open_ws("local", make_repo({name: dedent(text) for name, text in base.items()}))
        trees, start = workspace.options.trees, workspace.options.base.tree
        tree = trees.write({name: dedent(text).encode() for name, text in patch.items()}, start)
        names = [line.split("(")[0][4:] for line in dedent(source).splitlines() if line.startswith("def test")]
        tests = BlindTests(path, dedent(source), tuple(BlindTest(name, "red", "It should.") for name in names))
        patched = PatchedBase(workspace.fork, trees, start, tree, ISSUE, "python -m pytest -q", 60)
        found, doubts = run_blind_tests(patched, tests)
        return {one.test.name: one for one in found}, [fact.text for fact in doubts]

    return run


@pytest.mark.slow
def test_results_without_and_with_the_patch(run, tmp_path):
    found, doubts = run(
        FIX,
        """
        import pytest

        from price import mean, total

        def test_fixed():
            assert total([2, 5]) == 7

        def test_kept():
            assert mean([2]) == 2

        def test_same_answer():
            assert mean([2, 4]) == 4

        def test_same_exception():
            assert mean([]) == 0

        @pytest.mark.parametrize("n", [1, 2])
        def test_cases(n):
            assert total([n]) == n

        def test_other_name():
            assert price.total([2]) == 2

        def test_wrong_call():
            assert total([2], unit=3) == 2

        def test_fixture(shop):
            assert total([2]) == 2

        def test_unstable():
            with open(RUNS, "a+") as file:
                file.write("x")
                assert file.tell() != 1
        """.replace("RUNS", repr(str(tmp_path / "runs"))),
    )
    assert not doubts
    shown = {name: (one.base, one.patched, one.same_answer) for name, one in found.items()}
    assert shown == {
        "test_fixed": ("fails", "passes", False),
        "test_kept": ("passes", "passes", False),
        "test_same_answer": ("fails", "fails", True),
        "test_same_exception": ("fails", "fails", False),
        "test_cases": ("fails", "passes", False),
        "test_other_name": ("unclear", "unclear", False),
        "test_wrong_call": ("unclear", "unclear", False),
        "test_fixture": ("unclear", "unclear", False),
        "test_unstable": ("unclear", "passes", False),
    }
    assert "ZeroDivisionError" in found["test_same_exception"].message


@pytest.mark.slow
def test_file_that_cannot_be_imported_says_nothing(run):
    found, _ = run(FIX, "from price import tax\n\ndef test_tax():\n    assert tax([2]) == 2\n")
    assert [(one.base, one.patched) for one in found.values()] == [("unclear", "unclear")]


@pytest.mark.slow
def test_patch_that_forges_results_is_doubted(run):
    forged = dedent(BASE["price.py"]) + "\n\nimport pytest\n\npytest.Function.runtest = lambda self: None\n"
    _, doubts = run(
        {"price.py": forged}, "from price import total\n\ndef test_fixed():\n    assert total([2, 5]) == 7\n"
    )
    assert doubts


def test_patch_that_skips_a_test_fails_it(run):
    skipping = FIX["price.py"].replace("return sum(items) / len(items)", "import pytest; pytest.skip('no')")
    source = """
        from price import mean, total

        def test_mean():
            assert mean([2]) == 2

        def test_total():
            assert total([2, 5]) == 7
        """
    found, _ = run({"price.py": skipping}, source)
    assert (found["test_mean"].base, found["test_mean"].patched) == ("passes", "fails")
    assert (found["test_total"].base, found["test_total"].patched) == ("fails", "passes")


@pytest.mark.parametrize("taken", ["base", "patch"])
def test_tests_at_a_path_that_exists_run_at_another(run, taken):
    path = "test_price.py" if taken == "base" else "test_more.py"
    patch = FIX if taken == "base" else FIX | {"test_more.py": "def test_total():\n    assert 0\n"}
    source = "from price import total\n\ndef test_total():\n    assert total([2, 3]) == 5\n"
    found, doubts = run(patch, source, path=path)
    assert (found["test_total"].base, found["test_total"].patched, doubts) == ("fails", "passes", [])


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cargo"), reason="cargo is not installed")
def test_tests_that_the_command_does_not_find_run_beside_the_existing_ones(make_repo, open_ws):
    code = "pub fn total(xs: &[i32]) -> i32 {\n    xs.iter().sum::<i32>() + 1\n}\n"
    base = {
        "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n',
        "Cargo.lock": 'version = 3\n\n[[package]]\nname = "shop"\nversion = "0.1.0"\n',
        ".gitignore": "target\n",
        "src/lib.rs": code,
        "tests/some.rs": "#[test]\nfn some() {\n    assert!(shop::total(&[1]) > 0);\n}\n",
    }
    workspace = open_ws("local", make_repo(base))
    trees, start = workspace.options.trees, workspace.options.base.tree
    tree = trees.write({"src/lib.rs": code.replace(" + 1", "").encode()}, start)
    source = "#[test]\nfn fixed() {\n    assert_eq!(shop::total(&[2]), 2);\n}\n"
    tests = BlindTests("test/blind.rs", source, (BlindTest("fixed", "red", "It should."),))
    patched = PatchedBase(workspace.fork, trees, start, tree, ISSUE, "cargo test --offline", 60)
    [found], doubts = run_blind_tests(patched, tests)
    assert (found.base, found.patched, doubts) == ("fails", "passes", [])
