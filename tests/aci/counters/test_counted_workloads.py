"""Counting of whole commands, with special exit states, shells and module names; and each backend by name."""

from __future__ import annotations

import pytest

from aci.counters import Tool, hardware, valgrind
from aci.performance import instruction_count
from aci.performance.count_job import LocalHost, choose_backend
from aci.performance.instruction_count import count_calls, count_workload, fork_for_counting
from aci.performance.target_function import Target
from aci.runtime import guest_programs
from tests.aci.counters.conftest import call, target
from trajectories.errors import UsageError

pytestmark = pytest.mark.slow

OPCODES = {"backend": "opcodes"}


@pytest.fixture
def kind():
    return "local"


def test_workload_reports_exit_status(fork):
    early = "python3 -c 'import sys; sys.exit(3)'"
    assert count_workload(fork, None, early, **OPCODES).code == 3
    assert count_workload(fork, None, "python3 program.py; exit 7", **OPCODES).code == 7
    assert count_workload(fork, None, "python3 -c pass; kill -TERM $$", **OPCODES).code == 128 + 15
    assert count_workload(fork, target("fib"), "python3 program.py", **OPCODES).code == 0


def test_workload_with_other_status_while_calls_are_counted_is_refused(fork):
    command = "python3 program.py; ! grep -q _swe_agent_ shop/work.py"
    with pytest.raises(UsageError, match="exits with 0, but with 1 while calls"):
        count_workload(fork, target("fib"), command, **OPCODES)
    assert b"_swe_agent_" not in fork.read("shop/work.py")


def test_workload_runs_in_shell_of_workspace(fork):
    command = "[[ -f program.py && ab == a* ]] && python3 program.py"
    assert fork.run(command).code == 0
    counts = count_workload(fork, target("fib"), command, **OPCODES)
    assert counts.whole > counts.inside > 0 == counts.code


def test_counted_function_sees_no_module_of_agent(fork):
    fork.write(
        "shop/work.py",
        b"import importlib.util, sys\n"
        b"assert not [name for name in sys.modules if name.startswith('_swe_agent')]\n"
        b"assert importlib.util.find_spec('_swe_agent_guest') is None\n"
        b"def look(n):\n    return n\n",
    )
    assert count_calls(fork, target("look"), [call(3)], **OPCODES).calls


def test_backend_named_by_caller_counts_or_is_refused(fork):
    for name in ("hardware", "valgrind", "opcodes"):
        try:
            choose_backend(LocalHost(instruction_count._job(fork, "opcodes").desk.folder), name)
        except UsageError:
            with pytest.raises(UsageError, match=f"Backend {name} is not usable here"):
                count_calls(fork, target("fib"), [call(3)], backend=name)
            with pytest.raises(UsageError, match=f"Backend {name} is not usable here"):
                count_workload(fork, None, "python3 -S -c pass", backend=name)
            continue
        counts = count_calls(fork, target("fib"), [call(3)], backend=name)
        workload = count_workload(fork, None, "python3 -c 'x = 1'", backend=name)
        assert (counts.backend, counts.calls[0].warm > 0, workload.whole > 0) == (name, True, True)


STUB = """
import sys
perf_open = lambda pid, flags: 0
perf_read = lambda number: 5000 + getattr(sys, "spun", 0)
"""
SPUN = """\
import sys


def spin(n):
    sys.spun = getattr(sys, "spun", 0) + n
    return n if n < 2 else spin(n - 1)
"""


def test_hardware_backend_counts_calls_in_command(make_repo, open_ws, monkeypatch):
    """A stub replaces the reader, as few machines give access to the counter; it counts what the function reports."""
    original = guest_programs.program_source

    def with_stub(path):
        return original(path) + (STUB.encode() if path == "performance/counter_meters.py" else b"")

    monkeypatch.setattr(guest_programs, "program_source", with_stub)
    monkeypatch.setattr(guest_programs, "program_files", guest_programs.program_files.__wrapped__)
    monkeypatch.setattr(hardware, "ready", lambda desk: Tool())
    workspace = open_ws("local", make_repo({"spun.py": SPUN}))
    with fork_for_counting(workspace, workspace.options.base.tree) as fork:
        command = "python3 -c 'import spun; spun.spin(3); spun.spin(10); 1 / 0'"
        counts = count_workload(fork, Target("spun.py", "spin"), command, backend="hardware")
    assert counts == (5000, (3 + 2 + 1) + sum(range(11)), 1)


NAMES = ("subject_function", "meters", "performance", "metered_calls", "count_runner", "metered_regions")


@pytest.mark.parametrize("backend", ["opcodes", "valgrind"])
def test_modules_of_repository_may_have_names_of_guest_modules(make_repo, open_ws, backend, request):
    if backend == "valgrind":
        request.getfixturevalue("valgrind")
    files = {f"{name}.py": f"def which():\n    return {name!r}\n" for name in NAMES}
    imports = "".join(f"import {name}\nassert {name}.which() == {name!r}\n" for name in NAMES)
    files["subject_function.py"] += "\n\ndef work(n):\n    for i in range(n):\n        which()\n"
    files["other.py"] = f"{imports}\n\ndef work(n):\n    return sum(range(n))\n"
    workspace = open_ws("local", make_repo(files))
    with fork_for_counting(workspace, workspace.options.base.tree) as fork:
        for path in ("subject_function.py", "other.py"):
            counts = count_calls(fork, Target(path, "work"), [call(1), call(50)], backend=backend)
            assert counts.calls[0].warm < counts.calls[1].warm or (path, backend) == ("other.py", "opcodes")


def test_valgrind_is_not_copied_if_installed(tmp_path, monkeypatch):
    outputs = {"command -v": (0, "/usr/bin/valgrind\nvalgrind-3.19.0\n"), "env": (0, ""), "uname": (0, "x86_64\n")}

    class Desk:
        folder, written = str(tmp_path), []

        def run(self, line, timeout):
            return next(answer for start, answer in outputs.items() if line.startswith(start))

        def write(self, path, data):
            self.written.append(path)

    assert valgrind.ready(Desk()).words[0] == "/usr/bin/valgrind"
    assert Desk.written == []
