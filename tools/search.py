"""The `search` tool: git grep over the repository's files, grouped by file."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from aci.observation.file_contents import describe_binary
from aci.observation.output_text import CAPS
from aci.observation.untrusted_text import clean_text
from aci.runtime.workspace import HARNESS_SESSION, CommandResult
from tools._file_errors import explain_submodule
from tools.base import Context, TextSource, not_needed, tool
from trajectories.errors import UsageError
from trajectories.records import Observation

LONGEST_LINE = 200
SECONDS = 60
NO_PATH = 66
MOST_EXAMINED = 200
"""Maximum number of matching files that are examined for carriage returns that are line breaks."""
MOST_RECOUNTED = 20
"""Maximum number of these files whose lines are counted anew, with a command each; others keep git's line numbers."""
_OPTIONS = "-c core.fsmonitor=false -c core.quotepath=off -c grep.column=false -c grep.fallbackToNoIndex=false"
_DEFINES = re.compile(
    r"^\s*(?:export |public |static |async |pub |abstract )*(?:def|class|func|function|fn|struct|interface|type) "
)
_PERL = re.compile(r"\\[dDhHRAZz]|\(\?|[*+?]\?")


@dataclass(slots=True)
class _File:
    path: str
    lines: list[tuple[int, str]] = field(default_factory=list)

    @property
    def rank(self) -> tuple[bool, bool, str]:
        """The sort key: files with definitions first, tests last."""
        defines = any(_DEFINES.match(line) for _, line in self.lines)
        return ("test" in self.path.lower(), not defines, self.path)


@tool(
    writes=False,
    kind="search",
    reads=("path", "glob"),
    text=TextSource("repository", "The result of a search"),
    consent=not_needed,
)
def search(
    ctx: Context, pattern: str, path: str = ".", glob: str = "", fixed: bool = False, ignore_case: bool = False
) -> Observation:
    """Search the repository's files; returns matching lines by file, files with definitions first.

    Args:
        pattern: Extended regular expression, matched within a line.
        path: File or directory.
        glob: Like `*.py` or `src/**/*.js`.
        fixed: The pattern is plain text.
        ignore_case: Default: only without another match.
    """
    if not pattern or "\n" in pattern:
        raise UsageError("The pattern must be one line of text.", "Search for one line of it.")
    path = ctx.place(path)
    if path.startswith("/"):
        raise UsageError(f"{path} is outside the repository.", "Use grep in the shell for other places.")
    notes = []
    for kind in _kinds(pattern, fixed):
        ran = _grep(ctx, kind, pattern, path, glob, ignore_case)
        if ran.code <= 1 or ran.code == NO_PATH or ran.timed_out:
            break
    if kind == "-F" and not fixed:
        notes.append("not a valid regular expression, so searched as plain text")
    if ran.code == 1 and not ignore_case:
        ignore_case = True
        ran = _grep(ctx, kind, pattern, path, glob, ignore_case)
        notes.append("ignoring case")
    if ran.timed_out:
        raise UsageError(f"The search took longer than {SECONDS} s.", "Narrow it with `path` or `glob`.")
    if ran.code in (NO_PATH, 1) and (explained := explain_submodule(ctx, path, "Search it with grep in the shell.")):
        raise UsageError(explained)
    if ran.code == NO_PATH:
        raise UsageError(f"There is no {path}.")
    if ran.code > 1:
        raise UsageError(f"The search failed: {clean_text(ran.output)[-300:] or f'exit code {ran.code}'}.")
    files = _files(ran)
    for file in _with_bare_returns(ctx, files[:MOST_EXAMINED])[:MOST_RECOUNTED]:
        file.lines = _python_lines(ctx, kind, pattern, file.path, ignore_case) or file.lines
    files.sort(key=lambda file: file.rank)
    where = "".join(f" in {place}" for place in (path, glob) if place not in ("", "."))
    if not files:
        if refusal := _refusal(ctx, path):
            return Observation(f"{refusal} Search it with a program in the shell.", ok=False)
        hidden = " (it is ignored by git; use grep in the shell)" if _ignored(ctx, path) else ""
        return Observation(f"No match for `{pattern}`{where}{hidden}.")
    total = sum(len(file.lines) for file in files)
    head = f"{_count(total, 'match', 'matches')} in {_count(len(files), 'file', 'files')}"
    return Observation(f"{'; '.join([head, *notes])}\n{_grouped(files)}", data={"matches": total, "files": len(files)})


def _kinds(pattern: str, fixed: bool) -> list[str]:
    """Return the pattern types to try in order until git accepts one, because not every git supports Perl patterns."""
    if fixed:
        return ["-F"]
    return ["-P", "-E", "-F"] if _PERL.search(pattern) else ["-E", "-F"]


def _grep(ctx: Context, kind: str, pattern: str, path: str, glob: str, ignore_case: bool) -> CommandResult:
    pattern = pattern.replace("\\d", "[0-9]") if kind == "-E" else pattern
    options = [kind, "-i"] if ignore_case else [kind]
    words = ["grep", "-nIz", "--untracked", "--full-name", "--no-color", *options, "-e", pattern, "--"]
    words.append(_spec(path, glob))
    root, place = shlex.quote(ctx.workspace.root), shlex.quote(f"./{path}")
    there = f"cd {root} && {{ [ -e {place} ] || (exit {NO_PATH}); }}"
    git = f"GIT_LITERAL_PATHSPECS=0 git {_OPTIONS} {shlex.join(words)} 2>&1"
    return ctx.workspace.run(f"{there} && {git}", timeout=SECONDS, session=HARNESS_SESSION)


def _ignored(ctx: Context, path: str) -> bool:
    if path == ".":
        return False
    asked = f"cd {shlex.quote(ctx.workspace.root)} && git {_OPTIONS} check-ignore -q {shlex.quote(f'./{path}')}"
    return ctx.workspace.run(asked, timeout=SECONDS, session=HARNESS_SESSION).code == 0


def _spec(path: str, glob: str) -> str:
    if not glob:
        return ":/" if path == "." else f":(top,literal){path}"
    folder = "" if path == "." else re.sub(r"([*?\[\]\\])", r"\\\1", path) + "/"
    return f":(top,glob){folder}{'' if '/' in glob else '**/'}{glob.lstrip('/')}"


def _files(ran: CommandResult) -> list[_File]:
    """Parse the output of `git grep -nz` into matches grouped by file, in the same order; lines damaged by truncation
    are skipped."""
    found: dict[str, _File] = {}
    for line in ran.output.decode("utf-8", "replace").split("\n"):
        if match := re.match(r"([^\0]+)\0(\d+)[:\0](.*)", line):
            found.setdefault(match[1], _File(match[1])).lines.append((int(match[2]), _shown(match[3])))
    return list(found.values())


def _shown(line: str) -> str:
    text = clean_text(line).replace("\n", " ")
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"


def _with_bare_returns(ctx: Context, files: list[_File]) -> list[_File]:
    """Return the files in which a carriage return alone is a line break; git counts only newlines."""
    if not files:
        return []
    names = shlex.join(f"./{file.path}" for file in files)
    command = f"cd {shlex.quote(ctx.workspace.root)} && grep -l \"$(printf '\\r').\" -- {names}"
    output = ctx.workspace.run(command, timeout=SECONDS, session=HARNESS_SESSION).output
    found = set(output.decode("utf-8", "replace").split("\n"))
    return [file for file in files if f"./{file.path}" in found]


def _python_lines(ctx: Context, kind: str, pattern: str, path: str, ignore_case: bool) -> list[tuple[int, str]]:
    """Return the matching lines of a file with their numbers, where a carriage return is a line break, as in `view`."""
    grep = shlex.join(["grep", "-n", *([kind, "-i"] if ignore_case else [kind]), "-e", pattern])
    lines = f"""sed "s/$(printf '\\r')\\$//" {shlex.quote(f"./{path}")} | tr '\\r' '\\n'"""
    command = f"cd {shlex.quote(ctx.workspace.root)} && {lines} | {grep}"
    output = ctx.workspace.run(command, timeout=SECONDS, session=HARNESS_SESSION).output.decode("utf-8", "replace")
    rows = (re.match(r"(\d+):(.*)", line) for line in output.split("\n"))
    return [(int(row[1]), _shown(row[2])) for row in rows if row]


def _refusal(ctx: Context, path: str) -> str:
    """Return why a file is not searched as text, or ""."""
    try:
        return describe_binary(path, ctx.workspace.read(path))
    except (OSError, UsageError):
        return ""


def _grouped(files: list[_File]) -> str:
    """Return the matches, with as many lines per file as fit; if not all files fit, show the first ones and count the
    matches in the rest."""
    room = CAPS["search"] - 400
    for most in (10_000, 20, 10, 5, 3, 2, 1):
        blocks = [_block(file, most) for file in files]
        if sum(len(block) + 1 for block in blocks) <= room:
            return "\n".join(blocks)
    shown = 0
    while shown < len(blocks) and room > len(blocks[shown]):
        room -= len(blocks[shown]) + 1
        shown += 1
    rest = files[shown:]
    names = ", ".join(file.path for file in rest[:5])
    more = sum(len(file.lines) for file in rest)
    return "\n".join(
        [*blocks[:shown], f"… {more} more in {_count(len(rest), 'file', 'files')}: {names}{', …' * (len(rest) > 5)}"]
    )


def _block(file: _File, most: int) -> str:
    """Return a file's matches; prefer definitions if there are too many."""
    chosen = sorted(file.lines, key=lambda line: not _DEFINES.match(line[1]))[:most]
    rows = [f"{number}\t{text}" for number, text in sorted(chosen)]
    if len(rows) < len(file.lines):
        rows.append(f"… {len(file.lines) - len(rows)} more in this file")
    return "\n".join([file.path, *rows])


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
