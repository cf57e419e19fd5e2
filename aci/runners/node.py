"""jest, vitest and mocha, whatever starts them (npm, yarn, make): a file of ours that every node loads first."""

from __future__ import annotations

import re
from importlib.resources import files

from aci.runner import Asked, Hook

OTHERS = re.compile(r"\s*(?:cd\s+\S+\s*&&\s*)?(?:go|cargo|\S*mvnw?|\S*gradlew?|phpunit|rspec)\s")


def hook(asked: Asked, command: str) -> Hook | None:
    if OTHERS.match(command):
        return None
    source = files("aci.inside").joinpath("node")
    found = {f"node/{file.name}": file.read_bytes() for file in source.iterdir() if file.name.endswith(".cjs")}
    loaded = rf"--require \"{asked.folder}/node/hook.cjs\""
    return Hook(command, found, {"NODE_OPTIONS": f"{loaded}${{NODE_OPTIONS:+ $NODE_OPTIONS}}"})
