"""What one action costs, beside others' ways to do it: `python -m benchmarks.actions [--swe-rex PYTHON] [--n 300]`.

Each row is done in turn by all, the plain ones some dozens in a row, so that a machine's moods meet them alike; the
ratios are what counts. SWE-ReX is asked where it is installed, apart from this project, and an image has its server:

    python3.11 -m venv rex && rex/bin/pip install swe-rex aiohttp && rex/bin/pip install --target rex/site swe-rex
    printf '%s\\n' 'FROM swe-agent-base' 'COPY site /usr/local/lib/python3.11/dist-packages' \\
        'RUN printf "#!/bin/sh\\nexec python3 -m swerex.server \\"\\$@\\"\\n" > /usr/local/bin/swerex-remote' \\
        'RUN chmod +x /usr/local/bin/swerex-remote' | docker build -t swe-agent-rex -f - rex
    python -m benchmarks.actions --swe-rex rex/bin/python

Its container has the host's network for it, and port 8000 must be free. An action of SWE-ReX is one of its session,
which keeps directory and variables as ours does; `execute`, a process a command, has a column of its own.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks._peers import Bash, DockerExec, Ours, Peer, Pipe, SweRex, repository

OURS, EXEC, REX, EXECUTE = "ours (Docker)", "docker exec", "SWE-ReX", "its execute"
CONTAINERS = (EXEC, REX)
FASTER, AS_FAST = 100.0, 1 / 1.1
"""Times by which a plain action of ours is to be faster than the peers in containers, and what starts and streams."""
ROUNDS = 9
PAUSE = 0.1
"""Seconds before each turn: a daemon still tidies up behind a `docker exec` that has answered, at the next's cost."""


@dataclass(frozen=True, slots=True)
class Row:
    """Milliseconds of each time something was done, by who did it."""

    name: str
    operation: str
    share: float
    """Of the times that a plain action is done."""
    needs: float
    """Times that each container peer's p50 is to be ours."""
    times: dict[str, list[float]] = field(default_factory=dict)

    def p50(self, who: str) -> float:
        return statistics.median(self.times[who])

    def p95(self, who: str) -> float:
        found = self.times[who]
        return statistics.quantiles(found, n=20)[-1] if len(found) > 1 else found[0]


def rows() -> list[Row]:
    return [
        Row("start to first answer", "start", 0.03, AS_FAST),
        Row("plain action", "act", 1.0, FASTER),
        Row("action that starts a process", "process", 0.1, 1.0),
        Row("10 MB of output", "output", 0.03, AS_FAST),
        Row("1 MB written", "write", 0.1, 1.0),
        Row("1 MB read", "read", 0.1, 1.0),
        Row("snapshot after an edit, 5,000 files", "snapshot", 0.1, 1.0),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", default="swe-agent-base:latest")
    parser.add_argument("--n", type=int, default=300, help="plain actions; the rest is done fewer times")
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--swe-rex", metavar="PYTHON", help="a Python that has swe-rex")
    parser.add_argument("--swe-rex-image", default="swe-agent-rex", help="an image that has its server")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        repo = repository(folder / "repo", asked.files)
        peers: dict[str, Peer] = {
            OURS: Ours(folder, repo, asked.image),
            EXEC: DockerExec(repo, asked.image),
            **_swe_rex(asked.swe_rex, repo, asked.swe_rex_image),
            "bash -c": Bash(folder / "bash", repo),
            "local pipe": Pipe(folder / "pipe", repo),
        }
        for peer in peers.values():
            stack.callback(peer.close)
        show(measured(peers, asked.n))


def _swe_rex(python: str | None, repo: Path, image: str) -> dict[str, Peer]:
    if not python:
        return {}
    rex = SweRex(python, repo, image)
    return {REX: rex, EXECUTE: rex.execute}


def measured(peers: dict[str, Peer], n: int) -> list[Row]:
    """Every row, done by each peer in turn, after rounds that are not counted."""
    found = rows()
    for row in found:
        wanted = max(round(n * row.share), 2)
        in_a_row = max(wanted // ROUNDS, 1)
        for number in range(-1, math.ceil(wanted / in_a_row)):
            for who, peer in peers.items():
                time.sleep(PAUSE)
                seconds = [peer.seconds(row.operation) for _ in range(in_a_row)]
                if number >= 0:
                    row.times.setdefault(who, []).extend(each * 1000 for each in seconds)
        told = ", ".join(f"{who} {_shown(row, who) or 'none'}" for who in peers)
        print(f"{row.name}: {told}", file=sys.stderr, flush=True)
    return found


def show(found: Sequence[Row]) -> None:
    peers = list(found[0].times)
    table = Table("p50 / p95, ms", *peers, "n", title="An action, by who does it")
    for row in found:
        shown = [_shown(row, who) for who in peers]
        table.add_row(row.name, *shown, str(len(row.times[OURS])))
    console = Console(width=max(Console().width, 40 + 24 * len(peers)))
    console.print(table)
    ratios = Table("p50, theirs / ours", *peers[1:], "needed", "reached")
    for row in found:
        times = {who: row.p50(who) / row.p50(OURS) for who in peers[1:]}
        reached = all(times[who] >= row.needs for who in CONTAINERS if who in times)
        needed = f"{row.needs:.3g}x in containers"
        told = ["" if math.isnan(times[who]) else f"{times[who]:,.2f}x" for who in peers[1:]]
        ratios.add_row(row.name, *told, needed, "yes" if reached else "NO")
    console.print(ratios)


def _shown(row: Row, who: str) -> str:
    return "" if math.isnan(row.p50(who)) else f"{row.p50(who):,.2f} / {row.p95(who):,.2f}"


if __name__ == "__main__":
    main()
