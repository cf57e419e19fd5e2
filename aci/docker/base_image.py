"""Base images: what runs, forks and proofs of one base start from, made once for an image, a commit and a tree.

The history that an image has of its own goes first, with what lies outside: the directory that a `.git` file names and
what it borrows objects from. So do the `.git` of repositories inside it; a submodule's files stay.

A layer holds the repository with our store. Its indexes know their files only once these lie in an image: of a small
repository each container renews them as it begins (`RENEW`), for others a second layer holds them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aci.aside import Aside
from aci.base_files import base_files, send
from aci.confinement import preparation
from aci.daemon import BASE, Daemon, said
from aci.disk_watch import BYTES_A_FILE
from aci.preparing import LAYOUT, ROOT, run_as, started, watched
from aci.service import LONG, NoAnswer
from aci.shell import quote
from aci.store import adoption, checkout, creation, environment, refresh, seconds_for
from aci.workspace import Options
from trajectories.errors import Cancelled, WorkspaceError

if TYPE_CHECKING:
    from docker.models.containers import Container
    from docker.models.images import Image

IMAGE = "python:3.12"
"""What is used when no image is named; it has git."""

HOME = "/swe-agent"
SCRATCH, HARNESS = "/workspace/scratch", f"{HOME}/harness"
STORE, INBOX = f"{HOME}/store.git", f"{HOME}/inbox"
RENEW = f"{HOME}/renew"
"""A script there in an image whose containers renew the indexes; it is run once, before anything else."""
MADE = "/opt/swe-agent/made-in-repository"
"""There in an image whose repository holds only what a set-up made; that counts as ignored."""

_USER = "swe-agent.user"
_RECIPE = "6"  # part of a base image's name: raise it when they are made differently
_OTHER = "other files"
_TICK = 0.5  # seconds between looks at whether a wait was cancelled
_FEW_FILES, _FEW_BYTES = 500, 5_000_000  # a container renews the indexes of so many files in some milliseconds
_COPIES = 4  # at most, of the repository's files and history, while a base is made: pack, store, history, files
_KEPT = 30  # base images; an old one costs disk, a missing one a few seconds
_LAYOUT = f"""\
set -e
root=/workspace/repo
if [ -e /testbed/.git ]; then root=$(cd -P /testbed && pwd -P); fi
mkdir -p "$root" {SCRATCH} {HARNESS} {INBOX}
elsewhere() {{
    unset GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY
    cd "$root" && common=$(git rev-parse --git-common-dir) && cd -P "$common" || return 0
    pwd -P
    git --git-dir=. count-objects -v | sed -n 's/^alternate: //p'
}}
found=
if [ ! -d "$root/.git" ] || [ -e "$root/.git/commondir" ] || [ -e "$root/.git/objects/info/alternates" ] ||
    [ -L "$root/.git" ] || [ -L "$root/.git/objects" ]; then
    printf '[safe]\\n    directory = *\\n' > {HOME}/trusting
    found=$(export GIT_CONFIG_GLOBAL={HOME}/trusting; elsewhere 2>/dev/null)
    rm {HOME}/trusting
fi
[ -z "$found" ] || printf '%s\\n' "$found" | while IFS= read -r path; do
    [ -d "$path" ] || continue
    case $root/ in "$path"/*) echo "the repository lies in $path, which holds its history" >&2; exit 1 ;; esac
    rm -rf -- "$path"
done
find "$root" -name .git -prune -exec rm -rf {{}} +
mv {HOME}/history.git "$root/.git"
chown -R "$SESSION_USER" "$root" /workspace {HOME}
printf '\\n%s' "$root"
"""


@dataclass(frozen=True, slots=True)
class Base:
    """`image` holds the repository in the folder `root`, owned by `user` (`uid:gid`), who runs the sessions."""

    image: str
    user: str
    root: str


def base_image(daemon: Daemon, options: Options) -> Base:
    """The base image, made if it is not there; processes that need it at the same time make it once."""
    from docker.errors import ImageNotFound
    from platformdirs import user_cache_path

    start = source(daemon, options)
    inputs = " ".join([_RECIPE, str(start.id), options.base.commit, options.base.tree])
    key = hashlib.sha256(inputs.encode()).hexdigest()[:24]
    locks = user_cache_path("swe-agent") / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with alone(locks / f"{key}.lock", options):
        try:
            image = daemon.client.images.get(f"swe-agent-base/{key}:latest")
        except ImageNotFound:
            options.say("Preparing the base: the repository goes into an image, once.")
            image = _make(daemon, start, f"swe-agent-base/{key}", options)
            daemon.later(_remove_old)
    return Base(str(image.id), image.labels[_USER], image.labels[BASE])


@contextmanager
def alone(path: Path, options: Options) -> Iterator[None]:
    """Hold a lock between processes. Raises Cancelled while it waits."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    while not lock.is_locked:
        if options.cancel.is_set():
            raise Cancelled("Interrupted while another run prepared the base.", "`swe-agent resume` goes on from here.")
        with suppress(Timeout):
            lock.acquire(timeout=_TICK)
    try:
        yield
    finally:
        lock.release()


def _remove_old(daemon: Daemon) -> None:
    """Keep the newest base images; one that a container uses stays too."""
    from docker.errors import APIError

    api = daemon.client.api  # `client.images.list` asks for each anew, and fails where another process removes one
    found = sorted(api.images(filters={"label": BASE}), key=lambda image: int(image["Created"]), reverse=True)
    for image in found[_KEPT:]:
        with suppress(APIError):
            api.remove_image(image["Id"])


def source(daemon: Daemon, options: Options) -> Image:
    """The image that the base is made from, pulled if it is not here."""
    from docker.errors import APIError, ImageNotFound

    name = options.image or IMAGE
    try:
        return daemon.client.images.get(name)
    except ImageNotFound:
        options.say(f"Pulling the image {name}.")
    except APIError as error:
        raise WorkspaceError(f"{name!r} cannot name an image: {said(error)}.", "Give another --image.") from error
    try:
        found = Aside(lambda: daemon.client.images.pull(name), "pull").answer(options.cancel)  # the rest may come later
        return found[0] if isinstance(found, list) else found
    except APIError as error:
        raise WorkspaceError(
            f"The image {name} is not here and cannot be pulled: {said(error)}.",
            "Build or load it, or name another with --image.",
        ) from error


def _make(daemon: Daemon, source: Image, name: str, options: Options) -> Image:
    _refuse_volumes(source, options)
    small = _is_small(options) and not source.attrs["Config"].get("Volumes")
    with (
        base_files(daemon, options) as folder,  # while the container starts
        started(daemon, source, options.image or IMAGE, options) as (with_git, as_root, watch),
    ):
        user = _session_user(daemon, with_git, source, options)
        watch.allow(_COPIES * _size(options, folder()))
        send(with_git, as_root, folder(), HOME)
        root = as_root(_LAYOUT, {"SESSION_USER": user}, LAYOUT, "chown").rpartition("\n")[2]
        store = creation(STORE, f"{HOME}/base.pack", f"{root}/.git")
        files = [store, _ignoring(root, options.base.tree), checkout(root, options.base.tree)]
        renewing = [_renewing(root, options.base.tree)] if small else []
        seconds = _seconds(options)
        made = _script(*files, adoption(root), *renewing, b"rm -f %b/base.pack" % HOME.encode())
        if user == ROOT:
            as_root(made, _env(root), seconds, "git")
        else:
            run_as(daemon, with_git, options, made, user, _env(root), seconds, "git")
        base = Base(name, user, root)
        if small:
            return _commit(with_git, base)
        repository = with_git.commit(pause=False)
    try:
        return _with_indexes(daemon, repository, base, options)
    except BaseException:
        with suppress(Exception):  # whatever it is, the first trouble is to be told
            daemon.client.images.remove(str(repository.id))
        raise


def _is_small(options: Options) -> bool:
    files = options.trees.files(options.base.tree)
    return len(files) <= _FEW_FILES and sum(entry.size for entry in files.values()) <= _FEW_BYTES


def _size(options: Options, folder: Path) -> int:
    """What the repository's files and history take, with what each file costs besides its bytes."""
    history = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return history + sum(entry.size + BYTES_A_FILE for entry in options.trees.files(options.base.tree).values())


def _seconds(options: Options) -> float:
    """For git, which also looks at what a set-up left in the repository."""
    return LONG + seconds_for(options.trees.files(options.base.tree).values())


def _renewing(root: str, tree: str) -> bytes:
    """The shell commands that write `RENEW`: it fails if the files are not those of the base."""
    same = f'[ "$(git write-tree)" = {tree} ] && git diff-files --quiet'
    own = b"(unset GIT_DIR GIT_WORK_TREE; cd %b && git update-index -q --refresh || :)" % quote(root)
    script = b"\n".join([b"set -e", refresh(root), own, same.encode()])
    return b"printf '%%s\\n' %b > %b" % (quote(script), RENEW.encode())


def _commit(container: Container, base: Base) -> Image:
    labels = [f"LABEL {json.dumps(key)}={json.dumps(value)}" for key, value in ((_USER, base.user), (BASE, base.root))]
    return container.commit(repository=base.image, tag="latest", changes=labels, pause=False)


def _with_indexes(daemon: Daemon, repository: Image, base: Base, options: Options) -> Image:
    """The second layer, named `base.image`. Raises WorkspaceError if the files are not those of the base."""
    container = daemon.start(str(repository.id), user=base.user, **preparation(options))
    try:
        same = f'[ "$(git write-tree)" = {options.base.tree} ] && git diff-files --quiet || echo {_OTHER}'
        renew = _script(refresh(base.root), adoption(base.root), same.encode())
        with watched(daemon, container, repository, options):
            seconds = _seconds(options)
            said = run_as(daemon, container, options, renew, base.user, _env(base.root), seconds, "git")
        if said.endswith(_OTHER):
            raise WorkspaceError(
                f"The image {options.image or IMAGE} does not keep the repository's files as they are put into it.",
                "Name another with --image.",
            )
        return _commit(container, base)
    finally:
        container.remove(force=True, v=True)


def _ignoring(root: str, tree: str) -> bytes:
    """The shell commands after which all that a set-up left in the repository is ignored, and so stays."""
    return (
        b"if [ -e %(made)b ]; then\n"
        b"git -C %(root)b read-tree %(tree)b\n"
        b"git -C %(root)b -c core.quotePath=false ls-files -o --exclude-standard --directory --no-empty-directory |\n"
        b"sed 's/[][*?\\\\!# ]/\\\\&/g; s/^/\\//' > %(home)b/ignored\n"
        b'cat %(home)b/ignored >> "$GIT_DIR/info/exclude"\n'
        b"cat %(home)b/ignored >> %(root)b/.git/info/exclude\n"
        b"rm %(home)b/ignored\n"
        b"fi"
    ) % {b"made": MADE.encode(), b"root": quote(root), b"tree": tree.encode(), b"home": HOME.encode()}


def _refuse_volumes(source: Image, options: Options) -> None:
    """A volume is in no image: what we put there would be lost, and a repository there would not be seen."""
    for volume in source.attrs["Config"].get("Volumes") or {}:
        if any(f"{path}/".startswith(f"{volume.rstrip('/')}/") for path in ("/testbed", "/workspace", HOME)):
            raise WorkspaceError(
                f"The image {options.image or IMAGE} declares {volume} a volume, so nothing there can be prepared.",
                f"Build it without `VOLUME {volume}`, or name another with --image.",
            )


def _session_user(daemon: Daemon, container: Container, source: Image, options: Options) -> str:
    """`uid:gid` of the image's user, who need not have a name."""
    named = str(source.attrs["Config"].get("User") or "0")
    if named in ("0", "root", ROOT):
        return ROOT
    try:
        return ":".join(run_as(daemon, container, options, "id -u && id -g", named, {}).split())
    except NoAnswer:
        raise
    except WorkspaceError as error:
        raise WorkspaceError(
            f"The image {options.image or IMAGE} has no user {named}, as whom it is to run.",
            "Build it with a USER that exists, or name another with --image.",
        ) from error


def _env(root: str) -> dict[str, str]:
    return environment(STORE, root)


def _script(*parts: bytes) -> str:
    return b"\n".join([b"set -e", *parts]).decode("utf-8", "surrogateescape")
