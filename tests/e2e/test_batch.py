"""`swe-agent batch` from the outside: what a user gets, and gets again when it is started again."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agent.batch.reports.batch_results import ResultStore
from agent.run_state.run_ownership import claim_output
from tests.conftest import git
from tests.e2e.batch_setup import ADD_TEST, FIX, Batcher, solving
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
def test_two_instances_end_verified_and_their_predictions_are_those_of_swe_bench(batcher, machine, workspace):
    machine.workspace = workspace
    model = solving(machine)
    told = batcher.run(model)
    assert (told["returncode"], told["exits"], told["verified"]) == (0, {"verified": 2}, 2), told
    assert (told["instances"], told["done"], told["left"]) == (2, 2, 0)
    assert told["dollars"] == pytest.approx(0.0004)
    assert {prediction["instance_id"] for prediction in batcher.predictions()} == {"people__calc-0", "people__calc-1"}
    for prediction in batcher.predictions():
        assert set(prediction) == {"instance_id", "model_name_or_path", "model_patch"}
        assert "return a + b" in prediction["model_patch"]
        assert "tests/" not in prediction["model_patch"], "the source part only"
    assert json.loads((batcher.out / "preds.json").read_text()).keys() == {"people__calc-0", "people__calc-1"}
    again = batcher.run(model)
    assert (again["returncode"], again["done"], again["dollars"]) == (0, 2, told["dollars"])
    assert len(batcher.results()) == 2
    other = batcher.run(solving(machine))
    assert (other["returncode"], other["error"]["code"]) == (2, 2), "results of two models do not go together"


def interrupted(batcher: Batcher, endpoint: Endpoint, *flags: str, times: int = 1) -> dict:
    """The batch, with a Ctrl-C once two of its requests wait for a model that says nothing."""
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
    began = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return json.loads(out) | {"returncode": process.returncode, "took": time.monotonic() - began, "stderr": err}


def has(machine: Machine, endpoint: Endpoint, **more: object) -> None:
    """A model at the endpoint, in the user's config."""
    fields = {"api_base": endpoint.openai, "price_in": 1.0, "price_out": 5.0, "max_output": 1000, **more}
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items() if value is not None)
    (machine.home / "config.toml").write_text(f'[models."{MODEL}"]\n{lines}')


@pytest.mark.parametrize("times", [1, 2])
def test_interrupt_ends_it_though_model_says_nothing_and_it_goes_on_after(batcher, machine, times):
    with Endpoint(lambda _: Answer(hang=True)) as silent:
        has(machine, silent)
        told = interrupted(batcher, silent, "--workers", "2", times=times)
    assert (told["returncode"], told["error"]["code"]) == (130, 130), told
    logging.info("Ctrl-C took %.2f s", told["took"])
    assert batcher.predictions() == []
    edits = [(action["tool"], action["arguments"]) for action in (ADD_TEST, FIX, call("submit"))]
    with Endpoint(lambda _: Answer("Both.", actions=edits)) as endpoint:
        has(machine, endpoint)
        told = batcher.run(MODEL)
    assert (told["returncode"], told["exits"]) == (0, {"verified": 2}), told
    for folder in (batcher.out / "runs").iterdir():
        money = account(folder)
        assert money["in flight"] > 0, "what may have been billed before the interrupt counts"


def test_total_ends_it_and_higher_one_goes_on(batcher, machine):
    model = solving(machine)
    refused = batcher.run(model, "--total", 0.5)
    assert (refused["returncode"], "does not cover one instance" in refused["error"]["message"]) == (2, True)
    told = batcher.run(model, "--budget", 0.01, "--total", 0.0101, "--workers", 2)
    assert (told["returncode"], told["error"]["code"], told["done"], told["left"]) == (4, 4, 1, 1), told
    assert told["dollars"] == pytest.approx(0.0002)
    told = batcher.run(model, "--budget", 0.01, "--total", 0.02)
    assert (told["returncode"], told["done"], told["dollars"]) == (0, 2, pytest.approx(0.0004)), told


def test_total_needs_price_whatever_else_bounds_run(batcher, machine):
    with Endpoint([]) as endpoint:
        has(machine, endpoint, price_in=None, price_out=None)
        told = batcher.run(MODEL, "--total", 10, "--max-tokens", 100_000)
    assert (told["returncode"], told["error"]["code"]) == (3, 3), told
    assert f"models.{MODEL}.price_in" in told["error"]["fix"]


def test_what_is_wrong_with_instance_is_what_it_comes_to(batcher, machine):
    missing = batcher.row(1, base_commit="0" * 40)
    nowhere = batcher.row(2, instance_id="nowhere", repo=str(batcher.folder / "nowhere"))
    batcher.rows(batcher.row(0), missing, nowhere)
    model = solving(machine)
    told = batcher.run(model, "--retries", 0)
    assert (told["returncode"], told["exits"]) == (0, {"infrastructure": 2, "verified": 1}), told
    errors = {one["instance"]: one["error"] for one in batcher.results()}
    assert "no commit" in errors["people__calc-1"]
    assert "nowhere" in errors["nowhere"]
    assert [one["instance_id"] for one in batcher.predictions()] == ["people__calc-0"]
    first = (batcher.out / "runs" / "people__calc-0" / "journal.jsonl").read_text().partition("\n")[0]
    assert json.loads(first)["settings"]["experience"] is False, "what one comes to depends on no other"
    assert not (batcher.out / "experience").exists()
    again = batcher.run(model, "--retries", 0)
    assert (again["returncode"], len(batcher.results())) == (0, 5), "they are tried again"


def test_damaged_run_is_begun_anew_and_counts_as_whole_lease(batcher, machine):
    with Endpoint(lambda _: Answer(hang=True)) as silent:
        has(machine, silent)
        interrupted(batcher, silent, "--budget", "0.5")
    journal = batcher.out / "runs" / "people__calc-1" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b"not a record\n", *lines[1:]]))
    edits = [(action["tool"], action["arguments"]) for action in (ADD_TEST, FIX, call("submit"))]
    with Endpoint(lambda _: Answer("Both.", actions=edits)) as endpoint:
        has(machine, endpoint)
        told = batcher.run(MODEL, "--budget", 0.5, "--total", 5, "--workers", 1)
    assert (told["returncode"], told["exits"]) == (0, {"verified": 2}), told
    aside = journal.parent.parent.with_name("broken") / "people__calc-1.1" / "journal.jsonl"
    assert b"not a record" in aside.read_bytes(), "nothing is lost"
    assert told["dollars"] == pytest.approx(sum(one["dollars"] for one in batcher.results()) + 0.5)


def test_repeats_are_runs_and_predictions_of_their_own(batcher, machine):
    told = batcher.run(solving(machine), "--repeat", 2, "--filter", "calc-1")
    assert (told["returncode"], told["instances"], told["exits"]) == (0, 2, {"verified": 2}), told
    assert sorted(path.name for path in (batcher.out / "runs").iterdir()) == ["people__calc-1", "people__calc-1.2"]
    for repeat in (1, 2):
        assert [one["instance_id"] for one in batcher.predictions(repeat)] == ["people__calc-1"]


def test_no_part_of_solution_is_in_run(batcher, machine):
    batcher.run(solving(machine))
    files = [file for file in (batcher.out / "runs").rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if b"GOLD" in file.read_bytes()]


def test_stderr_that_takes_nothing_costs_nothing(batcher, machine):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            machine.command(*batcher.arguments(solving(machine)), "--json"),
            env=machine.environment, cwd=machine.home, stdout=subprocess.PIPE, stderr=full, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["exits"]) == (0, {"verified": 2})


def test_what_user_has_set_for_runs_does_nothing_to_repositories_of_batch(batcher, machine):
    clone = batcher.folder / "clones" / "people__calc0"
    machine.extra |= {"SWE_AGENT_APPLY": "1", "SWE_AGENT_BRANCH": "fixed"}
    told = batcher.run(solving(machine), "--slice", "0:1")
    assert (told["returncode"], told["exits"]) == (0, {"verified": 1}), told
    assert git(clone, "status", "--porcelain") == ""
    assert "fixed" not in git(clone, "branch", "--list")


def test_repos_that_is_file(batcher, machine):
    told = batcher.run(solving(machine), "--repos", batcher.folder / "instances.jsonl")
    assert (told["returncode"], "is not a folder" in told["error"]["message"]) == (2, True)


def test_second_driver_is_told_to_wait(batcher, machine):
    claim_output(batcher.out, machine.home / "state")
    with ResultStore(batcher.out):
        told = batcher.run(solving(machine))
    assert (told["returncode"], told["error"]["code"]) == (75, 75), told


def test_person_is_told_how_it_ended_and_where_predictions_are(batcher, machine):
    done = machine.run(*batcher.arguments(solving(machine), "--plain"))
    assert done.returncode == 0, done.stderr
    assert "2 of 2 done for $0.0004: 2 verified." in done.stdout
    assert str(batcher.out / "preds.json") in done.stdout


def test_what_batch_leaves_for_those_who_look_at_it(batcher, machine):
    folder = batcher.folder / "submission"
    told = batcher.run(solving(machine), "--slice", "0:1", "--leaderboard", folder)
    assert (told["returncode"], told["exits"]) == (0, {"verified": 1}), told
    assert "people__calc-0" in (batcher.out / "failures.html").read_text()
    assert (batcher.out / "manifest.json").exists()
    assert len((folder / "all_preds.jsonl").read_text().splitlines()) == 1
    assert {"README.md", "metadata.yaml", "trajs"} <= {path.name for path in folder.iterdir()}
    same = batcher.run(solving(machine), "--leaderboard", batcher.out)
    assert same["returncode"] == 2
