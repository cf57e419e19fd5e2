"""Edits of several places: pairs of likely edits, and the same change in all similar places.

If one line is wrong, similar lines often are too (for example, a wrong name is used throughout, or a bound is missing
on both sides). Edits of similar lines (twins) come first. Other pairs are ordered by the product of their scores, and
pairs of edits that are close to each other are preferred.
"""

from __future__ import annotations

import ast
import heapq
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import replace

from extensions.experiment.evaluator.candidate_evaluator import Candidate, FunctionSpan
from extensions.experiment.source.source_file import Source
from extensions.experiment.source.syntax_trees import is_expression, parse_expression

TWIN = 0.5
"""Score of a twin, as a fraction of the score of its single edit."""
NEAR, SAME_FUNCTION, SAME_FILE = 1.0, 0.6, 0.2
"""Factors for the score of a pair whose edits are on the same or adjacent lines, in the same function, or in the same
file."""
MOST_TWINS = 8
SPACE = (tokenize.ENCODING, tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
TARGET = ast.Name | ast.Attribute | ast.Subscript
Placed = ast.stmt | ast.expr | ast.ExceptHandler | ast.arg | ast.keyword | ast.alias | ast.pattern


class MultiPlaceEdits:
    """Combines candidates that edit one place into candidates that edit several places, for one search. Data about the
    source files is cached."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._texts = {source.path: source for source in sources}
        self._tokens: dict[str, _Tokens] = {}

    def of(self, singles: Sequence[Candidate], known: int = 0) -> Iterator[Candidate]:
        """Yield candidates that edit several places, best first. `singles` must have scores and be sorted, best first.

        Pairs are generated lazily. Pairs of the first `known` singles are left out, since an earlier call yielded them.
        """
        return heapq.merge(self._twins(singles[known:]), _products(singles, known), key=lambda one: -one.score)

    def _twins(self, singles: Sequence[Candidate]) -> Iterator[Candidate]:
        """Yield each replacement, applied to all places with the same old text in the function, or in the file if the
        edit is not in a function."""
        for one in singles:
            source = self._texts.get(one.path)
            if source is None or len(one.edits) != 1:
                continue
            if one.path not in self._tokens:
                self._tokens[one.path] = _Tokens(source)
            start, end, text = one.edits[0]
            inside = self._tokens[one.path].like(start, end, text, one.function)
            if 1 < len(inside) <= MOST_TWINS:
                edits = [self._tokens[one.path].put(*place, text) for place in inside]
                yield _twin(one, [edit for each in edits for edit in each], one.function)


class _Tokens:
    """The tokens of a file, and the innermost syntax node that contains each token."""

    def __init__(self, source: Source) -> None:
        self.source, self.data, self.parents = source, source.data, source.parents
        self.ends = dict(_tokens(source))
        self.last = {end: start for start, end in self.ends.items()}
        nodes = [node for node in source.parents if isinstance(node, Placed)]
        spans = {node: (source.position(node.lineno, node.col_offset), _end(source, node)) for node in nodes}
        self.exact = {span: node for node, span in spans.items()}
        self.within = dict(_innermost(sorted(self.ends), spans))

    def like(self, start: int, end: int, text: str, function: FunctionSpan | None) -> list[tuple[int, int]]:
        """Return the spans in the function or file that have the same tokens in the same syntactic role, if `text` is
        allowed in this role."""
        old = self.data[start:end]
        if not old or start not in self.ends or end not in self.last or old == b"=":
            return []
        role = self._role(start, end, text)
        first, last = (function.body, function.end) if function else (0, len(self.data))
        found = []
        at = self.data.find(old, first, last) if role else -1
        while at >= 0:
            to = at + len(old)
            if at in self.ends and to in self.last and self._role(at, to, text) == role:
                found.append((at, to))
            at = self.data.find(old, to, last)
        return found

    def put(self, start: int, end: int, text: str) -> tuple[tuple[int, int, str], ...]:
        """Return the edits that replace a span by `text`, in parentheses if necessary."""
        node = self.exact.get((start, end))
        if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            return self.source.replace(node, text).edits
        return ((start, end, text),)

    def _role(self, start: int, end: int, text: str) -> tuple[object, ...]:
        """Return the syntactic role of a span: a value, an assignment target, or a part of a node of a certain type.

        If the new text can be an assignment target, it can replace both values and targets. If the span is an
        expression but `text` is not, the role is empty and nothing is replaced.
        """
        node = self.exact.get((start, end))
        if node is None:
            return type(self.within.get(start)), type(self.within.get(self.last[end]))
        if not is_expression(text):
            return ()
        walrus = isinstance(self.parents[node], ast.NamedExpr) and isinstance(getattr(node, "ctx", None), ast.Store)
        free = isinstance(node, TARGET) and isinstance(parse_expression(text), ast.Name if walrus else TARGET)
        return type(node), free or type(getattr(node, "ctx", None))


def _tokens(source: Source) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each token, as byte offsets."""
    for token in tokenize.tokenize(io.BytesIO(source.data).readline):
        if token.type not in SPACE and token.string:
            (line, column), text = token.start, token.line
            first = source.position(line, len(text[:column].encode()))
            yield first, first + len(token.string.encode())


def _end(source: Source, node: Placed) -> int:
    return source.position(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)


def _innermost(tokens: list[int], spans: dict[Placed, tuple[int, int]]) -> Iterator[tuple[int, ast.AST]]:
    """Yield the start of each token with the innermost node that contains the token."""
    waiting = sorted(spans.items(), key=lambda item: (item[1][0], -item[1][1]))[::-1]
    around: list[tuple[int, ast.AST]] = []
    for token in tokens:
        while waiting and waiting[-1][1][0] <= token:
            node, (_, end) = waiting.pop()
            while around and around[-1][0] < end:
                around.pop()
            around.append((end, node))
        while around and around[-1][0] <= token:
            around.pop()
        if around:
            yield token, around[-1][1]


def _twin(one: Candidate, edits: list[tuple[int, int, str]], function: FunctionSpan | None) -> Candidate:
    words = f"{one.description}, in all {len(edits)} places"
    return replace(
        one, edits=tuple(edits), description=words, function=function, score=TWIN * one.score, template="twin"
    )


def _products(singles: Sequence[Candidate], known: int) -> Iterator[Candidate]:
    """Yield pairs in descending order of the product of their scores.

    Row i contains the pairs of single i with all later singles from index `known` on, in descending order of their
    highest possible score.
    """
    if len(singles) <= max(1, known):
        return
    top = max(one.score for one in singles) or 1.0
    start = max(1, known)
    waiting = [(-_bound(singles, 0, start, top), 0, start)]
    ready: list[tuple[float, int, int, Candidate]] = []
    while waiting or ready:
        while waiting and (not ready or waiting[0][0] <= ready[0][0]):
            _, row, column = heapq.heappop(waiting)
            joined = _joined(singles[row], singles[column], top)
            if joined is not None:
                heapq.heappush(ready, (-joined.score, row, column, joined))
            if column + 1 < len(singles):
                heapq.heappush(waiting, (-_bound(singles, row, column + 1, top), row, column + 1))
            after = max(row + 2, known)
            if column == max(row + 1, known) and after < len(singles):
                heapq.heappush(waiting, (-_bound(singles, row + 1, after, top), row + 1, after))
        if ready:
            yield heapq.heappop(ready)[3]


def _bound(singles: Sequence[Candidate], row: int, column: int, top: float) -> float:
    """Return the highest possible score of a pair."""
    return NEAR * singles[row].score * singles[column].score / top


def _joined(one: Candidate, other: Candidate, top: float) -> Candidate | None:
    """Join both edits into one candidate, or return None if they are in different files, overlap or are adjacent."""
    if one.path != other.path or _touch(one, other):
        return None
    same = one.function == other.function
    near = abs(one.line - other.line) <= 1
    share = NEAR if near and same else SAME_FUNCTION if same else SAME_FILE
    return replace(
        one,
        edits=tuple(sorted((*one.edits, *other.edits))),
        description=f"{one.description} and {other.description}",
        function=one.function if same else None,
        score=share * one.score * other.score / top,
        template="pair",
    )


def _touch(one: Candidate, other: Candidate) -> bool:
    return any(start <= last and first <= end for start, end, _ in one.edits for first, last, _ in other.edits)
