"""The models of a strategy's roles, from `[roles]` in the user's config; by default the model in the settings.

A strategy lists the roles that it requires in `ROLES`, and the roles that it uses only if a model is configured for
them in `MAY_ASK`.

The models of a run are loaded when they are first used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import takewhile
from threading import Lock

from agent.config.settings import Settings, under_policy
from agent.models.base import Model, load_model
from agent.run_state.rewind import rewinds
from agent.run_state.strategy_traits import find_strategy, is_conversational, is_proposed, is_repair, may_delegate
from trajectories.errors import ConfigError
from trajectories.plugins import extension_module, find
from trajectories.trajectory import Trajectory

CODER = "coder"
EXAMINER = "examiner"
"""The role that writes tests before the repair, if the setting `independent` is on."""
CHALLENGER = "challenger"
"""The role that looks for the situation in which a patch of somebody else is wrong; by default the examiner's model."""
LOCATOR = "locator"
"""The role that ranks the likely places before a fix, if it has a model of its own."""
SENIOR = "senior"
"""The role of a stronger model, which the coder may ask, if it has a model of its own."""
LESSON_WRITER = "lesson_writer"
"""The role that writes a lesson after a run, if it has a model of its own and the experience bank is on."""


def needs_model(strategy: str) -> bool:
    """Return whether a strategy always needs a model. Raises UsageError for an unknown strategy."""
    return bool(find_strategy(strategy, "ROLES"))


def roles_of(strategy: str) -> tuple[str, ...]:
    """Return all roles that a strategy may use, the coder first."""
    needed: tuple[str, ...] = find("agent.strategies", strategy, "ROLES", "strategy")
    module = sys.modules[find("agent.strategies", strategy, "solve", "strategy").__module__]
    return tuple(dict.fromkeys((CODER, *needed, *getattr(module, "MAY_ASK", ()))))


def assign_roles(settings: Settings, strategy: str) -> dict[str, str]:
    """Return the model name of each role that has its own model, and of the coder, which uses the model in the
    settings."""
    writes = settings.experience and needs_model(strategy) and not is_conversational(strategy)
    judges = (EXAMINER, CHALLENGER) if settings.independent else ()
    seniors = (SENIOR,) if settings.delegate and may_delegate(strategy) else ()
    guides = (LOCATOR,) if needs_model(strategy) and is_repair(strategy) and not is_proposed(strategy) else ()
    roles = (*roles_of(strategy), *guides, *seniors, *((LESSON_WRITER,) if writes else ()), *judges)
    own = {role: settings.roles[role] for role in roles if role in settings.roles and role != CODER}
    return ({CODER: settings.model} if settings.model else {}) | own


def has_examiner_model(settings: Settings) -> bool:
    """Return whether the examiner can be asked: the role or the settings name a model."""
    return bool(settings.model or EXAMINER in settings.roles)


def check_examiner(settings: Settings) -> None:
    """Raise ConfigError if there is no model for the examiner, whom the user asks for, or UsageError if the examiner is
    not installed."""
    extension_module("agent.lifecycle.examiner", "`--independent`", "examiner")
    if not has_examiner_model(settings):
        raise ConfigError(
            "--independent needs a model, which writes tests from the issue.",
            "Name one with --model, or with `swe-agent config set roles.examiner MODEL`.",
        )


def with_locator(settings: Settings, model: str) -> Settings:
    """Return the settings with a model for the locator. Raises UsageError if it is not installed, or ConfigError if no
    model makes the fix."""
    extension_module("agent.lifecycle.locator", "`--locator`", "code_search")
    if not settings.model:
        raise ConfigError("--locator needs a model that makes the fix.", "Name one with --model.")
    return under_policy(settings.model_copy(update={"roles": settings.roles | {LOCATOR: model}}), settings)


def validate_models(settings: Settings, strategy: str) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings with full model names, and the API keys of these models.

    Raises ConfigError if a model is not configured, is unavailable, or has costs that cannot be limited.
    """
    if not settings.model and not needs_model(strategy):
        return settings, ()
    models = {
        role: check_models(settings, name) for role, name in ({CODER: ""} | assign_roles(settings, strategy)).items()
    }
    names = {role: model.name for role, model in models.items() if role != CODER}
    changed = {"model": models[CODER].name, "roles": settings.roles | names}
    return settings.model_copy(update=changed), tuple(key for model in models.values() for key in model.secrets)


def used_models(settings: Settings, strategy: str) -> list[Model]:
    """Return all models that a strategy may use, including fallbacks, without duplicates. Raises ConfigError."""
    found = (model for name in assign_roles(settings, strategy).values() for model in with_fallbacks(settings, name))
    return list({model.name: model for model in found}.values())


def check_models(settings: Settings, name: str = "") -> Model:
    """Return the named model, or the default model in the settings, after checking its chain of fallbacks. Raises
    ConfigError if one is unavailable."""
    return with_fallbacks(settings, name or settings.model)[0]


def with_fallbacks(settings: Settings, name: str) -> list[Model]:
    """Return the named model, followed by its chain of fallbacks. Raises ConfigError."""
    found = [chosen_model(settings, name)]
    while fallback := found[-1].fallback:
        model = chosen_model(settings, fallback)
        if model.name in {one.name for one in found}:
            break
        found.append(model)
    return found


def chosen_model(settings: Settings, name: str) -> Model:
    """Return the named model. Raises ConfigError if the name is empty or the model's cost cannot be limited.

    A model without a known price is limited by tokens if the user asks for that, or has a server of its own.
    """
    if not name:
        raise ConfigError(
            "The strategy needs a model, and none is configured.",
            "Name one with --model, or use --strategy templates, which needs none.",
        )
    from agent.models.provider import own_server

    model = load_model(name, settings)
    if model.price is None and settings.max_tokens is None and not own_server(model.name, settings):
        raise ConfigError(
            f"No price is known for {model.name}, so a budget in dollars cannot be enforced.",
            f"`swe-agent config set models.{model.name}.price_in DOLLARS` per million tokens, the same for price_out; "
            "or give --max-tokens.",
        )
    return model


MODEL_SETTINGS = ("models", "effort", "first_timeout", "model_timeout", "max_reply")
"""The settings that determine how a model is loaded."""


class RunModels:
    """The models of the roles and fallbacks that the settings name. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models: dict[str, Model] = {}
        self._earlier_secrets: tuple[str, ...] = ()
        self._lock = Lock()
        self.defaults: dict[str, str] = {}
        """The models of roles for which the settings name none, such as those of the user's own agents."""

    def of_role(self, role: str) -> Model:
        """Return the model of a role: its own if it has one, else the default model. Raises ConfigError."""
        named = (self._settings.roles.get(role) or self.defaults.get(role)) if role != CODER else ""
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
