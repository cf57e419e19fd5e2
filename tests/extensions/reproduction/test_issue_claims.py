from __future__ import annotations

import pytest

from extensions.reproduction.issue_claims import (
    ReportedError,
    asks_for_error,
    expected_values,
    inline_examples,
    quotes_message,
    reported_errors,
    reported_outputs,
    wanted_errors,
)
from extensions.reproduction.issue_examples import split_examples


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("It should return `3`.", "3"),
        ("I expect the result to be `True`.", "True"),
        ("The answer should be -log(2)**2/2 + 1", "-log(2)**2/2 + 1"),
        ("Wrong: it gives 2 instead of the expected `f(3)`.", "f(3)"),
        ("The correct result is 3, as in 1.0.", "3"),
        ("`{x, y}` is expected as output.", "{x, y}"),
        ("It returns 2 instead of `sqrt(5)`.", "sqrt(5)"),
        ("#### Expected result:\n<class 'a.B'>\n\n#### Actual result:\n<class 'a.C'>", "<class 'a.B'>"),
        ("I believe the value should be one, as in numpy.", "1"),
    ],
)
def test_expected_value_in_words(words: str, expected: str) -> None:
    pieces = split_examples("Wrong", f"```\n>>> f(1)\n2\n```\n{words}\n")
    assert expected in expected_values(pieces)[1]


def test_expected_value_in_block_comment_and_second_session() -> None:
    pieces = split_examples("", "```py\nf(1)\n```\ngives\n```\n2\n```\nExpected Output\n```\n{3}\n```")
    assert expected_values(pieces) == {1: ["{3}"]}
    pieces = split_examples("", "```py\nf(1)  # should be 3, but is 2\n```")
    assert expected_values(pieces)[1][0] == "3"
    pieces = split_examples("", "Now:\n```\n>>> f(1)\n2\n```\nCorrect output is:\n```\n>>> f(1)\n3\n```")
    assert expected_values(pieces)[2] == ["3"]


def test_output_of_another_version_may_be_expected() -> None:
    body = "```py\nprint(f(1))\n```\nOutput with 1.2:\n```\n3\n```\nand since the upgrade to 2.0:\n```\n4\n```"
    assert expected_values(split_examples("", body)) == {1: ["3", "4"]}


def test_rounded_number_of_the_title_gives_way_to_the_exact_one() -> None:
    pieces = split_examples("f(2) should be 0.67", "```\n>>> f(2)\n1\n```\nExpected: 0.6666666666666666")
    assert expected_values(pieces)[1] == ["0.6666666666666666"]


def test_call_in_prose_with_its_value() -> None:
    pieces = split_examples(
        "f", "`f(3, 2)` should reduce to `g(2)`. I expect\n`h([1])`\nto give\n`[2]`\nbut I get `3`."
    )
    assert inline_examples(pieces) == [("f(3, 2)", "g(2)"), ("h([1])", "[2]")]
    pieces = split_examples("f", "add(2, 3) gives -1 but should give 5.")
    assert inline_examples(pieces) == [("add(2, 3)", "5")]
    assert "-1" in reported_outputs(pieces)


def test_reported_errors_have_messages_first() -> None:
    pieces = split_examples(
        "a raises KeyError", "```\n>>> f()\nTraceback (most recent call last):\nx.MyError: no 1\n```"
    )
    assert reported_errors(pieces) == [ReportedError("MyError", "no 1"), ReportedError("KeyError")]


@pytest.mark.parametrize(
    ("words", "wanted", "asks"),
    [
        ("It should raise a `ValueError`.", ["ValueError"], True),
        ("It should not raise a ValueError.", [], False),
        ("The error message is not helpful. A clearer error would be nice.", [], True),
        ("## Expected Result\n\n`InvalidURL: bad`\n", ["InvalidURL"], True),
        ("There should be no error.", [], False),
        ("It raises ValueError.", [], False),
        ("I expect the result to be `True`.", [], False),
    ],
)
def test_wanted_errors(words: str, wanted: list[str], asks: bool) -> None:
    pieces = split_examples("Wrong", words)
    assert wanted_errors(pieces) == wanted
    assert asks_for_error(pieces) is asks


@pytest.mark.parametrize(
    ("title", "body", "quoted"),
    [
        ("Unknown currency code in this cart", "", True),
        ("Wrong", "```py\npay('x')\n```\ngives\n```\nUnknown currency code in this cart!\n```", True),
        ("Wrong", ">>> pay('x')\nUnknown currency code in this cart", True),
        ("Wrong", 'It is refused with "Unknown currency code in this cart", as documented.', False),
        ("Wrong", "```py\nprint('Unknown currency code in this cart')\n```", False),
        ("Wrong", "```py\npay('x')  # Unknown currency code in this cart\n```", False),
    ],
)
def test_message_counts_as_quoted_in_title_and_output(title: str, body: str, quoted: bool) -> None:
    assert quotes_message(split_examples(title, body), "Unknown currency code in this cart") is quoted


def test_reported_outputs_are_normalized() -> None:
    pieces = split_examples("", "It gives `None`.\n```\n>>> f()\n<A at 0x7fab>\n```\n```\na  b\nc\n```")
    assert {"None", "<A at 0x>", "a b c", "a b"} <= reported_outputs(pieces)


@pytest.mark.parametrize(
    "text", ["expected" + " " * 20_000 + "x", "\n" * 20_000, "expected\n" * 2_000, "actual:" * 3_000]
)
def test_reading_of_hostile_text_ends(text: str) -> None:
    pieces = split_examples("Title", f">>> f(1)\n2\n\n{text}")
    expected_values(pieces)
    wanted_errors(pieces)
    asks_for_error(pieces)
