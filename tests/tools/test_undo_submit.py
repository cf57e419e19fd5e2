from __future__ import annotations

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


def test_undo_takes_back_last_changes(bench: Bench) -> None:
    bench.together(edit("one", "two"))
    bench("shell", command="echo log > x.log; rm b.txt; echo new > c.txt")
    bench("view", path="a.txt")
    seen = bench("undo")
    assert seen.text.splitlines()[1:] == ["b.txt +0 -1 (deleted)", "c.txt +1 -0 (new)"]
    assert bench.read("b.txt") == b"two\n"
    assert bench.read("x.log") == b"log\n"
    assert seen.text.startswith("Reverted, except for ignored files:")
    assert bench("undo").text.splitlines()[1:] == ["a.txt +1 -1"]
    assert bench.tree == bench.base.tree
    nothing = bench("undo")
    assert not nothing.ok
    assert nothing.text == "There is nothing to undo."


def test_undo_of_several_and_of_more_than_there_are(bench: Bench) -> None:
    for old, new in (("one", "1"), ("1", "2"), ("2", "3")):
        bench.together(edit(old, new))
    too_many = bench("undo", steps=4)
    assert not too_many.ok
    assert "Only 3" in too_many.text
    assert not bench("undo", steps=0).ok
    bench("undo", steps=2)
    assert bench.read("a.txt") == b"1\n"
    bench.together(edit("1", "5"))
    bench("undo")
    assert bench.read("a.txt") == b"1\n"


def test_undo_in_same_reply_as_change(bench: Bench) -> None:
    bench.together(edit("one", "1"), Action("undo"))
    assert bench.tree == bench.base.tree


def test_submit_names_changed_files(bench: Bench) -> None:
    refused = bench("submit", summary="done")
    assert not refused.ok
    assert "submitted" not in refused.data
    assert refused.data["unchanged"] == "done"
    assert "submit again and say why in `summary`" in refused.text
    seen = bench.together(edit("one", "1\n2"), Action("submit", {"summary": "Numbers are right."}))[1]
    assert seen.ok
    assert seen.text == "Submitted:\na.txt +2 -1"
    assert seen.data["submitted"] is True
    assert seen.data["tree"] == bench.tree


def test_submit_of_many_and_of_binary_files(bench: Bench) -> None:
    bench("shell", command="for i in $(seq 40); do echo $i > n$i.txt; done; printf '\\0\\1' > a0.bin; chmod +x b.txt")
    rows = bench("submit", summary="x").text.splitlines()
    assert rows[1] == "a0.bin +0 -0 (new)"
    assert "b.txt +0 -0" in rows
    assert rows[-1] == "… 12 more files"


def test_what_is_not_recorded_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.runtime.snapshots.PACK_LIMIT", 1000)
    bench("shell", command="echo small > new; head -c 100000 /dev/urandom > big")
    for tool in ("submit", "undo"):
        seen = bench(tool)
        assert not seen.ok
        assert "Not recorded" in seen.text
        assert "all changes since the last step" in seen.text
    bench("shell", command="rm big; mkfifo b.fifo; rm a.txt; mkfifo a.txt")
    seen = bench("submit")
    assert seen.ok
    assert seen.text.splitlines()[1:] == ["new +1 -0 (new)", "Not recorded, kept in its last state: a.txt"]


NEW = {"tests/test_new.py"}
FAILURE = {"id": "tests/test_new.py::test_it", "path": "tests/test_new.py"}
OLD = {"id": "tests/test_old.py::test_it", "path": "tests/test_old.py"}


def ran(
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


def edited(path: str = "calc.py", ok: bool = True) -> tuple[Action, Observation]:
    return Action("edit", {"path": path}), Observation("…", ok=ok)


SHELL = Action("shell", {"command": "git stash; git stash pop"}), Observation("")
LOOK = Action("view", {"path": "nowhere.py"}), Observation("There is no file nowhere.py.", ok=False)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([ran(FAILURE, tree="before"), SHELL], id="mended by the shell"),
        pytest.param([ran(FAILURE, tree="before"), edited(), ran(passed=2)], id="seen green after the edit"),
        pytest.param([edited(), ran(counts=False, granularity="command")], id="judged by an exit code"),
        pytest.param([edited(), ran(passed=2), ran(counts=False)], id="a wrong name after a green run"),
        pytest.param([edited(), ran(counts=False), ran(passed=2)], id="a wrong name before a green run"),
        pytest.param([edited(), ran(OLD, passed=2)], id="red before"),
        pytest.param([LOOK, edited()], id="what only looks may fail"),
        pytest.param([], id="alone"),
    ],
)
def test_work_that_nothing_speaks_against(before: list[tuple[Action, Observation]]) -> None:
    assert _doubt(before, NEW, "now") == ""


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ([edited(), ran(FAILURE)], "tests/test_new.py::test_it failed, and nothing was changed after that."),
        ([edited(), ran(FAILURE), LOOK], "test_it failed"),
        ([edited(), ran(FAILURE), SHELL], "test_it failed"),
        ([edited(), ran(FAILURE), ran(passed=9)], "test_it failed"),
        ([edited(), ran(*[OLD] * 12, FAILURE, passed=1)], "test_it failed"),
        ([(Action("edit", {"path": "a.py"}), Observation("", ok=False)), SHELL], "edit of a.py"),
        ([edited(ok=False), edited("other.py")], "edit of calc.py"),
        ([edited(ok=False), edited("./calc.py"), ran(passed=2)], "edit of calc.py"),
        ([(Action("undo"), Observation("There is nothing to undo.", ok=False))], "undo of files"),
        ([(Action("apply_patch"), Observation("There is no tool", ok=False))], "apply_patch"),
        ([(Action("edit", error="not JSON"), Observation("", ok=False))], "edit"),
        ([edited(), ran(counts=False)], "no test passed"),
        ([edited(), (Action("run-tests"), ran(FAILURE)[1])], "test_it failed"),
    ],
)
def test_work_that_same_reply_found_wanting(before: list[tuple[Action, Observation]], said: str) -> None:
    assert said in _doubt(before, NEW, "now")


def test_stash_and_its_pop_are_no_change(bench: Bench) -> None:
    bench.test_command = f"{sys.executable} -m unittest"
    test = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.fail()\n"
    actions = [
        edit("one", "1"),
        Action("edit", {"path": "test_new.py", "old": "", "new": test}),
        Action("run_tests"),
        Action("shell", {"command": "git stash -q; git stash pop -q"}),
        Action("submit"),
    ]
    refused = bench.together(*actions)[-1]
    assert not refused.ok
    assert "test_new.T.test_it failed" in refused.text
    mended = Action("shell", {"command": "sed -i s/self.fail/self.id/ test_new.py"})
    assert bench.together(actions[2], mended, actions[4])[-1].ok


def test_undo_says_which_step_conversation_goes_back_to(bench: Bench) -> None:
    bench("view", path="a.txt")
    bench.together(edit("one", "1"))
    bench("view", path="a.txt")
    bench.together(edit("1", "2"))
    bench.together(edit("2", "3"))
    assert bench("undo", steps=2).data == {"back_to": 3}
    assert bench("undo").data == {"back_to": 1}


def test_undo_goes_back_no_further_than_its_phase(bench: Bench) -> None:
    bench.together(edit("one", "1"))
    bench.phase = len(bench.steps)
    assert "Only the user can go back further" in bench("undo").text
    bench.together(edit("1", "2"))
    assert bench("undo").data == {"back_to": 2}
    assert bench.read("a.txt") == b"1\n"
