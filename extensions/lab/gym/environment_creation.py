"""Creation of environments for instances: of one, of several in parallel, and of the model's tools. `swe_agent.gym` is
their public place; docs/gym.md describes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from extensions.lab.gym.environment import Environment
from extensions.lab.gym.vector_environment import VectorEnvironment
from trajectories.errors import advice_in_traceback
from trajectories.records import Issue

if TYPE_CHECKING:
    from extensions.lab.gym.tool_environment import ToolEnvironment

MODEL = "caller:policy"
"""The name of the caller in the records of a run."""


class MakeOptions(TypedDict, total=False):
    """The options of an environment. Except for the first three, they are flags of `swe-agent fix`; an option that is
    not given has its value from the environment, the user's configuration or the repository's."""

    base: str
    """The commit to start from; by default the row's, or else the newest commit."""
    out: str | os.PathLike[str]
    """A folder for the runs; by default they are among the user's own."""
    clones: str | os.PathLike[str]
    """A folder with clones of the rows' repositories, as `--repos` of `swe-agent batch`."""
    workspace: Literal["docker", "sandbox", "local"]
    image: str
    test: str
    max_steps: int
    max_time: float


@advice_in_traceback()
def make(
    instance: Mapping[str, Any] | Issue | str,
    repo: str | os.PathLike[str] | None = None,
    **options: Unpack[MakeOptions],
) -> Environment:
    """Return an environment for an instance: a row of a data set with SWE-bench's fields, or an issue. The first line
    of an issue's text is its title. `repo` is the folder of the repository, and replaces the row's `bundle` or `repo`.
    Relative paths, including those in a row, are relative to the current folder.

    The reward of an episode is 1 if the row's tests pass with the patch, and 0 otherwise. For an instance without
    tests, the reward is 1 if the proof of the patch is complete: it is plausible or verified.

    Raises SweAgentError for invalid input, and TypeError for an unknown option.
    """
    from dataclasses import replace

    from agent.config.settings import WITHOUT_MEMORY, load_settings
    from agent.inputs.issue_input import from_text
    from extensions.lab.batch.job_settings import JobPreparation
    from extensions.lab.gym.episode import plan_episodes
    from extensions.lab.instances.dataset_instances import from_row
    from extensions.lab.instances.jobs import Instance
    from extensions.lab.instances.repository_clones import Repositories

    if unknown := [name for name in options if name not in MakeOptions.__annotations__]:
        raise TypeError(f"make has no option {unknown[0]!r}; it has {', '.join(MakeOptions.__annotations__)}")
    gold = None
    if isinstance(instance, Mapping):
        row = dict(instance) | ({} if repo is None else {"repo": str(Path(repo).resolve()), "bundle": ""})
        found, solution = from_row(row)
        if solution.fail_to_pass or solution.test_patch:
            gold = solution
    else:
        issue = instance if isinstance(instance, Issue) else from_text(instance)
        found = Instance("issue", str(Path(repo or ".").resolve()), "", issue)
    found = replace(found, base=options.get("base") or found.base)
    state = load_settings().state
    flags = {name: options.get(name) for name in ("workspace", "image", "test", "max_steps", "max_time")}
    flags |= {"model": MODEL, "strategy": "react" if gold is None else "episode"}
    # The caller is the only model: it is asked for patches, not for an examiner's tests.
    flags |= {"independent": False, **WITHOUT_MEMORY}
    out = Path(options["out"]).resolve() if "out" in options else state
    prepare = JobPreparation(Repositories(Path(options.get("clones") or state / "clones")), flags, out)
    return Environment(plan_episodes(found, gold, prepare))


def make_vec(
    instances: Iterable[Mapping[str, Any] | Issue | str],
    repo: str | os.PathLike[str] | None = None,
    **options: Unpack[MakeOptions],
) -> VectorEnvironment:
    """Return a vector environment that steps one environment for each instance in parallel. The parameters are those of
    `make`. The same instance can occur several times, for a group of episodes."""
    return VectorEnvironment([make(instance, repo, **options) for instance in instances])


def make_tools(
    instance: Mapping[str, Any] | Issue | str,
    repo: str | os.PathLike[str] | None = None,
    **options: Unpack[MakeOptions],
) -> ToolEnvironment:
    """Return an environment whose methods are the model's tools, as `environment_factory` of TRL's trainers creates
    them; the parameters are those of `make`."""
    from extensions.lab.gym.tool_environment import tool_environment

    return tool_environment(make(instance, repo, **options))


def register() -> None:
    """Register `swe_agent/Issue-v0` with Gymnasium, which calls this through an entry point when it is imported."""
    from gymnasium.envs.registration import register as register_id

    # The repository's own commands decide whether an episode is deterministic.
    register_id("Issue-v0", entry_point="extensions.lab.gym.gymnasium_env:IssueEnv", nondeterministic=True)
