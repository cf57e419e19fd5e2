"""Examples in the documentation of Rust code as the tests of a patch."""

import shutil

import pytest

from aci.proof.compiled_tests import split_inline_tests, with_base_tests
from trajectories.records import Issue

MANIFEST = {
    "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 3\n\n[[package]]\nname = "shop"\nversion = "0.1.0"\n',
    ".gitignore": "target\n",
}
TOP = "//! A shop.\n//!\n//! ```\n//! assert_eq!(shop::Cart(vec![1, 2]).total(), 3);\n//! ```\n"
MORE = "//!\n//! ```\n//! assert_eq!(shop::Cart(vec![1, 3]).mean(), 2);\n//! ```\n"
CART = """
pub struct Cart(pub Vec<i32>);

impl Cart {
    /// The sum.
    pub fn total(&self) -> i32 {
        self.0.iter().sum()
    }
}
"""
MEAN = """
    /// The mean.
    ///
    /// ```
    /// assert_eq!(shop::Cart(vec![1, 3]).mean(), 2);
    /// ```
    pub fn mean(&self) -> i32 {
        self.total() / self.0.len() as i32
    }
}
"""
PLAIN_MEAN = MEAN.replace(
    "    ///\n    /// ```\n    /// assert_eq!(shop::Cart(vec![1, 3]).mean(), 2);\n    /// ```\n", ""
)
UNUSED = "//!\n//! ```\n//! let _ = shop::Cart::mean;\n//! ```\n"
OF_TOTAL = "    /// The sum.\n    /// ```\n    /// assert_eq!(shop::Cart(vec![5]).mean(), 5);\n    /// ```\n"
BASE = TOP + CART
CASES = {
    "of the crate": (TOP + MORE + CART[:-2] + PLAIN_MEAN, True),
    "of a new method": (TOP + CART[:-2] + MEAN, True),
    "of an existing method": (TOP + CART.replace("    /// The sum.\n", OF_TOTAL)[:-2] + PLAIN_MEAN, True),
    "of a marker": (TOP + MORE.replace("mean", "marker") + CART[:-2] + PLAIN_MEAN.replace("mean(", "marker("), False),
    "without a need": (TOP + UNUSED + CART[:-2] + PLAIN_MEAN, False),
    "that is weakened": (
        (TOP + CART).replace("iter().sum()", "iter().sum::<i32>() + 1").replace("total(), 3", "total(), 4"),
        False,
    ),
}
ISSUE = Issue("Add mean", "A `Cart` has no `mean`.")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cargo"), reason="cargo is not installed")
@pytest.mark.parametrize(("code", "is_right"), CASES.values(), ids=CASES)
def test_example_reproduces_an_issue(prove_patch, code: str, is_right: bool) -> None:
    verdict = prove_patch({"src/lib.rs": code}, MANIFEST | {"src/lib.rs": BASE}, command="", issue=ISSUE)
    parts = (verdict.red, verdict.green, verdict.red_again, verdict.no_loss)
    assert (verdict.kind, parts) == ("plausible", (True,) * 4) if is_right else verdict.kind == "unproven", (
        verdict.notes
    )


def split(after: str, before: str = BASE):
    return split_inline_tests("src/lib.rs", before.encode(), after.encode())


def test_examples_are_split_from_code() -> None:
    found = split(CASES["of the crate"][0])
    assert found
    assert found.with_tests.decode() == TOP + MORE + CART
    assert found.with_code.decode() == TOP + CART[:-2] + PLAIN_MEAN
    assert (found.counts, found.changes_code) == (True, True)
    only_docs = split(TOP + MORE + CART)
    assert only_docs
    assert not only_docs.changes_code


def test_example_of_a_new_item_is_one_of_an_item_that_only_rustdoc_sees() -> None:
    method = split(CASES["of a new method"][0])
    function = "\n/// ```\n/// shop::open();\n/// ```\npub fn open() {}\n"
    kind = "\npub struct New;\nimpl New {\n    /// ```\n    /// shop::New.get();\n    /// ```\n"
    kind += "    pub fn get(&self) {}\n}\n"
    others = split(BASE + function + kind)
    assert method
    assert others
    assert "#[cfg(doctest)]\n#[allow(warnings)]\nimpl Cart {\n    /// The mean." in method.with_tests.decode()
    assert "fn mean() {}" in method.with_tests.decode()
    ending = others.with_tests.decode().partition(BASE)[2]
    assert "/// shop::open();\n/// ```\nfn open() {}\n" in ending
    assert "mod New {\n    /// ```\n" in ending


def test_changed_example_is_no_added_one() -> None:
    found = split(BASE.replace("total(), 3", "total(), 4"))
    assert found
    assert not found.counts
    assert found.with_code.decode() == BASE


@pytest.mark.parametrize(
    "after",
    [
        BASE.replace("A shop.", "The shop."),
        BASE.replace("    /// The sum.\n", "    /// The sum.\n    /// ```text\n    /// 3\n    /// ```\n"),
        "fn f( {\n" + TOP + MORE + CART,
    ],
    ids=["other words", "another language", "not readable"],
)
def test_documentation_without_changed_examples_is_code(after: str) -> None:
    assert split(after) is None


@pytest.mark.parametrize(
    ("words", "is_run"),
    [
        ("compile_fail,E0277", True),
        ("compile_fail E0277, edition2021", True),
        ("standalone_crate", True),
        ("test_harness", True),
        ("", True),
        ("E0277", False),
        ("compile_fail,E02777", False),
        ("toml", False),
    ],
)
def test_words_of_an_example_say_whether_it_runs(words: str, is_run: bool) -> None:
    more = MORE.replace("```\n", f"```{words}\n", 1)
    assert (split(TOP + more + CART) is not None) == is_run


def test_delivered_patch_has_its_own_documentation(make_repo, open_ws) -> None:
    workspace = open_ws("local", make_repo(MANIFEST | {"src/lib.rs": BASE}))
    trees, base = workspace.options.trees, workspace.options.base.tree
    changed = trees.write({"src/lib.rs": BASE.replace("total(), 3", "total(), 4").encode()}, base)
    assert with_base_tests(trees, base, changed) == changed
