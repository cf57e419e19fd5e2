"""List your own agents, which the model may choose for a task, and the problems of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.conversation.model_roles import check_models
from extensions.delegation.agent_files import find_agents
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from extensions.delegation.agent_files import Agent

NOW = True
GROUP = "how"
IN_EDITORS = "alone"
NONE = "There are no agents. A file agents/NAME.md beside your config file defines one: docs/own-agents.md shows how."
OFF = "The setting `delegate` is off, so the model cannot use them."


class AgentSession(Protocol):
    """A session for listing its agents."""

    @property
    def settings(self) -> Settings: ...

    def show(self, text: str, kind: str = "text", title: str = "") -> None: ...


def run(session: AgentSession, words: str) -> None:
    found = find_agents(None)
    lines = [_line(agent, session.settings) for agent in found.agents] or [NONE]
    off = [] if session.settings.delegate or not found.agents else [OFF]
    session.show("\n".join([*lines, *found.problems, *off]), title="Agents")


def _line(agent: Agent, settings: Settings) -> str:
    """Return what the user should know of an agent, and whether it is in use."""
    model = settings.roles.get(agent.name) or agent.model
    limits = [f"model {model}" if model else "", f"only {', '.join(agent.tools)}" if agent.tools else ""]
    state = "in use"
    if model:
        try:
            check_models(settings, model)
        except SweAgentError as error:
            state = f"not in use: {error.message}"
    about = ", ".join(filter(None, [agent.where, *limits]))
    return f"{agent.name} ({about}; {state}): {agent.description}"
