"""Check git, Docker, disk, model and settings."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli import shared_options as options
from agent.cli.health_checks import clean_up, run_health_checks
from agent.config.settings import load_settings


def command(
    model: Annotated[str | None, typer.Option(help="Check this model, not the configured one.", metavar="M")] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Also send the model one small request, which is billed.")] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove leftovers of dead runs: containers, images, locks, folders.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Check git, Docker, disk, model and settings, and show how to fix each problem.

    The model checks cover whether the model is known, its price, its context window and where its key is stored; with
    --ask, also whether it answers. Exit codes: 0 all checks pass, 3 fix settings, key or price, 5 fix this machine.

    With --clean, nothing is checked; leftovers are removed instead. Leftovers are containers and temporary folders of
    dead processes, half-built images, unused base images and volumes, and stale locks. Runs, patches and environments
    are kept.
    """
    if clean:
        return _clean(json)
    findings = run_health_checks(load_settings(model=model), ask)
    if json:
        from json import dumps

        typer.echo(dumps({"checks": [{"name": f.name, "ok": f.ok, "found": f.found, "fix": f.fix} for f in findings]}))
    else:
        for finding in findings:
            mark = typer.style("ok  ", fg="green") if finding.ok else typer.style("FAIL", fg="red")
            typer.echo(f"{mark} {finding.name}: {finding.found}")
            if not finding.ok:
                typer.echo(f"     {finding.fix}")
    return min((finding.code for finding in findings if not finding.ok), default=0)


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
