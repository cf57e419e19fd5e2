"""Templates of expressions: what each yields, that it fits its place, and that all else stays byte for byte."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.repair.candidate_evaluator import Candidate
from agent.repair.analysis.callable_library import Library
from agent.repair.analysis.donor_code import Donors
from agent.repair.analysis.name_usage import interleave
from agent.repair.analysis.source_file import Draft, Source, statements
from agent.repair.analysis.value_types import Types
from agent.repair.candidate_order import templates
from agent.repair.candidates.template_site import ODD, TemplateSite

MINE = ("operators", "names", "calls", "arguments", "constants", "slices", "terms", "displays", "absence")
CODE = """\
import math
from os import path as where

LIMIT = 3


def helper(first, last=None, *, strict=False):
    return first


def other(first, last):
    return last


class Base:
    def common(self, one):
        return one


class Box(Base):
    depth: int = 0

    def __init__(self, width, height):
        self.width = width
        self.height = height

    @property
    def area(self):
        return self.width * self.height

    def grow(self, by):
        return self.width + by

    def shrink(self, by):
        return self.width - by

    def work(self, a, b, items, key=None, **options):
        for x in items:
            HOLE
        return a
"""


def spot(hole: str, types: Types | None = None, hints: Sequence[str] = ()) -> TemplateSite:
    source = Source("a.py", CODE.replace("HOLE", hole).encode())
    holder = next(node for function, node in source.functions if function.qualname == "Box.work")
    loop = next(one for one in statements(holder) if isinstance(one, ast.For))
    library = Library([source], hints)
    if types:
        types = {("a.py", holder.lineno): types["a.py", 0]}
    return TemplateSite(source, Donors(source, holder, library, types), loop.body[0])


def edited(place: TemplateSite, draft: Draft) -> str:
    data = Candidate(place.source.path, draft.edits, draft.what, 1).apply(place.source.data)
    return data.decode()


def results(name: str, hole: str, types: Types | None = None, hints: Sequence[str] = ()) -> dict[str, float]:
    """What stands in the hole after each draft, with the draft's weight."""
    place = spot(hole, types, hints)
    head, tail = CODE.split("HOLE")
    found: dict[str, float] = {}
    for draft in templates()[name](place):
        if draft is not None and draft.edits:
            text = edited(place, draft)
            assert text.startswith(head)
            assert text.endswith(tail)
            found.setdefault(text[len(head) : len(text) - len(tail)], draft.weight)
    return found


def seen(**types: str) -> Mapping[tuple[str, int], Mapping[str, frozenset[str]]]:
    return {("a.py", 0): {name: frozenset(kinds.split()) for name, kinds in types.items()}}


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("comparison", "y = a < b", "y = a <= b"),
        ("comparison", "y = a not  in b", "y = a in b"),
        ("comparison", "y = a == None", "y = a is None"),
        ("arithmetic", "y = a + b", "y = a - b"),
        ("arithmetic", "a ^= b", "a &= b"),
        ("arithmetic", "a += b", "a = b"),
        ("arithmetic", "a = x * 2", "a += x * 2"),
        ("logic", "y = a and b", "y = a or b"),
        ("logic", "y = not a", "y = a"),
        ("logic", "y = not (a and b)", "y = not a or not b"),
        ("logic", "y = not (a or b)", "y = not a or b"),
        ("logic", "y = not a or not b", "y = not (a and b)"),
        ("regroup", "y = a + b * x", "y = (a + b) * x"),
        ("regroup", "y = (a + b) * x", "y = a + b * x"),
        ("regroup", "y = a - b - x", "y = a - (b - x)"),
        ("regroup", "y = a and b or x", "y = a and (b or x)"),
        ("regroup", "y = (a or b) and x", "y = a or b and x"),
        ("regroup", "y = int(a / b)", "y = int(a) / b"),
        ("regroup", "y = len(a) - 1", "y = len(a - 1)"),
        ("regroup", "y = a if b else x + 1", "y = (a if b else x) + 1"),
        ("chained", "y = a < b", "y = 0 <= a < b"),
        ("chained", "y = a < b <= x", "y = a < b"),
        ("chained", "y = a < b <= x", "y = b <= x"),
        ("off_by_one", "y = items[a]", "y = items[a + 1]"),
        ("off_by_one", "y = items[a:b]", "y = items[a:b - 1]"),
        ("variable", "y = a", "y = b"),
        ("variable", "y = math.floor(x)", "y = math.floor(a)"),
        ("variable", "y = a", "y = LIMIT"),
        ("variable", "y = [z for z in a if b]", "y = [z for z in a if z]"),
        ("variable", "y = sorted(a, key=lambda z: x)", "y = sorted(a, key=lambda z: z)"),
        ("variable", "y = f'{a} and {b!r}'", "y = f'{a} and {x!r}'"),
        ("attribute", "y = self.width", "y = self.height"),
        ("attribute", "y = self.width", "y = self.area"),
        ("attribute", "self.width = a", "self.height = a"),
        ("member", "y = width", "y = self.width"),
        ("member", "y = self.a", "y = a"),
        ("expression", "y = x\n            z = a.left", "y = a.left\n            z = a.left"),
        ("target", "y = a[b]\n            y = 1", "a[b] = a[b]\n            y = 1"),
        ("callee", "y = helper(a, b)", "y = other(a, b)"),
        ("callee", "y = any(a)", "y = all(a)"),
        ("callee", "y = isinstance(a, b)", "y = issubclass(a, b)"),
        ("method", "y = self.grow(a)", "y = self.shrink(a)"),
        ("method", "y = self.grow(a)", "y = self.common(a)"),
        ("method", "y = a.lstrip()", "y = a.rstrip()"),
        ("swap", "y = other(a, b)", "y = other(b, a)"),
        ("swap", "y = a if b else x", "y = x if b else a"),
        ("swap", "y = other(last=a, first=b)", "y = other(last=b, first=a)"),
        ("argument_added", "y = helper(a)", "y = helper(a, b)"),
        ("argument_added", "y = helper(a)", "y = helper(a, strict=True)"),
        ("argument_added", "y = other(b)", "y = other(a, b)"),
        ("argument_passed", "y = unknown(a)", "y = unknown(a, key=key)"),
        ("argument_passed", "y = unknown(a)", "y = unknown(a, **options)"),
        ("argument_added", "y = unknown()", "y = unknown(a)"),
        ("argument_passed", "y = Box(height=(b))", "y = Box(height=(b), width=self.width)"),
        ("argument_copied", "y = far(a)\n            far(x, b, c=key)", "y = far(a, b)\n            far(x, b, c=key)"),
        (
            "argument_copied",
            "y = far(a)\n            far(x, b, c=key)",
            "y = far(a, c=key)\n            far(x, b, c=key)",
        ),
        ("argument_taken", "y = helper(a, b)", "y = helper(a)"),
        ("argument_taken", "y = helper(a, b)", "y = helper(b)"),
        ("argument_taken", "y = helper(a, strict = True)", "y = helper(a)"),
        ("unwrap", "y = len(a)", "y = a"),
        ("unwrap", "y = a.copy()", "y = a"),
        ("unwrap", "y = a if b else x", "y = x"),
        ("convert", "y = a", "y = list(a)"),
        ("convert", "y = a", "y = a.items()"),
        ("convert", "for y, z in a: pass", "for y, z in enumerate(a): pass"),
        ("convert", "y = f(b for b in a)", "y = f(list((b for b in a)))"),
        ("convert", "y = a + b", "y = str(a + b)"),
        ("nest", "y = other(a, b)", "y = other(other(a, b), b)"),
        ("nest", "y = x", "y = self.grow(x)"),
        ("lookup", "y = a[b]", "y = a.get(b)"),
        ("lookup", "y = a[b]", "y = a.get(b, [])"),
        ("lookup", "y = a.get(b, 1)", "y = a[b]"),
        ("number", "y = 5", "y = 4"),
        ("number", "y = 0", "y = float('inf')"),
        ("number", "y = 5", "y = a"),
        ("truth", "y = True", "y = False"),
        ("text", "y = 'Ab '", "y = 'Ab'"),
        ("text", "y = '%s!'", "y = '%r!'"),
        ("text", "y = 'of {a.b!r}'", "y = f'of {a.b!r}'"),
        ("pattern", "y = re.match('\\\\d+', a)", "y = re.match(r'\\d*', a)"),
        ("pattern", "y = re.match('a', a)", "y = re.match(r'a$', a)"),
        ("membership", "y = a == 'b'", "y = a in items"),
        ("membership", "y = a != 'b'\n            z = 'c'", "y = a not in ('b', 'c')\n            z = 'c'"),
        ("own_value", "y = len(a)", "y = self.area"),
        ("own_value", "y = x", "y = self.width"),
        ("convert", "y = a.grow", "y = a.grow()"),
        ("unwrap", "y = a.area()", "y = a.area"),
        ("nest", "y = x\n            math.floor(a)", "y = math.floor(x)\n            math.floor(a)"),
        ("truthiness", "if a is not None: pass", "if a: pass"),
        ("truthiness", "if a is None or b: pass", "if not a or b: pass"),
        ("truthiness", "if not a: pass", "if a is None: pass"),
        ("truthiness", "if a and b: pass", "if a is not None and b: pass"),
        ("truthiness", "if len(a) == 0: pass", "if not a: pass"),
        ("truthiness", "if a is None: pass", "if a is LIMIT: pass"),
        ("either", "y = a or b", "y = b if a is None else a"),
        ("either", "y = b if a is None else a", "y = a or b"),
        ("either", "y = a if a is not None else b", "y = a if a else b"),
        ("kind", "y = type(a) is int", "y = isinstance(a, int)"),
        ("kind", "y = isinstance(a, str)", "y = isinstance(a, (str, bytes))"),
        ("kind", "y = isinstance(a, (str, Box))", "y = isinstance(a, (str, Box, Base))"),
        ("none", "y = None", "y = []"),
        ("empty", "y = []", "y = {}"),
        ("empty", "y = []", "y = [x]"),
        ("empty", "y = dict()", "y = []"),
        ("cut", "y = items", "y = items[1:]"),
        ("cut", "y = items", "y = items[a:]"),
        ("cut", "y = items", "y = items[-1]"),
        ("bounds", "y = items[a:b]", "y = items[a:]"),
        ("bounds", "y = items[a:]", "y = items[a:b]"),
        ("bounds", "y = items[a:b]", "y = items[a:b + 1]"),
        ("bounds", "y = items[:a]", "y = items[-a:]"),
        ("index", "y = items[a]", "y = items[-a]"),
        ("index", "y = items[a]", "y = items[a:]"),
        ("index", "y = items[a][b]", "y = items[b][a]"),
        ("ranges", "y = range(a)", "y = range(1, a)"),
        ("ranges", "y = range(a, b)", "y = range(a, b + 1)"),
        ("ranges", "y = range(a, b)", "y = range(a, b, -1)"),
        ("ranges", "y = enumerate(a)", "y = enumerate(a, 1)"),
        ("term", "y = a", "y = a + b"),
        ("term", "y = a * x", "y = a * x - b"),
        ("term", "y = a - x", "y = (a - x) * b"),
        ("power", "y = a - b", "y = (a - b) ** 2"),
        ("power", "y = a", "y = [a]"),
        ("extreme", "y = a", "y = max(y, a)"),
        ("fallback", "y = key", "y = key or []"),
        ("conditional", "y = key", "y = key if key is not None else []"),
        ("element", "y = (a, b)", "y = (a,)"),
        ("element", "y = [a, b]", "y = [b]"),
        ("element", "y = (a, b)", "y = (a, b, x)"),
        ("entry", "y = {'a': a, 'b': b}", "y = {'a': a, 'b': b, 'x': x}"),
        ("entry", "y = {'a': a, 'b': b}", "y = {'b': b}"),
        ("comprehension", "y = [z for z in a if z]", "y = [z for z in a ]"),
        ("comprehension", "y = [z for z in a]", "y = [z for z in a if z]"),
        ("comprehension", "y = [z for z in a]", "y = {z for z in a}"),
        ("comprehension", "y = sum(z for z in a)", "y = sum([z for z in a])"),
        ("shown", "y = f'{a}'", "y = f'{a!r}'"),
        ("shown", "y = f'{a!r:>4}'", "y = f'{a:>4}'"),
    ],
)
def test_each_kind_of_change_is_drafted(name: str, before: str, after: str) -> None:
    assert after in results(name, before)


@pytest.mark.parametrize(
    "hole",
    [
        "y = sum(x * 2 for x in items if x > a) // 2",
        "y = f'{a + 1!r} {items[\"k\"]} {b:>{x}}'",
        "return(a)or b",
        "y = 1 if(a)else(b)",
        "y = a, b",
        "y = helper((a), last=(b),)",
        "y = {'a': a, **options, 'b': [b]}",
        "y = {'a': a,\n                 'b': b}",
        "self.width[a:b], y = (a\n                + b), lambda z, k=1: z[k]",
        "items[a, 1:b] = not a.b(c=1)[-1] < b <= 3",
        "print(*items, sep='', **options)",
        "raise ValueError('%s: %d' % (a, b)) from None",
        "del items[a]",
        "y = (a if not b else x) or type(a) != int and not isinstance(len(b), Box) is None",
        'assert isinstance(a, (int, str)), "no"',
        "y: int = -a ** 2 if a is None else await_(a)",
        "while a and not b or x: pass",
        "with open(a) as y, open(b): pass",
        "y = 'caf\u00e9' + a + '\u20ac'.join(b)",
        "y = re.sub('^(a|\\\\d+)?[.]$', '{a} {b.c:>3}', b) == 'x'",
        "return a if b and\\\n                x else items",
    ],
)
def test_every_draft_parses_and_keeps_what_is_around_it(hole: str) -> None:
    place = spot(hole, hints=["'seen'", "7"])
    own = [make for make in templates().values() if make.__module__.rpartition(".")[2] in MINE]
    start, end = place.source.span(place.statement)
    for make in own:
        for draft in make(place):
            if draft is not None and draft.edits:
                text = edited(place, draft)
                ast.parse(text)
                assert text.encode().startswith(place.source.data[:start])
                assert text.encode().endswith(place.source.data[end:])
                assert 0 < draft.weight <= 1


def test_what_was_seen_to_be_of_another_type_weighs_less() -> None:
    found = results("variable", "y = a", seen(a="int", b="list", key="int NoneType", x="float"))
    assert found["y = key"] == found["y = x"] == 1
    assert found["y = b"] == found["y = items"] * ODD == ODD


def test_annotations_and_defaults_tell_types_too() -> None:
    source = Source("a.py", b"def f(a: int, b: 'list[int] | None', c='x', d=None):\n    return a + 1\n")
    node = source.functions[0][1]
    scope = Donors(source, node).scope
    assert [scope.of(name) for name in "abcd"] == [
        frozenset(["number"]),
        frozenset(["sequence", "none"]),
        frozenset(["text"]),
        frozenset(),
    ]


def test_terms_are_of_like_type_only() -> None:
    found = results("term", "y = a", seen(a="int", b="str", x="int"))
    assert "y = a + x" in found
    assert not any(text.split()[-1] == "b" for text in found)


def test_call_changes_only_to_what_takes_its_arguments() -> None:
    found = results("callee", "y = other(a, b)")
    assert "y = helper(a, b)" in found
    assert "y = Box(a, b)" in found
    assert "y = Base(a, b)" in found
    assert "y = other(a)" not in found
    assert "y = helper(a)" in results("callee", "y = unknown(a)")
    assert "y = other(a)" not in results("callee", "y = unknown(a)")


def test_literal_changes_to_what_tests_name() -> None:
    found = list(results("text", "y = 'colour of it'", hints=["'far away'", "'color of it'"]))
    assert found[0] == "y = 'color of it'"
    assert "y = 'far away'" in found
    assert "y = 42" in results("number", "y = 7", hints=["42"])


def test_new_entry_goes_on_line_of_its_own_where_others_do() -> None:
    hole = "y = {\n                'a': a,\n                'b': b,\n            }"
    expected = "y = {\n                'a': a,\n                'b': b,\n                'key': key,\n            }"
    assert expected in results("entry", hole)


def test_quotes_of_f_string_are_not_used_inside_it() -> None:
    found = results("lookup", "y = f'{a[b]}'")
    assert "y = f'{a.get(b, \"\")}'" in found


def test_definition_offers_its_default_values_only() -> None:
    source = Source("a.py", b"def f(a, b=[], *, c=True):\n    return a\n")
    node = source.functions[0][1]
    place = TemplateSite(source, Donors(source, node), node)
    assert [source.text(one) for one in place.values] == ["[]", "True"]
    texts = [edited(place, draft) for draft in templates()["truth"](place) if draft]
    assert any("c=False" in text for text in texts)
    assert not any("c=a" in text for text in texts)


@given(st.lists(st.lists(st.integers(), max_size=5), max_size=5))
def test_streams_alternate(rows: list[list[int]]) -> None:
    streams = [iter([Draft(str((at, place)), ()) for place in range(len(row))]) for at, row in enumerate(rows)]
    found = [ast.literal_eval(draft.what) for draft in interleave(streams) if draft]
    assert found == sorted(
        ((at, place) for at, row in enumerate(rows) for place in range(len(row))), key=lambda one: one[::-1]
    )


@pytest.mark.parametrize(
    ("name", "hole", "never"),
    [
        ("argument_added", "foreign((a), b)", "foreign((b, a), b)"),
        ("element", "y = [(a), b]", "y = [(x, a), b]"),
        ("element", "y = (a, (b))", "y = (a, (b, x))"),
    ],
)
def test_nothing_is_put_into_parentheses_of_part(name: str, hole: str, never: str) -> None:
    found = results(name, hole)
    assert never not in found
    assert len(found) > 1


def test_guards_and_values_of_cases_are_edited() -> None:
    hole = "match a:\n                case [1, c] if c > b: pass"
    assert hole.replace("c > b", "c >= b") in results("comparison", hole)
    assert hole.replace("c > b", "b > b") in results("variable", hole)
    assert hole.replace("if c > b", "if c > c") in results("variable", hole)
    numbers = results("number", hole)
    assert hole.replace("[1,", "[2,") in numbers
    assert hole.replace("[1,", "[a,") not in numbers


@pytest.mark.parametrize(("old", "new"), [("{}", "[{}]"), ("[a, b]", "[[a, b]]"), ("(a, b)", "((a, b),)")])
def test_display_may_lack_level(old: str, new: str) -> None:
    assert f"y = {new}" in results("power", f"y = {old}")
