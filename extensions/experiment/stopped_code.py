"""Experiment on code in other languages than Python: if the functions that a patch changes stop at once, a test that
shows the issue must fail."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aci.graph.file_selection import language_of
from aci.observation.activity_message import ActivityMessage
from aci.proof.compiled_tests import inline_regions, is_build_error
from aci.proof.proof_run import ProofRun, passes
from aci.runtime.workspace import Workspace
from aci.testing.suite_run import run_tests

if TYPE_CHECKING:
    from tree_sitter import Node

STOPS = {
    "go": b' if true { go func() { panic("stopped") }(); select {} };',
    "rust": b" extern crate std as stopping_std; if true { stopping_std::process::abort() }",
    "javascript": b" process.abort();",
    "typescript": b" if (Math.PI) (globalThis as any).process.abort();",
    "tsx": b" if (Math.PI) (globalThis as any).process.abort();",
    "java": b" if (true) Runtime.getRuntime().halt(97);",
    "php": b" exit(97);",
}
"""A statement that ends the process, by language, so that no test can expect it as an error; it follows the brace that
opens a function's body."""
FUNCTIONS = frozenset(
    {
        *("function_declaration", "method_declaration", "function_item", "method_definition", "function_expression"),
        *("generator_function_declaration", "generator_function", "arrow_function", "function_definition"),
        *("func_literal", "closure_expression"),
    }
)
LARGEST = 2_000_000
COMMENT = re.compile(rb"//.*|^\s*/?\*.*")
IMPORT = re.compile(rb"import|use\b|use[a-z_:]+;|package|[\"}){(\],;]+$")
"""Lines that belong to no function and that a change of functions may bring along."""


def stop_changed_functions(trial: ProofRun, after: Workspace, tests: Sequence[str]) -> bool | None:
    """Return whether one of the `tests` does not pass if the changed functions end the process; of tests that are not
    built without the patch, whether each of them does not.

    None if there is no such function, if the code does not build with the stops, or if the tests pass but the patch
    changes more than these functions. Without such a function, tests that are not built without the patch count if they
    do not pass with only the names that it declares.
    """
    found = {path: one for path in trial.parts.source if (one := _stopped(trial, path))}
    unbuilt = [test for test in tests if test in trial.unbuilt]
    if not found:
        return True if unbuilt and _need_more_than_names(trial, after, unbuilt) else None
    trial.say(ActivityMessage("Running the tests with the changed functions stopped"))
    stopped = {path: text for path, (text, _) in found.items()}
    after.restore(trial.trees.write(stopped, trial.proved))
    report = run_tests(after, trial.node_command or trial.command, tests, trial.timeout)
    if report.timed_out or is_build_error(report.output.decode("utf-8", "replace")):
        return None
    if unbuilt:
        return not any(passes(report, test) for test in unbuilt)
    is_noticed = not all(passes(report, test) for test in tests)
    is_whole = len(found) == len(trial.parts.source) and all(
        is_only_functions for _, is_only_functions in found.values()
    )
    return True if is_noticed else False if is_whole else None


def _need_more_than_names(trial: ProofRun, after: Workspace, tests: Sequence[str]) -> bool:
    """Return whether none of the tests passes on the base with what the patch declares under new names, such as
    constants and types, and without the rest of the patch."""
    found = {path: text for path in trial.parts.source if (text := _with_new_names(trial, path))}
    if not found:
        return False
    trial.say(ActivityMessage("Running the tests with the names that the patch declares only"))
    after.restore(trial.trees.write(found, trial.without))
    report = run_tests(after, trial.node_command or trial.command, tests, trial.timeout)
    is_built = not report.timed_out and not is_build_error(report.output.decode("utf-8", "replace"))
    return is_built and all((result := report.find(test)) and result.bad for test in tests)


def _with_new_names(trial: ProofRun, path: str) -> bytes | None:
    """Return a changed file of the base with the declarations of new names at its end; None if there are none."""
    from aci.graph.parser import parse_syntax

    if (found := _versions(trial, path)) is None:
        return None
    language, before, after = found
    if before is None:
        return None
    known = {name for node in parse_syntax(language, before).children for name in _declared_names(node)}
    added = [
        node.text or b""
        for node in parse_syntax(language, after).children
        if node.type not in FUNCTIONS
        and not any(_functions(node))
        and (names := set(_declared_names(node)))
        and not names & known
    ]
    return b"\n".join([before, *added, b""]) if added else None


def _declared_names(node: Node, depth: int = 3) -> Iterator[bytes]:
    """Yield the names that a declaration gives to constants, variables and types."""
    name = node.child_by_field_name("name")
    if name is not None and name.text:
        yield name.text
    for child in node.named_children if depth else ():
        yield from _declared_names(child, depth - 1)


def _stopped(trial: ProofRun, path: str) -> tuple[bytes, bool] | None:
    """Return a changed file in which each new or changed function stops, and whether nothing else of it changed; None
    if there is no such function."""
    from aci.graph.parser import parse_syntax

    if (found := _versions(trial, path)) is None:
        return None
    language, before, after = found
    old, new = parse_syntax(language, before or b""), parse_syntax(language, after)
    known = {_own_text(node) for node in _functions(old)}
    tests = inline_regions(path, after)
    places = []
    for node in _functions(new):
        body = node.child_by_field_name("body")
        is_test = any(start <= node.start_byte < end for start, end in tests)
        if body is not None and not is_test and _own_text(node) not in known and (body.text or b"").startswith(b"{"):
            places.append(body.start_byte + 1)
    if not places:
        return None
    pieces, at = [], 0
    for place in sorted(places):
        pieces += [after[at:place], STOPS[language]]
        at = place
    outside = [Counter(_own_text(root).splitlines()) for root in (old, new)]
    return b"".join([*pieces, after[at:]]), not tests and outside[0] == outside[1]


def _versions(trial: ProofRun, path: str) -> tuple[str, bytes | None, bytes] | None:
    """Return the language of a changed file, its text in the base (None if it is new) and with the patch; None if it is
    removed, too large, in another language, or only moved or copied."""
    language, entry = language_of(path), trial.trees.entry(trial.proved, path)
    if language not in STOPS or entry is None:
        return None
    is_new = trial.trees.entry(trial.base, path) is None
    if is_new and entry[1] in {file.id for file in trial.trees.files(trial.base).values()}:
        return None
    before, after = None if is_new else trial.trees.read(trial.base, path), trial.trees.read(trial.proved, path)
    return None if max(len(before or b""), len(after)) > LARGEST else (language, before, after)


def _own_text(node: Node) -> bytes:
    """Return the text of a node without the functions inside it, blanks and comments."""
    text, start = node.text or b"", node.start_byte
    pieces, at = [], 0
    for inner in sorted(_functions(node), key=lambda each: each.start_byte):
        if inner.start_byte - start >= at:
            pieces.append(text[at : inner.start_byte - start])
            at = inner.end_byte - start
    own = b"".join([*pieces, text[at:]])
    lines = (re.sub(rb"\s+", b"", COMMENT.sub(b"", line)) for line in own.splitlines())
    return b"\n".join(line for line in lines if line and not IMPORT.match(line))


def _functions(node: Node) -> Iterator[Node]:
    """Yield the functions in a syntax tree, outer ones first."""
    waiting = [*node.children]
    while waiting:
        each = waiting.pop()
        if each.type in FUNCTIONS:
            yield each
        waiting += each.children
