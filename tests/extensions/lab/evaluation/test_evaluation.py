"""An evaluation as a whole: its workspace, and grades that are never mixed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.config.settings import Settings
from extensions.lab.evaluation.evaluation import EvaluateOptions, _with_workspace, evaluate
from extensions.lab.evaluation.gold_check import Case
from extensions.lab.evaluation.grading_store import GradingStore
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance
from trajectories.errors import UsageError
from trajectories.records import Issue


@pytest.fixture(autouse=True)
def without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Docker on which a sandbox works."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    monkeypatch.delenv("SWE_AGENT_WORKSPACE", raising=False)
    monkeypatch.setattr("aci.runtime.sandbox_availability.sandbox_error", lambda: None)


def cases(image: str = "") -> dict[str, Case]:
    return {"i": Case(Gold("i", "", "", (), (), {}), Instance("i", "us/code", "", Issue("It fails", ""), image=image))}


def grade(out: Path, workspace: str) -> None:
    GradingStore(out, "run").put("m", GradingResult("i", True, True, workspace=workspace), "key", "patch")


def test_sandbox_is_chosen_without_docker(tmp_path: Path) -> None:
    said: list[str] = []
    assert _with_workspace(Settings(), tmp_path, cases(), said.append).workspace == "sandbox"
    assert said == ["Docker does not answer, so commands run in a bubblewrap sandbox."]
    assert _with_workspace(Settings(), tmp_path, cases("theirs:1"), pytest.fail).workspace == "docker"


@pytest.mark.parametrize("workspace", ["docker", "sandbox", "local"])
def test_evaluation_keeps_the_workspace_of_its_verdicts(workspace: str, tmp_path: Path) -> None:
    grade(tmp_path, workspace)
    if workspace == "local":  # the folder may come from somebody else
        with pytest.raises(UsageError, match="does not isolate"):
            _with_workspace(Settings(), tmp_path, cases(), pytest.fail)
        assert _with_workspace(Settings(workspace="local"), tmp_path, cases(), pytest.fail).workspace == "local"
    else:
        assert _with_workspace(Settings(), tmp_path, cases(), pytest.fail).workspace == workspace
    others = {"docker", "sandbox", "local"} - {workspace}
    for other in others:
        with pytest.raises(UsageError, match=f"come from the workspace {workspace}"):
            _with_workspace(Settings.model_validate({"workspace": other}), tmp_path, cases(), pytest.fail)


@pytest.mark.parametrize("named", [{}, {"workspace": "docker"}, {"workspace": "local"}])
def test_verdicts_of_an_unknown_workspace_are_refused(named: dict[str, str], tmp_path: Path) -> None:
    grade(tmp_path, "nonsense")
    with pytest.raises(UsageError, match="names a workspace that does not exist: 'nonsense'") as error:
        _with_workspace(Settings.model_validate(named), tmp_path, cases(), pytest.fail)
    assert "--workspace nonsense" not in error.value.fix


def test_verdicts_of_earlier_versions_do_not_bind(tmp_path: Path) -> None:
    grade(tmp_path, "")
    for workspace in ("docker", "local"):
        given = Settings.model_validate({"workspace": workspace})
        assert _with_workspace(given, tmp_path, cases(), pytest.fail).workspace == workspace


def test_images_are_confirmed_before_the_first_grading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    row = {"repo": "us/code", "problem_statement": "It fails", "image": "theirs:1", "test": "true", "patch": "P"}
    rows, predictions = tmp_path / "rows.jsonl", tmp_path / "all_preds.jsonl"
    rows.write_text("".join(json.dumps({"instance_id": name, **row}) + "\n" for name in ("a-1", "b-2", "c-3")))
    patches = {"a-1": "PATCH", "b-2": ""}.items()
    texts = [
        json.dumps({"instance_id": name, "model_name_or_path": "m", "model_patch": patch}) for name, patch in patches
    ]
    predictions.write_text("\n".join(texts) + "\n")
    counts: list[int] = []

    def refuse(count: int) -> None:
        counts.append(count)
        raise UsageError("Nothing was pulled.")

    for gold in (False, True):
        out = tmp_path / f"out-{gold}"
        asked = EvaluateOptions((rows,), str(predictions), out, gold=gold, before_images=refuse)
        with pytest.raises(UsageError, match="Nothing was pulled"):
            evaluate(asked, lambda _: None)
    assert counts == [1, 3]
