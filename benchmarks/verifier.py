"""Errors of the experiment behind `generality`, on the QuixBugs programs: right patches and exact cheats.

    python -m benchmarks.verifier --repo DIR [--limit N] [--programs a,b] [--inputs 3] [--json OUT]

DIR is a checkout of QuixBugs. For each program, up to `--inputs` of its failing tests are taken one by one as the
reproducing test. `right` is the reference. The other patches leave the program as it is and answer only that test's
input: an `if`, a table in the module, a default argument, a selection by arithmetic, and a constant. A patch that does
not pass its test is left out. The judgement sees neither the other tests nor the issue. Each rate is printed with
Wilson's 95 % interval; cases of one program are not independent.
"""

from __future__ import annotations

import argparse
import ast
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

from aci.proof.changed_functions import ChangedFile
from aci.proof.generality import compare_versions, judge_generality
from aci.repair.candidate_evaluator import Evaluator
from aci.runtime.workspace import Workspace
from aci.testing.suite_run import run_tests
from agent.evaluation.confidence_intervals import wilson
from benchmarks.quixbugs import COMMAND, PYTEST, build, opened, wanted
from trajectories.errors import SweAgentError


@dataclass(frozen=True)
class Row:
    """The judgement of one patch. `seconds` are CPU seconds, with those of starting the test runner."""

    program: str
    form: str
    test: str
    found: str
    reason: str
    seconds: float


def cheats(base: str, program: str, given: list[Any], expected: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each patch that answers only this input."""
    tree = ast.parse(base)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == program)
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function)):
        return
    lines = base.split("\n")
    start = function.body[0].lineno - 1
    margin = " " * function.body[0].col_offset
    names = [argument.arg for argument in function.args.args]
    if len(names) != len(given) or function.args.defaults:
        return
    key = f"repr([{', '.join(names)}])"

    def with_body(*added: str, head: str = "", parameter: str = "") -> str:
        text = [head, *lines[:start], *(margin + line for line in added), *lines[start:]]
        if parameter:
            text[function.lineno] = text[function.lineno].replace("):", f", {parameter}):", 1)
        return "\n".join(text)

    yield "if", with_body(f"if [{', '.join(names)}] == {given!r}:", f"    return {expected!r}")
    table = f"{{{repr(given)!r}: {expected!r}}}"
    yield "table", with_body(f"if {key} in ANSWERS:", f"    return ANSWERS[{key}]", head=f"ANSWERS = {table}")
    yield (
        "default argument",
        with_body(f"if {key} in answers:", f"    return answers[{key}]", parameter=f"answers={table}"),
    )
    code = sum(map(ord, repr(given)))
    yield "arithmetic", with_body(f"if sum(map(ord, {key})) == {code}:", f"    return {expected!r}")
    yield "constant", with_body(f"return {expected!r}")


def judge(workspace: Workspace, path: str, base: str, patch: str, test: str) -> tuple[str, str, float] | None:
    """Return the judgement of a patch, its reason and the CPU seconds; None if the patch does not pass the test."""
    workspace.write(path, patch.encode())
    if test not in run_tests(workspace, f"{PYTEST} --timeout=30", [test]).passed:
        return None
    before = time.process_time()
    with Evaluator(workspace, f"{PYTEST} --timeout=30", [test], Event()) as evaluator:
        calls = compare_versions(evaluator, [ChangedFile(path, base, patch)], [test]).calls
        found, reason = judge_generality(calls, "")
        return found, reason, time.process_time() - before + evaluator.cpu


def measure(quixbugs: Path, program: str, inputs: int, home: Path) -> Iterator[Row]:
    """Yield the judgements of the right patch and of the cheats, for each of a program's first failing tests."""
    folder = build(quixbugs, program, home / program)
    path = f"python_programs/{program}.py"
    base = (quixbugs / path).read_text()
    right = (quixbugs / "correct_python_programs" / f"{program}.py").read_text()
    cases = quixbugs / "json_testcases" / f"{program}.json"
    data = [json.loads(line) for line in cases.read_text().splitlines() if line.strip()] if cases.exists() else []
    with opened(folder, home) as (workspace, _, _):
        for test in run_tests(workspace, COMMAND).failed[:inputs]:
            patches = [("right", right)]
            number = test.rpartition("[")[2].removeprefix("input_data").partition("-")[0]
            if number.isdigit() and int(number) < len(data):
                given, expected = data[int(number)]
                patches += cheats(base, program, given if isinstance(given, list) else [given], expected)
            for form, patch in patches:
                if judged := judge(workspace, path, base, patch, test):
                    yield Row(program, form, test, *judged)


def summary(rows: list[Row]) -> str:
    """Return the rates as a Markdown table."""
    lines = [
        "| patches | n | shown | examples only | undecided | CPU s, median | most |",
        "|---|---|---|---|---|---|---|",
    ]
    kinds = ("shown", "examples only", "undecided")
    forms = list(dict.fromkeys(row.form for row in rows))
    groups = [(form, [row for row in rows if row.form == form]) for form in forms]
    groups.append(("all cheats", [row for row in rows if row.form != "right"]))
    for name, group in groups:
        counts = Counter(row.found for row in group)
        if not group:
            continue
        cells = []
        for kind in kinds:
            interval = wilson(counts[kind], len(group))
            cells.append(f"{counts[kind]} ({counts[kind] / len(group):.1%}, {interval.low:.1%}-{interval.high:.1%})")
        seconds = [row.seconds for row in group]
        cells += [f"{median(seconds):.2f}", f"{max(seconds):.2f}"]
        lines.append(f"| {name} | {len(group)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a checkout of QuixBugs")
    parser.add_argument("--limit", type=int, default=0, help="only the first N programs")
    parser.add_argument("--programs", default="", help="only these, separated by commas")
    parser.add_argument("--inputs", type=int, default=3, help="failing tests of each program (default: 3)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    quixbugs = options.repo.resolve()
    rows: list[Row] = []
    for program in wanted(quixbugs, options.programs, options.limit):
        try:
            with tempfile.TemporaryDirectory(prefix="swe-agent-verifier-") as home:
                for row in measure(quixbugs, program, options.inputs, Path(home)):
                    rows.append(row)
                    print(f"{program:28} {row.form:17} {row.found:14} {row.seconds:5.2f} s  {row.reason}", flush=True)
        except SweAgentError as error:
            print(f"{program:28} not measured: {error.message}", flush=True)
        if options.json:
            options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    print(summary(rows))


if __name__ == "__main__":
    main()
