"""`/init`: an AGENTS.md for the repository, from what its files, its code graph and its test command say, without a
model."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from aci.graph.file_selection import language_of
from aci.localization.issue_localization import query_tree_graph
from aci.observation.untrusted_text import one_line
from aci.repository.file_blobs import TreeBlobs
from aci.repository.test_files import is_test
from aci.testing.suite_command import detect_command
from agent.run_state.attempt_outcome import Outcome
from trajectories.errors import UsageError, WorkspaceError
from trajectories.git_store.trees import SUBMODULE
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ()
STAYS = BY_HAND = True
AUTHOR = "init"
PATH = "AGENTS.md"
EXISTS = "AGENTS.md exists and is kept: edit it, or tell the model what to change."
WRITTEN = "AGENTS.md is among the session's changes; /diff shows it."
MOST_FOLDERS, MOST_USED, MOST_ENTRIES = 12, 6, 8
CHECKS = {
    ".pre-commit-config.yaml": "pre-commit",
    ".eslintrc.json": "eslint",
    "eslint.config.js": "eslint",
    ".flake8": "flake8",
    ".golangci.yml": "golangci-lint",
    ".rubocop.yml": "rubocop",
    "mypy.ini": "mypy",
    "ruff.toml": "ruff",
    "rustfmt.toml": "rustfmt",
}
"""Configuration files at the root, with the check that they are for."""
NAME = re.compile(r"[\w./:@+ \[\]-]{1,100}", re.ASCII)
"""Names from manifests that are written to the file; others may be meant for the reader."""
TOOLS = ("black", "isort", "mypy", "pyright", "ruff")
"""Checks that pyproject.toml may configure, as `[tool.NAME]`."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Add an AGENTS.md to the session's files, unless there is one."""
    files = task.trees.files(task.tree)
    if PATH in files:
        yield task.branch.adopt(task.tree, EXISTS, AUTHOR)
        return Outcome(task.tree, Verdict(), "done")
    text = write_instructions(task)
    tree = task.trees.write({PATH: text.encode()}, task.tree)
    yield task.branch.adopt(tree, f"{text}\n{WRITTEN}", AUTHOR)
    return Outcome(tree, Verdict(), "done")


def write_instructions(task: Task) -> str:
    """Return the text of the file; parts about which nothing is known are left out."""
    paths = sorted(path for path in task.trees.files(task.tree) if path.isprintable() and "`" not in path)
    manifests = _Manifests(task)
    try:
        command = task.turn.settings.test or detect_command(task.workspace)
    except UsageError:
        command = ""
    tests = sorted({path.rpartition("/")[0] or "." for path in paths if is_test(path)}, key=lambda one: one.count("/"))
    sections = {
        "Layout": list(_folders(paths)),
        "Entry points": manifests.entry_points()[:MOST_ENTRIES],
        "Files that most others use": _most_used(task),
        "Tests": [
            *([f"Run all tests with `{one_line(command)}`."] if command else []),
            *([f"Tests are in `{tests[0]}/`."] if tests else []),
            *(["Add a test for each change of behaviour, in the style of the nearest tests."] if tests else []),
        ],
        "Checks": [f"Run {', '.join(found)} on what you change."] if (found := manifests.checks(paths)) else [],
    }
    body = (f"## {name}\n\n" + "\n".join(f"- {line}" for line in lines) for name, lines in sections.items() if lines)
    head = f"# {one_line(task.branch.engine.repository.name)}\n\nNotes for coding agents. Correct what is wrong."
    return "\n\n".join([head, *body]) + "\n"


def _folders(paths: list[str]) -> Iterator[str]:
    """Yield a line for each of the largest folders at the root: its number of files and its main language."""
    shown = [path for path in paths if "/" in path and not path.startswith(".")]
    counts = Counter(path.partition("/")[0] for path in shown)
    for folder in sorted(name for name, _ in counts.most_common(MOST_FOLDERS)):
        inside = [path for path in shown if path.startswith(f"{folder}/")]
        [(language, count)] = Counter(map(language_of, inside)).most_common(1)
        files = "1 file" if len(inside) == 1 else f"{len(inside)} files"
        yield f"`{folder}/`: {files}{f', mainly {language}' if language and count > len(inside) / 2 else ''}"


def _most_used(task: Task) -> list[str]:
    """Return the files of the code graph to which the most other files refer, without tests."""

    def count(graph: Graph) -> list[str]:
        edges = graph.edges(loose=False)
        pairs = set(zip(graph.file[edges.source].tolist(), graph.file[edges.target].tolist(), strict=True))
        used = Counter(target for source, target in pairs if source != target)
        ranked = ((graph.paths[number], users) for number, users in used.most_common())
        return [f"`{path}` (by {users} files)" for path, users in ranked if users > 1 and not is_test(path)]

    try:
        return query_tree_graph(TreeBlobs(task.trees, task.tree), "", count)[:MOST_USED]
    except WorkspaceError:
        return []


class _Manifests:
    """What the manifests at the root say. They are untrusted: whatever cannot be read says nothing."""

    def __init__(self, task: Task) -> None:
        def read(path: str) -> str:
            entry = task.trees.files(task.tree).get(path)
            if entry is None or entry.mode == SUBMODULE:
                return ""
            return task.trees.read_blob(entry.id).decode("utf-8", "replace")

        self._python, self._node = (
            _table(tomllib.loads, read("pyproject.toml")),
            _table(json.loads, read("package.json")),
        )

    def entry_points(self) -> list[str]:
        """Return the commands that the project installs, and the main module of a Node package."""
        commands = {**_dict(self._python, "project", "scripts"), **_dict(self._node, "bin")}
        shown = [(name, place) for name, place in commands.items() if NAME.fullmatch(f"{name} {place}")]
        main = str(self._node.get("main", ""))
        found = [f"`{name}` starts `{place}`" for name, place in shown]
        return found + ([f"`{main}` is the main module"] if NAME.fullmatch(main) else [])

    def checks(self, paths: list[str]) -> list[str]:
        """Return the names of the checks that are configured."""
        configured = [name for file, name in CHECKS.items() if file in paths]
        configured += [name for name in TOOLS if name in _dict(self._python, "tool")]
        return list(dict.fromkeys(configured))


def _table(parse: Callable[[str], object], text: str) -> dict[str, object]:
    try:
        found = parse(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _dict(table: dict[str, object], *names: str) -> dict[str, object]:
    found: object = table
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
