"""Findings of overreach in changes of source files."""

import pytest

from extensions.review.merge_readiness.overreach import find_overreach

SHOP = '''\
"""A shop."""

import os
import sys

LIMIT = 10
PAUSE = 60 * 60
RATES = dict({"EUR": 1, "USD": 2})


class Cart:
    """What a customer buys."""

    def __init__(self, prices, currency="EUR"):
        self.prices = list(prices)
        self.currency = currency

    def total(self, rebate=0):
        # The rebate is a share of the sum.
        amount = 0
        for price in self.prices:
            amount += price
        return amount - rebate


def show(cart, width=20):
    """Return a line of text."""
    # Prices have two digits.
    value = f"{cart.total():.2f}"
    return value.rjust(width)


@option("--place", default="here")
def describe(cart, name, place):
    label = name.strip()
    if not label:
        return join(name, place, cart.currency)
    return label + place
'''
FIX = ("return amount - rebate", "return amount * (1 - rebate)")
ISSUE = "total(rebate) subtracts the rebate itself\n\nIt should subtract a share of the sum."


def findings(*edits: tuple[str, str], issue: str = ISSUE, used: str = "", path: str = "shop.py", text: str = SHOP):
    after = text
    for old, new in edits:
        assert old in after
        after = after.replace(old, new)
    return find_overreach({path: text}, {path: after}, issue, lambda word: word in used.split())


def kinds(*edits, **options) -> list[str]:
    return sorted({one.kind for one in findings(*edits, **options)})


def test_fix_alone_has_no_finding() -> None:
    assert findings(FIX) == []
    guard = "if rebate > 1:\n            raise ValueError(rebate)\n        return amount - rebate"
    assert findings((FIX[0], guard)) == []


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        (("join(name, place, cart.currency)", "join(\n            name,\n            place,\n        )"), None),
        (
            (
                "join(name, place, cart.currency)",
                "join(\n            name,\n            place,\n            cart.currency,\n        )",
            ),
            "reformatting",
        ),
        (('currency="EUR"', "currency='EUR'"), "reformatting"),
        (("import os\nimport sys", "import sys\nimport os"), "reformatting"),
        (("label", "title"), "rename"),
        (("    label = name.strip()\n", "    label = name.strip()\n    print(label)\n"), "debug output"),
        (("    label = name.strip()\n", "    breakpoint()\n    label = name.strip()\n"), "debug output"),
        (("def show", "def _as_list(value):\n    return [value]\n\n\ndef show"), "unused definition"),
        (("LIMIT = 10\n", "LIMIT = 10\nMARGIN = 2\n"), "unused definition"),
        (("LIMIT = 10", "LIMIT = 100"), "changed default"),
        (("width=20", "width=25"), "changed default"),
        (('"USD": 2', '"USD": 3'), "changed default"),
        (('default="here"', 'default="there"'), "changed default"),
        (("    label = name.strip()\n", '    echo("[debug]", name)\n    label = name.strip()\n'), "debug output"),
        (
            ("    label = name.strip()\n", "    def cut(x):\n        return x[:2]\n\n    label = name.strip()\n"),
            "unused definition",
        ),
        (("def show", "def count(n):\n    return n and count(n - 1)\n\n\ndef show"), "unused definition"),
        (
            ("    def total", "    @staticmethod\n    def one():\n        return 1\n\n    def total"),
            "unused definition",
        ),
        (("    # Prices have two digits.\n", ""), "deleted comment"),
        (('    """Return a line of text."""\n', ""), "deleted comment"),
    ],
)
def test_overreach_is_found_beside_the_fix(edit, kind) -> None:
    assert kinds(FIX, edit) == ([kind] if kind else [])


def test_finding_has_its_place_in_the_new_file() -> None:
    (found,) = findings(FIX, ("width=20", "width=25"))
    assert (found.path, found.line) == ("shop.py", 26)
    assert found.text == "The default of show(width) changes from 20 to 25; the issue does not name it."
    assert [(hunk.start, hunk.end) for hunk in found.hunks] == [(25, 26)]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("LIMIT = 10", "LIMIT = 100"), "LIMIT is too low"),
        (("width=20", "width=25"), "The default column is too narrow: make the width 25"),
        (("label", "title"), "`label` is a misleading name"),
        (("def show", "def clear(cart):\n    cart.prices = []\n\n\ndef show"), "Add clear()"),
    ],
)
def test_what_the_issue_names_is_no_finding(edit, words) -> None:
    assert kinds(edit)
    assert findings(edit, issue=words) == []


@pytest.mark.parametrize(
    ("edit", "used"),
    [
        (("def show", "def clear(cart):\n    cart.prices = []\n\n\ndef show"), "clear"),
        (("def show", "@command\ndef clear(cart):\n    cart.prices = []\n\n\ndef show"), ""),
        (("    label = name.strip()\n", "    label = name.strip()\n    print(label)\n"), None),
        (("        # The rebate is a share of the sum.\n        amount = 0\n", "        amount = 1\n"), ""),
        (("        return join(name, place, cart.currency)", "        return join(\n            name\n        )"), ""),
    ],
)
def test_change_with_a_reason_is_no_finding(edit, used) -> None:
    text = SHOP if used is not None else SHOP + "\n\nprint(LIMIT)\n"
    assert findings(edit, used=used or "", text=text) == []


def test_examples_may_print() -> None:
    edit = ("    label = name.strip()\n", "    label = name.strip()\n    print(label)\n")
    assert kinds(edit) == ["debug output"]
    assert findings(edit, path="examples/shop.py") == []


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        (("  return a - b;\n", "  console.log(a);\n  return a - b;\n"), "debug output"),
        (("pay(a, b, 2);", "pay(\n  a,\n  b,\n  2,\n);"), "reformatting"),
        (("// Keep the order.\n", ""), "deleted comment"),
    ],
)
def test_other_languages(edit, kind) -> None:
    text = (
        "function sub(a, b) {\n  return a - b;\n}\n\n// Keep the order.\nfunction pay(a, b, c) {\n  return a;\n}\n\n"
        "\nfunction main(a, b) {\n  pay(a, b, 2);\n  return b;\n}\n"
    )
    assert kinds(edit, path="shop.js", text=text, issue="x") == [kind]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("README.md", "Words.\n", "Words.\np is a word\nconsole.log(1)\n"),
        ("a.yml", "a:\n  b: 1\nc: 2\n", "a:\n  b: 1\n  c: 2\n"),
        ("a.js", "f('a b');\n", "f('ab');\n"),
        ("a.js", "f('a, )');\n", "f('a )');\n"),
        ("a.c", "int f() {\n  int p;\n  return 1;\n}\n", "int f() {\n  int p;\n  p = 3;\n  return 1;\n}\n"),
    ],
)
def test_text_and_meaning_are_no_layout_and_no_debug_output(path, old, new) -> None:
    assert find_overreach({path: old}, {path: new}, "", lambda _: False) == []


@pytest.mark.parametrize("ends", [" \n", "\r\n"])
@pytest.mark.parametrize("path", ["shop.py", "notes.txt"])
def test_other_ends_of_lines_are_layout(path, ends) -> None:
    found = find_overreach(
        {path: "a = 1\nb = 2\nc = 3\n"}, {path: f"a = 1{ends}b = 2{ends}c = 3{ends}"}, "", lambda _: False
    )
    assert {one.kind for one in found} == {"reformatting"}


def test_names_that_a_base_class_may_read_are_used() -> None:
    before = "class Row(Model):\n    name = 1\n\n\ndef make():\n    def one():\n        return 1\n\n    return one()\n"
    after = before.replace("    name = 1\n", "    name = 1\n    ordering = ['x']\n")
    assert find_overreach({"a.py": before}, {"a.py": after}, "", lambda _: False) == []
    inner = before.replace("        return 1", "        def two():\n            return 2\n\n        return 1")
    assert len(find_overreach({"a.py": before}, {"a.py": inner}, "", lambda _: False)) == 1


def test_deep_expressions_and_large_changes_end_soon() -> None:
    deep = "TABLE = " + " + ".join(["[1]"] * 1500) + "\n\n\ndef f(a,b):\n    return a\n"
    find_overreach({"a.py": deep}, {"a.py": deep.replace("a,b", "a, b")}, "", lambda _: False)
    find_overreach({"a.txt": "x\n" * 1000}, {"a.txt": "x\ny\n" * 1000}, "", lambda _: False)
    noisy = SHOP.replace("LIMIT = 10", "LIMIT = 100")
    assert find_overreach({"shop.py": SHOP}, {"shop.py": noisy}, "", lambda _: False, lambda: True) == []


def test_source_that_does_not_parse_has_no_finding_of_python() -> None:
    broken = {"shop.py": "def f(:\n    return 1\n"}
    assert find_overreach(broken, {"shop.py": "def f(:\n    return 2\n"}, "", lambda _: False) == []
    assert find_overreach({}, {"new.py": "def f(:\n"}, "", lambda _: False) == []
