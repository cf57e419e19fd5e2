"""The tool `session`: what a model types and what it sees."""

from __future__ import annotations

import pytest

from tests.tools.conftest import MakeBench
from tools.base import Toolbox


@pytest.mark.slow
def test_debugger_is_stepped_through(make_bench: MakeBench) -> None:
    bench = make_bench({"sum.py": "x = 1\ny = x + 1\n"})
    assert "-> x = 1" in bench("session", name="pdb", input="python3 -m pdb sum.py\n").text
    assert "-> y = x + 1" in bench("session", name="pdb", input="n\n").text
    seen = bench("session", name="pdb", input="exit\nexit\n")
    assert "the session has ended with exit code 0" in seen.text
    assert seen.data == {"code": 0}


def test_what_it_writes_is_in_tree(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    bench("session", name="s", input="echo 1 > new\n")
    assert "new" in bench.trees.files(bench.tree)


@pytest.mark.slow
def test_enter_that_was_forgotten_is_told(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    assert "without Enter" in bench("session", name="s", input="echo 1", wait=1).text
    assert "1" in bench("session", name="s", input="\n").text.splitlines()


def test_what_appears_is_masked_and_short(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    seen = bench("session", name="s", input="echo hunter2hunter2; seq 1500 | sed s/^/x\\&y/ | md5sum; seq 1500\n")
    assert "hunter2" not in seen.text
    assert len(seen.text) < 9_000


def test_name_that_is_none(make_bench: MakeBench) -> None:
    seen = make_bench({"a": ""})("session", name="a b")
    assert not seen.ok
    assert "cannot name a session" in seen.text


def test_it_costs_little_in_every_prompt() -> None:
    import json

    assert len(json.dumps(Toolbox(["session"]).schemas())) < 600
