"""Calls recorded from real commands, changed and grown, in a real workspace."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Sequence

import pytest

from aci.performance.canonical_values import format_value
from aci.performance.equivalence import collect_answers, describe_differences
from aci.performance.target_function import Target
from aci.performance.workload_inputs import InputCall, benchmark_command, record_calls, scale_calls, vary_calls
from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.workspace import Workspace
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import UsageError

pytestmark = pytest.mark.slow

FILES = {
    "shop/__init__.py": "from shop.core import total, pairs\n",
    "shop/core.py": '''\
import functools

def decorated(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)
    return inner

def total(items, key=None):
    found = 0
    for item in items:
        found += key(item) if key else item
    return found

def pairs(items):
    for one in items:
        for other in items:
            if one < other:
                yield one, other

def walk(tree):
    yield tree[0]
    for branch in tree[1:]:
        yield from walk(branch)

def dedupe(items):
    found = []
    for item in items:
        if item not in found:
            found.append(item)
    return found

def join(left, right):
    return [(a, b) for a, b in zip(left, right, strict=True) if b not in left]

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def steps(n):
    return sum(range(n)) + len([0 for _ in range(n)])

def ordered(items):
    return sorted(items)

def hold(items):
    items.clear()

@functools.lru_cache(None)
def memo(n):
    return n * 2

@decorated
def wrapped(a, *, b=2):
    return a + b

def never():
    pass

class Cart:
    def __reduce__(self):
        return type(self), (self.items,)

    def __init__(self, items):
        self.items = items

    def add(self, item):
        self.items.append(item)
        return self

    def has(self, item):
        return item in self.items

    @classmethod
    def make(cls, n):
        return cls(list(range(n)))

    @staticmethod
    def rate(price):
        return price / 3

    @property
    def first(self):
        return self.items[0]

class Double(Cart):
    def add(self, item):
        return super().add(item * 2)
''',
    "tests/test_it.py": '''\
import inspect, threading, unittest
from shop import total, pairs
from shop.core import *
from shop.core import walk

class Local:
    def __init__(self, value):
        self.value = value
    def __lt__(self, other):
        return self.value < other.value

class T(unittest.TestCase):
    def test_calls(self):
        k = 5
        total([1, 2, 3]), total([1, 2, 3]), total([1, 2, 3], key=lambda x: x * k), total(x for x in [1, 2])
        list(pairs([3, 1, 2])), list(pairs([Local(1), Local(2)])), list(walk([1, [2, [3]], [4]]))
        dedupe([1, 2, 1]), dedupe([]), dedupe(list("hello world")), dedupe(list(range(500)))
        join([3, 1, 2], [1, 2, 3]), fib(12), steps(4), ordered([3, 1]), memo(3), memo(3), wrapped(1, b=3)
        hold([1, 2])
        Cart([1]).add(2).add(3), Double([]).add(4), Cart([4]).has(1), Cart.make(3), Cart.rate(2), Cart([7]).first
        threading.Thread(target=dedupe, args=(["in a thread"],)).start()

    def test_that_fails(self):
        dedupe("fails")
        self.assertEqual(list(inspect.signature(total).parameters), ["items"])
''',
    "script.py": '''\
import multiprocessing, os, sys
from shop.core import Cart, dedupe

class Mine:
    def __init__(self, value):
        self.value = value

def here(mine, n=1):
    return mine.value + (here(mine, n - 1) if n else 0)

if __name__ == "__main__":
    here(Mine(1), 3)
    here(Mine(2))
    dedupe([Mine(3)])
    child = multiprocessing.get_context("fork").Process(target=dedupe, args=(["in a child"],))
    child.start(); child.join()
    os.system(sys.executable + " -c 'import shop.core; shop.core.dedupe([5])'")
    sys.exit(4)
''',
}  # fmt: skip
UNITTEST = "python -m unittest discover -s tests"
PYTEST = "python -m pytest -q -p no:cacheprovider tests"


@pytest.fixture
def room(make_repo: MakeRepo, open_ws: OpenWorkspace) -> PosixWorkspace:
    return open_ws("local", make_repo(FILES))


def core(name: str) -> Target:
    return Target("shop/core.py", name)


def seen(room: Workspace, target: Target, calls: Sequence[InputCall]) -> list[str]:
    return sorted(answer.call for answer in collect_answers(room, target, calls))


def given(room: Workspace, calls: Sequence[InputCall], name: str, **more: str) -> list[str]:
    return [f"{answer.call} -> {format_value(answer.value)}" for answer in collect_answers(room, core(name), calls)]


def test_what_function_got_from_tests(room: PosixWorkspace) -> None:
    told: list[str] = []
    calls = record_calls(room, core("dedupe"), PYTEST, say=told.append)
    found = seen(room, core("dedupe"), calls)
    assert found[:2] == ["dedupe('fails')", "dedupe(['h', 'e', 'l', 'l', 'o', ' ', 'w', 'o', 'r', 'l', 'd'])"]
    assert found[2] == "dedupe(['in a thread'])"
    assert found[3].startswith("dedupe([0, 1, 2, 3,")
    assert found[4:] == ["dedupe([1, 2, 1])", "dedupe([])"]
    assert {call.origin for call in calls} == {"recorded"}
    assert "ended with 1 while calls of shop/core.py:dedupe were recorded" in told[0]
    assert len(told) == 1


def test_unittest_lambdas_counts_and_what_cannot_be_kept(room: PosixWorkspace) -> None:
    told: list[str] = []
    calls = record_calls(room, core("total"), f"{UNITTEST} -k test_calls", say=told.append, origin="test")
    assert sorted(given(room, calls, "total"))[0] == "total([1, 2, 3]) -> 6"
    assert sorted(given(room, calls, "total"))[1].endswith("-> 30")
    assert sorted((call.times, call.origin) for call in calls) == [(1, "test"), (2, "test")]
    assert told == ["1 of 4 calls were not kept: \"TypeError: cannot pickle 'generator' object\""]


CALLED = {
    "pairs": 2,
    "walk": 1,  # the outermost call alone
    "fib": 1,
    "memo": 1,
    "wrapped": 1,
    "Cart.add": 3,
    "Double.add": 1,
    "Cart.__init__": 5,
    "Cart.make": 1,
    "Cart.rate": 1,
}


@pytest.mark.parametrize("name", CALLED)
def test_all_kinds_of_functions(name: str, room: PosixWorkspace) -> None:
    calls = record_calls(room, core(name), f"{UNITTEST} -k test_calls")
    assert len(calls) == CALLED[name]
    assert {one.kind for one in collect_answers(room, core(name), calls)} == {"returned"}


def test_arguments_are_kept_as_they_were_before_call(room: PosixWorkspace) -> None:
    assert seen(room, core("hold"), record_calls(room, core("hold"), UNITTEST)) == ["hold([1, 2])"]


def test_property_and_function_that_nobody_calls_are_told_of(room: PosixWorkspace) -> None:
    told: list[str] = []
    for name in ("Cart.first", "never", "no_such"):
        assert record_calls(room, core(name), f"{UNITTEST} -k test_calls", say=told.append) == ()
    assert told[0] == "Calls of shop/core.py:Cart.first cannot be recorded: 'it is a property, not a function'"
    assert told[1] == "The command does not call shop/core.py:never."
    assert "it was not found: KeyError" in told[2]
    assert record_calls(room, core("never"), "python -I -S -c 1", say=told.append) == ()
    assert told[3] == "Calls could be recorded in no Python process of the command."


def test_script_its_own_classes_and_processes_it_starts(room: PosixWorkspace) -> None:
    calls = record_calls(room, core("dedupe"), "python script.py")
    found = seen(room, core("dedupe"), calls)
    assert found == ["dedupe(['in a child'])", "dedupe([5])", "dedupe([script.Mine(value=3)])"]
    here = Target("script.py", "here")
    mine = record_calls(room, here, "python script.py")
    assert seen(room, here, mine) == ["here(script.Mine(value=1), 3)", "here(script.Mine(value=2))"]
    assert [format_value(one.value) for one in collect_answers(room, here, mine)] in (["4", "4"],)
    # Loaded in the function's own module, or in any other process that starts in the root.
    room.write("kept", calls[0].data)
    line = f'cd {room.root} && python -c \'import pickle; print(pickle.load(open("kept", "rb")))\''
    assert room.run(line).text.startswith("(([")


def test_calls_are_bounded_and_of_all_sizes(room: PosixWorkspace) -> None:
    room.write("many.py", b"from shop.core import dedupe\nfor n in range(3000): dedupe(list(range(n % 700)))\n")
    told: list[str] = []
    calls = record_calls(room, core("dedupe"), "python many.py", most=12, say=told.append)
    assert len(calls) == 12
    assert max(len(call.data) for call in calls) > 2 * min(len(call.data) for call in calls)
    assert max(call.times for call in calls) > 1
    assert "enough calls of that size were recorded" in told[0]


def test_what_was_recorded_before_time_was_up_counts(room: PosixWorkspace) -> None:
    room.write("slow.py", b"import time\nfrom shop.core import dedupe\ndedupe([1])\ntime.sleep(60)\n")
    told: list[str] = []
    calls = record_calls(room, core("dedupe"), "python slow.py", timeout=3, say=told.append)
    assert seen(room, core("dedupe"), calls) == ["dedupe([1])"]
    assert "took more than 3 s" in told[0]


def test_recording_does_not_change_repository_or_its_sitecustomize(room: PosixWorkspace) -> None:
    room.write("sitecustomize.py", b"import os\nos.environ['OWN'] = 'yes'\n")
    before = room.snapshot(exact=True).tree
    room.write("own.py", b"import os\nfrom shop.core import dedupe\ndedupe([os.environ['OWN']])\n")
    calls = record_calls(room, core("dedupe"), "python own.py && rm own.py")
    assert seen(room, core("dedupe"), calls) == ["dedupe(['yes'])"]
    assert room.snapshot(exact=True).tree == before


def test_further_calls_are_same_for_same_seed_and_others_for_another(room: PosixWorkspace) -> None:
    calls = record_calls(room, core("dedupe"), UNITTEST)
    wide = vary_calls(room, core("dedupe"), calls, 25, seed=1)
    assert len(wide) == len({call.data for call in wide} - {call.data for call in calls}) == 25
    assert vary_calls(room, core("dedupe"), calls, 25, seed=1) == wide
    unseen = vary_calls(room, core("dedupe"), calls, 25, seed=2, origin="unseen")
    assert len({call.data for call in unseen} - {call.data for call in wide}) > 15
    assert {call.origin for call in unseen} == {"unseen"}
    first, again = (collect_answers(room, core("dedupe"), wide) for _ in range(2))
    assert describe_differences(first, again) == []
    kinds = [one.kind for one in first]
    assert 0 < kinds.count("raised") <= 5
    assert kinds.count("returned") >= 15


WRONG = {
    "the order is lost": "return sorted(set(items), key=repr)",
    "what is no hashable raises": "return list(dict.fromkeys(items))",
    "one is left out": "return list(dict.fromkeys(items[:-1])) if len(items) > 6 else dedupe_(items)",
    "True is not 1": "return [x for n, x in enumerate(items) if (type(x), x) not in [(type(y), y) for y in items[:n]]]",
    "a tuple comes back": "return tuple(dedupe_(items)) if not items else dedupe_(items)",
}
MORE = "\ndef dedupe_(items):\n    return [x for n, x in enumerate(items) if x not in items[:n]]\n"


@pytest.mark.parametrize("wrong", WRONG)
def test_further_calls_tell_wrong_candidates_from_original(wrong: str, room: PosixWorkspace) -> None:
    """From three harmless recorded calls: what they do not show, the calls made of them do."""
    room.write("few.py", b"from shop.core import dedupe\ndedupe([1, [2], True]), dedupe(list('abca')), dedupe([])\n")
    calls = record_calls(room, core("dedupe"), "python few.py")
    wide = (*calls, *vary_calls(room, core("dedupe"), calls, 60, seed=3))
    before = collect_answers(room, core("dedupe"), wide)
    source = FILES["shop/core.py"]
    body = "def dedupe(items):\n"
    start, end = source.index(body), source.index("def join")
    room.write("shop/core.py", (source[:start] + body + f"    {WRONG[wrong]}\n\n" + source[end:] + MORE).encode())
    assert describe_differences(before, collect_answers(room, core("dedupe"), wide))


GROWING = {
    "dedupe": "argument 1",
    "join": "argument 1, argument 2",
    "steps": "argument 1",
    "Cart.has": "argument 1.items",
}


@pytest.mark.parametrize("name", GROWING)
def test_what_makes_work_grow_is_found_and_scaled(name: str, room: PosixWorkspace) -> None:
    told: list[str] = []
    calls = record_calls(room, core(name), UNITTEST)
    found = scale_calls(room, core(name), calls, [100, 200, 400], say=told.append)
    assert [(call.size, call.origin) for call in found] == [(100, "grown"), (200, "grown"), (400, "grown")]
    assert told == [f"shop/core.py:{name}: 'growing part: {GROWING[name]}'"]
    assert {one.kind for one in collect_answers(room, core(name), found)} == {"returned"}


def test_what_is_distinct_or_ordered_stays_so(room: PosixWorkspace) -> None:
    body = FILES["shop/core.py"] + "\ndef look(items):\n    for x in items: pass\n    return items\n"
    room.write("shop/core.py", body.encode())
    lists = [[5, 3, 9], [1, 4, 6], [9, 5, 2], [1, 1, 2], ["b", "a"], [(1, "x"), (2, "y")], [1.5, 0.5], [7, 7]]
    for one in lists:
        room.write("one.py", f"from shop.core import look\nlook({one!r})\n".encode())
        (call,) = record_calls(room, core("look"), "python one.py")
        (large,) = scale_calls(room, core("look"), [call], [60])
        made = collect_answers(room, core("look"), [large])[0]
        room.write("shown.py", b"import pickle\nprint(pickle.load(open('large', 'rb'))[0][0])\n")
        room.write("large", large.data)
        values = ast.literal_eval(room.run(f"cd {room.root} && python shown.py").text)
        assert made.kind == "returned"
        assert len(values) == 60
        assert set(one) <= set(values)
        assert len(set(values)) * len(one) == len(set(one)) * 60 or one == [7, 7]
        for order in (False, True):
            assert (values == sorted(values, reverse=order)) == (one == sorted(one, reverse=order))


def test_growth_ends_where_function_takes_too_long(room: PosixWorkspace) -> None:
    told: list[str] = []
    calls = record_calls(room, core("dedupe"), UNITTEST)
    found = scale_calls(room, core("dedupe"), calls, [100, 200, 400000], limit=0.5, say=told.append)
    assert [call.size for call in found] == [100, 200]
    assert "took too long" in told[1]
    calls = record_calls(room, core("Cart.rate"), UNITTEST)
    assert scale_calls(room, core("Cart.rate"), calls, [100], say=told.append) == ()
    assert told[2].endswith("'no argument was found that makes the work grow'")


def test_async_functions_are_refused_in_words(room: PosixWorkspace) -> None:
    body = "async def later(n): return n\nasync def each(n): yield n\n"
    room.write("waits.py", body.encode())
    room.write("use.py", b"import asyncio, waits\nasyncio.run(waits.later(1))\nwaits.each(1)\n")
    room.write(
        "script.py", body.encode() + b"import asyncio\nif __name__ == '__main__': asyncio.run(later(1)), each(1)\n"
    )
    for file, command in (("waits.py", "python use.py"), ("script.py", "python script.py")):
        for name in ("later", "each"):
            told: list[str] = []
            assert record_calls(room, Target(file, name), command, say=told.append) == ()
            assert told[0].startswith(f"Calls of {file}:{name} cannot be recorded: 'it is async")


def test_large_calls_are_changed_grown_and_answered_within_bounds(room: PosixWorkspace) -> None:
    room.write("large.py", b"from shop.core import ordered\nfor n in range(3): ordered(list(range(n, 50000 + n)))\n")
    calls = record_calls(room, core("ordered"), "python large.py")
    assert len(calls) == 3
    wide = vary_calls(room, core("ordered"), calls, 150, seed=1)
    assert len(wide) > 10
    assert sum(len(call.data) for call in wide) <= 8 << 20
    told: list[str] = []
    sizes = [200_000, 1_000_000, 2_000_000, 2_500_000]
    room.write("shop/core.py", (FILES["shop/core.py"] + "\ndef look(items):\n    for x in items: pass\n").encode())
    found = scale_calls(room, core("look"), calls, sizes, limit=10, say=told.append)
    assert [call.size for call in found] == sizes[: len(found)]
    assert 2 <= len(found) < 4
    assert "left out" in told[-1]


def test_long_texts_and_warnings_are_answered_within_bounds(room: PosixWorkspace) -> None:
    body = "\ndef tell(x):\n    import warnings\n    print(x)\n    warnings.warn(x)\n    return x\n"
    room.write("shop/core.py", (FILES["shop/core.py"] + body).encode())
    long = [InputCall(pickle.dumps((("\u4e2d" * 1_000_000 + str(n),), {}), 4), "recorded") for n in range(8)]
    before = collect_answers(room, core("tell"), long)
    assert {one.kind for one in before} == {"returned"}
    assert describe_differences(before, collect_answers(room, core("tell"), long)) == []
    room.write("shop/core.py", (FILES["shop/core.py"] + body.replace("warn(x)", "warn(x + '.')")).encode())
    assert len(describe_differences(before, collect_answers(room, core("tell"), long))) == 8


def test_what_is_only_large_is_changed_as_well(room: PosixWorkspace) -> None:
    room.write("large.py", b"from shop.core import ordered\nordered(list(range(250000)))\n")
    calls = record_calls(room, core("ordered"), "python large.py")
    assert len(calls[0].data) > 1 << 20
    assert vary_calls(room, core("ordered"), calls, 3, seed=1)


BENCHMARKS = {
    "tests/test_bench.py": """\
import pytest
from shop.core import dedupe, ordered
def test_dedupe(benchmark):
    assert benchmark(dedupe, [1, 1]) == [1]
def test_pedantic(benchmark):
    benchmark.pedantic(dedupe, args=([2],), rounds=100, iterations=5)
@pytest.mark.benchmark
def test_marked():
    dedupe([3])
@pytest.mark.benchmark(group="a")
@pytest.mark.parametrize("n", [4, 5])
def test_each(benchmark, n):
    @benchmark
    def run():
        dedupe([n])
""",
    "asv.conf.json": '{\n  // where\n  "version": 1, "benchmark_dir": "bench/asv"\n}\n',
    "bench/asv/sets.py": """\
from shop.core import dedupe
class Suite:
    params = ([6, 7], ["a"])
    param_names = ["n", "s"]
    def setup(self, n, s):
        if n == 7:
            raise NotImplementedError
        self.items = [n, s]
    def time_dedupe(self, n, s):
        dedupe(self.items)
def setup():
    global made
    made = [8]
def time_plain():
    dedupe(made)
time_plain.setup = setup
""",
    "pytest.ini": "[pytest]\naddopts = --benchmark-only\n",
}
NODES = {
    "tests/test_bench.py::test_dedupe": "dedupe([1, 1])",
    "tests/test_bench.py::test_pedantic": "dedupe([2])",
    "tests/test_bench.py::test_marked": "dedupe([3])",
    "tests/test_bench.py::test_each[5]": "dedupe([5])",
    "bench/asv/sets.py::Suite.time_dedupe": "dedupe([6, 'a'])",
    "sets.Suite.time_dedupe": "dedupe([6, 'a'])",
    "sets.time_plain": "dedupe([8])",
}


@pytest.mark.parametrize("node", NODES)
def test_benchmark_is_run_once_without_its_tool(node: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    room = open_ws("local", make_repo({**FILES, **BENCHMARKS}))
    told: list[str] = []
    calls = record_calls(room, core("dedupe"), benchmark_command(room, node), say=told.append)
    assert (seen(room, core("dedupe"), calls), [call.times for call in calls], told) == ([NODES[node]], [1], [])


@pytest.mark.parametrize("node", ["tests/test_bench.py::test_dedupe", "bench/asv/sets.py::Suite.time_dedupe"])
def test_benchmark_runs_in_other_rooms(node: str, kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    """It names no folder of the room that it was made in, which may be gone by then."""
    room = open_ws(kind, make_repo({**FILES, **BENCHMARKS}))
    command, tree = benchmark_command(room, node), room.snapshot().tree
    assert room.root not in command
    assert room.harness not in command
    for _ in range(2):
        fork = room.fork(tree)
        try:
            told: list[str] = []
            calls = record_calls(fork, core("dedupe"), command, say=told.append)
            assert (seen(fork, core("dedupe"), calls), told) == ([NODES[node]], [])
        finally:
            fork.close()


@pytest.mark.parametrize("node", ["tests/no.py::test_x", "no.Suite.time_x", "x"])
def test_benchmark_that_is_not_there(node: str, room: PosixWorkspace) -> None:
    with pytest.raises(UsageError):
        benchmark_command(room, node)


@pytest.mark.docker
def test_all_of_it_in_container(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    room = open_ws("docker", make_repo(FILES))
    calls = record_calls(room, core("dedupe"), UNITTEST.replace("python ", "python3 "))
    assert "dedupe([1, 2, 1])" in seen(room, core("dedupe"), calls)
    assert len(vary_calls(room, core("dedupe"), calls, 10, seed=1)) == 10
    assert len(scale_calls(room, core("dedupe"), calls, [50, 100])) == 2
    # A fork is another container at the same place, or another folder: calls are moved as they are.
    fork = room.fork(room.snapshot().tree)
    try:
        assert (
            describe_differences(
                collect_answers(room, core("dedupe"), calls), collect_answers(fork, core("dedupe"), calls)
            )
            == []
        )
    finally:
        fork.close()
