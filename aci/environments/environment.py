"""The environment in which a repository's tests run: how it is found, made once, kept as an image, and pruned.

plan_for(options, wishes)          what would be done, and why; nothing is built
environment_for(options, wishes)   the image, built if it is not there
kept(daemon), prune(daemon, …)     what there is, and making room
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aci import owner
from aci.cache import folder
from aci.daemon import LABEL, OWNER, Daemon, all_discarded, connect, trouble
from aci.environments.plan import Plan, Wishes
from aci.workspace import Options
from trajectories.errors import UsageError, WorkspaceError
from trajectories.trees import Trees

if TYPE_CHECKING:
    from aci.environments.building import Built
    from aci.environments.proposals import Proposal

__all__ = ["Environment", "Plan", "Wishes", "environment_for", "kept", "plan_for", "proposed", "prune"]

NAME, BASES = "swe-agent-environment", "swe-agent-base"
KEY, ABOUT = "swe-agent.environment", "swe-agent.about"
_RECIPE = "2"  # part of an environment's name: raise it when they are made differently
_NAMED = re.compile(r"[0-9a-f]{24}")
_LARGEST = 2_000_000
_FILE = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Environment:
    """An image that is there. `about` tells how it came to be: repository, source, language, tests, mends, seconds."""

    key: str
    image: str
    about: Mapping[str, object]
    size: int = 0
    created: str = ""
    used: float = 0.0


class TreeFiles(Mapping[str, bytes]):
    """The regular files of a tree, read when they are asked for; a very large one is as if it were empty."""

    def __init__(self, trees: Trees, tree: str) -> None:
        self._trees = trees
        self.entries = {path: entry for path, entry in trees.files(tree).items() if entry.mode in _FILE}

    def __getitem__(self, path: str) -> bytes:
        entry = self.entries[path]
        return self._trees.read_blob(entry.id) if entry.size <= _LARGEST else b""

    def __contains__(self, path: object) -> bool:
        return path in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def plan_for(options: Options, wishes: Wishes) -> Plan:
    """How the environment of the base is made. Raises UsageError for a file of it that cannot be used."""
    from aci.environments.dated import chooses, date_of
    from aci.environments.sources import planned

    version = wishes.version or options.repository.release(options.base.commit)
    plan = planned(TreeFiles(options.trees, options.base.tree), replace(wishes, version=version))
    when = date_of(options, plan.language) if chooses(plan.language, [command.text for command in plan.setup]) else None
    if when is None:
        return plan
    said = f"Where the base's tests fail with today's packages, those of its code's day, {when:%Y-%m-%d}, are tried."
    return replace(plan, reasons=(*plan.reasons, said))


def proposed(options: Options) -> list[Proposal]:
    """The services that the base's files ask for and the user has not approved."""
    from aci.environments.proposals import proposals

    approved = {each.image.partition(":")[0] for each in options.services} | {each.name for each in options.services}
    found = proposals(TreeFiles(options.trees, options.base.tree))
    return [each for each in found if not {each.name, each.image.partition(":")[0]} & approved]


def environment_for(options: Options, wishes: Wishes) -> str:
    """The name of the image in which the base's tests run, made if it is not there.

    Raises UsageError for what cannot be planned, WorkspaceError for what cannot be built, Cancelled.
    """
    plan = plan_for(options, wishes)
    if not plan.built and plan.instead is None:
        return plan.image
    options = _as_committed(options, wishes, plan)
    daemon = connect()
    try:
        with trouble():
            daemon.remove_leftovers()
            return _made(daemon, plan, options, wishes)
    finally:
        daemon.rest()


def _as_committed(options: Options, wishes: Wishes, plan: Plan) -> Options:
    """The options with the files of the base's commit, if its uncommitted changes change nothing of the plan.

    So an edit that is not committed yet takes no new environment, and none is made of files of which no commit tells.
    """
    if not options.base.changes:
        return options
    try:
        committed = replace(options, base=options.repository.base(options.trees, options.base.commit))
    except UsageError:  # the commit is gone
        return options
    same = _inputs(plan, committed) == _inputs(plan, options) and plan_for(committed, wishes) == plan
    return committed if same else options


def _inputs(plan: Plan, options: Options) -> list[tuple[str, str]]:
    entries = TreeFiles(options.trees, options.base.tree).entries
    return [(path, entries[path].id) for path in sorted(set(plan.inputs) & entries.keys())]


def _made(daemon: Daemon, plan: Plan, options: Options, wishes: Wishes) -> str:
    from docker.errors import ImageNotFound

    from aci.base_image import alone, source

    if not plan.built and plan.instead is None:
        return plan.image
    try:
        start = source(daemon, replace(options, image=plan.image))
    except WorkspaceError as error:
        if plan.instead is None:
            raise
        options.say(f"{error.message} Going on with what the repository's files imply.")
        return _made(daemon, plan.instead, options, wishes)
    if not plan.built:
        return plan.image
    key = _key(plan, str(start.id), options, wishes)
    name = f"{NAME}/{key}"
    if not _may_be_made(daemon, name, plan, options, wishes):
        options.say(f"Set-up was refused: going on in {plan.image} as it is, where tests may not run.")
        return plan.image
    locks = folder() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with alone(locks / f"environment-{key}.lock", options):
        try:
            daemon.client.images.get(f"{name}:latest")
        except ImageNotFound:
            options.say(f"Setting up the environment, once: {' '.join(plan.reasons)}")
            for each in proposed(options):
                options.say(str(each))
            _build(daemon, plan, options, wishes, name)
    _used(key).touch()
    return f"{name}:latest"


def _may_be_made(daemon: Daemon, name: str, plan: Plan, options: Options, wishes: Wishes) -> bool:
    """Whether it is there already, reaches nothing, or the user lets it reach what it asks for."""
    from docker.errors import ImageNotFound

    try:
        daemon.client.images.get(f"{name}:latest")
    except ImageNotFound:
        return not wishes.hosts or options.may_set_up(plan.image, [each.text for each in plan.setup], wishes.hosts)
    return True


def _build(daemon: Daemon, plan: Plan, options: Options, wishes: Wishes, name: str, began: float | None = None) -> None:
    """Build the plan, from other images where its own proves wrong; at last what is implied, where that is another.

    The time of set-up is that of all of them, from `began`.
    """
    from aci.base_image import source
    from aci.environments.building import Build, HoldsRepository, NetworkFailed, OtherImage

    began = began or time.monotonic()
    images = [plan.image, *plan.alternatives]
    try:
        for place, image in enumerate(images):
            here = replace(plan, alternatives=plan.alternatives[place:])
            start = source(daemon, replace(options, image=image))
            try:
                Build(here, str(start.id), options, wishes, daemon, began=began).run(name, _labels(here, options, name))
                return
            except OtherImage as error:
                options.say(f"{str(error).capitalize()}.")
            except HoldsRepository:
                options.say(f"The image {image} holds the repository at /testbed: it is used as it is.")
                _as_it_is(daemon, str(start.id), name, _about(here, options, "not run: the image is used as it is"))
                return
    except NetworkFailed:
        raise
    except WorkspaceError as error:
        if plan.instead is None or time.monotonic() - began > wishes.seconds:
            raise
        options.say(f"{plan.source} does not serve: {error.message} Going on with what the files imply.")
        _build(daemon, plan.instead, options, wishes, name, began)


def _as_it_is(daemon: Daemon, start: str, name: str, about: Mapping[str, object]) -> None:
    """The image under an environment's name, with labels of ours over those that it came with."""
    labels = _ours(name, about) | {OWNER: owner.me()}
    container = daemon.client.containers.create(start, ["true"], labels=labels)  # it never starts
    try:
        container.commit(name, "latest", pause=False)
    finally:
        container.remove(v=True)


def _labels(plan: Plan, options: Options, name: str) -> Callable[[Built], dict[str, str]]:
    def labels(built: Built) -> dict[str, str]:
        packages = f", packages of {built.packages}" if built.packages else ""
        about = _about(plan, options, built.tests.summary + packages) | {
            "language": f"{plan.language} {built.version}".strip(),
            "collected": built.tests.collected,
            "passed": built.tests.passed,
            "failed": built.tests.failed,
            "mends": list(built.mends),
            "packages": built.packages or "today's",
            "seconds": round(built.seconds, 1),
        }
        return _ours(name, about)

    return labels


def _about(plan: Plan, options: Options, tests: str) -> dict[str, object]:
    names = {"repository": options.repository.name, "source": plan.source, "language": plan.language}
    return {**names, "tests": tests}


def _ours(name: str, about: Mapping[str, object]) -> dict[str, str]:
    return {LABEL: "1", KEY: name.rpartition("/")[2], ABOUT: json.dumps(about)}


def _key(plan: Plan, start: str, options: Options, wishes: Wishes) -> str:
    """The name of the result: a hash of all that it is made from. Who named the image is no part of it.

    Set-up runs the repository's code (scripts, build backends, tests), which can read every file and write anything to
    the image, and the tests decide what is mended. So an environment is only for the commit and the tree that it was
    made from: a commit's id also holds its history, by which packages are dated.
    """
    made = {
        "recipe": _RECIPE,
        "start": start,
        "base": [options.base.commit, options.base.tree],
        "plan": asdict(replace(plan, source="", reasons=(), refused=(), inputs=(), setup=(), instead=None)),
        "setup": [command.text for command in plan.setup],
        "test": wishes.test,
        "environment": dict(wishes.set_up_environment),
        "registries": sorted(wishes.hosts),
        "certificates": _digest(wishes.certificates),
    }
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:24]


def _digest(path: str) -> str:
    """Of a file's content; empty where none is named, or it cannot be read, which set-up then reports."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
    except OSError:
        return ""


def _used(key: str) -> Path:
    """A file whose time says when an environment was used last."""
    place = folder() / "environments"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place / key


def kept(daemon: Daemon) -> list[Environment]:
    """The environments that are there, the latest used first.

    An image may have come with labels of anybody's: which environment it is, its name alone tells.
    """
    found = []
    with trouble():
        for image in daemon.client.api.images(name=f"{NAME}/*", filters={"label": KEY}):
            made = int(image["Created"])
            created = datetime.fromtimestamp(made, UTC).isoformat()
            for key in _keys(image["RepoTags"] or ()):
                used = _used(key)
                at = used.stat().st_mtime if used.exists() else made
                about = _told(image["Labels"])
                found.append(Environment(key, f"{NAME}/{key}:latest", about, int(image["Size"]), created, at))
    return sorted(found, key=lambda one: one.used, reverse=True)


def _keys(tags: Iterable[str]) -> list[str]:
    """The keys of environments among an image's names."""
    ours = (tag.removeprefix(f"{NAME}/").removesuffix(":latest") for tag in tags if tag.startswith(f"{NAME}/"))
    return [key for key in ours if _NAMED.fullmatch(key)]


def _told(labels: Mapping[str, str]) -> dict[str, object]:
    try:
        about = json.loads(labels.get(ABOUT) or "{}")
    except (ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def prune(daemon: Daemon, keep: int, days: float) -> list[Environment]:
    """Remove environments not used for so many days, and all but the `keep` latest; with them the bases made of them.

    One that a container uses stays. Returns those that went.
    """
    since = time.time() - days * 86400
    gone = []
    all_discarded()  # a container that is about to go keeps its image, too
    for place, one in enumerate(kept(daemon)):
        if (place >= keep or one.used < since) and _removed(daemon, one):
            _used(one.key).unlink(missing_ok=True)
            gone.append(one)
    return gone


def _removed(daemon: Daemon, one: Environment) -> bool:
    from docker.errors import APIError

    made_of_it = daemon.client.api.images(filters={"label": f"{KEY}={one.key}"})
    ours = (f"{NAME}/{one.key}:", f"{BASES}/")
    names = [tag for image in made_of_it for tag in image["RepoTags"] or () if tag.startswith(ours)]
    try:
        for name in sorted(names, key=lambda name: name.startswith(NAME)):  # children first
            daemon.client.images.remove(name)
    except APIError:
        return False
    return True
