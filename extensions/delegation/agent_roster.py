"""The agents of a turn: read at its first request and recorded, so that a resumed turn does not read files again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import one_line
from agent.config.remembered_answers import is_remembered, remember
from agent.config.settings import under_policy
from agent.permissions.approvals import Approval
from agent.run_state.turn_state import MAIN
from extensions.delegation.agent_files import Agent, find_agents
from trajectories.errors import ConfigError, SweAgentError, UsageError
from trajectories.records import Reply

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from agent.engine.engine import Engine

QUESTION = "Let the model use this agent of the repository?"
UNUSED = "The repository defines agents that are not used: {}. `/agents use NAME` shows one and asks."
AGENTS = "agents"
"""The name under which the agents of a turn are recorded."""


def consent(agent: Agent) -> Approval:
    """Return the question whether an agent of the repository may be used, with its tools and its whole file. The answer
    holds for the file as it is."""
    tools = one_line(", ".join(agent.tools)) or "all of a helper"
    detail = f"{agent.where}\nTools: {tools}\n\n{agent.source}"
    return Approval("agent", QUESTION, agent.name, detail, needs_user=True, pin=agent.sha256)


def agents_of_turn(branch: Branch) -> list[Agent]:
    """Return the agents that the branch's model may choose in this turn. Those of the repository are left out of a
    resumed turn if the user's rules no longer allow them."""
    engine = branch.engine

    def is_usable(agent: Agent) -> bool:
        return agent.is_users or engine.is_allowed(consent(agent))

    if AGENTS not in branch.known(AGENTS):
        if any(isinstance(record, Reply) and record.branch == branch.name for record in engine.trajectory.of_turn):
            return []  # the turn began without agents
        found = find_agents(Path(engine.run.repository), engine.servers.can_ask)
        for problem in found.problems:
            _report_once(engine, problem)
        used = [agent for agent in found.agents if is_usable(agent)]
        if others := ", ".join(agent.name for agent in found.agents if agent not in used):
            _report_once(engine, UNUSED.format(others))
        if not used:
            return []
        branch.once(AGENTS, lambda: [asdict(_masked(agent, engine.secrets)) for agent in used])
    recorded = [Agent(**{**row, "tools": tuple(row["tools"])}) for row in branch.known(AGENTS)[AGENTS]]
    return [agent for agent in recorded if is_usable(agent)]


def _masked(agent: Agent, secrets: Iterable[str]) -> Agent:
    """Return the agent for the record and the model, without secrets."""
    description, text = (mask_secrets(each, secrets) for each in (agent.description, agent.text))
    return replace(agent, description=description, text=text, source="")


def _report_once(engine: Engine, text: str) -> None:
    """Report a sentence about a file to the user, unless that was done for this repository before."""
    about, state = sha256(f"{engine.run.repository}\n{text}".encode()).hexdigest()[:16], engine.settings.state
    if not is_remembered(state, "agent-notice", about):
        with suppress(ConfigError):
            remember(state, "agent-notice", about)
        engine.report("say", MAIN, f"{text} `/agents` lists all.")


def schema_with_agents(schema: dict[str, Any], agents: Sequence[Agent]) -> dict[str, Any]:
    """Return the schema of `delegate` with the names and descriptions of the agents; without agents, without the
    argument for them."""
    function = schema["function"]
    parameters = function["parameters"]
    properties = {name: value for name, value in parameters["properties"].items() if name != "agent"}
    if agents:
        lines = [f"{agent.name}: {agent.description}" for agent in agents]
        told = "\n".join(["Who does it, if one of these helpers fits:", *lines])
        properties["agent"] = {"type": "string", "enum": [agent.name for agent in agents], "description": told}
    return {**schema, "function": {**function, "parameters": {**parameters, "properties": properties}}}


def role_of_agent(caller: Branch, agent: Agent) -> str:
    """Return the role in which the agent answers: its own if the settings or its file name a model, else the caller's.
    Raises UsageError if that model cannot be used."""
    engine = caller.engine
    settings = engine.settings
    if agent.name not in settings.roles:
        changed = settings.model_copy(update={"roles": settings.roles | {agent.name: agent.model}})
        if not agent.model or under_policy(changed).roles.get(agent.name) != agent.model:
            return caller.role
        engine.models.defaults[agent.name] = agent.model
    if agent.name in caller.turn.prompts:
        why = f"The agent {agent.name} cannot be used: the strategy has a prompt of that name."
        raise UsageError(why, "Do the task yourself.")
    try:
        engine.models.of_role(agent.name)
    except SweAgentError as error:
        raise UsageError(f"The agent {agent.name} cannot be used: {error.message}", error.fix) from None
    return agent.name
