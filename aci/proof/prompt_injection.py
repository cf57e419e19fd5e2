"""Text in a finished trajectory that is addressed to an agent: in the issue, comments, files, what commands printed.

What is found is told and judges nothing; what such text could ask for is bounded elsewhere (`docs/security.md`). That
texts of strangers reach an agent as instructions is known since Greshake et al., arXiv 2302.12173. No pattern finds all
of them; these are the common ones, and they are kept narrow: what speaks of tokens and rules is mostly code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aci.injection_signs import ABOUT_SUCH, ALT, COMMENTED, INVISIBLE, asked_for, hidden_text
from trajectories.records import Action, Issue, Observation, Step

MOST_TOLD, MOST_FILES = 5, 3
LONGEST_NAME = 80
LONGEST = 200_000
"""Characters of a text that are looked at."""
OWN = frozenset({"edit", "submit", "undo"})
"""Tools whose answers say what the model itself wrote."""
ADVICE = re.compile(r'<advice file="([^"\n]{1,200})">\n(.*?)\n</advice>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Text:
    """Something that a model read. `source` begins a sentence. `path` is the file or command it is from; `told` says
    whether somebody wrote it to be read at once: an issue, a comment, the output of a command."""

    source: str
    text: str
    path: str = ""
    told: bool = True


def attempts(steps: Iterable[Step], issue: Issue) -> tuple[str, ...]:
    """Attempts at instructing the agent, a sentence each, with the source and no words of theirs. Files that are about
    such attempts by their names (prompts, data of tests of safety) are named together in one."""
    found: dict[str, list[str]] = {}
    about: dict[str, None] = {}
    for text in (*_of_issue(issue), *_of_steps(steps)):
        for source, what in _looked_at(text):
            if text.path and ABOUT_SUCH.search(text.path):
                about[text.path] = None
            elif what not in found.setdefault(source, []):
                found[source].append(what)
    lines = [f"{source} {_joined(what)}." for source, what in found.items()]
    more = [f"{len(lines) - MOST_TOLD} more texts are of that kind."] if len(lines) > MOST_TOLD else []
    return (*lines[:MOST_TOLD], *more, *_about(list(about)))


def _joined(what: list[str]) -> str:
    return " and ".join([", ".join(what[:-1]), what[-1]] if len(what) > 1 else what)


def _about(paths: list[str]) -> list[str]:
    if not paths:
        return []
    more = f" and {len(paths) - MOST_FILES} more" if len(paths) > MOST_FILES else ""
    return [f"Words to agents, as texts about them have, stand in {', '.join(paths[:MOST_FILES])}{more}."]


def _of_issue(issue: Issue) -> Iterator[Text]:
    if issue.trust != "user":
        yield Text(f"The issue{_by(issue.author)}", issue.text)
    for comment in issue.comments:
        if comment.trust != "user":
            on = _name(comment.about.partition(" ")[0].rstrip(","))
            yield Text(f"A comment{_by(comment.author)}{f' on {on}' if on else ''}", comment.body)


def _by(author: str) -> str:
    return f" by {_name(author)}" if author else ""


def _name(text: str) -> str:
    line = " ".join(INVISIBLE.sub("", text).split())
    return line if len(line) <= LONGEST_NAME else f"{line[:LONGEST_NAME]}…"


def _of_steps(steps: Iterable[Step]) -> Iterator[Text]:
    for step in steps:
        for action, seen in zip(step.actions, step.observations, strict=False):
            if action.tool not in OWN:
                yield _of_action(action, seen)
        if step.author == "proof":
            yield from (Text("The output of the tests", seen.text) for seen in step.observations)
        elif not step.actions:
            for seen in step.observations:
                for path, text in ADVICE.findall(seen.text):
                    yield Text(f"The file {_name(path)}", text, _name(path), told=False)


def _of_action(action: Action, seen: Observation) -> Text:
    named = action.arguments
    match action.tool:
        case "view":
            path = _name(str(named.get("path") or ""))
            return Text(f"The file {path}", seen.text, path, told=False)
        case "shell":
            command = _name(str(named.get("command") or "").strip().partition("\n")[0])
            return Text(f"The output of `{command.replace('`', chr(39))}`", seen.text, command)
        case "python":
            return Text("The output of Python", seen.text)
        case "run_tests":
            return Text("The output of the tests", seen.text)
        case "search":
            return Text("What a search found", seen.text, told=False)
        case tool:
            return Text(f"What {_name(tool)} answered", seen.text, told=False)


def _looked_at(text: Text) -> Iterator[tuple[str, str]]:
    """(source, what it asks) of a text, of its hidden parts, and of the alt texts of its pictures."""
    plain = text.text[:LONGEST]
    if not plain.isascii():
        if shown := hidden_text(plain):
            yield text.source, f"holds invisible text ({len(shown)} characters)"
        plain = unicodedata.normalize("NFKC", INVISIBLE.sub("", f"{plain}\n{shown}"))
    for source, part, hidden in _parts(text.source, plain):
        for what in asked_for(part, told=text.told, hidden=hidden):
            yield source, what


def _parts(source: str, text: str) -> Iterator[tuple[str, str, bool]]:
    for alt in ALT.findall(text):
        yield f"The alt text of a picture in {_inside(source)}", next(filter(None, alt), ""), True
    for comment in COMMENTED.findall(text):
        yield f"A hidden comment in {_inside(source)}", comment, True
    yield source, COMMENTED.sub("", ALT.sub("", text)), False


def _inside(source: str) -> str:
    return source[:1].lower() + source[1:]
