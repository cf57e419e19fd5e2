"""Several environments that are stepped in parallel, with the semantics of Gymnasium's vector environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from extensions.lab.gym.environment import Action, Environment, Info, Observation, StepResult
from trajectories.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rewards = NDArray[np.float64]
    Flags = NDArray[np.bool_]

RESET_MASK = "reset_mask"
"""The option of `reset` that selects environments, as in Gymnasium."""


class VectorEnvironment:
    """Environments whose episodes run at the same time, each in its own thread and workspace.

    Nothing is reset automatically, since an episode costs a workspace: an environment whose episode has ended takes no
    action until `reset` is called, for all or with the option `reset_mask`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "autoreset_mode": "Disabled"}

    def __init__(self, environments: Sequence[Environment]) -> None:
        if not environments:
            raise UsageError("There is no instance.", "Give at least one.")
        self.envs = tuple(environments)
        self.num_envs = len(environments)
        self._over = [True] * self.num_envs

    def reset(
        self, *, seed: object = None, options: Mapping[str, Any] | None = None
    ) -> tuple[tuple[Observation, ...], Info]:
        """Start an episode in each environment, or in those that `options["reset_mask"]` selects; the observations of
        the others are empty."""
        left = dict(options or {})
        mask = [bool(each) for each in left.pop(RESET_MASK, [True] * self.num_envs)]
        self._check_length(mask, "reset mask")
        chosen = [number for number in range(self.num_envs) if mask[number]]
        observations: list[Observation] = [[] for _ in self.envs]
        infos: dict[int, Info] = {}
        try:
            for number in chosen:
                self.envs[number].start_reset(left)
            for number in chosen:
                observations[number], infos[number] = self.envs[number].finish_reset()
                self._over[number] = False
        except BaseException:
            self.close()
            raise
        return tuple(observations), self._merge(infos)

    def step(self, actions: Sequence[Action | None]) -> tuple[tuple[Observation, ...], Rewards, Flags, Flags, Info]:
        """Take a step in each environment whose episode is running; the actions of the others are ignored, and their
        observations are empty, with both flags false and the reward 0."""
        import numpy as np

        self._check_length(actions, "list of actions")
        running = [number for number in range(self.num_envs) if not self._over[number]]
        if not running:
            raise UsageError("No episode is running.", "Call reset() first.")
        results: list[StepResult] = [([], 0.0, False, False, {})] * self.num_envs
        try:
            for number in running:
                self.envs[number].send(actions[number])  # type: ignore[arg-type]  # it checks its value
            for number in running:
                results[number] = self.envs[number].receive()
        except BaseException:
            self.close()
            raise
        observations, rewards, terminated, truncated, infos = zip(*results, strict=True)
        for number in running:
            self._over[number] = terminated[number] or truncated[number]
        merged = self._merge({number: infos[number] for number in running})
        return observations, np.array(rewards), np.array(terminated), np.array(truncated), merged

    def close(self) -> None:
        """Stop all episodes and remove their workspaces."""
        self._over = [True] * self.num_envs
        for environment in self.envs:
            environment.close()

    def _check_length(self, values: Sequence[object], name: str) -> None:
        if len(values) != self.num_envs:
            raise UsageError(f"The {name} has {len(values)} items for {self.num_envs} environments.", "Give one each.")

    def _merge(self, infos: Mapping[int, Info]) -> Info:
        """Return the infos in Gymnasium's form: an array for each key, and a mask of the environments that have it."""
        import numpy as np

        merged: Info = {}
        for number, info in infos.items():
            for key, value in info.items():
                values = merged.setdefault(key, np.full(self.num_envs, None, dtype=object))
                values[number] = value
                merged.setdefault(f"_{key}", np.zeros(self.num_envs, dtype=np.bool_))[number] = True
        return merged

    def __enter__(self) -> VectorEnvironment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
