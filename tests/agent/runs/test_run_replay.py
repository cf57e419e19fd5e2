"""A run acted again without its model: what is the same, what differs, and where things stand after a difference."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cli.commands.replay import command
from agent.engine.engine import Engine
from agent.engine.run_lifecycle import reopen
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.run_ownership import register
from agent.runs.run_fork import find_origin, fork, fork_settings
from agent.runs.run_listing import summarize_run
from agent.runs.run_lookup import open_own_run
from agent.runs.run_replay import RunReplay, begin_replay, replay_settings
from agent.session.resumable_runs import runs_in
from tests.agent.conftest import act, line
from tests.outsider import install_tool
from trajectories.errors import Cancelled, RunBroken, UsageError, WorkspaceError
from trajectories.journal import encode, read
from trajectories.records import Note, Step, Verdict
from trajectories.run_comparison import RunComparison, compare_runs, replay_of

EDIT = act("edit", path="calc.py", old="a - b", new="a + b")


class Replayed:
    """A replay from its beginning to its end."""

    def __init__(self, directory: Path, settings, workspace: str | None = None, **options) -> None:
        material = open_own_run(directory)
        own = replay_settings(material, settings, workspace)
        self.directory = begin_replay(material, own)
        replaying = RunReplay(Engine(self.directory, own), material, **options)
        try:
            self.steps = list(replaying.run())
        finally:
            replaying.close()
        self.notes = replaying.notes
        self.left, self.right = material.trajectory, read(self.directory)

    @property
    def parting(self) -> RunComparison:
        return compare_runs(self.left, self.right)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(each.id, each.what) for each in self.parting.differences]


def again(bench, directory: Path | None = None, **options) -> Replayed:
    return Replayed(directory or bench.directory, bench.settings, **options)


def solved(bench, *lines: dict, **settings):
    """A run of these replies, without a proof."""

    def strategy(task):
        for _ in lines:
            reply = task.ask()
            yield task.step(reply, task.act(reply.actions))
        return task.best()

    bench.begin(*lines, **settings)
    bench.drive(strategy)


def test_same_run_is_same_and_costs_nothing(bench) -> None:
    look = act("shell", command="date; pwd; mktemp; echo $$; python3 -c 'print(object())'; sleep 0.01")
    solved(bench, line("", look, EDIT, act("view", path="calc.py"), n=1), line("", act("submit"), n=2))
    found = again(bench)
    assert found.told == []
    assert found.parting.same == 2
    assert found.right.exit == replace(found.right.exit, kind="replayed", code=0)
    assert not found.right.holds
    assert replay_of(found.right) == bench.directory.name
    assert found.right.steps["main"][0].observations != found.left.steps["main"][0].observations  # it was acted


@pytest.mark.slow
def test_tool_of_another_package_is_not_run_again(bench, tmp_path, monkeypatch) -> None:
    """A record may be anybody's, and the tool acts outside of the workspace."""
    install_tool(tmp_path / "site", monkeypatch)
    target = tmp_path / "deployed"
    solved(bench, line("", act("deploy", target=str(target)), EDIT, n=1), line("", act("submit"), n=2))
    assert target.read_text() == "deployed"
    target.unlink()
    found = again(bench)
    assert not target.exists()
    assert found.told == []


def test_one_difference_does_not_drown_rest(bench) -> None:
    mark = bench.folder / "been-here"
    once = f"test -e {mark} && echo two > new.txt || echo one > new.txt; touch {mark}"
    solved(
        bench,
        line("", act("shell", command=once), n=1),
        line("", act("shell", command="cat new.txt; cp new.txt copy.txt"), n=2),
        line("", act("submit"), n=3),
    )
    found = again(bench)
    assert found.told == [("main#1", "tree")]
    assert found.parting.first.left == found.left.steps["main"][0].tree
    assert "one" in found.right.steps["main"][1].observations[0].text  # from the recorded tree
    note = next(note for note in found.right.notes if note.kind == "parted")
    assert note.data["files"] == ["M new.txt"]
    assert (found.right.exit.kind, found.right.exit.code) == ("parted", 1)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("(exit $(ls | wc -l))", ["exit"]),
        ("ls", []),
    ],
    ids=["code", "text"],
)
def test_what_differs(bench, command: str, told: list[str]) -> None:
    seen = bench.folder / "seen"
    seen.mkdir()
    solved(bench, line("", act("shell", command=f"(cd {seen}; {command}; code=$?; touch $code; exit $code)")))
    found = again(bench)
    assert [what for _, what in found.told] == told
    assert [each.what for each in found.parting.texts] == ([] if told else ["text"])
    assert found.right.exit.code == len(told)


def test_replay_may_end_at_first_difference(bench) -> None:
    differs = act("shell", command=f"mkdir {bench.folder}/made")
    solved(bench, line("", differs, n=1), line("", EDIT, n=2))
    found = again(bench, stop_at_first=True)
    assert found.told == [("main#1", "exit"), ("main#2", "missing")]
    assert [step.n for step in found.steps] == [1]


@pytest.mark.slow
def test_attempts_are_acted_each_in_its_own_fork(bench) -> None:
    def attempt(task):
        yield from task.phase("try")
        return Outcome(task.tree, Verdict())

    def strategy(task):
        first = task.act(actions := (replace_action(task),))
        yield task.step(None, first, actions, author="task")
        outcomes = yield from task.map([task.attempt(f"try-{n}", attempt) for n in (1, 2)])
        task.note("candidate", "the first", tree=outcomes[0].tree)
        yield task.adopt(outcomes[0].tree, "The first is taken.")
        yield from task.phase("review", fresh=True)
        return task.best()

    lines = [
        line("", act("shell", command=f"echo {n} >> made.pyc; cat made.pyc; echo {n} > mine.txt; cat before.txt"),
             act("submit"), branch=f"main/try-{n}")
        for n in (1, 2)
    ]  # fmt: skip
    review = line("", act("shell", command="cat mine.txt && echo fine > review.txt"), act("submit"))
    bench.begin(*lines, review)
    bench.drive(strategy)
    found = again(bench)
    assert found.told == []
    assert found.parting.texts == ()
    assert found.parting.same == 5
    assert [note.text for note in found.right.notes if note.kind == "candidate"] == ["the first"]


def replace_action(task):
    from trajectories.records import Action

    return Action("shell", {"command": "echo x > before.txt; echo main >> made.pyc"})


@pytest.mark.slow
def test_session_of_many_turns(talk, bench) -> None:
    talked = talk(
        line("", EDIT, n=1),
        line("I have changed it.", n=2),
        line("", act("shell", command="echo no > forbidden.txt; ls"), act("edit", path="x", old="", new="y"), n=3),
        line("It is a plan.", n=4),
        line("", act("shell", command="cat calc.py theirs.txt; echo more > more.txt"), n=5),
        line("Done.", n=6),
    )
    talked.go()
    talked.say("plan it", strategy="plan")
    talked.say("!echo mine > by-hand.txt; exit 2", strategy="by-hand")
    talked.say("/undo", strategy="undo")
    talked.say("/redo", strategy="undo")
    (bench.repository / "theirs.txt").write_text("theirs\n")
    talked.say("go on")
    talked.say("/prove", strategy="prove")
    talked.engine.close()
    shutil.rmtree(bench.repository)  # what the user changed meanwhile is on the record
    found = again(bench)
    assert found.told == []
    assert found.parting.texts == ()
    assert {step.author for step in found.steps} >= {"coder", "undo", "host", "proof"}
    assert [turn.request for turn in found.right.turns] == [turn.request for turn in found.left.turns]
    assert found.notes


@pytest.mark.slow
def test_interrupted_run_is_acted_as_far_as_it_came(bench) -> None:
    def strategy(task):
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        if stops:
            task.ask()
            raise Cancelled("Interrupted.")
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        return task.best()

    stops = True
    write = act("shell", command="echo a > kept.txt; echo b > lost.pyc")
    look = act("shell", command="cat kept.txt; test ! -e lost.pyc && echo gone")
    bench.begin(line("", write, n=1), line("", look, n=2))
    with pytest.raises(Cancelled):
        bench.drive(strategy)
    assert again(bench).parting.same == 1
    stops = False
    engine = bench.engine()
    engine.journal.append(Note("main", "life", "resumed"))  # as `solve` writes it
    engine.close()
    bench.drive(strategy)
    found = again(bench)
    assert found.told == []
    assert "gone" in found.right.steps["main"][1].observations[0].text


@pytest.mark.slow
def test_what_user_refused_is_not_run_again(bench) -> None:
    from agent.permissions.approvals import Answer

    def strategy(task):
        task.engine.approve = lambda approval: Answer(False, reason="not that")
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        return task.best()

    bench.begin(line("", act("shell", command="touch refused.txt"), act("view", path="calc.py")))
    bench.drive(strategy)
    found = again(bench)
    assert found.told == []
    assert "refused" in found.right.steps["main"][0].observations[0].text


@pytest.mark.slow
def test_replay_that_is_interrupted_is_over(bench) -> None:
    solved(bench, line("", EDIT, n=1), line("", act("submit"), n=2))
    material = open_own_run(bench.directory)
    own = replay_settings(material, bench.settings, None)
    engine = Engine(begin_replay(material, own), own)
    replaying = RunReplay(engine, material)
    steps = replaying.run()
    next(steps)
    engine.cancel.set()
    with pytest.raises(Cancelled):
        list(steps)
    replaying.close()
    ended = read(engine.journal.directory).exit
    assert (ended.kind, ended.fix) == ("interrupted", "Replay the run again.")


def test_replay_that_cannot_begin_is_over(bench) -> None:
    solved(bench, line("", EDIT, act("submit")))
    shutil.rmtree(bench.repository)
    material = open_own_run(bench.directory)
    own = replay_settings(material, bench.settings, None)
    engine = Engine(begin_replay(material, own), own)
    (engine.journal.directory / "base").write_text("in the way")
    replaying = RunReplay(engine, material)
    with pytest.raises(WorkspaceError, match="This machine failed"):
        list(replaying.run())
    replaying.close()
    ended = read(engine.journal.directory).exit
    assert (ended.kind, ended.code, ended.fix) == ("error", 5, "Replay the run again.")


def test_run_is_acted_whole(bench, monkeypatch) -> None:
    monkeypatch.setenv("SWE_AGENT_STATE", str(bench.folder / "state"))
    with pytest.raises(UsageError, match="but only whole runs can be replayed") as refused:
        command("some-run@main#1")
    assert refused.value.fix == "Use `swe-agent replay some-run`."


@pytest.mark.slow
def test_commands_of_strangers_run_need_boundary(bench, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SWE_AGENT_WORKSPACE", "local")
    solved(bench, line("", EDIT, act("submit")), disk="9g")
    theirs = tmp_path / "theirs"
    shutil.copytree(bench.directory, theirs)
    (theirs / "out" / "9").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="not among your runs"):
        replay_settings(open_own_run(theirs), bench.settings, None)
    found = again(bench, theirs, workspace="local")
    assert found.told == []
    assert found.right.run.settings["disk"] == "10g"  # the user's, not theirs
    assert not (found.directory / "out" / "9").exists()


@pytest.mark.parametrize(
    ("recorded", "why"),
    [({}, "without a boundary"), ({"workspace": "docker", "image": "127.0.0.1:5000/theirs"}, "not a known public one")],
    ids=["nothing", "image"],
)
def test_what_stranger_leaves_out_or_names_opens_no_door(bench, monkeypatch, recorded, why) -> None:
    monkeypatch.setenv("SWE_AGENT_WORKSPACE", recorded.get("workspace", "local"))
    solved(bench, line("", EDIT, act("submit")))
    theirs = bench.folder / "theirs"
    shutil.copytree(bench.directory, theirs)
    first, *rest = read(theirs).records
    said = {name: value for name, value in first.settings.items() if name not in ("workspace", "image")}
    records = [replace(first, settings=said | recorded), *rest]
    (theirs / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    with pytest.raises(UsageError, match=why):
        replay_settings(open_own_run(theirs), bench.settings, None)


def test_run_without_its_files_cannot_be_acted_again(bench) -> None:
    solved(bench, line("", EDIT, act("submit")))
    for_good = bench.folder / "moved"
    (bench.directory / "trees.git").rename(for_good)
    with pytest.raises(RunBroken, match=r"^The files of \S+@main#0 are missing\.$"):
        again(bench)
    assert [folder.name for folder in bench.settings.runs.iterdir()] == [bench.directory.name]
    with pytest.raises(RunBroken, match="are missing"):
        fork(find_origin(f"{bench.directory}@1", bench.settings), bench.settings)
    (bench.directory / "trees.git" / "objects").mkdir(parents=True)
    shutil.rmtree(bench.repository)
    with pytest.raises(RunBroken, match="@main#0 are missing"):
        again(bench)
    assert [folder.name for folder in bench.settings.runs.iterdir()] == [bench.directory.name]


@pytest.mark.slow
@pytest.mark.parametrize("asked", [None, {"command": "x"}], ids=["earlier", "strange"])
def test_what_record_does_not_say_of_proof_is_found(talk, asked) -> None:
    talked = talk(line("", EDIT, n=1), line("Done.", n=2))
    talked.go()
    talked.engine.close()
    path = talked.bench.directory / "journal.jsonl"
    records = [with_asked(record, asked) for record in read(talked.bench.directory).records]
    path.write_bytes(b"".join(map(encode, records)))
    register(talked.bench.directory, talked.bench.settings.state)
    found = again(talked.bench)
    assert found.told == []
    assert found.right.steps["main"][-1].observations[0].data["asked"]["reproduces"] is False


def with_asked(record, asked):
    if not isinstance(record, Step):
        return record
    seen = [replace(each, data=each.data | {"asked": asked}) for each in record.observations]
    return replace(record, observations=tuple(seen))


@pytest.mark.slow
def test_replay_can_be_replayed(bench) -> None:
    solved(bench, line("", EDIT, n=1), line("", act("submit"), n=2))
    first = again(bench)
    found = again(bench, first.directory)
    assert found.told == []
    assert replay_of(found.right) == first.directory.name


@pytest.mark.slow
def test_replay_is_not_gone_on_with(talk, bench) -> None:
    talked = talk(line("", EDIT, n=1), line("I have changed it.", n=2))
    talked.go()
    talked.engine.close()
    found = again(bench)
    assert [run.name for run in runs_in(bench.settings.runs)] == [bench.directory.name]
    with pytest.raises(UsageError, match="is a replay of") as refused:
        reopen(found.directory, bench.settings.state)
    assert refused.value.fix == f"Replay it again: `swe-agent replay {bench.directory.name}`."


@pytest.mark.slow
def test_fork_of_replay_is_run_like_others(bench) -> None:
    solved(bench, line("", EDIT, n=1), line("", act("submit"), n=2))
    begun = find_origin(f"{again(bench).directory}@1", bench.settings)
    with pytest.raises(UsageError, match="has no model"):
        fork_settings(begun)
    settings = fork_settings(begun, model=bench.settings.model).model_copy(update={"state": bench.settings.state})
    forked = fork(begun, settings)
    assert replay_of(read(forked)) == ""
    assert summarize_run(forked).resumable
    reopen(forked, bench.settings.state).close()
