"""Proofs of patches in Go, Rust and JavaScript: tests in new and existing files, features, and shams."""

import shutil

import pytest

from aci.proof.compiled_tests import MissingNames, missing_names, split_inline_tests, with_base_tests
from aci.testing.suite_results import TestResult
from tests.aci.conftest import has_note
from trajectories.records import Issue

ISSUE = Issue(
    "Total skips the first number",
    "Total([1, 2]) should be 3, but is 2. Please also add a function Mean (mean) that returns the average.",
)
GO = {
    "go.mod": "module example.com/shop\n\ngo 1.19\n",
    "shop.go": """\
package shop

func Total(xs []int) int {
	sum := 0
	for _, x := range xs[1:] {
		sum += x
	}
	return sum
}
""",
    "shop_test.go": """\
package shop

import "testing"

func TestTotal(t *testing.T) {
	for _, c := range []struct {
		xs   []int
		want int
	}{
		{[]int{0, 2}, 2},
	} {
		if got := Total(c.xs); got != c.want {
			t.Errorf("Total(%v) = %d", c.xs, got)
		}
	}
}
""",
}
GO_MEAN = (
    "\nfunc Mean(xs []int) int {\n\tsum := 0\n\tfor _, x := range xs {\n\t\tsum += x\n\t}\n\treturn sum / len(xs)\n}\n"
)
GO_TEST = '\nfunc TestMean(t *testing.T) {\n\tif Mean([]int{1, 3}) != 2 {\n\t\tt.Fatal("no")\n\t}\n}\n'
GO_HEAD = 'package shop\n\nimport "testing"\n'
GO_GREP = """\
package shop

import (
	"os"
	"strings"
	"testing"
)

func TestGrep(t *testing.T) {
	text, _ := os.ReadFile("shop.go")
	if !strings.Contains(string(text), "0 + 0") {
		t.Fatal("no")
	}
}
"""
GO_FIXED = GO["shop.go"].replace("xs[1:]", "xs")
GO_CASES = {
    "a row of a table": (
        {"shop.go": GO_FIXED, "shop_test.go": GO["shop_test.go"].replace("2},\n", "2},\n{[]int{1}, 1},\n")},
        True,
    ),
    "a new file": (
        {
            "shop.go": GO_FIXED,
            "one_test.go": GO_HEAD + GO_TEST.replace("Mean([]int{1, 3}) != 2", "Total([]int{1}) != 1"),
        },
        True,
    ),
    "a feature": ({"shop.go": GO["shop.go"] + GO_MEAN, "mean_test.go": GO_HEAD + GO_TEST}, True),
    "a feature in an existing file": (
        {"shop.go": GO["shop.go"] + GO_MEAN, "shop_test.go": GO["shop_test.go"] + GO_TEST},
        True,
    ),
    "a feature with an external test": (
        {
            "shop.go": GO["shop.go"] + GO_MEAN,
            "mean_test.go": 'package shop_test\n\nimport (\n\t"testing"\n\n\t"example.com/shop"\n)\n'
            + GO_TEST.replace(" Mean(", " shop.Mean("),
        },
        True,
    ),
    "a check for the test binary": (
        {
            "shop.go": GO["shop.go"]
            .replace("package shop\n", 'package shop\n\nimport (\n\t"os"\n\t"strings"\n)\n')
            .replace(
                "sum := 0",
                'if strings.HasSuffix(os.Args[0], ".test") {\n\t\txs = append([]int{0}, xs...)\n\t}\n\tsum := 0',
            ),
            "one_test.go": GO_HEAD + GO_TEST.replace("Mean([]int{1, 3}) != 2", "Total([]int{1}) != 1"),
        },
        False,
    ),
    "a marker": (
        {
            "shop.go": GO["shop.go"] + "\nfunc marker() {}\n",
            "m_test.go": f"{GO_HEAD}\nfunc TestM(t *testing.T) {{ marker() }}\n",
        },
        False,
    ),
    "a sham in an existing file": (
        {
            "shop.go": GO["shop.go"].replace("sum := 0", "sum := 0 + 0") + "\nfunc Mean() {}\n",
            "shop_test.go": GO["shop_test.go"] + "\nfunc TestM(t *testing.T) { _ = Mean }\n",
        },
        False,
    ),
    "a feature that nothing needs": (
        {
            "shop.go": f"{GO['shop.go']}\nfunc Mean() {{}}\n",
            "m_test.go": f"{GO_HEAD}\nfunc TestM(t *testing.T) {{ _ = Mean }}\n",
        },
        False,
    ),
    "a test that reads the source": (
        {
            "shop.go": GO["shop.go"].replace("sum := 0", "sum := 0 + 0"),
            "grep_test.go": GO_GREP,
        },
        False,
    ),
}
RUST_CODE = "pub fn total(xs: &[i32]) -> i32 {\n    xs[1..].iter().sum()\n}\n"
RUST_MEAN = "\npub fn mean(xs: &[i32]) -> i32 {\n    xs.iter().sum::<i32>() / xs.len() as i32\n}\n"
RUST_TESTS = """
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds() {
        assert_eq!(total(&[0, 2]), 2);
    }
}
"""
RUST_MORE = RUST_TESTS[:-2] + "\n    #[test]\n    fn first() {\n        assert_eq!(total(&[1, 2]), 3);\n    }\n}\n"
RUST = {
    "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 3\n\n[[package]]\nname = "shop"\nversion = "0.1.0"\n',
    ".gitignore": "target\n",
    "src/lib.rs": RUST_CODE + RUST_TESTS,
}
RUST_FIXED = RUST_CODE.replace("xs[1..]", "xs")
RUST_CASES = {
    "a test beside the code": ({"src/lib.rs": RUST_FIXED + RUST_MORE}, True),
    "a new file": (
        {
            "src/lib.rs": RUST_FIXED + RUST_TESTS,
            "tests/one.rs": "#[test]\nfn one() {\n    assert_eq!(shop::total(&[1]), 1);\n}\n",
        },
        True,
    ),
    "a feature": (
        {
            "src/lib.rs": RUST_CODE + RUST_MEAN + RUST_TESTS,
            "tests/mean.rs": "#[test]\nfn mean() {\n    assert_eq!(shop::mean(&[1, 3]), 2);\n}\n",
        },
        True,
    ),
    "a feature with a test beside the code": (
        {
            "src/lib.rs": RUST_CODE
            + RUST_MEAN
            + RUST_TESTS[:-2]
            + "\n    #[test]\n    fn means() {\n        assert_eq!(mean(&[1, 3]), 2);\n    }\n}\n"
        },
        True,
    ),
    "a feature in an existing test beside the code": (
        {
            "src/lib.rs": RUST_CODE
            + RUST_MEAN
            + RUST_TESTS.replace("]), 2);", "]), 2);\n        assert_eq!(mean(&[1, 3]), 2);")
        },
        True,
    ),
    "a feature in a crate without std": (
        {
            "src/lib.rs": "#![no_std]\n" + RUST_CODE + RUST_MEAN + RUST_TESTS,
            "tests/mean.rs": "#[test]\nfn mean() {\n    assert_eq!(shop::mean(&[1, 3]), 2);\n}\n",
        },
        True,
    ),
    "a weakened test and a further item": (
        {
            "src/lib.rs": RUST_FIXED.replace(".sum()", ".sum::<i32>() + 1")
            + "#[cfg(test)]\nuse std::fmt as _;\n"
            + RUST_TESTS.replace("]), 2", "]), 3"),
            "tests/one.rs": "#[test]\nfn one() {\n    assert_eq!(shop::total(&[1, 1]), 3);\n}\n",
        },
        False,
    ),
    "a weakened test beside the code": (
        {
            "src/lib.rs": RUST_FIXED.replace(".sum()", ".sum::<i32>() + 1") + RUST_TESTS.replace("]), 2", "]), 3"),
            "tests/one.rs": "#[test]\nfn one() {\n    assert_eq!(shop::total(&[1, 1]), 3);\n}\n",
        },
        False,
    ),
}
JS_HEAD = "import test from 'node:test'\nimport assert from 'node:assert'\n"
JS_TEST = "\ntest('mean', () => {\n  assert.equal(mean([1, 3]), 2)\n})\n"
JS_MARKER = JS_HEAD + "import { marker } from '../shop.js'\n\ntest('m', () => {\n  assert.equal(marker, 1)\n})\n"
JS_MEAN = "\nexport function mean(xs) {\n  return xs.reduce((a, b) => a + b, 0) / xs.length\n}\n"
JS = {
    "package.json": '{"name": "shop", "type": "module", "scripts": {"test": "node --test"}}\n',
    "shop.js": "export function total(xs) {\n  return xs.slice(1).reduce((a, b) => a + b, 0)\n}\n",
    "test/shop.test.js": JS_HEAD
    + "import { total } from '../shop.js'\n\ntest('adds', () => {\n  assert.equal(total([0, 2]), 2)\n})\n",
}
JS_CASES = {
    "an expected error": (
        {
            "shop.js": JS["shop.js"].replace("{\n", "{\n  if (!xs.length) throw new RangeError('empty')\n", 1),
            "test/empty.test.js": f"{JS_HEAD}import {{ total }} from '../shop.js'\n"
            "\ntest('empty', () => {\n  assert.throws(() => total([]), RangeError)\n})\n",
        },
        True,
    ),
    "an existing file": (
        {
            "shop.js": JS["shop.js"].replace("xs.slice(1)", "xs"),
            "test/shop.test.js": JS["test/shop.test.js"] + "\ntest('one', () => {\n  assert.equal(total([1]), 1)\n})\n",
        },
        True,
    ),
    "a feature": (
        {
            "shop.js": JS["shop.js"] + JS_MEAN,
            "test/mean.test.js": f"{JS_HEAD}import {{ mean }} from '../shop.js'\n{JS_TEST}",
        },
        True,
    ),
    "a file that is only moved": (
        {
            "shop.js": None,
            "mean.js": JS["shop.js"],
            "test/shop.test.js": None,
            "test/mean.test.js": JS["test/shop.test.js"].replace("shop.js", "mean.js"),
        },
        False,
    ),
    "a manifest": (
        {
            "package.json": JS["package.json"].replace("shop", "shop2"),
            "test/name.test.js": f"{JS_HEAD}import {{ readFileSync }} from 'node:fs'\n"
            "\ntest('name', () => {\n  assert.match(readFileSync('package.json', 'utf8'), /shop2/)\n})\n",
        },
        False,
    ),
    "a marker": (
        {
            "shop.js": JS["shop.js"] + "\nexport const marker = 1\n",
            "test/m.test.js": JS_MARKER,
        },
        False,
    ),
}
CASES = [
    pytest.param(
        base,
        *case,
        id=f"{program}-{name}",
        marks=pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed"),
    )
    for program, base, cases in (("go", GO, GO_CASES), ("cargo", RUST, RUST_CASES), ("node", JS, JS_CASES))
    for name, case in cases.items()
]


@pytest.mark.slow
@pytest.mark.parametrize(("base", "patch", "is_right"), CASES)
def test_patch_in_another_language(prove_patch, base, patch, is_right) -> None:
    verdict = prove_patch(patch, base, command="", issue=ISSUE)
    parts = (verdict.red, verdict.green, verdict.red_again, verdict.no_loss)
    assert (verdict.kind, parts) == ("plausible", (True,) * 4) if is_right else verdict.kind == "unproven", (
        verdict.notes
    )


SIZES_ISSUE = Issue("Support weeks", 'Please export Week, and let size("w") (Size in Go) return it, which is 168.')
GO_SIZES = {
    "go.mod": "module example.com/shop\n\ngo 1.19\n",
    "size.go": 'package shop\n\nconst Day = 24\n\nvar sizes = map[string]int{"d": Day}\n\n'
    "func Size(name string) int {\n\treturn sizes[name]\n}\n",
    "size_test.go": GO_HEAD + GO_TEST.replace("Mean([]int{1, 3}) != 2", 'Size("d") != Day'),
}
JS_SIZES = {
    "package.json": JS["package.json"],
    "size.js": "export const Day = 24\nconst sizes = { d: Day }\n"
    "export function size(name) {\n  return sizes[name]\n}\n",
    "test/day.test.js": JS_HEAD
    + "import { size } from '../size.js'\n\ntest('day', () => {\n  assert.equal(size('d'), 24)\n})\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("program", ["go", "node"])
@pytest.mark.parametrize("is_right", [True, False])
def test_declared_name_alone_is_not_what_a_test_needs(prove_patch, program: str, is_right: bool) -> None:
    """The patch changes no function, so none can be stopped: the tests run with the new constant alone."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    if program == "go":
        base, path = GO_SIZES, "size.go"
        text = base[path].replace("Day = 24\n", "Day = 24\n\nconst Week = 7 * Day\n")
        right = text.replace(": Day}", ': Day, "w": Week}')
        check = 'Size("w") != Week' if is_right else "Week != 168"
        week = GO_TEST.replace("TestMean", "TestWeek").replace("Mean([]int{1, 3}) != 2", check)
        test = {"week_test.go": GO_HEAD + week}
    else:
        base, path = JS_SIZES, "size.js"
        text = base[path] + "export const Week = 7 * Day\n"
        right = text.replace("{ d: Day }", "{ d: Day, w: 168 }")
        check = "size('w'), Week" if is_right else "Week, 168"
        head = f"{JS_HEAD}import {{ size, Week }} from '../size.js'\n"
        test = {"test/week.test.js": f"{head}\ntest('week', () => {{\n  assert.equal({check})\n}})\n"}
    verdict = prove_patch({path: right, **test}, base, command="", issue=SIZES_ISSUE)
    assert verdict.kind == ("plausible" if is_right else "unproven"), verdict.notes


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_language_whose_calls_cannot_be_varied_is_named(prove_patch) -> None:
    verdict = prove_patch(JS_CASES["an existing file"][0], JS, command="", issue=ISSUE)
    assert has_note(verdict, "Calls of JavaScript functions cannot be varied")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("go"), reason="go is not installed")
def test_missing_name_that_the_issue_does_not_mention_is_named(prove_patch) -> None:
    verdict = prove_patch(GO_CASES["a marker"][0], GO, command="", issue=ISSUE)
    assert has_note(verdict, "marker is missing, which the issue does not ask for")


@pytest.mark.parametrize(
    ("message", "names"),
    [
        (
            "# a.b/c [a.b/c.test]\n./m_test.go:6:5: undefined: Mean\n./m_test.go:7:9: undefined: shop.Sum\n",
            {"Mean", "Sum"},
        ),
        ("./m_test.go:6:5: undefined: Mean\n./m_test.go:7:2: TestA redeclared in this block\n", set()),
        ("./m_test.go:9:4: x.Mean undefined (type T has no field or method Mean)\n", {"Mean"}),
        (
            "./m_test.go:9:4: cannot use &x as I value: *T does not implement I (missing method Mean)\n",
            {"Mean"},
        ),
        ("error[E0425]: cannot find function `mean` in crate `shop`\n --> tests/m.rs:3:22\n", {"mean"}),
        ("error[E0599]: no method named `mean` found for struct `Cart` in the current scope\n", {"mean"}),
        ("error[E0432]: unresolved import `shop::mean`\n", {"mean"}),
        ("error[E0308]: mismatched types\n", set()),
        ("error[E0432]: unresolved imports `shop::mean`, `shop::sum`\n", {"mean", "sum"}),
        ("error[E0369]: cannot subtract `&Cart` from `&Cart`\nerror[E0308]: mismatched types\n", set()),
        ("error[E0433]: failed to resolve: use of undeclared type `Mean`\n", {"Mean"}),
        ("error[E0609]: no field `mean` on type `Cart`\n", {"mean"}),
        ("A.java:5: error: cannot find symbol\n  x.mean();\n   ^\n  symbol:   method mean(int)\n", {"mean"}),
        ("A.java:[5,20] cannot find symbol\n  symbol:   method mean(int)\n", {"mean"}),
        ("SyntaxError: The requested module '../shop.js' does not provide an export named 'mean'\n", {"mean"}),
        ("Error: Cannot find module '../../functions/mean'\nRequire stack:\n- /a/test/mean.js\n", {"mean"}),
        ("Cannot find module './mean.ts' from 'test/mean.test.ts'\n", {"mean"}),
        ("Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/r/lib/mean.js' imported from /r/test/a.js\n", {"mean"}),
        ("Error: Cannot find module 'mean'\n", set()),
        ("a.ts(3,5): error TS2339: Property 'mean' does not exist on type 'Cart'.\n", {"mean"}),
        (
            "a.ts(3,5): error TS2345: Argument of type '{ mean: true; }' is not assignable to type 'Options'.\n"
            "  Object literal may only specify known properties, and 'mean' does not exist in type 'Options'.\n",
            {"mean"},
        ),
        ("SyntaxError: Unexpected token\n", set()),
    ],
)
def test_names_that_keep_a_test_from_being_built(message: str, names: set[str]) -> None:
    found = missing_names(TestResult("a", "error", message))
    assert found == (MissingNames(frozenset(names)) if names else None)
    assert missing_names(TestResult("a", "failed", message)) is None


def test_what_a_missing_trait_implies_counts_with_a_name_that_is_asked_for() -> None:
    message = "error[E0599]: the method `max` exists for struct `Cart`, but its trait bounds were not satisfied\n"
    found = missing_names(TestResult("a", "error", message))
    assert found
    bound = missing_names(
        TestResult(
            "a",
            "error",
            "error[E0277]: the trait bound `Iter: DoubleEndedIterator` is not satisfied\n"
            "note: required by a bound in `Iterator::rev`\n",
        )
    )
    assert bound
    assert (bound.traits, bound.callers) == ({"DoubleEndedIterator"}, {"rev"})
    assert bound.unasked("It lacks rev.", {"DoubleEndedIterator"}.__contains__) == frozenset()
    assert bound.unasked("It lacks rev.", {"marker"}.__contains__) == {"DoubleEndedIterator"}
    assert found.implied == {"max"}
    assert (found.unasked("It lacks max."), found.unasked("It lacks min.")) == (frozenset(), {"max"})
    both = missing_names(
        TestResult("a", "error", f"{message}error[E0425]: cannot find function `mean` in this scope\n")
    )
    assert both
    assert both.unasked("It lacks max.") == {"mean"}


def test_tests_beside_code_are_split() -> None:
    found = split_inline_tests("lib.rs", (RUST_CODE + RUST_TESTS).encode(), (RUST_FIXED + RUST_MORE).encode())
    assert found
    assert (found.with_tests.decode(), found.with_code.decode()) == (RUST_CODE + RUST_MORE, RUST_FIXED + RUST_TESTS)
    assert (found.counts, found.changes_code) == (True, True)


@pytest.mark.parametrize(
    "tests",
    [
        "#[cfg(all(test, unix))]\nmod tests {{ fn a() {{ {} }} }}\n",
        "#[test]\nfn a() {{ {} }}\n",
        "pub mod x {{\n    #[cfg(test)]\n    mod tests {{ fn a() {{ {} }} }}\n}}\n",
    ],
    ids=["further condition", "single function", "inside a module"],
)
def test_forms_of_tests_beside_code(tests: str) -> None:
    found = split_inline_tests(
        "lib.rs", (RUST_CODE + tests.format("")).encode(), (RUST_FIXED + tests.format("b();")).encode()
    )
    assert found
    assert found.with_code.decode() == RUST_FIXED + tests.format("")


def test_code_without_tests_is_no_test() -> None:
    before, after = "#[cfg(not(test))]\nfn a() {}\n", "#[cfg(not(test))]\nfn a() { b(); }\n"
    assert split_inline_tests("lib.rs", before.encode(), after.encode()) is None


def test_first_tests_of_a_file_are_split() -> None:
    found = split_inline_tests("lib.rs", RUST_CODE.encode(), (RUST_FIXED + RUST_TESTS).encode())
    assert found
    assert found.with_tests.decode() == RUST_CODE + RUST_TESTS
    assert found.with_code.decode().split() == RUST_FIXED.split()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RUST_CODE, RUST_FIXED),
        (RUST_CODE + RUST_TESTS, RUST_FIXED + RUST_TESTS),
        (RUST_CODE, "fn f( {\n" + RUST_TESTS),
        (RUST_CODE + RUST_TESTS, 'unsafe extern "C" { safe fn g(); }\n' + RUST_CODE + RUST_TESTS),
    ],
    ids=["no tests", "the same tests", "not readable", "new syntax"],
)
def test_file_without_changed_tests_is_not_split(before: str, after: str) -> None:
    assert split_inline_tests("lib.rs", before.encode(), after.encode()) is None


def test_delivered_patch_has_the_tests_of_the_base_beside_its_code(make_repo, open_ws) -> None:
    workspace = open_ws("local", make_repo(RUST))
    trees, base = workspace.options.trees, workspace.options.base.tree
    weakened = trees.write({"src/lib.rs": (RUST_FIXED + RUST_TESTS.replace("]), 2", "]), 3")).encode()}, base)
    assert trees.read(with_base_tests(trees, base, weakened), "src/lib.rs").decode() == RUST_FIXED + RUST_TESTS
    extended = trees.write({"src/lib.rs": (RUST_FIXED + RUST_MORE).encode()}, base)
    assert with_base_tests(trees, base, extended) == extended
