"""The list of runs: summaries, filters, sorting, damaged runs and the printed table."""

import json
import os

import pytest

from agent.cli.shared_options import parse_time
from agent.config.settings import load_settings
from agent.runs.run_listing import LOCKS, RunFilter, RunSummary, list_runs, summarize_run
from extensions.run_views.commands import runs as command
from tests.agent.conftest import line
from trajectories.errors import UsageError
from trajectories.journal import Journal, encode, lock_run
from trajectories.records import Base, Exit, Hold, Issue, Note, Observation, Once, Reply, Run, Settle, Step, Turn, Usage
from trajectories.verdict import Verdict

NOW = 1_790_000_000.0


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path))
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "none.toml"))
    return tmp_path


def write_run(
    state, name, *records_after, issue="add() subtracts", at=NOW, model="openai/small", repository="/home/ann/shop"
):
    """Write a run of one turn, with `more` after its first two records."""
    folder = state / "runs" / name
    folder.mkdir(parents=True)
    run = Run(name, Issue(issue, "It gives -1."), repository, Base("c" * 40, "t" * 40), at=at)
    records = [run, Turn("fix", "test-then-patch", {"coder": model}), *records_after]
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    return folder


def step(n, text="seen"):
    return Step("main", n, "", "coder", "t" * 40, None, (), (Observation(text),))


def request_records(n, dollars, settled):
    """A request reserved at `dollars` and settled at `settled`; None: it was never settled."""
    hold = Hold("main", n, 1, "m", dollars, 100)
    end = [] if settled is None else [Settle(hold.id, Usage(10, 1), settled, "usage")]
    return [hold, Reply("words", branch="main", ask=n), *end]


def test_summary_has_result_cost_and_origin(state):
    folder = write_run(
        state,
        "one",
        *request_records(1, 1.0, 0.25),
        step(1),
        *request_records(2, 1.0, None),
        step(2),
        Exit("verified", 0, verdict=Verdict("verified")),
    )
    line = summarize_run(folder)
    assert line.as_json() == {
        "run": "one", "at": NOW, "issue": "add() subtracts", "exit": 0, "ended": "verified", "dollars": 1.25,
        "steps": 2, "resumable": False, "repository": "/home/ann/shop", "model": "openai/small",
        "strategy": "test-then-patch", "turns": 1, "origin": "", "running": False,
    }  # fmt: skip


def test_reformatted_journal_gives_same_summary(state):
    folder = write_run(
        state, "one", *request_records(1, 1.0, 0.25), step(1), Exit("verified", 0, verdict=Verdict("verified"))
    )
    before = summarize_run(folder)
    lines = (folder / "journal.jsonl").read_text().splitlines()
    (folder / "journal.jsonl").write_text("".join(json.dumps(json.loads(each)) + "\n" for each in lines))
    assert summarize_run(folder) == before


def test_interrupted_replay_is_not_resumable(state):
    replay_note = Note("main", "replay", "Replay of one.", {"run": "one"})
    line = summarize_run(write_run(state, "two", replay_note, step(1), Turn("more", "build")))
    assert (line.resumable, line.exit, line.ended, line.state) == (False, None, None, "interrupted")


def test_cost_is_unknown_with_unpriced_request(state):
    assert summarize_run(write_run(state, "one", *request_records(1, None, None))).dollars is None


def test_later_turn_reopens_run(state):
    line = summarize_run(write_run(state, "one", Exit("done", 0), Turn("and sub()?", "build", {"coder": "other"})))
    assert (line.resumable, line.exit, line.ended, line.model, line.turns) == (True, None, None, "other", 2)
    assert "and sub()?" in line.asked


@pytest.mark.parametrize("kind", ["forked", "replay"])
def test_fork_or_replay_names_its_origin(state, kind):
    assert (
        summarize_run(write_run(state, "two", Note("main", kind, "From one.", {"run": "one", "step": "main#1"}))).origin
        == "one"
    )


def test_partial_last_line_is_ignored(state):
    folder = write_run(state, "one", step(1))
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(encode(step(2))[:-20])
    assert summarize_run(folder).steps == 1


@pytest.mark.parametrize("damage", [b"\0\0\0\n", b"{}\n", b'"type":"step"}\n', b"[" * 100_000 + b"\n"])
def test_damaged_run_is_listed_as_damaged(state, damage):
    folder = write_run(state, "one")
    journal = (folder / "journal.jsonl").read_bytes()
    (folder / "journal.jsonl").write_bytes(journal + damage + encode(step(1)))
    assert (summarize_run(folder).exit, summarize_run(folder).state, summarize_run(folder).resumable) == (
        "damaged",
        "damaged",
        False,
    )


def test_folder_without_journal_or_being_removed_is_not_listed(state):
    write_run(state, ".gone-one")
    (state / "runs" / "empty").mkdir()
    assert list_runs(state / "runs") == []
    assert list_runs(state / "nowhere") == []


@pytest.fixture
def three_runs(state):
    shop = write_run(
        state,
        "a-verified",
        *request_records(1, 1.0, 0.5),
        step(1),
        Exit("verified", 0, verdict=Verdict("verified")),
        at=NOW - 100,
    )
    (shop / "patch.diff").write_text("diff --git a/src/vat.py b/src/vat.py\n--- a/src/vat.py\n+++ b/src/vat.py\n")
    write_run(
        state,
        "b-unproven",
        *request_records(1, 1.0, 0.75),
        Exit("unproven", 1),
        issue="VAT is wrong",
        model="big",
        at=NOW,
    )
    write_run(state, "c-open", step(1), step(2), repository="/home/ann/other", at=NOW - 50)
    return state / "runs"


@pytest.mark.parametrize(
    ("run_filter", "expected"),
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
def test_list_is_filtered(three_runs, run_filter, expected):
    assert " ".join(line.run[0] for line in list_runs(three_runs, run_filter)) == expected


@pytest.mark.parametrize(
    ("sort", "expected"), [("at", "b c a"), ("dollars", "b a c"), ("steps", "c a b"), ("issue", "c a b"),
                        ("repository", "c b a")]
)  # fmt: skip
def test_list_is_sorted(three_runs, sort, expected):
    assert " ".join(line.run[0] for line in list_runs(three_runs, None, sort)) == expected


def test_repository_is_found_by_any_folder_in_it(state, tmp_path):
    (tmp_path / "shop" / "src").mkdir(parents=True)
    write_run(state, "one", repository=str(tmp_path / "shop"))
    write_run(state, "two", repository=str(tmp_path / "shop2"))
    for folder in ("shop", "shop/src"):
        assert [line.run for line in list_runs(state / "runs", RunFilter(repository=str(tmp_path / folder)))] == ["one"]


@pytest.mark.parametrize("name", ["~no-such-user/x", "n" * 300], ids=["home", "long"])
def test_filter_that_is_no_folder_matches_part_of_path(state, name):
    write_run(state, "one", repository=f"/home/{name}")
    assert [line.run for line in list_runs(state / "runs", RunFilter(repository=name))] == ["one"]
    with pytest.raises(UsageError, match="no run named"):
        load_settings().run_directory(f"{name}/one")


def test_command_prints_table_or_json(three_runs, capsys):
    assert command.command(sort="at", limit=2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["b-unproven", "unproven", "0.7500", "0", "shop", "VAT", "is", "wrong"]
    assert len(lines) == 3
    assert command.command(ended=["verified,unproven"], search="vat", json=True) == 0
    assert [run["run"] for run in json.loads(capsys.readouterr().out)["runs"]] == ["b-unproven", "a-verified"]
    command.command(search="nothing has this")
    assert capsys.readouterr().out == "No run matches.\n"


def test_filter_accepts_ends_as_shown_in_column(three_runs, capsys):
    write_run(three_runs.parent, "d-open", step(1))
    journal = write_run(three_runs.parent, "e-not-begun") / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    for words, runs in (
        ("not verified", ["b-unproven"]),
        ("not-begun", ["e-not-begun"]),
        ("resumable", ["d-open", "c-open"]),
    ):
        command.command(ended=[words], json=True, sort="at")
        assert [line["run"] for line in json.loads(capsys.readouterr().out)["runs"]] == runs


@pytest.mark.skipif(not LOCKS.exists(), reason="the system does not list locks")
def test_run_with_locked_journal_is_running(state, capsys):
    running, other = write_run(state, "one", step(1)), write_run(state, "two", step(1))
    ended = write_run(state, "three", Exit("verified", 0, verdict=Verdict("verified")))
    locks = [lock_run(folder) for folder in (running, ended)]
    command.command(ended=["running"], json=True)
    (listed,) = json.loads(capsys.readouterr().out)["runs"]
    assert (listed["run"], listed["running"], listed["resumable"]) == ("one", True, True)
    assert "running" in print_row(capsys, "one")
    assert "resumable" in print_row(capsys, "two")
    for lock in locks:
        lock.release()
    assert "resumable" in print_row(capsys, "one")
    assert not (other / "lock").exists(), "listing creates no lock"


def print_row(capsys, run: str) -> str:
    command.command()
    return next(line for line in capsys.readouterr().out.splitlines() if line.startswith(run))


@pytest.mark.parametrize(
    ("width", "end"),
    [
        (120, "add() subtracts what it (from one)"),
        (64, "add() subtracts… (from one)"),
        (56, "add() sub… (from …)"),
        (20, "…"),
    ],
    ids=["wide", "cut", "narrow", "tiny"],
)
def test_long_issue_is_shortened_in_table(width, end):
    line = RunSummary("two", NOW, "add() subtracts what it", ended="unproven", origin="one")
    row_text = command._table([line], width)[1]
    assert row_text.endswith(end)
    assert len(row_text) <= width


def test_table_shows_name_of_repository():
    lines = [RunSummary("one", NOW, "It fails", repository=path) for path in ("/home/ann/shop", "/ann/" + "x" * 20)]
    _, short, long = command._table(lines, 80)
    assert short.endswith("  shop            It fails")
    assert long.endswith(f"  {'x' * 13}…  It fails")


def test_empty_list_says_how_to_start_run(state, capsys):
    assert command.command() == 0
    assert "`swe-agent fix` starts one" in capsys.readouterr().out


@pytest.mark.parametrize("invalid", [{"ended": ["solved"]}, {"since": "yesterday"}, {"since": "99999999999999d"}])
def test_invalid_filter_is_reported(three_runs, invalid):
    with pytest.raises(UsageError) as error:
        command.command(**invalid)
    assert error.value.fix


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("12h", 43_200), ("3d", 259_200), ("2w", 1_209_600)])
def test_age_counts_back_from_now(text, seconds):
    assert parse_time(text, NOW) == NOW - seconds


def test_date_is_in_local_time():
    assert (
        parse_time("2026-01-31", NOW)
        == parse_time("2026-01-31T00:00", NOW)
        == parse_time("2026-01-31 12:00", NOW) - 43_200
    )


def test_control_characters_of_records_are_not_printed(state, capsys):
    evil = "\x1b]0;title\x07\x1b[2Jred\x9b1m\n‮x"
    write_run(state, "one", issue=evil, model=evil, repository=evil)
    write_run(state, "two", Exit(evil, 1))
    command.command()
    output = capsys.readouterr().out
    assert not set(output) & set("\x1b\x07\x9b‮")
    assert len(output.splitlines()) == 3


def test_closed_stdout_ends_list_without_error(three_runs, monkeypatch):
    read, write_end = os.pipe()
    os.close(read)
    with os.fdopen(write_end, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        assert command.command() == 0


def test_summary_has_no_instance_dict():
    assert not hasattr(RunSummary("one", 0.0), "__dict__")


BEGUN = Note("main", "life", "begun")


@pytest.mark.parametrize(
    "records", [(), (BEGUN,), (BEGUN, Note("main", "life", "resumed")), (Note("main", "proposal", "a patch"), BEGUN)]
)
def test_run_whose_workspace_did_not_open_is_not_begun(state, capsys, records):
    line = summarize_run(write_run(state, "one", *records))
    assert (line.state, line.resumable) == ("", True), "it can be resumed, but there is nothing to lose"
    assert command.command() == 0
    assert "  not begun  " in capsys.readouterr().out
    assert command.command(ended=["not begun"]) == 0
    assert "one" in capsys.readouterr().out


@pytest.mark.parametrize(
    "records",
    [
        (BEGUN, Note("main", "phase", "localize")),
        (BEGUN, *request_records(1, 1.0, None)),
        (BEGUN, Hold("main", 1, 1, "m", 1.0, 100)),
        (BEGUN, step(1)),
        (BEGUN, Once("main", "key", {})),
    ],
)
def test_interrupted_work_is_resumable(state, records):
    assert summarize_run(write_run(state, "one", *records)).state == "open"


def test_run_list_shows_status_of_each_run(bench, monkeypatch, capsys):
    bench.begin(line("x"))
    monkeypatch.setenv("SWE_AGENT_STATE", str(bench.settings.state))
    command.command()
    assert "not begun" in capsys.readouterr().out
    for kind, status in (("verified", "verified"), ("unproven", "unproven"), ("not_found", "no fix")):
        journal = Journal(bench.begin(line("x")))
        journal.append(Exit(kind, 0, verdict=Verdict("verified" if kind == "verified" else "none")))
        journal.close()
        command.command()
        assert status in capsys.readouterr().out.replace("not begun", "")
