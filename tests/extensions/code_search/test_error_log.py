"""The places that error logs of several tools name, and the lines around their errors."""

from __future__ import annotations

import pytest

from extensions.code_search.error_log import MOST_EXCERPT, read_error_log

LOGS = {
    "pytest": (
        "tests/test_a.py:5: in test_f\n    f(1)\nsrc/a.py:12: in f\n    raise ValueError(x)\nE   ValueError: too big\n",
        [("src/a.py", 12, "f"), ("tests/test_a.py", 5, "test_f")],
    ),
    "traceback": (
        'Traceback (most recent call last):\n  File "/app/src/main.py", line 3, in <module>\n    g()\n'
        '  File "/app/src/a.py", line 12, in g\n    h()\nKeyError: 3\n',
        [("/app/src/main.py", 3, "<module>"), ("/app/src/a.py", 12, "g")],
    ),
    "pytest summary": ("FAILED tests/test_a.py::TestA::test_f - boom\n", [("tests/test_a.py", 0, "TestA.test_f")]),
    "unittest": ("FAIL: test_f (tests.test_a.TestA.test_f)\n", [("", 0, "test_f")]),
    "node": (
        "Error: boom\n    at add (/w/lib/calc.js:4:9)\n    at Object.<anonymous> (/w/test/calc.test.js:9:3)\n",
        [("/w/lib/calc.js", 4, "add"), ("/w/test/calc.test.js", 9, "<anonymous>")],
    ),
    "tsc": ("src/app.ts(12,5): error TS2304: Cannot find name 'x'.\n", [("src/app.ts", 12, "")]),
    "go": ("--- FAIL: TestAdd (0.00s)\n    calc_test.go:9: got -1\n", [("", 0, "TestAdd"), ("calc_test.go", 9, "")]),
    "go build": ("./calc/calc.go:7:2: undefined: sum\n", [("./calc/calc.go", 7, "")]),
    "rustc": ("error[E0425]: cannot find value `x`\n --> src/lib.rs:4:5\n", [("src/lib.rs", 4, "")]),
    "cargo test": ("test tests::adds ... FAILED\n", [("", 0, "tests.adds")]),
    "javac": ("src/main/java/A.java:12: error: cannot find symbol\n", [("src/main/java/A.java", 12, "")]),
    "maven": ("[ERROR] /w/src/main/java/A.java:[12,5] cannot find symbol\n", [("/w/src/main/java/A.java", 12, "")]),
    "java": (
        "java.lang.IllegalStateException: no\n\tat a.b.Cart.total(Cart.java:31)\n",
        [("Cart.java", 31, "total")],
    ),
    "gcc": ("src/parse.c:88:12: error: expected ';'\n", [("src/parse.c", 88, "")]),
    "php": ("PHP Fatal error: Uncaught Error in /w/src/Cart.php:9\n", [("/w/src/Cart.php", 9, "")]),
    "php line": ("PHP Parse error: syntax error in src/Cart.php on line 9\n", [("src/Cart.php", 9, "")]),
    "ruby": ("lib/cart.rb:7:in `total': undefined method (NoMethodError)\n", [("lib/cart.rb", 7, "")]),
    "windows": ('  File "C:\\w\\src\\a.py", line 3, in f\nValueError: x\n', [("C:/w/src/a.py", 3, "f")]),
    "ci": ("2026-01-02T03:04:05.123Z ##[error]src/a.py:3: error: no\n", [("src/a.py", 3, "")]),
}


@pytest.mark.parametrize("name", LOGS)
def test_places_that_line_names(name: str) -> None:
    text, expected = LOGS[name]
    found = {(place.path, place.line, place.name) for place in read_error_log(text).places}
    assert found >= {*expected}, found
    assert {path for path, _, _ in found} <= {path for path, _, _ in expected}


def test_place_near_last_error_comes_first() -> None:
    noise = "".join(f"collected src/other.py:{number} in 3 s\n" for number in range(500))
    log = read_error_log(f"{noise}src/a.py:3: TypeError: no\n{noise}")
    assert (log.places[0].path, log.places[0].log_line, log.places[0].value) == ("src/a.py", 501, 1.0)
    assert log.title == "src/a.py:3: TypeError: no"
    assert len(log.excerpt.split("\n")) < 20


@pytest.mark.slow
def test_long_log_with_many_errors_is_cut_to_distinct_ones() -> None:
    repeated = "".join(f"src/a.py:{number}: error: no such name {number}\n" for number in range(20_000))
    log = read_error_log(f"first.py:1: error: the cause\n{repeated}last.py:2: error: something else\n")
    assert len(log.excerpt) <= MOST_EXCERPT
    assert "the cause" in log.excerpt
    assert "something else" in log.excerpt
    assert log.title == "last.py:2: error: something else"


def test_log_without_error_gives_its_last_lines() -> None:
    log = read_error_log("one\n" * 50 + "all done\n0 errors\n")
    assert "all done" in log.excerpt
    assert log.places == ()
