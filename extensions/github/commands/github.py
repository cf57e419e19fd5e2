"""Run a job of the GitHub Action."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from agent.cli import shared_options as options
from trajectories.errors import UsageError

Verb = Literal["gate", "solve", "publish", "prove", "comment"]


def command(
    verb: Annotated[Verb, typer.Argument(help="Job to run.", metavar="gate|solve|publish|prove|comment")],
    task: Annotated[
        Path, typer.Option("--task", "--errand", help="Task file that the gate writes.", metavar="F")
    ] = Path("task.json"),
    digest: Annotated[str, typer.Option(help="SHA-256 of the task file.", metavar="D")] = "",
    repo: Annotated[Path, typer.Option(help="Folder with a checkout of the repository.", metavar="DIR")] = Path(),
    out: Annotated[Path | None, typer.Option(help="gate, solve, prove: the output file.", metavar="F")] = None,
    handover: Annotated[
        str, typer.Option(help='publish, comment: output file of solve or prove, or "".', metavar="F")
    ] = "",
    handover_digest: Annotated[str, typer.Option(help="publish: SHA-256 of the file of --handover.", metavar="D")] = "",
    parent: Annotated[str, typer.Option(help='solve: folder of the run to continue, or "".', metavar="DIR")] = "",
    model: Annotated[str | None, typer.Option(help="As in `fix`.", metavar="M")] = None,
    strategy: Annotated[str | None, typer.Option(help="As in `fix`.", metavar="S")] = None,
    test: options.Test = None,
    effort: options.Effort = None,
    workspace: options.Workspace = None,
    image: options.Image = None,
    max_steps: options.MaxSteps = None,
    max_tokens: options.MaxTokens = None,
    max_time: options.MaxTime = None,
) -> int:
    """Run a job of the GitHub Action.

    `github gate` reads the event, decides whether to work on the issue, and writes the task file.

    `github solve` solves the issue. It needs a model, and no write permission.

    `github publish` publishes the result on GitHub. It needs no model and runs no code of the repository.

    `github prove` proves the pull request of the event. It needs no model and no token.

    `github comment` writes the result of the proof as a comment on the pull request.
    """
    from extensions.github.action.job_log import escape_commands

    if verb == "gate":
        from extensions.github.action.gate_job import decide

        return escape_commands(lambda: decide(out or task))

    if verb == "publish":
        from extensions.github.action.publish_job import publish

        handed = Path(handover) if handover else None
        return escape_commands(lambda: publish(task, digest, handed, handover_digest, repo))

    if verb == "comment":
        from extensions.github.action.proof_comment_job import comment

        return escape_commands(lambda: comment(Path(handover)))

    from extensions.github.action.solve_job import solve

    if out is None:
        raise UsageError(f"`github {verb}` needs an output file.", "Give --out FILE.")
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
    if verb == "prove":
        from extensions.github.action.proof_job import prove

        return escape_commands(lambda: prove(repo, out, flags))
    before = Path(parent) if parent else None
    return escape_commands(lambda: solve(task, digest, repo, out, before, flags))
