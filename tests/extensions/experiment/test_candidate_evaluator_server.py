"""One evaluator process for a whole search: concurrency, isolation, interruption and shutdown."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from extensions.experiment.evaluator.candidate_evaluator import Candidate, CandidateResult, Evaluator, TimeLimits
from extensions.experiment.source.source_file import Source
from trajectories.errors import Cancelled

pytestmark = pytest.mark.slow

DJANGO = {
    "manage.py": """\
import sys
from django.conf import settings
databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
settings.configure(INSTALLED_APPS=["app"], DATABASES=databases, USE_TZ=True)
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
""",
    "app/__init__.py": "",
    "app/lib.py": "def half(x):\n    return x // 3\n",
    "app/tests.py": """\
from django.db import connection
from django.test import TestCase
from app import lib
class A(TestCase):
    def test_half(self):
        with connection.cursor() as cursor:
            cursor.execute("select %s", [lib.half(4)])
            self.assertEqual(cursor.fetchone(), (2,))
class B(TestCase):
    def test_zero(self): self.assertEqual(lib.half(0), 0)
""",
}

OpenWorkspace = Callable[..., Any]
PYTEST = "python3 -m pytest -q -p no:cacheprovider"
LIBRARY = """\
import functools
import time

CACHE = {}
NESTED = [[0], {"a": [1]}]


def half(x):
    return x // 3


@functools.lru_cache(maxsize=None)
def third(x):
    return x // 2


def memoized(x, memo={}):
    if x not in memo:
        memo[x] = x + 2
    return memo[x]


class Counter:
    seen = []

    def count(self):
        return len(self.seen)


def later(x):
    end = time.process_time() + 0.2
    while time.process_time() < end:
        sum(range(10000))  # system time does not count
    return x
"""
TESTS = """\
from pathlib import Path

import lib


def test_half():
    assert lib.half(4) == 2


def test_twice():
    assert lib.half(8) == 4


def test_third():
    assert lib.third(9) == 3


def test_memoized():
    assert lib.memoized(1) == 2


def test_count():
    assert lib.Counter().count() == 0


def test_nested():
    assert lib.NESTED == [[0], {"a": [1]}]


def test_later():
    assert lib.later(1) == 2


def test_file():
    Path("shared.txt").unlink(missing_ok=True)
    Path("shared.txt").write_text("x")
    assert Path("shared.txt").read_text() == "x"
"""
NAMES = ("half", "twice", "third", "memoized", "count", "nested", "file")
LIMITS = TimeLimits({**{f"test_lib.py::test_{name}": 0.1 for name in NAMES}, "test_lib.py::test_later": 0.8})


def node_id(name: str) -> str:
    return f"test_lib.py::test_{name}"


def edit(old: str, new: str, source: str = LIBRARY, description: str = "") -> Candidate:
    assert source.count(old) == 1
    start = source.index(old)
    enclosing = [one for one, _ in Source("lib.py", source.encode()).functions if one.start <= start < one.end]
    return Candidate("lib.py", ((start, start + len(old), new),), description, 1, enclosing[0] if enclosing else None)


@pytest.fixture
def evaluator(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> Iterator[Evaluator]:
    workspace = open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))
    with Evaluator(workspace, PYTEST, list(LIMITS.seconds), Event()) as evaluator:
        yield evaluator


def run(
    evaluator: Evaluator, candidates: list[Candidate], failing: list[str], passing: list[str]
) -> list[CandidateResult]:
    return list(evaluator.evaluate(iter(candidates), failing, passing, LIMITS))


@pytest.mark.parametrize(
    ("dirty", "test", "right"),
    [
        pytest.param(edit("x // 2", "x"), "third", edit("x // 2", "x // 3"), id="a cache"),
        pytest.param(edit("x + 2", "x + 3"), "memoized", edit("x + 2", "x + 1"), id="a default"),
    ],
)
def test_caches_filled_by_wrong_candidates_are_cleared(
    evaluator: Evaluator, dirty: Candidate, test: str, right: Candidate
) -> None:
    results = run(evaluator, [dirty, right], [node_id(test)], [])
    assert [result.verdict for result in results] == ["fail", "plausible"]


@pytest.mark.parametrize(
    ("code", "test"),
    [
        pytest.param("Counter.seen.append(1); return 0", "count", id="a class attribute"),
        pytest.param("NESTED[1]['a'][0] = 2; return 0", "nested", id="deep in a global"),
        pytest.param("Counter.count = lambda self: 1; return 0", "count", id="a method"),
    ],
)
def test_changed_data_is_restored_for_next_candidate(evaluator: Evaluator, code: str, test: str) -> None:
    dirty, right = edit("return x // 3", code), edit("x // 3", "x // 2")
    results = run(evaluator, [dirty, right] * 3, [node_id("half")], [node_id(test)])
    assert [result.verdict for result in results] == ["fail", "plausible"] * 3


def test_candidates_are_returned_in_order_and_late_ones_again(evaluator: Evaluator) -> None:
    edits = [edit("x // 3", f"x // {n}" if n % 40 else "[1 for _ in iter(int, 1)]") for n in range(3, 300)]
    results = run(evaluator, edits, [node_id("half")], [])
    first = [result for result in results if not result.again]
    assert [result.candidate for result in first] == edits
    late = [result.candidate for result in first if result.verdict == "late"]
    assert [result.candidate for result in results if result.again] == late == edits[37::40]
    assert {result.verdict for result in results if result.again} == {"timeout"}


def test_slow_correct_candidate_is_late_and_then_plausible(evaluator: Evaluator) -> None:
    right = edit("    return x\n", "    return x + 1\n")
    results = run(evaluator, [right], [node_id("later")], [])
    assert [(result.verdict, result.again) for result in results] == [("late", False), ("plausible", True)]


def test_late_candidates_wait_for_last_candidates(evaluator: Evaluator) -> None:
    loops = [edit("x // 3", f"[{n} for _ in iter(int, 1)]") for n in range(12)]
    first = list(evaluator.evaluate(iter(loops), [node_id("half")], [], LIMITS, last=False))
    rest = run(evaluator, [], [node_id("half")], [])
    again = [result.candidate for result in [*first, *rest] if result.again]
    assert len(first) < len(first) + len(rest) == 2 * len(loops)
    assert sorted(again, key=loops.index) == loops


def test_requests_are_answered_while_candidates_are_generated(evaluator: Evaluator) -> None:
    traces = []

    def generate_candidates() -> Iterator[Candidate]:
        for n in range(100):
            if n % 40 == 30:
                traces.append(
                    evaluator.ask({"mode": "trace", "cpu": 30.0, "tests": [[node_id("memoized"), 1.0]], "deep": []}, 10)
                )
            yield edit("x // 3", f"x // 3 + {n}")

    results = list(evaluator.evaluate(generate_candidates(), [node_id("half")], [node_id("count")], LIMITS))
    assert [result.verdict for result in results] == ["fail", "plausible", *["fail"] * 98]
    assert [[answer["test"] for answer in answers] for answers in traces] == [[node_id("memoized")]] * 2


def test_conflicting_tests_are_run_by_one_process(evaluator: Evaluator) -> None:
    results = run(
        evaluator, [edit("x // 3", f"x // 2 + {n}") for n in (0, 1, 0, 1)], [node_id("half")], [node_id("file")]
    )
    assert [result.verdict for result in results] == ["plausible", "fail", "plausible", "fail"]


def test_evaluation_stops_at_cpu_budget(evaluator: Evaluator) -> None:
    ticks: list[float] = []
    evaluator.tick = lambda: ticks.append(evaluator.cpu)
    endless = repeat(edit("x // 3", "[1 for _ in iter(int, 1)]"))
    assert list(evaluator.evaluate(endless, [node_id("half")], [], LIMITS, lambda: evaluator.cpu > 2.0))
    assert ticks == sorted(ticks)
    assert ticks[0] <= 2.0 < evaluator.cpu


def test_candidate_that_forges_output_affects_only_itself(evaluator: Evaluator) -> None:
    lies = (
        "import os\n"
        "    for fd in range(3, 64):\n"
        "        try:\n"
        '            os.write(fd, b\'[]\\n{"verdicts": 1}\\n{"cpu": []}\\n\\xff\\n\')\n'
        "        except OSError:\n"
        "            pass\n"
        "    return 0"
    )
    edits = [edit("return x // 3", lies), edit("x // 3", "x // 2")]
    results = run(evaluator, edits, [node_id("half")], [])
    assert results[0].verdict != "plausible"
    assert results[1].verdict == "plausible"


def test_single_and_batch_evaluation_give_same_verdicts(evaluator: Evaluator) -> None:
    bodies = ["x // 2", "None", "x", "1 / 0", "[1 for _ in iter(int, 1)]", "CACHE.setdefault(x, x // 2)", "("]
    edits = [edit("x // 3", body) for body in bodies] * 4
    many = [result.verdict for result in run(evaluator, edits, [node_id("half"), node_id("twice")], [node_id("count")])]
    single = [
        result.verdict
        for one in edits
        for result in run(evaluator, [one], [node_id("half"), node_id("twice")], [node_id("count")])
        if not result.again
    ]
    assert many[: len(edits)] == single


def test_waiting_evaluator_can_be_interrupted(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    cancel = Event()
    workspace = open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))
    slow = edit("x // 3", "time.sleep(1000)")
    with Evaluator(workspace, PYTEST, list(LIMITS.seconds), cancel) as evaluator:
        timer = threading.Timer(0.5, cancel.set)
        timer.start()
        with pytest.raises(Cancelled):
            run(evaluator, [slow] * 1000, [node_id("half")], [])
        timer.join()


def test_no_process_remains_after_close(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    workspace = open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))
    escaping = edit(
        "return x // 3", "import subprocess; subprocess.Popen(['sleep', '7654'], start_new_session=True); return 2"
    )
    evaluator = Evaluator(workspace, PYTEST, list(LIMITS.seconds), Event())
    run(evaluator, [escaping], [node_id("half")], [])
    evaluator.close()
    evaluator.close()
    rows = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert not [row for row in rows if workspace.harness in row or row == "sleep 7654"]


def test_module_imported_late_is_edited(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    source = "def half(x):\n    return x // 3\n"
    files = {
        "lib.py": source,
        "test_lib.py": "def test_half():\n    from lib import half\n\n    assert half(4) == 2\n",
    }
    with Evaluator(open_ws("local", make_repo(files)), PYTEST, [node_id("half")], Event()) as evaluator:
        (result,) = run(evaluator, [edit("x // 3", "x // 2", source)], [node_id("half")], [])
    assert result.verdict == "plausible"


RERUN = """\
LOADED = []


class Part:
    __slots__ = ("size",)

    def __init__(self, size):
        self.size = size

    @property
    def half(self):
        return self.size // 3


class Piece(Part):
    @property
    def half(self):
        return super().half + 0


LOADED.append(1)
PART = Piece(4)
"""


@pytest.mark.parametrize(
    ("test", "edited"),
    [
        pytest.param("import lib\nPART = lib.PART\ndef test_half():\n    assert PART.half == 2\n", "// 3", id="slots"),
        pytest.param(
            "import lib\nold = lib.LOADED\n"
            "def test_half():\n    assert lib.Part(4).half == 2\n"
            "def test_same():\n    assert lib.LOADED is old\n",
            "// 3",
            id="a module that cannot be run again",
        ),
    ],
)
def test_fix_is_plausible_when_its_module_is_reloaded(
    make_repo: Callable[..., Path], open_ws: OpenWorkspace, test: str, edited: str
) -> None:
    workspace = open_ws("local", make_repo({"lib.py": RERUN, "test_lib.py": test}))
    limits = TimeLimits({node_id("half"): 0.2, node_id("same"): 0.2})
    with Evaluator(workspace, PYTEST, [node_id("half"), node_id("same")], Event()) as evaluator:
        results = list(
            evaluator.evaluate(iter([edit(edited, "// 2", RERUN)]), [node_id("half")], [node_id("same")], limits)
        )
    assert [result.verdict for result in results] == ["plausible"]


def test_hanging_collection_can_be_interrupted(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    cancel = Event()
    workspace = open_ws("local", make_repo({"test_lib.py": "import time\ntime.sleep(1000)\n"}))
    threading.Timer(1.0, cancel.set).start()
    with Evaluator(workspace, PYTEST, [node_id("half")], cancel) as evaluator, pytest.raises(Cancelled):
        evaluator.ask({"mode": "trace", "cpu": 30.0, "tests": [], "deep": []}, 5)


def test_wrapper_that_closes_descriptors_is_supported(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    wrapper = "import subprocess, sys\nsys.exit(subprocess.run(sys.argv[1:], close_fds=True).returncode)\n"
    files = {"lib.py": LIBRARY, "test_lib.py": TESTS, "wrap.py": wrapper}
    workspace = open_ws("local", make_repo(files))
    with Evaluator(workspace, f"python3 wrap.py {PYTEST}", [node_id("half")], Event()) as evaluator:
        (result,) = run(evaluator, [edit("x // 3", "x // 2")], [node_id("half")], [])
    assert result.verdict == "plausible"


@pytest.mark.docker
def test_candidates_are_evaluated_in_container(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    workspace = open_ws("docker", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))
    edits = [edit("x // 3", body) for body in ("x", "[1 for _ in iter(int, 1)]", "x // 2", "os._exit(1)")]
    with Evaluator(workspace, PYTEST, list(LIMITS.seconds), Event()) as evaluator:
        results = run(evaluator, edits, [node_id("half")], [node_id("count")])
        assert evaluator.cpu > 0
    last = {result.candidate: result.verdict for result in results}
    assert [last[one] for one in edits] == ["fail", "timeout", "plausible", "fail"]
    left = workspace.run("cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c ^SWE_AGENT_JOB=")
    assert left.text.strip() == "0"


@pytest.mark.parametrize("options", ["", " --parallel 2"])
def test_edits_are_evaluated_within_djangos_runner(
    open_ws: OpenWorkspace, make_repo: Callable[..., Path], options: str
) -> None:
    pytest.importorskip("django")
    workspace = open_ws("local", make_repo(DJANGO))
    tests = ["app.tests.A.test_half", "app.tests.B.test_zero"]
    source = DJANGO["app/lib.py"]
    start = source.index("x // 3")
    edits = [Candidate("app/lib.py", ((start, start + 6, new),), "", 1, None) for new in ("x // 4", "x // 2", "2")]
    with Evaluator(workspace, f"python3 manage.py test{options}", tests, Event()) as evaluator:
        results = list(evaluator.evaluate(iter(edits), tests[:1], tests[1:], TimeLimits(dict.fromkeys(tests, 1.0))))
    assert [result.verdict for result in results] == ["fail", "plausible", "fail"]
