"""Base images: the images from which all runs, forks and proofs of the same base start. One base image is built for
each combination of image, commit and tree.

First, any git history at the repository's path in the image is removed. This includes git directories outside that
path: the one that a `.git` file points to, and those listed as alternate object stores. The `.git` of each nested
repository is removed too, but the files of submodules are kept.

A layer then adds the repository and the snapshot store. Saving files in an image changes their stat data, so git's
indexes must be refreshed afterwards: if the repository is small, each container does this as it starts
(`RENEW_SCRIPT`); otherwise, a second layer contains the refreshed indexes.

The images are prepared in containers with a root shell and commands of other users (`start_container`).

The host copies the repository's history up to the base commit, and the base tree's pack, into a base image.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aci.docker.container_exec import execute
from aci.docker.container_limits import parse_size, preparation_limits
from aci.docker.disk_quota import BYTES_PER_FILE, DiskWatch
from aci.docker.docker_daemon import BASE, OTHER_WORKSPACE, Daemon, error_message
from aci.docker.exec_stream import ExecProgram, FirstProgram, first_program_arguments
from aci.observation.activity_message import ActivityMessage
from aci.observation.untrusted_text import clean_output
from aci.runtime.control_shell import LONG, QUICK, CommandTimeout, ControlShell, print_command
from aci.runtime.process_channel import Channel
from aci.runtime.shell_session import quote, shell_arguments
from aci.runtime.snapshots import (
    checkout_script,
    create_store_script,
    estimate_git_seconds,
    refresh_script,
    reset_index_script,
    store_environment,
)
from aci.runtime.workspace import BackgroundTask, WorkspaceOptions
from trajectories.errors import Cancelled, WorkspaceError
from trajectories.git_store.git_commands import decode

if TYPE_CHECKING:
    from docker.models.containers import Container
    from docker.models.images import Image


ROOT_USER = "0:0"
LAYOUT_TIMEOUT = 1800.0
"""The time limit in seconds for work on all files in an image's repository folder, whose number is unknown."""

_MAX_OUTPUT = 64_000  # maximum number of bytes kept of a step's output


class RootShell:
    """A root shell in a container, used instead of `docker exec`, which would take 50 ms for each step."""

    def __init__(self, daemon: Daemon, container: Container, options: WorkspaceOptions) -> None:
        self._daemon, self._id = daemon, str(container.id)
        self._first_words: list[str] | None = shell_arguments("sh")
        self._service = ControlShell(self._start, "/", options.cancel, shared=False)

    def _start(self, program: Sequence[str]) -> Channel:
        if program == self._first_words:
            self._first_words = None
            return FirstProgram(self._daemon, self._id)
        return ExecProgram(self._daemon, self._id, program, {})

    def __call__(self, script: str, env: Mapping[str, str], seconds: float = QUICK, program: str = "sh") -> str:
        """Run a script for at most `seconds` and return its output. `program` is the name used in the error message of
        a time-out.

        Raises WorkspaceError and Cancelled.
        """
        exports = b"".join(b"export %b=%b\n" % (name.encode(), quote(value)) for name, value in env.items())
        body = b"(exec 2>&1\n%b%b)" % (exports, script.encode("utf-8", "surrogateescape"))
        try:
            ran = self._service.run(body, _MAX_OUTPUT, seconds)
        except CommandTimeout:
            raise _timeout_error(program, seconds) from None
        return _checked_output(ran.code, ran.text)

    def close(self) -> None:
        self._service.close()


@contextmanager
def start_container(
    daemon: Daemon, source: Image, name: str, options: WorkspaceOptions
) -> Iterator[tuple[Container, RootShell, DiskWatch]]:
    """Start a container of the image `name`, and check that it has a shell and git. The container is removed at the end
    of the context."""
    from docker.errors import APIError

    advice = "Use an image that has both git and a POSIX shell, such as python:3.12."
    try:
        container = daemon.start(
            str(source.id),
            user="0",
            **(preparation_limits(options) | first_program_arguments(shell_arguments("sh"), {})),
        )
    except APIError as error:
        if "executable file not found" in error_message(error) or "no such file" in error_message(error):
            raise WorkspaceError(f"The image {name} has no POSIX shell.", advice) from error
        raise
    try:
        with watch_disk(daemon, container, source, options) as watch:
            as_root = RootShell(daemon, container, options)
            try:
                try:
                    as_root("command -v git", {})
                except CommandTimeout:
                    raise
                except WorkspaceError as error:
                    raise WorkspaceError(f"The image {name} has no git.", advice) from error
                yield container, as_root, watch
            finally:
                as_root.close()
    finally:
        daemon.discard(str(container.id))


@contextmanager
def watch_disk(daemon: Daemon, container: Container, image: Image, options: WorkspaceOptions) -> Iterator[DiskWatch]:
    """Limit the disk usage of a container while an image is prepared: its programs may come from an untrusted set-up.

    Changing owners may copy all files of the image, so its size is added to the limit. Raises WorkspaceError if more is
    written.
    """
    watch = DiskWatch(daemon, str(container.id), parse_size(options.disk) + int(image.attrs["Size"]))
    try:
        yield watch
    except WorkspaceError as error:
        _refuse_full(watch, error)
        raise
    finally:
        watch.stop()
    _refuse_full(watch)


def _refuse_full(watch: DiskWatch, error: WorkspaceError | None = None) -> None:
    if notice := watch.notice():
        full = notice.decode().strip("[]\n").partition(". ")[0]
        fix = "Set a larger `disk`, free space where Docker writes, or name another --image."
        raise WorkspaceError(f"The base image could not be prepared. {full}.", fix) from error


def run_as(
    daemon: Daemon,
    container: Container,
    options: WorkspaceOptions,
    script: str,
    user: str,
    env: Mapping[str, str],
    seconds: float = QUICK,
    program: str = "sh",
) -> str:
    """Run a script as the user and return its output; see `RootShell`. Raises WorkspaceError and Cancelled."""
    ran = execute(daemon, str(container.id), script, options.cancel, seconds, user=user, env=env)
    if ran.late:
        raise _timeout_error(program, seconds)
    return _checked_output(ran.code, ran.text)


def _timeout_error(program: str, seconds: float) -> CommandTimeout:
    return CommandTimeout(
        f"The base image could not be prepared: `{program}` of the image did not end within {seconds:.0f} s.",
        "Check that it works there, or name another image with --image.",
    )


def _checked_output(code: int, text: str) -> str:
    if code:
        raise WorkspaceError(
            f"The base image could not be prepared: {clean_output(text.strip()[-500:])}",
            "Check that Docker's disk is not full.",
        )
    return text.strip()


HISTORY, PACK = "history.git", "base.pack"
_SMALL = 30_000  # maximum number of bytes that are sent through a shell


@contextmanager
def base_files(daemon: Daemon, options: WorkspaceOptions) -> Iterator[Callable[[], Path]]:
    """Create a temporary folder with the history up to the base commit and the base tree's pack, using a background
    thread.

    Yields a function that waits until the folder is ready.
    """
    folder = Path(tempfile.mkdtemp(prefix="swe-agent-base-"))

    def make() -> Path:
        options.repository.history(options.base, folder / HISTORY)
        (folder / PACK).write_bytes(options.trees.pack(options.base.tree))
        return folder

    task = BackgroundTask(make, "base")
    try:
        yield task.answer
    finally:
        task.wait()
        daemon.later(lambda _: shutil.rmtree(folder, ignore_errors=True))  # removing a folder takes milliseconds


def send_files(container: Container, as_root: RootShell, folder: Path, home: str) -> None:
    """Copy the folder's files to the container's `home`.

    Small files are written by the container's shell, since the daemon takes 40 ms to unpack an archive.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    if sum(path.stat().st_size for path in files) <= _SMALL:
        as_root(_write_script({f"{home}/{path.relative_to(folder)}": path.read_bytes() for path in files}), {})
        return
    archive = folder / "all.tar"
    with tarfile.open(archive, "w") as tar:
        for name in (HISTORY, PACK):
            tar.add(folder / name, f"{home[1:]}/{name}", filter=_owned_by_root)
    with archive.open("rb") as stream:
        container.put_archive("/", stream)


def _write_script(files: Mapping[str, bytes]) -> str:
    """Return the shell commands that write the files and create the folders that every git directory needs."""
    folders = {name.rpartition("/")[0] for name in files}
    folders |= {f"{folder}/refs/heads" for folder in folders if folder.endswith(f"/{HISTORY}")}
    lines = [b"set -e", b"umask 022", b"mkdir -p " + b" ".join(map(quote, sorted(folders)))]
    lines += [b"%b > %b" % (print_command(data), quote(name)) for name, data in files.items()]
    return decode(b"\n".join(lines))


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o700 if entry.isdir() else 0o400
    return entry


DEFAULT_IMAGE = "python:3.12"
"""The default image. It has git."""

HOME = "/swe-agent"
SCRATCH, HARNESS = "/workspace/scratch", f"{HOME}/harness"
STORE, INBOX = f"{HOME}/store.git", f"{HOME}/inbox"
RENEW_SCRIPT = f"{HOME}/renew"
"""The script that refreshes git's indexes in each container of a small repository's base image. It runs once, before
any other program."""
MADE_MARKER = "/opt/swe-agent/made-in-repository"
"""A marker file in images whose repository folder contains only files that set-up created; git ignores these files."""

_USER = "swe-agent.user"
_RECIPE = "6"  # part of a base image's name: increase it when base images are made differently
_OTHER = "other files"
_TICK = 0.5  # seconds between checks for cancellation during a wait
# Maximum number of files and bytes for which each container refreshes the indexes, which takes milliseconds.
_FEW_FILES, _FEW_BYTES = 500, 5_000_000
# Maximum number of copies of the repository's files and history while a base image is built: pack, store, history,
# files.
_COPIES = 4
_MAX_IMAGES = 30  # maximum number of base images to keep: each uses disk space, but can be rebuilt in a few seconds
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
class BaseImage:
    """A base image with the repository in `root`. Sessions run as its owner `user` (`uid:gid`)."""

    image: str
    user: str
    root: str


def base_image(daemon: Daemon, options: WorkspaceOptions) -> BaseImage:
    """Return the base image and make it if necessary. A lock keeps concurrent processes from making it twice."""
    from docker.errors import ImageNotFound
    from platformdirs import user_cache_path

    start = source_image(daemon, options)
    inputs = " ".join([_RECIPE, str(start.id), options.base.commit, options.base.tree])
    key = hashlib.sha256(inputs.encode()).hexdigest()[:24]
    locks = user_cache_path("swe-agent") / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(locks / f"{key}.lock", options):
        try:
            image = daemon.client.images.get(f"swe-agent-base/{key}:latest")
        except ImageNotFound:
            options.say(ActivityMessage("Preparing a base image with the repository; later runs reuse it"))
            image = _make(daemon, start, f"swe-agent-base/{key}", options)
            daemon.later(_remove_old)
    return BaseImage(str(image.id), image.labels[_USER], image.labels[BASE])


@contextmanager
def exclusive_lock(path: Path, options: WorkspaceOptions) -> Iterator[None]:
    """Hold an inter-process lock. Raises Cancelled if the run is cancelled while it waits for the lock."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    while not lock.is_locked:
        if options.cancel.is_set():
            raise Cancelled(
                "Interrupted while another run prepared the base.", "`swe-agent resume` continues from here."
            )
        with suppress(Timeout):
            lock.acquire(timeout=_TICK)
    try:
        yield
    finally:
        lock.release()


def _remove_old(daemon: Daemon) -> None:
    """Remove all but the newest base images and those that a container uses."""
    from docker.errors import APIError

    api = daemon.client.api  # `client.images.list` inspects each image, and fails if another process removes one
    images = sorted(api.images(filters={"label": BASE}), key=lambda image: int(image["Created"]), reverse=True)
    for image in images[_MAX_IMAGES:]:
        with suppress(APIError):
            api.remove_image(image["Id"])


def source_image(daemon: Daemon, options: WorkspaceOptions) -> Image:
    """Return the image from which the base is made, and pull it if it does not exist locally."""
    from docker.errors import APIError, ImageNotFound

    name = options.image or DEFAULT_IMAGE
    try:
        return daemon.client.images.get(name)
    except ImageNotFound:
        options.say(ActivityMessage(f"Pulling the image {name}"))
    except APIError as error:
        raise WorkspaceError(
            f"{name!r} is not a valid image name: {error_message(error)}.", "Use another --image."
        ) from error
    try:
        pulled = BackgroundTask(lambda: daemon.client.images.pull(name), "pull").answer(
            options.cancel
        )  # after a cancellation, the pull continues in its thread
        return pulled[0] if isinstance(pulled, list) else pulled
    except APIError as error:
        raise WorkspaceError(
            f"The image {name} does not exist locally and cannot be pulled: {error_message(error)}.",
            alternatives(daemon, name),
        ) from error


def _make(daemon: Daemon, source: Image, name: str, options: WorkspaceOptions) -> Image:
    _refuse_volumes(source, options)
    small = _is_small(options) and not source.attrs["Config"].get("Volumes")
    with (
        base_files(daemon, options) as folder,  # written by another thread while the container starts
        start_container(daemon, source, options.image or DEFAULT_IMAGE, options) as (with_git, as_root, watch),
    ):
        user = _session_user(daemon, with_git, source, options)
        watch.allow(_COPIES * _size(options, folder()))
        send_files(with_git, as_root, folder(), HOME)
        root = as_root(_LAYOUT, {"SESSION_USER": user}, LAYOUT_TIMEOUT, "chown").rpartition("\n")[2]
        store = create_store_script(STORE, f"{HOME}/base.pack", f"{root}/.git")
        files = [store, _ignore_script(root, options.base.tree), checkout_script(root, options.base.tree)]
        renewing = [_renew_script(root, options.base.tree)] if small else []
        seconds = _git_seconds(options)
        made = _script(*files, reset_index_script(root), *renewing, b"rm -f %b/base.pack" % HOME.encode())
        if user == ROOT_USER:
            as_root(made, _env(root), seconds, "git")
        else:
            run_as(daemon, with_git, options, made, user, _env(root), seconds, "git")
        base = BaseImage(name, user, root)
        if small:
            return _commit(with_git, base)
        repository = with_git.commit(pause=False)
    try:
        return _with_indexes(daemon, repository, base, options)
    except BaseException:
        with suppress(Exception):  # errors are ignored, so that the first error is reported
            daemon.client.images.remove(str(repository.id))
        raise


def _is_small(options: WorkspaceOptions) -> bool:
    files = options.trees.files(options.base.tree)
    return len(files) <= _FEW_FILES and sum(entry.size for entry in files.values()) <= _FEW_BYTES


def _size(options: WorkspaceOptions, folder: Path) -> int:
    """Return the size of the repository's files and history, including the overhead of each file."""
    history = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return history + sum(entry.size + BYTES_PER_FILE for entry in options.trees.files(options.base.tree).values())


def _git_seconds(options: WorkspaceOptions) -> float:
    """Return the time limit for git commands, which also scan the files that set-up left in the repository."""
    return LONG + estimate_git_seconds(options.trees.files(options.base.tree).values())


def _renew_script(root: str, tree: str) -> bytes:
    """Return the shell commands that write the script `RENEW_SCRIPT`, which fails if the files differ from those of the
    base."""
    same = f'[ "$(git write-tree)" = {tree} ] && git diff-files --quiet'
    own = b"(unset GIT_DIR GIT_WORK_TREE; cd %b && git update-index -q --refresh || :)" % quote(root)
    script = b"\n".join([b"set -e", refresh_script(root), own, same.encode()])
    return b"printf '%%s\\n' %b > %b" % (quote(script), RENEW_SCRIPT.encode())


def _commit(container: Container, base: BaseImage) -> Image:
    labels = [f"LABEL {json.dumps(key)}={json.dumps(value)}" for key, value in ((_USER, base.user), (BASE, base.root))]
    return container.commit(repository=base.image, tag="latest", changes=labels, pause=False)


def _with_indexes(daemon: Daemon, repository: Image, base: BaseImage, options: WorkspaceOptions) -> Image:
    """Make the second layer, named `base.image`. Raises WorkspaceError if the files differ from those of the base."""
    container = daemon.start(str(repository.id), user=base.user, **preparation_limits(options))
    try:
        same = f'[ "$(git write-tree)" = {options.base.tree} ] && git diff-files --quiet || echo {_OTHER}'
        renew = _script(refresh_script(base.root), reset_index_script(base.root), same.encode())
        with watch_disk(daemon, container, repository, options):
            seconds = _git_seconds(options)
            output = run_as(daemon, container, options, renew, base.user, _env(base.root), seconds, "git")
        if output.endswith(_OTHER):
            raise WorkspaceError(
                f"The image {options.image or DEFAULT_IMAGE} does not keep the repository's files as they were copied.",
                "Name another with --image.",
            )
        return _commit(container, base)
    finally:
        container.remove(force=True, v=True)


def _ignore_script(root: str, tree: str) -> bytes:
    """Return the shell commands that make git ignore all files that a set-up left in the repository."""
    return (
        b"if [ -e %(made)b ]; then\n"
        b"git -C %(root)b read-tree %(tree)b\n"
        b"git -C %(root)b -c core.quotePath=false ls-files -o --exclude-standard --directory --no-empty-directory |\n"
        b"sed 's/[][*?\\\\!# ]/\\\\&/g; s/^/\\//' > %(home)b/ignored\n"
        b'cat %(home)b/ignored >> "$GIT_DIR/info/exclude"\n'
        b"cat %(home)b/ignored >> %(root)b/.git/info/exclude\n"
        b"rm %(home)b/ignored\n"
        b"fi"
    ) % {b"made": MADE_MARKER.encode(), b"root": quote(root), b"tree": tree.encode(), b"home": HOME.encode()}


def _refuse_volumes(source: Image, options: WorkspaceOptions) -> None:
    """Raise WorkspaceError if the image declares a volume that contains the repository's or the harness's folder, since
    the content of volumes is not saved in images."""
    for volume in source.attrs["Config"].get("Volumes") or {}:
        if any(f"{path}/".startswith(f"{volume.rstrip('/')}/") for path in ("/testbed", "/workspace", HOME)):
            raise WorkspaceError(
                f"The image {options.image or DEFAULT_IMAGE} declares {volume} a volume, so a base cannot be saved.",
                f"Build it without `VOLUME {volume}`, or name another with --image.",
            )


def _session_user(daemon: Daemon, container: Container, source: Image, options: WorkspaceOptions) -> str:
    """Return `uid:gid` of the image's user, which may be a numeric ID without a name."""
    named = str(source.attrs["Config"].get("User") or "0")
    if named in ("0", "root", ROOT_USER):
        return ROOT_USER
    try:
        return ":".join(run_as(daemon, container, options, "id -u && id -g", named, {}).split())
    except CommandTimeout:
        raise
    except WorkspaceError as error:
        raise WorkspaceError(
            f"The image {options.image or DEFAULT_IMAGE} has no user {named}, whom its USER names.",
            "Build it with a USER that exists, or name another with --image.",
        ) from error


def _env(root: str) -> dict[str, str]:
    return store_environment(STORE, root)


def _script(*parts: bytes) -> str:
    return b"\n".join([b"set -e", *parts]).decode("utf-8", "surrogateescape")


MAX_NAMED_IMAGES = 3
_OWN_IMAGES = re.compile(r"swe-agent-(?:base|environment)/|swe-agent-test-|<none>")
"""Images that runs made, which start from another one."""


def alternatives(daemon: Daemon, image: str) -> str:
    """Return what works without a registry: images that are present, and other workspaces.

    This is advice about an error that is reported, so an error of the daemon here only leaves out the images.
    """
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    present = sorted(_present_tags(daemon), key=lambda tag: (name not in tag, tag))[:MAX_NAMED_IMAGES]
    others = f" (or {', '.join(present[1:])})" if present[1:] else ""
    images = f"--image {present[0]}{others}, which is present, if it has what the tests need; " if present else ""
    return f"Without a registry: {images}--workspace {OTHER_WORKSPACE}; or `docker load` of the image."


def _present_tags(daemon: Daemon) -> list[str]:
    """Return one tag of each image that the daemon has and that no run made; none if the daemon fails."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        images = daemon.client.api.images()  # one request, since an image may be removed meanwhile
    except (DockerException, RequestException):
        return []
    tags = []
    for each in images:
        named = [tag for tag in each["RepoTags"] or () if not _OWN_IMAGES.match(tag)]
        tags += sorted(named, key=lambda tag: not tag.endswith(":latest"))[:1]
    return tags
