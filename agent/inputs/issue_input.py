"""The user's input, which is the issue's text and the repository, with a one-sentence error for each problem."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aci.issue_text.image_links import MOST_PICTURES, PICTURE, image_format
from aci.issue_text.vulnerability import is_advisory, parse_advisory, with_advisory
from aci.observation.file_contents import binary_kind, wide_encoding
from aci.observation.untrusted_text import clean_output
from aci.repository.patch import read_patch
from agent.inputs.issue_hosts import ISSUE_NUMBER, find_issue_url, issue_host
from trajectories.errors import UsageError
from trajectories.file_limits import open_regular, open_stream
from trajectories.records import Issue

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository

STDIN = Path("-")
"""The name that means standard input."""
MOST_BYTES = 1_000_000
MOST_PATCH = 20_000_000
MOST_LOG = 50_000_000
Waiting = Callable[[str], AbstractContextManager[object]]
"""Shows what the user waits for while a context is open. `nullcontext` shows nothing."""


def issue_from(
    url: str = "",
    file: Path | None = None,
    text: str | None = None,
    say: Callable[[str], object] = lambda _: None,
    waiting: Waiting = nullcontext,
    advisory: Path | None = None,
    repo: str | None = None,
) -> Issue:
    """Return the issue from a URL, a file or the given text; `say` is called with notes about it. An `advisory` in a
    file describes the issue, or is added to it. Instead of the URL, `#300` or `300` names an issue of the repository
    `repo` (by default the one in the current folder), by its remote.

    Raises UsageError unless exactly one of them is given, or if it is empty or unreadable; for a URL, raises what
    `fetch_issue` raises.
    """
    if advisory is not None:
        is_alone = not url and file is None and text is None
        issue = None if is_alone else issue_from(url, file, text, say, waiting, repo=repo)
        return with_advisory(issue, _read(advisory, "advisory"))
    given = [
        name
        for name, value in (("--issue", url or None), ("--issue-file", file), ("--text", text))
        if value is not None
    ]
    if len(given) != 1:
        what = f"{' and '.join(given)} were all given" if given else "No issue was given"
        raise UsageError(f"{what}.", "Give one of --issue URL|N, --issue-file F, --text T.")
    if url:
        if number := ISSUE_NUMBER.fullmatch(url.strip()):
            from aci.repository.user_repository import Repository

            issue_host()  # without the extension of GitHub, that is said first
            url = find_issue_url(Repository.open(repository_from(repo or ".", waiting)), int(number["number"]))
        with waiting("Reading the issue"):
            fetched: Issue = issue_host(url).fetch_issue(url, say)
            return fetched
    if file == STDIN:
        if sys.stdin is not None and sys.stdin.isatty():
            say("Type the issue; Ctrl-D on an empty line ends it.")
        return from_text(_read(file))
    return from_text(_read(file) if file is not None else text or "", file)


def limit_to_base_date(issue: Issue, source: Repository, base: str | None) -> Issue:
    """Return the issue as it was at the date of the commit `base`, or unchanged if no base is given. Raises UsageError
    for an unknown commit."""
    if not (base and issue.comments):
        return issue
    from datetime import UTC, datetime

    from aci.history.git_log import GitLog

    seconds = GitLog(source.git_dir).time(source.commit(base))
    return (
        limit_to_date(issue, f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}")
        if seconds is not None
        else issue
    )


def limit_to_date(issue: Issue, at: str) -> Issue:
    """Return the issue without linked items newer than `at` (ISO 8601 in UTC), since one of them may be its
    solution."""
    return replace(issue, comments=tuple(each for each in issue.comments if not each.about or each.at <= at))


def from_text(text: str, file: Path | None = None) -> Issue:
    """Return an issue whose title is the first line, without Markdown's `#`, and whose body is the rest."""
    if is_advisory(text):
        return parse_advisory(text)
    title, _, body = text.strip().partition("\n")
    title = title.lstrip("#").strip()
    if not title and not body.strip():
        raise UsageError(
            f"The issue{f' in {file}' if file else ''} is empty.", "Describe what goes wrong and what should happen."
        )
    return Issue(title, body.strip(), images=pictures(body, file.parent) if file else ())


def pictures(text: str, folder: Path) -> tuple[str, ...]:
    """Return, as `data:` URLs, the images that Markdown or HTML refers to by a path below `folder`.

    The paths are not trusted, so only files below the folder whose bytes are those of an image are used. URLs are not
    fetched.
    """
    found: dict[str, str] = {}
    room = MOST_PICTURES
    for name in (first or second for first, second in PICTURE.findall(text)):
        data = b"" if ":" in name or name in found else _below(folder, name, room)
        kind = image_format(data)
        if kind:
            room -= len(data)
            found[name] = f"data:image/{kind};base64,{b64encode(data).decode()}"
    return tuple(found.values())


def _below(folder: Path, name: str, most: int) -> bytes:
    """Return the bytes of a file below the folder; empty if it is elsewhere, too large or unreadable."""
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file() or path.stat().st_size > most:
            return b""
        return path.read_bytes()
    except (OSError, ValueError):
        return b""


def patch_from(file: Path | None, *issue: object) -> str:
    """Return the diff in a file, or "" if no file is given.

    Raises UsageError if both a file and an issue (any value other than None) are given, and what `read_patch` raises.
    """
    if file is None:
        return ""
    if any(value is not None for value in issue):
        raise UsageError("--patch and an issue were both given.", "Choose one.")
    return read_patch(_bytes(file, "patch", MOST_PATCH), str(file))


def log_from(file: Path) -> str:
    """Return the text of an error log, without escape sequences. Raises UsageError if it is empty, binary or too
    large."""
    data = _bytes(file, "log", MOST_LOG)
    if encoding := wide_encoding(data):  # as PowerShell redirects output
        data = data.decode(encoding, "replace").encode()
    name = "on standard input" if file == STDIN else str(file)
    if binary_kind(data):
        raise UsageError(f"The log {name} is a binary file.", "Give a text file.")
    if not (text := clean_output(data)).strip():
        raise UsageError(f"The log {name} is empty.", "Give the output that has the error.")
    return text


def _open_file(file: Path) -> BinaryIO:
    return open(0, "rb", closefd=False) if file == STDIN else open_stream(file)


def _bytes(file: Path, what: str, most: int, open_file: Callable[[Path], BinaryIO] = _open_file) -> bytes:
    """Return a file's content; `most` is the maximum number of bytes. Raises UsageError if the file is longer."""
    try:
        with open_file(file) as handle:
            data = handle.read(most + 1)
    except OSError as error:
        raise UsageError(f"The {what} {file} cannot be read: {error.strerror}.", "Give a text file.") from None
    if len(data) > most:
        raise UsageError(f"The {what} {file} has more than {most:,} bytes.", "Give a shorter one.")
    return data


def _read(file: Path, what: str = "issue file", open_file: Callable[[Path], BinaryIO] = _open_file) -> str:
    data = _bytes(file, what, MOST_BYTES, open_file)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The {what} {file} is not UTF-8 (byte {error.start} is 0x{data[error.start]:02x}).",
            "Save it as UTF-8.",
        ) from None


def reproduction_from(name: str | None, root: Path) -> str | None:
    """Return the target that `--reproduce` names: a test of the repository at `root`, or the absolute path of another
    file.

    A path is relative to the current folder, or else to the root; any other value is a test's dotted name. Raises
    UsageError for a path without a readable file.
    """
    file, mark, node = (name or "").partition("::")
    found = next((path for path in (Path(file), root / file) if path.is_file()), None) if file else None
    if found is None:
        if "/" in file or file.endswith(".py"):
            _read(Path(file), "reproduction test", open_regular)
        return name
    path = found.resolve()
    if path.is_relative_to(root):
        return f"{path.relative_to(root).as_posix()}{mark}{node}"
    _read(path, "reproduction test", open_regular)
    return f"{path}{mark}{node}"


def repository_for(
    issue: Issue | None,
    repo: str | None,
    accept: Callable[[str], bool],
    say: Callable[[str], object],
    needs: str = "",
    waiting: Waiting = nullcontext,
) -> Repository:
    """Return the repository for an issue: the one that `repo` names, or else the one in the current folder.

    For an issue with a URL, without `repo`, it is a checkout or a clone of the issue's repository, see `open_checkout`;
    with `repo`, the issue must belong to it, see `check_belongs`. Raises UsageError.
    """
    from aci.repository.user_repository import Repository

    if issue is None or not issue.url:
        return Repository.open(repository_from(repo or ".", waiting))
    host = issue_host(issue.url)
    if repo is None:
        with waiting("Opening the issue's repository"):
            checkout: Repository = host.open_checkout(issue.url, Path(), say, needs)
            return checkout
    source = Repository.open(repository_from(repo, waiting))
    host.check_belongs(source, issue.url, accept, "Give a checkout of it with --repo, or --repo-mismatch-ok.")
    return source


def repository_from(name: str, waiting: Waiting = nullcontext) -> Path:
    """Return the folder of the user's repository. A URL is cloned once, next to the runs. Raises UsageError."""
    if "://" not in name and not name.startswith("git@"):
        return Path(name)
    from aci.observation.secret_masking import without_url_secrets
    from aci.observation.untrusted_text import one_line
    from aci.repository.clone import clone
    from agent.config.settings import load_settings

    with waiting(f"Cloning {one_line(without_url_secrets(name))}"):
        return clone(name, load_settings().state / "clones")
