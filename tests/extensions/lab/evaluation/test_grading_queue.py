"""Grading queue: selection of predictions, repeats, quarantine, and failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event, Lock

import pytest

from extensions.lab.evaluation.gold_check import Case
from extensions.lab.evaluation.grading_queue import GradingQueue, Outcome, Plan
from extensions.lab.evaluation.grading_store import GradingStore
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.evaluation.predictions import Prediction
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance
from trajectories.errors import Cancelled, SweAgentError, UsageError, WorkspaceError
from trajectories.records import Issue


@dataclass
class FakeGrader:
    """Grades by the text of the patch: `right` passes, `fickle` passes every second time, `broken` is an error."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    wait: Callable[[], object] = lambda: None
    error: type[SweAgentError] = WorkspaceError
    lock: Lock = field(default_factory=Lock)

    def __call__(self, gold: Gold, instance: Instance, patch: str) -> GradingResult:
        self.wait()
        with self.lock:
            self.calls[gold.id, patch] += 1
            even = self.calls[gold.id, patch] % 2 == 0
        if patch == "broken":
            raise self.error("There is no space left.", "Free some.")
        if patch == "refused":
            return GradingResult(gold.id, False, False)
        passes = patch == "right" or (patch == "fickle" and even)
        return GradingResult(gold.id, passes, True, **{"f2p_ok" if passes else "f2p_failed": ("t",)}, p2p_ok=("kept",))


def case(name: str, gold: str = "right") -> Case:
    row = Gold(name, gold, "tests", ("t",), ("kept",), {})
    return Case(row, Instance(name, "us/code", "", Issue("It fails", "", "user")))


def plan(out: Path, golds: dict[str, str], patches: dict[str, str], **more: object) -> Plan:
    cases = {name: case(name, gold) for name, gold in golds.items()}
    sets = {"run": {name: Prediction(name, "m", patch) for name, patch in patches.items()}}
    return replace(Plan(out, cases, sets, "setup", repeats=2), **more)  # type: ignore[arg-type]


def run_queue(
    grader: FakeGrader, queue_plan: Plan, messages: list[str] | None = None, cancel: Event | None = None
) -> Outcome:
    return GradingQueue(queue_plan, grader, cancel or Event(), (messages if messages is not None else []).append).run()


def test_empty_unknown_and_missing_predictions_are_not_graded(tmp_path: Path) -> None:
    grader = FakeGrader()
    golds = dict.fromkeys(("a", "b", "c"), "right")
    outcome = run_queue(grader, plan(tmp_path, golds, {"a": "right", "b": " \n", "unknown": "right"}))
    assert grader.calls == {("a", "right"): 1}
    assert {name: graded.resolved for name, graded in outcome.verdicts["run"].items()} == {"a": True}


def test_restart_grades_only_predictions_without_verdict(tmp_path: Path) -> None:
    golds = dict.fromkeys(("a", "b", "c"), "right")
    given = plan(tmp_path, golds, {"a": "right", "b": "wrong", "c": "broken"})
    first = run_queue(FakeGrader(), given)
    grader, messages = FakeGrader(), list[str]()
    second = run_queue(grader, replace(given, workers=3), messages)
    assert grader.calls == {("c", "broken"): 1}
    assert messages[0] == "2 of 3 predictions are already graded."
    assert first.verdicts["run"]["b"] == second.verdicts["run"]["b"]
    assert "There is no space left." in second.verdicts["run"]["c"].error


@pytest.mark.parametrize("change", [{"setup": "another"}, {"repeats": 3}])
def test_verdict_of_other_set_up_is_not_reused(tmp_path: Path, change: dict[str, object]) -> None:
    given = plan(tmp_path, {"a": "right"}, {"a": "right"})
    run_queue(FakeGrader(), given)
    grader = FakeGrader()
    run_queue(grader, replace(given, **change))  # type: ignore[arg-type]
    assert grader.calls == {("a", "right"): 1}


def test_instance_with_failing_or_missing_gold_is_quarantined(tmp_path: Path) -> None:
    golds = {
        "good": "right",
        "bad": "wrong",
        "refused": "refused",
        "none": " ",
        "fickle": "fickle",
        "machine": "broken",
    }
    given = plan(tmp_path, golds, dict.fromkeys(golds, "right"), check=True)
    grader = FakeGrader()
    outcome = run_queue(grader, given)
    assert outcome.quarantined == {
        "bad": "its own patch fails t",
        "refused": "its own patch does not apply",
        "none": "it has no patch of its own",
    }
    assert set(outcome.verdicts["run"]) == {"good", "fickle", "machine"}, "a machine failure caused a quarantine"
    assert grader.calls["bad", "wrong"] == 2, "a failing gold patch is graded again"
    second_grader = FakeGrader()
    assert run_queue(second_grader, given).quarantined == outcome.quarantined
    assert second_grader.calls == {("machine", "broken"): 1}, "only a machine failure is graded again"


def test_instance_is_quarantined_if_tests_pass_without_patch(tmp_path: Path) -> None:
    def passes(gold: Gold, instance: Instance, patch: str) -> GradingResult:
        return GradingResult(gold.id, True, True, f2p_ok=("t",))

    given = plan(tmp_path, {"a": "right"}, {"a": "right"}, check=True)
    outcome = GradingQueue(given, passes, Event(), print).run()
    assert outcome.quarantined == {"a": "its tests pass without any patch"}


def test_flaky_test_counts_unless_gold_flips_too(tmp_path: Path) -> None:
    golds = {"steady gold": "right", "fickle gold": "fickle"}
    grader = FakeGrader()
    outcome = run_queue(grader, plan(tmp_path, golds, dict.fromkeys(golds, "fickle"))).verdicts["run"]
    assert outcome["steady gold"].flaky == outcome["fickle gold"].flaky == ("t",)
    assert not outcome["steady gold"].resolved
    assert outcome["steady gold"].f2p_failed == ("t",)
    assert outcome["fickle gold"].f2p_failed == ()
    assert grader.calls["steady gold", "right"] == 2, "the gold patch is graded as often as the prediction"


def test_workers_grade_in_parallel(tmp_path: Path) -> None:
    names = [str(at) for at in range(4)]
    grader = FakeGrader(wait=Barrier(4, timeout=30).wait)
    outcome = run_queue(grader, plan(tmp_path, dict.fromkeys(names, "right"), dict.fromkeys(names, "right"), workers=4))
    assert len(outcome.verdicts["run"]) == 4


def test_grading_fails_if_no_workspace_is_available(tmp_path: Path) -> None:
    golds = dict.fromkeys(("a", "b"), "right")
    with pytest.raises(WorkspaceError, match="no space"):
        run_queue(FakeGrader(), plan(tmp_path, golds, dict.fromkeys(golds, "broken")))
    outcome = run_queue(FakeGrader(error=UsageError), plan(tmp_path, golds, dict.fromkeys(golds, "broken")))
    assert all(graded.error for graded in outcome.verdicts["run"].values()), "a usage error concerns one instance"


def test_cancellation_keeps_finished_verdicts(tmp_path: Path) -> None:
    golds = dict.fromkeys(("a", "b", "c"), "right")
    given = plan(tmp_path, golds, golds)
    cancel, grader = Event(), FakeGrader()
    grader.wait = lambda: grader.calls and cancel.set()  # during the second prediction
    with pytest.raises(Cancelled):
        run_queue(grader, given, cancel=cancel)
    second_grader = FakeGrader()
    run_queue(second_grader, given)
    assert grader.calls + second_grader.calls == {(name, "right"): 1 for name in golds}


def test_internal_error_affects_one_instance_only(tmp_path: Path) -> None:
    grader = FakeGrader()

    def fails(gold: Gold, instance: Instance, patch: str) -> GradingResult:
        if gold.id == "b":
            raise ZeroDivisionError("by nothing")
        return grader(gold, instance, patch)

    golds = dict.fromkeys(("a", "b", "c"), "right")
    outcome = GradingQueue(plan(tmp_path, golds, golds | {"b": "x"}), fails, Event(), print).run().verdicts["run"]
    assert outcome["b"].error == "Internal error: ZeroDivisionError: by nothing"
    assert "Traceback" in next(tmp_path.rglob("b/test_output.txt")).read_text()
    assert {"a", "c"} == set(grader.calls and [name for name, _ in grader.calls])


def test_machine_failure_stops_grading_without_verdicts(tmp_path: Path) -> None:
    golds = dict.fromkeys("abcde", "right")
    grader = FakeGrader()

    def fail_without_docker() -> None:
        raise WorkspaceError("Docker does not answer.", "Start it.")

    given = plan(tmp_path, golds, golds | dict.fromkeys("ab", "right") | dict.fromkeys("cde", "broken"))
    with pytest.raises(WorkspaceError, match="does not answer"):
        GradingQueue(given, grader, Event(), print, check=fail_without_docker).run()
    assert sum(grader.calls.values()) == 3, "the other predictions were graded"
    assert not list(tmp_path.rglob("c/graded.json"))


def test_predictions_of_one_instance_share_gold_verdict(tmp_path: Path) -> None:
    barrier = Barrier(2)
    grader = FakeGrader()

    def grade(gold: Gold, instance: Instance, patch: str) -> GradingResult:
        if patch == "right":
            with suppress(BrokenBarrierError):
                barrier.wait(0.5)
        return grader(gold, instance, patch.removesuffix("2"))

    given = plan(tmp_path, {"a": "right"}, {"a": "fickle"}, workers=2)
    given = replace(given, sets=given.sets | {"run.2": {"a": Prediction("a", "m", "fickle2")}}, repeats=3)
    messages: list[str] = []
    GradingQueue(given, grade, Event(), messages.append).run()
    assert grader.calls["a", "right"] == 3, "the gold patch is graded once for each repeat"
    assert {line.partition(": ")[0][6:] for line in messages} == {"a (run)", "a (run.2)"}


def test_same_file_can_be_written_concurrently(tmp_path: Path) -> None:
    store, started = GradingStore(tmp_path, "run"), Barrier(4)

    def put(_: int) -> None:
        started.wait(30)
        for _ in range(20):
            store.put("m", GradingResult("a", True, True, log="x" * 100_000), "key", "patch")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(put, range(4))) == [None] * 4
    assert not list(tmp_path.rglob("*.torn"))


def test_gold_as_prediction_is_graded_once(tmp_path: Path) -> None:
    grader = FakeGrader()
    outcome = run_queue(grader, plan(tmp_path, {"a": "right"}, {"a": "right"}, check=True))
    assert grader.calls == {("a", "right"): 1, ("a", ""): 1}
    assert outcome.verdicts["run"]["a"].resolved
    assert {path.name for path in (tmp_path / "logs/run_evaluation/run/m/a").iterdir()} >= {
        "graded.json",
        "report.json",
        "test_output.txt",
        "eval.sh",
    }
