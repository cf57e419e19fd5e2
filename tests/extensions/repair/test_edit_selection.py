"""Selection among plausible edits: by their answers and by signs of overfitting, with a statement of doubt."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.experiment.evaluator.candidate_answers import (
    AnswerInput,
    CandidateAnswers,
    collect_answers,
    edit_constants,
    literals_of,
    parse_answers,
)
from extensions.experiment.evaluator.candidate_evaluator import Candidate, Evaluator
from extensions.experiment.source.source_file import Source
from extensions.repair.behaviour_choice import Choice
from extensions.repair.edit_descriptions import describe_behaviours, describe_change
from extensions.repair.edit_overfitting import special_case
from extensions.repair.edit_selection import agreements, choose_edit, judge_hits

OBSERVED = AnswerInput("f(1)")
GENERATED = tuple(AnswerInput(f"f({n})", made=True) for n in range(2, 20))


def hit(text: str, score: float = 0.1, at: int = 0) -> Candidate:
    return Candidate("a.py", ((at, at, text),), f"insert `{text}`", 1, None, score)


def make_answers(
    *rows: tuple[str, ...], base: tuple[str, ...] = (), inputs: tuple[AnswerInput, ...] = ()
) -> CandidateAnswers:
    count = len(rows[0])
    return CandidateAnswers(
        inputs or (OBSERVED, *GENERATED)[:count],
        base or ("0",) * count,
        rows,
        {answer: answer.upper() for row in rows for answer in row},
    )


# Agreement


def test_answer_with_most_weight_agrees_best() -> None:
    first, second, third = agreements(make_answers(("a", "b"), ("a", "c"), ("!IndexError", "b")), [1.0, 1.0, 1.0])
    assert first > second > third
    first, second = agreements(make_answers(("!ValueError",), ("!IndexError",)), [1.0, 1.0])
    assert first > second
    unlike = make_answers(("a",), ("b",), ("b",))
    first, second, _ = agreements(unlike, [9.0, 1.0, 1.0])
    assert first > second
    first, second, _ = agreements(unlike, [1.0, 1.0, 1.0])
    assert first < second


def test_missing_answer_is_neutral() -> None:
    assert agreements(make_answers(("a", ""), ("a", "b")), [1.0, 1.0]) == [1.0, 1.0]
    assert agreements(make_answers(("",), ("",)), [3.0, 1.0]) == [0.75, 0.25]
    assert agreements(CandidateAnswers(), []) == []


@pytest.mark.slow
@given(st.lists(st.tuples(*[st.sampled_from(["a", "b", "!late", ""])] * 3), min_size=1, max_size=6), st.data())
def test_shares_of_behaviours_sum_to_one(rows: list[tuple[str, ...]], data: st.DataObject) -> None:
    scores = data.draw(st.lists(st.floats(1e-6, 1), min_size=len(rows), max_size=len(rows)))
    assert all(0 <= agreement <= 1 + 1e-9 for agreement in agreements(make_answers(*rows), scores))
    choice = judge_hits([hit(f"{n}", score) for n, score in enumerate(scores)], make_answers(*rows), 3, {})
    all_edits = [edit for behaviour in choice.behaviours for edit in (behaviour.candidate, *behaviour.alike)]
    assert sorted(edit.description for edit in all_edits) == sorted(f"insert `{n}`" for n in range(len(rows)))
    assert (
        sum(behaviour.share for behaviour in choice.behaviours) == pytest.approx(1, abs=0.01)
        or choice.behaviours[0].share == 0
    )


# Groups, doubt, distinguishing inputs


def test_equal_answers_are_grouped_under_smallest_edit() -> None:
    hits = [hit("much longer than 16", 0.2), hit("ab", 0.1), hit("c", 0.15)]
    choice = judge_hits(hits, make_answers(("x", "y"), ("x", "y"), ("x", "z")), 5, {})
    assert [behaviour.candidate for behaviour in choice.behaviours] == [hits[1], hits[2]]
    assert choice.behaviours[0].alike == (hits[0],)
    assert "Another edit that passes the tests does the same on 2 calls" in choice.behaviours[0].why


def test_many_differing_rivals_are_doubt_however_many_tests_failed() -> None:
    hits = [hit(f"{n}", 0.5 - n / 100) for n in range(12)]
    rows = [(*"abcd", f"y{n}") for n in range(12)]
    inputs = (*(AnswerInput(f"f({n})") for n in range(4)), AnswerInput("f(9)", made=True))
    doubt = judge_hits(hits, make_answers(*rows, inputs=inputs), 9, {}).doubt
    assert doubt.startswith("Eleven other edits pass the same tests and behave differently, so the tests do not")
    assert judge_hits(hits[:1], make_answers(*rows[:1], inputs=inputs), 9, {}).doubt == ""


def test_likely_rival_is_doubt_however_many_tests_failed() -> None:
    rows = make_answers((*"abcd", "x"), (*"abcd", "y"), inputs=tuple(AnswerInput(f"f({n})") for n in range(5)))
    doubt = judge_hits([hit("a", 0.1), hit("b", 0.08)], rows, 9, {}).doubt
    assert doubt.startswith("Another edit passes the same tests and behaves differently, so the tests do not")
    assert judge_hits([hit("a", 0.1), hit("b", 0.01)], rows, 9, {}).doubt == ""


def test_few_failing_inputs_with_differing_rivals_are_doubt() -> None:
    hits, rows = [hit("a"), hit("b")], (("x", "y"), ("x", "z"))
    observed = (OBSERVED, AnswerInput("f(2)"))
    assert judge_hits(hits, make_answers(*rows, inputs=observed), 2, {}).doubt.startswith(
        "Another edit passes the same tests"
    )
    assert judge_hits(hits, make_answers(("x", "y"), ("x", "y")), 1, {}).doubt == ""
    assert judge_hits(hits[:1], make_answers(("x", "y")), 1, {}).doubt == ""


def test_edit_that_stops_code_is_doubted_if_few_inputs_fail() -> None:
    for count, doubted in ((1, True), (5, True), (6, False)):
        inputs = tuple(AnswerInput(f"f({n})") for n in range(count))
        rows = replace(make_answers(("x",) * count, inputs=inputs), lost=(0.2,))
        doubt = judge_hits([hit("a")], rows, count, {}).doubt
        assert doubt.startswith("The edit keeps code from running, and only ") == doubted
        assert judge_hits([hit("a")], replace(rows, lost=(0.0,)), count, {}).doubt == ""


def test_edit_of_test_runner_is_always_doubted() -> None:
    rows = make_answers(("x", "y", "z", "u"), inputs=(OBSERVED,) * 4)
    runners = ("src/_pytest/runner.py", "a/unittest/case.py", "pluggy.py", "pytest_asyncio/plugin.py")
    for path, doubted in (*((path, True) for path in runners), ("runner.py", False), ("pytests/a.py", False)):
        first = judge_hits([replace(hit("a"), path=path)], rows, 9, {}).behaviours[0]
        assert first.doubt == first.special
        assert first.doubt == ("The edit changes the test runner, so the tests cannot judge it." if doubted else "")


def test_equal_inputs_count_once() -> None:
    hits, rows = [hit("a"), hit("b", 0.01)], (("x", "y"), ("x", "z"))
    assert "only one failing input" in judge_hits(hits, make_answers(*rows), 5, {}).doubt
    many = tuple(AnswerInput(f"f({n})") for n in range(4))
    plain = make_answers(("x",) * 4, ("x",) * 3 + ("y",), inputs=many)
    assert judge_hits(hits, plain, 4, {}).doubt == ""
    assert judge_hits(hits, plain, 4, {}).pinned == 4


def test_edit_without_answer_in_time_is_no_rival() -> None:
    assert judge_hits([hit("a"), hit("b", 0.01)], make_answers(("x", "y"), ("x", "!late")), 1, {}).doubt == ""


def test_shortest_distinguishing_input_is_shown() -> None:
    inputs = (AnswerInput("f(1)"), AnswerInput("f('a long one')", made=True), AnswerInput("f(2)", made=True))
    hits = [hit("a", 0.3), hit("b", 0.2), hit("c", 0.1)]
    rows = (("x", "y", "y"), ("x", "z", "z"), ("x", "w", "y"))
    choice = judge_hits(hits, make_answers(*rows, inputs=inputs), 1, {})
    candidates = [behaviour.candidate for behaviour in choice.behaviours]
    differences = [
        (
            difference.input,
            dict(zip([candidate.description for candidate in candidates], difference.answers, strict=True)),
        )
        for difference in choice.telling
    ]
    assert differences[0][0] == "f('a long one')"
    assert differences[0][1] == {"insert `a`": "Y", "insert `b`": "Z", "insert `c`": "W"}
    text = describe_behaviours(
        [candidate.description for candidate in candidates],
        [(difference.input, difference.answers) for difference in choice.telling],
    )
    assert "A: insert" in text
    assert "    C: " in text


# Edits that overfit the tests


@pytest.mark.parametrize(
    ("new", "inputs", "special"),
    [
        ("if n == 17:\n    return 4\n", ["f(17)"], True),
        ("return 'weird'", ["'weird'"], True),
        ("n + 1", ["f(17)"], False),
        ("n == 17", ["f(18)"], False),
        ("n == 5", ["f(5)"], False),
        (" and n != 17", ["f(17)"], True),
    ],
)
def test_special_case_for_test_value_is_detected(new: str, inputs: list[str], special: bool) -> None:
    assert bool(special_case(hit(new), b"def f(n):\n    return n + 5\n", inputs)) is special


def test_fix_of_failing_input_only_ranks_lower() -> None:
    inputs = (OBSERVED, *GENERATED)
    plain, special = ("x",) * len(inputs), ("x",) + ("0",) * len(GENERATED)
    choice = judge_hits([hit("a", 0.3), hit("b", 0.2)], make_answers(special, plain, inputs=inputs), 3, {})
    assert choice.behaviours[0].candidate.description == "insert `b`"


def test_edit_with_test_value_is_always_doubted() -> None:
    inputs = tuple(AnswerInput(f"f({n})") for n in range(20, 30))
    choice = judge_hits([hit("if n in (23, 24): return n")], make_answers(("x",) * 10, inputs=inputs), 9, {"a.py": b""})
    assert "`23`" in choice.doubt
    assert "Evidence against it" in choice.behaviours[0].why


# Effects beyond the failing inputs

MANY = tuple(AnswerInput(f"g({n})", failing=False) for n in range(9))


def first_of(answers: CandidateAnswers) -> str:
    return judge_hits([hit("a", 0.12), hit("b", 0.1)], answers, 3, {}).behaviours[0].candidate.edits[0][2]


def test_crash_fix_with_unchanged_answers_ranks_higher() -> None:
    inputs, base = (OBSERVED, *GENERATED[:9]), ("!IndexError",) + ("int:0",) * 9
    changes, keeps = ("int:1",) * 10, ("int:1",) + ("int:0",) * 9
    assert first_of(make_answers(changes, keeps, base=base, inputs=inputs)) == "b"
    wrong_value = ("int:5", *base[1:])
    assert first_of(make_answers(changes, keeps, base=wrong_value, inputs=inputs)) == "a"


def test_new_result_type_ranks_lower() -> None:
    inputs, base = (OBSERVED, *MANY, *GENERATED[:9]), ("bool:0",) * 19
    same_type, new_type = ("bool:1",) * 19, ("bool:1",) * 10 + ("NoneType:0",) * 9
    assert first_of(make_answers(new_type, same_type, base=base, inputs=inputs)) == "b"


def test_edit_that_skips_function_ranks_lower() -> None:
    answers = make_answers(("int:1", "int:1"), ("int:1", "int:2"))
    assert first_of(answers) == "a"
    assert first_of(replace(answers, lost=(0.9, 0.0))) == "b"


# Answers from the target

SHOP = {
    "shop.py": """\
from functools import lru_cache


class Cart:
    def __init__(self):
        self.lines = []

    def add(self, price, count=1):
        self.lines.append((price, count))
        return self

    def total(self, discount=0):
        amount = _sum(self.lines)
        return amount + amount * discount


def _sum(lines):
    return sum(price * count for price, count in lines)


@lru_cache
def clamp(value, low, high):
    return max(low, value)


def evens(numbers):
    for number in numbers:
        if number % 2:
            yield number
""",
    "test_shop.py": """\
from shop import Cart, clamp, evens


def test_plain():
    assert Cart().add(10, 2).total() == 20


def test_discount():
    assert Cart().add(40).total(0.5) == 20
    assert Cart().add(10, 2).total(0.25) == 15


def test_clamp():
    assert clamp(5, 1, 3) == 3


def test_clamp_low():
    assert clamp(0, 1, 3) == 1


def test_evens():
    assert list(evens([1, 2, 3, 4])) == [2, 4]
""",
}
COMMAND = "python -m pytest -q -p no:cacheprovider"


def edits(path: str, function: str, pairs: list[tuple[str, str]]) -> list[Candidate]:
    data = SHOP[path].encode()
    function_span = next(span for span, _ in Source(path, data).functions if span.qualname == function)
    return [
        Candidate(
            path, ((data.index(old.encode()), data.index(old.encode()) + len(old), new),), new, 1, function_span, 0.1
        )
        for old, new in pairs
    ]


@pytest.fixture
def compare(make_repo, open_ws):
    workspace = open_ws("local", make_repo(SHOP))
    names = [f"test_shop.py::test_{name}" for name in ("plain", "discount", "clamp", "clamp_low", "evens")]
    with Evaluator(workspace, COMMAND, names, Event()) as evaluator:

        def compare(hits: list[Candidate], failing: str, passing: str = "") -> tuple[CandidateAnswers, Choice]:
            failing_ids, passing_ids = (
                [f"test_shop.py::test_{name}" for name in text.split()] for text in (failing, passing)
            )
            return collect_answers(evaluator, hits, failing_ids, passing_ids, 0.5, 60), choose_edit(
                evaluator, hits, failing_ids, passing_ids, 0.5
            )

        yield compare


@pytest.mark.slow
def test_methods_answer_calls_derived_from_tests(compare) -> None:
    right, same, wrong = edits(
        "shop.py",
        "Cart.total",
        [
            ("amount + amount * discount", "amount - amount * discount"),
            ("amount + amount * discount", "amount * (1 - discount)"),
            ("amount + amount * discount", "min(amount - amount * discount, 20)"),
        ],
    )
    answers, choice = compare([right, wrong, same], "discount", "plain")
    calls = [call.text for call in answers.inputs if not call.made]
    assert any(text.startswith("Cart(") and text.endswith(".total(0.25)") for text in calls)
    assert len(answers.inputs) > 20
    assert [len(behaviour.alike) for behaviour in choice.behaviours] == [1, 0]
    assert choice.pinned == 2
    assert "min" not in choice.behaviours[0].candidate.description
    assert choice.doubt
    assert choice.telling[0].input.startswith("Cart(")
    assert len(set(choice.telling[0].answers)) == 2


@pytest.mark.slow
def test_generators_are_consumed_and_caches_cleared(compare) -> None:
    for function, failing, old, new in (
        ("evens", "evens", "number % 2:", "not number % 2:"),
        ("clamp", "clamp", "max(low, value)", "min(max(low, value), high)"),
    ):
        (only,) = edits("shop.py", function, [(old, new)])
        answers, choice = compare([only], failing, "clamp_low")
        assert choice.pinned == 1
        assert any(old != new for old, new in zip(answers.base, answers.given[0], strict=True))
        assert choice.doubt == ""


@pytest.mark.slow
def test_edits_of_different_functions_are_compared_at_entry(compare) -> None:
    inner = edits("shop.py", "_sum", [("price * count", "price * count / 1")])
    outer = edits("shop.py", "Cart.total", [("discount=0", "discount=0.0")])
    answers, _ = compare([*inner, *outer], "discount")
    both = [(a, b) for a, b in zip(*answers.given, strict=True) if a and b]
    assert both
    assert all(call.entry for call, a, b in zip(answers.inputs, *answers.given, strict=True) if a and b)


@pytest.mark.slow
def test_lost_lines_are_counted(compare) -> None:
    right, never = edits(
        "shop.py", "evens", [("if number % 2", "if not number % 2"), ("in numbers", "in numbers and [2, 4]")]
    )
    (stops,) = edits("shop.py", "evens", [("if number % 2:", "if number and (yield number % 2):")])
    answers, choice = compare([right, never, stops], "evens")
    assert answers.lost[0] == 0.0
    assert answers.lost[2] == pytest.approx(1 / 2)
    assert choice.behaviours[0].candidate == right


# Untrusted output of the target

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "answers", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.sampled_from(["inputs", "texts", "answers", "id", "text"]), JSON, max_size=4)))
def test_answer_lines_of_any_shape_are_parsed(lines: list[dict[str, Any]]) -> None:
    answers = parse_answers(lines, 2)
    assert [len(answer_row) for answer_row in (answers.base, *answers.given)] == [len(answers.inputs)] * 3
    judge_hits([hit("a"), hit("b")], answers, 1, {})


@given(st.text(max_size=30))
def test_literals_of_any_text_are_parsed(text: str) -> None:
    assert all(type(literal) in (int, float, str) for literal in literals_of(text))


def test_numbers_in_edits_are_used_in_calls() -> None:
    assert edit_constants([hit(" and n > 7"), hit("'7'"), hit("True")]) == [7, 8, 6]


# Descriptions


def test_change_is_described_with_its_place() -> None:
    assert describe_change("a.py", 3, "C.f", "replace `<` by `<=`") == "Replace `<` by `<=` in `C.f` (`a.py`, line 3)."
    assert describe_change("a.py", 3, "", "take out `x`") == "Take out `x` in `a.py`, line 3."
