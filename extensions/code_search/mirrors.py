"""Mirrors of an edit: functions of Python that a patch leaves unchanged and that probably need the same change.

Each function that a patch changes is compared with other functions of the base: whether they have the lines, the tokens
and the names that the patch removes, whether they have the same name, and how similar they are. A logistic model
combines this into a probability, and only likely functions are named. `python -m benchmarks.mirrors` measures them; the
weights were fitted on fixes of other projects than those that it was measured on (docs/proving.md).
"""

from __future__ import annotations

import difflib
import keyword
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from aci.graph.patch_impact import Edit, edits_between
from aci.repository.file_blobs import TreeBlobs
from aci.repository.python_source import definitions
from aci.repository.test_files import belongs_to_tests
from trajectories.errors import WorkspaceError
from trajectories.facts import Fact
from trajectories.git_store.trees import Trees

WEIGHTS = {
    "lines": 1.53,
    "lines_body": 1.01,
    "shapes_body": 1.15,
    "tokens": 2.2,
    "tokens_body": 1.33,
    "names": 1.86,
    "names_file": 1.53,
    "calls_file": 1.66,
    "twin_body": 0.98,
    "class_body": 2.82,
    "file_body": 3.02,
    "file": 0.57,
}
"""The weight of each signal; `_body` is its product with the similarity of the two functions."""
BIAS = -6.87
LEAST_PROBABILITY = 0.25
MAX_NAMED = 2
"""Maximum number of functions that are named for a patch."""
MIN_LINE_CHARACTERS, MIN_NAME_CHARACTERS = 12, 3
TOKENS_BESIDE = 2
"""Number of tokens on each side of replaced tokens that must be the same in the other function."""
MAX_REPLACED_TOKENS = 12
MAX_FILES, MAX_HOLDERS = 20_000, 150
"""Maximum number of files that are searched, and of files that may hold a text that counts."""
MAX_CHANGED = 20
"""Maximum number of changed functions that are compared."""
TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|\"[^\"\n]*\"|'[^'\n]*'|[^\w\s]")
NO_LOCAL_NAMES = {*keyword.kwlist, "self", "cls"}


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the base and its lines."""

    path: str
    name: str
    line: int
    end: int
    text: tuple[str, ...]

    @property
    def owner(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def bare(self) -> str:
        return self.name.rpartition(".")[2]

    @cached_property
    def lines(self) -> frozenset[str]:
        return frozenset(significant_lines(self.text))

    @cached_property
    def shapes(self) -> frozenset[str]:
        return frozenset(map(line_shape, self.lines))

    @cached_property
    def tokens(self) -> Counter[str]:
        return Counter(self.stream.split(" "))

    @cached_property
    def stream(self) -> str:
        """The tokens of the code, separated by spaces."""
        return f" {' '.join(_tokens(line for line in self.text if not line.lstrip().startswith('#')))} "

    def overlaps(self, other: Function) -> bool:
        return self.path == other.path and self.line <= other.end and other.line <= self.end


class Hunk(NamedTuple):
    """The part of an edit within one function: its removed and added lines, and the function's lines after it."""

    function: Function
    removed: tuple[str, ...]
    added: tuple[str, ...]
    after: tuple[str, ...]


class Mirror(NamedTuple):
    """A function that probably needs the same change; `words` say why."""

    function: Function
    probability: float
    words: str


def find_mirrors(trees: Trees, base: str, tree: str) -> list[Fact]:
    """Return a fact for each likely mirror of the patch between two trees. The list is empty if files are missing."""
    before = TreeBlobs(trees, base)
    try:
        edits = [one for one in edits_between(before, TreeBlobs(trees, tree)) if _is_source(one.path)]
        if not edits:
            return []
        ids = {file.path: file.id for file in before.files() if _is_source(file.path) and file.mode.startswith("100")}
        paths = list(ids) if len(ids) <= MAX_FILES else [edit.path for edit in edits if edit.path in ids]
        read = zip(paths, before.read([ids[path] for path in paths]), strict=True)
        files = {path: data.decode("utf-8", "replace") for path, data in read if data is not None}
    except WorkspaceError:
        return []
    changed = [hunk for edit in edits for hunk in changed_functions(edit)][:MAX_CHANGED]
    return [_fact(one) for one in likely_mirrors(changed, files)]


def _fact(one: Mirror) -> Fact:
    path, line, name = one.function.path, one.function.line, one.function.name
    text = f"`{name}` in {path}:{line} {one.words}. The patch leaves it unchanged."
    return Fact("mirror", text, {"path": path, "line": line, "name": name})


def _is_source(path: str) -> bool:
    return path.endswith(".py") and not belongs_to_tests(path)


def changed_functions(edit: Edit) -> Iterator[Hunk]:
    """Yield the hunk of each innermost function of the base that an edit changes."""
    old, new = edit.before.split("\n"), edit.after.split("\n")
    functions = list(_functions(edit.path, edit.before))
    parts: dict[Function, list[tuple[int, int, int, int]]] = {}
    for tag, a, b, c, d in edit.pieces:
        inside = [one for one in functions if one.line <= b and a < one.end]
        for one in inside if tag != "equal" else ():
            if not any(other is not one and one.line <= other.line and other.end <= one.end for other in inside):
                parts.setdefault(one, []).append((a, b, c, d))
    for one, pieces in parts.items():
        after: list[str] = []
        at = one.line - 1
        for a, b, c, d in pieces:
            after += [*old[at : max(a, at)], *new[c:d]]
            at = max(b, at)
        removed = [line for a, b, _, _ in pieces for line in old[max(a, one.line - 1) : min(b, one.end)]]
        added = [line for _, _, c, d in pieces for line in new[c:d]]
        yield Hunk(one, tuple(removed), tuple(added), (*after, *old[at : one.end]))


def likely_mirrors(changed: Sequence[Hunk], files: Mapping[str, str]) -> list[Mirror]:
    """Return the likely mirrors of changed functions among the functions of the base's `files`, the likeliest first."""
    best: dict[tuple[str, str], Mirror] = {}
    parsed: dict[str, list[Function]] = {}
    for hunk in changed:
        for one in _compare(hunk, files, parsed):
            key = (one.function.path, one.function.name)
            if not any(one.function.overlaps(other.function) for other in changed) and (
                key not in best or best[key].probability < one.probability
            ):
                best[key] = one
    ranked = sorted(best.values(), key=lambda one: (-one.probability, one.function.path, one.function.line))
    return [one for one in ranked[:MAX_NAMED] if one.probability >= LEAST_PROBABILITY]


def _compare(hunk: Hunk, files: Mapping[str, str], parsed: dict[str, list[Function]]) -> Iterator[Mirror]:
    """Compare the functions of the files that hold something of the hunk, and of its own file."""
    given = hunk.function
    lines = significant_lines(hunk.removed)
    added = significant_lines(hunk.added)
    grams = list(_replaced_tokens(hunk))
    gone = {*_names(given.text)} - {*_names(hunk.after)}
    keys = {*lines, *gone, f"def {given.bare}(", *(max(_names([gram]), key=len, default="") for gram in grams)} - {""}
    holders = {key: [path for path, text in files.items() if key in text] for key in keys}
    rare = {key: paths for key, paths in holders.items() if len(paths) <= MAX_HOLDERS}
    paths = dict.fromkeys([given.path, *(path for found in rare.values() for path in found)])
    for path in paths:
        if path not in parsed:
            parsed[path] = list(_functions(path, files.get(path, "")))
    functions = [one for path in paths for one in parsed[path]]
    counts = Counter(line for one in functions for line in one.lines)
    shapes = Counter(shape for one in functions for shape in one.shapes)
    names = Counter(name for one in functions for name in gone | {given.bare} if name in one.tokens)
    twins = sum(one.bare == given.bare for one in functions) - 1
    held = {gram: sum(gram in one.stream for one in functions) - 1 for gram in grams}
    wanted_shapes = [line_shape(line) for line in lines]
    for one in functions:
        if one.overlaps(given) or (added and all(line in one.lines for line in added)):
            continue
        body, near = _similarity(given.tokens, one.tokens), float(one.path == given.path)
        is_twin = one.bare == given.bare and (one.path, one.owner) != (given.path, given.owner) and twins > 0
        same_lines = _share(lines, one.lines, counts)
        same_tokens = max((1 / held[gram] for gram in grams if held[gram] > 0 and gram in one.stream), default=0.0)
        same_names = max((1 / (names[n] - 1) for n in gone if names[n] > 1 and n in one.tokens), default=0.0)
        calls = f" {given.bare} ( " in one.stream and names[given.bare] > 1
        signals = {
            "lines": same_lines,
            "lines_body": same_lines * body,
            "shapes_body": _share(wanted_shapes, one.shapes, shapes) * body,
            "tokens": same_tokens,
            "tokens_body": same_tokens * body,
            "names": same_names,
            "names_file": same_names * near,
            "calls_file": near / (names[given.bare] - 1) if calls else 0.0,
            "twin_body": body / math.sqrt(twins) if is_twin else 0.0,
            "class_body": near * (one.owner == given.owner) * body,
            "file_body": near * body,
            "file": near,
        }
        parts = {name: WEIGHTS[name] * value for name, value in signals.items()}
        yield Mirror(one, 1 / (1 + math.exp(-BIAS - sum(parts.values()))), _reason(parts, given))


def _reason(parts: Mapping[str, float], given: Function) -> str:
    where = f"`{given.name}`"
    lines, tokens = parts["lines"] + parts["lines_body"], parts["tokens"] + parts["tokens_body"]
    reasons = {
        f"has lines that the patch changes in {where}": lines + tokens if lines else 0.0,
        f"has code that the patch replaces in {where}": tokens,
        f"uses a name that the patch removes from {where}": parts["names"] + parts["names_file"],
        f"calls {where}, which the patch changes": parts["calls_file"],
        f"has the name of {where}, which the patch changes, and similar code": parts["twin_body"],
        f"is similar to {where}, which the patch changes": parts["class_body"] + parts["file_body"],
    }
    return max(reasons, key=lambda words: reasons[words])


def _functions(path: str, source: str) -> Iterator[Function]:
    lines = source.split("\n")
    for one in definitions(source):
        if one.kind == "def":
            yield Function(path, one.name, one.line, one.end, tuple(lines[one.line - 1 : one.end]))


def significant_lines(text: Iterable[str]) -> list[str]:
    """Return the stripped lines of code that are long enough to be recognised elsewhere."""
    stripped = (line.strip() for line in text)
    return [line for line in stripped if len(line) >= MIN_LINE_CHARACTERS and not line.startswith(("#", '"""'))]


def line_shape(line: str) -> str:
    """Return the tokens of a line with its local names replaced: names that are no attribute and not called."""
    tokens = ["", *TOKEN.findall(line), ""]
    around = zip(tokens, tokens[1:], tokens[2:], strict=False)
    return " ".join(
        "_" if token.isidentifier() and token not in NO_LOCAL_NAMES and before != "." and after != "(" else token
        for before, token, after in around
    )


def _tokens(text: Iterable[str]) -> list[str]:
    return TOKEN.findall("\n".join(text))


def _names(text: Iterable[str]) -> list[str]:
    return [one for one in _tokens(text) if one.isidentifier() and len(one) >= MIN_NAME_CHARACTERS]


def _replaced_tokens(hunk: Hunk) -> Iterator[str]:
    """Yield each sequence of tokens that the hunk replaces, with the tokens beside it."""
    old, new = _tokens(hunk.function.text), _tokens(hunk.after)
    for tag, a, b, _, _ in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal" and b - a <= MAX_REPLACED_TOKENS:
            yield f" {' '.join(old[max(a - TOKENS_BESIDE, 0) : b + TOKENS_BESIDE])} "


def _share(wanted: Collection[str], present: frozenset[str], counts: Counter[str]) -> float:
    """Return the share of the wanted lines that are present; lines that many functions have count less."""
    weights = {line: 1 / math.sqrt(max(counts[line] - 1, 1)) if counts[line] else 0.5 for line in wanted}
    return sum(weight for line, weight in weights.items() if line in present) / max(sum(weights.values()), 1e-9)


def _similarity(one: Counter[str], other: Counter[str]) -> float:
    """Return the share of common tokens, from 0 to 1, where each counts as often as it occurs."""
    both = (one & other).total()
    return both / max(one.total() + other.total() - both, 1)
