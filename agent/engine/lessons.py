"""What a finished run teaches later ones of its repository: read off its records, without a model.

An entry says what was asked, where it was mended and how, what was proven, and what was tried before and failed. Only a
proof makes a success, and only a proof's evidence a failure: an end for want of money or time teaches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from aci.fix_kinds import kinds_asked, kinds_of
from aci.graph.choice import language_of
from aci.graph.edits import Edit
from aci.graph.parse import load
from aci.mentions import mentions
from aci.patch import is_test, sections, split
from aci.view import clean, cut_lines, mask, shorten
from agent.backtrack import rewinds
from agent.best import verdict_of
from agent.keys import without_userinfo
from agent.moves.recalling import cut
from agent.standing import MAIN, began_at, handed_in, in_words_of
from agent.traits import stays
from agent.undoing import AUTHOR as UNDO
from trajectories.errors import SweAgentError
from trajectories.experience import Bank, Entry, Question, by_words
from trajectories.records import Issue, Record, Step, Trust, Verdict

if TYPE_CHECKING:
    from aci.identity import Identity
    from agent.engine import Engine
    from trajectories.trajectory import Trajectory
    from trajectories.trees import Trees

MOST_WORDS, MOST_PLACES, MOST_TESTS, MOST_ENDS = 60, 12, 5, 4
LONGEST_CHANGE, LONGEST_SYMPTOM, LONGEST_LINE = 1_500, 600, 300
LARGEST = 200_000
"""Bytes of a file whose definitions are told."""
TITLE, PROSE, CODE = 3, 1, 1
"""What a word of an issue counts by where it stands. Frames of tracebacks are much the same in all."""
RANKS: tuple[Trust, ...] = ("stranger", "member", "user")
FROM_ELSEWHERE = ('trust="stranger"', "/issues/", "<issue")
"""In what was asked for: what shows that it quotes somebody."""
WRONG = {"green": "its test still fails with it", "no_loss": "what passed before no longer does"}
"""A test that passes without the patch is no word against the patch."""


def bank_at(state: Path, identity: Identity) -> Bank:
    """The bank of a repository in the user's state."""
    return Bank(state / "experience" / identity.key)


def keep(engine: Engine) -> None:
    """Put what the run's last turn teaches into the user's state, if it teaches anything. Trouble is told, and no more:
    the run has ended well without it. What was undone is forgotten."""
    from aci.history_git import Commits
    from aci.identity import identity

    if not engine.settings.experience:
        return
    try:
        committed = Commits(engine.repository.git_dir).time(engine.run.base.commit)
        entry = learned(engine.trajectory, engine.trees, committed, engine.secrets) if committed is not None else None
        gone = undone(engine.trajectory)
        whose = identity(engine.repository, engine.run.base.commit) if entry or gone else None
        if whose is None:
            return
        bank = bank_at(engine.settings.state, whose)
        for other in bank.entries() if gone else ():
            if other.id in gone:
                bank.forget(other)
        if entry is None:
            return
        bank.add(entry, {"root": whose.root, "origin": mask(whose.origin, engine.secrets)})
    except (SweAgentError, OSError) as error:
        engine.tell("say", "main", f"Nothing was kept for later runs: {error}")
        return
    if not entry.accepted:
        engine.tell("say", "main", f"Later runs read of this one after `swe-agent experience accept {entry.id}`.")


def undone(trajectory: Trajectory) -> set[str]:
    """The entries of what the last turn takes back: of turns with steps after the one that it goes back to."""
    if trajectory.run is None or not trajectory.turns or trajectory.turns[-1].strategy != UNDO:
        return set()
    steps = (record for record in trajectory.of_turn if isinstance(record, Step))
    target = next((number for step in steps if (number := rewinds(step)) is not None), None)
    spans = zip(trajectory.turns_at[:-1], trajectory.turns_at[1:], strict=True)
    return {
        _id(trajectory.run.id, number)
        for number, (first, end) in enumerate(spans, 1)
        if target is not None and any(_is_after(record, target) for record in trajectory.records[first:end])
    }


def _is_after(record: Record, number: int) -> bool:
    return isinstance(record, Step) and record.branch == MAIN and record.n > number


def _id(run: str, turn: int) -> str:
    return run if turn == 1 else f"{run}.{turn}"


def learned(trajectory: Trajectory, trees: Trees, committed: int, secrets: Sequence[str] = ()) -> Entry | None:
    """The entry of the last turn; None where it proved nothing and nothing was disproved. `committed` is when the base
    was, in seconds since the epoch."""
    run, exit = trajectory.run, trajectory.exit
    if run is None or exit is None or not trajectory.turns:
        return None
    turn = trajectory.turns[-1]
    if stays(turn.strategy):  # talk, or what a user did by hand
        return None
    whole = len(trajectory.turns) == 1
    base = run.base.tree if whole else began_at(trajectory, run.base.tree)
    issue = run.issue if whole else in_words_of(turn)
    issue = replace(issue, title=_safe(issue.title, secrets), body=_safe(issue.body, secrets))
    worked = exit.verdict.verified
    ends = tuple(islice(_dead_ends(trajectory, trees, base, exit.tree if worked else ""), MOST_ENDS))[::-1]
    change = split(trees, base, exit.tree).source
    if not (change if worked else ends):
        return None
    words = _words(issue)
    trust = _trust(run.issue, (each.request for each in trajectory.turns))
    return Entry(
        id=_id(run.id, len(trajectory.turns)),
        outcome="worked" if worked else "failed",
        run=run.id,
        issue=_line(issue.title, secrets),
        url=_line(without_userinfo(run.issue.url), secrets) if whole else "",
        author=_line(run.issue.author, secrets) if whole else "",
        trust=trust,
        accepted=trust != "stranger",
        at=exit.at,
        base=run.base.commit,
        committed=committed,
        ended=exit.verdict.kind if worked else exit.kind,
        symptom=shorten(cut_lines(issue.text, LONGEST_LINE), LONGEST_SYMPTOM),
        errors=tuple(_line(error, secrets) for error in _errors(issue)),
        words=tuple(sorted(words, key=lambda word: (-words[word], word))[:MOST_WORDS]),
        places=_places(trees, base, exit.tree),
        kinds=kinds_of(change),
        change=shorten(cut_lines(_safe(_hunks(change), secrets), LONGEST_LINE), LONGEST_CHANGE),
        tests=tuple(_line(test, secrets) for test in exit.verdict.tests[:MOST_TESTS]),
        summary=_line(handed_in(trajectory.of_turn, "summary"), secrets) if worked else "",
        dead_ends=tuple(_line(end, secrets) for end in ends),
    )


def asked(issue: Issue, likely: Sequence[str], committed: int | None) -> Question:
    """What is looked for in the bank for an issue with these likeliest places, the likeliest first. Words are counted
    as those of an entry are: the issue's own."""
    return Question(
        words=_words(issue),
        errors=tuple(_errors(issue)),
        places=tuple(likely),
        kinds=kinds_asked(issue.text),
        issue=issue.title,
        url=_line(without_userinfo(issue.url), ()),
        committed=committed,
    )


def _words(issue: Issue) -> dict[str, float]:
    said = mentions(replace(issue, comments=()))
    return by_words((said.title, said.prose, said.code), (TITLE, PROSE, CODE))


def _trust(issue: Issue, requests: Iterable[str]) -> Trust:
    """The least of those who had a say, also in words that a user has taken over."""
    who = {issue.trust, *(comment.trust for comment in issue.comments)}
    if any(mark in request for request in (issue.text, *requests) for mark in FROM_ELSEWHERE):
        who.add("stranger")
    return min(who, key=RANKS.index)


def _dead_ends(trajectory: Trajectory, trees: Trees, base: str, proven: str) -> Iterator[str]:
    """What a proof of this turn has spoken against, and with what, newest first."""
    for record in reversed(trajectory.of_turn):
        if isinstance(record, Step) and record.author == "proof" and record.tree not in (base, proven):
            verdict = verdict_of(record)
            if verdict.verified or not (why := _against(verdict)):
                continue
            source = split(trees, base, record.tree).source
            places = ", ".join(_places(trees, base, record.tree)[:3])
            if source:
                kinds = "; ".join(kinds_of(source)[:2])
                yield f"{places}{f' ({kinds})' if kinds else ''}: {why}"


def _against(verdict: Verdict) -> str:
    """What a proof has against a patch; "" where it only could not judge."""
    why = next((words for part, words in WRONG.items() if getattr(verdict, part) is False), "")
    telling = next(iter(verdict.lost or verdict.failures), "").strip().split("\n")[0]
    return f"{why}: {telling}" if why and telling else why


def _places(trees: Trees, old: str, new: str) -> tuple[str, ...]:
    """The definitions whose lines the source part of a patch changes, the innermost; else the file. Files that are no
    code, such as a changelog, count only if there is no other."""
    paths = [change.path for change in trees.changed(old, new)]
    named = [path for path in paths if not is_test(path) and path.isprintable()]
    code = (place for path in named if language_of(path) for place in _definitions(trees, old, new, path))
    return tuple(islice(code, MOST_PLACES)) or tuple(named[:MOST_PLACES])


def _definitions(trees: Trees, old: str, new: str, path: str) -> list[str]:
    """The path itself where there is no definition, or the file is too large."""
    before, after = (_read(trees, tree, path) for tree in (old, new))
    if before is None or after is None:
        return [path]
    edit = Edit(path, before.decode("utf-8", "replace"), after.decode("utf-8", "replace"))
    symbols = load(language_of(path)).parse(before).outline.symbols
    found: list[str] = []
    for first, last in edit.lines:
        inside = [n for n, one in enumerate(symbols) if one.line <= last and first <= one.end]
        around = {symbols[n].parent for n in inside}
        found += [f"{path}:{symbols[n].name}" for n in inside if n not in around]
    return list(dict.fromkeys(found)) or [path]


def _read(trees: Trees, tree: str, path: str) -> bytes | None:
    """A file's bytes, none where it is not there; None for one that is too large."""
    try:
        return trees.read(tree, path, LARGEST)
    except OSError:
        return b""
    except SweAgentError:
        return None


def _errors(issue: Issue) -> list[str]:
    """What was raised, with its class."""
    from aci.localization.sections import sections

    return list(dict.fromkeys(sections(issue.body).errors))[:3]


def _hunks(diff: str) -> str:
    """Without the lines that only git reads; with files that are no code only if there is no other."""
    files = sections(diff)
    code = [file for file in files if (path := re.search(r"(?m)^\+\+\+ b/(.+)", file)) and language_of(path[1])]
    left = ("diff --git", "index ", "--- ", "new file mode", "deleted file mode")
    lines = "".join(code or files).split("\n")
    return "\n".join(line for line in lines if not line.startswith(left)).strip("\n")


def _safe(text: str, secrets: Sequence[str]) -> str:
    return mask(clean(text), secrets)


def _line(text: str, secrets: Sequence[str]) -> str:
    return cut(" ".join(_safe(text, secrets).split()), LONGEST_LINE)
