"""What a batch has come to is on disk, whole, whenever its driver is killed."""

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

from agent.batch.reports import prediction_files
from agent.batch.reports.batch_results import ResultStore, decode, encode, load_results
from agent.batch.reports.failure_report import write_failures
from agent.instances.jobs import JobResult
from agent.run_state.run_ownership import claim_output
from trajectories.errors import RunBroken, TryLater, WorkspaceError

HOUSE = Path(__file__).resolve().parents[4]


def done(instance: str = "a", repeat: int = 1, **more: object) -> JobResult:
    run = instance if repeat == 1 else f"{instance}.{repeat}"
    made = JobResult(instance, repeat, run, 0, "verified", "verified", f"patch of {run}\n", 0.25, at=1.5)
    return replace(made, **more)  # type: ignore[arg-type]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def agreeing(out: Path) -> dict[str, dict[str, object]]:
    """The predictions, where both files say the same of each instance, once."""
    listed = lines(out / "all_preds.jsonl")
    whole = json.loads((out / "preds.json").read_text())
    assert {row["instance_id"]: row for row in listed} == whole
    assert len(listed) == len(whole)
    return dict(whole)


# What is kept


def test_what_is_added_is_there_again(tmp_path: Path) -> None:
    first, second = done("a"), done("b", patch="", kind="infrastructure", dollars=None, error="No room.")
    with ResultStore(tmp_path) as store:
        assert store.add(first, "m")
        assert store.add(second, "m")
    with ResultStore(tmp_path) as store:
        assert (store.done, store.failed) == ({"a": replace(first, patch="")}, {"b": second})
    assert load_results(tmp_path) == [first, second]
    assert agreeing(tmp_path) == {
        "a": {"instance_id": "a", "model_name_or_path": "m", "model_patch": "patch of a\n"},
    }


def test_what_infrastructure_failed_is_no_prediction_until_it_is_done_after_all(tmp_path: Path) -> None:
    lost = done("a", kind="infrastructure", code=5, patch="half of it")
    with ResultStore(tmp_path) as store:
        assert store.add(lost, "m")
        assert store.add(lost, "m")
    with ResultStore(tmp_path) as store:
        assert (list(store.done), list(store.failed)) == ([], ["a"])
        assert agreeing(tmp_path) == {}
        assert load_results(tmp_path) == [lost]
        assert store.add(done("a"), "m")
        assert not store.add(lost, "m")
    assert load_results(tmp_path) == [done("a")], "the newest line of a run counts"
    assert len(lines(tmp_path / "results.jsonl")) == 3
    (tmp_path / "all_preds.jsonl").unlink()
    with ResultStore(tmp_path) as store:
        assert (list(store.done), list(store.failed)) == (["a"], [])
    assert agreeing(tmp_path)["a"]["model_patch"] == "patch of a\n"


def test_repeats_have_predictions_of_their_own(tmp_path: Path) -> None:
    with ResultStore(tmp_path) as store:
        for repeat in (2, 1, 3):
            store.add(done("a", repeat), "m")
    for repeat, folder in ((1, tmp_path), (2, tmp_path / "repeat-2"), (3, tmp_path / "repeat-3")):
        assert [row["model_patch"] for row in agreeing(folder).values()] == [done("a", repeat).patch]


def test_run_comes_to_one_thing(tmp_path: Path) -> None:
    with ResultStore(tmp_path) as store:
        assert store.add(done(), "m")
        assert not store.add(done(patch="another"), "m")
    assert load_results(tmp_path) == [done()]
    assert agreeing(tmp_path)["a"]["model_patch"] == "patch of a\n"


def test_nothing_done_is_no_predictions(tmp_path: Path) -> None:
    ResultStore(tmp_path).close()
    assert agreeing(tmp_path) == {}
    assert load_results(tmp_path) == []
    assert load_results(tmp_path / "nowhere") == []


@given(st.text(st.characters(codec="utf-8") | st.characters(categories=["Cs"])), st.none() | st.floats(0, 9))
def test_line_says_what_was_done(text: str, dollars: float | None) -> None:
    made = done(patch=text, error=text.encode("utf-8", "replace").decode(), dollars=dollars)
    line = encode(made, "m")
    assert decode(line) == (made, "m")
    assert line.count(b"\n") == 1


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    with ResultStore(tmp_path) as store:
        with pytest.raises(ValueError, match="validation error"):
            store.add(done(code="x"), "m")
        assert store.done == {}
    assert (tmp_path / "results.jsonl").read_bytes() == b""


def test_threads_share_store(tmp_path: Path) -> None:
    with ResultStore(tmp_path) as store, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda number: store.add(done(f"i{number}"), "m"), range(100)))
    assert set(agreeing(tmp_path)) == {f"i{number}" for number in range(100)} == {d.run for d in load_results(tmp_path)}


def test_another_driver_is_kept_out(tmp_path: Path) -> None:
    with ResultStore(tmp_path), pytest.raises(TryLater, match="Another process works on the batch"):
        ResultStore(tmp_path)
    ResultStore(tmp_path).close()


def test_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        ResultStore(tmp_path / "a")


# What a crash leaves


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A batch in which three are done."""
    with ResultStore(tmp_path / "out") as store:
        for name in "abc":
            store.add(done(name), "m")
    return tmp_path / "out"


@pytest.mark.parametrize("name", ["results.jsonl", "all_preds.jsonl"])
@pytest.mark.parametrize("rest", [1, 17, 40])
def test_torn_last_line_is_cut(three: Path, name: str, rest: int) -> None:
    data = (three / name).read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1
    (three / name).write_bytes(data[: start + rest])
    if name == "results.jsonl":  # its prediction was not yet written either
        whole = (three / "all_preds.jsonl").read_bytes()
        (three / "all_preds.jsonl").write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    (three / "preds.json").unlink()
    with ResultStore(three) as store:
        assert set(store.done) == set("ab") | (set("c") if name == "all_preds.jsonl" else set())
        store.add(done("c"), "m")
    assert set(agreeing(three)) == set("abc")
    assert load_results(three) == [done(name) for name in "abc"]


@pytest.mark.parametrize("left", [0, 1, 2])
def test_predictions_that_crash_left_out_are_added(three: Path, left: int) -> None:
    before = agreeing(three)
    whole = (three / "all_preds.jsonl").read_bytes().splitlines(keepends=True)
    (three / "all_preds.jsonl").write_bytes(b"".join(whole[:left]))
    (three / "preds.json").write_text("{}")
    ResultStore(three).close()
    assert agreeing(three) == before


@pytest.mark.parametrize("name", ["results.jsonl", "all_preds.jsonl"])
@pytest.mark.parametrize("damage", [b"\0" * 10, b"{}", b"[1]", b'{"instance_id": 7}', b"{", b"twice"])
def test_damage_before_end_is_told_and_nothing_touched(three: Path, name: str, damage: bytes) -> None:
    whole = (three / name).read_bytes().splitlines()
    whole[1] = whole[0] if damage == b"twice" else damage
    (three / name).write_bytes(b"\n".join([*whole, b""]))
    before = {path.name: path.read_bytes() for path in three.iterdir()}
    with pytest.raises(RunBroken, match=rf"Line 2 of .*{name} is damaged, and more follow it\."):
        ResultStore(three)
    assert {path.name: path.read_bytes() for path in three.iterdir()} == before
    with pytest.raises(RunBroken):  # and the lock was given back
        ResultStore(three)


def test_predictions_that_are_not_those_of_results_are_refused(three: Path) -> None:
    for which in range(3):
        whole = (three / "all_preds.jsonl").read_bytes()
        patch = b"patch of " + b"abc"[which : which + 1]
        assert patch in whole
        (three / "all_preds.jsonl").write_bytes(whole.replace(patch, b"their patch"))
        with pytest.raises(RunBroken, match=r"in .*all_preds\.jsonl differs from its result's patch\.") as raised:
            ResultStore(three)
        assert raised.value.fix == "Remove this file; it is written again from the results."
        (three / "all_preds.jsonl").unlink()
        ResultStore(three).close()
        assert agreeing(three)["abc"[which]]["model_patch"] == f"{patch.decode()}\n"


def test_results_that_were_lost_are_missed(three: Path) -> None:
    (three / "results.jsonl").unlink()
    with pytest.raises(RunBroken, match=r"has a prediction for a, but .*results\.jsonl has no result for it"):
        ResultStore(three)


ADDING = """
import os
import sys
from pathlib import Path
from threading import Thread
from agent.batch.reports import prediction_files
from agent.batch.reports.failure_report import write_failures
from agent.instances.jobs import JobResult
from agent.batch.reports.batch_results import ResultStore
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
                os.write(1, f"{run}\\n".encode())  # whole, whatever the other threads do

threads = [Thread(target=work, args=(number,), daemon=True) for number in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.mark.slow
@pytest.mark.parametrize("often", ["often", "seldom"])
def test_killed_driver_leaves_whole_records(tmp_path: Path, often: str) -> None:
    """Killed after a random number of results, six times, while another thread is in the middle of the next ones."""
    chance = random.Random(7)
    told: set[str] = set()
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", ADDING, str(tmp_path), often], cwd=HOUSE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout as output:
            assert int(output.readline()) >= len(told)
            told.update(output.readline().strip() for _ in range(chance.randrange(1, 25)))
            process.send_signal(signal.SIGKILL)
            told.update(line.strip() for line in output if line.endswith("\n"))
        process.wait()
        for folder in (tmp_path, tmp_path / "repeat-2"):  # as others see it, before anything is mended
            if (folder / "preds.json").exists():
                json.loads((folder / "preds.json").read_text())
        with ResultStore(tmp_path, claim_output(tmp_path, tmp_path.with_name("state"))) as store:
            assert told <= set(store.done)
            runs = dict(store.done)
        kept = load_results(tmp_path)
        assert len(kept) == len(runs) == len({made.run for made in kept})
        for repeat, folder in ((1, tmp_path), (2, tmp_path / "repeat-2")):
            patches = {made.instance: made.patch for made in kept if made.repeat == repeat}
            if patches:
                assert {name: row["model_patch"] for name, row in agreeing(folder).items()} == patches


def test_preds_json_is_never_seen_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_files, "PAUSE", 0.0)
    monkeypatch.setattr(prediction_files, "SHARE", 1e9)
    monkeypatch.setattr(prediction_files, "CHUNK", 100)
    seen, ended = [], threading.Event()

    def watch() -> None:
        while not ended.is_set():
            seen.append(len(json.loads((tmp_path / "preds.json").read_text())))

    with ResultStore(tmp_path) as store:
        watcher = threading.Thread(target=watch)
        watcher.start()
        for number in range(60):
            store.add(done(f"i{number}"), "m")
        ended.set()
        watcher.join()
    assert seen == sorted(seen)
    assert len(agreeing(tmp_path)) == 60


def test_preds_json_is_not_written_for_each_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still, so it is written at the first, and at the end."""
    monkeypatch.setattr(prediction_files.time, "monotonic", lambda: 100.0)
    written = []
    copy = prediction_files.Predictions._copy
    monkeypatch.setattr(prediction_files.Predictions, "_copy", lambda self, path: (written.append(1), copy(self, path)))
    with ResultStore(tmp_path) as store:
        for number in range(200):
            store.add(done(f"i{number}"), "m")
    assert len(written) == 2
    assert len(agreeing(tmp_path)) == 200


def test_full_disk_is_told_and_what_was_promised_stays(tmp_path: Path) -> None:
    """In a process that may write 6 kB to a file, as on a disk without room."""
    code = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
sys.path.insert(0, {str(HOUSE)!r})
from pathlib import Path
from agent.batch.reports.failure_report import write_failures
from agent.instances.jobs import JobResult
from agent.batch.reports.batch_results import ResultStore
from trajectories.errors import WorkspaceError
store = ResultStore(Path({str(tmp_path)!r}))
try:
    for number in range(1000):
        store.add(JobResult(f"i{{number}}", 1, f"i{{number}}", 0, "verified", "verified", "x" * 100, 0.25), "m")
        print(number, flush=True)
except WorkspaceError as error:
    print(error.message, error.fix)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    *added, end = told.stdout.splitlines()
    assert end.startswith(f"{tmp_path}")
    assert end.endswith("Free disk space, then start the batch again.")
    assert len(added) > 5
    with ResultStore(tmp_path) as store:
        assert set(store.done) >= {f"i{number}" for number in added}
        store.add(done("more"), "m")
    assert set(agreeing(tmp_path)) == {made.instance for made in load_results(tmp_path)}


@pytest.mark.parametrize("name", ["results.jsonl", "all_preds.jsonl"])
def test_records_that_are_links_are_not_written_through(tmp_path, name):
    out, mine = tmp_path / "out", tmp_path / "mine"
    mine.write_text("mine")
    out.mkdir()
    (out / name).symlink_to(mine)
    with pytest.raises((WorkspaceError, RunBroken)):
        ResultStore(out)
    assert mine.read_text() == "mine"


def test_links_beside_what_is_written_anew_are_replaced(tmp_path):
    out, mine = tmp_path / "out", tmp_path / "mine"
    mine.write_text("mine")
    out.mkdir()
    (out / ".preds.json.new").symlink_to(mine)
    (out / ".failures.html.new").symlink_to(mine)
    store = ResultStore(out)
    store.add(done(), "m")
    store.close()
    write_failures(out)
    assert mine.read_text() == "mine"
    assert list(json.loads((out / "preds.json").read_text())) == ["a"]


def test_lock_that_is_another_file_is_not_emptied(tmp_path):
    (tmp_path / "mine").write_text("mine")
    os.link(tmp_path / "mine", tmp_path / "batch.lock")
    with pytest.raises(RunBroken, match="is not a lock of swe-agent"):
        ResultStore(tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
