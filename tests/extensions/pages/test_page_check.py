"""What a proof records of the server that its tests need."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.engine.branch import Branch
from agent.engine.page_proof import PageCheck
from agent.engine.proof_step import proof_step
from tests.agent.conftest import Bench, line
from trajectories.verdict import Verdict

PAGE_TEST = b"from playwright.sync_api import sync_playwright\n"


def use_workspace(branch: Branch, kind: str) -> None:
    """Set the setting `workspace` of a turn whose workspace is open."""
    settings = branch.turn.settings.model_copy(update={"workspace": kind})
    branch.turn = replace(branch.turn, settings=settings)


@pytest.mark.parametrize("workspace", ["local", "sandbox"])
def test_proof_of_a_repository_without_tests_records_no_server(bench: Bench, workspace: str) -> None:
    bench.begin(line("x"), test="")
    engine = bench.engine()
    try:
        tree = engine.trees.write({"calc.py": b"def add(a, b):\n    return a + b\n"}, engine.run.base.tree)
        branch = Branch(engine)
        use_workspace(branch, workspace)
        data = proof_step(branch, tree, (), ()).data
    finally:
        engine.close()
    assert data["verdict"]["commands"] == ("git apply patch.diff",)
    assert "server" not in data["environment"]


@pytest.mark.parametrize("workspace", ["local", "sandbox"])
def test_server_is_recorded_if_the_proof_used_it(bench: Bench, workspace: str) -> None:
    bench.begin(line("x"))
    engine = bench.engine()
    try:
        tree = engine.trees.write({"index.html": b"", "test_page.py": PAGE_TEST}, engine.run.base.tree)
        branch = Branch(engine)
        use_workspace(branch, workspace)
        verdict = Verdict(tests=("test_page.py::test_a",), commands=("git apply patch.diff", "pytest"))
        found = PageCheck(branch, engine.run.base.tree, tree, "").environment(verdict)
    finally:
        engine.close()
    assert ("server" in found) == (workspace == "sandbox")
