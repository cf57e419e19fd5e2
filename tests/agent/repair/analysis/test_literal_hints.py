"""What failing tests give away: exceptions that they wait for in vain."""

from __future__ import annotations

import unittest

import pytest

from aci.repair.spectrum import Spectrum, TracedTest
from agent.repair.analysis.literal_hints import expected_exceptions, literal_hints
from agent.repair.analysis.source_file import Source
from agent.repair.analysis.suspicious_statements import Suspect
from agent.repair.candidate_order import order_candidates

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


def observed(test: str, said: str, raised: bool = False) -> TracedTest:
    return TracedTest(f"test_a.py::{test}", "failed", 0.1, {}, (("a.py", 1),) if raised else (), said)


def waited_for(*failing: TracedTest) -> tuple[str, ...]:
    return expected_exceptions(lambda path: TESTS, failing)


def test_what_runners_say_is_understood() -> None:
    with pytest.raises(pytest.fail.Exception) as of_pytest, pytest.raises(KeyError):
        pass
    with pytest.raises(pytest.fail.Exception) as of_several, pytest.raises((KeyError, OSError)):
        pass
    with pytest.raises(AssertionError) as of_unittest, unittest.TestCase().assertRaises(KeyError):  # noqa: PT027 - its words are what is tested
        pass
    for error in (of_pytest, of_several, of_unittest):
        said = f"{type(error.value).__name__}: {error.value}"
        assert observed("test_writes", said).awaited == "KeyError", said
    assert observed("test_writes", "AssertionError: assert 1 == 2").awaited == ""


def test_exception_other_than_one_asked_for_is_one_in_vain() -> None:
    assert waited_for(observed("test_refuses", "AttributeError: no", raised=True)) == ("Empty", "TypeError")
    assert waited_for(observed("test_refuses", "TypeError: no", raised=True)) == ()
    assert waited_for(observed("test_refuses", "AssertionError: no")) == ()
    assert waited_for(observed("WriteTest::test_is_refused", "IndexError: no", raised=True)) == ("ValueError",)
    assert waited_for(observed("test_writes", "IndexError: no", raised=True)) == ()


def test_what_is_waited_for_in_vain_is_raised_early() -> None:
    def place(names: tuple[str, ...]) -> int:
        stream = order_candidates(
            [Source("a.py", CODE)], [Suspect("a.py", 2, 1.0)], Spectrum((), (), {}), awaited=names
        )
        return next(at for at, one in enumerate(stream) if "raise TypeError" in one.description)

    assert place(("TypeError",)) < 20 < place(())


def test_what_is_asserted_comes_first_whatever_assertion_is_called_on() -> None:
    test = b"def test_a():\n    first = 'b'\n    made(first).assert_called_with('a')\n"
    assert literal_hints(lambda path: test, ["test_a.py::test_a"]) == ["'a'", "'b'"]
