"""Repair of planted bugs by templates alone, and by templates and a model's fillings of masked code.

    python -m benchmarks.cloze --repos DIR --bugs FILE --answers DIR --json OUT [--sample 18] [--unfixed] [--seconds 60]

FILE is a half of `benchmarks/planted.py`, from which `--sample` bugs are drawn by a seed, in turn from each operator.
The first run searches with templates and writes the questions to the role `filler` to files `ID-N.question.txt` in the
folder of answers. With `--unfixed`, bugs do not count towards the sample if the edit of the templates restores the
original, cannot be compared with it, or is not in doubt, so that no one is asked. Answers are written to
`ID-N.reply.txt`, by a model or by hand from the questions alone; the next run tries their fillings and compares them
with what the templates found. Bugs that OUT contains are not searched again. Both sides are checked as in
`benchmarks/planted.py`; edits and CPU seconds with fillings include those of the templates.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from string import Template
from threading import Event
from typing import Any

from benchmarks._planting import PackageWorkspace, named, open_package, run_suite, sources
from benchmarks._planting_make import Bug, read
from benchmarks.planted import SECONDS, Row, _check_with_suite
from extensions.repair.cloze import fillings
from extensions.repair.cloze_search import masks_of, question_values
from extensions.repair.repair_search import RepairTask, SearchResult, search
from extensions.repair.search_progress import WIDTH
from extensions.repair.template_search import CLOZE_SECONDS, RANKED
from trajectories.errors import SweAgentError

SEED = 7
STRATEGIES = Path(__file__).parents[1] / "agent" / "strategies"


class ListMemory:
    """What a search has tried, for the search that continues it."""

    def __init__(self, parts: Iterable[tuple[dict[str, Any], str]] = ()) -> None:
        self.values = [(part, bytes.fromhex(digests)) for part, digests in parts]

    def parts(self) -> Iterable[tuple[dict[str, Any], bytes]]:
        return list(self.values)

    def keep(self, part: dict[str, Any], digests: bytes) -> None:
        self.values.append((json.loads(json.dumps(part)), digests))

    def as_json(self) -> list[Any]:
        return [(part, digests.hex()) for part, digests in self.values]


def measure(repos: Path, bug: Bug, seconds: float, answers: Path, known: dict[str, Any]) -> None:
    """Search with templates unless `known` has the result, then with the fillings of the answers, if there are any."""
    package = named(bug.package)
    original = sources(repos, package)[bug.path]
    with open_package(repos, package, {bug.path: bug.apply(original)}) as place:
        before = run_suite(place.workspace, package)
        failing = [test for test in before.failed if test in bug.failing]
        task = RepairTask(place.workspace, place.trees, place.tree, failing, before.passed, package.command)
        start = Row(bug.id, bug.package, bug.operator, bug.what, len(failing))
        wanted = {*failing, *before.passed}

        def check(found: SearchResult) -> Row:
            hits = [one for each in found.choice.behaviours for one in (each.candidate, *each.alike)]
            row = replace(start, plausible=len(hits), tried=found.tried, cpu=round(found.cpu, 1), why=found.why)
            return _check_with_suite(place, found, bug, original, wanted, row)

        if "templates" not in known:
            memory = ListMemory()
            try:
                found = search(task, seconds, Event(), memory=memory)
            except SweAgentError as error:
                known |= {"templates": asdict(replace(start, why=error.message)), "asked": False, "fillings": 0}
                return
            known |= {"templates": asdict(check(found)), "memory": memory.as_json(), "doubt": found.choice.doubt}
            known["asked"] = not found.choice.behaviours or bool(found.choice.doubt)
            known["ranked"] = [(one.path, one.line, one.score) for one in found.suspects[:RANKED]]
            known["questions"] = (
                _write_questions(place, known["ranked"], failing, bug, answers) if known["asked"] else 0
            )
        replies = [answers / f"{bug.id}-{number}.reply.txt" for number in range(1, known.get("questions", 0) + 1)]
        if replies and all(one.exists() for one in replies) and "cloze" not in known:
            masks = masks_of(partial(place.trees.read, place.tree), known["ranked"])
            filled = [
                one for part, file in zip(masks, replies, strict=True) for one in fillings(part, file.read_text())
            ]
            filled.sort(key=lambda one: -one.score)
            memory = ListMemory(known["memory"])
            found = search(task, seconds + CLOZE_SECONDS, Event(), memory=memory, fillings=filled)
            known |= {"cloze": asdict(check(found)), "fillings": len(filled)}
        known.setdefault("fillings", 0)


def _write_questions(
    place: PackageWorkspace, ranked: list[Any], failing: Sequence[str], bug: Bug, answers: Path
) -> int:
    read_file = partial(place.trees.read, place.tree)
    prompt = Template((STRATEGIES / "templates.cloze.txt").read_text())
    masks = masks_of(read_file, ranked)
    for number, part in enumerate(masks, 1):
        values = question_values(part, "", read_file, failing)
        (answers / f"{bug.id}-{number}.question.txt").write_text(prompt.safe_substitute(values))
    return len(masks)


def sample_order(bugs: Sequence[Bug]) -> list[Bug]:
    """Return the bugs in random order, in turn from each operator."""
    turns: Counter[str] = Counter()
    ordered = []
    for bug in random.Random(SEED).sample(bugs, len(bugs)):
        turns[bug.operator] += 1
        ordered.append((turns[bug.operator], bug))
    return [bug for _, bug in sorted(ordered, key=lambda one: one[0])]


def is_unfixed(row: dict[str, Any]) -> bool:
    """Return whether the filler is asked and the edit of the templates is known not to restore the original."""
    templates = Row(**row["templates"])
    return bool(row["asked"]) and not templates.is_equal and templates.equal != "unknown"


def report(rows: Sequence[dict[str, Any]]) -> str:
    """Format the counts of both sides; a bug for which no one is asked counts for both."""
    lines = [
        "| side | bugs | passes | whole suite | equal | questions | fillings | edits tried | CPU s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    done = [row for row in rows if not row["asked"] or "cloze" in row]
    for side in ("templates", "cloze"):
        every = [Row(**row.get(side, row["templates"])) for row in done]
        asked = sum(row.get("questions", 0) for row in done) if side == "cloze" else 0
        filled = sum(row["fillings"] for row in done) if side == "cloze" else 0
        counts = [len(every), sum(one.plausible > 0 for one in every), sum(one.is_repaired for one in every)]
        counts += [sum(one.is_equal for one in every), asked, filled]
        tried = sum(map(_fillings_tried, done)) if side == "cloze" else 0
        counts += [sum(row["templates"]["tried"] for row in done) + tried, round(sum(one.cpu for one in every))]
        lines.append(f"| {'with fillings' if side == 'cloze' else side} | {' | '.join(map(str, counts))} |")
    waiting = len(rows) - len(done)
    return "\n".join([*lines, *([f"{waiting} bugs wait for answers."] if waiting else [])])


def _fillings_tried(row: dict[str, Any]) -> int:
    """Return the number of edits that the second search tried; its own count starts from what the memory has."""
    known = sum(len(bytes.fromhex(digests)) // WIDTH for _, digests in row.get("memory", []))
    return int(row["cloze"]["tried"]) - known if "cloze" in row else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--bugs", type=Path, required=True, metavar="FILE")
    parser.add_argument("--answers", type=Path, required=True, metavar="DIR")
    parser.add_argument("--sample", type=int, default=18, metavar="N")
    parser.add_argument("--unfixed", action="store_true", help="sample only bugs that templates do not fix")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="CPU seconds of the target for each search")
    parser.add_argument("--json", type=Path, required=True, metavar="OUT")
    options = parser.parse_args(arguments)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    options.answers.mkdir(parents=True, exist_ok=True)
    known: dict[str, Any] = json.loads(options.json.read_text()) if options.json.exists() else {}
    rows: list[dict[str, Any]] = []
    for bug in sample_order(read(options.bugs)):
        if len(rows) == options.sample:
            break
        row = known.setdefault(bug.id, {})
        measure(options.repos.resolve(), bug, options.seconds, options.answers, row)
        options.json.write_text(json.dumps(known) + "\n")
        if options.unfixed and not is_unfixed(row):
            print(bug.id, "is fixed by templates, or no one is asked.", flush=True)
            continue
        rows.append(row)
        names = [one for one in ("templates", "cloze") if one in row]
        print(
            bug.id,
            *(f"{one}: {row[one]['plausible']} pass, {row[one]['equal'] or 'none'}." for one in names),
            flush=True,
        )
    print(report(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
