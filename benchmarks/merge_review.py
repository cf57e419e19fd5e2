"""Recall and false alarms of the merge review: overreach injected into human fixes, and the fixes as they are.

    python -m benchmarks.merge_review REPOSITORY … [--fixes 25] [--skip 0] [--cases FILE]

A fix is a commit of one of the local repositories whose message has the word `fix` (not one about types, lint, style or
documentation) and that changes tests and one to four source files in Python. `--skip` leaves out the newest fixes of
each repository. The issue is the commit's message. `--cases` is a file of other cases: a JSON object a line, with
`kind`, `issue`, and the texts `before` and `after` of the changed files by path.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aci.repository.python_source import parse
from aci.repository.test_files import is_test
from extensions.review.merge_readiness.overreach import find_overreach
from extensions.review.merge_readiness.python_changes import comments_of

OTHER = re.compile(r"(?i)\b(?:typ(?:e|es|ing|o|os)|mypy|lint\w*|style|pre-commit|docs?|flake8|warnings?)\b")
Random = random.Random


@dataclass(frozen=True)
class Fix:
    repository: str
    commit: str
    issue: str
    before: Mapping[str, str]
    after: Mapping[str, str]

    def is_used(self, word: str) -> bool:
        """Whether a word is in another file of the fixed repository."""
        command = ["git", "-C", self.repository, "grep", "-lwF", word, self.commit]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        return any(line.partition(":")[2] not in self.after for line in found)


def read_fixes(repository: str, most: int, skip: int) -> Iterator[Fix]:
    flags = ["--no-merges", "-i", "--grep=fix", "--format=%H", "--since=2014-01-01"]
    seen = 0
    for commit in _git(repository, "log", *flags, "--", "*.py").split():
        message = _git(repository, "log", "-1", "--format=%B", commit)
        rows = _git(repository, "show", "--name-status", "--no-renames", "--format=", commit).splitlines()
        changed = [row.split("\t") for row in rows if row.endswith(".py")]
        source = [(status, path) for status, path in changed if not is_test(path) and not path.startswith("docs/")]
        if not 1 <= len(source) <= 4 or len(source) == len(changed) or OTHER.search(message.partition("\n")[0]):
            continue
        seen += 1
        if seen > skip:
            before = {path: _git(repository, "show", f"{commit}~:{path}") for status, path in source if status != "A"}
            after = {path: _git(repository, "show", f"{commit}:{path}") for status, path in source if status != "D"}
            yield Fix(repository, commit, message, before, after)
        if seen >= skip + most:
            return


def _git(repository: str, *arguments: str) -> str:
    command = ["git", "-C", repository, *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8", "replace")


def tree_of(text: str) -> ast.Module:
    return parse(text) or ast.Module([], [])


def functions_of(text: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree_of(text)) if isinstance(node, ast.FunctionDef)]


def reformat(text: str, chance: Random) -> str:
    """Spread the arguments of a call over lines."""
    lines = text.split("\n")
    calls = [
        node.value
        for node in ast.walk(tree_of(text))
        if isinstance(node, ast.Expr | ast.Assign | ast.Return) and isinstance(node.value, ast.Call)
    ]
    calls = [one for one in calls if len(one.args) > 1 and one.lineno == one.end_lineno and one.func.end_lineno]
    call = chance.choice(calls)
    line = lines[call.lineno - 1].encode()
    indent = " " * (len(line) - len(line.lstrip()))
    given = ",\n".join(f"{indent}    {ast.get_source_segment(text, one)}" for one in (*call.args, *call.keywords))
    head, tail = line[: call.func.end_col_offset], line[call.end_col_offset :]
    lines[call.lineno - 1] = f"{head.decode()}(\n{given},\n{indent}){tail.decode()}"
    return "\n".join(lines)


def rename(text: str, chance: Random) -> str:
    """Rename a local variable of a function."""
    found = []
    for function in functions_of(text):
        stored = [one.id for one in ast.walk(function) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
        body = "\n".join(text.split("\n")[function.lineno - 1 : function.end_lineno])
        found += [
            (function, name)
            for name in set(stored)
            if len(re.findall(rf"(?<![\w.]){name}\b(?!\s*=[^=][^\n]*[,)])", body)) > 1
            and not re.search(rf"['\"#.]\s*{name}\b|\b(?:global|nonlocal)\b", body)
        ]
    function, name = chance.choice(sorted(found, key=lambda one: (one[0].lineno, one[1])))
    lines = text.split("\n")
    other = f"{name}_{chance.choice(['value', 'item', 'current'])}"
    for at in range(function.lineno - 1, function.end_lineno or 0):
        lines[at] = re.sub(rf"(?<![\w.]){name}\b", other, lines[at])
    return "\n".join(lines)


def print_debug(text: str, chance: Random) -> str:
    """Add debug output to the start of a function."""
    function = chance.choice([one for one in functions_of(text) if one.args.args and one.body[0].lineno > one.lineno])
    body = function.body[1:] or function.body
    lines = text.split("\n")
    name = function.args.args[-1].arg
    line = chance.choice([f"print({name})", f'print(f"{{{name}=}}")', f'print("DEBUG:", {name})', "breakpoint()"])
    lines.insert(body[0].lineno - 1, f"{' ' * body[0].col_offset}{line}")
    return "\n".join(lines)


def add_helper(text: str, chance: Random) -> str:
    """Add a function that nothing uses."""
    name = chance.choice(["_normalize_entry", "_coerce_value", "safe_join_parts", "_ensure_sequence"])
    return f"{text.rstrip()}\n\n\ndef {name}(value):\n    if value is None:\n        return []\n    return [value]\n"


def change_default(text: str, chance: Random) -> str:
    """Change a literal default of a parameter."""
    changed = {True: "False", False: "True", None: "False"}
    defaults = [one for function in functions_of(text) for one in function.args.defaults]
    values = [(one, ast.literal_eval(one)) for one in defaults if isinstance(one, ast.Constant)]
    chosen, value = chance.choice([pair for pair in values if pair[1] is None or isinstance(pair[1], int | str)])
    word = changed.get(value) or repr(value * 2 or 1)
    lines = text.split("\n")
    line = lines[chosen.lineno - 1].encode()
    lines[chosen.lineno - 1] = (line[: chosen.col_offset] + word.encode() + line[chosen.end_col_offset :]).decode()
    return "\n".join(lines)


def delete_comment(text: str, chance: Random) -> str:
    """Delete a comment of one or more whole lines."""
    lines = text.split("\n")
    whole = [at for at, (column, _) in comments_of(text).items() if not lines[at][:column].strip() and at > 10]
    starts = [at for at in whole if at - 1 not in whole and len(lines[at]) > 20]
    at = chance.choice(starts)
    while at in whole:
        lines[at] = "\0"
        at += 1
    return "\n".join(line for line in lines if line != "\0")


INJECTIONS: dict[str, Callable[[str, Random], str]] = {
    "reformatting": reformat,
    "rename": rename,
    "debug output": print_debug,
    "unused definition": add_helper,
    "changed default": change_default,
    "deleted comment": delete_comment,
}
OTHER_NAMES = {"debug print": "debug output", "dead helper": "unused definition"}


def inject(fix: Fix, kind: str, chance: Random) -> Mapping[str, str] | None:
    """Return the texts with one injection, or None if the fix has no place for it."""
    path = chance.choice(sorted(fix.after))
    try:
        text = INJECTIONS[kind](fix.after[path], chance)
    except IndexError:
        return None
    return {**fix.after, path: text} if parse(text) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="*")
    parser.add_argument("--fixes", type=int, default=25)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    fixes = [fix for one in options.repositories for fix in read_fixes(one, options.fixes, options.skip)]
    alarms = {}
    for fix in fixes:
        if found := find_overreach(fix.before, fix.after, fix.issue, fix.is_used):
            alarms[fix.commit] = found
            for one in found:
                print(f"alarm: {fix.commit[:10]} {one.path}:{one.line} {one.kind}: {one.text}")
    tried, seen = Counter[str](), Counter[str]()
    chance = Random(1)
    kinds = list(INJECTIONS)
    for number, fix in enumerate(fixes):
        kind = kinds[number % len(kinds)]
        after = inject(fix, kind, chance)
        if after is None or fix.commit in alarms:
            continue
        tried[kind] += 1
        kinds_found = {one.kind for one in find_overreach(fix.before, after, fix.issue, fix.is_used)}
        seen[kind] += kind in kinds_found
        if options.show and kind not in kinds_found:
            print(f"missed: {fix.commit[:10]} {kind}")
    if fixes:
        print(f"human fixes with a finding: {len(alarms)} of {len(fixes)}")
        _table("injected", tried, seen)
    if options.cases:
        _cases(options.cases, options.show)


def _cases(file: Path, show: bool) -> None:
    tried, seen = Counter[str](), Counter[str]()
    for line in file.read_text().splitlines():
        case = json.loads(line)
        kind = OTHER_NAMES.get(case["kind"], case["kind"])
        found = find_overreach(case["before"], case["after"], case["issue"], lambda word: False)
        tried[kind] += 1
        seen[kind] += kind in {one.kind for one in found}
        if show and kind not in {one.kind for one in found}:
            print(f"missed: {case['id']}: {case.get('why', '')}")
    _table(file.name, tried, seen)


def _table(title: str, tried: Counter[str], seen: Counter[str]) -> None:
    for kind in tried:
        print(f"{title}: {kind:20} {seen[kind]:3} of {tried[kind]}")
    print(f"{title}: {'all':20} {seen.total():3} of {tried.total()}")


if __name__ == "__main__":
    main()
