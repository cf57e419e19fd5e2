"""The target function: found in files of all encodings, and run next to modules with the names of guest modules."""

from __future__ import annotations

import pickle

import pytest

from aci.runtime.target_function import Target
from extensions.optimize.measurement.equivalence import collect_answers
from extensions.optimize.measurement.input_calls import InputCall
from extensions.optimize.measurement.profiling import profile_lines
from extensions.optimize.measurement.timing import compare_timing
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import UsageError

F = Target("a.py", "f")


@pytest.mark.parametrize(
    "data",
    [
        b"def f(): pass\n",
        b"\xef\xbb\xbfdef f(): pass\n",
        b"# -*- coding: latin-1 -*-\ndef f(): return '\xe9'\n",
        b"x = 1\r\ndef f(): pass\r\n",
    ],
)
def test_source_encoding_is_detected_as_in_python(data: bytes) -> None:
    assert F.find(data).name == "f"


def test_last_definition_of_function_is_found() -> None:
    assert F.find("def f(): pass\ndef f(): return 2\n").lineno == 2


def test_too_deeply_nested_source_is_refused() -> None:
    for source in (b"x = " + b"-" * 200_000 + b"1\n", "x = " + "-" * 200_000 + "1\n"):
        with pytest.raises(UsageError, match="deep"):
            F.find(source)


def test_unknown_function_or_encoding_is_refused() -> None:
    with pytest.raises(UsageError, match="no function"):
        F.find(b"def g(): pass\n")
    for data in (b"# coding: no-such\n", b"x = '\xff'\n"):
        with pytest.raises(SyntaxError):
            F.find(data)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["", "lib/"])
@pytest.mark.parametrize(
    "name",
    ["subject_function", "performance", "call_timing", "line_profiler", "meters", "call_pickles", "call_answers"],
)
def test_repository_module_may_have_name_of_guest_module(
    name: str, where: str, make_repo: MakeRepo, open_ws: OpenWorkspace
) -> None:
    workspace = open_ws("local", make_repo({f"{where}{name}.py": "def f(x):\n    return [n for n in range(x)]\n"}))
    target, call = Target(f"{where}{name}.py", "f"), InputCall(pickle.dumps(((3,), {}), 4), "recorded")
    assert collect_answers(workspace, target, [call])[0].kind == "returned"
    assert {one.line for one in profile_lines(workspace, target, [call])} == {2}
    assert len(compare_timing(workspace, workspace, target, [call.data]).before) > 1
