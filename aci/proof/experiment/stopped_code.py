"""Experiment on code in other languages than Python: if the functions that a patch changes stop at once, a test that
shows the issue must fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aci.graph.file_selection import language_of
from aci.observation.activity_message import ActivityMessage
from aci.proof.inline_tests import INLINE, test_regions
from aci.proof.proof_run import ProofRun, passes
from aci.runtime.workspace import Workspace

if TYPE_CHECKING:
    from tree_sitter import Node

STOPS = {
    "go": b' if true { panic("stopped") };',
    "rust": b' if true { panic!("stopped") }',
    "javascript": b' throw new Error("stopped");',
    "typescript": b' if (Date) throw new Error("stopped");',
    "tsx": b' if (Date) throw new Error("stopped");',
    "java": b' if (true) throw new RuntimeException("stopped");',
    "php": b' throw new \\RuntimeException("stopped");',
}
"""A statement that ends a function, by language; it follows the brace that opens the body."""
FUNCTIONS = frozenset(
    {
        *("function_declaration", "method_declaration", "function_item", "method_definition", "function_expression"),
        *("generator_function_declaration", "generator_function", "arrow_function", "function_definition"),
        *("func_literal", "closure_expression"),
    }
)
LARGEST = 2_000_000


def stop_changed_functions(trial: ProofRun, after: Workspace, tests: Sequence[str]) -> bool | None:
    """Return whether one of the `tests` fails if the changed functions stop at once.

    None if there is no such function, or if the code does not build with the stops.
    """
    stopped = {path: text for path in trial.parts.source if (text := _stopped(trial, path)) is not None}
    if not stopped:
        return None
    trial.say(ActivityMessage("Running the tests with the changed functions stopped"))
    report = trial.only(after, tests, trial.trees.write(stopped, trial.proved))
    results = [report.find(test) for test in tests] if report else []
    if not report or not report.results or any(result and result.outcome == "error" for result in results):
        return None
    return not all(passes(report, test) for test in tests)


def _stopped(trial: ProofRun, path: str) -> bytes | None:
    """Return a changed file in which each new or changed function stops; None if there is none."""
    from aci.graph.parser import parse_syntax

    language = language_of(path)
    if language not in STOPS or trial.trees.entry(trial.proved, path) is None:
        return None
    before = trial.trees.read(trial.base, path) if trial.trees.entry(trial.base, path) else b""
    after = trial.trees.read(trial.proved, path)
    if max(len(before), len(after)) > LARGEST:
        return None
    known = {node.text for node in _functions(parse_syntax(language, before))}
    tests = test_regions(after) if path.endswith(INLINE) else []
    places = []
    for node in _functions(parse_syntax(language, after)):
        body = node.child_by_field_name("body")
        is_test = any(start <= node.start_byte < end for start, end in tests)
        if body is None or is_test or node.text in known or not (body.text or b"").startswith(b"{"):
            continue
        if all(inner.text in known for inner in _functions(body)):
            places.append(body.start_byte + 1)
    if not places:
        return None
    pieces, at = [], 0
    for place in sorted(places):
        pieces += [after[at:place], STOPS[language]]
        at = place
    return b"".join([*pieces, after[at:]])


def _functions(node: Node) -> Iterator[Node]:
    """Yield the functions in a syntax tree, outer ones first."""
    waiting = [*node.children]
    while waiting:
        each = waiting.pop()
        if each.type in FUNCTIONS:
            yield each
        waiting += each.children
