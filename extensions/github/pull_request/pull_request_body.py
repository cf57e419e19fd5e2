"""Text of a pull request: cause, change, proof, where a reviewer should look first, cost.

Every sentence is either the model's own about this change, or derived from the verdict and the diff.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aci.testing.command_files import named_files
from extensions.github.pull_request.page_table import page_table
from extensions.github.pull_request.pull_request_template import fill_template
from extensions.github.pull_request.review_lines import review_lines
from extensions.github.text_escaping import (
    LONGEST_NAME,
    code,
    code_block,
    escape_markdown,
    format_name,
    with_full_stop,
)
from trajectories.migrations import facts_of
from trajectories.outcome_words import patch_word

if TYPE_CHECKING:
    from extensions.github.task.result_file import Outcome

LONGEST = 60_000
"""Maximum number of characters of a pull request's text; GitHub accepts 65,536. Each part has its own limit, and all
parts together are shorter than this limit. The text as a whole is never truncated, so no part can displace another."""
MOST_NAMED, MOST_COMMANDS, MOST_CHECKS = 3, 12, 10
LONGEST_COMMAND, LONGEST_COMMANDS = 2_000, 4_000
_ABSOLUTE = re.compile(
    r"""(?P<quote>['"])/[^'"\n]*/(?P<quoted>[^'"/\n]+)(?P=quote)"""
    r"""|(?:(?<![^\s=:;&|(>'"])|(?<=\s-[A-Za-z]))/(?!dev/)(?:(?:\\.|[^\s/'"=:\\])+/)+(?P<bare>(?:\\.|[^\s/'"=:;)\\])+)"""
)
"""An absolute path on the machine where the tests ran; only its last component is shown."""
GENERALITY = {
    "shown": "Other values than the test's give other results too.",
    "examples only": "With other values than the test's, nothing changes.",
    "undecided": "Whether the fix is general was not shown.",
}


def body(
    outcome: Outcome,
    number: int,
    diff: str,
    flagged: Mapping[str, str] | None = None,
    template: str = "",
    notes: Sequence[str] = (),
) -> str:
    """Return the text of a pull request for issue `number` with this diff, in the repository's `template` if any.

    `flagged` maps paths to look at first to a reason that completes "`path` …"; `notes` are trusted sentences to add.
    """
    looks = review_lines(outcome, diff, flagged or {})
    parts = {
        "fixes": f"Fixes #{number}." if number else "",
        "what": what(outcome, diff),
        "proof": "\n\n".join(filter(None, [proof(outcome), page_table(outcome), commands(outcome)])),
        "look": "\n".join(["**Look first at**", *(f"- {line}" for line in looks)]) if looks else "",
        "cost": "\n\n".join([*notes, cost(outcome)]),
    }
    text = fill_template(template, parts) if template.strip() else ""
    return text if 0 < len(text) <= LONGEST else "\n\n".join(filter(None, parts.values()))


def what(outcome: Outcome, diff: str) -> str:
    """Return cause and change in the model's words, or only the changed files if the model gave none."""
    summary = escape_markdown(f"{with_full_stop(outcome.cause)} {with_full_stop(outcome.change)}".strip())
    if summary:
        return summary
    files = list(dict.fromkeys(re.findall(r"(?m)^diff --git a/.* b/(.*)$", diff)))
    return f"Changes {_first_names(files)}." if files else ""


def proof(outcome: Outcome, without: str = "this change") -> str:
    """Return sentences on what failed without the change and passes with it, and on what was not judged; `without`
    names the change."""
    verdict = outcome.result["verdict"]
    lines = [
        _reproduction_sentence(verdict, without),
        _regression_sentence(verdict),
        _check_sentence(verdict),
    ]
    lines.append(GENERALITY.get(verdict.get("generality", ""), ""))
    return " ".join([f"**{patch_word(verdict['kind']).capitalize()}:**", *filter(None, lines)])


def commands(outcome: Outcome) -> str:
    """Return a folded block of the commands that repeat the proof in a checkout of the pull request's branch."""
    lines = list(outcome.result["verdict"]["commands"])
    if not lines or len(lines) > MOST_COMMANDS or not outcome.base:
        return ""
    lines = [_ABSOLUTE.sub(lambda found: found["quoted"] or found["bare"], line) for line in lines]
    lines = _branch_commands([line for line in lines if line != "git apply patch.diff"], outcome.base[:12])
    if not lines or max(map(len, lines)) > LONGEST_COMMAND or sum(map(len, lines)) > LONGEST_COMMANDS:
        return ""
    block = code_block("\n".join(lines), "sh")
    return f"<details><summary>Repeat the proof in a checkout of this branch</summary>\n\n{block}\n\n</details>"


def _branch_commands(lines: Sequence[str], base: str) -> list[str]:
    """Return the commands in a form that needs no patch file: they revert the source changes of the branch and reapply
    them."""
    at = next((n for n, line in enumerate(lines) if line.startswith("git apply -R ")), None)
    if at is None:
        return [*lines]
    if lines[at].startswith("git apply -R <<"):  # a file has tests beside its code, and the line holds the difference
        return []
    try:
        words = shlex.split(lines[at])
    except ValueError:
        return []
    sources = [word.removeprefix("--include=") for word in words if word.startswith("--include=")]
    diff = f"{shlex.join(['git', 'diff', '--binary', base, 'HEAD', '--', *sources])} | git apply"
    return [*lines[:at], f"{diff} -R", *lines[at + 1 :], diff]


def cost(outcome: Outcome) -> str:
    """Return a line with the model, the time and the price of the run."""
    usage, seconds = outcome.result["usage"], outcome.result["seconds"]
    scripted = outcome.model.partition(":")[0] in ("scripted", "replay")  # a path on some machine follows the colon
    who = f"swe-agent with {'a recorded model' if scripted else code(outcome.model)}" if outcome.model else "swe-agent"
    took = f"{seconds / 60:.0f} min" if seconds >= 100 else f"{seconds:.0f} s"
    paid = " (price unknown)" if usage["dollars"] is None else f" for {price(usage['dollars'])}"
    paid = paid if usage["calls"] and usage["dollars"] != 0 else ""
    return f"Made by {who} in {took}{paid}. It needs review by a person."


def price(dollars: float) -> str:
    """Format an amount in dollars; small amounts are not rounded to zero."""
    return f"${dollars:.2f}" if dollars >= 0.1 or not dollars else f"${max(dollars, 0.001):.3f}"


def _reproduction_sentence(verdict: Mapping[str, Any], change: str) -> str:
    tests, red, green, again = verdict["tests"], verdict["red"], verdict["green"], verdict["red_again"]
    if red is None and green is None:
        return "" if verdict["kind"] == "faster" else "No test shows the issue."
    named, many = _tests(tests) if tests else "The test", len(tests) > 1
    fail, passes = ("fail", "pass") if many else ("fails", "passes")
    if red and green and again:
        return f"{named} {fail} without {change}, {passes} with it, and {fail} again when only its source is removed."
    without = f"{fail} without {change}" if red else f"{passes} without {change}, too"
    within = "was not judged with it" if green is None else f"{passes if green else fail} with it"
    still = f"; without its source change {'they' if many else 'it'} still {passes}" if green and again is False else ""
    return f"{named} {without} and {within}{still}."


def _regression_sentence(verdict: Mapping[str, Any]) -> str:
    facts, lost = facts_of(verdict), verdict["lost"]
    if lost:
        return f"{_first_names(lost)} passed before, and no longer {'do' if len(lost) > 1 else 'does'}."
    if any(fact.kind == "untested" for fact in facts):
        return "No other test ran, so it may break something else."
    if verdict["no_loss"] is None:
        return "The other tests have no result, so the patch may break some."
    if not verdict["no_loss"]:
        return "No other test ran, so it may break something else."
    suites = [fact.data for fact in facts if fact.kind == "suite"]
    ran = next((suite for suite in suites if suite.get("with_patch")), {})
    if not ran.get("passed"):
        return "All tests that passed before still pass."
    failing = f", {ran['failed']} failed as before" if ran.get("failed") else ""
    is_part = any(fact.kind == "partial" for fact in facts) or not all(suite.get("whole") for suite in suites)
    part = "; the suite did not run to its end" if is_part else ""
    return f"All tests that passed before still pass ({ran['passed']} passed{_scope(verdict)}{failing}{part})."


def _scope(verdict: Mapping[str, Any]) -> str:
    """Return the files that the suite's command names, if any, because only these ran in that case."""
    lines = list(verdict["commands"])
    ahead = lines[: next((n for n, line in enumerate(lines) if line.startswith("git apply -R ")), None)]
    suite = ahead[-1] if ahead and lines.count(ahead[-1]) == 1 else ""
    files = list(dict.fromkeys(named_files(suite[:LONGEST_COMMAND])))
    return f" in {_first_names(files)}" if files else ""


def _check_sentence(verdict: Mapping[str, Any]) -> str:
    """Return the results of the repository's checks but new findings, which are facts of the verdict."""
    new = {fact.data.get("check") for fact in facts_of(verdict)}
    lines = [escape_markdown(line[:LONGEST_NAME]) for line in verdict["checks"] if line not in new]
    return f"Checks of the repository: {'; '.join(lines[:MOST_CHECKS])}." if lines else ""


def _tests(names: Sequence[str]) -> str:
    """Name the tests if they are few, else count them by file."""
    files = Counter(name.partition("::")[0] for name in names if "::" in name)
    if len(names) <= MOST_NAMED or files.total() < len(names) or len(files) > MOST_NAMED:
        return _first_names(names)
    return _joined([f"{count} test{'s' * (count > 1)} in {format_name(path)}" for path, count in files.items()])


def _first_names(names: Sequence[str]) -> str:
    shown = [format_name(name) for name in names[:MOST_NAMED]]
    more = len(names) - len(shown)
    return _joined([*shown, f"{more} more"] if more > 0 else shown)


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
