"""The order of candidates: likeliest first, lazily, each text once; which templates there are; weights as kept."""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import pkgutil
import weakref
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.repair.candidate_evaluator import Candidate
from aci.repair.spectrum import Spectrum, TracedTest
from agent.repair import templates as package
from agent.repair.analysis.source_file import Source
from agent.repair.analysis.suspicious_statements import Suspect
from agent.repair.candidate_order import MANY, _joined, _least, _Stream, failure_kind, order_candidates, templates
from agent.repair.candidates.prepared_sites import TemplateSites
from agent.repair.candidates.template_weights import (
    FAILURES,
    KINDS,
    Template,
    Weights,
    fitted_weights,
    format_weights,
    parse_weights,
)

NOTHING = Spectrum((), (), {})
CODE = '''\
"""A shop."""
RATE = 2


class Cart:
    limit = 5

    def total(self, prices, tax=0, *, most=None):
        """What it costs."""
        found = 0
        for price in prices:
            if price < self.limit:
                found += price * RATE
        return found + tax

    def other(self, prices):
        return prices
'''


def candidates(*suspects: tuple[int, float], most: int = 3000, code: str = CODE) -> list[Candidate]:
    suspected = [Suspect("a.py", line, score) for line, score in suspects]
    return list(islice(order_candidates([Source("a.py", code.encode())], suspected, NOTHING), most))


def test_no_single_edit_is_worth_more_than_one_before() -> None:
    found = candidates((12, 1.0), (13, 0.7), (14, 0.2))
    scores = [one.score for one in found if one.template not in MANY]
    assert len(scores) > 1000
    assert scores == sorted(scores, reverse=True)


def test_no_text_comes_twice_and_none_is_old_one() -> None:
    texts = [one.apply(CODE.encode()) for one in candidates((12, 1.0), (14, 0.2))]
    assert len(set(texts)) == len(texts)
    assert CODE.encode() not in texts


def test_same_arguments_give_same_candidates() -> None:
    assert candidates((12, 1.0), (13, 0.5), most=3000) == candidates((12, 1.0), (13, 0.5), most=3000)


ODD = '''\
class Shop:
    @property
    def width(self):
        return self.size

    @cache
    def sell(self, things, *, most: int = 3):
        found, tax = [], lambda one, rate=2: one * rate  # all
        @wraps(found)
        def inner(one, k=most):
            return one + k + len(found)
        match things:
            case [1, first, *rest] if first > most:
                found = rest  # the others
            case {"k": value} | [value]:
                found.append(value)
        if (count := len(things)) and count > 1:
            for one in things:
                if one in found: continue
                found += [inner(one)]
        elif not things:
            raise ValueError(f"none: {things!r:>10}" \'\' f\'{count}\')
        text = """a
  b"""; most -= 1
        with self.lock:
            return {one: x for one in found for x in tax(one)}, text[1:-1]
'''


@pytest.mark.slow
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(("newline", "indent"), [("\n", "    "), ("\r\n", "\t")])
def test_of_odd_file_too_every_candidate_is_python(start: bytes, newline: str, indent: str) -> None:
    data = start + ODD.replace("    ", indent).replace("\n", newline).encode()
    suspects = [Suspect("a.py", line, 1 / line) for line in range(3, 30)]
    for one in islice(order_candidates([Source("a.py", data)], suspects, NOTHING), 2500):
        new = one.apply(data)
        ast.parse(new)
        assert newline == "\n" or b"\n" not in new.replace(b"\r\n", b""), one


def test_only_suspected_functions_and_what_they_read_are_edited() -> None:
    found = candidates((12, 1.0))
    assert {one.function.qualname for one in found if one.function} == {"Cart.total"}
    assert {one.line for one in found if one.function is None and one.template not in MANY} == {2, 6}
    assert not any(one.apply(CODE.encode()).startswith(b'"""A shop."""\nRATE = 2\n') for one in found if one.line == 2)
    assert any(one.apply(CODE.encode()).count(b"RATE = 3") for one in found)


def test_edits_stay_inside_their_function() -> None:
    for one in candidates((12, 1.0)):
        if one.function:
            assert all(one.function.start <= start <= end <= one.function.end for start, end, _ in one.edits)


def test_statement_that_no_failing_test_reached_comes_later_but_comes() -> None:
    lines = [one.line for one in candidates((12, 1.0))]
    assert lines[0] == 12
    assert 13 in lines


@pytest.mark.slow
def test_large_function_starts_at_once_and_is_drawn_lazily(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at, drawn, at, draw = [], [0], TemplateSites.at, _Stream.next

    def counted(stream: _Stream) -> Candidate | None:
        drawn[0] += 1
        return draw(stream)

    monkeypatch.setattr(TemplateSites, "at", lambda spots, place: looked_at.append(place) or at(spots, place))
    monkeypatch.setattr(_Stream, "next", counted)
    lines = "\n".join(f"    value_{n} = call_{n}(value_{n - 1}, {n})[{n}] + value_{n - 1}" for n in range(1, 800))
    assert len(candidates(*((n, 1 / n) for n in range(2, 800)), most=50, code=f"def f(value_0):\n{lines}\n")) == 50
    assert len(looked_at) < 200
    assert drawn[0] < 500


def test_no_tree_stays_in_memory_after_search() -> None:
    source = Source("a.py", CODE.encode())
    assert len(list(islice(order_candidates([source], [Suspect("a.py", 12, 1.0)], NOTHING), 3000))) == 3000
    gone = weakref.ref(source)
    del source
    gc.collect()
    assert gone() is None


def test_after_single_edits_pairs_come_in_between() -> None:
    made = [one.template for one in candidates((12, 1.0), (13, 1.0), (14, 1.0), most=4000)]
    assert "pair" in made
    assert not set(MANY) & set(made[:150])
    assert set(made[made.index("pair") :]) - set(MANY)


# Templates and their weights


def test_templates_are_found_by_themselves_and_names_are_unique() -> None:
    names = []
    for module in pkgutil.iter_modules(package.__path__):
        part = importlib.import_module(f"{package.__name__}.{module.name}")
        names += [
            name
            for name, value in vars(part).items()
            if inspect.isfunction(value) and value.__module__ == part.__name__ and not name.startswith("_")
        ]
    assert sorted(names) == sorted(templates())
    assert all(list(inspect.signature(one).parameters) == ["spot"] for one in templates().values())


def test_each_template_has_its_weights() -> None:
    weights = fitted_weights()
    assert set(weights.templates) == set(templates())
    for one in weights.templates.values():
        assert 0 < one.weight <= 1
        assert one.half > 0
        assert set(one.kinds) <= {*KINDS, "Other"}
        assert set(one.failures) <= set(FAILURES)
        assert all(factor > 0 for factor in (*one.kinds.values(), *one.failures.values()))


def test_weights_are_written_as_they_are_read() -> None:
    weights = fitted_weights()
    assert parse_weights(format_weights(weights)) == weights


@given(st.floats(0.5, 500), st.integers(1, 200))
def test_half_of_repairs_are_among_first_half(half: float, drawn: int) -> None:
    template = Template(1.0, half)
    assert sum(template.nth(place) for place in range(drawn)) == pytest.approx(drawn / (half + drawn))


def test_template_without_weights_is_in_middle() -> None:
    weights = Weights(1, 0.3, 0.2, 0.1, {"a": Template(0.1, 2), "b": Template(0.5, 6), "c": Template(1.0, 9)})
    assert weights.template("new") == Template(0.5, 6)


def test_weights_say_which_template_comes_first() -> None:
    source = Source("a.py", b"def f(a, b):\n    return a < b + 1\n")
    for name in ("comparison", "arithmetic"):
        templates = {other: Template(0.01, 8) for other in fitted_weights().templates} | {name: Template(1.0, 8)}
        weights = Weights(1, 0.3, 0.2, 0.1, templates)
        first = next(order_candidates([source], [Suspect("a.py", 2, 1.0)], NOTHING, weights=weights))
        assert first.template == name


def observed(outcome: str, raised: bool) -> TracedTest:
    return TracedTest("t", outcome, 0.1, {}, (("a.py", 1),) if raised else ())


def test_kind_of_failure_is_that_of_most() -> None:
    assert failure_kind(NOTHING) == "value"
    wrong = (observed("failed", False), observed("failed", False), observed("died", False))
    assert failure_kind(Spectrum(wrong, (), {})) == "value"
    raising = (observed("failed", True), observed("failed", True), observed("timeout", False))
    assert failure_kind(Spectrum(raising, (), {})) == "raise"
    assert failure_kind(Spectrum((observed("timeout", True),), (), {})) == "hang"


# Repeats

DATA = st.text("ab\n ", max_size=12)


@given(DATA, st.data())
def test_edits_are_same_in_their_least_form_if_texts_are(data: str, draw: st.DataObject) -> None:
    def edit() -> tuple[int, int, bytes]:
        start = draw.draw(st.integers(0, len(data)))
        return start, draw.draw(st.integers(start, len(data))), draw.draw(DATA).encode()

    def text(edit: tuple[int, int, bytes]) -> bytes:
        return data.encode()[: edit[0]] + edit[2] + data.encode()[edit[1] :]

    one, other = edit(), edit()
    least = [_least(data.encode(), *each) for each in (one, other)]
    assert (least[0] is None) == (text(one) == data.encode())
    assert (least[0] == least[1]) == (text(one) == text(other))
    if least[0] is not None:
        assert text(least[0]) == text(one)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), DATA), max_size=4))
def test_edits_joined_do_same(steps: list[tuple[int, int, str]]) -> None:
    data, edits, at = b"0123456789" * 3, [], 0
    for skip, length, text in steps:
        edits.append((at + skip, at + skip + length, text))
        at += skip + length + 1
    start, end, new = _joined(data, tuple(edits))
    assert data[:start] + new + data[end:] == Candidate("a.py", tuple(edits), "", 1).apply(data)


def test_line_put_in_after_one_and_before_next_is_same() -> None:
    data = b"a\nb\n"
    assert _least(data, 1, 1, b"\nc") == _least(data, 2, 2, b"c\n")
