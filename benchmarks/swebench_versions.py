"""`swe-agent evaluate` with versions 4 and 5 of SWE-bench's package on the same predictions, beside their own grading.

    python -m benchmarks.swebench_versions --swebench4 DIR --swebench5 DIR --instances F… --repos DIR --out DIR [ID…]

DIR is where `pip install --target DIR swebench==4.1.0` (or 5.0.2) put the package. The predictions of an instance are
its gold patch, a patch that changes nothing, and patches that print results without earning them. Rows for version 5
are made from the specifications of version 4: script, parser and set-up. Tests run on this machine, with the Pythons of
pyenv.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Any

from aci.environments.tree_files import TreeFiles
from aci.repository.user_repository import Repository
from extensions.lab.evaluation.grading_specs import grading_spec
from extensions.lab.instances.dataset_instances import Gold, read_golds, read_instances
from extensions.lab.instances.repository_clones import Repositories
from trajectories.git_store.trees import Trees

PRINT = """
import os
lines = chr(10) + {lines!r} + chr(10)
def _write(data):
    for name in ("/proc/%d/fd/1" % os.getppid(), *("/proc/self/fd/%d" % number for number in range(1, 30))):
        try:
            with open(name, "a") as file:
                file.write(data)
        except OSError:
            pass
"""
FORGERIES = {
    "ends with 0": "_write(lines)\nos._exit(0)\n",
    "ends with 1": "_write(lines)\nos._exit(1)\n",
    "with markers": "_write('>>>>> Start Test Output' + lines + '>>>>> End Test Output' + chr(10))\nos._exit(0)\n",
    "at the end": "import atexit\natexit.register(_write, lines)\n",
    "later": (
        "import subprocess, sys\n"
        "subprocess.Popen(['sh', '-c', 'sleep 1; printf \"%s\" \"$0\" >&2', lines], start_new_session=True)\n"
        "_write(lines)\nos._exit(0)\n"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swebench4", type=Path)
    parser.add_argument("--swebench5", type=Path)
    parser.add_argument("--instances", action="append", type=Path, required=True)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--step", default="", choices=("", "rows", "grade"), help=argparse.SUPPRESS)
    parser.add_argument("ids", nargs="*")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    golds = read_golds(options.instances)
    ids = options.ids or sorted(golds)
    if options.step == "rows":
        write_rows(options, ids)
    elif options.step == "grade":
        print(json.dumps(grade_logs(options, ids)))
    else:
        compare(options, ids, {id: golds[id] for id in ids})


def compare(options: argparse.Namespace, ids: Sequence[str], golds: dict[str, Gold]) -> None:
    predictions = write_predictions(options, golds)
    run_with(options.swebench4, "benchmarks.swebench_versions", options, ids, "--step", "rows")
    pythons = json.loads((options.out / "pythons.json").read_text())
    results: dict[str, dict[str, Any]] = {}
    for version, package in (("4", options.swebench4), ("5", options.swebench5)):
        for run, file in predictions.items():
            for id in ids:
                files = options.instances if version == "4" else [options.out / "rows5.jsonl"]
                given = [word for path in files for word in ("--instances", str(path))]
                words = ["--predictions", str(file), "--run-id", run, "--out", str(options.out / version / id)]
                place = [
                    "--repos",
                    str(options.repos),
                    "--workspace",
                    "local",
                    "--plain",
                    "--filter",
                    f"^{re.escape(id)}$",
                ]
                run_in(
                    package, "swe_agent", ["evaluate", *given, *words, *place], pythons[id] if version == "5" else ""
                )
        done = run_with(package, "benchmarks.swebench_versions", options, ids, "--step", "grade")
        results[version] = json.loads(done.splitlines()[-1])
    print_table(results, predictions, ids)


def print_table(results: dict[str, dict[str, Any]], runs: dict[str, Path], ids: Sequence[str]) -> None:
    print("| instance | patch | ours, 4 | ours, 5 | swebench 4 | swebench 5 |\n|---|---|---|---|---|---|")
    same = right = total = 0
    theirs = {"4": 0, "5": 0}
    for id in ids:
        for run in runs:
            found = [results[version][f"{id} {run}"] for version in "45"]
            cells = [str(one[side]) for side in ("ours", "theirs") for one in found]
            print(f"| {id} | {run} | {' | '.join(cells)} |")
            total += 1
            same += found[0]["ours"] == found[1]["ours"]
            right += all(one["ours"] is (run == "right") for one in found)
            for version, one in zip("45", found, strict=True):
                theirs[version] += one["theirs"] is (run == "right")
    print(f"\nThe same judgement with both versions: {same} of {total}. Right with both: {right} of {total}.", end=" ")
    print(f"Right by the package's own grading of the same logs: {theirs['4']} (4), {theirs['5']} (5) of {total}.")


def write_predictions(options: argparse.Namespace, golds: dict[str, Gold]) -> dict[str, Path]:
    """Write the predictions: the gold patches, patches that change nothing, and two forgeries for each instance."""
    out, forms = options.out, list(FORGERIES)
    known = {one.id: one for one in read_instances(options.instances)}
    repositories = Repositories(options.repos)
    made: dict[str, list[dict[str, str]]] = {"right": [], "nothing": [], "forged-1": [], "forged-2": []}
    for number, (id, gold) in enumerate(golds.items()):
        path = re.findall(r"^--- a/(.+\.py)$", gold.patch, re.MULTILINE)[0]
        printed = "\n".join(f"PASSED {name}" for name in (*gold.fail_to_pass, *gold.pass_to_pass))
        made["right"].append(_prediction(id, gold.patch))
        made["nothing"].append(_prediction(id, new_file("swe_note.py", "NOTE = 1\n")))
        for count in (1, 2):
            code = PRINT.format(lines=printed) + FORGERIES[forms[(2 * number + count - 1) % len(forms)]]
            text = new_file("swe_forged.py", code) + import_at_end(repositories.of(known[id]), known[id].base, path)
            made[f"forged-{count}"].append(_prediction(id, text))
    for name, rows in made.items():
        (out / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return {name: out / f"{name}.jsonl" for name in made}


def _prediction(id: str, patch: str) -> dict[str, str]:
    return {"instance_id": id, "model_patch": patch, "model_name_or_path": "benchmark"}


def new_file(path: str, text: str) -> str:
    lines = text.splitlines()
    body = "".join(f"+{line}\n" for line in lines)
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
    return f"{head}@@ -0,0 +1,{len(lines)} @@\n{body}"


def import_at_end(repository: Path, base: str, path: str) -> str:
    """Return a diff that adds an import of the forged module to the end of a file of the base."""
    command = ["git", "-C", str(repository), "show", f"{base}:{path}"]
    before = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines(keepends=True)
    after = [*before, "import sys; sys.path.insert(0, '.'); import swe_forged\n"]
    return f"diff --git a/{path} b/{path}\n" + "".join(unified_diff(before, after, f"a/{path}", f"b/{path}"))


def write_rows(options: argparse.Namespace, ids: Sequence[str]) -> None:
    """With version 4 installed, write the rows in version 5's form, and the Python of each."""
    from swebench.harness.constants import MAP_REPO_VERSION_TO_SPECS
    from swebench.harness.log_parsers import MAP_REPO_TO_PARSER
    from swebench.harness.test_spec.python import make_eval_script_list_py

    golds = read_golds(options.instances)
    known = {one.id: one for one in read_instances(options.instances)}
    repositories, rows, pythons = Repositories(options.repos), [], {}
    for id in ids:
        gold, instance = golds[id], known[id]
        specs = MAP_REPO_VERSION_TO_SPECS[instance.repo][instance.version]
        spec = grading_spec(gold, instance)
        repository = Repository.open(repositories.of(instance))
        with Trees(options.out / "trees.git") as trees:
            setup = spec.setup(TreeFiles(trees, repository.base(trees, instance.base).tree)) if spec.setup else ""
        row = {**gold.row, "repo": instance.repo, "version": instance.version, "test_patch": gold.test_patch}
        commands = make_eval_script_list_py(row, specs, "testbed", "/testbed", instance.base, gold.test_patch)
        script = "\n".join(["#!/bin/bash", "set -uxo pipefail", *commands, ""])
        extra = {"eval_type": "pass_and_fail", "log_parser": MAP_REPO_TO_PARSER[instance.repo].__name__, "image": ""}
        rows.append({**row, **extra, "eval_script": script, "setup": "\n".join([*spec.edits, setup])})
        pythons[id] = spec.python
    (options.out / "rows5.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (options.out / "pythons.json").write_text(json.dumps(pythons))


def grade_logs(options: argparse.Namespace, ids: Sequence[str]) -> dict[str, dict[str, bool | None]]:
    """Return our judgement and that of the installed package for each log."""
    from importlib.metadata import version

    number = version("swebench")[0]
    golds = read_golds(options.instances)
    known = {one.id: one for one in read_instances(options.instances)}
    rows = {row["instance_id"]: row for row in map(json.loads, (options.out / "rows5.jsonl").read_text().splitlines())}
    found: dict[str, dict[str, bool | None]] = {}
    for id in ids:
        for run in ("right", "nothing", "forged-1", "forged-2"):
            folder = next(
                iter((options.out / number / id).glob(f"logs/run_evaluation/{run}/*/{id}")), options.out / "none"
            )
            report = folder / "report.json"
            ours = json.loads(report.read_text())[id]["resolved"] if report.exists() else False
            log = folder / "test_output.txt"
            theirs = package_grade(number, golds[id], known[id], rows[id], log) if log.exists() else None
            found[f"{id} {run}"] = {"ours": ours, "theirs": theirs}
    return found


def package_grade(number: str, gold: Gold, instance: Any, row: dict[str, Any], log: Path) -> bool:
    from swebench.harness.grading import get_eval_report

    tests = list(gold.fail_to_pass), list(gold.pass_to_pass)
    if number == "4":
        from swebench.harness.test_spec.test_spec import TestSpec

        spec = TestSpec(gold.id, instance.repo, instance.version, [], [], [], "x86_64", *tests, "py", {}, None)
    else:
        from swebench.types import TestSpec as NewSpec

        parts = instance.repo, instance.version, *tests, row["log_parser"], row["eval_type"]
        spec = NewSpec(gold.id, "", [], *parts)
    prediction = {"instance_id": gold.id, "model_patch": "x", "model_name_or_path": "benchmark"}
    return bool(get_eval_report(spec, prediction, str(log), True)[gold.id]["resolved"])


def run_with(package: Path, module: str, options: argparse.Namespace, ids: Sequence[str], *words: str) -> str:
    given = [word for path in options.instances for word in ("--instances", str(path))]
    return run_in(package, module, [*given, "--repos", str(options.repos), "--out", str(options.out), *words, *ids])


def run_in(package: Path, module: str, words: Sequence[str], python: str = "") -> str:
    """Run a module with the package installed in a folder, with a Python of this version first on the PATH."""
    code = (
        f"import runpy, sys; sys.path.append({str(package)!r}); sys.argv[0] = {module!r}\n"
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    environment = dict(os.environ)
    if python:
        folder = next(Path.home().glob(f".pyenv/versions/{python}.*/bin"))
        environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout[-1500:], done.stderr[-1500:], file=sys.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
