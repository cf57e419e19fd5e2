"""Predictions graded against hidden tests, in local and container workspaces."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import Settings
from extensions.lab.evaluation.grading_specs import GradingSpec
from extensions.lab.evaluation.grading_store import START
from extensions.lab.evaluation.instance_grading import EvaluationContext, evaluate_one
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance
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
FAILING = ("tests/test_calc.py::test_add[the", "tests/test_calc.py::test_add[two]")
PASSING = ("tests/test_calc.py::test_same",)


class GradingCase:
    """One instance: its repository, its gold patch, and the grading of predictions."""

    def __init__(self, repo: Path, kind: str, hidden: str = HIDDEN, **settings: Any) -> None:
        self.repo, self.kind, self.settings = repo, kind, settings
        self.base = git(repo, "rev-parse", "HEAD")
        tests = self.diff({"tests/test_calc.py": hidden})
        self.gold = Gold("calc-1", self.diff({"calc.py": RIGHT}), tests, FAILING, PASSING, {})

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
def case(make_repo: MakeRepo, kind: str, monkeypatch: pytest.MonkeyPatch) -> GradingCase:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return GradingCase(make_repo({"calc.py": CODE, "tests/test_calc.py": TESTS, "conftest.py": ""}), kind)


@pytest.mark.slow
def test_gold_resolves_but_base_and_wrong_patch_do_not(case: GradingCase) -> None:
    gold, base = case.grade(case.gold.patch), case.grade("")
    wrong = case.grade(case.diff({"calc.py": CODE.replace("a - b", "b")}))
    assert (gold.resolved, gold.f2p_ok, gold.f2p_failed, gold.p2p_ok) == (True, FAILING, (), PASSING)
    assert (base.resolved, base.f2p_failed, base.p2p_ok) == (False, FAILING, PASSING)
    assert (wrong.resolved, wrong.f2p_failed, wrong.applied) == (False, FAILING, True)
    between = gold.log.partition(">>>>> Start Test Output")[2].partition(">>>>> End Test Output")[0]
    assert "PASSED tests/test_calc.py::test_add[the one]" in between
    assert "git apply" in gold.script
    assert gold.seconds > 0


@pytest.mark.slow
def test_dotted_names_of_unittest_are_graded(make_repo: MakeRepo) -> None:
    test = "import unittest\n\nfrom calc import add, same\n\n\nclass CalcTest(unittest.TestCase):\n"
    sames = test + "    def test_same(self):\n        self.assertEqual(same(1), 1)\n"
    adds = test + "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n"
    case = GradingCase(make_repo({"calc.py": CODE, "tests/__init__.py": "", "tests/test_same.py": sames}), "local")
    names = ("tests.test_calc.CalcTest.test_add",), ("tests.test_same.CalcTest.test_same",)
    case.gold = Gold("calc-1", case.gold.patch, case.diff({"tests/test_calc.py": adds}), *names, {})
    gold, base = case.grade(case.gold.patch), case.grade("")
    assert (gold.resolved, gold.f2p_ok, gold.p2p_ok) == (True, *names)
    assert (base.resolved, base.f2p_failed, base.p2p_ok) == (False, *names)


@pytest.mark.slow
def test_patch_that_breaks_passing_test_does_not_resolve(case: GradingCase) -> None:
    broken = case.grade(case.diff({"calc.py": RIGHT.replace("return a\n", "return None\n")}))
    assert (broken.resolved, broken.f2p_ok, broken.p2p_failed) == (False, FAILING, PASSING)


@pytest.mark.slow
def test_changes_to_hidden_test_files_are_discarded(case: GradingCase) -> None:
    emptied = case.diff({"tests/test_calc.py": "def test_same():\n    pass\n\n\ndef test_add():\n    pass\n"})
    removed = case.diff({"calc.py": RIGHT, "tests/test_calc.py": None})
    assert case.grade(emptied).f2p_failed == FAILING
    assert case.grade(removed).resolved


@pytest.mark.slow
def test_new_hidden_test_file_replaces_file_of_prediction(case: GradingCase) -> None:
    case.gold = Gold(
        "calc-1",
        case.gold.patch,
        case.diff({"tests/test_new file.py": HIDDEN}),
        ("tests/test_new file.py::test_add[two]",),
        (),
        {},
    )
    test_file = case.diff({"tests/test_new file.py": "def test_add():\n    pass\n"})
    assert not case.grade(test_file).resolved
    assert case.grade(case.diff({"calc.py": RIGHT, "tests/test_new file.py": "x"})).resolved


@pytest.mark.slow
def test_patch_applies_with_different_context_but_not_other_lines(case: GradingCase) -> None:
    bad = case.grade(case.gold.patch.replace("return a - b", "return a * b"))
    assert (bad.resolved, bad.applied, bad.error) == (False, False, "")
    assert "patch" in bad.log
    assert case.grade(case.gold.patch.replace(" def same(a):", " def same(b):")).resolved


@pytest.mark.slow
def test_tests_that_time_out_are_error(case: GradingCase) -> None:
    endless = case.grade(case.diff({"calc.py": "while True:\n    pass\n"}), timeout=3.0)
    assert (endless.resolved, endless.applied) == (False, True)
    assert "3 s" in endless.error


def test_patch_with_lone_surrogate_does_not_apply(case: GradingCase) -> None:
    bad = case.grade(case.gold.patch.replace("a + b", "a + b  # \ud800"))
    assert (bad.resolved, bad.applied, bad.error) == (False, False, "")
    assert "a lone surrogate, \\ud800" in bad.log


@pytest.mark.slow
def test_hidden_test_file_with_quoted_name_replaces_file_of_prediction(case: GradingCase) -> None:
    name = 'tests/test_ñandú "1".py'
    case.gold = Gold("calc-1", "", case.diff({name: HIDDEN}), (f"{name}::test_add[two]",), (), {})
    assert '"b/tests/test_\\303' in case.gold.test_patch
    assert case.grade(case.diff({"calc.py": RIGHT, name: "x"})).resolved
    result = case.grade(case.diff({name: "def test_add():\n    pass\n"}))
    assert (result.resolved, result.error) == (False, "")


@pytest.mark.slow
def test_single_test_may_use_whole_time_limit(case: GradingCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.testing.suite_run.TEST_LIMIT", 0.5)
    slow = RIGHT.replace("    return a\n", "    import time\n\n    time.sleep(2)\n    return a\n")
    assert case.grade(case.diff({"calc.py": slow})).resolved


@pytest.mark.slow
def test_run_without_tests_gives_no_verdict(case: GradingCase) -> None:
    case.settings["test"] = "no-such-program"
    result = case.grade(case.gold.patch)
    assert (result.resolved, result.error) == (False, "The test command ran no tests.")
    case.settings["test"] = "python -m pytest --collect-only -k nothing_at_all"
    assert case.grade(case.gold.patch).error == result.error
    case.settings["test"] = ""
    broken = case.grade(case.diff({"calc.py": RIGHT, "conftest.py": "import nothing_of_the_kind\n"}))
    assert (broken.resolved, broken.error) == (False, ""), "the prediction itself is at fault"


@pytest.mark.slow
def test_patch_cannot_pass_as_a_missing_test_runner(case: GradingCase) -> None:
    prints = (  # pytest keeps the descriptor of its output while it captures what is printed
        "import contextlib, os\n\nfor number in range(3, 30):\n    with contextlib.suppress(OSError):\n"
        "        os.write(number, b'python3: No module named pytest\\n')\nos._exit(1)\n"
    )
    result = case.grade(case.diff({"calc.py": RIGHT, "conftest.py": prints}))
    assert (result.resolved, result.infrastructure) == (False, False)


@pytest.mark.slow
@pytest.mark.parametrize("reader", [True, False])
def test_patch_that_removes_the_runner_is_at_fault(
    make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: bool
) -> None:
    """The local workspace shares its programs with this machine, so a run without the patch finds none either."""
    runner = tmp_path / "bin/pytest"
    runner.parent.mkdir()
    runner.write_text(f'#!/bin/sh\nexec {sys.executable} -m pytest "$@"\n')
    runner.chmod(0o755)
    command = f"{runner} -rA tests/test_calc.py"
    if reader:
        way = GradingSpec(command=command, read=lambda log: {"a": True} if "PASSED" in log else {})
        monkeypatch.setattr("extensions.lab.evaluation.instance_grading.grading_spec", lambda *_: way)
    files = {"calc.py": CODE, "tests/test_calc.py": TESTS, "conftest.py": ""}
    case = GradingCase(make_repo(files), "local", test=command)
    removes = f"import os\n\nos.remove({str(runner)!r})\nos._exit(127)\n"
    result = case.grade(case.diff({"calc.py": RIGHT, "conftest.py": removes}))
    assert not runner.exists()
    assert (result.resolved, result.applied, result.error, result.infrastructure) == (False, True, "", False)
    again = case.grade(case.gold.patch)
    assert (again.error, again.infrastructure) == ("The test command ran no tests.", True), "it is missing before"


ISOLATED = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("sandbox", marks=pytest.mark.sandbox)]
"""Workspaces whose commands share no home folder."""
RUN = """\
if [ -e "$HOME/damage" ]; then cat "$HOME/damage"; exit 1; fi
python3 -m unittest -v tests.test_calc
"""
UNITTESTS = "import unittest\n\nimport calc\n\n\nclass CalcTest(unittest.TestCase):\n" + (
    "    def test_add(self):\n        self.assertEqual(calc.add(2, 3), 5)\n"
)
NO_RUNNER = "python3: No module named pytest\n"


def damaging(text: str) -> str:
    """Return code that leaves this text in the home folder, prints it as the last output, and ends the test runner."""
    return (
        f"import contextlib, os\n\ntext = {text!r}\nopen(os.path.expanduser('~/damage'), 'w').write(text)\n"
        "for number in range(1, 30):\n    with contextlib.suppress(OSError):\n"
        "        os.write(number, text.encode())\nos._exit(1)\n"
    )


def damaged_case(make_repo: MakeRepo, kind: str, **settings: str) -> GradingCase:
    files = {"calc.py": CODE, "tests/__init__.py": "", "tests/test_calc.py": "", "run.sh": RUN}
    case = GradingCase(make_repo(files), kind, UNITTESTS, **settings)
    names = ("tests.test_calc.CalcTest.test_add",)
    case.gold = Gold("calc-1", case.gold.patch, case.gold.test_patch, names, (), {})
    return case


@pytest.mark.slow
@pytest.mark.parametrize("kind", ISOLATED)
def test_run_without_the_patch_is_not_reached_by_its_damage(make_repo: MakeRepo, kind: str) -> None:
    case = damaged_case(make_repo, kind, test="sh run.sh")
    assert case.grade(case.gold.patch).resolved
    result = case.grade(case.diff({"calc.py": damaging(NO_RUNNER)}))
    assert (result.resolved, result.applied, result.error, result.infrastructure) == (False, True, "", False)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ISOLATED)
def test_damage_does_not_hide_forged_results(make_repo: MakeRepo, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = damaged_case(make_repo, kind)
    [name] = case.gold.fail_to_pass
    way = GradingSpec(command="sh run.sh", read=lambda log: {name: "... ok" in log})
    monkeypatch.setattr("extensions.lab.evaluation.instance_grading.grading_spec", lambda *_: way)
    assert case.grade(case.gold.patch).resolved
    early = f"python3 -c 'import calc'\n{RUN}"  # hooks record nothing in a run of this kind
    result = case.grade(case.diff({"calc.py": damaging("test_add ... ok\n"), "run.sh": early}))
    assert not result.resolved, result.log


def grade_printed_results(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Grade by the lines `ok NAME` that the command prints, as SWE-bench's parsers do."""

    def read(log: str) -> dict[str, bool]:
        return {line[3:]: True for line in log.partition(START)[2].splitlines() if line.startswith("ok ")}

    monkeypatch.setattr(
        "extensions.lab.evaluation.instance_grading.grading_spec", lambda *_: GradingSpec(command=command, read=read)
    )


@pytest.mark.slow
def test_both_ends_of_long_log_are_read(case: GradingCase, monkeypatch: pytest.MonkeyPatch) -> None:
    case.gold = Gold("calc-1", "", "", ("a",), ("b",), {})
    grade_printed_results(monkeypatch, "echo ok a; head -c 51000000 /dev/zero | tr '\\0' x; echo; echo ok b")
    assert case.grade("").resolved


@pytest.mark.timeout(100)  # reading from the pipe would block for two minutes
def test_log_replaced_by_pipe_does_not_block(case: GradingCase, monkeypatch: pytest.MonkeyPatch) -> None:
    case.gold = Gold("calc-1", "", "", ("a",), (), {})
    log = '"$(dirname "$0")"/test_output.txt'
    grade_printed_results(monkeypatch, f"rm {log}; mkfifo {log}; echo ok a")
    assert not case.grade("").resolved


def test_printed_results_without_run_or_names_give_no_verdict(
    case: GradingCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    grade_printed_results(monkeypatch, "no-such-program")
    assert case.grade(case.gold.patch).error == "The test command ran no tests."
    case.gold = Gold("calc-1", "", "", (), (), {})
    with pytest.raises(UsageError, match="names no tests"):
        case.grade("")


def test_test_patch_that_does_not_apply_is_error(case: GradingCase) -> None:
    case.gold = Gold("calc-1", "", case.gold.test_patch.replace("-from", "-form"), FAILING, PASSING, {})
    assert "test patch does not apply" in case.grade("").error


@pytest.mark.parametrize("field", ["selected_test_files_to_run", "FAIL_TO_PASS"])
def test_test_outside_the_repository_is_error(case: GradingCase, field: str) -> None:
    names = ("/etc/passwd.py::test_x",) if field == "FAIL_TO_PASS" else FAILING
    row = {field: ["/etc/hosts"]} if field != "FAIL_TO_PASS" else {}
    case.gold = replace(case.gold, fail_to_pass=names, row=row)
    with pytest.raises(UsageError, match="is not in the repository"):
        case.grade(case.gold.patch)
