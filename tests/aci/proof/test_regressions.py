"""Regressions in a large suite, whose related tests run first and whose time is limited."""

import pytest

from aci.proof import regressions
from aci.proof.proof_run import fails, was_not_reached
from aci.proof.suite_baselines import Baselines
from aci.proof.suite_selection import LARGE
from aci.testing.suite_run import SuiteReport, TestResult
from tests.aci.conftest import BASE as UNITTEST_BASE
from tests.aci.conftest import RIGHT, WRONG, has_note

BASE = {
    "conftest.py": "",
    "shop/__init__.py": "",
    "shop/price.py": WRONG,
    "tests/__init__.py": "",
    "tests/test_a.py": "import os\ndef test_a(): os.environ['SHOP'] = '1'\n",
    "tests/test_price.py": "from shop.price import tax\ndef test_tax(): assert tax(10) == 2\n",
}
MORE = {f"tests/test_m{number:02}.py": "def test_it(): pass\n" for number in range(LARGE)}
ISSUE_TEST = "from shop.price import total\ndef test_total(): assert total([1, 2]) == 3\n"
SOLVED = {"shop/price.py": RIGHT, "tests/test_issue.py": ISSUE_TEST}
SLEEPER = "import time\nfrom shop import price\ndef test_s(): time.sleep(getattr(price, 'WAIT', 0))\n"


@pytest.mark.slow
@pytest.mark.parametrize("more", [pytest.param({}, id="small", marks=pytest.mark.slow), pytest.param(MORE, id="large")])
@pytest.mark.parametrize(
    "red", [{}, {"tests/test_zz.py": "def test_red(): assert 0\n"}], ids=["green base", "red base"]
)
def test_test_that_fails_only_in_complete_suite_is_lost(prove_patch, more, red):
    passes_alone = "import os\n" + RIGHT.replace("x / 5", "x / 5 if 'SHOP' not in os.environ else 7")
    verdict = prove_patch({**SOLVED, "shop/price.py": passes_alone}, {**BASE, **more, **red}, command="")
    assert verdict.kind == "unproven"
    assert (verdict.no_loss, verdict.lost) == (False, ("tests/test_price.py::test_tax",)), verdict.notes


@pytest.mark.slow
def test_of_many_lost_tests_only_some_are_repeated(prove_patch, monkeypatch):
    monkeypatch.setattr(regressions, "MOST_REPEATED", 2)
    tests = {f"tests/test_tax{number}.py": BASE["tests/test_price.py"] for number in range(4)}
    verdict = prove_patch({**SOLVED, "shop/price.py": RIGHT.replace("x / 5", "x / 6")}, {**BASE, **tests}, command="")
    assert (verdict.no_loss, len(verdict.lost)) == (False, 5)
    assert has_note(verdict, "3 of the lost tests were not repeated")


@pytest.mark.slow
def test_new_failures_are_those_that_are_no_loss(prove_patch):
    skips = "import pytest\nfrom shop import price\n"
    skips += "def test_s():\n    if not hasattr(price, 'NEW'): pytest.skip()\n    assert price.NEW == 2\n"
    base = {**BASE, "tests/test_red.py": "def test_red(): assert 0\n", "tests/test_skips.py": skips}
    patch = {
        "shop/price.py": RIGHT + "NEW = 1\n",
        "tests/test_a.py": "import nothing\n",
        "tests/test_broken.py": "import nothing\n",
        "tests/test_red.py": "def test_red(): assert 0\ndef test_other(): assert 0\n",
    }
    verdict = prove_patch(patch, base, command="", reproduces=False, changed_tests=True)
    assert verdict.lost == ("tests/test_a.py::test_a",)
    expected = ("tests/test_broken.py", "tests/test_red.py::test_other", "tests/test_skips.py::test_s")
    assert tuple(sorted(verdict.new_failures)) == expected


@pytest.mark.slow
def test_patch_that_slows_large_suite_is_plausible(prove_patch):
    base = {**BASE, **MORE, "tests/test_slow.py": SLEEPER}
    verdict = prove_patch({**SOLVED, "shop/price.py": RIGHT + "WAIT = 5\n"}, base, command="", spare=5)
    assert verdict.kind == "plausible", verdict.notes


@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True])
def test_timeout_is_not_loss(prove_patch, lost):
    """The last test hangs and ignores SIGALRM; tests that were lost before it still count."""
    ignores_alarm = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
    base = {**BASE, "tests/test_slow.py": ignores_alarm + SLEEPER, "tests/test_z.py": "def test_z(): pass\n"}
    patched = (RIGHT.replace("x / 5", "x / 6") if lost else RIGHT) + "WAIT = 60\n"
    verdict = prove_patch({**SOLVED, "shop/price.py": patched}, base, command="", timeout=8)
    assert verdict.kind == "unproven"
    assert (verdict.no_loss, verdict.lost) == ((False, ("tests/test_price.py::test_tax",)) if lost else (None, ()))
    assert has_note(verdict, "timed out before 2 of the tests", "tests/test_slow.py::test_s was still running")
    assert verdict.compared == "2 tests (cut off after 8 s)"


@pytest.mark.slow
def test_exit_code_after_timeout_is_not_loss(prove_patch):
    base = {"wait.txt": "0\n", "tests/a.sh": "sleep $(cat wait.txt)\n", "price.sh": "echo 2\n"}
    verdict = prove_patch({"wait.txt": "60\n", "price.sh": "echo 3\n"}, base, command="sh tests/a.sh", timeout=3)
    assert (verdict.kind, verdict.no_loss) == ("unproven", None)
    assert has_note(verdict, "did not finish in time")


@pytest.mark.slow
@pytest.mark.parametrize("code", [0, 3])
def test_unexplained_failure_on_base_leaves_loss_undecided(prove_patch, code):
    base = {**BASE, "Makefile": f"check:\n\tpython3 -m pytest -q\n\texit {code}\n"}
    verdict = prove_patch(SOLVED, base, command="make check")
    assert verdict.no_loss is (None if code else True), verdict.notes
    assert bool(has_note(verdict, "which the test results do not explain")) == bool(code)


@pytest.mark.slow
def test_large_suite_without_related_tests_has_time_limit(prove_patch):
    slow = {f"tests/test_slow{number}.py": "import time\ndef test_s(): time.sleep(10)\n" for number in range(2)}
    base = {**BASE, **MORE, **slow, "data.json": "{}"}
    verdict = prove_patch({"data.json": "[]"}, base, command="", spare=5)
    assert has_note(verdict, "The suite without the patch", "timed out") or has_note(verdict, "ran too long")
    assert verdict.no_loss


@pytest.mark.slow
def test_suite_that_was_cut_off_after_a_turn_runs_again_in_a_proof_with_more_time(prove_patch):
    base = {**BASE, "tests/test_slow.py": "import time\ndef test_s(): time.sleep(4)\n", "data.json": "{}"}
    known = Baselines()
    early, late = (
        prove_patch({"data.json": "[]"}, base, command="", reproduces=False, spare=spare, known=known)
        for spare in (2, 60)
    )
    assert early.compared == "2 tests", early.notes
    assert late.compared == "3 tests", late.compared


def result(id, outcome, error=""):
    return TestResult(id, outcome, error=error)


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        ("passed", "failed", "failed"),
        ("failed", "passed", "failed"),
        ("error", "passed", "error"),
        ("passed", "skipped", "skipped"),
        ("skipped", "xpassed", "skipped"),
        ("skipped", "failed", "failed"),
    ],
)
def test_joined_reports_keep_worse_outcome(one, other, joined):
    first = SuiteReport((result("b", one), result("z", "passed")), "pytest", 0, seconds=1)
    second = SuiteReport((result("a", "passed"), result("b", other)), "pytest", 1, seconds=2, timed_out=True)
    both = first.joined(second)
    assert [(each.id, each.outcome) for each in both.results] == [("a", "passed"), ("b", joined), ("z", "passed")]
    assert (both.code, both.seconds, both.timed_out) == (1, 3, True)


def test_timed_out_results_are_ignored():
    cut = SuiteReport((result("a", "error", "TimeUp"),), "pytest", 124, timed_out=True)
    done = SuiteReport((result("a", "passed"),), "pytest", 0)
    assert done.joined(cut).passed == cut.joined(done).passed == ("a",)
    assert was_not_reached(cut, "a")
    assert was_not_reached(cut, "b")
    assert not was_not_reached(done, "b")
    assert not was_not_reached(None, "b")
    assert not fails(cut, "a")
    assert cut.summary() == "1 cut off in 0.0 s, timed out"


class ShortBaselines(Baselines):
    """Baselines that return the same run for every key, in which tests were stopped early."""

    def __init__(self, cut: str, *passed: str) -> None:
        super().__init__()
        results = (TestResult(cut, "failed", error="RanTooLong"), *(TestResult(id, "passed") for id in passed))
        self.report = SuiteReport(results, "python3 -m unittest discover -s tests -t .", 1, limit=0.5)

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: object) -> SuiteReport:
        return self.report


SLOW = "import time, unittest\nfrom shop import price\nclass T(unittest.TestCase):\n    def test_s(self):\n"
SLOW_TEST, SLOW_NAME = (
    SLOW + "        time.sleep(1)\n        self.assertEqual(price.tax(10), 2)\n",
    "tests.test_slow.T.test_s",
)
PRICES = {**UNITTEST_BASE, "tests/test_slow.py": SLOW_TEST}


@pytest.mark.slow
@pytest.mark.parametrize(("tax", "lost"), [("x / 6", True), ("x / 5", False)])
def test_test_stopped_early_on_base_is_rerun_if_patch_fails_it(prove_patch, tax, lost):
    patch = {"shop/price.py": RIGHT.replace("x / 5", tax)}
    verdict = prove_patch(patch, PRICES, known=ShortBaselines(SLOW_NAME, "tests.test_price.T.test_tax"))
    assert (SLOW_NAME in verdict.lost) is lost
    assert verdict.no_loss is not lost


@pytest.mark.slow
def test_test_that_hangs_without_patch_is_red(prove_patch):
    hangs = SLOW + "        while price.total([1]) != 1: pass\n"
    verdict = prove_patch(
        {"shop/price.py": RIGHT},
        {**PRICES, "tests/test_slow.py": hangs},
        known=ShortBaselines(SLOW_NAME),
        reproduction=[SLOW_NAME],
        timeout=8,
    )
    assert (verdict.red, verdict.green, verdict.red_again) == (True, True, True), verdict.notes


@pytest.mark.slow
def test_test_that_is_only_slow_without_patch_is_not_red(prove_patch):
    slow = {"shop/price.py": WRONG + "WAIT = 4\n"}
    patch = {"shop/price.py": WRONG + "WAIT = 0\n", "tests/test_new.py": SLOW + "        time.sleep(price.WAIT)\n"}
    verdict = prove_patch(patch, {**UNITTEST_BASE, **slow})
    assert not verdict.red, verdict.notes


@pytest.mark.slow
def test_test_stopped_early_is_not_red_if_it_passes_with_full_time(prove_patch):
    slow, name = {"shop/price.py": RIGHT + "WAIT = 4\n"}, "tests.test_slow.T.test_s"
    waits = {"tests/test_slow.py": SLOW + "        time.sleep(price.WAIT)\n"}
    patch = {"shop/price.py": RIGHT + "WAIT = 0\n"}
    verdict = prove_patch(patch, {**UNITTEST_BASE, **slow, **waits}, known=ShortBaselines(name), reproduction=[name])
    assert not verdict.red, verdict.notes
    assert has_note(verdict, "Slow without the patch", name)
