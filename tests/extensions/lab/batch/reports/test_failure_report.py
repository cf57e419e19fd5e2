"""The page of failures: built from real runs, damaged runs and untrusted text."""

import json
import os
import re
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agent.prompts.opening_prompt import places
from agent.strategies.react import solve as react
from extensions.lab.batch.reports.batch_results import encode
from extensions.lab.batch.reports.failure_report import write_failures
from extensions.lab.batch.reports.run_diagnosis import (
    RunDiagnosis,
    changed_base_files,
    changed_files,
    diagnose,
    worst_rank,
)
from extensions.lab.evaluation.grading_store import GradingStore
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.instances.jobs import JobResult
from tests.agent.conftest import act, line
from trajectories.errors import Stuck, WorkspaceError
from trajectories.journal import encode as record
from trajectories.records import Action, Base, Issue, Note, Observation, Once, Run, Step, Turn

CALC = "diff --git a/calc.py b/calc.py\n--- a/calc.py\n+++ b/calc.py\n@@ -1 +1 @@\n-a\n+b\n"
OTHER = CALC.replace("calc.py", "util.py")
STRANGE = '<script>alert(1)</script> "quoted" & \x1b[31mred‮'


def job_result(name: str, kind: str = "unproven", **more: object) -> JobResult:
    defaults = {"code": 6, "verdict": "none", "patch": "", "dollars": 0.5, "seconds": 60.0, "steps": 3}
    return JobResult(instance=str(more.pop("instance", name)), repeat=int(more.pop("repeat", 1)), run=name, kind=kind,
                **defaults | more)  # fmt: skip


def journal(*records: object) -> bytes:
    first = Run("r", Issue("x"), "/r", Base("c", "t")), Turn("fix", "react")
    return b"".join(record(one) for one in (*first, *records))


def step(n: int, *kinds: str, text: str = "", ok: bool = True, author: str = "coder", **data: object) -> Step:
    actions = tuple(Action(kind) for kind in kinds)
    return Step("main", n, "", author, "t", n, actions, (Observation(text, ok, data=dict(data)),))


def localized(*paths: str) -> Once:
    return Once("main", "localize", {"files": [{"path": path, "why": []} for path in paths], "functions": []})


def batch(out: Path, runs: dict[str, tuple[JobResult, bytes | None]]) -> Path:
    """Write a batch with these results and journals, as its driver does."""
    out.mkdir(exist_ok=True)
    with (out / "results.jsonl").open("ab") as file:
        for name, (result, lines) in runs.items():
            file.write(encode(result, "m"))
            if lines is not None:
                (out / "runs" / name).mkdir(parents=True)
                (out / "runs" / name / "journal.jsonl").write_bytes(lines)
    return out


class PageText(HTMLParser):
    """The text, table rows, links and elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self.content = ""
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag == "tr":
            self.rows.append([])
        self._in_cell = tag in ("td", "th") or (self._in_cell and tag != "tr")
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.content += data
        if self._in_cell:
            self.rows[-1][-1] += data

    def row(self, beginning: str) -> list[str]:
        (match,) = (one for one in self.rows if one and one[0].startswith(beginning))
        return match


def build_page(out: Path, golds: dict[str, str] | None = None) -> PageText:
    path = write_failures(out, golds)
    assert path == out / "failures.html"
    assert [one.name for one in out.glob(".*")] == []
    return PageText(path.read_text("utf-8"))


# Diagnosis


@pytest.mark.slow
def test_diagnosis_of_real_run_names_phase_and_last_actions(bench):
    bench.begin(line("Look.", act("view", path="nothing.py")))

    def solve(task):
        task.note("phase", "localize")
        places(task.branch)
        task.note("phase", "patch")
        return (yield from react(task))

    with pytest.raises(Stuck):
        bench.drive(solve)
    diagnosis = diagnose(bench.directory)
    assert diagnosis.phase == "patch"
    assert diagnosis.acted == ("view failed",) * 3
    assert "nothing.py" in diagnosis.seen
    assert diagnosis.ranked == ("calc.py",)
    assert diagnosis.damaged == ""


def test_last_actions_exclude_messages_to_model(tmp_path):
    (tmp_path / "journal.jsonl").write_bytes(
        journal(
            Note("main", "phase", "reproduce"),
            Note("main", "gate", '"kind":"phase"'),
            step(1, "view", "edit", text="Edited."),
            step(2, text="nothing", ok=False),
            Note("main", "phase", "patch"),
            step(3, "shell", text="\n\n  first \x1b[31mline\nsecond", ok=False),
            *(Step("main", n, "", "hint", "t", None, (), (Observation("You go round in circles."),)) for n in (4, 5)),
        )
    )
    assert diagnose(tmp_path) == RunDiagnosis("patch", ("edit", "talk", "shell failed"), "first line")


def test_diagnosis_of_submission_shows_proof(tmp_path):
    verdict = {"kind": "unproven", "red": True, "green": False, "red_again": None, "no_loss": True}
    (tmp_path / "journal.jsonl").write_bytes(
        journal(
            step(1, "edit"),
            step(2, text="Proof: unproven.", author="proof", verdict=verdict),
            step(3, "submit", text="Submitted:", submitted=True),
        )
    )
    diagnosis = diagnose(tmp_path)
    assert diagnosis.acted == ("edit", "proof", "submit")
    assert diagnosis.seen == "Proof unproven: it passes with the patch: NO"


@pytest.mark.parametrize(
    ("lines", "damage"),
    [
        (None, "There is no journal."),
        (b"", "The journal is empty."),
        (b"nothing\n", "Line 1 of the journal is damaged."),
        (record(Note("main", "phase", "patch")), "Line 1 of the journal is damaged."),
        (journal() + b"\0\0\0\n" + record(step(1, "view")), "Line 3 of the journal is damaged."),
        (journal() + b'{"kind":"phase","n":' + b"[" * 5000 + b"}\n", "Line 3 of the journal is damaged."),
        (journal() + b'{"branch":1,"type":"step"}\n', "A step in the journal is damaged."),
        (journal(Once("main", "localize", {"files": 3})), "Line 3 of the journal is damaged."),
        (journal(Once("main", "localize", None)), "Line 3 of the journal is damaged."),
    ],
    ids=range(9),  # records contain times, which would make the ids unstable
)
def test_damaged_journal_is_reported(tmp_path, lines, damage):
    if lines is not None:
        (tmp_path / "journal.jsonl").write_bytes(lines)
    assert diagnose(tmp_path).damaged == damage


def test_unreadable_journal_is_reported(tmp_path):
    (tmp_path / "journal.jsonl").mkdir()
    assert diagnose(tmp_path).damaged == "The journal cannot be read: Is a directory."


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [({"kind": "verified", "red": True, "green": True, "red_again": True, "no_loss": True}, "Proof verified"),
     ({"kind": "none"}, "Proof none: a test fails without the patch: not checked"), (None, "Proof")],
)  # fmt: skip
def test_diagnosis_names_failed_part_of_proof(tmp_path, verdict, expected):
    (tmp_path / "journal.jsonl").write_bytes(journal(step(1, author="proof", verdict=verdict)))
    assert diagnose(tmp_path).seen == expected


def test_records_before_damage_count_and_partial_line_is_ignored(tmp_path):
    whole = journal(Note("main", "phase", "patch"), step(1, "view", text="seen"))
    (tmp_path / "journal.jsonl").write_bytes(whole + b"damage\n")
    assert diagnose(tmp_path) == RunDiagnosis("patch", ("view",), "seen", damaged="Line 5 of the journal is damaged.")
    (tmp_path / "journal.jsonl").write_bytes(whole + b'{"torn')
    assert diagnose(tmp_path) == RunDiagnosis("patch", ("view",), "seen")


# Localization


def test_changed_files_are_read_from_diff():
    new = "diff --git a/new.py b/new.py\nnew file mode 100644\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x\n"
    moved = "diff --git a/old.py b/to.py\nsimilarity index 100%\nrename from old.py\nrename to to.py\n"
    tricky = "diff --git a/a b.py b/a b.py\n--- a/a b.py\t\n+++ b/a b.py\t\n@@ -1 +1 @@\n--- a/no.py\n+++ b/no.py\n"
    assert changed_base_files(CALC + new + moved + tricky) == {"calc.py", "a b.py"}
    assert changed_files(CALC + new + moved + tricky) == {"calc.py", "new.py", "old.py", "to.py", "a b.py"}
    assert changed_base_files("") == changed_files("") == frozenset()


@pytest.mark.parametrize(
    ("ranked", "wanted", "rank"),
    [("abc", "a", 1), ("abc", "ac", 3), ("abc", "ad", 0), ("", "a", 0), ("aba", "a", 1), ("abc", "", 0)],
)
def test_worst_rank_is_rank_of_last_wanted_file(ranked, wanted, rank):
    assert worst_rank(ranked, wanted) == rank


def test_localization_is_compared_with_gold(tmp_path):
    out = batch(
        tmp_path / "out",
        {
            "right": (job_result("right", "verified", patch=CALC), journal(localized("calc.py"))),
            "seen": (job_result("seen", patch=OTHER), journal(localized("calc.py"))),
            "fifth": (job_result("fifth", "not_found"), journal(localized("a", "b", "c", "d", "calc.py"))),
            "part": (job_result("part", patch=CALC), journal(localized("calc.py"))),
            "none": (job_result("none", "not_found"), journal()),
            "unknown": (job_result("unknown"), journal(localized("calc.py"))),
        },
    )
    golds = dict.fromkeys(("right", "seen", "fifth", "none"), CALC) | {"part": CALC + OTHER}
    text = build_page(out, golds)
    assert text.row("solved") == ["solved", "1", "1 (100%)", "1 (100%)", "1 (100%)", "0 (0%)", "0 (0%)"]
    assert text.row("not solved") == ["not solved", "4", "1 (33%)", "2 (67%)", "0 (0%)", "1 (25%)", "2 (67%)"]
    assert text.row("seenswe")[4] == "0 of 1 edited; found by rank 1"
    assert text.row("partswe")[4] == "1 of 2 edited; not all found"
    assert text.row("noneswe")[4] == "0 of 1 edited"
    assert text.row("unknownswe")[4] == ""
    assert "Localization compared with gold" not in build_page(out).content


# The page


def test_exits_are_listed_by_cause_with_costs(tmp_path):
    runs = {
        "a": job_result(
            "a", "verified", patch=CALC, dollars=1.0, input_tokens=3000, cached_tokens=1500, output_tokens=500
        ),
        "b": job_result("b", patch=CALC, seconds=700.0),
        "c": job_result("c", "not_found", dollars=2.0),
        "d": job_result("d", "stuck", patch=CALC),
        "e": job_result("e", "error", error="No more answers."),
        "f": job_result("f", "infrastructure", error="No image.", dollars=0.0),
    }
    text = build_page(batch(tmp_path / "out", {name: (one, None) for name, one in runs.items()}))
    figures = {row[0].split(" ")[0]: row[2:] for row in text.rows if len(row) == 6 and row[2] in "012"}
    assert figures["verifiedVerified:"] == ["1", "1", "1", "1.00"]
    assert figures["unprovenUnproven:"] == ["1", "1", "0", "0.50"]
    assert text.row("emptyThe")[2:] == ["1", "0", "0", "2.00"]
    assert text.row("stuckThe")[2:] == ["1", "1", "0", "0.50"]
    assert text.row("infrastructureThe")[2:] == ["1", "0", "0", "0.00"]
    assert "$4.50per solved instance$4.50 in total" in text.content
    assert "3.0ktokens in500 out, 50% cached" in text.content
    assert [row[0] for row in text.rows if row[1:3] == ["unproven", "11:40"]] == ["b", "b"]
    assert "swe-agent show runs/b" in text.content
    assert "runs/b/" in text.links
    assert "aswe-agent show" not in text.content, "a solved run is listed as failed"


def test_most_common_failure_comes_first(tmp_path):
    runs = {}
    for number in range(5):
        acted = "edit" if number < 3 else "view"
        seen = f"line {number}: no '{number}' at 0x{number}f" if number < 3 else "other"
        record = journal(Note("main", "phase", "patch"), step(1, acted, text=seen, ok=False))
        runs[f"r{number}"] = job_result(f"r{number}", "stuck"), record
    runs["i"] = job_result("i", "infrastructure"), journal(Note("main", "phase", "prove"))
    text = build_page(batch(tmp_path / "out", runs))
    assert ["3", "patch", "edit failed", "r0"] in text.rows
    assert ["2", "patch", "view failed", "r3"] in text.rows
    assert ["3", "line 0: no '0' at 0x0f", "r0"] in text.rows
    assert not any(row[1:2] == ["prove"] and len(row) == 4 for row in text.rows), "infrastructure is counted separately"


@pytest.mark.parametrize("kind", ["unproven", "infrastructure", "error", "stuck"])
def test_untrusted_text_is_escaped(tmp_path, kind):
    lines = journal(Note("main", "phase", STRANGE), step(1, STRANGE, text=STRANGE), localized(STRANGE))
    out = batch(tmp_path / "<b>out", {"a'b&<i>": (job_result("a'b&<i>", kind, error=STRANGE, patch=CALC), lines)})
    text = build_page(out, {"a'b&<i>": CALC})
    assert not text.elements & {"script", "i", "img", "link", "iframe"}
    assert '<script>alert(1)</script> "quoted" & red' in text.content
    assert "\x1b" not in text.content
    assert "‮" not in text.content
    assert text.links == ["runs/a%27b%26%3Ci%3E/"] * len(text.links)
    assert """swe-agent show 'runs/a'"'"'b&<i>'""" in text.content


def test_page_loads_nothing_and_runs_no_script(tmp_path):
    out = batch(tmp_path / "out", {"a": (job_result("a"), None)})
    html = write_failures(out).read_text("utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert "style=" not in html
    assert not re.search(r"https?://|url\(|@import", html)


def test_damaged_runs_are_listed(tmp_path):
    out = batch(tmp_path / "out", {"a": (job_result("a", patch=CALC), b"damage\n"), "b": (job_result("b"), None)})
    with (out / "results.jsonl").open("ab") as file:
        file.write(b"no result\n" + encode(job_result("c", "limit"), "m") + b'{"torn')
    text = build_page(out)
    assert "Line 1 of the journal is damaged." in text.row("aswe-agent")[3]
    assert "There is no journal." in text.row("bswe-agent")[3]
    assert "unreadable lines of results.jsonl: 1" in text.content
    assert "damaged journals: 3" in text.content
    assert text.row("cswe-agent")


def test_empty_batch_has_page(tmp_path):
    tmp_path.joinpath("out").mkdir()
    assert "0 runs" in build_page(tmp_path / "out").content


def test_costs_without_prices_are_unknown(tmp_path):
    runs = {"a": (job_result("a", "verified", dollars=None), None), "b": (job_result("b", dollars=None), None)}
    text = build_page(batch(tmp_path / "out", runs))
    assert "price unknownper solved instanceprice unknown in total" in text.content
    assert text.row("bswe-agent")[-1] == "—"


def test_evaluation_determines_solved_runs(tmp_path):
    out = batch(
        tmp_path / "out",
        {
            "wrong": (job_result("wrong", "verified", patch=CALC), None),
            "right": (job_result("right", patch=CALC), None),
            "later": (job_result("later", "verified", patch=CALC), None),
            "right.2": (job_result("right.2", patch=CALC, instance="right", repeat=2), None),
        },
    )
    runs = [
        {"run_id": "all", "resolved": ["right"], "unresolved": ["wrong", "later"], "empty": [], "errors": []},
        {"run_id": "all.2", "resolved": [], "unresolved": ["right"], "empty": [], "errors": []},
    ]
    for run, name, patch in (
        ("all", "wrong", CALC), ("all", "right", CALC), ("all", "later", CALC + "of an older batch"),
        ("all.2", "right", CALC), ("all.other", "right", CALC),
    ):  # fmt: skip
        GradingStore(out / "evaluation", run).put("m", GradingResult(name, False, applied=True), "key", patch)
    (out / "evaluation" / "evaluation.json").write_text(json.dumps({"model": "m", "runs": runs}))
    (out / "evaluation" / "m.all.other.json").write_text('{"submitted_ids": ["right"], "resolved_ids": []}')
    text = build_page(out)
    assert "solved according to an evaluation" in text.content
    assert "2solved50% of 4" in text.content, "solved: right by its evaluation, later by its own proof"
    assert "The evaluation's tests fail with its patch." in text.row("wrongswe-agent")[3]
    assert text.row("right.2swe-agent")
    assert not [row for row in text.rows if row and row[0].startswith(("rightswe", "laterswe"))]


@pytest.mark.slow
def test_memory_does_not_grow_with_batch(tmp_path):
    def peak(runs: int) -> int:
        out = batch(
            tmp_path / f"out{runs}",
            {
                f"r{number}": (
                    job_result(f"r{number}", "stuck", patch=CALC * 20),
                    journal(step(1, "view", text="x" * 20_000)) if number < 20 else None,
                )
                for number in range(runs)
            },
        )
        write_failures(out)
        tracemalloc.start()
        try:
            write_failures(out)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(2400) < peak(800) + 200_000, "125 bytes a run at most"


def test_unwritable_page_is_reported(tmp_path):
    with pytest.raises(WorkspaceError, match=r"failures\.html cannot be written"):
        write_failures(tmp_path / "nowhere")


@pytest.mark.parametrize("report", ["{}", "[" * 100_000, '{"model": "m", "runs": [{"run_id": "all"}]}', '{"runs": 3}'])
def test_invalid_evaluation_report_is_ignored(tmp_path, report):
    out = batch(tmp_path / "out", {"right": (job_result("right", "verified", patch=CALC), None)})
    (out / "evaluation").mkdir()
    (out / "evaluation" / "evaluation.json").write_text(report)
    assert "solved according to an evaluation" not in build_page(out).content


def test_link_or_pipe_is_not_read_as_journal(tmp_path):
    out = batch(tmp_path, {name: (job_result(name, "unproven"), journal()) for name in ("link", "pipe")})
    for name in ("link", "pipe"):
        (out / "runs" / name / "journal.jsonl").unlink()
    (out / "runs" / "link" / "journal.jsonl").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_bytes(journal(Note("main", "phase", "SECRET")))
    os.mkfifo(out / "runs" / "pipe" / "journal.jsonl")
    text = build_page(out)
    assert "SECRET" not in text.content
    assert text.content.count("The journal cannot be read") == 2
