"""Parsing of a model's reply: edits, files and places in many notations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.candidates.role_questions import is_yes, parse_letter, parse_score
from agent.prompts.answer_parser import MOST, parse_edits, parse_names

LINES = st.lists(st.text("ab =<>_", max_size=8), max_size=4)


def block(path: str, old: list[str], new: list[str]) -> str:
    return "\n".join([path, "<<<<<<< SEARCH", *old, "=======", *new, ">>>>>>> REPLACE"])


@given(LINES, LINES)
def test_edit_block_is_parsed(old: list[str], new: list[str]) -> None:
    reply = f"So.\n\n### `a/b.py`\n```python\n{block('a/b.py', old, new)}\n```\n"
    [edit] = parse_edits(reply)
    assert edit.arguments == {"path": "a/b.py", "old": "\n".join(old), "new": "\n".join(new)}


def test_edit_blocks_apply_to_last_named_file() -> None:
    reply = "\n".join(
        [block("a.py", ["x"], ["y"]), block("", ["y"], ["z"]).lstrip(), "**b.py**:", block("", ["1"], ["2"]).lstrip()]
    )
    assert [(edit.arguments["path"], edit.arguments["new"]) for edit in parse_edits(reply)] == [
        ("a.py", "y"),
        ("a.py", "z"),
        ("b.py", "2"),
    ]


def test_block_without_end_or_path_is_ignored() -> None:
    assert parse_edits(block("a.py", ["x"], ["y"]).removesuffix(">>>>>>> REPLACE")) == ()
    assert parse_edits(block("", ["x"], ["y"]).lstrip()) == ()
    assert len(parse_edits("\n".join([block("a.py", ["x"], ["y"])] * 99))) == MOST


def test_only_known_places_are_parsed() -> None:
    known = {"a.py", "b/c.py", "b/c.py:C.d"}
    assert parse_names("1. `b/c.py:C.d` - here\n- a.py, surely\nx.py\na.py", known, 9) == ["b/c.py:C.d", "a.py"]
    assert parse_names("a.py\nb/c.py", known, 1) == ["a.py"]


def test_letter_and_score_are_read_from_last_line() -> None:
    assert [parse_letter(reply, 2) for reply in ("A\n**B**", "B.", "C", "none", "", "A or B")] == [
        1,
        1,
        None,
        None,
        None,
        None,
    ]
    scores = {
        "3\nso: 0.7": 0.7,
        "0.4/1": 0.4,
        "7/10": 0.7,
        "8 of 10.": 0.8,
        "5 %": 0.05,
        "**.3**": 0.3,
        "1": 1.0,
        "0.8 (fairly sure)": 0.8,
        "0.3 (on a scale of 0 to 1)": 0.3,
    }
    assert {reply: parse_score(reply) for reply in scores} == scores
    assert [parse_score(reply) for reply in ("7", "-2", "11/10", "?", "")] == [None] * 5


@pytest.mark.parametrize(
    "reply", ["yes", "It is right.\n**Yes.**", "no way\nVerdict: yes", "Yes, for all of them.", "Yes.\n```\n"]
)
def test_reply_means_yes(reply: str) -> None:
    assert is_yes(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "no",
        "yes\nVerdict: no",
        "**Answer: No**",
        "I would say no.",
        "The patch is not right.",
        "Not yes",
        "",
        "?",
        "Yes, but it is not right for 0.",
        "Yes, it fails for 3",
        "yes or no",
        "Yes? No.",
    ],
)
def test_reply_does_not_mean_yes(reply: str) -> None:
    assert not is_yes(reply)
