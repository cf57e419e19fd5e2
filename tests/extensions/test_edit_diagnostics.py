"""Diagnostics after edits, by a language server, in the strategy `search-api`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.agent.conftest import line
from tests.agent.strategies.conftest import SUBMIT, RunStrategy, edit_calc, equal, new_test
from tests.conftest import write_program
from tests.extensions.language_servers.test_workspace_servers import SERVER
from tests.installed_servers import use_server

pytestmark = pytest.mark.slow


def test_language_server_reports_new_errors(
    run_strategy: RunStrategy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scripted server finds an error in the first edit only; static checks find none."""
    programs = tmp_path / "programs"
    programs.mkdir()
    write_program(programs / "pyright-langserver", SERVER.format(body="        pass\n"))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    check_reported_error(run_strategy, "a * b  # bad", "calc.py:2: bad name")


def test_installed_pyright_reports_new_errors(run_strategy: RunStrategy, monkeypatch: pytest.MonkeyPatch) -> None:
    use_server(monkeypatch, "pyright-langserver")
    error = 'calc.py:2: Cannot access attribute "nosuch" for class'
    check_reported_error(run_strategy, "a * b if a else ''.nosuch", error)


def check_reported_error(run_strategy: RunStrategy, bad: str, error: str) -> None:
    """Run the strategy with a model that writes `bad` and corrects it only if it sees the error."""
    test = new_test("signs", equal("add(-2, 3)", 1), equal("add(2, 3)", 5))
    lines = (
        line("calc.py:add.", branch="main/search"),
        line("So.", test, edit_calc(bad), n=1),
        line("Ah.", edit_calc("a + b", bad), SUBMIT, contains=error),
        line("I do not know."),
    )
    run = run_strategy("search-api", *lines, max_steps=20)
    assert run.kind == "plausible"
    diagnostics = [step.observations[0].text for step in run.steps if step.author == "checker"]
    assert diagnostics[1:] == ["The diagnostics after your edit are fixed."]
    assert not run_strategy("react", *lines, max_steps=20).result.exit.verdict.complete
