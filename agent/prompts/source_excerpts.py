"""Excerpts of files in the first request: likely functions, definitions that often change with them, and the head of
the nearest test file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aci.graph.file_outline import find_definitions
from aci.observation.output_text import cut, cut_lines
from aci.repository.python_source import Definition

MAX_SIBLINGS, MAX_SIBLING_LINES = 2, 15
MAX_IMPORTS, MAX_IMPORT_CHARACTERS = 6, 80
MAX_TEST_LINES = 7
OPERATOR = re.compile(
    r"__(?:[ri](?=(?:add|sub|mul|matmul|truediv|floordiv|mod|divmod|pow|[lr]shift|and|x?or)__))?(\w+)__"
)
DOCSTRING = re.compile(r"(?s)\A(.*?:[ \t]*\n)[ \t]*[rR]?(\"\"\"|''').*?\2[ \t]*(?=\n)")
IMPORT = re.compile(
    r"(?m)^(?:from|import|package|use|using|require|#include|(?:const|let|var)\b[^\n=]*=\s*require)\b"
    r"[^\n({]*(?:[({][^)}]*[)}])?[^\n]*"
)
FIRST_TEST = re.compile(
    r"(?m)^[ \t]*(?:(?:async )?def test|(?:test|it|describe)[ (]|func Test|#\[test\]|@Test\b|public function test)"
)


def find_siblings(path: str, text: str, name: str) -> list[Definition]:
    """Return the short definitions of a file that often change with the function `name`: the operator's other forms in
    its class (`__radd__` for `__add__`), and functions of the same name, such as the inherited one.
    """
    holder, _, bare = name.rpartition(".")
    found = find_definitions(path, text)

    def is_sibling(other: Definition) -> bool:
        other_holder, _, other_bare = other.name.rpartition(".")
        if other.kind == "class" or other.name == name or other.end - other.line >= MAX_SIBLING_LINES:
            return False
        forms = OPERATOR.fullmatch(bare), OPERATOR.fullmatch(other_bare)
        is_form = other_holder == holder and forms[0] and forms[1] and forms[0][1] == forms[1][1]
        return bool(is_form) or (other_bare == bare and bare not in ("__init__", "constructor"))

    return [one for one in found if is_sibling(one)][:MAX_SIBLINGS]


def without_docstring(excerpt: str) -> str:
    """Return a numbered excerpt of Python without the definition's docstring."""
    numbers = [line.partition("\t") for line in excerpt.split("\n")]
    code = "\n".join(line for _, _, line in numbers)
    if not (found := DOCSTRING.match(code)):
        return excerpt
    first, last = found[1].count("\n"), code[: found.end()].count("\n")
    return "\n".join("".join(parts) for parts in (*numbers[:first], *numbers[last + 1 :]))


def first_test_excerpt(text: str) -> str:
    """Return a test file's imports and the first lines of its first test; "" if it has no test."""
    found = FIRST_TEST.search(text)
    if not found:
        return ""
    imports = [
        cut(" ".join(each[0].split()), MAX_IMPORT_CHARACTERS) for each in IMPORT.finditer(text, 0, found.start())
    ]
    lines = text[found.start() :].lstrip("\n").split("\n")[:MAX_TEST_LINES]
    return "\n".join([*imports[:MAX_IMPORTS], "…", *_until_blank(lines), "…"])


def _until_blank(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.strip():
            return
        yield cut_lines(line)
