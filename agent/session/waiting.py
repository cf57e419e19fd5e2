"""What a session is to do next, in order: requests and commands that wait while something is under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition


@dataclass(frozen=True, slots=True)
class Job:
    """`words` are the user's, who sees them waiting and can take them back; none for what a front end wants done."""

    words: str
    do: Callable[[], None]


class Waiting:
    """Any thread puts, one takes. After a stop the user's words are held back until there is a word on how to go on."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._held: deque[Job] = deque()
        self._closed = False
        self._changed = Condition()

    @property
    def words(self) -> tuple[str, ...]:
        """What the user said that was not begun yet, oldest first."""
        with self._changed:
            return tuple(job.words for job in (*self._jobs, *self._held) if job.words)

    def put(self, job: Job) -> None:
        """Last, but before what is held back, which follows it."""
        with self._changed:
            self._jobs.append(job)
            if job.words:
                self._jobs.extend(self._held)
                self._held.clear()
            self._changed.notify()

    def take(self, begin: Callable[[Job], object]) -> Job | None:
        """The next, when there is one; None once closed. `begin` is called with it before anybody else sees it gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            if self._closed:
                return None
            job = self._jobs.popleft()
            begin(job)
            return job

    def take_back(self) -> str:
        """The user's last words, which are not done then; "" where none wait."""
        with self._changed:
            for jobs in (self._held, self._jobs):
                for job in reversed(jobs):
                    if job.words:
                        jobs.remove(job)
                        return job.words
        return ""

    def hold(self) -> None:
        """Keep back what the user said, until there is more."""
        with self._changed:
            self._held.extendleft(job for job in reversed(self._jobs) if job.words)
            self._jobs = deque(job for job in self._jobs if not job.words)

    def close(self) -> None:
        """Nothing more is taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
