"""Predictions against hidden tests, in real workspaces of both kinds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import Settings
from agent.evaluation.grading_specs import GradingSpec
from agent.evaluation.grading_store import START
from agent.evaluation.instance_grading import EvaluationContext, evaluate_one
from agent.evaluation.patch_grade import GradingResult
from agent.instances.dataset_instances import Gold
from agent.instances.jobs import Instance
from tests.conftest import IMAGE, MakeRepo, git
from trajectories.errors import UsageError
from trajectories.records import Issue

CODE = "def add(a, b):\n    return a - b\n\n\ndef same(a):\n    return a\n"
TESTS = "from calc import same\n\n\ndef test_same():\n    assert same(1) == 1\n"
HIDDEN = (
    "import pytest\n\nfrom calc import add, same\n\n\ndef test_same():\n    assert same(1) == 1\n\n\n"
    "@pytest.mark.parametrize('a', [1, 2], ids=['the one', 'two'])\ndef test_add(a):\n    assert add(a, 0 - a) == 0\n"
)
RIGHT = CODE.replace("a - b", "a + b")
NAMES = ("tests/test_calc.py::test_add[the", "tests/test_calc.py::test_add[two]")
KEPT = ("tests/test_calc.py::test_same",)


class World:
    """One instance: its repository, its gold, and how predictions are judged."""

    def __init__(self, repo: Path, kind: str, hidden: str = HIDDEN, **settings: Any) -> None:
        self.repo, self.kind, self.settings = repo, kind, settings
        self.base = git(repo, "rev-parse", "HEAD")
        tests = self.diff({"tests/test_calc.py": hidden})
        self.gold = Gold("calc-1", self.diff({"calc.py": RIGHT}), tests, NAMES, KEPT, {})

    def diff(self, files: dict[str, str | None]) -> str:
        for name, text in files.items():
            if text is None:
                (self.repo / name).unlink()
            else:
                (self.repo / name).parent.mkdir(parents=True, exist_ok=True)
                (self.repo / name).write_text(text)
        git(self.repo, "add", "-A")
        diff = git(self.repo, "diff", "--cached") + "\n"
        git(self.repo, "reset", "-q", "--hard")
        return diff

    def grade(self, patch: str, **options: Any) -> GradingResult:
        instance = Instance("calc-1", str(self.repo), self.base, Issue("add subtracts", ""))
        settings = Settings(workspace=self.kind, image=IMAGE, **self.settings)
        return evaluate_one(self.gold, instance, patch, EvaluationContext(settings, lambda _: self.repo, **options))


@pytest.fixture
def world(make_repo: MakeRepo, kind: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return World(make_repo({"calc.py": CODE, "tests/test_calc.py": TESTS, "conftest.py": ""}), kind)


@pytest.mark.slow
def test_gold_resolves_and_base_and_wrong_patch_do_not(world: World) -> None:
    gold, base = world.grade(world.gold.patch), world.grade("")
    wrong = world.grade(world.diff({"calc.py": CODE.replace("a - b", "b")}))
    assert (gold.resolved, gold.f2p_ok, gold.f2p_failed, gold.p2p_ok) == (True, NAMES, (), KEPT)
    assert (base.resolved, base.f2p_failed, base.p2p_ok) == (False, NAMES, KEPT)
    assert (wrong.resolved, wrong.f2p_failed, wrong.applied) == (False, NAMES, True)
    between = gold.log.partition(">>>>> Start Test Output")[2].partition(">>>>> End Test Output")[0]
    assert "PASSED tests/test_calc.py::test_add[the one]" in between
    assert "git apply" in gold.script
    assert gold.seconds > 0


@pytest.mark.slow
def test_patch_that_breaks_what_passed_does_not_resolve(world: World) -> None:
    broken = world.grade(world.diff({"calc.py": RIGHT.replace("return a\n", "return None\n")}))
    assert (broken.resolved, broken.f2p_ok, broken.p2p_failed) == (False, NAMES, KEPT)


@pytest.mark.slow
def test_what_prediction_does_to_hidden_tests_files_counts_for_nothing(world: World) -> None:
    emptied = world.diff({"tests/test_calc.py": "def test_same():\n    pass\n\n\ndef test_add():\n    pass\n"})
    removed = world.diff({"calc.py": RIGHT, "tests/test_calc.py": None})
    assert world.grade(emptied).f2p_failed == NAMES
    assert world.grade(removed).resolved


@pytest.mark.slow
def test_hidden_tests_in_new_file_replace_prediction_s_own(world: World) -> None:
    world.gold = Gold(
        "calc-1",
        world.gold.patch,
        world.diff({"tests/test_new file.py": HIDDEN}),
        ("tests/test_new file.py::test_add[two]",),
        (),
        {},
    )
    own = world.diff({"tests/test_new file.py": "def test_add():\n    pass\n"})
    assert not world.grade(own).resolved
    assert world.grade(world.diff({"calc.py": RIGHT, "tests/test_new file.py": "x"})).resolved


@pytest.mark.slow
def test_patch_that_does_not_fit_is_not_applied_and_one_of_shifted_context_is(world: World) -> None:
    bad = world.grade(world.gold.patch.replace("return a - b", "return a * b"))
    assert (bad.resolved, bad.applied, bad.error) == (False, False, "")
    assert "patch" in bad.log
    assert world.grade(world.gold.patch.replace(" def same(a):", " def same(b):")).resolved


@pytest.mark.slow
def test_tests_that_do_not_end_are_error(world: World) -> None:
    endless = world.grade(world.diff({"calc.py": "while True:\n    pass\n"}), timeout=3.0)
    assert (endless.resolved, endless.applied) == (False, True)
    assert "3 s" in endless.error


def test_patch_with_half_character_does_not_apply(world: World) -> None:
    bad = world.grade(world.gold.patch.replace("a + b", "a + b  # \ud800"))
    assert (bad.resolved, bad.applied, bad.error) == (False, False, "")
    assert "a lone surrogate, \\ud800" in bad.log


@pytest.mark.slow
def test_hidden_tests_whose_name_git_quotes_replace_prediction_s_own(world: World) -> None:
    name = 'tests/test_ñandú "1".py'
    world.gold = Gold("calc-1", "", world.diff({name: HIDDEN}), (f"{name}::test_add[two]",), (), {})
    assert '"b/tests/test_\\303' in world.gold.test_patch
    assert world.grade(world.diff({"calc.py": RIGHT, name: "x"})).resolved
    own = world.grade(world.diff({name: "def test_add():\n    pass\n"}))
    assert (own.resolved, own.error) == (False, "")


@pytest.mark.slow
def test_test_may_take_as_long_as_all_of_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.testing.suite_run.TEST_LIMIT", 0.5)
    slow = RIGHT.replace("    return a\n", "    import time\n\n    time.sleep(2)\n    return a\n")
    assert world.grade(world.diff({"calc.py": slow})).resolved


@pytest.mark.slow
def test_tests_that_never_ran_are_no_verdict(world: World) -> None:
    world.settings["test"] = "no-such-program"
    found = world.grade(world.gold.patch)
    assert (found.resolved, found.error) == (False, "The test command ran no tests.")
    world.settings["test"] = "python -m pytest --collect-only -k nothing_at_all"
    assert world.grade(world.gold.patch).error == found.error
    world.settings["test"] = ""
    broken = world.grade(world.diff({"calc.py": RIGHT, "conftest.py": "import nothing_of_the_kind\n"}))
    assert (broken.resolved, broken.error) == (False, ""), "the prediction's own fault"


def printing(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """The tests are judged by the lines `ok NAME` that the command prints, as SWE-bench's parsers do."""

    def read(log: str) -> dict[str, bool]:
        return {line[3:]: True for line in log.partition(START)[2].splitlines() if line.startswith("ok ")}

    monkeypatch.setattr(
        "agent.evaluation.instance_grading.grading_spec", lambda *_: GradingSpec(command=command, read=read)
    )


def test_long_log_is_read_from_both_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.gold = Gold("calc-1", "", "", ("a",), ("b",), {})
    printing(monkeypatch, "echo ok a; head -c 51000000 /dev/zero | tr '\\0' x; echo; echo ok b")
    assert world.grade("").resolved


@pytest.mark.timeout(100)  # reading from the pipe would block for two minutes
def test_log_that_test_makes_pipe_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.gold = Gold("calc-1", "", "", ("a",), (), {})
    log = '"$(dirname "$0")"/test_output.txt'
    printing(monkeypatch, f"rm {log}; mkfifo {log}; echo ok a")
    assert not world.grade("").resolved


def test_printed_tests_that_never_ran_or_have_no_names_are_no_verdict(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    printing(monkeypatch, "no-such-program")
    assert world.grade(world.gold.patch).error == "The test command ran no tests."
    world.gold = Gold("calc-1", "", "", (), (), {})
    with pytest.raises(UsageError, match="names no tests"):
        world.grade("")


def test_tests_that_cannot_be_put_over_base_are_error(world: World) -> None:
    world.gold = Gold("calc-1", "", world.gold.test_patch.replace("-from", "-form"), NAMES, KEPT, {})
    assert "test patch does not apply" in world.grade("").error
