"""The time limit of a test on a busy machine."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from aci.testing.suite_run import run_tests

TEST = (
    "import time\ndef test_work():\n    used = time.process_time() + {}\n    while time.process_time() < used: pass\n"
)


@pytest.fixture
def one_busy_core() -> Iterator[None]:
    """Restrict this process and its children to one core, on which other programs run too."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    yield
    for other in others:
        other.kill()
        other.wait()
    os.sched_setaffinity(0, cores)


@pytest.mark.slow
@pytest.mark.usefixtures("one_busy_core")
def test_computing_test_gets_its_limit_in_cpu_seconds(make_repo, open_ws):
    workspace = open_ws("local", make_repo({"test_a.py": TEST.format(0.9), "test_b.py": TEST.format(60)}))
    report = run_tests(workspace, "python3 -m pytest", each=1.5)
    assert report.counts == {"passed": 1, "failed": 1}
    assert report.failed == ("test_b.py::test_work",)
