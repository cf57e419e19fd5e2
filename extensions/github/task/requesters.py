"""The rights of requesters and commenters, as GitHub's API reports them; claims in an event are not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from extensions.github.action_inputs import Rules
from extensions.github.api.github_client import translate_errors
from extensions.github.task.trigger_event import Trigger, TriggerSkipped

if TYPE_CHECKING:
    from github.Repository import Repository

    from trajectories.records import Trust

MOST = 30
"""Maximum number of people whose rights are looked up for a task; all others count as strangers."""


class Rights:
    """Accounts' write access to the repository, looked up once for each account."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[tuple[str, int | None], bool] = {}

    def may_write(self, login: str, number: int | None = None) -> bool:
        """Whether the account with this name, and with this id if one is given, has write access.

        Raises what `translate_errors` raises.
        """
        key = login.casefold(), number
        if key not in self._known:
            self._known[key] = self._ask(login, number)
        return self._known[key]

    def trust(self, login: str, claimed: Trust) -> Trust:
        """Return a user's trust level: a claimed role counts only if the user has write access."""
        is_known = (login.casefold(), None) in self._known
        if claimed == "stranger" or (len(self._known) >= MOST and not is_known):
            return "stranger"
        return "member" if self.may_write(login) else "stranger"

    def _ask(self, login: str, number: int | None) -> bool:
        from github import UnknownObjectException

        url = f"{self._repository.url}/collaborators/{quote(login, safe='')}/permission"
        with translate_errors(f"read what {login} may do here", "metadata: read"):
            try:
                _, found = self._repository.requester.requestJsonAndCheck("GET", url)
            except UnknownObjectException:
                return False
        user = found.get("user") or {}
        same = number is None or user.get("id") == number
        return same and found.get("permission") in ("admin", "write")


def check_requester(trigger: Trigger, rules: Rules, rights: Rights) -> bool:
    """Admit a requester and return whether they may get an answer, which only people with write access may.

    An allowed bot's rights are not looked up, because GitHub's collaborator API does not cover Apps. Raises
    TriggerSkipped for everyone who is not admitted.
    """
    login = trigger.actor
    if login.casefold() == rules.bot.casefold():
        raise TriggerSkipped("The Action does not answer itself.")
    if trigger.is_bot:
        if login.casefold() not in rules.bots:
            raise TriggerSkipped(f"{login} is a bot that allowed-bots does not list.")
        return False
    if trigger.kind == "opened":
        if rules.on_opened == "nobody":
            raise TriggerSkipped("New issues are not worked on without a request.")
        if rules.on_opened == "everyone":
            return rights.may_write(login, trigger.actor_id)
    if trigger.is_answer:
        if rules.ask == "nobody":
            raise TriggerSkipped("The model asks no questions here.")
        if rules.ask == "author" and trigger.by_author:
            return rights.may_write(login, trigger.actor_id)
    if not rights.may_write(login, trigger.actor_id):
        raise TriggerSkipped(f"{login} has no write access to this repository.")
    return True
