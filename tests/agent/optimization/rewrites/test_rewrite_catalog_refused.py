"""Where rewrites keep away: what changes in the loop, what has effects, and what is no plain function."""

from __future__ import annotations

import pytest

from aci.performance.target_function import Target
from agent.optimization.rewrites.rewrite_catalog import rewrites

LOOKUP = "out = []\n    for x in xs:\n        {}\n        if x in ys:\n            out += [x]\n    return out"


def said(code: str, name: str = "f") -> str:
    return " | ".join(one.what for one in rewrites(code.encode(), Target("a.py", name)))


@pytest.mark.parametrize(
    "change",
    [
        "ys = ys[1:]",
        "ys += [x]",
        "ys.append(x)",
        "ys.remove(x)",
        "ys[0] = x",
        "del ys[0]",
        "unknown(ys)",
        "zs = ys; zs.append(x)",
        "zs.append(x)",
        "for ys in x: pass",
        "with x as ys: pass",
        "ys, z = x",
        "grow(ys)",
    ],
)
def test_list_that_changes_in_loop_is_no_set(change: str) -> None:
    code = f"def grow(a):\n    a.append(1)\n\ndef f(xs, ys):\n    zs = ys\n    {LOOKUP.format(change)}\n"
    assert "in a set of `ys`" not in said(code)


@pytest.mark.parametrize(
    "harmless", ["len(ys)", "y = ys[0]", "z = sorted(ys)", "ys.index(x)", "look(ys)", "zs = [ys]", "x.name = 1"]
)
def test_list_that_is_only_read_is_set(harmless: str) -> None:
    code = f"def look(a):\n    return a[0]\n\ndef f(xs, ys):\n    {LOOKUP.format(harmless)}\n"
    assert "in a set of `ys`" in said(code)


@pytest.mark.parametrize("start", ["{1}", "set()", "{1: 2}", "dict()", "'text'", "(y for y in xs)", "frozenset(xs)"])
def test_what_is_quick_to_look_into_stays(start: str) -> None:
    assert "set of `ys`" not in said(f"def f(xs):\n    ys = {start}\n    {LOOKUP.format('pass')}\n")


@pytest.mark.parametrize("kind", ["set[int]", "dict[str, int]", "str", "frozenset", "Mapping[int, int]", "'set[int]'"])
def test_annotation_is_believed(kind: str) -> None:
    assert "set of `ys`" not in said(f"def f(xs, ys: {kind}):\n    {LOOKUP.format('pass')}\n")


def test_part_of_text_is_no_item() -> None:
    assert "set of" not in said("def f(lines):\n    return [x for x in lines for y in lines if 'ab' in y]\n")


@pytest.mark.parametrize(
    "head",
    ["async def f(xs, ys):\n    ", "def f(xs, ys):\n    yield 1\n    ", "def f(xs, ys):\n    global z\n    "],
)
def test_functions_whose_work_is_not_done_when_they_return(head: str) -> None:
    assert said(f"{head}{LOOKUP.format('pass')}\n") == ""


def test_function_inside_another_that_binds_names_outside() -> None:
    inner = "nonlocal k\n        k += 1\n        return n < 2 or g(n - 1) + g(n - 2)"
    assert said(f"def f(n):\n    k = 0\n    def g(n):\n        {inner}\n    return g(n)\n") == ""


@pytest.mark.parametrize(
    "body",
    [
        "print(n)\n    return f(n - 1) + f(n - 2)",
        "log.append(n)\n    return f(n - 1) + f(n - 2)",
        "unknown(n)\n    return f(n - 1) + f(n - 2)",
        "return n and f(n - 1)",
        "a = f(n - 1)\n    a.append(n)\n    return a + f(n - 2)",
        "return random() + f(n - 1) + f(n - 2)",
    ],
)
def test_recursion_with_effects_or_once_is_not_remembered(body: str) -> None:
    assert said(f"from random import random\nlog = []\n\ndef f(n):\n    {body}\n") == ""


@pytest.mark.parametrize("use", ["q.sort()", "q[0:1] = []", "x = q.pop(1)", "q, x = [], q", "del q[1:]"])
def test_list_used_otherwise_is_no_deque(use: str) -> None:
    code = f"def f(xs):\n    q = list(xs)\n    while q:\n        x = q.pop(0)\n        {use}\n    return 1\n"
    assert "becomes a deque" not in said(code)


def test_parameter_that_is_emptied_stays_list() -> None:
    assert "deque" not in said("def f(q):\n    while q:\n        print(q.pop(0))\n")


@pytest.mark.parametrize("value", ["random.random()", "next(it)", "input()", "xs.pop()", "clock()", "len(x)"])
def test_what_differs_each_time_is_not_hoisted(value: str) -> None:
    code = f"import random\n\ndef f(xs, it, clock):\n    for x in list(it):\n        print(max(1, {value}))\n"
    assert f"compute `{value}`" not in said(code)


def test_list_that_is_kept_is_made_each_time() -> None:
    assert "sorted(ys)" not in said("def f(xs, ys):\n    return [sorted(ys) for x in xs]\n")
    assert "sorted(ys)" not in said(
        "def f(xs, ys, out):\n    for x in xs:\n        a = sorted(ys)\n        out.append(a)\n"
    )


def test_copy_of_what_changes_is_needed() -> None:
    assert said("def f(d):\n    for k in list(d):\n        del d[k]\n") == ""
    assert said("def f(xs):\n    for x in xs[:]:\n        xs.remove(x)\n") == ""


@pytest.mark.parametrize(
    "inner",
    [
        "if b.k == a.k:\n                out.append(b)\n            else:\n                out.append(a)",
        "if b.k == a.k:\n                out.append(b)\n            out.append(a)",
        "if b.k == a.k or b.l:\n                out.append(b)",
        "if b.k == a.k:\n                b.k += 1",
        "if b.k < a.k:\n                out.append(b)",
        "if next(b.k) == a.k:\n                out.append(b)",
    ],
)
def test_inner_loop_that_does_more_than_find_equals_stays(inner: str) -> None:
    code = (
        f"def f(xs, ys):\n    out = []\n    for a in xs:\n        for b in ys:\n            {inner}\n    return out\n"
    )
    assert "index" not in said(code)


def test_name_that_is_taken_is_not_taken_again() -> None:
    code = "deque = 1\n\ndef f(xs):\n    q = list(xs)\n    while q:\n        print(q.pop(0))\n"
    assert "deque" not in said(code)
    code = "def f(xs, ys, ys_set):\n    return [x for x in xs if x in ys]\n"
    assert all(b"ys_lookup" in one.data for one in rewrites(code.encode(), Target("a.py", "f")))


def test_import_that_is_there_is_used() -> None:
    code = "import collections\n\ndef f(xs):\n    return [xs.count(x) for x in xs]\n"
    offered = rewrites(code.encode(), Target("a.py", "f"))
    assert offered
    assert all(b"collections.Counter(xs)" in one.data and b"from collections" not in one.data for one in offered)
