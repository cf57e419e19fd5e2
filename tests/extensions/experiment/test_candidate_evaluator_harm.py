"""Candidates that damage their process, its surroundings or the process that started it."""

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

from extensions.experiment.evaluator.candidate_evaluator import Candidate, CandidateResult, Evaluator, TimeLimits, _Late
from extensions.experiment.guest.evaluator_workers import is_group_running
from extensions.experiment.guest.forked_sandbox import (
    LEAST_MEMORY,
    MEMORY_BYTES,
    LineBuffer,
    core_count,
    is_bounded_number,
    memory_limit,
)
from extensions.experiment.source.source_file import Source
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
    return len(os.listdir(".")) > 0 and os.environ.get("UNSET_VARIABLE", "") + os.path.basename(sys.path[0])


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
    open("started", "w").close()
    time.sleep(0.7)
    open("finished", "w").close()
"""
NAMES = ("balance", "indented", "plain", "least", "precise", "waits")
LIMITS = TimeLimits({**{f"test_lib.py::test_{name}": 0.1 for name in NAMES}, "test_lib.py::test_share": 1.6})


def node_id(name: str) -> str:
    return f"test_lib.py::test_{name}"


def edit(old: str, new: str) -> Candidate:
    assert LIBRARY.count(old) == 1
    start = LIBRARY.index(old)
    enclosing = [one for one, _ in Source("lib.py", LIBRARY.encode()).functions if one.start <= start < one.end]
    return Candidate("lib.py", ((start, start + len(old), new),), "", 1, enclosing[0] if enclosing else None)


@pytest.fixture
def workspace(make_repo: Callable[..., Path], open_ws: Callable[..., Any]) -> Any:
    return open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS}))


@pytest.fixture
def evaluator(workspace: Any) -> Iterator[Evaluator]:
    with Evaluator(workspace, PYTEST, [*LIMITS.seconds, node_id("lasts")], Event()) as evaluator:
        yield evaluator


def verdicts(
    evaluator: Evaluator, candidates: list[Candidate], failing: str, passing: tuple[str, ...] = ()
) -> list[str]:
    results = evaluator.evaluate(iter(candidates), [node_id(failing)], [node_id(name) for name in passing], LIMITS)
    last: dict[Candidate, str] = {}
    shown = [result for result in results if not result.again or last.setdefault(result.candidate, result.verdict)]
    return [last.get(result.candidate, result.verdict) for result in shown if not result.again]


def test_private_names_are_resolved_in_class(evaluator: Evaluator) -> None:
    assert verdicts(evaluator, [edit("self.__amount + 1", "self.__amount")], "balance") == ["plausible"]


@pytest.mark.slow
def test_indented_function_outside_class_is_edited(evaluator: Evaluator) -> None:
    assert verdicts(evaluator, [edit("x + 2", "x + 1")], "indented") == ["plausible"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "harm",
    [
        pytest.param("heapq.heappop = heap", id="a replaced attribute"),
        pytest.param("del heapq.heapify", id="a deleted attribute"),
        pytest.param("bisect.insort = heap", id="a module imported inside a function"),
        pytest.param("os.chdir('..')", id="the working directory"),
        pytest.param("os.environ['UNSET_VARIABLE'] = '1'", id="the environment"),
        pytest.param("os.environ = {'UNSET_VARIABLE': '1'}", id="another environment"),
        pytest.param("sys.path.insert(0, 'x')", id="the import path"),
        pytest.param("sys.setrecursionlimit(200)", id="the recursion limit"),
        pytest.param("random.seed(3)", id="the next random numbers"),
        pytest.param("len.__self__.__dict__['len'] = heap", id="a built-in function"),
        pytest.param("METER.value = 5", id="a slot"),
        pytest.param("put(0, 5)", id="a closure variable"),
    ],
)
def test_changes_outside_module_data_are_undone_for_next(evaluator: Evaluator, harm: str) -> None:
    dirty = edit("    note = None\n", f"    {harm}\n    return 7\n")
    same = f"(random.random() == {random.Random(3).random()})"
    right = edit("METER.value + put(1)", f"METER.value + put(0) + {same}")
    results = verdicts(evaluator, [dirty, right] * 4, "least")
    assert "plausible" not in results[::2]
    assert results[1::2] == ["plausible"] * 4


@pytest.mark.slow
def test_unmonitored_changes_are_detected_by_base_tests(evaluator: Evaluator) -> None:
    spend = "\n    while time.process_time() < end: pass\n    return 0"
    harm = "end = time.process_time() + 0.08; decimal.getcontext().prec = 3" + spend
    dirty = edit("return decimal.Decimal(1) / 3", harm)
    right = edit("return decimal.Decimal(1) / 3", "return decimal.Decimal(1) / x + decimal.Decimal('1e-28')")
    results = verdicts(evaluator, [dirty, right] * 4, "share", ("precise",))
    assert results == ["fail", "plausible"] * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "harm",
    [
        pytest.param("import shutil, tempfile; shutil.rmtree(tempfile.gettempdir())", id="its temporary folder"),
        pytest.param(
            "import glob, shutil, tempfile\n"
            "    for folder in glob.glob(os.path.join(os.path.dirname(tempfile.gettempdir()), 't*')):\n"
            "        shutil.rmtree(folder, ignore_errors=True)",
            id="the temporary folders of others",
        ),
        pytest.param("say(b'{\"cpu\": 1' + 400 * b'0' + b'}\\n')", id="an unlimited number"),
        pytest.param('say(b\'{"cpu": Infinity, "waits": NaN}\\n\')', id="an infinite number"),
        pytest.param("say(100000 * b'[' + b'\\n')", id="a deeply nested line"),
        pytest.param('say(99 * b\'{"next": true, "sane": true, "verdicts": []}\\n\')', id="a forged end"),
        pytest.param('say(b\'{"again": 99}\\n{"verdicts": [{}], "sane": 1}\\n\')', id="malformed verdicts"),
    ],
)
def test_process_survives_harmful_candidate(evaluator: Evaluator, harm: str) -> None:
    say = (
        "    def say(data):\n"
        "        for fd in range(3, 64):\n"
        "            try: os.write(fd, data)\n"
        "            except OSError: pass\n"
    )
    bad = edit("    return x + 3", f"{say}    {harm}\n    return 0")
    results = verdicts(evaluator, [bad, edit("x + 3", "x + 1"), bad], "plain")
    assert results[0] in ("fail", "crash", "timeout")
    assert results[1] == "plausible"
    assert evaluator.cpu < 1000


@pytest.mark.slow
def test_killed_process_is_restarted(evaluator: Evaluator) -> None:
    killing = edit("return x + 3", "os.kill(os.getppid(), 9); time.sleep(9)")
    edits = [edit("x + 3", f"x + {n}") for n in (3, 4, 1)]
    before = evaluator.cpu
    assert verdicts(evaluator, [*edits, killing], "plain") == ["fail", "fail", "plausible", "crash"]
    assert evaluator.cpu > before
    assert verdicts(evaluator, edits, "plain") == ["fail", "fail", "plausible"]


@pytest.mark.slow
def test_process_that_ends_repeatedly_is_reported(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extensions.experiment.evaluator.evaluator_process.MOST_ENDS", 1)
    killing = edit("return x + 3", "os.kill(os.getppid(), 9); time.sleep(9)")
    with pytest.raises(WorkspaceError, match="ended"):
        verdicts(evaluator, [killing] * 3, "plain")


@pytest.mark.slow
def test_time_limit_includes_waiting_time_on_base(evaluator: Evaluator) -> None:
    assert verdicts(evaluator, [edit("return x + 1\n", "return x\n")], "waits") == ["plausible"]


@pytest.mark.parametrize(
    ("command", "running"),
    [("while :; do :; done & wait", True), ("sleep 1000 & wait", False)],
    ids=["works", "sleeps"],
)
def test_process_group_is_running_while_grandchild_works(command: str, running: bool) -> None:
    process = subprocess.Popen(["sh", "-c", command], start_new_session=True)
    try:
        observed: list[bool] = []  # at first both are busy with starting
        until = time.monotonic() + 10
        while observed[-5:] != [running] * 5 and time.monotonic() < until:
            time.sleep(0.01)
            observed.append(is_group_running(process.pid))
        assert observed[-5:] == [running] * 5
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_dropped_request_is_stopped(evaluator: Evaluator, workspace: Any) -> None:
    server = evaluator._server
    request = server.request({"mode": "trace", "tests": [[node_id("lasts"), 9.0]], "cpu": 9.0, "seconds": 60})
    start_marker = Path(workspace.root, "started")
    until = time.monotonic() + 30
    while not start_marker.exists() and time.monotonic() < until:
        server.next(request, time.monotonic() + 0.05)
    assert start_marker.exists()
    server.drop(request)
    time.sleep(1.5)
    assert not Path(workspace.root, "finished").exists()


def test_memory_limit_of_container_is_divided_by_cores(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{(core_count() + 2) * (300 << 20)}\n")
    assert memory_limit([str(limit)]) == 300 << 20
    limit.write_text("1000\n")
    assert memory_limit([str(limit)]) == LEAST_MEMORY
    limit.write_text("max\n")
    assert LEAST_MEMORY <= memory_limit([str(limit), str(tmp_path / "none")]) <= MEMORY_BYTES


@pytest.mark.slow
def test_child_is_killed_first_when_memory_is_low(evaluator: Evaluator) -> None:
    score = "x + int(open('/proc/self/oom_score_adj').read()) // 500"
    assert verdicts(evaluator, [edit("x + 2", score)], "indented") == ["plausible"]


def test_late_candidates_are_retried_in_order_slow_ones_first() -> None:
    late = _Late()
    edits = [edit("x + 2", f"x + {n}") for n in range(5)]
    for one, verdict in zip(edits, ("timeout", "slow", "timeout", "slow", "timeout"), strict=True):
        late.add(CandidateResult(one, verdict))
    assert late.take(3) == [edits[1], edits[3], edits[0]]
    assert late.take(9) == [edits[2], edits[4]]
    assert not late


def test_late_candidates_below_score_of_plausible_are_not_retried() -> None:
    late = _Late()
    edits = [replace(edit("x + 2", f"x + {n}"), score=score) for n, score in enumerate((0.1, 0.5, 0.2, 0.4))]
    for one in edits:
        late.add(CandidateResult(one, "timeout"))
    assert late.take(1, 0.3) == [edits[1]]
    assert late.take(9, 0.3) == [edits[3]]
    assert not late


@given(st.lists(st.binary(max_size=9).map(lambda data: data.replace(b"0", b"\n"))))
def test_lines_do_not_depend_on_chunk_boundaries(parts: list[bytes]) -> None:
    lines = LineBuffer()
    results = [line for part in parts for line in lines.take(part)]
    *whole, rest = b"".join(parts).split(b"\n")
    assert results == whole
    assert lines.length == len(rest)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1, 10**400, True, None, "1"])
def test_invalid_number_of_seconds_is_refused(value: object) -> None:
    assert not is_bounded_number(value)
    assert is_bounded_number(0)
    assert is_bounded_number(1.5)
