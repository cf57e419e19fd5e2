"""Python environments for workspaces on this machine, for repositories whose user has none.

Set-up is planned as for a container. It runs in a sandbox, with access to the package registries only; where a
workspace without isolation is wanted and no sandbox works, it runs without one with the consent of the user.

An environment is kept in the cache of the user. It is used for the commit that it was made from, and for later commits
while the files that decide what is installed are the same, unless set-up copied or compiled code of the repository. An
environment made from a commit that is not in the base's history is never used, since set-up runs the repository's code.
"""

from __future__ import annotations

import os
import posixpath
import re
import shlex
import shutil
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from aci.docker.base_image import exclusive_lock
from aci.environments.environment_plan import (
    BROWSER_SETUP,
    HOME,
    MODULES,
    OWN_FILES,
    Command,
    EnvironmentOptions,
    Files,
    Plan,
    SetupPlaceKind,
)
from aci.environments.environment_records import (
    BROWSER,
    GENERATED,
    READY,
    digest_of,
    is_made_from,
    read_object,
    record_of,
)
from aci.environments.tree_files import TreeFiles
from aci.host.local_folders import remove_folder
from aci.host.project_python import has_packages, project_python
from aci.observation.activity_message import ActivityMessage
from aci.repository.disk_cache import cache_folder
from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.sandbox_availability import SANDBOX, sandbox_error
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from extensions.environments.environment import as_committed, plan_for, plan_inputs
from extensions.environments.network.container_relay import Programs
from extensions.environments.network.registry_access import open_registries, trust_variables
from extensions.environments.setup_container import SetupResult
from extensions.environments.setup_repairs import APT_INSTALL, Repair
from extensions.environments.setup_run import QUIET_ENVIRONMENT, SetupRun
from extensions.environments.smoke_check import SmokeResult, run_smoke_check
from trajectories.errors import UsageError, WorkspaceError
from trajectories.file_limits import open_regular
from trajectories.plugins import installed_module

FILES = "files"
"""The folder to which set-up can write."""

MOST_ENVIRONMENTS = 10
"""Number of environments that are kept."""

MOST_GENERATED = 500_000_000
_SAVE_GENERATED = (
    "git ls-files -o -i --exclude-standard -z | grep -zvE '(^|/)(__pycache__|[.]pytest_cache|node_modules|build)/' "
    f"| tar --null -cf {{folder}}/{GENERATED} -T -"
)
"""The command that saves ignored files that set-up made in the repository, such as compiled extensions."""

_LIST_BUILT = "git ls-files -o -i --exclude-standard -- 'build/*' '*/build/*' | head -1"

_PACKAGE = re.compile(r"(?!\S*\.(?:zip|whl|tar|t[bglx]z)\b)\w[\w.-]*(?:\[[\w., -]*\])?\s*(?:(?:[<>=!~;\\]|--hash=).*)?")
"""A requirement with the name of a package, as opposed to the path of a folder or archive, or a URL."""

_IN_PLACE = re.compile(r"\.(?:\[[\w., -]*\])?")
_SESSION = "setup"
_DAY = 86400.0


def add_environment(options: WorkspaceOptions, settings: EnvironmentOptions, workspace: str) -> WorkspaceOptions:
    """Do the same as `set_up_environment`, but return the options unchanged if the set-up fails. Raises Cancelled."""
    try:
        return set_up_environment(options, settings, workspace)
    except WorkspaceError as error:
        options.say(f"{error.message} Continuing without an environment, so tests may not run.")
        return options


def set_up_environment(options: WorkspaceOptions, settings: EnvironmentOptions, workspace: str) -> WorkspaceOptions:
    """Return the options of a workspace of the kind `sandbox` or `local` with an environment that is set up for it,
    unless the project has one or none can be planned. None is set up for `local` if the Python on the PATH has all
    packages. Raises WorkspaceError if the set-up fails, and Cancelled."""
    plan = _find_plan(options, settings, workspace)
    if plan is None:
        return options
    kind = _kind(workspace)
    made_from = as_committed(options, settings, plan)
    folder = _find_folder(plan, made_from, settings, kind)
    if folder.resolve().is_relative_to(options.repository.root.resolve()):
        options.say(f"No environment was set up, since the cache, {cache_folder()}, is in the repository.")
        return options
    if not (folder / READY).exists():
        if not _may_set_up(plan, options, settings, kind):
            options.say("No environment was set up, so tests may not run.")
            return options
        options.say(ActivityMessage("Setting up a Python environment for the tests, once"))
        try:
            locks = cache_folder() / "locks"
            locks.mkdir(parents=True, exist_ok=True)
            with exclusive_lock(locks / f"host-environment-{folder.name}.lock", options):
                if not (folder / READY).exists():
                    _set_up(plan, folder, made_from, settings, kind)
        except WorkspaceError:
            remove_folder(folder)
            raise
    os.utime(folder / READY)
    return replace(options, environment=folder / FILES / "venv")


def needs_set_up(options: WorkspaceOptions, settings: EnvironmentOptions, workspace: str) -> bool:
    """Return whether `add_environment` would have to set up an environment first."""
    found = find_host_plan(options, settings, workspace)
    return found is not None and not (found[1] / READY).exists()


def find_host_plan(options: WorkspaceOptions, settings: EnvironmentOptions, workspace: str) -> tuple[Plan, Path] | None:
    """Return the plan of the environment that `add_environment` uses, with the commands as they run there, and its
    folder; None if it uses none."""
    plan = _find_plan(options, settings, workspace)
    if plan is None:
        return None
    folder = _find_folder(plan, as_committed(options, settings, plan), settings, _kind(workspace))
    return _relocated(plan, folder / FILES), folder


def _kind(workspace: str) -> str:
    """Return the kind of workspace in which set-up runs."""
    return "local" if workspace == "local" and sandbox_error() else "sandbox"


def _find_plan(options: WorkspaceOptions, settings: EnvironmentOptions, workspace: str) -> Plan | None:
    """Return the plan for an environment; None if the project needs none, or none can be planned."""
    if project_python(options):
        return None
    if installed_module(SANDBOX) is None:  # set-up would run without its network filter
        return None
    try:
        plan = plan_for(options, settings)
    except UsageError:
        return None
    browsers = installed_module(BROWSER_SETUP)
    if plan.browser:
        plan = browsers.host_plan(plan, workspace)
    if plan.language != "python" or not plan.setup:
        has_playwright = (options.repository.root / "node_modules/playwright-core").is_dir()
        alone: Plan | None = browsers.browser_only(plan) if plan.browser and not has_playwright else None
        return alone
    files = TreeFiles(options.trees, options.base.tree)
    if workspace == "local" and has_packages([each.text for each in plan.setup], files):
        return None
    return replace(plan, alternatives=())


def _may_set_up(plan: Plan, options: WorkspaceOptions, settings: EnvironmentOptions, kind: str) -> bool:
    if kind == "local":
        return options.may_set_up("", plan.commands, ())
    return not settings.hosts or options.may_set_up("a sandbox on this machine", plan.commands, settings.hosts)


def _relocated(plan: Plan, folder: Path) -> Plan:
    """Return the plan with another folder than the one in containers."""

    def moved(text: str) -> str:
        return text.replace(HOME, shlex.quote(str(folder)))

    setup = tuple(Command(moved(each.text), each.why, each.optional) for each in plan.setup)
    paths = tuple(each.replace(HOME, str(folder)) for each in plan.paths)
    variables = {name: value.replace(HOME, str(folder)) for name, value in plan.variables.items()}
    return replace(
        plan, setup=setup, paths=paths, variables=variables, browser=moved(plan.browser.removesuffix(f" {MODULES}"))
    )


def _find_folder(plan: Plan, options: WorkspaceOptions, settings: EnvironmentOptions, kind: str) -> Path:
    """Return the folder of the environment to use: that of the base's commit, or else that of an earlier commit, if one
    with the same inputs exists and has no copy of the repository's code."""
    own = _folder(plan, options, settings, kind)
    if (own / READY).exists():
        return own
    setup = _setup_key(plan, options, settings, kind)
    for folder in _last_used(own.parent):
        record = folder / READY
        is_free = plan.serves_later_commits or read_object(record).get("serves_later_commits")
        if is_free and is_made_from(record, setup, options):
            return folder
    return own


def _folder(plan: Plan, options: WorkspaceOptions, settings: EnvironmentOptions, kind: str = "sandbox") -> Path:
    made = [_setup_key(plan, options, settings, kind), options.base.commit, options.base.tree]
    return cache_folder() / "host-environments" / digest_of(made)


def _setup_key(plan: Plan, options: WorkspaceOptions, settings: EnvironmentOptions, kind: str) -> str:
    """Return a hash of what is installed, from which files, and how.

    The path of the clone is a part of it, unlike for an image, so each clone of a repository has its own environment:
    an editable installation records this path, and set-up also reads files of the clone that git ignores, which may
    differ between clones of the same commit (`prepare_clones`). So a prepared clone cannot change the environment of
    another one.
    """
    made = {
        "kind": kind,
        "repository": str(options.repository.root),
        "inputs": plan_inputs(plan, options),
        "setup": [each.text for each in plan.setup],
        "python": os.path.realpath(shutil.which("python3") or ""),
        "hosts": sorted(settings.hosts),
        "variables": [dict(plan.variables), dict(settings.set_up_environment)],
        "test": settings.test,
    }
    return digest_of(made | plan.recipe)


def _set_up(plan: Plan, folder: Path, options: WorkspaceOptions, settings: EnvironmentOptions, kind: str) -> None:
    _remove_oldest(folder.parent)
    remove_folder(folder)
    folder.mkdir(parents=True, mode=0o700)
    (folder / FILES).mkdir()
    here = replace(options, set_up_folder=folder / FILES, say=lambda line: None)
    with closing(open_workspace(kind, here)) as opened:
        assert isinstance(opened, PosixWorkspace)
        place = HostPlace(opened, folder / FILES)
        setup = HostSetup(_relocated(plan, folder / FILES), options, settings, place=place)
        setup.run()
    if any((folder / FILES / name).is_symlink() for name in ("venv", BROWSER)):
        raise WorkspaceError("The set-up replaced its environment by a link.", "Do not trust this repository.")
    with suppress(OSError), open_regular(folder / FILES / GENERATED, inside=folder / FILES) as archive:
        if os.fstat(archive.fileno()).st_size <= MOST_GENERATED:
            (folder / GENERATED).write_bytes(archive.read(MOST_GENERATED))
    files = TreeFiles(options.trees, options.base.tree)
    is_planned = plan.source == OWN_FILES and not settings.setup
    is_free = (
        is_planned
        and all(_copies_nothing(command, files, plan.inputs) for command in setup.ran)
        and not (setup.has_build_folder or _has_generated_code(folder / GENERATED))
    )
    record = record_of(_setup_key(plan, options, settings, kind), options, is_free, setup.proposed, setup.browser)
    (folder / READY).write_text(record, "utf-8")


def _copies_nothing(command: str, files: Files, inputs: Sequence[str]) -> bool:
    """Return whether a command only creates the environment or installs packages, the repository's own in place.

    `inputs` are the files that decide what is installed. A requirement file must be one of them.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words = list(lexer)
    if words[:3] == ["python3", "-m", "venv"]:
        return len(words) == 4
    if words[:2] != ["pip", "install"] or re.search(r"[$`\n]", command):
        return False
    return all(_installs_packages(before, word, files, inputs) for before, word in pairwise(words[1:]))


def _installs_packages(before: str, word: str, files: Files, inputs: Sequence[str]) -> bool:
    """Return whether the argument of pip after `before` installs packages of a registry, or the repository in place."""
    if before == "-e":
        return bool(_IN_PLACE.fullmatch(word))
    if before not in ("-r", "-c"):
        return word in ("-e", "-r", "-c", "--no-build-isolation") or bool(_PACKAGE.fullmatch(word))
    if word not in inputs or word not in files:
        return False
    lines = files[word].decode("utf-8", "replace").splitlines()
    return all(_lists_packages(line.strip(), word, files, inputs) for line in lines)


def _lists_packages(line: str, path: str, files: Files, inputs: Sequence[str]) -> bool:
    """Return the same for a line of the requirement file `path`."""
    if not line or line[0] == "#" or line.startswith("--hash="):
        return True
    if option := re.match(r"(-[erc])\s*(.*)", line):
        nested = posixpath.normpath(posixpath.join(posixpath.dirname(path), option[2]))
        others = [each for each in inputs if each != path]  # files that include each other must not recurse forever
        return _installs_packages(option[1], option[2] if option[1] == "-e" else nested, files, others)
    return bool(_PACKAGE.fullmatch(line))


def _has_generated_code(archive: Path) -> bool:
    """Return whether set-up made ignored files in the repository, apart from metadata of packages."""
    try:
        with tarfile.open(archive) as opened:
            return any(".egg-info/" not in f"/{name}" for name in opened.getnames())
    except (OSError, tarfile.TarError):
        return True


def _last_used(parent: Path) -> list[Path]:
    """Return the complete environments, the last used first."""
    used = {}
    for folder in parent.glob("*"):
        with suppress(OSError):  # it is not complete, or another process removed it
            used[folder] = (folder / READY).stat().st_mtime
    return sorted(used, key=lambda each: used[each], reverse=True)


def _remove_oldest(parent: Path) -> None:
    """Remove all but the last used environments; those used within a day are kept, since a session may use them."""
    for folder in _last_used(parent)[MOST_ENVIRONMENTS - 1 :]:
        if time.time() - (folder / READY).stat().st_mtime > _DAY:
            remove_folder(folder)


@dataclass(frozen=True, slots=True)
class HostPlace:
    """A workspace on this machine as a place for set-up, which may write to `folder`."""

    workspace: PosixWorkspace
    folder: Path

    def write(self, path: str, data: bytes) -> None:
        """Write a short text by a command, since only it may follow links that set-up has made in the folder."""
        target, text = shlex.quote(path), shlex.quote(data.decode())
        self.workspace.run(
            f"mkdir -p {shlex.quote(posixpath.dirname(path))} && printf %s {text} >{target}", 60, _SESSION
        )

    def run(
        self, command: str, env: Mapping[str, str], seconds: float, on_line: Callable[[str], None] = lambda line: None
    ) -> SetupResult:
        variables = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in env.items())
        script = f"( set -e\n{variables}\n{command}\n)"
        ran = self.workspace.run(script, max(1.0, seconds), _SESSION)
        return SetupResult(command, ran.code, ran.text, ran.seconds, ran.timed_out)


@dataclass(kw_only=True)
class HostSetup(SetupRun[HostPlace]):
    """A set-up in a workspace on this machine."""

    place: HostPlace
    has_build_folder: bool = False
    """Whether set-up made ignored files in a folder `build`, which are not saved."""

    def run(self) -> SmokeResult:
        """Run the set-up commands and try the tests. Raises WorkspaceError with the output of a command that fails, and
        NetworkFailed."""
        with ExitStack() as network:
            env = dict(QUIET_ENVIRONMENT)
            if self.settings.hosts and self.place.workspace.kind == "sandbox":
                programs = Programs(self.place.workspace.start_program)
                env |= network.enter_context(open_registries(programs, self.settings.hosts, self._say))
            if self.settings.certificates:
                bundle = self.place.folder / "certificates.pem"
                shutil.copyfile(self.settings.certificates, bundle)
                env |= trust_variables(str(bundle))
            env |= {**self.settings.set_up_environment, **self._session_variables(self.place)}
            self._set_up(self.place, env)
            self._add_browser(self.place, env)
            if not self.plan.language:
                return SmokeResult("not tried: the environment is for the browser alone")
            found = self._test_and_repair(self.place, env)
            self.has_build_folder = bool(self.place.run(_LIST_BUILT, {}, 60).output.strip())
            self.place.run(_SAVE_GENERATED.format(folder=shlex.quote(str(self.place.folder))), {}, 60)
            return found

    def _find_repair(self, done: SetupResult, repairs: Sequence[str]) -> Repair | None:
        """Return a repair without packages of the system."""
        found = super()._find_repair(done, repairs)
        return None if found and any(APT_INSTALL in each or HOME in each for each in found.first) else found

    def _place_kind(self) -> SetupPlaceKind:
        return "sandbox" if self.place.workspace.kind == "sandbox" else "local"

    def _propose(self, failed: SetupResult) -> Sequence[str]:
        """Return the model's steps. Without isolation, they need a yes of their own."""
        steps = super()._propose(failed)
        is_isolated = self.place.workspace.kind == "sandbox"
        return steps if is_isolated or (steps and self.options.may_set_up("", steps, ())) else ()

    def _restore_files(self, place: HostPlace) -> None:
        place.workspace.restore(self.options.base.tree)

    def _session_variables(self, place: HostPlace) -> dict[str, str]:
        path = place.workspace.run("echo $PATH", session=_SESSION).text.strip()
        found = {**self.plan.variables, "VIRTUAL_ENV": str(place.folder / "venv")}
        return found | {"PATH": ":".join([*self.plan.paths, path])}

    def _run_tests(self, place: HostPlace, env: Mapping[str, str]) -> SmokeResult:
        def run(command: str, seconds: float) -> SetupResult:
            return place.run(command, env, min(seconds, self._seconds_left()))

        found = run_smoke_check(run, self.plan, self.settings.test)
        place.workspace.restore(self.options.base.tree)
        return found
