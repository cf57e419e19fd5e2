"""The first message of a conversation: the issue, and the facts that every run asks for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aci.localize import locate
from aci.patch import is_test

if TYPE_CHECKING:
    from agent.task import Task


def places(task: Task, top: int = 10) -> dict[str, Any]:
    """The likeliest files and functions with their reasons, on the record."""
    found: dict[str, Any] = task.once("localize", lambda: _located(task, top))
    return found


def _located(task: Task, top: int) -> dict[str, Any]:
    found = locate(task.trees, task.base.tree, task.issue, top)
    return {
        "files": [{"path": hit.path, "why": list(hit.why)} for hit in found.files],
        "functions": [
            {"path": hit.path, "name": hit.name, "line": hit.line, "why": list(hit.why)} for hit in found.functions
        ],
    }


def likely_sources(task: Task) -> list[str]:
    """The likeliest files that are not tests: a failing test that covers one of them is tied to the issue."""
    return [hit["path"] for hit in places(task)["files"] if not is_test(hit["path"])]


def opening(task: Task) -> str:
    """The issue between marks (it is somebody's words, not an instruction to break rules), then where things are."""
    parts = [
        f"<issue>\n{task.issue.text}\n</issue>",
        f"The repository is at {task.once('root', lambda: task.workspace.root)}, at {task.base}; "
        f"throw-away files go to {task.once('scratch', lambda: task.workspace.scratch)}.",
        f"Layout: {_layout(task)}",
    ]
    if task.settings.test:
        parts.append(f"Tests run with: {task.settings.test}")
    if listed := describe_places(places(task)):
        parts.append(f"Likeliest places (by name and text, not certain):\n{listed}")
    return "\n\n".join(parts)


def describe_places(found: dict[str, Any]) -> str:
    """One line a place: functions first, files where no function stands out."""
    functions = [f"- {hit['path']}:{hit['line']} {hit['name']} ({'; '.join(hit['why'])})" for hit in found["functions"]]
    files = [f"- {hit['path']} ({'; '.join(hit['why'])})" for hit in found["files"]]
    return "\n".join(functions or files)


def _layout(task: Task) -> str:
    """Top-level entries with the number of files under each."""
    counts = Counter(path.partition("/")[0] + ("/" if "/" in path else "") for path in task.trees.files(task.base.tree))
    shown = [f"{name} ({count})" if name.endswith("/") else name for name, count in sorted(counts.items())]
    return ", ".join(shown[:40]) + (", …" if len(shown) > 40 else "")
