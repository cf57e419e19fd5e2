"""The server's resources: the runs of its repositories, and their reports as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from agent.config.settings import load_settings
from extensions.mcp_server.server_options import ServerOptions
from trajectories.errors import UsageError
from trajectories.plugins import extension_module

if TYPE_CHECKING:
    from agent.runs.run_listing import RunSummary

RUNS = "swe-agent://runs"
REPORT = f"{RUNS}/{{name}}"
"""The template of a report's address."""
MOST_RUNS, LONGEST_REPORT = 100, 200_000
"""Maximum number of runs in a list, and of characters of a report."""


def list_server_runs(server: ServerOptions) -> list[RunSummary]:
    """Return the newest runs of the server's repositories. A damaged run names no repository."""
    from agent.runs.run_listing import list_runs

    runs = list_runs(load_settings(**server.flags).runs)
    return [line for line in runs if line.repository and Path(line.repository) in server.roots][:MOST_RUNS]


def read_resource(server: ServerOptions, uri: str) -> tuple[str, str]:
    """Return a resource and its media type. Raises UsageError for an unknown address."""
    if uri == RUNS:
        return _masked(json.dumps([line.as_json() for line in list_server_runs(server)])), "application/json"
    return read_report(server, uri.removeprefix(f"{RUNS}/")), "text/markdown"


def read_report(server: ServerOptions, name: str) -> str:
    """Return a run's report as Markdown, in which text from outside is disabled. Raises UsageError unless `name` is the
    whole name of one of the server's runs."""
    from contextlib import closing

    from agent.engine.engine import secrets_of_services
    from agent.runs.run_lookup import open_run

    # Not looked up as a path, a part of a name or a file.
    if name not in {line.run for line in list_server_runs(server)}:
        raise UsageError("There is no such run in the server's repositories.", f"{RUNS} lists them.")
    exports = extension_module("agent.runs.export", "A report as Markdown", "lab")
    settings = load_settings(**server.flags)
    with closing(open_run(str(settings.runs / name), settings)) as run:
        text = "".join(exports.export_runs([run], "markdown", secrets_of_services(settings)))
    rest = len(text) - LONGEST_REPORT
    return text if rest <= 0 else f"{text[:LONGEST_REPORT]}\n\n… {rest:,} more characters: `swe-agent report {name}`\n"


def _masked(text: str) -> str:
    import os

    from aci.observation.secret_masking import mask_secrets
    from agent.engine.engine import known_secrets

    return mask_secrets(text, known_secrets(os.environ))
