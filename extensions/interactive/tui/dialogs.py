"""The dialogs that are shown over the conversation. Each screen is imported when it is first opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import events

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.app import App

    from agent.permissions.approvals import Answer, Approval
    from extensions.interactive.session.model_choice import ModelOffer
    from extensions.interactive.session.session import Session
    from extensions.interactive.tui.approval_screen import ApprovalScreen
    from extensions.interactive.tui.choice_screen import ChoiceScreen, Option
    from extensions.interactive.tui.question_screen import QuestionScreen

MODELS = (
    "The choice is written to your config; keys are not. A server elsewhere: `/model http://HOST:PORT`. Any other "
    "model: `swe-agent config set model NAME`, then `/model`."
)
MODELS_LATER = "No model is chosen yet; /model offers some."
PRICE_LATER = "No price is known for {model}; `/model {model}` asks whether it costs anything."
PRICES = [
    ("it may, or I do not know", "limited by tokens, “price unknown”"),
    ("it costs nothing", "counts as $0, written to your config"),
]


class Dialogs:
    """Opens dialogs. At most one question is open, because a session asks one at a time, and a choice is closed before
    it. `leave_room` is called with 0 when a question is closed (see `SessionApp.leave_room`)."""

    def __init__(self, app: App[Any], leave_room: Callable[[int], None]) -> None:
        self._app, self._leave_room = app, leave_room
        self._asked: tuple[int, ApprovalScreen | QuestionScreen] | None = None
        self._choice: tuple[ChoiceScreen, str] | None = None
        """The open choice, and what is shown if it is put off."""

    def ask(self, session: Session, approval: Approval) -> None:
        from extensions.interactive.tui.approval_screen import ApprovalScreen
        from extensions.interactive.tui.question_screen import QuestionScreen
        from extensions.interactive.tui.widgets.prompt import Prompt

        def answered(answer: Answer | None) -> None:
            self._asked = None
            self._leave_room(0)
            if answer is not None:
                session.answer(approval.id, answer)

        self._close_choice()
        is_question = approval.kind == "question"
        was_typing = any(prompt.entry.text.strip() for prompt in self._app.screen_stack[0].query(Prompt))
        screen = QuestionScreen(approval) if is_question else ApprovalScreen(approval, was_typing=was_typing)
        self._asked = (approval.id, screen)
        self._app.push_screen(screen, answered)

    def answered(self, id: int) -> None:
        """Close the dialog of a question that was answered in another way: by esc, or by a rule."""
        if self._asked is not None and self._asked[0] == id:
            screen, self._asked = self._asked[1], None
            self._close(screen)

    @property
    def is_asking(self) -> bool:
        """Whether a question of the session is open."""
        return self._asked is not None

    def yield_to_prompt(self, event: events.Event) -> str:
        """Close a choice at the first text, which is never an answer, and at an Enter that comes too early for one. The
        app then sends the event to the prompt. Return how to open the choice again, or "" if none was closed."""
        is_text = isinstance(event, events.Paste) or (isinstance(event, events.Key) and event.is_printable)
        is_enter = isinstance(event, events.Key) and event.key == "enter"
        if self._choice is None or not (is_text or is_enter):
            return ""
        screen, later = self._choice
        if self._app.screen is not screen or not (is_text or screen.is_early()):
            return ""
        self._close_choice()
        return later

    def _choose(self, screen: ChoiceScreen, later: str, chosen: Callable[[int], None]) -> None:
        def closed(index: int | None) -> None:
            self._choice = None
            if index is not None:
                chosen(index)

        self._close_choice()
        self._choice = screen, later
        self._app.push_screen(screen, closed)

    def _close_choice(self) -> None:
        """Close the open choice; it is offered again at the next start, or with /model."""
        if self._choice is not None:
            self._close(self._choice[0])

    def _close(self, screen: ApprovalScreen | QuestionScreen | ChoiceScreen) -> None:
        if screen in self._app.screen_stack:
            screen.pop_until_active()  # close screens above it
            screen.dismiss(None)

    def diff(self, diff: str, title: str, path: str = "") -> None:
        from extensions.interactive.tui.diff_screen import DiffScreen

        self._app.push_screen(DiffScreen(diff, title, path))

    def help(self, session: Session | None) -> None:
        from extensions.interactive.session.commands import summaries
        from extensions.interactive.tui.help_screen import HelpScreen

        own = [(f"/{name}", command.summary) for name, command in session.custom_commands.items()] if session else []
        self._app.push_screen(HelpScreen([*summaries(), *own]))

    def runs(self, session: Session) -> None:
        from extensions.interactive.tui.runs_screen import RunsScreen

        def chosen(run: Path | None) -> None:
            if run is not None:
                session.say(f"/resume {run.name}")

        self._app.push_screen(RunsScreen(session.settings.runs, str(session.start.source.root)), chosen)

    def models(self, session: Session) -> None:
        from extensions.interactive.session.model_choice import accept_offer, find_offers
        from extensions.interactive.tui.choice_screen import ChoiceScreen

        offers: list[ModelOffer] = []

        def read() -> list[Option]:
            offers.extend(find_offers())
            return [
                *((offer.name, offer.where) for offer in offers),
                ("no model", "repair without one; /model asks again"),
            ]

        def chosen(index: int) -> None:
            accept_offer(session, offers[index] if index < len(offers) else None)

        self._choose(ChoiceScreen("Which model?", MODELS, read), MODELS_LATER, chosen)

    def price(self, session: Session, model: str, text: str) -> None:
        from extensions.interactive.session.model_choice import accept_price
        from extensions.interactive.tui.choice_screen import ChoiceScreen

        def chosen(index: int) -> None:
            accept_price(session, model, is_free=index == 1)

        screen = ChoiceScreen("Does this model cost anything?", text, lambda: PRICES)
        self._choose(screen, PRICE_LATER.format(model=model), chosen)
