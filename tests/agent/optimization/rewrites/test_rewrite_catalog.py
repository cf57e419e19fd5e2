"""Rewrites of slow functions: what is proposed answers as what stood there did, on whatever it is given."""

from __future__ import annotations

import ast
import copy
import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aci.performance.target_function import Target, iter_functions
from agent.optimization.rewrites import rewrite_catalog as module
from agent.optimization.rewrites.rewrite_catalog import Rewrite, rewrites
from trajectories.errors import UsageError

SLOW = Path(__file__).parent / "slow"
HABITS = (SLOW / "habits.py").read_bytes()
MODULES = sorted(path.stem.removesuffix("_inputs") for path in SLOW.glob("*_inputs.py"))

small = st.integers(-3, 6)
numbers = st.lists(small, max_size=9)
words = st.lists(st.sampled_from(["a", "b", "ab", "ba", "c d", ""]), max_size=7)
text = st.text("abc ,", max_size=12)
graph = st.dictionaries(st.integers(0, 5), st.lists(st.integers(0, 5), max_size=3), max_size=5)
users = st.lists(st.fixed_dictionaries({"id": small, "name": st.sampled_from("xyz")}), max_size=5)
events = st.lists(st.fixed_dictionaries({"user": small, "what": small}), max_size=5)
offered = st.lists(st.fixed_dictionaries({"sku": small, "price": small, "vendor": small}), max_size=5)
grid = st.just([[0] * 4] * 4)
ON_NUMBERS = (
    *("unique", "unique2", "has_dup", "dups", "dups2", "mostcommon", "smallest_each", "running_median", "normalise"),
    *("zscores", "cumulative", "hist", "rank", "lis", "leaders"),
)
ARGUMENTS: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    **dict.fromkeys(ON_NUMBERS, st.tuples(numbers)),
    **dict.fromkeys(("common", "common2", "merge", "remove_all"), st.tuples(numbers, numbers)),
    "closest": st.tuples(numbers, numbers),
    **dict.fromkeys(("tup", "percent", "cnt", "steps"), st.tuples(numbers)),
    **dict.fromkeys(("common3", "isub"), st.tuples(numbers, numbers)),
    "pairs_seen": st.tuples(st.lists(st.tuples(small, small), max_size=6)),
    "invert": st.tuples(st.lists(st.tuples(small, small), max_size=6)),
    "hops": st.tuples(graph, small, small),
    "modes": st.tuples(st.dictionaries(small, small)),
    "kth": st.tuples(st.dictionaries(small, small), st.lists(st.integers(-2, 3), max_size=4)),
    "best_price2": st.tuples(numbers, offered),
    "change": st.tuples(st.integers(0, 9), st.lists(st.integers(1, 4), max_size=3)),
    "can_split": st.tuples(st.text("ab", max_size=6), st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3)),
    "knap": st.tuples(st.lists(st.tuples(st.integers(1, 4), small), max_size=5), st.integers(0, 9)),
    "wordidx": st.tuples(words),
    "overlap": st.tuples(st.lists(st.fixed_dictionaries({"room": small, "s": small, "e": small}), max_size=5)),
    "strip_seen": st.tuples(users),
    "csv": st.tuples(st.lists(numbers, max_size=3)),
    "recent": st.tuples(numbers, st.integers(0, 3)),
    "freq": st.tuples(text),
    "twosum": st.tuples(numbers, small),
    "build": st.tuples(numbers),
    "rev": st.tuples(text),
    "fib": st.tuples(st.integers(-2, 9)),
    "ways": st.tuples(st.lists(st.integers(1, 4), max_size=3), st.integers(-1, 9)),
    "lcs": st.tuples(st.text("ab", max_size=5), st.text("ab", max_size=5)),
    "paths": st.tuples(grid, st.integers(0, 3), st.integers(0, 3)),
    "topk": st.tuples(numbers, st.integers(0, 4)),
    "cheapest": st.tuples(
        st.lists(
            st.fixed_dictionaries(
                {"offers": st.lists(st.fixed_dictionaries({"price": small, "of": small}), max_size=3)}
            )
        )
    ),
    "josephus": st.tuples(st.integers(0, 7), st.integers(1, 4)),
    "digits": st.tuples(st.integers(0, 10**6)),
    "grep": st.tuples(words, words),
    "parse": st.tuples(st.lists(st.sampled_from(["a=1", "b=22 ", "=", ""]))),
    "anagrams": st.tuples(words),
    "longest": st.tuples(words),
    "group_totals": st.tuples(st.lists(st.fixed_dictionaries({"name": small, "amount": small}), max_size=6)),
    "counts_by": st.tuples(st.lists(st.fixed_dictionaries({"k": small, "v": small}), max_size=6)),
    "index_sort": st.tuples(st.permutations(range(-3, 7)), numbers),
    **dict.fromkeys(("lookup", "lookup2", "lookup3"), st.tuples(users, events)),
    **dict.fromkeys(("flatten", "flatten2"), st.tuples(st.lists(numbers, max_size=3))),
    **dict.fromkeys(("visited_bfs",), st.tuples(graph, small)),
    "bfs_path": st.tuples(graph, small, small),
    "toposort": st.tuples(graph),
    "filter_stop": st.tuples(text, words),
    "deep": st.tuples(st.dictionaries(small, small), numbers),
    "window_max": st.tuples(numbers, st.integers(1, 3)),
    "pairs_comb": st.tuples(st.lists(st.tuples(small, small), max_size=6)),
    "symmetric": st.tuples(st.lists(st.tuples(small, small), max_size=6)),
}
"""What each habit is called with."""
UNTOUCHED = {"remove_all", "window_max"}
"""Habits that no family knows."""


def load(data: bytes, name: str) -> Callable[..., Any]:
    """The function of a text of ours."""
    space: dict[str, Any] = {"__name__": "rewritten"}
    exec(compile(data, "rewritten.py", "exec"), space)
    found = space[name.partition(".")[0]]
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    assert callable(found)
    return found


def outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a call gave or raised, with types and order, and its arguments afterwards."""
    own = copy.deepcopy(arguments)
    try:
        said: tuple[Any, ...] = ("returned", repr(function(*own)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other one raises the same
        said = ("raised", type(error), str(error))
    return *said, repr(own)


@cache
def excerpt(name: str) -> bytes:
    """The habit between its neighbours: a search in the whole file takes seconds."""
    body = ast.parse(HABITS).body
    place = next(n for n, node in enumerate(body) if isinstance(node, ast.FunctionDef) and node.name == name)
    kept = [node for n, node in enumerate(body) if abs(n - place) <= 1 or not isinstance(node, ast.FunctionDef)]
    lines = HABITS.decode().splitlines(keepends=True)
    return "\n".join("".join(lines[node.lineno - 1 : node.end_lineno]) for node in kept).encode()


@cache
def found(name: str, careful: bool) -> list[Rewrite]:
    several, single = module._search(excerpt(name), Target("habits.py", name), careful)
    return [*several, *single]


@cache
def offers(name: str) -> list[Rewrite]:
    return rewrites(excerpt(name), Target("habits.py", name))


def habits() -> Iterator[str]:
    yield from (name for name, _ in iter_functions(ast.parse(HABITS)) if "." not in name)


def test_every_habit_is_called_with_something() -> None:
    assert set(habits()) == set(ARGUMENTS)


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_habit_is_known(name: str) -> None:
    assert bool(offers(name)) == (name not in UNTOUCHED)


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - UNTOUCHED))
@pytest.mark.parametrize("careful", [True, False])
def test_rewrites_answer_alike(name: str, careful: bool) -> None:
    before = load(excerpt(name), name)
    after = [(one, load(one.data, name)) for one in found(name, careful)]

    @settings(max_examples=25)
    @given(ARGUMENTS[name])
    def alike(arguments: tuple[Any, ...]) -> None:
        expected = outcome(before, arguments)
        if not careful and (expected[0] == "raised" or not all(map(regular, arguments))):
            return
        for rewrite, function in after:
            assert outcome(function, arguments) == expected, f"{rewrite.what}\n{rewrite.data.decode()}"

    alike()


def regular(argument: object) -> bool:
    """Whether an argument holds something, so that loops run: what a plain rewrite is for."""
    return argument not in ([], {}, "")


@pytest.mark.parametrize("name", MODULES)
def test_rewrites_of_slow_functions_answer_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SLOW))
    subject, inputs = imported(name), imported(f"{name}_inputs")
    data = (SLOW / f"{name}.py").read_bytes()
    calls = [call for n in (1, 2, 4, 6) for seed in range(4) for call in inputs.calls(n, seed)]
    before = load(data, subject.FUNCTION)
    offered = rewrites(data, Target(f"{name}.py", subject.FUNCTION))
    assert offered
    for rewrite in offered:
        after = load(rewrite.data, subject.FUNCTION)
        for args, _ in calls:
            if all(map(regular, args)):
                # The instance of a class is made for one of the two; its fields are what is compared.
                assert bare(outcome(after, args)) == bare(outcome(before, args)), rewrite.what


def imported(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SLOW / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


def bare(outcome: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the addresses of objects."""
    return tuple(one if not isinstance(one, str) else "".join(one.split(" object at ")[:1]) for one in outcome)


# What stays as it is


@pytest.mark.parametrize(("newline", "indent"), [("\r\n", "    "), ("\n", "\t"), ("\r\n", "\t"), ("\n", "  ")])
@pytest.mark.parametrize("name", ["unique", "fib", "lookup2", "josephus", "merge", "zscores", "cumulative", "anagrams"])
def test_line_ends_and_indentation_are_files_own(name: str, newline: str, indent: str) -> None:
    text = excerpt(name).decode()
    lines = [indent * ((len(line) - len(line.lstrip())) // 4) + line.lstrip() for line in text.splitlines()]
    data = newline.join([*lines, ""]).encode()
    offered = rewrites(data, Target("habits.py", name))
    assert offered
    for one in offered:
        changed = one.data.decode()
        assert changed.count("\n") == changed.count(newline)
        assert all(not line[: len(line) - len(line.lstrip())].strip(indent[0]) for line in changed.split(newline))
        assert not any(line != line.rstrip() for line in changed.split(newline))


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - UNTOUCHED))
def test_rewrite_changes_imports_and_one_function(name: str) -> None:
    offered = offers(name)
    assert len({one.data for one in offered} | {excerpt(name)}) == len(offered) + 1
    assert len(offered) <= module.MOST
    before = dict(iter_functions(ast.parse(excerpt(name))))
    for one in offered:
        after = dict(iter_functions(ast.parse(one.data)))
        assert [key for key in before if ast.dump(before[key]) != ast.dump(after[key])] == [name]
        assert ast.dump(before[name].args) == ast.dump(after[name].args)
        assert ast.get_docstring(before[name]) == ast.get_docstring(after[name])
        assert 1 <= len(one.steps) <= module.STEPS


def test_comments_stay() -> None:
    loop = "for x in xs:  # three\n        if x in ys:\n            # four\n            out.append(x)"
    code = f"def f(xs, ys):\n    # One\n    out = []  # two\n    {loop}\n    return out  # five\n"
    offered = [one.data.decode() for one in rewrites(code.encode(), Target("a.py", "f"))]
    assert offered
    assert all(word in one for one in offered for word in ("# One", "# two", "# three", "# four", "# five"))


def test_steps_are_combined() -> None:
    code = "def f(xs, ys, zs):\n    return [x for x in xs if x in ys and zs.count(x) > max(zs)]\n"
    (first, *_) = rewrites(code.encode(), Target("a.py", "f"))
    assert len(first.steps) == 3
    assert load(first.data, "f")([1, 2, 3], [2, 3], [0, 2]) == load(code.encode(), "f")([1, 2, 3], [2, 3], [0, 2])


def test_target_that_is_not_there() -> None:
    with pytest.raises(UsageError):
        rewrites(b"x = 1\n", Target("a.py", "f"))


@pytest.mark.parametrize("data", [b"def f(:\n", b"\xff\xfe\n", b"def f(): return '\xe9'\n"])
def test_what_is_no_python_has_no_rewrites(data: bytes) -> None:
    assert rewrites(data, Target("a.py", "f")) == []
