"""The count of files that one `fix` enters."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.entered_files import ROOT


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")
def test_files_of_first_request_and_of_reply_are_counted():
    command = [sys.executable, "-m", "benchmarks.entered_files", "--json", "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    first, _, lists = done.stdout.partition("\n")
    counts = json.loads(first)["files"]
    before, _, reply = lists.partition("For one reply:")
    assert done.returncode in (0, 1), done.stderr
    assert counts == {"before the first request": before.count(".py\n"), "for one reply": reply.count(".py\n")}
    assert "agent/inputs/issue_input.py" in before
    assert "agent/cli/" not in before, "the command line is called before the issue is read"
    assert "tools/" in reply
