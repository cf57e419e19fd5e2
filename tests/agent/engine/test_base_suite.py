"""The suite without the patch: run while the model works, and kept for later runs."""

import json
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from aci.proof.suite_baselines import MOST_STORED, Baselines, BaselineStore
from aci.proof.suite_selection import LEAST_FILES
from aci.testing.suite_results import SuiteReport, TestResult
from agent.engine.engine import environment_digest
from agent.prompts.test_command_prompt import TRIED
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import FILES, SUBMIT, edit_calc, equal, new_test, run_strategy  # noqa: F401
from tests.conftest import IMAGE

FAILING = TestResult("b", "failed", "1 != 2", "test_a.py", 3, 0.5, "AssertionError", ("a.py:1:f",))
REPORT = SuiteReport((TestResult("a", "passed"), FAILING), "pytest", 1, b"output", seconds=2.0, limit=30.0)
MORE = {f"tests/test_more{number}.py": "import unittest\n" for number in range(LEAST_FILES)}
PYTEST = f"{shlex.quote(sys.executable)} -m pytest -q"


@pytest.fixture
def store(tmp_path: Path) -> BaselineStore:
    return BaselineStore(tmp_path / "baselines", lambda: "environment")


def test_stored_report_is_the_same(store: BaselineStore) -> None:
    store.save(["tree", ""], REPORT)
    assert store.load(["tree", ""]) == replace(REPORT, output=b"")
    assert store.load(["other", ""]) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"results": [{"x": 1}]}', '{"results": []}', '{"results": 3}'])
def test_damaged_report_is_not_used(store: BaselineStore, tmp_path: Path, text: str) -> None:
    store.save("key", REPORT)
    [file] = (tmp_path / "baselines").iterdir()
    file.write_text(text)
    assert store.load("key") is None


def test_nothing_is_stored_for_unknown_environment(tmp_path: Path) -> None:
    store = BaselineStore(tmp_path / "baselines", str)
    store.save("key", REPORT)
    assert store.load("key") is None
    assert not (tmp_path / "baselines").exists()


def test_only_the_newest_reports_are_kept(store: BaselineStore, tmp_path: Path) -> None:
    for number in range(MOST_STORED + 1):
        store.save(number, REPORT)
        for file in (tmp_path / "baselines").iterdir():
            os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 10))
    assert (store.load(0), store.load(1) is None) == (None, False)


@pytest.mark.parametrize(
    ("report", "patched"),
    [
        (REPORT, None),
        (REPORT, replace(REPORT, results=(TestResult("a", "passed"), TestResult("b", "passed")))),
        (replace(REPORT, timed_out=True), REPORT),
        (replace(REPORT, complete=False), REPORT),
        (replace(REPORT, code=139), REPORT),
        (replace(REPORT, granularity="command"), REPORT),
    ],
    ids=["flaky", "differs with the patch", "timed out", "not finished", "crashed", "exit code only"],
)
def test_unstable_results_are_discarded(store: BaselineStore, report: SuiteReport, patched: SuiteReport | None) -> None:
    known = Baselines(store)
    known.keep("key", REPORT, REPORT)
    assert store.load("key")
    known.keep("key", report, patched)
    assert store.load("key") is None


def test_old_report_is_not_used(store: BaselineStore, tmp_path: Path) -> None:
    store.save("key", REPORT)
    [file] = (tmp_path / "baselines").iterdir()
    os.utime(file, (0, 0))
    assert store.load("key") is None


def test_refused_report_is_not_taken_again(store: BaselineStore) -> None:
    store.save("key", REPORT)
    known = Baselines(store)
    known.take_kept("key")
    assert (known["key"], known.stored) == (replace(REPORT, output=b""), {"key"})
    known.forget("key")
    known.take_kept("key")
    assert "key" not in known


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    (tmp_path / "venv/lib/python3.12/site-packages").mkdir(parents=True)
    return tmp_path / "venv" / "bin"


def test_environment_changes_with_its_packages_and_files(programs: Path) -> None:
    first = environment_digest("sandbox", "", programs, "4g", "none")
    assert first == environment_digest("sandbox", "", programs, "4g", "none") != ""
    assert first != environment_digest("sandbox", "", programs, "4g", "other files")
    (programs.parent / "lib/python3.12/site-packages/six-1.16.dist-info").mkdir()
    assert environment_digest("sandbox", "", programs, "4g", "none") not in ("", first)


@pytest.mark.parametrize(
    ("kind", "limits", "files"),
    [("local", "4g", "none"), ("sandbox", "", "none"), ("sandbox", "4g", "")],
    ids=["local", "services", "linked packages"],
)
def test_unknown_environment_has_no_digest(programs: Path, kind: str, limits: str, files: str) -> None:
    assert environment_digest(kind, "", programs, limits, files) == ""
    assert environment_digest(kind, "", None, "4g", "none") == ""


@pytest.mark.slow
@pytest.mark.parametrize("has_near_tests", [True, False])
def test_suite_runs_once_while_the_model_works(run_strategy, tmp_path: Path, has_near_tests: bool) -> None:  # noqa: F811
    """The model's first command waits for the suite, which runs a test that says whether the patch is there."""
    log = tmp_path / "log"
    add = "__import__('ca' + 'lc').add(1, 1)"
    counted = f"def test_log():\n    open({str(log)!r}, 'a').write(str({add}))\n"
    wait = act("shell", command=f"timeout 20 sh -c 'until test -s {log}; do sleep 0.1; done' && cat {log}")
    files = {**FILES, **MORE, "tests/test_zlog.py": counted}
    if not has_near_tests:
        del files["tests/test_calc.py"]
    run = run_strategy(
        "test-then-patch",
        line("Wait.", wait, n=1),
        line("Fix.", new_test("add", equal("add(2, 3)", 5)), edit_calc("a + b"), SUBMIT, n=2),
        files=files,
        test=PYTEST,
    )
    assert run.kind == "plausible", run.result.exit.verdict.notes
    assert run.steps[1].observations[0].ok
    assert bool(run.trajectory.results["main", TRIED].value["tries"]) is has_near_tests
    assert log.read_text().count("0") == 1


@pytest.mark.docker
def test_results_of_a_container_are_kept_for_the_next_run(run_strategy, tmp_path: Path) -> None:  # noqa: F811
    """They are used only if the patch loses nothing: a stored test that does not exist any more is no loss."""
    lines = line("Fix.", new_test("add", equal("add(2, 3)", 5)), edit_calc("a + b"), SUBMIT)
    half = FILES["tests/test_calc.py"].replace("Twice", "Half").replace("twice", "half")
    files = {**FILES, "calc.py": f"{FILES['calc.py']}\n\ndef half(a):\n    return a * 2\n", "tests/test_half.py": half}
    own = {"files": files, "workspace": "docker", "image": IMAGE, "test": "python3 -m unittest discover -s tests -t ."}
    first = run_strategy("test-then-patch", lines, **own)
    [stored] = (tmp_path / "state" / "baselines").iterdir()
    report = json.loads(stored.read_text())
    stored.write_text(json.dumps({**report, "results": report["results"][:1]}))
    second = run_strategy("test-then-patch", lines, **own)
    stored.write_text(stored.read_text().replace("tests.test_", "tests.old_"))
    third = run_strategy("test-then-patch", lines, **own)
    verdicts = [run.result.exit.verdict for run in (first, second, third)]
    assert [verdict.compared for verdict in verdicts] == ["2 tests", "1 test", "2 tests"]
    assert {verdict.kind for verdict in verdicts} == {"plausible"}
    assert {verdict.lost + verdict.flaky for verdict in verdicts} == {()}
