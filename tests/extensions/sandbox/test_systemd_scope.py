"""Scopes of the user's systemd. A stand-in for systemd-run records its arguments, since no systemd runs in tests."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from extensions.sandbox import systemd_scope
from extensions.sandbox.sandbox_process import Sandbox
from extensions.sandbox.systemd_scope import ScopeLimits, scope_words, systemd_run
from extensions.sandbox.visible_paths import add_own_files, system_contents

STAND_IN = """\
#!/bin/sh
echo "$*" >> "$0.log"
while case $1 in -p) shift 2;; --*) shift;; *) false;; esac; do :; done
exec "$@"
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stand-in for systemd-run, first on the PATH."""
    path = tmp_path / "systemd-run"
    path.write_text(STAND_IN)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    systemd_run.cache_clear()
    yield path
    systemd_run.cache_clear()


def test_machine_without_user_systemd_has_no_scopes(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert systemd_run() == ()
    assert scope_words(ScopeLimits(1, 1)) == ([], {})
    assert not program.with_name("systemd-run.log").exists()


def test_systemd_that_does_not_grant_a_memory_limit_is_not_used(program: Path) -> None:
    program.write_text(STAND_IN.replace('exec "$@"', "exit 0"))
    assert systemd_run()[0] == str(program)
    systemd_run.cache_clear()
    program.write_text(STAND_IN.replace('exec "$@"', "exit 1"))
    assert systemd_run() == ()


def test_scope_outlives_the_end_of_a_process_where_systemd_can_keep_it(program: Path) -> None:
    accepts = STAND_IN.replace('exec "$@"', "exit 0")
    program.write_text(accepts)
    assert scope_words(ScopeLimits(1, 1))[0][5:7] == ["-p", "OOMPolicy=continue"]
    systemd_run.cache_clear()
    older = 'case "$*" in *OOMPolicy*) echo "Unknown assignment: OOMPolicy=continue" >&2; exit 1;; esac'
    program.write_text(accepts.replace("while", f"{older}\nwhile", 1))
    words, _ = scope_words(ScopeLimits(1, 1))
    assert words[0] == str(program)
    assert "OOMPolicy" not in " ".join(words)


def test_limits_are_properties_of_the_scope(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd_scope, "systemd_run", lambda: (str(program),))
    words, env = scope_words(ScopeLimits(1000, 20, 1.5))
    assert words[0] == str(program)
    assert [value for name, value in pairwise(words) if name == "-p"] == [
        "MemoryMax=1000",
        "MemorySwapMax=0",
        "TasksMax=20",
        "CPUQuota=150%",
    ]
    assert words[-1] == "-i", "the program's environment is empty"
    assert env.keys() <= {"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"}
    assert "CPUQuota" not in str(scope_words(ScopeLimits(1000, 20)))
    assert scope_words(None) == ([], {})


@pytest.mark.sandbox
def test_sandbox_starts_in_a_scope(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd_scope, "systemd_run", lambda: (str(program),))
    inside = system_contents()
    add_own_files(inside, "/")
    sandbox = Sandbox(inside, limits=ScopeLimits(1 << 30, 50))
    try:
        started = sandbox.start(["/bin/echo", "started"], {}, {})
        assert started.code(20) == 0
        assert started.receive() == b"started\n"
    finally:
        sandbox.end()
    assert "MemoryMax=1073741824" in program.with_name("systemd-run.log").read_text()
