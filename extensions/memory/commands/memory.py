"""List, add, edit or forget facts that later runs are given."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agent.cli import shared_options as options
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from aci.history.repository_identity import Identity
    from aci.repository.user_repository import Repository
    from extensions.memory.user_memory import Fact, MemoryFile

Verb = Literal["list", "add", "edit", "forget"]


def command(
    verb: Annotated[Verb, typer.Argument(help="What to do.", metavar="list|add|edit|forget")] = "list",
    words: Annotated[
        list[str] | None,
        typer.Argument(help="add: the fact. forget: the number of the fact in `list`.", metavar="[TEXT|N]..."),
    ] = None,
    repo: options.Repo = ".",
    everywhere: Annotated[
        bool,
        typer.Option("--all", help="add, edit, forget: use the facts for all projects, not those of this project."),
    ] = False,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """List, add, edit or forget facts about a project or your preferences.

    Each fact is a line in a Markdown file in your state folder. There is one file for each project, and one for all
    projects. Runs that you start get the facts as your advice. Batches and the Action do not get them.
    """
    if (verb in ("add", "forget")) != bool(words):
        what = {"add": "takes the fact to remember", "forget": "takes the number of a fact"}
        raise UsageError(f"`memory {verb}` {what.get(verb, 'takes no text')}.", "See `swe-agent memory --help`.")
    if verb == "list":
        return _list(repo, json, plain)
    file = _chosen(repo, everywhere)
    if verb == "edit":
        return _edit(file, json)
    text = " ".join(words or ())
    fact = file.add(text, "command line", time.strftime("%Y-%m-%d")) if verb == "add" else file.forget(_number(text))
    if json:
        _print_json({"added" if verb == "add" else "forgotten": _as_json(fact), "file": str(file.path)})
    else:
        typer.echo(f"{'Remembered' if verb == 'add' else 'Forgotten'}: {_shown(fact)}", err=True)
    return 0


def _identity(repo: str) -> tuple[Path, Repository, Identity | None]:
    """Return the state folder, the repository and its identity. Raises OtherCheckout if the checkout may not use the
    repository's file."""
    from aci.repository.user_repository import Repository
    from agent.config.settings import load_settings
    from agent.console.rich_terminal import plain_waiting
    from agent.inputs.issue_input import repository_from
    from agent.run_state.checkouts import stored_identity

    state, source = load_settings().state, Repository.open(repository_from(repo, plain_waiting))
    return state, source, stored_identity(state, source, source.commit())


def _chosen(repo: str, everywhere: bool) -> MemoryFile:
    """Return the file to change. If it is the first file of the repository, the checkout is recorded as its owner."""
    from agent.run_state.checkouts import claim_stored
    from extensions.memory.memory_prompt import choose_file, memory_files

    if everywhere:
        return _file_for_all()
    state, source, identity = _identity(repo)
    if identity:
        claim_stored(state, source, identity)
    return choose_file(memory_files(state, identity), everywhere, "Give --all to use the file for all projects.")


def _file_for_all() -> MemoryFile:
    from agent.config.settings import load_settings
    from extensions.memory.user_memory import MemoryFile

    return MemoryFile(load_settings().state)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"{text!r} is not the number of a fact.", "`swe-agent memory list` numbers them.")
    return int(text)


def _list(repo: str, json: bool, plain: bool) -> int:
    """Print the facts of both files. A file that cannot be used is reported, and the exit code is then not 0."""
    from agent.console.rich_terminal import console
    from agent.run_state.checkouts import OtherCheckout
    from extensions.memory.memory_prompt import memory_files

    rows: list[tuple[MemoryFile, list[Fact]]] = []
    trouble: list[SweAgentError] = []
    try:
        state, _, identity = _identity(repo)
        files = memory_files(state, identity)
    except OtherCheckout as error:
        trouble.append(error)
        files = [_file_for_all()]
    for file in files:
        try:
            rows.append((file, file.facts()))
        except SweAgentError as error:
            trouble.append(error)
    if json:
        listed = [
            {"file": str(file.path), "all": file.is_for_all, "facts": [_as_json(fact) for fact in facts]}
            for file, facts in rows
        ]
        _print_json({"files": listed, "trouble": [error.message for error in trouble]})
        return trouble[0].code if trouble else 0
    out = console(plain)
    for file, facts in rows:
        head = "All projects" if file.is_for_all else "This project"
        lines = [f"{number:3}. {_shown(fact)}" for number, fact in enumerate(facts, 1)]
        out.print("\n".join([f"{head} ({file.path}):", *(lines or ["     nothing"])]), markup=False, highlight=False)
    for each in trouble:
        typer.echo(f"{each.message} {each.fix}", err=True)
    return trouble[0].code if trouble else 0


def _shown(fact: Fact) -> str:
    return f"{fact.text} ({', '.join(filter(None, [fact.date, fact.source]))})"


def _edit(file: MemoryFile, json: bool) -> int:
    from agent.console.text_editor import edit_text
    from extensions.memory.user_memory import HEADER

    before = file.text()
    after = edit_text(before or HEADER.format(title=file.title))
    file.replace(before, f"{after}\n")
    if json:
        _print_json({"file": str(file.path)})
    else:
        typer.echo(f"{file.path} has {len(file.facts())} facts.", err=True)
    return 0


def _as_json(fact: Fact) -> dict[str, str]:
    from dataclasses import asdict

    return asdict(fact)


def _print_json(value: object) -> None:
    from json import dumps

    typer.echo(dumps(value))
