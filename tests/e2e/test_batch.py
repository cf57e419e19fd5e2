"""`swe-agent batch` as a process: results, predictions, interruption and continuation."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agent.run_state.run_ownership import claim_output
from extensions.lab.batch.reports.batch_results import ResultStore
from tests.conftest import git
from tests.e2e.batch_setup import ADD_TEST, FIX, Batcher, solving_model
from tests.e2e.conftest import Machine, call
from tests.e2e.kill_runner import MODEL, account
from tests.endpoint import Answer, Endpoint

pytestmark = pytest.mark.slow

KINDS = ["local", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture
def batcher(machine: Machine, tmp_path) -> Batcher:
    machine.extra |= {"SWE_AGENT_RETRY_WAIT": "0"}
    return Batcher(machine, tmp_path)


@pytest.mark.parametrize("workspace", KINDS)
def test_batch_solves_instances_and_writes_predictions(batcher, machine, workspace):
    machine.workspace = workspace
    model = solving_model(machine)
    result = batcher.run(model)
    assert (result["returncode"], result["exits"], result["verified"]) == (0, {"plausible": 2}, 0), result
    assert (result["instances"], result["done"], result["left"]) == (2, 2, 0)
    assert result["dollars"] == pytest.approx(0.0004)
    assert {prediction["instance_id"] for prediction in batcher.predictions()} == {"people__calc-0", "people__calc-1"}
    for prediction in batcher.predictions():
        assert set(prediction) == {"instance_id", "model_name_or_path", "model_patch"}
        assert "return a + b" in prediction["model_patch"]
        assert "tests/" not in prediction["model_patch"], "the prediction has only the source part"
    assert json.loads((batcher.out / "preds.json").read_text()).keys() == {"people__calc-0", "people__calc-1"}
    second = batcher.run(model)
    assert (second["returncode"], second["done"], second["dollars"]) == (0, 2, result["dollars"])
    assert len(batcher.results()) == 2
    other = batcher.run(solving_model(machine))
    assert (other["returncode"], other["error"]["code"]) == (2, 2), "results of two models are not mixed"


def run_and_interrupt(batcher: Batcher, endpoint: Endpoint, *flags: str, times: int = 1) -> dict:
    """Run the batch, with a Ctrl-C once two requests wait for a silent model."""
    machine = batcher.machine
    process = subprocess.Popen(
        machine.command(*batcher.arguments(MODEL, *flags), "--json"),
        env=machine.environment, cwd=machine.home, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    end = time.monotonic() + 60
    while len(endpoint.requests) < 2 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    interrupted_at = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return json.loads(out) | {
        "returncode": process.returncode,
        "took": time.monotonic() - interrupted_at,
        "stderr": err,
    }


def write_model_config(machine: Machine, endpoint: Endpoint, **changes: object) -> None:
    """Write a configuration with the model at the endpoint."""
    fields = {"api_base": endpoint.openai, "price_in": 1.0, "price_out": 5.0, "max_output": 1000, **changes}
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items() if value is not None)
    (machine.home / "config.toml").write_text(f'[models."{MODEL}"]\n{lines}')


@pytest.mark.parametrize("times", [1, 2])
def test_interrupted_batch_with_silent_model_can_be_continued(batcher, machine, times):
    with Endpoint(lambda _: Answer(hang=True)) as silent:
        write_model_config(machine, silent)
        result = run_and_interrupt(batcher, silent, "--workers", "2", times=times)
    assert (result["returncode"], result["error"]["code"]) == (130, 130), result
    logging.info("Ctrl-C took %.2f s", result["took"])
    assert batcher.predictions() == []
    edits = [(action["tool"], action["arguments"]) for action in (ADD_TEST, FIX, call("submit"))]
    with Endpoint(lambda _: Answer("Both.", actions=edits)) as endpoint:
        write_model_config(machine, endpoint)
        result = batcher.run(MODEL)
    assert (result["returncode"], result["exits"]) == (0, {"plausible": 2}), result
    for folder in (batcher.out / "runs").iterdir():
        money = account(folder)
        assert money["in flight"] > 0, "requests that may have been billed before the interrupt are counted"


def test_batch_stops_at_total_and_continues_with_higher_one(batcher, machine):
    model = solving_model(machine)
    refused = batcher.run(model, "--total", 0.5)
    assert (refused["returncode"], "does not cover one instance" in refused["error"]["message"]) == (2, True)
    result = batcher.run(model, "--budget", 0.01, "--total", 0.0101, "--workers", 2)
    assert (result["returncode"], result["error"]["code"], result["done"], result["left"]) == (4, 4, 1, 1), result
    assert result["dollars"] == pytest.approx(0.0002)
    result = batcher.run(model, "--budget", 0.01, "--total", 0.02)
    assert (result["returncode"], result["done"], result["dollars"]) == (0, 2, pytest.approx(0.0004)), result


def test_total_needs_price_even_with_token_limit(batcher, machine):
    with Endpoint([]) as endpoint:
        write_model_config(machine, endpoint, price_in=None, price_out=None)
        result = batcher.run(MODEL, "--total", 10, "--max-tokens", 100_000)
    assert (result["returncode"], result["error"]["code"]) == (3, 3), result
    assert f"models.{MODEL}.price_in" in result["error"]["fix"]


def test_bad_instance_ends_with_infrastructure_error(batcher, machine):
    missing = batcher.row(1, base_commit="0" * 40)
    nowhere = batcher.row(2, instance_id="nowhere", repo=str(batcher.folder / "nowhere"))
    batcher.write_rows(batcher.row(0), missing, nowhere)
    model = solving_model(machine)
    result = batcher.run(model, "--retries", 0)
    assert (result["returncode"], result["exits"]) == (0, {"infrastructure": 2, "plausible": 1}), result
    errors = {row["instance"]: row["error"] for row in batcher.results()}
    assert "no commit" in errors["people__calc-1"]
    assert "nowhere" in errors["nowhere"]
    assert [row["instance_id"] for row in batcher.predictions()] == ["people__calc-0"]
    first = (batcher.out / "runs" / "people__calc-0" / "journal.jsonl").read_text().partition("\n")[0]
    assert json.loads(first)["settings"]["experience"] is False, "instances are independent"
    assert not (batcher.out / "experience").exists()
    second = batcher.run(model, "--retries", 0)
    assert (second["returncode"], len(batcher.results())) == (0, 5), "failed instances are retried"


def test_damaged_run_is_restarted_and_charged_its_whole_budget(batcher, machine):
    with Endpoint(lambda _: Answer(hang=True)) as silent:
        write_model_config(machine, silent)
        run_and_interrupt(batcher, silent, "--budget", "0.5")
    journal = batcher.out / "runs" / "people__calc-1" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b"not a record\n", *lines[1:]]))
    edits = [(action["tool"], action["arguments"]) for action in (ADD_TEST, FIX, call("submit"))]
    with Endpoint(lambda _: Answer("Both.", actions=edits)) as endpoint:
        write_model_config(machine, endpoint)
        result = batcher.run(MODEL, "--budget", 0.5, "--total", 5, "--workers", 1)
    assert (result["returncode"], result["exits"]) == (0, {"plausible": 2}), result
    aside = journal.parent.parent.with_name("broken") / "people__calc-1.1" / "journal.jsonl"
    assert b"not a record" in aside.read_bytes(), "the damaged run is saved"
    assert result["dollars"] == pytest.approx(sum(row["dollars"] for row in batcher.results()) + 0.5)


def test_repeats_have_separate_runs_and_predictions(batcher, machine):
    result = batcher.run(solving_model(machine), "--repeat", 2, "--filter", "calc-1")
    assert (result["returncode"], result["instances"], result["exits"]) == (0, 2, {"plausible": 2}), result
    assert sorted(path.name for path in (batcher.out / "runs").iterdir()) == ["people__calc-1", "people__calc-1.2"]
    for repeat in (1, 2):
        assert [row["instance_id"] for row in batcher.predictions(repeat)] == ["people__calc-1"]


def test_run_contains_no_part_of_solution(batcher, machine):
    batcher.run(solving_model(machine))
    files = [file for file in (batcher.out / "runs").rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if b"GOLD" in file.read_bytes()]


def test_full_stderr_does_not_affect_batch(batcher, machine):
    with Path("/dev/full").open("w") as full:
        completed = subprocess.run(
            machine.command(*batcher.arguments(solving_model(machine)), "--json"),
            env=machine.environment, cwd=machine.home, stdout=subprocess.PIPE, stderr=full, text=True, check=False,
        )  # fmt: skip
    assert (completed.returncode, json.loads(completed.stdout)["exits"]) == (0, {"plausible": 2})


def test_apply_and_branch_settings_do_not_affect_batch(batcher, machine):
    clone = batcher.folder / "clones" / "people__calc0"
    machine.extra |= {"SWE_AGENT_APPLY": "1", "SWE_AGENT_BRANCH": "fixed"}
    result = batcher.run(solving_model(machine), "--slice", "0:1")
    assert (result["returncode"], result["exits"]) == (0, {"plausible": 1}), result
    assert git(clone, "status", "--porcelain") == ""
    assert "fixed" not in git(clone, "branch", "--list")


def test_repos_option_must_be_folder(batcher, machine):
    result = batcher.run(solving_model(machine), "--repos", batcher.folder / "instances.jsonl")
    assert (result["returncode"], "is not a folder" in result["error"]["message"]) == (2, True)


def test_second_driver_is_refused_while_first_runs(batcher, machine):
    claim_output(batcher.out, machine.home / "state")
    with ResultStore(batcher.out):
        result = batcher.run(solving_model(machine))
    assert (result["returncode"], result["error"]["code"]) == (75, 75), result


def test_plain_output_shows_summary_and_path_of_predictions(batcher, machine):
    completed = machine.run(*batcher.arguments(solving_model(machine), "--plain"))
    assert completed.returncode == 0, completed.stderr
    assert "2 of 2 done for $0.0004: 2 plausible." in completed.stdout
    assert str(batcher.out / "preds.json") in completed.stdout


def test_batch_writes_reports_and_submission(batcher, machine):
    folder = batcher.folder / "submission"
    result = batcher.run(solving_model(machine), "--slice", "0:1", "--leaderboard", folder)
    assert (result["returncode"], result["exits"]) == (0, {"plausible": 1}), result
    assert "people__calc-0" in (batcher.out / "failures.html").read_text()
    assert (batcher.out / "manifest.json").exists()
    assert len((folder / "all_preds.jsonl").read_text().splitlines()) == 1
    assert {"README.md", "metadata.yaml", "trajs"} <= {path.name for path in folder.iterdir()}
    refused = batcher.run(solving_model(machine), "--leaderboard", batcher.out)
    assert refused["returncode"] == 2
