"""The `eval_script` of an instance's row, as SWE-bench 5 has it: the commands that run its tests."""

from __future__ import annotations

import re
from dataclasses import dataclass

from extensions.lab.evaluation.grading_files import START, STOP

_HEREDOC = re.compile(r"(?<![<\w])<<-?\s*(['\"]?)([A-Za-z_][\w-]*)\1\s*$")
_LEFT_OUT = re.compile(
    r"#!|set -[euxo]+( pipefail)?$|cd /testbed$|git (?:config|status|show|diff|checkout|-c \S+ diff)\b"
    r"|(?:source|\.) /opt/miniconda3/bin/activate|conda activate|(?:python\S* -m )?pip3? install|curl\b|wget\b"
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
    ends: list[str] = []
    is_patched = is_kept = False
    for line in re.sub(r"\\\n\s*", " ", script).splitlines():
        here = tests if tests is not None else build if is_patched else before
        if ends:
            if is_kept:
                here.append(line)
            if line.strip() == ends[0]:
                ends.clear()
        elif STOP in line:
            return EvalScript(tuple(_joined(before)), "\n".join([*build, *(tests or ())])) if tests else None
        elif START in line:
            tests = []
        elif heredoc := _HEREDOC.search(line):
            ends, is_kept = [heredoc[2]], "git apply" not in line
            is_patched = is_patched or not is_kept
            if is_kept:
                here.append(line)
        elif tests is not None or not _is_left_out(line):
            here.append(line)
    return None


def _is_left_out(line: str) -> bool:
    text = line.strip()
    return not text or (bool(_LEFT_OUT.match(text)) and not re.search(r"&&|\|\||;", text))


def _joined(lines: list[str]) -> list[str]:
    """Return the lines as commands; one command if they hold a text that goes over several lines."""
    return ["\n".join(lines)] if any(map(_HEREDOC.search, lines)) else lines
