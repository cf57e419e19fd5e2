"""List the agents that the model may choose for a task; `use NAME` allows one of the repository's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from agent.config.user_file import user_file
from agent.conversation.model_roles import check_models
from agent.permissions.rules import Rule
from extensions.delegation.agent_files import Agent, find_agents
from extensions.delegation.agent_roster import consent
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.permissions.approvals import Answer, Approval

USAGE = "[use NAME]"
GROUP = "how"
IN_EDITORS = "alone"
USE = "use"
NONE = (
    "There are no agents. A file {folder}/NAME.md defines one: the lines `---`, `description: WHEN TO USE IT` and "
    "`---`, then its instructions; a line `tools: view, search` above the second `---` limits its tools."
)
OFF = "The setting `delegate` is off, so the model cannot use them."


class AgentSession(Protocol):
    """A session for its agents."""

    start: Any
    questions: Any
    can_ask: bool

    @property
    def settings(self) -> Settings: ...

    def ask(self, approval: Approval) -> Answer: ...

    def is_allowed(self, approval: Approval) -> bool: ...

    def show(self, text: str, kind: str = "text", title: str = "") -> None: ...


def run(session: AgentSession, words: str) -> None:
    verb, _, name = words.partition(" ")
    if verb == USE:
        _use(session, name.strip())
        return
    if verb:
        raise UsageError(f"There is no `/agents {verb}`.", "Write /agents, or /agents use NAME.")
    found = find_agents(session.start.source.root)
    lines = [_line(session, agent) for agent in found.agents] or [NONE.format(folder=user_file().parent / "agents")]
    off = [] if session.settings.delegate or not found.agents else [OFF]
    session.show("\n".join([*lines, *found.problems, *off]), title="Agents")


def completions(session: AgentSession, words: str) -> list[str]:
    return [f"{USE} {agent.name}" for agent in find_agents(session.start.source.root).agents if not agent.is_users]


def _use(session: AgentSession, name: str) -> None:
    """Ask whether an agent of the repository may be used, and store the answer for its file as it is."""
    agents = find_agents(session.start.source.root).agents
    agent = next((each for each in agents if each.name == name), None)
    if agent is None:
        raise UsageError(f"There is no agent {name or 'without a name'}.", "`/agents` lists them.")
    if not session.can_ask:
        raise UsageError("There is no one to ask here, so agents of the repository are off.", "Use a session.")
    if agent.is_users:
        raise UsageError(f"{agent.name} is your own agent, which needs no permission.", "`/agents` shows its state.")
    answer = session.ask(consent(agent))
    if not answer.yes:
        if answer.reason:
            session.show(answer.reason)
        return
    if answer.scope == "once":
        session.questions.permissions.keep((Rule("agent", f"{agent.name} {agent.sha256}"),), "session")
    session.show(f"From the next turn on, the model may choose {agent.name}. `/permissions` withdraws it.")


def _line(session: AgentSession, agent: Agent) -> str:
    """Return what the user should know of an agent, and whether it is in use."""
    settings = session.settings
    model = settings.roles.get(agent.name) or agent.model
    limits = [f"model {model}" if model else "", f"only {', '.join(agent.tools)}" if agent.tools else ""]
    state = "in use"
    if not agent.is_users and not session.can_ask:
        state = "not in use: there is no one to ask"
    elif not agent.is_users and not session.is_allowed(consent(agent)):
        state = f"not in use: `/agents use {agent.name}` shows it and asks"
    elif model:
        try:
            check_models(settings, model)
        except SweAgentError as error:
            state = f"not in use: {error.message}"
    about = ", ".join(filter(None, [agent.where, *limits]))
    return f"{agent.name} ({about}; {state}): {agent.description}"
