"""Comments on the result of a run: texts of models and untrusted users in them are shown as plain text."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.github.pull_request import comment_texts
from extensions.github.task.result_file import Outcome
from tests.extensions.github.publish_runner import NONE, RESULT, UNPROVEN
from tests.extensions.github.test_text_escaping import HOSTILES, check_harmless, tokens

BEGINNINGS = st.sampled_from(
    ["", "- ", "  - ", "1. ", "# ", "> ", "```", "```py\n", "~~~\n", "---\n", "    ", "| ", "\t"]
)
ANSWERS = st.lists(st.tuples(BEGINNINGS, HOSTILES).map("".join), max_size=6).map("\n".join)


@pytest.mark.slow
@given(ANSWERS)
def test_hostile_answer_is_rendered_as_plain_text(text: str) -> None:
    check_harmless(comment_texts.prose(text))
    kinds = {token.type for token in tokens(comment_texts.prose(text)) if token.nesting == 1}
    assert kinds <= {"paragraph_open", "bullet_list_open", "ordered_list_open", "list_item_open"}


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_markdown_structure_of_answer_is_kept(text: str, expected: str) -> None:
    assert comment_texts.prose(text) == expected


@pytest.mark.parametrize("kind", ["opened", "committed", "answered", "unproven", "not_fixed", "stopped", "refused"])
def test_hostile_text_in_any_field_is_rendered_as_plain_text(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/calc")
    monkeypatch.delenv("GITHUB_RUN_ID", raising=False)
    hostile = "@ada fixes octo/calc#3 <img src=x> ![a](http://e.x/p.png)\n</details>\n\n<!-- x -->```\n@ada"
    text_fields: dict[str, Any] = {field.name: hostile for field in fields(Outcome) if field.type == "str"}
    verdict = {**(UNPROVEN if kind == "unproven" else NONE), **dict.fromkeys(("tests", "notes", "lost"), (hostile,))}
    result = {**RESULT, "exit": 6, "verdict": verdict, "error": {"code": 1, "message": hostile, "fix": hostile}}
    place = {"path": hostile, "line": 3, "name": hostile, "why": hostile}
    lists: dict[str, Any] = {"places": (place,), "tried": (hostile,), "attempts": (hostile,), "red_test": ""}
    outcome = Outcome(**{**text_fields, "exit": 6, "result": result, **lists})
    texts = {
        "opened": lambda: comment_texts.opened_comment(2, outcome).replace("#2 is", "It is"),
        "committed": lambda: comment_texts.committed_comment("0" * 40, hostile, outcome),
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


def test_comment_names_where_the_budget_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/calc")
    outcome = Outcome("0" * 64, 4, {**RESULT, "exit": 4, "verdict": NONE}, "0" * 40)
    assert "the workflow's input `budget` sets" in comment_texts.not_fixed_comment(outcome, False)
    assert "found; `B` sets what" in comment_texts.not_fixed_comment(outcome, False, budget="`B`")


def test_models_reason_for_giving_up_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/calc")
    error = {"code": 1, "message": "The model gave 3 replies without an action.", "fix": ""}
    result = {**RESULT, "exit": 1, "verdict": NONE, "error": error}
    outcome = Outcome("0" * 64, 1, result, "0" * 40, answer="Nothing fails here, @ada.")
    assert comment_texts.not_fixed_comment(outcome, False).startswith(
        "No change was made. The model says:\n\nNothing fails here, `@ada`.\n\n"
    )
