"""Evidence from test results, diffs and issues."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.proof import evidence
from aci.testing.suite_run import TestResult

IN_TEST = ("tests/test_a.py:3:test_a",)
IN_SOURCE = ("tests/test_a.py:3:test_a", "shop/price.py:9:total")


@pytest.mark.parametrize(
    ("error", "message", "trace", "name"),
    [
        ("ImportError", "ImportError: cannot import name 'x' from 'shop'", IN_TEST, "x"),
        ("ModuleNotFoundError", "ModuleNotFoundError: No module named 'shop.x'", IN_TEST, "shop.x"),
        ("AttributeError", "AttributeError: module 'shop' has no attribute 'x'", IN_TEST, "x"),
        ("AttributeError", "AttributeError: 'Cart' object has no attribute 'x'", IN_TEST, "x"),
        ("AttributeError", "AttributeError: 'stream' object has no attribute 'x'", IN_TEST, "x"),
        ("AttributeError", "AttributeError: 'NoneType' object has no attribute 'x'", IN_TEST, ""),
        ("NameError", "NameError: name 'x' is not defined", IN_TEST, "x"),
        ("NameError", "NameError: name 'x' is not defined", IN_SOURCE, ""),
        ("AssertionError", "AssertionError: name 'x' is not defined", IN_TEST, ""),
        (
            "",
            "Traceback:\ntests/test_a.py:1: in <module>\nE   ImportError: cannot import name 'x' from 'shop'",
            (),
            "x",
        ),
        ("", "Traceback:\nshop/a.py:1: in <module>\nE   ImportError: cannot import name 'x' from 'shop'", (), ""),
        ("ImportError", "File \"/r/tests/test_a.py\", line 1, in <module>\nImportError: No module named 'x'", (), "x"),
    ],
)
def test_name_missing_in_test_is_found(error, message, trace, name):
    assert evidence.missing_name(TestResult("a", "failed", message, error=error, trace=trace)) == name


@pytest.mark.parametrize(
    "line",
    ["def x(self):", "class x:", "x = 1", "    x: int", "from a import b, x", "import y as x", "    x,", "f('x')"],
)
def test_name_added_by_patch_is_recognised(line):
    assert evidence.adds_name(f"--- a/a.py\n+++ b/a.py\n+{line}\n", (), "x")
    assert not evidence.adds_name(f"--- a/x.py\n+++ b/x.py\n-{line}\n {line}\n+xx = max\n", (), "x")


def test_module_added_by_patch_is_recognised():
    assert evidence.adds_name("", ("src/shop/x.py",), "shop.x")
    assert evidence.adds_name("", ("shop/x/__init__.py",), "shop.x")
    assert not evidence.adds_name("", ("src/notshop/y.py",), "shop.x")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("See tests/test_a.py::test_total[1].", True),
        ("test_total fails", True),
        ("tests/test_a.py fails", True),
        ("test_totally other", False),
        ("my.test_total_x", False),
        ("", False),
    ],
)
def test_test_named_in_text_is_recognised(text, named):
    assert evidence.is_named_in(text, "tests/test_a.py::test_total[1]", "tests/test_a.py") == named


def test_generic_test_name_is_not_recognised():
    assert not evidence.is_named_in("I ran a test and it failed", "tests/b.py::T::test", "tests/b.py")


def test_covered_places_are_described():
    failed = TestResult("a", "failed", trace=IN_SOURCE)
    assert evidence.describe_contact(failed, "", ["shop/price.py", "shop/stock.py"]) == "covering shop/price.py"
    assert evidence.describe_contact(failed, "", ["shop/price.py:Price.total"]) == "covering shop/price.py:Price.total"
    assert evidence.describe_contact(failed, "", ["shop/price.py:tax"]) == ""


def test_imported_places_are_described():
    imports = "import os, shop.stock as s\nfrom shop import (price,\n    total(3)\n"
    failed = TestResult("a", "failed", trace=IN_TEST)
    assert evidence.describe_contact(failed, imports, ["src/shop/stock.py"]) == "importing src/shop/stock.py"
    assert evidence.describe_contact(failed, imports, ["shop/price.py"]) == "importing shop/price.py"
    assert (
        evidence.describe_contact(failed, imports, ["shop/price.py:Price.total"])
        == "importing shop/price.py:Price.total"
    )
    assert evidence.describe_contact(failed, imports, ["shop/price.py:tax"]) == ""
    assert evidence.describe_contact(failed, imports, ["lib/os/__init__.py"]) == "importing lib/os/__init__.py"
    assert evidence.describe_contact(failed, imports, ["shop/other.py"]) == ""


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("All is well. But test_total is outdated.\nMore.", "But test_total is outdated."),
        ("So `test_total` expects the wrong sum.", "So `test_total` expects the wrong sum."),
        ("tests/test_a.py::test_total must be changed.", "tests/test_a.py::test_total must be changed."),
        ("When I run tests/test_a.py with my data I get the wrong number.", ""),
        ("tests/test_a.py is outdated and should be changed.", ""),
        ("I ran test_total and got the wrong number instead of 3.", ""),
        ("test_total is wrong.", ""),
        ("test_total should not fail.", ""),
        ("test_total no longer passes.", ""),
        ("test_total expects 3 but gets 2 instead of it.", ""),
        ("- test_total should\n  expect 3\n- more", "- test_total should expect 3"),
        ("test_total should still pass, not be changed.", ""),
        ("The total is wrong. See test_total.", ""),
        ("test_other is wrong.", ""),
    ],
)
def test_contradiction_is_quoted_with_its_sentence(text, quote):
    assert evidence.find_contradiction(text, "tests/test_a.py::test_total") == quote


@pytest.mark.parametrize(
    ("path", "existing", "shadows"),
    [
        ("pytest.py", (), True),
        ("src/_pytest/__init__.py", (), True),
        ("pluggy/__init__.py", (), True),
        ("unittest/__init__.py", (), True),
        ("json.cpython-311-x86_64-linux-gnu.so", (), True),
        ("_swe_agent_guest.py", (), True),
        ("_swe_agent_guard/__init__.py", (), True),
        ("json.py", ("src/json/__init__.py",), False),
        ("shop/json.py", (), False),
        ("json/data.py", (), False),
        ("json.md", (), False),
        ("shop.py", (), False),
    ],
)
def test_modules_that_shadow_runner_modules_are_found(path, existing, shadows):
    assert evidence.shadowing_modules([path], existing) == [path] * shadows
    below, existing_below = f"packages/a/{path}", [f"packages/a/{one}" for one in existing]
    assert evidence.shadowing_modules([below], existing_below) == []
    assert evidence.shadowing_modules([below], existing_below, ["", "packages/a"]) == [below] * shadows


@pytest.mark.slow
@given(st.text(), st.text(min_size=1))
def test_any_text_is_accepted(text, other):
    result = TestResult(other, "failed", text, error=other, trace=(other,))
    assert isinstance(evidence.missing_name(result), str)
    assert isinstance(evidence.find_contradiction(text, other), str)
    assert isinstance(evidence.describe_contact(result, text, [other]), str)
    assert isinstance(evidence.imported_names(text), set)
    assert isinstance(evidence.adds_name(text, (other,), other), bool)
