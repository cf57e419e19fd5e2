"""Choose the model for the next turns, or list the configured models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.config.settings import under_policy
from agent.conversation.model_roles import check_models
from agent.session.session_events import StatusChanged
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from agent.session.session import Session

USAGE = "[NAME]"
GROUP = "how"
ADVICE = "`swe-agent config set models.NAME.price_in DOLLARS` and similar commands describe others."


def run(session: Session, words: str) -> None:
    if not words:
        session.show(_listed(session), title="Models")
        return
    settings = under_policy(session.settings.model_copy(update={"model": words}))
    if settings.model != words:
        raise UsageError(
            f"The administrator's policy sets the model to {settings.model}.", "Only the administrator can change it."
        )
    chosen = check_models(settings)
    session.settings = settings
    session.hear(StatusChanged())
    session.show(f"The next turns use {chosen.name}.")


def completions(session: Session, words: str) -> list[str]:
    return _names(session)


def _names(session: Session) -> list[str]:
    settings = session.settings
    return list(dict.fromkeys(filter(None, [settings.model, session.start.settings.model, *settings.models])))


def _listed(session: Session) -> str:
    names = _names(session)
    lines = [f"{'>' if name == session.settings.model else ' '} {name} ({_state(session, name)})" for name in names]
    return "\n".join(
        [*(lines or ["No model is configured."]), f"/model NAME accepts any model that litellm knows. {ADVICE}"]
    )


def _state(session: Session, name: str) -> str:
    try:
        model = check_models(session.settings, name)
    except SweAgentError as error:
        return error.message
    price = model.price
    return f"${price.input:g} in, ${price.output:g} out per million tokens" if price else "price unknown"
