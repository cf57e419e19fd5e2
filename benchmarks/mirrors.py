"""Measure the mirrors of an edit on the fixes in histories of repositories.

    python -m benchmarks.mirrors --repositories DIR [--only NAME ...] [--fixes N]

DIR holds git repositories, or folders with a git directory `repo`. Of each, the newest commits are taken whose subject
names a fix and that change one function, or two to five, of Python outside of tests. Each function in turn is given,
with its part of the patch, and the others are to be named. It prints the share of the fixes with several functions and
with one for which a hint is shown, and the share of the shown hints that are right; all are means over fixes. Leave out
the repositories on which weights were fitted (`--only`).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from aci.graph.patch_impact import Edit, edits_between
from aci.repository.file_blobs import GitBlobs
from aci.repository.git_view import view_of
from aci.repository.test_files import belongs_to_tests
from extensions.code_search.mirrors import Hunk, changed_functions, likely_mirrors, significant_lines
from trajectories.git_store.git_commands import git

FIX = re.compile(r"\b(fix(e[sd])?|bug|issue|broken|incorrect|wrong|error)\b|#\d", re.IGNORECASE)
NO_SOURCE = re.compile(r"(^|/)(tests?|testing|examples?|docs?|benchmarks?|tutorials?)(/|_)|conftest")
MAX_FUNCTIONS, MAX_FILES, MAX_LINES = 5, 5, 150


class Fix(NamedTuple):
    """What was shown for a fix: for each given function, whether each named function is one of the others."""

    repository: str
    commit: str
    functions: int
    shown: list[list[bool]]

    @property
    def share_given(self) -> float:
        return mean(bool(each) for each in self.shown)

    @property
    def share_right(self) -> float | None:
        shares = [mean(each) for each in self.shown if each]
        return mean(shares) if shares else None


def is_source(path: str) -> bool:
    return path.endswith(".py") and not belongs_to_tests(path) and not NO_SOURCE.search(path)


def fix_commits(git_dir: Path) -> Iterator[str]:
    """Yield the commits with one parent whose subject names a fix, the newest first."""
    log = git("log", "--no-merges", "--format=%H %P%x09%s", "HEAD", env=view_of(git_dir, None).environment({})).decode(
        "utf-8", "replace"
    )
    for line in log.split("\n"):
        ids, _, subject = line.partition("\t")
        if len(ids.split()) == 2 and FIX.search(subject):
            yield ids.split()[0]


def changed_by(git_dir: Path, commit: str) -> list[Edit]:
    """Return the edits of a commit to source files; none if it adds or removes one or changes too many."""
    options = ("-r", "--no-renames", "--no-commit-id", "--name-status")
    listed = git("diff-tree", *options, commit, env=view_of(git_dir, None).environment({})).decode("utf-8", "replace")
    rows = [row.split("\t") for row in listed.splitlines()]
    source = [row for row in rows if is_source(row[-1])]
    if not 1 <= len(source) <= MAX_FILES or any(row[0] != "M" for row in source):
        return []
    edits = edits_between(GitBlobs.at(git_dir, f"{commit}^"), GitBlobs.at(git_dir, commit))
    return [edit for edit in edits if is_source(edit.path)]


def measure(git_dir: Path, commit: str, changed: Sequence[Hunk]) -> Fix:
    blobs = GitBlobs.at(git_dir, f"{commit}^")
    files = [file for file in blobs.files() if is_source(file.path) and file.mode.startswith("100")]
    read = zip(files, blobs.read([file.id for file in files]), strict=True)
    texts = {file.path: data.decode("utf-8", "replace") for file, data in read if data is not None}
    gold = {(hunk.function.path, hunk.function.name) for hunk in changed}
    shown = [
        [(one.function.path, one.function.name) in gold for one in likely_mirrors([hunk], texts)] for hunk in changed
    ]
    return Fix(git_dir.parent.name, commit, len(changed), shown)


def fixes(git_dir: Path, count: int) -> Iterator[Fix]:
    """Yield up to `count` measured fixes with several functions, and as many with one."""
    left = {True: count, False: count}
    for commit in fix_commits(git_dir):
        if not any(left.values()):
            return
        changed = [hunk for edit in changed_by(git_dir, commit) for hunk in changed_functions(edit)]
        size = sum(len(hunk.removed) + len(hunk.added) for hunk in changed)
        if not 1 <= len(changed) <= MAX_FUNCTIONS or size > MAX_LINES or not left[len(changed) > 1]:
            continue
        if not all(significant_lines(hunk.removed) or significant_lines(hunk.added) for hunk in changed):
            continue
        left[len(changed) > 1] -= 1
        yield measure(git_dir, commit, changed)


def summarise(measured: Sequence[Fix]) -> dict[str, Any]:
    several, single = ([one for one in measured if (one.functions > 1) is is_several] for is_several in (True, False))
    right = [one.share_right for one in several if one.share_right is not None]
    return {
        "repositories": len({one.repository for one in measured}),
        "several": len(several),
        "single": len(single),
        "given_of_several": _percent([one.share_given for one in several]),
        "given_of_single": _percent([one.share_given for one in single]),
        "right": _percent(right),
    }


def _percent(values: Sequence[float]) -> float:
    return round(100 * mean(values), 1) if values else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=(), help="names of folders in DIR (default: all)")
    parser.add_argument("--fixes", type=int, default=20, help="fixes of each kind in a repository")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    measured: list[Fix] = []
    for folder in sorted(options.repositories.iterdir()):
        git_dir = next((one for one in (folder / "repo", folder / ".git", folder) if (one / "HEAD").exists()), None)
        if git_dir and (not options.only or folder.name in options.only):
            own = list(fixes(git_dir, options.fixes))
            measured += own
            print(folder.name, json.dumps(summarise(own)), file=sys.stderr, flush=True)
    report = summarise(measured)
    print("  ".join(f"{key} {value}" for key, value in report.items()))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
