"""Detected test commands of popular repositories: a table of each against the command of its own CI or of SWE-bench.

    python -m benchmarks.test_commands CLONES [--only NAME]

CLONES holds the clones as OWNER/NAME, bare or not; repositories without one are left out. The repositories, commits and
commands are those of test_commands.jsonl; `commands` lists every form that runs the main suite. Two commands are equal
in effect if they differ only in the wrapper, the path of the interpreter, and options for output, coverage or parallel
runs. Python is the one that runs this command, which has pytest.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from aci.testing.suite_command import detect_command
from trajectories.errors import SweAgentError
from trajectories.git_store.trees import Trees

TABLE = Path(__file__).with_name("test_commands.jsonl")
SAME = (
    (r"^\((.*)\)$", r"\1"),
    (r"^cd (\S+?)/? && ", r"\1: "),
    (r"(?<!\S)(?:\S*/)?python[\d.]*(?= )", "python"),
    (r"\bpython -m pytest\b|\bpy\.test\b", "pytest"),
    (r"\bpython (?:\./)?(\S+\.py)\b|(?<!\S)\./(\S+\.py)\b", r"\1\2"),
    (r"\b(npm|yarn|pnpm|bun|composer) run(?:-script)? ", r"\1 "),
    (r"(?<!\S)(?:\./)?mvnw\b", "mvn"),
    (r"(?<!\S)(?:\./)?gradlew\b", "gradle"),
    (r"(?<!\S)(?:bundle exec|npx|vendor/bin/|\./vendor/bin/)\s*(?=\S)", ""),
    (r"(?<!\S)(?:--verbosity[ =]\d|--parallel[ =]\w+|-n[ =]?(?:auto|\d+))(?!\S)", ""),
    (r"(?<!\S)(?:-[vqBCob]+\d?|-W \w+|-r[a-zA-Z]+|-race)(?!\S)", ""),
    (r"(?<!\S)--(?:verbose|quiet|no-daemon|locked|batch-mode|no-transfer-progress|cov\S*)(?!\S)", ""),
    (r"\s+", " "),
)
"""Regular expressions of what two commands that are equal in effect may write differently, and the common form."""

AUTHOR = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")


@dataclass(frozen=True, slots=True)
class Row:
    """The detected command of a repository at a commit, and the `right` ones."""

    repository: str
    commit: str
    language: str
    detected: str
    right: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        return normal_form(self.detected) in map(normal_form, self.right)

    def __str__(self) -> str:
        sign = "yes" if self.is_equal else "**no**"
        cells = (f"{self.repository} {self.commit[:8]}", self.language, self.detected, self.right[0], sign)
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def normal_form(command: str) -> str:
    """Return the common form of the commands that are equal in effect."""
    for pattern, form in SAME:
        command = re.sub(pattern, form, command.strip())
    return command.strip()


def detected_command(clone: Path, commit: str) -> str:
    """Return the test command that is detected in a clone at a commit, or the message if none is."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-") as place, Trees(Path(place) / "trees.git") as trees:
        folder = Path(place) / "repository"
        _write_files(clone, commit, folder)
        subprocess.run(["git", "init", "--quiet", folder], check=True)
        (folder / ".git/info/attributes").write_text(
            "* -text -filter -working-tree-encoding\n"
        )  # take files as they are
        for words in (["add", "--all", "--force"], [*AUTHOR, "commit", "--message=files"]):
            subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)
        source = Repository.open(folder)
        options = WorkspaceOptions(source, source.base(trees), trees, image="", say=lambda line: None)
        try:
            with closing(open_workspace("local", options)) as workspace:
                return detect_command(workspace)
        except SweAgentError as error:
            return error.message


def _write_files(clone: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit that the clone has; a partial clone lacks some."""
    git = ["git", "-C", str(clone)]
    listed = subprocess.run([*git, "ls-tree", "-r", "-z", commit], check=True, capture_output=True, text=True).stdout
    entries = [line.split("\t", 1) for line in listed.split("\0") if line.startswith("100")]
    names = {path: entry.split()[2] for entry, path in entries}
    asked = "".join(f"{name}\n" for name in names.values()).encode()
    with tempfile.TemporaryFile() as output:
        subprocess.run([*git, "cat-file", "--batch"], check=True, input=asked, stdout=output)
        output.seek(0)
        for path in names:
            head = output.readline().split()
            if head[1:2] == [b"blob"]:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(output.read(int(head[2])))
                output.read(1)


def measure(clones: Path, only: str) -> Iterator[Row]:
    """Yield the rows of the repositories that have a clone and whose name contains `only`."""
    for line in TABLE.read_text("utf-8").splitlines():
        one = json.loads(line)
        clone = clones / one["repository"]
        if only in one["repository"] and clone.exists():
            command = detected_command(clone, one["commit"])
            yield Row(one["repository"], one["commit"], one["languages"][0], command, tuple(one["commands"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", type=Path)
    parser.add_argument("--only", default="", help="part of the repositories' names")
    given = parser.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    counts: dict[str, list[bool]] = defaultdict(list)
    print("| repository | language | detected | reference | equal |\n|---|---|---|---|---|", flush=True)
    for row in measure(given.clones, given.only):
        print(row, flush=True)
        counts[row.language].append(row.is_equal)
    every = [is_equal for found in counts.values() for is_equal in found]
    parts = [f"{language} {sum(found)} of {len(found)}" for language, found in sorted(counts.items())]
    listed = len(TABLE.read_text("utf-8").splitlines())
    print(f"\n{sum(every)} of {len(every)} commands are equal in effect: {', '.join(parts)}; {listed} are listed.")


if __name__ == "__main__":
    main()
