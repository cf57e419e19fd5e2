"""Opcode events: they are deterministic, but exclude work in C, so that some counts are not comparable."""

import json
import os
import subprocess

import pytest

from aci.host.project_python import pyenv_prefixes
from aci.runtime.guest_programs import install_programs
from extensions.optimize.measurement.count_job import LocalHost
from extensions.optimize.measurement.instruction_count import count_calls, incomparable_reason
from tests.extensions.optimize.counters.conftest import call, target


def count(fork, name, *args):
    return count_calls(fork, target(name), [call(*each) for each in args], backend="opcodes")


@pytest.mark.slow
def test_event_counts_are_deterministic_and_grow_with_work(fork):
    counts = count(fork, "fib", (10,), (11,), (10,))
    assert counts.backend == "opcodes"
    first, second, third = counts.calls
    assert first == third
    assert second.warm / first.warm == pytest.approx(1.618, rel=0.01)
    assert count(fork, "fib", (10,), (11,), (10,)) == counts
    assert counts.conditions["child processes"] == "not counted"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["local"])
def test_work_moved_into_c_is_not_comparable(fork, kind):
    items = list(range(200, 0, -1))
    by_hand, sort = count(fork, "by_hand", (items,)), count(fork, "in_order", (items,))
    assert sort.calls[0].warm < 20 < by_hand.calls[0].warm
    assert incomparable_reason(by_hand, sort).startswith("not comparable: opcode events do not include work in C")
    assert "sorted:1" in incomparable_reason(by_hand, sort)
    assert incomparable_reason(by_hand, by_hand) == ""


def installed_pythons():
    """Return the Pythons that pyenv has installed, oldest first."""
    paths = [prefix / "bin/python3" for prefix in pyenv_prefixes(os.environ, "3.*[0-9]")]
    return sorted(paths, key=lambda each: [int(part) for part in each.parts[-3].split(".")])


@pytest.mark.parametrize("python", installed_pythons(), ids=lambda each: each.parts[-3])
def test_opcodes_are_counted_in_each_installed_python(tmp_path, python):
    if python.parts[-3].startswith("3.6"):
        pytest.skip("The target's Python is 3.7 or later")
    programs = install_programs(
        LocalHost(str(tmp_path)).write, str(tmp_path), "optimize.count_runner", "optimize.metered_calls"
    )
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "work.py").write_text("def half(n):\n    return n if n < 1 else half(n // 2)\n")
    (tmp_path / "call").write_bytes(call(1_000_000).data)
    job = {"root": str(tmp_path / "repo"), "path": "work.py", "name": "half", "calls": [str(tmp_path / "call")]}
    job |= {"seconds": 30, "meter": "opcodes", "tool": [], "environment": {"PYTHONHASHSEED": "0"}}
    job |= {"out": str(tmp_path / "out"), "answer": str(tmp_path / "answer")}
    (tmp_path / "job").write_text(json.dumps(job))
    subprocess.run([python, "-B", programs, "optimize.count_runner", tmp_path / "job"], check=True)
    answer = json.loads((tmp_path / "answer").read_text())
    assert 20 * 5 < answer["values"]["0000 warm"] - answer["values"]["empty"] < 21 * 20, answer
    assert answer["in_c"]["0000 warm"] == ""
