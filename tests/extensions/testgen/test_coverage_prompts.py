"""Coverage prompts: the slice of a function for the model, and the tests in its reply."""

import pytest

from extensions.testgen.coverage_prompts import callees, read_tests, slice_of_function
from extensions.testgen.usage_mining import find_subjects

LONG = "def f(a, b):\n    c = a + 1\n" + "".join(f"    d{n} = {n}\n" for n in range(150)) + (
    "    if b:\n        return 0\n    if c > 3:\n        return g(c)\n    return d1\n\n\ndef g(x, y=1):\n    return x\n"
)  # fmt: skip


def test_slice_has_dependencies_of_requested_line() -> None:
    (subject,) = find_subjects(LONG.encode(), ["f"])
    text = slice_of_function(LONG.encode(), subject, {156})
    assert "    1 def f(a, b):" in text
    assert "    2     c = a + 1" in text
    assert ">  156         return g(c)" in text
    assert "return 0" in text
    assert "d7" not in text
    assert "…" in text
    assert callees(LONG.encode(), subject) == ["g(x, y=1)"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def test_a():\n    f(1)\n", "it asserts nothing"),
        ("def test_a():\n    assert True\n", "it asserts nothing"),
        ("def test_a(tmp_path):\n    assert f(1)\n", "without parameters"),
        ("@x\ndef test_a():\n    assert f(1)\n", "without parameters and decorators"),
        ("async def test_a():\n    assert f(1)\n", "plain function"),
        ("def test_a():\n    assert nowhere(1)\n", "it uses nowhere"),
        ("def test_a():\n    assert (f(1), 'said')\n", "it asserts nothing"),
        ("def test_a():\n    nonlocal f\n    assert f(1)\n", "cannot be compiled: no binding for nonlocal"),
        ("def test_a(:\n", "cannot be parsed"),
        ("def test_a():\n    import atexit\n    assert f(1)\n", "may not use atexit"),
        ("def test_a():\n    from os import system\n    assert f(1)\n", "may not use os"),
        ("def test_a():\n    from . import x\n    assert f(1)\n", "may not use from . import x"),
        ("def test_a():\n    from shop import *\n    assert f(1)\n", "may not use from shop import *"),
        ("def test_a():\n    from shop import os\n    assert f(1)\n", "may not use os"),
        ("def test_a():\n    import shop\n    assert shop.os.getcwd()\n", "may not use os"),
        ("def test_a():\n    import random\n    assert random._os.getcwd()\n", "may not use _os"),
        ("def test_a():\n    assert f.__globals__['os']\n", "may not use __globals__"),
        ("def test_a():\n    assert getattr(f, 'a')\n", "may not use getattr"),
        ("def test_a():\n    assert eval('1')\n", "may not use eval"),
        ("def test_a():\n    pytest.importorskip('o' + 's')\n    assert f(1)\n", "may not use importorskip"),
        ("def test_a():\n    match f:\n        case object(a=b):\n            assert b\n", "may not use match"),
        (
            "def test_a():\n    class A:\n        def __del__(self):\n            f(1)\n    assert f(A())\n",
            "use __del__",
        ),
        ("def test_a():\n    assert f(0x" + "f" * 4000 + ")\n", "a number that is too long"),
    ],
)
def test_invalid_test_is_rejected_with_reason(code: str, reason: str) -> None:
    tests, errors = read_tests(f"Here:\n```python\n{code}```", "f", {"f"}, {"shop"})
    assert tests == []
    assert reason in errors[0]


def test_tests_are_read_from_fenced_code() -> None:
    raising_test = "def test_b():\n    with pytest.raises(E):\n        f(0)\n"
    code = f"import pytest\n\n\ndef test_a():\n    assert f(1) == 2\n\n\n{raising_test}"
    tests, errors = read_tests(f"So:\n```python\n{code}```\nDone.", "f", {"f", "E"})
    assert [name for name, _ in tests] == ["test_a", "test_b"]
    assert tests[0][1].lines == ("assert f(1) == 2",)
    assert errors == []


def test_harmless_modules_may_be_imported() -> None:
    lines = ["import datetime", "from io import StringIO", "from decimal import Decimal", "from shop.more import g"]
    code = (
        "def test_a():\n" + "".join(f"    {line}\n" for line in lines) + "    assert f(Decimal(1)) == g(StringIO())\n"
    )
    tests, errors = read_tests(code, "f", {"f"}, {"shop"})
    assert ([name for name, _ in tests], errors) == (["test_a"], [])
