"""Reports of real runs: written by the command, with nothing secret in them and over nothing that is not ours."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from agent.cli import command_line
from agent.run_state.attempt_outcome import Outcome
from agent.runs.run_lookup import open_own_run
from agent.runs.run_report import report_document, report_path, write_report
from tests.agent.conftest import Bench, act, line
from trajectories.errors import UsageError
from trajectories.journal import encode
from trajectories.pages import beginning
from trajectories.records import Base, Exit, Issue, Run, Turn, Verdict
from trajectories.run_data import RunView

SECRET = "hunter2hunter2hunter2"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that was begun, with no trees."""
    records = Run("r1", Issue("add() subtracts"), "/repo", Base("", "")), Turn("", "build"), Exit("limit", 1)
    folder = tmp_path / "r1"
    folder.mkdir()
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    return folder


@pytest.fixture
def tried(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that looked, tried twice side by side, and took over the better try."""
    edit = act("edit", path="calc.py", old="a - b", new="a + b")
    bench.begin(
        line("Look.", act("view", path="calc.py"), n=1, branch="main"),
        line("Try <b>this</b>.", edit, branch="main/one"),
        line("Nothing.", act("view", path="calc.py"), branch="main/two"),
    )

    def once(task):
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        return Outcome(task.tree, Verdict("unproven"))

    def strategy(task):
        task.note("phase", "look")
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        outcomes = yield from task.map([task.attempt(name, once) for name in ("one", "two")])
        task.note("score", "one wins", one=1, two=0)
        yield task.adopt(outcomes[0].tree, "one")
        return outcomes[0]

    bench.drive(strategy)
    monkeypatch.setenv("SWE_AGENT_STATE", str(bench.settings.state))
    return bench.directory


def data(page: str) -> dict:
    """What a page shows."""
    found = re.search(r'<script type="application/json" id="told">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def swe_agent(*arguments: object) -> int:
    return command_line.run([str(each) for each in arguments])


@pytest.mark.slow
def test_run_with_attempts_becomes_page_also_where_little_is_left_of_it(tried, tmp_path, capsys):
    assert swe_agent("report", tried, "--out", tmp_path / "r.html") == 0
    assert capsys.readouterr().out == f"Written to {tmp_path / 'r.html'}.\n"
    text = (tmp_path / "r.html").read_text()
    assert "<b>this</b>" not in text
    (told,) = data(text)["runs"]
    steps = {item["id"]: item for item in told["items"] if item["kind"] == "step"}
    assert steps["main/one#1"]["text"] == "Try <b>this</b>."
    assert "+    return a + b" in steps["main/one#1"]["files"][0]["diff"]
    assert steps["main/two#1"]["files"] == []
    assert "+    return a + b" in steps["main#2"]["files"][0]["diff"]
    assert "+    return a + b" in told["patch"][0]["diff"]
    assert {(branch["name"], branch["from"], branch["ended"]) for branch in told["branches"]} == {
        ("main", "", ""),
        ("main/one", "main#1", "unproven"),
        ("main/two", "main#1", "unproven"),
    }
    assert len(told["costs"]) == 4
    assert told["costs"][-1]["input"] == 150
    for gone in ("trees.git", "out"):
        shutil.rmtree(tried / gone)
    left = report_document([open_own_run(tried)])["runs"][0]
    assert [item["id"] for item in left["items"] if item["kind"] == "step"] == list(steps)
    assert left["patch"] == []


def test_two_runs_part_somewhere(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert swe_agent("report", run, run) == 0
    (page,) = tmp_path.glob("report-*.html")
    told = data(page.read_text())
    assert len(told["runs"]) == 2
    assert (told["parting"]["same"], told["parting"]["first"]) == (0, None)


def test_report_is_written_over_and_nothing_else(run, tmp_path, capsys):
    page = tmp_path / "r.html"
    for word in ("Written to", "Replaced"):
        assert swe_agent("report", run, "--out", page) == 0
        assert capsys.readouterr().out.startswith(word)
    for mine in ("<html>mine</html>", beginning("Failures", "")):
        page.write_text(mine)
        assert swe_agent("report", run, "--out", page) == 2
        assert capsys.readouterr().err == f"swe-agent: {page} already exists and is not a report. Name another file.\n"
        assert page.read_text() == mine


def test_what_reads_trees_is_ended(run, tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr(RunView, "close", lambda material: closed.append(material.name))
    assert swe_agent("report", run, run, "--out", tmp_path / "r.html") == 0
    (tmp_path / "r.html").write_text("mine")
    assert swe_agent("report", run, "--out", tmp_path / "r.html") == 2
    assert len(closed) == 3


@pytest.mark.parametrize("name", ["no/such/folder/r.html", "/dev/null"])
def test_where_nothing_can_be_written_one_sentence_says_so(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"cannot be written|is not a file"):
        write_report([open_own_run(run)], Path(name))
    assert Path("/dev/null").is_char_device()


def test_folder_is_given_runs_name(run, tmp_path):
    material = open_own_run(run)
    assert report_path([material], None) == Path(f"report-{material.name}.html")
    assert report_path([material, material], tmp_path) == tmp_path / f"report-{material.name}-{material.name}.html"
    assert report_path([], Path("x.html")) == Path("x.html")


def test_runs_name_leads_nowhere_else(run):
    material = open_own_run(run)
    object.__setattr__(material, "name", "../../etc/pass wd")
    assert report_path([material], None) == Path("report-etc-pass-wd.html")


def test_secrets_of_today_are_masked_again(run, tmp_path, monkeypatch):
    journal = run / "journal.jsonl"
    journal.write_text(journal.read_text().replace("add() subtracts", f"{SECRET} subtracts"))
    assert SECRET in json.dumps(report_document([open_own_run(run)]))
    monkeypatch.setenv("MY_API_KEY", SECRET)
    assert SECRET not in json.dumps(report_document([open_own_run(run)]))
    monkeypatch.delenv("MY_API_KEY")
    assert SECRET not in json.dumps(report_document([open_own_run(run)], [SECRET]))
