"""Export of a run as a Markdown document, for a pull request, an issue or a chat.

Markup in text from a model, an issue or a tool is disabled. Output is in code fences that are longer than any fence
inside it. Prose is in blockquotes, without HTML, images or links with hidden targets. Control characters are shown as
U+FFFD.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from extensions.lab.exports._record_text import STRUCTURE, as_command, records_of, unicode
from trajectories.characters import BREAKS, DROPPED, MARKS
from trajectories.record_text import format_time, shorten_text
from trajectories.records import Action, Exit, Note, Record, Reply, Run, Step, Turn
from trajectories.reply_costs import Costs, costs
from trajectories.trajectory import NOT_CHECKED, RunView

WHAT = "a document for people, with long outputs shortened"
ENDING = "md"
SEVERAL = False
LONGEST, LONGEST_LINE = 4_000, 200
"""Maximum number of characters of an output or quotation, and of a title. A patch may have 16 times as many."""
PROOF = {
    "red": "a test fails without the patch",
    "green": "it passes with the patch",
    "red_again": "it fails again with the source hunks taken out",
    "no_loss": "what passed before passes now",
}
ANSWERS = {True: "yes", False: "no", None: "not judged"}

_CONTROLS = re.compile(f"[{DROPPED}{BREAKS}{MARKS}\ud800-\udfff]")
_TICKS = re.compile(r"`{3,}")
_ACTIVE = re.compile(r"&(?=[#\w])|<(?=[A-Za-z/!?])|\](?=[(\[:])|(?<!`)(?:(?<!\w)@(?=\w)|#(?=\d))")
"""Pattern for the start of an entity, tag or mention, and for the end of the text of a link or image."""


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield the document in pieces."""
    (run,) = runs
    trajectory = run.trajectory
    first, paid = trajectory.run, costs(run)
    if first is not None:
        yield from _beginning(run, first)
    for record in records_of(trajectory):
        yield from _record_sections(run, record, paid)
    if trajectory.exit is not None:
        yield from _ending(trajectory.exit, run.untrusted)
    if diff := unicode(run.patch().diff):
        yield f"## Patch\n\n{_fenced(diff, 'diff', 16 * LONGEST)}"


def _beginning(run: RunView, first: Run) -> Iterator[str]:
    spent, turns = run.spent, run.trajectory.turns
    facts = {
        "run": run.name,
        "at": format_time(first.at),
        "base": str(first.base) if first.base.commit else "",
        "strategy": turns[-1].strategy if turns else "",
        "model": turns[-1].models.get("coder", "") if turns else "",
        "cost": "unknown" if spent.dollars is None else f"${spent.dollars:.4f}",
        "tokens": f"{spent.input_tokens:,} in ({spent.cached_tokens:,} cached), {spent.output_tokens:,} out",
        "steps": str(len(run.trajectory.all_steps())),
    }
    yield f"# {_line(first.issue.title) or 'A run'}\n\n| | |\n|---|---|\n"
    yield "".join(f"| {name} | {_cell(value)} |\n" for name, value in facts.items() if value)
    yield f"\n## Issue\n\n{_quoted(first.issue.body or first.issue.title)}"


def _record_sections(run: RunView, record: Record, paid: Costs) -> Iterator[str]:
    match record:
        case Turn() if record is not run.trajectory.turns[0]:
            yield f"## The user asks ({_line(record.strategy)})\n\n{_quoted(record.request)}"
        case Note() if record.kind in STRUCTURE:
            yield f"## {_line(record.kind.capitalize())}: {_line(record.text)}\n\n"
        case Step():
            asked = record.branch, record.reply or 0
            yield from _step(record, run.trajectory.replies.get(asked), _cost(paid, asked))


def _step(step: Step, reply: Reply | None, cost: str) -> Iterator[str]:
    yield f"### {_line(step.id)} · {_line(step.author)}{cost}\n\n"
    if reply and reply.text.strip():
        yield _quoted(reply.text)
    for number, action in enumerate(step.actions):
        yield _fenced(_called(action), "sh" if list(action.arguments) == ["command"] else "")
        if number < len(step.observations):
            yield _fenced(step.observations[number].text, "text")
    if step.error:
        yield _quoted(step.error)
    for seen in step.observations[len(step.actions) :]:
        yield _fenced(seen.text, "text")


def _called(action: Action) -> str:
    """Return an action as a command line, followed by its multi-line arguments."""
    long = {name: value for name, value in action.arguments.items() if isinstance(value, str) and "\n" in value}
    if not long or list(action.arguments) == ["command"]:
        return as_command(action)
    short = {name: value for name, value in action.arguments.items() if name not in long}
    return "\n".join([as_command(replace(action, arguments=short)), *(f"{name}:\n{long[name]}" for name in long)])


def _cost(paid: Costs, asked: tuple[str, int]) -> str:
    sum = paid.asks.get(asked) if asked[1] else None
    return f" · ${sum.dollars:.4f}" if sum and sum.dollars else ""


def _ending(exit: Exit, untrusted: bool) -> Iterator[str]:
    verdict = exit.verdict
    yield f"## Ended: {_line(exit.kind)}\n\n"
    if untrusted:
        yield f"{NOT_CHECKED}\n\n"
    if exit.message:
        yield _quoted(exit.message)
    if verdict.kind != "none":
        yield "".join(f"- {words}: {ANSWERS[getattr(verdict, part)]}\n" for part, words in PROOF.items())
        yield f"- the fix is general: {verdict.generality}\n\n" if verdict.generality else "\n"
    if verdict.notes:
        yield "".join(f"- {_line(note)}\n" for note in verdict.notes) + "\n"
    if verdict.commands:
        yield "To repeat the proof:\n\n" + _fenced("\n".join(verdict.commands), "sh")


def _fenced(text: str, language: str = "", longest: int = LONGEST) -> str:
    """Return text in a code fence that the text itself cannot close."""
    if not text.strip():
        return ""
    text = _plain(shorten_text(text, longest)).rstrip("\n")
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in _TICKS.findall(text))])
    return f"{fence}{language}\n{text}\n{fence}\n\n"


def _quoted(text: str) -> str:
    """Return text as a blockquote that the text itself cannot end."""
    lines = _inert(shorten_text(text, LONGEST)).strip().split("\n")
    return "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n"


def _line(text: str) -> str:
    return _inert(" ".join(text.split())[:LONGEST_LINE])


def _cell(text: str) -> str:
    return _line(text).replace("|", "&#124;")


def _inert(text: str) -> str:
    """Disable HTML tags, Markdown links, images and mentions. Viewers may still turn bare URLs into links. Special
    characters are replaced by entities, because Markdown never parses an entity as markup, whereas a backslash can
    itself be escaped."""
    return _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", _plain(text))


def _plain(text: str) -> str:
    return _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))
