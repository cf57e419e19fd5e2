"""Build, list, explain or prune the environments of tests."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agent.cli import shared_options as options

if TYPE_CHECKING:
    from aci.environments.environment import Environment, Plan

Verb = Literal["build", "list", "why", "prune"]


def command(
    verb: Annotated[Verb, typer.Argument(help="What to do.", metavar="build|list|why|prune")] = "list",
    repo: options.Repo = ".",
    base: Annotated[str | None, typer.Option(help="Use this commit, not the working tree.", metavar="REV")] = None,
    image: options.Image = None,
    keep: Annotated[int, typer.Option(help="prune: keep at most this many.", min=0, metavar="K")] = 10,
    days: Annotated[
        float, typer.Option(help="prune: remove those unused for this many days.", min=0, metavar="N")
    ] = 30,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Build, list, explain or prune the environments in which repositories' tests run.

    `env why` shows how the repository's environment is determined, and what was refused; it builds nothing.

    `env build` builds it, which `fix` does automatically if it is missing. `env list` lists all environments.

    `env prune` removes environments unused for --days, and all but the --keep most recently used.
    """
    if verb in ("build", "why"):
        _build_or_explain(verb, repo, base, image, json, plain)
    elif verb == "list":
        _list(json, plain)
    else:
        _prune(keep, days, json, plain)
    return 0


def _build_or_explain(verb: str, repo: str, base: str | None, image: str | None, json: bool, plain: bool) -> None:
    from aci.environments.environment import plan_for, propose_services
    from aci.observation.untrusted_text import clean_text
    from aci.repository.user_repository import Repository
    from agent.cli.base_workspace import open_base
    from agent.config.environment_options import services
    from agent.config.settings import load_settings
    from agent.console.rich_terminal import clean_printer, console, plain_waiting, waiting
    from agent.instances.issue_input import repository_from

    source = Repository.open(repository_from(repo, plain_waiting))
    settings = load_settings(source.file(".swe-agent.toml", base) or b"", image=image)
    with (
        waiting("Looking at the repository", plain or json) as progress,
        open_base(source, base, settings, clean_printer(progress)) as (options, environment),
    ):
        options = replace(options, services=services(settings, source.name))
        plan = plan_for(options, environment)
        document = _plan_json(plan)
        document["services"] = [str(each) for each in propose_services(options)]
        if verb == "build":
            from aci.environments.environment import environment_for

            began = time.monotonic()
            document["built"] = environment_for(options, environment)
            document["seconds"] = round(time.monotonic() - began, 1)
    if json:
        _print_json(document)
    elif verb == "why":
        console(plain).print(clean_text("\n".join([_why(plan), *document["services"]])))
    else:
        console(plain).print(f"{document['built']} after {document['seconds']:.1f} s.")


def _plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "source": plan.source,
        "image": plan.image,
        "language": plan.language,
        "setup": [{"command": one.text, "why": one.why} for one in plan.setup],
        "variables": dict(plan.variables),
        "reasons": list(plan.reasons),
        "refused": list(plan.refused),
    }


def _why(plan: Plan) -> str:
    lines = [f"Found in {plan.source}.", *plan.reasons]
    lines += [f"  {number}. {one.text}\n     {one.why}" for number, one in enumerate(plan.setup, 1)]
    lines += [f"  {name}={value}" for name, value in plan.variables.items()]
    lines += [f"Refused: {what}" for what in plan.refused]
    return "\n".join(lines if plan.built else [*lines, "There is nothing to build."])


def _list(json: bool, plain: bool) -> None:
    from aci.docker.docker_daemon import connect
    from aci.environments.environment import list_environments
    from aci.observation.untrusted_text import clean_text
    from agent.console.rich_terminal import console

    daemon = connect()
    found = list_environments(daemon)
    daemon.rest()
    if json:
        _print_json({"environments": [_environment_json(one) for one in found]})
        return
    from rich.table import Table

    table = Table("name", "repository", "language", "tests", "size", "used", box=None, pad_edge=False)
    for one in found:
        about = one.about
        row = [one.key[:12], *(clean_text(str(about.get(name, ""))) for name in ("repository", "language", "tests"))]
        table.add_row(*row, f"{one.size / 1e9:.2f} GB", _ago(one.used))
    console(plain).print(table if found else "There are no environments yet; `fix` and `env build` create them.")


def _prune(keep: int, days: float, json: bool, plain: bool) -> None:
    from aci.docker.docker_daemon import connect
    from aci.environments.environment import prune
    from agent.console.rich_terminal import console

    daemon = connect()
    removed = prune(daemon, keep, days)
    daemon.rest()
    if json:
        _print_json({"removed": [_environment_json(one) for one in removed]})
    else:
        console(plain).print(f"{len(removed)} removed.")


def _environment_json(one: Environment) -> dict[str, Any]:
    own = {"key": one.key, "image": one.image, "size": one.size, "created": one.created, "used": one.used}
    return {**one.about, **own}


def _ago(at: float) -> str:
    if not at:
        return "never"
    days = (time.time() - at) / 86400
    return f"{days:.0f} days ago" if days >= 1 else "today"


def _print_json(value: dict[str, Any]) -> None:
    from json import dumps

    typer.echo(dumps(value))
