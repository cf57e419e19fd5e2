"""Restoration of data that tests change on every run, so that one process can evaluate many candidates."""

from __future__ import annotations

import collections
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.experiment.evaluator.candidate_evaluator import Candidate, Evaluator, TimeLimits
from extensions.experiment.guest.changing_state import PLAIN, StateSnapshot
from extensions.experiment.source.source_file import Source

PYTEST = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
LIBRARY = """\
REGISTRY = {}
ALL = []
MADE = None


class Base:
    kinds = set()


class Shelf:
    def __init__(self):
        self.made = None


SHELF = Shelf()


def register(name):
    global MADE
    if MADE is None:
        MADE = SHELF.made = object()
    REGISTRY[name] = [type(name, (Base,), {})]
    ALL.append(name)
    Base.kinds.add(name)
    Base.last = name
    return len(REGISTRY) + len(ALL) + len(Base.kinds) + 9
"""
TESTS = """\
import os
import time

import lib


def test_register():
    with open({pids!r}, "a") as pids:
        print(os.getpid(), file=pids)
    assert lib.register(str(time.time_ns())) == 3
"""


def edit(new: str) -> Candidate:
    start = LIBRARY.index("9")
    ((function, _),) = [one for one in Source("lib.py", LIBRARY.encode()).functions if one[0].name == "register"]
    return Candidate("lib.py", ((start, start + 1, new),), "", 1, function)


@pytest.mark.slow
def test_one_process_evaluates_many_candidates_that_register_state(
    make_repo: Callable[..., Path], open_ws: Callable[..., Any], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    workspace = open_ws("local", make_repo({"lib.py": LIBRARY, "test_lib.py": TESTS.format(pids=str(pids))}))
    test = "test_lib.py::test_register"
    edits = [edit(str(number)) for number in (*range(10, 50), 0, *range(50, 90))]
    with Evaluator(workspace, PYTEST, [test], Event()) as evaluator:
        results = list(evaluator.evaluate(iter(edits), [test], [], TimeLimits({test: 1.0})))
    assert [result.candidate for result in results if result.verdict == "plausible"] == [edit("0")]
    assert {result.verdict for result in results} == {"plausible", "fail"}
    assert len(set(pids.read_text().split())) < len(edits) / 4


containers = st.one_of(
    *(st.lists(st.integers(0, 9)).map(kind) for kind in (list, set, collections.deque)),
    *(st.dictionaries(st.integers(0, 9), st.integers()).map(kind) for kind in (dict, collections.OrderedDict)),
    st.dictionaries(st.integers(0, 9), st.integers()).map(lambda value: collections.defaultdict(list, value)),
)


@given(containers, st.lists(st.integers(0, 12)))
def test_snapshot_restores_contents_of_containers(value: Any, changes: list[int]) -> None:
    assert type(value) in PLAIN
    before = value.copy()
    snapshot = StateSnapshot()
    snapshot.add(value)
    for change in changes:
        if isinstance(value, dict):
            value.pop(change, None) if change % 2 else value.update({change: object()})
        elif isinstance(value, set):
            value ^= {change}
        else:
            value.append(change) if change % 2 or not value else value.pop()
    assert bool(snapshot.changed()) == (list(value) != list(before) or value != before)
    snapshot.add_restless([id(value), 7])
    snapshot.restore()
    assert value == before
    assert not isinstance(value, dict) or list(value) == list(before)
    assert not snapshot.changed()


def test_only_restless_values_are_restored() -> None:
    class Settings:
        count = 0

    other = [1]
    snapshot = StateSnapshot()
    snapshot.add(Settings)
    snapshot.add(other)
    snapshot.add_restless([id(Settings)])
    Settings.count, Settings.more = 1, 2  # type: ignore[attr-defined]
    other.append(2)
    snapshot.restore()
    assert Settings.count == 0
    assert not hasattr(Settings, "more")
    assert snapshot.changed() == [id(other)]
