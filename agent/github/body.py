"""What a pull request says: what was wrong, what was changed, what proves it, where to look first, what it cost.

Short and true: every sentence is either the model's on this change, or read off the verdict and the diff.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.github.looking import look_first
from agent.github.neutral import LONGEST_NAME, code, fenced, named, neutral
from agent.github.template import filled

if TYPE_CHECKING:
    from agent.github.handover import Outcome

LONGEST = 60_000
"""Characters; GitHub takes 65,536. Each part has its own limit, and together they stay below this: nothing is cut off,
so that no part can push out another."""
MOST_NAMED, MOST_COMMANDS, MOST_CHECKS = 3, 12, 10
LONGEST_COMMAND, LONGEST_COMMANDS = 2_000, 8_000
SUITE = re.compile(
    r"The suite with the patch: (?:(?P<failed>\d+) failed, )?(?:\d+ errors?, )?(?:(?P<passed>\d+) passed)?"
)
PART = re.compile(r"^Only the \d+ tests that had passed|^The suite .*(?:not finished|timed out)")


def body(
    outcome: Outcome,
    number: int,
    diff: str,
    flagged: Mapping[str, str] | None = None,
    template: str = "",
    notes: Sequence[str] = (),
) -> str:
    """The text of a pull request for issue `number` with this diff, in the repository's `template` if it has one.

    `flagged` are paths to look at first, and why, to complete "`path` …"; `notes` are sentences of ours that follow.
    """
    looks = look_first(outcome, diff, flagged or {})
    parts = {
        "fixes": f"Fixes #{number}." if number else "",
        "what": what(outcome, diff),
        "proof": "\n\n".join(filter(None, [proof(outcome), commands(outcome)])),
        "look": "\n".join(["**Look first at**", *(f"- {line}" for line in looks)]) if looks else "",
        "cost": "\n\n".join([*notes, cost(outcome)]),
    }
    text = filled(template, parts) if template.strip() else ""
    return text if 0 < len(text) <= LONGEST else "\n\n".join(filter(None, parts.values()))


def what(outcome: Outcome, diff: str) -> str:
    """What was wrong and what was changed, in the words of who changed it; else only where."""
    told = neutral(f"{_sentence(outcome.cause)} {_sentence(outcome.change)}".strip())
    if told:
        return told
    files = list(dict.fromkeys(re.findall(r"(?m)^diff --git a/.* b/(.*)$", diff)))
    return f"Changes {_some(files)}." if files else ""


def proof(outcome: Outcome) -> str:
    """What was seen to fail and to pass, in sentences; and what was not."""
    verdict = outcome.result["verdict"]
    lines = [_reproduced(verdict), _kept(verdict), *_checked(verdict)]
    head = "**Proof:**" if verdict["kind"] in ("verified", "faster") else "**Not proven:**"
    return " ".join([head, *filter(None, lines)])


def commands(outcome: Outcome) -> str:
    """The commands that repeat the proof in a checkout of the pull request's branch, folded."""
    lines = list(outcome.result["verdict"]["commands"])
    if not lines or len(lines) > MOST_COMMANDS or not outcome.base:
        return ""
    saved = f"git diff {outcome.base[:12]} HEAD > patch.diff"
    lines = [saved if line == "git apply patch.diff" else line for line in lines]
    if max(map(len, lines)) > LONGEST_COMMAND or sum(map(len, lines)) > LONGEST_COMMANDS:
        return ""
    told = fenced("\n".join(lines), "sh")
    return f"<details><summary>Repeat it in a checkout of this branch</summary>\n\n{told}\n\n</details>"


def cost(outcome: Outcome) -> str:
    """Who wrote it and what it took, in a line."""
    usage, seconds = outcome.result["usage"], outcome.result["seconds"]
    scripted = outcome.model.partition(":")[0] in ("scripted", "replay")  # what follows is a path on some machine
    who = f"swe-agent with {'a recorded model' if scripted else code(outcome.model)}" if outcome.model else "swe-agent"
    took = f"{seconds / 60:.0f} min" if seconds >= 100 else f"{seconds:.0f} s"
    paid = "" if not usage["calls"] else _price(usage["dollars"])
    return f"Made by {who} in {took}{paid}. No person has looked at it yet."


def _price(dollars: float | None) -> str:
    if dollars is None:
        return " (price unknown)"
    return f" for ${dollars:.2f}" if dollars >= 0.1 else f" for ${dollars:.3f}" if dollars >= 0.001 else ""


def _reproduced(verdict: Mapping[str, Any]) -> str:
    tests, red, green, again = verdict["tests"], verdict["red"], verdict["green"], verdict["red_again"]
    if red is None and green is None:
        return "" if verdict["kind"] == "faster" else "No test shows the issue."
    named, many = _some(tests) if tests else "The test", len(tests) > 1
    fail, passes = ("fail", "pass") if many else ("fails", "passes")
    if red and green and again:
        return f"{named} {fail} without this change, {passes} with it, and {fail} again with only its source taken out."
    without = f"{fail} without this change" if red else f"{passes} without this change, too"
    within = "was not judged with it" if green is None else f"{passes if green else fail} with it"
    still = f"; with its source taken out {'they' if many else 'it'} still {passes}" if green and again is False else ""
    return f"{named} {without} and {within}{still}."


def _kept(verdict: Mapping[str, Any]) -> str:
    notes, lost = verdict["notes"], verdict["lost"]
    if lost:
        return f"{_some(lost)} passed before, and no longer {'do' if len(lost) > 1 else 'does'}."
    if verdict["no_loss"] is None:
        return "Whether what passed before still passes was not judged."
    if not verdict["no_loss"] or any(note.startswith("No test ran") for note in notes):
        return "No other test ran, so nothing shows what else it may break."
    ran = next((match for note in notes if (match := SUITE.match(note))), None)
    if ran is None or not ran["passed"]:
        return "All that passed before still passes."
    failing = f", {ran['failed']} failed as before" if ran["failed"] else ""
    part = "; the suite was not run to its end" if any(map(PART.search, notes)) else ""
    return f"All that passed before still passes ({ran['passed']} passed{failing}{part})."


def _checked(verdict: Mapping[str, Any]) -> list[str]:
    clean = [line.partition(":")[0] for line in verdict["checks"] if line.endswith(": nothing new")]
    names = [neutral(name[:LONGEST_NAME]) for name in clean[:MOST_CHECKS]]
    return [f"Nothing new from {_joined(names)}."] if names else []


def _some(names: Sequence[str]) -> str:
    shown = [named(name) for name in names[:MOST_NAMED]]
    more = len(names) - len(shown)
    return _joined([*shown, f"{more} more"] if more > 0 else shown)


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?`\"')" else f"{text}."
