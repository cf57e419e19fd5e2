"""Shell scripts that repeat a proof in a checkout of the base."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from trajectories.records import Base

PATCH = "patch.diff"
BYTECODE = "export PYTHONDONTWRITEBYTECODE=1"
"""Python would use its cache of a file that changes, with the same size, within a second."""
CONTAINER = (
    'if [ ! -e /.dockerenv ] && [ ! -e /run/.containerenv ] && [ "$PROOF_WITHOUT_CONTAINER" != yes ]; then',
    '  echo "This runs code from elsewhere. Run it in a container, or set PROOF_WITHOUT_CONTAINER=yes." >&2',
    "  exit 1",
    "fi",
)
HERE = 'here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)'


def local_script(base: Base, patch: Path, commands: Sequence[str], is_own: bool = True) -> str:
    """Return the script of a run on this machine, with the path of its patch. Unless the patch is the user's own, it
    refuses to run outside of a container."""
    where = f"# Run this in a checkout of {base.commit}"
    where += f", with the {base.changes} uncommitted changes that the run started with." if base.changes else "."
    return _script(where, () if is_own else CONTAINER, shlex.quote(str(patch)), commands)


def portable_script(commit: str, commands: Sequence[str]) -> str:
    """Return the script of a bundle, beside which the patch lies. It refuses to run outside of a container."""
    where = f"# Run this in a checkout of {commit}, in a container: it runs the patched code."
    return _script(where, (*CONTAINER, HERE), f'"$here/{PATCH}"', commands)


def _script(where: str, check: Sequence[str], patch: str, commands: Sequence[str]) -> str:
    lines = [
        f"{line.removesuffix(PATCH)}{patch}" if line.startswith("git apply ") and line.endswith(PATCH) else line
        for line in commands
    ]
    lines = [f"{line} || exit" if line.startswith("git apply ") else line for line in lines]
    return "\n".join(["#!/bin/sh", where, *check, BYTECODE, "set -x", *lines, ""])
