"""The models of a run, each loaded when it is first used."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from threading import Lock

from agent.config.settings import Settings
from agent.conversation.model_roles import CODER, chosen_model
from agent.models.base import Model
from agent.run_state.rewind import rewinds
from trajectories.trajectory import Trajectory

MODEL_SETTINGS = ("models", "effort", "first_timeout", "model_timeout", "max_reply")
"""The settings that determine how a model is loaded."""


class RunModels:
    """The models of the roles and fallbacks that the settings name. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models: dict[str, Model] = {}
        self._earlier_secrets: tuple[str, ...] = ()
        self._lock = Lock()

    def of_role(self, role: str) -> Model:
        """Return the model of a role: its own if it has one, else the default model. Raises ConfigError."""
        named = self._settings.roles.get(role) if role != CODER else ""
        return self.named(named or self._settings.model)

    def cheapest_first(self, roles: Sequence[str]) -> list[str]:
        """Return the coder and the roles that have their own model, cheapest output tokens first.

        If several roles use the same model, only the first is included. Models without a known price come last.
        """
        models = {role: self.of_role(role) for role in roles if role == CODER or role in self._settings.roles}
        names: dict[str, str] = {}
        for role, model in models.items():
            names.setdefault(model.name, role)

        def cost(role: str) -> float:
            price = models[role].price
            return price.output if price else float("inf")

        return sorted(names.values(), key=cost)

    def named(self, name: str) -> Model:
        """Return a model by name. Raises ConfigError if it is unavailable or its cost cannot be limited."""
        with self._lock:
            if name not in self._models:
                self._models[name] = chosen_model(self._settings, name)
            return self._models[name]

    def loaded(self, name: str) -> Model | None:
        """Return a model by name if it has been loaded."""
        return self._models.get(name)

    def change_settings(self, settings: Settings) -> None:
        """Use these settings from now on. Models that they change are loaded again."""
        before, self._settings = self._settings, settings
        if any(getattr(before, name) != getattr(settings, name) for name in MODEL_SETTINGS):
            with self._lock:
                self._earlier_secrets = self.secrets
                self._models = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys of all models that were loaded."""
        # The earlier keys are read last, so that none is missed while `change_settings` moves them.
        keys = [key for model in tuple(self._models.values()) for key in model.secrets]
        return (*self._earlier_secrets, *keys)


def context_share(trajectory: Trajectory, models: RunModels) -> float | None:
    """Return the share of the context window that the main branch's last request used; None if unknown."""
    reply = trajectory.last_replies.get("main")
    model = models.loaded(reply.model) if reply else None
    since = takewhile(lambda step: step.reply is None, reversed(trajectory.steps["main"]))
    rewound = any(rewinds(step) is not None for step in since)
    if not reply or not reply.usage or not model or not model.window or rewound:
        return None
    return (reply.usage.input_tokens + reply.usage.output_tokens) / model.window
