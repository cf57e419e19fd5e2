"""What a report tells of a run, from records written here."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectories.errors import RunBroken
from trajectories.records import (
    Action,
    Base,
    Comment,
    Exit,
    Hold,
    Issue,
    Note,
    Observation,
    Once,
    Patch,
    Reply,
    Run,
    Settle,
    Spent,
    Step,
    Turn,
    Usage,
    Verdict,
)
from trajectories.report import report_data
from trajectories.report.report_data import build_report_data
from trajectories.report.report_text import ReportText, format_time, mask_texts, shorten_text, text_limit
from trajectories.run_data import RunView
from trajectories.trajectory import Trajectory
from trajectories.trees import EMPTY_TREE

AT = 1_700_000_000.0
SECRET = "hunter2hunter2"
WORDS = ReportText(
    describe=lambda action: f"{action.tool} …",
    in_tests=lambda path: path.startswith("tests/"),
    mask=lambda text: text.replace(SECRET, "[masked]"),
    parts={"red": "a test fails without the patch", "no_loss": "what passed passes"},
    endings={"verified": "Verified."},
)
ISSUE = Issue("Wrong", "body", author="ann", trust="stranger", comments=(Comment("bob", "me too", role="NONE"),))


def run(base=EMPTY_TREE, **settings):
    return Run("r1", ISSUE, "/repo", Base("c" * 40, base), settings, {"swe-agent": "1"}, at=AT)


def turn(request="", strategy="build"):
    return Turn(request, strategy, {"coder": "m"}, at=AT)


def step(n, tree=EMPTY_TREE, branch="main", author="coder", **more):
    return Step(branch, n, "", author, tree, at=AT, **more)


def material(*records, directory=None, trees=None):
    return RunView("r1", Trajectory(records), Spent(0.5, 100, 40, 10, 2), directory, trees)


def asked(ask, dollars, branch="main", tokens=(100, 40, 10)):
    usage = Usage(tokens[0], tokens[2], tokens[1])
    hold = Hold(branch, ask, 1, "m", 9.0, 999, at=AT)
    reply = Reply(f"thought {ask}", reasoning="why", branch=branch, ask=ask, usage=usage, at=AT)
    return hold, reply, Settle(hold.id, usage, dollars, "usage", at=AT)


def items(found, kind):
    return [item for item in found["items"] if item["kind"] == kind]


def test_what_run_is_about():
    found = build_report_data(material(run(budget=2.0, image="", models={"m": {}}, test="pytest"), turn()), WORDS)
    assert (found["name"], found["title"], found["strategy"], found["model"]) == ("r1", "Wrong", "build", "m")
    assert found["issue"]["comments"][0]["body"] == "me too"
    assert found["issue"]["trust"] == "stranger"
    assert found["settings"] == {"budget": 2.0, "test": "pytest"}
    assert found["at"] == "2023-11-14T22:13:20Z"
    assert found["spent"] == {"dollars": 0.5, "input": 100, "cached": 40, "output": 10, "calls": 2}
    assert found["ended"] is None
    assert found["verdict"] is None
    assert found["cut"] == []


def test_run_that_was_not_begun_is_refused():
    with pytest.raises(RunBroken, match="was not started"):
        build_report_data(material(), WORDS)


def test_steps_say_what_was_thought_done_seen_and_changed(trees, tmp_path):
    base = trees.write({"a.py": b"1\n"}, EMPTY_TREE)
    new = trees.write({"a.py": b"2\n", "tests/t.py": b"t\n"}, base)
    acts = (Action("bash", {"command": "ls\npwd", "timeout": 5}), Action("view", error="no path"))
    seen = (Observation("files", out=3), Observation("bad", ok=False))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "3").write_bytes(b"12345")
    records = (run(base), turn(), *asked(1, 0.25), step(1, new, reply=1, actions=acts, observations=seen))
    records += (step(2, new, author="task", observations=(Observation("say"), Observation("more"))),)
    records += (Exit("verified", 0, new, Verdict("verified"), seconds=1.26, at=AT),)
    found = build_report_data(material(*records, directory=tmp_path, trees=trees), WORDS)
    first, second = items(found, "step")
    assert (first["text"], first["reasoning"], first["said"]) == ("thought 1", "why", "")
    assert [action["ok"] for action in first["actions"]] == [True, False]
    assert first["actions"][0]["arguments"] == "command:\nls\npwd\ntimeout: 5"
    assert (first["actions"][0]["out"], first["actions"][0]["size"]) == (3, 5)
    assert first["actions"][1]["arguments"] == "no path"
    assert [(file["path"], file["status"]) for file in first["files"]] == [("a.py", "M"), ("tests/t.py", "A")]
    assert "-1\n+2\n" in first["files"][0]["diff"]
    assert first["usage"] == {"dollars": 0.25, "input": 100, "cached": 40, "output": 10}
    assert (second["said"], second["files"], second["usage"], second["actions"]) == ("say\nmore", [], None, [])
    assert [(file["path"], file["part"], file["added"], file["removed"]) for file in found["patch"]] == [
        ("a.py", "source", 1, 1),
        ("tests/t.py", "tests", 1, 0),
    ]
    assert found["ended"] == items(found, "exit")[0]["ended"]
    assert found["ended"] == {
        "kind": "verified",
        "words": "Verified.",
        "code": 0,
        "message": "",
        "fix": "",
        "seconds": 1.3,
    }


def test_whole_output_that_is_gone_has_no_size(tmp_path):
    acted = step(1, actions=(Action("bash"),), observations=(Observation("x", out=7),))
    found = build_report_data(material(run(), turn(), acted, directory=tmp_path), WORDS)
    assert items(found, "step")[0]["actions"][0]["size"] is None


def test_branches_begin_where_their_parent_stands(trees):
    base = trees.write({"a": b"1\n"}, EMPTY_TREE)
    one, two = (trees.write({"a": data}, base) for data in (b"2\n", b"3\n"))
    outcome = asdict(Verdict("verified"))
    records = [
        run(base),
        turn(),
        Note("main", "phase", "look"),
        step(1, one),
        Note("main/try-1", "phase", "patch"),
        *asked(1, 0.5, "main/try-1"),
        step(1, two, "main/try-1", reply=1),
        *asked(1, None, "main/try-2"),
        step(1, one, "main/try-2", reply=1),
        Once("main/try-1", "outcome", {"tree": two, "verdict": outcome, "exit": ""}),
        Once("main/try-2", "outcome", {"tree": one, "verdict": asdict(Verdict("unproven")), "exit": "stuck"}),
        Note("main", "score", "try-1 wins", {"try-1": 2, "try-2": 0}),
        Note("main", "phase", "end"),
        step(2, two, author="adopt"),
        step(1, two, "main/try-1/deep"),
    ]
    found = build_report_data(material(*records, trees=trees), WORDS)
    assert [
        (each["name"], each["parent"], each["from"], each["steps"], each["dollars"], each["ended"])
        for each in found["branches"]
    ] == [
        ("main", "", "", 2, 0.0, ""),
        ("main/try-1", "main", "main#1", 1, 0.5, "verified"),
        ("main/try-2", "main", "main#1", 1, None, "stuck"),
        ("main/try-1/deep", "main/try-1", "main/try-1#1", 1, 0.0, ""),
    ]
    assert found["branches"][0]["scores"] == [{"kind": "score", "text": "try-1 wins", "data": {"try-1": 2, "try-2": 0}}]
    assert found["plan"] == [
        {"branch": "main", "phase": "look", "from": "main#1", "to": "main#1"},
        {"branch": "main/try-1", "phase": "patch", "from": "main/try-1#1", "to": "main/try-1#1"},
        {"branch": "main", "phase": "end", "from": "main#2", "to": "main#2"},
    ]
    changed = {item["id"]: [file["diff"][-6:] for file in item["files"]] for item in items(found, "step")}
    assert changed["main/try-1#1"] == ["-2\n+3\n"]
    assert changed["main/try-2#1"] == changed["main/try-1/deep#1"] == []
    assert changed["main#2"] == ["-2\n+3\n"]
    assert [item["phase"] for item in items(found, "step")] == ["look", "patch", "", "end", ""]


def test_costs_grow_from_step_to_step_and_count_what_was_never_answered():
    lost = Hold("main", 2, 1, "m", 0.25, 10, at=AT)
    records = (run(), turn(), *asked(1, 0.5), step(1, reply=1), lost, step(2, author="user"))
    found = build_report_data(material(*records, *asked(3, None), step(3, reply=3)), WORDS)
    assert found["costs"] == [
        {"step": "main#1", "dollars": 0.5, "input": 100, "cached": 40, "output": 10},
        {"step": "main#2", "dollars": 0.75, "input": 100, "cached": 40, "output": 10},
        {"step": "main#3", "dollars": None, "input": 200, "cached": 80, "output": 20},
    ]


def test_of_others_trajectories_replies_say_what_they_cost_and_of_forks_only_of_step(tmp_path):
    _, reply, _ = asked(1, 0.5)
    reply = replace(reply, usage=Usage(100, 10, dollars=0.125))
    records = (run(), turn(), reply, step(1, reply=1))
    assert build_report_data(material(*records), WORDS)["costs"][0] | {"step": ""} == {
        "step": "",
        "dollars": 0.125,
        "input": 100,
        "cached": 0,
        "output": 10,
    }
    silent = build_report_data(material(run(), turn(), replace(reply, usage=None), step(1, reply=1)), WORDS)
    assert silent["costs"] == []
    assert silent["branches"][0]["dollars"] is None
    forked = build_report_data(material(*records, directory=tmp_path), WORDS)
    assert forked["costs"][0]["dollars"] == 0.0
    assert items(forked, "step")[0]["usage"]["dollars"] == 0.125


def test_turns_messages_and_ends_in_order():
    records = [
        run(),
        turn(),
        Note("main", "message", "hurry", at=AT),
        step(1, author="user", observations=(Observation("hurry"),)),
        Exit("answered", 0, EMPTY_TREE, at=AT),
        turn("and now?", "plan"),
        Note("main", "message", "unread", at=AT),
        Note("main", "gate", "refused", {"x": 1}, at=AT),
    ]
    found = build_report_data(material(*records), WORDS)
    assert [(item["kind"], item.get("request", item.get("text", ""))) for item in found["items"]] == [
        ("turn", "Wrong\n\nbody"),
        ("step", ""),
        ("exit", ""),
        ("turn", "and now?"),
        ("note", "unread"),
        ("note", "refused"),
    ]
    assert found["ended"] is None
    assert found["strategy"] == "plan"


def test_proof_has_row_for_each_question():
    verdict = Verdict("verified", red=True, commands=("pytest",), tests=("t::x",), notes=("few tests",))
    found = build_report_data(material(run(), turn(), Exit("verified", 0, EMPTY_TREE, verdict)), WORDS)["verdict"]
    assert found["rows"] == [
        {"name": "red", "value": True, "words": "a test fails without the patch"},
        {"name": "no_loss", "value": None, "words": "what passed passes"},
    ]
    assert (found["kind"], found["commands"], found["tests"]) == ("verified", ["pytest"], ["t::x"])
    assert found["repeat"] == "In a checkout of cccccccccc, with this report's patch as patch.diff."
    faster = build_report_data(
        material(run(), turn(), Exit("faster", 0, EMPTY_TREE, Verdict("faster", no_loss=True))), WORDS
    )
    assert [row["name"] for row in faster["verdict"]["rows"]] == ["no_loss"]


@pytest.mark.parametrize("tree", [EMPTY_TREE, "f" * 40])
def test_proof_holds_while_files_are_same(tree):
    verdict = Verdict("verified", red=True)
    records = (run(), turn(), Exit("verified", 0, EMPTY_TREE, verdict), turn("why?"), Exit("answered", 0, tree))
    found = build_report_data(material(*records), WORDS)["verdict"]
    assert (found or {}).get("kind") == ("verified" if tree == EMPTY_TREE else None)


def test_phase_ends_with_its_turn():
    records = (run(), turn(), Note("main", "phase", "prove"), step(1), turn("more"), step(2))
    found = build_report_data(material(*records), WORDS)
    assert [item["phase"] for item in items(found, "step")] == ["prove", ""]
    assert found["plan"] == [{"branch": "main", "phase": "prove", "from": "main#1", "to": "main#1"}]


def test_another_programs_patch_is_told_by_file():
    section = "diff --git a/{0} b/{0}\n{1}--- a/{0}\n+++ b/{0}\n@@ -1 +1,2 @@\n-1\n+2\n+3\n"
    diff = section.format("x y.py", "index 1..2\n") + section.format("tests/t.py", "new file mode 100644\n").replace(
        "\n", "\r\n"
    )
    for patch, files in (
        (Patch(diff), [("x y.py", "M", "source", 2, 1), ("tests/t.py", "A", "tests", 2, 1)]),
        (Patch("I changed nothing."), [("", "M", "source", 0, 0)]),
        (Patch(), []),
    ):
        found = build_report_data(replace(material(run(), turn()), patch=lambda patch=patch: patch), WORDS)
        told_of = [[file[name] for name in ("path", "status", "part", "added", "removed")] for file in found["patch"]]
        assert told_of == [list(file) for file in files]
        assert "".join(file["diff"] for file in found["patch"]) == patch.source


def test_patch_that_git_did_not_make_is_told_by_file():
    diff = "I did:\n--- a/x.py\t2024-01-01\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"
    diff += "--- /dev/null\n+++ y.py\n@@ -0,0 +1,2 @@\n+b\n+c\n--- a/z.py\n+++ /dev/null\n@@ -1 +0,0 @@\n--- z\n"
    patch = build_report_data(replace(material(run(), turn()), patch=lambda: Patch(diff)), WORDS)["patch"]
    figures = [(file["path"], file["status"], file["added"], file["removed"]) for file in patch[1:]]
    assert figures == [("x.py", "M", 1, 1), ("y.py", "A", 2, 0), ("z.py", "D", 0, 1)]
    assert "".join(file["diff"] for file in patch) == diff


def test_another_programs_patch_is_no_longer_than_ours(monkeypatch):
    monkeypatch.setattr(report_data, "FILES", 2)
    monkeypatch.setattr(report_data, "DIFFS", 30)
    diff = "diff --git a/x b/x\n" * 3
    found = build_report_data(replace(material(run(), turn()), patch=lambda: Patch(diff)), WORDS)
    assert [(len(file["diff"]), file["cut"]) for file in found["patch"]] == [(19, ""), (11, "too long")]
    assert "1 changed file" in found["cut"][1]


def test_of_patch_that_is_not_one_that_was_made_it_is_said_why(trees):
    made = {"a": b"1\n", "bin": b"\0", "latin": b"caf\xe9\n", "secret": f"key = {SECRET}\n".encode()}
    tree = trees.write(made, EMPTY_TREE)
    found = build_report_data(material(run(), turn(), step(1, tree), directory=trees.path, trees=trees), WORDS)
    for files in (found["patch"], items(found, "step")[0]["files"]):
        assert {file["path"]: file["cut"] for file in files} == {
            "a": "",
            "bin": "binary",
            "latin": "not UTF-8",
            "secret": "masked",
        }


def test_turn_that_has_done_nothing_yet_stands_at_best_tree_of_last(trees):
    best, later = (trees.write({"a": data}, EMPTY_TREE) for data in (b"1\n", b"2\n"))
    records = (run(), turn(), step(1, best), step(2, later), Exit("unproven", 1, best), turn("more"))
    found = build_report_data(material(*records, directory=trees.path, trees=trees), WORDS)
    assert found["patch"][0]["diff"].endswith("+1\n")


def test_nothing_secret_is_told_wherever_it_stands():
    secret = f"key {SECRET} \ud800"
    verdict = Verdict("unproven", notes=(secret,), commands=(secret,))
    records = [
        replace(run(budget=secret), issue=replace(ISSUE, title=secret, body=secret), repository=secret),
        turn(),
        Note("main", "score", secret, {secret: [secret, {"x": secret}]}),
        Reply(secret, reasoning=secret, branch="main", ask=1),
        step(
            1, reply=1, error=secret, actions=(Action(secret, {secret: secret}),), observations=(Observation(secret),)
        ),
        Exit(secret, 1, EMPTY_TREE, verdict, secret, secret),
    ]
    text = json.dumps(build_report_data(material(*records), WORDS), ensure_ascii=False)
    assert SECRET not in text
    assert text.count("[masked]") > 15
    text.encode()


def test_long_texts_lose_their_middle_and_no_half_of_secret_stays(monkeypatch):
    long = "x" * 74 + SECRET + "y" * 500
    monkeypatch.setattr(report_data, "text_limit", lambda lengths, room: 100)
    found = build_report_data(material(run(), turn(), step(1, observations=(Observation(long),))), WORDS)
    said = items(found, "step")[0]["said"]
    assert "hunter" not in said
    assert said.endswith("y" * 25)
    assert found["cut"] == ["The middle of 1 text of more than 100 characters is left out."]


def test_every_text_has_its_share_of_room(monkeypatch):
    monkeypatch.setattr(report_data, "ROOM", 30_000)
    long = "x" * 50_000
    issue = Issue(long, long, author=long, labels=(long,), comments=(Comment(long, long),))
    verdict = Verdict("unproven", failures=(long,), notes=(long,))
    records = [
        replace(run(test=long, budget={"a": [long]}), issue=issue, versions={"a": long}),
        turn(),
        Note("main", "score", long, {"rows": [{"a": 1}] * 5000}),
        step(1, error=long, actions=(Action("bash", {"l": [long]}), Action("bash", error=long))),
        Exit("error", 1, EMPTY_TREE, verdict, long, long),
    ]
    found = build_report_data(
        replace(material(*records), patch=lambda: Patch(f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n+{long}\n")), WORDS
    )
    assert found["patch"][0]["diff"].count("x") > len(long)
    assert len(json.dumps(found | {"patch": []})) < 40_000
    assert found["cut"] == [
        "The middle of 21 texts of more than 1,412 characters is left out.",
        "The data of 1 note is left out: it has more than 10,000 characters.",
    ]


def test_what_is_gone_or_too_much_is_said(trees, monkeypatch):
    monkeypatch.setattr("trajectories.report.tree_diffs.FILES", 1)
    monkeypatch.setattr("trajectories.report.report_data.DIFFS", 10)
    many = trees.write({"a": b"1\n", "b": b"2\n" * 100}, EMPTY_TREE)
    records = (run(), turn(), step(1, many), step(2, "f" * 40), step(3, many))
    found = build_report_data(material(*records, directory=trees.path, trees=trees), WORDS)
    assert items(found, "step")[0]["more_files"] == 1
    assert found["cut"] == [
        "The diffs of 2 files are incomplete: too long, not text, or masked.",
        "2 changed files of steps that changed very many files are not listed.",
        "The changes of 2 steps are unknown: the files are not in the run's folder.",
    ]


@given(st.lists(st.integers(0, 500), max_size=30), st.integers(0, 3000))
def test_short_texts_stay_whole_while_long_ones_fill_room(lengths, room):
    limit = text_limit(lengths, room, most=400)
    assert limit <= 400
    assert sum(min(length, limit) for length in lengths) <= max(room, 0)
    if limit < 400 and lengths:
        assert sum(min(length, limit + 1) for length in lengths) > room


@pytest.mark.parametrize("at", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_times_that_nobody_knows_are_empty(at):
    assert format_time(at) == ""


@pytest.mark.slow
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(st.characters(exclude_categories=())), st.lists))
def test_what_is_told_can_always_be_written(value):
    json.dumps(mask_texts({"value": value}, str.upper), ensure_ascii=False).encode()


def test_shortened():
    assert shorten_text("short", 5) == "short"
    assert shorten_text("a" * 8 + "b" * 92, 8) == "aaaaaa\n[… 92 characters …]\nbb"
