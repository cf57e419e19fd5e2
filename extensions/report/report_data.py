"""The data of a report as plain JSON, which the report's page displays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from extensions.report.report_pictures import ROOM as PICTURE_ROOM
from extensions.report.report_pictures import ReportPictures
from extensions.report.report_text import (
    ROOM,
    Diff,
    ReportText,
    lengths,
    mask_texts,
    text_limit,
    unicode,
)
from extensions.report.timeline import TimelineContext, ended, items
from extensions.report.tree_diffs import FILE_BYTES, FILES, FileDiff, Pair, PairDiff, pair_diffs
from trajectories.branch_structure import branches_as_json as branches_told
from trajectories.branch_structure import structure
from trajectories.errors import RunBroken
from trajectories.outcome_words import PART_SENTENCES, verdict_tone
from trajectories.page_picture import pages_of_tree
from trajectories.record_text import MAX_DATA_CHARACTERS, format_time, is_short_data
from trajectories.records import Exit, Issue, Run, Step
from trajectories.reply_costs import costs
from trajectories.trajectory import NOT_CHECKED, RunView
from trajectories.unified_diff import count_changed_lines, split_header
from trajectories.verdict import Verdict

DIFFS = 12_000_000
"""Maximum number of bytes of diffs in a report."""
SETTINGS = (
    *("workspace", "image", "test", "budget", "max_steps", "max_tokens", "max_time", "rounds", "effort", "subtree"),
    *("function", "workload", "benchmark", "apply", "branch", "pr"),
)
"""The settings that a report shows."""
_NAME = re.compile(r"^(?:\+\+\+ (?:b/)?|--- (?:a/)?)(?!/dev/null)([^\t\r\n]+)", re.MULTILINE)
_OF_GIT = re.compile(r"^(?=diff --git )", re.MULTILINE)
_BARE = re.compile(r"^(?=--- .*\n\+\+\+ .*\n@@ -)", re.MULTILINE)
"""Patterns for the start of a file's section in a patch, written by git (`_OF_GIT`) or by another program (`_BARE`)."""


def build_report_data(material: RunView, words: ReportText, share: int = 1) -> dict[str, Any]:
    """Return the data of a run for a report on `share` runs, reading only files of that run. The length of texts and
    diffs is limited, and `cut` contains sentences that describe what is excluded. Every text is masked. Raises
    RunBroken for a run whose first records are missing."""
    trajectory = material.trajectory
    run = trajectory.run
    if run is None or not trajectory.turns:
        raise RunBroken(f"The run {material.name} was not started.", "Choose another one.")
    found, spent = structure(trajectory), costs(material)
    steps = trajectory.all_steps()
    pairs = [(run.base.tree, _last_tree(material)), *zip(found.before, (step.tree for step in steps), strict=True)]
    patch, *diffs = _diffs(material, pairs, DIFFS // share)
    if not material.is_ours:
        patch = _submitted_patch(material.patch().diff, DIFFS // share)
    for diff in (patch, *diffs):
        _hide(diff, words)
    pictures = ReportPictures(material, words, PICTURE_ROOM // share)
    pages = [pictures.page(page) for page in pages_of_tree(trajectory, _last_tree(material))]
    context = TimelineContext(material, words, found, spent, diffs, pictures)
    turn = trajectory.turns[-1]
    everything = {
        "name": material.name,
        "title": run.issue.title,
        "issue": _issue(run.issue) | {"pictures": pictures.of_issue(run.issue.images)},
        "repository": run.repository,
        "base": str(run.base) if run.base.commit else "",
        "strategy": turn.strategy,
        "model": turn.models.get("coder", ""),
        "at": format_time(run.at),
        "versions": run.versions,
        "settings": _settings(run),
        "ended": ended(trajectory.exit, material) if trajectory.exit else None,
        "spent": _spent(material),
        "verdict": _verdict(material, words),
        "pages": pages,
        "pages_note": NOT_CHECKED if pages and material.untrusted else "",
        "patch": [_one(file, words) for file in patch.files],
        "plan": [phase.as_json() for phase in found.phases],
        "branches": _branches(material, branches_told(found, trajectory, spent)),
        "items": list(items(context)),
        "costs": spent.steps,
        "pictures": pictures.found,
    }
    sizes = list(lengths(everything))
    limit = text_limit(sizes, ROOM // share)
    long = sum(size > limit for size in sizes)
    hidden: dict[str, Any] = mask_texts(everything, words.mask, limit)
    return hidden | {"cut": [*_shortened(long, limit), *_cut(context, patch)]}


def _last_tree(material: RunView) -> str:
    """Return the tree from which a session would continue (see `agent.run_state.turn_state.tree_at`): the best tree if
    a turn has ended, otherwise the tree of the main branch's last step."""
    trajectory = material.trajectory
    base = trajectory.run.base.tree if trajectory.run else ""
    ends = (each for each in reversed(trajectory.records) if isinstance(each, Exit | Step))
    return next((each.tree for each in ends if each.tree and getattr(each, "branch", "main") == "main"), base)


def _diffs(material: RunView, pairs: Sequence[Pair], room: int) -> list[PairDiff]:
    if material.trees is None:
        return [PairDiff() for _ in pairs]
    return list(pair_diffs(material.trees, pairs, room))


def _issue(issue: Issue) -> dict[str, Any]:
    comments = [{name: value for name, value in asdict(each).items() if name != "url"} for each in issue.comments]
    return {
        "title": issue.title,
        "body": issue.body,
        "url": issue.url,
        "author": issue.author,
        "trust": issue.trust,
        "labels": list(issue.labels),
        "comments": comments,
    }


def _settings(run: Run) -> dict[str, Any]:
    return {name: run.settings[name] for name in SETTINGS if run.settings.get(name) not in (None, "", False, [], {})}


def _spent(material: RunView) -> dict[str, Any]:
    spent = material.spent
    tokens = {"input": spent.input_tokens, "cached": spent.cached_tokens, "output": spent.output_tokens}
    return {"dollars": spent.dollars, **tokens, "calls": spent.calls}


def _verdict(material: RunView, words: ReportText) -> dict[str, Any] | None:
    """Return the last verdict on the run's current tree, which may be from an earlier turn if later turns changed no
    file."""
    tree, exits = _last_tree(material), [each for each in material.trajectory.records if isinstance(each, Exit)]
    proven = (exit.verdict for exit in reversed(exits) if exit.verdict != Verdict() and exit.tree == tree)
    verdict = next(proven, None)
    if verdict is None:
        return None
    parts = {part: getattr(verdict, part) for part in PART_SENTENCES}
    rows = [
        {"name": part, "value": value, "words": PART_SENTENCES[part]}
        for part, value in parts.items()
        if verdict.kind != "faster" or value is not None  # a speed-up has no failing test
    ]
    shown_verdict = {name: value for name, value in asdict(verdict).items() if name not in parts}
    del shown_verdict["facts"]
    shown_verdict |= {"notes": list(verdict.notes), "tone": verdict_tone(verdict)}
    if material.untrusted:
        shown_verdict |= {"tone": "warning", "kind": f"claimed: {verdict.kind}", "notes": [NOT_CHECKED, *verdict.notes]}
    base = material.trajectory.run.base if material.trajectory.run else ""
    return shown_verdict | {"rows": rows, "repeat": f"In a checkout of {base}, with this report's patch as patch.diff."}


def _branches(material: RunView, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if material.untrusted:
        return [row | {"ended": f"claimed: {row['ended']}" if row["ended"] else ""} for row in rows]
    return rows


def _submitted_patch(diff: str, room: int) -> PairDiff:
    """Return the files of the patch that another program's trajectory submitted."""
    begins = _OF_GIT if _OF_GIT.search(diff) else _BARE
    sections = [section for section in begins.split(diff) if section.strip()]
    patch = PairDiff(count=len(sections))
    for section in sections[:FILES]:
        header, _ = split_header(section)
        names = _NAME.findall(header)
        is_new = "\nnew file mode" in header or "--- /dev/null" in header
        is_gone = "\ndeleted file mode" in header or "\n+++ /dev/null" in header
        added, removed = count_changed_lines(section)
        kept = section[: min(FILE_BYTES, room)]
        room -= len(kept)
        cut = "too long" if len(kept) < len(section) else ""
        status = "A" if is_new else "D" if is_gone else "M"
        patch.files.append(FileDiff(names[-1] if names else "", status, kept, added, removed, cut))
    return patch


def _hide(diff: PairDiff, words: ReportText) -> None:
    """Mask secrets in the diffs; a masked patch is marked, since it cannot be applied."""
    for file in diff.files:
        text = unicode(file.diff)
        hidden = Diff(words.mask(text))
        file.cut = file.cut or ("not UTF-8" if text != file.diff else "masked" if hidden != text else "")
        file.diff = hidden


def _one(file: FileDiff, words: ReportText) -> dict[str, Any]:
    part = "tests" if file.path and words.in_tests(file.path) else "source"
    about = {"path": file.path, "part": part, "status": file.status, "cut": file.cut}
    return about | {"added": file.added, "removed": file.removed, "diff": file.diff}


def _shortened(long: int, limit: int) -> Iterator[str]:
    if long:
        yield f"The middle of {_counted(long, 'text')} of more than {limit:,} characters is left out."


def _cut(context: TimelineContext, patch: PairDiff) -> Iterator[str]:
    """Yield sentences that describe what is excluded, apart from shortened texts."""
    diffs = [patch, *context.diffs]
    if more := sum(not is_short_data(note.data) for note in context.material.trajectory.notes):
        yield f"The data of {_counted(more, 'note')} is left out: it has more than {MAX_DATA_CHARACTERS:,} characters."
    if cut := sum(bool(file.cut) for diff in diffs for file in diff.files):
        yield f"The diffs of {_counted(cut, 'file')} are incomplete: too long, not text, or masked."
    if more := context.pictures.left_out:
        where = "it is" if more == 1 else "they are"
        yield f"{_counted(more, 'picture')} of pages did not fit: {where} in the run's folder."
    if more := sum(diff.count - len(diff.files) for diff in diffs):
        yield f"{_counted(more, 'changed file')} of steps that changed very many files are not listed."
    if missing := sum(diff.missing for diff in diffs):
        yield f"The changes of {_counted(missing, 'step')} are unknown: the files are not in the run's folder."


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
