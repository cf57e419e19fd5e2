"""Which model has which role of a strategy: `[roles]` of the user's config, and for all others the settings' model.

A strategy names the roles that it cannot do without in `ROLES`, those that it fills only where a model is there in
`MAY_ASK`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.models.base import Model, load_model
from trajectories.errors import ConfigError
from trajectories.plugins import find

if TYPE_CHECKING:
    from agent.settings import Settings
    from agent.task import Task

CODER = "coder"


def needs_model(strategy: str) -> bool:
    """Whether a strategy asks a model whatever happens. Raises UsageError for one that is not there."""
    return bool(find("agent.strategies", strategy, "ROLES", "strategy"))


def roles_of(strategy: str) -> tuple[str, ...]:
    """All that it may ask, the coder first."""
    needed: tuple[str, ...] = find("agent.strategies", strategy, "ROLES", "strategy")
    module = sys.modules[find("agent.strategies", strategy, "solve", "strategy").__module__]
    return tuple(dict.fromkeys((CODER, *needed, *getattr(module, "MAY_ASK", ()))))


def cast(settings: Settings, strategy: str) -> dict[str, str]:
    """The models of a strategy's roles by name: the coder's, which is always the settings' model, and those of roles
    with a model of their own."""
    own = {role: settings.roles[role] for role in roles_of(strategy) if role in settings.roles and role != CODER}
    return ({CODER: settings.model} if settings.model else {}) | own


def checked(settings: Settings, strategy: str) -> tuple[Settings, tuple[str, ...]]:
    """The settings with its models by their own names, and the keys of those. Raises ConfigError for one that is not
    configured, cannot be had, or whose budget cannot be kept."""
    if not settings.model and not needs_model(strategy):
        return settings, ()
    models = {role: check_models(settings, name) for role, name in ({CODER: ""} | cast(settings, strategy)).items()}
    names = {role: model.name for role, model in models.items() if role != CODER}
    changed = {"model": models[CODER].name, "roles": settings.roles | names}
    return settings.model_copy(update=changed), tuple(key for model in models.values() for key in model.secrets)


def in_use(settings: Settings, strategy: str) -> list[Model]:
    """All models that a strategy may ask, fallbacks included, each once. Raises ConfigError."""
    found = (model for name in cast(settings, strategy).values() for model in with_fallbacks(settings, name))
    return list({model.name: model for model in found}.values())


def cheapest_first(task: Task, roles: Sequence[str]) -> list[str]:
    """Those of the roles that have a model of their own, and the coder, by what a token of their output costs; of the
    same model only the first. What nobody knows the price of comes last."""
    models = {role: task.engine.model(role) for role in roles if role == CODER or role in task.settings.roles}
    names: dict[str, str] = {}
    for role, model in models.items():
        names.setdefault(model.name, role)

    def cost(role: str) -> float:
        price = models[role].price
        return price.output if price else float("inf")

    return sorted(names.values(), key=cost)


def check_models(settings: Settings, name: str = "") -> Model:
    """The model of that name, or the settings' own, after a look at its fallbacks, and theirs. Raises ConfigError for
    any that cannot be had."""
    return with_fallbacks(settings, name or settings.model)[0]


def with_fallbacks(settings: Settings, name: str) -> list[Model]:
    """The model of that name, and those that are asked when the one before fails. Raises ConfigError."""
    found = [chosen_model(settings, name)]
    while fallback := found[-1].fallback:
        model = chosen_model(settings, fallback)
        if model.name in {one.name for one in found}:
            break
        found.append(model)
    return found


def chosen_model(settings: Settings, name: str) -> Model:
    """The model of that name. Raises ConfigError for none, and for one whose budget cannot be kept."""
    if not name:
        raise ConfigError(
            "The strategy needs a model, and none is configured.",
            "Name one with --model, or use --strategy templates, which needs none.",
        )
    model = load_model(name, settings)
    if model.price is None and settings.max_tokens is None:
        raise ConfigError(
            f"Nobody knows the price of {model.name}, so a budget in dollars cannot be kept.",
            f"`swe-agent config set models.{model.name}.price_in DOLLARS` per million tokens, the same for price_out; "
            "or give --max-tokens.",
        )
    return model
