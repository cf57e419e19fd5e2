"""An own run with a replaced object in its store: the recorded patch is not shown with other content."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.lifecycle.run_lifecycle import result
from agent.run_state.run_ownership import run_owner
from agent.runs.run_lookup import open_run
from tests.agent.conftest import Bench, act, line
from tests.trajectories.git_store.test_replaced_objects import EVIL, replace_object
from trajectories.errors import RunBroken

EDIT = act("edit", path="calc.py", old="a - b", new="a + b")
REPLACED = "is damaged: its content does not match its id"


@pytest.fixture
def damaged_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ended run whose patched file has other content now."""

    def strategy(task):
        reply = task.ask()
        yield task.step(reply, task.act(reply.actions))
        return task.best()

    bench.begin(line("", EDIT, n=1))
    steps, _ = bench.drive(strategy)
    engine = bench.engine()
    assert "+    return a + b" in result(engine).patch.diff
    id = engine.trees.entry(steps[0].tree, "calc.py")
    engine.close()
    monkeypatch.setenv("SWE_AGENT_STATE", str(bench.settings.state))
    assert id
    replace_object(bench.directory / "trees.git", id[1], EVIL)
    assert run_owner(bench.directory, bench.settings.state) == "user"
    return bench.directory


def test_replaced_object_is_no_result_of_run(damaged_run: Path, bench: Bench) -> None:
    engine = bench.engine()
    try:
        with pytest.raises(RunBroken, match=REPLACED):
            result(engine)
    finally:
        engine.close()
    with pytest.raises(RunBroken, match=REPLACED):
        open_run(str(damaged_run), bench.settings).patch()
