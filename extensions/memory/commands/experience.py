"""List, show, accept or forget what earlier runs learned, and let another checkout use it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agent.cli import shared_options as options
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.history.repository_identity import Identity
    from aci.repository.user_repository import Repository
    from extensions.memory.experience_bank import Bank, Entry

Verb = Literal["list", "show", "forget", "accept", "link"]
LONGEST_ISSUE, LONGEST_PLACE = 50, 40


def command(
    verb: Annotated[Verb, typer.Argument(help="What to do.", metavar="list|show|forget|accept|link")] = "list",
    ids: Annotated[
        list[str] | None, typer.Argument(help="Ids as `list` shows them, or unique prefixes.", metavar="[ID]...")
    ] = None,
    repo: options.Repo = ".",
    search: Annotated[
        str | None,
        typer.Option(
            help="list: only entries whose issue, places, kind or lesson contain all these words.", metavar="WORDS"
        ),
    ] = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """List, show, accept, forget or link the experience from earlier runs in a repository.

    Entries are small files in your state folder, one for each run whose patch was proven or disproved. A later run in
    the repository gets the three entries that are most similar to its issue.

    An entry from an untrusted author's issue is not used until you read it (`show`) and accept it (`accept`).

    Experience belongs to the checkout whose runs stored it. Another checkout with the same first commit and origin uses
    it only after you ran `link` there. This also applies to your notes (`swe-agent memory`).
    """
    if (verb in ("list", "link")) == bool(ids):
        raise UsageError(
            f"`experience {verb}` takes {'no entry' if ids else 'an entry'}.", "See `swe-agent experience --help`."
        )
    if search is not None and verb != "list":
        raise UsageError("--search is for `experience list`.", "See `swe-agent experience --help`.")
    if verb == "link":
        return _link(repo, json)
    bank = _bank(repo)
    if verb == "list":
        _list(bank, search or "", json, plain)
        return 0
    entries = list(dict.fromkeys(bank.named(id) for id in ids or ()))
    if verb == "show":
        _show(bank, entries, json, plain)
    else:
        for entry in entries:
            bank.forget(entry) if verb == "forget" else bank.accept(entry)
        _done(verb, entries, json)
    return 0


def _repository(repo: str) -> tuple[Repository, Identity]:
    """Return the repository and its identity. Raises UsageError if the repository's first commit is missing."""
    from aci.history.repository_identity import find_identity
    from aci.repository.user_repository import Repository
    from agent.console.rich_terminal import plain_waiting
    from agent.inputs.issue_input import repository_from

    source = Repository.open(repository_from(repo, plain_waiting))
    identity = find_identity(source, source.commit())
    if identity is None:
        raise UsageError(
            f"The first commit of {source.name} is missing, so no experience is stored for it.",
            "If it is a shallow clone: git fetch --unshallow",
        )
    return source, identity


def _bank(repo: str) -> Bank:
    """Open the repository's experience. Raises OtherCheckout if it belongs to other checkouts."""
    from agent.config.settings import load_settings
    from agent.run_state.checkouts import check_checkout
    from extensions.memory.run_lessons import open_bank

    state, (source, identity) = load_settings().state, _repository(repo)
    check_checkout(state, source, identity)
    return open_bank(state, identity)


def _link(repo: str, json: bool) -> int:
    """Let the checkout use what is stored for its repository, and name all checkouts that do."""
    from aci.observation.untrusted_text import one_line
    from agent.config.settings import load_settings
    from agent.run_state.checkouts import link_checkout

    source, identity = _repository(repo)
    *others, own = [each.folder for each in link_checkout(load_settings().state, source, identity)]
    if json:
        _print_json({"linked": own, "checkouts": [*others, own]})
        return 0
    shared = f", as in {one_line(' and '.join(others))}" if others else ""
    origin = one_line(identity.origin)
    typer.echo(
        f"Runs in {one_line(own)} use the experience and the notes that are stored for {origin}{shared}.", err=True
    )
    return 0


def _list(bank: Bank, search: str, json: bool, plain: bool) -> None:
    trouble: list[str] = []
    words = search.lower().split()
    found = [entry for entry in bank.entries(trouble) if all(word in _text(entry) for word in words)]
    if json:
        _print_json({"folder": str(bank.folder), "entries": [_as_json(entry) for entry in found], "trouble": trouble})
        return
    from rich.table import Table

    from aci.observation.untrusted_text import clean_text
    from agent.console.rich_terminal import console

    table = Table("id", "issue", "ended", "place", "", box=None, pad_edge=False)
    for entry in found:
        place = entry.places[0] if entry.places else ""
        cells = (entry.id, entry.issue[:LONGEST_ISSUE], entry.ended, place[-LONGEST_PLACE:], _waits(entry))
        table.add_row(*(clean_text(" ".join(cell.split())) for cell in cells))
    none = "No entry matches." if words else "There is no experience yet; `swe-agent fix` adds it."
    console(plain).print(table if found else none)
    for line in trouble:
        typer.echo(clean_text(line), err=True)


def _text(entry: Entry) -> str:
    parts = (entry.issue, entry.symptom, *entry.errors, *entry.places, *entry.kinds, entry.outcome, entry.ended)
    return " ".join((*parts, entry.cause, entry.approach, entry.misled)).lower()


def _waits(entry: Entry) -> str:
    return "" if entry.accepted else "not accepted"


def _show(bank: Bank, entries: list[Entry], json: bool, plain: bool) -> None:
    if json:
        _print_json({"entries": [_as_json(entry) for entry in entries]})
        return
    from aci.observation.untrusted_text import clean_text
    from agent.console.rich_terminal import console

    out = console(plain)
    for entry in entries:
        who = f" by {entry.author}" if entry.author else ""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.at))
        lines = [
            entry.issue,
            f"  {entry.outcome} ({entry.ended}), run {entry.run} of {when}; issue{who}, trust: {entry.trust}",
            *([f"  {entry.url}"] if entry.url else []),
            *([f"  {_waits(entry)}: later runs do not use it"] if not entry.accepted else []),
            *_part("Symptom", entry.symptom.splitlines()),
            *_part("Places", entry.places),
            *_part("Kinds of fix", entry.kinds),
            *_part("Change", entry.change.splitlines()),
            *_part("Proven by", entry.tests),
            *_part("The model said", [entry.summary] if entry.summary else []),
            *_part("Failed before", entry.dead_ends),
            *_lesson(bank, entry),
        ]
        out.print(clean_text("\n".join(lines)), markup=False, highlight=False)


def _lesson(bank: Bank, entry: Entry) -> list[str]:
    """Return the lines of an entry's lesson, with its score."""
    from extensions.memory.experience_prompt import lesson_lines
    from extensions.memory.lesson_search import LEAST_SCORE, lesson_score

    score, uses = lesson_score(bank, entry)
    hidden = "" if score >= LEAST_SCORE else "; later runs no longer see it"
    return _part(f"Lesson (score {score:.2f}, shown to {uses} runs{hidden})", lesson_lines(entry))


def _part(name: str, lines: Any) -> list[str]:
    return [f"{name}:", *(f"  {line}" for line in lines)] if lines else []


def _done(verb: str, entries: list[Entry], json: bool) -> None:
    if json:
        _print_json({"forgotten" if verb == "forget" else "accepted": [entry.id for entry in entries]})
        return
    what = "forgotten" if verb == "forget" else "accepted: later runs use it"
    for entry in entries:
        typer.echo(f"{entry.id} is {what}.", err=True)


def _as_json(entry: Entry) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(entry)


def _print_json(value: Any) -> None:
    from json import dumps

    typer.echo(dumps(value))
