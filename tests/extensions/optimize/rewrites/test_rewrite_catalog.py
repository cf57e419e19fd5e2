"""Rewrites of slow functions: a rewritten function gives the same results for any arguments."""

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

from aci.runtime.target_function import Target, iter_functions
from extensions.optimize.rewrites import rewrite_catalog as module
from extensions.optimize.rewrites.rewrite_catalog import Rewrite, rewrites
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
    *("unique", "unique2", "has_dup", "dups", "dups2", "mostcommon", "normalise"),
    *("zscores", "hist", "rank", "lis"),
)
ARGUMENTS: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    **dict.fromkeys(ON_NUMBERS, st.tuples(numbers)),
    **dict.fromkeys(("common", "common2", "merge", "remove_all"), st.tuples(numbers, numbers)),
    **dict.fromkeys(("same_letters", "common_lines", "allowed", "later"), st.tuples(numbers, numbers)),
    **dict.fromkeys(("first_price",), st.tuples(numbers, offered)),
    "is_member": st.tuples(small, numbers),
    "find_price": st.tuples(offered, numbers),
    "by_keys": st.tuples(st.lists(st.fixed_dictionaries({"k": small, "v": small}), max_size=6)),
    "positions": st.tuples(words, words),
    "checked_ways": st.tuples(st.integers(-1, 6), st.lists(st.integers(1, 4), max_size=3)),
    "first_user": st.tuples(users, events),
    **dict.fromkeys(("tup", "cnt", "steps"), st.tuples(numbers)),
    **dict.fromkeys(("common3", "isub"), st.tuples(numbers, numbers)),
    "pairs_seen": st.tuples(st.lists(st.tuples(small, small), max_size=6)),
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
    "josephus": st.tuples(st.integers(0, 7), st.integers(1, 4)),
    "digits": st.tuples(st.integers(0, 10**6)),
    "parse": st.tuples(st.lists(st.sampled_from(["a=1", "b=22 ", "=", ""]))),
    "anagrams": st.tuples(words),
    "group_totals": st.tuples(st.lists(st.fixed_dictionaries({"name": small, "amount": small}), max_size=6)),
    "counts_by": st.tuples(st.lists(st.fixed_dictionaries({"k": small, "v": small}), max_size=6)),
    "index_sort": st.tuples(st.permutations(range(-3, 7)), numbers),
    **dict.fromkeys(("lookup", "lookup2", "lookup3"), st.tuples(users, events)),
    **dict.fromkeys(("flatten", "flatten2"), st.tuples(st.lists(numbers, max_size=3))),
    **dict.fromkeys(("visited_bfs",), st.tuples(graph, small)),
    "bfs_path": st.tuples(graph, small, small),
    "toposort": st.tuples(graph),
    "filter_stop": st.tuples(text, words),
    "pairs_comb": st.tuples(st.lists(st.tuples(small, small), max_size=6)),
    "symmetric": st.tuples(st.lists(st.tuples(small, small), max_size=6)),
}
"""Strategies for the arguments of each function in `slow/habits.py`."""
WITHOUT_REWRITE = {"remove_all", "is_member"}
"""Functions of `slow/habits.py` without a rewrite."""


def load(data: bytes, name: str) -> Callable[..., Any]:
    """Execute a module's source and return one of its functions."""
    namespace: dict[str, Any] = {"__name__": "rewritten"}
    exec(compile(data, "rewritten.py", "exec"), namespace)
    function = namespace[name.partition(".")[0]]
    for part in name.split(".")[1:]:
        function = getattr(function, part)
    assert callable(function)
    return function


def outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the result or exception of a call, with types and order, and its arguments afterwards."""
    copied = copy.deepcopy(arguments)
    try:
        result: tuple[Any, ...] = ("returned", repr(function(*copied)))
    except Exception as error:  # noqa: BLE001 - both functions must raise the same
        result = ("raised", type(error), str(error))
    return *result, repr(copied)


@cache
def excerpt(name: str) -> bytes:
    """Return the function with its neighbouring functions only: a search in the whole file takes seconds."""
    body = ast.parse(HABITS).body
    index = next(n for n, node in enumerate(body) if isinstance(node, ast.FunctionDef) and node.name == name)
    nodes = [node for n, node in enumerate(body) if abs(n - index) <= 1 or not isinstance(node, ast.FunctionDef)]
    lines = HABITS.decode().splitlines(keepends=True)
    return "\n".join("".join(lines[node.lineno - 1 : node.end_lineno]) for node in nodes).encode()


@cache
def search_rewrites(name: str) -> list[Rewrite]:
    several, single = module._search(excerpt(name), Target("habits.py", name))
    return [*several, *single]


@cache
def offers(name: str) -> list[Rewrite]:
    return rewrites(excerpt(name), Target("habits.py", name))


def habits() -> Iterator[str]:
    yield from (name for name, _ in iter_functions(ast.parse(HABITS)) if "." not in name)


def test_all_habits_have_arguments() -> None:
    assert set(habits()) == set(ARGUMENTS)


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_habit_has_rewrite(name: str) -> None:
    assert bool(offers(name)) == (name not in WITHOUT_REWRITE)


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - WITHOUT_REWRITE))
def test_rewrites_preserve_results(name: str) -> None:
    before = load(excerpt(name), name)
    after = [(rewrite, load(rewrite.data, name)) for rewrite in search_rewrites(name)]

    @settings(max_examples=25)
    @given(ARGUMENTS[name])
    def check(arguments: tuple[Any, ...]) -> None:
        expected = outcome(before, arguments)
        if expected[0] == "raised":
            return
        for rewrite, function in after:
            assert outcome(function, arguments) == expected, f"{rewrite.what}\n{rewrite.data.decode()}"

    check()


def is_nonempty(argument: object) -> bool:
    """Return whether an argument holds items, so that loops run; only then a plain rewrite must agree."""
    return argument not in ([], {}, "")


@pytest.mark.parametrize("name", MODULES)
def test_rewrites_of_slow_functions_preserve_results(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SLOW))
    slow_module, inputs = import_slow_module(name), import_slow_module(f"{name}_inputs")
    data = (SLOW / f"{name}.py").read_bytes()
    calls = [call for n in (1, 2, 4, 6) for seed in range(4) for call in inputs.calls(n, seed)]
    before = load(data, slow_module.FUNCTION)
    offered = rewrites(data, Target(f"{name}.py", slow_module.FUNCTION))
    assert offered
    for rewrite in offered:
        after = load(rewrite.data, slow_module.FUNCTION)
        for args, _ in calls:
            if all(map(is_nonempty, args)):
                # Both calls use instances of the original class; the addresses in their repr differ.
                assert without_addresses(outcome(after, args)) == without_addresses(outcome(before, args)), rewrite.what


def import_slow_module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SLOW / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    imported = importlib.util.module_from_spec(spec)
    sys.modules[name] = imported
    spec.loader.exec_module(imported)
    return imported


def without_addresses(outcome: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the outcome without the memory addresses of objects."""
    return tuple(part if not isinstance(part, str) else "".join(part.split(" object at ")[:1]) for part in outcome)


# Parts that a rewrite preserves


@pytest.mark.parametrize(("newline", "indent"), [("\r\n", "    "), ("\n", "\t"), ("\r\n", "\t"), ("\n", "  ")])
@pytest.mark.parametrize("name", ["unique", "fib", "lookup2", "josephus", "merge", "zscores", "anagrams"])
def test_line_endings_and_indentation_are_preserved(name: str, newline: str, indent: str) -> None:
    text = excerpt(name).decode()
    lines = [indent * ((len(line) - len(line.lstrip())) // 4) + line.lstrip() for line in text.splitlines()]
    data = newline.join([*lines, ""]).encode()
    offered = rewrites(data, Target("habits.py", name))
    assert offered
    for rewrite in offered:
        changed = rewrite.data.decode()
        assert changed.count("\n") == changed.count(newline)
        assert all(not line[: len(line) - len(line.lstrip())].strip(indent[0]) for line in changed.split(newline))
        assert not any(line != line.rstrip() for line in changed.split(newline))


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - WITHOUT_REWRITE))
def test_rewrite_changes_only_imports_and_target(name: str) -> None:
    offered = offers(name)
    assert len({rewrite.data for rewrite in offered} | {excerpt(name)}) == len(offered) + 1
    assert len(offered) <= module.MOST
    before = dict(iter_functions(ast.parse(excerpt(name))))
    for rewrite in offered:
        after = dict(iter_functions(ast.parse(rewrite.data)))
        assert [key for key in before if ast.dump(before[key]) != ast.dump(after[key])] == [name]
        assert ast.dump(before[name].args) == ast.dump(after[name].args)
        assert ast.get_docstring(before[name]) == ast.get_docstring(after[name])
        assert 1 <= len(rewrite.steps) <= module.STEPS


def test_comments_are_preserved() -> None:
    loop = "for x in xs:  # three\n        if x in ys:\n            # four\n            out.append(x)"
    code = f"def f(xs, ys):\n    # One\n    out = []  # two\n    {loop}\n    return out  # five\n"
    offered = [source.data.decode() for source in rewrites(code.encode(), Target("a.py", "f"))]
    assert offered
    assert all(word in source for source in offered for word in ("# One", "# two", "# three", "# four", "# five"))


def test_steps_are_combined() -> None:
    code = "def f(xs, ys, zs):\n    return [x for x in xs if x in ys and zs.count(x) > sum(zs)]\n"
    (first, *_) = rewrites(code.encode(), Target("a.py", "f"))
    assert len(first.steps) == 3
    assert load(first.data, "f")([1, 2, 3], [2, 3], [0, 2]) == load(code.encode(), "f")([1, 2, 3], [2, 3], [0, 2])


def test_missing_target_is_rejected() -> None:
    with pytest.raises(UsageError):
        rewrites(b"x = 1\n", Target("a.py", "f"))


@pytest.mark.parametrize("data", [b"def f(:\n", b"\xff\xfe\n", b"def f(): return '\xe9'\n"])
def test_invalid_python_has_no_rewrites(data: bytes) -> None:
    assert rewrites(data, Target("a.py", "f")) == []
