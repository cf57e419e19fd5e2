"""Protocols for a session as its parts see it, each with only the members that the part uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from threading import Event as Flag

    from agent.config.settings import Settings
    from agent.engine.engine import Engine
    from agent.permissions.approvals import Answer, Approval
    from extensions.interactive.session.session_events import Event, MessageKind
    from extensions.interactive.session.session_status import State


class DeliverySession(Protocol):
    """A session for applying and committing its changes."""

    @property
    def engine(self) -> Engine | None: ...

    @property
    def settings(self) -> Settings: ...

    def show(self, text: str, kind: MessageKind = "text") -> None: ...

    def ask(self, approval: Approval) -> Answer: ...


class CommitSession(DeliverySession, Protocol):
    """A session for committing its changes, with a message by the model."""

    @property
    def settings(self) -> Settings: ...

    @property
    def stopped(self) -> Flag: ...

    def write_commit_message(self, material: str) -> str: ...


class ModelSession(Protocol):
    """A session for choosing its model."""

    @property
    def settings(self) -> Settings: ...

    def say(self, words: str) -> None: ...

    def show(self, text: str, kind: MessageKind = "text") -> None: ...


class QuestionSession(Protocol):
    """A session for asking its user."""

    state: State

    @property
    def engine(self) -> Engine | None: ...

    @property
    def stopped(self) -> Flag: ...

    def hear(self, event: Event) -> None: ...


class StatusSession(Protocol):
    """A session for computing its status."""

    @property
    def engine(self) -> Engine | None: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def state(self) -> State: ...

    @property
    def mode(self) -> str: ...

    @property
    def next_strategy(self) -> str: ...

    @property
    def queued(self) -> tuple[str, ...]: ...

    @property
    def kept_back(self) -> tuple[str, ...]: ...


class TurnSession(Protocol):
    """A session for running its turns."""

    engine: Engine | None
    settings: Settings
    mode: str
    strategy: str
    can_ask: bool
    can_choose: bool
    model_reason: str

    @property
    def next_strategy(self) -> str: ...

    @property
    def stopped(self) -> Flag: ...

    def hear(self, event: Event) -> None: ...

    def show(self, text: str, kind: MessageKind = "text") -> None: ...

    def is_allowed(self, approval: Approval) -> bool: ...

    def ask(self, approval: Approval) -> Answer: ...
