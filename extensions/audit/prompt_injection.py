"""Detection of prompt injection in a finished trajectory: in the issue, comments, files and output of commands.

Findings are reported and do not change a verdict; other measures limit what an injected text can achieve
(`docs/security.md`). Greshake et al. (arXiv 2302.12173) describe how third-party text reaches an agent as instructions.
No pattern detects all injections. These patterns cover the common ones and are kept narrow, because text about tokens
and rules is mostly code.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from aci.instructions.instruction_frames import FRAME, SHOWN
from aci.observation.text_source import TextSource
from extensions.audit.injection_patterns import ABOUT_SUCH, ALT, COMMENTED, INVISIBLE, find_demands, hidden_text
from trajectories.records import Action, Issue, Observation, Step

MOST_SENTENCES, MOST_FILES = 5, 3
LONGEST_NAME = 80
LONGEST = 200_000
"""Maximum number of characters of a text that are searched."""


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text that a model read.

    `source` is the beginning of a sentence about it, and `path` the file or command that it comes from. `is_message` is
    true for messages, such as an issue, a comment or the output of a command, and false for contents of files.
    """

    source: str
    text: str
    path: str = ""
    is_message: bool = True


def find_injections(steps: Iterable[Step], issue: Issue, source_of: Callable[[str], TextSource]) -> tuple[str, ...]:
    """Return a sentence for each text that tries to instruct the agent, with its source, but without quoting it.

    `source_of` returns whose text a tool returns; the harness's own text is not searched. Files whose names show that
    injections are their subject (prompts, data of safety tests) are listed together in one sentence.
    """
    found: dict[str, list[str]] = {}
    about: dict[str, None] = {}
    for text in (*_of_issue(issue), *_of_steps(steps, source_of)):
        for source, what in _findings(text):
            if text.path and ABOUT_SUCH.search(text.path):
                about[text.path] = None
            elif what not in found.setdefault(source, []):
                found[source].append(what)
    lines = [f"{source} {_joined(what)}." for source, what in found.items()]
    more = (
        [f"{len(lines) - MOST_SENTENCES} more texts contain such instructions."] if len(lines) > MOST_SENTENCES else []
    )
    return (*lines[:MOST_SENTENCES], *more, *_about(list(about)))


def _joined(what: list[str]) -> str:
    return " and ".join([", ".join(what[:-1]), what[-1]] if len(what) > 1 else what)


def _about(paths: list[str]) -> list[str]:
    if not paths:
        return []
    more = f" and {len(paths) - MOST_FILES} more" if len(paths) > MOST_FILES else ""
    return [f"Instructions to agents, as expected in files about them, are in {', '.join(paths[:MOST_FILES])}{more}."]


def _of_issue(issue: Issue) -> Iterator[ReadText]:
    if issue.trust != "user":
        yield ReadText(f"The issue{_by(issue.author)}", issue.text)
    for comment in issue.comments:
        if comment.trust != "user":
            on = _name(comment.about.partition(" ")[0].rstrip(","))
            yield ReadText(f"A comment{_by(comment.author)}{f' on {on}' if on else ''}", comment.body)


def _by(author: str) -> str:
    return f" by {_name(author)}" if author else ""


def _name(text: str) -> str:
    line = " ".join(INVISIBLE.sub("", text).split())
    return line if len(line) <= LONGEST_NAME else f"{line[:LONGEST_NAME]}…"


def _of_steps(steps: Iterable[Step], source_of: Callable[[str], TextSource]) -> Iterator[ReadText]:
    for step in steps:
        for action, seen in zip(step.actions, step.observations, strict=False):
            source = source_of(action.tool)
            if source.owner != "harness":
                yield from _of_result(action, seen, source)
        if step.author == "proof":
            yield from (ReadText("The output of the tests", seen.text) for seen in step.observations)
        elif not step.actions:
            for seen in step.observations:
                for path, text in FRAME.findall(seen.text):
                    yield ReadText(f"The file {_name(path)}", text, _name(path), is_message=False)


def _of_result(action: Action, seen: Observation, source: TextSource) -> Iterator[ReadText]:
    """Yield the result of an action, and apart from it the instruction files that were added to it."""
    text = seen.text
    for path, added in FRAME.findall(text):
        if path in seen.data.get(SHOWN, ()):
            yield ReadText(f"The file {_name(path)}", added, _name(path), is_message=False)
            text = text.replace(added, "")
    yield _of_action(action, replace(seen, text=text), source)


def _of_action(action: Action, seen: Observation, source: TextSource) -> ReadText:
    is_message = source.owner == "program"
    what = str(action.arguments.get(source.argument) or "") if source.argument else action.tool
    what = _name(what.strip().partition("\n")[0] if is_message else what)
    quoted = what.replace("`", "'") if is_message else what  # the title quotes a command in backquotes
    return ReadText(source.title.replace("{}", quoted), seen.text, what if source.argument else "", is_message)


def _findings(text: ReadText) -> Iterator[tuple[str, str]]:
    """Yield (source, what it demands) for a text, its hidden parts, and the alt texts of its images."""
    plain = text.text[:LONGEST]
    if not plain.isascii():
        if shown := hidden_text(plain):
            yield text.source, f"contains invisible text ({len(shown)} characters)"
        plain = unicodedata.normalize("NFKC", INVISIBLE.sub("", f"{plain}\n{shown}"))
    for source, part, hidden in _parts(text.source, plain):
        for what in find_demands(part, is_message=text.is_message, hidden=hidden):
            yield source, what


def _parts(source: str, text: str) -> Iterator[tuple[str, str, bool]]:
    for alt in ALT.findall(text):
        yield f"The alt text of a picture in {_inside(source)}", next(filter(None, alt), ""), True
    for comment in COMMENTED.findall(text):
        yield f"A hidden comment in {_inside(source)}", comment, True
    yield source, COMMENTED.sub("", ALT.sub("", text)), False


def _inside(source: str) -> str:
    return source[:1].lower() + source[1:]
