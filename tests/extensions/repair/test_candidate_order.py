"""The order of candidates: likeliest first, lazy, without duplicates; the list of templates and their weights."""

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

from extensions.experiment.evaluator.candidate_evaluator import Candidate
from extensions.experiment.evaluator.spectrum import Spectrum, TracedTest
from extensions.experiment.source.source_file import Source
from extensions.repair import templates as package
from extensions.repair.analysis.suspicious_statements import Suspect
from extensions.repair.candidate_order import MANY, _joined, _least, _Stream, failure_kind, order_candidates, templates
from extensions.repair.candidates.prepared_sites import TemplateSites
from extensions.repair.candidates.template_weights import (
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


def test_single_edits_have_descending_scores() -> None:
    ordered = candidates((12, 1.0), (13, 0.7), (14, 0.2))
    scores = [candidate.score for candidate in ordered if candidate.template not in MANY]
    assert len(scores) > 1000
    assert scores == sorted(scores, reverse=True)


def test_texts_are_unique_and_differ_from_original() -> None:
    texts = [candidate.apply(CODE.encode()) for candidate in candidates((12, 1.0), (14, 0.2))]
    assert len(set(texts)) == len(texts)
    assert CODE.encode() not in texts


def test_order_is_deterministic() -> None:
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
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(("newline", "indent"), [("\n", "    "), ("\r\n", "\t")])
def test_candidates_of_odd_file_parse(bom: bytes, newline: str, indent: str) -> None:
    data = bom + ODD.replace("    ", indent).replace("\n", newline).encode()
    suspects = [Suspect("a.py", line, 1 / line) for line in range(3, 30)]
    for candidate in islice(order_candidates([Source("a.py", data)], suspects, NOTHING), 2500):
        new = candidate.apply(data)
        ast.parse(new)
        assert newline == "\n" or b"\n" not in new.replace(b"\r\n", b""), candidate


def test_only_suspected_functions_and_their_globals_are_edited() -> None:
    ordered = candidates((12, 1.0))
    assert {candidate.function.qualname for candidate in ordered if candidate.function} == {"Cart.total"}
    assert {
        candidate.line for candidate in ordered if candidate.function is None and candidate.template not in MANY
    } == {2, 6}
    assert not any(
        candidate.apply(CODE.encode()).startswith(b'"""A shop."""\nRATE = 2\n')
        for candidate in ordered
        if candidate.line == 2
    )
    assert any(candidate.apply(CODE.encode()).count(b"RATE = 3") for candidate in ordered)


def test_edits_stay_within_function() -> None:
    for candidate in candidates((12, 1.0)):
        if candidate.function:
            assert all(
                candidate.function.start <= start <= end <= candidate.function.end for start, end, _ in candidate.edits
            )


def test_unsuspected_statement_comes_later() -> None:
    lines = [candidate.line for candidate in candidates((12, 1.0))]
    assert lines[0] == 12
    assert 13 in lines


@pytest.mark.slow
def test_candidates_of_large_function_are_lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    visited_sites, draws, at, draw = [], [0], TemplateSites.at, _Stream.next

    def count_draw(stream: _Stream) -> Candidate | None:
        draws[0] += 1
        return draw(stream)

    monkeypatch.setattr(TemplateSites, "at", lambda spots, site: visited_sites.append(site) or at(spots, site))
    monkeypatch.setattr(_Stream, "next", count_draw)
    lines = "\n".join(f"    value_{n} = call_{n}(value_{n - 1}, {n})[{n}] + value_{n - 1}" for n in range(1, 800))
    assert len(candidates(*((n, 1 / n) for n in range(2, 800)), most=50, code=f"def f(value_0):\n{lines}\n")) == 50
    assert len(visited_sites) < 200
    assert draws[0] < 500


@pytest.mark.slow
def test_source_is_freed_after_search() -> None:
    source = Source("a.py", CODE.encode())
    assert len(list(islice(order_candidates([source], [Suspect("a.py", 12, 1.0)], NOTHING), 3000))) == 3000
    reference = weakref.ref(source)
    del source
    gc.collect()
    assert reference() is None


def test_pairs_are_mixed_in_after_single_edits() -> None:
    templates_used = [candidate.template for candidate in candidates((12, 1.0), (13, 1.0), (14, 1.0), most=4000)]
    assert "pair" in templates_used
    assert not set(MANY) & set(templates_used[:150])
    assert set(templates_used[templates_used.index("pair") :]) - set(MANY)


# Templates and their weights


def test_templates_are_discovered_with_unique_names() -> None:
    names = []
    for module in pkgutil.iter_modules(package.__path__):
        imported = importlib.import_module(f"{package.__name__}.{module.name}")
        names += [
            name
            for name, value in vars(imported).items()
            if inspect.isfunction(value) and value.__module__ == imported.__name__ and not name.startswith("_")
        ]
    assert sorted(names) == sorted(templates())
    assert all(list(inspect.signature(template).parameters) == ["spot"] for template in templates().values())


def test_every_template_has_weights() -> None:
    weights = fitted_weights()
    assert set(weights.templates) == set(templates())
    for template in weights.templates.values():
        assert 0 < template.weight <= 1
        assert template.half > 0
        assert set(template.kinds) <= {*KINDS, "Other"}
        assert set(template.failures) <= set(FAILURES)
        assert all(factor > 0 for factor in (*template.kinds.values(), *template.failures.values()))


def test_weights_survive_formatting_and_parsing() -> None:
    weights = fitted_weights()
    assert parse_weights(format_weights(weights)) == weights


@given(st.floats(0.5, 500), st.integers(1, 200))
def test_cumulative_weight_is_half_after_half_candidates(half: float, count: int) -> None:
    template = Template(1.0, half)
    assert sum(template.nth(index) for index in range(count)) == pytest.approx(count / (half + count))


def test_template_without_weights_gets_median() -> None:
    weights = Weights(1, 0.3, 0.2, 0.1, {"a": Template(0.1, 2), "b": Template(0.5, 6), "c": Template(1.0, 9)})
    assert weights.template("new") == Template(0.5, 6)


def test_weights_decide_first_template() -> None:
    source = Source("a.py", b"def f(a, b):\n    return a < b + 1\n")
    for name in ("comparison", "arithmetic"):
        templates = {other: Template(0.01, 8) for other in fitted_weights().templates} | {name: Template(1.0, 8)}
        weights = Weights(1, 0.3, 0.2, 0.1, templates)
        first = next(order_candidates([source], [Suspect("a.py", 2, 1.0)], NOTHING, weights=weights))
        assert first.template == name


def traced(outcome: str, raised: bool) -> TracedTest:
    return TracedTest("t", outcome, 0.1, {}, (("a.py", 1),) if raised else ())


def test_most_frequent_kind_of_failure_counts() -> None:
    assert failure_kind(NOTHING) == "value"
    wrong = (traced("failed", False), traced("failed", False), traced("died", False))
    assert failure_kind(Spectrum(wrong, (), {})) == "value"
    raising = (traced("failed", True), traced("failed", True), traced("timeout", False))
    assert failure_kind(Spectrum(raising, (), {})) == "raise"
    assert failure_kind(Spectrum((traced("timeout", True),), (), {})) == "hang"


# Duplicates

DATA = st.text("ab\n ", max_size=12)


@pytest.mark.slow
@given(DATA, st.data())
def test_minimal_edits_are_equal_if_texts_are_equal(data: str, draw: st.DataObject) -> None:
    def edit() -> tuple[int, int, bytes]:
        start = draw.draw(st.integers(0, len(data)))
        return start, draw.draw(st.integers(start, len(data))), draw.draw(DATA).encode()

    def text(edit: tuple[int, int, bytes]) -> bytes:
        return data.encode()[: edit[0]] + edit[2] + data.encode()[edit[1] :]

    first, second = edit(), edit()
    minimal = [_least(data.encode(), *change) for change in (first, second)]
    assert (minimal[0] is None) == (text(first) == data.encode())
    assert (minimal[0] == minimal[1]) == (text(first) == text(second))
    if minimal[0] is not None:
        assert text(minimal[0]) == text(first)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), DATA), max_size=4))
def test_joined_edit_equals_separate_edits(steps: list[tuple[int, int, str]]) -> None:
    data, edits, at = b"0123456789" * 3, [], 0
    for skip, length, text in steps:
        edits.append((at + skip, at + skip + length, text))
        at += skip + length + 1
    start, end, new = _joined(data, tuple(edits))
    assert data[:start] + new + data[end:] == Candidate("a.py", tuple(edits), "", 1).apply(data)


def test_insertion_after_line_equals_insertion_before_next() -> None:
    data = b"a\nb\n"
    assert _least(data, 1, 1, b"\nc") == _least(data, 2, 2, b"c\n")
