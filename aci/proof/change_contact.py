"""Check that the reproducing tests run what a Python patch changes.

A test that reads the source, or that tests something else, may turn from red to green without showing that the issue is
solved.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aci.proof.changed_functions import ChangedFile, Function, functions_of, imports_of, without_functions
from aci.repository.python_source import parse

NOTHING = "The patch changes no code."
UNTIED = "The tests that reproduce the issue run nothing that the patch changes, so they do not show that it solves it."


@dataclass(frozen=True, slots=True)
class Contact:
    """What the reproducing tests ran: `lines` of the changed files and (path, name) of `functions`, both without code
    that runs on import. `starts` tells whether they start processes, in which more may run."""

    lines: Mapping[str, frozenset[int]]
    functions: frozenset[tuple[str, str]]
    starts: bool


@dataclass(frozen=True, slots=True)
class ChangedCode:
    """What a patch changes: lines of functions, by path, and whether anything outside of functions.

    `added` are the names of new functions, each with its lines.
    """

    lines: Mapping[str, frozenset[int]]
    added: Mapping[tuple[str, str], frozenset[int]]
    others: bool

    @property
    def is_empty(self) -> bool:
        return not self.others and not any(self.lines.values())


def changed_code(files: Sequence[ChangedFile], others: bool) -> ChangedCode:
    """Return what the patch changes in these files; `others` tells whether it changes files that are not Python."""
    lines: dict[str, frozenset[int]] = {}
    added: dict[tuple[str, str], frozenset[int]] = {}
    for file in files:
        old, new = parse(file.before), parse(file.after)
        if old is None or new is None:
            others = True
            continue
        known, kept, found = functions_of(old), functions_of(new), set[int]()
        for name, function in kept.items():
            if name not in known:
                added[file.path, name] = frozenset(_lines(function.body))
                found |= added[file.path, name]
            elif ast.dump(known[name]) != ast.dump(function):
                found |= _changed_lines(known[name], function)
        moved = not found and (imports_of(old) != imports_of(new) or known.keys() != kept.keys())
        others = others or moved or without_functions(old) != without_functions(new)
        lines[file.path] = frozenset(found)
    return ChangedCode(lines, added, others)


def parse_contact(found: object) -> Contact | None:
    """Return the contact from an answer of the guest, whose form is not trusted."""
    if not isinstance(found, dict) or not isinstance(found.get("lines"), dict):
        return None
    lines = {str(path): frozenset(_numbers(rows)) for path, rows in found["lines"].items()}
    functions = found.get("functions")
    pairs = [one for one in functions if isinstance(one, list) and len(one) == 2] if isinstance(functions, list) else []
    return Contact(lines, frozenset((str(path), str(name)) for path, name in pairs), found.get("starts") is not False)


def _numbers(rows: object) -> list[int]:
    return [row for row in rows if isinstance(row, int)] if isinstance(rows, list) else []


def find_missing_contact(changed: ChangedCode, contact: Contact | None) -> str:
    """Return why the reproducing tests are not tied to the patch, as a sentence; "" if they are, or may be."""
    if changed.is_empty:
        return NOTHING
    if contact is None or contact.starts or touches(changed, contact):
        return ""
    return "" if changed.others and contact.functions else UNTIED


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
        yield text, range(statement.lineno, max(first, statement.lineno + 1))
        for block in nested:
            yield from _statements(block)
