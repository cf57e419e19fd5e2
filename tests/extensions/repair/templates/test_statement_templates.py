"""Templates of statements: they change conditions, and insert, delete and move statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import pytest

from extensions.experiment.evaluator.condition_probes import ConditionTruth
from extensions.experiment.source.source_file import Draft, Source, statements
from extensions.repair.analysis.callable_library import Library
from extensions.repair.analysis.code_snippets import Snippets
from extensions.repair.analysis.donor_code import Donors
from extensions.repair.candidate_order import Make
from extensions.repair.candidates.candidate_expressions import opposite_texts, replace_word
from extensions.repair.candidates.template_site import TemplateSite
from extensions.repair.templates import conditions, copies, exceptions, flow, guards, inserts, moves, siblings, surgery

MODULES = (conditions, copies, exceptions, flow, guards, inserts, moves, siblings, surgery)
TEMPLATES: dict[str, Make] = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
}
MOST = 1500


def make_sites(code: str, probe: Mapping[str, ConditionTruth] | None = None) -> Iterator[TemplateSite]:
    """Yield a site for each statement of each function, and for the functions' definitions."""
    source = Source("a.py", code.encode())
    snippets, library = Snippets([source]), Library([source])
    for _, holder in source.functions:
        donors = Donors(source, holder, library)
        for statement in [holder, *statements(holder)]:
            site = TemplateSite(source, donors, statement, snippets)
            if probe is not None:
                site.probe = lambda texts: {text: probe[text] for text in texts if text in probe}
            yield site


def drafts(template: Make, code: str, probe: Mapping[str, ConditionTruth] | None = None) -> list[Draft]:
    drafted = [draft for site in make_sites(code, probe) for draft in islice(template(site), MOST)]
    return [draft for draft in drafted if draft is not None and draft.edits]


def apply_draft(code: str, draft: Draft) -> str:
    data = code.encode()
    for start, end, text in sorted(draft.edits, reverse=True):
        data = data[:start] + text.encode() + data[end:]
    return data.decode()


def results(template: Make, code: str) -> list[str]:
    return [apply_draft(code, draft) for draft in drafts(template, code)]


def body(*lines: str, head: str = "def f(a, b):") -> str:
    return "\n".join([head, *(f"    {line}" for line in lines)]) + "\n"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("or_condition", ["if a.next is None:", "    return b"], ["if a is None or a.next is None:", "    return b"]),
        ("or_condition", ["if a and b:", "    g(a)"], ["if a and b and a != b:", "    g(a)"]),
        ("or_condition", ["return a == b"], ["return a == b and a < b"]),
        ("conjunct", ["if a[0].done:", "    g(a)"], ["if a and a[0].done:", "    g(a)"]),
        ("conjunct", ["g(a.y)", "return a.x == b.x"], ["g(a.y)", "return a.x == b.x and a.y == b.y"]),
        ("conjunct", ["if a > 1:", "    g(a)"], ["if isinstance(a, str) and a > 1:", "    g(a)"]),
        (
            "chain",
            ["if a is None:", "    a = g(1)", "else:", "    a = h(a)", "if b is None:", "    b = g(2)"],
            [
                "if a is None:",
                "    a = g(1)",
                "else:",
                "    a = h(a)",
                "if b is None:",
                "    b = g(2)",
                "else:",
                "    b = h(b)",
            ],
        ),
        ("replace_condition", ["while True:", "    b.pop()"], ["while b:", "    b.pop()"]),
        ("junction", ["if a and b:", "    g(a)"], ["if not a or b:", "    g(a)"]),
        ("junction", ["if a or b:", "    g(a)"], ["if not a and not b:", "    g(a)"]),
        ("guard", ["return a[0]"], ["if not a:", "    return None", "return a[0]"]),
        ("guard", ["return a[b]"], ["if b >= len(a):", "    return None", "return a[b]"]),
        ("guard", ["return a / b"], ["if b == 0:", "    return 0", "return a / b"]),
        (
            "guard",
            ["for c in a:", "    g(b[c])"],
            ["for c in a:", "    if c not in b:", "        continue", "    g(b[c])"],
        ),
        (
            "guard_with_action",
            ["c = []", "g(c)", "if a > b:", "    return"],
            ["c = []", "g(c)", "if a == b:", "    c.append(a)", "    return", "if a > b:", "    return"],
        ),
        (
            "guard_with_action",
            ["for c in a:", "    g(c)", "    b += 1"],
            ["for c in a:", "    if not c:", "        b += 1", "        continue", "    g(c)", "    b += 1"],
        ),
        (
            "guard",
            ["def walk(c):", "    h(c[0])", "return walk"],
            ["def walk(c):", "    if not c:", "        return", "    h(c[0])", "return walk"],
        ),
        (
            "mirror",
            ["i = j = left = right = []", "h(left[i])", "return 1"],
            ["i = j = left = right = []", "h(left[i])", "h(right[j])", "return 1"],
        ),
        ("refuse", ["return a / b"], ["if b == 0:", "    raise ValueError", "return a / b"]),
        ("only_if", ["a.pop()", "return a"], ["if a:", "    a.pop()", "return a"]),
        ("only_if", ["a = g(a)", "h(a)"], ["if a is not None:", "    a = g(a)", "    h(a)"]),
        ("for_each", ["b.append(c)"], ["for c in a:", "    b.append(c)"]),
        ("default", ["return g(a)"], ["if a is None:", "    a = []", "return g(a)"]),
        ("default", ["return g(a)"], ["if a > b:", "    a = b", "return g(a)"]),
        ("insert", ["a = g(a)", "h(a)", "b = g(b)"], ["a = g(a)", "h(a)", "a = g(a)", "b = g(b)"]),
        ("update", ["c = []", "d = g(a)", "return c"], ["c = []", "d = g(a)", "c.append(d)", "return c"]),
        ("update", ["c = 0", "while a[c]:", "    g(c)"], ["c = 0", "while a[c]:", "    g(c)", "    c += 1"]),
        ("update", ["c = 0", "for d in a:", "    g(c)"], ["c = 0", "for d in a:", "    g(c)", "    c = d"]),
        ("define", ["return size + b"], ["size = len(a)", "return size + b"]),
        ("prepare", ["return a + a"], ["a = tuple(a)", "return a + a"]),
        ("finish", ["c = a + b"], ["c = a + b", "return c"]),
        ("finish", ["for c in a:", "    d = c"], ["for c in a:", "    d = c", "return d"]),
        ("otherwise", ["if a:", "    b = 1"], ["if a:", "    b = 1", "else:", "    return b"]),
        ("otherwise", ["c = 0", "if a:", "    b = 1"], ["c = 0", "if a:", "    b = 1", "else:", "    c = 0"]),
        ("order", ["a = g(b)", "b = h(a)"], ["b = h(a)", "a = g(b)"]),
        ("elsewhere", ["a = 1", "b = 2", "c = 3"], ["c = 3", "a = 1", "b = 2"]),
        ("outward", ["for c in a:", "    b += c", "    return b"], ["for c in a:", "    b += c", "return b"]),
        ("outward", ["for c in a:", "    d = 0", "    b += c"], ["d = 0", "for c in a:", "    b += c"]),
        (
            "outward",
            ["c = a", "for d in a:", "    e = []", "    e.append(d)"],
            ["e = []", "c = a", "for d in a:", "    e.append(d)"],
        ),
        ("drop", ["for c in a:", "    g(c)", "    return"], ["for c in a:", "    g(c)"]),
        ("inward", ["for c in a:", "    b += c", "g(b)"], ["for c in a:", "    b += c", "    g(b)"]),
        ("inward", ["d = 0", "for c in a:", "    b += c"], ["for c in a:", "    d = 0", "    b += c"]),
        ("leave", ["for c in a:", "    break"], ["for c in a:", "    continue"]),
        ("leave", ["raise a"], ["return b"]),
        ("leave", ["for c in a:", "    return c"], ["for c in a:", "    continue"]),
        ("leave", ["g(a)"], ["return g(a)"]),
        ("deliver", ["return a"], ["yield a"]),
        ("deliver", ["return a"], ["raise ValueError"]),
        ("deliver", ["yield a"], ["yield from a"]),
        ("deliver", ["a.strip()"], ["a = a.strip()"]),
        ("deliver", ["c = a + b"], ["return a + b"]),
        ("drop", ["a = 1", "return a"], ["return a"]),
        ("drop", ["if a:", "    g(a)"], ["pass"]),
        ("drop", ["if a:", "    g(a)", "else:", "    g(b)"], ["if a:", "    g(a)"]),
        ("unguard", ["if a:", "    g(a)", "return b"], ["g(a)", "return b"]),
        ("unguard", ["if a:", "    g(a)", "else:", "    g(b)"], ["g(b)"]),
        ("branches", ["if a:", "    g(a)", "else:", "    g(b)"], ["if a:", "    g(b)", "else:", "    g(a)"]),
        ("branches", ["if a:", "    g(a)", "elif b:", "    g(b)"], ["if a:", "    g(a)", "if b:", "    g(b)"]),
        ("branches", ["if a:", "    g(a)", "if b:", "    g(b)"], ["if a:", "    g(a)", "elif b:", "    g(b)"]),
        ("branches", ["if a:", "    g(a)"], ["while a:", "    g(a)"]),
        ("branches", ["if a:", "    g(a)", "b = 1"], ["if a:", "    g(a)", "else:", "    b = 1"]),
        ("branches", ["for c in a:", "    g(c)", "else:", "    b = 1"], ["for c in a:", "    g(c)", "b = 1"]),
        ("sibling", ["a = g(a)", "return a + b"], ["a = g(a)", "b = g(b)", "return a + b"]),
        ("mirror", ["left = a[0]", "return b"], ["left = a[0]", "right = a[0]", "return b"]),
    ],
)
def test_template_yields_expected_change(name: str, before: list[str], after: list[str]) -> None:
    assert body(*after) in results(TEMPLATES[name], body(*before))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (
            "caught",
            ["try:", "    return a[b]", "except IndexError:", "    return None"],
            ["try:", "    return a[b]", "except (IndexError, KeyError):", "    return None"],
        ),
        (
            "caught",
            ["try:", "    return a[b]", "except (A, B):", "    return None"],
            ["try:", "    return a[b]", "except B:", "    return None"],
        ),
        ("refused", ["raise KeyError(a)"], ["raise IndexError(a)"]),
        ("attempt", ["c = a[b]"], ["try:", "    c = a[b]", "except KeyError:", "    c = None"]),
        ("attempt", ["c = a[b]"], ["try:", "    c = a[b]", "except KeyError:", "    return None"]),
        ("untry", ["try:", "    g(a)", "except A:", "    pass"], ["g(a)"]),
        ("untry", ["try:", "    g(a)", "finally:", "    g(b)"], ["g(a)", "g(b)"]),
        ("copied", ["return a"], ["return a[:]"]),
        ("copied", ["c = [a]"], ["c = [a.copy()]"]),
        ("own_name", ["for a in g(a):", "    b += a", "return b"], ["for a_ in g(a):", "    b += a_", "return b"]),
        ("own_name", ["c = [a for a in b]"], ["c = [a_ for a_ in b]"]),
        ("produce", ["for c in a:", "    d = c", "yield b"], ["for c in a:", "    yield c", "    d = c", "yield b"]),
    ],
)
def test_exception_copy_and_name_templates_yield_change(name: str, before: list[str], after: list[str]) -> None:
    assert body(*after) in results(TEMPLATES[name], body(*before))


def test_mutable_default_is_created_per_call() -> None:
    code = body('"""Why."""', "c.append(a)", "return c", head="def f(a, c=[]):")
    new = body('"""Why."""', "if c is None:", "    c = []", "c.append(a)", "return c", head="def f(a, c=None):")
    assert results(copies.mutable_default, code) == [new]


SHELF = '''\
class Shelf:
    """Books."""

    def __init__(self, books, size=3):
        self.books = list(books)
        self._known = {}

    def add(self, book, place):
        self._check(book, place=place)
        self.books.append(book)
        self._known[book] = place

    def grow(self, step):
        """Make room."""

    def _check(self, book, place=None):
        if book in self._known:
            raise LookupError(f"twice: {book}")
'''


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("call", "        self._check(book, place=place)\n", ""),
        ("hold", "        self.books.append(book)\n", ""),
        ("hold", "        self._known[book] = place\n", ""),
        ("store", "        self._size = size\n", None),
        ("finish", "        return self.books\n", None),
    ],
)
def test_missing_statement_of_method_is_restored(name: str, old: str, new: str | None) -> None:
    if new is None:
        anchor = "{}\n" if name == "store" else 'room."""\n'
        assert SHELF.replace(anchor, anchor + old) in results(TEMPLATES[name], SHELF)
    else:
        assert SHELF in results(TEMPLATES[name], SHELF.replace(old, new))


@pytest.mark.parametrize(
    ("template", "code", "new"),
    [
        pytest.param(
            guards.guard,
            body("return b", head="def f(a, b=MISSING):"),
            body("if b is MISSING:", "    return a", "return b", head="def f(a, b=MISSING):"),
            id="guard for a missing argument",
        ),
        pytest.param(
            surgery.transplant,
            "def f(it):\n    it = iter(it)\n    return next(it)\n\n\ndef g(it):\n    return next(it)\n",
            "def f(it):\n    it = iter(it)\n    return next(it)\n\n\n"
            "def g(it):\n    it = iter(it)\n    return next(it)\n",
            id="statement inserted from another function",
        ),
        pytest.param(
            surgery.borrow,
            "def f(a):\n    key = a.name.lower()\n    return key\n\n\n"
            "def g(a):\n    key = a.name.upper()\n    h(key)\n",
            "def f(a):\n    key = a.name.lower()\n    return key\n\n\n"
            "def g(a):\n    key = a.name.lower()\n    h(key)\n",
            id="similar statement taken from another function",
        ),
        pytest.param(
            flow.unguard,
            body("if a:", "    g(a)", "elif b:", "    g(b)", "else:", "    g(1)"),
            body("if b:", "    g(b)", "else:", "    g(1)"),
            id="elif without its if",
        ),
    ],
)
def test_template_uses_surrounding_code(template: Make, code: str, new: str) -> None:
    assert new in results(template, code)


ODD = '''\
import copy


def outer(self, items, limit=10, *rest, **named):
    """Text."""
    found, seen = [], set()  # a remark
    for place, one in enumerate(items):
        if one in seen or (
            one is None
        ):
            continue; # odd
        elif place > limit: break
        else:
            try:
                text = """a
b"""
                found.append(one); seen.add(one)
            except (KeyError, ValueError) as error:
                raise LookupError(text) from error
            finally:
                limit -= 1
    with open(named["a"]) as file:
        def inner(x):
            nonlocal limit
            return x

        yield inner(file)
    while limit: limit -= 1
    else:
        return [one for one in found if one]
    return copy.copy(found) if found else None  # the end
'''


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_drafts_parse_and_change_code(name: str) -> None:
    for draft in drafts(TEMPLATES[name], ODD):
        new = apply_draft(ODD, draft)
        assert new != ODD or draft.edits[0][2] == ODD.encode()[draft.edits[0][0] : draft.edits[0][1]].decode()
        ast.parse(new)


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_line_endings_and_tabs_are_preserved(newline: str) -> None:
    code = newline.join(["def f(a, b):", "\tfor c in a:", "\t\tb += c", "\t\tg(b)", "\treturn b", ""])
    new = newline.join(["def f(a, b):", "\tfor c in a:", "\t\tb += c", "\tg(b)", "\treturn b", ""])
    assert new in results(moves.outward, code)
    wrapped = newline.join(["\t\ttry:", "\t\t\tg(b)", "\t\texcept ValueError:", "\t\t\tcontinue", ""])
    assert code.replace(f"\t\tg(b){newline}", wrapped) in results(exceptions.attempt, code)


def test_else_first_assigns_similar_name() -> None:
    code = body("if tag is None:", "    self._tag = mark", head="def f(self, mark, tag):")
    first = next(new for new in results(TEMPLATES["otherwise"], code) if "else" in new)
    assert "else:\n        self._tag = tag\n" in first


def test_nothing_is_inserted_before_elif_or_into_shared_line() -> None:
    code = body("if a: g(a); g(b)", "elif b:", "    g(b)")
    for name in ("guard", "only_if", "attempt", "order", "inward", "outward"):
        for new in results(TEMPLATES[name], code):
            ast.parse(new)


COMMENTED = """\
def f(a, b):
    a += 1  # one
    b += 2  # two  # noqa
    if b:
        c = g(b)  # three
    else:
        c = a  # four
    return c  # five
"""


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("order", "a += 1  # one\n    b += 2  # two  # noqa\n", "b += 2  # two  # noqa\n    a += 1  # one\n"),
        ("order", "    if b:\n", "    return c  # five\n    if b:\n"),
        ("drop", "    a += 1  # one\n", ""),
        ("drop", "    return c  # five\n", None),
        ("drop", "    else:\n        c = a  # four\n", ""),
        ("drop", "        c = g(b)  # three\n", "        pass\n"),
        (
            "branches",
            "c = g(b)  # three\n    else:\n        c = a  # four",
            "c = a  # four\n    else:\n        c = g(b)  # three",
        ),
        ("inward", "    b += 2  # two  # noqa\n    if b:\n", "    if b:\n        b += 2  # two  # noqa\n"),
        ("only_if", "    a += 1  # one\n", "    if not a:\n        a += 1  # one\n"),
    ],
)
def test_comments_move_with_their_statement(name: str, old: str, new: str | None) -> None:
    changed = results(TEMPLATES[name], COMMENTED)
    if name == "order" and "if b" in old:
        changed = [text for text in changed if text.index("return") < text.index("if b")]
        assert changed[0].endswith(
            "    return c  # five\n    if b:\n        c = g(b)  # three\n    else:\n        c = a  # four\n"
        )
    elif new is None:
        assert changed
        assert all(("return c" in text) == ("# five" in text) for text in changed)
    else:
        assert COMMENTED.replace(old, new) in changed


@pytest.mark.parametrize("head", ["", "    @wraps(a)\n", "    @wraps(a)\n    @cache\n"])
def test_guard_is_inserted_before_nested_function(head: str) -> None:
    code = f"def f(a):\n    total = a\n{head}    def g(b):\n        return b + total\n    return g(a)\n"
    new = code.replace("total = a\n", "total = a\n    if not a:\n        return None\n")
    assert new in results(guards.guard, code)
    assert all("if not b:\n        return None\n    def" not in text for text in results(guards.guard, code))


def test_guard_prefers_recently_bound_name() -> None:
    code = body("n = len(a)", "return h(a, b, c, n)", head="def f(a, b, c):")
    (*_, site) = make_sites(code)
    lines = [draft.edits[0][2].strip() for draft in islice(guards.refuse(site), 200) if draft is not None]
    assert "if n < 2:\n        raise ValueError" in lines
    assert not any("if c < 2" in line for line in lines)


OPERATOR = """\
class Point:
    def __eq__(self, other):
        return self.x == other.x

    def far(self, other, point):
        if isinstance(other, int):
            return 1
        return other.x
"""


def test_operator_returns_not_implemented_for_other_types() -> None:
    guard_lines = "        if not isinstance(other, Point):\n            return NotImplemented\n"
    changed = results(guards.guard, OPERATOR)
    new = OPERATOR.replace("        return self.x", f"{guard_lines}        return self.x")
    assert changed.index(new) < 200
    assert not any("far" in text.partition("NotImplemented")[0] for text in changed if "NotImplemented" in text)
    assert any("if not isinstance(point, int):\n            return other.x\n" in text for text in changed)


def test_else_branch_mirrors_binding_or_return() -> None:
    code = body("if a:", "    c = g(a)", "    h(c)", "return c")
    assert body("if a:", "    c = g(a)", "    h(c)", "else:", "    c = set()", "return c") in results(
        inserts.otherwise, code
    )
    code = body("if a:", "    return True")
    assert results(inserts.otherwise, code)[0] == body("if a:", "    return True", "else:", "    return False")


def test_walrus_in_condition_keeps_value() -> None:
    changed = results(conditions.conjunct, body("if y := g(a):", "    g(y)"))
    assert any("if y or (y := g(a)):" in text for text in changed)
    for text in changed:
        ast.parse(text)


def test_words_change_in_strings_but_not_in_their_prefixes() -> None:
    assert replace_word('self.f = g["f"], f"{f!f:f}"', "f", "other") == 'self.other = g["other"], f"{other!f:other}"'
    assert replace_word("z = r'\\d r' + b'r' + r", "r", "w") == "z = r'\\d r' + b'w' + w"
    assert list(opposite_texts("left = 'to the left'")) == ["right = 'to the right'"]
    assert replace_word("f'{{f}} f {f}'", "f", "other")[-9:] == " {other}'"
    assert replace_word("'", "a", "b") == "'"
    assert replace_word("a += 1", "a", "return_") == "return_ += 1"


# Truth values of probed conditions


def condition_weights(drafted: Sequence[Draft], condition: str) -> list[float]:
    return [draft.weight for draft in drafted if f"if {condition}:" in draft.edits[0][2]]


def test_guards_that_never_fire_weigh_least() -> None:
    code = body("return a[b]")
    never, fires = ConditionTruth("00", "0"), ConditionTruth("01", "0")
    drafted = drafts(guards.guard, code, {"not a": never, "a is None": fires, "b < 0": fires})
    assert set(condition_weights(drafted, "not a")) == {0.05}
    assert {*condition_weights(drafted, "b < 0"), *condition_weights(drafted, "a is None")} == {1.0, 0.3}
    assert set(condition_weights(drafted, "a == b")) == {1.0}


def test_condition_without_effect_in_failing_tests_weighs_least() -> None:
    code = body("if a:", "    g(b)")
    truths = {
        "a": ConditionTruth("10", "1"),
        "not b": ConditionTruth("10", "0"),
        "b": ConditionTruth("01", "1"),
        "b is None": ConditionTruth("00", "0"),
    }
    drafted = {draft.edits[0][2]: draft.weight for draft in drafts(conditions.or_condition, code, truths)}
    assert drafted["a or not b"] == 0.05
    assert drafted["a or b"] == 1.0
    assert drafted["a and b is None"] == 1.0
    assert drafted["a or b is None"] == 0.05
    replaced = {draft.edits[0][2]: draft.weight for draft in drafts(conditions.replace_condition, code, truths)}
    assert replaced["not b"] == 0.05
    assert replaced["b"] == 1.0
