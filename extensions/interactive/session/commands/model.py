"""Choose the model for the next turns, with a reason for the record, or list the configured models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.config.settings import under_policy
from agent.conversation.model_roles import check_models
from extensions.interactive.session.model_choice import NO_MODEL, choose_served_model, request_price
from extensions.interactive.session.session_events import FrontEndRequested, StatusChanged
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.models.base import Model
    from extensions.interactive.session.session import Session

USAGE = "[NAME [REASON] | ADDRESS [NAME]]"
ONLY_FOR_LATER = "with words"
GROUP = "how"
ADVICE = "`swe-agent config set models.NAME.price_in DOLLARS` and similar commands describe others."


def run(session: Session, words: str) -> None:
    configured = _reload(session)
    if not words:
        if names := list(dict.fromkeys(filter(None, [*_names(session), configured]))):
            session.show(_listed(session, names), title="Models")
        else:
            session.hear(FrontEndRequested("models", NO_MODEL))
        return
    if words.startswith(("http://", "https://")):
        address, _, name = words.partition(" ")
        choose_served_model(session, address, name.strip())
        return
    name, _, reason = words.partition(" ")
    settings = under_policy(session.settings.model_copy(update={"model": name}))
    if settings.model != name:
        raise UsageError(
            f"The administrator's policy sets the model to {settings.model}.", "Only the administrator can change it."
        )
    chosen = check_models(settings)
    session.settings, session.model_reason = settings, reason.strip()
    session.hear(StatusChanged())
    more = ""
    if (engine := session.engine) and engine.trajectory.exit is None:
        more = f" Words start one now; Enter alone resumes this turn with {engine.settings.model}."
    session.show(f"The next turns use {chosen.name} ({_price(chosen)}).{more}")
    if question := request_price(settings, chosen):
        session.hear(question)


def _reload(session: Session) -> str:
    """Read models and the token limit from the configuration again, since the user may have changed them meanwhile.
    Return the configured model."""
    if session.start.reload is None:
        return ""
    today = session.start.reload()
    read = {"models": today.models, "roles": today.roles, "model": session.settings.model or today.model}
    if "max_tokens" in today.model_fields_set and session.settings.max_tokens == session.start.settings.max_tokens:
        read["max_tokens"] = today.max_tokens
    if any(getattr(session.settings, name) != value for name, value in read.items()):
        session.settings = session.settings.model_copy(update=read)
    return today.model


def completions(session: Session, words: str) -> list[str]:
    return _names(session)


def _names(session: Session) -> list[str]:
    settings = session.settings
    return list(dict.fromkeys(filter(None, [settings.model, session.start.settings.model, *settings.models])))


def _listed(session: Session, names: Sequence[str]) -> str:
    lines = [f"{'>' if name == session.settings.model else ' '} {name} ({_state(session, name)})" for name in names]
    return "\n".join([*lines, f"/model NAME accepts any model that litellm knows. {ADVICE}"])


def _state(session: Session, name: str) -> str:
    try:
        model = check_models(session.settings, name)
    except SweAgentError as error:
        return error.message
    return _price(model)


def _price(model: Model) -> str:
    price = model.price
    return f"${price.input:g} in, ${price.output:g} out per million tokens" if price else "price unknown"
