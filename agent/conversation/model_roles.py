"""The models of a strategy's roles, from `[roles]` in the user's config; by default the model in the settings.

A strategy lists the roles that it requires in `ROLES`, and the roles that it uses only if a model is configured for
them in `MAY_ASK`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agent.models.base import Model, load_model
from agent.run_state.strategy_traits import find_strategy, is_conversational
from trajectories.errors import ConfigError
from trajectories.plugins import extension_module, find

if TYPE_CHECKING:
    from agent.config.settings import Settings

CODER = "coder"
EXAMINER = "examiner"
"""The role that writes tests before the repair, if the setting `independent` is on."""
CHALLENGER = "challenger"
"""The role that looks for the situation in which a patch of somebody else is wrong; by default the examiner's model."""
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
    roles = (*roles_of(strategy), *((LESSON_WRITER,) if writes else ()), *judges)
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
