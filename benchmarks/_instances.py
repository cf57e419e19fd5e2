"""SWE-bench instances as local repositories with one commit: creating them, running `fix` there and grading patches.

The environment is set up as by `evaluate --workspace local`, from the specifications in the swebench package.
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

from aci.environments.tree_files import TreeFiles
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from agent.config.settings import Settings
from benchmarks._planting import PERSON
from extensions.lab.evaluation.grading_files import files
from extensions.lab.evaluation.grading_specs import GradingSpec, grading_spec
from extensions.lab.evaluation.grading_venvs import venv
from extensions.lab.instances.dataset_instances import Gold, read_golds, read_instances
from extensions.lab.instances.jobs import Instance
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees

CHECK_SECONDS = 600.0
NO_TEST = re.compile(r"\[ *\d+%\]")
"""A progress mark of pytest that the data set lists as a test name."""


@dataclass(frozen=True)
class Place:
    """An instance as a repository with one commit.

    `tested` says whether the commit contains the test patch.
    """

    gold: Gold
    instance: Instance
    spec: GradingSpec
    folder: Path
    environment: dict[str, str]
    tested: bool

    def fix(self, *flags: str, seconds: float, config: str = "") -> dict[str, Any]:
        """Return the output of `fix --json` with these settings. Raises SubprocessError if there is none."""
        flags = *flags, "--test", self.spec.command, "--max-time", f"{seconds:g}"
        return fixed(self.folder, self.instance.issue.text, flags, config, seconds + 300, self.environment)

    def reset(self) -> None:
        """Restore the committed files."""
        run(self.folder, "git checkout -q -f HEAD && git clean -qfd")

    def failing_tests(self, patch: str) -> tuple[list[str], list[str]]:
        """Return the FAIL_TO_PASS and the PASS_TO_PASS tests that do not pass with the patch applied to the commit."""
        if not patch:
            return list(self.gold.fail_to_pass), []
        self.reset()
        run(self.folder, "git apply --whitespace=nowarn -", patch)
        tests = files(self.gold.test_patch)
        if not self.tested:
            run(self.folder, f"git checkout -q HEAD -- {shlex.join(tests)} || true")
            run(self.folder, "git apply --whitespace=nowarn -", self.gold.test_patch)
        command = self.spec.command if "-rA" in self.spec.command else f"{self.spec.command} -rA"
        done = subprocess.run(
            ["bash", "-c", "\n".join([*self.spec.before, command])],
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
    """Return the instances with these ids, or all, from the files.

    Raises UsageError for an instance whose issue or gold patch is in none of the files.
    """
    golds = read_golds(data)
    known = {instance.id: instance for instance in read_instances(data)}
    if incomplete := [id for id in ids or known if id not in known or id not in golds]:
        raise UsageError(f"{incomplete[0]} has no issue or no gold patch.", "Name instances that are in both files.")
    return [(golds[id], known[id]) for id in ids or known]


def built(gold: Gold, instance: Instance, repos: Path, folder: Path, tested: bool) -> Place:
    """Create the repository in `folder`, which must not exist, and its environment if there is none."""
    spec = _spec(gold, instance)
    git_dir = repos / instance.repo.replace("/", "+") / "repo"
    settings = Settings(workspace="local")
    folder.mkdir()
    with Trees(folder.with_suffix(".trees")) as trees:
        repository = Repository.open(git_dir)
        base = repository.base(trees, instance.base or None)
        options = WorkspaceOptions(
            repository, base, trees, **settings.limits, say=lambda line: print(line, file=sys.stderr)
        )
        setup = spec.setup(TreeFiles(trees, base.tree)) if spec.setup else ""
        lines = venv(spec.python, setup, options) if setup else ()
    run(folder, f"git --git-dir={shlex.quote(str(git_dir))} archive {instance.base} | tar -x")
    run(folder, "git init -q")
    if tested:
        run(folder, "git apply --whitespace=nowarn -", gold.test_patch)
    for line in (*spec.edits, *(line for line in lines if line.startswith("tar "))):
        run(folder, line)
    run(folder, "git add -A -f && git " + shlex.join([*PERSON, "commit", "-q", "-m", "Base"]))
    home = next((line.partition("=")[2] for line in lines if line.startswith("export VIRTUAL_ENV=")), "")
    environment = {"VIRTUAL_ENV": home, "PATH": f"{home}/bin:{os.environ['PATH']}"} if home else {}
    return Place(gold, instance, spec, folder, environment, tested)


def fixed(
    folder: Path, issue: str, words: Sequence[str], config: str, timeout: float, environment: Mapping[str, str]
) -> dict[str, Any]:
    """Return the output of `fix --json` in a repository with these settings; its state is written next to the folder.

    Raises SubprocessError if there is no output.
    """
    text, settings, state = (folder.with_suffix(suffix) for suffix in (".md", ".toml", ".state"))
    text.write_text(issue, "utf-8")
    settings.write_text(config, "utf-8")
    variables = {**os.environ, **environment, "XDG_STATE_HOME": str(state), "SWE_AGENT_CONFIG": str(settings)}
    paths = [str(Path(__file__).parents[1]), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    program = f"import sys; sys.path[:0] = {paths!r}; import swe_agent; swe_agent.main()"
    flags = "--repo", str(folder), "--issue-file", str(text), "--workspace", "local", "--json"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "fix", *flags, *words],
        env={name: value for name, value in variables.items() if name != "PYTHONPATH"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise subprocess.SubprocessError(f"fix printed no JSON: {done.stderr[-300:]}") from None
    return result


def run(folder: Path, line: str, stdin: str = "") -> None:
    """Run a line of bash in the folder. Raises SubprocessError if it fails."""
    done = subprocess.run(["bash", "-c", line], cwd=folder, input=stdin, text=True, capture_output=True, check=False)
    if done.returncode:
        raise subprocess.SubprocessError(f"{line[:80]}: {done.stderr[-300:]}")


def _spec(gold: Gold, instance: Instance) -> GradingSpec:
    """Return how the instance is tested: with pytest if the strategy `templates` does not support its own runner."""
    spec = grading_spec(gold, instance)
    if "pytest" in spec.command or "unittest" in spec.command:
        return spec
    setup = spec.setup
    tests = shlex.join(path for path in files(gold.test_patch) if path.endswith(".py"))
    return replace(
        spec,
        command=f"python -m pytest -q {tests}",
        setup=(lambda known: f"{setup(known)}python -m pip install 'pytest<8'\n") if setup else None,
    )


def failing(names: Sequence[str], output: str, tested: Sequence[str]) -> list[str]:
    """Return the named tests that do not pass according to the output of `pytest -rA`.

    A name without a file passes if a test with that name passes in one of the `tested` files and none fails.
    """
    passed, failed = _outcomes(output, ("PASSED", "XFAIL")), _outcomes(output, ("FAILED", "ERROR"))

    def passes(name: str) -> bool:
        if "::" in name:
            return any(_same(name, one) for one in passed)
        good, bad = ([one for one in ids if one.partition("::")[0] in tested] for ids in (passed, failed))
        named, wrong = (any(_same(name, one.rpartition("::")[2]) for one in ids) for ids in (good, bad))
        return named and not wrong

    return [name for name in names if not NO_TEST.fullmatch(name) and not passes(name)]


def _outcomes(output: str, kinds: Collection[str]) -> list[str]:
    """Return the ids of tests with one of these outcomes, without their messages."""
    found = []
    for kind, _, rest in (line.partition(" ") for line in output.splitlines()):
        if kind in kinds:
            found.append(rest.strip() if kind == "PASSED" else rest.partition(" - ")[0].strip())
    return found


def _same(wanted: str, name: str) -> bool:
    """Return whether a test has the name in the data set, which cuts names at the first blank."""
    return name == wanted or (wanted.count("[") != wanted.count("]") and name.startswith(wanted))
