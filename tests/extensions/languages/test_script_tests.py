"""Tests in JavaScript and TypeScript: which runner they need, and files that do not compile."""

from __future__ import annotations

import pytest

from aci.runtime.workspace import CommandResult
from aci.testing.suite_results import build_report
from extensions.languages.script_tests import compiler_lines, own_command
from tests.aci.testing.test_browser_tests import FILES


@pytest.mark.parametrize(
    ("nodes", "command", "expected"),
    [
        (["e2e/a.spec.ts::a"], "npm test", "npx playwright test"),
        (["e2e/a.spec.ts::a"], "npm run e2e", ""),
        (["web/e2e/b.spec.ts"], "", "cd web && npx playwright test"),
        (["own.test.mjs"], "npm test", "node --test"),
        (["own.test.mjs"], "node --import tsx --test", ""),
        (["e2e/a.spec.ts", "unit.test.ts"], "npm test", ""),
        (["unit.test.ts"], "npm test", ""),
        (["tests/test_page.py::test_a"], "pytest", ""),
        ([], "npm test", ""),
    ],
)
def test_the_runner_of_a_test_file(nodes, command, expected):
    assert own_command(nodes, command, lambda path: FILES.get(path, "")) == expected


def test_runner_of_javascript_outside_the_repository_is_not_looked_for_endlessly():
    files = {"/etc/a.spec.js": "import '@playwright/test'"}
    assert own_command([*files], "npm test", lambda path: files.get(path, "")) == ""


def test_errors_of_the_typescript_compiler_are_those_of_its_files() -> None:
    output = (
        b"src/cart.ts(4,7): error TS2339: Property 'sum' does not exist on type 'Cart'.\n"
        b"\x1b[96msrc/cart.ts\x1b[0m:9:1 - error TS2304: Cannot find name 'mean'.\n"
        b"test/shop.test.ts:2:10 - error TS2305: Module has no exported member 'mean'.\nFound 3 errors.\n"
    )
    report = build_report("npm test", CommandResult(output, 2, 1.0, "/"), compiler_lines(output))
    assert [(result.path, result.line, result.outcome) for result in report.results] == [
        ("src/cart.ts", 4, "error"),
        ("test/shop.test.ts", 2, "error"),
    ]
    assert "TS2304" in report.results[0].message
    assert compiler_lines(b"error TS2304 in a text\n") == []
