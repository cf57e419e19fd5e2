"""The tool `ask_user`: what it accepts, and what it answers where no one can be asked."""

from __future__ import annotations

import pytest

from tools.base import Toolbox

OPTIONS = ["half up", "half even"]


@pytest.mark.parametrize(
    ("question", "options", "wrong"),
    [
        ("How?", ["one"], "needs 2 to 4 different options"),
        ("How?", ["one", "one"], "needs 2 to 4 different options"),
        ("How?", list("abcde"), "needs 2 to 4 different options"),
        (" ", OPTIONS, "needs 2 to 4 different options"),
        ("?" * 301, OPTIONS, "may have 300 characters"),
        ("How?", ["a", "b" * 201], "may have 300 characters"),
    ],
)
def test_question_of_wrong_form_is_refused(make_bench, question, options, wrong) -> None:
    seen = make_bench({"a.py": ""})("ask_user", question=question, options=options)
    assert not seen.ok
    assert wrong in seen.text


def test_first_option_is_assumed_where_no_one_can_be_asked(make_bench) -> None:
    seen = make_bench({"a.py": ""})("ask_user", question="How are halves\nrounded?", options=OPTIONS)
    assert seen.ok
    assert seen.text.startswith("No one can answer here. Assume: half up.")
    assert seen.data == {"assumed": "How are halves rounded? half up"}


def test_tool_is_offered_only_with_user() -> None:
    toolbox = Toolbox()
    assert "ask_user" not in [schema["function"]["name"] for schema in toolbox.schemas()]
    assert [schema["function"]["name"] for schema in toolbox.schemas_with("user")] == ["ask_user"]
