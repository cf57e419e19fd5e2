"""Refusals of pushes by branch protection, rulesets and workflow permissions, in GitHub's format.

git shows them like `! [remote rejected] main -> main (protected branch hook declined)`.
"""

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
NULL_ID = "0" * 40


def refused(repo: Repo, token: Token, data: bytes) -> Answer | None:
    """Return the answer to a push that is refused as a whole, or None."""
    commands, pack = _commands(data)
    refusals = [(ref, *reason) for _, new, ref in commands if (reason := _refusal(repo, token, new, ref, pack))]
    if not refusals:
        return None
    text = "".join(message for _, _, message in refusals)
    reasons = {ref: reason for ref, reason, _ in refusals}
    lines = [f"ng {ref} {reasons.get(ref, 'atomic push failure')}\n" for _, _, ref in commands]
    report = b"".join(map(_packet, ["unpack ok\n", *lines])) + b"0000"
    body = b"".join(_packet(band + part) for band, part in ((b"\2", text.encode()), (b"\1", report)) if part)
    return Answer(200, raw=body + b"0000", headers={"Content-Type": "application/x-git-receive-pack-result"})


def _refusal(repo: Repo, token: Token, new: str, ref: str, pack: bytes) -> tuple[str, str] | None:
    """Return the reason that git shows, and the server's message beside it."""
    branch = ref.removeprefix("refs/heads/")
    change = "remote: \n- Changes must be made through a pull request.\n"
    if any(fnmatch(branch, rule) for rule in repo.protected):
        return "protected branch hook declined", f"error: GH006: Protected branch update failed for {ref}.\n{change}"
    if any(fnmatch(branch, rule) for rule in repo.rulesets):
        message = f"error: GH013: Repository rule violations found for {ref}.\n{change}"
        return "push declined due to repository rule violations", message
    if token.permissions is None or allows(token, "workflows=write") or new == NULL_ID:
        return None
    changed = next((path for path in _changed(repo, new, pack) if path.startswith(WORKFLOWS)), "")
    if not changed:
        return None
    token_kind, missing = "a GitHub App", "`workflows` permission"
    if not token.app:
        token_kind, missing = "a Personal Access Token", "`workflow` scope"
    return f"refusing to allow {token_kind} to create or update workflow `{changed}` without {missing}", ""


def _changed(repo: Repo, new: str, pack: bytes) -> Iterator[str]:
    """Yield the paths that commits new to the repository change."""
    known = git(repo.git, "for-each-ref", "--format=%(objectname)").split()
    with TemporaryDirectory() as folder:
        git(Path(folder), "init", "-q", "--bare")
        (Path(folder) / "objects" / "info" / "alternates").write_text(f"{repo.git}/objects\n")
        if pack:
            git(Path(folder), "index-pack", "--stdin", "--fix-thin", input=pack)
        paths = git(Path(folder), "log", "--format=", "--name-only", "-z", "-m", new, "--not", *known)
        yield from filter(None, paths.replace("\n", "\0").split("\0"))


def _commands(data: bytes) -> tuple[list[tuple[str, str, str]], bytes]:
    """Return the requested updates (old, new, ref) and the pack after them."""
    updates, at = [], 0
    while size := int(data[at : at + 4], 16):
        line = data[at + 4 : at + size].partition(b"\0")[0].decode().strip()
        at += size
        if line.startswith("shallow "):  # where the client's history begins
            continue
        old, new, ref = line.split(" ", 2)
        updates.append((old, new, ref))
    return updates, data[data.find(b"PACK", at) :] if b"PACK" in data[at:] else b""


def _packet(data: str | bytes) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return f"{len(data) + 4:04x}".encode() + data
