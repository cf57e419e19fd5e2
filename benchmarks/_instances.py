"""Instances of SWE-bench as repositories of one commit on this machine, `fix` in them, and what their tests make of it.

The environment is the one that `evaluate --workspace local` makes; the swebench package says how.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aci.environments.environment import TreeFiles
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from agent.config.settings import Settings
from agent.evaluation.grading_files import files
from agent.evaluation.grading_specs import GradingSpec, grading_spec
from agent.evaluation.grading_venvs import venv
from agent.instances.dataset_instances import Gold, read_golds, read_instances
from agent.instances.jobs import Instance
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees

PERSON = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com")
CHECK_SECONDS = 600.0
NO_TEST = re.compile(r"\[ *\d+%\]")
"""What a data set took for a test's name where pytest told how far it was."""


@dataclass(frozen=True)
class Place:
    """An instance as a repository of one commit, with or without the files of its test patch."""

    gold: Gold
    instance: Instance
    way: GradingSpec
    folder: Path
    environment: dict[str, str]
    tested: bool

    def fix(self, *words: str, seconds: float, config: str = "") -> dict[str, Any]:
        """What `fix --json` tells, with these settings. Raises SubprocessError where it tells nothing."""
        words = *words, "--test", self.way.command, "--max-time", f"{seconds:g}"
        return fixed(self.folder, self.instance.issue.text, words, config, seconds + 300, self.environment)

    def reset(self) -> None:
        """Put the files back as they were committed."""
        run(self.folder, "git checkout -q -f HEAD && git clean -qfd")

    def judged(self, patch: str) -> tuple[list[str], list[str]]:
        """Which FAIL_TO_PASS and which PASS_TO_PASS tests do not pass with the patch, in the commit as it was."""
        if not patch:
            return list(self.gold.fail_to_pass), []
        self.reset()
        run(self.folder, "git apply --whitespace=nowarn -", patch)
        tests = files(self.gold.test_patch)
        if not self.tested:
            run(self.folder, f"git checkout -q HEAD -- {shlex.join(tests)} || true")
            run(self.folder, "git apply --whitespace=nowarn -", self.gold.test_patch)
        command = self.way.command if "-rA" in self.way.command else f"{self.way.command} -rA"
        done = subprocess.run(
            ["bash", "-c", "\n".join([*self.way.before, command])],
            cwd=self.folder,
            env={**os.environ, **self.environment, "PYTHONPATH": f"{self.folder}:{self.folder}/src"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CHECK_SECONDS,
            check=False,
        )
        failed, lost = (
            failing(names, done.stdout, tests) for names in (self.gold.fail_to_pass, self.gold.pass_to_pass)
        )
        return failed, lost


def chosen(data: Sequence[Path], ids: Sequence[str] = ()) -> list[tuple[Gold, Instance]]:
    """The instances of these ids, or all, that the files hold between them. Raises UsageError for one that they do not
    hold whole."""
    golds = read_golds(data)
    known = {instance.id: instance for instance in read_instances(data)}
    if strange := [id for id in ids or known if id not in known or id not in golds]:
        raise UsageError(f"{strange[0]} has no issue or no gold.", "Name instances that are in both files.")
    return [(golds[id], known[id]) for id in ids or known]


def built(gold: Gold, instance: Instance, repos: Path, folder: Path, tested: bool) -> Place:
    """Make the repository, in a folder that is not there yet, and its environment where it has none."""
    way = _way(gold, instance)
    git_dir = repos / instance.repo.replace("/", "+") / "repo"
    settings = Settings(workspace="local")
    folder.mkdir()
    with Trees(folder.with_suffix(".trees")) as trees:
        repository = Repository.open(git_dir)
        base = repository.base(trees, instance.base or None)
        place = WorkspaceOptions(
            repository, base, trees, **settings.limits, say=lambda line: print(line, file=sys.stderr)
        )
        setup = way.setup(TreeFiles(trees, base.tree)) if way.setup else ""
        lines = venv(way.python, setup, place) if setup else ()
    run(folder, f"git --git-dir={shlex.quote(str(git_dir))} archive {instance.base} | tar -x")
    run(folder, "git init -q")
    if tested:
        run(folder, "git apply --whitespace=nowarn -", gold.test_patch)
    for line in (*way.edits, *(line for line in lines if line.startswith("tar "))):
        run(folder, line)
    run(folder, "git add -A -f && git " + shlex.join([*PERSON, "commit", "-q", "-m", "The base"]))
    home = next((line.partition("=")[2] for line in lines if line.startswith("export VIRTUAL_ENV=")), "")
    environment = {"VIRTUAL_ENV": home, "PATH": f"{home}/bin:{os.environ['PATH']}"} if home else {}
    return Place(gold, instance, way, folder, environment, tested)


def fixed(
    folder: Path, issue: str, words: Sequence[str], config: str, patience: float, environment: Mapping[str, str]
) -> dict[str, Any]:
    """What `fix --json` tells in a repository, with these settings; what it leaves lies beside the folder. Raises
    SubprocessError where it tells nothing."""
    text, settings, state = (folder.with_suffix(suffix) for suffix in (".md", ".toml", ".state"))
    text.write_text(issue, "utf-8")
    settings.write_text(config, "utf-8")
    everything = {**os.environ, **environment, "XDG_STATE_HOME": str(state), "SWE_AGENT_CONFIG": str(settings)}
    paths = [str(Path(__file__).parents[1]), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    program = f"import sys; sys.path[:0] = {paths!r}; import swe_agent; swe_agent.main()"
    place = "--repo", str(folder), "--issue-file", str(text), "--workspace", "local", "--json"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "fix", *place, *words],
        env={name: value for name, value in everything.items() if name != "PYTHONPATH"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise subprocess.SubprocessError(f"fix told nothing: {done.stderr[-300:]}") from None
    return told


def run(folder: Path, line: str, given: str = "") -> None:
    """Raises SubprocessError where the line fails."""
    done = subprocess.run(["bash", "-c", line], cwd=folder, input=given, text=True, capture_output=True, check=False)
    if done.returncode:
        raise subprocess.SubprocessError(f"{line[:80]}: {done.stderr[-300:]}")


def _way(gold: Gold, instance: Instance) -> GradingSpec:
    """How the instance is tested, by pytest where its own runner is none that templates know."""
    way = grading_spec(gold, instance)
    if "pytest" in way.command or "unittest" in way.command:
        return way
    setup = way.setup
    tests = shlex.join(path for path in files(gold.test_patch) if path.endswith(".py"))
    return replace(
        way,
        command=f"python -m pytest -q {tests}",
        setup=(lambda known: f"{setup(known)}python -m pip install 'pytest<8'\n") if setup else None,
    )


def failing(names: Sequence[str], told: str, tested: Sequence[str]) -> list[str]:
    """Those tests that do not pass by what `pytest -rA` told: for a name without a file, a test of that name in one of
    the tested files passes, and none fails."""
    passed, failed = _outcomes(told, ("PASSED", "XFAIL")), _outcomes(told, ("FAILED", "ERROR"))

    def is_kept(name: str) -> bool:
        if "::" in name:
            return any(_same(name, one) for one in passed)
        good, bad = ([one for one in ids if one.partition("::")[0] in tested] for ids in (passed, failed))
        named, wrong = (any(_same(name, one.rpartition("::")[2]) for one in ids) for ids in (good, bad))
        return named and not wrong

    return [name for name in names if not NO_TEST.fullmatch(name) and not is_kept(name)]


def _outcomes(told: str, kinds: Collection[str]) -> list[str]:
    """The ids of tests that ended so, without what is said of them."""
    found = []
    for kind, _, rest in (line.partition(" ") for line in told.splitlines()):
        if kind in kinds:
            found.append(rest.strip() if kind == "PASSED" else rest.partition(" - ")[0].strip())
    return found


def _same(wanted: str, seen: str) -> bool:
    """Whether a name is the one that the data set means: those with blanks are cut there."""
    return seen == wanted or (wanted.count("[") != wanted.count("]") and seen.startswith(wanted))
