"""Lessons of a finished run for later runs in its repository, derived from its records.

An entry says what was requested, where and how it was fixed, what was proven, and which attempts failed. Only proofs
decide on success and failure: a run that stops because its budget or time is used up yields no lesson. The lesson in
words is that of `lesson_writer.py`, if a model wrote one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from aci.graph.file_selection import language_of
from aci.graph.parser import load_language
from aci.graph.patch_impact import Edit
from aci.history.fix_kinds import kinds_of_diff, kinds_of_issue
from aci.issue_text.issue_mentions import find_mentions
from aci.observation.output_text import cut, cut_lines, shorten
from aci.observation.secret_masking import mask_secrets, without_url_secrets
from aci.observation.untrusted_text import clean_text
from aci.repository.patch import diff_sections, split_patch
from aci.repository.test_files import is_test
from agent.conversation.model_roles import LESSON_WRITER
from agent.engine.proof_step import verdict_of
from agent.prompts.quotation import lowest_trust
from agent.run_state.checkouts import EXPERIENCE
from agent.run_state.rewind import AUTHOR as UNDO
from agent.run_state.rewind import rewinds
from agent.run_state.strategy_traits import is_conversational
from agent.run_state.turn_state import MAIN, submission_field, turn_base_tree, turn_issue
from extensions.memory.experience_bank import LESSON, Bank, Entry, ExperienceQuery, combine_word_counts
from extensions.memory.lesson_search import record_use
from trajectories.errors import SweAgentError
from trajectories.records import Exit, Issue, Once, Record, Reply, Step
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from aci.history.repository_identity import Identity
    from agent.engine.engine import Engine
    from trajectories.git_store.trees import Trees
    from trajectories.trajectory import Trajectory

MOST_WORDS, MOST_PLACES, MOST_TESTS, MOST_ENDS = 60, 12, 5, 4
LONGEST_CHANGE, LONGEST_SYMPTOM, LONGEST_LINE = 1_500, 600, 300
LARGEST = 200_000
"""Maximum size in bytes of a file in which changed definitions are identified."""
TITLE, PROSE, CODE = 3, 1, 1
"""Weights of the words in an issue's title, prose and code. Traceback frames are ignored because they are similar in
all issues."""
COUNTER_EVIDENCE = {"green": "its test still fails with the patch", "no_loss": "it breaks tests that passed before"}
"""Descriptions of the evidence against a patch, keyed by the part of the verdict that failed. A test that passes
without the patch is not evidence against the patch."""


LESSON_LINE = re.compile(rf"(?im)^[^\w\n]*({'|'.join(LESSON)})[^\w\n]*:[^\w\n]*(.+)$")
NO_LESSON = re.compile(r"(?i)\W*(?:none|nothing|n/?a|unknown)\W*")
JUDGED = ("verified", "plausible", "disputed", "unproven", "not_found")
"""Ends of a run that say whether the lessons that it was shown helped."""


def open_bank(state: Path, identity: Identity) -> Bank:
    """Return the experience bank of a repository in the user's state folder."""
    return Bank(state / EXPERIENCE / identity.key)


def store_lessons(engine: Engine, coming: Exit | None = None) -> None:
    """Store the lesson of the run's last turn, if there is one, in the user's state folder, and whether the lessons
    that it was shown helped.

    `coming` is the exit of the turn, which is recorded afterwards: if the program is killed in between, the resumed run
    stores the same again, which changes nothing. Entries of undone turns are removed. Errors are reported but not
    raised, because the work itself has already ended.
    """
    from aci.history.git_log import GitLog

    if not engine.settings.experience:
        return
    try:
        _store_uses(engine, coming)
        committed = GitLog(engine.repository.git_dir).time(engine.run.base.commit)
        entry = (
            lesson_of_turn(engine.trajectory, engine.trees, committed, engine.secrets, coming)
            if committed is not None
            else None
        )
        undone_ids = undone_entries(engine.trajectory)
        found = engine.stored_results.identity() if entry or undone_ids else None
        if found is None:
            return
        bank = open_bank(engine.settings.state, found)
        for other in bank.entries() if undone_ids else ():
            if other.id in undone_ids:
                bank.forget(other)
        if entry is None or not engine.stored_results.claimed_identity():
            return
        bank.add(entry, {"root": found.root, "origin": mask_secrets(found.origin, engine.secrets)})
    except (SweAgentError, OSError) as error:
        engine.report("say", "main", f"No lesson was stored for later runs: {error}")
        return
    if not entry.accepted:
        engine.report(
            "say", "main", f"Later runs use the lesson of this run after `swe-agent experience accept {entry.id}`."
        )


def _store_uses(engine: Engine, coming: Exit | None) -> None:
    """Record whether the lessons that the turn was shown helped, if its end says so."""
    exit = engine.trajectory.exit or coming
    shown = shown_lessons(engine.trajectory)
    if exit is not None and shown and (exit.verdict.complete or exit.kind in JUDGED):
        name = _id(engine.run.id, len(engine.trajectory.turns))
        record_use(engine.settings.state / EXPERIENCE, name, shown, exit.verdict.complete, exit.at)


def shown_lessons(trajectory: Trajectory) -> set[str]:
    """Return the keys of the lessons that prompts of the current turn contained."""
    values = (record.value for record in trajectory.of_turn if isinstance(record, Once))
    listed = (value for value in values if isinstance(value, list))
    return {each["lesson"] for value in listed for each in value if isinstance(each, dict) and each.get("lesson")}


def undone_entries(trajectory: Trajectory) -> set[str]:
    """Return the ids of the entries for turns that the last turn undid: those with steps after the target of its
    rewind."""
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


def lesson_of_turn(
    trajectory: Trajectory, trees: Trees, committed: int, secrets: Sequence[str] = (), coming: Exit | None = None
) -> Entry | None:
    """Return the entry of the last turn; None if the turn neither proved nor disproved anything.

    `committed` is the time of the base commit, in seconds since the epoch; `coming` is the turn's exit if it is not
    recorded yet.
    """
    run, exit = trajectory.run, trajectory.exit or coming
    if run is None or exit is None or not trajectory.turns:
        return None
    turn = trajectory.turns[-1]
    if is_conversational(turn.strategy):  # the turn was only a conversation, or only the user's own work
        return None
    whole = len(trajectory.turns) == 1
    base = run.base.tree if whole else turn_base_tree(trajectory, run.base.tree)
    issue = run.issue if whole else turn_issue(turn)
    issue = replace(issue, title=_safe(issue.title, secrets), body=_safe(issue.body, secrets))
    succeeded = exit.verdict.complete
    ends = tuple(islice(_dead_ends(trajectory, trees, base, exit.tree if succeeded else ""), MOST_ENDS))[::-1]
    change = split_patch(trees, base, exit.tree).source
    if not (change if succeeded else ends):
        return None
    words = _words(issue)
    trust = lowest_trust(run.issue, (each.request for each in trajectory.turns))
    return Entry(
        id=_id(run.id, len(trajectory.turns)),
        outcome="worked" if succeeded else "failed",
        run=run.id,
        issue=_line(issue.title, secrets),
        url=_line(run.issue.url, secrets) if whole else "",
        author=_line(run.issue.author, secrets) if whole else "",
        trust=trust,
        accepted=trust != "stranger",
        at=exit.at,
        base=run.base.commit,
        committed=committed,
        ended=exit.verdict.kind if succeeded else exit.kind,
        symptom=shorten(cut_lines(issue.text, LONGEST_LINE), LONGEST_SYMPTOM),
        errors=tuple(_line(error, secrets) for error in _errors(issue)),
        words=tuple(sorted(words, key=lambda word: (-words[word], word))[:MOST_WORDS]),
        places=_places(trees, base, exit.tree),
        kinds=kinds_of_diff(change),
        change=shorten(cut_lines(_safe(_hunks(change), secrets), LONGEST_LINE), LONGEST_CHANGE),
        tests=tuple(_line(test, secrets) for test in exit.verdict.tests[:MOST_TESTS]),
        summary=_line(submission_field(trajectory.of_turn, "summary"), secrets) if succeeded else "",
        dead_ends=tuple(_line(end, secrets) for end in ends),
        **_lesson(trajectory, secrets),
    )


def _lesson(trajectory: Trajectory, secrets: Sequence[str]) -> dict[str, str]:
    """Return the lesson in words from the reply of the lesson writer in this turn; empty without one."""
    replies = [each for each in trajectory.of_turn if isinstance(each, Reply) and is_lesson_branch(each.branch)]
    found = LESSON_LINE.findall(clean_text(replies[-1].text)) if replies else []
    lines = {name.lower(): _line(text, secrets) for name, text in reversed(found)}
    return {name: line for name, line in lines.items() if not NO_LESSON.fullmatch(line)}


def is_lesson_branch(branch: str) -> bool:
    return re.fullmatch(rf"{MAIN}/(?:\d+\.)?{LESSON_WRITER}", branch) is not None


def experience_query(issue: Issue, likely: Sequence[str], committed: int | None) -> ExperienceQuery:
    """Return the query to the experience bank for an issue; `likely` lists the probable places of the fix, most
    probable first.

    As in an entry, only the words of the issue itself are counted, not those of its comments.
    """
    return ExperienceQuery(
        words=_words(issue),
        errors=tuple(_errors(issue)),
        places=tuple(likely),
        kinds=kinds_of_issue(issue.text),
        issue=issue.title,
        url=_line(issue.url, ()),
        committed=committed,
    )


def _words(issue: Issue) -> dict[str, float]:
    found = find_mentions(replace(issue, comments=()))
    return combine_word_counts((found.title, found.prose, found.code), (TITLE, PROSE, CODE))


def _dead_ends(trajectory: Trajectory, trees: Trees, base: str, proven: str) -> Iterator[str]:
    """Describe the patches that this turn's proofs rejected, with the reasons, newest first."""
    for record in reversed(trajectory.of_turn):
        if isinstance(record, Step) and record.author == "proof" and record.tree not in (base, proven):
            verdict = verdict_of(record)
            if verdict.complete or not (why := _counter_evidence(verdict)):
                continue
            source = split_patch(trees, base, record.tree).source
            places = ", ".join(_places(trees, base, record.tree)[:3])
            if source:
                kinds = "; ".join(kinds_of_diff(source)[:2])
                yield f"{places}{f' ({kinds})' if kinds else ''}: {why}"


def _counter_evidence(verdict: Verdict) -> str:
    """Return a proof's evidence against a patch; "" if the proof could not judge the patch."""
    why = next((words for part, words in COUNTER_EVIDENCE.items() if getattr(verdict, part) is False), "")
    evidence = next(iter(verdict.lost or verdict.failures), "").strip().split("\n")[0]
    return f"{why}: {evidence}" if why and evidence else why


def _places(trees: Trees, old: str, new: str) -> tuple[str, ...]:
    """Return the innermost definitions that a patch changes outside of tests, or the changed files if there are none.

    Files that are not code, such as a changelog, are included only if no code changed.
    """
    paths = [change.path for change in trees.changed(old, new)]
    named = [path for path in paths if not is_test(path) and path.isprintable()]
    code = (place for path in named if language_of(path) for place in _definitions(trees, old, new, path))
    return tuple(islice(code, MOST_PLACES)) or tuple(named[:MOST_PLACES])


def _definitions(trees: Trees, old: str, new: str, path: str) -> list[str]:
    """Return the changed definitions of a file, or its path if there are none or the file is too large."""
    before, after = (_read(trees, tree, path) for tree in (old, new))
    if before is None or after is None:
        return [path]
    edit = Edit(path, before.decode("utf-8", "replace"), after.decode("utf-8", "replace"))
    symbols = load_language(language_of(path)).parse(before).outline.symbols
    found: list[str] = []
    for first, last in edit.lines:
        inside = [n for n, one in enumerate(symbols) if one.line <= last and first <= one.end]
        around = {symbols[n].parent for n in inside}
        found += [f"{path}:{symbols[n].name}" for n in inside if n not in around]
    return list(dict.fromkeys(found)) or [path]


def _read(trees: Trees, tree: str, path: str) -> bytes | None:
    """Return a file's bytes: empty if it does not exist, None if it is too large."""
    try:
        return trees.read(tree, path, LARGEST)
    except OSError:
        return b""
    except SweAgentError:
        return None


def _errors(issue: Issue) -> list[str]:
    """Return the error messages that the issue quotes, each with its exception class."""
    from aci.issue_text.issue_sections import split_sections

    return list(dict.fromkeys(split_sections(issue.body).errors))[:3]


def _hunks(diff: str) -> str:
    """Return a diff without its header lines; files that are not code are included only if there are no others."""
    files = diff_sections(diff)
    code = [file for file in files if (path := re.search(r"(?m)^\+\+\+ b/(.+)", file)) and language_of(path[1])]
    dropped = ("diff --git", "index ", "--- ", "new file mode", "deleted file mode")
    lines = "".join(code or files).split("\n")
    return "\n".join(line for line in lines if not line.startswith(dropped)).strip("\n")


def _safe(text: str, secrets: Sequence[str]) -> str:
    return without_url_secrets(mask_secrets(clean_text(text), secrets))


def _line(text: str, secrets: Sequence[str]) -> str:
    return cut(" ".join(_safe(text, secrets).split()), LONGEST_LINE)
