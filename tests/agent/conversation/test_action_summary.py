"""The one-line result of an action."""

from __future__ import annotations

from agent.conversation.messages import describe_exit, describe_result
from trajectories.records import Observation


def test_result_of_tests_and_earlier_versions_is_first_line() -> None:
    tests = Observation("1 failed, 2 passed\nDetails", False, data={"code": 1, "counts": {"failed": 1}})
    earlier = Observation("oops\n[exit code 1]", False, data={"code": 1, "seconds": 0.1})
    damaged = Observation("oops", False, data={"code": "x", "last_line": 5})
    assert [*map(describe_result, (tests, earlier, damaged))] == ["1 failed, 2 passed", "oops", "oops"]
    assert [*map(describe_exit, (tests, earlier, damaged))] == ["exit code 1", "exit code 1", ""]
