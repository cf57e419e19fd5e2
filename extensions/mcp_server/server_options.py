"""The options of the MCP server: which repositories, tools and settings its clients get. No client can change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.config.settings import NOWHERE, WITHOUT_MEMORY, Settings, load_settings
from extensions.mcp_server.server_budget import ServerBudget
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository

LONGEST_PATH = 4_000
"""Maximum number of characters of a path that a client names."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What the user who starts the server decides.

    `roots` are the resolved tops of the repositories that can be named; the user trusts their git configuration.
    `flags` are the settings that were given on the command line, by name; all others come from the environment, the
    user's file and the repository's, as for `fix`.
    `budget` is shared by all runs of the server.
    """

    roots: tuple[Path, ...]
    flags: Mapping[str, Any] = field(default_factory=dict)
    budget: ServerBudget = field(default_factory=lambda: ServerBudget(None))

    def settings(self, source: Repository, rev: str | None = None, **chosen: Any) -> Settings:
        """Return the settings of a run on this repository at `rev`, or else at its working tree; `chosen` are those
        that the tool itself decides.

        Nothing is delivered, whatever the configuration says. As in batches, nothing is learnt from the runs, whose
        issues may come from strangers, and they do not read the user's memory.
        """
        own = source.file(".swe-agent.toml", rev) or b""
        settings = load_settings(own, **{**self.flags, **WITHOUT_MEMORY, **chosen})
        return settings.model_copy(update=NOWHERE)

    def open_repository(self, name: str = "") -> Repository:
        """Return the repository that a client names by a root's path, or by its folder name if no other root has the
        same; without a name, the first root's.

        Only the names are compared, so the answer does not say what exists elsewhere. A repository below a root has
        its own git configuration, which can run commands, so it must be a root itself. Raises UsageError.
        """
        from aci.observation.untrusted_text import one_line

        path = Path(name)
        found = [root for root in self.roots if root == path] or [root for root in self.roots if root.name == name]
        if not name or len(found) == 1:
            return _open_root(found[0] if name else self.roots[0])
        what = f"{one_line(name)[:200]!r} is not one repository of this server."
        listed = ", ".join(map(str, self.roots))
        raise UsageError(what, f"Name one of these: {listed}. Others need a start of the server with --root for them.")


def server_options(roots: Sequence[Path], flags: Mapping[str, Any]) -> ServerOptions:
    """Return the options of a server for these roots, by default the repository around the working directory.

    Raises UsageError for a root that is not the top of a repository, and what `load_settings` raises for a setting.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    settings = load_settings(**given)
    named = [root.expanduser().resolve() for root in roots] or [_default_root()]
    served = tuple(_open_root(root).root for root in dict.fromkeys(named))
    return ServerOptions(served, given, ServerBudget(settings.budget, settings.max_tokens))


def _open_root(root: Path) -> Repository:
    """Return the repository whose top is this resolved folder. Raises UsageError if there is none."""
    from aci.repository.user_repository import Repository

    source = Repository.open(root)
    if source.root != root:
        raise UsageError(f"{root} is not the top of a git repository.", f"Serve the whole: --root {source.root}.")
    return source


def _default_root() -> Path:
    """Return the top of the repository around the working directory. Raises UsageError if there is none."""
    from aci.repository.user_repository import Repository

    return Repository.open(Path.cwd()).root
