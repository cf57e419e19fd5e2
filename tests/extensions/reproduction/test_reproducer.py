from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

import pytest

from aci.repository.file_blobs import TreeBlobs
from aci.testing.suite_run import run_tests
from extensions.reproduction.example_run import run_example
from extensions.reproduction.reproducer import (
    DEPENDS_ON_FAILED,
    NO_CODE,
    NOT_OF_REPOSITORY,
    Reproducer,
    Reproduction,
    example_code,
)
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.records import Issue

FILES = {
    "shop/__init__.py": "from shop.cart import *\nfrom shop.runner import test\n",
    "shop/runner.py": "def test():\n    open('suite-ran', 'w').close()\n",
    "shop/cart.py": '''\
"""Carts.

>>> from shop import total
"""


class Cart:
    def __init__(self, items=()):
        self.items = list(items)

    def __repr__(self):
        return f"Cart({self.items})"

    def __eq__(self, other):
        return isinstance(other, Cart) and self.items == other.items

    def reverse(self):
        return Cart(self.items)


def total(cart):
    if len(cart.items) > 2:
        return 0
    return cart.items[0].price


def count(cart):
    if not cart.items:
        raise KeyError("empty")
    return len(cart.items) + 1


def name(cart):
    return "cart of " + str(len(cart.items))
''',
    "tests/test_cart.py": "from shop import Cart\n\n\ndef test_cart():\n    assert Cart().items == []\n",
}
FIXED = FILES["shop/cart.py"].replace("cart.items[0].price", "sum(item for item in cart.items)")
FIXED = FIXED.replace("+ 1", "").replace("return Cart(self.items)", "return Cart(self.items[::-1])")
FIXED = (
    FIXED.replace('KeyError("empty")', 'ValueError("empty")').replace("cart of", "Cart of").replace("return 0", "pass")
)

pytestmark = pytest.mark.slow

Reproduce = Callable[..., Reproduction]


@pytest.fixture
def reproduce(make_repo: MakeRepo, open_ws: OpenWorkspace) -> Reproduce:
    """`reproduce(title, body)` returns the reproduction; its test is then run on the corrected source and must pass."""

    def run(
        title: str, body: str, fixed: str = FIXED, after: Mapping[str, str] = MappingProxyType({}), **more: str
    ) -> Reproduction:
        workspace = open_ws("local", make_repo({**FILES, **more}))
        blobs = TreeBlobs(workspace.options.trees, workspace.options.base.tree)
        found = Reproducer(workspace, blobs).reproduce(Issue(title, body))
        assert bool(found.text) != bool(found.reason)
        if found.text:
            for path, text in {"shop/cart.py": fixed, **after}.items():
                workspace.write(path, text.encode())
            assert run_tests(workspace, "", [found.path]).ok
            assert not workspace.run("find . -name suite-ran").text
        return found

    return run


def test_session_that_raises_becomes_a_reduced_test(reproduce: Reproduce) -> None:
    body = """It fails:
```
>>> from shop import *
>>> other = [3]
>>> cart = Cart([1, 2])
>>> cart
Cart([1, 2])
>>> total(cart)
Traceback (most recent call last):
  File "shop/cart.py", line 20, in total
AttributeError: 'int' object has no attribute 'price'
```
"""
    found = reproduce("Total of numbers fails", body)
    assert found.path == "tests/test_cart_issue.py"
    assert found.text == (
        "from shop import Cart, total\n\n\n"
        "def test_total_of_numbers_fails():\n    cart = Cart([1, 2])\n    total(cart)\n"
    )
    assert found.error == "AttributeError: 'int' object has no attribute 'price'"


QUEUE = """\
RATE = 1


class Cart:
    def __init__(self):
        self.lines = []

    def add(self, price, count):
        self.lines.append((price, count))

    def total(self):
        return sum(price * count for price, count in self.lines)

    def weight(self):
        return 0

    def pop(self, name):
        names = {}
        return names[name]

    def clear(self):
        self.lines = []


def configure(rate):
    global RATE
    RATE = rate


def gross(price):
    return price
"""
RIGHT = QUEUE.replace(
    "return sum(price * count for price, count in self.lines)",
    "return sum(price * count * (0.9 if count >= 10 else 1) for price, count in self.lines)",
)
RIGHT = RIGHT.replace("return 0", "return len(self.lines)").replace("return price", "return price * RATE")
RIGHT = RIGHT.replace("names = {}", "names = {'empty': 'empty'} if not self.lines else {'empty': None}")
USE = "from shop import Cart, configure, gross\n"


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("cart = Cart()\ncart.add(1.0, 10)\nassert cart.total() == 9.0", ["cart.add(1.0, 10)"]),
        ("cart = Cart()\ncart.add(1.0, 10)\nassert cart.weight() == 1", ["cart.add(1.0, 10)"]),
        ("cart = Cart()\ncart.add(1.0, 10)\nn = cart.weight()\nassert n == 1", ["cart.add(1.0, 10)"]),
        ("cart = Cart()\nsame = cart\nsame.add(1.0, 10)\nassert cart.weight() == 1", ["same.add(1.0, 10)"]),
        ("cart = Cart()\nfor n in range(3):\n    cart.add(n, 1)\nassert cart.weight() == 3", ["    cart.add(n, 1)"]),
        ("configure(3)\nassert gross(2) == 6", ["configure(3)"]),
        ("import shop.cart\nshop.cart.RATE = 3\nassert gross(2) == 6", ["shop.cart.RATE = 3"]),
        (
            "cart = Cart()\ncart.add(1.0, 10)\ncart.weight()\n```\nIt gives `0`, but it should be 1.",
            ["cart.add(1.0, 10)"],
        ),
    ],
)
def test_statement_that_the_result_depends_on_is_kept(reproduce: Reproduce, code: str, kept: list[str]) -> None:
    body = f"```python\n{USE}{code}\n" + ("" if "```" in code else "```\n")
    found = reproduce("Wrong result", body, fixed=RIGHT, **{"shop/cart.py": QUEUE})
    assert set(kept) <= {line[4:] for line in found.text.splitlines()}, found.reason


def test_statement_that_the_result_does_not_depend_on_is_left_out(reproduce: Reproduce) -> None:
    code = "cart = Cart()\nother = Cart()\nother.add(1.0, 10)\nprint(cart)\ncart.add(2.0, 1)\ncart = Cart()\n"
    body = f"```python\n{USE}{code}cart.add(1.0, 10)\nassert cart.total() == 9.0\n```\n"
    text = reproduce("Wrong result", body, fixed=RIGHT, **{"shop/cart.py": QUEUE}).text
    assert text.endswith("():\n    cart = Cart()\n    cart.add(1.0, 10)\n    assert cart.total() == 9.0\n")


def test_assertion_that_depends_on_a_failed_statement_gives_no_test(reproduce: Reproduce) -> None:
    faulty = QUEUE.replace("self.lines.append((price, count))", "self.lines.append((price, count))\n        {}[price]")
    code = "cart = Cart()\ncart.add(1.0, 10)\nassert cart.total() == 9.0"
    found = reproduce("Wrong result", f"```python\n{USE}{code}\n```\n", **{"shop/cart.py": faulty})
    assert found.reason == DEPENDS_ON_FAILED


@pytest.mark.parametrize(
    ("body", "check"),
    [
        (">>> Cart().pop('empty')\n'empty'\n```\nNow it fails with `KeyError: 'empty'`.", "== 'empty'"),
        (">>> Cart().pop('empty')\nKeyError: 'empty'\n```\nIt should return `'empty'`.", "== 'empty'"),
        (">>> Cart().pop('empty')\nKeyError: 'empty'\n```\nExpected:\n```\n'empty'\n```", "== 'empty'"),
    ],
)
def test_stated_result_of_failing_call_is_asserted(reproduce: Reproduce, body: str, check: str) -> None:
    found = reproduce("Pop fails", f"```\n>>> from shop import Cart\n{body}", fixed=RIGHT, **{"shop/cart.py": QUEUE})
    assert found.text.endswith(f"    assert Cart().pop('empty') {check}\n"), found
    assert found.because == "The issue says that 'empty' is expected."


def test_shown_result_that_is_no_literal_is_compared_as_text(reproduce: Reproduce) -> None:
    faulty = FILES["shop/cart.py"].replace("return Cart(self.items)", "return Cart(self.missing)")
    body = "```\n>>> from shop import Cart\n>>> Cart([1, 2]).reverse()\nCart([2, 1])\n```\n"
    found = reproduce(
        "Reverse",
        f"{body}AttributeError: 'Cart' object has no attribute 'missing'",
        **{"shop/cart.py": faulty},
        fixed=FIXED,
    )
    assert "    assert repr(Cart([1, 2]).reverse()) == 'Cart([2, 1])'\n" in found.text


def test_test_without_expected_value_says_so(reproduce: Reproduce) -> None:
    body = "```\n>>> from shop import Cart\n>>> Cart().pop('empty')\nKeyError: 'empty'\n```\n"
    found = reproduce("Pop fails", body, fixed=RIGHT, **{"shop/cart.py": QUEUE})
    assert "states no result, so the test only checks that no exception is raised" in found.because


def test_repeated_statement_is_reduced(reproduce: Reproduce) -> None:
    code = "c = Cart([1, 2])\nc = Cart([1, 2])\nassert c.reverse().items == [2, 1]"
    assert reproduce("Twice", f"```\nfrom shop import Cart\n{code}\n```").text.count("c = Cart") == 1


def test_value_that_should_be_another(reproduce: Reproduce) -> None:
    found = reproduce(
        "Count", "```\n>>> from shop.cart import Cart, count\n>>> count(Cart([1]))\n2\n```\nIt should be 1."
    )
    assert found.text.endswith("    assert count(Cart([1])) == 1\n")
    assert "1 is expected" in found.because


def test_same_statement_in_another_state_gives_no_expected_value(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    body = "```\n>>> import shop\n>>> c = shop.Cart()\n>>> c.items\n[]\n>>> c.items.append(1)\n>>> c.items\n[1]\n```"
    workspace = open_ws("local", make_repo(FILES))
    blobs = TreeBlobs(workspace.options.trees, workspace.options.base.tree)
    assert Reproducer(workspace, blobs).reproduce(Issue("Items", body)).text == ""


def test_block_that_needs_nothing_missing_is_tried_alone(reproduce: Reproduce) -> None:
    first = "```\nimport shop\nos_exit = __import__('os')._exit\nos_exit(3)\n```"
    second = "```\n>>> from shop.cart import Cart, count\n>>> count(Cart([1]))\n2\n```\nIt should be 1."
    assert "assert count(Cart([1])) == 1" in reproduce("Count", f"{first}\nIn short:\n{second}").text


def test_statement_that_does_not_end_gets_a_limit(reproduce: Reproduce) -> None:
    source = "def wait(n):\n    while n:\n        n -= 2\n"
    body = "```py\nfrom shop.waiting import wait\nwait(3)\n```\nThis hangs."
    after = {"shop/waiting.py": source.replace("while n", "while n > 0")}
    found = reproduce("wait never returns", body, after=after, **{"shop/waiting.py": source})
    assert "signal.alarm(10)\n" in found.text
    assert found.error == "It does not end."


def test_broken_import_is_named(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    workspace = open_ws("local", make_repo({**FILES, "shop/broken.py": "import no_such_module_x\n"}))
    blobs = TreeBlobs(workspace.options.trees, workspace.options.base.tree)
    issue = Issue("Broken", "```py\nfrom shop.broken import f\nf(1)\n```\nTypeError: no")
    assert (
        "An import of the issue's example fails: ModuleNotFoundError"
        in Reproducer(workspace, blobs).reproduce(issue).reason
    )


def test_missing_imports_are_added(reproduce: Reproduce) -> None:
    body = "```\n>>> Cart([1, 2]).reverse()\nCart([1, 2])\n```\nI expected `Cart([2, 1])`.\n"
    found = reproduce("Reverse does nothing", body)
    assert found.text.startswith("from shop import Cart\n")
    assert found.text.endswith("    assert Cart([1, 2]).reverse() == Cart([2, 1])\n")


def test_assertion_of_the_issue(reproduce: Reproduce) -> None:
    asserted = "assert Cart([1, 2]).reverse().items == [2, 1]"
    body = f"```python\nfrom shop import Cart\ndef test_reverse():\n    {asserted}\n```\n"
    found = reproduce("Reverse", body)
    assert asserted in found.text


def test_test_that_needs_a_runner_is_taken_as_it_is(reproduce: Reproduce) -> None:
    test = "def test_reverse(tmp_path):\n    assert Cart([1, 2]).reverse().items == [2, 1]"
    found = reproduce("Reverse", f"```python\nfrom shop import Cart\n\n{test}\n```\n")
    assert found.text == f"from shop import Cart\n\n\n{test}\n"
    assert found.because == "The issue asserts it."


@pytest.mark.parametrize(
    "code",
    [
        "cart = Cart()\nfor n in (1, 2): cart.items.append(n)\n\ndef test_it(tmp_path):\n    assert cart.items",
        "def test_it(tmp_path):\n    assert count(Cart([1])) == 1\n\ndef test_b(unknown):\n    pass",
        "def test_it(tmp_path):\n    check(Cart([1]))",
    ],
    ids=["statement is missing", "another test cannot run", "assertion of the library"],
)
def test_test_that_may_fail_for_another_reason_is_not_taken(code: str, reproduce: Reproduce) -> None:
    checked = FILES["shop/cart.py"] + "\n\ndef check(cart):\n    assert cart is None\n"
    body = f"```python\nfrom shop import Cart, check, count\n\n{code}\n```\n"
    assert reproduce("Test", body, **{"shop/cart.py": checked}).text == ""


@pytest.mark.parametrize("said", ["It fails.", "It fails with KeyError."])
def test_test_that_fails_in_another_way_is_not_taken(said: str, reproduce: Reproduce) -> None:
    test = "def test_total(tmp_path):\n    total(Cart([1]))"
    found = reproduce("Total", f"```python\nfrom shop import Cart, total\n\n{test}\n```\n{said}")
    assert found.text == ""


def test_test_case_of_the_issue_is_run(reproduce: Reproduce) -> None:
    case = "class CartTest(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(count(Cart([1])), 1)\n"
    found = reproduce("Count", f"```python\nimport unittest\nfrom shop import *\n\n{case}```\n")
    assert "loadTestsFromTestCase(CartTest).debug()" in found.text
    assert found.because == "The issue asserts it."


def test_message_without_the_name_of_the_exception_is_enough(reproduce: Reproduce) -> None:
    body = "```python\nfrom shop import Cart, total\ntotal(Cart([1]))\n```\nIt is not what I want."
    assert reproduce("Total fails: `'int' object has no attribute 'price'`", body).error.startswith("AttributeError")


@pytest.mark.parametrize("title", ["Total fails: no attribute 'price'", "Total of an int object fails"])
def test_part_of_a_message_is_not_enough(title: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    body = "```python\nfrom shop import Cart, total\ntotal(Cart([1]))\n```\nIt is not what I want."
    workspace = open_ws("local", make_repo(FILES))
    blobs = TreeBlobs(workspace.options.trees, workspace.options.base.tree)
    assert Reproducer(workspace, blobs).reproduce(Issue(title, body)).text == ""


def test_code_in_prose_or_output_is_never_run(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    harmful = "n = open('prose-ran', 'w')"
    code = "```py\nfrom shop import total\ntotal(n)\n```"
    body = f"<!--\n{harmful}\n-->\n{code}\ngives\n```\n----> 2 {harmful}\nKeyError\n```"
    workspace = open_ws("local", make_repo(FILES))
    issue = Issue("Total", body)
    found = Reproducer(workspace, TreeBlobs(workspace.options.trees, workspace.options.base.tree)).reproduce(issue)
    assert "names that are not found: n" in found.reason
    assert harmful not in example_code(issue)
    assert not workspace.run(f"find . {workspace.scratch} -name prose-ran").text


def test_main_block_is_run(reproduce: Reproduce) -> None:
    code = "from shop import *\nif __name__ == '__main__':\n    assert count(Cart([1])) == 1\n"
    assert "\n    assert count(Cart([1])) == 1\n" in reproduce("Count", f"```python\n{code}```\n").text


def test_exception_that_the_example_raises_itself_is_no_failure(reproduce: Reproduce) -> None:
    code = "import shop\ntry:\n    shop.count(shop.Cart())\nexcept KeyError:\n    raise ValueError('bad')\n"
    assert reproduce("Chained", f"```python\n{code}```\nValueError: bad").text == ""


DJANGO = {
    "django/__init__.py": "def setup():\n    from django.conf import settings\n    settings.ready = True\n",
    "django/conf.py": """\
class Settings:
    configured = ready = False

    def configure(self, **names):
        self.configured = True


settings = Settings()
""",
    "django/db.py": """\
from contextlib import nullcontext


class Editor:
    def create_model(self, model):
        model.has_table = True


class connection:
    def schema_editor():
        return nullcontext(Editor())


class models:
    class Model:
        has_table = False

        def save(self):
            assert self.has_table
            return 1
""",
    "django/forms.py": """\
from django.conf import settings
from shop.cart import Cart, count


def clean(value):
    assert settings.ready
    return count(Cart([value]))
""",
}


def test_django_is_set_up_although_the_failure_does_not_need_it(reproduce: Reproduce) -> None:
    body = "```\n>>> from django.forms import clean\n>>> clean(1)\n2\n```\nIt should be 1."
    text = reproduce("Form", body, **DJANGO).text
    assert text.startswith(
        "import django\nfrom django.conf import settings\nsettings.configured or settings.configure("
    )
    assert ")\ndjango.setup()\nfrom django.forms import clean\n" in text
    assert text.endswith("    assert clean(1) == 1\n")


def test_tables_are_created_before_the_models_are_used(reproduce: Reproduce) -> None:
    code = "from django.db import models\nfrom shop import Cart, count\nclass A(models.Model):\n    pass\n"
    code += "saved = A().save()\nclass B(models.Model):\n    pass\ncount(Cart([saved]))\n"
    text = reproduce("Save", f"```python\n{code}```\nIt gives `2`, but it should be 1.", **DJANGO).text
    assert text.index("create_model(A)") < text.index("A().save()") < text.index("create_model(B)")
    assert text.endswith("    assert count(Cart([saved])) == 1\n")


def test_exception_that_should_be_raised(reproduce: Reproduce) -> None:
    body = "```\nfrom shop import Cart, count\ncount(Cart())\n```\nraises KeyError. It should raise a ValueError."
    found = reproduce("Wrong exception", body)
    assert "    with pytest.raises(ValueError):\n        count(Cart())\n" in found.text


def test_failure_outside_the_repository_is_no_reproduction(reproduce: Reproduce) -> None:
    body = "```\n>>> import math\n>>> from shop import count\n>>> math.sqrt(-1)\nTraceback (most recent call last):\n"
    body += "ValueError: expected a nonnegative input, got -1.0\nValueError: math domain error\n```"
    assert reproduce("Crash", body).reason == NOT_OF_REPOSITORY
    used = "```\n>>> import math\n>>> from shop import Cart, count\n>>> math.sqrt(1.5 - count(Cart([1])))\n"
    used += "Traceback (most recent call last):\nValueError: expected a nonnegative input, got -0.5\n"
    used += "ValueError: math domain error\n```"
    assert "    math.sqrt(1.5 - count(Cart([1])))\n" in reproduce("Crash", used).text


@pytest.mark.parametrize(
    ("use", "fault", "correct"),
    [
        ("import shop\nshop.cart.plus(1)", "def plus(n):\n    return n + 2", "def plus(n):\n    return n + 1"),
        ("from shop.cart import RATE\nRATE", "RATE = 3", "RATE = 2"),
        ("import shop.cart\nshop.cart.RATES['b']", "RATES = {'b': 3}", "RATES = {'b': 2}"),
    ],
)
def test_failure_of_a_module_or_constant_is_a_reproduction(
    reproduce: Reproduce, use: str, fault: str, correct: str
) -> None:
    cart = FILES["shop/cart.py"] + fault + "\n"
    body = f"```\n{use}\n```\nIt gives `3`, but it should be 2."
    found = reproduce("Wrong", body, fixed=FIXED + correct + "\n", **{"shop/cart.py": cart})
    assert found.path == "tests/test_cart_issue.py"
    assert " == 2\n" in found.text


def test_text_without_quotes_is_compared_as_text(reproduce: Reproduce) -> None:
    body = "```\n>>> from shop.cart import *\n>>> name(Cart())\n'cart of 0'\n```\ninstead of the expected `Cart of 0`."
    assert "    assert name(Cart()) == 'Cart of 0'\n" in reproduce("Name", body).text


def test_unittest_style(reproduce: Reproduce) -> None:
    tests = "import unittest\n\n\nclass CartTest(unittest.TestCase):\n    def test_it(self):\n        pass\n"
    body = "```\n>>> from shop.cart import Cart, count\n>>> count(Cart([1]))\n2\n```\nIt should be 1."
    found = reproduce("Count", body, **{"tests/test_cart.py": tests})
    assert "class IssueTest(unittest.TestCase):\n    def test_count(self):\n" in found.text
    assert "        self.assertEqual(count(Cart([1])), 1)\n" in found.text


def test_statement_that_does_not_end_is_skipped(reproduce: Reproduce) -> None:
    body = "```\n>>> from shop.cart import *\n>>> while True: pass\n>>> count(Cart([1]))\n2\n```\nIt should be 1."
    assert reproduce("Count", body).text.endswith("    assert count(Cart([1])) == 1\n")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("It does not work.", NO_CODE),
        ("```\n>>> from shop.cart import *\n>>> count(Cart([1]))\n2\n```\nIs that right?", "does not say which result"),
        ("```\n>>> from shop.cart import *\n>>> count(Cart([1]))\n7\n```\nIt should be 1.", "differ from those in"),
        ("```\n>>> import shop\n>>> shop.count(shop.Cart())\n```\nIt fails with IndexError.", "does not report"),
        (
            "```\n>>> import shop\n>>> shop.count(shop.Cart())\nKeyError: empty\n```\nA clearer error please.",
            "another change",
        ),
        ("```\n>>> unknown_name(1)\n```\nNameError: name 'unknown_name' is not defined", "not found"),
        ("```\n>>> import shop, os\n>>> os._exit(0)\n```", "in time"),
    ],
)
def test_reason_without_test(
    body: str, reason: str, make_repo: MakeRepo, open_ws: OpenWorkspace, reproduce: Reproduce
) -> None:
    workspace = open_ws("local", make_repo(FILES))
    blobs = TreeBlobs(workspace.options.trees, workspace.options.base.tree)
    found = Reproducer(workspace, blobs, seconds=3).reproduce(Issue("Wrong", body))
    assert found.text == ""
    assert reason in found.reason


def test_code_to_allow_includes_expressions_of_expected_values() -> None:
    issue = Issue("f is wrong", ">>> from pkg import f\n>>> f(1)\n3\n\nIt should return `__import__('os').getpid()`.")
    assert "__import__('os').getpid()" in example_code(issue)


@pytest.mark.parametrize("cpu", [-1e9, float("inf"), float("nan"), 1e9])
def test_time_in_answer_is_limited(cpu: float, open_ws, make_repo) -> None:
    workspace = open_ws("local", make_repo({"a.py": ""}))
    read = workspace.read
    answer = json.dumps({"steps": [], "names": [], "stars": {}, "kept": [], "cpu": cpu}).encode()
    workspace.read = lambda path, limit=0: answer if path.endswith("answer.json") else read(path, limit)
    assert 0.0 <= run_example(workspace, ["1"], {}, 5.0).cpu <= 5.0
