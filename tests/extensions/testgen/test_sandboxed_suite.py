"""New tests run under the audit hook, which also applies after the runner ends."""

from __future__ import annotations

import pytest

from aci.testing.suite_run import run_tests
from extensions.testgen.sandboxed_suite import write_guarded_tests

BODY = """
    def test_good(self):
        import asyncio

        assert asyncio.run(asyncio.sleep(0, 3)) == 3

    def test_writes(self):
        try:
            open(__file__ + "2", "w")
        except BaseException:
            pass

    def test_at_end(self):
        import atexit, os

        atexit.register(os.system, "touch " + __file__ + "3")

    def test_left(self):
        import os, sys

        class Late:
            def __del__(self):
                os.system("touch " + __file__ + "4")

        sys.late = Late()

    def test_forks(self):
        import _posixsubprocess

        _posixsubprocess.fork_exec()
"""


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pytest", "unittest"])
def test_harmful_tests_are_blocked_and_fail(make_repo, open_ws, style: str) -> None:
    workspace = open_ws("local", make_repo({"test_a.py": ""}))
    write_guarded_tests(workspace, "test_a.py", f"import unittest\n\n\nclass ATest(unittest.TestCase):{BODY}".encode())
    report = run_tests(workspace, f"python3 -m {style}", ("test_a.py",), 60)
    assert sorted(one.rpartition("test_")[2] for one in report.passed) == ["good", "left"]
    assert sorted(one.rpartition("test_")[2] for one in report.failed) == ["at_end", "forks", "writes"]
    assert workspace.run("ls test_a.py?*").code
