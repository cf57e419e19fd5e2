"""Code that is not rewritten: values that change in the loop, side effects and functions that are not plain."""

from __future__ import annotations

import pytest

from aci.runtime.target_function import Target
from extensions.optimize.rewrites.rewrite_catalog import rewrites

LOOKUP = "out = []\n    for x in xs:\n        {}\n        if x in ys:\n            out += [x]\n    return out"


def offered_rewrites(code: str, name: str = "f") -> str:
    return " | ".join(rewrite.what for rewrite in rewrites(code.encode(), Target("a.py", name)))


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
def test_list_changed_in_loop_does_not_become_set(change: str) -> None:
    code = f"def grow(a):\n    a.append(1)\n\ndef f(xs, ys):\n    zs = ys\n    {LOOKUP.format(change)}\n"
    assert "in a set of `ys`" not in offered_rewrites(code)


@pytest.mark.parametrize(
    "harmless", ["len(ys)", "y = ys[0]", "z = sorted(ys)", "ys.index(x)", "look(ys)", "zs = [ys]", "x.name = 1"]
)
def test_list_only_read_becomes_set(harmless: str) -> None:
    code = f"def look(a):\n    return a[0]\n\ndef f(xs, ys):\n    {LOOKUP.format(harmless)}\n"
    assert "in a set of `ys`" in offered_rewrites(code)


@pytest.mark.parametrize("start", ["{1}", "set()", "{1: 2}", "dict()", "'text'", "(y for y in xs)", "frozenset(xs)"])
def test_fast_lookup_is_not_rewritten(start: str) -> None:
    assert "set of `ys`" not in offered_rewrites(f"def f(xs):\n    ys = {start}\n    {LOOKUP.format('pass')}\n")


@pytest.mark.parametrize("kind", ["set[int]", "dict[str, int]", "str", "frozenset", "Mapping[int, int]", "'set[int]'"])
def test_annotation_of_fast_lookup_is_trusted(kind: str) -> None:
    assert "set of `ys`" not in offered_rewrites(f"def f(xs, ys: {kind}):\n    {LOOKUP.format('pass')}\n")


def test_substring_test_does_not_become_set() -> None:
    assert "set of" not in offered_rewrites(
        "def f(lines):\n    return [x for x in lines for y in lines if 'ab' in y]\n"
    )


@pytest.mark.parametrize(
    "head",
    ["async def f(xs, ys):\n    ", "def f(xs, ys):\n    yield 1\n    ", "def f(xs, ys):\n    global z\n    "],
)
def test_async_generator_and_global_functions_are_not_rewritten(head: str) -> None:
    assert offered_rewrites(f"{head}{LOOKUP.format('pass')}\n") == ""


def test_nonlocal_function_is_not_rewritten() -> None:
    inner = "nonlocal k\n        k += 1\n        return n < 2 or g(n - 1) + g(n - 2)"
    assert offered_rewrites(f"def f(n):\n    k = 0\n    def g(n):\n        {inner}\n    return g(n)\n") == ""


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
def test_impure_or_single_recursion_is_not_cached(body: str) -> None:
    assert offered_rewrites(f"from random import random\nlog = []\n\ndef f(n):\n    {body}\n") == ""


@pytest.mark.parametrize("use", ["q.sort()", "q[0:1] = []", "x = q.pop(1)", "q, x = [], q", "del q[1:]"])
def test_list_with_other_uses_does_not_become_deque(use: str) -> None:
    code = f"def f(xs):\n    q = list(xs)\n    while q:\n        x = q.pop(0)\n        {use}\n    return 1\n"
    assert "becomes a deque" not in offered_rewrites(code)


def test_emptied_parameter_stays_list() -> None:
    assert "deque" not in offered_rewrites("def f(q):\n    while q:\n        print(q.pop(0))\n")


@pytest.mark.parametrize("value", ["random.random()", "next(it)", "input()", "xs.pop()", "clock()", "len(x)"])
def test_varying_value_is_not_hoisted(value: str) -> None:
    code = f"import random\n\ndef f(xs, it, clock):\n    for x in list(it):\n        print(max(1, {value}))\n"
    assert f"compute `{value}`" not in offered_rewrites(code)


def test_escaping_list_is_not_hoisted() -> None:
    assert "sorted(ys)" not in offered_rewrites("def f(xs, ys):\n    return [sorted(ys) for x in xs]\n")
    assert "sorted(ys)" not in offered_rewrites(
        "def f(xs, ys, out):\n    for x in xs:\n        a = sorted(ys)\n        out.append(a)\n"
    )


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
def test_inner_loop_beyond_equality_search_is_not_indexed(inner: str) -> None:
    code = (
        f"def f(xs, ys):\n    out = []\n    for a in xs:\n        for b in ys:\n            {inner}\n    return out\n"
    )
    assert "index" not in offered_rewrites(code)


def test_new_names_avoid_existing_ones() -> None:
    code = "deque = 1\n\ndef f(xs):\n    q = list(xs)\n    while q:\n        print(q.pop(0))\n"
    assert "deque" not in offered_rewrites(code)
    code = "def f(xs, ys, ys_set):\n    return [x for x in xs if x in ys]\n"
    assert all(b"ys_lookup" in rewrite.data for rewrite in rewrites(code.encode(), Target("a.py", "f")))


def test_existing_import_is_used() -> None:
    code = "import collections\n\ndef f(xs):\n    return [xs.count(x) for x in xs]\n"
    offered = rewrites(code.encode(), Target("a.py", "f"))
    assert offered
    assert all(
        b"collections.Counter(xs)" in rewrite.data and b"from collections" not in rewrite.data for rewrite in offered
    )


@pytest.mark.parametrize("condition", ["ys and max(ys) < x", "x > 1 and x < max(ys)", "x if ys else max(ys)"])
def test_value_that_may_fail_is_not_hoisted_out_of_a_condition(condition: str) -> None:
    assert "max(ys)" not in offered_rewrites(f"def f(xs, ys):\n    return [x for x in xs if {condition}]\n")


def test_value_of_an_empty_list_is_not_computed_before_the_loop() -> None:
    code = "def f(xs):\n    return [x / max(xs) for x in xs]\n"
    (rewrite,) = rewrites(code.encode(), Target("a.py", "f"))
    assert b"largest = max(xs) if xs else None\n    return [x / largest for x in xs]" in rewrite.data


def test_name_with_an_earlier_value_is_not_hoisted() -> None:
    code = "def f(xs, ys):\n    total = 0\n    for x in xs:\n        total = sum(ys)\n    return total\n"
    assert "statements with it" not in offered_rewrites(code)


@pytest.mark.parametrize("use", ["rest.remove(x)", "if x in ys: rest.remove(x)", "rest.append(x)", "print(rest)"])
def test_list_with_other_uses_does_not_become_counter(use: str) -> None:
    code = f"def f(xs, ys):\n    rest = list(ys)\n    for x in xs:\n        {use}\n"
    code += "        if x in rest:\n            rest.remove(x)\n"
    assert "count the items of `rest`" not in offered_rewrites(code)


@pytest.mark.parametrize("result", ["[f(n - 1), f(n - 2)]", "(f(n - 1), f(n - 2))", "[f(k) for k in range(n)]"])
def test_results_that_a_caller_may_tell_apart_are_not_cached(result: str) -> None:
    assert offered_rewrites(f"def f(n):\n    return {result} if n > 1 else []\n") == ""


@pytest.mark.parametrize(
    "helper", ["@check\ndef held(x, ys):\n    return x in ys", "def held(x, ys, *zs):\n    return x in ys"]
)
def test_helper_that_does_more_is_not_inlined(helper: str) -> None:
    assert "in ys" not in offered_rewrites(f"{helper}\n\ndef f(xs, ys):\n    return [x for x in xs if held(x, ys)]\n")


@pytest.mark.parametrize("after", ["return row", "print(row)"])
def test_first_row_that_is_used_after_the_loop_stays_a_loop(after: str) -> None:
    loop = "for row in rows:\n            if row.key == x:\n                out.append(row)\n                break"
    code = f"def f(xs, rows):\n    out = []\n    for x in xs:\n        {loop}\n        {after}\n"
    assert all(b"row is not None" not in rewrite.data for rewrite in rewrites(code.encode(), Target("a.py", "f")))


def test_rewrites_have_no_fallback() -> None:
    code = "def f(xs, ys):\n    return [(xs.count(x), xs.index(x), sum(xs[:x])) for x in xs if x in ys]\n"
    offered = rewrites(code.encode(), Target("a.py", "f"))
    assert len(offered) > 4
    assert all(b"except" not in rewrite.data for rewrite in offered)
