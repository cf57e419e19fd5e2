"""Check git, Docker, disk, model and settings, and say how to mend each."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.checkup import checkup, cleaned
from agent.options import Json
from agent.settings import load_settings


def command(
    model: Annotated[str | None, typer.Option(help="Check this model, not the configured one.", metavar="M")] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Send the model one tiny request, which costs.")] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove what dead runs left: containers, images, locks, folders.")
    ] = False,
    json: Json = False,
) -> int:
    """Check git, Docker, disk, model and settings, and say how to mend each.

    Of the model: whether it is known, what it costs, how much it reads, where its key lies; with --ask also whether
    it answers. Exit code 3 when settings, key or price have to be mended, 5 when this machine has to.

    With --clean nothing is checked. No run, patch or environment is removed: containers and temporary folders of dead
    processes, half-made images, base images and volumes that nothing uses, and locks that nobody holds.
    """
    if clean:
        return _clean(json)
    findings = checkup(load_settings(model=model), ask)
    if json:
        from json import dumps

        typer.echo(dumps({"checks": [{"name": f.name, "ok": f.ok, "found": f.found, "fix": f.fix} for f in findings]}))
    else:
        for finding in findings:
            mark = typer.style("ok  ", fg="green") if finding.ok else typer.style("MEND", fg="red")
            typer.echo(f"{mark} {finding.name}: {finding.found}")
            if not finding.ok:
                typer.echo(f"     {finding.fix}")
    return min((finding.code for finding in findings if not finding.ok), default=0)


def _clean(json: bool) -> int:
    removed, missed = cleaned()
    total = sum(each.bytes for each in removed)
    if json:
        from json import dumps

        counts = [{"what": each.what, "count": each.count, "bytes": each.bytes} for each in removed]
        typer.echo(dumps({"removed": counts, "bytes": total, "missed": missed}))
        return 0
    for each in removed:
        if each.count:
            typer.echo(f"removed {each.what}: {each.count} ({each.bytes / 1e6:.1f} MB)")
    typer.echo(f"{total / 1e6:.1f} MB are free again." if any(each.count for each in removed) else "Nothing was left.")
    if missed:
        typer.echo(f"Docker was not looked at: {missed}")
    return 0
