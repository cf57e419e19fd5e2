"""Judgements of patches by the results of blind tests."""

from __future__ import annotations

import pytest

from extensions.examiner.blind_evidence import evidence_fact, fresh_tests, judge_blind_tests
from extensions.examiner.blind_tests import BlindResult, BlindTest, BlindTests, parse_blind_tests


def results(*rows: str) -> list[BlindResult]:
    """Return results for rows such as `red fails passes`: expectation, on the base, with the patch; `=` means that the
    base gives the same answer."""
    found = []
    for number, row in enumerate(rows):
        expected, base, patched, *same = row.split()
        test = BlindTest(f"test_{number}", expected, "It should hold.")
        found.append(BlindResult(test, base, patched, same_answer=bool(same)))
    return found


FIXED, KEPT, MISSED, SAME = "red fails passes", "guard passes passes", "red fails fails", "red fails fails ="


@pytest.mark.parametrize(
    ("rows", "word", "asked"),
    [
        ([FIXED, FIXED, KEPT], "agrees", 0),
        ([FIXED, FIXED], "agrees", 0),
        ([FIXED, KEPT, KEPT], "undecided", 0),
        ([FIXED, FIXED, "guard passes fails"], "disputed", 0),
        ([FIXED, "red passes fails"], "disputed", 0),
        ([MISSED, MISSED, FIXED], "disputed", 0),
        ([FIXED, FIXED, MISSED], "undecided", 1),
        ([FIXED, FIXED, SAME], "undecided", 1),
        ([FIXED, SAME, SAME, SAME], "undecided", 3),
        ([FIXED, SAME, MISSED], "undecided", 2),
        ([FIXED, FIXED, "red fails unclear"], "undecided", 0),
        ([FIXED, FIXED, "guard passes unclear"], "undecided", 0),
        ([FIXED, FIXED, "guard fails fails", "red unclear fails"], "agrees", 0),
        ([], "undecided", 0),
    ],
)
def test_results_decide_the_judgement(rows, word, asked):
    found = results(*rows)
    judged = judge_blind_tests(found, {one.test.name for one in found})
    assert (judged.word, len(judged.asks)) == (word, asked)


@pytest.mark.parametrize(
    ("rows", "withdrawn", "word"),
    [
        ([FIXED, FIXED, MISSED], {"test_2"}, "agrees"),
        ([FIXED, FIXED, MISSED], set(), "disputed"),
        ([FIXED, SAME, SAME], {"test_1"}, "disputed"),
        ([FIXED, SAME, SAME], {"test_1", "test_2"}, "undecided"),
    ],
)
def test_second_look_decides_single_failures(rows, withdrawn, word):
    found = results(*rows)
    judged = judge_blind_tests(found, {one.test.name for one in found}, withdrawn)
    assert judged.word == word
    fact = evidence_fact(judged, withdrawn)
    assert fact.data["withdrawn"] == tuple(sorted(withdrawn))
    assert fact.text.endswith(".")


def test_agreement_needs_an_input_of_its_own():
    assert judge_blind_tests(results(FIXED, FIXED, KEPT), {"test_2"}).word == "undecided"
    assert judge_blind_tests(results(FIXED, FIXED, KEPT), {"test_1"}).word == "agrees"


def test_fresh_inputs_are_those_that_nobody_showed():
    source = (
        'import pytest\n\ndef test_same():\n    """On 99."""\n    assert price("ab", 12) == 7\n\n'
        'def test_other():\n    assert price("ab", 13) == 8\n\n'
        'def test_raises():\n    with pytest.raises(ValueError, match="odd"):\n        price("ab", 12)\n\n'
        'def test_built():\n    text = "a" * 12\n    assert price(text, 12) == 7\n'
    )
    names = ("test_same", "test_other", "test_raises", "test_built")
    tests = BlindTests("test_x.py", source, tuple(BlindTest(name, "red", "s") for name in names))
    assert fresh_tests(tests, 'price("ab", 12) should be 6, not 2012') == {"test_other", "test_built"}
    go = 'func TestSame(t *testing.T) { Price("ab", 12) }\nfunc TestOther(t *testing.T) { Price("b c", 12) }\n'
    tests = BlindTests("x_test.go", go, tuple(BlindTest(name, "red", "s") for name in ("TestSame", "TestOther")))
    assert fresh_tests(tests, 'Price("ab", 12) is not 7') == {"TestOther"}


ANSWER = """Here they are.

tests/test_new.py
```python
def test_a():
    assert f(1) == 2


def test_b():
    assert f(0) == 0
```
- test_a | red | "f(1) should be 2"
- `test_b`: Guard: nothing else changes
- test_c | red | is not in the file
"""


def test_answer_of_an_examiner_is_parsed():
    tests = parse_blind_tests(ANSWER)
    assert tests is not None
    assert (tests.path, tests.source.count("def ")) == ("tests/test_new.py", 2)
    assert tests.tests == (
        BlindTest("test_a", "red", "f(1) should be 2"),
        BlindTest("test_b", "guard", "nothing else changes"),
    )
    assert len(tests.digest) == 64


@pytest.mark.parametrize(
    "said",
    [
        "",
        "I cannot.",
        ANSWER.replace("tests/test_new.py", "src/new.py"),
        ANSWER.replace("tests/test_new.py", "../tests/test_new.py"),
        ANSWER.replace("tests/test_new.py", "tests/conftest.py"),
        ANSWER.replace("tests/test_new.py", ""),
        ANSWER.replace("tests/test_new.py", "."),
        ANSWER.replace("tests/test_new.py", "tests/"),
        ANSWER.replace("tests/test_new.py", "/tests/test_new"),
        ANSWER.replace("tests/test_new.py", ".git/tests/test_new.py"),
        "```\n```",
        "```\n\n```\n- test_a | red | a sentence",
        ANSWER.partition("- test_a")[0],
        ANSWER.replace("```", "~~~"),
    ],
)
def test_answer_without_a_part_has_no_tests(said):
    assert parse_blind_tests(said) is None


def test_path_of_an_answer_is_normalized():
    tests = parse_blind_tests(ANSWER.replace("tests/test_new.py", "./tests/./test_new.py"))
    assert tests is not None
    assert tests.path == "tests/test_new.py"
