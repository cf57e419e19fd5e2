"""Corrected versions of existing tests: same calls and rows, other expectations."""

from __future__ import annotations

import pytest

from aci.proof.blind_tests import BlindOutcome, BlindResult, BlindTest, BlindTests
from aci.proof.corrected_tests import ExistingTest, find_contradictions

ROWS = """@pytest.mark.parametrize(("text", "seconds"), [("3h", 180), ("5m", 300)])
def test_parse(text, seconds):
    assert parse(text) == seconds"""
METHOD = """    def test_parse(self):
        value = parse("3h", strict=True)
        self.assertEqual(value, 180)"""
RESULT = BlindResult(BlindTest("test_parse", "red", "3h is 10800 seconds"), "fails", "passes")


def contradictions(old: str, new: str, result: BlindResult = RESULT) -> dict[str, str]:
    existing = ExistingTest("test_parse", "tests/test_time.py", old, ("tests/test_time.py::test_parse",))
    return find_contradictions([existing], BlindTests("tests/test_new.py", new, (result.test,)), [result])


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        (ROWS, ROWS.replace("180", "10800"), "('3h', 180)", "('3h', 10800)"),
        (ROWS, "import pytest\n" + ROWS.replace("180)", "10800), ('1d', 86400)"), "('3h', 180)", "('3h', 10800)"),
        (
            METHOD,
            f"class TestTime(TestCase):\n{METHOD}".replace("180", "10800"),
            "self.assertEqual(value, 180)",
            "self.assertEqual(value, 10800)",
        ),
        (
            'def test_parse():\n    assert parse("3h") == 180',
            'def test_parse():\n    with pytest.raises(ValueError):\n        parse("3h")',
            "assert parse('3h') == 180",
            "parse('3h')",
        ),
    ],
    ids=["row", "more-rows", "method", "raises"],
)
def test_other_expectation_for_the_same_calls(old: str, new: str, before: str, after: str) -> None:
    [words] = contradictions(old, new).values()
    assert words == f"it asserts `{before}`; by the issue, `{after}` (“3h is 10800 seconds”)"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ROWS, ROWS.replace('("3h", 180)', '("4h", 14400)')),
        (ROWS, ROWS.replace('("3h", 180), ', "")),
        (ROWS, ROWS.replace("parse(text)", "int(text)")),
        (METHOD, METHOD.replace("strict=True", "strict=False").replace("    def", "def").replace("        ", "    ")),
        (METHOD, "def test_other(): pass"),
        (ROWS, f"{ROWS}\n{ROWS}"),
        (ROWS, "def test_parse(:"),
    ],
)
def test_other_calls_contradict_nothing(old: str, new: str) -> None:
    assert contradictions(old, new) == {}


@pytest.mark.parametrize(("base", "patched"), [("passes", "passes"), ("fails", "fails"), ("fails", "unclear")])
def test_corrected_test_must_fail_without_the_patch_and_pass_with_it(base: BlindOutcome, patched: BlindOutcome) -> None:
    result = BlindResult(RESULT.test, base, patched)
    assert contradictions(ROWS, ROWS.replace("180", "10800"), result) == {}
