"""Parsers for the output of JavaScript test runners."""

from __future__ import annotations

import pytest

from extensions.lab.evaluation.grading_files import START, STOP
from extensions.lab.evaluation.javascript_logs import javascript_reader
from extensions.lab.evaluation.swebench_specs import log_reader

JASMINE = (
    "Started\n..F\nFailures:\n1) Marked Specs should pass example 12\n  Message:\n    2) no\n\n3 specs, 1 failure\n"
)
KARMA = (
    "\x1b[31mChrome Headless 126.0.0.0 (Linux x86_64) Chart.bar should draw FAILED\x1b[39m\n"
    "Chrome 99.0.1 (Linux 0.0.0) Chart.line should clip FAILED\nFirefox 90.0 (Linux) Chart.line FAILED\n"
)
MOCHA = (
    "  1 passing\n  2 failing\n\n  1) p5.Image\n       resize\n         keeps the ratio:\n     AssertionError: no\n"
    "  2) a:\nbody {\n  3) in an object:\n}\n<div>\n  4) in an element:\n</div>\n5) not\nindented: no\n"
)
JEST_FILES = "PASS packages/a.test.js (12.3s)\nFAIL packages/b.test.js\nPASS packages/c.test.js\n  PASS no\n"
CALYPSO = (
    "PASS client/a.js\n  cart\n    ✓ empties\n    total\n      ✓ sums (12ms)\n      ✕ rounds\n\n  ● cart total\n"
    "    detail\n      ✓ no\nFAIL client/b.js\n  menu\n    ✓ opens\nTest Suites: 2\n  other\n    ✓ no\n"
)


@pytest.mark.parametrize(
    ("name", "output", "results"),
    [
        ("marked", JASMINE, {"Marked Specs should pass example 12": False}),
        ("chart_js", KARMA, {"Chart.bar should draw ": False, "Chart.line should clip ": False}),
        ("p5js", MOCHA, {"p5.Image:resize:keeps the ratio": False, "a": False}),
        ("react_pdf", JEST_FILES, {f"packages/{file}.test.js": file != "b" for file in "abc"}),
        (
            "calypso",
            CALYPSO,
            {
                "cart - total - sums": True,
                "cart - total - rounds": False,
                "cart - empties": True,
                "menu - opens": True,
            },
        ),
        ("jest", "  ✓ sums (3 ms)\n  ✕ rounds\n  ○ later\n", {"sums": True, "rounds": False, "later": False}),
        ("jest_json", "[PASSED] cart > sums\n[FAILED] cart > rounds\n", {"cart > sums": True, "cart > rounds": False}),
        ("vitest", " ✓ a > sums 3ms\n \u00d7 a > rounds\n", {"a > sums": True, "a > rounds": False}),
        ("tap", "ok 1 sums\nnot ok 2 rounds\n# pass 1\n", {"sums": True, "rounds": False}),
    ],
)
def test_output_of_runner_is_parsed_between_markers(name: str, output: str, results: dict[str, bool]) -> None:
    read = javascript_reader(f"parse_log_{name}")
    assert read is not None
    assert read(f"{output.replace('sums', 'before')}{START}\n{output}{STOP}\n1) after\nok 3 after\n") == results


def test_row_may_name_parser_without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    read = log_reader("parse_log_tap", "axios/axios", "1")
    assert read is not None
    assert read(f"{START}\nok 1 sums\n{STOP}") == {"sums": True}
    assert log_reader("parse_log_pytest", "own/thing", "1") is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["✓ " + " " * 300_000 + "x", "{\n" * 100_000, "<a>" * 100_000, "\n" * 300_000],
    ids=["blank", "objects", "elements", "lines"],
)
def test_crafted_output_does_not_stall_parsers(text: str) -> None:
    for name in ("p5js", "calypso", "jest", "chart_js"):
        read = javascript_reader(f"parse_log_{name}")
        assert read is not None
        assert read(f"{START}\n{text}\n{STOP}") == {}
