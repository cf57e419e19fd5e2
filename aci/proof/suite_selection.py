"""Selection of the test files that are most likely to detect what a change breaks.

These are the tests of the changed modules, and tests that name the changed definitions. They run on their own if the
suite is cut off, so that its time limit affects only the remaining tests.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from aci.graph.file_selection import language_of
from aci.observation.activity_message import ActivityMessage
from aci.proof.evidence import imported_names
from aci.repository.file_blobs import TreeBlobs
from aci.repository.python_source import definitions
from aci.repository.test_files import is_test
from trajectories.errors import WorkspaceError
from trajectories.git_store.trees import Entry, Trees
from trajectories.unified_diff import split_hunks

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.graph.outline import Location

LEAST_FILES, LEAST_BYTES = 10, 50_000
"""Number and size of the test files from which a suite may take long."""
LARGE = 40
"""Number of test files from which related ones are selected when tests run before there is a patch."""
MOST = 25
READ_FILES, READ_BYTES = 500, 8_000_000
"""Maximum number of files and bytes that are read of a huge suite; the files nearest to the change are read first."""
CHANGED = 100
"""Maximum number of changed files of a patch that are considered."""
NAMED = re.compile(r"(?:^|/)(?:(?:unit)?test_[^/]*|[^/]*_(?:unit)?test_[^/]*|[^/]*_tests?|tests?)\.py$")
TEST_MARK = re.compile(r"^test_|_(?:test|spec)$|[.-](?:test|spec)$|(?<=[a-z0-9])(?:Tests?|TestCase)$")
"""What the name of a test file has in addition to that of the file it tests: `test_a`, `a_test`, `a.spec`, `ATest`."""
REACHES = 4.0
"""Score if a test certainly reaches a changed definition by calls, in addition to the score for names."""
LEAST = 0.5
"""Minimum score for which a test file is selected."""
COMMON = 4
"""Minimum length of a name; shorter names occur everywhere."""
READS = 3
"""Score if a test reads a data folder that has the name of a changed source file."""
ANY_DATA = {"test", "tests", "testing", "fixtures", "data", "testdata", "test_data", "files", "resources", "snapshots"}


def related_tests(
    trees: Trees, base: str, tree: str, changed: Sequence[str], say: Callable[[str], None] = lambda _: None
) -> tuple[str, ...]:
    """Return the test files of `base` related to the source paths `changed` in `tree`, the most likely first."""
    tests = _all_test_files(trees, base)
    say(ActivityMessage(f"Selecting those of the {len(tests)} test files that are related to the patch"))
    changed = changed[:CHANGED]
    near = _by_path(tests, changed)
    names = {name for path in changed for name in _changed_names(trees, base, tree, path)}
    word = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\b") if names else None
    modules = [_module_names(path) for path in changed]
    scores: dict[str, float] = dict(near)
    data = _data_folders(trees.files(base), changed)
    for path in _worth_reading(tests, near, changed):
        text = trees.read_blob(tests[path].id).decode("utf-8", "replace")
        scores[path] += _by_text(text, modules, word) + (READS if data and data.search(text) else 0)
    about = "\n".join([*changed, *names])
    for path, reached in _reaching(TreeBlobs(trees, base), about, _touched(trees, base, tree, changed)).items():
        if path in scores:
            scores[path] += REACHES * reached
    return tuple(sorted((path for path, score in scores.items() if score), key=lambda path: (-scores[path], path)))[
        :MOST
    ]


def may_take_long(trees: Trees, tree: str) -> bool:
    """Whether the suite has so many or so large test files that it may take longer than to open a workspace."""
    files, tests = trees.files(tree), _all_test_files(trees, tree)
    return len(tests) >= LEAST_FILES or sum(files[path].size for path in tests) >= LEAST_BYTES


def has_large_suite(trees: Trees, tree: str) -> bool:
    """Whether the suite has so many test files that related ones are selected."""
    return len(_test_files(trees, tree)) >= LARGE


def nearest_tests(
    trees: Trees,
    tree: str,
    places: Sequence[tuple[str, str]],
    about: str,
    most: int = 4,
    any_language: bool = False,
) -> tuple[str, ...]:
    """Return the test files most closely related to `places`: pairs of a path and a dotted name (or ""), the most
    likely place first.

    Related test files reach a place by calls, or are named like its file. Test files in other languages than Python
    are included with `any_language`. In a very large tree, only calls in the files that the text `about` is about are
    followed.
    """
    tests = _all_test_files(trees, tree) if any_language else _test_files(trees, tree)
    scores: dict[str, float] = dict.fromkeys(tests, 0.0)
    for rank, path in enumerate(dict.fromkeys(path for path, _ in places)):
        for test, score in _by_path(tests, [path]).items():
            scores[test] += score / (1 + rank)
    for path, reached in _reaching(TreeBlobs(trees, tree), about, _resolve_places(places)).items():
        if path in scores:
            scores[path] += REACHES * reached
    best = sorted((path for path, score in scores.items() if score >= LEAST), key=lambda path: (-scores[path], path))
    return tuple(best[:most])


def nearest_by_path(trees: Trees, tree: str, changed: Sequence[str], subtree: str = "") -> str:
    """Return the test file in `subtree` whose path is nearest to those of changed source files; "" if there is none.

    Of equally near files, one in the folder with the most test files is returned.
    """
    tests = {
        path: entry for path, entry in _test_files(trees, tree).items() if not subtree or path.startswith(f"{subtree}/")
    }
    near, sizes = _by_path(tests, changed), Counter(map(posixpath.dirname, tests))
    return max(tests, key=lambda path: (near[path], sizes[posixpath.dirname(path)]), default="")


def _test_files(trees: Trees, tree: str) -> dict[str, Entry]:
    return {path: entry for path, entry in trees.files(tree).items() if NAMED.search(path) and is_test(path)}


def _all_test_files(trees: Trees, tree: str) -> dict[str, Entry]:
    """Return the test files in all languages of the code graph."""
    others = {path: entry for path, entry in trees.files(tree).items() if is_test(path) and _is_other_code(path)}
    return _test_files(trees, tree) | others


def _is_other_code(path: str) -> bool:
    """Whether a file is source code in a language of the code graph other than Python."""
    return language_of(path) not in ("", "python")


def _reaching(blobs: TreeBlobs, about: str, starts: Callable[[Graph], Mapping[Location, float]]) -> dict[str, float]:
    """Return the confidence, from 0 to 1, with which each test file reaches these places; empty if there is no code
    graph."""
    from aci.graph.patch_impact import find_reaching_tests
    from aci.localization.issue_localization import query_tree_graph

    def question(graph: Graph) -> dict[str, float]:
        return {path: one.score for path, one in find_reaching_tests(graph, starts(graph)).items()}

    try:
        return query_tree_graph(blobs, about, question)
    except WorkspaceError:
        return {}


def _resolve_places(places: Sequence[tuple[str, str]]) -> Callable[[Graph], Mapping[Location, float]]:
    """Resolve paths and names in the graph; an earlier place has a higher weight."""

    def starts(graph: Graph) -> Mapping[Location, float]:
        from aci.graph.code_graph import look_up_name

        found: dict[Location, float] = {}
        for rank, (path, name) in enumerate(places):
            for place in (
                look_up_name(graph, f"{path}:{name}" if name else path).places[:1] if path in graph.number else ()
            ):
                found.setdefault(place, 1 / (1 + rank) ** 0.5)
        return found

    return starts


def _touched(trees: Trees, base: str, tree: str, changed: Sequence[str]) -> Callable[[Graph], Mapping[Location, float]]:
    """Find the definitions that a change of these paths touches."""

    def starts(graph: Graph) -> Mapping[Location, float]:
        from aci.graph.patch_impact import changed_definitions, edits_between

        edits = edits_between(TreeBlobs(trees, base), TreeBlobs(trees, tree))
        return dict.fromkeys(changed_definitions(graph, [edit for edit in edits if edit.path in changed]), 1.0)

    return starts


def _by_path(tests: Mapping[str, Entry], changed: Sequence[str]) -> dict[str, int]:
    """Return a score of each test file by its path: whether it is named after a changed source file or is below that
    file's folder."""
    modules = [parts for path in changed if (parts := _parts(path))]
    stems = Counter(stem for parts in modules for stem in {parts[-1].strip("_"), "_".join(parts[-2:])})
    folders = Counter("/".join(parts[:-1]) for parts in modules if len(parts) > 2)
    scores = {}
    for test in tests:
        cuts = [match.start() for match in re.finditer("/", test)] if folders else []
        stem = TEST_MARK.sub("", test.rpartition("/")[2].rpartition(".")[0])
        scores[test] = 4 * stems[stem] + sum(folders[test[:cut]] for cut in cuts)
    return scores


def _worth_reading(tests: Mapping[str, Entry], near: Mapping[str, int], changed: Sequence[str]) -> list[str]:
    """Return the files to read: the nearest by path, within the limits."""
    words = {word.strip("_") for path in changed for part in _parts(path) for word in (part, *part.split("_"))}

    def distance(test: str) -> tuple[int, int, str]:
        return -near[test], -len(words.intersection(re.split(r"[/_.]", test))), test

    found: list[str] = []
    left = READ_BYTES
    for path in sorted(tests, key=distance):
        is_file = tests[path].mode.startswith("100")
        if is_file and tests[path].size <= left and len(found) < READ_FILES:
            found.append(path)
            left -= tests[path].size
    return found


def _by_text(text: str, modules: Sequence[set[str]], word: re.Pattern[str] | None) -> int:
    """Return a score of a test file by its text: whether it names changed definitions or imports changed modules."""
    imports = imported_names(text) if modules else set()
    named = len(set(word.findall(text))) if word else 0
    return named + 2 * sum(not module.isdisjoint(imports) for module in modules)


def _data_folders(files: Iterable[str], changed: Sequence[str]) -> re.Pattern[str] | None:
    """Return a pattern that matches the test data folders that are named, or contain a file named, like a changed
    source file (`rules/LT01.py`, `cases/LT01.yml`).

    Tests refer to the folder of such data and do not name the source file at all.
    """
    stems = {_parts(path)[-1].strip("_").lower() for path in changed if _parts(path)}
    named = stems | {part for stem in stems for part in stem.split("_") if len(part) > COMMON}
    found: set[str] = set()
    for path in files:
        *folders, name = path.split("/")
        if name.endswith(".py") or not folders or not is_test(path):
            continue
        if named.intersection((*map(str.lower, folders), name.partition(".")[0].lower())):
            found.update(folder for folder in folders if len(folder) >= COMMON and folder not in ANY_DATA)
    names = "|".join(map(re.escape, sorted(found)))
    return re.compile(rf"[\"'/](?:{names})[\"'/]") if found else None


def _parts(path: str) -> tuple[str, ...]:
    bare = path.rpartition(".")[0] if _is_other_code(path) else path.removesuffix(".py")
    return PurePosixPath(bare.removesuffix("/__init__")).parts


def _module_names(path: str) -> set[str]:
    """Return all dotted names under which a module may be imported, one for each folder that may be on the import
    path."""
    parts = _parts(path)
    return {".".join(parts[at:]) for at in range(len(parts))}


def _changed_names(trees: Trees, base: str, tree: str, path: str) -> set[str]:
    """Return the names of the definitions whose lines a change touches, and of the definitions that enclose them."""
    if not path.endswith(".py") or trees.entry(tree, path) is None:
        return set()
    _, hunks = split_hunks(trees.diff(base, tree, [path]))
    spans = [(hunk.new_start, hunk.new_start + hunk.new_count) for hunk, _ in hunks]
    known = definitions(trees.read(tree, path).decode("utf-8", "replace"))
    touched = [one for one in known if any(one.line < end - 3 and start + 3 <= one.end for start, end in spans)]
    names = {part for one in touched for part in one.name.split(".")}
    return {name for name in names if len(name) >= COMMON and not name.startswith("__")}
