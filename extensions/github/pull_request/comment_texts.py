"""Texts of the comments that report on GitHub how a run ended.

Text from models, strangers and repositories is shown as plain text, without mentions and links.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.patch_checks.review_focus import reviewer_notes
from extensions.github.action_inputs import COMMAND, workflow_run
from extensions.github.pull_request.page_table import page_table
from extensions.github.pull_request.pull_request_body import LONGEST_COMMAND, price, proof
from extensions.github.task.trigger_event import ANSWER
from extensions.github.text_escaping import bullet_list, code, code_block, escape_markdown
from trajectories.outcome_words import patch_word

if TYPE_CHECKING:
    from extensions.github.task.result_file import Outcome

ANSWERED_HERE = "Answered here"
ARTIFACT, FILE, DIFF = "swe-agent-handover", "handover.tar", "patch.diff"
"""The location of the patch that was judged: the artifact that the workflow uploads, the file in it, and the patch in
that file."""
BUDGET = "the workflow's input `budget`"
MOST = 10
"""Maximum number of commands that are shown."""
LANGUAGES = frozenset(
    ("bash", "c", "cpp", "diff", "go", "java", "js", "json", "python", "py", "rust", "sh", "toml", "ts")
)
"""Languages that a code block may name; GitHub acts on some others (`mermaid`, `suggestion`, …)."""
APPROVAL = (
    "CI does not start until someone with write access presses *Approve workflows to run*: GitHub requires this for "
    "commits pushed with a workflow's own token. With a GitHub App's token CI starts by itself."
)
_FENCE = re.compile(
    r"^ {0,3}(`{3,}|~{3,})([\w+-]{0,20})[^\n]*\n(.*?)(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
_ITEM = re.compile(r"^ {0,6}(?:[-*+]|\d{1,3}[.)]) +")


def opened_comment(number: int, outcome: Outcome, notes: Sequence[str] = ()) -> str:
    """Return the comment on a run whose patch became a pull request."""
    return _comment(
        [
            f"#{number} is a draft with a patch that is {_word(outcome)}: {escape_markdown(outcome.title)}.",
            bullet_list(notes),
        ],
        outcome,
    )


def committed_comment(commit: str, branch: str, outcome: Outcome, notes: Sequence[str] = ()) -> str:
    """Return the comment on a follow-up that pushed a commit."""
    said = [f"{code(commit[:10])} is on {code(branch)}: {escape_markdown(outcome.title)}."]
    shown = verdict_text(outcome, "this pull request")  # the whole branch was judged, not only its last commit
    return _comment([*said, prose(outcome.answer) or _explanation(outcome), shown, bullet_list(notes)], outcome)


def answered_comment(outcome: Outcome) -> str:
    """Return the comment on a follow-up that ended with an answer and no patch."""
    return _comment([prose(outcome.answer)], outcome)


def unproven_comment(outcome: Outcome) -> str:
    """Return the comment on a run whose patch is not accepted, so not published."""
    said = [
        f"There is a patch, but it is {_word(outcome)}, so it is not published.",
        _explanation(outcome),
        verdict_text(outcome),
        _download_hint(outcome),
    ]
    return _comment(said, outcome)


def not_fixed_comment(outcome: Outcome, has_patch: bool, budget: str = BUDGET) -> str:
    """Return the comment on a run that found no fix, or whose budget was used up before it found one; `budget` names
    the setting of what a run may spend."""
    if outcome.exit == 4:
        ended = f"The budget ran out before a fix was found; {budget} sets what a run may spend."
    elif outcome.answer:
        result = "No fix was found" if has_patch else "No change was made"
        ended = f"{result}. The model says:\n\n{prose(outcome.answer)}"
    else:
        ended = f"No fix was found. {_error(outcome, 'message')}".strip()
    said = [ended, _place_list(outcome), _attempts(outcome), _red_test(outcome)]
    if has_patch:
        said.append(f"The unfinished changes are not a fix. {_download_hint(outcome)}")
    return _comment(said, outcome)


def questions_comment(outcome: Outcome, author_may_answer: bool) -> str:
    """Return the comment that asks the model's questions before work starts."""
    who = "Whoever has write access, and the issue's author," if author_may_answer else "Whoever has write access"
    asked = []
    for number, (question, *options) in enumerate(outcome.questions, 1):
        listed = [f"   - {letter}: {escape_markdown(option)}" for letter, option in zip("abcd", options, strict=False)]
        asked.append("\n".join([f"{number}. {escape_markdown(question)}", *listed]))
    how = f"{who} can answer in a comment such as `{COMMAND} {ANSWER} 1a`, or in words after `{COMMAND} {ANSWER}`."
    return _comment(["The issue can be read in more than one way.", "\n".join(asked), how], outcome)


def failed_comment(message: str, fix: str, outcome: Outcome | None = None) -> str:
    """Return the comment on an action that GitHub or git refused. `fix` is trusted text and not escaped."""
    said = [f"This failed: {escape_markdown(message)} {fix}".strip()]
    if outcome and outcome.exit == 0 and outcome.result["verdict"]["kind"] != "none":
        said.append(f"The patch is {_word(outcome)}. {_download_hint(outcome)}")
    return _comment(said, outcome)


def stopped_comment(outcome: Outcome) -> str:
    """Return the comment on a run that failed with an error or did not start."""
    why = _error(outcome, "message", "fix") or f"The run ended with exit code {outcome.exit}."
    return _comment([f"The run failed: {why}"], outcome)


def requester_line(who: str, ci_run: str = "") -> str:
    """Return a line that names the requester without mentioning (notifying) them, or links the CI run that failed."""
    return f"Started because [CI failed]({ci_run})." if ci_run else f"Requested by {escape_markdown(who)}."


def missing_result_comment() -> str:
    """Return the comment on a solve job that ended without a result."""
    return _comment(["The solve job ended without a result. Its log shows why."])


def refused_comment(reasons: Sequence[str], outcome: Outcome) -> str:
    """Return the comment on a patch that the patch check refused, with the reasons."""
    said = "There is a patch, but the patch check refused to publish it:"
    return _comment([said, bullet_list(reasons), _download_hint(outcome, run=False)], outcome)


def withheld_comment(reason: str, outcome: Outcome) -> str:
    """Return the comment on a patch that was not pushed because its destination changed meanwhile."""
    return _comment(
        [f"{reason} So nothing was pushed. The patch is {_word(outcome)}.", _download_hint(outcome)], outcome
    )


def _word(outcome: Outcome) -> str:
    return patch_word(outcome.result["verdict"]["kind"])


def prose(text: str) -> str:
    """Return a model's answer as safe Markdown that keeps its paragraphs, lists and code blocks."""
    shown, last = [], 0
    for match in _FENCE.finditer(text):
        language = match[2] if match[2] in LANGUAGES else ""
        shown += [_lines(text[last : match.start()]), code_block(match[3].rstrip("\n"), language)]
        last = match.end()
    return "\n\n".join(filter(None, [*shown, _lines(text[last:])]))


def _lines(text: str) -> str:
    """Return the text escaped line by line, with headings turned into plain lines."""
    shown = []
    for line in text.strip("\n").split("\n"):
        item = _ITEM.match(line)
        begin = item[0].replace("*", "-").replace("+", "-") if item else ""
        words = escape_markdown(re.sub(r"^ {0,3}#{1,6} +", "", line[len(begin) :]))
        shown.append(begin + words if words else "")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(shown)).strip("\n")


def _comment(parts: Iterable[str], outcome: Outcome | None = None) -> str:
    attempts = outcome.attempts if outcome else ()
    if attempts:
        heading = "The agent found text that tries to give it instructions. Such text has no effect here:"
        parts = [*parts, f"{heading}\n\n{bullet_list(map(escape_markdown, attempts))}"]
    cost = _cost(outcome.result, outcome.model) if outcome else ""
    return "\n\n".join(filter(None, [*parts, f"{cost} {_run_link()}".strip()]))


def _run_link() -> str:
    """Return a link to the workflow run."""
    from extensions.github.action_inputs import own_repository

    number = workflow_run()
    return f"[Workflow run]({own_repository().url}/actions/runs/{number})." if number else ""


def _explanation(outcome: Outcome) -> str:
    return " ".join(filter(None, (escape_markdown(outcome.cause), escape_markdown(outcome.change))))


def verdict_text(outcome: Outcome, without: str = "this change") -> str:
    """Return sentences on the proof, the verdict's facts that limit it, and the changed pages."""
    notes = map(escape_markdown, reviewer_notes(outcome.result["verdict"]))
    return "\n\n".join(filter(None, [proof(outcome, without), bullet_list(notes), page_table(outcome)]))


def _error(outcome: Outcome, *parts: str) -> str:
    """Return the given `parts` of the run's error ("message", "fix")."""
    error: Mapping[str, Any] = outcome.result.get("error") or {}
    return escape_markdown(" ".join(error.get(part) or "" for part in parts))


def _place_list(outcome: Outcome) -> str:
    lines = []
    for place in outcome.places:
        where = f"{place['path']}:{place['line']}" if place.get("line") else place["path"]
        named = f" {code(place['name'])}" if place.get("name") else ""
        lines.append(f"{code(where)}{named}: {escape_markdown(place.get('why', ''))}")
    return f"The most likely places:\n\n{bullet_list(lines)}" if lines else ""


def _attempts(outcome: Outcome) -> str:
    return f"What was tried:\n\n{bullet_list(map(escape_markdown, outcome.tried))}" if outcome.tried else ""


def _red_test(outcome: Outcome) -> str:
    if not outcome.red_test:
        return ""
    test = code_block(outcome.red_test, "diff")
    return f"<details><summary>A test that shows the issue</summary>\n\n{test}\n\n</details>"


def _download_hint(outcome: Outcome, run: bool = True) -> str:
    """Return instructions for downloading the patch and, with `run`, for repeating the proof."""
    from extensions.github.action_inputs import own_repository

    said = f"The patch is {code(DIFF)} in {code(FILE)}, in the run's artifact {code(ARTIFACT)}."
    if not (number := workflow_run()):
        return said
    lines = [f"gh run download {number} -R {own_repository().repository} -n {ARTIFACT}", f"tar -xf {FILE} {DIFF}"]
    proof = outcome.result["verdict"]["commands"]
    if run and proof and len(proof) <= MOST and max(map(len, proof)) <= LONGEST_COMMAND:
        lines += [f"git checkout {outcome.base[:12]}", *proof]
    what = "Download the patch and repeat the proof" if len(lines) > 2 else "Download the patch"
    return f"{said}\n\n<details><summary>{what}</summary>\n\n{code_block(chr(10).join(lines), 'sh')}\n\n</details>"


def _cost(result: Mapping[str, Any], model: str) -> str:
    usage = result["usage"]
    if not usage["calls"]:
        return "No model was asked."
    parts = [] if usage["dollars"] is None else [price(usage["dollars"])]
    parts.append(f"{usage['calls']} request{'s' * (usage['calls'] != 1)}")
    parts.append(f"{usage['input_tokens'] + usage['output_tokens']:,} tokens")
    return f"Cost: {', '.join(parts)}{f' ({code(model)})' if model else ''}."
