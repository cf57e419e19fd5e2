"""Hook for Ruby's Minitest and test-unit, started by Ruby or rake: files in RUBYLIB make them report."""

from __future__ import annotations

import re
from importlib.resources import files

from aci.testing.runner_hooks import Hook, RunnerRequest

FILES = ("swe_agent_results.rb", "minitest/swe_agent_plugin.rb", "test/unit.rb")


def hook(request: RunnerRequest, command: str) -> Hook | None:
    if not (re.search(r"\b(?:ruby|rake|rails|minitest)\b", command) or request.look("Gemfile")):
        return None
    source = files("extensions.languages.guest").joinpath("ruby")
    found = {f"ruby/{name}": source.joinpath(name).read_bytes() for name in FILES}
    return Hook(command, found, {"RUBYLIB": f"{request.folder}/ruby${{RUBYLIB:+:$RUBYLIB}}"})
