"""What is counted as what, how rates are told, and that no name drives a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.evaluation.confidence_intervals import wilson
from agent.evaluation.evaluation_report import (
    compare_reports,
    count_outcomes,
    outcomes,
    read_outcomes,
    run_report,
    summary,
    write,
)
from agent.evaluation.evaluation_table import show
from agent.evaluation.gold_check import Case
from agent.evaluation.grading_queue import Outcome, Plan
from agent.evaluation.patch_grade import GradingResult
from agent.evaluation.prediction_comparison import compare
from agent.evaluation.predictions import Prediction
from agent.instances.dataset_instances import Gold
from agent.instances.jobs import Instance
from trajectories.errors import UsageError, WorkspaceError
from trajectories.records import Issue

IDS = ["right", "wrong", "empty", "missing", "broken", "refused"]
PREDICTIONS = {name: Prediction(name, "us/m", "" if name == "empty" else "p") for name in IDS if name != "missing"}
VERDICTS = {
    "right": GradingResult("right", True, True, flaky=("t",)),
    "wrong": GradingResult("wrong", False, True),
    "broken": GradingResult("broken", False, True, error="The tests did not end."),
    "refused": GradingResult("refused", False, False),
}


def a_plan(out: Path) -> Plan:
    cases = {
        name: Case(
            Gold(name, "p", "", (), (), {}),
            Instance(name, "us/a" if name < "o" else "us/b", "", Issue("It fails", "", "user")),
        )
        for name in IDS
    }
    return Plan(out, cases, {"run": PREDICTIONS}, "")


def test_each_instance_is_counted_as_one_thing() -> None:
    found = count_outcomes("run", PREDICTIONS, IDS, VERDICTS)
    assert (found.resolved, found.unresolved) == (("right",), ("wrong",))
    assert (found.empty, found.missing, found.errors) == (("empty",), ("missing",), ("broken", "refused"))
    assert found.flaky == {"right": ("t",)}
    assert found.file == "us__m.run.json"
    report = run_report(found)
    assert report["total_instances"] == 6
    assert report["submitted_instances"] == 5
    assert report["completed_ids"] == ["right", "wrong"]
    assert "quarantined_ids" not in report
    assert all(
        report[f"{name}_instances"] == len(report[f"{name}_ids"]) for name in ("resolved", "empty_patch", "error")
    )


def test_rates_are_of_all_that_is_not_quarantined(tmp_path: Path) -> None:
    told = summary(a_plan(tmp_path), Outcome({}, {"odd": "why"}), [count_outcomes("run", PREDICTIONS, IDS, VERDICTS)])
    assert (told["resolved"], told["total"], told["rate"]) == (1, 6, 1 / 6)
    assert told["interval"] == [wilson(1, 6).low, wilson(1, 6).high]
    assert {repo: (row["resolved"], row["total"]) for repo, row in told["repositories"].items()} == {
        "us/a": (0, 3),
        "us/b": (1, 3),
    }
    assert told["repeats"] is None


def test_with_everything_in_quarantine_there_is_no_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = summary(
        a_plan(tmp_path), Outcome({}, dict.fromkeys(IDS, "why")), [count_outcomes("run", PREDICTIONS, [], {})]
    )
    assert (told["total"], told["rate"], told["interval"]) == (0, None, None)
    show(told, plain=True)
    assert "Quarantined, not counted: 6" in capsys.readouterr().out


def test_several_repeats_are_mean(tmp_path: Path) -> None:
    runs = [count_outcomes("run", PREDICTIONS, IDS, VERDICTS), count_outcomes("run.2", PREDICTIONS, IDS, {})]
    told = summary(a_plan(tmp_path), Outcome({}, {}), runs)
    assert (told["resolved"], told["rate"]) == (0.5, 1 / 12)
    assert told["repeats"]["rates"] == [1 / 6, 0.0]
    assert told["repeats"]["pass_at"] == {"1": pytest.approx(1 / 12), "2": pytest.approx(1 / 6)}
    assert outcomes(runs)["right"] == [True, False]
    assert "missing" not in outcomes(runs)


def test_report_tells_outcomes_and_other_files_do_not(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write(path, run_report(count_outcomes("run", PREDICTIONS, IDS, VERDICTS)))
    assert read_outcomes(path) == {name: [name == "right"] for name in PREDICTIONS}
    for other in ("{}", "[]", "rubbish"):
        path.write_text(other)
        assert read_outcomes(path) is None
    assert read_outcomes(tmp_path) is None
    path.write_text(json.dumps({"resolved_ids": []}))
    with pytest.raises(UsageError, match="not a complete run report"):
        read_outcomes(path)


def test_no_name_drives_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = "[bold]\x1b[2J\x07odd"
    found = count_outcomes("run", {"right": Prediction("right", odd, "p")}, ["right"], VERDICTS)
    outcome = Outcome({}, {f"q{at}\x1b]0;x\x07": odd for at in range(12)})
    told = summary(a_plan(tmp_path), outcome, [found])
    told["comparison"] = compare_reports(
        compare({"right": [False]}, {"right": [True]}, {"right": 2.0}, {"right": 1.0}), odd
    )
    show(told, plain=True)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "[bold]odd" in said, "markup is text"
    assert "and 2 more, listed in the report" in said
    assert "+100.0 points" in said
    assert "$1.0000 an instance against $2.0000" in said
    assert (tmp_path / found.file).parent == tmp_path


def test_report_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="cannot be written"):
        write(tmp_path / "nowhere" / "report.json", {})
