"""`export`: which formats there are, what they may be asked, what is never in a file, and how it is written."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.commands.export import command
from agent.runs.run_export import export_runs, file_extension, formats, write_export
from agent.runs.run_lookup import open_own_run
from tests.agent.conftest import act, line
from tests.agent.scripted_turns import finished
from tests.trajectories.exports.random_runs import SOURCE, TESTS, Made
from trajectories.errors import RunBroken, UsageError
from trajectories.exports import swe_agent
from trajectories.exports._record_text import instance_of
from trajectories.records import Action, Issue, Patch
from trajectories.run_data import RunView

SINGLE = ("atif", "markdown", "swe-agent")
KEY = "sesame-opens-the-door-7"


@pytest.fixture(scope="module")
def run() -> RunView:
    made = Made()
    made.say("Mend it.")
    made.ask("It is in calc.py.", [Action("shell", {"command": "cat calc.py"})], ["return a - b"])
    made.end()
    return made.material()


def test_every_format_says_what_it_is_and_how_its_file_is_called() -> None:
    assert {*SINGLE, "chat", "predictions"} <= formats().keys()
    assert all(what and "\n" not in what for what in formats().values())
    assert [file_extension(name) for name in ("atif", "swe_agent", "markdown", "chat")] == [
        "json",
        "traj",
        "md",
        "jsonl",
    ]


@pytest.mark.parametrize("name", SINGLE)
def test_format_of_one_run_takes_one(name: str, run: RunView) -> None:
    assert "".join(export_runs([run], name, ()))
    with pytest.raises(UsageError, match=f"{name} exports one run, but 2 were given."):
        export_runs([run, run], name, ())


def test_format_that_there_is_not(run: RunView) -> None:
    with pytest.raises(UsageError) as error:
        export_runs([run], "parquet", ())
    assert "swe-agent" in error.value.fix


@pytest.mark.parametrize("name", [*SINGLE, "chat", "predictions"])
def test_no_secret_is_in_what_is_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_API_KEY", KEY)
    made = Made(issue=Issue(f"Open with {KEY}", KEY), system=f"The key is {KEY}.")
    made.say(f"Use {KEY}.")
    made.ask(KEY, [Action("shell", {"command": f"echo {KEY}", KEY: [KEY]})], [f"{KEY}\n"], reasoning=KEY)
    made.note("phase", KEY)
    made.turn(KEY, system=KEY)
    made.ask("Done.", ())
    made.patch = Patch(SOURCE.replace("a + b", KEY), SOURCE.replace("a + b", KEY))
    text = "".join(export_runs([made.material()], name, secrets=["another-secret-of-a-model"]))
    assert KEY not in text
    assert "[masked]" in text


def test_predictions_have_source_alone_and_instance_once() -> None:
    issue = Issue("add() subtracts", url="https://github.com/octo/calc/issues/7")
    runs = [Made(issue=issue), Made("octo__calc-8", issue), Made("octo__calc-9.2", issue), Made("mine", Issue("x"))]
    runs[0].ask(model="some/model")
    rows = [json.loads(row) for row in export_runs([made.material() for made in runs], "predictions", ())]
    assert [row["instance_id"] for row in rows] == ["octo__calc-7", "octo__calc-8", "octo__calc-9", "mine"]
    assert [row["model_name_or_path"] for row in rows] == ["some/model", "react", "react", "react"]
    assert {row["model_patch"] for row in rows} == {SOURCE}
    with pytest.raises(UsageError, match=r"octo__calc-8\.2 are both runs of octo__calc-8"):
        list(export_runs([Made(name).material() for name in ("octo__calc-8", "octo__calc-8.2")], "predictions", ()))
    assert instance_of(Made("20260101-120000-abcdef").material()) == "20260101-120000-abcdef"


def test_predictions_are_read_by_harness(run: RunView, tmp_path: Path) -> None:
    utils = pytest.importorskip("swebench.harness.utils", reason="the package swebench is not installed")
    write_export(export_runs([run], "predictions", ()), tmp_path / "preds.jsonl")
    (read,) = utils.get_predictions_from_file(str(tmp_path / "preds.jsonl"), "", "")
    assert read["model_patch"] == SOURCE


def test_file_is_written_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("before")

    def breaks() -> Iterator[str]:
        yield "half"
        raise RunBroken("The trees are gone.")

    with pytest.raises(RunBroken):
        write_export(breaks(), target)
    assert target.read_text() == "before"
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        write_export(iter("x"), tmp_path / "no" / "such")
    write_export(iter(["a", "\ud800b"]), target)
    assert target.read_text() == "a?b"
    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]


def test_file_keeps_its_mode_and_link_its_place(tmp_path: Path) -> None:
    target, link = tmp_path / "mine", tmp_path / "link"
    target.write_text("before")
    target.chmod(0o600)
    link.symlink_to(target)
    assert write_export(iter("a"), link) == f"Replaced {link}."
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode), link.is_symlink()) == ("a", 0o600, True)
    assert write_export(iter("a"), tmp_path / "new") == f"Written to {tmp_path / 'new'}."


def test_what_is_no_file_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_export(iter("told"), pipe)
    assert (os.read(reader, 10), pipe.is_fifo()) == (b"told", True)
    os.close(reader)
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        write_export(iter("a"), tmp_path)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from agent.engine.run_lifecycle import begin, reopen
    from tests.conftest import git

    folder = tmp_path_factory.mktemp("exporting")
    (folder / "repo").mkdir()
    (folder / "repo" / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        git(folder / "repo", *words)
    mend, test = (
        act("edit", path=path, old=old, new=new)
        for path, old, new in [("calc.py", "a - b", "a + b"), ("test_calc.py", "", "def test_add():\n    assert 1\n")]
    )
    script = folder / "script.jsonl"
    script.write_text(json.dumps(line("Mend.", mend, test, act("submit"))) + "\n")
    settings = Settings(model=f"scripted:{script}", workspace="local", state=folder / "state", strategy="react")
    directory = begin(Issue("add() subtracts"), Repository.open(folder / "repo"), settings)
    engine = reopen(directory, settings.state)
    finished(engine)
    engine.close()
    return directory


@pytest.mark.slow
def test_run_on_disk_is_told_in_every_form(on_disk: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture) -> None:
    for name in (*SINGLE, "chat", "predictions"):
        assert command([str(on_disk)], name) == 0
        text = capfdbinary.readouterr().out.decode()
        assert command([str(on_disk)], name, tmp_path / "out") == 0
        assert (tmp_path / "out").read_text() == text
        words = "Replaced" if name != SINGLE[0] else "Written to"
        assert f"{words} {tmp_path / 'out'}." in capfdbinary.readouterr().err.decode()
        assert ("test_calc.py" in text) == (name != "predictions")
        assert "a + b" in text


def test_password_of_service_is_masked_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture
) -> None:
    (tmp_path / "swe-agent.toml").write_text(
        f'[services.db]\nimage = "postgres"\nenv = {{ POSTGRES_PASSWORD = "{KEY}" }}\n'
    )
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "swe-agent.toml"))
    file = tmp_path / "a.traj.json"
    said = [{"role": "user", "content": f"Use {KEY}."}, {"role": "assistant", "content": KEY}]
    file.write_text(json.dumps({"messages": said}))
    for name in ("atif", "chat", "markdown", "swe-agent"):
        command([str(file)], name)
        text = capfdbinary.readouterr().out.decode()
        assert "[masked]" in text
        assert KEY not in text


def test_predictions_of_others_leave_out_their_tests(tmp_path: Path, capfdbinary: pytest.CaptureFixture) -> None:
    file = tmp_path / "a.traj.json"
    said = [{"role": "user", "content": "Mend."}, {"role": "assistant", "content": "Done."}]
    file.write_text(json.dumps({"messages": said, "info": {"submission": TESTS + SOURCE}}))
    command([str(file)], "predictions")
    assert json.loads(capfdbinary.readouterr().out)["model_patch"] == SOURCE


def test_no_export_has_numbers_that_json_has_not() -> None:
    made = Made()
    made.ask("x", [Action("shell", {"n": float("nan"), "m": [float("-inf")]})])
    for name in ("atif", "swe-agent", "chat"):
        json.loads("".join(export_runs([made.material()], name, ())), parse_constant=pytest.fail)


def test_reply_that_was_never_acted_on_is_told() -> None:
    made = Made()
    made.ask("Acted on.")
    made.ask("The last words.")
    made.records.pop()
    for name in ("atif", "swe-agent", "markdown", "chat"):
        text = "".join(export_runs([made.material()], name, ()))
        assert text.count("The last words.") == text.count("Acted on.") - (name == "swe-agent")
    document = json.loads("".join(export_runs([made.material()], "atif", ())))
    assert document["steps"][-1]["extra"]["error"].startswith("The run ended before")
    assert document["steps"][-1]["metrics"]["prompt_tokens"] == 20


def test_queries_of_long_run_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swe_agent, "QUERIES", 500)
    made = Made()
    for number in range(10):
        made.ask(f"Look {number}.")
    steps = json.loads("".join(export_runs([made.material()], "swe-agent", ())))["trajectory"]
    told = [bool(step["query"]) for step in steps]
    assert told == sorted(told, reverse=True)
    assert 0 < sum(told) < 10
    assert [bool(step["query"]) != ("query" in step["extra_info"]) for step in steps] == [True] * 10
    assert [step["response"] for step in steps] == [f"Look {number}." for number in range(10)]


@pytest.mark.slow
def test_run_without_its_trees_says_so(on_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes((on_disk / "journal.jsonl").read_bytes())
    with pytest.raises(RunBroken, match="The trees of the run are missing"):
        export_runs([open_own_run(tmp_path)], "predictions", ())
    assert "".join(export_runs([open_own_run(tmp_path)], "chat", ()))


def test_run_that_goes_on_is_told_to_be_unfinished(
    on_disk: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture
) -> None:
    going_on = shutil.copytree(on_disk, tmp_path / "going-on")
    lines = (on_disk / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (going_on / "journal.jsonl").write_bytes(b"".join(line for line in lines if b'"type":"exit"' not in line))
    assert command([str(going_on)], "predictions") == 0
    assert b"has not ended" in capfdbinary.readouterr().err


@pytest.mark.slow
def test_who_stops_reading_gets_no_traceback(on_disk: Path) -> None:
    program = f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); from swe_agent import main; main()"
    export = [sys.executable, "-c", program, "export", str(on_disk), "--format", "markdown"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(export, stdout=writer, stderr=subprocess.PIPE, check=False, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
