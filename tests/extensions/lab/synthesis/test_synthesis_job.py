"""The synthesis of tasks in a small repository: valid instances, a bundle without history, and resuming."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from agent.config.settings import Settings
from extensions.lab.evaluation.instance_grading import EvaluationContext, evaluate_one
from extensions.lab.instances.dataset_instances import read_golds, read_instances
from extensions.lab.instances.jobs import ExecutorOptions
from extensions.lab.instances.repository_clones import Repositories
from extensions.lab.synthesis import candidate_validation, synthesis_job
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.candidate_validation import BaseResults, Validation, Validator, measure_base
from extensions.lab.synthesis.source_repository import SourceRepository
from extensions.lab.synthesis.synthesis_files import bundle_file, tried_file
from extensions.lab.synthesis.synthesis_job import SynthesisOptions, synthesize
from extensions.lab.synthesis.task_bundle import commit_tree
from extensions.lab.synthesis.test_coverage import measure_test_coverage
from extensions.lab.synthesis.validation_executor import open_executor
from extensions.repair.repair_search import RepairTask
from tests.conftest import MakeRepo, OpenWorkspace, git
from trajectories.errors import Cancelled, UsageError, WorkspaceError

SHOP = b"""\
def price(count, each, rate=2):
    if count < 0:
        raise ValueError("negative")
    return _total(count, each) * rate


def _total(count, each):
    return count * each + 1


def unused(count):
    return count
"""
TESTS = """\
import pytest
from shop import price


def test_price():
    assert price(2, 3) == 14


def test_order():
    assert price(0, 5) == 2


def test_negative():
    with pytest.raises(ValueError):
        price(-1, 1)


def test_other():
    assert True


def test_counter():
    assert len("ab") == 2


def test_last():
    assert not []
"""
RIGHT = b"count * each + 1"


@pytest.fixture
def workspace(make_repo: MakeRepo, open_ws: OpenWorkspace) -> PosixWorkspace:
    repo = make_repo({"shop.py": SHOP, "test_shop.py": TESTS})
    git(repo, "remote", "add", "origin", "https://github.com/ada/shop.git")
    return open_ws("local", repo, "HEAD")


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`kind(b"…", …)` replaces the kinds of tasks: each text stands in for `count * each + 1`."""

    def use(*texts: bytes) -> None:
        def generate(source: SourceRepository, random: Random) -> Iterator[Candidate]:
            for text in texts:
                yield change(text)

        monkeypatch.setattr(synthesis_job, "find", lambda *names: generate)

    return use


def change(text: bytes) -> Candidate:
    return Candidate(
        "plant", "operator", {"shop.py": SHOP.replace(RIGHT, text)}, ("shop.py:_total",), {"shop.py": frozenset({8})}
    )


def run(workspace: PosixWorkspace, out: Path, **options: object) -> synthesis_job.SynthesisResult:
    asked = SynthesisOptions(out, **{"workers": 1, "test": "python -m pytest -q", **options})  # type: ignore[arg-type]
    return synthesize_here(workspace, asked)


def synthesize_here(workspace: PosixWorkspace, asked: SynthesisOptions) -> synthesis_job.SynthesisResult:
    options = ExecutorOptions(asked.out, asked.workers, workspace.options.cancel)  # type: ignore[arg-type]
    with closing(open_executor("local", options)) as executor:
        return synthesize(workspace, workspace.options, asked, print, executor=executor)


@pytest.mark.slow
def test_instance_has_fields_of_swebench_and_its_patch_is_the_solution(workspace, kind, tmp_path: Path) -> None:
    kind(b"count * each - 1")
    out = tmp_path / "tasks.jsonl"
    assert run(workspace, out).instances == 1
    row = json.loads(out.read_text())
    assert row["instance_id"] == f"ada__shop.plant.{change(b'count * each - 1').digest}"
    assert (row["repo"], row["bundle"], row["test_patch"]) == ("ada/shop", "./tasks.bundle", "")
    assert json.loads(row["FAIL_TO_PASS"]) == ["test_shop.py::test_price", "test_shop.py::test_order"]
    assert len(json.loads(row["PASS_TO_PASS"])) == 4
    assert "+    return count * each + 1" in row["patch"]
    assert "+    return count * each - 1" in row["mutation_patch"]
    assert "price(0, 5)\n```\n\nExpected: `2`\n\nActual: `-2`" in row["problem_statement"]
    assert row["difficulty"] == {"rank": row["difficulty"]["rank"], "lines": 2, "failing_tests": 2, "templates": None}
    (gold,), (instance,) = read_golds([out]).values(), read_instances([out])
    context = EvaluationContext(Settings(workspace="local"), Repositories(tmp_path / "clones").of, say=print)
    assert evaluate_one(gold, instance, gold.patch, context).resolved
    assert not evaluate_one(gold, instance, "", context).resolved


@pytest.mark.slow
def test_full_difficulty_tries_templates_in_planted_tree(workspace, kind, tmp_path: Path, monkeypatch) -> None:
    tasks = []

    def repaired(task: RepairTask, passes: Callable[..., bool], cancel: Event) -> bool:
        tasks.append(task)
        assert task.workspace.read("shop.py") == SHOP.replace(RIGHT, b"count")
        assert not passes()
        task.workspace.restore(workspace.options.base.tree)
        assert passes()
        return True

    monkeypatch.setattr(candidate_validation, "is_repaired_by_templates", repaired)
    kind(b"count")
    out = tmp_path / "tasks.jsonl"
    run(workspace, out, tries_templates=True)
    assert json.loads(out.read_text())["difficulty"]["templates"] is True
    assert tasks[0].failing == ("test_shop.py::test_price", "test_shop.py::test_order")
    assert workspace.read("shop.py") == SHOP


@pytest.mark.slow
def test_bundle_has_no_history(workspace, kind, tmp_path: Path) -> None:
    kind(b"count + each", b"count")
    out = tmp_path / "tasks.jsonl"
    run(workspace, out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    git(tmp_path, "clone", "-q", "--mirror", str(bundle_file(out)), "clone.git")
    listed = git(tmp_path / "clone.git", "log", "--all", "--format=%H %P|%s").splitlines()
    assert sorted(listed) == sorted(f"{row['base_commit']} |Initial commit" for row in rows)


@pytest.mark.slow
def test_interrupted_job_continues_without_repeating(workspace, kind, tmp_path: Path, monkeypatch) -> None:
    kind(RIGHT + b" + 0", b"count + each", b"count")
    out = tmp_path / "tasks.jsonl"
    assert run(workspace, out, count=1).instances == 1
    first = out.read_text()
    bundle_file(out).unlink()  # as after a crash
    validated = []
    validate = Validator.validate
    monkeypatch.setattr(Validator, "validate", lambda *args: validated.append(args[1]) or validate(*args))
    found = run(workspace, out, count=2)
    assert [one.digest for one in validated] == [change(b"count").digest]
    assert out.read_text().startswith(first)
    assert found.instances == 2
    assert found.tried == {"plant operator": {"passed": 1, "valid": 2}}
    assert len(tried_file(out).read_text().splitlines()) == 3
    git(tmp_path, "clone", "-q", "--mirror", str(bundle_file(out)), "clone.git")
    assert len(git(tmp_path / "clone.git", "log", "--all", "--format=%H").split()) == 2


@pytest.fixture
def results(kind, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`results({b"…": …}, …)` uses candidates with these results or functions that return them, and runs no tests."""

    def use(found: dict[bytes, object]) -> None:
        files = {SHOP.replace(RIGHT, text): result for text, result in found.items()}

        def validate(validator: Validator, candidate: Candidate, nearest: object) -> Validation:
            result = files[candidate.files["shop.py"]]  # type: ignore[index]
            return Validation(str(result() if callable(result) else result))

        kind(*found)
        base = BaseResults("pytest", {"test_shop.py::test_price": 0.1}, 1.0)
        monkeypatch.setattr(synthesis_job, "measure_base", lambda *args: base)
        monkeypatch.setattr(synthesis_job, "measure_test_coverage", lambda *args: None)
        monkeypatch.setattr(Validator, "validate", validate)

    return use


def test_finished_results_are_recorded_if_another_candidate_fails(workspace, results, tmp_path: Path) -> None:
    out, finished = tmp_path / "tasks.jsonl", Event()

    def fail() -> None:
        finished.wait(60)
        raise RuntimeError("broken")

    results({b"1": fail, b"2": lambda: finished.set() or "passed"})
    with pytest.raises(RuntimeError, match="broken"):
        run(workspace, out, workers=2)
    assert [json.loads(line)["result"] for line in tried_file(out).read_text().splitlines()] == ["passed"]


def test_known_secrets_are_masked_in_texts(workspace, results, tmp_path: Path, monkeypatch) -> None:
    results({b"1": ""})
    monkeypatch.setenv("SHOP_TOKEN", "abcdefgh12345678")
    candidate = replace(change(b"1"), write_text=lambda failures: "It shows abcdefgh12345678.\n")
    monkeypatch.setattr(synthesis_job, "find", lambda *names: lambda *args: iter([candidate]))
    run(workspace, tmp_path / "tasks.jsonl")
    text = json.loads((tmp_path / "tasks.jsonl").read_text())["problem_statement"]
    assert text.startswith("It shows ")
    assert "abcdefgh" not in text


def test_interrupted_job_raises_cancelled(workspace, results, tmp_path: Path) -> None:
    out = tmp_path / "tasks.jsonl"
    results({b"1": lambda: workspace.options.cancel.set() or "passed"})
    with pytest.raises(Cancelled, match="Interrupted"):
        run(workspace, out)
    assert json.loads(tried_file(out).read_text())["result"] == "passed"


def test_results_of_another_test_command_are_refused(workspace, results, tmp_path: Path) -> None:
    results({b"1": "passed"})
    run(workspace, tmp_path / "tasks.jsonl")
    asked = SynthesisOptions(tmp_path / "tasks.jsonl", workers=1, test="pytest tests")
    with pytest.raises(UsageError, match="has results of another test command: python -m pytest -q"):
        synthesize_here(workspace, asked)


@pytest.mark.slow
def test_validation_refuses_what_is_no_task(workspace, monkeypatch) -> None:
    def broken(*args: object) -> None:
        raise WorkspaceError("The shell cannot be started.")

    base = measure_base(workspace, "python -m pytest -q")
    coverage = measure_test_coverage(workspace, base.command, base.passing, workspace.options.cancel, print)
    assert coverage is not None
    assert coverage.of_lines("shop.py", [8]) == {"test_shop.py::test_price", "test_shop.py::test_order"}
    validator = Validator(workspace, workspace.options.trees, workspace.options.base.tree, base)

    def reason(text: bytes, line: int = 8) -> str:
        files = {"shop.py": SHOP.replace(RIGHT, text)}
        return validator.validate(Candidate("plant", "", files), coverage.of_lines("shop.py", [line])).reason

    assert reason(RIGHT + b" + 0") == "passed"
    once = b"(count * each + 1) if __import__('os').path.exists('seen') else open('seen', 'w').write('')"
    assert reason(once) == "passed"
    assert reason(b"count", line=12) == "not run"
    assert reason(b"__import__('os')._exit(3)") == "breaks the suite"
    assert reason(b"count + each") == ""
    files = {"shop.py": SHOP.replace(RIGHT, b"int(__file__)")}
    failures = validator.validate(Candidate("plant", "", files), None).failures
    assert ["'shop.py'" in one.message and workspace.root not in one.message for one in failures] == [True, True]
    assert workspace.read("shop.py") == SHOP
    with monkeypatch.context() as patched:
        patched.setattr(Validator, "_run", broken)
        assert reason(b"count") == "breaks the workspace"
    assert workspace.read("shop.py") == SHOP
    files = {"shop.py": b"def f(:\n"}
    assert validator.validate(Candidate("plant", "", files), None).reason == "breaks the suite"


GO = """\
package shop

func Total(counts []int) int {
\tif len(counts) == 0 {
\t\treturn -1
\t}
\treturn len(counts)
}
"""
GO_TESTS = """\
package shop

import "testing"

func TestTotal(t *testing.T) {
\tif got := Total([]int{5, 6}); got != 2 {
\t\tt.Errorf("got %d, want 2", got)
\t}
}

func TestNone(t *testing.T) {
\tif got := Total(nil); got != -1 {
\t\tt.Errorf("got %d, want -1", got)
\t}
}

func TestOther(t *testing.T) {}
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("go"), reason="go is not installed")
def test_instances_of_another_language(make_repo: MakeRepo, open_ws: OpenWorkspace, tmp_path: Path) -> None:
    files = {"go.mod": "module example.com/shop\n\ngo 1.18\n", "shop.go": GO, "shop_test.go": GO_TESTS}
    workspace = open_ws("local", make_repo(files), "HEAD")
    out = tmp_path / "tasks.jsonl"
    asked = SynthesisOptions(out, workers=1, count=1, test="go test ./...")
    assert synthesize_here(workspace, asked).instances == 1
    row = json.loads(out.read_text())
    assert (row["operator"], row["symbols"]) == ("dropped_guard", ["shop.go:Total"])
    assert json.loads(row["FAIL_TO_PASS"]) == [".::TestNone"]
    assert row["problem_statement"] == (
        "`TestNone` gives a wrong result\n\nTo reproduce with the current version of repo1:\n\n"
        "```go\nif got := Total(nil); got != -1 {\n"
        '    t.Errorf("got %d, want -1", got)\n}\n```\n\nActual: `got 0, want -1`\n'
    )


@pytest.mark.slow
def test_command_without_single_results_is_refused(workspace) -> None:
    with pytest.raises(UsageError, match="does not report single tests"):
        measure_base(workspace, "true")


def test_commit_depends_on_tree_and_date_only(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    opened = open_ws("local", make_repo({"a.py": "x = 1\n"}), "HEAD")
    trees, tree = opened.options.trees, opened.options.base.tree
    date = "2024-01-02T03:04:05Z"
    assert commit_tree(trees, tree, date) == commit_tree(trees, tree, date)
    assert commit_tree(trees, tree, date) != commit_tree(trees, tree, "2024-01-02T03:04:06Z")
