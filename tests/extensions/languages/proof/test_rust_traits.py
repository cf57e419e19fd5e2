"""Rust's standard traits as what a test misses that does not build without the patch."""

import shutil
import time

import pytest

from aci.proof.compiled_tests import MissingNames, missing_names
from aci.testing.suite_run import TestResult
from trajectories.records import Issue

CARGO = {
    "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 3\n\n[[package]]\nname = "shop"\nversion = "0.1.0"\n',
    ".gitignore": "target\n",
}
CART = "#[derive(Debug, PartialEq)]\npub struct Cart(pub Vec<u8>);\n"
TESTS = "\n#[test]\nfn is_equal() {\n    assert_eq!(Cart(vec![1]), Cart(vec![1]));\n}\n"
EXTEND = """
impl Extend<u8> for Cart {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, items: I) {
        self.0.extend(items);
    }
}
"""
ADD = """
impl std::ops::Add for Cart {
    type Output = Cart;
    fn add(self, other: Cart) -> Cart {
        Cart([self.0, other.0].concat())
    }
}
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cargo"), reason="cargo is not installed")
@pytest.mark.parametrize(
    ("code", "check", "issue", "is_right"),
    [
        (EXTEND, "c.extend([2]);", Issue("Fill a Cart", "Could `Cart` implement `Extend<u8>`?"), True),
        (EXTEND, "c.extend([2]);", Issue("Fill a Cart", "A Cart cannot be filled."), False),
        (ADD, "c = c + shop::Cart(vec![2]);", Issue("Join carts", "Please implement Add for Cart."), True),
        (ADD, "c = c + shop::Cart(vec![2]);", Issue("Add a total to Cart", "Add it up."), False),
    ],
    ids=["a method", "a method that is not asked for", "an operator", "a word of the issue"],
)
def test_trait_that_the_issue_names(prove_patch, code: str, check: str, issue: Issue, is_right: bool) -> None:
    test = (
        f"#[test]\nfn grows() {{\n    let mut c = shop::Cart(vec![1]);\n    {check}\n    assert_eq!(c.0, [1, 2]);\n}}\n"
    )
    base = CARGO | {"src/lib.rs": CART + TESTS}
    verdict = prove_patch({"src/lib.rs": CART + code + TESTS, "tests/grows.rs": test}, base, command="", issue=issue)
    assert (verdict.kind, verdict.red) == (("plausible", True) if is_right else ("unproven", False)), verdict.notes


NO_EXTEND = "error[E0599]: no method named `extend` found for struct `Cart` in the current scope\n"
CONVERTED = """\
error[E0308]: mismatched types
 --> tests/a.rs:4:17
  |
4 | let t = Cart::from(vec![1u8]);
  |         ---------- ^^^^^^^^^ expected `Cart`, found `Vec<u8>`
note: associated function defined here
 --> /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/convert/mod.rs:592:7
"""
COMPARED = """\
error[E0599]: `shop::T` is not an iterator
 --> tests/cmp.rs:4:18
  |
4 | let t = T::new().cmp(&T::new());
  |                  ^^^ `shop::T` is not an iterator
"""


@pytest.mark.parametrize(
    ("message", "traits"),
    [
        ("a value of type `T` cannot be built from an iterator over elements of type `u8`", {"FromIterator"}),
        ("a value of type `T` cannot be made by summing an iterator over elements of type `u8`", {"Sum"}),
        ("`&T` is not an iterator", {"IntoIterator", "Iterator"}),
        ("no method named `extend` found for struct `T` in the current scope", {"Extend"}),
        ("no function or associated item named `from_str` found for struct `T` in the current scope", {"FromStr"}),
        ("`shop::T` doesn't implement `std::fmt::Display`", {"Display"}),
        ("the trait bound `shop::T: From<Vec<u8>>` is not satisfied", {"From"}),
        ("cannot multiply `&shop::T` by `{integer}`", {"Mul"}),
        ("cannot calculate the remainder of `T` divided by `T`", {"Rem"}),
        ("binary operation `>=` cannot be applied to type `T`", {"PartialOrd"}),
        ("binary assignment operation `+=` cannot be applied to type `T`", {"AddAssign"}),
        ("no implementation for `T << T`", {"Shl"}),
        ("binary operation `+` cannot be applied to type `T`", {"Add"}),
        ("binary operation `-` cannot be applied to type `T`", {"Sub"}),
        ("binary operation `&&` cannot be applied to type `T`", None),
        ("cannot apply unary operator `-` to type `T`", {"Neg"}),
        ("cannot apply unary operator `!` to type `T`", {"Not"}),
        ("cannot apply unary operator `*` to type `T`", None),
        ("cannot index into a value of type `T`", {"Index", "IndexMut"}),
        ("type `T` cannot be dereferenced", {"Deref"}),
        ("can't compare `T` with `u8`\n  = help: the trait `PartialEq<u8>` is not implemented for `T`", {"PartialEq"}),
        ("mismatched types\n4 | // the trait `Extend` is not implemented for `T`", None),
        ("cannot borrow `t` as mutable", None),
    ],
)
def test_trait_that_a_type_lacks_is_told_from_the_compilers_words(message: str, traits: set[str] | None) -> None:
    found = missing_names(TestResult("a", "error", f"error[E0000]: {message}\n"))
    assert (found and found.traits) == traits


def test_trait_is_told_from_what_the_compiler_shows_below_an_error() -> None:
    converted, compared = (missing_names(TestResult("a", "error", text)) for text in (CONVERTED, COMPARED))
    assert converted
    assert converted.traits == {"From"}
    assert missing_names(TestResult("a", "error", CONVERTED.replace("core/src/convert", "shop"))) is None
    assert compared
    assert "Ord" in compared.traits


@pytest.mark.parametrize(
    ("issue", "is_asked"),
    [
        ("It would be nice if `Cart` implemented `FromIterator` and `Extend`.", True),
        ("Implement Extend for Cart", True),
        ("Carts cannot grow: a method extend is missing.", True),
        ("Carts cannot grow.", False),
        ("Extend the cart.", False),
        ("Carts cannot grow. Extend them; see `Cart` and `Item`.", False),
    ],
)
def test_trait_counts_if_the_issue_names_it_or_its_method(issue: str, is_asked: bool) -> None:
    found = missing_names(TestResult("a", "error", NO_EXTEND))
    assert found
    assert (not found.unasked(issue)) == is_asked
    assert found.unasked(issue, lambda name: name == "marker") == {"Extend", "extend"}


def test_long_issue_is_searched_quickly() -> None:
    issue = "impl " * 13_000
    found = MissingNames(frozenset(), traits=frozenset({"Add"}))
    start = time.process_time()
    assert found.unasked(issue) == {"Add"}
    assert found.unasked(f"{issue}\n{issue}Add") == set()
    assert found.unasked(f"{issue}\nAdd impl") == {"Add"}
    assert time.process_time() - start < 2


def test_marker_beside_a_trait_is_not_asked_for() -> None:
    message = NO_EXTEND + NO_EXTEND.replace("extend", "marker")
    found = missing_names(TestResult("a", "error", message))
    assert found
    assert found.unasked("Implement `Extend`.") == {"marker"}
