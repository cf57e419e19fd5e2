from __future__ import annotations

import shlex
import sys

import pytest

from tests.tools.conftest import Bench, MakeBench
from tools.submit import _doubt
from trajectories.records import Action, Observation


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench({"a.txt": "one\n", "b.txt": "two\n", ".gitignore": "*.log\n"})


def edit(old: str, new: str) -> Action:
    return Action("edit", {"path": "a.txt", "old": old, "new": new})


def test_undo_reverts_last_changes(bench: Bench) -> None:
    bench.run_step(edit("one", "two"))
    bench("shell", command="echo log > x.log; rm b.txt; echo new > c.txt")
    bench("view", path="a.txt")
    observation = bench("undo")
    assert observation.text.splitlines()[1:] == ["b.txt +0 -1 (deleted)", "c.txt +1 -0 (new)"]
    assert bench.read("b.txt") == b"two\n"
    assert bench.read("x.log") == b"log\n"
    assert observation.text.startswith("Reverted, except for ignored files:")
    assert bench("undo").text.splitlines()[1:] == ["a.txt +1 -1"]
    assert bench.tree == bench.base.tree
    nothing = bench("undo")
    assert not nothing.ok
    assert nothing.text == "There is nothing to undo."


@pytest.mark.slow
def test_undo_reverts_several_steps_and_refuses_too_many(bench: Bench) -> None:
    for old, new in (("one", "1"), ("1", "2"), ("2", "3")):
        bench.run_step(edit(old, new))
    too_many = bench("undo", steps=4)
    assert not too_many.ok
    assert "Only 3" in too_many.text
    assert not bench("undo", steps=0).ok
    bench("undo", steps=2)
    assert bench.read("a.txt") == b"1\n"
    bench.run_step(edit("1", "5"))
    bench("undo")
    assert bench.read("a.txt") == b"1\n"


def test_undo_reverts_change_of_same_reply(bench: Bench) -> None:
    bench.run_step(edit("one", "1"), Action("undo"))
    assert bench.tree == bench.base.tree


def test_submit_lists_changed_files(bench: Bench) -> None:
    refused = bench("submit", summary="done")
    assert not refused.ok
    assert "submitted" not in refused.data
    assert refused.data["unchanged"] == "done"
    assert "submit again and explain why in `summary`" in refused.text
    observation = bench.run_step(edit("one", "1\n2"), Action("submit", {"summary": "Numbers are right."}))[1]
    assert observation.ok
    assert observation.text == "Submitted:\na.txt +2 -1"
    assert observation.data["submitted"] is True
    assert observation.data["tree"] == bench.tree


@pytest.mark.slow
def test_submit_lists_binary_files_and_shortens_long_list(bench: Bench) -> None:
    bench("shell", command="for i in $(seq 40); do echo $i > n$i.txt; done; printf '\\0\\1' > a0.bin; chmod +x b.txt")
    rows = bench("submit", summary="x").text.splitlines()
    assert rows[1] == "a0.bin +0 -0 (new)"
    assert "b.txt +0 -0" in rows
    assert rows[-1] == "… 12 more files"


def test_unrecorded_files_are_reported(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.runtime.snapshots.PACK_LIMIT", 1000)
    bench("shell", command="echo small > new; head -c 100000 /dev/urandom > big")
    for tool in ("submit", "undo"):
        observation = bench(tool)
        assert not observation.ok
        assert "Not recorded" in observation.text
        assert "all changes since the last step" in observation.text
    bench("shell", command="rm big; mkfifo b.fifo; rm a.txt; mkfifo a.txt")
    observation = bench("submit")
    assert observation.ok
    assert observation.text.splitlines()[1:] == [
        "new +1 -0 (new)",
        "Not recorded; the last recorded state is used: a.txt",
    ]


NEW_FILES = {"tests/test_new.py"}
NEW_FAILURE = {"id": "tests/test_new.py::test_it", "path": "tests/test_new.py"}
OLD_FAILURE = {"id": "tests/test_old.py::test_it", "path": "tests/test_old.py"}


def run_result(
    *failures: dict[str, str], passed: int = 0, counts: bool = True, granularity: str = "test", tree: str = "now"
) -> tuple[Action, Observation]:
    data = {
        "failures": list(failures),
        "passed": passed,
        "granularity": granularity,
        "counts": {"x": 1} if counts else {},
        "tree": tree,
    }
    return Action("run_tests"), Observation("…", ok=bool(passed) and not failures, data=data)


def edit_result(path: str = "calc.py", ok: bool = True) -> tuple[Action, Observation]:
    return Action("edit", {"path": path}), Observation("…", ok=ok)


SHELL = Action("shell", {"command": "git stash; git stash pop"}), Observation("")
FAILED_VIEW = Action("view", {"path": "nowhere.py"}), Observation("There is no file nowhere.py.", ok=False)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([run_result(NEW_FAILURE, tree="before"), SHELL], id="fixed in the shell"),
        pytest.param(
            [run_result(NEW_FAILURE, tree="before"), edit_result(), run_result(passed=2)], id="passed after the edit"
        ),
        pytest.param([edit_result(), run_result(counts=False, granularity="command")], id="judged by an exit code"),
        pytest.param(
            [edit_result(), run_result(passed=2), run_result(counts=False)], id="unknown test after a passing run"
        ),
        pytest.param(
            [edit_result(), run_result(counts=False), run_result(passed=2)], id="unknown test before a passing run"
        ),
        pytest.param([edit_result(), run_result(OLD_FAILURE, passed=2)], id="failure of an old test"),
        pytest.param([FAILED_VIEW, edit_result()], id="failed view"),
        pytest.param([], id="only submit"),
    ],
)
def test_submit_without_contrary_evidence_has_no_doubt(before: list[tuple[Action, Observation]]) -> None:
    assert _doubt(before, NEW_FILES, "now") == ""


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (
            [edit_result(), run_result(NEW_FAILURE)],
            "tests/test_new.py::test_it failed, and nothing was changed after that.",
        ),
        ([edit_result(), run_result(NEW_FAILURE), FAILED_VIEW], "test_it failed"),
        ([edit_result(), run_result(NEW_FAILURE), SHELL], "test_it failed"),
        ([edit_result(), run_result(NEW_FAILURE), run_result(passed=9)], "test_it failed"),
        ([edit_result(), run_result(*[OLD_FAILURE] * 12, NEW_FAILURE, passed=1)], "test_it failed"),
        ([(Action("edit", {"path": "a.py"}), Observation("", ok=False)), SHELL], "edit of a.py"),
        ([edit_result(ok=False), edit_result("other.py")], "edit of calc.py"),
        ([edit_result(ok=False), edit_result("./calc.py"), run_result(passed=2)], "edit of calc.py"),
        ([(Action("undo"), Observation("There is nothing to undo.", ok=False))], "undo of files"),
        ([(Action("apply_patch"), Observation("There is no tool", ok=False))], "apply_patch"),
        ([(Action("edit", error="not JSON"), Observation("", ok=False))], "edit"),
        ([edit_result(), run_result(counts=False)], "no test passed"),
        ([edit_result(), (Action("run-tests"), run_result(NEW_FAILURE)[1])], "test_it failed"),
    ],
)
def test_submit_after_failure_in_same_reply_is_doubted(before: list[tuple[Action, Observation]], message: str) -> None:
    assert message in _doubt(before, NEW_FILES, "now")


@pytest.mark.slow
def test_stash_and_pop_do_not_count_as_change(bench: Bench) -> None:
    bench.test_command = f"{shlex.quote(sys.executable)} -m unittest"
    test = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.fail()\n"
    actions = [
        edit("one", "1"),
        Action("edit", {"path": "test_new.py", "old": "", "new": test}),
        Action("run_tests"),
        Action("shell", {"command": "git stash -q; git stash pop -q"}),
        Action("submit"),
    ]
    refused = bench.run_step(*actions)[-1]
    assert not refused.ok
    assert "test_new.T.test_it failed" in refused.text
    fix = Action("shell", {"command": "sed -i s/self.fail/self.id/ test_new.py"})
    assert bench.run_step(actions[2], fix, actions[4])[-1].ok


TEST = "import unittest\n\n\nclass CalcTest(unittest.TestCase):\n    def test_it(self):\n        import calc\n"


@pytest.fixture
def calc_bench(make_bench: MakeBench) -> Bench:
    """A bench whose submissions need a test, on a repository with one test, which fails."""
    failing = f"{TEST}        self.assertEqual(calc.one(), 1)\n"
    made = make_bench({"calc.py": "def one():\n    return 2\n", "test_calc.py": failing, ".gitignore": "*.pyc\n"})
    made.needs_test = True
    made.test_command = f"{shlex.quote(sys.executable)} -m unittest"
    return made


FIX = Action("edit", {"path": "calc.py", "old": "return 2", "new": "return 1"})
SUBMIT = Action("submit", {"summary": "One is one."})
NO_TEST = "Not submitted: the patch changes calc.py and adds no test"


def test_submission_without_test_is_sent_back_once(calc_bench: Bench) -> None:
    refused = calc_bench.run_step(FIX, SUBMIT, SUBMIT)[1:]
    assert [seen.text.startswith(NO_TEST) for seen in refused] == [True, True]
    assert not any(seen.ok or "submitted" in seen.data for seen in refused)
    assert calc_bench("submit", summary="No test is needed.").data["submitted"] is True


def test_later_submission_is_accepted_though_its_test_does_not_count(calc_bench: Bench) -> None:
    calc_bench.run_step(FIX, SUBMIT)
    check = Action("edit", {"path": "check.py", "old": "", "new": f"{TEST}        calc.one()\n"})
    assert calc_bench.run_step(check, SUBMIT)[1].ok


def test_submission_without_test_is_accepted_where_none_is_needed(calc_bench: Bench) -> None:
    calc_bench.needs_test = False
    assert calc_bench.run_step(FIX, SUBMIT)[1].ok


@pytest.mark.parametrize("runs_tests", [Action("run_tests"), Action("shell", {"command": "python3 -m unittest"})])
def test_submission_needs_no_new_test_if_existing_one_was_seen_failing(calc_bench: Bench, runs_tests: Action) -> None:
    calc_bench.run_step(runs_tests)
    assert calc_bench.run_step(FIX, SUBMIT)[1].ok


@pytest.mark.slow
def test_existing_test_may_be_seen_failing_in_same_reply(calc_bench: Bench) -> None:
    assert calc_bench.run_step(Action("run_tests"), FIX, Action("run_tests"), SUBMIT)[-1].ok


@pytest.mark.slow
def test_existing_test_that_still_fails_is_not_expected_to_reproduce(calc_bench: Bench) -> None:
    no_fix = Action("edit", {"path": "calc.py", "old": "return 2", "new": "return 3"})
    calc_bench.run_step(Action("run_tests"))
    assert calc_bench.run_step(no_fix, Action("shell", {"command": "echo; rm -rf __pycache__"}))[1].ok
    calc_bench.run_step(Action("run_tests"))
    assert calc_bench("submit").text.startswith(NO_TEST)


@pytest.mark.slow
def test_undo_reports_step_to_return_to(bench: Bench) -> None:
    bench("view", path="a.txt")
    bench.run_step(edit("one", "1"))
    bench("view", path="a.txt")
    bench.run_step(edit("1", "2"))
    bench.run_step(edit("2", "3"))
    assert bench("undo", steps=2).data == {"back_to": 3}
    assert bench("undo").data == {"back_to": 1}


def test_undo_is_limited_to_its_phase(bench: Bench) -> None:
    bench.run_step(edit("one", "1"))
    bench.phase = len(bench.steps)
    assert "Only the user can go back further" in bench("undo").text
    bench.run_step(edit("1", "2"))
    assert bench("undo").data == {"back_to": 2}
    assert bench.read("a.txt") == b"1\n"
