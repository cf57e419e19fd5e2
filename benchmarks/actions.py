"""Latency of one action, compared with other ways to run a command.

    python -m benchmarks.actions [--swe-rex PYTHON] [--n 300]

The peers measure each row in turn, cheap actions several dozen times per turn, so that changes in the machine's load
affect all of them alike. Compare the ratios. SWE-ReX is measured only if `--swe-rex` is given. Install it apart from
this project, and build an image that contains its server:

    python3.11 -m venv rex && rex/bin/pip install swe-rex aiohttp && rex/bin/pip install --target rex/site swe-rex
    printf '%s\\n' 'FROM swe-agent-base' 'COPY site /usr/local/lib/python3.11/dist-packages' \\
        'RUN printf "#!/bin/sh\\nexec python3 -m swerex.server \\"\\$@\\"\\n" > /usr/local/bin/swerex-remote' \\
        'RUN chmod +x /usr/local/bin/swerex-remote' | docker build -t swe-agent-rex -f - rex
    python -m benchmarks.actions --swe-rex rex/bin/python

The sandbox is measured for an ordinary user who may use Docker. SWE-ReX's container uses the host's network, so port
8000 must be free. An action of SWE-ReX runs in its session, which keeps the directory and the variables as ours does.
`execute`, which starts a process for each command, has a separate column.
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
from extensions.sandbox.bubblewrap import unavailable_reason

OURS, SANDBOX, LOCAL = "ours (Docker)", "ours (sandbox)", "ours (local)"
EXEC, REX, EXECUTE = "docker exec", "SWE-ReX", "its execute"
CONTAINERS = (EXEC, REX)
FASTER, AS_FAST = 100.0, 1 / 1.1
"""Required ratios to the peers in containers: for a plain action, and for starting and streaming."""
ROUNDS = 9
PAUSE = 0.1
"""Seconds before each turn: after `docker exec` has answered, the daemon still cleans up, which slows the next turn."""


@dataclass(frozen=True, slots=True)
class Row:
    """Milliseconds of each execution of an operation, by peer."""

    name: str
    operation: str
    share: float
    """Number of executions, as a fraction of `--n`."""
    required: float
    """Required ratio of each container peer's p50 to ours."""
    times: dict[str, list[float]] = field(default_factory=dict)

    def p50(self, peer: str) -> float:
        return statistics.median(self.times[peer])

    def p95(self, peer: str) -> float:
        times = self.times[peer]
        return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]


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
    parser.add_argument("--n", type=int, default=300, help="plain actions; other rows are measured less often")
    parser.add_argument("--files", type=int, default=5000, help="files in the repository")
    parser.add_argument("--swe-rex", metavar="PYTHON", help="a Python in which swe-rex is installed")
    parser.add_argument("--swe-rex-image", default="swe-agent-rex", help="an image that contains its server")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        repo = repository(folder / "repo", options.files)
        peers: dict[str, Peer] = {
            OURS: Ours("docker", folder, repo, options.image),
            **({SANDBOX: Ours("sandbox", folder, repo, "")} if unavailable_reason() is None else {}),
            LOCAL: Ours("local", folder, repo, ""),
            EXEC: DockerExec(repo, options.image),
            **_swe_rex(options.swe_rex, repo, options.swe_rex_image),
            "bash -c": Bash(folder / "bash", repo),
            "local pipe": Pipe(folder / "pipe", repo),
        }
        for peer in peers.values():
            stack.callback(peer.close)
        show(measured(peers, options.n))


def _swe_rex(python: str | None, repo: Path, image: str) -> dict[str, Peer]:
    if not python:
        return {}
    rex = SweRex(python, repo, image)
    return {REX: rex, EXECUTE: rex.execute}


def measured(peers: dict[str, Peer], n: int) -> list[Row]:
    """Measure every row with each peer in turn, after one round that is not counted."""
    found = rows()
    for row in found:
        count = max(round(n * row.share), 2)
        per_turn = max(count // ROUNDS, 1)
        for number in range(-1, math.ceil(count / per_turn)):
            for name, peer in peers.items():
                time.sleep(PAUSE)
                seconds = [peer.seconds(row.operation) for _ in range(per_turn)]
                if number >= 0:
                    row.times.setdefault(name, []).extend(each * 1000 for each in seconds)
        cells = ", ".join(f"{name} {_format_times(row, name) or 'none'}" for name in peers)
        print(f"{row.name}: {cells}", file=sys.stderr, flush=True)
    return found


def show(found: Sequence[Row]) -> None:
    peers = list(found[0].times)
    table = Table("p50 / p95, ms", *peers, "n", title="Latency of one action, by peer")
    for row in found:
        cells = [_format_times(row, peer) for peer in peers]
        table.add_row(row.name, *cells, str(len(row.times[OURS])))
    console = Console(width=max(Console().width, 40 + 24 * len(peers)))
    console.print(table)
    ratios = Table("p50, theirs / ours", *peers[1:], "required", "passed")
    for row in found:
        times = {peer: row.p50(peer) / row.p50(OURS) for peer in peers[1:]}
        passed = all(times[peer] >= row.required for peer in CONTAINERS if peer in times)
        required = f"{row.required:.3g}x in containers"
        cells = ["" if math.isnan(times[peer]) else f"{times[peer]:,.2f}x" for peer in peers[1:]]
        ratios.add_row(row.name, *cells, required, "yes" if passed else "NO")
    console.print(ratios)


def _format_times(row: Row, peer: str) -> str:
    return "" if math.isnan(row.p50(peer)) else f"{row.p50(peer):,.2f} / {row.p95(peer):,.2f}"


if __name__ == "__main__":
    main()
