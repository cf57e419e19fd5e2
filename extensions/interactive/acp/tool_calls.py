"""The tool calls of a run as an editor shows them: kind, locations, status, result and diffs."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import clean_text, one_line, wrap_code
from agent.conversation.messages import describe
from tools.base import metadata_of
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from trajectories.records import Action, Observation, Step

MOST_RESULT = 4_000
"""Maximum number of characters of a result that is shown; the run has all of it."""
MOST_DIFF_FILES = 20
MOST_DIFF_BYTES = 200_000
"""Maximum size of a file whose whole text is sent, before and after a change."""
PROOF = "proof"


def kind_of(tool: str) -> str:
    """Return the protocol's kind for the calls of a tool, from its metadata."""
    found = metadata_of(tool)
    if found.result == "diff":
        return "edit"
    if found.runs or found.result == "tests":
        return "execute"
    if found.kind == "search":
        return "search"
    return "read" if found.only_looks else "other"


@dataclass
class ToolCalls:
    """The tool calls of a session. Its methods return the SDK's updates, in order.

    A call that is shown while it runs keeps its id when its step is recorded.
    """

    engine: Engine
    _number: int = 0
    _live: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Branch → ids and titles of the calls of the current reply that are shown."""

    def started(self, branch: str, title: str) -> Iterator[Any]:
        from acp.helpers import start_tool_call

        self._number += 1
        id = f"{branch}/{self._number}"
        self._live.setdefault(branch, []).append((id, title))
        kind: Any = "execute" if branch == PROOF else kind_of(title.partition(" ")[0])
        yield start_tool_call(id, self._clean(title), kind=kind, status="in_progress")

    def is_live(self, branch: str) -> bool:
        """Whether a call of this branch is shown."""
        return bool(self._live.get(branch))

    def printed(self, branch: str, text: str) -> Iterator[Any]:
        """Show the last lines of the output of the call that runs."""
        from acp.helpers import update_tool_call

        if calls := self._live.get(branch):
            yield update_tool_call(calls[-1][0], content=[self._text(text)])

    def ended(self, branch: str, succeeded: bool) -> Iterator[Any]:
        from acp.helpers import update_tool_call

        if calls := self._live.get(branch):
            yield update_tool_call(calls[-1][0], status="completed" if succeeded else "failed")

    def abandoned(self) -> Iterator[Any]:
        """End all calls that are shown as running, because the turn has stopped."""
        from acp.helpers import update_tool_call

        for calls in self._live.values():
            for id, _ in calls:
                yield update_tool_call(id, status="failed")
        self._live.clear()

    def recorded(self, step: Step) -> Iterator[Any]:
        """Show the results of a step, and what it changed."""
        from acp.helpers import update_tool_call

        live = self._live.pop(step.branch, [])
        changes = _by_action(self._changes(step), step.actions)
        for number, action in enumerate(step.actions):
            seen = step.observations[number] if number < len(step.observations) else None
            title = describe(action)
            id = live.pop(0)[0] if live and live[0][1] == title else ""
            yield self._result(id, title, action, seen, changes.get(number, []))
        for id, _ in live:
            yield update_tool_call(id, status="failed")

    def proved(self, step: Step) -> Iterator[Any]:
        """Show the result of a proof."""
        from acp.helpers import start_tool_call, update_tool_call

        content = [self._text(step.observations[0].text)] if step.observations else []
        live = self._live.pop(PROOF, [])
        for id, _ in live:
            yield update_tool_call(id, status="completed", content=content)
        if not live:
            yield start_tool_call(f"{PROOF}/{step.id}", "Proof", kind="execute", status="completed", content=content)

    def _result(self, id: str, title: str, action: Action, seen: Observation | None, changes: list[Any]) -> Any:
        from acp.helpers import start_tool_call, update_tool_call

        status: Any = "completed" if seen is not None and seen.ok else "failed"
        content = changes or [self._text(seen.text if seen else "Not run.")]
        if id:
            return update_tool_call(id, status=status, content=content, locations=self._locations(action))
        self._number += 1
        kind: Any = kind_of(action.tool)
        return start_tool_call(
            f"recorded/{self._number}",
            self._clean(title),
            kind=kind,
            status=status,
            content=content,
            locations=self._locations(action),
        )

    def _locations(self, action: Action) -> list[Any]:
        """Return the file of the user's repository that a call is about, if any."""
        from acp.schema import ToolCallLocation

        path = action.arguments.get("path")
        if not isinstance(path, str) or not path or "\0" in path:
            return []
        plain = posixpath.normpath(path)
        if plain.startswith(("/", "../")) or plain in (".", ".."):
            return []
        return [ToolCallLocation(path=one_line(f"{self.engine.run.repository}/{plain}"))]

    def _changes(self, step: Step) -> list[tuple[str, Any]]:
        """Return path and diff of each text file that a step changed, within the limits."""
        from acp.helpers import tool_diff_content

        old = self._tree_before(step)
        if old == step.tree or not any(metadata_of(action.tool).writes for action in step.actions):
            return []
        found: list[tuple[str, Any]] = []
        try:
            for change in self.engine.trees.changed(old, step.tree)[:MOST_DIFF_FILES]:
                before, after = (self._file(tree, change.path) for tree in (old, step.tree))
                if before is None or after is None:
                    continue
                path = f"{self.engine.run.repository}/{change.path}"
                diff = tool_diff_content(path, after, before if change.status != "A" else None)
                found.append((change.path, diff))
        except (SweAgentError, OSError):  # a diff only illustrates; the record has the trees
            return []
        return found

    def _file(self, tree: str, path: str) -> str | None:
        """Return the text of a file, "" if it does not exist, and None if it is not shown."""
        if self.engine.trees.entry(tree, path) is None:
            return ""
        data = self.engine.trees.read(tree, path, MOST_DIFF_BYTES + 1)
        if len(data) > MOST_DIFF_BYTES or b"\0" in data:
            return None
        return mask_secrets(data.decode("utf-8", "replace"), self.engine.secrets)

    def _tree_before(self, step: Step) -> str:
        steps: Sequence[Step] = self.engine.trajectory.steps.get(step.branch, ())
        before = next((each for each in reversed(steps) if each.n < step.n), None)
        return before.tree if before is not None else self.engine.run.base.tree

    def _text(self, text: str) -> Any:
        from acp.helpers import text_block, tool_content

        clean = self._clean(text)
        shown = clean if len(clean) <= MOST_RESULT else f"{clean[:MOST_RESULT]}\n…"
        return tool_content(text_block(wrap_code(shown)))

    def _clean(self, text: str) -> str:
        return clean_text(mask_secrets(text, self.engine.secrets))


def _by_action(changes: Sequence[tuple[str, Any]], actions: Sequence[Action]) -> dict[int, list[Any]]:
    """Assign each diff to the last action that names its file, or else to the last one that may change files."""
    writing = [number for number, action in enumerate(actions) if metadata_of(action.tool).writes]
    found: dict[int, list[Any]] = {}
    for path, diff in changes:
        naming = [number for number in writing if _names(actions[number], path)]
        found.setdefault((naming or writing)[-1], []).append(diff)
    return found


def _names(action: Action, path: str) -> bool:
    named = action.arguments.get("path")
    return isinstance(named, str) and posixpath.normpath(named) == path
