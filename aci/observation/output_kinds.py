"""What a command's output is: a listing, a search's matches, the text of a file, a test run. By command and by shape.

A pipeline is what it begins with, unless a later part makes something else of it: `find … | head` is a listing, `find
… | grep py`, `find … | xargs grep x` and `cat f | grep x` are searches. Of several commands the roomiest kind counts.
Where the command does not tell, or the output does not look like what it promises, the shape of the lines decides.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from aci.testlog import is_test_run
from aci.view import CAPS, Kind, clean

LONGEST_COMMAND, LONGEST_LINE = 5_000, 300
SAMPLE = 50_000
"""Bytes at the beginning and at the end of an output that are looked at."""
MOST_LINES = 400
"""Lines whose shape is looked at."""
ALIKE = 0.8
"""The share of lines that must look like a listing's or a search's."""
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
"""Of a search with so many lines around each match a reader reads the file."""
_PATH_LINE = re.compile(r"(?:[-\w.@+~,=%\[\]]*/)*[-\w.@+~,=%\[\]]+[/*@|]?:?$|total \d+$")
_LONG_LINE = re.compile(r"[-dlbcps](?:[-rwxsStT]{9})[+.@]? +\d+ |\s*[│├└|`+]|\d[\d.]*[KMGT]?\t\S")
_COLUMNS = re.compile(r"\S+(?:(?:\t|  )\s*\S+)+\s*$")
_MATCH_LINE = re.compile(r"(?:[-\w.@+~/]+[:-])?\d+[:\-=]|[-\w.@+~]*[/.][-\w.@+~/]*:(?!\s*$)|--$|Binary file ")


def kind_of(command: str, output: bytes) -> Kind:
    """The kind of a command's output, which has the cap that is right for it."""
    text = clean(output if len(output) <= 2 * SAMPLE else output[:SAMPLE] + b"\n" + output[-SAMPLE:])
    told = [line[:LONGEST_LINE] for line in text.split("\n")]
    lines = [line for line in told[:MOST_LINES] if line.strip()]
    found = kind_of_command(command)
    if found == "listing" and not _listing(lines):
        found = "search" if _alike(lines, _MATCH_LINE) else "other"
    if found == "other" and is_test_run("\n".join(told)):
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
    """The roomiest kind of all that the command runs and that says something."""
    try:
        words = _words(_COMMENT.sub("", _without_documents(command)[:LONGEST_COMMAND]))
    except ValueError:
        return "other"
    kinds = [kind for kind in map(_of_pipeline, _split(words, _ENDS)) if kind]
    return max(kinds, key=lambda kind: CAPS[kind] * (2 if kind == "other" else 1), default="other")


def _without_documents(command: str) -> str:
    """The command without its here-documents; one whose end is missing goes to the end."""
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
    """The words of a command line; operators are words of their own. Raises ValueError where a quote is not closed."""
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
    """What comes out of a pipeline; None where nothing worth a kind does."""
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
    """Whether the output goes to a file; that of errors, and here-documents, are no such thing."""
    for at, word in enumerate(words):
        if word in (">", ">>") and not (at and words[at - 1] == "2") and words[at + 1 : at + 2] != ["/dev/stderr"]:
            return True
    return False


def _plain(stage: list[str]) -> list[str]:
    """A command without assignments and wrappers before it, and without its folders."""
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
    """The command that `xargs` or `find -exec` runs."""
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
