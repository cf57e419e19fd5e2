"""Shell scripts that repeat a proof in a checkout of the base, and say for each part whether it holds."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import filterfalse
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from aci.testing.runner_probe import runner_probe
from agent.run_state.proposed_tree import find_proposal
from agent.run_state.run_settings import has_untrusted_origin
from trajectories.outcome_words import PART_SENTENCES
from trajectories.plugins import installed_module
from trajectories.records import Base
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from agent.engine.engine import Engine

Environment = Mapping[str, str | list[str]]
"""What the proof ran in, as its step records it: `workspace`, `image` and `setup`, `python` and `packages`, and, for
tests that open pages, `server` and `driver`."""
UNKNOWN: Environment = MappingProxyType({})
PATCH = "patch.diff"
APPLY, TAKE_OUT = "git apply ", "git apply -R "
BYTECODE = "export PYTHONDONTWRITEBYTECODE=1"
"""Python would use its cache of a file that changes, with the same size, within a second."""
_CONTAINER = (
    'if [ ! -e /.dockerenv ] && [ ! -e /run/.containerenv ] && [ "$PROOF_WITHOUT_CONTAINER" != yes ]; then',
    '  echo "This runs code from elsewhere. Run it in a container, or set PROOF_WITHOUT_CONTAINER=yes." >&2',
    "  exit 1",
    "fi",
)
HERE = 'here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)'
MOST_PACKAGES = 300
NO_SERVER = "The tests need the project's server, which this script cannot start: the extension pages is not installed."
FUNCTIONS = r"""
log=$(mktemp) || exit 1
old=$(mktemp) || exit 1
applied=no failed=no unknown=no
change() { git -c safe.directory='*' -c apply.whitespace=nowarn apply "$@"; }
clean() {
  status=$?
  trap - EXIT
  if [ $applied = all ]; then change -R "$patch"; fi
  if [ $applied = tests ]; then put_source && change -R "$patch"; fi
  rm -f "$log" "$old"
  exit $status
}
trap clean EXIT
trap 'exit 130' INT TERM
answer() {  # sentence, answer
  echo "$1: $2"
  if [ "$2" = no ]; then failed=yes; tail -n 15 "$log" | sed 's/^/    /'; fi
}
passes() { if tests; then answer "$1" yes; else answer "$1" no; fi; }
fails() {  # 126 and more mean that the command did not start or was killed
  tests
  code=$?
  if [ $code -gt 0 ] && [ $code -le $most ]; then answer "$1" yes; else answer "$1" no; fi
}
failing() {  # the failed tests that pytest lists in its last run; nothing if it did not run all of them
  if [ $most != 1 ] || grep -q 'stopping after' "$log"; then return; fi
  sed -n -e 's/ - .*//' -e '/^FAILED /p' -e '/^ERROR /p' "$log" | LC_ALL=C sort
}
""".strip().split("\n")
"""`clean` restores the checkout, also after an interrupt. The script defines `tests`, `suite`, and how the source
changes are taken out and put back."""


def script_of_run(engine: Engine, patch: Path, commands: Sequence[str]) -> str:
    """Return the script that repeats the proof of a run, whose patch is in the file `patch`."""
    environment, programs = proof_environment(engine.trajectory), engine.workspaces.programs
    guard = _guard(engine, commands, environment)
    return local_script(engine.run.base, patch, commands, guard, environment, programs)


def _guard(engine: Engine, commands: Sequence[str], environment: Environment) -> Sequence[str]:
    """Return what the script checks first: code that ran in isolation, or came with a patch or a run from elsewhere,
    needs a container again."""
    is_strangers = has_untrusted_origin(engine.trajectory)
    is_own = not is_strangers and find_proposal(engine.trajectory).get("own", True) is True
    if is_own and engine.settings.workspace == "local":
        return ()
    server = environment.get("server")
    started = server[:1] if isinstance(server, list) else []
    return container_guard([*filterfalse(_only_applies, commands), *map(str, started)] if is_strangers else ())


def _only_applies(line: str) -> bool:
    """Whether a command only applies a patch: it has no characters with a meaning for the shell."""
    with suppress(ValueError):
        return line.startswith(APPLY) and shlex.join(shlex.split(line)) == line
    return False


def container_guard(shown: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the lines with which a script refuses to run outside of a container, since it runs code from elsewhere.

    The script first shows the commands in `shown`, which somebody else has chosen.
    """
    commands = dict.fromkeys(map(_printable, shown))
    lines = (f"This command is from somebody else's record: {line}" for line in commands)
    return (*(f"printf '%s\\n' {shlex.quote(line)} >&2" for line in lines), *_CONTAINER)


def local_script(
    base: Base,
    patch: Path,
    commands: Sequence[str],
    guard: Sequence[str] = (),
    environment: Environment = UNKNOWN,
    programs: Path | None = None,
) -> str:
    """Return the script of a run on this machine, with the path of its patch, and `programs`, the folder of the
    project's Python if it has one. The host must have found this folder: it becomes part of the PATH.

    `guard` is the `container_guard` of a patch that ran in isolation, or that is not the user's own.
    """
    where = f"# Run it in a checkout of {base.commit}"
    where += f", with the {base.changes} uncommitted changes that the run started with." if base.changes else "."
    use = f"PATH={shlex.quote(str(programs))}:$PATH" if programs else ""
    return _script([where], (*guard, use), shlex.quote(str(patch)), commands, environment)


def proof_environment(trajectory: Trajectory) -> Environment:
    """Return what the last proof of a run ran in."""
    step = next((step for step in reversed(trajectory.all_steps()) if step.author == "proof"), None)
    data = step.observations[0].data if step and step.observations else {}
    environment: Environment = data.get("environment", UNKNOWN)
    return environment


def portable_script(commit: str, commands: Sequence[str], environment: Environment = UNKNOWN) -> str:
    """Return the script of a bundle, beside which the patch lies. It refuses to run outside of a container."""
    where = f"# Run it in a checkout of {commit}, in a container: it runs the patched code."
    return _script([where], (*container_guard(), HERE), f'"$here/{PATCH}"', commands, environment)


def earlier_script(commit: str, commands: Sequence[str]) -> str:
    """Return the script of an earlier bundle, which only ran the commands."""
    lines = [f'{line.removesuffix(PATCH)}"$here/{PATCH}" || exit' if _applies(line) else line for line in commands]
    where = f"# Run this in a checkout of {commit}, in a container: it runs the patched code."
    return "\n".join(["#!/bin/sh", where, *container_guard(), HERE, BYTECODE, "set -x", *lines, ""])


def _applies(line: str) -> bool:
    return line.startswith(APPLY) and line.endswith(PATCH)


def _script(
    where: Sequence[str], check: Sequence[str], patch: str, commands: Sequence[str], environment: Environment
) -> str:
    described = [f"# {line}" for line in describe(environment)]
    head = ["#!/bin/sh", "# Repeats a proof, and exits with 0 if each part of it holds, otherwise with 1.", *where]
    lines = [*head, *described, *filter(None, check), f"patch={patch}", BYTECODE, *FUNCTIONS]
    suite = [line for line in commands if not line.startswith(APPLY)]
    lines += [*_server(environment), *_start(suite, environment)]
    taken_out = next((line for line in commands if line.startswith(TAKE_OUT)), "")
    if taken_out:
        source = taken_out.removeprefix(TAKE_OUT)
        if source.endswith(PATCH):
            source = f'{source.removesuffix(PATCH)}"$patch"'
        lines += [_function("tests", suite[0], environment), f"take_source_out() {{\n  change -R {source}\n}}"]
        lines += [f"put_source() {{\n  change {source}\n}}"]
        suite = suite[1:-1]
    lines += [_function("suite", suite[0], environment, " optional")] if suite else []
    return "\n".join([*lines, "", *_parts(bool(taken_out), bool(suite)), *_end(environment), ""])


def _start(commands: Sequence[str], environment: Environment) -> list[str]:
    """Return the lines that end the script if a test runner does not start here, and that say with which exit codes
    it reports failed tests."""
    probes = [runner_probe(command) for command in dict.fromkeys(commands)]
    lines = [f"most={1 if any(probe and probe.is_pytest for probe in probes[:1]) else 125}"]
    for probe in dict.fromkeys(probe.command for probe in probes if probe):
        lines += [f'if ! (\n  {probe}\n) >"$log" 2>&1; then']
        lines += ['  echo "The test command does not start here."', '  tail -n 3 "$log" | sed "s/^/    /"']
        lines += _give_up(environment)
    return lines


def _server(environment: Environment) -> list[str]:
    """Return the lines that the tests of a project's pages need."""
    if "server" not in environment:
        return []
    if module := installed_module("extensions.bundles.proof_server"):
        lines: list[str] = module.script_lines(environment, _give_up(environment))
        return lines
    return [f"echo {shlex.quote(NO_SERVER)}", "exit 1"]


def _function(name: str, command: str, environment: Environment, optional: str = "") -> str:
    if "server" in environment:
        command = f"beside_server {shlex.quote(command)}{optional}"
    return f'{name}() (\n  {command}\n) >"$log" 2>&1'


def _parts(has_tests: bool, has_suite: bool) -> list[str]:
    """Return the lines that run the parts: base, patch, without the source changes."""
    no = {part: f"answer {shlex.quote(words)}" for part, words in PART_SENTENCES.items()}
    lines = ['suite; before=$?; failing >"$old"'] if has_suite else []
    lines += ['change "$patch" || { echo "The patch does not apply to this checkout."; exit 1; }', "applied=all"]
    if has_tests:
        lines += ["take_source_out || exit 1", "applied=tests", f"fails {shlex.quote(PART_SENTENCES['red'])}"]
        lines += ["put_source || exit 1", "applied=all", f"passes {shlex.quote(PART_SENTENCES['green'])}"]
    else:
        lines += [': >"$log"', f"{no['red']} no"]
    if has_suite:
        lines += [
            "suite; after=$?",
            f"if [ $after = 0 ]; then {no['no_loss']} yes",
            f"elif [ $before = 0 ]; then {no['no_loss']} no",
            'elif [ $before = 1 ] && [ $after = 1 ] && [ -s "$old" ] && [ -n "$(failing)" ]; then',
            '  if [ -z "$(failing | LC_ALL=C comm -13 "$old" -)" ]; then',
            f"    {no['no_loss']} yes",
            f"  else {no['no_loss']} no; fi",
            f'else unknown=yes; {no["no_loss"]} "unknown (the suite fails without the patch, too)"; fi',
        ]
    else:
        lines += ["unknown=yes", f'{no["no_loss"]} "unknown (the proof has no test command)"']
    if has_tests:
        lines += ["take_source_out || exit 1", "applied=tests", f"fails {shlex.quote(PART_SENTENCES['red_again'])}"]
    return lines


def _end(environment: Environment) -> list[str]:
    return [
        "if [ $failed = yes ]; then",
        '  echo "The proof does not hold here."',
        *_give_up(environment),
        "if [ $unknown = yes ]; then",
        '  echo "The proof is not complete here: a part is unknown. swe-agent prove compares single tests."',
        "  exit 1",
        "fi",
        'echo "The proof holds."',
    ]


def _give_up(environment: Environment) -> list[str]:
    """Return the end of an `if` in which the script describes the environment of the proof and ends."""
    return [*(f"  echo {shlex.quote(line)}" for line in describe(environment)), "  exit 1", "fi"]


def describe(environment: Environment) -> list[str]:
    """Return sentences that say what the proof ran in, each on one line."""
    image, python = environment.get("image"), environment.get("python")
    setup, packages = environment.get("setup") or [], environment.get("packages") or []
    found = [f"The proof ran in the Docker image {_printable(image)}."] if image else []
    found += [f"Set-up of the image: {_printable('; '.join(setup))}."] if setup else []
    found += [f"The proof ran with Python {_printable(python)}."] if python else []
    return found + ([f"Packages: {_printable(', '.join(packages[:MOST_PACKAGES]))}."] if packages else [])


def _printable(value: object) -> str:
    """Return a text on one line, with a space for each character that is not printable."""
    return "".join(char if char.isprintable() else " " for char in str(value))
