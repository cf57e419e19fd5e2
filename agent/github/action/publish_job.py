"""The last job of the Action: what came of an errand is brought to GitHub, or it is said why not.

It has a token that may write and no key for a model, and runs nothing of the repository. What it acts on is the gate's
errand; what the solving job handed over is a stranger's.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aci.outbox import outbox
from aci.repository import Repository
from agent.github import comments, errand, handover, sticky
from agent.github.address import Address, own_repository
from agent.github.client import repository
from agent.github.handover import Outcome
from agent.github.masking import masked
from agent.github.missing import explained
from agent.github.outputs import summarise, tell
from agent.github.placing import Ended, Placing, place
from agent.github.replying import reply
from agent.github.rules import Rules, load_rules, workflow_run
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    import github.Repository

    from agent.github.errand import Errand

AGAIN = "Run the whole workflow again."
MOST_OVER = 5
"""Times its budget that a run is believed to have cost: what says more lies, to keep others from beginning."""


def publish(asked: Path, digest: str, handed: Path | None, handed_digest: str, repo: Path) -> int:
    """Publish what came of the errand in the file `asked`, whose digest the gate told; `handed` is None where the
    solving job left nothing. Returns 0 where it is said on GitHub how it ended.

    Raises UsageError for an errand that is not the gate's, and, after it is said where that can be, what GitHub or git
    refuses: ConfigError with the permission or setting that is missing, TryLater.
    """
    known, rules, address = errand.read(asked, digest), load_rules(), own_repository()
    if known.repository.casefold() != address.repository.casefold():
        raise UsageError(f"The errand is for {known.repository}, not {address.repository}.", AGAIN)
    there, outcome, failed = repository(address), None, None
    try:
        outcome, diff = _handed(handed, handed_digest, known, digest)
        outcome = outcome and _masked(outcome)
        ended = _ended(repo, there, address, rules, known, outcome, diff)
    except SweAgentError as error:
        failed = explained(error, rules)
        ended = Ended("error", comments.failed(failed.message, failed.fix, outcome))
    if known.kind == "follow-up":
        ended = replace(ended, pull=known.number)
    tell(outcome=ended.word, pull=str(ended.pull or ""))
    dry = "Dry run: nothing is written to GitHub." if rules.dry_run else ""
    summarise("\n\n".join(filter(None, [dry, f"{ended.text} {comments.asked_for(known.asked_by)}", ended.shown])))
    if not rules.dry_run:
        try:
            _say(there, rules, known, outcome, ended)
        except SweAgentError as error:
            raise (failed or explained(error, rules)) from error
    if failed:
        raise failed
    return 0


def _handed(file: Path | None, digest: str, asked: Errand, errand_digest: str) -> tuple[Outcome | None, bytes]:
    """The handover, if it is of this errand and does not contradict itself. Raises UsageError."""
    if file is None:
        return None, b""
    outcome, diff = handover.unpack(file, digest)
    if (outcome.errand, outcome.base) != (errand_digest, asked.base):
        raise UsageError("The handover is of another errand.", AGAIN)
    verified = outcome.result["verdict"]["kind"] in ("verified", "faster")
    answers = asked.kind == "follow-up" and not diff
    if (outcome.exit == 0 and not answers and not (verified and diff)) or (outcome.exit == 6 and verified):
        raise UsageError("The handover contradicts itself: its exit, its verdict and its patch do not agree.", AGAIN)
    return outcome, diff


def _masked(outcome: Outcome) -> Outcome:
    """Without keys: what is told is public."""
    return Outcome(**{field.name: masked(getattr(outcome, field.name)) for field in fields(outcome)})


def _ended(
    repo: Path,
    there: github.Repository.Repository,
    address: Address,
    rules: Rules,
    asked: Errand,
    outcome: Outcome | None,
    diff: bytes,
) -> Ended:
    """Do what the outcome asks for."""
    if outcome is None:
        return Ended("died", comments.died())
    if outcome.exit in (0, 6) and diff:
        with outbox(Repository.open(repo)) as box:
            return place(Placing(box, there, address, rules, asked, outcome, diff))
    if outcome.exit == 0:
        return Ended("answer", comments.answered(outcome))
    if outcome.exit in (1, 4, 6):
        return Ended("budget" if outcome.exit == 4 else "none", comments.not_fixed(outcome, bool(diff)))
    return Ended("error", comments.stopped(outcome))


def _say(
    there: github.Repository.Repository, rules: Rules, asked: Errand, outcome: Outcome | None, ended: Ended
) -> None:
    """The answer where it was asked for; and in the one comment, how it ended and what it cost."""
    text, failed = ended.text, None
    if asked.kind == "follow-up":
        try:
            text = f"{comments.HERE}: {reply(there, asked, rules.bot, text)}."
        except SweAgentError as error:
            failed = error  # then it is said in the one comment
    text = f"{text} {comments.asked_for(asked.asked_by)}"
    known = sticky.find(there, asked.number, rules.bot)
    if outcome is None:  # what it spent nobody knows: the hold counts
        sticky.put(there, known, text)
    else:
        dollars = outcome.result["usage"]["dollars"]
        spent = asked.budget if dollars is None else min(dollars, MOST_OVER * asked.budget)
        journal = bool(outcome.result["run"])
        sticky.settle(there, known, text, workflow_run(), spent, pull=ended.pull, journal=journal)
    if failed:
        raise failed
