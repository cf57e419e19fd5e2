"""Answers of real functions in a real workspace: what is the same is told to be, and what is not is told in words."""

from __future__ import annotations

import itertools
import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.guest.canonical_forms import FormBuilder
from aci.performance.canonical_values import first_difference, format_value
from aci.performance.equivalence import Answer, collect_answers, describe_differences, is_conclusive
from aci.performance.target_function import Target
from aci.performance.workload_inputs import InputCall
from tests.aci.performance.equivalence_pairs import DIFFERENT, HEAD, SAME, Pair
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import UsageError


def kept(*args: object, **kwargs: object) -> InputCall:
    return InputCall(pickle.dumps((args, kwargs), 4), "recorded")


Ask = Callable[..., tuple[Answer, ...]]


@pytest.fixture
def ask(make_repo: MakeRepo, open_ws: OpenWorkspace) -> Ask:
    """`ask(body, *calls)`: what `def f(...)` of a body, in a module of its own, answers to calls."""
    room = open_ws("local", make_repo({"shop/__init__.py": "", "shop/core.py": HEAD}))

    def ask(
        body: str, *calls: InputCall, timeout: float = 10.0, hash_seed: int = 0, name: str = "f"
    ) -> tuple[Answer, ...]:
        room.write("shop/core.py", (HEAD + dedent(body)).encode())
        return collect_answers(room, Target("shop/core.py", name), calls, timeout, hash_seed)

    return ask


def module(pairs: Sequence[Pair], now: bool) -> str:
    """A module whose function `f` calls the one of a pair, by its number, as it was or as it is now."""
    made = []
    for number, pair in enumerate(pairs):
        body = dedent(pair.after if now else pair.before).strip()
        made.append(re.sub(r"\bf(?=\(x\)|\(x - 1\))", f"f{number}", body))
    return "\n\n".join(made) + "\n\ndef f(number, *args):\n    return globals()['f%d' % number](*args)\n"


def told(ask: Ask, pairs: Sequence[Pair]) -> dict[str, str]:
    """What is told of each pair."""
    calls = [kept(number, *pair.args) for number, pair in enumerate(pairs)]
    before, after = (ask(module(pairs, now), *calls, timeout=1.5) for now in (False, True))
    both = zip(pairs, before, after, strict=True)
    return {pair.what: "; ".join(describe_differences([one], [other])) for pair, one, other in both}


@pytest.mark.slow
def test_what_differs_is_told(ask: Ask) -> None:
    found = told(ask, DIFFERENT)
    assert {pair.what: found[pair.what] for pair in DIFFERENT if pair.words not in found[pair.what]} == {}
    assert all(found.values())


@pytest.mark.slow
def test_what_is_same_is_not_told(ask: Ask) -> None:
    assert {what: said for what, said in told(ask, SAME).items() if said} == {}


@pytest.mark.slow
def test_what_hangs_or_dies_loses_only_itself_and_each_call_has_its_own_arguments(ask: Ask) -> None:
    body = """
    def f(x, do=None):
        x.append(len(x))
        if do == "hang":
            time.sleep(60)
        if do == "die":
            os.kill(os.getpid(), 9)
        if do == "stubborn":
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass
        if do == "leave a child":
            if os.fork() == 0:
                time.sleep(60)
        return x
    """
    same = [kept([])] * 2
    calls = [*same, kept([], "hang"), *same, kept([], do="die"), *same, kept([], "stubborn"), kept([], "leave a child")]
    found = ask(body, *calls, *same, timeout=0.5)
    kinds = ["returned"] * 2 + ["late"] + ["returned"] * 2 + ["died"] + ["returned"] * 2 + ["late", "returned"]
    assert [one.kind for one in found] == [*kinds, "returned", "returned"]
    assert {format_value(one.arguments) for one in (found[0], found[1], found[-1])} == {"[([0],), {}]"}
    assert [found[5].call, found[5].text] == ["f([], do='die')", "ended by signal 9"]


def test_what_is_written_into_descriptors_is_no_answer(ask: Ask) -> None:
    body = """
    def f(x):
        forged = b'{"kind": "returned", "value": 1, "arguments": [[], {}]}\\n'
        for number in range(3, 30):
            try:
                os.write(number, forged)
            except OSError:
                pass
        return 2
    """
    found = ask(body, kept(0), kept(0))
    assert [(one.kind, one.value) for one in found] == [("returned", 2)] * 2


@pytest.mark.slow
def test_tolerance_is_for_floats_alone(ask: Ask) -> None:
    call = kept(3)
    before = ask("def f(x): return [0.1 + 0.2, {'a': complex(0.3, 1)}, x]", call)
    assert (
        describe_differences(before, ask("def f(x): return [0.3, {'a': complex(0.1 + 0.2, 1)}, x]", call), 1e-9) == []
    )
    told = describe_differences(before, ask("def f(x): return [0.3000001, {'a': complex(0.3, 1)}, x]", call), 1e-9)
    assert told == ["f(3): at [0] was 0.30000000000000004, is 0.3000001"]
    assert describe_differences(before, ask("def f(x): return [0.3, {'a': complex(0.3, 1)}, x + 1]", call), 0.9)
    assert describe_differences(before, ask("def f(x): return [0.3, {'a': complex(0.3, 1)}, 3.0]", call), 0.9)


@pytest.mark.slow
def test_another_hash_seed_shows_what_depends_on_order_of_sets(ask: Ask) -> None:
    body = "def f(x): return list(set(x))"
    words = kept([f"word {n}" for n in range(30)])
    assert ask(body, words) == ask(body, words)
    assert ask(body, words) != ask(body, words, hash_seed=1)
    assert ask(body, kept([1, 2])) == ask(body, kept([1, 2]), hash_seed=1)


def test_methods_of_classes_are_called_as_plain_functions(ask: Ask) -> None:
    body = """
    class A:
        @classmethod
        def make(cls, x): return [cls.__name__, x]
        @staticmethod
        def double(x): return 2 * x
    """
    assert ask(body, kept(21), name="A.double")[0].value == 42
    assert ask(body, kept(int, 1), name="A.make")[0].value == ["list", ["int", 1]]


def test_module_that_cannot_be_imported(ask: Ask) -> None:
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        ask("1 / 0\ndef f(x): return x", kept(1))


def test_call_that_cannot_be_loaded(ask: Ask) -> None:
    found = ask("def f(x): return x", InputCall(b"cno.such.module\nf\n.", "recorded"), kept(1))
    assert [one.kind for one in found] == ["unreadable", "returned"]
    assert "no.such" in found[0].text or "No module" in found[0].text


def test_many_differences_are_bounded_and_escaped(ask: Ask) -> None:
    calls = [kept(f"\x1b[31m{n}\u202e") for n in range(30)]
    told = describe_differences(ask("def f(x): return x", *calls), ask("def f(x): return x * 1000", *calls))
    assert len(told) == 9
    assert told[-1] == "and 22 more calls"
    assert all(line.isprintable() and len(line) <= 400 for line in told)


@pytest.mark.slow
def test_what_is_lazy_is_compared_to_its_end(ask: Ask) -> None:
    before = ask("def f(n):\n    for i in range(n):\n        yield (i, [i])", kept(401), kept(150000))
    assert [one.kind for one in before] == ["returned"] * 2
    assert before[0].value[3:6] == ["end", None, 401]
    assert (
        describe_differences(before, ask("def f(n):\n    return ((i, [i]) for i in range(n))", kept(401), kept(150000)))
        == []
    )
    told = describe_differences(before, ask("def f(n): yield from ((i, [i]) for i in range(min(n, 400)))", kept(401)))
    assert told[1].startswith("f(401): was <generator of 401 items: (0, [0]), ")
    late = "def f(n):\n    for i in range(n):\n        yield (i, [i + (i == 149000)])"
    assert len(describe_differences(before[1:], ask(late, kept(150000)))) == 1
    raising = "def f(n):\n    yield from ((i, [i]) for i in range(n))\n    raise KeyError"
    assert len(describe_differences(before, ask(raising, kept(401), kept(150000)))) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Pickle, copy, and deepcopy support will be removed:DeprecationWarning")
def test_what_is_lazy_and_too_long_or_async_is_not_judged(ask: Ask) -> None:
    endless = ask("def f(n):\n    while True: yield n", kept(1), timeout=60)
    assert [one.kind for one in endless] == ["unread"]
    assert "1000000 items" in endless[0].text
    assert not is_conclusive(endless[0])
    for body in ("async def f(x): yield x", "async def g(x): return x\ndef f(x): return [g(x)]"):
        (answer,) = ask(body, kept(1))
        assert answer.kind == "unread", body
    count = "def f(n, it):\n    return [next(it) for _ in range(n)]"
    assert ask(count, kept(2, itertools.count(5)))[0].kind == "returned"
    assert describe_differences(
        ask(count, kept(2, itertools.count(5))), ask(f"{count} + [7][:next(it) - 7]", kept(2, itertools.count(5)))
    )


@pytest.mark.slow
def test_iterators_in_set_are_told_by_their_items(ask: Ask) -> None:
    before, after = (ask(f"def f(x): return {{iter([x]), iter([x + {more}])}}", kept(1)) for more in (1, 2))
    assert describe_differences(before, after)


def test_which_answers_tell_something() -> None:
    silent = ["late", "unread", "unreadable", "died", "None"]
    assert [is_conclusive(Answer(kind)) for kind in silent] == [False] * len(silent)
    stack, other = (["error", f"builtins.{name}", "", ["tuple", []], None] for name in ("RecursionError", "KeyError"))
    assert not is_conclusive(Answer("raised", stack))
    assert is_conclusive(Answer("raised", other))
    assert is_conclusive(Answer("raised", 1))
    assert is_conclusive(Answer("returned", None))
    assert describe_differences([Answer("raised", 1)], [Answer("raised", 2)])


@pytest.mark.slow
@pytest.mark.docker
def test_in_container(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    room = open_ws("docker", make_repo({"core.py": "def f(x):\n    return sorted(x)\n"}))
    found = collect_answers(room, Target("core.py", "f"), [kept([2, 1]), kept(1)])
    assert [format_value(one.value) for one in found] == ["[1, 2]", "TypeError(\"'int' object is not iterable\")"]


# Canonical forms, on the host with values of ours

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
        | st.frozensets(st.integers() | st.text(max_size=3), max_size=4)
    ),
    max_leaves=12,
)


def form(value: object) -> Any:
    return FormBuilder().of(value)


@pytest.mark.slow
@given(VALUES)
def test_equal_values_have_equal_forms(value: object) -> None:
    again = pickle.loads(pickle.dumps(value))
    assert first_difference(form(value), form(again), 0.0) is None


@given(VALUES, VALUES)
def test_forms_tell_values_of_python_apart(one: object, other: object) -> None:
    same = first_difference(form(one), form(other), 0.0) is None
    assert same == (repr(_sorted(one)) == repr(_sorted(other)))


def _sorted(value: Any) -> Any:
    """Sets in an order of their own; repr tells all else apart."""
    if isinstance(value, frozenset):
        return ("frozenset", sorted(map(repr, value)))
    if isinstance(value, list | tuple):
        return type(value)(map(_sorted, value))
    return {key: _sorted(one) for key, one in value.items()} if isinstance(value, dict) else value


@given(st.sets(st.text(max_size=3) | st.integers() | st.tuples(st.integers(), st.text(max_size=2)), max_size=8))
def test_order_of_set_is_not_in_its_form(value: set[object]) -> None:
    assert form(value) == form(_turned(value))


def _turned(value: set[object]) -> set[object]:
    """The same set, filled from the other end."""
    made: set[object] = set()
    for one in reversed(list(value)):
        made.add(one)
    return made


JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["list", "object", "lazy", "dict", "tuple", "float", "x", "same"]),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


@given(JSON, JSON)
def test_no_form_that_somebody_forged_breaks_host(one: Any, other: Any) -> None:
    assert (first_difference(one, other, 0.0) is None) >= (one == other)
    assert len(format_value(one)) <= 120
    assert describe_differences([Answer("returned", one)], [Answer("returned", one)]) == []


def test_silence_is_agreed_upon_only_where_it_was_there_before() -> None:
    good = Answer("returned", 1, call="f(1)")
    for kind in ("late", "unread", "unreadable", "died"):
        assert describe_differences([good], [replace(good, kind=kind, value=None)])
    assert describe_differences([replace(good, kind="late")], [good]) == []
    assert describe_differences([good], [])


def test_what_looks_like_array_is_told_by_type_shape_and_bytes() -> None:
    class Kind(str):
        hasobject, names, kind = False, None, "i"

        @property
        def str(self) -> str:
            return "<i8"

    class ndarray:  # noqa: N801 - a stand-in for numpy's, which the project does not ask for
        __module__ = "numpy"
        dtype, shape, size = Kind(), (2,), 2

        def tobytes(self) -> bytes:
            return b"\1\2"

    made: Sequence[Any] = form(ndarray())
    assert made == ["array", "ndarray", "<i8", [2], ["bytes", "0102"]]
