"""The endpoint in a separate process: prints its URL as the first line, then serves until it is killed.

A script has one JSON object per line, each a `Rule`: `{"turns"?, "contains"?, "times"?, "answer": {...}}`. The first
rule that matches a request answers it. `--log` names a file for the requests, one JSON object per line.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from tests.endpoint import Endpoint, Rule, rules


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.endpoint", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free port")
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args()
    script = [Rule.from_json(line) for line in arguments.script.read_text("utf-8").splitlines() if line.strip()]
    log = arguments.log.open("a", encoding="utf-8") if arguments.log else None
    with Endpoint(rules(script), port=arguments.port, log=log) as endpoint:
        sys.stdout.write(f"{endpoint.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
