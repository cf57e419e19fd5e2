"""What the code that an issue shows does when it runs: which functions it calls, and where it raises."""

from __future__ import annotations

import ast
import json
import re
import secrets
import shlex
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice

from aci.workspace import Workspace
from trajectories.errors import UsageError

SECONDS = 20.0
LONGEST, MOST = 20_000, 8
MOST_STARTS, MOST_LINES, MOST_UNMARKED = 3, 60, 4_000
ANSWER_LIMIT = 5_000_000
_FENCE = re.compile(r"[ \t]*(?:```+|~~~+)[ \t]*\{?\.?(?P<tag>\w*)(?P<more>.*)")
_PYTHON = {"", "py", "python", "python3", "pycon", "ipython", "ipython3", "pytb"}
_IPYTHON = re.compile(r"^[ \t]*In ?\[\d*\]: ?(.*)$")
_IMPORT = re.compile(r"[ \t]*(?:from [\w.]+ import |import [\w.]+[ \t]*(?:,|as |$))")
_CONTINUED = re.compile(r"^[ \t]*\.{3,}: ?(.*)$")


@dataclass(frozen=True, slots=True)
class Called:
    """A function of the repository that ran: where its definition begins, and how often it was called."""

    path: str
    line: int
    name: str
    calls: int


@dataclass(frozen=True, slots=True)
class Traced:
    """`raised` are the repository's own frames (path, line, function) of the last exception, innermost last."""

    functions: tuple[Called, ...] = ()
    raised: tuple[tuple[str, int, str], ...] = ()
    error: str = ""


def snippets(text: str) -> tuple[str, ...]:
    """The Python of an issue that can be compiled: fenced blocks, and what stands behind prompts. In order."""
    text = text[: 4 * LONGEST]
    found = [_unprompted(body) for tag, body in _fenced(text) if tag.lower() in _PYTHON and len(body) <= LONGEST]
    if not found:
        found = [_unprompted(text)] if ">>>" in text or "In [" in text else _unmarked(text.splitlines())
    useful = (code for code in found if code.strip() and len(code) <= LONGEST and _does_something(code))
    return tuple(islice(useful, MOST))


def _fenced(text: str) -> Iterator[tuple[str, str]]:
    """The language and the content of each block between fences; one that is not closed is none."""
    block: list[str] | None = None
    tag = ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if block is None and fence:
            tag, block = fence["tag"], []
        elif block is not None and fence and not (fence["tag"] or fence["more"].strip()):
            yield tag, "".join(block)
            block = None
        elif block is not None:
            block.append(f"{line}\n")


def _unmarked(lines: list[str]) -> list[str]:
    """The longest code that begins at the first import, where nothing marks code as such."""
    for start in [n for n, line in enumerate(lines) if _IMPORT.match(line)][:MOST_STARTS]:
        for end in range(min(start + MOST_LINES, len(lines)), start + 1, -1):
            code = textwrap.dedent("\n".join(lines[start:end])) + "\n"
            if len(code) <= MOST_UNMARKED and _does_something(code):
                return [code]
    return []


def _unprompted(block: str) -> str:
    """Code as typed, where a block is a session: what was answered is left out."""
    if ">>>" in block:
        import doctest  # takes a tenth of a second

        try:
            return "".join(example.source for example in doctest.DocTestParser().get_examples(block))
        except ValueError:  # prompts that are not indented alike
            return ""
    if not any(map(_IPYTHON.match, block.splitlines())):
        return block
    lines, typing = [], False
    for line in block.splitlines():
        if begun := _IPYTHON.match(line):
            lines.append(begun[1])
            typing = True
        elif typing and (more := _CONTINUED.match(line)):
            lines.append(more[1])
        else:
            typing = False
    return "\n".join(lines) + "\n"


def _does_something(code: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, ast.Import | ast.ImportFrom | ast.Call | ast.FunctionDef) for node in ast.walk(tree))


def trace(workspace: Workspace, text: str, seconds: float = SECONDS) -> Traced | None:
    """Run the code of an issue in a workspace. None where it shows none, or where it could not be run.

    The code is a stranger's: the workspace has to be one in which that may run.
    """
    shown = snippets(text)
    if not shown:
        return None
    folder = f"{workspace.harness}/issue-{secrets.token_hex(8)}"
    job = {"root": workspace.root, "snippets": shown, "seconds": seconds, "out": f"{folder}/answer.json"}
    workspace.write(f"{folder}/calls.py", files("aci.inside").joinpath("calls.py").read_bytes())
    workspace.write(f"{folder}/job.json", json.dumps(job).encode())
    python = '"$(command -v python || echo python3)"'
    script = f"{python} {shlex.quote(folder)}/calls.py {shlex.quote(folder)}/job.json"
    workspace.run(f"(cd {shlex.quote(workspace.scratch)} && {script}) >/dev/null 2>&1", seconds + 10, "issue")
    try:
        return _read(json.loads(workspace.read(f"{folder}/answer.json", ANSWER_LIMIT)))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, UsageError):
        return None


def _read(answer: dict[str, list[tuple[object, ...]]]) -> Traced:
    """The answer came from a process that a stranger's code ran in: nothing in it is taken for granted."""
    functions = [
        Called(str(path), int(str(line)), str(name), int(str(calls))) for path, line, name, calls in answer["functions"]
    ]
    frames = [(str(path), int(str(line)), str(name)) for path, line, name in answer["raised"]]
    return Traced(tuple(functions), tuple(frames), str(answer["error"])[:500])
