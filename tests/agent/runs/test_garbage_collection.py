"""What `gc` removes, what it never does, and that no tree is lost when trees are packed."""

import json
import os
import shutil
import time

import pytest

from agent.cli.commands import gc as command
from agent.config.settings import Settings
from agent.run_state.run_ownership import register
from agent.runs import run_fork
from agent.runs.garbage_collection import RemovalPlan, collect
from tests.agent.runs.test_run_listing import state, step, write  # noqa: F401 - `state` is a fixture
from trajectories.errors import UsageError
from trajectories.git_commands import create_store, git, git_environ
from trajectories.journal import Journal, lock_run, read
from trajectories.records import Action, Exit, Note, Observation, Once, Reply, Step, Turn, Verdict
from trajectories.run_cleanup import MANY_LOOSE, MANY_PACKS, DiskUsage, referenced_outputs
from trajectories.trees import EMPTY_TREE, PACKS_PER_INDEX, Trees

DAY = 86_400.0


@pytest.fixture
def runs(state):  # noqa: F811
    """`a` ended 40 days ago, `b` 20, `c` today; `d` is open and old, `e` damaged and old."""
    ages = {"a": 40, "b": 20, "c": 0, "d": 50, "e": 60}
    for name, days in ages.items():
        end = () if name == "d" else (Exit("verified", 0, verdict=Verdict("verified")),)
        folder = write(state, name, step(1), *end, at=time.time() - days * DAY)
        if name == "e":
            (folder / "journal.jsonl").write_bytes(b"damage\n" + (folder / "journal.jsonl").read_bytes())
        at = time.time() - days * DAY
        os.utime(folder / "journal.jsonl", (at, at))
    return state / "runs"


def names(runs):
    return "".join(sorted(folder.name for folder in runs.iterdir()))


def ago(days):
    return time.time() - days * DAY


def test_replay_that_was_cut_off_goes_as_ended_runs_do(state):  # noqa: F811
    write(state, "again", Note("main", "replay", "Replay of a.", {"run": "a"}))
    assert [went.why for went in collect(state / "runs", RemovalPlan(keep=0)).removed] == ["ended"]


@pytest.mark.parametrize(
    ("days", "keep", "stay"),
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
def test_ended_runs_go_by_age_and_number(runs, days, keep, stay):
    going = RemovalPlan(before=None if days is None else ago(days), keep=keep)
    told = collect(runs, going, dry_run=True)
    assert names(runs) == "abcde"
    found = collect(runs, going)
    assert names(runs) == stay
    assert [went.run for went in told.removed] == [went.run for went in found.removed]
    assert found.bytes >= told.bytes > 0 or stay == "abcde"
    assert found.kept == len(stay)


def test_run_that_can_be_resumed_or_is_damaged_goes_by_its_name_only(runs):
    collect(runs, RemovalPlan([runs / "d", runs / "e"]))
    assert names(runs) == "abc"


def test_run_in_use_stays_whatever_is_asked(runs):
    lock = lock_run(runs / "a")
    found = collect(runs, RemovalPlan([runs / "a"], before=ago(-1)))
    assert names(runs) == "ade"
    assert [(went.run, went.why) for went in found.left] == [("a", "another process is using it")]
    lock.release()
    assert read(runs / "a").exit is not None


OLD = "20200101-120000-00000"


def test_what_killed_removal_or_beginning_left_goes(runs):
    now = time.strftime("%Y%m%d-%H%M%S-abcdef")
    for name in (".gone-x", OLD + "1", now):
        (runs / name / "out").mkdir(parents=True)
        create_store(runs / name / "trees.git")
    would = collect(runs, RemovalPlan(), dry_run=True)
    found = collect(runs, RemovalPlan())
    assert names(runs) == f"{now}abcde"
    assert [went.run for went in found.removed] == [went.run for went in would.removed] == [".gone-x", OLD + "1"]


def test_what_else_lies_among_runs_stays(runs):
    """Runs that somebody put away, a run whose journal was, one in use, and what is no folder."""
    (runs / "archive").mkdir()
    (runs / "a").rename(runs / "archive" / "a")
    for number, file in enumerate(("journal.jsonl.bad", "out/1", "trees.git/objects/ab/cdef")):
        kept = runs / f"{OLD}{number}" / file
        kept.parent.mkdir(parents=True)
        kept.write_text("mine")
    (runs / f"{OLD}4").symlink_to(runs / "archive")
    (runs / f"{OLD}5").write_text("mine")
    (runs / f"{OLD}6").mkdir()
    before = sorted(path for path in runs.rglob("*") if path.name != "lock")
    lock = lock_run(runs / f"{OLD}6")
    found = collect(runs, RemovalPlan())
    lock.release()
    assert sorted(path for path in runs.rglob("*") if path.name != "lock") == before
    assert [(went.run, went.why) for went in found.left] == [(f"{OLD}6", "another process is using it")]


def test_run_that_is_gone_on_with_after_list_was_made_stays(runs):
    def goes_on(name):
        journal = Journal(runs / name)
        journal.append(Turn("more", "build"))
        journal.close()

    found = collect(runs, RemovalPlan(keep=0), tell=lambda name: name == "a" and goes_on(name))
    assert names(runs) == "ade"
    assert found.kept == 3


def test_what_cannot_be_removed_is_told_and_rest_goes(runs, monkeypatch):
    (runs / ".gone-file").write_text("")
    (runs / ".gone-link").symlink_to("/nowhere")
    for name in (".gone-x", ".gone-y"):
        (runs / name).mkdir()
    real = shutil.rmtree

    def stuck(folder):
        if folder.name in (".gone-x", ".gone-a"):
            raise PermissionError(13, "Permission denied", str(folder))
        real(folder)

    monkeypatch.setattr(shutil, "rmtree", stuck)
    found = collect(runs, RemovalPlan([runs / "a", runs / "b"]))
    assert sorted(went.run for went in found.left) == [".gone-x", "a"]
    assert sorted(went.run for went in found.removed) == [".gone-file", ".gone-link", ".gone-y", "b"]
    assert names(runs) == ".gone-a.gone-xcde"


def test_outputs_that_record_may_name_stay(state):  # noqa: F811
    folder = own(
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
    would = collect(state / "runs", RemovalPlan(), dry_run=True)
    found = collect(state / "runs", RemovalPlan())
    assert sorted(int(file.name) for file in outputs.iterdir()) == list(range(1, 12))
    assert not (folder / "trees.git" / "new-abc").exists()
    assert found.bytes == would.bytes >= 15_000
    assert collect(state / "runs", RemovalPlan()).tidied == []


def own(state, name, *more):  # noqa: F811
    """A run that the user created."""
    folder = write(state, name, *more)
    register(folder, state)
    return folder


def scattered(folder, count=MANY_PACKS + 2):
    """Trees of as many steps, a pack each."""
    with Trees(folder / "trees.git") as trees:
        tree, every = EMPTY_TREE, []
        for number in range(count):
            tree = trees.write({"a.txt": b"line\n" * 2000 + str(number).encode(), f"f{number}": b"x"}, tree)
            every.append(tree)
    return every


def objects(folder):
    env = git_environ({"GIT_DIR": str(folder / "trees.git")})
    return set(git("cat-file", "--batch-all-objects", "--batch-check", env=env).splitlines())


def test_trees_become_one_pack_and_none_is_lost(state):  # noqa: F811
    folder = own(state, "one", Exit("verified", 0, verdict=Verdict("verified")))
    every = scattered(folder, PACKS_PER_INDEX + 2)
    assert (folder / "trees.git" / "objects" / "pack" / "multi-pack-index").exists()
    before = objects(folder)
    found = collect(state / "runs", RemovalPlan())
    packs = list((folder / "trees.git" / "objects" / "pack").glob("*.pack"))
    assert len(packs) == 1
    assert objects(folder) == before
    with Trees(folder / "trees.git") as trees:
        assert [trees.read(tree, f"f{number}") for number, tree in enumerate(every)] == [b"x"] * len(every)
        assert trees.write({"b": b"more"}, every[-1]), "it can be written to as before"
    git("fsck", "--full", env=git_environ({"GIT_DIR": str(folder / "trees.git")}))
    assert found.tidied[0].bytes > 0


def test_trees_of_open_runs_and_shared_ones_stay_as_they_are(state):  # noqa: F811
    scattered(own(state, "open"))
    folder = own(state, "shared", Exit("verified", 0, verdict=Verdict("verified")))
    scattered(folder)
    pack = next((folder / "trees.git" / "objects" / "pack").glob("*.pack"))
    os.link(pack, state / "linked")
    assert collect(state / "runs", RemovalPlan()).tidied == []


def test_fork_has_all_trees_whenever_they_are_packed(state, monkeypatch):  # noqa: F811
    """`gc` waits while one is copied; and of one that it packs just then, what it moves is copied before its packs."""
    folder = own(state, "one", Exit("verified", 0, verdict=Verdict("verified")))
    scattered(folder)
    env = git_environ({"GIT_DIR": str(folder / "trees.git")})
    for number in range(20):
        git("hash-object", "-w", "--stdin", env=env, input=str(number).encode())
    copied_files, seen, link = [], [], run_fork._link

    def watched(source, target):
        copied_files.append(source)
        seen.append(collect(state / "runs", RemovalPlan()))
        link(source, target)

    monkeypatch.setattr(run_fork, "_link", watched)
    with run_fork.copy_run(folder, Settings(state=state)) as fork:
        assert objects(fork) == objects(folder)
    assert {went.why for found in seen for went in found.left} == {"another process is using it"}
    assert copied_files == sorted(copied_files, key=lambda name: "/pack/" in name)
    assert collect(state / "runs", RemovalPlan()).left == []


def test_only_runs_of_user_are_tidied(state):  # noqa: F811
    sent = write(state, "sent", Exit("unproven", 6))
    scattered(sent)
    (sent / "out").mkdir()
    (sent / "out" / "1").write_bytes(b"named by no record")
    before = sorted(sent.rglob("*"))
    found = collect(state / "runs", RemovalPlan())
    assert (found.tidied, found.left) == ([], [])
    assert [path for path in sorted(sent.rglob("*")) if path.name != "lock"] == before


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("is_own", [True, False])
def test_no_object_is_removed_through_link(state, tmp_path, is_own, relative):  # noqa: F811
    """A sent store's folders of objects are links to those of a repository of the user's."""
    mine = tmp_path / "mine.git"
    create_store(mine)
    env = git_environ({"GIT_DIR": str(mine)})
    ids = [
        git("hash-object", "-w", "--stdin", env=env, input=str(number).encode()).decode().strip()
        for number in range(MANY_LOOSE + 1)
    ]
    sent = (own if is_own else write)(state, "sent", Exit("unproven", 6))
    create_store(sent / "trees.git")
    for name in {id[:2] for id in ids}:
        link, target = sent / "trees.git" / "objects" / name, mine / "objects" / name
        link.symlink_to(os.path.relpath(target, link.parent) if relative else target)
    found = collect(state / "runs", RemovalPlan())
    assert all((mine / "objects" / id[:2] / id[2:]).exists() for id in ids)
    assert found.tidied == []
    assert ["is not a regular file" in went.why for went in found.left] == [True] * is_own


def test_run_that_somebody_sent_reaches_nothing_outside_itself(state, tmp_path):  # noqa: F811
    """Its store names a command that git would run, and its folders are links to somebody's files."""
    folder = own(state, "one", Exit("verified", 0, verdict=Verdict("verified")))
    scattered(folder)
    ran = tmp_path / "ran"
    with (folder / "trees.git" / "config").open("a") as config:
        config.write(f"[gc]\n\trecentObjectsHook = touch {ran}\n[core]\n\tfsmonitor = touch {ran}\n")
    linked = own(state, "two", Exit("verified", 0, verdict=Verdict("verified")))
    scattered(linked)
    mine = tmp_path / "mine"
    (mine / "objects" / "ab").mkdir(parents=True)
    for file in (mine / "1", mine / "objects" / "ab" / "tmp_1"):
        file.write_bytes(b"mine")
    (linked / "out").symlink_to(mine)
    shutil.rmtree(linked / "trees.git" / "objects" / "ab", ignore_errors=True)
    (linked / "trees.git" / "objects" / "ab").symlink_to(mine / "objects" / "ab")
    packs = linked / "trees.git" / "objects" / "pack"
    packs.rename(mine / "pack")
    packs.symlink_to(mine / "pack")
    before = sorted(mine.rglob("*"))
    collect(state / "runs", RemovalPlan())
    assert sorted(mine.rglob("*")) == before
    assert not ran.exists()
    assert len(list((folder / "trees.git" / "objects" / "pack").glob("*.pack"))) == 1
    collect(state / "runs", RemovalPlan([linked]))
    assert sorted(mine.rglob("*")) == before
    assert names(state / "runs") == "one"


def test_what_two_runs_share_is_free_when_both_are_gone(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "big").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "one" / "big", tmp_path / "two" / "big")
    weight = DiskUsage()
    assert weight.of(tmp_path / "one") == 0
    assert weight.of(tmp_path / "two") >= 100_000


def test_run_that_is_tidied_can_be_gone_on_with(state):  # noqa: F811
    folder = own(state, "one")
    journal = Journal(folder)
    journal.keep(b"nobody's")
    journal.close()
    collect(state / "runs", RemovalPlan())
    journal = Journal(folder)
    assert journal.keep(b"mine") == 1
    journal.close()


def test_command_says_what_it_does(runs, capsys):
    assert command.command(older_than="30d", dry_run=True) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("would be removed a: ")
    assert told[-1].startswith("1 run would be removed, 4 kept; ")
    assert command.command(["a"], json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert [went["run"] for went in found["removed"]] == ["a"]
    assert found["kept"] == 4
    lock = lock_run(runs / "b")
    assert command.command(["b"]) == 75
    lock.release()


def test_run_elsewhere_is_not_removed(runs, tmp_path):
    other = tmp_path / "elsewhere" / "z"
    (runs / "a").rename(other.parent.mkdir() or other)
    with pytest.raises(UsageError, match="not among your runs"):
        command.command([str(other)])
    with pytest.raises(UsageError):
        command.command(["nothing"])
    assert (other / "journal.jsonl").exists()


def test_runs_of_batch_stay(runs):
    (runs.parent / "results.jsonl").write_text("")
    with pytest.raises(UsageError, match="batch"):
        collect(runs, RemovalPlan(keep=0))
    assert names(runs) == "abcde"
