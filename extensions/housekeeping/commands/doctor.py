"""Check git, Docker, disk, model, settings and the repository."""

from __future__ import annotations

import sys
from itertools import chain
from typing import Annotated, Any

import typer

from aci.observation.untrusted_text import one_line
from aci.repository.user_repository import Repository
from agent.cli import shared_options as options
from agent.cli.health_finding import Finding
from agent.config.settings import Settings, load_settings
from agent.console.run_display import Console
from extensions.housekeeping.health_checks import clean_up, run_health_checks
from trajectories.errors import ConfigError, NoRepository, SweAgentError

JSON_KEYS = ("name", "ok", "found", "fix", "warning")


def command(
    model: Annotated[
        str | None, typer.Option(help="Check this model in place of the configured model.", metavar="M")
    ] = None,
    workspace: options.Workspace = None,
    image: options.Image = None,
    ask: Annotated[bool, typer.Option("--ask", help="Also send the model one small request, which is billed.")] = False,
    collect: Annotated[
        bool,
        typer.Option("--collect", help="Collect the tests even without isolation, or if a set-up is needed first."),
    ] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove leftovers of dead processes: containers, images, locks, folders.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Check git, Docker, disk, model, settings and the repository, and show how to fix each problem.

    In a repository, `doctor` checks the image or the Python that `fix` would use with the same options, and whether
    pytest can collect the tests. If the image is not present, `doctor` checks whether a registry offers it. Collection
    imports the tests. Therefore, without --collect, `doctor` collects them only in an isolated workspace that needs
    no set-up.

    The model checks show whether the model is known, its price, the size of its context window, and where its key is
    stored. With --ask, they also show whether the model answers.

    With --clean, `doctor` checks nothing and removes leftovers: containers and temporary folders of dead processes,
    half-built images, unused base images and volumes, and stale locks. Runs, patches and environments are kept.

    Exit codes: 0 (no check failed), 3 (a problem with the settings, a key or a price), 5 (a problem with this
    machine).
    """
    if clean:
        return _clean(json)
    source, found = _find_repository()
    settings, problems = _load_settings(source, model=model, workspace=workspace, image=image)
    progress = Console(json=json, plain=True)
    findings = []
    with progress.heartbeat():
        for finding in chain([found], problems, run_health_checks(settings, source, ask, collect, progress.happening)):
            findings.append(finding)
            if not json:
                _print(finding)
    if json:
        from json import dumps

        checks = [{name: getattr(finding, name) for name in JSON_KEYS} for finding in findings]
        typer.echo(dumps({"checks": checks}))
    return min((finding.code for finding in findings if not finding.ok), default=0)


def _find_repository() -> tuple[Repository | None, Finding]:
    """Return the repository of the current folder, if there is one, and the result of this check."""
    try:
        source = Repository.open(".")
    except NoRepository:
        return None, Finding("repository", True, "none here; run `swe-agent doctor` in one to check its environment")
    except SweAgentError as error:
        return None, Finding("repository", False, error.message, error.fix, error.code)
    return source, Finding("repository", True, f"{source.root}, {source.describe_source(None)}")


def _load_settings(source: Repository | None, **flags: Any) -> tuple[Settings, list[Finding]]:
    """Return the settings, without those of the repository if its file is invalid, and that problem."""
    try:
        return load_settings(source.file(".swe-agent.toml") or b"" if source else b"", **flags), []
    except ConfigError as error:
        # Raises the same error again if it is in the user's own settings.
        return load_settings(**flags), [Finding("settings", False, error.message, error.fix, error.code)]


def _print(finding: Finding) -> None:
    """Print a finding at once, since a later one may take a while."""
    mark = typer.style("ok  ", fg="green") if finding.ok else typer.style("FAIL", fg="red")
    if finding.warning:
        mark = typer.style("warn", fg="yellow")
    typer.echo(f"{mark} {finding.name}: {one_line(finding.found)}")
    if finding.warning or not finding.ok:
        typer.echo(f"     {one_line(finding.fix)}")
    sys.stdout.flush()


def _clean(json: bool) -> int:
    removed, missed = clean_up()
    total = sum(each.bytes for each in removed)
    if json:
        from json import dumps

        counts = [{"what": each.what, "count": each.count, "bytes": each.bytes} for each in removed]
        typer.echo(dumps({"removed": counts, "bytes": total, "missed": missed}))
        return 0
    for each in removed:
        if each.count:
            typer.echo(f"removed {each.what}: {each.count} ({each.bytes / 1e6:.1f} MB)")
    typer.echo(
        f"{total / 1e6:.1f} MB freed." if any(each.count for each in removed) else "There was nothing to remove."
    )
    if missed:
        typer.echo(f"Docker was not cleaned: {missed}")
    return 0
