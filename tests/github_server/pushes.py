"""What GitHub refuses of a push before it takes it: protected branches, rulesets, workflows. In its own words, as git
shows them (`! [remote rejected] main -> main (protected branch hook declined)`)."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.github_server.access import Token, allows
from tests.github_server.objects import git
from tests.github_server.request import Answer
from tests.github_server.state import Repo

WORKFLOWS = ".github/workflows/"
NOBODY = "0" * 40


def refused(repo: Repo, token: Token, data: bytes) -> Answer | None:
    """The answer to a push that is refused, whole; None for one that git may take."""
    commands, pack = _commands(data)
    said = [(ref, *why) for _, new, ref in commands if (why := _why(repo, token, new, ref, pack))]
    if not said:
        return None
    told = "".join(message for _, _, message in said)
    reasons = {ref: reason for ref, reason, _ in said}
    lines = [f"ng {ref} {reasons.get(ref, 'atomic push failure')}\n" for _, _, ref in commands]
    report = b"".join(map(_packet, ["unpack ok\n", *lines])) + b"0000"
    body = b"".join(_packet(band + part) for band, part in ((b"\2", told.encode()), (b"\1", report)) if part)
    return Answer(200, raw=body + b"0000", headers={"Content-Type": "application/x-git-receive-pack-result"})


def _why(repo: Repo, token: Token, new: str, ref: str, pack: bytes) -> tuple[str, str] | None:
    """The reason that git shows, and what the server says beside it."""
    branch = ref.removeprefix("refs/heads/")
    change = "remote: \n- Changes must be made through a pull request.\n"
    if any(fnmatch(branch, rule) for rule in repo.protected):
        return "protected branch hook declined", f"error: GH006: Protected branch update failed for {ref}.\n{change}"
    if any(fnmatch(branch, rule) for rule in repo.rulesets):
        told = f"error: GH013: Repository rule violations found for {ref}.\n{change}"
        return "push declined due to repository rule violations", told
    if token.permissions is None or allows(token, "workflows=write") or new == NOBODY:
        return None
    changed = next((path for path in _changed(repo, new, pack) if path.startswith(WORKFLOWS)), "")
    if not changed:
        return None
    who, lacks = "a GitHub App", "`workflows` permission"
    if not token.app:
        who, lacks = "a Personal Access Token", "`workflow` scope"
    return f"refusing to allow {who} to create or update workflow `{changed}` without {lacks}", ""


def _changed(repo: Repo, new: str, pack: bytes) -> Iterator[str]:
    """The paths that commits which are new to the repository change."""
    known = git(repo.git, "for-each-ref", "--format=%(objectname)").split()
    with TemporaryDirectory() as folder:
        git(Path(folder), "init", "-q", "--bare")
        (Path(folder) / "objects" / "info" / "alternates").write_text(f"{repo.git}/objects\n")
        if pack:
            git(Path(folder), "index-pack", "--stdin", "--fix-thin", input=pack)
        paths = git(Path(folder), "log", "--format=", "--name-only", "-z", "-m", new, "--not", *known)
        yield from filter(None, paths.replace("\n", "\0").split("\0"))


def _commands(data: bytes) -> tuple[list[tuple[str, str, str]], bytes]:
    """The updates that are asked for (old, new, ref), and the pack behind them."""
    found, at = [], 0
    while size := int(data[at : at + 4], 16):
        line = data[at + 4 : at + size].partition(b"\0")[0].decode().strip()
        at += size
        if line.startswith("shallow "):  # where the history of who pushes begins
            continue
        old, new, ref = line.split(" ", 2)
        found.append((old, new, ref))
    return found, data[data.find(b"PACK", at) :] if b"PACK" in data[at:] else b""


def _packet(data: str | bytes) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return f"{len(data) + 4:04x}".encode() + data
