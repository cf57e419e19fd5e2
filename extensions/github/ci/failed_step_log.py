"""The end of what the failed steps of a CI job wrote, from the job's log, which is untrusted.

The runner begins each line of a log with the time, and GitHub's API has the times of the steps. So a line is assigned
to a step by its time; group and error marks in the log are not trusted, because a step can write them itself.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from aci.issue_text.runner_lines import RUNNER_TIME, show_marks
from aci.observation.output_text import last_lines, prepare_output
from extensions.github.ci.ci_runs import CiStep

MOST_BYTES = 200_000
"""Maximum number of bytes that are kept, from the end."""
LONGEST_LINE = 20_000
"""Maximum number of bytes of a line that are kept, from its start."""
_TIME = re.compile(RUNNER_TIME.pattern.encode())
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class FailedStepLog:
    """A log that arrives in pieces. It keeps the last lines of the failed steps, and of the whole job for use if no
    line can be assigned to a failed step."""

    def __init__(self, steps: Iterable[CiStep]) -> None:
        self._spans = [
            (_seconds(step.started_at), _seconds(step.completed_at))
            for step in steps
            if step.started_at and step.completed_at
        ]
        self._of_steps, self._of_job = _Tail(), _Tail()
        self._open = b""
        self._is_in_step = False

    def add(self, data: bytes) -> None:
        *lines, last = data.split(b"\n")
        for line in lines:
            self._keep(self._open + line)
            self._open = b""
        self._open = (self._open + last)[: 2 * LONGEST_LINE]

    def text(self, secrets: Sequence[str] = ()) -> str:
        """Return the text as a model may see it: shortened, without control characters, with secrets masked."""
        self._keep(self._open)
        self._open = b""
        kept = self._of_steps if self._of_steps.size else self._of_job
        plain = show_marks("\n".join(kept.last()))
        return prepare_output(plain, "tests", secrets=secrets)[0].strip()

    def _keep(self, line: bytes) -> None:
        line = line.removeprefix(_BYTE_ORDER_MARK)
        if time := _TIME.match(line):
            at, line = time[1].decode(), line[time.end() :]
            self._is_in_step = any(start <= at <= end for start, end in self._spans)
        if len(line) > LONGEST_LINE:  # the last word may be a part of a secret
            line = line[:LONGEST_LINE].rpartition(b" ")[0] + " …".encode()
        self._of_job.add(line)
        if self._is_in_step:
            self._of_steps.add(line)


class _Tail:
    """The last lines that were added, at most MOST_BYTES of them; `size` is their number of bytes."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self.size, self._is_cut = 0, False

    def add(self, line: bytes) -> None:
        self._lines.append(line)
        self.size += len(line) + 1
        while self.size > MOST_BYTES:
            self.size -= len(self._lines.popleft()) + 1
            self._is_cut = True

    def last(self) -> list[str]:
        whole = b"\n".join(self._lines)
        # `last_lines` leaves out the first line, and the rest of a private key that began earlier.
        return last_lines(whole if self._is_cut else b"\n" + whole, len(self._lines) + 1)


def _seconds(at: str | None) -> str:
    """Return a time of the API in the format of the log, without fractions of a second."""
    return datetime.fromisoformat(at or "").astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
