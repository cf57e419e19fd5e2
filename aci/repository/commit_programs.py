"""The programs that the user's own commit would start: hooks, and those that sign, filter or fetch.

`git commit` uses the repository's configuration, which somebody else may have written. Its hooks are named before they
run. Its other programs are replaced by those of the user's configuration.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aci.repository.config_files import Settings, parse_settings, read_settings
from aci.repository.git_view import USERS, common_folder
from aci.repository.user_repository import Repository
from trajectories.git_store.git_commands import decode, environment, git, setting_variables

HOOKS = (
    *("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"),
    *("post-index-change", "reference-transaction", "post-rewrite", "pre-auto-gc"),
)
"""Hooks that `git commit` may start."""
DEFAULTS = {
    "gpg.program": "gpg",
    "gpg.openpgp.program": "gpg",
    "gpg.x509.program": "gpgsm",
    "gpg.ssh.program": "ssh-keygen",
    "gpg.ssh.defaultkeycommand": "false",
    "core.attributesfile": "",
}
"""Settings that name programs and files on the user's machine, with the values used if the user has not set them."""
FILTER_DEFAULTS = {"clean": "", "smudge": "", "process": "", "required": "false"}


class _Setting(NamedTuple):
    name: str
    value: str
    is_users: bool
    """Whether it is in the user's or the system's configuration, not in the repository's."""


def commit_environment(repository: Repository, with_hooks: bool, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for `git commit`, with the variables `own` added. Hooks need the user's environment.

    Raises GitFailed if git cannot read its configuration.
    """
    settings = _settings(repository)
    chosen = _replaced(settings) | _submodules_unread(repository, settings)
    if not with_hooks:
        chosen |= {f"hook.{_subsection(each.name)}.enabled": "false" for each in settings if _is(each.name, "hook")}
    for each in settings:  # git would fetch objects that a partial clone lacks, with the repository's programs
        if _is(each.name, "remote", "promisor") or each.name == "extensions.partialclone":
            own = {**own, "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
    return environment({**setting_variables(chosen.items(), os.environ), "GIT_TERMINAL_PROMPT": "0", **own}, keep=USERS)


def _settings(repository: Repository) -> list[_Setting]:
    """Return the settings that git has for the repository, with those of files that the configuration includes."""
    place = {"GIT_DIR": str(repository.git_dir), "GIT_WORK_TREE": str(repository.root)}
    listed = git("config", "--list", "--show-scope", "-z", env=environment(place, keep=USERS), cwd=repository.root)
    fields = decode(listed).split("\0")
    pairs = zip(fields[::2], parse_settings(fields[1::2]), strict=False)
    return [_Setting(name, value, scope not in ("local", "worktree")) for scope, (name, value) in pairs]


def _replaced(settings: Sequence[_Setting]) -> Settings:
    """Return the user's values, or else defaults, of the settings that name programs."""
    users = {each.name: each.value for each in settings if each.is_users}
    if "gpg.program" in users:
        users.setdefault("gpg.openpgp.program", users["gpg.program"])
    chosen = {name: users.get(name, default) for name, default in DEFAULTS.items()}
    chosen["gpg.program"] = chosen["gpg.openpgp.program"]  # two names of one setting
    for each in settings:
        key = each.name.rpartition(".")[2]
        if not each.is_users and _is(each.name, "filter", key) and key in FILTER_DEFAULTS:
            chosen[each.name] = users.get(each.name, FILTER_DEFAULTS[key])
    return chosen


def _submodules_unread(repository: Repository, settings: Sequence[_Setting]) -> Settings:
    """Return settings with which git does not look for changes in submodules, whose configuration it would use."""
    names = [each.name for each in settings]
    names += [name for name, _ in read_settings(repository.root / ".gitmodules")]
    found = {_subsection(name) for name in names if name.startswith("submodule.")} - {""}
    return {"diff.ignoreSubmodules": "dirty"} | {f"submodule.{name}.ignore": "dirty" for name in found}


def _is(name: str, section: str, key: str = "command") -> bool:
    return name.startswith(f"{section}.") and name.endswith(f".{key}") and bool(_subsection(name))


def _subsection(name: str) -> str:
    return name.partition(".")[2].rpartition(".")[0]


def active_hooks(repository: Repository) -> dict[str, str]:
    """Return the hooks that the user's own commit would run, each with its program: those in the folder of hooks, and
    with a new git, those of the configuration."""
    folder = hooks_folder(repository)
    found = {name: str(folder / name) for name in HOOKS if os.access(folder / name, os.X_OK)}
    commands: dict[str, str] = {}
    events: dict[str, set[str]] = {}
    for each in _settings(repository):
        if _is(each.name, "hook"):
            commands[_subsection(each.name)] = each.value
        elif _is(each.name, "hook", "event"):
            named = events.setdefault(_subsection(each.name), set())
            named.add(each.value) if each.value else named.clear()
    return found | {name: command for name, command in commands.items() if events.get(name, set()) & {*HOOKS}}


def describe_skipped_hooks(repository: Repository) -> str:
    """Return a sentence that names the hooks that a commit on a new branch did not run; "" if there are none."""
    names = active_hooks(repository)
    return f"The repository's hooks were not run: {', '.join(names)}." if names else ""


def hooks_in_tree(repository: Repository, hooks: Mapping[str, str]) -> frozenset[str]:
    """Return the paths of the hooks that are in the working tree, both as configured and with links resolved."""
    folder, root = hooks_folder(repository), repository.root
    files = [folder / name for name in hooks if name in HOOKS]
    words = [word for name, command in hooks.items() if name not in HOOKS for word in command_words(command)]
    files += [root / word for word in words if (root / word).is_file()]
    written = {os.path.relpath(file, root) for file in files}
    real = {os.path.relpath(file.resolve(), root.resolve()) for file in files}
    in_real_folder = {os.path.relpath(file.parent.resolve() / file.name, root.resolve()) for file in files}
    return frozenset(path for path in written | real | in_real_folder if not path.startswith("../"))


def command_words(command: str) -> list[str]:
    """Return the words of a command as a shell splits it, or as blanks do if it has an open quotation mark."""
    try:
        return shlex.split(command)
    except ValueError:  # an open quotation mark
        return command.split()


def hooks_folder(repository: Repository) -> Path:
    """Return the folder from which git takes the repository's hooks."""
    named = repository.view.settings.get("core.hookspath", "")
    if not named:
        command = ("config", "--type=path", "core.hooksPath")
        named = decode(git(*command, env=repository.view.environment({}), ok=(0, 1))).strip()
    return repository.root / Path(named).expanduser() if named else common_folder(repository.git_dir) / "hooks"
