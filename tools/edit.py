"""The `edit` tool: replaces text in a file or creates a file, and returns the diff."""

from __future__ import annotations

import difflib
import posixpath
import re
import shlex
from dataclasses import dataclass

from aci.guest.source_encoding import text_encoding
from aci.observation.file_contents import describe_binary, split_lines
from aci.observation.output_text import cut_lines, number_lines
from aci.observation.untrusted_text import clean_text
from aci.repository.git_files import is_git_file
from aci.repository.python_source import undefined_names
from aci.runtime.guest_programs import program_source
from aci.runtime.workspace import HARNESS_SESSION
from tools import _matching
from tools._file_errors import UNCHANGED, explain_submodule
from tools.base import ConsentQuestion, Context, TextSource, ToolCall, tool
from trajectories.errors import UsageError
from trajectories.records import Observation

LONGEST_LINE = 300
AROUND = 3
GIT_REASON = "git's own files can name programs that git runs"


@dataclass(frozen=True, slots=True)
class _Fault:
    """The reason why a file does not compile, and the line number (0 if unknown)."""

    line: int
    reason: str


def ask_about_git_file(call: ToolCall) -> ConsentQuestion | None:
    """Ask about git's own files only: the tool itself refuses files outside the repository."""
    given = call.arguments
    if not is_git_file(given["path"], call.workspace.root):
        return None
    subject, detail = shlex.join(["edit", given["path"]]), _edit_texts(given["old"], given["new"], given["all"])
    return ConsentQuestion("Change this file that belongs to git?", subject, detail, GIT_REASON)


def _edit_texts(old: str, new: str, everywhere: bool) -> str:
    """Return the old and new text of an edit, with a prefix on each line to distinguish them from the question."""
    first = "Old text, wherever it occurs:" if everywhere else "Old text:"
    return "\n".join([first, *_prefix_lines("-", old), "New text:", *_prefix_lines("+", new)])


def _prefix_lines(mark: str, text: str) -> list[str]:
    return [f"{mark} {line}" for line in text.split("\n")] if text else ["(none)"]


@tool(result="diff", text=TextSource("harness"), consent=ask_about_git_file, when_limited="check_path")
def edit(ctx: Context, path: str, old: str, new: str, all: bool = False) -> Observation:
    """Replace `old` with `new` in a file; an empty `old` creates it. Returns the diff.

    `old` must occur exactly once; whitespace may differ. An edit that breaks syntax is reverted.

    Args:
        path: Relative to the repository.
        old: Without line numbers.
        new: Empty to delete.
        all: Replace every occurrence.
    """
    _refuse_links(ctx, _in_repository(ctx, path), path)
    if explained := explain_submodule(ctx, path, UNCHANGED):
        raise UsageError(explained)
    try:
        before = ctx.workspace.read(path)
    except FileNotFoundError:
        if old:
            raise UsageError(f"There is no file {path}.", "To create it, leave `old` empty.") from None
        return _create(ctx, path, new)
    if not old and before:
        raise UsageError(f"{path} already exists.", "Give the text to replace in `old`.")
    if old == new:
        raise UsageError("`old` and `new` are the same.", "Nothing was changed.")
    if refusal := describe_binary(path, before):
        raise UsageError(refusal, "Change it with a program in the shell; nothing was changed.")
    encoding = text_encoding(before)
    text = before.decode(encoding or "utf-8", "surrogateescape")
    if not new.isascii() and not encoding:
        raise UsageError(f"{path} is not UTF-8, so only ASCII text can be added.", "Use escapes, or the shell.")
    try:
        new.encode(encoding or "utf-8")
    except UnicodeEncodeError as error:
        character = new[error.start]
        raise UsageError(f"{path} declares {encoding}, which has no {character!r}.", "Use escapes.") from None
    done = _matching.replace(text, old, new, all) if old else _matching.Replacement(new)
    if isinstance(done, _matching.AmbiguousMatch):
        return _not_found(path, text, old, new, done)
    return _write(ctx, path, before, text, done)


def _in_repository(ctx: Context, path: str) -> str:
    """Return the path relative to the repository. Raises UsageError for a path outside it, such as the path of one of
    this program's own files in the workspace."""
    root = ctx.workspace.root
    full = posixpath.normpath(posixpath.join(root, path))
    if not full.startswith(f"{root}/"):
        raise UsageError(f"{path} is outside the repository.", "Use a path inside the repository.")
    return full.removeprefix(f"{root}/")


def _refuse_links(ctx: Context, relative: str, path: str) -> None:
    """Raise UsageError if the path goes through a symbolic link, because the edit would change a file other than the
    named one."""
    root = ctx.workspace.root
    parts = relative.split("/")
    places = [shlex.quote("/".join(["./" + parts[0], *parts[1:end]])) for end in range(1, len(parts) + 1)]
    links = " || ".join(f"[ -L {place} ]" for place in places)
    if ctx.workspace.run(f"cd {shlex.quote(root)} && {{ {links}; }}", 30, HARNESS_SESSION).code == 0:
        raise UsageError(f"{path} is, or goes through, a symbolic link.", "Edit the file that it points to.")


def _create(ctx: Context, path: str, text: str) -> Observation:
    ctx.workspace.write(path, text.encode())
    notes = []
    if fault := _fault(ctx, path, text):
        notes.append(f"The file has a syntax error: {fault.reason}\n{_around(text, fault.line)}")
    notes += _undefined(path, "", text)
    return Observation("\n".join([f"Created {path} ({len(text.splitlines())} lines).", *notes]), data={"path": path})


def _write(ctx: Context, path: str, before: bytes, text: str, done: _matching.Replacement) -> Observation:
    after = done.text.encode(text_encoding(before) or "utf-8", "surrogateescape")
    if after == before:
        return Observation(f"{path} already has that text; nothing was changed.", ok=False)
    ctx.workspace.write(path, after)
    fault = _fault(ctx, path, done.text)
    if fault:
        ctx.workspace.write(path, before)
        if not _fault(ctx, path, text):
            return Observation(
                f"The edit was rejected and rolled back: syntax error in {path}, {fault.reason}\n"
                f"{_around(done.text, fault.line)}",
                ok=False,
            )
        ctx.workspace.write(path, after)
    notes = []
    if done.overlooked:
        notes.append(f"(matched ignoring {done.overlooked})")
    if done.times > 1:
        notes.append(f"({done.times} occurrences)")
    if fault:
        notes.append(f"(the file still has a syntax error, as before: {fault.reason})")
    head = " ".join([f"Edited {path}", *notes])
    return Observation(
        "\n".join([head, _diff(text, done.text), *_undefined(path, text, done.text)]), data={"path": path}
    )


def _not_found(path: str, text: str, old: str, new: str, where: _matching.AmbiguousMatch) -> Observation:
    if where.lines:
        shown = ", ".join(map(str, where.lines[:20])) + ", …" * (len(where.lines) > 20)
        hint = "Add surrounding lines to select one, or set `all`."
        return Observation(f"`old` occurs {len(where.lines)} times in {path}, at lines {shown}. {hint}", ok=False)
    parts = [f"`old` does not occur in {path}; nothing was changed."]
    if len(new.strip()) > 10 and new.strip() in text:
        parts.append(f"`new` is already there, at line {len(split_lines(text[: text.index(new.strip())]))}.")
    elif near := _matching.nearest(text, old):
        first, last = near
        lines = split_lines(text)[first - 1 : min(last, first + 40)]
        parts.append(f"The most similar lines are {first}-{last}:\n{_shown(lines, first)}")
    return Observation("\n".join(parts), ok=False)


def _fault(ctx: Context, path: str, text: str) -> _Fault | None:
    """Return the syntax error that the workspace's Python reports; None if there is no error, or no Python."""
    if not path.endswith((".py", ".pyi")) and not re.match(r"#!.*\bpython", text):
        return None
    script = shlex.quote(program_source("syntax_check.py").decode())
    full = shlex.quote(path if path.startswith("/") else f"{ctx.workspace.root}/{path}")
    ran = ctx.workspace.run(
        "for python in python3 python; do command -v $python >/dev/null && break; done; "
        f"$python -I -S -c {script} {full}",
        timeout=30,
        session=HARNESS_SESSION,
    )
    said = re.fullmatch(r"(\d+) (\w+: .*)", clean_text(ran.output).strip())
    return _Fault(int(said[1]), f"line {said[1]}: {said[2]}" if said[1] != "0" else said[2]) if said else None


def _undefined(path: str, before: str, after: str) -> list[str]:
    """Return a note about undefined names that the edit introduced."""
    if not path.endswith((".py", ".pyi")):
        return []
    known = undefined_names(before)
    new = [f"{name} (line {line})" for name, line in undefined_names(after).items() if name not in known]
    return [f"Not defined anywhere in the file: {', '.join(new[:10])}."] if new else []


def _around(text: str, line: int) -> str:
    lines = split_lines(text)
    if not line:
        return ""
    first = max(min(line, len(lines)) - AROUND, 1)
    return _shown(lines[first - 1 : line + AROUND], first)


def _shown(lines: list[str], first: int) -> str:
    return number_lines((cut_lines(line, LONGEST_LINE) for line in lines), first)


def _diff(before: str, after: str) -> str:
    """Return a unified diff without its header. Common lines at both ends are removed first, because difflib is slow on
    them."""
    old, new = split_lines(before), split_lines(after)
    shorter = min(len(old), len(new))
    head = next((index for index in range(shorter) if old[index] != new[index]), shorter)
    head = max(head - AROUND, 0)
    tail = next((index for index in range(shorter - head) if old[-1 - index] != new[-1 - index]), shorter - head)
    tail = max(tail - AROUND, 0)
    rows = difflib.unified_diff(old[head : len(old) - tail], new[head : len(new) - tail], n=AROUND, lineterm="")
    shown = [_moved(row, head) if row.startswith("@@") else cut_lines(row, LONGEST_LINE) for row in list(rows)[2:]]
    return "\n".join(shown)


def _moved(header: str, by: int) -> str:
    """Return a hunk's header with its line numbers shifted."""
    return re.sub(r"([-+])(\d+)", lambda found: f"{found[1]}{int(found[2]) + by}", header)
