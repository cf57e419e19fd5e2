"""Inconsistencies between files: certain ones are reported, uncertain ones never."""

from __future__ import annotations

import pytest

from extensions.papers.diagnostics import new_errors
from extensions.papers.static_checks import ConsistencyError, find_inconsistencies

OTHER = "def total(prices, discount=0, *, rounded):\n    return 0\n\n\nLIMIT = 3\n"
FILES = {
    "shop/__init__.py": "",
    "shop/totals.py": OTHER,
    "shop/rebound.py": "def total(a, b):\n    return a\n\n\ntotal = print\n",
    "shop/lazy.py": "def __getattr__(name):\n    return name\n",
    "src/deep/inner.py": "class Box:\n    def __init__(self, size):\n        self.size = size\n",
}


def find_messages(source: str, path: str = "shop/view.py") -> list[str]:
    files = FILES | {path: source}
    return [
        str(one) for one in find_inconsistencies(path, lambda name: files[name].encode() if name in files else None)
    ]


FROM = "from shop.totals import total\n"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("from shop.totals import totals\n", "shop/view.py:1: shop/totals.py defines no totals"),
        ("from .totals import totals\n", "shop/view.py:1: shop/totals.py defines no totals"),
        (f"{FROM}total([], 1, 2, rounded=True)\n", "shop/view.py:2: total() takes 2 positional arguments, not 3"),
        (f"{FROM}total([], round=True)\n", "shop/view.py:2: total() has no parameter round"),
        (f"{FROM}total([], prices=[], rounded=1)\n", "shop/view.py:2: total() is given prices twice"),
        (f"{FROM}total([])\n", "shop/view.py:2: total() lacks rounded"),
        (f"{FROM}total(rounded=1)\n", "shop/view.py:2: total() lacks prices"),
        ("from deep.inner import Box as B\nB()\n", "shop/view.py:2: B() lacks size"),
        (
            "class A:\n    def f(self, x):\n        return x\n\n    def g(self):\n        return self.f()\n",
            "shop/view.py:6: self.f() lacks x",
        ),
        ("def f():\n    return missing\n", "shop/view.py:2: missing is not defined"),
    ],
)
def test_certain_inconsistency_is_reported(source: str, text: str) -> None:
    assert find_messages(source) == [text]


@pytest.mark.parametrize(
    "source",
    [
        f"{FROM}total([], rounded=True)\ntotal([], *more, **rest)\nmore = rest = []\n",
        f"{FROM}total([], 1, 2, 3, **{{}})\n",
        f"{FROM}def f(total):\n    return total(1, 2, 3, 4)\n",
        f"{FROM}total = print\ntotal(1, 2, 3, 4)\n",
        "from shop.totals import LIMIT\nfrom shop import totals\nfrom shop.lazy import anything\n",
        "from unknown.totals import totals\nimport os.path\n",
        "from shop.totals import *\n",
        "import functools\n\n\n@functools.cache\ndef f(a):\n    return a\n\n\nf()\n",
        "class A(dict):\n    def __init__(self, a):\n        self.a = a\n\n\nA()\n",
        "class A:\n    def __new__(cls):\n        return 1\n\n    def __init__(self, a):\n        self.a = a\n\nA()\n",
        "class A:\n    def f(self, a):\n        return a\n\n    def g(self):\n        self.f = int\n        self.f()\n",
        "class A:\n    @staticmethod\n    def f(a):\n        return a\n\n    def g(self):\n        return self.f(1)\n",
        "if True:\n    def f(a):\n        return a\nelse:\n    def f():\n        return 1\n\nf()\n",
        "def f(:\n",
        "from . import totls\n",
        "from shop.totals import __doc__\n",
        "try:\n    from shop.totals import fast\nexcept ImportError:\n    fast = None\n",
        "from shop.rebound import total\ntotal(1)\n",
        f"{FROM}import pytest\nwith pytest.raises(TypeError):\n    total()\n",
        f"{FROM}try:\n    total()\nexcept TypeError:\n    pass\n",
        "class A:\n    def f(self, a):\n        pass\n    f = staticmethod(f)\n    def g(self):\n        self.f()\n",
        "class A:\n    def f(self, a):\n        return a\n\n    def g(this, self):\n        self.f()\n",
        "class A:\n    def f(self, a):\n        class B:\n            def g(self):\n                self.f()\n",
    ],
)
def test_uncertain_inconsistency_is_not_reported(source: str) -> None:
    assert find_messages(source) == []


def test_missing_file_has_no_inconsistencies() -> None:
    assert find_inconsistencies("nowhere.py", lambda path: None) == []


def test_new_errors_are_found_even_if_lines_moved() -> None:
    before = [ConsistencyError("a.py", 3, "x is not defined")]
    now = [
        ConsistencyError("a.py", 9, "x is not defined"),
        ConsistencyError("a.py", 12, "x is not defined"),
        ConsistencyError("b.py", 1, "y"),
    ]
    assert new_errors(now, before) == now[1:]
