"""Reuse of the repository's own statements at other places, known as plastic surgery.

Most of the code that a fix inserts already exists elsewhere in the same project (Barr et al., "The plastic surgery
hypothesis", FSE 2014). A snippet fits if the names that it reads are in scope, possibly after some of them are renamed.
Snippets are preferred if their neighbours are similar, if their function has a similar name, or if they bind a name
that is undefined here.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property, lru_cache
from itertools import permutations

from extensions.experiment.source.code_blocks import BLOCKS, BUILTINS, block, has_outer_jump, owner, unindented_lines
from extensions.experiment.source.source_file import Definition, Source, statements
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_module
from extensions.repair.analysis.name_usage import unique
from extensions.repair.analysis.unbound_names import bindings, find_unbound_names, module_names
from extensions.repair.analysis.weak_cache import cache_by_first

LONGEST, MOST_LINES = 160, 4
MOST_FITS, MOST_NEW_NAMES = 400, 12
MOST_ASKED, LONGEST_ASKED = 40, 60
ASKING = ("is_", "has_", "can_", "should_", "needs_", "was_")
START, END = "^", "$"
"""Placeholders for the missing neighbours of a block's first and last statement."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A statement of up to four lines.

    It holds the text without indentation, the outer names that it reads, the names that it binds, the attributes of
    `self` that it uses, the function that contains it, and the shapes of its neighbours.
    """

    text: str
    reads: frozenset[str]
    binds: frozenset[str]
    attributes: frozenset[str]
    holder: ast.AST
    owner: ast.ClassDef | None
    shape: str
    before: str
    after: str
    compound: bool
    jumps: bool
    """Whether it has a `break` or `continue` of a loop that encloses it."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A snippet's text with its names adapted, and how well it fits (higher is better)."""

    text: str
    score: float
    snippet: Snippet


class Snippets:
    """The statements of some files. They are read on first use, and the results for each function are cached."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self._fits: dict[ast.AST, list[Fit]] = {}
        self._conditions: dict[ast.AST, list[str]] = {}

    @cached_property
    def all(self) -> list[Snippet]:
        return [one for source in self.sources for _, holder in source.functions for one in _snippets(source, holder)]

    @cached_property
    def shapes(self) -> Counter[str]:
        """The number of statements of each shape."""
        return Counter(one.shape for one in self.all)

    def before(self, source: Source, holder: ast.AST, statement: ast.stmt, last: bool = False) -> Iterator[Fit]:
        """Yield snippets that can be inserted before a statement of `holder`, or after it if `last` is set, likeliest
        first."""
        found, place = block(source, statement)
        if not found:
            return
        here = _shape(statement)
        left = here if last else (_shape(found[place - 1]) if place else START)
        right = END if last else here
        scored = []
        for order, fit in enumerate(self.fitting(source, holder)):
            alike = 3.0 * (fit.snippet.before == left) + 3.0 * (fit.snippet.after == right)
            scored.append((-(fit.score + alike), order, fit))
        for score, _, fit in sorted(scored, key=lambda one: one[:2]):
            yield Fit(fit.text, -score, fit.snippet)

    def like(self, source: Source, holder: ast.AST, statement: ast.stmt) -> Iterator[Fit]:
        """Yield snippets that can replace a statement: those of the same kind with a similar text."""
        text, kind = source.text(statement), type(statement).__name__
        scored = []
        for order, fit in enumerate(self.fitting(source, holder)):
            if fit.snippet.shape.partition(":")[0] == kind and not fit.snippet.compound and fit.text != text:
                alike = _overlap(fit.text, text)
                if alike >= 0.4:
                    scored.append((-(4 * alike + 0.2 * fit.score), order, fit))
        for score, _, fit in sorted(scored, key=lambda one: one[:2]):
            yield Fit(fit.text, -score, fit.snippet)

    def conditions(self, source: Source, holder: ast.AST) -> list[str]:
        """Return conditions of other functions that are valid in this one, preferring frequent ones and those of the
        same class."""
        if holder not in self._conditions:
            scope = _Scope(source, holder)
            found: Counter[str] = Counter()
            for text, reads, attributes, where in self._asked:
                own = where is not None and where is scope.owner
                if reads <= scope.known.union(scope.loose.missing) and (
                    own or ("self" not in reads and not attributes)
                ):
                    found[text] += 3 if own else 1
            asked = [f"self.{name}()" for name in scope.questions]
            self._conditions[holder] = unique([*asked, *(text for text, _ in found.most_common())])[:MOST_ASKED]
        return self._conditions[holder]

    @cached_property
    def _asked(self) -> list[tuple[str, frozenset[str], frozenset[str], ast.ClassDef | None]]:
        """Each condition with the names it reads, the attributes of `self`, and the class that contains it."""
        found = []
        for source in self.sources:
            for _, holder in source.functions:
                within = owner(source, holder)
                for node in ast.walk(holder):
                    for test in (getattr(node, "test", None), *(node.values if isinstance(node, ast.BoolOp) else ())):
                        text = source.text(test) if isinstance(test, ast.expr) else ""
                        if test is not None and text and len(text) <= LONGEST_ASKED and "\n" not in text:
                            names = frozenset(one.id for one in ast.walk(test) if isinstance(one, ast.Name))
                            found.append((text, names, frozenset(_attributes(test)), within))
        return found

    def fitting(self, source: Source, holder: ast.AST) -> list[Fit]:
        """Return the snippets of other functions that fit into `holder`, with their names adapted."""
        if holder not in self._fits:
            scope = _Scope(source, holder)
            ranked: list[tuple[float, int, Snippet, dict[str, str]]] = []
            for snippet in self.all:
                if snippet.holder is not holder and scope.reaches(snippet):
                    general = 0.5 * math.log(self.shapes[snippet.shape]) + scope.nearness(snippet)
                    for names in scope.renamings(snippet):
                        ranked.append((-(general + scope.worth(snippet, names)), len(ranked), snippet, names))
            best: dict[str, Fit] = {}
            for score, _, snippet, names in sorted(ranked, key=lambda one: one[:2]):
                text = rename(snippet.text, names)
                best.setdefault(text, Fit(text, -score, snippet))
                if len(best) == MOST_FITS:
                    break
            self._fits[holder] = list(best.values())
        return self._fits[holder]


class _Scope:
    """The names that a function can use."""

    def __init__(self, source: Source, holder: ast.AST) -> None:
        self.holder, self.owner = holder, owner(source, holder)
        self.locals = unique(bindings(holder))
        self.known = set(self.locals) | module_names(source) | BUILTINS
        self.loose = find_unbound_names(source, holder)
        names = [name for name in (*self.loose.idle, *self.locals) if name not in ("self", "cls")]
        self.names = unique(names)[:MOST_NEW_NAMES]
        self.takers = unique([*self.loose.missing, *names])[:MOST_NEW_NAMES]
        self.own = set(self.locals)
        self.read = {node.id for node in ast.walk(holder) if isinstance(node, ast.Name)}
        self.attributes = _attributes(self.owner or holder)
        own = [node for node in (self.owner.body if self.owner else ()) if isinstance(node, ast.FunctionDef)]
        self.questions = [
            one.name for one in own if len(one.args.args) == 1 and one.name.lstrip("_").startswith(ASKING)
        ]

    def reaches(self, snippet: Snippet) -> bool:
        """Return whether a snippet may fit, judged by the attributes of `self` that it uses and the number of its names
        that are out of scope."""
        strange = snippet.reads - self.known
        own = snippet.owner is not None and snippet.owner is self.owner
        return len(strange) <= 2 and "self" not in strange and (own or snippet.attributes <= self.attributes)

    def nearness(self, snippet: Snippet) -> float:
        """Rate how close a snippet's function is to this one, by its class and its name."""
        same = snippet.owner is not None and snippet.owner is self.owner
        mine, other = getattr(self.holder, "name", ""), getattr(snippet.holder, "name", "")
        return 0.5 * same + 1.5 * _likeness(mine, other)

    def renamings(self, snippet: Snippet) -> Iterator[dict[str, str]]:
        """Yield mappings that replace names of a snippet that are not in scope by names that are."""
        strange = sorted(snippet.reads - self.known)
        vain = sorted(name for name in snippet.binds if name not in self.read and name not in strange)
        if not strange and not vain:
            yield {}
        elif len(strange) == 1 and not vain:
            yield from ({strange[0]: name} for name in self.names)
        elif len(strange) == 2 and not vain:
            for one, other in permutations(self.names[:4], 2):
                yield {strange[0]: one, strange[1]: other}
        elif len(vain) == 1 and not strange:
            yield from ({vain[0]: name} for name in self.takers)
        elif len(vain) == len(strange) == 1:
            for name in self.takers[:4]:
                for one in self.names[:4]:
                    yield {vain[0]: name, strange[0]: one}

    def worth(self, snippet: Snippet, names: dict[str, str]) -> float:
        """Rate how well a renamed snippet fits, by the names it would bind and read."""
        binds = {names.get(name, name) for name in snippet.binds}
        reads = {names.get(name, name) for name in snippet.reads}
        own = reads & self.own
        return (
            4.0 * any(name in binds for name in self.loose.missing)
            + 2.0 * any(name in reads for name in self.loose.idle)
            + 1.0 * any(name in reads for name in self.loose.unused)
            + 0.5 * bool(own)
            - 0.7 * len(names)
        )


@cache_by_first
def raise_statements(source: Source, holder: ast.AST, expected_exceptions: tuple[str, ...] = ()) -> list[str]:
    """Return `raise` statements for a function.

    Exceptions that tests expect but that are not raised come first, then those raised in the function and its file,
    most frequent first, then common exceptions for invalid arguments.
    """
    own = {node for node in ast.walk(holder) if isinstance(node, ast.Raise)}
    found: Counter[str] = Counter()
    for node in _raised(source):
        text = source.text(node)
        if len(text) <= LONGEST and "\n" not in text and _in_scope(node, source, holder):
            found[text] += 10 if node in own else 1
    kinds = [f"raise {name}" for name in unique(_kind(text) for text, _ in found.most_common()) if name]
    plain = [f"raise {name}" for name in ("ValueError", "TypeError", "IndexError", "KeyError", "StopIteration")]
    expected = [f"raise {name}" for name in expected_exceptions if name in module_names(source) | BUILTINS]
    expected += [text for text, _ in found.most_common() if _kind(text) in expected_exceptions][:2]
    return unique([*expected, *(text for text, _ in found.most_common(4)), *kinds[:4], *plain])


@cache_by_first
def _raised(source: Source) -> list[ast.Raise]:
    return [node for node in ast.walk(source.tree) if isinstance(node, ast.Raise) and node.exc is not None]


def _in_scope(node: ast.AST, source: Source, holder: ast.AST) -> bool:
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return names <= set(bindings(holder)) | module_names(source) | BUILTINS


def _kind(text: str) -> str:
    """Return the exception's name in a `raise`."""
    name = text.removeprefix("raise ").partition("(")[0].strip()
    return name if name[:1].isupper() and name.replace(".", "").isidentifier() else ""


@lru_cache(maxsize=20_000)
def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).quick_ratio()


@lru_cache(maxsize=20_000)
def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+|[^\w\s]", text))


def _overlap(one: str, other: str) -> float:
    """Return the share of words and punctuation marks that two texts have in common."""
    first, second = _words(one), _words(other)
    return len(first & second) / max(1, len(first | second))


def rename(text: str, names: dict[str, str]) -> str:
    """Replace every use of the given names in a statement's text."""
    if not names:
        return text
    lines = [line.encode() for line in text.split("\n")]
    for row, start, end, name in _uses(text):
        if name in names:
            lines[row] = lines[row][:start] + names[name].encode() + lines[row][end:]
    return b"\n".join(lines).decode()


@lru_cache(maxsize=20_000)
def _uses(text: str) -> tuple[tuple[int, int, int, str], ...]:
    """Return the uses of names in a statement, last one first: line, start and end in bytes, and name."""
    found = [node for node in ast.walk(parse_module(text)) if isinstance(node, ast.Name)]
    spans = [(node.lineno - 1, node.col_offset, node.end_col_offset or 0, node.id) for node in found]
    return tuple(sorted(spans, reverse=True))


def _snippets(source: Source, holder: ast.AST) -> Iterator[Snippet]:
    kinds = Definition | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal | ast.Pass
    within = owner(source, holder)
    for parent in [holder, *statements(holder)]:
        for field in BLOCKS:
            found = getattr(parent, field, None)
            if not isinstance(found, list) or not all(isinstance(one, ast.stmt) for one in found):
                continue
            shapes = [START, *(_shape(one) for one in found), END]
            for place, one in enumerate(found):
                if isinstance(one, kinds) or (one.end_lineno or one.lineno) - one.lineno >= MOST_LINES:
                    continue
                if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
                    continue
                lines = unindented_lines(source, one, one, remark=False)
                if lines is None:
                    continue
                text = "\n".join(lines)
                if len(text) > LONGEST or not _reads_alone(text):
                    continue
                reads, binds = _names(one)
                yield Snippet(
                    text, reads, binds, frozenset(_attributes(one)), holder, within, shapes[place + 1],
                    before=shapes[place], after=shapes[place + 2],
                    compound=isinstance(getattr(one, "body", None), list), jumps=has_outer_jump(one),
                )  # fmt: skip


def _reads_alone(text: str) -> bool:
    try:
        parse_module(text)
    except UNREADABLE:
        return False
    return True


def _names(statement: ast.stmt) -> tuple[frozenset[str], frozenset[str]]:
    """Return the outer names that a statement reads, and those that it binds."""
    inner: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.comprehension):
            inner.update(one.id for one in ast.walk(node.target) if isinstance(one, ast.Name))
        elif isinstance(node, ast.Lambda):
            inner.update(one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg))
        elif isinstance(node, ast.ExceptHandler) and node.name:
            inner.add(node.name)
    found = [node for node in ast.walk(statement) if isinstance(node, ast.Name) and node.id not in inner]
    stores = [node for node in found if isinstance(node.ctx, ast.Store)]
    compound = isinstance(getattr(statement, "body", None), list)
    first = {node.id: (node.lineno, node.col_offset) for node in reversed(stores)} if compound else {}
    reads = {
        node.id
        for node in found
        if not isinstance(node.ctx, ast.Store)
        and not (node.id in first and first[node.id] < (node.lineno, node.col_offset))
    }
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        reads.add(statement.target.id)
    return frozenset(reads), frozenset(node.id for node in stores)


def _attributes(node: ast.AST) -> set[str]:
    """Return the attributes of `self` that a node uses and, for a class, the names of its methods."""
    found = {
        one.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self"
    }
    if isinstance(node, ast.ClassDef):
        found.update(one.name for one in node.body if isinstance(one, Definition))
    return found


def _shape(statement: ast.stmt) -> str:
    """Return a statement's kind and what it calls, without its names. Only the header of a compound statement
    counts."""
    parts = [type(statement).__name__]
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop(0)
        if node is not statement and isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            continue
        if isinstance(node, ast.Attribute):
            parts.append(f".{node.attr}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            parts.append(f"{node.func.id}()")
        elif isinstance(node, ast.operator | ast.cmpop | ast.Yield | ast.Constant):
            parts.append(type(node).__name__ if not isinstance(node, ast.Constant) else repr(node.value)[:20])
        waiting += ast.iter_child_nodes(node)
    return parts[0] + ":" + " ".join(parts[1:])
