"""Suite results with a patch that are kept for the next proof of the same source."""

from dataclasses import replace
from textwrap import dedent

import pytest

from aci.proof.proof import prove
from aci.proof.suite_baselines import MOST_PATCHED, Baselines
from aci.proof.suite_selection import LEAST_FILES
from aci.testing.suite_results import SuiteReport, TestResult
from extensions.experiment import patch_experiment
from tests.aci.conftest import BASE, CASE, ISSUE, RIGHT, UNITTEST
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import FILES, SUBMIT, edit_calc, equal, new_test, run_strategy  # noqa: F401

NEW_TEST = {"tests/test_issue.py": CASE + "    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"}
OTHER_SOURCE = RIGHT + "\ndef double(x):\n    return 2 * x\n"
ODD_WITH_PATCH = """
    import os, unittest
    from shop import price
    class T(unittest.TestCase):
        def test_odd(self):
            with open("runs.tmp", "a") as file: file.write("x")
            self.assertTrue(price.total([1]) == 0 or os.path.getsize("runs.tmp") % 2 == 0)
"""
CRASH = CASE + "    def test_crash(self):\n        import os; os._exit(3)\n"


@pytest.fixture
def prove_repeatedly(make_repo, open_ws, tmp_path, monkeypatch):
    """`prove_repeatedly(base, *patches)` proves patches with one cache, without repeating tests of the base.

    Returns the verdicts and, for each proof, how often a test of the base ran without and with the patch.
    """
    monkeypatch.setattr(patch_experiment, "MOST_QUICK", 0)
    counter = tmp_path / "runs"
    counted = f"""
        import unittest
        from shop import price
        class T(unittest.TestCase):
            def test_counted(self):
                with open({str(counter)!r}, "a") as file: file.write("with " if price.total([1]) else "without ")
    """

    def prove_repeatedly(base, *patches, command=UNITTEST, reproduction=()):
        files = {name: dedent(text) for name, text in {**BASE, "tests/test_counted.py": counted, **base}.items()}
        workspace = open_ws("local", make_repo(files))
        trees, start = workspace.options.trees, workspace.options.base.tree
        known, verdicts, runs = Baselines(), [], []
        for patch in patches:
            counter.write_text("")
            tree = trees.write({name: text.encode() for name, text in patch.items()}, start)
            options = {"issue": ISSUE, "command": command, "reproduction": reproduction, "timeout": 60, "known": known}
            verdicts.append(prove(workspace.fork, trees, start, tree, **options))
            ran = counter.read_text().split()
            runs.append((ran.count("without"), ran.count("with")))
        return verdicts, runs

    return prove_repeatedly


def suite_notes(verdict):
    return [note for note in verdict.notes if note.startswith("The suite with")]


@pytest.mark.slow
@pytest.mark.parametrize("command", [UNITTEST, ""])
def test_suite_does_not_run_again_if_only_tests_changed(prove_repeatedly, command):
    patches = {"shop/price.py": RIGHT}, {"shop/price.py": RIGHT, **NEW_TEST}
    (first, second), runs = prove_repeatedly({}, *patches, command=command)
    assert runs == [(1, 1), (0, 0)]
    assert (first.kind, second.kind) == ("unproven", "plausible"), second.notes
    assert suite_notes(second) == suite_notes(first)
    assert second.compared == first.compared == "3 tests"
    [alone], _ = prove_repeatedly({}, patches[1], command=command)
    assert second.commands == alone.commands
    assert second.tests == alone.tests


@pytest.mark.slow
def test_suite_runs_again_if_source_changed(prove_repeatedly):
    patches = {"shop/price.py": RIGHT, **NEW_TEST}, {"shop/price.py": OTHER_SOURCE, **NEW_TEST}
    verdicts, runs = prove_repeatedly({}, *patches)
    assert [verdict.kind for verdict in verdicts] == ["plausible", "plausible"]
    assert runs == [(1, 1), (0, 1)]


@pytest.mark.slow
def test_loss_is_found_again_without_running_suite_again(prove_repeatedly):
    broken = {"shop/price.py": RIGHT.replace("x / 5", "x / 6")}
    (first, second), runs = prove_repeatedly({}, broken, {**broken, **NEW_TEST})
    assert second.lost == first.lost == ("tests.test_price.T.test_tax",)
    assert runs[1][1] < runs[0][1]


@pytest.mark.slow
def test_suite_with_flaky_test_runs_again(prove_repeatedly):
    patch = {"shop/price.py": RIGHT, **NEW_TEST}
    (first, _), runs = prove_repeatedly({"tests/test_odd.py": ODD_WITH_PATCH, ".gitignore": "*.tmp\n"}, patch, patch)
    assert first.lost == ("tests.test_odd.T.test_odd",)
    assert [with_patch for _, with_patch in runs] == [1, 1]


@pytest.mark.slow
def test_suite_with_flaky_reproduction_test_runs_again(prove_repeatedly):
    """The test fails without the patch, and every other time with it."""
    odd = ODD_WITH_PATCH.replace("price.total([1]) == 0 or ", "price.total([1]) and ")
    base, patch = {"tests/test_odd.py": odd, ".gitignore": "*.tmp\n"}, {"shop/price.py": RIGHT}
    (first, _), runs = prove_repeatedly(base, patch, patch, reproduction=("tests/test_odd.py",))
    assert any(note.startswith("Passed with the patch once, but not every time") for note in first.notes)
    assert runs == [(1, 1), (0, 1)]


@pytest.mark.slow
def test_results_of_tests_that_ran_in_partial_baseline_are_kept(prove_repeatedly):
    patches = {"shop/price.py": RIGHT}, {"shop/price.py": RIGHT, **NEW_TEST}
    (first, second), runs = prove_repeatedly({"tests/test_z.py": CRASH}, *patches)
    assert runs == [(1, 1), (0, 0)]
    assert second.compared == first.compared == "3 tests (the suite did not end)"
    assert second.kind == "plausible", second.notes


def test_only_latest_reports_of_suites_that_ended_well_are_kept():
    good = SuiteReport((TestResult("a", "passed"),), "pytest", 0)
    known = Baselines()
    for bad in (replace(good, timed_out=True), replace(good, complete=False), replace(good, code=139), None):
        known.keep_patched("key", good)
        assert known.find_patched("key") is good
        known.keep_patched("key", bad)
        assert known.find_patched("key") is None
    for number in range(MOST_PATCHED + 1):
        known.keep_patched(number, good)
    assert (known.find_patched(0), known.find_patched(1)) == (None, good)
    assert len(known) == 0


@pytest.mark.slow
@pytest.mark.parametrize("is_edited_again", [False, True])
def test_suite_with_the_patch_runs_once_while_the_model_works(run_strategy, tmp_path, monkeypatch, is_edited_again):  # noqa: F811
    """It starts after the step whose tests pass. Its results do not count for other files."""
    monkeypatch.setattr(patch_experiment, "MOST_QUICK", 0)
    more = {f"tests/test_more{number}.py": "import unittest\n" for number in range(LEAST_FILES)}
    log = tmp_path / "log"
    reading = f"open({str(log)!r}, 'a').write(open('calc.py').read().split('return ')[1][:6])"
    counted = f"import unittest\nclass T(unittest.TestCase):\n  def test_log(self): {reading}\n"
    wait = act("shell", command=f"timeout 20 sh -c 'until grep -q '+' {log}; do sleep 0.1; done' && cat {log}")
    last = [edit_calc("b + a", "a + b")] if is_edited_again else []
    run = run_strategy(
        "test-then-patch",
        line("Fix.", new_test("add", equal("add(2, 3)", 5)), edit_calc("a + b"), n=1),
        line("Test.", act("run_tests", nodes=["tests/test_calc.py"]), n=2),
        line("Wait.", wait, n=3),
        line("Done.", *last, SUBMIT, n=4),
        files={**FILES, **more, "tests/test_zlog.py": counted},
    )
    assert run.kind == "plausible", run.result.exit.verdict.notes
    assert run.steps[3].observations[0].ok
    assert log.read_text().count("+") == (2 if is_edited_again else 1)
