"""Results of Ruby's Minitest and test-unit, with the real frameworks where Ruby has them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from aci.testing.suite_run import run_tests

MINITEST = b"""require 'minitest/autorun'

class SumTest < Minitest::Test
  def test_adds; assert_equal 3, 1 + 2; end

  def test_fails; assert_equal 4, 1 + 2; end

  def test_raises; raise ArgumentError, 'boom'; end

  def test_skipped; skip 'later'; end
end
"""
TEST_UNIT = (
    MINITEST.replace(b"minitest/autorun", b"test/unit")
    .replace(b"Minitest::Test", b"Test::Unit::TestCase")
    .replace(b"skip 'later'", b"omit 'later'")
)


def need(*frameworks: str) -> None:
    """Skip a test if this machine's Ruby lacks a framework: the project does not need Ruby."""
    ruby = shutil.which("ruby")
    for name in frameworks:
        load = [ruby or "", "-e", f"require '{name}'; exit! 0"]
        if not ruby or subprocess.run(load, capture_output=True, check=False).returncode:
            pytest.skip(f"{name} is not installed")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "source"), [("minitest", MINITEST), ("test/unit", TEST_UNIT)], ids=["minitest", "test-unit"]
)
def test_results_of_ruby_tests(make_repo, open_ws, framework: str, source: bytes) -> None:
    need(framework)
    workspace = open_ws("local", make_repo({"test/sum_test.rb": source}))
    report = run_tests(workspace, "ruby test/sum_test.rb")
    assert (report.granularity, report.complete, report.ended_well) == ("test", True, True), report.output.decode()
    assert report.counts == {"failed": 2, "passed": 1, "skipped": 1}
    fails, raises = (report.find(f"test/sum_test.rb::SumTest::test_{name}") for name in ("fails", "raises"))
    assert fails
    assert raises
    assert (fails.path, fails.line, fails.trace[-1]) == ("test/sum_test.rb", 6, "test/sum_test.rb:6:test_fails")
    assert (raises.error, raises.message.splitlines()[0]) == ("ArgumentError", "ArgumentError: boom")
    raised = source.replace(b"'boom'", b'"caf\\xe9".b')
    workspace.write("test/sum_test.rb", raised)
    assert run_tests(workspace, "ruby test/sum_test.rb").counts == report.counts
    [one] = run_tests(workspace, "ruby test/sum_test.rb", ["test/sum_test.rb::SumTest::test_adds"]).results
    assert (one.id, one.outcome) == ("test/sum_test.rb::SumTest::test_adds", "passed")


@pytest.mark.slow
def test_two_frameworks_in_one_process_are_a_complete_run(make_repo, open_ws) -> None:
    need("minitest", "test/unit")
    source = TEST_UNIT.replace(b"require", b"require 'minitest/autorun'\nrequire", 1)
    report = run_tests(open_ws("local", make_repo({"test/sum_test.rb": source})), "ruby test/sum_test.rb")
    assert (report.complete, report.ended_well) == (True, True), report.output.decode()
    assert report.counts == {"failed": 2, "passed": 1, "skipped": 1}


@pytest.mark.slow
def test_end_of_the_process_in_a_test_is_no_complete_run(make_repo, open_ws) -> None:
    need("minitest")
    source = MINITEST.replace(b"raise ArgumentError, 'boom'", b"exit 0")
    workspace = open_ws("local", make_repo({"test/sum_test.rb": source}))
    report = run_tests(workspace, "ruby test/sum_test.rb --seed 1")
    assert not report.complete


@pytest.mark.slow
def test_tests_of_a_program_that_a_test_starts_are_not_reported(make_repo, open_ws) -> None:
    need("minitest")
    inner = MINITEST.replace(b"SumTest", b"InnerTest")
    outer = MINITEST.replace(
        b"raise ArgumentError, 'boom'", b"refute system('ruby', 'other/inner.rb', out: '/dev/null')"
    )
    workspace = open_ws("local", make_repo({"test/sum_test.rb": outer, "other/inner.rb": inner}))
    report = run_tests(workspace, "ruby test/sum_test.rb")
    assert report.counts == {"failed": 1, "passed": 2, "skipped": 1}
    assert {result.path for result in report.results} == {"test/sum_test.rb"}
