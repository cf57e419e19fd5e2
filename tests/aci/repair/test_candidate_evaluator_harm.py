"""What candidates do to the process that they run in, to its surroundings, and to the one that started it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.guest.forked_sandbox import LEAST_MEMORY, MEMORY_BYTES, LineBuffer, core_count, is_bounded_number, memory_limit
from aci.guest.repair.evaluator_workers import is_group_running
from aci.repair.candidate_evaluator import Candidate, CandidateResult, Evaluator, TimeLimits, _Late
from agent.repair.analysis.source_file import Source
from trajectories.errors import WorkspaceError

PYTEST = "python3 -m pytest -q -p no:cacheprovider"
LIBRARY = """\
import decimal
import heapq
import os
import random
import sys
import time


class Account:
    def __init__(self, amount):
        self.__amount = amount

    def balance(self):
        return self.__amount + 1


if True:

    def indented(x):
        return x + 2


def plain(x):
    return x + 3


class Meter:
    __slots__ = ("value",)

    def __init__(self):
        self.value = 0


METER = Meter()


def meter():
    total = 0

    def put(x, more=0):
        nonlocal total
        total += more
        return total + x

    return put


put = meter()


def least(items):
    import bisect

    heap = list(items)
    heapq.heapify(heap)
    bisect.insort(heap, 9)
    note = None
    return heapq.heappop(heap) + METER.value + put(1)


def here():
    return len(os.listdir(".")) > 0 and os.environ.get("NOBODY_SETS_THIS", "") + os.path.basename(sys.path[0])


def deep(n):
    return n if n == 0 else deep(n - 1)


def share(x):
    return decimal.Decimal(1) / 3


def waits(x):
    time.sleep(1.5)
    return x + 1
"""
TESTS = """\
import os
import time

import lib

FIRST = lib.here()


def test_balance():
    assert lib.Account(3).balance() == 3


def test_indented():
    assert lib.indented(1) == 2


def test_plain():
    assert lib.plain(1) == 2


def test_least():
    assert os.path.exists("lib.py")
    assert lib.here() == FIRST
    assert lib.deep(500) == 0
    assert lib.least([2, 1]) == 1


def test_share():
    assert str(lib.share(3)) == "0." + 27 * "3" + "4"


def test_precise():
    assert len(str(lib.decimal.Decimal(2) / 3)) == 30


def test_waits():
    assert lib.waits(1) == 1


def test_lasts():
    open("begun", "w").close()
    time.sleep(0.7)
    open("ended", "w").close()
"""
NAMES = ("balance", "indented", "plain", "least", "precise", "waits")
LIMITS = TimeLimits({**{f"test_lib.py::test_{name}": 0.1 for name in NAMES}, "test_lib.py::test_share": 1.6})


def t(name: str) -> str:
    return f"test_lib.py::test_{name}"


def edit(old: str, new: str) -> Candidate:
    assert LIBRARY.count(old) == 1
    start = LIBRARY.index(old)
    held = [one for one, _ in Source("lib.py", LIBRARY.encode()).functions if one.start <= start < one.end]
    return Candidate("lib.py", ((start, start + len(old), new),), "", 1, held[0] if held else None)


@pytest.fixture
def workspace(make_repo: Callable[..., Path], open_ws: Callable[..., Any]) -> Any:
    return open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))


@pytest.fixture
def evaluator(workspace: Any) -> Iterator[Evaluator]:
    with Evaluator(workspace, PYTEST, [*LIMITS.seconds, t("lasts")], Event()) as evaluator:
        yield evaluator


def verdicts(
    evaluator: Evaluator, candidates: list[Candidate], failing: str, passing: tuple[str, ...] = ()
) -> list[str]:
    found = evaluator.evaluate(iter(candidates), [t(failing)], [t(name) for name in passing], LIMITS)
    last: dict[Candidate, str] = {}
    shown = [judged for judged in found if not judged.again or last.setdefault(judged.candidate, judged.verdict)]
    return [last.get(judged.candidate, judged.verdict) for judged in shown if not judged.again]


def test_private_names_are_those_of_class(evaluator: Evaluator) -> None:
    assert verdicts(evaluator, [edit("self.__amount + 1", "self.__amount")], "balance") == ["plausible"]


def test_function_that_is_indented_outside_of_class(evaluator: Evaluator) -> None:
    assert verdicts(evaluator, [edit("x + 2", "x + 1")], "indented") == ["plausible"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "harm",
    [
        pytest.param("heapq.heappop = heap", id="an attribute of another module"),
        pytest.param("del heapq.heapify", id="an attribute that is deleted"),
        pytest.param("bisect.insort = heap", id="one imported inside of a function"),
        pytest.param("os.chdir('..')", id="the working directory"),
        pytest.param("os.environ['NOBODY_SETS_THIS'] = '1'", id="the environment"),
        pytest.param("os.environ = {'NOBODY_SETS_THIS': '1'}", id="another environment"),
        pytest.param("sys.path.insert(0, 'x')", id="the import path"),
        pytest.param("sys.setrecursionlimit(200)", id="the recursion limit"),
        pytest.param("random.seed(3)", id="the next random numbers"),
        pytest.param("len.__self__.__dict__['len'] = heap", id="a built-in function"),
        pytest.param("METER.value = 5", id="a slot"),
        pytest.param("put(0, 5)", id="a variable that is closed over"),
    ],
)
def test_what_candidate_leaves_outside_of_its_data_next_does_not_see(evaluator: Evaluator, harm: str) -> None:
    dirty = edit("    note = None\n", f"    {harm}\n    return 7\n")
    same = f"(random.random() == {random.Random(3).random()})"
    right = edit("METER.value + put(1)", f"METER.value + put(0) + {same}")
    found = verdicts(evaluator, [dirty, right] * 4, "least")
    assert "plausible" not in found[::2]
    assert found[1::2] == ["plausible"] * 4


@pytest.mark.slow
def test_what_nobody_looks_at_is_seen_by_tests_of_base(evaluator: Evaluator) -> None:
    spend = "\n    while time.process_time() < end: pass\n    return 0"
    harm = "end = time.process_time() + 0.08; decimal.getcontext().prec = 3" + spend
    dirty = edit("return decimal.Decimal(1) / 3", harm)
    right = edit("return decimal.Decimal(1) / 3", "return decimal.Decimal(1) / x + decimal.Decimal('1e-28')")
    found = verdicts(evaluator, [dirty, right] * 4, "share", ("precise",))
    assert found == ["fail", "plausible"] * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "harm",
    [
        pytest.param("import shutil, tempfile; shutil.rmtree(tempfile.gettempdir())", id="its temporary folder"),
        pytest.param(
            "import glob, shutil, tempfile\n"
            "    for folder in glob.glob(os.path.join(os.path.dirname(tempfile.gettempdir()), 't*')):\n"
            "        shutil.rmtree(folder, ignore_errors=True)",
            id="those of the others",
        ),
        pytest.param("say(b'{\"cpu\": 1' + 400 * b'0' + b'}\\n')", id="a number without bounds"),
        pytest.param('say(b\'{"cpu": Infinity, "waits": NaN}\\n\')', id="an infinite number"),
        pytest.param("say(100000 * b'[' + b'\\n')", id="a deep line"),
        pytest.param('say(99 * b\'{"next": true, "sane": true, "verdicts": []}\\n\')', id="as if it had ended"),
        pytest.param('say(b\'{"again": 99}\\n{"verdicts": [{}], "sane": 1}\\n\')', id="verdicts of another shape"),
    ],
)
def test_process_outlives_what_candidate_does(evaluator: Evaluator, harm: str) -> None:
    say = (
        "    def say(data):\n"
        "        for fd in range(3, 64):\n"
        "            try: os.write(fd, data)\n"
        "            except OSError: pass\n"
    )
    bad = edit("    return x + 3", f"{say}    {harm}\n    return 0")
    found = verdicts(evaluator, [bad, edit("x + 3", "x + 1"), bad], "plain")
    assert found[0] in ("fail", "crash", "timeout")
    assert found[1] == "plausible"
    assert evaluator.cpu < 1000


@pytest.mark.slow
def test_process_that_was_killed_is_begun_again(evaluator: Evaluator) -> None:
    killing = edit("return x + 3", "os.kill(os.getppid(), 9); time.sleep(9)")
    edits = [edit("x + 3", f"x + {n}") for n in (3, 4, 1)]
    before = evaluator.cpu
    assert verdicts(evaluator, [*edits, killing], "plain") == ["fail", "fail", "plausible", "crash"]
    assert evaluator.cpu > before
    assert verdicts(evaluator, edits, "plain") == ["fail", "fail", "plausible"]


@pytest.mark.slow
def test_process_that_ends_again_and_again_is_told(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.repair.evaluator_process.MOST_ENDS", 1)
    killing = edit("return x + 3", "os.kill(os.getppid(), 9); time.sleep(9)")
    with pytest.raises(WorkspaceError, match="ended"):
        verdicts(evaluator, [killing] * 3, "plain")


@pytest.mark.slow
def test_test_that_waits_has_time_that_it_waits_on_base(evaluator: Evaluator) -> None:
    assert verdicts(evaluator, [edit("return x + 1\n", "return x\n")], "waits") == ["plausible"]


@pytest.mark.parametrize(
    ("command", "works"), [("while :; do :; done & wait", True), ("sleep 1000 & wait", False)], ids=["works", "sleeps"]
)
def test_child_works_while_one_that_it_started_does(command: str, works: bool) -> None:
    process = subprocess.Popen(["sh", "-c", command], start_new_session=True)
    try:
        seen: list[bool] = []  # at first both are busy with starting
        until = time.monotonic() + 10
        while seen[-5:] != [works] * 5 and time.monotonic() < until:
            time.sleep(0.01)
            seen.append(is_group_running(process.pid))
        assert seen[-5:] == [works] * 5
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_mode_that_is_given_up_ends(evaluator: Evaluator, workspace: Any) -> None:
    server = evaluator._server
    asked = server.request({"mode": "trace", "tests": [[t("lasts"), 9.0]], "cpu": 9.0, "seconds": 60})
    begun = Path(workspace.root, "begun")
    until = time.monotonic() + 30
    while not begun.exists() and time.monotonic() < until:
        server.next(asked, time.monotonic() + 0.05)
    assert begun.exists()
    server.drop(asked)
    time.sleep(1.5)
    assert not Path(workspace.root, "ended").exists()


def test_memory_of_container_is_shared(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{(core_count() + 2) * (300 << 20)}\n")
    assert memory_limit([str(limit)]) == 300 << 20
    limit.write_text("1000\n")
    assert memory_limit([str(limit)]) == LEAST_MEMORY
    limit.write_text("max\n")
    assert LEAST_MEMORY <= memory_limit([str(limit), str(tmp_path / "none")]) <= MEMORY_BYTES


def test_child_is_ended_before_its_parent(evaluator: Evaluator) -> None:
    score = "x + int(open('/proc/self/oom_score_adj').read()) // 500"
    assert verdicts(evaluator, [edit("x + 2", score)], "indented") == ["plausible"]


def test_late_ones_come_in_their_order_those_that_are_slow_first() -> None:
    late = _Late()
    edits = [edit("x + 2", f"x + {n}") for n in range(5)]
    for one, verdict in zip(edits, ("timeout", "slow", "timeout", "slow", "timeout"), strict=True):
        late.add(CandidateResult(one, verdict))
    assert late.take(3) == [edits[1], edits[3], edits[0]]
    assert late.take(9) == [edits[2], edits[4]]
    assert not late


def test_late_ones_that_are_less_likely_than_plausible_one_do_not_come_again() -> None:
    late = _Late()
    edits = [replace(edit("x + 2", f"x + {n}"), score=score) for n, score in enumerate((0.1, 0.5, 0.2, 0.4))]
    for one in edits:
        late.add(CandidateResult(one, "timeout"))
    assert late.take(1, 0.3) == [edits[1]]
    assert late.take(9, 0.3) == [edits[3]]
    assert not late


@given(st.lists(st.binary(max_size=9).map(lambda data: data.replace(b"0", b"\n"))))
def test_lines_are_same_however_they_come(parts: list[bytes]) -> None:
    lines = LineBuffer()
    found = [line for part in parts for line in lines.take(part)]
    *whole, rest = b"".join(parts).split(b"\n")
    assert found == whole
    assert lines.length == len(rest)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1, 10**400, True, None, "1"])
def test_what_is_no_number_of_seconds(value: object) -> None:
    assert not is_bounded_number(value)
    assert is_bounded_number(0)
    assert is_bounded_number(1.5)
