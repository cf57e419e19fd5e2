"""Reproduction without a model on issues with gold patches: is the test red at the base and green with the gold patch?

    python -m benchmarks.reproduce --issues tune.issues.jsonl --gold tune.gold.jsonl \\
        --mirrors DIR --pythons DIR --json ROWS [ID ...]

`--mirrors` holds bare repositories as `OWNER+NAME/repo`, and `--pythons` installations of Python as `3.9.18/bin`, as
pyenv keeps them. IDs are regular expressions; by default all issues are tried. Issues that have a row in `--json` are
not tried again. Each environment is set up by the program's own builder, with the Python that it chooses for the
repository; XDG_CACHE_HOME says where it is kept. The workspace is `local`, so the issues' code and the set-up run on
this machine. The gold patch is used for the score, and to find out whether the repository runs here: an issue counts as
"not run" if none of the files that the patch changes can be imported.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aci.environments.environment_plan import EnvironmentOptions
from aci.repository.file_blobs import Blobs, TreeBlobs
from aci.repository.proposed_patch import patched_files
from aci.repository.test_files import is_test
from aci.repository.user_repository import Repository
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from aci.testing.suite_run import run_tests
from agent.config.settings import load_settings
from agent.engine.base_workspace import open_base
from benchmarks._process_cpu import adopt_orphans, cpu_seconds
from extensions.environments.environment import plan_for
from extensions.environments.host_environment import add_environment, find_host_plan
from extensions.reproduction.reproducer import NO_CODE, Reproducer, Reproduction, example_code
from trajectories.errors import SweAgentError
from trajectories.records import Issue

SMOKE_TEST = "python3 -m pytest --collect-only -q -p no:cacheprovider --ignore-glob='*'"
"""The test command that the builder tries: it loads the configuration only, since suites take minutes per commit."""

NOT_RUNNABLE = "No environment"
"""The start of the reasons why an issue's repository does not run here."""


@dataclass(frozen=True, slots=True)
class Options:
    """The folders of the command line."""

    mirrors: Path
    pythons: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("issues", "gold", "mirrors", "pythons"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="append one row per issue; issues with a row are not tried again")
    parser.add_argument("ids", nargs="*")
    given = parser.parse_args()
    adopt_orphans()
    golds = {row["instance_id"]: row["patch"] for row in _rows(given.gold)}
    done = {row["id"]: row for row in (_rows(given.json) if given.json and given.json.exists() else ())}
    rows = []
    # an environment serves later commits, so the oldest issues come first
    for issue in sorted(_rows(given.issues), key=lambda one: (one["repo"], one["created_at"])):
        id = issue["instance_id"]
        if given.ids and not any(re.search(one, id) for one in given.ids):
            continue
        row = done.get(id) or one_row(issue, golds[id], Options(given.mirrors, given.pythons))
        rows.append(row)
        if id not in done:
            print(f"{id:40} {row['outcome']:12} {row['cpu']:5.1f} s  {row['why'][:110]}", flush=True)
            if given.json:
                with given.json.open("a") as log:
                    log.write(json.dumps(row) + "\n")
    print(summary(rows))


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects in the lines of a file."""
    with path.open(encoding="utf-8") as opened:
        return [json.loads(line) for line in opened]


def one_row(issue: dict[str, Any], gold: str, options: Options) -> dict[str, Any]:
    """Return the outcome of one issue: `no code`, `not run`, `no test`, `green`, or `red at gold`.

    `cpu` and `setup` are the CPU seconds of the reproduction and of the environment's set-up.
    """
    title, _, body = issue["problem_statement"].partition("\n")
    asked, began = Issue(title, body), cpu_seconds()
    row = {"id": issue["instance_id"], "outcome": "no code", "why": NO_CODE, "cpu": 0.0, "setup": 0.0}
    if not example_code(asked):
        return row
    mirror = options.mirrors / str(issue.get("mirror") or issue["repo"]).replace("/", "+") / "repo"
    path = os.environ["PATH"]
    try:
        with ExitStack() as opened:
            try:
                source, settings = Repository.open(mirror), load_settings(b"", workspace="local")
                before, after = opened.enter_context(patched_files(source, gold, issue["base_commit"]))
                opening = open_base(source, issue["base_commit"], settings, lambda _: None)
                base, environment = opened.enter_context(opening)
                changed = _changes(before, after)
                workspace = opened.enter_context(closing(_open(base, environment, options.pythons, list(changed))))
            except SweAgentError as error:
                return row | {"outcome": "not run", "why": error.message, "setup": cpu_seconds() - began}
            ready = cpu_seconds()
            found = Reproducer(workspace, TreeBlobs(base.trees, base.base.tree)).reproduce(asked)
            ended = cpu_seconds()
            row |= {"setup": ready - began, "cpu": ended - ready, "path": found.path, "text": found.text}
            tree = base.trees.write(changed, base.base.tree)
            outcome = "no test" if found.reason else "green" if _is_green(workspace, tree, found) else "red at gold"
            return row | {"outcome": outcome, "why": (found.reason or found.error).replace("\n", " ")}
    finally:
        os.environ["PATH"] = path


def _changes(before: Blobs, after: Blobs) -> dict[str, bytes | None]:
    """Return the contents of the files that differ, and None for those that were removed."""
    old, new = ({file.path: file.id for file in blobs.files()} for blobs in (before, after))
    changed = [path for path in new if new[path] != old.get(path)]
    contents = zip(changed, after.read([new[path] for path in changed]), strict=True)
    return {path: data for path, data in contents if data is not None} | dict.fromkeys(old.keys() - new.keys())


def _open(base: WorkspaceOptions, environment: EnvironmentOptions, pythons: Path, changed: list[str]) -> Workspace:
    """Open a workspace in an environment of the base. Raises SweAgentError if none of the files that the gold patch
    changes can be imported there."""
    said: list[str] = []
    folders = [program.parents[1] for program in sorted(pythons.glob("*/bin/python3"))]
    known = {f"python{folder.name.rpartition('.')[0]}": str(folder) for folder in folders}
    environment = replace(environment, images=known, test=SMOKE_TEST)
    os.environ["PATH"] = f"{plan_for(base, environment).image}/bin{os.pathsep}{os.environ['PATH']}"
    base = replace(base, say=lambda line: said.append(str(line)), may_set_up=lambda *_: True)
    ready = add_environment(base, environment, "local")
    if ready.environment is None and find_host_plan(base, environment, "local"):
        raise SweAgentError(f"{NOT_RUNNABLE}: {said[-1] if said else ''}")
    workspace = open_workspace("local", ready)
    modules = [path.removesuffix(".py").removeprefix("src/").removeprefix("lib/") for path in changed if _is_code(path)]
    names = [module.removesuffix("/__init__").replace("/", ".") for module in modules]
    tried = workspace.run(" || ".join(f"python -c 'import {name}'" for name in names) or "true", 300)
    if not tried.code:
        return workspace
    workspace.close()
    raise SweAgentError(f"{NOT_RUNNABLE} in which a changed file can be imported: {tried.text.strip()[-300:]}")


def _is_code(path: str) -> bool:
    return path.endswith(".py") and not is_test(path) and path.removesuffix(".py").replace("/", "").isidentifier()


def _is_green(workspace: Workspace, tree: str, found: Reproduction) -> bool:
    """Return whether the test passes with the files of the gold patch."""
    with closing(workspace.fork(tree)) as fork:
        fork.write(found.path, found.text.encode())
        results = run_tests(fork, "", [found.path]).results
        return bool(results) and all(one.outcome == "passed" for one in results)


def summary(rows: list[dict[str, Any]]) -> str:
    """Return the rates over the issues that have code and whose repositories run here, and the table of reasons."""
    counts = Counter(row["outcome"] for row in rows)
    ran = [row for row in rows if row["outcome"] not in ("no code", "not run")]
    reasons = Counter(reason_of(row) for row in rows if row["outcome"] not in ("green", "red at gold"))
    table = [f"| {reason} | {count} |" for reason, count in reasons.most_common()]
    slowest = max((row["cpu"] for row in ran), default=0.0)
    rate = 100 * counts["green"] / max(len(ran), 1)
    total = (
        f"{len(rows)} issues, {len(rows) - counts['no code']} with code, {len(ran)} of them run here: {counts['green']}"
        f" ({rate:.0f} %) red at base and green at gold, {counts['red at gold']} red at gold; CPU s of a reproduction: "
        f"mean {sum(row['cpu'] for row in ran) / max(len(ran), 1):.1f}, at most {slowest:.1f}"
    )
    return "\n".join(["", "| why there is no test | issues |", "|---|---|", *table, "", total])


def reason_of(row: dict[str, Any]) -> str:
    """Return the reason of a row without the names and messages that differ between issues."""
    if row["outcome"] == "not run":
        return (
            "The repository cannot be read, its environment cannot be set up, or its changed modules cannot be "
            "imported there."
        )
    general = re.sub(r" with .*?, (but the issue does not)", r" with an exception, \1", row["why"])
    return re.sub(r":.*| in \S+ \(.*", "", general).rstrip(".") + "."


if __name__ == "__main__":
    main()
