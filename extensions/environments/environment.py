"""Environments, the images in which a repository's tests run: planning, building, listing and pruning.

plan_for(options, wishes)                    the plan and its reasons, without building anything
environment_for(options, wishes)             the image, built if it does not exist
list_environments(daemon), prune(daemon, …)  existing environments, and removing old ones
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aci.docker.docker_daemon import LABEL, OWNER_LABEL, Daemon, all_discarded, connect, docker_errors
from aci.environments.environment_plan import EnvironmentOptions, Plan
from aci.environments.environment_records import digest_of, is_made_from, record_of
from aci.environments.tree_files import TreeFiles
from aci.observation.activity_message import ActivityMessage
from aci.repository import process_owner
from aci.repository.disk_cache import cache_folder
from aci.runtime.workspace import WorkspaceOptions
from trajectories.errors import UsageError, WorkspaceError

if TYPE_CHECKING:
    from extensions.environments.environment_build import BuildResult
    from extensions.environments.service_proposals import ServiceProposal

NAME, BASES = "swe-agent-environment", "swe-agent-base"
KEY_LABEL, ABOUT_LABEL = "swe-agent.environment", "swe-agent.about"
_RECIPE = "2"  # part of an environment's name: increase it when environments are built differently
_KEY_FORMAT = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Environment:
    """An existing image. `about` describes how it was built: repository, source, language, tests, repairs, seconds."""

    key: str
    image: str
    about: Mapping[str, object]
    size: int = 0
    created: str = ""
    used: float = 0.0


def plan_for(options: WorkspaceOptions, settings: EnvironmentOptions) -> Plan:
    """Return the plan for the environment of the base. Raises UsageError if one of the base's files cannot be used."""
    from extensions.environments.environment_sources import plan_environment
    from extensions.environments.package_dates import chooses_versions, code_date

    version = settings.version or options.repository.release(options.base.commit)
    plan = plan_environment(TreeFiles(options.trees, options.base.tree), replace(settings, version=version))
    when = (
        code_date(options, plan.language)
        if chooses_versions(plan.language, [command.text for command in plan.setup])
        else None
    )
    if when is None:
        return plan
    reason = (
        f"If the base's tests fail with today's packages, those of {when:%Y-%m-%d}, the date of its code, are tried."
    )
    return replace(plan, reasons=(*plan.reasons, reason))


def propose_services(options: WorkspaceOptions) -> list[ServiceProposal]:
    """Return the services that the base's files ask for and the user has not approved."""
    from extensions.environments.service_proposals import find_proposals

    approved = {each.image.partition(":")[0] for each in options.services} | {each.name for each in options.services}
    found = find_proposals(TreeFiles(options.trees, options.base.tree))
    return [each for each in found if not {each.name, each.image.partition(":")[0]} & approved]


def environment_for(options: WorkspaceOptions, settings: EnvironmentOptions) -> str:
    """Return the name of the image in which the base's tests run, and build it if it does not exist.

    Raises UsageError if it cannot be planned, WorkspaceError if it cannot be built, and Cancelled.
    """
    plan = plan_for(options, settings)
    if not plan.built and plan.instead is None:
        return plan.image
    options = as_committed(options, settings, plan)
    daemon = connect()
    try:
        with docker_errors():
            daemon.remove_leftovers()
            return _build_if_missing(daemon, plan, options, settings)
    finally:
        daemon.rest()


def find_environment(options: WorkspaceOptions, settings: EnvironmentOptions) -> str:
    """Return the name of the image that `environment_for` returns, if nothing has to be pulled or built for it; else
    an empty string."""
    from docker.errors import ImageNotFound

    plan = plan_for(options, settings)
    options = as_committed(options, settings, plan)
    daemon = connect()
    try:
        with docker_errors():
            try:
                start = daemon.client.images.get(plan.image)
                if not plan.built:
                    return plan.image
                key = _usable_key(daemon, plan, str(start.id), options, settings)
                name = f"{NAME}/{key}:latest"
                daemon.client.images.get(name)
            except ImageNotFound:
                return ""
            return name
    finally:
        daemon.rest()


def as_committed(options: WorkspaceOptions, settings: EnvironmentOptions, plan: Plan) -> WorkspaceOptions:
    """Return the options with the base's committed files, if its uncommitted changes do not change the plan.

    So an uncommitted edit needs no new environment, and environments are built from committed files if possible.
    """
    if not options.base.changes:
        return options
    try:
        committed = replace(options, base=options.repository.base(options.trees, options.base.commit))
    except UsageError:  # the commit is gone
        return options
    same = plan_inputs(plan, committed) == plan_inputs(plan, options) and plan_for(committed, settings) == plan
    return committed if same else options


def plan_inputs(plan: Plan, options: WorkspaceOptions) -> list[tuple[str, str]]:
    """Return the path and the blob id of each file of the base that decides what is installed."""
    entries = TreeFiles(options.trees, options.base.tree).entries
    return [(path, entries[path].id) for path in sorted(set(plan.inputs) & entries.keys())]


def _build_if_missing(daemon: Daemon, plan: Plan, options: WorkspaceOptions, settings: EnvironmentOptions) -> str:
    from docker.errors import ImageNotFound

    from aci.docker.base_image import exclusive_lock, source_image

    if not plan.built and plan.instead is None:
        return plan.image
    try:
        start = source_image(daemon, replace(options, image=plan.image))
    except WorkspaceError as error:
        if plan.instead is None:
            raise
        options.say(f"{error.message} Continuing with what the repository's files imply.")
        return _build_if_missing(daemon, plan.instead, options, settings)
    if not plan.built:
        return plan.image
    key = _usable_key(daemon, plan, str(start.id), options, settings)
    name = f"{NAME}/{key}"
    if not _may_build(daemon, name, plan, options, settings):
        options.say(f"Set-up was refused: continuing in {plan.image} as it is, where tests may not run.")
        return plan.image
    locks = cache_folder() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(locks / f"environment-{key}.lock", options):
        try:
            daemon.client.images.get(f"{name}:latest")
        except ImageNotFound:
            options.say(ActivityMessage(f"Setting up the environment, once: {' '.join(plan.reasons)}"))
            for each in propose_services(options):
                options.say(str(each))
            proposed = _build(daemon, plan, options, settings, name)
            record = record_of(_setup_key(plan, str(start.id), options, settings), options, proposed=proposed)
            _used(key).write_text(record, "utf-8")
    _used(key).touch()
    return f"{name}:latest"


def _may_build(daemon: Daemon, name: str, plan: Plan, options: WorkspaceOptions, settings: EnvironmentOptions) -> bool:
    """Return whether set-up may run, that is, whether the image already exists, no hosts are allowed, or the user
    agrees."""
    from docker.errors import ImageNotFound

    try:
        daemon.client.images.get(f"{name}:latest")
    except ImageNotFound:
        return not settings.hosts or options.may_set_up(plan.image, plan.commands, settings.hosts)
    return True


def _build(
    daemon: Daemon,
    plan: Plan,
    options: WorkspaceOptions,
    settings: EnvironmentOptions,
    name: str,
    began: float | None = None,
) -> Sequence[str]:
    """Build the plan, if necessary from its alternative images; if all fail, build `plan.instead`. Return the commands
    that a model proposed for it.

    The time limit of set-up, counted from `began`, applies to all of these builds together.
    """
    from aci.docker.base_image import source_image
    from extensions.environments.environment_build import Build, HoldsRepository
    from extensions.environments.setup_run import NetworkFailed, OtherImage

    began = began or time.monotonic()
    images = [plan.image, *plan.alternatives]
    try:
        for place, image in enumerate(images):
            here = replace(plan, alternatives=plan.alternatives[place:])
            start = source_image(daemon, replace(options, image=image))
            try:
                build = Build(here, options, settings, began=began, image=str(start.id), daemon=daemon)
                return build.run(name, _labels(here, options, name)).proposed
            except OtherImage as error:
                options.say(f"{str(error).capitalize()}.")
            except HoldsRepository:
                options.say(f"The image {image} holds the repository at /testbed: it is used as it is.")
                _save_unchanged(
                    daemon, str(start.id), name, _about(here, options, "not run: the image is used as it is")
                )
                return ()
    except NetworkFailed:
        raise
    except WorkspaceError as error:
        if plan.instead is None or time.monotonic() - began > settings.seconds:
            raise
        options.say(f"{plan.source} cannot be used: {error.message} Continuing with what the files imply.")
        return _build(daemon, plan.instead, options, settings, name, began)
    return ()


def _save_unchanged(daemon: Daemon, start: str, name: str, about: Mapping[str, object]) -> None:
    """Save the image under an environment's name, with its labels in addition to those of the image."""
    labels = _environment_labels(name, about) | {OWNER_LABEL: process_owner.own_mark()}
    container = daemon.client.containers.create(start, ["true"], labels=labels)  # the container never starts
    try:
        container.commit(name, "latest", pause=False)
    finally:
        container.remove(v=True)


def _labels(plan: Plan, options: WorkspaceOptions, name: str) -> Callable[[BuildResult], dict[str, str]]:
    def labels(built: BuildResult) -> dict[str, str]:
        parts = [built.tests.summary, f"packages of {built.packages}" if built.packages else "", built.browser]
        about = _about(plan, options, ", ".join(filter(None, parts))) | {
            "language": f"{plan.language} {built.version}".strip(),
            "collected": built.tests.collected,
            "passed": built.tests.passed,
            "failed": built.tests.failed,
            "repairs": list(built.repairs),
            "mends": list(built.repairs),  # the old name, kept for one more release
            "packages": built.packages or "today's",
            **({"browser": built.browser} if built.browser else {}),
            "seconds": round(built.seconds, 1),
        }
        return _environment_labels(name, about)

    return labels


def _about(plan: Plan, options: WorkspaceOptions, tests: str) -> dict[str, object]:
    names = {"repository": options.repository.name, "source": plan.source, "language": plan.language}
    return {**names, "tests": tests}


def _environment_labels(name: str, about: Mapping[str, object]) -> dict[str, str]:
    return {LABEL: "1", KEY_LABEL: name.rpartition("/")[2], ABOUT_LABEL: json.dumps(about)}


def _usable_key(daemon: Daemon, plan: Plan, start: str, options: WorkspaceOptions, settings: EnvironmentOptions) -> str:
    """Return the key of the environment of the base, or of an existing one of an earlier commit with the same inputs.

    Set-up runs the repository's code (build backends, tests), which can write anything to the image. So an environment
    is only used for commits that continue the line of first parents from the one from which it was built, not for those
    into which its branch was merged.
    """
    from docker.errors import ImageNotFound

    own = _key(plan, start, options, settings)
    setup = _setup_key(plan, start, options, settings)
    try:
        daemon.client.images.get(f"{NAME}/{own}:latest")
    except ImageNotFound:
        for known in list_environments(daemon) if plan.serves_later_commits else ():
            if is_made_from(_used(known.key), setup, options):
                return known.key
    return own


def _key(plan: Plan, start: str, options: WorkspaceOptions, settings: EnvironmentOptions) -> str:
    """Return the key of the environment that is built from the base.

    A commit's id also covers its history, which determines the date to which packages are limited.
    """
    return digest_of([_setup_key(plan, start, options, settings), options.base.commit, options.base.tree])


def _setup_key(plan: Plan, start: str, options: WorkspaceOptions, settings: EnvironmentOptions) -> str:
    """Return a hash of what is set up, from which files, and how. The file or setting that names the image is not
    included."""
    of_plan = asdict(replace(plan, source="", reasons=(), refused=(), inputs=(), setup=(), instead=None))
    del of_plan["browser"], of_plan["browser_recipe"]
    made = {
        "recipe": _RECIPE,
        "start": start,
        "inputs": plan_inputs(plan, options),
        "plan": of_plan,
        "setup": [command.text for command in plan.setup],
        "test": settings.test,
        "environment": dict(settings.set_up_environment),
        "registries": sorted(settings.hosts),
        "certificates": _digest(settings.certificates),
    }
    return digest_of(made | plan.recipe)


def _digest(path: str) -> str:
    """Return a hash of a file's content; empty if no file is named, or if it cannot be read (set-up reports that)."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
    except OSError:
        return ""


def _used(key: str) -> Path:
    """Return the path of the file whose modification time records when an environment was last used."""
    place = cache_folder() / "environments"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place / key


def list_environments(daemon: Daemon) -> list[Environment]:
    """Return the existing environments, the most recently used first.

    Only an image's name identifies its environment: its labels may come from the image that it was built from.
    """
    found = []
    with docker_errors():
        for image in daemon.client.api.images(name=f"{NAME}/*", filters={"label": KEY_LABEL}):
            made = int(image["Created"])
            created = datetime.fromtimestamp(made, UTC).isoformat()
            for key in _keys(image["RepoTags"] or ()):
                used = _used(key)
                at = used.stat().st_mtime if used.exists() else made
                about = _parse_about(image["Labels"])
                found.append(Environment(key, f"{NAME}/{key}:latest", about, int(image["Size"]), created, at))
    return sorted(found, key=lambda one: one.used, reverse=True)


def _keys(tags: Iterable[str]) -> list[str]:
    """Return the keys of the environments that an image's tags name."""
    names = (tag.removeprefix(f"{NAME}/").removesuffix(":latest") for tag in tags if tag.startswith(f"{NAME}/"))
    return [key for key in names if _KEY_FORMAT.fullmatch(key)]


def _parse_about(labels: Mapping[str, str]) -> dict[str, object]:
    try:
        about = json.loads(labels.get(ABOUT_LABEL) or "{}")
    except (ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def prune(daemon: Daemon, keep: int, days: float) -> list[Environment]:
    """Remove environments that were not used for `days`, and all but the `keep` most recently used, with their base
    images.

    An environment that a container uses is kept. Return the removed environments.
    """
    since = time.time() - days * 86400
    gone = []
    all_discarded()  # an image cannot be removed while a container uses it
    for place, one in enumerate(list_environments(daemon)):
        if (place >= keep or one.used < since) and _remove_environment(daemon, one):
            _used(one.key).unlink(missing_ok=True)
            gone.append(one)
    return gone


def _remove_environment(daemon: Daemon, one: Environment) -> bool:
    from docker.errors import APIError

    images = daemon.client.api.images(filters={"label": f"{KEY_LABEL}={one.key}"})
    prefixes = (f"{NAME}/{one.key}:", f"{BASES}/")
    names = [tag for image in images for tag in image["RepoTags"] or () if tag.startswith(prefixes)]
    try:
        # An image cannot be removed before the images that were built from it.
        for name in sorted(names, key=lambda name: name.startswith(NAME)):
            daemon.client.images.remove(name)
    except APIError:
        return False
    return True
