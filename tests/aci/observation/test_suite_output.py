"""Digests of test output: failures and their reasons remain, passing tests are counted."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aci.observation.suite_output import digest_text, is_test_run

SOURCE = "\n".join(f"        step_{n} = {n}" for n in range(12))
PYTEST = f"""\
============================= test session starts ==============================
platform linux -- Python 3.11.7, pytest-8.0.0, pluggy-1.4.0
rootdir: /repo
configfile: pyproject.toml
plugins: hypothesis-6.98, anyio-4.2
collected 40 items

tests/test_a.py ................                                         [ 40%]
tests/test_b.py .............                                            [ 72%]
tests/test_c.py ..........F                                              [100%]

=================================== FAILURES ===================================
_________________________________ test_total ___________________________________

    def test_total():
{SOURCE}
>       assert total([1, 2]) == 4
E       assert 3 == 4
E        +  where 3 = total([1, 2])

tests/test_c.py:21: AssertionError
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

    def raw_decode(self, s, idx=0):
{SOURCE}
>       obj, end = self.scan_once(s, idx)

/usr/lib/python3.11/site-packages/lib/decoder.py:353: ValueError
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

>       raise KeyError(name)
E       KeyError: 'x'

lib/own.py:5: KeyError
----------------------------- Captured stdout call -----------------------------
{chr(10).join(f"said {n} and more of it" for n in range(30))}
=============================== warnings summary ===============================
tests/test_a.py::test_x
tests/test_b.py::test_y
  /usr/lib/python3.11/site-packages/six.py:9: DeprecationWarning: old
    import imp

-- Docs: https://docs.pytest.org/en/stable/how-to/capture-warnings.html
=========================== short test summary info ============================
FAILED tests/test_c.py::test_total - KeyError: 'x'
================== 1 failed, 39 passed, 2 warnings in 0.52s ====================
"""
UNITTEST = "\n".join(
    [
        "Creating test database for alias 'default'...",
        "System check identified no issues (0 silenced).",
        *(f"test_{n} (app.tests.Case.test_{n}) ... ok" for n in range(20)),
        "test_bad (app.tests.Case.test_bad) ... FAIL",
        "======================================================================",
        "FAIL: test_bad (app.tests.Case.test_bad)",
        "----------------------------------------------------------------------",
        "Traceback (most recent call last):",
        '  File "/repo/app/tests.py", line 9, in test_bad',
        "    self.assertEqual(1, 2)",
        "AssertionError: 1 != 2",
        "----------------------------------------------------------------------",
        "Ran 21 tests in 0.003s",
        "",
        "FAILED (failures=1)",
        "Destroying test database for alias 'default'...",
    ]
)
GO = "\n".join(
    [
        *(line for n in range(9) for line in (f"=== RUN   TestA{n}", f"--- PASS: TestA{n} (0.00s)")),
        "=== RUN   TestBad",
        "    add_test.go:9: got 3, want 4",
        "--- FAIL: TestBad (0.00s)",
        "FAIL",
        "FAIL\texample.com/add\t0.002s",
    ]
)
CARGO = "\n".join(
    [
        "running 12 tests",
        *(f"test tests::ok_{n} ... ok" for n in range(11)),
        "test tests::bad ... FAILED",
        "---- tests::bad stdout ----",
        "thread 'tests::bad' panicked at src/lib.rs:9:5:",
        "assertion `left == right` failed",
        "  left: 3",
        " right: 4",
        "test result: FAILED. 11 passed; 1 failed; 0 ignored",
    ]
)
JEST = "\n".join(
    [
        "PASS src/a.test.js",
        "FAIL src/b.test.js",
        *(f"  ✓ adds {n} to a number (2 ms)" for n in range(12)),
        "  ✕ sums (5 ms)",
        "  ● sums",
        "    expect(received).toBe(expected) // Object.is equality",
        "    Expected: 4",
        "    Received: 3",
        "      at Object.<anonymous> (src/b.test.js:4:17)",
        "Tests:       1 failed, 12 passed, 13 total",
    ]
)
RUNS = {"pytest": PYTEST, "unittest": UNITTEST, "go": GO, "cargo": CARGO, "jest": JEST}
NEEDED = {
    "pytest": [
        "collected 40 items", "test_total", "assert total([1, 2]) == 4", "assert 3 == 4", "tests/test_c.py:21",
        "KeyError: 'x'",        "lib/own.py:5", "said 29", "FAILED tests/test_c.py::test_total", "1 failed, 39 passed",
    ],
    "unittest": ["FAIL: test_bad", "line 9", "AssertionError: 1 != 2", "Ran 21 tests", "FAILED (failures=1)"],
    "go": ["add_test.go:9: got 3, want 4", "--- FAIL: TestBad", "FAIL\texample.com/add"],
    "cargo": ["test tests::bad ... FAILED", "src/lib.rs:9:5", "left: 3", "right: 4", "11 passed; 1 failed"],
    "jest": ["✕ sums", "Expected: 4", "Received: 3", "src/b.test.js:4:17", "1 failed, 12 passed"],
}  # fmt: skip


@pytest.mark.parametrize("runner", RUNS)
def test_digest_keeps_failures_and_their_reasons(runner: str) -> None:
    shown = digest_text(RUNS[runner])
    assert is_test_run(RUNS[runner])
    assert [part for part in NEEDED[runner] if part not in shown] == []
    assert len(shown) < 0.75 * len(RUNS[runner])
    assert digest_text(shown) == shown


def test_pytest_warnings_and_library_frames_are_condensed() -> None:
    shown = digest_text(PYTEST)
    assert "DeprecationWarning" not in shown
    assert "lines of warnings" in shown
    assert "step_3" not in shown
    assert "raw_decode" not in shown
    assert "said 3 " not in shown


def test_long_assertion_keeps_both_ends() -> None:
    difference = "\n".join(f"E         line {n} of the difference" for n in range(60))
    shown = digest_text(PYTEST.replace("E       assert 3 == 4", difference))
    assert "line 0 of" in shown
    assert "line 59 of" in shown
    assert "line 30 of" not in shown


@pytest.mark.parametrize("text", ["3 passed the exam", "Running the server", "ok", "def test_x(): pass"])
def test_ordinary_text_is_not_test_run(text: str) -> None:
    assert not is_test_run(text)


@given(st.lists(st.sampled_from([line for text in RUNS.values() for line in text.split("\n")]), max_size=80))
@example(["=== warnings summary ===", "=== test session starts ===", "___ test_total ___"])
def test_digest_is_idempotent_and_never_longer(lines: list[str]) -> None:
    text = "\n".join(lines)
    shown = digest_text(text)
    assert digest_text(shown) == shown
    assert len(shown) <= len(text)
