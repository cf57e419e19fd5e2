"""The review: order, silence, and what a terminal gets of hostile texts."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from agent.console.rich_terminal import Rich
from agent.patch_checks.findings import RULES, Finding, clean_findings
from agent.patch_checks.review import Review
from agent.patch_checks.review_focus import Hunk
from extensions.review.model_remarks import UNREAD
from extensions.review.patch_review import _first, review_of, sarif_of
from extensions.review.review_text import MOST, show_review
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.records import Exit, Note
from trajectories.trajectory import PROPOSAL, Trajectory
from trajectories.verdict import Verdict

VERIFIED = Verdict("verified", red=True, green=True, red_again=True, no_loss=True, generality="shown")
SHOWN = Finding("shown-change", "The patch changes the behaviour for 3 of 9 variants of the tests' values.")
CALLER = Finding("affected-caller", "add (calc/core.py:1) has a new signature.", "calc/core.py", 1)


def review(*findings: Finding, verdict: Verdict = VERIFIED, **more: Any) -> Review:
    return Review(
        verdict, verdict.headline, findings, (), {"calc/core.py": frozenset({1})}, ("calc/core.py", 1), **more
    )


def shown(one: Review) -> str:
    out = Rich(file=io.StringIO(), highlight=False, no_color=True, width=80)
    show_review(one, out)
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_verified_patch_without_findings_is_silent() -> None:
    assert review().is_silent
    assert review(SHOWN).is_silent
    assert not review(CALLER).is_silent
    assert not review(incomplete="The model did not read the patch.").is_silent
    assert not review(verdict=Verdict("unproven")).is_silent
    assert "Nothing was found beside the proof." in shown(review())


def test_what_a_verified_patch_was_shown_to_do_is_no_result_of_sarif() -> None:
    log = sarif_of(review(SHOWN, CALLER), "review", {"run": "r"})["runs"][0]
    assert [one["ruleId"] for one in log["results"]] == ["affected-caller"]
    assert log["properties"]["verdict"] == "verified"
    assert log["properties"]["run"] == "r"


def test_secrets_are_masked_in_all_texts(tmp_path: Path) -> None:
    secret = "correct horse battery"
    with Trees(tmp_path / "trees.git") as trees:
        base = trees.write({"a.py": b"x = 1\n"}, EMPTY_TREE)
        tree = trees.write({f"{secret}.py": b"x = 2\n"}, base)
        notes = [Note("main", PROPOSAL, "", data={"tree": tree}), Note("main", UNREAD, f"The key {secret} is wrong.")]
        trajectory = Trajectory(notes)
        run = SimpleNamespace(base=SimpleNamespace(tree=base))
        engine: Any = SimpleNamespace(secrets=(secret,), trajectory=trajectory, trees=trees, run=run)
        ended: Any = SimpleNamespace(verdict=VERIFIED, exit=Exit("verified", 0, verdict=VERIFIED), review=None)
        found = review_of(engine, ended)
    assert found.first
    assert found.incomplete.startswith("The key ")
    assert not any(secret in text for text in (found.headline, found.incomplete, *found.first))


def test_findings_are_in_the_order_of_the_rules_with_secrets_masked() -> None:
    given = [Finding(rule, f"{rule} correct horse battery\nx", "a.py", 1) for rule in reversed(RULES)]
    found = clean_findings([*given, *given], ["correct horse battery"])
    assert [one.rule for one in found] == list(RULES)
    assert not any("horse" in one.text or "\n" in one.text for one in found)
    assert len(clean_findings([Finding("rename", "x" * 9_000)], ())[0].text) == 1_000


def test_serious_findings_come_before_the_largest_change() -> None:
    notes = [Finding("rename", "x", "a.py", 1), Finding("missing-test", "no place")]
    places = [Hunk("calc/core.py", 4, 9, "add", False), Hunk("calc/text.py", 1, 1, "", False)]
    assert _first([*notes, CALLER], places) == [CALLER.text, "calc/core.py:4 (in add): the largest of 2 changes."]
    assert _first((), ()) == []


def test_text_has_headings_places_and_limits() -> None:
    many = [Finding("debug-output", f"print {n}", "calc/core.py", n + 1) for n in range(MOST + 3)]
    text = shown(review(CALLER, *many, Finding("model-remark", "Hm."), incomplete="Not read."))
    assert text.startswith("Verified: ")
    assert text.index("Not read.") < text.index("Callers\n") < text.index("Not needed\n")
    assert "· calc/core.py:1: print 0\n" in text
    assert "  and 3 more\n" in text
    assert "Remarks of the model (not checked)\n· Hm." in text


def test_hostile_texts_send_nothing_to_the_terminal() -> None:
    odd = Finding("rename", "\x1b]0;title\x07[bold]x[/bold]\x1b[2J\u202e", "new\nline\x1b[31m.py", 3)
    text = shown(review(odd))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "· new line.py:3: [bold]x[/bold]\n" in text
