"""Single questions to a model, recorded and within one budget: a recorded answer is not asked for again."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from aci.observation.secret_masking import mask_secrets
from agent.config.settings import Settings
from agent.conversation.messages import ModelRequest
from agent.conversation.model_requests import RequestSpec, send, settle_recorded_replies
from agent.conversation.model_roles import CODER, RunModels
from agent.engine.engine import known_secrets, secrets_of_services
from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from agent.limits.run_budget import Ledger, RunClock
from trajectories.journal import Journal
from trajectories.records import Reply


class ModelQuestions:
    """Asks the model of the settings. The requests of all calls with the same `directory` share its journal and the
    budget. Thread-safe.

    Raises ConfigError if the model cannot be used, and TryLater if another process asks with the same journal.
    """

    def __init__(
        self, settings: Settings, directory: Path, cancel: CancellationToken, say: Callable[[str], object]
    ) -> None:
        self.settings, self._cancel, self._say = settings, cancel, say
        self.models = RunModels(settings)
        self._model = self.models.of_role(CODER)
        self.limiter = Limiter(settings.retry_wait)
        self.clock = RunClock(cancel, 0.0, None, lambda seconds: None)
        self._known_secrets = (*known_secrets(os.environ), *secrets_of_services(settings))
        self.journal = Journal(directory)
        self.ledger = Ledger(settings.budget, settings.max_tokens)
        self.ledger.replay(self.journal.trajectory.holds.values(), self.journal.trajectory.settles)
        settle_recorded_replies(self)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self._known_secrets, *self.models.secrets)

    def report(self, kind: str, branch: str, text: str) -> None:
        """Show what the requests say about retries and fallbacks, not the answers."""
        if kind == "say":
            self._say(text)

    def ask(self, question: str, system: str, text: str) -> str:
        """Return the text of `reply`."""
        return self.reply(question, system, text).text

    def reply(self, question: str, system: str, text: str) -> Reply:
        """Return the recorded reply to the question of this name with the same prompts, or ask for it. Secrets are
        masked in the prompts.

        Raises ModelError, BudgetStop if the budget is used up, and Cancelled.
        """
        system, text = mask_secrets(system, self.secrets), mask_secrets(text, self.secrets)
        branch = branch_of(question, system, text)
        recorded = self.journal.trajectory.replies.get((branch, 1))
        if recorded is None:
            request = ModelRequest([{"role": "system", "content": system}, {"role": "user", "content": text}])
            recorded = send(self, self._model, RequestSpec(branch, 1, lambda model: request, (), self._cancel))
        return recorded

    def close(self) -> None:
        self.journal.close()


def branch_of(question: str, system: str, text: str) -> str:
    """Return the name in the journal, which depends on the prompts too: an answer to other code is not used."""
    prompts = f"{system}\0{text}".encode("utf-8", "replace")
    return f"{question} {sha256(prompts).hexdigest()[:8]}"
