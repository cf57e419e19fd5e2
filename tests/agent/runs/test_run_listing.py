"""Runs in a list: what of them is told, which are wanted, in which order, and how damaged ones are."""

import json
import os

import pytest

from agent.cli.commands import runs as command
from agent.cli.time_spans import parse_time
from agent.config.settings import load_settings
from agent.runs.run_listing import LOCKS, RunFilter, RunSummary, list_runs, summarize_run
from trajectories.errors import UsageError
from trajectories.journal import encode, lock_run
from trajectories.records import (
    Base,
    Exit,
    Hold,
    Issue,
    Note,
    Observation,
    Reply,
    Run,
    Settle,
    Step,
    Turn,
    Usage,
    Verdict,
)

NOW = 1_790_000_000.0


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path))
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "none.toml"))
    return tmp_path


def write(state, name, *more, issue="add() subtracts", at=NOW, model="openai/small", repository="/home/ann/shop"):
    """A run of one turn as a journal has it, with these records after its first two."""
    folder = state / "runs" / name
    folder.mkdir(parents=True)
    run = Run(name, Issue(issue, "It gives -1."), repository, Base("c" * 40, "t" * 40), at=at)
    records = [run, Turn("fix", "test-then-patch", {"coder": model}), *more]
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    return folder


def step(n, text="seen"):
    return Step("main", n, "", "coder", "t" * 40, None, (), (Observation(text),))


def asked(n, dollars, settled):
    """A request held at a dollar and settled at `settled`; None: its end was not seen."""
    hold = Hold("main", n, 1, "m", dollars, 100)
    end = [] if settled is None else [Settle(hold.id, Usage(10, 1), settled, "usage")]
    return [hold, Reply("words", branch="main", ask=n), *end]


def test_line_tells_what_run_came_to(state):
    folder = write(
        state,
        "one",
        *asked(1, 1.0, 0.25),
        step(1),
        *asked(2, 1.0, None),
        step(2),
        Exit("verified", 0, verdict=Verdict("verified")),
    )
    line = summarize_run(folder)
    assert line.as_json() == {
        "run": "one", "at": NOW, "issue": "add() subtracts", "exit": 0, "ended": "verified", "dollars": 1.25,
        "steps": 2, "resumable": False, "repository": "/home/ann/shop", "model": "openai/small",
        "strategy": "test-then-patch", "turns": 1, "origin": "", "running": False,
    }  # fmt: skip


def test_journal_that_was_formatted_anew_reads_same(state):
    folder = write(state, "one", *asked(1, 1.0, 0.25), step(1), Exit("verified", 0, verdict=Verdict("verified")))
    before = summarize_run(folder)
    lines = (folder / "journal.jsonl").read_text().splitlines()
    (folder / "journal.jsonl").write_text("".join(json.dumps(json.loads(each)) + "\n" for each in lines))
    assert summarize_run(folder) == before


def test_replay_that_was_cut_off_is_not_gone_on_with(state):
    begun = Note("main", "replay", "Replay of one.", {"run": "one"})
    line = summarize_run(write(state, "two", begun, step(1), Turn("more", "build")))
    assert (line.resumable, line.exit, line.ended, line.state) == (False, None, None, "interrupted")


def test_request_without_price_leaves_sum_unknown(state):
    assert summarize_run(write(state, "one", *asked(1, None, None))).dollars is None


def test_later_turn_opens_run_again(state):
    line = summarize_run(write(state, "one", Exit("done", 0), Turn("and sub()?", "build", {"coder": "other"})))
    assert (line.resumable, line.exit, line.ended, line.model, line.turns) == (True, None, None, "other", 2)
    assert "and sub()?" in line.asked


@pytest.mark.parametrize("kind", ["forked", "replay"])
def test_run_names_one_it_is_from(state, kind):
    assert (
        summarize_run(write(state, "two", Note("main", kind, "From one.", {"run": "one", "step": "main#1"}))).origin
        == "one"
    )


def test_what_is_written_just_now_is_left_out(state):
    folder = write(state, "one", step(1))
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(encode(step(2))[:-20])
    assert summarize_run(folder).steps == 1


@pytest.mark.parametrize("damage", [b"\0\0\0\n", b"{}\n", b'"type":"step"}\n', b"[" * 100_000 + b"\n"])
def test_damaged_run_is_named(state, damage):
    folder = write(state, "one")
    whole = (folder / "journal.jsonl").read_bytes()
    (folder / "journal.jsonl").write_bytes(whole + damage + encode(step(1)))
    assert (summarize_run(folder).exit, summarize_run(folder).state, summarize_run(folder).resumable) == (
        "damaged",
        "damaged",
        False,
    )


def test_folder_without_journal_and_one_on_its_way_out_are_no_runs(state):
    write(state, ".gone-one")
    (state / "runs" / "empty").mkdir()
    assert list_runs(state / "runs") == []
    assert list_runs(state / "nowhere") == []


@pytest.fixture
def three(state):
    shop = write(
        state,
        "a-verified",
        *asked(1, 1.0, 0.5),
        step(1),
        Exit("verified", 0, verdict=Verdict("verified")),
        at=NOW - 100,
    )
    (shop / "patch.diff").write_text("diff --git a/src/vat.py b/src/vat.py\n--- a/src/vat.py\n+++ b/src/vat.py\n")
    write(state, "b-unproven", *asked(1, 1.0, 0.75), Exit("unproven", 1), issue="VAT is wrong", model="big", at=NOW)
    write(state, "c-open", step(1), step(2), repository="/home/ann/other", at=NOW - 50)
    return state / "runs"


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (RunFilter(), "b c a"),
        (RunFilter(ended=["verified"]), "a"),
        (RunFilter(ended=["verified", "open"]), "c a"),
        (RunFilter(since=NOW - 60), "b c"),
        (RunFilter(model="SMALL"), "c a"),
        (RunFilter(strategy="build"), ""),
        (RunFilter(strategy="test-then-patch", resumable=True), "c"),
        (RunFilter(repository="shop"), "b a"),
        (RunFilter(words=["vat"]), "b a"),
        (RunFilter(words=["vat", "wrong"]), "b"),
        (RunFilter(words=["src/vat.py"]), "a"),
    ],
)
def test_list_has_what_is_wanted(three, wanted, names):
    assert " ".join(line.run[0] for line in list_runs(three, wanted)) == names


@pytest.mark.parametrize(
    ("sort", "names"), [("at", "b c a"), ("dollars", "b a c"), ("steps", "c a b"), ("issue", "c a b"),
                        ("repository", "c b a")]
)  # fmt: skip
def test_list_is_sorted(three, sort, names):
    assert " ".join(line.run[0] for line in list_runs(three, None, sort)) == names


def test_repository_is_meant_by_any_folder_in_it(state, tmp_path):
    (tmp_path / "shop" / "src").mkdir(parents=True)
    write(state, "one", repository=str(tmp_path / "shop"))
    write(state, "two", repository=str(tmp_path / "shop2"))
    for folder in ("shop", "shop/src"):
        assert [line.run for line in list_runs(state / "runs", RunFilter(repository=str(tmp_path / folder)))] == ["one"]


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x", "n" * 300], ids=["home", "long"])
def test_what_can_be_no_folder_is_part_of_path(state, name):
    write(state, "one", repository=f"/home/{name}")
    assert [line.run for line in list_runs(state / "runs", RunFilter(repository=name))] == ["one"]
    with pytest.raises(UsageError, match="no run named"):
        load_settings().run_directory(f"{name}/one")


def test_command_tells_lines_and_json(three, capsys):
    assert command.command(sort="at", limit=2) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[1].split() == ["b-unproven", "not", "verified", "0.7500", "0", "VAT", "is", "wrong"]
    assert len(told) == 3
    assert command.command(ended=["verified,unproven"], search="vat", json=True) == 0
    assert [run["run"] for run in json.loads(capsys.readouterr().out)["runs"]] == ["b-unproven", "a-verified"]
    command.command(search="nothing has this")
    assert capsys.readouterr().out == "No run matches.\n"


def test_ends_are_wanted_in_words_of_column_too(three, capsys):
    write(three.parent, "d-open")
    journal = write(three.parent, "e-not-begun") / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    for words, runs in (
        ("not verified", ["b-unproven"]),
        ("not-begun", ["e-not-begun"]),
        ("resumable", ["d-open", "c-open"]),
    ):
        command.command(ended=[words], json=True, sort="at")
        assert [line["run"] for line in json.loads(capsys.readouterr().out)["runs"]] == runs


@pytest.mark.skipif(not LOCKS.exists(), reason="the system does not tell of locks")
def test_run_that_is_worked_on_is_running(state, capsys):
    worked_on, other = write(state, "one"), write(state, "two")
    ended = write(state, "three", Exit("verified", 0, verdict=Verdict("verified")))
    locks = [lock_run(folder) for folder in (worked_on, ended)]
    command.command(ended=["running"], json=True)
    (found,) = json.loads(capsys.readouterr().out)["runs"]
    assert (found["run"], found["running"], found["resumable"]) == ("one", True, True)
    assert "running" in row(capsys, "one")
    assert "resumable" in row(capsys, "two")
    for lock in locks:
        lock.release()
    assert "resumable" in row(capsys, "one")
    assert not (other / "lock").exists(), "who looks takes no lock"


def row(capsys, run: str) -> str:
    command.command()
    return next(line for line in capsys.readouterr().out.splitlines() if line.startswith(run))


@pytest.mark.parametrize(
    ("width", "end"),
    [
        (120, "add() subtracts what it (from one)"),
        (56, "add() subtracts… (from one)"),
        (48, "add() sub… (from …)"),
        (20, "…"),
    ],
    ids=["wide", "cut", "narrow", "tiny"],
)
def test_line_is_cut_where_issue_is(width, end):
    line = RunSummary("two", NOW, "add() subtracts what it", ended="unproven", origin="one")
    told = command._table([line], width)[1]
    assert told.endswith(end)
    assert len(told) <= width


def test_where_there_are_no_runs_it_is_told_how_to_make_one(state, capsys):
    assert command.command() == 0
    assert "`swe-agent fix` starts one" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [{"ended": ["solved"]}, {"since": "yesterday"}, {"since": "99999999999999d"}])
def test_what_cannot_be_meant_is_told(three, wrong):
    with pytest.raises(UsageError) as error:
        command.command(**wrong)
    assert error.value.fix


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("12h", 43_200), ("3d", 259_200), ("2w", 1_209_600)])
def test_age_counts_back_from_now(text, seconds):
    assert parse_time(text, NOW) == NOW - seconds


def test_day_is_one_of_this_machines_clock():
    assert (
        parse_time("2026-01-31", NOW)
        == parse_time("2026-01-31T00:00", NOW)
        == parse_time("2026-01-31 12:00", NOW) - 43_200
    )


def test_nothing_that_strangers_wrote_drives_terminal(state, capsys):
    evil = "\x1b]0;title\x07\x1b[2Jred\x9b1m\n‮x"
    write(state, "one", issue=evil, model=evil, repository=evil)
    write(state, "two", Exit(evil, 1))
    command.command()
    told = capsys.readouterr().out
    assert not set(told) & set("\x1b\x07\x9b‮")
    assert len(told.splitlines()) == 3


def test_reader_that_leaves_early_ends_list_quietly(three, monkeypatch):
    read, write_end = os.pipe()
    os.close(read)
    with os.fdopen(write_end, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        assert command.command() == 0


def test_line_is_small():
    assert not hasattr(RunSummary("one", 0.0), "__dict__")
