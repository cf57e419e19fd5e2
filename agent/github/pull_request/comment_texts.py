"""What is said on GitHub of how a run ended: short, and nothing that did not happen.

What models, strangers and repositories said is shown as text: it names nobody and links nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.github.body import LONGEST_COMMAND, price, proof
from agent.github.looking import ROUTINE
from agent.github.neutral import code, fenced, neutral
from agent.github.rules import workflow_run

if TYPE_CHECKING:
    from agent.github.handover import Outcome

HERE = "Answered here"
ARTIFACT, FILE, DIFF = "swe-agent-handover", "handover.tar", "patch.diff"
"""Where the patch is that was judged, as the workflow uploads it."""
MOST = 10
LANGUAGES = frozenset(
    ("bash", "c", "cpp", "diff", "go", "java", "js", "json", "python", "py", "rust", "sh", "toml", "ts")
)
"""That a block of code may be said to be in: others (`mermaid`, `suggestion`, …) GitHub acts on."""
APPROVAL = (
    "CI waits until somebody with write access presses *Approve workflows to run*, as GitHub has it for what a "
    "workflow's own token pushes; with a GitHub App's token it does not."
)
_FENCE = re.compile(
    r"^ {0,3}(`{3,}|~{3,})([\w+-]{0,20})[^\n]*\n(.*?)(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
_ITEM = re.compile(r"^ {0,6}(?:[-*+]|\d{1,3}[.)]) +")


def opened(number: int, outcome: Outcome, notes: Sequence[str] = ()) -> str:
    """A fix became a pull request."""
    how = "a draft with a verified fix" if outcome.exit == 0 else "a draft with a patch that is not proven"
    return _told([f"#{number} is {how}: {neutral(outcome.title)}.", _listed(notes)], outcome)


def committed(commit: str, branch: str, outcome: Outcome, notes: Sequence[str] = ()) -> str:
    """A follow-up became a commit."""
    said = [f"{code(commit[:10])} is on {code(branch)}: {neutral(outcome.title)}."]
    shown = _proof(outcome, "this pull request")  # the whole branch was judged, not its last commit
    return _told([*said, prose(outcome.answer) or _why(outcome), shown, _listed(notes)], outcome)


def answered(outcome: Outcome) -> str:
    """A follow-up asked for words only."""
    return _told([prose(outcome.answer)], outcome)


def unproven(outcome: Outcome) -> str:
    """There is a patch, and no proof."""
    said = [
        "There is a patch, but it is not proven, so it is not published.",
        _why(outcome),
        _proof(outcome),
        _where(outcome),
    ]
    return _told(said, outcome)


def not_fixed(outcome: Outcome, has_patch: bool) -> str:
    """The run came to its end, or to that of its budget, without a fix."""
    if outcome.exit == 4:
        ended = "The budget ended before there was a fix; the workflow's input `budget` says what a run may spend."
    elif outcome.answer:
        ended = f"No fix was found. The model says:\n\n{prose(outcome.answer)}"
    else:
        ended = f"No fix was found. {_error(outcome, 'message')}".strip()
    said = [ended, _places(outcome), _tried(outcome), _red_test(outcome)]
    if has_patch:
        said.append(f"What it had changed by then is no fix. {_where(outcome)}")
    return _told(said, outcome)


def failed(message: str, fix: str, outcome: Outcome | None = None) -> str:
    """GitHub or git did not let it be done; the `fix` is in our own words."""
    said = [f"This could not be done: {neutral(message)} {fix}".strip()]
    if outcome and outcome.exit == 0 and outcome.result["verdict"]["kind"] != "none":
        said.append(f"There is a patch, and it is verified. {_where(outcome)}")
    return _told(said, outcome)


def stopped(outcome: Outcome) -> str:
    """The run could not go on, or did not begin."""
    why = _error(outcome, "message", "fix") or f"The run ended with exit code {outcome.exit}."
    return _told([f"It could not be worked on: {why}"], outcome)


def asked_for(who: str) -> str:
    """Who asked; it calls nobody."""
    return f"Asked for by {neutral(who)}."


def died() -> str:
    """The job that solves left nothing."""
    return _told(["The job that was to solve it ended without a result: its log says why."])


def refused(reasons: Sequence[str], outcome: Outcome) -> str:
    """There is a patch, and it is not published."""
    said = "There is a patch, but it is not published, for what it does:"
    return _told([said, _listed(reasons), _where(outcome, run=False)], outcome)


def withheld(reason: str, outcome: Outcome) -> str:
    """There is a patch, and meanwhile no place for it."""
    how = "verified" if outcome.exit == 0 else "not proven"
    return _told([f"{reason} So nothing was pushed. The patch is {how}.", _where(outcome)], outcome)


def prose(text: str) -> str:
    """A model's answer: its paragraphs, lists and blocks of code stay."""
    shown, last = [], 0
    for match in _FENCE.finditer(text):
        language = match[2] if match[2] in LANGUAGES else ""
        shown += [_lines(text[last : match.start()]), fenced(match[3].rstrip("\n"), language)]
        last = match.end()
    return "\n\n".join(filter(None, [*shown, _lines(text[last:])]))


def _lines(text: str) -> str:
    """Line by line; headings are none."""
    kept = []
    for line in text.strip("\n").split("\n"):
        item = _ITEM.match(line)
        begin = item[0].replace("*", "-").replace("+", "-") if item else ""
        words = neutral(re.sub(r"^ {0,3}#{1,6} +", "", line[len(begin) :]))
        kept.append(begin + words if words else "")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n")


def _told(parts: Iterable[str], outcome: Outcome | None = None) -> str:
    attempts = outcome.attempts if outcome else ()
    if attempts:
        heading = "Instructions to the agent were found in what it read. They have no power here:"
        parts = [*parts, f"{heading}\n\n{_listed(map(neutral, attempts))}"]
    cost = _cost(outcome.result, outcome.model) if outcome else ""
    return "\n\n".join(filter(None, [*parts, f"{cost} {_run_link()}".strip()]))


def _run_link() -> str:
    """Where the workflow's run is to be seen."""
    from agent.github.address import own_repository

    number = workflow_run()
    return f"[Its run]({own_repository().url}/actions/runs/{number})." if number else ""


def _listed(lines: Iterable[str]) -> str:
    lines = [line for line in lines if line]
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return "\n".join(f"- {line}" for line in [*lines[:MOST], *more])


def _why(outcome: Outcome) -> str:
    return " ".join(filter(None, (neutral(outcome.cause), neutral(outcome.change))))


def _proof(outcome: Outcome, without: str = "this change") -> str:
    """What was seen, and what limits it."""
    notes = (neutral(note) for note in outcome.result["verdict"]["notes"] if not ROUTINE.match(note))
    return f"{proof(outcome, without)}\n\n{_listed(notes)}".strip()


def _error(outcome: Outcome, *parts: str) -> str:
    """What went wrong; `parts` are "message" and "fix"."""
    error: Mapping[str, Any] = outcome.result.get("error") or {}
    return neutral(" ".join(error.get(part) or "" for part in parts))


def _places(outcome: Outcome) -> str:
    lines = []
    for place in outcome.places:
        where = f"{place['path']}:{place['line']}" if place.get("line") else place["path"]
        named = f" {code(place['name'])}" if place.get("name") else ""
        lines.append(f"{code(where)}{named}: {neutral(place.get('why', ''))}")
    return f"The likeliest places:\n\n{_listed(lines)}" if lines else ""


def _tried(outcome: Outcome) -> str:
    return f"What was tried:\n\n{_listed(map(neutral, outcome.tried))}" if outcome.tried else ""


def _red_test(outcome: Outcome) -> str:
    if not outcome.red_test:
        return ""
    return (
        f"<details><summary>A test that shows the issue</summary>\n\n{fenced(outcome.red_test, 'diff')}\n\n</details>"
    )


def _where(outcome: Outcome, run: bool = True) -> str:
    """How to have the patch, and, but for one that is not to be `run`, to repeat the proof."""
    from agent.github.address import own_repository

    said = f"It is {code(DIFF)} in {code(FILE)}, the artifact {code(ARTIFACT)} of the run."
    if not (number := workflow_run()):
        return said
    lines = [f"gh run download {number} -R {own_repository().repository} -n {ARTIFACT}", f"tar -xf {FILE} {DIFF}"]
    proof = outcome.result["verdict"]["commands"]
    if run and proof and len(proof) <= MOST and max(map(len, proof)) <= LONGEST_COMMAND:
        lines += [f"git checkout {outcome.base[:12]}", *proof]
    what = "Have it and repeat the proof" if len(lines) > 2 else "Have it"
    return f"{said}\n\n<details><summary>{what}</summary>\n\n{fenced(chr(10).join(lines), 'sh')}\n\n</details>"


def _cost(result: Mapping[str, Any], model: str) -> str:
    usage = result["usage"]
    if not usage["calls"]:
        return "No model was asked."
    parts = [] if usage["dollars"] is None else [price(usage["dollars"])]
    parts.append(f"{usage['calls']} request{'s' * (usage['calls'] != 1)}")
    parts.append(f"{usage['input_tokens'] + usage['output_tokens']:,} tokens")
    return f"Cost: {', '.join(parts)}{f' ({code(model)})' if model else ''}."
