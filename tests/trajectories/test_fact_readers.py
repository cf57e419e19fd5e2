"""Facts are read by kind and data: no module reads the words of a verdict or a review back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("extensions", "trajectories", "aci", "tools", "agent", "swe_agent")
MIGRATION = "trajectories/migrations.py"
READING = {"match", "search", "fullmatch", "startswith", "endswith"}
WORDS = {"notes", "facts"}


def readers(source: str) -> Iterator[int]:
    """Yield the lines that match the words of notes or facts in a loop over these."""
    if not any(word in source for word in WORDS):
        return
    for loop in ast.walk(ast.parse(source)):
        if isinstance(loop, ast.For):
            pairs = [(loop.target, loop.iter)]
        elif isinstance(loop, ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp):
            pairs = [(part.target, part.iter) for part in loop.generators]
        else:
            continue
        for target, values in pairs:
            if isinstance(target, ast.Name) and _are_words(values):
                yield from (call.lineno for call in ast.walk(loop) if _reads(call, target.id))


def _are_words(values: ast.expr) -> bool:
    """Whether a loop is over `x.notes`, `x.facts` or `x["notes"]`."""
    if isinstance(values, ast.Subscript):
        return isinstance(values.slice, ast.Constant) and values.slice.value in WORDS
    return isinstance(values, ast.Attribute) and values.attr in WORDS


def _reads(call: ast.AST, name: str) -> bool:
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr not in READING:
        return False
    return any(ast.unparse(part) in (name, f"{name}.text") for part in (call.func.value, *call.args))


@pytest.mark.parametrize(
    "line",
    [
        'any(note.startswith("No test ran") for note in verdict.notes)',
        '[note for note in outcome["verdict"]["notes"] if not ROUTINE.match(note)]',
        "for fact in verdict.facts:\n    _SHOWN.search(fact.text)",
    ],
)
def test_reading_of_words_is_found(line: str) -> None:
    assert list(readers(line))


@pytest.mark.parametrize("package", PACKAGES)
def test_words_of_facts_are_not_read(package: str) -> None:
    paths = [path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")]
    found = {path: list(readers((ROOT / path).read_text("utf-8"))) for path in paths if path != MIGRATION}
    assert not {path: lines for path, lines in found.items() if lines}
