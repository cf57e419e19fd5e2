"""Bugs from the history of a package: small bug-fix commits, reverted at its head."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks._planting import Package, git, git_folder

FIX_WORDS = r"fix|bug|issue|wrong|regress|incorrect|broken|crash|handle|properly"
MAX_COMMITS, MAX_LINES = 400, 16


@dataclass(frozen=True, slots=True)
class Revert:
    """A file with one commit reverted; `what` describes the commit."""

    path: str
    data: bytes
    what: str


def reverts(repos: Path, package: Package, sources: Mapping[str, bytes]) -> Iterator[Revert]:
    """Yield reverts of commits that changed a few lines of one source file, newest first, if they still apply."""
    folder = git_folder(repos, package)
    query = ["--no-merges", "-i", "-E", f"--grep={FIX_WORDS}", f"-{MAX_COMMITS}", "--format=%H %s", package.commit]
    for line in git(folder, "log", *query, "--", "*.py").decode("utf-8", "replace").splitlines():
        commit, _, subject = line.partition(" ")
        diff = git(folder, "show", "--format=", "-U2", commit, "--", "*.py").decode("utf-8", "replace")
        parts = [part for part in re.split(r"(?m)^(?=diff --git )", diff) if part and not _is_test(part)]
        lines = [one for part in parts for one in part.splitlines() if re.match(r"[+-](?![+-])", one)]
        if len(parts) != 1 or not 0 < len(lines) <= MAX_LINES:
            continue
        path = _current_path(parts[0], sources)
        data = _revert(sources[path], parts[0]) if path else None
        if path and data and data != sources[path]:
            yield Revert(path, data, f"without {commit[:10]}: {subject[:80]}")


def _is_test(part: str) -> bool:
    return bool(re.match(r"diff --git a/\S*(test|docs?/|setup\.py|version|bench|example)", part))


def _current_path(part: str, sources: Mapping[str, bytes]) -> str:
    """Return the current path of the changed file, or "" if it is ambiguous or missing."""
    found = re.search(r"(?m)^\+\+\+ b/(\S+)$", part)
    if not found:
        return ""
    name = found[1].rpartition("/")[2]
    as_package = f"{name.removesuffix('.py')}/__init__.py"
    fitting = [path for path in sources if path == found[1]] or [
        path for path in sources if path.rpartition("/")[2] == name != "__init__.py" or path.endswith(f"/{as_package}")
    ]
    return fitting[0] if len(fitting) == 1 else ""


def _revert(data: bytes, part: str) -> bytes | None:
    """Return the file with a diff reverted, or None if the diff no longer applies."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-planted-") as home:
        file, out = Path(home) / "file", Path(home) / "out"
        file.write_bytes(data)
        arguments = ["patch", "-R", "-f", "-s", "-F1", "-r", "-", "-o", str(out), str(file)]
        result = subprocess.run(arguments, input=part.encode(), capture_output=True, check=False)
        return out.read_bytes() if result.returncode == 0 and out.exists() else None
