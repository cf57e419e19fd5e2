"""Results of a batch on disk: complete whenever the driver is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.run_state.run_ownership import claim_output
from extensions.lab.batch.reports import prediction_files
from extensions.lab.batch.reports.batch_results import ResultStore, decode, encode, load_results
from extensions.lab.batch.reports.failure_report import write_failures
from extensions.lab.instances.jobs import JobResult
from trajectories.errors import RunBroken, TryLater, WorkspaceError

ROOT = Path(__file__).resolve().parents[5]


def job_result(instance: str = "a", repeat: int = 1, **more: object) -> JobResult:
    run = instance if repeat == 1 else f"{instance}.{repeat}"
    result = JobResult(instance, repeat, run, 0, "verified", "verified", f"patch of {run}\n", 0.25, at=1.5)
    return replace(result, **more)  # type: ignore[arg-type]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_predictions(out: Path) -> dict[str, dict[str, object]]:
    """Read the predictions; both files must contain the same instances, each once."""
    listed = lines(out / "all_preds.jsonl")
    whole = json.loads((out / "preds.json").read_text())
    assert {row["instance_id"]: row for row in listed} == whole
    assert len(listed) == len(whole)
    return dict(whole)


# Stored results


def test_added_results_are_read_back(tmp_path: Path) -> None:
    first, second = job_result("a"), job_result("b", patch="", kind="infrastructure", dollars=None, error="No space.")
    with ResultStore(tmp_path) as store:
        assert store.add(first, "m")
        assert store.add(second, "m")
    with ResultStore(tmp_path) as store:
        assert (store.done, store.failed) == ({"a": replace(first, patch="")}, {"b": second})
    assert load_results(tmp_path) == [first, second]
    assert read_predictions(tmp_path) == {
        "a": {"instance_id": "a", "model_name_or_path": "m", "model_patch": "patch of a\n"},
    }


def test_infrastructure_failure_has_no_prediction_until_solved(tmp_path: Path) -> None:
    lost = job_result("a", kind="infrastructure", code=5, patch="half of it")
    with ResultStore(tmp_path) as store:
        assert store.add(lost, "m")
        assert store.add(lost, "m")
    with ResultStore(tmp_path) as store:
        assert (list(store.done), list(store.failed)) == ([], ["a"])
        assert read_predictions(tmp_path) == {}
        assert load_results(tmp_path) == [lost]
        assert store.add(job_result("a"), "m")
        assert not store.add(lost, "m")
    assert load_results(tmp_path) == [job_result("a")], "the newest line of a run counts"
    assert len(lines(tmp_path / "results.jsonl")) == 3
    (tmp_path / "all_preds.jsonl").unlink()
    with ResultStore(tmp_path) as store:
        assert (list(store.done), list(store.failed)) == (["a"], [])
    assert read_predictions(tmp_path)["a"]["model_patch"] == "patch of a\n"


def test_repeats_have_separate_predictions(tmp_path: Path) -> None:
    with ResultStore(tmp_path) as store:
        for repeat in (2, 1, 3):
            store.add(job_result("a", repeat), "m")
    for repeat, folder in ((1, tmp_path), (2, tmp_path / "repeat-2"), (3, tmp_path / "repeat-3")):
        assert [row["model_patch"] for row in read_predictions(folder).values()] == [job_result("a", repeat).patch]


def test_first_result_of_run_is_final(tmp_path: Path) -> None:
    with ResultStore(tmp_path) as store:
        assert store.add(job_result(), "m")
        assert not store.add(job_result(patch="another"), "m")
    assert load_results(tmp_path) == [job_result()]
    assert read_predictions(tmp_path)["a"]["model_patch"] == "patch of a\n"


def test_empty_batch_has_no_predictions(tmp_path: Path) -> None:
    ResultStore(tmp_path).close()
    assert read_predictions(tmp_path) == {}
    assert load_results(tmp_path) == []
    assert load_results(tmp_path / "nowhere") == []


@given(st.text(st.characters(codec="utf-8") | st.characters(categories=["Cs"])), st.none() | st.floats(0, 9))
def test_line_encodes_whole_result(text: str, dollars: float | None) -> None:
    result = job_result(patch=text, error=text.encode("utf-8", "replace").decode(), dollars=dollars)
    line = encode(result, "m")
    assert decode(line) == (result, "m")
    assert line.count(b"\n") == 1


def test_invalid_result_is_not_written(tmp_path: Path) -> None:
    with ResultStore(tmp_path) as store:
        with pytest.raises(ValueError, match="validation error"):
            store.add(job_result(code="x"), "m")
        assert store.done == {}
    assert (tmp_path / "results.jsonl").read_bytes() == b""


def test_threads_can_share_store(tmp_path: Path) -> None:
    with ResultStore(tmp_path) as store, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda number: store.add(job_result(f"i{number}"), "m"), range(100)))
    assert (
        set(read_predictions(tmp_path))
        == {f"i{number}" for number in range(100)}
        == {d.run for d in load_results(tmp_path)}
    )


def test_second_driver_is_refused(tmp_path: Path) -> None:
    with ResultStore(tmp_path), pytest.raises(TryLater, match="Another process works on the batch"):
        ResultStore(tmp_path)
    ResultStore(tmp_path).close()


def test_file_in_place_of_folder_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        ResultStore(tmp_path / "a")


# After a crash


@pytest.fixture
def three_results(tmp_path: Path) -> Path:
    """A batch with three results."""
    with ResultStore(tmp_path / "out") as store:
        for name in "abc":
            store.add(job_result(name), "m")
    return tmp_path / "out"


@pytest.mark.parametrize("name", ["results.jsonl", "all_preds.jsonl"])
@pytest.mark.parametrize("rest", [1, 17, 40])
def test_incomplete_last_line_is_removed(three_results: Path, name: str, rest: int) -> None:
    data = (three_results / name).read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1
    (three_results / name).write_bytes(data[: start + rest])
    if name == "results.jsonl":  # its prediction was not yet written either
        whole = (three_results / "all_preds.jsonl").read_bytes()
        (three_results / "all_preds.jsonl").write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    (three_results / "preds.json").unlink()
    with ResultStore(three_results) as store:
        assert set(store.done) == set("ab") | (set("c") if name == "all_preds.jsonl" else set())
        store.add(job_result("c"), "m")
    assert set(read_predictions(three_results)) == set("abc")
    assert load_results(three_results) == [job_result(name) for name in "abc"]


@pytest.mark.parametrize("left", [0, 1, 2])
def test_predictions_missing_after_crash_are_added(three_results: Path, left: int) -> None:
    before = read_predictions(three_results)
    whole = (three_results / "all_preds.jsonl").read_bytes().splitlines(keepends=True)
    (three_results / "all_preds.jsonl").write_bytes(b"".join(whole[:left]))
    (three_results / "preds.json").write_text("{}")
    ResultStore(three_results).close()
    assert read_predictions(three_results) == before


@pytest.mark.parametrize("name", ["results.jsonl", "all_preds.jsonl"])
@pytest.mark.parametrize("damage", [b"\0" * 10, b"{}", b"[1]", b'{"instance_id": 7}', b"{", b"twice"])
def test_damage_before_last_line_is_reported_without_changes(three_results: Path, name: str, damage: bytes) -> None:
    whole = (three_results / name).read_bytes().splitlines()
    whole[1] = whole[0] if damage == b"twice" else damage
    (three_results / name).write_bytes(b"\n".join([*whole, b""]))
    before = {path.name: path.read_bytes() for path in three_results.iterdir()}
    with pytest.raises(RunBroken, match=rf"Line 2 of .*{name} is damaged and is not the last line\."):
        ResultStore(three_results)
    assert {path.name: path.read_bytes() for path in three_results.iterdir()} == before
    with pytest.raises(RunBroken):  # the lock was released
        ResultStore(three_results)


def test_predictions_that_differ_from_results_are_rejected(three_results: Path) -> None:
    for index in range(3):
        whole = (three_results / "all_preds.jsonl").read_bytes()
        patch = b"patch of " + b"abc"[index : index + 1]
        assert patch in whole
        (three_results / "all_preds.jsonl").write_bytes(whole.replace(patch, b"their patch"))
        with pytest.raises(RunBroken, match=r"in .*all_preds\.jsonl differs from its result's patch\.") as raised:
            ResultStore(three_results)
        assert raised.value.fix == "Remove this file; it is written again from the results."
        (three_results / "all_preds.jsonl").unlink()
        ResultStore(three_results).close()
        assert read_predictions(three_results)["abc"[index]]["model_patch"] == f"{patch.decode()}\n"


def test_prediction_without_result_is_rejected(three_results: Path) -> None:
    (three_results / "results.jsonl").unlink()
    with pytest.raises(RunBroken, match=r"has a prediction for a, but .*results\.jsonl has no result for it"):
        ResultStore(three_results)


ADDING = """
import os
import sys
from pathlib import Path
from threading import Thread
from extensions.lab.batch.reports import prediction_files
from extensions.lab.batch.reports.failure_report import write_failures
from extensions.lab.instances.jobs import JobResult
from extensions.lab.batch.reports.batch_results import ResultStore
from agent.run_state.run_ownership import claim_output

prediction_files.PAUSE = prediction_files.SHARE = 1e-9 if sys.argv[2] == "often" else 1.0
out = Path(sys.argv[1])
store = ResultStore(out, claim_output(out, out.with_name("state")))
print(len(store.done), flush=True)

def work(thread):
    for number in range(4000):
        for repeat in (1, 2):
            name = f"{thread}-{number}"
            run = name if repeat == 1 else f"{name}.2"
            if run not in store.done:
                store.add(JobResult(name, repeat, run, 0, "verified", "verified", f"patch {run}\\n" * 50, 0.25), "m")
                os.write(1, f"{run}\\n".encode())  # one write, so that lines of threads do not mix

threads = [Thread(target=work, args=(number,), daemon=True) for number in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.mark.slow
@pytest.mark.parametrize("often", ["often", "seldom"])
def test_killed_driver_leaves_complete_records(tmp_path: Path, often: str) -> None:
    """The driver is killed six times after a random number of results, while its threads write more."""
    chance = random.Random(7)
    reported: set[str] = set()
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", ADDING, str(tmp_path), often], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout as output:
            assert int(output.readline()) >= len(reported)
            reported.update(output.readline().strip() for _ in range(chance.randrange(1, 25)))
            process.send_signal(signal.SIGKILL)
            reported.update(line.strip() for line in output if line.endswith("\n"))
        process.wait()
        for folder in (tmp_path, tmp_path / "repeat-2"):  # as other programs see it, before any repair
            if (folder / "preds.json").exists():
                json.loads((folder / "preds.json").read_text())
        with ResultStore(tmp_path, claim_output(tmp_path, tmp_path.with_name("state"))) as store:
            assert reported <= set(store.done)
            runs = dict(store.done)
        results = load_results(tmp_path)
        assert len(results) == len(runs) == len({result.run for result in results})
        for repeat, folder in ((1, tmp_path), (2, tmp_path / "repeat-2")):
            patches = {result.instance: result.patch for result in results if result.repeat == repeat}
            if patches:
                assert {name: row["model_patch"] for name, row in read_predictions(folder).items()} == patches


def test_preds_json_is_never_incomplete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_files, "PAUSE", 0.0)
    monkeypatch.setattr(prediction_files, "SHARE", 1e9)
    monkeypatch.setattr(prediction_files, "CHUNK", 100)
    counts, ended = [], threading.Event()

    def watch() -> None:
        while not ended.is_set():
            counts.append(len(json.loads((tmp_path / "preds.json").read_text())))

    with ResultStore(tmp_path) as store:
        watcher = threading.Thread(target=watch)
        watcher.start()
        for number in range(60):
            store.add(job_result(f"i{number}"), "m")
        ended.set()
        watcher.join()
    assert counts == sorted(counts)
    assert len(read_predictions(tmp_path)) == 60


def test_preds_json_is_not_rewritten_for_every_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is stopped, so the file is written only at the first result and at the end."""
    monkeypatch.setattr(prediction_files.time, "monotonic", lambda: 100.0)
    written = []
    copy = prediction_files.Predictions._copy
    monkeypatch.setattr(prediction_files.Predictions, "_copy", lambda self, path: (written.append(1), copy(self, path)))
    with ResultStore(tmp_path) as store:
        for number in range(200):
            store.add(job_result(f"i{number}"), "m")
    assert len(written) == 2
    assert len(read_predictions(tmp_path)) == 200


@pytest.mark.slow
def test_full_disk_is_reported_and_earlier_results_remain(tmp_path: Path) -> None:
    """The process may write only 6 kB to a file, as on a full disk."""
    code = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from extensions.lab.batch.reports.failure_report import write_failures
from extensions.lab.instances.jobs import JobResult
from extensions.lab.batch.reports.batch_results import ResultStore
from trajectories.errors import WorkspaceError
store = ResultStore(Path({str(tmp_path)!r}))
try:
    for number in range(1000):
        store.add(JobResult(f"i{{number}}", 1, f"i{{number}}", 0, "verified", "verified", "x" * 100, 0.25), "m")
        print(number, flush=True)
except WorkspaceError as error:
    print(error.message, error.fix)
"""
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    *added, end = completed.stdout.splitlines()
    assert end.startswith(f"{tmp_path}")
    assert end.endswith("Free disk space, then run the same command again.")
    assert len(added) > 5
    with ResultStore(tmp_path) as store:
        assert set(store.done) >= {f"i{number}" for number in added}
        store.add(job_result("more"), "m")
    assert set(read_predictions(tmp_path)) == {result.instance for result in load_results(tmp_path)}


@pytest.mark.parametrize("name", ["results.jsonl", "all_preds.jsonl"])
def test_record_files_that_are_links_are_rejected(tmp_path, name):
    out, target = tmp_path / "out", tmp_path / "mine"
    target.write_text("mine")
    out.mkdir()
    (out / name).symlink_to(target)
    with pytest.raises((WorkspaceError, RunBroken)):
        ResultStore(out)
    assert target.read_text() == "mine"


def test_links_in_place_of_new_files_are_replaced(tmp_path):
    out, target = tmp_path / "out", tmp_path / "mine"
    target.write_text("mine")
    out.mkdir()
    (out / ".preds.json.new").symlink_to(target)
    (out / ".failures.html.new").symlink_to(target)
    store = ResultStore(out)
    store.add(job_result(), "m")
    store.close()
    write_failures(out)
    assert target.read_text() == "mine"
    assert list(json.loads((out / "preds.json").read_text())) == ["a"]


def test_lock_that_is_hard_link_is_not_emptied(tmp_path):
    (tmp_path / "mine").write_text("mine")
    os.link(tmp_path / "mine", tmp_path / "batch.lock")
    with pytest.raises(RunBroken, match="is not a lock file of swe-agent"):
        ResultStore(tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
