"""HTML reports of real runs: their data, masked secrets, and no overwriting of other files."""

from __future__ import annotations

import json
import re
import shutil
import sys
import webbrowser
from pathlib import Path

import pytest

from agent.cli import command_line
from agent.run_state.attempt_outcome import Outcome
from agent.runs.run_lookup import open_own_run
from extensions.report.run_report import report_document, report_path, write_report
from tests.agent.conftest import Bench, act, line
from trajectories.errors import UsageError
from trajectories.journal import encode
from trajectories.pages import beginning
from trajectories.records import Base, Exit, Issue, Run, Turn
from trajectories.trajectory import RunView
from trajectories.verdict import Verdict

SECRET = "hunter2hunter2hunter2"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that ended at once, without trees."""
    records = Run("r1", Issue("add() subtracts"), "/repo", Base("", "")), Turn("", "build"), Exit("limit", 1)
    folder = tmp_path / "r1"
    folder.mkdir()
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    return folder


@pytest.fixture
def run_with_attempts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with one step, two parallel attempts, and the better attempt adopted."""
    edit = act("edit", path="calc.py", old="a - b", new="a + b")
    bench.begin(
        line("Look.", act("view", path="calc.py"), n=1, branch="main"),
        line("Try <b>this</b>.", edit, branch="main/one"),
        line("Nothing.", act("view", path="calc.py"), branch="main/two"),
    )

    def take_step(task):
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        return Outcome(task.tree, Verdict("unproven"))

    def strategy(task):
        task.note("phase", "look")
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        outcomes = yield from task.map([task.attempt(name, take_step) for name in ("one", "two")])
        task.note("score", "one wins", one=1, two=0)
        yield task.adopt(outcomes[0].tree, "one")
        return outcomes[0]

    bench.drive(strategy)
    monkeypatch.setenv("SWE_AGENT_STATE", str(bench.settings.state))
    return bench.directory


def page_data(page: str) -> dict:
    """The data that a page shows."""
    script = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', page, re.DOTALL)
    assert script
    return json.loads(script[1])


def swe_agent(*arguments: object) -> int:
    return command_line.run([str(each) for each in arguments])


@pytest.mark.slow
def test_report_shows_attempts_even_without_trees_and_outputs(run_with_attempts, tmp_path, capsys):
    assert swe_agent("report", run_with_attempts, "--out", tmp_path / "r.html") == 0
    assert capsys.readouterr().out == f"Written to {tmp_path / 'r.html'}.\n"
    text = (tmp_path / "r.html").read_text()
    assert "<b>this</b>" not in text
    (run_data,) = page_data(text)["runs"]
    steps = {item["id"]: item for item in run_data["items"] if item["kind"] == "step"}
    assert steps["main/one#1"]["text"] == "Try <b>this</b>."
    assert "+    return a + b" in steps["main/one#1"]["files"][0]["diff"]
    assert steps["main/two#1"]["files"] == []
    assert "+    return a + b" in steps["main#2"]["files"][0]["diff"]
    assert "+    return a + b" in run_data["patch"][0]["diff"]
    assert {(branch["name"], branch["from"], branch["ended"]) for branch in run_data["branches"]} == {
        ("main", "", ""),
        ("main/one", "main#1", "unproven"),
        ("main/two", "main#1", "unproven"),
    }
    assert len(run_data["costs"]) == 4
    assert run_data["costs"][-1]["input"] == 150
    for removed in ("trees.git", "out"):
        shutil.rmtree(run_with_attempts / removed)
    remaining = report_document([open_own_run(run_with_attempts)])["runs"][0]
    assert [item["id"] for item in remaining["items"] if item["kind"] == "step"] == list(steps)
    assert remaining["patch"] == []


def test_report_of_two_runs_has_their_first_difference(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    assert swe_agent("report", run, run) == 0
    assert not list(tmp_path.glob("report-*.html"))
    (page,) = (tmp_path / "state" / "reports").glob("report-*.html")
    report = page_data(page.read_text())
    assert len(report["runs"]) == 2
    assert (report["parting"]["same"], report["parting"]["first"]) == (0, None)


def test_report_replaces_only_reports(run, tmp_path, capsys):
    page = tmp_path / "r.html"
    for message in ("Written to", "Replaced"):
        assert swe_agent("report", run, "--out", page) == 0
        assert capsys.readouterr().out.startswith(message)
    for content in ("<html>mine</html>", beginning("Failures", "")):
        page.write_text(content)
        assert swe_agent("report", run, "--out", page) == 2
        assert capsys.readouterr().err == f"swe-agent: {page} already exists and is not a report. Name another file.\n"
        assert page.read_text() == content


def test_report_closes_its_runs(run, tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr(RunView, "close", lambda material: closed.append(material.name))
    assert swe_agent("report", run, run, "--out", tmp_path / "r.html") == 0
    (tmp_path / "r.html").write_text("mine")
    assert swe_agent("report", run, "--out", tmp_path / "r.html") == 2
    assert len(closed) == 3


@pytest.mark.parametrize("name", ["no/such/folder/r.html", "/dev/null"])
def test_unwritable_target_is_reported(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"cannot be written|is not a file"):
        write_report([open_own_run(run)], Path(name))
    assert Path("/dev/null").is_char_device()


def test_report_in_folder_is_named_after_runs(run, tmp_path):
    material = open_own_run(run)
    reports = tmp_path / "state" / "reports"
    assert report_path([], Path("x.html"), reports) == Path("x.html")
    pair = f"report-{material.name}-{material.name}.html"
    assert report_path([material, material], tmp_path, reports) == tmp_path / pair
    assert not reports.exists()
    assert report_path([material], None, reports) == reports / f"report-{material.name}.html"
    assert reports.stat().st_mode & 0o777 == 0o700
    with pytest.raises(UsageError, match="cannot be created"):
        report_path([material], None, run / "journal.jsonl" / "reports")


def test_unsafe_characters_of_run_name_are_replaced_in_file_name(run, tmp_path):
    material = open_own_run(run)
    object.__setattr__(material, "name", "../../etc/pass wd")
    assert report_path([material], None, tmp_path) == tmp_path / "report-etc-pass-wd.html"


@pytest.mark.parametrize("agrees", [True, False])
def test_report_offers_to_open_page_at_terminal(run, tmp_path, monkeypatch, agrees):
    page, opened, asked = tmp_path / "r.html", [], []

    class Browser:
        open = opened.append

    monkeypatch.setattr("webbrowser.get", Browser)
    monkeypatch.setattr("typer.confirm", lambda question, err: asked.append(question) or agrees)
    assert swe_agent("report", run, "--out", page) == 0
    assert not asked, "without a terminal there is no question"
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    assert swe_agent("report", run, "--out", page) == 0
    assert asked == ["Open it in the browser?"]
    assert opened == ([page.as_uri()] if agrees else [])


def test_report_offers_nothing_without_browser(run, tmp_path, monkeypatch):
    def no_browser():
        raise webbrowser.Error("none")

    monkeypatch.setattr("webbrowser.get", no_browser)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    assert swe_agent("report", run, "--out", tmp_path / "r.html") == 0


def test_current_secrets_are_masked_in_report(run, tmp_path, monkeypatch):
    journal = run / "journal.jsonl"
    journal.write_text(journal.read_text().replace("add() subtracts", f"{SECRET} subtracts"))
    assert SECRET in json.dumps(report_document([open_own_run(run)]))
    monkeypatch.setenv("MY_API_KEY", SECRET)
    assert SECRET not in json.dumps(report_document([open_own_run(run)]))
    monkeypatch.delenv("MY_API_KEY")
    assert SECRET not in json.dumps(report_document([open_own_run(run)], [SECRET]))
