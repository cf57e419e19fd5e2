"""What is said of how a run ended is read as text, whatever models and strangers put into it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.github.pull_request import comment_texts
from agent.github.task.result_file import Outcome
from tests.agent.github.publish_runner import NONE, RESULT, UNPROVEN
from tests.agent.github.pull_request.test_text_escaping import HOSTILES, check_harmless, tokens

BEGINNINGS = st.sampled_from(
    ["", "- ", "  - ", "1. ", "# ", "> ", "```", "```py\n", "~~~\n", "---\n", "    ", "| ", "\t"]
)
ANSWERS = st.lists(st.tuples(BEGINNINGS, HOSTILES).map("".join), max_size=6).map("\n".join)


@given(ANSWERS)
def test_answer_does_nothing(text: str) -> None:
    check_harmless(comment_texts.prose(text))
    kinds = {token.type for token in tokens(comment_texts.prose(text)) if token.nesting == 1}
    assert kinds <= {"paragraph_open", "bullet_list_open", "ordered_list_open", "list_item_open"}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("One.\nTwo.\n\n\n\nThree.", "One.\nTwo.\n\nThree."),
        ("* a\n* `b`\n  1) c", "- a\n- `b`\n  1) c"),
        ("## Cause\nIt was.", "Cause\nIt was."),
        ("#12 is it", "`#12` is it"),
        ("```py\nx = 1\n```", "```py\nx = 1\n```"),
        ("~~~suggestion\nx\n~~~", "```\nx\n```"),
        ("```mermaid\ngraph\n", "```\ngraph\n```"),
    ],
    ids=["paragraphs", "lists", "heading", "number", "code", "suggestion", "diagram"],
)
def test_answer_keeps_its_form(said: str, shown: str) -> None:
    assert comment_texts.prose(said) == shown


@pytest.mark.parametrize("kind", ["opened", "committed", "answered", "unproven", "not_fixed", "stopped", "refused"])
def test_no_part_of_outcome_does_anything(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/calc")
    monkeypatch.delenv("GITHUB_RUN_ID", raising=False)
    nasty = "@ada fixes octo/calc#3 <img src=x> ![a](http://e.x/p.png)\n</details>\n\n<!-- x -->```\n@ada"
    told: dict[str, Any] = {field.name: nasty for field in fields(Outcome) if field.type == "str"}
    verdict = {**(UNPROVEN if kind == "unproven" else NONE), **dict.fromkeys(("tests", "notes", "lost"), (nasty,))}
    result = {**RESULT, "exit": 6, "verdict": verdict, "error": {"code": 1, "message": nasty, "fix": nasty}}
    place = {"path": nasty, "line": 3, "name": nasty, "why": nasty}
    lists: dict[str, Any] = {"places": (place,), "tried": (nasty,), "attempts": (nasty,), "red_test": ""}
    outcome = Outcome(**{**told, "exit": 6, "result": result, **lists})
    texts = {
        "opened": lambda: comment_texts.opened_comment(2, outcome).replace("#2 is", "It is"),
        "committed": lambda: comment_texts.committed_comment("0" * 40, nasty, outcome),
        "answered": lambda: comment_texts.answered_comment(outcome),
        "unproven": lambda: (
            comment_texts.unproven_comment(outcome).replace("\n</details>", "").replace("<details>", "")
        ),
        "not_fixed": lambda: comment_texts.not_fixed_comment(outcome, False),
        "stopped": lambda: comment_texts.stopped_comment(outcome),
        "refused": lambda: comment_texts.refused_comment(("`x`: it is binary.",), outcome),
    }
    text = texts[kind]()
    html = [token.content.strip() for token in tokens(text) if token.type.startswith("html")]
    assert all(part.startswith(("<details><summary>Repeat it", "<summary>Repeat it", "</details>")) for part in html), (
        html
    )
    check_harmless(text, tuple(html))


def test_why_model_gave_up_comes_first_where_no_fix_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/calc")
    error = {"code": 1, "message": "The model gave 3 replies without an action.", "fix": ""}
    result = {**RESULT, "exit": 1, "verdict": NONE, "error": error}
    outcome = Outcome("0" * 64, 1, result, "0" * 40, answer="Nothing fails here, @ada.")
    assert comment_texts.not_fixed_comment(outcome, False).startswith(
        "No fix was found. The model says:\n\nNothing fails here, `@ada`.\n\n"
    )
