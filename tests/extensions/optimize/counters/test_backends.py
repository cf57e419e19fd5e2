"""Each backend by name, and modules whose names are those of the guest programs."""

from __future__ import annotations

import pytest

from aci.runtime.target_function import Target
from extensions.optimize.counters import valgrind
from extensions.optimize.measurement import instruction_count
from extensions.optimize.measurement.count_job import LocalHost, choose_backend
from extensions.optimize.measurement.instruction_count import count_calls, fork_for_counting
from tests.extensions.optimize.counters.conftest import call, target
from trajectories.errors import UsageError

pytestmark = pytest.mark.slow

OPCODES = {"backend": "opcodes"}


@pytest.fixture
def kind():
    return "local"


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
            continue
        counts = count_calls(fork, target("fib"), [call(3)], backend=name)
        assert (counts.backend, counts.calls[0].warm > 0) == (name, True)


NAMES = ("subject_function", "meters", "performance", "metered_calls", "count_runner")


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
