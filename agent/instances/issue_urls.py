"""Instances that are addresses of issues, a line each. An issue is fetched once a batch: it may be edited meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from agent.batch.appended import no_room
from agent.batch.place import Instance
from agent.github.address import GITHUB, address_of
from agent.github.issue import fetch_issue
from trajectories.errors import RunBroken, UsageError
from trajectories.journal import write_durably
from trajectories.limits import read_limited
from trajectories.records import Issue

ISSUES = "issues.json"


def listed(path: Path, out: Path | None) -> Iterator[Instance]:
    """The instances of a list of addresses. Issues are kept in the batch's folder `out` as they were at first, each as
    soon as it is there.

    Raises UsageError for what is no address, what `fetch_issue` raises, RunBroken where what is kept is damaged,
    WorkspaceError where nothing can be kept.
    """
    kept = {} if out is None else _kept(out / ISSUES)
    for number, line in enumerate(read_limited(path).decode("utf-8", "replace").splitlines(), 1):
        url = line.strip()
        if not url or url.startswith("#"):
            continue
        try:
            address = address_of(url)
        except UsageError:
            raise UsageError(
                f"Line {number} of {path} is no address of an issue.", "Give https://…/issues/N a line."
            ) from None
        if url not in kept:
            kept[url] = fetch_issue(url)
            if out is not None:
                kept = _keep(out / ISSUES, kept)
        id = f"{address.repository.replace('/', '__')}-{address.number}"
        host = "" if address.server == GITHUB else f"{address.server}/"
        yield Instance(id, host + address.repository, "", kept[url])


def _keep(file: Path, issues: dict[str, Issue]) -> dict[str, Issue]:
    """The issues as they will be read from the file: what is not Unicode is replaced."""
    data = json.dumps({url: asdict(issue) for url, issue in issues.items()}, ensure_ascii=False, indent=1)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(file, data.encode("utf-8", "replace"))
    except OSError as error:
        raise no_room(file, error) from error
    return _kept(file)


def _kept(file: Path) -> dict[str, Issue]:
    from pydantic import TypeAdapter

    try:
        found: dict[str, Issue] = TypeAdapter(dict[str, Issue]).validate_json(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise RunBroken(f"{file} is damaged.", "Restore it from a copy, or begin another batch with --out.") from None
    return found
