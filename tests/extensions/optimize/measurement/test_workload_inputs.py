"""Recording, variation and scaling of calls, with real commands in a real workspace."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Sequence

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.target_function import Target
from aci.runtime.workspace import Workspace
from extensions.experiment.canonical_values import format_value
from extensions.optimize.measurement import workload_inputs
from extensions.optimize.measurement.efficiency import fit_growth
from extensions.optimize.measurement.equivalence import collect_answers, describe_differences, raised_explicitly
from extensions.optimize.measurement.input_calls import InputCall
from extensions.optimize.measurement.instruction_count import count_calls
from extensions.optimize.measurement.workload_inputs import (
    allowed_numbers,
    benchmark_command,
    record_calls,
    scale_calls,
    vary_calls,
)
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
def workspace(make_repo: MakeRepo, open_ws: OpenWorkspace) -> PosixWorkspace:
    return open_ws("local", make_repo(FILES))


def core(name: str) -> Target:
    return Target("shop/core.py", name)


def call_texts(workspace: Workspace, target: Target, calls: Sequence[InputCall]) -> list[str]:
    return sorted(answer.call for answer in collect_answers(workspace, target, calls))


def call_results(workspace: Workspace, calls: Sequence[InputCall], name: str, **more: str) -> list[str]:
    return [
        f"{answer.call} -> {format_value(answer.value)}" for answer in collect_answers(workspace, core(name), calls)
    ]


def test_calls_made_by_tests_are_recorded(workspace: PosixWorkspace) -> None:
    messages: list[str] = []
    calls = record_calls(workspace, core("dedupe"), PYTEST, say=messages.append)
    results = call_texts(workspace, core("dedupe"), calls)
    assert results[:2] == ["dedupe('fails')", "dedupe(['h', 'e', 'l', 'l', 'o', ' ', 'w', 'o', 'r', 'l', 'd'])"]
    assert results[2] == "dedupe(['in a thread'])"
    assert results[3].startswith("dedupe([0, 1, 2, 3,")
    assert results[4:] == ["dedupe([1, 2, 1])", "dedupe([])"]
    assert {call.origin for call in calls} == {"recorded"}
    assert "ended with 1 while calls of shop/core.py:dedupe were recorded" in messages[0]
    assert len(messages) == 1


def test_repeated_calls_are_counted_and_unpicklable_ones_skipped(workspace: PosixWorkspace) -> None:
    messages: list[str] = []
    calls = record_calls(workspace, core("total"), f"{UNITTEST} -k test_calls", say=messages.append, origin="test")
    assert sorted(call_results(workspace, calls, "total"))[0] == "total([1, 2, 3]) -> 6"
    assert sorted(call_results(workspace, calls, "total"))[1].endswith("-> 30")
    assert sorted((call.times, call.origin) for call in calls) == [(1, "test"), (2, "test")]
    assert messages == ["1 of 4 calls were not recorded: \"TypeError: cannot pickle 'generator' object\""]


CALLED = {
    "pairs": 2,
    "walk": 1,  # only the outermost call
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
def test_calls_of_every_kind_of_function_are_recorded(name: str, workspace: PosixWorkspace) -> None:
    calls = record_calls(workspace, core(name), f"{UNITTEST} -k test_calls")
    assert len(calls) == CALLED[name]
    assert {one.kind for one in collect_answers(workspace, core(name), calls)} == {"returned"}


def test_arguments_are_recorded_as_before_call(workspace: PosixWorkspace) -> None:
    assert call_texts(workspace, core("hold"), record_calls(workspace, core("hold"), UNITTEST)) == ["hold([1, 2])"]


def test_properties_and_uncalled_functions_are_reported(workspace: PosixWorkspace) -> None:
    messages: list[str] = []
    for name in ("Cart.first", "never", "no_such"):
        assert record_calls(workspace, core(name), f"{UNITTEST} -k test_calls", say=messages.append) == ()
    assert messages[0] == "Calls of shop/core.py:Cart.first cannot be recorded: 'it is a property, not a function'"
    assert messages[1] == "The command does not call shop/core.py:never."
    assert "it was not found: KeyError" in messages[2]
    assert record_calls(workspace, core("never"), "python -I -S -c 1", say=messages.append) == ()
    assert messages[3] == "No Python process of the command could record calls."


def test_calls_in_scripts_and_child_processes_are_recorded(workspace: PosixWorkspace) -> None:
    calls = record_calls(workspace, core("dedupe"), "python script.py")
    results = call_texts(workspace, core("dedupe"), calls)
    assert results == ["dedupe(['in a child'])", "dedupe([5])", "dedupe([script.Mine(value=3)])"]
    here = Target("script.py", "here")
    mine = record_calls(workspace, here, "python script.py")
    assert call_texts(workspace, here, mine) == ["here(script.Mine(value=1), 3)", "here(script.Mine(value=2))"]
    assert [format_value(one.value) for one in collect_answers(workspace, here, mine)] in (["4", "4"],)
    # The pickle can be loaded in the module of the function and in any other process that starts in the root.
    workspace.write("call.pickle", calls[0].data)
    line = f'cd {workspace.root} && python -c \'import pickle; print(pickle.load(open("call.pickle", "rb")))\''
    assert workspace.run(line).text.startswith("(([")


def test_recorded_calls_are_limited_and_of_all_sizes(workspace: PosixWorkspace) -> None:
    workspace.write("many.py", b"from shop.core import dedupe\nfor n in range(3000): dedupe(list(range(n % 700)))\n")
    messages: list[str] = []
    calls = record_calls(workspace, core("dedupe"), "python many.py", most=12, say=messages.append)
    assert len(calls) == 12
    assert max(len(call.data) for call in calls) > 2 * min(len(call.data) for call in calls)
    assert max(call.times for call in calls) > 1
    assert "enough calls of that size were recorded" in messages[0]


def test_calls_recorded_before_timeout_are_returned(workspace: PosixWorkspace) -> None:
    workspace.write("slow.py", b"import time\nfrom shop.core import dedupe\ndedupe([1])\ntime.sleep(60)\n")
    messages: list[str] = []
    calls = record_calls(workspace, core("dedupe"), "python slow.py", timeout=3, say=messages.append)
    assert call_texts(workspace, core("dedupe"), calls) == ["dedupe([1])"]
    assert "took more than 3 s" in messages[0]


def test_recording_does_not_change_repository_or_its_sitecustomize(workspace: PosixWorkspace) -> None:
    workspace.write("sitecustomize.py", b"import os\nos.environ['OWN'] = 'yes'\n")
    before = workspace.snapshot(exact=True).tree
    workspace.write("own.py", b"import os\nfrom shop.core import dedupe\ndedupe([os.environ['OWN']])\n")
    calls = record_calls(workspace, core("dedupe"), "python own.py && rm own.py")
    assert call_texts(workspace, core("dedupe"), calls) == ["dedupe(['yes'])"]
    assert workspace.snapshot(exact=True).tree == before


def test_varied_calls_depend_only_on_seed(workspace: PosixWorkspace) -> None:
    calls = record_calls(workspace, core("dedupe"), UNITTEST)
    varied = vary_calls(workspace, core("dedupe"), calls, 25, seed=1)
    assert len(varied) == len({call.data for call in varied} - {call.data for call in calls}) == 25
    assert vary_calls(workspace, core("dedupe"), calls, 25, seed=1) == varied
    unseen = vary_calls(workspace, core("dedupe"), calls, 25, seed=2, origin="unseen")
    assert len({call.data for call in unseen} - {call.data for call in varied}) > 15
    assert {call.origin for call in unseen} == {"unseen"}
    first, again = (collect_answers(workspace, core("dedupe"), varied) for _ in range(2))
    assert describe_differences(first, again) == []
    kinds = [one.kind for one in first]
    assert kinds.count("returned") == 25  # the interpreter fails only on types that were never recorded


@pytest.mark.parametrize(("seconds", "most"), [(0.0, 10), (600.0, 40)])
def test_fewer_calls_are_derived_for_slow_function(
    workspace: PosixWorkspace, monkeypatch: pytest.MonkeyPatch, seconds: float, most: int
) -> None:
    monkeypatch.setattr(workload_inputs, "VARYING_SECONDS", seconds)
    monkeypatch.setattr(workload_inputs, "LEAST_VARIED", 10)
    calls = record_calls(workspace, core("dedupe"), UNITTEST)
    varied = vary_calls(workspace, core("dedupe"), calls, 40, seed=1)
    assert most / 2 <= len(varied) <= most


def test_derived_calls_that_raise_are_few_and_strange_ones_raise_explicitly(workspace: PosixWorkspace) -> None:
    body = "def check(n, items):\n    if type(n) is not int or n > 5: raise ValueError(n)\n    return items[n]\n"
    workspace.write("shop/core.py", (FILES["shop/core.py"] + body).encode())
    workspace.write("few.py", b"from shop.core import check\nfor n in range(4): check(n, [4, 1, n, 7])\n")
    calls = record_calls(workspace, core("check"), "python few.py")
    varied = vary_calls(workspace, core("check"), calls, 50, seed=1)
    answers = collect_answers(workspace, core("check"), varied)
    strange = [one for one in answers if one.strange]
    assert 0 < len(strange) <= 5
    assert all(raised_explicitly(one) for one in strange)
    errors = {one.value[1] for one in answers if one.kind == "raised"}
    assert errors == {"builtins.ValueError", "builtins.IndexError"}
    assert sum(one.kind == "raised" for one in answers) - len(strange) <= 10


WRONG = {
    "the order is lost": "return sorted(set(items), key=repr)",
    "unhashable items raise": "return list(dict.fromkeys(items))",
    "one item is missing": "return list(dict.fromkeys(items[:-1])) if len(items) > 6 else dedupe_(items)",
    "True is not 1": "return [x for n, x in enumerate(items) if (type(x), x) not in [(type(y), y) for y in items[:n]]]",
    "a tuple is returned": "return tuple(dedupe_(items)) if not items else dedupe_(items)",
}
MORE = "\ndef dedupe_(items):\n    return [x for n, x in enumerate(items) if x not in items[:n]]\n"


@pytest.mark.parametrize("wrong", WRONG)
def test_varied_calls_expose_wrong_candidates(wrong: str, workspace: PosixWorkspace) -> None:
    """Three harmless recorded calls do not show the error; calls varied from them do."""
    workspace.write(
        "few.py", b"from shop.core import dedupe\ndedupe([1, [2], True]), dedupe(list('abca')), dedupe([])\n"
    )
    calls = record_calls(workspace, core("dedupe"), "python few.py")
    varied = (*calls, *vary_calls(workspace, core("dedupe"), calls, 60, seed=3))
    before = collect_answers(workspace, core("dedupe"), varied)
    source = FILES["shop/core.py"]
    body = "def dedupe(items):\n"
    start, end = source.index(body), source.index("def join")
    workspace.write("shop/core.py", (source[:start] + body + f"    {WRONG[wrong]}\n\n" + source[end:] + MORE).encode())
    assert describe_differences(before, collect_answers(workspace, core("dedupe"), varied))


GROWING = {
    "dedupe": "argument 1",
    "join": "argument 1, argument 2",
    "steps": "argument 1",
    "Cart.has": "argument 1.items",
}


@pytest.mark.parametrize("name", GROWING)
def test_argument_that_drives_cost_is_found_and_scaled(name: str, workspace: PosixWorkspace) -> None:
    messages: list[str] = []
    calls = record_calls(workspace, core(name), UNITTEST)
    results = scale_calls(workspace, core(name), calls, [100, 200, 400], say=messages.append)
    assert [(call.size, call.origin) for call in results] == [(100, "grown"), (200, "grown"), (400, "grown")]
    assert messages == [f"shop/core.py:{name}: 'growing part: {GROWING[name]}'"]
    assert {one.kind for one in collect_answers(workspace, core(name), results)} == {"returned"}


def test_scaled_lists_stay_distinct_and_ordered(workspace: PosixWorkspace) -> None:
    body = FILES["shop/core.py"] + "\ndef look(items):\n    for x in items: pass\n    return items\n"
    workspace.write("shop/core.py", body.encode())
    lists = [[5, 3, 9], [1, 4, 6], [9, 5, 2], [1, 1, 2], ["b", "a"], [(1, "x"), (2, "y")], [1.5, 0.5], [7, 7]]
    for one in lists:
        workspace.write("one.py", f"from shop.core import look\nlook({one!r})\n".encode())
        (call,) = record_calls(workspace, core("look"), "python one.py")
        (large,) = scale_calls(workspace, core("look"), [call], [60])
        answer = collect_answers(workspace, core("look"), [large])[0]
        workspace.write("shown.py", b"import pickle\nprint(pickle.load(open('large', 'rb'))[0][0])\n")
        workspace.write("large", large.data)
        values = ast.literal_eval(workspace.run(f"cd {workspace.root} && python shown.py").text)
        assert answer.kind == "returned"
        assert len(values) == 60
        assert set(one) <= set(values)
        assert len(set(values)) * len(one) == len(set(one)) * 60 or one == [7, 7]
        for order in (False, True):
            assert (values == sorted(values, reverse=order)) == (one == sorted(one, reverse=order))


def test_scaling_stops_when_function_takes_too_long(workspace: PosixWorkspace) -> None:
    messages: list[str] = []
    calls = record_calls(workspace, core("dedupe"), UNITTEST)
    results = scale_calls(workspace, core("dedupe"), calls, [100, 200, 400000], limit=0.5, say=messages.append)
    assert [call.size for call in results] == [100, 200]
    assert "took too long" in messages[1]
    calls = record_calls(workspace, core("Cart.rate"), UNITTEST)
    assert scale_calls(workspace, core("Cart.rate"), calls, [100], say=messages.append) == ()
    assert messages[2].endswith("'no argument was found that makes the work grow'")


def test_exponential_function_gets_sizes_that_are_closer_to_each_other(workspace: PosixWorkspace) -> None:
    body = "def ways(graph, node):\n    return 1 + sum([ways(graph, one) for one in graph.get(node, [])])\n"
    graph = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}
    workspace.write("shop/core.py", (FILES["shop/core.py"] + body).encode())
    workspace.write("one.py", f"from shop.core import ways\nways({graph!r}, 'a')\n".encode())
    calls = record_calls(workspace, core("ways"), "python one.py")
    messages: list[str] = []
    sizes = [8, 16, 32, 64, 128, 256]
    few = scale_calls(workspace, core("ways"), calls, sizes, say=messages.append)
    assert [call.size for call in few] == sizes[: len(few)]
    assert 0 < len(few) < 5
    assert "took too long" in messages[-1]
    results = scale_calls(workspace, core("ways"), calls, sizes, least=5)
    found = [call.size for call in results]
    assert len(found) >= 5
    assert found == sorted({*found, *sizes[: len(few)]})


def test_types_of_numbers_that_annotations_allow_are_read() -> None:
    source = """
Cell = str | int | float | bool | None
Row = dict[str, Cell]
def f(self, rows: list[Row], n: int, pair: tuple[int, float], *, more: Union[int, float], some: Any, name: str | int):
    pass
"""
    many, two = ["bool", "float", "int"], ["float", "int"]
    found = allowed_numbers(source.encode(), Target("a.py", "f"))
    assert found == {
        "0": ["any"],
        "self": ["any"],
        "1": many,
        "rows": many,
        "4": two,
        "more": two,
        "5": ["any"],
        "some": ["any"],
    }
    assert allowed_numbers(b"def f(:", Target("a.py", "f")) == {}


def test_async_functions_are_refused_with_reason(workspace: PosixWorkspace) -> None:
    body = "async def later(n): return n\nasync def each(n): yield n\n"
    workspace.write("waits.py", body.encode())
    workspace.write("use.py", b"import asyncio, waits\nasyncio.run(waits.later(1))\nwaits.each(1)\n")
    workspace.write(
        "script.py", body.encode() + b"import asyncio\nif __name__ == '__main__': asyncio.run(later(1)), each(1)\n"
    )
    for file, command in (("waits.py", "python use.py"), ("script.py", "python script.py")):
        for name in ("later", "each"):
            messages: list[str] = []
            assert record_calls(workspace, Target(file, name), command, say=messages.append) == ()
            assert messages[0].startswith(f"Calls of {file}:{name} cannot be recorded: 'it is async")


def test_large_calls_are_varied_and_scaled_within_limits(workspace: PosixWorkspace) -> None:
    workspace.write(
        "large.py", b"from shop.core import ordered\nfor n in range(3): ordered(list(range(n, 50000 + n)))\n"
    )
    calls = record_calls(workspace, core("ordered"), "python large.py")
    assert len(calls) == 3
    varied = vary_calls(workspace, core("ordered"), calls, 150, seed=1)
    assert len(varied) > 10
    assert sum(len(call.data) for call in varied) <= 8 << 20
    messages: list[str] = []
    sizes = [200_000, 1_000_000, 2_000_000, 2_500_000]
    workspace.write("shop/core.py", (FILES["shop/core.py"] + "\ndef look(items):\n    for x in items: pass\n").encode())
    results = scale_calls(workspace, core("look"), calls, sizes, limit=10, say=messages.append)
    assert [call.size for call in results] == sizes[: len(results)]
    assert 2 <= len(results) < 4
    assert "left out" in messages[-1]


def test_long_texts_and_warnings_are_compared_within_limits(workspace: PosixWorkspace) -> None:
    body = "\ndef emit(x):\n    import warnings\n    print(x)\n    warnings.warn(x)\n    return x\n"
    workspace.write("shop/core.py", (FILES["shop/core.py"] + body).encode())
    long = [InputCall(pickle.dumps((("\u4e2d" * 1_000_000 + str(n),), {}), 4), "recorded") for n in range(8)]
    before = collect_answers(workspace, core("emit"), long)
    assert {one.kind for one in before} == {"returned"}
    assert describe_differences(before, collect_answers(workspace, core("emit"), long)) == []
    workspace.write("shop/core.py", (FILES["shop/core.py"] + body.replace("warn(x)", "warn(x + '.')")).encode())
    assert len(describe_differences(before, collect_answers(workspace, core("emit"), long))) == 8


def test_single_large_call_is_varied(workspace: PosixWorkspace) -> None:
    workspace.write("large.py", b"from shop.core import ordered\nordered(list(range(250000)))\n")
    calls = record_calls(workspace, core("ordered"), "python large.py")
    assert len(calls[0].data) > 1 << 20
    assert vary_calls(workspace, core("ordered"), calls, 3, seed=1)


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
def test_benchmark_is_run_once_without_its_framework(node: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    workspace = open_ws("local", make_repo({**FILES, **BENCHMARKS}))
    messages: list[str] = []
    calls = record_calls(workspace, core("dedupe"), benchmark_command(workspace, node), say=messages.append)
    assert (call_texts(workspace, core("dedupe"), calls), [call.times for call in calls], messages) == (
        [NODES[node]],
        [1],
        [],
    )


@pytest.mark.parametrize("node", ["tests/test_bench.py::test_dedupe", "bench/asv/sets.py::Suite.time_dedupe"])
def test_benchmark_command_runs_in_other_workspaces(
    node: str, kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace
) -> None:
    """The command names no folder of the workspace that created it, which may no longer exist."""
    workspace = open_ws(kind, make_repo({**FILES, **BENCHMARKS}))
    command, tree = benchmark_command(workspace, node), workspace.snapshot().tree
    assert workspace.root not in command
    assert workspace.harness not in command
    for _ in range(2):
        fork = workspace.fork(tree)
        try:
            messages: list[str] = []
            calls = record_calls(fork, core("dedupe"), command, say=messages.append)
            assert (call_texts(fork, core("dedupe"), calls), messages) == ([NODES[node]], [])
        finally:
            fork.close()


@pytest.mark.parametrize("node", ["tests/no.py::test_x", "no.Suite.time_x", "x"])
def test_unknown_benchmark_is_refused(node: str, workspace: PosixWorkspace) -> None:
    with pytest.raises(UsageError):
        benchmark_command(workspace, node)


@pytest.mark.docker
def test_calls_are_recorded_varied_and_scaled_in_container(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    workspace = open_ws("docker", make_repo(FILES))
    calls = record_calls(workspace, core("dedupe"), UNITTEST.replace("python ", "python3 "))
    assert "dedupe([1, 2, 1])" in call_texts(workspace, core("dedupe"), calls)
    assert len(vary_calls(workspace, core("dedupe"), calls, 10, seed=1)) == 10
    assert len(scale_calls(workspace, core("dedupe"), calls, [50, 100])) == 2
    # A fork is another container or folder; the recorded calls work there unchanged.
    fork = workspace.fork(workspace.snapshot().tree)
    try:
        assert (
            describe_differences(
                collect_answers(workspace, core("dedupe"), calls), collect_answers(fork, core("dedupe"), calls)
            )
            == []
        )
    finally:
        fork.close()


RELATED = """\
def joined(orders, customers):
    found = []
    for order in orders:
        for customer in customers:
            if customer["id"] == order["customer"]:
                found.append((order["id"], customer["name"]))
    return found

def pairs(items):
    found = []
    for place, one in enumerate(items):
        for other in items[:place]:
            if one == other:
                found.append(one)
    return found

def first(items, count):
    return [one for one in items[:count] for other in items[:count] if one == other]

def cells(table, rows, columns):
    return sum(table[row][column] for row in range(rows) for column in range(columns))
"""
CALLS_OF_RELATED = {
    "joined": (
        '[{"id": n, "customer": n * 10 % 40} for n in range(6)], [{"id": n * 10, "name": f"c{n}"} for n in range(4)]',
        2.0,
    ),
    "pairs": ('["item1", "item11", "item2"]', 2.0),
    "first": ("[4, 5, 6, 7], 4", 2.0),
    "cells": ("[[1, 2, 3], [4, 5, 6]], 2, 3", 2.0),
}


@pytest.mark.parametrize("name", CALLS_OF_RELATED)
def test_related_arguments_grow_together_as_known_cost(name: str, workspace: PosixWorkspace) -> None:
    """The growth of the counted opcodes is that of the known cost, with five sizes at least."""
    arguments, exponent = CALLS_OF_RELATED[name]
    workspace.write("related.py", RELATED.encode())
    workspace.write("one.py", f"import related\nrelated.{name}({arguments})\n".encode())
    target = Target("related.py", name)
    calls = record_calls(workspace, target, "python one.py")
    large = scale_calls(workspace, target, calls, [8, 16, 32, 64, 128])
    assert len(large) == 5
    counts = count_calls(workspace, target, large, backend="opcodes").calls
    assert abs(fit_growth([call.size for call in large], [each.warm for each in counts]).exponent - exponent) < 0.2
    answers = collect_answers(workspace, target, large)
    assert {one.kind for one in answers} == {"returned"}
    if name == "pairs":
        assert format_value(answers[-1].value) == "[]"  # distinct texts stay distinct
    if name == "joined":
        assert format_value(answers[0].value).count("c") >= 8  # orders still refer to customers
