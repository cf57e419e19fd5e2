"""Commands that end otherwise, need a certain shell, or run modules named like ours; and each way to count, by name."""

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


def test_workload_says_how_it_ended(room):
    early = "python3 -c 'import sys; sys.exit(3)'"
    assert count_workload(room, None, early, **OPCODES).code == 3
    assert count_workload(room, None, "python3 program.py; exit 7", **OPCODES).code == 7
    assert count_workload(room, None, "python3 -c pass; kill -TERM $$", **OPCODES).code == 128 + 15
    assert count_workload(room, target("fib"), "python3 program.py", **OPCODES).code == 0


def test_workload_that_ends_otherwise_when_it_is_marked_is_not_counted(room):
    command = "python3 program.py; ! grep -q _swe_agent_ shop/work.py"
    with pytest.raises(UsageError, match="ends with status 0, and with 1 while calls"):
        count_workload(room, target("fib"), command, **OPCODES)
    assert b"_swe_agent_" not in room.read("shop/work.py")


def test_workload_is_written_for_shell_that_it_was_recorded_in(room):
    command = "[[ -f program.py && ab == a* ]] && python3 program.py"
    assert room.run(command).code == 0
    found = count_workload(room, target("fib"), command, **OPCODES)
    assert found.whole > found.inside > 0 == found.code


def test_function_whose_calls_are_counted_sees_no_module_of_ours(room):
    room.write(
        "shop/work.py",
        b"import importlib.util, sys\n"
        b"assert not [name for name in sys.modules if name.startswith('_swe_agent')]\n"
        b"assert importlib.util.find_spec('_swe_agent_guest') is None\n"
        b"def look(n):\n    return n\n",
    )
    assert count_calls(room, target("look"), [call(3)], **OPCODES).calls


def test_each_way_is_had_by_its_name_or_refused(room):
    for name in ("hardware", "valgrind", "opcodes"):
        try:
            choose_backend(LocalHost(instruction_count._job(room, "opcodes").desk.folder), name)
        except UsageError:
            with pytest.raises(UsageError, match=f"{name} cannot count here"):
                count_calls(room, target("fib"), [call(3)], backend=name)
            with pytest.raises(UsageError, match=f"{name} cannot count here"):
                count_workload(room, None, "python3 -S -c pass", backend=name)
            continue
        calls = count_calls(room, target("fib"), [call(3)], backend=name)
        workload = count_workload(room, None, "python3 -c 'x = 1'", backend=name)
        assert (calls.backend, calls.calls[0].warm > 0, workload.whole > 0) == (name, True, True)


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


def test_calls_in_command_are_counted_by_processors_counter(make_repo, open_ws, monkeypatch):
    """With a reader in its place that counts what the function says, as few machines show theirs."""
    source = guest_programs.program_source

    def with_stub(path):
        return source(path) + (STUB.encode() if path == "performance/counter_meters.py" else b"")

    monkeypatch.setattr(guest_programs, "program_source", with_stub)
    monkeypatch.setattr(guest_programs, "program_files", guest_programs.program_files.__wrapped__)
    monkeypatch.setattr(hardware, "ready", lambda desk: Tool())
    workspace = open_ws("local", make_repo({"spun.py": SPUN}))
    with fork_for_counting(workspace, workspace.options.base.tree) as room:
        command = "python3 -c 'import spun; spun.spin(3); spun.spin(10); 1 / 0'"
        found = count_workload(room, Target("spun.py", "spin"), command, backend="hardware")
    assert found == (5000, (3 + 2 + 1) + sum(range(11)), 1)


NAMES = ("subject_function", "meters", "performance", "metered_calls", "count_runner", "metered_regions")


@pytest.mark.parametrize("backend", ["opcodes", "valgrind"])
def test_modules_of_repository_may_be_named_like_ours(make_repo, open_ws, backend, request):
    if backend == "valgrind":
        request.getfixturevalue("valgrind")
    files = {f"{name}.py": f"def which():\n    return {name!r}\n" for name in NAMES}
    calling = "".join(f"import {name}\nassert {name}.which() == {name!r}\n" for name in NAMES)
    files["subject_function.py"] += "\n\ndef work(n):\n    for i in range(n):\n        which()\n"
    files["other.py"] = f"{calling}\n\ndef work(n):\n    return sum(range(n))\n"
    workspace = open_ws("local", make_repo(files))
    with fork_for_counting(workspace, workspace.options.base.tree) as room:
        for path in ("subject_function.py", "other.py"):
            found = count_calls(room, Target(path, "work"), [call(1), call(50)], backend=backend)
            assert found.calls[0].warm < found.calls[1].warm or (path, backend) == ("other.py", "opcodes")


def test_valgrind_is_put_there_only_where_there_is_none(tmp_path, monkeypatch):
    said = {"command -v": (0, "/usr/bin/valgrind\nvalgrind-3.19.0\n"), "env": (0, ""), "uname": (0, "x86_64\n")}

    class Desk:
        folder, written = str(tmp_path), []

        def run(self, line, timeout):
            return next(answer for start, answer in said.items() if line.startswith(start))

        def write(self, path, data):
            self.written.append(path)

    assert valgrind.ready(Desk()).words[0] == "/usr/bin/valgrind"
    assert Desk.written == []
