"""Cost of a batch's records for its driver as the batch grows: `python -m benchmarks.records [--results 20000]`.

Adds `--results` results, each with a patch of 1 kB, one by one and with fsync, as a driver does; then opens the batch
again. Reports milliseconds and bytes per result, and the seconds and memory needed to open the batch.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from pathlib import Path

from extensions.lab.batch.reports.batch_results import ResultStore
from extensions.lab.instances.jobs import JobResult

PATCH = "diff --git a/pkg/module.py b/pkg/module.py\n" + "+    return first + second\n" * 38


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, default=20_000, metavar="N", help="number of results")
    n = parser.parse_args().results
    with tempfile.TemporaryDirectory(prefix="swe-agent-records-") as name:
        out = Path(name)
        with ResultStore(out) as store:
            tenths = [_add_results(store, range(n * part // 10, n * (part + 1) // 10)) for part in range(10)]
        size = {path.name: path.stat().st_size / n for path in out.iterdir() if path.suffix in (".jsonl", ".json")}
        began = time.perf_counter()
        ResultStore(out).close()
        seconds = time.perf_counter() - began
        tracemalloc.start()
        store = ResultStore(out)
        memory = tracemalloc.get_traced_memory()[0] / n
        store.close()
    print(f"{n:,} results: {tenths[0]:.2f} ms each in the first tenth, {tenths[-1]:.2f} ms in the last")
    print("bytes per result: " + ", ".join(f"{name} {each:,.0f}" for name, each in sorted(size.items())))
    print(
        f"reopened: {1e6 * seconds / n:,.0f} us and {memory:,.0f} bytes of memory per result, {seconds:.2f} s in total"
    )


def _add_results(store: ResultStore, numbers: range) -> float:
    """Add the results with these numbers; return milliseconds per result."""
    began = time.perf_counter()
    for number in numbers:
        run = f"owner__repository-{number}"
        done = JobResult(
            run, 1, run, 0, "verified", "verified", PATCH, 0.1, 9_000, 5_000, 900, 4, 9, 60.0, at=time.time()
        )
        store.add(done, "openai/m")
    return 1000 * (time.perf_counter() - began) / max(1, len(numbers))


if __name__ == "__main__":
    main()
