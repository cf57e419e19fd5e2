"""The contract that no other package compares an action or a tool with the name of a tool."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.base import Toolbox

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("extensions", "agent", "aci", "trajectories")
ALLOWED = {"extensions/papers/answer_blocks.py": "it maps the language of a fenced block to a tool and its argument"}
"""Modules that may look up a tool by name, with the reason."""
NAMES = frozenset(Toolbox().tools)
ABOUT_TOOLS = re.compile(r"tool|action|\bcall\b|\.name\b")
LOOKUPS = {"get", "startswith", "endswith", "index", "count", "pop", "setdefault", "intersection", "issubset"}


def named_tools(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each comparison of a tool, an action or a name with the name of a tool.

    Comparisons are operators, `match`, subscripts and methods such as `get`, each also with a module's collection of
    names.
    """
    tree = ast.parse(source)
    constants = {
        target.id: strings(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                parts: list[ast.AST] = [node.left, *node.comparators]
            case ast.Match():
                parts = [node.subject, *(case.pattern for case in node.cases)]
            case ast.Subscript():
                parts = [node.value, node.slice]
            case ast.Call(func=ast.Attribute(attr=attribute)) if attribute in LOOKUPS:
                parts = [node.func.value, *node.args]
            case _:
                continue
        found = {name for part in parts for name in strings(part, constants)} & NAMES
        if any(ABOUT_TOOLS.search(without_strings(part)) for part in parts):
            yield from ((node.lineno, name) for name in sorted(found))


def strings(node: ast.AST, constants: dict[str, frozenset[str]] | None = None) -> frozenset[str]:
    """Return the string literals in an expression, including those of the module's constants that it names."""
    found: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            found.add(part.value)
        elif isinstance(part, ast.Name) and constants:
            found |= constants.get(part.id, frozenset())
    return frozenset(found)


def without_strings(node: ast.AST) -> str:
    """Return an expression as text, without its string literals."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "", ast.unparse(node))


@pytest.mark.slow
def test_no_other_package_compares_with_name_of_tool() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.relative_to(ROOT).as_posix() not in ALLOWED
        for line, name in named_tools(path.read_text("utf-8"))
    ]
    assert not found, "put what the module must know into `ToolMetadata`"


@pytest.mark.parametrize(
    "source",
    [
        'action.tool == "view"',
        'tool_of(action) in ("shell", "x")',
        'SAFE = frozenset(("view", "undo"))\nmade.name not in SAFE',
        'match action.tool:\n    case "edit" | "undo":\n        pass',
        'match tool_of(action), seen.ok:\n    case "view", True:\n        pass',
        'READ = {"shell": ("command",)}\nREAD.get(action.tool, ())',
        'READ: dict[str, str] = {"shell": "command"}\nREAD[tool]',
        '{"edit": 1}[action.tool]',
    ],
)
def test_comparison_with_name_of_tool_is_found(source: str) -> None:
    assert list(named_tools(source))


@pytest.mark.parametrize(
    "source",
    ['language == "python"', 'Action("edit", {})', 'task.run("view")', 'tool.metadata.result == "file"', "tools[name]"],
)
def test_other_uses_of_names_are_not_found(source: str) -> None:
    assert not list(named_tools(source))
