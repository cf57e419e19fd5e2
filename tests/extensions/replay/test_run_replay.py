"""Replay of a run without its model: equal steps, differences, and the files after a difference."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import reopen
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.run_ownership import register
from agent.runs.resumable_runs import runs_in
from agent.runs.run_listing import summarize_run
from agent.runs.run_lookup import open_own_run
from extensions.replay.commands.replay import command
from extensions.replay.run_comparison import RunComparison, compare_runs
from extensions.replay.run_fork import find_origin, fork, fork_settings
from extensions.replay.run_replay import RunReplay, begin_replay, replay_settings
from tests.agent.conftest import act, line
from tests.external_plugin import install_tool
from trajectories.errors import Cancelled, RunBroken, UsageError, WorkspaceError
from trajectories.journal import encode, read
from trajectories.records import Note, Step
from trajectories.trajectory import replay_of
from trajectories.verdict import Verdict

EDIT = act("edit", path="calc.py", old="a - b", new="a + b")


NOTE = "Restored, since plan mode does not allow changes"
EARLIER_NOTE = "Put back, since in plan mode nothing is changed"


class FinishedReplay:
    """A replay, run to its end."""

    def __init__(self, directory: Path, settings, workspace: str | None = None, **options) -> None:
        material = open_own_run(directory)
        settings_used = replay_settings(material, settings, workspace)
        self.directory = begin_replay(material, settings_used)
        run_replay = RunReplay(Engine(self.directory, settings_used), material, **options)
        try:
            self.steps = list(run_replay.run())
        finally:
            run_replay.close()
        self.notes = run_replay.notes
        self.left, self.right = material.trajectory, read(self.directory)

    @property
    def comparison(self) -> RunComparison:
        return compare_runs(self.left, self.right)

    @property
    def differences(self) -> list[tuple[str, str]]:
        return [(each.id, each.what) for each in self.comparison.differences]


def replay(bench, directory: Path | None = None, **options) -> FinishedReplay:
    return FinishedReplay(directory or bench.directory, bench.settings, **options)


def run_script(bench, *lines: dict, **settings):
    """Drive a run with these replies, without a proof."""

    def strategy(task):
        for _ in lines:
            reply = task.ask()
            yield task.step(reply, task.act(reply.actions))
        return task.best()

    bench.begin(*lines, **settings)
    bench.drive(strategy)


@pytest.mark.slow
def test_replay_of_deterministic_run_is_equal_and_free(bench) -> None:
    print_changing = act("shell", command="date; pwd; mktemp; echo $$; python3 -c 'print(object())'; sleep 0.01")
    run_script(bench, line("", print_changing, EDIT, act("view", path="calc.py"), n=1), line("", act("submit"), n=2))
    replayed = replay(bench)
    assert replayed.differences == []
    assert replayed.comparison.same == 2
    assert replayed.right.exit == replace(replayed.right.exit, kind="replayed", code=0)
    assert not replayed.right.holds
    assert replay_of(replayed.right) == bench.directory.name
    assert (
        replayed.right.steps["main"][0].observations != replayed.left.steps["main"][0].observations
    )  # it was run again


@pytest.mark.slow
def test_external_tool_is_not_replayed(bench, tmp_path, monkeypatch) -> None:
    """Records may come from an untrusted source, and the tool acts outside the workspace."""
    install_tool(tmp_path / "site", monkeypatch)
    target = tmp_path / "deployed"
    run_script(bench, line("", act("deploy", target=str(target)), EDIT, n=1), line("", act("submit"), n=2))
    assert target.read_text() == "deployed"
    target.unlink()
    replayed = replay(bench)
    assert not target.exists()
    assert replayed.differences == []


@pytest.mark.slow
def test_steps_after_difference_start_from_recorded_tree(bench) -> None:
    marker = bench.folder / "been-here"
    write_once = f"test -e {marker} && echo two > new.txt || echo one > new.txt; touch {marker}"
    run_script(
        bench,
        line("", act("shell", command=write_once), n=1),
        line("", act("shell", command="cat new.txt; cp new.txt copy.txt"), n=2),
        line("", act("submit"), n=3),
    )
    replayed = replay(bench)
    assert replayed.differences == [("main#1", "tree")]
    assert replayed.comparison.first.left == replayed.left.steps["main"][0].tree
    assert "one" in replayed.right.steps["main"][1].observations[0].text  # from the recorded tree
    note = next(note for note in replayed.right.notes if note.kind == "parted")
    assert note.data["files"] == ["M new.txt"]
    assert (replayed.right.exit.kind, replayed.right.exit.code) == ("parted", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "difference_kinds"),
    [
        ("(exit $(ls | wc -l))", ["exit"]),
        ("ls", []),
    ],
    ids=["code", "text"],
)
def test_different_exit_code_is_difference_but_text_is_not(bench, command: str, difference_kinds: list[str]) -> None:
    shared = bench.folder / "seen"
    shared.mkdir()
    run_script(bench, line("", act("shell", command=f"(cd {shared}; {command}; code=$?; touch $code; exit $code)")))
    replayed = replay(bench)
    assert [what for _, what in replayed.differences] == difference_kinds
    assert [each.what for each in replayed.comparison.texts] == ([] if difference_kinds else ["text"])
    assert replayed.right.exit.code == len(difference_kinds)


@pytest.mark.slow
def test_replay_stops_at_first_difference_on_request(bench) -> None:
    differs = act("shell", command=f"mkdir {bench.folder}/made")
    run_script(bench, line("", differs, n=1), line("", EDIT, n=2))
    replayed = replay(bench, stop_at_first=True)
    assert replayed.differences == [("main#1", "exit"), ("main#2", "missing")]
    assert [step.n for step in replayed.steps] == [1]


@pytest.mark.slow
def test_attempts_are_replayed_in_separate_forks(bench) -> None:
    def attempt(task):
        yield from task.phase("try")
        return Outcome(task.tree, Verdict())

    def strategy(task):
        results = task.act(actions := (before_action(task),))
        yield task.step(None, results, actions, author="task")
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
    replayed = replay(bench)
    assert replayed.differences == []
    assert replayed.comparison.texts == ()
    assert replayed.comparison.same == 5
    assert [note.text for note in replayed.right.notes if note.kind == "candidate"] == ["the first"]


def before_action(task):
    from trajectories.records import Action

    return Action("shell", {"command": "echo x > before.txt; echo main >> made.pyc"})


@pytest.mark.slow
@pytest.mark.parametrize("note", [NOTE, EARLIER_NOTE], ids=["present note", "note of earlier versions"])
def test_session_of_many_turns_is_replayed(talk, bench, note) -> None:
    session = talk(
        line("", EDIT, n=1),
        line("I have changed it.", n=2),
        line("", act("shell", command="echo no > forbidden.txt; ls"), act("edit", path="x", old="", new="y"), n=3),
        line("It is a plan.", n=4),
        line("", act("shell", command="cat calc.py user.txt; echo more > more.txt"), n=5),
        line("Done.", n=6),
    )
    session.finish_turn()
    session.send("plan it", strategy="plan")
    session.send("!echo mine > by-hand.txt; exit 2", strategy="by-hand")
    session.send("/undo", strategy="undo")
    session.send("/redo", strategy="undo")
    (bench.repository / "user.txt").write_text("user\n")
    session.send("continue")
    session.send("/prove", strategy="prove")
    session.engine.close()
    shutil.rmtree(bench.repository)  # the user's changes between turns are on the record
    journal = bench.directory / "journal.jsonl"
    recorded = journal.read_text()
    assert NOTE in recorded
    journal.write_text(recorded.replace(NOTE, note))
    register(bench.directory, bench.settings.state)
    replayed = replay(bench)
    assert replayed.differences == []
    assert [each.right.endswith(": forbidden.txt]") for each in replayed.comparison.texts] == [True] * (note != NOTE)
    assert {step.author for step in replayed.steps} >= {"coder", "undo", "host", "proof"}
    assert [turn.request for turn in replayed.right.turns] == [turn.request for turn in replayed.left.turns]
    assert replayed.notes


@pytest.mark.slow
def test_interrupted_run_is_replayed_up_to_interrupt(bench) -> None:
    def strategy(task):
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        if is_interrupted:
            task.ask()
            raise Cancelled("Interrupted.")
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        return task.best()

    is_interrupted = True
    write = act("shell", command="echo a > kept.txt; echo b > lost.pyc")
    print_changing = act("shell", command="cat kept.txt; test ! -e lost.pyc && echo gone")
    bench.begin(line("", write, n=1), line("", print_changing, n=2))
    with pytest.raises(Cancelled):
        bench.drive(strategy)
    assert replay(bench).comparison.same == 1
    is_interrupted = False
    engine = bench.engine()
    engine.journal.append(Note("main", "life", "resumed"))  # as `solve` writes it
    engine.close()
    bench.drive(strategy)
    replayed = replay(bench)
    assert replayed.differences == []
    assert "gone" in replayed.right.steps["main"][1].observations[0].text


@pytest.mark.slow
def test_refused_command_is_not_replayed(bench) -> None:
    from agent.permissions.approvals import Answer

    def strategy(task):
        task.branch.engine.approve = lambda approval: Answer(False, reason="not that")
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        return task.best()

    bench.begin(line("", act("shell", command="touch refused.txt"), act("view", path="calc.py")))
    bench.drive(strategy)
    replayed = replay(bench)
    assert replayed.differences == []
    assert "refused" in replayed.right.steps["main"][0].observations[0].text


@pytest.mark.slow
@pytest.mark.parametrize("needs_test", [True, False])
def test_submission_without_test_is_replayed_as_it_was_decided(bench, needs_test) -> None:
    """Also in a run of an earlier version, which sent no submission back."""

    def strategy(task):
        task.branch.needs_test = needs_test
        for _ in range(2):
            reply = task.ask()
            yield task.step(reply, task.act(reply.actions))
        return task.best()

    bench.begin(line("", EDIT, act("submit"), n=1), line("", act("submit"), n=2))
    steps, _ = bench.drive(strategy)
    assert [step.observations[-1].ok for step in steps] == [not needs_test, True]
    assert replay(bench).differences == []


@pytest.mark.slow
def test_interrupted_replay_has_ended(bench) -> None:
    run_script(bench, line("", EDIT, n=1), line("", act("submit"), n=2))
    material = open_own_run(bench.directory)
    own = replay_settings(material, bench.settings, None)
    engine = Engine(begin_replay(material, own), own)
    run_replay = RunReplay(engine, material)
    steps = run_replay.run()
    next(steps)
    engine.cancel.set()
    with pytest.raises(Cancelled):
        list(steps)
    run_replay.close()
    exit_record = read(engine.journal.directory).exit
    assert (exit_record.kind, exit_record.fix) == ("interrupted", "Replay the run again.")


@pytest.mark.slow
def test_failed_replay_has_ended(bench) -> None:
    run_script(bench, line("", EDIT, act("submit")))
    shutil.rmtree(bench.repository)
    material = open_own_run(bench.directory)
    own = replay_settings(material, bench.settings, None)
    engine = Engine(begin_replay(material, own), own)
    (engine.journal.directory / "base").write_text("in the way")
    run_replay = RunReplay(engine, material)
    with pytest.raises(WorkspaceError, match="This machine failed"):
        list(run_replay.run())
    run_replay.close()
    exit_record = read(engine.journal.directory).exit
    assert (exit_record.kind, exit_record.code, exit_record.fix) == ("error", 5, "Replay the run again.")


def test_replay_of_single_step_is_refused(bench, monkeypatch) -> None:
    monkeypatch.setenv("SWE_AGENT_STATE", str(bench.folder / "state"))
    with pytest.raises(UsageError, match="but only whole runs can be replayed") as refused:
        command("some-run@main#1")
    assert refused.value.fix == "Use `swe-agent replay some-run`."


@pytest.mark.slow
def test_replay_of_untrusted_run_needs_boundary(bench, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SWE_AGENT_WORKSPACE", "local")
    run_script(bench, line("", EDIT, act("submit")), disk="9g")
    untrusted = tmp_path / "untrusted"
    shutil.copytree(bench.directory, untrusted)
    (untrusted / "out" / "9").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="not among your runs"):
        replay_settings(open_own_run(untrusted), bench.settings, None)
    replayed = replay(bench, untrusted, workspace="local")
    assert replayed.differences == []
    assert replayed.right.run.settings["disk"] == "10g"  # the user's, not the recorded one
    assert not (replayed.directory / "out" / "9").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ({}, "without isolation"),
        ({"workspace": "docker", "image": "127.0.0.1:5000/untrusted"}, "not a known public one"),
    ],
    ids=["nothing", "image"],
)
def test_untrusted_settings_do_not_bypass_boundary(bench, monkeypatch, recorded, expected) -> None:
    monkeypatch.setenv("SWE_AGENT_WORKSPACE", recorded.get("workspace", "local"))
    run_script(bench, line("", EDIT, act("submit")))
    untrusted = bench.folder / "untrusted"
    shutil.copytree(bench.directory, untrusted)
    results, *rest = read(untrusted).records
    other_settings = {name: value for name, value in results.settings.items() if name not in ("workspace", "image")}
    records = [replace(results, settings=other_settings | recorded), *rest]
    (untrusted / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    with pytest.raises(UsageError, match=expected):
        replay_settings(open_own_run(untrusted), bench.settings, None)


@pytest.mark.slow
def test_run_without_its_files_is_not_replayed(bench) -> None:
    run_script(bench, line("", EDIT, act("submit")))
    moved = bench.folder / "moved"
    (bench.directory / "trees.git").rename(moved)
    with pytest.raises(RunBroken, match=r"^The files of \S+@main#0 are missing\.$"):
        replay(bench)
    assert [folder.name for folder in bench.settings.runs.iterdir()] == [bench.directory.name]
    with pytest.raises(RunBroken, match="are missing"):
        fork(find_origin(f"{bench.directory}@1", bench.settings), bench.settings)
    (bench.directory / "trees.git" / "objects").mkdir(parents=True)
    shutil.rmtree(bench.repository)
    with pytest.raises(RunBroken, match="@main#0 are missing"):
        replay(bench)
    assert [folder.name for folder in bench.settings.runs.iterdir()] == [bench.directory.name]


@pytest.mark.slow
@pytest.mark.parametrize("proof_options", [None, {"command": "x"}], ids=["earlier", "strange"])
def test_missing_details_of_recorded_proof_are_detected(talk, proof_options) -> None:
    session = talk(line("", EDIT, n=1), line("Done.", n=2))
    session.finish_turn()
    session.engine.close()
    path = session.bench.directory / "journal.jsonl"
    records = [with_proof_options(record, proof_options) for record in read(session.bench.directory).records]
    path.write_bytes(b"".join(map(encode, records)))
    register(session.bench.directory, session.bench.settings.state)
    replayed = replay(session.bench)
    assert replayed.differences == []
    assert replayed.right.steps["main"][-1].observations[0].data["asked"]["reproduces"] is False


def with_proof_options(record, proof_options):
    if not isinstance(record, Step):
        return record
    observations = [replace(each, data=each.data | {"asked": proof_options}) for each in record.observations]
    return replace(record, observations=tuple(observations))


@pytest.mark.slow
def test_replay_can_be_replayed(bench) -> None:
    run_script(bench, line("", EDIT, n=1), line("", act("submit"), n=2))
    results = replay(bench)
    replayed = replay(bench, results.directory)
    assert replayed.differences == []
    assert replay_of(replayed.right) == results.directory.name


@pytest.mark.slow
def test_replay_is_not_resumed(talk, bench) -> None:
    session = talk(line("", EDIT, n=1), line("I have changed it.", n=2))
    session.finish_turn()
    session.engine.close()
    replayed = replay(bench)
    assert [run.name for run in runs_in(bench.settings.runs)] == [bench.directory.name]
    with pytest.raises(UsageError, match="is a replay of") as refused:
        reopen(replayed.directory, bench.settings.state)
    assert refused.value.fix == f"Replay it again: `swe-agent replay {bench.directory.name}`."


@pytest.mark.slow
def test_fork_of_replay_is_ordinary_run(bench) -> None:
    run_script(bench, line("", EDIT, n=1), line("", act("submit"), n=2))
    origin = find_origin(f"{replay(bench).directory}@1", bench.settings)
    with pytest.raises(UsageError, match="has no model"):
        fork_settings(origin)
    settings = fork_settings(origin, model=bench.settings.model).model_copy(update={"state": bench.settings.state})
    forked = fork(origin, settings)
    assert replay_of(read(forked)) == ""
    assert summarize_run(forked).resumable
    reopen(forked, bench.settings.state).close()
