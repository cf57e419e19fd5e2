"""The endpoint in a process of its own: says its URL on the first line, then serves until it is killed.

A script is lines of JSON, each a `Rule`: `{"turns"?, "contains"?, "times"?, "answer": {...}}`; the first that fits
a request answers it. `--log` gets each request as a line of JSON.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from tests.endpoint import Endpoint, Rule, rules


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.endpoint", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    given = parser.parse_args()
    script = [Rule.from_json(line) for line in given.script.read_text("utf-8").splitlines() if line.strip()]
    log = given.log.open("a", encoding="utf-8") if given.log else None
    with Endpoint(rules(script), port=given.port, log=log) as endpoint:
        sys.stdout.write(f"{endpoint.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
