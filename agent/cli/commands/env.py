"""Build, list, explain or prune the environments in which repositories' tests run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agent.options import Json, Plain

if TYPE_CHECKING:
    from aci.environment import Environment, Plan
    from aci.workspace import Options
    from agent.settings import Settings

Verb = Literal["build", "list", "why", "prune"]


def command(
    verb: Annotated[Verb, typer.Argument(help="What to do.", metavar="build|list|why|prune")] = "list",
    repo: Annotated[str, typer.Option(help="Repository: a folder, or a URL to clone.", metavar="DIR|URL")] = ".",
    base: Annotated[str | None, typer.Option(help="Exactly this, not the working tree.", metavar="REV")] = None,
    image: Annotated[str | None, typer.Option(help="Docker image with the repository's tools.", metavar="I")] = None,
    keep: Annotated[int, typer.Option(help="prune: how many stay at most.", min=0, metavar="K")] = 10,
    days: Annotated[float, typer.Option(help="prune: those not used for so long go.", min=0, metavar="N")] = 30,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Build, list, explain or prune the environments in which repositories' tests run.

    `env why` tells how the repository's environment is found, and what was refused; nothing is built.

    `env build` makes it, which `fix` does by itself where it is not there. `env list` shows what there is.

    `env prune` removes what was not used for --days, and all but the --keep latest.
    """
    if verb in ("build", "why"):
        _of_repository(verb, repo, base, image, json, plain)
    elif verb == "list":
        _list(json, plain)
    else:
        _prune(keep, days, json, plain)
    return 0


def _of_repository(verb: str, repo: str, base: str | None, image: str | None, json: bool, plain: bool) -> None:
    from aci.environment import plan_for, proposed
    from aci.view import clean
    from agent.settings import load_settings, origins
    from agent.surroundings import wishes
    from agent.terminal import cleanly, console, waiting

    with (
        waiting("Looking at the repository", plain or json) as progress,
        _opened(repo, base, cleanly(progress)) as found,
    ):
        source, options = found
        own = source.file(".swe-agent.toml", base) or b""
        settings = load_settings(own, image=image)
        where = origins(own) | ({"image": "--image"} if image else {})
        wished = wishes(settings, where)
        plan = plan_for(options(settings), wished)
        told = _as_json(plan)
        told["services"] = [str(each) for each in proposed(options(settings))]
        if verb == "build":
            from aci.environment import environment_for

            began = time.monotonic()
            told["built"] = environment_for(options(settings), wished)
            told["seconds"] = round(time.monotonic() - began, 1)
    if json:
        _print_json(told)
    elif verb == "why":
        console(plain).print(clean("\n".join([_why(plan), *told["services"]])))
    else:
        console(plain).print(f"{told['built']} after {told['seconds']:.1f} s.")


@contextmanager
def _opened(
    repo: str, base: str | None, say: Callable[[str], None]
) -> Iterator[tuple[Any, Callable[[Settings], Options]]]:
    """The repository, and how its base is told to those who build."""
    from aci.repository import Repository
    from aci.workspace import Options
    from agent.intake import repository_from
    from agent.surroundings import services
    from trajectories.trees import Trees

    source = Repository.open(repository_from(repo))
    with tempfile.TemporaryDirectory(prefix="swe-agent-") as folder, Trees(Path(folder) / "trees.git") as trees:
        begun = source.base(trees, base)

        def options(settings: Settings) -> Options:
            return Options(
                source,
                begun,
                trees,
                **settings.limits,
                services=services(settings, source.name),
                say=say,
            )

        yield source, options


def _as_json(plan: Plan) -> dict[str, Any]:
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
    return "\n".join(lines if plan.built else [*lines, "Nothing is to be built."])


def _list(json: bool, plain: bool) -> None:
    from aci.daemon import connect
    from aci.environment import kept
    from aci.view import clean
    from agent.terminal import console

    daemon = connect()
    found = kept(daemon)
    daemon.rest()
    if json:
        _print_json({"environments": [_told(one) for one in found]})
        return
    from rich.table import Table

    table = Table("name", "repository", "language", "tests", "size", "used", box=None, pad_edge=False)
    for one in found:
        about = one.about
        row = [one.key[:12], *(clean(str(about.get(name, ""))) for name in ("repository", "language", "tests"))]
        table.add_row(*row, f"{one.size / 1e9:.2f} GB", _ago(one.used))
    console(plain).print(table if found else "There is none yet; `fix` and `env build` make them.")


def _prune(keep: int, days: float, json: bool, plain: bool) -> None:
    from aci.daemon import connect
    from aci.environment import prune
    from agent.terminal import console

    daemon = connect()
    gone = prune(daemon, keep, days)
    daemon.rest()
    if json:
        _print_json({"removed": [_told(one) for one in gone]})
    else:
        console(plain).print(f"{len(gone)} removed.")


def _told(one: Environment) -> dict[str, Any]:
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
