"""Who may ask, and whose words are a member's: what GitHub says of their rights, not what an event says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from agent.github.client import asking
from agent.github.rules import Rules
from agent.github.trigger import Skipped, Trigger

if TYPE_CHECKING:
    from github.Repository import Repository

    from trajectories.records import Trust

MOST = 30
"""People whose rights are looked up for one errand; all others are strangers."""


class Rights:
    """Who may write to the repository, each asked for once."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[tuple[str, int | None], bool] = {}

    def may_write(self, login: str, number: int | None = None) -> bool:
        """Whether the account of that name, and number where it is known, may. Raises as `asking` does."""
        key = login.casefold(), number
        if key not in self._known:
            self._known[key] = self._ask(login, number)
        return self._known[key]

    def trust(self, login: str, claimed: Trust) -> Trust:
        """What is claimed of somebody's role holds only for who may write."""
        is_known = (login.casefold(), None) in self._known
        if claimed == "stranger" or (len(self._known) >= MOST and not is_known):
            return "stranger"
        return "member" if self.may_write(login) else "stranger"

    def _ask(self, login: str, number: int | None) -> bool:
        from github import UnknownObjectException

        url = f"{self._repository.url}/collaborators/{quote(login, safe='')}/permission"
        with asking(f"read what {login} may do here", "metadata: read"):
            try:
                _, found = self._repository.requester.requestJsonAndCheck("GET", url)
            except UnknownObjectException:
                return False
        user = found.get("user") or {}
        same = number is None or user.get("id") == number
        return same and found.get("permission") in ("admin", "write")


def admit(trigger: Trigger, rules: Rules, rights: Rights) -> bool:
    """Let who asked through, and tell whether they may be answered: people who may write, no bots and no strangers.

    Of a listed bot nothing is asked: what an App may do, GitHub tells at no address of its collaborators'.
    Raises Skipped for all others.
    """
    login = trigger.actor
    if login.casefold() == rules.bot.casefold():
        raise Skipped("The Action does not answer itself.")
    if trigger.is_bot:
        if login.casefold() not in rules.bots:
            raise Skipped(f"{login} is a bot that may not ask.")
        return False
    if trigger.kind == "opened":
        if rules.on_opened == "nobody":
            raise Skipped("New issues are not worked on unasked.")
        if rules.on_opened == "everyone":
            return rights.may_write(login, trigger.actor_id)
    if not rights.may_write(login, trigger.actor_id):
        raise Skipped(f"{login} may not write to this repository.")
    return True
