"""Repairs of two places: twins, pairs, their order."""

from __future__ import annotations

import ast
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from aci.repair.candidate_evaluator import Candidate
from agent.repair.analysis.source_file import Source
from agent.repair.candidates.multi_place_edits import MultiPlaceEdits

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
    function = next(one for one in FUNCTIONS if one.start <= start < one.end)
    line = CODE[:start].count("\n") + 1
    edits = ((start, start + len(old), new),)
    return Candidate(path, edits, f"{old} to {new}", line, function, score, "test")


def found(*singles: Candidate, most: int = 50) -> list[Candidate]:
    return list(islice(MultiPlaceEdits([SOURCE]).of(singles), most))


def texts(candidates: list[Candidate]) -> list[str]:
    return [one.apply(CODE.encode()).decode() for one in candidates]


def test_parts_of_expression_that_stand_once_have_no_twin() -> None:
    assert found(single("a.a", "x.a", 1.0), single("+ b", "- b", 0.5))[0].template == "pair"


def test_names_attributes_keywords_and_texts_are_not_mixed_up() -> None:
    start = CODE.index("a.a")
    one = Candidate("a.py", ((start, start + 1, "x"),), "", 2, FUNCTIONS[0], 1.0, "test")
    (twin,) = found(one)
    assert twin.template == "twin"
    assert texts([twin]) == [CODE.replace("a.a", "x.a").replace("return a + g", "return x + g")]
    assert twin.score < one.score


def test_pair_has_both_edits_and_function_of_both() -> None:
    (pair,) = [one for one in found(single("+ b", "- b", 0.5), single("+ g", "- g", 0.4)) if one.template == "pair"]
    assert texts([pair]) == [CODE.replace("+ b", "- b").replace("+ g", "- g")]
    assert pair.function == FUNCTIONS[0]
    assert pair.description == "+ b to - b and + g to - g"


def test_pair_of_two_functions_is_edit_of_module() -> None:
    (pair,) = found(single("+ b", "- b", 0.5), single("return a\n", "return 0\n", 0.4))
    assert pair.function is None


def test_edits_that_touch_or_are_of_two_files_make_no_pair() -> None:
    assert found(single("+ b", "- b", 0.5), single(" b  ", " c  ", 0.4)) == []
    assert found(single("+ b", "- b", 0.5), single("+ g", "- g", 0.4, path="b.py")) == []


@given(st.lists(st.sampled_from(["c =", "+ b", "return a +", "g(", "return a\n"]), max_size=5), st.randoms())
def test_pairs_come_best_first_and_once(olds: list[str], random) -> None:
    singles = [single(old, f"{old}{number}", random.random()) for number, old in enumerate(olds)]
    singles.sort(key=lambda one: -one.score)
    made = found(*singles)
    scores = [one.score for one in made]
    assert scores == sorted(scores, reverse=True)
    assert len({one.edits for one in made}) == len(made)


def test_pairs_of_many_are_made_one_by_one() -> None:
    lines = "\n".join(f"    v{number} = {number}" for number in range(3000))
    source = Source("a.py", f"def f():\n{lines}\n".encode())
    (function, _) = source.functions[0]
    spans = [source.span(one) for one in ast.walk(source.tree) if isinstance(one, ast.Assign)]
    singles = [
        Candidate("a.py", ((end - 1, end, "7"),), "", place, function, 1.0 / (place + 1))
        for place, (_, end) in enumerate(spans)
    ]
    first = list(islice((one for one in MultiPlaceEdits([source]).of(singles) if one.template == "pair"), 20))
    assert first[0].edits[0][0] == spans[0][1] - 1
    assert len(first) == 20


def test_what_is_put_between_two_tokens_has_no_twin() -> None:
    at = CODE.index("(a=")
    one = Candidate("a.py", ((at, at, "!"),), "", 3, FUNCTIONS[0], 1.0, "test")
    assert found(one) == []


def test_pairs_that_were_made_are_not_made_again() -> None:
    singles = [single(old, f"{old}!", 1 / (place + 1)) for place, old in enumerate(("c =", "+ b", "return a +", "g("))]
    every, first = found(*singles), found(*singles[:2])
    later = list(MultiPlaceEdits([SOURCE]).of(singles, 2))
    assert {one.edits for one in later} == {one.edits for one in every} - {one.edits for one in first}
    assert [one.score for one in later] == sorted((one.score for one in later), reverse=True)
    assert list(MultiPlaceEdits([SOURCE]).of(singles, 4)) == []


ROLES = """\
def f(x, y):
    for x in y:
        x += g(x, x=x)
        del x
    if (x := y) in y and (y, 1) in [z for z in y]:
        return g(x)
"""


def twin(old: str, new: str, nth: int) -> str:
    """The function with a change made in all places like the nth of a text."""
    source, start = Source("a.py", ROLES.encode()), -1
    for _ in range(nth + 1):
        start = ROLES.index(old, start + 1)
    one = Candidate("a.py", ((start, start + len(old), new),), "", 2, source.functions[0][0], 1.0, "test")
    return next((each.apply(source.data).decode() for each in MultiPlaceEdits([source]).of([one])), "")


def test_value_is_not_put_where_something_is_written_to() -> None:
    where = ROLES.count("x", 0, ROLES.index("g(x, x=x)") + 2)
    new = twin("x", "not x", where)
    ast.parse(new)
    assert "for x in y" in new
    assert "g(not x, x=not x)" in new
    assert "del x" in new
    assert "for not_ in" not in new


def test_each_place_has_parentheses_that_it_asks_for() -> None:
    code = b"def f(x):\n    if x and g(x):\n        return 1 + x\n"
    source = Source("a.py", code)
    at = code.index(b"x and")
    one = Candidate("a.py", ((at, at + 1, "not x"),), "", 2, source.functions[0][0], 1.0, "test")
    (new,) = [each.apply(code) for each in MultiPlaceEdits([source]).of([one])]
    assert new == b"def f(x):\n    if not x and g(not x):\n        return 1 + (not x)\n"


def test_name_is_put_everywhere_and_words_only_where_they_mean_same() -> None:
    new = twin("x", "w", 1)
    assert "for w in y:\n        w += g(w, x=w)\n        del w" in new
    assert "if (w := y)" in new
    assert "z.x :=" not in twin("x", "z.x", 1).partition("(x := y)")[2]
    assert twin("in", "not in", 1) == ROLES.replace(") in ", ") not in ")
    assert twin("x", "", ROLES.count("x", 0, ROLES.index("return"))) == ""
