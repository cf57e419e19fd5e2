"""The images of a batch: named, pulled ahead of their first instance, removed after their last where disk is short."""

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

from aci.daemon import Daemon, all_discarded, trouble
from agent.batch.layers import Layers
from agent.batch.place import Job
from agent.batch.pulling import Busy, DiskFull, Missing, official, pull
from trajectories.errors import Cancelled, UsageError, WorkspaceError
from trajectories.journal import write_durably

TICK = 0.1
PULLS = 2
"""So many at once; the others wait, as all share one line to the registry."""
KEPT = "images.json"
_SIZE = re.compile(r"(\d{1,12})([kmgt]?)")


def bytes_of(size: str) -> int | None:
    """`50g` in bytes; None for "". Raises UsageError."""
    match = _SIZE.fullmatch(size.lower())
    if size and not match:
        raise UsageError(f"--disk-limit {size!r} is no size.", "Give one like 50g.")
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[match[2]] if match else None


class Images:
    """Of one daemon. `limit` in bytes is what the images that this batch pulls may take, with what is made of them;
    `kept` is the file that names them, for a batch that is gone on with. `note` is told the digest of each.

    An image is removed after its last instance only, never one that was here before, or that a container uses.
    """

    def __init__(
        self,
        daemon: Daemon,
        limit: int | None,
        kept: Path,
        say: Callable[[str], object] = print,
        note: Callable[[Mapping[str, str]], object] = lambda digests: None,
    ) -> None:
        self._daemon, self._limit, self._kept, self._say, self._note = daemon, limit, kept, say, note
        self._layers = Layers(daemon)
        self._at_once = Semaphore(PULLS)
        self._closed = False
        self._pulls: dict[str, Future[str]] = {}
        self._planned: dict[str, str] = {}
        self._left: Counter[str] = Counter()
        self._registry: bool | None = None
        """Whether the one of SWE-bench's images answers; null before it was asked."""
        self._lock = Lock()
        self._ours: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}

    def order(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs of an image one after the other, images as they first come; those with none of their own first."""
        self._planned = {job.run: job.settings.image or official(job.instance) for job in jobs}
        self._left = Counter(self._planned.values())
        place = {image: at for at, image in enumerate(dict.fromkeys(["", *self._planned.values()]))}
        return sorted(jobs, key=lambda job: place[self._planned[job.run]])

    def ahead(self, job: Job) -> None:
        """Begin to pull what the job will need, unless the limit is reached."""
        if (image := self._planned.get(job.run)) and not self._over():
            self._pull(image, bool(job.settings.image))

    def need(self, job: Job, cancel: Event) -> Job:
        """The job with the image that it runs in, which is here; with none if its environment has yet to be built.

        Raises WorkspaceError where the image that it names cannot be had, Cancelled.
        """
        image = job.settings.image or self._planned.get(job.run, "")
        if not image:
            return job
        self._expect(job.run, image)
        self._forget_if_gone(image)
        pulling = self._pull(image, bool(job.settings.image))
        while not pulling.done():
            if cancel.is_set():
                raise Cancelled("Interrupted while an image was pulled.")
            wait([pulling], TICK)
        digest = pulling.result()
        if not digest:
            return job
        self._note({image: digest})
        return replace(job, settings=job.settings.model_copy(update={"image": image}))

    def release(self, run: str) -> None:
        """The job of that run is done, for good."""
        with self._lock:
            image = self._planned.pop(run, "")
            self._left[image] -= 1
        with suppress(WorkspaceError, OSError), trouble():  # whoever needs the daemon next is told
            if image and self._over():
                self._make_room()

    def close(self) -> None:
        """What is on its way is not waited for."""
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
            promise.set_result(self._have(image, named))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            promise.set_exception(error)

    def _expect(self, run: str, image: str) -> None:
        """A repository's own settings may name another image than its row."""
        with self._lock:
            planned = self._planned.get(run)
            if planned is not None and planned != image:
                self._left[planned] -= 1
                self._left[image] += 1
                self._planned[run] = image

    def _forget_if_gone(self, image: str) -> None:
        """What failed is tried anew, and what somebody removed since is pulled again."""
        pulling = self._pulls.get(image)
        if pulling is None or not pulling.done():
            return
        with trouble():
            gone = pulling.exception() is not None or (pulling.result() and not self._digest(image))
        with self._lock:
            if gone and self._pulls.get(image) is pulling:
                del self._pulls[image]

    def _have(self, image: str, named: bool) -> str:
        """The digest of the image once it is here; "" for one that nobody named and that is nowhere."""
        with trouble():
            if here := self._digest(image):
                return here
            try:
                self._pulled(image, named)
            except Missing:
                if named:
                    raise
                self._registry = self._registry is not False
                return ""
            except DiskFull:
                if not self._make_room():
                    raise
                self._pulled(image, named)
            except WorkspaceError as error:
                if named or self._registry or isinstance(error, Busy):
                    raise
                if self._registry is None:
                    self._say(f"{error.message} Environments are built instead of SWE-bench's own images.")
                self._registry = False
                return ""
            return self._digest(image)

    def _pulled(self, image: str, named: bool) -> None:
        with self._at_once:
            if self._closed:
                raise Cancelled("The batch was stopped.")
            if not named and self._registry is False:
                raise Missing(f"There is no {image}.")
            self._say(f"Pulling the image {image}.")
            pull(self._daemon, image)
            self._registry = True if not named else self._registry
        id = str(self._daemon.client.images.get(image).id)
        with self._lock:
            self._ours[image] = id
            self._write()

    def _digest(self, image: str) -> str:
        """By which a registry knows it, else its own; "" for one that is not here."""
        from docker.errors import ImageNotFound

        try:
            about = self._daemon.client.images.get(image).attrs
        except ImageNotFound:
            return ""
        return str((about.get("RepoDigests") or [about["Id"]])[0]).rpartition("@")[2]

    def _over(self) -> bool:
        if self._limit is None:
            return False
        with self._lock:
            ours = list(self._ours.values())
        with trouble():
            return (
                self._layers.size([*ours, *(made for one in ours for made in self._layers.made_of(one))]) > self._limit
            )

    def _make_room(self) -> bool:
        """Remove images whose last instance is done, oldest first, until the limit is kept; whether any went."""
        went = False
        all_discarded()  # an image of which there is a container stays
        with self._lock:
            spare = [(name, id) for name, id in self._ours.items() if self._left[name] <= 0]
        for name, id in spare:
            if went and not self._over():
                break
            went |= self._removed(name, id)
        return went

    def _removed(self, name: str, id: str) -> bool:
        from docker.errors import APIError, ImageNotFound

        api = self._daemon.client.api
        for made in self._layers.made_of(id):
            with suppress(APIError):  # one that a container uses stays
                api.remove_image(made)
        try:
            api.remove_image(name)
        except ImageNotFound:
            pass
        except APIError:
            return False
        with self._lock:
            self._ours.pop(name, None)
            self._pulls.pop(name, None)
            self._write()
        return True

    def _write(self) -> None:
        write_durably(self._kept, json.dumps(self._ours).encode())
