"""Reproduction without a model on issues with gold patches: is the test red at the base and green with the gold patch?

    python -m benchmarks.reproduce --issues tune.issues.jsonl --gold tune.gold.jsonl \\
        --mirrors DIR --python VENV [ID ...]

`--mirrors` holds bare repositories as `OWNER+NAME/repo`; `--python` is a virtual environment with pytest and the
packages that the repositories need. IDs are regular expressions; by default all issues are tried. The workspace is
`local`, so the issues' code runs on this machine. The gold patch is used for the score only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from aci.repository.file_blobs import TreeBlobs
from aci.repository.user_repository import Repository
from aci.reproduction.reproducer import Reproducer, Reproduction
from aci.runtime.workspace import open_workspace
from agent.cli.base_workspace import open_base
from agent.config.settings import load_settings
from benchmarks._planting import PERSON
from trajectories.records import Issue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--issues", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--mirrors", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="append one row per issue")
    parser.add_argument("ids", nargs="*")
    given = parser.parse_args()
    os.environ |= {"VIRTUAL_ENV": str(given.python), "PATH": f"{given.python}/bin{os.pathsep}{os.environ['PATH']}"}
    os.environ.pop("PYTHONPATH", None)
    golds = {row["instance_id"]: row["patch"] for row in map(json.loads, given.gold.open())}
    rows = []
    for issue in map(json.loads, given.issues.open()):
        id = issue["instance_id"]
        if given.ids and not any(re.search(one, id) for one in given.ids):
            continue
        with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
            rows.append(one_row(issue, golds[id], given.mirrors, given.python, Path(folder)))
        print(f"{id:40} {rows[-1]['outcome']:12} {rows[-1]['cpu']:5.1f} s  {rows[-1]['why'][:110]}", flush=True)
        if given.json:
            with given.json.open("a") as log:
                log.write(json.dumps(rows[-1]) + "\n")
    print(summary(rows))


def one_row(issue: dict[str, Any], gold: str, mirrors: Path, python: Path, folder: Path) -> dict[str, Any]:
    """Return the outcome of one issue: `no test`, `green`, or `red at gold`."""
    mirror = mirrors / str(issue.get("mirror") or issue["repo"]).replace("/", "+") / "repo"
    root = folder / "base"
    root.mkdir()
    archive = subprocess.Popen(["git", f"--git-dir={mirror}", "archive", issue["base_commit"]], stdout=subprocess.PIPE)
    subprocess.run(["tar", "x", "-C", str(root)], stdin=archive.stdout, check=True)
    for words in (["init", "-q"], ["add", "-A", "-f"], [*PERSON, "commit", "-qm", "base"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    began = time.monotonic()
    found = reproduce(root, issue["problem_statement"])
    seconds = time.monotonic() - began
    outcome = "no test" if found.reason else "green" if is_green(root, found, gold, python) else "red at gold"
    row = {"id": issue["instance_id"], "outcome": outcome, "why": found.reason or found.error.replace("\n", " ")}
    return row | {"cpu": found.cpu, "seconds": seconds, "path": found.path, "text": found.text}


def reproduce(root: Path, statement: str) -> Reproduction:
    title, _, body = statement.partition("\n")
    settings = load_settings(b"", workspace="local")
    with (
        open_base(Repository.open(root), None, settings, lambda _: None) as (options, _),
        closing(open_workspace("local", options)) as workspace,
    ):
        blobs = TreeBlobs(options.trees, options.base.tree)
        return Reproducer(workspace, blobs).reproduce(Issue(title, body))


def is_green(root: Path, found: Reproduction, gold: str, python: Path) -> bool:
    """Return whether the test passes with the gold patch, which is applied to the files of the base."""
    shutil.rmtree(root / ".git")
    subprocess.run(["git", "apply", "-"], input=gold.encode(), cwd=root, check=True)
    (root / found.path).parent.mkdir(parents=True, exist_ok=True)
    (root / found.path).write_text(found.text)
    command = [str(python / "bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", found.path]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root}/src"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False).returncode == 0


def summary(rows: list[dict[str, Any]]) -> str:
    counts = {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in ("green", "red at gold")}
    code = sum("shows no Python code" not in row["why"] for row in rows)
    slowest = max((row["cpu"] for row in rows), default=0.0)
    return (
        f"{len(rows)} issues, {code} with code: {counts['green']} red at base and green at gold, "
        f"{counts['red at gold']} red at gold; at most {slowest:.0f} CPU s"
    )


if __name__ == "__main__":
    main()
