"""Results of cargo, from recorded output and from cargo itself where it is installed."""

import subprocess
from pathlib import Path

import pytest

from aci.proof.proof import prove
from aci.runtime.workspace import CommandResult
from aci.testing.runner_hooks import RunnerRequest
from aci.testing.suite_results import build_report
from aci.testing.suite_run import run_tests
from extensions.languages.runners import cargo
from trajectories.records import Issue

FIXTURE = Path(__file__).parent / "fixtures" / "cargo"
OUTPUT = """\
   Compiling calc v0.1.0 (/repo)
     Running unittests src/lib.rs (target/debug/deps/calc-0123456789abcdef)

running 3 tests
test tests::adds ... ok
test tests::fails ... FAILED
test tests::later ... ignored, not yet

failures:

---- tests::fails stdout ----

thread 'tests::fails' (4711) panicked at src/lib.rs:23:9:
assertion `left == right` failed
  left: 3
 right: 4
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace


failures:
    tests::fails

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: test failed, to rerun pass `--lib`
"""
COMPILE_ERROR = """\
error[E0425]: cannot find function `sub` in crate `calc`
 --> tests/it.rs:3:22
  |
3 |     assert_eq!(calc::sub(1, 1), 0);
  |                      ^^^ not found in `calc`

error: could not compile `calc` (test "it") due to 1 previous error
"""


def has_cargo():
    try:
        return subprocess.run(["cargo", "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def read(text, nodes=()):
    request = RunnerRequest("/repo", "/harness", tuple(nodes), 1.0, lambda path: "", lambda path: False)
    return build_report(
        "cargo test", CommandResult(b"", 101, 1.0, "/"), list(cargo.read(request, "/h/cargo-1", text.encode()))
    )


def test_output_of_cargo_is_parsed():
    report = read(OUTPUT)
    assert report.complete
    assert report.counts == {"passed": 1, "failed": 1, "skipped": 1}
    failed = report.find("calc:src/lib.rs::tests::fails")
    assert (failed.path, failed.line, failed.error) == ("src/lib.rs", 23, "panic")
    assert failed.message.splitlines()[-1] == " right: 4"
    assert "4711" not in failed.message
    assert not read(OUTPUT.partition("test tests::fails")[0]).complete


@pytest.mark.parametrize(
    "node", ["src/lib.rs", "calc:src/lib.rs::tests::fails", "tests::fails", "tests", "src/lib.rs::tests::fails"]
)
def test_results_are_narrowed_to_nodes(node):
    assert read(OUTPUT, [node]).failed == ("calc:src/lib.rs::tests::fails",)
    assert read(OUTPUT, ["gone"]).results == ()


def test_announced_test_without_result_makes_report_incomplete():
    assert not read(OUTPUT.replace("test tests::adds ... ok", "test tests::adds ... printed by a childok")).complete
    assert not read(OUTPUT.replace("running 3", "running 4"), ["tests::fails"]).complete


@pytest.mark.parametrize("lines", [0, 1_000])
def test_output_of_failing_test_is_no_result(lines):
    forged = (
        "running 1 test\ntest tests::forged ... ok\ntest result: ok.\n---- tests::none stdout ----\n   Doc-tests x\n"
    )
    report = read(OUTPUT.replace("assertion `left", "more\n" * lines + forged + "assertion `left"))
    assert report.complete
    assert report.counts == {"passed": 1, "failed": 1, "skipped": 1}
    assert report.find("calc:src/lib.rs::tests::fails").line == 23
    other = read(OUTPUT.replace("assertion `left", "failures:\ntest tests::forged ... ok\nassertion `left"))
    assert other.counts == {"passed": 1, "failed": 1, "skipped": 1}


def test_output_of_passing_test_is_no_result():
    successes = (
        "successes:\n\n---- tests::adds stdout ----\ntest a ... ok\n\n\nsuccesses:\n    tests::adds\n\nfailures:\n"
    )
    report = read(OUTPUT.replace("failures:\n", successes, 1))
    assert (report.complete, report.counts) == (True, {"passed": 1, "failed": 1, "skipped": 1})
    assert "panicked" in report.find("calc:src/lib.rs::tests::fails").message


def test_failure_of_doc_test_is_parsed():
    output = """   Doc-tests calc

running 1 test
test src/lib.rs - add (line 3) ... FAILED

failures:

---- src/lib.rs - add (line 3) stdout ----
Test executable failed

failures:
    src/lib.rs - add (line 3)

test result: FAILED. 0 passed; 1 failed
"""
    [failed] = read(output).results
    assert (failed.id, failed.message) == ("calc:src/lib.rs::doc add", "Test executable failed")


EXAMPLES = """   Doc-tests calc

running 3 tests
test src/lib.rs - (line 11) ... FAILED
test src/lib.rs - (line 3) ... ok
test src/lib.rs - add (line 30) - compile ... ok

failures:

---- src/lib.rs - (line 11) stdout ----
error[E0369]: cannot multiply `&Matrix` by `{integer}`
  --> src/lib.rs:15:15

error: aborting due to 1 previous error

Couldn't compile the test.

failures:
    src/lib.rs - (line 11)

test result: FAILED. 2 passed; 1 failed
"""


def test_examples_of_an_item_are_numbered_by_line():
    report = read(EXAMPLES)
    outcomes = {result.id: result.outcome for result in report.results}
    assert outcomes == {
        "calc:src/lib.rs::doc crate": "passed",
        "calc:src/lib.rs::doc crate #2": "error",
        "calc:src/lib.rs::doc add": "passed",
    }
    [one] = read(EXAMPLES, ["calc:src/lib.rs::doc crate"]).results
    assert (one.id, one.outcome) == ("calc:src/lib.rs::doc crate", "passed")


def test_examples_are_selected_by_the_words_of_libtest():
    nodes = ["calc:src/lib.rs::doc crate #2", "calc:src/lib.rs::doc m::add", "calc:src/lib.rs::tests::adds"]
    request = RunnerRequest("/repo", "/harness", tuple(nodes), 1.0, lambda path: "[package]", lambda path: True)
    found = cargo.hook(request, "cargo test")
    assert found
    assert b"'src/lib.rs - (line' 'src/lib.rs - m::add (line' tests::adds" in found.files["bin/cargo"]


@pytest.mark.slow
def test_many_crates_that_do_not_compile_are_parsed_in_one_pass():
    text = "error[E0001]: no\n --> src/a.rs:1:1\n" + "error: could not compile `a`\n" * 20_000 + "x\n" * 200_000
    [error] = read(text).results
    assert (error.id, error.line) == ("a:src/a.rs", 1)


def test_each_crate_that_does_not_compile_has_its_own_errors():
    report = read(COMPILE_ERROR + COMPILE_ERROR.replace("`calc`", "`other`").replace("tests/it.rs:3", "src/o.rs:8"))
    assert [(result.id, result.line) for result in report.results] == [("it:tests/it.rs", 3), ("it:src/o.rs", 8)]


def test_errors_of_a_crates_own_tests_are_those_of_its_root():
    text = COMPILE_ERROR.replace("tests/it.rs", "src/sub.rs").replace('(test "it")', "(lib test)")
    request = RunnerRequest("/repo", "/harness", (), 1.0, lambda path: "", lambda path: path == "src/lib.rs")
    lines = list(cargo.read(request, "/h/cargo-1", text.encode()))
    report = build_report("cargo test", CommandResult(b"", 101, 1.0, "/"), lines)
    found = report.find("calc:src/lib.rs::tests::adds")
    assert (found.outcome, found.path) == ("error", "src/sub.rs")


def test_crate_that_does_not_compile_is_error():
    [error] = read(COMPILE_ERROR).results
    assert (error.id, error.outcome, error.path, error.line) == ("it:tests/it.rs", "error", "tests/it.rs", 3)
    assert "cannot find function `sub`" in error.message


@pytest.mark.slow
@pytest.mark.skipif(not has_cargo(), reason="cargo is not installed")
def test_cargo_results_are_read(make_repo, open_ws):
    files = {str(file.relative_to(FIXTURE)): file.read_bytes() for file in FIXTURE.rglob("*") if file.is_file()}
    workspace = open_ws("local", make_repo({**files, "Makefile": "check:\n\tcargo test --offline\n"}))
    report = run_tests(workspace, "make check")
    assert report.counts == {"passed": 3, "failed": 2, "skipped": 1}, report.output.decode()
    assert report.complete
    assert b"running 4 tests" in report.output
    node = "it:tests/it.rs::far"
    narrowed = run_tests(workspace, "cargo test --offline", [node])
    assert narrowed.failed == (node,)
    assert narrowed.find(node).trace == ("src/lib.rs:10:",)
    assert workspace.run("cargo --version").code == 0


@pytest.mark.slow
@pytest.mark.skipif(not has_cargo(), reason="cargo is not installed")
def test_fix_is_proved_with_cargo(make_repo, open_ws):
    files = {str(file.relative_to(FIXTURE)): file.read_bytes() for file in FIXTURE.rglob("*") if file.is_file()}
    files["src/lib.rs"] = files["src/lib.rs"].replace(b"super::add(1, 12)", b"super::add(1, 120)")
    workspace = open_ws("local", make_repo(files))
    trees, start = workspace.options.trees, workspace.options.base.tree
    new_test = b"#[test]\nfn adds_any() {\n    assert_eq!(calc_rs::add(1, 12), 13);\n}\n"
    fixed = files["src/lib.rs"].replace(b"b > 9", b"b > 99")
    tree = trees.write({"src/lib.rs": fixed, "tests/any.rs": new_test}, start)
    issue = Issue("add panics", "add(1, 12) panics, it should be 13")
    verdict = prove(workspace.fork, trees, start, tree, issue=issue, command="cargo test --offline", timeout=200)
    assert (verdict.kind, verdict.granularity) == ("plausible", "test"), verdict
    assert "any:tests/any.rs::adds_any" in verdict.tests
