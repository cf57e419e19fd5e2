"""CPU time of processes that no process waits for."""

from __future__ import annotations

import subprocess
import sys

import pytest

WORK = "import time\nwhile time.process_time() < 0.3: pass"
PROGRAM = f"""
import subprocess, sys, time
from benchmarks._process_cpu import adopt_orphans, cpu_seconds, reap_orphans
adopt_orphans()
before = cpu_seconds()
work = [sys.executable, "-c", {WORK!r}]
subprocess.run(["sh", "-c", '"$@" >/dev/null & echo $!', "sh", *work], check=True, stdout=subprocess.PIPE)
while cpu_seconds() - before < 0.3:
    time.sleep(0.05)
found = cpu_seconds()
time.sleep(0.2)
reap_orphans()
assert cpu_seconds() >= found
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_orphans_count_before_and_after_they_are_reaped() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
