"""Removal of runs and outputs by `gc`, and packing of their trees."""

import json
import os
import shutil
import time

import pytest

from agent.run_state.run_ownership import register
from extensions.housekeeping.commands import gc as command
from extensions.housekeeping.garbage_collection import RemovalPlan, collect
from extensions.housekeeping.run_cleanup import MANY_LOOSE, MANY_PACKS, DiskUsage, referenced_outputs
from tests.agent.conftest import line
from tests.extensions.run_views.test_run_listing import state, step, write_run  # noqa: F401 - `state` is a fixture
from trajectories.errors import UsageError
from trajectories.git_store.git_commands import create_store, git, git_environ
from trajectories.git_store.trees import EMPTY_TREE, PACKS_PER_INDEX, Trees
from trajectories.journal import Journal, lock_run, read
from trajectories.records import Action, Exit, Note, Observation, Once, Reply, Step, Turn
from trajectories.verdict import Verdict

DAY = 86_400.0


@pytest.fixture
def runs(state):  # noqa: F811
    """`a`, `b` and `c` ended 40, 20 and 0 days ago; `d` is old and unfinished, `e` is old and damaged."""
    ages = {"a": 40, "b": 20, "c": 0, "d": 50, "e": 60}
    for name, days in ages.items():
        end = () if name == "d" else (Exit("verified", 0, verdict=Verdict("verified")),)
        folder = write_run(state, name, step(1), *end, at=time.time() - days * DAY)
        if name == "e":
            (folder / "journal.jsonl").write_bytes(b"damage\n" + (folder / "journal.jsonl").read_bytes())
        at = time.time() - days * DAY
        os.utime(folder / "journal.jsonl", (at, at))
    return state / "runs"


def run_names(runs):
    return "".join(sorted(folder.name for folder in runs.iterdir()))


def days_ago(days):
    return time.time() - days * DAY


def test_interrupted_replay_is_removed_like_ended_run(state):  # noqa: F811
    write_run(state, "again", Note("main", "replay", "Replay of a.", {"run": "a"}))
    assert [removal.why for removal in collect(state / "runs", RemovalPlan(keep=0)).removed] == ["ended"]


@pytest.mark.parametrize(
    ("days", "keep", "remaining"),
    [
        (None, None, "abcde"),
        (30, None, "bcde"),
        (-1, None, "de"),
        (None, 1, "cde"),
        (None, 2, "bcde"),
        (None, 0, "de"),
        (30, 1, "bcde"),
        (1, 3, "abcde"),
    ],
)
def test_ended_runs_are_removed_by_age_and_number(runs, days, keep, remaining):
    plan = RemovalPlan(before=None if days is None else days_ago(days), keep=keep)
    planned = collect(runs, plan, dry_run=True)
    assert run_names(runs) == "abcde"
    report = collect(runs, plan)
    assert run_names(runs) == remaining
    assert [removal.run for removal in planned.removed] == [removal.run for removal in report.removed]
    assert report.bytes >= planned.bytes > 0 or remaining == "abcde"
    assert report.kept == len(remaining)


def test_resumable_or_damaged_run_is_removed_only_by_name(runs):
    collect(runs, RemovalPlan([runs / "d", runs / "e"]))
    assert run_names(runs) == "abc"


def test_run_in_use_is_never_removed(runs):
    lock = lock_run(runs / "a")
    report = collect(runs, RemovalPlan([runs / "a"], before=days_ago(-1)))
    assert run_names(runs) == "ade"
    assert [(left.run, left.why) for left in report.left] == [("a", "another process is using it")]
    lock.release()
    assert read(runs / "a").exit is not None


OLD = "20200101-120000-00000"


def test_leftovers_of_killed_removal_or_start_are_removed(runs):
    now = time.strftime("%Y%m%d-%H%M%S-abcdef")
    for name in (".gone-x", OLD + "1", now):
        (runs / name / "out").mkdir(parents=True)
        create_store(runs / name / "trees.git")
    planned = collect(runs, RemovalPlan(), dry_run=True)
    report = collect(runs, RemovalPlan())
    assert run_names(runs) == f"{now}abcde"
    assert (
        [removal.run for removal in report.removed]
        == [removal.run for removal in planned.removed]
        == [".gone-x", OLD + "1"]
    )


def test_other_files_among_runs_are_kept(runs):
    """An archive of runs, folders without a journal, a folder in use, a link and a file."""
    (runs / "archive").mkdir()
    (runs / "a").rename(runs / "archive" / "a")
    for number, file in enumerate(("journal.jsonl.bad", "out/1", "trees.git/objects/ab/cdef")):
        leftover = runs / f"{OLD}{number}" / file
        leftover.parent.mkdir(parents=True)
        leftover.write_text("mine")
    (runs / f"{OLD}4").symlink_to(runs / "archive")
    (runs / f"{OLD}5").write_text("mine")
    (runs / f"{OLD}6").mkdir()
    before = sorted(path for path in runs.rglob("*") if path.name != "lock")
    lock = lock_run(runs / f"{OLD}6")
    report = collect(runs, RemovalPlan())
    lock.release()
    assert sorted(path for path in runs.rglob("*") if path.name != "lock") == before
    assert [(left.run, left.why) for left in report.left] == [(f"{OLD}6", "another process is using it")]


def test_run_resumed_during_collection_is_kept(runs):
    def resume_run(name):
        journal = Journal(runs / name)
        journal.append(Turn("more", "build"))
        journal.close()

    report = collect(runs, RemovalPlan(keep=0), tell=lambda name: name == "a" and resume_run(name))
    assert run_names(runs) == "ade"
    assert report.kept == 3


def test_failed_removal_is_reported_and_others_continue(runs, monkeypatch):
    (runs / ".gone-file").write_text("")
    (runs / ".gone-link").symlink_to("/nowhere")
    for name in (".gone-x", ".gone-y"):
        (runs / name).mkdir()
    original = shutil.rmtree

    def fail_for_some(folder):
        if folder.name in (".gone-x", ".gone-a"):
            raise PermissionError(13, "Permission denied", str(folder))
        original(folder)

    monkeypatch.setattr(shutil, "rmtree", fail_for_some)
    report = collect(runs, RemovalPlan([runs / "a", runs / "b"]))
    assert sorted(removal.run for removal in report.left) == [".gone-x", "a"]
    assert sorted(removal.run for removal in report.removed) == [".gone-file", ".gone-link", ".gone-y", "b"]
    assert run_names(runs) == ".gone-a.gone-xcde"


def test_outputs_named_by_records_are_kept(state):  # noqa: F811
    folder = write_own(
        state,
        "one",
        Reply("See out:1.", (Action("output", {"address": "out:10"}),), branch="main", ask=1),
        Step("main", 1, "", "coder", "t" * 40, 1, (Action("output", {"of": ["out:11"]}),),
             (Observation("cut: out:2 has all", out=3, data={"passing": 4, "more": [{"deep": [5]}], "ok": True}),)),
        Once("main", "calls", {"kept": {"out": 6}}),
        Note("main", "score", "out:7", {"at": 8, "where": "out:9"}),
        Exit("verified", 0, verdict=Verdict("verified")),
    )  # fmt: skip
    outputs = folder / "out"
    outputs.mkdir()
    for number in range(1, 15):
        (outputs / str(number)).write_bytes(b"x" * 5000)
    (outputs / ".15.new").write_bytes(b"half")
    (folder / "trees.git" / "new-abc").mkdir(parents=True)
    assert referenced_outputs(read(folder).records) >= set(range(1, 12))
    planned = collect(state / "runs", RemovalPlan(), dry_run=True)
    report = collect(state / "runs", RemovalPlan())
    assert sorted(int(file.name) for file in outputs.iterdir()) == list(range(1, 12))
    assert not (folder / "trees.git" / "new-abc").exists()
    assert report.bytes == planned.bytes >= 15_000
    assert collect(state / "runs", RemovalPlan()).tidied == []


def write_own(state, name, *records):  # noqa: F811
    """A run that the user created."""
    folder = write_run(state, name, *records)
    register(folder, state)
    return folder


def write_packs(folder, count=MANY_PACKS + 2):
    """The trees of `count` steps, one pack for each."""
    with Trees(folder / "trees.git") as trees:
        tree, trees_written = EMPTY_TREE, []
        for number in range(count):
            tree = trees.write({"a.txt": b"line\n" * 2000 + str(number).encode(), f"f{number}": b"x"}, tree)
            trees_written.append(tree)
    return trees_written


def object_ids(folder):
    env = git_environ({"GIT_DIR": str(folder / "trees.git")})
    return set(git("cat-file", "--batch-all-objects", "--batch-check", env=env).splitlines())


def test_trees_are_packed_without_loss(state):  # noqa: F811
    folder = write_own(state, "one", Exit("verified", 0, verdict=Verdict("verified")))
    trees_written = write_packs(folder, PACKS_PER_INDEX + 2)
    assert (folder / "trees.git" / "objects" / "pack" / "multi-pack-index").exists()
    before = object_ids(folder)
    report = collect(state / "runs", RemovalPlan())
    packs = list((folder / "trees.git" / "objects" / "pack").glob("*.pack"))
    assert len(packs) == 1
    assert object_ids(folder) == before
    with Trees(folder / "trees.git") as trees:
        assert [trees.read(tree, f"f{number}") for number, tree in enumerate(trees_written)] == [b"x"] * len(
            trees_written
        )
        assert trees.write({"b": b"more"}, trees_written[-1]), "the store is still writable"
    git("fsck", "--full", env=git_environ({"GIT_DIR": str(folder / "trees.git")}))
    assert report.tidied[0].bytes > 0


def test_trees_of_open_runs_and_shared_trees_are_unchanged(state):  # noqa: F811
    write_packs(write_own(state, "open"))
    folder = write_own(state, "shared", Exit("verified", 0, verdict=Verdict("verified")))
    write_packs(folder)
    pack = next((folder / "trees.git" / "objects" / "pack").glob("*.pack"))
    os.link(pack, state / "linked")
    assert collect(state / "runs", RemovalPlan()).tidied == []


def test_only_own_runs_are_tidied(state):  # noqa: F811
    untrusted = write_run(state, "sent", Exit("unproven", 6))
    write_packs(untrusted)
    (untrusted / "out").mkdir()
    (untrusted / "out" / "1").write_bytes(b"named by no record")
    before = sorted(untrusted.rglob("*"))
    report = collect(state / "runs", RemovalPlan())
    assert (report.tidied, report.left) == ([], [])
    assert [path for path in sorted(untrusted.rglob("*")) if path.name != "lock"] == before


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("is_own", [True, False])
def test_object_behind_link_is_not_removed(state, tmp_path, is_own, relative):  # noqa: F811
    """The object folders of an untrusted store are links to those of the user's repository."""
    user_store = tmp_path / "mine.git"
    create_store(user_store)
    env = git_environ({"GIT_DIR": str(user_store)})
    ids = [
        git("hash-object", "-w", "--stdin", env=env, input=str(number).encode()).decode().strip()
        for number in range(MANY_LOOSE + 1)
    ]
    untrusted = (write_own if is_own else write_run)(state, "sent", Exit("unproven", 6))
    create_store(untrusted / "trees.git")
    for name in {id[:2] for id in ids}:
        link, target = untrusted / "trees.git" / "objects" / name, user_store / "objects" / name
        link.symlink_to(os.path.relpath(target, link.parent) if relative else target)
    report = collect(state / "runs", RemovalPlan())
    assert all((user_store / "objects" / id[:2] / id[2:]).exists() for id in ids)
    assert report.tidied == []
    assert ["is not a regular file" in removal.why for removal in report.left] == [True] * is_own


def test_untrusted_run_does_not_affect_files_outside_it(state, tmp_path):  # noqa: F811
    """Its store's configuration names a command that git would run, and its folders are links to the user's files."""
    folder = write_own(state, "one", Exit("verified", 0, verdict=Verdict("verified")))
    write_packs(folder)
    marker = tmp_path / "ran"
    with (folder / "trees.git" / "config").open("a") as config:
        config.write(f"[gc]\n\trecentObjectsHook = touch {marker}\n[core]\n\tfsmonitor = touch {marker}\n")
    linked = write_own(state, "two", Exit("verified", 0, verdict=Verdict("verified")))
    write_packs(linked)
    user_files = tmp_path / "mine"
    (user_files / "objects" / "ab").mkdir(parents=True)
    for file in (user_files / "1", user_files / "objects" / "ab" / "tmp_1"):
        file.write_bytes(b"mine")
    (linked / "out").symlink_to(user_files)
    shutil.rmtree(linked / "trees.git" / "objects" / "ab", ignore_errors=True)
    (linked / "trees.git" / "objects" / "ab").symlink_to(user_files / "objects" / "ab")
    packs = linked / "trees.git" / "objects" / "pack"
    packs.rename(user_files / "pack")
    packs.symlink_to(user_files / "pack")
    before = sorted(user_files.rglob("*"))
    collect(state / "runs", RemovalPlan())
    assert sorted(user_files.rglob("*")) == before
    assert not marker.exists()
    assert len(list((folder / "trees.git" / "objects" / "pack").glob("*.pack"))) == 1
    collect(state / "runs", RemovalPlan([linked]))
    assert sorted(user_files.rglob("*")) == before
    assert run_names(state / "runs") == "one"


def test_shared_file_counts_as_freed_when_both_runs_are_removed(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "big").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "one" / "big", tmp_path / "two" / "big")
    usage = DiskUsage()
    assert usage.of(tmp_path / "one") == 0
    assert usage.of(tmp_path / "two") >= 100_000


def test_tidied_run_can_be_resumed(state):  # noqa: F811
    folder = write_own(state, "one")
    journal = Journal(folder)
    journal.keep(b"unreferenced")
    journal.close()
    collect(state / "runs", RemovalPlan())
    journal = Journal(folder)
    assert journal.keep(b"mine") == 1
    journal.close()


def test_command_reports_removed_runs(runs, capsys):
    assert command.command(older_than="30d", dry_run=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("would be removed a: ")
    assert lines[-1].startswith("1 run would be removed, 4 kept; ")
    assert command.command(["a"], json=True) == 0
    report_json = json.loads(capsys.readouterr().out)
    assert [removal["run"] for removal in report_json["removed"]] == ["a"]
    assert report_json["kept"] == 4
    lock = lock_run(runs / "b")
    assert command.command(["b"]) == 75
    lock.release()


def test_run_outside_runs_folder_is_not_removed(runs, tmp_path):
    other = tmp_path / "elsewhere" / "z"
    (runs / "a").rename(other.parent.mkdir() or other)
    with pytest.raises(UsageError, match="not among your runs"):
        command.command([str(other)])
    with pytest.raises(UsageError):
        command.command(["nothing"])
    assert (other / "journal.jsonl").exists()


def test_runs_of_batch_are_kept(runs):
    (runs.parent / "results.jsonl").write_text("")
    with pytest.raises(UsageError, match="batch"):
        collect(runs, RemovalPlan(keep=0))
    assert run_names(runs) == "abcde"


def test_removed_run_leaves_registry(bench) -> None:
    bench.begin(line("x"))
    entries = bench.settings.state / "own-runs"
    assert len(list(entries.iterdir())) == 3
    collect(bench.settings.runs, RemovalPlan(named=[bench.directory]))
    assert {path.name for path in entries.iterdir()} == {"asked"}
