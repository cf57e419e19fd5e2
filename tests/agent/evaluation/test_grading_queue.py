"""Who is graded, how often, and what one that fails means for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event, Lock

import pytest

from agent.evaluation.gold_check import Case
from agent.evaluation.grading_queue import GradingQueue, Outcome, Plan
from agent.evaluation.grading_store import GradingStore
from agent.evaluation.patch_grade import GradingResult
from agent.evaluation.predictions import Prediction
from agent.instances.dataset_instances import Gold
from agent.instances.jobs import Instance
from trajectories.errors import Cancelled, SweAgentError, UsageError, WorkspaceError
from trajectories.records import Issue


@dataclass
class Court:
    """Grades by the patch's words: `right` passes, `fickle` every second time, `broken` has no workspace."""

    times: Counter[tuple[str, str]] = field(default_factory=Counter)
    wait: Callable[[], object] = lambda: None
    error: type[SweAgentError] = WorkspaceError
    lock: Lock = field(default_factory=Lock)

    def __call__(self, gold: Gold, instance: Instance, patch: str) -> GradingResult:
        self.wait()
        with self.lock:
            self.times[gold.id, patch] += 1
            even = self.times[gold.id, patch] % 2 == 0
        if patch == "broken":
            raise self.error("There is no room.", "Make some.")
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


def carried(court: Court, what: Plan, said: list[str] | None = None, cancel: Event | None = None) -> Outcome:
    return GradingQueue(what, court, cancel or Event(), (said if said is not None else []).append).run()


def test_empty_ones_strangers_and_missing_ones_are_not_run(tmp_path: Path) -> None:
    court = Court()
    golds = dict.fromkeys(("a", "b", "c"), "right")
    found = carried(court, plan(tmp_path, golds, {"a": "right", "b": " \n", "stranger": "right"}))
    assert court.times == {("a", "right"): 1}
    assert {name: graded.resolved for name, graded in found.verdicts["run"].items()} == {"a": True}


def test_started_again_only_what_has_no_verdict_is_run(tmp_path: Path) -> None:
    golds = dict.fromkeys(("a", "b", "c"), "right")
    given = plan(tmp_path, golds, {"a": "right", "b": "wrong", "c": "broken"})
    first = carried(Court(), given)
    court, said = Court(), list[str]()
    second = carried(court, replace(given, workers=3), said)
    assert court.times == {("c", "broken"): 1}
    assert said[0] == "2 of 3 predictions are already graded."
    assert first.verdicts["run"]["b"] == second.verdicts["run"]["b"]
    assert "There is no room." in second.verdicts["run"]["c"].error


@pytest.mark.parametrize("change", [{"setup": "another"}, {"repeats": 3}])
def test_verdict_of_another_set_up_is_not_used(tmp_path: Path, change: dict[str, object]) -> None:
    given = plan(tmp_path, {"a": "right"}, {"a": "right"})
    carried(Court(), given)
    court = Court()
    carried(court, replace(given, **change))  # type: ignore[arg-type]
    assert court.times == {("a", "right"): 1}


def test_gold_that_fails_or_is_not_needed_is_quarantined_once(tmp_path: Path) -> None:
    golds = {
        "good": "right",
        "bad": "wrong",
        "refused": "refused",
        "none": " ",
        "fickle": "fickle",
        "machine": "broken",
    }
    given = plan(tmp_path, golds, dict.fromkeys(golds, "right"), check=True)
    court = Court()
    found = carried(court, given)
    assert found.quarantined == {
        "bad": "its own patch fails t",
        "refused": "its own patch does not apply",
        "none": "it has no patch of its own",
    }
    assert set(found.verdicts["run"]) == {"good", "fickle", "machine"}, "the machine's trouble is no quarantine"
    assert court.times["bad", "wrong"] == 2, "what fails is tried again"
    again = Court()
    assert carried(again, given).quarantined == found.quarantined
    assert again.times == {("machine", "broken"): 1}, "the machine may have been mended"


def test_instance_whose_tests_pass_anyway_is_quarantined(tmp_path: Path) -> None:
    def passes(gold: Gold, instance: Instance, patch: str) -> GradingResult:
        return GradingResult(gold.id, True, True, f2p_ok=("t",))

    given = plan(tmp_path, {"a": "right"}, {"a": "right"}, check=True)
    found = GradingQueue(given, passes, Event(), print).run()
    assert found.quarantined == {"a": "its tests pass without any patch"}


def test_flaky_test_counts_unless_gold_flips_too(tmp_path: Path) -> None:
    golds = {"steady gold": "right", "fickle gold": "fickle"}
    court = Court()
    found = carried(court, plan(tmp_path, golds, dict.fromkeys(golds, "fickle"))).verdicts["run"]
    assert found["steady gold"].flaky == found["fickle gold"].flaky == ("t",)
    assert not found["steady gold"].resolved
    assert found["steady gold"].f2p_failed == ("t",)
    assert found["fickle gold"].f2p_failed == ()
    assert court.times["steady gold", "right"] == 2, "gold is asked, as often as tests are tried"


def test_as_many_at_time_as_there_are_workers(tmp_path: Path) -> None:
    names = [str(at) for at in range(4)]
    court = Court(wait=Barrier(4, timeout=30).wait)
    found = carried(court, plan(tmp_path, dict.fromkeys(names, "right"), dict.fromkeys(names, "right"), workers=4))
    assert len(found.verdicts["run"]) == 4


def test_where_no_workspace_can_be_had_at_all_that_is_said(tmp_path: Path) -> None:
    golds = dict.fromkeys(("a", "b"), "right")
    with pytest.raises(WorkspaceError, match="no room"):
        carried(Court(), plan(tmp_path, golds, dict.fromkeys(golds, "broken")))
    found = carried(Court(error=UsageError), plan(tmp_path, golds, dict.fromkeys(golds, "broken")))
    assert all(graded.error for graded in found.verdicts["run"].values()), "these are the instances' own trouble"


def test_stop_keeps_what_is_done(tmp_path: Path) -> None:
    golds = dict.fromkeys(("a", "b", "c"), "right")
    given = plan(tmp_path, golds, golds)
    cancel, court = Event(), Court()
    court.wait = lambda: court.times and cancel.set()  # in the middle of the second one
    with pytest.raises(Cancelled):
        carried(court, given, cancel=cancel)
    again = Court()
    carried(again, given)
    assert court.times + again.times == {(name, "right"): 1 for name in golds}


def test_fault_of_ours_costs_one_instance_its_verdict(tmp_path: Path) -> None:
    court = Court()

    def fails(gold: Gold, instance: Instance, patch: str) -> GradingResult:
        if gold.id == "b":
            raise ZeroDivisionError("by nothing")
        return court(gold, instance, patch)

    golds = dict.fromkeys(("a", "b", "c"), "right")
    found = GradingQueue(plan(tmp_path, golds, golds | {"b": "x"}), fails, Event(), print).run().verdicts["run"]
    assert found["b"].error == "Internal error: ZeroDivisionError: by nothing"
    assert "Traceback" in next(tmp_path.rglob("b/test_output.txt")).read_text()
    assert {"a", "c"} == set(court.times and [name for name, _ in court.times])


def test_where_machine_fails_midway_nothing_is_given_up_for_it(tmp_path: Path) -> None:
    golds = dict.fromkeys("abcde", "right")
    court = Court()

    def gone() -> None:
        raise WorkspaceError("Docker does not answer.", "Start it.")

    given = plan(tmp_path, golds, golds | dict.fromkeys("ab", "right") | dict.fromkeys("cde", "broken"))
    with pytest.raises(WorkspaceError, match="does not answer"):
        GradingQueue(given, court, Event(), print, check=gone).run()
    assert sum(court.times.values()) == 3, "the others are not even tried"
    assert not list(tmp_path.rglob("c/graded.json"))


def test_predictions_of_one_instance_share_gold_s_verdict(tmp_path: Path) -> None:
    meeting = Barrier(2)
    court = Court()

    def grade(gold: Gold, instance: Instance, patch: str) -> GradingResult:
        if patch == "right":
            with suppress(BrokenBarrierError):
                meeting.wait(0.5)
        return court(gold, instance, patch.removesuffix("2"))

    given = plan(tmp_path, {"a": "right"}, {"a": "fickle"}, workers=2)
    given = replace(given, sets=given.sets | {"run.2": {"a": Prediction("a", "m", "fickle2")}}, repeats=3)
    said: list[str] = []
    GradingQueue(given, grade, Event(), said.append).run()
    assert court.times["a", "right"] == 3, "tried as often as asked, once"
    assert {line.partition(": ")[0][6:] for line in said} == {"a (run)", "a (run.2)"}


def test_files_of_same_name_are_written_at_same_time(tmp_path: Path) -> None:
    shelf, started = GradingStore(tmp_path, "run"), Barrier(4)

    def put(_: int) -> None:
        started.wait(30)
        for _ in range(20):
            shelf.put("m", GradingResult("a", True, True, log="x" * 100_000), "key", "patch")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(put, range(4))) == [None] * 4
    assert not list(tmp_path.rglob("*.torn"))


def test_gold_as_prediction_is_not_graded_twice(tmp_path: Path) -> None:
    court = Court()
    found = carried(court, plan(tmp_path, {"a": "right"}, {"a": "right"}, check=True))
    assert court.times == {("a", "right"): 1, ("a", ""): 1}
    assert found.verdicts["run"]["a"].resolved
    assert {path.name for path in (tmp_path / "logs/run_evaluation/run/m/a").iterdir()} >= {
        "graded.json",
        "report.json",
        "test_output.txt",
        "eval.sh",
    }
