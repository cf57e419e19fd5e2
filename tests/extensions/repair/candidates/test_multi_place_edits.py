"""Edits at several places: twins and pairs, and their order."""

from __future__ import annotations

import ast
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from extensions.experiment.evaluator.candidate_evaluator import Candidate
from extensions.experiment.source.source_file import Source
from extensions.repair.candidates.multi_place_edits import MultiPlaceEdits

CODE = """\
def f(a, b):
    c = a.a + b  # a
    return a + g(a="a")


def h(a):
    return a
"""
SOURCE = Source("a.py", CODE.encode())
FUNCTIONS = [function for function, _ in SOURCE.functions]


def single(old: str, new: str, score: float, nth: int = 0, path: str = "a.py") -> Candidate:
    """A candidate that replaces the nth occurrence of a text."""
    start = -1
    for _ in range(nth + 1):
        start = CODE.index(old, start + 1)
    function = next(span for span in FUNCTIONS if span.start <= start < span.end)
    line = CODE[:start].count("\n") + 1
    edits = ((start, start + len(old), new),)
    return Candidate(path, edits, f"{old} to {new}", line, function, score, "test")


def combine(*singles: Candidate, most: int = 50) -> list[Candidate]:
    return list(islice(MultiPlaceEdits([SOURCE]).of(singles), most))


def texts(candidates: list[Candidate]) -> list[str]:
    return [candidate.apply(CODE.encode()).decode() for candidate in candidates]


def test_unique_expression_has_no_twin() -> None:
    assert combine(single("a.a", "x.a", 1.0), single("+ b", "- b", 0.5))[0].template == "pair"


def test_twin_changes_only_same_kind_of_name() -> None:
    start = CODE.index("a.a")
    original = Candidate("a.py", ((start, start + 1, "x"),), "", 2, FUNCTIONS[0], 1.0, "test")
    (twin,) = combine(original)
    assert twin.template == "twin"
    assert texts([twin]) == [CODE.replace("a.a", "x.a").replace("return a + g", "return x + g")]
    assert twin.score < original.score


def test_pair_has_both_edits_and_common_function() -> None:
    (pair,) = [
        candidate
        for candidate in combine(single("+ b", "- b", 0.5), single("+ g", "- g", 0.4))
        if candidate.template == "pair"
    ]
    assert texts([pair]) == [CODE.replace("+ b", "- b").replace("+ g", "- g")]
    assert pair.function == FUNCTIONS[0]
    assert pair.description == "+ b to - b and + g to - g"


def test_pair_in_two_functions_has_no_function() -> None:
    (pair,) = combine(single("+ b", "- b", 0.5), single("return a\n", "return 0\n", 0.4))
    assert pair.function is None


def test_adjacent_edits_and_edits_of_two_files_are_not_paired() -> None:
    assert combine(single("+ b", "- b", 0.5), single(" b  ", " c  ", 0.4)) == []
    assert combine(single("+ b", "- b", 0.5), single("+ g", "- g", 0.4, path="b.py")) == []


@given(st.lists(st.sampled_from(["c =", "+ b", "return a +", "g(", "return a\n"]), max_size=5), st.randoms())
def test_pairs_are_unique_and_best_first(olds: list[str], random) -> None:
    singles = [single(old, f"{old}{number}", random.random()) for number, old in enumerate(olds)]
    singles.sort(key=lambda candidate: -candidate.score)
    combined = combine(*singles)
    scores = [candidate.score for candidate in combined]
    assert scores == sorted(scores, reverse=True)
    assert len({candidate.edits for candidate in combined}) == len(combined)


def test_pairs_are_generated_lazily() -> None:
    lines = "\n".join(f"    v{number} = {number}" for number in range(3000))
    source = Source("a.py", f"def f():\n{lines}\n".encode())
    (function, _) = source.functions[0]
    spans = [source.span(node) for node in ast.walk(source.tree) if isinstance(node, ast.Assign)]
    singles = [
        Candidate("a.py", ((end - 1, end, "7"),), "", index, function, 1.0 / (index + 1))
        for index, (_, end) in enumerate(spans)
    ]
    first = list(
        islice((candidate for candidate in MultiPlaceEdits([source]).of(singles) if candidate.template == "pair"), 20)
    )
    assert first[0].edits[0][0] == spans[0][1] - 1
    assert len(first) == 20


def test_insertion_between_tokens_has_no_twin() -> None:
    at = CODE.index("(a=")
    insertion = Candidate("a.py", ((at, at, "!"),), "", 3, FUNCTIONS[0], 1.0, "test")
    assert combine(insertion) == []


def test_later_pairs_exclude_earlier_ones() -> None:
    singles = [single(old, f"{old}!", 1 / (index + 1)) for index, old in enumerate(("c =", "+ b", "return a +", "g("))]
    all_pairs, earlier = combine(*singles), combine(*singles[:2])
    later = list(MultiPlaceEdits([SOURCE]).of(singles, 2))
    assert {candidate.edits for candidate in later} == {candidate.edits for candidate in all_pairs} - {
        candidate.edits for candidate in earlier
    }
    assert [candidate.score for candidate in later] == sorted((candidate.score for candidate in later), reverse=True)
    assert list(MultiPlaceEdits([SOURCE]).of(singles, 4)) == []


ROLES = """\
def f(x, y):
    for x in y:
        x += g(x, x=x)
        del x
    if (x := y) in y and (y, 1) in [z for z in y]:
        return g(x)
"""


def apply_twin(old: str, new: str, nth: int) -> str:
    """Return the function with the change of the nth occurrence applied at all similar places."""
    source, start = Source("a.py", ROLES.encode()), -1
    for _ in range(nth + 1):
        start = ROLES.index(old, start + 1)
    original = Candidate("a.py", ((start, start + len(old), new),), "", 2, source.functions[0][0], 1.0, "test")
    return next((candidate.apply(source.data).decode() for candidate in MultiPlaceEdits([source]).of([original])), "")


def test_value_does_not_replace_assignment_target() -> None:
    occurrence = ROLES.count("x", 0, ROLES.index("g(x, x=x)") + 2)
    new = apply_twin("x", "not x", occurrence)
    ast.parse(new)
    assert "for x in y" in new
    assert "g(not x, x=not x)" in new
    assert "del x" in new
    assert "for not_ in" not in new


def test_parentheses_are_added_where_needed() -> None:
    code = b"def f(x):\n    if x and g(x):\n        return 1 + x\n"
    source = Source("a.py", code)
    at = code.index(b"x and")
    original = Candidate("a.py", ((at, at + 1, "not x"),), "", 2, source.functions[0][0], 1.0, "test")
    (new,) = [candidate.apply(code) for candidate in MultiPlaceEdits([source]).of([original])]
    assert new == b"def f(x):\n    if not x and g(not x):\n        return 1 + (not x)\n"


def test_name_replaces_all_uses_and_keyword_only_same_operator() -> None:
    new = apply_twin("x", "w", 1)
    assert "for w in y:\n        w += g(w, x=w)\n        del w" in new
    assert "if (w := y)" in new
    assert "z.x :=" not in apply_twin("x", "z.x", 1).partition("(x := y)")[2]
    assert apply_twin("in", "not in", 1) == ROLES.replace(") in ", ") not in ")
    assert apply_twin("x", "", ROLES.count("x", 0, ROLES.index("return"))) == ""
