"""Check git, Docker, disk and settings, and say how to mend each."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.checkup import checkup
from agent.settings import load_settings


def command(json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> int:
    """Check git, Docker, disk and settings, and say how to mend each. Exit code 5 when something is missing."""
    findings = checkup(load_settings())
    if json:
        from json import dumps

        typer.echo(dumps({"checks": [{"name": f.name, "ok": f.ok, "found": f.found, "fix": f.fix} for f in findings]}))
    else:
        for finding in findings:
            mark = typer.style("ok  ", fg="green") if finding.ok else typer.style("MEND", fg="red")
            typer.echo(f"{mark} {finding.name}: {finding.found}")
            if not finding.ok:
                typer.echo(f"     {finding.fix}")
    return 0 if all(finding.ok for finding in findings) else 5
