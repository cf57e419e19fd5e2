"""Files that define agents: Markdown with a name, when to use it, and instructions, as in Claude Code and opencode."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from hashlib import sha256
from heapq import nsmallest
from pathlib import Path
from re import compile as pattern
from typing import Any

from aci.instructions.front_matter import LONGEST as MAX_FRONT_MATTER
from aci.instructions.front_matter import split_front_matter
from aci.observation.untrusted_text import clean_text, one_line
from agent.config.user_file import user_file
from trajectories.errors import UsageError
from trajectories.file_limits import read_limited
from trajectories.outside_calls import SEPARATOR
from trajectories.plugins import names

MAX_AGENTS = 20
"""Maximum number of agents, and of files that are read in a folder."""
MAX_BYTES = 10_000
"""Maximum size of a file in bytes."""
MAX_DESCRIPTION = 300
"""Maximum number of characters of a description, which each request of the main conversation contains."""
USERS = "your configuration"
CLAUDE_FOLDER = ".claude/agents"
REPOSITORY_FOLDERS = (".swe-agent/agents", CLAUDE_FOLDER)
CLAUDE_TOOLS = {
    "Bash": "shell",
    "Edit": "edit",
    "Glob": "search",
    "Grep": "search",
    "LS": "view",
    "MultiEdit": "edit",
    "Read": "view",
    "Write": "edit",
}
"""Our tools for those that files of Claude Code name; its other tools are left out."""
USED_NAMES = frozenset(
    {"coder", "examiner", "challenger", "locator", "senior"}
    | {"hint", "host", "main", "proof", "resume", "safety", "task", "turn", "undo", "user"}
)
"""Roles and authors of steps, which an agent's name must not be taken for."""
_NAME = pattern(r"[a-z][a-z0-9-]{0,39}")
_FIELDS = ("name", "description", "tools", "model")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent that the tool `delegate` offers."""

    name: str
    description: str
    """When to use it."""
    text: str
    """Its instructions."""
    tools: tuple[str, ...]
    """The only tools that it may call; empty for those that any helper has."""
    model: str
    """The model to use if the settings name none for the role of the agent's name; "" for the caller's."""
    where: str
    """The file, for display."""
    sha256: str
    """The hash of the file."""
    is_users: bool
    """Whether the file is in the user's configuration, not in the repository."""
    source: str = ""
    """The whole file without invisible characters, which the question for consent shows; "" in records."""


@dataclass(frozen=True)
class AgentFiles:
    """The agents that files define, and a sentence for each file or field that is not used."""

    agents: list[Agent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _NotUsable(Exception):
    """Raised for a file that defines no agent. The message says why, as the rest of a sentence."""


def find_agents(root: Path, can_ask: bool = True) -> AgentFiles:
    """Return the agents of the user's configuration, then those of the repository in the folder `root` if the user
    can be asked about them. No file raises an error.

    If the user's config file is inside the repository, the files beside it are the repository's.
    """
    found = AgentFiles()
    own = user_file().absolute().parent / "agents"
    # `realpath` raises no error for a loop of links, as `resolve` does in Python 3.12 and earlier.
    top, beside, target = (Path(os.path.realpath(each)) for each in (root, own.parent, own))
    folders = dict.fromkeys(REPOSITORY_FOLDERS)
    if beside.is_relative_to(top) or target.is_relative_to(top):
        folders = {os.path.relpath(target, top): None} | folders
    else:
        _add(found, own, USERS, None)
    for folder in folders if can_ask else ():
        _add(found, root / folder, folder, root)
    return found


def _add(found: AgentFiles, folder: Path, shown: str, inside: Path | None) -> None:
    try:
        files = nsmallest(2 * MAX_AGENTS + 1, folder.glob("*.md"))
    except OSError as error:
        found.problems.append(f"{shown} cannot be read: {error.strerror}.")
        return
    for number, file in enumerate(files):
        if len(found.agents) == MAX_AGENTS or number == 2 * MAX_AGENTS:
            found.problems.append(f"{shown} has more files than are read: at most {MAX_AGENTS} agents are offered.")
            return
        where = f"{one_line(file.name)} of {shown}" if inside is None else f"{shown}/{one_line(file.name)}"
        try:
            agent, ignored = _read(file, where, inside)
            if other := next((each for each in found.agents if each.name == agent.name), None):
                raise _NotUsable(f"{other.where} defines the agent {agent.name} too")
        except _NotUsable as error:
            found.problems.append(f"{where} is not used: {error}.")
            continue
        found.agents.append(agent)
        if ignored:
            whose = "" if inside is None else " in an agent of the repository"
            found.problems.append(f"{where}: {' and '.join(ignored)} has no effect{whose}.")


def _read(file: Path, where: str, inside: Path | None) -> tuple[Agent, list[str]]:
    """Return the agent of a file, and the names of the fields that have no effect. Raises _NotUsable."""
    try:
        data = read_limited(file, MAX_BYTES, inside)
    except UsageError:
        raise _NotUsable(f"it has more than {MAX_BYTES:,} bytes") from None
    except OSError as error:
        raise _NotUsable(f"it cannot be read ({error.strerror})") from None
    # The user is shown the text that is parsed: cleaned in parts, it could contain more than cleaned as a whole.
    source = clean_text(data)
    front, text = split_front_matter(source)
    fields, text = _parse(front), text.strip()
    name = _text(fields, "name") or file.stem
    if not _NAME.fullmatch(name):
        raise _NotUsable("its name is not of lower-case letters, digits and hyphens, at most 40")
    if name in USED_NAMES:
        raise _NotUsable(f"the name {name} has a meaning of its own in runs")
    description = one_line(_text(fields, "description"))
    if not description or not text:
        raise _NotUsable("it has no description" if not description else "it has no text below the front matter")
    if len(description) > MAX_DESCRIPTION:
        description = f"{description[:MAX_DESCRIPTION]}…"
    is_claudes = where.startswith(CLAUDE_FOLDER)
    tools = _tools(fields["tools"], is_claudes) if "tools" in fields else ()
    digest = sha256(data).hexdigest()
    agent = Agent(name, description, text, tools, _text(fields, "model"), where, digest, inside is None, source)
    known = _FIELDS if inside is None else _FIELDS[:-1]
    agent = agent if inside is None else replace(agent, model="")
    return agent, sorted(one_line(str(each))[:40] for each in fields.keys() - set(known))


def _parse(text: str) -> dict[str, Any]:
    """Return the fields of front matter, whose values are strings and lists. Raises _NotUsable."""
    import yaml

    if not text:
        raise _NotUsable("it has no front matter between two lines ---")
    if len(text) > MAX_FRONT_MATTER:
        raise _NotUsable(f"its front matter has more than {MAX_FRONT_MATTER:,} characters")
    try:
        # This loader makes strings, lists and mappings only.
        fields = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 2}" if error.problem_mark else ""
        raise _NotUsable(f"its front matter is not valid YAML{line}") from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        raise _NotUsable("its front matter is not valid YAML") from None
    if not isinstance(fields, dict):
        raise _NotUsable("its front matter has no fields")
    return fields


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise _NotUsable(f"its {name} is not a text")
    return value.strip()


def _tools(value: Any, is_claudes: bool) -> tuple[str, ...]:
    """Return the names of the tools in a list, or in a text with commas. Raises _NotUsable for an unknown tool, and if
    there is none."""
    named = value.split(",") if isinstance(value, str) else value
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise _NotUsable("its tools are not a list of names")
    named = [each.strip() for each in named if each.strip()]
    if not named:
        raise _NotUsable("its list of tools is empty")
    known = {name.replace("-", "_") for name in names("tools")} - {"base"}
    tools = [CLAUDE_TOOLS.get(each, each) if is_claudes else each.replace("-", "_") for each in named]
    unknown = [each for each in tools if each not in known and SEPARATOR not in each]
    if unknown and (not is_claudes or len(unknown) == len(tools)):
        raise _NotUsable(f"there is no tool {one_line(unknown[0])[:40]}; the tools are {', '.join(sorted(known))}")
    return tuple(dict.fromkeys(each for each in tools if each not in unknown))
