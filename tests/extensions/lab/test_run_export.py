"""`export`: the formats, their limits, masked secrets, and how files are written."""

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

from agent.runs.run_lookup import open_own_run
from extensions.lab.commands.export import command
from extensions.lab.exports import swe_agent
from extensions.lab.exports._record_text import instance_of
from extensions.lab.run_export import export_runs, file_extension, formats, write_export
from tests.agent.conftest import act, line
from tests.agent.scripted_turns import finish_solving
from tests.extensions.lab.exports.random_runs import SOURCE, TESTS, Made
from trajectories.errors import RunBroken, UsageError
from trajectories.records import Action, Issue, Patch
from trajectories.trajectory import RunView

SINGLE = ("atif", "markdown", "swe-agent")
KEY = "sesame-opens-all-locks-7"


@pytest.fixture(scope="module")
def run() -> RunView:
    builder = Made()
    builder.say("Fix it.")
    builder.ask("It is in calc.py.", [Action("shell", {"command": "cat calc.py"})], ["return a - b"])
    builder.end()
    return builder.material()


def test_every_format_has_description_and_file_extension() -> None:
    assert {*SINGLE, "chat", "predictions"} <= formats().keys()
    assert all(description and "\n" not in description for description in formats().values())
    assert [file_extension(name) for name in ("atif", "swe_agent", "markdown", "chat")] == [
        "json",
        "traj",
        "md",
        "jsonl",
    ]


@pytest.mark.parametrize("name", SINGLE)
def test_single_run_format_refuses_two_runs(name: str, run: RunView) -> None:
    assert "".join(export_runs([run], name, ()))
    with pytest.raises(UsageError, match=f"{name} exports one run, but 2 were given."):
        export_runs([run, run], name, ())


def test_unknown_format_is_refused(run: RunView) -> None:
    with pytest.raises(UsageError) as error:
        export_runs([run], "parquet", ())
    assert "swe-agent" in error.value.fix


@pytest.mark.parametrize("name", [*SINGLE, "chat", "predictions"])
def test_secrets_are_masked_in_export(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    builder = Made(issue=Issue(f"Open with {KEY}", KEY), system=f"The key is {KEY}.")
    builder.say(f"Use {KEY}.")
    builder.ask(KEY, [Action("shell", {"command": f"echo {KEY}", KEY: [KEY]})], [f"{KEY}\n"], reasoning=KEY)
    builder.note("phase", KEY)
    builder.turn(KEY, system=KEY)
    builder.ask("Done.", ())
    builder.patch = Patch(SOURCE.replace("a + b", KEY), SOURCE.replace("a + b", KEY))
    text = "".join(export_runs([builder.material()], name, secrets=["another-secret-of-a-model"]))
    assert KEY not in text
    assert "[masked]" in text


def test_predictions_have_source_patch_and_unique_instance() -> None:
    issue = Issue("add() subtracts", url="https://github.com/octo/calc/issues/7")
    runs = [Made(issue=issue), Made("octo__calc-8", issue), Made("octo__calc-9.2", issue), Made("mine", Issue("x"))]
    runs[0].ask(model="some/model")
    rows = [json.loads(row) for row in export_runs([builder.material() for builder in runs], "predictions", ())]
    assert [row["instance_id"] for row in rows] == ["octo__calc-7", "octo__calc-8", "octo__calc-9", "mine"]
    assert [row["model_name_or_path"] for row in rows] == ["some/model", "react", "react", "react"]
    assert {row["model_patch"] for row in rows} == {SOURCE}
    with pytest.raises(UsageError, match=r"octo__calc-8\.2 are both runs of octo__calc-8"):
        list(export_runs([Made(name).material() for name in ("octo__calc-8", "octo__calc-8.2")], "predictions", ()))
    assert instance_of(Made("20260101-120000-abcdef").material()) == "20260101-120000-abcdef"


def test_predictions_are_read_by_swebench_harness(run: RunView, tmp_path: Path) -> None:
    utils = pytest.importorskip("swebench.harness.utils", reason="the package swebench is not installed")
    write_export(export_runs([run], "predictions", ()), tmp_path / "preds.jsonl")
    (prediction,) = utils.get_predictions_from_file(str(tmp_path / "preds.jsonl"), "", "")
    assert prediction["model_patch"] == SOURCE


def test_file_is_unchanged_when_export_fails(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("before")

    def fail_midway() -> Iterator[str]:
        yield "half"
        raise RunBroken("The trees are gone.")

    with pytest.raises(RunBroken):
        write_export(fail_midway(), target)
    assert target.read_text() == "before"
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        write_export(iter("x"), tmp_path / "no" / "such")
    write_export(iter(["a", "\ud800b"]), target)
    assert target.read_text() == "a?b"
    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]


def test_replaced_file_keeps_its_mode_and_link(tmp_path: Path) -> None:
    target, link = tmp_path / "mine", tmp_path / "link"
    target.write_text("before")
    target.chmod(0o600)
    link.symlink_to(target)
    assert write_export(iter("a"), link) == f"Replaced {link}."
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode), link.is_symlink()) == ("a", 0o600, True)
    assert write_export(iter("a"), tmp_path / "new") == f"Written to {tmp_path / 'new'}."


def test_export_writes_into_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_export(iter("text"), pipe)
    assert (os.read(reader, 10), pipe.is_fifo()) == (b"text", True)
    os.close(reader)
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        write_export(iter("a"), tmp_path)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from agent.lifecycle.run_lifecycle import begin, reopen
    from tests.conftest import git

    folder = tmp_path_factory.mktemp("exporting")
    (folder / "repo").mkdir()
    (folder / "repo" / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        git(folder / "repo", *arguments)
    fix, test = (
        act("edit", path=path, old=old, new=new)
        for path, old, new in [("calc.py", "a - b", "a + b"), ("test_calc.py", "", "def test_add():\n    assert 1\n")]
    )
    script = folder / "script.jsonl"
    script.write_text(json.dumps(line("Fix.", fix, test, act("submit"))) + "\n")
    settings = Settings(model=f"scripted:{script}", workspace="local", state=folder / "state", strategy="react")
    directory = begin(Issue("add() subtracts"), Repository.open(folder / "repo"), settings)
    engine = reopen(directory, settings.state)
    finish_solving(engine)
    engine.close()
    return directory


@pytest.mark.slow
def test_run_on_disk_is_exported_in_every_format(
    on_disk: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture
) -> None:
    for name in (*SINGLE, "chat", "predictions"):
        assert command([str(on_disk)], name) == 0
        text = capfdbinary.readouterr().out.decode()
        assert command([str(on_disk)], name, tmp_path / "out") == 0
        assert (tmp_path / "out").read_text() == text
        message = "Replaced" if name != SINGLE[0] else "Written to"
        assert f"{message} {tmp_path / 'out'}." in capfdbinary.readouterr().err.decode()
        assert ("test_calc.py" in text) == (name != "predictions")
        assert "a + b" in text


def test_service_password_is_masked_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture
) -> None:
    (tmp_path / "swe-agent.toml").write_text(
        f'[services.db]\nimage = "postgres"\nenv = {{ POSTGRES_PASSWORD = "{KEY}" }}\n'
    )
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "swe-agent.toml"))
    file = tmp_path / "a.traj.json"
    messages = [{"role": "user", "content": f"Use {KEY}."}, {"role": "assistant", "content": KEY}]
    file.write_text(json.dumps({"messages": messages}))
    for name in ("atif", "chat", "markdown", "swe-agent"):
        command([str(file)], name)
        text = capfdbinary.readouterr().out.decode()
        assert "[masked]" in text
        assert KEY not in text


def test_imported_predictions_leave_out_tests(tmp_path: Path, capfdbinary: pytest.CaptureFixture) -> None:
    file = tmp_path / "a.traj.json"
    messages = [{"role": "user", "content": "Fix."}, {"role": "assistant", "content": "Done."}]
    file.write_text(json.dumps({"messages": messages, "info": {"submission": TESTS + SOURCE}}))
    command([str(file)], "predictions")
    assert json.loads(capfdbinary.readouterr().out)["model_patch"] == SOURCE


def test_export_has_no_numbers_that_json_lacks() -> None:
    builder = Made()
    builder.ask("x", [Action("shell", {"n": float("nan"), "m": [float("-inf")]})])
    for name in ("atif", "swe-agent", "chat"):
        json.loads("".join(export_runs([builder.material()], name, ())), parse_constant=pytest.fail)


def test_reply_without_step_is_exported() -> None:
    builder = Made()
    builder.ask("Acted on.")
    builder.ask("The last reply.")
    builder.records.pop()
    for name in ("atif", "swe-agent", "markdown", "chat"):
        text = "".join(export_runs([builder.material()], name, ()))
        assert text.count("The last reply.") == text.count("Acted on.") - (name == "swe-agent")
    document = json.loads("".join(export_runs([builder.material()], "atif", ())))
    assert document["steps"][-1]["extra"]["error"].startswith("The run ended before")
    assert document["steps"][-1]["metrics"]["prompt_tokens"] == 20


def test_later_queries_of_long_run_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swe_agent, "QUERIES", 500)
    builder = Made()
    for number in range(10):
        builder.ask(f"Look {number}.")
    steps = json.loads("".join(export_runs([builder.material()], "swe-agent", ())))["trajectory"]
    has_query = [bool(step["query"]) for step in steps]
    assert has_query == sorted(has_query, reverse=True)
    assert 0 < sum(has_query) < 10
    assert [bool(step["query"]) != ("query" in step["extra_info"]) for step in steps] == [True] * 10
    assert [step["response"] for step in steps] == [f"Look {number}." for number in range(10)]


@pytest.mark.slow
def test_run_without_its_trees_is_reported(on_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes((on_disk / "journal.jsonl").read_bytes())
    with pytest.raises(RunBroken, match="The trees of the run are missing"):
        export_runs([open_own_run(tmp_path)], "predictions", ())
    assert "".join(export_runs([open_own_run(tmp_path)], "chat", ()))


@pytest.mark.slow
def test_unfinished_run_is_reported(on_disk: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture) -> None:
    unfinished = shutil.copytree(on_disk, tmp_path / "unfinished")
    lines = (on_disk / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (unfinished / "journal.jsonl").write_bytes(b"".join(line for line in lines if b'"type":"exit"' not in line))
    assert command([str(unfinished)], "predictions") == 0
    assert b"has not ended" in capfdbinary.readouterr().err


@pytest.mark.slow
def test_closed_stdout_ends_export_without_traceback(on_disk: Path) -> None:
    program = f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); from swe_agent import main; main()"
    export = [sys.executable, "-c", program, "export", str(on_disk), "--format", "markdown"]
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(export, stdout=writer, stderr=subprocess.PIPE, check=False, text=True)
    os.close(writer)
    assert (process.returncode, process.stderr) == (0, "")
