"""The questions of a session as permission requests, and the client's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aci.observation.untrusted_text import escape_invisible, wrap_code
from agent.permissions.approvals import Answer

if TYPE_CHECKING:
    from agent.permissions.approvals import Approval, Kind

KINDS: dict[Kind, str] = {
    "command": "execute",
    "network": "fetch",
    "hooks": "execute",
    "issue": "fetch",
    "mcp": "other",
    "agent": "other",
    "question": "think",
}
"""The protocol's kinds for questions; all others change files."""
MOST_DETAIL = 100_000
"""Maximum number of characters of each text of a question."""
MOST_SUBJECT = MOST_RULES = 200
SHORTENED = frozenset({"apply", "commit", "branch"})
"""Kinds of questions whose text may be cut, because `/diff` shows all of it."""
NOT_ALL = "This is not all: `/diff` shows the changes by file."
TOO_LONG = Answer(False, reason="It is too long to be shown to the user.")
CANCELLED = Answer(False, reason="Cancelled.")
REFUSED = Answer(False)
UNDECIDED = "Leave it to the model"


class PermissionRequest:
    """A question. `answer` accepts only what was offered: anything else is a no.

    A client cannot store a rule for later sessions; `swe-agent` in a terminal offers that.
    """

    def __init__(self, approval: Approval) -> None:
        self.approval = approval
        self._answers = {"allow": Answer(True), "reject": REFUSED}
        if approval.kind == "question":
            self._answers = {f"choice-{at}": Answer(True, chosen=(at,)) for at in range(len(approval.choices))}
        self._rules = escape_invisible(", ".join(approval.always))
        if 0 < len(self._rules) <= MOST_RULES:  # a rule of which the user sees only a part is not offered
            self._answers["allow_session"] = Answer(True, scope="session")

    @property
    def is_too_long(self) -> bool:
        """Whether the user cannot see all of what is asked about, so that the answer must be TOO_LONG."""
        return self.approval.kind not in SHORTENED and any(len(text) > MOST_DETAIL for text in self._texts())

    def options(self) -> list[Any]:
        from acp.schema import PermissionOption

        if self.approval.kind == "question":
            names = map(escape_invisible, self.approval.choices)
            chosen = [
                PermissionOption(option_id=id, name=name, kind="allow_once")
                for id, name in zip(self._answers, names, strict=True)
            ]
            return [*chosen, PermissionOption(option_id="reject", name=UNDECIDED, kind="reject_once")]
        offered = [PermissionOption(option_id="allow", name="Allow once", kind="allow_once")]
        if "allow_session" in self._answers:
            name = f"Allow in this session: {self._rules}"
            offered.append(PermissionOption(option_id="allow_session", name=name, kind="allow_always"))
        return [*offered, PermissionOption(option_id="reject", name="Reject", kind="reject_once")]

    def tool_call(self) -> Any:
        """Return the tool call that the request is about."""
        from acp.schema import ToolCallUpdate

        return ToolCallUpdate(**self._fields())

    def started(self) -> Any:
        """Return the update that shows this tool call before the request refers to it."""
        from acp.schema import ToolCallStart

        return ToolCallStart(session_update="tool_call", **self._fields())

    def ended(self, answer: Answer) -> Any:
        """Return the update that ends this tool call."""
        from acp.helpers import update_tool_call

        return update_tool_call(self._id, status="completed" if answer.yes else "failed")

    @property
    def _id(self) -> str:
        return f"question-{self.approval.id}"

    def _fields(self) -> dict[str, Any]:
        from acp.helpers import text_block, tool_content

        asked = self.approval
        texts = self._texts()
        parts = [wrap_code(text if len(text) <= MOST_DETAIL else f"{text[:MOST_DETAIL]}\n…") for text in texts]
        if any(len(text) > MOST_DETAIL for text in texts):
            parts.append(NOT_ALL if asked.kind in SHORTENED else TOO_LONG.reason)
        shown = "\n\n".join(filter(None, [*parts, escape_invisible(asked.why)]))
        return {
            "tool_call_id": self._id,
            "title": f"{escape_invisible(asked.title)} {_shortened(asked.subject)}".strip(),
            "kind": KINDS.get(asked.kind, "edit"),
            "status": "pending",
            "content": [tool_content(text_block(shown))] if shown else None,
        }

    def _texts(self) -> list[str]:
        """Return the message, the subject and the detail, as far as there are any."""
        asked = self.approval
        texts = [asked.message, "" if asked.kind == "apply" else asked.subject, asked.detail]
        return [escape_invisible(text) for text in texts if text]

    def answer(self, outcome: Any) -> Answer:
        """Return the answer for the outcome of the request."""
        if outcome.outcome != "selected":
            return CANCELLED
        return self._answers.get(outcome.option_id, REFUSED)


def _shortened(subject: str) -> str:
    """Return what is asked about as one line, because some clients show only the title of a question."""
    line = escape_invisible(" ".join(subject.split()))
    return line if len(line) <= MOST_SUBJECT else f"{line[:MOST_SUBJECT]}…"
