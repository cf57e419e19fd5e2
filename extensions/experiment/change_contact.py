"""Contact of the reproducing tests with a Python patch: whether they run what it changes.

A test that reads the source, or that tests something else, may turn from red to green without showing that the issue is
solved.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aci.proof.evidence import is_one_of_modules
from aci.repository.python_source import parse
from extensions.experiment.changed_functions import (
    ChangedFile,
    Function,
    functions_of,
    imports_of,
    names_outside_functions,
    without_functions,
)

LONGEST = 500
RUN_BY_CLASSES = {"__init_subclass__", "__set_name__", "__class_getitem__"}
NOTHING = "The patch changes no code."
UNTIED = "The tests that reproduce the issue run nothing that the patch changes, so they do not show that it solves it."


@dataclass(frozen=True, slots=True)
class Contact:
    """What the reproducing tests ran: `lines` of the changed files and (path, name) of `functions`, both without code
    that runs on import. `elsewhere` tells whether more may run elsewhere: in processes that the tests start. `unseen`
    tells whether a test runs in its suite only. `replaced` are names of Python's library that were replaced; `reads`
    tells whether the files read a test's source. `blind` are tests that pass with other expected values, too; `flaky`
    ones fail sometimes if they are repeated. `inspects` tells whether the tests read source code."""

    lines: Mapping[str, frozenset[int]]
    functions: frozenset[tuple[str, str]]
    elsewhere: bool
    replaced: frozenset[str] = frozenset()
    reads: bool = False
    blind: frozenset[str] = frozenset()
    flaky: frozenset[str] = frozenset()
    inspects: bool = False
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class ChangedCode:
    """What a patch changes: lines of functions, by path.

    `added` are the names of new functions, each with its lines. `outside` are the files in which code outside of
    functions changes. `others` tells whether it changes anything else that may take effect without running these lines:
    other files, heads of functions, functions that are called on import.
    """

    lines: Mapping[str, frozenset[int]]
    added: Mapping[tuple[str, str], frozenset[int]]
    outside: frozenset[str]
    others: bool

    @property
    def is_empty(self) -> bool:
        return not self.others and not self.outside and not any(self.lines.values())


def changed_code(files: Sequence[ChangedFile], others: bool) -> ChangedCode:
    """Return what the patch changes in these files; `others` tells whether it changes files that are not Python."""
    lines: dict[str, frozenset[int]] = {}
    added: dict[tuple[str, str], frozenset[int]] = {}
    outside = set[str]()
    for file in files:
        old, new = parse(file.before), parse(file.after)
        if old is None or new is None:
            others = True
            continue
        known, kept, found = functions_of(old), functions_of(new), set[int]()
        used = names_outside_functions(new)
        for name, function in kept.items():
            if name not in known:
                added[file.path, name] = frozenset(_lines(function.body))
                found |= added[file.path, name]
            elif ast.dump(known[name]) != ast.dump(function):
                found |= _changed_lines(known[name], function)
                others = others or _head(known[name]) != _head(function) or function.name in used | RUN_BY_CLASSES
        moved = not found and imports_of(old) != imports_of(new)
        if moved or known.keys() - kept.keys() or without_functions(old) != without_functions(new):
            outside.add(file.path)
        lines[file.path] = frozenset(found)
    return ChangedCode(lines, added, frozenset(outside), others)


def parse_contact(found: object) -> Contact | None:
    """Return the contact from an answer of the guest, whose form is not trusted."""
    if not isinstance(found, dict) or not isinstance(found.get("lines"), dict):
        return None
    lines = {str(path): frozenset(_numbers(numbers)) for path, numbers in found["lines"].items()}
    rows = found.get("functions")
    pairs = [one for one in rows if isinstance(one, list) and len(one) == 2] if isinstance(rows, list) else []
    replaced, blind, flaky = (_texts(found.get(name)) for name in ("replaced", "blind", "flaky"))
    functions = frozenset((str(path), str(name)) for path, name in pairs)
    elsewhere = found.get("elsewhere") is not False
    reads, inspects, unseen = (found.get(name) is True for name in ("reads", "inspects", "unseen"))
    return Contact(lines, functions, elsewhere, replaced, reads, blind, flaky, inspects, unseen)


def _texts(rows: object) -> frozenset[str]:
    return frozenset(str(row)[:LONGEST] for row in rows) if isinstance(rows, list) else frozenset()


def _numbers(rows: object) -> list[int]:
    return [row for row in rows if isinstance(row, int)] if isinstance(rows, list) else []


def find_missing_contact(changed: ChangedCode, contact: Contact | None, imported: set[str]) -> str:
    """Return why the reproducing tests are not tied to the patch, as a sentence; "" if they are, or may be.

    `imported` are the dotted names that the tests' files import.
    """
    if contact is None or contact.elsewhere or touches(changed, contact):
        return ""
    if any(is_one_of_modules(path, imported) for path in changed.outside):
        return ""
    return "" if (changed.others or changed.outside) and contact.functions else UNTIED


def touches(changed: ChangedCode, contact: Contact) -> bool:
    """Whether a changed line of a function ran."""
    return any(contact.lines.get(path, frozenset()) & lines for path, lines in changed.lines.items())


def _changed_lines(old: Function, new: Function) -> set[int]:
    """Return the lines of the new statements; those of the whole function if it only loses or moves statements."""
    before = Counter(text for text, _ in _statements(old.body))
    found = set[int]()
    for text, lines in _statements(new.body):
        before[text] -= 1
        if before[text] < 0:
            found.update(lines)
    return found or set(_lines(new.body))


def _head(function: Function) -> list[str]:
    """Return what takes effect without a call: decorators, parameters, annotations and the docstring."""
    parts = [*function.decorator_list, function.args, *([function.returns] if function.returns else [])]
    return [ast.get_docstring(function, clean=False) or "", *map(ast.dump, parts)]


def _lines(body: Sequence[ast.stmt]) -> range:
    return range(body[0].lineno, (body[-1].end_lineno or body[-1].lineno) + 1)


def _statements(body: Sequence[ast.stmt]) -> Iterator[tuple[str, range]]:
    """Yield each statement as text, with its lines; only the head of a compound statement."""
    for statement in body:
        blocks = [block for name in ("body", "orelse", "finalbody") if (block := getattr(statement, name, None))]
        inner = [*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]
        nested = [*blocks, *(one.body for one in inner)]
        inside = {id(node) for block in nested for node in block} | {id(one) for one in inner}
        head = [ast.dump(node) for node in ast.iter_child_nodes(statement) if id(node) not in inside]
        heads = [ast.dump(node) for one in inner for node in ast.iter_child_nodes(one) if id(node) not in inside]
        first = min((block[0].lineno for block in nested), default=(statement.end_lineno or statement.lineno) + 1)
        text = f"{type(statement).__name__} {head} {heads}" if nested else ast.dump(statement)
        yield text, range(0) if _has_no_line(statement) else range(statement.lineno, max(first, statement.lineno + 1))
        for block in nested:
            yield from _statements(block)


def _has_no_line(statement: ast.stmt) -> bool:
    """Whether Python reports no line for this statement, so that it is not seen to run."""
    return (
        isinstance(statement, ast.Global | ast.Nonlocal)
        or (isinstance(statement, ast.AnnAssign) and statement.value is None)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    )
