"""The options of the MCP server: which repositories, tools and settings its clients get. No client can change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.config.settings import NOWHERE, Settings, load_settings
from agent.mcp.server_budget import ServerBudget
from trajectories.errors import NoRepository, UsageError

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository

LONGEST_PATH = 4_000
"""Maximum number of characters of a path that a client names."""
ONLY_FOLDERS = "Name a folder below one of the server's roots: {}."


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What the user who starts the server decides.

    `roots` are resolved folders: only repositories in them can be named. `flags` are the settings that were given on
    the command line, by name; all others come from the environment, the user's file and the repository's, as for `fix`.
    `budget` is shared by all runs of the server.
    """

    roots: tuple[Path, ...]
    flags: Mapping[str, Any] = field(default_factory=dict)
    budget: ServerBudget = field(default_factory=lambda: ServerBudget(None))

    def settings(self, source: Repository, **chosen: Any) -> Settings:
        """Return the settings of a run on this repository; `chosen` are those that the tool itself decides.

        Nothing is delivered, whatever the configuration says. As in batches, nothing is learnt from the runs, whose
        issues may come from strangers.
        """
        own = source.file(".swe-agent.toml") or b""
        settings = load_settings(own, **{**self.flags, "experience": False, **chosen})
        return settings.model_copy(update=NOWHERE)

    def has_model(self) -> bool:
        return bool(load_settings(**self.flags).model)

    def open_repository(self, name: str = "") -> Repository:
        """Return the repository that a client names by a path, absolute or relative to the first root; without a name,
        the first root.

        Raises UsageError if the path, the working tree or the git directory is outside the roots after links are
        resolved. The message does not say whether anything exists there.
        """
        from aci.repository.user_repository import Repository

        folder = self._folder(name)
        try:
            source = Repository.open(folder)
        except NoRepository as error:
            raise UsageError(error.message, ONLY_FOLDERS.format(self._listed())) from None
        # The folder may be in a repository that begins above the root; its `.git` may name another one; and git itself
        # may take the files from elsewhere.
        files = (source.git_dir / source.configured("core.worktree")).resolve() if not source.bare else source.root
        if not all(map(self.contains, (source.root, source.git_dir, files))):
            raise self._outside(name)
        return source

    def contains(self, path: Path) -> bool:
        """Return whether a resolved path is in one of the roots."""
        return any(path.is_relative_to(root) for root in self.roots)

    def _folder(self, name: str) -> Path:
        if "://" in name:
            raise UsageError("A repository is named by its folder, not by a URL.", ONLY_FOLDERS.format(self._listed()))
        try:
            if len(name) > LONGEST_PATH:
                raise ValueError
            folder = (self.roots[0] / name).resolve()
            is_there = self.contains(folder) and folder.is_dir()
        except (OSError, ValueError, RuntimeError):  # too long, a null byte, or a loop of links
            raise self._outside("") from None
        if not is_there:
            raise self._outside(name)
        return folder

    def _outside(self, name: str) -> UsageError:
        from aci.observation.untrusted_text import one_line

        what = f"{one_line(name)[:200]!r} is not a folder" if name else "There is no such folder"
        return UsageError(f"{what} in the server's roots.", ONLY_FOLDERS.format(self._listed()))

    def _listed(self) -> str:
        return ", ".join(map(str, self.roots))


def server_options(roots: Sequence[Path], flags: Mapping[str, Any]) -> ServerOptions:
    """Return the options of a server for these roots, by default the repository around the working directory.

    Raises UsageError for a root that is not a folder, and what `load_settings` raises for a setting.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    settings = load_settings(**given)
    return ServerOptions(
        tuple(map(_resolve_root, roots)) or (_default_root(),),
        given,
        ServerBudget(settings.budget, settings.max_tokens),
    )


def _resolve_root(root: Path) -> Path:
    folder = root.expanduser()
    if not folder.is_dir():
        raise UsageError(f"{root} is not a folder.", "Give a folder with repositories: --root DIR.")
    return folder.resolve()


def _default_root() -> Path:
    """Return the working tree of the repository around the working directory, or the directory if there is none."""
    from aci.repository.user_repository import Repository

    here = Path.cwd().resolve()
    try:
        root = Repository.open(here).root
    except NoRepository:
        return here
    return root if here.is_relative_to(root) else here
