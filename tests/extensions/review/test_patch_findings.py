"""Findings on a proved patch: rules and places."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from aci.proof.fact_words import new_check_findings
from agent.patch_checks.findings import RULES, Finding
from agent.run_state.attempt_outcome import load_verdict
from extensions.review.patch_findings import _of_merge_review, _of_verdict, place_in, places_in
from trajectories.outcome_words import proof_headline
from trajectories.verdict import Verdict

CALLERS = "area (calc/core.py:3) has a new signature: `scale` is new; calls outside the patch: calc/app.py:7."
VERIFIED = Verdict("verified", red=True, green=True, red_again=True, no_loss=True, generality="shown")
CHANGED = ("calc/core.py", "calc/text.py", "tests/test_core.py")


def of_verdict(**parts: Any) -> list[tuple[str, str]]:
    held = dict.fromkeys(("red", "green", "red_again", "no_loss"), True)
    verdict = load_verdict({"kind": "unproven", **held, "evidence": "blind tests", **parts})
    return [(one.rule, one.where) for one in _of_verdict(verdict, CHANGED)]


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ({"kind": "verified"}, []),
        ({"kind": "plausible", "evidence": "none"}, [("not-verified", "")]),
        ({"kind": "disputed", "evidence": "none"}, [("not-verified", "")]),
        ({"red": None, "green": None}, [("missing-test", "")]),
        ({"no_loss": None}, [("not-verified", "")]),
        ({"kind": "none"}, [("not-verified", "")]),
        (
            {"no_loss": False, "lost": ("tests/test_a.py::test_b", "go test ./...")},
            [("broken-test", "tests/test_a.py"), ("broken-test", "")],
        ),
        ({"kind": "verified", "notes": (CALLERS,)}, [("affected-caller", "calc/core.py:3")]),
        (
            {
                "kind": "verified",
                "notes": ("The patch changes the behaviour for 3 of 9 variants of the tests' values.",),
            },
            [("behaviour-change", "")],
        ),
        ({"kind": "verified", "notes": ("The suite with the patch: 5 passed.", "Nothing was changed.")}, []),
        (
            {
                "kind": "verified",
                "facts": [asdict(new_check_findings("ruff: 2 new", ["calc/core.py:3:1: F401", "calc/other.py:2"]))],
            },
            [("new-check-finding", "calc/core.py:3"), ("new-check-finding", "")],
        ),
        ({"kind": "verified", "contradicted": ("tests/a.py::t: it must raise",)}, [("behaviour-change", "")]),
    ],
)
def test_parts_of_verdict_become_findings(parts: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert of_verdict(**parts) == found


@pytest.mark.parametrize(
    ("verdict", "stopped", "words"),
    [
        (Verdict(), True, "the proof was stopped before its end"),
        (Verdict("unproven"), True, "the proof was stopped before its end"),
        (Verdict("unproven"), False, "no test results without and with the change"),
        (Verdict(), False, "no change was judged by tests"),
    ],
)
def test_patch_that_was_not_tested_has_no_verdict(verdict: Verdict, stopped: bool, words: str) -> None:
    (found,) = _of_verdict(verdict, CHANGED, stopped)
    assert found.rule == "not-verified"
    assert found.text == proof_headline(verdict, stopped)
    assert found.text.startswith(f"No verdict: {words}")


def test_finished_proof_of_stopped_run_counts() -> None:
    assert proof_headline(VERIFIED, stopped=True).startswith("Verified: ")
    verdict = Verdict("unproven", red=False, no_loss=True)
    assert [one.rule for one in _of_verdict(verdict, CHANGED, stopped=True)] == ["missing-test"]


def test_merge_review_becomes_findings_at_lines() -> None:
    review = {
        "findings": [
            {"kind": "debug output", "path": "calc/text.py", "line": 2, "text": "This looks like debug output."}
        ],
        "notes": [
            "The tests that show the issue pass without 2 of 3 hunks: calc/core.py:8, calc/text.py:2.",
            "41 of the last 48 changes to source came with an entry in the changelog; this one does not.",
            "20 of the last 22 changes to source came with a test; this one does not.",
        ],
    }
    assert [(one.rule, one.where) for one in _of_merge_review(review, CHANGED)] == [
        ("debug-output", "calc/text.py:2"),
        ("missing-test", "calc/core.py:8"),
        ("missing-test", "calc/text.py:2"),
        ("missing-companion", ""),
        ("missing-test", ""),
    ]


def test_all_kinds_of_merge_review_have_a_rule() -> None:
    from extensions.review.merge_readiness.overreach import Finding as Overreach

    kinds = [
        kind.strip("`") for kind in (Overreach.__doc__ or "").partition("`kind` is ")[2].partition(".")[0].split(", ")
    ]
    last = kinds.pop().removeprefix("or ").strip("`")
    kinds += [part.strip("` ") for part in last.split(" or ")]
    assert len(kinds) == 6
    assert {kind.replace("`", "").replace(" ", "-") for kind in kinds} <= set(RULES)


def test_headline_says_what_is_missing() -> None:
    assert proof_headline(VERIFIED).startswith("Verified: ")
    assert "unknown whether" in proof_headline(Verdict("unproven", red=True, green=True, red_again=True))
    assert "without the change to the source" in proof_headline(Verdict("unproven", red=True, green=True, no_loss=True))


def test_only_paths_of_the_change_are_places() -> None:
    text = "f (calc/core.py:3) breaks; calls: /etc/passwd:1, ../x.py:2, calc/text.py:9."
    assert list(places_in(text, CHANGED)) == [("calc/core.py", 3), ("calc/text.py", 9)]
    assert place_in("calc/core.py:0 and calc/core.py:99999999999", CHANGED) == ("", 0)


def test_place_is_the_whole_file_without_a_line() -> None:
    assert Finding("rename", "x", "a.py").where == "a.py"
    assert Finding("rename", "x").where == ""
