"""The example in a failing test in another language than Python: its statements or its case, and the message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import dedent
from typing import TYPE_CHECKING

from aci.graph.file_selection import language_of
from aci.graph.parser import node_text, parse_syntax, walk
from aci.testing.suite_results import TestResult
from extensions.lab.synthesis.failing_example import MOST_LINES, FailingExample
from extensions.lab.synthesis.operators.syntax_code import BLOCKS, LANGUAGES

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_MESSAGE, MOST_VALUE, MOST_TITLE = 12, 300, 80
"""Maximum number of lines of a message, and of characters in one of them and in a title."""
STRINGS = ("string", "template_string", "interpreted_string_literal", "raw_string_literal")
CASES = ("object", "array", "literal_value")
DECLARATIONS = (
    "variable_declaration",
    "lexical_declaration",
    "import_statement",
    "const_declaration",
    "var_declaration",
    "short_var_declaration",
)
ASSERTIONS = re.compile(r"(?:assert|expect)\b|.*\b[tb]\.(?:Error|Fatal)f?\(", re.DOTALL)
PLACE = re.compile(r"^\s*[\w./-]+_test\.go:\d+: ?", re.MULTILINE)
STACK = re.compile(r"^(?:goroutine \d|\s+at ).*", re.MULTILINE | re.DOTALL)
RESULTS = (
    re.compile(r"strictly equal:\s+(?P<actual>.+?) !== (?P<expected>.+?)\s*\Z"),
    re.compile(r"^\w*(?:Error)?:? ?(?P<actual>.+?) ===? (?P<expected>.+?)\Z"),
    re.compile(r"expected (?P<actual>.+?) to (?:deeply |strictly |deep |strict )?(?:equal|be) (?P<expected>.+?)\Z"),
    re.compile(r"Expected: (?P<expected>[^\n]+)\n\s*Received: (?P<actual>[^\n]+)"),
)
"""How the assertions of node, chai and jest name both values."""


def find_syntax_example(result: TestResult, source: str) -> FailingExample | None:
    """Return the example in the source of the file of a failed test; None for other languages, and if there is no
    short one."""
    language = language_of(result.path)
    if language not in LANGUAGES:
        return None
    root = parse_syntax(language, source.encode())
    title = result.id.rpartition("::")[2]
    name = re.split(r" > |/", title)[-1]
    nodes = _case(root, name) or _statements(root, result)
    code = _block(nodes)
    if not nodes or len(code.splitlines()) > MOST_LINES:
        return None
    expected, actual = _results(result)
    subject = title if len(title) <= MOST_TITLE else name[:MOST_TITLE]
    is_complete = len(nodes) > 1 or nodes[0].type in CASES
    return FailingExample(code, expected, actual, subject.replace("`", "'"), is_complete, language)


def _case(root: Node, name: str) -> list[Node]:
    """Return the element of a table of cases that holds the name of a test; nothing if there is none or several."""
    found = []
    for node in walk(root, is_named=True):
        if node.type in STRINGS and node_text(node)[1:-1].replace(" ", "_") == name.replace(" ", "_"):
            holder = node.parent
            while holder is not None and holder.type not in CASES and holder.type not in BLOCKS:
                holder = holder.parent
            if holder is not None and holder.type in CASES:
                found.append(holder)
    return found if len(found) == 1 else []


def _statements(root: Node, result: TestResult) -> list[Node]:
    """Return the statements of the test until the failing one that it needs, with the declarations around the test if
    they leave it short."""
    lines = [int(part[1]) for frame in result.trace if (part := frame.split(":"))[0] == result.path]
    line = lines[-1] if lines else result.line
    *outer, block = [root, *_blocks_around(root, line)]
    until = _statements_until(block, line)
    if not until or until[-1].end_point[0] + 1 < line:
        return []
    declared = [
        node
        for one in outer
        for node in _statements_until(one, line)
        if node.type in DECLARATIONS and node.end_point[0] + 1 < line
    ]
    needed, kept = _identifiers(until[-1:]), until[-1:]
    for node in reversed([*declared, *until[:-1]]):
        if _bound(node) & needed and not ASSERTIONS.match(node_text(node)):
            needed |= _identifiers([node])
            kept.insert(0, node)
    is_short = len(_block(kept).splitlines()) <= MOST_LINES
    return kept if is_short else [node for node in kept if node not in declared]


def _blocks_around(root: Node, line: int) -> Iterator[Node]:
    """Yield the bodies of functions around a line that begin before it, outermost first."""
    for node in walk(root, is_named=True):
        body = node.child_by_field_name("body")
        is_function = node.child_by_field_name("parameters") is not None
        if is_function and body is not None and body.type in BLOCKS and _has_line(body, line):
            inner = body.named_children[:1]
            yield inner[0] if inner and inner[0].type in BLOCKS else body


def _statements_until(block: Node, line: int) -> list[Node]:
    return [node for node in block.named_children if node.start_point[0] < line and node.type != "comment"]


def _has_line(node: Node, line: int) -> bool:
    return node.start_point[0] + 1 < line <= node.end_point[0] + 1


def _identifiers(nodes: Sequence[Node]) -> set[str]:
    return {node_text(one) for node in nodes for one in walk(node, is_named=True) if one.type == "identifier"}


def _bound(node: Node) -> set[str]:
    """Return the names that a statement may bind or change: all of them unless it is a declaration."""
    targets = [one.child_by_field_name("name") or one.child_by_field_name("left") for one in walk(node, is_named=True)]
    is_plain = node.type in DECLARATIONS and node.type != "import_statement"
    return _identifiers([one for one in targets if one]) if is_plain else _identifiers([node])


def _results(result: TestResult) -> tuple[str, str]:
    """Return the expected and the actual result; the latter is the whole message if it does not tell them apart."""
    message = STACK.sub("", PLACE.sub("", result.message)).strip()
    for pattern in RESULTS:
        if (found := pattern.search(message)) and len(message) <= 2 * MOST_VALUE:
            return found["expected"].strip(), found["actual"].strip()
    lines = [line[:MOST_VALUE].rstrip() for line in message.splitlines() if line.strip()]
    return "", "\n".join(lines[:MOST_MESSAGE])


def _block(nodes: Sequence[Node]) -> str:
    """Return the text of nodes, one below the other, each without the indentation of its first line."""
    return "\n".join(node_text(node) if _has_long_string(node) else _dedented(node) for node in nodes)


def _has_long_string(node: Node) -> bool:
    """Return whether a string has several lines: their indentation belongs to it."""
    return any(one.type in STRINGS and one.start_point[0] != one.end_point[0] for one in walk(node, is_named=True))


def _dedented(node: Node) -> str:
    text = node_text(node)
    margin = "\t" if "\n\t" in text else " "
    return dedent(margin * node.start_point[1] + text).expandtabs(4)
