"""What runners share: recognising calls of a program, and programs that wrap it."""

import re

import pytest

from aci.testing import runner_hooks
from aci.testing.runner_hooks import Hook, build_wrapper, program_call
from aci.testing.suite_run import run_tests

PROGRAM = """\
#!/bin/sh
echo "ok: $*"
exit "$#"
"""


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        ("bats", "bats +"),
        ("bats test", "bats + test"),
        ("test/bats/bin/bats test; echo", "test/bats/bin/bats + test; echo"),
        ("cd bats && bats test", "cd bats && bats + test"),
        ("cd bats\n  ./bats|cat", "cd bats\n  ./bats +|cat"),
        ("A=1 B='x y' time bats -r .", "A=1 B='x y' time bats + -r ."),
        ("timeout 60 npx bats test", "timeout 60 npx bats + test"),
        ("for d in a b; do (cd $d && $HOME/bats); done", "for d in a b; do (cd $d && $HOME/bats +); done"),
        ("if bats test; then bats more; fi", "if bats + test; then bats + more; fi"),
        ("[ -x bin/bats ] && which bats", "[ -x bin/bats ] && which bats"),
        ("cp bats.conf bats; make bats", "cp bats.conf bats; make bats"),
        ("mybats test bats-core", "mybats test bats-core"),
    ],
)
def test_program_is_recognised_at_start_of_commands_only(command, changed):
    assert re.sub(program_call("bats"), r"\1 +", command) == changed


class FakeRunner:
    """A runner whose program prints `ok: ` and its arguments for each test."""

    run = '"$tool" "$@" >"$out" 2>&1\ncode=$?\nfit\ncat "$out"\nexit "$code"\n'

    def hook(self, request, command):
        return Hook(command, {"bin/prints": build_wrapper(request, ["--tap"], self.run, subcommand="")})

    def read(self, request, path, data):
        yield {"start": "prints"}
        yield {"running": data.decode()}
        yield {"id": data.decode().strip(), "outcome": "passed"}
        yield {"finish": 0, "expected": 1}


def test_each_call_of_wrapped_program_is_read_and_keeps_output_and_exit_code(make_repo, open_ws, monkeypatch):
    monkeypatch.setattr(runner_hooks, "runner_modules", lambda: {"prints": "prints"})
    monkeypatch.setattr(runner_hooks, "load_runner", lambda name: FakeRunner())
    makefile = "check:\n\tprints\n\tprints test 'a b'; echo code $$?\n"
    workspace = open_ws("local", make_repo({"Makefile": makefile, "tool/prints": PROGRAM}))
    workspace.run('chmod +x tool/prints; export PATH="$PWD/tool:$PATH"', session="tests")
    report = run_tests(workspace, "make -i check")
    assert sorted(report.passed) == ["ok: --tap", "ok: --tap test a b"]
    assert b"ok: --tap test a b\ncode 3\n" in report.output
