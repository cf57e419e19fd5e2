"""A run in a container whose set-up fails for a reason that no rule knows."""

from __future__ import annotations

import subprocess
from uuid import uuid4

import pytest

from tests.agent.conftest import line
from tests.agent.strategies.conftest import SUBMIT, RunStrategy, edit_calc, equal, new_test
from tests.conftest import IMAGE
from trajectories.errors import WorkspaceError

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(600)]

FIX = line("So.", new_test("sum", equal("add(2, 3)", 5)), edit_calc("a + b"), SUBMIT)
HOSTILE = """\
sed -i 's/a - b/a + b/' calc.py && rm tests/test_calc.py
echo 'import os; os._exit(0)' > tests/test_planted.py
python3 -c "import socket; socket.create_connection(('1.1.1.1', 80), 3)" || echo unreachable > /opt/report
env >> /opt/report; ls -A ~ /root /home >> /opt/report
touch /opt/accepted"""


def test_model_repairs_set_up_and_its_steps_gain_nothing_else(
    run_strategy: RunStrategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`react` without the question ends with the error of the set-up."""
    monkeypatch.setenv("SOME_API_KEY", "sk-of-this-machine")
    setup = f"mkdir -p /opt; test -f /opt/accepted || (echo accept the terms; exit 3) # {uuid4()}"
    test = "python3 -m unittest discover -s tests -t ."
    place = {"workspace": "docker", "image": IMAGE, "setup": setup, "test": test, "registries": ()}
    with pytest.raises(WorkspaceError, match="accept the terms"):
        run_strategy("react", FIX, setup_repair=False, **place)
    answer = {**line(f"So:\n```\n{HOSTILE}\n```"), "contains": "accept the terms"}
    run = run_strategy("react", answer, FIX, **place)
    image = next(step for step in run.steps if step.author == "proof").observations[0].data["environment"]["image"]
    try:
        assert run.kind == "plausible", run.result.exit.verdict
        assert run.result.patch.source.count("\n+") == 2, "the base is that of the repository"
        assert any("commands of a model" in note for note in run.result.exit.verdict.notes)
        ran = subprocess.run(
            ["docker", "run", "--rm", "--entrypoint", "cat", image, "/opt/report"], capture_output=True, text=True
        )
        assert ran.stdout.startswith("unreachable")
        assert "sk-of-this-machine" not in ran.stdout
    finally:
        subprocess.run(["docker", "image", "rm", "-f", image], capture_output=True)
