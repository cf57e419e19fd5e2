"""Diagnostics of files in a workspace by the type checkers and linters that its environment has.

The idea of showing an agent a language server's diagnostics after its edits comes from MarsCode Agent (arXiv
2409.00899).
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import clean_output
from aci.runtime.target_function import PYTHON
from aci.runtime.workspace import HARNESS_SESSION
from extensions.papers.static_checks import ConsistencyError

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace

SECONDS = 90.0
MOST_TEXT = 300
DIAGNOSTIC = re.compile(
    r"\s*(?:vet: )?(?P<path>[^\s:(][^:(]*)[:(](?P<line>\d+)(?:[:,]\d+)?\)?:?\s*(?:- )?(?P<text>\S.*)"
)
NOTES = re.compile(r"(?i)(?:note|information|help|hint)\b")


@dataclass(frozen=True, slots=True)
class Checker:
    """A program that checks files with certain suffixes.

    `there` is the command that succeeds if the program is installed; `run` is the command that runs it, with the
    placeholders `{files}`, `{folders}`, `{cache}` (a folder to write to) and `{python}` (the target's interpreter).
    """

    name: str
    suffixes: tuple[str, ...]
    there: str
    run: str


PY = (".py", ".pyi")
CHECKERS = (
    Checker(
        "mypy",
        PY,
        "{python} -c 'import mypy'",
        "{python} -m mypy --no-error-summary --no-color-output --no-pretty --hide-error-context --check-untyped-defs "
        "--ignore-missing-imports --follow-imports=silent --cache-dir={cache}/mypy {files}",
    ),
    Checker("pyright", PY, "command -v pyright", "pyright {files}"),
    Checker("pyflakes", PY, "{python} -c 'import pyflakes'", "{python} -m pyflakes {files}"),
    Checker("ruff", PY, "command -v ruff", "ruff check --no-cache --quiet --output-format concise --select F {files}"),
    Checker("go vet", (".go",), "command -v go", "go vet {folders}"),
    Checker("tsc", (".ts", ".tsx"), "npx --no-install tsc --version", "npx --no-install tsc --noEmit --pretty false"),
)
"""For each kind of file, the first installed checker is used."""


def find_checkers(workspace: Workspace, paths: Sequence[str]) -> list[Checker]:
    """Return the installed checkers for these files."""
    found: dict[tuple[str, ...], Checker] = {}
    for one in CHECKERS:
        if one.suffixes not in found and any(path.endswith(one.suffixes) for path in paths):
            ran = workspace.run(_in_root(workspace, _filled(one.there, workspace, ())), 30, HARNESS_SESSION)
            if ran.code == 0:
                found[one.suffixes] = one
    return list(found.values())


def run_checker(workspace: Workspace, checker: Checker, paths: Sequence[str]) -> list[ConsistencyError] | None:
    """Return a checker's findings on these files only; None if it takes over 90 s or fails."""
    mine = [path for path in paths if path.endswith(checker.suffixes)]
    ran = workspace.run(_in_root(workspace, _filled(checker.run, workspace, mine)), SECONDS, HARNESS_SESSION)
    found = list(_read(clean_output(ran.output), workspace.root, mine))
    return None if ran.timed_out or (ran.code > 1 and not found) else found


def new_errors(now: Iterable[ConsistencyError], before: Iterable[ConsistencyError]) -> list[ConsistencyError]:
    """Return the findings that are new for their file, regardless of their line."""
    known = Counter((one.path, one.text) for one in before)
    found = []
    for one in now:
        known[one.path, one.text] -= 1
        if known[one.path, one.text] < 0:
            found.append(one)
    return found


def _in_root(workspace: Workspace, command: str) -> str:
    return f"(cd {shlex.quote(workspace.root)} && {command} 2>&1)"


def _filled(command: str, workspace: Workspace, paths: Sequence[str]) -> str:
    folders = dict.fromkeys(f"./{path.rpartition('/')[0]}" for path in paths)
    return command.format(
        python=PYTHON,
        cache=shlex.quote(f"{workspace.scratch}/checks"),
        files=shlex.join(f"./{path}" for path in paths),
        folders=shlex.join(folders),
    )


def _read(output: str, root: str, paths: Sequence[str]) -> Iterable[ConsistencyError]:
    for line in output.splitlines():
        found = DIAGNOSTIC.fullmatch(line)
        path = found["path"].removeprefix(f"{root}/").removeprefix("./") if found else ""
        if found and path in paths and not NOTES.match(found["text"]):
            yield ConsistencyError(path, int(found["line"]), found["text"].strip()[:MOST_TEXT])
