"""The first message of a conversation: the issue, and the facts that every run asks for."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from aci.aside import Aside
from aci.commands import detect
from aci.discussion import with_discussion
from aci.graph.blobs import TreeBlobs
from aci.issue_run import Traced, snippets, trace
from aci.locating import Before, located
from aci.patch import is_test
from aci.regression import nearest_tests
from agent.moves.framing import framed, framed_issue
from agent.moves.recalling import recalled
from trajectories.errors import UsageError
from trajectories.trees import EMPTY_TREE

if TYPE_CHECKING:
    from agent.task import Task

SHOWN_PLACES, SHOWN_REASONS, LONGEST_REASON = 10, 2, 70
LIMITED = "Only {folder}/ is looked at, changed and tested here: the user wants the rest left alone."
NEAR_PLACES = 3
"""Functions whose tests are named."""
ADVICE = re.compile(r"(?:\.github/|docs/)?(?:AGENTS|CLAUDE|CONTRIBUTING)(?:\.md|\.rst|\.txt)?", re.IGNORECASE)
MOST_ADVICE, MOST_CONTRIBUTING, LARGEST_ADVICE = 1_500, 400, 100_000
ABOUT_CHANGES = re.compile(r"change ?log|changes\.|history\.|news ?fragment|towncrier|release note", re.IGNORECASE)


def places(task: Task, top: int = 10) -> dict[str, Any]:
    """The likeliest files and functions with their reasons, on the record."""
    found: dict[str, Any] = task.once("localize", lambda: _located(task, top))
    return found


def _located(task: Task, top: int) -> dict[str, Any]:
    repository = task.engine.repository
    before, traced = Before(repository.git_dir, task.base.commit), _traced(task)
    looking = Aside(
        lambda: located(TreeBlobs(task.trees, looked_at(task)), task.issue, before, top, traced=traced), "places"
    )
    try:
        _ = task.workspace  # which is needed next, and takes longer to open
    finally:
        looking.wait()
    found = looking.answer().places
    return {
        "files": [{"path": hit.path, "why": list(hit.why)} for hit in found.files],
        "functions": [
            {"path": hit.path, "name": hit.name, "line": hit.line, "why": list(hit.why)} for hit in found.functions
        ],
    }


def looked_at(task: Task) -> str:
    """The base's tree, with nothing but the subtree if there is one."""
    subtree, tree = task.settings.subtree, task.base.tree
    return task.trees.overlay(EMPTY_TREE, tree, [subtree]) if subtree else tree


def _traced(task: Task) -> Traced | None:
    """What the issue's own code does. It is a stranger's, so it runs in a container only."""
    text = with_discussion(task.issue).text
    if task.settings.workspace != "docker" or not snippets(text):
        return None
    found = trace(task.workspace, text)
    task.workspace.restore(task.tree)  # whatever that code has done to the files
    return found


def likely_sources(task: Task) -> list[str]:
    """The likeliest files that are not tests: a failing test that covers one of them is tied to the issue."""
    return [hit["path"] for hit in places(task)["files"] if not is_test(hit["path"])]


def opening(task: Task, located: bool = True) -> str:
    """The issue between marks (it is somebody's words, not an instruction to break rules), then where things are;
    the likeliest places only if `located`."""
    return "\n\n".join([framed_issue(task.issue), whereabouts(task), facts(task, located)])


def whereabouts(task: Task) -> str:
    """The folders of the task's own workspace."""
    root, scratch = task.once("root", lambda: task.workspace.root), task.once("scratch", lambda: task.workspace.scratch)
    return f"The repository is {root}, {_base(task)}; throw-away files go to {scratch}."


def facts(task: Task, located: bool = True) -> str:
    """What holds for all workspaces of a run."""
    found = places(task)
    parts = [
        f"Layout: {_layout(task)}",
        LIMITED.format(folder=framed(task.settings.subtree)) if task.settings.subtree else "",
        f"Tests: {tests_of(task, found)}",
        _advice(task),
        _likeliest(found) if located else "",
        recalled(task, found),
    ]
    return "\n\n".join(filter(None, parts))


def _likeliest(found: dict[str, Any]) -> str:
    return f"Likeliest places (found without a model, not certain):\n{framed(describe_places(found, SHOWN_PLACES))}"


def _base(task: Task) -> str:
    """In a later turn of a session files are as the turns before have left them; and others may have been at work."""
    if task.tree != task.base.tree:
        return f"at {task.base}, with changes made already"
    return "as it is now" if task.is_later else f"at {task.base}"


def describe_places(found: dict[str, Any], most: int = 10) -> str:
    """One line a place: functions first, files where no function stands out."""
    functions = [f"- {hit['path']}:{hit['line']} {hit['name']}{_why(hit)}" for hit in found["functions"]]
    files = [f"- {hit['path']}{_why(hit)}" for hit in found["files"]]
    return "\n".join((functions or files)[:most]) or "none"


def _why(hit: dict[str, Any]) -> str:
    """The weightiest reasons, short: a prompt is paid for."""
    shown = [reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}…" for reason in hit["why"]]
    return f" ({'; '.join(shown[:SHOWN_REASONS])})" if shown else ""


def _layout(task: Task) -> str:
    """Top-level entries, of the subtree if there is one, with the number of files under each."""
    top = f"{task.settings.subtree}/" if task.settings.subtree else ""
    below = [path.removeprefix(top) for path in task.trees.files(task.base.tree) if path.startswith(top)]
    counts = Counter(path.partition("/")[0] + ("/" if "/" in path else "") for path in below)
    names = sorted(name for name in counts if name.isprintable())
    shown = [f"{name} ({counts[name]})" if name.endswith("/") else name for name in names]
    return (f"{framed(top)}: " if top else "") + ", ".join(shown[:30]) + (", …" if len(shown) > 30 else "")


def tests_of(task: Task, found: dict[str, Any]) -> str:
    """How tests are run, and where those are that are nearest to the likeliest places."""
    try:
        command, version = (task.settings.test, "") if task.settings.test else detect(task.workspace)
        how = f"`{command}`{f' (Python {version})' if version else ''}"
    except UsageError as error:
        how = error.message
    tests = [
        path
        for path in task.trees.files(looked_at(task))
        if path.endswith(".py") and is_test(path) and path.isprintable()
    ]
    near = [path for path in nearest_of(task, found) if path.isprintable()]
    folders = Counter(path.rpartition("/")[0] for path in tests).most_common(1)
    where = ", ".join(near) or (f"{folders[0][0]}/" if folders else "none yet")
    return f"{how}; nearest: {where}"


def nearest_of(task: Task, found: dict[str, Any]) -> tuple[str, ...]:
    """The test files that have most to do with the likeliest places."""
    functions = [(hit["path"], hit["name"]) for hit in found["functions"][:NEAR_PLACES]]
    files = [(hit["path"], "") for hit in found["files"][:3]]
    places = [place for place in (*functions, *files) if not is_test(place[0])]
    return nearest_tests(task.trees, looked_at(task), places)


def _advice(task: Task) -> str:
    """What the repository tells those who change it: data, with no power over this run."""
    shown: list[str] = []
    for path, entry in sorted(task.trees.files(task.base.tree).items()):
        if not ADVICE.fullmatch(path) or not entry.mode.startswith("100") or entry.size > LARGEST_ADVICE:
            continue
        data = task.trees.read_blob(entry.id)
        text = "" if b"\0" in data else framed(data.decode("utf-8", "replace")).strip()
        room = MOST_ADVICE - sum(map(len, shown))
        if "CONTRIBUTING" in path.upper():
            parts = re.split(r"\n\s*\n|\n(?=\s*[-*] )", text)
            text = "\n".join(part.strip() for part in parts if ABOUT_CHANGES.search(part))
            room = min(room, MOST_CONTRIBUTING)
        if text and room > 0:
            shown.append(f'<advice file="{path}">\n{text[:room]}{"…" if len(text) > room else ""}\n</advice>')
    return "\n".join(shown)
