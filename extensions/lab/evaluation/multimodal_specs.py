"""Specifications of SWE-bench Multimodal's instances: the set-up, test command and parser of
`multimodal_specs.toml`."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from extensions.lab.evaluation.javascript_logs import Read, javascript_reader

_CHROMIUM = (
    "for chrome in chromium chromium-browser google-chrome; do chrome=$(command -v $chrome) && break; done",
    'export CHROME_BIN="$(mktemp -d)/chrome"; export PUPPETEER_EXECUTABLE_PATH="$CHROME_BIN"',
    'printf \'#!/bin/sh\\nexec "%s" --headless --no-sandbox "$@"\\n\' "$chrome" > "$CHROME_BIN"',
    'chmod +x "$CHROME_BIN"',
)
"""Commands that make a program for karma and Puppeteer: Chromium without a screen, and without its own sandbox, which
a workspace without capabilities cannot give it."""


@dataclass(frozen=True, slots=True)
class MultimodalSpec:
    """How the tests of an instance run. `node` is the version of Node, and `before` prepares the session."""

    node: str
    setup: str
    command: str
    read: Read
    fail_only: bool
    before: tuple[str, ...] = ()
    browser: bool = False


def multimodal_spec(repo: str, version: str, tested: Sequence[str]) -> MultimodalSpec | None:
    """Return the specification for a repository's version; `tested` are the files of the test patch.

    None if the data set has no such version, or if no test command runs these files.
    """
    found = next((spec for spec in _specs() if spec["repo"] == repo and version in spec["versions"]), None)
    command = "\n".join(_commands(found, tested)) if found else ""
    read = javascript_reader(found["log"]) if found else None
    if not (found and command and read):
        return None
    browser = found.get("browser", False)
    return MultimodalSpec(
        node=found.get("node") or version,
        setup=" && ".join(found["setup"]),
        command=command,
        read=read,
        fail_only=found.get("fail_only", False),
        before=_CHROMIUM if browser else (),
        browser=browser,
    )


@cache
def _specs() -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = tomllib.loads(
        files(__package__).joinpath("multimodal_specs.toml").read_text("utf-8")
    )["spec"]
    return found


def _commands(spec: Mapping[str, Any], tested: Sequence[str]) -> Iterator[str]:
    for line in spec["test"]:
        if "{file}" not in line:
            yield line
            continue
        for path in dict.fromkeys(map(_runnable, tested)):
            folder = path.partition("/")[0]
            if folder in spec["folders"]:
                yield line.replace("{folder}", folder).replace("{file}", shlex.quote(path))


def _runnable(path: str) -> str:
    """Return the path to run: for a snapshot of jest, the folder of its test."""
    snapshots = PurePosixPath(path).parent
    return str(snapshots.parent) if snapshots.name == "__snapshots__" else path
