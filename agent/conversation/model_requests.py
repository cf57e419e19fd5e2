"""Requests to models: reserve, send, settle and record. Retries, shorter requests and fallback models share one
budget.

A request consists of the messages of a branch, its model, and the user's unread messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol

from aci.observation.secret_masking import MASKED, change_texts, replace_secrets
from agent.conversation.messages import BranchConversation, ConversationSettings, ModelRequest, Reader, images_by_step
from agent.conversation.model_roles import CODER
from agent.limits.run_budget import UNKNOWN, Price
from agent.models.base import Model, PermissionDenied, RequestOptions
from trajectories.errors import Cancelled, ModelError
from trajectories.journal import decode, encode
from trajectories.records import Action, Note, Reply, Step

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from agent.config.settings import Settings
    from agent.conversation.model_roles import RunModels
    from agent.limits.cancellation import CancellationToken
    from agent.limits.rate_limiter import Limiter
    from agent.limits.run_budget import Ledger, RunClock
    from trajectories.journal import Journal
    from trajectories.trajectory import Trajectory

ATTEMPTS = 5
LONGEST_WAIT = 60.0
"""Maximum wait in seconds. If a provider asks for a longer wait, this is reported to the user instead of blocking the
process."""
LEAST_PAUSE = 1.0
"""The number of seconds that each pause counts at least, so that a series of zero-length pauses ends."""
TICK = 0.1
MOST_TEXT = 256_000
MOST_ARGUMENTS = 1_000_000
SHORTENINGS = 3
SHORTER = 0.7
"""The fraction of a conversation's characters to keep after a provider rejected it as too long."""


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """Request number `number` of `branch`. `said(model)` returns the conversation for that model."""

    branch: str
    number: int
    said: Callable[[Model], ModelRequest]
    tools: Sequence[dict[str, Any]]
    cancel: CancellationToken
    temperature: float | None = None


class RequestResources(Protocol):
    """The parts of a run that its requests use."""

    journal: Journal
    ledger: Ledger
    limiter: Limiter
    settings: Settings
    models: RunModels
    clock: RunClock

    @property
    def secrets(self) -> tuple[str, ...]: ...
    def report(self, kind: str, branch: str, text: str) -> None: ...


def settle_recorded_replies(run: RequestResources) -> None:
    """Settle requests whose reply was recorded but whose settlement was lost when the process ended."""
    trajectory = run.journal.trajectory
    for hold in [hold for name, hold in trajectory.holds.items() if name not in trajectory.settles]:
        reply = trajectory.replies.get((hold.branch, hold.ask))
        if reply is not None and hold.attempt == trajectory.attempts[hold.branch, hold.ask]:
            settle = run.ledger.price_of(hold, reply.usage, run.models.named(hold.model).price)
            run.ledger.settle(settle)
            run.journal.append(settle)


def send(run: RequestResources, model: Model, ask: RequestSpec) -> Reply:
    """Send a request, with fallbacks to other models, and return the recorded reply. Raises ModelError if every model
    fails, BudgetStop if the budget is used up."""
    tried = {model.name}
    while True:
        try:
            return _send_fitting(run, model, ask)
        except ModelError as error:
            other = run.models.named(model.fallback) if model.fallback else None
            if other is None or other.name in tried:
                raise
            why = f"{model.name} failed ({error.message}), trying {other.name}"
            about = {"ask": ask.number, "from": model.name, "to": other.name, "why": error.message}
            run.journal.append(Note(ask.branch, "fallback", why, about))
            run.report("say", ask.branch, why)
            tried.add(other.name)
            model = other


def _send_fitting(run: RequestResources, model: Model, ask: RequestSpec) -> Reply:
    """Send the request and return the reply. If the provider rejects the conversation as too long, it is folded further
    and sent again, up to SHORTENINGS times."""
    for _ in range(SHORTENINGS):
        try:
            return _send_with_retries(run, model, ask)
        except ModelError as error:
            if not error.overflow:
                raise
            most = int(ask.said(model).characters * SHORTER)
            data = {"ask": ask.number, "characters": most, "model": model.name}
            run.journal.append(Note(ask.branch, "overflow", f"{model.name}: {error.message}", data))
            _check_fits(ask, model, error)
    return _send_with_retries(run, model, ask)


def _check_fits(ask: RequestSpec, model: Model, refused: ModelError) -> None:
    """Raise ModelError, with the provider's message, if the conversation cannot be made shorter."""
    try:
        ask.said(model)
    except ModelError as error:
        raise ModelError(f"{refused.message} {error.message}", error.fix, billed=False) from None


def _send_with_retries(run: RequestResources, model: Model, ask: RequestSpec) -> Reply:
    from tenacity import Retrying, retry_if_exception, wait_exponential_jitter

    tries = _Retries(run, model, ask, wait_exponential_jitter(multiplier=run.settings.retry_wait, max=LONGEST_WAIT))
    retrying = Retrying(
        retry=retry_if_exception(tries.is_retryable),
        stop=tries.is_exhausted,
        wait=tries.wait,
        before_sleep=tries.report,
        sleep=tries.sleep,
        reraise=True,
    )
    reply: Reply = retrying(tries.send)
    return reply


class _Retries:
    """The retries of a request.

    In a batch, a rate limit pauses all requests to the model and does not count as a try while the total pause is
    within `patience`, which is zero if there is a fallback model. The run's clock is stopped during a pause.
    """

    def __init__(
        self, run: RequestResources, model: Model, ask: RequestSpec, backoff: Callable[[RetryCallState], float]
    ) -> None:
        self._run, self._model, self._ask, self._backoff = run, model, ask, backoff
        table = run.settings.model_table(model.name, model.name.partition("/")[2])
        self._place = f"{table.api_base} {model.name}"
        self._patience = 0.0 if model.fallback else run.limiter.patience
        self._longest = self._patience or LONGEST_WAIT
        self._pauses = 0
        self._paused = 0.0
        self._limited = False

    def send(self) -> Reply:
        limiter = self._run.limiter
        try:
            with ExitStack() as stack:
                with self._run.clock.pause():
                    stack.enter_context(limiter.turn(self._place, self._ask.cancel, self._longest))
                return _send_once(self._run, self._model, self._ask)
        except PermissionDenied as error:
            if limiter.has_answered(self._place):  # the API key is valid, so the provider rejects this request
                raise error.of_request from error
            raise

    def is_retryable(self, error: BaseException) -> bool:
        longest = self._longest if isinstance(error, ModelError) and error.limited else LONGEST_WAIT
        return isinstance(error, ModelError) and error.retryable and (error.wait or 0.0) <= longest

    def wait(self, state: RetryCallState) -> float:
        error = _error(state)
        self._limited = error.limited
        if error.limited:
            seconds = self._run.limiter.pause(self._place)
            self._pauses += 1
            self._paused += max(seconds, LEAST_PAUSE)
            return seconds
        return self._backoff(state) if error.wait is None else error.wait

    def sleep(self, seconds: float) -> None:
        with self._run.clock.pause() if self._limited else nullcontext():
            self._ask.cancel.sleep(seconds)

    def is_exhausted(self, state: RetryCallState) -> bool:
        if _error(state).limited and self._patience:
            return self._paused > self._patience
        return state.attempt_number - (self._pauses if self._patience else 0) >= ATTEMPTS

    def report(self, state: RetryCallState) -> None:
        seconds = state.next_action.sleep if state.next_action else 0
        self._run.report("say", self._ask.branch, f"{_error(state)} Trying again in {seconds:.0f} s.")


def _error(state: RetryCallState) -> ModelError:
    """Return the error of the last try, which is always a ModelError."""
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ModelError)
    return error


def _send_once(run: RequestResources, model: Model, ask: RequestSpec) -> Reply:
    """Send one request. The reservation is written to disk before the request is sent, and the settlement together with
    the reply."""
    journal, ledger = run.journal, run.ledger
    attempt = journal.trajectory.attempts[ask.branch, ask.number] + 1
    said = ask.said(model)
    bound = said.input_bound(ask.tools)
    hold, output = ledger.hold(ask.branch, ask.number, attempt, model.name, model.price, bound, model.max_output)
    journal.append(hold)
    run.limiter.leaving()
    delta = partial(run.report, "delta", ask.branch)
    options = RequestOptions(ask.branch, ask.number, output, ask.cancel, delta, ask.temperature)
    try:
        reply = replace(_call_model(model, said, ask, options), branch=ask.branch, ask=ask.number)
        reply = _validate_reply(reply, run.secrets)
    except ModelError as error:
        settle = ledger.price_of(hold, error.usage, model.price, billed=error.billed)
        ledger.settle(settle)
        journal.append(settle)
        raise
    settle = ledger.price_of(hold, reply.usage, model.price)
    ledger.settle(settle)
    journal.append(reply, settle)
    ledger.check()
    return journal.trajectory.replies[ask.branch, ask.number]


def _call_model(model: Model, said: ModelRequest, ask: RequestSpec, options: RequestOptions) -> Reply:
    """Call the model in a daemon thread, so that a provider that hangs does not delay an interrupt."""
    answers: SimpleQueue[Reply | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            answers.put(model.reply(said.messages, ask.tools, options))
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            answers.put(error)

    Thread(target=work, name=f"ask {ask.branch}", daemon=True).start()
    while True:
        try:
            answer = answers.get(timeout=TICK)
        except Empty:
            if ask.cancel.is_set():
                raise Cancelled("Interrupted while the model was answering.") from None
            continue
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _validate_reply(reply: Reply, secrets: Sequence[str]) -> Reply:
    """Return the reply as the journal stores it, with secrets masked and long text truncated. Usage with negative
    numbers of tokens is discarded.

    Raises ModelError if the reply cannot be stored.
    """
    actions = tuple(
        action
        if isinstance(action.arguments, dict)
        else replace(action, arguments={}, error=f"they must be an object, not {type(action.arguments).__name__}")
        for action in reply.actions
    )
    try:
        read: Reply = decode(encode(replace(reply, actions=actions)))  # type: ignore[assignment]
    except (TypeError, ValueError, RecursionError) as error:
        wrong = str(error).splitlines()
        raise ModelError(f"A reply of {reply.model} cannot be read: {' '.join(wrong[1:3]) or wrong[0]}.") from None
    if read.usage and min(read.usage.input_tokens, read.usage.output_tokens, read.usage.cached_tokens) < 0:
        read = replace(read, usage=None)
    return _limit_size(_mask_reply(read, secrets))


def _mask_reply(reply: Reply, secrets: Sequence[str]) -> Reply:
    """Return the reply with secrets masked.

    A signed block cannot be changed: it is dropped if it contains a secret. Short secrets are not masked because they
    may be ordinary words in the code.
    """

    def masked(value: Any) -> Any:
        return change_texts(value, lambda text: replace_secrets(text, secrets, MASKED))

    actions = tuple(
        Action(masked(action.tool), masked(action.arguments), masked(action.id), masked(action.error))
        for action in reply.actions
    )
    blocks = tuple(block for block in reply.blocks if masked(block) == block)
    return replace(reply, text=masked(reply.text), reasoning=masked(reply.reasoning), actions=actions, blocks=blocks)


def _limit_size(reply: Reply) -> Reply:
    """Return the reply with long text truncated, because every later request sends it again at a cost."""
    text = reply.text
    if len(text) > MOST_TEXT:
        text = f"{text[:MOST_TEXT]}\n[cut: the reply had {len(reply.text):,} characters]"
    actions = tuple(
        replace(action, arguments={}, error=f"the arguments had {length:,} characters; write less at a time")
        if (length := len(repr(action.arguments))) > MOST_ARGUMENTS
        else action
        for action in reply.actions
    )
    return replace(reply, text=text, actions=actions)


def build_request(
    conversation: BranchConversation,
    trajectory: Trajectory,
    branch: str,
    ask: int,
    system: str,
    steps: Sequence[Step],
    model: Model,
) -> ModelRequest:
    """Return request number `ask` of a branch, whose steps so far are `steps`, to a model."""
    settings = conversation_settings(trajectory, branch, system, model)
    return conversation.request(ask, settings, steps, trajectory.replies)


def conversation_settings(trajectory: Trajectory, branch: str, system: str, model: Model) -> ConversationSettings:
    """Return what the requests of a branch to a model depend on besides its steps."""
    limits = [
        (note.data["ask"], note.data["characters"])
        for note in trajectory.notes
        if note.kind == "overflow" and note.branch == branch and note.data["model"] == model.name
    ]
    images = images_by_step(trajectory, branch)
    return ConversationSettings(system, reader_of(model.name, model), limits, images)


def system_prompt(prompts: Mapping[str, str], role: str) -> str:
    """Return a role's system prompt, or the coder's if the role has none."""
    return prompts.get(role, prompts.get(CODER, ""))


class ModelProperties(Protocol):
    """The properties of a model that matter for its requests."""

    @property
    def price(self) -> Price | None: ...
    @property
    def max_output(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def images(self) -> bool | None: ...


def reader_of(name: str, known: ModelProperties) -> Reader:
    return Reader(
        model=name,
        window=max(1, known.window - known.max_output) if known.window else 0,
        cached=known.price.cached_share if known.price else UNKNOWN,
        images=bool(known.images),
    )


def model_for_role(models: RunModels, role: str, branch: str, last: Reply | None, notes: Sequence[Note]) -> Model:
    """Return the role's model, or its fallback if the fallback gave the `last` reply in this branch and so has the
    conversation cached.

    `notes` are those of the current turn: earlier turns are ignored, because the user may have chosen another model
    since.
    """
    first = model = models.of_role(role)
    changes = [note for note in notes if note.kind in ("fallback", "forked")]
    if not any(note.branch == branch for note in takewhile(lambda note: note.kind != "forked", reversed(changes))):
        return first  # no fallback was used since the last fork, for which the user chose the model
    seen = set()
    while last and model.name != last.model and model.fallback and model.name not in seen:
        seen.add(model.name)
        model = models.named(model.fallback)
    return model if last and model.name == last.model else first


def unread_messages(trajectory: Trajectory, branch: str, steps: Sequence[Step]) -> list[Note]:
    """Return the user's messages to a branch that are not among its steps yet."""
    read = sum(step.author == "user" for step in steps)
    return [note for note in trajectory.notes if note.branch == branch and note.kind == "message"][read:]


def is_superseded(trajectory: Trajectory, reply: Reply) -> bool:
    """Return whether the user has sent a message since this reply, for which no step was recorded."""
    for record in reversed(trajectory.records):
        if record is reply:
            return False
        if isinstance(record, Note) and record.kind == "message" and record.branch == reply.branch:
            return True
    return False
