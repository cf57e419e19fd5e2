"""One process for a whole search: what runs beside it, what disturbs what, how it is interrupted and ended."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from aci.repair.candidate_evaluator import Candidate, CandidateResult, Evaluator, TimeLimits
from agent.repair.analysis.source_file import Source
from trajectories.errors import Cancelled

pytestmark = pytest.mark.slow

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


def kept(x, memo={}):
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
        sum(range(10000))  # what the system does for it does not count
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


def test_kept():
    assert lib.kept(1) == 2


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
NAMES = ("half", "twice", "third", "kept", "count", "nested", "file")
LIMITS = TimeLimits({**{f"test_lib.py::test_{name}": 0.1 for name in NAMES}, "test_lib.py::test_later": 0.8})


def t(name: str) -> str:
    return f"test_lib.py::test_{name}"


def edit(old: str, new: str, source: str = LIBRARY, description: str = "") -> Candidate:
    assert source.count(old) == 1
    start = source.index(old)
    held = [one for one, _ in Source("lib.py", source.encode()).functions if one.start <= start < one.end]
    return Candidate("lib.py", ((start, start + len(old), new),), description, 1, held[0] if held else None)


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
        pytest.param(edit("x + 2", "x + 3"), "kept", edit("x + 2", "x + 1"), id="a default"),
    ],
)
def test_what_wrong_candidates_remember_is_forgotten(
    evaluator: Evaluator, dirty: Candidate, test: str, right: Candidate
) -> None:
    found = run(evaluator, [dirty, right], [t(test)], [])
    assert [judged.verdict for judged in found] == ["fail", "plausible"]


@pytest.mark.parametrize(
    ("code", "test"),
    [
        pytest.param("Counter.seen.append(1); return 0", "count", id="a class attribute"),
        pytest.param("NESTED[1]['a'][0] = 2; return 0", "nested", id="deep in a global"),
        pytest.param("Counter.count = lambda self: 1; return 0", "count", id="a method"),
    ],
)
def test_data_that_are_changed_do_not_reach_next(evaluator: Evaluator, code: str, test: str) -> None:
    dirty, right = edit("return x // 3", code), edit("x // 3", "x // 2")
    found = run(evaluator, [dirty, right] * 3, [t("half")], [t(test)])
    assert [judged.verdict for judged in found] == ["fail", "plausible"] * 3


def test_all_come_in_their_order_once_and_again_if_they_were_late(evaluator: Evaluator) -> None:
    edits = [edit("x // 3", f"x // {n}" if n % 40 else "[1 for _ in iter(int, 1)]") for n in range(3, 300)]
    found = run(evaluator, edits, [t("half")], [])
    first = [judged for judged in found if not judged.again]
    assert [judged.candidate for judged in first] == edits
    late = [judged.candidate for judged in first if judged.verdict == "late"]
    assert [judged.candidate for judged in found if judged.again] == late == edits[37::40]
    assert {judged.verdict for judged in found if judged.again} == {"timeout"}


def test_slow_right_one_is_late_and_then_plausible(evaluator: Evaluator) -> None:
    right = edit("    return x\n", "    return x + 1\n")
    found = run(evaluator, [right], [t("later")], [])
    assert [(judged.verdict, judged.again) for judged in found] == [("late", False), ("plausible", True)]


def test_late_ones_wait_for_last_candidates(evaluator: Evaluator) -> None:
    loops = [edit("x // 3", f"[{n} for _ in iter(int, 1)]") for n in range(12)]
    first = list(evaluator.evaluate(iter(loops), [t("half")], [], LIMITS, last=False))
    rest = run(evaluator, [], [t("half")], [])
    again = [judged.candidate for judged in [*first, *rest] if judged.again]
    assert len(first) < len(first) + len(rest) == 2 * len(loops)
    assert sorted(again, key=loops.index) == loops


def test_jobs_are_answered_while_candidates_are_drawn(evaluator: Evaluator) -> None:
    asked = []

    def drawn() -> Iterator[Candidate]:
        for n in range(100):
            if n % 40 == 30:
                asked.append(evaluator.ask({"mode": "trace", "cpu": 30.0, "tests": [[t("kept"), 1.0]], "deep": []}, 10))
            yield edit("x // 3", f"x // 3 + {n}")

    found = list(evaluator.evaluate(drawn(), [t("half")], [t("count")], LIMITS))
    assert [judged.verdict for judged in found] == ["fail", "plausible", *["fail"] * 98]
    assert [[answer["test"] for answer in answers] for answers in asked] == [[t("kept")], [t("kept")]]


def test_tests_that_disturb_each_other_are_run_by_one_process(evaluator: Evaluator) -> None:
    found = run(evaluator, [edit("x // 3", f"x // 2 + {n}") for n in (0, 1, 0, 1)], [t("half")], [t("file")])
    assert [judged.verdict for judged in found] == ["plausible", "fail", "plausible", "fail"]


def test_candidates_and_cpu_time_go_on_until_it_is_over(evaluator: Evaluator) -> None:
    ticks: list[float] = []
    evaluator.tick = lambda: ticks.append(evaluator.cpu)
    endless = repeat(edit("x // 3", "[1 for _ in iter(int, 1)]"))
    assert list(evaluator.evaluate(endless, [t("half")], [], LIMITS, lambda: evaluator.cpu > 2.0))
    assert ticks == sorted(ticks)
    assert ticks[0] <= 2.0 < evaluator.cpu


def test_candidate_that_says_more_than_it_should_harms_itself_alone(evaluator: Evaluator) -> None:
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
    found = run(evaluator, edits, [t("half")], [])
    assert found[0].verdict != "plausible"
    assert found[1].verdict == "plausible"


def test_same_verdicts_from_one_process_as_from_all(evaluator: Evaluator) -> None:
    bodies = ["x // 2", "None", "x", "1 / 0", "[1 for _ in iter(int, 1)]", "CACHE.setdefault(x, x // 2)", "("]
    edits = [edit("x // 3", body) for body in bodies] * 4
    many = [judged.verdict for judged in run(evaluator, edits, [t("half"), t("twice")], [t("count")])]
    single = [
        judged.verdict
        for one in edits
        for judged in run(evaluator, [one], [t("half"), t("twice")], [t("count")])
        if not judged.again
    ]
    assert many[: len(edits)] == single


def test_it_is_interrupted_while_it_waits(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    cancel = Event()
    workspace = open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))
    slow = edit("x // 3", "time.sleep(1000)")
    with Evaluator(workspace, PYTEST, list(LIMITS.seconds), cancel) as evaluator:
        timer = threading.Timer(0.5, cancel.set)
        timer.start()
        with pytest.raises(Cancelled):
            run(evaluator, [slow] * 1000, [t("half")], [])
        timer.join()


def test_nothing_runs_any_more_once_it_is_closed(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    workspace = open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))
    away = edit(
        "return x // 3", "import subprocess; subprocess.Popen(['sleep', '7654'], start_new_session=True); return 2"
    )
    evaluator = Evaluator(workspace, PYTEST, list(LIMITS.seconds), Event())
    run(evaluator, [away], [t("half")], [])
    evaluator.close()
    evaluator.close()
    rows = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert not [row for row in rows if workspace.harness in row or row == "sleep 7654"]


def test_modules_that_are_imported_late_are_mended_too(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    source = "def half(x):\n    return x // 3\n"
    files = {
        "lib.py": source,
        "test_lib.py": "def test_half():\n    from lib import half\n\n    assert half(4) == 2\n",
    }
    with Evaluator(open_ws("local", make_repo(files)), PYTEST, [t("half")], Event()) as evaluator:
        (judged,) = run(evaluator, [edit("x // 3", "x // 2", source)], [t("half")], [])
    assert judged.verdict == "plausible"


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
def test_hit_is_one_also_where_its_module_is_run_again(
    make_repo: Callable[..., Path], open_ws: OpenWorkspace, test: str, edited: str
) -> None:
    workspace = open_ws("local", make_repo({"lib.py": RERUN, "test_lib.py": test}))
    limits = TimeLimits({t("half"): 0.2, t("same"): 0.2})
    with Evaluator(workspace, PYTEST, [t("half"), t("same")], Event()) as evaluator:
        found = list(evaluator.evaluate(iter([edit(edited, "// 2", RERUN)]), [t("half")], [t("same")], limits))
    assert [judged.verdict for judged in found] == ["plausible"]


def test_suite_that_hangs_while_it_is_collected_can_be_interrupted(
    make_repo: Callable[..., Path], open_ws: OpenWorkspace
) -> None:
    cancel = Event()
    workspace = open_ws("local", make_repo({"test_lib.py": "import time\ntime.sleep(1000)\n"}))
    threading.Timer(1.0, cancel.set).start()
    with Evaluator(workspace, PYTEST, [t("half")], cancel) as evaluator, pytest.raises(Cancelled):
        evaluator.ask({"mode": "trace", "cpu": 30.0, "tests": [], "deep": []}, 5)


def test_wrapper_that_closes_what_it_inherits(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    wrapper = "import subprocess, sys\nsys.exit(subprocess.run(sys.argv[1:], close_fds=True).returncode)\n"
    files = {"lib.py": LIBRARY, "test_lib.py": TESTS, "wrap.py": wrapper}
    workspace = open_ws("local", make_repo(files))
    with Evaluator(workspace, f"python3 wrap.py {PYTEST}", [t("half")], Event()) as evaluator:
        (judged,) = run(evaluator, [edit("x // 3", "x // 2")], [t("half")], [])
    assert judged.verdict == "plausible"


@pytest.mark.docker
def test_in_container(make_repo: Callable[..., Path], open_ws: OpenWorkspace) -> None:
    workspace = open_ws("docker", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))
    edits = [edit("x // 3", body) for body in ("x", "[1 for _ in iter(int, 1)]", "x // 2", "os._exit(1)")]
    with Evaluator(workspace, PYTEST, list(LIMITS.seconds), Event()) as evaluator:
        found = run(evaluator, edits, [t("half")], [t("count")])
        assert evaluator.cpu > 0
    last = {judged.candidate: judged.verdict for judged in found}
    assert [last[one] for one in edits] == ["fail", "timeout", "plausible", "fail"]
    left = workspace.run("cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c ^SWE_AGENT_JOB=")
    assert left.text.strip() == "0"
