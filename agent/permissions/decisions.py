"""Decisions by rules: all parts of a question must be allowed, and a denied part denies the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aci.repository.git_files import has_git_folder
from agent.permissions.approvals import FORBIDDEN, Answer, Approval
from agent.permissions.command_wrappers import is_git
from agent.permissions.read_only_commands import is_read_only
from agent.permissions.rule_store import StoredRule, parse_rules
from agent.permissions.rules import Rule, offered_rule
from agent.permissions.shell_parser import Line, parse_line

if TYPE_CHECKING:
    from agent.permissions.permission_table import PermissionTable

HARMLESS = frozenset(("true", "false", ":", "pwd"))
NOWHERE = "/dev/null"
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
    if approval.kind == "mcp":
        return _decide_tool(approval, deny, kept)
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


def _decide_tool(approval: Approval, deny: Sequence[Rule], kept: Sequence[StoredRule]) -> Decision:
    """Return the decision on a call of an MCP server's tool, whose stored rules hold its name and pin."""
    if denied := [rule for rule in deny if rule.is_denied_at(approval.subject)]:
        return Decision(False, tuple(denied), "config")
    if approval.is_allowed:
        return Decision(True, by="config")
    rule = Rule("mcp", f"{approval.subject} {approval.pin}")
    if found := [each for each in kept if each.rule == rule]:
        return _allow(found[:1])
    was_allowed = any(each.rule.pattern.split(" ")[0] == approval.subject for each in kept)
    return Decision(None, always=(rule,), notice=CHANGED if was_allowed else "")


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
