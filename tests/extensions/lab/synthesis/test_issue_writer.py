"""Issue texts by a model: taken only with the same example and without the place."""

from __future__ import annotations

from typing import Any, cast

import pytest

from extensions.lab.synthesis.issue_text import IssueText
from extensions.lab.synthesis.issue_writer import IssueWriter, WrittenText
from trajectories.records import Reply

ISSUE = IssueText("`price(2)` gives a wrong result\n", "from shop import price\n\nprice(2)", "price(2)")
SYMBOLS = ("shop/core.py:_round",)
BLOCK = f"```python\n{ISSUE.code}\n```"


class Questions:
    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    def reply(self, question: str, system: str, text: str) -> Reply:
        self.asked.append((question, text))
        return Reply(self.answer, model="scripted:fallback")


def rewrite(answer: str) -> tuple[WrittenText | None, list[tuple[str, str]]]:
    questions = Questions(answer)
    return IssueWriter(cast(Any, questions)).rewrite("shop.1", ISSUE, SYMBOLS), questions.asked


def test_text_of_model_is_taken_with_the_model_that_replied() -> None:
    text = f"Totals are off by one\n\n{BLOCK}\nI expected 6."
    assert rewrite(text) == (
        WrittenText(f"{text}\n", "scripted:fallback"),
        [("issue shop.1", f"<issue>\n{ISSUE.text}</issue>")],
    )


@pytest.mark.parametrize("text", ["", "Totals are off", f"See `_round`: {BLOCK}", f"{BLOCK} in shop/core.py"])
def test_text_without_example_or_with_place_is_refused(text: str) -> None:
    assert rewrite(text)[0] is None
