"""`mini-extra swebench` with timing: `PYTHON _timed_mini.py LOG ARGUMENT…`, with a Python that has mini-swe-agent.

Writes a line of JSON for each instance and each container start: its kind, its id and its seconds.
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

    def timed(kind: str, function: Callable[..., Any], *args: Any) -> Any:
        began = time.time()
        try:
            return function(*args)
        finally:
            line = {"what": kind, "id": current[get_ident()], "began": began, "seconds": time.time() - began}
            with lock, Path(log).open("a") as file:
                file.write(json.dumps(line | {"thread": get_ident()}) + "\n")

    process, start = swebench.process_instance, DockerEnvironment._start_container

    def process_instance(instance: dict[str, Any], *args: Any) -> Any:
        current[get_ident()] = instance["instance_id"]
        return timed("instance", process, instance, *args)

    def start_container(self: Any) -> Any:
        return timed("start", start, self)

    swebench.process_instance = process_instance
    DockerEnvironment._start_container = start_container
    sys.argv = ["mini-extra swebench", *arguments]
    swebench.app()


if __name__ == "__main__":
    main()
