"""Routes to models: the protocol, prompt caching, reasoning effort, and the reply fields that must be sent back to the
provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.models._prices import ModelFacts

if TYPE_CHECKING:
    from agent.config.model_table import ModelTable

TAKE_MARKS = frozenset({"anthropic", "bedrock", "vertex_ai", "azure_ai", "openrouter"})
BUDGETS = {"high": 4096, "medium": 2048, "low": 1024}
"""Number of thinking tokens that litellm grants Claude for each effort. They count as output and must leave room for
the reply's text."""


@dataclass(frozen=True, slots=True)
class Route:
    """How to call a model. `wire` is the model's name in litellm. `claude` is true for Anthropic's models, at any
    provider."""

    wire: str
    claude: bool
    responses: bool
    marks: bool
    fenced: bool
    reasons: bool

    @property
    def provider(self) -> str:
        return self.wire.partition("/")[0]

    @property
    def keeps(self) -> frozenset[str]:
        """The fields of a reply that are sent back to the model unchanged."""
        if self.responses:
            return frozenset({"reasoning_items"})
        if self.provider == "openrouter":
            return frozenset({"reasoning_details"})
        return frozenset({"thinking_blocks"} if self.claude else ())

    def effort(self, wanted: str, max_output: int, mute: bool) -> str:
        """Return the effort to request, or "" for none.

        `mute` is true if the conversation has tool calls that were made without thinking. After such calls, Claude
        rejects requests with thinking turned on.
        """
        if not (wanted and self.reasons):
            return ""
        if not self.claude:
            return wanted
        if wanted == "none" or mute:
            return ""
        wanted = "low" if wanted == "minimal" else wanted
        fitting = [
            effort for effort, budget in BUDGETS.items() if budget <= BUDGETS[wanted] and 2 * budget <= max_output
        ]
        return next(iter(fitting), "")


def route(wire: str, known: ModelFacts, table: ModelTable) -> Route:
    provider, _, model = wire.partition("/")
    claude = provider == "anthropic" or any(maker in model for maker in ("claude", "anthropic"))
    return Route(
        wire=wire,
        claude=claude,
        responses=model.startswith("responses/") or known.mode == "responses",
        marks=claude and provider in TAKE_MARKS and known.caching is not False,
        fenced=table.calls == "fenced" or (table.calls == "auto" and known.tools is False),
        reasons=known.reasoning or bool(table.effort),
    )
