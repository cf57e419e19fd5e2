"""Workspaces in a sandbox of this machine, made by bubblewrap: a fresh clone, the system's programs and the project's
environment, with no network, no capabilities and no other files."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

from aci.docker.container_limits import parse_size
from aci.environments.environment_plan import BROWSER_SETUP
from aci.environments.environment_records import browser_folder, generated_archive
from aci.host.clones import FOLDER, OBJECTS, PACKAGES, CloneFamily, prepare_clones
from aci.runtime.posix_workspace import SESSION_ENVIRONMENT, PosixWorkspace
from aci.runtime.process_channel import Channel, ProgramStarter, TerminalStarter
from aci.runtime.snapshots import SUBMODULES
from aci.runtime.workspace import Workspace, WorkspaceOptions
from extensions.sandbox.bubblewrap import FilterKind, SandboxContents, unavailable_reason
from extensions.sandbox.disk_watch import DiskWatch
from extensions.sandbox.sandbox_process import Sandbox
from extensions.sandbox.systemd_scope import ScopeLimits
from extensions.sandbox.visible_paths import SYSTEM, SocketSearch, VisibleTools, add_own_files, system_contents
from trajectories.plugins import installed_module

HOME = f"{FOLDER}/home"
KEPT = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYENV_VERSION", "JAVA_HOME", "GOROOT")
"""Variables of the user's environment that commands see."""

OPEN_FILES = 4096
ARCHIVE = f"{FOLDER}/generated.tar"
HARNESS_PROCESSES = 100
"""Number of processes that the harness can start if the agent has started as many as it may."""

_OWN = ("/", "/tmp", "/home", "/root", "/opt", "/mnt", "/srv")
_USED = (*SYSTEM, "/etc", "/proc", "/dev", "/sys", "/run", "/var/tmp", FOLDER)


def open(options: WorkspaceOptions) -> Workspace:
    """Open a workspace (see `open_workspace`). Raises WorkspaceError with the cause if no sandbox can be made here."""
    if error := unavailable_reason():
        raise error
    checkout = options.repository.root
    python, generated = prepare_clones(options)
    tools = VisibleTools(python, os.environ, checkout)
    mounted = [str(path.relative_to(checkout)) for path in tools.shown if path.is_relative_to(checkout)]
    packages = {Path(PACKAGES, name): source for name, source in generated.packages.items()}
    tools.shown |= packages
    untrusted = [*packages, *([python.prefix] if python else [])]
    if (browser := browser_folder(options)) and (browsers := installed_module(BROWSER_SETUP)):
        tools.shown[Path(browsers.FOLDER)] = browser
        tools.variables |= browsers.VARIABLES
        untrusted.append(Path(browsers.FOLDER))
    with SocketSearch({place: tools.shown[place] for place in untrusted if place in tools.shown}) as search:
        family = CloneFamily(options, generated, is_sandboxed=True, mounted=mounted)
        try:
            tools.sockets = search.found()
        except BaseException:
            family.discard()
            raise
    tools.emptied = {Path(PACKAGES, name): checkout / name for name in generated.package_caches()}
    return PosixWorkspace(SandboxHost(family, tools, options), options)


def root_for(checkout: Path) -> str:
    """Return the path of the repository in a sandbox: that of the user's checkout, so that the scripts and editable
    installations of its environment work; another path if the sandbox needs this one itself."""
    taken = str(checkout) in _OWN or any(checkout.is_relative_to(path) for path in _USED)
    return "/workspace/repo" if taken else str(checkout)


class SandboxHost:
    """A sandbox with a clone. It is restarted if its processes use up its resources."""

    kind = "sandbox"
    shared = False
    scratch, harness = f"{FOLDER}/scratch", f"{FOLDER}/harness"
    inbox, store = f"{FOLDER}/inbox", f"{FOLDER}/store.git"

    def __init__(
        self, family: CloneFamily, tools: VisibleTools, options: WorkspaceOptions, kind: FilterKind = "plain"
    ) -> None:
        self.root = root_for(options.repository.root)
        self._family, self._tools, self._options, self._filters = family, tools, options, kind
        self._clone = family.create()
        self._lock, self._removed = Lock(), False
        self._archive = generated_archive(options)
        self._limits = {
            "nproc": options.processes,
            "fsize": parse_size(options.disk),
            "data": parse_size(options.memory),
            "nofile": min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
            "core": 1,  # with 0, a program that receives cores would still be started
            "sigpending": 4096,
            "msgqueue": 0,
            "memlock": 8 << 20,
            "nice": 0,
            "rtprio": 0,
        }
        processes = options.processes + HARNESS_PROCESSES
        self._scope = ScopeLimits(parse_size(options.memory), processes, options.cpus)
        with ExitStack() as undo:
            undo.callback(family.remove, self._clone.name)
            self._sandbox = Sandbox(self._contents(), kind, self._scope)
            undo.callback(self._sandbox.end)
            if self._archive:
                self._unpack_generated()
            undo.pop_all()
        folders = [self._clone.folder, *filter(None, [options.set_up_folder])]
        self._watch = DiskWatch(folders, parse_size(options.disk), self._restart)

    def start(self, extra: Mapping[str, str], for_harness: bool) -> ProgramStarter:
        env = self._harness_environment(extra) if for_harness else self.environment(extra)
        limits = self._limits | ({"nproc": self._scope.processes} if for_harness else {})

        def start(words: Sequence[str]) -> Channel:
            return self._sandbox.start(words, env, limits, trusted=for_harness)

        return start

    def terminal(self, extra: Mapping[str, str]) -> TerminalStarter:
        return lambda words: self._sandbox.open_terminal(words, self.environment(extra), self._limits)

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the agent's commands."""
        return {
            **SESSION_ENVIRONMENT,
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            **self._tools.variables,
            "HOME": HOME,
            "USER": "user",
            "LOGNAME": "user",
            "PYTHONPATH": f"{self.root}:{self.root}/src",
            **extra,
        }

    def another(self, counting: bool = False) -> SandboxHost:
        return SandboxHost(self._family, self._tools, self._options, "counting" if counting else "plain")

    def notice(self) -> bytes:
        return self._watch.notice()

    def was_short_of_disk(self, since: float) -> bool:
        return self._watch.was_short(since)

    def relieve(self) -> bool:
        self._restart()
        return True

    def remove(self) -> None:
        with self._lock:
            self._removed = True
        self._watch.stop()
        self._sandbox.end()
        self._family.remove(self._clone.name)

    def _unpack_generated(self) -> None:
        """Unpack the files that set-up has generated in the repository. It runs in the sandbox, as set-up did."""
        words = ["tar", "-xkf", ARCHIVE, "-C", self.root]  # no file of the base is replaced
        program = self._sandbox.start(words, self._harness_environment({}), self._limits)
        program.code(60.0)
        program.close(group=True)

    def _restart(self) -> None:
        """End all processes, and start the sandbox again with the same files."""
        with self._lock:
            if not self._removed:
                self._sandbox.end()
                self._sandbox = Sandbox(self._contents(), self._filters, self._scope)

    def _harness_environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        return {"PATH": self._tools.path, "HOME": HOME, **extra}

    def _contents(self) -> SandboxContents:
        """Return the contents of the sandbox. No process of it may run, since some mount points are in its files.

        Where the agent could replace a parent of a mount point by a link, bubblewrap would follow it on this machine.
        So /tmp is new each time, and what belongs into a folder of the clone that is now a link is left out.
        """
        inside = system_contents()
        add_own_files(inside, HOME)
        inside.share(self._clone.renew("tmp"), "/tmp")
        inside.add("--symlink", "/tmp", "/var/tmp")
        for objects, name in ((self._family.history, "history"), (self._family.store, "store")):
            inside.show(objects / "objects", f"{OBJECTS}/{name}")
        if self._family.submodules.exists():
            inside.show(self._family.submodules, f"{FOLDER}/{SUBMODULES}")
        for part, path in (("home", HOME), ("repo", self.root), ("scratch", self.scratch), ("harness", self.harness)):
            inside.share(self._clone.part(part), path)
        for part, path in (("inbox", self.inbox), ("store.git", self.store)):
            inside.share(self._clone.part(part), path)
        for name in ("config", "info"):  # git runs programs that they name
            inside.show(self._family.store / name, f"{self.store}/{name}")
        for shown, source in self._tools.shown.items():
            if self._is_safe(shown):
                inside.show(source, shown)
        for place, source in self._tools.sockets.items():
            if self._is_safe(place) and source.exists():
                inside.show("/dev/null", place)
        for place, source in self._tools.emptied.items():
            if source.exists():
                inside.add("--perms", "0555", "--size", "4096", "--tmpfs", str(place))
        for link, text in self._tools.links.items():
            if not link.is_relative_to(self.root):
                inside.add("--symlink", text, str(link))
        if self._archive:
            inside.show(self._archive, ARCHIVE)
        if folder := self._options.set_up_folder:
            inside.share(folder, folder)
        return inside

    def _is_safe(self, path: Path) -> bool:
        """Return whether no part of a path in the repository is a link there."""
        if not path.is_relative_to(self.root):
            return True
        place = Path(self._clone.part("repo"))
        for name in path.relative_to(self.root).parts:
            place = place / name
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                return False
        return True
