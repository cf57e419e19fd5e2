"""A search that continues a template search with a model's fillings of masked code (`extensions/repair/cloze.py`).

It asks only if the role `filler` has a model, and if the templates found no edit or one that is in doubt.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.candidates.role_questions import Question, ask_roles
from extensions.repair.template_search import search_templates
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.engine.task import Task
    from extensions.repair.cloze import Mask
    from trajectories.records import Step

FILLER = "filler"
MOST_TESTS, LONGEST_TESTS, LONGEST_FUNCTION = 3, 4_000, 24_000


def search_fillings(
    task: Task, tests: dict[str, Any], found: dict[str, Any], end: float
) -> Generator[Step, None, dict[str, Any]]:
    """Return the result of a search that also has a model's fillings, or `found` if no one is asked or nothing is
    filled.

    One question is asked for each of the most suspicious functions. The edits that `found` contains are compared with
    the fillings that pass. No question is asked after `end`, which `search_end` returned.
    """
    asked = FILLER in task.turn.settings.roles and bool(found.get("ranked"))
    if not asked or (found["edits"] and not found["doubt"]):
        return found
    if not task.once("time for fillings", lambda: time.monotonic() < end):
        return found
    from extensions.repair.cloze import fillings

    functions = masks_of(partial(task.trees.read, found["tree"]), found["ranked"])
    task.note("phase", "ask for fillings")
    names = enumerate(functions, 1)
    replies = yield from ask_roles(
        task, [Question(f"cloze-{number}", FILLER, _question(task, tests, masks)) for number, masks in names]
    )
    filled = [one for masks, reply in zip(functions, replies, strict=True) for one in fillings(masks, reply)]
    count = sum(map(len, functions))
    task.note("summary", f"{len(filled)} fillings of {count} masks in {len(functions)} functions can be tried.")
    if not filled:
        return found
    task.note("phase", "search among fillings")
    return search_templates(task, tests, end, sorted(filled, key=lambda one: -one.score))


def masks_of(read: Callable[[str], bytes], ranked: Sequence[tuple[str, int, float]]) -> list[list[Mask]]:
    """Return the masks of each suspicious function; they follow from the recorded suspects."""
    from aci.guest.source_encoding import as_utf8
    from extensions.experiment.source.source_file import Source
    from extensions.experiment.source.syntax_trees import UNREADABLE
    from extensions.repair.analysis.suspicious_statements import Suspect
    from extensions.repair.cloze import find_masks

    suspects = [Suspect(path, line, score) for path, line, score in ranked]
    sources = []
    for path in dict.fromkeys(one.path for one in suspects):
        try:
            sources.append(Source(path, as_utf8(read(path))))
        except (FileNotFoundError, IsADirectoryError, UsageError, *UNREADABLE):
            continue
    return find_masks(sources, suspects)


def _question(task: Task, tests: dict[str, Any], masks: Sequence[Mask]) -> str:
    read = partial(task.trees.read, task.tree)
    return task.prompt("cloze", **question_values(masks, task.turn.issue.text, read, tests["failing"]))


def question_values(
    masks: Sequence[Mask], issue: str, read: Callable[[str], bytes], failing: Sequence[str]
) -> dict[str, str]:
    """Return the values of the prompt `cloze` for the masks of a function."""
    from aci.observation.untrusted_text import quote_fully
    from extensions.repair.cloze import FILLINGS, describe_masks, numbered_function

    place = masks[0].place
    assert place.function is not None
    return {
        "function": place.function.qualname,
        "path": quote_fully(place.source.path),
        "issue": quote_fully(issue),
        "tests": quote_fully("\n\n".join(_failing_tests(read, failing))[:LONGEST_TESTS]),
        "source": quote_fully(numbered_function(masks[0], LONGEST_FUNCTION)),
        "masks": quote_fully(describe_masks(masks)),
        "count": str(FILLINGS),
    }


def _failing_tests(read: Callable[[str], bytes], failing: Sequence[str]) -> Iterator[str]:
    """Yield the source of some failing tests, each after its name."""
    from extensions.repair.analysis.literal_hints import failing_test_functions

    for name, functions in failing_test_functions(read, failing)[:MOST_TESTS]:
        yield "\n".join([f"# {name}", *(ast.unparse(one) for one in functions[:1])])
