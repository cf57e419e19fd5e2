"""Evaluation reports: outcome counts, rates, and output without control characters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from extensions.lab.evaluation.confidence_intervals import wilson
from extensions.lab.evaluation.evaluation_report import (
    check_same_workspace,
    compare_reports,
    count_outcomes,
    outcomes,
    read_outcomes,
    run_report,
    summary,
    write,
)
from extensions.lab.evaluation.evaluation_table import show
from extensions.lab.evaluation.gold_check import Case
from extensions.lab.evaluation.grading_queue import Outcome, Plan
from extensions.lab.evaluation.grading_store import GradingStore
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.evaluation.prediction_comparison import compare
from extensions.lab.evaluation.predictions import Prediction
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance
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


def create_plan(out: Path) -> Plan:
    cases = {
        name: Case(
            Gold(name, "p", "", (), (), {}),
            Instance(name, "us/a" if name < "o" else "us/b", "", Issue("It fails", "", "user")),
        )
        for name in IDS
    }
    return Plan(out, cases, {"run": PREDICTIONS}, "")


def test_each_instance_is_counted_in_one_category() -> None:
    counts = count_outcomes("run", PREDICTIONS, IDS, VERDICTS)
    assert (counts.resolved, counts.unresolved) == (("right",), ("wrong",))
    assert (counts.empty, counts.missing, counts.errors) == (("empty",), ("missing",), ("broken", "refused"))
    assert counts.flaky == {"right": ("t",)}
    assert counts.file == "us__m.run.json"
    report = run_report(counts)
    assert report["total_instances"] == 6
    assert report["submitted_instances"] == 5
    assert report["completed_ids"] == ["right", "wrong"]
    assert "quarantined_ids" not in report
    assert all(
        report[f"{name}_instances"] == len(report[f"{name}_ids"]) for name in ("resolved", "empty_patch", "error")
    )


def test_rates_cover_all_instances_that_are_not_quarantined(tmp_path: Path) -> None:
    totals = summary(
        create_plan(tmp_path), Outcome({}, {"odd": "why"}), [count_outcomes("run", PREDICTIONS, IDS, VERDICTS)]
    )
    assert (totals["resolved"], totals["total"], totals["rate"]) == (1, 6, 1 / 6)
    assert totals["interval"] == [wilson(1, 6).low, wilson(1, 6).high]
    assert {repo: (row["resolved"], row["total"]) for repo, row in totals["repositories"].items()} == {
        "us/a": (0, 3),
        "us/b": (1, 3),
    }
    assert totals["repeats"] is None


def test_rate_is_none_if_all_instances_are_quarantined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    totals = summary(
        create_plan(tmp_path), Outcome({}, dict.fromkeys(IDS, "why")), [count_outcomes("run", PREDICTIONS, [], {})]
    )
    assert (totals["total"], totals["rate"], totals["interval"]) == (0, None, None)
    show(totals, plain=True)
    assert "Quarantined, not counted: 6" in capsys.readouterr().out


def test_repeats_are_averaged(tmp_path: Path) -> None:
    runs = [count_outcomes("run", PREDICTIONS, IDS, VERDICTS), count_outcomes("run.2", PREDICTIONS, IDS, {})]
    totals = summary(create_plan(tmp_path), Outcome({}, {}), runs)
    assert (totals["resolved"], totals["rate"]) == (0.5, 1 / 12)
    assert totals["repeats"]["rates"] == [1 / 6, 0.0]
    assert totals["repeats"]["pass_at"] == {"1": pytest.approx(1 / 12), "2": pytest.approx(1 / 6)}
    assert outcomes(runs)["right"] == [True, False]
    assert "missing" not in outcomes(runs)


def test_outcomes_are_read_from_complete_reports_only(tmp_path: Path) -> None:
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


def test_output_contains_no_control_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = "[bold]\x1b[2J\x07odd"
    counts = count_outcomes("run", {"right": Prediction("right", odd, "p")}, ["right"], VERDICTS)
    outcome = Outcome({}, {f"q{at}\x1b]0;x\x07": odd for at in range(12)})
    totals = summary(create_plan(tmp_path), outcome, [counts])
    totals["comparison"] = compare_reports(
        compare({"right": [False]}, {"right": [True]}, {"right": 2.0}, {"right": 1.0}), odd
    )
    show(totals, plain=True)
    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert "\x07" not in output
    assert "[bold]odd" in output, "markup is not shown as text"
    assert "and 2 more, listed in the report" in output
    assert "+100.0 points" in output
    assert "$1.0000 an instance against $2.0000" in output
    assert (tmp_path / counts.file).parent == tmp_path


def test_unwritable_report_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="cannot be written"):
        write(tmp_path / "nowhere" / "report.json", {})


UNJUDGED = {name: GradingResult(name, False, False, error="No space.", infrastructure=True) for name in PREDICTIONS}


def summarize(out: Path, verdicts: dict[str, GradingResult]) -> dict[str, object]:
    plan = create_plan(out)
    return summary(plan, Outcome({"run": verdicts}, {}), [count_outcomes("run", PREDICTIONS, IDS, verdicts)])


def test_predictions_without_verdict_are_counted_beside_the_rate(tmp_path: Path) -> None:
    totals = summarize(tmp_path, VERDICTS)
    assert (totals["no_verdict"], totals["total"], totals["rate"]) == (1, 6, 1 / 6), "they stay in the denominator"
    assert totals["environment_failures"] == 0, "the tests did not end"
    totals = summarize(tmp_path, VERDICTS | {"broken": UNJUDGED["broken"]})
    assert (totals["no_verdict"], totals["rate"], totals["environment_failures"]) == (1, 1 / 6, 1)


def test_no_rate_is_shown_if_nothing_was_graded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    totals = summarize(tmp_path, UNJUDGED)
    assert (totals["resolved"], totals["total"], totals["no_verdict"]) == (0, 6, 4)
    assert (totals["rate"], totals["interval"], totals["environment_failures"]) == (None, None, 5)
    show(totals, plain=True)
    output = capsys.readouterr().out
    assert "%" not in output.replace("95 %", "")
    assert "No verdict: 4" in output
    assert "does not apply" not in output


def test_rate_of_a_repository_needs_one_verdict(tmp_path: Path) -> None:
    totals = summarize(tmp_path, UNJUDGED | {"right": VERDICTS["right"]})
    rates = {repo: row["rate"] for repo, row in totals["repositories"].items()}  # type: ignore[attr-defined]
    assert rates == {"us/a": None, "us/b": 1 / 3}
    assert totals["rate"] == 1 / 6


def test_empty_and_refused_patches_are_judged(tmp_path: Path) -> None:
    empty = {name: Prediction(name, "m", "") for name in IDS}
    totals = summary(create_plan(tmp_path), Outcome({"run": {}}, {}), [count_outcomes("run", empty, IDS, {})])
    assert (totals["rate"], totals["no_verdict"]) == (0.0, 0)
    assert summarize(tmp_path, UNJUDGED | {"refused": VERDICTS["refused"]})["rate"] == 0.0


def graded_earlier(out: Path, workspace: str = "") -> Path:
    """Return a run report and leave its verdicts beside it, as a version did that recorded no workspace."""
    counts = count_outcomes("run", PREDICTIONS, IDS, VERDICTS)
    store = GradingStore(out, "run")
    for graded in VERDICTS.values():
        store.put("us/m", replace(graded, workspace=workspace), "key", "p")
    for file in out.rglob("graded.json"):
        row = json.loads(file.read_text())
        file.write_text(json.dumps(row if workspace else {name: row[name] for name in row if name != "workspace"}))
    write(out / counts.file, run_report(counts))
    return out / counts.file


@pytest.mark.parametrize("workspace", ["docker", "sandbox", "local"])
@pytest.mark.parametrize("is_listed", [False, True])
def test_report_of_an_earlier_version_is_not_compared(workspace: str, is_listed: bool, tmp_path: Path) -> None:
    report = graded_earlier(tmp_path)
    if is_listed:
        write(tmp_path / "evaluation.json", summarize(tmp_path, VERDICTS))
    with pytest.raises(UsageError, match="did not record their workspace"):
        check_same_workspace(report, workspace)


@pytest.mark.parametrize("workspace", ["docker", "sandbox", "local"])
def test_files_of_an_evaluation_say_which_workspace_its_report_has(workspace: str, tmp_path: Path) -> None:
    by_verdicts = graded_earlier(tmp_path / "verdicts", workspace)
    by_summary = graded_earlier(tmp_path / "summary")
    write(by_summary.parent / "evaluation.json", summarize(by_summary.parent, VERDICTS) | {"workspace": workspace})
    link = tmp_path / "link.json"
    link.symlink_to(by_summary)
    for report in (by_verdicts, by_summary, link):
        check_same_workspace(report, workspace)
        with pytest.raises(UsageError, match=f"come from the workspace {workspace}"):
            check_same_workspace(report, "sandbox" if workspace == "local" else "local")


def test_report_of_the_harness_comes_from_images(tmp_path: Path) -> None:
    """The folder may also have evaluations of swe-agent, but not of these predictions."""
    ours = graded_earlier(tmp_path)
    write(tmp_path / "evaluation.json", summarize(tmp_path, VERDICTS) | {"workspace": "local"})
    theirs = tmp_path / "us__m.theirs.json"
    theirs.write_bytes(ours.read_bytes())
    (tmp_path / "logs/run_evaluation/theirs/us__m/right").mkdir(parents=True)
    (tmp_path / "logs/run_evaluation/theirs/us__m/right/report.json").write_text("{}")
    check_same_workspace(theirs, "docker")


@pytest.mark.parametrize("workspace", ["sandbox", "local"])
def test_grades_that_are_not_from_images_are_marked(
    workspace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = count_outcomes("run", PREDICTIONS, IDS, VERDICTS)
    assert "workspace" not in run_report(counts), "the harness's own format"
    write(tmp_path / "images.json", run_report(counts))
    write(tmp_path / "report.json", run_report(counts, workspace=workspace))
    check_same_workspace(tmp_path / "report.json", workspace)
    check_same_workspace(tmp_path / "images.json", "docker")
    for name, other in (("report.json", "docker"), ("images.json", workspace)):
        with pytest.raises(UsageError, match="not comparable"):
            check_same_workspace(tmp_path / name, other)
    show(summarize(tmp_path, VERDICTS) | {"workspace": workspace}, plain=True)
    assert f"Graded in the workspace {workspace}, not in the images" in capsys.readouterr().out
