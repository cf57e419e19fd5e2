"""The three jobs of the GitHub Action: decide whether to work on an issue, solve it, publish what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from agent.options import Effort, Image, Kind, MaxSteps, MaxTime, MaxTokens, Test
from trajectories.errors import UsageError

Verb = Literal["gate", "solve", "publish"]


def command(
    verb: Annotated[Verb, typer.Argument(help="Which job.", metavar="gate|solve|publish")],
    errand: Annotated[Path, typer.Option(help="What the gate let through.", metavar="F")] = Path("errand.json"),
    digest: Annotated[str, typer.Option(help="SHA-256 of the errand.", metavar="D")] = "",
    repo: Annotated[Path, typer.Option(help="A checkout of the repository.", metavar="DIR")] = Path(),
    out: Annotated[Path | None, typer.Option(help="gate, solve: the file to write.", metavar="F")] = None,
    handover: Annotated[str, typer.Option(help='publish: what solve wrote; "" for nothing.', metavar="F")] = "",
    handover_digest: Annotated[str, typer.Option(help="publish: SHA-256 of that.", metavar="D")] = "",
    parent: Annotated[str, typer.Option(help='solve: the run to go on with; "" for none.', metavar="DIR")] = "",
    model: Annotated[str | None, typer.Option(help="As in `fix`.", metavar="M")] = None,
    strategy: Annotated[str | None, typer.Option(help="As in `fix`.", metavar="S")] = None,
    test: Test = None,
    effort: Effort = None,
    workspace: Kind = None,
    image: Image = None,
    max_steps: MaxSteps = None,
    max_tokens: MaxTokens = None,
    max_time: MaxTime = None,
) -> int:
    """The three jobs of the GitHub Action: decide whether to work on an issue, solve it, publish what came of it.

    `github gate` reads the event and writes the errand. `github solve` needs a model and no right to write.

    `github publish` writes to GitHub, needs no model, and runs nothing of the repository.
    """
    from agent.github.log import harmlessly

    if verb == "gate":
        from agent.github.gate import decide

        return harmlessly(lambda: decide(out or errand))

    if verb == "publish":
        from agent.github.publish import publish

        handed = Path(handover) if handover else None
        return harmlessly(lambda: publish(errand, digest, handed, handover_digest, repo))

    from agent.github.solve import solve

    if out is None:
        raise UsageError("`github solve` was not told where to write.", "Give --out FILE.")
    flags = {
        "model": model or None,
        "strategy": strategy or None,
        "test": test or None,
        "effort": effort or None,
        "workspace": workspace or None,
        "image": image or None,
        "max_steps": max_steps,
        "max_tokens": max_tokens,
        "max_time": max_time,
    }
    before = Path(parent) if parent else None
    return harmlessly(lambda: solve(errand, digest, repo, out, before, flags))
