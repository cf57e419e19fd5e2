"""Instances given as issue URLs, one on each line. A batch fetches each issue only once, since an issue may be edited
while the batch runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from agent.inputs.github_urls import GITHUB, address_of
from agent.inputs.issue_hosts import issue_host
from extensions.lab.instances.append_log import write_error
from extensions.lab.instances.jobs import Instance
from trajectories.errors import RunBroken, UsageError
from trajectories.file_limits import read_limited
from trajectories.journal import write_durably
from trajectories.records import Issue

ISSUES = "issues.json"


def read_issue_urls(path: Path, out: Path | None) -> Iterator[Instance]:
    """Yield the instances of a list of issue URLs. Fetched issues are stored in the batch's folder `out` at once.

    Raises UsageError for a line that is not an issue URL, the errors of `fetch_issue`, RunBroken if the stored issues
    are damaged, and WorkspaceError if they cannot be written.
    """
    issues = {} if out is None else _stored(out / ISSUES)
    for number, line in enumerate(read_limited(path).decode("utf-8", "replace").splitlines(), 1):
        url = line.strip()
        if not url or url.startswith("#"):
            continue
        try:
            address = address_of(url)
        except UsageError:
            raise UsageError(
                f"Line {number} of {path} is not an issue URL.", "Give https://…/issues/N on each line."
            ) from None
        if url not in issues:
            issues[url] = issue_host(url).fetch_issue(url)
            if out is not None:
                issues = _store(out / ISSUES, issues)
        id = f"{address.repository.replace('/', '__')}-{address.number}"
        host = "" if address.server == GITHUB else f"{address.server}/"
        yield Instance(id, host + address.repository, "", issues[url])


def _store(file: Path, issues: dict[str, Issue]) -> dict[str, Issue]:
    """Write the issues to the file and return them as they are read back, with invalid Unicode replaced."""
    data = json.dumps({url: asdict(issue) for url, issue in issues.items()}, ensure_ascii=False, indent=1)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(file, data.encode("utf-8", "replace"))
    except OSError as error:
        raise write_error(file, error) from error
    return _stored(file)


def _stored(file: Path) -> dict[str, Issue]:
    from pydantic import TypeAdapter

    try:
        found: dict[str, Issue] = TypeAdapter(dict[str, Issue]).validate_json(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise RunBroken(f"{file} is damaged.", "Restore it from a copy, or start another batch with --out.") from None
    return found
