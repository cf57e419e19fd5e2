"""Decisions by rules: all parts of a question must be allowed, and a denied part denies the whole.

A parser for plain shell command lines, which rules can decide on, returns the commands they run and the files they
write; commands that only read files of the workspace need no question. The user is asked about any other line as a
whole. Nothing here interprets shell syntax: a line is either built from the
few tokens below, which bash and sh read alike, or it is not plain.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aci.repository.git_files import has_git_folder
from aci.repository.user_repository import HISTORY_CONFIG
from agent.permissions.approvals import FORBIDDEN, Answer, Approval
from agent.permissions.command_wrappers import (
    ASSIGNED,
    BUILTINS,
    RESERVED,
    Words,
    is_git,
    reason_to_ask,
    without_limit,
    word_set,
)
from agent.permissions.rule_store import StoredRule, parse_rules
from agent.permissions.rules import Rule, offered_rule

if TYPE_CHECKING:
    from agent.permissions.permission_table import PermissionTable

LONGEST = 20_000
"""Maximum number of characters of a command line that rules can decide on."""

_BARE = r"(?:[A-Za-z0-9_./+@%:=,^-]|(?<=[A-Za-z0-9^~])~)"
_SINGLE = r"'[^'\n]*'"
_DOUBLE = r'"(?:[^"\\$`\n]|\\[A-Za-z0-9.,()|*+?^<>\[\]{}-])*"'
_WORD = rf"(?:{_BARE}|{_SINGLE}|{_DOUBLE})+"
_TOKEN = re.compile(
    rf"(?P<duplicate>2>&1|1?>&2)(?=[ \t\n;|&]|\Z)|[12]?>>?[ \t]*(?P<file>{_WORD})(?=[ \t\n;|&]|\Z)"
    rf"|(?P<word>{_WORD})(?=[ \t\n;|&]|\Z)|(?P<operator>&&|\|\||[|;\n])|(?P<blank>[ \t]+)"
)
"""A token of a plain command line. A word ends at a blank or an operator: bash does not read `{NAME}>f` and `2>f` as a
word followed by a redirection."""
_QUOTED = re.compile(rf"({_SINGLE}|{_DOUBLE})")
_VISIBLE = re.compile(r"[\t\n -~]*")
_NAME = re.compile(r":|[A-Za-z0-9_./][A-Za-z0-9_./+@:-]*")
_FOLDER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./+@:=,-]*")


@dataclass(frozen=True, slots=True)
class Line:
    """A parsed line: the words of every simple command except `cd`; the files that redirections write; the folder of a
    leading `cd`.

    `why` says why no rule may allow the line; empty if rules may.
    """

    commands: tuple[Words, ...] = ()
    writes: tuple[str, ...] = ()
    folder: str = ""
    why: str = ""


class _NotPlain(Exception):
    """Raised for a line that is not plain. The message says why no rule may allow it."""


def parse_line(line: str) -> Line:
    """Parse a command line; `why` says why it is not plain."""
    try:
        return _read(line)
    except _NotPlain as error:
        return Line(why=str(error))


def _read(line: str) -> Line:
    if len(line) > LONGEST:
        raise _NotPlain("it is too long")
    if not _VISIBLE.fullmatch(line):
        raise _NotPlain("it has characters other than visible ASCII")
    commands: list[Words] = []
    writes: list[str] = []
    folder = ""
    for number, (words, files, operator) in enumerate(_simple_commands(line)):
        writes += map(_text, files)
        if words[0] != "cd":
            commands.append(_parse_command(words))
        elif number or files or operator not in ("&&", "") or len(words) != 2 or not _FOLDER.fullmatch(words[1]):
            raise _NotPlain("it changes the folder other than by one plain `cd FOLDER &&` at the beginning")
        else:
            folder = words[1]
    return Line(tuple(commands), tuple(writes), folder)


def _simple_commands(line: str) -> Iterator[tuple[list[str], list[str], str]]:
    """Yield (words, files that are written, following operator) of each simple command, with the quotes still in
    place."""
    words: list[str] = []
    files: list[str] = []
    operator, at = "\n", 0
    while at < len(line):
        token = _TOKEN.match(line, at)
        if token is None:
            raise _NotPlain(f"it is not plain at {line[at : at + 20].strip() or 'its end'!r}")
        at = token.end()
        match token.lastgroup:
            case "word":
                words.append(token["word"])
            case "file":
                files.append(token["file"])
            case "operator" if words:
                operator = token["operator"]
                yield words, files, operator
                words, files = [], []
            case "operator" if token["operator"] != "\n" or files:
                raise _NotPlain("it has an operator without a command")
            case _:
                pass
    if words:
        yield words, files, ""
    elif files or operator not in (";", "\n"):
        raise _NotPlain("it ends without a command")


def _parse_command(written: list[str]) -> Words:
    """Return the words of a simple command without quotes. Raises _NotPlain if no rule may allow it."""
    words = tuple(map(_text, written))
    count = next((n for n, word in enumerate(words) if not ASSIGNED.fullmatch(word)), len(words))
    if count == len(words):
        raise _NotPlain("it sets a variable of the shell")
    name = written[count]
    if any("'" in word or '"' in word for word in written[:count]) or not _NAME.fullmatch(name):
        raise _NotPlain("a command's name, or a variable set for it, is not plain")
    if name in RESERVED or (count and name in BUILTINS):
        raise _NotPlain(f"`{name}` is a keyword or builtin of the shell")
    if why := reason_to_ask(words[count:]):
        raise _NotPlain(why)
    return words[:count] + without_limit(words[count:])


def _text(written: str) -> str:
    """Return a word without its quotes; a backslash within them is literal."""
    return "".join(part[1:-1] if part[:1] in ("'", '"') else part for part in _QUOTED.split(written))


_COUNT = r"\d{1,6}"
_OPTIONS = {
    "ls": r"-[1aAdFghilnopqrRsStuU]+",
    "cat": r"-[AbeEnstTv]+",
    "head": rf"-[qv]|-[nc]?{_COUNT}|-[nc]",
    "tail": rf"-[qv]|-[nc]?{_COUNT}|-[nc]",
    "wc": r"-[clmwL]+",
    "nl": r"-ba",
    "cut": r"-[dfcbs].*|--complement",
    "basename": "",
    "dirname": "",
    "stat": r"-c|--format=.*",
    "du": rf"-[achks]+|-d{_COUNT}|--max-depth={_COUNT}",
    "sha256sum": "",
    "sha1sum": "",
    "md5sum": "",
    "cmp": r"-[ls]+",
    "diff": r"-[abBiqsuwy]+|-[UC]\d+",
    "tree": rf"-[adiFs]+|-L|-L{_COUNT}",
    "grep": rf"-[abcEFhHiIlLnoqrsvwxz]+|-[ABCm]{_COUNT}|-[ABCme]|--(include|exclude|exclude-dir|color)=.*",
    "rg": rf"-[cFHhiIlnNoqsSuUvwx]+|-[ABCm]{_COUNT}|-[ABCmegt]|--(hidden|files|files-with-matches|count|no-ignore)",
    "sort": r"-[bdfghiMnrRuV]+|-[kt].*",
    "find": r"-(name|iname|path|ipath|type|maxdepth|mindepth|not|o|a|and|or|size|mtime|empty|print|prune|regex)",
    "echo": r"-.*",
    "printf": r"-.*",
    "test": r"-.*",
}
"""Commands that only read, and those of their options with which they follow no links, wait for nothing, write nothing
and run nothing. A value may follow in a word of its own."""

_GIT_OPTIONS = (
    r"-[abCDMpqsuwz]+|-[nU]?\d{1,6}|-n|-[LSG].*|--|--(oneline|stat|shortstat|numstat|name-only|name-status|graph|all|patch"
    r"|decorate|cached|staged|short|branch|porcelain|follow|no-merges|merges|reverse|abbrev-ref|show-toplevel|tags|summary"
    r"|no-color|word-diff|no-patch|others|exclude-standard|modified|deleted)|--(since|until|after|before|author|grep)=.*"
    r"|--max-count=\d+|--(format|pretty)=(?!.*%[G(]).*"
)
_GIT_READS = word_set("status log show diff blame ls-files ls-tree rev-parse shortlog describe merge-base")
_FOLDERS_FORBIDDEN = word_set("diff cmp")
_ALIASES = {"egrep": "grep", "fgrep": "grep"}


def is_read_only(words: Words, folders: Sequence[str], root: str) -> bool:
    """Return whether a simple command of a plain line only reads files below `root`, in whichever of `folders` the
    shell is.

    git commands are included only if the configuration of git in the workspace is unchanged, which names no programs.
    """
    name, *rest = words
    name = _ALIASES.get(name, name)
    if name == "git" and (not rest or rest.pop(0) not in _GIT_READS or not _is_original(root)):
        return False
    options = _GIT_OPTIONS if name == "git" else _OPTIONS.get(name)
    if options is None or any(word.startswith("-") and not re.fullmatch(options, word) for word in rest):
        return False
    places = [Path(folder, word) for word in rest for folder in folders]
    if name in _FOLDERS_FORBIDDEN and any(map(os.path.isdir, places)):
        return False
    return all(_stays_inside(word, folder, root) for word in rest for folder in folders)


def _is_original(root: str) -> bool:
    git = Path(root, ".git")
    try:
        own = not git.is_symlink() and (git / "config").read_text() == HISTORY_CONFIG
    except (OSError, ValueError):
        return False
    return own and not any((git / name).exists() for name in ("config.worktree", "hooks"))


def _stays_inside(word: str, folder: str, root: str) -> bool:
    """Return whether a word, also as the value of an option, names nothing outside of `root`."""
    word = word.partition("=")[2] if word.startswith("-") else word
    if word.startswith(("/", "~")) or ".." in re.split(r"[/:]", word):
        return False
    try:
        return Path(folder, word).resolve().is_relative_to(Path(root).resolve())
    except (OSError, ValueError, RuntimeError):
        return False


HARMLESS = frozenset(("true", "false", ":", "pwd"))
NOWHERE = "/dev/null"
CHANGED_AGENT = "The file of this agent has changed since you allowed it."
CHANGED = "This tool has changed since you allowed it: the server describes it differently, or is another one."


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on a question.

    `yes` is None if the user must be asked; then `always` holds the rules that would allow the action in future, or
    `why` the reason why no rule can allow it. `rules` are the rules that decided it, and `by` says where they are
    stored. `notice` is what the user should know before answering.
    """

    yes: bool | None
    rules: tuple[Rule, ...] = ()
    by: str = ""
    always: tuple[Rule, ...] = ()
    why: str = ""
    notice: str = ""


def judge(approval: Approval, deny: Sequence[Rule], kept: Sequence[StoredRule]) -> Decision:
    """Return the decision of the rules."""
    if approval.kind == "question":
        return Decision(None)
    deny = [rule for rule in deny if rule.kind == approval.kind]
    kept = [each for each in kept if each.rule.kind == approval.kind]
    if approval.kind == "command":
        return _decide_command(parse_line(approval.subject), approval, deny, kept)
    if approval.kind in ("mcp", "agent"):
        return _decide_pinned(approval, deny, kept)
    return _decide_names(approval, deny, kept)


def _decide_command(line: Line, approval: Approval, deny: Sequence[Rule], kept: Sequence[StoredRule]) -> Decision:
    if denied := [rule for rule in deny if rule.is_denied_in(approval.subject)]:
        return Decision(False, tuple(denied), "config")
    why = approval.why or line.why or _outside_reason(line, approval)
    if why or not (line.commands or line.folder):
        return Decision(None, why=why or "it contains no command")
    folders = _possible_folders(line, approval)
    asked = [words for words in line.commands if words[0] not in HARMLESS]
    if set(line.writes) <= {NOWHERE}:
        asked = [words for words in asked if not is_read_only(words, folders, approval.root)]
    covering = [next((each for each in kept if each.rule.covers(words)), None) for words in asked]
    if None not in covering:
        return _allow([each for each in covering if each])
    new = (offered_rule(words) for words, each in zip(asked, covering, strict=True) if each is None)
    return Decision(None, always=tuple(dict.fromkeys(new)))


def _decide_names(approval: Approval, deny: Sequence[Rule], kept: Sequence[StoredRule]) -> Decision:
    """Return the decision on hosts, paths or branches, given one per line."""
    names = approval.subject.split("\n")
    others = approval.other_names() if deny else ()
    if denied := [rule for rule in deny if others is None or any(map(rule.is_denied_at, (*names, *others)))]:
        return Decision(False, tuple(denied), "config")
    if approval.why:
        return Decision(None, why=approval.why)
    plain = not any(".." in name.split("/") for name in names)
    covering = [next((each for each in kept if plain and each.rule.matches(name)), None) for name in names]
    if None not in covering:
        return _allow([each for each in covering if each])
    return Decision(None, always=(Rule(approval.kind, "**"),))


def _decide_pinned(approval: Approval, deny: Sequence[Rule], kept: Sequence[StoredRule]) -> Decision:
    """Return the decision on a call of an MCP server's tool, or on an agent, whose stored rules hold its name and
    pin."""
    if denied := [rule for rule in deny if rule.is_denied_at(approval.subject)]:
        return Decision(False, tuple(denied), "config")
    if approval.is_allowed:
        return Decision(True, by="config")
    rule = Rule(approval.kind, f"{approval.subject} {approval.pin}")
    if found := [each for each in kept if each.rule == rule]:
        return _allow(found[:1])
    was_allowed = any(each.rule.pattern.split(" ")[0] == approval.subject for each in kept)
    changed = CHANGED if approval.kind == "mcp" else CHANGED_AGENT
    return Decision(None, always=(rule,), notice=changed if was_allowed else "")


def _allow(by: Sequence[StoredRule]) -> Decision:
    """Return a decision to allow; its `by` is taken from the rule with the shortest lifetime."""
    order = ("session", "project", "config")
    who = next((each for each in order if any(one.by == each for one in by)), "config")
    return Decision(True, tuple(dict.fromkeys(each.rule for each in by)), who)


def _possible_folders(line: Line, approval: Approval) -> list[str]:
    """Return the folders in which the line's commands may run: a shell stays where it is if a folder does not exist."""
    start = approval.folder or approval.root
    return [start, str(Path(start, line.folder))] if line.folder else [start]


def _outside_reason(line: Line, approval: Approval) -> str:
    """Return why the line may affect files outside the workspace or git's own files; "" if it does not."""
    root, start = approval.root, approval.folder or approval.root
    if start != root and not is_plain_path(start, root, root):
        return "the shell is in a folder outside the workspace, or behind a link"
    folders = _possible_folders(line, approval)
    if line.folder and (line.folder.startswith("/") or not is_plain_path(line.folder, start, root)):
        return f"it changes to the folder {line.folder}"
    if folders != [root] and any(map(is_git, line.commands)):
        return "it runs git in a folder that may be a repository of its own"
    for path in line.writes:
        if path != NOWHERE and not all(is_plain_path(path, folder, root) for folder in folders):
            return f"it writes {path}"
    return ""


def is_plain_path(path: str, folder: str, root: str) -> bool:
    """Return whether a path, absolute or relative to `folder`, is below `root` without passing through a link, and is
    not one of git's own files.

    All spellings that a file system may accept for git's files are checked. False if this cannot be determined.
    """
    if not path or not root or ".." in path.split("/") or has_git_folder(path.split("/")):
        return False
    try:
        parts = Path(folder, path).relative_to(root).parts
        below = [Path(root, *parts[: number + 1]) for number in range(len(parts))]
        return bool(parts) and not has_git_folder(parts) and not any(each.is_symlink() for each in below)
    except (OSError, ValueError):  # the name is too long, or outside the root
        return False


def allow_unless_denied(approval: Approval, permissions: PermissionTable) -> Answer:
    """Return the answer to use if no user can be asked: yes, unless a rule denies it or the user must answer."""
    if approval.needs_user:
        return Answer(False, reason="It needs the user's consent.")
    if not permissions.deny:
        return Answer(True)
    decision = judge(approval, list(parse_rules(permissions.deny)), ())
    rules = ", ".join(map(str, decision.rules))
    return Answer(True) if decision.yes is not False else Answer(False, reason=FORBIDDEN.format(rules))
