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

    @property
    def is_said(self) -> bool:
        return bool(self.words)


class Waiting:
    """Any thread puts, one takes. After a stop the user's words are held back until it is `release`d."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._held: deque[Job] = deque()
        self._closed = False
        self._changed = Condition()

    @property
    def words(self) -> tuple[str, ...]:
        """What the user said that was not begun yet, oldest first."""
        with self._changed:
            return tuple(job.words for job in (*self._jobs, *self._held) if job.is_said)

    def put(self, job: Job) -> None:
        """Last; what is held back stays so."""
        with self._changed:
            self._jobs.append(job)
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
                    if job.is_said:
                        jobs.remove(job)
                        return job.words
        return ""

    def hold(self) -> None:
        """Keep back what the user said and is not begun."""
        with self._changed:
            self._held.extend(job for job in self._jobs if job.is_said)
            self._jobs = deque(job for job in self._jobs if not job.is_said)

    def release(self) -> bool:
        """What is held back comes next, as it was said before all else that waits. Whether there was any."""
        with self._changed:
            some = bool(self._held)
            self._jobs.extendleft(reversed(self._held))
            self._held.clear()
            self._changed.notify()
            return some

    def drop(self) -> tuple[str, ...]:
        """Never do what is held back; its words."""
        with self._changed:
            words = tuple(job.words for job in self._held)
            self._held.clear()
            return words

    def close(self) -> None:
        """Nothing more is taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
