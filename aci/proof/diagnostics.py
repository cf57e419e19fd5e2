"""What type checkers and linters say of files, as they are in a workspace: those that the project's environment has.

That an agent is told a language server's diagnostics after its edits is MarsCode Agent's (arXiv 2409.00899) idea.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.misfits import Misfit
from aci.target import PYTHON
from aci.view import clean
from aci.workspace import OURS

if TYPE_CHECKING:
    from aci.workspace import Workspace

SECONDS = 90.0
MOST_TEXT = 300
SAID = re.compile(r"\s*(?:vet: )?(?P<path>[^\s:(][^:(]*)[:(](?P<line>\d+)(?:[:,]\d+)?\)?:?\s*(?:- )?(?P<text>\S.*)")
NOTES = re.compile(r"(?i)(?:note|information|help|hint)\b")


@dataclass(frozen=True, slots=True)
class Checker:
    """A program for files that end so: the command that tells whether it is there, and the one that runs it, with
    `{files}`, `{folders}`, `{cache}` (a folder to write to) and the target's `{python}`."""

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
"""The first one of a kind of files that is there is asked."""


def checkers(workspace: Workspace, paths: Sequence[str]) -> list[Checker]:
    """Those to be asked about files."""
    found: dict[tuple[str, ...], Checker] = {}
    for one in CHECKERS:
        if one.suffixes not in found and any(path.endswith(one.suffixes) for path in paths):
            ran = workspace.run(_in_root(workspace, _filled(one.there, workspace, ())), 30, OURS)
            if ran.code == 0:
                found[one.suffixes] = one
    return list(found.values())


def diagnosed(workspace: Workspace, checker: Checker, paths: Sequence[str]) -> list[Misfit] | None:
    """What a checker says of these files; of others nothing. None where it takes over 90 s, or fails."""
    mine = [path for path in paths if path.endswith(checker.suffixes)]
    ran = workspace.run(_in_root(workspace, _filled(checker.run, workspace, mine)), SECONDS, OURS)
    found = list(_read(clean(ran.output), workspace.root, mine))
    return None if ran.timed_out or (ran.code > 1 and not found) else found


def only_new(now: Iterable[Misfit], before: Iterable[Misfit]) -> list[Misfit]:
    """What was not said before of the same file, wherever in it."""
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


def _read(said: str, root: str, paths: Sequence[str]) -> Iterable[Misfit]:
    for line in said.splitlines():
        found = SAID.fullmatch(line)
        path = found["path"].removeprefix(f"{root}/").removeprefix("./") if found else ""
        if found and path in paths and not NOTES.match(found["text"]):
            yield Misfit(path, int(found["line"]), found["text"].strip()[:MOST_TEXT])
