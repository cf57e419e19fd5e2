"""Hints from failing tests: expected exceptions and asserted literals."""

from __future__ import annotations

import unittest

import pytest

from extensions.experiment.evaluator.spectrum import Spectrum, TracedTest
from extensions.experiment.source.source_file import Source
from extensions.repair.analysis.literal_hints import expected_exceptions, literal_hints
from extensions.repair.analysis.suspicious_statements import Suspect
from extensions.repair.candidate_order import order_candidates

TESTS = b"""\
import pytest, unittest

def test_refuses():
    with pytest.raises((errors.Empty, TypeError), match="empty"):
        write(b"")

class WriteTest(unittest.TestCase):
    def test_is_refused(self):
        self.assertRaises(ValueError, write, "")

def test_writes():
    assert write("a") == 1
"""
CODE = b"""\
def write(text):
    size = len(text)
    return size
"""


def failed_test(test: str, message: str, raised: bool = False) -> TracedTest:
    return TracedTest(f"test_a.py::{test}", "failed", 0.1, {}, (("a.py", 1),) if raised else (), message)


def expected(*failing: TracedTest) -> tuple[str, ...]:
    return expected_exceptions(lambda path: TESTS, failing)


def test_messages_of_runners_are_parsed() -> None:
    with pytest.raises(pytest.fail.Exception) as of_pytest, pytest.raises(KeyError):
        pass
    with pytest.raises(pytest.fail.Exception) as of_several, pytest.raises((KeyError, OSError)):
        pass
    with pytest.raises(AssertionError) as of_unittest, unittest.TestCase().assertRaises(KeyError):  # noqa: PT027 - its message is tested
        pass
    for error in (of_pytest, of_several, of_unittest):
        message = f"{type(error.value).__name__}: {error.value}"
        assert failed_test("test_writes", message).expected_exception == "KeyError", message
    assert failed_test("test_writes", "AssertionError: assert 1 == 2").expected_exception == ""


def test_expected_but_missing_exceptions_are_found() -> None:
    assert expected(failed_test("test_refuses", "AttributeError: no", raised=True)) == ("Empty", "TypeError")
    assert expected(failed_test("test_refuses", "TypeError: no", raised=True)) == ()
    assert expected(failed_test("test_refuses", "AssertionError: no")) == ()
    assert expected(failed_test("WriteTest::test_is_refused", "IndexError: no", raised=True)) == ("ValueError",)
    assert expected(failed_test("test_writes", "IndexError: no", raised=True)) == ()


def test_expected_exception_is_raised_early() -> None:
    def position(names: tuple[str, ...]) -> int:
        stream = order_candidates(
            [Source("a.py", CODE)], [Suspect("a.py", 2, 1.0)], Spectrum((), (), {}), expected_exceptions=names
        )
        return next(index for index, candidate in enumerate(stream) if "raise TypeError" in candidate.description)

    assert position(("TypeError",)) < 20 < position(())


def test_asserted_literals_come_first() -> None:
    test = b"def test_a():\n    first = 'b'\n    made(first).assert_called_with('a')\n"
    assert literal_hints(lambda path: test, ["test_a.py::test_a"]) == ["'a'", "'b'"]
