"""What a shell's command line runs and writes, as far as that can be said without running it.

tree-sitter-bash reads the line. What is not known here to be plain makes the whole line one that no rule may allow: a
reader that errs must err to that side. So only node types, tokens and gaps that are listed are passed over in silence,
and what bash and sh read differently, or the parser and a shell may, is not listed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from aci.bash_running import ASSIGNED, ASSIGNMENT_RUN, Words, run_by, words_of

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LONGEST = 20_000
DEEPEST = 4
"""Command lines within command lines (`bash -c`, `eval`) that are read."""

_CONTAINERS = words_of(
    "program list pipeline subshell compound_statement negated_command redirected_statement if_statement "
    "elif_clause else_clause while_statement do_group command_substitution process_substitution "
    "variable_assignments"
)
_TOKENS = words_of("; & && || | ( ) { } ! if then elif else fi while until do done $( <( >(") | {"\n"}
_WRITES = frozenset((">", ">>", ">|", "&>", "&>>"))
_DUPLICATES = frozenset((">&", "<&", ">&-", "<&-"))
_WORD = re.compile(r"(?:[\w@%+=:,./^~*?\[\]{}!-]|\\[ -~])(?:[\w@%+=:,./^~*?\[\]{}!#-]|\\[ -~])*")
_ESCAPED = re.compile(r"\\.")
_EXPANDED = re.compile(r"[*?\[\]{}]|(?:^|[=:])~")
_QUOTED = re.compile(r'"(?:[^"\\$`]|\\[\s\S])*"')
_CONTENT = re.compile(r"(?:[^\"\\$`]|\\[\s\S]|\$(?=[\s|)]|$))*")
_GAP = re.compile(rb"(?:[ \t\n]|(?<=[ \t\n])\\\n)*")
_GAP_IN_LINE = re.compile(rb"(?:[ \t]|(?<=[ \t])\\\n)*")
_ON_ONE_LINE = words_of("command declaration_command unset_command file_redirect variable_assignments")
"""What a newline would end."""
_LOOP = re.compile(r"(?!path$|cdpath$|fpath$|prompt$)[a-z][a-z0-9]{0,15}")
_VARIABLE = re.compile(r"\$(\w+|[@*#?$!-]|\{\w+\})")
LATE = "a part of it is known only when it runs"


@dataclass(frozen=True, slots=True)
class Line:
    """The words of every simple command, None for one that is known only when it runs; files that redirections write.

    `why` says why no rule may allow the line; empty where rules may.
    """

    commands: tuple[Words, ...]
    writes: tuple[str, ...]
    why: str = ""


def read(line: str) -> Line:
    """Read a command line or script; what cannot be read is in `why`, too."""
    reader = _Reader()
    reader.take(line, 0)
    return Line(tuple(reader.commands), tuple(reader.writes), next(iter(reader.whys), ""))


class _Reader:
    def __init__(self) -> None:
        self.commands: list[Words] = []
        self.writes: list[str] = []
        self.whys: list[str] = []
        self._depth = 0

    def take(self, line: str, depth: int) -> None:
        if len(line) > LONGEST or depth > DEEPEST:
            self.whys.append("it is too long to be judged")
            return
        if any(not (character.isprintable() or character in "\n\t") for character in line):
            self.whys.append("it holds characters that cannot be seen")
        outer, self._depth = self._depth, depth
        try:
            source = line.strip(" \t\n").encode("utf-8", "replace")
            root = _parser().parse(source).root_node
            if root.text != source:
                self.whys.append("it is not plain where it begins and ends")
            if root.has_error:
                self.whys.append("it cannot be read as a shell's command")
            self._statement(root)
        except RecursionError:
            self.whys.append("it is nested too deeply to be judged")
        finally:
            self._depth = outer

    # Statements

    def _statement(self, node: Node) -> None:
        match node.type:
            case "command":
                self._command(node)
            case "declaration_command" | "unset_command":
                self._declaration(node)
            case "variable_assignment":
                self._run((self._word(node),))
            case "file_redirect":
                self._redirect(node)
            case "for_statement":
                self._loop(node)
            case "comment":
                self._comment(node)
            case kind if kind in _CONTAINERS:
                self._inside(node)
            case kind:
                self._strange(node, f"it holds what rules do not judge ({kind.replace('_', ' ')})")

    def _inside(self, node: Node) -> None:
        self._gaps(node)
        for child in node.children:
            if child.is_named:
                self._statement(child)
            elif _text(child) not in _TOKENS:
                self.whys.append(f"it holds what rules do not judge ({_text(child)[:20]})")

    def _strange(self, node: Node, why: str) -> None:
        """What cannot be allowed by rule is looked through all the same: it may hold what is forbidden."""
        self.whys.append(why)
        for child in node.named_children:
            self._statement(child)

    def _command(self, node: Node) -> None:
        self._gaps(node)
        words: list[str | None] = []
        for child in node.children:
            if child.type == "command_name":
                words += [self._word(part) for part in child.children]
                if ASSIGNED.fullmatch(words[-1] or ""):
                    self.whys.append(ASSIGNMENT_RUN)
            elif child.type == "file_redirect":
                self._redirect(child)
            else:
                words.append(self._word(child))
        self._run(tuple(words))

    def _declaration(self, node: Node) -> None:
        self._gaps(node)
        first, *others = node.children
        self._run((_text(first), *(self._word(each) for each in others)))

    def _run(self, words: Words) -> None:
        for found in run_by(words):
            self.commands += [found.words] if found.words else []
            self.whys += [found.why] if found.why else []
            if found.line:
                self.take(found.line, self._depth + 1)

    def _loop(self, node: Node) -> None:
        self._gaps(node)
        name, body = node.child_by_field_name("variable"), node.child_by_field_name("body")
        if name is None or body is None or not _LOOP.fullmatch(_text(name)) or node.children[0].type != "for":
            self._strange(node, "it loops over what may be a setting of programs")
            return
        values = node.children_by_field_name("value")
        for child in node.named_children:
            if child in values:
                self._word(child)
            elif child != name:
                self._statement(child)

    def _comment(self, node: Node) -> None:
        """Both a shell and the parser must take it for one."""
        before = _root(node).text or b""
        if node.start_byte and before[node.start_byte - 1 : node.start_byte] not in (b" ", b"\t", b"\n", b";"):
            self.whys.append("it is not plain where a comment begins")
        if not re.fullmatch(r"#[^\n]*(?<!\\)", _text(node)):
            self.whys.append("it is not plain where a comment ends")

    def _redirect(self, node: Node) -> None:
        self._gaps(node)
        operator = next((_text(child) for child in node.children if not child.is_named), "")
        targets = node.children_by_field_name("destination")
        if any(child.type not in ("file_descriptor",) and child not in targets for child in node.named_children):
            self.whys.append("it redirects in a way that rules do not judge")
        words = [self._word(child) for child in targets]
        if operator in _DUPLICATES and (not words or (len(words) == 1 and (words[0] or "x").isdigit())):
            return
        if len(words) != 1 or words[0] is None:
            self.whys.append("it redirects to what is known only when it runs")
        elif operator in _WRITES or operator == ">&":
            self.writes.append(words[0])
        elif operator != "<" or words[0].startswith(("/dev/tcp", "/dev/udp")):
            self.whys.append("it redirects in a way that rules do not judge")

    # Words

    def _word(self, node: Node) -> str | None:
        """What a word is, or None for one that a shell makes of more than its letters."""
        text = _text(node)
        match node.type:
            case "word" | "number" | "variable_name" | "file_descriptor" | "special_variable_name":
                if not _WORD.fullmatch(text):
                    self.whys.append(f"it is not plain what {text[:40]!r} is")
                return _plain(text)
            case "raw_string":
                return text[1:-1]
            case "string":
                return self._string(node, text)
            case "concatenation":
                if all(child.type in ("word", "number") for child in node.children) and _WORD.fullmatch(text):
                    return _plain(text)
                parts = [self._word(child) for child in node.children]
                if any(one.end_byte != other.start_byte for one, other in pairwise(node.children)):
                    self.whys.append("it is not plain where a word ends")
                return None if None in parts else "".join(filter(None, parts))
            case "variable_assignment":
                return self._assignment(node)
            case "simple_expansion" | "expansion" if _VARIABLE.fullmatch(text):
                return None
            case "command_substitution" | "process_substitution":
                if text.startswith("`"):
                    self.whys.append("it has a command in backticks, which shells read in their own ways")
                self._inside(node)
                return None
        self._strange(node, LATE)
        return None

    def _string(self, node: Node, text: str) -> str | None:
        if _QUOTED.fullmatch(text):
            return re.sub(r'\\([\\"$`])', r"\1", text[1:-1].replace("\\\n", ""))
        self._gaps(node)
        for child in node.children:
            if child.type == "string_content":
                if not _CONTENT.fullmatch(_text(child)):
                    self.whys.append(LATE)
            elif child.is_named:
                self._word(child)
            elif _text(child) not in ('"', "$") or (_text(child) == "$" and _following(child) not in b'" |)'):
                self.whys.append(LATE)
        return None

    def _assignment(self, node: Node) -> str | None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        said = self._word(value) if value is not None else ""
        start = f"{_text(name)}=" if name is not None and name.type == "variable_name" else None
        if said is None or start is None or _text(node) != start + (_text(value) if value else ""):
            self.whys.append("it sets a variable to what is known only when it runs")
            return None
        return start + said

    # What lies between

    def _gaps(self, node: Node) -> None:
        whole, at = node.text or b"", 0
        allowed = _GAP_IN_LINE if node.type in _ON_ONE_LINE else _GAP
        for child in node.children:
            start, stop = child.start_byte - node.start_byte, child.end_byte - node.start_byte
            if not allowed.fullmatch(whole[at:start]):
                self.whys.append("it is not plain where its words begin and end")
            at = stop
        if node.children and whole[at:].strip(b" \t\n"):
            self.whys.append("it is not plain where its words begin and end")


def _plain(text: str) -> str | None:
    """An unquoted word without its backslashes, unless a shell puts names or several words in its place."""
    open = _ESCAPED.sub("", text).replace("{}", "")
    return None if _EXPANDED.search(open) else re.sub(r"\\(.)", r"\1", text)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _following(node: Node) -> bytes:
    return (_root(node).text or b"")[node.end_byte : node.end_byte + 1] or b"\n"


def _root(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node


@cache
def _language() -> object:
    import tree_sitter_bash
    from tree_sitter import Language

    return Language(tree_sitter_bash.language())


def _parser() -> Parser:
    from tree_sitter import Parser

    return Parser(_language())  # type: ignore[arg-type]
