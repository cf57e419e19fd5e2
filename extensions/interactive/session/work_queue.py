"""The work queue of a session: requests and commands that wait until the current job ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition


@dataclass(frozen=True, slots=True)
class Job:
    """A queued job. `words` is shown to the user, who can take the job back; it is empty for jobs of a front end."""

    words: str
    do: Callable[[], None]

    @property
    def has_text(self) -> bool:
        return bool(self.words)


class WorkQueue:
    """A queue for many producers and one consumer. After `hold`, the user's jobs wait until `release`."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._held: deque[Job] = deque()
        self._closed = False
        self._changed = Condition()

    @property
    def words(self) -> tuple[str, ...]:
        """The words of waiting jobs, oldest first."""
        with self._changed:
            return tuple(job.words for job in (*self._jobs, *self._held) if job.has_text)

    def put(self, job: Job) -> None:
        """Append a job. Held jobs remain held."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def take(self, begin: Callable[[Job], object]) -> Job | None:
        """Wait for the next job and return it, or return None if the queue is closed.

        `begin` is called with the job before other threads see that it left the queue.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            if self._closed:
                return None
            job = self._jobs.popleft()
            begin(job)
            return job

    def take_back(self) -> str:
        """Remove the user's last job and return its words; "" if there is none."""
        with self._changed:
            for jobs in (self._held, self._jobs):
                for job in reversed(jobs):
                    if job.has_text:
                        jobs.remove(job)
                        return job.words
        return ""

    def hold(self) -> None:
        """Hold the user's waiting jobs."""
        with self._changed:
            self._held.extend(job for job in self._jobs if job.has_text)
            self._jobs = deque(job for job in self._jobs if not job.has_text)

    def release(self) -> bool:
        """Put the held jobs first in the queue; return whether there were any."""
        with self._changed:
            some = bool(self._held)
            self._jobs.extendleft(reversed(self._held))
            self._held.clear()
            self._changed.notify()
            return some

    def drop(self) -> tuple[str, ...]:
        """Discard the held jobs and return their words."""
        with self._changed:
            words = tuple(job.words for job in self._held)
            self._held.clear()
            return words

    def close(self) -> None:
        """Stop handing out jobs."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
