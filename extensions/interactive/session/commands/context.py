"""Show what fills the model's context window, by part, and what was shortened."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from aci.instructions.instruction_frames import FRAME
from agent.conversation.compaction import ObservationEntry, PictureEntry, RequestMessage, characters
from agent.conversation.messages import BranchConversation
from agent.conversation.model_requests import conversation_settings, system_prompt
from agent.engine.branch import Branch
from agent.engine.tool_context import offered_tools
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.engine.engine import Engine
    from extensions.interactive.session.session import Session

NOW = True
GROUP = "how"
IN_EDITORS = "always"
ATTACHED = re.compile(r"<attachments>\n.*?\n</attachments>", re.DOTALL)
SYSTEM, TOOLS, FILES, ATTACHMENTS = "system prompt", "tools", "instruction files", "attached files"
REQUESTS, REPLIES, RESULTS, PICTURES = "requests and places", "replies", "results of tools", "pictures"
SHORTENED = (
    "{count} of the older results are shortened to save about {tokens:,} tokens in each request; the model can view "
    "them again."
)


def run(session: Session, words: str) -> None:
    if session.engine is None:
        raise UsageError("There is no conversation yet.", "Say what to do first.")
    session.show(describe_context(session.engine), title="Context")


def describe_context(engine: Engine) -> str:
    """Return a table of the parts of the next request with their estimated numbers of tokens and their shares of the
    model's window, or of the request if the window is unknown. Raises ConfigError if the model cannot be used."""
    branch = Branch(engine)
    model = engine.models.of_role(branch.role)
    settings = conversation_settings(
        engine.trajectory, branch.name, system_prompt(branch.turn.prompts, branch.role), model
    )
    steps, replies = engine.trajectory.steps[branch.name], engine.trajectory.replies
    last = max((ask for name, ask in replies if name == branch.name), default=0)
    compaction = BranchConversation(engine.journal.recall).add_steps(last + 1, settings, steps, replies)
    compaction.decide(last + 1)
    sizes = Counter({TOOLS: len(json.dumps(offered_tools(branch, only_known=True)))})
    for part in compaction.parts:
        for name, size in _parts(part):
            sizes[name] += size
    total = sizes.total() / compaction.token_characters
    window = model.window or total
    rows = [(name, size / compaction.token_characters) for name, size in sizes.most_common() if size]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {tokens:>9,.0f}  {tokens / window:>4.0%}" for name, tokens in rows]
    of = f" of {model.window:,}" if model.window else "; the window of this model is unknown"
    lines += ["", f"About {total:,.0f} tokens{of}."]
    if shortened := [saved for part in compaction.parts if (saved := _saved(part)) > 0]:
        saved = int(sum(shortened) / compaction.token_characters)
        lines.append(SHORTENED.format(count=len(shortened), tokens=saved))
    return "\n".join([*lines, "/compact replaces the conversation by a summary, /clear empties it."])


def _parts(part: RequestMessage) -> Iterator[tuple[str, int]]:
    """Yield the names of the parts of a message, with their sizes in characters."""
    role, content = part.message["role"], part.message["content"]
    if isinstance(part, ObservationEntry):
        yield PICTURES if isinstance(part, PictureEntry) else RESULTS, part.size
    elif role == "user":
        text = content if isinstance(content, str) else _text(content)
        instructions = sum(len(found[0]) for found in FRAME.finditer(text))
        attached = sum(len(found[0]) for found in ATTACHED.finditer(text))
        yield FILES, instructions
        yield ATTACHMENTS, attached
        yield PICTURES, part.size - characters({**part.message, "content": text})
        yield REQUESTS, characters({**part.message, "content": text}) - instructions - attached
    else:
        yield {"system": SYSTEM, "assistant": REPLIES}.get(role, RESULTS), part.size


def _text(content: list[Any]) -> str:
    return "\n".join(one["text"] for one in content if one["type"] == "text")


def _saved(part: RequestMessage) -> int:
    """Return the number of characters by which a result is shorter than it was."""
    if not isinstance(part, ObservationEntry) or isinstance(part, PictureEntry):
        return 0
    return len(part.step.observations[part.number - 1].text) - part.size
