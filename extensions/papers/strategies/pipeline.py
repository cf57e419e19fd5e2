"""A fixed pipeline without an agent: the model selects files, then code elements, then writes tests and patches as
plain text; a vote chooses among the patches that pass the filters."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from aci.graph.file_outline import parse_symbols
from aci.graph.file_selection import exclusion_reason
from aci.graph.outline import FUNCTION
from aci.observation.untrusted_text import quote_text
from aci.repository.test_files import is_test
from agent.candidates.candidate_selection import adopt_candidate, rank_candidates
from agent.candidates.cross_test_matrix import Matrix, run_cross_tests
from agent.candidates.diverse_attempts import Candidate, attempts
from agent.candidates.patch_deduplication import deduplicate
from agent.candidates.role_questions import Question, ask_roles
from agent.phases.user_reproduction import given_tests
from agent.prompts.answer_parser import lines_of, parse_edits, parse_names
from agent.prompts.opening_prompt import likely_sources, places
from agent.prompts.quotation import framed_issue
from agent.prompts.test_command_prompt import describe_tests, near_files, nearest_test_files, search_tree
from agent.run_state.attempt_outcome import Outcome
from extensions.papers.answer_blocks import parse_file
from trajectories.git_store.packs import is_plain
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.parallel_attempts import Attempt
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
MAY_ASK = ("localizer", "tester", "editor")
SOURCE = "Agentless (arXiv 2407.01489), SWE-Fixer (arXiv 2501.05040), Co-PatcheR (arXiv 2505.18955)"
WHEN = "the cost must be small and known in advance, or the model is bad at calling tools"
MOST_FILES, MOST_ELEMENTS, MOST_LISTED = 5, 12, 400
MOST_CODE = 40_000
"""Maximum number of characters of code shown to the model."""
MODULE = "(module)"
LONGEST_SIGNATURE = 120
MOST_HEAD, MOST_EXAMPLE = 60, 60
"""Maximum number of lines of a file's head (the lines before its first definition), which is left out if longer, and of
the example from a test file."""
OFFERED = 10
"""Number of `locate`'s best files that are put first in the list for the model."""


class Element(NamedTuple):
    """A range of lines of a file that has a name: a function, class or method, or the file's head."""

    path: str
    first: int
    last: int
    signature: str = ""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask for the files, then for the elements, then for tests and `attempts` patches; then filter the patches and
    vote."""
    given = yield from given_tests(task)
    task.note("phase", "files")
    found = yield from _files(task)
    task.note("phase", "elements")
    shown = yield from _elements(task, found)
    task.note("phase", "tests")
    tests = [] if given else (yield from _tests(task, shown))
    task.note("phase", "patches")
    planned = [_patch(task, f"patch-{at + 1}", shown, at, tests, given) for at in range(task.turn.settings.attempts)]
    candidates = yield from attempts(task, planned)
    task.note("phase", "vote")
    known = deduplicate(task, candidates)
    if not known:
        return Outcome(task.branch.start, Verdict())
    matrix = run_cross_tests(task, known, authors=candidates)
    chosen = _most_voted(task, known, matrix)
    return (yield from adopt_candidate(task, chosen, matrix))


def _files(task: Task) -> Generator[Step, None, list[str]]:
    """Return the files to inspect: the model's choice, then the best files of `locate`."""
    likely = likely_sources(task.branch)[:OFFERED]
    files = task.trees.files(search_tree(task.turn, task.trees))
    every = [path for path, entry in files.items() if not exclusion_reason(path, entry.mode) and not is_test(path)]
    listed = "\n".join(dict.fromkeys([*likely, *every[:MOST_LISTED]]))
    words = f"{framed_issue(task.turn.issue)}\n\n{task.prompt('files', files=quote_text(listed))}"
    [said] = yield from ask_roles(task, [Question("files", "localizer", words)])
    chosen = parse_names(said, set(every), MOST_FILES)
    task.note("summary", f"Files: {', '.join(chosen) or 'none named'}")
    return list(dict.fromkeys([*chosen, *likely]))[:MOST_FILES]


def _elements(task: Task, files: Sequence[str]) -> Generator[Step, None, str]:
    """Return the code of the elements that the model names, or of the likeliest places if it names none."""
    texts = {path: task.trees.read(task.turn.base.tree, path).decode("utf-8", "replace") for path in files}
    elements = {name: found for path, text in texts.items() for name, found in find_elements(path, text).items()}
    lines = [f"{name}  {found[0].signature}".rstrip() for name, found in elements.items()]
    listed = quote_text("\n".join(lines[:MOST_LISTED]))
    words = f"{framed_issue(task.turn.issue)}\n\n{task.prompt('elements', elements=listed)}"
    [said] = yield from ask_roles(task, [Question("elements", "localizer", words)])
    chosen = parse_names(said, elements, MOST_ELEMENTS)
    task.note("summary", f"Elements: {', '.join(chosen) or 'none named'}")
    likely = [_element_name(one["path"], one["name"]) for one in places(task.branch)["functions"]]
    chosen = chosen or [name for name in likely if name in elements][:MOST_ELEMENTS]
    shown = [_excerpt(texts[one.path], one) for one in _sort_elements(chosen, elements, list(texts))]
    text = "\n\n".join(shown) or "\n\n".join(_excerpt(text, Element(path, 1, 400)) for path, text in texts.items())
    return quote_text(text[:MOST_CODE])


def _sort_elements(
    chosen: Sequence[str], elements: Mapping[str, Sequence[Element]], files: Sequence[str]
) -> list[Element]:
    """Return the chosen elements without those inside another one, sorted by their position in the files, together
    with the heads of these files (the imports)."""
    named = [one for name in chosen for one in elements[name]]
    heads = [head for one in named for head in elements.get(_element_name(one.path, MODULE), ())]
    known = {*named, *(head for head in heads if head.last - head.first < MOST_HEAD)}
    whole = [
        one
        for one in known
        if not any(
            one.path == other.path
            and other.first <= one.first
            and one.last <= other.last
            and (other.first, other.last) != (one.first, one.last)
            for other in known
        )
    ]
    return sorted(whole, key=lambda one: (files.index(one.path), one.first))


def find_elements(path: str, text: str) -> dict[str, list[Element]]:
    """Return a file's functions, classes and methods and its head, as `path:name`, in any language of the code graph.

    Definitions inside functions are left out. A name has several elements if it is overloaded.
    """
    symbols = parse_symbols(path, text)
    inner = set()
    for number, one in enumerate(symbols):
        if one.parent in inner or (one.parent >= 0 and symbols[one.parent].kind == FUNCTION):
            inner.add(number)
    found: dict[str, list[Element]] = {}
    for number, one in enumerate(symbols):
        if number not in inner:
            element = Element(path, one.line, one.end, one.signature[:LONGEST_SIGNATURE])
            found.setdefault(_element_name(path, one.name), []).append(element)
    first = min((one.line for one in symbols), default=len(lines_of(text)) + 1)
    return found | ({_element_name(path, MODULE): [Element(path, 1, first - 1)]} if first > 1 else {})


def _element_name(path: str, name: str) -> str:
    """Return the name of an element without spaces (`operator ==` of C++), as the answer's parser reads it."""
    return f"{path}:{''.join(name.split())}"


def _excerpt(text: str, one: Element) -> str:
    lines = lines_of(text)[one.first - 1 : one.last]
    return f"{one.path}, from line {one.first}:\n" + "\n".join(lines)


def _tests(task: Task, shown: str) -> Generator[Step, None, list[tuple[str, str]]]:
    """Return different test files for the issue; the filters decide later which of them count."""
    how, example = task.once("how tests are", lambda: _test_example(task))
    words = f"{framed_issue(task.turn.issue)}\n\n{task.prompt('test', code=shown, how=how, manner=quote_text(example))}"
    count = max(1, task.turn.settings.attempts // 2 + 1)
    questions = [Question(f"test-{at + 1}", "tester", words, None if not at else 0.8) for at in range(count)]
    answers = yield from ask_roles(task, questions)
    taken = set(task.trees.files(task.turn.base.tree))
    found: dict[str, str] = {}
    for said in answers:
        named = parse_file(said)
        if named and _is_allowed(task, named[0]) and named[1] not in found.values():
            folder, _, name = named[0].rpartition("/")
            stem = f"{folder}/" if folder else ""
            free = (path for path in (named[0], *(f"{stem}test_issue_{n}_{name}" for n in range(99))))
            path = next(path for path in free if path not in taken | found.keys())
            found[path] = named[1]
    task.note("summary", f"{len(found)} different tests for the issue")
    return list(found.items())


def _test_example(task: Task) -> tuple[str, str]:
    """Return how tests are run and where they are, and the head of the test file nearest to the likeliest places."""
    found = places(task.branch)
    near = next((path for path in nearest_test_files(task.turn, task.trees, found) if path.isprintable()), "")
    text = task.trees.read(task.turn.base.tree, near).decode("utf-8", "replace") if near else "(there is none)"
    return describe_tests(task.branch, near_files(task.branch, found)), "\n".join(
        [near, *lines_of(text)[:MOST_EXAMPLE]]
    )


def _is_allowed(task: Task, path: str) -> bool:
    """Return whether a test may be written to this path."""
    return is_test(path) and is_plain(path) and not task.branch.scope.outside([path])


def _patch(
    task: Task, name: str, shown: str, number: int, tests: Sequence[tuple[str, str]], given: Sequence[str]
) -> Attempt:
    """Return an attempt that writes one of the tests, makes a patch in a single reply, and then proves it."""
    likely = likely_sources(task.branch)
    path, text = tests[number % len(tests)] if tests else ("", "")
    shows = task.prompt("shows", path=path or ", ".join(given), test=quote_text(text)) if tests or given else ""
    words = "\n\n".join(filter(None, [framed_issue(task.turn.issue), shows, task.prompt("patch", code=shown)]))

    def solve(own: Task) -> Generator[Step, None, Outcome]:
        own.branch.role, own.branch.temperature = "editor", None if not number else 0.8
        yield own.say(words)
        if tests:
            yield own.adopt(own.trees.write({path: text.encode()}, own.tree), f"{path} was written.", "tester")
        reply = own.ask(tools=False)
        actions = parse_edits(reply.text)
        yield own.step(reply, (), ())
        if actions:
            yield own.step(None, own.act(actions), actions, author="editor")
            yield from own.prove(given, likely)
        return own.best()

    return task.attempt(name, solve)


def _most_voted(task: Task, known: Sequence[Candidate], matrix: Matrix) -> Candidate:
    """Return the patch with the most votes among those that pass most of the tests."""
    scores = rank_candidates(known, matrix)
    for score in scores:
        task.note("vote", f"{len(score.candidate.alike)} for {score}", votes=len(score.candidate.alike))
    best = [one for one in scores if one.key[:3] == scores[0].key[:3]]
    return max(best, key=lambda one: len(one.candidate.alike)).candidate
