"""The data of a report, from records built in the tests."""

import json
import struct
from base64 import b64encode
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.report import report_data
from extensions.report.report_data import build_report_data
from extensions.report.report_pictures import LARGEST
from extensions.report.report_text import ReportText, mask_texts, text_limit
from trajectories.errors import RunBroken
from trajectories.facts import Fact
from trajectories.git_store.trees import EMPTY_TREE
from trajectories.page_picture import picture_size
from trajectories.record_text import format_time, shorten_text
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
)
from trajectories.trajectory import NOT_CHECKED, RunView, Trajectory
from trajectories.verdict import Verdict

AT = 1_700_000_000.0
SECRET = "hunter2hunter2"
REPORT_TEXT = ReportText(
    describe=lambda action: f"{action.tool} …",
    in_tests=lambda path: path.startswith("tests/"),
    mask=lambda text: text.replace(SECRET, "[masked]"),
    picture_size=picture_size,
)
ISSUE = Issue("Wrong", "body", author="ann", trust="stranger", comments=(Comment("bob", "me too", role="NONE"),))


def run(base=EMPTY_TREE, **settings):
    return Run("r1", ISSUE, "/repo", Base("c" * 40, base), settings, {"swe-agent": "1"}, at=AT)


def turn(request="", strategy="build"):
    return Turn(request, strategy, {"coder": "m"}, at=AT)


def step(n, tree=EMPTY_TREE, branch="main", author="coder", **fields):
    return Step(branch, n, "", author, tree, at=AT, **fields)


def run_view(*records, directory=None, trees=None):
    return RunView("r1", Trajectory(records), Spent(0.5, 100, 40, 10, 2), directory, trees)


def request_records(request, dollars, branch="main", tokens=(100, 40, 10)):
    usage = Usage(tokens[0], tokens[2], tokens[1])
    hold = Hold(branch, request, 1, "m", 9.0, 999, at=AT)
    reply = Reply(f"thought {request}", reasoning="why", branch=branch, ask=request, usage=usage, at=AT)
    return hold, reply, Settle(hold.id, usage, dollars, "usage", at=AT)


def items_of_kind(report, kind):
    return [item for item in report["items"] if item["kind"] == kind]


def test_report_has_issue_settings_and_costs():
    report = build_report_data(
        run_view(run(budget=2.0, image="", models={"m": {}}, test="pytest"), turn()), REPORT_TEXT
    )
    assert (report["name"], report["title"], report["strategy"], report["model"]) == ("r1", "Wrong", "build", "m")
    assert report["issue"]["comments"][0]["body"] == "me too"
    assert report["issue"]["trust"] == "stranger"
    assert report["settings"] == {"budget": 2.0, "test": "pytest"}
    assert report["at"] == "2023-11-14T22:13:20Z"
    assert report["spent"] == {"dollars": 0.5, "input": 100, "cached": 40, "output": 10, "calls": 2}
    assert report["ended"] is None
    assert report["verdict"] is None
    assert report["cut"] == []


def test_run_that_was_not_started_is_refused():
    with pytest.raises(RunBroken, match="was not started"):
        build_report_data(run_view(), REPORT_TEXT)


def test_steps_have_thought_actions_outputs_and_changes(trees, tmp_path):
    base = trees.write({"a.py": b"1\n"}, EMPTY_TREE)
    new = trees.write({"a.py": b"2\n", "tests/t.py": b"t\n"}, base)
    actions = (Action("bash", {"command": "ls\npwd", "timeout": 5}), Action("view", error="no path"))
    observations = (Observation("files", out=3), Observation("bad", ok=False))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "3").write_bytes(b"12345")
    records = (
        run(base),
        turn(),
        *request_records(1, 0.25),
        step(1, new, reply=1, actions=actions, observations=observations),
    )
    records += (step(2, new, author="task", observations=(Observation("say"), Observation("more"))),)
    records += (Exit("verified", 0, new, Verdict("verified"), seconds=1.26, at=AT),)
    report = build_report_data(run_view(*records, directory=tmp_path, trees=trees), REPORT_TEXT)
    first, second = items_of_kind(report, "step")
    assert (first["text"], first["reasoning"], first["said"]) == ("thought 1", "why", "")
    assert [action["ok"] for action in first["actions"]] == [True, False]
    assert first["actions"][0]["arguments"] == "command:\nls\npwd\ntimeout: 5"
    assert (first["actions"][0]["out"], first["actions"][0]["size"]) == (3, 5)
    assert first["actions"][1]["arguments"] == "no path"
    assert [(file["path"], file["status"]) for file in first["files"]] == [("a.py", "M"), ("tests/t.py", "A")]
    assert "-1\n+2\n" in first["files"][0]["diff"]
    assert first["usage"] == {"dollars": 0.25, "input": 100, "cached": 40, "output": 10}
    assert (second["said"], second["files"], second["usage"], second["actions"]) == ("say\nmore", [], None, [])
    assert [(file["path"], file["part"], file["added"], file["removed"]) for file in report["patch"]] == [
        ("a.py", "source", 1, 1),
        ("tests/t.py", "tests", 1, 0),
    ]
    assert report["ended"] == items_of_kind(report, "exit")[0]["ended"]
    assert report["ended"] == {
        "kind": "verified",
        "words": Verdict("verified").headline,
        "tone": "good",
        "code": 0,
        "message": "",
        "fix": "",
        "seconds": 1.3,
    }


def test_missing_output_file_has_no_size(tmp_path):
    recorded_step = step(1, actions=(Action("bash"),), observations=(Observation("x", out=7),))
    report = build_report_data(run_view(run(), turn(), recorded_step, directory=tmp_path), REPORT_TEXT)
    assert items_of_kind(report, "step")[0]["actions"][0]["size"] is None


def png(width, height, size=0):
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height)
    return header.ljust(size, b"\0")


def test_pictures_of_steps_and_changed_pages_are_embedded_once(tmp_path):
    (tmp_path / "out").mkdir()
    for number, data in enumerate([png(2, 1), png(3, 1), b"<svg onload='x'>", png(4, 1, LARGEST + 1)], 1):
        (tmp_path / "out" / str(number)).write_bytes(data)
    asked = {"path": "/cart", "width": 390, "dark": True, "asked": ["a: red"], "unasked": [], "before": 1, "after": 2}
    unasked = asked | {"path": "/", "dark": False, "unasked": [f"b: {SECRET}", 5], "before": 3, "difference": 4}
    pages = [asked, unasked, {"path": 1}, "no page", unasked | {"width": True}]
    look = step(1, actions=(Action("browser"),), observations=(Observation("x", data={"picture": 2}),))
    older = step(2, "0" * 40, author="proof", observations=(Observation("", data={"pages": pages[:1]}),))
    proof = step(3, author="proof", observations=(Observation("", data={"pages": pages}),))
    view = run_view(run(), turn(), look, proof, older, step(4), directory=tmp_path)
    report = build_report_data(view, REPORT_TEXT)
    first, second = report["pages"]
    assert (first["title"], first["unasked"]) == ("/ at 390 px", ["b: [masked]"]), "unasked changes come first"
    assert [first[name] for name in ("before", "after", "difference")] == [None, 2, None], "no pictures"
    assert (second["title"], second["before"], second["after"]) == ("/cart at 390 px, dark mode", 1, 2)
    assert items_of_kind(report, "step")[0]["actions"][0]["picture"] == 2
    assert list(report["pictures"]) == ["2", "1"]
    url = f"data:image/png;base64,{b64encode(png(3, 1)).decode()}"
    assert report["pictures"]["2"] == {"url": url, "width": 3, "height": 1}
    assert report["pages_note"] == ""
    assert build_report_data(replace(view, untrusted=True), REPORT_TEXT)["pages_note"] == NOT_CHECKED


def test_pictures_beyond_limit_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(report_data, "PICTURE_ROOM", 200)
    (tmp_path / "out").mkdir()
    for number, size in enumerate([24, 200, 24]):
        (tmp_path / "out" / str(number)).write_bytes(png(1, 1, size))
    steps = [
        step(n, actions=(Action("browser"),), observations=(Observation("x", data={"picture": n}),)) for n in range(3)
    ]
    report = build_report_data(run_view(run(), turn(), *steps, directory=tmp_path), REPORT_TEXT)
    assert list(report["pictures"]) == ["0", "2"]
    assert report["cut"] == ["1 picture of pages did not fit: it is in the run's folder."]


def test_only_pictures_of_the_issue_are_embedded(monkeypatch):
    monkeypatch.setattr(report_data, "PICTURE_ROOM", 240)
    urls = ["data:image/jpeg;base64,/9j=", "data:image/svg+xml;base64,AAAA", "https://example.com/a.png"]
    long = f"data:image/png;base64,{'A' * 60}"
    view = run_view(replace(run(), issue=Issue("Broken", images=(*urls, long))), turn())
    assert build_report_data(view, REPORT_TEXT)["issue"]["pictures"] == urls[:1]


def test_branches_start_from_tree_of_parent(trees):
    base = trees.write({"a": b"1\n"}, EMPTY_TREE)
    one, two = (trees.write({"a": data}, base) for data in (b"2\n", b"3\n"))
    outcome = asdict(Verdict("verified"))
    records = [
        run(base),
        turn(),
        Note("main", "phase", "look"),
        step(1, one),
        Note("main/try-1", "phase", "patch"),
        *request_records(1, 0.5, "main/try-1"),
        step(1, two, "main/try-1", reply=1),
        *request_records(1, None, "main/try-2"),
        step(1, one, "main/try-2", reply=1),
        Once("main/try-1", "outcome", {"tree": two, "verdict": outcome, "exit": ""}),
        Once("main/try-2", "outcome", {"tree": one, "verdict": asdict(Verdict("unproven")), "exit": "stuck"}),
        Note("main", "score", "try-1 wins", {"try-1": 2, "try-2": 0}),
        Note("main", "phase", "end"),
        step(2, two, author="adopt"),
        step(1, two, "main/try-1/deep"),
    ]
    report = build_report_data(run_view(*records, trees=trees), REPORT_TEXT)
    assert [
        (each["name"], each["parent"], each["from"], each["steps"], each["dollars"], each["ended"])
        for each in report["branches"]
    ] == [
        ("main", "", "", 2, 0.0, ""),
        ("main/try-1", "main", "main#1", 1, 0.5, "verified"),
        ("main/try-2", "main", "main#1", 1, None, "stuck"),
        ("main/try-1/deep", "main/try-1", "main/try-1#1", 1, 0.0, ""),
    ]
    assert report["branches"][0]["scores"] == [
        {"kind": "score", "text": "try-1 wins", "data": {"try-1": 2, "try-2": 0}}
    ]
    assert report["plan"] == [
        {"branch": "main", "phase": "look", "from": "main#1", "to": "main#1"},
        {"branch": "main/try-1", "phase": "patch", "from": "main/try-1#1", "to": "main/try-1#1"},
        {"branch": "main", "phase": "end", "from": "main#2", "to": "main#2"},
    ]
    changed = {item["id"]: [file["diff"][-6:] for file in item["files"]] for item in items_of_kind(report, "step")}
    assert changed["main/try-1#1"] == ["-2\n+3\n"]
    assert changed["main/try-2#1"] == changed["main/try-1/deep#1"] == []
    assert changed["main#2"] == ["-2\n+3\n"]
    assert [item["phase"] for item in items_of_kind(report, "step")] == ["look", "patch", "", "end", ""]


def test_costs_are_cumulative_and_include_unanswered_requests():
    unanswered = Hold("main", 2, 1, "m", 0.25, 10, at=AT)
    records = (run(), turn(), *request_records(1, 0.5), step(1, reply=1), unanswered, step(2, author="user"))
    report = build_report_data(run_view(*records, *request_records(3, None), step(3, reply=3)), REPORT_TEXT)
    assert report["costs"] == [
        {"step": "main#1", "dollars": 0.5, "input": 100, "cached": 40, "output": 10},
        {"step": "main#2", "dollars": 0.75, "input": 100, "cached": 40, "output": 10},
        {"step": "main#3", "dollars": None, "input": 200, "cached": 80, "output": 20},
    ]


def test_costs_without_settlements_come_from_replies(tmp_path):
    _, reply, _ = request_records(1, 0.5)
    reply = replace(reply, usage=Usage(100, 10, dollars=0.125))
    records = (run(), turn(), reply, step(1, reply=1))
    assert build_report_data(run_view(*records), REPORT_TEXT)["costs"][0] | {"step": ""} == {
        "step": "",
        "dollars": 0.125,
        "input": 100,
        "cached": 0,
        "output": 10,
    }
    without_usage = build_report_data(
        run_view(run(), turn(), replace(reply, usage=None), step(1, reply=1)), REPORT_TEXT
    )
    assert without_usage["costs"] == []
    assert without_usage["branches"][0]["dollars"] is None
    forked = build_report_data(run_view(*records, directory=tmp_path), REPORT_TEXT)
    assert forked["costs"][0]["dollars"] == 0.0
    assert items_of_kind(forked, "step")[0]["usage"]["dollars"] == 0.125


def test_turns_messages_and_ends_are_in_order():
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
    report = build_report_data(run_view(*records), REPORT_TEXT)
    assert [(item["kind"], item.get("request", item.get("text", ""))) for item in report["items"]] == [
        ("turn", "Wrong\n\nbody"),
        ("step", ""),
        ("exit", ""),
        ("turn", "and now?"),
        ("note", "unread"),
        ("note", "refused"),
    ]
    assert report["ended"] is None
    assert report["strategy"] == "plan"


def test_proof_has_row_for_each_part():
    verdict = Verdict("verified", red=True, commands=("pytest",), tests=("t::x",), facts=(Fact("limit", "few tests"),))
    report = build_report_data(run_view(run(), turn(), Exit("verified", 0, EMPTY_TREE, verdict)), REPORT_TEXT)[
        "verdict"
    ]
    assert report["rows"] == [
        {"name": "red", "value": True, "words": "a test fails without the patch"},
        {"name": "green", "value": None, "words": "it passes with the patch"},
        {"name": "red_again", "value": None, "words": "it fails again without the source changes"},
        {"name": "no_loss", "value": None, "words": "all tests that passed before still pass"},
    ]
    assert (report["kind"], report["commands"], report["tests"]) == ("verified", ["pytest"], ["t::x"])
    assert report["repeat"] == "In a checkout of cccccccccc, with this report's patch as patch.diff."
    faster = build_report_data(
        run_view(run(), turn(), Exit("faster", 0, EMPTY_TREE, Verdict("faster", no_loss=True))), REPORT_TEXT
    )
    assert [row["name"] for row in faster["verdict"]["rows"]] == ["no_loss"]


def test_report_says_no_more_than_the_verdict():
    verdict = Verdict("plausible", red=True, green=True, red_again=True, no_loss=True, evidence="none")
    report = build_report_data(run_view(run(), turn(), Exit("plausible", 6, EMPTY_TREE, verdict)), REPORT_TEXT)
    assert report["ended"]["words"] == verdict.headline
    assert report["ended"]["tone"] == report["verdict"]["tone"] == "warning"


@pytest.mark.parametrize("tree", [EMPTY_TREE, "f" * 40])
def test_proof_is_shown_while_files_are_unchanged(tree):
    verdict = Verdict("verified", red=True)
    records = (run(), turn(), Exit("verified", 0, EMPTY_TREE, verdict), turn("why?"), Exit("answered", 0, tree))
    report = build_report_data(run_view(*records), REPORT_TEXT)["verdict"]
    assert (report or {}).get("kind") == ("verified" if tree == EMPTY_TREE else None)


def test_phase_ends_with_its_turn():
    records = (run(), turn(), Note("main", "phase", "prove"), step(1), turn("more"), step(2))
    report = build_report_data(run_view(*records), REPORT_TEXT)
    assert [item["phase"] for item in items_of_kind(report, "step")] == ["prove", ""]
    assert report["plan"] == [{"branch": "main", "phase": "prove", "from": "main#1", "to": "main#1"}]


def test_patch_of_other_program_is_split_by_file():
    section = "diff --git a/{0} b/{0}\n{1}--- a/{0}\n+++ b/{0}\n@@ -1 +1,2 @@\n-1\n+2\n+3\n"
    diff = section.format("x y.py", "index 1..2\n") + section.format("tests/t.py", "new file mode 100644\n").replace(
        "\n", "\r\n"
    )
    for patch, files in (
        (Patch(diff), [("x y.py", "M", "source", 2, 1), ("tests/t.py", "A", "tests", 2, 1)]),
        (Patch("I changed nothing."), [("", "M", "source", 0, 0)]),
        (Patch(), []),
    ):
        report = build_report_data(replace(run_view(run(), turn()), patch=lambda patch=patch: patch), REPORT_TEXT)
        listed = [[file[name] for name in ("path", "status", "part", "added", "removed")] for file in report["patch"]]
        assert listed == [list(file) for file in files]
        assert "".join(file["diff"] for file in report["patch"]) == patch.source


def test_patch_not_made_by_git_is_split_by_file():
    diff = "I did:\n--- a/x.py\t2024-01-01\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"
    diff += "--- /dev/null\n+++ y.py\n@@ -0,0 +1,2 @@\n+b\n+c\n--- a/z.py\n+++ /dev/null\n@@ -1 +0,0 @@\n--- z\n"
    patch = build_report_data(replace(run_view(run(), turn()), patch=lambda: Patch(diff)), REPORT_TEXT)["patch"]
    figures = [(file["path"], file["status"], file["added"], file["removed"]) for file in patch[1:]]
    assert figures == [("x.py", "M", 1, 1), ("y.py", "A", 2, 0), ("z.py", "D", 0, 1)]
    assert "".join(file["diff"] for file in patch) == diff


def test_patch_of_other_program_has_same_limits(monkeypatch):
    monkeypatch.setattr(report_data, "FILES", 2)
    monkeypatch.setattr(report_data, "DIFFS", 30)
    diff = "diff --git a/x b/x\n" * 3
    report = build_report_data(replace(run_view(run(), turn()), patch=lambda: Patch(diff)), REPORT_TEXT)
    assert [(len(file["diff"]), file["cut"]) for file in report["patch"]] == [(19, ""), (11, "too long")]
    assert "1 changed file" in report["cut"][1]


def test_incomplete_file_of_patch_has_reason(trees):
    contents = {"a": b"1\n", "bin": b"\0", "latin": b"caf\xe9\n", "secret": f"key = {SECRET}\n".encode()}
    tree = trees.write(contents, EMPTY_TREE)
    report = build_report_data(run_view(run(), turn(), step(1, tree), directory=trees.path, trees=trees), REPORT_TEXT)
    for files in (report["patch"], items_of_kind(report, "step")[0]["files"]):
        assert {file["path"]: file["cut"] for file in files} == {
            "a": "",
            "bin": "binary",
            "latin": "not UTF-8",
            "secret": "masked",
        }


def test_turn_without_steps_starts_from_best_tree_of_previous(trees):
    best, later = (trees.write({"a": data}, EMPTY_TREE) for data in (b"1\n", b"2\n"))
    records = (run(), turn(), step(1, best), step(2, later), Exit("unproven", 1, best), turn("more"))
    report = build_report_data(run_view(*records, directory=trees.path, trees=trees), REPORT_TEXT)
    assert report["patch"][0]["diff"].endswith("+1\n")


def test_secret_is_masked_in_every_field():
    secret = f"key {SECRET} \ud800"
    verdict = Verdict("unproven", facts=(Fact("limit", secret),), commands=(secret,))
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
    text = json.dumps(build_report_data(run_view(*records), REPORT_TEXT), ensure_ascii=False)
    assert SECRET not in text
    assert text.count("[masked]") > 15
    text.encode()


def test_long_texts_lose_their_middle_and_no_part_of_secret_is_left(monkeypatch):
    long = "x" * 74 + SECRET + "y" * 500
    monkeypatch.setattr(report_data, "text_limit", lambda lengths, room: 100)
    report = build_report_data(run_view(run(), turn(), step(1, observations=(Observation(long),))), REPORT_TEXT)
    shown = items_of_kind(report, "step")[0]["said"]
    assert "hunter" not in shown
    assert shown.endswith("y" * 25)
    assert report["cut"] == ["The middle of 1 text of more than 100 characters is left out."]


def test_all_texts_are_shortened_to_size_of_report(monkeypatch):
    monkeypatch.setattr(report_data, "ROOM", 30_000)
    long = "x" * 50_000
    issue = Issue(long, long, author=long, labels=(long,), comments=(Comment(long, long),))
    verdict = Verdict("unproven", failures=(long,), facts=(Fact("limit", long),))
    records = [
        replace(run(test=long, budget={"a": [long]}), issue=issue, versions={"a": long}),
        turn(),
        Note("main", "score", long, {"rows": [{"a": 1}] * 5000}),
        step(1, error=long, actions=(Action("bash", {"l": [long]}), Action("bash", error=long))),
        Exit("error", 1, EMPTY_TREE, verdict, long, long),
    ]
    report = build_report_data(
        replace(run_view(*records), patch=lambda: Patch(f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n+{long}\n")), REPORT_TEXT
    )
    assert report["patch"][0]["diff"].count("x") > len(long)
    assert len(json.dumps(report | {"patch": []})) < 40_000
    assert report["cut"] == [
        "The middle of 21 texts of more than 1,404 characters is left out.",
        "The data of 1 note is left out: it has more than 10,000 characters.",
    ]


def test_missing_and_omitted_changes_are_reported(trees, monkeypatch):
    monkeypatch.setattr("extensions.report.tree_diffs.FILES", 1)
    monkeypatch.setattr("extensions.report.report_data.DIFFS", 10)
    many = trees.write({"a": b"1\n", "b": b"2\n" * 100}, EMPTY_TREE)
    records = (run(), turn(), step(1, many), step(2, "f" * 40), step(3, many))
    report = build_report_data(run_view(*records, directory=trees.path, trees=trees), REPORT_TEXT)
    assert items_of_kind(report, "step")[0]["more_files"] == 1
    assert report["cut"] == [
        "The diffs of 2 files are incomplete: too long, not text, or masked.",
        "2 changed files of steps that changed very many files are not listed.",
        "The changes of 2 steps are unknown: the files are not in the run's folder.",
    ]


@given(st.lists(st.integers(0, 500), max_size=30), st.integers(0, 3000))
def test_text_limit_shortens_only_long_texts(lengths, budget):
    limit = text_limit(lengths, budget, most=400)
    assert limit <= 400
    assert sum(min(length, limit) for length in lengths) <= max(budget, 0)
    if limit < 400 and lengths:
        assert sum(min(length, limit + 1) for length in lengths) > budget


@pytest.mark.parametrize("at", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_invalid_times_are_empty(at):
    assert format_time(at) == ""


@pytest.mark.slow
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(st.characters(exclude_categories=())), st.lists))
def test_masked_report_can_be_encoded_as_json(value):
    json.dumps(mask_texts({"value": value}, str.upper), ensure_ascii=False).encode()


def test_shorten_text_cuts_middle():
    assert shorten_text("short", 5) == "short"
    assert shorten_text("a" * 8 + "b" * 92, 8) == "aaaaaa\n[… 92 characters …]\nbb"
