"""The `eval_script` of an instance's row, as SWE-bench 5 has it: the commands that run its tests."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.evaluation.grading_files import START, STOP

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_LEFT_OUT = re.compile(
    r"#!|set -|cd\b|git\b|(?:source|\.) \S*/bin/activate|conda activate|(?:python\S* -m )?pip3? install|curl\b|wget\b"
)
"""Lines that the workspace has done already, or that need a network."""


@dataclass(frozen=True, slots=True)
class EvalScript:
    """`before` sets up the session, `command` builds and runs the tests once their files are in place."""

    before: tuple[str, ...]
    command: str


def read_eval_script(script: str) -> EvalScript | None:
    """Return the commands of a script; None if it does not mark where the tests start and stop.

    The lines that apply the test patch are left out, since `evaluate` applies it by itself. What follows them belongs
    to the command, because it may compile the tests.
    """
    before: list[str] = []
    build: list[str] = []
    tests: list[str] | None = None
    end, is_patched = "", False
    for line in script.splitlines():
        if end:
            end = "" if line.strip() == end else end
        elif STOP in line:
            return EvalScript(tuple(before), "\n".join([*build, *(tests or ())])) if tests else None
        elif START in line:
            tests = []
        elif tests is not None:
            tests.append(line)
        elif heredoc := _HEREDOC.search(line):
            end, is_patched = heredoc[2], is_patched or "git apply" in line
        elif line.strip() and not _LEFT_OUT.match(line.strip()):
            (build if is_patched else before).append(line)
    return None
