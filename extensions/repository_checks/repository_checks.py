"""Part 5 of a proof: the repository's own checks (linters, types, formats) report nothing new on the changed files.

A check counts if the base configures it and the workspace can run it without the network; other checks are listed as
not run. Its findings are compared with those on the base, without line numbers.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aci.observation.activity_message import ActivityMessage
from aci.proof.repository_checks import CheckResult
from aci.runtime.workspace import CommandResult, Workspace
from extensions.repository_checks.plain_yaml import Plain, load_plain
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees

SESSION = "checks"
SECONDS, ALL_SECONDS = 60.0, 240.0
"""Time limits in seconds for one run of one check, and for all checks of a proof."""
MOST_FILES, MOST_SHOWN, LONGEST, LARGEST = 200, 3, 200, 500_000
PYTHON, SCRIPT, TYPED, GO, RUST = (
    re.compile(rf".*\.(?:{ends})") for ends in ("pyi?", "[cm]?[jt]sx?", "[cm]?tsx?", "go", "rs")
)
PRE_COMMIT = ".pre-commit-config.yaml"
PYTHON_CONFIG = ("pyproject.toml", "setup.cfg", "tox.ini")
LINE = re.compile(r"(?<=[:(])\d+(?=[:),])(?::\d+)?|\bline \d+(?:, (?:col|column) \d+)?|(?<=^@@ ).*", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SUMMARY = re.compile(
    r"(?:Found|Success|All checks|All done|Oh no|\d+ files? |✖|\d+ problems?|\[\*\]|No fixes|Your code has been)"
)


@dataclass(frozen=True, slots=True)
class RepositoryCheck:
    """A check: its `command` gets the changed files that match `files`, or no files if it always checks the `whole`
    repository. `include` and `exclude` are the repository's own regular expressions for the paths of a hook, which are
    matched in the workspace only, since they may take forever."""

    name: str
    command: str
    files: re.Pattern[str]
    whole: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


KNOWN: tuple[tuple[RepositoryCheck, tuple[str, ...], str], ...] = (
    (
        RepositoryCheck("ruff", "ruff check --no-cache --no-fix --output-format=concise --force-exclude", PYTHON),
        ("ruff.toml", ".ruff.toml"),
        r"^\[tool\.ruff\b|id: ruff(?:-check)?\s",
    ),
    (
        RepositoryCheck("ruff format", "ruff format --no-cache --check --force-exclude", PYTHON),
        (),
        r"id: ruff-format\b",
    ),
    (RepositoryCheck("flake8", "python -m flake8", PYTHON), (".flake8",), r"^\[flake8\]|id: flake8\b"),
    (RepositoryCheck("black", "python -m black --check -q --diff", PYTHON), (), r"^\[tool\.black\]|id: black\b"),
    (
        RepositoryCheck("isort", "python -m isort --check-only", PYTHON),
        (".isort.cfg",),
        r"^\[(?:tool\.)?isort\]|id: isort\b",
    ),
    (
        RepositoryCheck("mypy", "python -m mypy --no-error-summary --cache-dir=/dev/null", PYTHON),
        ("mypy.ini", ".mypy.ini"),
        r"^\[(?:tool\.)?mypy\]|id: mypy\b",
    ),
    (
        RepositoryCheck("eslint", "node_modules/.bin/eslint --format unix --no-error-on-unmatched-pattern", SCRIPT),
        (
            *(f"eslint.config.{end}" for end in ("js", "mjs", "cjs", "ts")),
            *(f".eslintrc{end}" for end in ("", ".js", ".cjs", ".json", ".yml", ".yaml")),
        ),
        "(?!)",
    ),
    (
        RepositoryCheck("tsc", "node_modules/.bin/tsc --noEmit --pretty false -p .", TYPED, True),
        ("tsconfig.json",),
        "(?!)",
    ),
    (RepositoryCheck("gofmt", "gofmt -l", GO), ("go.mod",), "(?!)"),
    (
        RepositoryCheck("cargo fmt", "cargo fmt --all --check -- -l", RUST, True),
        ("rustfmt.toml", ".rustfmt.toml"),
        r"id: (?:cargo-)?fmt\b",
    ),
    (
        RepositoryCheck("clippy", "cargo clippy --offline --quiet --all-targets --message-format short", RUST, True),
        ("clippy.toml", ".clippy.toml"),
        r"id: (?:cargo-)?clippy\b",
    ),
)
"""Known checks, each with its own configuration files and a pattern that matches its configuration in a shared file."""
COVERED = re.compile(r"ruff(?:-check|-format)?|flake8|black|isort|mypy|eslint|gofmt|(?:cargo-)?(?:fmt|clippy)")
MATCH = """\
import json, re, sys
include, exclude = json.loads(sys.argv[1])
found = [all(re.search(one, path) for one in include) and not any(re.search(one, path) for one in exclude)
         for path in sys.argv[2:]]
print("\\n" + json.dumps(found))
"""
"""Program for the workspace: prints which paths match the expressions of a hook."""
MATCH_SECONDS, MOST_HOOKS = 5.0, 100
HOOK_NAME = re.compile(r"[\w.-]{1,80}")


def find_checks(trees: Trees, base: str) -> tuple[list[RepositoryCheck], list[str]]:
    """Return the checks that the base configures, and the names of pre-commit hooks that cannot be run here."""

    def text(path: str) -> str:
        try:
            data = trees.read(base, path) if trees.entry(base, path) else b""
            return data[:LARGEST].decode("utf-8", "replace")
        except (OSError, UsageError):
            return ""

    hooks = text(PRE_COMMIT)
    shared = "\n".join([*map(text, PYTHON_CONFIG), hooks])
    found = [
        check
        for check, files, pattern in KNOWN
        if any(trees.entry(base, file) for file in files) or re.search(pattern, shared, re.MULTILINE)
    ]
    own, others = _hooks(hooks)
    return [*found, *own], others


def _hooks(text: str) -> tuple[list[RepositoryCheck], list[str]]:
    """Return pre-commit hooks that are system commands, and the names of the hooks that pre-commit would have to
    install."""
    own, others = [], []
    config = load_plain(text)
    fields = config if isinstance(config, dict) else {}
    hooks = [(repo, hook) for repo in _mappings(fields, "repos") for hook in _mappings(repo, "hooks")]
    for repo, hook in hooks[:MOST_HOOKS]:
        name, entry = _text(hook, "id"), _text(hook, "entry")
        if not HOOK_NAME.fullmatch(name):
            continue
        system = repo.get("repo") == "local" and hook.get("language") in ("system", "unsupported", "script")
        if system and entry and not re.search(r"pytest|unittest|\btest\b", entry):
            include, exclude = (
                tuple(filter(None, (_text(fields, key), _text(hook, key)))) for key in ("files", "exclude")
            )
            whole = _text(hook, "pass_filenames").lower() == "false"
            own.append(RepositoryCheck(name, entry, _files_of(hook), whole, include, exclude))
        elif not COVERED.fullmatch(name):
            others.append(name)
    return own, others


def _mappings(fields: dict[str, Plain], key: str) -> list[dict[str, Plain]]:
    value = fields.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(fields: dict[str, Plain], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def _files_of(hook: dict[str, Plain]) -> re.Pattern[str]:
    """Return the pattern of the files of a hook's types."""
    ends = {"python": r".*\.pyi?", "pyi": r".*\.pyi", "javascript": r".*\.[cm]?jsx?", "ts": r".*\.tsx?"}
    lists = [value for key in ("types", "types_or") if isinstance(value := hook.get(key), list)]
    types = [one for listed in lists for one in listed if isinstance(one, str)]
    return re.compile(next((ends[one] for one in types if one in ends), ".*"))


def _matching(check: RepositoryCheck, workspace: Workspace, paths: Sequence[str]) -> tuple[list[str] | None, float]:
    """Return the paths that a hook names, and the seconds that this took; None if the workspace cannot decide it in
    time."""
    if not (check.include or check.exclude) or not paths:
        return list(paths), 0.0
    words = shlex.join(["-I", "-c", MATCH, json.dumps([check.include, check.exclude]), *paths])
    ran = workspace.run(f"python3 {words} || python {words}", MATCH_SECONDS, SESSION)
    try:
        found = json.loads(ran.text.strip().rpartition("\n")[2])
    except (ValueError, RecursionError):
        return None, ran.seconds
    if not isinstance(found, list) or len(found) != len(paths) or ran.timed_out:
        return None, ran.seconds
    return [path for path, matches in zip(paths, found, strict=True) if matches is True], ran.seconds


def run_checks(
    trees: Trees,
    base: str,
    tree: str,
    before: Workspace,
    after: Workspace,
    paths: Sequence[str],
    say: Callable[[str], None] = lambda _: None,
) -> tuple[CheckResult, ...]:
    """Return the result of each check of the base on `paths` of `tree`, also of those that could not be run or timed
    out. The workspaces `before` and `after` are restored to `base` and `tree`."""
    checks, not_runnable = find_checks(trees, base)
    if checks:
        before.restore(base)
        after.restore(tree)
    results, left = [], ALL_SECONDS
    for check in checks:
        changed = [path for path in paths if check.files.fullmatch(path) and _is_plain(path)][:MOST_FILES]
        if left <= 0 and any(trees.entry(tree, path) for path in changed):
            results.append(CheckResult(f"{check.name}: not run (no time was left)"))
            continue
        named, seconds = _matching(check, before, changed)
        left -= seconds
        if named is None:
            results.append(CheckResult(f"{check.name}: not run (it is undecided which files it is for)"))
            continue
        now = [path for path in named if trees.entry(tree, path)]
        if not now:
            continue
        say(ActivityMessage(f"Running {check.name} on the files that the patch changes"))
        result, seconds = _judge(check, before, after, [path for path in now if trees.entry(base, path)], now)
        results.append(result)
        left -= seconds
    left_out = ", ".join(not_runnable[:MOST_FILES])
    if left_out:
        results.append(CheckResult(f"{left_out}: not run (pre-commit would have to fetch them)"))
    return tuple(results)


def _is_plain(path: str) -> bool:
    return path.isprintable() and not path.startswith("-")


def _judge(
    check: RepositoryCheck, before: Workspace, after: Workspace, there: Sequence[str], now: Sequence[str]
) -> tuple[CheckResult, float]:
    new = _run(check, after, now)
    if (why := _not_run(check, new)) or not new.code:
        return CheckResult(f"{check.name}: {f'not run ({why})' if why else 'nothing new'}"), new.seconds
    old = _run(check, before, there) if there or check.whole else CommandResult(b"", 0, 0.0, "")
    seconds = new.seconds + old.seconds
    if why := _not_run(check, old):
        return CheckResult(f"{check.name}: not run ({why})"), seconds
    found = list(_messages(check, new, after.root, now))
    known = Counter(message for message, _ in _messages(check, old, before.root, now))
    added = []
    for message, shown in found:
        known[message] -= 1
        added += [shown] if known[message] < 0 else []
    if not added and (found or old.code):
        broken_itself = new.code > 1 and not any(path in shown for _, shown in found for path in now)
        said = "not run (it fails on the base too)" if broken_itself else "nothing new"
        return CheckResult(f"{check.name}: {said}"), seconds
    if not added:
        return CheckResult(f"{check.name}: not run (it ended with exit code {new.code})"), seconds
    more = f" and {len(added) - MOST_SHOWN} more" if len(added) > MOST_SHOWN else ""
    named = tuple(f"{check.name}: {message}" for message in added[:MOST_SHOWN])
    return CheckResult(f"{check.name}: {len(added)} new: {'; '.join(added[:MOST_SHOWN])}{more}", named), seconds


def _run(check: RepositoryCheck, workspace: Workspace, files: Sequence[str]) -> CommandResult:
    words = "" if check.whole else f" {shlex.join(files)}"
    place = shlex.quote(workspace.root)
    python = 'python() { if command -v python >/dev/null; then command python "$@"; else python3 "$@"; fi; }'
    return workspace.run(f"(cd {place} && {python}; {check.command}{words})", SECONDS, SESSION)


def _not_run(check: RepositoryCheck, ran: CommandResult) -> str:
    if ran.timed_out:
        return f"it did not end within {SECONDS:.0f} s"
    missing = ran.code in (126, 127) or re.search(r"No module named '?[\w.]+'?\s*$", ran.text[-200:])
    if missing or re.search(r"no such (?:sub)?command|is not installed for the toolchain|could not choose", ran.text):
        return "it is not installed"
    return ""


def _messages(check: RepositoryCheck, ran: CommandResult, root: str, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each message of a check in two forms, one to compare and one to show; if the check covers the whole
    repository, yield only messages on `files`."""
    for raw in COLOUR.sub("", ran.text).replace(f"{root}/", "").splitlines():
        line = raw.strip()
        if not line or SUMMARY.match(line):
            continue
        if check.name == "black" and not re.match(r"(?:---|\+\+\+) ", line):
            continue  # black prints a diff, of which only the file names are compared
        if check.whole and not any(path in line for path in files):
            continue
        yield LINE.sub("", re.sub(r"\t.*", "", line)), line[:LONGEST]
