"""Code snippets in an issue, and traces of the functions called and the exception raised when they run."""

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
from itertools import islice

from aci.runtime.guest_programs import program_source
from aci.runtime.workspace import Workspace
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
class CalledFunction:
    """A function of the repository that ran: the line where its definition starts, and how often it was called."""

    path: str
    line: int
    name: str
    calls: int


@dataclass(frozen=True, slots=True)
class SnippetTrace:
    """The functions that the snippets called, and the last exception.

    `raised` holds the frames (path, line, function) of that exception in the repository's own code, innermost last.
    """

    functions: tuple[CalledFunction, ...] = ()
    raised: tuple[tuple[str, int, str], ...] = ()
    error: str = ""


def find_snippets(text: str) -> tuple[str, ...]:
    """Return the Python snippets in an issue that compile: fenced blocks and input after prompts, in order."""
    text = text[: 4 * LONGEST]
    found = [_without_prompts(body) for tag, body in _fenced(text) if tag.lower() in _PYTHON and len(body) <= LONGEST]
    if not found:
        found = [_without_prompts(text)] if ">>>" in text or "In [" in text else find_unfenced_code(text.splitlines())
    useful = (code for code in found if code.strip() and len(code) <= LONGEST and _does_something(code))
    return tuple(islice(useful, MOST))


def _fenced(text: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the content of each fenced block; an unclosed block is ignored."""
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


def find_unfenced_code(lines: list[str]) -> list[str]:
    """Return the longest valid Python code that starts at an import, for text without marked code."""
    for start in [n for n, line in enumerate(lines) if _IMPORT.match(line)][:MOST_STARTS]:
        for end in range(min(start + MOST_LINES, len(lines)), start + 1, -1):
            code = textwrap.dedent("\n".join(lines[start:end])) + "\n"
            if len(code) <= MOST_UNMARKED and _does_something(code):
                return [code]
    return []


def _without_prompts(block: str) -> str:
    """Return the input of an interactive session without its prompts and output; other blocks are returned as is."""
    if ">>>" in block:
        import doctest  # the import takes a tenth of a second

        try:
            return "".join(example.source for example in doctest.DocTestParser().get_examples(block))
        except ValueError:  # the prompts are indented inconsistently
            return ""
    if not any(map(_IPYTHON.match, block.splitlines())):
        return block
    lines, in_input = [], False
    for line in block.splitlines():
        if prompt := _IPYTHON.match(line):
            lines.append(prompt[1])
            in_input = True
        elif in_input and (continuation := _CONTINUED.match(line)):
            lines.append(continuation[1])
        else:
            in_input = False
    return "\n".join(lines) + "\n"


def _does_something(code: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, ast.Import | ast.ImportFrom | ast.Call | ast.FunctionDef) for node in ast.walk(tree))


def trace_snippets(workspace: Workspace, text: str, seconds: float = SECONDS) -> SnippetTrace | None:
    """Run the snippets of an issue in a workspace; None if there are none, or if they could not be run.

    The code is untrusted, so the workspace must be one in which untrusted code may run.
    """
    found = find_snippets(text)
    if not found:
        return None
    folder = f"{workspace.harness}/issue-{secrets.token_hex(8)}"
    job = {"root": workspace.root, "snippets": found, "seconds": seconds, "out": f"{folder}/answer.json"}
    workspace.write(f"{folder}/calls.py", program_source("issue_calls.py"))
    workspace.write(f"{folder}/job.json", json.dumps(job).encode())
    python = '"$(command -v python || echo python3)"'
    script = f"{python} {shlex.quote(folder)}/calls.py {shlex.quote(folder)}/job.json"
    workspace.run(f"(cd {shlex.quote(workspace.scratch)} && {script}) >/dev/null 2>&1", seconds + 10, "issue")
    try:
        return _parse_answer(json.loads(workspace.read(f"{folder}/answer.json", ANSWER_LIMIT)))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, UsageError):
        return None


def _parse_answer(answer: dict[str, list[tuple[object, ...]]]) -> SnippetTrace:
    """Parse the program's answer, which is untrusted because the snippets ran in the same process."""
    functions = [
        CalledFunction(str(path), int(str(line)), str(name), int(str(calls)))
        for path, line, name, calls in answer["functions"]
    ]
    frames = [(str(path), int(str(line)), str(name)) for path, line, name in answer["raised"]]
    return SnippetTrace(tuple(functions), tuple(frames), str(answer["error"])[:500])
