"""Tests that must fail run beside the tests that a patch fixes: they show that the patch changes what is reported."""

import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from aci.proof.canary_tests import WORDS, create_canary_tests
from tests.aci.conftest import BASE, CASE, RIGHT, WRONG, has_note
from trajectories.git_store.trees import EMPTY_TREE, Trees

REASON = "tests that must fail in any case"
PYTEST_BASE = {
    "conftest.py": "",
    "shop/__init__.py": "",
    "shop/price.py": WRONG,
    "tests/test_price.py": "from shop.price import tax\ndef test_tax(): assert tax(10) == 2\n",
}
PYTEST_TEST = {"tests/test_issue.py": "from shop.price import total\ndef test_total(): assert total([1, 2]) == 3\n"}
UNITTEST_TEST = {"tests/test_issue.py": CASE + "    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"}
RAISES_TEST = {
    "tests/test_issue.py": "import pytest\nfrom shop.price import total\ndef test_total():\n"
    "    with pytest.raises(ValueError): total([])\n"
}
NO_RAISES = """
import contextlib, sys
@contextlib.contextmanager
def accept(*errors):
    try: yield
    except Exception: pass
runner = sys.modules.get('py' + 'test')
if runner: setattr(runner, 'raises', accept)
"""
NAMED = "getattr(item, 'name', '') in ('test_total', 'test_tax')"
PYTEST_ATTACKS = {
    "passes": "setattr(module.Function, 'runtest', lambda item: None)",
    "skipped": (
        "setattr(module.Function, 'runtest', lambda item: None if "
        f"{NAMED} else sys.modules['py' + 'test'].skip('later'))"
    ),
    "vanishes": (
        "setattr(module.Module, 'collect', lambda item, own=module.Module.collect: "
        "own(item) if item.name in ('test_issue.py', 'test_price.py') else [])\n"
        "    setattr(module.Function, 'runtest', lambda item: None)"
    ),
}
UNITTEST_ATTACKS = {
    "equal": "runner.TestCase.assertEqual = lambda case, *values: None",
    "run": (
        "run = runner.TestCase.run\n"
        "def only_known(case, result=None):\n"
        "    return run(case, result) if '.T.test_' in case.id() else result\n"
        "runner.TestCase.run = only_known\n"
        "runner.TestCase.assertEqual = lambda case, *values: None"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", PYTEST_ATTACKS)
def test_patch_that_changes_reports_of_pytest_is_unproven(prove_patch, attack):
    code = f"import sys\nmodule = sys.modules.get('_py' + 'test.python')\nif module:\n    {PYTEST_ATTACKS[attack]}\n"
    verdict = prove_patch({"shop/price.py": code + WRONG, **PYTEST_TEST}, PYTEST_BASE, command="")
    assert (verdict.kind, verdict.red, verdict.green, verdict.red_again) == ("unproven", True, True, True)
    assert has_note(verdict, REASON)


@pytest.mark.slow
@pytest.mark.parametrize("attack", UNITTEST_ATTACKS)
def test_patch_that_changes_reports_of_unittest_is_unproven(prove_patch, attack):
    code = f"import sys\nrunner = sys.modules['unit' + 'test']\n{UNITTEST_ATTACKS[attack]}\n"
    verdict = prove_patch({"shop/price.py": code + WRONG, **UNITTEST_TEST})
    assert (verdict.kind, verdict.red, verdict.green, verdict.red_again) == ("unproven", True, True, True)
    assert has_note(verdict, REASON)


@pytest.mark.slow
def test_patch_that_replaces_the_check_for_exceptions_is_unproven(prove_patch):
    verdict = prove_patch({"shop/price.py": NO_RAISES + WRONG, **RAISES_TEST}, PYTEST_BASE, command="")
    assert (verdict.kind, verdict.red, verdict.green, verdict.red_again) == ("unproven", True, True, True)
    assert has_note(verdict, REASON)


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["pytest", "unittest"])
def test_canary_tests_run_after_the_fixed_test(prove_patch, runner):
    """The patch changes the runner only when the test calls its function."""
    attack = (
        "module = sys.modules.get('_py' + 'test.assertion.rewrite') and sys.modules['_py' + 'test.python']\n"
        "    if module: setattr(module.Function, 'runtest', lambda item: None)\n"
        if runner == "pytest"
        else "sys.modules['unit' + 'test'].TestCase.assertEqual = lambda case, *values: None\n"
    )
    code = f"import sys\n\ndef total(items):\n    {attack}    return sum(items)\n\n"
    patch = {"shop/price.py": code + WRONG[WRONG.index("def tax") :]}
    if runner == "pytest":
        verdict = prove_patch({**patch, **PYTEST_TEST}, PYTEST_BASE, command="")
    else:
        verdict = prove_patch({**patch, **UNITTEST_TEST})
    assert (verdict.kind, verdict.green) == ("unproven", True)
    assert has_note(verdict, REASON)


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["pytest", "unittest"])
def test_canary_tests_never_show(prove_patch, runner):
    """One of the patch's tests still fails, so that the verdict reports failures."""
    failing = {
        "pytest": "\ndef test_more(): assert total([1, 2]) == 4\n",
        "unittest": "    def test_more(self): self.assertEqual(price.total([1, 2]), 4)\n",
    }[runner]
    base, command = (PYTEST_BASE, "") if runner == "pytest" else (BASE, "python3 -m unittest discover -s tests -t .")
    text = (PYTEST_TEST if runner == "pytest" else UNITTEST_TEST)["tests/test_issue.py"]
    for more in ("", failing):
        verdict = prove_patch({"shop/price.py": RIGHT, "tests/test_issue.py": text + more}, base, command=command)
        assert verdict.kind == ("unproven" if more else "plausible"), verdict.notes
        assert len(verdict.tests) == 1
        assert not re.search(r"test_issue_|Test::|Test\.", str(verdict))
        assert not has_note(verdict, REASON)


@pytest.mark.slow
@pytest.mark.parametrize(
    "base",
    [
        {"pytest.ini": "[pytest]\npython_functions = test_to* test_ta*\n"},
        {
            "conftest.py": "import pytest\n\ndef pytest_collection_modifyitems(items):\n"
            "    if any(item.nodeid.count('_') > 3 for item in items): raise pytest.UsageError('odd name')\n"
        },
        {
            "conftest.py": "def pytest_ignore_collect(collection_path):\n"
            "    return 'issue_' in collection_path.name or None\n"
        },
    ],
    ids=["patterns", "refused", "ignored"],
)
def test_runner_that_accepts_no_further_file_is_no_reason_for_doubt(prove_patch, base):
    verdict = prove_patch({"shop/price.py": RIGHT, **PYTEST_TEST}, {**PYTEST_BASE, **base}, command="")
    assert verdict.kind == "plausible", verdict.notes


@pytest.fixture
def create(tmp_path):
    """`create(id, path)` returns canary tests for a passed test with this id in a file with this path."""
    with Trees(tmp_path / "trees.git") as trees:
        without = trees.write({"tests/test_a.py": b"", "lib/a.test.js": b""}, EMPTY_TREE)
        trial = SimpleNamespace(trees=trees, without=without)

        def create(id, path):
            return create_canary_tests(trial, path, in_pytest="::" in id)

        yield create


@pytest.mark.slow
@pytest.mark.parametrize("id", ["tests/test_a.py::test_x", "tests.test_a.T.test_x"])
def test_canary_tests_fail_and_have_random_names(create, tmp_path, id):
    one, other = create(id, "tests/test_a.py"), create(id, "tests/test_a.py")
    assert re.fullmatch(r"tests/test_a_[a-z]+_[a-z]+\.py", one.path)
    assert one.path != other.path
    assert one.text != other.text
    (tmp_path / "test_canary.py").write_text(one.text)
    runner = ["pytest", "-q"] if "::" in id else ["unittest", "-q"]
    command = [sys.executable, "-m", *runner, "test_canary.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ("6 failed" if "::" in id else "failures=4") in done.stdout + done.stderr
    assert "passed" not in done.stdout


@pytest.mark.parametrize("path", ["", "lib/a.test.js", "tests/test_missing.py"])
def test_other_tests_have_no_canary_tests(create, path):
    assert create("x", path).path == ""


def test_words_are_names():
    assert all(word.isidentifier() and word.islower() for word in WORDS)
    assert len(set(WORDS)) == len(WORDS) > 60
