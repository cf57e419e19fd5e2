"""One ask on the wire: hold, send, settle, record. Retries, shorter requests and fallback models draw on one purse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from aci.disguises import hide
from aci.view import MASKED
from agent.context import Said
from agent.models.base import Asking, Model
from trajectories.errors import Cancelled, ModelError
from trajectories.journal import decode, encode
from trajectories.records import Action, Note, Reply

if TYPE_CHECKING:
    from agent.engine import Engine, Token

ATTEMPTS = 5
LONGEST_WAIT = 60.0
"""Seconds; a provider that asks for more gets its answer from the user, not from a sleeping process."""
TICK = 0.1
MOST_TEXT = 256_000
MOST_ARGUMENTS = 1_000_000
SHORTENINGS = 3
SHORTER = 0.7
"""What is left of a conversation's characters after a provider called it too long."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask number `number` of `branch`; `said(model)` is the conversation as that model is to read it."""

    branch: str
    number: int
    said: Callable[[Model], Said]
    tools: Sequence[dict[str, Any]]
    cancel: Token


def send(engine: Engine, model: Model, ask: Ask) -> Reply:
    """The reply, recorded and paid. Raises ModelError when no try of any model succeeds, BudgetStop when the purse
    is empty."""
    tried = {model.name}
    while True:
        try:
            return _fitting(engine, model, ask)
        except ModelError as error:
            other = engine.model_named(model.fallback) if model.fallback else None
            if other is None or other.name in tried:
                raise
            why = f"{model.name} failed ({error.message}), asking {other.name}"
            engine.journal.append(Note(ask.branch, "fallback", why, {"ask": ask.number}))
            engine.tell("say", ask.branch, why)
            tried.add(other.name)
            model = other


def _fitting(engine: Engine, model: Model, ask: Ask) -> Reply:
    """The reply; a conversation that the provider calls too long is folded more and sent again, a few times."""
    for _ in range(SHORTENINGS):
        try:
            return _retried(engine, model, ask)
        except ModelError as error:
            if not error.overflow:
                raise
            most = int(ask.said(model).characters * SHORTER)
            data = {"ask": ask.number, "characters": most, "model": model.name}
            engine.journal.append(Note(ask.branch, "overflow", f"{model.name}: {error.message}", data))
            _check_fits(ask, model, error)
    return _retried(engine, model, ask)


def _check_fits(ask: Ask, model: Model, refused: ModelError) -> None:
    """Whether there is a shorter conversation to send; where there is none, the provider's own words say why."""
    try:
        ask.said(model)
    except ModelError as error:
        raise ModelError(f"{refused.message} {error.message}", error.fix, billed=False) from None


def _retried(engine: Engine, model: Model, ask: Ask) -> Reply:
    from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, ModelError) else None
        return float(backoff(state) if asked is None else asked)

    def before(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0
        engine.tell("say", ask.branch, f"{error} Asking again in {seconds:.0f} s.")

    backoff = wait_exponential_jitter(multiplier=engine.settings.retry_wait, max=LONGEST_WAIT)
    retrying = Retrying(
        retry=retry_if_exception(_worth_another),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait,
        before_sleep=before,
        sleep=lambda seconds: ask.cancel.sleep(seconds),
        reraise=True,
    )
    reply: Reply = retrying(_once, engine, model, ask)
    return reply


def _worth_another(error: BaseException) -> bool:
    return isinstance(error, ModelError) and error.retryable and (error.wait or 0.0) <= LONGEST_WAIT


def _once(engine: Engine, model: Model, ask: Ask) -> Reply:
    """One request: its hold is durable before it leaves, its settle and reply are written together."""
    journal, ledger = engine.journal, engine.ledger
    attempt = journal.trajectory.attempts[ask.branch, ask.number] + 1
    said = ask.said(model)
    bound = said.input_bound(ask.tools)
    hold, output = ledger.hold(ask.branch, ask.number, attempt, model.name, model.price, bound, model.max_output)
    journal.append(hold)
    asking = Asking(ask.branch, ask.number, output, ask.cancel, lambda text: engine.tell("delta", ask.branch, text))
    try:
        reply = replace(_on_wire(model, said, ask, asking), branch=ask.branch, ask=ask.number)
        reply = _readable(reply, engine.secrets)
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


def _on_wire(model: Model, said: Said, ask: Ask, asking: Asking) -> Reply:
    """The model call in a daemon thread, so that a provider that hangs does not hold up an interrupt."""
    answers: SimpleQueue[Reply | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            answers.put(model.reply(said.messages, ask.tools, asking))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
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


def _readable(reply: Reply, secrets: Sequence[str]) -> Reply:
    """The reply as the journal can hold it, without our keys, or ModelError. Usage below nothing is no usage."""
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
    return _bounded(_without(read, secrets))


def _without(reply: Reply, secrets: Sequence[str]) -> Reply:
    """The reply with a mark where it says one of our keys. A signed block cannot be changed: with a key in it, it
    goes. What is too short for a key may be a word of the code."""

    def masked(value: Any) -> Any:
        if isinstance(value, str):
            value = hide(value, secrets, MASKED)
        elif isinstance(value, dict):
            value = {masked(name): masked(part) for name, part in value.items()}
        elif isinstance(value, list):
            value = [masked(part) for part in value]
        return value

    actions = tuple(
        Action(masked(action.tool), masked(action.arguments), masked(action.id), masked(action.error))
        for action in reply.actions
    )
    blocks = tuple(block for block in reply.blocks if masked(block) == block)
    return replace(reply, text=masked(reply.text), reasoning=masked(reply.reasoning), actions=actions, blocks=blocks)


def _bounded(reply: Reply) -> Reply:
    """A reply of ten megabytes would be sent back, and paid for, at every later ask."""
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
