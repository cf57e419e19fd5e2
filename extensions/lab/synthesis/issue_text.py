"""The text of an issue from the failures of tests, without a model: symptom, example, expected and actual result.

The text never names the place of the change, unless the failing test itself calls it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aci.repository.test_files import belongs_to_tests
from aci.testing.suite_results import TestResult
from extensions.lab.synthesis.failing_example import FailingExample, find_example
from extensions.lab.synthesis.failing_statement import ASSERTION_ERRORS
from extensions.lab.synthesis.source_repository import SourceRepository
from extensions.lab.synthesis.syntax_example import find_syntax_example
from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.trees import Trees


@dataclass(frozen=True, slots=True)
class IssueText:
    """The text of an issue with the code of its example, and the file of the test that it comes from."""

    text: str
    code: str
    test: str


NAMES = re.compile(r"\b(NameError|UnboundLocalError)\b:.*")
"""Errors whose message names a variable of the changed function."""
MOST_READ, MOST_EXAMPLES = 40, 2
"""Maximum number of failures that are considered, and of examples in a text."""


def write_issue(
    source: SourceRepository, examples: Sequence[tuple[TestResult, FailingExample]], symbols: Sequence[str]
) -> IssueText | None:
    """Return an issue about the clearest of the examples, and another one if it fails in another way; None if there is
    none, or every text names the place."""
    package = source.name.rpartition("/")[2]
    found: list[IssueText] = []
    first = None
    for failure, example in examples:
        if first and (first[0].error, first[1].subject) == (failure.error, example.subject):
            continue
        text = format_example(example) if first else format_issue(example, failure, package)
        test = _read(source.trees, source.tree, failure.path)
        if not find_leaks(text, symbols, test):
            found.append(IssueText(text, example.code, test))
            first = first or (failure, example)
        if len(found) == MOST_EXAMPLES:
            break
    if not found:
        return None
    return replace(found[0], text="\nAnother example:\n\n".join(one.text for one in found))


def find_examples(trees: Trees, tree: str, failures: Sequence[TestResult]) -> list[tuple[TestResult, FailingExample]]:
    """Return the failures of tests in the tree that have a clear example, the clearest first."""
    found = []
    for failure in map(_in_own_file, failures[:MOST_READ]):
        test = _read(trees, tree, failure.path)
        example = find_syntax_example(failure, test) or find_example(failure, test)
        if example and _is_clear(example):
            found.append((failure, example))
    return sorted(found, key=lambda one: (not one[1].actual, len(one[1].code), one[0].id))


def _is_clear(example: FailingExample) -> bool:
    """Return whether the example can be run and says what is expected; in other languages only the message is known."""
    if example.language != "python":
        return bool(example.expected or example.actual)
    return example.is_complete and bool(example.expected)


def format_issue(example: FailingExample, failure: TestResult, package: str) -> str:
    """Return the text of an issue of the package: a title, the example, and what was expected and happened."""
    about = f"`{example.subject}`" if example.subject else "The example below"
    raised = re.match(r"(\w+)", failure.error)
    wanted = example.expected.removesuffix(" is raised") if example.expected.endswith(" is raised") else ""
    if raised and failure.error not in ASSERTION_ERRORS:
        title = f"{about} raises {raised[1]} instead of {wanted}" if wanted else f"{about} fails with {raised[1]}"
    elif wanted:
        title = f"{about} does not raise {wanted}"
    else:
        title = f"{about} gives a wrong result"
    return f"{title}\n\nTo reproduce with the current version of {package}:\n\n{format_example(example)}"


def format_example(example: FailingExample) -> str:
    """Return the example as Markdown with what was expected and happened."""
    parts = [f"```{example.language}\n{example.code}\n```"]
    if example.expected:
        parts.append(f"Expected:{quote_value(example.expected)}")
    if actual := NAMES.sub(r"\1", example.actual):
        parts.append(f"Actual:{quote_value(actual)}")
    return "\n\n".join(parts) + "\n"


def find_leaks(text: str, symbols: Iterable[str], test: str) -> list[str]:
    """Return the words of the text that name a changed file, class or function and do not occur in the test's file."""
    words: set[str] = set()
    for symbol in symbols:
        path, _, name = symbol.partition(":")
        words |= {path, path.rpartition("/")[2], *name.split(".")}
    known = set(re.findall(r"\w+", test))
    return sorted(
        word
        for word in words - {"", "__init__", "__init__.py"}
        if word not in known and word not in test and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)
    )


def quote_value(value: str) -> str:
    """Return a value as Markdown, with what separates it from its label."""
    if value.endswith("is raised") or value == "no exception":
        return f" {value}"
    return f"\n\n```\n{value}\n```" if "\n" in value or "`" in value else f" `{value}`"


def _in_own_file(failure: TestResult) -> TestResult:
    """Return the failure with the test file that its trace ends in, if the trace does not run through its own file: a
    test file can load others."""
    paths = [frame.partition(":")[0] for frame in failure.trace]
    tests = [path for path in paths if belongs_to_tests(path)]
    return failure if failure.path in paths or not tests else replace(failure, path=tests[-1])


def _read(trees: Trees, tree: str, path: str) -> str:
    try:
        return trees.read(tree, path).decode("utf-8", "replace")
    except (FileNotFoundError, IsADirectoryError, UsageError, RunBroken):
        return ""
