"""Hook for jest, vitest, mocha, Playwright's runner and `node --test`, however they are started (npm, yarn, make): each
node process loads a hook file first."""

from __future__ import annotations

import re
from importlib.resources import files

from aci.testing.runner_hooks import Hook, RunnerRequest

OTHERS = re.compile(r"\s*(?:cd\s+\S+\s*&&\s*)?(?:go|cargo|\S*mvnw?|\S*gradlew?|phpunit|rspec)\s")


def hook(request: RunnerRequest, command: str) -> Hook | None:
    if OTHERS.match(command):
        return None
    source = files("extensions.languages.guest").joinpath("node")
    found = {
        f"node/{file.name}": file.read_bytes() for file in source.iterdir() if file.name.endswith((".cjs", ".mjs"))
    }
    loaded = rf"--require \"{request.folder}/node/hook.cjs\""
    return Hook(command, found, {"NODE_OPTIONS": f"{loaded}${{NODE_OPTIONS:+ $NODE_OPTIONS}}"})
