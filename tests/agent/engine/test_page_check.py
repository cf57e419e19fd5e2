"""What a proof records of the server that its tests need."""

from __future__ import annotations

from agent.engine.branch import Branch
from agent.engine.proof_step import proof_step
from tests.agent.conftest import Bench, line


def test_proof_of_a_repository_without_tests_records_no_server(bench: Bench) -> None:
    bench.begin(line("x"), test="")
    engine = bench.engine()
    try:
        tree = engine.trees.write({"calc.py": b"def add(a, b):\n    return a + b\n"}, engine.run.base.tree)
        data = proof_step(Branch(engine), tree, (), ()).data
    finally:
        engine.close()
    assert data["verdict"]["commands"] == ("git apply patch.diff",)
    assert "server" not in data["environment"]
