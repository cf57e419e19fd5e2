"""Effects of the base on a search: missing tests, endless imports, and data that imports change."""

from __future__ import annotations

import shlex
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from extensions.experiment.evaluator.candidate_evaluator import Candidate, Evaluator, TimeLimits
from extensions.experiment.evaluator.evaluator_process import CandidateServer, ProcessEnded
from extensions.experiment.source.source_file import Source
from trajectories.errors import UsageError

PYTEST = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
TEST = "test_a.py::test_f"
PLAIN = {
    "lib.py": "def f(x):\n    return x + 1\n",
    "test_a.py": "import lib\n\ndef test_f():\n    assert lib.f(5) == 5\n",
}


@pytest.fixture
def get_verdicts(make_repo: Callable[..., Path], open_ws: Callable[..., Any]) -> Callable[..., list[str]]:
    """`get_verdicts(files, (path, old, new), …)` returns the verdicts on these edits, in their order."""

    def evaluate_edits(
        files: dict[str, str], *edits: tuple[str, str, str], tests: Sequence[str] = (TEST,), **more: Any
    ):
        candidates = [candidate(files, *edit) for edit in edits]
        names = [*tests, *more.get("passing", ())]
        workspace = open_ws("local", make_repo(files))
        limits, end = TimeLimits(dict.fromkeys(names, more.get("limit", 0.5))), time.monotonic() + 100
        with Evaluator(workspace, PYTEST, names, Event(), workspace.options.base.tree) as evaluator:
            answers = evaluator.evaluate(
                iter(candidates), list(tests), list(more.get("passing", ())), limits, lambda: time.monotonic() > end
            )
            verdict_of = {one.candidate: one.verdict for one in answers}
            assert time.monotonic() < end, "the search did not end before its deadline"
        return [verdict_of.get(one, "") for one in candidates]

    return evaluate_edits


def candidate(files: dict[str, str], path: str, old: str, new: str) -> Candidate:
    source = files[path]
    assert source.count(old) == 1
    start = source.index(old)
    enclosing = next((one for one, _ in Source(path, source.encode()).functions if one.start <= start < one.end), None)
    return Candidate(path, ((start, start + len(old), new),), new, source.count("\n", 0, start) + 1, enclosing)


@pytest.mark.slow
def test_missing_test_is_never_fixed(get_verdicts: Callable[..., list[str]]) -> None:
    edits = [("lib.py", "x + 1", new) for new in ("x + 2", "x * 9")]
    assert get_verdicts(PLAIN, *edits, tests=["test_a.py::test_nope"]) == ["fail", "fail"]


@pytest.mark.slow
def test_files_moved_by_candidate_are_restored(get_verdicts: Callable[..., list[str]]) -> None:
    away = "__import__('os').rename('test_a.py', 'gone.py') or __import__('os').kill(__import__('os').getppid(), 9)"
    edits = [("lib.py", "x + 1", new) for new in (away, "x + 2", "x")]
    assert get_verdicts(PLAIN, *edits) == ["crash", "fail", "plausible"]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["n -= 0", "n -= 0; import os; os._exit(3)"])
def test_module_with_endless_import_does_not_stop_search(get_verdicts: Callable[..., list[str]], end: str) -> None:
    files = {
        "table.py": f"def size(n):\n    while n > 0:\n        {end}\n    return n\n\nSIZE = size(3)\n",
        "test_a.py": "def test_f():\n    import table\n    assert table.SIZE == 0\n",
    }
    verdicts = get_verdicts(files, ("table.py", end, "n -= 2"), ("table.py", end, "n += 1"))
    assert verdicts[1] != "plausible"


@pytest.mark.slow
def test_modules_imported_by_tests_stay_in_their_package(get_verdicts: Callable[..., list[str]]) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/core.py": "def f(x):\n    return x + 3\n",
        "pkg/helper.py": "def wrap(x):\n    return x\n",
        "test_a.py": "import pkg.core\n\ndef test_f():\n    import pkg.helper\n"
        "    assert pkg.helper.wrap(pkg.core.f(2)) == 4\n",
    }
    edits = [("pkg/core.py", "x + 3", new) for new in ("x + 4", "x + 5", "x + 2")]
    assert get_verdicts(files, *edits) == ["fail", "fail", "plausible"]


@pytest.mark.slow
def test_fix_is_plausible_in_module_that_cannot_be_reloaded(get_verdicts: Callable[..., list[str]]) -> None:
    files = {
        "reg.py": "HANDLERS = {}\n\ndef register(f):\n    HANDLERS[f.__name__] = f\n    return f\n\n"
        "def call(name, x):\n    return HANDLERS[name](x) + 1\n",
        "handlers.py": "from reg import register\n\n@register\ndef same(x):\n    return x\n",
        "test_a.py": "import reg\nimport handlers\n\ndef test_f():\n    assert reg.call('same', 5) == 5\n",
    }
    assert get_verdicts(files, ("reg.py", "(x) + 1", "(x) + 2"), ("reg.py", "(x) + 1", "(x)")) == ["fail", "plausible"]


@pytest.mark.slow
def test_class_with_unrestorable_attributes_is_ignored(get_verdicts: Callable[..., list[str]]) -> None:
    files = {
        "lib.py": "import ctypes\n\nclass S(ctypes.Structure):\n    pass\n\n"
        "def f(x):\n    S.last = object()\n    return x + 1\n",
        "test_a.py": PLAIN["test_a.py"],
    }
    assert get_verdicts(files, ("lib.py", "x + 1", "x + 2"), ("lib.py", "x + 1", "x")) == ["fail", "plausible"]


@pytest.mark.slow
def test_crash_while_base_is_checked_is_not_trusted(get_verdicts: Callable[..., list[str]]) -> None:
    files = {
        "lib.py": "import os\nimport signal\n\n"
        "def bad():\n    return signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN\n\n"
        "def g():\n    if bad():\n        os._exit(3)\n    return 1\n\n"
        "def f(x):\n    sum(i * i for i in range(500000))\n    return x + 1 + bad()\n",
        "test_a.py": PLAIN["test_a.py"] + "\ndef test_g():\n    assert lib.g() == 1\n",
    }
    leaves = "signal.signal(signal.SIGUSR1, signal.SIG_IGN); return x + 2"
    edits = [("lib.py", "return x + 1", leaves), ("lib.py", "x + 1", "x")]
    edits += [("lib.py", "x + 1", f"x + {more}") for more in range(2, 40)]
    assert get_verdicts(files, *edits, passing=["test_a.py::test_g"], limit=1.0)[1] == "plausible"


@pytest.mark.slow
def test_edit_that_makes_module_reload_hang_is_invalid(get_verdicts: Callable[..., list[str]]) -> None:
    files = {
        "lib.py": "N = 3\nwhile N > 0:\n    N -= 1\n\ndef f(x):\n    return x + 1\n",
        "test_a.py": PLAIN["test_a.py"],
    }
    edits = [("lib.py", "N -= 1", "N -= 0"), ("lib.py", "N = 3", "raise SystemExit"), ("lib.py", "x + 1", "x")]
    assert get_verdicts(files, *edits) == ["invalid", "invalid", "plausible"]


@pytest.mark.slow
def test_measurements_of_base_are_reused_by_later_requests(make_repo, open_ws) -> None:
    slow = {"test_a.py": f"import time\n{PLAIN['test_a.py']}\ndef test_g():\n    time.sleep(0.5)\n"}
    edits, names = [candidate(PLAIN, "lib.py", "x + 1", new) for new in ("x + 2", "x")], [TEST, "test_a.py::test_g"]
    calls: list[int] = []

    def at_once() -> bool:
        calls.append(1)
        return len(calls) > 1

    with Evaluator(open_ws("local", make_repo(PLAIN | slow)), PYTEST, names, Event()) as evaluator:
        limits, end = TimeLimits(dict.fromkeys(names, 0.5)), time.monotonic() + 40
        assert list(evaluator.evaluate(iter(edits), [TEST], names[1:], limits, at_once)) == []
        again = evaluator.evaluate(iter(edits), [TEST], names[1:], limits, lambda: time.monotonic() > end)
        assert [one.verdict for one in again] == ["fail", "plausible"]


@pytest.mark.slow
def test_silent_server_is_stopped(make_repo, open_ws, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = {
        "test_a.py": "import time\n\ndef test_f():\n    time.sleep(60)\n",
        "conftest.py": "import os, signal, threading\n\ndef pytest_collection_finish():\n"
        "    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGSTOP)).start()\n",
    }
    server = CandidateServer(open_ws("local", make_repo(stopped)), PYTEST, [TEST], cancel := Event())
    guard = Timer(40, cancel.set)
    guard.start()
    try:
        number = server.request({"mode": "trace", "cpu": 30.0, "tests": [[TEST, 30.0]], "seconds": 30.0})
        monkeypatch.setattr("extensions.experiment.evaluator.evaluator_process.SILENT", 2.0)
        started = time.monotonic()
        with pytest.raises(ProcessEnded):
            deque(iter(lambda: server.next(number, time.monotonic() + 60), None))
        assert time.monotonic() - started > 2.0
    finally:
        guard.cancel()
        server.close()


@pytest.mark.slow
def test_folder_in_place_of_log_is_reported(make_repo, open_ws) -> None:
    hostile = {
        **PLAIN,
        "conftest.py": "import os\nif 'SWE_AGENT_JOB' in os.environ:\n"
        "    log = os.path.dirname(os.environ['SWE_AGENT_JOB']) + '/repair-log.txt'\n"
        "    os.remove(log)\n    os.mkdir(log)\n    os._exit(1)\n",
    }
    with (
        Evaluator(open_ws("local", make_repo(hostile)), PYTEST, [TEST], Event()) as evaluator,
        pytest.raises(UsageError, match="cannot be run in one process"),
    ):
        list(
            evaluator.evaluate(
                iter([candidate(PLAIN, "lib.py", "x + 1", "x")]), [TEST], [], TimeLimits({TEST: 0.5}), bool
            )
        )
