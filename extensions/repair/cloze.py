"""Cloze candidates: suspicious code is masked, a model fills the masks, and the fillings become candidate edits.

After AlphaRepair (Xia and Zhang, arXiv 2207.08281), which masks whole lines, their parts, conditions and arguments, and
RepairLLaMA (Silva et al., arXiv 2312.15698), which marks the place to fill in the whole function. Here a chat model
fills several masks of a function at once.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from extensions.experiment.evaluator.candidate_evaluator import Candidate, FunctionSpan
from extensions.experiment.source.source_file import Draft, Source, brief, header, own_nodes
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_expression, parse_module
from extensions.repair.analysis.suspicious_statements import Suspect
from extensions.repair.candidates.editable_statements import Place, editable_places
from extensions.repair.candidates.template_weights import Template, fitted_weights

PLACES, MASKS_AT_PLACE, MASKS_IN_FUNCTION, FUNCTIONS = 12, 6, 16, 3
"""Maximum numbers of statements and functions with masks, and of masks in each."""
FILLINGS = 5
"""Number of fillings that the model is asked for at each mask."""
MOST_FILLINGS, LONGEST, MOST_STATEMENTS = 12, 400, 6
"""Maximum number of fillings of a mask that are tried, and of characters and statements in one."""
LIKELIHOOD = Template(1.0, 3.0)
"""The likelihood of the nth filling, beside those of templates. It is set by hand."""
WORDS = {
    "condition": "a condition",
    "expression": "an expression",
    "call": "an expression, here a call",
    "argument": "one argument, without its keyword",
    "statement": "one or more statements instead of this one",
    "insertion": "one or more statements before this line",
}
"""The kinds of masks, as the prompt names them."""
TEMPLATE = "cloze"
SIMPLE = (
    *(ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Raise, ast.Assert, ast.Delete, ast.Pass),
    *(ast.Break, ast.Continue),
)
DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Global, ast.Nonlocal)
UNFIT = (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await)
"""Expressions that change what the code around a mask means."""
FENCE = re.compile(r"```[ \t]*(M\d+)[ \t]*")


@dataclass(frozen=True, slots=True)
class Mask:
    """Code to fill: a `kind` of WORDS, the statement and, except for statements and insertions, the expression."""

    kind: str
    place: Place
    node: ast.expr | ast.stmt

    @property
    def is_expression(self) -> bool:
        return self.kind not in ("statement", "insertion")

    def show(self, name: str) -> str:
        """Return the masked lines."""
        source = self.place.source
        start, end = source.span(self.node)
        if self.kind == "insertion":
            margin = source.data[source.line_start(start) : start].decode()
            line = source.data[start:end].decode().splitlines()[0]
            return f"{margin}<{name}>\n{margin}{line}"
        statement = self.place.statement
        lines = header(statement)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = range(lines.start, max(lines.start + 1, statement.body[0].lineno))
        first, last = source.position(lines.start, 0), source.position(lines.stop - 1, 0)
        tail = max(end, last + len(source.rest(last)))
        return (source.data[first:start] + f"<{name}>".encode() + source.data[end:tail]).decode()


def find_masks(sources: Sequence[Source], suspects: Sequence[Suspect]) -> list[list[Mask]]:
    """Return the masks of each suspicious function, the likeliest first."""
    found: dict[FunctionSpan, list[Mask]] = {}
    places = [place for place in editable_places(sources, suspects, fitted_weights()) if place.function is not None]
    for place in places[:PLACES]:
        assert place.function is not None
        if place.function not in found and len(found) == FUNCTIONS:
            continue
        masks = found.setdefault(place.function, [])
        masks += _masks_at(place)[: min(MASKS_AT_PLACE, MASKS_IN_FUNCTION - len(masks))]
    return [masks for masks in found.values() if masks]


def _masks_at(place: Place) -> list[Mask]:
    statement = place.statement
    found: list[Mask] = []
    if isinstance(statement, ast.If | ast.While | ast.Assert):
        found.append(Mask("condition", place, statement.test))
    if isinstance(statement, ast.Return | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr) and statement.value:
        found.append(Mask("expression", place, statement.value))
    if isinstance(statement, ast.For | ast.AsyncFor):
        found.append(Mask("expression", place, statement.iter))
    if isinstance(statement, SIMPLE):
        found.append(Mask("statement", place, statement))
    if not place.outside and place.source.insert(statement, ["pass"]) is not None:
        found.append(Mask("insertion", place, statement))
    for node in own_nodes(statement):
        if isinstance(node, ast.IfExp):
            found.append(Mask("condition", place, node.test))
        elif isinstance(node, ast.comprehension):
            found += [Mask("condition", place, one) for one in node.ifs]
        elif isinstance(node, ast.Call):
            found.append(Mask("call", place, node))
            found += [Mask("argument", place, one) for one in (*node.args, *(each.value for each in node.keywords))]
    if place.outside:
        found += [Mask("expression", place, node) for node in own_nodes(statement) if isinstance(node, ast.expr)]
    first: dict[tuple[int, int, bool], Mask] = {}
    for mask in found:
        if not isinstance(mask.node, ast.Starred):
            first.setdefault((*place.source.span(mask.node), mask.kind == "insertion"), mask)
    return list(first.values())


def describe_masks(masks: Sequence[Mask]) -> str:
    """Return the masks with their names, kinds and masked lines."""
    rows = []
    for number, mask in enumerate(masks, 1):
        rows.append(f"M{number}, line {mask.node.lineno}: {WORDS[mask.kind]}\n{mask.show(f'M{number}')}")
    return "\n\n".join(rows)


def numbered_function(mask: Mask, longest: int) -> str:
    """Return the function around a mask with line numbers, at most `longest` characters of it; a longer function is
    shown without its docstring."""
    source, function = mask.place.source, mask.place.function
    assert function is not None
    first = function.lines[1]
    lines = source.data[source.position(first, 0) : function.end].decode().splitlines()
    rows = [f"{number:4} {line}" for number, line in enumerate(lines, first)]
    if sum(map(len, rows)) + len(rows) > longest:
        for node in (one for _, one in source.functions if one.lineno == first):
            text = node.body[0]
            if ast.get_docstring(node, clean=False) is not None and text.lineno > first:
                rows[text.lineno - first : (text.end_lineno or text.lineno) - first + 1] = ["     ..."]
    return "\n".join(rows)[:longest]


def fillings(masks: Sequence[Mask], reply: str) -> list[Candidate]:
    """Return the fillings in a reply as candidates, the likeliest first; those that do not parse as what is masked are
    left out."""
    texts: dict[int, list[str]] = {}
    for name, block in _fenced_blocks(reply):
        number = int(name[1:]) - 1 if len(name) < 6 else -1
        if 0 <= number < len(masks):
            lines = [line for line in block.splitlines() if line.strip()]
            texts.setdefault(number, []).extend(lines if masks[number].is_expression else [block])
    found: dict[bytes, Candidate] = {}
    for number, options in texts.items():
        mask = masks[number]
        worth = mask.place.suspicion ** fitted_weights().place
        drafts = [one for text in options[:MOST_FILLINGS] for one in _drafts(mask, text)]
        for nth, draft in enumerate(drafts):
            one = _candidate(mask, draft, worth * LIKELIHOOD.weight * LIKELIHOOD.nth(nth))
            text = one.apply(mask.place.source.data)
            if text != mask.place.source.data and (text not in found or found[text].score < one.score):
                found[text] = one
    return sorted(found.values(), key=lambda one: -one.score)


def _fenced_blocks(reply: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each complete fenced block."""
    name, lines = "", list[str]()
    for line in reply.splitlines():
        if name and line.rstrip() == "```":
            yield name, "".join(f"{each}\n" for each in lines)
            name = ""
        elif name:
            lines.append(line)
        elif start := FENCE.fullmatch(line):
            name, lines = start[1], []


def _candidate(mask: Mask, draft: Draft, score: float) -> Candidate:
    place = mask.place
    return Candidate(
        place.source.path, draft.edits, draft.what, place.statement.lineno, place.function, score, TEMPLATE
    )


def _drafts(mask: Mask, text: str) -> Iterator[Draft]:
    """Yield the edit that fills a mask with this text, if the text is of the mask's kind and nothing else."""
    source = mask.place.source
    if len(text) > LONGEST or not _is_encodable(text):
        return
    if isinstance(mask.node, ast.expr):
        draft = source.replace(mask.node, expression) if (expression := _expression(text)) else None
    elif not (lines := _statements(text, source.unit(mask.place.statement))):
        return
    elif mask.kind == "insertion":
        draft = source.insert(mask.place.statement, lines)
    else:
        draft = _replacement(source, mask.place.statement, lines)
    if draft is not None and draft.edits and mask.place.holds(draft.edits):
        yield draft


def _is_encodable(text: str) -> bool:
    """Return whether a text can be written to a file; a reply may contain lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _expression(text: str) -> str:
    """Return the text of a single expression without comments, or ""."""
    try:
        node = parse_expression(text.strip())
    except UNREADABLE:
        return ""
    if any(isinstance(one, UNFIT) for one in ast.walk(node)) or isinstance(node, ast.Starred):
        return ""
    return ast.unparse(node) if "#" in text else text.strip()


def _statements(text: str, indent: str) -> list[str]:
    """Return the lines of a few statements without definitions and imports, or []."""
    lines = text.strip("\n").split("\n")
    margin = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    try:
        body = parse_module("\n".join(line.removeprefix(margin) for line in lines)).body
    except UNREADABLE:
        return []
    nodes = [node for one in body for node in ast.walk(one)]
    if not 0 < len(body) <= MOST_STATEMENTS or any(isinstance(one, (*DEFINING, *UNFIT)) for one in nodes):
        return []
    plain = "\n".join(map(ast.unparse, body)).split("\n")
    return [_reindented(line, indent) for line in plain]


def _reindented(line: str, indent: str) -> str:
    inner = line.lstrip(" ")
    return indent * ((len(line) - len(inner)) // 4) + inner


def _replacement(source: Source, statement: ast.stmt, lines: Sequence[str]) -> Draft | None:
    start, end = source.span(statement)
    margin = source.data[source.line_start(start) : start].decode()
    if margin.strip() and len(lines) > 1:
        return None
    text = f"{source.newline}{margin}".join(lines)
    return Draft(f"replace `{brief(source.text(statement))}` by `{brief(' '.join(lines))}`", ((start, end, text),))
