"""The whole procedure: run the issue's example, find the statement that fails as reported, reduce, write and run a
test."""

from __future__ import annotations

import ast
import builtins
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aci.runtime.workspace import HARNESS_SESSION
from aci.testing.suite_run import run_tests
from extensions.reproduction.django_set_up import CONNECTION, SET_UP, add_app_labels, create_table, needs_django
from extensions.reproduction.example_run import ExampleRun, StepResult, run_example
from extensions.reproduction.issue_claims import (
    expected_values,
    inline_examples,
    is_expression,
    normalize,
    wanted_errors,
)
from extensions.reproduction.issue_examples import Piece, split_examples
from extensions.reproduction.issue_failures import Failure, find_failures, judge_test
from extensions.reproduction.issue_test import choose_place, expand_stars, render_test, tests_as_written
from extensions.reproduction.missing_imports import find_imports
from extensions.reproduction.step_dependencies import needed_steps
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.repository.file_blobs import Blobs
    from aci.runtime.workspace import Workspace
    from aci.testing.suite_results import TestResult
    from trajectories.records import Issue

SECONDS = 60.0
"""CPU seconds for all runs of the example."""

TEST_SECONDS = 60.0
LEAST_SECONDS = 5.0
"""CPU seconds that a further block of the example needs at least."""
MOST_TRIED = 4
MOST_ROUNDS = 3
UNFINISHED = "The issue's example did not end in time, ended the process, or could not be run."
NOT_OF_REPOSITORY = "The issue's example fails as reported, but does not use the repository."
DEPENDS_ON_FAILED = "The example fails as reported, but depends on a statement that raises another exception."
NO_CODE = "The issue shows no Python code that can be run."


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A failing test for an issue, as the path and the text of a new file, or the reason why there is none.

    `test` is the test's id, `error` how it fails, and `because` what the expectation rests on.
    """

    path: str = ""
    text: str = ""
    test: str = ""
    error: str = ""
    because: str = ""
    reason: str = ""
    cpu: float = 0.0


@dataclass(slots=True)
class _Example:
    """The steps of an example, with the texts that may be their expected values."""

    steps: list[Piece]
    expected: list[list[str]]
    always: tuple[str, ...] = ()
    """Steps that set Django up, define models and create their tables. They are always kept, since the corrected code
    may need them."""

    def texts(self) -> list[str]:
        return [step.text for step in self.steps]

    def add_steps(self, texts: Iterable[str]) -> None:
        """Put steps before the first one that is no import and no set-up."""
        later = (n for n, step in enumerate(self.steps) if not _is_import(step.text) and step.text not in SET_UP)
        self._insert(next(later, len(self.steps)), dict.fromkeys(texts))

    def set_up_django(self) -> None:
        """Add what examples need that use Django without configuring it."""
        if self.always or not needs_django(self.texts()):
            return
        texts, tables = add_app_labels(self.texts())
        self.steps = [replace(step, text=text) for step, text in zip(self.steps, texts, strict=True)]
        for n, model in reversed(tables.items()):
            self._insert(n + 1, [create_table(model)])
        set_up = (*SET_UP, CONNECTION) if tables else SET_UP
        self._insert(0, set_up)
        self.always = (*set_up, *(texts[n] for n in tables), *map(create_table, tables.values()))

    def _insert(self, place: int, texts: Iterable[str]) -> None:
        added = [Piece("step", one) for one in texts]
        self.steps[place:place] = added
        self.expected[place:place] = [[] for _ in added]


class Reproducer:
    """The reproduction of one issue in a workspace; `blobs` are the files of the base."""

    def __init__(self, workspace: Workspace, blobs: Blobs, command: str = "", seconds: float = SECONDS) -> None:
        self.workspace, self.blobs, self.command, self.seconds = workspace, blobs, command, seconds
        self.cpu = 0.0

    def reproduce(self, issue: Issue) -> Reproduction:
        """Return a failing test for the issue, or the reason why there is none. The workspace's files are changed.

        If all code of the issue together shows no failure, each block is tried alone: an earlier one may need something
        that is missing.
        """
        pieces = split_examples(issue.title, issue.body)
        first = self._from_pieces(issue, pieces)
        for block in _separate_blocks(pieces) if first.reason else ():
            if self.seconds - self.cpu < LEAST_SECONDS:
                break
            found = self._from_pieces(issue, block)
            if not found.reason:
                return replace(found, cpu=self.cpu)
        return replace(first, cpu=self.cpu)

    def _from_pieces(self, issue: Issue, pieces: Sequence[Piece]) -> Reproduction:
        example = _example(pieces)
        if not example.steps:
            return Reproduction(reason=NO_CODE)
        if (text := tests_as_written(example.texts())) and (found := self._run_as_written(pieces, text)):
            return found
        wanted = {name for name in wanted_errors(pieces) if not hasattr(builtins, name)}
        ran = self._run_with_imports(example, wanted)
        if not ran.steps:
            return Reproduction(reason=UNFINISHED)
        example.steps = [
            replace(step, text=text)
            for step, text in zip(example.steps, expand_stars(example.texts(), ran.stars or {}), strict=True)
        ]
        failures = find_failures(pieces, example.steps, ran.steps, example.expected)
        reason = "" if failures else _why_none(example, ran)
        for failure in failures[:MOST_TRIED]:
            found = self._test(issue, example, ran.steps, failure)
            if not found.reason:
                return found
            reason = reason or found.reason
        return Reproduction(reason=reason)

    def _run_as_written(self, pieces: Sequence[Piece], text: str) -> Reproduction | None:
        """Run tests that need a runner; return them if some fail, and each of these by its own assertion or as the
        issue reports. They need not use the repository otherwise: it may be the runner, or define their fixtures."""
        path, _ = choose_place(self.blobs, "")
        self.workspace.write(path, text.encode())
        try:
            results = run_tests(self.workspace, self.command, [path], TEST_SECONDS).results
        except UsageError:
            results = ()
        bad = [one for one in results if one.bad]
        reasons = [one.outcome == "failed" and judge_test(pieces, one, path) for one in bad]
        if bad and reasons[0] and all(reasons):
            return Reproduction(path, text, bad[0].id, bad[0].message or bad[0].error, reasons[0])
        self.workspace.run(f"rm -f {shlex.quote(path)}", session=HARNESS_SESSION)
        return None

    def _run_with_imports(self, example: _Example, wanted: set[str]) -> ExampleRun:
        """Run the example; while its names or `wanted` ones are missing, add their imports and run it again."""
        tried: set[str] = set()
        for _ in range(MOST_ROUNDS):
            example.set_up_django()
            ran = self._run(example.texts(), dict(enumerate(example.expected)))
            compared = {str(one["missing"]) for result in ran.steps for one in result.expected if one.get("missing")}
            missing = (_missing_names(example, ran) | ((wanted | compared) - ran.names)) - tried
            imports = find_imports(self.blobs, missing) if missing else {}
            if not imports:
                break
            tried |= missing
            example.add_steps(imports.values())
        return ran

    def _run(
        self,
        steps: Sequence[str],
        expected: Mapping[int, Sequence[str]],
        raises: Sequence[str] = (),
        reduce: Sequence[int] = (),
    ) -> ExampleRun:
        usable = {n: [text if is_expression(text) else "..." for text in texts] for n, texts in expected.items()}
        ran = run_example(self.workspace, steps, usable, max(self.seconds - self.cpu, 1.0), raises, reduce)
        self.cpu += ran.cpu
        return ran

    def _test(self, issue: Issue, example: _Example, results: Sequence[StepResult], failure: Failure) -> Reproduction:
        """Reduce the steps, write the test and run it."""
        needed = [n for n, result in enumerate(results[: failure.step]) if result.kind != "raised"] + [failure.step]
        chosen = [example.steps[n].text for n in needed]
        checked = {len(chosen) - 1: [failure.expected]} if failure.form in ("equals", "is") else {}
        raises = [failure.expected] if failure.form == "raises" else []
        quiet = {at for at, n in enumerate(needed) if results[n].kind == "value" and results[n].shown[:1] == ("None",)}
        removable = set(range(len(chosen))) - needed_steps(chosen, quiet) if failure.form != "ends" else set[int]()
        reduced = self._run(chosen, checked, raises, sorted(removable))
        skips_failed = len(needed) != failure.step + 1
        if skips_failed and reduced.steps[len(chosen) - 1 :] and not _is_same(reduced.steps[-1], results[failure.step]):
            return Reproduction(reason=DEPENDS_ON_FAILED)
        numbers = reduced.kept or range(len(chosen))
        used = [results[needed[n]] for n in sorted(numbers, reverse=True)]
        sources = [path for one in used for path, _ in one.frames[::-1]] + [one.path for one in used if one.path]
        if not sources:
            return Reproduction(reason=NOT_OF_REPOSITORY)
        kept = [step for n, step in enumerate(chosen) if (n in numbers or step in example.always) and step != "pass"]
        if failure.form in ("equals", "is", "raises"):
            kept = _with_needed(chosen, kept, failure.expected)
        path, style = choose_place(self.blobs, sources[0])
        text = render_test(issue.title, kept, failure, style)
        try:
            self.workspace.write(path, text.encode())
            report = run_tests(self.workspace, self.command, [path], TEST_SECONDS)
        except UsageError as error:
            return Reproduction(reason=f"The test cannot be run: {error.message}")
        failed = [one for one in report.results if one.path == path or path in one.id or one.bad]
        if len(failed) != 1 or not _fails_as(failed[0], failure, results[failure.step]):
            how = failed[0].error or failed[0].outcome if failed else "no test was found"
            return Reproduction(reason=f"The example fails as reported, but not as a test in {path} ({how}).")
        return Reproduction(path, text, failed[0].id, failure.today, failure.because)


def _is_same(one: StepResult, other: StepResult) -> bool:
    """Return whether a statement has the same result in two runs of the example."""
    first, second = ([normalize(text) for text in (*each.shown, *each.operands)] for each in (one, other))
    return (one.kind, one.error, first) == (other.kind, other.error, second)


def example_code(issue: Issue) -> list[str]:
    """Return the code of the issue that `Reproducer` runs: the statements of its example, and expressions of expected
    values, which it evaluates."""
    example = _example(split_examples(issue.title, issue.body))
    expected = [text for texts in example.expected for text in texts if is_expression(text)]
    return [*example.texts(), *dict.fromkeys(expected)] if example.steps else []


def _separate_blocks(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Return, for each block of statements of several, the title and the pieces from the end of the block before it to
    the beginning of the next one."""
    numbers = list(dict.fromkeys(piece.block for piece in pieces if piece.kind == "step"))
    places = [[n for n, piece in enumerate(pieces) if piece.kind == "step" and piece.block == one] for one in numbers]
    ends = [-1, *(place[-1] for place in places)]
    starts = [*(place[0] for place in places), len(pieces)]
    blocks = [pieces[max(ends[at] + 1, 1) : starts[at + 1]] for at in range(len(numbers))] if len(numbers) > 1 else []
    return [[*pieces[:1], *block] for block in blocks]


def _example(pieces: Sequence[Piece]) -> _Example:
    found = expected_values(pieces)
    steps = {n: piece for n, piece in enumerate(pieces) if piece.kind == "step"}
    inline = inline_examples(pieces)
    return _Example(
        [*steps.values(), *(Piece("step", call) for call, _ in inline)],
        [*(found.get(n, []) for n in steps), *([value] for _, value in inline)],
    )


def _is_import(text: str) -> bool:
    return text.startswith(("import ", "from "))


def _missing_names(example: _Example, ran: ExampleRun) -> set[str]:
    """Return the names that failing steps use and that nothing defines."""
    found: set[str] = set()
    for step, result in zip(example.steps, ran.steps, strict=False):
        if result.error in ("NameError", "UnboundLocalError") and result.in_example:
            found |= {node.id for node in ast.walk(ast.parse(step.text)) if isinstance(node, ast.Name)}
    stored = {
        node.id
        for step in example.texts()
        for node in ast.walk(ast.parse(step))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return {name for name in found - ran.names - stored if not hasattr(builtins, name)}


def _with_needed(chosen: Sequence[str], kept: Sequence[str], expected: str) -> list[str]:
    """Return the kept steps and the imports of names that only the expected expression uses."""
    used = {node.id for node in ast.walk(ast.parse(expected, mode="eval")) if isinstance(node, ast.Name)}
    return [step for step in chosen if step in kept or (" import " in f" {step}" and used & _bound(step))]


def _bound(step: str) -> set[str]:
    tree = ast.parse(step)
    names = [name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for name in node.names]
    return {name.asname or name.name.partition(".")[0] for name in names}


def _fails_as(seen: TestResult, failure: Failure, result: StepResult) -> bool:
    """Return whether the test fails for the reason that the example showed."""
    if seen.outcome != "failed" or seen.too_long:
        return False
    if result.kind == "raised" and failure.form not in ("asserts", "ends"):
        return seen.error.rpartition(".")[2] == result.error or result.error in seen.message
    return seen.error.rpartition(".")[2] == "AssertionError"


def _why_none(example: _Example, ran: ExampleRun) -> str:
    """Return why no step is a failure that matches the issue."""
    if len(ran.steps) < len(example.steps):
        return UNFINISHED
    raised = [result for result in ran.steps if result.kind == "raised"]
    failed = [result for step, result in zip(example.steps, ran.steps, strict=False) if _is_import(step.text)]
    if broken := next((result for result in failed if result.kind == "raised"), None):
        first = f"{broken.error}: {broken.message}".split("\n")[0][:150]
        return f"An import of the issue's example fails: {first}."
    missing = sorted(_missing_names(example, ran))
    if missing:
        return f"The issue's example needs names that are not found: {', '.join(missing[:5])}."
    if raised:
        first = f"{raised[0].error}: {raised[0].message}".strip(": ").split("\n")[0][:150]
        return f"The issue's example fails with {first}, but the issue does not report it, or asks for another change."
    if any(example.expected):
        return "The issue's example runs, but its results differ from those in the issue, or are already as expected."
    return "The issue's example runs, and the issue does not say which result is expected."
