"""The examples in an issue: statements with the output that the issue shows for them, and the text around them."""

from __future__ import annotations

import ast
import re
import shlex
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

from aci.issue_text.issue_snippets import LONGEST, find_unfenced_code

_FENCE = re.compile(r"[ \t]*(?:>[ \t]*)?(?:```+|~~~+)[ \t]*\{?\.?(?P<tag>[\w-]*)(?P<more>.*)")
_NOT_PYTHON = re.compile(r"(?:sh|shell|bash|console|js|json|html|xml|yaml|yml|toml|ini|diff|sql|text|txt|c|cpp)$")
_PROMPT = re.compile(r"^[ \t]*>>> ?", re.MULTILINE)
_TYPED = re.compile(r"(?P<indent>[ \t]*)(?P<prompt>>>>|\.{3,}) ?(?P<code>.*)")
_COMMAND = re.compile(
    r"^[ \t]*(?:[$%#>][ \t]*)?(?:\w+=\S+ )*(?:python|py)[\d.]* (?:-[A-Zbdiqsuvx]+(?: \w+)? )*-c ", re.MULTILINE
)
_CELL = re.compile(r"^[ \t]*In ?\[\d*\]: ?", re.MULTILINE)
_CELL_OUTPUT = re.compile(r"^[ \t]*Out ?\[\d*\]: ?", re.MULTILINE)
_CONTINUED = re.compile(r"^[ \t]*\.{3,}: ?", re.MULTILINE)
_COMMENT = re.compile(r"\s#\s*(.+)$")
_OUTPUT_FOLLOWS = re.compile(
    r"(?:returns?|returned|gives?|outputs?|prints?|yields?|produces?|results?|get|got|behaviou?r)\W*$", re.IGNORECASE
)
"""Matches prose before a block that shows a value."""
MOST_STEPS = 80
MOST_OPEN = 60
"""Maximum number of lines of a statement that is followed without prompts, and of a quoted command."""

Kind = Literal["step", "output", "words"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an issue's text: a statement (`step`), a block without code (`output`), or prose (`words`).

    `shown` is the output below a statement, `comment` the comment behind it, and `block` the number of the
    code block. `aloud` tells whether the statement was typed at a prompt, which shows values.
    """

    kind: Kind
    text: str
    shown: str = ""
    comment: str = ""
    block: int = 0
    aloud: bool = False


def split_examples(title: str, body: str) -> list[Piece]:
    """Return the pieces of an issue in order. Statements that do not compile are part of the prose."""
    body = body.replace("\r\n", "\n")[: 4 * LONGEST]
    found: list[Piece] = [Piece("words", title)]
    for number, (tag, text) in enumerate(_blocks(body)):
        found += _pieces_of(tag, text, number, found[-1].text if found[-1].kind == "words" else "")
    if not any(piece.kind == "step" for piece in found):
        found = [*_unfenced(body), *found]
    return found[: 4 * MOST_STEPS]


def _unfenced(body: str) -> list[Piece]:
    """Return the steps of code that is not marked as code."""
    return [step for code in find_unfenced_code(body.splitlines()) for step in _statements(code, 0)]


def _blocks(body: str) -> Iterator[tuple[str | None, str]]:
    """Yield the tag and text of each block, and None with the prose between blocks; an unclosed block is prose."""
    prose: list[str] = []
    block: list[str] | None = None
    tag = ""
    for line in body.splitlines():
        fence = _FENCE.match(line)
        if block is None and fence:
            tag, block = fence["tag"], []
        elif block is not None and fence and not (fence["tag"] or fence["more"].strip()):
            yield None, "\n".join(prose)
            yield tag, textwrap.dedent("\n".join(block))
            block, prose = None, []
        elif block is not None:
            block.append(line)
        else:
            prose.append(line)
    yield None, "\n".join([*prose, *(block or ())])


def _pieces_of(tag: str | None, text: str, number: int, before: str) -> list[Piece]:
    """Return the pieces of a block or of the prose between blocks; `before` is the text of the piece before."""
    if _PROMPT.search(text):
        return _session(text, number, tag is None)
    if _CELL.search(text):
        return _cells(text, number)
    if tag is not None and _COMMAND.search(text):
        return _commands(text, number)
    if tag is None:
        return _prose(text, number)
    if not text.strip():
        return []
    steps = [] if _NOT_PYTHON.match(tag.lower()) else _statements(text, number)
    is_output = len(steps) == 1 and _OUTPUT_FOLLOWS.search(before) and isinstance(_first(steps[0].text), ast.Expr)
    return steps if _is_code(steps) and not is_output else [Piece("output", text.strip("\n"), block=number)]


def _prose(text: str, number: int) -> list[Piece]:
    """Return prose as words, and its indented blocks as code or output."""
    found: list[Piece] = []
    for part in re.split(r"((?:(?<=\n\n)|\A\n?)(?:(?: {4}|\t).*(?:\n|\Z)|[ \t]*\n(?= {4}|\t))+)", text):
        if not part.strip():
            continue
        steps = _statements(textwrap.dedent(part), number) if part.startswith(("    ", "\t")) else []
        found += steps if _is_code(steps) else [Piece("words", part.strip("\n"))]
    return found


def _is_code(steps: list[Piece]) -> bool:
    """Return whether statements do something; a block of values or a single name is output."""
    trees = [ast.parse(step.text) for step in steps]
    kinds = ast.Call | ast.Import | ast.ImportFrom | ast.Assert | ast.Assign | ast.FunctionDef
    plain = [tree for tree in trees if not isinstance(tree.body[0], ast.Expr)]
    called = [node for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)]
    return (bool(plain or len(trees) > 1 or any(step.comment for step in steps)) and bool(called)) or _is_call(trees)


def _first(code: str) -> ast.stmt:
    return ast.parse(code).body[0]


def _is_call(trees: list[ast.Module]) -> bool:
    shown = [tree.body[0].value for tree in trees if isinstance(tree.body[0], ast.Expr)]
    return any(isinstance(node, ast.Call | ast.Compare) for node in shown)


def _session(text: str, number: int, is_prose: bool) -> list[Piece]:
    """Return the statements of an interactive session with their output; `is_prose` if there may be words between."""
    import doctest  # the import takes a tenth of a second

    try:
        parts = doctest.DocTestParser().parse(textwrap.dedent("\n".join(_regular_prompts(text))))
    except ValueError:  # the prompts are indented inconsistently
        return [Piece("words" if is_prose else "output", text)]
    found: list[Piece] = []
    for part in parts:
        if isinstance(part, str):
            if part.strip():
                found.append(Piece("words", part.strip("\n")))
            continue
        steps = _statements(part.source, number, aloud=True)
        if steps:
            shown = part.want.rstrip("\n") or (part.exc_msg or "").strip()
            steps[-1] = replace(steps[-1], shown=shown)
        found += steps
    return found


def _regular_prompts(text: str) -> Iterator[str]:
    """Yield the lines of a session with a blank after each prompt, and with one before each line of a string or bracket
    that is open."""
    code, indent = "", ""
    for line in text.split("\n"):
        typed = _TYPED.match(line)
        if typed and (typed["prompt"] == ">>>" or code):
            indent = typed["indent"]
            code = typed["code"] if typed["prompt"] == ">>>" else f"{code}\n{typed['code']}"
            yield f"{indent}{typed['prompt'][:3]} {typed['code']}"
        elif code.count("\n") < MOST_OPEN and _is_open(code):
            code += f"\n{line}"
            yield f"{indent}... {line}"
        else:
            code = ""
            yield line


def _is_open(code: str) -> bool:
    """Return whether code ends within a string or a bracket."""
    if not code:
        return False
    try:
        ast.parse(code)
    except SyntaxError as error:
        return "unterminated triple-quoted" in str(error.msg) or "was never closed" in str(error.msg)
    except (ValueError, RecursionError, MemoryError):
        pass
    return False


def _commands(text: str, number: int) -> list[Piece]:
    """Return the statements of the commands `python -c CODE` of a block, with the output below each."""
    found: list[Piece] = []
    lines, n = text.split("\n"), 0
    while n < len(lines):
        steps, after = [], n + 1
        if _COMMAND.match(lines[n]):
            for end in range(n + 1, min(len(lines), n + MOST_OPEN) + 1):
                with suppress(ValueError, IndexError):  # a quotation is not closed yet, or there is no code
                    words = shlex.split("\n".join(lines[n:end]))
                    steps, after = _statements(words[words.index("-c") + 1], number), end
                    break
        if not steps:
            found.append(Piece("output", lines[n], block=number))
            n += 1
            continue
        shown = list(takewhile(lambda line: not re.match(r"[ \t]*[$%] ", line), lines[after:]))
        if any(map(_COMMAND.match, shown)):
            shown = list(takewhile(lambda line: not _COMMAND.match(line), shown))
        found += [*steps[:-1], replace(steps[-1], shown="\n".join(shown).strip())]
        n = after + len(shown)
    return found


def _cells(text: str, number: int) -> list[Piece]:
    """Return the statements of IPython's cells with their output."""
    found: list[Piece] = []
    before, *cells = _CELL.split(text)
    if before.strip():
        found.append(Piece("words", before.strip()))
    for cell in cells:
        source, shown, after = _split_cell(cell)
        steps = _statements(source, number, aloud=True)
        if steps:
            steps[-1] = replace(steps[-1], shown=shown)
            found += steps
        words = after if steps else cell
        found += [Piece("words", words.strip())] if words.strip() else []
    return found


def _split_cell(cell: str) -> tuple[str, str, str]:
    """Split a cell into its input, its output and what follows the output after a blank line.

    The input's further lines begin with dots or are indented. A traceback is output as a whole.
    """
    lines = cell.split("\n")
    end = 1
    while end < len(lines) and (_CONTINUED.match(lines[end]) or lines[end].startswith("    ")):
        end += 1
    source = "\n".join([lines[0].strip(), textwrap.dedent(_CONTINUED.sub("", "\n".join(lines[1:end])))])
    output = _CELL_OUTPUT.sub("", "\n".join(lines[end:]).strip("\n"))
    if "Error" in output:
        return source, output.strip(), ""
    shown, _, after = output.strip().partition("\n\n")
    return source, shown, after


def _statements(code: str, number: int, aloud: bool = False) -> list[Piece]:
    """Return the statements of a block of code, with the comments behind or below them; nothing if it has errors."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    lines, found = code.split("\n"), []
    for n, node in enumerate(body):
        start = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        end, following = node.end_lineno or start, body[n + 1].lineno if n + 1 < len(body) else len(lines) + 1
        comment = _COMMENT.search(_tail(lines[end - 1], node))
        below = [line.strip(" \t#") for line in lines[end : following - 1] if line.lstrip().startswith("#")]
        source = "\n".join(lines[start - 1 : end]) if _own_lines(body, n) else ast.unparse(node)
        source = _without_comment(source, node)
        found += _opened(node, Piece("step", source, "", comment[1] if comment else " ".join(below), number, aloud))
    return found[:MOST_STEPS]


def _tail(line: str, node: ast.stmt) -> str:
    """Return the rest of a statement's last line, which may be a comment."""
    return line.encode()[node.end_col_offset or 0 :].decode("utf-8", "replace")


def _without_comment(source: str, node: ast.stmt) -> str:
    lines = source.split("\n")
    if node.end_lineno and len(lines) > 0 and "#" in lines[-1]:
        lines[-1] = lines[-1].encode()[: node.end_col_offset].decode("utf-8", "replace")
    return "\n".join(lines).rstrip("; ")


def _own_lines(body: list[ast.stmt], n: int) -> bool:
    """Return whether a statement shares no line with its neighbours."""
    before = body[n - 1].end_lineno if n else 0
    after = body[n + 1].lineno if n + 1 < len(body) else None
    return before != body[n].lineno and after != body[n].end_lineno


def _opened(node: ast.stmt, piece: Piece) -> list[Piece]:
    """Return the statements of a test function or of a main block, or the statement itself, with one that runs it if it
    is a class of tests."""
    if isinstance(node, ast.ClassDef) and _is_test_case(node):
        run = f"unittest.defaultTestLoader.loadTestsFromTestCase({node.name}).debug()"
        return [Piece("step", "import unittest", block=piece.block), piece, replace(piece, text=run, aloud=False)]
    if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
        return _body(node, piece)
    if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test"):
        return [piece]
    if node.args.args or node.decorator_list or any(isinstance(one, ast.Return | ast.Yield) for one in ast.walk(node)):
        return [piece]
    return _body(node, piece)


def _body(node: ast.If | ast.FunctionDef, piece: Piece) -> list[Piece]:
    """Return the statements of a block with their comments, or without them if its lines cannot be dedented."""
    code = textwrap.dedent("\n".join(piece.text.split("\n")[node.body[0].lineno - node.lineno :]))
    plain = "\n".join(map(ast.unparse, node.body))
    steps = _statements(code, piece.block)
    if not steps or "\n".join(map(ast.unparse, ast.parse(code).body)) != plain:
        steps = _statements(plain, piece.block)
    return [*steps[:-1], *(replace(last, comment=last.comment or piece.comment) for last in steps[-1:])]


def _is_test_case(node: ast.ClassDef) -> bool:
    """Return whether a class has tests that `TestCase.debug()` runs as a runner does: it ignores expectedFailure."""
    has_tests = any(isinstance(one, ast.FunctionDef) and one.name.startswith("test") for one in node.body)
    decorators = [each for one in (node, *node.body) for each in getattr(one, "decorator_list", ())]
    is_plain = not any("expectedFailure" in ast.unparse(one) for one in decorators)
    return has_tests and is_plain and any(ast.unparse(base).endswith("TestCase") for base in node.bases)
