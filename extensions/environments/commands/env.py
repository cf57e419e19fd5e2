"""Build, list, explain or prune the environments of tests."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agent.cli import shared_options as options

if TYPE_CHECKING:
    from aci.environments.environment_plan import Command, EnvironmentOptions, Plan
    from aci.runtime.workspace import WorkspaceOptions
    from extensions.environments.environment import Environment

Verb = Literal["build", "list", "why", "prune"]


def command(
    verb: Annotated[Verb, typer.Argument(help="What to do.", metavar="build|list|why|prune")] = "list",
    repo: options.Repo = ".",
    base: Annotated[str | None, typer.Option(help="Use this commit, not the working tree.", metavar="REV")] = None,
    image: options.Image = None,
    workspace: options.Workspace = None,
    keep: Annotated[int, typer.Option(help="prune: keep at most K environments.", min=0, metavar="K")] = 10,
    days: Annotated[float, typer.Option(help="prune: remove environments unused for N days.", min=0, metavar="N")] = 30,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Build, list, explain or prune the environments in which repositories' tests run.

    `env why` shows how the environment of the repository is determined, and which settings of the repository
    were refused. It builds nothing.

    `env build` builds the environment. `fix` does this automatically if the environment is missing.

    `env list` lists all environments.

    `env prune` removes the environments that were not used for N days, and all but the K most recently used ones.

    With the workspaces sandbox and local, environments are Python environments on this machine instead of Docker
    images. This is also the case if Docker does not answer but a sandbox works.
    """
    if verb in ("build", "why"):
        _build_or_explain(verb, repo, base, image, workspace, json, plain)
        return 0
    on_machine = _is_on_machine(workspace)
    if verb == "list":
        _list(on_machine, json, plain)
    else:
        _prune(on_machine, keep, days, json, plain)
    return 0


def _is_on_machine(workspace: str | None) -> bool:
    from agent.config.settings import load_settings
    from agent.config.workspace_choice import choose_workspace

    return choose_workspace(load_settings(workspace=workspace), lambda text: None).workspace != "docker"


def _build_or_explain(
    verb: str, repo: str, base: str | None, image: str | None, workspace: str | None, json: bool, plain: bool
) -> None:
    from aci.observation.untrusted_text import clean_text
    from aci.repository.user_repository import Repository
    from agent.config.environment_options import services
    from agent.config.settings import load_settings
    from agent.config.workspace_choice import choose_workspace
    from agent.console.rich_terminal import Activity, console, plain_waiting, waiting
    from agent.engine.base_workspace import open_base
    from agent.inputs.issue_input import repository_from
    from extensions.environments.environment import environment_for, plan_for, propose_services
    from extensions.environments.host_environment_store import describe_host_environment

    source = Repository.open(repository_from(repo, plain_waiting))
    own = source.file(".swe-agent.toml", base) or b""
    settings = choose_workspace(load_settings(own, image=image, workspace=workspace), lambda text: None)
    activity = Activity("Looking at the repository")
    with (
        waiting(activity, plain or json) as progress,
        open_base(source, base, settings, activity.say(progress)) as (options, environment),
    ):
        options = replace(options, services=services(settings, source.name))
        if settings.workspace == "docker":
            plan = plan_for(options, environment)
        else:
            plan = describe_host_environment(options, environment, settings.workspace)
        document = _plan_json(plan)
        document["test"] = {"command": environment.test, "from": environment.named.get("test", "")}
        document["services"] = [str(each) for each in propose_services(options)] if plan.image else []
        if verb == "why" and plan.browser:
            document["browser"] = _recorded_browser(options, environment, settings.workspace)
        if verb == "build":
            began = time.monotonic()
            if settings.workspace == "docker":
                document["built"] = environment_for(options, environment)
            else:
                document["built"] = _set_up_on_machine(options, environment, settings.workspace, bool(plan.setup))
            document["seconds"] = round(time.monotonic() - began, 1)
    if json:
        _print_json(document)
    elif verb == "why" or not document["built"]:
        console(plain).print(
            clean_text(
                "\n".join([_why(plan), *_browser_line(document), *_test_line(environment), *document["services"]])
            )
        )
    else:
        console(plain).print(f"{document['built']} after {document['seconds']:.1f} s.")


def _set_up_on_machine(options: WorkspaceOptions, environment: EnvironmentOptions, workspace: str, needed: bool) -> str:
    """Set up the environment on this machine and return its folder; "" if none is needed. Raises WorkspaceError if it
    cannot be set up, for the reason that `options.say` was given."""
    from agent.run_state.terminal_question import confirm
    from extensions.environments.host_environment import add_environment
    from trajectories.errors import WorkspaceError

    def may_set_up(place: str, commands: Sequence[str], hosts: Sequence[str]) -> bool:
        return bool(hosts) or confirm("Set-up runs code of the repository as you, without isolation.", "Allow it?")

    options = replace(options, may_set_up=may_set_up)
    found = add_environment(options, environment, workspace).environment
    if found is None and needed:
        fix = "The line before says why; without isolation, set-up needs your consent at a terminal."
        raise WorkspaceError("The environment was not set up.", fix)
    return str(found or "")


def _plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "source": plan.source,
        "image": plan.image,
        "language": plan.language,
        "setup": [{"command": one.text, "why": one.why} for one in _commands(plan)],
        "variables": dict(plan.variables),
        "reasons": list(plan.reasons),
        "refused": list(plan.refused),
    }


def _test_line(environment: EnvironmentOptions) -> list[str]:
    """Return a line about the test command, if it is named and not detected."""
    whose = environment.named.get("test", "")
    return [f"Tests run with `{environment.test}`, from {whose}."] if whose else []


def _recorded_browser(options: WorkspaceOptions, environment: EnvironmentOptions, workspace: str) -> str:
    from extensions.environments.browser_record import recorded_browser
    from trajectories.errors import WorkspaceError

    try:
        return recorded_browser(options, environment, workspace)
    except WorkspaceError:  # without Docker, the plan is explained all the same
        return ""


def _browser_line(document: dict[str, Any]) -> list[str]:
    """Return a line about the browser in the existing environment, if that is known."""
    return [f"The existing environment has: {document['browser']}."] if document.get("browser") else []


def _commands(plan: Plan) -> list[Command]:
    from aci.environments.environment_plan import Command

    browser = Command(plan.browser, "adds Chromium, and Playwright to drive it; it may fail", optional=True)
    return [*plan.setup, browser] if plan.browser else [*plan.setup]


def _why(plan: Plan) -> str:
    lines = [f"Found in {plan.source}.", *plan.reasons]
    lines += [f"  {number}. {one.text}\n     {one.why}" for number, one in enumerate(_commands(plan), 1)]
    lines += [f"  {name}={value}" for name, value in plan.variables.items()]
    lines += [f"Refused: {what}" for what in plan.refused]
    return "\n".join(lines if plan.built else [*lines, "There is nothing to build."])


def _list(on_machine: bool, json: bool, plain: bool) -> None:
    from aci.docker.docker_daemon import connect
    from aci.observation.untrusted_text import clean_text
    from agent.console.rich_terminal import console
    from extensions.environments.environment import list_environments
    from extensions.environments.host_environment_store import list_host_environments

    if on_machine:
        found = list_host_environments()
    else:
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


def _prune(on_machine: bool, keep: int, days: float, json: bool, plain: bool) -> None:
    from aci.docker.docker_daemon import connect
    from agent.console.rich_terminal import console
    from extensions.environments.environment import prune
    from extensions.environments.host_environment_store import prune_host_environments

    if on_machine:
        removed = prune_host_environments(keep, days)
    else:
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
