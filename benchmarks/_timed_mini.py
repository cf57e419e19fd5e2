"""`mini-extra swebench` with a clock: run by the Python that has mini-swe-agent, `PYTHON _timed_mini.py LOG ARGUMENT…`.

A line of JSON for each instance and each container that was started: what, which, and its seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

from minisweagent.environments.docker import DockerEnvironment  # type: ignore[import-not-found]
from minisweagent.run.benchmarks import swebench  # type: ignore[import-not-found]


def main() -> None:
    log, arguments = sys.argv[1], sys.argv[2:]
    lock = Lock()
    current: dict[int, str] = {}

    def timed(what: str, do: Callable[..., Any], *given: Any) -> Any:
        began = time.time()
        try:
            return do(*given)
        finally:
            line = {"what": what, "id": current[get_ident()], "began": began, "seconds": time.time() - began}
            with lock, Path(log).open("a") as file:
                file.write(json.dumps(line | {"thread": get_ident()}) + "\n")

    process, start = swebench.process_instance, DockerEnvironment._start_container

    def process_instance(instance: dict[str, Any], *more: Any) -> Any:
        current[get_ident()] = instance["instance_id"]
        return timed("instance", process, instance, *more)

    def start_container(self: Any) -> Any:
        return timed("start", start, self)

    swebench.process_instance = process_instance
    DockerEnvironment._start_container = start_container
    sys.argv = ["mini-extra swebench", *arguments]
    swebench.app()


if __name__ == "__main__":
    main()
