"""The `session` tool: input from the model and the screen that it sees."""

from __future__ import annotations

import pytest

from tests.tools.conftest import MakeBench
from tools.base import Toolbox


@pytest.mark.slow
def test_debugger_can_be_stepped_through(make_bench: MakeBench) -> None:
    bench = make_bench({"sum.py": "x = 1\ny = x + 1\n"})
    assert "-> x = 1" in bench("session", name="pdb", input="python3 -m pdb sum.py\n").text
    assert "-> y = x + 1" in bench("session", name="pdb", input="n\n").text
    observation = bench("session", name="pdb", input="exit\nexit\n")
    assert "the session has ended with exit code 0" in observation.text
    assert observation.data == {"code": 0}


@pytest.mark.slow
def test_file_written_in_session_is_in_tree(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    bench("session", name="s", input="echo 1 > new\n")
    assert "new" in bench.trees.files(bench.tree)


@pytest.mark.slow
def test_missing_enter_is_reported(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    assert "without Enter" in bench("session", name="s", input="echo 1", wait=1).text
    assert "1" in bench("session", name="s", input="\n").text.splitlines()


@pytest.mark.slow
def test_output_is_masked_and_shortened(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    observation = bench(
        "session", name="s", input="echo hunter2hunter2; seq 1500 | sed s/^/x\\&y/ | md5sum; seq 1500\n"
    )
    assert "hunter2" not in observation.text
    assert len(observation.text) < 9_000


def test_invalid_session_name_is_refused(make_bench: MakeBench) -> None:
    observation = make_bench({"a": ""})("session", name="a b")
    assert not observation.ok
    assert "is not a valid session name" in observation.text


def test_schema_is_short() -> None:
    import json

    assert len(json.dumps(Toolbox(["session"]).schemas())) < 600
