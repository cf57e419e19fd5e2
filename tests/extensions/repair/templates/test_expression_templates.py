"""Templates of expressions: their drafts fit in place and change nothing else."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.experiment.evaluator.candidate_evaluator import Candidate
from extensions.experiment.source.source_file import Draft, Source, statements
from extensions.repair.analysis.callable_library import Library
from extensions.repair.analysis.donor_code import Donors
from extensions.repair.analysis.name_usage import interleave
from extensions.repair.analysis.value_types import Types
from extensions.repair.candidate_order import templates
from extensions.repair.candidates.template_site import ODD, TemplateSite

EXPRESSION_MODULES = ("operators", "names", "calls", "arguments", "constants", "slices", "terms", "displays", "absence")
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


def make_site(hole: str, types: Types | None = None, hints: Sequence[str] = ()) -> TemplateSite:
    source = Source("a.py", CODE.replace("HOLE", hole).encode())
    holder = next(node for function, node in source.functions if function.qualname == "Box.work")
    loop = next(statement for statement in statements(holder) if isinstance(statement, ast.For))
    library = Library([source], hints)
    if types:
        types = {("a.py", holder.lineno): types["a.py", 0]}
    return TemplateSite(source, Donors(source, holder, library, types), loop.body[0])


def apply_draft(site: TemplateSite, draft: Draft) -> str:
    data = Candidate(site.source.path, draft.edits, draft.what, 1).apply(site.source.data)
    return data.decode()


def results(name: str, hole: str, types: Types | None = None, hints: Sequence[str] = ()) -> dict[str, float]:
    """Return the replacement of the hole by each draft, with the draft's weight."""
    site = make_site(hole, types, hints)
    head, tail = CODE.split("HOLE")
    weights: dict[str, float] = {}
    for draft in templates()[name](site):
        if draft is not None and draft.edits:
            text = apply_draft(site, draft)
            assert text.startswith(head)
            assert text.endswith(tail)
            weights.setdefault(text[len(head) : len(text) - len(tail)], draft.weight)
    return weights


def observed_types(**types: str) -> Mapping[tuple[str, int], Mapping[str, frozenset[str]]]:
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
        ("regroup", "y = a - b * x / 2", "y = (a - b) * x / 2"),
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
        ("swap", "y = [a * b, a]", "y = [b * a, b]"),
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
        ("ordering", "y = max(a)", "y = max(a, key=a.get)"),
        ("ordering", "a.sort(key=b)", "a.sort(key=b, reverse=True)"),
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
        ("convert", "y = a", 'y = "".join(a)'),
        ("convert", "y = a + '-'", "y = '-'.join(a + '-')"),
        ("convert", "y = a", "y = sorted(set(a))"),
        ("convert", "y = a[0]", "y = max(a)"),
        ("convert", "y = str(a)", "y = str(a).zfill(2)"),
        ("comprehension", "y = [z for z in a]", "y = [z for z in a if z.isalnum()]"),
        ("bounds", "y = a[1:]", "y = a[:-1]"),
        ("bounds", "y = a[:-1]", "y = a[1:]"),
        ("remainder", "y = a + b", "y = (a + b) % LIMIT"),
        ("remainder", "y = a + b\n            z = 7", "y = (a + b) % 7\n            z = 7"),
        ("remainder", "y = items[a]\n            len(items)", "y = items[a % len(items)]\n            len(items)"),
        ("remainder", "a += b", "a = (a + b) % LIMIT"),
        ("remainder", "a *= b + x", "a = a * (b + x) % LIMIT"),
        ("scale", "y = a", "y = a * LIMIT"),
        ("scale", "y = items[a]\n            z = 2 * b", "y = items[a * 2]\n            z = 2 * b"),
        ("alternative", "if a == ',': pass\n            z = ';'", "if a == ',' or a == ';': pass\n            z = ';'"),
        (
            "alternative",
            "y = a % 4 == 0 and a % 100 != 0",
            "y = a % 4 == 0 and a % 100 != 0 or a % 400 == 0",
        ),
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
def test_expected_change_is_drafted(name: str, before: str, after: str) -> None:
    assert after in results(name, before)


@pytest.mark.slow
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
def test_drafts_parse_and_preserve_surroundings(hole: str) -> None:
    site = make_site(hole, hints=["'seen'", "7"])
    expression_templates = [
        template for template in templates().values() if template.__module__.rpartition(".")[2] in EXPRESSION_MODULES
    ]
    start, end = site.source.span(site.statement)
    for template in expression_templates:
        for draft in template(site):
            if draft is not None and draft.edits:
                text = apply_draft(site, draft)
                ast.parse(text)
                assert text.encode().startswith(site.source.data[:start])
                assert text.encode().endswith(site.source.data[end:])
                assert 0 < draft.weight <= 1


def test_names_of_other_observed_type_weigh_less() -> None:
    drafted = results("variable", "y = a", observed_types(a="int", b="list", key="int NoneType", x="float"))
    assert drafted["y = key"] == drafted["y = x"] == 1
    assert drafted["y = b"] == drafted["y = items"] * ODD == ODD


def test_types_come_from_annotations_and_defaults() -> None:
    source = Source("a.py", b"def f(a: int, b: 'list[int] | None', c='x', d=None):\n    return a + 1\n")
    node = source.functions[0][1]
    scope = Donors(source, node).scope
    assert [scope.of(name) for name in "abcd"] == [
        frozenset(["number"]),
        frozenset(["sequence", "none"]),
        frozenset(["text"]),
        frozenset(),
    ]


def test_terms_have_same_type() -> None:
    drafted = results("term", "y = a", observed_types(a="int", b="str", x="int"))
    assert "y = a + x" in drafted
    assert not any(text.split()[-1] == "b" for text in drafted)


def test_callee_changes_only_to_compatible_signature() -> None:
    drafted = results("callee", "y = other(a, b)")
    assert "y = helper(a, b)" in drafted
    assert "y = Box(a, b)" in drafted
    assert "y = Base(a, b)" in drafted
    assert "y = other(a)" not in drafted
    assert "y = helper(a)" in results("callee", "y = unknown(a)")
    assert "y = other(a)" not in results("callee", "y = unknown(a)")


def test_literals_change_to_hinted_values() -> None:
    drafted = list(results("text", "y = 'colour of it'", hints=["'far away'", "'color of it'"]))
    assert drafted[0] == "y = 'color of it'"
    assert "y = 'far away'" in drafted
    assert "y = 42" in results("number", "y = 7", hints=["42"])


def test_new_entry_follows_line_layout() -> None:
    hole = "y = {\n                'a': a,\n                'b': b,\n            }"
    expected = "y = {\n                'a': a,\n                'b': b,\n                'key': key,\n            }"
    assert expected in results("entry", hole)


def test_f_string_quotes_are_not_nested() -> None:
    drafted = results("lookup", "y = f'{a[b]}'")
    assert "y = f'{a.get(b, \"\")}'" in drafted


def test_definition_has_only_its_defaults_as_values() -> None:
    source = Source("a.py", b"def f(a, b=[], *, c=True):\n    return a\n")
    node = source.functions[0][1]
    site = TemplateSite(source, Donors(source, node), node)
    assert [source.text(value) for value in site.values] == ["[]", "True"]
    texts = [apply_draft(site, draft) for draft in templates()["truth"](site) if draft]
    assert any("c=False" in text for text in texts)
    assert not any("c=a" in text for text in texts)


@given(st.lists(st.lists(st.integers(), max_size=5), max_size=5))
def test_streams_alternate(rows: list[list[int]]) -> None:
    streams = [
        iter([Draft(str((row_index, column)), ()) for column in range(len(row))]) for row_index, row in enumerate(rows)
    ]
    drafted = [ast.literal_eval(draft.what) for draft in interleave(streams) if draft]
    assert drafted == sorted(
        ((row_index, column) for row_index, row in enumerate(rows) for column in range(len(row))),
        key=lambda position: position[::-1],
    )


@pytest.mark.parametrize(
    ("name", "hole", "wrong"),
    [
        ("argument_added", "foreign((a), b)", "foreign((b, a), b)"),
        ("element", "y = [(a), b]", "y = [(x, a), b]"),
        ("element", "y = (a, (b))", "y = (a, (b, x))"),
    ],
)
def test_nothing_is_inserted_into_nested_parentheses(name: str, hole: str, wrong: str) -> None:
    drafted = results(name, hole)
    assert wrong not in drafted
    assert len(drafted) > 1


def test_guards_and_values_of_match_cases_are_edited() -> None:
    hole = "match a:\n                case [1, c] if c > b: pass"
    assert hole.replace("c > b", "c >= b") in results("comparison", hole)
    assert hole.replace("c > b", "b > b") in results("variable", hole)
    assert hole.replace("if c > b", "if c > c") in results("variable", hole)
    numbers = results("number", hole)
    assert hole.replace("[1,", "[2,") in numbers
    assert hole.replace("[1,", "[a,") not in numbers


@pytest.mark.parametrize(("old", "new"), [("{}", "[{}]"), ("[a, b]", "[[a, b]]"), ("(a, b)", "((a, b),)")])
def test_display_can_be_nested(old: str, new: str) -> None:
    assert f"y = {new}" in results("power", f"y = {old}")
