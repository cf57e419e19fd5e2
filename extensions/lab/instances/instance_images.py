"""The images of a batch: each is pulled before its first instance and, if disk space is short, removed after its last
one."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Semaphore, Thread

from aci.docker.docker_daemon import Daemon, all_discarded, docker_errors
from aci.observation.activity_message import ActivityMessage
from extensions.lab.instances.image_layers import Layers
from extensions.lab.instances.image_registry import Busy, DiskFull, ImageNotFound, official_image, pull
from extensions.lab.instances.jobs import Job
from trajectories.errors import Cancelled, UsageError, WorkspaceError
from trajectories.journal import write_durably

TICK = 0.1
PULLS = 2
"""Maximum number of simultaneous pulls; all share one connection to the registry."""
IMAGE_LIST = "images.json"
_SIZE = re.compile(r"(\d{1,12})([kmgt]?)")


def bytes_of(size: str) -> int | None:
    """Return a size such as `50g` in bytes; None for "". Raises UsageError."""
    match = _SIZE.fullmatch(size.lower())
    if size and not match:
        raise UsageError(f"--disk-limit {size!r} is not a size.", "Give one such as 50g.")
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[match[2]] if match else None


class Images:
    """The images of a batch in one daemon.

    `limit` is the maximum total size in bytes of the images that this batch pulls and of the images built from them.
    `kept` is the file that lists these images, so that a resumed batch knows them. `note` is called with the digest of
    each image.

    An image is removed only if this batch pulled it, its last instance is done and no container uses it.
    """

    def __init__(
        self,
        daemon: Daemon,
        limit: int | None,
        kept: Path,
        say: Callable[[str], object] = print,
        note: Callable[[Mapping[str, str]], object] = lambda digests: None,
    ) -> None:
        self._daemon, self._limit, self._file, self._say, self._note = daemon, limit, kept, say, note
        self._layers = Layers(daemon)
        self._at_once = Semaphore(PULLS)
        self._closed = False
        self._pulls: dict[str, Future[str]] = {}
        self._planned: dict[str, str] = {}
        self._jobs_left: Counter[str] = Counter()
        self._registry: bool | None = None
        """Whether the registry of SWE-bench's images answers; None before the first request."""
        self._lock = Lock()
        self._own_images: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}

    def order(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs grouped by image, in the order of first use; jobs without an image come first."""
        self._planned = {job.run: job.settings.image or official_image(job.instance) for job in jobs}
        self._jobs_left = Counter(self._planned.values())
        place = {image: at for at, image in enumerate(dict.fromkeys(["", *self._planned.values()]))}
        return sorted(jobs, key=lambda job: place[self._planned[job.run]])

    def ahead(self, job: Job) -> None:
        """Start pulling the job's image, unless the limit is reached."""
        if (image := self._planned.get(job.run)) and not self._is_over_limit():
            self._pull(image, bool(job.settings.image))

    def need(self, job: Job, cancel: Event) -> Job:
        """Return the job with its image, which then exists locally, or without an image if its environment must be
        built.

        Raises Cancelled, or WorkspaceError if the image that the job names cannot be pulled.
        """
        image = job.settings.image or self._planned.get(job.run, "")
        if not image:
            return job
        self._expect(job.run, image)
        self._forget_if_gone(image)
        pulling = self._pull(image, bool(job.settings.image))
        while not pulling.done():
            if cancel.is_set():
                raise Cancelled("Interrupted while pulling an image.")
            wait([pulling], TICK)
        digest = pulling.result()
        if not digest:
            return job
        self._note({image: digest})
        return replace(job, settings=job.settings.model_copy(update={"image": image}))

    def release(self, run: str) -> None:
        """Mark the job of this run as finished; remove unneeded images if the limit is exceeded."""
        with self._lock:
            image = self._planned.pop(run, "")
            self._jobs_left[image] -= 1
        with suppress(WorkspaceError, OSError), docker_errors():  # the next access to the daemon reports the error
            if image and self._is_over_limit():
                self._make_room()

    def close(self) -> None:
        """Close without waiting for pulls in progress."""
        self._closed = True
        self._daemon.rest()

    def _pull(self, image: str, named: bool) -> Future[str]:
        with self._lock:
            if image not in self._pulls:
                self._pulls[image] = Future()
                having = (self._pulls[image], image, named)
                Thread(target=self._fulfil, args=having, name=f"pull {image}", daemon=True).start()
            return self._pulls[image]

    def _fulfil(self, promise: Future[str], image: str, named: bool) -> None:
        try:
            promise.set_result(self._ensure(image, named))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            promise.set_exception(error)

    def _expect(self, run: str, image: str) -> None:
        """Update the plan if a repository's own settings specify a different image than the instance's row does."""
        with self._lock:
            planned = self._planned.get(run)
            if planned is not None and planned != image:
                self._jobs_left[planned] -= 1
                self._jobs_left[image] += 1
                self._planned[run] = image

    def _forget_if_gone(self, image: str) -> None:
        """Forget a pull that failed, or whose image has since been removed, so that it is repeated."""
        pulling = self._pulls.get(image)
        if pulling is None or not pulling.done():
            return
        with docker_errors():
            gone = pulling.exception() is not None or (pulling.result() and not self._digest(image))
        with self._lock:
            if gone and self._pulls.get(image) is pulling:
                del self._pulls[image]

    def _ensure(self, image: str, named: bool) -> str:
        """Pull the image if necessary and return its digest; "" for an unavailable image that the job did not name."""
        with docker_errors():
            if here := self._digest(image):
                return here
            try:
                self._pull_now(image, named)
            except ImageNotFound:
                if named:
                    raise
                self._registry = self._registry is not False
                return ""
            except DiskFull:
                if not self._make_room():
                    raise
                self._pull_now(image, named)
            except WorkspaceError as error:
                if named or self._registry or isinstance(error, Busy):
                    raise
                if self._registry is None:
                    self._say(f"{error.message} Environments are built instead of SWE-bench's own images.")
                self._registry = False
                return ""
            return self._digest(image)

    def _pull_now(self, image: str, named: bool) -> None:
        with self._at_once:
            if self._closed:
                raise Cancelled("The batch was stopped.")
            if not named and self._registry is False:
                raise ImageNotFound(f"There is no {image}.")
            self._say(ActivityMessage(f"Pulling the image {image}."))
            pull(self._daemon, image)
            self._registry = True if not named else self._registry
        id = str(self._daemon.client.images.get(image).id)
        with self._lock:
            self._own_images[image] = id
            self._write()

    def _digest(self, image: str) -> str:
        """Return the image's registry digest, else its own id; "" if it does not exist locally."""
        from docker.errors import ImageNotFound

        try:
            about = self._daemon.client.images.get(image).attrs
        except ImageNotFound:
            return ""
        return str((about.get("RepoDigests") or [about["Id"]])[0]).rpartition("@")[2]

    def _is_over_limit(self) -> bool:
        if self._limit is None:
            return False
        with self._lock:
            ours = list(self._own_images.values())
        with docker_errors():
            return (
                self._layers.size([*ours, *(made for one in ours for made in self._layers.derived_images(one))])
                > self._limit
            )

    def _make_room(self) -> bool:
        """Remove images whose last instance is done, oldest first, until their size is within the limit; return whether
        any was removed."""
        removed = False
        all_discarded()  # an image with a container cannot be removed
        with self._lock:
            spare = [(name, id) for name, id in self._own_images.items() if self._jobs_left[name] <= 0]
        for name, id in spare:
            if removed and not self._is_over_limit():
                break
            removed |= self._remove(name, id)
        return removed

    def _remove(self, name: str, id: str) -> bool:
        from docker.errors import APIError, ImageNotFound

        api = self._daemon.client.api
        for made in self._layers.derived_images(id):
            with suppress(APIError):  # an image that a container uses is kept
                api.remove_image(made)
        try:
            api.remove_image(name)
        except ImageNotFound:
            pass
        except APIError:
            return False
        with self._lock:
            self._own_images.pop(name, None)
            self._pulls.pop(name, None)
            self._write()
        return True

    def _write(self) -> None:
        write_durably(self._file, json.dumps(self._own_images).encode())
