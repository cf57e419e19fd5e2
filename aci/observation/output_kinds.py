"""Classification of a command's output: a listing, search results, the text of a file, or a test run.

A pipeline has the kind of its first command, unless a later one changes it: `find … | head` is a listing, `find …
| grep py`, `find … | xargs grep x` and `cat f | grep x` are searches. If there are several commands, the kind with the
largest cap is used. If the command is unknown, or its output does not have the expected form, the kind is derived from
the form of the lines.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from aci.observation.output_text import CAPS, Kind
from aci.observation.suite_output import is_test_run
from aci.observation.untrusted_text import clean_output

LONGEST_COMMAND, LONGEST_LINE = 5_000, 300
SAMPLE = 50_000
"""Number of bytes at the start and at the end of an output that are examined."""
MOST_LINES = 400
"""Maximum number of lines that are examined."""
ALIKE = 0.8
"""Minimum share of lines that must look like a listing or a search."""
FEWEST = 5

_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_HEREDOC = re.compile(r"(?<!<)<<-?[ \t]*(['\"]?)([A-Za-z_]\w*)\1")
_ENDS = frozenset(("&&", "||", ";", "&", ";;", "(", ")", "{", "}", "then", "do", "done", "fi", "else", "\n"))
_SILENT = frozenset(
    (
        *("cd", "export", "set", "unset", "source", ".", "true", "pushd", "popd", "mkdir", "touch", "rm", "cp", "mv"),
        *("sleep", "chmod", "ln", "echo", "printf", "pwd", "which"),
    )
)
_LISTS = frozenset(("ls", "find", "tree", "fd", "fdfind", "dir", "du", "locate"))
_SEARCHES = frozenset(("grep", "egrep", "fgrep", "rg", "ag", "ack", "zgrep"))
_VIEWS = frozenset(("cat", "nl", "head", "tail", "less", "more", "bat", "batcat"))
_FILTERS = frozenset(
    (
        *("head", "tail", "sort", "uniq", "wc", "cut", "tr", "column", "less", "more", "tee", "nl", "cat", "sed"),
        *("awk", "rev", "tac", "fold", "fmt"),
    )
)
_WRAPPERS = frozenset(("sudo", "env", "time", "nice", "command", "timeout", "stdbuf", "nohup", "exec"))
_RUNS = frozenset(("xargs", "-exec", "-execdir", "-x"))
_GIT: dict[str, Kind] = {"ls-files": "listing", "ls-tree": "listing", "grep": "search"}

_CONTEXT = re.compile(r" -\w*[ABC] ?\d\d| --(?:after-|before-)?context[= ]\d\d")
"""Matches a search option for ten or more context lines; such output is treated as the text of a file."""
_PATH_LINE = re.compile(r"(?:[-\w.@+~,=%\[\]]*/)*[-\w.@+~,=%\[\]]+[/*@|]?:?$|total \d+$")
_LONG_LINE = re.compile(r"[-dlbcps](?:[-rwxsStT]{9})[+.@]? +\d+ |\s*[│├└|`+]|\d[\d.]*[KMGT]?\t\S")
_COLUMNS = re.compile(r"\S+(?:(?:\t|  )\s*\S+)+\s*$")
_MATCH_LINE = re.compile(r"(?:[-\w.@+~/]+[:-])?\d+[:\-=]|[-\w.@+~]*[/.][-\w.@+~/]*:(?!\s*$)|--$|Binary file ")


def kind_of(command: str, output: bytes) -> Kind:
    """Return the kind of a command's output, which determines its maximum length."""
    text = clean_output(output if len(output) <= 2 * SAMPLE else output[:SAMPLE] + b"\n" + output[-SAMPLE:])
    all_lines = [line[:LONGEST_LINE] for line in text.split("\n")]
    lines = [line for line in all_lines[:MOST_LINES] if line.strip()]
    found = kind_of_command(command)
    if found == "listing" and not _listing(lines):
        found = "search" if _alike(lines, _MATCH_LINE) else "other"
    if found == "other" and is_test_run("\n".join(all_lines)):
        return "tests"
    if found == "other" and len(lines) >= FEWEST:
        listed = _listing(lines) and sum("/" in line for line in lines) >= ALIKE * len(lines)
        return "listing" if listed else "search" if _alike(lines, _MATCH_LINE) else "other"
    return found


def _listing(lines: list[str]) -> bool:
    return _alike(lines, _PATH_LINE, _LONG_LINE, _COLUMNS)


def _alike(lines: list[str], *shapes: re.Pattern[str]) -> bool:
    return sum(any(shape.match(line) for shape in shapes) for line in lines) >= ALIKE * len(lines)


def kind_of_command(command: str) -> Kind:
    """Return the kind with the largest cap among all pipelines of a command that print something."""
    try:
        words = _words(_COMMENT.sub("", _without_documents(command)[:LONGEST_COMMAND]))
    except ValueError:
        return "other"
    kinds = [kind for kind in map(_of_pipeline, _split(words, _ENDS)) if kind]
    return max(kinds, key=lambda kind: CAPS[kind] * (2 if kind == "other" else 1), default="other")


def _without_documents(command: str) -> str:
    """Return the command without its here-documents; a here-document without its end delimiter extends to the end."""
    kept: list[str] = []
    ends: list[str] = []
    for line in command.split("\n"):
        if not ends:
            ends = [found[2] for found in _HEREDOC.finditer(line)][::-1]
            kept.append(_HEREDOC.sub("", line))
        elif line.strip(" \t") == ends[-1]:
            ends.pop()
    return "\n".join(kept)


def _words(command: str) -> list[str]:
    """Return the words of a command line, operators included. Raises ValueError if a quote is not closed."""
    lexer = shlex.shlex(command.replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.commenters = ""
    return list(lexer)


def _split(words: Iterable[str], ends: Iterable[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for word in words:
        if word in ends:
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _of_pipeline(words: list[str]) -> Kind | None:
    """Return the kind of a pipeline's output; None if it prints nothing relevant."""
    stages = [_plain(stage) for stage in _split(words, ("|", "|&"))]
    stages = [stage for stage in stages if stage]
    if not stages or stages[0][0] in _SILENT or _redirected(words):
        return None
    kind = _of_command(stages[0])
    for stage in stages[1:]:
        if stage[0] in _RUNS:
            kind = _of_command(_after(stage, _RUNS))
        elif stage[0] in _SEARCHES:
            kind = "search" if kind in ("listing", "view", "search") else "other"
        elif stage[0] not in _FILTERS:
            kind = _of_command(stage)
    return kind


def _redirected(words: list[str]) -> bool:
    """Return whether stdout is redirected to a file; redirection of stderr and here-documents are ignored."""
    for at, word in enumerate(words):
        if word in (">", ">>") and not (at and words[at - 1] == "2") and words[at + 1 : at + 2] != ["/dev/stderr"]:
            return True
    return False


def _plain(stage: list[str]) -> list[str]:
    """Return a command without leading assignments, wrappers such as `sudo`, and the folder of its program."""
    at = 0
    while at < len(stage) and (
        re.match(r"\w+=", stage[at])
        or stage[at] in _WRAPPERS
        or (at and stage[at - 1] in _WRAPPERS and re.match(r"-|\d", stage[at]))
    ):
        at += 1
    rest = stage[at:]
    return [rest[0].rpartition("/")[2], *rest[1:]] if rest else []


def _after(words: list[str], marks: frozenset[str]) -> list[str]:
    """Return the command that `xargs` or `find -exec` runs."""
    at = next(index for index, word in enumerate(words) if word in marks)
    rest = words[at + 1 :]
    while rest and re.match(r"-|\{\}$|\d+$", rest[0]):
        rest = rest[1:]
    return _plain(rest) or ["true"]


def _of_command(words: list[str]) -> Kind:
    name = words[0]
    if name == "git":
        named = (word for word in words[1:] if not word.startswith("-"))
        return _GIT.get(next(named, ""), "other")
    if name in _LISTS:
        return _of_command(_after(words, _RUNS)) if _RUNS & set(words) else "listing"
    if name in _SEARCHES:
        return "view" if _CONTEXT.search(" ".join(words)) else "search"
    if name in _VIEWS or (name == "sed" and "-i" not in words) or name in ("open", "goto"):
        return "view"
    return "other"
