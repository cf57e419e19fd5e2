"""The file format of a graph of phases, and the checks of a graph before a run starts."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from agent.conversation.model_roles import CODER
from extensions.papers.file_summaries import known_summaries
from extensions.papers.history_prompt import RETRIEVED
from extensions.papers.place_fusion import list_files, list_neighbours
from tools.base import Toolbox
from trajectories.errors import ConfigError
from trajectories.plugins import extension_module

if TYPE_CHECKING:
    from agent.engine.task import Task

GRAPH = "graph"
"""The name of the prompt with the strategy's graph. Prompts named `<kind>.graph` hold other graphs to choose from."""
END = "end"
NAME = r"^[a-z][a-z0-9_]{0,40}$"
PROMPT_NAMES = "issue", "places", "proof", "failed", "since"
"""Placeholders that prompts may use in addition to the names of phases, `part` and `patch`."""


def _suspicious_lines(task: Task, tests: Sequence[str]) -> str:
    suspects = extension_module("extensions.papers.fault_suspects", "The placeholder `suspects`", "repair")
    return str(suspects.suspicious_lines(task, tests))


COMPUTED_NAMES: Mapping[str, Callable[[Task, Sequence[str]], str]] = {
    "suspects": _suspicious_lines,
    "memory": known_summaries,
    "files": list_files,
    "neighbours": list_neighbours,
}
"""Placeholders whose texts take time to compute and are computed only if a prompt uses them."""


class Phase(BaseModel):
    """A phase of a graph: its role, its prompt, and the phase that follows.

    `asks` is the kind of result: `words` is an answer in text, `judgement` an answer whose last line is yes or no,
    `query` an answer in text after searches of the code graph, `search` the places that the role rates best in a tree
    search over the code graph, `fusion` the places that the phases in `of` name, fused by rank with those found
    without a model, `work` changes made in one conversation that continues whenever the phase is entered again, `parts`
    changes made by several developers, one for each part that the answers of the phases in `of` name, and `proof` a
    proof without a model. `tools` are the tools for the work; an empty list means all. For text answers and judgements,
    tools may read files and run commands but not change files, and an empty list means no tools. `rounds` is the
    maximum number of replies with queries, ratings or tools; after queries or tools, an answer in text is required. If
    the phase has no tools, `samples` answers are requested in parallel. A `weigher` is a role that rates each answer
    from 0 to 1; only answers rated at least `sure` are kept. A `translator` is a role that writes the searches of a
    `query` in SQL; by default it is the phase's own. If the phase `runs` code, the weigher is shown what the Python
    code in an answer prints.

    `until` says what ends the work: only a submission, or also a reply in text. If the work is `anchored`, a change is
    reverted if it breaks a test that was written during the work and passed before. If the work is `checked`,
    diagnostics are shown after each edit.

    If a phase is entered again, its conversation gets the text `again` instead of the prompt; the default shows the
    objections to the work, or the changes since the last judgement.

    If the phase `remembers`, its answer's lines about files are kept, and `$memory` shows them while a file is
    unchanged.

    `failed`, if set, is the phase that follows instead of `next` if a judgement is no, a patch is not proven, or not
    all parts are finished and merged. A phase is entered at most `visits` times; after that, the graph ends.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    asks: Literal["words", "judgement", "query", "search", "fusion", "work", "parts", "proof"]
    role: str = Field(default=CODER, pattern=NAME)
    prompt: str = ""
    again: str = ""
    tools: tuple[str, ...] = ()
    samples: int = Field(default=1, ge=1, le=26)
    translator: str = ""
    weigher: str = ""
    weigh: str = ""
    sure: float = Field(default=0.7, ge=0, le=1)
    runs: bool = False
    rounds: int = Field(default=15, ge=1, le=50)
    until: Literal["submit", "words"] = "submit"
    anchored: bool = False
    checked: bool = False
    of: Annotated[tuple[str, ...], BeforeValidator(lambda given: (given,) if isinstance(given, str) else given)] = ()
    remembers: bool = False
    next: str = END
    failed: str = ""
    visits: int = Field(default=3, ge=1, le=20)


class Graph(BaseModel):
    """Phases by name. Execution starts with the first phase. `when` says for which issues the graph is meant, if there
    are several to choose from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: str = ""
    phase: dict[Annotated[str, Field(pattern=NAME)], Phase] = Field(min_length=1)


def check_graph(prompts: Mapping[str, str], roles: Sequence[str]) -> None:
    """Raise ConfigError if a graph of these prompts is not valid, or has a phase that is never entered or never leads
    to the end. This is called before a run starts."""
    for graph in read_graphs(prompts, roles).values():
        _check_routes(graph)


def read_graphs(prompts: Mapping[str, str], roles: Sequence[str]) -> dict[str, Graph]:
    """Return the graphs among these prompts by the names of the prompts, the strategy's own first. Raises
    ConfigError."""
    names = [GRAPH, *sorted(name for name in prompts if name.endswith(f".{GRAPH}"))]
    return {name: read_graph(prompts[name], roles) for name in names}


def read_graph(text: str, roles: Sequence[str]) -> Graph:
    """Parse a graph. Raises ConfigError if it is not valid, or names an unknown phase, role or tool."""
    fix = "docs/strategies.md describes the format of a graph."
    try:
        graph = Graph.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The graph is not valid TOML: {error}.", fix) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"The graph's {where or 'text'} is not valid: {first['msg']}.", fix) from None
    tools = tuple(Toolbox().tools)
    in_words = tuple(name for name, phase in graph.phase.items() if phase.asks == "words")
    for name, phase in graph.phase.items():
        if name in (*PROMPT_NAMES, *COMPUTED_NAMES, *RETRIEVED, "part", "patch", END):
            raise ConfigError(f"A phase of a graph cannot be named {name}: the name is reserved.", fix)
        for what, said, known in (
            ("leads to the unknown phase", (phase.next, *filter(None, [phase.failed])), (*graph.phase, END)),
            ("takes its parts from what is no phase in words,", phase.of if phase.asks == "parts" else (), in_words),
            ("fuses the unknown phase", phase.of if phase.asks == "fusion" else (), tuple(graph.phase)),
            ("has the unknown tool", phase.tools, tools),
            ("has the unknown role", (phase.role, *filter(None, [phase.weigher, phase.translator])), roles),
        ):
            if unknown := [one for one in said if one not in known]:
                raise ConfigError(f"The graph's phase {name} {what} {unknown[0]!r}.", f"Known: {', '.join(known)}.")
        if (phase.asks in ("parts", "fusion")) != bool(phase.of):
            raise ConfigError(
                f'The graph\'s phase {name} needs both asks = "parts" or "fusion" and `of`, or neither.',
                "Name the phases whose answers have the parts or places in `of`.",
            )
        if phase.tools and phase.samples > 1:
            raise ConfigError(f"The graph's phase {name} has samples and tools.", "Remove one of the two.")
    return graph


def _check_routes(graph: Graph) -> None:
    """Raise ConfigError for a phase that is never entered, and for one from which no route leads to the end."""
    from networkx import DiGraph, ancestors, descendants

    routes: DiGraph[str] = DiGraph()
    routes.add_nodes_from([*graph.phase, END])
    routes.add_edges_from((name, to) for name, one in graph.phase.items() for to in (one.next, one.failed) if to)
    first = next(iter(graph.phase))
    if unused := [name for name in graph.phase if name not in {first, *descendants(routes, first)}]:
        raise ConfigError(f"No phase of the graph leads to {unused[0]}.", "Remove it, or name it in next or failed.")
    if endless := [name for name in graph.phase if name not in ancestors(routes, END)]:
        raise ConfigError(f"The graph's phase {endless[0]} does not lead to the end.", f'Set next = "{END}".')
