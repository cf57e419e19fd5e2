"""Comparison of the answers of real functions in a real workspace, with differences described in words."""

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

from aci.runtime.target_function import Target
from extensions.experiment.canonical_values import first_difference, format_value
from extensions.optimize.guest.canonical_forms import FormBuilder
from extensions.optimize.measurement.equivalence import Answer, collect_answers, describe_differences, is_conclusive
from extensions.optimize.measurement.input_calls import InputCall
from tests.conftest import MakeRepo, OpenWorkspace
from tests.extensions.optimize.measurement.equivalence_pairs import DIFFERENT, HEAD, SAME, Pair
from trajectories.errors import UsageError


def recorded_call(*args: object, **kwargs: object) -> InputCall:
    return InputCall(pickle.dumps((args, kwargs), 4), "recorded")


RunCalls = Callable[..., tuple[Answer, ...]]


@pytest.fixture
def run_calls(make_repo: MakeRepo, open_ws: OpenWorkspace) -> RunCalls:
    """`run_calls(body, *calls)` returns the answers of the function `f` that `body` defines in a new module."""
    workspace = open_ws("local", make_repo({"shop/__init__.py": "", "shop/core.py": HEAD}))

    def run_calls(
        body: str, *calls: InputCall, timeout: float = 10.0, hash_seed: int = 0, name: str = "f"
    ) -> tuple[Answer, ...]:
        workspace.write("shop/core.py", (HEAD + dedent(body)).encode())
        return collect_answers(workspace, Target("shop/core.py", name), calls, timeout, hash_seed)

    return run_calls


def module(pairs: Sequence[Pair], now: bool) -> str:
    """Return a module whose function `f` calls one function of the pairs by number, before or after the change."""
    result = []
    for number, pair in enumerate(pairs):
        body = dedent(pair.after if now else pair.before).strip()
        result.append(re.sub(r"\bf(?=\(x\)|\(x - 1\))", f"f{number}", body))
    return "\n\n".join(result) + "\n\ndef f(number, *args):\n    return globals()['f%d' % number](*args)\n"


def describe_pairs(run_calls: RunCalls, pairs: Sequence[Pair]) -> dict[str, str]:
    """Map the name of each pair to the described differences."""
    calls = [recorded_call(number, *pair.args) for number, pair in enumerate(pairs)]
    before, after = (run_calls(module(pairs, now), *calls, timeout=1.5) for now in (False, True))
    both = zip(pairs, before, after, strict=True)
    return {pair.name: "; ".join(describe_differences([one], [other])) for pair, one, other in both}


@pytest.mark.slow
def test_every_difference_is_described(run_calls: RunCalls) -> None:
    descriptions = describe_pairs(run_calls, DIFFERENT)
    assert {
        pair.name: descriptions[pair.name] for pair in DIFFERENT if pair.expected not in descriptions[pair.name]
    } == {}
    assert all(descriptions.values())


@pytest.mark.slow
def test_equal_behaviour_is_not_reported(run_calls: RunCalls) -> None:
    assert {name: text for name, text in describe_pairs(run_calls, SAME).items() if text} == {}


@pytest.mark.slow
def test_hanging_or_crashing_call_does_not_affect_others(run_calls: RunCalls) -> None:
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
    same = [recorded_call([])] * 2
    calls = [
        *same,
        recorded_call([], "hang"),
        *same,
        recorded_call([], do="die"),
        *same,
        recorded_call([], "stubborn"),
        recorded_call([], "leave a child"),
    ]
    answers = run_calls(body, *calls, *same, timeout=0.5)
    kinds = ["returned"] * 2 + ["late"] + ["returned"] * 2 + ["died"] + ["returned"] * 2 + ["late", "returned"]
    assert [one.kind for one in answers] == [*kinds, "returned", "returned"]
    assert {format_value(one.arguments) for one in (answers[0], answers[1], answers[-1])} == {"[([0],), {}]"}
    assert [answers[5].call, answers[5].text] == ["f([], do='die')", "ended by signal 9"]


def test_answers_forged_through_descriptors_are_ignored(run_calls: RunCalls) -> None:
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
    answers = run_calls(body, recorded_call(0), recorded_call(0))
    assert [(one.kind, one.value) for one in answers] == [("returned", 2)] * 2


@pytest.mark.slow
def test_tolerance_applies_only_to_floats(run_calls: RunCalls) -> None:
    call = recorded_call(3)
    before = run_calls("def f(x): return [0.1 + 0.2, {'a': complex(0.3, 1)}, x]", call)
    assert (
        describe_differences(before, run_calls("def f(x): return [0.3, {'a': complex(0.1 + 0.2, 1)}, x]", call), 1e-9)
        == []
    )
    differences = describe_differences(
        before, run_calls("def f(x): return [0.3000001, {'a': complex(0.3, 1)}, x]", call), 1e-9
    )
    assert differences == ["f(3): at [0] was 0.30000000000000004, is 0.3000001"]
    assert describe_differences(before, run_calls("def f(x): return [0.3, {'a': complex(0.3, 1)}, x + 1]", call), 0.9)
    assert describe_differences(before, run_calls("def f(x): return [0.3, {'a': complex(0.3, 1)}, 3.0]", call), 0.9)


@pytest.mark.slow
def test_other_hash_seed_exposes_dependence_on_set_order(run_calls: RunCalls) -> None:
    body = "def f(x): return list(set(x))"
    texts = recorded_call([f"word {n}" for n in range(30)])
    assert run_calls(body, texts) == run_calls(body, texts)
    assert run_calls(body, texts) != run_calls(body, texts, hash_seed=1)
    assert run_calls(body, recorded_call([1, 2])) == run_calls(body, recorded_call([1, 2]), hash_seed=1)


@pytest.mark.slow
def test_class_and_static_methods_are_called_as_functions(run_calls: RunCalls) -> None:
    body = """
    class A:
        @classmethod
        def make(cls, x): return [cls.__name__, x]
        @staticmethod
        def double(x): return 2 * x
    """
    assert run_calls(body, recorded_call(21), name="A.double")[0].value == 42
    assert run_calls(body, recorded_call(int, 1), name="A.make")[0].value == ["list", ["int", 1]]


def test_module_with_import_error_is_refused(run_calls: RunCalls) -> None:
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        run_calls("1 / 0\ndef f(x): return x", recorded_call(1))


@pytest.mark.slow
def test_unreadable_call_does_not_stop_others(run_calls: RunCalls) -> None:
    answers = run_calls("def f(x): return x", InputCall(b"cno.such.module\nf\n.", "recorded"), recorded_call(1))
    assert [one.kind for one in answers] == ["unreadable", "returned"]
    assert "no.such" in answers[0].text or "No module" in answers[0].text


@pytest.mark.slow
def test_descriptions_of_differences_are_limited_and_escaped(run_calls: RunCalls) -> None:
    calls = [recorded_call(f"\x1b[31m{n}\u202e") for n in range(30)]
    differences = describe_differences(
        run_calls("def f(x): return x", *calls), run_calls("def f(x): return x * 1000", *calls)
    )
    assert len(differences) == 9
    assert differences[-1] == "and 22 more calls"
    assert all(line.isprintable() and len(line) <= 400 for line in differences)


@pytest.mark.slow
def test_lazy_results_are_compared_completely(run_calls: RunCalls) -> None:
    before = run_calls(
        "def f(n):\n    for i in range(n):\n        yield (i, [i])", recorded_call(401), recorded_call(150000)
    )
    assert [one.kind for one in before] == ["returned"] * 2
    assert before[0].value[3:6] == ["end", None, 401]
    assert (
        describe_differences(
            before,
            run_calls("def f(n):\n    return ((i, [i]) for i in range(n))", recorded_call(401), recorded_call(150000)),
        )
        == []
    )
    differences = describe_differences(
        before, run_calls("def f(n): yield from ((i, [i]) for i in range(min(n, 400)))", recorded_call(401))
    )
    assert differences[1].startswith("f(401): was <iterator of 401 items: (0, [0]), ")
    late = "def f(n):\n    for i in range(n):\n        yield (i, [i + (i == 149000)])"
    assert len(describe_differences(before[1:], run_calls(late, recorded_call(150000)))) == 1
    raising = "def f(n):\n    yield from ((i, [i]) for i in range(n))\n    raise KeyError"
    assert len(describe_differences(before, run_calls(raising, recorded_call(401), recorded_call(150000)))) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Pickle, copy, and deepcopy support will be removed:DeprecationWarning")
def test_endless_and_async_results_are_not_compared(run_calls: RunCalls) -> None:
    endless = run_calls("def f(n):\n    while True: yield n", recorded_call(1), timeout=60)
    assert [one.kind for one in endless] == ["unread"]
    assert "1000000 items" in endless[0].text
    assert not is_conclusive(endless[0])
    for body in ("async def f(x): yield x", "async def g(x): return x\ndef f(x): return [g(x)]"):
        (answer,) = run_calls(body, recorded_call(1))
        assert answer.kind == "unread", body
    count = "def f(n, it):\n    return [next(it) for _ in range(n)]"
    assert run_calls(count, recorded_call(2, itertools.count(5)))[0].kind == "returned"
    assert describe_differences(
        run_calls(count, recorded_call(2, itertools.count(5))),
        run_calls(f"{count} + [7][:next(it) - 7]", recorded_call(2, itertools.count(5))),
    )


@pytest.mark.slow
def test_iterators_in_sets_are_compared_by_their_items(run_calls: RunCalls) -> None:
    before, after = (
        run_calls(f"def f(x): return {{iter([x]), iter([x + {more}])}}", recorded_call(1)) for more in (1, 2)
    )
    assert describe_differences(before, after)


def test_only_returned_and_raised_answers_are_conclusive() -> None:
    inconclusive = ["late", "unread", "unreadable", "died", "None"]
    assert [is_conclusive(Answer(kind)) for kind in inconclusive] == [False] * len(inconclusive)
    stack, other = (["error", f"builtins.{name}", "", ["tuple", []], None] for name in ("RecursionError", "KeyError"))
    assert not is_conclusive(Answer("raised", stack))
    assert is_conclusive(Answer("raised", other))
    assert is_conclusive(Answer("raised", 1))
    assert is_conclusive(Answer("returned", None))
    assert describe_differences([Answer("raised", 1)], [Answer("raised", 2)])


ERRORS = """
def f(x):
    if x == 1:
        raise {explicit}
    if x == 2:
        return {interpreter}
    if x == 3:
        raise {explicit} from ZeroDivisionError("{cause}")
    return x
"""


@pytest.mark.slow
def test_text_of_exceptions_is_compared_only_if_the_code_raises_them(run_calls: RunCalls) -> None:
    calls = [recorded_call(number) for number in (1, 2, 3)]
    usual = {"explicit": "ValueError('no 1')", "interpreter": "[][0]", "cause": "a"}
    before = run_calls(ERRORS.format(**usual), *calls)
    changed: dict[str, tuple[str, list[int]]] = {
        "the interpreter's text": ("interpreter", []),
        "the interpreter's type": ("interpreter", [2]),
        "an explicit text": ("explicit", [1, 3]),
        "the text of an explicit cause": ("cause", [3]),
    }
    texts = ["''[5]", "{}[0]", "ValueError('no')", "b"]
    for (what, (key, expected)), text in zip(changed.items(), texts, strict=True):
        after = run_calls(ERRORS.format(**{**usual, key: text}), *calls)
        pairs = zip((1, 2, 3), before, after, strict=True)
        assert [number for number, b, a in pairs if describe_differences([b], [a])] == expected, what


@pytest.mark.slow
def test_strange_calls_are_held_to_explicit_errors_only(run_calls: RunCalls) -> None:
    calls = [replace(recorded_call(number), strange=True) for number in (1, 2, 0)]
    before = run_calls("def f(x):\n    if x == 1: raise ValueError('one')\n    return 1 / (x - 2)", *calls)
    for body, expected in {
        "def f(x):\n    if x == 1: raise ValueError('one')\n    return x": 0,
        "def f(x): return x": 1,
        "def f(x):\n    if x == 1: raise ValueError('two')\n    return x": 1,
        "def f(x):\n    if x == 1: raise TypeError('one')\n    return x": 1,
        "def f(x): return x + ''": 0,
    }.items():
        assert len(describe_differences(before, run_calls(body, *calls))) == expected, body


def test_errors_of_interpreter_are_alike_in_derived_calls() -> None:
    """Which operation fails first depends on how the code is written."""
    failed = Answer("raised", ["error", "builtins.ZeroDivisionError", "x", [], None])
    other = replace(failed, value=["error", "builtins.ValueError", "y", [], None])
    assert describe_differences([failed], [other])
    assert not describe_differences([replace(failed, derived=True)], [other])
    assert describe_differences([replace(failed, derived=True)], [Answer("returned", 1)])


@pytest.mark.slow
@pytest.mark.docker
def test_answers_are_collected_in_container(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    workspace = open_ws("docker", make_repo({"core.py": "def f(x):\n    return sorted(x)\n"}))
    answers = collect_answers(workspace, Target("core.py", "f"), [recorded_call([2, 1]), recorded_call(1)])
    assert [format_value(one.value) for one in answers] == ["[1, 2]", "TypeError(\"'int' object is not iterable\")"]


# Canonical forms, built on the host

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
def test_forms_distinguish_different_values(one: object, other: object) -> None:
    same = first_difference(form(one), form(other), 0.0) is None
    assert same == (repr(_sorted(one)) == repr(_sorted(other)))


def test_set_of_strings_is_not_taken_for_an_exception() -> None:
    assert first_difference(form({"error", "fatal", "info"}), form({"error", "fatal", "warn"}), 0.0)
    six = ["error", *"fghij"]
    assert first_difference(form(set(six)), form({*six[:-1], "z"}), 0.0)


def test_exceptions_that_are_values_are_compared_with_their_texts() -> None:
    one, other = _raised_by(lambda: int("a")), _raised_by(lambda: int("b"))
    assert first_difference(FormBuilder().error(one), FormBuilder().error(other), 0.0) is None
    assert first_difference(form([one]), form([other]), 0.0)
    assert first_difference(form([one]), form([_raised_by(lambda: int("a"))]), 0.0) is None


def _raised_by(run: Callable[[], object]) -> Exception:
    try:
        run()
    except ValueError as error:
        return error
    raise AssertionError("nothing was raised")


def _sorted(value: Any) -> Any:
    """Return the value with its sets sorted; `repr` distinguishes everything else."""
    if isinstance(value, frozenset):
        return ("frozenset", sorted(map(repr, value)))
    if isinstance(value, list | tuple):
        return type(value)(map(_sorted, value))
    return {key: _sorted(one) for key, one in value.items()} if isinstance(value, dict) else value


@given(st.sets(st.text(max_size=3) | st.integers() | st.tuples(st.integers(), st.text(max_size=2)), max_size=8))
def test_form_does_not_depend_on_set_order(value: set[object]) -> None:
    assert form(value) == form(_rebuild_in_reverse(value))


def _rebuild_in_reverse(value: set[object]) -> set[object]:
    """Build the same set in the reverse order of insertion."""
    result: set[object] = set()
    for one in reversed(list(value)):
        result.add(one)
    return result


JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["list", "object", "lazy", "dict", "tuple", "float", "x", "same"]),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


@given(JSON, JSON)
def test_forged_forms_do_not_break_host(one: Any, other: Any) -> None:
    assert (first_difference(one, other, 0.0) is None) >= (one == other)
    assert len(format_value(one)) <= 120
    assert describe_differences([Answer("returned", one)], [Answer("returned", one)]) == []


def test_missing_answer_counts_only_if_original_answered() -> None:
    good = Answer("returned", 1, call="f(1)")
    for kind in ("late", "unread", "unreadable", "died"):
        assert describe_differences([good], [replace(good, kind=kind, value=None)])
    assert describe_differences([replace(good, kind="late")], [good]) == []
    assert describe_differences([good], [])


def test_numpy_arrays_are_compared_by_type_shape_and_bytes() -> None:
    class Kind(str):
        hasobject, names, kind = False, None, "i"

        @property
        def str(self) -> str:
            return "<i8"

    class ndarray:  # noqa: N801 - a minimal substitute for numpy's class
        __module__ = "numpy"
        dtype, shape, size = Kind(), (2,), 2

        def tobytes(self) -> bytes:
            return b"\1\2"

    result: Sequence[Any] = form(ndarray())
    assert result == ["array", "ndarray", "<i8", [2], ["bytes", "0102"]]
